//! Flip-flops in a row, for signals that come from another clock or from none.
//!
//! # Purpose
//! [`synchronizer`] brings single bits into a clock domain; [`reset_synchronizer`] makes a clean synchronous reset of an
//! asynchronous one. A vector whose bits must fit together does not go through here: use
//! [`async_fifo`](super::async_fifo()).
//!
//! # Schematic
//! ```text
//!  raw --[D Q]--[D Q]--> seen              raw --[D Q]--[D Q]-----> [hold chain] --> reset
//!         meta                                    meta        sets
//! ```
//!
//! # Timing
//! A bit that is stable for a cycle appears after `stages` edges. The reset appears after 3 edges at most, and ends
//! `hold + 2` or `hold + 3` edges after its end.
//! ```text
//!             _   _   _   _
//!  clk      _/ \_/ \_/ \_/ \_
//!  raw      __/--------------
//!  seen     __________/------
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::prim::synchronizer;
//! assert!(elaborate(|| synchronizer(1, 2)).is_ok());
//! ```

use hdl::*;

/// Ports of a [`synchronizer`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(width: usize)]
pub struct SynchronizerIo {
    /// Independent bits from anywhere.
    #[input]
    #[ty(bits(width))]
    pub raw: Bits,
    /// The same in this clock domain.
    #[output]
    #[ty(bits(width))]
    pub seen: Bits,
}

/// `stages` flip-flops, 2 to 4, for each of `width` independent bits.
#[hdl]
pub fn synchronizer(width: usize, stages: usize) -> SynchronizerIo {
    require((2..=4).contains(&stages), || format!("a synchronizer has 2 to 4 stages, not {stages}"));
    module(format!("synchronizer_{width}x{stages}"), SynchronizerIo::ty(width), |io| {
        /// May be metastable.
        let meta = delay(cross(io.raw));
        let seen = (1..stages).fold(meta, |seen, _| delay(seen));
        io.seen.set(seen);
    })
}

/// Ports of a [`reset_synchronizer`].
#[derive(Bundle, Clone, Copy, Debug)]
pub struct ResetSynchronizerIo {
    /// The reset from outside, active high, of any length that the clock can see.
    #[input]
    pub raw: Bool,
    /// The reset for the logic of this clock.
    #[output]
    pub reset: Bool,
}

/// A reset that lasts at least `hold` cycles, 1 to 64. Its own flip-flops have no reset.
#[hdl]
pub fn reset_synchronizer(hold: usize) -> ResetSynchronizerIo {
    require((1..=64).contains(&hold), || format!("a reset is held for 1 to 64 cycles, not {hold}"));
    module(format!("reset_synchronizer_{hold}"), ResetSynchronizerIo::ty(), |io| {
        /// May be metastable.
        let meta = delay_without_reset(cross(io.raw));
        let seen = delay_without_reset(meta);
        /// A 1 for each cycle that the reset still lasts.
        let left = reg_without_reset(bits(hold));
        let shifted = if hold == 1 { lit(0, 1) } else { cat([left.trunc(hold - 1), lit(0, 1)]) };
        left.set(seen.mux(!lit(0, hold), shifted));
        io.reset.set(left.bit(hold - 1));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn delays_by_its_stages() {
        for stages in 2..=4 {
            let (mut bench, io) = Bench::new(|| synchronizer(5, stages), 1);
            let mut past = vec![0; stages];
            for _ in 0..200 {
                let raw = bench.rng.u128(..32);
                bench.sim.poke(io.raw, raw);
                assert_eq!(bench.sim.peek(io.seen), past[stages - 1]);
                bench.sim.step();
                past.rotate_right(1);
                past[0] = raw;
            }
        }
    }

    #[test]
    fn holds_the_reset() {
        for hold in [1, 2, 16] {
            let (mut bench, io) = Bench::new(|| reset_synchronizer(hold), 2);
            // From any state at power-up.
            bench.sim.poke(io.raw, false);
            (0..hold + 3).for_each(|_| bench.sim.step());
            assert!(!bench.sim.peek(io.reset));
            for length in [1, 2, 9] {
                let mut seen = vec![];
                for cycle in 0..length + hold + 6 {
                    bench.sim.poke(io.raw, cycle < length);
                    seen.push(bench.sim.peek(io.reset));
                    bench.sim.step();
                }
                let asserted: Vec<usize> = (0..seen.len()).filter(|&cycle| seen[cycle]).collect();
                assert_eq!(asserted, (3..length + hold + 2).collect::<Vec<_>>(), "{hold}, {length}");
            }
        }
    }

    #[test]
    fn refuses_what_cannot_work() {
        let errors = refusal(|| synchronizer(1, 1));
        assert!(errors.contains("a synchronizer has 2 to 4 stages, not 1"), "{errors}");
        let errors = refusal(|| reset_synchronizer(0));
        assert!(errors.contains("a reset is held for 1 to 64 cycles, not 0"), "{errors}");
    }
}
