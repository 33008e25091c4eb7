//! Random frames at the whole Verilated adapter among resets and faults, run after run, until enough frames have passed.

use clap::Parser;
use rtl::config::{Config, VfPlaces};
use std::{error::Error, process::ExitCode, time::Instant};
use testbench::{
    models,
    nic::{Plan, Report, run},
};

#[derive(Parser)]
#[command(
    about = "Random frames at the whole adapter among resets and faults, each to arrive once and in order"
)]
struct Options {
    /// Frames in all
    #[arg(long, default_value_t = 1_000_000)]
    frames: u64,
    /// The same seed repeats the same runs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// small, slots (small with virtual functions in slots of their own), x3100 or wide; else small and slots in turn
    #[arg(long)]
    config: Option<String>,
    /// Frames of a run
    #[arg(long, default_value_t = 40_000)]
    run: u64,
    /// Frames of a round, which ends when all have arrived
    #[arg(long, default_value_t = 2000)]
    round: u64,
}

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

fn configs(name: Option<&str>) -> Result<Vec<Config>, String> {
    let slots = Config { name: "slots", vf_places: VfPlaces::Slots, ..Config::small() };
    match name {
        None => Ok(vec![Config::small(), slots]),
        Some("slots") => Ok(vec![slots]),
        Some(name) => {
            Config::by_name(name).map(|config| vec![config]).ok_or(format!("no configuration {name}"))
        }
    }
}

fn soak(options: &Options) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let configs = configs(options.config.as_deref())?;
    let mut all = Report::default();
    for seed in options.seed.. {
        if all.frames >= options.frames {
            break;
        }
        let config = &configs[seed as usize % configs.len()];
        let plan = Plan { seed, frames: options.run.min(options.frames - all.frames), round: options.round };
        let report =
            run(models::nic(config)?, config, &plan).map_err(|error| format!("seed {seed}: {error}"))?;
        all.add(report);
        let (seconds, Report { frames, delivered, cycles, .. }) = (start.elapsed().as_secs(), &all);
        println!(
            "seed {seed}, {}: {frames} frames, {delivered} copies, {cycles} cycles, {seconds} s",
            config.name
        );
    }
    println!("{all}");
    Ok(())
}
