//! What is read of commands, and where they are answered.

use super::{smallest, store_answers};
use crate::{
    config::Config,
    dma::{Command, Outcome},
    formal::{Method::*, Proof},
    virtio::{
        control::control,
        queues::{Queue, queue_count},
        types::{Descriptor, Used},
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let claim = "commands are read within their parts, each is answered once, by a byte of its own";
    let commands = Proof::new("queues/control", claim, "2 functions", Unrolled(36), || commands(&smallest()));
    let parts = [
        "virtio_control_parser_*",
        "virtio_control_addresses_*",
        "virtio_control_groups_*",
        "virtio_control_functions_*",
        "fifo_*",
    ];
    vec![Proof { cover: 36, ..commands.free(&parts).long() }]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct CommandsIo {
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
    found: U<32>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    read: Stream<Command>,
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
}

/// One buffer after the other:
/// - what is read follows what was read of the part that was popped last, within it, in the name of its function, if it is to be
///   read;
/// - when the whole buffer has been popped, one byte is written at most, to the first of its parts that is to be written;
/// - it is used once, after that;
/// - nothing of it happens after its queue's drain was taken.
///
/// What commands say, and what becomes of them, may be anything.
#[hdl]
pub fn commands(config: &Config) -> CommandsIo {
    module("commands", CommandsIo::ty(config), |io| {
        let block = control(config);
        block.chains.set(io.chains);
        block.popped.set(io.popped);
        block.found.set(io.found);
        block.written.set(io.written);
        block.drain.connect(&io.drain);
        io.pop.connect(&block.pop);
        io.read.connect(&block.read);
        io.write.connect(&block.write);
        io.used.connect(&block.used);
        // What has these inputs does anything in this proof.
        let functions = lit(0, config.functions());
        block.driver_ok.set(functions);
        block.may_address.set(functions);
        block.may_unicast.set(functions);
        block.may_multicast.set(functions);
        block.read_data.valid.set(false);
        block.read_data.payload.set(block.read_data.payload.zero());
        block.write_data.ready.set(true);
        block.fault.ready.set(true);
        block.row.ready.set(true);
        block.row_response.set(block.row_response.zero());
        block.filter.ready.set(true);
        block.forget.ready.set(true);
        let asked = store_answers(&io.pop, &io.popped);
        assert(!io.pop.valid | io.pop.payload.is_control(), "control queues are popped");

        // The part that was popped last, and what of it has not been read.
        let part = io.popped.payload.part;
        let (owner, last_part) = (reg(io.pop.payload), reg(part));
        let at = reg(bits(64));
        let left = reg(bits(16));
        let comes = io.popped.valid;
        let read = io.read.payload;
        let bytes = Bits::from(read.length).zext(16);
        when(io.read.fire(), || {
            at.set(at + bytes.zext(64));
            left.set(left - bytes);
        });
        when(io.pop.fire(), || owner.set(io.pop.payload));
        when(comes, || {
            last_part.set(part);
            at.set(Bits::from(part.address));
            left.set(Bits::from(part.length));
        });
        /// The buffer that has begun is popped as a whole.
        let is_whole = reg_flag(true);
        /// Some part of it is to be written: the first one is
        let has_answer = reg(flag());
        /// here.
        let answer = reg(bits(64));
        /// It has been written,
        let answered = reg(flag());
        /// and the buffer used,
        let is_used = reg(flag());
        /// or nothing of it may happen any more.
        let is_gone = reg_flag(true);
        let is_under_way = reg(flag());
        when(io.written.valid, || is_under_way.set(false));
        when(io.write.fire(), || {
            answered.set(true);
            is_under_way.set(true);
        });
        assume(!io.written.valid | is_under_way, "what is written was begun");
        when(io.used.fire(), || is_used.set(true));
        let begins = io.pop.fire() & is_whole;
        let drained = io.drain.fire() & io.drain.payload.number().eq(owner.number());
        when(drained, || is_gone.set(true));
        when(begins, || {
            is_whole.set(false);
            is_gone.set(false);
            has_answer.set(false);
            answered.set(false);
            is_used.set(false);
        });
        when(comes, || {
            is_whole.set(part.last);
            when(part.writable & !part.bad, || {
                has_answer.set(true);
                when(!has_answer, || answer.set(Bits::from(part.address)));
            });
        });

        let is_own = |function: Bits| function.eq(owner.function) & !is_gone & !asked.valid;
        let reads = io.read.valid;
        assert(!reads | is_own(read.function), "a part is read in the name of its function");
        assert(!reads | !(last_part.writable | last_part.bad), "if it is to be read");
        assert(!reads | Bits::from(read.address).eq(at), "from its beginning on");
        assert(!reads | bytes.le(left), "to its end at most");
        let write = io.write.payload;
        let writes = io.write.valid;
        assert(!writes | (is_own(write.function) & is_whole), "a whole command is answered");
        assert(!writes | (has_answer & Bits::from(write.address).eq(answer)), "where it may be written");
        assert(!writes | Bits::from(write.length).eq(1), "with a byte");
        assert(!writes | !answered, "once");
        let used = io.used.payload;
        let uses = io.used.valid;
        assert(!uses | (used.queue.number().eq(owner.number()) & !is_gone), "a buffer is used for its queue");
        assert(!uses | (answered & !is_used), "after its answer, once");
        let is_same = Bits::from(used.id).eq(last_part.id) & Bits::from(used.places).eq(last_part.places);
        assert(!uses | (is_same & Bits::from(used.length).eq(1)), "as the driver calls it");
        let is_inside = asked.valid & asked.payload.number().eq(io.drain.payload.number());
        assert(!(io.drain.fire() & is_inside), "no part is still to come when the queue was drained");
        assert(!drained | is_whole, "and no buffer is half popped");
        cover(io.read.fire() & Bits::from(part.length).gt(256), "a long part is read");
        cover(uses, "a command was answered");
    })
}
