//! Requests of all kinds against a completer by the standard.

use super::*;
use crate::{pcie::testing::*, testing::*};
use std::collections::VecDeque;

/// What a function has at an address, if there is one: function, MSI-X, offset, size, and whether it is beyond.
fn lookup(config: &Config, address: u64) -> Option<(usize, bool, u32, u32, bool)> {
    let msix = address >> 17 & 1 == 1;
    let size = if msix { 0x2000 } else { 0x4000 };
    let function = (address >> 18) as usize % config.functions();
    let is_there = address >> 40 & 3 != 0;
    is_there.then_some((function, msix, address as u32 & (size - 1), size, address >> 32 & 7 == 7))
}

/// What a register reads, and whether it aborts.
fn register(function: usize, msix: bool, offset: u32) -> (u32, bool) {
    let value = (offset + 1).wrapping_mul(0x9E37_79B9) ^ (function as u32) << 8 ^ u32::from(msix);
    (value, value >> 26 == 0)
}

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    function: usize,
    msix: bool,
    offset: u32,
    write: Option<u32>,
    enables: u32,
}

/// What one request leads to, by the standard.
#[derive(Default)]
struct Expected {
    accesses: VecDeque<Seen>,
    completions: Vec<Packet>,
    errors: Vec<(ErrorKind, Option<usize>, [u32; 4])>,
}

const BUS: u32 = 0x17;
const FIRST_VF: u32 = 256;

impl Expected {
    fn serve(&mut self, config: &Config, packet: &Packet, malformed: bool) {
        let [first, second, ..] = packet.header;
        let (kind, length) = (first >> 24, if first & 0x3FF == 0 { 1024 } else { first & 0x3FF });
        let (enables, last_enables) = (second & 15, second >> 4 & 15);
        let is_long = kind & 0x20 != 0;
        let [third, fourth] = [packet.header[2], packet.header[3]].map(u64::from);
        let address = if is_long { third << 32 | fourth & !3 } else { third & !3 };
        let poisoned = first >> 14 & 1 == 1;
        let is_write = matches!(kind, 0x40 | 0x60);
        if malformed {
            return;
        }
        let of_memory = matches!(kind, 0x00 | 0x20 | 0x40 | 0x60);
        let found = lookup(config, address).filter(|_| of_memory);
        let function = found.map(|(function, ..)| function);
        let mut error = |kind| self.errors.push((kind, function, packet.header));
        let is_good = match found {
            None => {
                error(if is_write { ErrorKind::UnsupportedPosted } else { ErrorKind::Unsupported });
                false
            }
            Some(_) if is_write && length > 16 => {
                error(ErrorKind::UnsupportedPosted);
                false
            }
            Some(_) if is_write && poisoned => {
                error(ErrorKind::Poisoned);
                false
            }
            Some(_) => true,
        };
        let mut status = if is_good { 0 } else { 1 };
        let mut data = vec![];
        if let Some((function, msix, offset, size, beyond)) = found.filter(|_| is_good) {
            if length > 16 {
                status = 4;
            }
            for word in 0..if length > 16 { 0 } else { length } {
                let enables = if word == 0 {
                    enables
                } else if word == length - 1 {
                    last_enables
                } else {
                    15
                };
                let offset = offset + 4 * word;
                if beyond || offset >= size {
                    data.push(0);
                    continue;
                }
                let (value, aborts) = register(function, msix, offset);
                data.push(value);
                let write = is_write.then(|| packet.payload[word as usize]);
                status = if aborts { 4 } else { status };
                self.accesses.push_back(Seen { function, msix, offset, write, enables });
            }
            if status == 4 {
                error(ErrorKind::CompleterAbort);
            }
        }
        if is_write {
            return;
        }
        // Tables 2-40 and 2-41, byte by byte.
        let mut wanted: Vec<u32> = (0..4 * length)
            .filter(|byte| {
                let (word, bit) = (byte / 4, byte % 4);
                let enables = if word == 0 {
                    enables
                } else if word == length - 1 {
                    last_enables
                } else {
                    15
                };
                enables >> bit & 1 == 1
            })
            .collect();
        if enables == 0 && length == 1 {
            wanted = vec![0];
        }
        let is_read = kind & 0x1E == 0;
        // With enables that the standard does not allow, as many as the tables' columns would have.
        let low = if enables == 0 { 0 } else { enables.trailing_zeros() };
        let last = if length == 1 { enables } else { last_enables };
        let high = 3 - if last == 0 { 0 } else { 31 - last.leading_zeros() };
        let byte_count = match kind {
            _ if is_read => 4 * length - low - high,
            0x4C | 0x4D | 0x6C | 0x6D => 4 * length,
            0x4E | 0x6E => 2 * length,
            _ => 4,
        };
        if is_read
            && (length == 1 || (enables != 0 && last_enables != 0))
            && enables & (enables >> 1 | 8) != 0
        {
            assert!(byte_count as usize >= wanted.len());
        }
        let lower = if is_read { address as u32 & 0x7C | low } else { 0 };
        let number = match function.unwrap_or(0) as u32 {
            own @ 0..2 => own,
            function => function - 2 + FIRST_VF,
        };
        let completer = (BUS << 8) + number;
        let has_data = status == 0;
        let locked = u32::from(kind & 0x1F == 1);
        let kind = (if has_data { 0x4A } else { 0x0A }) | locked;
        let header = [
            kind << 24 | first & 0x00FC_3000 & !(1 << 16 | 1 << 17) | if has_data { length } else { 0 },
            completer << 16 | status << 13 | byte_count & 0xFFF,
            second & 0xFFFF_0000 | second & 0xFF00 | lower,
            0,
        ];
        self.completions.push(Packet { header, payload: if has_data { data } else { vec![] } });
    }
}

fn draw(random: &mut Rng, posted: bool) -> Packet {
    let kinds: &[u32] = match posted {
        true => &[0x40, 0x60],
        false => &[0x00, 0x20, 0x00, 0x20, 0x00, 0x20, 0x01, 0x21, 0x02, 0x42, 0x4C, 0x4D, 0x4E, 0x6E, 0x5B],
    };
    let kind = kinds[random.usize(0..kinds.len())];
    let length = [1, 1, 2, random.u32(1..=16), random.u32(1..=16), random.u32(0..1024)][random.usize(0..6)];
    let mut header = [0; 4].map(|_: u32| random.u32(..));
    let poisoned = u32::from(random.u8(..8) == 0) << 14;
    header[0] = kind << 24 | random.u32(..) & 0x00F0_3000 & !(1 << 19 | 1 << 23) | poisoned | length;
    if length == 1 {
        header[1] &= !0xF0;
    }
    let words = match posted {
        true if length == 0 => 1024,
        true => length,
        false => 0,
    };
    Packet { header, payload: (0..words).map(|_| random.u32(..)).collect() }
}

/// Everything around the completer.
struct World<'a> {
    config: &'a Config,
    io: CompleterIo,
    expected: Expected,
    posted: VecDeque<(Packet, bool)>,
    non_posted: VecDeque<Packet>,
    /// A search that is under way, and cycles until it ends.
    search: Option<(u64, usize)>,
    access: Option<(Seen, usize)>,
    errors: Vec<Word>,
    seen: Vec<Seen>,
    accept: bool,
}

impl Agent for World<'_> {
    fn drive(&mut self, bench: &mut Bench) {
        let config = self.config;
        let done = matches!(self.search, Some((_, 0)));
        bench.sim.poke(self.io.hit.valid, done);
        if let Some((address, 0)) = self.search {
            let hit = &self.io.hit.payload;
            let (function, msix, offset, size, beyond) = lookup(config, address).unwrap_or_default();
            bench.sim.poke(hit.found, lookup(config, address).is_some());
            bench.sim.poke(hit.function, function as u128);
            bench.sim.poke(hit.msix, msix);
            bench.sim.poke(hit.offset, u128::from(offset));
            bench.sim.poke(hit.size, u128::from(size));
            bench.sim.poke(hit.beyond, beyond);
        }
        let answered = matches!(self.access, Some((_, 0)));
        bench.sim.poke(self.io.answer.valid, answered);
        if let Some((seen, 0)) = &self.access {
            let (value, aborts) = register(seen.function, seen.msix, seen.offset);
            bench.sim.poke(self.io.answer.payload.data, u128::from(value));
            bench.sim.poke(self.io.answer.payload.aborted, aborts);
        }
        self.accept = bench.rng.bool() && self.access.is_none();
        bench.sim.poke(self.io.register.ready, self.accept);
    }

    fn sample(&mut self, bench: &mut Bench) {
        let sim = &mut bench.sim;
        let ages = [self.search.as_mut().map(|it| &mut it.1), self.access.as_mut().map(|it| &mut it.1)];
        ages.into_iter().flatten().for_each(|left| *left = left.wrapping_sub(1));
        self.search = self.search.filter(|(_, left)| *left != usize::MAX);
        self.access = self.access.take().filter(|(_, left)| *left != usize::MAX);
        if sim.peek(self.io.search) {
            assert_eq!(self.search, None, "one search at a time");
            self.search = Some((0, bench.rng.usize(1..5)));
        }
        if let Some((address, _)) = &mut self.search {
            *address = sim.peek(self.io.address) as u64;
        }
        if self.accept && sim.peek(self.io.register.valid) {
            let access = &self.io.register.payload;
            let seen = Seen {
                function: sim.peek(access.function) as usize,
                msix: sim.peek(access.msix),
                offset: sim.peek(access.offset) as u32,
                write: sim.peek(access.write).then(|| sim.peek(access.data) as u32),
                enables: sim.peek(access.enables) as u32,
            };
            self.seen.push(seen.clone());
            self.access = Some((seen, bench.rng.usize(0..4)));
        }
        if sim.peek(self.io.error.valid) {
            self.errors.push(sim.peek_wide(&self.io.error.payload));
        }
        // Requests are carried out in the order in which they are taken.
        if sim.peek(self.io.posted.valid) && sim.peek(self.io.posted.ready) {
            let (packet, malformed) = self.posted.pop_front().unwrap();
            self.expected.serve(self.config, &packet, malformed);
        }
        if sim.peek(self.io.non_posted.valid) && sim.peek(self.io.non_posted.ready) {
            let packet = self.non_posted.pop_front().unwrap();
            self.expected.serve(self.config, &packet, false);
        }
    }
}

/// Where both kinds always wait, both are served.
#[test]
fn both_kinds_take_turns() {
    let config = Config::small();
    let (mut bench, io) = Bench::new(|| completer(&config), 1);
    bench.sim.poke(io.config_completion.valid, false);
    bench.sim.poke(io.posted.valid, true);
    bench.sim.poke(io.posted.payload.beats, 0);
    bench.sim.poke(io.posted.payload.malformed, true);
    bench.sim.poke(io.non_posted.valid, true);
    // A request for something that is not supported.
    bench.sim.poke(io.non_posted.payload.header, 2 << 24 | 1);
    bench.sim.poke(io.completion.ready, true);
    let mut taken = [0usize; 2];
    for _ in 0..1000 {
        taken[0] += usize::from(bench.sim.peek(io.posted.ready));
        taken[1] += usize::from(bench.sim.peek(io.non_posted.ready));
        bench.cycle(&mut []);
    }
    assert!(taken[0].abs_diff(taken[1]) < 2 && taken[0] > 100, "{taken:?}");
}

#[test]
fn requests_are_carried_out() {
    for (seed, config) in Config::all().iter().enumerate() {
        let (mut bench, io) = Bench::new(|| completer(config), seed as u64);
        let bytes = config.bytes;
        bench.sim.poke(io.identity.bus, u128::from(BUS));
        bench.sim.poke(io.identity.first_vf, u128::from(FIRST_VF));
        bench.sim.poke(io.config_request.ready, false);
        bench.sim.poke(io.config_completion.valid, false);
        bench.sim.poke(io.asked.valid, false);
        let mut sources = (
            Source::new(&io.posted, 0.1),
            Source::new(&io.posted_data, 0.5),
            Source::new(&io.non_posted, 0.2),
        );
        let mut sink = Sink::new(&io.completion, 0.3);
        let (mut posted, mut non_posted) = (VecDeque::new(), VecDeque::new());
        for _ in 0..2000 {
            let packet = draw(&mut bench.rng, true);
            let kept = &packet.payload[..packet.payload.len().min(16)];
            let malformed = bench.rng.u8(..16) == 0;
            let beats = Packet { header: [0; 4], payload: kept.to_vec() }.beats(bytes, &mut bench.rng);
            let mut entry = word(malformed.into(), 1);
            entry.push(packet.payload.len() > 16);
            entry.extend(word(beats.len() as u64, 4));
            packet.header.iter().for_each(|part| entry.extend(word((*part).into(), 32)));
            sources.0.send([entry]);
            let low = 2 + clog2(bytes + 1);
            sources.1.send(beats.iter().map(|beat| beat[low..low + 8 * bytes].to_bitvec()));
            posted.push_back((packet, malformed));
            let packet = draw(&mut bench.rng, false);
            let mut entry = word(bench.rng.u64(..), 32);
            packet.header.iter().for_each(|part| entry.extend(word((*part).into(), 32)));
            sources.2.send([entry]);
            non_posted.push_back(packet);
        }
        let mut world = World {
            config,
            io: io.clone(),
            expected: Expected::default(),
            posted,
            non_posted,
            search: None,
            access: None,
            errors: vec![],
            seen: vec![],
            accept: false,
        };
        let mut idle = 0;
        while idle < 1000 {
            idle = if world.posted.is_empty() && world.non_posted.is_empty() { idle + 1 } else { 0 };
            bench.cycle(&mut [&mut sources.0, &mut sources.1, &mut sources.2, &mut sink, &mut world]);
        }
        assert_eq!(sources.1.queue.len(), 0);
        let completions = Packet::all(&sink.got, bytes);
        for (got, expected) in completions.iter().zip(&world.expected.completions) {
            assert_eq!(got, expected, "{got:08x?} {expected:08x?}");
        }
        assert_eq!(completions.len(), world.expected.completions.len());
        assert!(world.seen.iter().eq(&world.expected.accesses));
        let function_bits = crate::pcie::configuration::function_bits(config);
        let errors: Vec<_> = world
            .errors
            .iter()
            .map(|word| {
                let at = 128 + function_bits + 1;
                let function = word[128 + function_bits].then(|| field(word, 128, function_bits) as usize);
                (field(word, at, word.len() - at), function, header(word, 0))
            })
            .collect();
        let expected: Vec<_> = world
            .expected
            .errors
            .iter()
            .map(|(kind, function, header)| (*kind as u64, *function, *header))
            .collect();
        assert_eq!(errors.len(), expected.len());
        for (got, expected) in errors.iter().zip(&expected) {
            assert_eq!(got, expected);
        }
        let of_kind = |kind: ErrorKind| expected.iter().filter(|(it, ..)| *it == kind as u64).count();
        let kinds = [
            ErrorKind::Poisoned,
            ErrorKind::CompleterAbort,
            ErrorKind::Unsupported,
            ErrorKind::UnsupportedPosted,
        ];
        assert!(kinds.iter().all(|kind| of_kind(*kind) > 20));
        assert!(completions.iter().filter(|it| it.payload.len() > 8).count() > 20);
    }
}
