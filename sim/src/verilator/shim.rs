//! The generated part of the shim: where the ports of one design are in its Verilated class.

use super::ports::member_name;
use hdl::interface::{Direction, Interface};

/// Compiled into everything.
pub(super) const HOOKS: &str = include_str!("shim/hooks.h");
/// What [`MODEL`] and Verilator's output include, precompiled.
pub(super) const HEADER: &str = include_str!("shim/model.h");
/// The functions that the harness calls; includes what [`model_ports`] makes.
pub(super) const MODEL: &str = include_str!("shim/model.cpp");

/// What Verilator generated for a design, as text.
pub(super) struct Generated<'a> {
    /// Header of the class that holds the state.
    pub root: &'a str,
    /// All of the C++.
    pub code: &'a str,
}

/// The text of `model_ports.h`.
///
/// Verilator finds a rising clock by comparing with the level of the evaluation before, so that a cycle takes two: one
/// with the clock low. Where `verilog` has rising edges only, and the shim knows where their levels are remembered,
/// it sets those to 0 itself and saves the evaluation. Without `generated` it never does.
pub(super) fn model_ports(interface: &Interface, verilog: &str, generated: Option<&Generated>) -> String {
    let memories = generated
        .filter(|_| only_rising_edges(verilog))
        .and_then(|generated| edge_memories(interface, generated));
    let ports = interface.ports.iter().map(|port| Some(&port.name));
    let signals = interface.domains.iter().flat_map(|domain| [&domain.clock, &domain.reset]);
    let address = |(index, name): (usize, Option<&String>)| {
        Some(format!("    case {index}: return &top.{};\n", member_name(name?)))
    };
    let addresses: String =
        ports.chain(signals.clone().map(Option::as_ref)).enumerate().filter_map(address).collect();

    let inputs =
        interface.ports.iter().filter(|port| port.direction == Direction::Input).map(|port| &port.name);
    let clear = |member: String| format!("    std::memset(&top.{member}, 0, sizeof top.{member});\n");
    let clears: String = inputs.chain(signals.flatten()).map(|name| clear(member_name(name))).collect();

    let clocks: String = clocks(interface)
        .map(|(domain, clock)| format!("    case {domain}: top.{clock} = level; break;\n"))
        .collect();
    let forgotten = memories.is_some();
    let forgets: String = memories
        .into_iter()
        .flatten()
        .map(|(domain, member)| format!("    case {domain}: top.rootp->{member} = 0; break;\n"))
        .collect();

    format!(
        "static void* port_address(Vmodel& top, size_t index) {{
    switch (index) {{
{addresses}    default: return nullptr;
    }}
}}

static void clear_inputs(Vmodel& top) {{
{clears}}}

static void set_clock(Vmodel& top, size_t domain, CData level) {{
    switch (domain) {{
{clocks}    default: break;
    }}
}}

constexpr bool EDGES_ARE_FORGOTTEN = {forgotten};

static void forget_edge(Vmodel& top, size_t domain) {{
    switch (domain) {{
{forgets}    default: break;
    }}
}}
"
    )
}

/// Domains that have a clock, with the clock's name in C++.
fn clocks(interface: &Interface) -> impl Iterator<Item = (usize, String)> {
    let clocks = interface.domains.iter().map(|domain| domain.clock.as_deref()).enumerate();
    clocks.filter_map(|(domain, clock)| Some((domain, member_name(clock?))))
}

/// Whether every event control is `@(posedge ...)`, `@*` or `@(*)`. An at sign in a comment costs speed only.
fn only_rising_edges(verilog: &str) -> bool {
    verilog.split('@').skip(1).all(|event| {
        let event = event.trim_start();
        let list = event.strip_prefix('(').unwrap_or(event).split(')').next().unwrap_or_default();
        list.trim_start().starts_with('*')
            || list.split(" or ").all(|e| e.trim_start().starts_with("posedge"))
    })
}

/// For each clock, the member of the root class that its rising edges are found with. `None` where a clock has not
/// exactly one, or where anything but an input is watched: then the shim does not know this model well enough.
fn edge_memories(interface: &Interface, generated: &Generated) -> Option<Vec<(usize, String)>> {
    let signals = interface.domains.iter().flat_map(|domain| [&domain.clock, &domain.reset]).flatten();
    let ports = interface.ports.iter().map(|port| &port.name);
    let inputs: Vec<String> = signals.chain(ports).map(|name| member_name(name)).collect();
    let mut memories = Vec::new();
    for line in generated.root.lines() {
        let member = line.trim().strip_suffix(';').and_then(|line| line.split_whitespace().last());
        let Some(member) = member.filter(|m| m.starts_with("__Vtrig") && m.contains("prev")) else {
            continue;
        };
        // 5.006: `__Vtrigrprev__TOP__clk`, later: `__Vtrigprevexpr___TOP__clk__0`.
        let (_, signal) = member.split_once("__TOP__")?;
        let watched = inputs.iter().find(|&input| {
            let number = signal.strip_prefix(input.as_str());
            number.is_some_and(|n| {
                n.is_empty() || n.strip_prefix("__").is_some_and(|n| n.parse::<u32>().is_ok())
            })
        })?;
        let clock = clocks(interface).find(|(_, clock)| clock == watched);
        if let Some((domain, _)) = clock.filter(|_| finds_rising_edges(generated.code, member)) {
            memories.push((domain, member.to_owned()));
        }
    }
    let known = |domain: usize| memories.iter().filter(|(of, _)| *of == domain).count() == 1;
    clocks(interface).all(|(domain, _)| known(domain)).then_some(memories)
}

/// Whether the code has `clock & ~ member`, in whatever way its lines are broken.
fn finds_rising_edges(code: &str, member: &str) -> bool {
    code.match_indices(member).any(|(at, _)| {
        let before = code[..at].chars().rev().filter(|c| !c.is_whitespace());
        let is = |end: &str| end.chars().rev().eq(before.clone().take(end.len()));
        is("(~(IData)(vlSelf->") || is("(~(IData)(vlSelfRef.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::interface::{ClockDomain, Port};

    fn interface() -> Interface {
        let domain = |clock: &str| ClockDomain { clock: Some(clock.into()), reset: None };
        let a = Port { name: "a".into(), width: 8, direction: Direction::Input, doc: String::new() };
        Interface { name: "m".into(), ports: vec![a], domains: vec![domain("clk"), domain("clk2")] }
    }

    const DEBIAN: Generated = Generated {
        root: "    VL_IN8(clk,0,0);\n    CData/*0:0*/ __Vtrigrprev__TOP__clk;\n    CData/*0:0*/ __Vtrigrprev__TOP__clk2;",
        code: "((IData)(vlSelf->clk)\n   & (~ (IData)(vlSelf->__Vtrigrprev__TOP__clk)));\n  \
            & (~ (IData)(\n   vlSelf->__Vtrigrprev__TOP__clk2)));",
    };

    #[test]
    fn the_memories_of_rising_edges_are_found() {
        let found = edge_memories(&interface(), &DEBIAN).unwrap();
        assert_eq!(
            found,
            [(0, "__Vtrigrprev__TOP__clk".to_owned()), (1, "__Vtrigrprev__TOP__clk2".to_owned())]
        );

        let root = "CData/*0:0*/ __Vtrigprevexpr___TOP__clk__0;\nCData/*7:0*/ __Vtrigprevexpr___TOP__a__0;\n\
            CData/*0:0*/ __Vtrigprevexpr___TOP__clk__1;\nCData/*0:0*/ __Vtrigprevexpr___TOP__clk2__1;";
        let code = "(vlSelfRef.clk != vlSelfRef.__Vtrigprevexpr___TOP__clk__0) \
            & (~ (IData)(vlSelfRef.__Vtrigprevexpr___TOP__clk__1)) & (~ (IData)(vlSelfRef.__Vtrigprevexpr___TOP__clk2__1))";
        let found = edge_memories(&interface(), &Generated { root, code }).unwrap();
        assert_eq!(found.iter().map(|(_, m)| m.rsplit('_').next().unwrap()).collect::<Vec<_>>(), ["1", "1"]);
    }

    #[test]
    fn an_unknown_model_is_evaluated_with_the_clock_low() {
        let inner = format!("{}\n    CData/*0:0*/ __Vtrigrprev__TOP__m__DOT__gated;", DEBIAN.root);
        assert_eq!(edge_memories(&interface(), &Generated { root: &inner, ..DEBIAN }), None);
        assert_eq!(edge_memories(&interface(), &Generated { code: "", ..DEBIAN }), None);
        assert_eq!(edge_memories(&interface(), &Generated { root: "", ..DEBIAN }), None);
    }

    #[test]
    fn falling_edges_and_latches_are_seen() {
        assert!(only_rising_edges(
            "always @(posedge clk) q <= d; always @* a = b; always @(*) c = d; always @ ( * ) e = f;"
        ));
        assert!(only_rising_edges("always @(posedge clk or posedge rst) q <= d;"));
        for text in ["@(negedge clk)", "@(posedge clk or negedge clk)", "@(clk)", "@clk", "@(a or *)"] {
            assert!(!only_rising_edges(text), "{text}");
        }
    }
}
