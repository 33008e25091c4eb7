//! A test bench around the whole adapter: frames go in at wires, drivers and the manager's mailbox, what comes out there is
//! compared with the reference model of the bridge.
//!
//! ```text
//!   Player ─► gates ─┬─► drivers ─► rings ─► host ─► adapter ◄─► Wires ◄── gates
//!                    └─► mailbox ──────────► board ──┘
//!   scoreboard ◄── every frame that goes in, and every frame that a driver, a wire or the mailbox gets
//! ```
//!
//! The scoreboard knows nothing of queues and links: whatever is between a driver and the bridge must neither change a frame,
//! nor lose one that no counter names, nor let one overtake another. Accesses to memory that is not a driver's own, and
//! packets that break a rule of PCI Express, count as mismatches as well.

mod board;
mod driver;
mod guest;
mod mailbox;
mod outcome;
mod stage;
mod wishes;

pub use driver::{AdapterPlan, Driver, functions};
pub use outcome::{FunctionFigures, Outcome};
pub use wishes::features;

use super::{Arrival, Scene, SetupError, Trouble, Wire};
use crate::{
    ethernet::MacAddress,
    manager::ManagerError,
    pcie::{Bus, BusError, Direction},
    random::Random,
    scenario::station,
    veb::{
        Losses, Policy,
        bench::{Begun, Behaviour, Frame, Left},
        bridge,
        scoreboard::Scoreboard,
    },
    virtio::error::DriverError,
};
use guest::Guest;
use hdl::Simulator;
use mailbox::{Mailbox, News};
use rtl::{
    config::{Config, MAX_FRAME},
    manager::FRAME,
};
use std::collections::{HashMap, VecDeque};
use thiserror::Error;

/// What can go wrong beside the frames.
#[derive(Debug, Error)]
pub enum BenchError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("the driver of {port}: {error}")]
    Driver { port: String, error: Box<Trouble> },
    #[error("the manager's access at {0:#06x} was refused")]
    Refused(usize),
    #[error("the manager is busy for ever: {0}")]
    Busy(&'static str),
    #[error("the address table has no room for {address} in VLAN {vid}: its bucket is full")]
    NoRoom { vid: u16, address: MacAddress },
    #[error("the manager's mailbox takes frames of 1 to {most} bytes, not of {bytes}", most = FRAME)]
    Mailbox { bytes: usize },
    #[error("nothing moved for {0} cycles, and frames are still inside")]
    Stuck(u64),
    #[error("{} cells of the packet buffer are lost: {free} of {cells} are free though no frame is inside", .cells - .free)]
    Leak { free: u32, cells: u32 },
    #[error(
        "rows that change while frames come in are for the bridge alone: nobody sees when it decides about a frame"
    )]
    Unheld,
}

impl From<ManagerError<BenchError>> for BenchError {
    fn from(error: ManagerError<BenchError>) -> BenchError {
        match error {
            ManagerError::Adapter(error) => error,
            ManagerError::Refused(address) => BenchError::Refused(address),
            ManagerError::Busy(register) => BenchError::Busy(register),
            ManagerError::NoRoom { vid, address } => BenchError::NoRoom { vid, address },
        }
    }
}

/// Cycles that anything takes at most while drivers look all the time.
const PATIENCE: u64 = 60_000;

/// What waits in front of a port, and how the port is treated.
#[derive(Default)]
struct Gate {
    waiting: VecDeque<Frame>,
    behaviour: Behaviour,
}

/// See the module.
pub struct Bench<S> {
    scene: Scene<S>,
    names: Vec<String>,
    policy: Policy,
    scoreboard: Scoreboard,
    /// By ports.
    gates: Vec<Gate>,
    /// Frames that a wire has and that have not begun to go in.
    on_wires: Vec<VecDeque<Frame>>,
    guests: Vec<Guest>,
    mailbox: Mailbox,
    /// The last frame of each flow that left by a queue, where frames of a port may overtake each other.
    last_of_flows: HashMap<(usize, usize, u32), u64>,
    random: Random,
    /// No frame begins.
    held: bool,
    /// Cycles since anything moved.
    idle_cycles: u64,
    /// See [`Bench::carried`].
    carried: u64,
    begun: Vec<Begun>,
    left: Vec<Left>,
}

impl<S: Simulator> Bench<S> {
    /// Resets an adapter, enumerates it, tells its functions what they are, and starts their drivers. The bridge lets nothing
    /// pass yet. Function by function the address is that of the [`station`] at its port.
    ///
    /// # Errors
    /// What the adapter does wrong.
    ///
    /// # Panics
    /// If the design is not the adapter of this configuration, or it has not all the functions of the plan.
    pub fn new(sim: S, config: &Config, plan: &AdapterPlan) -> Result<Bench<S>, BenchError> {
        let scene = Scene::new(sim, config, &plan.setup)?;
        let names = config.port_names();
        let mut bench = Bench {
            policy: Policy::new(config.wires, config.functions()),
            scoreboard: Scoreboard::new(&names, Losses::Counted),
            gates: names.iter().map(|_| Gate::default()).collect(),
            on_wires: vec![VecDeque::new(); config.wires],
            guests: vec![],
            mailbox: Mailbox::default(),
            last_of_flows: HashMap::new(),
            random: Random::new(1),
            held: false,
            idle_cycles: 0,
            carried: 0,
            begun: vec![],
            left: vec![],
            names,
            scene,
        };
        // What breaks a rule is a mismatch, and the run goes on.
        bench.scene.nic.bus.strict = false;
        for driver in &plan.drivers {
            let mac = station(bench.scene.port(driver.function));
            bench.describe(driver, mac)?;
        }
        // A row of the manager takes effect when it has its turn.
        bench.wait(256 * config.functions() as u64 + 256)?;
        bench.rest()?;
        for driver in &plan.drivers {
            let port = bench.scene.port(driver.function);
            let started = bench.scene.start(driver.function, driver.options.clone());
            started.map_err(|error| trouble(&bench.names[port], error))?;
            bench.guests.push(Guest::new(&bench.scene, driver));
            if driver.options.pairs > 1 {
                bench.scoreboard.ignore_order(port);
            }
        }
        Ok(bench)
    }

    /// The simulated cycles so far.
    pub fn cycles(&self) -> u64 {
        self.scene.nic.bus.now()
    }

    fn wait(&mut self, cycles: u64) -> Result<(), BenchError> {
        (0..cycles).try_for_each(|_| self.cycle())
    }

    /// One clock cycle. The mailbox has the management bus.
    ///
    /// # Errors
    /// What the adapter does wrong in it.
    pub fn cycle(&mut self) -> Result<(), BenchError> {
        if self.mailbox.is_free() {
            let (port, now) = (self.policy.manager(), self.cycles());
            let Behaviour { pause, stall } = self.gates[port].behaviour;
            let (is_paused, is_stalled) = (self.held || self.happens(pause), self.happens(stall));
            let due = |frame: &&Frame| !is_paused && frame.not_before <= now;
            let frame = self.gates[port].waiting.front().filter(due).cloned();
            if let Some(bytes) = frame.as_ref().map(|frame| frame.bytes.len()).filter(|bytes| *bytes > FRAME)
            {
                return Err(BenchError::Mailbox { bytes });
            }
            if self.mailbox.choose(frame, !is_stalled) {
                self.gates[port].waiting.pop_front();
            }
        }
        self.advance_mailbox()
    }

    /// One clock cycle, in which the mailbox goes on with what it does.
    fn advance_mailbox(&mut self) -> Result<(), BenchError> {
        let (port, now) = (self.policy.manager(), self.cycles());
        let nic = &mut self.scene.nic;
        self.mailbox.start(&mut nic.management, &mut nic.bus.sim);
        let ended = nic.management.advance(&mut nic.bus.sim);
        self.pass()?;
        let nic = &mut self.scene.nic;
        nic.management.settle(&mut nic.bus.sim);
        if self.mailbox.has_frame() && !self.mailbox.waits() {
            self.idle_cycles = 0;
        }
        let news = ended.map_or(Ok(None), |(data, refused)| self.mailbox.ended(data, refused))?;
        match news {
            None => {}
            Some(News::Began(frame)) => self.enters(port, frame, now),
            Some(News::Came(bytes, source)) => self.leaves(port, 0, Arrival::good(bytes, now), Some(source)),
        }
        Ok(())
    }

    /// One clock cycle of everything but the management bus.
    fn pass(&mut self) -> Result<(), BenchError> {
        let now = self.cycles();
        self.idle_cycles += 1;
        self.feed_wires(now);
        for guest in 0..self.guests.len() {
            if now.is_multiple_of(self.guests[guest].period) {
                self.look(guest, now)?;
            }
        }
        self.scene.nic.bus.step()?;
        let is_paced = |wire: &Wire| wire.link.as_ref().is_some_and(|link| !link.is_free(now));
        let carried = self.carried();
        if carried != self.carried || self.scene.nic.bus.device.0.iter().any(is_paced) {
            self.carried = carried;
            self.idle_cycles = 0;
        }
        self.watch_wires(now);
        Ok(())
    }

    /// What has moved on the link and on the wires, as a number that grows.
    fn carried(&self) -> u64 {
        let Bus { link, device, .. } = &self.scene.nic.bus;
        let packets: u64 =
            [Direction::Up, Direction::Down].map(|direction| link.carried(direction)).iter().sum();
        packets + device.0.iter().map(|wire| wire.beats).sum::<u64>()
    }

    /// Gives wires the frames that are due: one waits while another moves.
    fn feed_wires(&mut self, now: u64) {
        for (port, on_wire) in self.on_wires.iter_mut().enumerate() {
            let (gate, wire) = (&mut self.gates[port], &mut self.scene.nic.bus.device.0[port]);
            while !self.held
                && wire.to_adapter.len() < 2
                && let Some(frame) = gate.waiting.pop_front_if(|frame| frame.not_before <= now)
            {
                wire.to_adapter.push_back((frame.bytes.clone(), frame.error));
                on_wire.push_back(frame);
            }
        }
    }

    /// Notes what has begun to go in, and what has come out.
    fn watch_wires(&mut self, now: u64) {
        for port in 0..self.on_wires.len() {
            let wire = &mut self.scene.nic.bus.device.0[port];
            let has_begun = std::mem::take(&mut wire.begun) > 0;
            let arrivals = std::mem::take(&mut wire.from_adapter);
            if has_begun {
                let frame = self.on_wires[port].pop_front().expect("the wire has it of the gate");
                self.enters(port, frame, now);
            }
            for arrival in arrivals {
                self.leaves(port, 0, arrival, None);
            }
        }
    }

    /// A frame goes in. A function gives none to the bridge that is longer than any that it forwards.
    fn enters(&mut self, port: usize, frame: Frame, cycle: u64) {
        self.idle_cycles = 0;
        self.begun.extend(frame.mark.map(|mark| Begun { mark, cycle }));
        let Frame { bytes, error, forced, .. } = frame;
        if self.policy.is_wire(port) || bytes.len() <= MAX_FRAME {
            let decision = bridge::decide(&self.policy, port, &bytes, error, forced);
            self.scoreboard.entered(port, &bytes, &decision);
        }
    }

    /// A frame comes out; `pair` is that of the queue where it was received, 0 elsewhere.
    fn leaves(
        &mut self,
        port: usize,
        pair: usize,
        Arrival { data: bytes, cycle, is_bad: error, .. }: Arrival,
        source: Option<usize>,
    ) {
        self.idle_cycles = 0;
        self.scoreboard.left(port, &bytes, error);
        self.check_order(port, pair, &bytes);
        self.left.push(Left { port, bytes, cycle, source });
    }

    fn happens(&mut self, percent: usize) -> bool {
        percent > 0 && self.random.chance(percent)
    }

    /// Nothing is under way into the bridge.
    fn is_between_frames(&self) -> bool {
        let wires = &self.scene.nic.bus.device.0;
        !self.mailbox.has_frame()
            && wires.iter().all(|wire| wire.to_adapter.is_empty())
            && self.scene.drivers.values().all(|net| net.unsent() == 0)
    }
}

/// The error of a port's driver.
fn trouble(port: &str, error: Trouble) -> BenchError {
    match error {
        DriverError::Bus(error) => BenchError::Bus(error),
        error => BenchError::Driver { port: port.to_owned(), error: Box::new(error) },
    }
}

#[cfg(test)]
mod tests;
