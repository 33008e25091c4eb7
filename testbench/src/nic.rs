//! Random frames at the whole adapter in every direction, among whatever may happen to its functions and links, against an
//! oracle that knows of every frame.
//!
//! ```text
//!  draw ─► setting, policy, drivers ─► Scene ─► arrivals ─► Ledger: once, in order, byte for byte
//!  frames ─► model of the bridge ─► copies that are due ───────▲
//!  disturb ─► what may be missing ─────────────────────────────┘
//! ```
//!
//! A run is made of rounds. Nothing is missing in a quiet one. In a round with disturbances only what was in the hands of their
//! function may be missing, and comes in order and once if it comes. In a storm rings are empty and wires cut, and the adapter's
//! own counters must say how many frames were lost. Each round ends when everything has arrived.

mod campaign;
mod disturb;
mod draw;
mod frames;
mod ledger;
mod round;

use campaign::Campaign;
use hdl::Simulator;
use rtl::config::Config;
use std::{collections::BTreeMap, error::Error, fmt};

/// What a run is.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// It ends with the round in which so many have been sent.
    pub frames: u64,
    /// Frames of a round.
    pub round: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub cycles: u64,
    /// Frames that were sent.
    pub frames: u64,
    /// Copies of them that arrived, each as it must be.
    pub delivered: u64,
    /// Copies that did not arrive and that a disturbance explains.
    pub excused: u64,
    /// Copies that did not arrive and that the adapter has counted.
    pub counted: u64,
    pub rounds: u64,
    /// How often each thing happened.
    pub happened: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Both together.
    pub fn add(&mut self, other: Report) {
        self.cycles += other.cycles;
        self.frames += other.frames;
        self.delivered += other.delivered;
        self.excused += other.excused;
        self.counted += other.counted;
        self.rounds += other.rounds;
        for (what, times) in other.happened {
            *self.happened.entry(what).or_default() += times;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { cycles, frames, delivered, excused, counted, rounds, happened } = self;
        writeln!(f, "{frames} frames in {rounds} rounds, {cycles} cycles")?;
        writeln!(
            f,
            "{delivered} copies delivered once, in order, byte for byte; 0 wrong, 0 intrusions, 0 violations"
        )?;
        write!(f, "{excused} copies lost with what was reset, {counted} lost and counted")?;
        happened.iter().try_for_each(|(what, times)| write!(f, "\n{times:>8} {what}"))
    }
}

/// Plays a run.
///
/// # Errors
/// What the adapter does wrong.
pub fn run<S: Simulator>(sim: S, config: &Config, plan: &Plan) -> Result<Report, Box<dyn Error>> {
    let mut campaign = Campaign::new(sim, config, plan)?;
    while campaign.report.frames < plan.frames {
        let result = campaign.round(plan.round);
        result.map_err(|error| format!("cycle {}, {}\n{}", campaign.now(), error, campaign.story()))?;
    }
    campaign.finish()
}
