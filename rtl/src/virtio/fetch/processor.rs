//! What threads do.

use super::{
    super::{
        queues::queue_count,
        types::{Cause, Descriptor, Fault, Lookup, Mode, Part},
    },
    aim::aim,
    judge::{Verdict, judge},
    state::State,
    types::{
        Context, End, Issue, Kind, Region, Return, SIZE_BITS, Slot, Start, Thread, Window, batch, thread_bits,
    },
};
use crate::{
    config::Config,
    dma::{Command, Outcome},
    frame::Beat,
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config, threads: usize)]
pub struct ProcessorIo {
    #[input]
    #[ty(Stream::ty(Start::ty(config, threads)))]
    pub start: Stream<Start>,
    /// What a thread read is there.
    #[input]
    #[ty(Stream::ty(Return::ty(threads)))]
    pub returned: Stream<Return>,
    /// What it wrote is done.
    #[input]
    #[ty(Stream::ty(Return::ty(threads)))]
    pub written: Stream<Return>,
    #[output]
    #[ty(Stream::ty(End::ty(config, threads)))]
    pub ended: Stream<End>,
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    pub lookup: Valid<Lookup>,
    #[input]
    pub found: U<32>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub read: Stream<Command>,
    /// With each command for `read`.
    #[output]
    #[ty(Valid::ty(Issue::ty(threads)))]
    pub issue: Valid<Issue>,
    #[output]
    #[ty(Slot::ty(config, threads))]
    pub slot: Slot,
    #[input]
    #[ty(bits(128))]
    pub word: Bits,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub write: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub write_data: Stream<Beat>,
    /// With each command for `write`: whose it is.
    #[output]
    #[ty(Valid::ty(bits(thread_bits(threads))))]
    pub arms: Valid<Bits>,
    #[output]
    #[ty(Stream::ty(Descriptor::ty(config)))]
    pub descriptor: Stream<Descriptor>,
    #[output]
    #[ty(Stream::ty(Fault::ty(config)))]
    pub fault: Stream<Fault>,
}

/// Runs one thread at a time, from what it waited for to the next read.
///
/// A descriptor of a packed ring takes four cycles, of a split one eight; a read about twelve; the beginning of a thread 13.
#[hdl]
pub fn processor(config: &Config, threads: usize) -> ProcessorIo {
    let name = format!(
        "virtio_fetch_processor_{threads}_{}_{}x{}",
        queue_count(config),
        batch(config),
        config.bytes
    );
    module(name, ProcessorIo::ty(config, threads), |io| {
        let thread_words = mem(Thread::ty(config), threads.next_power_of_two().max(2), Collision::Undefined);
        let contexts = mem(Context::ty(), queue_count(config), Collision::Undefined);
        let state = reg_enum(State::Idle);
        let is = |it| state.is(it);
        let number = reg_without_reset(bits(thread_bits(threads)));
        let outcome = reg_without_reset(Enum::<Outcome>::ty());
        let thread = reg_without_reset(Thread::ty(config));
        let context = reg_without_reset(Context::ty());
        /// The thread has just begun,
        let starts = reg_without_reset(flag());
        /// its queue has been served before,
        let begun = reg_without_reset(flag());
        /// and is being drained.
        let abandons = reg_without_reset(flag());
        let kind = reg_without_reset(Enum::<Kind>::ty());
        let cause = reg_without_reset(Enum::<Cause>::ty());
        /// Nobody is told of the end.
        let silent = reg_without_reset(flag());
        let more = reg_without_reset(flag());
        let broken = reg_without_reset(flag());

        // The next thread.
        let idle = is(State::Idle);
        io.returned.ready.set(idle);
        io.written.ready.set(idle & !io.returned.valid);
        io.start.ready.set(idle & !io.returned.valid & !io.written.valid);
        when(idle, || {
            let back = io.returned.valid.mux(io.returned.payload, io.written.payload);
            let comes_back = io.returned.valid | io.written.valid;
            let start = io.start.payload;
            starts.set(!comes_back);
            number.set(comes_back.mux(back.thread, start.thread));
            outcome.set(back.outcome);
            begun.set(comes_back | start.begun);
            abandons.set(start.abandons);
            let Start { queue, budget, known, available, .. } = start;
            thread.set(Thread { queue, budget, known, available, ..thread.zero() });
            when(comes_back, || state.set(State::Thread))
                .elsewhen(io.start.valid, || state.set(State::Context));
        });
        when(is(State::Thread), || thread.set(thread_words.peek(number)));
        let stored = contexts.read_if(is(State::Context), thread.queue.number());
        when(is(State::Restore), || context.set(begun.mux(stored, stored.zero())));

        // Where it reads.
        let aim = aim(config);
        aim.start.set(is(State::Aim));
        aim.kind.set(kind);
        aim.thread.set(thread);
        aim.context.set(context);
        aim.found.set(io.found);
        io.lookup.set(aim.lookup);

        // The slot of the window: that of the next descriptor, or of the next entry.
        let window = context.in_table.mux(thread.table, thread.ring);
        let slot = context.at - window.first;
        let is_here = slot.lt(window.count.zext(16));
        let index_bits = clog2(batch(config));
        let locates = is(State::Locate);
        let here = context.in_table.mux(Region::Table.to_enum(), Region::Ring.to_enum());
        io.slot.thread.set(number);
        io.slot.region.set(locates.mux(here, Region::Available.to_enum()));
        let entry = thread.done.zext(8).slice(3, 5).trunc(index_bits);
        io.slot.index.set(locates.mux(slot.trunc(index_bits), entry));
        let word = reg_without_reset(bits(128));
        when(is(State::Wait) | is(State::Entry), || word.set(io.word));
        let half = select(&word.chunks(16), thread.done.trunc(3));
        let is_first_slot = reg_without_reset(flag());
        when(locates, || is_first_slot.set(!slot.any()));
        let bound = context.in_table.mux(context.entries, thread.size.zext(16));

        // What the descriptor means.
        let verdict = reg_without_reset(Verdict::ty());
        when(is(State::Check), || verdict.set(judge(word, &thread, &context)));
        let part = verdict.part;
        let distance = reg_without_reset(bits(16));
        /// The number of available buffers comes from the driver's memory, not from a doorbell.
        let is_read = reg_without_reset(flag());
        let is_done = thread.known & thread.available.eq(context.next);
        let is_spent = !thread.budget.any();
        let in_packed_ring = thread.packed & !context.in_table;

        // What goes out.
        let offers_descriptor = reg(flag());
        let descriptor = reg_without_reset(Descriptor::ty(config));
        let offers_fault = reg(flag());
        let fault = reg_without_reset(Fault::ty(config));
        let offers_read = reg(flag());
        let offers_write = reg(flag());
        let offers_data = reg(flag());
        let offers_end = reg(flag());
        let end = reg_without_reset(End::ty(config, threads));
        let command = reg_without_reset(Command::ty(config));
        let event = reg_without_reset(bits(32));
        let streams: [(Bool, Bool); 6] = [
            (offers_descriptor, io.descriptor.ready),
            (offers_fault, io.fault.ready),
            (offers_read, io.read.ready),
            (offers_write, io.write.ready),
            (offers_data, io.write_data.ready),
            (offers_end, io.ended.ready),
        ];
        streams.into_iter().for_each(|(offers, ready)| {
            when(ready, || offers.set(false));
        });
        let may_hand_over = !offers_descriptor | io.descriptor.ready;
        let may_command = !offers_read & !offers_write & !offers_data;
        let hand_over = |part: Part| {
            offers_descriptor.set(true);
            descriptor.set(Descriptor { queue: thread.queue, part });
            thread.budget.set(thread.budget - 1);
            context.parts.set(!part.last);
        };
        let aim_at = |it: Kind| {
            kind.set(it);
            state.set(State::Aim);
        };
        let fail = |it: Cause| {
            cause.set(it);
            silent.set(false);
            state.set(State::Abandon);
        };
        let end_with = |is_more: bool| {
            more.set(is_more);
            broken.set(false);
            state.set(State::End);
        };
        let forget_windows = || {
            thread.ring.count.set(0);
            thread.entries.set(0);
            thread.done.set(0);
        };

        state.cases(|s| match s {
            State::Idle => {}
            State::Thread => state.set(State::Context),
            State::Context => state.set(State::Restore),
            State::Restore => state.set(State::Resume),
            State::Resume => {
                let success = outcome.is(Outcome::Success);
                let awaits = |it| thread.awaits.is(it);
                is_read.set(!starts);
                when(starts & abandons, || {
                    silent.set(true);
                    state.set(State::Abandon);
                })
                .elsewhen(starts, || aim_at(Kind::Settings))
                .elsewhen(!success, || {
                    cause.set(Cause::Access);
                    silent.set(outcome.is(Outcome::Stopped));
                    state.set(State::Abandon);
                })
                .elsewhen(awaits(Kind::Index), || state.set(State::Entry))
                .elsewhen(awaits(Kind::Entries), || state.set(State::Next))
                .elsewhen(awaits(Kind::Event), || {
                    context.armed.set(true);
                    thread.known.set(false);
                    forget_windows();
                    state.set(State::Next);
                })
                .otherwise(|| state.set(State::Locate));
            }
            State::Measure => {
                distance.set(thread.available - context.next);
                state.set(State::Believe);
            }
            State::Believe => {
                let is_far = distance.gt(thread.size.zext(16));
                let is_behind = thread.available.trunc(15).lt(context.next.trunc(15));
                let laps = thread.available.bit(15) ^ context.next.bit(15);
                let in_packed = laps.mux(
                    is_behind | thread.available.trunc(15).eq(context.next.trunc(15)),
                    distance.any() & !is_behind,
                );
                thread.known.set(thread.known & thread.packed.mux(in_packed, distance.any() & !is_far));
                state.set(State::Next);
                when(is_read, || {
                    thread.known.set(true);
                    when(is_far, || fail(Cause::Index));
                });
            }
            State::Next => {
                when(context.chain, || state.set(State::Locate))
                    .elsewhen(is_done, || state.set(State::Rest))
                    .elsewhen(thread.packed, || {
                        context.left.set(thread.size.zext(16));
                        state.set(State::Locate);
                    })
                    .elsewhen(!thread.known, || aim_at(Kind::Index))
                    .elsewhen(is_spent, || end_with(true))
                    .elsewhen(thread.entries.eq(thread.done), || aim_at(Kind::Entries))
                    .otherwise(|| state.set(State::Entry));
            }
            State::Entry => state.set(State::Head),
            State::Head => {
                when(!thread.known, || {
                    thread.available.set(half);
                    state.set(State::Measure);
                })
                .otherwise(|| {
                    thread.done.set(thread.done + 1);
                    context.set(Context {
                        next: context.next + 1,
                        at: half,
                        left: thread.size.zext(16),
                        id: half,
                        chain: lit(1, 1).as_bool(),
                        ..context.zero()
                    });
                    state.set(State::Locate);
                });
            }
            State::Locate => {
                let stays = is_spent & (context.chain | (!is_here & !context.armed));
                when(stays, || end_with(true))
                    .elsewhen(!context.at.lt(bound), || fail(Cause::Descriptor))
                    .elsewhen(is_here, || state.set(State::Wait))
                    .otherwise(|| {
                        aim_at(Kind::Ring);
                        when(context.in_table, || kind.set(Kind::Table));
                    });
            }
            State::Wait => state.set(State::Check),
            State::Check => state.set(State::Act),
            State::Act => {
                when(verdict.missing & !context.chain, || state.set(State::Rest))
                    .elsewhen(verdict.missing, || {
                        // The window may be older than the first descriptor of the chain, which the driver wrote last.
                        thread.ring.count.set(0);
                        state.set(State::Locate);
                        when(is_first_slot, || fail(Cause::Descriptor));
                    })
                    .elsewhen(is_spent, || end_with(true))
                    .elsewhen(verdict.bad_indirect, || fail(Cause::Indirect))
                    .elsewhen(verdict.empty, || fail(Cause::Empty))
                    .elsewhen(verdict.wrong_direction, || fail(Cause::Direction))
                    .elsewhen(verdict.endless, || fail(Cause::Loop))
                    .elsewhen(verdict.indirect | may_hand_over, || {
                        let ends = part.last & !verdict.indirect;
                        context.chain.set(!ends);
                        context.armed.set(false);
                        context.left.set(context.left - 1);
                        context.at.set(verdict.next);
                        context.id.set(part.id);
                        context.places.set(Bits::from(part.places).trunc(SIZE_BITS));
                        context.writable.set(context.writable | part.writable);
                        when(in_packed_ring, || {
                            context.next.set(verdict.behind);
                            context.at.set(verdict.behind.trunc(15).zext(16));
                            // What the window has of the next lap is as old as the first lap.
                            when(!verdict.behind.trunc(15).any(), || thread.ring.count.set(0));
                        });
                        when(verdict.indirect, || {
                            context.in_table.set(true);
                            context.table.set(part.address);
                            context.entries.set(verdict.entries);
                            context.left.set(verdict.entries);
                            context.at.set(0);
                            context.writable.set(context.writable);
                            thread.table.count.set(0);
                        })
                        .otherwise(|| hand_over(part));
                        state.set(State::Locate);
                        when(ends, || {
                            context.in_table.set(false);
                            context.places.set(0);
                            context.writable.set(false);
                            context.left.set(thread.size.zext(16));
                            when(context.in_table, || context.at.set(context.next.trunc(15).zext(16)));
                            when(!thread.packed | thread.known, || state.set(State::Next));
                        });
                    });
            }
            State::Aim => state.set(State::Aiming),
            State::Aiming => {
                when(aim.done, || {
                    state.set(State::Issue);
                    when(kind.is(Kind::Settings), || {
                        let mode: Mode = Mode::ty().unpack(aim.mode.trunc(Mode::ty().size()));
                        thread.size.set(aim.size.trunc(SIZE_BITS));
                        thread.packed.set(mode.packed);
                        thread.event_index.set(mode.event_index);
                        thread.indirect.set(mode.indirect);
                        // The wrap counter begins with 1 (2.8.1).
                        when(!begun, || context.next.set(cat([mode.packed.bits(), lit(0, 15)])));
                        state.set(thread.known.mux(State::Measure.to_enum(), State::Next.to_enum()));
                    });
                });
            }
            State::Issue => {
                when(may_command, || {
                    let window = Window { first: context.at, count: aim.count };
                    thread.awaits.set(kind);
                    when(kind.is(Kind::Ring), || thread.ring.set(window));
                    when(kind.is(Kind::Table), || thread.table.set(window));
                    when(kind.is(Kind::Entries) | kind.is(Kind::Index), || thread.done.set(0));
                    when(kind.is(Kind::Entries), || thread.entries.set(aim.count));
                    // What was read for the rest of a chain is older than the buffers that are found now.
                    when(kind.is(Kind::Index), || thread.ring.count.set(0));
                    when(kind.is(Kind::Event), || {
                        offers_write.set(true);
                        offers_data.set(true);
                    })
                    .otherwise(|| offers_read.set(true));
                    state.set(State::Suspend);
                });
            }
            State::Suspend => state.set(State::Idle),
            State::Rest => {
                when(thread.event_index & !context.armed, || aim_at(Kind::Event))
                    .otherwise(|| end_with(false));
            }
            State::Abandon => {
                when(!context.parts, || state.set(State::Tell)).elsewhen(may_hand_over, || {
                    let zero: Part = part.zero();
                    hand_over(Part { last: lit(1, 1).as_bool(), bad: lit(1, 1).as_bool(), ..zero });
                    state.set(State::Tell);
                });
            }
            State::Tell => {
                more.set(false);
                broken.set(!(starts & abandons));
                when(silent | !offers_fault, || {
                    offers_fault.set(!silent | offers_fault);
                    state.set(State::End);
                });
            }
            State::End => {
                when(!offers_end, || {
                    offers_end.set(true);
                    state.set(State::Idle);
                });
            }
        });
        when(is(State::Tell) & !offers_fault, || fault.set(Fault { queue: thread.queue, cause }));
        let ends = is(State::End) & !offers_end;
        when(ends, || {
            let Thread { queue, budget: unused, known, available, .. } = thread;
            end.set(End {
                thread: number,
                queue,
                unused,
                more,
                broken,
                open: context.parts,
                known,
                available,
            });
        });
        when(is(State::Suspend), || thread_words.write(number, thread));
        when(is(State::Suspend) | ends, || contexts.write(thread.queue.number(), context));
        assert(!(is(State::Abandon) & context.parts) | !is_spent, "there is a place for the end of a buffer");

        // Reads and writes.
        let issues = is(State::Issue) & may_command;
        let is_event = kind.is(Kind::Event);
        when(issues, || {
            command.set(Command {
                function: thread.queue.function,
                address: aim.address.as_u(),
                length: aim.length.as_u(),
                relaxed: lit(0, 1).as_bool(),
            });
            // Notify of this descriptor: RING_EVENT_FLAGS_DESC (2.8.8), or avail_event (2.7.10).
            event.set(cat([thread.packed.mux(lit(2, 16), lit(0, 16)), context.next]));
        });
        io.issue.valid.set(issues & !is_event);
        io.issue.payload.thread.set(number);
        io.issue.payload.region.set(Region::Available);
        when(kind.is(Kind::Ring), || io.issue.payload.region.set(Region::Ring));
        when(kind.is(Kind::Table), || io.issue.payload.region.set(Region::Table));
        io.arms.valid.set(issues & is_event);
        io.arms.payload.set(number);
        io.read.valid.set(offers_read);
        io.read.payload.set(command);
        io.write.valid.set(offers_write);
        io.write.payload.set(command);
        io.write_data.valid.set(offers_data);
        let count = command.length;
        io.write_data.payload.data.set(event.zext(8 * config.bytes));
        io.write_data.payload.count.set(Bits::from(count).trunc(clog2(config.bytes + 1)));
        io.write_data.payload.last.set(true);
        io.write_data.payload.error.set(false);
        io.descriptor.valid.set(offers_descriptor);
        io.descriptor.payload.set(descriptor);
        io.fault.valid.set(offers_fault);
        io.fault.payload.set(fault);
        io.ended.valid.set(offers_end);
        io.ended.payload.set(end);
        io.read.assert_stable();
        io.write.assert_stable();
        io.write_data.assert_stable();
        io.descriptor.assert_stable();
        io.fault.assert_stable();
        io.ended.assert_stable();
    })
}
