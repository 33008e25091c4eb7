//! The bridge's hardware against its reference model.

mod bandwidth;
mod changes;
mod data_path;
mod equivalence;
mod isolation;
mod random;

use hdl::{Native, elaborate};
use rtl::config::Config;
use sim::{
    ethernet::{FrameBuilder, MacAddress},
    veb::{Losses, Policy, PortSet, Report, arbitrary::station, bench::Bench},
    verilator::{Source, Verilated, VerilatorOptions},
};

fn native(config: &Config) -> Native {
    let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
    let mut native = Native::new(&design).unwrap();
    // Nothing may depend on what is not reset, or on reads that collide with writes.
    native.poison(1);
    native
}

/// With the design's assertions, and with random values in what reset does not set.
fn verilated(config: &Config) -> Verilated {
    let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
    let (verilog, interface) = (design.verilog().text(), design.interface());
    let source = Source { verilog: &verilog, interface: &interface };
    let options = VerilatorOptions { assertions: true, x_random: Some(1), ..Default::default() };
    Verilated::build(&source, &options).unwrap()
}

/// All ports take part in VLAN 1 without tags, and each has its station.
fn open(config: &Config) -> Policy {
    let mut policy = Policy::open(config.wires, config.functions());
    for port in 0..config.ports() {
        policy.insert_entry(0, station(port), PortSet::single(port));
    }
    policy
}

fn bench(config: &Config, policy: &Policy, losses: Losses) -> Bench<Native> {
    Bench::new(native(config), config, policy, losses, 1).unwrap()
}

/// A frame from the station of one port to that of another; `number` makes it differ from others.
fn frame(from: usize, to: MacAddress, length: usize, number: usize) -> Vec<u8> {
    let payload = number.to_le_bytes().into_iter().chain((0..length).map(|i| (i * 7 + number) as u8));
    FrameBuilder::new(to, station(from)).payload(payload.collect::<Vec<u8>>()).build_with_length(length)
}

#[track_caller]
fn assert_agrees(report: &Report) {
    assert_eq!(report.mismatch_count(), 0, "{:#?}", report.mismatches);
}
