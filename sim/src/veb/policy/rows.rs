//! Rows as the words that a driver writes into DATA0 to DATA5, and the changes that lead from one policy to another.

use super::{
    Direction, ETHERTYPES, Limit, MAX_RATE, MAX_VID, MIRRORS, MULTICAST_HASHES, Mirror, MirrorOf, Mode,
    Policy, PortPolicy, Rate, VlanPolicy,
};
use crate::{
    ethernet::{MacAddress, TagKind},
    veb::PortSet,
};

/// The tables that are written row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Port,
    Vlan,
    Multicast,
    Mac,
    Mirror,
    Ethertype,
    Rate,
    Limit,
}

/// What is done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// Writes the row at an index.
    Write,
    /// Inserts or replaces an entry of [`Table::Mac`].
    Insert,
    /// Deletes an entry of [`Table::Mac`].
    Delete,
}

/// One command to the hardware's tables. It takes effect wholly, between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    pub table: Table,
    pub command: Command,
    /// The row; 0 for [`Table::Mac`], which has keys.
    pub index: usize,
    /// DATA0 to DATA5.
    pub data: [u32; 6],
}

type Words = [u32; 6];

/// Changes of one row each.
///
/// # Panics
/// If a value does not fit its field.
impl Change {
    pub fn port(port: usize, policy: &PortPolicy) -> Self {
        Self::write(Table::Port, port, port_row(policy))
    }

    pub fn vlan(vid: u16, vlan: VlanPolicy) -> Self {
        let (members, untagged) = (words(vlan.members, 0), words(vlan.untagged, 3));
        Self::write(Table::Vlan, vid.into(), std::array::from_fn(|i| members[i] | untagged[i]))
    }

    pub fn multicast(hash: usize, ports: PortSet) -> Self {
        Self::write(Table::Multicast, hash, words(ports, 0))
    }

    /// Inserts or replaces the entry for this address in this VLAN, or in any for VID 0.
    pub fn insert(vid: u16, address: MacAddress, ports: PortSet) -> Self {
        Self { table: Table::Mac, command: Command::Insert, index: 0, data: mac_row(vid, address, ports) }
    }

    /// Deletes the entry for this address in this VLAN, or that for any for VID 0.
    pub fn delete(vid: u16, address: MacAddress) -> Self {
        Self { command: Command::Delete, ..Self::insert(vid, address, PortSet::EMPTY) }
    }

    pub fn mirror(index: usize, mirror: Option<Mirror>) -> Self {
        Self::write(Table::Mirror, index, mirror_row(mirror))
    }

    pub fn ethertype(index: usize, ethertype: Option<u16>) -> Self {
        let word = ethertype.map_or(0, |ethertype| u32::from(ethertype) | 1 << 16);
        Self::write(Table::Ethertype, index, [word, 0, 0, 0, 0, 0])
    }

    pub fn rate(port: usize, rate: Rate) -> Self {
        Self::write(Table::Rate, port, rate_row(rate))
    }

    pub fn limit(port: usize, limit: Limit) -> Self {
        Self::write(Table::Limit, port, [limit.cells, limit.hold_from, 0, 0, 0, 0])
    }

    /// The key of the row, in the table that has keys.
    pub fn key(&self) -> Option<(u16, MacAddress)> {
        (self.table == Table::Mac).then(|| key_of(self.data))
    }

    fn write(table: Table, index: usize, data: Words) -> Self {
        Self { table, command: Command::Write, index, data }
    }
}

impl Policy {
    /// The changes that bring hardware from its reset state to this policy. The ports are the last: they open when all
    /// else is set.
    ///
    /// Wishes are no rows, as they come from the functions.
    ///
    /// # Panics
    /// If a value does not fit its field.
    pub fn setup(&self) -> Vec<Change> {
        self.changes_from(&Self::new(self.wires().len(), self.functions().len()))
    }

    /// The changes that lead from `old` to this policy: all rows that differ, each once, ports last.
    ///
    /// # Panics
    /// If the two are for different bridges, or a value does not fit its field.
    pub fn changes_from(&self, old: &Self) -> Vec<Change> {
        assert_eq!(
            (self.wires(), self.all_ports()),
            (old.wires(), old.all_ports()),
            "policies of two bridges"
        );
        let mut changes = Vec::new();
        let mut differing = |row: &dyn Fn(&Self) -> Change| {
            let (new, old) = (row(self), row(old));
            changes.extend((new != old).then_some(new));
        };
        (0..=MAX_VID).for_each(|vid| differing(&|policy| Change::vlan(vid, policy.vlan(vid))));
        (0..MULTICAST_HASHES)
            .for_each(|hash| differing(&|policy| Change::multicast(hash, policy.multicast(hash))));
        (0..ETHERTYPES)
            .for_each(|index| differing(&|policy| Change::ethertype(index, policy.ethertypes[index])));
        (0..MIRRORS).for_each(|index| differing(&|policy| Change::mirror(index, policy.mirrors[index])));
        for port in 0..self.port_count() {
            differing(&|policy| Change::rate(port, policy.rates[port]));
            differing(&|policy| Change::limit(port, policy.limits[port]));
        }
        // Deletions make room for what is inserted.
        let gone = old.entries().filter(|&(vid, address, _)| self.entry(vid, address).is_none());
        changes.extend(gone.map(|(vid, address, _)| Change::delete(vid, address)));
        let new = self.entries().filter(|&(vid, address, ports)| old.entry(vid, address) != Some(ports));
        changes.extend(new.map(|(vid, address, ports)| Change::insert(vid, address, ports)));
        for port in 0..self.port_count() {
            let (new, old) = (Change::port(port, &self.ports[port]), Change::port(port, &old.ports[port]));
            changes.extend((new != old).then_some(new));
        }
        changes
    }

    /// Makes a change, as the hardware does. Bits beyond the fields and the bridge's ports count for nothing.
    ///
    /// # Panics
    /// If the index is beyond the table, or the table does not know the command.
    pub fn apply(&mut self, change: &Change) {
        let Change { table, command, index, data } = *change;
        let all = self.all_ports();
        let ports = |first: usize| ports_of(&data, first) & all;
        match (table, command) {
            (Table::Port, Command::Write) => {
                self.ports[index] = port_of(data);
                self.ports[index].default_ports = ports(1);
            }
            (Table::Vlan, Command::Write) => {
                let vid = u16::try_from(index).expect("a VID has 12 bits");
                self.set_vlan(vid, VlanPolicy { members: ports(0), untagged: ports(3) });
            }
            (Table::Multicast, Command::Write) => self.set_multicast(index, ports(0)),
            (Table::Mac, Command::Insert) => {
                let (vid, address) = key_of(data);
                self.insert_entry(vid, address, ports(2));
            }
            (Table::Mac, Command::Delete) => {
                let (vid, address) = key_of(data);
                self.remove_entry(vid, address);
            }
            (Table::Mirror, Command::Write) => self.mirrors[index] = mirror_of(data[0]),
            (Table::Ethertype, Command::Write) => {
                self.ethertypes[index] = (data[0] >> 16 & 1 == 1).then_some(data[0] as u16);
            }
            (Table::Rate, Command::Write) => {
                self.rates[index] = Rate {
                    maximum: data[0] as u16,
                    class: (data[0] >> 16 & 3) as u8,
                    burst: data[1] & 0x1FFFF,
                    quantum: data[2] as u16,
                };
            }
            (Table::Limit, Command::Write) => {
                self.limits[index] = Limit { cells: data[0], hold_from: data[1] };
            }
            (Table::Mac, Command::Write) | (_, Command::Insert | Command::Delete) => {
                panic!("{table:?} does not know {command:?}")
            }
        }
    }
}

/// `value` from bit `low` up, checked to have `width` bits at most.
fn field(name: &str, value: usize, low: u32, width: u32) -> u32 {
    assert!(value >> width == 0, "{name} {value} has more than {width} bits");
    (value as u32) << low
}

/// A bitmap of ports in three words from word `first` on.
fn words(ports: PortSet, first: usize) -> Words {
    let mut data = [0; 6];
    for (i, word) in data[first..first + 3].iter_mut().enumerate() {
        *word = (ports.bits() >> (32 * i)) as u32;
    }
    assert_eq!(ports.bits() >> 96, 0, "{ports:?} beyond three words");
    data
}

fn ports_of(data: &Words, first: usize) -> PortSet {
    let words = data[first..first + 3].iter().rev();
    PortSet::from_bits(words.fold(0, |bits, &word| bits << 32 | u128::from(word)))
}

/// The single bits of DATA0 of a PORT row, but for the tag kind.
fn flags(port: &mut PortPolicy) -> [(u32, &mut bool); 14] {
    [
        (16, &mut port.customer_tags),
        (17, &mut port.service_tags),
        (18, &mut port.admit_untagged),
        (19, &mut port.admit_tagged),
        (20, &mut port.admit_nested),
        (21, &mut port.ingress),
        (22, &mut port.egress),
        (23, &mut port.check_source),
        (24, &mut port.check_ethertype),
        (27, &mut port.broadcast),
        (28, &mut port.may_unicast),
        (29, &mut port.may_multicast),
        (30, &mut port.may_vlan),
        (31, &mut port.prune),
    ]
}

fn port_row(port: &PortPolicy) -> Words {
    let mut data = words(port.default_ports, 1);
    let mode = match port.mode {
        Mode::Veb => 0,
        Mode::Vepa => 1,
        Mode::Isolated => 2,
    };
    data[0] = field("PVID", port.pvid.into(), 0, 12)
        | field("priority", port.priority.into(), 12, 3)
        | u32::from(port.inserted_tag == TagKind::Service) << 15
        | mode << 25;
    for (bit, flag) in flags(&mut port.clone()) {
        data[0] |= u32::from(*flag) << bit;
    }
    data
}

fn port_of(data: Words) -> PortPolicy {
    let bit = |at: u32| data[0] >> at & 1 == 1;
    let mut port = PortPolicy {
        pvid: (data[0] & 0xFFF) as u16,
        priority: (data[0] >> 12 & 7) as u8,
        inserted_tag: if bit(15) { TagKind::Service } else { TagKind::Customer },
        mode: match data[0] >> 25 & 3 {
            1 => Mode::Vepa,
            2 => Mode::Isolated,
            _ => Mode::Veb,
        },
        default_ports: ports_of(&data, 1),
        ..Default::default()
    };
    for (at, flag) in flags(&mut port) {
        *flag = bit(at);
    }
    port
}

fn mac_row(vid: u16, address: MacAddress, ports: PortSet) -> Words {
    let mut data = words(ports, 2);
    data[0] = address.to_u64() as u32;
    data[1] = (address.to_u64() >> 32) as u32 | field("VID", vid.into(), 16, 12);
    data
}

fn key_of(data: Words) -> (u16, MacAddress) {
    let address = u64::from(data[1]) << 32 | u64::from(data[0]);
    ((data[1] >> 16 & 0xFFF) as u16, MacAddress::from_u64(address))
}

fn mirror_row(mirror: Option<Mirror>) -> Words {
    let Some(mirror) = mirror else { return [0; 6] };
    let (by_vid, matched) = match mirror.of {
        MirrorOf::Port(port) => (0, port),
        MirrorOf::Vlan(vid) => (1, vid.into()),
    };
    let egress = u32::from(mirror.direction == Direction::Egress);
    let matched = field("mirrored port or VLAN", matched, 4, 12);
    [1 | egress << 1 | by_vid << 2 | matched | field("mirror target", mirror.target, 16, 7), 0, 0, 0, 0, 0]
}

fn mirror_of(word: u32) -> Option<Mirror> {
    let bit = |at: u32| word >> at & 1 == 1;
    let matched = word >> 4 & 0xFFF;
    bit(0).then(|| Mirror {
        direction: if bit(1) { Direction::Egress } else { Direction::Ingress },
        of: if bit(2) { MirrorOf::Vlan(matched as u16) } else { MirrorOf::Port(matched as usize) },
        target: (word >> 16 & 0x7F) as usize,
    })
}

fn rate_row(rate: Rate) -> Words {
    assert!(rate.maximum <= MAX_RATE, "{} Mb/s are more than {MAX_RATE}", rate.maximum);
    let burst = field("burst", rate.burst as usize, 0, 17);
    [u32::from(rate.maximum) | field("class", rate.class.into(), 16, 2), burst, rate.quantum.into(), 0, 0, 0]
}

#[cfg(test)]
mod tests;
