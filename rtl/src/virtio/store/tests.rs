use super::*;
use crate::{testing::*, virtio::queues::queues};
use std::collections::VecDeque;

fn tiny() -> Config {
    Config { prefetch: 8, vfs: 0, pairs: 1, ..Config::small() }
}

#[test]
fn elaborates() {
    let most = Config { prefetch: 64, pairs: 4, vfs: 62, ..Config::small() };
    for config in Config::all().into_iter().chain([tiny(), most]) {
        elaborate(|| store(&config)).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    address: u64,
    length: u16,
    writable: bool,
    last: bool,
    bad: bool,
    id: u16,
    places: u16,
}

/// A queue, as the test knows it.
struct Model {
    function: usize,
    slot: usize,
    entries: VecDeque<Entry>,
    /// Places that are not known to be free.
    held: usize,
    /// Parts until the buffer that is being pushed ends.
    rest: usize,
    /// The client has begun a buffer.
    pops: bool,
    /// The cycle of the last push.
    pushed: usize,
}

impl Model {
    /// What `chains` says when nothing moves.
    fn chains(&self, config: &Config) -> bool {
        self.entries.iter().any(|entry| entry.last) || self.is_full(config)
    }

    fn is_full(&self, config: &Config) -> bool {
        self.entries.len() > config.prefetch / 2
    }

    fn has_plenty(&self, config: &Config) -> bool {
        self.entries.iter().filter(|entry| entry.last).count() >= plenty(config) || self.is_full(config)
    }

    /// Bytes of whole buffers.
    fn bytes(&self) -> usize {
        let whole = self.entries.iter().rposition(|entry| entry.last).map_or(0, |last| last + 1);
        self.entries.iter().take(whole).map(|entry| usize::from(entry.length)).sum()
    }
}

struct World {
    bench: Bench,
    io: StoreIo,
    config: Config,
    models: Vec<Model>,
    time: usize,
    /// The pop on offer of each client, then the cycle in which it was taken.
    offers: [Option<usize>; CLIENTS],
    waits: [Option<(usize, usize)>; CLIENTS],
    /// Cycles since the last push.
    pushed: usize,
    draining: Option<usize>,
    measures: VecDeque<Option<(usize, bool)>>,
    /// How likely a push, and a pop.
    pace: (f64, f64),
    /// Descriptors that came out, checks of `chains`, checks of `measured`.
    counts: [usize; 3],
    /// The least and the most cycles from a pop to its descriptor.
    latency: (usize, usize),
}

impl World {
    fn new(config: &Config, pace: (f64, f64), seed: u64) -> World {
        let (bench, io) = Bench::new(|| store(config), seed);
        let functions = (0..config.functions()).filter(|it| *it != 1);
        let all = functions.flat_map(|function| (0..queues(config)).map(move |slot| (function, slot)));
        let model = |(function, slot)| Model {
            function,
            slot,
            entries: VecDeque::new(),
            held: 0,
            rest: 0,
            pops: false,
            pushed: 0,
        };
        let models = all.take(8).map(model).collect();
        let mut world = World {
            bench,
            io,
            config: config.clone(),
            models,
            time: 0,
            offers: [None; CLIENTS],
            waits: [None; CLIENTS],
            pushed: 0,
            draining: None,
            measures: vec![None; 2].into(),
            pace,
            counts: [0; 3],
            latency: (usize::MAX, 0),
        };
        for _ in 0..2 * queue_count(config) + 4 {
            world.bench.cycle(&mut []);
        }
        world
    }

    fn client(&self, model: usize) -> usize {
        match self.models[model].slot {
            slot if slot + 1 == queues(&self.config) => 2,
            slot => 1 - slot % 2,
        }
    }

    fn number(&self, model: usize) -> usize {
        let model = &self.models[model];
        model.function << crate::virtio::queues::slot_bits(&self.config) | model.slot
    }

    fn poke_queue(&mut self, queue: Queue, model: usize) {
        self.bench.sim.poke(queue.function, self.models[model].function as u128);
        self.bench.sim.poke(queue.slot, self.models[model].slot as u128);
    }

    fn model(&mut self, queue: Queue) -> usize {
        let function = self.bench.sim.peek(queue.function) as usize;
        let slot = self.bench.sim.peek(queue.slot) as usize;
        self.models
            .iter()
            .position(|model| (model.function, model.slot) == (function, slot))
            .expect("a queue in use")
    }

    fn push(&mut self) {
        let rng = &mut self.bench.rng;
        let index = rng.usize(..self.models.len());
        let has_room = self.models[index].held < self.config.prefetch;
        let pushes = self.pushed >= 3 && has_room && self.draining != Some(index) && rng.f64() < self.pace.0;
        self.pushed = if pushes { 0 } else { self.pushed + 1 };
        self.bench.sim.poke(self.io.push.valid, pushes);
        if !pushes {
            return;
        }
        let model = &mut self.models[index];
        if model.rest == 0 {
            model.rest =
                if rng.u8(0..4) == 0 { rng.usize(1..3 * self.config.prefetch) } else { rng.usize(1..3) };
        }
        model.rest -= 1;
        let last = model.rest == 0;
        let bad = last && rng.u8(0..8) == 0;
        let length = if bad { 0 } else { [rng.u16(1..2000), u16::MAX][usize::from(rng.u8(0..4) == 0)] };
        let (address, writable, id, places) = (rng.u64(..), rng.bool(), rng.u16(..), rng.u16(..1025));
        let entry = Entry { address, length, writable, last, bad, id, places };
        model.entries.push_back(entry);
        model.held += 1;
        model.pushed = self.time;
        let part = self.io.push.payload.part;
        self.poke_queue(self.io.push.payload.queue, index);
        let sim = &mut self.bench.sim;
        sim.poke(part.address, address.into());
        sim.poke(part.length, length.into());
        sim.poke(part.writable, writable);
        sim.poke(part.last, last);
        sim.poke(part.bad, bad);
        sim.poke(part.id, id.into());
        sim.poke(part.places, places.into());
    }

    /// A client goes on with its buffer, or begins one where `chains` says so.
    fn pop(&mut self, client: usize) {
        if self.offers[client].is_none() && self.waits[client].is_none() && self.bench.rng.f64() < self.pace.1
        {
            let chains = self.bench.sim.peek_wide(&self.io.chains);
            let start = self.bench.rng.usize(..self.models.len());
            let mine = (0..self.models.len()).map(|i| (i + start) % self.models.len());
            let mine: Vec<usize> = mine.filter(|model| self.client(*model) == client).collect();
            let begun = mine.iter().find(|model| self.models[**model].pops);
            let may_begin = |model: &&usize| chains[self.number(**model)] && self.draining != Some(**model);
            self.offers[client] = begun.or_else(|| mine.iter().find(may_begin)).copied();
        }
        let pop = self.io.pop[client];
        self.bench.sim.poke(pop.valid, self.offers[client].is_some());
        if let Some(model) = self.offers[client] {
            self.models[model].pops = true;
            self.poke_queue(pop.payload, model);
        }
    }

    fn popped(&mut self, client: usize) {
        let popped = self.io.popped[client];
        if !self.bench.sim.peek(popped.valid) {
            return;
        }
        let (model, taken) = self.waits[client].take().expect("it was asked for");
        let latency = self.time - taken;
        assert!((3..=8).contains(&latency), "{latency} cycles");
        self.latency = (self.latency.0.min(latency), self.latency.1.max(latency));
        assert_eq!(self.model(popped.payload.queue), model);
        let (part, sim) = (popped.payload.part, &mut self.bench.sim);
        let got = Entry {
            address: sim.peek(part.address) as u64,
            length: sim.peek(part.length) as u16,
            writable: sim.peek(part.writable),
            last: sim.peek(part.last),
            bad: sim.peek(part.bad),
            id: sim.peek(part.id) as u16,
            places: sim.peek(part.places) as u16,
        };
        let it = &mut self.models[model];
        assert_eq!(Some(got), it.entries.pop_front());
        it.pops = !got.last;
        self.counts[0] += 1;
    }

    fn cycle(&mut self) {
        self.time += 1;
        self.push();
        (0..CLIENTS).for_each(|client| self.pop(client));
        let drain = self.io.drain;
        self.bench.sim.poke(drain.valid, self.draining.is_some());
        if let Some(model) = self.draining {
            self.poke_queue(drain.payload, model);
        }
        let measured = self.bench.rng.usize(..self.models.len());
        self.bench.sim.poke(self.io.measure.valid, true);
        self.poke_queue(self.io.measure.payload, measured);

        (0..CLIENTS).for_each(|client| self.popped(client));
        for client in 0..CLIENTS {
            if self.bench.sim.peek(self.io.pop[client].ready)
                && let Some(model) = self.offers[client].take()
            {
                self.waits[client] = Some((model, self.time));
            }
        }
        if self.bench.sim.peek(self.io.taken.valid) {
            let model = self.model(self.io.taken.payload);
            self.models[model].held = self.models[model].held.checked_sub(1).expect("it was there");
        }
        if self.draining.is_some() && self.bench.sim.peek(drain.ready) {
            let model = self.draining.take().unwrap();
            self.models[model].entries.clear();
        }

        // Queues in which nothing moves, or of which a descriptor has just come out.
        let chains = self.bench.sim.peek_wide(&self.io.chains);
        let has_plenty = self.bench.sim.peek_wide(&self.io.plenty);
        let rests = |index: usize| {
            let is_popped =
                self.offers.contains(&Some(index)) || self.waits.iter().flatten().any(|it| it.0 == index);
            self.time > self.models[index].pushed + 5 && !is_popped && self.draining != Some(index)
        };
        for (index, model) in self.models.iter().enumerate().filter(|(index, _)| rests(*index)) {
            let (number, cycle) = (self.number(index), self.time);
            assert_eq!(has_plenty[number], model.has_plenty(&self.config), "cycle {cycle}");
            assert_eq!(chains[number], model.chains(&self.config), "cycle {cycle}");
            self.counts[1] += usize::from(model.chains(&self.config));
        }
        let model = &self.models[measured];
        let bytes = rests(measured).then(|| (model.bytes(), model.is_full(&self.config)));
        self.measures.push_back(bytes);
        if let Some((bytes, full)) = self.measures.pop_front().flatten() {
            assert_eq!(self.bench.sim.peek(self.io.measured.full), full, "cycle {}", self.time);
            assert_eq!(
                self.bench.sim.peek(self.io.measured.bytes),
                bytes.min(131_071) as u128,
                "cycle {}",
                self.time
            );
            self.counts[2] += 1;
        }
        self.bench.cycle(&mut []);
    }

    /// Drains a queue whose last buffer has an end and that nobody pops, if there is one soon.
    fn drain(&mut self) -> bool {
        let is_ready = |world: &World, index: usize| {
            let model = &world.models[index];
            model.rest == 0 && !model.pops && !world.offers.contains(&Some(index))
        };
        for _ in 0..300 {
            self.draining = (0..self.models.len()).find(|index| is_ready(self, *index));
            if self.draining.is_some() {
                break;
            }
            self.cycle();
        }
        let Some(index) = self.draining else { return false };
        let start = self.time;
        while self.draining.is_some() {
            self.cycle();
            assert!(self.time < start + 1000, "the drain ends");
        }
        (0..3).for_each(|_| self.cycle());
        assert!(self.models[index].held <= self.models[index].entries.len(), "all its places are free");
        true
    }
}

/// All descriptors come out once, in order, with the right `chains` and bytes; queues are drained in between.
#[test]
fn keeps_the_order_of_each_queue() {
    for (seed, config) in [(1, tiny()), (2, Config::small()), (3, Config { prefetch: 64, ..Config::small() })]
    {
        let mut counts = [0; 4];
        for (round, pace) in [(1.0, 1.0), (1.0, 0.05), (0.2, 1.0), (0.05, 0.3)].into_iter().enumerate() {
            let mut world = World::new(&config, pace, 10 * seed + round as u64);
            for _ in 0..30 {
                let cycles = world.bench.rng.usize(1..200);
                (0..cycles).for_each(|_| world.cycle());
                counts[3] += usize::from(world.drain());
            }
            (0..3).for_each(|i| counts[i] += world.counts[i]);
            println!("latency {:?}", world.latency);
        }
        assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
    }
}
