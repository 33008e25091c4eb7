//! `hematite run` on good input: the whole adapter.

use super::*;
use rtl::config::Config;
use serde_json::Value;
use sim::{pcap, scenario::Scenario, traffic::Traffic, veb::bridge::decide};

/// What leaves each port by the model, in any order.
fn expected(scenario: &Scenario, config: &Config) -> Vec<Vec<Vec<u8>>> {
    let policy = scenario.policy(config).unwrap();
    let flows = scenario.flows(config).unwrap();
    let mut ports = vec![vec![]; config.ports()];
    for frame in Traffic::new(&flows, config).unwrap() {
        for copies in decide(&policy, frame.port, &frame.bytes, false, None).copies() {
            copies.ports.iter().for_each(|port| ports[port].push(stampless(&copies.bytes)));
        }
    }
    ports.iter_mut().for_each(|frames| frames.sort());
    ports
}

/// A frame without the cycle in its stamp, which depends on when its port was free.
fn stampless(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if let Some(at) = frame.windows(8).position(|window| window == b"HEMATITE") {
        frame[at + 20..at + 28].fill(0);
    }
    frame
}

fn drops(summary: &Value, reason: &str) -> u64 {
    let drops = summary["drops"].as_array().unwrap();
    drops.iter().find(|drop| drop["reason"] == reason).unwrap()["frames"].as_u64().unwrap()
}

/// What is shipped: nothing is lost but what the manager's mailbox has no room for.
#[test]
fn guests_get_what_the_model_says() {
    let directory = workspace();
    let summary: Value =
        serde_json::from_str(&stdout(hematite(directory.path(), &["run", "--json"]))).unwrap();
    assert_eq!((&summary["frames_in"], &summary["mismatches"]), (&2691.into(), &0.into()));
    assert_eq!((drops(&summary, "filtered"), drops(&summary, "no_buffer")), (4, 0));
    let (config, scenario) = (Config::small(), Scenario::load(data("guests.toml")).unwrap());
    let expected = expected(&scenario, &config);
    for (port, name) in config.port_names().iter().enumerate().filter(|(port, _)| *port != config.manager()) {
        let written = pcap::read(directory.path().join(format!("out/{name}.pcap"))).unwrap();
        assert!(written.is_sorted_by_key(|frame| frame.timestamp), "{name}");
        let mut written: Vec<Vec<u8>> = written.iter().map(|frame| stampless(&frame.bytes)).collect();
        written.sort();
        assert!(written == expected[port], "{name}: other frames than the model's");
    }
    let functions = summary["functions"].as_array().unwrap();
    let get = |key: &str| functions.iter().map(|of| of[key].clone()).collect::<Vec<_>>();
    assert_eq!(get("name"), ["pf", "vf0", "vf1", "vf2"]);
    assert_eq!(get("ring"), ["packed", "split", "packed", "split"]);
    assert_eq!(get("frames_sent"), [200, 600, 600, 100]);
    for (number, function) in functions.iter().enumerate() {
        let count = |key: &str| function[key].as_u64().unwrap();
        assert_eq!(count("frames_received"), expected[config.manager() + 1 + number].len() as u64);
        // The last one looks now and then.
        assert_eq!(count("interrupts") > 50, number < 3, "{function}");
        assert!(
            count("doorbells") > 0 && count("pcie_up") > 10_000 && count("pcie_down") > 10_000,
            "{function}"
        );
    }
}

/// Without Verilator: a few frames of everybody, with a driver that hangs until its ring is empty.
#[test]
fn a_small_run_on_the_native_simulator() {
    let directory = workspace();
    let text = r#"
        config = { like = "small", vfs = 1, entries = 16, cells = 64 }
        [adapter]
        generation = 2
        lanes = 4
        [[driver]]
        port = "vf0"
        ring = "split"
        entries = 8
        [[port]]
        name = "all"
        preset = "open"
        default_ports = "wire0"
        [[port]]
        name = "pf"
        wants = ["unicast"]
        [[vlan]]
        vid = 1
        members = "all"
        untagged = "all"
        [[address]]
        ports = "functions"
        [[stall]]
        port = "vf0"
        to = "20 us"
        [[traffic]]
        port = "wire0"
        destination = "vf0"
        size = 100
        frames = 20
        [[traffic]]
        port = ["manager", "vf0"]
        destination = "pf"
        size = 60
        frames = 2
        start = "30 us"
    "#;
    fs::write(directory.path().join("in.toml"), text).unwrap();
    let arguments = ["run", "--simulator", "native", "--scenario", "in.toml", "--json", "--trace"];
    let summary: Value = serde_json::from_str(&stdout(hematite(directory.path(), &arguments))).unwrap();
    assert_eq!((&summary["frames_in"], &summary["mismatches"]), (&24.into(), &0.into()));
    let lost = drops(&summary, "no_buffer");
    assert!(lost > 0, "{summary}");
    let out = summary["ports"].as_array().unwrap().iter().map(|port| port["frames_out"].as_u64().unwrap());
    // The PF is promiscuous.
    assert_eq!(out.collect::<Vec<_>>(), [0, 0, 24, 20 - lost]);
    assert!(listing(&directory.path().join("out")).contains(&"trace.vcd".to_owned()));
}
