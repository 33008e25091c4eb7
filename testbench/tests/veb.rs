//! The bridge's hardware against its reference model.

use hdl::{Native, elaborate};
use rtl::config::Config;
use sim::{
    ethernet::{FrameBuilder, MacAddress, VlanTag},
    random::Random,
    veb::{
        Losses, PortSet, Report, Tables,
        bench::{Behaviour, Bench},
    },
};

fn native(config: &Config) -> Native {
    let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
    Native::new(&design).unwrap()
}

fn station(number: usize) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0, 0, 0, number as u8])
}

/// VLAN 1 with all ports, VLAN 2 with the even ones; station `n` at port `n` in both.
fn tables(config: &Config) -> Tables {
    let ports = config.ports();
    let mut tables = Tables::new(ports);
    tables.set_members(1, PortSet::first(ports));
    tables.set_members(2, (0..ports).step_by(2).collect());
    for port in 0..ports {
        tables.insert_entry(1, station(port), PortSet::single(port));
        tables.insert_entry(2, station(port), PortSet::single(port));
    }
    tables.set_default_ports(PortSet::single(0));
    tables
}

/// A frame between random stations, tagged or not, sometimes to a group or to nobody.
fn frame(random: &mut Random, config: &Config, longest: usize) -> Vec<u8> {
    let ports = config.ports();
    let destination = match random.below(8) {
        0 => MacAddress::new([0xff; 6]),
        1 => MacAddress::new([1, 0, 0x5e, 0, 0, random.below(4) as u8]),
        2 => station(200),
        _ => station(random.below(ports)),
    };
    let mut builder = FrameBuilder::new(destination, station(random.below(ports)));
    if random.chance(50) {
        builder = builder.tag(VlanTag { vid: *random.pick(&[0, 1, 2, 3, 4095]), ..Default::default() });
    }
    let any = 18 + random.below(longest - 18);
    let length = *random.pick(&[18, 59, 60, 61, 64, 65, 127, 128, 129, any]);
    let payload: Vec<u8> = (0..length).map(|_| random.word() as u8).collect();
    builder.payload(payload).build_with_length(length)
}

fn random_traffic(config: &Config, seed: u64, frames: usize, losses: Losses, behaviour: &[Behaviour]) -> Report {
    let mut bench = Bench::new(native(config), config, &tables(config), losses, seed).unwrap();
    let mut random = Random::new(seed);
    for (port, behaviour) in behaviour.iter().enumerate() {
        bench.set_behaviour(port, *behaviour);
    }
    for _ in 0..frames {
        let mut bytes = frame(&mut random, config, 400);
        let error = random.chance(5);
        if random.chance(5) {
            bytes.truncate(1 + random.below(20));
        }
        bench.send(random.below(config.ports()), bytes, error);
    }
    bench.run().unwrap();
    let free = bench.read_register(rtl::veb::registers::address::FREE_CELLS).unwrap();
    let report = bench.finish().unwrap();
    if behaviour.iter().all(|behaviour| behaviour.stall < 100) {
        assert_eq!(free as usize, config.cells, "cells leak");
    }
    report
}

#[track_caller]
fn assert_agrees(report: &Report) {
    assert_eq!(report.mismatch_count(), 0, "{:#?}", report.mismatches);
}

#[test]
fn free_outputs_lose_nothing() {
    for config in Config::all() {
        let report = random_traffic(&config, 1, 2000, Losses::Forbidden, &[]);
        assert_agrees(&report);
        assert!(report.ports.iter().all(|port| port.frames > 10), "{:?}", report.ports);
    }
}
