//! Random policies, frames and stalls.

use super::*;
use hdl::Simulator;
use std::ops::Range;
use testbench::{checks::random, shrink::explain, traffic::case};

/// Random cases; what fails becomes a small scenario.
fn run<S: Simulator>(sim: impl Fn() -> S, config: &Config, seeds: Range<u64>, frames: usize, longest: usize) {
    let cases = case(config, frames, longest);
    if let Err(wrong) = random::cases(sim(), config, &cases, seeds.clone()) {
        panic!("{}\n{wrong}", explain(config, &cases, seeds, sim));
    }
}

#[test]
fn on_the_native_simulator() {
    for config in Config::all() {
        run(|| native(&config), &config, 0..3, 300, 400);
    }
}

/// What most faults of `testbench/mutation.toml` are found by.
#[test]
fn with_two_wires() {
    let config = Config { wires: 2, ..Config::small() };
    run(|| native(&config), &config, 30..36, 300, 300);
}

#[test]
fn in_verilator() {
    for config in Config::all() {
        run(|| verilated(&config), &config, 10..16, 1000, 1600);
    }
}

/// Few ports, and as many as there can be; a buffer in which long frames find no room.
#[test]
fn at_the_ends_of_the_range() {
    let least = Config { vfs: 0, entries: 16, cells: 16, ..Config::small() };
    let most = Config { wires: 2, vfs: 62, entries: 1024, cells: 64, ..Config::small() };
    for config in [least, most] {
        run(|| native(&config), &config, 20..22, 200, 9700);
    }
}

#[test]
fn reset_in_the_middle_of_traffic() {
    let config = Config::small();
    random::reset_in_the_middle_of_traffic(native(&config), &config);
}

/// More frames than the bridge decides in the time.
#[test]
fn storms_of_short_frames() {
    for config in [Config::small(), Config::x3100()] {
        random::storms(native(&config), &config, 40..43);
    }
}
