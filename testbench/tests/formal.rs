//! The proofs that are quick; `make formal` has them all. These tests need the tools that `make setup` installs.

use rtl::formal::proofs;
use std::{collections::HashSet, path::Path, time::Duration};
use testbench::formal::{Outcome, Report, Sby, Source, broken::BROKEN, caught, check_all, source};

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

/// What a proof is about, broken: it fails. `make formal ARGS=--broken` tries those of the long proofs, too.
#[test]
fn broken_hardware_is_refuted() {
    let folder = tempfile::tempdir().unwrap();
    let sby = sby();
    let short = sources(|proof| proof.short);
    for (index, broken) in BROKEN.iter().enumerate() {
        if let Some(source) = short.iter().find(|source| source.name == broken.proof) {
            let outcome = broken.tried(&sby, source, &folder.path().join(index.to_string()), LIMIT).unwrap();
            assert!(matches!(outcome, Outcome::Fail | Outcome::Unknown), "{broken:?}: {outcome:?}");
        }
    }
}

/// Single faults make proofs fail, of each kind of claim.
#[test]
fn faults_are_caught() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["contract/fifo", "arbiter/round_robin", "buffer/two_cells", "buffer/references", "decision/queues"]
    {
        let source = &sources(|proof| proof.name == name)[0];
        let result = caught(&sby(), source, &folder.path().join(source.folder()), 2, LIMIT).unwrap();
        assert!(result.caught > 0, "{name}: {result:?}");
    }
}

/// All proofs can be built, under names of their own, and have what is to be broken in them.
#[test]
fn every_proof_has_its_design() {
    let sources = sources(|_| true);
    for broken in BROKEN {
        let source = sources.iter().find(|source| source.name == broken.proof).expect(broken.proof);
        assert!(source.replace(broken.right, broken.wrong).is_some(), "{broken:?}");
    }
    let names: HashSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names.len(), sources.len());
}
