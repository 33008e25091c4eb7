//! Puts single faults into the bridge and sees whether the tests notice: `make mutate`, docs/src/mutation.md.

use clap::Parser;
use hdl::{
    Interface, elaborate,
    interface::{Direction, Port},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread::available_parallelism,
    time::{Duration, Instant},
};
use testbench::mutation::{
    MutationError,
    campaign::{self, BEGINS, Limits, Part},
    data::Data,
    hand,
    judge::{self, Mutants},
    netlist::{self, SELECTOR},
    report::Report,
    root, subject,
};

/// Puts single faults into the bridge and sees whether the tests notice
#[derive(Parser)]
struct Options {
    /// Faults in the netlist
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: u16,
    /// The same seed draws the same faults in the same netlist
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Faults at a time [default: one for each processor]
    #[arg(long)]
    jobs: Option<usize>,
    /// Leave out the faults in the netlist
    #[arg(long)]
    no_netlist: bool,
    /// Leave out the faults in the source
    #[arg(long)]
    no_hand: bool,
    /// Judge only these faults of the netlist, by their numbers
    #[arg(long, value_delimiter = ',')]
    only: Vec<u64>,
    /// Do not try again what was noticed in the last run of this seed: for when checks have been added
    #[arg(long)]
    resume: bool,
    /// Run nothing, and show what the last run came to
    #[arg(long)]
    report: bool,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Put the figures into docs/src/mutation.md
    #[arg(long, conflicts_with_all = ["no_netlist", "no_hand", "only"])]
    write: bool,
    /// Where the netlists and logs go [default: mutation/SEED in the target folder]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Judge one fault that was drawn before, in this process
    #[arg(long, requires = "folder")]
    judge: Option<u64>,
    /// What to do with it: first or all checks, cycles for a comparison with the native simulator, or proof
    #[arg(long, default_value = "checks", requires = "judge")]
    part: String,
    /// Run this check only
    #[arg(long, requires = "judge")]
    check: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.judge {
        Some(fault) => judge_one(&options, fault).map(|()| true),
        None => run(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// For one way to prove that a fault changes nothing.
const PROOF: Duration = Duration::from_secs(180);

/// The bridge's Verilog, and its interface with the selector.
fn design(count: usize) -> (String, Interface) {
    let design = elaborate(|| rtl::veb::veb(&subject())).expect("the bridge elaborates").design;
    let mut interface = design.interface();
    let width = netlist::selector_bits(count);
    let doc = "The fault that is on.".to_owned();
    interface.ports.push(Port { name: SELECTOR.into(), width, direction: Direction::Input, doc });
    (design.verilog().text(), interface)
}

fn judge_one(options: &Options, fault: u64) -> Result<(), MutationError> {
    let folder = options.folder.as_deref().expect("clap requires it");
    let (_, interface) = design(options.count.into());
    if options.part == Part::Proof.name() {
        let faults = netlist::drawn(folder)?;
        let fault = faults.iter().find(|it| it.number == fault);
        let fault = fault.ok_or_else(|| MutationError::Fault("no such fault".into()))?;
        println!("{fault}: proven {}", campaign::is_proven(folder, fault, PROOF)?);
        return Ok(());
    }
    let verilog = netlist::faulty(folder)?;
    let selector = interface.ports.len() - 1;
    let mutants = Mutants { verilog: &verilog, interface: &interface, selector, fault };
    if options.part == Part::Cycles.name() {
        judge::compare_cycles(&mutants);
    } else {
        let first = (options.part == Part::First.name()).then_some(judge::CHECKS[0].name);
        judge::judge(&mutants, options.check.as_deref().or(first), |check| println!("{BEGINS}{check}"));
    }
    Ok(())
}

fn run(options: &Options) -> Result<bool, MutationError> {
    let start = Instant::now();
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |name| root().join(name));
    let folder = options.folder.clone().unwrap_or_else(|| target.join(format!("mutation/{}", options.seed)));
    fs::create_dir_all(&folder).map_err(|error| MutationError::File { path: folder.clone(), error })?;
    let data = Data::load()?;
    let mut report = Report::new(options.seed, data.survivor.clone());
    let last = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    if options.report {
        report.netlist = serde_json::from_str(&last("outcomes.json")).unwrap_or_default();
        report.hand = serde_json::from_str(&last("hand.json")).unwrap_or_default();
    } else if !options.no_netlist {
        netlist_faults(options, &folder, &data, &mut report)?;
    }
    if !options.report && !options.no_hand {
        report.hand = hand::run(&target.join("mutation"), &data.hand, |outcome| {
            eprintln!("{outcome}");
        })?;
        keep(&folder.join("hand.json"), &report.hand)?;
    }
    report.seconds = start.elapsed().as_secs();
    println!("{}", if options.json { report.json() } else { report.text() });
    if options.write {
        report.write()?;
    }
    Ok(report.passed())
}

fn netlist_faults(
    options: &Options,
    folder: &Path,
    data: &Data,
    report: &mut Report,
) -> Result<(), MutationError> {
    let count = options.count.into();
    let (verilog, interface) = design(count);
    let mut faults = netlist::draw(folder, &verilog, &interface.name, count, options.seed)?;
    faults.retain(|fault| options.only.is_empty() || options.only.contains(&fault.number));
    let last = folder.join("outcomes.json");
    let known = match fs::read_to_string(&last) {
        Ok(text) if options.resume => serde_json::from_str(&text).unwrap_or_default(),
        _ => vec![],
    };
    let limits = Limits {
        jobs: options.jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
        run: Duration::from_secs(600),
        proof: PROOF,
    };
    report.netlist = campaign::run(folder, &faults, &known, &data.survivor, &limits, |outcome| {
        eprintln!("{}", Report::line(outcome, count));
    })?;
    keep(&last, &report.netlist)
}

fn keep(path: &Path, outcomes: &impl serde::Serialize) -> Result<(), MutationError> {
    let text = serde_json::to_string(outcomes).expect("outcomes are plain data");
    fs::write(path, text).map_err(|error| MutationError::File { path: path.to_owned(), error })
}
