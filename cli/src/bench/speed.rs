//! Simulated cycles and frames per second of the whole bridge, with test bench, model and scoreboard.

use super::bridge;
use crate::{
    error::Error,
    figures::Figures,
    progress,
    run::{Part, job::Job},
    simulator::{Choice, verilated},
};
use hdl::{Design, Native, Simulator, elaborate};
use rtl::config::Config;
use sim::veb::{Losses, Policy, bench::Bench};
use std::time::{Duration, Instant};

/// What the configuration `small` is to reach, in cycles per second.
const VERILATOR_GOAL: f64 = 300_000.0;
const NATIVE_GOAL: f64 = 20_000.0;

/// Frames that wait at least, so that no port runs dry between two looks.
const SUPPLY: usize = 400;
/// Cycles between two looks at the clock.
const SLICE: u64 = 1000;

/// Times both simulators, or the chosen one. `faster` is the one to prefer.
///
/// # Errors
/// A design that a simulator cannot be built for.
pub fn measure(
    config: &Config,
    faster: Choice,
    choice: Choice,
    time: Duration,
    figures: &mut Figures,
) -> Result<(), Error> {
    let design = elaborate(|| rtl::veb::veb(config))?.design;
    if faster == Choice::Verilator {
        simulator("Verilator", VERILATOR_GOAL, &|| verilated(&design, false), config, time, figures)?;
    }
    if choice != Choice::Verilator {
        simulator("native", NATIVE_GOAL, &|| native(&design), config, time, figures)?;
    }
    Ok(())
}

fn native(design: &Design) -> Result<Native, Error> {
    Ok(Native::new(design)?)
}

fn simulator<S: Simulator>(
    name: &str,
    goal: f64,
    build: &dyn Fn() -> Result<S, Error>,
    config: &Config,
    time: Duration,
    figures: &mut Figures,
) -> Result<(), Error> {
    let job = Job::shipped(Some(config), Part::Bridge)?;
    let capture: Vec<(usize, Vec<u8>)> =
        job.plan.traffic.clone().map(|frame| (frame.port, frame.bytes)).collect();
    let ports = config.ports();
    let shortest: Vec<(usize, Vec<u8>)> =
        (0..ports).map(|port| (port, bridge::frame(port, bridge::next_function(port, config), 64))).collect();
    let goal = (config.name == "small").then_some(goal);

    let workloads =
        [("shipped capture", capture, None), ("64 B at all ports", shortest, Some(bridge::policy(config)))];
    for (workload, frames, policy) in workloads {
        let sim = build()?;
        let spinner = progress::spinner(format!("{name}: {workload}"));
        let after_reset = Policy::new(config.wires, config.functions());
        let mut bench = Bench::new(sim, config, &after_reset, Losses::Counted, 1)?;
        match policy {
            Some(policy) => bench.set_policy(&policy)?,
            None => job.set_policy(|policy| bench.set_policy_that_fits(policy))?,
        }
        let (cycles, entered) = saturate(&mut bench, &frames, time)?;
        spinner.finish_and_clear();
        let name = |what: &str| format!("veb/{}: {what}, {name}, {workload}", config.name);
        figures.higher(name("cycles per second"), cycles, "cycles/s", goal);
        figures.higher(name("frames per second"), entered, "frames/s", None);
    }
    Ok(())
}

/// Plays the frames again and again for this time; cycles and frames per second.
fn saturate<S: Simulator>(
    bench: &mut Bench<S>,
    frames: &[(usize, Vec<u8>)],
    time: Duration,
) -> Result<(f64, f64), Error> {
    let mut supply = frames.iter().cycle();
    let (start, first) = (Instant::now(), bench.cycles());
    let mut queued = 0;
    let seconds = loop {
        while bench.waiting() < SUPPLY {
            let (port, bytes) = supply.next().expect("a workload has frames");
            bench.send(*port, bytes.clone(), false);
            queued += 1;
        }
        bench.run_for(SLICE)?;
        if start.elapsed() >= time {
            break start.elapsed().as_secs_f64();
        }
    };
    let entered = queued - bench.waiting();
    Ok(((bench.cycles() - first) as f64 / seconds, entered as f64 / seconds))
}
