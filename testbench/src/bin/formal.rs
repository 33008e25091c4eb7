//! The proofs: `make formal`, or `cargo run -p testbench --release --bin formal -- --help`.

use clap::Parser;
use rtl::formal::proofs;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use testbench::formal::{Sby, check};

/// Prove what `rtl::formal` claims about the hardware
#[derive(Parser)]
struct Arguments {
    /// Only proofs whose name starts so.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// Only those that `make test` runs too.
    #[arg(long)]
    short: bool,
    /// Seconds that a run of SymbiYosys may take.
    #[arg(long, default_value_t = 1200)]
    limit: u64,
    #[arg(long)]
    induction: Option<u32>,
    #[arg(long)]
    bounded: Option<u32>,
    /// Where to work; the logs and waveforms stay there.
    #[arg(long, value_name = "FOLDER", default_value = "target/formal")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let sby = Sby::find(Path::new(".")).unwrap();
    for proof in &mut proofs().into_iter().filter(|proof| proof.name.starts_with(&arguments.only)) {
        let mut proof = proof;
        if let Some(n) = arguments.induction {
            proof.method = rtl::formal::Method::Induction(n)
        }
        if let Some(n) = arguments.bounded {
            proof.method = rtl::formal::Method::Bounded(n)
        }
        let proof = &proof;
        let folder = arguments.out.join(proof.name.replace('/', "_"));
        let report = check(&sby, proof, &folder, Duration::from_secs(arguments.limit));
        match report {
            Ok(report) => println!("{} {report:?}", proof.name),
            Err(error) => println!("{} {error}", proof.name),
        }
    }
    ExitCode::SUCCESS
}
