//! Yosys's view of the emitted Verilog: what it reads, writes out again and is given back must be the same hardware.

use super::{FuzzError, description::Module, elaborate::elaborate, icarus::run};
use std::{fs, path::Path};

/// Proves that `verilog`, with the top module `top`, is what Yosys makes of it after `proc; opt`: printed again by Yosys
/// and read back, all outputs and the next states of all registers are equal.
///
/// # Errors
/// If Yosys is missing, does not take the Verilog, or cannot prove it.
pub fn prove(folder: &Path, verilog: &str, top: &str) -> Result<(), FuzzError> {
    let path = folder.join("design.v");
    fs::write(&path, verilog).map_err(|error| FuzzError::File { path, error })?;
    let script = format!(
        "read_verilog design.v; hierarchy -check -top {top}; proc; flatten; opt; \
         write_verilog -noattr again.v; design -reset; \
         read_verilog design.v; hierarchy -top {top}; proc; flatten; memory; opt_clean; rename {top} gold; design -stash gold; \
         read_verilog again.v; hierarchy -top {top}; proc; flatten; memory; opt_clean; rename {top} gate; design -stash gate; \
         design -copy-from gold -as gold gold; design -copy-from gate -as gate gate; \
         equiv_make gold gate both; hierarchy -top both; opt_clean; \
         equiv_simple -undef; equiv_induct -undef; equiv_status -assert"
    );
    run(folder, "yosys", &["-q", "-p", &script]).map(|_| ())
}

/// As [`prove`], for a description.
///
/// # Errors
/// As [`prove`], and if the language does not take the description.
pub fn prove_module(folder: &Path, module: &Module) -> Result<(), FuzzError> {
    let rejected = |message| FuzzError::Tool { tool: "hdl", message };
    let design = elaborate(module).map_err(|errors| rejected(errors.to_string()))?;
    let verilog = design.verilog();
    prove(folder, &verilog.text(), &verilog.top)
}
