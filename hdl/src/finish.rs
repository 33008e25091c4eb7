//! The last steps of a module: what the front end lets authors write, in the form that [`crate::ir`] promises.

use crate::{context::Frame, fold, ir::*, names, value::Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Frame {
    /// A new expression, or an older equal one.
    fn intern(&mut self, op: Op, width: u32, loc: Loc) -> ExprId {
        let op = match fold::fold(&self.module, op, width) {
            fold::Folded::Same(id) => return id,
            fold::Folded::Op(op) => op,
        };
        let next = ExprId(self.module.exprs.len() as u32);
        let id = *self.known.entry((op.clone(), width)).or_insert(next);
        if id == next {
            self.module.exprs.push(Expr { op, width, loc, name: String::new(), doc: String::new() });
        }
        id
    }
}

/// A piece of a wire that was assigned in parts.
struct Segment {
    low: u32,
    width: u32,
    signal: SignalId,
    expr: ExprId,
}

/// Makes one wire of each part of a wire, output or instance input that is assigned in parts: tools look at whole
/// wires when they search for loops, and the parts have drivers of their own.
pub(crate) fn split_wires(frame: &mut Frame) {
    let mut cuts: BTreeMap<SignalId, BTreeSet<u32>> = BTreeMap::new();
    walk(&frame.module.body, &mut |stmt| {
        let Stmt::Assign { target, part, .. } = stmt else { return };
        let signal = frame.module.signal(*target);
        if matches!(signal.kind, SignalKind::Register { .. }) {
            return;
        }
        match part {
            Part::Whole => {}
            Part::Slice { low, width } => cuts.entry(*target).or_default().extend([*low, low + width]),
            Part::Bit(_) => cuts.entry(*target).or_default().extend(0..signal.width),
        }
    });
    if cuts.is_empty() {
        return;
    }
    let mut segments: HashMap<SignalId, Vec<Segment>> = HashMap::new();
    for (target, mut points) in cuts {
        let whole = frame.module.signal(target).clone();
        points.extend([0, whole.width]);
        let points: Vec<u32> = points.into_iter().collect();
        let parts: Vec<Segment> =
            points.windows(2).map(|ends| make_segment(frame, &whole, ends[0], ends[1] - ends[0])).collect();
        frame.parts.extend(parts.iter().map(|part| (part.signal, (target, part.low))));
        segments.insert(target, parts);
    }
    for i in 0..frame.module.exprs.len() {
        redirect_slice(frame, &segments, i);
    }
    let body = std::mem::take(&mut frame.module.body);
    frame.module.body = rewrite(frame, &segments, body);
    let mut targets: Vec<_> = segments.into_iter().collect();
    targets.sort_by_key(|(target, _)| *target);
    for (target, parts) in targets {
        let (width, loc) = (frame.module.signal(target).width, frame.module.signal(target).loc);
        let high_first = parts.iter().rev().map(|part| part.expr).collect();
        let value = frame.intern(Op::Concat(high_first), width, loc);
        frame.module.body.push(Stmt::Assign { target, part: Part::Whole, value, loc });
    }
}

fn make_segment(frame: &mut Frame, whole: &Signal, low: u32, width: u32) -> Segment {
    let name = match width {
        1 => format!("{}_{low}", whole.name),
        _ => format!("{}_{}_{low}", whole.name, low + width - 1),
    };
    let name = names::unique(&mut frame.taken, &name, "");
    let (doc, kind) = (String::new(), SignalKind::Wire);
    let signal = SignalId(frame.module.signals.len() as u32);
    frame.module.signals.push(Signal { name, doc, width, kind, enumeration: None, ..whole.clone() });
    let expr = frame.intern(Op::Signal(signal), width, whole.loc);
    frame.signal_exprs.push(expr);
    Segment { low, width, signal, expr }
}

/// Lets a slice that lies in one segment read that segment.
fn redirect_slice(frame: &mut Frame, segments: &HashMap<SignalId, Vec<Segment>>, index: usize) {
    let exprs = &mut frame.module.exprs;
    let Op::Slice(vector, low) = exprs[index].op else { return };
    let Op::Signal(signal) = exprs[vector.index()].op else { return };
    let width = exprs[index].width;
    let mut parts = segments.get(&signal).into_iter().flatten();
    let inside = parts.find(|part| part.low <= low && low + width <= part.low + part.width);
    let Some(part) = inside else { return };
    if part.width == width {
        exprs[index].op = Op::Signal(part.signal);
        exprs[index].name.clear();
    } else {
        exprs[index].op = Op::Slice(part.expr, low - part.low);
    }
}

fn rewrite(frame: &mut Frame, segments: &HashMap<SignalId, Vec<Segment>>, body: Vec<Stmt>) -> Vec<Stmt> {
    let mut out = vec![];
    for stmt in body {
        match stmt {
            Stmt::If { condition, then, otherwise, loc } => {
                let then = rewrite(frame, segments, then);
                let otherwise = rewrite(frame, segments, otherwise);
                out.push(Stmt::If { condition, then, otherwise, loc });
            }
            Stmt::Case(mut case) => {
                for arm in &mut case.arms {
                    arm.body = rewrite(frame, segments, std::mem::take(&mut arm.body));
                }
                case.default = case.default.map(|body| rewrite(frame, segments, body));
                out.push(Stmt::Case(case));
            }
            Stmt::Assign { target, part, value, loc } if segments.contains_key(&target) => {
                let parts = &segments[&target];
                let assign = |part: &Segment, value| Stmt::Assign {
                    target: part.signal,
                    part: Part::Whole,
                    value,
                    loc,
                };
                match part {
                    Part::Bit(selector) => {
                        let width = frame.module.expr(selector).width;
                        let arms = parts.iter().map(|part| Arm {
                            value: Value::new(width, part.low as u128),
                            body: vec![assign(part, value)],
                        });
                        let arms = arms.collect();
                        out.push(Stmt::Case(Case { selector, enumeration: None, arms, default: None, loc }));
                    }
                    Part::Whole | Part::Slice { .. } => {
                        let base = if let Part::Slice { low, .. } = part { low } else { 0 };
                        let end = base + frame.module.expr(value).width;
                        for part in parts.iter().filter(|part| base <= part.low && part.low < end) {
                            let op = Op::Slice(value, part.low - base);
                            let value = frame.intern(op, part.width, loc);
                            out.push(assign(part, value));
                        }
                    }
                }
            }
            stmt => out.push(stmt),
        }
    }
    out
}

/// Marks which clocks and resets of the module something uses. Ghosts and checks use what is there.
pub(crate) fn mark_domains(module: &mut Module, modules: &[Option<Module>]) {
    let mut clocked = vec![false; module.domains.len()];
    let mut reset = clocked.clone();
    for signal in module.signals.iter().filter(|signal| !signal.ghost) {
        match &signal.kind {
            SignalKind::Register { domain, reset: value } => {
                clocked[domain.index()] = true;
                reset[domain.index()] |= value.is_some();
            }
            SignalKind::MemoryRead { domain, .. } => clocked[domain.index()] = true,
            _ => {}
        }
    }
    walk(&module.body, &mut |stmt| {
        if let Stmt::MemoryWrite { domain, .. } = stmt {
            clocked[domain.index()] = true;
        }
    });
    for instance in &module.instances {
        let child =
            modules[instance.module.index()].as_ref().expect("instances are finished before their parent");
        for (domain, binding) in child.domains.iter().zip(&instance.domains) {
            clocked[binding.index()] |= domain.clocked;
            reset[binding.index()] |= domain.reset;
        }
    }
    for (i, domain) in module.domains.iter_mut().enumerate() {
        (domain.clocked, domain.reset) = (clocked[i], reset[i]);
    }
}
