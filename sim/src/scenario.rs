//! Scenario files (TOML): the whole policy of the bridge, the traffic, and what happens meanwhile.
//!
//! ```toml
//! config = "small"                        # the configuration it is made for; may be left out
//! stop = "500 us"                         # no frame is sent from then on
//! seed = 1                                # of sizes and contents of generated frames; 0
//!
//! [[port]]                                # ports, in the order of the file: later settings count over earlier ones
//! name = "all"
//! preset = "open"
//!
//! [[port]]
//! name = ["vf0", "vf1"]
//! check_source = true
//! max_rate = "2 Gb/s"
//!
//! [[vlan]]                                # a VLAN that is not listed has no members: its frames are dropped
//! vid = 1
//! members = "all"
//! untagged = "all"                        # none
//!
//! [[address]]                             # where the frames to an address go
//! ports = "functions"
//!
//! [[traffic]]
//! name = "download"
//! port = "wire0"
//! destination = "vf0"
//! size = "imix"
//! rate = "line"
//!
//! [[stall]]
//! port = "vf1"
//! from = "100 us"
//! to = "200 us"
//!
//! [[change]]                              # a change of tables under traffic: any of the tables above
//! at = "300 us"
//!
//! [[change.port]]
//! name = "vf0"
//! max_rate = "500 Mb/s"
//! ```
//!
//! # Values
//!
//! - *Ports*: a name (`"vf0"`), a range (`"vf0-vf7"`), `"all"`, `"wires"`, `"functions"` (all but wires), `"vfs"`, or a list
//!   of such texts.
//! - *Times* count from when the tables are set and have a unit: `ns`, `us`, `ms`, `s`, `cycles`.
//! - *Addresses*: `"52:54:00:ab:00:01"`, or a port's name for the station behind it, 52:54:00:00:00:nn with the number of
//!   the port in the last byte, wires first ([`station`]).
//! - Numbers have the ranges that are given; what is left out has the value after the semicolon.
//!
//! # `[[port]]`
//!
//! What no `[[port]]` names takes no part. A preset replaces all that was set for the port before.
//!
//! | key | value | meaning |
//! |---|---|---|
//! | `name` | ports | whom the settings are for |
//! | `preset` | `open` | everything may pass, C-tags count, all promiscuity is allowed; `vlan` 1 |
//! | | `access` | port VLAN: untagged and priority-tagged frames enter, into `vlan` (needed) |
//! | | `trunk` | C-tagged frames enter, whatever is behind the tag |
//! | | `tunnel` | 802.1ad customer port: what enters gets an S-tag of `vlan` (needed), C-tags are payload |
//! | | `service_trunk` | S-tagged frames enter |
//! | `link` | `up`, `down` | sets `ingress` and `egress` |
//! | `vlan` | 1 to 4094 | VLAN of frames whose tags name none |
//! | `priority` | 0 to 7 | of tags that are put into the port's frames |
//! | `inserted_tag` | `customer`, `service` | kind of these tags |
//! | `customer_tags`, `service_tags` | true, false | which tags count as tags of the port |
//! | `admit_untagged`, `admit_tagged`, `admit_nested` | true, false | which frames may enter |
//! | `ingress`, `egress` | true, false | whether frames may enter, leave the bridge here |
//! | `check_source` | true, false | the source address must have an `[[address]]` with this port |
//! | `check_ethertype` | true, false | types of `ethertypes` must not be sent |
//! | `mode` | `veb`, `vepa`, `isolated` | whom a function reaches |
//! | `broadcast` | true, false | a function wants broadcast |
//! | `may`, `wants` | list of `unicast`, `multicast`, `vlan` | promiscuity that is allowed; that the function asks for |
//! | `prune` | true, false | a function wants nothing back from the wire that itself sent |
//! | `default_ports` | ports | where groups and unknown stations go |
//! | `max_rate` | Mb/s, or with a unit up to `"40 Gb/s"` | of what a function sends; 0: unlimited |
//! | `burst` | 1 to 131071 bytes | what may go at once above `max_rate`; 4096 with a `max_rate` |
//! | `class` | 0 to 3 | 3 goes first |
//! | `share` | 1 to 40 | weight among ports of its class: a quantum of 1526 bytes each; 1 with a preset |
//! | `quantum` | 1 to 65535 bytes | the same by bytes; not with `share` |
//! | `queue_cells` | 0 to 65536 | cells of the packet buffer that its queue may hold; 0: no own limit |
//! | `hold_from` | 0 to 65536 | cells in its queue from which on functions that send to it are held back; 0: never |
//!
//! # Other tables
//!
//! | key | value | meaning |
//! |---|---|---|
//! | `[[vlan]]` | `vid`, `members`, `untagged` | ports of a VLAN; those that get its frames without a tag |
//! | `[[address]]` | `mac`, `vid`, `ports` | frames to `mac` in VLAN `vid` (left out: in any) go to `ports`. Without `mac`: an entry for each of the ports, with the address of its station |
//! | `[[multicast]]` | `mac`, `ports` | functions that want a group, in any VLAN. The hardware tells groups apart by a hash |
//! | `[[mirror]]` | `target`, `port` or `vlan`, `direction` (`ingress`, `egress`; ingress) | copies of what matches go to `target`; two at most |
//! | `ethertypes` | list of up to 8 | what ports with `check_ethertype` must not send |
//!
//! # `[[traffic]]`
//!
//! | key | value | meaning |
//! |---|---|---|
//! | `name` | text; the port | in results |
//! | `port` | ports | where frames enter; several: a flow for each, called `name.port` |
//! | `pcap` | path, from the scenario's folder | a capture to play; or: |
//! | `destination` | address | of generated frames |
//! | `source` | address; the station of the port | |
//! | `vlan`, `priority` | 0 to 4095, 0 to 7 | a C-tag; `priority` alone is a priority tag (VID 0) |
//! | `service_vlan` | 0 to 4095 | an S-tag before it, with the same priority |
//! | `ethertype` | 0 to 65535; 0x88B5 | |
//! | `size` | bytes, `"60-1514"`, `"imix"` | size without FCS: one, each of a range alike, or 7 of 60, 4 of 590 and 1 of 1514 in 12 |
//! | `seed` | number; of the file | |
//! | `rate` | `"max"`; | each frame as soon as the port has taken the one before |
//! | | Mb/s or with a unit | frame bytes per second, exact on average |
//! | | `"1.2 Mframes/s"` | also `kframes/s`, `frames/s` |
//! | | `"line"` | as on 10 Gb/s Ethernet: 24 bytes between frames |
//! | | `"recorded"` | as captured |
//! | `start`, `stop` | times; 0 and the end | |
//! | `frames` | number | at most; generated traffic needs `frames` or a `stop`, its own or the file's |
//!
//! # `[[sink]]`
//!
//! | key | value | meaning |
//! |---|---|---|
//! | `port` | ports | who takes what leaves the bridge; later ones count over earlier ones |
//! | `rate` | `"line"`, Mb/s or with a unit | of frame bytes, or as on 10 Gb/s Ethernet; without a `[[sink]]`: a beat in every cycle |
//!
//! # Events
//!
//! | key | value | meaning |
//! |---|---|---|
//! | `[[stall]]` | `port`, `from`, `to` (for ever) | ports that take nothing that leaves the bridge |
//! | `[[change]]` | `at`, and `port`, `vlan`, `address`, `multicast`, `mirror`, `ethertypes` | settings as above over those before; a `vlan`, a group, `mirror` and `ethertypes` are replaced as a whole |
//! | `[[change.remove]]` | `mac`, `vid` | an `address` goes |
//!
//! A file is checked in two steps, as the ports are known only with the configuration: [`Scenario::load`] checks what the
//! file says; [`Scenario::policy`], [`Scenario::flows`] and [`Scenario::events`] resolve its names.

mod error;
mod events;
mod file;
mod flows;
mod names;
mod tables;
mod values;

use std::fs;
use std::path::Path;

use rtl::config::Config;
use toml::Spanned;

pub use error::{Problem, ScenarioError};
pub use events::{Action, Event};
pub use names::station;

use crate::clock::Clock;
use crate::traffic::{Flow, SinkRate};
use crate::veb::policy::Policy;
use error::Source;
use file::{File, Sink, Stall, Tables, Traffic};
use flows::Common;
use names::Names;
use tables::State;
use values::Time;

/// A scenario whose text is in order, with names that are not yet resolved.
#[derive(Clone, Debug)]
pub struct Scenario {
    source: Source,
    config: Option<Spanned<String>>,
    seed: u64,
    stop: Option<Time>,
    tables: Tables,
    traffic: Vec<Traffic>,
    sinks: Vec<Sink>,
    stalls: Vec<Stall>,
    changes: Vec<(Time, Tables)>,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// A file that cannot be read, is no TOML, has an unknown or missing key, or a value of a wrong kind or range.
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
        let mut file: File = toml::from_str(text).map_err(|error| {
            source.error(error.span().unwrap_or(0..0), Problem::Syntax(error.message().replace('\n', "; ")))
        })?;
        Ok(Self {
            source,
            tables: file.tables(),
            config: file.config,
            seed: file.seed.map_or(0, |seed| seed.get()),
            stop: file.stop,
            traffic: file.traffic,
            sinks: file.sink,
            stalls: file.stall,
            changes: file.change.into_iter().map(file::Change::split).collect(),
        })
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

    /// The policy that a run starts with.
    ///
    /// # Errors
    /// A port that the configuration does not have, a bad address, something said twice, or more than there is room for.
    pub fn policy(&self, config: &Config) -> Result<Policy, ScenarioError> {
        Ok(self.start(config)?.policy)
    }

    /// What is sent, where and when. The numbers of flows in stamps and results are their places in this list.
    ///
    /// # Errors
    /// A port that the configuration does not have, a bad address, keys that do not go together, a flow without an end, or
    /// two of one name.
    pub fn flows(&self, config: &Config) -> Result<Vec<Flow>, ScenarioError> {
        let (names, clock) = (Names::new(&self.source, config), Clock::of(config));
        Common { names, clock, seed: self.seed, stop: self.stop }.flows(&self.traffic)
    }

    /// How fast what leaves is taken: for each port the rate of its link, or `None` if it takes a beat in every cycle.
    ///
    /// # Errors
    /// A port that the configuration does not have.
    pub fn sinks(&self, config: &Config) -> Result<Vec<Option<SinkRate>>, ScenarioError> {
        let names = Names::new(&self.source, config);
        let mut sinks = vec![None; config.ports()];
        for sink in &self.sinks {
            names.ports(&sink.port)?.into_iter().for_each(|port| sinks[port] = Some(sink.rate));
        }
        Ok(sinks)
    }

    /// What happens meanwhile, in the order of time.
    ///
    /// # Errors
    /// See [`Scenario::policy`]; an entry to be removed that is not there.
    pub fn events(&self, config: &Config) -> Result<Vec<Event>, ScenarioError> {
        let names = Names::new(&self.source, config);
        events::events(&names, Clock::of(config), self.start(config)?, &self.changes, &self.stalls)
    }

    /// The cycle from which on nothing is sent, if the scenario names a time.
    pub fn stop(&self, config: &Config) -> Option<u64> {
        self.stop.map(|time| time.cycle(Clock::of(config)))
    }

    fn start(&self, config: &Config) -> Result<State, ScenarioError> {
        let mut state = State::new(config.wires, config.ports() - config.wires);
        state.apply(&Names::new(&self.source, config), &self.tables)?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
