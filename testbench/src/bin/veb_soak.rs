//! Random frames through the Verilated bridge against the reference model, run after run with new seeds and new
//! behaviour of the ports, until enough frames have passed.

use clap::Parser;
use hdl::elaborate;
use rtl::config::Config;
use sim::{
    random::Random,
    veb::{Losses, bench::Behaviour},
    verilator::{Source, Verilated, VerilatorOptions},
};
use std::{process::ExitCode, time::Instant};
use testbench::traffic::{Run, run};

#[derive(Parser)]
#[command(about = "Random frames through the Verilated bridge against the reference model")]
struct Options {
    /// Frames in all, shared among the three configurations
    #[arg(long, default_value_t = 1_000_000)]
    frames: usize,
    /// The same seed repeats the same runs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Frames of one run
    #[arg(long, default_value_t = 20_000)]
    run: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let start = Instant::now();
    let (mut done, mut mismatches) = (0, 0);
    for seed in options.seed.. {
        if done >= options.frames {
            break;
        }
        let config = &Config::all()[seed as usize % 3];
        let design = elaborate(|| rtl::veb::veb(config)).expect("the bridge elaborates").design;
        let (verilog, interface) = (design.verilog().text(), design.interface());
        let source = Source { verilog: &verilog, interface: &interface };
        let verilator = VerilatorOptions { assertions: true, x_random: Some(seed), ..Default::default() };
        let mut random = Random::new(seed);
        let mut behaviour = || Behaviour {
            pause: *random.pick(&[0, 0, 20, 90]),
            stall: *random.pick(&[0, 0, 0, 30, 95, 100]),
        };
        let behaviour = (0..config.ports()).map(|_| behaviour()).collect();
        let frames = options.run.min(options.frames - done);
        let longest = if seed.is_multiple_of(4) { 9800 } else { 1600 };
        let plan = Run { seed, frames, longest, losses: Losses::Counted, behaviour };
        let result = Verilated::build(&source, &verilator)
            .map_err(|error| error.to_string())
            .and_then(|sim| run(sim, config, &plan).map_err(|error| error.to_string()));
        match result {
            Ok(report) => {
                mismatches += report.mismatch_count();
                report.mismatches.iter().take(5).for_each(|mismatch| println!("  {mismatch}"));
                done += frames;
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
