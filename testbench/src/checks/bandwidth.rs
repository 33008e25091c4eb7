//! Rates of functions under overload.

use super::*;
use sim::{
    scenario::Scenario,
    traffic::{Stamp, Traffic, WIRE_OVERHEAD},
    veb::player::{Plan, Player},
};

/// What a flow is to have of the line.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// In Mb/s.
    pub rate: f64,
    /// How far off it may be, as a part of it.
    pub within: f64,
}

/// Plays a scenario, and measures from 0.4 ms on, for the first queue fills before the shares are felt; each flow has its
/// share.
pub fn shares(sim: impl Simulator, config: &Config, scenario: &Scenario, expected: &[Share]) {
    let flows = scenario.flows(config).unwrap();
    let plan = Plan {
        policy: scenario.policy(config).unwrap(),
        traffic: Traffic::new(&flows, config).unwrap(),
        flows,
        sinks: scenario.sinks(config).unwrap(),
        events: scenario.events(config).unwrap(),
        stop: scenario.stop(config),
    };
    let bench = bench(sim, config, &plan.policy, Losses::Forbidden);
    let mut player = Player::new(bench, config, &plan);
    let cycles_per_ms = config.clock_khz as u64;
    let (from, to) = (cycles_per_ms * 2 / 5, plan.stop.expect("an end in the scenario"));
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
    assert_eq!(bits.len(), expected.len());
    let us = (to - from) as f64 * 1000.0 / cycles_per_ms as f64;
    let mut wrong = vec![];
    for ((flow, bits), share) in plan.flows.iter().zip(bits).zip(expected) {
        let rate = bits as f64 / us;
        let ratio = rate / share.rate;
        println!("{}: {rate:.0} Mb/s on the line, {ratio:.3} of what it is to have", flow.name);
        if (ratio - 1.0).abs() >= share.within {
            wrong.push(&flow.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// [`shares`] of `testbench/data/few_shares.toml`: a small bridge's answer to the same questions, within a second.
pub fn few_shares(sim: impl Simulator, config: &Config) {
    let text = include_str!("../../data/few_shares.toml");
    let scenario = Scenario::parse("few_shares.toml", text).unwrap();
    let share = |rate: f64| Share { rate, within: 0.03 };
    let expected = [3.0, 1.0, 2.0].map(|weight| share(weight * 8500.0 / 6.0));
    shares(sim, config, &scenario, &[&expected[..], &[share(1000.0), share(500.0)]].concat());
}
