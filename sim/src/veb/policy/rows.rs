//! Rows as the words that a driver writes into DATA0 to DATA5, and the changes that lead from one policy to another.

use super::{
    Direction, ETHERTYPES, Limit, MAX_RATE, MAX_VID, MIRRORS, MULTICAST_HASHES, Mirror, MirrorOf, Mode,
    Policy, PortPolicy, Rate, VlanPolicy,
};
use crate::{
    ethernet::{MacAddress, TagKind},
    veb::PortSet,
};
use rtl::{
    register_map::{self, WORDS},
    veb::rows::{self, Operation, Table},
};

/// One command to the hardware's tables. It takes effect wholly, between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// Not [`Table::Statistics`].
    pub table: Table,
    /// [`Operation::Write`], or for [`Table::Mac`] one of [`Operation::Insert`] and [`Operation::Delete`].
    pub operation: Operation,
    /// The row; 0 for [`Table::Mac`], which has keys.
    pub index: usize,
    /// DATA0 to DATA5.
    pub data: [u32; WORDS],
}

/// The words of a row, by the names of its fields.
#[derive(Clone, Copy)]
struct Row {
    table: Table,
    data: [u32; WORDS],
}

impl Row {
    fn new(table: Table) -> Self {
        Self { table, data: [0; WORDS] }
    }

    /// # Panics
    /// If the value does not fit the field.
    fn with(mut self, field: &str, value: impl Into<u128>) -> Self {
        register_map::field(self.table, field).put(&mut self.data, value.into());
        self
    }

    fn with_ports(self, field: &str, ports: PortSet) -> Self {
        self.with(field, ports.bits())
    }

    fn get(&self, field: &str) -> u128 {
        register_map::field(self.table, field).get(&self.data)
    }

    fn flag(&self, field: &str) -> bool {
        self.get(field) == 1
    }

    fn ports(&self, field: &str) -> PortSet {
        PortSet::from_bits(self.get(field))
    }

    fn write(self, index: usize) -> Change {
        Change { table: self.table, operation: Operation::Write, index, data: self.data }
    }
}

/// Changes of one row each.
///
/// # Panics
/// If a value does not fit its field.
impl Change {
    pub fn port(port: usize, policy: &PortPolicy) -> Self {
        port_row(policy).write(port)
    }

    pub fn vlan(vid: u16, vlan: VlanPolicy) -> Self {
        let row = Row::new(Table::Vlan).with_ports("members", vlan.members);
        row.with_ports("untagged", vlan.untagged).write(vid.into())
    }

    pub fn multicast(hash: usize, ports: PortSet) -> Self {
        Row::new(Table::Multicast).with_ports("functions", ports).write(hash)
    }

    /// Inserts or replaces the entry for this address in this VLAN, or in any for VID 0.
    pub fn insert(vid: u16, address: MacAddress, ports: PortSet) -> Self {
        let row = Row::new(Table::Mac).with("mac", address.to_u64()).with("vid", vid);
        Self { operation: Operation::Insert, ..row.with_ports("ports", ports).write(0) }
    }

    /// Deletes the entry for this address in this VLAN, or that for any for VID 0.
    pub fn delete(vid: u16, address: MacAddress) -> Self {
        Self { operation: Operation::Delete, ..Self::insert(vid, address, PortSet::EMPTY) }
    }

    pub fn mirror(index: usize, mirror: Option<Mirror>) -> Self {
        mirror_row(mirror).write(index)
    }

    pub fn ethertype(index: usize, ethertype: Option<u16>) -> Self {
        let row = Row::new(Table::Ethertype).with("enabled", ethertype.is_some());
        row.with("ethertype", ethertype.unwrap_or(0)).write(index)
    }

    /// # Panics
    /// If the maximum is above [`MAX_RATE`].
    pub fn rate(port: usize, rate: Rate) -> Self {
        assert!(rate.maximum <= MAX_RATE, "{} Mb/s are more than {MAX_RATE}", rate.maximum);
        let row = Row::new(Table::Rate).with("maximum", rate.maximum).with("class", rate.class);
        row.with("burst", rate.burst).with("quantum", rate.quantum).write(port)
    }

    pub fn limit(port: usize, limit: Limit) -> Self {
        Row::new(Table::Limit).with("cells", limit.cells).with("hold", limit.hold_from).write(port)
    }

    /// The key of the row, in the table that has keys.
    pub fn key(&self) -> Option<(u16, MacAddress)> {
        (self.table == Table::Mac).then(|| self.row().key())
    }

    fn row(&self) -> Row {
        Row { table: self.table, data: self.data }
    }
}

impl Policy {
    /// The changes that bring hardware from its reset state to this policy. The ports are the last: they open when all
    /// else is set.
    ///
    /// Wishes and filters are no rows, as they come from the functions.
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
    /// If the index is beyond the table, or the operation is no change of this table.
    pub fn apply(&mut self, change: &Change) {
        let Change { table, operation, index, .. } = *change;
        let row = change.row();
        let ports = |field: &str| row.ports(field) & self.all_ports();
        match (table, operation) {
            (Table::Port, Operation::Write) => {
                self.ports[index] = PortPolicy { default_ports: ports("default_ports"), ..row.port() };
            }
            (Table::Vlan, Operation::Write) => {
                let vid = u16::try_from(index).expect("a VID has 12 bits");
                self.set_vlan(vid, VlanPolicy { members: ports("members"), untagged: ports("untagged") });
            }
            (Table::Multicast, Operation::Write) => self.set_multicast(index, ports("functions")),
            (Table::Mac, Operation::Insert) => {
                let (vid, address) = row.key();
                self.insert_entry(vid, address, ports("ports"));
            }
            (Table::Mac, Operation::Delete) => {
                let (vid, address) = row.key();
                self.remove_entry(vid, address);
            }
            (Table::Mirror, Operation::Write) => self.mirrors[index] = row.mirror(),
            (Table::Ethertype, Operation::Write) => {
                self.ethertypes[index] = row.flag("enabled").then(|| row.get("ethertype") as u16);
            }
            (Table::Rate, Operation::Write) => self.rates[index] = row.rate(),
            (Table::Limit, Operation::Write) => {
                self.limits[index] =
                    Limit { cells: row.get("cells") as u32, hold_from: row.get("hold") as u32 };
            }
            _ => panic!("{table:?} is not changed by {operation:?}"),
        }
    }
}

fn port_row(port: &PortPolicy) -> Row {
    let mode = match port.mode {
        Mode::Veb => rows::Mode::Veb,
        Mode::Vepa => rows::Mode::Vepa,
        Mode::Isolated => rows::Mode::Isolated,
    };
    Row::new(Table::Port)
        .with("pvid", port.pvid)
        .with("priority", port.priority)
        .with("service_tag", port.inserted_tag == TagKind::Service)
        .with("customer_tags", port.customer_tags)
        .with("service_tags", port.service_tags)
        .with("admit_untagged", port.admit_untagged)
        .with("admit_tagged", port.admit_tagged)
        .with("admit_nested", port.admit_nested)
        .with("ingress", port.ingress)
        .with("egress", port.egress)
        .with("check_source", port.check_source)
        .with("check_ethertype", port.check_ethertype)
        .with("mode", mode as u128)
        .with("broadcast", port.broadcast)
        .with("may_unicast", port.may_unicast)
        .with("may_multicast", port.may_multicast)
        .with("may_vlan", port.may_vlan)
        .with("prune", port.prune)
        .with_ports("default_ports", port.default_ports)
}

fn mirror_row(mirror: Option<Mirror>) -> Row {
    let row = Row::new(Table::Mirror);
    let Some(mirror) = mirror else { return row };
    let row = match mirror.of {
        MirrorOf::Port(port) => row.with("key", port as u128),
        MirrorOf::Vlan(vid) => row.with("by_vid", true).with("key", vid),
    };
    row.with("enabled", true)
        .with("egress", mirror.direction == Direction::Egress)
        .with("target", mirror.target as u128)
}

/// What rows say.
impl Row {
    fn port(&self) -> PortPolicy {
        PortPolicy {
            pvid: self.get("pvid") as u16,
            priority: self.get("priority") as u8,
            inserted_tag: if self.flag("service_tag") { TagKind::Service } else { TagKind::Customer },
            customer_tags: self.flag("customer_tags"),
            service_tags: self.flag("service_tags"),
            admit_untagged: self.flag("admit_untagged"),
            admit_tagged: self.flag("admit_tagged"),
            admit_nested: self.flag("admit_nested"),
            ingress: self.flag("ingress"),
            egress: self.flag("egress"),
            check_source: self.flag("check_source"),
            check_ethertype: self.flag("check_ethertype"),
            mode: match self.get("mode") {
                1 => Mode::Vepa,
                2 => Mode::Isolated,
                _ => Mode::Veb,
            },
            broadcast: self.flag("broadcast"),
            may_unicast: self.flag("may_unicast"),
            may_multicast: self.flag("may_multicast"),
            may_vlan: self.flag("may_vlan"),
            prune: self.flag("prune"),
            default_ports: self.ports("default_ports"),
        }
    }

    fn key(&self) -> (u16, MacAddress) {
        (self.get("vid") as u16, MacAddress::from_u64(self.get("mac") as u64))
    }

    fn mirror(&self) -> Option<Mirror> {
        let key = self.get("key");
        self.flag("enabled").then(|| Mirror {
            direction: if self.flag("egress") { Direction::Egress } else { Direction::Ingress },
            of: if self.flag("by_vid") { MirrorOf::Vlan(key as u16) } else { MirrorOf::Port(key as usize) },
            target: self.get("target") as usize,
        })
    }

    fn rate(&self) -> Rate {
        Rate {
            maximum: self.get("maximum") as u16,
            class: self.get("class") as u8,
            burst: self.get("burst") as u32,
            quantum: self.get("quantum") as u16,
        }
    }
}

#[cfg(test)]
mod tests;
