//! The bridge's hardware against its reference model.

use hdl::{Native, elaborate};
use rtl::config::Config;
use sim::veb::{Losses, Policy, Report, bench::Bench};
use testbench::traffic::{case, draw, play};

fn native(config: &Config) -> Native {
    let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
    let mut native = Native::new(&design).unwrap();
    // Nothing may depend on what is not reset, or on reads that collide with writes.
    native.poison(1);
    native
}

#[track_caller]
fn assert_agrees(report: &Report) {
    assert_eq!(report.mismatch_count(), 0, "{:#?}", report.mismatches);
}

#[test]
fn random_cases() {
    for (seed, config) in Config::all().into_iter().enumerate() {
        let after_reset = Policy::new(config.wires, config.functions());
        let mut bench = Bench::new(native(&config), &config, &after_reset, Losses::Counted, 1).unwrap();
        for round in 0..4 {
            let case = draw(&case(&config, 300, 400), (10 * seed + round) as u64);
            play(&mut bench, &case).unwrap_or_else(|error| panic!("{} {round}: {error}", config.name));
        }
        assert_agrees(&bench.finish().unwrap());
    }
}
