//! Checks of a module when its description is complete, and of the design as a whole.

use crate::{context::Context, error::Error, ir::*};

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
    if module.black_box.as_ref().is_some_and(|primitive| !primitive.modelled) {
        return;
    }
    let mut faults = vec![];
    for (i, signal) in module.signals.iter().enumerate() {
        let id = SignalId(i as u32);
        let what = match &signal.kind {
            SignalKind::Register { .. } if !mentions(&module.body, id) => {
                faults.push((signal.loc, format!("register `{}` is never set", signal.name)));
                continue;
            }
            SignalKind::Output => "output",
            SignalKind::Wire => "wire",
            SignalKind::InstanceInput { .. } => "instance input",
            _ => continue,
        };
        let mut path = vec![];
        if !mentions(&module.body, id) {
            faults.push((signal.loc, format!("{what} `{}` is never set", signal.name)));
        } else if hole(module, &module.body, id, &mut path) {
            let path = path.join(" and ");
            faults.push((signal.loc, format!("{what} `{}` has no value where {path}", signal.name)));
        }
    }
    let unclocked = |id: DomainId| !module.domains[id.index()].clocked || !module.domains[id.index()].reset;
    walk(&module.body, &mut |stmt| {
        if let Stmt::Check { domain, loc, .. } = stmt
            && unclocked(*domain)
        {
            faults.push((loc, "a check needs a register with reset in its module and clock domain".into()));
        }
    });
    for (loc, message) in faults {
        context.report(loc, message);
    }
}

/// The checks that look across modules.
pub(crate) fn design(_design: &Design) -> Vec<Error> {
    vec![]
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
    let mut reads = vec![false; module.exprs.len()];
    for (i, expr) in module.exprs.iter().enumerate() {
        reads[i] = match &expr.op {
            Op::Signal(signal) => module.signal(*signal).ghost,
            op => op.operands().iter().any(|operand| reads[operand.index()]),
        };
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
        if is_hardware(module, stmt) && stmt.operands().iter().any(|operand| reads[operand.index()]) {
            let (Stmt::Assign { loc, .. }
            | Stmt::If { loc, .. }
            | Stmt::Case(Case { loc, .. })
            | Stmt::MemoryWrite { loc, .. }
            | Stmt::MemoryRead { loc, .. }
            | Stmt::Check { loc, .. }) = stmt;
            faults.push((*loc, "hardware reads a signal that is for verification only".into()));
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
