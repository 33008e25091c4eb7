//! Whose descriptors the store hands out.

use super::smallest;
use crate::{
    config::Config,
    formal::{Method::*, Proof, steady},
    prim::onehot_select,
    virtio::{
        queues::{Queue, queue_count},
        store::{CLIENTS, store},
        types::{Descriptor, Part},
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let size = "8 queues of 8";
    let claim = "a queue's descriptors are handed out in order, once, to who asked for that queue";
    let order =
        Proof::new("queues/store_order", claim, size, Unrolled(34), || descriptors(&smallest(), false));
    let claim = "descriptors are handed out as they were pushed";
    let method = Unrolled(30);
    let content = Proof::new("queues/store_content", claim, size, method, || descriptors(&smallest(), true));
    vec![Proof { cover: 34, ..order.long() }, Proof { cover: 30, ..content.long() }]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
struct OrderIo {
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    push: Valid<Descriptor>,
    #[input]
    #[ty(vec![Stream::ty(Queue::ty(config)); CLIENTS])]
    pop: Vec<Stream<Queue>>,
    #[output]
    #[ty(vec![Valid::ty(Descriptor::ty(config)); CLIENTS])]
    popped: Vec<Valid<Descriptor>>,
    #[output]
    #[ty(Valid::ty(Queue::ty(config)))]
    taken: Valid<Queue>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    drain: Stream<Queue>,
    /// Any queue.
    #[input]
    #[ty(Queue::ty(config))]
    who: Queue,
    /// The descriptor that is pushed is watched: one of that queue.
    #[input]
    watch: Bool,
}

/// Any queue, and any descriptor of it: it is handed out once, when all before it have been, to a client that waits for a
/// descriptor of this queue; if looked at as a `whole`, as it was pushed. Nobody gets one unasked, and after the queue's drain
/// was taken nothing of it.
#[hdl]
fn descriptors(config: &Config, whole: bool) -> OrderIo {
    module(if whole { "content" } else { "order" }, OrderIo::ty(config), |io| {
        let block = store(config);
        block.push.set(io.push);
        block.pop.iter().zip(&io.pop).for_each(|(sink, pop)| sink.connect(pop));
        io.popped.iter().zip(&block.popped).for_each(|(sink, popped)| sink.set(*popped));
        io.taken.set(block.taken);
        block.drain.connect(&io.drain);
        block.measure.set(block.measure.zero());
        steady(io.who.pack());
        let is_own = |queue: Queue| queue.number().eq(io.who.number());

        // What `fetch` sees to.
        let age = reg(bits(clog2(2 * queue_count(config)) + 1));
        let is_clear = age.bit(age.width() - 1);
        when(!is_clear, || age.set(age + 1));
        let pushed = io.push.payload.queue;
        let pushes = io.push.valid;
        assume(!pushes | (is_clear & !delay(pushes)), "descriptors come with a distance, not at first");
        let room: Vec<Bits> = reg(vec![bits(4); queue_count(config)]);
        for (number, count) in room.iter().enumerate() {
            let comes = pushes & pushed.number().eq(number);
            let goes = io.taken.valid & io.taken.payload.number().eq(number);
            count.set(*count + comes.bits().zext(4) - goes.bits().zext(4));
            assume(!comes | count.lt(config.prefetch), "there is room");
        }
        let is_drained = |queue: Queue| io.drain.valid & queue.number().eq(io.drain.payload.number());
        assume(!pushes | !is_drained(pushed), "nothing is pushed that is drained");

        // Who waits for what.
        let waits: Vec<Valid<Queue>> = reg(vec![Valid::ty(Queue::ty(config)); CLIENTS]);
        for ((pop, popped), waits) in io.pop.iter().zip(&block.popped).zip(&waits) {
            when(popped.valid, || waits.valid.set(false));
            when(pop.fire(), || {
                waits.valid.set(true);
                waits.payload.set(pop.payload);
            });
            assume(!pop.valid | !waits.valid, "clients wait for their descriptor");
            let is_busy = (pop.valid & is_drained(pop.payload)) | (waits.valid & is_drained(waits.payload));
            assume(!is_busy, "nothing is popped that is drained");
            assert(!popped.valid | waits.valid, "nobody gets a descriptor unasked");
            let is_same = popped.payload.queue.number().eq(waits.payload.number());
            assert(!popped.valid | is_same, "nor of another queue");
        }

        // The watched one.
        let gets: Vec<Bool> =
            block.popped.iter().map(|popped| popped.valid & is_own(popped.payload.queue)).collect();
        let got = any_of(gets.clone());
        let payloads: Vec<Descriptor> = block.popped.iter().map(|popped| popped.payload).collect();
        let part = onehot_select(&payloads, vector(gets)).part;
        /// Descriptors of the queue that are inside.
        let inside = reg(bits(5));
        let now = inside - got.bits().zext(5);
        let comes = pushes & is_own(pushed);
        let forgets = io.drain.fire() & is_own(io.drain.payload);
        inside.set(now + comes.bits().zext(5));
        let (watching, seen) = (reg(flag()), reg(flag()));
        let (before, watched) = (reg(inside), reg(io.push.payload.part));
        let is_watched = comes & io.watch & !seen;
        let is_next = watching & !before.any();
        when(got, || {
            before.set(before - 1);
            when(is_next, || watching.set(false));
        });
        when(is_watched, || {
            seen.set(true);
            watching.set(true);
            before.set(now);
            watched.set(io.push.payload.part);
        });
        when(io.drain.valid & is_own(io.drain.payload), || watching.set(false));
        when(forgets, || inside.set(0));
        assert(!got | inside.any(), "nothing is handed out that was not pushed");
        // Its id is odd.
        assume(!pushes | is_watched.eq(Bits::from(io.push.payload.part.id).bit(0)), "it is marked");
        assert(!got | is_next.eq(Bits::from(part.id).bit(0)), "it is handed out in its turn");
        if whole {
            let places = Bits::from(watched.places).trunc(11).zext(16).as_u();
            let expected = Part { places, ..watched };
            assert(!(got & is_next) | part.pack().eq(expected.pack()), "as it was pushed");
        }
        cover(got & is_next, "the watched one is handed out");
    })
}
