//! A test bench around the bridge's hardware, in either simulator: plays frames into the ports, takes what comes out,
//! drives the manager's bus, and keeps the scoreboard.

mod bus;

use super::{
    PortSet, bridge,
    policy::{Change, Command, Policy, Table, Wishes},
    scoreboard::{Losses, Report, Scoreboard},
    statistics::{Count, Kind, Statistics},
};
use crate::ethernet::MacAddress;
use crate::{random::Random, traffic::Sink};
use bus::Bus;
use hdl::{Interface, Simulator, Violation, interface::PortIndex};
use rtl::{
    config::Config,
    register_map,
    veb::rows::{self, Outcome},
};
use std::collections::VecDeque;
use thiserror::Error;

/// How a port of the bridge is treated from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// In how many of a hundred cycles no new beat is offered.
    pub pause: usize,
    /// In how many of a hundred cycles egress is not ready; 100 stalls for ever.
    pub stall: usize,
}

/// A frame that left a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub port: usize,
    pub bytes: Vec<u8>,
    /// Cycle of its last beat.
    pub cycle: u64,
    /// At the manager: where the hardware says that it came in.
    pub source: Option<usize>,
}

/// What can go wrong beside the frames.
#[derive(Debug, Error)]
pub enum BenchError {
    #[error("{0}")]
    Check(#[from] Violation),
    #[error("{access} of the register at {address:#05x} was refused")]
    Refused { access: &'static str, address: usize },
    #[error("the address table has no room for {address} in VLAN {vid}: its bucket is full")]
    NoRoom { vid: u16, address: MacAddress },
    #[error("nothing moved for {0} cycles, and frames are still inside")]
    Stuck(u64),
}

/// A frame that began to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What it was sent with.
    pub mark: (usize, u64),
    /// Cycle of its first beat.
    pub cycle: u64,
}

/// What a command on a row came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    /// DATA0 to DATA5.
    pub data: [u32; 6],
}

const TABLE: usize = register_map::register("TABLE").offset;
const INDEX: usize = register_map::register("INDEX").offset;
const COMMAND: usize = register_map::register("COMMAND").offset;
const STATUS: usize = register_map::register("STATUS").offset;
const DATA: [usize; 6] = {
    let first = register_map::register("DATA0").offset;
    [first, first + 4, first + 8, first + 12, first + 16, first + 20]
};

/// Cycles after which a frame whose last beat has moved in is decided, if nothing holds it up.
const DECIDED: u64 = 100;

/// Cycles without a move after which frames that are still inside count as stuck.
const PATIENCE: u64 = 20_000;

/// The ports of one frame stream.
#[derive(Clone, Copy)]
struct BeatPorts {
    valid: PortIndex,
    ready: PortIndex,
    data: PortIndex,
    count: PortIndex,
    last: PortIndex,
    error: PortIndex,
}

impl BeatPorts {
    fn find(interface: &Interface, stream: &str) -> BeatPorts {
        let port = |field: &str| find(interface, &format!("{stream}_{field}"));
        BeatPorts {
            valid: port("valid"),
            ready: port("ready"),
            data: port("payload_data"),
            count: port("payload_count"),
            last: port("payload_last"),
            error: port("payload_error"),
        }
    }
}

fn find(interface: &Interface, name: &str) -> PortIndex {
    let position = interface.ports.iter().position(|port| port.name == name);
    position.unwrap_or_else(|| panic!("the bridge has no port `{name}`"))
}

fn operation(command: Command) -> rows::Operation {
    match command {
        Command::Write => rows::Operation::Write,
        Command::Insert => rows::Operation::Insert,
        Command::Delete => rows::Operation::Delete,
    }
}

fn table(table: Table) -> rows::Table {
    match table {
        Table::Port => rows::Table::Port,
        Table::Vlan => rows::Table::Vlan,
        Table::Multicast => rows::Table::Multicast,
        Table::Mac => rows::Table::Mac,
        Table::Mirror => rows::Table::Mirror,
        Table::Ethertype => rows::Table::Ethertype,
        Table::Rate => rows::Table::Rate,
        Table::Limit => rows::Table::Limit,
    }
}

struct Waiting {
    bytes: Vec<u8>,
    error: bool,
    forced: Option<PortSet>,
    mark: Option<(usize, u64)>,
    /// Not offered before this cycle.
    not_before: u64,
}

struct Ingress {
    ports: BeatPorts,
    waiting: VecDeque<Waiting>,
    /// Bytes of the first waiting frame that have moved.
    moved: usize,
    /// A beat is offered and has not moved.
    offered: bool,
    /// What `valid` is set to.
    valid: bool,
}

struct Egress {
    ports: BeatPorts,
    ready: bool,
    bytes: Vec<u8>,
    /// Cycle of the first beat of `bytes`.
    begun: u64,
    /// What takes the frames; at once without one.
    link: Option<Sink>,
}

/// The bridge between a model and a scoreboard.
pub struct Bench<S> {
    sim: S,
    beat_bytes: usize,
    manager: usize,
    policy: Policy,
    /// What the policy may be already.
    changing: Option<Policy>,
    scoreboard: Scoreboard,
    fresh_scoreboard: Scoreboard,
    ingress: Vec<Ingress>,
    egress: Vec<Egress>,
    behaviour: Vec<Behaviour>,
    random: Random,
    bus: Bus,
    forced: [PortIndex; 2],
    manager_source: PortIndex,
    wishes: Vec<[PortIndex; 3]>,
    /// Frames in all `ingress`.
    waiting: usize,
    /// Cycles since a beat moved.
    idle_cycles: u64,
    left: Vec<Left>,
    begun: Vec<Begun>,
    /// No frame begins.
    held: bool,
    /// Keep frames that left for [`Bench::take_left`].
    pub keep_left: bool,
}

impl<S: Simulator> Bench<S> {
    /// Resets the bridge and sets it up by the manager's bus.
    ///
    /// # Errors
    /// A register access that is refused, or an entry that finds no room.
    pub fn new(
        sim: S,
        config: &Config,
        policy: &Policy,
        losses: Losses,
        seed: u64,
    ) -> Result<Self, BenchError> {
        let interface = sim.interface().clone();
        let stream = |kind: &str, port: usize| BeatPorts::find(&interface, &format!("{kind}_{port}"));
        let ports = 0..config.ports();
        let ingress = ports.clone().map(|port| Ingress {
            ports: stream("ingress", port),
            waiting: VecDeque::new(),
            moved: 0,
            offered: false,
            valid: false,
        });
        let egress = ports.clone().map(|port| Egress {
            ports: stream("egress", port),
            ready: false,
            bytes: vec![],
            begun: 0,
            link: None,
        });
        let wishes = ports.map(|port| {
            ["unicast", "multicast", "vlan"].map(|kind| find(&interface, &format!("wishes_{port}_{kind}")))
        });
        let after_reset = Policy::new(config.wires, config.functions());
        let mut bench = Bench {
            ingress: ingress.collect(),
            egress: egress.collect(),
            beat_bytes: config.bytes,
            manager: config.manager(),
            policy: after_reset,
            changing: None,
            scoreboard: Scoreboard::new(&config.port_names(), losses),
            fresh_scoreboard: Scoreboard::new(&config.port_names(), losses),
            behaviour: vec![Behaviour::default(); config.ports()],
            random: Random::new(seed),
            bus: Bus::find(&interface),
            forced: ["forced_valid", "forced_ports"].map(|name| find(&interface, name)),
            manager_source: find(&interface, "manager_source"),
            wishes: wishes.collect(),
            waiting: 0,
            idle_cycles: 0,
            left: vec![],
            begun: vec![],
            held: false,
            keep_left: false,
            sim,
        };
        bench.bus.idle(&mut bench.sim);
        bench.reset()?;
        bench.set_policy(policy)?;
        Ok(bench)
    }

    /// How a port is treated from now on.
    pub fn set_behaviour(&mut self, port: usize, behaviour: Behaviour) {
        self.behaviour[port] = behaviour;
    }

    /// What the hardware has been told, and the model goes by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Makes every change that leads to `policy`, in the hardware and the model. Frames that come in meanwhile, or are on
    /// their way, may see some of the old and some of the new: let none be there that would tell the difference.
    ///
    /// # Errors
    /// See [`Bench::new`].
    pub fn set_policy(&mut self, policy: &Policy) -> Result<(), BenchError> {
        match self.set_policy_that_fits(policy)?.first() {
            Some(&(vid, address)) => Err(BenchError::NoRoom { vid, address }),
            None => Ok(()),
        }
    }

    /// As [`Bench::set_policy`], without the entries that find no room; they are returned.
    ///
    /// # Errors
    /// A register access that is refused.
    pub fn set_policy_that_fits(&mut self, policy: &Policy) -> Result<Vec<(u16, MacAddress)>, BenchError> {
        let mut left_out = vec![];
        for change in policy.changes_from(&self.policy) {
            if self.change(&change)? == Outcome::NoRoom {
                left_out.push(change.key().expect("only rows with keys find no room"));
            }
        }
        for port in 0..policy.port_count() {
            self.wish(port, policy.wishes[port]);
        }
        // A wish takes effect after some cycles.
        (0..4).try_for_each(|_| self.cycle())?;
        Ok(left_out)
    }

    /// Makes one change in the hardware and, unless it finds no room, in the model.
    ///
    /// # Errors
    /// A register access that is refused.
    pub fn change(&mut self, change: &Change) -> Result<Outcome, BenchError> {
        let outcome =
            self.command(operation(change.command), table(change.table), change.index, change.data)?.outcome;
        if outcome == Outcome::Done {
            self.policy.apply(change);
        }
        Ok(outcome)
    }

    /// The row that a change is about, as the hardware reads it.
    ///
    /// # Errors
    /// See [`Bench::command`].
    pub fn read_row(&mut self, change: &Change) -> Result<[u32; 6], BenchError> {
        let operation = match change.table {
            Table::Mac => rows::Operation::Lookup,
            _ => rows::Operation::Read,
        };
        Ok(self.command(operation, table(change.table), change.index, change.data)?.data)
    }

    /// As [`Bench::change`], while frames come in: each is decided by the old policy or by the new one as a whole, which
    /// the scoreboard checks. Only for runs without losses, and frames that all differ.
    ///
    /// # Errors
    /// See [`Bench::change`].
    pub fn change_under_traffic(&mut self, change: &Change) -> Result<Outcome, BenchError> {
        let mut changed = self.policy.clone();
        changed.apply(change);
        self.changing = Some(changed);
        // Frames that came in before are decided before the change.
        (0..DECIDED).try_for_each(|_| self.cycle())?;
        let outcome = self.change(change);
        self.changing = None;
        outcome
    }

    /// Sets what a function wishes to receive.
    pub fn wish(&mut self, port: usize, wishes: Wishes) {
        for (index, wish) in
            self.wishes[port].into_iter().zip([wishes.unicast, wishes.multicast, wishes.vlan])
        {
            self.sim.write(index, &[wish as u64]);
        }
        self.policy.wishes[port] = wishes;
    }

    /// Runs a command on a row and waits for its end; the bridge runs meanwhile.
    ///
    /// # Errors
    /// A register access that is refused; [`BenchError::Stuck`] if the command does not end.
    pub fn command(
        &mut self,
        operation: rows::Operation,
        table: rows::Table,
        index: usize,
        data: [u32; 6],
    ) -> Result<Answer, BenchError> {
        self.start_command(operation, table, index, data)?;
        let outcome = self.await_tables()?;
        let mut answer = Answer { outcome, data: [0; 6] };
        for (word, value) in answer.data.iter_mut().enumerate() {
            *value = self.read_register(DATA[word])?;
        }
        Ok(answer)
    }

    /// Starts a command on a row.
    ///
    /// # Errors
    /// A register access that is refused, as while another command runs.
    pub fn start_command(
        &mut self,
        operation: rows::Operation,
        table: rows::Table,
        index: usize,
        data: [u32; 6],
    ) -> Result<(), BenchError> {
        self.write_register(TABLE, table as u32)?;
        self.write_register(INDEX, index as u32)?;
        for (word, value) in data.into_iter().enumerate() {
            self.write_register(DATA[word], value)?;
        }
        self.write_register(COMMAND, operation as u32)
    }

    /// Waits until no command is under way, and tells how the last one ended.
    ///
    /// # Errors
    /// See [`Bench::read_register`]; [`BenchError::Stuck`] if a command does not end.
    pub fn await_tables(&mut self) -> Result<Outcome, BenchError> {
        let deadline = self.cycles() + PATIENCE;
        while self.cycles() < deadline {
            let status = self.read_register(STATUS)?;
            if status & 1 == 0 {
                let outcomes = [Outcome::Done, Outcome::NoRoom, Outcome::NotFound];
                return Ok(outcomes[(status >> 1) as usize]);
            }
        }
        Err(BenchError::Stuck(PATIENCE))
    }

    /// Frames and bytes that the hardware has counted at a port.
    ///
    /// # Errors
    /// See [`Bench::command`].
    pub fn count(&mut self, port: usize, kind: Kind) -> Result<Count, BenchError> {
        self.write_register(TABLE, rows::Table::Statistics as u32)?;
        self.write_register(INDEX, kind.index(port) as u32)?;
        self.write_register(COMMAND, rows::Operation::Read as u32)?;
        self.await_tables()?;
        let mut word = |word: usize| self.read_register(DATA[word]).map(u64::from);
        let frames = word(0)? | word(1)? << 32;
        Ok(Count { frames, bytes: word(2)? | word(3)? << 32 })
    }

    /// Free cells of the packet buffer.
    ///
    /// # Errors
    /// See [`Bench::read_register`].
    pub fn free_cells(&mut self) -> Result<u32, BenchError> {
        self.read_register(register_map::register("FREE_CELLS").offset)
    }

    /// Cells of the packet buffer.
    ///
    /// # Errors
    /// See [`Bench::read_register`].
    pub fn cells(&mut self) -> Result<u32, BenchError> {
        self.read_register(register_map::register("CELLS").offset)
    }

    /// Reads a register; the bridge runs meanwhile.
    ///
    /// # Errors
    /// [`BenchError::Refused`] if the answer is an error.
    pub fn read_register(&mut self, address: usize) -> Result<u32, BenchError> {
        self.bus.start_read(&mut self.sim, address);
        let (data, refused) = self.finish_access()?;
        if refused { Err(BenchError::Refused { access: "a read", address }) } else { Ok(data) }
    }

    /// Writes a register; the bridge runs meanwhile.
    ///
    /// # Errors
    /// [`BenchError::Refused`] if the answer is an error.
    pub fn write_register(&mut self, address: usize, data: u32) -> Result<(), BenchError> {
        self.bus.start_write(&mut self.sim, address, data);
        let (_, refused) = self.finish_access()?;
        if refused { Err(BenchError::Refused { access: "a write", address }) } else { Ok(()) }
    }

    fn finish_access(&mut self) -> Result<(u32, bool), BenchError> {
        let deadline = self.cycles() + PATIENCE;
        while self.cycles() < deadline {
            let answer = self.bus.advance(&mut self.sim);
            self.cycle()?;
            self.bus.settle(&mut self.sim);
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
        Err(BenchError::Stuck(PATIENCE))
    }

    /// Resets the bridge in the middle of whatever it does: frames inside are gone, the tables are empty, and the
    /// counters and the scoreboard start again.
    ///
    /// # Errors
    /// A check of the design that does not hold.
    pub fn reset(&mut self) -> Result<(), BenchError> {
        self.sim.write_reset(0, true);
        self.sim.step_domains(&[0])?;
        self.sim.write_reset(0, false);
        for ingress in &mut self.ingress {
            self.sim.write(ingress.ports.valid, &[0]);
            (ingress.offered, ingress.valid, ingress.moved) = (false, false, 0);
            ingress.waiting.clear();
        }
        self.waiting = 0;
        self.bus.idle(&mut self.sim);
        self.egress.iter_mut().for_each(|egress| egress.bytes.clear());
        let wires = self.policy.wires().len();
        self.policy = Policy::new(wires, self.ingress.len() - wires);
        for port in 0..self.ingress.len() {
            self.wish(port, Wishes::default());
        }
        self.scoreboard = self.fresh_scoreboard.clone();
        self.await_tables()?;
        Ok(())
    }

    /// Queues a frame at a port, to be offered from now on.
    pub fn send(&mut self, port: usize, bytes: Vec<u8>, error: bool) {
        self.send_at(0, port, bytes, error);
    }

    /// Queues a frame at a port, to be offered from a cycle on.
    ///
    /// # Panics
    /// If the frame is empty.
    pub fn send_at(&mut self, cycle: u64, port: usize, bytes: Vec<u8>, error: bool) {
        self.queue(port, Waiting { bytes, error, forced: None, mark: None, not_before: cycle });
    }

    /// Queues a frame of the manager that goes to these ports past all rules.
    ///
    /// # Panics
    /// If the frame is empty.
    pub fn send_forced(&mut self, bytes: Vec<u8>, error: bool, ports: PortSet) {
        self.queue(self.manager, Waiting { bytes, error, forced: Some(ports), mark: None, not_before: 0 });
    }

    /// Queues a frame with a mark by which [`Bench::take_begun`] tells when it has begun to come in.
    ///
    /// # Panics
    /// If the frame is empty.
    pub fn send_marked(&mut self, port: usize, bytes: Vec<u8>, mark: (usize, u64)) {
        self.queue(port, Waiting { bytes, error: false, forced: None, mark: Some(mark), not_before: 0 });
    }

    /// Frames of one port that are queued and not wholly in the bridge.
    pub fn waiting_at(&self, port: usize) -> usize {
        self.ingress[port].waiting.len()
    }

    /// Marked frames that have begun to come in since the last call.
    pub fn take_begun(&mut self) -> Vec<Begun> {
        std::mem::take(&mut self.begun)
    }

    /// From now on a port's frames leave over a link of its own rate.
    pub fn set_link(&mut self, port: usize, link: Option<Sink>) {
        self.egress[port].link = link;
    }

    /// Makes every change that leads to `policy` while no frame is undecided: sources begin no frame meanwhile.
    ///
    /// # Errors
    /// See [`Bench::set_policy`].
    pub fn set_policy_between_frames(&mut self, policy: &Policy) -> Result<(), BenchError> {
        self.held = true;
        while self.ingress.iter().any(|ingress| ingress.offered || ingress.moved > 0) {
            self.cycle()?;
        }
        (0..DECIDED).try_for_each(|_| self.cycle())?;
        let result = self.set_policy(policy);
        self.held = false;
        result
    }

    fn queue(&mut self, port: usize, frame: Waiting) {
        assert!(!frame.bytes.is_empty(), "a frame has at least one byte");
        self.ingress[port].waiting.push_back(frame);
        self.waiting += 1;
    }

    /// Frames that are queued and not wholly in the bridge.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The simulated cycles so far.
    pub fn cycles(&self) -> u64 {
        self.sim.cycles()
    }

    /// The simulator, for tracing and coverage.
    pub fn simulator(&mut self) -> &mut S {
        &mut self.sim
    }

    /// Frames that left since the last call, if [`Bench::keep_left`] is set.
    pub fn take_left(&mut self) -> Vec<Left> {
        std::mem::take(&mut self.left)
    }

    /// One clock cycle.
    ///
    /// # Errors
    /// A check of the design that does not hold.
    pub fn cycle(&mut self) -> Result<(), BenchError> {
        for port in 0..self.ingress.len() {
            self.offer(port);
            self.choose_ready(port);
        }
        let mut moved = false;
        for port in 0..self.ingress.len() {
            moved |= self.accept(port);
            moved |= self.collect(port);
        }
        self.idle_cycles = if moved { 0 } else { self.idle_cycles + 1 };
        self.sim.step_domains(&[0])?;
        Ok(())
    }

    /// Runs until all queued frames are in and nothing has come out for a while.
    ///
    /// # Errors
    /// See [`Bench::cycle`]; [`BenchError::Stuck`] if a frame that waits is not taken any more.
    pub fn run(&mut self) -> Result<(), BenchError> {
        self.idle_cycles = 0;
        while !self.run_for(u64::MAX)? {}
        Ok(())
    }

    /// Runs until all frames are in and all copies have left; for runs of many short parts.
    ///
    /// # Errors
    /// See [`Bench::run`].
    pub fn run_until_empty(&mut self) -> Result<(), BenchError> {
        while self.waiting > 0 {
            self.cycle()?;
        }
        let deadline = self.cycles() + PATIENCE;
        while self.scoreboard.due() > 0 {
            self.cycle()?;
            if self.cycles() > deadline {
                return Err(BenchError::Stuck(PATIENCE));
            }
        }
        Ok(())
    }

    /// As [`Bench::run`], for a number of cycles at most; says whether all is done.
    ///
    /// # Errors
    /// See [`Bench::run`].
    pub fn run_for(&mut self, cycles: u64) -> Result<bool, BenchError> {
        // Longer than any frame takes through an empty bridge, plus the longest pauses that are likely.
        let quiet = 4 * rtl::config::MAX_FRAME as u64 / self.beat_bytes as u64 + 200;
        for _ in 0..cycles {
            if self.waiting == 0 && self.idle_cycles >= quiet {
                return Ok(true);
            }
            self.cycle()?;
            if self.idle_cycles > PATIENCE {
                let soonest = self.ingress.iter().filter_map(|ingress| ingress.waiting.front());
                if soonest.map(|frame| frame.not_before).min().is_none_or(|cycle| cycle <= self.cycles()) {
                    return Err(BenchError::Stuck(PATIENCE));
                }
            }
        }
        Ok(false)
    }

    /// All that the hardware has counted.
    ///
    /// # Errors
    /// See [`Bench::command`].
    pub fn statistics(&mut self) -> Result<Statistics, BenchError> {
        let mut statistics = Statistics::new(self.ingress.len());
        for port in 0..self.ingress.len() {
            for kind in Kind::all() {
                statistics.set(port, kind, self.count(port, kind)?);
            }
        }
        Ok(statistics)
    }

    /// Ends the run: the scoreboard's report.
    ///
    /// # Errors
    /// See [`Bench::read_register`].
    pub fn finish(mut self) -> Result<Report, BenchError> {
        let statistics = self.statistics()?;
        Ok(self.scoreboard.finish(&statistics))
    }

    fn bit(&mut self, port: PortIndex) -> bool {
        self.word(port) & 1 == 1
    }

    fn word(&mut self, port: PortIndex) -> u64 {
        let mut limb = [0];
        self.sim.read(port, &mut limb);
        limb[0]
    }

    /// Offers the next beat of a port, unless one is offered already.
    fn offer(&mut self, port: usize) {
        let ingress = &mut self.ingress[port];
        if ingress.offered {
            return;
        }
        let now = self.sim.cycles();
        let frame = ingress.waiting.front().filter(|frame| frame.not_before <= now);
        let paused = self.behaviour[port].pause > 0 && self.random.chance(self.behaviour[port].pause);
        let ports = ingress.ports;
        let held = self.held && ingress.moved == 0;
        let Some(frame) = frame.filter(|_| !paused && !held) else {
            if std::mem::replace(&mut ingress.valid, false) {
                self.sim.write(ports.valid, &[0]);
            }
            return;
        };
        let end = (ingress.moved + self.beat_bytes).min(frame.bytes.len());
        // Bytes beyond the count may be anything, and so may the error before the last beat.
        let mut bytes = [0u8; 32];
        let junk = self.random.word().to_le_bytes();
        bytes.iter_mut().zip(junk.iter().cycle()).for_each(|(byte, junk)| *byte = *junk);
        bytes[..end - ingress.moved].copy_from_slice(&frame.bytes[ingress.moved..end]);
        let mut limbs = [0u64; 4];
        for (limb, bytes) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
        let last = end == frame.bytes.len();
        self.sim.write(ports.data, &limbs[..self.beat_bytes / 8]);
        self.sim.write(ports.count, &[(end - ingress.moved) as u64]);
        self.sim.write(ports.last, &[last as u64]);
        let error = if last { frame.error } else { junk[0] & 1 == 1 };
        self.sim.write(ports.error, &[error as u64]);
        if port == self.manager {
            let forced = if last { frame.forced } else { None };
            self.sim.write(self.forced[0], &[forced.is_some() as u64]);
            let set = forced.unwrap_or_default().bits();
            let limbs = [set as u64, (set >> 64) as u64];
            self.sim.write(self.forced[1], &limbs[..self.wishes.len().div_ceil(64)]);
        }
        if !std::mem::replace(&mut ingress.valid, true) {
            self.sim.write(ports.valid, &[1]);
        }
        ingress.offered = true;
    }

    fn choose_ready(&mut self, port: usize) {
        let stall = self.behaviour[port].stall;
        let now = self.sim.cycles();
        let egress = &mut self.egress[port];
        let free = !egress.bytes.is_empty() || egress.link.as_ref().is_none_or(|link| link.is_free(now));
        let ready = free && (stall == 0 || (stall < 100 && !self.random.chance(stall)));
        if ready != egress.ready {
            egress.ready = ready;
            self.sim.write(egress.ports.ready, &[ready as u64]);
        }
    }

    /// Notes a beat that moves into the bridge in this cycle.
    fn accept(&mut self, port: usize) -> bool {
        let ports = self.ingress[port].ports;
        if !self.ingress[port].offered || !self.bit(ports.ready) {
            return false;
        }
        let ingress = &mut self.ingress[port];
        let frame = ingress.waiting.front().expect("a beat is offered of the first waiting frame");
        if let Some(mark) = frame.mark.filter(|_| ingress.moved == 0) {
            self.begun.push(Begun { mark, cycle: self.sim.cycles() });
        }
        ingress.offered = false;
        ingress.moved += self.beat_bytes;
        if ingress.moved >= frame.bytes.len() {
            let frame = ingress.waiting.pop_front().expect("the frame that has just ended");
            self.waiting -= 1;
            ingress.moved = 0;
            let Waiting { bytes, error, forced, .. } = &frame;
            let decide = |policy: &Policy| bridge::decide(policy, port, bytes, *error, *forced);
            let decision = decide(&self.policy);
            match &self.changing {
                None => self.scoreboard.entered(port, bytes, &decision),
                Some(changed) => {
                    self.scoreboard.entered_during_change(port, bytes, vec![decision, decide(changed)]);
                }
            }
        }
        true
    }

    /// Takes a beat that moves out of the bridge in this cycle.
    fn collect(&mut self, port: usize) -> bool {
        let ports = self.egress[port].ports;
        if !self.egress[port].ready || !self.bit(ports.valid) {
            return false;
        }
        let count = self.word(ports.count) as usize;
        let mut limbs = [0u64; 4];
        self.sim.read(ports.data, &mut limbs[..self.beat_bytes / 8]);
        let (last, error) = (self.bit(ports.last), self.bit(ports.error));
        assert!(
            (1..=self.beat_bytes).contains(&count) && (last || count == self.beat_bytes),
            "egress {port}: a beat of {count} bytes, last: {last}"
        );
        let now = self.sim.cycles();
        let egress = &mut self.egress[port];
        if egress.bytes.is_empty() {
            egress.begun = now;
        }
        let bytes = &mut egress.bytes;
        bytes.extend(limbs.iter().flat_map(|limb| limb.to_le_bytes()).take(count));
        if last {
            let bytes = std::mem::take(bytes);
            let begun = egress.begun;
            if let Some(link) = &mut egress.link {
                link.took(bytes.len(), begun);
            }
            self.scoreboard.left(port, &bytes, error);
            if self.keep_left {
                let source = (port == self.manager).then(|| self.word(self.manager_source) as usize);
                self.left.push(Left { port, bytes, cycle: self.sim.cycles(), source });
            }
        }
        true
    }
}
