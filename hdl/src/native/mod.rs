//! The native simulator: a design compiled to instructions on words, run where something has changed.
//!
//! `flat` resolves the hierarchy, `lower` turns every value into words of up to 64 bits and
//! statements into multiplexers, `graph` shares and folds them, and `compile` puts them in an order of evaluation cut
//! into chunks. A change of an input, register or memory marks the chunks that read it; settling runs marked chunks in
//! order, and those whose results change mark others. At a clock edge only registers are looked at whose next value
//! was computed anew, so what holds costs nothing.

mod code;
mod compile;
mod graph;
mod lower;
mod machine;
mod poison;
mod vcd;
mod words;

#[cfg(test)]
mod tests;

use crate::{
    flat::Flat,
    interface::{Direction, Interface, PortIndex},
    ir::{CheckKind, Design, Loc, SignalKind},
    simulator::{Simulator, Violation},
    value::Value,
};
use code::Slot;
use graph::mask;
use machine::Machine;
use poison::Poison;
use std::{collections::HashMap, path::Path};
use vcd::Trace;

/// Why a design cannot be simulated.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum NativeError {
    #[error(
        "instance `{path}` is the primitive `{module}` ({loc}), which has no model for simulation: give black_box() one"
    )]
    BlackBox { module: String, path: String, loc: Loc },
    #[error("combinational loop among {}", signals.join(", "))]
    Loop { signals: Vec<String> },
    #[error(
        "the design has {words} words of state and logic; the simulator has room for {}",
        compile::SLOT_LIMIT
    )]
    TooLarge { words: usize },
}

/// How often a `cover` was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Hierarchical.
    pub name: String,
    pub message: String,
    pub loc: Loc,
    /// Clock edges at which the condition held.
    pub count: u64,
}

/// A simulator of one design.
///
/// It has two states: from construction on registers have their reset values (0 where there is none) and memories
/// their initial contents (0 where there are none).
pub struct Native {
    interface: Interface,
    machine: Machine,
    /// Slots of each port's words.
    ports: Vec<Words>,
    checks: Vec<Check>,
    /// For each domain the word that tells whether an assertion or assumption is violated.
    violated: Vec<Slot>,
    resets: Vec<bool>,
    cycles: u64,
    /// By position in the flat design.
    signals: Vec<SignalInfo>,
    /// Positions by hierarchical name.
    names: HashMap<String, usize>,
    poison: Option<Poison>,
    fragile: poison::Fragile,
    trace: Option<Trace>,
}

/// A value's words.
#[derive(Clone)]
struct Words {
    slots: Vec<Slot>,
    width: u32,
}

struct SignalInfo {
    words: Words,
    /// Of a register that reset leaves alone.
    undefined: bool,
}

struct Check {
    kind: CheckKind,
    domain: usize,
    event: Slot,
    /// With the instance path.
    name: String,
    message: String,
    loc: Loc,
    count: u64,
}

impl Native {
    /// Compiles a design.
    ///
    /// # Errors
    /// If it has a primitive without a model, a combinational loop, or is too large.
    pub fn new(design: &Design) -> Result<Native, NativeError> {
        let flat = Flat::new(design);
        let mut net = lower::lower(&flat)?;
        let interface = design.interface();
        let violated = any_violation(&mut net, interface.domains.len());
        let port_signals: Vec<usize> = flat.scopes[0].signals[..interface.ports.len()].to_vec();
        let outputs: Vec<_> = port_signals.iter().flat_map(|&signal| net.signals[signal].clone()).collect();
        let extra = outputs.into_iter().chain(violated.iter().copied());
        let machine = Machine::new(&mut net, extra.collect(), interface.domains.len())?;
        let words = |nodes: &[graph::Node], width| Words {
            slots: nodes.iter().map(|&node| machine.slot(node)).collect(),
            width,
        };
        let signals: Vec<SignalInfo> = (0..flat.signals.len())
            .map(|index| {
                let signal = flat.signals[index].signal;
                SignalInfo {
                    words: words(&net.signals[index], signal.width),
                    undefined: matches!(
                        signal.kind,
                        SignalKind::Register { reset: None, .. } | SignalKind::MemoryRead { .. }
                    ),
                }
            })
            .collect();
        let mut names: HashMap<String, usize> = HashMap::new();
        for scope in &flat.scopes {
            for (signal, &index) in scope.module.signals.iter().zip(&scope.signals) {
                names.insert(scope.name(&signal.name), index);
            }
        }
        let checks = net.checks.iter().map(|check| Check {
            kind: check.kind,
            domain: check.domain,
            event: machine.slot(check.event),
            name: format!("{}.{}", interface.name, check.name),
            message: check.message.clone(),
            loc: check.loc,
            count: 0,
        });
        Ok(Native {
            ports: port_signals.iter().map(|&signal| signals[signal].words.clone()).collect(),
            checks: checks.collect(),
            violated: violated.iter().map(|&node| machine.slot(node)).collect(),
            resets: vec![false; interface.domains.len()],
            cycles: 0,
            fragile: poison::Fragile::new(&net, &machine),
            names,
            signals,
            machine,
            interface,
            poison: None,
            trace: None,
        })
    }

    /// How many operations on words a cycle takes in which everything changes.
    pub fn operations(&self) -> usize {
        self.machine.operations()
    }

    /// Fills everything that hardware leaves undefined with pseudo-random values, now and from here on: registers
    /// without reset, outputs of memory reads and memories without initial contents now; and whatever a read of a
    /// memory with undefined collisions returns of lanes that the same edge writes. For test benches that show that
    /// nothing depends on them. Call it before the first step.
    pub fn poison(&mut self, seed: u64) {
        let mut poison = Poison::new(seed);
        for signal in self.signals.iter().filter(|signal| signal.undefined) {
            for (i, &slot) in signal.words.slots.iter().enumerate() {
                let value = poison.word() & mask(words::word_width(signal.words.width, i));
                self.machine.set_state(slot, value);
            }
        }
        self.machine.fill_memories(|| poison.word());
        self.poison = Some(poison);
    }

    /// The settled value of any signal by its hierarchical name, such as `u_fifo.count`, for debugging. `None` if
    /// there is no such signal.
    pub fn peek_internal(&mut self, name: &str) -> Option<Value> {
        let words = self.signals[*self.names.get(name)?].words.clone();
        self.machine.settle();
        self.machine.settle_unused();
        let limbs: Vec<u64> = words.slots.iter().map(|&slot| self.machine.get(slot)).collect();
        Some(Value::from_limbs(words.width, &limbs))
    }

    /// What the design's `cover`s counted so far.
    pub fn covers(&self) -> Vec<Cover> {
        let covers = self.checks.iter().filter(|check| check.kind == CheckKind::Cover);
        covers
            .map(|check| Cover {
                name: check.name.clone(),
                message: check.message.clone(),
                loc: check.loc,
                count: check.count,
            })
            .collect()
    }

    /// Looks at the checks of `domain` before a clock edge.
    fn check(&mut self, domain: usize) -> Result<(), Violation> {
        for check in &mut self.checks {
            if check.kind == CheckKind::Cover && check.domain == domain {
                check.count += self.machine.get(check.event);
            }
        }
        if self.machine.get(self.violated[domain]) == 0 {
            return Ok(());
        }
        let violated = |check: &&Check| {
            check.kind != CheckKind::Cover && check.domain == domain && self.machine.get(check.event) != 0
        };
        let check = self.checks.iter().find(violated).expect("one of them is violated");
        let kind = if check.kind == CheckKind::Assert { "assertion" } else { "assumption" };
        let Check { name, message, loc, .. } = check;
        let (file, line) = (loc.file(), loc.line());
        let message = format!("{name}: {kind} failed: {message} ({file}:{line})");
        Err(Violation { cycle: self.cycles, message })
    }
}

/// For each domain whether one of its assertions or assumptions is violated.
fn any_violation(net: &mut lower::Netlist, domains: usize) -> Vec<graph::Node> {
    let mut out = vec![net.graph.constant(0); domains];
    for check in net.checks.iter().filter(|check| check.kind != CheckKind::Cover) {
        out[check.domain] = net.graph.or(out[check.domain], check.event);
    }
    out
}

impl Simulator for Native {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn write(&mut self, port: PortIndex, value: &[u64]) {
        let info = &self.interface.ports[port];
        assert!(info.direction == Direction::Input, "`{}` is an output", info.name);
        let words = &self.ports[port];
        assert_eq!(value.len(), words.slots.len(), "words of a value of {} bits", words.width);
        for (i, (&slot, &limb)) in words.slots.iter().zip(value).enumerate() {
            self.machine.set_state(slot, limb & mask(words::word_width(words.width, i)));
        }
    }

    fn read(&mut self, port: PortIndex, value: &mut [u64]) {
        self.machine.settle();
        let words = &self.ports[port];
        assert_eq!(value.len(), words.slots.len(), "words of a value of {} bits", words.width);
        for (limb, &slot) in value.iter_mut().zip(&words.slots) {
            *limb = self.machine.get(slot);
        }
    }

    fn write_reset(&mut self, domain: usize, asserted: bool) {
        self.resets[domain] = asserted;
    }

    /// A violation is reported after the edge has taken place, the first of them if there are several.
    fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation> {
        self.machine.settle();
        if let Some(trace) = &mut self.trace {
            trace.before_edge(&mut self.machine, self.cycles, &self.resets);
        }
        let mut result = Ok(());
        for &domain in domains {
            if !self.resets[domain] {
                result = result.and(self.check(domain));
            }
        }
        let collisions = match &mut self.poison {
            Some(poison) => self.fragile.collisions(&self.machine, domains, poison),
            None => vec![],
        };
        self.machine.edge(domains, &self.resets);
        for collision in collisions {
            self.machine.disturb(collision.slot, collision.mask, collision.value);
        }
        if let Some(trace) = &mut self.trace {
            self.machine.settle();
            trace.after_edge(&mut self.machine, self.cycles, domains);
        }
        self.cycles += 1;
        result
    }

    fn cycles(&self) -> u64 {
        self.cycles
    }

    fn trace(&mut self, file: &Path) -> std::io::Result<()> {
        self.trace = Some(Trace::create(file, &self.interface, &self.names, &self.signals)?);
        Ok(())
    }
}
