//! Changes of the tables.

use super::*;
use rtl::{
    register_map,
    veb::rows::{Operation, Table},
};
use sim::veb::{arbitrary, policy::Change};
use testbench::{
    shrink::{explain, replay},
    traffic::{changing_case, draw, shape},
};

/// Random rows change while random frames come in: each frame sees all of a row as it was, or all of it as it is.
#[test]
fn a_frame_sees_the_old_row_or_the_new() {
    for config in [Config::small(), Config::x3100()] {
        let cases = changing_case(&config, 2500, 300);
        let mut changes = 0;
        for seed in 200..203 {
            let text = draw(&cases, seed).scenario(&config, "");
            changes += text.matches("[[change]]").count();
            let wrong = match replay(verilated(&config), &text) {
                Ok(report) if report.mismatch_count() == 0 => continue,
                Ok(report) => format!("{:#?}", report.mismatches),
                Err(error) => error.to_string(),
            };
            let small = explain(&config, &cases, [seed], || verilated(&config));
            panic!("{} {seed}: {small}\n{wrong}", config.name);
        }
        assert!(changes > 100, "{}: {changes} changes", config.name);
    }
}

/// What the tables are told is what they read.
#[test]
fn rows_read_as_they_were_written() {
    for config in [Config::small(), Config { vfs: 62, wires: 2, ..Config::small() }] {
        let policy = draw(&arbitrary::policy(shape(&config)), 1);
        let after_reset = Policy::new(config.wires, config.functions());
        let mut bench = bench(&config, &after_reset, Losses::Forbidden);
        bench.set_policy_that_fits(&policy).unwrap();
        let policy = bench.policy().clone();
        let mut read = after_reset;
        read.wishes = policy.wishes.clone();
        for change in policy.setup() {
            let data = bench.read_row(&change).unwrap();
            read.apply(&Change { data, ..change });
        }
        assert_eq!(read, policy);
        assert_agrees(&bench.finish().unwrap());
    }
}

/// Entries go into the table until a bucket is full; what was there before stays.
#[test]
fn a_full_bucket_is_an_answer() {
    let config = Config { entries: 16, ..Config::small() };
    let mut policy = open(&config);
    let mut bench = bench(&config, &policy, Losses::Forbidden);
    let refused = (0..200).find(|&number| {
        let mut more = policy.clone();
        more.insert_entry(7, station(100 + number), PortSet::single(2));
        let fits = bench.set_policy(&more).is_ok();
        if fits {
            policy = more;
        }
        !fits
    });
    assert!(refused.is_some_and(|number| number < 16), "{refused:?}");
    assert_eq!(*bench.policy(), policy);
    for port in 1..config.ports() {
        bench.send(0, frame(0, station(port), 60, port), false);
    }
    bench.run().unwrap();
    let report = bench.finish().unwrap();
    assert_agrees(&report);
    assert!(report.ports[1..].iter().all(|port| port.frames == 1), "{:?}", report.ports);
}

/// Commands and accesses that make no sense are refused, and change nothing.
#[test]
fn bad_accesses_are_refused() {
    let config = Config::small();
    let policy = open(&config);
    let mut bench = bench(&config, &policy, Losses::Forbidden);
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
