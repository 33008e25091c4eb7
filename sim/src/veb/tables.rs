//! The tables that control the bridge: for the model as they are, for the hardware as register writes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use thiserror::Error;

use super::{PortSet, policy::Policy};
use crate::ethernet::{FrameView, MacAddress};
use rtl::veb::registers::{address as registers, command};

/// Ports that the bitmaps on the register bus have room for.
const MAX_PORTS: usize = 64;

/// VLAN that every port's untagged frames belong to after reset (802.1Q, table 9-2).
pub const RESET_PVID: u16 = 1;

/// PVIDs, VLAN members, address entries and default ports of a bridge. New ones are as after reset: no VLAN has a member,
/// so nothing is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    pvids: Vec<u16>,
    default_ports: PortSet,
    members: BTreeMap<u16, PortSet>,
    entries: BTreeMap<(u16, MacAddress), PortSet>,
}

impl Tables {
    /// The tables after reset, of a bridge with this number of ports.
    ///
    /// # Panics
    /// If `port_count` is above [`PortSet::CAPACITY`].
    pub fn new(port_count: usize) -> Self {
        assert!(port_count <= PortSet::CAPACITY, "{port_count} ports are too many");
        Self {
            pvids: vec![RESET_PVID; port_count],
            default_ports: PortSet::EMPTY,
            members: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }

    /// Tables under which a capture that comes in at port `source` reaches all functions, for a run without a scenario.
    ///
    /// - Every VLAN that a customer tag in `frames` names, and VLAN 1, has all ports as members; PVIDs stay 1.
    /// - The functions (ports called `pf` or `vf`n, other than the source) take the unicast destination addresses in
    ///   turn, in the order in which they first appear; an address keeps its function in every VLAN.
    /// - Frames to an address without an entry go to the first function: there are none unless the hardware's address
    ///   table has no room for an entry (see [`Tables::remove_entry`]).
    pub fn from_capture<'a>(
        ports: &[String],
        source: usize,
        frames: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut tables = Self::new(ports.len());
        let is_function = |name: &str| name.starts_with("pf") || name.starts_with("vf");
        let functions: Vec<usize> =
            (0..ports.len()).filter(|&port| port != source && is_function(&ports[port])).collect();
        tables.default_ports = functions.iter().copied().take(1).collect();
        tables.set_members(RESET_PVID, tables.all_ports());
        let mut turns = functions.iter().copied().cycle();
        let mut owners = BTreeMap::new();
        for frame in frames.into_iter().map(FrameView) {
            let (Some(address), Some(_)) = (frame.destination(), frame.ethertype()) else { continue };
            let tagged = frame.tag().map(|tag| tag.vid).filter(|&vid| vid != 0);
            let vid = tagged.unwrap_or(RESET_PVID);
            if vid == 0xFFF {
                continue;
            }
            tables.set_members(vid, tables.all_ports());
            if address.is_group() {
                continue;
            }
            let owner = match owners.entry(address) {
                Entry::Occupied(owner) => Some(*owner.get()),
                Entry::Vacant(free) => turns.next().map(|port| *free.insert(port)),
            };
            if let Some(port) = owner {
                tables.insert_entry(vid, address, PortSet::single(port));
            }
        }
        tables
    }

    /// What these tables can say of a policy: PVIDs, members, entries in the VLANs that have members, and the default ports
    /// of port 0.
    pub fn of_policy(policy: &Policy) -> Self {
        let mut tables = Self::new(policy.port_count());
        tables.set_default_ports(policy.ports[0].default_ports);
        policy.ports.iter().enumerate().for_each(|(port, row)| tables.set_pvid(port, row.pvid));
        for (vid, vlan) in policy.vlans() {
            tables.set_members(vid, vlan.members);
            let entries = policy.entries().filter(|(row, ..)| [0, vid].contains(row));
            entries.for_each(|(_, address, _)| tables.insert_entry(vid, address, policy.hits(vid, address)));
        }
        tables
    }

    /// Number of ports.
    pub fn port_count(&self) -> usize {
        self.pvids.len()
    }

    /// The set of all ports.
    pub fn all_ports(&self) -> PortSet {
        PortSet::first(self.port_count())
    }

    /// Where unicast frames without an entry go.
    pub fn default_ports(&self) -> PortSet {
        self.default_ports
    }

    /// VLAN of the port's frames that name none.
    pub fn pvid(&self, port: usize) -> u16 {
        self.pvids[port]
    }

    /// Member ports of the VLAN.
    pub fn members(&self, vid: u16) -> PortSet {
        self.members.get(&vid).copied().unwrap_or_default()
    }

    /// Ports of the entry for this address in this VLAN, if there is one. They may be none.
    pub fn entry(&self, vid: u16, address: MacAddress) -> Option<PortSet> {
        self.entries.get(&(vid, address)).copied()
    }

    /// All entries, ordered by VLAN and address.
    pub fn entries(&self) -> impl Iterator<Item = (u16, MacAddress, PortSet)> + '_ {
        self.entries.iter().map(|(&(vid, address), &ports)| (vid, address, ports))
    }

    /// Sets where unicast frames without an entry go.
    pub fn set_default_ports(&mut self, ports: PortSet) {
        self.check_ports(ports);
        self.default_ports = ports;
    }

    /// Sets the VLAN of the port's frames that name none.
    ///
    /// # Panics
    /// If `vid` has more than 12 bits or there is no such port.
    pub fn set_pvid(&mut self, port: usize, vid: u16) {
        check_vid(vid);
        self.pvids[port] = vid;
    }

    /// Sets the member ports of the VLAN.
    ///
    /// # Panics
    /// If `vid` has more than 12 bits or the bridge lacks one of the ports.
    pub fn set_members(&mut self, vid: u16, ports: PortSet) {
        check_vid(vid);
        self.check_ports(ports);
        self.members.insert(vid, ports);
    }

    /// Inserts or replaces the entry for this address in this VLAN.
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

    /// What brings hardware from its reset state to these tables, in order.
    ///
    /// # Errors
    /// [`TooManyPorts`] if the bitmaps on the register bus have no room for all ports.
    pub fn setup(&self) -> Result<Vec<Setup>, TooManyPorts> {
        if self.port_count() > MAX_PORTS {
            return Err(TooManyPorts { ports: self.port_count() });
        }
        let [low, high] = words(self.default_ports);
        let mut steps = vec![
            Setup::Write { address: registers::DEFAULT_LO, data: low },
            Setup::Write { address: registers::DEFAULT_HI, data: high },
        ];
        let pvids = self.pvids.iter().enumerate();
        steps.extend(
            pvids.map(|(port, &vid)| Setup::Write { address: registers::pvid(port), data: vid.into() }),
        );
        steps.extend(self.members.iter().map(|(&vid, &ports)| Setup::Command {
            command: TableCommand::SetMembers,
            vid,
            address: MacAddress::new([0; 6]),
            ports,
        }));
        steps.extend(self.entries().map(|(vid, address, ports)| Setup::Command {
            command: TableCommand::Insert,
            vid,
            address,
            ports,
        }));
        Ok(steps)
    }

    fn check_ports(&self, ports: PortSet) {
        assert!(
            (ports - self.all_ports()).is_empty(),
            "{ports:?} in a bridge of {} ports",
            self.port_count()
        );
    }
}

fn check_vid(vid: u16) {
    assert!(vid <= 0xFFF, "VID {vid} has more than 12 bits");
}

/// A bridge with more ports than the register bus has bits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{ports} ports: the bitmaps on the register bus have room for {}", MAX_PORTS)]
pub struct TooManyPorts {
    /// Ports of the bridge.
    pub ports: usize,
}

/// One step of setting the hardware up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// A register write.
    Write {
        /// Byte address on the bus.
        address: u16,
        /// The word to write.
        data: u32,
    },
    /// A command to the tables. Whoever issues it waits, before and after, until the hardware is not busy, and reads the
    /// result.
    Command {
        /// What to do.
        command: TableCommand,
        /// The VLAN.
        vid: u16,
        /// The address, without meaning for [`TableCommand::SetMembers`].
        address: MacAddress,
        /// The ports, without meaning for [`TableCommand::Delete`].
        ports: PortSet,
    },
}

impl Setup {
    /// The register writes of the step, in order: (byte address, data). A command's last write starts it.
    pub fn writes(self) -> Vec<(u16, u32)> {
        match self {
            Self::Write { address, data } => vec![(address, data)],
            Self::Command { command, vid, address, ports } => {
                let mac = address.to_u64();
                let [ports_low, ports_high] = words(ports);
                vec![
                    (registers::MAC_LO, mac as u32),
                    (registers::MAC_HI, u32::from(vid) << 16 | (mac >> 32) as u32),
                    (registers::PORTS_LO, ports_low),
                    (registers::PORTS_HI, ports_high),
                    (registers::COMMAND, command as u32),
                ]
            }
        }
    }
}

/// Commands to the hardware's tables; the numbers are those of the COMMAND register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableCommand {
    /// Insert or replace an entry.
    Insert = command::INSERT as isize,
    /// Delete an entry.
    Delete = command::DELETE as isize,
    /// Set the members of a VLAN.
    SetMembers = command::MEMBERS as isize,
}

/// The two words of a bitmap on the register bus.
fn words(ports: PortSet) -> [u32; 2] {
    [ports.bits() as u32, (ports.bits() >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethernet::{FrameBuilder, VlanTag};

    fn host(n: u8) -> MacAddress {
        MacAddress::new([0x52, 0x54, 0x00, 0xAB, 0x00, n])
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_setup_is_the_register_map_by_hand() {
        let mut tables = Tables::new(3);
        tables.set_default_ports(PortSet::from_iter([1]));
        tables.set_pvid(2, 200);
        tables.set_members(200, PortSet::from_iter([0, 2]));
        tables.insert_entry(200, host(0x21), PortSet::from_iter([2]));
        let writes: Vec<_> = tables.setup().unwrap().into_iter().flat_map(Setup::writes).collect();
        let expected = [
            (0x0008, 2),
            (0x000C, 0),
            (0x0100, 1),
            (0x0104, 1),
            (0x0108, 200),
            (0x0010, 0),
            (0x0014, 200 << 16),
            (0x0018, 0b101),
            (0x001C, 0),
            (0x0020, 3),
            (0x0010, 0x00AB_0021),
            (0x0014, 200 << 16 | 0x5254),
            (0x0018, 0b100),
            (0x001C, 0),
            (0x0020, 1),
        ];
        assert_eq!(writes, expected);
    }

    #[test]
    fn the_bus_has_room_for_64_ports() {
        let mut tables = Tables::new(64);
        tables.set_default_ports(PortSet::single(63));
        assert_eq!(tables.setup().unwrap()[1], Setup::Write { address: 0x000C, data: 0x8000_0000 });
        let error = Tables::new(66).setup().unwrap_err();
        assert_eq!(error.to_string(), "66 ports: the bitmaps on the register bus have room for 64");
    }

    #[test]
    fn a_capture_gives_tables() {
        let frame = |n, tag: Option<u16>| {
            let frame = FrameBuilder::new(host(n), host(9));
            tag.map_or(frame.clone(), |vid| frame.tag(VlanTag::new(vid))).build()
        };
        let group = FrameBuilder::new(MacAddress::BROADCAST, host(9)).tag(VlanTag::new(7)).build();
        let frames = [
            frame(1, None),
            frame(2, Some(100)),
            frame(3, Some(0)),
            frame(1, Some(100)),
            frame(4, Some(0xFFF)),
            group,
            vec![0x81; 13],
        ];
        let ports = names(&["wire0", "manager", "pf", "vf0"]);
        let tables = Tables::from_capture(&ports, 0, frames.iter().map(Vec::as_slice));
        let port = PortSet::single;
        assert_eq!(
            tables.entries().collect::<Vec<_>>(),
            [(1, host(1), port(2)), (1, host(3), port(2)), (100, host(1), port(2)), (100, host(2), port(3))]
        );
        assert_eq!(tables.members.keys().copied().collect::<Vec<_>>(), [1, 7, 100]);
        assert!(tables.members.values().all(|&members| members == PortSet::first(4)));
        assert_eq!(tables.default_ports(), port(2));
    }

    #[test]
    fn a_capture_for_ports_without_functions_gives_no_entry() {
        let frame = FrameBuilder::new(host(1), host(2)).build();
        let tables = Tables::from_capture(&names(&["wire0", "wire1"]), 0, [frame.as_slice()]);
        assert_eq!(tables.entries().count(), 0);
        assert!(tables.default_ports().is_empty());
    }

    #[test]
    #[should_panic(expected = "{3} in a bridge of 3 ports")]
    fn a_port_that_the_bridge_lacks_is_refused() {
        Tables::new(3).set_members(1, PortSet::single(3));
    }
}
