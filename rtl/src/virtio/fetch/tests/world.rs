//! The core with a host, drivers, registers and a store around it.

use super::{
    driver::{Crime, Direction, Ring, Settings, Wanted},
    host::{Access, Host},
    *,
};
use crate::{
    testing::*,
    virtio::{
        queues::{queues, slot_bits},
        types::{Cause, Word as Setting},
    },
};
use std::collections::VecDeque;

/// A descriptor in the store.
#[derive(Clone, Copy)]
struct Stored {
    last: bool,
    bad: bool,
    id: u16,
}

/// A queue of a function.
pub struct Lane {
    pub function: usize,
    pub slot: usize,
    pub ring: Ring,
    /// A doorbell on its way, and when it comes.
    bell: Option<(usize, Option<u16>)>,
    store: VecDeque<Stored>,
    /// The client has begun a buffer.
    pops: bool,
    used: VecDeque<(usize, u16)>,
    /// The store has the beginning of a buffer.
    open: bool,
    pub got: usize,
    pub fault: Option<Cause>,
    /// Its function stops, it is drained or its memory is bad: anything may be the last that comes.
    pub ends: bool,
    ended: bool,
}

pub struct World {
    pub bench: Bench,
    pub io: FetchIo,
    pub config: Config,
    pub host: Host,
    pub lanes: Vec<Lane>,
    pub time: usize,
    /// How fast: drivers' steps, the store's clients, streams that the core waits for.
    pub pace: (f64, f64, f64),
    pub draining: Option<usize>,
    drained: bool,
    offered: Option<(usize, Option<u16>)>,
    found: VecDeque<Option<u32>>,
    command: Option<Access>,
    taken: Option<usize>,
    pub bells: usize,
}

impl World {
    pub fn new(config: &Config, threads: usize, latency: (usize, usize), seed: u64) -> World {
        let (bench, io) = Bench::new(|| fetch(config, threads), seed);
        World {
            bench,
            io,
            config: config.clone(),
            host: Host::new(latency),
            lanes: vec![],
            time: 0,
            pace: (0.3, 0.3, 0.7),
            draining: None,
            drained: false,
            offered: None,
            found: vec![None; 2].into(),
            command: None,
            taken: None,
            bells: 0,
        }
    }

    pub fn direction(&self, slot: usize) -> Direction {
        match slot {
            slot if slot + 1 == queues(&self.config) => Direction::Control,
            slot if slot % 2 == 1 => Direction::Transmit,
            _ => Direction::Receive,
        }
    }

    /// A queue begins to live.
    pub fn open(&mut self, function: usize, slot: usize, settings: Settings) {
        let base =
            ((function as u64) << 40) + ((slot as u64) << 32) + 0xFFFF_0000_0000_0000 * (slot as u64 & 1);
        let direction = self.direction(slot);
        let ring = Ring::new(&mut self.host.memory, base, settings, direction, &mut self.bench.rng);
        let lane = Lane {
            function,
            slot,
            ring,
            bell: Some((self.time, None)),
            store: VecDeque::new(),
            pops: false,
            used: VecDeque::new(),
            open: false,
            got: 0,
            fault: None,
            ends: false,
            ended: false,
        };
        match self.lane(function, slot) {
            Some(index) => self.lanes[index] = lane,
            None => self.lanes.push(lane),
        }
    }

    fn lane(&self, function: usize, slot: usize) -> Option<usize> {
        self.lanes.iter().position(|lane| (lane.function, lane.slot) == (function, slot))
    }

    fn number(&self, lane: usize) -> usize {
        self.lanes[lane].function << slot_bits(&self.config) | self.lanes[lane].slot
    }

    pub fn is_busy(&mut self, lane: usize) -> bool {
        let number = self.number(lane);
        self.bench.sim.peek_wide(&self.io.busy)[number]
    }

    fn setting(&self, function: usize, slot: usize, word: Setting) -> u32 {
        let ring = &self.lanes[self.lane(function, slot).expect("a queue that lives")].ring;
        let Settings { packed, event_index, indirect, notification_data, size } = ring.settings;
        match word {
            Setting::Descriptors => ring.descriptors as u32,
            Setting::DescriptorsHigh => (ring.descriptors >> 32) as u32,
            Setting::Driver => ring.driver as u32,
            Setting::DriverHigh => (ring.driver >> 32) as u32,
            Setting::Device => ring.device as u32,
            Setting::DeviceHigh => (ring.device >> 32) as u32,
            Setting::Size => 0xFFFF_0000 | u32::from(size),
            Setting::Mode => {
                let bits = [packed, event_index, indirect, false, notification_data, false, true, false];
                bits.iter().fold(0, |word, bit| word << 1 | u32::from(*bit))
            }
        }
    }

    /// A descriptor has come.
    fn receive(&mut self) {
        let part = self.io.descriptor.payload.part;
        let (function, slot) = self.queue(self.io.descriptor.payload.queue);
        let sim = &mut self.bench.sim;
        let stored =
            Stored { last: sim.peek(part.last), bad: sim.peek(part.bad), id: sim.peek(part.id) as u16 };
        let places = sim.peek(part.places) as u16;
        let got = Wanted {
            address: sim.peek(part.address) as u64,
            length: sim.peek(part.length) as u16,
            writable: sim.peek(part.writable),
            end: stored.last.then_some((stored.id, places)),
        };
        let index = self.lane(function, slot).expect("a queue that lives");
        let lane = &mut self.lanes[index];
        let what = format!("cycle {}: {function}.{slot}, {:?}", self.time, lane.ring.settings);
        assert!(!lane.ended, "{what}: nothing comes after the end");
        if stored.bad {
            assert!(stored.last && lane.open, "{what}: a bad part is the end of a buffer");
            assert!(
                lane.ends || lane.ring.criminal.is_some() && lane.ring.wanted.is_empty(),
                "{what}: a bad part"
            );
            lane.ended = true;
        } else {
            let wanted =
                lane.ring.wanted.pop_front().unwrap_or_else(|| panic!("{what}: {got:x?} is nothing"));
            // Places count in packed rings only.
            let end = wanted.end.map(|(id, places)| {
                (id, if lane.ring.settings.packed { places } else { got.end.unwrap_or((0, 0)).1 })
            });
            assert_eq!(got, Wanted { end, ..wanted }, "{what}");
        }
        lane.open = !stored.last;
        lane.got += 1;
        lane.store.push_back(stored);
        assert!(lane.store.len() <= self.config.prefetch, "{what}: there is room");
    }

    fn queue(&mut self, queue: Queue) -> (usize, usize) {
        (self.bench.sim.peek(queue.function) as usize, self.bench.sim.peek(queue.slot) as usize)
    }

    fn poke_queue(&mut self, queue: Queue, lane: usize) {
        self.bench.sim.poke(queue.function, self.lanes[lane].function as u128);
        self.bench.sim.poke(queue.slot, self.lanes[lane].slot as u128);
    }

    /// The store's clients: they begin a buffer that is whole, or has filled its queue's places.
    fn pop(&mut self) {
        let batch = self.config.prefetch / 2;
        let draining = self.draining;
        let (time, rng) = (self.time, &mut self.bench.rng);
        if self.lanes.is_empty() || rng.f64() >= self.pace.1 || time % 2 == 1 {
            return;
        }
        let index = rng.usize(0..self.lanes.len());
        let lane = &mut self.lanes[index];
        let may_begin = lane.store.len() > batch || lane.store.iter().any(|it| it.last);
        if !lane.pops && !may_begin {
            return;
        }
        let Some(Stored { last, bad, id }) = lane.store.pop_front() else { return };
        lane.pops = !last;
        if last && !bad && draining != Some(index) {
            let due = lane.used.back().map_or(0, |used| used.0).max(time + rng.usize(1..100));
            lane.used.push_back((due, id));
        }
        self.taken = Some(index);
    }

    fn drivers(&mut self) {
        let time = self.time;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let rng = &mut self.bench.rng;
            if self.draining == Some(index) || rng.f64() >= self.pace.0 {
                continue;
            }
            if let Some(index) = lane.ring.step(&mut self.host.memory) {
                lane.bell = Some((time + rng.usize(1..30), index));
                self.bells += 1;
            }
            if lane.used.front().is_some_and(|used| used.0 <= time) {
                let (_, id) = lane.used.pop_front().unwrap();
                lane.ring.used(&mut self.host.memory, id);
            }
        }
    }

    pub fn cycle(&mut self) {
        self.time += 1;
        self.drivers();
        self.host.cycle(&mut self.bench.rng);
        let (io, bytes) = (self.io.clone(), self.config.bytes);

        // Doorbells.
        if self.offered.is_none() {
            let due = |lane: &Lane| lane.bell.is_some_and(|bell| bell.0 <= self.time);
            let start = self.bench.rng.usize(0..self.lanes.len().max(1));
            let mut order = (0..self.lanes.len()).map(|i| (i + start) % self.lanes.len());
            self.offered = order
                .find(|index| due(&self.lanes[*index]))
                .map(|index| (index, self.lanes[index].bell.take().unwrap().1));
        }
        self.bench.sim.poke(io.doorbell.valid, self.offered.is_some());
        if let Some((lane, index)) = self.offered {
            self.poke_queue(io.doorbell.payload.queue, lane);
            self.bench.sim.poke(io.doorbell.payload.has_index, index.is_some());
            self.bench.sim.poke(io.doorbell.payload.index, index.unwrap_or(0xBAD).into());
        }
        let bell_waits = self.offered.map(|offered| offered.0);
        let drain = self.draining.filter(|lane| bell_waits != Some(*lane));
        self.bench.sim.poke(io.drain.valid, drain.is_some());
        if let Some(lane) = drain {
            self.poke_queue(io.drain.payload, lane);
        }
        self.bench.sim.poke(io.taken.valid, self.taken.is_some());
        if let Some(lane) = self.taken.take() {
            self.poke_queue(io.taken.payload, lane);
        }

        // The registers' answer.
        let rng = &mut self.bench.rng;
        let found = self.found.pop_front().flatten().unwrap_or_else(|| rng.u32(..));
        self.bench.sim.poke(io.found, found.into());

        // The engines.
        let beat = self.host.beat(bytes, rng);
        let written = self.host.written();
        let readies = [(); 4].map(|()| rng.f64() < self.pace.2);
        let sim = &mut self.bench.sim;
        sim.poke(io.read_data.valid, beat.is_some());
        if let Some(beat) = beat {
            let mut data = beat.data.clone();
            data.resize_with(bytes, || rng.u8(..));
            sim.poke_wide(
                &io.read_data.payload.data,
                &data.iter().flat_map(|byte| word((*byte).into(), 8)).collect::<Word>(),
            );
            sim.poke(io.read_data.payload.count, beat.data.len() as u128);
            sim.poke(io.read_data.payload.last, beat.last);
            sim.poke(io.read_data.payload.outcome, beat.outcome);
        }
        sim.poke(io.written.valid, written.is_some());
        sim.poke(io.written.payload, written.unwrap_or(Outcome::Success));
        sim.poke(io.read.ready, readies[0]);
        sim.poke(io.write.ready, readies[1] && self.command.is_none());
        sim.poke(io.write_data.ready, readies[2] && self.command.is_some());
        sim.poke(io.descriptor.ready, true);
        sim.poke(io.fault.ready, readies[3]);

        // What came of it.
        let lookup = io.lookup.payload;
        let asks = sim.peek(io.lookup.valid).then(|| sim.peek(lookup.word));
        let found = asks.map(|setting| {
            let (function, slot) = self.queue(lookup.queue);
            self.setting(function, slot, setting)
        });
        self.found.push_back(found);
        if self.bench.sim.peek(io.doorbell.ready) {
            self.offered = None;
        }
        self.drained = drain.is_some() && self.bench.sim.peek(io.drain.ready);
        if readies[0] && self.bench.sim.peek(io.read.valid) {
            let access = self.access(&io.read.payload);
            self.host.read(&mut self.bench.rng, access);
        }
        if self.command.is_some() && readies[2] && self.bench.sim.peek(io.write_data.valid) {
            let access = self.command.take().unwrap();
            let sim = &mut self.bench.sim;
            let (count, last) = (sim.peek(io.write_data.payload.count), sim.peek(io.write_data.payload.last));
            assert!(count == access.length as u128 && last && !sim.peek(io.write_data.payload.error));
            let data = sim.peek_wide(&io.write_data.payload.data);
            let data = (0..access.length).map(|i| field(&data, 8 * i, 8) as u8).collect();
            self.host.write(&mut self.bench.rng, access, data);
        } else if self.command.is_none() && readies[1] && self.bench.sim.peek(io.write.valid) {
            self.command = Some(self.access(&io.write.payload));
        }
        if self.bench.sim.peek(io.descriptor.valid) {
            self.receive();
        }
        if readies[3] && self.bench.sim.peek(io.fault.valid) {
            let (function, slot) = self.queue(io.fault.payload.queue);
            let cause = self.bench.sim.peek(io.fault.payload.cause);
            let index = self.lane(function, slot).unwrap();
            let lane = &mut self.lanes[index];
            assert_eq!(lane.fault.replace(cause), None, "one fault");
            let may = lane.ends || lane.ring.criminal.is_some();
            assert!(
                may && (lane.ends || lane.ring.wanted.is_empty()),
                "{function}.{slot}: {cause:?} {:?}",
                lane.ring.settings
            );
        }
        self.pop();
        self.bench.cycle(&mut []);
    }

    fn access(&mut self, command: &Command) -> Access {
        let sim = &mut self.bench.sim;
        assert!(!sim.peek(command.relaxed));
        let function = sim.peek(command.function) as usize;
        let (address, length) = (sim.peek(command.address) as u64, sim.peek(command.length) as usize);
        assert!(length > 0 && length <= 16 * self.config.prefetch / 2, "{length} bytes");
        Access { function, address, length }
    }

    pub fn cycles(&mut self, cycles: usize) {
        (0..cycles).for_each(|_| self.cycle());
    }

    pub fn until(&mut self, limit: usize, done: impl Fn(&World) -> bool) {
        let start = self.time;
        while !done(self) {
            assert!(self.time < start + limit, "{}", self.report());
            self.cycle();
        }
    }

    fn report(&self) -> String {
        let lane = |lane: &Lane| {
            let (ring, store) = (&lane.ring, lane.store.len());
            format!(
                "{}.{}: {:?}, {} wanted, {} got, {} in store, fault {:?}, crime {:?}\n",
                lane.function,
                lane.slot,
                ring.settings,
                ring.wanted.len(),
                lane.got,
                store,
                lane.fault,
                ring.criminal
            )
        };
        format!("it does not come to an end\n{}", self.lanes.iter().map(lane).collect::<String>())
    }

    /// All that drivers made available has come.
    pub fn is_done(&self) -> bool {
        self.lanes.iter().all(|lane| {
            lane.ring.is_quiet()
                && lane.ring.wanted.is_empty()
                && lane.store.is_empty()
                && lane.used.is_empty()
        })
    }

    /// Drains a queue as the registers do: the core, then the store.
    pub fn drain(&mut self, lane: usize) {
        self.lanes[lane].ends = true;
        self.lanes[lane].bell = None;
        self.draining = Some(lane);
        let start = self.time;
        loop {
            self.cycle();
            if self.drained {
                break;
            }
            assert!(self.time < start + 20_000, "the drain ends");
        }
        self.drained = false;
        assert!(!self.lanes[lane].open, "a buffer that has begun has an end");
        assert!(!self.is_busy(lane), "nothing is on its way");
        // What is in the store is forgotten.
        let pace = std::mem::replace(&mut self.pace.1, 0.0);
        self.lanes[lane].ended = true;
        let drained = self.draining.take();
        self.cycle();
        while self.lanes[lane].store.pop_front().is_some() {
            self.taken = drained;
            self.cycle();
            self.cycle();
        }
        self.pace.1 = pace;
    }

    /// A queue lives again, with another ring.
    pub fn reopen(&mut self, lane: usize) {
        let settings = super::settings(&mut self.bench.rng);
        let (function, slot) = (self.lanes[lane].function, self.lanes[lane].slot);
        self.open(function, slot, settings);
    }

    /// It is drained, and lives again.
    pub fn again(&mut self, lane: usize) {
        self.drain(lane);
        self.reopen(lane);
    }

    /// The driver rings for nothing.
    pub fn ring(&mut self, lane: usize) {
        self.lanes[lane].bell = Some((self.time, None));
    }

    /// For so many cycles drivers add buffers at random, of up to `longest` parts.
    pub fn load(&mut self, cycles: usize, longest: usize) {
        for _ in 0..cycles {
            let rng = &mut self.bench.rng;
            let index = rng.usize(0..self.lanes.len());
            let lane = &mut self.lanes[index];
            if lane.ring.criminal.is_none()
                && lane.fault.is_none()
                && lane.ring.is_quiet()
                && rng.u8(0..4) == 0
            {
                let many = if rng.bool() { 1 } else { rng.usize(1..20) };
                for _ in 0..many {
                    let longest = longest.min(lane.ring.settings.size.into());
                    let parts = match rng.u8(0..4) {
                        0 => rng.usize(1..=longest),
                        1 => rng.usize(1..=longest.min(3)),
                        _ => 1,
                    };
                    lane.ring.add(parts, rng);
                }
                lane.ring.notify();
            }
            self.cycle();
        }
    }

    pub fn commit(&mut self, lane: usize, crime: Crime) -> bool {
        let rng = &mut self.bench.rng;
        let ring = &mut self.lanes[lane].ring;
        let Settings { packed, indirect, notification_data, size, .. } = ring.settings;
        let size = usize::from(size);
        let parts = if crime == Crime::Loop && packed { size } else { rng.usize(2..6).min(size) };
        let fits = match crime {
            Crime::Head => !packed,
            Crime::Index => !packed && !notification_data && ring.wanted.is_empty(),
            Crime::Next => !packed && parts < size,
            Crime::Loop => size < 300,
            Crime::NotNegotiated => !indirect,
            Crime::Nested | Crime::Length => indirect && parts > 1,
            Crime::Torn => packed && parts > 1,
            Crime::Direction => parts > 1,
            Crime::Empty => true,
        };
        let done = fits && ring.add_with(parts, Some(crime), rng);
        if done {
            ring.notify();
        }
        done
    }
}
