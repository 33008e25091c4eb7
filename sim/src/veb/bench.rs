//! A test bench around the bridge's hardware, in either simulator: plays frames into the ports, takes what comes out,
//! and keeps the scoreboard.

use super::{Counters, Decision, DropReason, Losses, Model, Report, Scoreboard, Setup, Tables};
use crate::ethernet::MacAddress;
use crate::random::Random;
use hdl::{HwEnum, Interface, Simulator, Violation, interface::PortIndex};
use rtl::{
    config::Config,
    veb::{mac_table::Outcome, registers::address},
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
}

/// What can go wrong beside the frames.
#[derive(Debug, Error)]
pub enum BenchError {
    #[error("{0}")]
    Check(#[from] Violation),
    #[error("register access at {address:#06x} was answered with an error")]
    Register { address: u16 },
    #[error("the address table has no room for {address} in VLAN {vid}: its bucket is full")]
    NoRoom { vid: u16, address: MacAddress },
    #[error("nothing moved for {0} cycles, and frames are still inside")]
    Stuck(u64),
}

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

struct Waiting {
    bytes: Vec<u8>,
    error: bool,
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
}

/// The bridge between a model and a scoreboard.
pub struct Bench<S> {
    sim: S,
    beat_bytes: usize,
    model: Model,
    scoreboard: Scoreboard,
    fresh_scoreboard: Scoreboard,
    ingress: Vec<Ingress>,
    egress: Vec<Egress>,
    behaviour: Vec<Behaviour>,
    random: Random,
    bus: [PortIndex; 8],
    /// Frames in all `ingress`.
    waiting: usize,
    /// Cycles since a beat moved.
    idle_cycles: u64,
    left: Vec<Left>,
    /// Keep frames that left for [`Bench::take_left`].
    pub keep_left: bool,
}

impl<S: Simulator> Bench<S> {
    /// Resets the bridge and sets its tables up through the register bus.
    ///
    /// # Errors
    /// A register access that fails, or an entry that finds no room.
    pub fn new(
        sim: S,
        config: &Config,
        tables: &Tables,
        losses: Losses,
        seed: u64,
    ) -> Result<Self, BenchError> {
        let interface = sim.interface().clone();
        let stream = |kind: &str, port: usize| BeatPorts::find(&interface, &format!("{kind}_{port}"));
        let names = [
            "request_valid",
            "request_ready",
            "request_payload_write",
            "request_payload_address",
            "request_payload_data",
            "response_valid",
            "response_payload_data",
            "response_payload_error",
        ];
        let ports = 0..config.ports();
        let ingress = ports.clone().map(|port| Ingress {
            ports: stream("ingress", port),
            waiting: VecDeque::new(),
            moved: 0,
            offered: false,
            valid: false,
        });
        let egress = ports.map(|port| Egress { ports: stream("egress", port), ready: false, bytes: vec![] });
        let mut bench = Bench {
            ingress: ingress.collect(),
            egress: egress.collect(),
            beat_bytes: config.bytes,
            model: Model::new(Tables::new(config.ports())),
            scoreboard: Scoreboard::new(&config.port_names(), losses),
            fresh_scoreboard: Scoreboard::new(&config.port_names(), losses),
            behaviour: vec![Behaviour::default(); config.ports()],
            random: Random::new(seed),
            bus: names.map(|name| find(&interface, name)),
            waiting: 0,
            idle_cycles: 0,
            left: vec![],
            keep_left: false,
            sim,
        };
        let response_ready = find(&interface, "response_ready");
        bench.sim.write(response_ready, &[1]);
        bench.reset()?;
        bench.set_tables(tables)?;
        Ok(bench)
    }

    /// How a port is treated from now on.
    pub fn set_behaviour(&mut self, port: usize, behaviour: Behaviour) {
        self.behaviour[port] = behaviour;
    }

    /// Writes all that `tables` say into the hardware, and makes them the model's. What the hardware has beside them
    /// stays: tables can only grow or change. Frames on their way may see some of the old and some of the new.
    ///
    /// # Errors
    /// See [`Bench::new`].
    pub fn set_tables(&mut self, tables: &Tables) -> Result<(), BenchError> {
        match self.set_tables_that_fit(tables)?.first() {
            Some(&(vid, address)) => Err(BenchError::NoRoom { vid, address }),
            None => Ok(()),
        }
    }

    /// As [`Bench::set_tables`], without the entries that find no room; they are returned.
    ///
    /// # Errors
    /// A register access that fails.
    pub fn set_tables_that_fit(&mut self, tables: &Tables) -> Result<Vec<(u16, MacAddress)>, BenchError> {
        let mut fitting = tables.clone();
        let mut left_out = vec![];
        for step in tables.setup().expect("a configuration has at most 64 ports") {
            self.await_tables()?;
            for (address, data) in step.writes() {
                self.write_register(address, data)?;
            }
            let outcome = self.await_tables()?;
            match (step, outcome) {
                (Setup::Command { vid, address, .. }, Outcome::NoRoom) => {
                    fitting.remove_entry(vid, address);
                    left_out.push((vid, address));
                }
                (Setup::Command { .. }, Outcome::NotFound | Outcome::BadCommand) => {
                    return Err(BenchError::Register { address: address::COMMAND });
                }
                _ => {}
            }
        }
        self.model = Model::new(fitting);
        Ok(left_out)
    }

    /// Waits until no command is under way, and tells how the last one ended.
    ///
    /// # Errors
    /// See [`Bench::read_register`]; [`BenchError::Stuck`] if a command does not end.
    pub fn await_tables(&mut self) -> Result<Outcome, BenchError> {
        let deadline = self.cycles() + PATIENCE;
        while self.cycles() < deadline {
            let status = self.read_register(address::COMMAND)?;
            if status & 1 == 0 {
                let outcome = Outcome::VARIANTS.iter().find(|variant| variant.2 == u128::from(status >> 1));
                return Ok(outcome.expect("the field has no other values").1);
            }
        }
        Err(BenchError::Stuck(PATIENCE))
    }

    /// Reads a register; the bridge runs meanwhile.
    ///
    /// # Errors
    /// [`BenchError::Register`] if the answer is an error.
    pub fn read_register(&mut self, address: u16) -> Result<u32, BenchError> {
        self.access(address, None)
    }

    /// Writes a register; the bridge runs meanwhile.
    ///
    /// # Errors
    /// [`BenchError::Register`] if the answer is an error.
    pub fn write_register(&mut self, address: u16, data: u32) -> Result<(), BenchError> {
        self.access(address, Some(data)).map(|_| ())
    }

    fn access(&mut self, address: u16, data: Option<u32>) -> Result<u32, BenchError> {
        let [valid, ready, write, at, payload, answered, value, error] = self.bus;
        self.sim.write(write, &[data.is_some() as u64]);
        self.sim.write(at, &[address as u64]);
        self.sim.write(payload, &[data.unwrap_or(0) as u64]);
        self.sim.write(valid, &[1]);
        self.cycle_until(ready)?;
        self.cycle()?;
        self.sim.write(valid, &[0]);
        self.cycle_until(answered)?;
        let (failed, value) = (self.bit(error), self.word(value) as u32);
        self.cycle()?;
        if failed { Err(BenchError::Register { address }) } else { Ok(value) }
    }

    /// Runs until an output is 1.
    fn cycle_until(&mut self, port: PortIndex) -> Result<(), BenchError> {
        let deadline = self.cycles() + PATIENCE;
        while !self.bit(port) {
            self.cycle()?;
            if self.cycles() > deadline {
                return Err(BenchError::Stuck(PATIENCE));
            }
        }
        Ok(())
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
        self.egress.iter_mut().for_each(|egress| egress.bytes.clear());
        self.model = Model::new(Tables::new(self.ingress.len()));
        self.scoreboard = self.fresh_scoreboard.clone();
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
        assert!(!bytes.is_empty(), "a frame has at least one byte");
        self.ingress[port].waiting.push_back(Waiting { bytes, error, not_before: cycle });
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

    /// The hardware's drop counters.
    ///
    /// # Errors
    /// See [`Bench::read_register`].
    pub fn counters(&mut self) -> Result<Counters, BenchError> {
        let mut counters = Counters::new(self.ingress.len());
        for reason in 0..DropReason::OF_FRAMES.len() {
            counters.frames[reason] = self.read_register(address::dropped(reason))?.into();
        }
        for port in 0..self.ingress.len() {
            counters.queue_full[port] = self.read_register(address::queue_full(port))?.into();
        }
        Ok(counters)
    }

    /// Ends the run: the scoreboard's report.
    ///
    /// # Errors
    /// See [`Bench::read_register`].
    pub fn finish(mut self) -> Result<Report, BenchError> {
        let counters = self.counters()?;
        Ok(self.scoreboard.finish(&counters))
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
        let Some(frame) = frame.filter(|_| !paused) else {
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
        if !std::mem::replace(&mut ingress.valid, true) {
            self.sim.write(ports.valid, &[1]);
        }
        ingress.offered = true;
    }

    fn choose_ready(&mut self, port: usize) {
        let stall = self.behaviour[port].stall;
        let ready = stall == 0 || (stall < 100 && !self.random.chance(stall));
        let egress = &mut self.egress[port];
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
        ingress.offered = false;
        ingress.moved += self.beat_bytes;
        let frame = ingress.waiting.front().expect("a beat is offered of the first waiting frame");
        if ingress.moved >= frame.bytes.len() {
            let frame = ingress.waiting.pop_front().expect("the frame that has just ended");
            self.waiting -= 1;
            ingress.moved = 0;
            let decision: Decision = self.model.decide(port, &frame.bytes, frame.error);
            self.scoreboard.entered(port, &frame.bytes, decision);
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
        let bytes = &mut self.egress[port].bytes;
        bytes.extend(limbs.iter().flat_map(|limb| limb.to_le_bytes()).take(count));
        if last {
            let bytes = std::mem::take(bytes);
            self.scoreboard.left(port, &bytes, error);
            if self.keep_left {
                self.left.push(Left { port, bytes, cycle: self.sim.cycles() });
            }
        }
        true
    }
}
