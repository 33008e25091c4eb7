//! The engines that serve queues touch nothing but what the driver gave them, and give it back once.

mod collect;
mod control;
mod fetch;
mod receive;
mod store;
mod transmit;
mod used;

use super::{Proof, least, steady};
use crate::{
    config::Config,
    dma::Command,
    virtio::{queues::Queue, types::Descriptor},
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let groups = [
        fetch::proofs(),
        store::proofs(),
        transmit::proofs(),
        receive::proofs(),
        control::proofs(),
        collect::proofs(),
        used::proofs(),
    ];
    groups.into_iter().flatten().collect()
}

/// The smallest functions: the manager and the physical function, three queues each, eight descriptors of each in the store.
fn smallest() -> Config {
    Config { pairs: 1, prefetch: 8, ..least() }
}

/// What the store does: it answers each pop with a part of that queue. What `fetch` does: parts of a transmit queue are to be
/// read, those of a receive queue to be written.
#[hdl]
fn store_answers(pop: &Stream<Queue>, popped: &Valid<Descriptor>) -> Valid<Queue> {
    let asked = reg(flag());
    let queue = reg(pop.payload);
    when(popped.valid, || asked.set(false));
    when(pop.fire(), || {
        asked.set(true);
        queue.set(pop.payload);
    });
    let Descriptor { queue: of, part } = popped.payload;
    assume(!popped.valid | asked, "nothing is popped unasked");
    assume(!popped.valid | of.number().eq(queue.number()), "it is of the queue that was asked for");
    let is_right = of.is_control() | part.bad | part.writable.eq(of.is_receive());
    assume(!popped.valid | is_right, "it is to be read, or to be written, as its queue says");
    assume(!popped.valid | !part.bad | part.last, "a buffer that cannot be used ends");
    Valid { valid: asked, payload: queue }
}

/// The one part at `place`, which is any address: what is accessed there is accessed once, in the name of its function, and not
/// beyond its end. Nor after the drain of its queue was taken.
#[hdl]
fn granted(
    place: Bits,
    popped: &Valid<Descriptor>,
    command: &Stream<Command>,
    writes: bool,
    drain: &Stream<Queue>,
) {
    steady(place);
    let (seen, is_open) = (reg(flag()), reg(flag()));
    let descriptor = reg(popped.payload);
    let Descriptor { queue, part } = descriptor;
    let comes = popped.valid & Bits::from(popped.payload.part.address).eq(place);
    assume(!comes | !seen, "no other part is there");
    let Command { function, address, length, .. } = command.payload;
    let is_there = command.valid & Bits::from(address).eq(place);
    when(is_there & command.ready, || is_open.set(false));
    when(comes, || {
        seen.set(true);
        is_open.set(true);
        descriptor.set(popped.payload);
    });
    let bytes = Bits::from(length);
    assert(!is_there | is_open, "only a part that was handed out is accessed, and once");
    assert(!is_there | function.eq(queue.function), "in the name of its function");
    assert(!is_there | bytes.zext(16).le(part.length), "not beyond its end");
    assert(!(is_there & bytes.any()) | part.writable.eq(writes), "read if it is to be read, else written");
    assert(!(is_there & bytes.any()) | !part.bad, "not if its buffer cannot be used");
    cover(is_there & bytes.any() & command.ready, "a part is accessed");
    let is_gone = reg(flag());
    let goes = drain.fire() & drain.payload.number().eq(queue.number()) & seen;
    when(goes, || is_gone.set(true));
    assert(!(is_there & (goes | is_gone)), "not after its queue was drained");
    cover(is_gone & !is_open, "its queue is drained");
}
