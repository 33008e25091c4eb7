//! A counter of events.
//!
//! # Purpose
//! Counts pulses, and either wraps at its end or stays there.
//!
//! # Schematic
//! ```text
//!  increment --> [+1] --[ value ]--+--> value
//!                  ^---------------+
//!  clear ----------> starts again
//! ```
//!
//! # Timing
//! `value` is a register. An event in the cycle of `clear` is the first of the new count, so none gets lost.
//! ```text
//!               _   _   _   _   _
//!  clk        _/ \_/ \_/ \_/ \_/ \_
//!  increment  /------------\_______
//!  clear      ________/---\________
//!  value      0   X 1 X 2 X 1
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::prim::{Overflow, counter};
//! assert!(elaborate(|| counter(32, Overflow::Saturate)).is_ok());
//! ```

use hdl::*;

/// What a counter does at its largest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Goes on from 0.
    Wrap,
    /// Stays.
    Saturate,
}

/// Ports of a [`counter`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(width: usize)]
pub struct CounterIo {
    /// An event.
    #[input]
    pub increment: Bool,
    /// Starts again from 0, or from 1 with an event in the same cycle.
    #[input]
    pub clear: Bool,
    #[output]
    #[ty(bits(width))]
    pub value: Bits,
}

/// A counter of 1 to 64 bits.
#[hdl]
pub fn counter(width: usize, overflow: Overflow) -> CounterIo {
    require((1..=64).contains(&width), || format!("a counter has 1 to 64 bits, not {width}"));
    let kind = match overflow {
        Overflow::Wrap => "wrapping",
        Overflow::Saturate => "saturating",
    };
    module(format!("counter_{kind}_{width}"), CounterIo::ty(width), |io| {
        let count = reg(bits(width));
        let counts = match overflow {
            Overflow::Wrap => io.increment,
            Overflow::Saturate => io.increment & !count.all(),
        };
        when(io.clear, || count.set(io.increment.bits().zext(width)))
            .elsewhen(counts, || count.set(count + 1));
        io.value.set(count);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn counts_as_a_number_does() {
        for (width, overflow) in [(1, Overflow::Wrap), (3, Overflow::Wrap), (3, Overflow::Saturate)] {
            let (mut bench, io) = Bench::new(|| counter(width, overflow), 1);
            let largest = (1u128 << width) - 1;
            let (mut model, mut at_end) = (0, 0);
            for cycle in 0..2000 {
                if cycle == 1000 {
                    bench.sim.reset();
                    model = 0;
                }
                let (increment, clear) = (bench.rng.bool(), bench.rng.u8(..50) == 0);
                bench.sim.poke(io.increment, increment);
                bench.sim.poke(io.clear, clear);
                assert_eq!(bench.sim.peek(io.value), model);
                bench.sim.step();
                at_end += usize::from(model == largest && increment);
                model = match (clear, increment, overflow) {
                    (true, ..) => increment.into(),
                    (_, true, Overflow::Wrap) => (model + 1) & largest,
                    (_, true, Overflow::Saturate) => (model + 1).min(largest),
                    _ => model,
                };
            }
            assert!(at_end > 10, "the end of the range was reached");
        }
    }
}
