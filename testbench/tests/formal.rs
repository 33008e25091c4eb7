//! The proofs that are quick; `make formal` has them all. These tests need the tools that `make setup` installs.

use rtl::formal::proofs;
use std::{collections::HashSet, path::Path, time::Duration};
use testbench::formal::{Outcome, Report, Sby, Source, caught, check, check_all, source};

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

/// What is broken in the emitted hardware, and what takes its place.
const BROKEN: [(&str, &str, &str); 7] = [
    // A gate forgets the frame that it let in.
    ("contract/gate", "allowed || open", "open"),
    // Entries of other ports do.
    ("decision/classifier", "known_source_is_group || !owns_source", "known_source_is_group"),
    // Ports send into VLANs that they are no members of.
    ("decision/classifier", "!vid_exists || !is_member", "!vid_exists"),
    // Frames go to ports of other VLANs.
    ("decision/forwarding", "policy_egress & (facts_members | policy_all_vlans)", "policy_egress"),
    // A reset of the physical function stops the manager, too.
    ("isolation/resets", "waiting | absent", "waiting | own_reset"),
    // A stopped function answers.
    ("isolation/base_addresses", "answers_q && enabled && !is_silent", "answers_q && enabled"),
    // The first virtual function reads in another name than its own.
    ("isolation/names_of_reads", "(piece_function >= 2'd2)", "(piece_function > 2'd2)"),
];

/// What a proof is about, broken: it fails.
#[test]
fn broken_hardware_is_refuted() {
    let folder = tempfile::tempdir().unwrap();
    let sby = sby();
    for (index, (name, right, wrong)) in BROKEN.into_iter().enumerate() {
        let sources = sources(|proof| proof.name == name);
        let broken = sources[0].replace(right, wrong).unwrap_or_else(|| panic!("{name} has no `{right}`"));
        let report = check(&sby, &broken, &folder.path().join(index.to_string()), LIMIT).unwrap();
        // A step of induction fails, or the assertion itself.
        assert!(matches!(report.proven, Outcome::Fail | Outcome::Unknown), "{name}, {wrong}: {report:?}");
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

/// All proofs can be built, under names of their own.
#[test]
fn every_proof_has_its_design() {
    let sources = sources(|_| true);
    let names: HashSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names.len(), sources.len());
}
