//! An adapter under a steady load, and what it carries.
//!
//! [`prepare`] starts drivers, which then carry any number of loads: [`Load::play`] counts frames, [`latencies`] times them,
//! [`Nuisance::play`] sees what a function can do to the others.

mod flow;
mod host;
mod latency;
mod nuisance;
mod run;

pub use flow::CHECK_SEQUENCE;
pub use latency::{Latencies, latencies};
pub use nuisance::{Nuisance, Others};

use super::{Scene, Trouble};
use crate::{
    clock::SECOND,
    traffic::WIRE_OVERHEAD,
    veb::policy::Policy,
    virtio::{error::DriverError, net::NetOptions},
};
use flow::address;
use hdl::Simulator;
use run::Run;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Load {
    /// Bytes of a frame with its check sequence: 64 to 9618.
    pub bytes: usize,
    /// Functions that send to the first wire, in turn, as much as it takes.
    pub to_wire: Vec<usize>,
    /// Functions that get as many frames from it as it can bring.
    pub from_wire: Vec<usize>,
    /// Functions that send to the next of these, as much as they can.
    pub between: Vec<usize>,
    /// Instead of as much as possible: frames of each sender, and from the wire for each function, in each period.
    pub batch: Option<usize>,
    /// Cycles that are measured.
    pub cycles: u64,
    /// Cycles between two looks of a driver at its rings.
    pub period: u64,
}

/// What came of it, in the cycles that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Carried {
    pub cycles: u64,
    /// Frames that the wire gave to functions, functions to the wire, and functions to each other.
    pub from_wire: u64,
    pub to_wire: u64,
    pub between: u64,
    /// Frames that never came, of the whole run; of those from the wire, and of the others.
    pub lost_from_wire: u64,
    pub lost: u64,
    /// Bytes on the link, towards the host and from it.
    pub up: u64,
    pub down: u64,
}

impl Carried {
    /// So many frames, in a second.
    pub fn rate(&self, frames: u64, clock_khz: usize) -> f64 {
        frames as f64 * clock_khz as f64 * 1e3 / self.cycles as f64
    }
}

/// Everybody is in one VLAN; each function has its address.
fn policy<S: Simulator>(scene: &Scene<S>) -> Policy {
    let config = &scene.nic.config;
    let mut policy = Policy::open(config.wires, config.functions());
    for function in scene.functions() {
        policy.insert_entry(0, address(Some(function)), [scene.port(function)].into_iter().collect());
    }
    // Functions wait where they would fill the buffer.
    let hold = config.cells as u32 / 4;
    policy.limits.iter_mut().for_each(|limit| limit.hold_from = hold);
    policy
}

/// Opens the bridge, and starts drivers with these options.
///
/// # Errors
/// What the adapter does wrong.
pub fn prepare<S: Simulator>(
    scene: &mut Scene<S>,
    functions: &[usize],
    options: impl Fn(usize) -> NetOptions,
) -> Result<(), Trouble> {
    let policy = policy(scene);
    scene.nic.set_policy(&policy).map_err(DriverError::Bus)?;
    for function in functions {
        scene.start(*function, options(*function))?;
    }
    // Drivers give buffers.
    scene.period = 1;
    for _ in 0..SETTLES {
        scene.step()?;
    }
    Ok(())
}

/// Cycles in which all functions have fetched what they can keep.
const SETTLES: u64 = 5_000;

/// Picoseconds of a bit on the wire.
const BIT: u64 = 100;

impl Load {
    /// The least cycles in which a wire of 10 Gb/s carries a batch of `batch` frames of so many bytes, with their check
    /// sequence, for each of some functions.
    pub fn period(bytes: usize, batch: usize, functions: usize, clock_khz: usize) -> u64 {
        let bits = 8 * (bytes as u64 + WIRE_OVERHEAD - CHECK_SEQUENCE as u64) * (batch * functions) as u64;
        (bits * BIT * clock_khz as u64 * 1000).div_ceil(SECOND)
    }

    /// Plays the load on a scene that is prepared: for as long as is measured before that.
    ///
    /// # Errors
    /// What the adapter does wrong.
    ///
    /// # Panics
    /// If a function that takes part has no driver, or a frame comes twice or out of order.
    pub fn play<S: Simulator>(&self, scene: &mut Scene<S>) -> Result<Carried, Trouble> {
        let mut run = Run::new(scene, self);
        run.offers = true;
        run.pass(self.cycles)?;
        let before = run.counts();
        run.pass(self.cycles)?;
        let after = run.counts();
        run.finish()?;
        let [from_wire, to_wire, between, up, down] = [0, 1, 2, 3, 4].map(|at| after[at] - before[at]);
        let lost = |from_wire: bool| -> u64 {
            let flows = run.flows.iter().filter(|((from, _), _)| from.is_none() == from_wire);
            flows.map(|(_, flow)| flow.sent - flow.arrived).sum()
        };
        let (lost_from_wire, lost) = (lost(true), lost(false));
        Ok(Carried { cycles: self.cycles, from_wire, to_wire, between, lost_from_wire, lost, up, down })
    }
}
