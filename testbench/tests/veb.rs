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

fn random_traffic(
    config: &Config,
    seed: u64,
    frames: usize,
    losses: Losses,
    behaviour: &[Behaviour],
) -> Report {
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
    // What waits at a port that was dead all the time comes out now.
    for (port, behaviour) in behaviour.iter().enumerate() {
        bench.set_behaviour(port, Behaviour { stall: 0, ..*behaviour });
    }
    bench.run().unwrap();
    let free = bench.read_register(rtl::veb::registers::address::FREE_CELLS).unwrap();
    assert_eq!(free as usize, config.cells, "cells leak");
    bench.finish().unwrap()
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

#[test]
fn random_stalls_and_pauses() {
    for (seed, config) in Config::all().into_iter().enumerate() {
        let mut random = Random::new(seed as u64);
        let behaviour: Vec<Behaviour> = (0..config.ports())
            .map(|_| Behaviour { pause: *random.pick(&[0, 10, 80]), stall: *random.pick(&[0, 30, 95]) })
            .collect();
        let report = random_traffic(&config, seed as u64, 3000, Losses::Counted, &behaviour);
        assert_agrees(&report);
    }
}

#[test]
fn a_dead_port_stops_nobody() {
    let config = Config::small();
    // Ports that pause: every copy of a group frame is read on its own, and all copies together must fit.
    let alive = vec![Behaviour { pause: 95, stall: 0 }; config.ports()];
    let mut behaviour = alive.clone();
    behaviour[3].stall = 100;
    let report = random_traffic(&config, 7, 6000, Losses::Counted, &behaviour);
    assert_agrees(&report);
    let lost: u64 = report.drops.iter().find(|(reason, _)| reason.name() == "queue_full").unwrap().1;
    assert!(lost > 500, "the dead port's queue must overflow: {lost}");
    // Nobody else loses anything: the same run without the dead port delivers as much to every other port.
    let free = random_traffic(&config, 7, 6000, Losses::Forbidden, &alive);
    assert_agrees(&free);
    for port in (0..config.ports()).filter(|port| *port != 3) {
        assert_eq!(report.ports[port].frames, free.ports[port].frames, "port {port}");
    }
}

/// Cycles that `count` frames of `length` bytes from the given ports take, each to the port after its source.
fn cycles_for(config: &Config, length: usize, count: usize, sources: &[usize]) -> u64 {
    let mut bench = Bench::new(native(config), config, &tables(config), Losses::Forbidden, 1).unwrap();
    bench.keep_left = true;
    for number in 0..count {
        let source = sources[number % sources.len()];
        let destination = station((source + 1) % config.ports());
        let frame = FrameBuilder::new(destination, station(source)).ethertype(number as u16);
        bench.send(source, frame.build_with_length(length), false);
    }
    bench.run().unwrap();
    let left = bench.take_left();
    assert_eq!(left.len(), count);
    assert_agrees(&bench.finish().unwrap());
    left.last().unwrap().cycle - left.first().unwrap().cycle
}

#[test]
fn the_data_path_takes_a_beat_every_cycle() {
    for (config, cycles_per_frame) in [(Config::small(), 8), (Config::x3100(), 4)] {
        let all: Vec<usize> = (0..config.ports()).collect();
        for sources in [&all[..1], &all[1..3], &all[..]] {
            let count = 400;
            let cycles = cycles_for(&config, 64, count, sources);
            assert!(
                cycles <= (count as u64 - 1) * cycles_per_frame + 8,
                "{}: {cycles} cycles for {count} frames from {sources:?}",
                config.name
            );
        }
    }
}

#[test]
fn every_length_passes() {
    let config = Config::small();
    let mut bench = Bench::new(native(&config), &config, &tables(&config), Losses::Forbidden, 1).unwrap();
    let lengths = (14..1600).chain([1518, 1522, 1526, 4096, 9000, 9599, 9600, 9614, 9621, 9622, 9623, 9700]);
    for (number, length) in lengths.enumerate() {
        let frame = FrameBuilder::new(station(1), station(0)).ethertype(number as u16);
        bench.send(0, frame.build_with_length(length), false);
        bench.run().unwrap();
    }
    let report = bench.finish().unwrap();
    assert_agrees(&report);
    let oversize = report.drops.iter().find(|(reason, _)| reason.name() == "oversize").unwrap().1;
    assert_eq!(oversize, 2);
}
