//! A test bench around the bridge's hardware, in either simulator: plays frames into the ports, takes what comes out,
//! drives the manager's bus, and keeps the scoreboard.

mod manager;
mod ports;
mod stage;

pub use ports::{Begun, Behaviour, Frame, Left};

use super::{
    policy::{Policy, Wishes},
    scoreboard::{Losses, Report, Scoreboard},
};
use crate::{axi_lite::AxiMaster, ethernet::MacAddress, random::Random};
use hdl::{Interface, Simulator, Violation, interface::PortIndex};
use ports::{Egress, Ingress};
use rtl::config::{Config, MAX_FRAME};
use thiserror::Error;

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
    #[error("{} cells of the packet buffer are lost: {free} of {cells} are free though no frame is inside", .cells - .free)]
    Leak { free: u32, cells: u32 },
}

/// Cycles without a move after which frames that are still inside count as stuck.
const PATIENCE: u64 = 20_000;

fn find(interface: &Interface, name: &str) -> PortIndex {
    interface.find(name).unwrap_or_else(|| panic!("the bridge has no port `{name}`"))
}

/// The ports by which functions change their filters.
#[derive(Clone, Copy)]
struct FilterPorts {
    valid: PortIndex,
    ready: PortIndex,
    function: PortIndex,
    kind: PortIndex,
    index: PortIndex,
    wanted: PortIndex,
}

impl FilterPorts {
    fn find(interface: &Interface) -> FilterPorts {
        let port = |name: &str| find(interface, &format!("filter_{name}"));
        let payload = |name: &str| port(&format!("payload_{name}"));
        FilterPorts {
            valid: port("valid"),
            ready: port("ready"),
            function: payload("function"),
            kind: payload("kind"),
            index: payload("index"),
            wanted: payload("wanted"),
        }
    }
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
    bus: AxiMaster,
    forced: [PortIndex; 2],
    manager_source: PortIndex,
    wishes: Vec<[PortIndex; 4]>,
    filter: FilterPorts,
    /// Frames in all `ingress`.
    waiting: usize,
    /// Cycles since a beat moved, a frame was queued, or a port began to be treated otherwise.
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
        let ports = 0..config.ports();
        let wishes = ports.clone().map(|port| {
            ["unicast", "multicast", "vlan", "filter"]
                .map(|kind| find(&interface, &format!("wishes_{port}_{kind}")))
        });
        let after_reset = Policy::new(config.wires, config.functions());
        let mut bench = Bench {
            ingress: ports.clone().map(|port| Ingress::find(&interface, port)).collect(),
            egress: ports.map(|port| Egress::find(&interface, port)).collect(),
            beat_bytes: config.bytes,
            manager: config.manager(),
            policy: after_reset,
            changing: None,
            scoreboard: Scoreboard::new(&config.port_names(), losses),
            fresh_scoreboard: Scoreboard::new(&config.port_names(), losses),
            behaviour: vec![Behaviour::default(); config.ports()],
            random: Random::new(seed),
            bus: AxiMaster::find(&interface),
            forced: ["forced_valid", "forced_ports"].map(|name| find(&interface, name)),
            manager_source: find(&interface, "manager_source"),
            wishes: wishes.collect(),
            filter: FilterPorts::find(&interface),
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

    /// What the hardware has been told, and the model goes by.
    pub fn policy(&self) -> &Policy {
        &self.policy
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
        self.clear_ports();
        self.bus.idle(&mut self.sim);
        let wires = self.policy.wires().len();
        self.policy = Policy::new(wires, self.ingress.len() - wires);
        for port in 0..self.ingress.len() {
            self.wish(port, Wishes::default());
        }
        self.sim.write(self.filter.valid, &[0]);
        self.scoreboard = self.fresh_scoreboard.clone();
        self.await_tables()?;
        Ok(())
    }

    /// The simulated cycles so far.
    pub fn cycles(&self) -> u64 {
        self.sim.cycles()
    }

    /// The simulator, for tracing and coverage.
    pub fn simulator(&mut self) -> &mut S {
        &mut self.sim
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
        for _ in 0..cycles {
            if self.is_done() {
                return Ok(true);
            }
            self.cycle_with_patience()?;
        }
        Ok(false)
    }

    /// As [`Bench::cycle`], where nothing that is still to happen can set free what does not move.
    ///
    /// # Errors
    /// See [`Bench::cycle`]; [`BenchError::Stuck`] if a frame that waits has not been taken for long.
    pub fn cycle_with_patience(&mut self) -> Result<(), BenchError> {
        self.cycle()?;
        let is_late = |due: u64| due + PATIENCE < self.cycles();
        match self.idle_cycles > PATIENCE && self.next_due().is_some_and(is_late) {
            true => Err(BenchError::Stuck(PATIENCE)),
            false => Ok(()),
        }
    }

    /// All frames are in, and nothing has moved for longer than any frame takes through an empty bridge, plus the longest
    /// pauses that are likely.
    fn is_done(&self) -> bool {
        let quiet = 4 * MAX_FRAME as u64 / self.beat_bytes as u64 + 200;
        self.waiting == 0 && self.idle_cycles >= quiet
    }

    /// Ends the run: the scoreboard's report.
    ///
    /// # Errors
    /// See [`Bench::read_register`]; [`BenchError::Leak`] if no port holds frames back, all is done, and still not all
    /// cells are free.
    pub fn finish(mut self) -> Result<Report, BenchError> {
        if self.is_done() && self.behaviour.iter().all(|behaviour| behaviour.stall < 100) {
            self.check_cells()?;
        }
        let statistics = self.statistics()?;
        Ok(self.scoreboard.finish(&statistics))
    }
}
