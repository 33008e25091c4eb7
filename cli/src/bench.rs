//! `hematite bench`: how fast the design is simulated, and how fast it is.

mod bridge;
mod speed;
mod streams;

use crate::{arguments, error::Error, figures::Figures, simulator::Choice};
use rtl::config::Config;
use std::process::ExitCode;
use std::time::Duration;

/// Measure simulation speed, and the cycles that each stream block takes for a frame
///
/// Simulated cycles and frames per second of the bridge depend on this computer. Cycles per frame do not: 60 and 64 bytes
/// are the shortest frame without and with its frame check sequence, 1518 bytes the longest ordinary one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hematite bench\n  hematite bench --config x3100 --simulator native --quick --json"
)]
pub struct Arguments {
    /// The configuration: small, x3100 or wide
    #[arg(long, value_name = "NAME", default_value = "small", value_parser = arguments::config)]
    config: Config,
    /// The simulators to time: auto takes both, Verilator if there is one
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    simulator: Choice,
    /// Measure for a shorter time
    #[arg(long)]
    quick: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

pub fn bench(arguments: &Arguments) -> Result<ExitCode, Error> {
    let config = &arguments.config;
    let (frames, time) = match arguments.quick {
        true => (20, Duration::from_millis(300)),
        false => (400, Duration::from_secs(3)),
    };
    let mut figures = Figures::default();
    let faster = match arguments.simulator.verilator()? {
        true => Choice::Verilator,
        false => Choice::Native,
    };
    speed::measure(config, faster, arguments.simulator, time, &mut figures)?;
    bridge::measure(config, faster, frames, &mut figures)?;
    streams::measure(config, frames, &mut figures)?;
    figures.print(arguments.json);
    Ok(ExitCode::SUCCESS)
}

/// Lengths of frames that cycles are counted for, in bytes.
const LENGTHS: [usize; 3] = [60, 64, 1518];
