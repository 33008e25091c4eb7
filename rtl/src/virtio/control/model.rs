//! What commands do, said once more in plain Rust.

use crate::virtio::types::Cause;
use std::collections::{BTreeMap, BTreeSet};

/// The features that a driver has accepted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    pub receive: bool,
    pub vlan: bool,
    pub address: bool,
    pub announce: bool,
    pub pairs: bool,
}

/// What the manager allows a function.
#[derive(Clone, Copy, Debug)]
pub struct Rights {
    pub address: bool,
    pub unicast: bool,
    pub multicast: bool,
}

/// What a function has set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    pub promiscuous: bool,
    pub all_multicast: bool,
    pub many: bool,
    pub pairs: u16,
    pub own: Option<u64>,
    pub list: Vec<u64>,
    pub groups: BTreeSet<u64>,
    pub vlans: BTreeSet<u64>,
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Answer(u8),
    Fault(Cause),
    /// Nobody is told.
    Silence,
}

/// What the registers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Announced(usize),
    Mac(usize, u64),
}

#[derive(Clone, Debug)]
pub struct Model {
    pub wires: usize,
    pub most_pairs: u16,
    pub functions: Vec<Function>,
    pub features: Vec<Features>,
    pub rights: Vec<Rights>,
    /// Entries of the manager: ports by address.
    pub manager: BTreeMap<u64, u128>,
    /// Members of VLANs.
    pub vlans: BTreeMap<u64, u128>,
    /// Entries that the table has room for.
    pub room: usize,
    pub told: Vec<Told>,
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The first byte is the most significant.
pub fn mac(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |mac, byte| mac << 8 | u64::from(*byte))
}

pub fn hash(mac: u64) -> u64 {
    (0..48).step_by(9).fold(0, |hash, low| hash ^ mac >> low & 511)
}

fn is_group(mac: u64) -> bool {
    mac >> 40 & 1 == 1
}

/// The port of a function, as a set: the manager's, function 1, is the first behind the wires, and then that of function 0.
pub fn port(wires: usize, function: usize) -> u128 {
    let place = [1, 0].get(function).copied().unwrap_or(function);
    1 << (wires + place)
}

impl Model {
    /// The bridge's table: an address is there as long as anybody has it.
    pub fn table(&self) -> BTreeMap<u64, u128> {
        let mut table = self.manager.clone();
        for (index, function) in self.functions.iter().enumerate() {
            for address in function.own.iter().chain(&function.list) {
                table.entry(*address).or_insert(port(self.wires, index));
            }
        }
        table
    }

    /// Carries out a command; says whether it is accepted.
    pub fn carry_out(&mut self, function: usize, bytes: &[u8]) -> bool {
        let (features, rights) = (self.features[function], self.rights[function]);
        let port = port(self.wires, function);
        let state = &mut self.functions[function];
        let data = &bytes[2..];
        let switch = (data.len() == 1 && data[0] < 2).then(|| data[0] == 1);
        let vid = (data.len() == 2).then(|| number(data));
        match (bytes[0], bytes[1]) {
            (0, 0) if features.receive => {
                let Some(on) = switch.filter(|on| !on || rights.unicast) else { return false };
                state.promiscuous = on;
            }
            (0, 1) if features.receive => {
                let Some(on) = switch.filter(|on| !on || rights.multicast) else { return false };
                state.all_multicast = on;
            }
            (1, 0) if features.receive => {
                let Some((unicast, rest)) = list(data) else { return false };
                let Some((multicast, [])) = list(rest) else { return false };
                let many = unicast.len() > 3;
                if unicast.iter().any(|mac| is_group(*mac)) || many && !(rights.unicast && rights.address) {
                    return false;
                }
                let kept = unicast[..unicast.len().min(3)].to_vec();
                if !self.may_have(function, &kept) {
                    return false;
                }
                let state = &mut self.functions[function];
                state.list = kept;
                state.many = many;
                state.groups = multicast.into_iter().map(hash).collect();
            }
            (1, 1) if features.address && rights.address => {
                if data.len() != 6 || is_group(mac(data)) || !self.may_have(function, &[mac(data)]) {
                    return false;
                }
                self.functions[function].own = Some(mac(data));
                self.told.push(Told::Mac(function, mac(data)));
            }
            (2, 0) if features.vlan => {
                let members = |vid: &u64| self.vlans.get(vid).copied().unwrap_or(0);
                let may = |vid: &u64| *vid == 0 || *vid < 4095 && members(vid) & port != 0;
                let Some(vid) = vid.filter(may) else { return false };
                state.vlans.insert(vid);
            }
            (2, 1) if features.vlan => {
                let Some(vid) = vid.filter(|vid| *vid < 4095) else { return false };
                state.vlans.remove(&vid);
            }
            (3, 0) if features.announce && data.is_empty() => self.told.push(Told::Announced(function)),
            (4, 0) if features.pairs => {
                let Some(pairs) = vid.filter(|pairs| (1..=self.most_pairs.into()).contains(pairs)) else {
                    return false;
                };
                state.pairs = pairs as u16 - 1;
            }
            _ => return false,
        }
        true
    }

    /// Whether all of these may be addresses of the function, in this order, while it still has those of before.
    fn may_have(&self, function: usize, addresses: &[u64]) -> bool {
        let mut table = self.table();
        addresses.iter().all(|address| {
            let port = port(self.wires, function);
            match table.get(address) {
                Some(ports) => *ports == port,
                None => {
                    let fits = table.len() < self.room;
                    table.insert(*address, port);
                    self.rights[function].address && fits
                }
            }
        })
    }
}

/// A list of addresses, and what is behind it.
fn list(data: &[u8]) -> Option<(Vec<u64>, &[u8])> {
    let (count, rest) = data.split_at_checked(4)?;
    let (list, rest) = rest.split_at_checked(usize::try_from(number(count)).ok()?.checked_mul(6)?)?;
    Some((list.chunks(6).map(mac).collect(), rest))
}
