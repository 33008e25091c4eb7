//! Scenario files: everything that a run needs to know, in TOML.
//!
//! A file is checked in two steps, as the ports are known only with the configuration: [`Scenario::load`] checks what the
//! file says; [`Scenario::policy`], [`Scenario::flows`] and [`Scenario::events`] resolve its names. [`write`](write()) is
//! the way back: the text of a scenario for a policy, frames and changes.
//!
#![doc = include_str!("../../docs/src/scenarios.md")]

mod adapter;
mod error;
mod events;
mod file;
mod flows;
mod names;
mod rows;
mod tables;
mod values;
mod write;

use std::fs;
use std::path::Path;

use rtl::config::Config;
use toml::Spanned;

pub use error::{Problem, ScenarioError};
pub use events::{Action, Event};
pub use names::station;
pub use write::{Recipe, write};

use crate::clock::Clock;
use crate::nic::bench::AdapterPlan;
use crate::traffic::{Flow, SinkRate};
use crate::veb::policy::Policy;
use error::Source;
use file::{File, Frame, Sink, Span, Tables, Traffic};
use flows::Common;
use names::Names;
use tables::State;
use values::{ConfigChoice, Time};

/// A scenario whose text is in order, with names that are not yet resolved.
#[derive(Clone, Debug)]
pub struct Scenario {
    source: Source,
    config: Option<Spanned<ConfigChoice>>,
    seed: u64,
    stop: Option<Time>,
    adapter: Option<file::Adapter>,
    drivers: Vec<file::Driver>,
    tables: Tables,
    traffic: Vec<Traffic>,
    frames: Vec<Frame>,
    sinks: Vec<Sink>,
    stalls: Vec<Span>,
    pauses: Vec<Span>,
    changes: Vec<file::Change>,
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
        if file.traffic.is_empty() && file.frame.is_empty() {
            let missing = Problem::Missing { what: "a scenario", keys: "`[[traffic]]` or `[[frame]]`" };
            return Err(source.error(0..0, missing));
        }
        Ok(Self {
            source,
            tables: file.tables(),
            config: file.config,
            seed: file.seed.map_or(0, |seed| seed.get()),
            stop: file.stop,
            adapter: file.adapter,
            drivers: file.driver,
            traffic: file.traffic,
            frames: file.frame,
            sinks: file.sink,
            stalls: file.stall,
            pauses: file.pause,
            changes: file.change,
        })
    }

    /// The configuration that the scenario is made for, if it names one.
    ///
    /// # Errors
    /// A name that no configuration has, or a parameter out of its range.
    pub fn config(&self) -> Result<Option<Config>, ScenarioError> {
        let Some(choice) = &self.config else { return Ok(None) };
        let ConfigChoice { like, different } = choice.as_ref();
        let Some(config) = Config::by_name(like) else {
            let known = Config::all().map(|config| config.name).join(", ");
            return self.source.fail(choice, Problem::UnknownConfig { name: like.clone(), known });
        };
        let config = different.apply(config);
        match config.check() {
            Ok(()) => Ok(Some(config)),
            Err(problem) => self.source.fail(choice, Problem::Config(problem)),
        }
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
        Common { names, clock, seed: self.seed, stop: self.stop }.flows(&self.traffic, &self.frames)
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
        let spans = [self.pauses.as_slice(), self.stalls.as_slice()];
        events::events(&names, Clock::of(config), self.start(config)?, &self.changes, spans)
    }

    /// The host of the whole adapter, and the drivers of its functions.
    ///
    /// # Errors
    /// See [`Scenario::policy`]; a value that the adapter does not have; a function that is not there; something that only the
    /// bridge on its own can be played with.
    pub fn adapter(&self, config: &Config) -> Result<AdapterPlan, ScenarioError> {
        let (names, clock) = (Names::new(&self.source, config), Clock::of(config));
        let setup = adapter::setup(&names, clock, self.adapter.as_ref())?;
        let limits = adapter::Limits { names: &names, setup: &setup };
        self.traffic.iter().try_for_each(|part| limits.traffic(part))?;
        self.frames.iter().try_for_each(|frame| limits.frame(frame))?;
        self.sinks.iter().try_for_each(|sink| limits.sink(sink))?;
        self.changes.iter().try_for_each(|change| limits.change(change))?;
        let (start, events) = (self.policy(config)?, self.events(config)?);
        let changed = events.iter().filter_map(|event| match &event.action {
            Action::Change { policy, .. } => Some(&**policy),
            Action::Behave { .. } => None,
        });
        let policies: Vec<&Policy> = [&start].into_iter().chain(changed).collect();
        adapter::plan(&names, clock, self.seed, setup.clone(), &self.drivers, &policies)
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
