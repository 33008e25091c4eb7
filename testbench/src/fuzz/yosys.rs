//! Yosys's view of the emitted Verilog: what it reads, writes out again and is given back must be the same hardware.

use super::{FuzzError, icarus::run};
use std::{fs, path::Path};

/// How two designs are shown to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// All outputs are equal; for hardware without a state.
    Combinational,
    /// All outputs and the next states of all registers are equal, where the states are.
    Induction,
}

/// Proves that `verilog`, with the top module `top`, is what Yosys makes of it after `proc; opt`: printed again by Yosys
/// and read back, it is the same. Memories are taken to read the old word at a collision, also where the design leaves
/// that open, for Yosys does not print what is open.
///
/// # Errors
/// If Yosys is missing, does not take the Verilog, or cannot prove it.
pub fn prove(folder: &Path, verilog: &str, top: &str, proof: Proof) -> Result<(), FuzzError> {
    write(folder, "design.v", &verilog.replace("(* no_rw_check *)", ""))?;
    let script = format!(
        "read_verilog design.v; hierarchy -check -top {top}; proc; flatten; opt; write_verilog -noattr again.v"
    );
    run(folder, "yosys", &["-q", "-p", &script])?;
    prove_equal(folder, top, proof)
}

/// Proves that `design.v` and `again.v` in a folder are one hardware.
///
/// # Errors
/// As [`prove`].
pub fn prove_equal(folder: &Path, top: &str, proof: Proof) -> Result<(), FuzzError> {
    let read = |file: &str, name: &str| {
        format!(
            "read_verilog {file}; hierarchy -top {top}; proc; flatten; memory; opt; rename {top} {name}; \
             design -stash {name};"
        )
    };
    let steps = match proof {
        Proof::Combinational => {
            "miter -equiv -flatten gold gate both; hierarchy -top both; opt -full; sat -verify -prove trigger 0 both"
        }
        Proof::Induction => {
            "equiv_make gold gate both; hierarchy -top both; opt_clean; equiv_simple; equiv_induct; \
             equiv_status -assert"
        }
    };
    let script = format!(
        "{} {} design -copy-from gold -as gold gold; design -copy-from gate -as gate gate; {steps}",
        read("design.v", "gold"),
        read("again.v", "gate")
    );
    run(folder, "yosys", &["-q", "-p", &script]).map(|_| ())
}

/// Puts a file into the folder that Yosys works in.
///
/// # Errors
/// If it cannot be written.
pub fn write(folder: &Path, name: &str, text: &str) -> Result<(), FuzzError> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|error| FuzzError::File { path, error })
}
