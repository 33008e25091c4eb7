//! The addresses that functions have in the bridge.

use super::parser::{LISTED, Listed};
use crate::{
    config::Config,
    pcie::configuration::function_bits,
    prim, register_map as map,
    veb::{
        mac_table::MacRow,
        row_memory::VlanRow,
        rows::{Operation, Outcome, RowRequest, RowResponse, Table},
    },
};
use hdl::*;

/// What is to be done.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The address of the function becomes the one that is noted as number 0.
    Own,
    /// Those of its list become the ones that are noted from 1 on.
    List,
    /// All go.
    Forget,
    /// Is the function a member of the VLAN?
    Member,
}

#[derive(Bundle, Clone, Copy, Debug)]
pub(super) struct Job {
    pub task: Enum<Task>,
    /// Addresses of the list.
    pub count: U<2>,
    /// Addresses that the bridge does not have for the function may be added.
    pub may_add: Bool,
    pub vid: U<12>,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub(super) struct AddressesIo {
    /// Whose addresses; stands still from the first note to the end of the job.
    #[input]
    #[ty(bits(function_bits(config)))]
    pub owner: Bits,
    /// An address for the next job; none while there is one.
    #[input]
    pub note: Valid<Listed>,
    #[input]
    pub job: Stream<Job>,
    /// It is done, or refused: then nothing has changed.
    #[output]
    pub done: Valid<Bool>,
    #[output]
    pub row: Stream<RowRequest>,
    #[input]
    pub row_response: Valid<RowResponse>,
    /// All places have been empty since reset; nothing may come before.
    #[output]
    pub clear: Bool,
}

/// A place for an address.
#[derive(Bundle, Clone, Copy, Debug)]
struct Place {
    used: Bool,
    /// Its entry was made here: it goes with the last place that has the address.
    ours: Bool,
    mac: U<48>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// All places are emptied.
    Clear,
    Idle,
    /// A VLAN's row is asked for,
    Vlan,
    /// and looked at.
    Members,
    /// A noted address is read,
    Note,
    NoteRead,
    /// the bridge is asked for it,
    Find,
    /// and what the answer means is found out: it may have to be added.
    Judge,
    Add,
    Added,
    /// The address that has to go is read,
    Old,
    OldRead,
    /// and looked for among those that stay,
    Stay,
    StayRead,
    /// and in the bridge.
    Gone,
    Check,
    Delete,
    Deleted,
    /// The noted addresses take their places.
    Move,
    Moved,
    Finish,
    /// A request is under way.
    Await,
}

/// Four places for each function: its own address and three of its list. Beside them stand as many for what a command brings,
/// until all of it has been found good.
///
/// ```text
///  note ─► noted ─► ask the bridge, add ─► old ones that do not stay: delete ─► places ◄─ noted
///                        │ refused
///                        └─► delete what was added
/// ```
///
/// An address that the bridge has for this function already is not added, and not deleted later: the manager put it there. One
/// that it has for any other port is refused. If two places have an address that was added here, one of them keeps account of
/// that, and hands it on when it goes.
#[hdl]
pub(super) fn addresses(config: &Config) -> AddressesIo {
    module(format!("virtio_control_addresses_{}", config.name), AddressesIo::ty(config), |io| {
        io.row.assert_stable();
        let place_bits = function_bits(config) + 3;
        let places = mem(Place::ty(), 1 << place_bits, Collision::Undefined);
        let state = reg_enum(State::Clear);
        /// Where a request that is under way leads to.
        let next = reg_enum(State::Idle);
        let cleared = reg(bits(place_bits));
        let job = reg_without_reset(Job::ty());
        /// Bits of the function's port.
        let own = reg_without_reset(bits(config.ports()));
        /// The place that it is about,
        let number = reg_without_reset(bits(2));
        /// another one that it is compared with,
        let other = reg_without_reset(bits(2));
        /// and what is in it.
        let place = reg_without_reset(Place::ty());
        /// A noted address was refused: those before it are deleted.
        let undoes = reg_without_reset(flag());
        let request = reg_without_reset(RowRequest::ty());
        let response = reg_without_reset(RowResponse::ty());

        let is = |task: Task| job.task.is(task);
        let is_in_list = |number: Bits| number.any();
        // Places that the job gives new addresses.
        let changes =
            |number: Bits| (is(Task::Own) & !is_in_list(number)) | (is(Task::List) & is_in_list(number));
        let is_noted = |number: Bits| changes(number) & (is(Task::Own) | number.le(Bits::from(job.count)));
        let last_noted = is(Task::Own).mux(lit(0, 2), Bits::from(job.count));
        let last_old = is(Task::Own).mux(lit(0, 2), lit(LISTED, 2));
        let first = is(Task::List).mux(lit(1, 2), lit(0, 2));

        // The memory: where it is read, a cycle ahead, and written.
        let stays_noted = changes(other);
        let reads_noted = wire(flag());
        let read_number = wire(bits(2));
        let at = |noted: Bool, number: Bits| cat([io.owner, noted.bits(), number]);
        let read = delay_without_reset(places.read(at(reads_noted, read_number)));
        let is_same = delay_without_reset(read.mac.eq(place.mac));
        let reads = any_of([State::Note, State::Old, State::Stay, State::Move].map(|at| state.is(at)));
        /// Cycles that a read has taken, up to that in which what is found out of it is there.
        let age = reg(bits(2));
        age.set((reads & age.ne(2)).mux(age + 1, age.zero()));
        let is_read = age.eq(2);
        reads_noted.set(undoes);
        read_number.set(number);
        when(state.is(State::Note) | state.is(State::Move), || reads_noted.set(true));
        when(state.is(State::Stay), || {
            reads_noted.set(stays_noted);
            read_number.set(other);
        });
        let writes = wire(flag());
        let write_at = wire(bits(place_bits));
        let written = wire(Place::ty());
        writes.set(io.note.valid);
        let noted = io.note.payload;
        write_at.set(at(true.to_bool(), noted.number.into()));
        written.set(Place { used: true.to_bool(), ours: false.to_bool(), mac: noted.mac });
        let write = |noted: Bool, number: Bits, value: Place| {
            writes.set(true);
            write_at.set(at(noted, number));
            written.set(value);
        };

        // Requests.
        let ask = |operation: Operation, then: State| {
            request.operation.set(operation);
            request.table.set(Table::Mac);
            let row = MacRow { mac: place.mac, vid: lit(0, 12).as_u(), ports: own };
            request.data.set(map::table(Table::Mac).pack(&row).as_u());
            next.set(then);
            state.set(State::Await);
        };
        let is_sent = reg(flag());
        io.row.valid.set(state.is(State::Await) & !is_sent);
        io.row.payload.set(request);
        let has_entry = response.outcome.is(Outcome::Done);
        let entry = map::table(Table::Mac).unpack(&MacRow::ty(config), response.data);
        let vlan = map::table(Table::Vlan).unpack(&VlanRow::ty(config), response.data);
        let is_own = reg_without_reset(flag());
        is_own.set(has_entry & entry.ports.eq(own));
        let is_member = delay_without_reset((vlan.members & own).any());
        /// The response has been looked at.
        let is_looked_at = reg(flag());
        is_looked_at.set(false);

        let is_good = reg_without_reset(flag());
        io.clear.set(!state.is(State::Clear));
        io.job.ready.set(state.is(State::Idle));
        io.done.valid.set(state.is(State::Finish));
        io.done.payload.set(is_good);
        let refuse = || {
            is_good.set(false);
            undoes.set(true);
            // Nothing was added before the first one.
            when(number.eq(first), || state.set(State::Finish)).otherwise(|| {
                number.set(number - 1);
                state.set(State::Old);
            });
        };
        let next_old = || {
            let is_last = undoes.mux(number.eq(first), number.eq(last_old));
            number.set(undoes.mux(number - 1, number + 1));
            when(!is_last, || state.set(State::Old)).elsewhen(undoes, || state.set(State::Finish)).otherwise(
                || {
                    number.set(first);
                    state.set(State::Move);
                },
            );
        };
        state.cases(|at| match at {
            State::Clear => {
                writes.set(true);
                write_at.set(cleared);
                written.set(Place::ty().zero());
                cleared.set(cleared + 1);
                when(cleared.all(), || state.set(State::Idle));
            }
            State::Idle => {
                job.set(io.job.payload);
                let owner = prim::decode(io.owner, config.functions());
                let places = (0..config.functions()).map(|place| owner.bit(config.function_at(place)));
                own.set(cat([vector(places), lit(0, config.wires)]));
                let starts = io.job.payload.task.is(Task::List);
                number.set(starts.mux(lit(1, 2), lit(0, 2)));
                undoes.set(false);
                is_good.set(true);
                when(io.job.valid, || {
                    io.job.payload.task.cases(|task| match task {
                        Task::Own => state.set(State::Note),
                        Task::List => {
                            let is_empty = !Bits::from(io.job.payload.count).any();
                            state.set(is_empty.mux(State::Old.to_enum(), State::Note.to_enum()));
                        }
                        Task::Forget => state.set(State::Old),
                        Task::Member => state.set(State::Vlan),
                    });
                });
            }
            State::Vlan => {
                request.operation.set(Operation::Read);
                request.table.set(Table::Vlan);
                request.index.set(job.vid);
                next.set(State::Members);
                state.set(State::Await);
            }
            State::Members => {
                is_good.set(is_member);
                state.set(State::Finish);
            }
            State::Note => {
                when(is_read, || state.set(State::NoteRead));
            }
            State::NoteRead => {
                place.set(read);
                state.set(State::Find);
            }
            State::Find => ask(Operation::Lookup, State::Judge),
            State::Judge => {
                place.ours.set(!has_entry);
                when(is_own, || state.set(State::Added))
                    .elsewhen(!has_entry & job.may_add, || state.set(State::Add))
                    .otherwise(refuse);
            }
            State::Add => ask(Operation::Insert, State::Added),
            State::Added => {
                write(true.to_bool(), number, place);
                number.set(number + 1);
                when(!has_entry, refuse)
                    .elsewhen(number.eq(last_noted), || {
                        number.set(first);
                        state.set(State::Old);
                    })
                    .otherwise(|| state.set(State::Note));
            }
            State::Old => {
                when(is_read, || state.set(State::OldRead));
            }
            State::OldRead => {
                place.set(read);
                other.set(0);
                let goes = read.used & read.ours;
                when(!goes, next_old)
                    .elsewhen(undoes | is(Task::Forget), || state.set(State::Gone))
                    .otherwise(|| state.set(State::Stay));
            }
            State::Stay => {
                when(is_read, || state.set(State::StayRead));
            }
            State::StayRead => {
                let stays = read.used & is_same & (is_noted(other) | !stays_noted);
                when(stays, || {
                    write(stays_noted, other, Place { ours: true.to_bool(), ..read });
                    next_old();
                })
                .elsewhen(other.all(), || state.set(State::Gone))
                .otherwise(|| {
                    other.set(other + 1);
                    state.set(State::Stay);
                });
            }
            State::Gone => ask(Operation::Lookup, State::Check),
            // The manager may have given it to somebody else.
            State::Check => {
                when(is_own, || state.set(State::Delete)).otherwise(next_old);
            }
            State::Delete => ask(Operation::Delete, State::Deleted),
            State::Deleted => next_old(),
            State::Move => {
                when(is_read, || state.set(State::Moved));
            }
            State::Moved => {
                write(false.to_bool(), number, Place { used: is_noted(number), ..read });
                number.set(number + 1);
                state.set(number.eq(last_old).mux(State::Finish.to_enum(), State::Move.to_enum()));
            }
            State::Finish => state.set(State::Idle),
            State::Await => {
                when(io.row.fire(), || is_sent.set(true));
                when(io.row_response.valid, || {
                    response.set(io.row_response.payload);
                    is_looked_at.set(true);
                });
                when(is_looked_at, || {
                    is_sent.set(false);
                    state.set(next);
                });
            }
        });
        // A cycle later: nothing is read so soon.
        let (write_at, written) = (delay_without_reset(write_at), delay_without_reset(written));
        when(delay(writes), || places.write(write_at, written));
    })
}
