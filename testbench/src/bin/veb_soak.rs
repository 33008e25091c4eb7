//! Random policies and frames through the Verilated bridge against the reference model, case after case, until enough
//! frames have passed.

use clap::Parser;
use hdl::elaborate;
use rtl::config::Config;
use sim::{
    veb::{Losses, Policy, Report, bench::Bench},
    verilator::{Source, Verilated, VerilatorOptions},
};
use std::{error::Error, process::ExitCode, time::Instant};
use testbench::traffic::{case, draw, play};

#[derive(Parser)]
#[command(about = "Random policies and frames through the Verilated bridge against the reference model")]
struct Options {
    /// Frames in all, shared among the configurations
    #[arg(long, default_value_t = 1_000_000)]
    frames: u64,
    /// The same seed repeats the same runs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Policies of one run, each with up to 1000 frames
    #[arg(long, default_value_t = 20)]
    cases: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let start = Instant::now();
    let (mut done, mut mismatches) = (0, 0);
    // As many functions as there can be, beside the named ones.
    let most = Config { name: "most", wires: 2, vfs: 62, ..Config::small() };
    let configs = Config::all().into_iter().chain([most]).collect::<Vec<_>>();
    for seed in options.seed.. {
        if done >= options.frames {
            break;
        }
        let config = &configs[seed as usize % configs.len()];
        match run(config, seed, options.cases) {
            Ok(report) => {
                done += report.frames_in;
                mismatches += report.mismatch_count();
                report.mismatches.iter().take(5).for_each(|mismatch| println!("  {mismatch}"));
                let seconds = start.elapsed().as_secs();
                println!("seed {seed} {}: {done} frames, {mismatches} mismatches, {seconds} s", config.name);
            }
            Err(error) => {
                eprintln!("seed {seed} {}: {error}", config.name);
                return ExitCode::FAILURE;
            }
        }
    }
    if mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(config: &Config, seed: u64, cases: u64) -> Result<Report, Box<dyn Error>> {
    let design = elaborate(|| rtl::veb::veb(config))?.design;
    let (verilog, interface) = (design.verilog().text(), design.interface());
    let source = Source { verilog: &verilog, interface: &interface };
    let verilator = VerilatorOptions { assertions: true, x_random: Some(seed), ..Default::default() };
    let sim = Verilated::build(&source, &verilator)?;
    let after_reset = Policy::new(config.wires, config.functions());
    let mut bench = Bench::new(sim, config, &after_reset, Losses::Counted, seed)?;
    for number in 0..cases {
        let longest = if number.is_multiple_of(8) { 9800 } else { 600 };
        play(&mut bench, &draw(&case(config, 1000, longest), seed << 32 | number))?;
    }
    Ok(bench.finish()?)
}
