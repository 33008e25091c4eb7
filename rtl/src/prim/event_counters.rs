//! Many saturating event counters in a RAM.
//!
//! # Purpose
//! Statistics: each of `n` events may happen in every cycle, and each is counted in a wide counter, for a fraction of the
//! flip-flops that `n` wide counters need.
//!
//! # Schematic
//! ```text
//!  events[i] --> [pending i, few bits] --select--> (+) saturate --+
//!                                                   ^             v
//!                 visit: 0, 1, .. n-1, 0 ..        RAM read     RAM write
//!                                                  RAM read <-- read_index;  --[D Q]--> value
//! ```
//!
//! # Internals
//! A pointer visits one counter each cycle, reads it, and in the next cycle adds what was pending for it. From one visit
//! to the next no more than `n` events of one kind can gather, so nothing is lost. The first round after reset or `clear`
//! takes the totals as 0.
//!
//! # Timing
//! `value` is a register: the total of `read_index` one cycle earlier. An event shows in its total within `n + 1` cycles.
//! After reset and `clear` the totals read 0 for a round, and are valid from the `n + 1`-th cycle on; events in the cycle of `clear` and later count.
//! ```text
//!               _   _   _   _   _
//!  clk        _/ \_/ \_/ \_/ \_/ \_
//!  read_index X 3 X 7 X
//!  value          X[3]X[7]X
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! assert!(elaborate(|| rtl::prim::event_counters(20, 32)).is_ok());
//! ```

use super::vectors::decode;
use hdl::*;

/// Ports of [`event_counters`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(events: usize, width: usize)]
pub struct EventCountersIo {
    /// Bit `i`: event `i` happens.
    #[input]
    #[ty(bits(events))]
    pub events: Bits,
    /// Starts all counters again.
    #[input]
    pub clear: Bool,
    /// Which counter to read; beyond the last one, anything comes.
    #[input]
    #[ty(bits(clog2(events)))]
    pub read_index: Bits,
    /// Its total, at most 2^width - 1.
    #[output]
    #[ty(bits(width))]
    pub value: Bits,
}

/// Counters of 8 to 64 bits for 2 to 128 events.
#[hdl]
pub fn event_counters(events: usize, width: usize) -> EventCountersIo {
    require((2..=128).contains(&events), || format!("2 to 128 events are counted, not {events}"));
    require((8..=64).contains(&width) && width > clog2(events + 1), || {
        format!("an event counter has 8 to 64 bits, and enough for {events} events at once, not {width}")
    });
    module(format!("event_counters_{events}x{width}"), EventCountersIo::ty(events, width), |io| {
        let totals = mem(bits(width), events.next_power_of_two(), Collision::Undefined);
        /// The counter that is brought up to date in this cycle.
        let visit = reg(bits(clog2(events)));
        /// The first round: what the RAM holds is void.
        let first_round = reg_flag(true);
        /// Events of each kind since its last visit.
        let pending = reg(vec![bits(clog2(events + 1)); events]);

        let is_last = visit.eq(events - 1);
        when(io.clear | is_last, || visit.set(0)).otherwise(|| visit.set(visit + 1));
        when(io.clear | is_last, || first_round.set(io.clear));

        let visited = decode(visit, events);
        for (i, pending) in pending.iter().copied().enumerate() {
            when(io.clear, || pending.set(io.events.slice(i, 1).zext(pending.width())))
                .elsewhen(visited.bit(i), || pending.set(0))
                .elsewhen(io.events.bit(i), || pending.set(pending + 1));
        }

        let waiting = select(&pending, visit);
        let happens = (io.events & visited).any();
        let more = delay_without_reset(waiting.wide_add(happens.bits().zext(waiting.width())));

        let total = delay_without_reset(first_round.mux(lit(0, width), totals.peek(visit)));

        // The wide addition has a cycle of its own.
        let added_to = delay_without_reset(visit);
        let sum = total.wide_add(more.zext(width));
        totals.write(added_to, sum.bit(width).mux(!lit(0, width), sum.trunc(width)));
        let read = delay_without_reset(first_round.mux(lit(0, width), totals.peek(io.read_index)));
        io.value.set(read);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Waits until everything is counted and reads all totals.
    fn totals(bench: &mut Bench, io: &EventCountersIo, events: usize) -> Vec<u128> {
        bench.sim.poke(io.events, 0);
        (0..events + 1).for_each(|_| bench.sim.step());
        let mut read = |i: usize| {
            bench.sim.poke(io.read_index, i as u128);
            bench.sim.step();
            bench.sim.peek(io.value)
        };
        (0..events).map(&mut read).collect()
    }

    #[test]
    fn counts_every_event() {
        for events in [2, 3, 20, 64] {
            let (mut bench, io) = Bench::new(|| event_counters(events, 16), 1);
            bench.sim.poke(io.clear, false);
            bench.sim.poke(io.read_index, 0);
            for round in 0..4 {
                let mut model = vec![0; events];
                for cycle in 0..500 {
                    // The densest load comes first: every event in every cycle, from the very first.
                    let happens = bench.rng.u128(..) | if round % 2 == 0 { u128::MAX } else { 0 };
                    let happens = happens & (u128::MAX >> (128 - events));
                    bench.sim.poke(io.events, happens);
                    bench.sim.poke(io.clear, round == 2 && cycle == 300);
                    if round == 2 && cycle == 300 {
                        model.fill(0);
                    }
                    model.iter_mut().enumerate().for_each(|(i, total)| *total += happens >> i & 1);
                    bench.sim.step();
                }
                assert_eq!(totals(&mut bench, &io, events), model);
                bench.sim.reset();
            }
        }
    }

    #[test]
    fn stays_at_the_end() {
        let (mut bench, io) = Bench::new(|| event_counters(3, 8), 2);
        bench.sim.poke(io.clear, false);
        bench.sim.poke(io.read_index, 0);
        bench.sim.poke(io.events, 0b101);
        (0..300).for_each(|_| bench.sim.step());
        assert_eq!(totals(&mut bench, &io, 3), [255, 0, 255]);
    }

    #[test]
    fn refuses_sizes_out_of_range() {
        let refused = |events, width, message: &str| {
            let errors = refusal(|| event_counters(events, width));
            assert!(errors.contains(message), "{errors}");
        };
        refused(129, 32, "2 to 128 events are counted, not 129");
        refused(4, 7, "8 to 64 bits, and enough for 4 events at once, not 7");
        refused(128, 8, "8 to 64 bits, and enough for 128 events at once, not 8");
    }
}
