//! Constants of any width.

use std::fmt;

/// An unsigned constant of `width` bits in little-endian limbs; bits above the width are 0.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    width: u32,
    limbs: Vec<u64>,
}

impl Value {
    /// Takes the low `width` bits of `limbs`, padded with zeros.
    pub fn from_limbs(width: u32, limbs: &[u64]) -> Value {
        let mut limbs = limbs.to_vec();
        limbs.resize(width.div_ceil(64) as usize, 0);
        if !width.is_multiple_of(64) {
            *limbs.last_mut().expect("a width of at least 1") &= !0 >> (64 - width % 64);
        }
        Value { width, limbs }
    }

    /// All bits 0.
    pub fn zero(width: u32) -> Value {
        Value::from_limbs(width, &[])
    }

    /// The low `width` bits of `value`.
    pub fn new(width: u32, value: u128) -> Value {
        Value::from_limbs(width, &[value as u64, (value >> 64) as u64])
    }

    /// Number of bits.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The bits in limbs of 64, the lowest first; those above the width are 0.
    pub fn limbs(&self) -> &[u64] {
        &self.limbs
    }

    /// Whether all bits are 0.
    pub fn is_zero(&self) -> bool {
        self.limbs.iter().all(|&limb| limb == 0)
    }

    /// Whether all bits are 1.
    pub fn is_ones(&self) -> bool {
        (0..self.width).all(|i| self.bit(i))
    }

    /// Bit `index`, less than the width.
    pub fn bit(&self, index: u32) -> bool {
        self.limbs[(index / 64) as usize] >> (index % 64) & 1 == 1
    }

    /// `width` bits from bit `low` up.
    pub fn slice(&self, low: u32, width: u32) -> Value {
        let shift = low % 64;
        let first = (low / 64) as usize;
        let limbs: Vec<u64> = (first..first + width.div_ceil(64) as usize)
            .map(|i| {
                let limb = |i: usize| self.limbs.get(i).copied().unwrap_or(0);
                if shift == 0 { limb(i) } else { limb(i) >> shift | limb(i + 1) << (64 - shift) }
            })
            .collect();
        Value::from_limbs(width, &limbs)
    }

    /// `high` above `self`.
    pub fn concat(&self, high: &Value) -> Value {
        let mut out = Value::from_limbs(self.width + high.width, &self.limbs);
        for i in 0..high.width {
            if high.bit(i) {
                let at = self.width + i;
                out.limbs[(at / 64) as usize] |= 1 << (at % 64);
            }
        }
        out
    }

    /// The value as an integer, if it fits.
    pub fn to_u128(&self) -> Option<u128> {
        self.limbs
            .iter()
            .skip(2)
            .all(|&limb| limb == 0)
            .then(|| self.limbs[0] as u128 | (self.limbs.get(1).copied().unwrap_or(0) as u128) << 64)
    }
}

impl fmt::Display for Value {
    /// Hexadecimal digits without leading zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = self.limbs.iter().rev().map(|limb| format!("{limb:016x}")).collect();
        let digits = digits.trim_start_matches('0');
        f.write_str(if digits.is_empty() { "0" } else { digits })
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}'h{self}", self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_across_limbs() {
        let value = Value::from_limbs(130, &[0xf000_0000_0000_0001, 0x8000_0000_0000_0003, 2]);
        assert_eq!(value.slice(60, 8), Value::new(8, 0x3f));
        assert_eq!(value.slice(127, 3), Value::new(3, 0b101));
        assert_eq!(value.slice(0, 64).concat(&value.slice(64, 66)), value);
        assert_eq!(value.to_string(), "28000000000000003f000000000000001");
        assert_eq!(value.to_u128(), None);
        assert_eq!(Value::new(4, 0x1f), Value::new(4, 0xf));
    }
}
