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
use std::{
    fmt,
    ops::Range,
    panic::resume_unwind,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
};

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
    /// Batches, from the first, that an earlier run of the same options has done.
    pub done: usize,
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

/// Modules that are built into one model: random expressions, or others, from one number to another.
#[derive(Clone)]
enum Batch {
    Expressions(Range<usize>),
    Modules(Range<usize>),
}

impl Batch {
    /// All that `options` asks for.
    fn all(options: &Options, (words, others): (usize, usize)) -> Vec<Batch> {
        let cut =
            |count: usize, size: usize| (0..count).step_by(size).map(move |at| at..count.min(at + size));
        let expressions = cut(options.expressions.div_ceil(EXPRESSIONS), words).map(Batch::Expressions);
        let all = expressions.chain(cut(options.modules, others).map(Batch::Modules));
        all.skip(options.done).collect()
    }

    fn modules(self, seed: u64) -> Vec<Module> {
        match self {
            Batch::Expressions(range) => range.map(|index| expressions(seed, index)).collect(),
            Batch::Modules(range) => range.map(|index| module(seed, index)).collect(),
        }
    }
}

/// What the threads of a run share.
struct Progress<F> {
    todo: std::vec::IntoIter<Batch>,
    stats: Stats,
    different: Vec<(Verdict, Module)>,
    report: F,
}

/// Generates and compares batch by batch, several at a time. `report` is told the totals after each batch. After one
/// with differences no other is begun.
///
/// # Errors
/// If a tool is missing.
pub fn run(
    options: &Options,
    checker: &Checker,
    report: impl FnMut(&Stats) + Send,
) -> Result<Outcome, FuzzError> {
    let todo = Batch::all(options, checker.batch).into_iter();
    let progress = Mutex::new(Progress { todo, stats: Stats::default(), different: vec![], report });
    let locked = || progress.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || -> Result<(), FuzzError> {
        while let Some(batch) = { locked().todo.next() } {
            let modules = batch.clone().modules(options.seed);
            let verdicts = checker.check(&modules).inspect_err(|_| locked().todo = vec![].into_iter())?;
            let Progress { todo, stats, different, report } = &mut *locked();
            let outputs: usize = modules.iter().map(|module| module.outputs.len()).sum();
            match batch {
                Batch::Expressions(_) => stats.expressions += outputs,
                Batch::Modules(_) => stats.modules += modules.len(),
            }
            stats.comparisons += (outputs * checker.cycles * checker.engines.len()) as u64;
            different
                .extend(verdicts.into_iter().zip(modules).filter(|(verdict, _)| *verdict != Verdict::Same));
            if !different.is_empty() {
                *todo = vec![].into_iter();
            }
            report(stats);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..checker.threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    let Progress { stats, mut different, .. } = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Differences of one batch mostly have one cause, and the smallest module shows it best.
    different.sort_by_key(|(_, module)| module.size());
    different.truncate(2);
    let shrunk = different.into_iter().map(|(verdict, module)| {
        let (module, verdict) = shrink::shrink(checker, module, verdict)?;
        let text = print::finding(checker, &module, &verdict, options.seed);
        Ok(Finding { seed: options.seed, module, verdict, text })
    });
    Ok(Outcome { stats, findings: shrunk.collect::<Result<_, FuzzError>>()? })
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
