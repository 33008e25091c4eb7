//! From the traffic of a file to flows.

use std::collections::HashSet;
use std::path::Path;

use super::error::{Problem, ScenarioError};
use super::file::Traffic;
use super::names::{Names, station};
use super::values::Time;
use crate::clock::Clock;
use crate::ethernet::{ETHERTYPE_EXPERIMENTAL, Tag, TagKind, VlanTag};
use crate::random::Random;
use crate::traffic::{Content, Flow, Pace, Stream};

/// What all flows of a file have in common.
pub struct Common<'a> {
    pub names: Names<'a>,
    pub clock: Clock,
    pub seed: u64,
    /// When all of them stop.
    pub stop: Option<Time>,
}

impl Common<'_> {
    /// The flows of a file: one for each port that a part names.
    pub fn flows(&self, parts: &[Traffic]) -> Result<Vec<Flow>, ScenarioError> {
        let mut flows = vec![];
        let mut seen = HashSet::new();
        for part in parts {
            let ports = self.names.ports(&part.port)?;
            for &port in &ports {
                let port_name = &self.names.ports[port];
                let name = match &part.name {
                    Some(name) if ports.len() == 1 => name.as_ref().clone(),
                    Some(name) => format!("{}.{port_name}", name.as_ref()),
                    None => port_name.clone(),
                };
                if !seen.insert(name.clone()) {
                    let place = part.name.as_ref().map_or(part.port.span(), |name| name.span());
                    return Err(self.names.source.error(place, Problem::DuplicateTraffic { name }));
                }
                flows.push(self.flow(part, name, port, flows.len() as u64)?);
            }
        }
        Ok(flows)
    }

    fn flow(&self, part: &Traffic, name: String, port: usize, number: u64) -> Result<Flow, ScenarioError> {
        let source = self.names.source;
        let start = part.start.map_or(0, |time| time.cycle(self.clock));
        let stop = part.stop.as_ref().map(|time| time.as_ref().cycle(self.clock));
        if let Some(place) = &part.stop {
            source.require(stop > Some(start), place, || Problem::Order)?;
        }
        let common = self.stop.map(|time| time.cycle(self.clock));
        let stop = [stop, common].into_iter().flatten().min();
        let frames = part.frames.map(|frames| frames.get());
        let content = match &part.pcap {
            Some(pcap) => {
                self.no_stream_keys(part)?;
                let folder = source.path.parent().unwrap_or(Path::new(""));
                Content::Capture(folder.join(pcap))
            }
            None => {
                let recorded = part.rate.as_ref().filter(|rate| *rate.as_ref() == Pace::Recorded);
                if let Some(rate) = recorded {
                    let what = "generated frames: it is for captures";
                    return source.fail(rate, Problem::Conflict { key: "recorded", what });
                }
                if stop.is_none() && frames.is_none() {
                    let keys = "an end: `frames` or `stop`, here or of the whole scenario";
                    return source.fail(&part.port, Problem::Missing { what: "generated traffic", keys });
                }
                let seed = part.seed.map_or(self.seed, |seed| seed.get());
                Content::Generated(self.stream(part, port, Random::fork(seed, number).word())?)
            }
        };
        let pace = part.rate.as_ref().map_or(Pace::Max, |rate| *rate.as_ref());
        Ok(Flow { name, port, content, pace, start, stop, frames })
    }

    fn stream(&self, part: &Traffic, port: usize, seed: u64) -> Result<Stream, ScenarioError> {
        let source = self.names.source;
        let missing = Problem::Missing { what: "traffic", keys: "`pcap`, or `destination` and `size`" };
        let (Some(destination), Some(size)) = (&part.destination, &part.size) else {
            return source.fail(&part.port, missing);
        };
        let tag = |kind, vid: u16, pcp| Tag { kind, control: VlanTag { pcp, dei: false, vid } };
        let priority = part.priority.map(|priority| priority.get());
        let outer =
            part.service_vlan.map(|vid| tag(TagKind::Service, vid.get(), priority.unwrap_or_default()));
        let inner = match (part.vlan, priority, outer) {
            (Some(vid), _, _) => Some(tag(TagKind::Customer, vid.get(), priority.unwrap_or_default())),
            (None, Some(priority), None) => Some(tag(TagKind::Customer, 0, priority)),
            _ => None,
        };
        let tags: Vec<Tag> = outer.into_iter().chain(inner).collect();
        let (low, high) = size.as_ref().bounds();
        let (least, most) = Stream::sizes(tags.len());
        source.require(least <= low && high <= most, size, || Problem::Size { low, high, least, most })?;
        Ok(Stream {
            destination: self.names.address(destination)?,
            source: part.source.as_ref().map_or(Ok(station(port)), |text| self.names.address(text))?,
            tags,
            ethertype: part.ethertype.map_or(ETHERTYPE_EXPERIMENTAL, |ethertype| ethertype.get()),
            size: *size.as_ref(),
            seed,
        })
    }

    /// Captures bring their frames as they are.
    fn no_stream_keys(&self, part: &Traffic) -> Result<(), ScenarioError> {
        let keys = [
            ("source", part.source.is_some()),
            ("destination", part.destination.is_some()),
            ("vlan", part.vlan.is_some()),
            ("priority", part.priority.is_some()),
            ("service_vlan", part.service_vlan.is_some()),
            ("ethertype", part.ethertype.is_some()),
            ("size", part.size.is_some()),
            ("seed", part.seed.is_some()),
        ];
        match keys.into_iter().find(|(_, given)| *given) {
            Some((key, _)) => {
                let problem = Problem::Conflict { key, what: "`pcap`, which brings whole frames" };
                self.names.source.fail(&part.port, problem)
            }
            None => Ok(()),
        }
    }
}
