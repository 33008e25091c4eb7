//! Bad packets, between good ones, at the Verilated endpoint, against a reference completer of the whole of it.

use clap::Parser;
use rtl::{config::Config, pcie::space::Personality};
use std::{error::Error, process::ExitCode, time::Instant};
use testbench::{
    endpoint::{
        fuzz::{Tally, fuzz},
        scene::Setting,
    },
    models,
};

#[derive(Parser)]
#[command(about = "Bad packets at the Verilated endpoint, against a reference completer")]
struct Options {
    /// Packets in all
    #[arg(long, default_value_t = 1_000_000)]
    packets: u64,
    /// The same seed repeats the same packets
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Packets of a run.
const RUN: u64 = 25_000;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let scenes = scenes();
    let mut all = Tally::default();
    for seed in options.seed.. {
        if all.packets >= options.packets {
            break;
        }
        let (config, setting) = &scenes[seed as usize % scenes.len()];
        let packets = RUN.min(options.packets - all.packets);
        let tally = fuzz(models::endpoint(config)?, config, *setting, seed, packets)
            .map_err(|error| format!("seed {seed}, {}, {setting:?}: {error}", config.name))?;
        all.add(tally);
        let seconds = start.elapsed().as_secs();
        println!("seed {seed}, {}, {setting:?}: {} packets, {seconds} s", config.name, all.packets);
    }
    println!("{all}");
    Ok(())
}

/// What is run, in turn. ARI comes and goes with virtual functions.
fn scenes() -> Vec<(Config, Setting)> {
    let setting = |personality| Setting { personality, alternative_routing: false };
    let nine = Config { name: "nine", vfs: 9, ..Config::small() };
    vec![
        (Config::small(), setting(Personality::SrIov)),
        (nine.clone(), setting(Personality::SrIov)),
        (Config::small(), setting(Personality::Multifunction(1))),
        (Config::x3100(), setting(Personality::SrIov)),
        (nine, setting(Personality::Multifunction(8))),
    ]
}
