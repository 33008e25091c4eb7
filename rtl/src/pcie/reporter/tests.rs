//! The reporter against figure 6-2 in plain Rust, with registers and bits by the numbers of chapter 7.

use super::*;
use crate::testing::{Bench, Rng};
use std::collections::HashMap;

/// Offsets of the registers, by the standard; capabilities where the space has them.
const COMMAND: usize = 0x04;
const UNCORRECTABLE_STATUS: usize = 0x104;
const UNCORRECTABLE_MASK: usize = 0x108;
const UNCORRECTABLE_SEVERITY: usize = 0x10C;
const CORRECTABLE_STATUS: usize = 0x110;
const CORRECTABLE_MASK: usize = 0x114;
const ERROR_CONTROL: usize = 0x118;
const HEADER_LOG: usize = 0x11C;

fn device_control() -> usize {
    let space = space(&Config::small(), Kind::Physical);
    space.iter().find(|structure| structure.name == "express").expect("it is there").offset + 8
}

const KINDS: [ErrorKind; 10] = [
    ErrorKind::Poisoned,
    ErrorKind::CompletionTimeout,
    ErrorKind::CompleterAbort,
    ErrorKind::UnexpectedCompletion,
    ErrorKind::Malformed,
    ErrorKind::Unsupported,
    ErrorKind::UnsupportedPosted,
    ErrorKind::ReceivedAbort,
    ErrorKind::ReceivedUnsupported,
    ErrorKind::SentPoisoned,
];

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Output {
    /// Function, offset, data.
    Mark(usize, usize, u32),
    /// The first two words.
    Message(u32, u32),
}

#[derive(Clone, Debug)]
struct Event {
    kind: ErrorKind,
    function: Option<usize>,
    header: [u32; 4],
}

/// Configuration space, as far as it matters, with anything in bits that do not.
#[derive(Clone)]
struct Space {
    /// Number of functions in the legacy personality.
    legacy: Option<usize>,
    bus: u32,
    first_vf: u32,
    words: HashMap<(usize, usize), u32>,
}

impl Space {
    fn get(&self, function: usize, offset: usize) -> u32 {
        self.words.get(&(function, offset)).copied().unwrap_or(0)
    }

    /// Software does something to a function.
    fn change(&mut self, function: usize, rng: &mut Rng) {
        let offsets = [
            COMMAND,
            device_control(),
            UNCORRECTABLE_MASK,
            UNCORRECTABLE_SEVERITY,
            CORRECTABLE_MASK,
            UNCORRECTABLE_STATUS,
        ];
        for offset in offsets {
            let word = match (offset, rng.u8(0..4)) {
                (UNCORRECTABLE_STATUS, 0) => 0,
                (UNCORRECTABLE_STATUS, 1) => self.get(function, offset) & rng.u32(..),
                (UNCORRECTABLE_MASK, 0) => 0,
                (UNCORRECTABLE_STATUS, _) | (_, 1) => continue,
                _ => rng.u32(..),
            };
            self.words.insert((function, offset), word);
        }
    }

    /// Everything that an error leads to, in order; and it is done.
    fn report(&mut self, event: &Event) -> Vec<Output> {
        let function = event.function.filter(|_| event.kind != ErrorKind::Malformed);
        let targets = match (function, self.legacy) {
            (Some(function), _) => vec![function],
            (None, Some(count)) => (0..count).collect(),
            (None, None) => vec![0, 1],
        };
        let mut outputs = vec![];
        let mut said = vec![];
        for function in targets {
            let is_virtual = self.legacy.is_none() && function >= 2;
            let owner = if is_virtual { 0 } else { function };
            self.report_in(event, function, owner, &mut said, &mut outputs);
        }
        outputs
    }

    /// Figure 6-2 for one function.
    fn report_in(
        &mut self,
        event: &Event,
        function: usize,
        owner: usize,
        said: &mut Vec<u32>,
        outputs: &mut Vec<Output>,
    ) {
        use ErrorKind::*;
        let setting = |offset: usize, bit: u32| self.get(owner, offset) >> bit & 1 == 1;
        let [parity, serr] = [6, 8].map(|bit| setting(COMMAND, bit));
        let [cere, nfere, fere, urre] = [0, 1, 2, 3].map(|bit| setting(device_control(), bit));
        let of_type = event.header[0] >> 24 & 0x1F;
        let is_completion = of_type == 0b01010 || of_type == 0b01011;
        let is_posted = of_type == 0 && event.header[0] >> 30 & 1 == 1 || of_type & 0b11000 == 0b10000;
        let ep = event.header[0] >> 14 & 1 == 1;

        let mut status = match event.kind {
            Poisoned => 1 << 31 | u32::from(is_completion && parity) << 24,
            CompleterAbort => 1 << 27,
            ReceivedAbort => 1 << 28,
            ReceivedUnsupported => 1 << 29,
            SentPoisoned => u32::from(parity) << 24,
            _ => 0,
        };
        let bit = match event.kind {
            Poisoned => 12,
            CompletionTimeout => 14,
            CompleterAbort => 15,
            UnexpectedCompletion => 16,
            Malformed => 18,
            Unsupported | UnsupportedPosted => 20,
            ReceivedAbort | ReceivedUnsupported => {
                return outputs.push(Output::Mark(function, COMMAND, status));
            }
            SentPoisoned if parity => return outputs.push(Output::Mark(function, COMMAND, status)),
            SentPoisoned => return,
        };
        let masked = setting(UNCORRECTABLE_MASK, bit);
        let is_fatal = setting(UNCORRECTABLE_SEVERITY, bit);
        let is_unsupported = bit == 20;
        let is_advisory = !is_fatal
            && match event.kind {
                Unsupported => !ep,
                CompleterAbort => !is_posted,
                UnexpectedCompletion => true,
                Poisoned => is_completion,
                _ => false,
            };
        let mut device_status = if is_unsupported { 1 << 19 } else { 0 };
        let mut correctable = false;
        let mut uncorrectable = true;
        let code;
        let sends;
        if is_advisory {
            device_status |= 1 << 16;
            correctable = true;
            uncorrectable = !setting(CORRECTABLE_MASK, 13);
            code = 0x30;
            sends = uncorrectable && (!is_unsupported || urre) && cere;
        } else {
            device_status |= if is_fatal { 1 << 18 } else { 1 << 17 };
            code = if is_fatal { 0x33 } else { 0x31 };
            let is_enabled = serr || if is_fatal { fere } else { nfere };
            sends = !masked && (!is_unsupported || urre || serr) && is_enabled;
        }
        let sends = sends && !said.contains(&code);
        if sends {
            said.push(code);
            status |= if code != 0x30 && serr { 1 << 30 } else { 0 };
        }
        let pointer = self.get(function, ERROR_CONTROL) & 31;
        let is_valid = self.get(function, UNCORRECTABLE_STATUS) >> pointer & 1 == 1;
        let logs = uncorrectable && !masked && !is_valid;

        let mut mark = |wanted: bool, offset: usize, data: u32| {
            if wanted {
                outputs.push(Output::Mark(function, offset, data));
            }
        };
        mark(status != 0, COMMAND, status);
        mark(true, device_control(), device_status);
        mark(correctable, CORRECTABLE_STATUS, 1 << 13);
        mark(logs, ERROR_CONTROL, bit);
        (0..4).for_each(|word| mark(logs, HEADER_LOG + 4 * word, event.header[word]));
        mark(uncorrectable, UNCORRECTABLE_STATUS, 1 << bit);
        if logs {
            self.words.insert((function, ERROR_CONTROL), bit | 0xFFFF_FFE0);
        }
        if uncorrectable {
            *self.words.entry((function, UNCORRECTABLE_STATUS)).or_default() |= 1 << bit;
        }
        if sends {
            let number = if self.legacy.is_none() && function >= 2 {
                self.first_vf + function as u32 - 2
            } else {
                function as u32
            };
            let requester = ((self.bus << 8) + number) & 0xFFFF;
            outputs.push(Output::Message(0x3000_0000, requester << 16 | code));
        }
    }
}

/// The reporter, and a configuration space that answers it.
struct World {
    bench: Bench,
    io: ReporterIo,
    space: Space,
    /// The access under way: the cycles until its answer, and that.
    reading: Option<(usize, u32)>,
    events: Vec<Event>,
    outputs: Vec<Output>,
    pace: f64,
}

impl World {
    fn new(config: &Config, legacy: Option<usize>, seed: u64) -> World {
        let (mut bench, io) = Bench::new(|| reporter(config), seed);
        let bus = bench.rng.u32(0..256);
        let first_vf = if legacy.is_some() { 2 } else { [2, 8, 256][bench.rng.usize(0..3)] };
        bench.sim.poke(io.legacy, legacy.is_some());
        bench.sim.poke(io.legacy_functions, legacy.unwrap_or(0) as u128);
        bench.sim.poke(io.identity.bus, bus.into());
        bench.sim.poke(io.identity.first_vf, first_vf.into());
        bench.sim.poke(io.stopped, 0);
        bench.sim.poke(io.flush, false);
        let space = Space { legacy, bus, first_vf, words: HashMap::new() };
        World { bench, io, space, reading: None, events: vec![], outputs: vec![], pace: 1.0 }
    }

    fn cycle(&mut self) {
        let (sim, io, rng) = (&mut self.bench.sim, &self.io, &mut self.bench.rng);
        let mut happens = || rng.f64() < self.pace;
        let [takes_access, takes_mark, takes_message] =
            [happens() && self.reading.is_none(), happens(), happens()];
        sim.poke(io.access.ready, takes_access);
        sim.poke(io.mark.ready, takes_mark);
        sim.poke(io.message.ready, takes_message);
        let answer = self.reading.take_if(|(cycles, _)| *cycles == 0);
        sim.poke(io.answer.valid, answer.is_some());
        sim.poke(io.answer.payload, answer.map_or(rng.u32(..), |(_, word)| word).into());
        self.reading = self.reading.map(|(cycles, word)| (cycles - 1, word));
        let event = self.events.pop();
        sim.poke(io.error.valid, event.is_some());
        if let Some(Event { kind, function, header }) = event {
            let payload = &io.error.payload;
            sim.poke(payload.kind, kind);
            sim.poke(payload.function.valid, function.is_some());
            sim.poke(payload.function.payload, function.unwrap_or(0) as u128);
            let header = header.iter().rev().fold(0, |high, word| high << 32 | u128::from(*word));
            sim.poke(payload.header, header);
        }
        assert!(sim.peek(io.error.ready));
        if takes_access && sim.peek(io.access.valid) {
            let access = &io.access.payload;
            assert!(!sim.peek(access.write));
            let place = (sim.peek(access.function) as usize, 4 * sim.peek(access.register) as usize);
            let word = self.space.get(place.0, place.1);
            self.reading = Some((if self.pace < 1.0 { rng.usize(0..20) } else { 6 }, word));
        }
        if takes_mark && sim.peek(io.mark.valid) {
            let mark = &io.mark.payload;
            let (function, data) = (sim.peek(mark.function) as usize, sim.peek(mark.data) as u32);
            let offset = 4 * sim.peek(mark.register) as usize;
            self.outputs.push(Output::Mark(function, offset, data));
            let word = self.space.words.entry((function, offset)).or_default();
            match offset {
                UNCORRECTABLE_STATUS => *word |= data,
                // Only the pointer can be written.
                ERROR_CONTROL => *word = 0xFFFF_FFE0 | data,
                _ => {}
            }
        }
        if takes_message && sim.peek(io.message.valid) {
            let beat = &io.message.payload;
            assert_eq!((sim.peek(beat.count), sim.peek(beat.first), sim.peek(beat.last)), (0, true, true));
            let header = sim.peek(beat.header);
            assert_eq!(header >> 64, 0);
            self.outputs.push(Output::Message(header as u32, (header >> 32) as u32));
        }
        self.bench.cycle(&mut []);
    }

    /// Hands in the events, one in each cycle, and waits for what they lead to; returns the cycles to the last output.
    fn check(&mut self, events: &[Event]) -> usize {
        self.events = events.iter().rev().cloned().collect();
        let mut space = self.space.clone();
        let expected: Vec<Output> = events.iter().flat_map(|event| space.report(event)).collect();
        self.outputs.clear();
        // Some lead to nothing, which takes its time.
        let silent = events.iter().filter(|event| event.kind == ErrorKind::SentPoisoned).count();
        let (mut cycles, mut rest) = (0, 300 * (1 + silent));
        while rest > 0 {
            assert!(cycles < 100_000, "{events:x?}\nlacks {:x?}", &expected[self.outputs.len()..]);
            self.cycle();
            match self.outputs.len() < expected.len() {
                true => cycles += 1,
                false => rest -= 1,
            }
        }
        assert_eq!(self.outputs, expected, "{events:x?}");
        assert_eq!(
            self.space.words.get(&(0, UNCORRECTABLE_STATUS)),
            space.words.get(&(0, UNCORRECTABLE_STATUS))
        );
        cycles + 1
    }
}

fn event(rng: &mut Rng, functions: usize) -> Event {
    let of_type =
        [0x00, 0x20, 0x40, 0x60, 0x0A, 0x4A, 0x0B, 0x04, 0x44, 0x30, 0x74, 0x02, rng.u32(..) & 0xFF];
    let first = of_type[rng.usize(0..of_type.len())] << 24 | rng.u32(..) & 0xFF_FFFF;
    let function = (rng.u8(0..3) > 0).then(|| rng.usize(0..functions));
    let kind = KINDS[rng.usize(0..KINDS.len())];
    Event { kind, function, header: [first, rng.u32(..), rng.u32(..), rng.u32(..)] }
}

/// Every kind of error in every kind of function, whatever software has set.
#[test]
fn random_errors() {
    let many = Config { vfs: 9, ..Config::small() };
    for (seed, legacy) in [(1, None), (2, None), (3, Some(8)), (4, Some(4)), (5, Some(1))] {
        let functions = legacy.unwrap_or(many.functions());
        let mut world = World::new(&many, legacy, seed);
        let mut seen = HashMap::new();
        for _ in 0..250 {
            let rng = &mut world.bench.rng;
            world.pace = [0.3, 0.7, 1.0][rng.usize(0..3)];
            (0..functions).for_each(|function| world.space.change(function, rng));
            let count = rng.usize(1..=EVENTS);
            let events: Vec<Event> = (0..count).map(|_| event(rng, functions)).collect();
            world.check(&events);
            for output in &world.outputs {
                let kind = match output {
                    Output::Mark(_, offset, _) => *offset,
                    Output::Message(_, word) => *word as usize & 0xFF,
                };
                *seen.entry(kind).or_insert(0) += 1;
            }
        }
        assert!(seen.len() == 12 && seen.values().all(|count| *count > 10), "{seen:?}");
    }
}

/// As Linux leaves a function: correctable, non-fatal, fatal and unsupported requests are reported; and as it comes out of
/// reset: nothing is, but severities and the advisory mask have their values.
#[test]
fn as_software_leaves_it() {
    let config = Config::small();
    let unsupported =
        |kind, first| Event { kind, function: Some(3), header: [first, 0x0100_000F, 0xF000_0000, 0] };
    let read = unsupported(ErrorKind::Unsupported, 1);
    let write = unsupported(ErrorKind::UnsupportedPosted, 0x4000_0001);
    let malformed = Event { kind: ErrorKind::Malformed, function: None, header: [0x1F00_0000, 0, 0, 0] };
    let mut world = World::new(&config, None, 6);
    (world.space.bus, world.space.first_vf) = (1, 2);
    world.bench.sim.poke(world.io.identity.bus, 1);
    world.bench.sim.poke(world.io.identity.first_vf, 2);
    for function in 0..2 {
        world.space.words.insert((function, UNCORRECTABLE_SEVERITY), 1 << 18);
        world.space.words.insert((function, CORRECTABLE_MASK), 1 << 13);
    }
    world.check(&[read]);
    let control = device_control();
    assert_eq!(
        world.outputs,
        [Output::Mark(3, control, 9 << 16), Output::Mark(3, CORRECTABLE_STATUS, 1 << 13)]
    );
    world.space.words.insert((0, control), 0x281F);
    world.check(std::slice::from_ref(&write));
    let log = |word: usize| Output::Mark(3, HEADER_LOG + 4 * word, write.header[word]);
    let noted = Output::Mark(3, UNCORRECTABLE_STATUS, 1 << 20);
    let message = Output::Message(0x3000_0000, 0x0103_0031);
    let mut expected = vec![Output::Mark(3, control, 0xA << 16), Output::Mark(3, ERROR_CONTROL, 20)];
    expected.extend((0..4).map(log));
    expected.extend([noted.clone(), message.clone()]);
    assert_eq!(world.outputs, expected);
    // The log stays until software clears the bit.
    world.check(std::slice::from_ref(&write));
    assert_eq!(world.outputs, [Output::Mark(3, control, 0xA << 16), noted, message]);
    world.space.words.insert((3, UNCORRECTABLE_STATUS), 0);
    let cycles = world.check(&[write]);
    assert_eq!(world.outputs, expected);
    println!("{cycles} cycles");
    // Malformed: in both, with one message, of the one that may.
    world.check(&[malformed]);
    let messages = world.outputs.iter().filter(|output| matches!(output, Output::Message(..)));
    assert_eq!(messages.collect::<Vec<_>>(), [&Output::Message(0x3000_0000, 0x0100_0033)]);
}

/// What finds no room is lost, and nothing else.
#[test]
fn too_many_errors_are_lost() {
    let mut world = World::new(&Config::small(), None, 7);
    let events: Vec<Event> = (0..20).map(|_| event(&mut world.bench.rng, 5)).collect();
    world.events = events.iter().rev().cloned().collect();
    (0..20).for_each(|_| {
        let pace = std::mem::replace(&mut world.pace, 0.0);
        world.cycle();
        world.pace = pace;
    });
    let mut space = world.space.clone();
    let expected: Vec<Output> = events[..EVENTS].iter().flat_map(|event| space.report(event)).collect();
    (0..10_000).for_each(|_| world.cycle());
    assert_eq!(world.outputs, expected);
}

/// A world in which every function reports everything.
fn open_world(seed: u64) -> World {
    let mut world = World::new(&Config::small(), None, seed);
    world.space.words.insert((0, device_control()), 15);
    world
}

fn written_badly(function: usize) -> Event {
    Event { kind: ErrorKind::Poisoned, function: Some(function), header: [0x4000_4001, 0, 0, 0] }
}

/// Lets cycles pass without anybody taking messages.
fn without_messages(world: &mut World, cycles: usize) {
    for _ in 0..cycles {
        let before = world.outputs.len();
        world.cycle();
        let is_message = |output: &Output| matches!(output, Output::Message(..));
        assert!(!world.outputs[before..].iter().any(is_message));
    }
}

/// What comes while its function is stopped is dropped; of what came before, marks are made and no message is sent, before
/// `flushed` says so.
#[test]
fn errors_of_a_function_that_is_stopped() {
    let mut world = open_world(8);
    let (two, three) = (written_badly(2), written_badly(3));
    let mut space = world.space.clone();
    let mut expected = [two.clone(), three.clone()].map(|event| space.report(&event)).concat();
    assert!(matches!(expected.pop(), Some(Output::Message(..))));
    world.events = vec![three.clone(), two.clone()];
    (0..10).for_each(|_| world.cycle());
    world.bench.sim.poke(world.io.stopped, 1 << 3);
    (0..2).for_each(|_| world.cycle());
    world.bench.sim.poke(world.io.flush, true);
    world.cycle();
    world.bench.sim.poke(world.io.flush, false);
    let mut cycles = 0;
    while !world.bench.sim.peek(world.io.flushed) {
        assert!(world.outputs.len() < expected.len() || cycles < 400, "it is done");
        cycles += 1;
        world.cycle();
    }
    assert_eq!(world.outputs, expected);
    // Another one comes in between, and later errors are reported again.
    world.outputs.clear();
    world.events = vec![two.clone(), three.clone(), three.clone()];
    (0..1000).for_each(|_| world.cycle());
    assert_eq!(world.outputs, space.report(&two));
    let unexpected =
        Event { kind: ErrorKind::UnexpectedCompletion, function: Some(3), header: [0x0A00_0000, 0, 0, 0] };
    world.outputs.clear();
    world.events = vec![unexpected.clone()];
    (0..1000).for_each(|_| world.cycle());
    assert_eq!(world.outputs, space.report(&Event { function: None, ..unexpected }), "nobody claims it");
    world.bench.sim.poke(world.io.stopped, 0);
    world.outputs.clear();
    world.events = vec![three.clone()];
    (0..1000).for_each(|_| world.cycle());
    assert_eq!(world.outputs, space.report(&three));
    // Errors of nobody are told by the manager while the physical function is stopped.
    world.bench.sim.poke(world.io.stopped, 1);
    world.outputs.clear();
    world.space.words.insert((1, device_control()), 15);
    world.events = vec![Event { kind: ErrorKind::Malformed, function: None, header: [0x1F00_0000, 0, 0, 0] }];
    (0..1000).for_each(|_| world.cycle());
    let messages = world.outputs.iter().filter(|output| matches!(output, Output::Message(..)));
    assert_eq!(messages.count(), 1);
    let requester = (world.space.bus << 8 | 1) << 16;
    assert!(
        world.outputs.iter().any(|it| matches!(it, Output::Message(_, word) if word & !0xFFFF == requester))
    );
}

/// A message that waits for credits stays as it is, whatever becomes of its function's place.
#[test]
fn a_message_that_waits() {
    let mut world = open_world(9);
    let three = written_badly(3);
    let expected = world.space.clone().report(&three);
    world.events = vec![three];
    let io = world.io.clone();
    while !world.bench.sim.peek(io.message.valid) {
        world.cycle();
    }
    world.bench.sim.poke(io.stopped, !3 & 0x1F);
    world.bench.sim.poke(io.identity.first_vf, 2);
    world.bench.sim.poke(io.flush, true);
    world.pace = 0.0;
    without_messages(&mut world, 1);
    world.bench.sim.poke(io.flush, false);
    without_messages(&mut world, 50);
    assert!(!world.bench.sim.peek(io.flushed));
    world.pace = 1.0;
    (0..4).for_each(|_| world.cycle());
    assert!(world.bench.sim.peek(io.flushed));
    assert_eq!(world.outputs, expected);
}
