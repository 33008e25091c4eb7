//! What of a module reaches its outputs, its instances or its checks. The rest is not printed.

use crate::ir::*;

/// What something is needed for; in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Nothing,
    /// Checks only.
    Formal,
    Hardware,
}

pub(super) struct Live {
    pub signals: Vec<Need>,
    pub memories: Vec<Need>,
}

/// What decides each signal and the contents of each memory: the values and the conditions around the statements.
pub(super) struct Drivers {
    pub signals: Vec<Vec<ExprId>>,
    pub memories: Vec<Vec<ExprId>>,
    pub checks: Vec<ExprId>,
}

impl Drivers {
    pub fn new(module: &Module) -> Drivers {
        let mut drivers = Drivers {
            signals: vec![vec![]; module.signals.len()],
            memories: vec![vec![]; module.memories.len()],
            checks: vec![],
        };
        drivers.collect(&module.body, &mut vec![]);
        drivers
    }

    fn collect(&mut self, body: &[Stmt], conditions: &mut Vec<ExprId>) {
        for stmt in body {
            let driven = match stmt {
                Stmt::If { .. } | Stmt::Case(_) => {
                    conditions.extend(stmt.operands());
                    for block in stmt.blocks() {
                        self.collect(block, conditions);
                    }
                    conditions.pop();
                    continue;
                }
                Stmt::Assign { target, .. } | Stmt::MemoryRead { target, .. } => {
                    &mut self.signals[target.index()]
                }
                Stmt::MemoryWrite { memory, .. } => &mut self.memories[memory.index()],
                Stmt::Check { .. } => &mut self.checks,
            };
            driven.extend(stmt.operands());
            driven.extend(conditions.iter());
        }
    }
}

enum Thing {
    Signal(SignalId),
    Memory(MemoryId),
    Expr(ExprId),
}

/// Finds out what each signal and memory of `module` is needed for; `exprs` are the module's expressions.
pub(super) fn live(module: &Module, exprs: &[Expr], drivers: &Drivers) -> Live {
    let mut live = Live {
        signals: vec![Need::Nothing; module.signals.len()],
        memories: vec![Need::Nothing; module.memories.len()],
    };
    let outside = |signal: &Signal| {
        matches!(signal.kind, SignalKind::Input | SignalKind::Output | SignalKind::InstanceInput { .. })
            && !signal.ghost
    };
    let all = (0..module.signals.len()).map(|i| SignalId(i as u32));
    let roots = all.filter(|id| outside(module.signal(*id))).map(Thing::Signal).collect();
    let mut seen = vec![false; exprs.len()];
    mark(Need::Hardware, roots, module, exprs, drivers, &mut seen, &mut live);
    let checks = drivers.checks.iter().map(|id| Thing::Expr(*id)).collect();
    mark(Need::Formal, checks, module, exprs, drivers, &mut seen, &mut live);
    live
}

fn mark(
    need: Need,
    mut todo: Vec<Thing>,
    module: &Module,
    exprs: &[Expr],
    drivers: &Drivers,
    seen: &mut [bool],
    live: &mut Live,
) {
    while let Some(thing) = todo.pop() {
        let driven_by = match thing {
            Thing::Signal(id) if live.signals[id.index()] < need => {
                live.signals[id.index()] = need;
                if let SignalKind::MemoryRead { memory, .. } = module.signal(id).kind {
                    todo.push(Thing::Memory(memory));
                }
                &drivers.signals[id.index()]
            }
            Thing::Memory(id) if live.memories[id.index()] < need => {
                live.memories[id.index()] = need;
                &drivers.memories[id.index()]
            }
            Thing::Expr(id) if !seen[id.index()] => {
                seen[id.index()] = true;
                let op = &exprs[id.index()].op;
                match op {
                    Op::Signal(signal) => todo.push(Thing::Signal(*signal)),
                    Op::MemoryPeek(memory, _) => todo.push(Thing::Memory(*memory)),
                    _ => {}
                }
                todo.extend(op.operands().into_iter().map(Thing::Expr));
                continue;
            }
            _ => continue,
        };
        todo.extend(driven_by.iter().map(|id| Thing::Expr(*id)));
    }
}
