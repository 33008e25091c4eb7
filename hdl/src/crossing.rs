//! Crossings of clock domains.
//!
//! Whatever a clock edge looks at must come from registers and memories of its own domain or from inputs that only
//! this domain looks at. [`Op::Cross`] ends the search, and so does a memory that is made for crossing. A primitive
//! without a model is not looked into: its outputs are taken as they are.

use crate::{
    error::Error,
    flat::{Action, Flat, Guard},
    ir::*,
};
use std::collections::BTreeMap;

/// All crossings of a design whose modules are complete.
pub(crate) fn check_crossings(design: &Design) -> Vec<Error> {
    let flat = Flat::new(design);
    let mut check = Check { flat: &flat, writers: writers(&flat), samplers: BTreeMap::new(), errors: vec![] };
    check.written_twice();
    check.memory_reads();
    let samples = samples(&flat);
    for domain in 0..design.top().domains.len() {
        check.domain(domain, samples.iter().filter(|sample| sample.domain == domain));
    }
    check.inputs();
    check.outputs();
    check.errors
}

/// Something that a clock edge looks at.
struct Sample {
    domain: usize,
    vertex: usize,
    /// Who looks.
    name: String,
    loc: Loc,
}

/// Something that changes at a clock edge.
struct Source {
    domain: usize,
    name: String,
    loc: Loc,
}

struct Check<'f, 'a> {
    flat: &'f Flat<'a>,
    /// The domains that write each memory, with a place.
    writers: Vec<Vec<(usize, Loc)>>,
    /// For each input of the top the first sampler in each domain.
    samplers: BTreeMap<usize, Vec<(usize, String, Loc)>>,
    errors: Vec<Error>,
}

/// What a walk from a value back to its sources meets.
enum Met {
    Source(Source),
    /// An input of the top.
    Input(usize),
}

impl Check<'_, '_> {
    fn written_twice(&mut self) {
        for (index, writers) in self.writers.iter().enumerate() {
            let memory = self.flat.memories[index].memory;
            if let [(first, first_loc), (second, second_loc), ..] = writers[..]
                && !memory.crossing
            {
                let name = self.flat.memory_name(index);
                let message = format!(
                    "memory `{name}` is written in two clock domains, {} and {}",
                    self.call(first),
                    self.call(second)
                );
                let note = |domain| format!("written in domain {}", self.call(domain));
                let notes = vec![(note(first), first_loc), (note(second), second_loc)];
                self.errors.push(Error { message, loc: memory.loc, notes });
            }
        }
    }

    /// Walks back from all that the edges of one domain look at.
    fn domain<'s>(&mut self, domain: usize, samples: impl Iterator<Item = &'s Sample>) {
        let mut seen = vec![false; self.flat.vertices()];
        for sample in samples {
            for met in self.sources(sample.vertex, &mut seen) {
                match met {
                    Met::Source(source) if source.domain == domain => {}
                    Met::Source(source) => self.crossing(source, domain, &sample.name, sample.loc),
                    Met::Input(input) => {
                        let sampler = (domain, sample.name.clone(), sample.loc);
                        self.samplers.entry(input).or_default().push(sampler);
                    }
                }
            }
        }
    }

    /// Synchronous reads of what another domain writes.
    fn memory_reads(&mut self) {
        let flat = self.flat;
        for (index, signal) in flat.signals.iter().enumerate() {
            if let (SignalKind::MemoryRead { memory, .. }, Some(domain)) =
                (&signal.signal.kind, flat.domain(index))
            {
                let contents: Vec<Source> = self.contents(flat.memory(signal.scope, *memory)).collect();
                let name = format!("register `{}`", flat.signal_name(index));
                for source in contents.into_iter().filter(|source| source.domain != domain) {
                    self.crossing(source, domain, &name, signal.signal.loc);
                }
            }
        }
    }

    fn crossing(&mut self, source: Source, domain: usize, sampler: &str, loc: Loc) {
        let (from, to) = (self.call(source.domain), self.call(domain));
        let message = format!(
            "{} of clock domain {from} is sampled by {sampler} of domain {to} without synchronization: use a \
             synchronizer or an asynchronous FIFO",
            source.name
        );
        let notes = vec![
            (format!("{} changes with {from}", source.name), source.loc),
            (format!("{sampler} samples with {to}"), loc),
        ];
        self.errors.push(Error { message, loc, notes });
    }

    fn inputs(&mut self) {
        for (&input, samplers) in &self.samplers {
            if let [first, second, ..] = &samplers[..] {
                let signal = self.flat.signals[input].signal;
                let message = format!(
                    "input `{}` is sampled in two clock domains, {} and {}: it can be synchronous to one of them only",
                    signal.name,
                    self.call(first.0),
                    self.call(second.0)
                );
                let note = |(domain, name, loc): &(usize, String, Loc)| {
                    (format!("{name} samples with {}", self.call(*domain)), *loc)
                };
                let notes = vec![note(first), note(second)];
                self.errors.push(Error { message, loc: signal.loc, notes });
            }
        }
    }

    fn outputs(&mut self) {
        let top = &self.flat.scopes[0];
        for (port, signal) in top.module.signals[..top.module.ports].iter().enumerate() {
            if signal.kind != SignalKind::Output {
                continue;
            }
            let met = self.sources(top.signals[port], &mut vec![false; self.flat.vertices()]);
            let mut sources: BTreeMap<usize, Source> = BTreeMap::new();
            for met in met {
                if let Met::Source(source) = met {
                    sources.entry(source.domain).or_insert(source);
                }
            }
            let sources: Vec<Source> = sources.into_values().collect();
            if let [first, second, ..] = &sources[..] {
                let message = format!(
                    "output `{}` mixes two clock domains, {} and {}",
                    signal.name,
                    self.call(first.domain),
                    self.call(second.domain)
                );
                let note = |source: &Source| {
                    (format!("{} changes with {}", source.name, self.call(source.domain)), source.loc)
                };
                self.errors.push(Error { message, loc: signal.loc, notes: vec![note(first), note(second)] });
            }
        }
    }

    /// What decides the value of `start`, but for vertices that are `seen` already.
    fn sources(&self, start: usize, seen: &mut [bool]) -> Vec<Met> {
        let flat = self.flat;
        let mut out = vec![];
        let mut stack = vec![start];
        while let Some(vertex) = stack.pop() {
            if std::mem::replace(&mut seen[vertex], true) {
                continue;
            }
            match flat.signals.get(vertex).map(|signal| signal.signal) {
                Some(signal) => match flat.domain(vertex) {
                    Some(domain) => {
                        let name = format!("register `{}`", flat.signal_name(vertex));
                        out.push(Met::Source(Source { domain, name, loc: signal.loc }));
                    }
                    None if signal.kind == SignalKind::Input => out.push(Met::Input(vertex)),
                    None => flat.dependencies(vertex, &mut stack),
                },
                None => match flat.expr_at(vertex) {
                    (_, Expr { op: Op::Cross(_), .. }) => {}
                    (scope, Expr { op: Op::MemoryPeek(memory, _), .. }) => {
                        out.extend(self.contents(flat.memory(scope, *memory)).map(Met::Source));
                        flat.dependencies(vertex, &mut stack);
                    }
                    _ => flat.dependencies(vertex, &mut stack),
                },
            }
        }
        out
    }

    /// The contents of a memory as sources of values.
    fn contents(&self, index: usize) -> impl Iterator<Item = Source> {
        let memory = self.flat.memories[index].memory;
        let writers = if memory.crossing { &[] } else { &self.writers[index][..] };
        let name = format!("memory `{}`", self.flat.memory_name(index));
        writers.iter().map(move |(domain, _)| Source { domain: *domain, name: name.clone(), loc: memory.loc })
    }

    /// How messages call a domain.
    fn call(&self, domain: usize) -> String {
        format!("`{}`", self.flat.scopes[0].module.domains[domain].clock_port())
    }
}

/// The domains that write each memory, each once.
fn writers(flat: &Flat) -> Vec<Vec<(usize, Loc)>> {
    let mut out = vec![vec![]; flat.memories.len()];
    for (index, scope) in flat.scopes.iter().enumerate() {
        for action in &scope.actions {
            if let Stmt::MemoryWrite { memory, domain, loc, .. } = action.stmt {
                let (memory, domain) = (flat.memory(index, *memory), scope.domains[domain.index()]);
                if out[memory].iter().all(|(known, _)| *known != domain) {
                    out[memory].push((domain, *loc));
                }
            }
        }
    }
    out
}

/// All that clock edges look at.
fn samples(flat: &Flat) -> Vec<Sample> {
    let mut out = vec![];
    for index in 0..flat.signals.len() {
        if let Some(domain) = flat.domain(index) {
            let signal = flat.signals[index].signal;
            let mut vertices = vec![];
            flat.sampled(index, &mut vertices);
            for vertex in vertices {
                let name = format!("register `{}`", flat.signal_name(index));
                out.push(Sample { domain, vertex, name, loc: signal.loc });
            }
        }
    }
    for scope in &flat.scopes {
        for Action { stmt, guards } in &scope.actions {
            let (domain, name, loc) = match stmt {
                Stmt::MemoryWrite { memory, domain, loc, .. } => {
                    let memory = &scope.module.memories[memory.index()].name;
                    (*domain, format!("a write of memory `{}`", scope.name(memory)), *loc)
                }
                Stmt::Check { name, domain, loc, .. } => {
                    (*domain, format!("check `{}`", scope.name(name)), *loc)
                }
                _ => continue,
            };
            for id in guards.iter().map(Guard::operand).chain(stmt.operands()) {
                let (domain, vertex) = (scope.domains[domain.index()], scope.vertex(id));
                out.push(Sample { domain, vertex, name: name.clone(), loc });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
