//! All kinds of traffic at the Verilated endpoint, run after run, until enough packets have gone by.

use clap::Parser;
use rtl::{config::Config, pcie::space::Personality};
use sim::pcie::host::Fault;
use std::{error::Error, process::ExitCode, time::Instant};
use testbench::{
    endpoint::{Plan, Report, run, scene::Setting},
    models,
};

#[derive(Parser)]
#[command(about = "All kinds of traffic at the Verilated endpoint, against scoreboard, checker and IOMMU")]
struct Options {
    /// Packets in all, of both directions
    #[arg(long, default_value_t = 1_000_000)]
    packets: u64,
    /// The same seed repeats the same runs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Resets for a thousand steps of a run
    #[arg(long, default_value_t = 5)]
    resets: usize,
    /// Nothing but traffic and resets: each must be over within 100 microseconds
    #[arg(long)]
    storm: bool,
}

/// 100 microseconds at 156.25 MHz.
const LONGEST_RESET: u64 = 15_625;

/// Packets of a run.
const RUN: u64 = 50_000;

fn main() -> ExitCode {
    let options = Options::parse();
    match soak(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn soak(options: &Options) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let scenes = scenes();
    let mut all = Report::default();
    for seed in options.seed.. {
        if all.packets >= options.packets {
            break;
        }
        let (config, setting) = &scenes[seed as usize % scenes.len()];
        // In every other round the host makes no faults: every command of a function that nothing happens to must end well.
        let has_faults = seed as usize / scenes.len() % 2 == 1;
        let faults = if has_faults { Fault::ALL.map(|fault| (fault, 3)).to_vec() } else { vec![] };
        let plan = Plan::of(seed, *setting, RUN.min(options.packets - all.packets));
        let plan = Plan { resets: options.resets, ..plan };
        let plan = if options.storm { plan } else { mixture(plan, faults) };
        let report =
            run(models::endpoint(config)?, config, &plan).map_err(|error| format!("seed {seed}: {error}"))?;
        let longest = report.resets.longest();
        if options.storm && longest >= LONGEST_RESET {
            return Err(format!("seed {seed}: a reset takes {longest} cycles").into());
        }
        all.add(report);
        let seconds = start.elapsed().as_secs();
        println!("seed {seed}, {}, {setting:?}: {} packets, {seconds} s", config.name, all.packets);
    }
    println!("{all}");
    Ok(())
}

/// With everything that disturbs traffic.
fn mixture(plan: Plan, faults: Vec<(Fault, u32)>) -> Plan {
    Plan {
        faults,
        nonsense: 10,
        vanishings: 1,
        silences: 2,
        droughts: if plan.seed.is_multiple_of(3) { 3 } else { 0 },
        ..plan
    }
}

/// What is run, in turn.
fn scenes() -> Vec<(Config, Setting)> {
    let virtualized = |alternative_routing| Setting { personality: Personality::SrIov, alternative_routing };
    let legacy = |functions| Setting {
        personality: Personality::Multifunction(functions),
        alternative_routing: false,
    };
    let nine = Config { name: "nine", vfs: 9, ..Config::small() };
    vec![
        (Config::small(), virtualized(false)),
        (nine.clone(), virtualized(false)),
        (Config::x3100(), virtualized(true)),
        (nine.clone(), virtualized(true)),
        (nine, legacy(8)),
        (Config::x3100(), virtualized(false)),
        (Config::small(), legacy(4)),
    ]
}
