//! Random bridges, policies, changes and frames for property tests (proptest). Other crates reach them with the feature
//! `strategies`.
//!
//! All draw from the same small pools of addresses, VLANs and types, so that frames meet rows; and most values are such
//! that a frame gets through, so that each rule is met by frames that came past those before it. A test holds the
//! generators to that. Frames and policies depend on the [`Shape`] only, not on each other, so that failures shrink well.

mod frames;
mod policies;

use proptest::prelude::*;
use proptest::sample::select;

use super::{
    PortSet,
    bridge::{Decision, decide},
    policy::Policy,
};
use crate::ethernet::MacAddress;
pub use frames::{Arrival, arrival};
pub use policies::{change, policy, port_policy};

/// The ports of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub wires: usize,
    /// Manager, physical function and virtual functions.
    pub functions: usize,
}

impl Shape {
    /// Number of ports.
    pub fn ports(self) -> usize {
        self.wires + self.functions
    }
}

impl Arrival {
    /// What becomes of the frame under this policy.
    pub fn decide(&self, policy: &Policy) -> Decision {
        decide(policy, self.source, &self.bytes, self.error, self.forced)
    }
}

/// A bridge of 1 or 2 wires and 2 to 64 functions; small ones are likelier.
pub fn shape() -> impl Strategy<Value = Shape> {
    let functions = prop_oneof![8 => 2..=8usize, 2 => 9..=32usize, 1 => 33..=63usize, 1 => Just(64)];
    (1..=2usize, functions).prop_map(|(wires, functions)| Shape { wires, functions })
}

/// The station behind a port.
pub fn station(port: usize) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0, 0, 0, port as u8])
}

/// A station outside; some policies know where.
fn stranger() -> impl Strategy<Value = MacAddress> {
    (0..4u8).prop_map(|n| MacAddress::new([0x52, 0x54, 0, 0, 1, n]))
}

/// A multicast group.
fn group() -> impl Strategy<Value = MacAddress> {
    select(vec![
        MacAddress::new([0x33, 0x33, 0, 0, 0, 1]),
        MacAddress::new([0x33, 0x33, 0, 0, 0, 0x16]),
        MacAddress::new([0x01, 0, 0x5E, 0, 0, 0xFB]),
        // Beside the reserved ones.
        MacAddress::new([0x01, 0x80, 0xC2, 0, 0, 0x10]),
    ])
}

/// An address that the bridge keeps for itself.
fn reserved_address() -> impl Strategy<Value = MacAddress> {
    (0..=0xFu8).prop_map(|last| MacAddress::new([0x01, 0x80, 0xC2, 0, 0, last]))
}

/// A VLAN that has members.
fn vid() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(1), 2 => Just(2), 3 => Just(100), 1 => Just(4094)]
}

/// A VLAN that exists or not.
fn any_vid() -> impl Strategy<Value = u16> {
    prop_oneof![20 => vid(), 1 => Just(0xFFF), 1 => Just(5)]
}

/// A type; the ETHERTYPE table draws from the same.
fn ethertype() -> impl Strategy<Value = u16> {
    // The last is a length.
    select(vec![0x0800, 0x0800, 0x86DD, 0x86DD, 0x0806, 0x88CC, 0x8808, 46])
}

/// Up to three ports.
fn few_ports(shape: Shape) -> impl Strategy<Value = PortSet> {
    proptest::collection::vec(0..shape.ports(), 0..=3).prop_map(|ports| ports.into_iter().collect())
}

/// Each port with a chance of one half.
fn half_the_ports(shape: Shape) -> impl Strategy<Value = PortSet> {
    any::<u128>().prop_map(move |bits| PortSet::from_bits(bits) & PortSet::first(shape.ports()))
}

#[cfg(test)]
mod tests;
