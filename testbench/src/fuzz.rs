//! Random hardware, run in the native simulator, Verilator and Icarus and evaluated in plain Rust: all must agree.
//!
//! ```text
//!                        ┌► interpret ──────────────────────────────┐
//!  generate ► description ┤                              ┌► native ──┤
//!                        └► elaborate (the language) ► IR ┤           ├► equal, cycle by cycle?
//!                                                        └► emitter ► Verilog ► Verilator, Icarus
//! ```
//! A difference is shrunk to what still shows it, and printed with its Rust-like description and its Verilog.

pub mod check;
pub mod description;
pub mod elaborate;
pub mod generate;
pub mod icarus;
pub mod interpret;
pub mod mutate;
pub mod number;
mod print;
mod shrink;
pub mod yosys;

use check::{Checker, Verdict};
use description::Module;
use sim::random::Random;
use std::{fmt, path::PathBuf};

/// Why the fuzzer itself cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FuzzError {
    #[error("cannot run `{tool}`: {error}; on Debian: apt install iverilog verilator yosys")]
    Missing { tool: &'static str, error: std::io::Error },
    #[error("`{tool}` failed:\n{message}")]
    Tool { tool: &'static str, message: String },
    #[error("cannot write {path:?}: {error}")]
    File { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Verilator(#[from] sim::verilator::VerilatorError),
}

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many random expressions.
    pub expressions: usize,
    /// How many random modules.
    pub modules: usize,
    pub seed: u64,
}

/// Outputs of a module of random expressions.
const EXPRESSIONS: usize = 8;

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub expressions: usize,
    pub modules: usize,
    /// Values of outputs, in all simulators.
    pub comparisons: u64,
}

/// A module on which the simulators disagree, made as small as it gets.
pub struct Finding {
    pub seed: u64,
    pub module: Module,
    pub verdict: Verdict,
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The outcome of a run.
pub struct Outcome {
    pub stats: Stats,
    pub findings: Vec<Finding>,
}

/// Generates and compares batch by batch. `progress` is told the totals after each batch. Stops after a batch with
/// differences.
///
/// # Errors
/// If a tool is missing.
pub fn run(
    options: &Options,
    checker: &Checker,
    mut progress: impl FnMut(&Stats),
) -> Result<Outcome, FuzzError> {
    let mut stats = Stats::default();
    while stats.expressions < options.expressions || stats.modules < options.modules {
        let batch = stats.expressions / EXPRESSIONS + stats.modules;
        let modules: Vec<Module> = if stats.expressions < options.expressions {
            let count = (options.expressions - stats.expressions).div_ceil(EXPRESSIONS).min(checker.batch.0);
            stats.expressions += count * EXPRESSIONS;
            (batch..batch + count).map(|index| expressions(options.seed, index)).collect()
        } else {
            let count = (options.modules - stats.modules).min(checker.batch.1);
            stats.modules += count;
            (batch..batch + count).map(|index| module(options.seed, index)).collect()
        };
        let verdicts = checker.check(&modules)?;
        let outputs: usize = modules.iter().map(|module| module.outputs.len()).sum();
        stats.comparisons += (outputs * checker.cycles * checker.engines.len()) as u64;
        let findings =
            verdicts.into_iter().zip(modules).filter(|(verdict, _)| !matches!(verdict, Verdict::Same));
        // Differences of one batch mostly have one cause, and the smallest module shows it best.
        let mut findings: Vec<(Verdict, Module)> = findings.collect();
        findings.sort_by_key(|(_, module)| module.size());
        findings.truncate(2);
        progress(&stats);
        if !findings.is_empty() {
            let shrunk = findings.into_iter().map(|(verdict, module)| {
                let (module, verdict) = shrink::shrink(checker, module, verdict)?;
                let text = print::finding(checker, &module, &verdict, options.seed);
                Ok(Finding { seed: options.seed, module, verdict, text })
            });
            return Ok(Outcome { stats, findings: shrunk.collect::<Result<_, FuzzError>>()? });
        }
    }
    Ok(Outcome { stats, findings: vec![] })
}

/// The `index`-th module of random expressions of a seed.
pub fn expressions(seed: u64, index: usize) -> Module {
    let mut random = Random::fork(seed, index as u64);
    generate::expressions(&mut random, &format!("e{index}"), EXPRESSIONS)
}

/// The `index`-th random module of a seed.
pub fn module(seed: u64, index: usize) -> Module {
    let mut random = Random::fork(!seed, index as u64);
    let levels = *random.pick(&[0, 0, 1, 1, 2]);
    generate::module(&mut random, &format!("m{index}"), levels)
}
