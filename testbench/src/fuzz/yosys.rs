//! Yosys's view of the emitted Verilog: what it reads, writes out again and is given back must be the same hardware.

use super::{FuzzError, icarus::run};
use std::{fs, path::Path};

/// Proves that `verilog`, with the top module `top`, is what Yosys makes of it after `proc; opt`: printed again by Yosys
/// and read back, all outputs and the next states of all registers are equal.
///
/// # Errors
/// If Yosys is missing, does not take the Verilog, or cannot prove it.
pub fn prove(folder: &Path, verilog: &str, top: &str) -> Result<(), FuzzError> {
    write(folder, "design.v", verilog)?;
    let script = format!(
        "read_verilog design.v; hierarchy -check -top {top}; proc; flatten; opt; write_verilog -noattr again.v"
    );
    run(folder, "yosys", &["-q", "-p", &script])?;
    prove_equal(folder, top)
}

/// Proves that `design.v` and `again.v` in a folder are one hardware.
///
/// # Errors
/// As [`prove`].
pub fn prove_equal(folder: &Path, top: &str) -> Result<(), FuzzError> {
    let read = |file: &str, name: &str| {
        format!(
            "read_verilog {file}; hierarchy -top {top}; proc; flatten; memory; opt; rename {top} {name}; \
             design -stash {name};"
        )
    };
    let script = format!(
        "{} {} design -copy-from gold -as gold gold; design -copy-from gate -as gate gate; \
         equiv_make gold gate both; hierarchy -top both; opt_clean; equiv_simple; equiv_induct; equiv_status -assert",
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
