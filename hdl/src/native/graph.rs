//! The design as operations on words of up to 64 bits: shared, constant-folded and simplified as they are made.

use std::collections::HashMap;

/// A word-sized value. Its bits above [`Graph::width`] are 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Node(pub u32);

/// How a word comes about. Results are cut to the node's width where the operation can exceed it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Constant(u64),
    /// A word that something outside of the graph sets: an input or (a part of) a register.
    State(u32),
    And(Node, Node),
    Or(Node, Node),
    Xor(Node, Node),
    Add(Node, Node),
    Subtract(Node, Node),
    Multiply(Node, Node),
    /// The upper 64 bits of a product.
    MultiplyHigh(Node, Node),
    Equal(Node, Node),
    NotEqual(Node, Node),
    Less(Node, Node),
    LessOrEqual(Node, Node),
    /// Of two's complement numbers of this many bits.
    SignedLess(Node, Node, u8),
    /// A distance of 64 or more shifts all out.
    ShiftLeft(Node, Node),
    ShiftRight(Node, Node),
    /// 64 bits of `high:low` from bit `distance` (0 to 64) up.
    Funnel {
        high: Node,
        low: Node,
        distance: Node,
    },
    /// One bit at a position modulo 64.
    Bit(Node, Node),
    Mux(Node, Node, Node),
    /// From this bit up.
    Extract(Node, u8),
    /// `high << at | low`; `low` has at most `at` bits.
    Join {
        high: Node,
        low: Node,
        at: u8,
    },
    /// As [`Kind::Join`], where `high` is a piece of `word` from bit `from` up that fills the node's width.
    Place {
        word: Node,
        from: u8,
        low: Node,
        at: u8,
    },
    /// From a two's complement number of this many bits.
    SignExtend(Node, u8),
    Parity(Node),
    /// `options[index]`, the last for an index beyond.
    Table(Node, Box<[Node]>),
    /// One word of the element of a memory at this address.
    Peek {
        memory: u32,
        limb: u32,
        address: Node,
    },
    /// The operand: keeps a register's next value apart from another register.
    Copy(Node),
}

impl Kind {
    pub fn operands(&self) -> Vec<Node> {
        match self {
            Kind::Constant(_) | Kind::State(_) => vec![],
            Kind::Extract(a, _) | Kind::SignExtend(a, _) | Kind::Parity(a) | Kind::Copy(a) => vec![*a],
            Kind::Peek { address, .. } => vec![*address],
            Kind::And(a, b)
            | Kind::Or(a, b)
            | Kind::Xor(a, b)
            | Kind::Add(a, b)
            | Kind::Subtract(a, b)
            | Kind::Multiply(a, b)
            | Kind::MultiplyHigh(a, b)
            | Kind::Equal(a, b)
            | Kind::NotEqual(a, b)
            | Kind::Less(a, b)
            | Kind::LessOrEqual(a, b)
            | Kind::SignedLess(a, b, _)
            | Kind::ShiftLeft(a, b)
            | Kind::ShiftRight(a, b)
            | Kind::Bit(a, b) => vec![*a, *b],
            Kind::Funnel { high, low, distance } => vec![*high, *low, *distance],
            Kind::Join { high, low, .. } => vec![*high, *low],
            Kind::Place { word, low, .. } => vec![*word, *low],
            Kind::Mux(c, a, b) => vec![*c, *a, *b],
            Kind::Table(index, options) => [*index].iter().chain(options).copied().collect(),
        }
    }
}

#[derive(Default)]
pub(super) struct Graph {
    /// Operands come before what uses them.
    pub nodes: Vec<(Kind, u8)>,
    known: HashMap<(Kind, u8), Node>,
}

/// Ones in the low `width` (0 to 64) bits.
pub(super) fn mask(width: u8) -> u64 {
    u64::MAX.checked_shr(64 - width as u32).unwrap_or(0)
}

impl Graph {
    pub fn kind(&self, node: Node) -> &Kind {
        &self.nodes[node.0 as usize].0
    }

    /// An upper bound for the bits of the node.
    pub fn width(&self, node: Node) -> u8 {
        self.nodes[node.0 as usize].1
    }

    pub fn as_constant(&self, node: Node) -> Option<u64> {
        match self.kind(node) {
            Kind::Constant(value) => Some(*value),
            _ => None,
        }
    }

    fn node(&mut self, kind: Kind, width: u8) -> Node {
        let next = Node(self.nodes.len() as u32);
        *self.known.entry((kind, width)).or_insert_with_key(|key| {
            self.nodes.push(key.clone());
            next
        })
    }

    pub fn constant(&mut self, value: u64) -> Node {
        self.node(Kind::Constant(value), 64 - value.leading_zeros() as u8)
    }

    pub fn state(&mut self, index: u32, width: u8) -> Node {
        self.node(Kind::State(index), width)
    }

    /// Both operands' values if they are constant; of commutative operations constants come second.
    fn constants(&self, a: Node, b: Node) -> (Option<u64>, Option<u64>) {
        (self.as_constant(a), self.as_constant(b))
    }

    /// The operands of a commutative operation in their standard order.
    fn ordered(&self, a: Node, b: Node) -> (Node, Node) {
        let last = |node| (self.as_constant(node).is_some(), node);
        if last(a) <= last(b) { (a, b) } else { (b, a) }
    }

    pub fn and(&mut self, a: Node, b: Node) -> Node {
        let (a, b) = self.ordered(a, b);
        let width = self.width(a).min(self.width(b));
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant(x & y),
            (_, Some(0)) => b,
            (_, Some(y)) if y == mask(self.width(b)) => self.extract(a, 0, width),
            _ if a == b => a,
            _ => self.node(Kind::And(a, b), width),
        }
    }

    pub fn or(&mut self, a: Node, b: Node) -> Node {
        let (a, b) = self.ordered(a, b);
        let width = self.width(a).max(self.width(b));
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant(x | y),
            (_, Some(0)) => a,
            (_, Some(y)) if y == mask(width) => b,
            _ if a == b => a,
            _ => self.node(Kind::Or(a, b), width),
        }
    }

    pub fn xor(&mut self, a: Node, b: Node) -> Node {
        let (a, b) = self.ordered(a, b);
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant(x ^ y),
            (_, Some(0)) => a,
            (_, Some(y)) => match *self.kind(a) {
                Kind::Xor(inner, c) if self.as_constant(c).is_some() => {
                    let c = self.as_constant(c).expect("just seen") ^ y;
                    let c = self.constant(c);
                    self.xor(inner, c)
                }
                Kind::Equal(x, z) if y == 1 => self.node(Kind::NotEqual(x, z), 1),
                Kind::NotEqual(x, z) if y == 1 => self.node(Kind::Equal(x, z), 1),
                Kind::Less(x, z) if y == 1 => self.node(Kind::LessOrEqual(z, x), 1),
                Kind::LessOrEqual(x, z) if y == 1 => self.node(Kind::Less(z, x), 1),
                _ => self.node(Kind::Xor(a, b), self.width(a).max(self.width(b))),
            },
            _ if a == b => self.constant(0),
            _ => self.node(Kind::Xor(a, b), self.width(a).max(self.width(b))),
        }
    }

    /// The complement of the low `width` bits.
    pub fn not(&mut self, a: Node, width: u8) -> Node {
        let ones = self.constant(mask(width));
        self.xor(a, ones)
    }

    pub fn add(&mut self, a: Node, b: Node, width: u8) -> Node {
        let (a, b) = self.ordered(a, b);
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant(x.wrapping_add(y) & mask(width)),
            (_, Some(0)) => a,
            _ => self.node(Kind::Add(a, b), width),
        }
    }

    pub fn subtract(&mut self, a: Node, b: Node, width: u8) -> Node {
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant(x.wrapping_sub(y) & mask(width)),
            (_, Some(0)) => a,
            (_, Some(y)) => {
                let negative = self.constant(y.wrapping_neg() & mask(width));
                self.add(a, negative, width)
            }
            _ if a == b => self.constant(0),
            _ => self.node(Kind::Subtract(a, b), width),
        }
    }

    /// The low 64 bits of the product.
    pub fn multiply(&mut self, a: Node, b: Node) -> Node {
        let (a, b) = self.ordered(a, b);
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant(x.wrapping_mul(y)),
            (_, Some(0)) => b,
            (_, Some(1)) => a,
            _ => self.node(Kind::Multiply(a, b), (self.width(a) + self.width(b)).min(64)),
        }
    }

    pub fn multiply_high(&mut self, a: Node, b: Node) -> Node {
        let (a, b) = self.ordered(a, b);
        let width = (self.width(a) + self.width(b)).saturating_sub(64);
        match self.constants(a, b) {
            _ if width == 0 => self.constant(0),
            (Some(x), Some(y)) => self.constant(((x as u128 * y as u128) >> 64) as u64),
            _ => self.node(Kind::MultiplyHigh(a, b), width),
        }
    }

    pub fn equal(&mut self, a: Node, b: Node) -> Node {
        let (a, b) = self.ordered(a, b);
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant((x == y) as u64),
            (_, Some(y)) if y > mask(self.width(a)) => self.constant(0),
            (_, Some(1)) if self.width(a) == 1 => a,
            (_, Some(0)) if self.width(a) == 1 => self.not(a, 1),
            _ if a == b => self.constant(1),
            _ => self.node(Kind::Equal(a, b), 1),
        }
    }

    pub fn not_equal(&mut self, a: Node, b: Node) -> Node {
        let equal = self.equal(a, b);
        self.not(equal, 1)
    }

    pub fn less(&mut self, a: Node, b: Node) -> Node {
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant((x < y) as u64),
            (_, Some(0)) => b,
            (_, Some(y)) if y > mask(self.width(a)) => self.constant(1),
            _ if a == b => self.constant(0),
            _ => self.node(Kind::Less(a, b), 1),
        }
    }

    /// Of two's complement numbers of `width` bits.
    pub fn signed_less(&mut self, a: Node, b: Node, width: u8) -> Node {
        let extend = |x: u64| (x << (64 - width)) as i64;
        match self.constants(a, b) {
            (Some(x), Some(y)) => self.constant((extend(x) < extend(y)) as u64),
            _ if a == b => self.constant(0),
            _ => self.node(Kind::SignedLess(a, b, width), 1),
        }
    }

    /// The low `width` bits of `a << distance`.
    pub fn shift_left(&mut self, a: Node, distance: Node, width: u8) -> Node {
        match (self.as_constant(a), self.as_constant(distance)) {
            (Some(0), _) => a,
            (_, Some(n)) if n >= width as u64 => self.constant(0),
            (_, Some(n)) => {
                let kept = self.extract(a, 0, width - n as u8);
                let zero = self.constant(0);
                self.join(kept, zero, n as u8)
            }
            _ => self.node(Kind::ShiftLeft(a, distance), width),
        }
    }

    pub fn shift_right(&mut self, a: Node, distance: Node) -> Node {
        let width = self.width(a);
        match (self.as_constant(a), self.as_constant(distance)) {
            (Some(0), _) => a,
            (_, Some(n)) if n >= width as u64 => self.constant(0),
            (_, Some(n)) => self.extract(a, n as u8, width - n as u8),
            _ => self.node(Kind::ShiftRight(a, distance), width),
        }
    }

    pub fn funnel(&mut self, high: Node, low: Node, distance: Node) -> Node {
        match (self.constants(high, low), self.as_constant(distance)) {
            (_, Some(0)) => low,
            (_, Some(64)) => high,
            ((Some(h), Some(l)), Some(n)) => self.constant((((h as u128) << 64 | l as u128) >> n) as u64),
            ((Some(0), _), _) => self.shift_right(low, distance),
            _ => self.node(Kind::Funnel { high, low, distance }, 64),
        }
    }

    /// Bit `index` modulo 64 of `a`.
    pub fn bit(&mut self, a: Node, index: Node) -> Node {
        match self.as_constant(index) {
            Some(index) => self.extract(a, (index % 64) as u8, 1),
            None => self.node(Kind::Bit(a, index), 1),
        }
    }

    pub fn mux(&mut self, condition: Node, a: Node, b: Node) -> Node {
        let width = self.width(a).max(self.width(b));
        if let Some(condition) = self.as_constant(condition) {
            return if condition == 0 { b } else { a };
        }
        if a == b {
            return a;
        }
        if let Kind::Xor(inner, one) = *self.kind(condition)
            && self.as_constant(one) == Some(1)
        {
            return self.mux(inner, b, a);
        }
        if width == 1 {
            match self.constants(a, b) {
                (Some(1), Some(0)) => return condition,
                (Some(0), Some(1)) => return self.not(condition, 1),
                (_, Some(0)) => return self.and(condition, a),
                (Some(1), _) => return self.or(condition, b),
                _ => {}
            }
        }
        self.node(Kind::Mux(condition, a, b), width)
    }

    /// `width` bits of `a` from bit `low` up.
    pub fn extract(&mut self, a: Node, low: u8, width: u8) -> Node {
        let have = self.width(a);
        if low >= have || width == 0 {
            return self.constant(0);
        }
        let width = width.min(have - low);
        if low == 0 && width == have {
            return a;
        }
        match *self.kind(a) {
            Kind::Constant(value) => self.constant(value >> low & mask(width)),
            Kind::Extract(inner, below) => self.extract(inner, below + low, width),
            Kind::Join { high, at, .. } if low >= at => self.extract(high, low - at, width),
            Kind::Join { low: inner, at, .. } if low + width <= at => self.extract(inner, low, width),
            Kind::Place { word, from, at, .. } if low >= at => self.extract(word, from + low - at, width),
            Kind::Place { low: inner, at, .. } if low + width <= at => self.extract(inner, low, width),
            _ => self.node(Kind::Extract(a, low), width),
        }
    }

    /// `high << at | low`, where `low` has at most `at` bits and the result fits into a word.
    pub fn join(&mut self, high: Node, low: Node, at: u8) -> Node {
        debug_assert!(
            self.width(low) <= at && at + self.width(high) <= 64 || self.as_constant(high) == Some(0)
        );
        match (self.as_constant(high), self.as_constant(low)) {
            (Some(0), _) => return low,
            (Some(h), Some(l)) => return self.constant(h << at | l),
            _ if at == 0 => return high,
            _ => {}
        }
        let width = at + self.width(high);
        let Kind::Extract(word, from) = *self.kind(high) else {
            return self.node(Kind::Join { high, low, at }, width);
        };
        // Neighbouring pieces of one word grow together again.
        match *self.kind(low) {
            Kind::Extract(other, below) if other == word && below + at == from && self.width(low) == at => {
                self.extract(word, below, width)
            }
            _ => self.node(Kind::Place { word, from, low, at }, width),
        }
    }

    /// `a`, a two's complement number of `from` bits, in `width` bits.
    pub fn sign_extend(&mut self, a: Node, from: u8, width: u8) -> Node {
        if from == width || self.width(a) < from {
            return a;
        }
        match self.as_constant(a) {
            Some(value) => {
                let extended = (value << (64 - from)) as i64 >> (64 - from);
                self.constant(extended as u64 & mask(width))
            }
            None => self.node(Kind::SignExtend(a, from), width),
        }
    }

    pub fn parity(&mut self, a: Node) -> Node {
        match self.as_constant(a) {
            Some(value) => self.constant((value.count_ones() & 1) as u64),
            None if self.width(a) == 1 => a,
            None => self.node(Kind::Parity(a), 1),
        }
    }

    /// `options[index]`, the last for an index beyond.
    pub fn table(&mut self, index: Node, options: &[Node]) -> Node {
        if let Some(index) = self.as_constant(index) {
            return options[(index as usize).min(options.len() - 1)];
        }
        if options.iter().all(|&option| option == options[0]) {
            return options[0];
        }
        if options.len() == 2 {
            let zero = self.constant(0);
            let any = self.not_equal(index, zero);
            return self.mux(any, options[1], options[0]);
        }
        let width = options.iter().map(|&option| self.width(option)).max().expect("two options at least");
        self.node(Kind::Table(index, options.into()), width)
    }

    pub fn peek(&mut self, memory: u32, limb: u32, address: Node, width: u8) -> Node {
        self.node(Kind::Peek { memory, limb, address }, width)
    }

    pub fn copy(&mut self, a: Node) -> Node {
        let width = self.width(a);
        self.node(Kind::Copy(a), width)
    }
}
