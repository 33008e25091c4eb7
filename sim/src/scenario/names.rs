//! Names of ports and stations, once the configuration is known.

use rtl::config::Config;
use toml::Spanned;

use super::error::{Problem, ScenarioError, Source};
use super::file::Ports;
use super::values::PortList;
use crate::ethernet::MacAddress;
use crate::veb::PortSet;

/// The address of the station behind a port, where a scenario names the port instead of an address: 52:54:00:00:00:nn with
/// the number of the port, wires first.
pub fn station(port: usize) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0, 0, 0, port as u8])
}

/// What names mean in one configuration.
pub struct Names<'a> {
    pub source: &'a Source,
    pub config: &'a Config,
    pub ports: Vec<String>,
}

impl<'a> Names<'a> {
    pub fn new(source: &'a Source, config: &'a Config) -> Self {
        Self { source, config, ports: config.port_names() }
    }

    /// The port of this name.
    pub fn port(&self, name: &Spanned<String>) -> Result<usize, ScenarioError> {
        match self.find(name.as_ref()) {
            Some(port) => Ok(port),
            None => self.unknown(name, name.as_ref(), self.ports.join(", ")),
        }
    }

    /// The ports of a list, in its order.
    pub fn ports(&self, list: &Ports) -> Result<Vec<usize>, ScenarioError> {
        let mut ports = vec![];
        match list.as_ref() {
            PortList::One(name) => self.add(&mut ports, list, name)?,
            PortList::Several(names) => {
                names.iter().try_for_each(|name| self.add(&mut ports, name, name.as_ref()))?;
            }
        }
        Ok(ports)
    }

    /// The ports of a list as a set.
    pub fn set(&self, list: &Ports) -> Result<PortSet, ScenarioError> {
        Ok(self.ports(list)?.into_iter().collect())
    }

    /// The address that a text spells, or that of the station behind the port that it names.
    pub fn address(&self, text: &Spanned<String>) -> Result<MacAddress, ScenarioError> {
        match (self.find(text.as_ref()), text.as_ref().parse()) {
            (Some(port), _) => Ok(station(port)),
            (None, Ok(address)) => Ok(address),
            (None, Err(error)) if text.as_ref().contains([':', '-']) => {
                self.source.fail(text, Problem::Mac(error))
            }
            (None, Err(_)) => {
                self.unknown(text, text.as_ref(), self.ports.join(", ") + " (or give a MAC address)")
            }
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.ports.iter().position(|port| port == name)
    }

    /// Adds what one name of a list stands for.
    fn add<T>(&self, ports: &mut Vec<usize>, place: &Spanned<T>, name: &str) -> Result<(), ScenarioError> {
        let count = self.ports.len();
        let (low, high) = match name {
            "all" => (0, count),
            "wires" => (0, self.config.wires),
            "functions" => (self.config.wires, count),
            // Behind the manager and the physical function.
            "vfs" => (self.config.wires + 2, count),
            _ => match self.find(name).map(|port| (port, port + 1)).or_else(|| self.range(name)) {
                Some(range) => range,
                None => {
                    let known = self.ports.join(", ");
                    return self.unknown(
                        place,
                        name,
                        known + "; several are all, wires, functions, vfs, or a range such as vf0-vf2",
                    );
                }
            },
        };
        for port in low..high {
            let problem = || Problem::DuplicatePort { name: self.ports[port].clone() };
            self.source.require(!ports.contains(&port), place, problem)?;
            ports.push(port);
        }
        Ok(())
    }

    fn range(&self, text: &str) -> Option<(usize, usize)> {
        let (first, last) = text.split_once('-')?;
        let (first, last) = (self.find(first)?, self.find(last)?);
        (first <= last).then_some((first, last + 1))
    }

    fn unknown<T, V>(&self, place: &Spanned<V>, name: &str, known: String) -> Result<T, ScenarioError> {
        self.source.fail(place, Problem::UnknownPort { name: name.to_owned(), known })
    }
}
