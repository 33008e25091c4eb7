//! Cycles per frame of the bridge's shared data path, and that it loses nothing while its outputs are free.

use super::LENGTHS;
use crate::{
    error::Error,
    figures::Figures,
    progress,
    simulator::{Built, Choice},
};
use hdl::{Simulator, elaborate};
use rtl::config::Config;
use sim::{
    ethernet::{FrameBuilder, MacAddress},
    veb::{
        Losses, Policy, PortSet,
        bench::{Bench, Frame, Left},
    },
};

/// Where frames come from and go to.
struct Pattern {
    name: &'static str,
    sources: Vec<usize>,
    to: To,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    /// The next function.
    Next,
    Port(usize),
    All,
}

/// Plays `frames` frames of each length in several patterns, as fast as the bridge takes them.
///
/// # Errors
/// A simulator that cannot be used, or a bridge that stops.
pub fn measure(config: &Config, choice: Choice, frames: usize, figures: &mut Figures) -> Result<(), Error> {
    let ports = config.ports();
    let patterns = [
        Pattern { name: "a wire to a function", sources: vec![0], to: To::Next },
        Pattern { name: "all ports to all functions", sources: (0..ports).collect(), to: To::Next },
        Pattern {
            name: "all functions to a wire",
            sources: (config.wires..ports).collect(),
            to: To::Port(0),
        },
        Pattern { name: "a wire to all functions, each copy", sources: vec![0], to: To::All },
    ];
    let design = elaborate(|| rtl::veb::veb(config))?.design;
    let bar = progress::bar(format!("veb/{}", config.name), (patterns.len() * LENGTHS.len()) as u64);
    let mut lost = 0;
    for length in LENGTHS {
        for pattern in &patterns {
            let played = match choice.build(&design, false)? {
                Built::Verilator(sim) => pattern.play(*sim, config, length, frames),
                Built::Native(sim) => pattern.play(*sim, config, length, frames),
            }?;
            lost += played.lost;
            let name = format!("veb/{}: {length} B, {}", config.name, pattern.name);
            let goal = length.div_ceil(config.bytes) as f64;
            figures.lower(name, played.cycles, "cycles/frame", Some(goal));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    figures.lower(
        format!("veb/{}: frames lost in all of these", config.name),
        lost as f64,
        "frames",
        Some(0.0),
    );
    Ok(())
}

/// What frames of one length came to.
struct Played {
    /// For a copy of a frame that left.
    cycles: f64,
    /// Copies that did not leave.
    lost: usize,
}

impl Pattern {
    /// Copies of a frame that are to leave.
    fn copies(&self, config: &Config) -> usize {
        if self.to == To::All { config.functions() } else { 1 }
    }

    fn play<S: Simulator>(
        &self,
        sim: S,
        config: &Config,
        length: usize,
        frames: usize,
    ) -> Result<Played, Error> {
        let mut bench = Bench::new(sim, config, &policy(config), Losses::Counted, 1)?;
        bench.keep_left = true;
        // A buffer whose cells were all in use before is what the bridge lives with.
        let other = next_function(0, config);
        (0..config.cells).for_each(|_| bench.send(0, frame(0, other, LENGTHS[0]), false));
        collect(&mut bench, config.cells)?;
        let frames = frames.next_multiple_of(self.sources.len());
        // The shaper finds the size of its rounds while functions send.
        self.round(&mut bench, config, length, frames)?;
        // Latency and the order in which frames come to an end drop out of the difference.
        let (once, lost_once) = self.round(&mut bench, config, length, frames)?;
        let (twice, lost_twice) = self.round(&mut bench, config, length, 2 * frames)?;
        let cycles = (twice as f64 - once as f64) / (frames * self.copies(config)) as f64;
        Ok(Played { cycles, lost: lost_once + lost_twice })
    }

    /// Cycles from the first beat in to the last one out, and copies that did not leave.
    fn round<S: Simulator>(
        &self,
        bench: &mut Bench<S>,
        config: &Config,
        length: usize,
        frames: usize,
    ) -> Result<(u64, usize), Error> {
        let start = bench.cycles();
        let copies = self.copies(config);
        for number in 0..frames {
            let source = self.sources[number % self.sources.len()];
            // The outputs share one reading side: more copies than it reads would fill the buffer, and rightly.
            let slot = if copies > 1 { number * length.div_ceil(config.bytes) * copies } else { 0 };
            let bytes = self.frame(source, config, length);
            bench.send_frame(source, Frame { bytes, not_before: start + slot as u64, ..Frame::default() });
        }
        let left = collect(bench, frames * copies)?;
        let end = left.iter().map(|frame| frame.cycle).max().unwrap_or(start);
        Ok((end - start, (frames * copies).saturating_sub(left.len())))
    }

    fn frame(&self, source: usize, config: &Config, length: usize) -> Vec<u8> {
        match self.to {
            To::Next => frame(source, next_function(source, config), length),
            To::Port(port) => frame(source, port, length),
            To::All => {
                FrameBuilder::new(MacAddress::new([0xFF; 6]), station(source)).build_with_length(length)
            }
        }
    }
}

/// Runs until this many copies have left, or nothing leaves any more.
fn collect<S: Simulator>(bench: &mut Bench<S>, copies: usize) -> Result<Vec<Left>, Error> {
    let mut left = vec![];
    loop {
        let done = bench.run_for(16)?;
        left.extend(bench.take_left());
        if done || left.len() >= copies {
            return Ok(left);
        }
    }
}

/// A frame from the station at one port to the one at another.
pub fn frame(source: usize, destination: usize, length: usize) -> Vec<u8> {
    FrameBuilder::new(station(destination), station(source)).build_with_length(length)
}

fn station(port: usize) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0, 0, 0, port as u8])
}

/// The function after a function; each wire has one of its own.
pub fn next_function(port: usize, config: &Config) -> usize {
    let function = if port < config.wires { port } else { port - config.wires + 1 };
    config.wires + function % config.functions()
}

/// One VLAN with all ports, and a station at each.
pub fn policy(config: &Config) -> Policy {
    let mut policy = Policy::open(config.wires, config.functions());
    (0..config.ports()).for_each(|port| policy.insert_entry(1, station(port), PortSet::single(port)));
    policy
}
