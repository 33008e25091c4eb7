//! Numbers of a fixed width, bit by bit: slow, obvious, and without a line in common with the simulators.

use std::fmt;

/// A number in binary, the least significant bit first.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Number(pub Vec<bool>);

impl Number {
    pub fn zero(width: usize) -> Number {
        Number(vec![false; width])
    }

    pub fn ones(width: usize) -> Number {
        Number(vec![true; width])
    }

    /// The low `width` bits of `value`.
    pub fn new(width: usize, value: u128) -> Number {
        Number((0..width).map(|i| i < 128 && value >> i & 1 == 1).collect())
    }

    pub fn flag(value: bool) -> Number {
        Number(vec![value])
    }

    pub fn width(&self) -> usize {
        self.0.len()
    }

    pub fn bit(&self, index: usize) -> bool {
        self.0[index]
    }

    pub fn sign(&self) -> bool {
        self.0[self.width() - 1]
    }

    /// Little-endian words of 64 bits, as the simulators take them.
    pub fn limbs(&self) -> Vec<u64> {
        let word = |bits: &[bool]| bits.iter().rev().fold(0, |word, &bit| word << 1 | bit as u64);
        self.0.chunks(64).map(word).collect()
    }

    pub fn from_limbs(width: usize, limbs: &[u64]) -> Number {
        Number((0..width).map(|i| limbs[i / 64] >> (i % 64) & 1 == 1).collect())
    }

    /// The number, or `limit` where it is larger.
    pub fn to_index(&self, limit: usize) -> usize {
        self.0.iter().rev().fold(0, |sum: usize, &bit| (2 * sum + bit as usize).min(limit))
    }

    pub fn not(&self) -> Number {
        Number(self.0.iter().map(|bit| !bit).collect())
    }

    /// `op` on each pair of bits.
    pub fn zip(&self, other: &Number, op: fn(bool, bool) -> bool) -> Number {
        Number(self.0.iter().zip(&other.0).map(|(&a, &b)| op(a, b)).collect())
    }

    fn add_with(&self, other: &Number, mut carry: bool) -> Number {
        let bits = self.0.iter().zip(&other.0).map(|(&a, &b)| {
            let ones = a as u8 + b as u8 + carry as u8;
            carry = ones >= 2;
            ones % 2 == 1
        });
        Number(bits.collect())
    }

    pub fn add(&self, other: &Number) -> Number {
        self.add_with(other, false)
    }

    pub fn subtract(&self, other: &Number) -> Number {
        self.add_with(&other.not(), true)
    }

    /// The full product.
    pub fn multiply(&self, other: &Number) -> Number {
        let width = self.width() + other.width();
        let addends = (0..other.width()).filter(|&i| other.bit(i));
        addends.fold(Number::zero(width), |sum, i| sum.add(&self.zero_extend(width).shift_left(i)))
    }

    pub fn less(&self, other: &Number) -> bool {
        self.0.iter().rev().lt(other.0.iter().rev())
    }

    /// As two's complement numbers.
    pub fn signed_less(&self, other: &Number) -> bool {
        if self.sign() == other.sign() { self.less(other) } else { self.sign() }
    }

    fn shift(&self, bit: impl Fn(usize) -> Option<usize>, fill: bool) -> Number {
        let source = |i| bit(i).and_then(|from| self.0.get(from).copied()).unwrap_or(fill);
        Number((0..self.width()).map(source).collect())
    }

    pub fn shift_left(&self, distance: usize) -> Number {
        self.shift(|i| i.checked_sub(distance), false)
    }

    pub fn shift_right(&self, distance: usize, fill: bool) -> Number {
        self.shift(|i| Some(i + distance), fill)
    }

    pub fn slice(&self, low: usize, width: usize) -> Number {
        Number(self.0[low..low + width].to_vec())
    }

    /// `self` below `high`.
    pub fn below(&self, high: &Number) -> Number {
        Number(self.0.iter().chain(&high.0).copied().collect())
    }

    pub fn zero_extend(&self, width: usize) -> Number {
        self.below(&Number::zero(width - self.width()))
    }

    pub fn sign_extend(&self, width: usize) -> Number {
        self.below(&Number(vec![self.sign(); width - self.width()]))
    }

    pub fn reverse(&self) -> Number {
        Number(self.0.iter().rev().copied().collect())
    }

    /// `part` in place of the bits from `low` up.
    pub fn replace(&self, low: usize, part: &Number) -> Number {
        let mut bits = self.0.clone();
        bits[low..low + part.width()].copy_from_slice(&part.0);
        Number(bits)
    }
}

impl fmt::Display for Number {
    /// As in Verilog: `12'hfff`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |bits: &[bool]| bits.iter().rev().fold(0, |digit, &bit| digit << 1 | bit as u32);
        let digits: String =
            self.0.chunks(4).rev().map(|bits| char::from_digit(digit(bits), 16).unwrap_or('?')).collect();
        write!(f, "{}'h{digits}", self.width())
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn agrees_with_integers() {
        let signed = |value: u128, width: usize| (value << (128 - width)) as i128 >> (128 - width);
        for width in [1, 2, 5] {
            for (a, b) in (0..1u128 << width).flat_map(|a| (0..1 << width).map(move |b| (a, b))) {
                let number = |value: u128| Number::new(width, value);
                let (x, y) = (number(a), number(b));
                assert_eq!(x.add(&y), number(a + b));
                assert_eq!(x.subtract(&y), number(a.wrapping_sub(b)));
                assert_eq!(x.multiply(&y), Number::new(2 * width, a * b));
                assert_eq!(x.less(&y), a < b);
                assert_eq!(x.signed_less(&y), signed(a, width) < signed(b, width));
                assert_eq!(x.shift_left(b as usize), number(a << b));
                assert_eq!(x.shift_right(b as usize, false), number(a >> b));
                assert_eq!(x.shift_right(b as usize, x.sign()), number((signed(a, width) >> b) as u128));
                assert_eq!(x.sign_extend(9), Number::new(9, signed(a, width) as u128));
                assert_eq!(Number::from_limbs(width, &x.limbs()), x);
            }
        }
        assert_eq!(Number::new(9, 0x1a5).to_string(), "9'h1a5");
        assert_eq!(Number::ones(100).to_index(1000), 1000);
    }
}
