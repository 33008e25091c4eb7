//! Frames that functions send.

mod chooser;
mod walker;

#[cfg(test)]
mod tests;

use super::{
    HEADER,
    checksum::{Insertion, checksum},
    drain::drain_in_order,
    gather::gather,
    queues::{Queue, queue_count},
    types::{Cause, Descriptor, Fault, Used},
};
use crate::{
    config::Config,
    dma::{Command, Outcome, ReadBeat},
    frame::Beat,
    pcie::configuration::function_bits,
    prim::{self, Routed},
};
use chooser::chooser;
use hdl::*;
use walker::{Walked, walker};

/// Pieces of frames that may be under way.
const PIECES: usize = 32;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct TransmitIo {
    /// Queues in which a whole buffer waits, or which are full of one; as they are when the last part of a buffer is `popped`.
    #[input]
    #[ty(bits(queue_count(config)))]
    pub chains: Bits,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub pop: Stream<Queue>,
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    pub popped: Valid<Descriptor>,
    /// Functions that may begin a frame.
    #[input]
    #[ty(bits(config.functions()))]
    pub open: Bits,
    /// Functions that have one to send.
    #[output]
    #[ty(bits(config.functions()))]
    pub pending: Bits,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub read: Stream<Command>,
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub read_data: Stream<ReadBeat>,
    /// Whole frames, each of the function that it belongs to.
    #[output]
    #[ty(Stream::ty(Routed::ty(config.functions(), Beat::ty(config.bytes))))]
    pub frame: Stream<Routed<Beat>>,
    /// Each when all of its bytes have come.
    #[output]
    #[ty(Stream::ty(Used::ty(config)))]
    pub used: Stream<Used>,
    /// The same queue may be said to be broken several times.
    #[output]
    #[ty(Stream::ty(Fault::ty(config)))]
    pub fault: Stream<Fault>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
}

/// ```text
///  chains, open ─► chooser ─► walker ─► read
///                   pop ◄──────┤  └──► pieces ──┐
///                              ▼                ▼
///  read_data ───────────────────────► gather ─► header off ─► checksum ─► frame
///                                       └─► used, fault
/// ```
///
/// The chooser finds a function that may send, and one of its queues, while the walker is still at the buffer before. The walker
/// pops a buffer's parts and asks for their bytes. What comes back is put together by `gather`; the first 12 bytes are the header.
///
/// A frame is thrown away, and its buffer used, if it is longer than the longest frame of the bridge (the rest of it is not
/// read), or if its header wants a segmentation that was not offered (`gso_type`). Thrown away frames leave with an error;
/// those without a byte behind the header do not leave.
///
/// # Timing
/// A buffer takes two cycles, and each part of it two more than from `pop` to `popped`.
#[hdl]
pub fn transmit(config: &Config) -> TransmitIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_transmit_{}x{}_{}", config.functions(), config.pairs, config.bytes);
    module(name, TransmitIo::ty(config), |io| {
        let chooser = chooser(config);
        let walker = walker(config);
        let gather = gather(config);
        let depacketiser = prim::depacketiser(config.bytes, HEADER);
        let checksum = checksum(config);
        chooser.chains.set(io.chains);
        chooser.open.set(io.open);
        io.pending.set(chooser.pending);
        walker.choice.connect(&chooser.choice);
        walker.chains.set(io.chains);
        io.pop.connect(&walker.pop);
        walker.popped.set(io.popped);
        io.read.connect(&walker.read);

        // What each read is, in their order.
        let pieces = prim::fifo(Walked::ty(config), PIECES);
        pieces.enq.connect(&walker.walked);
        let walked = pieces.deq.payload;
        /// A piece of the frame before this one failed.
        let outcome = reg_enum(Outcome::Success);
        let is_first = reg_flag(true);
        let beat = io.read_data.payload;
        let is_end = beat.last & walked.ends;
        // Of whom each frame is, from its first piece on.
        let owners = prim::fifo(bits(function_bits(config)), 8);
        // A buffer is used, or broken, with its last beat.
        let result = outcome.is(Outcome::Success).mux(beat.outcome, outcome);
        let is_good = result.is(Outcome::Success) & !walked.bad;
        let gives_back = is_good & !walked.short;
        let breaks = !walked.bad & !result.is(Outcome::Stopped) & !gives_back;
        let used = prim::register_slice(Used::ty(config));
        let fault = prim::register_slice(Fault::ty(config));
        io.used.connect(&used.output);
        io.fault.connect(&fault.output);
        let can_end = (!gives_back | used.input.ready) & (!breaks | fault.input.ready);
        let can_move = pieces.deq.valid & (!is_first | owners.enq.ready) & (!is_end | can_end);
        gather.input.valid.set(io.read_data.valid & can_move);
        gather.input.payload.set(beat);
        gather.piece.valid.set(pieces.deq.valid);
        gather.piece.payload.ends.set(walked.ends);
        gather.piece.payload.spoilt.set(walked.ends & (walked.bad | walked.short | walked.long));
        io.read_data.ready.set(gather.input.ready & can_move);
        let moves = gather.input.fire();
        pieces.deq.ready.set(moves & beat.last);
        owners.enq.valid.set(moves & is_first);
        owners.enq.payload.set(walked.queue.function);
        when(moves, || {
            is_first.set(is_end);
            when(beat.last, || outcome.set(walked.ends.mux(Outcome::Success.to_enum(), result)));
        });
        let Walked { queue, id, places, .. } = walked;
        used.input.valid.set(moves & is_end & gives_back);
        used.input.payload.set(Used { queue, id, places, ..Used::ty(config).zero() });
        fault.input.valid.set(moves & is_end & breaks);
        fault.input.payload.queue.set(queue);
        fault.input.payload.cause.set(is_good.mux(Cause::Header.to_enum(), Cause::Access.to_enum()));

        // The header says what is to be done.
        depacketiser.input.connect(&gather.output);
        let out = depacketiser.output;
        let header = out.payload.header;
        let flags = header.trunc(8);
        let segmentation = header.slice(8, 8);
        /// The frame's insertion has been handed over.
        let within = reg(flag());
        let is_empty = !out.payload.beat.count.any();
        let begins = out.valid & !within & !is_empty & owners.deq.valid;
        checksum.insertion.valid.set(begins);
        checksum.insertion.payload.set(Insertion {
            function: owners.deq.payload,
            insert: flags.bit(0),
            start: header.slice(8 * 6, 16).as_u(),
            offset: header.slice(8 * 8, 16).as_u(),
        });
        let enters = within & out.valid;
        let is_swallowed = !within & is_empty & owners.deq.valid;
        checksum.input.valid.set(enters);
        let error = out.payload.beat.error | segmentation.any();
        checksum.input.payload.set(Beat { error, ..out.payload.beat });
        out.ready.set(is_swallowed | (within & checksum.input.ready));
        let ends = out.fire() & out.payload.beat.last;
        owners.deq.ready.set(ends);
        when(ends, || within.set(false)).elsewhen(checksum.insertion.fire(), || within.set(true));
        io.frame.connect(&checksum.output);

        walker.held.set(Valid { valid: io.drain.valid, payload: io.drain.payload });
        drain_in_order(&io.drain, walker.begins, moves & is_end, io.used.valid | io.fault.valid);
    })
}
