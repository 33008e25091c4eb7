//! Where received frames are written.

use super::{granted, smallest, store_answers};
use crate::{
    config::{Config, MAX_FRAME},
    dma::{Command, Outcome},
    formal::{Method::*, Proof},
    frame::Beat,
    virtio::{
        inspect::Verdict,
        queues::{Queue, queue_count},
        receive::receive,
        registers::DeviceRow,
        types::{Descriptor, Measured, Used},
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let claim =
        "frames and their headers are written into parts of the queue's buffers, once, not beyond their ends";
    let method = Unrolled(22);
    let writes = Proof::new("queues/receive", claim, "2 functions", method, || writes(&smallest()));
    vec![Proof { cover: 22, ..writes.free(&["packetiser_*", "virtio_spread_*"]).long() }]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct WritesIo {
    #[input]
    #[ty(Stream::ty(Verdict::ty(config)))]
    verdict: Stream<Verdict>,
    #[input]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    frame: Stream<Beat>,
    #[input]
    #[ty(bits(2 * config.functions()))]
    pairs: Bits,
    #[input]
    #[ty(Valid::ty(DeviceRow::ty(config)))]
    device: Valid<DeviceRow>,
    #[input]
    found: U<32>,
    #[input]
    measured: Measured,
    #[input]
    #[ty(bits(queue_count(config)))]
    busy: Bits,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pop: Stream<Queue>,
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    popped: Valid<Descriptor>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    write: Stream<Command>,
    #[input]
    written: Valid<Enum<Outcome>>,
    #[output]
    #[ty(Stream::ty(Used::ty(config)))]
    used: Stream<Used>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    drain: Stream<Queue>,
    /// Any address.
    #[input]
    place: U<64>,
}

/// The parts of buffers that are handed out, and what is written. When a queue's drain is taken, nothing of it is left inside.
#[hdl]
pub fn writes(config: &Config) -> WritesIo {
    module("writes", WritesIo::ty(config), |io| {
        let block = receive(config);
        block.verdict.connect(&io.verdict);
        block.frame.connect(&io.frame);
        block.pairs.set(io.pairs);
        block.device.set(io.device);
        block.found.set(io.found);
        block.measured.set(io.measured);
        block.busy.set(io.busy);
        block.popped.set(io.popped);
        block.written.set(io.written);
        block.drain.connect(&io.drain);
        block.write_data.ready.set(true);
        io.pop.connect(&block.pop);
        io.write.connect(&block.write);
        io.used.connect(&block.used);
        let length = Bits::from(io.verdict.payload.length);
        assume(!io.verdict.valid | length.le(MAX_FRAME), "no frame is longer");
        assume(!io.pairs.any(), "no more pairs are in use than there are");
        let under_way = reg(bits(6));
        let step = io.write.fire().bits().zext(6) - io.written.valid.bits().zext(6);
        under_way.set(under_way + step);
        assume(!io.written.valid | under_way.any(), "what is written was begun");
        let asked = store_answers(&io.pop, &io.popped);
        assert(!io.pop.valid | io.pop.payload.is_receive(), "receive queues are popped");
        granted(io.place.into(), &io.popped, &io.write, true, &io.drain);
        let is_own = |queue: Queue| io.drain.fire() & queue.number().eq(io.drain.payload.number());
        assert(!(asked.valid & is_own(asked.payload)), "no part is still to come");
        assert(!(io.pop.valid & is_own(io.pop.payload)), "and none is asked for");
        assert(!(io.used.valid & is_own(io.used.payload.queue)), "no buffer is still to be given back");
    })
}
