//! `hematite`: plays captures through the simulated adapter, exports its Verilog, and measures it.

mod arguments;
mod bench;
mod error;
mod export;
mod figures;
mod lspci;
mod output;
mod page;
mod progress;
mod run;
mod simulator;
mod synth;

use arguments::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Lspci(arguments) => lspci::lspci(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Synth(arguments) => synth::synth(&arguments),
    };
    outcome.unwrap_or_else(error::report)
}
