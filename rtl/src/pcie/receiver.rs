//! Where received packets go.

use super::{
    errors::{ErrorEvent, ErrorKind},
    tlp::{First, TlpBeat},
};
use crate::{config::Config, prim};
use hdl::*;

/// A write of memory. Its payload follows on a stream of its own, whatever becomes of it.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Posted {
    pub header: U<128>,
    /// Beats of its payload on that stream.
    pub beats: U<4>,
    /// Its payload is longer than what came of it.
    pub too_long: Bool,
    /// It is to be forgotten.
    pub malformed: Bool,
}

/// A non-posted request.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct NonPosted {
    pub header: U<128>,
    /// The first word of its payload, if it has one.
    pub data: U<32>,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ReceiverIo {
    #[input]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub rx_tlp: Stream<TlpBeat>,
    /// Max_Payload_Size: 128 bytes shifted left by this, 0 to 2.
    #[input]
    pub payload: U<3>,
    #[output]
    pub posted: Stream<Posted>,
    /// Payload of posted requests; bytes beyond the last word may be anything.
    #[output]
    #[ty(Stream::ty(bits(8 * config.bytes)))]
    pub posted_data: Stream<Bits>,
    #[output]
    pub non_posted: Stream<NonPosted>,
    /// Completions, beat by beat as they come; nothing stops them.
    #[output]
    #[ty(Valid::ty(TlpBeat::ty(config.bytes)))]
    pub completion: Valid<TlpBeat>,
    /// The completion whose last beat this is, is malformed.
    #[output]
    pub malformed: Bool,
    #[output]
    #[ty(Valid::ty(ErrorEvent::ty(config)))]
    pub error: Valid<ErrorEvent>,
}

/// Bytes of the longest request that is carried out.
pub const LONGEST: usize = 64;

/// Posted requests that may wait, and non-posted ones: so many header credits are advertised.
pub const REQUESTS: usize = 8;

/// What a packet is.
#[derive(HwEnum, Clone, Copy, PartialEq, Eq)]
enum Class {
    MemoryWrite,
    /// A message that means nothing here, and is no error.
    Message,
    /// A message that is not supported.
    UnknownMessage,
    NonPosted,
    Completion,
    /// A completion of a locked request, which nobody here makes.
    LockedCompletion,
    Undefined,
}

/// Bits of a number of words of a payload: up to 1024.
const WORDS: usize = 11;

/// What the header of a packet says.
#[derive(Bundle, Clone, Copy)]
struct Head {
    header: U<128>,
    class: Enum<Class>,
    /// Words of its payload.
    expected: U<WORDS>,
}

/// Sorts received packets into posted and non-posted requests, and completions.
///
/// ```text
///              1            2             3
///                                         ┌─► header, beats ─► fifo ─► posted
///  rx_tlp ─► class ─┬► words so far ─► malformed ─► header, word ─► fifo ─► non_posted
///                   │                     ├─► completion, error
///                   └─► payload ─► fifo ─► posted_data
/// ```
///
/// - A packet is malformed (2.3) if its type is not defined, its payload is not as long as its header says or longer than
///   Max_Payload_Size, or it is a message of another traffic class than 0. It is dropped and reported.
/// - Messages need no answer here. Those that the standard lets a device ignore are dropped, others are unsupported (2.2.8).
/// - A non-posted request comes out when all posted ones before it have.
/// - Requests come out when they are whole. Up to [`REQUESTS`] of each kind wait; behind more of them `rx_tlp` waits.
/// - Of a payload above [`LONGEST`] bytes only the first part comes out.
///
/// # Timing
/// A beat in each cycle, of completions three cycles later. A payload is on its stream two cycles before its header. A request
/// that finds no room stops all stages.
#[hdl]
pub fn receiver(config: &Config) -> ReceiverIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("pcie_receiver_{}", 8 * config.bytes);
    module(name, ReceiverIo::ty(config), |io| {
        let bytes = config.bytes;
        let rx = &io.rx_tlp;
        rx.assume_stable();
        let most_beats = LONGEST / bytes;
        let posted = prim::fifo(Posted::ty(), REQUESTS);
        let payloads = prim::fifo(bits(8 * bytes), 4 * most_beats);
        let non_posted = prim::fifo(NonPosted::ty(), REQUESTS);
        io.posted.connect(&posted.deq);
        io.posted_data.connect(&payloads.deq);

        // A non-posted request waits until the posted ones before it have been taken, and for no others (table 2-42).
        const COUNT: usize = (4 * REQUESTS).ilog2() as usize;
        let (posted_in, posted_out) = (reg(bits(COUNT)), reg(bits(COUNT)));
        let stamps = prim::fifo(bits(COUNT), REQUESTS);
        /// Non-posted requests that wait for nobody.
        let free = reg(bits(clog2(REQUESTS + 1)));
        when(posted.enq.fire(), || posted_in.set(posted_in + 1));
        when(posted.deq.fire(), || posted_out.set(posted_out + 1));
        stamps.enq.valid.set(non_posted.enq.fire());
        stamps.enq.payload.set(posted_in);
        assert(stamps.enq.ready | !stamps.enq.valid, "there is room for every stamp");
        stamps.deq.ready.set(!(posted_out - stamps.deq.payload).bit(COUNT - 1));
        let (frees, leaves) = (stamps.deq.fire(), io.non_posted.fire());
        when(frees & !leaves, || free.set(free + 1)).elsewhen(leaves & !frees, || free.set(free - 1));
        io.non_posted.valid.set(non_posted.deq.valid & free.any());
        io.non_posted.payload.set(non_posted.deq.payload);
        non_posted.deq.ready.set(io.non_posted.ready & free.any());

        // Stage 1: what a packet is, is known with its first beat.
        let rx_moves = wire(flag());
        let valid_1 = reg(flag());
        let beat_1 = reg_without_reset(TlpBeat::ty(bytes));
        let head_1 = reg_without_reset(Head::ty());
        /// The beat has a payload.
        let has_words = reg_without_reset(flag());
        let rx_header = Bits::from(rx.payload.header);
        let rx_first = First::ty().unpack(rx_header.slice(0, 32));
        let rx_class = classify(rx_header);
        rx.ready.set(!valid_1 | rx_moves);
        when(rx.fire(), || {
            valid_1.set(true);
            beat_1.set(rx.payload);
            has_words.set(rx.payload.count.any());
            when(rx.payload.first, || {
                let length = Bits::from(rx_first.length);
                let words = cat([(!length.any()).bits(), length]);
                let expected = Bits::from(rx_first.kind).bit(6).mux(words, lit(0, WORDS)).as_u();
                head_1.set(Head { header: rx.payload.header, class: rx_class, expected });
            });
        })
        .elsewhen(rx_moves, || valid_1.set(false));

        // Stage 2: how long it is, and its payload on the way.
        let advance = wire(flag());
        let valid_2 = reg(flag());
        let beat_2 = reg_without_reset(beat_1);
        let head_2 = reg_without_reset(head_1);
        /// Words of its payload up to this beat.
        let so_far = reg_without_reset(bits(WORDS));
        /// They are more than `so_far` can hold.
        let overflows = reg_without_reset(flag());
        /// Its type is not defined, or its payload is to be longer than it may be.
        let is_bad = reg_without_reset(flag());
        let too_long = reg_without_reset(flag());
        /// The first word of its payload.
        let word_2 = reg_without_reset(bits(32));
        /// Beats of its payload that have been kept.
        let kept = reg_without_reset(bits(4));
        let is_full = reg_without_reset(flag());
        let is_kept = has_words & (beat_1.first | !is_full);
        let needs_payload = head_1.class.is(Class::MemoryWrite) & is_kept;
        rx_moves.set(valid_1 & advance & (!needs_payload | payloads.enq.ready));
        payloads.enq.valid.set(rx_moves & needs_payload);
        payloads.enq.payload.set(beat_1.data);
        when(advance, || valid_2.set(rx_moves));
        when(rx_moves, || {
            beat_2.set(beat_1);
            head_2.set(head_1);
            let words = beat_1.count.slice(2, beat_1.count.width() - 2).zext(WORDS);
            so_far.set(beat_1.first.mux(so_far.zero(), so_far) + words);
            overflows.set(!beat_1.first & (overflows | (so_far.bit(WORDS - 1) & has_words)));
            let most = lit(32, WORDS) << Bits::from(io.payload);
            is_bad.set(head_1.class.is(Class::Undefined) | Bits::from(head_1.expected).gt(most));
            too_long.set(Bits::from(head_1.expected).gt(LONGEST / 4));
            when(beat_1.first, || word_2.set(beat_1.data.trunc(32)));
            let now_kept = beat_1.first.mux(kept.zero(), kept) + is_kept.bits().zext(4);
            kept.set(now_kept);
            is_full.set(now_kept.eq(most_beats));
        });

        // Stage 3: whether it is as long as it says, and where it goes.
        let is_wrong = overflows | is_bad | so_far.ne(Bits::from(head_2.expected));
        let ends_2 = valid_2 & beat_2.last;
        let is = |class: Class| head_2.class.is(class);
        let valid_3 = reg(flag());
        let (ends_write, ends_non_posted, reports) = (reg(flag()), reg(flag()), reg(flag()));
        let is_completion = reg_without_reset(flag());
        let beat_3 = reg_without_reset(beat_2);
        let posted_3 = reg_without_reset(Posted::ty());
        let word_3 = reg_without_reset(word_2);
        let kind = reg_enum(ErrorKind::Malformed);
        let waits = (ends_write & !posted.enq.ready) | (ends_non_posted & !non_posted.enq.ready);
        advance.set(!waits);
        when(advance, || {
            valid_3.set(valid_2);
            // A write that is malformed still has its payload taken out.
            ends_write.set(ends_2 & is(Class::MemoryWrite));
            ends_non_posted.set(ends_2 & is(Class::NonPosted) & !is_wrong);
            is_completion.set(is(Class::Completion));
            let is_unexpected = is(Class::LockedCompletion);
            reports.set(ends_2 & (is_wrong | is_unexpected | is(Class::UnknownMessage)));
            kind.set(ErrorKind::UnsupportedPosted);
            when(is_unexpected, || kind.set(ErrorKind::UnexpectedCompletion));
            when(is_wrong, || kind.set(ErrorKind::Malformed));
            beat_3.set(beat_2);
            word_3.set(word_2);
            let Head { header, .. } = head_2;
            posted_3.set(Posted { header, beats: kept.as_u(), too_long, malformed: is_wrong });
        });
        let Posted { header, malformed, .. } = posted_3;
        posted.enq.valid.set(ends_write);
        posted.enq.payload.set(posted_3);
        non_posted.enq.valid.set(ends_non_posted);
        non_posted.enq.payload.set(NonPosted { header, data: word_3.as_u() });
        io.completion.valid.set(valid_3 & is_completion);
        io.completion.payload.set(TlpBeat { header, ..beat_3 });
        io.malformed.set(malformed);
        io.error.valid.set(reports & advance);
        io.error.payload.function.set(io.error.payload.function.zero());
        io.error.payload.header.set(header);
        io.error.payload.kind.set(kind);
    })
}

/// Messages that a device may ignore, or that are for the port (table 2-19 and its neighbours): Unlock, what manages power,
/// the limit of slot power, the ignored ones of PCI Express 1.0, and those of vendors that say so.
const IGNORED: [usize; 12] = [0x00, 0x14, 0x19, 0x40, 0x41, 0x43, 0x44, 0x45, 0x47, 0x48, 0x50, 0x7F];

/// What the header says (tables 2-3 and 2-19).
#[hdl]
fn classify(header: Bits) -> Enum<Class> {
    let class = wire(Enum::<Class>::ty());
    let (kind, of_type, code) = (header.slice(24, 8), header.slice(24, 5), header.slice(32, 8));
    let (is_long, has_data, is_prefix) = (kind.bit(5), kind.bit(6), kind.bit(7));
    let is = |value: usize| of_type.eq(value);
    // Messages of power management, errors, legacy interrupts, Unlock and slot power have traffic class 0 (2.2.8).
    let of_class_0 = code.lt(0x40) | code.eq(0x50);
    let is_misclassed = of_class_0 & header.slice(20, 3).any();
    let is_ignored = any_of(IGNORED.map(|ignored| code.eq(ignored)));
    class.set(Class::Undefined);
    when(is(0x00), || {
        class.set(Class::NonPosted);
        when(has_data, || class.set(Class::MemoryWrite));
    });
    when(is(0x01) & !has_data, || class.set(Class::NonPosted));
    when((is(0x02) | is(0x04) | is(0x05)) & !is_long, || class.set(Class::NonPosted));
    when((is(0x0C) | is(0x0D) | is(0x0E) | is(0x1B)) & has_data, || class.set(Class::NonPosted));
    when(is(0x0A) & !is_long, || class.set(Class::Completion));
    when(is(0x0B) & !is_long, || class.set(Class::LockedCompletion));
    when(of_type.slice(3, 2).eq(2) & is_long & !is_misclassed, || {
        class.set(Class::UnknownMessage);
        when(is_ignored, || class.set(Class::Message));
    });
    when(is_prefix, || class.set(Class::Undefined));
    class
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pcie::testing::*, testing::*};

    /// What is to come of a packet, by tables 2-3 and 2-19.
    #[derive(Debug, PartialEq)]
    enum Fate {
        Write { too_long: bool },
        NonPosted,
        Completion,
        Ignored,
        Error(ErrorKind),
    }

    fn fate(packet: &Packet, most: usize) -> Fate {
        let [first, second, ..] = packet.header;
        let (format, of_type) = (first >> 29, first >> 24 & 0x1F);
        let length = if first & 0x3FF == 0 { 1024 } else { first as usize & 0x3FF };
        let has_data = format & 2 == 2;
        let expected = if has_data { length } else { 0 };
        let malformed = Fate::Error(ErrorKind::Malformed);
        if packet.payload.len() != expected || expected > most {
            return malformed;
        }
        match (format, of_type) {
            (0 | 1, 0) | (0 | 1, 1) | (0 | 2, 2 | 4 | 5) | (2 | 3, 0b01100 | 0b01101 | 0b01110 | 0b11011) => {
                Fate::NonPosted
            }
            (2 | 3, 0) => Fate::Write { too_long: length > 16 },
            (0 | 2, 0b01010) => Fate::Completion,
            (0 | 2, 0b01011) => Fate::Error(ErrorKind::UnexpectedCompletion),
            (1 | 3, 0b10000..=0b10111) => {
                let code = second & 0xFF;
                match code {
                    0x00..=0x3F | 0x50 if first >> 20 & 7 != 0 => malformed,
                    0x00 | 0x14 | 0x19 | 0x40 | 0x41 | 0x43 | 0x44 | 0x45 | 0x47 | 0x48 | 0x50 | 0x7F => {
                        Fate::Ignored
                    }
                    _ => Fate::Error(ErrorKind::UnsupportedPosted),
                }
            }
            _ => malformed,
        }
    }

    /// Any header, most of them of a defined type and with as much payload as they say.
    fn draw(random: &mut Rng) -> Packet {
        const KINDS: [u32; 20] = [
            0x00, 0x20, 0x40, 0x60, 0x40, 0x60, 0x01, 0x02, 0x42, 0x04, 0x44, 0x05, 0x45, 0x0A, 0x4A, 0x0B,
            0x34, 0x74, 0x6C, 0x5B,
        ];
        let kind = if random.u8(..8) == 0 { random.u32(..256) } else { KINDS[random.usize(0..20)] };
        let length = [1, 2, random.u32(1..=16), random.u32(1..=40), random.u32(0..1024)][random.usize(0..5)];
        let mut header = [0; 4].map(|_: u32| random.u32(..));
        header[0] = kind << 24 | random.u32(..) & 0x8F_FC00 | length;
        if random.u8(..8) == 0 {
            header[0] |= 1 << random.u32(20..23);
        }
        if kind & 0x18 == 0x10 && random.u8(..4) > 0 {
            let code = if random.bool() { IGNORED[random.usize(0..12)] as u32 } else { random.u32(..128) };
            header[1] = header[1] & !0xFF | code;
        }
        let length = if length == 0 { 1024 } else { length as usize };
        let words = if kind & 0x40 == 0 { 0 } else { length };
        let words = match random.u8(..16) {
            0 => random.usize(0..1030),
            1 => words + 1,
            2 => words.saturating_sub(1),
            _ => words,
        };
        Packet { header, payload: (0..words).map(|_| random.u32(..)).collect() }
    }

    #[test]
    fn packets_are_sorted() {
        for (seed, config) in Config::all().iter().enumerate() {
            let (mut bench, io) = Bench::new(|| receiver(config), seed as u64);
            let bytes = config.bytes;
            let size = seed % 3;
            bench.sim.poke(io.payload, size as u128);
            let mut packets: Vec<Packet> = (0..3000).map(|_| draw(&mut bench.rng)).collect();
            // As long as it says but for 2048 words.
            packets.push(Packet { header: [0x4000_0001, 0, 0, 0], payload: vec![0; 2049] });
            let mut source = Source::new(&io.rx_tlp, 0.8);
            for packet in &packets {
                source.send(packet.beats(bytes, &mut bench.rng));
            }
            let mut posted = Sink::new(&io.posted, 0.5);
            let mut data = Sink::new(&io.posted_data, 0.7);
            let mut non_posted = Sink::new(&io.non_posted, 0.5);
            let mut completions = vec![];
            let mut errors = vec![];
            let mut idle = 0;
            while idle < 200 {
                idle = if source.queue.is_empty() { idle + 1 } else { 0 };
                let mut watch = Watch { io: &io, completions: &mut completions, errors: &mut errors };
                bench.cycle(&mut [&mut source, &mut posted, &mut data, &mut non_posted, &mut watch]);
            }

            let (mut posted, mut data) = (posted.got.into_iter(), data.got.into_iter());
            let mut non_posted = non_posted.got.into_iter();
            let (mut completions, mut errors) = (completions.into_iter(), errors.into_iter());
            let mut counts = [0; 5];
            for packet in &packets {
                let fate = fate(packet, 32 << size);
                let is_error = matches!(fate, Fate::Error(_));
                let [first, ..] = packet.header;
                // A write takes its payload along, even if it is malformed.
                if matches!(first >> 24, 0x40 | 0x60) {
                    let word = posted.next().unwrap();
                    let beats = field(&word, 2, 4) as usize;
                    assert_eq!(header(&word, 6), packet.header);
                    assert_eq!(
                        beats,
                        packet.payload.len().min(LONGEST / 4).div_ceil(bytes / 4),
                        "{packet:x?}"
                    );
                    assert_eq!(word[0], is_error);
                    assert!(is_error || fate == Fate::Write { too_long: word[1] });
                    let got: Vec<u32> =
                        (0..beats).flat_map(|_| words(&data.next().unwrap(), 0, bytes / 4)).collect();
                    let length = packet.payload.len().min(LONGEST / 4);
                    assert_eq!(got[..length], packet.payload[..length]);
                    counts[0] += 1;
                }
                match fate {
                    Fate::Write { .. } | Fate::Ignored => {}
                    Fate::NonPosted => {
                        let word = non_posted.next().unwrap();
                        assert_eq!(header(&word, 32), packet.header);
                        if let Some(data) = packet.payload.first() {
                            assert_eq!(field(&word, 0, 32) as u32, *data);
                        }
                        counts[1] += 1;
                    }
                    Fate::Completion => {
                        let beats: Vec<_> = completions
                            .by_ref()
                            .take(packet.payload.len().div_ceil(bytes / 4).max(1))
                            .collect();
                        assert!(beats.iter().take(beats.len() - 1).all(|(beat, _)| !beat[0]));
                        assert!(!beats.last().unwrap().1, "it is as long as it says");
                        let beats: Vec<Word> = beats.into_iter().map(|(beat, _)| beat).collect();
                        assert_eq!(Packet::of(&beats, bytes), *packet);
                        counts[2] += 1;
                    }
                    Fate::Error(kind) => {
                        if matches!(first >> 24, 0x0A | 0x4A) {
                            let (last, malformed) = completions.find(|(beat, _)| beat[0]).unwrap();
                            assert!(last[0] && malformed);
                        }
                        let word = errors.next().unwrap();
                        let at = 128 + 1 + crate::pcie::configuration::function_bits(config);
                        assert_eq!(header(&word, 0), packet.header);
                        assert_eq!(field(&word, at, word.len() - at), kind as u64, "{packet:x?}");
                        counts[3] += 1;
                    }
                }
                counts[4] += usize::from(is_error);
            }
            assert!(posted.next().is_none() && data.next().is_none() && non_posted.next().is_none());
            assert!(completions.next().is_none() && errors.next().is_none());
            assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
        }
    }

    /// Looks at what nothing stops.
    struct Watch<'a> {
        io: &'a ReceiverIo,
        completions: &'a mut Vec<(Word, bool)>,
        errors: &'a mut Vec<Word>,
    }

    impl Agent for Watch<'_> {
        fn drive(&mut self, _: &mut Bench) {}

        fn sample(&mut self, bench: &mut Bench) {
            let sim = &mut bench.sim;
            if sim.peek(self.io.completion.valid) {
                self.completions
                    .push((sim.peek_wide(&self.io.completion.payload), sim.peek(self.io.malformed)));
            }
            if sim.peek(self.io.error.valid) {
                self.errors.push(sim.peek_wide(&self.io.error.payload));
            }
        }
    }
}
