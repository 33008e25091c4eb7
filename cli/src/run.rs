//! `hematite run`: traffic through the simulated adapter, or its bridge alone, checked against the model.

pub mod job;
mod summary;

use crate::{
    error::Error,
    output::{self, OutputDirectory},
    progress,
    simulator::{Built, Choice},
};
use hdl::{Simulator, elaborate};
use job::Job;
use rtl::config::Config;
use sim::{
    clock::Clock,
    nic,
    pcap::Writer,
    player::{Player, Stage},
    report::Results,
    veb,
};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use summary::Summary;

/// Play traffic on the simulated adapter and check what leaves it against the reference model
///
/// Frames go in at wires and through the drivers of functions, below a simulated host. The directory gets one capture for each
/// port with what came out there, at simulated times, and the summary. Without a capture and without a scenario what is
/// shipped with hematite is played: a capture of three Linux hosts comes by the wire while guests send to each other.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hematite run\n  hematite run --pcap my.pcap --config x3100 --out result/\n  \
    hematite run --scenario testbench/data/shares.toml --trace\n  \
    hematite run --part bridge --scenario testbench/data/lan.toml\n\n\
    Exit status: 0, or 1 if anything differs from the model, or 2 for an error."
)]
pub struct Arguments {
    /// The configuration: small, x3100 or wide [default: the one of the scenario, else small]
    #[arg(long, value_name = "NAME", value_parser = crate::arguments::config)]
    pub config: Option<Config>,
    /// A capture to play into wire0; the tables are made so that its frames reach the functions in turn
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub pcap: Option<PathBuf>,
    /// A scenario (TOML): captures, the ports they enter, and the tables of the bridge
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// What is simulated
    #[arg(long, value_enum, default_value_t = Part::Adapter)]
    pub part: Part,
    /// What simulates the hardware
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    pub simulator: Choice,
    /// Where to write; made where it is missing, and an earlier result in it is replaced
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Write a waveform too: trace.fst (Verilator) or trace.vcd (native)
    #[arg(long)]
    pub trace: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The whole adapter below a host with drivers, and between its wires
    Adapter,
    /// The bridge alone: frames go straight into its ports. Many times faster
    Bridge,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let job = Job::load(arguments)?;
    let out = OutputDirectory::create(&arguments.out)?;
    let design = match arguments.part {
        Part::Adapter => elaborate(|| rtl::nic::nic(&job.config))?.design,
        Part::Bridge => elaborate(|| rtl::veb::veb(&job.config))?.design,
    };
    let run = Run { job: &job, trace: arguments.trace, out: &out };
    let summary = match arguments.simulator.build(&design, arguments.trace)? {
        Built::Verilator(sim) => run.simulate(*sim, "trace.fst"),
        Built::Native(sim) => run.simulate(*sim, "trace.vcd"),
    }?;
    let table = summary.table(&job.config);
    out.write("summary.json", &output::json(&summary.figures))?;
    out.write("summary.txt", &table)?;
    out.publish()?;
    match arguments.json {
        true => output::print_json(&summary.figures),
        false => output::print(&table),
    }
    Ok(if summary.figures.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Cycles between two looks at what has left.
const SLICE: u64 = 2048;

/// A run in the making.
struct Run<'a> {
    job: &'a Job,
    trace: bool,
    out: &'a OutputDirectory,
}

/// What a stage came to, and how long that took.
struct Played<O> {
    outcome: O,
    results: Results,
    cycles: u64,
    seconds: f64,
}

impl Run<'_> {
    fn simulate<S: Simulator>(&self, mut sim: S, waveform: &str) -> Result<Summary, Error> {
        if self.trace {
            let path = self.out.path(waveform);
            sim.trace(&path).map_err(|source| Error::Write { path, source })?;
        }
        let (job, config) = (self.job, &self.job.config);
        let start = Instant::now();
        match &job.adapter {
            Some(adapter) => {
                let spinner = progress::spinner("the host finds the adapter, drivers start");
                let mut bench = nic::bench::Bench::new(sim, config, adapter)?;
                job.set_policy(|policy| bench.set_policy_that_fits(policy))?;
                spinner.finish_and_clear();
                Ok(Summary::of_adapter(self.play(bench, start)?))
            }
            None => {
                let after_reset = veb::Policy::new(config.wires, config.functions());
                let mut bench = veb::bench::Bench::new(sim, config, &after_reset, job.plan.losses(), 1)?;
                job.set_policy(|policy| bench.set_policy_that_fits(policy))?;
                Ok(Summary::of_bridge(self.play(bench, start)?))
            }
        }
    }

    /// Plays on a bench that is set up.
    fn play<B: Stage>(&self, bench: B, start: Instant) -> Result<Played<B::Outcome>, Error>
    where
        Error: From<B::Error>,
    {
        let (job, config) = (self.job, &self.job.config);
        let names = config.port_names();
        let create = |name: &String| Writer::create(self.out.path(&format!("{name}.pcap")));
        let mut captures = names.iter().map(create).collect::<Result<Vec<_>, _>>()?;
        let set_up = bench.cycles();
        let mut player = Player::new(bench, config, &job.plan);
        let bar = match job.plan.stop {
            Some(stop) => progress::bar("cycles", stop),
            None => progress::spinner("frames".to_owned()),
        };
        loop {
            let (done, left) = player.play(SLICE)?;
            for frame in left {
                captures[frame.port].write(time(config, frame.cycle), &frame.bytes)?;
            }
            bar.set_position(if job.plan.stop.is_some() { player.now() } else { player.sent() });
            if done {
                break;
            }
        }
        bar.finish_and_clear();
        let cycles = set_up + player.now();
        let (outcome, results) = player.finish()?;
        let seconds = start.elapsed().as_secs_f64();
        captures.into_iter().try_for_each(Writer::finish)?;
        results.files().into_iter().try_for_each(|(name, text)| self.out.write(name, &text))?;
        Ok(Played { outcome, results, cycles, seconds })
    }
}

/// The simulated time of a cycle.
fn time(config: &Config, cycle: u64) -> Duration {
    let picoseconds = u128::from(cycle) * u128::from(Clock::of(config).period());
    Duration::from_nanos((picoseconds / 1000) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_time() {
        assert_eq!(time(&Config::small(), 5), Duration::from_nanos(32));
        assert_eq!(time(&Config::small(), 156_250_000 * 7 + 10), Duration::new(7, 64));
        assert_eq!(time(&Config::wide(), 250_000_001), Duration::new(1, 4));
    }
}
