//! What can be wrong with a scenario, and where.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

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
    /// No TOML, or an unknown or missing key, or a value of a wrong type.
    #[error("{0}")]
    Syntax(String),
    /// A text that is no MAC address.
    #[error(transparent)]
    Mac(ParseMacError),
    /// A VLAN that no frame can belong to.
    #[error("VID {vid} is not in 1 to 4094")]
    Vid { vid: i64 },
    /// The configuration has no such port.
    #[error("unknown port `{name}`; the ports are {known}")]
    UnknownPort { name: String, known: String },
    /// There is no such configuration.
    #[error("unknown configuration `{name}`; there are {known}")]
    UnknownConfig { name: String, known: String },
    /// A port stands in a list twice.
    #[error("port `{name}` is named twice")]
    DuplicatePort { name: String },
    /// Two captures for one port.
    #[error("a second capture for port `{port}`")]
    DuplicateTraffic { port: String },
    /// A VLAN is listed twice.
    #[error("VLAN {vid} is listed twice")]
    DuplicateVlan { vid: u16 },
    /// Two entries for an address in one VLAN.
    #[error("a second entry for {mac} in VLAN {vid}")]
    DuplicateEntry { vid: u16, mac: MacAddress },
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
}
