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

/// Sorts received packets into posted and non-posted requests, and completions.
///
/// ```text
///            ┌─► header, beats ─► fifo ─► posted
///  rx_tlp ───┼─► payload ───────► fifo ─► posted_data
///    │       ├─► header, word ──► fifo ─► non_posted
///    ▼       └──────────────────────────► completion
///  class, length ─► malformed ─► error
/// ```
///
/// - A packet is malformed (2.3) if its type is not defined, its payload is not as long as its header says or longer than
///   Max_Payload_Size, or it is a message of another traffic class than 0. It is dropped and reported.
/// - Messages need no answer here. Those that the standard lets a device ignore are dropped, others are unsupported (2.2.8).
/// - A non-posted request comes out when all posted ones before it have.
/// - Requests come out when they are whole. Up to [`REQUESTS`] of each kind wait; behind more of them `rx_tlp` waits.
/// - Of a payload above [`LONGEST`] bytes only the first part comes out.
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

        // A register in front: what a packet is, is known with its first beat.
        /// The beat, with what is known of its packet.
        let holds = reg(flag());
        let beat = reg_without_reset(TlpBeat::ty(bytes));
        let header = reg_without_reset(U::<128>::ty());
        let class = reg_enum(Class::Undefined);
        let first = First::ty().unpack(Bits::from(rx.payload.header).slice(0, 32));
        let found = classify(Bits::from(rx.payload.header));
        let moves = wire(flag());
        rx.ready.set(!holds | moves);
        when(rx.fire(), || {
            beat.set(rx.payload);
            when(rx.payload.first, || {
                header.set(rx.payload.header);
                class.set(found);
            });
        });
        when(rx.fire(), || holds.set(true)).elsewhen(moves, || holds.set(false));
        /// Words that the packet is to have, and most that it may have.
        let expected = reg_without_reset(bits(11));
        let most = reg_without_reset(bits(11));
        when(rx.fire() & rx.payload.first, || {
            let length = Bits::from(first.length);
            let words = cat([(!length.any()).bits(), length]);
            expected.set(Bits::from(first.kind).bit(6).mux(words, lit(0, 11)));
            most.set(lit(32, 11) << Bits::from(io.payload));
        });

        // How long it is.
        /// Words of its payload before this beat; more than 1024 count as 2047.
        let before = reg(bits(11));
        /// Beats of its payload that have been kept.
        let kept = reg(bits(4));
        let words = beat.count.slice(2, beat.count.width() - 2).zext(11);
        let sum = before + words;
        let so_far = (before.bit(10) & before.slice(0, 10).any()).mux(before, sum);
        let is_wrong = so_far.ne(expected) | expected.gt(most) | class.is(Class::Undefined);
        let is_last = beat.last;
        let is_kept = beat.count.any() & kept.lt(most_beats);

        // Where it goes.
        let is_write = class.is(Class::MemoryWrite);
        let is_non_posted = class.is(Class::NonPosted);
        let is_completion = class.is(Class::Completion);
        let needs_payload = is_write & is_kept;
        let ends_write = is_write & is_last;
        let ends_non_posted = is_non_posted & is_last & !is_wrong;
        let has_room = (!needs_payload | payloads.enq.ready)
            & (!ends_write | posted.enq.ready)
            & (!ends_non_posted | non_posted.enq.ready);
        moves.set(holds & has_room);
        when(moves, || {
            before.set(is_last.mux(before.zero(), so_far));
            kept.set(is_last.mux(kept.zero(), kept + is_kept.bits().zext(4)));
        });
        payloads.enq.valid.set(moves & needs_payload);
        payloads.enq.payload.set(beat.data);
        // A write that is malformed still has its payload taken out.
        posted.enq.valid.set(moves & ends_write);
        posted.enq.payload.set(Posted {
            header,
            beats: (kept + is_kept.bits().zext(4)).as_u(),
            too_long: so_far.gt(LONGEST / 4),
            malformed: is_wrong,
        });
        let word = reg_without_reset(U::<32>::ty());
        let first_word = beat.data.trunc(32);
        when(moves & beat.first, || word.set(first_word.as_u()));
        non_posted.enq.valid.set(moves & ends_non_posted);
        non_posted
            .enq
            .payload
            .set(NonPosted { header, data: beat.first.mux(first_word, word.into()).as_u() });
        io.completion.valid.set(moves & is_completion);
        io.completion.payload.set(TlpBeat { header, ..beat });
        io.malformed.set(is_wrong);

        // What is wrong.
        let is_unexpected = class.is(Class::LockedCompletion);
        let is_unknown = class.is(Class::UnknownMessage);
        io.error.valid.set(moves & is_last & (is_wrong | is_unexpected | is_unknown));
        io.error.payload.function.set(io.error.payload.function.zero());
        io.error.payload.header.set(header);
        io.error.payload.kind.set(ErrorKind::UnsupportedPosted);
        when(is_unexpected, || io.error.payload.kind.set(ErrorKind::UnexpectedCompletion));
        when(is_wrong, || io.error.payload.kind.set(ErrorKind::Malformed));
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
            let packets: Vec<Packet> = (0..3000).map(|_| draw(&mut bench.rng)).collect();
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
