//! The host around the block: a link with latencies, the memory of all drivers, resets and failures.

use super::super::*;
use super::ring::{Driver, Kind, Ring};
use crate::{
    dma::LENGTH_BITS,
    pcie::configuration::function_bits,
    testing::*,
    virtio::{queues::slot_bits, types::Word as Setting},
};
use std::collections::{BTreeMap, VecDeque};

pub type Number = (usize, usize);

/// What travels to the host.
enum Travelling {
    Write { queue: Number, address: u64, bytes: Vec<u8> },
    Read { queue: Number, address: u64, length: usize },
}

/// A command to write, and what has come of it.
struct Writing {
    queue: Number,
    address: u64,
    length: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
pub struct Paces {
    pub used: f64,
    /// How likely the device's streams are taken.
    pub taken: f64,
    /// Cycles for a packet to arrive, for an answer to come back, and until a write is done: at most.
    pub travel: usize,
    pub answer: usize,
    pub done: usize,
    /// How often a driver does something.
    pub driver: f64,
}

pub struct World {
    pub bench: Bench,
    pub io: UsedIo,
    pub config: Config,
    pub paces: Paces,
    pub rings: BTreeMap<Number, Ring>,
    pub used: Source<Used>,
    read_data: Source<ReadBeat>,
    /// What is in `used`.
    queued: VecDeque<Number>,
    lookups: VecDeque<Option<u64>>,
    writings: VecDeque<Writing>,
    dones: VecDeque<(usize, Outcome)>,
    link: VecDeque<(usize, Travelling)>,
    answers: VecDeque<(usize, Word)>,
    pub drains: VecDeque<Number>,
    /// Functions that may not send, and those whose reads fail.
    pub stopped: Vec<bool>,
    pub failing: Vec<bool>,
    /// Queues that get nothing more until they are drained, and those of them of which a read has failed.
    pub closed: Vec<Number>,
    failed: Vec<Number>,
    pub faults: Vec<Number>,
    pub cycle: usize,
    pub drained: usize,
    /// Faults, of all times.
    pub told: usize,
    pub commands: usize,
    pub reads: usize,
    pub notices: Vec<(Number, u16, usize)>,
}

impl World {
    pub fn new(config: &Config, paces: Paces, seed: u64) -> World {
        let (bench, io) = Bench::new(|| super::super::used(config), seed);
        World {
            rings: BTreeMap::new(),
            used: Source::new(&io.used, paces.used),
            read_data: Source::new(&io.read_data, 0.8),
            queued: VecDeque::new(),
            lookups: VecDeque::from([None, None]),
            writings: VecDeque::new(),
            dones: VecDeque::new(),
            link: VecDeque::new(),
            answers: VecDeque::new(),
            drains: VecDeque::new(),
            stopped: vec![false; config.functions()],
            failing: vec![false; config.functions()],
            closed: vec![],
            failed: vec![],
            faults: vec![],
            cycle: 0,
            drained: 0,
            told: 0,
            commands: 0,
            reads: 0,
            notices: vec![],
            bench,
            io,
            config: config.clone(),
            paces,
        }
    }

    fn base((function, slot): Number) -> u64 {
        ((function as u64) << 52) | ((slot as u64) << 44)
    }

    fn queue_at(address: u64) -> Number {
        ((address >> 52) as usize, (address >> 44 & 0xFF) as usize)
    }

    /// Sets a queue up, of any kind that fits.
    pub fn open(&mut self, queue: Number) {
        let rng = &mut self.bench.rng;
        let packed = rng.bool();
        let size = match packed {
            true => [1, 2, 3, 7, 20, 64, 100, 255][rng.usize(..8)],
            false => 1 << rng.usize(..9),
        };
        let kind =
            Kind { packed, event_index: rng.bool(), in_order: rng.bool(), transmit: queue.1 % 2 == 1, size };
        self.open_as(queue, kind);
    }

    pub fn open_as(&mut self, queue: Number, kind: Kind) {
        let ring = Ring::new(kind, World::base(queue), &mut self.bench.rng);
        self.rings.insert(queue, ring);
    }

    /// A frame's buffers are used.
    pub fn give(&mut self, queue: Number, buffers: &[(u32, usize)]) {
        let ring = self.rings.get_mut(&queue).unwrap();
        for (number, (length, places)) in buffers.iter().enumerate() {
            let joined = number + 1 < buffers.len();
            let given = ring.give(*length, *places, joined);
            let mut used = word(joined.into(), 1);
            used.extend(word(*places as u64, 16));
            used.extend(word((*length).into(), 17));
            used.extend(word(given.id.into(), 16));
            used.extend(word(queue.0 as u64, function_bits(&self.config)));
            used.extend(word(queue.1 as u64, slot_bits(&self.config)));
            self.used.send([used]);
            self.queued.push_back(queue);
        }
    }

    /// A frame of random buffers, if there is room.
    pub fn give_some(&mut self, queue: Number, most: usize) {
        let (kind, free) = (self.rings[&queue].kind, self.rings[&queue].free());
        let rng = &mut self.bench.rng;
        let receives = queue.1.is_multiple_of(2) && queue.1 < 2 * self.config.pairs;
        let count = if receives && rng.u8(..3) == 0 { rng.usize(1..=most) } else { 1 };
        let (mut buffers, mut left) = (vec![], free);
        for _ in 0..count {
            let places = if rng.u8(..4) == 0 && kind.packed { rng.usize(1..=4) } else { 1 };
            if places <= left {
                left -= places;
                let length = if kind.transmit { 0 } else { rng.u32(1..1 << 17) };
                buffers.push((length, places));
            }
        }
        if !buffers.is_empty() {
            self.give(queue, &buffers);
        }
    }

    /// Nothing more comes for the queue, and then it is drained.
    pub fn close(&mut self, queue: Number) {
        if !self.closed.contains(&queue) {
            self.closed.push(queue);
            self.drains.push_back(queue);
        }
    }

    fn setting(&self, queue: Number, setting: usize) -> u64 {
        let ring = &self.rings[&queue];
        let [descriptors, driver, device] = ring.areas;
        let half =
            |address: u64| if setting.is_multiple_of(2) { address & 0xFFFF_FFFF } else { address >> 32 };
        match setting {
            0 | 1 => half(descriptors),
            2 | 3 => half(driver),
            4 | 5 => half(device),
            6 => ring.kind.size as u64 | u64::from(ring.vector) << 16,
            _ => {
                let kind = ring.kind;
                u64::from(kind.packed) << 7 | u64::from(kind.event_index) << 6 | u64::from(kind.in_order) << 4
            }
        }
    }

    pub fn step(&mut self) {
        self.cycle += 1;
        let now = self.cycle;
        self.travel();
        while self.answers.front().is_some_and(|(at, _)| *at <= now) {
            let (_, beat) = self.answers.pop_front().unwrap();
            self.read_data.send([beat]);
        }
        let io = self.io;
        let taken = self.paces.taken;
        let mut ready = |stream_ready: Bool| {
            let ready = self.bench.rng.f64() < taken;
            self.bench.sim.poke(stream_ready, ready);
            ready
        };
        let [write, read, notice, fault] =
            [io.write.ready, io.read.ready, io.notice.ready, io.fault.ready].map(&mut ready);
        // As the engine does, data is taken for commands that were.
        let has_command = self.writings.back().is_some_and(|it| it.bytes.len() < it.length);
        let data = has_command && self.bench.rng.f64() < taken;
        self.bench.sim.poke(io.write_data.ready, data);
        let write = write && !has_command;
        self.bench.sim.poke(io.write.ready, write);
        let found = self.lookups.pop_front().unwrap().unwrap_or_else(|| self.bench.rng.u32(..).into());
        self.bench.sim.poke(io.found, u128::from(found));
        let done = self.dones.pop_front_if(|(at, _)| *at <= now);
        self.bench.sim.poke(io.written.valid, done.is_some());
        let outcome = done.map_or(Outcome::Aborted, |(_, outcome)| outcome);
        self.bench.sim.poke(io.written.payload, outcome);
        let drain = self.drains.front().copied().filter(|queue| !self.queued.contains(queue));
        self.bench.sim.poke(io.drain.valid, drain.is_some());
        let (function, slot) = drain.unwrap_or_default();
        self.bench.sim.poke(io.drain.payload.function, function as u128);
        self.bench.sim.poke(io.drain.payload.slot, slot as u128);
        self.used.drive(&mut self.bench);
        self.read_data.drive(&mut self.bench);

        let sent = self.used.sent;
        self.used.sample(&mut self.bench);
        self.read_data.sample(&mut self.bench);
        (sent..self.used.sent).for_each(|_| {
            self.queued.pop_front();
        });
        let valid = |world: &mut World, it: Bool| world.bench.sim.peek(it);
        self.look_up();
        if write && valid(self, io.write.valid) {
            let command = self.bench.sim.peek_wide(&io.write.payload);
            self.begin_write(&command);
        }
        if data && valid(self, io.write_data.valid) {
            let beat = self.bench.sim.peek_wide(&io.write_data.payload);
            self.take_data(&beat);
        }
        if read && valid(self, io.read.valid) {
            let command = self.bench.sim.peek_wide(&io.read.payload);
            let (queue, address, length) = self.command(&command);
            self.reads += 1;
            let at = self.arrival();
            self.link.push_back((at, Travelling::Read { queue, address, length }));
        }
        if notice && valid(self, io.notice.valid) {
            let it = self.bench.sim.peek_wide(&io.notice.payload);
            let queue = self.queue(&it, 24);
            assert!(!self.drains.is_empty() || self.rings.contains_key(&queue));
            let ring = self.rings.get_mut(&queue).unwrap();
            assert_eq!(field(&it, 8, 16), u64::from(ring.vector));
            ring.notice();
            self.notices.push((queue, ring.vector, field(&it, 0, 8) as usize));
        }
        if fault && valid(self, io.fault.valid) {
            let it = self.bench.sim.peek_wide(&io.fault.payload);
            assert_eq!(field(&it, 0, 3), 0, "an access");
            let queue = self.queue(&it, 3);
            assert!(self.failed.contains(&queue), "a fault of {queue:?} without a reason");
            assert!(!self.faults.contains(&queue), "a second fault of {queue:?}");
            self.faults.push(queue);
            self.told += 1;
            self.close(queue);
        }
        if drain.is_some() && valid(self, io.drain.ready) {
            self.finish_drain();
        }
        for (queue, ring) in &mut self.rings {
            let acts = self.bench.rng.f64() < self.paces.driver;
            if acts && !self.closed.contains(queue) {
                ring.step(&mut self.bench.rng);
            }
        }
        self.bench.cycle(&mut []);
    }

    fn queue(&self, it: &Word, low: usize) -> Number {
        let bits = function_bits(&self.config);
        (field(it, low, bits) as usize, field(it, low + bits, slot_bits(&self.config)) as usize)
    }

    fn look_up(&mut self) {
        let io = self.io;
        let found = self.bench.sim.peek(io.lookup.valid).then(|| {
            let it = self.bench.sim.peek_wide(&io.lookup.payload);
            let setting = field(&it, 0, 3) as usize;
            assert!(setting != Setting::Size as usize || setting == 6);
            self.setting(self.queue(&it, 3), setting)
        });
        self.lookups.push_back(found);
    }

    fn command(&self, it: &Word) -> (Number, u64, usize) {
        let address = field(it, 1 + LENGTH_BITS, 64);
        let function = field(it, 65 + LENGTH_BITS, function_bits(&self.config)) as usize;
        let queue = World::queue_at(address);
        assert_eq!(queue.0, function, "in the name of the function");
        assert!(!it[0], "not relaxed");
        assert!(self.rings.contains_key(&queue), "DMA for a queue that is not there");
        (queue, address, field(it, 1, LENGTH_BITS) as usize)
    }

    fn arrival(&mut self) -> usize {
        let after = self.link.back().map_or(0, |(at, _)| *at);
        after.max(self.cycle + 1 + self.bench.rng.usize(..=self.paces.travel))
    }

    fn begin_write(&mut self, command: &Word) {
        let (queue, address, length) = self.command(command);
        assert!(length > 0);
        self.commands += 1;
        self.writings.push_back(Writing { queue, address, length, bytes: vec![] });
    }

    fn take_data(&mut self, beat: &Word) {
        let bytes = self.config.bytes;
        let count_bits = clog2(bytes + 1);
        let count = field(beat, 2, count_bits) as usize;
        let writing = self.writings.back_mut().unwrap();
        writing.bytes.extend((0..count).map(|i| field(beat, 2 + count_bits + 8 * i, 8) as u8));
        assert_eq!(beat[1], writing.bytes.len() == writing.length, "a frame of the command's length");
        assert!(beat[1] || count == bytes);
        if !beat[1] {
            return;
        }
        assert!(!beat[0]);
        // In packets of up to 128 bytes, of which a reader may see one half before the other, 16 bytes at a time.
        let Writing { queue, address, bytes, .. } = self.writings.pop_back().unwrap();
        let stops = self.stopped[queue.0];
        if !stops {
            let mut from = 0;
            while from < bytes.len() {
                let rest = 16 - (address as usize + from) % 16;
                let to = bytes.len().min(from + rest);
                let travelling = Travelling::Write {
                    queue,
                    address: address + from as u64,
                    bytes: bytes[from..to].to_vec(),
                };
                let at = self.arrival();
                self.link.push_back((at, travelling));
                from = to;
            }
        }
        let outcome = if stops { Outcome::Stopped } else { Outcome::Success };
        let after = self.dones.back().map_or(0, |(at, _)| *at);
        let at = after.max(self.cycle) + 1 + self.bench.rng.usize(..=self.paces.done);
        self.dones.push_back((at, outcome));
    }

    /// What has arrived is done.
    fn travel(&mut self) {
        while self.link.front().is_some_and(|(at, _)| *at <= self.cycle) {
            self.arrive();
        }
    }

    fn arrive(&mut self) {
        match self.link.pop_front().unwrap().1 {
            Travelling::Write { queue, address, bytes } => {
                self.rings.get_mut(&queue).unwrap().write(address, &bytes);
            }
            Travelling::Read { queue, address, length } => {
                let (stops, fails) = (self.stopped[queue.0], self.failing[queue.0] && self.bench.rng.bool());
                let outcome = match (stops, fails) {
                    (true, _) => Outcome::Stopped,
                    (_, true) => {
                        self.failed.push(queue);
                        let all =
                            [Outcome::Unsupported, Outcome::Aborted, Outcome::Poisoned, Outcome::TimedOut];
                        all[self.bench.rng.usize(..4)]
                    }
                    _ => Outcome::Success,
                };
                let ring = self.rings.get_mut(&queue).unwrap();
                let data = if !stops && !fails {
                    ring.read(address, length)
                } else {
                    ring.read_fails();
                    vec![0; if self.bench.rng.bool() { length } else { 0 }]
                };
                let bytes = self.config.bytes;
                let mut beat = word(outcome as u64, 3);
                beat.push(true);
                beat.extend(word(data.len() as u64, clog2(bytes + 1)));
                data.iter().for_each(|byte| beat.extend(word((*byte).into(), 8)));
                (data.len()..bytes).for_each(|_| beat.extend(word(self.bench.rng.u8(..).into(), 8)));
                let after = self.answers.back().map_or(0, |(at, _)| *at);
                let latency = self.paces.answer / 2 + self.bench.rng.usize(..=self.paces.answer / 2);
                self.answers.push_back((after.max(self.cycle + latency), beat));
            }
        }
    }

    /// The block is done with the queue: what is under way has been handed over, and nothing may follow.
    fn finish_drain(&mut self) {
        let queue = self.drains.pop_front().unwrap();
        assert!(
            self.writings.is_empty() || self.writings.iter().all(|it| it.queue != queue),
            "a write is half done"
        );
        let reads = self
            .link
            .iter()
            .any(|(_, it)| matches!(it, Travelling::Read { queue: other, .. } if *other == queue));
        assert!(!reads, "a read is under way");
        while self
            .link
            .iter()
            .any(|(_, it)| matches!(it, Travelling::Write { queue: other, .. } if *other == queue))
        {
            self.arrive();
        }
        let fails = self.failed.contains(&queue) && !self.stopped[queue.0];
        assert!(
            !fails || self.faults.contains(&queue) || self.failed_late(queue),
            "a fault that nobody heard of"
        );
        self.failed.retain(|it| *it != queue);
        self.faults.retain(|it| *it != queue);
        self.closed.retain(|it| *it != queue);
        self.rings.remove(&queue);
        self.drained += 1;
    }

    /// Failures while a queue is drained are not told.
    fn failed_late(&self, queue: Number) -> bool {
        self.closed.contains(&queue)
    }

    /// Everything that was given has been taken.
    pub fn is_done(&self) -> bool {
        self.drains.is_empty() && self.rings.values().all(|ring| ring.outstanding() == 0)
    }

    pub fn finish(&mut self, limit: usize) {
        for _ in 0..limit {
            if self.is_done() {
                return;
            }
            self.step();
        }
        let stuck: Vec<_> = self
            .rings
            .iter()
            .filter(|(_, ring)| ring.outstanding() > 0)
            .map(|(queue, ring)| (queue, ring.kind, ring.driver == Driver::Asleep, ring.outstanding()))
            .collect();
        panic!("stuck: {stuck:?}, drains {:?}", self.drains);
    }

    /// All notices that are wanted have come.
    pub fn check_notices(&mut self) {
        (0..3000).for_each(|_| self.step());
        for (queue, ring) in &self.rings {
            assert!(!ring.is_exact() || ring.notices == ring.wanted, "{queue:?}: notices");
        }
    }
}
