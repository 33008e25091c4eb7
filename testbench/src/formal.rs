//! Proofs about the hardware, by SymbiYosys: [`rtl::formal`] says what is to be shown.

pub mod contract;
mod sby;

use rtl::formal::{Method, Proof};
pub use sby::{Outcome, Sby, Sources, Task};
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
#[derive(Debug)]
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
}

/// Tries one proof in a folder of its own.
///
/// # Errors
/// If the design does not elaborate, or a tool fails.
pub fn check(sby: &Sby, proof: &Proof, folder: &Path, limit: Duration) -> Result<Report, FormalError> {
    let fault = |message: String| FormalError::Design { name: proof.name.clone(), message };
    let design = (proof.block.build)().map_err(|errors| fault(errors.to_string()))?;
    let interface = design.interface();
    let verilog = design.verilog();
    let text = verilog.text() + "\n" + &contract::contract(&interface).map_err(fault)?;
    let inside = design.top().instances.iter().map(|instance| design.module(instance.module).name.clone());
    let given: Vec<String> = if proof.harness { inside.collect() } else { vec![] };
    let sources = Sources { text: &text, top: &verilog.top, given: &given, free: &proof.free };
    let start = Instant::now();
    let proven = sby.run(folder, "prove", &sources, Task::Prove(proof.method), limit)?;
    if proven == Outcome::Fail && proof.method == Method::Reachability {
        // Names the assertion and leaves a waveform.
        sby.run(folder, "trace", &sources, Task::Prove(Method::Bounded(60)), limit)?;
    }
    let covered = sby.run(folder, "cover", &sources, Task::Cover(proof.cover), limit)?;
    Ok(Report { proven, covered, time: start.elapsed() })
}
