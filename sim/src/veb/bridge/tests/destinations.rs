//! Rule 9: who gets a frame.

use super::*;

fn set_mode(mode: Mode, ports: &[usize]) -> Policy {
    with(|policy| ports.iter().for_each(|&port| policy.ports[port].mode = mode))
}

#[test]
fn functions_reach_each_other_and_leave_the_wire_alone() {
    let policy = base();
    expect(&policy, VF0, frame(VF0, host(VF1)), Ok(ports([VF1])));
    expect(&policy, PF, frame(PF, host(MANAGER)), Ok(ports([MANAGER])));
    expect(&policy, MANAGER, frame(MANAGER, host(VF3)), Ok(ports([VF3])));
    // Its own address: nobody else has it, but it is known.
    expect(&policy, VF0, frame(VF0, host(VF0)), Err(Reason::Filtered));
}

#[test]
fn unknown_stations_are_behind_the_default_ports() {
    let policy = base();
    expect(&policy, VF0, frame(VF0, stranger()), Ok(ports([WIRE0])));
    expect(&policy, WIRE0, frame(50, stranger()), Ok(ports([MANAGER])));
    let both = with(|policy| policy.ports[VF0].default_ports = ports([WIRE1, VF0, VF2]));
    expect(&both, VF0, frame(VF0, stranger()), Ok(ports([WIRE1, VF2])));
    let none = with(|policy| policy.ports[VF0].default_ports = PortSet::EMPTY);
    expect(&none, VF0, frame(VF0, stranger()), Err(Reason::Filtered));
}

#[test]
fn a_known_station_is_one_that_can_be_reached() {
    // vf3 is known, but has its egress off, is no member, or is in another mode: the external bridge may reach it.
    let deaf = with(|policy| policy.ports[VF3].egress = false);
    expect(&deaf, VF0, frame(VF0, host(VF3)), Ok(ports([WIRE0])));
    expect(&base(), VF0, frame(VF0, host(VF3)).tag(VlanTag::new(100)), Ok(ports([WIRE0])));
    for mode in [Mode::Vepa, Mode::Isolated] {
        expect(&set_mode(mode, &[VF3]), VF0, frame(VF0, host(VF3)), Ok(ports([WIRE0])));
    }
    // From the wire the mode does not matter.
    expect(&deaf, WIRE0, frame(50, host(VF3)), Ok(ports([MANAGER])));
    expect(&base(), WIRE0, frame(50, host(VF3)).tag(VlanTag::new(100)), Ok(ports([MANAGER])));
    expect(&set_mode(Mode::Vepa, &[VF3]), WIRE0, frame(50, host(VF3)), Ok(ports([VF3])));
}

#[test]
fn entries_can_name_wires_and_several_ports() {
    let policy = with(|policy| {
        policy.insert_entry(1, host(60), ports([WIRE1]));
        policy.insert_entry(1, host(61), ports([WIRE1, VF1, VF2]));
        policy.insert_entry(0, host(61), ports([VF3]));
        policy.insert_entry(0, OTHER_GROUP, ports([WIRE1, PF]));
        policy.insert_entry(1, ALL, ports([WIRE1]));
    });
    expect(&policy, VF0, frame(VF0, host(60)), Ok(ports([WIRE1])));
    expect(&policy, VF0, frame(VF0, host(61)), Ok(ports([WIRE1, VF1, VF2, VF3])));
    expect(&policy, VF0, frame(VF0, OTHER_GROUP), Ok(ports([WIRE0, WIRE1, PF])));
    expect(&policy, VF0, frame(VF0, ALL), Ok(ports([WIRE0, WIRE1, MANAGER, PF, VF1, VF2, VF3])));
    // Wires do not reach wires; there is no function for host 60.
    expect(&policy, WIRE0, frame(50, host(60)), Ok(ports([MANAGER])));
    expect(&policy, WIRE0, frame(50, host(61)), Ok(ports([VF1, VF2, VF3])));
    expect(&policy, WIRE0, frame(50, OTHER_GROUP), Ok(ports([PF])));
    // An entry without ports is no hit.
    let empty = with(|policy| policy.insert_entry(1, host(60), PortSet::EMPTY));
    expect(&empty, VF0, frame(VF0, host(60)), Ok(ports([WIRE0])));
}

#[test]
fn broadcast_is_for_those_that_want_it() {
    let policy = with(|policy| {
        policy.ports[VF2].broadcast = false;
        policy.wishes[VF2].multicast = true;
        policy.set_multicast(multicast_hash(ALL), ports([VF2]));
        policy.insert_entry(0, ALL, ports([VF2]));
    });
    expect(&policy, WIRE0, frame(50, ALL), Ok(ports([MANAGER, PF, VF0, VF1, VF3])));
    expect(&policy, VF0, frame(VF0, ALL), Ok(ports([WIRE0, MANAGER, PF, VF1, VF3])));
}

#[test]
fn groups_are_for_those_whose_hash_or_entry_or_wish_it_is() {
    let policy = with(|policy| {
        policy.insert_entry(1, GROUP, ports([VF1]));
        policy.wishes[VF2].multicast = true;
        policy.wishes[VF3].multicast = true;
        policy.ports[VF3].may_multicast = false;
    });
    expect(&policy, WIRE0, frame(50, GROUP), Ok(ports([VF0, VF1, VF2])));
    expect(&policy, PF, frame(PF, GROUP), Ok(ports([WIRE0, VF0, VF1, VF2])));
    expect(&policy, WIRE0, frame(50, OTHER_GROUP), Ok(ports([VF2])));
    // Another group of the same hash: two bits nine apart cancel out.
    let twin = MacAddress::from_u64(GROUP.to_u64() ^ 1 << 13 ^ 1 << 22);
    expect(&base(), WIRE0, frame(50, twin), Ok(ports([VF0])));
    // Nobody wants it: the wire's default ports are for stations only.
    expect(&base(), WIRE0, frame(50, OTHER_GROUP), Err(Reason::Filtered));
    expect(&base(), PF, frame(PF, OTHER_GROUP), Ok(ports([WIRE0])));
}

#[test]
fn promiscuous_functions_get_a_copy_more() {
    let policy = with(|policy| {
        policy.wishes[VF2] = Wishes { unicast: true, ..Wishes::default() };
        policy.wishes[VF3] = Wishes { unicast: true, multicast: true, vlan: true, filter: false };
        policy.ports[VF3] = PortPolicy { may_unicast: false, ..PortPolicy::open(1) };
    });
    expect(&policy, VF0, frame(VF0, host(VF1)), Ok(ports([VF1, VF2])));
    expect(&policy, VF0, frame(VF0, stranger()), Ok(ports([WIRE0, VF2])));
    expect(&policy, WIRE0, frame(50, stranger()), Ok(ports([MANAGER, VF2])));
    expect(&policy, WIRE0, frame(50, GROUP), Ok(ports([VF0, VF3])));
}

#[test]
fn functions_filter_groups_and_tags_for_themselves() {
    let tagged = |source, to| frame(source, to).tag(VlanTag::new(100));
    let filters = |function, of| Filter { function, of };
    let policy = with(|policy| {
        policy.filters.insert(filters(VF2, FilterOf::Group(multicast_hash(GROUP))));
        for port in [PF, VF0, VF1] {
            policy.wishes[port].filter = true;
        }
        policy.filters.insert(filters(VF0, FilterOf::Vlan(100)));
        policy.filters.insert(filters(PF, FilterOf::Vlan(101)));
    });
    expect(&policy, WIRE0, frame(50, GROUP), Ok(ports([VF0, VF2])));
    // vf1 gets it without a tag, and in VLAN 1 all do.
    expect(&policy, WIRE0, tagged(50, ALL), Ok(ports([MANAGER, VF0, VF1])));
    expect(&policy, WIRE0, frame(50, ALL), Ok(ports([MANAGER, PF, VF0, VF1, VF2, VF3])));
    // What the physical function does not want is nobody else's.
    expect(&policy, WIRE0, tagged(50, host(PF)), Err(Reason::Filtered));
    expect(&policy, VF0, tagged(VF0, host(PF)), Err(Reason::Filtered));
}

#[test]
fn vlans_are_not_left_but_by_those_that_may_see_them_all() {
    let tagged = |source, to| frame(source, to).tag(VlanTag::new(100));
    expect(&base(), WIRE0, tagged(50, ALL), Ok(ports([MANAGER, PF, VF0, VF1])));
    expect(&base(), PF, tagged(PF, host(VF2)), Ok(ports([WIRE0])));
    let seeing = with(|policy| {
        policy.wishes[VF2].vlan = true;
        policy.wishes[VF3].vlan = true;
        policy.ports[VF3].may_vlan = false;
        policy.wishes[WIRE1].vlan = true;
        policy.set_vlan(100, VlanPolicy { members: ports([WIRE0, PF]), untagged: PortSet::EMPTY });
        policy.ports[PF].default_ports = ports([WIRE0, WIRE1]);
    });
    expect(&seeing, WIRE0, tagged(50, ALL), Ok(ports([PF, VF2])));
    expect(&seeing, PF, tagged(PF, host(VF2)), Ok(ports([VF2])));
    expect(&seeing, PF, tagged(PF, ALL), Ok(ports([WIRE0, VF2])));
}

#[test]
fn functions_in_vepa_mode_send_to_their_default_ports_only() {
    for mode in [Mode::Vepa, Mode::Isolated] {
        let policy = set_mode(mode, &[VF0]);
        for destination in [host(VF1), stranger(), GROUP, ALL] {
            expect(&policy, VF0, frame(VF0, destination), Ok(ports([WIRE0])));
        }
        // Others do not reach it inside.
        expect(&policy, VF1, frame(VF1, host(VF0)), Ok(ports([WIRE0])));
        expect(&policy, VF1, frame(VF1, GROUP), Ok(ports([WIRE0])));
        expect(&policy, VF1, frame(VF1, ALL), Ok(ports([WIRE0, MANAGER, PF, VF2, VF3])));
        // Unless it is someone's default port.
        let mut asked = policy.clone();
        asked.ports[VF1].default_ports = ports([VF0]);
        expect(&asked, VF1, frame(VF1, stranger()), Ok(ports([VF0])));
    }
}

#[test]
fn reflected_frames_do_not_come_back_to_who_sent_them() {
    // vf0 and vf1 in VEPA mode, vf1 without pruning; vf0's frame comes back from the wire.
    let policy = with(|policy| {
        policy.ports[VF0].mode = Mode::Vepa;
        policy.ports[VF0].prune = true;
        policy.ports[VF1].mode = Mode::Vepa;
    });
    expect(&policy, WIRE0, frame(VF0, ALL), Ok(ports([MANAGER, PF, VF1, VF2, VF3])));
    expect(&policy, WIRE0, frame(VF1, ALL), Ok(ports([MANAGER, PF, VF0, VF1, VF2, VF3])));
    expect(&policy, WIRE0, frame(VF0, host(VF1)), Ok(ports([VF1])));
    expect(&policy, WIRE0, frame(VF0, host(VF0)), Err(Reason::Filtered));
    // Pruned after the default port was chosen, which it may be itself.
    let default_port = with(|policy| {
        policy.ports[VF0].prune = true;
        policy.ports[WIRE0].default_ports = ports([VF0, WIRE1]);
    });
    expect(&default_port, WIRE0, frame(VF0, stranger()), Err(Reason::Filtered));
    expect(&default_port, WIRE0, frame(50, stranger()), Ok(ports([VF0])));
    // An entry of the sender in another VLAN is no entry.
    let elsewhere = with(|policy| {
        policy.ports[VF0].prune = true;
        policy.remove_entry(0, host(VF0));
        policy.insert_entry(100, host(VF0), ports([VF0]));
    });
    expect(&elsewhere, WIRE0, frame(VF0, ALL), Ok(ports([MANAGER, PF, VF0, VF1, VF2, VF3])));
    expect(&elsewhere, WIRE0, frame(VF0, ALL).tag(VlanTag::new(100)), Ok(ports([MANAGER, PF, VF1])));
}

#[test]
fn isolated_functions_get_nothing_of_functions_not_even_over_the_wire() {
    let policy = set_mode(Mode::Isolated, &[VF0, VF1]);
    for sender in [MANAGER, PF, VF0, VF1, VF2] {
        let expected = ports([MANAGER, PF, VF2, VF3]);
        expect(&policy, WIRE0, frame(sender, ALL), Ok(expected));
    }
    expect(&policy, WIRE0, frame(VF2, host(VF0)), Err(Reason::Filtered));
    expect(&policy, WIRE0, frame(50, ALL), Ok(ports([MANAGER, PF, VF0, VF1, VF2, VF3])));
    expect(&policy, WIRE0, frame(50, host(VF0)), Ok(ports([VF0])));
    // A station that an entry has behind a wire is no function.
    let outside = with(|policy| {
        policy.ports[VF0].mode = Mode::Isolated;
        policy.insert_entry(0, host(50), ports([WIRE0]));
    });
    expect(&outside, WIRE0, frame(50, host(VF0)), Ok(ports([VF0])));
}

#[test]
fn wires_do_not_reach_wires() {
    let policy = with(|policy| {
        policy.ports[WIRE0].default_ports = ports([WIRE0, WIRE1, PF]);
        policy.wishes[WIRE1] = Wishes { unicast: true, multicast: true, vlan: true, filter: false };
        policy.set_multicast(multicast_hash(OTHER_GROUP), ports([WIRE1]));
    });
    expect(&policy, WIRE0, frame(50, stranger()), Ok(ports([PF])));
    expect(&policy, WIRE0, frame(50, OTHER_GROUP), Err(Reason::Filtered));
    // Nor by the MULTICAST table, which is of functions.
    expect(&policy, PF, frame(PF, OTHER_GROUP), Ok(ports([WIRE0])));
    // A wire's mode does not matter.
    let modes = set_mode(Mode::Isolated, &[WIRE0, WIRE1]);
    expect(&modes, WIRE0, frame(50, host(PF)), Ok(ports([PF])));
    expect(&modes, PF, frame(PF, ALL), Ok(ports([WIRE0, MANAGER, VF0, VF1, VF2, VF3])));
}

#[test]
fn sixty_six_ports_are_served() {
    let policy = Policy::open(2, 64);
    let all = |source| decide(&policy, source, &frame(50, ALL).build(), false, None).ports();
    assert_eq!(all(65), PortSet::single(0) | (2..65).collect());
    assert_eq!(all(1), (2..66).collect());
}
