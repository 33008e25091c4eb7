//! The registers of the network functions (virtio 4.1.4, 5.1.4), and what follows from them: which queues live, and when
//! they are drained.
//!
//! # Purpose
//! Answers the driver, keeps what it says of functions and queues, and tells the other blocks: doorbells of queues that live,
//! settings of queues on demand, and queues that are to be drained. docs/src/virtio.md has the contract and all fields.
//!
//! # Schematic
//! ```text
//!  access ──────┐                 ┌─► file: 16 words of each function ─────┐
//!  drained ─────┤                 ├─► states of functions, of queues       ├─► answer
//!  fault ───────┼─► one at a time ┼─► settings: 8 words of each queue ─────┘
//!  device, mac ─┤                 │       └─► found ◄─ lookup
//!  announced ───┤                 ├─► doorbells ─► doorbell
//!  interrupt ───┘                 └─► drains ─► drain[5] ─► drained
//! ```
//! An access reads what selects (a queue, a word of features), then the words of the function and of the queue, and what
//! changes is written in one cycle. `FEATURES_OK` looks at all words of features before, `DRIVER_OK` goes over all queues
//! afterwards. A function that is being reset ignores writes.
//!
//! # Timing
//! Registers at all outputs but the `ready`s. An access of an idle block is answered in the ninth cycle after it was taken, one
//! that sets FEATURES_OK in the 21st. It waits for one other task at most, of up to 22 cycles. `found` is there two cycles
//! after `lookup`. A reset takes a round over the queues of all functions, the drains, and 22 cycles for each queue.

pub mod doorbells;
pub mod drains;
pub mod map;
pub mod negotiation;
mod ports;
mod said;
mod state;
mod subject;

#[cfg(test)]
mod tests;

pub use ports::RegistersIo;
pub use state::{DEFAULT_MTU, DeviceRow, OwnAddress};

use super::{
    queues::{Queue, queue_bits, queue_count, queues, slot_bits},
    types::Word,
};
use crate::{
    config::Config,
    pcie::{configuration::function_bits, msix::Vector, register_bus::RegisterAccess},
    prim,
};
use doorbells::doorbells;
use drains::drains;
use hdl::*;
use map::word;
use negotiation::{agree, offered, refuses};
use said::said;
use state::{FunctionState, Put, QueueState, State, TASKS, Task};
use subject::{Found, Subject, bytes, subject};

/// Keeps the registers of all network functions. `readers`: blocks that look up settings of queues.
#[hdl]
pub fn registers(config: &Config, readers: usize) -> RegistersIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    require((1..=4).contains(&readers), || format!("{readers} readers: 1 to 4"));
    let name = format!("virtio_registers_{}_{}_{readers}", config.functions(), config.pairs);
    module(name, RegistersIo::ty(config, readers), |io| {
        let (functions, function_bits) = (config.functions(), function_bits(config));
        let file = mem(bits(32), 1 << (function_bits + word::BITS), Collision::Undefined);
        let settings = mem(bits(32), 8 << queue_bits(config), Collision::Undefined);
        let function_states = mem(FunctionState::ty(), 1 << function_bits, Collision::Undefined);
        let queue_states = mem(QueueState::ty(), queue_count(config), Collision::Undefined);
        let state = reg_enum(State::Idle);
        let task = reg_enum(Task::Access);
        let access = reg_without_reset(RegisterAccess::ty(config));
        let function = reg_without_reset(bits(function_bits));
        let slot = reg_without_reset(bits(slot_bits(config)));
        let queue = Queue { function, slot };
        let last = queues(config) - 1;
        let at_word = reg_without_reset(bits(word::BITS));
        /// The word that an access is about.
        let written_word = reg_without_reset(at_word);

        let resetting = reg_init(lit((1u128 << functions) - 1, functions));
        let driver_ok = reg(bits(functions));
        let cleared = reg(flag());
        let bells = doorbells(config);
        let sequence = drains(config);

        // The memories. A word that is being looked up is not written in that cycle.
        let file_put = reg(Put::ty(function_bits + word::BITS));
        let put = reg(Put::ty(queue_bits(config) + 3));
        let lookups = io.lookup.iter().map(|it| {
            let address = cat([it.payload.queue.number(), it.payload.word.bits()]);
            it.valid & address.eq(put.address)
        });
        let put_waits = put.valid & any_of(lookups);
        file_put.valid.set(false);
        when(file_put.valid, || {
            file.write_lanes(file_put.address, file_put.data.into(), file_put.lanes);
        });
        when(put.valid & !put_waits, || {
            settings.write_lanes(put.address, put.data.into(), put.lanes);
            put.valid.set(false);
        });
        for (lookup, found) in io.lookup.iter().zip(&io.found) {
            let word = settings.read(cat([lookup.payload.queue.number(), lookup.payload.word.bits()]));
            found.set(delay_without_reset(word).as_u());
        }
        let of_function = function_states.peek(function);
        let own = delay_without_reset(of_function);
        let of_queue = queue_states.peek(queue.number());
        let queue_state = delay_without_reset(of_queue);
        let is_resetting = delay_without_reset(resetting.at(function));

        // What an access is about.
        let stored = delay_without_reset(file.read(cat([function, at_word])));
        let physical = match config.vfs {
            0 => false.to_bool(),
            _ => delay_without_reset(function.eq(0) & !io.legacy),
        };
        let queue_isr = reg(bits(functions));
        let config_isr = reg(bits(functions));
        let isr = cat([config_isr.at(function), queue_isr.at(function)]);
        let part = wire(bits(32));
        let found = Found { access, own, is_resetting, queue_state, stored, part, isr };
        let subject = subject(config, found);
        let Subject { nature, written, .. } = subject;
        part.set(delay_without_reset(settings.read(cat([queue.number(), nature.part.bits()]))));

        let commits = state.is(State::Commit);
        io.answer.valid.set(delay(commits));
        io.answer.payload.data.set(delay_without_reset(subject.answer).as_u());
        io.answer.payload.aborted.set(false);

        let marks = state.is(State::Mark);
        let ends = [Task::Device, Task::Address, Task::Announced].map(|it| marks & task.is(it));
        let said = said(config, io, ends);
        let row = said.row;

        // Interrupts that are owed, and the function that is looked at.
        let owed = reg(bits(functions));
        let debtor = reg(bits(function_bits));
        let interrupt = reg_without_reset(Vector::ty(config));
        let interrupts = reg(flag());
        let is_owed = (owed & !resetting).at(debtor);
        when(!is_owed, || debtor.set(debtor.eq(functions - 1).mux(debtor.zero(), debtor + 1)));
        io.interrupt.valid.set(interrupts);
        io.interrupt.payload.set(interrupt);
        io.interrupt.assert_stable();
        when(io.interrupt.fire(), || interrupts.set(false));

        // Whose turn it is.
        let idle = state.is(State::Idle) & !put.valid & bells.cleared;
        let was_access = reg(flag());
        let turns = prim::round_robin(TASKS.len());
        turns.requests.set(vector([
            sequence.drained.valid,
            io.fault.valid,
            said.row_waits & cleared,
            said.address_waits & cleared,
            said.announcer_waits & cleared,
            is_owed & !interrupts,
        ]));
        let may_access = idle & (!was_access | !turns.any);
        let takes_access = may_access & io.access.valid;
        let takes_other = idle & !takes_access;
        turns.accept.set(takes_other);
        io.access.ready.set(may_access);
        // Until the task ends: what is drained is not looked at again before.
        sequence.drained.ready.set(marks & task.is(Task::Drained));
        io.fault.ready.set(takes_other & turns.grant.bit(1));
        let cause = reg_without_reset(io.fault.payload.cause);
        let (drained, fault) = (sequence.drained.payload, io.fault.payload);
        when(state.is(State::Idle), || {
            let of = [
                drained.queue.function,
                fault.queue.function,
                row.function,
                said.address.function,
                said.announcer,
                debtor,
            ];
            access.set(io.access.payload);
            cause.set(fault.cause);
            slot.set(turns.grant.bit(0).mux(drained.queue.slot, fault.queue.slot));
            function.set(prim::onehot_select(&of, turns.grant));
            for (bit, it) in TASKS.iter().enumerate() {
                when(turns.grant.bit(bit), || task.set(*it));
            }
            when(takes_access, || {
                function.set(io.access.payload.function);
                task.set(Task::Access);
            });
        });
        when(takes_access, || was_access.set(true)).elsewhen(idle & turns.any, || was_access.set(false));

        // The device configuration changes.
        let (fresh, fresh_lanes) = said.word(at_word.trunc(3), task.is(Task::Device));
        let [fresh, fresh_lanes] = [fresh, fresh_lanes].map(delay_without_reset);
        let differs = reg_without_reset(flag());
        let is_different = ((stored ^ fresh) & bytes(fresh_lanes.as_u())).any();

        // The words of a queue, and of a function, after a reset. The device configuration has them once.
        let whole = drained.whole;
        let wipes_function = whole & drained.last;
        let keeps = !whole & !queue_state.resets;
        let is_end = at_word.trunc(3).all() & (at_word.bit(3) | !wipes_function);
        let reset_setting = map::setting_after_reset(at_word.trunc(3));
        let reset_word = map::word_after_reset(at_word, function);

        // One step after the other.
        let after = reg_enum(State::Locate);
        state.cases(|s| match s {
            State::Idle => {
                when(idle & (io.access.valid | turns.any), || state.set(State::Decode));
            }
            State::Decode => {
                at_word.set(subject.nature_now.selector.zext(word::BITS));
                after.set(State::Locate);
                differs.set(false);
                subject.refused.set(false);
                state.set(State::Read);
                when(task.is(Task::Device) | task.is(Task::Address), || {
                    at_word.set(
                        task.is(Task::Device)
                            .mux(lit(word::DEVICE, word::BITS), lit(word::OWN_ADDRESS, word::BITS)),
                    );
                    after.set(State::Update);
                });
                when(task.is(Task::Interrupt), || {
                    at_word.set(word::VECTOR);
                    after.set(State::Send);
                });
                when(task.is(Task::Drained), || {
                    at_word.set(0);
                    state.set(State::Wipe);
                });
                when(task.is(Task::Fault) | task.is(Task::Announced), || state.set(State::Mark));
            }
            State::Read => state.set(State::Wait),
            State::Wait => state.set(after),
            State::Locate => {
                subject.number.set(subject.selected);
                subject.exists.set(subject.is_there);
                slot.set(
                    subject.is_control.mux(lit(last, slot.width()), subject.selected.trunc(slot.width())),
                );
                subject.in_features.set(!stored.slice(2, 30).any());
                subject.device_features.set(offered(stored.trunc(2), physical));
                let is_address = nature.word.slice(1, 3).eq(word::DEVICE >> 1);
                let own_address = (own.own_address & is_address).bits().repeat(2);
                let chosen = subject.of_accepted.bits().repeat(2) & stored.trunc(2);
                at_word
                    .set(nature.word | cat([lit(0, 2), chosen]) | cat([lit(0, 1), own_address, lit(0, 1)]));
                after.set(State::Merge);
                state.set(State::Read);
            }
            State::Merge => {
                written_word.set(at_word);
                state.set(State::Commit);
                when(subject.asks, || {
                    at_word.set(word::ACCEPTED);
                    after.set(State::Check);
                    state.set(State::Read);
                });
            }
            State::Check => {
                let is_refused = refuses(at_word.trunc(2), stored, physical);
                when(is_refused, || subject.refused.set(true));
                agree(&subject.agreement, at_word.trunc(2), stored);
                at_word.set(at_word + 1);
                state.set(State::Read);
                when(at_word.trunc(2).all(), || state.set(State::Commit));
            }
            State::Commit => {
                state.set(State::Idle);
                when(subject.begins, || {
                    slot.set(0);
                    state.set(State::Ring);
                });
            }
            State::Ring => {
                when(!put_waits, || {
                    slot.set(slot + 1);
                    when(slot.eq(last), || state.set(State::Idle));
                });
            }
            State::Update => {
                when(is_different, || differs.set(true));
                at_word.set(at_word + 1);
                state.set(State::Read);
                when(at_word.eq(12) | at_word.eq(15), || state.set(State::Mark));
            }
            State::Send => {
                owed.at(function).set(false);
                interrupt.function.set(function);
                interrupt.vector.set(stored.trunc(interrupt.vector.width()));
                interrupts.set(!stored.bit(15));
                state.set(State::Idle);
            }
            State::Wipe => {
                when(!put_waits, || at_word.set(at_word + 1));
                when(keeps | (is_end & !put_waits), || state.set(State::Mark));
            }
            State::Mark => state.set(State::Idle),
        });

        // The words change.
        let puts = commits & subject.queue_lanes.any();
        when(puts, || {
            put.set(Put {
                valid: true.to_bool(),
                address: cat([queue.number(), nature.part.bits()]),
                data: written.as_u(),
                lanes: subject.queue_lanes.as_u(),
            });
        });
        let tells = state.is(State::Ring) & !put_waits;
        when(tells, || {
            put.set(Put {
                valid: true.to_bool(),
                address: cat([queue.number(), lit(Word::Mode as usize, 3)]),
                data: of_function.agreed.mode.pack().zext(32).as_u(),
                lanes: lit(15, 4).as_u(),
            });
        });
        let wipes = state.is(State::Wipe) & !keeps & !put_waits;
        let is_mode = at_word.eq(Word::Mode as usize);
        when(wipes & !at_word.bit(3) & (whole | !is_mode), || {
            put.set(Put {
                valid: true.to_bool(),
                address: cat([queue.number(), at_word.trunc(3)]),
                data: reset_setting.as_u(),
                lanes: lit(15, 4).as_u(),
            });
        });
        let place = cat([function, commits.mux(written_word, at_word)]);
        when(commits & subject.file_lanes.any(), || {
            file_put.valid.set(true);
        });
        file_put.address.set(place);
        file_put.data.set(written.as_u());
        file_put.lanes.set(subject.file_lanes.as_u());
        when(state.is(State::Update), || {
            file_put.valid.set(true);
            file_put.data.set(fresh.as_u());
            file_put.lanes.set(fresh_lanes.as_u());
        });
        when(state.is(State::Wipe), || {
            file_put.valid.set(wipes & wipes_function & !(at_word.bit(3) & cleared));
            file_put.data.set(reset_word.as_u());
            file_put.lanes.set(15);
        });

        // The states change.
        let becomes = wire(FunctionState::ty());
        let changes = wire(flag());
        becomes.set(own);
        changes.set(false);
        let queue_becomes = wire(QueueState::ty());
        let queue_changes = wire(flag());
        queue_becomes.set(queue_state);
        queue_changes.set(false);
        let breaks = marks & task.is(Task::Fault) & subject.lives;
        let finishes = marks & task.is(Task::Drained) & wipes_function;
        let is_changed =
            differs | row.link_up.ne(own.link_up) | (row.announce & own.agreed.mode.announce & own.driver_ok);
        let warns = breaks | (marks & task.is(Task::Device) & is_changed & own.driver_ok);
        when(commits & subject.is_status_write & subject.says.any(), || {
            changes.set(true);
            becomes.acknowledge.set(own.acknowledge | subject.says.bit(0));
            becomes.driver.set(own.driver | subject.says.bit(1));
            becomes.driver_ok.set(own.driver_ok | subject.begins);
            becomes.features_ok.set(subject.agrees);
            becomes.failed.set(own.failed | subject.says.bit(7));
            when(subject.asks & !subject.refused, || becomes.agreed.set(subject.agreement));
        });
        when(commits & subject.of_device & !access.write & own.changed & subject.enables.any(), || {
            changes.set(true);
            becomes.changed.set(false);
            becomes.generation.set(own.generation + 1);
        });
        when(commits & (subject.enables_queue | subject.resets_queue), || {
            queue_changes.set(true);
            queue_becomes.enabled.set(queue_state.enabled | subject.enables_queue);
            queue_becomes.drains.set(queue_state.drains | subject.resets_queue);
            queue_becomes.resets.set(queue_state.resets | subject.resets_queue);
        });
        when(breaks, || {
            changes.set(true);
            becomes.needs_reset.set(true);
            queue_changes.set(true);
            queue_becomes.broken.set(true);
            queue_becomes.drains.set(true);
        });
        when(marks & task.is(Task::Announced), || {
            changes.set(true);
            becomes.announce.set(false);
            becomes.changed.set(true);
        });
        when(marks & task.is(Task::Address), || {
            changes.set(true);
            becomes.own_address.set(true);
            becomes.changed.set(true);
        });
        when(marks & task.is(Task::Device), || {
            changes.set(true);
            becomes.link_up.set(row.link_up);
            becomes.announce.set(own.announce | (row.announce & own.agreed.mode.announce & own.driver_ok));
            becomes.changed.set(own.changed | is_changed);
        });
        when(marks & task.is(Task::Drained), || {
            queue_changes.set(true);
            queue_becomes.drains.set(false);
            when(!keeps, || queue_becomes.set(queue_state.zero()));
        });
        when(finishes, || {
            changes.set(true);
            becomes.set(FunctionState {
                link_up: own.link_up | !cleared,
                changed: cleared,
                generation: cleared.mux(own.generation, own.generation.zero()),
                ..own.zero()
            });
        });
        when(changes, || function_states.write(function, becomes));
        when(queue_changes, || queue_states.write(queue.number(), queue_becomes));

        // Who lives.
        driver_ok.set(driver_ok & !resetting);
        when(commits & subject.begins, || driver_ok.at(function).set(true));
        when(io.reset.valid, || resetting.at(io.reset.payload).set(true));
        when(commits & subject.is_reset, || resetting.at(function).set(true));
        when(finishes, || {
            resetting.at(function).set(false);
            owed.at(function).set(false);
            when(function.eq(functions - 1), || cleared.set(true));
        });
        io.reset.ready.set(finishes & io.reset.payload.eq(function));
        io.driver_ok.set(driver_ok);
        io.cleared.set(cleared);
        when(state.is(State::Merge) & subject.of_interrupt & !access.write & subject.enables.bit(0), || {
            queue_isr.at(function).set(false);
            config_isr.at(function).set(false);
        });
        when(finishes, || {
            queue_isr.at(function).set(false);
            config_isr.at(function).set(false);
        });
        when(io.queue_interrupt.valid, || queue_isr.at(io.queue_interrupt.payload).set(true));
        when(warns, || {
            config_isr.at(function).set(true);
            owed.at(function).set(true);
        });
        io.broke.valid.set(delay(breaks));
        io.broke.payload.queue.set(delay_without_reset(queue));
        io.broke.payload.cause.set(delay_without_reset(cause));

        // Doorbells, and drains.
        let rings = commits & subject.rings_queue;
        bells
            .ring
            .valid
            .set(rings | (commits & subject.enables_queue & own.driver_ok) | (tells & of_queue.enabled));
        bells.ring.payload.queue.set(queue);
        bells.ring.payload.has_index.set(rings & subject.has_index);
        bells.ring.payload.index.set(subject.index.as_u());
        let candidate = bells.candidate;
        bells.lives.set(queue_states.peek(candidate.number()).lives() & driver_ok.at(candidate.function));
        io.doorbell.connect(&bells.doorbell);
        let visited = sequence.visited;
        sequence.resetting.set(resetting);
        sequence.wanted.set(queue_states.peek(visited.number()).drains);
        let in_doorbell = bells.offered.valid & bells.offered.payload.same(&visited);
        let in_interrupt = interrupts & interrupt.function.eq(visited.function);
        sequence.held.set(in_doorbell | in_interrupt);
        for (outer, inner) in io.drain.iter().zip(&sequence.drain) {
            outer.connect(inner);
        }
    })
}
