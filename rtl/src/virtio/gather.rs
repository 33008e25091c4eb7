//! Frames out of the pieces that they lie in.

use super::lanes::{merge, rotate_up};
use crate::{
    config::Config,
    dma::{Outcome, ReadBeat},
    frame::Beat,
};
use hdl::*;

/// A piece of a frame.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Piece {
    /// The frame ends with it.
    pub ends: Bool,
    /// The frame is to be thrown away.
    pub spoilt: Bool,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct GatherIo {
    /// One for each piece.
    #[input]
    pub piece: Stream<Piece>,
    /// The pieces' bytes, each from lane 0 on.
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub input: Stream<ReadBeat>,
    /// With an error if any of its pieces was spoilt or did not come. A frame without bytes is a beat with `count` 0.
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub output: Stream<Beat>,
}

/// Puts pieces of any lengths together without gaps.
///
/// ```text
///  input ─► rotate up by what is kept ─┬─► merge ─► register ─► output
///                           ▲          ▼     ▲
///                           └──────── [kept] ┘
/// ```
///
/// Bytes are kept until more than a beat of them is there, or the frame ends.
///
/// # Timing
/// A beat in each cycle, and one cycle more where the last beat of a frame becomes two. `input.ready` and `piece.ready` are
/// combinational in `output.ready`.
#[hdl]
pub fn gather(config: &Config) -> GatherIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let bytes = config.bytes;
    module(format!("virtio_gather_{bytes}"), GatherIo::ty(config), |io| {
        io.input.assume_stable();
        io.output.assert_stable();
        let lane_bits = clog2(bytes);
        let count_bits = clog2(bytes + 1);
        let kept = reg_without_reset(bits(8 * bytes));
        /// Bytes of it that count: up to all.
        let fill = reg(bits(count_bits));
        /// What is kept is the last beat of its frame.
        let flushes = reg(flag());
        /// Something of the frame did not come.
        let failed = reg(flag());
        let room = wire(flag());

        let (beat, piece) = (io.input.payload, io.piece.payload);
        let takes = io.input.valid & io.piece.valid & room & !flushes;
        io.input.ready.set(io.piece.valid & room & !flushes);
        io.piece.ready.set(takes & beat.last);
        let is_bad = failed | (beat.last & (!beat.outcome.is(Outcome::Success) | piece.spoilt));
        let total = fill.wide_add(beat.count);
        let overflows = total.gt(bytes);
        let ends = beat.last & piece.ends;

        // What came goes above what is kept.
        let rotated = rotate_up(beat.data, fill.trunc(lane_bits));
        let merged = merge(kept, rotated, fill);
        let rest = (total - bytes).trunc(count_bits);

        let holding = reg(flag());
        let held = reg_without_reset(Beat::ty(bytes));
        room.set(!holding | io.output.ready);
        when(room, || holding.set(false));
        when(takes, || {
            kept.set(overflows.mux(rotated, merged));
            fill.set(overflows.mux(rest, total.trunc(count_bits)));
            failed.set(is_bad);
            when(overflows | ends, || {
                holding.set(true);
                held.set(Beat {
                    data: merged,
                    count: overflows.mux(lit(bytes, count_bits), total.trunc(count_bits)),
                    last: !overflows,
                    error: is_bad,
                });
            });
            when(ends, || {
                flushes.set(overflows);
                when(!overflows, || {
                    fill.set(fill.zero());
                    failed.set(false);
                });
            });
        });
        when(flushes & room, || {
            holding.set(true);
            held.set(Beat { data: kept, count: fill, last: true.to_bool(), error: failed });
            flushes.set(false);
            fill.set(fill.zero());
            failed.set(false);
        });
        io.output.valid.set(holding);
        io.output.payload.set(held);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn pieces_become_frames() {
        for (seed, config) in Config::all().iter().enumerate() {
            for (pace_in, pace_out) in PACES {
                let bytes = config.bytes;
                let (mut bench, io) = Bench::new(|| gather(config), seed as u64);
                let mut pieces = Source::new(&io.piece, pace_in);
                let (mut source, mut sink) =
                    (Source::new(&io.input, pace_in), Sink::new(&io.output, pace_out));
                let mut expected = vec![];
                for _ in 0..400 {
                    let rng = &mut bench.rng;
                    let count = rng.usize(1..=5);
                    let mut frame = Frame { data: vec![], error: false };
                    for number in 0..count {
                        let most = [0, 1, bytes, 3 * bytes, 100][rng.usize(..5)];
                        let length = rng.usize(0..=most);
                        let piece: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
                        let outcome = if rng.u8(..30) == 0 { rng.u64(1..6) } else { 0 };
                        let spoilt = rng.u8(..30) == 0;
                        let mut about = word(spoilt.into(), 1);
                        about.push(number == count - 1);
                        pieces.send([about]);
                        let beats = Frame { data: piece.clone(), error: false }.beats(bytes, rng);
                        let last = beats.len() - 1;
                        source.send(beats.into_iter().enumerate().map(|(at, beat)| {
                            let outcome = if at == last { outcome } else { rng.u64(0..6) };
                            let mut word = word(outcome, 3);
                            word.extend(beat[1..].iter().by_vals());
                            word
                        }));
                        frame.data.extend(piece);
                        frame.error |= spoilt || outcome > 0;
                    }
                    expected.push(frame);
                }
                let mut idle = 0;
                while idle < 100 {
                    idle = if source.queue.is_empty() { idle + 1 } else { 0 };
                    bench.cycle(&mut [&mut pieces, &mut source, &mut sink]);
                }
                assert_eq!(frames(&sink.got, bytes), expected);
            }
        }
    }
}
