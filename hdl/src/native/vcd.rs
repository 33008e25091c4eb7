//! Value change dump (IEEE 1364) of all named signals.
//!
//! A step of the simulator takes two units of time: at the first the clocks are low and the inputs have settled, at
//! the second the clocks that tick are high and the registers have moved.

use super::{SignalInfo, Words, machine::Machine};
use crate::interface::Interface;
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

pub(super) struct Trace {
    file: BufWriter<File>,
    signals: Vec<Traced>,
    /// Identifiers of each domain's clock and reset, where it has them.
    clocks: Vec<(Option<String>, Option<String>)>,
    /// Nothing has been written yet.
    fresh: bool,
}

struct Traced {
    words: Words,
    id: String,
    /// As last written.
    value: Vec<u64>,
}

/// One level of the hierarchy.
#[derive(Default)]
struct Scope<'a> {
    /// Name and position in the list of all signals.
    signals: BTreeMap<&'a str, usize>,
    scopes: BTreeMap<&'a str, Scope<'a>>,
}

impl Trace {
    pub fn create(
        file: &Path,
        interface: &Interface,
        names: &HashMap<String, usize>,
        signals: &[SignalInfo],
    ) -> io::Result<Trace> {
        let mut file = BufWriter::new(File::create(file)?);
        let mut top = Scope::default();
        for (name, &index) in names {
            let (path, local) = name.rsplit_once('.').unwrap_or(("", name));
            let mut scope = &mut top;
            for step in path.split('.').filter(|step| !step.is_empty()) {
                scope = scope.scopes.entry(step).or_default();
            }
            scope.signals.insert(local, index);
        }
        let mut next = signals.len();
        let mut fresh_id = || {
            next += 1;
            identifier(next - 1)
        };
        let clocks: Vec<_> = interface
            .domains
            .iter()
            .map(|domain| {
                (domain.clock.as_ref().map(|_| fresh_id()), domain.reset.as_ref().map(|_| fresh_id()))
            })
            .collect();
        writeln!(file, "$timescale 1ns $end\n$scope module {} $end", interface.name)?;
        for (domain, (clock, reset)) in interface.domains.iter().zip(&clocks) {
            for (name, id) in [(&domain.clock, clock), (&domain.reset, reset)] {
                if let (Some(name), Some(id)) = (name, id) {
                    writeln!(file, "$var wire 1 {id} {name} $end")?;
                }
            }
        }
        declare(&mut file, &top, signals)?;
        writeln!(file, "$upscope $end\n$enddefinitions $end")?;
        let signals = signals.iter().enumerate().map(|(index, signal)| Traced {
            words: signal.words.clone(),
            id: identifier(index),
            value: vec![0; signal.words.slots.len()],
        });
        Ok(Trace { file, signals: signals.collect(), clocks, fresh: true })
    }

    /// Writes what the inputs have changed since the last edge.
    pub fn before_edge(&mut self, machine: &mut Machine, cycle: u64, resets: &[bool]) {
        let mut out = format!("#{}\n", 2 * cycle);
        for ((clock, reset), asserted) in self.clocks.iter().zip(resets) {
            if let Some(id) = clock {
                out.push_str(&format!("0{id}\n"));
            }
            if let Some(id) = reset {
                out.push_str(&format!("{}{id}\n", *asserted as u8));
            }
        }
        self.changes(machine, out);
    }

    /// Writes what the edge has changed.
    pub fn after_edge(&mut self, machine: &mut Machine, cycle: u64, domains: &[usize]) {
        let mut out = format!("#{}\n", 2 * cycle + 1);
        for &domain in domains {
            if let Some(id) = &self.clocks[domain].0 {
                out.push_str(&format!("1{id}\n"));
            }
        }
        self.changes(machine, out);
    }

    fn changes(&mut self, machine: &mut Machine, mut out: String) {
        machine.settle_unused();
        for signal in &mut self.signals {
            let mut changed = self.fresh;
            for (seen, &slot) in signal.value.iter_mut().zip(&signal.words.slots) {
                let value = machine.get(slot);
                changed |= *seen != value;
                *seen = value;
            }
            if changed {
                push_value(&mut out, signal);
            }
        }
        self.fresh = false;
        // A full disk must not stop the simulation; the dump ends where the disk did.
        let _ = self.file.write_all(out.as_bytes());
    }
}

fn push_value(out: &mut String, signal: &Traced) {
    if signal.words.width == 1 {
        out.push(if signal.value[0] == 0 { '0' } else { '1' });
    } else {
        out.push('b');
        let (top, rest) = signal.value.split_last().expect("a value has a word at least");
        out.push_str(&format!("{top:b}"));
        for word in rest.iter().rev() {
            out.push_str(&format!("{word:064b}"));
        }
        out.push(' ');
    }
    out.push_str(&signal.id);
    out.push('\n');
}

fn declare(file: &mut impl Write, scope: &Scope, signals: &[SignalInfo]) -> io::Result<()> {
    for (name, &index) in &scope.signals {
        let width = signals[index].words.width;
        let range = if width == 1 { String::new() } else { format!(" [{}:0]", width - 1) };
        writeln!(file, "$var wire {width} {} {name}{range} $end", identifier(index))?;
    }
    for (name, inner) in &scope.scopes {
        writeln!(file, "$scope module {name} $end")?;
        declare(file, inner, signals)?;
        writeln!(file, "$upscope $end")?;
    }
    Ok(())
}

/// A short identifier of printable characters.
fn identifier(mut index: usize) -> String {
    let mut out = String::new();
    loop {
        out.push((b'!' + (index % 94) as u8) as char);
        index /= 94;
        if index == 0 {
            return out;
        }
        index -= 1;
    }
}
