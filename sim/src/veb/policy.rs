//! What the manager sets: the policy of every port, the VLANs, addresses, mirrors and limits of the bridge.
//!
//! A [`Policy`] is all of that as typed rows. The hardware gets it as a list of [`Change`]s, one for each row; between two
//! frames a change takes effect wholly. [`Policy::apply`] makes the same change in the model.
//!
//! Clauses are those of IEEE 802.1Q-2018.

mod presets;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use super::PortSet;
use crate::ethernet::{MacAddress, TagKind};
pub use presets::PRESETS;
pub use rows::Change;

/// Rows of the MULTICAST table.
pub const MULTICAST_HASHES: usize = 512;
/// Mirror rules.
pub const MIRRORS: usize = 2;
/// Types that functions can be kept from sending.
pub const ETHERTYPES: usize = 8;
/// The highest rate that can be set, in Mb/s.
pub const MAX_RATE: u16 = 40_000;
/// VLAN identifiers have twelve bits; 0xFFF is reserved (table 9-2).
pub const MAX_VID: u16 = 0xFFF;

/// Whom a function's frames can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Virtual Ethernet bridge: other functions directly, and the function's default ports.
    #[default]
    Veb,
    /// Virtual Ethernet port aggregator: only the default ports; an external bridge reflects what is for other functions
    /// (802.1Q clause 40, edge relay).
    Vepa,
    /// As VEPA, and nothing that a function of this adapter sent, not even when it comes back from the wire.
    Isolated,
}

/// What a port may do and how its frames are tagged. All of it off: what reset leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPolicy {
    /// VLAN of frames whose tags name none, 12 bits (6.9, PVID).
    pub pvid: u16,
    /// Priority code point of tags that are put into this port's frames, 0..=7.
    pub priority: u8,
    /// Kind of the tags that are put into this port's frames.
    pub inserted_tag: TagKind,
    /// C-tags count as tags of this port.
    pub customer_tags: bool,
    /// S-tags count as tags of this port.
    pub service_tags: bool,
    /// Takes frames that name no VLAN: untagged and priority-tagged ones (6.9, acceptable frame types).
    pub admit_untagged: bool,
    /// Takes frames whose tag names a VLAN.
    pub admit_tagged: bool,
    /// Takes frames with a tag that does not count as this port's: a second one, or one of the other kind.
    pub admit_nested: bool,
    /// Frames may enter the bridge here.
    pub ingress: bool,
    /// Frames may leave the bridge here.
    pub egress: bool,
    /// Frames must come from an address that belongs to the port.
    pub check_source: bool,
    /// Frames must not be of a type in the ETHERTYPE table, nor have a third tag.
    pub check_ethertype: bool,
    /// Whom it can reach. Of functions only.
    pub mode: Mode,
    /// Wants broadcast. Of functions only.
    pub broadcast: bool,
    /// May be promiscuous for unicast.
    pub may_unicast: bool,
    /// May be promiscuous for multicast.
    pub may_multicast: bool,
    /// May be promiscuous for VLANs.
    pub may_vlan: bool,
    /// Wants nothing back from the wire that itself sent (source pruning).
    pub prune: bool,
    /// Where its groups and unknown stations go, besides the functions that want them.
    pub default_ports: PortSet,
}

impl Default for PortPolicy {
    fn default() -> Self {
        Self {
            pvid: 0,
            priority: 0,
            inserted_tag: TagKind::Customer,
            customer_tags: false,
            service_tags: false,
            admit_untagged: false,
            admit_tagged: false,
            admit_nested: false,
            ingress: false,
            egress: false,
            check_source: false,
            check_ethertype: false,
            mode: Mode::Veb,
            broadcast: false,
            may_unicast: false,
            may_multicast: false,
            may_vlan: false,
            prune: false,
            default_ports: PortSet::EMPTY,
        }
    }
}

/// What a function asks for itself. Each counts only if the manager allows it: see the `may_` of [`PortPolicy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wishes {
    /// All stations' frames.
    pub unicast: bool,
    /// All groups' frames.
    pub multicast: bool,
    /// Frames of all VLANs.
    pub vlan: bool,
    /// Frames with a tag only of the VLANs in its filter. Needs no permission.
    pub filter: bool,
}

/// Something that a function asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    /// Its port.
    pub function: usize,
    pub of: FilterOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FilterOf {
    /// Groups of this hash, as by the table MULTICAST; see [`multicast_hash`].
    Group(usize),
    /// A VLAN, 12 bits: counts while the function wishes to filter.
    Vlan(u16),
}

/// Who belongs to a VLAN (8.8.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VlanPolicy {
    /// Ports that its frames may enter and leave by: the member set.
    pub members: PortSet,
    /// Ports that get its frames without a tag: the untagged set. Ports that are no members may be in it.
    pub untagged: PortSet,
}

/// Copies all frames that match to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mirror {
    pub direction: Direction,
    pub of: MirrorOf,
    /// Port that gets the copies, 7 bits. It need not be a member of the frames' VLANs.
    pub target: usize,
}

/// On which side of the bridge a mirror looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// At frames that enter and are not dropped; having no destination is no drop here.
    Ingress,
    /// At frames that leave.
    Egress,
}

/// Which frames a mirror takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MirrorOf {
    /// Those of a port, 12 bits.
    Port(usize),
    /// Those of a VLAN, 12 bits.
    Vlan(u16),
}

/// Bandwidth of a port. All zero: as much as there is, in the last class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Maximum in Mb/s, up to [`MAX_RATE`]; 0 for none.
    pub maximum: u16,
    /// Class, 0..=3; 3 goes first.
    pub class: u8,
    /// Bytes that may go at once above the maximum, 17 bits.
    pub burst: u32,
    /// Bytes that the port gets in each round of its class; 0 counts as 1.
    pub quantum: u16,
}

/// What a port may hold of the packet buffer. All zero: its share of what is free, and nobody waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Cells at most; 0 for no limit of its own.
    pub cells: u32,
    /// Cells from which on functions that send to the port are held back; 0 for never.
    pub hold_from: u32,
}

/// Everything the manager and the functions set. A new one is as after reset: no port takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    wires: usize,
    /// Of each port: wires, manager, physical function, virtual functions.
    pub ports: Vec<PortPolicy>,
    /// Of each port; those of wires count for nothing.
    pub wishes: Vec<Wishes>,
    pub mirrors: [Option<Mirror>; MIRRORS],
    /// Types that ports with `check_ethertype` must not send.
    pub ethertypes: [Option<u16>; ETHERTYPES],
    /// Of each port.
    pub rates: Vec<Rate>,
    /// Of each port.
    pub limits: Vec<Limit>,
    /// What functions want, by their ports: hashes of groups, and VLANs whose tagged frames they take.
    pub filters: BTreeSet<Filter>,
    // Rows that are all zero are left out of the maps: policies that say the same are equal.
    vlans: BTreeMap<u16, VlanPolicy>,
    multicast: BTreeMap<usize, PortSet>,
    entries: BTreeMap<(u16, MacAddress), PortSet>,
}

impl Policy {
    /// The policy after reset of a bridge with these ports.
    ///
    /// # Panics
    /// If there is no function to be the manager, or more ports than a [`PortSet`] holds.
    pub fn new(wires: usize, functions: usize) -> Self {
        let count = wires + functions;
        assert!(functions > 0 && count <= PortSet::CAPACITY, "{wires} wires and {functions} functions");
        Self {
            wires,
            ports: vec![PortPolicy::default(); count],
            wishes: vec![Wishes::default(); count],
            mirrors: [None; MIRRORS],
            ethertypes: [None; ETHERTYPES],
            rates: vec![Rate::default(); count],
            limits: vec![Limit::default(); count],
            filters: BTreeSet::new(),
            vlans: BTreeMap::new(),
            multicast: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }

    /// Number of ports.
    pub fn port_count(&self) -> usize {
        self.ports.len()
    }

    /// The manager's port.
    pub fn manager(&self) -> usize {
        self.wires
    }

    /// Whether the port is a wire; the others are functions.
    pub fn is_wire(&self, port: usize) -> bool {
        port < self.wires
    }

    /// The wires.
    pub fn wires(&self) -> PortSet {
        PortSet::first(self.wires)
    }

    /// All ports but the wires.
    pub fn functions(&self) -> PortSet {
        self.all_ports() - self.wires()
    }

    /// All ports.
    pub fn all_ports(&self) -> PortSet {
        PortSet::first(self.port_count())
    }

    /// The ports whose policy is so.
    pub fn ports_that(&self, is_so: impl Fn(&PortPolicy) -> bool) -> PortSet {
        (0..self.port_count()).filter(|&port| is_so(&self.ports[port])).collect()
    }

    /// The VLAN's row.
    pub fn vlan(&self, vid: u16) -> VlanPolicy {
        self.vlans.get(&vid).copied().unwrap_or_default()
    }

    /// The VLANs that have a row, in rising order.
    pub fn vlans(&self) -> impl Iterator<Item = (u16, VlanPolicy)> + '_ {
        self.vlans.iter().map(|(&vid, &vlan)| (vid, vlan))
    }

    /// Sets the VLAN's row.
    ///
    /// # Panics
    /// If `vid` has more than 12 bits or the bridge lacks one of the ports.
    pub fn set_vlan(&mut self, vid: u16, vlan: VlanPolicy) {
        check_vid(vid);
        self.check_ports(vlan.members | vlan.untagged);
        if vlan == VlanPolicy::default() {
            self.vlans.remove(&vid);
        } else {
            self.vlans.insert(vid, vlan);
        }
    }

    /// The functions that want the groups of this hash.
    pub fn multicast(&self, hash: usize) -> PortSet {
        self.multicast.get(&hash).copied().unwrap_or_default()
    }

    /// Whether a function has asked for it.
    pub fn has_filter(&self, function: usize, of: FilterOf) -> bool {
        self.filters.contains(&Filter { function, of })
    }

    /// Sets the functions that want the groups of this hash; see [`multicast_hash`].
    ///
    /// # Panics
    /// If `hash` is not below [`MULTICAST_HASHES`] or the bridge lacks one of the ports.
    pub fn set_multicast(&mut self, hash: usize, ports: PortSet) {
        assert!(hash < MULTICAST_HASHES, "hash {hash} has more than 9 bits");
        self.check_ports(ports);
        if ports.is_empty() {
            self.multicast.remove(&hash);
        } else {
            self.multicast.insert(hash, ports);
        }
    }

    /// The ports of the entry with exactly this key; VID 0 is the key for any VLAN.
    pub fn entry(&self, vid: u16, address: MacAddress) -> Option<PortSet> {
        self.entries.get(&(vid, address)).copied()
    }

    /// The ports that an address has in a VLAN: those of its entry there and of its entry for any VLAN.
    pub fn hits(&self, vid: u16, address: MacAddress) -> PortSet {
        let [own, any] = [vid, 0].map(|vid| self.entry(vid, address).unwrap_or_default());
        own | any
    }

    /// All entries, ordered by VLAN and address.
    pub fn entries(&self) -> impl Iterator<Item = (u16, MacAddress, PortSet)> + '_ {
        self.entries.iter().map(|(&(vid, address), &ports)| (vid, address, ports))
    }

    /// Inserts or replaces the entry for this address in this VLAN, or in any for VID 0.
    ///
    /// # Panics
    /// If `vid` has more than 12 bits or the bridge lacks one of the ports.
    pub fn insert_entry(&mut self, vid: u16, address: MacAddress, ports: PortSet) {
        check_vid(vid);
        self.check_ports(ports);
        self.entries.insert((vid, address), ports);
    }

    /// Removes an entry and says whether there was one: also for one that the hardware had no room for.
    pub fn remove_entry(&mut self, vid: u16, address: MacAddress) -> bool {
        self.entries.remove(&(vid, address)).is_some()
    }

    fn check_ports(&self, ports: PortSet) {
        let count = self.port_count();
        assert!((ports - self.all_ports()).is_empty(), "{ports:?} in a bridge of {count} ports");
    }
}

/// The row of the MULTICAST table for this address: its 48 bits, the first byte on the wire in bits 47:40, cut into
/// pieces of nine from bit 0 up, the pieces XORed.
pub fn multicast_hash(address: MacAddress) -> usize {
    let bits = address.to_u64();
    let pieces = (0..48).step_by(9).map(|low| bits >> low & 0x1FF);
    pieces.fold(0, |hash, piece| hash ^ piece) as usize
}

fn check_vid(vid: u16) {
    assert!(vid <= MAX_VID, "VID {vid} has more than 12 bits");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(value: u64) -> MacAddress {
        MacAddress::from_u64(value)
    }

    #[test]
    fn the_hash_folds_all_48_bits() {
        assert_eq!(multicast_hash(address(0)), 0);
        // One bit of each piece, the last piece being of three bits.
        for (bit, hash) in [(0, 1), (8, 0x100), (9, 1), (17, 0x100), (44, 0x100), (45, 1), (47, 4)] {
            assert_eq!(multicast_hash(address(1 << bit)), hash, "bit {bit}");
        }
        // 33:33:00:00:00:01, by hand: bits 0, 40, 41, 44, 45 of 0x3333_0000_0001: pieces 0 and 4 (36..=44) and 5 (45..=47).
        // Bits: 0x33 at 47:40 is 45, 44, 41, 40; 0x33 at 39:32 is 37, 36, 33, 32.
        let piece = [1u64, 0, 0, 0x3333_0000_0001 >> 27 & 0x1FF, 0x3333_0000_0001 >> 36 & 0x1FF, 1];
        assert_eq!(piece[3..5], [0b001100000, 0b100110011]);
        assert_eq!(multicast_hash(address(0x3333_0000_0001)), 0b101010011);
    }

    #[test]
    fn an_address_has_the_ports_of_both_its_entries() {
        let mut policy = Policy::new(1, 5);
        policy.insert_entry(0, address(2), PortSet::single(2));
        policy.insert_entry(7, address(2), PortSet::single(3));
        assert_eq!(policy.hits(7, address(2)), PortSet::from_iter([2, 3]));
        assert_eq!(policy.hits(8, address(2)), PortSet::single(2));
        assert!(policy.hits(7, address(4)).is_empty());
        assert!(policy.remove_entry(0, address(2)) && !policy.remove_entry(0, address(2)));
        assert!(policy.hits(8, address(2)).is_empty());
    }

    #[test]
    fn ports_are_wires_then_functions() {
        let policy = Policy::new(2, 64);
        assert_eq!((policy.port_count(), policy.manager()), (66, 2));
        assert!(policy.is_wire(1) && !policy.is_wire(2));
        assert_eq!((policy.wires().len(), policy.functions().len()), (2, 64));
    }

    #[test]
    fn rows_of_zeros_are_no_rows() {
        let mut policy = Policy::new(1, 2);
        policy.set_vlan(5, VlanPolicy { members: PortSet::single(1), untagged: PortSet::EMPTY });
        policy.set_multicast(5, PortSet::single(1));
        assert_ne!(policy, Policy::new(1, 2));
        policy.set_vlan(5, VlanPolicy::default());
        policy.set_multicast(5, PortSet::EMPTY);
        assert_eq!(policy, Policy::new(1, 2));
    }

    #[test]
    #[should_panic(expected = "{3} in a bridge of 3 ports")]
    fn a_port_that_the_bridge_lacks_is_refused() {
        Policy::new(1, 2).insert_entry(1, address(2), PortSet::single(3));
    }

    #[test]
    #[should_panic(expected = "VID 4096 has more than 12 bits")]
    fn a_vlan_that_does_not_exist_is_refused() {
        Policy::new(1, 2).set_vlan(4096, VlanPolicy::default());
    }
}
