//! Rates of functions under overload.

use super::*;
use sim::veb::policy::Rate;
use sim::{
    player::{Plan, Player},
    scenario::Scenario,
    traffic::{Stamp, Traffic, WIRE_OVERHEAD},
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

/// A function sends no more than its maximum and no less, for each bit of the number up to what one function of short frames
/// can send at all; the lowest three would take long. A
/// few frames go before the first is charged.
pub fn maxima_count_by_all_their_bits(sim: impl Simulator, config: &Config) {
    let source = config.wires + 1;
    // Of a frame in bytes, with what it costs beside them.
    let (length, overhead, under_way) = (64, 24, 6);
    let mut policy = open(config);
    let mut bench = bench(sim, config, &policy, Losses::Forbidden);
    bench.write_register(rtl::register_map::register("RATE_OVERHEAD").offset, overhead).unwrap();
    for bit in 3..10 {
        let maximum = 1 << bit;
        policy.rates[source] = Rate { maximum, ..Rate::default() };
        bench.set_policy(&policy).unwrap();
        let spacing =
            f64::from(8 * (length + overhead)) * config.clock_khz as f64 / (f64::from(maximum) * 1000.0);
        // What the last one left as a debt is paid.
        (0..2 * under_way * spacing as usize).for_each(|_| bench.cycle().unwrap());
        bench.keep_left = true;
        let count = 2 * under_way + usize::from(maximum) / 16;
        let start = bench.cycles();
        for number in 0..count {
            bench.send(source, frame(source, station(0), length as usize, number), false);
        }
        let (least, most) = ((count - under_way) as f64 * spacing, count as f64 * spacing + 200.0);
        (0..most as usize).for_each(|_| bench.cycle().unwrap());
        bench.run().unwrap();
        let took = (bench.take_left().last().expect("frames").cycle - start) as f64;
        println!("{maximum} Mb/s: {took} cycles, {least:.0} to {most:.0} expected");
        assert!((least..most).contains(&took), "{maximum} Mb/s: {took} cycles, not {least:.0} to {most:.0}");
    }
    assert_agrees(&bench.finish().unwrap());
}

/// Frames of a function without a credit wait at its gate; those that were let in elsewhere do not, and `open` tells whom.
pub fn frames_that_were_let_in<S: Simulator>(sim: S, config: &Config) {
    let source = config.wires + 1;
    let mut policy = open(config);
    policy.rates[source] = Rate { maximum: 1, ..Rate::default() };
    let mut bench = bench(sim, config, &policy, Losses::Forbidden);
    let find =
        |bench: &mut Bench<S>, name| bench.simulator().interface().find(name).expect("a port of the bridge");
    let [let_in, is_open] = ["let_in", "open"].map(|name| find(&mut bench, name));
    bench.keep_left = true;
    let left = |bench: &mut Bench<S>, frames: usize, cycles: usize| {
        (0..frames).for_each(|number| bench.send(source, frame(source, station(0), 64, number), false));
        (0..cycles).for_each(|_| bench.cycle().unwrap());
        let mut word = [0];
        bench.simulator().read(is_open, &mut word);
        (bench.take_left().len(), word[0] >> source & 1 == 1)
    };
    // A megabit a second is a frame in 80,000 cycles; some go before the first is charged.
    let (before, is_open) = left(&mut bench, 20, 2000);
    assert!((1..10).contains(&before) && !is_open, "{before} have left");
    bench.simulator().write(let_in, &[1 << source]);
    assert_eq!(left(&mut bench, 20, 2000), (40 - before, false));
    bench.simulator().write(let_in, &[0]);
    assert_agrees(&bench.finish().unwrap());
}
