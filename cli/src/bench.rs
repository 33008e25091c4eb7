//! `hematite bench`: how fast the design is simulated, and how fast it is.

mod adapter;
mod bridge;
mod speed;
mod streams;

use crate::{arguments, error::Error, figures::Figures, page, simulator::Choice};
use clap::ValueEnum;
use rtl::config::Config;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Simulated cycles and frames per second of the bridge
    Simulation,
    /// Cycles per frame of the bridge
    Bridge,
    /// Cycles per frame of each block that frames go through
    Blocks,
    /// Frames per second of the adapter, on its wire and between functions
    Rates,
    /// Bytes on the link for each frame
    Bytes,
    /// From wire to memory, from memory to wire, from function to function
    Latency,
    /// What functions notice of one that hurts itself
    Isolation,
}

impl Part {
    /// It needs the whole adapter.
    fn is_of_adapter(self) -> bool {
        matches!(self, Part::Rates | Part::Bytes | Part::Latency | Part::Isolation)
    }
}

/// Measure the adapter beside what is possible, and how fast it is simulated
///
/// Frames per second of the adapter are those of simulated time, on a link of PCI Express 3.0 with eight lanes and a host that
/// answers reads after a microsecond: they do not depend on this computer. Simulated cycles and frames per second do. Cycles
/// per frame of blocks are for 60 and 64 bytes, the shortest frame without and with its frame check sequence, and 1518 bytes,
/// the longest ordinary one. The adapter needs Verilator.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hematite bench\n  hematite bench --config x3100 --part rates --part latency --json\n  \
    hematite bench --config x3100 --write docs/src/performance.md --plots docs/src/performance"
)]
pub struct Arguments {
    /// The configuration: small, x3100 or wide
    #[arg(long, value_name = "NAME", default_value = "small", value_parser = arguments::config)]
    config: Config,
    /// The simulators to time: auto takes both, Verilator if there is one
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    simulator: Choice,
    /// What to measure; all of it if nothing is said
    #[arg(long, value_enum, value_name = "PART")]
    part: Vec<Part>,
    /// Measure for a shorter time, and fewer lengths
    #[arg(long)]
    quick: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Write plots of the adapter into this directory, as SVG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Write the tables of the adapter into this page, for all parts that are measured
    #[arg(long, value_name = "PAGE")]
    write: Option<PathBuf>,
}

pub fn bench(arguments: &Arguments) -> Result<ExitCode, Error> {
    let config = &arguments.config;
    let (frames, time) = match arguments.quick {
        true => (20, Duration::from_millis(300)),
        false => (400, Duration::from_secs(3)),
    };
    let wants = |part: Part| arguments.part.is_empty() || arguments.part.contains(&part);
    let parts: Vec<Part> = Part::value_variants().iter().copied().filter(|part| wants(*part)).collect();
    let sections: Vec<(usize, String)> = Part::value_variants()
        .iter()
        .filter(|part| part.is_of_adapter())
        .zip(adapter::SECTIONS)
        .enumerate()
        .filter(|(_, (part, _))| wants(**part))
        .map(|(at, (_, section))| (at, format!("{} {section}", config.name)))
        .collect();
    if let Some(path) = &arguments.write {
        let names: Vec<String> = sections.iter().map(|(_, name)| name.clone()).collect();
        page::check(path, &names)?;
    }
    let is_shown = arguments.write.is_some() || arguments.plots.is_some();
    if is_shown && !parts.iter().any(|part| part.is_of_adapter()) {
        return Err(Error::NothingToShow { why: "none of its parts is to be measured" });
    }
    let mut figures = Figures::default();
    let faster = match arguments.simulator.verilator()? {
        true => Choice::Verilator,
        false if is_shown => return Err(Error::NothingToShow { why: "it needs Verilator" }),
        false => Choice::Native,
    };
    if wants(Part::Simulation) {
        speed::measure(config, faster, arguments.simulator, time, &mut figures)?;
    }
    if wants(Part::Bridge) {
        bridge::measure(config, faster, frames, &mut figures)?;
    }
    if wants(Part::Blocks) {
        streams::measure(config, frames, &mut figures)?;
    }
    if parts.iter().any(|part| part.is_of_adapter()) {
        match faster {
            Choice::Verilator => {
                let measured = adapter::measure(config, &parts, arguments.quick, &mut figures)?;
                if let Some(directory) = &arguments.plots {
                    adapter::write_plots(directory, &measured)?;
                }
                if let Some(path) = &arguments.write {
                    let texts = adapter::sections(&measured);
                    let texts: Vec<_> = sections.iter().map(|(at, _)| texts[*at].clone()).collect();
                    page::write(path, &texts)?;
                }
            }
            _ => eprintln!("note: the adapter is left out: it is too large for the native simulator."),
        }
    }
    figures.print(arguments.json);
    Ok(ExitCode::SUCCESS)
}

/// Lengths of frames that cycles are counted for, in bytes.
const LENGTHS: [usize; 3] = [60, 64, 1518];
