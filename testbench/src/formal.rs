//! Proofs about the hardware, by SymbiYosys: [`rtl::formal`] says what is to be shown.

pub mod contract;
mod sby;

use rtl::formal::{Method, Proof};
pub use sby::{Outcome, Sby, Task};
use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum FormalError {
    #[error("SymbiYosys is not installed: run `make setup`")]
    Missing,
    #[error("{name} cannot be built: {message}")]
    Design { name: String, message: String },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("SymbiYosys failed: {}\n  its log: {}", last_error(words), log.display())]
    Tool { log: PathBuf, words: String },
}

/// What a tool says went wrong, or its last line.
fn last_error(words: &str) -> &str {
    let error = words.lines().find(|line| line.contains("ERROR"));
    error.or(words.lines().last()).unwrap_or("it said nothing").trim()
}

/// What came of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub proven: Outcome,
    /// All covers are reached.
    pub covered: Outcome,
    pub time: Duration,
}

impl Report {
    pub fn holds(&self) -> bool {
        (self.proven, self.covered) == (Outcome::Pass, Outcome::Pass)
    }

    /// In a word. `empty`: the assertions hold, but the assumptions leave too little to see that anything happens.
    pub fn verdict(&self) -> &'static str {
        match (self.proven, self.covered) {
            (Outcome::Pass, Outcome::Pass) => "holds",
            (Outcome::Fail, _) => "FAILS",
            (Outcome::Timeout, _) => "TIMEOUT",
            (Outcome::Unknown, _) => "UNKNOWN",
            (Outcome::Pass, _) => "EMPTY",
        }
    }
}

/// A proof with its design as Verilog.
pub struct Source {
    pub name: String,
    pub claim: String,
    pub size: String,
    pub method: Method,
    cover: u32,
    text: String,
    /// The module inside the contract.
    top: String,
    /// Modules whose assumptions are taken as given beside those of the top.
    given: Vec<String>,
    free: Vec<&'static str>,
}

/// The Verilog of a proof.
///
/// # Errors
/// If the design does not elaborate, or has more than one clock.
pub fn source(proof: &Proof) -> Result<Source, FormalError> {
    let name = proof.name.clone();
    let fault = |message: String| FormalError::Design { name: name.clone(), message };
    let design = (proof.block.build)().map_err(|errors| fault(errors.to_string()))?;
    let verilog = design.verilog();
    let text = verilog.text() + "\n" + &contract::contract(&design.interface()).map_err(fault)?;
    let inside = design.top().instances.iter().map(|instance| design.module(instance.module).name.clone());
    let given = if proof.harness { inside.collect() } else { vec![] };
    let Proof { name, claim, size, method, cover, free, .. } = proof;
    let (name, claim, size, free) = (name.clone(), claim.clone(), size.clone(), free.clone());
    Ok(Source { name, claim, size, method: *method, cover: *cover, text, top: verilog.top, given, free })
}

/// Tries one proof in a folder of its own, each run of SymbiYosys for `limit` at most.
///
/// # Errors
/// If a tool is missing or fails.
pub fn check(sby: &Sby, source: &Source, folder: &Path, limit: Duration) -> Result<Report, FormalError> {
    let start = Instant::now();
    let proven = sby.run(folder, "prove", source, Task::Prove(source.method), limit)?;
    if proven == Outcome::Fail && source.method == Method::Reachability {
        // Names the assertion and leaves a waveform.
        sby.run(folder, "trace", source, Task::Prove(Method::Bounded(60)), limit)?;
    }
    let covered = match proven {
        Outcome::Pass => sby.run(folder, "cover", source, Task::Cover(source.cover), limit)?,
        _ => Outcome::Unknown,
    };
    Ok(Report { proven, covered, time: start.elapsed() })
}
