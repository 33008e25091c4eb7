//! What of a driver's memory is read to find its buffers.

use super::smallest;
use crate::{
    config::Config,
    formal::{Method::*, Proof, steady},
    virtio::{
        fetch::{
            aim::{AimIo, aim},
            processor::{ProcessorIo, processor},
            types::Kind,
        },
        queues::{Queue, queue_count},
        types::{Mode, Word},
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let claim =
        "in the name of a queue's function only its rings are read, and nothing but its event is written";
    let size = "2 functions, 2 threads";
    let split = Proof::new("queues/fetch_split", claim, size, Unrolled(28), || reads(&smallest(), false));
    let packed = Proof::new("queues/fetch_packed", claim, size, Unrolled(28), || reads(&smallest(), true));
    let claim = "a read lies within the queue's ring or table, if the next descriptor does";
    let aims = Proof::new("queues/fetch_aim", claim, "batches of 4", Unrolled(9), || aims(&smallest()));
    vec![aims, Proof { cover: 28, ..split.long() }, Proof { cover: 28, ..packed.long() }]
}

const THREADS: usize = 2;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
struct ReadsIo {
    #[ty(ProcessorIo::ty(config, THREADS))]
    processor: ProcessorIo,
    /// Any queue, and what was agreed on for it.
    #[input]
    #[ty(Queue::ty(config))]
    who: Queue,
    #[input]
    #[ty(Areas::ty())]
    areas: Areas,
    /// The second half of any descriptor of it.
    #[input]
    #[ty(bits(64))]
    rest: Bits,
}

/// The settings of a queue, and the size of the table that its descriptors name.
#[derive(Bundle, Clone, Copy)]
struct Areas {
    #[ty(bits(16))]
    size: Bits,
    event_index: Bool,
    indirect: Bool,
    #[ty(bits(16))]
    entries: Bits,
}

/// Addresses of the queue `who`, and no others, are in the upper half. Its areas lie far from each other.
const OWN: usize = 63;
const DESCRIPTORS: u128 = 0x8000_0000_0000_0000;
const DRIVER: u128 = 0x9000_0000_0000_0000;
const DEVICE: u128 = 0xA000_0000_0000_0000;
const TABLE: u128 = 0xB000_0000_0000_0000;
/// Where its descriptor points to that is watched, and no other one.
const MARK: u128 = 0x4000_0000_0000_0000;

const WRITE: usize = 1;
const INDIRECT: usize = 2;

/// Any queue: what is read in its name is the index or an entry of its available ring, a descriptor of its ring, or one of a
/// table that a descriptor named which was read before. What is written is where it wants to be notified. No command of
/// another queue has an address of this one.
///
/// A part that is handed over is as its descriptor says, for the queue in whose ring or table that is. Parts of a
/// transmit queue are to be read, those of a receive queue to be written.
#[hdl]
fn reads(config: &Config, packed: bool) -> ReadsIo {
    module(if packed { "reads_of_packed" } else { "reads_of_split" }, ReadsIo::ty(config), |io| {
        let (block, outer) = (processor(config, THREADS), &io.processor);
        block.start.connect(&outer.start);
        block.returned.connect(&outer.returned);
        block.written.connect(&outer.written);
        outer.ended.connect(&block.ended);
        outer.lookup.set(block.lookup);
        block.found.set(outer.found);
        outer.read.connect(&block.read);
        outer.issue.set(block.issue);
        outer.slot.set(block.slot);
        block.word.set(outer.word);
        outer.write.connect(&block.write);
        outer.write_data.connect(&block.write_data);
        outer.arms.set(block.arms);
        outer.descriptor.connect(&block.descriptor);
        outer.fault.connect(&block.fault);
        let Areas { size, event_index, indirect, entries } = io.areas;
        let [descriptors, driver, device, table, mark] =
            [DESCRIPTORS, DRIVER, DEVICE, TABLE, MARK].map(|address| lit(address, 64));
        steady(cat([io.who.pack(), io.areas.pack(), io.rest]));
        let is_power = !(size & (size - 1)).any();
        assume(size.any() & size.le(256) & (is_power | packed.to_bool()), "the ring has 1 to 256 places");
        let is_own = |queue: Queue| queue.number().eq(io.who.number());

        // The settings.
        let word = wire(bits(32));
        let mode = Mode { packed: packed.to_bool(), event_index, indirect, ..Mode::ty().zero() };
        let lookup = block.lookup.payload;
        let is = |it: Word| lookup.word.is(it);
        word.set(size.zext(32));
        when(is(Word::Mode), || word.set(mode.pack().zext(32)));
        for (low, high, base) in [
            (Word::Descriptors, Word::DescriptorsHigh, descriptors),
            (Word::Driver, Word::DriverHigh, driver),
            (Word::Device, Word::DeviceHigh, device),
        ] {
            when(is(low), || word.set(base.trunc(32)));
            when(is(high), || word.set(base.slice(32, 32)));
        }
        let later = |value: Bool| delay(delay(value));
        let expected = delay_without_reset(delay_without_reset(word));
        let found = Bits::from(outer.found);
        let own = block.lookup.valid & is_own(lookup.queue);
        assume(!later(own) | found.eq(expected), "its settings are found");
        let is_high = is(Word::DescriptorsHigh) | is(Word::DriverHigh) | is(Word::DeviceHigh);
        let other = block.lookup.valid & !is_own(lookup.queue) & is_high;
        assume(!later(other) | !found.slice(30, 2).any(), "others have the lower half");

        // Threads, of that queue and another one.
        let start = outer.start.payload;
        let begins = outer.start.fire();
        let queues: Vec<Queue> = reg(vec![Queue::ty(config); THREADS]);
        let (runs, reads, writes) = (reg(bits(THREADS)), reg(bits(THREADS)), reg(bits(THREADS)));
        let (served, running) = (reg(bits(queue_count(config))), reg(bits(queue_count(config))));
        let (returned, written) = (&outer.returned, &outer.written);
        when(returned.fire(), || reads.at(returned.payload.thread).set(false));
        when(written.fire(), || writes.at(written.payload.thread).set(false));
        when(block.issue.valid, || reads.at(block.issue.payload.thread).set(true));
        when(block.arms.valid, || writes.at(block.arms.payload).set(true));
        let end = block.ended.payload;
        when(block.ended.fire(), || {
            runs.at(end.thread).set(false);
            running.at(end.queue.number()).set(false);
        });
        when(begins, || {
            set_at(&queues, start.thread, start.queue);
            runs.at(start.thread).set(true);
            running.at(start.queue.number()).set(true);
            served.at(start.queue.number()).set(true);
        });
        assume(!returned.valid | reads.at(returned.payload.thread), "what comes back was read");
        assume(!written.valid | writes.at(written.payload.thread), "or written");
        let number = start.queue.number();
        assume(io.who.function.eq(1), "it is one of the physical function, the other one is the manager's");
        let is_other = start.queue.function.eq(0) & start.queue.slot.eq(1);
        assume(!outer.start.valid | is_own(start.queue) | is_other, "there are two queues");
        let is_free = !runs.at(start.thread) & !running.at(number);
        assume(!outer.start.valid | is_free, "a thread begins that does not run, for a queue without one");
        assume(!outer.start.valid | start.begun.eq(served.at(number)), "it is known what the queue has had");
        assume(!outer.start.valid | start.budget.any(), "there is room in the store");

        // What was read.
        let thread = delay_without_reset(block.slot.thread);
        let is_ours = is_own(select(&queues, thread));
        let word = outer.word;
        let flags = |word: Bits| word.slice(if packed { 112 } else { 96 }, 16);
        let names = flags(word).bit(INDIRECT);
        let address = word.slice(0, 64);
        let is_table = address.eq(table) & word.slice(64, 32).eq(cat([lit(0, 12), entries, lit(0, 4)]));
        assume(!(is_ours & names) | is_table, "its table is named");
        assume(is_ours | !address.slice(62, 2).any(), "others name tables of the lower half");
        let named = reg(flag());
        when(is_ours & is_table, || named.set(true));
        assume(
            !address.eq(mark) | (is_ours & word.slice(64, 64).eq(io.rest)),
            "one descriptor has this address",
        );

        // What is accessed.
        let within = |at: Bits, length: Bits, from: Bits, bytes: Bits| {
            let is_near = at.slice(24, 40).eq(from.slice(24, 40));
            let distance = (at - from).trunc(24);
            is_near & distance.lt(bytes) & (distance + length.zext(24)).le(bytes)
        };
        let places = |count: Bits, shift: usize| cat([count, lit(0, shift)]).zext(24);
        let command = block.read.payload;
        let (at, length) = (Bits::from(command.address), Bits::from(command.length));
        let in_ring = within(at, length, descriptors, places(size, 4));
        let in_table = within(at, length, table, places(entries, 4)) & named & indirect;
        let in_index = at.eq(driver + 2) & length.eq(2);
        let in_entries = within(at, length, driver + 4, places(size, 1));
        let in_driver = !packed.to_bool() & (in_index | in_entries);
        let comes = block.read.valid & at.bit(OWN);
        assert(!comes | command.function.eq(io.who.function), "reads are in the name of the function");
        assert(!comes | in_ring | in_driver | in_table, "within its rings and tables");
        assert(!comes | Bits::from(command.length).any(), "of something");
        let command = block.write.payload;
        let (place, bytes) = (Bits::from(command.address), Bits::from(command.length));
        let event = if packed {
            place.eq(device) & bytes.eq(4)
        } else {
            place.eq(device + places(size, 3).zext(64) + 4) & bytes.eq(2)
        };
        let goes = block.write.valid & place.bit(OWN);
        assert(!goes | (command.function.eq(io.who.function) & event), "only the event is written");

        // What is handed over.
        let handed = block.descriptor.payload;
        let (queue, part) = (handed.queue, handed.part);
        let hands = block.descriptor.valid;
        let is_right = queue.is_control() | part.bad | part.writable.eq(queue.is_receive());
        assert(!hands | is_right, "parts are to be read, or to be written, as their queue says");
        assert(!hands | !part.bad | part.last, "a buffer that cannot be used ends");
        let is_it = hands & !part.bad & Bits::from(part.address).eq(mark);
        let whole = io.rest.trunc(32);
        let bytes = whole.slice(16, 16).any().mux(!lit(0, 16), whole.trunc(16));
        assert(!is_it | is_own(queue), "a part is of the queue that has its descriptor");
        assert(!is_it | Bits::from(part.length).eq(bytes), "it has that length");
        assert(!is_it | part.writable.eq(flags(cat([io.rest, mark])).bit(WRITE)), "and that direction");
        if packed {
            cover(comes & in_ring, "descriptors are read");
        } else {
            cover(comes & in_entries, "the available ring is read");
        }
    })
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
