//! What of a driver's memory is read to find its buffers.

use super::smallest;
use crate::{
    config::Config,
    formal::{Method::*, Proof, steady},
    virtio::{
        fetch::{
            aim::{AimIo, aim},
            types::Kind,
        },
        types::Word,
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let claim = "a read lies within the queue's ring or table, if the next descriptor does";
    let aims = Proof::new("queues/fetch_aim", claim, "batches of 4", Unrolled(9), || aims(&smallest()));
    vec![aims]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
struct AimsIo {
    #[ty(AimIo::ty(config))]
    aim: AimIo,
    /// Of what is accessed.
    #[input]
    #[ty(bits(64))]
    base: Bits,
}

/// What is read begins at its place, and does not go beyond the end of its ring or table, whatever was read before.
#[hdl]
fn aims(config: &Config) -> AimsIo {
    module("aims", AimsIo::ty(config), |io| {
        let (block, outer) = (aim(config), &io.aim);
        block.start.set(outer.start);
        block.kind.set(outer.kind);
        block.thread.set(outer.thread);
        block.context.set(outer.context);
        block.found.set(outer.found);
        outer.lookup.set(block.lookup);
        outer.done.set(block.done);
        outer.address.set(block.address);
        outer.length.set(block.length);
        outer.count.set(block.count);
        outer.size.set(block.size);
        outer.mode.set(block.mode);
        let is_busy = reg(flag());
        when(block.done, || is_busy.set(false));
        when(outer.start, || is_busy.set(true));
        assume(!outer.start | !is_busy, "one after the other");
        let (thread, context, kind) = (outer.thread, outer.context, outer.kind);
        steady(cat([thread.pack(), context.pack(), kind.pack(), io.base]));
        let size = thread.size.zext(16);
        let is_power = !(size & (size - 1)).any();
        assume(size.any() & size.le(1024) & (is_power | thread.packed), "the ring has 1 to 1024 places");
        let later = |value: Bits| delay_without_reset(delay_without_reset(value));
        let word = block.lookup.payload.word;
        let is_high = word.is(Word::DescriptorsHigh) | word.is(Word::DriverHigh) | word.is(Word::DeviceHigh);
        let found = Bits::from(outer.found);
        assume(found.eq(later(is_high.mux(io.base.slice(32, 32), io.base.trunc(32)))), "the base is found");

        // The base that was asked for is the one of this kind.
        let is = |it| kind.is(it);
        let of = |low: Word, high: Word| word.is(low) | word.is(high);
        let is_right = is(Kind::Ring).mux(
            of(Word::Descriptors, Word::DescriptorsHigh),
            is(Kind::Event).mux(of(Word::Device, Word::DeviceHigh), of(Word::Driver, Word::DriverHigh)),
        );
        let looks_up = block.lookup.valid & !is(Kind::Settings) & !is(Kind::Table);
        assert(!looks_up | is_right, "the area is that of the kind");

        let ends = delay(block.done);
        let base = is(Kind::Table).mux(context.table, io.base);
        let place = is(Kind::Entries).mux(context.next & (size - 1), context.at);
        let bound = is(Kind::Table).mux(context.entries, size);
        let count = block.count.zext(17);
        let is_counted = is(Kind::Entries) | is(Kind::Ring) | is(Kind::Table);
        let begin = cat([place, lit(0, 4)]);
        let offset = is(Kind::Entries).mux(cat([lit(0, 3), place, lit(0, 1)]).zext(20) + 4, begin);
        assert(!(ends & is_counted) | block.address.eq(base + offset.zext(64)), "at the next place");
        let is_within = (place.zext(17) + count).le(bound.zext(17));
        assert(!(ends & is_counted) | is_within, "to the end at most");
        let bytes = is(Kind::Entries).mux(cat([count, lit(0, 1)]).zext(21), cat([count, lit(0, 4)]));
        assert(!(ends & is_counted) | block.length.zext(21).eq(bytes), "as many as are counted");
        let index = block.address.eq(base + 2) & block.length.eq(2);
        assert(!(ends & is(Kind::Index)) | index, "the index is two bytes");
        let event = cat([size, lit(0, 3)]).zext(64) + 4;
        let at_event = block.address.eq(base + thread.packed.mux(event.zero(), event));
        let has_size =
            block.length.eq(thread.packed.mux(lit(4, block.length.width()), lit(2, block.length.width())));
        assert(!(ends & is(Kind::Event)) | (at_event & has_size), "the event is at its place");
        cover(ends & is(Kind::Table) & count.any(), "a table is read");
        cover(ends & is(Kind::Entries) & count.eq(4), "a batch of entries is read");
    })
}
