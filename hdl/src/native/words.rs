//! Operations of any width, made of operations on words. A wide value is a list of words, the lowest first.

use super::graph::{Graph, Node};
use crate::value::Value;

pub(super) type Words = Vec<Node>;

/// How many words `width` bits take.
pub(super) fn word_count(width: u32) -> usize {
    width.div_ceil(64) as usize
}

/// Bits that word `index` has of a value of `width` bits.
pub(super) fn word_width(width: u32, index: usize) -> u8 {
    (width - 64 * index as u32).min(64) as u8
}

/// Puts pieces together from the lowest up.
#[derive(Default)]
struct Assembly {
    words: Words,
    width: u32,
}

impl Assembly {
    /// Puts the low `width` bits of `piece` on top; its other bits are 0.
    fn push(&mut self, graph: &mut Graph, piece: Node, width: u8) {
        let filled = (self.width % 64) as u8;
        self.width += width as u32;
        if filled == 0 {
            self.words.push(piece);
            return;
        }
        let fits = width.min(64 - filled);
        let low = graph.extract(piece, 0, fits);
        let word = self.words.last_mut().expect("partly filled");
        *word = graph.join(low, *word, filled);
        if fits < width {
            let rest = graph.extract(piece, fits, width - fits);
            self.words.push(rest);
        }
    }

    fn push_words(&mut self, graph: &mut Graph, words: &[Node], width: u32) {
        for (i, &word) in words.iter().enumerate() {
            self.push(graph, word, word_width(width, i));
        }
    }
}

impl Graph {
    pub fn literal(&mut self, value: &Value) -> Words {
        value.limbs().iter().map(|&limb| self.constant(limb)).collect()
    }

    pub fn zeros(&mut self, width: u32) -> Words {
        vec![self.constant(0); word_count(width)]
    }

    /// Applies `op` to each pair of words.
    pub fn zip(&mut self, a: &[Node], b: &[Node], op: fn(&mut Graph, Node, Node) -> Node) -> Words {
        a.iter().zip(b).map(|(&a, &b)| op(self, a, b)).collect()
    }

    pub fn wide_not(&mut self, a: &[Node], width: u32) -> Words {
        a.iter().enumerate().map(|(i, &word)| self.not(word, word_width(width, i))).collect()
    }

    pub fn wide_mux(&mut self, condition: Node, a: &[Node], b: &[Node]) -> Words {
        a.iter().zip(b).map(|(&a, &b)| self.mux(condition, a, b)).collect()
    }

    pub fn wide_table(&mut self, index: Node, options: &[&[Node]]) -> Words {
        (0..options[0].len())
            .map(|i| {
                let words: Words = options.iter().map(|option| option[i]).collect();
                self.table(index, &words)
            })
            .collect()
    }

    pub fn wide_add(&mut self, a: &[Node], b: &[Node], width: u32) -> Words {
        let mut carry = self.constant(0);
        let mut out = vec![];
        for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
            let word = word_width(width, i);
            let partial = self.add(a, b, word);
            let sum = self.add(partial, carry, word);
            if i + 1 < word_count(width) {
                let first = self.less(partial, a);
                let second = self.less(sum, partial);
                carry = self.or(first, second);
            }
            out.push(sum);
        }
        out
    }

    pub fn wide_subtract(&mut self, a: &[Node], b: &[Node], width: u32) -> Words {
        let mut borrow = self.constant(0);
        let mut out = vec![];
        for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
            let word = word_width(width, i);
            let partial = self.subtract(a, b, word);
            let difference = self.subtract(partial, borrow, word);
            if i + 1 < word_count(width) {
                let first = self.less(a, b);
                let second = self.less(partial, borrow);
                borrow = self.or(first, second);
            }
            out.push(difference);
        }
        out
    }

    /// The product of the full width.
    pub fn wide_multiply(&mut self, a: &[Node], b: &[Node], width: u32) -> Words {
        let mut out = self.zeros(width);
        for (i, &x) in a.iter().enumerate() {
            for (j, &y) in b.iter().enumerate() {
                let low = self.multiply(x, y);
                self.accumulate(&mut out, i + j, low);
                let high = self.multiply_high(x, y);
                self.accumulate(&mut out, i + j + 1, high);
            }
        }
        self.cut(&mut out, width);
        out
    }

    /// Adds `term` to the words from `at` up. What leaves the last word is known to be 0.
    fn accumulate(&mut self, words: &mut [Node], at: usize, mut term: Node) {
        for word in words.iter_mut().skip(at) {
            *word = self.add(*word, term, 64);
            term = self.less(*word, term);
        }
    }

    pub fn wide_equal(&mut self, a: &[Node], b: &[Node]) -> Node {
        let mut all = self.constant(1);
        for (&a, &b) in a.iter().zip(b) {
            let equal = self.equal(a, b);
            all = self.and(all, equal);
        }
        all
    }

    pub fn wide_less(&mut self, a: &[Node], b: &[Node], width: u32, signed: bool) -> Node {
        let last = a.len() - 1;
        let mut less = self.constant(0);
        for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
            let here = match signed && i == last {
                true => self.signed_less(a, b, word_width(width, i)),
                false => self.less(a, b),
            };
            let equal = self.equal(a, b);
            let below = self.and(equal, less);
            less = self.or(here, below);
        }
        less
    }

    pub fn any(&mut self, a: &[Node]) -> Node {
        let all = a.iter().copied().reduce(|a, b| self.or(a, b)).expect("a word at least");
        let zero = self.constant(0);
        self.not_equal(all, zero)
    }

    pub fn wide_parity(&mut self, a: &[Node]) -> Node {
        let all = a.iter().copied().reduce(|a, b| self.xor(a, b)).expect("a word at least");
        self.parity(all)
    }

    /// `width` bits from bit `low` up.
    pub fn wide_extract(&mut self, a: &[Node], low: u32, width: u32) -> Words {
        let mut out = Assembly::default();
        let mut at = low;
        while out.width < width {
            let piece = (64 - at % 64).min(width - out.width) as u8;
            let node = self.extract(a[(at / 64) as usize], (at % 64) as u8, piece);
            out.push(self, node, piece);
            at += piece as u32;
        }
        out.words
    }

    /// The parts with their widths, the lowest first.
    pub fn wide_concat<'a>(&mut self, parts: impl IntoIterator<Item = (&'a [Node], u32)>) -> Words {
        let mut out = Assembly::default();
        for (words, width) in parts {
            out.push_words(self, words, width);
        }
        out.words
    }

    /// `a` with `value` (of `width` bits) in place of its bits from `low` up.
    pub fn wide_replace(&mut self, a: &[Node], total: u32, value: &[Node], low: u32, width: u32) -> Words {
        let below = self.wide_extract(a, 0, low);
        let high = low + width;
        let above = self.wide_extract(a, high, total - high);
        self.wide_concat([(&below[..], low), (value, width), (&above[..], total - high)])
    }

    pub fn wide_sign_extend(&mut self, a: &[Node], from: u32, width: u32) -> Words {
        let last = a.len() - 1;
        let mut out = a[..last].to_vec();
        let from = word_width(from, last);
        let sign = self.extract(a[last], from - 1, 1);
        for i in last..word_count(width) {
            let word = word_width(width, i);
            out.push(match i == last {
                true => self.sign_extend(a[last], from, word),
                false => self.sign_extend(sign, 1, word),
            });
        }
        out
    }

    pub fn wide_shift_left(&mut self, a: &[Node], distance: Node, width: u32) -> Words {
        if let [word] = a {
            return vec![self.shift_left(*word, distance, width as u8)];
        }
        let zero = self.constant(0);
        let mut words =
            self.shift_words(a, distance, |words, i, by| words.get(i.wrapping_sub(by)).copied(), zero);
        // The words below and at each position, from bit 64 - distance of both up.
        let bits = self.extract(distance, 0, 6);
        let full = self.constant(64);
        let complement = self.subtract(full, bits, 7);
        for i in (0..words.len()).rev() {
            let below = if i == 0 { zero } else { words[i - 1] };
            words[i] = self.funnel(words[i], below, complement);
        }
        self.cut(&mut words, width);
        words
    }

    pub fn wide_shift_right(&mut self, a: &[Node], distance: Node, width: u32, signed: bool) -> Words {
        if let ([word], false) = (a, signed) {
            return vec![self.shift_right(*word, distance)];
        }
        let last = a.len() - 1;
        let mut words = a.to_vec();
        let mut fill = self.constant(0);
        if signed {
            let top = word_width(width, last);
            let sign = self.extract(a[last], top - 1, 1);
            fill = self.sign_extend(sign, 1, 64);
            words[last] = self.sign_extend(a[last], top, 64);
        }
        words = self.shift_words(&words, distance, |words, i, by| words.get(i + by).copied(), fill);
        let bits = self.extract(distance, 0, 6);
        for i in 0..words.len() {
            let above = words.get(i + 1).copied().unwrap_or(fill);
            words[i] = self.funnel(above, words[i], bits);
        }
        self.cut(&mut words, width);
        words
    }

    /// Moves whole words by the distance's bits from 6 up; `moved` picks the word that comes to a position.
    fn shift_words(
        &mut self,
        a: &[Node],
        distance: Node,
        moved: fn(&[Node], usize, usize) -> Option<Node>,
        fill: Node,
    ) -> Words {
        let mut words = a.to_vec();
        for stage in 0..self.width(distance).saturating_sub(6) {
            let condition = self.extract(distance, 6 + stage, 1);
            words = (0..words.len())
                .map(|i| {
                    let other = moved(&words, i, 1 << stage).unwrap_or(fill);
                    self.mux(condition, other, words[i])
                })
                .collect();
        }
        words
    }

    fn cut(&mut self, words: &mut [Node], width: u32) {
        let last = words.len() - 1;
        words[last] = self.extract(words[last], 0, word_width(width, last));
    }

    /// The bit at a dynamic position below the number of bits of `a`.
    pub fn wide_bit(&mut self, a: &[Node], index: &[Node]) -> Node {
        let word = match a {
            [word] => *word,
            _ => {
                let width = self.width(index[0]).max(7);
                let position = self.extract(index[0], 6, width - 6);
                self.table(position, a)
            }
        };
        self.bit(word, index[0])
    }

    /// `a` with its bit at a dynamic position replaced; a position beyond changes nothing.
    pub fn wide_set_bit(&mut self, a: &[Node], width: u32, index: &[Node], value: Node) -> Words {
        let index = self.narrow(index);
        let (bits, position) = match a.len() {
            1 => (index, self.constant(0)),
            _ => (self.extract(index, 0, 6), self.extract(index, 6, 58)),
        };
        (0..a.len())
            .map(|i| {
                let number = self.constant(i as u64);
                let here = self.equal(position, number);
                let word = word_width(width, i);
                let hot = self.shift_left(here, bits, word);
                let cold = self.not(hot, word);
                let kept = self.and(a[i], cold);
                let bit = self.and(here, value);
                let set = self.shift_left(bit, bits, word);
                self.or(kept, set)
            })
            .collect()
    }

    /// A wide index as a word; one that does not fit becomes the largest word.
    pub fn narrow(&mut self, index: &[Node]) -> Node {
        match index {
            [word] => *word,
            [word, above @ ..] => {
                let any = self.any(above);
                let largest = self.constant(u64::MAX);
                self.mux(any, largest, *word)
            }
            [] => unreachable!("a value has a word at least"),
        }
    }
}
