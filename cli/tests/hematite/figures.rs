//! `hematite bench`, and help.

use super::*;
use serde_json::Value;

#[test]
fn bench_prints_figures() {
    let directory = workspace();
    let arguments = ["bench", "--quick", "--simulator", "native", "--json"];
    let text = stdout(hematite(directory.path(), &arguments));
    let printed: Value = serde_json::from_str(&text).unwrap();
    let figures = printed["figures"].as_array().unwrap();
    for figure in figures {
        let keys: Vec<&str> = figure.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 6, "{keys:?}");
        assert!(figure["name"].is_string() && figure["value"].is_number() && figure["unit"].is_string());
        assert!(["goal", "limit"].iter().all(|key| figure[*key].is_number() || figure[*key].is_null()));
        assert!(figure["better"] == "higher" || figure["better"] == "lower");
    }
    let names: Vec<&str> = figures.iter().map(|figure| figure["name"].as_str().unwrap()).collect();
    for name in [
        "veb/small: cycles per second, native, shipped capture",
        "veb/small: 64 B, all ports to all functions",
        "veb/small: frames lost in all of these",
        "prim/skid_buffer, 64 bit: 1518 B",
        "veb/classifier/small: 64 B",
    ] {
        assert!(names.contains(&name), "{name}: {names:#?}");
    }
    let value = |name: &str| figures.iter().find(|figure| figure["name"] == name).unwrap()["value"].as_f64();
    assert_eq!(value("veb/small: 64 B, a wire to a function"), Some(8.0));
    assert_eq!(value("veb/small: frames lost in all of these"), Some(0.0));
    assert_eq!(value("prim/width_converter to half, 64 bit: 1518 B"), Some(380.0));
    assert!(listing(directory.path()).is_empty());
}

#[test]
fn every_command_explains_itself() {
    let directory = workspace();
    for command in ["run", "export", "bench", "synth"] {
        let help = stdout(hematite(directory.path(), &[command, "--help"]));
        assert!(help.contains("Example") && help.contains(&format!("hematite {command}")), "{help}");
    }
    assert!(stdout(hematite(directory.path(), &["--help"])).contains("Exit status"));
}
