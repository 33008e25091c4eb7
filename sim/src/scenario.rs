//! Scenario files: which captures go into which port, and the tables of the bridge.
//!
//! ```toml
//! config = "small"                       # optional: the configuration it is made for
//! default = ["manager"]                  # unicast frames that no entry matches; ports, or "all"
//!
//! [[traffic]]                            # one or more, each into another port
//! pcap = "lan.pcap"                      # relative to the scenario file
//! port = "wire0"
//!
//! [pvid]                                 # VLAN of untagged frames; 1 for a port that is not named
//! vf2 = 200
//!
//! [[vlan]]                               # a VLAN that is not listed has no members: its frames are dropped
//! vid = 200
//! members = ["wire0", "vf2"]
//!
//! [[entry]]                              # where the frames to an address go, in one VLAN
//! vid = 200
//! mac = "52:54:00:ab:00:02"
//! ports = ["vf2"]
//! ```
//!
//! A file is checked in two steps, as the ports are known only with the configuration: [`Scenario::load`] checks what the
//! file says, [`Scenario::tables`] and [`Scenario::traffic`] resolve its port names.

mod error;
mod file;

use std::collections::HashSet;
use std::fs;
use std::hash::Hash;
use std::path::{Path, PathBuf};

use toml::Spanned;

pub use error::{Problem, ScenarioError};

use crate::ethernet::MacAddress;
use crate::veb::{PortSet, Tables};
use error::Source;
use file::{File, PortList};

/// VLAN identifiers that a frame can belong to; 0 and 4095 are reserved (IEEE 802.1Q, table 9-2).
const VIDS: std::ops::RangeInclusive<i64> = 1..=4094;

/// A scenario whose text is in order, with names of ports that are not yet resolved.
#[derive(Clone, Debug)]
pub struct Scenario {
    source: Source,
    config: Option<Spanned<String>>,
    default: PortList,
    traffic: Vec<file::Traffic>,
    pvids: Vec<(Spanned<String>, u16)>,
    vlans: Vec<(u16, PortList)>,
    entries: Vec<(u16, MacAddress, PortList)>,
}

/// A capture to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The capture.
    pub pcap: PathBuf,
    /// Number of the port that its frames enter at.
    pub port: usize,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// A file that cannot be read, is no TOML, has an unknown or missing key, a bad MAC address, a VID out of 1 to 4094, or
    /// says something twice.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ScenarioError> {
        let path = path.as_ref();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(source) => Err(ScenarioError::Read { path: path.to_owned(), source }),
        }
    }

    /// Reads a scenario from its text; `path` is its name in messages, and captures are looked for beside it.
    ///
    /// # Errors
    /// See [`Scenario::load`].
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Self, ScenarioError> {
        let source = Source { path: path.as_ref().to_owned(), text: text.into() };
        let file: File = toml::from_str(text).map_err(|error| {
            source.error(error.span().unwrap_or(0..0), Problem::Syntax(error.message().replace('\n', "; ")))
        })?;
        let (mut vids, mut keys, mut ports) = (HashSet::new(), HashSet::new(), HashSet::new());
        let vlans = file.vlan.into_iter().map(|vlan| {
            let vid = check_vid(&source, &vlan.vid)?;
            once(&source, &mut vids, vid, &vlan.vid, || Problem::DuplicateVlan { vid })?;
            Ok((vid, vlan.members))
        });
        let vlans = vlans.collect::<Result<_, _>>()?;
        let entries = file.entry.into_iter().map(|entry| {
            let vid = check_vid(&source, &entry.vid)?;
            let mac: MacAddress = entry
                .mac
                .as_ref()
                .parse()
                .map_err(|error| source.error(entry.mac.span(), Problem::Mac(error)))?;
            once(&source, &mut keys, (vid, mac), &entry.mac, || Problem::DuplicateEntry { vid, mac })?;
            Ok((vid, mac, entry.ports))
        });
        let entries = entries.collect::<Result<_, _>>()?;
        let pvids = file.pvid.into_iter().map(|(port, vid)| Ok((port, check_vid(&source, &vid)?)));
        let pvids = pvids.collect::<Result<_, _>>()?;
        for traffic in &file.traffic {
            let name = traffic.port.as_ref().clone();
            let problem = || Problem::DuplicateTraffic { port: name.clone() };
            once(&source, &mut ports, name.clone(), &traffic.port, problem)?;
        }
        let (config, default, traffic) = (file.config, file.default, file.traffic);
        Ok(Self { source, config, default, traffic, pvids, vlans, entries })
    }

    /// The configuration that the scenario is made for, if it names one.
    pub fn config(&self) -> Option<&str> {
        self.config.as_ref().map(|config| config.as_ref().as_str())
    }

    /// The error that the scenario's configuration is none of `known`.
    pub fn unknown_config(&self, known: &[&str]) -> ScenarioError {
        let name = self.config().unwrap_or_default().to_owned();
        let span = self.config.as_ref().map_or(0..0, Spanned::span);
        self.source.error(span, Problem::UnknownConfig { name, known: known.join(", ") })
    }

    /// The captures to be played into a bridge with these ports.
    ///
    /// # Errors
    /// A port that the bridge does not have.
    pub fn traffic(&self, ports: &[String]) -> Result<Vec<Traffic>, ScenarioError> {
        let folder = self.source.path.parent().unwrap_or(Path::new(""));
        let resolve = |traffic: &file::Traffic| {
            let port = self.port(ports, &traffic.port)?;
            Ok(Traffic { pcap: folder.join(&traffic.pcap), port })
        };
        self.traffic.iter().map(resolve).collect()
    }

    /// The tables of a bridge with these ports.
    ///
    /// # Errors
    /// A port that the bridge does not have, or one that a list names twice.
    ///
    /// # Panics
    /// If there are more than [`PortSet::CAPACITY`] ports.
    pub fn tables(&self, ports: &[String]) -> Result<Tables, ScenarioError> {
        let mut tables = Tables::new(ports.len());
        tables.set_default_ports(self.ports(ports, &self.default)?);
        for (port, vid) in &self.pvids {
            tables.set_pvid(self.port(ports, port)?, *vid);
        }
        for (vid, members) in &self.vlans {
            tables.set_members(*vid, self.ports(ports, members)?);
        }
        for (vid, mac, destinations) in &self.entries {
            tables.insert_entry(*vid, *mac, self.ports(ports, destinations)?);
        }
        Ok(tables)
    }

    fn ports(&self, known: &[String], list: &PortList) -> Result<PortSet, ScenarioError> {
        let PortList::Named(names) = list else { return Ok(PortSet::first(known.len())) };
        let mut set = PortSet::EMPTY;
        for name in names {
            let port = PortSet::single(self.port(known, name)?);
            if !(set & port).is_empty() {
                let problem = Problem::DuplicatePort { name: name.as_ref().clone() };
                return Err(self.source.error(name.span(), problem));
            }
            set = set | port;
        }
        Ok(set)
    }

    fn port(&self, known: &[String], name: &Spanned<String>) -> Result<usize, ScenarioError> {
        known.iter().position(|port| port == name.as_ref()).ok_or_else(|| {
            let problem = Problem::UnknownPort { name: name.as_ref().clone(), known: known.join(", ") };
            self.source.error(name.span(), problem)
        })
    }
}

fn check_vid(source: &Source, vid: &Spanned<i64>) -> Result<u16, ScenarioError> {
    let value = *vid.as_ref();
    u16::try_from(value)
        .ok()
        .filter(|_| VIDS.contains(&value))
        .ok_or_else(|| source.error(vid.span(), Problem::Vid { vid: value }))
}

/// Reports `problem` at `place` if `key` is in `seen` already.
fn once<K: Eq + Hash, T>(
    source: &Source,
    seen: &mut HashSet<K>,
    key: K,
    place: &Spanned<T>,
    problem: impl FnOnce() -> Problem,
) -> Result<(), ScenarioError> {
    if seen.insert(key) { Ok(()) } else { Err(source.error(place.span(), problem())) }
}

#[cfg(test)]
mod tests;
