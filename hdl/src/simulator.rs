//! The contract between a test bench and a simulator: the native one ([`crate::Native`]) and Verilator's
//! (`sim::verilator`) implement [`Simulator`], and the same typed port handles drive both.

use crate::interface::{Interface, PortIndex};
use std::{fmt, path::Path};

/// An assertion or assumption of the design that did not hold at a clock edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Cycle of the clock edge, counted from 0 at construction.
    pub cycle: u64,
    /// Instance path, kind and message.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cycle {}: {}", self.cycle, self.message)
    }
}

impl std::error::Error for Violation {}

/// A design that runs cycle by cycle.
///
/// Values travel as little-endian limbs of 64 bits; a port of `w` bits takes `w.div_ceil(64)` limbs. Bits above the
/// port's width are ignored on `write` and are 0 on `read`.
pub trait Simulator {
    /// Ports and clock domains of the design.
    fn interface(&self) -> &Interface;

    /// Sets an input. Takes effect at the next `read` or `step`.
    ///
    /// # Panics
    /// If the port is an output.
    fn write(&mut self, port: PortIndex, value: &[u64]);

    /// The settled value of a port, inputs included.
    fn read(&mut self, port: PortIndex, value: &mut [u64]);

    /// Sets the synchronous reset of a domain; no effect where the domain has none.
    fn write_reset(&mut self, domain: usize, asserted: bool);

    /// One rising edge of each listed domain's clock, all at the same instant.
    fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation>;

    /// Number of calls of `step_domains` so far.
    fn cycles(&self) -> u64;

    /// Writes every named signal from here on to `file`, in a format the simulator chooses
    /// (native: VCD, Verilator: FST).
    fn trace(&mut self, file: &Path) -> std::io::Result<()>;
}
