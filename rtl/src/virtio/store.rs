//! The descriptors of all queues that were fetched and not used yet.
//!
//! # Purpose
//! A place for [`Config::prefetch`] descriptors of each queue, in one memory. `fetch` pushes, three clients pop.
//!
//! # Schematic
//! ```text
//!  push ────────────┬──────────────────────────► descriptors (RAM) ─► read ─► word ─┬─► popped
//!                   │                                  ▲                            │
//!  pop[..] ─┬─► round robin ─► event ─► state[queue] ──┴─► taken                    │
//!  drain ───┘                   ▲             └─► chains                            │
//!                               └────────────────── out ◄───────────────────────────┘
//! ```
//! One event after the other changes the state of its queue, a word of a memory: a push, a pop, and a descriptor that comes
//! *out* of the memory, when its length is known.
//!
//! # Timing
//! Registers at all outputs. An event takes two cycles. Pushes may come two cycles after each other, and one in four cycles for
//! long; they are seen in `chains` four cycles later. A descriptor comes five cycles after its pop was taken, or up to three
//! more if pushes come first; one may be popped in six cycles. A pop waits while its queue is empty. After reset nothing is taken
//! for twice as many cycles as there are numbers of queues.

#[cfg(test)]
mod tests;

use super::{
    queues::{Queue, queue_bits, queue_count},
    types::{Descriptor, Measured, Part},
};
use crate::{config::Config, prim};
use hdl::*;

/// Who takes descriptors: `transmit`, `receive` and `control`.
pub const CLIENTS: usize = 3;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct StoreIo {
    /// Always taken, if it comes no sooner than two cycles after another one. `fetch` knows that there is room.
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    pub push: Valid<Descriptor>,
    /// Wants the next descriptor of this queue.
    #[input]
    #[ty(vec![Stream::ty(Queue::ty(config)); CLIENTS])]
    pub pop: Vec<Stream<Queue>>,
    /// It, in the order of `pop`.
    #[output]
    #[ty(vec![Valid::ty(Descriptor::ty(config)); CLIENTS])]
    pub popped: Vec<Valid<Descriptor>>,
    /// A descriptor of this queue has left its place.
    #[output]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub taken: Valid<Queue>,
    /// Queues with a whole buffer, or with the beginning of one that needs room to go on: it comes to its end when it is
    /// popped. Knows of a `popped` in the same cycle.
    #[output]
    #[ty(bits(queue_count(config)))]
    pub chains: Bits,
    /// Queues with [`plenty`] of whole buffers at least, or that are full.
    #[output]
    #[ty(bits(queue_count(config)))]
    pub plenty: Bits,
    #[input]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub measure: Valid<Queue>,
    /// Of the queue that was asked for two cycles ago. Knows of a `popped` in the cycle of `measure`.
    #[output]
    pub measured: Measured,
    /// Forgets all descriptors of this queue; taken when that is done. Nobody pushes or pops any.
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
}

/// What is kept of a descriptor.
#[derive(Bundle, Clone, Copy)]
struct Kept {
    #[ty(bits(64))]
    address: Bits,
    #[ty(bits(16))]
    length: Bits,
    writable: Bool,
    last: Bool,
    bad: Bool,
    #[ty(bits(16))]
    id: Bits,
    #[ty(bits(11))]
    places: Bits,
}

/// What is kept of a queue.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct State {
    /// Where the next descriptor goes.
    #[ty(bits(clog2(config.prefetch)))]
    tail: Bits,
    /// Descriptors in the memory.
    #[ty(bits(clog2(config.prefetch + 1)))]
    count: Bits,
    /// Whole buffers, until their last descriptor has come out.
    #[ty(bits(clog2(config.prefetch + 1)))]
    wholes: Bits,
    /// Their bytes,
    #[ty(bits(16 + clog2(config.prefetch)))]
    bytes: Bits,
    /// and those of the buffer behind them that has no end yet.
    #[ty(bits(16 + clog2(config.prefetch)))]
    open: Bits,
}

#[derive(HwEnum, Clone, Copy)]
enum Kind {
    /// The state is as after reset.
    Clear,
    Push,
    Out,
    /// For a client.
    Pop,
    /// The next descriptor is forgotten.
    Drain,
}

/// Something that changes a queue's state.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Event {
    kind: Enum<Kind>,
    #[ty(Queue::ty(config))]
    queue: Queue,
    /// Of a pop, one-hot.
    #[ty(bits(CLIENTS))]
    client: Bits,
    kept: Kept,
}

/// On its way out.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Leaving {
    #[ty(Queue::ty(config))]
    queue: Queue,
    /// One-hot; 0 if it is forgotten.
    #[ty(bits(CLIENTS))]
    client: Bits,
}

/// Buffers that are plenty: a few frames of a function may be on their way to them.
pub fn plenty(config: &Config) -> usize {
    config.prefetch / 4
}

/// Keeps the descriptors of all queues.
#[hdl]
pub fn store(config: &Config) -> StoreIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_store_{}_{}", queue_count(config), config.prefetch);
    module(name, StoreIo::ty(config), |io| {
        let descriptors = mem(Kept::ty(), queue_count(config) * config.prefetch, Collision::Undefined);
        let states = mem(State::ty(config), queue_count(config), Collision::Undefined);
        let chains = reg(bits(queue_count(config)));
        let has_plenty = reg(bits(queue_count(config)));
        /// An event was chosen: its queue's state is read,
        let chosen = reg(flag());
        /// and changed.
        let valid = delay(chosen);
        let event = reg_without_reset(Event::ty(config));
        let push_waits = reg(flag());
        let pushed = reg_without_reset(Descriptor::ty(config));
        let cleared = reg(flag());
        let cleared_up_to = reg(bits(queue_bits(config)));
        /// Pops that are taken in this cycle.
        let accepted = reg(bits(CLIENTS));
        let drained = reg(flag());

        // A descriptor on its way out: its address is known, the memory has been read, it waits for its event.
        let stages: Vec<(Bool, Leaving)> =
            (0..3).map(|_| (reg(flag()), reg_without_reset(Leaving::ty(config)))).collect();
        let [(is_placed, placed), (is_read, read), (is_out, out)] = [0, 1, 2].map(|stage| stages[stage]);
        let address = reg_without_reset(bits(clog2(descriptors.depth())));
        let out_word = reg_without_reset(Kept::ty());

        // The next event.
        let is = |kind| event.kind.is(kind);
        let pops = valid & (is(Kind::Pop) | is(Kind::Drain));
        let has_way = !pops & !is_placed;
        let turns = prim::round_robin(CLIENTS + 1);
        let wishes = io.pop.iter().enumerate().map(|(client, pop)| pop.valid & !accepted.bit(client));
        let wishes = wishes.chain([io.drain.valid & !drained]);
        turns.requests.set(vector(wishes) & has_way.bits().repeat(CLIENTS + 1));
        let may_choose = cleared & !push_waits & !chosen;
        let comes_out = is_out & may_choose;
        let takes = may_choose & !is_out & turns.any;
        turns.accept.set(takes);
        chosen.set(!chosen & (!cleared | push_waits | comes_out | takes));
        assert(!push_waits | !io.push.valid | !chosen, "descriptors do not come so fast");
        when(!chosen, || push_waits.set(false));
        when(io.push.valid, || {
            push_waits.set(true);
            pushed.set(io.push.payload);
        });
        let queues: Vec<Queue> = io.pop.iter().map(|pop| pop.payload).chain([io.drain.payload]).collect();
        when(takes, || {
            event.kind.set(turns.grant.bit(CLIENTS).mux(Kind::Drain.to_enum(), Kind::Pop.to_enum()));
            event.queue.set(prim::onehot_select(&queues, turns.grant));
            event.client.set(turns.grant.trunc(CLIENTS));
        });
        when(comes_out, || {
            event.kind.set(Kind::Out);
            event.queue.set(out.queue);
            event.client.set(out.client);
            event.kept.set(out_word);
        });
        when(push_waits & !chosen, || {
            let Part { address, length, writable, last, bad, id, places } = pushed.part;
            event.kind.set(Kind::Push);
            event.queue.set(pushed.queue);
            event.kept.set(Kept {
                address: address.into(),
                length: length.into(),
                writable,
                last,
                bad,
                id: id.into(),
                places: Bits::from(places).trunc(11),
            });
        });
        when(!cleared & !chosen, || {
            event.kind.set(Kind::Clear);
            event.queue.set(event.queue.unpack(cleared_up_to));
            cleared_up_to.set(cleared_up_to + 1);
            cleared.set(cleared_up_to.all());
        });

        // What becomes of the state.
        let number = event.queue.number();
        let stored = states.peek(number);
        let state = delay_without_reset(stored);
        let all_bytes = delay_without_reset(stored.bytes + stored.open);
        let next = wire(State::ty(config));
        let Kept { length, last, .. } = event.kept;
        let length = length.zext(state.bytes.width());
        let has_one = state.count.any();
        /// A buffer cannot go on without being popped.
        let is_stuck = wire(flag());
        let has_whole = wire(flag());
        let most = config.prefetch / 2;
        next.set(state);
        is_stuck.set(state.count.gt(most));
        has_whole.set(state.wholes.any());
        event.kind.cases(|kind| match kind {
            Kind::Clear => next.set(state.zero()),
            Kind::Push => {
                next.tail.set(state.tail + 1);
                next.count.set(state.count + 1);
                is_stuck.set(state.count.ge(most));
                next.open.set(state.open + length);
                when(last, || {
                    next.wholes.set(state.wholes + 1);
                    has_whole.set(true);
                    next.bytes.set(all_bytes + length);
                    next.open.set(0);
                });
            }
            Kind::Out => {
                when(state.wholes.any(), || next.bytes.set(state.bytes - length))
                    .otherwise(|| next.open.set(state.open - length));
                when(last, || {
                    next.wholes.set(state.wholes - 1);
                    has_whole.set(state.wholes.gt(1));
                });
            }
            Kind::Pop | Kind::Drain => {
                when(has_one, || next.count.set(state.count - 1));
                is_stuck.set(state.count.gt(most + 1));
            }
        });
        when(valid, || {
            states.write(number, next);
            let lives = !is(Kind::Clear);
            chains.at(number).set((has_whole | is_stuck) & lives);
            has_plenty.at(number).set((next.wholes.ge(plenty(config)) | is_stuck) & lives);
        });
        when(valid & is(Kind::Push), || descriptors.write(cat([number, state.tail]), event.kept));
        assert(
            !(valid & is(Kind::Push)) | state.count.ne(config.prefetch),
            "there is room for what is pushed",
        );
        io.chains.set(chains);
        io.plenty.set(has_plenty);

        // Out of the memory.
        let leaves = pops & has_one;
        let advance_out = !is_out | comes_out;
        let advance_read = !is_read | advance_out;
        let advance_placed = !is_placed | advance_read;
        let client = is(Kind::Pop).mux(event.client, event.client.zero());
        when(advance_placed, || is_placed.set(leaves));
        when(leaves, || {
            placed.set(Leaving { queue: event.queue, client });
            address.set(cat([number, state.tail - state.count.trunc(state.tail.width())]));
        });
        let word = descriptors.read_if(advance_read, address);
        when(advance_read, || {
            is_read.set(is_placed);
            read.set(placed);
        });
        when(advance_out, || {
            is_out.set(is_read);
            out.set(read);
            out_word.set(word);
        });
        accepted.set(
            (valid & has_one).bits().repeat(CLIENTS) & is(Kind::Pop).mux(event.client, event.client.zero()),
        );
        drained.set(valid & is(Kind::Drain) & !has_one & !state.wholes.any());
        io.taken.valid.set(delay(leaves));
        io.taken.payload.set(delay_without_reset(event.queue));
        for (client, pop) in io.pop.iter().enumerate() {
            pop.ready.set(accepted.bit(client));
            pop.assume_stable();
        }
        io.drain.ready.set(drained);
        io.drain.assume_stable();
        let delivered = reg_without_reset(Descriptor::ty(config));
        let Kept { address, length, writable, last, bad, id, places } = event.kept;
        let (address, length) = (address.as_u(), length.as_u());
        let part =
            Part { address, length, writable, last, bad, id: id.as_u(), places: places.zext(16).as_u() };
        delivered.set(Descriptor { queue: event.queue, part });
        let delivers = (valid & is(Kind::Out)).bits().repeat(CLIENTS) & event.client;
        for (popped, valid) in io.popped.iter().zip(delay(delivers).to_bools()) {
            popped.valid.set(valid);
            popped.payload.set(delivered);
        }

        // How much there is.
        let asked = delay_without_reset(io.measure.payload);
        let State { bytes, count, .. } = states.peek(asked.number());
        let beyond = bytes.slice(17, bytes.width() - 17).any();
        let bytes = beyond.mux(!lit(0, 17), bytes.trunc(17)).as_u();
        io.measured.set(delay_without_reset(Measured { bytes, full: count.gt(config.prefetch / 2) }));
    })
}
