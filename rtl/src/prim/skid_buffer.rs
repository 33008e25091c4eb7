//! A stream stage with all outputs registered.
//!
//! # Purpose
//! Cuts every combinational path of a stream, `ready` included, and still moves a beat every cycle.
//!
//! # Schematic
//! ```text
//!  input.payload --+------------->|0\
//!                  |   [ skid ]-->|1/--[ output register ]--> output
//!                  +-->|D    Q|      ^
//!  input.ready <--[D Q] = skid is empty
//! ```
//!
//! # Internals
//! When the output stalls, the beat that comes in the same cycle goes to the skid register, and `input.ready` falls one
//! cycle later. The skid register loads in every cycle with `ready`, so it needs no logic of its own.
//!
//! # Timing
//! A beat every cycle, 1 cycle of latency; holds 2 beats.
//! ```text
//!                 _   _   _   _   _   _
//!  clk          _/ \_/ \_/ \_/ \_/ \_/ \_
//!  input        /A  X B X C         X D
//!  input.ready  --------\_______/--------
//!  output       ____/A          X B X C
//!  output.ready ____\_______/------------
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::{frame::Beat, prim::skid_buffer};
//! assert!(elaborate(|| skid_buffer(Beat::ty(16))).is_ok());
//! ```

use super::PipeIo;
use hdl::*;

/// A skid buffer for any payload type.
#[hdl]
pub fn skid_buffer<T: Data>(payload: T) -> PipeIo<T> {
    module(format!("skid_buffer_{}", payload.size()), PipeIo::ty(payload.clone()), |io| {
        io.input.assume_stable();
        io.output.assert_stable();
        /// The skid register is empty.
        let ready = reg_flag(true);
        /// The beat that came while the output was stalled.
        let skid = reg_without_reset(payload.clone());
        /// The output register holds a beat.
        let holding = reg_flag(false);
        let held = reg_without_reset(payload.clone());

        let advance = !holding | io.output.ready;
        when(ready, || skid.set(io.input.payload.clone()));
        when(advance, || {
            holding.set(io.input.valid | !ready);
            held.set(ready.mux(io.input.payload.clone(), skid));
        });
        ready.set(advance | ready & !io.input.valid);
        io.input.ready.set(ready);
        io.output.valid.set(holding);
        io.output.payload.set(held);
        assert(holding | ready, "the skid register fills last");
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn keeps_order_at_any_pace() {
        for (up, down) in PACES {
            let (mut bench, io) = Bench::new(|| skid_buffer(bits(70)), 1);
            let (mut source, mut sink) = (Source::new(&io.input, up), Sink::new(&io.output, down));
            for _ in 0..2 {
                let words = random_words(&mut bench.rng, 70, 300);
                source.send(words.clone());
                let cycles = bench.until((&mut source, &mut sink), 9000, |_, sink| sink.got.len() == 300);
                assert_eq!(sink.got, words);
                if (up, down) == (1.0, 1.0) {
                    assert_eq!(cycles, 301, "a beat every cycle");
                }

                let lost = random_words(&mut bench.rng, 70, 5);
                source.send(lost);
                bench.cycle(&mut [&mut source]);
                source.reset();
                bench.sim.poke(io.input.valid, false);
                bench.sim.reset();
                assert!(!bench.sim.peek(io.output.valid), "empty after reset");
                sink.got.clear();
            }
        }
    }

    /// No output depends on an input of the same cycle.
    #[test]
    fn all_outputs_are_registers() {
        let (mut bench, io) = Bench::new(|| skid_buffer(bits(8)), 2);
        for _ in 0..200 {
            let mut seen = vec![];
            for (valid, ready) in [(false, false), (true, false), (false, true), (true, true)] {
                bench.sim.poke(io.input.valid, valid);
                bench.sim.poke(io.output.ready, ready);
                seen.push((bench.sim.peek(io.input.ready), bench.sim.peek(io.output.valid)));
            }
            assert!(seen.iter().all(|outputs| *outputs == seen[0]));
            // The beat on offer is the same all the time, so it may be offered or withdrawn only between beats.
            let (valid, ready) = (bench.sim.peek(io.input.ready), bench.rng.bool());
            bench.sim.poke(io.input.valid, valid);
            bench.sim.poke(io.output.ready, ready);
            bench.sim.step();
        }
    }
}
