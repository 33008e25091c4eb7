//! Would the tests notice? Single faults are put into the bridge, and for each the tests must fail.
//!
//! *In the netlist*: Yosys draws random faults in the emitted Verilog ([`netlist`]), all of them go into one model, each
//! behind one value of an extra input, and [`judge`] runs the checks of the whole bridge on each ([`campaign`]). Those that no
//! check notices must be proven to change nothing, or have a reason.
//!
//! *In the source*: [`hand`] changes a line of Rust in a copy of the repository and runs the test that is to notice.
//!
//! Both read `testbench/mutation.toml`. [`report`] has the figures. `make mutate` runs it all; docs/src/mutation.md tells
//! what came of it.

pub mod campaign;
pub mod data;
pub mod hand;
pub mod judge;
pub mod netlist;
pub mod report;
mod whole;

use rtl::config::Config;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What keeps a campaign from running.
#[derive(Debug, Error)]
pub enum MutationError {
    #[error("{}: {error}", .path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{}: {error}", .path.display())]
    Data { path: PathBuf, error: Box<toml::de::Error> },
    #[error("{what} failed; see {}", .log.display())]
    Tool { what: String, log: PathBuf },
    #[error("{0}")]
    Fault(String),
}

/// The bridge that faults are drawn in: `small` with a second wire, so that every rule has a port that it is about.
pub fn subject() -> Config {
    Config { wires: 2, ..Config::small() }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package inside the workspace")
}

fn read(path: &Path) -> Result<String, MutationError> {
    std::fs::read_to_string(path).map_err(|error| MutationError::File { path: path.to_owned(), error })
}

fn write(path: &Path, text: &str) -> Result<(), MutationError> {
    std::fs::write(path, text).map_err(|error| MutationError::File { path: path.to_owned(), error })
}
