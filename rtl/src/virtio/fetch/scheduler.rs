//! Which queues get a thread.

use super::{
    super::{
        queues::{Queue, queue_bits, queue_count},
        types::Doorbell,
    },
    types::{End, Start, batch, batch_bits, thread_bits},
};
use crate::{
    config::Config,
    prim::{self, encode, first_one},
};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, threads: usize)]
pub struct SchedulerIo {
    #[input]
    #[ty(Stream::ty(Doorbell::ty(config)))]
    pub doorbell: Stream<Doorbell>,
    /// A descriptor of this queue has left the store.
    #[input]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub taken: Valid<Queue>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
    #[output]
    #[ty(Stream::ty(Start::ty(config, threads)))]
    pub start: Stream<Start>,
    #[input]
    #[ty(Stream::ty(End::ty(config, threads)))]
    pub ended: Stream<End>,
    #[output]
    #[ty(bits(queue_count(config)))]
    pub busy: Bits,
}

/// Where a queue is.
#[derive(HwEnum, Clone, Copy)]
enum Phase {
    Idle,
    /// In the FIFO of those that want a thread: once at most.
    Queued,
    /// It wants a thread, and room in the store.
    Waiting,
    /// It has a thread.
    Running,
}

/// What is kept of a queue.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct State {
    phase: Enum<Phase>,
    /// A doorbell came while it was running.
    again: Bool,
    broken: Bool,
    /// It has had a thread.
    begun: Bool,
    /// The store has the beginning of a buffer.
    open: Bool,
    /// Places of the store that it has, or that its thread may fill.
    #[ty(bits(clog2(config.prefetch + 1)))]
    places: Bits,
    known: Bool,
    #[ty(bits(16))]
    available: Bits,
}

#[derive(HwEnum, Clone, Copy)]
enum Kind {
    /// The state is as after reset.
    Clear,
    Taken,
    Ended,
    Doorbell,
    Drain,
    /// The first of the FIFO gets a thread.
    Launch,
}

/// Something that changes a queue's state.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, threads: usize)]
struct Event {
    kind: Enum<Kind>,
    #[ty(Queue::ty(config))]
    queue: Queue,
    #[ty(End::ty(config, threads))]
    end: End,
}

/// One event after the other changes the state of its queue, which is a word of a memory.
///
/// ```text
///  taken, ended, doorbell, drain ─┬─► event ─► state[queue] ─┬─► start
///                      ┌──────────┘                          │
///                      └── launch ◄── FIFO of queues ◄───────┘
/// ```
///
/// The last place of a queue in the store is never given to a thread: a buffer that has begun gets a bad end there if its
/// queue is drained.
///
/// An event is done two cycles after it was taken, and one may be taken in every second cycle. After reset all states are
/// cleared, one in every second cycle.
#[hdl]
pub fn scheduler(config: &Config, threads: usize) -> SchedulerIo {
    let name = format!("virtio_fetch_scheduler_{threads}_{}_{}", queue_count(config), config.prefetch);
    module(name, SchedulerIo::ty(config, threads), |io| {
        let states = mem(State::ty(config), queue_count(config), Collision::Undefined);
        let queued = prim::fifo(Queue::ty(config), queue_count(config));
        let start = reg_without_reset(io.start.payload);
        let starting = reg(flag());
        let free = reg_init(!lit(0, threads));
        let busy = reg(bits(queue_count(config)));
        let draining = reg(flag());
        /// An event was chosen: its queue's state is read,
        let chosen = reg(flag());
        /// and changed.
        let valid = delay(chosen);
        let event = reg_without_reset(Event::ty(config, threads));
        let taken_waits = reg(flag());
        let taken_from = reg_without_reset(io.taken.payload);

        // The next event.
        let cleared = reg(flag());
        let cleared_up_to = reg(bits(queue_bits(config)));
        let launches = valid & (event.kind.is(Kind::Launch) | event.kind.is(Kind::Drain));
        let may_launch = free.any() & !starting & !launches;
        let rings_drained =
            io.doorbell.valid & io.doorbell.payload.queue.number().eq(io.drain.payload.number());
        let may_drain = !draining & !launches & !rings_drained;
        let turns = prim::round_robin(4);
        turns.requests.set(vector([
            io.ended.valid,
            io.doorbell.valid,
            io.drain.valid & may_drain,
            queued.deq.valid & may_launch,
        ]));
        let takes = cleared & !taken_waits & !chosen;
        turns.accept.set(takes);
        let [ends, rings, drains, launches] = [0, 1, 2, 3].map(|request| takes & turns.grant.bit(request));
        io.ended.ready.set(ends);
        io.doorbell.ready.set(rings);
        queued.deq.ready.set(launches);
        chosen.set(!chosen & (!cleared | taken_waits | turns.any));
        assert(!taken_waits | !io.taken.valid | !chosen, "descriptors are not taken so fast");
        when(!chosen, || taken_waits.set(false));
        when(io.taken.valid, || {
            taken_waits.set(true);
            taken_from.set(io.taken.payload);
        });
        when(launches, || {
            event.kind.set(Kind::Launch);
            event.queue.set(queued.deq.payload);
        });
        when(drains, || {
            event.kind.set(Kind::Drain);
            event.queue.set(io.drain.payload);
        });
        when(rings, || {
            event.kind.set(Kind::Doorbell);
            event.queue.set(io.doorbell.payload.queue);
            event.end.known.set(io.doorbell.payload.has_index);
            event.end.available.set(io.doorbell.payload.index);
        });
        when(ends, || {
            event.kind.set(Kind::Ended);
            event.queue.set(io.ended.payload.queue);
            event.end.set(io.ended.payload);
        });
        when(taken_waits & !chosen, || {
            event.kind.set(Kind::Taken);
            event.queue.set(taken_from);
        });
        when(!cleared & !chosen, || {
            event.kind.set(Kind::Clear);
            event.queue.set(event.queue.unpack(cleared_up_to));
            cleared_up_to.set(cleared_up_to + 1);
            cleared.set(cleared_up_to.all());
        });

        // What becomes of the state.
        let number = event.queue.number();
        let state = delay_without_reset(states.peek(number));
        let next = wire(State::ty(config));
        let end = event.end;
        let most = config.prefetch - batch(config);
        let is_drained = delay(io.drain.valid & io.drain.payload.number().eq(number));
        let is = |phase| state.phase.is(phase);
        let wants = wire(flag());
        /// If it wants a thread there is room.
        let fits = wire(flag());
        let launch = wire(flag());
        let abandons = event.kind.is(Kind::Drain);
        next.set(state);
        wants.set(false);
        fits.set(state.places.le(most));
        launch.set(false);
        draining.set(false);
        let less_unused = state.places - end.unused.zext(state.places.width());
        let full = lit(batch(config), batch_bits(config));
        let budget = abandons.mux(lit(1, full.width()), state.places.eq(most).mux(full - 1, full));
        event.kind.cases(|kind| match kind {
            Kind::Clear => next.set(state.zero()),
            Kind::Taken => {
                next.places.set(state.places - 1);
                wants.set(is(Phase::Waiting));
                fits.set(state.places.le(most + 1));
            }
            Kind::Ended => {
                next.places.set(less_unused);
                fits.set(less_unused.le(most));
                next.again.set(false);
                next.broken.set(end.broken);
                next.open.set(end.open);
                when(!state.again, || {
                    next.known.set(end.known);
                    next.available.set(end.available);
                });
                wants.set((end.more | state.again) & !end.broken & !is_drained);
                next.phase.set(Phase::Idle);
            }
            Kind::Doorbell => {
                next.known.set(end.known);
                next.available.set(end.available);
                when(!state.broken & !is_drained, || {
                    next.again.set(is(Phase::Running));
                    wants.set(is(Phase::Idle));
                });
            }
            Kind::Drain => {
                when(is(Phase::Idle) | is(Phase::Waiting), || {
                    launch.set(valid & state.open & free.any() & !starting);
                    next.phase.set(Phase::Idle);
                    when(!state.open, || {
                        next.set(State { places: state.places, ..state.zero() });
                        draining.set(valid);
                    });
                });
            }
            Kind::Launch => {
                launch.set(valid & !is_drained);
                next.phase.set(Phase::Idle);
            }
        });
        let joins = delay(valid & wants & fits);
        when(wants, || next.phase.set(fits.mux(Phase::Queued.to_enum(), Phase::Waiting.to_enum())));
        when(launch, || {
            next.phase.set(Phase::Running);
            next.begun.set(true);
            next.known.set(false);
            next.places.set(state.places + budget.zext(state.places.width()));
        });
        when(valid, || {
            states.write(number, next);
            busy.at(number).set(!next.phase.is(Phase::Idle));
        });
        queued.enq.valid.set(joins);
        queued.enq.payload.set(delay_without_reset(event.queue));
        assert(queued.enq.ready | !joins, "each queue is in the FIFO once at most");
        assert(!valid | !event.kind.is(Kind::Taken) | state.places.any(), "what is taken was there");
        io.drain.ready.set(draining);
        io.busy.set(busy);

        // The thread.
        let thread = encode(first_one(free)).zext(thread_bits(threads));
        when(io.start.fire(), || starting.set(false));
        when(launch, || {
            starting.set(true);
            let queue = event.queue;
            let (begun, known, available) = (state.begun, state.known, state.available);
            start.set(Start { thread, queue, begun, abandons, budget, known, available });
        });
        let released = (valid & event.kind.is(Kind::Ended)).bits().repeat(threads)
            & prim::decode(end.thread.trunc(clog2(threads)), threads);
        let used = launch.bits().repeat(threads) & first_one(free);
        free.set((free | released) & !used);
        io.start.valid.set(starting);
        io.start.payload.set(start);
        io.start.assert_stable();
        io.doorbell.assume_stable();
        io.drain.assume_stable();
    })
}
