//! Resets of functions.

use super::{
    configuration::{FunctionReset, function_bits},
    functions::virtuals,
};
use crate::{config::Config, prim};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ResetsIo {
    /// The legacy personality.
    #[input]
    pub legacy: Bool,
    /// Virtual functions are there.
    #[input]
    pub vf_enable: Bool,
    /// How many.
    #[input]
    pub vf_number: U<16>,
    /// Software has asked for a reset of this function, and the completion is on its way.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub request: Valid<Bits>,
    /// Functions that may not send, and get no requests.
    #[output]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
    /// Functions of which nothing is in the engines that could still become a packet.
    #[input]
    #[ty(bits(config.functions()))]
    pub quiet: Bits,
    /// To the reporter: a pulse, and whether the errors that were there at the pulse are dealt with.
    #[output]
    pub flush: Bool,
    #[input]
    pub flushed: Bool,
    /// To the transmitter: a pulse, and whether all has left that was there at the pulse.
    #[output]
    pub mark: Bool,
    #[input]
    pub passed: Bool,
    /// Resets of the configuration space, of the MSI-X table, and of the function's own state; each taken when it is done.
    #[output]
    #[ty(Stream::ty(FunctionReset::ty(config)))]
    pub configuration: Stream<FunctionReset>,
    #[output]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub msix: Stream<Bits>,
    #[output]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub device: Stream<Bits>,
    /// A reset of this function is over.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub done: Valid<Bits>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// What is under way of it comes to an end.
    Quiet,
    /// So do errors that were found in it,
    Flush,
    Report,
    /// and what is on its way to the link.
    Mark,
    Leave,
    /// Its state is cleared; interrupts after what could want them.
    Configuration,
    Device,
    Msix,
    Done,
}

/// Cycles after which what is quiet knows that its function is stopped.
const SETTLE: usize = 7;

/// Resets functions, one at a time, after everything of theirs has left (6.6.2).
///
/// ```text
///  request ─────────┐
///  vf_enable falls ─┴─► waiting ─┬─► stopped
///                                └─► quiet ─► errors reported ─► left the transmitter ─► cleared ─► done
/// ```
///
/// A function is stopped from the request until its reset is done. A virtual function is also while it is not there, or
/// while its physical function is being reset. Virtual functions that vanish, because software or a reset of the
/// physical function ends them, are reset with their sticky bits (9.2.2.3).
#[hdl]
pub fn resets(config: &Config) -> ResetsIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    module(format!("pcie_resets_{}", config.functions()), ResetsIo::ty(config), |io| {
        let functions = config.functions();
        let state = reg_enum(State::Idle);
        /// Functions that are to be reset, and those of them that vanished.
        let waiting = reg(bits(functions));
        let vanished = reg(bits(functions));
        let function = reg_without_reset(bits(function_bits(config)));

        // Which virtual functions are there.
        let number = Bits::from(io.vf_number);
        let is_there = |vf: usize| io.vf_enable & number.gt(vf);
        let exist = match config.vfs {
            0 => lit(0, 2),
            vfs => cat([vector((0..vfs).map(is_there)), lit(0, 2)]),
        };
        let existed = delay(exist);
        let vanish = existed & !exist;
        let own_reset = waiting.bit(0).bits().repeat(functions);
        let absent = virtuals(config, io.legacy) & (!exist | own_reset);
        io.stopped.set(delay(waiting | absent));

        // With the physical function its virtual ones end.
        let followers = virtuals(config, io.legacy) & (!function.any()).bits().repeat(functions);
        let is_quiet = io.quiet.at(function) & (io.quiet | !followers).all();

        // The next one, in turn: none waits for more than one reset of each other function.
        let turns = prim::round_robin(functions);
        turns.requests.set(waiting);
        turns.accept.set(state.is(State::Idle));
        let asked = prim::decode(io.request.payload, functions) & io.request.valid.bits().repeat(functions);
        /// The reset that is under way is one with sticky bits.
        let sticky = reg_without_reset(flag());
        // What is asked for, or vanishes, while its state is being cleared is reset again.
        let again = reg(flag());
        let is_cleared = state.is(State::Configuration) | state.is(State::Device) | state.is(State::Msix);
        when(state.is(State::Leave), || again.set(false))
            .elsewhen(is_cleared & (asked | vanish).at(function), || again.set(true));
        let ends = state.is(State::Done) & !again;
        let finished = prim::decode(function, functions) & ends.bits().repeat(functions);
        waiting.set((waiting & !finished) | asked | vanish);
        vanished.set((vanished & !finished) | vanish);
        /// Cycles since the reset began.
        let age = reg_without_reset(bits(clog2(SETTLE + 1)));
        when(state.is(State::Idle), || age.set(0)).elsewhen(age.ne(SETTLE), || age.set(age + 1));
        state.cases(|s| match s {
            State::Idle => {
                function.set(turns.index);
                when(waiting.any(), || state.set(State::Quiet));
            }
            State::Quiet => {
                when(is_quiet & age.eq(SETTLE), || state.set(State::Flush));
            }
            State::Flush => state.set(State::Report),
            State::Report => {
                when(io.flushed, || state.set(State::Mark));
            }
            State::Mark => state.set(State::Leave),
            State::Leave => {
                when(io.passed, || state.set(State::Configuration));
            }
            State::Configuration => {
                when(io.configuration.ready, || state.set(State::Device));
            }
            State::Device => {
                when(io.device.ready, || state.set(State::Msix));
            }
            State::Msix => {
                when(io.msix.ready, || state.set(State::Done));
            }
            State::Done => state.set(State::Idle),
        });
        io.flush.set(state.is(State::Flush));
        io.mark.set(state.is(State::Mark));
        io.configuration.valid.set(state.is(State::Configuration));
        io.configuration.payload.function.set(function);
        when(state.is(State::Leave), || sticky.set((vanished | vanish).at(function)));
        io.configuration.payload.sticky.set(sticky);
        io.msix.valid.set(state.is(State::Msix));
        io.msix.payload.set(function);
        io.device.valid.set(state.is(State::Device));
        io.device.payload.set(function);
        io.configuration.assert_stable();
        io.msix.assert_stable();
        io.device.assert_stable();
        io.done.valid.set(ends);
        io.done.payload.set(function);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// How far the reset that is under way has come.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Step {
        Idle,
        Flushing,
        Flushed,
        Marked,
        Left,
        Configured(bool),
        Device(bool),
        Cleared(bool),
    }

    /// Requests and vanishing functions at random. Each reset goes through its steps in their order, of a function that is
    /// stopped since long enough, and quiet; each function that asked is reset afterwards, and each that vanished with its
    /// sticky bits; nothing else is.
    #[test]
    fn functions_are_reset_in_order() {
        for (seed, (vfs, legacy)) in [(3, false), (62, false), (0, false), (9, true)].into_iter().enumerate()
        {
            let config = Config { vfs, ..Config::small() };
            let functions = config.functions();
            let (mut bench, io) = Bench::new(|| resets(&config), seed as u64);
            bench.sim.poke(io.legacy, legacy);
            let (mut enabled, mut number) = (false, 0);
            // Since when a function is owed a reset, and one with sticky bits.
            let (mut owed, mut owed_sticky) = (vec![None; functions], vec![None; functions]);
            let (mut step, mut current, mut stopped_for) = (Step::Idle, 0, vec![0usize; functions]);
            let (mut resets, mut sticky_resets, mut marked, mut left_at, mut renewed) = (0, 0, 0, 0, 0);
            let mut existing = vec![false; functions];
            for cycle in 0..60_000usize {
                let quiet_at_the_end = cycle > 40_000;
                let rng = &mut bench.rng;
                if !quiet_at_the_end && rng.u16(..600) == 0 && vfs > 0 {
                    enabled = !enabled && !legacy;
                    number = if enabled { rng.usize(1..=vfs) } else { number };
                }
                let asked = if rng.bool() { current } else { rng.usize(0..functions) };
                let request = (!quiet_at_the_end && rng.u16(..300) == 0).then_some(asked);
                let quiet = if rng.u8(..4) == 0 { u64::MAX } else { rng.u64(..) };
                let quiet = u128::from(quiet) & (u128::MAX >> (128 - functions));
                let [flushed, passed, ready] = [(); 3].map(|()| rng.u8(..4) == 0);
                bench.sim.poke(io.vf_enable, enabled);
                bench.sim.poke(io.vf_number, number as u128);
                bench.sim.poke(io.request.valid, request.is_some());
                bench.sim.poke(io.request.payload, request.unwrap_or(0) as u128);
                bench.sim.poke(io.quiet, quiet);
                bench.sim.poke(io.flushed, flushed);
                bench.sim.poke(io.passed, passed);
                bench.sim.poke(io.configuration.ready, ready);
                bench.sim.poke(io.msix.ready, ready);
                bench.sim.poke(io.device.ready, ready);

                let sim = &mut bench.sim;
                let stopped = sim.peek(io.stopped);
                for (function, stopped_for) in stopped_for.iter_mut().enumerate() {
                    let is_stopped = stopped >> function & 1 == 1;
                    *stopped_for = if is_stopped { *stopped_for + 1 } else { 0 };
                    let exists = function < 2 || legacy || (enabled && function - 2 < number);
                    if existing[function] && !exists {
                        owed_sticky[function] = Some(cycle);
                        owed[function] = Some(cycle);
                    }
                    existing[function] = exists;
                    // Two cycles after something is owed, or the function is not there.
                    let since = |at: Option<usize>| at.is_some_and(|at| cycle > at + 2);
                    assert!(
                        is_stopped || !(since(owed[function]) || since(owed_sticky[function])),
                        "{function}"
                    );
                }
                if sim.peek(io.flush) {
                    assert_eq!(step, Step::Idle);
                    step = Step::Flushing;
                } else if step == Step::Flushing && flushed {
                    step = Step::Flushed;
                } else if sim.peek(io.mark) {
                    assert_eq!(step, Step::Flushed);
                    (step, marked) = (Step::Marked, cycle);
                } else if step == Step::Marked && passed {
                    assert!(cycle > marked);
                    (step, left_at) = (Step::Left, cycle);
                }
                if sim.peek(io.configuration.valid) && ready {
                    assert_eq!(step, Step::Left);
                    current = sim.peek(io.configuration.payload.function) as usize;
                    assert!(
                        stopped_for[current] > SETTLE,
                        "{current} is stopped for {}",
                        stopped_for[current]
                    );
                    step = Step::Configured(sim.peek(io.configuration.payload.sticky));
                } else if sim.peek(io.device.valid) && ready {
                    let Step::Configured(sticky) = step else { panic!("{step:?}") };
                    assert_eq!(sim.peek(io.device.payload), current as u128);
                    step = Step::Device(sticky);
                } else if sim.peek(io.msix.valid) && ready {
                    let Step::Device(sticky) = step else { panic!("{step:?}") };
                    assert_eq!(sim.peek(io.msix.payload), current as u128);
                    step = Step::Cleared(sticky);
                } else if let Step::Cleared(sticky) = step {
                    step = Step::Idle;
                    let done = sim.peek(io.done.valid);
                    // Done, unless something was asked for since its state began to be cleared.
                    let before = |at: &Option<usize>| at.is_some_and(|at| at <= left_at);
                    let is_renewed = owed[current].is_some_and(|at| at > left_at && at < cycle);
                    assert_eq!(done, !is_renewed, "{current}");
                    renewed += usize::from(is_renewed);
                    if done {
                        assert_eq!(sim.peek(io.done.payload), current as u128);
                        resets += 1;
                    }
                    assert!(sticky || !before(&owed_sticky[current]), "{current} has vanished");
                    if before(&owed[current]) {
                        owed[current] = None;
                    }
                    if before(&owed_sticky[current]) {
                        owed_sticky[current] = None;
                        sticky_resets += 1;
                    }
                } else {
                    assert!(!sim.peek(io.done.valid));
                }
                if let Some(function) = request {
                    owed[function] = Some(cycle);
                }
                bench.cycle(&mut []);
            }
            assert!(owed.iter().chain(&owed_sticky).all(Option::is_none), "{owed:?} {owed_sticky:?}");
            assert!(resets > 80 && (sticky_resets > 20 || vfs == 0 || legacy), "{resets} {sticky_resets}");
            assert!(renewed > 0, "{renewed}");
        }
    }

    /// A function is not taken for quiet unless it says so, the physical one unless its virtual ones do, too.
    #[test]
    fn a_function_that_is_not_quiet_is_waited_for() {
        let config = Config::small();
        let (mut bench, io) = Bench::new(|| resets(&config), 9);
        bench.sim.poke(io.request.valid, true);
        bench.sim.poke(io.request.payload, 0);
        bench.sim.poke(io.vf_enable, false);
        bench.sim.poke(io.legacy, false);
        bench.sim.poke(io.flushed, true);
        for quiet in [0b11110, 0b10111] {
            bench.sim.poke(io.quiet, quiet);
            bench.cycle(&mut []);
            bench.sim.poke(io.request.valid, false);
            for _ in 0..100 {
                assert!(!bench.sim.peek(io.flush) && !bench.sim.peek(io.mark));
                bench.cycle(&mut []);
            }
        }
        // Its virtual functions are stopped with it.
        assert_eq!(bench.sim.peek(io.stopped), 0b11101);
        // That of the manager does not matter.
        bench.sim.poke(io.quiet, 0b11101);
        (0..3).for_each(|_| bench.cycle(&mut []));
        assert!(bench.sim.peek(io.mark));
    }

    /// Functions that are reset again and again keep none from its turn.
    #[test]
    fn functions_are_reset_in_turn() {
        let config = Config::small();
        let (mut bench, io) = Bench::new(|| resets(&config), 3);
        bench.sim.poke(io.legacy, true);
        bench.sim.poke(io.quiet, 0b11111);
        for ready in [io.flushed, io.passed, io.configuration.ready, io.device.ready, io.msix.ready] {
            bench.sim.poke(ready, true);
        }
        bench.sim.poke(io.request.valid, true);
        let mut done = vec![];
        for cycle in 0..2000 {
            // All are asked for, the last one once.
            let asked = if cycle == 50 { 4 } else { cycle % 4 };
            bench.sim.poke(io.request.payload, asked as u128);
            if bench.sim.peek(io.done.valid) && cycle > 50 {
                done.push(bench.sim.peek(io.done.payload));
            }
            bench.cycle(&mut []);
        }
        let turn = done.iter().position(|function| *function == 4).expect("it has its turn");
        assert!(turn <= 5, "{done:?}");
    }
}
