//! The endpoint's hardware below a host.

mod throughput;

use rtl::{config::Config, pcie::space::Personality};
use sim::pcie::host::Fault;
use testbench::{
    endpoint::{Plan, Report, fuzz, fuzz::Tally, run, scene::Setting},
    models,
};

/// The endpoint with virtual functions, below a port without ARI.
const VIRTUAL: Setting = Setting { personality: Personality::SrIov, alternative_routing: false };

fn nine() -> Config {
    Config { name: "nine", vfs: 9, ..Config::small() }
}

/// Runs a plan.
fn soak(config: &Config, plan: &Plan) -> Report {
    let report = run(models::endpoint(config).unwrap(), config, plan)
        .unwrap_or_else(|error| panic!("{}: {error}", plan.seed));
    println!("{}: {report:?}", plan.seed);
    report
}

/// Everything at once, without faults of the host: every command of a function that is not reset ends well.
#[test]
fn all_kinds_of_traffic() {
    let legacy = Setting { personality: Personality::Multifunction(4), alternative_routing: false };
    for (seed, setting) in [VIRTUAL, VIRTUAL, legacy].into_iter().enumerate() {
        let plan = Plan { nonsense: 20, ..Plan::of(seed as u64, setting, 8000) };
        let report = soak(&Config::small(), &plan);
        assert_eq!(report.failures, 0);
        let Report { reads, writes, interrupts, accesses, nonsense, .. } = report;
        assert!(reads.min(writes) > 100 && interrupts.min(accesses).min(nonsense) > 10, "{report:?}");
    }
}

/// Resets of functions under load: nobody else loses anything. Virtual functions are on the next bus.
#[test]
fn a_storm_of_resets() {
    for seed in 20..22 {
        let report = soak(&nine(), &Plan { resets: 60, ..Plan::of(seed, VIRTUAL, 12_000) });
        // 100 microseconds at 156.25 MHz.
        assert!(report.resets.count() > 40 && report.resets.longest() < 15_625, "{report:?}");
    }
}

/// Resets of functions disturb nobody else; the host makes every fault.
#[test]
fn resets_and_faults() {
    for seed in 10..14 {
        let faults = Fault::ALL.map(|fault| (fault, 4)).to_vec();
        let plan = Plan { faults, resets: 6, nonsense: 10, ..Plan::of(seed, VIRTUAL, 8000) };
        let report = soak(&Config::small(), &plan);
        assert!(report.resets.count() > 2 && report.failures > 5, "{report:?}");
    }
}

/// No credits of a class for thousands of cycles: what has none waits, the others go on.
#[test]
fn droughts_of_credits() {
    for seed in 30..34 {
        let report = soak(&Config::small(), &Plan { droughts: 20, ..Plan::of(seed, VIRTUAL, 8000) });
        assert!(report.failures == 0 && report.droughts.iter().all(|count| *count > 2), "{report:?}");
    }
}

/// Virtual functions vanish under load, by their enable and by a reset of the physical function, and come back, as many or
/// others; with ARI on this bus, without it on this or the next one.
#[test]
fn virtual_functions_vanish_under_load() {
    for (seed, alternative_routing) in [(40, false), (41, true), (42, false)] {
        let setting = Setting { alternative_routing, ..VIRTUAL };
        let plan = Plan { vanishings: 6, resets: 2, ..Plan::of(seed, setting, 16_000) };
        let report = soak(&nine(), &plan);
        assert!(report.enables > 3 && report.physical_resets > 0 && report.refusals > 3, "{report:?}");
    }
}

/// Functions sleep in D3hot or lose Bus Master Enable under load: their commands end, nothing of theirs is sent, and they go
/// on afterwards.
#[test]
fn functions_fall_silent_under_load() {
    for seed in 50..53 {
        let plan = Plan { silences: 10, ..Plan::of(seed, VIRTUAL, 12_000) };
        let report = soak(&Config::small(), &plan);
        assert!(report.sleeps > 2 && report.masters > 2 && report.failures > 2, "{report:?}");
    }
}

/// Packets of every kind, most of them bad: each is answered as the reference completer does it, every function shows the errors
/// that there were, and all others are answered as before.
#[test]
fn bad_packets_have_their_answers() {
    let legacy = Setting { personality: Personality::Multifunction(4), alternative_routing: false };
    let mut all = Tally::default();
    for (seed, config, setting) in [(60, nine(), VIRTUAL), (61, Config::small(), legacy)] {
        let tally = fuzz(models::endpoint(&config).unwrap(), &config, setting, seed, 3000)
            .unwrap_or_else(|difference| panic!("{seed}: {difference}"));
        println!("{seed}: {tally}");
        all.add(tally);
    }
    // Successful, Unsupported Request, Completer Abort; and every kind of error.
    assert!(all.completions.len() == 3 && all.completions.values().all(|count| *count > 20), "{all}");
    assert!(all.faults.len() == 7 && all.messages > 50 && all.logs > 50, "{all}");
}
