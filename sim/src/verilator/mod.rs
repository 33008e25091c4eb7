//! Runs emitted Verilog with [Verilator](https://verilator.org), as fast as a design can be simulated.
//!
//! [`Verilated::build`] turns Verilog into a shared library, once for each text, set of options and Verilator; it stays
//! in the cache (`target/verilator`, or where the variable `HEMATITE_CACHE` says), and any number of threads, processes
//! and test runs share it. Deleting the cache is always safe. The program that runs a model needs Verilator 5.006 or
//! newer and a C++ compiler; the variables `VERILATOR`, `CXX` and `OBJCACHE` choose others than those on `PATH`.
//!
//! ```text
//!  Verilog ─► verilator ─► C++ ─┐
//!  Interface ─► ports of shim ──┴► c++ ─► target/verilator/<hash>/model.so ─► libloading ─► Verilated
//! ```
//!
//! A port is read and written in the memory of the model, without a call. One call makes a cycle, and one evaluation
//! of the model where it can: the level of the clocks between two cycles is not simulated unless something sees it.

mod binding;
mod cache;
mod compile;
mod error;
mod lint;
mod ports;
mod shim;
mod tool;

pub use error::VerilatorError;
pub use lint::lint;
pub use tool::{Installation, Version, find_verilator};

use binding::Model;
use cache::Cache;
use compile::{Build, LIBRARY};
use hdl::interface::{Direction, Interface, PortIndex};
use hdl::simulator::{Simulator, Violation};
use std::fs::File;
use std::io;
use std::path::Path;

/// A design as the emitter hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// All modules of the design.
    pub verilog: &'a str,
    /// Ports and clock domains of the top module, which must agree with the Verilog.
    pub interface: &'a Interface,
}

/// What a model can do besides running. All of it is off by default; each switch makes a model of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerilatorOptions {
    /// Allows [`Simulator::trace`]. Memories are left out of the waveform beyond 32 words.
    pub trace: bool,
    /// Checks the assertions and assumptions under `` `ifdef FORMAL ``.
    pub assertions: bool,
    /// Counts lines, toggles and the cover points under `` `ifdef FORMAL ``, for [`Verilated::coverage`]. Implies
    /// `assertions`, and runs several times slower.
    pub coverage: bool,
    /// Seeds the values that registers and memories without an initial value start with; `None` starts them at 0.
    pub x_random: Option<u64>,
    /// For a model that runs only for a moment: its C++ is compiled without optimisation and past ccache. Built in a
    /// third of the time, and several times slower. What Verilator makes of the design is the same.
    pub short_lived: bool,
}

/// A Verilated design, running. See [`Simulator`] for what one can do with it.
///
/// Waveform time is 10 ns a cycle: inputs change at the start of a cycle, clocks rise in its middle.
pub struct Verilated {
    interface: Interface,
    options: VerilatorOptions,
    model: Model,
    /// Inputs have changed since the last evaluation.
    dirty: bool,
    cycles: u64,
    /// What an evaluation outside of a step had to object; the next step tells.
    objection: Option<String>,
}

impl Verilated {
    /// Builds the model, or takes it from the cache, and starts an instance of it: all inputs 0, no clock edge yet.
    pub fn build(source: &Source, options: &VerilatorOptions) -> Result<Verilated, VerilatorError> {
        Verilated::build_in(&Cache::locate(), &find_verilator()?, source, options)
    }

    /// Like [`Verilated::build`], with a given Verilator and folder for the cache.
    pub fn build_with(
        verilator: &Installation,
        cache: &Path,
        source: &Source,
        options: &VerilatorOptions,
    ) -> Result<Verilated, VerilatorError> {
        Verilated::build_in(&Cache::at(cache), verilator, source, options)
    }

    fn build_in(
        cache: &Cache,
        verilator: &Installation,
        source: &Source,
        options: &VerilatorOptions,
    ) -> Result<Verilated, VerilatorError> {
        ports::check_names(source.interface)?;
        let key = compile::key(verilator, source, options);
        let build = Build { verilator, cache, source, options };
        let load = || {
            let library = cache.entry(&key, |folder| build.run(folder))?.join(LIBRARY);
            Model::load(&library, source.interface, options.x_random)
        };
        let model = load().or_else(|error| match error {
            // Damaged since it was built, by a full disk perhaps: once more from the start.
            VerilatorError::Load { .. } => {
                cache.discard(&key)?;
                load()
            }
            other => Err(other),
        })?;
        let interface = source.interface.clone();
        Ok(Verilated { interface, options: *options, model, dirty: false, cycles: 0, objection: None })
    }

    /// Writes what was covered so far to `file`, for `verilator_coverage`.
    ///
    /// # Errors
    /// `Unsupported` where the model was built without [`VerilatorOptions::coverage`], and what the system says about
    /// the file.
    pub fn coverage(&mut self, file: &Path) -> io::Result<()> {
        require(self.options.coverage, "coverage")?;
        File::create(file)?;
        self.model.coverage(file).map_err(io::Error::other)
    }

    fn settle(&mut self) {
        if let Err(message) = self.model.settle() {
            self.objection.get_or_insert(message);
        }
        self.dirty = false;
    }
}

impl Simulator for Verilated {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    #[inline]
    fn write(&mut self, port: PortIndex, value: &[u64]) {
        let declared = &self.interface.ports[port];
        assert!(declared.direction == Direction::Input, "port `{}` is an output", declared.name);
        self.dirty |= self.model.write(port, value);
    }

    #[inline]
    fn read(&mut self, port: PortIndex, value: &mut [u64]) {
        if self.dirty && self.interface.ports[port].direction == Direction::Output {
            self.settle();
        }
        self.model.read(port, value);
    }

    fn write_reset(&mut self, domain: usize, asserted: bool) {
        let signal = self.interface.ports.len() + 2 * domain + 1;
        if self.interface.domains[domain].reset.is_some() {
            self.dirty |= self.model.write(signal, &[u64::from(asserted)]);
        }
    }

    #[inline]
    fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation> {
        for &domain in domains {
            assert!(domain < self.interface.domains.len(), "the design has no clock domain {domain}");
        }
        let cycle = self.cycles;
        self.cycles += 1;
        self.dirty = false;
        let stepped = self.model.step(domains);
        match (self.objection.take(), stepped) {
            (None, Ok(())) => Ok(()),
            (Some(message), _) | (None, Err(message)) => Err(Violation { cycle, message }),
        }
    }

    fn cycles(&self) -> u64 {
        self.cycles
    }

    fn trace(&mut self, file: &Path) -> io::Result<()> {
        require(self.options.trace, "trace")?;
        // Verilator does not say whether it can write the file.
        File::create(file)?;
        self.model.trace(file).map_err(io::Error::other)
    }
}

fn require(built_with: bool, option: &str) -> io::Result<()> {
    let message = || format!("the model was built without `VerilatorOptions::{option}`");
    if built_with { Ok(()) } else { Err(io::Error::new(io::ErrorKind::Unsupported, message())) }
}
