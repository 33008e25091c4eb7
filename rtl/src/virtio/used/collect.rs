//! Makes batches of used buffers.

use super::{
    IN_FLIGHT,
    types::{Buffer, Item},
};
use crate::{
    config::Config,
    prim::{self, onehot_select},
    virtio::{
        queues::{Queue, queue_bits, queue_count},
        types::{Cause, Fault, Used},
    },
};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(crate) struct CollectIo {
    #[input]
    #[ty(Stream::ty(Used::ty(config)))]
    pub used: Stream<Used>,
    #[output]
    #[ty(Stream::ty(Item::ty(config)))]
    pub items: Stream<Item>,
    /// A batch has ended, or what was to be forgotten is.
    #[input]
    pub ended: Bool,
    /// That has come to its end.
    #[input]
    pub forgotten: Bool,
    /// The memory of this queue could not be accessed.
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub failed: Stream<Queue>,
    #[output]
    #[ty(Stream::ty(Fault::ty(config)))]
    pub fault: Stream<Fault>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
}

/// Buffers of a batch.
pub(crate) fn batch(config: &Config) -> usize {
    config.prefetch / 2
}

/// Cycles after which a batch that is not full leaves.
pub(crate) fn patience(config: &Config) -> usize {
    20 * batch(config)
}

/// Cycles between two batches that are not full.
pub(crate) fn pause(config: &Config) -> usize {
    8 * batch(config)
}

/// Buffers that may be on their way here when a queue's drain is offered.
const SETTLING: usize = 16;

/// Bits of the time.
const TIME_BITS: usize = 12;

/// What is kept of a queue.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Context {
    /// Buffers that wait.
    #[ty(bits(clog2(batch(config))))]
    fill: Bits,
    /// One of them has another one joined to it.
    joins: Bool,
    /// So has the last one, those of the batch before included.
    open: Bool,
    /// The queue is in the list of those that have waited.
    listed: Bool,
    /// A batch has left since it came into the list.
    renewed: Bool,
    broken: Bool,
}

/// A queue with buffers that are getting old.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Waiting {
    #[ty(Queue::ty(config))]
    queue: Queue,
    /// When it came into the list.
    #[ty(bits(TIME_BITS))]
    since: Bits,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// Contexts are cleared, one by one.
    Clear,
    Idle,
    /// The context is read.
    Fetch,
    Latch,
    Act,
    /// A batch leaves.
    Send,
    /// What the queue was is forgotten behind this block first.
    Forget,
}

/// Why.
#[derive(HwEnum, Clone, Copy)]
enum Task {
    /// A buffer.
    Keep,
    /// A queue's time has come.
    Age,
    Fail,
    Drain,
}

/// In the order of the requests of the arbiter.
const TASKS: [Task; 4] = [Task::Keep, Task::Age, Task::Fail, Task::Drain];

/// Collects the used buffers of each queue.
///
/// ```text
///  used ──┐                ┌─► buffers: a batch for each queue ─► items
///  list ──┼─► one at a time┤
///  failed ┤                └─► contexts: a word for each queue
///  drain ─┘                         └─► list: queues in the order in which they got something
/// ```
///
/// A batch leaves when it is full, or when the oldest in the list has waited for [`patience`]. A queue that had a full batch
/// meanwhile, or has half a frame, goes to the end of the list instead. Between two batches that were not full there are
/// [`pause`] cycles: the more queues there are, the more comes together in each.
///
/// A drain lets 16 buffers or cycles pass; buffers of the queue that come then are thrown away. Then an item that says so
/// follows the queue's last batch through all stages.
///
/// # Timing
/// Four cycles for each buffer, and a batch of n buffers takes n + 4 more.
#[hdl]
pub(crate) fn collect(config: &Config) -> CollectIo {
    let name = format!("virtio_used_collect_{}_{}", queue_bits(config), batch(config));
    module(name, CollectIo::ty(config), |io| {
        let batch = batch(config);
        let fill_bits = clog2(batch);
        io.used.assume_stable();
        io.failed.assume_stable();
        io.drain.assume_stable();
        let contexts = mem(Context::ty(config), queue_count(config), Collision::Undefined);
        let buffers = mem(Buffer::ty(), batch * queue_count(config), Collision::Undefined);
        let list = prim::fifo(Waiting::ty(config), queue_count(config));
        let state = reg_enum(State::Clear);
        let task = reg_enum(Task::Keep);
        /// What it is about; counts up while contexts are cleared.
        let target = reg(Queue::ty(config));
        let used = reg_without_reset(Used::ty(config));

        // Time, and who has waited.
        let now = reg(bits(TIME_BITS));
        now.set(now + 1);
        let age = delay_without_reset(now - list.deq.payload.since);
        let takes_aged = wire(flag());
        /// The first of the list has waited.
        let ripe = reg(flag());
        let is_known = delay(list.deq.valid & !takes_aged);
        ripe.set(list.deq.valid & !takes_aged & (ripe | (is_known & age.ge(patience(config)))));
        let rest = reg(bits(clog2(pause(config) + 1)));
        let rests = reg(flag());
        when(rest.any(), || rest.set(rest - 1));
        rests.set(rest.any());

        // Batches that have begun, and not ended.
        let in_flight = reg(bits(clog2(IN_FLIGHT + 1)));
        let begins = wire(flag());
        let step = begins.mux(lit(1, in_flight.width()), !lit(0, in_flight.width()));
        when(begins ^ io.ended, || in_flight.set(in_flight + step));
        let has_room = in_flight.ne(IN_FLIGHT);
        assert(!io.ended | in_flight.any(), "what ends has begun");

        // The drain.
        /// Buffers or idle cycles that are still to pass.
        let settles = reg_init(lit(SETTLING, clog2(SETTLING + 1)));
        /// The item that says so is under way, or has come to its end.
        let forgets = reg(flag());
        let forgotten = reg(flag());
        let drains = io.drain.valid;
        let idle = state.is(State::Idle);
        when(!drains | io.drain.ready, || settles.set(SETTLING))
            .elsewhen(settles.any() & idle & (!io.used.valid | io.used.ready), || settles.set(settles - 1));
        when(io.forgotten, || forgotten.set(true));

        // Whose turn it is.
        let turns = prim::round_robin(TASKS.len());
        let keeps = io.used.valid & has_room;
        let ages = ripe & !rests & has_room;
        let fails = io.failed.valid & !io.fault.valid;
        let drain_goes_on = forgets.mux(forgotten, has_room & !settles.any());
        turns.requests.set(vector([keeps, ages, fails, drains & drain_goes_on]));
        turns.accept.set(idle);
        let [of_keep, of_age, of_fail, _]: [Bool; 4] =
            turns.grant.to_bools().try_into().expect("a bit for each task");
        io.used.ready.set(idle & of_keep);
        io.failed.ready.set(idle & of_fail);
        takes_aged.set(idle & of_age);
        list.deq.ready.set(takes_aged);
        when(idle, || {
            used.set(io.used.payload);
            let queues = [io.used.payload.queue, list.deq.payload.queue, io.failed.payload, io.drain.payload];
            target.set(onehot_select(&queues, turns.grant));
            TASKS.iter().enumerate().for_each(|(bit, it)| {
                when(turns.grant.bit(bit), || task.set(*it));
            });
        });

        // What the queue has, and what becomes of it.
        let word = contexts.read(target.number());
        let context = reg_without_reset(Context::ty(config));
        let is_drained = reg_without_reset(flag());
        when(state.is(State::Latch), || {
            context.set(word);
            is_drained.set(drains & io.drain.payload.number().eq(target.number()));
        });
        let acts = state.is(State::Act);
        let is = |it| task.is(it);
        let is_dead = context.broken | is_drained;
        let stays = is(Task::Keep) & !is_dead;
        let is_full = context.fill.all();
        let joined = used.joined;
        let is_renewed = context.open | context.renewed;
        let is_old = is(Task::Age) & !is_dead & context.fill.any();
        let (flushes_old, relists) = (is_old & !is_renewed, is_old & is_renewed);
        let flushes = (stays & is_full) | flushes_old;
        let lists = acts & ((stays & !context.listed) | relists);
        list.enq.valid.set(lists);
        list.enq.payload.set(Waiting { queue: target, since: now });
        assert(list.enq.ready | !lists, "each queue is in the list once at most");
        let is_last_drain = is(Task::Drain) & forgets;
        let clears = state.is(State::Clear);
        let forgets_all = clears | is_last_drain;
        let keeps_fill = stays.mux(context.fill + 1, context.fill);
        when(clears | acts, || {
            contexts.write(
                target.number(),
                Context {
                    fill: (forgets_all | flushes).mux(context.fill.zero(), keeps_fill),
                    joins: !forgets_all & !flushes & (context.joins | (stays & joined)),
                    open: !forgets_all & stays.mux(joined, context.open),
                    // A queue that was drained while it was in the list is in it still.
                    listed: !clears & is(Task::Age).mux(relists, context.listed | stays),
                    renewed: !clears & !is(Task::Age) & (context.renewed | flushes | is_last_drain),
                    broken: !forgets_all & (context.broken | is(Task::Fail)),
                },
            );
        });
        when(acts & stays, || {
            buffers.write(cat([target.number(), context.fill]), Buffer::of(&used));
        });
        begins.set(acts & (flushes | (is(Task::Drain) & !forgets)));

        // The fault.
        let offers_fault = reg(flag());
        let faulty = reg_without_reset(Queue::ty(config));
        when(io.fault.fire(), || offers_fault.set(false));
        when(acts & is(Task::Fail) & !is_dead, || {
            offers_fault.set(true);
            faulty.set(target);
        });
        io.fault.valid.set(offers_fault);
        io.fault.payload.queue.set(faulty);
        io.fault.payload.cause.set(Cause::Access);

        // A batch on its way: the memory, its output, and the item.
        /// The next buffer to be read, and whether there is one.
        let cursor = reg_without_reset(bits(fill_bits));
        let reads = reg(flag());
        let end = reg_without_reset(bits(fill_bits));
        let joins = reg_without_reset(flag());
        let closes = reg_without_reset(flag());
        let loaded = reg(flag());
        let loads_last = reg_without_reset(flag());
        let offers = reg(flag());
        let item = reg_without_reset(Item::ty(config));
        let advance = !offers | io.items.ready;
        let fetches = reads & advance;
        let buffer = buffers.read_if(fetches, cat([target.number(), cursor]));
        let is_end = cursor.eq(end);
        when(advance, || {
            loaded.set(reads);
            loads_last.set(is_end);
            cursor.set(cursor + 1);
            when(is_end, || reads.set(false));
            offers.set(loaded);
            item.set(Item {
                queue: target,
                forget: false.to_bool(),
                buffer,
                last: loads_last,
                joins,
                closes,
            });
        });
        when(acts, || {
            cursor.set(cursor.zero());
            end.set(stays.mux(context.fill, context.fill - 1));
            joins.set(context.joins | (stays & joined));
            closes.set(!stays.mux(joined, context.open));
        });
        io.items.valid.set(offers);
        io.items.payload.set(item);

        io.drain.ready.set(acts & is_last_drain);
        state.cases(|s| match s {
            State::Clear => {
                let next = target.number() + 1;
                let slot_bits = target.slot.width();
                target.slot.set(next.trunc(slot_bits));
                target.function.set(next.slice(slot_bits, target.function.width()));
                when(target.number().all(), || state.set(State::Idle));
            }
            State::Idle => {
                when(turns.any, || state.set(State::Fetch));
            }
            State::Fetch => state.set(State::Latch),
            State::Latch => state.set(State::Act),
            State::Act => {
                state.set(State::Idle);
                when(flushes, || {
                    reads.set(true);
                    state.set(State::Send);
                });
                when(flushes_old, || rest.set(pause(config)));
                when(is(Task::Drain), || {
                    forgets.set(!forgets);
                    when(!forgets, || {
                        forgotten.set(false);
                        offers.set(true);
                        state.set(State::Forget);
                    });
                });
            }
            State::Send => {
                when(io.items.fire() & item.last, || state.set(State::Idle));
            }
            State::Forget => {
                when(io.items.ready, || state.set(State::Idle));
            }
        });
        // An item that forgets is offered by itself.
        when(acts & is(Task::Drain), || {
            item.set(Item {
                queue: target,
                forget: true.to_bool(),
                last: true.to_bool(),
                joins,
                closes,
                buffer: Buffer::of(&used),
            });
        });
        io.items.assert_stable();
        io.fault.assert_stable();
    })
}
