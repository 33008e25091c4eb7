//! Ports and bridges as they are usually set up: where tests and scenario files start from.

use std::collections::BTreeMap;

use super::{Policy, PortPolicy, VlanPolicy};
use crate::{
    ethernet::{FrameView, TagKind},
    veb::PortSet,
};

/// Names of the presets of a port.
pub const PRESETS: [&str; 5] = ["open", "access", "trunk", "tunnel", "service_trunk"];

impl PortPolicy {
    /// A port that takes part in everything: any frame may enter and leave, C-tags count, promiscuity is allowed.
    ///
    /// It has no default port, so on its own it reaches functions only.
    pub fn open(pvid: u16) -> Self {
        Self {
            admit_tagged: true,
            admit_nested: true,
            may_unicast: true,
            may_multicast: true,
            may_vlan: true,
            ..Self::access(pvid)
        }
    }

    /// An access port (port VLAN): what enters is untagged or priority-tagged and belongs to `vid`.
    pub fn access(vid: u16) -> Self {
        Self {
            pvid: vid,
            customer_tags: true,
            admit_untagged: true,
            ingress: true,
            egress: true,
            broadcast: true,
            ..Self::default()
        }
    }

    /// A trunk: every frame carries a C-tag, and what is behind it does not matter.
    pub fn trunk() -> Self {
        Self { admit_untagged: false, admit_tagged: true, admit_nested: true, ..Self::access(0) }
    }

    /// A port of a provider bridge's customer (802.1ad): whatever enters gets an S-tag of `vid`; its C-tags are payload.
    pub fn tunnel(vid: u16) -> Self {
        Self { customer_tags: false, admit_nested: true, inserted_tag: TagKind::Service, ..Self::access(vid) }
    }

    /// A trunk of a provider network: S-tags count, C-tags behind them are payload.
    pub fn service_trunk() -> Self {
        Self { customer_tags: false, service_tags: true, inserted_tag: TagKind::Service, ..Self::trunk() }
    }

    /// The preset of this name, for scenario files: one of [`PRESETS`]. Trunks have no use for `vid`.
    pub fn preset(name: &str, vid: u16) -> Option<Self> {
        Some(match name {
            "open" => Self::open(vid),
            "access" => Self::access(vid),
            "trunk" => Self::trunk(),
            "tunnel" => Self::tunnel(vid),
            "service_trunk" => Self::service_trunk(),
            _ => return None,
        })
    }

    /// The same with other default ports.
    pub fn with_default_ports(self, ports: impl IntoIterator<Item = usize>) -> Self {
        Self { default_ports: ports.into_iter().collect(), ..self }
    }

    /// The same with all checks on what it sends.
    pub fn checked(self) -> Self {
        Self { check_source: true, check_ethertype: true, ..self }
    }
}

impl Policy {
    /// A bridge in which everybody takes part: VLAN 1 has all ports, untagged; groups and unknown stations of functions
    /// go to the first wire, unknown stations of wires to the manager.
    pub fn open(wires: usize, functions: usize) -> Self {
        let mut policy = Self::new(wires, functions);
        let all = policy.all_ports();
        for port in 0..policy.port_count() {
            let default_port = if policy.is_wire(port) { policy.manager() } else { 0 };
            policy.ports[port] = PortPolicy::open(1).with_default_ports([default_port]);
        }
        policy.set_vlan(1, VlanPolicy { members: all, untagged: all });
        policy
    }

    /// A policy under which a capture that comes in at port `source` reaches all functions, for a run without a scenario.
    ///
    /// - As [`Policy::open`]; besides, every VLAN that a C-tag in `frames` names has all ports, tagged.
    /// - The functions but the manager and the source take the unicast destinations in turn, in the order in which they
    ///   first appear; an address keeps its function in every VLAN.
    /// - All functions get all groups.
    ///
    /// Nothing is filtered out, and only frames with a tag of VLAN 1 leave changed. Whoever has no room for an entry
    /// leaves it out: its frames then go to the default ports.
    pub fn from_capture<'a>(
        wires: usize,
        functions: usize,
        source: usize,
        frames: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut policy = Self::open(wires, functions);
        let all = policy.all_ports();
        policy.wishes.iter_mut().for_each(|wishes| wishes.multicast = true);
        let mut turns = (wires + 1..wires + functions).filter(|&port| port != source).cycle();
        let mut owners = BTreeMap::new();
        for frame in frames.into_iter().map(FrameView) {
            let (Some(address), Some(_)) = (frame.destination(), frame.type_behind_tags(2)) else { continue };
            if let Some(tag) = frame.tag()
                && !matches!(tag.vid, 0 | 1 | 0xFFF)
            {
                policy.set_vlan(tag.vid, VlanPolicy { members: all, untagged: PortSet::EMPTY });
            }
            if !address.is_group() && !owners.contains_key(&address) {
                owners.extend(turns.next().map(|port| (address, port)));
            }
        }
        owners.into_iter().for_each(|(address, port)| policy.insert_entry(0, address, PortSet::single(port)));
        policy
    }

    /// Makes the ports members of a VLAN; those in `untagged` get its frames without a tag.
    ///
    /// # Panics
    /// If `vid` has more than 12 bits or the bridge lacks one of the ports.
    pub fn add_members(&mut self, vid: u16, tagged: PortSet, untagged: PortSet) {
        let old = self.vlan(vid);
        let members = old.members | tagged | untagged;
        self.set_vlan(vid, VlanPolicy { members, untagged: (old.untagged - tagged) | untagged });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ethernet::{FrameBuilder, MacAddress, VlanTag},
        veb::bridge::decide,
    };

    #[test]
    fn presets_have_names() {
        let ports = PRESETS.map(|name| PortPolicy::preset(name, 7).unwrap());
        assert_eq!(ports.each_ref().map(|port| port.pvid), [7, 7, 0, 7, 0]);
        assert!((0..5).all(|i| !ports[..i].contains(&ports[i])));
        assert_eq!(PortPolicy::preset("other", 7), None);
    }

    #[test]
    fn a_capture_gives_a_policy_under_which_all_of_it_arrives() {
        let host = |n| MacAddress::new([0x52, 0x54, 0, 0xAB, 0, n]);
        let group = MacAddress::new([0x33, 0x33, 0, 0, 0, 1]);
        let frame = |to| FrameBuilder::new(to, host(9)).payload([0; 46]);
        let tagged = |to, vid| frame(to).tag(VlanTag::new(vid)).build();
        let frames = [
            (frame(host(1)).build(), vec![2]),
            (tagged(host(2), 100), vec![3]),
            (frame(host(3)).build(), vec![4]),
            (tagged(host(1), 100), vec![2]),
            (frame(host(4)).build(), vec![2]),
            (tagged(group, 7), vec![1, 2, 3, 4]),
            (frame(MacAddress::BROADCAST).build(), vec![1, 2, 3, 4]),
            (tagged(host(1), 0xFFF), vec![]),
            (vec![0x81; 13], vec![]),
        ];
        let policy = Policy::from_capture(1, 4, 0, frames.iter().map(|(bytes, _)| bytes.as_slice()));
        for (bytes, ports) in &frames {
            let decision = decide(&policy, 0, bytes, false, None);
            assert_eq!(decision.ports().iter().collect::<Vec<_>>(), *ports);
            assert!(decision.copies().iter().all(|copies| *copies.bytes == **bytes));
        }
        // Without functions but the manager there is nobody to take turns.
        let policy = Policy::from_capture(1, 1, 0, frames.iter().map(|(bytes, _)| bytes.as_slice()));
        assert_eq!(policy.entries().count(), 0);
    }

    #[test]
    fn presets_differ_in_what_they_admit() {
        let admits = |port: PortPolicy| (port.admit_untagged, port.admit_tagged, port.admit_nested);
        assert_eq!(admits(PortPolicy::open(1)), (true, true, true));
        assert_eq!(admits(PortPolicy::access(1)), (true, false, false));
        assert_eq!(admits(PortPolicy::trunk()), (false, true, true));
        assert_eq!(admits(PortPolicy::tunnel(1)), (true, false, true));
        assert_eq!(admits(PortPolicy::service_trunk()), (false, true, true));
        assert!(PortPolicy::open(1).checked().check_source);
    }

    #[test]
    fn members_can_be_added() {
        let mut policy = Policy::open(1, 3);
        policy.add_members(1, PortSet::single(2), PortSet::EMPTY);
        assert_eq!(policy.vlan(1).untagged, PortSet::from_iter([0, 1, 3]));
        policy.add_members(9, PortSet::single(2), PortSet::single(3));
        let expected = VlanPolicy { members: PortSet::from_iter([2, 3]), untagged: PortSet::single(3) };
        assert_eq!(policy.vlan(9), expected);
    }
}
