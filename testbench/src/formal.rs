//! Proofs about the hardware, by SymbiYosys: [`rtl::formal`] says what is to be shown.

pub mod broken;
pub mod contract;
pub mod faults;
mod sby;

use rtl::formal::{Method, Proof};
pub use sby::{Outcome, Sby, Task};
use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
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
#[derive(Clone)]
pub struct Source {
    pub name: String,
    pub claim: String,
    pub size: String,
    pub method: Method,
    cover: u32,
    text: String,
    /// The module inside the contract.
    top: String,
    /// The top is a harness.
    harness: bool,
    /// Modules whose assumptions are taken as given beside those of the top.
    given: Vec<String>,
    free: Vec<&'static str>,
}

impl Source {
    /// A name for the folder that the proof is tried in.
    pub fn folder(&self) -> String {
        self.name.replace('/', "_")
    }

    /// The same with `new` in place of `old` in its Verilog; `None` if that is not there.
    pub fn replace(&self, old: &str, new: &str) -> Option<Source> {
        let text = self.text.replace(old, new);
        (text != self.text).then(|| Source { text, ..self.clone() })
    }
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
    let mut given: Vec<String> = if proof.harness { inside.collect() } else { vec![] };
    given.extend(proof.trusted.iter().map(ToString::to_string));
    let Proof { name, claim, size, method, cover, free, harness, .. } = proof;
    let (name, claim, size, free) = (name.clone(), claim.clone(), size.clone(), free.clone());
    let (method, cover, harness, top) = (*method, *cover, *harness, verilog.top);
    Ok(Source { name, claim, size, method, cover, text, top, harness, given, free })
}

/// Tries proofs, `jobs` at a time, each in a folder of its own below `folder`; `done` is told of each as it ends.
///
/// # Errors
/// The first of [`check`].
pub fn check_all(
    sby: &Sby,
    sources: &[Source],
    folder: &Path,
    limit: Duration,
    jobs: usize,
    done: &(impl Fn(&Source, &Report) + Sync),
) -> Result<Vec<Report>, FormalError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut reports = vec![];
        while let Some((index, source)) = take(&next, sources) {
            let report = check(sby, source, &folder.join(source.folder()), limit)?;
            done(source, &report);
            reports.push((index, report));
        }
        Ok(reports)
    };
    let results: Vec<Result<Vec<_>, _>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panics")).collect()
    });
    let mut reports = vec![];
    for result in results {
        reports.extend(result?);
    }
    reports.sort_unstable_by_key(|(index, _)| *index);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// The next of `items` that nobody has taken.
fn take<'a, T>(next: &AtomicUsize, items: &'a [T]) -> Option<(usize, &'a T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    items.get(index).map(|item| (index, item))
}

/// What a proof makes of faults in the hardware.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// The assertions fail.
    pub caught: usize,
    /// No answer in time, or the fault makes a design that tools refuse.
    pub undecided: usize,
    /// The lines of those that the assertions let pass.
    pub missed: Vec<String>,
}

/// Tries `count` faults in the hardware of a proof.
///
/// # Errors
/// If a tool is missing.
pub fn caught(
    sby: &Sby,
    source: &Source,
    folder: &Path,
    count: usize,
    limit: Duration,
) -> Result<Caught, FormalError> {
    let mut result = Caught::default();
    // A step of induction that fails refutes nothing.
    let method = match source.method {
        Method::Induction(_) => Method::Bounded(20),
        method => method,
    };
    for (index, fault) in faults::faulty(source, count).into_iter().enumerate() {
        let folder = folder.join(format!("fault{index}"));
        match sby.run(&folder, "prove", &fault.source, Task::Prove(method), limit) {
            Ok(Outcome::Fail) => result.caught += 1,
            Ok(Outcome::Pass) => result.missed.push(fault.line),
            Ok(Outcome::Unknown | Outcome::Timeout) | Err(FormalError::Tool { .. }) => result.undecided += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(result)
}

/// Tries one proof in a folder of its own, each run of SymbiYosys for `limit` at most.
///
/// # Errors
/// If a tool is missing or fails.
pub fn check(sby: &Sby, source: &Source, folder: &Path, limit: Duration) -> Result<Report, FormalError> {
    let start = Instant::now();
    let proven = sby.run(folder, "prove", source, Task::Prove(source.method), limit)?;
    let again = match source.method {
        Method::Reachability => Some(60),
        Method::Unrolled(depth) => Some(depth),
        Method::Induction(_) | Method::Bounded(_) => None,
    };
    if let (Outcome::Fail, Some(depth)) = (proven, again) {
        // Names the assertion and leaves a waveform.
        sby.run(folder, "trace", source, Task::Prove(Method::Bounded(depth)), limit)?;
    }
    let covered = match proven {
        Outcome::Pass => sby.run(folder, "cover", source, Task::Cover(source.cover), limit)?,
        _ => Outcome::Unknown,
    };
    Ok(Report { proven, covered, time: start.elapsed() })
}
