//! Random policies and frames through the Verilated bridge against the reference model, case after case, until enough
//! frames have passed.

use clap::Parser;
use hdl::elaborate;
use rtl::config::Config;
use sim::{
    veb::{Losses, Policy, Report, bench::Bench, bridge::Reason},
    verilator::{Source, Verilated, VerilatorOptions},
};
use std::{collections::BTreeMap, error::Error, process::ExitCode, time::Instant};
use testbench::{
    shrink::explain,
    traffic::{case, draw, play},
};

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
    let (mut done, mut mismatches, mut drops) = (0, 0, BTreeMap::new());
    let named = Config::all();
    // As many functions as there can be; slow, so it is not often its turn.
    let most = Config { name: "most", wires: 2, vfs: 62, ..Config::small() };
    for seed in options.seed.. {
        if done >= options.frames {
            break;
        }
        let config = if seed.is_multiple_of(10) { &most } else { &named[seed as usize % named.len()] };
        if let Err(error) = bridge(config, seed) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
        let wrong = match run(config, seed, options.cases) {
            Ok(report) => {
                done += report.frames_in;
                mismatches += report.mismatch_count();
                report
                    .drops()
                    .into_iter()
                    .for_each(|(reason, frames)| *drops.entry(reason).or_insert(0) += frames);
                report.mismatches.iter().take(5).for_each(|mismatch| println!("  {mismatch}"));
                let seconds = start.elapsed().as_secs();
                println!("seed {seed} {}: {done} frames, {mismatches} mismatches, {seconds} s", config.name);
                report.mismatch_count() > 0
            }
            Err(error) => {
                println!("seed {seed} {}: {error}", config.name);
                mismatches += 1;
                true
            }
        };
        if wrong {
            let search = |longest: usize, long: bool| {
                let numbers = (0..options.cases).filter(|number| is_long(*number) == long);
                let seeds = numbers.map(|number| case_seed(seed, number));
                let sim = || bridge(config, seed).expect("it has been built before");
                println!("  {}", explain(config, &case(config, FRAMES, longest), seeds, sim));
            };
            search(SHORT, false);
            search(LONG, true);
        }
    }
    let spoofed: u64 = SPOOFED.iter().filter_map(|reason| drops.get(reason)).sum();
    println!(
        "{done} frames, {mismatches} mismatches; {spoofed} frames ({:.1} %) were spoofed or malformed and left nowhere: {}",
        100.0 * spoofed as f64 / done as f64,
        SPOOFED.map(|reason| format!("{reason} {}", drops.get(&reason).unwrap_or(&0))).join(", ")
    );
    if mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Why a frame that somebody should not have sent is dropped.
const SPOOFED: [Reason; 7] = [
    Reason::MacSpoof,
    Reason::EthertypeSpoof,
    Reason::Admission,
    Reason::Vlan,
    Reason::Runt,
    Reason::Error,
    Reason::Disabled,
];

/// Frames of a case at most.
const FRAMES: usize = 1000;

/// Bytes of a frame at most, in most cases and in some.
const SHORT: usize = 600;
const LONG: usize = 9800;

fn is_long(number: u64) -> bool {
    number.is_multiple_of(8)
}

fn case_seed(seed: u64, number: u64) -> u64 {
    seed << 32 | number
}

fn bridge(config: &Config, seed: u64) -> Result<Verilated, Box<dyn Error>> {
    let design = elaborate(|| rtl::veb::veb(config))?.design;
    let (verilog, interface) = (design.verilog().text(), design.interface());
    let source = Source { verilog: &verilog, interface: &interface };
    let verilator = VerilatorOptions { assertions: true, x_random: Some(seed), ..Default::default() };
    Ok(Verilated::build(&source, &verilator)?)
}

fn run(config: &Config, seed: u64, cases: u64) -> Result<Report, Box<dyn Error>> {
    let after_reset = Policy::new(config.wires, config.functions());
    let mut bench = Bench::new(bridge(config, seed)?, config, &after_reset, Losses::Counted, seed)?;
    for number in 0..cases {
        let longest = if is_long(number) { LONG } else { SHORT };
        play(&mut bench, &draw(&case(config, FRAMES, longest), case_seed(seed, number)))?;
    }
    Ok(bench.finish()?)
}
