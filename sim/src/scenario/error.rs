//! What can be wrong with a scenario, and where.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use toml::Spanned;

use crate::ethernet::{MacAddress, ParseMacError};

/// Why a scenario cannot be run.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The file cannot be read or is no UTF-8.
    #[error("{}: cannot read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Something in the file is wrong.
    #[error("{}:{line}:{column}: {problem}", path.display())]
    Invalid {
        path: PathBuf,
        /// Where it starts, counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// The bytes of the text that are wrong, for a display that underlines them.
        span: Range<usize>,
        /// The whole text.
        text: Arc<str>,
        /// What is wrong.
        problem: Box<Problem>,
    },
}

/// What is wrong at one place of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// No TOML, or an unknown or missing key, or a value of a wrong type or out of its range.
    #[error("{0}")]
    Syntax(String),
    /// A text that is no MAC address.
    #[error(transparent)]
    Mac(ParseMacError),
    /// The configuration has no such port.
    #[error("unknown port `{name}`; the ports are {known}")]
    UnknownPort { name: String, known: String },
    /// There is no such configuration.
    #[error("unknown configuration `{name}`; there are {known}")]
    UnknownConfig { name: String, known: String },
    /// A configuration that cannot be built.
    #[error("{0}")]
    Config(String),
    /// There is no such table.
    #[error("unknown table `{name}`; there are {known}")]
    UnknownTable { name: String, known: String },
    /// The table has no such field.
    #[error("{table} has no field `{name}`; there are {known}")]
    UnknownField { table: &'static str, name: String, known: String },
    /// A value that the field does not have.
    #[error("`{field}` takes {allowed}")]
    FieldValue { field: &'static str, allowed: String },
    /// A row that the table does not have.
    #[error("{table} has {rows} rows: 0 to {}", .rows - 1)]
    Index { table: &'static str, rows: usize },
    /// A text that is no frame.
    #[error("a frame is written as two hexadecimal digits for each byte, 1 to {most} bytes")]
    Hex { most: usize },
    /// There is no such preset of a port.
    #[error("unknown preset `{name}`; there are {known}")]
    UnknownPreset { name: String, known: String },
    /// A port stands in a list twice.
    #[error("port `{name}` is named twice")]
    DuplicatePort { name: String },
    /// Two flows have one name.
    #[error("a second traffic called `{name}`; give it another `name`")]
    DuplicateTraffic { name: String },
    /// A VLAN is listed twice.
    #[error("VLAN {vid} is listed twice")]
    DuplicateVlan { vid: u16 },
    /// Two entries for an address in one VLAN; 0 is any.
    #[error("a second entry for {mac} in {}", vlan(*.vid))]
    DuplicateEntry { vid: u16, mac: MacAddress },
    /// No entry to be removed.
    #[error("there is no entry for {mac} in {} then", vlan(*.vid))]
    NoEntry { vid: u16, mac: MacAddress },
    /// A group is listed twice.
    #[error("the group {mac} is listed twice")]
    DuplicateGroup { mac: MacAddress },
    /// A station's address where a group's is needed.
    #[error("{mac} is no group address: its first byte is even")]
    NoGroup { mac: MacAddress },
    /// No driver has such a feature to accept or not.
    #[error("unknown feature `{name}`; there are {known}")]
    UnknownFeature { name: String, known: String },
    /// A driver for what is no network function, or none that is there.
    #[error("`{name}` has no driver: it is no network function, or not enabled")]
    NoDriver { name: String },
    /// Traffic from a function that is not there.
    #[error("`{name}` is not enabled, so that nothing can be sent there")]
    Absent { name: String },
    /// The manager's frames are longer than its mailbox.
    #[error("the manager's mailbox takes frames of up to {most} bytes")]
    Mailbox { most: usize },
    /// Something that only the bridge on its own can be played with.
    #[error("{what} can be played with `--part bridge` only")]
    BridgeOnly { what: &'static str },
    /// A key that something else makes necessary.
    #[error("{what} needs {keys}")]
    Missing { what: &'static str, keys: &'static str },
    /// A key that has no meaning beside another.
    #[error("`{key}` does not go with {what}")]
    Conflict { key: &'static str, what: &'static str },
    /// More than the hardware has rows for.
    #[error("{count} {what}; there is room for {most}")]
    TooMany { what: &'static str, count: usize, most: usize },
    /// Frames that are too short for what they carry, or too long for the adapter.
    #[error("sizes from {low} to {high}; these frames can have {least} to {most} bytes")]
    Size { low: usize, high: usize, least: usize, most: usize },
    /// An end that comes before the start.
    #[error("the end is not after the start")]
    Order,
}

fn vlan(vid: u16) -> String {
    if vid == 0 { "any VLAN".to_owned() } else { format!("VLAN {vid}") }
}

/// The text of a scenario and its name.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    pub text: Arc<str>,
}

impl Source {
    /// The error of a problem at these bytes of the text.
    pub fn error(&self, span: Range<usize>, problem: Problem) -> ScenarioError {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&letter| letter != '\n').count() + 1;
        let (path, text) = (self.path.clone(), self.text.clone());
        ScenarioError::Invalid { path, line, column, span, text, problem: Box::new(problem) }
    }

    /// Fails with a problem at this value.
    pub fn fail<T, V>(&self, place: &Spanned<V>, problem: Problem) -> Result<T, ScenarioError> {
        Err(self.error(place.span(), problem))
    }

    /// Fails with a problem at this value unless a condition holds.
    pub fn require<V>(
        &self,
        holds: bool,
        place: &Spanned<V>,
        problem: impl FnOnce() -> Problem,
    ) -> Result<(), ScenarioError> {
        if holds { Ok(()) } else { self.fail(place, problem()) }
    }
}
