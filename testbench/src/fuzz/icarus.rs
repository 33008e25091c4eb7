//! Runs Verilog in Icarus: a test bench reads stimuli from a file and prints what comes out.

use super::{FuzzError, number::Number};
use hdl::{Direction, Interface};
use std::{fmt::Write, fs, path::Path, process::Command};

/// What happens in one cycle: inputs take their values, outputs are looked at, clocks rise.
pub struct Cycle {
    /// One value for each input of the interface, in order.
    pub inputs: Vec<Number>,
    /// For each domain whether its clock rises.
    pub clocks: Vec<bool>,
    pub resets: Vec<bool>,
}

/// The digits that Icarus prints of each output, in order, in each cycle: binary, the most significant first.
pub type Printed = Vec<Vec<String>>;

/// Simulates `verilog` in `folder`.
///
/// # Errors
/// If Icarus is missing or rejects the design.
pub fn simulate(
    folder: &Path,
    verilog: &str,
    interface: &Interface,
    cycles: &[Cycle],
) -> Result<Printed, FuzzError> {
    let inputs: usize = widths(interface, Direction::Input).iter().sum();
    let domains = interface.domains.len();
    let stimuli: String = cycles.iter().map(|cycle| stimulus(cycle) + "\n").collect();
    let bench = bench(interface, cycles.len(), inputs + 2 * domains);
    for (name, text) in [("design.v", verilog), ("bench.v", &bench), ("stimuli.txt", &stimuli)] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| FuzzError::File { path, error })?;
    }
    run(folder, "iverilog", &["-g2005", "-s", "bench", "-o", "bench.vvp", "bench.v", "design.v"])?;
    let output = run(folder, "vvp", &["-n", "bench.vvp"])?;
    let widths = widths(interface, Direction::Output);
    let printed: Printed = output.lines().filter_map(|line| parse(line, &widths)).collect();
    if printed.len() != cycles.len() {
        let message = format!("{} lines instead of {}:\n{output}", printed.len(), cycles.len());
        return Err(FuzzError::Tool { tool: "vvp", message });
    }
    Ok(printed)
}

/// Runs a program that must succeed, and returns what it prints.
pub fn run(folder: &Path, tool: &'static str, arguments: &[&str]) -> Result<String, FuzzError> {
    let output = Command::new(tool).current_dir(folder).args(arguments).output();
    let output = output.map_err(|error| FuzzError::Missing { tool, error })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let message = text + &String::from_utf8_lossy(&output.stderr);
    Err(FuzzError::Tool { tool, message: message.chars().take(2000).collect() })
}

fn widths(interface: &Interface, direction: Direction) -> Vec<usize> {
    let ports = interface.ports.iter().filter(|port| port.direction == direction);
    ports.map(|port| port.width as usize).collect()
}

/// Clocks, resets and inputs, most significant first, in binary.
fn stimulus(cycle: &Cycle) -> String {
    let flags = cycle.clocks.iter().chain(&cycle.resets).copied();
    let inputs = cycle.inputs.iter().flat_map(|number| number.0.iter().rev().copied());
    flags.chain(inputs).map(|bit| if bit { '1' } else { '0' }).collect()
}

fn parse(line: &str, widths: &[usize]) -> Option<Vec<String>> {
    let digits = line.strip_prefix("outputs ")?;
    let mut rest = digits;
    let cut = widths.iter().map(|&width| {
        let (first, last) = rest.split_at(width);
        rest = last;
        first.to_string()
    });
    (digits.len() == widths.iter().sum::<usize>()).then(|| cut.collect())
}

fn bench(interface: &Interface, cycles: usize, width: usize) -> String {
    let domains = interface.domains.len();
    let mut ports = vec![];
    for (i, domain) in interface.domains.iter().enumerate() {
        ports.extend(domain.clock.as_ref().map(|name| format!(".{name}(clocks[{i}])")));
        ports.extend(domain.reset.as_ref().map(|name| format!(".{name}(resets[{i}])")));
    }
    let mut wires = String::new();
    let mut outputs = vec![];
    let mut high = width - 2 * domains;
    for port in &interface.ports {
        let name = &port.name;
        match port.direction {
            Direction::Input => {
                ports.push(format!(".{name}(inputs[{}:{}])", high - 1, high - port.width as usize));
                high -= port.width as usize;
            }
            Direction::Output => {
                let _ = writeln!(wires, "  wire [{}:0] out_{name};", port.width - 1);
                ports.push(format!(".{name}(out_{name})"));
                outputs.push(format!("out_{name}"));
            }
        }
    }
    let (instance, outputs) = (ports.join(",\n    "), outputs.join(",\n    "));
    let (last, inputs, top) = (cycles - 1, (width - 2 * domains).max(1), &interface.name);
    // Bit 0 of `clocks` is domain 0; the stimulus begins with domain 0.
    let range = format!("[0:{}]", domains - 1);
    format!(
        "module bench;
  reg [{}:0] stimuli [0:{last}];
  reg {range} clocks, rise;
  reg {range} resets;
  reg [{}:0] inputs;
{wires}  integer i;
  {top} dut (
    {instance});
  initial begin
    $readmemb(\"stimuli.txt\", stimuli);
    clocks = 0;
    resets = 0;
    inputs = 0;
    #10;
    for (i = 0; i <= {last}; i = i + 1) begin
      {{rise, resets, inputs}} = stimuli[i];
      #10 $display(\"outputs %b\", {{
    {outputs}}});
      clocks = rise;
      #10 clocks = 0;
    end
    $finish;
  end
endmodule
",
        width - 1,
        inputs - 1,
    )
}
