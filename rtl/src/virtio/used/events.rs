//! Finds out whether the driver wants to know of used buffers.

use super::{
    IN_FLIGHT, Notice,
    types::{Batch, Progress, Then},
};
use crate::{
    config::Config,
    dma::{Command, LENGTH_BITS, Outcome, ReadBeat},
    prim,
    virtio::queues::{Queue, queue_bits},
};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(super) struct EventsIo {
    /// One for each command that writes: it is the last of its batch.
    #[input]
    pub sent: Stream<Bool>,
    /// How it ended.
    #[input]
    pub written: Valid<Enum<Outcome>>,
    /// Up to [`IN_FLIGHT`] that have not `ended`.
    #[input]
    #[ty(Valid::ty(Batch::ty(config)))]
    pub batch: Valid<Batch>,
    /// With it.
    #[input]
    #[ty(Progress::ty(config))]
    pub progress: Progress,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub read: Stream<Command>,
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub read_data: Stream<ReadBeat>,
    #[output]
    #[ty(Stream::ty(Notice::ty(config)))]
    pub notice: Stream<Notice>,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub failed: Stream<Queue>,
    #[output]
    pub ended: Bool,
    #[output]
    pub forgotten: Bool,
}

/// What came of a batch.
#[derive(HwEnum, Clone, Copy)]
enum Fate {
    /// The driver is asked.
    Asked,
    /// Nothing is to be done, or can be done: its function may not send.
    Over,
    Failed,
    Forgotten,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// The answer is waited for.
    Wait,
    /// Its place and those of the batch are put in one line,
    Measure,
    /// measured from the first of the batch,
    Subtract,
    /// and compared.
    Compare,
    /// The end of a batch.
    End,
}

/// Bits of a distance in a ring, with a sign.
const DISTANCE_BITS: usize = 18;

/// Asks the driver, and understands the answer.
///
/// ```text
///  sent, written ─► outcome ─┐
///  batch ────────────────────┴─► read ── fate ──┐
///  progress, read_data ─────────────────────────┴► wanted? ─► notice
/// ```
///
/// The driver is asked when all of a batch was handed over, so that it has been written before the answer is made. What a driver
/// said before that, it said before it could have looked at the batch; and what it says after having looked in vain is what
/// the next batch finds.
///
/// | | asked for | a notice if |
/// |---|---|---|
/// | split ring | flags of the available ring | not 1 (virtio 2.7.7) |
/// | with EVENT_IDX | used event | it is among the batch's indices |
/// | packed ring | its event suppression | 0; or 2, and the place with its lap is among the batch's (2.8.10) |
///
/// # Timing
/// Up to 16 batches are under way; six cycles for each.
#[hdl]
pub(super) fn events(config: &Config) -> EventsIo {
    let name = format!("virtio_used_events_{}_{}", queue_bits(config), config.bytes);
    module(name, EventsIo::ty(config), |io| {
        io.sent.assume_stable();
        io.read_data.assume_stable();
        let commands = prim::fifo(flag(), 32);
        let outcomes = prim::fifo(Enum::<Outcome>::ty(), IN_FLIGHT);
        let batches = prim::fifo(Batch::ty(config), IN_FLIGHT);
        let progresses = prim::fifo(Progress::ty(config), IN_FLIGHT);
        let fates = prim::fifo(Enum::<Fate>::ty(), IN_FLIGHT);
        commands.enq.connect(&io.sent);
        batches.enq.valid.set(io.batch.valid);
        batches.enq.payload.set(io.batch.payload);
        progresses.enq.valid.set(io.batch.valid);
        progresses.enq.payload.set(io.progress);
        assert(!io.batch.valid | (batches.enq.ready & progresses.enq.ready), "there is room for every batch");

        // Commands end.
        let written = io.written.payload;
        /// The first that went wrong in this batch.
        let worst = reg_enum(Outcome::Success);
        let outcome = worst.is(Outcome::Success).mux(written, worst);
        let is_last = commands.deq.payload;
        commands.deq.ready.set(io.written.valid);
        when(io.written.valid, || {
            worst.set(outcome);
            when(is_last, || worst.set(Outcome::Success));
        });
        outcomes.enq.valid.set(io.written.valid & is_last);
        outcomes.enq.payload.set(outcome);
        assume(!io.written.valid | commands.deq.valid, "what ends has been sent");
        assert(outcomes.enq.ready | !outcomes.enq.valid, "there is room for every outcome");

        // The driver is asked.
        let batch = batches.deq.payload;
        let outcome = outcomes.deq.payload;
        let is_forgotten = batch.then.is(Then::Forget);
        let is_known = batches.deq.valid & (is_forgotten | outcomes.deq.valid);
        let is_good = outcome.is(Outcome::Success);
        let asks = !is_forgotten & is_good & batch.then.is(Then::Ask);
        let fails = !is_good & !outcome.is(Outcome::Stopped);
        let reads = prim::register_slice(Command::ty(config));
        io.read.connect(&reads.output);
        let passes = is_known & (reads.input.ready | !asks);
        batches.deq.ready.set(passes);
        outcomes.deq.ready.set(passes & !is_forgotten);
        reads.input.valid.set(is_known & asks);
        let (two, four) = (lit(2, LENGTH_BITS), lit(4, LENGTH_BITS));
        reads.input.payload.set(Command {
            function: batch.function,
            address: batch.address,
            length: batch.long.mux(four, two).as_u(),
            relaxed: false.to_bool(),
        });
        let fate = fails.mux(Fate::Failed.to_enum(), Fate::Over.to_enum());
        let fate = asks.mux(Fate::Asked.to_enum(), fate);
        fates.enq.valid.set(passes);
        fates.enq.payload.set(is_forgotten.mux(Fate::Forgotten.to_enum(), fate));
        assert(fates.enq.ready | !passes, "there is room for every fate");

        // The answer.
        let state = reg_enum(State::Wait);
        let is = |it| state.is(it);
        let fate = fates.deq.payload;
        let progress = progresses.deq.payload;
        let is_asked = fate.is(Fate::Asked);
        let answer = reg_without_reset(bits(32));
        let waits = is(State::Wait) & fates.deq.valid;
        let beat = io.read_data.payload;
        io.read_data.ready.set(waits & is_asked);
        when(io.read_data.fire() & beat.count.any(), || answer.set(beat.data.trunc(32)));

        // Places of the next lap lie behind the ring.
        let place = |it: Bits, lap: Bool| {
            let behind = lap.bits().repeat(16) & Bits::from(progress.size);
            it.trunc(15).zext(DISTANCE_BITS) + behind.zext(DISTANCE_BITS)
        };
        let (from, to) = (Bits::from(progress.from), Bits::from(progress.to));
        let lap = from.bit(15);
        let wide = |it: Bits| it.zext(DISTANCE_BITS);
        let packed = progress.packed;
        // The lap of the driver is 1 at first.
        let event_place = place(answer, answer.bit(15).eq(lap));
        let event = delay_without_reset(packed.mux(event_place, wide(answer.trunc(16))));
        let first = delay_without_reset(packed.mux(place(from, false.to_bool()), wide(from)));
        let end = delay_without_reset(packed.mux(place(to, to.bit(15).ne(lap)), wide(to)));
        // How far the event lies behind the first, and the end; of a split ring in 16 bits.
        let behind = |it: Bits| packed.mux(it, wide(it.trunc(16)));
        let event_behind = delay_without_reset(behind(event - first));
        let end_behind = delay_without_reset(behind(end - first));
        let is_among = !event_behind.bit(DISTANCE_BITS - 1) & event_behind.lt(end_behind);
        let flags = answer.slice(16, 2);
        let follows_event = progress.event_index & (!packed | flags.eq(2));
        let is_off = packed.mux(flags.eq(1), answer.bit(0));
        let is_wanted = follows_event.mux(is_among, !is_off);
        let offers_notice = reg(flag());
        let offers_failed = reg(flag());
        let ends =
            is(State::End) & !(io.notice.valid & !io.notice.ready) & !(io.failed.valid & !io.failed.ready);
        when(io.notice.ready, || offers_notice.set(false));
        when(io.failed.ready, || offers_failed.set(false));
        io.notice.valid.set(offers_notice);
        io.notice.payload.set(Notice {
            queue: progress.queue,
            vector: progress.vector,
            buffers: progress.count,
        });
        io.failed.valid.set(offers_failed);
        io.failed.payload.set(progress.queue);
        fates.deq.ready.set(ends);
        progresses.deq.ready.set(ends);
        io.ended.set(ends);
        io.forgotten.set(ends & fate.is(Fate::Forgotten));
        state.cases(|s| match s {
            State::Wait => {
                when(io.read_data.fire() & beat.last, || {
                    state.set(State::End);
                    when(beat.outcome.is(Outcome::Success), || state.set(State::Measure))
                        .elsewhen(!beat.outcome.is(Outcome::Stopped), || offers_failed.set(true));
                });
                when(waits & !is_asked, || {
                    state.set(State::End);
                    offers_failed.set(fate.is(Fate::Failed));
                });
            }
            State::Measure => state.set(State::Subtract),
            State::Subtract => state.set(State::Compare),
            State::Compare => {
                state.set(State::End);
                offers_notice.set(is_wanted);
            }
            State::End => {
                when(ends, || state.set(State::Wait));
            }
        });
    })
}
