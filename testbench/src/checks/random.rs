//! Random policies, frames and stalls.

use super::*;
use crate::traffic::{Case, case, draw, play};
use proptest::strategy::Strategy;
use sim::random::Random;
use std::ops::Range;

/// Plays a case for each seed, one after the other on the same bridge.
///
/// # Errors
/// What is wrong.
pub fn cases(
    sim: impl Simulator,
    config: &Config,
    cases: &impl Strategy<Value = Case>,
    seeds: Range<u64>,
) -> Result<(), String> {
    let after_reset = Policy::new(config.wires, config.functions());
    let mut bench = bench(sim, config, &after_reset, Losses::Counted);
    for seed in seeds {
        play(&mut bench, &draw(cases, seed)).map_err(|error| format!("{} {seed}: {error}", config.name))?;
    }
    let report = bench.finish().map_err(|error| error.to_string())?;
    if report.mismatch_count() == 0 {
        Ok(())
    } else {
        Err(format!("{}: {:#?}", config.name, report.mismatches))
    }
}

/// Most frames are as short as they can be, and nobody pauses: there are more of them than the bridge decides in the time,
/// and chains of others are freed and linked meanwhile.
pub fn storms(sim: impl Simulator, config: &Config, seeds: Range<u64>) {
    let after_reset = Policy::new(config.wires, config.functions());
    let mut bench = bench(sim, config, &after_reset, Losses::Counted);
    for seed in seeds {
        let mut case = draw(&case(config, 3000, 300), seed);
        case.behaviour.iter_mut().for_each(|behaviour| behaviour.pause = 0);
        // Entries of nobody, which come first and fill the table: others are found in all of its ways.
        let mut random = Random::new(seed);
        for _ in 0..config.entries / 2 {
            let address = MacAddress::from_u64(0x0200_0000_0000 | random.word() & 0xff_ffff_ffff);
            case.policy.insert_entry(0, address, PortSet::EMPTY);
        }
        for arrival in case.arrivals.iter_mut().filter(|arrival| arrival.source % 3 != 0) {
            arrival.bytes.truncate(14 + arrival.bytes.len() % 12);
        }
        play(&mut bench, &case).unwrap_or_else(|error| panic!("{} {seed}: {error}", config.name));
    }
    assert_agrees(&bench.finish().unwrap());
}

/// Reset in the middle of traffic leaves nothing behind.
pub fn reset_in_the_middle_of_traffic(sim: impl Simulator, config: &Config) {
    let mut bench = bench(sim, config, &open(config), Losses::Counted);
    for round in 0..8 {
        let case = draw(&case(config, 100, 600), 100 + round);
        bench.set_policy_that_fits(&case.policy).unwrap();
        for arrival in &case.arrivals {
            bench.send(arrival.source, arrival.bytes.clone(), arrival.error);
        }
        (0..100 + 37 * round).for_each(|_| bench.cycle().unwrap());
        bench.reset().unwrap();
    }
    play(&mut bench, &draw(&case(config, 200, 600), 99)).unwrap();
    assert_agrees(&bench.finish().unwrap());
}
