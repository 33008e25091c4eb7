//! What is around the block: store, registers, memory and bridge.

use super::{
    super::{
        model::{End, Features, Model, Rights, Told},
        *,
    },
    *,
};
use crate::{
    dma::ReadBeat,
    register_map as map,
    testing::Word,
    veb::rows::{Operation, Outcome as RowOutcome, Table},
    virtio::{
        testing::{Buffer, Given, Store},
        types,
    },
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Reads from here on fail.
pub(super) const HOLE: u64 = 1 << 60;

/// Buffers from here on are to be written.
pub(super) const ANSWERS: u64 = 1 << 50;

/// What a buffer holds.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) buffer: Buffer,
    /// The command, up to a part that is too long or cannot be read.
    pub(super) bytes: Vec<u8>,
    pub(super) fails: bool,
    pub(super) long: bool,
    /// Where its answer goes.
    pub(super) answer: Option<u64>,
}

/// A command that the hardware has begun.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) function: usize,
    pub(super) sent: Sent,
    pub(super) end: End,
}

/// All around the block.
pub(super) struct World {
    pub(super) io: ControlIo,
    pub(super) config: Config,
    pub(super) model: Model,
    pub(super) store: Store,
    pub(super) sent: Vec<VecDeque<Sent>>,
    pub(super) begun: VecDeque<Begun>,
    /// How many commands came to which end.
    pub(super) ends: [usize; 4],
    pub(super) lookups: [usize; 3],
    pub(super) memory: HashMap<u64, u8>,
    pub(super) data: Source<ReadBeat>,
    pub(super) stopped: Option<usize>,
    /// Functions that were stopped in this round: a command may have ended in silence,
    pub(super) doubtful: BTreeSet<usize>,
    /// and at any time: an announcement may be missing.
    pub(super) stopped_once: BTreeSet<usize>,
    pub(super) answers: VecDeque<(u64, usize)>,
    pub(super) write_data: VecDeque<u8>,
    pub(super) written: HashMap<u64, u8>,
    pub(super) done: VecDeque<(u128, usize)>,
    pub(super) table: BTreeMap<u64, u128>,
    pub(super) response: Option<(usize, RowOutcome, Vec<u32>)>,
    pub(super) groups: Vec<BTreeSet<u64>>,
    pub(super) vlans: Vec<BTreeSet<u64>>,
    /// Cycles until it is done.
    pub(super) forget: Option<usize>,
    pub(super) told: Vec<Told>,
    pub(super) told_at: u64,
    pub(super) cycle: u64,
    pub(super) driver_ok: Vec<bool>,
}

impl World {
    pub(super) fn new(bench: &mut Bench, io: &ControlIo, config: &Config, model: Model) -> World {
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

    pub(super) fn queue(&self, function: usize) -> usize {
        (function << slot_bits(&self.config)) | (2 * self.config.pairs)
    }

    /// What the registers say of the function's features.
    pub(super) fn mode(&self, function: usize) -> u128 {
        let Features { receive, vlan, address, announce, pairs } = self.model.features[function];
        // The first field is the uppermost.
        let mode = Mode::ty().size();
        let flags = [receive, vlan, address, announce, pairs].into_iter().enumerate();
        flags.map(|(at, flag)| u128::from(flag) << (mode - 1 - at)).sum()
    }

    pub(super) fn send(&mut self, function: usize, sent: Sent) {
        let queue = self.queue(function);
        self.store.queues[queue].push_back(sent.buffer.clone());
        self.sent[function].push_back(sent);
    }

    /// What is to become of a command, carried out now.
    pub(super) fn end_of(&mut self, function: usize, sent: &Sent) -> End {
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
    pub(super) fn compare(&mut self, sim: &mut Native, function: usize) {
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
        assert_eq!(field(&pairs, 2 * function, 2), u64::from(state.pairs), "function {function}");
        assert_eq!(self.groups[function], state.groups, "function {function}");
        assert_eq!(self.vlans[function], state.vlans, "function {function}");
    }

    pub(super) fn ended(&mut self, end: End) -> Begun {
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
    pub(super) fn begins(&mut self, function: usize) {
        if let Some(last) = self.begun.pop_front() {
            let may_be_silent = last.end == End::Silence || self.doubtful.contains(&last.function);
            assert!(may_be_silent, "{last:x?}");
            self.ends[3] += 1;
        }
        let sent = self.sent[function].pop_front().expect("a command that was sent");
        let end = self.end_of(function, &sent);
        self.begun.push_back(Begun { function, sent, end });
    }

    pub(super) fn operate(&mut self, sim: &mut Native) -> (RowOutcome, Vec<u32>) {
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
            assert_eq!(sim.peek(io.lookup.payload.word), types::Word::Mode);
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
        let announced = sim.peek(io.announced.valid);
        let announced = announced.then(|| Told::Announced(sim.peek(io.announced.payload) as usize));
        let mac = sim.peek(io.mac.valid).then(|| {
            Told::Mac(sim.peek(io.mac.payload.function) as usize, sim.peek(io.mac.payload.mac) as u64)
        });
        for told in announced.into_iter().chain(mac) {
            assert!(self.told.is_empty() || self.cycle >= self.told_at + 256, "too fast for the registers");
            self.told.push(told);
            self.told_at = self.cycle;
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
