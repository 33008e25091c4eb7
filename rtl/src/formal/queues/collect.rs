//! How used buffers become batches.

use super::smallest;
use crate::{
    config::Config,
    formal::{Method::*, Proof, steady},
    virtio::{
        queues::Queue,
        types::Used,
        used::{
            collect::{batch, collect},
            types::{Buffer, Item},
        },
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let claim = "each buffer that is handed in becomes part of a batch once, in its order";
    let size = "8 queues, batches of 4";
    let order = Proof::new("queues/used_batches", claim, size, Unrolled(32), || order(&smallest()));
    vec![Proof { cover: 32, ..order.long() }]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
struct OrderIo {
    #[input]
    #[ty(Stream::ty(Used::ty(config)))]
    used: Stream<Used>,
    #[output]
    #[ty(Stream::ty(Item::ty(config)))]
    items: Stream<Item>,
    #[input]
    ended: Bool,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    failed: Stream<Queue>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    drain: Stream<Queue>,
    /// Any queue.
    #[input]
    #[ty(Queue::ty(config))]
    who: Queue,
    /// The buffer that is handed in is watched: one of that queue.
    #[input]
    watch: Bool,
}

/// Any queue, and any of its buffers, until the queue is broken or drained: the buffer comes out once, as it was handed in, when all
/// before it have. Batches are as the stage that writes them assumes.
#[hdl]
fn order(config: &Config) -> OrderIo {
    module("batches", OrderIo::ty(config), |io| {
        let block = collect(config);
        block.used.connect(&io.used);
        io.items.connect(&block.items);
        block.ended.set(io.ended);
        block.failed.connect(&io.failed);
        block.fault.ready.set(true);
        block.drain.connect(&io.drain);
        steady(io.who.pack());
        let is_own = |queue: Queue| queue.number().eq(io.who.number());
        let item = io.items.payload;
        let taken = io.items.fire();

        // What follows ends what came, in its order.
        let (under_way, forgets) = (reg(bits(5)), reg(flag()));
        let step = (taken & item.last).bits().zext(5) - io.ended.bits().zext(5);
        under_way.set(under_way + step);
        assume(!io.ended | under_way.any(), "what ends has begun");
        let is_forgotten = io.ended & forgets & under_way.eq(1);
        when(is_forgotten, || forgets.set(false));
        when(taken & item.forget, || forgets.set(true));
        block.forgotten.set(is_forgotten);

        // Batches.
        let so_far = reg(bits(3));
        let before = reg(item);
        when(taken, || {
            before.set(item);
            so_far.set(item.last.mux(so_far.zero(), so_far + 1));
        });
        let goes_on = item.queue.number().eq(before.queue.number())
            & item.joins.eq(before.joins)
            & item.closes.eq(before.closes)
            & !item.forget;
        let offers = io.items.valid;
        assert(!offers | !so_far.any() | goes_on, "a batch is of one queue and one kind");
        assert(!offers | item.last | so_far.lt(batch(config) - 1), "it is not longer");
        assert(!offers | !item.forget | item.last, "nothing is with what forgets");

        // The watched buffer.
        let used = io.used.payload;
        let stops =
            (io.drain.valid & is_own(io.drain.payload)) | (io.failed.fire() & is_own(io.failed.payload));
        let is_stopped = reg(flag());
        when(stops, || is_stopped.set(true));
        let comes = io.used.fire() & is_own(used.queue);
        let goes = taken & is_own(item.queue) & !item.forget & !is_stopped;
        let inside = reg(bits(5));
        let now = inside - goes.bits().zext(5);
        inside.set(now + comes.bits().zext(5));
        let (watching, seen) = (reg(flag()), reg(flag()));
        let (position, watched) = (reg(inside), reg(Buffer::of(&used)));
        let is_it = watching & !position.any();
        when(goes, || {
            position.set(position - 1);
            when(is_it, || watching.set(false));
        });
        let is_watched = comes & io.watch & !seen;
        when(is_watched, || {
            seen.set(true);
            watching.set(true);
            position.set(now);
            watched.set(Buffer::of(&used));
        });
        // Its id is odd.
        assume(!io.used.fire() | is_watched.eq(Bits::from(used.id).bit(0)), "it is marked");
        assert(!goes | inside.any(), "nothing comes out that was not handed in");
        assert(!goes | is_it.eq(Bits::from(item.buffer.id).bit(0)), "it comes out in its turn");
        assert(!(goes & is_it) | item.buffer.pack().eq(watched.pack()), "as it was handed in");
        cover(goes & is_it, "the watched one comes out");
    })
}
