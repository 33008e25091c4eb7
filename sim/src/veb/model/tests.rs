use proptest::prelude::*;

use super::*;
use crate::ethernet::{FrameBuilder, TPID_SERVICE, VlanTag, strategies};
use DropReason::{Error, Filtered, Oversize, Runt, Vlan};

const WIRE: usize = 0;
const MANAGER: usize = 1;
const PF: usize = 2;
const VF0: usize = 3;
const VF1: usize = 4;
const VF2: usize = 5;

fn host(n: u8) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0x00, 0xAB, 0x00, n])
}

const GROUP: MacAddress = MacAddress::new([0x33, 0x33, 0x00, 0x00, 0x00, 0x01]);

/// VLAN 1: all but vf2. VLAN 100: wire, vf1. VLAN 200: wire, vf2, and PVID of vf2. Hosts 1, 2, 3 on pf, vf0, vf1 in
/// VLAN 1; default port: manager.
fn model() -> Model {
    let mut tables = Tables::new(6);
    tables.set_default_ports(PortSet::single(MANAGER));
    tables.set_members(1, PortSet::from_iter([WIRE, MANAGER, PF, VF0, VF1]));
    tables.set_members(100, PortSet::from_iter([WIRE, VF1]));
    tables.set_members(200, PortSet::from_iter([WIRE, VF2]));
    tables.set_pvid(VF2, 200);
    tables.insert_entry(1, host(1), PortSet::single(PF));
    tables.insert_entry(1, host(2), PortSet::single(VF0));
    tables.insert_entry(1, host(3), PortSet::single(VF1));
    Model::new(tables)
}

fn to(destination: MacAddress) -> FrameBuilder {
    FrameBuilder::new(destination, host(9)).payload([0; 46])
}

fn forward(ports: impl IntoIterator<Item = usize>) -> Decision {
    Decision::Forward(ports.into_iter().collect())
}

fn decide(source: usize, frame: FrameBuilder) -> Decision {
    model().decide(source, &frame.build(), false)
}

#[test]
fn after_reset_nothing_is_forwarded() {
    let model = Model::new(Tables::new(6));
    for source in 0..6 {
        assert_eq!(model.decide(source, &to(MacAddress::BROADCAST).build(), false), Decision::Drop(Vlan));
    }
}

#[test]
fn an_error_comes_before_every_other_reason() {
    for length in [0, 13, 60, 9622, 9623] {
        let frame = to(host(1)).build_with_length(length);
        assert_eq!(model().decide(WIRE, &frame, true), Decision::Drop(Error), "{length} bytes");
    }
    let tables = Tables::new(6);
    assert_eq!(Model::new(tables).decide(WIRE, &to(host(1)).build(), true), Decision::Drop(Error));
}

#[test]
fn an_untagged_frame_has_14_to_9622_bytes() {
    let decide = |length| model().decide(WIRE, &to(host(1)).build_with_length(length), false);
    for length in [0, 1, 5, 6, 12, 13] {
        assert_eq!(decide(length), Decision::Drop(Runt), "{length} bytes");
    }
    for length in [14, 15, 16, 17, 18, 60, 9622] {
        assert_eq!(decide(length), forward([PF]), "{length} bytes");
    }
    assert_eq!(decide(9623), Decision::Drop(Oversize));
}

#[test]
fn a_tagged_frame_has_18_to_9622_bytes() {
    let frame = to(host(1)).tag(VlanTag::new(1));
    let decide = |length| model().decide(WIRE, &frame.clone().build_with_length(length), false);
    for length in [13, 14, 15, 16, 17] {
        assert_eq!(decide(length), Decision::Drop(Runt), "{length} bytes");
    }
    assert_eq!(decide(18), forward([PF]));
    assert_eq!(decide(9622), forward([PF]));
    assert_eq!(decide(9623), Decision::Drop(Oversize));
}

#[test]
fn runt_and_oversize_come_before_the_vlan() {
    let model = Model::new(Tables::new(6));
    assert_eq!(model.decide(WIRE, &[0; 13], false), Decision::Drop(Runt));
    assert_eq!(model.decide(WIRE, &[0; 9623], false), Decision::Drop(Oversize));
}

#[test]
fn an_entry_decides_for_its_address_and_vlan() {
    assert_eq!(decide(WIRE, to(host(1))), forward([PF]));
    assert_eq!(decide(WIRE, to(host(2))), forward([VF0]));
    assert_eq!(decide(PF, to(host(3))), forward([VF1]));
    // The same address in a VLAN without an entry for it: the default port is no member there.
    assert_eq!(decide(WIRE, to(host(1)).tag(VlanTag::new(100))), Decision::Drop(Filtered));
}

#[test]
fn a_station_without_an_entry_is_for_the_default_ports() {
    assert_eq!(decide(WIRE, to(host(7))), forward([MANAGER]));
    assert_eq!(decide(MANAGER, to(host(7))), Decision::Drop(Filtered));
    let mut model = model();
    model.tables_mut().set_default_ports(PortSet::from_iter([WIRE, PF, VF2]));
    assert_eq!(model.decide(MANAGER, &to(host(7)).build(), false), forward([WIRE, PF]));
    model.tables_mut().set_default_ports(PortSet::EMPTY);
    assert_eq!(model.decide(MANAGER, &to(host(7)).build(), false), Decision::Drop(Filtered));
}

#[test]
fn a_group_without_an_entry_is_for_all_members_but_the_source() {
    for address in [GROUP, MacAddress::BROADCAST, MacAddress::new([0x01, 0x80, 0xC2, 0, 0, 0])] {
        assert_eq!(decide(WIRE, to(address)), forward([MANAGER, PF, VF0, VF1]));
        assert_eq!(decide(VF0, to(address)), forward([WIRE, MANAGER, PF, VF1]));
        assert_eq!(decide(VF2, to(address)), forward([WIRE]));
        assert_eq!(decide(WIRE, to(address).tag(VlanTag::new(100))), forward([VF1]));
    }
}

#[test]
fn a_group_with_an_entry_is_for_its_ports() {
    let mut model = model();
    model.tables_mut().insert_entry(1, GROUP, PortSet::from_iter([WIRE, PF, VF1, VF2]));
    assert_eq!(model.decide(WIRE, &to(GROUP).build(), false), forward([PF, VF1]));
    assert_eq!(model.decide(PF, &to(GROUP).build(), false), forward([WIRE, VF1]));
}

#[test]
fn an_entry_without_a_way_out_filters() {
    // The entry names only the source.
    assert_eq!(decide(PF, to(host(1))), Decision::Drop(Filtered));
    let mut model = model();
    // It names only ports that are no members.
    model.tables_mut().insert_entry(1, host(1), PortSet::single(VF2));
    assert_eq!(model.decide(WIRE, &to(host(1)).build(), false), Decision::Drop(Filtered));
    // It names none: not the same as no entry, which would lead to the default port.
    model.tables_mut().insert_entry(1, host(1), PortSet::EMPTY);
    assert_eq!(model.decide(WIRE, &to(host(1)).build(), false), Decision::Drop(Filtered));
    assert!(model.tables_mut().remove_entry(1, host(1)));
    assert_eq!(model.decide(WIRE, &to(host(1)).build(), false), forward([MANAGER]));
}

#[test]
fn the_tag_names_the_vlan_and_its_priority_does_not_matter() {
    for (pcp, dei) in [(0, false), (7, true)] {
        let tag = VlanTag { pcp, dei, vid: 200 };
        assert_eq!(decide(WIRE, to(GROUP).tag(tag)), forward([VF2]));
    }
}

#[test]
fn vid_0_is_the_vlan_of_the_port() {
    let tag = VlanTag { pcp: 5, dei: false, vid: 0 };
    assert_eq!(decide(WIRE, to(host(1)).tag(tag)), forward([PF]));
    assert_eq!(decide(VF2, to(GROUP).tag(tag)), forward([WIRE]));
    // Members of VLAN 0 do not matter.
    let mut model = model();
    model.tables_mut().set_members(0, PortSet::first(6));
    assert_eq!(model.decide(VF2, &to(GROUP).tag(tag).build(), false), forward([WIRE]));
}

#[test]
fn vid_4095_is_refused_with_any_members() {
    let mut model = model();
    model.tables_mut().set_members(0xFFF, PortSet::first(6));
    let tagged = to(GROUP).tag(VlanTag::new(0xFFF)).build();
    assert_eq!(model.decide(WIRE, &tagged, false), Decision::Drop(Vlan));
    model.tables_mut().set_pvid(PF, 0xFFF);
    assert_eq!(model.decide(PF, &to(GROUP).build(), false), Decision::Drop(Vlan));
}

#[test]
fn a_source_that_is_no_member_is_refused() {
    assert_eq!(decide(PF, to(host(1)).tag(VlanTag::new(100))), Decision::Drop(Vlan));
    assert_eq!(decide(VF2, to(host(1)).tag(VlanTag::new(1))), Decision::Drop(Vlan));
    assert_eq!(decide(WIRE, to(host(1)).tag(VlanTag::new(4094))), Decision::Drop(Vlan));
    // Before filtering: no destination would be left either.
    assert_eq!(decide(PF, to(host(7)).tag(VlanTag::new(300))), Decision::Drop(Vlan));
}

#[test]
fn a_service_tag_is_payload() {
    let tagged = to(GROUP).tag_with(TPID_SERVICE, VlanTag::new(200));
    assert_eq!(decide(WIRE, tagged.clone()), forward([MANAGER, PF, VF0, VF1]));
    let short = tagged.build_with_length(14);
    assert_eq!(model().decide(VF2, &short, false), forward([WIRE]));
    let double = to(GROUP).tag_with(TPID_SERVICE, VlanTag::new(1)).tag(VlanTag::new(200));
    assert_eq!(decide(WIRE, double), forward([MANAGER, PF, VF0, VF1]));
    // Of two customer tags the outer one counts.
    let double = to(GROUP).tag(VlanTag::new(200)).tag(VlanTag::new(1));
    assert_eq!(decide(WIRE, double), forward([VF2]));
}

#[test]
fn sixty_six_ports_are_served() {
    let mut tables = Tables::new(66);
    tables.set_members(1, PortSet::first(66));
    let model = Model::new(tables);
    assert_eq!(model.decide(65, &to(MacAddress::BROADCAST).build(), false), forward(0..65));
}

#[test]
#[should_panic(expected = "no port 6")]
fn a_source_that_does_not_exist_is_refused() {
    decide(6, to(host(1)));
}

/// The rules once more, in another shape: each destination port by itself asks whether it gets the frame.
fn gets_frame(tables: &Tables, source: usize, bytes: &[u8], port: usize) -> bool {
    let word = |at: usize| u16::from(bytes[at]) * 256 + u16::from(bytes[at + 1]);
    let minimum = if bytes.len() >= 14 && word(12) == 0x8100 { 18 } else { 14 };
    if !(minimum..=9622).contains(&bytes.len()) {
        return false;
    }
    let in_tag = if minimum == 18 { word(14) % 4096 } else { 0 };
    let vid = if in_tag == 0 { tables.pvid(source) } else { in_tag };
    let address = bytes[..6].iter().fold(0, |value, &byte| value * 256 + u64::from(byte));
    let listed = match tables.entries().find(|entry| entry.0 == vid && entry.1.to_u64() == address) {
        Some((_, _, ports)) => ports.contains(port),
        None => bytes[0] % 2 == 1 || tables.default_ports().contains(port),
    };
    let is_member = |port| tables.members(vid).contains(port);
    vid != 4095 && is_member(source) && is_member(port) && listed && port != source
}

prop_compose! {
    fn tables()(
        default in 0..64u128,
        pvids in proptest::collection::vec(strategies::vid(), 6),
        members in proptest::collection::vec((strategies::vid(), 0..64u128), 0..8),
        entries in proptest::collection::vec((strategies::vid(), strategies::known_address(), 0..64u128), 0..12),
    ) -> Tables {
        let mut tables = Tables::new(6);
        tables.set_default_ports(PortSet::from_bits(default));
        for (port, vid) in pvids.into_iter().enumerate() {
            tables.set_pvid(port, vid);
        }
        for (vid, ports) in members {
            tables.set_members(vid, PortSet::from_bits(ports));
        }
        for (vid, address, ports) in entries {
            tables.insert_entry(vid, address, PortSet::from_bits(ports));
        }
        tables
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn both_formulations_of_the_rules_agree(
        tables in tables(), source in 0..6usize, frame in strategies::cut_frame(60), error in prop::bool::weighted(0.1)
    ) {
        let expected: PortSet =
            (0..6).filter(|&port| !error && gets_frame(&tables, source, &frame, port)).collect();
        let decision = Model::new(tables).decide(source, &frame, error);
        if expected.is_empty() {
            prop_assert!(matches!(decision, Decision::Drop(_)), "{:?}", decision);
        } else {
            prop_assert_eq!(decision, Decision::Forward(expected));
        }
    }
}
