//! The rules once more, in another shape: each port by itself asks whether and how it gets a frame, from the bytes.

use proptest::prelude::*;

use super::*;
use crate::veb::arbitrary::{self, Arrival};

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from(*bytes.get(at)?) * 256 + u16::from(*bytes.get(at + 1)?))
}

fn is_tpid(word: u16) -> bool {
    word == 0x8100 || word == 0x88A8
}

/// What leaves `port`, if anything does.
fn leaves(policy: &Policy, arrival: &Arrival, port: usize, with_mirrors: bool) -> Option<Vec<u8>> {
    let (source, bytes) = (arrival.source, &arrival.bytes[..]);
    let from = &policy.ports[source];
    let to = &policy.ports[port];
    // The type is behind two tags at most.
    let first = word(bytes, 12)?;
    let (mut type_at, mut tag_count) = (12, 0);
    while tag_count < 2 && is_tpid(word(bytes, type_at)?) {
        (type_at, tag_count) = (type_at + 4, tag_count + 1);
    }
    let ethertype = word(bytes, type_at)?;
    if arrival.error || bytes.len() > 9622 || !from.ingress {
        return None;
    }
    let counts = first == 0x8100 && from.customer_tags || first == 0x88A8 && from.service_tags;
    let tag_vid = if counts { word(bytes, 14)? % 4096 } else { 0 };
    let vid = if tag_vid == 0 { from.pvid } else { tag_vid };
    let number =
        |at: usize| bytes[at..at + 6].iter().fold(0u64, |value, &byte| value * 256 + u64::from(byte));
    let (da, sa) = (number(0), number(6));
    let has = |port: usize, address: u64| {
        policy.entries().any(|(key, mac, ports)| {
            (key == 0 || key == vid) && mac.to_u64() == address && ports.contains(port)
        })
    };
    let is_wire = |port: usize| port < policy.manager();
    let all = || 0..policy.port_count();
    let mirrored = |gets: &dyn Fn(usize) -> bool| {
        let mut mirrors = policy.mirrors.iter().flatten().filter(|mirror| mirror.target == port);
        with_mirrors
            && mirrors.any(|mirror| match (mirror.direction, mirror.of) {
                (Direction::Ingress, MirrorOf::Port(mirrored)) => mirrored == source,
                (Direction::Ingress, MirrorOf::Vlan(mirrored)) => mirrored == vid,
                (Direction::Egress, MirrorOf::Port(mirrored)) => {
                    mirrored < policy.port_count() && gets(mirrored)
                }
                (Direction::Egress, MirrorOf::Vlan(mirrored)) => mirrored == vid && all().any(gets),
            })
    };
    if !to.egress || port == source {
        return None;
    }
    if let Some(forced) = arrival.forced {
        let gets =
            |port: usize| forced.contains(port) && policy.ports[port].egress && port != policy.manager();
        return (gets(port) || mirrored(&gets)).then(|| bytes.to_vec());
    }
    if from.check_source && (bytes[6] % 2 == 1 || !has(source, sa)) {
        return None;
    }
    if from.check_ethertype && (is_tpid(ethertype) || policy.ethertypes.contains(&Some(ethertype))) {
        return None;
    }
    if da >> 4 == 0x0180_C200_0000 >> 4 {
        let gets = |port: usize| port == policy.manager() && policy.ports[port].egress && port != source;
        return (gets(port) || mirrored(&gets)).then(|| bytes.to_vec());
    }
    let admitted = if tag_vid != 0 { from.admit_tagged } else { from.admit_untagged };
    let foreign_tags = tag_count - usize::from(counts);
    let refused = !admitted || foreign_tags > 0 && !from.admit_nested;
    if refused || vid == 0 || vid == 4095 || !policy.vlan(vid).members.contains(source) {
        return None;
    }
    let reachable = |port: usize| {
        let sees_all = !is_wire(port) && policy.wishes[port].vlan && policy.ports[port].may_vlan;
        policy.ports[port].egress && (sees_all || policy.vlan(vid).members.contains(port))
    };
    let is_veb = |port: usize| !is_wire(port) && policy.ports[port].mode == Mode::Veb;
    let is_group = bytes[0] % 2 == 1;
    let wants = |port: usize| {
        let (row, wishes) = (&policy.ports[port], policy.wishes[port]);
        let hash = (0..48).filter(|bit| da >> bit & 1 == 1).fold(0, |hash, bit| hash ^ 1 << (bit % 9));
        match (da, is_group) {
            (0xFFFF_FFFF_FFFF, _) => row.broadcast,
            (_, true) => {
                has(port, da)
                    || policy.multicast(hash).contains(port)
                    || policy.filters.contains(&Filter { function: port, of: FilterOf::Group(hash) })
                    || wishes.multicast && row.may_multicast
            }
            (_, false) => has(port, da) || wishes.unicast && row.may_unicast,
        }
    };
    let gets = |port: usize| {
        let is_default = from.default_ports.contains(port);
        let row = &policy.ports[port];
        let listed = if is_wire(source) {
            let known = is_group || all().any(|port| !is_wire(port) && has(port, da) && reachable(port));
            let was_sent_by_function = || all().any(|port| !is_wire(port) && has(port, sa));
            !is_wire(port)
                && (wants(port) || is_default && !known)
                && !(row.prune && has(port, sa))
                && !(row.mode == Mode::Isolated && was_sent_by_function())
        } else if is_veb(source) {
            let known = all().any(|port| (is_wire(port) || is_veb(port)) && has(port, da) && reachable(port));
            is_veb(port) && wants(port)
                || is_wire(port) && has(port, da)
                || is_default && (is_group || !known)
        } else {
            is_default
        };
        let filters = !is_wire(port) && policy.wishes[port].filter;
        let in_filter = policy.filters.contains(&Filter { function: port, of: FilterOf::Vlan(vid) });
        let is_unwanted = filters && !in_filter && !policy.vlan(vid).untagged.contains(port);
        listed && reachable(port) && port != source && !is_unwanted
    };
    if !gets(port) && !mirrored(&gets) {
        return None;
    }
    let mut out = bytes.to_vec();
    match (policy.vlan(vid).untagged.contains(port), counts) {
        (true, true) => drop(out.drain(12..16)),
        (true, false) => {}
        (false, true) => (out[14], out[15]) = (out[14] & 0xF0 | (vid >> 8) as u8, vid as u8),
        (false, false) => {
            let tpid = if from.inserted_tag == TagKind::Service { [0x88, 0xA8] } else { [0x81, 0] };
            let control = [from.priority << 5 | (vid >> 8) as u8, vid as u8];
            drop(out.splice(12..12, [tpid, control].concat()));
        }
    }
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn both_formulations_of_the_rules_agree(
        (policy, arrivals) in arbitrary::shape().prop_flat_map(|shape| {
            (arbitrary::policy(shape), proptest::collection::vec(arbitrary::arrival(shape, 100), 20))
        })
    ) {
        for arrival in arrivals {
            let decision = arrival.decide(&policy);
            for port in 0..policy.port_count() {
                let got = decision.at(port).map(|copies| copies.bytes.to_vec());
                prop_assert_eq!(got, leaves(&policy, &arrival, port, true), "port {} of {:?}", port, arrival);
            }
            prop_assert_eq!(decision.reason().is_none(), !decision.ports().is_empty());
        }
    }
}
