//! Where a thread reads or writes next, and how much.

use super::{
    super::types::{Lookup, Word},
    types::{Context, Kind, Thread, batch, batch_bits},
};
use crate::{config::Config, dma::LENGTH_BITS};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct AimIo {
    /// Everything below stays from here to `done`.
    #[input]
    pub start: Bool,
    #[input]
    pub kind: Enum<Kind>,
    #[input]
    #[ty(Thread::ty(config))]
    pub thread: Thread,
    #[input]
    pub context: Context,
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    pub lookup: Valid<Lookup>,
    /// Two cycles after `lookup`.
    #[input]
    pub found: U<32>,
    /// `size` and `mode` are there; the others one cycle later.
    #[output]
    pub done: Bool,
    #[output]
    #[ty(bits(64))]
    pub address: Bits,
    /// In bytes.
    #[output]
    #[ty(bits(LENGTH_BITS))]
    pub length: Bits,
    /// In entries or descriptors.
    #[output]
    #[ty(bits(batch_bits(config)))]
    pub count: Bits,
    /// Of [`Kind::Settings`]: the words `Size` and `Mode`.
    #[output]
    #[ty(bits(32))]
    pub size: Bits,
    #[output]
    #[ty(bits(32))]
    pub mode: Bits,
}

/// Descriptors that are read where it is not known that there are more of use: 64 bytes.
const FEW: usize = 4;

/// Looks the base address up, and meanwhile computes the rest, a step in each cycle; `done` comes five cycles after `start`.
///
/// | reads | from | at most |
/// |---|---|---|
/// | index | the driver's area, 2 | |
/// | entries | the driver's area, 4 and 2 for each before | what may be handed over, what is available, the end of the ring |
/// | packed ring | the place of the next one | a batch; 4 to look once more; what is available, if the doorbell said it |
/// | split table | the place of the next one | as many as there are entries, but 4 at least |
/// | indirect table | the place of the next one | a batch |
///
/// The event is written at 4 and 8 for each entry in the device's area of a split ring, at 0 of a packed one.
#[hdl]
pub fn aim(config: &Config) -> AimIo {
    let name = format!("virtio_fetch_aim_{}_{}", config.functions(), batch(config));
    module(name, AimIo::ty(config), |io| {
        let (thread, context, kind) = (io.thread, io.context, io.kind);
        let width = batch_bits(config);
        let is = |it| kind.is(it);
        let mut steps = vec![io.start];
        (0..5).for_each(|step| steps.push(delay(steps[step])));
        io.done.set(steps[5]);

        let lookup = reg_without_reset(io.lookup.payload);
        let word = wire(Enum::<Word>::ty());
        let first = steps[0];
        word.set(first.mux(Word::Driver.to_enum(), Word::DriverHigh.to_enum()));
        when(is(Kind::Ring), || {
            word.set(first.mux(Word::Descriptors.to_enum(), Word::DescriptorsHigh.to_enum()))
        });
        when(is(Kind::Event), || word.set(first.mux(Word::Device.to_enum(), Word::DeviceHigh.to_enum())));
        when(is(Kind::Settings), || word.set(first.mux(Word::Size.to_enum(), Word::Mode.to_enum())));
        lookup.set(Lookup { queue: thread.queue, word });
        io.lookup.valid.set(delay(steps[0] | steps[1]));
        io.lookup.payload.set(lookup);

        // How many, and how far from the base.
        let place = reg_without_reset(bits(16));
        let bound = reg_without_reset(bits(16));
        let offset = reg_without_reset(bits(20));
        let room = reg_without_reset(bits(16));
        let distance = reg_without_reset(bits(16));
        let most = reg_without_reset(bits(width));
        let count = reg_without_reset(bits(width));
        let size = thread.size.zext(16);
        let is_within = context.at.lt(is(Kind::Table).mux(context.entries, size));
        assume(!io.start | is_within | !(is(Kind::Ring) | is(Kind::Table)), "the next descriptor is there");
        place.set(is(Kind::Entries).mux(context.next & (size - 1), context.at));
        bound.set(is(Kind::Table).mux(context.entries, size));
        distance.set(thread.available - context.next);
        // With the one that is under way.
        let rest = thread.entries - thread.done + 1;
        let few = lit(FEW, width);
        let (all, few_at_least) = (lit(batch(config), width), rest.lt(few).mux(few, rest));
        let of_ring = thread.packed.mux(context.armed.mux(few, all), few_at_least);
        most.set(is(Kind::Entries).mux(thread.budget, is(Kind::Ring).mux(of_ring, all)));
        let same_lap = thread.available.bit(15).bits().eq(context.next.bit(15).bits());
        let is_limited =
            is(Kind::Entries) | (is(Kind::Ring) & thread.packed & thread.known & !context.chain & same_lap);
        when(steps[1], || {
            room.set(bound - place);
            let scaled = is(Kind::Entries).mux(place.zext(20) << lit(1, 1), cat([place, lit(0, 4)]));
            offset.set(scaled);
            when(is(Kind::Entries), || offset.set(scaled + 4));
            when(is(Kind::Index), || offset.set(2));
            when(is(Kind::Event), || {
                offset.set(thread.packed.mux(lit(0, 20), cat([thread.size, lit(0, 3)]).zext(20) + 4))
            });
            when(is_limited & distance.lt(most.zext(16)), || count.set(distance.trunc(width)))
                .otherwise(|| count.set(most));
        });
        when(steps[2] & room.lt(count.zext(16)), || count.set(room.trunc(width)));
        io.count.set(count);
        let bytes = is(Kind::Entries).mux(cat([lit(0, 3), count, lit(0, 1)]), cat([count, lit(0, 4)]));
        let length = reg_without_reset(bits(LENGTH_BITS));
        length.set(bytes.zext(LENGTH_BITS));
        when(is(Kind::Index), || length.set(2));
        when(is(Kind::Event), || length.set(thread.packed.mux(lit(4, LENGTH_BITS), lit(2, LENGTH_BITS))));
        io.length.set(length);

        // The base.
        let low = reg_without_reset(bits(32));
        let high = reg_without_reset(bits(32));
        let address = reg_without_reset(bits(64));
        when(steps[3], || low.set(io.found));
        when(steps[4], || high.set(io.found));
        let base = is(Kind::Table).mux(context.table, cat([high, low]));
        address.set(base + offset.zext(64));
        io.address.set(address);
        io.size.set(low);
        io.mode.set(high);
    })
}
