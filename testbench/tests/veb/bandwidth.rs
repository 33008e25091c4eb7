//! Rates of functions under overload, over 2 ms on the line.

use super::*;
use sim::{
    scenario::Scenario,
    traffic::{Stamp, Traffic, WIRE_OVERHEAD},
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
    // The first queue fills before the shares are felt.
    let cycles_per_us = 250;
    let (from, to) = (400 * cycles_per_us, 2400 * cycles_per_us);
    let mut bits = vec![0; plan.flows.len()];
    loop {
        let (done, left) = player.play(100_000).unwrap();
        for frame in left.iter().filter(|frame| (from..to).contains(&frame.cycle)) {
            let stamp = Stamp::of_frame(&frame.bytes).expect("a frame of a flow");
            bits[stamp.flow as usize] += 8 * (frame.bytes.len() as u64 + WIRE_OVERHEAD);
        }
        if done {
            break;
        }
    }
    assert_agrees(&player.finish().unwrap().0);
    assert_eq!(bits.len(), 16);
    for (function, bits) in bits.into_iter().enumerate() {
        let rate = bits as f64 / 2000.0;
        let ratio = rate / expected(function);
        println!("vf{function}: {rate:.0} Mb/s on the line, {ratio:.3} of what it is to have");
        assert!((ratio - 1.0).abs() < 0.02, "vf{function}: {ratio}");
    }
}
