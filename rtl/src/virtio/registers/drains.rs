//! Drains queues, one after the other.

use crate::{
    config::Config,
    virtio::queues::{Queue, queues},
};
use hdl::*;

/// Blocks that a queue is drained from: `fetch`, the one that serves it, `store`, `used`, `moderation`.
pub const STAGES: usize = 5;

/// Nothing of the queue is left in any block.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Drained {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    /// All queues of its function are drained, as it is being reset,
    pub whole: Bool,
    /// and this is the last of them.
    pub last: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct DrainsIo {
    /// Functions that are being reset.
    #[input]
    #[ty(bits(config.functions()))]
    pub resetting: Bits,
    /// This queue
    #[output]
    #[ty(Queue::ty(config))]
    pub visited: Queue,
    /// is to be drained,
    #[input]
    pub wanted: Bool,
    /// or something of it is on offer. It may begin to be up to one cycle after the queue ceased to live.
    #[input]
    pub held: Bool,
    #[output]
    #[ty(vec![Stream::ty(Queue::ty(config)); STAGES])]
    pub drain: Vec<Stream<Queue>>,
    #[output]
    #[ty(Stream::ty(Drained::ty(config)))]
    pub drained: Stream<Drained>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// One queue is looked at in each cycle.
    Look,
    /// What is on offer of it is waited for.
    Settle,
    /// It is on offer to one stage after the other.
    Offer,
    /// It is drained.
    Tell,
}

/// Goes round all queues. Those that are to be drained, and all of a function that is being reset, are offered to the stages.
/// A function is reset from its first queue on.
///
/// A round takes as many cycles as there are queues, and what the drains need. Registers at all outputs.
#[hdl]
pub fn drains(config: &Config) -> DrainsIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_drains_{}_{}", config.functions(), config.pairs);
    module(name, DrainsIo::ty(config), |io| {
        let state = reg_enum(State::Look);
        let visited = reg(Queue::ty(config));
        let stage = reg(bits(clog2(STAGES)));
        let whole = reg(flag());
        let is_first = !visited.slot.any();
        let is_last = visited.slot.eq(queues(config) - 1);
        let resets = is_first.mux(io.resetting.at(visited.function), whole);
        let moves = select(&io.drain.iter().map(|stage| stage.ready).collect::<Vec<_>>(), stage);
        let goes_on = (state.is(State::Look) & !(resets | io.wanted)) | io.drained.fire();
        when(goes_on, || {
            visited.slot.set(is_last.mux(visited.slot.zero(), visited.slot + 1));
            when(is_last, || {
                let is_end = visited.function.eq(config.functions() - 1);
                visited.function.set(is_end.mux(visited.function.zero(), visited.function + 1));
            });
        });
        state.cases(|s| match s {
            State::Look => {
                whole.set(resets);
                when(resets | io.wanted, || state.set(State::Settle));
            }
            State::Settle => {
                when(!io.held, || state.set(State::Offer));
            }
            State::Offer => {
                when(moves, || {
                    let ends = stage.eq(STAGES - 1);
                    stage.set(ends.mux(stage.zero(), stage + 1));
                    when(ends, || state.set(State::Tell));
                });
            }
            State::Tell => {
                when(io.drained.ready, || state.set(State::Look));
            }
        });
        io.visited.set(visited);
        for (number, drain) in io.drain.iter().enumerate() {
            drain.valid.set(state.is(State::Offer) & stage.eq(number));
            drain.payload.set(visited);
            drain.assert_stable();
        }
        io.drained.valid.set(state.is(State::Tell));
        io.drained.payload.set(Drained { queue: visited, whole, last: is_last });
        io.drained.assert_stable();
    })
}
