//! Errors: what is noted in configuration space, and what is told to the root complex (6.2).
//!
//! # Purpose
//! Takes what the transaction layer found, sets the bits of Status, Device Status and the AER registers, keeps the header of
//! the first error, and sends ERR_COR, ERR_NONFATAL or ERR_FATAL if software allows it.
//!
//! # Schematic
//! ```text
//!  error ─► fifo ─► function ─► read enables, masks, severity, what is logged ─► weigh ─► marks ─► message
//!                      ▲                  ▼    ▲                                           │
//!                      │               access  answer                                      │
//!                      └────────────── the next function, of an error of none ◄────────────┘
//! ```
//! # Rules
//! - An error of a function is that function's; any other, and whatever is malformed, is an error of all functions that are not
//!   virtual, with one message at most of each severity: from the first function that may send it (6.2.4).
//! - Enables, masks and severity of a virtual function are those of function 0 (6.2.9).
//! - If it is not fatal, it is *advisory* (6.2.3.2.4) where another one has it to report: a request that was completed with
//!   Unsupported Request or Completer Abort, an unexpected completion, a poisoned completion. Posted requests have no
//!   completion, and a poisoned one is not done with by its completion.
//! - Status bits are set even if the error is masked, but an advisory error whose correctable bit is masked sets none in the
//!   uncorrectable status (figure 6-2).
//! - An error that is not masked is logged if none is: if the bit that First Error Pointer names is 0 in the uncorrectable
//!   status. Software clears that bit when it is done with the log (6.2.4.2).
//! - A function that is stopped sends no message, and an error of it that comes then is dropped, but for a completion that
//!   nobody expects: no function claims it, and so it is an error of none. What came before still makes
//!   its marks: a reset waits until that is done (`flush`), and so nothing of it is left behind the reset.
//!
//! # Timing
//! One error at a time. It takes seven accesses, up to nine marks and a message for each function: up to 150 cycles, if
//! configuration space takes 7 for each and nobody else uses it. [`EVENTS`] errors may wait, with the one that is reported;
//! more are lost. Masks and enables count as they are when they are read. Outputs are decoded from registers.

#[cfg(test)]
mod tests;

use super::{
    configuration::{Access, Mark, function_bits},
    errors::{ErrorEvent, ErrorKind},
    functions::is_virtual,
    identity::Identity,
    space::{Field, Kind, Structure, field, space},
    tlp::{First, TlpBeat, kind},
};
use crate::{config::Config, prim};
use hdl::*;

/// Errors that may wait, with the one that is reported.
pub const EVENTS: usize = 8;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ReporterIo {
    /// The legacy personality.
    #[input]
    pub legacy: Bool,
    /// How many functions it has: 1, 2, 4 or 8; no more than there are.
    #[input]
    pub legacy_functions: U<4>,
    #[input]
    pub identity: Identity,
    /// Functions that send nothing.
    #[input]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
    /// Asks for `flushed`; not again before it has come.
    #[input]
    pub flush: Bool,
    /// Errors that had come two cycles before the last `flush` are dealt with, and their messages have been taken.
    #[output]
    pub flushed: Bool,
    /// Always taken; lost if there is no room.
    #[input]
    #[ty(Stream::ty(ErrorEvent::ty(config)))]
    pub error: Stream<ErrorEvent>,
    /// Reads of configuration space.
    #[output]
    #[ty(Stream::ty(Access::ty(config)))]
    pub access: Stream<Access>,
    #[input]
    pub answer: Valid<U<32>>,
    #[output]
    #[ty(Stream::ty(Mark::ty(config)))]
    pub mark: Stream<Mark>,
    /// Packets of one beat.
    #[output]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub message: Stream<TlpBeat>,
}

/// The header of a message without data (2.2.8.3).
#[derive(Bundle, Clone, Copy)]
struct MessageHeader {
    unused: U<64>,
    requester: U<16>,
    tag: U<8>,
    code: U<8>,
    first: First,
}

/// Codes of the messages (table 2-25): correctable, non-fatal, fatal.
const CODES: [usize; 3] = [0x30, 0x31, 0x33];

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// A register is read.
    Ask,
    Await,
    /// What is to be said is found out,
    Weigh,
    /// and what is to be noted.
    Settle,
    /// A mark is made,
    Prepare,
    /// and offered.
    Mark,
    Message,
    /// There may be another function.
    Next,
}

/// The registers that are read, in their order. The first ones are those of the function that decides.
const READS: [&str; 7] = [
    "header.command_status.parity_response",
    "express.device_control.report_correctable",
    "errors.uncorrectable_mask.poisoned",
    "errors.uncorrectable_severity.poisoned",
    "errors.correctable_mask.advisory",
    "errors.control.first_error",
    "errors.uncorrectable_status.poisoned",
];

/// How many those are.
const DECIDING: usize = 5;

/// The registers that are marked, in their order: the log before the bit that makes it valid.
const MARKS: [&str; 9] = [
    "header.command_status.detected_parity",
    "express.device_control.fatal_detected",
    "errors.correctable_status.advisory",
    "errors.control.first_error",
    "errors.log0.header",
    "errors.log1.header",
    "errors.log2.header",
    "errors.log3.header",
    "errors.uncorrectable_status.poisoned",
];

/// Errors that have a bit in the uncorrectable status.
const UNCORRECTABLE: [(ErrorKind, &str); 7] = [
    (ErrorKind::Poisoned, "poisoned"),
    (ErrorKind::CompletionTimeout, "completion_timeout"),
    (ErrorKind::CompleterAbort, "completer_abort"),
    (ErrorKind::UnexpectedCompletion, "unexpected_completion"),
    (ErrorKind::Malformed, "malformed"),
    (ErrorKind::Unsupported, "unsupported_request"),
    (ErrorKind::UnsupportedPosted, "unsupported_request"),
];

/// Where things are in the space of a physical function, which are at the same place in others that have them.
struct Places(Vec<Structure>);

impl Places {
    fn field(&self, path: &str) -> (usize, Field) {
        field(&self.0, path).expect("every function has it")
    }

    /// Numbers of registers.
    fn registers(&self, paths: &[&str]) -> Vec<Bits> {
        paths.iter().map(|path| lit(self.field(path).0 / 4, 10)).collect()
    }

    /// The word of a register with these flags.
    fn word(&self, register: &str, flags: &[(&str, Bool)]) -> Bits {
        let of = |(name, flag): &(&str, Bool)| {
            let (_, field) = self.field(&format!("{register}.{name}"));
            flag.bits().zext(32) << lit(field.low as u128, 5)
        };
        flags.iter().map(of).reduce(|a, b| a | b).expect("some flags")
    }
}

/// Reports errors.
#[hdl]
pub fn reporter(config: &Config) -> ReporterIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("pcie_reporter_{}_{}", config.functions(), config.bytes);
    module(name, ReporterIo::ty(config), |io| {
        let (functions, function_bits) = (config.functions(), function_bits(config));
        let places = Places(space(config, Kind::Physical));
        let state = reg_enum(State::Idle);
        let step = reg_without_reset(bits(clog2(MARKS.len())));
        let function = reg_without_reset(bits(function_bits));

        let events = prim::fifo(ErrorEvent::ty(config), EVENTS);
        io.error.ready.set(true);
        events.enq.valid.set(io.error.valid & events.enq.ready);
        events.enq.payload.set(io.error.payload);
        let event = events.deq.payload;
        /// Of each event, one cycle later: whether its function was stopped.
        let late = prim::fifo(flag(), EVENTS);
        let came = delay_without_reset(io.error.payload.function);
        late.enq.valid.set(delay(events.enq.fire()));
        late.enq.payload.set(came.valid & io.stopped.at(came.payload));
        let (waits, is_late) = (late.deq.valid, late.deq.payload);

        // What it is.
        let is = |kind: ErrorKind| delay_without_reset(event.kind.is(kind));
        let errors = UNCORRECTABLE.map(|(kind, name)| (name, is(kind)));
        let [poisoned, _, aborted, unexpected, _, unsupported, unsupported_posted] =
            errors.map(|(_, is_it)| is_it);
        let [received_abort, received_unsupported, sent_poisoned] =
            [ErrorKind::ReceivedAbort, ErrorKind::ReceivedUnsupported, ErrorKind::SentPoisoned].map(is);
        let words = Bits::from(event.header).chunks(32);
        let first = First::ty().unpack(words[0]);
        let of_type = Bits::from(first.kind);
        let (format, of_type) = (of_type.slice(5, 3), of_type.trunc(5));
        let is_completion = delay_without_reset(of_type.slice(1, 4).eq(kind::COMPLETION >> 1));
        let is_write = of_type.eq(0) & format.bit(1);
        let is_posted = delay_without_reset(is_write | of_type.slice(3, 2).eq(2));
        let is_poisoned = delay_without_reset(first.poisoned);
        let of_request = unsupported | unsupported_posted;
        let is_error = !(received_abort | received_unsupported | sent_poisoned);
        let of_another =
            (unsupported & !is_poisoned) | (aborted & !is_posted) | unexpected | (poisoned & is_completion);
        let is_of_all =
            event.kind.is(ErrorKind::Malformed) | (event.kind.is(ErrorKind::UnexpectedCompletion) & is_late);
        let of_one = event.function.valid & !is_of_all;

        // Whose registers decide.
        let owner = is_virtual(config, function, io.legacy).mux(function.zero(), function);
        io.access.valid.set(state.is(State::Ask));
        io.access.payload.set(Access {
            function: step.lt(DECIDING).mux(owner, function),
            register: select(&places.registers(&READS), step.trunc(clog2(READS.len()))).as_u(),
            ..io.access.payload.zero()
        });

        // What they say.
        let answer = Bits::from(io.answer.payload);
        let flag_of = |path: &str| answer.bit(places.field(path).1.low);
        let own = |register: &str| {
            let of = |(name, is_it): &(&str, Bool)| *is_it & flag_of(&format!("errors.{register}.{name}"));
            any_of(errors.iter().map(of))
        };
        let kept = |path: &str, value: Bool| {
            let kept = reg_without_reset(flag());
            let at = READS.iter().position(|read| read.rsplit_once('.').expect("a path").0 == path);
            when(io.answer.valid & step.eq(at.expect("it is read")), || kept.set(value));
            kept
        };
        let command =
            |name: &str| kept("header.command_status", flag_of(&format!("header.command_status.{name}")));
        let [parity, system_error] = ["parity_response", "system_error"].map(command);
        let control = |name: &str| {
            kept("express.device_control", flag_of(&format!("express.device_control.report_{name}")))
        };
        let [correctable, nonfatal, fatal, reports_unsupported] =
            ["correctable", "nonfatal", "fatal", "unsupported"].map(control);
        let is_masked = kept("errors.uncorrectable_mask", own("uncorrectable_mask"));
        let is_fatal = kept("errors.uncorrectable_severity", own("uncorrectable_severity"));
        let advisory_mask = flag_of("errors.correctable_mask.advisory");
        let is_advisory_masked = kept("errors.correctable_mask", advisory_mask);
        let pointed = reg_without_reset(bits(5));
        when(io.answer.valid & step.eq(READS.len() - 2), || pointed.set(answer.trunc(5)));
        let is_logged = kept("errors.uncorrectable_status", answer.at(pointed));

        // What is to be noted and said.
        /// Severities that had their message.
        let said = reg_without_reset(bits(CODES.len()));
        let says = reg_without_reset(bits(CODES.len()));
        let is_advisory = delay_without_reset(of_another & !is_fatal);
        let notes = is_error & !(is_advisory & is_advisory_masked);
        let logs = delay_without_reset(notes & !is_masked & !is_logged);
        let is_own = is_error & !is_advisory;
        let may_be_said = !of_request | reports_unsupported;
        let own_may_be_said = is_own & !is_masked & (may_be_said | system_error);
        let messages = [
            is_advisory & !is_advisory_masked & may_be_said & correctable,
            own_may_be_said & !is_fatal & (nonfatal | system_error),
            own_may_be_said & is_fatal & (fatal | system_error),
        ];
        let system_error_sent = system_error & (says.bit(1) | says.bit(2));
        let status = places.word(
            "header.command_status",
            &[
                ("master_data_parity", ((poisoned & is_completion) | sent_poisoned) & parity),
                ("signaled_target_abort", aborted),
                ("received_target_abort", received_abort),
                ("received_master_abort", received_unsupported),
                ("signaled_system_error", system_error_sent),
                ("detected_parity", poisoned),
            ],
        );
        let device_status = places.word(
            "express.device_control",
            &[
                ("correctable_detected", is_advisory),
                ("nonfatal_detected", is_own & !is_fatal),
                ("fatal_detected", is_own & is_fatal),
                ("unsupported_detected", of_request),
            ],
        );
        let advisory = places.word("errors.correctable_status", &[("advisory", is_advisory)]);
        let error = places.word("errors.uncorrectable_status", &errors);
        let pointer = errors.iter().map(|(name, is_it)| {
            let (_, field) = places.field(&format!("errors.uncorrectable_status.{name}"));
            lit(field.low as u128, 32) & is_it.bits().repeat(32)
        });
        let pointer = pointer.reduce(|a, b| a | b).expect("some errors");
        let marks = [
            (status.any(), status),
            (is_error, device_status),
            (is_advisory, advisory),
            (logs, pointer),
            (logs, words[0]),
            (logs, words[1]),
            (logs, words[2]),
            (logs, words[3]),
            (notes, error),
        ];
        let wanted = delay_without_reset(vector(marks.map(|(wanted, _)| wanted)));
        /// Its function sends nothing.
        let is_stopped = delay_without_reset(io.stopped.at(function));
        let mark = reg_without_reset(Mark::ty(config));
        mark.function.set(function);
        mark.register.set(select(&places.registers(&MARKS), step).as_u());
        mark.data.set(select(&marks.map(|(_, word)| word), step).as_u());
        io.mark.valid.set(state.is(State::Mark));
        io.mark.payload.set(mark);

        // What is said.
        // A message that waits keeps its requester.
        let requester = reg_without_reset(U::<16>::ty());
        when(state.is(State::Settle), || requester.set(io.identity.routing_id(config, function)));
        let codes = CODES.map(|code| lit(code, 8));
        let header = MessageHeader {
            requester,
            code: prim::onehot_select(&codes, says).as_u(),
            first: First { kind: lit(kind::MESSAGE_TO_ROOT, 8).as_u(), ..First::ty().zero() },
            ..MessageHeader::ty().zero()
        };
        io.message.valid.set(state.is(State::Message) & says.any());
        io.message.payload.set(TlpBeat {
            header: header.pack().as_u(),
            first: lit(1, 1).as_bool(),
            last: lit(1, 1).as_bool(),
            ..io.message.payload.zero()
        });

        // One step after the other.
        let count = io.legacy.mux(io.legacy_functions.into(), lit(2, 4));
        let is_last = of_one | (function.zext(7) + 1).ge(count.zext(7)) | function.eq(functions - 1);
        let ends = state.is(State::Next) & is_last;
        events.deq.ready.set(ends);
        late.deq.ready.set(ends);
        /// Events that a flush waits for.
        let ahead = reg(events.occupancy);
        let left = ends.bits().zext(ahead.width());
        when(io.flush, || ahead.set(events.occupancy - left))
            .elsewhen(ahead.any(), || ahead.set(ahead - left));
        io.flushed.set(!ahead.any());
        // What is an error of all is none of a function that is being reset.
        let begins = |at: Bits| {
            function.set(at);
            step.set(0);
            state.set(State::Ask);
            when(!of_one & io.stopped.at(at), || {
                says.set(0);
                state.set(State::Next);
            });
        };
        let next_mark = || {
            step.set(step + 1);
            state.set(State::Prepare);
            when(step.eq(MARKS.len() - 1), || {
                state.set(State::Message);
                when(is_stopped, || says.set(0));
            });
        };
        state.cases(|s| match s {
            State::Idle => {
                said.set(0);
                when(waits, || begins(of_one.mux(event.function.payload, function.zero())));
                when(waits & is_late & of_one, || state.set(State::Next));
            }
            State::Ask => {
                when(io.access.ready, || state.set(State::Await));
            }
            State::Await => {
                when(io.answer.valid, || {
                    step.set(step + 1);
                    state.set(State::Ask);
                    when(step.eq(READS.len() - 1), || state.set(State::Weigh));
                });
            }
            State::Weigh => {
                says.set(vector(messages) & !said);
                step.set(0);
                state.set(State::Settle);
            }
            State::Settle => state.set(State::Prepare),
            State::Prepare => {
                when(wanted.at(step), || state.set(State::Mark)).otherwise(next_mark);
            }
            State::Mark => {
                when(io.mark.ready, next_mark);
            }
            State::Message => {
                when(io.message.ready | !says.any(), || state.set(State::Next));
            }
            State::Next => {
                said.set(said | says);
                begins(function + 1);
                when(is_last, || state.set(State::Idle));
            }
        });
        io.access.assert_stable();
        io.mark.assert_stable();
        io.message.assert_stable();
    })
}
