//! Verilated models of the large designs, with their assertions and random values in what reset does not set.

use hdl::{Data, elaborate};
use rtl::config::Config;
use sim::verilator::{Source, Verilated, VerilatorOptions};
use std::error::Error;

/// The endpoint.
///
/// # Errors
/// What the elaboration or Verilator says.
pub fn endpoint(config: &Config) -> Result<Verilated, Box<dyn Error>> {
    build(|| rtl::pcie::endpoint::endpoint(config))
}

/// The whole adapter.
///
/// # Errors
/// See [`endpoint`].
pub fn nic(config: &Config) -> Result<Verilated, Box<dyn Error>> {
    build(|| rtl::nic::nic(config))
}

fn build<Io: Data>(generator: impl FnOnce() -> Io) -> Result<Verilated, Box<dyn Error>> {
    let design = elaborate(generator)?.design;
    let (verilog, interface) = (design.verilog().text(), design.interface());
    let source = Source { verilog: &verilog, interface: &interface };
    let options = VerilatorOptions { assertions: true, x_random: Some(1), ..Default::default() };
    Ok(Verilated::build(&source, &options)?)
}
