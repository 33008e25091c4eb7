//! Rates, lengths and latency.

use super::*;
use testbench::checks::data_path;

/// With all cells used several times over, and measured from the middle on.
#[test]
fn a_beat_moves_in_every_cycle() {
    let small = Config { cells: 512, ..Config::small() };
    let x3100 = Config { cells: 1024, ..Config::x3100() };
    for config in [small, x3100] {
        data_path::a_beat_moves_in_every_cycle(|| native(&config), &config);
    }
}

/// Tags cost nothing where they cost no beat: frames of 60 bytes that leave with 64.
#[test]
fn tags_cost_no_cycles() {
    let config = Config { cells: 512, ..Config::small() };
    data_path::tags_cost_no_cycles(|| native(&config), &config);
}

/// Each length that there is, from each kind of port to each other kind, as it came and with a tag more or less.
#[test]
fn every_length_from_every_kind_of_port_to_every_other() {
    let config = Config { cells: 1024, ..Config::small() };
    let lengths = (60..=1600).chain([1700, 2047, 2048, 4095, 4096, 9000, 9599, 9600, 9614, 9618, 9622, 9623]);
    data_path::every_length_from_every_kind_of_port_to_every_other(verilated(&config), &config, lengths);
}

/// How long a frame takes through an empty bridge, from its last beat in to its first beat out.
#[test]
fn latency() {
    for config in [Config::small(), Config::x3100()] {
        data_path::latency(native(&config), &config);
    }
}

/// The manager learns where a frame came in, and sends past all rules.
#[test]
fn the_managers_frames() {
    let config = Config::small();
    data_path::the_managers_frames(native(&config), &config);
}
