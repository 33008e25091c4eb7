//! A design as one flat graph: one vertex for each signal and each expression of every instance, with ports resolved.
//!
//! A child's input is the signal that its parent connects, a parent's instance output is the child's output; so every
//! [`FlatSignal`] has one driver, in the module that owns it. The simulator and the checks of loops and crossings work
//! on this.

use crate::ir::*;
use std::collections::HashMap;

/// Vertices `0..signals.len()` are the signals; the expressions follow, instance by instance.
pub(crate) struct Flat<'a> {
    /// Parents before children; the top is the first.
    pub scopes: Vec<Scope<'a>>,
    pub signals: Vec<FlatSignal<'a>>,
    pub memories: Vec<FlatMemory<'a>>,
    vertices: usize,
}

/// One instance of a module.
pub(crate) struct Scope<'a> {
    /// Instance names from the top down, joined by dots; empty for the top.
    pub path: String,
    pub module: &'a Module,
    /// Position in [`Flat::signals`] of each signal of the module.
    pub signals: Vec<usize>,
    /// The top's domain for each of the module's.
    pub domains: Vec<usize>,
    /// Statements that drive each signal of the module; empty for those driven elsewhere.
    pub drives: Vec<Vec<Drive<'a>>>,
    /// Memory ports and checks in order.
    pub actions: Vec<Action<'a>>,
    first_expr: usize,
    first_memory: usize,
}

pub(crate) struct FlatSignal<'a> {
    /// The scope that declares and, unless it is an input of the top, drives it.
    pub scope: usize,
    pub id: SignalId,
    pub signal: &'a Signal,
}

pub(crate) struct FlatMemory<'a> {
    pub scope: usize,
    pub memory: &'a Memory,
}

/// What one statement does for one signal.
#[derive(Clone)]
pub(crate) enum Drive<'a> {
    Assign { part: Part, value: ExprId },
    Read { memory: MemoryId, address: ExprId },
    If { condition: ExprId, then: Vec<Drive<'a>>, otherwise: Vec<Drive<'a>> },
    Case { case: &'a Case, arms: Vec<Vec<Drive<'a>>>, default: Option<Vec<Drive<'a>>> },
}

/// A memory port or a check, with the conditions around it from the outermost in.
pub(crate) struct Action<'a> {
    pub stmt: &'a Stmt,
    pub guards: Vec<Guard<'a>>,
}

#[derive(Clone)]
pub(crate) enum Guard<'a> {
    /// The condition is this.
    If(ExprId, bool),
    /// The selector picks this arm; `None`: the default.
    Arm(&'a Case, Option<usize>),
}

impl<'a> Flat<'a> {
    pub fn new(design: &'a Design) -> Flat<'a> {
        let mut flat = Flat { scopes: vec![], signals: vec![], memories: vec![], vertices: 0 };
        let top = design.top();
        flat.add(design, top, String::new(), &[], (0..top.domains.len()).collect());
        flat.vertices = flat.signals.len();
        for scope in &mut flat.scopes {
            scope.first_expr = flat.vertices;
            flat.vertices += scope.module.exprs.len();
        }
        flat
    }

    /// Adds an instance of `module` and those below it; `inputs` has the parent's signal for each input port.
    fn add(
        &mut self,
        design: &'a Design,
        module: &'a Module,
        path: String,
        ports: &[usize],
        domains: Vec<usize>,
    ) -> usize {
        let index = self.scopes.len();
        let first_memory = self.memories.len();
        self.memories.extend(module.memories.iter().map(|memory| FlatMemory { scope: index, memory }));
        let mut signals = vec![];
        for (id, signal) in module.signals.iter().enumerate() {
            let alias = match signal.kind {
                SignalKind::Input => ports.get(id).copied(),
                SignalKind::InstanceOutput { .. } => Some(usize::MAX),
                _ => None,
            };
            signals.push(alias.unwrap_or_else(|| {
                self.signals.push(FlatSignal { scope: index, id: SignalId(id as u32), signal });
                self.signals.len() - 1
            }));
        }
        let drives = drives(module);
        let actions = actions(&module.body);
        self.scopes.push(Scope {
            path,
            module,
            signals,
            domains,
            drives,
            actions,
            first_expr: 0,
            first_memory,
        });
        for instance in &module.instances {
            let child = design.module(instance.module);
            let scope = &self.scopes[index];
            let ports: Vec<usize> = instance.connections.iter().map(|id| scope.signals[id.index()]).collect();
            let domains = instance.domains.iter().map(|id| scope.domains[id.index()]).collect();
            let path = scope.name(&instance.name);
            let child_index = self.add(design, child, path, &ports, domains);
            for (port, connection) in instance.connections.iter().enumerate() {
                if child.signals[port].kind == SignalKind::Output {
                    self.scopes[index].signals[connection.index()] = self.scopes[child_index].signals[port];
                }
            }
        }
        index
    }

    /// How many vertices there are.
    pub fn vertices(&self) -> usize {
        self.vertices
    }

    /// The expression that a vertex beyond the signals is, and its scope.
    pub fn expr_at(&self, vertex: usize) -> (usize, &'a Expr) {
        let scope = self.scopes.partition_point(|scope| scope.first_expr <= vertex) - 1;
        let module = self.scopes[scope].module;
        (scope, &module.exprs[vertex - self.scopes[scope].first_expr])
    }

    pub fn memory(&self, scope: usize, id: MemoryId) -> usize {
        self.scopes[scope].first_memory + id.index()
    }

    /// Hierarchical name of a signal, without the top's.
    pub fn signal_name(&self, signal: usize) -> String {
        let signal = &self.signals[signal];
        self.scopes[signal.scope].name(&signal.signal.name)
    }

    pub fn memory_name(&self, memory: usize) -> String {
        let memory = &self.memories[memory];
        self.scopes[memory.scope].name(&memory.memory.name)
    }

    /// Whether the signal's value is decided by other values of the same instant.
    pub fn is_combinational(&self, signal: usize) -> bool {
        matches!(
            self.signals[signal].signal.kind,
            SignalKind::Output | SignalKind::Wire | SignalKind::InstanceInput { .. }
        )
    }

    /// The domain of a register or of a memory's output register.
    pub fn domain(&self, signal: usize) -> Option<usize> {
        let signal = &self.signals[signal];
        match signal.signal.kind {
            SignalKind::Register { domain, .. } | SignalKind::MemoryRead { domain, .. } => {
                Some(self.scopes[signal.scope].domains[domain.index()])
            }
            _ => None,
        }
    }

    /// Appends the vertices that decide the value of `vertex` combinationally.
    pub fn dependencies(&self, vertex: usize, out: &mut Vec<usize>) {
        if vertex < self.signals.len() {
            if self.is_combinational(vertex) {
                self.sampled(vertex, out);
            }
        } else {
            let (scope, expr) = self.expr_at(vertex);
            match &expr.op {
                Op::Signal(id) => out.push(self.scopes[scope].signals[id.index()]),
                op => out.extend(op.operands().into_iter().map(|id| self.scopes[scope].vertex(id))),
            }
        }
    }

    /// Appends the vertices that the statements driving `signal` read.
    pub fn sampled(&self, signal: usize, out: &mut Vec<usize>) {
        let FlatSignal { scope, id, .. } = self.signals[signal];
        let scope = &self.scopes[scope];
        drive_operands(&scope.drives[id.index()], &mut |id| out.push(scope.vertex(id)));
    }
}

impl Scope<'_> {
    /// The vertex of an expression of this scope's module.
    pub fn vertex(&self, id: ExprId) -> usize {
        self.first_expr + id.index()
    }

    /// Hierarchical name of something in this scope.
    pub fn name(&self, local: &str) -> String {
        if self.path.is_empty() { local.to_string() } else { format!("{}.{local}", self.path) }
    }
}

impl Guard<'_> {
    pub fn operand(&self) -> ExprId {
        match self {
            Guard::If(condition, _) => *condition,
            Guard::Arm(case, _) => case.selector,
        }
    }
}

/// Calls `visit` for each expression that `drives` read.
pub(crate) fn drive_operands(drives: &[Drive], visit: &mut impl FnMut(ExprId)) {
    for drive in drives {
        match drive {
            Drive::Assign { part, value } => {
                if let Part::Bit(index) = part {
                    visit(*index);
                }
                visit(*value);
            }
            Drive::Read { address, .. } => visit(*address),
            Drive::If { condition, then, otherwise } => {
                visit(*condition);
                drive_operands(then, visit);
                drive_operands(otherwise, visit);
            }
            Drive::Case { case, arms, default } => {
                visit(case.selector);
                for arm in arms.iter().chain(default) {
                    drive_operands(arm, visit);
                }
            }
        }
    }
}

/// Sorts the statements of a module by the signal they drive.
fn drives(module: &Module) -> Vec<Vec<Drive<'_>>> {
    let mut out = vec![vec![]; module.signals.len()];
    for (target, drive) in block_drives(&module.body) {
        out[target.index()].push(drive);
    }
    out
}

/// The drives of a block in order, each with its target.
fn block_drives(body: &[Stmt]) -> Vec<(SignalId, Drive<'_>)> {
    let mut out = vec![];
    for stmt in body {
        match stmt {
            Stmt::Assign { target, part, value, .. } => {
                out.push((*target, Drive::Assign { part: *part, value: *value }));
            }
            Stmt::MemoryRead { memory, address, target, .. } => {
                out.push((*target, Drive::Read { memory: *memory, address: *address }));
            }
            Stmt::If { condition, .. } => {
                for (target, mut blocks) in by_target(stmt.blocks()) {
                    let otherwise = blocks.pop().expect("two blocks");
                    let then = blocks.pop().expect("two blocks");
                    out.push((target, Drive::If { condition: *condition, then, otherwise }));
                }
            }
            Stmt::Case(case) => {
                for (target, mut arms) in by_target(stmt.blocks()) {
                    let default = arms.split_off(case.arms.len()).pop();
                    out.push((target, Drive::Case { case, arms, default }));
                }
            }
            Stmt::MemoryWrite { .. } | Stmt::Check { .. } => {}
        }
    }
    out
}

/// For each signal driven in some of `blocks` what each block does for it, in the order in which the signals appear.
fn by_target<'a>(blocks: Vec<&'a [Stmt]>) -> Vec<(SignalId, Vec<Vec<Drive<'a>>>)> {
    let mut out: Vec<(SignalId, Vec<Vec<Drive<'a>>>)> = vec![];
    let mut position = HashMap::new();
    for (index, block) in blocks.iter().enumerate() {
        for (target, drive) in block_drives(block) {
            let at = *position.entry(target).or_insert_with(|| {
                out.push((target, vec![vec![]; blocks.len()]));
                out.len() - 1
            });
            out[at].1[index].push(drive);
        }
    }
    out
}

/// The memory ports and checks of `body` in order.
fn actions(body: &[Stmt]) -> Vec<Action<'_>> {
    fn visit<'a>(body: &'a [Stmt], guards: &mut Vec<Guard<'a>>, out: &mut Vec<Action<'a>>) {
        for stmt in body {
            let mut inside = |guard: Guard<'a>, body: &'a [Stmt]| {
                guards.push(guard);
                visit(body, guards, out);
                guards.pop();
            };
            match stmt {
                Stmt::If { condition, then, otherwise, .. } => {
                    inside(Guard::If(*condition, true), then);
                    inside(Guard::If(*condition, false), otherwise);
                }
                Stmt::Case(case) => {
                    for (index, arm) in case.arms.iter().enumerate() {
                        inside(Guard::Arm(case, Some(index)), &arm.body);
                    }
                    if let Some(default) = &case.default {
                        inside(Guard::Arm(case, None), default);
                    }
                }
                Stmt::MemoryWrite { .. } | Stmt::MemoryRead { .. } | Stmt::Check { .. } => {
                    out.push(Action { stmt, guards: guards.clone() });
                }
                Stmt::Assign { .. } => {}
            }
        }
    }
    let mut out = vec![];
    visit(body, &mut vec![], &mut out);
    out
}
