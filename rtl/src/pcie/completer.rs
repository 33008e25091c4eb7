//! Carries requests out.

#[cfg(test)]
mod tests;

use super::{
    base_addresses::Hit,
    config_requests::{ConfigRequest, ShortCompletion},
    configuration::function_bits,
    errors::{ErrorEvent, ErrorKind},
    identity::Identity,
    receiver::{LONGEST, NonPosted, Posted},
    register_bus::{RegisterAccess, RegisterAnswer},
    tlp::{CompletionHeader, ConfigurationHeader, MemoryHeader, Status, TlpBeat, kind},
};
use crate::{config::Config, prim};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct CompleterIo {
    #[input]
    pub posted: Stream<Posted>,
    #[input]
    #[ty(Stream::ty(bits(8 * config.bytes)))]
    pub posted_data: Stream<Bits>,
    #[input]
    pub non_posted: Stream<NonPosted>,
    #[input]
    pub identity: Identity,
    /// To [`super::base_addresses::base_addresses`].
    #[output]
    pub search: Bool,
    #[output]
    pub address: U<64>,
    #[input]
    #[ty(Valid::ty(Hit::ty(config)))]
    pub hit: Valid<Hit>,
    /// To [`super::config_requests::config_requests`], with its answer.
    #[output]
    pub config_request: Stream<ConfigRequest>,
    #[input]
    pub config_completion: Stream<ShortCompletion>,
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub config_owner: Valid<Bits>,
    /// The configuration request asks for a reset of this function.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub asked: Valid<Bits>,
    /// Its completion has left.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub reset: Valid<Bits>,
    #[output]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub register: Stream<RegisterAccess>,
    #[input]
    pub answer: Valid<RegisterAnswer>,
    #[output]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub completion: Stream<TlpBeat>,
    #[output]
    #[ty(Valid::ty(ErrorEvent::ty(config)))]
    pub error: Valid<ErrorEvent>,
}

/// A beat of a completion, and the reset that it announces.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Announced {
    #[ty(TlpBeat::ty(config.bytes))]
    beat: TlpBeat,
    #[ty(Valid::ty(bits(function_bits(config))))]
    reset: Valid<Bits>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// What it asks for is looked at.
    Look,
    /// The function is searched for.
    Search,
    /// A word is accessed.
    Ask,
    Await,
    /// The word is put beside those before it.
    Gather,
    /// What is left of a payload is thrown away.
    Drain,
    /// So is what has been read, after an abort.
    Discard,
    /// The completion goes out.
    Complete,
    /// A configuration request is handed on, and its completion awaited.
    Configure,
    Configured,
}

/// Beats of completions that may wait for the transmitter.
const WAITING: usize = 16;

/// Carries requests out, one at a time, word by word.
///
/// ```text
///  posted ─────┐              ┌─► base addresses ─► register bus, a word at a time ─┐
///  posted_data ┼─► request ───┤                                                      ├─► fifo ─► completion
///  non_posted ─┘              ├─► configuration requests ────────────────────────────┤
///                             └─► not supported ─────────────────────────────────────┘
/// ```
///
/// A non-posted request comes when the posted ones before it have been taken (table 2-42); then both kinds take turns. It begins
/// only when there is room for its completion, so that no posted one ever waits for the transmitter.
///
/// | request | answer |
/// |---|---|
/// | memory write | each word is written with its byte enables |
/// | memory read of up to 64 bytes | one completion with all words |
/// | longer read | Completer Abort (2.3.1) |
/// | longer write | nothing happens, reported as unsupported |
/// | no function answers to the address | Unsupported Request; a write is dropped |
/// | poisoned write | nothing happens, reported (2.7.2.2) |
/// | an access that the function aborts | Completer Abort; of a write the rest is done all the same, and it is reported |
/// | configuration | [`super::config_requests`] |
/// | anything else | Unsupported Request |
///
/// What lies behind the end of a base address reads 0, and is not written.
#[hdl]
pub fn completer(config: &Config) -> CompleterIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("pcie_completer_{}x{}", config.functions(), 8 * config.bytes);
    module(name, CompleterIo::ty(config), |io| {
        let bytes = config.bytes;
        let lanes = bytes / 4;
        let lane_bits = clog2(lanes);
        let state = reg_enum(State::Idle);
        let completions = prim::fifo(Announced::ty(config), WAITING);
        io.completion.valid.set(completions.deq.valid);
        io.completion.payload.set(completions.deq.payload.beat);
        completions.deq.ready.set(io.completion.ready);
        let announced = completions.deq.payload.reset;
        io.reset.valid.set(completions.deq.fire() & announced.valid);
        io.reset.payload.set(announced.payload);

        // The request.
        let raw = reg_without_reset(U::<128>::ty());
        let header = MemoryHeader::ty().unpack(raw);
        let data = reg_without_reset(U::<32>::ty());
        let is_posted = reg_without_reset(flag());
        let too_long = reg_without_reset(flag());
        let malformed = reg_without_reset(flag());
        /// Beats of its payload that are still on the stream.
        let beats = reg_without_reset(bits(4));
        let has_room = completions.occupancy.le(WAITING - LONGEST / bytes);
        // In turn, where both kinds wait.
        let was_posted = reg(flag());
        let prefers_other = was_posted & io.non_posted.valid & has_room;
        let may_take_posted = state.is(State::Idle) & !prefers_other;
        let takes_posted = may_take_posted & io.posted.valid;
        let may_take_other = state.is(State::Idle) & has_room & (prefers_other | !io.posted.valid);
        let takes_non_posted = may_take_other & io.non_posted.valid;
        io.posted.ready.set(may_take_posted);
        io.non_posted.ready.set(may_take_other);
        when(takes_posted | takes_non_posted, || was_posted.set(takes_posted));
        when(takes_posted, || {
            raw.set(io.posted.payload.header);
            beats.set(io.posted.payload.beats);
            too_long.set(io.posted.payload.too_long);
            malformed.set(io.posted.payload.malformed);
            is_posted.set(true);
        })
        .elsewhen(takes_non_posted, || {
            raw.set(io.non_posted.payload.header);
            data.set(io.non_posted.payload.data);
            beats.set(0);
            is_posted.set(false);
            malformed.set(false);
        });
        let kind_of = Bits::from(header.first.kind);
        let length = Bits::from(header.first.length);
        let is_memory = kind_of.slice(0, 5).eq(0);
        let is_config = kind_of.slice(1, 4).eq(2);
        let is_locked = kind_of.slice(0, 5).eq(kind::LOCKED_READ);
        let is_long_read = length.gt(LONGEST / 4) | !length.any();

        let byte_count = delay_without_reset(header.byte_count());
        let lower_address = header.lower_address();
        let (enables, last_enables) = (Bits::from(header.enables), Bits::from(header.last_enables));

        // The function.
        let looks = state.is(State::Look);
        io.search.set(looks & is_memory & !malformed);
        io.address.set(delay_without_reset(header.address()).as_u());
        let hit = reg_without_reset(Hit::ty(config));
        let found = reg_without_reset(flag());
        /// Where the word is.
        let position = reg_without_reset(bits(17));
        let searched = state.is(State::Search) & io.hit.valid;
        when(searched, || {
            hit.set(io.hit.payload);
            position.set(Bits::from(io.hit.payload.offset).zext(17));
        });
        when(looks, || found.set(false)).elsewhen(searched, || found.set(io.hit.payload.found));

        // The words.
        let index = reg_without_reset(bits(5));
        let lane = index.trunc(lane_bits);
        let is_last = reg_without_reset(flag());
        let ends_beat = is_last | lane.all();
        let aborted = reg_without_reset(flag());
        let is_nothing = hit.beyond | position.ge(Bits::from(hit.size));
        let asks = state.is(State::Ask) & (!is_posted | io.posted_data.valid);
        let payload_words = io.posted_data.payload.chunks(32);
        let is_first = !index.any();
        io.register.valid.set(asks & !is_nothing);
        io.register.payload.function.set(hit.function);
        io.register.payload.msix.set(hit.msix);
        io.register.payload.offset.set(position.trunc(16).as_u());
        io.register.payload.write.set(is_posted);
        let inner = is_last.mux(last_enables, lit(15, 4));
        io.register.payload.enables.set(is_first.mux(enables, inner).as_u());
        let payload_word = select(&payload_words, lane);
        io.register.payload.data.set(is_posted.mux(payload_word, lit(0, 32)).as_u());
        io.register.assert_stable();
        let answers = state.is(State::Await) & io.answer.valid;
        let is_done = (asks & is_nothing) | answers;
        let word = answers.mux(io.answer.payload.data.into(), lit(0, 32));
        let row: Vec<Bits> = (0..lanes).map(|_| reg_without_reset(bits(32))).collect();
        when(is_done, || {
            set_at(&row, lane, word);
            aborted.set(aborted | (answers & io.answer.payload.aborted));
        });
        when(looks, || {
            index.set(0);
            is_last.set(length.eq(1));
            aborted.set(false);
        });
        let gathers = state.is(State::Gather);
        when(gathers, || {
            index.set(index + 1);
            is_last.set((index.zext(10) + 2).eq(length));
            position.set(position + 4);
        });
        let gathered = prim::fifo(bits(8 * bytes), LONGEST / bytes);
        gathered.enq.valid.set(gathers & !is_posted & ends_beat);
        gathered.enq.payload.set(cat(row.iter().rev().copied()));
        let drains = state.is(State::Drain) & beats.any();
        let takes_beat = (gathers & is_posted & ends_beat) | (drains & io.posted_data.valid);
        io.posted_data.ready.set(takes_beat);
        when(takes_beat, || beats.set(beats - 1));

        // How it ends.
        let status = |status: Status| lit(status as u128, 3);
        let ends = reg_without_reset(bits(3));
        let has_data = ends.eq(Status::Successful as usize);
        let poisoned = header.first.poisoned;
        state.cases(|s| match s {
            State::Idle => {
                when(takes_posted | takes_non_posted, || state.set(State::Look));
            }
            State::Look => {
                ends.set(status(Status::UnsupportedRequest));
                when(malformed, || state.set(State::Drain))
                    .elsewhen(is_memory, || state.set(State::Search))
                    .elsewhen(is_config, || state.set(State::Configure))
                    .otherwise(|| state.set(State::Complete));
            }
            State::Search => {
                when(io.hit.valid, || {
                    when(!io.hit.payload.found | (is_posted & (poisoned | too_long)), || {
                        when(is_posted, || state.set(State::Drain)).otherwise(|| state.set(State::Complete));
                    })
                    .elsewhen(!is_posted & is_long_read, || {
                        ends.set(status(Status::CompleterAbort));
                        state.set(State::Complete);
                    })
                    .otherwise(|| {
                        ends.set(status(Status::Successful));
                        state.set(State::Ask);
                    });
                });
            }
            State::Ask => {
                when(asks & is_nothing, || state.set(State::Gather))
                    .elsewhen(asks & io.register.ready, || state.set(State::Await));
            }
            State::Await => {
                when(io.answer.valid, || state.set(State::Gather));
            }
            State::Gather => {
                when(!is_last, || state.set(State::Ask))
                    .elsewhen(is_posted, || state.set(State::Drain))
                    .elsewhen(aborted, || {
                        ends.set(status(Status::CompleterAbort));
                        state.set(State::Discard);
                    })
                    .otherwise(|| state.set(State::Complete));
            }
            State::Drain => {
                when(!beats.any(), || state.set(State::Idle));
            }
            State::Discard => {
                when(!gathered.deq.valid, || state.set(State::Complete));
            }
            State::Complete => {
                when(completions.enq.fire() & completions.enq.payload.beat.last, || state.set(State::Idle));
            }
            State::Configure => {
                when(io.config_request.ready, || state.set(State::Configured));
            }
            State::Configured => {
                when(io.config_completion.valid, || state.set(State::Idle));
            }
        });

        // Configuration requests go their own way.
        io.config_request.valid.set(state.is(State::Configure));
        io.config_request.payload.header.set(ConfigurationHeader::ty().unpack(raw));
        io.config_request.payload.data.set(data);
        io.config_request.assert_stable();
        let configured = state.is(State::Configured) & io.config_completion.valid;
        io.config_completion.ready.set(state.is(State::Configured));

        // The completion.
        // A reset of the physical function may move the place of a virtual one that still answers.
        let identity = reg_without_reset(Identity::ty());
        when(looks, || identity.set(io.identity));
        let function = found.mux(hit.function, hit.function.zero());
        let completer_id = identity.routing_id(config, function);
        let words = has_data.mux(length, lit(0, 10));
        let answer = CompletionHeader::answering(header, completer_id, ends, words);
        let mut first = answer.first;
        first.kind = is_locked.mux(lit(kind::LOCKED_COMPLETION as u128, 8), answer.first.kind.into()).as_u();
        let own_header = CompletionHeader {
            byte_count: byte_count.as_u(),
            lower_address: lower_address.as_u(),
            first,
            ..answer
        };
        let completes = state.is(State::Complete);
        /// The beat that goes out is not the first.
        let goes_on = reg(flag());
        let left = reg_without_reset(bits(5));
        when(looks, || left.set(length.trunc(5)));
        let is_end = !has_data | left.le(lanes);
        when(completions.enq.fire(), || {
            goes_on.set(completes & !is_end);
            left.set(left - lanes);
        });
        let config_data = io.config_completion.payload.data;
        let config_header = io.config_completion.payload.header;
        let config_has_data = config_header.first.length.any();
        let four = |has: Bool| cat([has.bits(), lit(0, 2)]).zext(clog2(bytes + 1));
        let full = lit(bytes as u128, clog2(bytes + 1));
        let rest =
            cat([left.trunc(clog2(lanes + 1)), lit(0, 2)]).zext(clog2(bytes + 1) + 2).trunc(clog2(bytes + 1));
        let count = has_data.mux(is_end.mux(rest, full), full.zero());
        gathered.deq.ready.set((completes & has_data) | state.is(State::Discard));
        completions.enq.valid.set(configured | (completes & (gathered.deq.valid | !has_data)));
        completions.enq.payload.beat.set(TlpBeat {
            header: configured.mux(config_header.pack(), own_header.pack()).as_u(),
            data: configured.mux(Bits::from(config_data).zext(8 * bytes), gathered.deq.payload),
            count: configured.mux(four(config_has_data), count),
            first: configured | !goes_on,
            last: configured | is_end,
        });

        completions.enq.payload.reset.valid.set(configured & io.asked.valid);
        completions.enq.payload.reset.payload.set(io.asked.payload);

        // What was wrong.
        let of_function = |valid: Bool, function: Bits| {
            io.error.payload.function.valid.set(valid);
            io.error.payload.function.payload.set(function);
        };
        let config_fails = configured & Bits::from(config_header.status).any();
        let fails = completes & !goes_on & !has_data & completions.enq.valid;
        let drops = searched & is_posted & (!io.hit.payload.found | poisoned | too_long);
        let aborts = delay(gathers & is_posted & is_last & aborted);
        io.error.valid.set(config_fails | fails | drops | aborts);
        io.error.payload.header.set(raw);
        io.error.payload.kind.set(ErrorKind::Unsupported);
        of_function(found, hit.function);
        when(aborts | (fails & ends.eq(Status::CompleterAbort as usize)), || {
            io.error.payload.kind.set(ErrorKind::CompleterAbort)
        });
        when(config_fails, || {
            of_function(io.config_owner.valid, io.config_owner.payload);
            let is_write = kind_of.bit(6);
            when(poisoned & is_write & io.config_owner.valid, || {
                io.error.payload.kind.set(ErrorKind::Poisoned)
            });
        });
        when(drops, || {
            of_function(io.hit.payload.found, io.hit.payload.function);
            io.error.payload.kind.set(ErrorKind::UnsupportedPosted);
            // Of several errors the one that is not supported comes first (6.2.3.2.3).
            let is_poisoned = io.hit.payload.found & poisoned & !too_long;
            when(is_poisoned, || io.error.payload.kind.set(ErrorKind::Poisoned));
        });
    })
}
