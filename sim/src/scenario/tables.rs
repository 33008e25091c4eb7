//! From the tables of a file to a policy.

use std::collections::{BTreeMap, HashSet};

use super::error::{Problem, ScenarioError};
use super::file::{Link, Mirror, Port, Promiscuity, Tables};
use super::names::{Names, station};
use super::rows;
use crate::ethernet::MacAddress;
use crate::veb::PortSet;
use crate::veb::policy::{
    self, ETHERTYPES, Filter, FilterOf, MIRRORS, MirrorOf, PRESETS, Policy, PortPolicy, Rate, VlanPolicy,
    multicast_hash,
};

/// Bytes that a share of 1 stands for in each round: the longest frame with two tags.
const SHARE_BYTES: u16 = 1526;

/// The burst of a port with a maximum rate, unless the file gives another.
const BURST: u32 = 4096;

/// A policy in the making.
#[derive(Clone, Debug)]
pub struct State {
    pub policy: Policy,
    /// Who wants which group. Several groups can share a row of the hardware's table.
    groups: BTreeMap<MacAddress, PortSet>,
}

impl State {
    /// After reset.
    pub fn new(wires: usize, functions: usize) -> State {
        State { policy: Policy::new(wires, functions), groups: BTreeMap::new() }
    }

    /// Sets what the tables say; the rest stays.
    pub fn apply(&mut self, names: &Names, tables: &Tables) -> Result<(), ScenarioError> {
        tables.port.iter().try_for_each(|port| self.port(names, port))?;
        self.vlans(names, tables)?;
        self.addresses(names, tables)?;
        self.multicast(names, tables)?;
        if let Some(mirrors) = &tables.mirror {
            let count = mirrors.as_ref().len();
            let too_many = || Problem::TooMany { what: "mirrors", count, most: MIRRORS };
            names.source.require(count <= MIRRORS, mirrors, too_many)?;
            self.policy.mirrors = [None; MIRRORS];
            for (row, mirror) in self.policy.mirrors.iter_mut().zip(mirrors.as_ref()) {
                *row = Some(mirror_row(names, mirror)?);
            }
        }
        if let Some(types) = &tables.ethertypes {
            let count = types.as_ref().len();
            let too_many = || Problem::TooMany { what: "types", count, most: ETHERTYPES };
            names.source.require(count <= ETHERTYPES, types, too_many)?;
            self.policy.ethertypes = [None; ETHERTYPES];
            for (row, ethertype) in self.policy.ethertypes.iter_mut().zip(types.as_ref()) {
                *row = Some(ethertype.get());
            }
        }
        for row in &tables.row {
            self.policy.apply(&rows::change(names, row)?);
        }
        Ok(())
    }

    fn vlans(&mut self, names: &Names, tables: &Tables) -> Result<(), ScenarioError> {
        let mut seen = HashSet::new();
        for vlan in &tables.vlan {
            let vid = vlan.vid.as_ref().get();
            names.source.require(seen.insert(vid), &vlan.vid, || Problem::DuplicateVlan { vid })?;
            let members = names.set(&vlan.members)?;
            let untagged = vlan.untagged.as_ref().map_or(Ok(PortSet::EMPTY), |ports| names.set(ports))?;
            self.policy.set_vlan(vid, VlanPolicy { members, untagged });
        }
        Ok(())
    }

    fn addresses(&mut self, names: &Names, tables: &Tables) -> Result<(), ScenarioError> {
        for entry in &tables.remove {
            let (vid, mac) = (entry.vid.map_or(0, |vid| vid.get()), names.address(&entry.mac)?);
            let removed = self.policy.remove_entry(vid, mac);
            names.source.require(removed, &entry.mac, || Problem::NoEntry { vid, mac })?;
        }
        let mut seen = HashSet::new();
        for entry in &tables.address {
            let vid = entry.vid.map_or(0, |vid| vid.get());
            let rows = match &entry.mac {
                Some(mac) => vec![(names.address(mac)?, names.set(&entry.ports)?)],
                None => {
                    let ports = names.ports(&entry.ports)?;
                    ports.into_iter().map(|port| (station(port), PortSet::single(port))).collect()
                }
            };
            let place = entry.mac.as_ref().map_or(entry.ports.span(), |mac| mac.span());
            for (mac, ports) in rows {
                if !seen.insert((vid, mac)) {
                    return Err(names.source.error(place, Problem::DuplicateEntry { vid, mac }));
                }
                self.policy.insert_entry(vid, mac, ports);
            }
        }
        Ok(())
    }

    fn multicast(&mut self, names: &Names, tables: &Tables) -> Result<(), ScenarioError> {
        let mut seen = HashSet::new();
        for group in &tables.multicast {
            let mac = names.address(&group.mac)?;
            names.source.require(mac.is_group(), &group.mac, || Problem::NoGroup { mac })?;
            names.source.require(seen.insert(mac), &group.mac, || Problem::DuplicateGroup { mac })?;
            self.groups.insert(mac, names.set(&group.ports)?);
        }
        for hash in seen.into_iter().map(multicast_hash) {
            let row = self.groups.iter().filter(|&(&mac, _)| multicast_hash(mac) == hash);
            let ports = row.fold(PortSet::EMPTY, |row, (_, &ports)| row | ports);
            self.policy.set_multicast(hash, ports);
        }
        Ok(())
    }

    fn port(&mut self, names: &Names, settings: &Port) -> Result<(), ScenarioError> {
        for port in names.ports(&settings.name)? {
            if let Some(preset) = &settings.preset {
                let vid = settings.vlan.map(|vid| vid.get());
                let name = preset.as_ref().as_str();
                if vid.is_none() && matches!(name, "access" | "tunnel") {
                    let missing = Problem::Missing { what: "a port with this preset", keys: "`vlan`" };
                    return names.source.fail(preset, missing);
                }
                let Some(row) = PortPolicy::preset(name, vid.unwrap_or(1)) else {
                    let unknown = Problem::UnknownPreset { name: name.to_owned(), known: PRESETS.join(", ") };
                    return names.source.fail(preset, unknown);
                };
                self.policy.ports[port] = row;
                self.policy.wishes[port] = policy::Wishes::default();
                self.policy.filters.retain(|filter| filter.function != port);
                self.policy.rates[port] = Rate { quantum: SHARE_BYTES, ..Rate::default() };
                self.policy.limits[port] = policy::Limit::default();
            }
            self.rules(names, settings, port)?;
            self.bandwidth(names, settings, port)?;
        }
        Ok(())
    }

    /// What the port may do and how its frames are tagged.
    fn rules(&mut self, names: &Names, settings: &Port, port: usize) -> Result<(), ScenarioError> {
        let is_wire = self.policy.is_wire(port);
        let row = &mut self.policy.ports[port];
        if let Some(link) = settings.link {
            (row.ingress, row.egress) = (link == Link::Up, link == Link::Up);
        }
        for (flag, setting) in [
            (&mut row.customer_tags, settings.customer_tags),
            (&mut row.service_tags, settings.service_tags),
            (&mut row.admit_untagged, settings.admit_untagged),
            (&mut row.admit_tagged, settings.admit_tagged),
            (&mut row.admit_nested, settings.admit_nested),
            (&mut row.ingress, settings.ingress),
            (&mut row.egress, settings.egress),
            (&mut row.check_source, settings.check_source),
            (&mut row.check_ethertype, settings.check_ethertype),
            (&mut row.broadcast, settings.broadcast),
            (&mut row.prune, settings.prune),
        ] {
            *flag = setting.unwrap_or(*flag);
        }
        row.pvid = settings.vlan.map_or(row.pvid, |vid| vid.get());
        row.priority = settings.priority.map_or(row.priority, |priority| priority.get());
        row.inserted_tag = settings.inserted_tag.map_or(row.inserted_tag, Into::into);
        row.mode = settings.mode.map_or(row.mode, Into::into);
        if let Some(may) = &settings.may {
            row.may_unicast = may.contains(&Promiscuity::Unicast);
            row.may_multicast = may.contains(&Promiscuity::Multicast);
            row.may_vlan = may.contains(&Promiscuity::Vlan);
        }
        if let Some(wants) = &settings.wants {
            self.policy.wishes[port] = policy::Wishes {
                unicast: wants.contains(&Promiscuity::Unicast),
                multicast: wants.contains(&Promiscuity::Multicast),
                vlan: wants.contains(&Promiscuity::Vlan),
                ..self.policy.wishes[port]
            };
        }
        let groups = settings.groups.iter().flatten().map(|mac| names.address(mac));
        let groups = groups.map(|mac| Ok(FilterOf::Group(multicast_hash(mac?))));
        let vlans = settings.vlans.iter().flatten().map(|vid| Ok(FilterOf::Vlan(vid.get())));
        let filters: Result<Vec<FilterOf>, ScenarioError> = groups.chain(vlans).collect();
        if !is_wire {
            let filters = filters?.into_iter().map(|of| Filter { function: port, of });
            self.policy.filters.extend(filters);
        }
        self.policy.wishes[port].filter |= settings.vlans.is_some();
        if let Some(ports) = &settings.default_ports {
            row.default_ports = names.set(ports)?;
        }
        Ok(())
    }

    /// Rates and the use of the packet buffer.
    fn bandwidth(&mut self, names: &Names, settings: &Port, port: usize) -> Result<(), ScenarioError> {
        let rate = &mut self.policy.rates[port];
        if let Some(maximum) = settings.max_rate {
            rate.maximum = maximum.0;
            if rate.burst == 0 && rate.maximum > 0 {
                rate.burst = BURST;
            }
        }
        rate.burst = settings.burst.map_or(rate.burst, |burst| burst.get());
        rate.class = settings.class.map_or(rate.class, |class| class.get());
        rate.quantum = settings.quantum.map_or(rate.quantum, |quantum| quantum.get());
        if let Some(share) = &settings.share {
            let conflict = || Problem::Conflict { key: "share", what: "`quantum`" };
            names.source.require(settings.quantum.is_none(), share, conflict)?;
            rate.quantum = SHARE_BYTES * share.as_ref().get::<u16>();
        }
        let limit = &mut self.policy.limits[port];
        limit.cells = settings.queue_cells.map_or(limit.cells, |cells| cells.get());
        limit.hold_from = settings.hold_from.map_or(limit.hold_from, |cells| cells.get());
        Ok(())
    }
}

fn mirror_row(names: &Names, mirror: &Mirror) -> Result<policy::Mirror, ScenarioError> {
    let target = names.port(&mirror.target)?;
    let of = match (&mirror.port, mirror.vlan) {
        (Some(port), None) => MirrorOf::Port(names.port(port)?),
        (None, Some(vid)) => MirrorOf::Vlan(vid.get()),
        (Some(port), Some(_)) => {
            return names.source.fail(port, Problem::Conflict { key: "port", what: "`vlan` in a mirror" });
        }
        (None, None) => {
            let missing = Problem::Missing { what: "a mirror", keys: "`port` or `vlan`" };
            return names.source.fail(&mirror.target, missing);
        }
    };
    Ok(policy::Mirror { direction: mirror.direction.into(), of, target })
}
