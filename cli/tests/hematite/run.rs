//! `hematite run` on good input: the bridge alone.

use super::*;
use rtl::config::Config;
use serde_json::Value;
use sim::{pcap, scenario::Scenario, veb::bridge::decide};

/// What leaves each port of the shipped scenario, by the model.
fn expected() -> Vec<(String, Vec<Vec<u8>>)> {
    let config = Config::small();
    let names = config.port_names();
    let scenario = Scenario::load(data("lan.toml")).unwrap();
    let policy = scenario.policy(&config).unwrap();
    let mut ports: Vec<(String, Vec<Vec<u8>>)> = names.into_iter().map(|name| (name, vec![])).collect();
    for frame in pcap::read(data("lan.pcap")).unwrap() {
        for copies in decide(&policy, 0, &frame.bytes, false, None).copies() {
            copies.ports.iter().for_each(|port| ports[port].1.push(copies.bytes.to_vec()));
        }
    }
    ports
}

#[test]
fn the_shipped_capture_leaves_as_the_model_says() {
    let directory = workspace();
    let text =
        stdout(hematite(directory.path(), &["run", "--part", "bridge", "--simulator", "native", "--json"]));
    let summary: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(summary["frames_in"], 1191);
    assert_eq!(summary["mismatches"], 0);
    assert!(summary["cycles"].as_u64().unwrap() > 50_000);
    assert!(summary["frames_per_second"].as_f64().unwrap() > 0.0);
    let out = directory.path().join("out");
    let expected = expected();
    assert_eq!(summary["ports"].as_array().unwrap().len(), expected.len());
    for ((name, frames), port) in expected.iter().zip(summary["ports"].as_array().unwrap()) {
        let bytes: usize = frames.iter().map(Vec::len).sum();
        assert_eq!(
            *port,
            serde_json::json!({"name": name, "frames_out": frames.len(), "bytes_out": bytes}),
            "{name}"
        );
        let written = pcap::read(out.join(format!("{name}.pcap"))).unwrap();
        assert!(written.is_sorted_by_key(|frame| frame.timestamp), "{name}");
        let written: Vec<Vec<u8>> = written.into_iter().map(|frame| frame.bytes).collect();
        assert!(written == *frames, "{name}: other frames than the model's");
    }
    let drops = |reason: &str| {
        let drops = summary["drops"].as_array().unwrap();
        drops.iter().find(|drop| drop["reason"] == reason).unwrap()["frames"].as_u64().unwrap()
    };
    // One to a station that is no member of its VLAN, three to groups that nobody wants.
    assert_eq!(drops("filtered"), 4);
    let all = summary["drops"].as_array().unwrap();
    let sum: u64 = all.iter().map(|drop| drop["frames"].as_u64().unwrap()).sum();
    assert_eq!(sum, 4, "{all:?}");
    let keys: Vec<&String> = summary.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 6, "{keys:?}");
    let kept = fs::read_to_string(out.join("summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), summary);
    assert_eq!(listing(directory.path()), ["out"]);
    opens_in_tshark(&out.join("vf1.pcap"), expected[4].1.len());
}

/// Where tshark is installed.
fn opens_in_tshark(capture: &Path, frames: usize) {
    let Ok(output) =
        Command::new("tshark").arg("-r").arg(capture).args(["-T", "fields", "-e", "frame.number"]).output()
    else {
        return;
    };
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), frames);
}

#[test]
fn the_table_says_the_same() {
    let directory = workspace();
    let scenario = data("lan.toml");
    let arguments = [
        "run",
        "--part",
        "bridge",
        "--simulator",
        "native",
        "--scenario",
        scenario.to_str().unwrap(),
        "--out",
        "a/b/",
    ];
    let table = stdout(hematite(directory.path(), &arguments));
    assert!(table.starts_with("configuration small: 1191 frames in\n"), "{table}");
    for (name, frames) in expected() {
        let line = table.lines().find(|line| line.starts_with(&name)).unwrap();
        assert_eq!(line.split_whitespace().nth(1).unwrap(), frames.len().to_string(), "{table}");
    }
    assert!(table.contains("every frame as the reference model says"), "{table}");
    assert_eq!(fs::read_to_string(directory.path().join("a/b/summary.txt")).unwrap(), table);
}

/// A configuration that no name has, a row, and a frame that only it lets out.
#[test]
fn rows_and_frames_that_are_written_out() {
    let directory = workspace();
    let text = r#"
        config = { like = "small", vfs = 1, entries = 16, cells = 64 }
        [[row]]
        table = "VLAN"
        index = 4094
        fields = { members = ["vf0", "pf"], untagged = "all" }
        [[row]]
        table = "PORT"
        index = 2
        fields = { egress = true }
        [[row]]
        table = "PORT"
        index = 3
        fields = { pvid = 4094, admit_untagged = true, ingress = true, default_ports = ["pf"] }
        [[pause]]
        port = "vf0"
        to = "100 cycles"
        percent = 50
        [[frame]]
        port = "vf0"
        hex = "5254000000015254000000030806"
        [[frame]]
        port = "vf0"
        hex = "525400000001525400000003080601"
        error = true
    "#;
    fs::write(directory.path().join("in.toml"), text).unwrap();
    let arguments = ["run", "--part", "bridge", "--simulator", "native", "--scenario", "in.toml", "--json"];
    let summary: Value = serde_json::from_str(&stdout(hematite(directory.path(), &arguments))).unwrap();
    let out = summary["ports"].as_array().unwrap().iter().map(|port| port["frames_out"].as_u64().unwrap());
    assert_eq!(out.collect::<Vec<_>>(), [0, 0, 1, 0]);
    let errors = summary["drops"].as_array().unwrap().iter().find(|drop| drop["reason"] == "error").unwrap();
    assert_eq!((&summary["mismatches"], &errors["frames"]), (&0.into(), &1.into()));
    let left = pcap::read(directory.path().join("out/pf.pcap")).unwrap();
    assert_eq!(left[0].bytes, [0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 3, 8, 6]);
}

/// One frame to everybody, and two to stations of their own.
fn three_frames(directory: &Path) {
    let frame =
        |last: u8| [&[0x52, 0x54, 0, 0, 0, last, 0x52, 0x54, 0, 0, 1, 0, 8, 0][..], &[7; 46]].concat();
    let frames = [vec![0xFF; 60], frame(1), frame(2)];
    fs::write(directory.join("in.pcap"), capture(1, &frames)).unwrap();
}

#[test]
fn a_capture_alone_reaches_the_functions_in_turn() {
    let directory = workspace();
    three_frames(directory.path());
    for config in ["small", "x3100", "wide"] {
        let arguments = [
            "run",
            "--part",
            "bridge",
            "--simulator",
            "native",
            "--config",
            config,
            "--pcap",
            "in.pcap",
            "--json",
        ];
        let summary: Value = serde_json::from_str(&stdout(hematite(directory.path(), &arguments))).unwrap();
        let out = |name: &str| {
            let ports = summary["ports"].as_array().unwrap();
            ports.iter().find(|port| port["name"] == name).unwrap()["frames_out"].as_u64().unwrap()
        };
        assert_eq!(["wire0", "manager", "pf", "vf0", "vf1"].map(out), [0, 1, 2, 2, 1], "{config}");
        assert_eq!(summary["mismatches"], 0);
    }
}

#[test]
fn a_later_run_replaces_an_earlier_one() {
    let directory = workspace();
    three_frames(directory.path());
    let run = |more: &[&str]| {
        let arguments =
            [&["run", "--part", "bridge", "--simulator", "native", "--pcap", "in.pcap"], more].concat();
        stdout(hematite(directory.path(), &arguments));
        listing(&directory.path().join("out"))
    };
    let ports = Config::small().port_names();
    let mut files: Vec<String> = ports.iter().map(|name| format!("{name}.pcap")).collect();
    let reports = ["flows.json", "flows.txt", "latency.svg", "received.svg", "sent.svg"];
    files.extend([".hematite", "summary.json", "summary.txt"].into_iter().chain(reports).map(String::from));
    files.sort();
    let with_trace = run(&["--trace"]);
    assert_eq!(with_trace.len(), files.len() + 1);
    assert!(with_trace.contains(&"trace.vcd".to_owned()), "{with_trace:?}");
    assert_eq!(run(&[]), files);
}

#[test]
fn without_verilator_the_native_simulator_runs() {
    let directory = workspace();
    three_frames(directory.path());
    let mut command = hematite(directory.path(), &["run", "--part", "bridge", "--pcap", "in.pcap", "--json"]);
    let output = command.env("VERILATOR", "/nowhere/verilator").output().unwrap();
    assert!(output.status.success());
    assert!(stderr(&output).contains("native simulator"), "{}", stderr(&output));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["frames_in"], 3);
}
