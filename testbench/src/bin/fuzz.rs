//! The long run of the language's fuzzer: `cargo run -p testbench --release --bin fuzz -- --help`.

use clap::Parser;
use std::{process::ExitCode, thread::available_parallelism, time::Instant};
use testbench::fuzz::{
    Options,
    check::{Checker, Engine},
    run,
};

/// Random hardware in the native simulator, Verilator, Icarus and plain Rust: all must agree.
#[derive(Parser)]
struct Arguments {
    /// How many random expressions.
    #[arg(long, default_value_t = 100_000)]
    expressions: usize,
    /// How many random modules.
    #[arg(long, default_value_t = 1_000)]
    modules: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Go on behind so many batches: the lines that a run of the same options printed before it was stopped, less one
    /// for each of its threads, which may have finished out of order.
    #[arg(long, default_value_t = 0)]
    done: usize,
    /// Cycles of each run.
    #[arg(long, default_value_t = 64)]
    cycles: usize,
    /// Simulators to compare with plain Rust.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["native", "verilator", "icarus"])]
    engines: Vec<Name>,
    /// How many models to build and run at a time [default: one for each processor].
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Name {
    Native,
    Verilator,
    Icarus,
}

fn main() -> ExitCode {
    let Arguments { expressions, modules, seed, done, cycles, engines, threads } = Arguments::parse();
    let engine = |name: Name| match name {
        Name::Native => Engine::Native,
        Name::Verilator => Engine::Verilator,
        Name::Icarus => Engine::Icarus,
    };
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("no temporary folder: {error}");
            return ExitCode::FAILURE;
        }
    };
    let checker = Checker {
        engines: engines.into_iter().map(engine).collect(),
        cycles: cycles.max(2),
        seed,
        batch: (60, 25),
        threads: threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
        cache: Some(folder.path().to_owned()),
        mutation: None,
    };
    let start = Instant::now();
    let outcome = run(&Options { expressions, modules, seed, done }, &checker, |stats| {
        let seconds = start.elapsed().as_secs();
        let (expressions, modules) = (stats.expressions, stats.modules);
        eprintln!("{expressions} expressions, {modules} modules, {} values, {seconds} s", stats.comparisons);
    });
    match outcome {
        Ok(outcome) => {
            outcome.findings.iter().for_each(|finding| println!("{finding}"));
            println!(
                "{} expressions, {} modules, {} values compared, {} differences, {} s",
                outcome.stats.expressions,
                outcome.stats.modules,
                outcome.stats.comparisons,
                outcome.findings.len(),
                start.elapsed().as_secs()
            );
            if outcome.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
