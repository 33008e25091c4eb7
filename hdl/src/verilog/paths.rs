//! Which signals of a module depend on which others within a cycle.

use super::live::Drivers;
use crate::ir::*;

/// A set of signals.
#[derive(Clone, Default)]
pub(super) struct Set(Vec<u64>);

impl Set {
    fn new(size: usize) -> Set {
        Set(vec![0; size.div_ceil(64)])
    }

    fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    pub fn contains(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }

    fn extend(&mut self, other: &Set) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// Whether all of the first `size` that `self` has are in `other` as well.
    fn within(&self, other: &Set, size: usize) -> bool {
        (0..size).all(|i| !self.contains(i) || other.contains(i))
    }
}

/// For each port of a module that is an output, the input ports that it depends on within a cycle.
pub(super) type PortPaths = Vec<Vec<usize>>;

pub(super) struct Paths {
    /// The signals that the drivers of a signal read.
    pub direct: Vec<Vec<usize>>,
    /// All signals that it depends on; itself only in a loop.
    all: Vec<Set>,
    /// The outputs that depend on each signal, or are it.
    outputs: Vec<Set>,
    ports: usize,
}

impl Paths {
    pub fn new(module: &Module, exprs: &[Expr], drivers: &Drivers, children: &[&PortPaths]) -> Paths {
        let count = module.signals.len();
        let mut reader = Reader { exprs, stamp: 0, seen: vec![0; exprs.len()] };
        let mut direct = vec![];
        for (i, signal) in module.signals.iter().enumerate() {
            direct.push(match signal.kind {
                SignalKind::Wire | SignalKind::Output | SignalKind::InstanceInput { .. } => {
                    reader.signals(&drivers.signals[i])
                }
                SignalKind::InstanceOutput { instance, port } => {
                    let inputs = &children[instance.index()][port.index()];
                    let connections = &module.instances[instance.index()].connections;
                    inputs.iter().map(|input| connections[*input].index()).collect()
                }
                SignalKind::Input | SignalKind::Register { .. } | SignalKind::MemoryRead { .. } => vec![],
            });
        }
        let mut all: Vec<Option<Set>> = vec![None; count];
        let mut entered = vec![false; count];
        let mut stack: Vec<usize> = (0..count).collect();
        while let Some(&signal) = stack.last() {
            if !std::mem::replace(&mut entered[signal], true) {
                stack.extend(direct[signal].iter().filter(|next| !entered[**next]));
                continue;
            }
            stack.pop();
            if all[signal].is_none() {
                let mut set = Set::new(count);
                for &next in &direct[signal] {
                    set.insert(next);
                    if let Some(below) = &all[next] {
                        set.extend(below);
                    }
                }
                all[signal] = Some(set);
            }
        }
        let all: Vec<Set> = all.into_iter().flatten().collect();
        let mut outputs = vec![Set::new(module.ports); count];
        for (port, signal) in module.signals[..module.ports].iter().enumerate() {
            if signal.kind == SignalKind::Output {
                (0..count)
                    .filter(|i| *i == port || all[port].contains(*i))
                    .for_each(|i| outputs[i].insert(port));
            }
        }
        Paths { direct, all, outputs, ports: module.ports }
    }

    pub fn depends(&self, signal: usize, on: usize) -> bool {
        self.all[signal].contains(on)
    }

    pub fn port_paths(&self) -> PortPaths {
        (0..self.ports)
            .map(|port| (0..self.ports).filter(|input| self.depends(port, *input)).collect())
            .collect()
    }

    /// Whether one process may drive both. Simulators see all that a process drives depend on all that it reads. So
    /// where the surroundings of the module lead an output that only `a` reaches back to an input that only `b` depends
    /// on, a process of both would be in a loop that does not exist.
    pub fn may_share(&self, a: usize, b: usize) -> bool {
        let safe = |a: usize, b: usize| {
            self.outputs[a].within(&self.outputs[b], self.ports)
                || self.all[b].within(&self.all[a], self.ports)
        };
        !self.depends(a, b) && !self.depends(b, a) && safe(a, b) && safe(b, a)
    }
}

struct Reader<'a> {
    exprs: &'a [Expr],
    stamp: u32,
    seen: Vec<u32>,
}

impl Reader<'_> {
    /// The signals that `roots` read.
    fn signals(&mut self, roots: &[ExprId]) -> Vec<usize> {
        self.stamp += 1;
        let (mut todo, mut out) = (roots.to_vec(), vec![]);
        while let Some(id) = todo.pop() {
            if std::mem::replace(&mut self.seen[id.index()], self.stamp) == self.stamp {
                continue;
            }
            let op = &self.exprs[id.index()].op;
            if let Op::Signal(signal) = op {
                out.push(signal.index());
            }
            todo.extend(op.operands());
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}
