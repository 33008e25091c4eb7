//! Random policies, frames and stalls.

use super::*;
use hdl::Simulator;
use sim::veb::bench::BenchError;
use testbench::{
    shrink::explain,
    traffic::{case, draw, play},
};

fn run<S: Simulator>(
    sim: impl Fn() -> S,
    config: &Config,
    seeds: std::ops::Range<u64>,
    frames: usize,
    longest: usize,
) {
    let cases = case(config, frames, longest);
    let play_all = || -> Result<Report, BenchError> {
        let after_reset = Policy::new(config.wires, config.functions());
        let mut bench = Bench::new(sim(), config, &after_reset, Losses::Counted, 1)?;
        seeds.clone().try_for_each(|seed| play(&mut bench, &draw(&cases, seed)))?;
        bench.finish()
    };
    let wrong = match play_all() {
        Ok(report) if report.mismatch_count() == 0 => return,
        Ok(report) => format!("{:#?}", report.mismatches),
        Err(error) => error.to_string(),
    };
    panic!("{}: {}\n{wrong}", config.name, explain(config, &cases, seeds.clone(), &sim));
}

#[test]
fn on_the_native_simulator() {
    for config in Config::all() {
        run(|| native(&config), &config, 0..3, 300, 400);
    }
}

#[test]
fn in_verilator() {
    for config in Config::all() {
        run(|| verilated(&config), &config, 10..16, 1000, 1600);
    }
}

/// Few ports, and as many as there can be; a buffer in which long frames find no room.
#[test]
fn at_the_ends_of_the_range() {
    let least = Config { vfs: 0, entries: 16, cells: 16, ..Config::small() };
    let most = Config { wires: 2, vfs: 62, entries: 1024, cells: 64, ..Config::small() };
    for config in [least, most] {
        run(|| native(&config), &config, 20..22, 200, 9700);
    }
}

#[test]
fn reset_in_the_middle_of_traffic() {
    let config = Config::small();
    let mut bench = bench(&config, &open(&config), Losses::Counted);
    for round in 0..8 {
        let case = draw(&case(&config, 100, 600), 100 + round);
        bench.set_policy_that_fits(&case.policy).unwrap();
        for arrival in &case.arrivals {
            bench.send(arrival.source, arrival.bytes.clone(), arrival.error);
        }
        (0..100 + 37 * round).for_each(|_| bench.cycle().unwrap());
        bench.reset().unwrap();
    }
    play(&mut bench, &draw(&case(&config, 200, 600), 99)).unwrap();
    assert_agrees(&bench.finish().unwrap());
}
