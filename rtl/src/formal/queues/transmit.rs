//! What is read to be transmitted.

use super::{granted, smallest, store_answers};
use crate::{
    config::Config,
    dma::{Command, ReadBeat},
    formal::{Method::*, Proof},
    virtio::{
        queues::{Queue, queue_count},
        transmit::transmit,
        types::Descriptor,
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let claim = "parts of a queue's buffers are read, once, not beyond their ends, not after its drain";
    let method = Unrolled(26);
    let once = Proof::new("queues/transmit", claim, "2 functions", method, || reads(&smallest()));
    let parts = ["virtio_gather_*", "depacketiser_*", "virtio_checksum_*"];
    vec![Proof { cover: 26, ..once.free(&parts).long() }]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ReadsIo {
    #[input]
    #[ty(bits(queue_count(config)))]
    chains: Bits,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pop: Stream<Queue>,
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    popped: Valid<Descriptor>,
    #[input]
    #[ty(bits(config.functions()))]
    open: Bits,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    read: Stream<Command>,
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    read_data: Stream<ReadBeat>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    drain: Stream<Queue>,
    /// Any address.
    #[input]
    place: U<64>,
}

/// The parts of buffers that are handed out, and what is read. When a queue's drain is taken, nothing of it is left inside.
#[hdl]
pub fn reads(config: &Config) -> ReadsIo {
    module("reads", ReadsIo::ty(config), |io| {
        let block = transmit(config);
        block.chains.set(io.chains);
        block.popped.set(io.popped);
        block.open.set(io.open);
        block.read_data.connect(&io.read_data);
        block.drain.connect(&io.drain);
        io.pop.connect(&block.pop);
        io.read.connect(&block.read);
        block.frame.ready.set(true);
        block.used.ready.set(true);
        block.fault.ready.set(true);
        let asked = store_answers(&io.pop, &io.popped);
        let pops = io.pop.payload;
        assert(!io.pop.valid | (pops.is_transmit() & !pops.is_control()), "transmit queues are popped");
        granted(io.place.into(), &io.popped, &io.read, false, &io.drain);
        let is_own = |queue: Queue| io.drain.fire() & queue.number().eq(io.drain.payload.number());
        assert(!(asked.valid & is_own(asked.payload)), "no part is still to come");
        assert(!(io.pop.valid & is_own(io.pop.payload)), "and none is asked for");
        assert(!(block.used.valid & is_own(block.used.payload.queue)), "no buffer is still to be given back");
        let under_way = reg(bits(6));
        let (goes, comes) = (io.read.fire(), io.read_data.fire() & io.read_data.payload.last);
        under_way.set(under_way + goes.bits().zext(6) - comes.bits().zext(6));
        assume(!io.read_data.valid | under_way.any(), "data comes for what was read");
    })
}
