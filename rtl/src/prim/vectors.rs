//! Functions on vectors: small combinational pieces without a module of their own.
//!
//! # Purpose
//! Leading ones, encoders, counts and folds, as trees whose depth grows with the logarithm of the width and whose
//! nodes fit a LUT with four inputs.
//!
//! # Schematic
//! [`below`], the base of all arbiters here, in groups of four; a group passes its OR up and gets the OR of the
//! groups below it back:
//! ```text
//!   x15..x12   x11..x8    x7..x4     x3..x0
//!      |OR        |OR       |OR        |OR
//!      +----------+----+----+----------+
//!                  below (4 bits)
//!      +----------+----+----+----------+
//!      |          |         |          |
//!   each bit: lower bits of its group, and the groups below
//! ```
//!
//! # Timing
//! Combinational: `below` of `n` bits is about `2 * log4(n)` LUTs deep.
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::prim::{encode, first_one};
//!
//! #[derive(Bundle, Clone, Copy)]
//! struct Io {
//!     #[input]
//!     #[ty(bits(12))]
//!     requests: Bits,
//!     #[output]
//!     #[ty(bits(4))]
//!     lowest: Bits,
//! }
//! let generator = || module("lowest_request", Io::ty(), |io| io.lowest.set(encode(first_one(io.requests))));
//! assert!(elaborate(generator).is_ok());
//! ```

use hdl::*;

/// Bit `i` tells whether any bit of `x` below `i` is 1.
#[track_caller]
pub fn below(x: Bits) -> Bits {
    cat(below_bools(&x.to_bools()).into_iter().rev())
}

#[track_caller]
fn below_bools(x: &[Bool]) -> Vec<Bool> {
    let groups: Vec<Bool> = x.chunks(4).map(|group| any_of(group.iter().copied())).collect();
    let under = if groups.len() > 1 { below_bools(&groups) } else { vec![any_of([])] };
    let bit = |i: usize| any_of(x[i - i % 4..i].iter().copied()) | under[i / 4];
    (0..x.len()).map(bit).collect()
}

/// The lowest 1 of `x` and nothing else; 0 for 0.
#[track_caller]
pub fn first_one(x: Bits) -> Bits {
    x & !below(x)
}

/// The highest 1 of `x` and nothing else; 0 for 0.
#[track_caller]
pub fn leading_one(x: Bits) -> Bits {
    first_one(x.reverse()).reverse()
}

/// The position of the only 1 of `onehot`, in `clog2(width)` bits; 0 for 0. With several ones, the OR of their
/// positions.
#[track_caller]
pub fn encode(onehot: Bits) -> Bits {
    let ones = onehot.to_bools();
    let bit =
        |k: usize| any_of(ones.iter().enumerate().filter(|(i, _)| i >> k & 1 == 1).map(|(_, one)| *one));
    cat((0..clog2(onehot.width())).rev().map(bit))
}

/// `width` bits with a 1 at `index`, which has `clog2(width)` bits; 0 for an index beyond.
#[track_caller]
pub fn decode(index: Bits, width: usize) -> Bits {
    cat((0..width).rev().map(|i| index.eq(i)))
}

/// Whether exactly one bit is 1.
#[track_caller]
pub fn is_onehot(x: Bits) -> Bool {
    x.any() & !(x & below(x)).any()
}

/// The number of ones, in `clog2(width + 1)` bits.
#[track_caller]
pub fn popcount(x: Bits) -> Bits {
    count(&x.to_bools()).zext(clog2(x.width() + 1))
}

/// Full adders at the leaves, then a balanced tree; no result is wider than it must be.
#[track_caller]
fn count(x: &[Bool]) -> Bits {
    let wanted = clog2(x.len() + 1);
    match *x {
        [a] => a.bits(),
        [a, b] => cat([a & b, a ^ b]),
        [a, b, c] => cat([a & b | a & c | b & c, a ^ b ^ c]),
        _ => {
            let parts = x.len().div_ceil(3);
            let (low, high) = x.split_at(parts / 2 * 3);
            count(low).zext(wanted) + count(high).zext(wanted)
        }
    }
}

/// `x` in pieces of `width` bits, the last filled with zeros, XORed together: a cheap hash.
#[track_caller]
pub fn xor_fold(x: Bits, width: usize) -> Bits {
    let pieces = x.zext(x.width().next_multiple_of(width)).chunks(width);
    pieces.into_iter().reduce(|a, b| a ^ b).expect("at least one piece")
}
