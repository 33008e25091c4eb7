//! Random policies and changes.

use proptest::prelude::*;
use proptest::{collection::vec, option, sample::select};

use super::{
    Shape, any_vid, ethertype, few_ports, group, half_the_ports, reserved_address, station, stranger, vid,
};
use crate::{
    ethernet::{MacAddress, TagKind},
    veb::{
        PortSet,
        policy::{
            Change, Direction, ETHERTYPES, Filter, FilterOf, Mirror, MirrorOf, Mode, Policy, PortPolicy,
            VlanPolicy, Wishes, multicast_hash,
        },
    },
};

/// A policy for a bridge of this shape; rates and limits are left alone.
pub fn policy(shape: Shape) -> impl Strategy<Value = Policy> {
    let port = move |port| (port_policy(shape, port), wishes(), own_entry());
    let ports: Vec<_> = (0..shape.ports()).map(port).collect();
    let vlans: Vec<_> = [1, 2, 100, 4094].map(|vid| (Just(vid), vlan(shape))).into();
    // Rows of VIDs that name no VLAN, which must count for nothing.
    let no_vlans = vec((select(vec![0, 0xFFF]), vlan(shape)), 0..=2);
    let multicast = vec((group(), half_the_ports(shape)), 0..=3);
    let ethertypes = vec((0..ETHERTYPES, ethertype()), 0..=2);
    let mirrors = [option::weighted(0.6, mirror(shape)), option::weighted(0.4, mirror(shape))];
    let entries = vec(entry(shape), 0..8);
    let filters = vec(filter(shape), 0..3 * shape.functions);
    (ports, vlans, no_vlans, multicast, ethertypes, mirrors, entries, filters).prop_map(
        move |(ports, vlans, no_vlans, multicast, ethertypes, mirrors, entries, filters)| {
            let mut policy = Policy::new(shape.wires, shape.functions);
            for (port, (port_policy, wishes, own)) in ports.into_iter().enumerate() {
                policy.ports[port] = port_policy;
                policy.wishes[port] = wishes;
                if let Some(vid) = own.filter(|_| port >= shape.wires) {
                    policy.insert_entry(vid, station(port), PortSet::single(port));
                }
            }
            vlans.into_iter().chain(no_vlans).for_each(|(vid, vlan)| policy.set_vlan(vid, vlan));
            for (address, ports) in multicast {
                policy.set_multicast(multicast_hash(address), ports);
            }
            ethertypes.into_iter().for_each(|(index, value)| policy.ethertypes[index] = Some(value));
            policy.mirrors = mirrors;
            for (vid, address, ports) in entries {
                policy.insert_entry(vid, address, ports);
            }
            // VLANs of a function that does not filter would count for nothing.
            let counts = |filter: &Filter| match filter.of {
                FilterOf::Group(_) => true,
                FilterOf::Vlan(_) => policy.wishes[filter.function].filter,
            };
            policy.filters = filters.into_iter().filter(counts).collect();
            policy
        },
    )
}

/// The policy of one port.
pub fn port_policy(shape: Shape, port: usize) -> impl Strategy<Value = PortPolicy> {
    let presets = prop_oneof![
        12 => Just(PortPolicy::open(0)),
        4 => Just(PortPolicy { service_tags: true, inserted_tag: TagKind::Service, ..PortPolicy::open(0) }),
        2 => Just(PortPolicy::access(0)),
        1 => Just(PortPolicy::trunk()),
        1 => Just(PortPolicy::tunnel(0)),
        1 => Just(PortPolicy::service_trunk()),
    ];
    let pvid = prop_oneof![40 => vid(), 2 => any_vid(), 1 => Just(0)];
    let modes = prop_oneof![5 => Just(Mode::Veb), 2 => Just(Mode::Vepa), 2 => Just(Mode::Isolated)];
    let is_wire = port < shape.wires;
    let default_ports = prop_oneof![
        3 => Just(PortSet::single(if is_wire { shape.wires } else { 0 })),
        2 => few_ports(shape),
        1 => half_the_ports(shape),
    ];
    // Stations behind wires are seldom known.
    let check_source = prop::bool::weighted(if is_wire { 0.05 } else { 0.4 });
    let checks = (check_source, prop::bool::weighted(0.3), prop::bool::weighted(0.5));
    (presets, pvid, 0..8u8, modes, default_ports, checks, changed_flags()).prop_map(
        |(preset, pvid, priority, mode, default_ports, (check_source, check_ethertype, prune), changed)| {
            let port = PortPolicy {
                pvid,
                priority,
                mode,
                default_ports,
                check_source,
                check_ethertype,
                prune,
                ..preset
            };
            changed.into_iter().fold(port, |port, change| change(port))
        },
    )
}

/// Now and then a flag is not as the preset has it.
fn changed_flags() -> impl Strategy<Value = Vec<fn(PortPolicy) -> PortPolicy>> {
    let changes: Vec<fn(PortPolicy) -> PortPolicy> = vec![
        |port| PortPolicy { customer_tags: !port.customer_tags, ..port },
        |port| PortPolicy { service_tags: !port.service_tags, ..port },
        |port| PortPolicy { admit_untagged: !port.admit_untagged, ..port },
        |port| PortPolicy { admit_tagged: !port.admit_tagged, ..port },
        |port| PortPolicy { admit_nested: !port.admit_nested, ..port },
        |port| PortPolicy { ingress: !port.ingress, ..port },
        |port| PortPolicy { egress: !port.egress, ..port },
        |port| PortPolicy { broadcast: !port.broadcast, ..port },
        |port| PortPolicy { may_unicast: !port.may_unicast, ..port },
        |port| PortPolicy { may_multicast: !port.may_multicast, ..port },
        |port| PortPolicy { may_vlan: !port.may_vlan, ..port },
        |port| PortPolicy { inserted_tag: TagKind::Service, ..port },
    ];
    prop_oneof![3 => Just(vec![]), 1 => vec(select(changes), 1..=3)]
}

fn wishes() -> impl Strategy<Value = Wishes> {
    let wish = || prop::bool::weighted(0.15);
    (wish(), wish(), wish(), prop::bool::weighted(0.3))
        .prop_map(|(unicast, multicast, vlan, filter)| Wishes { unicast, multicast, vlan, filter })
}

/// Something that a function asked for.
fn filter(shape: Shape) -> impl Strategy<Value = Filter> {
    let of = prop_oneof![
        1 => group().prop_map(|group| FilterOf::Group(multicast_hash(group))),
        3 => vid().prop_map(FilterOf::Vlan),
    ];
    (shape.wires..shape.ports(), of).prop_map(|(function, of)| Filter { function, of })
}

/// The VLAN in which the port's station has its entry: mostly any.
fn own_entry() -> impl Strategy<Value = Option<u16>> {
    prop_oneof![8 => Just(Some(0)), 2 => vid().prop_map(Some), 1 => Just(None)]
}

fn entry(shape: Shape) -> impl Strategy<Value = (u16, MacAddress, PortSet)> {
    let address = prop_oneof![
        4 => (0..shape.ports()).prop_map(station),
        4 => stranger(),
        3 => group(),
        1 => Just(MacAddress::BROADCAST),
        1 => reserved_address(),
    ];
    let wire = (0..shape.wires).prop_map(PortSet::single);
    let ports = prop_oneof![3 => few_ports(shape), 1 => wire, 1 => half_the_ports(shape)];
    (prop_oneof![2 => Just(0), 3 => vid(), 1 => any_vid()], address, ports)
}

/// Seven in eight ports are members, every other one of all ports gets no tags.
fn vlan(shape: Shape) -> impl Strategy<Value = VlanPolicy> {
    let members = vec(half_the_ports(shape), 3);
    (members, half_the_ports(shape)).prop_map(|(members, untagged)| {
        let members = members.into_iter().fold(PortSet::EMPTY, |all, some| all | some);
        VlanPolicy { members, untagged }
    })
}

fn mirror(shape: Shape) -> impl Strategy<Value = Mirror> {
    let direction = prop_oneof![Just(Direction::Ingress), Just(Direction::Egress)];
    let of = prop_oneof![
        8 => (0..shape.ports()).prop_map(MirrorOf::Port),
        1 => (0..4096usize).prop_map(MirrorOf::Port),
        4 => any_vid().prop_map(MirrorOf::Vlan),
    ];
    let target = prop_oneof![12 => 0..shape.ports(), 1 => 0..128usize];
    (direction, of, target).prop_map(|(direction, of, target)| Mirror { direction, of, target })
}

/// A change of one row, as the manager might make it under traffic.
pub fn change(shape: Shape) -> impl Strategy<Value = Change> {
    let port = (0..shape.ports())
        .prop_flat_map(move |port| port_policy(shape, port).prop_map(move |row| Change::port(port, &row)));
    let groups = (group(), half_the_ports(shape));
    prop_oneof![
        3 => port,
        3 => (any_vid(), vlan(shape)).prop_map(|(vid, vlan)| Change::vlan(vid, vlan)),
        1 => groups.prop_map(|(group, ports)| Change::multicast(multicast_hash(group), ports)),
        3 => entry(shape).prop_map(|(vid, address, ports)| Change::insert(vid, address, ports)),
        2 => entry(shape).prop_map(|(vid, address, _)| Change::delete(vid, address)),
        2 => (0..shape.ports()).prop_map(|port| Change::delete(0, station(port))),
        1 => (0..2usize, option::of(mirror(shape))).prop_map(|(index, mirror)| Change::mirror(index, mirror)),
        1 => (0..ETHERTYPES, option::of(ethertype())).prop_map(|(index, value)| Change::ethertype(index, value)),
    ]
}
