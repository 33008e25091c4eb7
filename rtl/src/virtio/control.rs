//! Commands of the control queues (virtio 5.1.6.5).

mod addresses;
mod functions;
mod groups;
mod parser;
mod ports;
mod reader;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use super::{
    queues::{Queue, slot_bits},
    registers::OwnAddress,
    types::{Cause, Fault, Mode, Part, Used, Word},
};
use crate::{
    config::Config,
    dma::{Command, Outcome},
    frame::Beat,
    pcie::configuration::function_bits,
    prim,
    veb::filters::{FilterChange, FilterKind},
};
use addresses::{Job, Task, addresses};
use functions::{Setting, functions};
use groups::groups;
use hdl::*;
use parser::{Kind, parser};
pub use ports::ControlIo;
use reader::{Piece, reader};

/// A command of so many bytes, or more, is refused.
pub const TOO_LONG: usize = 65535;

/// What the driver is told of its command: VIRTIO_NET_OK and VIRTIO_NET_ERR.
const OK: usize = 0;
const ERROR: usize = 1;

/// Cycles that the registers take for an announcement or an address.
const TOLD: usize = 256;

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// A function is chosen that needs something,
    Idle,
    /// and what that is.
    Inquire,
    Look,
    Choose,
    /// What a driver set that is gone.
    Forget,
    /// The mode of the function is looked up.
    Lookup,
    Found,
    Learn,
    Learned,
    /// A part is asked for,
    Pop,
    /// and comes.
    Part,
    Sum,
    Judge,
    /// Its bytes are read.
    Read,
    Reading,
    Next,
    /// The command is there as a whole.
    Decide,
    /// It is good, and carried out if the manager permits it:
    Permit,
    /// the bridge is asked,
    Ask,
    Asked,
    /// what is kept of the function changes,
    Change,
    /// or its filter for VLANs,
    Filter,
    /// or the registers are told.
    Tell,
    /// Its groups become the function's, or are forgotten.
    Settle,
    End,
    /// The queue is broken.
    Break,
    /// The answer is written,
    Answer,
    /// and the buffer used.
    Use,
    /// What was set is seen by all.
    Rest,
}

/// ```text
///  chains, driver_ok ─► in turn ─► function ─► lookup ─► pop ─► reader ─► parser ─┬─► groups ─► filter
///                                                                  ▲ read        ├─► addresses ─► row
///  functions ─► wishes, pairs, forget ◄──────────────────────────────────────────┘
///                                                                  └─► write ─► used
/// ```
///
/// One thing at a time: a command, or what becomes of a function whose driver is gone, or has come. A command's addresses and
/// groups are noted while its bytes come, and count when all of it was found good.
///
/// # Timing
/// A command takes what its reads and its write take, about 60 cycles, one for each byte, 60 for each unicast address, and 2000 if
/// it brings groups. Of a function whose driver is gone 100 cycles; then its filters are cleared beside the commands of others.
#[hdl]
pub fn control(config: &Config) -> ControlIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_control_{}_{}", config.name, config.bytes);
    module(name, ControlIo::ty(config), |io| {
        io.pop.assert_stable();
        io.write.assert_stable();
        io.write_data.assert_stable();
        io.used.assert_stable();
        io.fault.assert_stable();
        io.filter.assert_stable();
        io.drain.assume_stable();
        let count = config.functions();
        let slot = 2 * config.pairs;
        let reader = reader(config);
        let parser = parser(config);
        let addresses = addresses(config);
        let groups = groups(config);
        let functions = functions(config);

        let state = reg_enum(State::Idle);
        let function = reg_without_reset(bits(function_bits(config)));
        let queue = Queue { slot: lit(slot, slot_bits(config)), function };
        /// A buffer of the queue is here.
        let serves = reg(flag());

        // Who is next. A queue that was drained counts when the store has forgotten it, too.
        let waiting = vector((0..count).map(|function| io.chains.bit(function << slot_bits(config) | slot)));
        let drained = reg(bits(count));
        let now_drained =
            prim::decode(io.drain.payload.function, count) & io.drain.fire().bits().repeat(count);
        drained.set((drained & waiting) | now_drained);
        let (stale, fresh) = (functions.stale, functions.fresh);
        let ready = delay(waiting & !drained & !stale & !functions.sweeping);
        let turns = prim::round_robin(count);
        turns.requests.set(delay(ready | stale | fresh));
        let is_clear = delay(addresses.clear & groups.clear);
        let chooses = state.is(State::Idle) & is_clear & turns.any;
        turns.accept.set(chooses);
        let is_stale = delay_without_reset(stale.at(function));
        let is_fresh = delay_without_reset(fresh.at(function));
        let is_ready = delay_without_reset(ready.at(function));
        let is_same = io.drain.payload.function.eq(function);
        let is_held = io.drain.valid & is_same;
        // What is found ready may have been drained a moment ago.
        let was_held = delay(is_held);
        let begins = state.is(State::Choose)
            & !is_stale
            & !is_fresh
            & is_ready
            & !is_held
            & !was_held
            & !delay(was_held);
        io.drain.ready.set(!(serves & is_same));

        // The parts of a buffer.
        let mode = reg_without_reset(Mode::ty());
        io.lookup.valid.set(state.is(State::Lookup));
        io.lookup.payload.queue.set(queue);
        io.lookup.payload.word.set(Word::Mode);
        io.pop.valid.set(state.is(State::Pop));
        io.pop.payload.set(queue);
        let part = reg_without_reset(io.popped.payload.part);
        let total = reg_without_reset(bits(17));
        let sum = delay_without_reset(total + Bits::from(part.length).zext(17));
        let is_long = reg_without_reset(flag());
        let outcome = reg_without_reset(Enum::<Outcome>::ty());
        let failed = !outcome.is(Outcome::Success);
        /// Where the answer goes.
        let answer = reg_without_reset(U::<64>::ty());
        let has_answer = reg_without_reset(flag());
        io.read.connect(&reader.read);
        reader.read_data.connect(&io.read_data);
        reader.piece.valid.set(state.is(State::Read));
        reader.piece.payload.set(Piece { function, address: part.address, length: part.length });
        parser.restart.set(begins);
        parser.mode.set(mode);
        parser.byte.connect(&reader.byte);

        // What the command wants, and whether it may have it.
        let may = |rights: Bits| delay_without_reset(rights.at(function));
        let (may_address, may_unicast) = (may(io.may_address), may(io.may_unicast));
        let may_multicast = may(io.may_multicast);
        let kind = parser.kind;
        let number = Bits::from(parser.number);
        let switched_on = number.bit(8);
        let may_overflow = !parser.overflows | (may_unicast & may_address);
        /// The command is carried out.
        let is_accepted = reg_without_reset(flag());
        /// It has an answer; otherwise the queue may be broken.
        let answers = reg_without_reset(flag());
        let breaks = reg_without_reset(flag());
        let cause = reg_without_reset(Enum::<Cause>::ty());

        // The bridge.
        addresses.owner.set(function);
        let asks = state.is(State::Ask) | state.is(State::Forget);
        addresses.job.valid.set(asks);
        let task = wire(Enum::ty());
        kind.cases(|is| {
            task.set(match is {
                Kind::Address => Task::Own,
                Kind::Table => Task::List,
                _ => Task::Member,
            })
        });
        when(state.is(State::Forget), || task.set(Task::Forget));
        addresses.job.payload.set(Job {
            task,
            count: parser.count,
            may_add: may_address,
            vid: number.trunc(12).as_u(),
        });
        let notes_own = state.is(State::Decide);
        addresses.note.valid.set(parser.unicast.valid | notes_own);
        addresses.note.payload.number.set(notes_own.mux(lit(0, 2).as_u(), parser.unicast.payload.number));
        addresses.note.payload.mac.set(notes_own.mux(parser.mac, parser.unicast.payload.mac));
        io.row.connect(&addresses.row);
        addresses.row_response.set(io.row_response);
        groups.hash.set(parser.group);
        groups.settle.payload.function.set(function);
        groups.settle.payload.is_good.set(is_accepted);
        /// The command brought groups.
        let has_groups = reg(flag());
        when(parser.group.valid, || has_groups.set(true))
            .elsewhen(groups.settle.fire(), || has_groups.set(false));
        let settles = has_groups | (is_accepted & kind.is(Kind::Table));
        groups.settle.valid.set(state.is(State::Settle) & settles);
        let filters_vlan = state.is(State::Filter);
        io.filter.valid.set(groups.change.valid | filters_vlan);
        groups.change.ready.set(io.filter.ready);
        let vlan = FilterChange {
            function,
            kind: FilterKind::Vlan.to_enum(),
            index: number.trunc(12).as_u(),
            wanted: kind.is(Kind::AddVlan),
        };
        io.filter.payload.set(filters_vlan.mux(vlan, groups.change.payload));

        // What is kept of functions.
        functions.driver_ok.set(io.driver_ok);
        io.forget.connect(&functions.forget);
        for (sink, wishes) in io.wishes.iter().zip(&functions.wishes) {
            sink.set(*wishes);
        }
        io.pairs.set(functions.pairs);
        let learns = state.is(State::Learned);
        let is_forgotten = state.is(State::Asked) & !serves & addresses.done.valid;
        functions.change.valid.set(state.is(State::Change) | learns | is_forgotten);
        functions.change.payload.function.set(function);
        kind.cases(|is| {
            let on = switched_on.bits().zext(2);
            let (setting, value) = match is {
                Kind::Promiscuous => (Setting::Promiscuous, on),
                Kind::AllMulticast => (Setting::AllMulticast, on),
                Kind::Table => (Setting::Overflows, parser.overflows.bits().zext(2)),
                _ => (Setting::Pairs, number.trunc(2) - 1),
            };
            functions.change.payload.setting.set(setting);
            functions.change.payload.value.set(value.as_u());
        });
        when(learns, || {
            functions.change.payload.setting.set(Setting::Filters);
            functions.change.payload.value.set(mode.control_vlan.bits().zext(2).as_u());
        })
        .elsewhen(is_forgotten, || functions.change.payload.setting.set(Setting::Nothing));

        // The registers.
        let quiet = reg_init(!lit(0, clog2(TOLD)));
        let tells = state.is(State::Tell) & quiet.all();
        when(tells, || quiet.set(0)).elsewhen(!quiet.all(), || quiet.set(quiet + 1));
        io.announced.valid.set(tells & kind.is(Kind::Announced));
        io.announced.payload.set(function);
        io.mac.valid.set(tells & kind.is(Kind::Address));
        io.mac.payload.set(OwnAddress { function, mac: parser.mac });

        // The end of a buffer.
        let is_ordered = reg(flag());
        let is_written = reg(flag());
        let writes = state.is(State::Answer);
        io.write.valid.set(writes & !is_ordered);
        let length = lit(1, io.write.payload.length.pack().width()).as_u();
        io.write.payload.set(Command { function, address: answer, length, relaxed: false.to_bool() });
        io.write_data.valid.set(writes & !is_written);
        let status = is_accepted.mux(lit(OK, 8), lit(ERROR, 8));
        io.write_data.payload.set(Beat {
            data: status.zext(8 * config.bytes),
            count: lit(1, io.write_data.payload.count.width()),
            last: true.to_bool(),
            error: false.to_bool(),
        });
        when(io.write.fire(), || is_ordered.set(true));
        when(io.write_data.fire(), || is_written.set(true));
        let Part { id, places, .. } = part;
        io.used.valid.set(state.is(State::Use));
        io.used.payload.set(Used { queue, id, places, length: lit(1, 17).as_u(), joined: false.to_bool() });
        io.fault.valid.set(state.is(State::Break));
        io.fault.payload.set(Fault { queue, cause });

        /// Cycles in which nobody is chosen.
        let rest = reg(bits(3));
        rest.set(state.is(State::Rest).mux(rest + 1, rest.zero()));
        let refuse = || {
            is_accepted.set(false);
            state.set(State::Settle);
        };
        state.cases(|at| match at {
            State::Idle => {
                function.set(turns.index);
                when(chooses, || state.set(State::Inquire));
            }
            State::Inquire => state.set(State::Look),
            State::Look => state.set(State::Choose),
            State::Choose => {
                total.set(0);
                is_long.set(false);
                has_answer.set(false);
                outcome.set(Outcome::Success);
                serves.set(begins);
                when(is_stale, || state.set(State::Forget))
                    .elsewhen(is_fresh | begins, || state.set(State::Lookup))
                    .otherwise(|| state.set(State::Rest));
            }
            State::Forget => {
                when(addresses.job.ready, || state.set(State::Asked));
            }
            State::Lookup => state.set(State::Found),
            State::Found => state.set(State::Learn),
            State::Learn => {
                mode.set(mode.unpack(Bits::from(io.found).trunc(mode.size())));
                state.set(State::Learned);
            }
            State::Learned => state.set(serves.mux(State::Pop.to_enum(), State::Rest.to_enum())),
            State::Pop => {
                when(io.pop.ready, || state.set(State::Part));
            }
            State::Part => {
                part.set(io.popped.payload.part);
                when(io.popped.valid, || state.set(State::Sum));
            }
            State::Sum => state.set(State::Judge),
            State::Judge => {
                when(part.bad | failed, || state.set(State::Next))
                    .elsewhen(part.writable, || {
                        when(!has_answer, || answer.set(part.address));
                        has_answer.set(true);
                        state.set(State::Next);
                    })
                    .otherwise(|| {
                        total.set(sum);
                        let exceeds = is_long | sum.ge(TOO_LONG);
                        is_long.set(exceeds);
                        state.set(exceeds.mux(State::Next.to_enum(), State::Read.to_enum()));
                    });
            }
            State::Read => {
                when(reader.piece.ready, || state.set(State::Reading));
            }
            State::Reading => {
                outcome.set(reader.done.payload);
                when(reader.done.valid, || state.set(State::Next));
            }
            State::Next => state.set(part.last.mux(State::Decide.to_enum(), State::Pop.to_enum())),
            State::Decide => {
                let is_headless = !has_answer | !(parser.has_kind | is_long);
                is_accepted.set(false);
                answers.set(!part.bad & !failed & !is_headless);
                breaks.set(!part.bad & failed.mux(!outcome.is(Outcome::Stopped), is_headless));
                cause.set(failed.mux(Cause::Access.to_enum(), Cause::Header.to_enum()));
                let goes_on = !part.bad & !failed & !is_headless & !is_long & parser.is_good;
                state.set(goes_on.mux(State::Permit.to_enum(), State::Settle.to_enum()));
            }
            State::Permit => {
                is_accepted.set(true);
                let only_if = |may: Bool, then: State| {
                    when(may, || state.set(then)).otherwise(refuse);
                };
                kind.cases(|is| match is {
                    Kind::Promiscuous => only_if(!switched_on | may_unicast, State::Change),
                    Kind::AllMulticast => only_if(!switched_on | may_multicast, State::Change),
                    Kind::Table => only_if(may_overflow, State::Ask),
                    Kind::Address => only_if(may_address, State::Ask),
                    Kind::AddVlan => {
                        state.set(number.any().mux(State::Ask.to_enum(), State::Filter.to_enum()));
                    }
                    Kind::DeleteVlan => state.set(State::Filter),
                    Kind::Announced => state.set(State::Tell),
                    Kind::Pairs | Kind::Other => state.set(State::Change),
                });
            }
            State::Ask => {
                when(addresses.job.ready, || state.set(State::Asked));
            }
            State::Asked => {
                when(addresses.done.valid, || {
                    when(!serves, || state.set(State::Rest))
                        .elsewhen(!addresses.done.payload, refuse)
                        .elsewhen(kind.is(Kind::Address), || state.set(State::Tell))
                        .elsewhen(kind.is(Kind::Table), || state.set(State::Change))
                        .otherwise(|| state.set(State::Filter));
                });
            }
            State::Change => state.set(State::Settle),
            State::Filter => {
                when(io.filter.ready, || state.set(State::Settle));
            }
            State::Tell => {
                when(tells, || state.set(State::Settle));
            }
            State::Settle => {
                when(groups.settle.ready | !settles, || state.set(State::End));
            }
            State::End => {
                is_ordered.set(false);
                is_written.set(false);
                when(answers, || state.set(State::Answer))
                    .elsewhen(breaks, || state.set(State::Break))
                    .otherwise(|| state.set(State::Rest));
            }
            State::Break => {
                when(io.fault.ready, || state.set(State::Rest));
            }
            State::Answer => {
                let is_success = io.written.payload.is(Outcome::Success);
                when(io.written.valid, || {
                    state.set(is_success.mux(State::Use.to_enum(), State::Rest.to_enum()))
                });
            }
            State::Use => {
                when(io.used.ready, || state.set(State::Rest));
            }
            State::Rest => {
                serves.set(false);
                when(rest.all(), || state.set(State::Idle));
            }
        });
    })
}
