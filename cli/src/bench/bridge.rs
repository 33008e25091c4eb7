//! Cycles per frame of the bridge's shared data path, and that it loses nothing while its outputs are free.

use super::LENGTHS;
use crate::{error::Error, figures::Figures, progress};
use hdl::{Design, Native, elaborate};
use rtl::config::Config;
use sim::{
    ethernet::{FrameBuilder, MacAddress},
    veb::{Losses, PortSet, Tables, bench::Bench},
};

/// Where frames come from and go to.
struct Pattern {
    name: &'static str,
    sources: Vec<usize>,
    to: To,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Next,
    Port(usize),
    All,
}

/// Plays `frames` frames of each length in several patterns, as fast as the bridge takes them.
///
/// # Errors
/// A bridge that stops.
pub fn measure(config: &Config, frames: usize, figures: &mut Figures) -> Result<(), Error> {
    let ports = config.ports();
    let patterns = [
        Pattern { name: "one port to one", sources: vec![0], to: To::Next },
        Pattern { name: "all ports to all", sources: (0..ports).collect(), to: To::Next },
        Pattern { name: "all ports to one", sources: (1..ports).collect(), to: To::Port(0) },
        Pattern { name: "one port to all, each copy", sources: vec![0], to: To::All },
    ];
    let design = elaborate(|| rtl::veb::veb(config))?.design;
    let bar = progress::bar(format!("veb/{}", config.name), (patterns.len() * LENGTHS.len()) as u64);
    let mut lost = 0;
    for length in LENGTHS {
        for pattern in &patterns {
            let beats = length.div_ceil(config.bytes);
            let count = frames.next_multiple_of(pattern.sources.len());
            // Latency and the order in which frames come to an end drop out of the difference.
            let once = pattern.play(&design, config, length, count)?;
            let twice = pattern.play(&design, config, length, 2 * count)?;
            lost += once.lost + twice.lost;
            let cycles = (twice.cycles - once.cycles) as f64 / (count * pattern.copies(config)) as f64;
            let name = format!("veb/{}: {length} B, {}", config.name, pattern.name);
            figures.lower(name, cycles, "cycles/frame", Some(beats as f64));
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
    /// From the first beat in to the last one out.
    cycles: u64,
    /// Copies that did not leave.
    lost: usize,
}

impl Pattern {
    /// Copies of a frame that are to leave.
    fn copies(&self, config: &Config) -> usize {
        if self.to == To::All { config.ports() - 1 } else { 1 }
    }

    fn play(&self, design: &Design, config: &Config, length: usize, frames: usize) -> Result<Played, Error> {
        let ports = config.ports();
        let mut bench = Bench::new(Native::new(design)?, config, &tables(ports), Losses::Counted, 1)?;
        bench.keep_left = true;
        let (start, copies) = (bench.cycles(), self.copies(config));
        for number in 0..frames {
            let source = self.sources[number % self.sources.len()];
            // The outputs share one reading side: more copies than it reads would fill the buffer, and rightly.
            let slot = if copies > 1 { number * length.div_ceil(config.bytes) * copies } else { 0 };
            bench.send_at(start + slot as u64, source, self.frame(source, ports, length), false);
        }
        bench.run()?;
        let left = bench.take_left();
        let end = left.iter().map(|frame| frame.cycle).max().unwrap_or(start);
        Ok(Played { cycles: end - start, lost: (frames * copies).saturating_sub(left.len()) })
    }

    fn frame(&self, source: usize, ports: usize, length: usize) -> Vec<u8> {
        match self.to {
            To::Next => frame(source, (source + 1) % ports, length),
            To::Port(port) => frame(source, port, length),
            To::All => {
                FrameBuilder::new(MacAddress::new([0xFF; 6]), station(source)).build_with_length(length)
            }
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

/// One VLAN with all ports, and a station at each.
pub fn tables(ports: usize) -> Tables {
    let mut tables = Tables::new(ports);
    tables.set_members(1, PortSet::first(ports));
    (0..ports).for_each(|port| tables.insert_entry(1, station(port), PortSet::single(port)));
    tables
}
