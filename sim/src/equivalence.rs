//! One design in two simulators side by side: the same random stimuli, every output compared in every cycle.
//!
//! Streams are found by the names of their ports (`in_valid`, `in_ready`, `in_payload..`) and driven by their contract: a
//! producer keeps a beat until it has moved. How eager producers and consumers are changes from phase to phase. Clock
//! domains rise at random, together and apart, and resets come in the middle of everything.

mod merge;
mod power_up;
mod stimuli;

pub use merge::merge;
pub use power_up::power_up;

use crate::verilator::{Source, Verilated, VerilatorError, VerilatorOptions};
use hdl::{Design, Direction, Interface, Native, NativeError, Simulator, interface::PortIndex};
use std::{collections::VecDeque, fmt};
use stimuli::Stimuli;

/// How a design is compared.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Random ones. A reset begins them; half of them pass before the next one.
    pub cycles: u64,
    /// Cycles between that reset and them in which all inputs are 0, for blocks that clear memories first.
    pub rest: u64,
    pub seed: u64,
    /// Fills what hardware leaves undefined with random values in the native simulator and with 0 in Verilator, so that
    /// an output that depends on it differs. The payload of a stream counts only while it is valid.
    pub undefined: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { cycles: 10_000, rest: 0, seed: 1, undefined: false }
    }
}

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub cycles: u64,
    /// Values of outputs.
    pub comparisons: u64,
    /// Beats that moved on streams, in and out.
    pub beats: u64,
    /// Cycles with a reset.
    pub resets: u64,
    /// How often each output changed while there was no reset.
    pub changes: Vec<(String, u64)>,
}

#[derive(Debug, thiserror::Error)]
pub enum EquivalenceError {
    #[error(transparent)]
    Difference(Box<Difference>),
    #[error(transparent)]
    Verilator(#[from] VerilatorError),
    #[error(transparent)]
    Native(#[from] NativeError),
}

/// The first output that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Difference {
    pub cycle: u64,
    pub port: String,
    /// What each simulator says, in little-endian words.
    pub values: [Vec<u64>; 2],
    /// The last cycles, with all ports of the block.
    pub history: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { cycle, port, values: [first, second], history } = self;
        let (first, second) = (hex(first), hex(second));
        write!(
            f,
            "cycle {cycle}: `{port}` is {first} in the first simulator, {second} in the second\n{history}"
        )
    }
}

/// How many cycles a [`Difference`] shows.
const HISTORY: usize = 6;

/// Runs `design` in the native simulator, which is the first, and in Verilator.
///
/// # Errors
/// Where they differ, and if a model cannot be built.
pub fn run(design: &Design, options: &Options) -> Result<Stats, EquivalenceError> {
    let mut native = Native::new(design)?;
    if options.undefined {
        native.poison(options.seed);
    }
    let mut verilated = verilate(design)?;
    let blocks: Vec<String> = design
        .top()
        .instances
        .iter()
        .filter_map(|it| Some(it.name.strip_prefix("u_")?.to_owned() + "_"))
        .collect();
    side_by_side(&mut native, &mut verilated, options, &blocks).map_err(EquivalenceError::Difference)
}

/// A model of `design` in Verilator that powers up as the native simulator does.
///
/// # Errors
/// If it cannot be built.
pub fn verilate(design: &Design) -> Result<Verilated, VerilatorError> {
    let verilog = power_up(&design.verilog().text_with_models(), design, "");
    let source = Source { verilog: &verilog, interface: &Interface::of(design) };
    Verilated::build(&source, &VerilatorOptions::default())
}

/// Runs two simulators of one interface. What their checks have against the stimuli does not count.
///
/// # Errors
/// Where they differ.
///
/// # Panics
/// If the simulators have different interfaces.
pub fn compare(
    first: &mut dyn Simulator,
    second: &mut dyn Simulator,
    options: &Options,
) -> Result<Stats, Box<Difference>> {
    side_by_side(first, second, options, &[])
}

/// As [`compare`]; `blocks` has the prefixes of the ports of each merged design.
fn side_by_side(
    first: &mut dyn Simulator,
    second: &mut dyn Simulator,
    options: &Options,
    blocks: &[String],
) -> Result<Stats, Box<Difference>> {
    let interface = first.interface().clone();
    assert_eq!(&interface, second.interface(), "simulators of one design");
    let mut stimuli = Stimuli::new(&interface, options);
    let is_output = |&port: &PortIndex| interface.ports[port].direction == Direction::Output;
    let outputs: Vec<PortIndex> = (0..interface.ports.len()).filter(is_output).collect();
    let changes = outputs.iter().map(|&port| (interface.ports[port].name.clone(), 0)).collect();
    let mut stats = Stats { changes, ..Stats::default() };
    let mut history: VecDeque<Row> = VecDeque::new();
    let guard = |port| valid_of(&interface, port).filter(|_| options.undefined);
    let guards: Vec<Option<PortIndex>> = (0..interface.ports.len()).map(guard).collect();
    for cycle in 0..options.rest + options.cycles {
        for (port, value) in stimuli.inputs() {
            first.write(port, value);
            second.write(port, value);
        }
        let values = interface.ports.iter().enumerate().map(|(index, port)| {
            let mut both = [(); 2].map(|()| vec![0; port.width.div_ceil(64) as usize]);
            first.read(index, &mut both[0]);
            second.read(index, &mut both[1]);
            both
        });
        let values: Vec<Values> = values.collect();
        let is_one = |port: usize| values[port][0][0] == 1;
        let step = stimuli.advance(is_one);
        let mut wrong = None;
        if let Some(last) = history.back().filter(|last| !last.resets.contains(&true)) {
            for (&port, (_, changes)) in outputs.iter().zip(&mut stats.changes) {
                *changes += (last.values[port][0] != values[port][0]) as u64;
            }
        }
        for (index, port) in interface.ports.iter().enumerate() {
            let counts = port.direction == Direction::Output && guards[index].is_none_or(is_one);
            stats.comparisons += counts as u64;
            if counts && values[index][0] != values[index][1] {
                wrong = Some(index);
                break;
            }
        }
        for (domain, reset) in step.resets.iter().enumerate() {
            first.write_reset(domain, *reset);
            second.write_reset(domain, *reset);
        }
        stats.beats += step.beats;
        stats.resets += step.resets.contains(&true) as u64;
        history.push_back(Row { cycle, values, clocks: step.clocks, resets: step.resets });
        if let Some(port) = wrong {
            let name = &interface.ports[port].name;
            let block =
                blocks.iter().filter(|block| name.starts_with(*block)).max_by_key(|block| block.len());
            return Err(Box::new(difference(port, block.map_or("", |block| block), &interface, &history)));
        }
        if history.len() > HISTORY {
            history.pop_front();
        }
        let clocks = &history.back().expect("a row was pushed").clocks;
        // The checks of a design can have something against random stimuli, in one simulator more than in the other.
        let _ = first.step_domains(clocks);
        let _ = second.step_domains(clocks);
        stats.cycles += 1;
    }
    Ok(stats)
}

/// The port that tells whether `port`, part of what a stream or a channel of AXI carries, means anything.
pub fn valid_of(interface: &Interface, port: PortIndex) -> Option<PortIndex> {
    let name = &interface.ports[port].name;
    let channel = |(end, channel): (&str, &str)| Some(name.strip_suffix(end)?.to_owned() + channel);
    let valid = match name.split_once("payload") {
        Some((prefix, _)) => format!("{prefix}valid"),
        None => {
            let channels = [("_bresp", "_bvalid"), ("_rdata", "_rvalid"), ("_rresp", "_rvalid")];
            channels.into_iter().find_map(channel)?
        }
    };
    interface.ports.iter().position(|other| other.name == valid)
}

/// What both simulators say of a port.
type Values = [Vec<u64>; 2];

/// One cycle of the history.
struct Row {
    cycle: u64,
    values: Vec<Values>,
    clocks: Vec<usize>,
    resets: Vec<bool>,
}

fn difference(port: usize, block: &str, interface: &Interface, rows: &VecDeque<Row>) -> Difference {
    let mut history = String::new();
    for Row { cycle, values, clocks, resets } in rows {
        history += &format!("cycle {cycle}:");
        for (port, [first, second]) in interface.ports.iter().zip(values) {
            if port.name.starts_with(block) {
                let other = if first == second { String::new() } else { format!("|{}", hex(second)) };
                history += &format!(" {}={}{other}", port.name, hex(first));
            }
        }
        let reset: Vec<usize> = (0..resets.len()).filter(|&domain| resets[domain]).collect();
        history += &format!(" clocks={clocks:?} resets={reset:?}\n");
    }
    let last = rows.back().expect("the cycle of the difference");
    let (cycle, values) = (last.cycle, last.values[port].clone());
    Difference { cycle, port: interface.ports[port].name.clone(), values, history }
}

fn hex(value: &[u64]) -> String {
    let digits: String = value.iter().rev().map(|word| format!("{word:016x}")).collect();
    match digits.trim_start_matches('0') {
        "" => "0".into(),
        digits => format!("0x{digits}"),
    }
}
