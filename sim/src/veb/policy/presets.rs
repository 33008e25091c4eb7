//! Ports and bridges as they are usually set up: where tests and scenario files start from.

use super::{Policy, PortPolicy, VlanPolicy};
use crate::{ethernet::TagKind, veb::PortSet};

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
