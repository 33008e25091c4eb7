//! A module around the one to be measured, with a register at every port.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

/// A port of the module to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) width: usize,
    pub(crate) input: bool,
}

impl Port {
    fn is_clock(&self) -> bool {
        let named = self.name == "clk" || self.name.starts_with("clk_") || self.name.ends_with("_clk");
        self.input && self.width == 1 && named
    }
}

#[derive(Deserialize)]
struct Netlist {
    modules: BTreeMap<String, Module>,
}

#[derive(Deserialize)]
struct Module {
    ports: BTreeMap<String, RawPort>,
}

#[derive(Deserialize)]
struct RawPort {
    direction: String,
    bits: Vec<serde_json::Value>,
}

/// The ports of `top` in a netlist that Yosys wrote as JSON, in order of their names.
pub(crate) fn ports(netlist: &str, top: &str) -> Result<Vec<Port>, String> {
    let netlist: Netlist = serde_json::from_str(netlist).map_err(|error| error.to_string())?;
    let module = netlist.modules.get(top).ok_or_else(|| format!("there is no module {top}"))?;
    let port = |(name, raw): (&String, &RawPort)| match raw.direction.as_str() {
        "input" | "output" => {
            Ok(Port { name: name.clone(), width: raw.bits.len(), input: raw.direction == "input" })
        }
        other => Err(format!("port {name} is an {other}, which no register can stand at")),
    };
    module.ports.iter().map(port).collect()
}

/// Verilog of module `name`, which has the ports of `top` (and `clk` if `top` has no clock) and registers behind them.
/// The instance keeps its hierarchy, so that synthesis sees `top` as it would alone.
pub(crate) fn registered(top: &str, name: &str, ports: &[Port]) -> String {
    let own_clock = Port { name: "clk".to_owned(), width: 1, input: true };
    let clock = ports.iter().find(|port| port.is_clock());
    let outside: Vec<&Port> = clock.is_none().then_some(&own_clock).into_iter().chain(ports).collect();
    let clock = clock.unwrap_or(&own_clock);
    let inside =
        |port: &Port| if port.is_clock() { port.name.clone() } else { format!("{}__inside", port.name) };

    let mut text = format!("module {name} (\n");
    for (index, port) in outside.iter().enumerate() {
        let kind = if port.input { "input wire" } else { "output reg" };
        let comma = if index + 1 < outside.len() { "," } else { "" };
        let _ = writeln!(text, "    {kind} [{}:0] {}{comma}", port.width - 1, port.name);
    }
    text += ");\n";
    for port in ports.iter().filter(|port| !port.is_clock()) {
        let kind = if port.input { "reg" } else { "wire" };
        let _ = writeln!(text, "  {kind} [{}:0] {};", port.width - 1, inside(port));
    }
    let _ = writeln!(text, "  always @(posedge {}) begin", clock.name);
    for port in ports.iter().filter(|port| !port.is_clock()) {
        let (left, right) =
            if port.input { (inside(port), port.name.clone()) } else { (port.name.clone(), inside(port)) };
        let _ = writeln!(text, "    {left} <= {right};");
    }
    let _ = writeln!(text, "  end\n  (* keep_hierarchy *)\n  {top} block_to_measure (");
    let pins: Vec<String> =
        ports.iter().map(|port| format!("      .{}({})", port.name, inside(port))).collect();
    text + &pins.join(",\n") + "\n  );\nendmodule\n"
}

/// Registers that [`registered`] adds, in bits: what to take off the wrapper's area.
pub(crate) fn added(ports: &[Port]) -> u64 {
    ports.iter().filter(|port| !port.is_clock()).map(|port| port.width as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, width: usize, input: bool) -> Port {
        Port { name: name.to_owned(), width, input }
    }

    #[test]
    fn ports_come_from_a_netlist() {
        let text = r#"{"modules": {"m": {"ports": {
            "clk": {"direction": "input", "bits": [2]}, "y": {"direction": "output", "bits": [3, 4]}}}}}"#;
        assert_eq!(ports(text, "m").unwrap(), [port("clk", 1, true), port("y", 2, false)]);
        assert_eq!(ports(text, "n").unwrap_err(), "there is no module n");
        let error = ports(&text.replace("output", "inout"), "m").unwrap_err();
        assert_eq!(error, "port y is an inout, which no register can stand at");
    }

    #[test]
    fn every_port_but_clocks_gets_a_register() {
        let ports =
            [port("a", 8, true), port("wr_clk", 1, true), port("clk_count", 4, true), port("y", 2, false)];
        let text = registered("m", "m__registered", &ports);
        assert!(text.contains("always @(posedge wr_clk)"), "{text}");
        assert!(text.contains("    a__inside <= a;\n"), "{text}");
        assert!(text.contains("    clk_count__inside <= clk_count;\n"), "{text}");
        assert!(text.contains("    y <= y__inside;\n"), "{text}");
        assert!(text.contains(".wr_clk(wr_clk)"), "{text}");
        assert_eq!(added(&ports), 14);
    }

    #[test]
    fn a_module_without_a_clock_gets_one() {
        let text = registered("m", "w", &[port("a", 1, true), port("y", 1, false)]);
        assert!(text.contains("input wire [0:0] clk,"), "{text}");
        assert!(!text.contains(".clk("), "{text}");
    }
}
