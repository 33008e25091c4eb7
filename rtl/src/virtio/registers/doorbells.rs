//! Doorbells on their way to `fetch`.

use crate::{
    config::Config,
    prim::fifo,
    virtio::{
        queues::{Queue, queue_bits, queue_count},
        types::Doorbell,
    },
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct DoorbellsIo {
    #[input]
    #[ty(Valid::ty(Doorbell::ty(config)))]
    pub ring: Valid<Doorbell>,
    /// Whether this queue
    #[output]
    #[ty(Queue::ty(config))]
    pub candidate: Queue,
    /// lives.
    #[input]
    pub lives: Bool,
    /// A doorbell of this queue is on offer, or will be in the next cycle.
    #[output]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub offered: Valid<Queue>,
    #[output]
    #[ty(Stream::ty(Doorbell::ty(config)))]
    pub doorbell: Stream<Doorbell>,
    /// The memory is clear since the reset; doorbells before that are lost.
    #[output]
    pub cleared: Bool,
}

/// How far a queue's driver has come.
#[derive(Bundle, Clone, Copy)]
struct Index {
    is_known: Bool,
    value: U<16>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// The next queue is taken from those that wait,
    Take,
    /// and loses its place if it does not live.
    Judge,
    /// The index has been read.
    Load,
    Offer,
}

/// Keeps each queue that rang once, with the last index that came with it, in the order in which they rang.
///
/// ```text
///  ring ─┬─► waits already? ─► FIFO of queues ─► candidate ─► lives? ─┬─► doorbell
///        └─► index of each queue ─────────────────────────────────────┘
/// ```
/// A doorbell is offered in the seventh cycle after an empty block was rung, and then one in four cycles. Registers at all
/// outputs.
#[hdl]
pub fn doorbells(config: &Config) -> DoorbellsIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_doorbells_{}_{}", config.functions(), config.pairs);
    module(name, DoorbellsIo::ty(config), |io| {
        let depth = queue_count(config);
        let waiting = fifo(Queue::ty(config), depth);
        /// Queues that wait.
        let waits = mem(flag(), depth, Collision::Undefined);
        let indices = mem(Index::ty(), depth, Collision::Undefined);
        let state = reg_enum(State::Take);

        let rung = delay(io.ring.valid);
        let ring = delay_without_reset(io.ring.payload);
        let is_new = rung & !waits.peek(ring.queue.number());
        waiting.enq.valid.set(is_new);
        waiting.enq.payload.set(ring.queue);
        assert(!is_new | waiting.enq.ready, "each queue waits at one place");
        when(rung, || {
            indices.write(ring.queue.number(), Index { is_known: ring.has_index, value: ring.index });
        });

        // A queue that leaves gives way to one that comes.
        let candidate = reg_without_reset(Queue::ty(config));
        let judges = state.is(State::Judge) & !rung;
        let clearing = reg_init(lit(0, queue_bits(config) + 1));
        let cleared = clearing.bit(queue_bits(config));
        when(!cleared & !rung, || clearing.set(clearing + 1));
        let leaves = judges.mux(candidate.number(), clearing.trunc(queue_bits(config)));
        when(rung | judges | !cleared, || {
            waits.write(rung.mux(ring.queue.number(), leaves), rung);
        });
        let read = indices.read(candidate.number());
        let offer = reg_without_reset(Doorbell::ty(config));
        waiting.deq.ready.set(state.is(State::Take));
        state.cases(|s| match s {
            State::Take => {
                candidate.set(waiting.deq.payload);
                when(waiting.deq.valid, || state.set(State::Judge));
            }
            State::Judge => {
                when(judges, || state.set(State::Take));
                when(judges & io.lives, || state.set(State::Load));
            }
            State::Load => {
                offer.queue.set(candidate);
                offer.has_index.set(read.is_known);
                offer.index.set(read.value);
                state.set(State::Offer);
            }
            State::Offer => {
                when(io.doorbell.ready, || state.set(State::Take));
            }
        });
        io.candidate.set(candidate);
        io.offered.valid.set(state.is(State::Load) | state.is(State::Offer));
        io.offered.payload.set(candidate);
        io.doorbell.valid.set(state.is(State::Offer));
        io.doorbell.payload.set(offer);
        io.doorbell.assert_stable();
        io.cleared.set(cleared);
    })
}
