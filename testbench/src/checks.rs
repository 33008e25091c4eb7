//! Checks of the whole bridge on any simulator of it. `tests/veb` runs them over the configurations, and
//! [`crate::mutation`] on faulty bridges, to see that they notice. They panic where the bridge is wrong.

pub mod bandwidth;
pub mod changes;
pub mod data_path;
pub mod edges;
pub mod isolation;
pub mod keys;
pub mod lockstep;
pub mod random;
pub mod registers;

use hdl::Simulator;
use rtl::config::Config;
use sim::{
    ethernet::{FrameBuilder, MacAddress},
    veb::{Losses, Policy, PortSet, Report, arbitrary::station, bench::Bench},
};

/// All ports take part in VLAN 1 without tags, and each has its station.
pub fn open(config: &Config) -> Policy {
    let mut policy = Policy::open(config.wires, config.functions());
    for port in 0..config.ports() {
        policy.insert_entry(0, station(port), PortSet::single(port));
    }
    policy
}

/// A frame from the station of one port to that of another; `number` makes it differ from others.
pub fn frame(from: usize, to: MacAddress, length: usize, number: usize) -> Vec<u8> {
    let payload = number.to_le_bytes().into_iter().chain((0..length).map(|i| (i * 7 + number) as u8));
    FrameBuilder::new(to, station(from)).payload(payload.collect::<Vec<u8>>()).build_with_length(length)
}

/// The bench found nothing to object to.
#[track_caller]
pub fn assert_agrees(report: &Report) {
    assert_eq!(report.mismatch_count(), 0, "{:#?}", report.mismatches);
}

fn bench<S: Simulator>(sim: S, config: &Config, policy: &Policy, losses: Losses) -> Bench<S> {
    Bench::new(sim, config, policy, losses, 1).unwrap()
}
