//! From the traffic of a file to flows.

use std::collections::HashSet;
use std::path::Path;

use super::error::{Problem, ScenarioError};
use super::file::{Frame, Traffic};
use super::names::{Names, station};
use super::values::Time;
use crate::clock::Clock;
use crate::ethernet::{ETHERTYPE_EXPERIMENTAL, Tag, TagKind, VlanTag};
use crate::random::Random;
use crate::traffic::{Content, Flow, Listed, Pace, Stream};

/// What all flows of a file have in common.
pub struct Common<'a> {
    pub names: Names<'a>,
    pub clock: Clock,
    pub seed: u64,
    /// When all of them stop.
    pub stop: Option<Time>,
}

impl Common<'_> {
    /// The flows of a file: one for each port that a part names, and one of the listed frames of each port.
    pub fn flows(&self, parts: &[Traffic], frames: &[Frame]) -> Result<Vec<Flow>, ScenarioError> {
        let mut flows = self.listed(frames)?;
        let mut seen: HashSet<String> = flows.iter().map(|flow| flow.name.clone()).collect();
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

    /// Frames that are written out.
    fn listed(&self, frames: &[Frame]) -> Result<Vec<Flow>, ScenarioError> {
        let mut of_ports = vec![vec![]; self.names.ports.len()];
        for frame in frames {
            let (source, port) = (self.names.source, self.names.port(&frame.port)?);
            let bytes = bytes(frame.hex.as_ref());
            let Some(bytes) = bytes.filter(|bytes| (1..=MOST_BYTES).contains(&bytes.len())) else {
                return source.fail(&frame.hex, Problem::Hex { most: MOST_BYTES });
            };
            let forced = frame.forced.as_ref().map(|ports| self.names.set(ports)).transpose()?;
            if let Some(place) = &frame.forced {
                let conflict =
                    || Problem::Conflict { key: "forced", what: "a frame that is not the manager's" };
                source.require(port == self.names.config.manager(), place, conflict)?;
            }
            let cycle = frame.at.map_or(0, |time| time.cycle(self.clock));
            of_ports[port].push(Listed { cycle, bytes, error: frame.error, forced });
        }
        let listed = of_ports.into_iter().enumerate().filter(|(_, frames)| !frames.is_empty());
        let flow = |(port, frames): (usize, Vec<Listed>)| Flow {
            name: format!("frames.{}", self.names.ports[port]),
            port,
            content: Content::Listed(frames),
            pace: Pace::Max,
            start: 0,
            stop: self.stop.map(|time| time.cycle(self.clock)),
            frames: None,
        };
        Ok(listed.map(flow).collect())
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

/// A frame that is written out has as many bytes at most.
const MOST_BYTES: usize = 65535;

/// The bytes of pairs of hexadecimal digits.
pub(super) fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
