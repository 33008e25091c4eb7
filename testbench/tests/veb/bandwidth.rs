//! Rates of functions under overload, over 2 ms on the line.

use super::*;
use sim::scenario::Scenario;
use testbench::checks::bandwidth::{
    Share, few_shares, frames_that_were_let_in, maxima_count_by_all_their_bits, shares,
};

/// What each function of `testbench/data/shares.toml` is to have of the wire, in Mb/s: those with a maximum theirs, the
/// others the rest as 1 : 2 : 3.
fn expected(function: usize) -> f64 {
    match function {
        0..=3 => 7000.0 / 24.0,
        4..=7 => 7000.0 / 12.0,
        8..=11 => 7000.0 / 8.0,
        12 | 13 => 1000.0,
        _ => 500.0,
    }
}

#[test]
fn shares_and_maxima_of_sixteen_functions() {
    let config = Config::x3100();
    let scenario = Scenario::load(concat!(env!("CARGO_MANIFEST_DIR"), "/data/shares.toml")).unwrap();
    let expected: Vec<Share> =
        (0..16).map(|function| Share { rate: expected(function), within: 0.02 }).collect();
    shares(verilated(&config), &config, &scenario, &expected);
}

#[test]
fn shares_and_maxima_of_five_functions() {
    few_shares(verilated(&Config::small()), &Config::small());
}

#[test]
fn maxima_count_bit_by_bit() {
    let config = Config::small();
    maxima_count_by_all_their_bits(verilated(&config), &config);
}

#[test]
fn frames_are_let_in_elsewhere() {
    let config = Config::small();
    frames_that_were_let_in(verilated(&config), &config);
}
