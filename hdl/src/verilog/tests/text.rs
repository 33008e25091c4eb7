//! What holds of any emitted text, and details that the samples do not show.

use super::samples;
use crate::*;

#[test]
fn the_same_design_prints_the_same_text() {
    for ((name, first), (_, second)) in samples::all().into_iter().zip(samples::all()) {
        assert_eq!(first.verilog(), first.verilog(), "{name}");
        assert_eq!(first.verilog(), second.verilog(), "{name}");
    }
}

#[test]
fn lines_are_short_and_clean() {
    for (name, design) in samples::all() {
        for line in design.verilog().text_with_models().lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
            assert_eq!(line, line.trim_end(), "{name}");
            assert!(!line.contains('\t') && !line.contains("lint_off"), "{name}: {line}");
        }
    }
}

#[test]
fn equal_modules_are_printed_once() {
    let verilog = samples::design("hierarchy").verilog();
    let names: Vec<&str> = verilog.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["fifo.v", "fifo_1.v", "hierarchy.v"]);
    assert_eq!(verilog.top, "hierarchy");
    let models: Vec<&str> = verilog.models.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(models, ["BUF.v"]);
    assert!(!verilog.text().contains("module BUF") && verilog.text_with_models().contains("module BUF"));
}

#[test]
fn a_module_and_what_is_in_it_have_different_names() {
    #[derive(Bundle, Clone, Copy)]
    struct Io {
        #[input]
        a: Bool,
        #[output]
        q: Bool,
    }
    #[hdl]
    fn body(io: &Io) {
        let dut = io.a & true;
        let unused = reg(flag());
        unused.set(dut ^ unused);
        io.q.set(unused);
    }
    let design = elaborate(|| module("dut", Io::ty(), body)).unwrap().design;
    let text = design.verilog().text();
    assert!(text.contains("module dut ("), "{text}");
    // A port that has the module's name makes the module give way, for ports are what others rely on.
    let design = elaborate(|| module("q", Io::ty(), |io| io.q.set(!io.a))).unwrap().design;
    assert_eq!(design.verilog().top, "q_module");
    assert_eq!(design.interface().name, "q_module");
}

#[test]
fn the_interface_is_the_tops() {
    let interface = samples::design("two_clocks").interface();
    let ports: Vec<&str> = interface.ports.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(ports, ["request", "seen"]);
    assert_eq!(interface.domains[0].clock.as_deref(), Some("clk"));
    assert_eq!(interface.domains[1].reset.as_deref(), Some("wr_rst"));
    assert_eq!(samples::design("operators").interface().domains[0].clock, None);
}

#[test]
fn the_port_reference_tells_the_clock_of_each_port() {
    let verilog = samples::design("two_clocks").verilog();
    let reference = verilog.port_reference();
    for row in [
        "# Ports of `two_clocks`",
        "| `wr_clk` | input | 1 |  | Clock; rising edges count. |",
        "| `wr_rst` | input | 1 | `wr_clk` | Synchronous reset, active high. |",
        "| `request` | input | 1 | `wr_clk` | Toggles in the writer's domain. |",
        "| `seen` | output | 1 | `clk` |  |",
    ] {
        assert!(reference.contains(row), "{reference}");
    }
}

#[test]
fn literals() {
    let print = |width: u32, value: u128| super::super::expr::literal(&Value::new(width, value));
    assert_eq!(print(1, 1), "1'b1");
    assert_eq!(print(4, 15), "4'd15");
    assert_eq!(print(8, 255), "8'hff");
    assert_eq!(print(12, 200), "12'd200");
    assert_eq!(print(16, 0x8100), "16'h8100");
    assert_eq!(print(48, 0x0180_c200_0001), "48'h180_c200_0001");
    assert_eq!(print(64, u64::MAX as u128), "{64{1'b1}}");
    assert_eq!(print(32, u32::MAX as u128), "32'hffffffff");
}
