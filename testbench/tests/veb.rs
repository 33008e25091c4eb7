//! The bridge's hardware against its reference model.

use hdl::{Native, elaborate};
use rtl::{
    config::Config,
    veb::{
        mac_table::Outcome,
        registers::{address, command},
    },
};
use sim::{
    ethernet::{FrameBuilder, MacAddress},
    random::Random,
    veb::{
        Losses, PortSet, Report,
        bench::{Behaviour, Bench},
    },
    verilator::{Source, Verilated, VerilatorOptions},
};
use testbench::traffic::{self, Run, station, tables};

/// A short run on the native simulator.
fn random_traffic(
    config: &Config,
    seed: u64,
    frames: usize,
    losses: Losses,
    behaviour: &[Behaviour],
) -> Report {
    let run = Run { seed, frames, longest: 400, losses, behaviour: behaviour.to_vec() };
    traffic::run(native(config), config, &run).unwrap()
}

fn native(config: &Config) -> Native {
    let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
    let mut native = Native::new(&design).unwrap();
    // Nothing may depend on what is not reset, or on reads that collide with writes.
    native.poison(1);
    native
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

/// Cycles between the frames in the middle and the last of `count` that go from each of `sources` to the port after it.
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
    left[count - 1].cycle - left[count / 2 - 1].cycle
}

/// With all cells used several times over, and measured from the middle on.
#[test]
fn the_data_path_takes_a_beat_every_cycle() {
    let small = Config { cells: 512, ..Config::small() };
    let x3100 = Config { cells: 1024, ..Config::x3100() };
    for config in [small, x3100] {
        let all: Vec<usize> = (0..config.ports()).collect();
        for (length, count) in [(64, 3000), (1518, 240)] {
            for sources in [&all[..1], &all[1..3], &all[..]] {
                let cycles = cycles_for(&config, length, count, sources);
                let beats = length.div_ceil(config.bytes) as u64;
                let most = (count / 2) as u64 * beats * 101 / 100 + 2 * beats;
                let name = config.name;
                assert!(
                    cycles <= most,
                    "{name}, {length} bytes from {sources:?}: {cycles} cycles, {most} at most"
                );
            }
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

/// The same in Verilator, with the design's assertions and with random values in what reset does not set.
#[test]
fn random_traffic_in_verilator() {
    for (seed, config) in Config::all().into_iter().enumerate() {
        let seed = seed as u64;
        let design = elaborate(|| rtl::veb::veb(&config)).unwrap().design;
        let (verilog, interface) = (design.verilog().text(), design.interface());
        let source = Source { verilog: &verilog, interface: &interface };
        let options = VerilatorOptions { assertions: true, x_random: Some(seed), ..Default::default() };
        let mut random = Random::new(seed);
        let behaviour = (0..config.ports())
            .map(|_| Behaviour { pause: *random.pick(&[0, 10, 80]), stall: *random.pick(&[0, 30, 95, 100]) })
            .collect();
        let run = Run { seed, frames: 20_000, longest: 1600, losses: Losses::Counted, behaviour };
        let report = traffic::run(Verilated::build(&source, &options).unwrap(), &config, &run).unwrap();
        assert_agrees(&report);
    }
}

/// How long a frame takes through an empty bridge, from its first beat in to its last beat out.
#[test]
fn latency() {
    for (config, beats, most) in [(Config::small(), 8, 20), (Config::x3100(), 4, 20)] {
        let mut bench = Bench::new(native(&config), &config, &tables(&config), Losses::Forbidden, 1).unwrap();
        bench.keep_left = true;
        let start = bench.cycles() + 10;
        bench.send_at(start, 0, FrameBuilder::new(station(1), station(0)).build_with_length(64), false);
        bench.run().unwrap();
        let cycles = bench.take_left()[0].cycle - start;
        let latency = cycles - 2 * (beats - 1);
        assert!(
            latency <= most,
            "{}: {latency} cycles between the last beat in and the first out",
            config.name
        );
        println!("{}: {latency} cycles from the last beat in to the first out", config.name);
    }
}

#[test]
fn registers_answer_bad_accesses() {
    let config = Config::small();
    let mut bench = Bench::new(native(&config), &config, &tables(&config), Losses::Forbidden, 1).unwrap();
    let after_ports = address::pvid(config.ports());
    for unmapped in [0x0002, 0x0024, 0x0ffc, 0xfffc, after_ports, address::dropped(6)] {
        assert!(bench.read_register(unmapped).is_err(), "read of {unmapped:#x}");
        assert!(bench.write_register(unmapped, 1).is_err(), "write of {unmapped:#x}");
    }
    for read_only in
        [address::ID, address::PORTS, address::FREE_CELLS, address::queue_full(0), address::dropped(0)]
    {
        let before = bench.read_register(read_only).unwrap();
        assert!(bench.write_register(read_only, !before).is_err(), "write of {read_only:#x}");
        assert_eq!(bench.read_register(read_only).unwrap(), before);
    }
    assert_eq!(bench.read_register(address::ID).unwrap(), rtl::veb::registers::ID);
    assert_eq!(bench.read_register(address::PORTS).unwrap(), 6);
    bench.write_register(address::COMMAND, 9).unwrap();
    assert_eq!(bench.read_register(address::COMMAND).unwrap(), 3 << 1, "no such command");
    bench.write_register(address::MAC_HI, 0x7ff << 16).unwrap();
    bench.write_register(address::COMMAND, command::DELETE).unwrap();
    assert_eq!(bench.await_tables().unwrap(), Outcome::NotFound);
}

/// Entries go into the table until a bucket is full; what was there before stays.
#[test]
fn a_full_bucket_is_an_answer() {
    let config = Config { entries: 16, ..Config::small() };
    let mut bench = Bench::new(native(&config), &config, &tables(&config), Losses::Forbidden, 1).unwrap();
    let mut tables = tables(&config);
    let refused = (0..200).find(|&number| {
        let mut more = tables.clone();
        more.insert_entry(1, station(100 + number), PortSet::single(2));
        let result = bench.set_tables(&more);
        if result.is_ok() {
            tables = more;
        }
        result.is_err()
    });
    assert!(refused.is_some_and(|number| number < 16), "{refused:?}");
    bench.set_tables(&tables).unwrap();
    for number in 0..config.ports() {
        bench.send(0, FrameBuilder::new(station(number), station(0)).build_with_length(60), false);
    }
    bench.run().unwrap();
    assert_agrees(&bench.finish().unwrap());
}

/// Tables of VLANs and stations that no frame concerns change all the time; those that frames concern are written again
/// as they are.
#[test]
fn tables_change_under_traffic() {
    for config in [Config::small(), Config::x3100()] {
        let fixed = tables(&config);
        let mut bench = Bench::new(native(&config), &config, &fixed, Losses::Counted, 3).unwrap();
        let mut random = Random::new(3);
        for _ in 0..3000 {
            let bytes = traffic::frame(&mut random, &config, 200);
            bench.send(random.below(config.ports()), bytes, false);
        }
        let mut commands = 0;
        while bench.waiting() > 0 {
            let (vid, station_number) = match random.below(3) {
                0 => (7, 50 + random.below(20)),
                1 => (1, random.below(config.ports())),
                _ => (2, random.below(config.ports())),
            };
            let ports = if vid == 7 { random.word() as u32 & 7 } else { 1 << station_number };
            let mac = station(station_number).to_u64();
            bench.write_register(address::MAC_LO, mac as u32).unwrap();
            bench.write_register(address::MAC_HI, vid << 16 | (mac >> 32) as u32).unwrap();
            bench.write_register(address::PORTS_LO, ports).unwrap();
            bench.write_register(address::COMMAND, command::INSERT).unwrap();
            bench.await_tables().unwrap();
            if vid == 7 {
                bench.write_register(address::COMMAND, command::DELETE).unwrap();
                bench.await_tables().unwrap();
            }
            bench.write_register(address::PORTS_LO, fixed.members(vid as u16).bits() as u32).unwrap();
            bench.write_register(address::COMMAND, command::MEMBERS).unwrap();
            bench.await_tables().unwrap();
            commands += 1;
        }
        assert!(commands > 50, "{commands} rounds of commands");
        bench.run().unwrap();
        assert_agrees(&bench.finish().unwrap());
    }
}

#[test]
fn reset_in_the_middle_of_traffic() {
    let config = Config::small();
    let fixed = tables(&config);
    let mut bench = Bench::new(native(&config), &config, &fixed, Losses::Forbidden, 4).unwrap();
    let mut random = Random::new(4);
    for round in 0..20 {
        for port in 0..config.ports() {
            bench.set_behaviour(port, Behaviour { pause: 60, stall: 30 });
            (0..20).for_each(|_| bench.send(port, traffic::frame(&mut random, &config, 600), false));
        }
        (0..100 + 37 * round).for_each(|_| bench.cycle().unwrap());
        bench.reset().unwrap();
        assert_eq!(bench.read_register(address::dropped(0)).unwrap(), 0);
        bench.set_tables(&fixed).unwrap();
    }
    for port in 0..config.ports() {
        bench.set_behaviour(port, Behaviour { pause: 90, stall: 0 });
        (0..50).for_each(|_| bench.send(port, traffic::frame(&mut random, &config, 600), false));
    }
    bench.run().unwrap();
    assert_eq!(bench.read_register(address::FREE_CELLS).unwrap() as usize, config.cells);
    assert_agrees(&bench.finish().unwrap());
}

/// Long frames from all ports at once into a buffer of 16 cells, at the ends of the range of ports.
#[test]
fn a_buffer_that_is_too_small() {
    let least = Config { vfs: 0, entries: 16, cells: 16, ..Config::small() };
    let most = Config { wires: 2, vfs: 60, entries: 1024, cells: 64, ..Config::small() };
    for config in [least, most] {
        let run = Run { seed: 5, frames: 1500, longest: 9600, losses: Losses::Counted, behaviour: vec![] };
        let report = traffic::run(native(&config), &config, &run).unwrap();
        assert_agrees(&report);
        let full = report.drops.iter().find(|(reason, _)| reason.name() == "buffer_full").unwrap().1;
        assert!(full > 100, "{full}");
    }
}

/// PVIDs, priority tags, and entries for groups, for several ports, for none and for the source only.
#[test]
fn pvids_and_odd_entries() {
    let config = Config::small();
    let mut tables = tables(&config);
    for (port, pvid) in [(0, 2), (1, 3), (2, 4095), (3, 0)] {
        tables.set_pvid(port, pvid);
    }
    tables.set_members(3, [1, 4].into_iter().collect());
    let group = MacAddress::new([1, 0, 0x5e, 0, 0, 0]);
    for vid in [1, 2, 3] {
        tables.insert_entry(vid, group, [0, 4, 5].into_iter().collect());
    }
    tables.insert_entry(1, station(5), [4, 5].into_iter().collect());
    tables.insert_entry(1, station(4), PortSet::default());
    let mut bench = Bench::new(native(&config), &config, &tables, Losses::Counted, 6).unwrap();
    let mut random = Random::new(6);
    for _ in 0..4000 {
        let bytes = traffic::frame(&mut random, &config, 120);
        bench.send(random.below(config.ports()), bytes, false);
    }
    bench.run().unwrap();
    assert_agrees(&bench.finish().unwrap());
}
