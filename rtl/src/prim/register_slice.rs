//! One register in a stream, forward only.
//!
//! # Purpose
//! Cuts the paths of `valid` and `payload` at half the price of a [`skid_buffer`](super::skid_buffer()); the path of
//! `ready` stays combinational.
//!
//! # Schematic
//! ```text
//!  input.valid   -->[D Q]--> output.valid
//!  input.payload -->[D Q]--> output.payload
//!                     ^ advance
//!  input.ready <------+--- !valid | output.ready
//! ```
//!
//! # Timing
//! A beat every cycle, 1 cycle of latency. `input.ready` is combinational in `output.ready`.
//! ```text
//!               _   _   _   _
//!  clk        _/ \_/ \_/ \_/ \_
//!  input      /A  X B X C \____
//!  output     ____/A  X B X C \
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! let slice = elaborate(|| rtl::prim::register_slice(bits(32))).unwrap();
//! assert_eq!(slice.design.top().name, "register_slice_32");
//! ```

use super::PipeIo;
use hdl::*;

/// A register in a stream of any payload type.
#[hdl]
pub fn register_slice<T: Data>(payload: T) -> PipeIo<T> {
    module(format!("register_slice_{}", payload.size()), PipeIo::ty(payload.clone()), |io| {
        io.input.assume_stable();
        io.output.assert_stable();
        let output = output_register(&io.output, io.input.valid, io.input.payload.clone());
        io.input.ready.set(output.advance);
    })
}

/// The register that drives a stream.
pub(super) struct OutputRegister {
    /// It takes what stands before it.
    pub advance: Bool,
}

/// Drives `output` from a register, which takes `next_valid` and `next` whenever it can.
#[hdl]
pub(super) fn output_register<T: Data>(output: &Stream<T>, next_valid: Bool, next: T) -> OutputRegister {
    /// There is a beat.
    let valid = reg_flag(false);
    let payload = reg_without_reset(next.clone());
    let advance = !valid | output.ready;
    when(advance, || {
        valid.set(next_valid);
        payload.set(next);
    });
    output.valid.set(valid);
    output.payload.set(payload);
    OutputRegister { advance }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn keeps_order_at_any_pace() {
        for (up, down) in PACES {
            let (mut bench, io) = Bench::new(|| register_slice(bits(70)), 1);
            let (mut source, mut sink) = (Source::new(&io.input, up), Sink::new(&io.output, down));
            for _ in 0..2 {
                let words = random_words(&mut bench.rng, 70, 300);
                source.send(words.clone());
                let cycles = bench.until((&mut source, &mut sink), 9000, |_, sink| sink.got.len() == 300);
                assert_eq!(sink.got, words);
                if (up, down) == (1.0, 1.0) {
                    assert_eq!(cycles, 301, "a beat every cycle");
                }

                let lost = random_words(&mut bench.rng, 70, 5);
                source.send(lost);
                bench.cycle(&mut [&mut source]);
                source.reset();
                bench.sim.poke(io.input.valid, false);
                bench.sim.reset();
                assert!(!bench.sim.peek(io.output.valid), "empty after reset");
                sink.got.clear();
            }
        }
    }
}
