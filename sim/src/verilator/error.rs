//! What can go wrong before a model runs, each with what to do about it.

use super::tool::{OLDEST, Version};
use std::path::PathBuf;

/// How to install what the harness needs.
const INSTALL: &str = "On Debian or Ubuntu: apt-get install verilator g++ ccache zlib1g-dev liblz4-dev\n\
    Elsewhere: install Verilator 5.006 or newer (https://verilator.org/guide/latest/install.html) and a C++17 compiler; \
    the variables VERILATOR and CXX name programs that are not on PATH.";

/// Why a model could not be built or loaded.
#[derive(Debug, thiserror::Error)]
pub enum VerilatorError {
    #[error("Verilator is missing: `{program}` was not found.\n{INSTALL}")]
    Missing { program: String },

    #[error("Verilator {found} (`{program}`) is too old; {OLDEST} is the oldest that works.\n{INSTALL}")]
    TooOld { program: String, found: Version },

    #[error("`{program}` is not a usable Verilator: {reason}\n{INSTALL}")]
    Unusable { program: String, reason: String },

    #[error("A C++ compiler is missing: found none of {tried}.\n{INSTALL}")]
    NoCompiler { tried: String },

    #[error("The C++ library that has `{header}` is missing; tracing needs it.\n{INSTALL}")]
    NoLibrary { header: &'static str },

    /// The text is not Verilog that Verilator accepts; `lines` are its first messages.
    #[error("Verilator rejects module `{module}`:\n{lines}")]
    Rejected { module: String, lines: String },

    /// The generated C++ did not compile or link; `lines` are the first messages.
    #[error("The C++ compiler rejects the model of module `{module}`:\n{lines}")]
    Compile { module: String, lines: String },

    /// The interface promises what the Verilog does not have.
    #[error("Module `{module}`: {reason}")]
    Mismatch { module: String, reason: String },

    /// The design does not get as far as its first clock edge.
    #[error("Module `{module}` does not start: {message}")]
    Start { module: String, message: String },

    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    #[error("cannot load the model {path}: {source}", path = path.display())]
    Load { path: PathBuf, source: libloading::Error },
}

/// Names the file in an I/O error.
pub(super) trait Context<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, VerilatorError>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, VerilatorError> {
        self.map_err(|source| VerilatorError::Io { action, path: path.to_owned(), source })
    }
}
