//! From Verilog to a report.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cache::Entry;
use crate::report::{Placed, median};
use crate::tools::{NEXTPNR, Run, Tools, YOSYS};
use crate::wrapper::{self, Port};
use crate::{Boundary, FlowError, Job, SeedResult, SynthReport};

const NETLIST: &str = "netlist.json";

/// The tools and the place where their results are kept.
#[derive(Debug)]
pub struct Flow {
    tools: Tools,
    cache: PathBuf,
    /// How many seeds run at the same time. Each takes one core and, for the largest designs, about 1 GB.
    pub threads: usize,
}

/// What a build has just done; for showing progress.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The netlist is there.
    Synthesised,
    /// One seed is placed and routed.
    Routed(SeedResult),
}

impl Flow {
    /// Finds the tools in `.venv/bin` of `start` and of the folders above it, then on PATH. Results are kept in
    /// `target/synth` beside that `.venv`, or in the folder that `CARGO_TARGET_DIR` names.
    ///
    /// # Errors
    /// [`FlowError::MissingTool`], which says how to install it.
    pub fn find(start: &Path) -> Result<Self, FlowError> {
        let tools = Tools::find(start)?;
        let root = start.canonicalize().unwrap_or_else(|_| start.to_owned());
        let root = root.ancestors().find(|folder| folder.join(".venv").is_dir()).unwrap_or(start);
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |name| root.join(name));
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { tools, cache: target.join("synth"), threads })
    }

    /// Keeps results in `folder`.
    pub fn with_cache(self, folder: impl Into<PathBuf>) -> Self {
        Self { cache: folder.into(), ..self }
    }

    /// Builds the module once for each seed, or reads what an earlier build of the same content gave. `progress` is
    /// called from several threads.
    ///
    /// # Errors
    /// What the tools reject, in their words, and jobs without a seed or with a port that nothing can stand at.
    pub fn run(&self, job: &Job, progress: &(dyn Fn(Step) + Sync)) -> Result<SynthReport, FlowError> {
        check(job)?;
        let versions = self.tools.versions()?;
        let entry = Entry::open(&self.cache, &[&key(job), &versions.yosys, &versions.nextpnr, &job.verilog])?;
        let ports = match job.boundary {
            Boundary::Registered => self.ports(job, &entry)?,
            Boundary::Open | Boundary::Pins { .. } => Vec::new(),
        };
        self.synthesise(job, &ports, &entry)?;
        progress(Step::Synthesised);

        let placed = self.route_all(job, &entry, progress)?;
        let seeds: Vec<SeedResult> = job
            .seeds
            .iter()
            .zip(&placed)
            .map(|(&seed, placed)| SeedResult { seed, fmax: placed.fmax })
            .collect();
        let rates: Vec<Option<f64>> = placed.iter().map(|placed| placed.fmax).collect();
        let middle = median(&rates);
        let shown = &placed[middle.unwrap_or(0)];
        let mut area = shown.area;
        area.ff = area.ff.saturating_sub(wrapper::added(&ports));
        Ok(SynthReport {
            top: job.top.clone(),
            area,
            fmax_median: middle.and_then(|index| rates[index]),
            critical_path: shown.critical_path.clone(),
            seeds,
            versions: versions.clone(),
        })
    }

    /// The ports of the job's module, as Yosys sees them.
    fn ports(&self, job: &Job, entry: &Entry) -> Result<Vec<Port>, FlowError> {
        let text = entry.get("ports.json", |folder| {
            write(&folder.join("design.v"), &job.verilog)?;
            let log = entry.path("ports.log");
            let run = self.tools.yosys(folder, "read_verilog -lib design.v; write_json ports.json", &log)?;
            finished(YOSYS, job, run, &folder.join("ports.json"), &log)
        })?;
        wrapper::ports(&text, &job.top).map_err(|reason| FlowError::Job { top: job.top.clone(), reason })
    }

    fn synthesise(&self, job: &Job, ports: &[Port], entry: &Entry) -> Result<(), FlowError> {
        let top = &job.top;
        let make = |folder: &Path| {
            write(&folder.join("design.v"), &job.verilog)?;
            let script = if job.boundary == Boundary::Registered {
                let name = format!("{top}__registered");
                write(&folder.join("wrapper.v"), &wrapper::registered(top, &name, ports))?;
                format!(
                    "read_verilog design.v wrapper.v; synth_ecp5 -top {name}; \
                     setattr -unset keep_hierarchy c:block_to_measure; flatten; write_json {NETLIST}"
                )
            } else {
                format!("read_verilog design.v; synth_ecp5 -top {top} -json {NETLIST}")
            };
            let log = entry.path("yosys.log");
            let run = self.tools.yosys(folder, &script, &log)?;
            finished(YOSYS, job, run, &folder.join(NETLIST), &log)
        };
        entry.get(NETLIST, make).map(drop)
    }

    /// All seeds, on as many threads as allowed, in the order of the job.
    fn route_all(
        &self,
        job: &Job,
        entry: &Entry,
        progress: &(dyn Fn(Step) + Sync),
    ) -> Result<Vec<Placed>, FlowError> {
        let next = AtomicUsize::new(0);
        let results: Vec<OnceLock<Result<Placed, FlowError>>> =
            job.seeds.iter().map(|_| OnceLock::new()).collect();
        let worker = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(&seed) = job.seeds.get(index) else { break };
                let placed = self.route(job, seed, entry);
                match &placed {
                    Ok(placed) => progress(Step::Routed(SeedResult { seed, fmax: placed.fmax })),
                    // The other seeds would fail alike.
                    Err(_) => next.store(job.seeds.len(), Ordering::Relaxed),
                }
                results[index].get_or_init(|| placed);
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.threads.clamp(1, job.seeds.len()) {
                scope.spawn(worker);
            }
        });
        results.into_iter().filter_map(OnceLock::into_inner).collect()
    }

    fn route(&self, job: &Job, seed: u32, entry: &Entry) -> Result<Placed, FlowError> {
        let name = format!("seed{seed}.json");
        let text = entry.get(&name, |folder| {
            let device = job.device;
            let family = format!("--{}", device.name);
            let speed = device.speed.to_string();
            let frequency = job.frequency.to_string();
            let seed = seed.to_string();
            // The tool sees its own folder and what is above it by relative paths only.
            let netlist = format!("../{NETLIST}");
            let mut arguments = vec![
                "--quiet",
                &family,
                "--speed",
                &speed,
                "--package",
                device.package,
                "--freq",
                &frequency,
                "--timing-allow-fail",
                "--seed",
                &seed,
                "--json",
                &netlist,
                "--report",
                &name,
            ];
            match &job.boundary {
                Boundary::Open | Boundary::Registered => arguments.push("--out-of-context"),
                Boundary::Pins { lpf } => {
                    write(&folder.join("pins.lpf"), lpf)?;
                    arguments.extend(["--lpf", "pins.lpf", "--lpf-allow-unconstrained"]);
                }
            }
            let log = entry.path(&format!("seed{seed}.log"));
            let run = self.tools.nextpnr(folder, &arguments, &log)?;
            finished(NEXTPNR, job, run, &folder.join(&name), &log)
        })?;
        Placed::parse(&text)
            .map_err(|error| FlowError::Unreadable { path: entry.path(&name), reason: error.to_string() })
    }
}

/// What the tools would stumble over in words of their own, or in a script.
fn check(job: &Job) -> Result<(), FlowError> {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let reason = if job.top.is_empty() || !job.top.chars().all(name) {
        "its name is not a Verilog name".to_owned()
    } else if job.seeds.is_empty() {
        "there is no seed to build it with".to_owned()
    } else if job.seeds.iter().enumerate().any(|(index, seed)| job.seeds[..index].contains(seed)) {
        "a seed is given twice".to_owned()
    } else if !(job.frequency.is_finite() && job.frequency > 0.0) {
        format!("{} MHz is no clock rate", job.frequency)
    } else {
        return Ok(());
    };
    Err(FlowError::Job { top: job.top.clone(), reason })
}

/// All of a job that matters to its result but the design and the seeds.
fn key(job: &Job) -> String {
    format!("{} {:?} {:?} {}", job.top, job.boundary, job.device, job.frequency)
}

/// A tool has done its work when it says so and the file is there: Yosys can end inside ABC9 with status 0.
fn finished(tool: &'static str, job: &Job, run: Run, result: &Path, log: &Path) -> Result<(), FlowError> {
    if run.success && result.is_file() {
        return Ok(());
    }
    Err(FlowError::Tool { tool, top: job.top.clone(), message: run.complaint(), log: log.to_owned() })
}

fn write(path: &Path, text: &str) -> Result<(), FlowError> {
    fs::write(path, text).map_err(|source| FlowError::Io { path: path.to_owned(), source })
}
