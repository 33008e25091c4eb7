//! The command line.

use crate::{bench, export, lspci, run, synth};
use clap::{Parser, Subcommand};
use rtl::config::Config;

/// Simulates, exports and measures Hematite, an open I/O-virtualising 10 GbE adapter.
///
/// Exit status: 0 if all is well, 1 if a run differs from the reference model, 2 for an error.
#[derive(Debug, Parser)]
#[command(name = "hematite", version, max_term_width = 110)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Run(run::Arguments),
    Export(export::Arguments),
    Lspci(lspci::Arguments),
    Bench(bench::Arguments),
    Synth(synth::Arguments),
}

/// The configuration of this name.
///
/// # Errors
/// A message that lists the names there are.
pub fn config(name: &str) -> Result<Config, String> {
    Config::by_name(name)
        .ok_or_else(|| format!("there is no such configuration; there are {}", config_names().join(", ")))
}

/// The names of all configurations.
pub fn config_names() -> Vec<&'static str> {
    Config::all().iter().map(|config| config.name).collect()
}
