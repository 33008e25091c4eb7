//! What elaboration reports: all that is wrong with the design, each with its place and the chain of generators.

use crate::ir::Loc;
use std::fmt;

/// One fault of a design.
#[derive(Clone, Debug)]
pub struct Error {
    /// What is wrong, in one line.
    pub message: String,
    /// The call that is at fault.
    pub loc: Loc,
    /// Further places that matter, and the instances that lead to the module at fault, innermost first.
    pub notes: Vec<(String, Loc)>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  --> {}", self.message, self.loc)?;
        for (note, loc) in &self.notes {
            write!(f, "\n  {note}: {loc}")?;
        }
        Ok(())
    }
}

/// All faults of a design, in the order in which elaboration met them.
#[derive(Clone)]
pub struct Errors(pub Vec<Error>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.0 {
            writeln!(f, "{error}")?;
        }
        write!(f, "{} error{}", self.0.len(), if self.0.len() == 1 { "" } else { "s" })
    }
}

/// As [`fmt::Display`], so that `unwrap` in a test shows what a person can read.
impl fmt::Debug for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Errors {}
