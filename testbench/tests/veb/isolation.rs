//! A port that is dead must not be felt by the others.

use super::*;
use testbench::checks::isolation;

#[test]
fn a_dead_function_is_not_felt() {
    for config in [Config::small(), Config::x3100()] {
        isolation::a_dead_function_is_not_felt(|| verilated(&config), &config);
    }
}

/// Ports that take nothing fill the buffer from the wire, and the reserve stays free: functions go on.
#[test]
fn the_dead_do_not_use_up_the_reserve() {
    let config = Config::small();
    isolation::the_dead_do_not_use_up_the_reserve(native(&config), &config);
}

/// No more and no less than the manager allows.
#[test]
fn stalled_ports_hold_their_limit_or_share() {
    let config = Config::small();
    isolation::stalled_ports_hold_their_limit_or_share(|| native(&config), &config);
}

#[test]
fn congested_ports_are_waited_for_while_they_live() {
    let config = Config::small();
    isolation::congested_ports_are_waited_for_while_they_live(|| native(&config), &config);
}

#[test]
fn storms_on_stalled_ports() {
    for config in [Config::small(), Config::x3100()] {
        isolation::storms_on_stalled_ports(|| native(&config), &config);
    }
}

#[test]
fn congestion_begins_where_it_is_set() {
    let config = Config::small();
    isolation::congestion_begins_where_it_is_set(native(&config), &config);
}
