//! Frames against what they leave in memory.

use super::*;
use crate::{testing::*, virtio::queues::slot_bits};
use std::collections::{HashMap, VecDeque};

#[derive(Clone, Debug)]
struct Buffer {
    parts: Vec<(u64, usize)>,
    id: u64,
    places: u64,
    bad: bool,
}

impl Buffer {
    fn bytes(&self) -> usize {
        self.parts.iter().map(|(_, length)| length).sum()
    }
}

/// The store, with what the registers say of functions.
struct Store {
    io: ReceiveIo,
    queues: Vec<VecDeque<Buffer>>,
    /// Parts that have been popped of the first buffer.
    popped: usize,
    asked: Option<(usize, usize)>,
    slots: usize,
    /// Queues and functions that were asked about, in this cycle and the one before.
    measures: [usize; 2],
    lookups: [usize; 2],
    modes: Vec<u128>,
}

impl Store {
    fn new(io: ReceiveIo, queues: Vec<VecDeque<Buffer>>, config: &Config, modes: Vec<u128>) -> Store {
        let slots = slot_bits(config);
        Store { io, queues, popped: 0, asked: None, slots, measures: [0; 2], lookups: [0; 2], modes }
    }
}

impl Agent for Store {
    fn drive(&mut self, bench: &mut Bench) {
        let sim = &mut bench.sim;
        let bytes: usize = self.queues[self.measures[1]].iter().map(Buffer::bytes).sum();
        sim.poke(self.io.measured.bytes, bytes.min(131_071) as u128);
        sim.poke(self.io.measured.full, false);
        sim.poke(self.io.found, self.modes[self.lookups[1]]);
        let mut answer = None;
        if let Some((queue, delay)) = &mut self.asked {
            match *delay {
                0 => answer = Some(*queue),
                _ => *delay -= 1,
            }
        }
        sim.poke(self.io.popped.valid, answer.is_some());
        if let Some(queue) = answer {
            self.asked = None;
            let buffer = &self.queues[queue][0];
            let (address, length) = buffer.parts[self.popped];
            self.popped += 1;
            let last = self.popped == buffer.parts.len();
            let part = self.io.popped.payload.part;
            sim.poke(part.address, address.into());
            sim.poke(part.length, length as u128);
            sim.poke(part.last, last);
            sim.poke(part.bad, last && buffer.bad);
            sim.poke(part.id, buffer.id.into());
            sim.poke(part.places, buffer.places.into());
            if last {
                self.queues[queue].pop_front();
                self.popped = 0;
            }
        }
        let ready = self.asked.is_none() && bench.rng.bool();
        bench.sim.poke(self.io.pop.ready, ready);
    }

    fn sample(&mut self, bench: &mut Bench) {
        let sim = &mut bench.sim;
        let number = |sim: &mut Native, queue: Queue| {
            (sim.peek(queue.function) << self.slots | sim.peek(queue.slot)) as usize
        };
        if sim.peek(self.io.pop.valid) && sim.peek(self.io.pop.ready) {
            let queue = number(sim, self.io.pop.payload);
            assert!(!self.queues[queue].is_empty(), "a part of queue {queue} that is not there");
            self.asked = Some((queue, bench.rng.usize(2..8)));
        }
        let sim = &mut bench.sim;
        self.measures = [number(sim, self.io.measure.payload), self.measures[0]];
        self.lookups = [sim.peek(self.io.lookup.payload.queue.function) as usize, self.lookups[0]];
    }
}

/// The host's memory behind the write engine.
struct Memory {
    io: ReceiveIo,
    commands: VecDeque<(u64, u64, usize)>,
    data: Vec<Word>,
    bytes: usize,
    memory: HashMap<u64, u8>,
    stopped: Option<u64>,
    /// Outcomes that are to be told, with the time until then.
    done: VecDeque<(Outcome, usize)>,
    writes: Vec<u64>,
}

impl Memory {
    fn new(io: ReceiveIo, config: &Config) -> Memory {
        Memory {
            io,
            commands: VecDeque::new(),
            data: vec![],
            bytes: config.bytes,
            memory: HashMap::new(),
            stopped: None,
            done: VecDeque::new(),
            writes: vec![],
        }
    }
}

impl Agent for Memory {
    fn drive(&mut self, bench: &mut Bench) {
        let (ready, data_ready) = (self.commands.len() < 4 && bench.rng.bool(), !self.commands.is_empty());
        let sim = &mut bench.sim;
        sim.poke(self.io.write.ready, ready);
        sim.poke(self.io.write_data.ready, data_ready);
        self.done.iter_mut().for_each(|(_, delay)| *delay = delay.saturating_sub(1));
        let is_done = self.done.front().is_some_and(|(_, delay)| *delay == 0);
        sim.poke(self.io.written.valid, is_done);
        if is_done {
            let (outcome, _) = self.done.pop_front().unwrap();
            sim.poke(self.io.written.payload, outcome);
        }
    }

    fn sample(&mut self, bench: &mut Bench) {
        let sim = &mut bench.sim;
        if sim.peek(self.io.write.valid) && sim.peek(self.io.write.ready) {
            let command = self.io.write.payload;
            let (address, length) = (sim.peek(command.address) as u64, sim.peek(command.length) as usize);
            assert!(length > 0);
            self.commands.push_back((sim.peek(command.function) as u64, address, length));
        }
        if sim.peek(self.io.write_data.valid) && sim.peek(self.io.write_data.ready) {
            self.data.push(sim.peek_wide(&self.io.write_data.payload));
            if self.data.last().unwrap()[1] {
                let (function, address, length) = self.commands.pop_front().unwrap();
                let frame = frames(&std::mem::take(&mut self.data), self.bytes).remove(0);
                assert_eq!(frame.data.len(), length, "a frame has the length of its command");
                let stopped = self.stopped == Some(function);
                if !stopped {
                    self.memory.extend((address..).zip(frame.data));
                }
                self.writes.push(function);
                self.done.push_back((
                    if stopped { Outcome::Stopped } else { Outcome::Success },
                    bench.rng.usize(1..30),
                ));
            }
        }
    }
}

/// What is to come of a frame: its queue, the bytes of each buffer that goes back, or none if it is lost.
struct Expected {
    queue: usize,
    buffers: Vec<(Buffer, Vec<u8>)>,
    lost: bool,
}

const MERGEABLE: u128 = 1 << 2;
const GUEST_CHECKSUM: u128 = 1 << 0;

/// virtio 5.1.6.4.1: what a device does with a frame.
fn place(queue: usize, queues: &mut [VecDeque<Buffer>], frame: &[u8], valid: bool, mode: u128) -> Expected {
    let need = frame.len() + HEADER;
    let buffers = &mut queues[queue];
    if buffers.iter().map(Buffer::bytes).sum::<usize>() < need {
        return Expected { queue, buffers: vec![], lost: true };
    }
    let mut taken: Vec<Buffer> = vec![];
    loop {
        taken.push(buffers.pop_front().unwrap());
        if taken.last().unwrap().bad {
            return Expected { queue, buffers: vec![], lost: false };
        }
        if mode & MERGEABLE == 0 || taken.iter().map(Buffer::bytes).sum::<usize>() >= need {
            break;
        }
    }
    if taken[0].bytes() < need && mode & MERGEABLE == 0 {
        return Expected { queue, buffers: vec![(taken.remove(0), vec![])], lost: false };
    }
    let flags = if valid && mode & GUEST_CHECKSUM > 0 { 2 } else { 0 };
    let mut bytes = vec![flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, taken.len() as u8, 0];
    bytes.extend(frame);
    let mut rest = &bytes[..];
    let buffers = taken.into_iter().map(|buffer| {
        let (now, later) = rest.split_at(buffer.bytes().min(rest.len()));
        rest = later;
        (buffer, now.to_vec())
    });
    Expected { queue, buffers: buffers.collect(), lost: false }
}

#[test]
fn frames_into_buffers() {
    for (seed, config) in Config::all().iter().enumerate() {
        let (mut bench, io) = Bench::new(|| receive(config), seed as u64);
        let slots = slot_bits(config);
        let functions = config.functions();
        let modes: Vec<u128> = (0..functions).map(|_| u128::from(bench.rng.u8(..))).collect();
        let pairs: Vec<usize> = (0..functions).map(|_| bench.rng.usize(..config.pairs)).collect();
        let in_use: Word = pairs.iter().flat_map(|pairs| word(*pairs as u64, 2)).collect();
        bench.sim.poke_wide(&io.pairs, &in_use);
        bench.sim.poke_wide(&io.busy, &word(0, 64).repeat(8)[..queue_count(config)].to_bitvec());
        bench.sim.poke(io.drain.valid, false);

        let mut queues = vec![VecDeque::new(); queue_count(config)];
        let mut next = 0x5000_0000;
        for id in 0..900 {
            let rng = &mut bench.rng;
            let function = rng.usize(..functions);
            let queue = (function << slots) | (2 * rng.usize(..=pairs[function]));
            let sizes = [1..=20, 60..=200, 1526..=2048][rng.usize(..3)].clone();
            let mut parts = vec![];
            for _ in 0..rng.usize(1..=3) {
                let length = rng.usize(sizes.clone());
                parts.push((next + rng.u64(..50), length));
                next += 50 + length as u64;
            }
            queues[queue].push_back(Buffer { parts, id, places: rng.u64(1..5), bad: rng.u8(..50) == 0 });
        }
        let mut model = Clone::clone(&queues);
        let (mut arrivals, mut source) = (Source::new(&io.arrived, 0.5), Source::new(&io.frame, 0.9));
        let mut expected = vec![];
        for _ in 0..500 {
            let rng = &mut bench.rng;
            let (function, hash, valid) = (rng.usize(..functions), rng.u32(..), rng.bool());
            let lengths = if rng.u8(..20) == 0 { 1500..=9622 } else { 14..=200 };
            let frame = Frame { error: false, ..Frame::random(rng, lengths) };
            let mut arrived = word(hash.into(), 32);
            arrived.push(valid);
            arrived.extend(word(frame.data.len() as u64, LENGTH));
            arrived.extend(word(function as u64, function_bits(config)));
            arrivals.send([arrived]);
            source.send(frame.beats(config.bytes, rng));
            let pair = ((hash as usize & 0xFFFF) * (pairs[function] + 1)) >> 16;
            expected.push(place(
                (function << slots) | (2 * pair),
                &mut model,
                &frame.data,
                valid,
                modes[function],
            ));
        }

        let mut store =
            Store { io, queues, popped: 0, asked: None, slots, measures: [0; 2], lookups: [0; 2], modes };
        let mut host = Memory {
            io,
            commands: VecDeque::new(),
            data: vec![],
            bytes: config.bytes,
            memory: HashMap::new(),
            stopped: None,
            done: VecDeque::new(),
            writes: vec![],
        };
        let mut used = Sink::new(&io.used, 0.5);
        let (mut idle, mut lost) = (0, vec![]);
        while idle < 500 {
            idle = if source.queue.is_empty() && host.commands.is_empty() { idle + 1 } else { 0 };
            bench.cycle(&mut [&mut arrivals, &mut source, &mut store, &mut host, &mut used]);
            if bench.sim.peek(io.dropped.valid) {
                lost.push(bench.sim.peek(io.dropped.payload) as usize);
            }
        }

        let wanted: Vec<usize> =
            expected.iter().filter(|one| one.lost).map(|one| one.queue >> slots).collect();
        assert_eq!(lost, wanted);
        assert!(lost.len() > 20 && lost.len() < 400, "{} are lost", lost.len());
        let mut got = used.got.iter();
        for Expected { queue, buffers, .. } in &expected {
            for (number, (buffer, bytes)) in buffers.iter().enumerate() {
                let word = got.next().expect("every buffer that is taken goes back");
                let joined = number + 1 < buffers.len();
                let queue_number = field(word, 50 + function_bits(config), slots)
                    | field(word, 50, function_bits(config)) << slots;
                let about =
                    (word[0], field(word, 1, 16), field(word, 17, 17), field(word, 34, 16), queue_number);
                assert_eq!(about, (joined, buffer.places, bytes.len() as u64, buffer.id, *queue as u64));
                let addresses = buffer.parts.iter().flat_map(|(at, length)| *at..*at + *length as u64);
                for (at, byte) in addresses.zip(bytes) {
                    assert_eq!(host.memory.remove(&at), Some(*byte), "at {at:x}");
                }
            }
        }
        assert!(got.next().is_none());
        assert!(host.memory.is_empty(), "nothing else is written");
        assert!(expected.iter().filter(|one| one.buffers.len() > 2).count() > 3);
    }
}

/// One function with one queue, and its frames.
struct Single {
    bench: Bench,
    io: ReceiveIo,
    store: Store,
    host: Memory,
    arrivals: Source<Arrived>,
    source: Source<Beat>,
    used: Sink<Used>,
    dropped: usize,
    config: Config,
}

const FUNCTION: usize = 2;

impl Single {
    fn new() -> Single {
        let config = Config::small();
        let (mut bench, io) = Bench::new(|| receive(&config), 3);
        let queues = vec![VecDeque::new(); queue_count(&config)];
        let store = Store::new(io, queues, &config, vec![MERGEABLE; config.functions()]);
        bench.sim.poke_wide(&io.pairs, &word(0, 2 * config.functions()));
        bench.sim.poke_wide(&io.busy, &word(0, queue_count(&config)));
        bench.sim.poke(io.drain.valid, false);
        bench.sim.poke(io.drain.payload.function, FUNCTION as u128);
        bench.sim.poke(io.drain.payload.slot, 0);
        Single {
            bench,
            io,
            store,
            host: Memory::new(io, &config),
            arrivals: Source::new(&io.arrived, 1.0),
            source: Source::new(&io.frame, 1.0),
            used: Sink::new(&io.used, 0.5),
            dropped: 0,
            config,
        }
    }

    fn queue(&mut self) -> &mut VecDeque<Buffer> {
        &mut self.store.queues[FUNCTION << slot_bits(&self.config)]
    }

    fn give(&mut self, length: usize) {
        self.queue().push_back(Buffer { parts: vec![(0x1000, length)], id: 1, places: 1, bad: false });
    }

    fn arrive(&mut self) {
        let mut arrived = word(0, 33);
        arrived.extend(word(60, LENGTH));
        arrived.extend(word(FUNCTION as u64, function_bits(&self.config)));
        self.arrivals.send([arrived]);
        let frame = Frame { data: vec![7; 60], error: false };
        self.source.send(frame.beats(self.config.bytes, &mut self.bench.rng));
    }

    fn run(&mut self, cycles: usize) {
        for _ in 0..cycles {
            let Single { bench, store, host, arrivals, source, used, .. } = self;
            bench.cycle(&mut [arrivals, source, store, host, used]);
            self.dropped += usize::from(self.bench.sim.peek(self.io.dropped.valid));
        }
    }

    fn set_busy(&mut self, busy: bool) {
        let number = FUNCTION << slot_bits(&self.config);
        let bits: Word = (0..queue_count(&self.config)).map(|queue| busy && queue == number).collect();
        self.bench.sim.poke_wide(&self.io.busy, &bits);
    }
}

/// A frame waits for buffers that may come, but not for ever; and the next one not at all, until a queue is drained.
#[test]
fn patience_ends() {
    let mut one = Single::new();
    one.arrive();
    one.run(50);
    assert_eq!(one.dropped, 1, "nobody waits for what will not come");
    one.set_busy(true);
    one.arrive();
    one.run(PATIENCE / 2);
    assert_eq!(one.dropped, 1);
    one.give(100);
    one.run(100);
    assert_eq!((one.dropped, one.used.got.len()), (1, 1), "it came in time");
    one.arrive();
    one.run(PATIENCE - 100);
    assert_eq!(one.dropped, 1);
    one.run(200);
    assert_eq!(one.dropped, 2, "it did not come");
    one.arrive();
    one.run(50);
    assert_eq!(one.dropped, 3, "the next one does not wait");
    one.give(100);
    one.arrive();
    one.run(100);
    assert_eq!((one.dropped, one.used.got.len()), (3, 2), "it need not");
    one.bench.sim.poke(one.io.drain.valid, true);
    while !one.bench.sim.peek(one.io.drain.ready) {
        one.run(1);
    }
    one.run(1);
    one.bench.sim.poke(one.io.drain.valid, false);
    one.arrive();
    one.run(PATIENCE / 2);
    assert_eq!(one.dropped, 3, "there is patience again");
}

/// What was begun in a queue that is drained ends, and nothing begins; a stopped function gets no buffer back.
#[test]
fn drained_queues_begin_nothing() {
    let mut one = Single::new();
    for round in 0..20 {
        for _ in 0..6 {
            one.give(1000);
            one.arrive();
        }
        let stops = round % 2 == 1;
        one.host.stopped = stops.then_some(FUNCTION as u64);
        one.run(10 + 5 * round);
        one.bench.sim.poke(one.io.drain.valid, true);
        let mut cycles = 0;
        while !one.bench.sim.peek(one.io.drain.ready) {
            one.run(1);
            cycles += 1;
            assert!(cycles < 1000, "the queue is drained in the end");
        }
        let before = (one.queue().len(), one.used.got.len(), one.host.writes.len(), one.store.popped);
        let dropped = one.dropped;
        one.run(1);
        // It stays on offer until the next time, so that what comes late is seen.
        one.run(200);
        let after = (one.queue().len(), one.used.got.len(), one.host.writes.len(), one.store.popped);
        assert_eq!(before, after, "nothing of the queue is left, or begun");
        assert_eq!(one.source.queue.len(), 0, "its frames are lost");
        assert!(one.dropped >= dropped);
        while !one.bench.sim.peek(one.io.drain.ready) {
            one.run(1);
        }
        one.run(1);
        one.bench.sim.poke(one.io.drain.valid, false);
        one.queue().clear();
    }
    assert!(one.used.got.len() > 10 && one.dropped > 10);
}
