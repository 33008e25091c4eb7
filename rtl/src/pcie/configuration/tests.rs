//! The configuration space against a model that goes through its fields one by one.

use super::*;
use crate::{
    config::VfPlaces,
    pcie::space::{self, Attribute, Field, Kind, Live, Sticky, Structure, space},
    testing::{Bench, Rng},
};
use std::collections::HashMap;

const SERIAL: u128 = 0x0200_5EFF_FE12_3456;

/// Cycles that an access takes, and each register of a reset.
const CYCLES: usize = 7;

/// The standard's rules for single fields.
struct Model {
    vfs: u32,
    legacy: bool,
    spaces: HashMap<Kind, Vec<Structure>>,
    /// What is stored, by function and field.
    stored: HashMap<(usize, String), u32>,
    pending: u128,
}

/// A field with its path.
fn fields(space: &[Structure], register: usize) -> Vec<(String, Field)> {
    let mut found = vec![];
    for structure in space {
        for it in structure.registers.iter().filter(|it| it.offset == 4 * register) {
            let path = |field: &Field| format!("{}.{}.{}", structure.name, it.name, field.name);
            found.extend(it.fields.iter().map(|field| (path(field), field.clone())));
        }
    }
    found
}

impl Model {
    fn new(config: &Config, legacy: bool) -> Model {
        let kinds = [Kind::Physical, Kind::Manager, Kind::Virtual];
        // ARI and SR-IOV are not in the list of the legacy personality, and not there.
        let is_there = |it: &Structure| !legacy || !["routing", "virtualization"].contains(&it.name);
        let spaces =
            kinds.map(|kind| (kind, space(config, kind).into_iter().filter(is_there).collect())).into();
        Model { vfs: config.vfs as u32, legacy, spaces, stored: HashMap::new(), pending: 0 }
    }

    fn fields(&self, function: usize, register: usize) -> Vec<(String, Field)> {
        let kind = match function {
            1 => Kind::Manager,
            0 => Kind::Physical,
            _ if self.legacy => Kind::Physical,
            _ => Kind::Virtual,
        };
        fields(&self.spaces[&kind], register)
    }

    fn value(&self, function: usize, path: &str, field: &Field) -> u32 {
        let stored = |reset| self.stored.get(&(function, path.to_owned())).copied().unwrap_or(reset);
        match field.attribute {
            Attribute::Constant(value) => value,
            Attribute::ReadWrite { reset, .. } => stored(reset),
            Attribute::ClearedByOne(_) | Attribute::Logged(_) => stored(0),
            Attribute::Action => 0,
            Attribute::Live(live) => match live {
                Live::Multifunction => 1,
                Live::SrIovList => {
                    if self.legacy {
                        0
                    } else {
                        0x140
                    }
                }
                Live::TransactionsPending => (self.pending >> function & 1) as u32,
                // Behind the manager while all fit beside it, or with ARI; else on the next bus.
                Live::FirstVfOffset => {
                    let setting = |path: &str| self.stored.get(&(0, path.to_owned())).copied().unwrap_or(0);
                    let routing = setting("virtualization.control.alternative_routing");
                    let number = setting("virtualization.number.number");
                    if routing == 1 || number <= 6 { 2 } else { 256 }
                }
                Live::VfStride => 1,
                Live::SerialLow => SERIAL as u32,
                Live::SerialHigh => (SERIAL >> 32) as u32,
                Live::WindowData => 0,
            },
        }
    }

    fn read(&self, function: usize, register: usize) -> u32 {
        let fields = self.fields(function, register);
        let word = fields.iter().map(|(path, field)| self.value(function, path, field) << field.low);
        let word = word.fold(0, |a, b| a | b);
        // Of a base address of virtual functions at least a page is theirs (9.3.3.14).
        let path = fields.first().map_or("", |(path, _)| path);
        match ["virtualization.bar0.kind", "virtualization.bar2.kind"].contains(&path) {
            true => word & !(((self.page() << 12) - 1) & !0xF),
            false => word,
        }
    }

    /// The page size in units of 4 KiB.
    fn page(&self) -> u32 {
        self.stored.get(&(0, "virtualization.system_page.size".into())).copied().unwrap_or(1)
    }

    fn set(&mut self, function: usize, path: &str, value: u32) {
        self.stored.insert((function, path.to_owned()), value);
    }

    /// Software's write. Says whether it asks for a reset of the function.
    fn write(&mut self, function: usize, register: usize, enables: u32, data: u32) -> bool {
        let lanes =
            (0..4).filter(|byte| enables >> byte & 1 == 1).map(|byte| 0xFFu32 << (8 * byte)).sum::<u32>();
        let vf_enable =
            !self.legacy && self.stored.get(&(0, "virtualization.control.enable".into())) == Some(&1);
        let mut asks = false;
        for (path, field) in self.fields(function, register) {
            let old = self.value(function, &path, &field);
            let lane = (lanes & field.mask()) >> field.low;
            let data = (data & field.mask()) >> field.low;
            match field.attribute {
                Attribute::ReadWrite { .. } => {
                    let new = old & !lane | data & lane;
                    let refused = match path.as_str() {
                        "power.control.power_state" => new == 1 || new == 2,
                        "virtualization.number.number" => vf_enable || new > self.vfs,
                        "virtualization.system_page.size" => {
                            vf_enable || ![1, 2, 0x10, 0x40, 0x100, 0x400].contains(&new)
                        }
                        _ => false,
                    };
                    if !refused {
                        self.set(function, &path, new);
                    }
                }
                Attribute::ClearedByOne(_) => self.set(function, &path, old & !(data & lane)),
                Attribute::Action => asks |= data & lane == 1,
                Attribute::Constant(_) | Attribute::Live(_) | Attribute::Logged(_) => {}
            }
        }
        asks
    }

    fn mark(&mut self, function: usize, register: usize, data: u32) {
        for (path, field) in self.fields(function, register) {
            let old = self.value(function, &path, &field);
            let data = (data & field.mask()) >> field.low;
            match field.attribute {
                Attribute::ClearedByOne(_) => self.set(function, &path, old | data),
                Attribute::Logged(_) => self.set(function, &path, data),
                _ => {}
            }
        }
    }

    fn reset(&mut self, function: usize, all: bool) {
        for register in 0..REGISTERS {
            for (path, field) in self.fields(function, register) {
                let (Attribute::ReadWrite { sticky, .. }
                | Attribute::ClearedByOne(sticky)
                | Attribute::Logged(sticky)) = field.attribute
                else {
                    continue;
                };
                if sticky == Sticky::No || all {
                    self.stored.remove(&(function, path));
                }
            }
        }
    }
}

/// The hardware and the model.
struct Pair {
    bench: Bench,
    io: ConfigurationIo,
    model: Model,
    functions: usize,
    /// What each register stores, as the changes say.
    changed: HashMap<(usize, usize), u32>,
}

impl Pair {
    fn cycle(&mut self) {
        let (changed, sim) = (&self.io.changed, &mut self.bench.sim);
        if sim.peek(changed.valid) {
            let [function, register] =
                [sim.peek(changed.payload.function), sim.peek(changed.payload.register)]
                    .map(|it| it as usize);
            self.changed.insert((function, register), sim.peek(changed.payload.data) as u32);
        }
        self.bench.cycle(&mut []);
    }

    fn new(config: &Config, legacy: bool, seed: u64) -> Pair {
        let (mut bench, io) = Bench::new(|| configuration(config), seed);
        bench.sim.poke(io.legacy, legacy);
        bench.sim.poke(io.multifunction, true);
        bench.sim.poke(io.serial, SERIAL);
        let (model, functions) = (Model::new(config, legacy), config.functions());
        let mut pair = Pair { bench, io, model, functions, changed: HashMap::new() };
        let cycles = (0..).find(|_| {
            pair.cycle();
            pair.bench.sim.peek(pair.io.cleared)
        });
        assert!(cycles.unwrap() <= CYCLES * REGISTERS * config.functions() + 1);
        pair
    }

    fn access(&mut self, function: usize, register: usize, write: Option<(u32, u32)>) -> u32 {
        let (io, sim) = (&self.io, &mut self.bench.sim);
        sim.poke(io.access.valid, true);
        sim.poke(io.access.payload.function, function as u128);
        sim.poke(io.access.payload.register, register as u128);
        sim.poke(io.access.payload.write, write.is_some());
        sim.poke(io.access.payload.enables, u128::from(write.map_or(0, |(enables, _)| enables)));
        sim.poke(io.access.payload.data, u128::from(write.map_or(0xDEAD_BEEF, |(_, data)| data)));
        while !self.bench.sim.peek(self.io.access.ready) {
            self.cycle();
        }
        self.cycle();
        self.bench.sim.poke(self.io.access.valid, false);
        let mut asked = false;
        for _ in 0..CYCLES + 1 {
            if self.bench.sim.peek(self.io.reset_request.valid) {
                asked = true;
                assert_eq!(self.bench.sim.peek(self.io.reset_request.payload), function as u128);
            }
            if self.bench.sim.peek(self.io.answer.valid) {
                let (enables, data) = write.unwrap_or((0, 0));
                let asks = write.is_some() && self.model.write(function, register, enables, data);
                assert_eq!(asked, asks, "a reset of function {function}");
                return self.bench.sim.peek(self.io.answer.payload) as u32;
            }
            self.cycle();
        }
        panic!("no answer");
    }

    fn read(&mut self, function: usize, register: usize) {
        let expected = self.model.read(function, register);
        let read = self.access(function, register, None);
        assert_eq!(read, expected, "{function} {:#x}: {read:#010x}, not {expected:#010x}", 4 * register);
    }

    /// Reads every register; what is stored is also what the changes have said.
    fn read_all(&mut self) {
        for function in 0..self.functions {
            (0..REGISTERS + 4).chain([1023]).for_each(|register| self.read(function, register));
            for register in 0..REGISTERS {
                let mut stored = self.model.fields(function, register);
                stored.retain(|(_, field)| {
                    !matches!(
                        field.attribute,
                        Attribute::Constant(_) | Attribute::Live(_) | Attribute::Action
                    )
                });
                let words =
                    stored.iter().map(|(path, field)| self.model.value(function, path, field) << field.low);
                let word = (!stored.is_empty()).then(|| words.fold(0, |a, b| a | b));
                assert_eq!(
                    self.changed.get(&(function, register)).copied(),
                    word,
                    "{function} {:#x}",
                    4 * register
                );
            }
        }
    }

    fn mark(&mut self, function: usize, register: usize, data: u32) {
        let (io, sim) = (&self.io, &mut self.bench.sim);
        sim.poke(io.mark.valid, true);
        sim.poke(io.mark.payload.function, function as u128);
        sim.poke(io.mark.payload.register, register as u128);
        sim.poke(io.mark.payload.data, u128::from(data));
        while !self.bench.sim.peek(self.io.mark.ready) {
            self.cycle();
        }
        self.cycle();
        self.bench.sim.poke(self.io.mark.valid, false);
        self.model.mark(function, register, data);
    }

    /// Resets a function, with sticky bits or without, and returns the cycles that it takes.
    fn reset(&mut self, function: usize, all: bool) -> usize {
        self.bench.sim.poke(self.io.reset.valid, true);
        self.bench.sim.poke(self.io.reset.payload.function, function as u128);
        self.bench.sim.poke(self.io.reset.payload.sticky, all);
        let cycles = (0..1000).find(|_| {
            let ready = self.bench.sim.peek(self.io.reset.ready);
            self.cycle();
            ready
        });
        self.bench.sim.poke(self.io.reset.valid, false);
        self.model.reset(function, all);
        cycles.expect("a reset ends")
    }

    fn set_pending(&mut self, pending: u128) {
        self.model.pending = pending;
        self.bench.sim.poke(self.io.pending, pending);
    }

    /// What the settings say, against the registers.
    fn check_settings(&mut self) {
        // Some come two cycles late.
        (0..2).for_each(|_| self.cycle());
        let model = &self.model;
        let get = |function: usize, path: &str| {
            let (offset, field) = space::field(&model.spaces[&Kind::Physical], path)?;
            let known = model.fields(function, offset / 4).into_iter().find(|(name, _)| name == path);
            known.map(|_| model.value(function, path, &field))
        };
        let each = |path: &str, value: u32| -> u128 {
            (0..self.functions)
                .map(|function| u128::from(get(function, path) == Some(value)) << function)
                .sum()
        };
        let first = |path: &str| u128::from(get(0, path).unwrap_or(0));
        let (sim, settings) = (&mut self.bench.sim, &self.io.settings);
        assert_eq!(sim.peek(settings.bus_master), each("header.command_status.bus_master", 1));
        assert_eq!(sim.peek(settings.memory_space), each("header.command_status.memory_space", 1));
        assert_eq!(sim.peek(settings.msix_enable), each("msix.head.enable", 1));
        assert_eq!(sim.peek(settings.msix_mask), each("msix.head.function_mask", 1));
        // Virtual functions have no power state of their own.
        let with_physical = |each: u128| {
            let virtuals = if model.legacy || each & 1 == 0 { 0 } else { !3 & ((1 << self.functions) - 1) };
            each | virtuals
        };
        assert_eq!(sim.peek(settings.asleep), with_physical(each("power.control.power_state", 3)));
        assert_eq!(
            sim.peek(settings.timeout_disable),
            with_physical(each("express.device_control_2.timeout_disable", 1))
        );
        let enable = if self.model.legacy { 0 } else { first("virtualization.control.enable") };
        // What counts for all: of functions that may send, and of function 0 while there are virtual ones.
        let ordinary = if model.legacy { self.functions.min(8) } else { 2 };
        let value = |function: usize, path: &str| u128::from(get(function, path).unwrap_or(0));
        let sends = |function: &usize| {
            value(*function, "header.command_status.bus_master") == 1 || (*function == 0 && enable == 1)
        };
        let least = |path: &str, most: u128| {
            let values = (0..ordinary).filter(sends).map(|function| value(function, path));
            values.min().map_or(most, |least| least.min(most))
        };
        let payload = "express.device_control.payload";
        let (sent, received) = match model.legacy {
            true => (
                least(payload, 2),
                (0..ordinary).map(|function| value(function, payload)).max().unwrap().min(2),
            ),
            false => (first(payload).min(2), first(payload).min(2)),
        };
        assert_eq!(sim.peek(settings.payload), sent);
        assert_eq!(sim.peek(settings.received_payload), received);
        assert_eq!(sim.peek(settings.read_request), least("express.device_control.read_request", 1));
        for (setting, path) in [
            (settings.extended_tags, "express.device_control.extended_tags_enable"),
            (settings.relaxed_ordering, "express.device_control.relaxed_ordering"),
        ] {
            assert_eq!(u128::from(sim.peek(setting)), least(path, 1), "{path}");
        }
        assert_eq!(u128::from(sim.peek(settings.vf_enable)), enable);
        assert_eq!(
            u128::from(sim.peek(settings.vf_memory_space)),
            first("virtualization.control.memory_space")
        );
        assert_eq!(sim.peek(settings.vf_number), first("virtualization.number.number"));
        let routing = first("virtualization.control.alternative_routing");
        assert_eq!(u128::from(sim.peek(settings.alternative_routing)), routing);
        assert_eq!(sim.peek(settings.page), first("virtualization.system_page.size"));
    }
}

fn many() -> Config {
    Config { vfs: 9, ..Config::small() }
}

#[test]
fn after_the_fundamental_reset() {
    for (config, legacy) in [(Config::small(), false), (many(), false), (many(), true)] {
        let mut pair = Pair::new(&config, legacy, 1);
        pair.read_all();
        pair.check_settings();
    }
}

/// All ones, then all zeros, into every register of every function: base addresses show their sizes, and nothing that is
/// to be read only changes.
#[test]
fn all_ones_and_zeros() {
    for legacy in [false, true] {
        let mut pair = Pair::new(&many(), legacy, 2);
        for data in [u32::MAX, 0] {
            for function in 0..pair.functions {
                for register in 0..REGISTERS {
                    pair.access(function, register, Some((15, data)));
                }
            }
            pair.read_all();
            pair.check_settings();
        }
    }
}

#[test]
fn random_accesses_marks_and_resets() {
    for (seed, legacy) in [(3, false), (4, false), (5, true)] {
        let config = many();
        let mut pair = Pair::new(&config, legacy, seed);
        let mut random = Rng::with_seed(seed);
        let known = Map::of(&config).slots;
        let page =
            space::field(&space(&config, Kind::Physical), "virtualization.system_page.size").unwrap().0 / 4;
        let mut pages = std::collections::HashSet::new();
        for step in 0..6000 {
            let below = if random.bool() { 3 } else { pair.functions };
            let function = random.usize(0..below);
            let register =
                if random.u8(..8) == 0 { random.usize(0..1024) } else { known[random.usize(0..known.len())] };
            let data = [random.u32(..), 0, u32::MAX, 1 << random.u32(0..32)][random.usize(0..4)];
            if random.u8(..20) == 0 {
                pair.access(0, page, Some((15, 1 << random.u32(0..12))));
                (page..page + 6).for_each(|register| pair.read(0, register));
                pages.insert(pair.model.page());
            }
            match random.u8(0..40) {
                0 => assert!(pair.reset(function, random.bool()) < CYCLES * (REGISTERS + 1)),
                1..6 => pair.mark(function, register, data),
                6..20 => {
                    pair.access(function, register, Some((random.u32(0..16), data)));
                }
                _ => pair.read(function, register),
            }
            pair.set_pending(u128::from(random.u64(..)) & ((1 << pair.functions) - 1));
            if step % 100 == 0 {
                pair.check_settings();
            }
        }
        pair.read_all();
        assert_eq!(pages.len(), if legacy { 1 } else { 6 });
    }
}

/// As Linux probes: each number of virtual functions, and where they would be; what is wrong is not written.
#[test]
fn numbers_of_virtual_functions() {
    let mut pair = Pair::new(&many(), false, 6);
    let of = |path: &str| space::field(&space(&many(), Kind::Physical), path).unwrap().0 / 4;
    let [control, number, places, page] =
        ["control.enable", "number.number", "places.first", "system_page.size"]
            .map(|path| of(&format!("virtualization.{path}")));
    for routing in [0, 1 << 4] {
        pair.access(0, control, Some((3, routing)));
        for count in (0..=9).rev() {
            pair.access(0, number, Some((3, count)));
            let expected = if routing > 0 || count <= 6 { 0x0001_0002 } else { 0x0001_0100 };
            assert_eq!(pair.access(0, places, None), expected, "{count}");
            assert_eq!(pair.access(0, number, None), count);
        }
        pair.access(0, number, Some((3, 10)));
        assert_eq!(pair.access(0, number, None), 0, "more than there are");
    }
    let slots = Config { vf_places: VfPlaces::Slots, ..many() };
    let mut slots = Pair::new(&slots, false, 6);
    for routing in [0, 1 << 4] {
        slots.access(0, control, Some((3, routing)));
        for count in 0..=9 {
            slots.access(0, number, Some((3, count)));
            assert_eq!(slots.access(0, places, None), 0x0008_0008, "{count}");
        }
    }
    for (size, kept) in [(2, 2), (0x10, 0x10), (0x11, 0x10), (4, 0x10), (0, 0x10), (0x400, 0x400), (1, 1)] {
        pair.access(0, page, Some((15, size)));
        assert_eq!(pair.access(0, page, None), kept);
    }
    pair.access(0, number, Some((3, 5)));
    pair.access(0, control, Some((3, 9)));
    pair.access(0, number, Some((3, 4)));
    pair.access(0, page, Some((15, 2)));
    assert_eq!(
        [number, page].map(|register| pair.access(0, register, None)),
        [5, 1],
        "while they are enabled"
    );
}

/// While a function is reset every other one is still accessed, in turn with the registers of the reset.
#[test]
fn others_are_accessed_during_a_reset() {
    for legacy in [false, true] {
        let mut pair = Pair::new(&many(), legacy, 8);
        for function in 0..pair.functions {
            for register in 0..REGISTERS {
                pair.access(function, register, Some((15, u32::MAX)));
            }
        }
        pair.bench.sim.poke(pair.io.reset.payload.function, 2);
        pair.bench.sim.poke(pair.io.reset.payload.sticky, true);
        pair.bench.sim.poke(pair.io.reset.valid, true);
        let mut random = Rng::with_seed(8);
        let (start, mut count) = (pair.bench.sim.cycles(), 0);
        while !pair.bench.sim.peek(pair.io.reset.ready) {
            let function = [0, 1, 3, 10][random.usize(0..4)];
            let register = random.usize(0..REGISTERS);
            match random.bool() {
                true => pair.read(function, register),
                false => _ = pair.access(function, register, Some((15, random.u32(..)))),
            }
            count += 1;
            // No further access is on offer: the walk goes on.
            (0..random.usize(0..9)).for_each(|_| {
                if !pair.bench.sim.peek(pair.io.reset.ready) {
                    pair.cycle();
                }
            });
        }
        pair.cycle();
        pair.bench.sim.poke(pair.io.reset.valid, false);
        let cycles = pair.bench.sim.cycles() - start;
        assert!(count > 60 && cycles < (2 * CYCLES * REGISTERS + 20) as u64, "{count} in {cycles}");
        pair.model.reset(2, true);
        pair.read_all();
        pair.check_settings();
    }
}

/// A flood of errors does not keep the host from the registers, nor do accesses keep errors from being noted; a reset
/// comes before both.
#[test]
fn marks_and_accesses_take_turns() {
    let mut pair = Pair::new(&many(), false, 7);
    let (bench, io) = (&mut pair.bench, &pair.io);
    bench.sim.poke(io.mark.valid, true);
    bench.sim.poke(io.access.valid, true);
    bench.sim.poke(io.access.payload.write, false);
    let mut taken = [0; 2];
    for _ in 0..CYCLES * 100 {
        let ready = [bench.sim.peek(io.mark.ready), bench.sim.peek(io.access.ready)];
        assert_ne!(ready, [true; 2], "one at a time");
        (0..2).for_each(|kind| taken[kind] += usize::from(ready[kind]));
        bench.cycle(&mut []);
    }
    assert_eq!(taken, [50; 2]);
    bench.sim.poke(io.reset.valid, true);
    bench.sim.poke(io.reset.payload.function, 0);
    (0..CYCLES).for_each(|_| bench.cycle(&mut []));
    while !bench.sim.peek(io.reset.ready) {
        assert!(!bench.sim.peek(io.mark.ready) && !bench.sim.peek(io.access.ready), "not within a reset");
        bench.cycle(&mut []);
    }
}
