//! What functions want to receive: their drivers ask for it by the control queue (virtio 5.1.6.5).

use super::{Bench, BenchError, trouble};
use crate::{
    ethernet::MacAddress,
    veb::{
        Policy,
        policy::{FilterOf, Wishes, multicast_hash},
    },
    virtio::{features::Features, net::Command},
};
use hdl::Simulator;
use std::collections::BTreeSet;

/// Cycles in which the bridge has learned of a command that was answered: groups are written one by one.
const LEARNED: u64 = 3000;

/// What a policy has a function want, as a driver says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    promiscuous: bool,
    all_multicast: bool,
    /// By the rows of their hashes.
    groups: BTreeSet<usize>,
    vlans: BTreeSet<u16>,
}

impl Wanted {
    fn of(policy: &Policy, port: usize) -> Wanted {
        let wishes = policy.wishes[port];
        let mut wanted = Wanted {
            promiscuous: wishes.unicast || wishes.vlan,
            all_multicast: wishes.multicast,
            ..Wanted::default()
        };
        for filter in policy.filters.iter().filter(|filter| filter.function == port) {
            match filter.of {
                FilterOf::Group(hash) => drop(wanted.groups.insert(hash)),
                FilterOf::Vlan(vid) => drop(wanted.vlans.insert(vid)),
            }
        }
        wanted
    }
}

/// A group whose row is the one of this hash: the last nine bits of an address count once.
fn group(hash: usize) -> [u8; 6] {
    let base = MacAddress::new([0x01, 0x00, 0x5E, 0, 0, 0]);
    MacAddress::from_u64(base.to_u64() | (multicast_hash(base) ^ hash) as u64).bytes()
}

/// The features that a driver needs to ask for what these policies want of it.
pub fn features<'a>(policies: impl IntoIterator<Item = &'a Policy>, port: usize) -> Features {
    let mut features = Features::NONE;
    for policy in policies {
        let Wanted { promiscuous, all_multicast, groups, .. } = Wanted::of(policy, port);
        if promiscuous || all_multicast || !groups.is_empty() {
            features = features | Features::CTRL_VQ | Features::CTRL_RX;
        }
        if policy.wishes[port].filter {
            features = features | Features::CTRL_VQ | Features::CTRL_VLAN;
        }
    }
    features
}

impl<S: Simulator> Bench<S> {
    /// Has drivers ask for what the policy wants that was not asked for yet. The model goes by what they are granted.
    pub(super) fn ask(&mut self, policy: &Policy) -> Result<(), BenchError> {
        let mut has_asked = false;
        for guest in 0..self.guests.len() {
            has_asked |= self.ask_for(guest, policy)?;
        }
        if has_asked { self.wait(LEARNED) } else { Ok(()) }
    }

    fn ask_for(&mut self, guest: usize, policy: &Policy) -> Result<bool, BenchError> {
        let port = self.guests[guest].port;
        let (old, new) = (Wanted::of(&self.policy, port), Wanted::of(policy, port));
        let [promiscuous, all_multicast] = self.guests[guest].granted;
        let mut has_asked = false;
        for (which, is_on, wanted, command) in [
            (0, promiscuous, new.promiscuous, Command::Promiscuous(new.promiscuous)),
            (1, all_multicast, new.all_multicast, Command::AllMulticast(new.all_multicast)),
        ] {
            if is_on != wanted {
                has_asked = true;
                let is_granted = self.command(guest, &command)?;
                self.guests[guest].granted[which] = if is_granted { wanted } else { is_on };
            }
        }
        if old.groups != new.groups {
            has_asked = true;
            let groups = new.groups.iter().map(|hash| group(*hash)).collect();
            self.command(guest, &Command::Addresses(vec![], groups))?;
            self.policy.filters.retain(|filter| filter.function != port || !is_group(filter.of));
            let groups =
                policy.filters.iter().filter(|filter| filter.function == port && is_group(filter.of));
            self.policy.filters.extend(groups.copied());
        }
        let vlans = policy.filters.symmetric_difference(&self.policy.filters).copied();
        for filter in vlans.filter(|filter| filter.function == port).collect::<Vec<_>>() {
            let FilterOf::Vlan(vid) = filter.of else { continue };
            has_asked = true;
            if !policy.filters.contains(&filter) {
                self.command(guest, &Command::RemoveVlan(vid))?;
                self.policy.filters.remove(&filter);
            } else if self.command(guest, &Command::AddVlan(vid))? {
                self.policy.filters.insert(filter);
            }
        }
        let [promiscuous, all_multicast] = self.guests[guest].granted;
        let has_filter = self.scene.drivers[&self.guests[guest].function].options().features;
        self.policy.wishes[port] = Wishes {
            unicast: promiscuous,
            multicast: promiscuous || all_multicast,
            vlan: promiscuous,
            filter: has_filter.has(Features::CTRL_VLAN) && !promiscuous,
        };
        Ok(has_asked)
    }

    fn command(&mut self, guest: usize, command: &Command) -> Result<bool, BenchError> {
        self.rest()?;
        let (net, host) = self.scene.driver(self.guests[guest].function);
        let answer = net.command(host, command);
        answer.map_err(|error| trouble(&self.names[self.guests[guest].port], error))
    }
}

fn is_group(of: FilterOf) -> bool {
    matches!(of, FilterOf::Group(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_for_each_hash() {
        for hash in 0..512 {
            let address = MacAddress::new(group(hash));
            assert!(address.is_group() && address != MacAddress::BROADCAST);
            assert_eq!(multicast_hash(address), hash);
        }
    }
}
