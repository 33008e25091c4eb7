//! The block with everything around it: a driver, the stages that queues are drained from, and the manager. All that the block
//! does is judged at once, against [`Function`].

use super::{
    super::*,
    model::{DRIVER_OK, Effect, Function, NEEDS_RESET},
};
use crate::{
    testing::Bench,
    virtio::types::{Cause, Word},
};

/// After so many cycles all that was begun is done, if nobody waits.
pub const SETTLED: usize = 300;

/// How far a queue is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// It need not be.
    Idle,
    /// It must be; so many stages have taken it.
    Owed(usize),
}

/// What a doorbell said; none without an index.
type Said = Option<u16>;

pub struct World {
    pub bench: Bench,
    io: RegistersIo,
    pub functions: Vec<Function>,
    pub cycle: usize,
    queues: usize,
    /// Nobody accesses the function before that cycle, as something happens to it that has no certain time.
    pub busy: Vec<usize>,
    pub drains: Vec<Vec<Drain>>,
    /// The queue of a function in a reset that is to be drained next.
    next: Vec<usize>,
    /// The function that is being accessed: its drains stand still.
    accessed: Option<usize>,
    /// How likely a drain, a doorbell and an interrupt are taken in a cycle.
    pub pace: f64,
    /// Nobody takes doorbells.
    pub is_deaf: bool,
    /// What rang since the last doorbell, how often in all, and doorbells that came.
    pub rung: Vec<Vec<(Vec<Said>, usize, usize)>>,
    pub doorbells: Vec<(usize, usize, Said)>,
    /// Interrupts that may come, and whether one must; those that came.
    owed: Vec<(usize, bool)>,
    pub interrupts: Vec<(usize, usize)>,
    fault: Option<(usize, usize, Cause)>,
    pub counted: Vec<(usize, usize, Cause)>,
    pub broke: Vec<(usize, usize, Cause)>,
    pub resets: Vec<usize>,
    /// From then on lookups of the function show what was written.
    shown: Vec<usize>,
    /// The last lookups that were asked for, of each reader.
    lookups: Vec<[Option<(usize, usize, Word)>; 2]>,
    /// When the manager and the control queue may say something again.
    spaced: usize,
    /// The access that is on offer has been taken.
    taken: bool,
    pub slowest: usize,
}

impl World {
    pub fn new(config: &Config, legacy: bool, seed: u64) -> World {
        let (mut bench, io) = Bench::new(|| registers(config, 2), seed);
        let (functions, queues) = (config.functions(), queues(config));
        bench.sim.poke(io.legacy, legacy);
        let has_virtual = |function: usize| function == 0 && !legacy && config.vfs > 0;
        let mut world = World {
            bench,
            io,
            functions: (0..functions).map(|it| Function::new(it, config.pairs, has_virtual(it))).collect(),
            cycle: 0,
            queues,
            busy: vec![0; functions],
            drains: vec![vec![Drain::Owed(0); queues]; functions],
            next: vec![0; functions],
            accessed: None,
            pace: 1.0,
            is_deaf: false,
            rung: vec![vec![(vec![], 0, 0); queues]; functions],
            doorbells: vec![],
            owed: vec![(0, false); functions],
            interrupts: vec![],
            fault: None,
            counted: vec![],
            broke: vec![],
            resets: vec![],
            shown: vec![0; functions],
            lookups: vec![[None; 2]; 2],
            spaced: 0,
            taken: false,
            slowest: 0,
        };
        for valid in [world.io.access.valid, world.io.device.valid, world.io.mac.valid] {
            world.bench.sim.poke(valid, false);
        }
        world.bench.sim.poke(world.io.announced.valid, false);
        world.bench.sim.poke(world.io.queue_interrupt.valid, false);
        world.bench.sim.poke(world.io.fault.valid, false);
        world.bench.sim.poke(world.io.reset.valid, false);
        world.functions.iter_mut().for_each(|it| it.resetting = true);
        while !world.bench.sim.peek(world.io.cleared) {
            world.step();
        }
        assert!(world.functions.iter().all(|it| !it.resetting));
        world.functions.iter_mut().for_each(|it| it.touched = false);
        world.steps(SETTLED);
        world
    }

    pub fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.bench.rng
    }

    /// One cycle.
    pub fn step(&mut self) {
        self.look_up();
        self.drive();
        self.watch();
        self.bench.cycle(&mut []);
        self.cycle += 1;
    }

    pub fn steps(&mut self, cycles: usize) {
        (0..cycles).for_each(|_| self.step());
    }

    /// Both readers look at random words; of queues that live they see what the driver wrote.
    fn look_up(&mut self) {
        for reader in 0..2 {
            let [function, slot] = [self.functions.len(), self.queues].map(|most| self.rng().usize(..most));
            let word = Word::VARIANTS[self.rng().usize(..8)].1;
            // Sometimes the one that is being accessed, without end.
            let function = self.accessed.filter(|_| self.rng().bool()).unwrap_or(function);
            let (valid, lookup) = (self.rng().u8(..4) > 0, self.io.lookup[reader]);
            self.bench.sim.poke(lookup.valid, valid);
            self.bench.sim.poke(lookup.payload.queue.function, function as u128);
            self.bench.sim.poke(lookup.payload.queue.slot, slot as u128);
            self.bench.sim.poke(lookup.payload.word, word);
            let asked = self.lookups[reader][1];
            if let Some((function, slot, word)) = asked
                && self.functions[function].lives(slot)
                && self.accessed != Some(function)
                && self.cycle > self.busy[function].max(self.shown[function])
            {
                let found = self.bench.sim.peek(self.io.found[reader]) as u32;
                assert_eq!(found, self.setting(function, slot, word), "{function}.{slot} {word:?}");
            }
            let now = valid.then_some((function, slot, word));
            self.lookups[reader] = [now, self.lookups[reader][0]];
        }
    }

    /// A word of a queue's settings.
    fn setting(&self, function: usize, slot: usize, word: Word) -> u32 {
        let it = &self.functions[function];
        let ring = &it.rings[slot];
        let area = |number: usize, half: u32| (ring.areas[number] >> (32 * half)) as u32;
        match word {
            Word::Descriptors => area(0, 0),
            Word::DescriptorsHigh => area(0, 1),
            Word::Driver => area(1, 0),
            Word::DriverHigh => area(1, 1),
            Word::Device => area(2, 0),
            Word::DeviceHigh => area(2, 1),
            Word::Size => u32::from(ring.size) | u32::from(ring.vector) << 16,
            // In the order of `Mode`, the first is the highest.
            Word::Mode => {
                let features = [18, 19, 23, 21, 22, 3, 34, 29, 28, 35, 38, 15, 0, 1];
                features.into_iter().fold(0, |mode, bit| mode << 1 | u32::from(it.has(bit)))
            }
        }
    }

    fn drive(&mut self) {
        let pace = self.pace;
        let visited = |world: &mut World, stage: usize| {
            world.bench.sim.peek(world.io.drain[stage].payload.function) as usize
        };
        for stage in 0..drains::STAGES {
            let stands = self.accessed.is_some_and(|function| function == visited(self, stage));
            let ready = self.rng().f64() < pace && !stands;
            self.bench.sim.poke(self.io.drain[stage].ready, ready);
        }
        for (ready, is_shut) in [(self.io.doorbell.ready, self.is_deaf), (self.io.interrupt.ready, false)] {
            let is_ready = self.rng().f64() < pace && !is_shut;
            self.bench.sim.poke(ready, is_ready);
        }
        if let Some((function, slot, cause)) = self.fault {
            let payload = self.io.fault.payload;
            self.bench.sim.poke(payload.queue.function, function as u128);
            self.bench.sim.poke(payload.queue.slot, slot as u128);
            self.bench.sim.poke(payload.cause, cause);
        }
        self.bench.sim.poke(self.io.fault.valid, self.fault.is_some());
    }

    fn watch(&mut self) {
        let (sim, io) = (&mut self.bench.sim, &self.io);
        self.taken |= sim.peek(io.access.valid) && sim.peek(io.access.ready);
        if sim.peek(io.fault.ready) {
            self.fault = None;
        }
        if sim.peek(io.broke.valid) {
            let it = io.broke.payload;
            let queue = (sim.peek(it.queue.function) as usize, sim.peek(it.queue.slot) as usize);
            self.broke.push((queue.0, queue.1, sim.peek(it.cause)));
        }
        if sim.peek(io.interrupt.valid) && sim.peek(io.interrupt.ready) {
            let function = sim.peek(io.interrupt.payload.function) as usize;
            let vector = sim.peek(io.interrupt.payload.vector) as usize;
            assert!(self.owed[function].0 > 0, "an interrupt of function {function} for nothing");
            assert_eq!(vector, usize::from(self.functions[function].config_vector));
            self.owed[function] = (self.owed[function].0 - 1, false);
            self.interrupts.push((function, vector));
        }
        let offers: Vec<_> = (0..drains::STAGES).filter(|stage| sim.peek(io.drain[*stage].valid)).collect();
        assert!(offers.len() <= 1, "one stage at a time");
        let offered = offers.first().map(|stage| {
            let payload = io.drain[*stage].payload;
            (sim.peek(payload.function) as usize, sim.peek(payload.slot) as usize)
        });
        if let (Some(stage), Some((function, slot))) = (offers.first(), offered) {
            let moves = sim.peek(io.drain[*stage].ready);
            self.drain(function, slot, *stage, moves);
        }
        let (sim, io) = (&mut self.bench.sim, &self.io);
        if sim.peek(io.doorbell.valid) {
            let doorbell = io.doorbell.payload;
            let function = sim.peek(doorbell.queue.function) as usize;
            let slot = sim.peek(doorbell.queue.slot) as usize;
            assert!(offered != Some((function, slot)), "a doorbell of a queue that is drained");
            if sim.peek(io.doorbell.ready) {
                let index = sim.peek(doorbell.index) as u16;
                let said = sim.peek(doorbell.has_index).then_some(index);
                let (waiting, rung, came) = &mut self.rung[function][slot];
                *came += 1;
                assert!(came <= rung, "{function}.{slot} rings by itself");
                let lives = self.functions[function].lives(slot);
                assert!(lives || self.drains[function][slot] == Drain::Owed(0), "{function}.{slot} is dead");
                match waiting.iter().rposition(|it| *it == said) {
                    Some(at) => drop(waiting.drain(..=at)),
                    None => assert!(said.is_none() || !lives, "{function}.{slot}: {said:?} of {waiting:?}"),
                }
                self.doorbells.push((function, slot, said));
            }
        }
        let ok = sim.peek(io.driver_ok);
        for (number, function) in self.functions.iter().enumerate() {
            let is_certain = self.accessed != Some(number) && self.cycle > self.busy[number];
            let expected = function.status & DRIVER_OK != 0 && !function.resetting;
            assert!(!is_certain || (ok >> number & 1 == 1) == expected, "DRIVER_OK of {number}");
        }
    }

    /// A queue is on offer to a stage.
    fn drain(&mut self, function: usize, slot: usize, stage: usize, moves: bool) {
        let resetting = self.functions[function].resetting;
        let drain = self.drains[function][slot];
        if resetting && (slot, stage, drain) == (0, 0, Drain::Idle) {
            // It was drained for itself when the reset began.
            self.owe_all(function);
        } else {
            assert_eq!(drain, Drain::Owed(stage), "{function}.{slot}");
        }
        if !moves {
            return;
        }
        self.drains[function][slot] = Drain::Owed(stage + 1);
        if stage + 1 < drains::STAGES {
            return;
        }
        let counts = !resetting || slot == self.next[function];
        self.drains[function][slot] = if counts { Drain::Idle } else { Drain::Owed(0) };
        if self.functions[function].rings[slot].resetting && !resetting {
            self.functions[function].reset_queue(slot);
        }
        if resetting && counts {
            self.next[function] += 1;
            if self.next[function] == self.queues {
                self.functions[function].reset();
                self.owed[function] = (0, false);
                self.rung[function].iter_mut().for_each(|it| *it = (vec![], 0, 0));
            }
        }
        self.disturb(function);
    }

    fn owe_all(&mut self, function: usize) {
        self.drains[function] = vec![Drain::Owed(0); self.queues];
        self.next[function] = 0;
    }

    /// The function owes its driver an interrupt, if there is a vector for it.
    fn owe(&mut self, function: usize) {
        let it = &self.functions[function];
        if it.config_vector != 0xFFFF && !it.resetting {
            self.owed[function] = (self.owed[function].0 + 1, true);
        }
    }

    /// Accesses bytes of a word; what comes of it is judged.
    pub fn access(&mut self, function: usize, offset: usize, mask: u32, write: Option<u32>) -> u32 {
        while self.cycle < self.busy[function] {
            self.step();
        }
        self.accessed = Some(function);
        let access = self.io.access;
        self.bench.sim.poke(access.valid, true);
        self.bench.sim.poke(access.payload.function, function as u128);
        self.bench.sim.poke(access.payload.msix, false);
        self.bench.sim.poke(access.payload.offset, offset as u128);
        self.bench.sim.poke(access.payload.write, write.is_some());
        self.bench.sim.poke(access.payload.enables, mask.into());
        let random = self.rng().u32(..);
        self.bench.sim.poke(access.payload.data, write.unwrap_or(random).into());
        let begin = self.cycle;
        self.taken = false;
        while !self.bench.sim.peek(self.io.answer.valid) {
            self.step();
            if self.taken {
                self.bench.sim.poke(access.valid, false);
            }
            assert!(self.cycle - begin <= 50, "an answer is there within 50 cycles");
        }
        self.slowest = self.slowest.max(self.cycle - begin);
        let got = self.bench.sim.peek(self.io.answer.payload.data) as u32;
        assert!(self.taken && !self.bench.sim.peek(self.io.answer.payload.aborted));
        match write {
            None => self.functions[function].read(offset, mask, got),
            Some(data) => {
                assert_eq!(got, 0);
                let effects = self.functions[function].write(offset, mask, data);
                effects.into_iter().for_each(|effect| self.effect(function, effect));
            }
        }
        self.step();
        // FEATURES_OK and DRIVER_OK go on after the answer.
        if write.is_some() && offset == 0x14 {
            self.steps(3 + 2 * self.queues);
        }
        self.accessed = None;
        self.shown[function] = self.cycle + 10;
        got
    }

    fn effect(&mut self, function: usize, effect: Effect) {
        match effect {
            Effect::Ring(slot, said) => {
                let (waiting, rung, _) = &mut self.rung[function][slot];
                waiting.push(said);
                *rung += 1;
            }
            Effect::Reset => self.drain_all(function),
            Effect::ResetQueue(slot) => {
                // A drain that is under way is enough.
                if self.drains[function][slot] == Drain::Idle {
                    self.drains[function][slot] = Drain::Owed(0);
                }
                self.rung[function][slot].0.clear();
            }
        }
    }

    fn drain_all(&mut self, function: usize) {
        for drain in self.drains[function].iter_mut().filter(|drain| **drain == Drain::Idle) {
            *drain = Drain::Owed(0);
        }
        self.next[function] = 0;
        self.rung[function].iter_mut().for_each(|it| it.0.clear());
    }

    /// The function must not be accessed for a while.
    fn disturb(&mut self, function: usize) {
        self.busy[function] = self.cycle + SETTLED;
    }

    /// Waits until what was said before has been heard.
    fn space(&mut self) {
        while self.cycle < self.spaced {
            self.step();
        }
        self.spaced = self.cycle + 256;
    }

    /// The manager says something about a function.
    pub fn say(&mut self, function: usize, change: impl Fn(&mut Function), announce: bool) {
        self.space();
        let it = &mut self.functions[function];
        let before = it.clone();
        change(it);
        let asks = announce && it.has(21) && it.status & DRIVER_OK != 0;
        it.announce |= asks;
        let key = |it: &Function| (it.mac, it.link_up, it.mtu, it.speed, it.duplex);
        if key(&before) != key(it) || asks {
            it.touched = true;
            if it.status & DRIVER_OK != 0 {
                it.isr |= 2;
                self.owe(function);
            }
        }
        let it = self.functions[function].clone();
        let row = self.io.device.payload;
        let sim = &mut self.bench.sim;
        sim.poke(self.io.device.valid, true);
        sim.poke(row.function, function as u128);
        sim.poke(row.mac, it.mac.iter().fold(0, |mac, byte| mac << 8 | u128::from(*byte)));
        sim.poke(row.mtu, it.mtu.into());
        sim.poke(row.speed, it.speed.into());
        sim.poke(row.duplex, it.duplex.into());
        sim.poke(row.link_up, it.link_up);
        sim.poke(row.announce, announce);
        self.disturb(function);
        self.step();
        self.bench.sim.poke(self.io.device.valid, false);
    }

    /// The driver sets its address by the control queue.
    pub fn set_mac(&mut self, function: usize, mac: [u8; 6]) {
        self.space();
        self.functions[function].own_mac = Some(mac);
        self.functions[function].touched = true;
        self.bench.sim.poke(self.io.mac.valid, true);
        self.bench.sim.poke(self.io.mac.payload.function, function as u128);
        let mac = mac.iter().fold(0, |mac, byte| mac << 8 | u128::from(*byte));
        self.bench.sim.poke(self.io.mac.payload.mac, mac);
        self.disturb(function);
        self.step();
        self.bench.sim.poke(self.io.mac.valid, false);
    }

    pub fn announced(&mut self, function: usize) {
        self.space();
        self.functions[function].announce = false;
        self.functions[function].touched = true;
        self.bench.sim.poke(self.io.announced.valid, true);
        self.bench.sim.poke(self.io.announced.payload, function as u128);
        self.disturb(function);
        self.step();
        self.bench.sim.poke(self.io.announced.valid, false);
    }

    pub fn queue_interrupt(&mut self, function: usize) {
        self.functions[function].isr |= 1;
        self.bench.sim.poke(self.io.queue_interrupt.valid, true);
        self.bench.sim.poke(self.io.queue_interrupt.payload, function as u128);
        self.disturb(function);
        self.step();
        self.bench.sim.poke(self.io.queue_interrupt.valid, false);
    }

    /// A block reports a fault of a queue.
    pub fn break_queue(&mut self, function: usize, slot: usize, cause: Cause) {
        while self.fault.is_some() {
            self.step();
        }
        self.fault = Some((function, slot, cause));
        let it = &mut self.functions[function];
        if it.lives(slot) {
            it.rings[slot].broken = true;
            it.status |= NEEDS_RESET;
            it.isr |= 2;
            self.owe(function);
            self.counted.push((function, slot, cause));
            self.drains[function][slot] = Drain::Owed(0);
            self.rung[function][slot].0.clear();
        }
        self.disturb(function);
    }

    /// A reset of the function from the endpoint, to its end.
    pub fn function_reset(&mut self, function: usize) {
        while self.cycle < self.busy[function] {
            self.step();
        }
        self.drain_all(function);
        self.functions[function].resetting = true;
        self.disturb(function);
        self.bench.sim.poke(self.io.reset.valid, true);
        self.bench.sim.poke(self.io.reset.payload, function as u128);
        let begin = self.cycle;
        while !self.bench.sim.peek(self.io.reset.ready) {
            self.step();
            assert!(self.cycle < begin + 100_000, "a reset comes to its end");
        }
        assert!(!self.functions[function].resetting, "{:?} are not drained", self.drains[function]);
        self.resets.push(function);
        self.disturb(function);
        self.step();
        self.bench.sim.poke(self.io.reset.valid, false);
    }

    /// Lets all that was begun come to its end, and sees that nothing was forgotten.
    pub fn settle(&mut self) {
        let pace = std::mem::replace(&mut self.pace, 1.0);
        self.steps(self.functions.len() * self.queues * 60 + SETTLED);
        self.pace = pace;
        for (function, queues) in self.rung.iter().enumerate() {
            for (slot, (waiting, ..)) in queues.iter().enumerate() {
                assert!(waiting.is_empty(), "{function}.{slot}: the doorbells {waiting:?} are lost");
            }
        }
        assert!(self.owed.iter().all(|(_, must)| !must), "interrupts are lost: {:?}", self.owed);
        assert_eq!(self.broke, self.counted);
        assert!(self.drains.iter().flatten().all(|drain| *drain == Drain::Idle), "{:?}", self.drains);
    }
}
