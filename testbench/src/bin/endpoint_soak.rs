//! All kinds of traffic at the Verilated endpoint, run after run, until enough packets have gone by.

use clap::Parser;
use hdl::elaborate;
use rtl::config::Config;
use sim::{
    pcie::host::Fault,
    verilator::{Source, Verilated, VerilatorOptions},
};
use std::{error::Error, process::ExitCode, time::Instant};
use testbench::endpoint::{Plan, run};

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
}

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
    let configs = [Config::small(), Config { name: "nine", vfs: 9, ..Config::small() }];
    let (mut packets, mut resets, mut longest) = (0, 0, 0);
    for seed in options.seed.. {
        if packets >= options.packets {
            break;
        }
        // Every other run has a host without faults, where every command of a function that is not reset must end well.
        let config = &configs[seed as usize / 2 % configs.len()];
        let faults =
            if seed.is_multiple_of(2) { vec![] } else { Fault::ALL.map(|fault| (fault, 3)).to_vec() };
        let wanted = RUN.min(options.packets - packets);
        let plan = Plan { seed, packets: wanted, faults, resets: options.resets, nonsense: 10 };
        let report =
            run(endpoint(config)?, config, &plan).map_err(|error| format!("seed {seed}: {error}"))?;
        packets += report.packets;
        resets += report.resets;
        longest = longest.max(report.longest_reset);
        let seconds = start.elapsed().as_secs();
        println!("seed {seed} {}: {packets} packets, {seconds} s: {report:?}", config.name);
    }
    println!(
        "{packets} packets, 0 violations; {resets} resets of functions, the longest of {longest} cycles"
    );
    Ok(())
}

fn endpoint(config: &Config) -> Result<Verilated, Box<dyn Error>> {
    let design = elaborate(|| rtl::pcie::endpoint::endpoint(config))?.design;
    let (verilog, interface) = (design.verilog().text(), design.interface());
    let source = Source { verilog: &verilog, interface: &interface };
    let options = VerilatorOptions { assertions: true, x_random: Some(1), ..Default::default() };
    Ok(Verilated::build(&source, &options)?)
}
