//! Writes batches of used buffers into the rings.

use super::types::{Batch, Buffer, Item, Progress, Then};
use crate::{
    config::Config,
    dma::{Command, LENGTH_BITS},
    frame::Beat,
    prim,
    virtio::{
        queues::{Queue, queue_bits, queue_count},
        types::{Lookup, Mode, Word},
    },
};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(crate) struct RingsIo {
    #[input]
    #[ty(Stream::ty(Item::ty(config)))]
    pub items: Stream<Item>,
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    pub lookup: Valid<Lookup>,
    #[input]
    pub found: U<32>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub write: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub data: Stream<Beat>,
    /// One for each command, before it is in `write`: it is the last of its batch.
    #[output]
    pub sent: Stream<Bool>,
    /// One for each batch, and what belongs to it.
    #[output]
    #[ty(Valid::ty(Batch::ty(config)))]
    pub batch: Valid<Batch>,
    #[output]
    #[ty(Progress::ty(config))]
    pub progress: Progress,
}

/// What is kept of a queue.
#[derive(Bundle, Clone, Copy)]
struct Context {
    /// Where the next buffer goes: an index, or the place in a packed ring with the lap in bit 15, which is 0 at first.
    next: U<16>,
    /// A frame is half written.
    open: Bool,
    /// Where what the driver does not see yet begins, while `open`; the next three as well.
    from: U<16>,
    /// How many buffers those are; 255 for more.
    count: U<8>,
    /// The used descriptor that belongs there.
    head: Head,
}

#[derive(Bundle, Clone, Copy)]
struct Head {
    id: U<16>,
    length: U<17>,
}

/// Eight bytes, or two.
#[derive(Bundle, Clone, Copy)]
struct Lane {
    data: U<64>,
    /// The command ends with it.
    last: Bool,
    /// Only two bytes count.
    short: Bool,
}

/// A command, but for where the ring is.
#[derive(Bundle, Clone, Copy)]
struct Order {
    #[ty(bits(OFFSET_BITS))]
    offset: Bits,
    length: U<LENGTH_BITS>,
    last: Bool,
}

const OFFSET_BITS: usize = 20;

/// Bits of a place in a ring, and of sums of two.
const PLACE_BITS: usize = 15;
const SUM_BITS: usize = 17;

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// Contexts are cleared, one by one.
    Clear,
    Idle,
    /// The context and the settings are read,
    Settings,
    /// and what they come to is found.
    Prepare,
    /// A buffer: where the next one goes,
    Sum,
    /// and whether the ring ends before.
    Wrap,
    /// The index of a split ring, or the first half of the descriptor that was held back.
    Finish,
    /// Its second half.
    Head,
    /// The context is written.
    Close,
}

/// The settings in their order; of the last two those of a split ring are the device's.
const WORDS: [Word; 6] =
    [Word::Mode, Word::Size, Word::Driver, Word::DriverHigh, Word::Descriptors, Word::DescriptorsHigh];

/// Steps of the settings: the last word is there two cycles after it was asked for, and registers stand on both sides.
const STEPS: usize = WORDS.len() + 3;

/// Writes what a driver is to see.
///
/// ```text
///  items ─► [Sum, Wrap] ─► lane ─► beats ─► fifo ─► data
///   lookup, context ┘  └─► order ─► + address ─► fifo ─► write
/// ```
///
/// Buffers that are next to each other in the ring are a *run*: one command, with all their bytes. A run ends with the ring, with
/// the batch, and in a packed ring with a buffer that takes more places than one.
///
/// # What the driver sees
/// - Split ring: elements, then the index in a command of its own (virtio 2.7.8). While a frame goes on the index is not written.
/// - Packed ring: a driver looks only at the descriptor behind the last one that it saw used (2.8.2). In a batch with joined
///   buffers the first descriptor is held back, and written when the frame that ends the batch is complete, however many batches
///   that takes: all of it becomes visible at once (2.8.9).
/// - Packed ring with IN_ORDER: a batch of transmitted buffers, which were read completely, is the one descriptor with the last
///   id (2.8.8). Received ones are written one by one, as each has a length of its own.
///
/// # Timing
/// About 14 cycles for a batch and two for each buffer.
#[hdl]
pub(crate) fn rings(config: &Config) -> RingsIo {
    let name = format!("virtio_used_rings_{}x{}_{}", queue_bits(config), config.bytes, config.prefetch / 2);
    module(name, RingsIo::ty(config), |io| {
        io.items.assume_stable();
        let contexts = mem(Context::ty(), queue_count(config), Collision::Undefined);
        let state = reg_enum(State::Clear);
        let is = |it| state.is(it);
        let clearing = reg(bits(queue_bits(config)));
        let item = io.items.payload;
        let queue = reg_without_reset(Queue::ty(config));
        let closes = reg_without_reset(flag());
        let forgets = reg_without_reset(flag());

        // Settings.
        let step = reg(bits(clog2(STEPS)));
        let packed = reg_without_reset(flag());
        let event_index = reg_without_reset(flag());
        let in_order = reg_without_reset(flag());
        let size = reg_without_reset(bits(16));
        let vector = reg_without_reset(bits(16));
        let driver = reg_without_reset(bits(64));
        let base = reg_without_reset(bits(64));
        let asks = reg(flag());
        let word = reg_enum(Word::Mode);
        asks.set(is(State::Settings) & step.lt(WORDS.len()));
        WORDS.into_iter().enumerate().for_each(|(number, it)| {
            when(step.eq(number), || word.set(it));
        });
        when(!packed & step.eq(4), || word.set(Word::Device));
        when(!packed & step.eq(5), || word.set(Word::DeviceHigh));
        io.lookup.valid.set(asks);
        io.lookup.payload.queue.set(queue);
        io.lookup.payload.word.set(word);
        let found = Bits::from(io.found);
        let arrives = |number: usize| is(State::Settings) & step.eq(number + STEPS - WORDS.len());
        when(arrives(0), || {
            let mode = Mode::ty().unpack(found.trunc(Mode::ty().size()));
            packed.set(mode.packed);
            event_index.set(mode.event_index);
            in_order.set(mode.in_order);
        });
        when(arrives(1), || {
            size.set(found.trunc(16));
            vector.set(found.slice(16, 16));
        });
        when(arrives(2), || driver.slice(0, 32).set(found));
        when(arrives(3), || driver.slice(32, 32).set(found));
        when(arrives(4), || base.slice(0, 32).set(found));
        when(arrives(5), || base.slice(32, 32).set(found));

        // What the queue had, and how the batch is written.
        let read = contexts.read(item.queue.number());
        let context = reg_without_reset(Context::ty());
        when(is(State::Settings) & step.eq(1), || context.set(read));
        /// Where the next buffer goes, as in the context, and its place in the ring.
        let next = reg_without_reset(bits(16));
        let place = reg_without_reset(bits(PLACE_BITS));
        let from = reg_without_reset(bits(16));
        let count = reg_without_reset(bits(8));
        let head = reg_without_reset(Head::ty());
        /// The batch becomes one descriptor.
        let is_single = reg_without_reset(flag());
        /// The next buffer is held back.
        let holds = reg_without_reset(flag());
        /// Then comes what was held back.
        let has_head = reg_without_reset(flag());
        /// Where in the driver's area it says what it wants.
        let ask_at = reg_without_reset(bits(SUM_BITS));
        when(is(State::Prepare), || {
            let first = Bits::from(context.next);
            let is_transmit = queue.is_transmit() & !queue.is_control();
            let single = packed & in_order & is_transmit & item.closes & !item.joins & !context.open;
            let holds_first = packed & item.joins & !context.open;
            next.set(first);
            place.set(first.trunc(PLACE_BITS) & (packed.bits().repeat(16) | (size - 1)).trunc(PLACE_BITS));
            from.set(context.open.mux(context.from.into(), first));
            count.set(context.open.mux(context.count.into(), count.zero()));
            head.set(context.head);
            is_single.set(single);
            holds.set(single | holds_first);
            has_head.set(packed & item.closes & (single | holds_first | context.open));
            let event = size.wide_add(size) + 4;
            ask_at.set((packed | !event_index).mux(event.zero(), event));
        });

        // A buffer.
        let Buffer { id, length, places } = item.buffer;
        let places = Bits::from(places);
        let lane_ready = wire(flag());
        let order_ready = wire(flag());
        let sum = reg_without_reset(bits(SUM_BITS));
        let is_one = reg_without_reset(flag());
        sum.set(place.zext(SUM_BITS) + packed.mux(places, lit(1, 16)).zext(SUM_BITS));
        is_one.set(!packed | places.eq(1));
        let beyond = sum.zext(SUM_BITS + 1) - size.zext(SUM_BITS + 1);
        let wraps = !beyond.bit(SUM_BITS);
        let new_place = wraps.mux(beyond.trunc(PLACE_BITS), sum.trunc(PLACE_BITS));
        let ends_run = wraps | item.last | !is_one;
        /// Bytes of the run so far, and where it began.
        let run = reg(bits(LENGTH_BITS));
        let run_from = reg_without_reset(bits(PLACE_BITS));
        let new_run = run + packed.mux(lit(16, LENGTH_BITS), lit(8, LENGTH_BITS));
        let has_index = !packed & item.closes;
        let writes = is(State::Wrap) & !holds;
        let passes = is(State::Wrap) & io.items.valid & (holds | (lane_ready & (order_ready | !ends_run)));
        when(is(State::Sum) & !run.any(), || run_from.set(place));
        when(passes, || {
            place.set(new_place);
            next.set(packed.mux(cat([next.bit(15).bits() ^ wraps.bits(), new_place]), next + 1));
            when(!count.all(), || count.set(count + 1));
            when(holds, || head.set(Head { id, length })).otherwise(|| {
                run.set(ends_run.mux(run.zero(), new_run));
            });
            holds.set(is_single);
        });

        // Eight bytes at a time.
        let lane = reg_without_reset(Lane::ty());
        let has_lane = reg(flag());
        let descriptor = |lap: Bool, id: U<16>, length: U<17>| {
            let length = Bits::from(length);
            let (used, none) = ((!lap).bits(), lit(0, 5));
            cat([used, lit(0, 7), used, none, length.any().bits(), lit(0, 1), id.into(), length.zext(32)])
                .as_u()
        };
        let element = cat([length.into(), lit(0, 16), id.into()]).zext(64).as_u();
        let zero = lit(0, 64).as_u();
        let emits = |data: U<64>, last: Bool, short: Bool| {
            has_lane.set(true);
            lane.set(Lane { data, last, short });
        };
        let (yes, no) = (true.to_bool(), false.to_bool());
        let is_first_half = is(State::Sum) & packed & !holds & io.items.valid;
        let sums = is(State::Sum) & io.items.valid & (lane_ready | !is_first_half);
        let both_ready = lane_ready & order_ready;
        let (finishes, heads) = (is(State::Finish) & both_ready, is(State::Head) & both_ready);
        when(lane_ready, || has_lane.set(false));
        when(is_first_half & lane_ready, || emits(zero, no, no));
        when(passes & writes, || {
            let written = descriptor(next.bit(15), id, length);
            emits(packed.mux(written, element), ends_run, no);
        });
        when(finishes, || emits(next.zext(64).as_u(), !packed, !packed));
        when(finishes & packed, || emits(zero, no, no));
        when(heads, || emits(descriptor(from.bit(15), head.id, head.length), yes, no));

        // Commands.
        let order = reg_without_reset(Order::ty());
        let has_order = reg(flag());
        let commands = prim::fifo(Command::ty(config), 16);
        io.write.connect(&commands.deq);
        let orders = has_order & commands.enq.ready & io.sent.ready;
        order_ready.set(!has_order | orders);
        when(orders, || has_order.set(false));
        let commands_to = |offset: Bits, length: Bits, last: Bool| {
            has_order.set(true);
            order.set(Order { offset, length: length.as_u(), last });
        };
        let in_packed = |place: Bits| cat([place, lit(0, 4)]).zext(OFFSET_BITS);
        let in_split = cat([run_from, lit(0b100, 3)]).zext(OFFSET_BITS);
        when(passes & writes & ends_run, || {
            let is_last = item.last & !has_index & !has_head;
            commands_to(packed.mux(in_packed(run_from), in_split), new_run, is_last);
        });
        when(finishes & !packed, || commands_to(lit(2, OFFSET_BITS), lit(2, LENGTH_BITS), yes));
        when(heads, || commands_to(in_packed(from.trunc(PLACE_BITS)), lit(16, LENGTH_BITS), yes));
        commands.enq.valid.set(has_order & io.sent.ready);
        commands.enq.payload.set(Command {
            function: queue.function,
            address: (base + order.offset.zext(64)).as_u(),
            length: order.length,
            relaxed: no,
        });
        io.sent.valid.set(has_order & commands.enq.ready);
        io.sent.payload.set(order.last);

        // Beats.
        let lanes = config.bytes / 8;
        let beats = prim::fifo(Beat::ty(config.bytes), (16 * config.prefetch / config.bytes).max(16));
        io.data.connect(&beats.deq);
        let so_far: Vec<Bits> = reg_without_reset(vec![bits(64); lanes - 1]);
        let position = reg(bits(clog2(lanes.max(2))));
        let is_beat = lane.last | position.eq(lanes - 1);
        let takes = has_lane & beats.enq.ready;
        lane_ready.set(!has_lane | takes);
        when(takes, || {
            position.set(is_beat.mux(position.zero(), position + 1));
            so_far.iter().enumerate().for_each(|(number, it)| {
                when(position.eq(number), || it.set(Bits::from(lane.data)));
            });
        });
        let current = Bits::from(lane.data);
        let words = (0..lanes).rev().map(|number| match so_far.get(number) {
            Some(before) => position.eq(number).mux(current, *before),
            None => current,
        });
        let whole = cat([position, lit(0, 3)]).zext(beats.enq.payload.count.width());
        beats.enq.valid.set(has_lane & is_beat);
        beats.enq.payload.set(Beat {
            data: cat(words),
            count: whole + lane.short.mux(lit(2, whole.width()), lit(8, whole.width())),
            last: lane.last,
            error: no,
        });

        // What follows.
        let closing = is(State::Close);
        let then =
            forgets.mux(Then::Forget.to_enum(), closes.mux(Then::Ask.to_enum(), Then::Nothing.to_enum()));
        io.batch.valid.set(closing);
        io.batch.payload.set(Batch {
            then,
            function: queue.function,
            address: (driver + ask_at.zext(64)).as_u(),
            long: packed,
        });
        io.progress.set(Progress {
            queue,
            packed,
            event_index,
            from: from.as_u(),
            to: next.as_u(),
            size: size.as_u(),
            vector: vector.as_u(),
            count: count.as_u(),
        });
        let clears = is(State::Clear);
        when(clears | closing, || {
            let kept =
                Context { next: next.as_u(), open: !closes, from: from.as_u(), count: count.as_u(), head };
            let empty = clears | forgets;
            contexts.write(clears.mux(clearing, queue.number()), empty.mux(kept.zero(), kept));
        });
        clearing.set(clearing + 1);
        io.items.ready.set(passes | (closing & forgets));
        state.cases(|s| match s {
            State::Clear => {
                when(clearing.all(), || state.set(State::Idle));
            }
            State::Idle => {
                step.set(0);
                // The last command of the batch before needs its queue.
                when(io.items.valid & !has_order, || {
                    queue.set(item.queue);
                    closes.set(item.closes);
                    forgets.set(item.forget);
                    state.set(State::Settings);
                    when(item.forget, || state.set(State::Close));
                });
            }
            State::Settings => {
                step.set(step + 1);
                when(step.eq(STEPS - 1), || state.set(State::Prepare));
            }
            State::Prepare => state.set(State::Sum),
            State::Sum => {
                when(sums, || state.set(State::Wrap));
            }
            State::Wrap => {
                when(passes, || {
                    state.set(State::Sum);
                    when(item.last, || {
                        state.set(State::Close);
                        when(has_index | has_head, || state.set(State::Finish));
                    });
                });
            }
            State::Finish => {
                when(finishes, || {
                    state.set(State::Close);
                    when(packed, || state.set(State::Head));
                });
            }
            State::Head => {
                when(heads, || state.set(State::Close));
            }
            State::Close => state.set(State::Idle),
        });
        io.write.assert_stable();
        io.data.assert_stable();
    })
}
