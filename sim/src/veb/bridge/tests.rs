//! Every rule and each of its branches on one small bridge; and a second formulation of all rules, on random ones.

use super::*;
use crate::{
    ethernet::{FrameBuilder, MacAddress, Tag, TagKind, VlanTag},
    veb::policy::{
        Direction, Filter, FilterOf, Mirror, MirrorOf, Mode, PortPolicy, VlanPolicy, Wishes, multicast_hash,
    },
};

mod checks;
mod destinations;
mod mirrors;
mod second;
mod tags;

const WIRE0: usize = 0;
const WIRE1: usize = 1;
const MANAGER: usize = 2;
const PF: usize = 3;
const VF0: usize = 4;
const VF1: usize = 5;
const VF2: usize = 6;
const VF3: usize = 7;

const GROUP: MacAddress = MacAddress::new([0x33, 0x33, 0, 0, 0, 1]);
const OTHER_GROUP: MacAddress = MacAddress::new([0x01, 0, 0x5E, 0, 0, 0xFB]);
const RESERVED: MacAddress = MacAddress::new([0x01, 0x80, 0xC2, 0, 0, 0x0E]);
const ALL: MacAddress = MacAddress::BROADCAST;

/// The station behind a port.
fn host(port: usize) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0, 0xAB, 0, port as u8])
}

/// A station that no entry names.
fn stranger() -> MacAddress {
    host(99)
}

fn ports<const N: usize>(ports: [usize; N]) -> PortSet {
    PortSet::from_iter(ports)
}

/// Everybody in VLAN 1, untagged. In VLAN 100 all but vf2 and vf3, vf1 untagged. Hosts of functions in any VLAN; vf0 wants
/// [`GROUP`].
fn base() -> Policy {
    let mut policy = Policy::open(2, 6);
    policy.add_members(100, ports([WIRE0, WIRE1, MANAGER, PF, VF0]), ports([VF1]));
    for port in MANAGER..=VF3 {
        policy.insert_entry(0, host(port), PortSet::single(port));
    }
    policy.set_multicast(multicast_hash(GROUP), ports([VF0]));
    policy
}

/// [`base`], changed.
fn with(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = base();
    change(&mut policy);
    policy
}

/// A frame from the station behind `source`.
fn frame(source: usize, destination: MacAddress) -> FrameBuilder {
    FrameBuilder::new(destination, host(source)).payload([0x5A; 46])
}

fn run(policy: &Policy, source: usize, frame: FrameBuilder) -> Decision {
    decide(policy, source, &frame.build(), false, None)
}

/// Asserts that a frame is dropped, or reaches exactly these ports.
#[track_caller]
fn expect(policy: &Policy, source: usize, frame: FrameBuilder, expected: Result<PortSet, Reason>) {
    let decision = run(policy, source, frame);
    let got = decision.reason().map_or(Ok(decision.ports()), Err);
    assert_eq!(got, expected, "from port {source}");
}

#[test]
fn after_reset_nothing_is_taken() {
    let policy = Policy::new(2, 64);
    for source in 0..66 {
        expect(&policy, source, frame(0, ALL), Err(Reason::Disabled));
    }
}

/// A policy against which a frame breaks all rules at once; one after the other is then lifted.
#[test]
fn the_first_reason_counts() {
    let bad = FrameBuilder::new(ALL, GROUP).tag(VlanTag::new(0xFFF)).tag(VlanTag::new(5)).ethertype(0x88CC);
    let mut policy = Policy::new(2, 6);
    policy.ports[PF] = PortPolicy { customer_tags: true, ..PortPolicy::default() }.checked();
    policy.ethertypes[3] = Some(0x88CC);
    let run = |policy: &Policy, length, error| {
        decide(policy, PF, &bad.clone().build_with_length(length), error, None).reason()
    };
    assert_eq!(run(&policy, 9623, true), Some(Reason::Error));
    assert_eq!(run(&policy, 21, true), Some(Reason::Error));
    assert_eq!(run(&policy, 21, false), Some(Reason::Runt));
    assert_eq!(run(&policy, 9623, false), Some(Reason::Oversize));
    assert_eq!(run(&policy, 9622, false), Some(Reason::Disabled));
    policy.ports[PF].ingress = true;
    assert_eq!(run(&policy, 60, false), Some(Reason::MacSpoof));
    policy.ports[PF].check_source = false;
    assert_eq!(run(&policy, 60, false), Some(Reason::EthertypeSpoof));
    policy.ethertypes[3] = None;
    assert_eq!(run(&policy, 60, false), Some(Reason::Admission));
    policy.ports[PF].admit_tagged = true;
    assert_eq!(run(&policy, 60, false), Some(Reason::Admission));
    policy.ports[PF].admit_nested = true;
    assert_eq!(run(&policy, 60, false), Some(Reason::Vlan));
    policy.ports[PF].customer_tags = false;
    policy.ports[PF].admit_untagged = true;
    policy.ports[PF].pvid = 4094;
    assert_eq!(run(&policy, 60, false), Some(Reason::Vlan));
    policy.add_members(4094, ports([PF]), PortSet::EMPTY);
    assert_eq!(run(&policy, 60, false), Some(Reason::Filtered));
    policy.add_members(4094, ports([VF0]), PortSet::EMPTY);
    policy.ports[VF0].broadcast = true;
    assert_eq!(run(&policy, 60, false), Some(Reason::Filtered));
    policy.ports[VF0].egress = true;
    assert_eq!(run(&policy, 60, false), None);
}

#[test]
#[should_panic(expected = "no port 8")]
fn a_source_that_does_not_exist_is_refused() {
    run(&base(), 8, frame(0, ALL));
}

#[test]
#[should_panic(expected = "port 3 cannot force")]
fn only_the_manager_forces() {
    decide(&base(), PF, &frame(PF, ALL).build(), false, Some(ports([VF0])));
}
