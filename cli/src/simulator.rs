//! Which simulator runs a design.

use crate::{error::Error, progress};
use clap::ValueEnum;
use hdl::{Design, Native};
use sim::verilator::{Source, Verilated, VerilatorOptions, find_verilator};

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Verilator if there is one, else native
    Auto,
    /// Verilator 5.006 or newer, and a C++ compiler: the fast one
    Verilator,
    /// The built-in simulator: needs nothing
    Native,
}

/// A design, ready to run.
pub enum Built {
    Verilator(Box<Verilated>),
    Native(Box<Native>),
}

impl Choice {
    /// Whether Verilator is to run the design; a note on stderr says so where it is not there.
    ///
    /// # Errors
    /// A Verilator that is asked for and is not usable.
    pub fn verilator(self) -> Result<bool, Error> {
        match (self, find_verilator()) {
            (Choice::Native, _) => Ok(false),
            (_, Ok(_)) => Ok(true),
            (Choice::Verilator, Err(error)) => Err(error.into()),
            (Choice::Auto, Err(error)) => {
                let reason = error.to_string();
                let reason = reason.lines().next().unwrap_or_default();
                eprintln!("note: {reason} The native simulator runs instead, many times slower.");
                Ok(false)
            }
        }
    }

    /// Prepares a design for simulation.
    ///
    /// # Errors
    /// A Verilator that is asked for and is not usable, and what the simulator says about the design.
    pub fn build(self, design: &Design, trace: bool) -> Result<Built, Error> {
        Ok(match self.verilator()? {
            true => Built::Verilator(Box::new(verilated(design, trace)?)),
            false => Built::Native(Box::new(Native::new(design)?)),
        })
    }
}

/// The design in Verilator.
///
/// # Errors
/// What Verilator and the C++ compiler say.
pub fn verilated(design: &Design, trace: bool) -> Result<Verilated, Error> {
    let interface = design.interface();
    let spinner = progress::spinner(format!("building the Verilator model of {}", interface.name));
    let verilog = design.verilog().text_with_models();
    let source = Source { verilog: &verilog, interface: &interface };
    let options = VerilatorOptions { trace, ..VerilatorOptions::default() };
    let built = Verilated::build(&source, &options);
    spinner.finish_and_clear();
    Ok(built?)
}
