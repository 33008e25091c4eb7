//! Each fault of the netlist in a process of its own, for an assertion ends the process.

use super::{
    MutationError,
    data::Survivor,
    netlist::{self, Fault},
    read, whole,
};
use serde::{Deserialize, Serialize};
use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What became of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// A check noticed.
    Killed { check: String, message: String },
    /// The first check did not notice, and Yosys proves that there is nothing to notice.
    Equivalent,
    /// No check noticed.
    Survived {
        /// Whether an output of the bridge ever differed in any cycle.
        visible: bool,
        /// Why, as `testbench/mutation.toml` says.
        reason: Option<String>,
    },
}

/// A fault and its verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    #[serde(flatten)]
    pub fault: Fault,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// How a campaign runs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Faults at a time.
    pub jobs: usize,
    /// For the checks of a fault; longer is noticed.
    pub run: Duration,
    /// For a proof; longer is none.
    pub proof: Duration,
}

/// Judges every fault that was drawn in `folder`; `done` is told of each. What `known` has of a fault that was noticed is not
/// tried again.
///
/// # Errors
/// If a process cannot be started, or a check fails without any fault.
pub fn run(
    folder: &Path,
    faults: &[Fault],
    known: &[Outcome],
    survivors: &[Survivor],
    limits: &Limits,
    done: impl Fn(&Outcome) + Sync,
) -> Result<Vec<Outcome>, MutationError> {
    if let Some((check, message)) = judge(folder, 0, Part::Checks, limits.run)? {
        return Err(MutationError::Fault(format!("{check} fails without a fault: {message}")));
    }
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![]);
    let work = || {
        while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
            let old = known.iter().find(|outcome| outcome.fault.to_string() == fault.to_string());
            let verdict = match old.map(|outcome| &outcome.verdict) {
                Some(noticed @ Verdict::Killed { .. }) => noticed.clone(),
                _ => verdict(folder, fault, survivors, limits)?,
            };
            let outcome = Outcome { fault: fault.clone(), verdict };
            done(&outcome);
            outcomes.lock().expect("no thread has panicked").push(outcome);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..limits.jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread that does not panic"))
    })?;
    let mut outcomes = outcomes.into_inner().expect("no thread has panicked");
    outcomes.sort_by_key(|outcome| outcome.fault.number);
    Ok(outcomes)
}

fn verdict(
    folder: &Path,
    fault: &Fault,
    survivors: &[Survivor],
    limits: &Limits,
) -> Result<Verdict, MutationError> {
    // Most are noticed at once, and what changes nothing is proven faster than checked.
    if let Some((check, message)) = judge(folder, fault.number, Part::First, limits.run)? {
        return Ok(Verdict::Killed { check, message });
    }
    if is_proven(folder, fault, limits.proof)? {
        return Ok(Verdict::Equivalent);
    }
    if let Some((check, message)) = judge(folder, fault.number, Part::Checks, limits.run)? {
        return Ok(Verdict::Killed { check, message });
    }
    let visible = judge(folder, fault.number, Part::Cycles, limits.run)?.is_some();
    let name = fault.to_string();
    let known = survivors.iter().find(|survivor| survivor.fault == name);
    Ok(Verdict::Survived { visible, reason: known.map(|known| known.reason.clone()) })
}

/// Whether Yosys proves that a fault changes nothing, in one of several ways.
///
/// # Errors
/// If Yosys is missing.
pub fn is_proven(folder: &Path, fault: &Fault, limit: Duration) -> Result<bool, MutationError> {
    Ok(whole::is_equivalent(folder, fault, limit)? || netlist::is_equivalent(folder, fault, limit)?)
}

/// What a process does with its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first check of [`super::judge::judge`].
    First,
    /// All of them.
    Checks,
    /// [`super::judge::compare_cycles`].
    Cycles,
    /// [`is_proven`].
    Proof,
}

impl Part {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Checks => "checks",
            Self::Cycles => "cycles",
            Self::Proof => "proof",
        }
    }
}

/// Before the name of a check, in what a process prints.
pub const BEGINS: &str = "check: ";

/// Runs this program on one fault: the check that failed and its words, or none.
fn judge(
    folder: &Path,
    fault: u64,
    part: Part,
    limit: Duration,
) -> Result<Option<(String, String)>, MutationError> {
    let log = folder.join(format!("{}{fault}.log", part.name()));
    let file = |error| MutationError::File { path: log.clone(), error };
    let words = File::create(&log).map_err(file)?;
    let program: PathBuf = env::current_exe().map_err(file)?;
    let mut command = Command::new(&program);
    command.arg("--judge").arg(fault.to_string()).args(["--part", part.name()]).arg("--folder").arg(folder);
    command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command.stdout(words.try_clone().map_err(file)?).stderr(words);
    let mut child = command.spawn().map_err(file)?;
    let began = Instant::now();
    let ended = loop {
        match child.try_wait().map_err(file)? {
            Some(status) => break Some(status),
            None if began.elapsed() > limit => {
                child.kill().and_then(|()| child.wait()).map_err(file)?;
                break None;
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    if ended.is_some_and(|status| status.success()) {
        return Ok(None);
    }
    let text = read(&log)?;
    let check = text.lines().rev().find_map(|line| line.strip_prefix(BEGINS)).unwrap_or("start");
    let message = match ended {
        None => "no end".to_owned(),
        Some(_) => {
            let after = text.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
            after.unwrap_or("the process ended").to_owned()
        }
    };
    Ok(Some((check.to_owned(), message)))
}
