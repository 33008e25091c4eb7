//! Expressions of a module on its way to text, brought into the form in which an engineer would write them.
//!
//! The front end folds constants; what is done here only changes how hardware reads: `!(a == b)` becomes `a != b`, a
//! slice moves to where Verilog allows it, a one-bit choice becomes `&&` or `||`.

use crate::{ir::*, value::Value};

/// The expressions of a module, operands before what is made of them.
#[derive(Default)]
pub(super) struct Arena {
    pub exprs: Vec<Expr>,
    /// Whether more than one place of the source uses the expression: then it is worth a name of its own, and is not
    /// taken apart.
    shared: Vec<bool>,
}

impl Arena {
    pub fn width(&self, id: ExprId) -> u32 {
        self.exprs[id.index()].width
    }

    pub fn share(&mut self, id: ExprId) {
        self.shared[id.index()] = true;
    }

    /// Binds `id` to a name: the expression itself if it was made for this, else a copy.
    pub fn name(&mut self, id: ExprId, fresh: bool, from: &Expr) -> ExprId {
        let id = if fresh { id } else { self.push(Op::Cross(id), from.width, from.loc) };
        let expr = &mut self.exprs[id.index()];
        (expr.name, expr.doc, expr.loc) = (from.name.clone(), from.doc.clone(), from.loc);
        id
    }

    fn push(&mut self, op: Op, width: u32, loc: Loc) -> ExprId {
        self.exprs.push(Expr { op, width, loc, name: String::new(), doc: String::new() });
        self.shared.push(false);
        ExprId(self.exprs.len() as u32 - 1)
    }

    /// The operation behind `id`, unless that has a name to print.
    fn open(&self, id: ExprId) -> Option<&Op> {
        let expr = &self.exprs[id.index()];
        expr.name.is_empty().then_some(&expr.op)
    }

    /// The operation behind `id`, if nothing else uses it.
    fn sole(&self, id: ExprId) -> Option<&Op> {
        self.open(id).filter(|_| !self.shared[id.index()])
    }

    fn constant(&self, id: ExprId) -> Option<&Value> {
        match self.open(id) {
            Some(Op::Literal(value)) => Some(value),
            _ => None,
        }
    }

    fn is_zero(&self, id: ExprId) -> bool {
        self.constant(id).is_some_and(Value::is_zero)
    }

    fn is_ones(&self, id: ExprId) -> bool {
        self.constant(id).is_some_and(Value::is_ones)
    }

    fn literal(&mut self, value: Value, loc: Loc) -> ExprId {
        let width = value.width();
        self.push(Op::Literal(value), width, loc)
    }

    /// An expression with the value of `op`, whose operands are in this arena.
    pub fn add(&mut self, op: Op, width: u32, loc: Loc) -> ExprId {
        match op {
            Op::Slice(a, low) => self.slice(a, low, width, loc),
            Op::Concat(parts) => self.concat(parts, loc),
            Op::Not(a) => self.not(a, loc),
            Op::Compare(compare, a, b) => self.compare(compare, a, b, loc),
            Op::Mux(c, a, b) => self.mux(c, a, b, loc),
            Op::Binary(binary, a, b) => self.binary(binary, a, b, loc),
            // Verilator 5.006 gets the bits beside such a constant wrong where it finds it out late.
            Op::ReduceOr(a) if self.has_constant(a, true) => self.literal(Value::new(1, 1), loc),
            Op::ReduceAnd(a) if self.has_constant(a, false) => self.literal(Value::zero(1), loc),
            Op::ReduceOr(a) if self.has_zeros(a) => {
                let Some(Op::Concat(parts)) = self.sole(a).cloned() else { unreachable!("a row with zeros") };
                let rest = parts.into_iter().filter(|part| !self.is_zero(*part)).collect();
                let rest = self.concat(rest, loc);
                self.add(Op::ReduceOr(rest), 1, loc)
            }
            Op::ReduceOr(a) | Op::ReduceAnd(a) | Op::ReduceXor(a) if self.width(a) == 1 => a,
            Op::SignExtend(a) if self.width(a) == width => a,
            Op::SignExtend(a) => match self.constant(a) {
                Some(value) => {
                    let missing = width - value.width();
                    let ones = vec![u64::MAX; missing.div_ceil(64) as usize];
                    let sign = if value.bit(value.width() - 1) { &ones[..] } else { &[] };
                    let value = value.concat(&Value::from_limbs(missing, sign));
                    self.literal(value, loc)
                }
                None => self.push(op, width, loc),
            },
            Op::Shift(shift, a, b) => match self.constant(b) {
                Some(distance) if distance.is_zero() => a,
                Some(distance)
                    if shift != Shift::ArithmeticRight
                        && distance.to_u128().is_none_or(|distance| distance >= width as u128) =>
                {
                    self.literal(Value::zero(width), loc)
                }
                _ => self.push(op, width, loc),
            },
            Op::Index(vector, index) => match self.constant(index).and_then(Value::to_u128) {
                Some(index) => self.slice(vector, index as u32, 1, loc),
                None => self.push(op, width, loc),
            },
            Op::Cross(a) => a,
            op => self.push(op, width, loc),
        }
    }

    /// Whether a bit of it has this value for good.
    fn has_constant(&self, id: ExprId, bit: bool) -> bool {
        match self.open(id) {
            Some(Op::Literal(value)) => {
                if bit {
                    !value.is_zero()
                } else {
                    !value.is_ones()
                }
            }
            Some(Op::Concat(parts)) => parts.iter().any(|part| self.has_constant(*part, bit)),
            Some(Op::Not(a)) => self.has_constant(*a, !bit),
            _ => false,
        }
    }

    /// Whether some bit is a constant on both sides, and not the same one.
    fn always_differ(&self, a: ExprId, b: ExprId) -> bool {
        let plain = |id| !matches!(self.open(id), Some(Op::Literal(_) | Op::Concat(_) | Op::Not(_)));
        if plain(a) || plain(b) {
            return false;
        }
        let bits = |id, inverted| {
            let mut bits = vec![];
            self.constant_bits(id, inverted, &mut bits);
            bits
        };
        bits(a, true).into_iter().zip(bits(b, false)).any(|(a, b)| a.is_some() && a == b)
    }

    /// Appends the bits that are constant, the lowest first.
    fn constant_bits(&self, id: ExprId, inverted: bool, bits: &mut Vec<Option<bool>>) {
        match self.open(id) {
            Some(Op::Literal(value)) => {
                bits.extend((0..value.width()).map(|i| Some(value.bit(i) != inverted)));
            }
            Some(Op::Concat(parts)) => {
                parts.iter().rev().for_each(|part| self.constant_bits(*part, inverted, bits));
            }
            Some(Op::Not(a)) => self.constant_bits(*a, !inverted, bits),
            _ => bits.extend((0..self.width(id)).map(|_| None)),
        }
    }

    /// Whether it is a row of which a part, but not all, is zero.
    fn has_zeros(&self, id: ExprId) -> bool {
        let Some(Op::Concat(parts)) = self.sole(id) else { return false };
        parts.iter().any(|part| self.is_zero(*part)) && !parts.iter().all(|part| self.is_zero(*part))
    }

    fn slice(&mut self, a: ExprId, low: u32, width: u32, loc: Loc) -> ExprId {
        if low == 0 && width == self.width(a) {
            return a;
        }
        match self.open(a).cloned() {
            Some(Op::Literal(value)) => return self.literal(value.slice(low, width), loc),
            Some(Op::Slice(inner, below)) => return self.slice(inner, below + low, width, loc),
            Some(Op::SignExtend(inner)) if low + width <= self.width(inner) => {
                return self.slice(inner, low, width, loc);
            }
            Some(Op::Concat(parts)) => {
                let (mut at, mut pieces) = (0, vec![]);
                for part in parts.into_iter().rev() {
                    let end = at + self.width(part);
                    let (from, to) = (at.max(low), end.min(low + width));
                    if from < to {
                        pieces.push(self.slice(part, from - at, to - from, loc));
                    }
                    at = end;
                }
                pieces.reverse();
                return self.concat(pieces, loc);
            }
            _ => {}
        }
        match self.sole(a).cloned() {
            Some(Op::Not(inner)) => {
                let inner = self.slice(inner, low, width, loc);
                self.not(inner, loc)
            }
            Some(Op::Binary(binary, x, y))
                if low == 0 || !matches!(binary, Binary::Add | Binary::Subtract) =>
            {
                let (x, y) = (self.slice(x, low, width, loc), self.slice(y, low, width, loc));
                self.binary(binary, x, y, loc)
            }
            Some(Op::Mux(c, x, y)) => {
                let (x, y) = (self.slice(x, low, width, loc), self.slice(y, low, width, loc));
                self.mux(c, x, y, loc)
            }
            _ => self.push(Op::Slice(a, low), width, loc),
        }
    }

    /// Nested concatenations become one, neighbouring constants one constant and neighbouring slices one slice.
    fn concat(&mut self, parts: Vec<ExprId>, loc: Loc) -> ExprId {
        let mut flat: Vec<ExprId> = vec![];
        for part in parts {
            match self.sole(part) {
                Some(Op::Concat(inner)) => flat.extend(inner.clone()),
                _ => flat.push(part),
            }
        }
        let mut merged: Vec<ExprId> = vec![];
        for part in flat {
            let joined = merged.last().and_then(|&high| self.join(high, part, loc));
            match joined {
                Some(joined) => *merged.last_mut().expect("there is one to join with") = joined,
                None => merged.push(part),
            }
        }
        if let [only] = merged[..] {
            return only;
        }
        let width = merged.iter().map(|&part| self.width(part)).sum();
        self.push(Op::Concat(merged), width, loc)
    }

    fn join(&mut self, high: ExprId, low: ExprId, loc: Loc) -> Option<ExprId> {
        if let (Some(upper), Some(lower)) = (self.constant(high), self.constant(low)) {
            let value = lower.concat(upper);
            return Some(self.literal(value, loc));
        }
        let (&Op::Slice(base, from), &Op::Slice(other, below)) = (self.open(high)?, self.open(low)?) else {
            return None;
        };
        let (upper, lower) = (self.width(high), self.width(low));
        (base == other && below + lower == from).then(|| self.slice(base, below, upper + lower, loc))
    }

    fn not(&mut self, a: ExprId, loc: Loc) -> ExprId {
        let width = self.width(a);
        if let Some(Op::Not(inner)) = self.open(a) {
            return *inner;
        }
        if let Some(value) = self.constant(a) {
            let limbs: Vec<u64> = value.limbs().iter().map(|limb| !limb).collect();
            return self.literal(Value::from_limbs(width, &limbs), loc);
        }
        let plain = |id: ExprId| {
            let expr = &self.exprs[id.index()];
            !expr.name.is_empty() || matches!(expr.op, Op::Signal(_) | Op::Literal(_) | Op::Variant(..))
        };
        if let Some(&Op::Compare(compare, x, y)) = self.open(a)
            && (!self.shared[a.index()] || plain(x) && plain(y))
        {
            let (opposite, swapped) = match compare {
                Compare::Equal => (Compare::NotEqual, false),
                Compare::NotEqual => (Compare::Equal, false),
                Compare::Less => (Compare::LessOrEqual, true),
                Compare::LessOrEqual => (Compare::Less, true),
                Compare::SignedLess => (Compare::SignedLessOrEqual, true),
                Compare::SignedLessOrEqual => (Compare::SignedLess, true),
            };
            let (x, y) = if swapped { (y, x) } else { (x, y) };
            return self.push(Op::Compare(opposite, x, y), 1, loc);
        }
        self.push(Op::Not(a), width, loc)
    }

    fn binary(&mut self, binary: Binary, a: ExprId, b: ExprId, loc: Loc) -> ExprId {
        let width = self.width(a);
        let commutes = binary != Binary::Subtract;
        // Constants stand on the right.
        let (a, b) = if commutes && self.constant(a).is_some() { (b, a) } else { (a, b) };
        match binary {
            Binary::And if self.is_ones(b) => a,
            Binary::And if self.is_zero(b) => b,
            Binary::Or if self.is_ones(b) => b,
            _ if binary != Binary::And && self.is_zero(b) => a,
            Binary::Xor if self.is_ones(b) => self.not(a, loc),
            _ => self.push(Op::Binary(binary, a, b), width, loc),
        }
    }

    fn compare(&mut self, compare: Compare, a: ExprId, b: ExprId, loc: Loc) -> ExprId {
        let (a, b) = match compare {
            Compare::Equal | Compare::NotEqual if self.constant(a).is_some() => (b, a),
            _ => (a, b),
        };
        let one_bit = self.width(a) == 1;
        let constant = match compare {
            Compare::Less if self.is_zero(b) || self.is_ones(a) => Some(false),
            Compare::LessOrEqual if self.is_zero(a) || self.is_ones(b) => Some(true),
            Compare::SignedLess if self.is_lowest(b) || self.is_highest(a) => Some(false),
            Compare::SignedLessOrEqual if self.is_lowest(a) || self.is_highest(b) => Some(true),
            Compare::Equal | Compare::NotEqual if self.always_differ(a, b) => {
                Some(compare == Compare::NotEqual)
            }
            _ => None,
        };
        if let Some(value) = constant {
            return self.literal(Value::new(1, value as u128), loc);
        }
        match compare {
            Compare::Equal | Compare::NotEqual if one_bit && self.constant(b).is_some() => {
                if self.is_ones(b) == (compare == Compare::Equal) { a } else { self.not(a, loc) }
            }
            // What is left of an order of single bits.
            Compare::Less if one_bit => {
                let a = self.not(a, loc);
                self.binary(Binary::And, a, b, loc)
            }
            Compare::LessOrEqual if one_bit => {
                let a = self.not(a, loc);
                self.binary(Binary::Or, a, b, loc)
            }
            _ => self.push(Op::Compare(compare, a, b), 1, loc),
        }
    }

    /// The lowest signed number of its width.
    fn is_lowest(&self, id: ExprId) -> bool {
        self.constant(id).is_some_and(|v| (0..v.width()).all(|i| v.bit(i) == (i == v.width() - 1)))
    }

    /// The highest signed number of its width.
    fn is_highest(&self, id: ExprId) -> bool {
        self.constant(id).is_some_and(|v| (0..v.width()).all(|i| v.bit(i) == (i != v.width() - 1)))
    }

    pub fn mux(&mut self, c: ExprId, a: ExprId, b: ExprId, loc: Loc) -> ExprId {
        let width = self.width(a);
        if let Some(value) = self.constant(c) {
            return if value.is_zero() { b } else { a };
        }
        if a == b {
            return a;
        }
        if let Some(&Op::Not(inner)) = self.sole(c) {
            return self.mux(inner, b, a, loc);
        }
        if width == 1 {
            if self.is_zero(b) {
                return self.binary(Binary::And, c, a, loc);
            }
            if self.is_ones(a) {
                return self.binary(Binary::Or, c, b, loc);
            }
            if self.is_zero(a) {
                let c = self.not(c, loc);
                return self.binary(Binary::And, c, b, loc);
            }
            if self.is_ones(b) {
                let c = self.not(c, loc);
                return self.binary(Binary::Or, c, a, loc);
            }
        }
        self.push(Op::Mux(c, a, b), width, loc)
    }
}
