//! Headers beside a stream into headers within it, and back.
//!
//! # Purpose
//! Blocks that look at a header want it on wires of its own: the TLP ports carry it as a sideband, the virtio engines
//! handle a `virtio_net_hdr` for each frame. Buffers, links and memories want plain bytes. [`packetiser`] puts a header of
//! any number of bytes in front of each frame and moves the frame's bytes up behind it; [`depacketiser`] takes it off
//! again. Cutting payloads at a maximum size is left to the DMA engines, who know the addresses.
//!
//! # Schematic
//! ```text
//!  packetiser                                     depacketiser
//!  header --+--> full beats of it ----->|\        input --+--> [ header ] ------------------> header
//!           +--> its tail ----->|\      | >-[ ]-->        +--> [ held ] --> low bytes  -----> payload
//!                 [ held ] ---->|/ low  |/                +---------------> high bytes
//!  payload -+------------------> high --+
//!           +--> [ held ]
//! ```
//!
//! # Internals
//! With `r` header bytes left over behind its full beats, the `r` highest bytes of each payload beat wait in `held` for
//! the next beat; a rest of the last one goes out by itself. Where the header is a whole number of beats nothing is
//! shifted. A packet without payload is one beat with `count` 0. `error` runs with the last beat; a packet that ends
//! within its header comes out of the depacketiser without payload and with `error` set.
//!
//! # Timing
//! The packetiser's output never pauses. The depacketiser's input pauses for one cycle where the last beat of a frame
//! gives two beats of payload. Latency 1 cycle. `input.ready` is combinational in `output.ready`.
//! ```text
//!  8-byte beats, header of 12 bytes: H, then payload P of 10 bytes
//!                 _   _   _   _   _
//!  clk          _/ \_/ \_/ \_/ \_/ \_
//!  input        /P0..7     X P8..9\_____     header H0..11 beside it
//!  input.ready  ____/---------------
//!  output       ____/H0..7 X H8..11 P0..3 X P4..9\___
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::prim::{depacketiser, packetiser};
//! assert!(elaborate(|| packetiser(8, 12)).is_ok());
//! assert!(elaborate(|| depacketiser(16, 16)).is_ok());
//! ```

use super::register_slice::output_register;
use crate::frame::Beat;
use hdl::*;

/// A beat of payload with the header of its packet beside it.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize, header_bytes: usize)]
pub struct Packet {
    /// The same in all beats of a packet; byte 0 in bits 7:0.
    #[ty(bits(8 * header_bytes))]
    pub header: Bits,
    /// The payload. A packet without payload is one beat with `count` 0 and `last`.
    #[ty(Beat::ty(bytes))]
    pub beat: Beat,
}

/// Ports of a [`packetiser`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize, header_bytes: usize)]
pub struct PacketiserIo {
    #[input]
    #[ty(Stream::ty(Packet::ty(bytes, header_bytes)))]
    pub input: Stream<Packet>,
    /// Header and payload.
    #[output]
    #[ty(Stream::ty(Beat::ty(bytes)))]
    pub output: Stream<Beat>,
}

/// Ports of a [`depacketiser`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize, header_bytes: usize)]
pub struct DepacketiserIo {
    /// Header and payload.
    #[input]
    #[ty(Stream::ty(Beat::ty(bytes)))]
    pub input: Stream<Beat>,
    #[output]
    #[ty(Stream::ty(Packet::ty(bytes, header_bytes)))]
    pub output: Stream<Packet>,
}

fn require_ranges(bytes: usize, header_bytes: usize) {
    require((2..=64).contains(&bytes), || format!("packets have beats of 2 to 64 bytes, not {bytes}"));
    require((1..=128).contains(&header_bytes), || format!("a header has 1 to 128 bytes, not {header_bytes}"));
}

/// Puts a header of 1 to 128 bytes in front of each frame, for beats of 2 to 64 bytes.
#[hdl]
pub fn packetiser(bytes: usize, header_bytes: usize) -> PacketiserIo {
    require_ranges(bytes, header_bytes);
    let name = format!("packetiser_{bytes}_{header_bytes}");
    module(name, PacketiserIo::ty(bytes, header_bytes), |io| {
        io.input.assume_stable();
        io.output.assert_stable();
        let beat = wire(Beat::ty(bytes));
        /// The input's beat is used up.
        let take = wire(flag());
        let output = output_register(&io.output, io.input.valid, beat);
        let moves = io.input.valid & output.advance;
        io.input.ready.set(output.advance & take);
        beat.error.set(io.input.payload.beat.error);
        if header_bytes.is_multiple_of(bytes) {
            prepend_beats(&io.input.payload, moves, &beat, take);
        } else {
            prepend_bytes(&io.input.payload, moves, &beat, take);
        }
    })
}

/// Which beat of its header a packet is at.
struct Progress {
    /// Full beats of the header that are through.
    step: Bits,
    /// All of them are.
    done: Bool,
    total: usize,
}

/// For a header of `total` full beats.
#[hdl]
fn progress(total: usize) -> Progress {
    /// Beats of the header that are through.
    let step = reg(bits(clog2(total + 1)));
    Progress { step, done: step.eq(total), total }
}

impl Progress {
    /// The index of the header's beat.
    fn index(&self) -> Bits {
        self.step.resize(clog2(self.total))
    }

    /// A beat moves; `ends` with the packet.
    fn advance(&self, moves: Bool, ends: Bool) {
        when(moves & ends, || self.step.set(0)).elsewhen(moves & !self.done, || self.step.set(self.step + 1));
    }
}

/// The header is a whole number of beats.
#[hdl]
fn prepend_beats(input: &Packet, moves: Bool, beat: &Beat, take: Bool) {
    let Packet { header, beat: payload } = *input;
    let beats = header.chunks(beat.data.width());
    let header_beats = progress(beats.len());
    /// The packet ends with its header.
    let header_only = payload.count.eq(0) & header_beats.step.eq(beats.len() - 1);
    when(header_beats.done, || {
        beat.data.set(payload.data);
        beat.count.set(payload.count);
        beat.last.set(payload.last);
        take.set(true);
    })
    .otherwise(|| {
        beat.data.set(select(&beats, header_beats.index()));
        beat.count.set(beat.bytes());
        beat.last.set(header_only);
        take.set(header_only);
    });
    header_beats.advance(moves, take & payload.last);
}

/// The header's tail shares a beat with the payload.
#[hdl]
fn prepend_bytes(input: &Packet, moves: Bool, beat: &Beat, take: Bool) {
    let Packet { header, beat: payload } = *input;
    let (bytes, width) = (beat.bytes(), beat.data.width());
    let full_beats = header.width() / width;
    let tail = header.slice(full_beats * width, header.width() % width);
    let tail_bytes = tail.width() / 8;
    let room = bytes - tail_bytes;
    /// The payload bytes that found no room in the last beat.
    let held = reg_without_reset(tail);
    /// The tail of the header is through.
    let joined = reg_flag(false);
    /// What the last beat of the payload left over is next.
    let rest = reg_flag(false);

    let spills = payload.last & payload.count.gt(room);
    let ends = payload.last & !spills;
    let high = payload.data.slice(8 * room, tail.width());
    when(rest, || {
        beat.data.set(high.zext(width));
        beat.count.set(payload.count - room);
        beat.last.set(true);
        take.set(true);
    })
    .otherwise(|| {
        beat.data.set(cat([payload.data.trunc(8 * room), joined.mux(held, tail)]));
        beat.count.set(ends.mux(payload.count + tail_bytes, lit(bytes, beat.count.width())));
        beat.last.set(ends);
        take.set(!spills);
    });
    let mut moves_payload = moves;
    if full_beats > 0 {
        let beats = header.trunc(full_beats * width).chunks(width);
        let header_beats = progress(full_beats);
        when(!header_beats.done, || {
            beat.data.set(select(&beats, header_beats.index()));
            beat.count.set(bytes);
            beat.last.set(false);
            take.set(false);
        });
        header_beats.advance(moves, take & payload.last);
        moves_payload = moves & header_beats.done;
    }
    when(moves_payload, || {
        held.set(high);
        joined.set(!(take & payload.last));
        rest.set(!take & payload.last);
    });
}

/// Takes a header of 1 to 128 bytes off each frame, for beats of 2 to 64 bytes.
#[hdl]
pub fn depacketiser(bytes: usize, header_bytes: usize) -> DepacketiserIo {
    require_ranges(bytes, header_bytes);
    let name = format!("depacketiser_{bytes}_{header_bytes}");
    module(name, DepacketiserIo::ty(bytes, header_bytes), |io| {
        io.input.assume_stable();
        io.output.assert_stable();
        let beat = wire(Beat::ty(bytes));
        /// The input makes a beat of payload.
        let gives = wire(flag());
        /// The input's beat is used up.
        let take = wire(flag());
        let output = output_register(&io.output.map(|packet| packet.beat), io.input.valid & gives, beat);
        let moves = io.input.valid & output.advance;
        io.input.ready.set(output.advance & take);
        let strip = Strip { moves, header: io.output.payload.header, beat, gives, take };
        if header_bytes.is_multiple_of(bytes) {
            strip.beats(&io.input.payload);
        } else {
            strip.bytes(&io.input.payload);
        }
    })
}

/// What the two ways of taking a header off share.
struct Strip {
    /// A beat of the input moves if it is taken.
    moves: Bool,
    /// The output's header.
    header: Bits,
    /// The next beat of payload.
    beat: Beat,
    /// This cycle's input makes a beat of payload.
    gives: Bool,
    /// The input's beat is used up.
    take: Bool,
}

#[hdl]
impl Strip {
    /// The header is a whole number of beats.
    fn beats(&self, input: &Beat) {
        let beats = self.header.width() / input.data.width();
        let header = reg_without_reset(vec![input.data; beats]);
        let header_beats = progress(beats);
        let complete = header_beats.step.eq(beats - 1) & input.count.eq(input.bytes());
        self.take.set(true);
        self.gives.set(header_beats.done | input.last);
        self.beat.data.set(input.data);
        self.beat.count.set(header_beats.done.mux(input.count, lit(0, input.count.width())));
        self.beat.last.set(input.last);
        self.beat.error.set(input.error | !header_beats.done & !complete);
        when(self.moves & !header_beats.done, || set_at(&header, header_beats.index(), input.data));
        header_beats.advance(self.moves, input.last);
        self.header.set(cat(header.into_iter().rev()));
    }

    /// The header's tail shares a beat with the payload.
    fn bytes(&self, input: &Beat) {
        let (bytes, width) = (input.bytes(), input.data.width());
        let full_beats = self.header.width() / width;
        let tail_bytes = self.header.width() % width / 8;
        let room = bytes - tail_bytes;
        let header = reg_without_reset(vec![input.data; full_beats]);
        let header_tail = reg_without_reset(bits(8 * tail_bytes));
        /// The payload bytes that wait for the next beat.
        let held = reg_without_reset(bits(8 * room));
        /// What the last beat left over is next.
        let rest = reg_flag(false);
        let header_beats = progress(full_beats + 1);
        let in_payload = header_beats.done;
        let joint = header_beats.step.eq(full_beats);

        let spills = in_payload & !rest & input.last & input.count.gt(tail_bytes);
        let ends = input.last & !spills;
        let high = input.data.slice(8 * tail_bytes, 8 * room);
        let left = input.count.gt(tail_bytes).mux(input.count - tail_bytes, lit(0, input.count.width()));
        self.gives.set(in_payload | input.last);
        self.take.set(!spills);
        self.beat.last.set(ends);
        self.beat.error.set(input.error | !in_payload & (!joint | input.count.lt(tail_bytes)));
        when(in_payload & !rest, || {
            self.beat.data.set(cat([input.data.trunc(8 * tail_bytes), held]));
            self.beat.count.set(ends.mux(input.count + room, lit(bytes, input.count.width())));
        })
        .otherwise(|| {
            self.beat.data.set(high.zext(width));
            self.beat.count.set((in_payload | joint).mux(left, lit(0, left.width())));
        });
        when(self.moves, || {
            held.set(high);
            rest.set(spills);
        });
        when(self.moves & joint, || header_tail.set(input.data.trunc(8 * tail_bytes)));
        if full_beats > 0 {
            let in_header = !in_payload & !joint;
            let index = header_beats.step.resize(clog2(full_beats));
            when(self.moves & in_header, || set_at(&header, index, input.data));
        }
        header_beats.advance(self.moves, self.take & input.last);
        self.header.set(cat(std::iter::once(header_tail).chain(header.into_iter().rev())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const SIZES: [(usize, usize); 9] =
        [(2, 1), (8, 12), (8, 16), (8, 3), (8, 8), (16, 16), (16, 12), (5, 23), (4, 15)];

    /// A header and what follows it.
    fn packet(rng: &mut Rng, header_bytes: usize) -> (Vec<u8>, Frame) {
        let payload = Frame::random(rng, 0..=40);
        ((0..header_bytes).map(|_| rng.u8(..)).collect(), payload)
    }

    fn with_header(mut beat: Word, header: &[u8]) -> Word {
        header.iter().for_each(|byte| beat.extend(word((*byte).into(), 8)));
        beat
    }

    fn joined(header: &[u8], payload: &Frame) -> Frame {
        Frame { data: [header, &payload.data].concat(), error: payload.error }
    }

    #[test]
    fn packetiser_prepends() {
        for (bytes, header_bytes) in SIZES {
            for (up, down) in PACES {
                let (mut bench, io) = Bench::new(|| packetiser(bytes, header_bytes), 1);
                let (mut source, mut sink) = (Source::new(&io.input, up), Sink::new(&io.output, down));
                for _ in 0..2 {
                    let packets: Vec<_> = (0..80).map(|_| packet(&mut bench.rng, header_bytes)).collect();
                    for (header, payload) in &packets {
                        let beats = payload.beats(bytes, &mut bench.rng).into_iter();
                        source.send(beats.map(|beat| with_header(beat, header)));
                    }
                    let expected: Vec<Frame> = packets.iter().map(|(h, p)| joined(h, p)).collect();
                    let beats = expected.iter().map(|frame| frame.data.len().div_ceil(bytes)).sum();
                    let cycles =
                        bench.until((&mut source, &mut sink), 100_000, |_, sink| sink.got.len() == beats);
                    assert_eq!(frames(&sink.got, bytes), expected);
                    assert!(source.queue.is_empty());
                    if (up, down) == (1.0, 1.0) {
                        assert_eq!(cycles, beats + 1, "the output never pauses");
                    }

                    let beats = packets[0].1.beats(bytes, &mut bench.rng).into_iter();
                    source.send(beats.map(|beat| with_header(beat, &packets[0].0)));
                    bench.cycle(&mut [&mut source, &mut sink]);
                    source.reset();
                    bench.sim.poke(io.input.valid, false);
                    bench.sim.reset();
                    sink.got.clear();
                }
            }
        }
    }

    #[test]
    fn depacketiser_takes_off() {
        for (bytes, header_bytes) in SIZES {
            for (up, down) in PACES {
                let (mut bench, io) = Bench::new(|| depacketiser(bytes, header_bytes), 1);
                let (mut source, mut sink) = (Source::new(&io.input, up), Sink::new(&io.output, down));
                for _ in 0..2 {
                    // Some end within their header.
                    let longest = header_bytes + 40;
                    let sent: Vec<Frame> =
                        (0..80).map(|_| Frame::random(&mut bench.rng, 1..=longest)).collect();
                    sent.iter().for_each(|frame| source.send(frame.beats(bytes, &mut bench.rng)));
                    let inputs = source.queue.len();
                    let payload = |frame: &Frame| frame.data.get(header_bytes..).unwrap_or(&[]).to_vec();
                    let short = |frame: &Frame| frame.data.len() < header_bytes;
                    let beats = sent.iter().map(|frame| payload(frame).len().div_ceil(bytes).max(1)).sum();
                    let cycles =
                        bench.until((&mut source, &mut sink), 100_000, |_, sink| sink.got.len() == beats);
                    let expected: Vec<Frame> = sent
                        .iter()
                        .map(|frame| Frame { data: payload(frame), error: frame.error || short(frame) })
                        .collect();
                    let width = sink.got[0].len() - 8 * header_bytes;
                    let got: Vec<Word> = sink.got.iter().map(|word| word[..width].to_bitvec()).collect();
                    assert_eq!(frames(&got, bytes), expected);
                    let mut packets = sent.iter();
                    let mut current = packets.next().unwrap();
                    for beat in &sink.got {
                        if !short(current) {
                            let header = (0..header_bytes).map(|i| field(beat, width + 8 * i, 8) as u8);
                            assert_eq!(header.collect::<Vec<u8>>(), current.data[..header_bytes]);
                        }
                        if beat[1] {
                            current = packets.next().unwrap_or(current);
                        }
                    }
                    if (up, down) == (1.0, 1.0) {
                        assert!(cycles <= inputs + rests(&sent, bytes, header_bytes) + 1, "{cycles} cycles");
                    }

                    source.send(sent[0].beats(bytes, &mut bench.rng));
                    bench.cycle(&mut [&mut source, &mut sink]);
                    source.reset();
                    bench.sim.poke(io.input.valid, false);
                    bench.sim.reset();
                    sink.got.clear();
                }
            }
        }
    }

    /// Frames whose last beat gives two beats of payload.
    fn rests(sent: &[Frame], bytes: usize, header_bytes: usize) -> usize {
        let beats = |length: usize| length.div_ceil(bytes);
        let through = |frame: &&Frame| {
            let header = header_bytes / bytes + usize::from(!header_bytes.is_multiple_of(bytes));
            let payload = beats(frame.data.len().saturating_sub(header_bytes)).max(1);
            frame.data.len() > header_bytes && header + payload > beats(frame.data.len())
        };
        sent.iter().filter(through).count()
    }

    #[test]
    fn refuses_sizes_out_of_range() {
        let errors = refusal(|| packetiser(1, 4));
        assert!(errors.contains("beats of 2 to 64 bytes, not 1"), "{errors}");
        let errors = refusal(|| depacketiser(8, 0));
        assert!(errors.contains("a header has 1 to 128 bytes, not 0"), "{errors}");
    }
}
