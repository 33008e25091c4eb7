//! `testbench/mutation.toml`: the faults written by hand, and why some faults of the netlist go unnoticed.

use super::{MutationError, read, root};
use serde::Deserialize;
use std::path::PathBuf;

/// What the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Faults in the source.
    pub hand: Vec<Hand>,
    /// Faults in the netlist that the checks may miss.
    #[serde(default)]
    pub survivor: Vec<Survivor>,
}

/// A fault in the source: another expression in place of one that occurs once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hand {
    /// What goes wrong with it.
    pub name: String,
    pub file: PathBuf,
    pub find: String,
    pub replace: String,
    /// The test that is to fail; of the library of `rtl`, or, where it starts with `veb::`, of `testbench/tests/veb`.
    pub test: String,
}

/// A fault that no check notices, and that is not proven to change nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivor {
    /// As [`super::netlist::Fault`] prints itself.
    pub fault: String,
    /// An argument says that nothing can notice it.
    pub unobservable: bool,
    pub reason: String,
}

impl Data {
    /// Reads the file.
    ///
    /// # Errors
    /// If it is not there, or is not what it should be.
    pub fn load() -> Result<Data, MutationError> {
        let path = root().join("testbench/mutation.toml");
        let text = read(&path)?;
        toml::from_str(&text).map_err(|error| MutationError::Data { path, error: Box::new(error) })
    }
}

impl Hand {
    /// Whether it has a place in the source.
    ///
    /// # Errors
    /// If what it replaces does not occur exactly once.
    pub fn check(&self) -> Result<(), MutationError> {
        let text = read(&root().join(&self.file))?;
        match text.matches(&self.find).count() {
            1 => Ok(()),
            count => {
                let Self { name, file, find, .. } = self;
                let message = format!("{name}: {} has `{find}` {count} times, not once", file.display());
                Err(MutationError::Fault(message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list does not rot: each fault still has its place, and changes something.
    #[test]
    fn each_fault_by_hand_has_its_place() {
        let data = Data::load().unwrap();
        assert!(data.hand.len() >= 20, "{} faults", data.hand.len());
        for fault in &data.hand {
            fault.check().unwrap_or_else(|error| panic!("{error}"));
            assert_ne!(fault.find, fault.replace, "{}", fault.name);
        }
    }
}
