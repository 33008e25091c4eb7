//! Frames cut into the pieces that their bytes go to.

use super::lanes::{merge, rotate_up};
use crate::{config::Config, dma::LENGTH_BITS, frame::Beat};
use hdl::*;

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct SpreadIo {
    /// Bytes of each piece, at least 1. Pieces end where frames end.
    #[input]
    #[ty(Stream::ty(U::ty()))]
    pub length: Stream<U<LENGTH_BITS>>,
    #[input]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub input: Stream<Beat>,
    /// A frame for each piece; never with an error.
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub output: Stream<Beat>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// A piece begins.
    Begin,
    /// Its beats leave.
    Move,
    /// What is kept is moved down to lane 0.
    Shift,
}

/// Cuts frames into pieces of any lengths, each from lane 0 on: what [`super::gather`] does, the other way round.
///
/// ```text
///  input ─► rotate up by what is kept ─┬─► merge ─► register ─► output
///                           ▲          ▼     ▲
///                           └── [kept] ◄─ shift down, behind a piece that does not end with a beat
/// ```
///
/// # Timing
/// A beat in each cycle, a cycle between two pieces, and one more between two pieces of a frame. `input.ready` is combinational in
/// `output.ready`.
#[hdl]
pub fn spread(config: &Config) -> SpreadIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let bytes = config.bytes;
    module(format!("virtio_spread_{bytes}"), SpreadIo::ty(config), |io| {
        io.input.assume_stable();
        io.length.assume_stable();
        io.output.assert_stable();
        let lane_bits = clog2(bytes);
        let count_bits = clog2(bytes + 1);
        let state = reg_enum(State::Begin);
        /// Bytes of the piece that have not left.
        let left = reg_without_reset(bits(LENGTH_BITS));
        /// A beat ends the piece.
        let is_final = reg_without_reset(flag());
        let kept = reg_without_reset(bits(8 * bytes));
        /// What is above it after a merge.
        let wrapped = reg_without_reset(bits(8 * bytes));
        /// Bytes that are kept; less than a beat but while they are about to be moved down.
        let fill = reg(bits(count_bits));
        /// Bytes that have left of what is kept.
        let gone = reg_without_reset(bits(lane_bits));
        let room = wire(flag());

        let beat = io.input.payload;
        let rotated = rotate_up(beat.data, fill.trunc(lane_bits));
        let merged = merge(kept, rotated, fill);

        // Bytes that leave with this beat: all that are left of the piece, or a full beat.
        let least = is_final.mux(left.trunc(count_bits), lit(bytes, count_bits));
        let is_kept = fill.ge(least);
        let wants = state.is(State::Move) & !is_kept;
        let total = fill.wide_add(beat.count);
        let leaves = state.is(State::Move)
            & room
            & (is_kept | (io.input.valid & total.ge(least.zext(count_bits + 1))));
        let takes = io.input.valid & wants & room;
        io.input.ready.set(wants & room);
        io.length.ready.set(state.is(State::Begin));

        let holding = reg(flag());
        let held = reg_without_reset(Beat::ty(bytes));
        room.set(!holding | io.output.ready);
        when(room, || holding.set(leaves));
        when(leaves, || {
            held.set(Beat { data: merged, count: least, last: is_final, error: false.to_bool() });
        });
        io.output.valid.set(holding);
        io.output.payload.set(held);

        let now = is_kept.mux(fill.zext(count_bits + 1), total);
        let rest = (now - least.zext(count_bits + 1)).trunc(count_bits);
        let ends = |left: Bits| left.le(bytes);
        state.cases(|at| match at {
            State::Begin => {
                let length = Bits::from(io.length.payload);
                left.set(length);
                is_final.set(ends(length));
                when(io.length.valid, || state.set(State::Move));
            }
            State::Move => {
                when(takes & !leaves, || {
                    kept.set(merged);
                    fill.set(total.trunc(count_bits));
                });
                when(leaves, || {
                    // A full beat leaves what was wrapped; behind less than that it has to be moved down.
                    let is_full = least.eq(bytes);
                    kept.set(is_full.mux(rotated, merged));
                    wrapped.set(rotated);
                    gone.set(least.trunc(lane_bits));
                    fill.set(rest);
                    left.set(left - bytes);
                    is_final.set(ends(left - bytes));
                    when(is_final, || {
                        state
                            .set((is_full | !rest.any()).mux(State::Begin.to_enum(), State::Shift.to_enum()));
                    });
                });
            }
            State::Shift => {
                let lanes: Vec<Bits> = [kept.chunks(8), wrapped.chunks(8)].concat();
                let moved = (0..bytes).map(|lane| {
                    let options: Vec<Bits> = (0..bytes).map(|down| lanes[lane + down]).collect();
                    select(&options, gone)
                });
                let moved: Vec<Bits> = moved.collect();
                kept.set(cat(moved.into_iter().rev()));
                state.set(State::Begin);
            }
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn frames_become_pieces() {
        for (seed, config) in Config::all().iter().enumerate() {
            for (pace_in, pace_out) in PACES {
                let bytes = config.bytes;
                let (mut bench, io) = Bench::new(|| spread(config), seed as u64);
                let mut lengths = Source::new(&io.length, pace_in);
                let (mut source, mut sink) =
                    (Source::new(&io.input, pace_in), Sink::new(&io.output, pace_out));
                let mut expected = vec![];
                for _ in 0..300 {
                    let rng = &mut bench.rng;
                    let frame = Frame { error: false, ..Frame::random(rng, 1..=200) };
                    source.send(frame.beats(bytes, rng));
                    let mut data = &frame.data[..];
                    while !data.is_empty() {
                        let most = [1, 4, bytes, 3 * bytes, 200][rng.usize(..5)].min(data.len());
                        let (piece, rest) = data.split_at(rng.usize(1..=most));
                        lengths.send([word(piece.len() as u64, LENGTH_BITS)]);
                        expected.push(Frame { data: piece.to_vec(), error: false });
                        data = rest;
                    }
                }
                let mut idle = 0;
                while idle < 100 {
                    idle = if source.queue.is_empty() { idle + 1 } else { 0 };
                    bench.cycle(&mut [&mut lengths, &mut source, &mut sink]);
                }
                while sink.got.is_empty() || !lengths.queue.is_empty() {
                    bench.cycle(&mut [&mut lengths, &mut source, &mut sink]);
                }
                (0..2000).for_each(|_| bench.cycle(&mut [&mut lengths, &mut source, &mut sink]));
                assert_eq!(frames(&sink.got, bytes), expected);
            }
        }
    }
}
