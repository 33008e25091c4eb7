//! Random commands of all functions against the model.

use super::{
    model::{End, Features, Function, Model, Rights, Told, hash},
    *,
};
use crate::{
    register_map as map,
    testing::{Word, *},
    veb::rows::{Operation, Outcome as RowOutcome, Table},
    virtio::testing::{Buffer, Given, Store},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Reads from here on fail.
const HOLE: u64 = 1 << 60;

/// Buffers from here on are to be written.
const ANSWERS: u64 = 1 << 50;

/// What a buffer holds.
#[derive(Clone, Debug)]
struct Sent {
    buffer: Buffer,
    /// The command, up to a part that is too long or cannot be read.
    bytes: Vec<u8>,
    fails: bool,
    long: bool,
    /// Where its answer goes.
    answer: Option<u64>,
}

/// A command that the hardware has begun.
#[derive(Clone, Debug)]
struct Begun {
    function: usize,
    sent: Sent,
    end: End,
}

/// All around the block.
struct World {
    io: ControlIo,
    config: Config,
    model: Model,
    store: Store,
    sent: Vec<VecDeque<Sent>>,
    begun: VecDeque<Begun>,
    /// How many commands came to which end.
    ends: [usize; 4],
    lookups: [usize; 3],
    memory: HashMap<u64, u8>,
    data: Source<ReadBeat>,
    stopped: Option<usize>,
    /// Functions that were stopped in this round: a command may have ended in silence,
    doubtful: BTreeSet<usize>,
    /// and at any time: an announcement may be missing.
    stopped_once: BTreeSet<usize>,
    answers: VecDeque<(u64, usize)>,
    write_data: VecDeque<u8>,
    written: HashMap<u64, u8>,
    done: VecDeque<(u128, usize)>,
    table: BTreeMap<u64, u128>,
    response: Option<(usize, RowOutcome, Vec<u32>)>,
    groups: Vec<BTreeSet<u64>>,
    vlans: Vec<BTreeSet<u64>>,
    /// Cycles until it is done.
    forget: Option<usize>,
    told: Vec<Told>,
    told_at: u64,
    cycle: u64,
    driver_ok: Vec<bool>,
}

impl World {
    fn new(bench: &mut Bench, io: &ControlIo, config: &Config, model: Model) -> World {
        let functions = config.functions();
        let sim = &mut bench.sim;
        let bits = |of: fn(&Rights) -> bool| -> Word { model.rights.iter().map(of).collect() };
        sim.poke_wide(&io.may_address, &bits(|rights| rights.address));
        sim.poke_wide(&io.may_unicast, &bits(|rights| rights.unicast));
        sim.poke_wide(&io.may_multicast, &bits(|rights| rights.multicast));
        World {
            store: Store::new(io.pop, io.popped, config),
            sent: vec![VecDeque::new(); functions],
            begun: VecDeque::new(),
            ends: [0; 4],
            lookups: [0; 3],
            memory: HashMap::new(),
            data: Source::new(&io.read_data, 0.9),
            stopped: None,
            doubtful: BTreeSet::new(),
            stopped_once: BTreeSet::new(),
            answers: VecDeque::new(),
            write_data: VecDeque::new(),
            written: HashMap::new(),
            done: VecDeque::new(),
            table: model.manager.clone(),
            response: None,
            groups: vec![BTreeSet::new(); functions],
            vlans: vec![BTreeSet::new(); functions],
            forget: None,
            told: vec![],
            told_at: 0,
            cycle: 0,
            driver_ok: vec![false; functions],
            io: io.clone(),
            config: config.clone(),
            model,
        }
    }

    fn queue(&self, function: usize) -> usize {
        function << slot_bits(&self.config) | 2 * self.config.pairs
    }

    /// What the registers say of the function's features.
    fn mode(&self, function: usize) -> u128 {
        let Features { receive, vlan, address, announce, pairs } = self.model.features[function];
        // The first field is the uppermost.
        let mode = Mode::ty().size();
        let flags = [receive, vlan, address, announce, pairs].into_iter().enumerate();
        flags.map(|(at, flag)| u128::from(flag) << (mode - 1 - at)).sum()
    }

    fn send(&mut self, function: usize, sent: Sent) {
        let queue = self.queue(function);
        self.store.queues[queue].push_back(sent.buffer.clone());
        self.sent[function].push_back(sent);
    }

    /// What is to become of a command, carried out now.
    fn end_of(&mut self, function: usize, sent: &Sent) -> End {
        match () {
            () if sent.buffer.bad => End::Silence,
            () if sent.fails => End::Fault(Cause::Access),
            () if sent.answer.is_none() || sent.bytes.len() < 2 && !sent.long => End::Fault(Cause::Header),
            () if sent.long => End::Answer(1),
            () if self.model.carry_out(function, &sent.bytes) => End::Answer(0),
            () => End::Answer(1),
        }
    }

    /// The function is as the model has it.
    fn compare(&mut self, sim: &mut Native, function: usize) {
        let state = &self.model.functions[function];
        let filters = self.model.features[function].vlan && self.driver_ok[function];
        let wishes = &self.io.wishes[function];
        let wishes =
            [wishes.unicast, wishes.multicast, wishes.vlan, wishes.filter].map(|wish| sim.peek(wish));
        let expected = [
            state.promiscuous || state.many,
            state.promiscuous || state.all_multicast,
            state.promiscuous,
            filters && !state.promiscuous,
        ];
        assert_eq!(wishes, expected, "function {function}: {state:?}");
        let pairs = sim.peek_wide(&self.io.pairs);
        assert_eq!(field(&pairs, 2 * function, 2), state.pairs.into(), "function {function}");
        assert_eq!(self.groups[function], state.groups, "function {function}");
        assert_eq!(self.vlans[function], state.vlans, "function {function}");
    }

    fn ended(&mut self, end: End) -> Begun {
        let begun = self.begun.pop_front().expect("a command that has begun");
        assert!(self.begun.is_empty(), "one at a time");
        assert_eq!(begun.end, end, "{:x?}", begun.sent);
        self.ends[match end {
            End::Answer(0) => 0,
            End::Answer(_) => 1,
            End::Fault(_) => 2,
            End::Silence => 3,
        }] += 1;
        begun
    }

    /// A new command begins: the one before has ended, in silence if it has not been heard of.
    fn begins(&mut self, function: usize) {
        if let Some(last) = self.begun.pop_front() {
            let may_be_silent = last.end == End::Silence || self.doubtful.contains(&last.function);
            assert!(may_be_silent, "{last:x?}");
            self.ends[3] += 1;
        }
        let sent = self.sent[function].pop_front().expect("a command that was sent");
        let end = self.end_of(function, &sent);
        self.begun.push_back(Begun { function, sent, end });
    }

    fn operate(&mut self, sim: &mut Native) -> (RowOutcome, Vec<u32>) {
        let request = self.io.row.payload;
        let data = sim.peek_wide(&request.data);
        let words: Vec<u32> = (0..6).map(|word| field(&data, 32 * word, 32) as u32).collect();
        let mac_field =
            |name: &str| map::table(Table::Mac).fields.iter().find(|f| f.name == name).unwrap().position;
        if sim.peek(request.table) == Table::Vlan {
            assert_eq!(sim.peek(request.operation), Operation::Read);
            let mut row = vec![0; 6];
            let members = self.model.vlans.get(&(sim.peek(request.index) as u64)).copied().unwrap_or(0);
            map::field(Table::Vlan, "members").put(&mut row, members);
            return (RowOutcome::Done, row);
        }
        assert_eq!(sim.peek(request.table), Table::Mac);
        let [mac, vid, ports] = ["mac", "vid", "ports"].map(|name| mac_field(name).get(&words));
        assert_eq!(vid, 0);
        let mac = mac as u64;
        let found = self.table.get(&mac).copied();
        let outcome = match sim.peek(request.operation) {
            Operation::Insert if found.is_none() && self.table.len() >= self.model.room => RowOutcome::NoRoom,
            Operation::Insert => {
                assert!(!self.model.manager.contains_key(&mac), "{mac:x} is the manager's");
                self.table.insert(mac, ports);
                RowOutcome::Done
            }
            Operation::Delete => {
                assert!(!self.model.manager.contains_key(&mac), "{mac:x} is the manager's");
                assert!(self.table.remove(&mac).is_some());
                RowOutcome::Done
            }
            Operation::Lookup if found.is_some() => RowOutcome::Done,
            Operation::Lookup => RowOutcome::NotFound,
            other => panic!("{other:?}"),
        };
        let mut row = words;
        mac_field("ports").put(&mut row, found.unwrap_or(0));
        (outcome, row)
    }
}

impl Agent for World {
    fn drive(&mut self, bench: &mut Bench) {
        self.store.drive(bench);
        let writable = bench.sim.peek(self.io.popped.payload.part.address) as u64 >= ANSWERS;
        let writable = writable && bench.sim.peek(self.io.popped.payload.part.address) < u128::from(HOLE);
        bench.sim.poke(self.io.popped.payload.part.writable, writable);
        let chains: Word = self.store.queues.iter().map(|queue| !queue.is_empty()).collect();
        bench.sim.poke_wide(&self.io.chains, &chains);
        let driver_ok: Word = self.driver_ok.iter().copied().collect();
        bench.sim.poke_wide(&self.io.driver_ok, &driver_ok);
        bench.sim.poke(self.io.found, self.mode(self.lookups[1]));
        let ready = [0; 4].map(|_| bench.rng.bool());
        bench.sim.poke(self.io.read.ready, ready[0] && self.data.queue.is_empty());
        bench.sim.poke(self.io.write.ready, ready[1]);
        bench.sim.poke(self.io.write_data.ready, ready[2]);
        bench.sim.poke(self.io.filter.ready, ready[3]);
        let ready = [0; 3].map(|_| bench.rng.bool());
        bench.sim.poke(self.io.used.ready, ready[0]);
        bench.sim.poke(self.io.fault.ready, ready[1]);
        bench.sim.poke(self.io.row.ready, ready[2] && self.response.is_none());
        bench.sim.poke(self.io.forget.ready, self.forget == Some(0));
        self.data.drive(bench);
        let done = matches!(self.done.front(), Some((_, 0)));
        bench.sim.poke(self.io.written.valid, done);
        if done && let Some((outcome, _)) = self.done.pop_front() {
            let outcome = if outcome == 0 { Outcome::Success } else { Outcome::Stopped };
            bench.sim.poke(self.io.written.payload, outcome);
        }
        self.done.iter_mut().for_each(|(_, cycles)| *cycles = cycles.saturating_sub(1));
        let answers = matches!(self.response, Some((0, ..)));
        bench.sim.poke(self.io.row_response.valid, answers);
        if answers && let Some((_, outcome, row)) = self.response.take() {
            bench.sim.poke(self.io.row_response.payload.outcome, outcome);
            let data: Word = row.iter().flat_map(|value| word((*value).into(), 32)).collect();
            bench.sim.poke_wide(&self.io.row_response.payload.data, &data);
        }
        if let Some((cycles, ..)) = &mut self.response {
            *cycles -= 1;
        }
    }

    fn sample(&mut self, bench: &mut Bench) {
        self.cycle += 1;
        let io = self.io.clone();
        let popped = bench.sim.peek(io.pop.valid) && bench.sim.peek(io.pop.ready);
        if popped && self.store.taken == 0 {
            let function = bench.sim.peek(io.pop.payload.function) as usize;
            assert_eq!(bench.sim.peek(io.pop.payload.slot), 2 * self.config.pairs as u128);
            self.begins(function);
        }
        self.store.sample(bench);
        self.data.sample(bench);
        let Bench { sim, rng } = bench;
        self.lookups = [self.lookups[0], self.lookups[0], self.lookups[1]];
        if sim.peek(io.lookup.valid) {
            assert_eq!(sim.peek(io.lookup.payload.word), super::Word::Mode);
            self.lookups[0] = sim.peek(io.lookup.payload.queue.function) as usize;
        }
        if sim.peek(io.read.valid) && sim.peek(io.read.ready) {
            let command = io.read.payload;
            let (address, length) = (sim.peek(command.address) as u64, sim.peek(command.length) as u64);
            assert!((1..=256).contains(&length));
            let outcome = match () {
                () if self.stopped == Some(sim.peek(command.function) as usize) => 1,
                () if address >= HOLE => 2,
                () => 0,
            };
            let length = if outcome == 0 { length } else { rng.u64(0..=length) };
            let byte = |at: u64| self.memory.get(&at).copied().unwrap_or(at as u8);
            let data = (address..address + length).map(byte).collect();
            let beats = Frame { data, error: false }.beats(self.config.bytes, rng);
            self.data.send(beats.into_iter().map(|beat| {
                let mut word = word(outcome, 3);
                word.extend(beat[1..].iter().by_vals());
                word
            }));
        }
        if sim.peek(io.write.valid) && sim.peek(io.write.ready) {
            assert_eq!(sim.peek(io.write.payload.length), 1);
            let function = sim.peek(io.write.payload.function) as usize;
            self.answers.push_back((sim.peek(io.write.payload.address) as u64, function));
        }
        if sim.peek(io.write_data.valid) && sim.peek(io.write_data.ready) {
            let data = sim.peek_wide(&io.write_data.payload.data);
            self.write_data.push_back(field(&data, 0, 8) as u8);
            assert!(sim.peek(io.write_data.payload.last) && !sim.peek(io.write_data.payload.error));
            assert_eq!(sim.peek(io.write_data.payload.count), 1);
        }
        if !self.answers.is_empty() && !self.write_data.is_empty() {
            let (address, function) = self.answers.pop_front().expect("a command");
            let byte = self.write_data.pop_front().expect("its data");
            let is_stopped = self.stopped == Some(function);
            if !is_stopped {
                self.written.insert(address, byte);
            }
            self.done.push_back((is_stopped.into(), rng.usize(0..30)));
        }
        if sim.peek(io.filter.valid) && sim.peek(io.filter.ready) {
            let change = io.filter.payload;
            let function = sim.peek(change.function) as usize;
            let of = match sim.peek(change.kind) {
                FilterKind::Group => &mut self.groups,
                FilterKind::Vlan => &mut self.vlans,
            };
            let index = sim.peek(change.index) as u64;
            match sim.peek(change.wanted) {
                true => of[function].insert(index),
                false => of[function].remove(&index),
            };
        }
        if sim.peek(io.forget.valid) {
            match self.forget {
                None => self.forget = Some(rng.usize(100..2000)),
                Some(0) => {
                    let function = sim.peek(io.forget.payload) as usize;
                    self.groups[function].clear();
                    self.vlans[function].clear();
                    self.forget = None;
                }
                Some(cycles) => self.forget = Some(cycles - 1),
            }
        }
        if sim.peek(io.row.valid) && sim.peek(io.row.ready) {
            let (outcome, row) = self.operate(sim);
            self.response = Some((rng.usize(0..20), outcome, row));
        }
        for told in [
            sim.peek(io.announced.valid).then(|| Told::Announced(sim.peek(io.announced.payload) as usize)),
            sim.peek(io.mac.valid).then(|| {
                Told::Mac(sim.peek(io.mac.payload.function) as usize, sim.peek(io.mac.payload.mac) as u64)
            }),
        ] {
            if let Some(told) = told {
                assert!(
                    self.told.is_empty() || self.cycle >= self.told_at + 256,
                    "too fast for the registers"
                );
                self.told.push(told);
                self.told_at = self.cycle;
            }
        }
        if sim.peek(io.fault.valid) && sim.peek(io.fault.ready) {
            let cause = sim.peek(io.fault.payload.cause);
            let begun = self.ended(End::Fault(cause));
            assert_eq!(self.store.number(sim, io.fault.payload.queue), self.queue(begun.function));
        }
        if sim.peek(io.used.valid) && sim.peek(io.used.ready) {
            let given = Given::of(&sim.peek_wide(&io.used.payload), &self.config);
            let answer = self.begun[0].sent.answer.expect("a place for the answer");
            let begun = self.ended(End::Answer(self.written[&answer]));
            let Buffer { id, places, .. } = begun.sent.buffer;
            let queue = self.queue(begun.function);
            assert_eq!(given, Given { queue, id, length: 1, places, joined: false });
            if self.driver_ok[begun.function] {
                self.compare(sim, begun.function);
            }
        }
    }
}

/// Draws what a driver might send.
struct Draw<'a> {
    rng: &'a mut Rng,
    wires: usize,
    /// Where the next bytes lie.
    next: u64,
}

impl Draw<'_> {
    /// An address: of a few that belong to the function or, if they may meet, to all.
    fn address(&mut self, function: usize, meets: bool) -> u64 {
        let whose = if meets && self.rng.u8(..3) == 0 { 0xFF } else { function as u64 };
        0x0200_0000_0000 | whose << 8 | self.rng.u64(..6)
    }

    fn bytes_of(mac: u64) -> Vec<u8> {
        mac.to_be_bytes()[2..].to_vec()
    }

    fn list(&mut self, count: usize, mut one: impl FnMut(&mut Self) -> u64) -> Vec<u8> {
        let mut list = (count as u32).to_le_bytes().to_vec();
        (0..count).for_each(|_| list.extend(Self::bytes_of(one(self))));
        list
    }

    fn command(&mut self, function: usize, meets: bool) -> Vec<u8> {
        let group = |draw: &mut Self| 0x0100_5e00_0000 | draw.rng.u64(..1 << 20);
        let mut command = match self.rng.u8(..16) {
            0..=1 => vec![0, self.rng.u8(..2), self.rng.u8(..3)],
            2..=5 => {
                let many = [0, 1, 2, 3, 4, 9][self.rng.usize(..6)];
                let unicast = self.list(many, |draw| match draw.rng.u8(..60) {
                    0 => group(draw),
                    _ => draw.address(function, meets),
                });
                let many = [0, 1, 7, 60][self.rng.usize(..4)];
                [vec![1, 0], unicast, self.list(many, group)].concat()
            }
            6..=8 => {
                let address = match self.rng.u8(..12) {
                    0 => group(self),
                    _ => self.address(function, meets),
                };
                [vec![1, 1], Self::bytes_of(address)].concat()
            }
            9..=11 => {
                let vid: u16 = match self.rng.u8(..10) {
                    0 => self.rng.u16(4090..=4100),
                    1 => self.rng.u16(..),
                    _ => self.rng.u16(..8),
                };
                [vec![2, self.rng.u8(..2)], vid.to_le_bytes().to_vec()].concat()
            }
            12 => vec![3, 0],
            13 => [vec![4, 0], self.rng.u16(..6).to_le_bytes().to_vec()].concat(),
            14 => vec![self.rng.u8(..6), self.rng.u8(..3), 0, 0],
            _ => (0..self.rng.usize(..12)).map(|_| self.rng.u8(..3)).collect(),
        };
        match self.rng.u8(..30) {
            0 => command.push(0),
            1 => command.truncate(command.len().saturating_sub(1)),
            2 if command.len() > 5 => command[5] = 1,
            _ => {}
        }
        command
    }

    fn sent(&mut self, memory: &mut HashMap<u64, u8>, command: Vec<u8>, id: u64) -> Sent {
        let most = [1, 2, 4, 20][self.rng.usize(..4)].min(command.len());
        let mut cuts: Vec<usize> = (1..most).map(|_| self.rng.usize(1..command.len())).collect();
        cuts.extend([0, command.len()]);
        cuts.sort();
        cuts.dedup();
        let mut parts: Vec<(u64, usize)> = vec![];
        for cut in cuts.windows(2) {
            let at = self.next + self.rng.u64(..64);
            (at..).zip(&command[cut[0]..cut[1]]).for_each(|(at, byte)| {
                memory.insert(at, *byte);
            });
            self.next = at + (cut[1] - cut[0]) as u64;
            parts.push((at, cut[1] - cut[0]));
        }
        let mut bytes = command;
        let (mut fails, mut long) = (false, false);
        match self.rng.u8(..24) {
            0 if !parts.is_empty() => {
                let which = self.rng.usize(..parts.len());
                parts[which].0 = HOLE;
                bytes.truncate(parts[..which].iter().map(|part| part.1).sum());
                fails = true;
            }
            1 => {
                parts.push((HOLE, TOO_LONG - bytes.len()));
                long = true;
            }
            _ => {}
        }
        let mut answer = None;
        if parts.is_empty() || self.rng.u8(..20) > 0 {
            answer = Some(ANSWERS + self.next);
            self.next += 1;
            for more in 0..[1, 1, 1, 2][self.rng.usize(..4)] {
                parts.push((ANSWERS + self.next - 1 + more * 64, self.rng.usize(1..5)));
            }
        }
        let bad = self.rng.u8(..24) == 0;
        let buffer = Buffer { parts, id, places: self.rng.u64(1..5), bad };
        Sent { buffer, bytes, fails, long, answer }
    }

    fn features(&mut self) -> Features {
        let mut accepts = || self.rng.u8(..5) > 0;
        Features {
            receive: accepts(),
            vlan: accepts(),
            address: accepts(),
            announce: accepts(),
            pairs: accepts(),
        }
    }
}

fn model(rng: &mut Rng, config: &Config) -> Model {
    let mut draw = Draw { rng, wires: config.wires, next: 0 };
    let functions = config.functions();
    let features = (0..functions).map(|_| draw.features()).collect();
    let rights = (0..functions)
        .map(|_| {
            let mut may = |often: u8| draw.rng.u8(..often) > 0;
            Rights { address: may(5), unicast: may(3), multicast: may(3) }
        })
        .collect();
    // The manager has given some addresses to whom they belong to, and some to others.
    let mut manager = BTreeMap::new();
    for function in 0..functions {
        let port = 1 << (draw.wires + function);
        manager.insert(draw.address(function, false), port);
        if draw.rng.u8(..4) == 0 {
            manager.insert(draw.address(function, false), port | 1);
        }
    }
    let ports = config.ports();
    let vlans = (0..8).map(|vid| (vid, draw.rng.u128(..) & draw.rng.u128(..) & ((1 << ports) - 1))).collect();
    Model {
        wires: config.wires,
        most_pairs: config.pairs as u16,
        functions: vec![Function::default(); functions],
        features,
        rights,
        room: manager.len() + 2 * functions,
        manager,
        vlans,
        told: vec![],
    }
}

/// Rounds of commands: in some functions take each other's addresses, in others queues and functions are reset.
fn rounds(config: &Config, seed: u64, rounds: usize, commands: usize) -> [usize; 4] {
    let (mut bench, io) = Bench::new(|| control(config), seed);
    let model = model(&mut bench.rng, config);
    let functions = config.functions();
    let mut world = World::new(&mut bench, &io, config, model);
    let (mut next, mut id) = (0x1000, 0);
    bench.sim.poke(io.drain.valid, false);
    // All memories are cleared.
    (0..1200).for_each(|_| bench.cycle(&mut [&mut world]));
    world.driver_ok = vec![true; functions];
    for round in 0..rounds {
        let resets = round % 2 == 1;
        // Entries of a function whose driver is gone take room for a while.
        let room = if resets { usize::MAX } else { world.model.manager.len() + 2 * functions };
        world.model.room = room;
        for _ in 0..commands {
            let mut draw = Draw { rng: &mut bench.rng, wires: config.wires, next };
            let function = draw.rng.usize(..functions);
            let command = draw.command(function, !resets);
            let sent = draw.sent(&mut world.memory, command, id);
            next = draw.next + 1000;
            id += 1;
            world.send(function, sent);
        }
        for _ in 0..if resets { 3 } else { 0 } {
            (0..bench.rng.usize(..1500)).for_each(|_| bench.cycle(&mut [&mut world]));
            let function = bench.rng.usize(..functions);
            let whole = bench.rng.bool();
            let stops = whole && bench.rng.bool();
            if whole {
                world.driver_ok[function] = false;
            }
            if stops {
                world.stopped = Some(function);
                world.doubtful.insert(function);
                world.stopped_once.insert(function);
            }
            (0..bench.rng.usize(..20)).for_each(|_| bench.cycle(&mut [&mut world]));
            bench.sim.poke(io.drain.valid, true);
            bench.sim.poke(io.drain.payload.function, function as u128);
            bench.sim.poke(io.drain.payload.slot, 2 * config.pairs as u128);
            let mut cycles = 0;
            while !bench.sim.peek(io.drain.ready) {
                bench.cycle(&mut [&mut world]);
                cycles += 1;
                assert!(cycles < 100_000, "the drain ends");
            }
            bench.cycle(&mut [&mut world]);
            bench.sim.poke(io.drain.valid, false);
            // The store forgets a bit later; nothing begins.
            let waits = world.sent[function].len();
            (0..bench.rng.usize(..60)).for_each(|_| bench.cycle(&mut [&mut world]));
            assert_eq!(world.sent[function].len(), waits, "nothing begins behind a drain");
            world.sent[function].clear();
            let queue = world.queue(function);
            world.store.queues[queue].clear();
            if whole {
                world.model.functions[function] = Function::default();
                let mut draw = Draw { rng: &mut bench.rng, wires: config.wires, next };
                world.model.features[function] = draw.features();
                (0..bench.rng.usize(1..3000)).for_each(|_| bench.cycle(&mut [&mut world]));
                world.driver_ok[function] = true;
                (0..2).for_each(|_| bench.cycle(&mut [&mut world]));
                let mut draw = Draw { rng: &mut bench.rng, wires: config.wires, next };
                let command = draw.command(function, false);
                let sent = draw.sent(&mut world.memory, command, id);
                next = draw.next + 1000;
                id += 1;
                world.send(function, sent);
            }
            world.stopped = None;
        }
        let mut idle = 0;
        while idle < 6000 {
            let is_silent =
                |begun: &Begun| begun.end == End::Silence || world.doubtful.contains(&begun.function);
            let waits = world.sent.iter().any(|sent| !sent.is_empty());
            idle = if waits || !world.begun.iter().all(is_silent) { 0 } else { idle + 1 };
            bench.cycle(&mut [&mut world]);
            assert!(world.cycle < 20_000_000, "stuck");
        }
        (0..functions).for_each(|function| world.compare(&mut bench.sim, function));
        assert_eq!(world.table, world.model.table(), "round {round}");
        let sure = |told: &&Told| {
            let (Told::Announced(function) | Told::Mac(function, _)) = told;
            !world.stopped_once.contains(function)
        };
        let [told, expected] = [&world.told, &world.model.told].map(|told| told.iter().filter(sure));
        assert!(told.eq(expected));
        world.ends[3] += world.begun.len();
        world.begun.clear();
        world.doubtful.clear();
    }
    world.ends
}

#[test]
fn commands_do_what_the_model_says() {
    for (seed, config) in Config::all().iter().enumerate() {
        let ends = rounds(config, seed as u64, 4, 60);
        assert!(ends[0] > 40 && ends[1] > 40 && ends[2] > 5 && ends[3] > 1, "{ends:?}");
    }
}

#[test]
fn as_many_functions_as_there_can_be() {
    let most = Config { vfs: 62, pairs: 1, ..Config::small() };
    rounds(&most, 7, 2, 40);
}

/// A hash of the model is that of the bridge.
#[test]
fn hashes_fold_all_bits() {
    assert_eq!(hash(0x3333_0000_0001), 0b101010011);
}
