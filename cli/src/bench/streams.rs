//! Cycles per frame of each block that frames go through, with inputs that always have a beat and outputs that are always
//! ready.

use super::LENGTHS;
use crate::{error::Error, figures::Figures, progress};
use hdl::interface::{Direction, Interface, Port, PortIndex};
use hdl::{Clock, Native, Simulator};
use rtl::{
    catalogue::Block,
    config::Config,
    frame::Beat,
    prim::{self, Policy},
    veb,
};

/// Cycles without a frame after which a block counts as stuck; the tables of the bridge clear themselves for 4096.
const PATIENCE: u64 = 10_000;

/// What a lookup may take: a frame of 64 bytes at 128 bit.
const LOOKUP_GOAL: f64 = 4.0;

/// Plays `frames` frames of each length through each block.
///
/// # Errors
/// A block that does not elaborate, or stops.
pub fn measure(config: &Config, frames: usize, figures: &mut Figures) -> Result<(), Error> {
    let blocks = blocks(config);
    let bar = progress::bar("blocks", blocks.len() as u64);
    for (block, header) in &blocks {
        let design = (block.build)()?;
        for length in LENGTHS {
            let mut subject = Subject::new(Native::new(&design)?, length)?;
            // Latency and the order in which frames of several inputs come to an end drop out of the difference.
            let once = subject.run(&block.name, frames as u64)?;
            let twice = subject.run(&block.name, 2 * frames as u64)?;
            let cycles = (twice - once) as f64 / frames as f64;
            let goal = subject.beats_per_frame(*header).map_or(LOOKUP_GOAL, |beats| beats as f64);
            figures.lower(format!("{}: {length} B", block.name), cycles, "cycles/frame", Some(goal));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The blocks whose work is one stream or more in and one or more out, with the bytes that they put in front of a frame.
fn blocks(config: &Config) -> Vec<(Block, isize)> {
    let bytes = config.bytes;
    let bits = 8 * bytes;
    let name = |block: &str| format!("prim/{block}, {bits} bit");
    let beat = move || Beat::ty(bytes);
    let (writer, classifier) = (config.clone(), config.clone());
    let plain = [
        Block::new(name("fifo"), move || prim::fifo(beat(), 512)),
        Block::new(name("async_fifo"), move || {
            prim::async_fifo(beat(), 16, Clock::external(), Clock::external())
        }),
        Block::new(name("skid_buffer"), move || prim::skid_buffer(beat())),
        Block::new(name("register_slice"), move || prim::register_slice(beat())),
        Block::new(name("stream_arbiter of 4"), move || prim::stream_arbiter(beat(), 4, Policy::RoundRobin)),
        Block::new(name("frame_arbiter of 4"), move || {
            prim::frame_arbiter(beat(), 4, Policy::RoundRobin, |beat| beat.last)
        }),
        Block::new(name("stream_demux to 4"), move || prim::stream_demux(beat(), 4)),
        Block::new(name("width_converter to half"), move || prim::width_converter(bytes, bytes / 2)),
        Block::new(name("width_converter to double"), move || prim::width_converter(bytes, 2 * bytes)),
        Block::new(format!("veb/writer/{}", config.name), move || veb::writer::writer(&writer)),
        Block::new(format!("veb/classifier/{}", config.name), move || {
            veb::classifier::classifier(&classifier)
        }),
    ];
    let mut blocks: Vec<(Block, isize)> = plain.into_iter().map(|block| (block, 0)).collect();
    blocks.push((Block::new(name("packetiser of 12 B"), move || prim::packetiser(bytes, 12)), 12));
    blocks.push((Block::new(name("depacketiser of 12 B"), move || prim::depacketiser(bytes, 12)), -12));
    blocks
}

/// The ports of a stream.
struct Ports {
    valid: PortIndex,
    ready: PortIndex,
    /// Of a stream of beats; others carry a frame, or something that every frame needs, in each transfer.
    beat: Option<BeatPorts>,
    /// Which way a beat is to go, or where it comes from.
    route: Option<(PortIndex, u32)>,
}

#[derive(Clone, Copy)]
struct BeatPorts {
    count: PortIndex,
    last: PortIndex,
    bytes: usize,
}

impl Ports {
    /// All streams whose `valid` has this direction, but for commands to tables.
    fn find(interface: &Interface, direction: Direction) -> Vec<Ports> {
        let position = |name: &str| interface.find(name);
        let stream = |(valid, port): (usize, &Port)| {
            let name = port
                .name
                .strip_suffix("_valid")
                .filter(|name| !["row", "filter", "forget"].contains(name))?;
            let ready = position(&format!("{name}_ready"))?;
            let prefix = format!("{name}_");
            let field = |field: &str| {
                let fits = |port: &Port| port.name.starts_with(&prefix) && port.name.ends_with(field);
                interface.ports.iter().position(fits)
            };
            let beat = field("_last").zip(field("_count")).zip(field("_data"));
            let beat = beat.map(|((last, count), data)| BeatPorts {
                count,
                last,
                bytes: interface.ports[data].width as usize / 8,
            });
            let route = field("_port").map(|port| (port, interface.ports[port].width));
            Some(Ports { valid, ready, beat, route })
        };
        let ports = interface.ports.iter().enumerate().filter(|(_, port)| port.direction == direction);
        ports.filter_map(stream).collect()
    }
}

struct Input {
    ports: Ports,
    /// Bytes of the frame that have moved.
    moved: usize,
    frames: u64,
}

/// A block at work.
struct Subject {
    sim: Native,
    length: usize,
    inputs: Vec<Input>,
    outputs: Vec<Ports>,
    domains: Vec<usize>,
    /// Frames that left.
    frames_out: u64,
}

impl Subject {
    fn new(mut sim: Native, length: usize) -> Result<Subject, Error> {
        let interface = sim.interface().clone();
        let inputs = Ports::find(&interface, Direction::Input);
        let outputs = Ports::find(&interface, Direction::Output);
        let domains: Vec<usize> = (0..interface.domains.len()).collect();
        domains.iter().for_each(|&domain| sim.write_reset(domain, true));
        // Enough for synchronizers of resets too.
        for _ in 0..8 {
            sim.step_domains(&domains)?;
        }
        domains.iter().for_each(|&domain| sim.write_reset(domain, false));
        inputs.iter().for_each(|ports| sim.write(ports.valid, &[1]));
        outputs.iter().for_each(|ports| sim.write(ports.ready, &[1]));
        // What a block waits for after reset.
        if let Some(clear) = interface.find("others_clear") {
            sim.write(clear, &[1]);
        }
        Ok(Subject {
            sim,
            length,
            inputs: inputs.into_iter().map(|ports| Input { ports, moved: 0, frames: 0 }).collect(),
            outputs,
            domains,
            frames_out: 0,
        })
    }

    /// Runs until this many frames have left in all; the cycle in which the last one did.
    fn run(&mut self, name: &str, frames: u64) -> Result<u64, Error> {
        let mut last = self.sim.cycles();
        while self.frames_out < frames {
            let now = self.sim.cycles();
            if now - last > PATIENCE {
                return Err(Error::Stuck { block: name.to_owned(), cycles: PATIENCE });
            }
            if self.cycle()? > 0 {
                last = now;
            }
        }
        Ok(last)
    }

    /// One cycle; frames that left in it.
    fn cycle(&mut self) -> Result<u64, Error> {
        for input in &self.inputs {
            if let Some(beat) = input.ports.beat {
                let rest = self.length - input.moved;
                self.sim.write(beat.count, &[rest.min(beat.bytes) as u64]);
                self.sim.write(beat.last, &[u64::from(rest <= beat.bytes)]);
            }
            if let Some((port, width)) = input.ports.route {
                self.sim.write(port, &[input.frames % (1 << width).min(4)]);
            }
        }
        for input in &mut self.inputs {
            if bit(&mut self.sim, input.ports.ready) {
                input.moved += input.ports.beat.map_or(self.length, |beat| beat.bytes);
                if input.moved >= self.length {
                    input.moved = 0;
                    input.frames += 1;
                }
            }
        }
        let mut left = 0;
        for output in &self.outputs {
            if !bit(&mut self.sim, output.valid) {
                continue;
            }
            left += u64::from(output.beat.is_none_or(|beat| bit(&mut self.sim, beat.last)));
        }
        self.frames_out += left;
        self.sim.step_domains(&self.domains)?;
        Ok(left)
    }

    /// Beats of a frame where the block has most of them; none for a block that no beats go through.
    fn beats_per_frame(&self, header: isize) -> Option<usize> {
        let bytes = |ports: &Ports| ports.beat.map(|beat| beat.bytes);
        let inputs = self.inputs.iter().filter_map(|input| bytes(&input.ports));
        let inputs = inputs.map(|bytes| self.length.div_ceil(bytes));
        let outputs = self.outputs.iter().filter_map(bytes);
        let outputs = outputs.map(|bytes| self.length.strict_add_signed(header).div_ceil(bytes));
        inputs.chain(outputs).max()
    }
}

fn bit(sim: &mut Native, port: PortIndex) -> bool {
    word(sim, port) == 1
}

fn word(sim: &mut Native, port: PortIndex) -> u64 {
    let mut limb = [0];
    sim.read(port, &mut limb);
    limb[0]
}
