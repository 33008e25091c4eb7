//! The form of a module that is printed: expressions simplified ([`super::arena`]), choices by a dynamic index turned
//! into `case` statements, conditions that are constant decided.

use super::arena::Arena;
use crate::{ir::*, value::Value};
use std::collections::HashMap;

/// A copy of `module` to be printed, its expressions, and the wires that choices have become, each with the expression
/// that reads it.
pub(super) fn prepare(module: &Module) -> (Module, Arena, HashMap<SignalId, ExprId>) {
    let mut out = Module { exprs: vec![], body: vec![], ..module.clone() };
    let uses = uses(module);
    let mut rewriter = Rewriter {
        old: module,
        uses,
        map: HashMap::new(),
        arena: Arena::default(),
        choices: vec![],
        new: vec![],
        chosen: HashMap::new(),
    };
    // In the order of the source, which the text then follows.
    for id in (0..module.exprs.len()).filter(|id| rewriter.uses[*id] > 0).collect::<Vec<_>>() {
        rewriter.expr(ExprId(id as u32));
    }
    out.body = rewriter.block(&module.body);
    let Rewriter { arena, choices, new, chosen, .. } = rewriter;
    out.signals.extend(new);
    // A choice stands beside what it feeds only in the order of text, which is settled later.
    out.body.extend(choices.into_iter().map(|choice| Stmt::Case(choice.case)));
    (out, arena, chosen)
}

/// How often each expression is used by another or by a statement.
fn uses(module: &Module) -> Vec<u32> {
    let mut uses = vec![0; module.exprs.len()];
    let mut todo = vec![];
    walk(&module.body, &mut |stmt| todo.extend(stmt.operands()));
    while let Some(id) = todo.pop() {
        uses[id.index()] += 1;
        if uses[id.index()] == 1 {
            todo.extend(module.expr(id).op.operands());
        }
    }
    uses
}

/// All `Select`s by one index over equally many options.
struct Choice {
    index: ExprId,
    case: Case,
}

struct Rewriter<'a> {
    old: &'a Module,
    uses: Vec<u32>,
    map: HashMap<ExprId, ExprId>,
    arena: Arena,
    choices: Vec<Choice>,
    /// Wires that `choices` assign.
    new: Vec<Signal>,
    chosen: HashMap<SignalId, ExprId>,
}

impl Rewriter<'_> {
    fn block(&mut self, body: &[Stmt]) -> Vec<Stmt> {
        body.iter().flat_map(|stmt| self.stmt(stmt)).collect()
    }

    fn stmt(&mut self, stmt: &Stmt) -> Vec<Stmt> {
        let new = match stmt {
            Stmt::Assign { target, part, value, loc } => {
                let part = match part {
                    Part::Bit(index) => match self.old.constant(*index) {
                        Some(position) => {
                            let width = self.old.signal(*target).width;
                            match position.to_u128().filter(|position| *position < width as u128) {
                                Some(low) => Part::Slice { low: low as u32, width: 1 },
                                None => return vec![],
                            }
                        }
                        None => Part::Bit(self.expr(*index)),
                    },
                    part => *part,
                };
                Stmt::Assign { target: *target, part, value: self.expr(*value), loc }
            }
            Stmt::If { condition, then, otherwise, loc } => {
                if let Some(value) = self.old.constant(*condition) {
                    return if value.is_zero() { self.block(otherwise) } else { self.block(then) };
                }
                let condition = self.expr(*condition);
                let (then, otherwise) = (self.block(then), self.block(otherwise));
                Stmt::If { condition, then, otherwise, loc }
            }
            // A `case` of nothing but a default is what that says.
            Stmt::Case(case) if case.arms.is_empty() => {
                return case.default.as_ref().map(|body| self.block(body)).unwrap_or_default();
            }
            Stmt::Case(case) => {
                let selector = self.expr(case.selector);
                let arms = case.arms.iter();
                let arms =
                    arms.map(|arm| Arm { value: arm.value.clone(), body: self.block(&arm.body) }).collect();
                let default = case.default.as_ref().map(|body| self.block(body));
                Stmt::Case(Case { selector, arms, default, ..*case })
            }
            Stmt::MemoryWrite { memory, domain, address, data, lanes, loc } => {
                let lanes = lanes.filter(|lanes| !self.old.constant(*lanes).is_some_and(Value::is_ones));
                let (address, data) = (self.expr(*address), self.expr(*data));
                let lanes = lanes.map(|lanes| self.expr(lanes));
                Stmt::MemoryWrite { memory: *memory, domain: *domain, address, data, lanes, loc }
            }
            Stmt::MemoryRead { memory, address, target, loc } => {
                Stmt::MemoryRead { memory: *memory, address: self.expr(*address), target: *target, loc }
            }
            Stmt::Check { kind, name, message, condition, domain, loc } => {
                let condition = self.expr(*condition);
                let (kind, domain, name, message) = (*kind, *domain, name.clone(), message.clone());
                Stmt::Check { kind, name, message, condition, domain, loc }
            }
        };
        vec![new]
    }

    /// The expression of the new arena that stands for `root`.
    fn expr(&mut self, root: ExprId) -> ExprId {
        // A stack of its own: folds over tables make chains thousands of expressions long.
        let mut stack = vec![root];
        while let Some(&id) = stack.last() {
            if self.map.contains_key(&id) {
                stack.pop();
                continue;
            }
            let operands = self.old.expr(id).op.operands();
            let before = stack.len();
            stack.extend(operands.into_iter().filter(|operand| !self.map.contains_key(operand)));
            if stack.len() == before {
                let new = self.convert(id);
                self.map.insert(id, new);
                stack.pop();
            }
        }
        self.map[&root]
    }

    fn convert(&mut self, id: ExprId) -> ExprId {
        let old = self.old.expr(id);
        let next = self.arena.exprs.len();
        let map = |id: &ExprId| self.map[id];
        let maps = |ids: &[ExprId]| ids.iter().map(map).collect::<Vec<_>>();
        let op = match &old.op {
            op @ (Op::Literal(_) | Op::Variant(..) | Op::Signal(_)) => op.clone(),
            Op::Not(a) => Op::Not(map(a)),
            Op::ReduceOr(a) => Op::ReduceOr(map(a)),
            Op::ReduceAnd(a) => Op::ReduceAnd(map(a)),
            Op::ReduceXor(a) => Op::ReduceXor(map(a)),
            Op::Binary(binary, a, b) => Op::Binary(*binary, map(a), map(b)),
            Op::Multiply(a, b) => Op::Multiply(map(a), map(b)),
            Op::Compare(compare, a, b) => Op::Compare(*compare, map(a), map(b)),
            Op::Shift(shift, a, b) => Op::Shift(*shift, map(a), map(b)),
            Op::Mux(c, a, b) => Op::Mux(map(c), map(a), map(b)),
            Op::Slice(a, low) => Op::Slice(map(a), *low),
            Op::Index(a, b) => Op::Index(map(a), map(b)),
            Op::Concat(parts) => Op::Concat(maps(parts)),
            Op::SignExtend(a) => Op::SignExtend(map(a)),
            Op::MemoryPeek(memory, a) => Op::MemoryPeek(*memory, map(a)),
            Op::Cross(a) => Op::Cross(map(a)),
            Op::Select(index, options) => {
                let (index, options) = (map(index), maps(options));
                return self.select(id, index, options);
            }
        };
        let alias = matches!(op, Op::Signal(_) | Op::Variant(..));
        let new = self.arena.add(op, old.width, old.loc);
        if self.uses[id.index()] > 1 {
            self.arena.share(new);
        }
        if old.name.is_empty() || alias {
            return new;
        }
        let fresh = new.index() >= next;
        let plain = matches!(self.arena.exprs[new.index()].op, Op::Signal(_));
        self.arena.name(new, fresh && !plain, old)
    }

    /// Two options are a choice of two values; more become a wire that a `case` assigns.
    fn select(&mut self, id: ExprId, index: ExprId, mut options: Vec<ExprId>) -> ExprId {
        let old = self.old.expr(id);
        let loc = old.loc;
        while options.len() > 1 && options[options.len() - 2] == options[options.len() - 1] {
            options.pop();
        }
        let next = self.arena.exprs.len();
        let value = match options[..] {
            [only] => only,
            [zero, other] => {
                let first = self.arena.add(
                    Op::Literal(Value::zero(self.arena.width(index))),
                    self.arena.width(index),
                    loc,
                );
                let other_chosen = self.arena.add(Op::Compare(Compare::NotEqual, index, first), 1, loc);
                self.arena.add(Op::Mux(other_chosen, other, zero), old.width, loc)
            }
            _ => return self.choose(id, index, options),
        };
        if self.uses[id.index()] > 1 {
            self.arena.share(value);
        }
        if old.name.is_empty() { value } else { self.arena.name(value, value.index() > next, old) }
    }

    fn choose(&mut self, id: ExprId, index: ExprId, options: Vec<ExprId>) -> ExprId {
        let old = self.old.expr(id);
        let target = SignalId((self.old.signals.len() + self.new.len()) as u32);
        self.new.push(Signal {
            name: old.name.clone(),
            doc: old.doc.clone(),
            loc: old.loc,
            width: old.width,
            kind: SignalKind::Wire,
            flipped: false,
            enumeration: None,
            ghost: false,
        });
        let same = |choice: &Choice| choice.index == index && choice.case.arms.len() + 1 == options.len();
        let at = self.choices.iter().position(same).unwrap_or_else(|| {
            let width = self.arena.width(index);
            let arms =
                (0..options.len() - 1).map(|i| Arm { value: Value::new(width, i as u128), body: vec![] });
            let arms = arms.collect();
            let case = Case { selector: index, enumeration: None, arms, default: Some(vec![]), loc: old.loc };
            self.choices.push(Choice { index, case });
            self.choices.len() - 1
        });
        let Case { arms, default, .. } = &mut self.choices[at].case;
        let bodies = arms.iter_mut().map(|arm| &mut arm.body).chain(default.as_mut());
        for (body, &value) in bodies.zip(&options) {
            body.push(Stmt::Assign { target, part: Part::Whole, value, loc: old.loc });
        }
        let value = self.arena.add(Op::Signal(target), old.width, old.loc);
        self.chosen.insert(target, value);
        value
    }
}
