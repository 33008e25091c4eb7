//! Which processes, assignments and connections a module is printed as.

use super::{
    arena::Arena,
    live::{Drivers, Live, Need, live},
    paths::{Paths, PortPaths},
    prepare::prepare,
};
use crate::ir::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A group of statements that are printed together.
pub(super) enum Kind {
    /// One wire with one value.
    Drive {
        target: SignalId,
        value: ExprId,
    },
    /// Combinational.
    Comb {
        targets: Vec<SignalId>,
    },
    /// The registers of a domain that have a reset value, or those that have none.
    Clocked {
        domain: DomainId,
        reset: bool,
        targets: Vec<SignalId>,
    },
    /// The ports of a memory in one domain.
    Memory {
        domain: DomainId,
    },
    Check {
        domain: DomainId,
    },
}

pub(super) struct Process {
    pub kind: Kind,
    pub need: Need,
    pub body: Vec<Stmt>,
}

pub(super) struct Plan {
    /// Without expressions; those are in `exprs`.
    pub module: Module,
    pub exprs: Vec<Expr>,
    pub live: Live,
    pub processes: Vec<Process>,
    /// Signals printed as another one, of the same value and a better name.
    pub alias: HashMap<SignalId, SignalId>,
    /// Expressions that are outputs of the same name.
    pub direct: HashMap<ExprId, SignalId>,
    /// Inputs of instances that are connected to an expression.
    pub connected: HashMap<SignalId, ExprId>,
    /// Wires that stand for a choice by an index, each with the expression that reads it.
    pub choices: HashMap<SignalId, ExprId>,
}

impl Plan {
    pub fn new(module: &Module, children: &[&PortPaths]) -> (Plan, PortPaths) {
        let (module, arena, choices) = prepare(module);
        let drivers = Drivers::new(&module);
        let live = live(&module, &arena.exprs, &drivers);
        let paths = Paths::new(&module, &arena.exprs, &drivers, children);
        let port_paths = paths.port_paths();
        let mut planner = Planner { module, arena, live, processes: vec![] };
        planner.combinational(&paths);
        planner.clocked();
        planner.memories();
        planner.checks();
        let Planner { module, arena, live, processes } = planner;
        let mut plan = Plan {
            module,
            exprs: arena.exprs,
            live,
            processes,
            alias: HashMap::new(),
            direct: HashMap::new(),
            connected: HashMap::new(),
            choices,
        };
        plan.drive_outputs_directly();
        plan.find_aliases();
        plan.connect();
        (plan, port_paths)
    }

    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    pub fn signal(&self, id: SignalId) -> &Signal {
        self.module.signal(id)
    }

    /// The signal whose name stands for `id`.
    pub fn resolve(&self, mut id: SignalId) -> SignalId {
        while let Some(next) = self.alias.get(&id) {
            id = *next;
        }
        id
    }

    /// Whether this is an output of an instance that nothing reads.
    pub fn is_unconnected(&self, id: SignalId) -> bool {
        let output = matches!(self.signal(id).kind, SignalKind::InstanceOutput { .. });
        output && self.live.signals[id.index()] == Need::Nothing
    }

    /// Whether a process assigns this output.
    pub fn is_reg(&self, output: SignalId) -> bool {
        let is = |signal: SignalId| self.resolve(signal) == output;
        self.processes.iter().any(|process| match &process.kind {
            Kind::Comb { targets } | Kind::Clocked { targets, .. } => {
                targets.iter().any(|target| is(*target))
            }
            Kind::Memory { .. } => {
                let mut read = false;
                walk(&process.body, &mut |stmt| {
                    read |= matches!(stmt, Stmt::MemoryRead { target, .. } if is(*target));
                });
                read
            }
            Kind::Drive { .. } | Kind::Check { .. } => false,
        })
    }

    /// An output whose value is bound to the output's name is that value: `assign level = a - b`, read as `level`.
    fn drive_outputs_directly(&mut self) {
        let (module, exprs, direct) = (&self.module, &self.exprs, &mut self.direct);
        self.processes.retain(|process| {
            let Kind::Drive { target, value } = process.kind else { return true };
            let signal = module.signal(target);
            let same = signal.kind == SignalKind::Output && is_same(&exprs[value.index()].name, &signal.name);
            let first = same && !direct.contains_key(&value);
            if first {
                direct.insert(value, target);
            }
            !first
        });
    }

    /// An output that only repeats a signal takes that signal's place where the text gains: the output of an instance
    /// is connected to it directly, as is the input of one to a signal, and `count_q`, which could not be called `count`, becomes an `output reg`.
    fn find_aliases(&mut self) {
        let mut alias = HashMap::new();
        let (module, exprs) = (&self.module, &self.exprs);
        let mut taken = HashSet::new();
        self.processes.retain(|process| {
            let Kind::Drive { target, value } = process.kind else { return true };
            let Op::Signal(source) = exprs[value.index()].op else { return true };
            let (to, from) = (module.signal(target), module.signal(source));
            if matches!(to.kind, SignalKind::InstanceInput { .. }) {
                alias.insert(target, source);
                return false;
            }
            let outwards = to.kind == SignalKind::Output || to.kind == SignalKind::Wire;
            let useful = match from.kind {
                SignalKind::InstanceOutput { .. } => outwards,
                // The name of a memory's output register was made up.
                SignalKind::MemoryRead { .. } => to.kind == SignalKind::Output,
                SignalKind::Register { .. } | SignalKind::Wire => {
                    to.kind == SignalKind::Output && is_variation(&from.name, &to.name)
                }
                _ => false,
            };
            let chain = alias.contains_key(&target) || taken.contains(&source);
            let keep = !useful || chain || alias.contains_key(&source) || to.ghost != from.ghost;
            if !keep {
                alias.insert(source, target);
                taken.insert(target);
            }
            keep
        });
        self.alias = alias;
    }

    /// Inputs of instances that nothing else reads are connected to the value itself.
    fn connect(&mut self) {
        let read: HashSet<SignalId> = self
            .exprs
            .iter()
            .filter_map(|expr| if let Op::Signal(signal) = expr.op { Some(signal) } else { None })
            .collect();
        let (module, connected) = (&self.module, &mut self.connected);
        self.processes.retain(|process| {
            let Kind::Drive { target, value } = process.kind else { return true };
            let input = matches!(module.signal(target).kind, SignalKind::InstanceInput { .. });
            let direct = input && !read.contains(&target);
            if direct {
                connected.insert(target, value);
            }
            !direct
        });
    }
}

/// Whether a name was meant to be `base`.
fn is_same(name: &str, base: &str) -> bool {
    name == base || is_variation(name, base)
}

/// Whether `name` is `base` with a mark that keeps two names apart: `_q`, `_1`.
fn is_variation(name: &str, base: &str) -> bool {
    let suffix = name.strip_prefix(base).and_then(|rest| rest.strip_prefix('_'));
    suffix.is_some_and(|rest| {
        matches!(rest, "q" | "r" | "reg") || !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit())
    })
}

struct Planner {
    module: Module,
    arena: Arena,
    live: Live,
    processes: Vec<Process>,
}

/// How a combinational signal is assigned.
#[derive(Default)]
struct Assigned {
    /// Positions in the module's body of the conditional statements that assign it.
    under: Vec<usize>,
    /// Value of the last assignment, if that is unconditional.
    value: Option<ExprId>,
}

impl Planner {
    fn combinational(&mut self, paths: &Paths) {
        let mut assigned: BTreeMap<SignalId, Assigned> = BTreeMap::new();
        for (position, stmt) in self.module.body.iter().enumerate() {
            if let Stmt::Assign { target, value, .. } = stmt {
                assigned.insert(*target, Assigned { under: vec![], value: Some(*value) });
                continue;
            }
            walk(std::slice::from_ref(stmt), &mut |stmt| {
                if let Stmt::Assign { target, .. } = stmt {
                    let assigned = assigned.entry(*target).or_default();
                    assigned.value = None;
                    if assigned.under.last() != Some(&position) {
                        assigned.under.push(position);
                    }
                }
            });
        }
        assigned.retain(|target, _| {
            let combinational = matches!(
                self.module.signal(*target).kind,
                SignalKind::Wire | SignalKind::Output | SignalKind::InstanceInput { .. }
            );
            combinational && self.live.signals[target.index()] != Need::Nothing
        });
        let mut groups = Groups::new(paths, self.module.signals.len());
        let mut by_key: BTreeMap<(Need, Vec<usize>), Vec<Vec<SignalId>>> = BTreeMap::new();
        for (target, Assigned { under, value }) in assigned {
            let need = self.live.signals[target.index()];
            if let Some(value) = value {
                self.processes.push(Process { kind: Kind::Drive { target, value }, need, body: vec![] });
                continue;
            }
            let existing = by_key.entry((need, under)).or_default();
            match existing.iter_mut().find(|group| groups.may_join(group, target)) {
                Some(group) => {
                    groups.join(group[0], target);
                    group.push(target);
                }
                None => existing.push(vec![target]),
            }
        }
        for ((need, _), groups) in by_key {
            for targets in groups {
                self.combinational_group(targets, need);
            }
        }
    }

    /// A process for `targets`, or assignments if there is little to it.
    fn combinational_group(&mut self, targets: Vec<SignalId>, need: Need) {
        let body = self.part(&|stmt| matches!(stmt, Stmt::Assign { target, .. } if targets.contains(target)));
        if targets.len() <= 2 {
            let choices: Option<Vec<Choice>> =
                targets.iter().map(|target| self.choice(&body, *target)).collect();
            if let Some(choices) = choices {
                for (target, choice) in targets.into_iter().zip(choices) {
                    let value = choice.build(&mut self.arena);
                    self.processes.push(Process { kind: Kind::Drive { target, value }, need, body: vec![] });
                }
                return;
            }
        }
        self.processes.push(Process { kind: Kind::Comb { targets }, need, body });
    }

    /// The value of a target as a short choice, if it is one.
    fn choice(&self, body: &[Stmt], target: SignalId) -> Option<Choice> {
        let body = project(body, &|stmt| matches!(stmt, Stmt::Assign { target: it, .. } if *it == target));
        let choice = Choice::new(&body, None)?;
        (choice.size(&|id| self.size(id, 12)) <= 6).then_some(choice)
    }

    /// How many names and numbers an expression has; stops counting at `limit`.
    fn size(&self, id: ExprId, limit: usize) -> usize {
        let expr = &self.arena.exprs[id.index()];
        let operands = if expr.name.is_empty() { expr.op.operands() } else { vec![] };
        let mut size = operands.is_empty() as usize;
        for operand in operands {
            if size >= limit {
                break;
            }
            size += self.size(operand, limit - size);
        }
        size
    }

    fn clocked(&mut self) {
        for domain in (0..self.module.domains.len()).map(|i| DomainId(i as u32)) {
            for (need, reset) in
                [(Need::Hardware, true), (Need::Hardware, false), (Need::Formal, true), (Need::Formal, false)]
            {
                let targets: Vec<SignalId> = (0..self.module.signals.len())
                    .map(|i| SignalId(i as u32))
                    .filter(|id| self.live.signals[id.index()] == need)
                    .filter(|id| match &self.module.signal(*id).kind {
                        SignalKind::Register { domain: own, reset: value } => {
                            *own == domain && value.is_some() == reset
                        }
                        _ => false,
                    })
                    .collect();
                if targets.is_empty() {
                    continue;
                }
                let chosen: HashSet<SignalId> = targets.iter().copied().collect();
                let body =
                    self.part(&|stmt| matches!(stmt, Stmt::Assign { target, .. } if chosen.contains(target)));
                self.processes.push(Process { kind: Kind::Clocked { domain, reset, targets }, need, body });
            }
        }
    }

    fn memories(&mut self) {
        for memory in (0..self.module.memories.len()).map(|i| MemoryId(i as u32)) {
            for domain in (0..self.module.domains.len()).map(|i| DomainId(i as u32)) {
                for need in [Need::Hardware, Need::Formal] {
                    let body = self.memory_ports(memory, domain, need);
                    if !body.is_empty() {
                        self.processes.push(Process { kind: Kind::Memory { domain }, need, body });
                    }
                }
            }
        }
    }

    /// What of the module's body is needed for the statements that `keep` picks.
    fn part(&self, keep: &dyn Fn(&Stmt) -> bool) -> Vec<Stmt> {
        merge(project(&self.module.body, keep))
    }

    fn memory_ports(&self, memory: MemoryId, domain: DomainId, need: Need) -> Vec<Stmt> {
        self.part(&|stmt| match stmt {
            Stmt::MemoryWrite { memory: own, domain: clock, .. } => {
                *own == memory && *clock == domain && self.live.memories[memory.index()] == need
            }
            Stmt::MemoryRead { memory: own, target, .. } => {
                let kind = &self.module.signal(*target).kind;
                let clocked =
                    matches!(kind, SignalKind::MemoryRead { domain: clock, .. } if *clock == domain);
                *own == memory && clocked && self.live.signals[target.index()] == need
            }
            _ => false,
        })
    }

    fn checks(&mut self) {
        for domain in (0..self.module.domains.len()).map(|i| DomainId(i as u32)) {
            let body = self.part(&|stmt| matches!(stmt, Stmt::Check { domain: own, .. } if *own == domain));
            if !body.is_empty() {
                let kind = Kind::Check { domain };
                self.processes.push(Process { kind, need: Need::Formal, body });
            }
        }
    }
}

/// Joins neighbouring statements under one condition. What a process assigns does not decide its conditions.
fn merge(body: Vec<Stmt>) -> Vec<Stmt> {
    let mut out: Vec<Stmt> = vec![];
    for stmt in body {
        if let (
            Some(Stmt::If { condition, then, otherwise, .. }),
            Stmt::If { condition: next, then: more, otherwise: less, .. },
        ) = (out.last_mut(), &stmt)
            && condition == next
        {
            then.extend(more.clone());
            otherwise.extend(less.clone());
        } else if let (Some(Stmt::Case(case)), Stmt::Case(next)) = (out.last_mut(), &stmt)
            && same_choice(case, next)
        {
            let bodies = case.arms.iter_mut().map(|arm| &mut arm.body).chain(&mut case.default);
            let more = next.arms.iter().map(|arm| &arm.body).chain(&next.default);
            bodies.zip(more).for_each(|(body, more)| body.extend(more.clone()));
        } else {
            out.push(stmt);
        }
    }
    for stmt in &mut out {
        match stmt {
            Stmt::If { then, otherwise, .. } => {
                *then = merge(std::mem::take(then));
                *otherwise = merge(std::mem::take(otherwise));
            }
            Stmt::Case(case) => {
                let arms = case.arms.iter_mut().map(|arm| &mut arm.body);
                for body in arms.chain(&mut case.default) {
                    *body = merge(std::mem::take(body));
                }
            }
            _ => {}
        }
    }
    out
}

/// Whether two `case` statements tell the same values of the same selector apart.
fn same_choice(a: &Case, b: &Case) -> bool {
    let values = |case: &Case| case.arms.iter().map(|arm| arm.value.clone()).collect::<Vec<_>>();
    a.selector == b.selector
        && a.enumeration == b.enumeration
        && a.default.is_some() == b.default.is_some()
        && values(a) == values(b)
}

/// The value that `if` statements give to one signal.
#[derive(Clone)]
enum Choice {
    Value(ExprId),
    If(ExprId, Box<[Choice; 2]>, Loc),
}

impl Choice {
    /// What `body`, which assigns nothing else, makes of a signal that was `before`.
    fn new(body: &[Stmt], before: Option<Choice>) -> Option<Choice> {
        body.iter().try_fold(before, |before, stmt| match stmt {
            Stmt::Assign { value, .. } => Some(Some(Choice::Value(*value))),
            Stmt::If { condition, then, otherwise, loc } => {
                let then = Choice::new(then, before.clone())?;
                let otherwise = Choice::new(otherwise, before)?;
                Some(Some(Choice::If(*condition, Box::new([then, otherwise]), loc)))
            }
            _ => None,
        })?
    }

    fn size(&self, of: &dyn Fn(ExprId) -> usize) -> usize {
        match self {
            Choice::Value(value) => of(*value),
            Choice::If(condition, values, _) => {
                of(*condition) + values.iter().map(|value| value.size(of)).sum::<usize>()
            }
        }
    }

    fn build(&self, arena: &mut Arena) -> ExprId {
        match self {
            Choice::Value(value) => *value,
            Choice::If(condition, values, loc) => {
                let [then, otherwise] = [values[0].build(arena), values[1].build(arena)];
                arena.mux(*condition, then, otherwise, loc)
            }
        }
    }
}

/// Combinational signals, merged as they share processes.
struct Groups<'a> {
    paths: &'a Paths,
    /// The group of each signal, named by one of its members.
    group: Vec<usize>,
    members: Vec<Vec<usize>>,
}

impl<'a> Groups<'a> {
    fn new(paths: &'a Paths, count: usize) -> Groups<'a> {
        Groups { paths, group: (0..count).collect(), members: (0..count).map(|i| vec![i]).collect() }
    }

    fn may_join(&self, group: &[SignalId], signal: SignalId) -> bool {
        let signal = signal.index();
        let first = self.group[group[0].index()];
        group.iter().all(|member| self.paths.may_share(member.index(), signal))
            && !self.reaches(first, self.group[signal])
            && !self.reaches(self.group[signal], first)
    }

    fn join(&mut self, into: SignalId, signal: SignalId) {
        let (into, from) = (self.group[into.index()], self.group[signal.index()]);
        for member in std::mem::take(&mut self.members[from]) {
            self.group[member] = into;
            self.members[into].push(member);
        }
    }

    /// Whether something in group `from` depends on something in group `to`, through groups as they are now.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let (mut todo, mut seen) = (vec![from], HashSet::from([from]));
        while let Some(group) = todo.pop() {
            for &member in &self.members[group] {
                for &read in &self.paths.direct[member] {
                    let next = self.group[read];
                    if next == to {
                        return true;
                    }
                    if seen.insert(next) {
                        todo.push(next);
                    }
                }
            }
        }
        false
    }
}
