//! A synchronous first-in first-out buffer.
//!
//! # Purpose
//! Holds beats of any payload type in order. First-word-fall-through: `deq.payload` is the oldest beat whenever
//! `deq.valid` is 1.
//!
//! # Schematic
//! ```text
//!               +---------------------------+
//!  enq.valid -->| write   count   waiting --+-> read      distributed: deq = RAM[read]
//!  enq.ready <--+-(count < depth)           |
//!               |     RAM [depth]  ---------+-> RAM output register -> output register -> deq   (block)
//!               +---------------------------+
//! ```
//!
//! # Internals
//! Depths up to [`DISTRIBUTED`] use LUT-RAM that is read combinationally: `deq.payload` comes straight from it, addressed
//! by a register. Deeper ones use block RAM, whose output is too slow to be followed by logic: an output register stands
//! behind it, and the two stages hold two more beats than `depth`. `enq.ready` and `deq.valid` are flip-flops, and so is
//! the count, from which both are computed a cycle ahead. `occupancy` is that count, or for block RAM the sum of it and
//! the two stages; it is at most [`fifo_capacity`].
//!
//! # Timing
//! A beat every cycle in and out at once. From `enq` to `deq.valid` into an empty FIFO: 1 cycle (distributed) or
//! 3 (block).
//! ```text
//!             _   _   _   _   _
//!  clk      _/ \_/ \_/ \_/ \_/ \_
//!  enq.valid  /A  \______________
//!  deq.valid  ____/A  \__________   distributed
//!  deq.valid  ____________/A  \__   block
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::{frame::Beat, prim::fifo};
//!
//! let design = elaborate(|| fifo(Beat::ty(8), 16)).unwrap().design;
//! assert_eq!(design.top().name, "fifo_70x16");
//! ```

use hdl::*;

/// The largest depth that is built of distributed RAM.
pub const DISTRIBUTED: usize = 32;

/// Ports of a [`fifo`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(payload: T, depth: usize)]
pub struct FifoIo<T> {
    /// Beats to store.
    #[input]
    #[ty(Stream::ty(payload.clone()))]
    pub enq: Stream<T>,
    /// The oldest beat.
    #[output]
    #[ty(Stream::ty(payload))]
    pub deq: Stream<T>,
    /// Number of beats inside.
    #[output]
    #[ty(bits(clog2(fifo_capacity(depth) + 1)))]
    pub occupancy: Bits,
}

/// How many beats a FIFO of this depth holds when it is full.
pub const fn fifo_capacity(depth: usize) -> usize {
    if depth <= DISTRIBUTED { depth } else { depth + 2 }
}

/// A first-in first-out buffer for `depth` beats, a power of two from 2 to 65536.
#[hdl]
pub fn fifo<T: Data>(payload: T, depth: usize) -> FifoIo<T> {
    require(depth.is_power_of_two() && (2..=1 << 16).contains(&depth), || {
        format!("a FIFO of {depth} beats: the depth is a power of two from 2 to 65536")
    });
    let name = format!("fifo_{}x{depth}", payload.size());
    module(name, FifoIo::ty(payload.clone(), depth), |io| {
        io.enq.assume_stable();
        io.deq.assert_stable();
        /// Where the next beat goes.
        let write_at = reg(bits(clog2(depth)));
        /// Where the oldest beat stands.
        let read_at = reg(bits(clog2(depth)));
        /// Beats in the RAM.
        let count = reg(bits(clog2(depth + 1)));
        /// The RAM has room.
        let ready = reg_flag(true);
        /// The RAM holds a beat.
        let waiting = reg_flag(false);
        let ram = mem(payload.clone(), depth, Collision::Undefined);

        io.enq.ready.set(ready);
        let push = io.enq.fire();
        /// A beat leaves the RAM.
        let pop = wire(flag());
        if depth <= DISTRIBUTED {
            io.deq.valid.set(waiting);
            io.deq.payload.set(ram.peek(read_at));
            io.occupancy.set(count);
            pop.set(io.deq.fire());
        } else {
            let ReadAhead { fetch, loaded, holding } = read_ahead(&ram, read_at, waiting, &io.deq);
            let staged = loaded.bits().zext(2) + holding.bits().zext(2);
            io.occupancy.set(count.zext(io.occupancy.width()) + staged.zext(io.occupancy.width()));
            pop.set(fetch);
        }

        when(push, || {
            ram.write(write_at, io.enq.payload.clone());
            write_at.set(write_at + 1);
        });
        when(pop, || read_at.set(read_at + 1));
        let step = push.mux(lit(1, count.width()), !lit(0, count.width()));
        when(push ^ pop, || {
            count.set(count + step);
            ready.set(pop | count.ne(depth - 1));
            waiting.set(push | count.ne(1));
        });
        assert(count.le(depth), "the count stays within the depth");
        assert(
            write_at.eq(read_at + count.trunc(write_at.width())),
            "the count is what lies between the ends",
        );
        assert(ready.eq(count.ne(depth)), "ready tells whether there is room");
        assert(waiting.eq(count.ne(0)), "waiting tells whether there is a beat");
        cover(!ready, "full");
    })
}

/// What stands between a block RAM and the consumer.
pub(super) struct ReadAhead {
    /// The RAM is read in this cycle.
    pub fetch: Bool,
    /// The RAM's output holds a beat.
    pub loaded: Bool,
    /// The output register holds a beat.
    pub holding: Bool,
}

/// Reads `ram` at `read_at` while `waiting`, through an output register, into `deq`.
#[hdl]
pub(super) fn read_ahead<T: Data>(ram: &Mem<T>, read_at: Bits, waiting: Bool, deq: &Stream<T>) -> ReadAhead {
    /// The RAM's output holds a beat.
    let loaded = reg_flag(false);
    /// The output register holds a beat.
    let holding = reg_flag(false);
    let advance = !holding | deq.ready;
    let fetch = waiting & (!loaded | advance);
    let word = ram.read_if(fetch, read_at);
    let held = reg_without_reset(word.clone());
    when(fetch | advance, || loaded.set(fetch));
    when(advance, || {
        holding.set(loaded);
        held.set(word);
    });
    deq.valid.set(holding);
    deq.payload.set(held);
    ReadAhead { fetch, loaded, holding }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Random traffic against a queue of words, with a reset in the middle.
    #[test]
    fn keeps_order_at_any_pace() {
        for (depth, seed) in [(2, 1), (16, 2), (32, 3), (64, 4), (256, 5)] {
            for (up, down) in PACES {
                let (mut bench, io) = Bench::new(|| fifo(bits(13), depth), seed);
                let (mut source, mut sink) = (Source::new(&io.enq, up), Sink::new(&io.deq, down));
                for _ in 0..2 {
                    let words = random_words(&mut bench.rng, 13, 4 * depth + 50);
                    source.send(words.clone());
                    for _ in 0..60 {
                        bench.cycle(&mut [&mut source, &mut sink]);
                        let inside = source.sent - sink.got.len();
                        assert_eq!(bench.sim.peek(io.occupancy), inside as u128, "occupancy");
                    }
                    bench.until((&mut source, &mut sink), 100_000, |_, sink| sink.got.len() == words.len());
                    assert_eq!(sink.got, words);

                    // Beats that are inside do not survive a reset.
                    let lost = random_words(&mut bench.rng, 13, depth / 2);
                    source.send(lost);
                    (0..depth / 4).for_each(|_| bench.cycle(&mut [&mut source]));
                    source.reset();
                    bench.sim.poke(io.enq.valid, false);
                    bench.sim.reset();
                    assert!(!bench.sim.peek(io.deq.valid), "empty after reset");
                    assert!(bench.sim.peek(io.enq.ready), "ready after reset");
                    (source.sent, sink.got) = (0, vec![]);
                }
            }
        }
    }

    #[test]
    fn fills_to_its_capacity_and_no_further() {
        for depth in [2, 16, 64] {
            let (mut bench, io) = Bench::new(|| fifo(bits(8), depth), 7);
            let mut source = Source::new(&io.enq, 1.0);
            let words = random_words(&mut bench.rng, 8, depth + 10);
            source.send(words);
            bench.sim.poke(io.deq.ready, false);
            (0..depth + 20).for_each(|_| bench.cycle(&mut [&mut source]));
            assert_eq!(source.sent, fifo_capacity(depth));
            assert!(!bench.sim.peek(io.enq.ready));
            assert_eq!(bench.sim.peek(io.occupancy), fifo_capacity(depth) as u128);
        }
    }

    /// Latency, then a beat every cycle.
    #[test]
    fn moves_a_beat_every_cycle() {
        for (depth, latency) in [(2, 1), (16, 1), (64, 3)] {
            let (mut bench, io) = Bench::new(|| fifo(bits(8), depth), 9);
            let (mut source, mut sink) = (Source::new(&io.enq, 1.0), Sink::new(&io.deq, 1.0));
            let words = random_words(&mut bench.rng, 8, 500);
            source.send(words.clone());
            let cycles = bench.until((&mut source, &mut sink), 1000, |_, sink| sink.got.len() == 500);
            assert_eq!(cycles, 500 + latency);
            assert_eq!(sink.got, words);
        }
    }

    #[test]
    fn refuses_other_depths() {
        for depth in [0, 1, 3, 100, 1 << 17] {
            let errors = refusal(|| fifo(bits(8), depth));
            assert!(errors.contains("the depth is a power of two from 2 to 65536"), "{errors}");
        }
    }
}
