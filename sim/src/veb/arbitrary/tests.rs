//! What the generators make: whether each rule decides about enough frames.

use std::collections::BTreeMap;

use proptest::{
    collection::vec,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::*;
use crate::{
    ethernet::{FrameView, TagKind},
    veb::{
        bridge::{Form, Reason, rules},
        policy::{Direction, FilterOf, MirrorOf, Mode, PortPolicy, Wishes},
    },
};

const BRIDGES: usize = 400;
const FRAMES: usize = 50;

/// Policies with frames, always the same.
fn samples() -> impl Iterator<Item = (Policy, Vec<Arrival>)> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = shape().prop_flat_map(|shape| (policy(shape), vec(arrival(shape, 9700), FRAMES)));
    (0..BRIDGES).map(move |_| strategy.new_tree(&mut runner).expect("nothing is rejected").current())
}

/// How often each thing occurs.
#[derive(Default)]
struct Tally(BTreeMap<String, usize>);

impl Tally {
    fn add(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    /// Asserts that each of `expected` occurs so often at least.
    #[track_caller]
    fn expect(&self, expected: &[(&str, usize)]) {
        let rare: Vec<_> = expected
            .iter()
            .filter(|(what, least)| self.0.get(*what).is_none_or(|count| count < least))
            .collect();
        assert!(rare.is_empty(), "too rare: {rare:?} in {:#?}", self.0);
    }
}

#[test]
fn each_reason_destination_and_edit_is_frequent() {
    let mut tally = Tally::default();
    for (policy, arrivals) in samples() {
        for arrival in arrivals {
            let decision = arrival.decide(&policy);
            tally.add(decision.reason().map_or("forwarded", Reason::name));
            if decision.reason() == Some(Reason::MacSpoof) && has_source(&policy, &arrival) {
                tally.add("group for a source, with an entry");
            }
            if decision.reason().is_none() {
                destinations(&policy, &arrival, &decision, &mut tally);
                edits(&policy, &arrival, &decision, &mut tally);
            }
        }
    }
    tally.expect(&[
        ("forwarded", 8000),
        ("error", 200),
        ("runt", 200),
        ("oversize", 50),
        ("disabled", 200),
        ("mac_spoof", 300),
        ("group for a source, with an entry", 3),
        ("ethertype_spoof", 200),
        ("admission", 500),
        ("vlan", 500),
        ("filtered", 500),
        ("forced", 300),
        ("reserved", 100),
        ("mirror", 500),
        ("wire: hit", 500),
        ("wire: broadcast", 500),
        ("wire: hash", 500),
        ("wire: filter", 300),
        ("wire: wish", 500),
        ("wire: default", 300),
        ("function: hit", 300),
        ("function: wire hit", 50),
        ("function: broadcast", 500),
        ("function: hash", 500),
        ("function: filter", 100),
        ("function: wish", 500),
        ("function: default", 500),
        ("edge: default", 500),
        ("raw", 500),
        ("inserted C", 1000),
        ("inserted S", 500),
        ("filled in C", 200),
        ("filled in S", 30),
        ("kept C", 1000),
        ("kept S", 100),
        ("removed C", 1000),
        ("removed S", 100),
        ("none to remove", 1000),
        ("none to remove, foreign tags", 200),
        ("removed, foreign tags", 200),
        ("kept, foreign tags", 200),
    ]);
}

/// Whether the source address has the port, as if it were no group.
fn has_source(policy: &Policy, arrival: &Arrival) -> bool {
    let header = rules::whole(&arrival.bytes, false).unwrap();
    let vid = rules::classify(&policy.ports[arrival.source], &header).vid;
    policy.hits(vid, header.source).contains(arrival.source)
}

/// Counts by which rule each copy goes where it does.
fn destinations(policy: &Policy, arrival: &Arrival, decision: &Decision, tally: &mut Tally) {
    let source = arrival.source;
    let header = rules::whole(&arrival.bytes, false).unwrap();
    let vid = rules::classify(&policy.ports[source], &header).vid;
    let destination = header.destination;
    let by_rules = match arrival.forced {
        Some(ports) => rules::forced(policy, ports),
        None if rules::is_reserved(destination) => rules::reserved(policy, source),
        None => rules::destinations(policy, source, vid, &header),
    };
    for port in decision.ports().iter() {
        let is_edge = !policy.is_wire(source) && policy.ports[source].mode != Mode::Veb;
        let from = if policy.is_wire(source) { "wire" } else { "function" };
        let hit = policy.hits(vid, destination).contains(port);
        let hash = super::super::policy::multicast_hash(destination);
        let listed = policy.has_filter(port, FilterOf::Group(hash));
        let hash = policy.multicast(hash).contains(port);
        let Wishes { unicast, multicast, .. } = policy.wishes[port];
        let PortPolicy { may_unicast, may_multicast, .. } = policy.ports[port];
        let wish = if destination.is_group() { multicast && may_multicast } else { unicast && may_unicast };
        let broadcast = destination == MacAddress::BROADCAST;
        tally.add(match () {
            () if !by_rules.contains(port) => "mirror".into(),
            () if arrival.forced.is_some() => "forced".into(),
            () if rules::is_reserved(destination) => "reserved".into(),
            () if is_edge => "edge: default".into(),
            () if policy.is_wire(port) && hit => format!("{from}: wire hit"),
            () if policy.is_wire(port) => format!("{from}: default"),
            () if broadcast => format!("{from}: broadcast"),
            () if hit => format!("{from}: hit"),
            () if destination.is_group() && hash => format!("{from}: hash"),
            () if destination.is_group() && listed => format!("{from}: filter"),
            () if wish => format!("{from}: wish"),
            () => format!("{from}: default"),
        });
    }
}

/// Counts what is done to the tags.
fn edits(policy: &Policy, arrival: &Arrival, decision: &Decision, tally: &mut Tally) {
    let header = rules::whole(&arrival.bytes, false).unwrap();
    let vlan = rules::classify(&policy.ports[arrival.source], &header);
    let foreign = if vlan.is_nested { ", foreign tags" } else { "" };
    let letter = |tpid: Option<u16>| if tpid == Some(0x88A8) { "S" } else { "C" };
    let own = letter(vlan.tag.map(|tag| tag.kind.tpid()));
    for copies in decision.copies() {
        let first = letter(FrameView(&copies.bytes).type_behind_tags(0));
        let edit = match (copies.form, vlan.tag) {
            (Form::Raw, _) => "raw".to_owned(),
            (Form::Tagged, None) => format!("inserted {first}"),
            (Form::Tagged, Some(tag)) if tag.control.vid == 0 => format!("filled in {own}"),
            (Form::Tagged, Some(_)) => format!("kept {own}"),
            (Form::Untagged, Some(_)) => format!("removed {own}"),
            (Form::Untagged, None) => "none to remove".to_owned(),
        };
        let kind = edit.trim_end_matches([' ', 'C', 'S']);
        tally.add(format!("{kind}{foreign}"));
        tally.add(edit);
    }
}

type Ablation = (&'static str, usize, fn(&mut Policy));

fn each_port(policy: &mut Policy, change: impl Fn(&mut PortPolicy)) {
    policy.ports.iter_mut().for_each(change);
}

fn each_mirror(policy: &mut Policy, is_one: impl Fn(Direction, MirrorOf) -> bool) {
    for mirror in &mut policy.mirrors {
        *mirror = mirror.filter(|mirror| !is_one(mirror.direction, mirror.of));
    }
}

/// Policies without one of their features, and how many of the frames must fare differently.
const ABLATIONS: [Ablation; 31] = [
    ("inserted_tag", 300, |policy| each_port(policy, |port| port.inserted_tag = TagKind::Customer)),
    ("priority", 1000, |policy| each_port(policy, |port| port.priority = 0)),
    ("customer_tags", 1000, |policy| each_port(policy, |port| port.customer_tags = false)),
    ("service_tags", 100, |policy| each_port(policy, |port| port.service_tags = false)),
    ("admit_untagged", 200, |policy| each_port(policy, |port| port.admit_untagged = true)),
    ("admit_tagged", 200, |policy| each_port(policy, |port| port.admit_tagged = true)),
    ("admit_nested", 200, |policy| each_port(policy, |port| port.admit_nested = true)),
    ("ingress", 200, |policy| each_port(policy, |port| port.ingress = true)),
    ("egress", 500, |policy| each_port(policy, |port| port.egress = true)),
    ("check_source", 200, |policy| each_port(policy, |port| port.check_source = false)),
    ("check_ethertype", 200, |policy| each_port(policy, |port| port.check_ethertype = false)),
    ("mode", 1000, |policy| each_port(policy, |port| port.mode = Mode::Veb)),
    ("isolated", 300, |policy| {
        each_port(policy, |port| {
            port.mode = if port.mode == Mode::Isolated { Mode::Vepa } else { port.mode };
        });
    }),
    ("broadcast", 200, |policy| each_port(policy, |port| port.broadcast = true)),
    ("may_unicast", 50, |policy| each_port(policy, |port| port.may_unicast = true)),
    ("may_multicast", 50, |policy| each_port(policy, |port| port.may_multicast = true)),
    ("may_vlan", 50, |policy| each_port(policy, |port| port.may_vlan = true)),
    ("prune", 100, |policy| each_port(policy, |port| port.prune = false)),
    ("default_ports", 1000, |policy| each_port(policy, |port| port.default_ports = PortSet::EMPTY)),
    ("unicast wishes", 300, |policy| policy.wishes.iter_mut().for_each(|wishes| wishes.unicast = false)),
    ("multicast wishes", 200, |policy| policy.wishes.iter_mut().for_each(|wishes| wishes.multicast = false)),
    ("vlan wishes", 300, |policy| policy.wishes.iter_mut().for_each(|wishes| wishes.vlan = false)),
    ("filter wishes", 300, |policy| policy.wishes.iter_mut().for_each(|wishes| wishes.filter = false)),
    ("filters of groups", 100, |policy| {
        policy.filters.retain(|filter| matches!(filter.of, FilterOf::Vlan(_)));
    }),
    ("filters of VLANs", 300, |policy| {
        policy.filters.retain(|filter| matches!(filter.of, FilterOf::Group(_)));
    }),
    ("ethertypes", 100, |policy| policy.ethertypes = Default::default()),
    ("mirror ingress port", 50, |policy| {
        each_mirror(policy, |direction, of| {
            direction == Direction::Ingress && matches!(of, MirrorOf::Port(_))
        });
    }),
    ("mirror ingress vlan", 100, |policy| {
        each_mirror(policy, |direction, of| {
            direction == Direction::Ingress && matches!(of, MirrorOf::Vlan(_))
        });
    }),
    ("mirror egress port", 50, |policy| {
        each_mirror(policy, |direction, of| {
            direction == Direction::Egress && matches!(of, MirrorOf::Port(_))
        });
    }),
    ("mirror egress vlan", 100, |policy| {
        each_mirror(policy, |direction, of| {
            direction == Direction::Egress && matches!(of, MirrorOf::Vlan(_))
        });
    }),
    ("entries for any VLAN", 500, |policy| {
        let keys: Vec<_> = policy.entries().filter(|entry| entry.0 == 0).map(|entry| entry.1).collect();
        for address in keys {
            policy.remove_entry(0, address);
        }
    }),
];

#[test]
fn each_feature_of_a_policy_decides_about_frames() {
    let mut tally = Tally::default();
    for (policy, arrivals) in samples() {
        let decisions: Vec<_> = arrivals.iter().map(|arrival| arrival.decide(&policy)).collect();
        for (name, _, change) in ABLATIONS {
            let mut without = policy.clone();
            change(&mut without);
            for (arrival, decision) in arrivals.iter().zip(&decisions) {
                if arrival.decide(&without) != *decision {
                    tally.add(name);
                }
            }
        }
    }
    tally.expect(&ABLATIONS.map(|(name, least, _)| (name, least)));
}

/// A third of the frames is not what it should be: spoofed, or with tags or headers that are not in order.
#[test]
fn a_third_of_the_frames_is_bad() {
    let mut tally = Tally::default();
    for (_, arrivals) in samples() {
        for Arrival { source, bytes, error, .. } in arrivals {
            let view = FrameView(&bytes);
            let is_short = view.type_behind_tags(2).is_none();
            let is_spoofed = view.source().is_some_and(|address| address != station(source)) && source > 1;
            let tags: Vec<_> = view.tags().collect();
            let odd_tags = tags.len() > 1 || tags.iter().any(|tag| matches!(tag.control.vid, 0 | 5 | 0xFFF));
            tally.add(if error || is_short || is_spoofed || odd_tags { "bad" } else { "good" });
        }
    }
    tally.expect(&[("bad", BRIDGES * FRAMES / 3), ("good", BRIDGES * FRAMES / 3)]);
}

proptest! {
    /// Stamped frames differ, and only in what no rule looks at.
    #[test]
    fn stamps_tell_frames_apart(
        (policy, arrival) in shape().prop_flat_map(|shape| (policy(shape), arrival(shape, 100)))
    ) {
        let [mut first, mut second] = [arrival.clone(), arrival.clone()];
        first.stamp(1);
        second.stamp(2);
        let decisions = [&arrival, &first, &second].map(|arrival| arrival.decide(&policy));
        let [ports, first, second] = decisions.each_ref().map(|decision| (decision.ports(), decision.reason()));
        prop_assert_eq!((ports, ports), (first, second));
        for (a, b) in decisions[1].copies().iter().zip(decisions[2].copies()) {
            prop_assert_ne!(&a.bytes, &b.bytes);
        }
    }

    /// Whatever row changes, the hardware's words say it: the policy that they were made for has them.
    #[test]
    fn changes_can_be_applied_and_are_what_they_say(
        (policy, changes) in shape().prop_flat_map(|shape| (policy(shape), vec(change(shape), 1..10)))
    ) {
        let mut changed = policy.clone();
        for change in &changes {
            let before = changed.clone();
            changed.apply(change);
            let difference = changed.changes_from(&before);
            prop_assert!(difference.len() <= 1, "{:?}", difference);
            prop_assert!(difference.iter().all(|only| only == change));
        }
        let mut again = policy.clone();
        changed.changes_from(&policy).iter().for_each(|change| again.apply(change));
        prop_assert_eq!(again, changed);
    }

    /// The setup of a policy leads to it; wishes and filters are not part of it.
    #[test]
    fn a_setup_leads_to_its_policy(policy in shape().prop_flat_map(policy)) {
        let mut built = Policy::new(policy.wires().len(), policy.functions().len());
        built.wishes = policy.wishes.clone();
        built.filters = policy.filters.clone();
        policy.setup().iter().for_each(|change| built.apply(change));
        prop_assert_eq!(built, policy);
    }
}
