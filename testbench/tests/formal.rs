//! The proofs that are quick; `make formal` has them all. These tests need the tools that `make setup` installs.

use rtl::formal::proofs;
use std::{collections::HashSet, path::Path, time::Duration};
use testbench::formal::{Report, Sby, Source, caught, check_all, source};

/// Far beyond what each takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

fn sby() -> Sby {
    Sby::find(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|error| panic!("{error}"))
}

fn sources(chosen: impl Fn(&rtl::formal::Proof) -> bool) -> Vec<Source> {
    let proofs = proofs().into_iter().filter(chosen);
    proofs.map(|proof| source(&proof).unwrap_or_else(|error| panic!("{error}"))).collect()
}

#[test]
fn every_short_proof_holds() {
    let folder = tempfile::tempdir().unwrap();
    let sources = sources(|proof| proof.short);
    let show = |source: &Source, report: &Report| println!("{}: {report:?}", source.name);
    let reports = check_all(&sby(), &sources, folder.path(), LIMIT, 2, &show).unwrap();
    let failed: Vec<_> = sources.iter().zip(&reports).filter(|(_, report)| !report.holds()).collect();
    let failed: Vec<_> = failed.iter().map(|(source, report)| (&source.name, report)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(reports.len() >= 25, "{} proofs", reports.len());
}

/// Faults in the hardware make proofs fail: a property of each kind, two faults each.
#[test]
fn faults_are_caught() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "contract/fifo",
        "arbiter/round_robin",
        "buffer/two_cells",
        "buffer/references",
        "decision/forwarding",
    ];
    for source in sources(|proof| names.contains(&proof.name.as_str())) {
        let result = caught(&sby(), &source, &folder.path().join(source.folder()), 2, LIMIT).unwrap();
        assert!(result.caught > 0, "{}: {result:?}", source.name);
    }
}

/// All proofs can be built, under names of their own.
#[test]
fn every_proof_has_its_design() {
    let sources = sources(|_| true);
    let names: HashSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names.len(), sources.len());
}
