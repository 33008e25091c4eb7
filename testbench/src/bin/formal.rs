//! The proofs: `make formal`, or `cargo run -p testbench --bin formal -- --help`.

use clap::Parser;
use rtl::formal::{Proof, proofs};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use testbench::formal::{
    Caught, FormalError, Outcome, Report, Sby, Source, broken::BROKEN, caught, check_all, source,
};

/// Prove what `rtl::formal` claims of the hardware, with SymbiYosys
///
/// Exit status: 0 if everything holds, 1 if something does not or no answer was found in time, 2 for an error.
#[derive(Parser)]
#[command(name = "formal", max_term_width = 110)]
struct Arguments {
    /// Only proofs whose names start so, such as buffer/
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// Only those that `make test` runs too
    #[arg(long)]
    short: bool,
    /// Seconds that each run of SymbiYosys may take
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    limit: u64,
    /// Proofs at a time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Where to work; Verilog, logs and waveforms stay there
    #[arg(long, value_name = "FOLDER", default_value = "target/formal")]
    out: PathBuf,
    /// Try so many single faults in the hardware of each proof instead: each proof must catch one at least
    #[arg(long, value_name = "COUNT", conflicts_with = "json")]
    faults: Option<usize>,
    /// Break what each claim is about instead: each proof must be refuted
    #[arg(long, conflicts_with_all = ["json", "faults"])]
    broken: bool,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// A line of the result.
#[derive(Serialize)]
struct Line {
    name: String,
    claim: String,
    size: String,
    /// How far the proof reaches.
    reach: String,
    verdict: String,
    seconds: f64,
    #[serde(skip)]
    holds: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen = |proof: &Proof| proof.name.starts_with(&arguments.only) && (proof.short || !arguments.short);
    let proofs: Vec<Proof> = proofs().into_iter().filter(chosen).collect();
    if proofs.is_empty() {
        eprintln!("error: no proof has a name that starts with `{}`", arguments.only);
        return ExitCode::from(2);
    }
    match run(&arguments, &proofs) {
        Ok(holds) => ExitCode::from(u8::from(!holds)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Tries all proofs, several at a time, and tells whether all hold.
fn run(arguments: &Arguments, proofs: &[Proof]) -> Result<bool, FormalError> {
    let sby = Sby::find(Path::new("."))?;
    let sources = proofs.iter().map(source).collect::<Result<Vec<_>, _>>()?;
    if let Some(count) = arguments.faults {
        return faults(arguments, &sby, &sources, count);
    }
    if arguments.broken {
        return broken(arguments, &sby, &sources);
    }
    let limit = Duration::from_secs(arguments.limit);
    let done = |source: &Source, report: &Report| {
        if !arguments.json {
            println!("{}", row(&line(source, report)));
        }
    };
    let reports = check_all(&sby, &sources, &arguments.out, limit, arguments.jobs.into(), &done)?;
    let lines: Vec<Line> =
        sources.iter().zip(&reports).map(|(source, report)| line(source, report)).collect();
    let holds = lines.iter().all(|line| line.holds);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&lines).expect("all keys are strings"));
    } else {
        let held = lines.iter().filter(|line| line.holds).count();
        println!("{held} of {} hold; logs and waveforms are in {}", lines.len(), arguments.out.display());
    }
    Ok(holds)
}

/// Tries faults, and tells whether each proof catches one.
fn faults(arguments: &Arguments, sby: &Sby, sources: &[Source], count: usize) -> Result<bool, FormalError> {
    let mut all = true;
    for source in sources {
        let folder = arguments.out.join(source.folder());
        let limit = Duration::from_secs(arguments.limit);
        let Caught { caught, undecided, missed } = caught(sby, source, &folder, count, limit)?;
        let name = &source.name;
        println!("{name:<34} {caught} caught, {} passed, {undecided} undecided", missed.len());
        missed.iter().for_each(|line| println!("    passed: {line}"));
        all &= caught > 0;
    }
    Ok(all)
}

/// Breaks hardware, and tells whether that is always refuted.
fn broken(arguments: &Arguments, sby: &Sby, sources: &[Source]) -> Result<bool, FormalError> {
    let mut all = true;
    for source in sources {
        for fault in BROKEN.iter().filter(|fault| fault.proof == source.name) {
            let folder = arguments.out.join(source.folder());
            let outcome = fault.tried(sby, source, &folder, Duration::from_secs(arguments.limit))?;
            println!("{outcome:?} {}: {} instead of {}", source.name, fault.wrong, fault.right);
            all &= matches!(outcome, Outcome::Fail | Outcome::Unknown);
        }
    }
    Ok(all)
}

fn line(source: &Source, report: &Report) -> Line {
    Line {
        name: source.name.clone(),
        claim: source.claim.clone(),
        size: source.size.clone(),
        reach: source.method.to_string(),
        verdict: report.verdict().to_owned(),
        seconds: (report.time.as_secs_f64() * 10.0).round() / 10.0,
        holds: report.holds(),
    }
}

fn row(line: &Line) -> String {
    let Line { name, claim, size, reach, verdict, seconds, .. } = line;
    format!("{verdict:<8} {name:<34} {reach:<14} {seconds:>7.1} s  {claim} ({size})")
}
