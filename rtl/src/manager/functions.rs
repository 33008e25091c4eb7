//! The registers of each function.
//!
//! # Purpose
//! What the manager says of a function is a row of words in a memory. Writing the last word of a group applies the group: a
//! [`DeviceRow`] of five words, a [`ModerationRow`] of two.
//!
//! # Schematic
//! ```text
//!  ask, request ─► words ─┬─► reply
//!                         ├─► moderation
//!                         └─► rows that wait ─► device, one in 256 cycles
//!  dropped ─► tally ─► DROPPED
//!  broke ───► tally ─► FAULT
//! ```
//!
//! # Rows that wait
//! A write of STATE copies the five words beside the function's row, so that what is written after it does not mix with them; a
//! bit says that the copy waits. Copies leave in turn, by the functions' numbers. A copy that waits is replaced by the next one.
//!
//! # Timing
//! An access takes five cycles, a write that applies a group twelve; nine more if a row leaves just then. One of DROPPED or FAULT waits
//! for a cycle in which neither happens.

use super::{
    map::{FUNCTION_REGISTERS, base, mask, of_function},
    tally::tally,
    types::{Reply, Request},
};
use crate::{
    config::Config,
    pcie::configuration::function_bits,
    register_map::{Access, Position, stored::word},
    veb::row_memory::row_memory,
    virtio::{
        moderation::{Limits, ModerationRow},
        registers::DeviceRow,
        types::Fault,
    },
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct FunctionsIo {
    #[input]
    pub ask: Bool,
    #[input]
    pub request: Request,
    #[output]
    pub reply: Valid<Reply>,
    /// The words have been 0 since reset; nothing is asked for before.
    #[output]
    pub clear: Bool,
    /// A frame of this function found no buffer.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub dropped: Valid<Bits>,
    #[input]
    #[ty(Valid::ty(Fault::ty(config)))]
    pub broke: Valid<Fault>,
    /// None within 256 cycles of another one.
    #[output]
    #[ty(Valid::ty(DeviceRow::ty(config)))]
    pub device: Valid<DeviceRow>,
    #[output]
    #[ty(Valid::ty(ModerationRow::ty(config)))]
    pub moderation: Valid<ModerationRow>,
    #[output]
    #[ty(bits(config.functions()))]
    pub may_address: Bits,
}

/// The function that has no registers here: the manager.
const MANAGER: usize = 1;

/// Cycles between two rows for the functions.
const DISTANCE: usize = 256;

/// Words that are kept in the memory.
const WORDS: usize = 8;

/// Words of a device row.
const DEVICE_WORDS: usize = STATE + 1;
const STATE: usize = of_function("STATE").offset / 4;
const RECEIVE: usize = of_function("MODERATION_RECEIVE").offset / 4;
const TRANSMIT: usize = of_function("MODERATION_TRANSMIT").offset / 4;

/// Cycles from a word's address to the word.
const LATENCY: usize = 2;

const fn place(register: &str, field: &str) -> Position {
    of_function(register).field(field).position
}

/// What is being done.
#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// The access is carried out unless something speaks against it.
    Check,
    /// A word is read.
    Fetch,
    /// The words of a device row are copied.
    Copy,
    /// The other word of a moderation row is read.
    Moderate,
    /// What has happened is asked for,
    Ask,
    /// and comes.
    Await,
    /// A row leaves.
    Leave,
}

/// Keeps the rows, and sends them.
#[hdl]
pub fn functions(config: &Config) -> FunctionsIo {
    let name = format!("manager_functions_{}_{}", config.functions(), config.pairs);
    module(name, FunctionsIo::ty(config), |io| {
        let function_bits = function_bits(config);
        let count = config.functions();
        let state = reg_enum(State::Idle);
        let is = |it| state.is(it);

        // The access, a cycle after it is asked for.
        let write = io.request.write;
        let offset = Bits::from(io.request.offset);
        let number = offset.slice(2, clog2(base::FUNCTION_STRIDE) - 2);
        let whose = offset.slice(clog2(base::FUNCTION_STRIDE), 6);
        let function = whose.trunc(function_bits);
        let known = lit(FUNCTION_REGISTERS.iter().map(|it| 1u128 << (it.offset / 4)).sum::<u128>(), 16);
        let read_only = FUNCTION_REGISTERS.iter().filter(|it| it.access == Access::ReadOnly);
        let read_only = lit(read_only.map(|it| 1u128 << (it.offset / 4)).sum::<u128>(), 16);
        let exists = whose.ne(MANAGER) & if count < 64 { whose.lt(count) } else { true.to_bool() };
        let accepted = delay(exists & known.at(number) & !(write & read_only.at(number)));
        let is_kept = delay(number.lt(WORDS));
        let is_dropped = delay(number.eq(of_function("DROPPED").offset / 4));
        let masks: Vec<Bits> = FUNCTION_REGISTERS[..WORDS].iter().map(|it| lit(mask(it), 32)).collect();
        let data =
            delay_without_reset(Bits::from(io.request.data) & select(&masks, number.trunc(clog2(WORDS))));
        let applies_device = delay(write & number.eq(STATE));
        let applies_moderation = delay(write & number.eq(TRANSMIT));
        let asked = reg(flag());
        when(io.ask, || asked.set(true));

        // Rows that wait.
        let waiting = reg(bits(count));
        let pause = reg(bits(clog2(DISTANCE)));
        when(pause.any(), || pause.set(pause - 1));
        /// The function that is looked at, whether its row waits; then it stays until that has left.
        let leaving = reg(bits(function_bits));
        let waits = waiting.at(leaving);
        let due = delay(waits & !pause.any() & !is(State::Leave));
        when(!waits, || leaving.set(leaving.eq(count - 1).mux(leaving.zero(), leaving + 1)));

        // The words; the copies come behind them.
        let rows = row_memory((2 * WORDS) << function_bits, 32);
        let step = reg(bits(3));
        let word_now = delay_without_reset(rows.row);
        let low = number.trunc(clog2(WORDS));
        let receive = lit(RECEIVE, clog2(WORDS));
        let copies = is(State::Copy);
        let row = |copy: bool, function: Bits, word: Bits| cat([lit(copy as usize, 1), function, word]);
        let own = copies.mux(step, is(State::Moderate).mux(receive, low));
        rows.index.set(is(State::Leave).mux(row(true, leaving, step), row(false, function, own)));
        let stores = is(State::Check) & accepted & write & is_kept;
        let copied = step - LATENCY;
        rows.write.valid.set(stores | (copies & step.ge(LATENCY)));
        rows.write.payload.index.set(copies.mux(row(true, function, copied), row(false, function, low)));
        rows.write.payload.row.set(copies.mux(word_now, data));
        let may_address = reg(bits(count));
        let rights = place("RIGHTS", "may_address");
        when(stores & number.eq(of_function("RIGHTS").offset / 4), || {
            may_address.at(function).set(rights.of(data).as_bool());
        });

        // What has happened.
        let dropped = tally(config, 32, 0);
        dropped.happens.set(io.dropped);
        let fault = io.broke.payload;
        let [cause, slot] = [fault.cause.bits().width(), fault.queue.slot.width()];
        let faults = tally(config, place("FAULT", "count").width, cause + slot);
        faults.happens.valid.set(io.broke.valid);
        faults.happens.payload.set(fault.queue.function);
        faults.note[0].set(cat([fault.queue.slot, fault.cause.bits()]));
        let asks = is(State::Ask);
        for (tally, is_it) in [(&dropped, is_dropped), (&faults, !is_dropped)] {
            tally.ask.valid.set(asks & is_it);
            tally.ask.payload.function.set(function);
            tally.ask.payload.clears.set(write);
        }
        let taken = is_dropped.mux(dropped.ask.ready, faults.ask.ready);
        let told = faults.answer.payload;
        let fields = of_function("FAULT").fields.iter().map(|field| {
            let value = match field.name {
                "cause" => told.trunc(cause),
                "slot" => told.slice(cause, slot),
                "count" => told.slice(cause + slot, field.position.width),
                name => unreachable!("nothing gives FAULT.{name}"),
            };
            (*field, value.zext(field.position.width))
        });
        let fault_word = word(&fields.collect::<Vec<_>>());

        // One after the other.
        let device = reg_without_reset(DeviceRow::ty(config));
        let sends_device = reg(flag());
        let sends_moderation = reg(flag());
        let reply = reg(Valid::ty(Reply::ty()));
        reply.valid.set(false);
        sends_device.set(false);
        sends_moderation.set(false);
        let replies = |refused: Bool, data: Bits| {
            reply.valid.set(true);
            reply.payload.set(Reply { refused, data: data.as_u() });
            asked.set(false);
            state.set(State::Idle);
        };
        let no = false.to_bool();
        step.set(step + 1);
        state.cases(|s| match s {
            State::Idle => {
                step.set(0);
                when(asked, || state.set(State::Check)).elsewhen(due, || state.set(State::Leave));
            }
            State::Check => {
                step.set(0);
                state.set(is_kept.mux(State::Fetch.to_enum(), State::Ask.to_enum()));
                when(applies_device, || state.set(State::Copy));
                when(applies_moderation, || state.set(State::Moderate));
                when(!accepted, || replies(!no, word_now));
                when(stores & !applies_device & !applies_moderation, || replies(no, word_now));
            }
            State::Fetch => {
                when(step.eq(LATENCY), || replies(no, word_now));
            }
            State::Copy => {
                when(step.eq(DEVICE_WORDS - 1 + LATENCY), || {
                    waiting.at(function).set(true);
                    replies(no, word_now);
                });
            }
            State::Moderate => {
                when(step.eq(LATENCY), || {
                    sends_moderation.set(true);
                    replies(no, word_now);
                });
            }
            State::Ask => {
                when(taken, || state.set(State::Await));
            }
            State::Await => {
                when(dropped.answer.valid, || replies(no, dropped.answer.payload));
                when(faults.answer.valid, || replies(no, fault_word));
            }
            State::Leave => {
                when(step.eq(DEVICE_WORDS - 1 + LATENCY), || {
                    sends_device.set(true);
                    waiting.at(leaving).set(false);
                    pause.set(DISTANCE - 1);
                    state.set(State::Idle);
                });
            }
        });
        let field = |register, name| place(register, name).of(word_now);
        let comes = |register: &str| step.eq(of_function(register).offset / 4 + LATENCY) & is(State::Leave);
        let mac = Bits::from(device.mac);
        when(comes("MAC_LOW"), || mac.slice(0, 32).set(field("MAC_LOW", "mac")));
        when(comes("MAC_HIGH"), || mac.slice(32, 16).set(field("MAC_HIGH", "mac")));
        when(comes("MTU"), || device.mtu.set(field("MTU", "mtu").as_u()));
        when(comes("SPEED"), || device.speed.set(field("SPEED", "speed").as_u()));
        when(comes("STATE"), || {
            device.function.set(leaving);
            device.link_up.set(field("STATE", "link_up").as_bool());
            device.announce.set(field("STATE", "announce").as_bool());
            device.duplex.set(field("STATE", "duplex").as_u());
        });
        let of = |name, row: Bits| place("MODERATION_RECEIVE", name).of(row);
        let limits = Limits {
            receive_frames: of("frames", word_now).as_u(),
            receive_time: of("time", word_now).as_u(),
            transmit_frames: of("frames", data).as_u(),
            transmit_time: of("time", data).as_u(),
        };
        io.moderation.valid.set(sends_moderation);
        io.moderation.payload.set(delay_without_reset(ModerationRow { function, limits }));
        io.device.valid.set(sends_device);
        io.device.payload.set(device);
        io.may_address.set(may_address);
        io.reply.set(reply);
        io.clear.set(rows.clear);
    })
}
