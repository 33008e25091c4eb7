//! A proof about the whole bridge: with and without a fault it is one circuit without modules, and what Yosys finds unused
//! or constant is gone.
//!
//! Registers and memories are taken out of both: what they give becomes an input, what they take an output. Those of the
//! same name, which are equal after the same past, get equal inputs; of others each side has its own, so nothing may depend on
//! them. Then outputs and next states are to be equal for all inputs (SAT).

use super::{
    MutationError,
    netlist::{Fault, yosys},
    read, write,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    time::Duration,
};

/// A register of one bit.
struct Register {
    /// Of its output: names that the modules have for it.
    names: BTreeSet<String>,
    input: String,
    output: String,
}

/// A memory.
struct Memory {
    /// How large it is, and what it does when.
    parameters: BTreeMap<String, String>,
    /// What its ports are connected to.
    ports: BTreeMap<String, String>,
}

/// A circuit whose registers and memories are taken out.
struct Circuit {
    /// Its ports, wires and other cells, as RTLIL.
    rest: String,
    registers: Vec<Register>,
    memories: BTreeMap<String, Memory>,
}

/// Whether Yosys proves that the bridge does the same with the fault.
///
/// # Errors
/// If Yosys is missing or fails without the fault.
pub fn is_equivalent(folder: &Path, fault: &Fault, limit: Duration) -> Result<bool, MutationError> {
    let gold = folder.join("whole.il");
    if !gold.exists() {
        let script = format!("read_rtlil design.il; {}; write_rtlil whole_new.il", one_circuit(""));
        yosys(folder, "whole", &script, limit)?;
        // Proofs of other faults may be under way.
        let file = |error| MutationError::File { path: gold.clone(), error };
        std::fs::rename(folder.join("whole_new.il"), &gold).map_err(file)?;
    }
    let name = format!("whole{}", fault.number);
    let proven = prove(folder, &name, &gold, fault.command(), limit);
    match proven {
        Err(MutationError::Tool { .. }) => Ok(false),
        proven => proven,
    }
}

fn prove(
    folder: &Path,
    name: &str,
    gold: &Path,
    command: &str,
    limit: Duration,
) -> Result<bool, MutationError> {
    let script = format!("read_rtlil design.il; {}; write_rtlil {name}.il", one_circuit(command));
    yosys(folder, name, &script, limit)?;
    let gate = folder.join(format!("{name}.il"));
    let (Some(gold), Some(gate)) = (Circuit::parse(&read(gold)?), Circuit::parse(&read(&gate)?)) else {
        return Ok(false);
    };
    let (gold, gate) = comparable(&gold, &gate);
    write(&folder.join(format!("{name}_both.il")), &(gold + &gate))?;
    let script = format!(
        "read_rtlil {name}_both.il; miter -equiv -flatten gold gate both; hierarchy -top both; opt -full; \
         sat -verify -prove trigger 0 both"
    );
    yosys(folder, &format!("{name}_both"), &script, limit).map(|()| true)
}

/// Makes one circuit of gates, registers of one bit, and memories; wires keep all names that they have in any module.
fn one_circuit(fault: &str) -> String {
    format!(
        "{fault}; hierarchy -auto-top; flatten; memory_map -rom-only; opt -full; dffunmap; \
         simplemap t:$dff t:$mux t:$pmux t:$not t:$and t:$or t:$xor; opt_expr; opt_merge; splitnets; opt_clean; \
         setattr -unset src *; setattr -unset src t:*"
    )
}

impl Circuit {
    /// Reads what [`one_circuit`] made; `None` if there is a register that is not of the bridge's clock.
    fn parse(rtlil: &str) -> Option<Circuit> {
        let mut rest = String::new();
        let mut names: HashMap<&str, BTreeSet<String>> = HashMap::new();
        let (mut registers, mut memories) = (vec![], BTreeMap::new());
        let mut lines = rtlil.lines();
        while let Some(line) = lines.next() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["end"] if line != "end" => {}
                ["module", _] | ["end"] | ["autoidx", _] | ["attribute", ..] | [] => continue,
                ["connect", alias, signal] if !line.starts_with("    ") => {
                    names.entry(signal).or_default().insert(alias.to_owned());
                }
                ["cell", kind, name] if kind == "$mem_v2" || kind.contains("DFF") || kind.contains("dff") => {
                    let mut memory = Memory { parameters: BTreeMap::new(), ports: BTreeMap::new() };
                    for line in lines.by_ref().take_while(|line| *line != "  end") {
                        let mut parts = line.trim_start().splitn(3, ' ');
                        let (what, key, value) = (parts.next()?, parts.next()?, parts.next()?);
                        match what {
                            "connect" => memory.ports.insert(key.to_owned(), value.to_owned()),
                            _ => memory.parameters.insert(line.to_owned(), String::new()),
                        };
                    }
                    if kind == "$mem_v2" {
                        memories.insert(name.to_owned(), memory);
                        continue;
                    }
                    let port = |name: &str| memory.ports.get(name).cloned();
                    if kind != "$_DFF_P_" || port("\\C")? != "\\clk" {
                        return None;
                    }
                    let names = BTreeSet::new();
                    registers.push(Register { names, input: port("\\D")?, output: port("\\Q")? });
                    continue;
                }
                _ => {}
            }
            rest += line;
            rest.push('\n');
        }
        for register in &mut registers {
            register.names = names.remove(register.output.as_str()).unwrap_or_default();
            register.names.insert(register.output.clone());
            // Others depend on what else there is.
            register.names.retain(|name| name.starts_with('\\'));
        }
        Some(Circuit { rest, registers, memories })
    }
}

impl Memory {
    /// Its ports, with bits: those that it gives, those that it takes.
    fn widths(&self) -> [Vec<(&'static str, usize)>; 2] {
        let number = |name: &str| {
            let start = format!("    parameter \\{name} ");
            let value = self.parameters.keys().find_map(|line| line.strip_prefix(&start));
            value.and_then(|value| value.parse::<usize>().ok()).unwrap_or(0)
        };
        let [width, address, reads, writes] = ["WIDTH", "ABITS", "RD_PORTS", "WR_PORTS"].map(number);
        let taken = [
            ("RD_CLK", reads),
            ("RD_EN", reads),
            ("RD_ARST", reads),
            ("RD_SRST", reads),
            ("RD_ADDR", reads * address),
            ("WR_CLK", writes),
            ("WR_EN", writes * width),
            ("WR_ADDR", writes * address),
            ("WR_DATA", writes * width),
        ];
        [vec![("RD_DATA", reads * width)], taken.into_iter().filter(|(_, width)| *width > 0).collect()]
    }
}

/// Both circuits as the modules `gold` and `gate`, with the same ports.
fn comparable(gold: &Circuit, gate: &Circuit) -> (String, String) {
    let mut sides = [Module::new("gold", &gold.rest), Module::new("gate", &gate.rest)];
    let mut index = HashMap::new();
    for (number, register) in gold.registers.iter().enumerate() {
        index.extend(register.names.iter().map(|name| (name.as_str(), number)));
    }
    let mut taken = BTreeSet::new();
    for (number, register) in gate.registers.iter().enumerate() {
        let same = register.names.iter().filter_map(|name| index.get(name.as_str()).copied());
        match same.into_iter().find(|gold| taken.insert(*gold)) {
            Some(same) => {
                let both = [&gold.registers[same], register];
                for (side, register) in sides.iter_mut().zip(both) {
                    side.gives(&format!("register{same}.q"), 1, Some(&register.output));
                    side.takes(&format!("register{same}.d"), 1, &register.input);
                }
            }
            None => {
                sides[0].gives(&format!("gate{number}.q"), 1, None);
                sides[1].gives(&format!("gate{number}.q"), 1, Some(&register.output));
            }
        }
    }
    for (number, register) in gold.registers.iter().enumerate().filter(|(number, _)| !taken.contains(number))
    {
        sides[0].gives(&format!("gold{number}.q"), 1, Some(&register.output));
        sides[1].gives(&format!("gold{number}.q"), 1, None);
    }
    let names: BTreeSet<&String> = gold.memories.keys().chain(gate.memories.keys()).collect();
    for (number, name) in names.into_iter().enumerate() {
        let both = [&gold.memories, &gate.memories].map(|memories| memories.get(name));
        let same = matches!(both, [Some(one), Some(other)] if one.parameters == other.parameters);
        for (own, memory) in both.into_iter().enumerate() {
            let Some(memory) = memory else { continue };
            let [given, taken] = memory.widths();
            for (port, width) in given {
                let signal = Some(memory.ports[&format!("\\{port}")].as_str());
                if same {
                    sides[own].gives(&format!("memory{number}.{port}"), width, signal);
                } else {
                    let name = format!("memory{number}.{port}{own}");
                    sides[own].gives(&name, width, signal);
                    sides[1 - own].gives(&name, width, None);
                }
            }
            for (port, width) in taken.into_iter().filter(|_| same) {
                let name = format!("memory{number}.{port}");
                let mut signal = memory.ports[&format!("\\{port}")].clone();
                if port == "WR_DATA" {
                    // What is not written does not matter.
                    signal = sides[own].and(&name, width, [&signal, &memory.ports["\\WR_EN"]]);
                }
                sides[own].takes(&name, width, &signal);
            }
        }
    }
    let [gold, gate] = sides.map(Module::end);
    (gold, gate)
}

/// A module under construction, as RTLIL.
struct Module {
    text: String,
    ports: usize,
}

impl Module {
    /// Numbers of ports that the bridge has itself are below this.
    const PORTS: usize = 10_000;

    fn new(name: &str, rest: &str) -> Module {
        Module { text: format!("module \\{name}\n{rest}"), ports: Self::PORTS }
    }

    /// Adds an input, which drives `signal`.
    fn gives(&mut self, name: &str, width: usize, signal: Option<&str>) {
        self.ports += 1;
        self.text += &format!("  wire width {width} input {} \\{name}\n", self.ports);
        if let Some(signal) = signal {
            self.text += &format!("  connect {signal} \\{name}\n");
        }
    }

    /// Adds an output, which is `signal`.
    fn takes(&mut self, name: &str, width: usize, signal: &str) {
        self.ports += 1;
        self.text +=
            &format!("  wire width {width} output {} \\{name}\n  connect \\{name} {signal}\n", self.ports);
    }

    /// Bits that are 1 where both signals are.
    fn and(&mut self, name: &str, width: usize, signals: [&str; 2]) -> String {
        let [one, other] = signals;
        let size = ["A_", "B_", "Y_"].map(|port| format!("    parameter \\{port}WIDTH {width}\n")).concat();
        self.text += &format!(
            "  wire width {width} \\{name}.and\n  cell $and \\{name}.cell\n    parameter \\A_SIGNED 0\n    \
             parameter \\B_SIGNED 0\n{size}    connect \\A {one}\n    connect \\B {other}\n    \
             connect \\Y \\{name}.and\n  end\n"
        );
        format!("\\{name}.and")
    }

    fn end(self) -> String {
        self.text + "end\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::netlist::draw;

    /// Nothing is connected to `unused`; everything else shows.
    const DESIGN: &str = "
module part(input clk, input rst, input write, input [3:0] a, output reg [3:0] q, output reg [3:0] unused);
    reg [3:0] words [0:3];
    wire [3:0] word = words[a[1:0]];
    always @(posedge clk) begin
        if (write) words[a[3:2]] <= ~a;
        if (rst) begin
            q <= 0;
            unused <= 0;
        end else begin
            q <= word ^ {3'd0, write};
            unused <= unused + a;
        end
    end
endmodule
module top(input clk, input rst, input write, input [3:0] a, output [3:0] q);
    part part(.clk(clk), .rst(rst), .write(write), .a(a), .q(q), .unused());
endmodule
";

    /// Faults of what is not connected are excused, and none that inverts another bit.
    #[test]
    fn only_what_shows_nowhere_is_excused() {
        let folder = std::env::temp_dir().join(format!("hematite-whole-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // Yosys stops at faults of ports that a memory has but does not use.
        let faults = (1..30).find_map(|seed| draw(&folder, DESIGN, "top", 40, seed).ok()).unwrap();
        let mut counts = [0; 2];
        for fault in &faults {
            let is_unused = |name: &String| name.contains("unused");
            let dead = fault.cell == "$add" || fault.wire.as_ref().is_some_and(is_unused);
            // Others may change nothing, and the registers' multiplexers have wires without names.
            if !dead && (fault.mode != "inv" || ["$procmux", "$procdff"].contains(&fault.cell.as_str())) {
                continue;
            }
            counts[usize::from(dead)] += 1;
            if counts[usize::from(dead)] <= 4 {
                let proven = is_equivalent(&folder, fault, Duration::from_secs(100)).unwrap();
                assert_eq!(proven, dead, "{fault}");
            }
        }
        assert!(counts.iter().all(|count| *count > 2), "{counts:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
