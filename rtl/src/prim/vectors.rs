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
    vector(below_bools(&x.to_bools()))
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
    vector((0..clog2(onehot.width())).map(bit))
}

/// `width` bits with a 1 at `index`, which has `clog2(width)` bits; 0 for an index beyond.
#[track_caller]
pub fn decode(index: Bits, width: usize) -> Bits {
    lit(1, width) << index
}

/// The option whose bit in `onehot` is 1; with several ones, the OR of their options, and 0 for none. Smaller and faster
/// than [`select`] where the choice is one-hot already.
#[track_caller]
pub fn onehot_select<T: Data>(options: &[T], onehot: Bits) -> T {
    require(options.len() == onehot.width() && !options.is_empty(), || {
        format!("onehot_select: {} options and {} bits", options.len(), onehot.width())
    });
    let choices: Vec<_> = options.iter().map(Data::leaves).zip(onehot.to_bools()).collect();
    let mut next = 0..;
    options[0].map(&Place::default(), &mut |_, leaf| {
        let position = next.next().expect("an endless range");
        let chosen =
            choices.iter().map(|(leaves, one)| leaves[position].1 & one.bits().repeat(leaf.bits.width()));
        chosen.reduce(|a, b| a | b).expect("one option at least")
    })
}

/// Whether exactly one bit is 1.
#[track_caller]
pub fn is_onehot(x: Bits) -> Bool {
    x.any() & (x & (x - 1)).eq(0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[derive(Bundle, Clone, Copy, Debug)]
    #[ty(width: usize, folded: usize)]
    struct Io {
        #[input]
        #[ty(bits(width))]
        x: Bits,
        #[input]
        #[ty(bits(clog2(width)))]
        index: Bits,
        #[output]
        #[ty(bits(width))]
        below: Bits,
        #[output]
        #[ty(bits(width))]
        first: Bits,
        #[output]
        #[ty(bits(width))]
        leading: Bits,
        #[output]
        #[ty(bits(clog2(width)))]
        encoded: Bits,
        #[output]
        #[ty(bits(width))]
        decoded: Bits,
        #[output]
        onehot: Bool,
        #[output]
        #[ty(bits(clog2(width + 1)))]
        ones: Bits,
        #[output]
        #[ty(bits(folded))]
        folded: Bits,
        /// The OR of the positions of all ones.
        #[output]
        #[ty(bits(8))]
        selected: Bits,
    }

    fn all(width: usize, folded: usize) -> Io {
        module("vectors", Io::ty(width, folded), |io| {
            io.below.set(below(io.x));
            io.first.set(first_one(io.x));
            io.leading.set(leading_one(io.x));
            io.encoded.set(encode(first_one(io.x)));
            io.decoded.set(decode(io.index, width));
            io.onehot.set(is_onehot(io.x));
            io.ones.set(popcount(io.x));
            io.folded.set(xor_fold(io.x, folded));
            let positions: Vec<Bits> = (0..width).map(|i| lit(i, 8)).collect();
            io.selected.set(onehot_select(&positions, io.x));
        })
    }

    #[test]
    fn agree_with_integers() {
        for (width, folded) in
            [(1, 1), (2, 3), (3, 2), (4, 4), (5, 2), (9, 4), (16, 5), (31, 8), (64, 9), (100, 16)]
        {
            let (mut bench, io) = Bench::new(|| all(width, folded), 1);
            for i in 0..600 {
                let random = bench.rng.u128(..);
                let sparse = random & bench.rng.u128(..) & bench.rng.u128(..) & bench.rng.u128(..);
                let x = [i, random, sparse, 1 << bench.rng.usize(..width)][bench.rng.usize(..4)];
                let x = x & (u128::MAX >> (128 - width));
                let index = bench.rng.usize(..1 << clog2(width));
                bench.sim.poke(io.x, x);
                bench.sim.poke(io.index, index as u128);
                let first = if x == 0 { 0 } else { 1 << x.trailing_zeros() };
                let leading = if x == 0 { 0 } else { 1 << x.ilog2() };
                let above_first =
                    if x == 0 { 0 } else { !(first | (first - 1)) & (u128::MAX >> (128 - width)) };
                let fold = (0..width).step_by(folded).fold(0, |sum, at| sum ^ x >> at);
                assert_eq!(bench.sim.peek(io.below), above_first);
                assert_eq!(bench.sim.peek(io.first), first);
                assert_eq!(bench.sim.peek(io.leading), leading);
                assert_eq!(bench.sim.peek(io.encoded), if x == 0 { 0 } else { x.trailing_zeros().into() });
                assert_eq!(bench.sim.peek(io.decoded), if index < width { 1 << index } else { 0 });
                assert_eq!(bench.sim.peek(io.onehot), x.count_ones() == 1);
                assert_eq!(bench.sim.peek(io.ones), x.count_ones().into());
                let positions = (0..width).filter(|i| x >> i & 1 == 1).fold(0, |or, i| or | i as u128);
                assert_eq!(bench.sim.peek(io.selected), positions);
                assert_eq!(bench.sim.peek(io.folded), fold & ((1 << folded) - 1));
            }
        }
    }
}
