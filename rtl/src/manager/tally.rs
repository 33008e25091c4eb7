//! What happens to functions, counted in a memory.
//!
//! # Schematic
//! ```text
//!  happens, note ─┐
//!                 ├─► read ─► (+) ─► write
//!  ask ───────────┘    │ ▲             │
//!                      │ └─────────────┘
//!                      └─► answer
//! ```
//!
//! # Timing
//! One event in every cycle, none is lost. `ask` is taken in a cycle without one, and answered two cycles later.

use crate::{config::Config, pcie::configuration::function_bits};
use hdl::*;

/// A question about a function.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Question {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// The count starts again after the answer.
    pub clears: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config, count: usize, note: usize)]
pub struct TallyIo {
    /// It has happened to this function.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub happens: Valid<Bits>,
    /// What is kept of it until it happens again; not there if that is nothing.
    #[input]
    #[ty(notes(note))]
    pub note: Vec<Bits>,
    #[input]
    #[ty(Stream::ty(Question::ty(config)))]
    pub ask: Stream<Question>,
    /// The count, and the last note below it; all 0 before the first event.
    #[output]
    #[ty(Valid::ty(bits(count + note)))]
    pub answer: Valid<Bits>,
}

/// What is done with the word of a function.
#[derive(Bundle, Clone)]
#[ty(config: &Config, note: usize)]
struct Task {
    counts: Bool,
    asks: Bool,
    clears: Bool,
    #[ty(bits(function_bits(config)))]
    function: Bits,
    #[ty(notes(note))]
    note: Vec<Bits>,
}

/// A vector of this width, or none.
fn notes(width: usize) -> Vec<Bits> {
    (width > 0).then(|| bits(width)).into_iter().collect()
}

/// Counts with `count` bits, which wrap, and keeps the last `note` of those that come with an event.
#[hdl]
pub fn tally(config: &Config, count: usize, note: usize) -> TallyIo {
    let name = format!("manager_tally_{}_{count}_{note}", config.functions());
    module(name, TallyIo::ty(config, count, note), |io| {
        let words = mem(bits(count + note), 1 << function_bits(config), Collision::Undefined);
        /// Functions whose word means something.
        let begun = reg(bits(config.functions()));
        io.ask.ready.set(!io.happens.valid);
        let question = io.ask.payload;
        let asked = io.ask.fire();
        let comes = Task {
            counts: io.happens.valid,
            asks: asked,
            clears: asked & question.clears,
            function: io.happens.valid.mux(io.happens.payload, question.function),
            note: io.note.clone(),
        };
        // The word is read,
        let first = delay(comes);
        // and changed and written in the next cycle.
        let second = delay(first.clone());
        let word = reg_without_reset(bits(count + note));
        let more = word.slice(note, count) + 1;
        let counted = cat([&[more], &second.note[..]].concat());
        let changed = second.clears.mux(word.zero(), counted);
        when(second.counts | second.clears, || {
            words.write(second.function, changed);
            begun.at(second.function).set(true);
        });
        let follows = first.function.eq(second.function) & (second.counts | second.clears);
        let kept = begun.at(first.function).mux(words.peek(first.function), word.zero());
        word.set(follows.mux(changed, kept));
        io.answer.valid.set(second.asks);
        io.answer.payload.set(word);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Events in all patterns, questions in between; a model that counts.
    #[test]
    fn counts_each_and_keeps_the_last_note() {
        for (seed, (vfs, count, note)) in
            [(0, 32, 0), (3, 16, 6), (3, 3, 2), (62, 32, 0)].into_iter().enumerate()
        {
            let config = Config { vfs, ..Config::small() };
            let (mut bench, io) = Bench::new(|| tally(&config, count, note), seed as u64);
            let functions = config.functions();
            let mut model = vec![(0u128, 0u128); functions];
            let (mut expected, mut answers, mut cleared) = (std::collections::VecDeque::new(), 0, 0);
            for cycle in 0..20_000 {
                let dense = [1.0, 0.5, 0.9][cycle / 1000 % 3];
                let happens = bench.rng.f64() < dense && cycle % 5 != 4;
                let near = bench.rng.usize(..functions.min(2));
                let function = if bench.rng.bool() { near } else { bench.rng.usize(..functions) };
                let kept = if note > 0 { bench.rng.u128(..1 << note) } else { 0 };
                bench.sim.poke(io.happens.valid, happens);
                bench.sim.poke(io.happens.payload, function as u128);
                io.note.iter().for_each(|port| bench.sim.poke(*port, kept));
                let (asks, clears) = (bench.rng.bool(), bench.rng.u8(..8) == 0);
                let asked = bench.rng.usize(..functions);
                bench.sim.poke(io.ask.valid, asks);
                bench.sim.poke(io.ask.payload.function, asked as u128);
                bench.sim.poke(io.ask.payload.clears, clears);
                assert_eq!(bench.sim.peek(io.ask.ready), !happens);
                if bench.sim.peek(io.answer.valid) {
                    let (when, word) = expected.pop_front().expect("a question");
                    assert_eq!((cycle, bench.sim.peek(io.answer.payload)), (when, word));
                    answers += 1;
                }
                if happens {
                    model[function] = ((model[function].0 + 1) % (1 << count), kept);
                } else if asks {
                    let (number, last) = model[asked];
                    expected.push_back((cycle + 2, number << note | last));
                    if clears {
                        model[asked] = (0, 0);
                        cleared += 1;
                    }
                }
                bench.sim.step();
            }
            assert!(answers > 1000 && cleared > 100);
        }
    }
}
