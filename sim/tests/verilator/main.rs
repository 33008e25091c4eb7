//! The Verilator harness on hand-written Verilog: what a test bench sees, and how models are built.

mod behaviour;
mod building;
mod checks;

use hdl::interface::{ClockDomain, Direction, Interface, Port};
use hdl::simulator::Simulator;
use sim::verilator::{Source, Verilated, VerilatorError, VerilatorOptions, find_verilator};
use std::fs;
use std::path::PathBuf;

const NO_OPTIONS: VerilatorOptions =
    VerilatorOptions { trace: false, assertions: false, coverage: false, x_random: None, short_lived: false };

fn ports(inputs: &[(&str, u32)], outputs: &[(&str, u32)]) -> Vec<Port> {
    let port = |direction| {
        move |&(name, width): &(&str, u32)| Port { name: name.into(), width, direction, doc: String::new() }
    };
    inputs.iter().map(port(Direction::Input)).chain(outputs.iter().map(port(Direction::Output))).collect()
}

fn domain(clock: Option<&str>, reset: Option<&str>) -> ClockDomain {
    ClockDomain { clock: clock.map(str::to_owned), reset: reset.map(str::to_owned) }
}

/// A design with one clock `clk`, and a reset `rst` if it has one.
fn clocked(name: &str, inputs: &[(&str, u32)], outputs: &[(&str, u32)], reset: bool) -> Interface {
    let domains = vec![domain(Some("clk"), reset.then_some("rst"))];
    Interface { name: name.into(), ports: ports(inputs, outputs), domains }
}

fn build(
    verilog: &str,
    interface: &Interface,
    options: &VerilatorOptions,
) -> Result<Verilated, VerilatorError> {
    Verilated::build_with(&find_verilator()?, &temporary("shared"), &Source { verilog, interface }, options)
}

fn model(verilog: &str, interface: &Interface, options: &VerilatorOptions) -> Verilated {
    build(verilog, interface, options).unwrap_or_else(|error| panic!("{error}"))
}

/// The value of a port of at most 64 bits.
fn get(model: &mut Verilated, name: &str) -> u64 {
    let port = position(model, name);
    let mut value = [0];
    model.read(port, &mut value);
    value[0]
}

fn set(model: &mut Verilated, name: &str, value: u64) {
    let port = position(model, name);
    model.write(port, &[value]);
}

fn position(model: &Verilated, name: &str) -> usize {
    model.interface().find(name).expect("a port of this name")
}

fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verilator").join(name)
}

/// An empty folder for the files of one test.
fn folder(name: &str) -> PathBuf {
    let folder = temporary(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Counts up by `by` at every edge; `high` follows the inputs without a clock.
const COUNTER: &str = "
module counter (input wire clk, input wire rst, input wire [7:0] by, output reg [7:0] count, output wire [8:0] next);
    assign next = count + by;
    always @(posedge clk)
        if (rst) count <= 8'd0;
        else count <= next[7:0];
endmodule
";

fn counter() -> Interface {
    clocked("counter", &[("by", 8)], &[("count", 8), ("next", 9)], true)
}
