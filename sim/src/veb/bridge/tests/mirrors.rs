//! Rule 10: copies for those who watch.

use super::*;
use Direction::{Egress, Ingress};

fn mirroring(direction: Direction, of: MirrorOf, target: usize) -> Policy {
    with(|policy| policy.mirrors[0] = Some(Mirror { direction, of, target }))
}

#[test]
fn what_enters_a_port_is_copied() {
    let policy = mirroring(Ingress, MirrorOf::Port(VF0), VF3);
    expect(&policy, VF0, frame(VF0, host(VF1)), Ok(ports([VF1, VF3])));
    expect(&policy, VF0, frame(VF0, host(VF3)), Ok(ports([VF3])));
    expect(&policy, VF1, frame(VF1, host(VF0)), Ok(ports([VF0])));
    // Nobody gets it, but it was not dropped.
    expect(&policy, VF0, frame(VF0, host(VF0)), Ok(ports([VF3])));
    // It was dropped.
    let strict = with(|policy| {
        policy.mirrors = mirroring(Ingress, MirrorOf::Port(VF0), VF3).mirrors;
        policy.ports[VF0] = PortPolicy { pvid: 7, ..policy.ports[VF0].clone() };
    });
    expect(&strict, VF0, frame(VF0, host(VF1)), Err(Reason::Vlan));
}

#[test]
fn what_leaves_a_port_is_copied() {
    let policy = mirroring(Egress, MirrorOf::Port(VF0), WIRE1);
    expect(&policy, VF1, frame(VF1, host(VF0)), Ok(ports([VF0, WIRE1])));
    expect(&policy, VF0, frame(VF0, host(VF1)), Ok(ports([VF1])));
    expect(&policy, WIRE0, frame(50, GROUP), Ok(ports([VF0, WIRE1])));
    // Nobody: nothing leaves.
    expect(&policy, VF0, frame(VF0, host(VF0)), Err(Reason::Filtered));
    // A wire's own frames do not come back to it.
    expect(&policy, WIRE1, frame(50, host(VF0)), Ok(ports([VF0])));
}

#[test]
fn what_is_of_a_vlan_is_copied() {
    let tagged = |source, to| frame(source, to).tag(VlanTag::new(100));
    for direction in [Ingress, Egress] {
        let policy = mirroring(direction, MirrorOf::Vlan(100), VF3);
        // vf3 is no member of VLAN 100.
        expect(&policy, PF, tagged(PF, host(VF0)), Ok(ports([VF0, VF3])));
        expect(&policy, PF, frame(PF, host(VF0)), Ok(ports([VF0])));
        let to_itself = if direction == Ingress { Ok(ports([VF3])) } else { Err(Reason::Filtered) };
        expect(&policy, PF, tagged(PF, host(PF)), to_itself);
        // By the port's VLAN too.
        let mut by_port = policy.clone();
        by_port.ports[PF].pvid = 100;
        expect(&by_port, PF, frame(PF, host(VF0)), Ok(ports([VF0, VF3])));
    }
}

#[test]
fn a_target_must_be_open_and_not_the_source() {
    let closed = with(|policy| {
        policy.mirrors = mirroring(Ingress, MirrorOf::Port(VF0), VF3).mirrors;
        policy.ports[VF3].egress = false;
    });
    expect(&closed, VF0, frame(VF0, host(VF1)), Ok(ports([VF1])));
    expect(&closed, VF0, frame(VF0, host(VF0)), Err(Reason::Filtered));
    let itself = mirroring(Ingress, MirrorOf::Port(VF0), VF0);
    expect(&itself, VF0, frame(VF0, host(VF1)), Ok(ports([VF1])));
    for nowhere in [8, 127] {
        let nowhere = mirroring(Ingress, MirrorOf::Port(VF0), nowhere);
        expect(&nowhere, VF0, frame(VF0, host(VF1)), Ok(ports([VF1])));
    }
    let nobody = mirroring(Egress, MirrorOf::Port(4095), VF3);
    expect(&nobody, VF0, frame(VF0, host(VF1)), Ok(ports([VF1])));
}

#[test]
fn mirrors_do_not_see_each_others_copies() {
    let policy = with(|policy| {
        policy.mirrors = [
            Some(Mirror { direction: Ingress, of: MirrorOf::Port(VF0), target: VF2 }),
            Some(Mirror { direction: Egress, of: MirrorOf::Port(VF2), target: VF3 }),
        ];
    });
    expect(&policy, VF0, frame(VF0, host(VF1)), Ok(ports([VF1, VF2])));
    expect(&policy, VF0, frame(VF0, host(VF2)), Ok(ports([VF2, VF3])));
    let both = with(|policy| {
        policy.mirrors =
            [VF2, VF3].map(|target| Some(Mirror { direction: Ingress, of: MirrorOf::Port(VF0), target }));
    });
    expect(&both, VF0, frame(VF0, host(VF1)), Ok(ports([VF1, VF2, VF3])));
    // The same target twice is one copy.
    let twice = with(|policy| {
        policy.mirrors = [Some(Mirror { direction: Ingress, of: MirrorOf::Port(VF0), target: VF2 }); 2]
    });
    expect(&twice, VF0, frame(VF0, host(VF1)), Ok(ports([VF1, VF2])));
}

#[test]
fn copies_of_forced_and_reserved_frames_are_as_they_came() {
    let raw =
        |bytes: &[u8], ports| Decision::Forward(vec![Copies { form: Form::Raw, bytes: bytes.into(), ports }]);
    let tagged = |source, to| frame(source, to).tag(VlanTag::new(100)).build();
    for (direction, of) in [
        (Ingress, MirrorOf::Port(MANAGER)),
        (Ingress, MirrorOf::Vlan(100)),
        (Egress, MirrorOf::Port(PF)),
        (Egress, MirrorOf::Vlan(100)),
    ] {
        let policy = mirroring(direction, of, VF1);
        let bytes = tagged(MANAGER, ALL);
        assert_eq!(decide(&policy, MANAGER, &bytes, false, Some(ports([PF]))), raw(&bytes, ports([PF, VF1])));
        // To nobody.
        let nobody = decide(&policy, MANAGER, &bytes, false, Some(PortSet::EMPTY));
        let expected = match direction {
            Ingress => raw(&bytes, ports([VF1])),
            Egress => Decision::Drop(Reason::Filtered),
        };
        assert_eq!(nobody, expected);
    }
    for (direction, of) in [
        (Ingress, MirrorOf::Port(PF)),
        (Ingress, MirrorOf::Vlan(100)),
        (Egress, MirrorOf::Port(MANAGER)),
        (Egress, MirrorOf::Vlan(100)),
    ] {
        let policy = mirroring(direction, of, VF1);
        let bytes = tagged(PF, RESERVED);
        assert_eq!(decide(&policy, PF, &bytes, false, None), raw(&bytes, ports([MANAGER, VF1])));
    }
    // The manager's own reserved frame has nobody to go to.
    let policy = mirroring(Ingress, MirrorOf::Port(MANAGER), VF1);
    let bytes = tagged(MANAGER, RESERVED);
    assert_eq!(decide(&policy, MANAGER, &bytes, false, None), raw(&bytes, ports([VF1])));
}

#[test]
fn copies_have_the_form_of_their_target() {
    // VLAN 100 is untagged at vf1 and at vf3, which is no member.
    let mut policy = mirroring(Ingress, MirrorOf::Port(PF), VF3);
    let form = |policy: &Policy| {
        run(policy, PF, frame(PF, host(VF0)).tag(VlanTag::new(100))).at(VF3).map(|copies| copies.form)
    };
    assert_eq!(form(&policy), Some(Form::Tagged));
    let vlan = policy.vlan(100);
    policy.set_vlan(100, VlanPolicy { untagged: vlan.untagged | ports([VF3]), ..vlan });
    assert_eq!(form(&policy), Some(Form::Untagged));
}
