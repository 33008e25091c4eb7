//! Verilator as a judge of emitted Verilog.

use super::tool::{find_verilator, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lints a Verilog file, or all `.v` and `.sv` files of a folder, with every warning on.
///
/// # Errors
/// What Verilator prints, if it has any warning; why it could not run.
pub fn lint(verilog: &Path, top: &str) -> Result<(), String> {
    let verilator = find_verilator().map_err(|error| error.to_string())?;
    let files = files(verilog).map_err(|error| format!("cannot read {}: {error}", verilog.display()))?;
    if files.is_empty() {
        return Err(format!("{} has no Verilog", verilog.display()));
    }
    let mut command = Command::new(&verilator.program);
    command.args(["--lint-only", "-Wall", "--no-timing", "--top-module", top]).args(files);
    let output =
        run(&mut command).map_err(|error| format!("cannot run {}: {error}", verilator.program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).trim().to_owned())
}

fn files(verilog: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !fs::metadata(verilog)?.is_dir() {
        return Ok(vec![verilog.to_owned()]);
    }
    let entries = fs::read_dir(verilog)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "v" || extension == "sv"));
    files.sort();
    Ok(files)
}
