//! Random traffic for the bridge, and runs of it against the reference model.

use hdl::Simulator;
use rtl::{config::Config, veb::registers::address};
use sim::{
    ethernet::{FrameBuilder, MacAddress, VlanTag},
    random::Random,
    veb::{
        Losses, PortSet, Report, Tables,
        bench::{Behaviour, Bench, BenchError},
    },
};

/// The station that lives behind a port.
pub fn station(port: usize) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0, 0, 0, port as u8])
}

/// VLAN 1 with all ports, VLAN 2 with the even ones; each port's station in both.
pub fn tables(config: &Config) -> Tables {
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

/// A frame between random stations, tagged or not, sometimes to a group or to nobody; up to `longest` bytes.
pub fn frame(random: &mut Random, config: &Config, longest: usize) -> Vec<u8> {
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

/// How a run treats the bridge.
#[derive(Clone, Debug)]
pub struct Run {
    pub seed: u64,
    pub frames: usize,
    /// The longest frame in bytes.
    pub longest: usize,
    pub losses: Losses,
    /// Of each port; those that are not listed never pause or stall.
    pub behaviour: Vec<Behaviour>,
}

/// Plays random frames into all ports: good ones, bad ones, too short ones. At the end all ports take what waits for
/// them, and all cells must be free again.
///
/// # Errors
/// See [`Bench`].
///
/// # Panics
/// If a cell of the packet buffer is lost.
pub fn run<S: Simulator>(sim: S, config: &Config, run: &Run) -> Result<Report, BenchError> {
    let mut bench = Bench::new(sim, config, &tables(config), run.losses, run.seed)?;
    let mut random = Random::new(run.seed);
    for (port, behaviour) in run.behaviour.iter().enumerate() {
        bench.set_behaviour(port, *behaviour);
    }
    for _ in 0..run.frames {
        let mut bytes = frame(&mut random, config, run.longest);
        let error = random.chance(5);
        if random.chance(5) {
            bytes.truncate(1 + random.below(20));
        }
        bench.send(random.below(config.ports()), bytes, error);
    }
    bench.run()?;
    for (port, behaviour) in run.behaviour.iter().enumerate() {
        bench.set_behaviour(port, Behaviour { stall: 0, ..*behaviour });
    }
    bench.run()?;
    let free = bench.read_register(address::FREE_CELLS)?;
    assert_eq!(free as usize, config.cells, "cells are lost");
    bench.finish()
}
