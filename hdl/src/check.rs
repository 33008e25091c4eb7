//! Checks of a module when its description is complete, and of the design as a whole.

use crate::{context::Context, crossing, error::Error, ir::*, loops};

/// What must be looked at before wires are split: faults that the author sees as one.
pub(crate) fn before_split(context: &mut Context) {
    let module = &context.module().clone();
    let mut faults = vec![];
    overridden(module, &module.body, &mut faults);
    ghosts(module, &mut faults);
    for (loc, message) in faults {
        context.report(loc, message);
    }
}

/// What the author must have set, and on every path.
pub(crate) fn after_split(context: &mut Context) {
    let module = &context.module().clone();
    let parts = context.frame().parts.clone();
    if module.black_box.as_ref().is_some_and(|primitive| !primitive.modelled) {
        return;
    }
    let mut faults = vec![];
    for (i, signal) in module.signals.iter().enumerate() {
        let id = SignalId(i as u32);
        if matches!(
            signal.kind,
            SignalKind::Input | SignalKind::MemoryRead { .. } | SignalKind::InstanceOutput { .. }
        ) {
            continue;
        }
        let name = match parts.get(&id) {
            None => name(signal),
            Some(&(whole, low)) if signal.width == 1 => {
                format!("bit {low} of {}", name(module.signal(whole)))
            }
            Some(&(whole, low)) => {
                format!("part {}:{low} of {}", low + signal.width - 1, name(module.signal(whole)))
            }
        };
        let mut path = vec![];
        if !mentions(&module.body, id) {
            faults.push((signal.loc, format!("{name} is never set")));
        } else if !matches!(signal.kind, SignalKind::Register { .. })
            && hole(module, &module.body, id, &mut path)
        {
            faults.push((signal.loc, format!("{name} has no value where {}", path.join(" and "))));
        }
    }
    for (i, memory) in module.memories.iter().enumerate() {
        let mut written = memory.initial.is_some();
        walk(&module.body, &mut |stmt| {
            written |= matches!(stmt, Stmt::MemoryWrite { memory, .. } if memory.index() == i);
        });
        if !written {
            let message = format!("memory `{}` is never written and has no initial contents", memory.name);
            faults.push((memory.loc, message));
        }
    }
    let lacks = |id: DomainId| !module.domains[id.index()].clocked || !module.domains[id.index()].reset;
    let mut need = |loc, what: &str| {
        faults.push((loc, format!("{what} needs a register with reset in its module and clock domain")));
    };
    for signal in module.signals.iter().filter(|signal| signal.ghost) {
        if matches!(signal.kind, SignalKind::Register { domain, .. } if lacks(domain)) {
            need(signal.loc, &format!("`{}`, for verification only,", signal.name));
        }
    }
    walk(&module.body, &mut |stmt| {
        if let Stmt::Check { domain, loc, .. } = stmt
            && lacks(*domain)
        {
            need(*loc, "a check");
        }
    });
    for (loc, message) in faults {
        context.report(loc, message);
    }
}

/// The checks that look across modules.
pub(crate) fn design(design: &Design) -> Vec<Error> {
    let mut errors = loops::check_loops(design);
    errors.extend(crossing::check_crossings(design));
    errors
}

/// How messages call a signal.
fn name(signal: &Signal) -> String {
    let what = match signal.kind {
        SignalKind::Input => "input",
        SignalKind::Output => "output",
        SignalKind::Wire => "wire",
        SignalKind::Register { .. } => "register",
        SignalKind::MemoryRead { .. } => "memory read",
        SignalKind::InstanceInput { .. } => "instance input",
        SignalKind::InstanceOutput { .. } => "instance output",
    };
    format!("{what} `{}`", signal.name)
}

/// Whether `body` assigns `target` somewhere.
fn mentions(body: &[Stmt], target: SignalId) -> bool {
    let mut found = false;
    walk(body, &mut |stmt| found |= matches!(stmt, Stmt::Assign { target: t, .. } if *t == target));
    found
}

/// Whether one part of a signal lies within another.
fn covers(outer: Part, inner: Part) -> bool {
    match (outer, inner) {
        (Part::Whole, _) => true,
        (Part::Slice { low, width }, Part::Slice { low: l, width: w }) => low <= l && l + w <= low + width,
        (Part::Bit(a), Part::Bit(b)) => a == b,
        _ => false,
    }
}

/// Assignments that make an earlier one of their block pointless.
fn overridden(module: &Module, body: &[Stmt], faults: &mut Vec<(Loc, String)>) {
    for (i, stmt) in body.iter().enumerate() {
        if let Stmt::Assign { target, part, loc, .. } = stmt {
            let mut earlier = None;
            walk(&body[..i], &mut |stmt| match stmt {
                Stmt::Assign { target: t, part: p, loc, .. } if t == target && covers(*part, *p) => {
                    earlier = Some(*loc)
                }
                _ => {}
            });
            if let Some(earlier) = earlier {
                let name = &module.signal(*target).name;
                let message = format!("`{name}` is set twice: this assignment undoes the one at {earlier}");
                faults.push((loc, message));
            }
        }
        for block in stmt.blocks() {
            overridden(module, block, faults);
        }
    }
}

/// Hardware that reads what exists for checks only.
fn ghosts(module: &Module, faults: &mut Vec<(Loc, String)>) {
    // A ghost that each expression reads.
    let mut reads: Vec<Option<SignalId>> = vec![];
    for expr in &module.exprs {
        reads.push(match &expr.op {
            Op::Signal(signal) => Some(*signal).filter(|signal| module.signal(*signal).ghost),
            op => op.operands().iter().find_map(|operand| reads[operand.index()]),
        });
    }
    fn is_hardware(module: &Module, stmt: &Stmt) -> bool {
        match stmt {
            Stmt::Assign { target, .. } | Stmt::MemoryRead { target, .. } => !module.signal(*target).ghost,
            Stmt::MemoryWrite { .. } => true,
            Stmt::Check { .. } => false,
            stmt => stmt.blocks().iter().any(|block| block.iter().any(|stmt| is_hardware(module, stmt))),
        }
    }
    walk(&module.body, &mut |stmt| {
        let ghost = stmt.operands().iter().find_map(|operand| reads[operand.index()]);
        if let Some(ghost) = ghost.filter(|_| is_hardware(module, stmt)) {
            let (Stmt::Assign { loc, .. }
            | Stmt::If { loc, .. }
            | Stmt::Case(Case { loc, .. })
            | Stmt::MemoryWrite { loc, .. }
            | Stmt::MemoryRead { loc, .. }
            | Stmt::Check { loc, .. }) = stmt;
            let ghost = &module.signal(ghost).name;
            faults.push((*loc, format!("hardware reads `{ghost}`, which is for verification only")));
        }
    });
}

/// How messages call a condition.
fn call(module: &Module, id: ExprId) -> String {
    let expr = module.expr(id);
    let name = match &expr.op {
        Op::Signal(signal) => &module.signal(*signal).name,
        _ => &expr.name,
    };
    if name.is_empty() { format!("the condition at {}", expr.loc) } else { format!("`{name}`") }
}

/// Whether `body` leaves `target` without a value on some path, which `path` then tells.
fn hole(module: &Module, body: &[Stmt], target: SignalId, path: &mut Vec<String>) -> bool {
    let mut found = true;
    let start = path.len();
    for stmt in body {
        if !mentions(std::slice::from_ref(stmt), target) {
            continue;
        }
        path.truncate(start);
        found = match stmt {
            Stmt::Assign { .. } => false,
            Stmt::If { condition, then, otherwise, .. } => {
                let condition = call(module, *condition);
                branch(module, otherwise, target, path, format!("{condition} is false"))
                    || branch(module, then, target, path, format!("{condition} is true"))
            }
            Stmt::Case(case) => case_hole(module, case, target, path),
            _ => true,
        };
        if !found {
            return false;
        }
    }
    found
}

fn branch(module: &Module, body: &[Stmt], target: SignalId, path: &mut Vec<String>, step: String) -> bool {
    path.push(step);
    let found = hole(module, body, target, path);
    if !found {
        path.pop();
    }
    found
}

fn case_hole(module: &Module, case: &Case, target: SignalId, path: &mut Vec<String>) -> bool {
    let selector = call(module, case.selector);
    for (i, arm) in case.arms.iter().enumerate() {
        let value = match case.enumeration {
            Some(id) => module.enums[id.index()].variants[i].name.clone(),
            None => format!("{:?}", arm.value),
        };
        if branch(module, &arm.body, target, path, format!("{selector} is {value}")) {
            return true;
        }
    }
    let width = module.expr(case.selector).width;
    let exhaustive = case.enumeration.is_some() || width < 20 && case.arms.len() == 1 << width;
    let default = case.default.as_deref().unwrap_or(&[]);
    !exhaustive && branch(module, default, target, path, format!("{selector} is anything else"))
}
