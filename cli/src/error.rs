//! What is said when something goes wrong: one message, and the place where there is one.

use miette::{Diagnostic, LabeledSpan, MietteHandlerOpts, NamedSource, Report, SourceCode};
use sim::scenario::ScenarioError;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use thiserror::Error;

/// Why a command could not do its work.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Capture(#[from] sim::pcap::PcapError),
    #[error("{error}")]
    Scenario { error: ScenarioError, source_code: Option<Box<NamedSource<String>>> },
    #[error("{}: the scenario is for configuration `{wanted}`, not `{chosen}`", path.display())]
    OtherConfig { path: PathBuf, wanted: String, chosen: String },
    #[error("the design does not elaborate: {0}")]
    Elaborate(#[from] hdl::Errors),
    #[error(transparent)]
    Native(#[from] hdl::NativeError),
    #[error(transparent)]
    Verilator(#[from] sim::verilator::VerilatorError),
    #[error("the simulation stopped: {0}")]
    Bench(#[from] sim::veb::bench::BenchError),
    #[error("the simulation stopped: {0}")]
    Adapter(#[from] sim::nic::bench::BenchError),
    #[error("the address table has no room for {address} in VLAN {vid}: its bucket is full")]
    NoRoom { vid: u16, address: sim::ethernet::MacAddress },
    #[error("the simulation stopped: {0}")]
    Check(#[from] hdl::Violation),
    #[error("the simulation stopped: nothing has moved in `{block}` for {cycles} cycles")]
    Stuck { block: String, cycles: u64 },
    #[error("the enumeration stopped: {0}")]
    Bus(#[from] sim::pcie::BusError),
    #[error("the enumeration stopped: {0}")]
    Enumeration(#[from] sim::pcie::EnumerationError<sim::pcie::BusError>),
    #[error("the adapter is not set up: {0}")]
    Setup(#[from] sim::nic::SetupError),
    #[error("the simulation stopped: {0}")]
    Driver(#[from] sim::nic::Trouble),
    #[error("--write and --plots show figures of the adapter, of which there are none: {why}")]
    NothingToShow { why: &'static str },
    #[error("the configuration has {there} functions, fewer than {wanted}")]
    FewFunctions { wanted: usize, there: usize },
    #[error("{}{}", .0, cause(.0))]
    Flow(#[from] fpga::FlowError),
    #[error("there is no block `{block}`; the blocks are {known}")]
    UnknownBlock { block: String, known: String },
    #[error("{}: cannot read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: has no lines `<!-- begin {name} -->` and `<!-- end {name} -->`", path.display())]
    NoMarks { path: PathBuf, name: String },
    #[error("{}: cannot write: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{}: is a file, not a directory", path.display())]
    OutputIsFile { path: PathBuf },
    #[error(
        "{}: contains `{name}`, which hematite did not write; choose another directory with --out",
        path.display()
    )]
    ForeignContent { path: PathBuf, name: String },
}

impl From<ScenarioError> for Error {
    fn from(error: ScenarioError) -> Error {
        let source_code = match &error {
            ScenarioError::Invalid { path, text, .. } => {
                Some(Box::new(NamedSource::new(path.display().to_string(), text.to_string())))
            }
            ScenarioError::Read { .. } => None,
        };
        Error::Scenario { error, source_code }
    }
}

impl Diagnostic for Error {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Error::Scenario { source_code, .. } => {
                source_code.as_ref().map(|code| &**code as &dyn SourceCode)
            }
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            Error::Scenario { error: ScenarioError::Invalid { span, .. }, .. } => {
                Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, span.clone()))))
            }
            _ => None,
        }
    }
}

/// What lies behind an error whose message does not say it.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(|source| format!(": {source}")).unwrap_or_default()
}

/// Prints the error to stderr, and gives the exit status.
pub fn report(error: Error) -> ExitCode {
    // Beside a terminal a message is for programs and logs: one line of it stays one line.
    let hook = miette::set_hook(Box::new(|_| {
        let terminal = io::stderr().is_terminal();
        Box::new(
            MietteHandlerOpts::new().unicode(terminal).wrap_lines(terminal).without_cause_chain().build(),
        )
    }));
    debug_assert!(hook.is_ok(), "errors are reported once");
    eprint!("{:?}", Report::new(error));
    ExitCode::from(2)
}
