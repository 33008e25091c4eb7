//! Changes of the tables.

use super::*;
use testbench::checks::changes;

/// Random rows change while random frames come in: each frame sees all of a row as it was, or all of it as it is.
#[test]
fn a_frame_sees_the_old_row_or_the_new() {
    for config in [Config::small(), Config::x3100()] {
        changes::a_frame_sees_the_old_row_or_the_new(|| verilated(&config), &config, 0..6);
    }
}

#[test]
fn a_frame_sees_the_old_row_or_the_new_natively() {
    let config = Config::small();
    changes::a_frame_sees_the_old_row_or_the_new(|| native(&config), &config, 6..7);
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
