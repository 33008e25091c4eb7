//! The manager's bus and what is behind it.

use super::*;
use testbench::checks::{keys, registers};

#[test]
fn every_address() {
    let config = Config::small();
    registers::every_address(native(&config), &config);
}

#[test]
fn responses_wait() {
    let config = Config::small();
    registers::responses_wait(native(&config), &config);
}

#[test]
fn every_command() {
    let config = Config::small();
    registers::every_command(native(&config), &config);
}

/// With random values in all memories before reset.
#[test]
fn rows_hold_until_reset() {
    for config in [Config::small(), Config { wires: 2, vfs: 62, ..Config::small() }] {
        registers::rows_hold_until_reset(native(&config), &config);
    }
}

/// A difference in any bit is another address, another VLAN, another type.
#[test]
fn keys_count_by_all_their_bits() {
    for config in [Config::small(), Config::x3100()] {
        keys::keys_count_by_all_their_bits(native(&config), &config);
    }
}
