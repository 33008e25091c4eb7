//! The rules 1 to 10, one function each, in their order.

use super::Reason;
use crate::{
    ethernet::{FrameView, MAX_FRAME_BYTES, MacAddress, Tag, TagKind},
    veb::{
        PortSet,
        policy::{Direction, FilterOf, MirrorOf, Mode, Policy, PortPolicy, multicast_hash},
    },
};

/// Tags that the bridge looks behind.
const TAGS: usize = 2;

/// What the rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub destination: MacAddress,
    pub source: MacAddress,
    /// The first two tags, of either kind.
    pub tags: [Option<Tag>; TAGS],
    /// Length or type behind them; a TPID if there is a third tag.
    pub ethertype: u16,
}

/// The VLAN of a frame, by its tags and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classified {
    pub vid: u16,
    /// The first tag, if it counts as one of the port.
    pub tag: Option<Tag>,
    /// The tag counts and names a VLAN.
    pub is_tagged: bool,
    /// There is a tag that does not count.
    pub is_nested: bool,
}

/// Rule 1: a frame must be good, complete up to its type behind up to two tags, and not too long.
pub fn whole(frame: &[u8], error: bool) -> Result<Header, Reason> {
    if error {
        return Err(Reason::Error);
    }
    let view = FrameView(frame);
    let header = view.type_behind_tags(TAGS).and_then(|ethertype| {
        let mut tags = view.tags();
        Some(Header {
            destination: view.destination()?,
            source: view.source()?,
            tags: std::array::from_fn(|_| tags.next()),
            ethertype,
        })
    });
    let header = header.ok_or(Reason::Runt)?;
    if frame.len() > MAX_FRAME_BYTES { Err(Reason::Oversize) } else { Ok(header) }
}

/// Rule 2: frames may enter only where the manager lets them.
pub fn enabled(policy: &Policy, source: usize) -> Result<(), Reason> {
    refuse_if(!policy.ports[source].ingress, Reason::Disabled)
}

/// Rule 3: where a frame goes that the manager gave the ports of: a driver that owns the ports of others (Linux: switchdev)
/// sends through them as they would receive. No rule about VLANs or addresses applies.
pub fn forced(policy: &Policy, ports: PortSet) -> PortSet {
    (ports & egress(policy)) - PortSet::single(policy.manager())
}

/// Rule 4: the source address must belong to the port, in this VLAN or in any. A group is nobody's (802.3, 3.2.3).
pub fn source_address(policy: &Policy, source: usize, vid: u16, header: &Header) -> Result<(), Reason> {
    let belongs = !header.source.is_group() && policy.hits(vid, header.source).contains(source);
    refuse_if(policy.ports[source].check_source && !belongs, Reason::MacSpoof)
}

/// Rule 5: no type that only the manager may send (LLDP, flow control), neither openly nor behind a third tag, where the
/// bridge does not see it.
pub fn ethertype(policy: &Policy, source: usize, header: &Header) -> Result<(), Reason> {
    let is_forbidden =
        policy.ethertypes.contains(&Some(header.ethertype)) || TagKind::of_tpid(header.ethertype).is_some();
    refuse_if(policy.ports[source].check_ethertype && is_forbidden, Reason::EthertypeSpoof)
}

/// Rule 6: 01-80-C2-00-00-00 to -0F are for the bridge itself and are not relayed (8.6.3, table 8-1).
pub fn is_reserved(destination: MacAddress) -> bool {
    destination.to_u64() >> 4 == 0x0180_C200_0000 >> 4
}

/// Rule 6: the manager speaks for the bridge (8.13.9).
pub fn reserved(policy: &Policy, source: usize) -> PortSet {
    (PortSet::single(policy.manager()) & egress(policy)) - PortSet::single(source)
}

/// Rule 7, first half: the first tag counts if the port knows its kind; a tag with VID 0 carries a priority only (6.9).
pub fn classify(port: &PortPolicy, header: &Header) -> Classified {
    let [first, second] = header.tags;
    let tag = first.filter(|tag| match tag.kind {
        TagKind::Customer => port.customer_tags,
        TagKind::Service => port.service_tags,
    });
    let named = tag.map(|tag| tag.control.vid).filter(|&vid| vid != 0);
    Classified {
        vid: named.unwrap_or(port.pvid),
        tag,
        is_tagged: named.is_some(),
        is_nested: if tag.is_some() { second.is_some() } else { first.is_some() },
    }
}

/// Rule 7, second half: the acceptable frame types of the port (6.9), and whether foreign tags may pass.
pub fn admission(port: &PortPolicy, vlan: &Classified) -> Result<(), Reason> {
    let admits = if vlan.is_tagged { port.admit_tagged } else { port.admit_untagged };
    refuse_if(!admits || vlan.is_nested && !port.admit_nested, Reason::Admission)
}

/// Rule 8: ingress filtering (8.6.2). VIDs 0 and 0xFFF name no VLAN (table 9-2).
pub fn membership(policy: &Policy, source: usize, vid: u16) -> Result<(), Reason> {
    refuse_if(matches!(vid, 0 | 0xFFF) || !policy.vlan(vid).members.contains(source), Reason::Vlan)
}

/// Rule 9: the ports that get the frame, by who sent it. Only members of its VLAN and functions that may see all VLANs
/// (8.6.4), and never the source (8.6.1).
pub fn destinations(policy: &Policy, source: usize, vid: u16, header: &Header) -> PortSet {
    let reach = egress(policy) & in_vlan(policy, vid);
    let hits = policy.hits(vid, header.destination);
    let wanting = wanting(policy, hits, header.destination);
    let ports = match policy.ports[source].mode {
        _ if policy.is_wire(source) => from_wire(policy, source, vid, header, hits, wanting, reach),
        Mode::Veb => from_bridged_function(policy, source, header.destination, hits, wanting, reach),
        // Relayed by the external bridge only (clause 40).
        Mode::Vepa | Mode::Isolated => policy.ports[source].default_ports,
    };
    ((ports & reach) - PortSet::single(source)) - filtered_out(policy, vid)
}

/// Rule 9, last part: functions that would get the frame with its tag and did not ask for its VLAN.
fn filtered_out(policy: &Policy, vid: u16) -> PortSet {
    let refuses = |&function: &usize| {
        let gets_tag = !policy.vlan(vid).untagged.contains(function);
        policy.wishes[function].filter && gets_tag && !policy.has_filter(function, FilterOf::Vlan(vid))
    };
    policy.functions().iter().filter(refuses).collect()
}

/// Rule 9, functions that bridge among each other: what is for one of them, or for a known station, stays inside.
fn from_bridged_function(
    policy: &Policy,
    source: usize,
    destination: MacAddress,
    hits: PortSet,
    wanting: PortSet,
    reach: PortSet,
) -> PortSet {
    let bridged = policy.ports_that(|port| port.mode == Mode::Veb) & policy.functions();
    let is_known = !(hits & reach & (bridged | policy.wires())).is_empty();
    let to_default = destination.is_group() || !is_known;
    let default_ports = if to_default { policy.ports[source].default_ports } else { PortSet::EMPTY };
    wanting & bridged | hits & policy.wires() | default_ports
}

/// Rule 9, wires: functions only, as the stations behind other wires are the external network's to reach. Without those
/// that sent the frame themselves and have it reflected, and without isolated ones if a function sent it.
fn from_wire(
    policy: &Policy,
    source: usize,
    vid: u16,
    header: &Header,
    hits: PortSet,
    wanting: PortSet,
    reach: PortSet,
) -> PortSet {
    let functions = policy.functions();
    let is_unknown = !header.destination.is_group() && (hits & reach & functions).is_empty();
    let default_ports = if is_unknown { policy.ports[source].default_ports } else { PortSet::EMPTY };
    let senders = policy.hits(vid, header.source) & functions;
    let pruned = senders & policy.ports_that(|port| port.prune);
    let isolated = policy.ports_that(|port| port.mode == Mode::Isolated);
    let isolated = if senders.is_empty() { PortSet::EMPTY } else { isolated };
    ((wanting | default_ports) & functions) - pruned - isolated
}

/// Rule 9: the functions that want frames to this address.
fn wanting(policy: &Policy, hits: PortSet, destination: MacAddress) -> PortSet {
    let hash = multicast_hash(destination);
    let wants = |function: usize| {
        let (port, wishes) = (&policy.ports[function], &policy.wishes[function]);
        if destination == MacAddress::BROADCAST {
            port.broadcast
        } else if destination.is_group() {
            hits.contains(function)
                || policy.multicast(hash).contains(function)
                || policy.has_filter(function, FilterOf::Group(hash))
                || wishes.multicast && port.may_multicast
        } else {
            hits.contains(function) || wishes.unicast && port.may_unicast
        }
    };
    policy.functions().iter().filter(|&function| wants(function)).collect()
}

/// Rule 9: members of the VLAN, and functions that may see all VLANs and want to.
fn in_vlan(policy: &Policy, vid: u16) -> PortSet {
    let sees_all = |&function: &usize| policy.wishes[function].vlan && policy.ports[function].may_vlan;
    policy.vlan(vid).members | policy.functions().iter().filter(sees_all).collect()
}

/// Rule 10: the ports that get a copy because someone watches; `ports` are those that the rules before gave.
pub fn mirrors(policy: &Policy, source: usize, vid: u16, ports: PortSet) -> PortSet {
    let matching = policy.mirrors.iter().flatten().filter(|mirror| match (mirror.direction, mirror.of) {
        (Direction::Ingress, MirrorOf::Port(port)) => port == source,
        (Direction::Ingress, MirrorOf::Vlan(mirrored)) => mirrored == vid,
        (Direction::Egress, MirrorOf::Port(port)) => ports.contains(port),
        (Direction::Egress, MirrorOf::Vlan(mirrored)) => mirrored == vid && !ports.is_empty(),
    });
    let targets: PortSet = matching.map(|mirror| mirror.target).collect();
    (targets & egress(policy)) - PortSet::single(source)
}

/// The ports that frames may leave by.
fn egress(policy: &Policy) -> PortSet {
    policy.ports_that(|port| port.egress)
}

fn refuse_if(is_bad: bool, reason: Reason) -> Result<(), Reason> {
    if is_bad { Err(reason) } else { Ok(()) }
}
