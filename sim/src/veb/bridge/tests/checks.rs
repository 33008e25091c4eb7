//! Rules 1 to 6: what a frame must be before its VLAN counts.

use super::*;

#[test]
fn rule_1_a_frame_is_complete_up_to_its_type_behind_two_tags() {
    let (c, s) = (Tag::customer(0), Tag::service(0));
    let shortest: [(&[Tag], usize); 8] = [
        (&[], 14),
        (&[c], 18),
        (&[s], 18),
        (&[c, c], 22),
        (&[s, c], 22),
        (&[c, s], 22),
        (&[s, s], 22),
        (&[c, c, c], 22),
    ];
    for (tags, shortest) in shortest {
        let tagged = frame(WIRE0, host(PF)).tags(tags.iter().copied());
        for length in (0..30).chain([60, 9622, 9623]) {
            let bytes = tagged.clone().build_with_length(length);
            let reason = decide(&base(), WIRE0, &bytes, false, None).reason();
            let expected = match length {
                9623.. => Some(Reason::Oversize),
                _ if length < shortest => Some(Reason::Runt),
                _ => None,
            };
            assert_eq!(reason, expected, "{tags:?}, {length} bytes");
            assert_eq!(decide(&base(), WIRE0, &bytes, true, None).reason(), Some(Reason::Error));
        }
    }
}

#[test]
fn rule_2_a_disabled_port_takes_nothing_in() {
    let policy = with(|policy| {
        policy.ports[PF].ingress = false;
        policy.ports[MANAGER].ingress = false;
    });
    expect(&policy, PF, frame(PF, host(VF0)), Err(Reason::Disabled));
    expect(&policy, MANAGER, frame(MANAGER, RESERVED), Err(Reason::Disabled));
    let forced = decide(&policy, MANAGER, &frame(MANAGER, ALL).build(), false, Some(ports([PF])));
    assert_eq!(forced.reason(), Some(Reason::Disabled));
    // Out of it is another matter.
    expect(&policy, VF0, frame(VF0, host(PF)), Ok(ports([PF])));
}

#[test]
fn rule_3_a_forced_frame_goes_where_it_is_told_as_it_is() {
    // Spoofed, of a forbidden type, not admitted, of no VLAN, to a reserved address.
    let policy = with(|policy| {
        policy.ports[MANAGER] = PortPolicy { ingress: true, egress: true, ..PortPolicy::default() }.checked();
        policy.ports[VF3].egress = false;
        policy.set_vlan(1, VlanPolicy::default());
    });
    for tags in [vec![], vec![Tag::customer(100)], vec![Tag::service(7), Tag::customer(9), Tag::customer(8)]]
    {
        let bytes = frame(PF, RESERVED).tags(tags).build();
        let forced = |ports| decide(&policy, MANAGER, &bytes, false, Some(ports));
        let cases = [
            (ports([VF1]), ports([VF1])),
            (ports([WIRE0, WIRE1, VF2]), ports([WIRE0, WIRE1, VF2])),
            (ports([MANAGER, VF2]), ports([VF2])),
            (ports([VF2, VF3]), ports([VF2])),
            (PortSet::first(128), ports([WIRE0, WIRE1, PF, VF0, VF1, VF2])),
        ];
        for (asked, expected) in cases {
            let copies = Copies { form: Form::Raw, bytes: bytes.clone().into(), ports: expected };
            assert_eq!(forced(asked), Decision::Forward(vec![copies]));
        }
        for nobody in [PortSet::EMPTY, ports([MANAGER]), ports([VF3])] {
            assert_eq!(forced(nobody), Decision::Drop(Reason::Filtered));
        }
        assert_eq!(
            decide(&policy, MANAGER, &bytes[..13], false, Some(ports([PF]))).reason(),
            Some(Reason::Runt)
        );
    }
}

#[test]
fn rule_4_the_source_address_belongs_to_the_port() {
    let policy = with(|policy| {
        policy.ports[VF0].check_source = true;
        policy.insert_entry(100, host(50), ports([VF0, VF1]));
        policy.insert_entry(100, GROUP, ports([VF0]));
        policy.insert_entry(0, host(51), ports([VF1]));
        // An address of two owners, one in any VLAN and one in VLAN 100.
        policy.insert_entry(0, host(52), ports([VF1]));
        policy.insert_entry(100, host(52), ports([VF0]));
    });
    let to_all = |source: MacAddress, vid: Option<u16>| {
        let frame = FrameBuilder::new(ALL, source).payload([0; 46]);
        let tagged = vid.map_or(frame.clone(), |vid| frame.tag(VlanTag::new(vid)));
        decide(&policy, VF0, &tagged.build(), false, None).reason()
    };
    for vid in [None, Some(0), Some(1), Some(100)] {
        let in_100 = vid == Some(100);
        assert_eq!(to_all(host(VF0), vid), None, "its own, by an entry for any VLAN");
        assert_eq!(to_all(host(50), vid), (!in_100).then_some(Reason::MacSpoof), "its own in VLAN 100");
        assert_eq!(to_all(host(52), vid), (!in_100).then_some(Reason::MacSpoof), "of two owners");
        for spoofed in [host(VF1), host(51), stranger(), GROUP, ALL] {
            assert_eq!(to_all(spoofed, vid), Some(Reason::MacSpoof), "{spoofed}");
        }
    }
    let unchecked = FrameBuilder::new(ALL, host(VF0)).payload([0; 46]);
    assert_eq!(run(&policy, VF1, unchecked).reason(), None);
}

#[test]
fn rule_5_forbidden_types_and_third_tags_are_kept_out() {
    let policy = with(|policy| {
        policy.ports[VF0].check_ethertype = true;
        policy.ethertypes[0] = Some(0x88CC);
        policy.ethertypes[7] = Some(0);
    });
    let (c, s) = (Tag::customer(0), Tag::service(0));
    for tags in [vec![], vec![c], vec![s], vec![c, c], vec![s, c], vec![c, s]] {
        for (ethertype, reason) in
            [(0x88CC, Some(Reason::EthertypeSpoof)), (0, Some(Reason::EthertypeSpoof)), (0x0800, None)]
        {
            let of_type = |source| frame(source, ALL).tags(tags.clone()).ethertype(ethertype);
            assert_eq!(run(&policy, VF0, of_type(VF0)).reason(), reason, "{tags:?} {ethertype:x}");
            assert_eq!(run(&policy, VF1, of_type(VF1)).reason(), None);
        }
    }
    for third in [c, s] {
        let triple = |source| frame(source, ALL).tags([s, c, third]);
        assert_eq!(run(&policy, VF0, triple(VF0)).reason(), Some(Reason::EthertypeSpoof));
        assert_eq!(run(&policy, VF1, triple(VF1)).reason(), None);
    }
}

#[test]
fn rule_6_reserved_addresses_are_for_the_manager() {
    // No VLAN, not admitted.
    let policy = with(|policy| {
        policy.set_vlan(1, VlanPolicy::default());
        policy.ports[VF0].admit_untagged = false;
        policy.insert_entry(0, RESERVED, ports([VF1]));
    });
    for last in 0..=0xF {
        let address = MacAddress::new([0x01, 0x80, 0xC2, 0, 0, last]);
        for source in [WIRE0, WIRE1, PF, VF0] {
            for tag in [None, Some(Tag::customer(55)), Some(Tag::service(0xFFF))] {
                let frame = frame(source, address).tags(tag);
                let bytes = frame.clone().build().into();
                let copies = Copies { form: Form::Raw, bytes, ports: ports([MANAGER]) };
                assert_eq!(run(&policy, source, frame), Decision::Forward(vec![copies]));
            }
        }
        expect(&policy, MANAGER, frame(MANAGER, address), Err(Reason::Filtered));
    }
    for beyond in [[0x01, 0x80, 0xC2, 0, 0, 0x10], [0x01, 0x80, 0xC2, 0, 1, 0], [0x03, 0x80, 0xC2, 0, 0, 0]] {
        expect(&policy, WIRE0, frame(WIRE0, MacAddress::new(beyond)), Err(Reason::Vlan));
    }
    let deaf = with(|policy| policy.ports[MANAGER].egress = false);
    expect(&deaf, WIRE0, frame(WIRE0, RESERVED), Err(Reason::Filtered));
    // The checks on the sender come first.
    let checked = with(|policy| {
        policy.ports[VF0].check_source = true;
        policy.ports[VF1].check_ethertype = true;
        policy.ethertypes[1] = Some(0x88CC);
    });
    expect(&checked, VF0, frame(VF1, RESERVED), Err(Reason::MacSpoof));
    expect(&checked, VF1, frame(VF1, RESERVED).ethertype(0x88CC), Err(Reason::EthertypeSpoof));
}
