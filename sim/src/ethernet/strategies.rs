//! Random frames for property tests (proptest). Other crates reach them with the feature `strategies`.
//!
//! Addresses and VLANs come from small pools, so that random frames meet random table entries often enough.

use proptest::prelude::*;
use proptest::sample::select;

use super::{ETHERTYPE_EXPERIMENTAL, FrameBuilder, MacAddress, TPID_CUSTOMER, TPID_SERVICE, VlanTag};

/// Any address, one in two of them a group address.
pub fn mac_address() -> impl Strategy<Value = MacAddress> {
    any::<[u8; 6]>().prop_map(MacAddress::new)
}

/// An address out of eight: five stations, two multicast groups, broadcast.
pub fn known_address() -> impl Strategy<Value = MacAddress> {
    let station = |n| MacAddress::new([0x52, 0x54, 0x00, 0xAB, 0x00, n]);
    let group = |n| MacAddress::new([0x33, 0x33, 0x00, 0x00, 0x00, n]);
    let stations = (1..=5).map(station);
    select(stations.chain([group(1), group(0x16), MacAddress::BROADCAST]).collect::<Vec<_>>())
}

/// A VLAN identifier: the reserved ones (0, 4095), the ends of the range and a few usual ones.
pub fn vid() -> impl Strategy<Value = u16> {
    select(vec![0, 1, 2, 100, 200, 4094, 4095])
}

/// A tag with any priority and a VLAN of [`vid`].
pub fn vlan_tag() -> impl Strategy<Value = VlanTag> {
    (0..8u8, any::<bool>(), vid()).prop_map(|(pcp, dei, vid)| VlanTag { pcp, dei, vid })
}

/// A frame with up to two tags and up to `max_payload` bytes of payload, never shorter than its headers.
pub fn frame(max_payload: usize) -> impl Strategy<Value = Vec<u8>> {
    let tpid = prop_oneof![4 => Just(TPID_CUSTOMER), 1 => Just(TPID_SERVICE)];
    (
        known_address(),
        known_address(),
        proptest::collection::vec((tpid, vlan_tag()), 0..=2),
        prop_oneof![Just(0x0800), Just(0x86DD), Just(ETHERTYPE_EXPERIMENTAL)],
        proptest::collection::vec(any::<u8>(), 0..=max_payload),
    )
        .prop_map(|(destination, source, tags, ethertype, payload)| {
            let frame = FrameBuilder::new(destination, source).ethertype(ethertype).payload(payload);
            tags.into_iter().fold(frame, |frame, (tpid, tag)| frame.tag_with(tpid, tag)).build()
        })
}

/// A frame that may end anywhere, also within its headers: 0 bytes and up.
pub fn cut_frame(max_payload: usize) -> impl Strategy<Value = Vec<u8>> {
    let header = 22usize;
    (frame(max_payload), prop_oneof![3 => Just(usize::MAX), 1 => 0..=header]).prop_map(
        |(mut frame, length)| {
            frame.truncate(length);
            frame
        },
    )
}
