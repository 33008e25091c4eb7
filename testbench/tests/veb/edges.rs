//! Where rules begin and end.

use super::*;
use testbench::checks::edges;

/// With two wires, so that frames come from one that the other does not get.
fn config() -> Config {
    Config { wires: 2, ..Config::small() }
}

#[test]
fn ports_leave_and_come_back() {
    edges::ports_leave_and_come_back(native(&config()), &config());
}

#[test]
fn reserved_vids_are_no_vlans() {
    edges::reserved_vids_are_no_vlans(native(&config()), &config());
}

#[test]
fn wishes_count_for_functions_alone() {
    edges::wishes_count_for_functions_alone(native(&config()), &config());
}
