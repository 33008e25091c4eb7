//! Checksums that the device fills in.

use super::{
    FRAMES, LENGTH, STORE,
    sum::{SumBeat, sum},
};
use crate::{
    config::Config,
    frame::Beat,
    pcie::configuration::function_bits,
    prim::{self, Routed},
};
use hdl::*;

/// What is to be done with a frame.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Insertion {
    /// Whose frame it is.
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// It wants a checksum (VIRTIO_NET_HDR_F_NEEDS_CSUM).
    pub insert: Bool,
    /// The first byte that counts (csum_start).
    pub start: U<16>,
    /// Where the checksum goes, from there on (csum_offset).
    pub offset: U<16>,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct ChecksumIo {
    /// One for each frame.
    #[input]
    #[ty(Stream::ty(Insertion::ty(config)))]
    pub insertion: Stream<Insertion>,
    /// Frames of up to [`MAX_FRAME`](crate::config::MAX_FRAME) bytes and a beat.
    #[input]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub input: Stream<Beat>,
    /// Whole frames, each of the function that it belongs to.
    #[output]
    #[ty(Stream::ty(Routed::ty(config.functions(), Beat::ty(config.bytes))))]
    pub output: Stream<Routed<Beat>>,
}

/// What is known of a frame that has been stored.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Stored {
    #[ty(bits(function_bits(config)))]
    function: Bits,
    /// A checksum goes into it.
    insert: Bool,
    /// The sum began with an odd byte: its halves are the wrong way round.
    odd: Bool,
    /// The first byte of the checksum.
    #[ty(bits(LENGTH))]
    at: Bits,
}

/// Keeps frames until they are whole, and fills in checksums.
///
/// ```text
///  insertion ─► frame, place ───────────────► fifo ─┐
///  input ──┬──► sum ────────────────────────► fifo ─┴► [checksum]
///          └──► store ───────────────────────────────────┴──► output
/// ```
///
/// The complement of the ones' complement sum of all bytes from `start` on, with the checksum's own, goes into the two bytes at
/// `start + offset` (virtio 5.1.6.2.1). A driver leaves the sum of the pseudo header there. A checksum of 0 is sent as FFFF, which
/// is the same number, and not UDP's sign for none (RFC 768). If those two bytes are not both in the frame it stays as it is.
///
/// # Timing
/// A beat in each cycle, and a cycle between two frames on either side. The first beat leaves about ten cycles after the last one
/// came. Up to 32 frames wait, or 16 KiB.
#[hdl]
pub fn checksum(config: &Config) -> ChecksumIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_checksum_{}x{}", config.functions(), 8 * config.bytes);
    module(name, ChecksumIo::ty(config), |io| {
        let bytes = config.bytes;
        let lane_bits = clog2(bytes);
        io.insertion.assume_stable();
        io.input.assume_stable();
        let store = prim::fifo(Beat::ty(bytes), STORE / bytes);
        let stored = prim::fifo(Stored::ty(config), FRAMES);
        let sums = prim::fifo(U::<16>::ty(), FRAMES);
        let sum = sum(bytes);

        // In.
        /// A frame is coming.
        let comes = reg(flag());
        let frame = reg_without_reset(Insertion::ty(config));
        /// Bytes before the first one that counts.
        let left = reg_without_reset(bits(16));
        /// Where its checksum goes, and where that ends.
        let place = reg_without_reset(bits(17));
        let place_end = reg_without_reset(bits(18));
        /// Bytes that have come.
        let length = reg_without_reset(bits(LENGTH));
        let beat = io.input.payload;
        io.insertion.ready.set(!comes);
        io.input.ready.set(comes & store.enq.ready & stored.enq.ready);
        let moves = io.input.fire();
        when(io.insertion.fire(), || {
            let Insertion { start, offset, .. } = io.insertion.payload;
            comes.set(true);
            frame.set(io.insertion.payload);
            left.set(Bits::from(start));
            place.set(Bits::from(start).wide_add(offset));
            length.set(length.zero());
        });
        place_end.set(place.wide_add(lit(2, 17)));
        let count = beat.count.zext(LENGTH);
        let passes = left.ge(bytes);
        when(moves, || {
            left.set(passes.mux(left - bytes, left.zero()));
            length.set(length + count);
            when(beat.last, || comes.set(false));
        });
        store.enq.valid.set(moves);
        store.enq.payload.set(beat);
        sum.input.valid.set(moves);
        sum.input.payload.set(SumBeat {
            data: beat.data,
            from: passes.mux(lit(bytes, lane_bits + 1), left.trunc(lane_bits + 1)),
            to: beat.count,
            last: beat.last,
        });
        // The place of the checksum is compared a cycle later.
        let ends = delay(moves & beat.last);
        let fits = place_end.le(length.zext(18));
        let is_odd = frame.start.bit(0);
        stored.enq.valid.set(ends);
        stored.enq.payload.set(Stored {
            function: frame.function,
            insert: frame.insert & fits,
            odd: is_odd,
            at: place.trunc(LENGTH),
        });
        assert(stored.enq.ready | !ends, "there is room for every frame");
        sums.enq.valid.set(sum.output.valid);
        sums.enq.payload.set(sum.output.payload);
        assert(sums.enq.ready | !sums.enq.valid, "there is room for every sum");

        // Out.
        /// A frame leaves.
        let leaves = reg(flag());
        let leaving = reg_without_reset(Stored::ty(config));
        let checksum = reg_without_reset(bits(16));
        /// Where its next beat stands.
        let index = reg_without_reset(bits(LENGTH - lane_bits));
        let slice = prim::register_slice(Routed::ty(config.functions(), Beat::ty(bytes)));
        io.output.connect(&slice.output);
        let out = slice.input;
        let begins = !leaves & stored.deq.valid & sums.deq.valid;
        stored.deq.ready.set(begins);
        sums.deq.ready.set(begins);
        when(begins, || {
            let total = !Bits::from(sums.deq.payload);
            let swapped = cat([total.trunc(8), total.slice(8, 8)]);
            leaves.set(true);
            leaving.set(stored.deq.payload);
            checksum.set(total.any().mux(stored.deq.payload.odd.mux(swapped, total), !total));
            index.set(index.zero());
        });
        let (beat, end) = (store.deq.payload, leaving.at + 1);
        let is_here = |place: Bits| leaving.insert & index.eq(place.slice(lane_bits, index.width()));
        let (first, second) = (is_here(leaving.at), is_here(end));
        let lanes = beat.data.chunks(8).into_iter().enumerate().map(|(lane, byte)| {
            let is_first = first & leaving.at.trunc(lane_bits).eq(lane);
            let is_second = second & end.trunc(lane_bits).eq(lane);
            is_first.mux(checksum.slice(8, 8), is_second.mux(checksum.trunc(8), byte))
        });
        let lanes: Vec<Bits> = lanes.collect();
        out.valid.set(leaves & store.deq.valid);
        out.payload.port.set(leaving.function);
        out.payload.beat.set(Beat { data: cat(lanes.into_iter().rev()), ..beat });
        store.deq.ready.set(leaves & out.ready);
        when(out.fire(), || {
            index.set(index + 1);
            when(beat.last, || leaves.set(false));
        });
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{config::MAX_FRAME, testing::*, virtio::sum::tests::reference};

    /// What is to become of a frame.
    pub fn filled_in(frame: &[u8], start: usize, offset: usize) -> Vec<u8> {
        let mut frame = frame.to_vec();
        let at = start + offset;
        if at + 2 <= frame.len() {
            let sum = reference(frame.get(start..).unwrap_or(&[]));
            let checksum = if sum == 0xFFFF { sum } else { !sum };
            frame[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        }
        frame
    }

    #[test]
    fn checksums_are_filled_in() {
        for (seed, config) in Config::all().iter().enumerate() {
            for (pace_in, pace_out) in PACES {
                let (mut bench, io) = Bench::new(|| checksum(config), seed as u64);
                let mut insertions = Source::new(&io.insertion, 0.7);
                let (mut source, mut sink) =
                    (Source::new(&io.input, pace_in), Sink::new(&io.output, pace_out));
                let mut expected = vec![];
                for number in 0..120 {
                    let lengths = if number % 40 == 7 { 9000..=MAX_FRAME } else { 1..=200 };
                    let mut frame = Frame::random(&mut bench.rng, lengths);
                    if number % 5 == 0 {
                        frame.data.fill(if number % 2 == 0 { 0 } else { 0xFF });
                    }
                    let length = frame.data.len();
                    let rng = &mut bench.rng;
                    let start = if rng.u8(..8) == 0 { rng.usize(..65536) } else { rng.usize(..=length) };
                    let offset = if rng.u8(..8) == 0 {
                        rng.usize(..65536)
                    } else {
                        rng.usize(..=length - length.min(start))
                    };
                    let (insert, function) = (rng.u8(..4) > 0, rng.usize(..config.functions()));
                    let mut insertion = word(offset as u64, 16);
                    insertion.extend(word(start as u64, 16));
                    insertion.push(insert);
                    insertion.extend(word(function as u64, function_bits(config)));
                    insertions.send([insertion]);
                    source.send(frame.beats(config.bytes, rng));
                    let data =
                        if insert { filled_in(&frame.data, start, offset) } else { frame.data.clone() };
                    expected.push((function, Frame { data, error: frame.error }));
                }
                let beats = source.queue.len();
                while sink.got.len() < beats {
                    bench.cycle(&mut [&mut insertions, &mut source, &mut sink]);
                }
                let beat_bits = Beat::ty(config.bytes).size();
                let beats: Vec<Word> = sink.got.iter().map(|word| word[..beat_bits].to_bitvec()).collect();
                let lasts = sink.got.iter().filter(|word| word[1]);
                let functions = lasts.map(|word| field(word, beat_bits, function_bits(config)) as usize);
                let got: Vec<_> = functions.zip(frames(&beats, config.bytes)).collect();
                assert_eq!(got.len(), expected.len());
                for (number, (got, expected)) in got.iter().zip(&expected).enumerate() {
                    assert_eq!(got, expected, "frame {number}");
                }
            }
        }
    }

    /// A frame takes its beats and one cycle.
    #[test]
    fn a_beat_in_each_cycle() {
        for config in Config::all() {
            let (mut bench, io) = Bench::new(|| checksum(&config), 1);
            let (mut insertions, mut sink) = (Source::new(&io.insertion, 1.0), Sink::new(&io.output, 1.0));
            let mut source = Source::new(&io.input, 1.0);
            let frame = Frame { data: vec![1; 60], error: false };
            let beats = frame.beats(config.bytes, &mut bench.rng);
            for _ in 0..100 {
                insertions.send([bench.word(io.insertion.payload.size())]);
                source.send(beats.clone());
            }
            let mut cycles = 0;
            while sink.got.len() < 100 * beats.len() {
                bench.cycle(&mut [&mut insertions, &mut source, &mut sink]);
                cycles += 1;
            }
            assert!(cycles <= 100 * (beats.len() + 1) + 30, "{cycles} cycles at {} bytes", config.bytes);
        }
    }
}
