//! Frame streams between buses of different width.
//!
//! # Purpose
//! Joins beats of a narrow frame stream into wide ones, or cuts wide ones up; the frame's bytes stay the same.
//!
//! # Schematic
//! ```text
//!  up:    input --+--> [part 0] --+            down:   input --> [part 3][part 2][part 1][part 0] --> output
//!                 +--> [part 1] --+--> output                       shifts right by a part per beat
//!                 +--> ...      --+
//! ```
//!
//! # Internals
//! The collecting or shifting register is the output register as well. Up: a frame that ends early leaves what was in
//! the upper parts before; `count` says what is valid.
//!
//! # Timing
//! The narrow side moves a beat every cycle. Latency 1 cycle from the beat that completes a wide one (up), or from the
//! wide beat to its first part (down). `input.ready` is combinational in `output.ready`.
//! ```text
//!               _   _   _   _   _
//!  clk        _/ \_/ \_/ \_/ \_/ \_
//!  8 bytes    /A0 X A1 X A2*\______     * last
//!  16 bytes   ________/A1A0\  /A2*\     (A2*: count 1 to 8)
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::prim::width_converter;
//! assert!(elaborate(|| width_converter(8, 32)).is_ok());
//! assert!(elaborate(|| width_converter(16, 8)).is_ok());
//! assert!(elaborate(|| width_converter(8, 12)).is_err());
//! ```

use super::register_slice::output_register;
use crate::frame::Beat;
use hdl::*;

/// Ports of a [`width_converter`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(from: usize, to: usize)]
pub struct WidthConverterIo {
    #[input]
    #[ty(Stream::ty(Beat::ty(from)))]
    pub input: Stream<Beat>,
    #[output]
    #[ty(Stream::ty(Beat::ty(to)))]
    pub output: Stream<Beat>,
}

/// Converts from beats of `from` bytes to beats of `to` bytes, 1 to 128 each. One must be a multiple of the other; with
/// equal widths it is a register.
#[hdl]
pub fn width_converter(from: usize, to: usize) -> WidthConverterIo {
    let fine = |bytes: usize| (1..=128).contains(&bytes);
    require(fine(from) && fine(to) && (from.is_multiple_of(to) || to.is_multiple_of(from)), || {
        format!(
            "cannot convert beats of {from} bytes to beats of {to}: 1 to 128, one a multiple of the other"
        )
    });
    module(format!("width_converter_{from}_to_{to}"), WidthConverterIo::ty(from, to), |io| {
        io.input.assume_stable();
        io.output.assert_stable();
        match from.cmp(&to) {
            std::cmp::Ordering::Less => up(io, to / from),
            std::cmp::Ordering::Greater => down(io),
            std::cmp::Ordering::Equal => {
                let output = output_register(&io.output, io.input.valid, io.input.payload);
                io.input.ready.set(output.advance);
            }
        }
    })
}

/// Collects `factor` beats.
#[hdl]
fn up(io: &WidthConverterIo, factor: usize) {
    let (input, output) = (io.input.payload, io.output.payload);
    let bytes = input.bytes();
    /// The output register holds a whole beat.
    let holding = reg_flag(false);
    /// Which part the next beat fills.
    let part = reg(bits(clog2(factor)));
    let parts = reg_without_reset(vec![input.data; factor]);
    let count = reg_without_reset(output.count);
    let last = reg_without_reset(flag());
    let error = reg_without_reset(flag());

    let advance = !holding | io.output.ready;
    let complete = input.last | part.eq(factor - 1);
    when(advance, || holding.set(io.input.valid & complete));
    when(io.input.valid & advance, || {
        set_at(&parts, part, input.data);
        part.set(complete.mux(lit(0, part.width()), part + 1));
        let before: Vec<Bits> = (0..factor).map(|i| lit(i * bytes, count.width())).collect();
        count.set(select(&before, part) + input.count.zext(count.width()));
        last.set(input.last);
        error.set(input.error);
    });
    io.input.ready.set(advance);
    io.output.valid.set(holding);
    output.data.set(cat(parts.into_iter().rev()));
    output.count.set(count);
    output.last.set(last);
    output.error.set(error);
}

/// Shifts a beat out in parts.
#[hdl]
fn down(io: &WidthConverterIo) {
    let (input, output) = (io.input.payload, io.output.payload);
    let (bytes, part) = (output.bytes(), output.data.width());
    /// There is a beat or a rest of one.
    let holding = reg_flag(false);
    let data = reg_without_reset(input.data);
    /// Bytes that are still to go.
    let left = reg_without_reset(input.count);
    /// No more than one part is left.
    let final_part = reg_without_reset(flag());
    let last = reg_without_reset(flag());
    let error = reg_without_reset(flag());

    let advance = !holding | io.output.ready & final_part;
    when(advance, || {
        holding.set(io.input.valid);
        data.set(input.data);
        left.set(input.count);
        final_part.set(input.count.le(bytes));
        last.set(input.last);
        error.set(input.error);
    })
    .elsewhen(io.output.ready, || {
        let rest = data.width() - part;
        data.slice(0, rest).set(data.slice(part, rest));
        left.set(left - bytes);
        final_part.set(left.le(2 * bytes));
    });
    io.input.ready.set(advance);
    io.output.valid.set(holding);
    output.data.set(data.trunc(part));
    output.count.set(final_part.mux(left.trunc(output.count.width()), lit(bytes, output.count.width())));
    output.last.set(last & final_part);
    output.error.set(error);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const WIDTHS: [(usize, usize); 9] =
        [(8, 8), (1, 2), (4, 8), (8, 32), (5, 15), (2, 1), (8, 4), (32, 8), (15, 5)];

    #[test]
    fn frames_come_out_as_they_went_in() {
        for (from, to) in WIDTHS {
            for (up, down) in PACES {
                let (mut bench, io) = Bench::new(|| width_converter(from, to), 1);
                let (mut source, mut sink) = (Source::new(&io.input, up), Sink::new(&io.output, down));
                for _ in 0..2 {
                    let sent: Vec<Frame> = (0..60).map(|_| Frame::random(&mut bench.rng, 1..=100)).collect();
                    sent.iter().for_each(|frame| source.send(frame.beats(from, &mut bench.rng)));
                    let beats = sent.iter().map(|frame| frame.data.len().div_ceil(to)).sum();
                    let narrow: usize =
                        sent.iter().map(|frame| frame.data.len().div_ceil(from.min(to))).sum();
                    let cycles =
                        bench.until((&mut source, &mut sink), 100_000, |_, sink| sink.got.len() == beats);
                    assert_eq!(frames(&sink.got, to), sent);
                    if (up, down) == (1.0, 1.0) {
                        assert_eq!(cycles, narrow + 1, "the narrow side never pauses");
                    }

                    source.send(sent[0].beats(from, &mut bench.rng));
                    bench.cycle(&mut [&mut source, &mut sink]);
                    source.reset();
                    bench.sim.poke(io.input.valid, false);
                    bench.sim.reset();
                    assert!(!bench.sim.peek(io.output.valid), "empty after reset");
                    sink.got.clear();
                }
            }
        }
    }
}
