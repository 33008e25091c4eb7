//! Random expressions of a wanted width.

use super::*;
use hdl::{Collision, clog2};

const COMPARISONS: [Binary; 10] = [
    Binary::Equal,
    Binary::NotEqual,
    Binary::Less,
    Binary::LessOrEqual,
    Binary::Greater,
    Binary::GreaterOrEqual,
    Binary::SignedLess,
    Binary::SignedLessOrEqual,
    Binary::SignedGreater,
    Binary::SignedGreaterOrEqual,
];

const ARITHMETIC: [Binary; 7] =
    [Binary::Add, Binary::Subtract, Binary::Add, Binary::Subtract, Binary::And, Binary::Or, Binary::Xor];

const SHIFTS: [Shift; 4] = [Shift::Left, Shift::Right, Shift::ArithmeticRight, Shift::ArithmeticRight];

impl Generator<'_> {
    /// An expression of `width` bits that nests up to `depth` operations.
    pub fn expression(&mut self, context: Context, width: usize, depth: usize) -> NodeId {
        if self.random.chance(15)
            && let Some(known) = self.known(context, width)
        {
            return known;
        }
        if depth == 0 || self.random.chance(8) {
            return self.leaf(context, width);
        }
        match width {
            1 if self.random.chance(70) => self.condition(context, depth - 1),
            _ => self.operation(context, width, depth - 1),
        }
    }

    /// An expression that is there already.
    fn known(&mut self, context: Context, width: usize) -> Option<NodeId> {
        let fits = |id: &NodeId| {
            let (rank, domain) = self.facts[*id];
            self.module.nodes[*id].width == width
                && rank < context.limit
                && domain.is_none_or(|domain| domain == context.domain)
        };
        let all: Vec<NodeId> = (0..self.module.nodes.len()).filter(fits).collect();
        if all.is_empty() { None } else { Some(*self.random.pick(&all)) }
    }

    /// A signal, or as much of one as fits.
    pub fn leaf(&mut self, context: Context, width: usize) -> NodeId {
        if self.random.chance(12) {
            let number = self.number(width);
            return self.literal(number);
        }
        if !self.module.memories.is_empty()
            && self.random.chance(20)
            && let Some(word) = self.word(context)
        {
            return self.adapt(context, word, width);
        }
        let usable = |source: &Source| source.rank < context.limit && source.domain == context.domain;
        let all: Vec<usize> = (0..self.sources.len()).filter(|&i| usable(&self.sources[i])).collect();
        let exact: Vec<usize> = all.iter().copied().filter(|&i| self.sources[i].width == width).collect();
        if all.is_empty() {
            let number = self.number(width);
            return self.literal(number);
        }
        let from = if exact.is_empty() || self.random.chance(30) { all } else { exact };
        let index = *self.random.pick(&from);
        let source = self.read(index);
        self.adapt(context, source, width)
    }

    /// `width` bits of `id`, or made of it.
    fn adapt(&mut self, context: Context, id: NodeId, width: usize) -> NodeId {
        let own = self.module.nodes[id].width;
        if own > width {
            let anywhere = self.random.below(own - width + 1);
            let low = *self.random.pick(&[0, own - width, anywhere]);
            return self.combine(Op::Slice(id, low), width);
        }
        if own == width {
            return id;
        }
        match self.random.below(4) {
            0 => self.combine(Op::Unary(Unary::SignExtend, id), width),
            1 if width.is_multiple_of(own) => self.combine(Op::Repeat(id, width / own), width),
            2 => {
                let rest = self.leaf(context, width - own);
                let parts = if self.random.chance(50) { vec![id, rest] } else { vec![rest, id] };
                self.combine(Op::Concat(parts), width)
            }
            _ => self.combine(Op::Unary(Unary::ZeroExtend, id), width),
        }
    }

    /// An address of a memory of this depth.
    pub fn address(&mut self, context: Context, depth: usize) -> NodeId {
        let nesting = self.random.below(3);
        self.expression(context, clog2(depth), nesting)
    }

    /// A word of a memory that may be read in this domain.
    fn word(&mut self, context: Context) -> Option<NodeId> {
        let memory = self.random.below(self.module.memories.len());
        let Memory { width, depth, domain, crossing, .. } = self.module.memories[memory];
        let own = domain == context.domain;
        if own && self.module.memories[memory].collision != Collision::ReadNew && self.random.chance(40) {
            let address = self.address(context, depth);
            let rank = self.facts[address].0;
            return Some(self.push(Op::Peek { memory, address }, width, rank, Some(domain)));
        }
        if !own && !crossing || self.reads == 0 {
            return None;
        }
        self.reads -= 1;
        let anything = Context { limit: ANY, ..context };
        let address = self.address(anything, depth);
        let conditions = (0..self.random.below(3)).map(|_| self.expression(anything, 1, 1)).collect();
        let op = Op::Read { memory, address, conditions, domain: context.domain };
        Some(self.push(op, width, 0, Some(context.domain)))
    }

    /// One bit that tells something about other values.
    pub fn condition(&mut self, context: Context, depth: usize) -> NodeId {
        let width = self.width();
        match self.random.below(10) {
            0..6 => {
                let (a, b) = (self.expression(context, width, depth), self.expression(context, width, depth));
                let comparison = *self.random.pick(&COMPARISONS);
                self.combine(Op::Binary(comparison, a, b), 1)
            }
            6 | 7 => {
                let a = self.expression(context, width, depth);
                let op = *self.random.pick(&[Unary::Any, Unary::All, Unary::Parity]);
                self.combine(Op::Unary(op, a), 1)
            }
            _ => {
                let width = width.min(70);
                let vector = self.expression(context, width, depth);
                let index = self.expression(context, clog2(width), depth.min(2));
                self.combine(Op::At(vector, index), 1)
            }
        }
    }

    fn operation(&mut self, context: Context, width: usize, depth: usize) -> NodeId {
        match self.random.below(24) {
            0..2 => {
                let a = self.expression(context, width, depth);
                let op = *self.random.pick(&[Unary::Not, Unary::Negate, Unary::Reverse]);
                self.combine(Op::Unary(op, a), width)
            }
            2..7 => {
                let (a, b) = (self.expression(context, width, depth), self.expression(context, width, depth));
                let op = *self.random.pick(&ARITHMETIC);
                self.combine(Op::Binary(op, a, b), width)
            }
            7..11 => {
                let a = self.expression(context, width, depth);
                let distance = self.distance(context, width, depth);
                let shift = *self.random.pick(&SHIFTS);
                self.combine(Op::Shift(shift, a, distance), width)
            }
            11..13 => {
                let condition = self.expression(context, 1, depth);
                let (a, b) = (self.expression(context, width, depth), self.expression(context, width, depth));
                self.combine(Op::Mux(condition, a, b), width)
            }
            13..15 => {
                let count = *self.random.pick(&[1, 2, 2, 3, 4, 5, 9]);
                let index = self.expression(context, clog2(count), depth.min(2));
                let depth = depth.min(3);
                let options = (0..count).map(|_| self.expression(context, width, depth)).collect();
                self.combine(Op::Select(index, options), width)
            }
            15..17 => {
                let total = width + 1 + self.random.below(40);
                let a = self.expression(context, total, depth);
                let low = self.random.below(total - width + 1);
                self.combine(Op::Slice(a, low), width)
            }
            17..24 if width == 1 => self.condition(context, depth),
            17..20 => self.concatenation(context, width, depth),
            20 => {
                let narrow = 1 + self.random.below(width - 1);
                let a = self.expression(context, narrow, depth);
                let op = *self.random.pick(&[Unary::ZeroExtend, Unary::SignExtend]);
                self.combine(Op::Unary(op, a), width)
            }
            21 => {
                let (a, b) =
                    (self.expression(context, width - 1, depth), self.expression(context, width - 1, depth));
                self.combine(Op::Binary(Binary::WideAdd, a, b), width)
            }
            22 => {
                let left = 1 + self.random.below(width - 1);
                let a = self.expression(context, left, depth);
                let b = self.expression(context, width - left, depth);
                self.combine(Op::Binary(Binary::WideMultiply, a, b), width)
            }
            _ => {
                let divides: Vec<usize> = (2..=width).filter(|&count| width.is_multiple_of(count)).collect();
                let count = *self.random.pick(&divides);
                let a = self.expression(context, width / count, depth);
                self.combine(Op::Repeat(a, count), width)
            }
        }
    }

    fn concatenation(&mut self, context: Context, width: usize, depth: usize) -> NodeId {
        let mut left = width;
        let mut parts = vec![];
        while left > 0 {
            let part = if parts.len() == 3 { left } else { 1 + self.random.below(left) };
            left -= part;
            parts.push(self.expression(context, part, depth));
        }
        match parts[..] {
            [part] => part,
            _ => self.combine(Op::Concat(parts), width),
        }
    }

    /// The distance of a shift: often about the width, sometimes far beyond.
    fn distance(&mut self, context: Context, width: usize, depth: usize) -> NodeId {
        let bits = match self.random.below(6) {
            0..4 => clog2(width) + self.random.below(2),
            4 => 1 + self.random.below(clog2(width)),
            _ => 1 + self.random.below(16),
        };
        let bits = bits.min(16);
        if self.random.chance(30) {
            let near = [0, 1, width - 1, width, width + 1, (1 << bits) - 1];
            let distance = *self.random.pick(&near) % (1 << bits);
            return self.literal(Number::new(bits, distance as u128));
        }
        self.expression(context, bits, depth.min(3))
    }
}
