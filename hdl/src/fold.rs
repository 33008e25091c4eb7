//! Simplification of expressions as they are made: constants that fall out of generator loops, slices of slices, and
//! the like. Only what leaves the hardware as the author wrote it.

use crate::{ir::*, value::Value};

pub(crate) enum Folded {
    /// The value is that of an existing expression.
    Same(ExprId),
    Op(Op),
}

/// The simplest form of `op`, an operation of `module` that is `width` bits wide.
pub(crate) fn fold(module: &Module, op: Op, width: u32) -> Folded {
    let constant = |id: ExprId| match &module.expr(id).op {
        Op::Literal(value) => Some(value),
        _ => None,
    };
    let zero = |id: ExprId| constant(id).is_some_and(Value::is_zero);
    let ones = |id: ExprId| constant(id).is_some_and(Value::is_ones);
    let literal = |value: Value| Folded::Op(Op::Literal(value));
    let flag = |value: bool| literal(Value::new(1, value as u128));
    match &op {
        Op::Not(a) => match &module.expr(*a).op {
            Op::Literal(value) => literal(not(value)),
            Op::Not(inner) => Folded::Same(*inner),
            _ => Folded::Op(op),
        },
        Op::ReduceOr(a) | Op::ReduceAnd(a) | Op::ReduceXor(a) if module.expr(*a).width == 1 => {
            Folded::Same(*a)
        }
        Op::Binary(Binary::And, a, b) if zero(*a) || ones(*b) || a == b => Folded::Same(*a),
        Op::Binary(Binary::And, a, b) if zero(*b) || ones(*a) => Folded::Same(*b),
        Op::Binary(Binary::Or, a, b) if zero(*b) || ones(*a) || a == b => Folded::Same(*a),
        Op::Binary(Binary::Or, a, b) if zero(*a) || ones(*b) => Folded::Same(*b),
        Op::Binary(Binary::Xor | Binary::Add, a, b) if zero(*a) => Folded::Same(*b),
        Op::Binary(Binary::Xor | Binary::Add | Binary::Subtract, a, b) if zero(*b) => Folded::Same(*a),
        Op::Compare(compare, a, b) => {
            let same = a == b;
            match (compare, constant(*a), constant(*b)) {
                (Compare::Equal | Compare::LessOrEqual | Compare::SignedLessOrEqual, ..) if same => {
                    flag(true)
                }
                (Compare::NotEqual | Compare::Less | Compare::SignedLess, ..) if same => flag(false),
                (Compare::Equal, Some(a), Some(b)) => flag(a == b),
                (Compare::NotEqual, Some(a), Some(b)) => flag(a != b),
                (Compare::Less, Some(a), Some(b)) => flag(less(a, b)),
                (Compare::LessOrEqual, Some(a), Some(b)) => flag(!less(b, a)),
                (Compare::Less, _, Some(b)) if b.is_zero() => flag(false),
                (Compare::LessOrEqual, Some(a), _) if a.is_zero() => flag(true),
                (Compare::LessOrEqual, _, Some(b)) if b.is_ones() => flag(true),
                (Compare::Less, Some(a), _) if a.is_ones() => flag(false),
                _ => Folded::Op(op),
            }
        }
        Op::Mux(c, a, b) => match constant(*c) {
            Some(c) => Folded::Same(if c.is_zero() { *b } else { *a }),
            None if a == b => Folded::Same(*a),
            None if width == 1 && ones(*a) && zero(*b) => Folded::Same(*c),
            None => Folded::Op(op),
        },
        Op::Slice(a, low) => slice(module, *a, *low, width),
        Op::Select(index, options) => match constant(*index).and_then(Value::to_u128) {
            Some(index) => Folded::Same(options[(index as usize).min(options.len() - 1)]),
            None if options.iter().all(|option| *option == options[0]) => Folded::Same(options[0]),
            None => Folded::Op(op),
        },
        Op::Concat(parts) => match parts.iter().map(|part| constant(*part)).collect::<Option<Vec<_>>>() {
            Some(values) => {
                let low_first = values.into_iter().rev();
                literal(low_first.cloned().reduce(|low, high| low.concat(&high)).expect("two parts at least"))
            }
            None => Folded::Op(op),
        },
        Op::SignExtend(a) if module.expr(*a).width == width => Folded::Same(*a),
        _ => Folded::Op(op),
    }
}

/// Bits `low..low + width` of `a`.
fn slice(module: &Module, a: ExprId, low: u32, width: u32) -> Folded {
    let expr = module.expr(a);
    if low == 0 && width == expr.width {
        return Folded::Same(a);
    }
    match &expr.op {
        Op::Literal(value) => Folded::Op(Op::Literal(value.slice(low, width))),
        Op::Slice(inner, below) if expr.name.is_empty() => slice(module, *inner, low + below, width),
        Op::Concat(parts) => {
            let mut at = 0;
            for part in parts.iter().rev() {
                let part_width = module.expr(*part).width;
                if at <= low && low + width <= at + part_width {
                    return slice(module, *part, low - at, width);
                }
                at += part_width;
            }
            Folded::Op(Op::Slice(a, low))
        }
        _ => Folded::Op(Op::Slice(a, low)),
    }
}

fn not(value: &Value) -> Value {
    let limbs: Vec<u64> = value.limbs().iter().map(|limb| !limb).collect();
    Value::from_limbs(value.width(), &limbs)
}

fn less(a: &Value, b: &Value) -> bool {
    a.limbs().iter().rev().lt(b.limbs().iter().rev())
}
