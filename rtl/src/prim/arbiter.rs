//! Arbiters over a vector of requests.
//!
//! # Purpose
//! [`priority`] grants the lowest request; [`round_robin`] grants each requester in turn. For streams see
//! [`stream_arbiter`](super::stream_arbiter()).
//!
//! # Schematic
//! ```text
//!  requests --+--------------> first one --|0\
//!             |                            |  >-- grant --> index
//!             +--[&]---------> first one --|1/
//!                 |               |
//!  above [D Q]----+               any
//!          ^----- what lies above the grant, where `accept`
//! ```
//!
//! # Internals
//! The round robin arbiter keeps a mask of the requesters above the last one granted; they come first. Both searches run
//! in parallel, and the mask for the next round falls out of them (see [`below`](super::below)).
//!
//! # Timing
//! `grant`, `index` and `any` are combinational in `requests`. The turn passes on at the end of a cycle with `accept`.
//! ```text
//!              _   _   _   _   _
//!  clk       _/ \_/ \_/ \_/ \_/ \_
//!  requests  X 111              X
//!  accept    __/----------\______
//!  grant     X 001 X 010 X 100 X 001
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::prim::round_robin;
//! assert!(elaborate(|| round_robin(20)).is_ok());
//! assert!(elaborate(|| round_robin(67)).unwrap_err().to_string().contains("1 to 66"));
//! ```

use super::vectors::{below, encode, first_one, is_onehot};
use hdl::*;

/// Ports of a [`priority`] arbiter.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(requesters: usize)]
pub struct PriorityIo {
    #[input]
    #[ty(bits(requesters))]
    pub requests: Bits,
    /// One of the requests, or 0.
    #[output]
    #[ty(bits(requesters))]
    pub grant: Bits,
    /// The position of the grant, or 0.
    #[output]
    #[ty(bits(clog2(requesters)))]
    pub index: Bits,
    /// There is a request.
    #[output]
    pub any: Bool,
}

/// Grants the lowest of 1 to 66 requests.
#[hdl]
pub fn priority(requesters: usize) -> PriorityIo {
    require_range(requesters);
    module(format!("priority_{requesters}"), PriorityIo::ty(requesters), |io| {
        let lowest = first_one(io.requests);
        io.grant.set(lowest);
        io.index.set(encode(lowest));
        io.any.set(io.requests.any());
    })
}

/// Ports of a [`round_robin`] arbiter.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(requesters: usize)]
pub struct RoundRobinIo {
    #[input]
    #[ty(bits(requesters))]
    pub requests: Bits,
    /// The grant is used: the turn passes on.
    #[input]
    pub accept: Bool,
    /// One of the requests, or 0.
    #[output]
    #[ty(bits(requesters))]
    pub grant: Bits,
    /// The position of the grant, or 0.
    #[output]
    #[ty(bits(clog2(requesters)))]
    pub index: Bits,
    /// There is a request.
    #[output]
    pub any: Bool,
}

/// Grants 1 to 66 requesters in turn.
#[hdl]
pub fn round_robin(requesters: usize) -> RoundRobinIo {
    require_range(requesters);
    module(format!("round_robin_{requesters}"), RoundRobinIo::ty(requesters), |io| {
        /// The requesters above the last one granted: they come first.
        let above = reg(bits(requesters));
        let turn = next_turn(io.requests, above);
        let any = io.requests.any();
        when(io.accept & any, || above.set(turn.above));
        io.grant.set(turn.grant);
        io.index.set(encode(turn.grant));
        io.any.set(any);
        assert((io.grant & !io.requests).eq(0), "only requests are granted");
        assert(!any | is_onehot(io.grant), "one grant at most");
        assert(io.grant.any().eq(any), "a request leads to a grant");
    })
}

pub(super) fn require_range(requesters: usize) {
    require((1..=66).contains(&requesters), || {
        format!("an arbiter takes 1 to 66 requesters, not {requesters}")
    });
}

/// What [`next_turn`] finds.
pub(super) struct Turn {
    /// One of the requests, or 0.
    pub grant: Bits,
    /// The requesters above it.
    pub above: Bits,
}

/// The lowest of the requests in `above`, or the lowest of all if there is none.
#[hdl]
pub(super) fn next_turn(requests: Bits, above: Bits) -> Turn {
    let high = requests & above;
    let any_high = high.any();
    let below_high = below(high);
    let below_all = below(requests);
    let grant = any_high.mux(high & !below_high, requests & !below_all);
    Turn { grant, above: any_high.mux(below_high, below_all) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const SIZES: [usize; 7] = [1, 2, 3, 5, 16, 20, 66];

    /// Random requests, sparse and dense.
    fn requests(bench: &mut Bench, n: usize) -> u128 {
        let dense = bench.rng.f64();
        (0..n).map(|i| u128::from(bench.rng.f64() < dense) << i).sum()
    }

    #[test]
    fn priority_grants_the_lowest() {
        for n in SIZES {
            let (mut bench, io) = Bench::new(|| priority(n), 1);
            for _ in 0..300 {
                let requests = requests(&mut bench, n);
                bench.sim.poke(io.requests, requests);
                let lowest = if requests == 0 { 0 } else { requests.trailing_zeros() };
                assert_eq!(bench.sim.peek(io.any), requests != 0);
                assert_eq!(bench.sim.peek(io.grant), if requests == 0 { 0 } else { 1 << lowest });
                assert_eq!(bench.sim.peek(io.index), u128::from(lowest));
            }
        }
    }

    #[test]
    fn round_robin_goes_round() {
        for n in SIZES {
            let (mut bench, io) = Bench::new(|| round_robin(n), 2);
            let mut first = 0;
            for cycle in 0..2000 {
                if cycle == 1000 {
                    bench.sim.poke(io.accept, true);
                    bench.sim.reset();
                    first = 0;
                }
                let requests = requests(&mut bench, n);
                let accept = bench.rng.bool();
                bench.sim.poke(io.requests, requests);
                bench.sim.poke(io.accept, accept);
                let next = (first..first + n).map(|i| i % n).find(|i| requests >> i & 1 == 1);
                assert_eq!(bench.sim.peek(io.any), next.is_some());
                assert_eq!(bench.sim.peek(io.grant), next.map_or(0, |i| 1 << i));
                assert_eq!(bench.sim.peek(io.index), next.unwrap_or(0) as u128);
                bench.sim.step();
                if let (Some(next), true) = (next, accept) {
                    first = (next + 1) % n;
                }
            }
        }
    }

    #[test]
    fn refuses_other_numbers() {
        for n in [0, 67] {
            let errors = refusal(|| priority(n));
            assert!(errors.contains("1 to 66 requesters"), "{errors}");
        }
    }
}
