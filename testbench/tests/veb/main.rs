//! The bridge's hardware against its reference model.

mod bandwidth;
mod changes;
mod data_path;
mod edges;
mod equivalence;
mod isolation;
mod random;
mod registers;

use hdl::{Native, elaborate};
use rtl::config::Config;
use sim::{
    veb::{Losses, Policy, bench::Bench},
    verilator::{Source, Verilated, VerilatorOptions},
};
use testbench::checks::assert_agrees;

fn native(config: &Config) -> Native {
    let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
    let mut native = Native::new(&design).unwrap();
    // Nothing may depend on what is not reset, or on reads that collide with writes.
    native.poison(1);
    native
}

/// With the design's assertions, and with random values in what reset does not set.
fn verilated(config: &Config) -> Verilated {
    let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
    let (verilog, interface) = (design.verilog().text(), design.interface());
    let source = Source { verilog: &verilog, interface: &interface };
    let options = VerilatorOptions { assertions: true, x_random: Some(1), ..Default::default() };
    Verilated::build(&source, &options).unwrap()
}

/// A test that fails where this one does says nothing: see `testbench/src/mutation/hand.rs`.
#[test]
fn the_bridge_elaborates() {
    for config in Config::all() {
        elaborate(|| rtl::veb::veb(&config)).unwrap();
    }
}
