//! Changes of the tables.

use super::*;
use hdl::Simulator;
use std::ops::Range;
use testbench::{checks::changes, shrink::explain, traffic::changing_case};

/// Random rows change while random frames come in; what fails becomes a small scenario.
fn run<S: Simulator>(sim: impl Fn() -> S, config: &Config, seeds: Range<u64>) {
    let cases = changing_case(config, 2500, 300);
    if let Err((seed, wrong)) = changes::a_frame_sees_the_old_row_or_the_new(&sim, config, &cases, seeds) {
        panic!("{} {seed}: {}\n{wrong}", config.name, explain(config, &cases, [seed], sim));
    }
}

#[test]
fn a_frame_sees_the_old_row_or_the_new() {
    for config in [Config::small(), Config::x3100()] {
        run(|| verilated(&config), &config, 210..213);
    }
}

#[test]
fn a_frame_sees_the_old_row_or_the_new_natively() {
    let config = Config::small();
    run(|| native(&config), &config, 201..202);
}

/// What the tables are told is what they read.
#[test]
fn rows_read_as_they_were_written() {
    for config in [Config::small(), Config { vfs: 62, wires: 2, ..Config::small() }] {
        changes::rows_read_as_they_were_written(native(&config), &config);
    }
}

/// Entries go into the table until a bucket is full; what was there before stays.
#[test]
fn a_full_bucket_is_an_answer() {
    let config = Config { entries: 16, ..Config::small() };
    changes::a_full_bucket_is_an_answer(native(&config), &config);
}

/// Commands and accesses that make no sense are refused, and change nothing.
#[test]
fn bad_accesses_are_refused() {
    let config = Config::small();
    changes::bad_accesses_are_refused(native(&config), &config);
}
