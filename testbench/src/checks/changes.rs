//! Changes of the tables.

use super::*;
use crate::{
    shrink::replay,
    traffic::{Case, draw, shape},
};
use proptest::strategy::Strategy;
use rtl::{
    register_map,
    veb::rows::{Operation, Table},
};
use sim::veb::{arbitrary, policy::Change};
use std::ops::Range;

/// Random rows change while random frames come in: each frame sees all of a row as it was, or all of it as it is. Each
/// seed is a case of its own.
///
/// # Errors
/// What is wrong with the case of this seed.
pub fn a_frame_sees_the_old_row_or_the_new<S: Simulator>(
    make: impl Fn() -> S,
    config: &Config,
    cases: &impl Strategy<Value = Case>,
    seeds: Range<u64>,
) -> Result<(), (u64, String)> {
    let mut changes = 0;
    for seed in seeds {
        let text = draw(cases, seed).scenario(config, "");
        changes += text.matches("[[change]]").count();
        match replay(make(), &text) {
            Ok(report) if report.mismatch_count() == 0 => {}
            Ok(report) => return Err((seed, format!("{:#?}", report.mismatches))),
            Err(error) => return Err((seed, error.to_string())),
        }
    }
    assert!(changes > 50, "{}: {changes} changes", config.name);
    Ok(())
}

/// What the tables are told is what they read.
pub fn rows_read_as_they_were_written(sim: impl Simulator, config: &Config) {
    let policy = draw(&arbitrary::policy(shape(config)), 1);
    let after_reset = Policy::new(config.wires, config.functions());
    let mut bench = bench(sim, config, &after_reset, Losses::Forbidden);
    bench.set_policy_that_fits(&policy).unwrap();
    let policy = bench.policy().clone();
    let mut read = after_reset;
    read.wishes = policy.wishes.clone();
    read.filters = policy.filters.clone();
    for change in policy.setup() {
        let data = bench.read_row(&change).unwrap();
        read.apply(&Change { data, ..change });
    }
    assert_eq!(read, policy);
    assert_agrees(&bench.finish().unwrap());
}

/// Entries go into the table until a bucket is full; what was there before stays.
pub fn a_full_bucket_is_an_answer(sim: impl Simulator, config: &Config) {
    let mut policy = open(config);
    let mut bench = bench(sim, config, &policy, Losses::Forbidden);
    let refused = (0..=config.entries).find(|&number| {
        let mut more = policy.clone();
        let [low, high, ..] = number.to_le_bytes();
        more.insert_entry(7, MacAddress::new([0x52, 0x54, 0, 1, high, low]), PortSet::single(2));
        let fits = bench.set_policy(&more).is_ok();
        if fits {
            policy = more;
        }
        !fits
    });
    assert!(refused.is_some_and(|number| number < config.entries), "{refused:?}");
    assert_eq!(*bench.policy(), policy);
    for port in config.wires..config.ports() {
        bench.send(0, frame(0, station(port), 60, port), false);
    }
    bench.run().unwrap();
    let report = bench.finish().unwrap();
    assert_agrees(&report);
    assert!(report.ports[config.wires..].iter().all(|port| port.frames == 1), "{:?}", report.ports);
}

/// Commands and accesses that make no sense are refused, and change nothing.
pub fn bad_accesses_are_refused(sim: impl Simulator, config: &Config) {
    let policy = open(config);
    let mut bench = bench(sim, config, &policy, Losses::Forbidden);
    for address in [0x001, 0x01c, 0x078, 0xffc] {
        assert!(bench.read_register(address).is_err(), "read of {address:#x}");
        assert!(bench.write_register(address, 1).is_err(), "write of {address:#x}");
    }
    let id = register_map::register("ID").offset;
    assert!(bench.write_register(id, 0).is_err());
    assert_eq!(bench.read_register(id).unwrap(), 0x4845_4d31);
    let data = [u32::MAX; 6];
    for (operation, table, index) in [
        (Operation::Write, Table::Port, config.ports()),
        (Operation::Write, Table::Rate, 63),
        (Operation::Write, Table::Multicast, 512),
        (Operation::Write, Table::Mirror, 2),
        (Operation::Write, Table::Ethertype, 8),
        (Operation::Write, Table::Statistics, 0),
        (Operation::Write, Table::Mac, 0),
        (Operation::Insert, Table::Vlan, 1),
        (Operation::Delete, Table::Port, 0),
    ] {
        assert!(
            bench.start_command(operation, table, index, data).is_err(),
            "{operation:?} {table:?} {index}"
        );
    }
    for change in policy.setup() {
        assert_eq!(bench.read_row(&change).unwrap(), change.data, "{change:?}");
    }
    assert_agrees(&bench.finish().unwrap());
}
