//! A first-in first-out buffer between two clocks.
//!
//! # Purpose
//! Carries a stream of any payload type from one clock domain to another; the clocks need no relation.
//!
//! # Schematic
//! ```text
//!  enq_clk domain               |               deq_clk domain
//!  enq --> RAM write port       |     RAM read port --> output register --> deq
//!          write_at, gray ------+--> [D Q][D Q] --> waiting
//!          ready <-- [Q D][Q D] <--- gray, read_at
//! ```
//!
//! # Internals
//! The pointers cross in Gray code, of which one bit changes at a time, through two flip-flops. A word is in the RAM
//! long before its pointer arrives, so the RAM itself needs no synchronization. Up to [`DISTRIBUTED`](super::DISTRIBUTED)
//! words are LUT-RAM, more are block RAM (with one more stage). `enq.ready` is a flip-flop.
//!
//! Reset both domains together: keep each reset asserted until both have seen at least one edge of their clock, and let
//! no beat move until both are released. Resetting one side alone loses count of the beats.
//!
//! # Timing
//! A beat every cycle of the slower clock, from a depth of 8 upwards (a depth of 4 is shorter than the round trip of the
//! pointers). From `enq` to `deq.valid`: 1 cycle of `enq_clk`, then 3 to 4 of `deq_clk` (block RAM: 4 to 5).
//! ```text
//!               _   _   _   _   _
//!  enq_clk    _/ \_/ \_/ \_/ \_/ \_
//!  enq.valid  /A  \________________
//!                _     _     _     _     _
//!  deq_clk    __/ \___/ \___/ \___/ \___/ \__
//!  deq.valid  __________________/A      \____
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::prim::async_fifo;
//!
//! let design = elaborate(|| async_fifo(bits(8), 16, Clock::external(), Clock::external())).unwrap().design;
//! let clocks: Vec<String> = design.top().domains.iter().map(|domain| domain.clock_port()).collect();
//! assert_eq!(clocks[1..], ["enq_clk", "deq_clk"]);
//! ```

use super::{
    fifo::{DISTRIBUTED, ReadAhead, read_ahead},
    register_slice::output_register,
};
use hdl::*;

/// Ports of an [`async_fifo`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(payload: T)]
pub struct AsyncFifoIo<T> {
    /// Beats to carry over, on `enq_clk`.
    #[input]
    #[ty(Stream::ty(payload.clone()))]
    pub enq: Stream<T>,
    /// The oldest beat, on `deq_clk`.
    #[output]
    #[ty(Stream::ty(payload))]
    pub deq: Stream<T>,
}

/// A first-in first-out buffer for `depth` beats, a power of two from 4 to 4096, from the clock `enq` to the clock `deq`.
#[hdl]
pub fn async_fifo<T: Data>(payload: T, depth: usize, enq: Clock, deq: Clock) -> AsyncFifoIo<T> {
    require(depth.is_power_of_two() && (4..=4096).contains(&depth), || {
        format!("an asynchronous FIFO of {depth} beats: the depth is a power of two from 4 to 4096")
    });
    let address = clog2(depth);
    module(format!("async_fifo_{}x{depth}", payload.size()), AsyncFifoIo::ty(payload.clone()), |io| {
        let enq = enq.enter("enq");
        let deq = deq.enter("deq");
        let ram = mem_with(payload.clone(), depth, Collision::Undefined).crossing().build();
        let write = enq.scope(|| Pointer::new(address));
        let read = deq.scope(|| Pointer::new(address));

        enq.scope(|| {
            io.enq.assume_stable();
            /// There is room.
            let ready = reg_flag(true);
            let read_meta = delay(cross(read.gray));
            let read_seen = delay(read_meta);
            io.enq.ready.set(ready);
            let push = io.enq.fire();
            when(push, || ram.write(write.at.trunc(address), io.enq.payload.clone()));
            // In Gray code a pointer that is `depth` ahead differs in the two highest bits alone.
            let full = read_seen ^ lit(0b11u128 << (address - 1), address + 1);
            ready.set(!write.advance(push, full));
        });

        deq.scope(|| {
            io.deq.assert_stable();
            /// The RAM holds a beat.
            let waiting = reg_flag(false);
            let write_meta = delay(cross(write.gray));
            let write_seen = delay(write_meta);
            /// A beat leaves the RAM.
            let pop = wire(flag());
            if depth <= DISTRIBUTED {
                let word = ram.peek(read.at.trunc(address));
                let deq = output_register(&io.deq, waiting, word);
                pop.set(deq.advance & waiting);
            } else {
                let ReadAhead { fetch, .. } = read_ahead(&ram, read.at.trunc(address), waiting, &io.deq);
                pop.set(fetch);
            }
            waiting.set(!read.advance(pop, write_seen));
        });
    })
}

/// A pointer into the RAM, with one bit more than an address.
struct Pointer {
    at: Bits,
    /// `at + 1`, so that no adder stands before the comparison.
    next: Bits,
    /// `at` in Gray code, for the other side.
    gray: Bits,
}

#[hdl]
impl Pointer {
    fn new(address: usize) -> Pointer {
        let at = reg(bits(address + 1));
        let next = reg_init(lit(1, address + 1));
        let gray = reg(bits(address + 1));
        Pointer { at, next, gray }
    }

    /// Goes on where `moves`, and tells whether its code then equals `limit`.
    fn advance(&self, moves: Bool, limit: Bits) -> Bool {
        let next_gray = gray(self.next);
        when(moves, || {
            self.at.set(self.next);
            self.next.set(self.next + 1);
            self.gray.set(next_gray);
        });
        moves.mux(next_gray.eq(limit), self.gray.eq(limit))
    }
}

/// The Gray code of a number: neighbours, the last and the first included, differ in one bit.
fn gray(number: Bits) -> Bits {
    number ^ number.slice(1, number.width() - 1).zext(number.width())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// The domains of `enq_clk` and `deq_clk`.
    const ENQ: usize = 1;
    const DEQ: usize = 2;

    fn build(depth: usize, seed: u64) -> (Bench, AsyncFifoIo<Bits>) {
        Bench::new(|| async_fifo(bits(11), depth, Clock::external(), Clock::external()), seed)
    }

    /// One edge of either clock, or of both at once.
    fn edge(bench: &mut Bench, source: &mut Source<Bits>, sink: &mut Sink<Bits>, share: f64) {
        match bench.rng.f64() {
            x if x < 0.2 => bench.edge(&mut [source, sink], &[ENQ, DEQ]),
            x if x < 0.2 + 0.8 * share => bench.edge(&mut [source], &[ENQ]),
            _ => bench.edge(&mut [sink], &[DEQ]),
        }
    }

    #[test]
    fn keeps_order_at_any_ratio_of_clocks() {
        for (depth, seed) in [(4, 1), (16, 2), (64, 3)] {
            for share in [0.1, 0.5, 0.9] {
                for (up, down) in PACES {
                    let (mut bench, io) = build(depth, seed);
                    let (mut source, mut sink) = (Source::new(&io.enq, up), Sink::new(&io.deq, down));
                    for _ in 0..2 {
                        let words = random_words(&mut bench.rng, 11, 3 * depth + 50);
                        source.send(words.clone());
                        for _ in 0..50_000 {
                            edge(&mut bench, &mut source, &mut sink, share);
                            if sink.got.len() == words.len() {
                                break;
                            }
                        }
                        assert_eq!(sink.got, words);

                        let lost = random_words(&mut bench.rng, 11, 3);
                        source.send(lost);
                        (0..5).for_each(|_| edge(&mut bench, &mut source, &mut sink, share));
                        source.reset();
                        bench.sim.poke(io.enq.valid, false);
                        bench.sim.reset();
                        assert!(!bench.sim.peek(io.deq.valid), "empty after reset");
                        sink.got.clear();
                    }
                }
            }
        }
    }

    #[test]
    fn fills_to_its_depth() {
        let (mut bench, io) = build(16, 4);
        let mut source = Source::new(&io.enq, 1.0);
        source.send((0..40).map(|i| word(i, 11)));
        bench.sim.poke(io.deq.ready, false);
        (0..60).for_each(|_| bench.edge(&mut [&mut source], &[ENQ]));
        assert_eq!(source.sent, 16, "none leaves while the other clock stands still");
    }

    #[test]
    fn moves_a_beat_every_cycle() {
        for (depth, latency) in [(8, 5), (64, 6)] {
            let (mut bench, io) = build(depth, 5);
            let (mut source, mut sink) = (Source::new(&io.enq, 1.0), Sink::new(&io.deq, 1.0));
            source.send((0..500).map(|i| word(i, 11)));
            let mut cycles = 0;
            while sink.got.len() < 500 && cycles < 2000 {
                bench.edge(&mut [&mut source, &mut sink], &[ENQ, DEQ]);
                cycles += 1;
            }
            assert_eq!(cycles, 500 + latency);
        }
    }

    #[test]
    fn refuses_other_depths() {
        for depth in [2, 12, 8192] {
            let errors = refusal(|| async_fifo(bits(1), depth, Clock::external(), Clock::external()));
            assert!(errors.contains("the depth is a power of two from 4 to 4096"), "{errors}");
        }
    }
}
