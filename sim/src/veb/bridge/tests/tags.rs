//! Rules 7, 8 and 11: the VLAN of a frame, and what its copies look like.

use super::*;

const C0: Tag = Tag::customer(0);
const C100: Tag = Tag::customer(100);
const S0: Tag = Tag::service(0);
const S100: Tag = Tag::service(100);

/// (tags, VID, tagged, nested) for a port with PVID 1 where C-tags count or not, and S-tags.
#[test]
fn rule_7_which_tag_counts() {
    let classify = |customer_tags, service_tags, tags: &[Tag]| {
        let port = PortPolicy { pvid: 1, customer_tags, service_tags, ..PortPolicy::default() };
        let bytes = frame(PF, ALL).tags(tags.iter().copied()).build();
        let vlan = rules::classify(&port, &rules::whole(&bytes, false).unwrap());
        (vlan.vid, vlan.tag, vlan.is_tagged, vlan.is_nested)
    };
    for tags in [&[C100][..], &[C0], &[S100], &[S0]] {
        assert_eq!(classify(false, false, tags), (1, None, false, true), "no tag counts: {tags:?}");
    }
    for (customers, services) in [(false, false), (true, false), (false, true), (true, true)] {
        assert_eq!(classify(customers, services, &[]), (1, None, false, false));
    }
    for (both, customers, counting, other) in
        [(false, true, [C0, C100], S100), (false, false, [S0, S100], C100)]
    {
        let classify = |tags: &[Tag]| classify(customers || both, !customers || both, tags);
        let [priority, named] = counting;
        assert_eq!(classify(&[named]), (100, Some(named), true, false));
        assert_eq!(classify(&[priority]), (1, Some(priority), false, false));
        assert_eq!(classify(&[other]), (1, None, false, true));
        for second in [named, priority, other] {
            assert_eq!(classify(&[named, second]), (100, Some(named), true, true));
            assert_eq!(classify(&[priority, second]), (1, Some(priority), false, true));
            assert_eq!(classify(&[other, second]), (1, None, false, true));
        }
    }
    for tag in [C100, S100] {
        assert_eq!(classify(true, true, &[tag]), (100, Some(tag), true, false));
        assert_eq!(classify(true, true, &[tag, C0]), (100, Some(tag), true, true));
    }
}

#[test]
fn rule_7_admission_by_kind_of_frame() {
    let reason = |admits: [bool; 3], tags: &[Tag]| {
        let policy = with(|policy| {
            let port = &mut policy.ports[PF];
            [port.admit_untagged, port.admit_tagged, port.admit_nested] = admits;
        });
        run(&policy, PF, frame(PF, ALL).tags(tags.iter().copied())).reason()
    };
    for admits in (0..8).map(|bits| [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0]) {
        let [untagged, tagged, nested] = admits;
        let cases: [(&[Tag], bool); 8] = [
            (&[], untagged),
            (&[C0], untagged),
            (&[C100], tagged),
            (&[S100], untagged && nested),
            (&[C0, C100], untagged && nested),
            (&[C100, C0], tagged && nested),
            (&[C100, S0], tagged && nested),
            (&[C100, S0, C0], tagged && nested),
        ];
        for (tags, admitted) in cases {
            assert_eq!(reason(admits, tags), (!admitted).then_some(Reason::Admission), "{admits:?} {tags:?}");
        }
    }
}

#[test]
fn rule_8_only_members_send_and_two_vids_are_reserved() {
    let policy = with(|policy| {
        let all = VlanPolicy { members: policy.all_ports(), untagged: PortSet::EMPTY };
        policy.set_vlan(0, all);
        policy.set_vlan(0xFFF, all);
        policy.ports[VF0].pvid = 0;
        policy.ports[VF1].pvid = 0xFFF;
    });
    let reason = |source, tag: Option<Tag>| run(&policy, source, frame(source, ALL).tags(tag)).reason();
    assert_eq!(reason(PF, None), None);
    assert_eq!(reason(PF, Some(C100)), None);
    assert_eq!(reason(VF2, Some(C100)), Some(Reason::Vlan), "no member");
    assert_eq!(reason(PF, Some(Tag::customer(4094))), Some(Reason::Vlan), "nobody is a member");
    assert_eq!(reason(PF, Some(Tag::customer(0xFFF))), Some(Reason::Vlan));
    assert_eq!(reason(VF0, None), Some(Reason::Vlan));
    assert_eq!(reason(VF0, Some(C0)), Some(Reason::Vlan));
    assert_eq!(reason(VF1, None), Some(Reason::Vlan));
    assert_eq!(reason(VF1, Some(C100)), None);
    // To see all VLANs does not mean to send into them.
    let promiscuous = with(|policy| policy.wishes[VF2].vlan = true);
    expect(&promiscuous, VF2, frame(VF2, ALL).tags([C100]), Err(Reason::Vlan));
}

/// What leaves by a port for the tags that came in: the tags behind the addresses.
#[track_caller]
fn expect_tags(policy: &Policy, source: usize, tags: &[Tag], port: usize, expected: &[Tag]) {
    let built = |tags: &[Tag]| frame(source, ALL).tags(tags.iter().copied()).build();
    let decision = decide(policy, source, &built(tags), false, None);
    let copies = decision.at(port).unwrap_or_else(|| panic!("{decision:?}"));
    let form = if policy.vlan(100).untagged.contains(port) { Form::Untagged } else { Form::Tagged };
    assert_eq!((&copies.bytes[..], copies.form), (&built(expected)[..], form));
}

fn control(pcp: u8, dei: bool, vid: u16) -> VlanTag {
    VlanTag { pcp, dei, vid }
}

#[test]
fn rule_11_tags_are_put_in_filled_in_kept_and_taken_out() {
    let policy = with(|policy| {
        policy.ports[PF] = PortPolicy { priority: 5, ..PortPolicy::open(100) }.with_default_ports([WIRE0]);
    });
    // Wire0 gets VLAN 100 tagged, vf1 untagged.
    let customer = |control| Tag { kind: TagKind::Customer, control };
    let inserted = customer(control(5, false, 100));
    expect_tags(&policy, PF, &[], WIRE0, &[inserted]);
    expect_tags(&policy, PF, &[], VF1, &[]);
    let priority_tag = customer(control(3, true, 0));
    expect_tags(&policy, PF, &[priority_tag], WIRE0, &[customer(control(3, true, 100))]);
    expect_tags(&policy, PF, &[priority_tag], VF1, &[]);
    let own = customer(control(6, true, 100));
    expect_tags(&policy, PF, &[own], WIRE0, &[own]);
    expect_tags(&policy, PF, &[own], VF1, &[]);
    // Tags that do not count stay.
    for inner in [C0, S100, customer(control(7, true, 9))] {
        expect_tags(&policy, PF, &[own, inner], WIRE0, &[own, inner]);
        expect_tags(&policy, PF, &[own, inner], VF1, &[inner]);
        expect_tags(&policy, PF, &[own, inner, C100], VF1, &[inner, C100]);
    }
    expect_tags(&policy, PF, &[S100], WIRE0, &[inserted, S100]);
    expect_tags(&policy, PF, &[S100, C100], WIRE0, &[inserted, S100, C100]);
    expect_tags(&policy, PF, &[S100], VF1, &[S100]);
}

#[test]
fn rule_11_a_provider_puts_in_service_tags() {
    let tunnel = PortPolicy { priority: 2, ..PortPolicy::tunnel(100) }.with_default_ports([WIRE0]);
    let policy = with(|policy| {
        policy.ports[PF] = tunnel;
        policy.ports[WIRE0] = PortPolicy::service_trunk();
    });
    let inserted = Tag { kind: TagKind::Service, control: control(2, false, 100) };
    for payload in [&[][..], &[C0], &[C100], &[C100, C0]] {
        let wrapped = [&[inserted], payload].concat();
        expect_tags(&policy, PF, payload, WIRE0, &wrapped);
        expect_tags(&policy, WIRE0, &wrapped, VF1, payload);
        expect_tags(&policy, WIRE0, &wrapped, VF0, &wrapped);
    }
    expect(&policy, WIRE0, frame(WIRE0, ALL).tags([C100]), Err(Reason::Admission));
    let own = Tag { kind: TagKind::Service, control: control(1, true, 0) };
    let both = with(|policy| {
        policy.ports[PF] =
            PortPolicy { service_tags: true, ..PortPolicy::open(100) }.with_default_ports([WIRE0]);
    });
    let filled = Tag { kind: TagKind::Service, control: control(1, true, 100) };
    expect_tags(&both, PF, &[own], WIRE0, &[filled]);
}

#[test]
fn rule_11_the_length_changes_by_a_tag_and_nothing_is_filled_up() {
    let policy = with(|policy| policy.ports[PF].pvid = 100);
    let length = |source, tag: Option<Tag>, length, port| {
        let bytes = frame(source, ALL).tags(tag).build_with_length(length);
        decide(&policy, source, &bytes, false, None).at(port).map(|copies| copies.bytes.len())
    };
    assert_eq!(length(PF, None, 14, WIRE0), Some(18));
    assert_eq!(length(PF, None, 60, VF0), Some(64));
    assert_eq!(length(PF, None, 9622, WIRE0), Some(9626));
    assert_eq!(length(PF, Some(C100), 18, VF1), Some(14));
    assert_eq!(length(PF, Some(C100), 64, VF1), Some(60));
    assert_eq!(length(PF, Some(C100), 9622, VF1), Some(9618));
}

#[test]
fn rule_11_both_forms_of_one_frame() {
    let decision = run(&base(), WIRE0, frame(WIRE0, ALL).tags([C100]));
    let forms: Vec<_> = decision.copies().iter().map(|copies| (copies.form, copies.ports)).collect();
    assert_eq!(forms, [(Form::Tagged, ports([MANAGER, PF, VF0])), (Form::Untagged, ports([VF1]))]);
    assert_eq!(decision.ports(), ports([MANAGER, PF, VF0, VF1]));
    assert_eq!((decision.at(VF2), decision.at(VF1).map(|copies| copies.form)), (None, Some(Form::Untagged)));
}
