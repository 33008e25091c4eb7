//! The head of a module, and the port reference of a design.

use super::comment::comment;
use crate::{
    interface::{ClockDomain, Direction, Interface, Port},
    ir::*,
};
use std::collections::HashSet;

impl Design {
    /// The top's ports and clock domains.
    pub fn interface(&self) -> Interface {
        let top = self.top();
        let ports = top.signals[..top.ports].iter().map(|signal| Port {
            name: signal.name.clone(),
            width: signal.width,
            direction: if signal.kind == SignalKind::Input { Direction::Input } else { Direction::Output },
            doc: signal.doc.clone(),
        });
        let domains = top.domains.iter().map(|domain| ClockDomain {
            clock: domain.clocked.then(|| domain.clock_port()),
            reset: domain.reset.then(|| domain.reset_port()),
        });
        Interface { name: super::top_name(self), ports: ports.collect(), domains: domains.collect() }
    }
}

/// Names and documentation of the clock and reset ports of a module.
fn clocks(module: &Module) -> Vec<(String, String)> {
    let several = module.domains.iter().filter(|domain| domain.clocked).count() > 1;
    let mut out = vec![];
    for domain in &module.domains {
        let of = if domain.name.is_empty() { String::new() } else { format!(" of domain `{}`", domain.name) };
        let doc = |what: &str| if several { format!("{what}{of}.") } else { String::new() };
        if domain.clocked {
            out.push((domain.clock_port(), doc("Clock")));
        }
        if domain.reset {
            out.push((domain.reset_port(), doc("Synchronous reset")));
        }
    }
    out
}

/// The lines of the port list; `is_reg` tells which outputs a process assigns.
pub(super) fn port_list(module: &Module, is_reg: &dyn Fn(SignalId) -> bool) -> Vec<String> {
    let ports = &module.signals[..module.ports];
    let range = |width: u32| if width == 1 { String::new() } else { format!("[{}:0]", width - 1) };
    let column = ports.iter().map(|port| range(port.width).len()).max().unwrap_or(0);
    let gap = if column == 0 { 0 } else { column + 1 };
    let clocks = clocks(module);
    let mut left = clocks.len() + ports.len();
    let mut out = vec![];
    let mut print = |kind: &str, width: u32, name: &str, doc: &str| {
        left -= 1;
        out.extend(comment(doc, 4));
        let comma = if left == 0 { "" } else { "," };
        out.push(format!("    {kind} {:gap$}{name}{comma}", range(width)));
    };
    for (name, doc) in &clocks {
        print("input  wire", 1, name, doc);
    }
    let mut last_doc = "";
    let mut said = HashSet::new();
    for (i, port) in ports.iter().enumerate() {
        let kind = match port.kind {
            SignalKind::Input => "input  wire",
            _ if is_reg(SignalId(i as u32)) => "output reg ",
            _ => "output wire",
        };
        // What is said of one element of an array holds for all.
        let element: String = port.name.chars().filter(|c| !c.is_ascii_digit()).collect();
        let new = port.doc != last_doc && said.insert((element, port.doc.as_str()));
        let doc = if new { &port.doc } else { "" };
        print(kind, port.width, &port.name, doc);
        last_doc = &port.doc;
    }
    out
}

/// A Markdown table of the ports of `design`'s top.
pub(super) fn reference(design: &Design) -> String {
    let interface = design.interface();
    let mut out = format!(
        "# Ports of `{}`\n\n| port | direction | bits | clock | description |\n|---|---|---|---|---|\n",
        interface.name
    );
    let mut row = |name: &str, direction: &str, width: u32, clock: &str, doc: &str| {
        let doc = doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        out.push_str(&format!("| `{name}` | {direction} | {width} | {clock} | {doc} |\n"));
    };
    for domain in &interface.domains {
        if let Some(clock) = &domain.clock {
            row(clock, "input", 1, "", "Clock; rising edges count.");
        }
        if let Some(reset) = &domain.reset {
            let clock = domain.clock.as_ref().map(|clock| format!("`{clock}`")).unwrap_or_default();
            row(reset, "input", 1, &clock, "Synchronous reset, active high.");
        }
    }
    let clocked: Vec<&String> = interface.domains.iter().filter_map(|domain| domain.clock.as_ref()).collect();
    let domains = super::domains::port_domains(design);
    for (port, domains) in interface.ports.iter().zip(domains) {
        let direction = if port.direction == Direction::Input { "input" } else { "output" };
        let clocks: Vec<String> = match clocked.as_slice() {
            [only] => vec![format!("`{only}`")],
            _ => domains
                .iter()
                .filter_map(|domain| interface.domains[*domain].clock.as_ref())
                .map(|clock| format!("`{clock}`"))
                .collect(),
        };
        row(&port.name, direction, port.width, &clocks.join(", "), &port.doc);
    }
    out
}
