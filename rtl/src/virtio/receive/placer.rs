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

/// The frame behind the one that gets buffers.
#[derive(HwEnum, Clone, Copy)]
enum Next {
    None,
    /// The hash is spread over the pairs.
    Spread,
    /// The queue is looked at.
    Look,
    Wait,
    Decide,
    /// It is known what becomes of it.
    Decided,
}

/// The frame that gets buffers.
#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    Pop,
    Part,
    /// A part becomes a slot.
    Push,
    /// There are no slots.
    Lose,
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
        let next_state = reg_enum(Next::None);
        let next = reg_without_reset(Verdict::ty(config));
        let next_queue = reg_without_reset(Queue::ty(config));
        let next_mode = reg_without_reset(Mode::ty());
        /// It finds no buffers.
        let next_is_lost = reg_without_reset(flag());
        let queue = reg_without_reset(Queue::ty(config));
        let mode = reg_without_reset(Mode::ty());
        /// Its checksums are right.
        let is_right = reg_without_reset(flag());
        let part = reg_without_reset(io.popped.payload.part);
        /// Its bytes, with the header.
        let next_left = reg_without_reset(bits(LENGTH));
        /// Bytes of header and frame that have no place yet.
        let left = reg_without_reset(bits(LENGTH));
        let buffers = reg_without_reset(bits(16));
        /// Cycles that the frame has waited for buffers.
        let waited = reg_without_reset(bits(clog2(PATIENCE) + 1));
        /// Functions for which nobody waits any more.
        let hasty = reg(bits(functions));
        when(io.held.valid, || hasty.at(io.held.payload.function).set(false));

        // The MTU of the next frame, known two cycles after its function is.
        let mtus = mem(bits(16), 1 << function_bits(config), Collision::ReadNew);
        /// Functions whose MTU has been set.
        let has_mtu = reg(bits(functions));
        let row = io.device.payload;
        when(io.device.valid, || {
            mtus.write(row.function, row.allowed_mtu());
            has_mtu.at(row.function).set(true);
        });
        let known = has_mtu.at(next.function).mux(mtus.peek(next.function), lit(DEFAULT_MTU, 16));
        let exceeds = delay_without_reset(Bits::from(next.body).zext(16).gt(delay_without_reset(known)));

        let plans = prim::fifo(Plan::ty(config), PLANS);
        // The slots of a frame must fit, and those of the one before are still there.
        let slots = prim::fifo(Slot::ty(), (2 * config.prefetch).max(64));
        /// On its way there.
        let planned = reg(flag());
        let plan = reg_without_reset(Plan::ty(config));
        plans.enq.valid.set(planned);
        plans.enq.payload.set(plan);
        io.plan.connect(&plans.deq);
        io.slot.connect(&slots.deq);
        io.verdict.ready.set(next_state.is(Next::None));
        let looks = next_state.is(Next::Look);
        io.lookup.valid.set(looks);
        io.lookup.payload.set(Lookup { queue: next_queue, word: Word::Mode.to_enum() });
        io.measure.valid.set(looks);
        io.measure.payload.set(next_queue);
        io.pop.valid.set(state.is(State::Pop));
        io.pop.payload.set(queue);

        let Measured { bytes, full } = io.measured;
        let has_room = Bits::from(bytes).ge(next_left.zext(17));
        let is_held = io.held.valid & io.held.payload.number().eq(next_queue.number());
        let is_patient = !hasty.at(next_queue.function) & !waited.bit(clog2(PATIENCE));
        let may_come = delay(io.busy.at(next_queue.number())) & !full;
        let agreed = Mode::ty().unpack(Bits::from(io.found).trunc(Mode::ty().size()));
        let is_too_long = agreed.mtu & exceeds;
        let decides = next_state.is(Next::Decide);
        let begins = decides & has_room & !is_held & !is_too_long;
        io.begins.set(begins);
        let is_lost = decides & !begins & (is_held | is_too_long | !may_come | !is_patient);
        io.dropped.valid.set(delay(is_lost));
        io.dropped.payload.set(next_queue.function);

        // What of the part is used.
        let available = Bits::from(part.length);
        let is_enough = available.ge(left.zext(16));
        let length = is_enough.mux(left, available.trunc(LENGTH));
        let is_complete = !mode.mergeable | is_enough;
        let ends = part.last & (is_complete | part.bad);
        slots.enq.valid.set(state.is(State::Push) & !planned);
        let is_pushed = slots.enq.fire();
        slots.enq.payload.set(Slot {
            address: part.address,
            length: part.bad.mux(length.zero(), length).as_u(),
            last: part.last,
            ends,
            id: part.id,
            places: part.places,
        });
        let ends_now = is_pushed & ends;
        let is_planned = ends_now | (state.is(State::Lose) & !planned);
        when(is_planned, || planned.set(true)).elsewhen(plans.enq.ready, || planned.set(false));
        when(!planned, || {
            let placed = is_enough.mux(Fate::Placed.to_enum(), Fate::Small.to_enum());
            let fate = part.bad.mux(Fate::Bad.to_enum(), placed);
            plan.set(Plan {
                queue,
                fate: state.is(State::Lose).mux(Fate::Lost.to_enum(), fate),
                buffers: mode.mergeable.mux(buffers + 1, lit(1, 16)).as_u(),
                valid: is_right & mode.guest_checksum,
            });
        });

        state.cases(|at| match at {
            State::Idle => {}
            State::Pop => {
                when(io.pop.ready, || state.set(State::Part));
            }
            State::Part => {
                part.set(io.popped.payload.part);
                when(io.popped.valid, || state.set(State::Push));
            }
            State::Push => {
                when(is_pushed, || {
                    left.set(left - length);
                    when(part.last, || buffers.set(buffers + 1));
                    state.set(ends.mux(State::Idle.to_enum(), State::Pop.to_enum()));
                });
            }
            State::Lose => {
                when(!planned, || state.set(State::Idle));
            }
        });

        // The next frame, while this one gets buffers. Its queue is not looked at while buffers of that are taken.
        let may_look =
            next_queue.number().ne(queue.number()) | state.is(State::Idle) | state.is(State::Lose) | ends_now;
        let is_free = state.is(State::Idle) | is_planned;
        next_state.cases(|at| match at {
            Next::None => {
                next.set(io.verdict.payload);
                when(io.verdict.valid, || next_state.set(Next::Spread));
            }
            Next::Spread => {
                // hash / 2^16 * pairs in use: a pair of those, each with the same part of all hashes.
                let in_use: Vec<Bits> = io.pairs.chunks(2);
                let pairs = select(&in_use, next.function).zext(3) + 1;
                let pair = Bits::from(next.hash).trunc(16).wide_mul(pairs).slice(16, 2);
                let slot = cat([pair, lit(0, 1)]).resize(slot_bits(config));
                next_queue.set(Queue { slot, function: next.function });
                next_left.set(Bits::from(next.length) + HEADER);
                waited.set(0);
                next_state.set(Next::Look);
            }
            Next::Look => {
                when(may_look, || next_state.set(Next::Wait));
            }
            Next::Wait => next_state.set(Next::Decide),
            Next::Decide => {
                next_mode.set(agreed);
                next_is_lost.set(!begins);
                waited.set(waited + 3);
                when(begins | is_lost, || next_state.set(Next::Decided))
                    .otherwise(|| next_state.set(Next::Look));
                when(is_lost & waited.bit(clog2(PATIENCE)), || {
                    hasty.at(next_queue.function).set(true);
                });
            }
            Next::Decided => {
                when(is_free, || {
                    queue.set(next_queue);
                    mode.set(next_mode);
                    is_right.set(next.valid);
                    left.set(next_left);
                    buffers.set(0);
                    state.set(next_is_lost.mux(State::Lose.to_enum(), State::Pop.to_enum()));
                    next_state.set(Next::None);
                });
            }
        });
    })
}
