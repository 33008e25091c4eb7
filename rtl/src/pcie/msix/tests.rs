//! MSI-X against a model of 6.1.4 and 7.7.2 that gets the events in the order in which the block took them.

use super::*;
use crate::testing::{Bench, refusal};

/// Cycles from the one in which a scan begins to that in which it offers a command.
const SCAN: usize = TAKEN + 4;

/// From the last look at the settings of a function.
const LOOK: usize = SCAN + 2;

/// Within so many cycles after `done` an interrupt that was not sent is pending again.
const RETURN: usize = 100;

#[derive(Clone, Copy, Debug)]
struct Request {
    function: usize,
    offset: usize,
    /// Byte enables and data of a write.
    write: Option<(usize, u32)>,
}

#[derive(Clone, Debug)]
enum Event {
    Access(Request),
    Vector(usize, usize),
    Clear(usize, usize),
    Message(usize, u64, u32),
    /// The last message was not sent.
    Returned,
    Reset(usize),
}

/// The standard's rules for one function.
#[derive(Clone)]
struct Function {
    table: [[u32; 3]; VECTORS],
    masked: [bool; VECTORS],
    pending: [bool; VECTORS],
    last: usize,
}

impl Function {
    fn new() -> Function {
        Function { table: [[0; 3]; VECTORS], masked: [true; VECTORS], pending: [false; VECTORS], last: 0 }
    }

    fn access(&mut self, offset: usize, write: Option<(usize, u32)>) -> u32 {
        let (vector, word) = (offset / 16, offset % 16 / 4);
        let lanes = |enables: usize| {
            (0..4).map(|byte| (enables as u32 >> byte & 1) * (0xFF << (8 * byte))).sum::<u32>()
        };
        match (vector < VECTORS, word, write) {
            (true, 3, Some((enables, data))) => {
                self.masked[vector] = if enables & 1 == 1 { data & 1 == 1 } else { self.masked[vector] };
                0
            }
            (true, _, Some((enables, data))) => {
                let cell = &mut self.table[vector][word];
                *cell = *cell & !lanes(enables) | data & lanes(enables);
                self.table[vector][0] &= !3;
                0
            }
            (true, 3, None) => self.masked[vector].into(),
            (true, _, None) => self.table[vector][word],
            (false, _, None) if offset == PENDING_OFFSET => {
                (0..VECTORS).map(|vector| u32::from(self.pending[vector]) << vector).sum()
            }
            _ => 0,
        }
    }

    /// The next vector to be sent.
    fn next(&self) -> Option<usize> {
        let order = (1..=VECTORS).map(|step| (self.last + step) % VECTORS);
        order.into_iter().find(|vector| self.pending[*vector] && !self.masked[*vector])
    }
}

/// What happened in a test, with its cycle.
#[derive(Default)]
struct Log {
    events: Vec<(usize, Event)>,
    /// Of accesses, in their order.
    answers: Vec<u32>,
    /// Functions that could send, in each cycle.
    may_send: Vec<u128>,
}

impl Log {
    /// Checks everything, and returns the functions as they are in the end.
    fn replay(mut self, functions: usize) -> Vec<Function> {
        self.events.sort_by_key(|(time, _)| *time);
        let mut model = vec![Function::new(); functions];
        let mut answers = self.answers.iter();
        let mut last = (0, 0);
        // A pending bit that comes back some time.
        let mut returned: Option<(usize, usize, usize)> = None;
        for (time, event) in self.events {
            match event {
                Event::Access(Request { function, offset, write }) => {
                    let expected = model[function].access(offset, write);
                    let mut answer = *answers.next().expect("one for each access");
                    let is_pending = write.is_none() && offset == PENDING_OFFSET;
                    if let Some((since, of, vector)) = returned
                        && (is_pending, of) == (true, function)
                        && time < since + RETURN
                    {
                        answer = answer & !(1 << vector) | expected & (1 << vector);
                    }
                    assert_eq!(
                        answer, expected,
                        "cycle {time}: function {function}, {offset:#x}, {write:x?}"
                    );
                }
                Event::Vector(function, vector) => model[function].pending[vector] = true,
                Event::Clear(function, vector) => model[function].pending[vector] = false,
                Event::Returned => {
                    let (function, vector) = last;
                    model[function].pending[vector] = true;
                    returned = Some((time, function, vector));
                }
                Event::Reset(function) => model[function] = Function::new(),
                Event::Message(function, address, data) => {
                    assert!(
                        self.may_send[time - (LOOK - SCAN)] >> function & 1 == 1,
                        "cycle {time}: {function} may not send"
                    );
                    let it = &mut model[function];
                    let vector =
                        it.next().unwrap_or_else(|| panic!("cycle {time}: nothing to be sent by {function}"));
                    let [low, high, expected] = it.table[vector];
                    assert_eq!(
                        (address, data),
                        (u64::from(high) << 32 | u64::from(low), expected),
                        "cycle {time}"
                    );
                    it.pending[vector] = false;
                    it.last = vector;
                    last = (function, vector);
                }
            }
        }
        assert!(answers.next().is_none(), "an answer too many");
        model
    }
}

/// A write engine that has one message at a time.
#[derive(Default)]
struct Engine {
    /// Cycle in which the command was offered.
    offered: Option<usize>,
    command: Option<(usize, u64)>,
    data: Option<u32>,
    /// Cycles until it is done.
    rest: Option<usize>,
    /// One in so many is stopped; 0 for none.
    stops: usize,
}

/// The block and what stands around it.
struct World {
    bench: Bench,
    io: MsixIo,
    log: Log,
    cycle: usize,
    // What is on offer.
    access: Option<Request>,
    vector: Option<(usize, usize)>,
    clear: Option<(usize, usize)>,
    reset: Option<usize>,
    engine: Engine,
    /// How likely the engine takes something.
    pace: f64,
    /// MSI-X Enable, Function Mask, Bus Master Enable, stopped.
    settings: [u128; 4],
    /// Messages that were sent, and that were stopped.
    messages: [usize; 2],
    /// Cycle of the last that was stopped.
    stopped: usize,
}

const ENABLE: usize = 0;
const MASK: usize = 1;
const STOPPED: usize = 3;

impl World {
    fn new(config: &Config, seed: u64) -> World {
        let (bench, io) = Bench::new(|| msix(config), seed);
        let all = (1 << config.functions()) - 1;
        let mut world = World {
            bench,
            io,
            log: Log::default(),
            cycle: 0,
            access: None,
            vector: None,
            clear: None,
            reset: None,
            engine: Engine::default(),
            pace: 1.0,
            settings: [all, 0, all, 0],
            messages: [0; 2],
            stopped: 0,
        };
        let cycles = (0..5000).find(|_| {
            world.cycle();
            world.bench.sim.peek(world.io.cleared)
        });
        assert_eq!(cycles, Some(config.functions() * VECTORS * WORDS - 1));
        world
    }

    fn set(&mut self, setting: usize, function: usize, value: bool) {
        let bits = &mut self.settings[setting];
        *bits = *bits & !(1 << function) | u128::from(value) << function;
    }

    fn drive(&mut self) {
        let (sim, io) = (&mut self.bench.sim, &self.io);
        let [enable, mask, master, stopped] = self.settings;
        self.log.may_send.push(enable & !mask & master & !stopped);
        sim.poke(io.msix_enable, enable);
        sim.poke(io.msix_mask, mask);
        sim.poke(io.bus_master, master);
        sim.poke(io.stopped, stopped);
        sim.poke(io.access.valid, self.access.is_some());
        if let Some(Request { function, offset, write }) = self.access {
            let (enables, data) = write.unwrap_or((15, 0xDEAD_BEEF));
            sim.poke(io.access.payload.function, function as u128);
            sim.poke(io.access.payload.offset, offset as u128);
            sim.poke(io.access.payload.write, write.is_some());
            sim.poke(io.access.payload.enables, enables as u128);
            sim.poke(io.access.payload.data, data.into());
        }
        for (stream, value) in [(&io.vector, self.vector), (&io.clear, self.clear)] {
            let (function, vector) = value.unwrap_or_default();
            sim.poke(stream.valid, value.is_some());
            sim.poke(stream.payload.function, function as u128);
            sim.poke(stream.payload.vector, vector as u128);
        }
        sim.poke(io.reset.valid, self.reset.is_some());
        sim.poke(io.reset.payload, self.reset.unwrap_or(0) as u128);
    }

    /// Notes what was taken, and what was answered.
    fn observe(&mut self) {
        let (sim, io) = (&mut self.bench.sim, &self.io);
        let mut taken = vec![];
        if sim.peek(io.access.ready) {
            taken.extend(self.access.take().map(Event::Access));
        }
        if sim.peek(io.vector.ready) {
            taken.extend(self.vector.take().map(|(function, vector)| Event::Vector(function, vector)));
        }
        if sim.peek(io.clear.ready) {
            taken.extend(self.clear.take().map(|(function, vector)| Event::Clear(function, vector)));
        }
        if sim.peek(io.reset.ready) {
            taken.extend(self.reset.take().map(Event::Reset));
        }
        assert!(taken.len() <= 1, "one at a time: {taken:?}");
        self.log.events.extend(taken.into_iter().map(|event| (self.cycle, event)));
        if sim.peek(io.answer.valid) {
            assert!(!sim.peek(io.answer.payload.aborted));
            self.log.answers.push(sim.peek(io.answer.payload.data) as u32);
        }
        let quiet = sim.peek(io.quiet) & self.settings[STOPPED];
        let offers = sim.peek(io.command.valid).then(|| sim.peek(io.command.payload.function) as usize);
        let sender = self.engine.command.map(|(function, _)| function).or(offers);
        assert!(sender.is_none_or(|sender| quiet >> sender & 1 == 0), "{sender:?} has a message on its way");
    }

    fn engine(&mut self) {
        let (sim, io, engine) = (&mut self.bench.sim, &self.io, &mut self.engine);
        let rng = &mut self.bench.rng;
        let ends = engine.rest == Some(0);
        // The place of a bit that comes back among others is not known: nobody clears one then.
        let is_stopped = ends && engine.stops > 0 && self.clear.is_none() && rng.usize(0..engine.stops) == 0;
        let takes_command = engine.command.is_none() && rng.f64() < self.pace;
        let takes_data = engine.data.is_none() && rng.f64() < self.pace;
        sim.poke(io.command.ready, takes_command);
        sim.poke(io.data.ready, takes_data);
        sim.poke(io.done.valid, ends);
        sim.poke(io.done.payload, if is_stopped { Outcome::Stopped } else { Outcome::Success });
        if sim.peek(io.command.valid) {
            let (offered, command) = (*engine.offered.get_or_insert(self.cycle), &io.command.payload);
            assert!(engine.command.is_none(), "one at a time");
            assert!(sim.peek(command.length) == 4 && !sim.peek(command.relaxed));
            if takes_command {
                let (function, address) =
                    (sim.peek(command.function) as usize, sim.peek(command.address) as u64);
                engine.command = Some((function, address));
                engine.offered = Some(offered);
            }
        }
        if takes_data && sim.peek(io.data.valid) {
            let beat = &io.data.payload;
            assert_eq!((sim.peek(beat.count), sim.peek(beat.last), sim.peek(beat.error)), (4, true, false));
            engine.data = Some(sim.peek(beat.data) as u32);
        }
        engine.rest = match (engine.command, engine.data, engine.rest) {
            _ if ends => {
                let (offered, (function, address)) = (engine.offered.unwrap(), engine.command.unwrap());
                let message = Event::Message(function, address, engine.data.unwrap());
                self.log.events.push((offered - SCAN, message));
                self.messages[usize::from(is_stopped)] += 1;
                if is_stopped {
                    self.stopped = self.cycle;
                    self.log.events.push((self.cycle, Event::Returned));
                }
                *engine = Engine { stops: engine.stops, ..Engine::default() };
                None
            }
            (Some(_), Some(_), None) => Some(if self.pace < 1.0 { rng.usize(0..30) } else { 2 }),
            (_, _, rest) => rest.map(|rest| rest - 1),
        };
    }

    fn cycle(&mut self) {
        self.drive();
        self.engine();
        self.observe();
        self.bench.cycle(&mut []);
        self.cycle += 1;
    }

    fn cycles(&mut self, cycles: usize) {
        (0..cycles).for_each(|_| self.cycle());
    }

    /// Runs until `done`, and tells in how many cycles.
    fn until(&mut self, done: impl Fn(&mut World) -> bool) -> usize {
        let cycles = (0..10_000).find(|_| {
            let done = done(self);
            if !done {
                self.cycle();
            }
            done
        });
        cycles.expect("it comes to an end")
    }

    fn access(&mut self, function: usize, offset: usize, write: Option<(usize, u32)>) -> u32 {
        self.access = Some(Request { function, offset, write });
        let answers = self.log.answers.len();
        self.until(|world| world.log.answers.len() > answers);
        self.log.answers[answers]
    }

    fn write(&mut self, function: usize, offset: usize, data: u32) {
        self.access(function, offset, Some((15, data)));
    }

    fn read(&mut self, function: usize, offset: usize) -> u32 {
        self.access(function, offset, None)
    }

    /// Wants an interrupt, and waits until that is known.
    fn want(&mut self, function: usize, vector: usize) {
        self.vector = Some((function, vector));
        self.until(|world| world.vector.is_none());
    }

    /// An entry that tells whose it is.
    fn fill(&mut self, function: usize, vector: usize, masked: bool) {
        let words =
            [0xFEE0_0000 | (function << 12) as u32, function as u32, vector as u32 | 0x4000, masked.into()];
        words
            .into_iter()
            .enumerate()
            .for_each(|(word, data)| self.write(function, 16 * vector + 4 * word, data));
    }

    /// Vectors that were sent since the last call.
    fn sent(&mut self) -> Vec<(usize, usize)> {
        let of = |(_, event): &(usize, Event)| match event {
            Event::Message(function, _, data) => Some((*function, *data as usize & 0xFF)),
            _ => None,
        };
        let sent = self.log.events.iter().filter_map(of).collect();
        self.log.events.clear();
        self.log.answers.clear();
        sent
    }
}

fn most() -> Config {
    Config { vfs: 62, ..Config::small() }
}

/// Everything at random; what is wanted is sent or pending in the end, and nothing else.
#[test]
fn random_accesses_vectors_masks_and_resets() {
    let nine = Config { vfs: 7, ..Config::small() };
    for (seed, config) in [(1, Config::small()), (2, nine), (3, most())] {
        let functions = config.functions();
        let mut world = World::new(&config, seed);
        let mut resets = 0;
        world.engine.stops = 12;
        for step in 0..100_000 {
            if step % 5000 == 0 {
                world.pace = [0.1, 0.5, 0.9, 1.0][world.bench.rng.usize(0..4)];
            }
            let busy = world.bench.rng.f64();
            let rng = &mut world.bench.rng;
            let function = if rng.bool() { rng.usize(0..functions) } else { rng.usize(0..functions.min(3)) };
            let vector = if rng.bool() { rng.usize(0..VECTORS) } else { rng.usize(0..2) };
            if world.access.is_none() && rng.f64() < busy {
                let offset = match rng.u8(0..8) {
                    0 => PENDING_OFFSET,
                    1 => 4 * rng.usize(0..0x800),
                    2..5 => 16 * vector + 12,
                    _ => 16 * vector + 4 * rng.usize(0..4),
                };
                let data = [rng.u32(..), rng.u32(..) & !1, 0, 0, 0, 1][rng.usize(0..6)];
                let write = rng.bool().then(|| (if rng.bool() { 15 } else { rng.usize(0..16) }, data));
                world.access = Some(Request { function, offset, write });
            }
            let rng = &mut world.bench.rng;
            if world.vector.is_none() && rng.f64() < busy * 0.3 {
                world.vector = Some((function, vector));
            }
            if world.clear.is_none() && rng.u8(..30) == 0 && world.cycle > world.stopped + RETURN {
                world.clear = Some((function, vector));
            }
            if rng.u8(..20) == 0 {
                let (setting, value) = (rng.usize(0..3), rng.u8(0..4) > 0);
                world.set(setting, function, value ^ (setting == MASK));
            }
            let rng = &mut world.bench.rng;
            if world.reset.is_none() && rng.u8(..30) == 0 {
                let stops = rng.u8(..6) == 0;
                world.set(STOPPED, function, stops);
            }
            let quiet = world.bench.sim.peek(world.io.quiet) & world.settings[STOPPED];
            if world.reset.is_none() && quiet >> function & 1 == 1 && world.bench.rng.u8(..40) == 0 {
                world.reset = Some(function);
                resets += 1;
            }
            world.cycle();
        }
        // Everything goes.
        world.engine.stops = 0;
        world.pace = 1.0;
        world.cycles(1000);
        let all = (1 << functions) - 1;
        world.settings = [all, 0, all, 0];
        for function in 0..functions {
            (0..VECTORS).for_each(|vector| world.write(function, 16 * vector + 12, 0));
        }
        world.cycles(functions * VECTORS * 40);
        let [sent, stopped] = world.messages;
        println!("{functions}: {sent} sent, {stopped} stopped, {resets} resets");
        assert!(sent > 800 && stopped > 20 && resets > 20, "{sent} {stopped} {resets}");
        let model = world.log.replay(functions);
        assert!(model.iter().all(|function| function.next().is_none()), "something was not sent");
    }
}

#[test]
fn cycles_of_an_idle_block() {
    let mut world = World::new(&most(), 4);
    for function in [0, 5, 63] {
        world.fill(function, 3, false);
        world.cycles(100);
        world.vector = Some((function, 3));
        world.cycle();
        assert!(world.vector.is_none(), "taken at once");
        let cycles = world.until(|world| world.bench.sim.peek(world.io.command.valid));
        assert_eq!(cycles + 1, 12);
        world.cycles(20);
        world.access = Some(Request { function, offset: 48, write: None });
        world.cycle();
        assert!(world.access.is_none(), "taken at once");
        let answers = world.log.answers.len();
        assert_eq!(world.until(|world| world.log.answers.len() > answers) + 1, 5, "seen in the fourth cycle");
        world.settings[STOPPED] = 1 << function;
        world.until(|world| world.bench.sim.peek(world.io.quiet) >> function & 1 == 1);
        world.reset = Some(function);
        assert!(world.until(|world| world.reset.is_none()) <= 66);
    }
}

/// What Linux does with a function's vectors (drivers/pci/msi, `msix_capability_init`).
#[test]
fn as_linux_does_it() {
    let mut world = World::new(&Config::small(), 5);
    let function = 2;
    world.set(ENABLE, function, true);
    world.set(MASK, function, true);
    for vector in 0..VECTORS {
        assert_eq!(world.read(function, 16 * vector + 12), 1, "masked after a reset");
    }
    for vector in 0..4 {
        world.fill(function, vector, true);
        assert_eq!(world.read(function, 16 * vector + 8), vector as u32 | 0x4000);
    }
    (0..VECTORS).for_each(|vector| world.write(function, 16 * vector + 12, 1));
    world.set(MASK, function, false);
    world.write(function, 12, 0);
    world.sent();
    world.want(function, 0);
    world.want(function, 1);
    world.cycles(100);
    assert_eq!(world.sent(), [(function, 0)]);
    assert_eq!(world.read(function, PENDING_OFFSET), 0b10);
    // Unmasked: it comes once, and no more after that.
    world.write(function, 28, 0);
    world.cycles(100);
    assert_eq!(world.sent(), [(function, 1)]);
    assert_eq!(world.read(function, PENDING_OFFSET), 0);
    // Masked, wanted three times, unmasked: once.
    world.write(function, 12, 1);
    assert_eq!(world.read(function, 0), 0xFEE0_2000, "the flush");
    (0..3).for_each(|_| world.want(function, 0));
    world.cycles(100);
    assert_eq!(world.read(function, PENDING_OFFSET), 1);
    world.write(function, PENDING_OFFSET, 0);
    assert_eq!(world.read(function, PENDING_OFFSET), 1, "read only");
    assert_eq!(world.sent(), []);
    world.write(function, 12, 0);
    world.cycles(100);
    assert_eq!(world.sent(), [(function, 0)]);
    // The function mask keeps all back, and lets all go.
    world.set(MASK, function, true);
    world.cycles(3);
    world.want(function, 0);
    world.want(function, 1);
    world.cycles(100);
    assert_eq!(world.sent(), []);
    world.set(MASK, function, false);
    world.cycles(100);
    assert_eq!(world.sent(), [(function, 1), (function, 0)], "the one that was not last comes first");
}

/// A function that asks for interrupts and reads its table without end takes nothing from another one.
#[test]
fn a_busy_function_keeps_nobody_waiting() {
    let mut world = World::new(&most(), 6);
    (0..VECTORS).for_each(|vector| world.fill(7, vector, false));
    world.fill(5, 9, false);
    world.sent();
    let mut cycles = None;
    for cycle in 0..12_000 {
        world.access = world.access.or(Some(Request { function: 7, offset: 8, write: None }));
        world.vector = world.vector.or(Some((7, world.bench.rng.usize(0..VECTORS))));
        if cycle == 6000 {
            world.vector = Some((5, 9));
        }
        world.cycle();
        if cycle >= 6000
            && cycles.is_none()
            && world.engine.command.is_some_and(|(function, _)| function == 5)
        {
            cycles = Some(cycle - 6000);
        }
    }
    assert!(cycles.is_some_and(|cycles| cycles < 150), "{cycles:?}");
    let sent = world.sent();
    for vector in 0..VECTORS {
        let count = sent.iter().filter(|it| **it == (7, vector)).count();
        assert!(count * (VECTORS + 4) >= sent.len(), "vector {vector}: {count} of {}", sent.len());
    }
}

#[test]
fn parameters_out_of_range() {
    assert!(refusal(|| msix(&Config { vfs: 63, ..Config::small() })).contains("vfs"));
}
