//! Rates of functions under overload, over 2 ms.

use super::*;
use sim::{
    scenario::Scenario,
    traffic::Traffic,
    veb::player::{Plan, Player},
};

/// What each function of `testbench/data/shares.toml` is to have of the wire, in Mb/s: those with a maximum theirs, the
/// others the rest as 1 : 2 : 3.
fn expected(function: usize) -> f64 {
    match function {
        0..=3 => 7000.0 / 24.0,
        4..=7 => 7000.0 / 12.0,
        8..=11 => 7000.0 / 8.0,
        12 | 13 => 1000.0,
        _ => 500.0,
    }
}

#[test]
fn shares_and_maxima_of_sixteen_functions() {
    let config = Config::x3100();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/shares.toml");
    let scenario = Scenario::load(path).unwrap();
    let flows = scenario.flows(&config).unwrap();
    let plan = Plan {
        policy: scenario.policy(&config).unwrap(),
        traffic: Traffic::new(&flows, &config).unwrap(),
        flows,
        sinks: scenario.sinks(&config).unwrap(),
        events: scenario.events(&config).unwrap(),
        stop: scenario.stop(&config),
    };
    let bench = Bench::new(verilated(&config), &config, &plan.policy, Losses::Forbidden, 1).unwrap();
    let mut player = Player::new(bench, &config, &plan);
    while !player.play(100_000).unwrap().0 {}
    let (report, results) = player.finish().unwrap();
    assert_agrees(&report);
    assert_eq!(results.flows.len(), 16);
    for (function, flow) in results.flows.iter().enumerate() {
        let ratio = flow.line_mbps / expected(function);
        println!("{}: {:.0} Mb/s, {ratio:.3} of what it is to have", flow.name, flow.line_mbps);
        assert!((ratio - 1.0).abs() < 0.02, "{}: {ratio}", flow.name);
    }
}
