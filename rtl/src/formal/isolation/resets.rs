//! Whom a reset stops.

use crate::{
    config::Config,
    formal::{Method::*, Proof, chosen_one, steady},
    pcie::{
        configuration::function_bits,
        resets::{ResetsIo, resets},
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let config = Config { vfs: 2, ..super::super::least() };
    let claim = "a function is stopped until its reset is done, nobody else is, and it is cleared when all of it has left";
    vec![Proof::new("isolation/resets", claim, "4 functions", Reachability, move || stops(&config))]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct StopsIo {
    #[ty(ResetsIo::ty(config))]
    resets: ResetsIo,
    /// Any function.
    #[input]
    #[ty(bits(function_bits(config)))]
    who: Bits,
}

/// Cycles of `stopped` after which the engines' `quiet` counts.
const SETTLED: usize = 7;

/// Any function:
/// - from a request for its reset, or its vanishing, it is stopped until that reset is done;
/// - otherwise it is not, but for a virtual function that is not there or whose physical function is being reset;
/// - its state is cleared only if it is owed a reset, and after it was quiet while stopped, and a mark after that has passed.
#[hdl]
pub fn stops(config: &Config) -> StopsIo {
    module("stops", StopsIo::ty(config), |io| {
        let (block, outer) = (resets(config), &io.resets);
        block.legacy.set(outer.legacy);
        block.vf_enable.set(outer.vf_enable);
        block.vf_number.set(outer.vf_number);
        block.request.set(outer.request);
        block.quiet.set(outer.quiet);
        block.flushed.set(outer.flushed);
        block.passed.set(outer.passed);
        outer.stopped.set(block.stopped);
        outer.flush.set(block.flush);
        outer.mark.set(block.mark);
        outer.configuration.connect(&block.configuration);
        outer.msix.connect(&block.msix);
        outer.device.connect(&block.device);
        outer.done.set(block.done);
        chosen_one(io.who, config.functions());
        steady(outer.legacy.bits());
        assume(!(outer.legacy & outer.vf_enable), "the legacy personality has no virtual functions");

        // Who is owed a reset, by the ports alone.
        let is_of = |event: Valid<Bits>, function: Bits| event.valid & event.payload.eq(function);
        let physical = lit(0, io.who.width());
        let number = Bits::from(outer.vf_number);
        let is_virtual = io.who.ge(2) & !outer.legacy;
        let exists = is_virtual & outer.vf_enable & number.gt(io.who.zext(16) - 2);
        let vanishes = delay(exists) & !exists;
        let owed = |function: Bits, vanishes: Bool| {
            let owed = reg(flag());
            let asked = is_of(outer.request, function) | vanishes;
            owed.set((owed & !is_of(block.done, function)) | asked);
            owed
        };
        let is_owed = owed(io.who, vanishes);
        let physical_is_owed = owed(physical, false.to_bool());
        let is_stopped = block.stopped.at(io.who);
        assert(!delay(is_owed) | is_stopped, "it is stopped until its reset is done");
        let is_absent = is_virtual & (!exists | physical_is_owed);
        assert(!is_stopped | delay(is_owed | is_absent), "nobody is stopped by another's reset");

        // What has happened since its last reset.
        let age = reg(bits(clog2(SETTLED + 1)));
        when(!is_stopped, || age.set(0)).elsewhen(age.ne(SETTLED), || age.set(age + 1));
        let (was_quiet, is_marked, has_left) = (reg(flag()), reg(flag()), reg(flag()));
        let is_now = is_stopped & outer.quiet.at(io.who) & age.eq(SETTLED);
        let ends = block.msix.fire() & block.msix.payload.eq(io.who);
        when(ends, || [was_quiet, is_marked, has_left].into_iter().for_each(|step| step.set(false)))
            .otherwise(|| {
                when(is_now, || was_quiet.set(true));
                when(was_quiet & block.mark, || is_marked.set(true));
                when(is_marked & outer.passed, || has_left.set(true));
            });
        let clears = (block.configuration.valid & block.configuration.payload.function.eq(io.who))
            | (block.device.valid & block.device.payload.eq(io.who))
            | (block.msix.valid & block.msix.payload.eq(io.who));
        assert(!clears | (is_owed & is_stopped), "only who is owed a reset is reset");
        assert(!clears | has_left, "it is cleared when all of it has left");
        cover(is_of(block.done, io.who) & !is_virtual, "a reset");
        cover(is_of(block.done, io.who) & is_virtual & !exists, "one of a function that has vanished");
        cover(is_stopped & is_virtual & exists & physical_is_owed & !is_owed, "one of its physical function");
    })
}
