//! Frames against what they leave in memory.

use super::*;
use crate::{
    testing::*,
    virtio::{
        HEADER,
        queues::slot_bits,
        testing::{Buffer, Given, Store},
    },
};
use std::collections::{HashMap, VecDeque};

/// The store, and what it and the registers say of queues.
struct Queues {
    io: ReceiveIo,
    store: Store,
    /// Queues and functions that were asked about, in this cycle and the one before.
    measures: [usize; 2],
    lookups: [usize; 2],
    modes: Vec<u128>,
}

impl Queues {
    fn new(io: ReceiveIo, config: &Config, modes: Vec<u128>) -> Queues {
        let store = Store::new(io.pop, io.popped, config);
        Queues { io, store, measures: [0; 2], lookups: [0; 2], modes }
    }
}

impl Agent for Queues {
    fn drive(&mut self, bench: &mut Bench) {
        let bytes: usize = self.store.queues[self.measures[1]].iter().map(Buffer::bytes).sum();
        let sim = &mut bench.sim;
        sim.poke(self.io.measured.bytes, bytes.min(131_071) as u128);
        sim.poke(self.io.measured.full, false);
        sim.poke(self.io.found, self.modes[self.lookups[1]]);
        self.store.drive(bench);
    }

    fn sample(&mut self, bench: &mut Bench) {
        self.store.sample(bench);
        let sim = &mut bench.sim;
        self.measures = [self.store.number(sim, self.io.measure.payload), self.measures[0]];
        if sim.peek(self.io.lookup.valid) {
            self.lookups = [sim.peek(self.io.lookup.payload.queue.function) as usize, self.lookups[0]];
        } else {
            self.lookups[1] = self.lookups[0];
        }
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
    /// Outcomes that are to be told, with the time until then and the bytes.
    done: VecDeque<(Outcome, usize, usize)>,
    /// Bytes of writes whose outcome has been told.
    told: usize,
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
            told: 0,
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
        self.done.iter_mut().for_each(|(_, delay, _)| *delay = delay.saturating_sub(1));
        let is_done = self.done.front().is_some_and(|(_, delay, _)| *delay == 0);
        sim.poke(self.io.written.valid, is_done);
        if is_done {
            let (outcome, _, bytes) = self.done.pop_front().unwrap();
            self.told += bytes;
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
                    length,
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
const MTU: u128 = 1 << 8;

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

/// A beat of [`Verdict`], from its lowest field up.
fn verdict(config: &Config, function: usize, [length, body]: [usize; 2], valid: bool, hash: u32) -> Word {
    let mut beat = word(hash.into(), 32);
    beat.push(true);
    beat.push(valid);
    beat.extend(word(body as u64, LENGTH));
    beat.extend(word(length as u64, LENGTH));
    beat.extend(word(function as u64, function_bits(config)));
    beat
}

/// The manager says a function's MTU.
fn set_mtu(bench: &mut Bench, io: &ReceiveIo, function: usize, mtu: usize) {
    bench.sim.poke(io.device.valid, true);
    bench.sim.poke(io.device.payload.function, function as u128);
    bench.sim.poke(io.device.payload.mtu, mtu as u128);
    bench.cycle(&mut []);
    bench.sim.poke(io.device.valid, false);
}

#[test]
fn frames_into_buffers() {
    for (seed, config) in Config::all().iter().enumerate() {
        let (mut bench, io) = Bench::new(|| receive(config), seed as u64);
        let slots = slot_bits(config);
        let functions = config.functions();
        let modes: Vec<u128> = (0..functions).map(|_| bench.rng.u128(..) & 0x1FF).collect();
        let pairs: Vec<usize> = (0..functions).map(|_| bench.rng.usize(..config.pairs)).collect();
        let in_use: Word = pairs.iter().flat_map(|pairs| word(*pairs as u64, 2)).collect();
        bench.sim.poke_wide(&io.pairs, &in_use);
        bench.sim.poke_wide(&io.busy, &word(0, 64).repeat(8)[..queue_count(config)].to_bitvec());
        bench.sim.poke(io.drain.valid, false);
        // Some functions have the MTU of the beginning, some one that is too small, or too large.
        let mut mtus = vec![1500; functions];
        for (function, allowed) in mtus.iter_mut().enumerate() {
            let mtu = [None, Some(60), Some(bench.rng.usize(68..200)), Some(65535)][bench.rng.usize(..4)];
            if let Some(mtu) = mtu {
                set_mtu(&mut bench, &io, function, mtu);
                *allowed = mtu.clamp(68, 9600);
            }
        }

        let mut queues = Queues::new(io, config, modes.clone());
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
            queues.store.queues[queue].push_back(Buffer {
                parts,
                id,
                places: rng.u64(1..5),
                bad: rng.u8(..50) == 0,
            });
        }
        let mut model = queues.store.queues.clone();
        let (mut verdicts, mut source) = (Source::new(&io.verdict, 0.5), Source::new(&io.frame, 0.9));
        let (mut expected, mut too_long) = (vec![], 0);
        for _ in 0..500 {
            let rng = &mut bench.rng;
            let (function, hash, valid) = (rng.usize(..functions), rng.u32(..), rng.bool());
            let lengths = if rng.u8(..20) == 0 { 1500..=9622 } else { 14..=200 };
            let frame = Frame { error: false, ..Frame::random(rng, lengths) };
            let length = frame.data.len();
            // At the border now and then.
            let body = match rng.u8(..4) {
                0 => mtus[function] + rng.usize(..2),
                tags => length.saturating_sub(10 + 4 * usize::from(tags)),
            };
            verdicts.send([verdict(config, function, [length, body], valid, hash)]);
            source.send(frame.beats(config.bytes, rng));
            let pair = ((hash as usize & 0xFFFF) * (pairs[function] + 1)) >> 16;
            let queue = (function << slots) | (2 * pair);
            let mode = modes[function];
            let is_too_long = mode & MTU != 0 && body > mtus[function];
            expected.push(match is_too_long {
                true => Expected { queue, buffers: vec![], lost: true },
                false => place(queue, &mut model, &frame.data, valid, mode),
            });
            too_long += usize::from(is_too_long);
        }

        let mut host = Memory::new(io, config);
        let mut used = Sink::new(&io.used, 0.5);
        let (mut idle, mut lost, mut used_bytes) = (0, vec![], 0);
        let mut seen = 0;
        while idle < 500 {
            idle = if source.queue.is_empty() && host.commands.is_empty() { idle + 1 } else { 0 };
            bench.cycle(&mut [&mut verdicts, &mut source, &mut queues, &mut host, &mut used]);
            if bench.sim.peek(io.dropped.valid) {
                lost.push(bench.sim.peek(io.dropped.payload) as usize);
            }
            if let Some(word) = used.got.get(seen) {
                used_bytes += Given::of(word, config).length as usize;
                seen += 1;
                assert!(used_bytes <= host.told, "a buffer is used before all of it is written");
            }
        }

        let wanted: Vec<usize> =
            expected.iter().filter(|one| one.lost).map(|one| one.queue >> slots).collect();
        assert_eq!(lost, wanted);
        assert!(lost.len() > 20 && lost.len() < 400, "{} are lost", lost.len());
        assert!(too_long > 10, "{too_long} are too long");
        let mut got = used.got.iter();
        for Expected { queue, buffers, .. } in &expected {
            for (number, (buffer, bytes)) in buffers.iter().enumerate() {
                let word = got.next().expect("every buffer that is taken goes back");
                let joined = number + 1 < buffers.len();
                let Buffer { id, places, .. } = *buffer;
                let wanted = Given { queue: *queue, id, length: bytes.len() as u64, places, joined };
                assert_eq!(Given::of(word, config), wanted);
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
    queues: Queues,
    host: Memory,
    verdicts: Source<Verdict>,
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
        let queues = Queues::new(io, &config, vec![MERGEABLE; config.functions()]);
        bench.sim.poke_wide(&io.pairs, &word(0, 2 * config.functions()));
        bench.sim.poke_wide(&io.busy, &word(0, queue_count(&config)));
        bench.sim.poke(io.drain.valid, false);
        bench.sim.poke(io.drain.payload.function, FUNCTION as u128);
        bench.sim.poke(io.drain.payload.slot, 0);
        Single {
            bench,
            io,
            queues,
            host: Memory::new(io, &config),
            verdicts: Source::new(&io.verdict, 1.0),
            source: Source::new(&io.frame, 1.0),
            used: Sink::new(&io.used, 0.5),
            dropped: 0,
            config,
        }
    }

    fn queue(&mut self) -> &mut VecDeque<Buffer> {
        &mut self.queues.store.queues[FUNCTION << slot_bits(&self.config)]
    }

    fn give(&mut self, length: usize) {
        self.queue().push_back(Buffer { parts: vec![(0x1000, length)], id: 1, places: 1, bad: false });
    }

    fn arrive(&mut self) {
        self.verdicts.send([verdict(&self.config, FUNCTION, [60, 46], false, 0)]);
        let frame = Frame { data: vec![7; 60], error: false };
        self.source.send(frame.beats(self.config.bytes, &mut self.bench.rng));
    }

    fn run(&mut self, cycles: usize) {
        for _ in 0..cycles {
            let Single { bench, queues, host, verdicts, source, used, .. } = self;
            bench.cycle(&mut [verdicts, source, queues, host, used]);
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
        let before = (one.queue().len(), one.used.got.len(), one.host.writes.len(), one.queues.store.taken);
        let dropped = one.dropped;
        one.run(1);
        // It stays on offer until the next time, so that what comes late is seen.
        one.run(200);
        let after = (one.queue().len(), one.used.got.len(), one.host.writes.len(), one.queues.store.taken);
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
