//! Header and frame into buffers.

use super::{
    super::{HEADER, LENGTH, spread::spread, types::Used},
    Fate, Plan, Slot,
};
use crate::{
    config::Config,
    dma::{Command, Outcome},
    frame::Beat,
    prim,
};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(super) struct WriterIo {
    #[input]
    #[ty(Stream::ty(Plan::ty(config)))]
    pub plan: Stream<Plan>,
    #[input]
    pub slot: Stream<Slot>,
    #[input]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub frame: Stream<Beat>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub write: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub write_data: Stream<Beat>,
    #[input]
    pub written: Valid<Enum<Outcome>>,
    #[output]
    #[ty(Stream::ty(Used::ty(config)))]
    pub used: Stream<Used>,
    /// A frame that took buffers has ended.
    #[output]
    pub ends: Bool,
}

/// A slot whose write is under way, or that has none.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Waiting {
    /// It has a write.
    writes: Bool,
    /// The buffer ends with it and is given back.
    gives_back: Bool,
    /// The frame ends with it.
    ends: Bool,
    #[ty(Used::ty(config))]
    used: Used,
}

/// Slots that may be under way.
const WAITING: usize = 32;

/// Writes frames into their slots, and gives back the buffers of those whose writes are done.
///
/// ```text
///  plan ─► header ─┐
///  frame ──────────┴► packetiser ─► spread ─► write_data
///  slot ──────────────────────────────┴─┬───► write
///                                       └─► waiting ─► used ◄─ written
/// ```
#[hdl]
pub(super) fn writer(config: &Config) -> WriterIo {
    let name = format!("virtio_receive_writer_{}x{}_{}", config.functions(), config.pairs, config.bytes);
    module(name, WriterIo::ty(config), |io| {
        io.plan.assume_stable();
        io.slot.assume_stable();
        io.frame.assume_stable();
        let packetiser = prim::packetiser(config.bytes, HEADER);
        let spread = spread(config);
        let plan = io.plan.payload;
        let is_placed = plan.fate.is(Fate::Placed);
        let has_slots = !plan.fate.is(Fate::Lost);

        // The frame, if it goes somewhere.
        /// All of it has been taken.
        let taken = reg(flag());
        /// All slots of it have been.
        let slotted = reg(flag());
        let moves = io.plan.valid & !taken;
        let input = packetiser.input;
        // The number of buffers in bytes 10 and 11, VIRTIO_NET_HDR_F_DATA_VALID in bit 1 of byte 0.
        let header = cat([plan.buffers.into(), lit(0, 8 * 10 - 2), plan.valid.bits(), lit(0, 1)]);
        input.valid.set(io.frame.valid & moves & is_placed);
        input.payload.header.set(header);
        input.payload.beat.set(io.frame.payload);
        io.frame.ready.set(moves & (input.ready | !is_placed));
        spread.input.connect(&packetiser.output);
        io.write_data.connect(&spread.output);
        let frame_ends = io.frame.fire() & io.frame.payload.last;

        // Its slots.
        let slot = io.slot.payload;
        let write = prim::register_slice(Command::ty(config));
        let lengths = prim::fifo(spread.length.payload, 4);
        let waiting = prim::fifo(Waiting::ty(config), WAITING);
        spread.length.connect(&lengths.deq);
        io.write.connect(&write.output);
        let writes = is_placed & Bits::from(slot.length).any();
        let can_write = write.input.ready & lengths.enq.ready;
        let slot_moves =
            io.slot.valid & io.plan.valid & has_slots & !slotted & waiting.enq.ready & (!writes | can_write);
        io.slot.ready.set(slot_moves);
        /// Bytes that went into the buffer's parts before this one.
        let before = reg(bits(LENGTH));
        let bytes = before + Bits::from(slot.length);
        let zero = before.zero();
        when(slot_moves, || before.set((slot.last | !is_placed).mux(zero, bytes)));
        let length = is_placed.mux(bytes, zero);
        write.input.valid.set(slot_moves & writes);
        write.input.payload.set(Command {
            function: plan.queue.function,
            address: slot.address,
            length: slot.length,
            relaxed: false.to_bool(),
        });
        lengths.enq.valid.set(slot_moves & writes);
        lengths.enq.payload.set(slot.length);
        waiting.enq.valid.set(slot_moves);
        waiting.enq.payload.set(Waiting {
            writes,
            gives_back: slot.last & !plan.fate.is(Fate::Bad),
            ends: slot.ends,
            used: Used {
                queue: plan.queue,
                id: slot.id,
                length: length.zext(17).as_u(),
                places: slot.places,
                joined: !slot.ends,
            },
        });
        let slots_end = slot_moves & slot.ends;

        // The plan is over with both.
        let is_taken = taken | frame_ends;
        let is_slotted = slotted | slots_end | !has_slots;
        let is_over = io.plan.valid & is_taken & is_slotted;
        io.plan.ready.set(is_over);
        when(is_over, || {
            taken.set(false);
            slotted.set(false);
        })
        .otherwise(|| {
            when(frame_ends, || taken.set(true));
            when(slots_end, || slotted.set(true));
        });

        // Writes end in their order.
        let failures = prim::fifo(flag(), 2 * WAITING);
        /// A write of the frame failed.
        let failed = reg(flag());
        let head = waiting.deq.payload;
        let used = prim::register_slice(Used::ty(config));
        io.used.connect(&used.output);
        failures.enq.valid.set(io.written.valid);
        failures.enq.payload.set(!io.written.payload.is(Outcome::Success));
        assert(failures.enq.ready | !io.written.valid, "a write that is done was begun");
        let has_ended = !head.writes | failures.deq.valid;
        let is_bad = failed | (head.writes & failures.deq.payload);
        let gives_back = head.gives_back & !is_bad;
        let released = waiting.deq.valid & has_ended & (!gives_back | used.input.ready);
        waiting.deq.ready.set(released);
        failures.deq.ready.set(released & head.writes);
        used.input.valid.set(waiting.deq.valid & has_ended & gives_back);
        used.input.payload.set(head.used);
        when(released, || failed.set(is_bad & !head.ends));
        io.ends.set(released & head.ends);
    })
}
