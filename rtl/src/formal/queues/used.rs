//! How buffers are given back.

use super::smallest;
use crate::{
    config::Config,
    dma::Command,
    formal::{Method::*, Proof, steady},
    frame::Beat,
    virtio::{
        queues::Queue,
        types::{Lookup, Mode, Word},
        used::{
            collect::batch,
            rings::rings,
            types::{Batch, Buffer, Item, Then},
        },
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let claim =
        "each buffer is written once, at the next place of its ring, in order; the driver sees whole frames";
    let size = "2 functions, batches of 4";
    let split = Proof::new("queues/used_split", claim, size, Unrolled(30), || writes(&smallest(), false));
    let packed = Proof::new("queues/used_packed", claim, size, Unrolled(30), || writes(&smallest(), true));
    vec![Proof { cover: 30, ..split.long() }, Proof { cover: 30, ..packed.long() }]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
struct WritesIo {
    #[input]
    #[ty(Stream::ty(Item::ty(config)))]
    items: Stream<Item>,
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    lookup: Valid<Lookup>,
    #[input]
    found: U<32>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    write: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    data: Stream<Beat>,
    #[output]
    sent: Stream<Bool>,
    #[output]
    #[ty(Valid::ty(Batch::ty(config)))]
    batch: Valid<Batch>,
    /// Any queue, and what was agreed on for it.
    #[input]
    #[ty(Queue::ty(config))]
    who: Queue,
    #[input]
    #[ty(Ring::ty())]
    ring: Ring,
}

/// The settings of a queue.
#[derive(Bundle, Clone, Copy)]
struct Ring {
    /// Of the used ring, or of the descriptors.
    #[ty(bits(64))]
    base: Bits,
    #[ty(bits(16))]
    size: Bits,
    in_order: Bool,
    event_index: Bool,
}

/// Addresses of the queue `who`, and no others, are in the upper half.
const OWN: usize = 63;
/// The ids of one buffer of it, and of no other buffer, have this bit: the marked one, which may be any.
const MARK: usize = 15;

/// Any queue: each of its buffers is written once, in their order, to the next place of its ring, with its id and length, in
/// the name of its function. Nothing else is written to the ring but the index of a split one, and that tells only of
/// buffers that were written.
///
/// The first buffer of a packed batch with joined ones is written when the frame that ends with or after the batch is there as a
/// whole, behind the others.
#[hdl]
fn writes(config: &Config, packed: bool) -> WritesIo {
    module(if packed { "writes_of_packed" } else { "writes_of_split" }, WritesIo::ty(config), |io| {
        let block = rings(config);
        block.items.connect(&io.items);
        block.found.set(io.found);
        io.lookup.set(block.lookup);
        io.write.connect(&block.write);
        io.data.connect(&block.data);
        io.sent.connect(&block.sent);
        io.batch.set(block.batch);
        let Ring { base, size, in_order, event_index } = io.ring;
        steady(cat([io.who.pack(), io.ring.pack()]));
        let is_power = !(size & (size - 1)).any();
        assume(size.any() & size.le(256) & (is_power | packed.to_bool()), "the ring has 1 to 256 places");
        assume(base.bit(OWN) & !base.bit(OWN - 1), "its half is its own");
        assume(!in_order, "buffers are written one by one");

        // The settings.
        let is_own = |queue: Queue| queue.number().eq(io.who.number());
        let word = wire(bits(32));
        let zero = Mode::ty().zero();
        let mode = Mode { packed: packed.to_bool(), in_order, event_index, ..zero };
        let (low, high) = if packed {
            (Word::Descriptors, Word::DescriptorsHigh)
        } else {
            (Word::Device, Word::DeviceHigh)
        };
        let lookup = io.lookup.payload;
        word.set(io.found);
        when(lookup.word.is(Word::Mode), || word.set(mode.pack().zext(32)));
        when(lookup.word.is(Word::Size), || word.set(size.zext(32)));
        when(lookup.word.is(low), || word.set(base.trunc(32)));
        when(lookup.word.is(high), || word.set(base.slice(32, 32)));
        let is_base = lookup.word.is(Word::DescriptorsHigh) | lookup.word.is(Word::DeviceHigh);
        let (own, other) = (is_own(lookup.queue) & io.lookup.valid, !is_own(lookup.queue) & is_base);
        let is_driver = lookup.word.is(Word::Driver) | lookup.word.is(Word::DriverHigh);
        let later = |value: Bool| delay(delay(value));
        let expected = delay_without_reset(delay_without_reset(word));
        assume(!later(own & !is_driver) | Bits::from(io.found).eq(expected), "its settings are found");
        let is_low = !io.found.bit(31) & !io.found.bit(30);
        assume(!later(other & io.lookup.valid) | is_low, "others have the lower half");

        // Batches.
        let item = io.items.payload;
        let taken = io.items.fire();
        /// Buffers of the batch that were taken.
        let so_far = reg(bits(3));
        let before = reg(item);
        let is_first = !so_far.any();
        when(taken, || {
            before.set(item);
            so_far.set(item.last.mux(so_far.zero(), so_far + 1));
        });
        let goes_on = item.queue.number().eq(before.queue.number())
            & item.joins.eq(before.joins)
            & item.closes.eq(before.closes)
            & !item.forget;
        assume(!io.items.valid | is_first | goes_on, "a batch is of one queue and one kind");
        assume(!io.items.valid | item.last | so_far.lt(batch(config) - 1), "it is not longer");
        assume(!io.items.valid | !item.forget | item.last, "nothing is with what forgets");
        let places = Bits::from(item.buffer.places);
        let fits = places.any() & places.le(size);
        assume(!io.items.valid | !is_own(item.queue) | item.forget | fits, "a buffer fits into its ring");

        // The model of the ring.
        let hands = taken & is_own(item.queue) & !item.forget;
        let place_bits = 16;
        /// Where the next buffer goes, and the lap.
        let next = reg(bits(place_bits));
        let lap = reg(flag());
        /// The last batch did not end with a whole frame.
        let open = reg(flag());
        let handed = reg(bits(5));
        /// The first of the batch, or of the batches that a frame takes, is written behind the others.
        let holds = reg(flag());
        let held = packed.to_bool() & is_first.mux(item.joins & !open, holds);
        let is_held = held & is_first & !open;
        let behind = next.zext(17) + places.zext(17);
        let wraps = behind.ge(size.zext(17));
        let step = if packed { behind.trunc(16) - wraps.mux(size, size.zero()) } else { next + 1 };
        when(hands, || {
            next.set(step);
            lap.set(lap ^ wraps);
            handed.set(handed + 1);
            holds.set(held | (packed.to_bool() & open));
            when(item.last, || open.set(!item.closes));
        });
        /// The queue began anew, and what was written before may still be under way.
        let is_anew = reg(flag());
        when(taken & is_own(item.queue) & item.forget, || {
            next.set(0);
            lap.set(false);
            open.set(false);
            is_anew.set(true);
        });

        // The marked buffer.
        let seen = reg(flag());
        let buffer = reg(Buffer::ty());
        let (place, of_lap) = (reg(next), reg(flag()));
        /// How many were handed in before it.
        let number = reg(handed);
        /// It is written behind those that follow, which are counted until the frame ends.
        let is_last = reg(flag());
        let (followers, is_complete) = (reg(handed), reg(flag()));
        /// It follows one that is written behind it.
        let is_early = reg(flag());
        let is_marked = Bits::from(item.buffer.id).bit(MARK);
        let comes = hands & is_marked;
        assume(!io.items.valid | !is_marked | (is_own(item.queue) & !seen), "one buffer is marked");
        assume(!io.items.valid | !seen | !item.forget, "it is not forgotten");
        when(comes, || {
            seen.set(true);
            buffer.set(item.buffer);
            place.set(next);
            of_lap.set(lap);
            number.set(handed);
            is_last.set(is_held);
            is_early.set(!is_held & (held | (packed.to_bool() & open)));
            is_complete.set(item.last & item.closes);
        })
        .elsewhen(hands & seen & !is_complete, || {
            followers.set(followers + 1);
            is_complete.set(item.last & item.closes);
        });

        // What is written, eight bytes after the other: commands with their data.
        let (is_busy, at) = (reg(flag()), reg(bits(64)));
        let left = reg(bits(14));
        let (command, beat) = (io.write.payload, io.data.payload);
        assume(io.write.ready.eq(!is_busy), "a command is taken when its turn comes");
        assume(!io.data.ready | is_busy, "data is, behind it");
        when(io.write.fire(), || {
            is_busy.set(true);
            at.set(command.address);
            left.set(command.length);
        });
        let written = io.data.fire();
        let bytes = beat.count.zext(14);
        when(written, || {
            at.set(at + 8);
            left.set(left - bytes);
            when(beat.last, || is_busy.set(false));
        });
        assert(!written | beat.last.eq(left.eq(bytes)), "there is as much data as the command says");
        let address = Bits::from(command.address);
        let offers = io.write.valid & address.bit(OWN);
        assert(
            !offers | command.function.eq(io.who.function),
            "a ring is written in the name of its function",
        );
        let offset = (address - base).trunc(20);
        let length = Bits::from(command.length).zext(20);
        let end = if packed { cat([size, lit(0, 4)]) } else { cat([lit(0, 1), size, lit(0, 3)]) + 4 };
        let is_index = !packed.to_bool() & offset.eq(2) & length.eq(2);
        let begin = lit(if packed { 0 } else { 4 }, 20);
        let is_within = offset.ge(begin) & (offset + length).le(end) & length.any();
        assert(!offers | is_index | is_within, "what is written lies within the ring");
        assert(!offers | (address - base).lt(1 << 20), "and not beyond it");

        // Elements, or the second halves of descriptors.
        let distance = (at - base).trunc(20);
        let data = beat.data;
        let is_ours = written & at.bit(OWN);
        let is_index = !packed.to_bool() & distance.eq(2);
        let is_half = packed.to_bool() & !distance.bit(3);
        let is_element = is_ours & !is_index & !is_half;
        let is_it = is_element & if packed { data.bit(32 + MARK) } else { data.bit(MARK) };
        let (count, is_written) = (reg(handed), reg(flag()));
        when(is_element, || count.set(count + 1));
        when(is_it, || is_written.set(true));
        assert(!(is_ours & is_half) | !data.any(), "the address of a used descriptor is nothing");
        assert(!is_it | (seen & !is_written), "a buffer is written once");
        let goes_to = if packed {
            cat([place.trunc(16), lit(0b1000, 4)])
        } else {
            cat([lit(0, 1), place & (size - 1), lit(0, 3)]) + 4
        };
        assert(!is_it | distance.eq(goes_to), "at the next place of the ring");
        let turn = is_last.mux(number + followers, number - is_early.bits().zext(5));
        assert(!is_it | count.eq(turn), "in its turn");
        assert(!is_it | !is_last | is_complete, "the first one when the frame is whole");
        let Buffer { id, length, .. } = buffer;
        let length = Bits::from(length).zext(32);
        let content = if packed {
            let used = (!of_lap).bits();
            cat([used, lit(0, 7), used, lit(0, 5), length.any().bits(), lit(0, 1), id.into(), length])
        } else {
            cat([length, lit(0, 16), id.into()])
        };
        assert(!is_it | data.eq(content), "with its id and its length");
        // The index of a split ring.
        let index = data.trunc(16);
        let says = is_ours & is_index;
        let tells_of_it = seen & !(index - place - 1).bit(15);
        assert(!(says & tells_of_it) | is_written, "the index tells of what was written");
        assert(!says | is_anew | !(next - index).bit(15), "and of nothing else");
        assert(!says | beat.count.eq(2), "in two bytes");
        cover(is_it, "the marked buffer is written");
        let is_asked = io.batch.valid & io.batch.payload.then.is(Then::Ask);
        cover(is_asked & delay(seen), "its batch ends");
        if packed {
            cover(is_it & is_last, "behind others");
        } else {
            cover(says & tells_of_it, "the index tells of it");
        }
    })
}
