//! MSI-X of all functions (6.1.4, 7.7.2): tables, pending bits, and the messages.
//!
//! # Purpose
//! An event of a function asks for an interrupt by a [`Vector`]. Its message leaves at once, or, while the vector or the
//! function is masked, waits as a pending bit. Software reaches tables and pending bits through the register bus.
//!
//! # Schematic
//! ```text
//!  access ─┐
//!  vector ─┤                ┌─► banks: pending, masked bits; a word for each function ─┐
//!  clear ──┼─► one at a time┤                                                          ├─► answer
//!  reset ──┤                └─► table: addresses, data; three words for each vector ───┤
//!  scan ───┘                                                                           └─► command, data
//!    ▲ functions that may send and were touched                                                │
//!    └───────────────────────────────────── returned ◄──────────────────────────────── done ◄──┘
//! ```
//! Every vector first sets its pending bit. A scan goes round the functions that were touched since a scan of them found
//! nothing, and that may send: it takes the next pending vector of the function that is not masked, clears its bit, reads its
//! entry, and hands in the write. One write is under way at a time. If it ends with `Stopped`, as the function lost Bus Master
//! Enable in between, the bit is set again. So a wanted interrupt is sent, or its pending bit stands; several that were wanted
//! before the first was sent are one.
//!
//! Address, data and masks count as they are when the vector is taken. A vector that is masked afterwards has left, though
//! its write may still wait in the write engine.
//!
//! # Timing
//! Registers at all outputs but the `ready`s. An access is answered in the fourth cycle after it was taken, and waits for
//! others for no more than 20 cycles, or 64 more if a function is being reset; it never waits for a write to be taken. On an
//! idle block a vector's `command` is offered in the 12th cycle after the vector was taken, [`TAKEN`] after it was chosen. The
//! search for a function looks at one in each cycle, while the write before is under way; then 9 cycles lead to the next
//! command. `quiet` says so within 4 cycles. A reset takes 64 cycles, and so does each function after the fundamental reset.

#[cfg(test)]
mod tests;

use super::{
    Bar, PENDING_OFFSET, VECTORS,
    configuration::function_bits,
    register_bus::{RegisterAccess, RegisterAnswer},
    space::Kind,
};
use crate::{
    config::Config,
    dma::{Command, LENGTH_BITS, Outcome},
    frame::Beat,
    prim::{self, decode, encode, first_one, onehot_select},
};
use hdl::*;

/// An interrupt.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Vector {
    /// Whose.
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    #[ty(bits(VECTOR_BITS))]
    pub vector: Bits,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct MsixIo {
    /// Accesses to the base address of the MSI-X table only. Higher bits of the offset than this base address has do not count.
    #[input]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub access: Stream<RegisterAccess>,
    #[output]
    pub answer: Valid<RegisterAnswer>,
    /// This interrupt is wanted. What the function wrote for it before is in the write engine or behind it.
    #[input]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub vector: Stream<Vector>,
    /// It is no longer wanted, as its cause has gone: if it is pending, it is forgotten (6.1.4.5).
    #[input]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub clear: Stream<Vector>,
    /// Functions whose interrupts are messages. Those of others stay pending.
    #[input]
    #[ty(bits(config.functions()))]
    pub msix_enable: Bits,
    /// Functions whose vectors are all masked.
    #[input]
    #[ty(bits(config.functions()))]
    pub msix_mask: Bits,
    /// Functions that may send, and are awake.
    #[input]
    #[ty(bits(config.functions()))]
    pub bus_master: Bits,
    /// Functions that are about to be reset.
    #[input]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
    /// Functions among `stopped` that have nothing on its way from here until the write engine said `done`.
    #[output]
    #[ty(bits(config.functions()))]
    pub quiet: Bits,
    /// Clears the table, masks all vectors, and forgets those that are pending; taken when it is done. Of a function that is
    /// `quiet`.
    #[input]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub reset: Stream<Bits>,
    /// All functions have been reset since the fundamental reset.
    #[output]
    pub cleared: Bool,
    /// To the write engine: four bytes.
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub command: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub data: Stream<Beat>,
    /// How the command ended; later than it was taken.
    #[input]
    pub done: Valid<Enum<Outcome>>,
}

const VECTOR_BITS: usize = clog2(VECTORS);

/// Words of an entry of the table; the last is vector control.
const WORDS: usize = 4;

/// Cycles from the one in which a vector is chosen to that in which its command is offered.
pub const TAKEN: usize = 5;

/// What is kept of a function beside its table.
#[derive(Bundle, Clone, Copy)]
struct Bank {
    #[ty(bits(VECTORS))]
    pending: Bits,
    #[ty(bits(VECTORS))]
    masked: Bits,
    /// The vector that was sent last: the next ones come first.
    #[ty(bits(VECTOR_BITS))]
    last: Bits,
}

/// What is being done, and to which word of which table.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Target {
    #[ty(bits(function_bits(config)))]
    function: Bits,
    #[ty(bits(VECTOR_BITS))]
    vector: Bits,
    #[ty(bits(clog2(WORDS)))]
    word: Bits,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// The table is cleared, word by word.
    Clear,
    Idle,
    /// The bank is read.
    Fetch,
    /// Bank or table change, and the answer is made.
    Change,
    /// The vectors that could be sent are found,
    Sift,
    /// one of them,
    Choose,
    /// and its pending bit is cleared.
    Take,
    /// Its entry is read, word by word.
    Entry,
}

/// Why.
#[derive(HwEnum, Clone, Copy)]
enum Task {
    Access,
    Vector,
    Forget,
    Return,
    Scan,
}

/// In the order of the requests of the arbiter.
const TASKS: [Task; 5] = [Task::Access, Task::Vector, Task::Forget, Task::Return, Task::Scan];

/// Keeps the interrupts of all functions.
#[hdl]
pub fn msix(config: &Config) -> MsixIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("pcie_msix_{}_{}", config.functions(), config.bytes);
    module(name, MsixIo::ty(config), |io| {
        let (functions, function_bits) = (config.functions(), function_bits(config));
        let table = mem(bits(32), (VECTORS * WORDS) << function_bits, Collision::Undefined);
        let banks = mem(Bank::ty(), 1 << function_bits, Collision::Undefined);
        let state = reg_enum(State::Clear);
        let task = reg_enum(Task::Access);
        let target = reg(Target::ty(config));
        let access = reg_without_reset(RegisterAccess::ty(config));
        let cleared = reg(flag());
        io.cleared.set(cleared);

        // The message: from the scan that looks for one to the end of its write.
        let busy = reg(flag());
        /// Whose it is.
        let sender = reg_without_reset(Vector::ty(config));
        let offers_command = reg(flag());
        let offers_data = reg(flag());
        /// The engine has the command.
        let awaits = reg(flag());
        /// It did not send it.
        let returned = reg(flag());

        // The function that the scan looks at next.
        let may_send = delay(io.msix_enable & !io.msix_mask & io.bus_master & !io.stopped);
        /// Functions that were touched since a scan of them found nothing.
        let touched = reg(bits(functions));
        let index = reg(bits(function_bits));
        let is_wanted = touched.at(index) & may_send.at(index);
        let hit = delay(is_wanted & !busy & !offers_data) & !busy;
        let nobody = delay(!(touched & may_send).any());
        let touches = state.is(State::Fetch) & !task.is(Task::Scan);
        let next = index.eq(functions - 1).mux(index.zero(), index + 1);
        when(touches, || touched.at(target.function).set(true));
        when(!is_wanted, || {
            index.set(next);
            when(touches & nobody, || index.set(target.function));
        });

        // Whose turn it is.
        let idle = state.is(State::Idle) & !io.reset.valid;
        let turns = prim::round_robin(TASKS.len());
        turns.requests.set(vector([io.access.valid, io.vector.valid, io.clear.valid, returned, hit]));
        turns.accept.set(idle);
        let [of_access, of_vector, of_clear, of_return, of_scan]: [Bool; 5] =
            turns.grant.to_bools().try_into().expect("a bit for each task");
        io.access.ready.set(idle & of_access);
        io.vector.ready.set(idle & of_vector);
        io.clear.ready.set(idle & of_clear);
        let none = lit(0, clog2(WORDS));
        let of = |it: Vector| Target { function: it.function, vector: it.vector, word: none };
        let asked = io.access.payload;
        let asked_offset = Bits::from(asked.offset);
        let asked = Target {
            function: asked.function,
            vector: asked_offset.slice(4, VECTOR_BITS),
            word: asked_offset.slice(2, clog2(WORDS)),
        };
        let scanned = Target { function: index, ..target.zero() };
        let targets = [asked, of(io.vector.payload), of(io.clear.payload), of(sender), scanned];
        when(idle & of_scan, || {
            busy.set(true);
            sender.function.set(index);
            index.set(next);
        });
        when(idle & of_return, || returned.set(false));
        when(state.is(State::Idle), || {
            access.set(io.access.payload);
            target.set(onehot_select(&targets, turns.grant));
            TASKS.iter().enumerate().for_each(|(bit, it)| {
                when(turns.grant.bit(bit), || task.set(*it));
            });
            when(io.reset.valid, || target.set(Target { function: io.reset.payload, ..target.zero() }));
        });

        // What the function has, and what becomes of it.
        let bank = reg_without_reset(Bank::ty());
        when(state.is(State::Fetch), || bank.set(banks.peek(target.function)));
        let place = cat([target.function, target.vector, target.word]);
        let [_, bar] = Bar::of(Kind::Virtual);
        let offset = Bits::from(access.offset).trunc(bar.address_bits);
        let in_table = offset.lt(VECTORS * 4 * WORDS);
        let in_control = in_table & target.word.all();
        let in_pending = offset.eq(PENDING_OFFSET);
        let is_access = task.is(Task::Access);
        let changes = state.is(State::Change);
        let written = changes & is_access & access.write;
        let one = decode(target.vector, VECTORS);
        let none = one.zero();
        let sets = task.is(Task::Vector) | task.is(Task::Return);
        let masks = written & in_control & access.enables.bit(0);
        let (masks, unmasks) = (masks & access.data.bit(0), masks & !access.data.bit(0));
        let changed = Bank {
            pending: (bank.pending | sets.mux(one, none)) & !task.is(Task::Forget).mux(one, none),
            masked: (bank.masked | masks.mux(one, none)) & !unmasks.mux(one, none),
            last: bank.last,
        };
        let clears = state.is(State::Clear);
        let low_bits = target.word.ne(0).bits().repeat(2) & access.data.trunc(2);
        let data = cat([Bits::from(access.data).slice(2, 30), low_bits]);
        when(clears | (written & in_table & !in_control), || {
            table.write_lanes(
                place,
                clears.mux(lit(0, 32), data),
                clears.mux(lit(0xF, 4), access.enables.into()),
            );
        });
        let read = table.read(place);

        // The answer.
        let answers = delay(changes & is_access);
        let is_read = !access.write;
        let masked = delay_without_reset(bank.masked.at(target.vector));
        let shown = [
            (in_table & !in_control, delay_without_reset(read)),
            (in_control, masked.bits().zext(32)),
            (in_pending, bank.pending.zext(32)),
        ];
        let shown = shown.into_iter().map(|(is_it, word)| word & (is_it & is_read).bits().repeat(32));
        let shown = shown.reduce(|a, b| a | b).expect("some");
        io.answer.valid.set(delay(answers));
        io.answer.payload.data.set(delay_without_reset(shown).as_u());
        io.answer.payload.aborted.set(false);

        // The scan.
        let sendable = reg_without_reset(bits(VECTORS));
        /// Those of them that come first.
        let early = reg_without_reset(bits(VECTORS));
        let chosen = reg_without_reset(bits(VECTORS));
        let open = bank.pending & !bank.masked;
        let above = vector((0..VECTORS).map(|it| bank.last.lt(it)));
        sendable.set(open);
        early.set(open & above);
        chosen.set(first_one(early.any().mux(early, sendable)));
        let number = encode(chosen);
        let taken = Bank { pending: bank.pending & !chosen, last: number, ..bank };
        let entry = reg_without_reset(bits(96));

        // One step after the other.
        let is_end = target.vector.all() & target.word.all();
        let is_last = cleared | target.function.eq(functions - 1);
        let takes = state.is(State::Take);
        let fresh = Bank { masked: !lit(0, VECTORS), ..bank.zero() };
        when(changes | takes | (clears & is_end), || {
            banks.write(target.function, clears.mux(fresh, takes.mux(taken, changed)));
        });
        io.reset.ready.set(clears & is_end & cleared);
        let step = cat([target.vector, target.word]) + 1;
        state.cases(|s| match s {
            State::Clear => {
                target.vector.set(step.slice(clog2(WORDS), VECTOR_BITS));
                target.word.set(step.trunc(clog2(WORDS)));
                when(is_end, || {
                    target.function.set(target.function + 1);
                    when(is_last, || {
                        cleared.set(true);
                        state.set(State::Idle);
                    });
                });
            }
            State::Idle => {
                when(turns.any, || state.set(State::Fetch));
                when(io.reset.valid, || state.set(State::Clear));
            }
            State::Fetch => {
                state.set(State::Change);
                when(task.is(Task::Scan), || state.set(State::Sift));
            }
            State::Change => {
                when(task.is(Task::Return), || busy.set(false));
                state.set(State::Idle);
            }
            State::Sift => state.set(State::Choose),
            State::Choose => {
                state.set(State::Take);
                when(!sendable.any(), || {
                    touched.at(target.function).set(false);
                    busy.set(false);
                    state.set(State::Idle);
                });
            }
            State::Take => {
                target.vector.set(number);
                sender.vector.set(number);
                state.set(State::Entry);
            }
            State::Entry => {
                entry.set(cat([read, entry.slice(32, 64)]));
                target.word.set(target.word + 1);
                when(target.word.all(), || {
                    offers_command.set(true);
                    offers_data.set(true);
                    state.set(State::Idle);
                });
            }
        });

        // The message.
        let [low, high, payload] = [0, 1, 2].map(|word| entry.slice(32 * word, 32));
        io.command.valid.set(offers_command);
        io.command.payload.set(Command {
            function: sender.function,
            address: cat([high, low]).as_u(),
            length: lit(4, LENGTH_BITS).as_u(),
            relaxed: lit(0, 1).as_bool(),
        });
        io.data.valid.set(offers_data);
        io.data.payload.data.set(payload.zext(8 * config.bytes));
        io.data.payload.count.set(4);
        io.data.payload.last.set(true);
        io.data.payload.error.set(false);
        when(io.command.fire(), || {
            offers_command.set(false);
            awaits.set(true);
        });
        when(io.data.fire(), || offers_data.set(false));
        when(awaits & io.done.valid, || {
            awaits.set(false);
            let is_stopped = io.done.payload.is(Outcome::Stopped);
            returned.set(is_stopped);
            busy.set(is_stopped);
        });
        // A scan begins two cycles after it was seen that the function may send.
        let were_stopped = delay(io.stopped);
        let are_stopped = delay(were_stopped) & were_stopped & io.stopped;
        let sending = busy.mux(decode(sender.function, functions), io.stopped.zero());
        io.quiet.set(delay(are_stopped & !sending));
        io.command.assert_stable();
        io.data.assert_stable();
    })
}
