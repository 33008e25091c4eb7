//! Buffers for a frame.

use super::{
    super::{
        HEADER, LENGTH,
        inspect::Verdict,
        queues::{Queue, queue_count, slot_bits},
        registers::{DEFAULT_MTU, DeviceRow},
        types::{Descriptor, Lookup, Measured, Mode, Word},
    },
    Fate, PATIENCE, Plan, Slot,
};
use crate::{config::Config, pcie::configuration::function_bits, prim};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(super) struct PlacerIo {
    #[input]
    #[ty(Stream::ty(Verdict::ty(config)))]
    pub verdict: Stream<Verdict>,
    #[input]
    #[ty(bits(2 * config.functions()))]
    pub pairs: Bits,
    #[input]
    #[ty(Valid::ty(DeviceRow::ty(config)))]
    pub device: Valid<DeviceRow>,
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    pub lookup: Valid<Lookup>,
    #[input]
    pub found: U<32>,
    #[output]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub measure: Valid<Queue>,
    #[input]
    pub measured: Measured,
    #[input]
    #[ty(bits(queue_count(config)))]
    pub busy: Bits,
    /// No frame begins in this queue: those for it are lost.
    #[input]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub held: Valid<Queue>,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub pop: Stream<Queue>,
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    pub popped: Valid<Descriptor>,
    /// Buffers are about to be taken for a frame.
    #[output]
    pub begins: Bool,
    #[output]
    #[ty(Stream::ty(Plan::ty(config)))]
    pub plan: Stream<Plan>,
    #[output]
    pub slot: Stream<Slot>,
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub dropped: Valid<Bits>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// The hash is spread over the pairs.
    Spread,
    /// The queue is looked at.
    Look,
    Wait,
    Decide,
    Pop,
    Part,
    /// A part becomes a slot.
    Push,
    Plan,
}

/// Frames that may be planned and not written.
const PLANS: usize = 4;

#[hdl]
pub(super) fn placer(config: &Config) -> PlacerIo {
    let name = format!("virtio_receive_placer_{}x{}", config.functions(), config.pairs);
    module(name, PlacerIo::ty(config), |io| {
        io.verdict.assume_stable();
        io.pop.assert_stable();
        let functions = config.functions();
        let state = reg_enum(State::Idle);
        let frame = reg_without_reset(Verdict::ty(config));
        let queue = reg_without_reset(Queue::ty(config));
        let mode = reg_without_reset(Mode::ty());
        let part = reg_without_reset(io.popped.payload.part);
        /// Bytes of header and frame that have no place yet.
        let left = reg_without_reset(bits(LENGTH));
        let buffers = reg_without_reset(bits(16));
        let fate = reg_enum(Fate::Lost);
        /// Cycles that the frame has waited for buffers.
        let waited = reg_without_reset(bits(clog2(PATIENCE) + 1));
        /// Functions for which nobody waits any more.
        let hasty = reg(bits(functions));
        when(io.held.valid, || hasty.at(io.held.payload.function).set(false));

        // The MTU, known two cycles after the function is.
        let mtus = mem(bits(16), 1 << function_bits(config), Collision::ReadNew);
        /// Functions whose MTU has been set.
        let has_mtu = reg(bits(functions));
        let row = io.device.payload;
        when(io.device.valid, || {
            mtus.write(row.function, row.allowed_mtu());
            has_mtu.at(row.function).set(true);
        });
        let known = has_mtu.at(frame.function).mux(mtus.peek(frame.function), lit(DEFAULT_MTU, 16));
        let exceeds = delay_without_reset(Bits::from(frame.body).zext(16).gt(delay_without_reset(known)));

        let plans = prim::fifo(Plan::ty(config), PLANS);
        // The slots of a frame must fit, and those of the one before are still there.
        let slots = prim::fifo(Slot::ty(), (2 * config.prefetch).max(64));
        io.plan.connect(&plans.deq);
        io.slot.connect(&slots.deq);
        io.verdict.ready.set(state.is(State::Idle));
        io.lookup.valid.set(state.is(State::Look));
        io.lookup.payload.set(Lookup { queue, word: Word::Mode.to_enum() });
        io.measure.valid.set(state.is(State::Look));
        io.measure.payload.set(queue);
        io.pop.valid.set(state.is(State::Pop));
        io.pop.payload.set(queue);

        let Measured { bytes, full } = io.measured;
        let has_room = Bits::from(bytes).ge(left.zext(17));
        let is_held = io.held.valid & io.held.payload.number().eq(queue.number());
        let is_patient = !hasty.at(queue.function) & !waited.bit(clog2(PATIENCE));
        let may_come = delay(io.busy.at(queue.number())) & !full;
        let agreed = Mode::ty().unpack(Bits::from(io.found).trunc(Mode::ty().size()));
        let is_too_long = agreed.mtu & exceeds;
        let begins = state.is(State::Decide) & has_room & !is_held & !is_too_long;
        io.begins.set(begins);
        let is_lost = state.is(State::Decide) & !begins & (is_held | is_too_long | !may_come | !is_patient);
        io.dropped.valid.set(delay(is_lost));
        io.dropped.payload.set(queue.function);

        // What of the part is used.
        let available = Bits::from(part.length);
        let is_enough = available.ge(left.zext(16));
        let length = is_enough.mux(left, available.trunc(LENGTH));
        let is_complete = !mode.mergeable | is_enough;
        slots.enq.valid.set(state.is(State::Push));
        let ends = part.last & (is_complete | part.bad);
        slots.enq.payload.set(Slot {
            address: part.address,
            length: part.bad.mux(length.zero(), length).as_u(),
            last: part.last,
            ends,
            id: part.id,
            places: part.places,
        });
        plans.enq.valid.set(state.is(State::Plan));
        plans.enq.payload.set(Plan {
            queue,
            fate,
            buffers: mode.mergeable.mux(buffers, lit(1, 16)).as_u(),
            valid: frame.valid & mode.guest_checksum,
        });

        state.cases(|at| match at {
            State::Idle => {
                frame.set(io.verdict.payload);
                left.set(Bits::from(io.verdict.payload.length) + HEADER);
                buffers.set(0);
                waited.set(0);
                fate.set(Fate::Placed.to_enum());
                when(io.verdict.valid, || state.set(State::Spread));
            }
            State::Spread => {
                // hash / 2^16 * pairs in use: a pair of those, each with the same part of all hashes.
                let in_use: Vec<Bits> = io.pairs.chunks(2);
                let pairs = select(&in_use, frame.function).zext(3) + 1;
                let pair = Bits::from(frame.hash).trunc(16).wide_mul(pairs).slice(16, 2);
                let slot = cat([pair, lit(0, 1)]).resize(slot_bits(config));
                queue.set(Queue { slot, function: frame.function });
                state.set(State::Look);
            }
            State::Look => state.set(State::Wait),
            State::Wait => state.set(State::Decide),
            State::Decide => {
                mode.set(agreed);
                waited.set(waited + 3);
                when(begins, || state.set(State::Pop))
                    .elsewhen(is_lost, || {
                        fate.set(Fate::Lost.to_enum());
                        state.set(State::Plan);
                        when(waited.bit(clog2(PATIENCE)), || hasty.at(queue.function).set(true));
                    })
                    .otherwise(|| state.set(State::Look));
            }
            State::Pop => {
                when(io.pop.ready, || state.set(State::Part));
            }
            State::Part => {
                part.set(io.popped.payload.part);
                when(io.popped.valid, || state.set(State::Push));
            }
            State::Push => {
                when(slots.enq.ready, || {
                    left.set(left - length);
                    when(part.last, || buffers.set(buffers + 1));
                    state.set(ends.mux(State::Plan.to_enum(), State::Pop.to_enum()));
                    when(ends & !is_enough, || fate.set(Fate::Small.to_enum()));
                    when(part.bad, || fate.set(Fate::Bad.to_enum()));
                });
            }
            State::Plan => {
                when(plans.enq.ready, || state.set(State::Idle));
            }
        });
    })
}
