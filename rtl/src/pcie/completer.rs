//! Carries requests out.

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
/// | an access that the function aborts | Completer Abort |
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
        let is_one_word = length.eq(1);
        let is_long_read = length.gt(LONGEST / 4) | !length.any();

        // How many bytes a read is about (2.2.5, 2.2.9).
        let (enables, last_enables) = (Bits::from(header.enables), Bits::from(header.last_enables));
        let skipped = leading(enables);
        let left_out = trailing(is_one_word.mux(enables, last_enables));
        let of_read = cat([length, lit(0, 2)]) - skipped.zext(12) - left_out.zext(12);
        let lower_address = cat([header.address().slice(2, 5), skipped]);
        // An atomic operation is about its operand; compare and swap has two of them.
        let is_read = kind_of.slice(1, 4).eq(0);
        let is_atomic = kind_of.slice(2, 3).eq(3);
        let operand = kind_of.bit(1).mux(cat([length, lit(0, 1)]).zext(12), cat([length, lit(0, 2)]));
        let byte_count = is_read.mux(of_read, is_atomic.mux(operand, lit(4, 12)));
        let byte_count = delay_without_reset(byte_count);

        // The function.
        let looks = state.is(State::Look);
        io.search.set(looks & is_memory & !malformed);
        io.address.set(delay_without_reset(header.address()).as_u());
        let hit = reg_without_reset(Hit::ty(config));
        let found = reg_without_reset(flag());
        let searched = state.is(State::Search) & io.hit.valid;
        when(searched, || hit.set(io.hit.payload));
        when(looks, || found.set(false)).elsewhen(searched, || found.set(io.hit.payload.found));

        // The words.
        let index = reg_without_reset(bits(5));
        let lane = index.trunc(lane_bits);
        let is_last = index.zext(10).eq(length - 1);
        let ends_beat = is_last | lane.all();
        let aborted = reg_without_reset(flag());
        let position = Bits::from(hit.offset).zext(17) + cat([index, lit(0, 2)]).zext(17);
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
            aborted.set(false);
        });
        let gathers = state.is(State::Gather);
        when(gathers, || index.set(index + 1));
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
        let function = found.mux(hit.function, hit.function.zero());
        let completer_id = io.identity.routing_id(config, function);
        let words = has_data.mux(length, lit(0, 10));
        let answer = CompletionHeader::answering(header, completer_id, ends, words);
        let mut first = answer.first;
        first.kind = is_locked.mux(lit(kind::LOCKED_COMPLETION as u128, 8), answer.first.kind.into()).as_u();
        let own_header = CompletionHeader {
            byte_count: byte_count.as_u(),
            lower_address: is_read.mux(lower_address, lit(0, 7)).as_u(),
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
        io.error.valid.set(config_fails | fails | drops);
        io.error.payload.header.set(raw);
        io.error.payload.kind.set(ErrorKind::Unsupported);
        of_function(found, hit.function);
        when(fails & ends.eq(Status::CompleterAbort as usize), || {
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
            when(io.hit.payload.found & poisoned, || io.error.payload.kind.set(ErrorKind::Poisoned));
        });
    })
}

/// The lowest byte that is enabled; 0 if none is (table 2-41).
fn leading(enables: Bits) -> Bits {
    let [low, second, third] = [0, 1, 2].map(|byte| enables.bit(byte));
    let number = second.mux(lit(1, 2), third.mux(lit(2, 2), lit(3, 2)));
    (low | !enables.any()).mux(lit(0, 2), number)
}

/// Bytes above the highest that is enabled; 3 if none is (table 2-40).
fn trailing(enables: Bits) -> Bits {
    let [second, third, high] = [1, 2, 3].map(|byte| enables.bit(byte));
    high.mux(lit(0, 2), third.mux(lit(1, 2), second.mux(lit(2, 2), lit(3, 2))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pcie::testing::*, testing::*};
    use std::collections::VecDeque;

    /// What a function has at an address, if there is one: function, MSI-X, offset, size, and whether it is beyond.
    fn lookup(config: &Config, address: u64) -> Option<(usize, bool, u32, u32, bool)> {
        let msix = address >> 17 & 1 == 1;
        let size = if msix { 0x2000 } else { 0x4000 };
        let function = (address >> 18) as usize % config.functions();
        let is_there = address >> 40 & 3 != 0;
        is_there.then_some((function, msix, address as u32 & (size - 1), size, address >> 32 & 7 == 7))
    }

    /// What a register reads, and whether it aborts.
    fn register(function: usize, msix: bool, offset: u32) -> (u32, bool) {
        let value = (offset + 1).wrapping_mul(0x9E37_79B9) ^ (function as u32) << 8 ^ u32::from(msix);
        (value, value >> 26 == 0)
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Seen {
        function: usize,
        msix: bool,
        offset: u32,
        write: Option<u32>,
        enables: u32,
    }

    /// What one request leads to, by the standard.
    #[derive(Default)]
    struct Expected {
        accesses: VecDeque<Seen>,
        completions: Vec<Packet>,
        errors: Vec<(ErrorKind, Option<usize>, [u32; 4])>,
    }

    const BUS: u32 = 0x17;
    const FIRST_VF: u32 = 256;

    impl Expected {
        fn serve(&mut self, config: &Config, packet: &Packet, malformed: bool) {
            let [first, second, ..] = packet.header;
            let (kind, length) = (first >> 24, if first & 0x3FF == 0 { 1024 } else { first & 0x3FF });
            let (enables, last_enables) = (second & 15, second >> 4 & 15);
            let is_long = kind & 0x20 != 0;
            let [third, fourth] = [packet.header[2], packet.header[3]].map(u64::from);
            let address = if is_long { third << 32 | fourth & !3 } else { third & !3 };
            let poisoned = first >> 14 & 1 == 1;
            let is_write = matches!(kind, 0x40 | 0x60);
            if malformed {
                return;
            }
            let of_memory = matches!(kind, 0x00 | 0x20 | 0x40 | 0x60);
            let found = lookup(config, address).filter(|_| of_memory);
            let function = found.map(|(function, ..)| function);
            let mut error = |kind| self.errors.push((kind, function, packet.header));
            let is_good = match found {
                None => {
                    error(if is_write { ErrorKind::UnsupportedPosted } else { ErrorKind::Unsupported });
                    false
                }
                Some(_) if is_write && poisoned => {
                    error(ErrorKind::Poisoned);
                    false
                }
                Some(_) if is_write && length > 16 => {
                    error(ErrorKind::UnsupportedPosted);
                    false
                }
                Some(_) => true,
            };
            let mut status = if is_good { 0 } else { 1 };
            let mut data = vec![];
            if let Some((function, msix, offset, size, beyond)) = found.filter(|_| is_good) {
                if length > 16 {
                    status = 4;
                }
                for word in 0..if length > 16 { 0 } else { length } {
                    let enables = if word == 0 {
                        enables
                    } else if word == length - 1 {
                        last_enables
                    } else {
                        15
                    };
                    let offset = offset + 4 * word;
                    if beyond || offset >= size {
                        data.push(0);
                        continue;
                    }
                    let (value, aborts) = register(function, msix, offset);
                    data.push(value);
                    let write = is_write.then(|| packet.payload[word as usize]);
                    status = if aborts && !is_write { 4 } else { status };
                    self.accesses.push_back(Seen { function, msix, offset, write, enables });
                }
                if status == 4 {
                    error(ErrorKind::CompleterAbort);
                }
            }
            if is_write {
                return;
            }
            // Tables 2-40 and 2-41, byte by byte.
            let mut wanted: Vec<u32> = (0..4 * length)
                .filter(|byte| {
                    let (word, bit) = (byte / 4, byte % 4);
                    let enables = if word == 0 {
                        enables
                    } else if word == length - 1 {
                        last_enables
                    } else {
                        15
                    };
                    enables >> bit & 1 == 1
                })
                .collect();
            if enables == 0 && length == 1 {
                wanted = vec![0];
            }
            let is_read = kind & 0x1E == 0;
            // With enables that the standard does not allow, as many as the tables' columns would have.
            let low = if enables == 0 { 0 } else { enables.trailing_zeros() };
            let last = if length == 1 { enables } else { last_enables };
            let high = 3 - if last == 0 { 0 } else { 31 - last.leading_zeros() };
            let byte_count = match kind {
                _ if is_read => 4 * length - low - high,
                0x4C | 0x4D | 0x6C | 0x6D => 4 * length,
                0x4E | 0x6E => 2 * length,
                _ => 4,
            };
            if is_read
                && (length == 1 || (enables != 0 && last_enables != 0))
                && enables & (enables >> 1 | 8) != 0
            {
                assert!(byte_count as usize >= wanted.len());
            }
            let lower = if is_read { address as u32 & 0x7C | low } else { 0 };
            let number = match function.unwrap_or(0) as u32 {
                own @ 0..2 => own,
                function => function - 2 + FIRST_VF,
            };
            let completer = (BUS << 8) + number;
            let has_data = status == 0;
            let locked = u32::from(kind & 0x1F == 1);
            let kind = (if has_data { 0x4A } else { 0x0A }) | locked;
            let header = [
                kind << 24 | first & 0x00FC_3000 & !(1 << 16 | 1 << 17) | if has_data { length } else { 0 },
                completer << 16 | status << 13 | byte_count & 0xFFF,
                second & 0xFFFF_0000 | second & 0xFF00 | lower,
                0,
            ];
            self.completions.push(Packet { header, payload: if has_data { data } else { vec![] } });
        }
    }

    fn draw(random: &mut Rng, posted: bool) -> Packet {
        let kinds: &[u32] = match posted {
            true => &[0x40, 0x60],
            false => {
                &[0x00, 0x20, 0x00, 0x20, 0x00, 0x20, 0x01, 0x21, 0x02, 0x42, 0x4C, 0x4D, 0x4E, 0x6E, 0x5B]
            }
        };
        let kind = kinds[random.usize(0..kinds.len())];
        let length =
            [1, 1, 2, random.u32(1..=16), random.u32(1..=16), random.u32(0..1024)][random.usize(0..6)];
        let mut header = [0; 4].map(|_: u32| random.u32(..));
        let poisoned = u32::from(random.u8(..8) == 0) << 14;
        header[0] = kind << 24 | random.u32(..) & 0x00F0_3000 & !(1 << 19 | 1 << 23) | poisoned | length;
        if length == 1 {
            header[1] &= !0xF0;
        }
        let words = match posted {
            true if length == 0 => 1024,
            true => length,
            false => 0,
        };
        Packet { header, payload: (0..words).map(|_| random.u32(..)).collect() }
    }

    /// Everything around the completer.
    struct World<'a> {
        config: &'a Config,
        io: CompleterIo,
        expected: Expected,
        posted: VecDeque<(Packet, bool)>,
        non_posted: VecDeque<Packet>,
        /// A search that is under way, and cycles until it ends.
        search: Option<(u64, usize)>,
        access: Option<(Seen, usize)>,
        errors: Vec<Word>,
        seen: Vec<Seen>,
        accept: bool,
    }

    impl Agent for World<'_> {
        fn drive(&mut self, bench: &mut Bench) {
            let config = self.config;
            let done = matches!(self.search, Some((_, 0)));
            bench.sim.poke(self.io.hit.valid, done);
            if let Some((address, 0)) = self.search {
                let hit = &self.io.hit.payload;
                let (function, msix, offset, size, beyond) = lookup(config, address).unwrap_or_default();
                bench.sim.poke(hit.found, lookup(config, address).is_some());
                bench.sim.poke(hit.function, function as u128);
                bench.sim.poke(hit.msix, msix);
                bench.sim.poke(hit.offset, u128::from(offset));
                bench.sim.poke(hit.size, u128::from(size));
                bench.sim.poke(hit.beyond, beyond);
            }
            let answered = matches!(self.access, Some((_, 0)));
            bench.sim.poke(self.io.answer.valid, answered);
            if let Some((seen, 0)) = &self.access {
                let (value, aborts) = register(seen.function, seen.msix, seen.offset);
                bench.sim.poke(self.io.answer.payload.data, u128::from(value));
                bench.sim.poke(self.io.answer.payload.aborted, aborts);
            }
            self.accept = bench.rng.bool() && self.access.is_none();
            bench.sim.poke(self.io.register.ready, self.accept);
        }

        fn sample(&mut self, bench: &mut Bench) {
            let sim = &mut bench.sim;
            let ages = [self.search.as_mut().map(|it| &mut it.1), self.access.as_mut().map(|it| &mut it.1)];
            ages.into_iter().flatten().for_each(|left| *left = left.wrapping_sub(1));
            self.search = self.search.filter(|(_, left)| *left != usize::MAX);
            self.access = self.access.take().filter(|(_, left)| *left != usize::MAX);
            if sim.peek(self.io.search) {
                assert_eq!(self.search, None, "one search at a time");
                self.search = Some((0, bench.rng.usize(1..5)));
            }
            if let Some((address, _)) = &mut self.search {
                *address = sim.peek(self.io.address) as u64;
            }
            if self.accept && sim.peek(self.io.register.valid) {
                let access = &self.io.register.payload;
                let seen = Seen {
                    function: sim.peek(access.function) as usize,
                    msix: sim.peek(access.msix),
                    offset: sim.peek(access.offset) as u32,
                    write: sim.peek(access.write).then(|| sim.peek(access.data) as u32),
                    enables: sim.peek(access.enables) as u32,
                };
                self.seen.push(seen.clone());
                self.access = Some((seen, bench.rng.usize(0..4)));
            }
            if sim.peek(self.io.error.valid) {
                self.errors.push(sim.peek_wide(&self.io.error.payload));
            }
            // Requests are carried out in the order in which they are taken.
            if sim.peek(self.io.posted.valid) && sim.peek(self.io.posted.ready) {
                let (packet, malformed) = self.posted.pop_front().unwrap();
                self.expected.serve(self.config, &packet, malformed);
            }
            if sim.peek(self.io.non_posted.valid) && sim.peek(self.io.non_posted.ready) {
                let packet = self.non_posted.pop_front().unwrap();
                self.expected.serve(self.config, &packet, false);
            }
        }
    }

    /// Where both kinds always wait, both are served.
    #[test]
    fn both_kinds_take_turns() {
        let config = Config::small();
        let (mut bench, io) = Bench::new(|| completer(&config), 1);
        bench.sim.poke(io.config_completion.valid, false);
        bench.sim.poke(io.posted.valid, true);
        bench.sim.poke(io.posted.payload.beats, 0);
        bench.sim.poke(io.posted.payload.malformed, true);
        bench.sim.poke(io.non_posted.valid, true);
        // A request for something that is not supported.
        bench.sim.poke(io.non_posted.payload.header, 2 << 24 | 1);
        bench.sim.poke(io.completion.ready, true);
        let mut taken = [0usize; 2];
        for _ in 0..1000 {
            taken[0] += usize::from(bench.sim.peek(io.posted.ready));
            taken[1] += usize::from(bench.sim.peek(io.non_posted.ready));
            bench.cycle(&mut []);
        }
        assert!(taken[0].abs_diff(taken[1]) < 2 && taken[0] > 100, "{taken:?}");
    }

    #[test]
    fn requests_are_carried_out() {
        for (seed, config) in Config::all().iter().enumerate() {
            let (mut bench, io) = Bench::new(|| completer(config), seed as u64);
            let bytes = config.bytes;
            bench.sim.poke(io.identity.bus, u128::from(BUS));
            bench.sim.poke(io.identity.first_vf, u128::from(FIRST_VF));
            bench.sim.poke(io.config_request.ready, false);
            bench.sim.poke(io.config_completion.valid, false);
            bench.sim.poke(io.asked.valid, false);
            let mut sources = (
                Source::new(&io.posted, 0.1),
                Source::new(&io.posted_data, 0.5),
                Source::new(&io.non_posted, 0.2),
            );
            let mut sink = Sink::new(&io.completion, 0.3);
            let (mut posted, mut non_posted) = (VecDeque::new(), VecDeque::new());
            for _ in 0..2000 {
                let packet = draw(&mut bench.rng, true);
                let kept = &packet.payload[..packet.payload.len().min(16)];
                let malformed = bench.rng.u8(..16) == 0;
                let beats = Packet { header: [0; 4], payload: kept.to_vec() }.beats(bytes, &mut bench.rng);
                let mut entry = word(malformed.into(), 1);
                entry.push(packet.payload.len() > 16);
                entry.extend(word(beats.len() as u64, 4));
                packet.header.iter().for_each(|part| entry.extend(word((*part).into(), 32)));
                sources.0.send([entry]);
                let low = 2 + clog2(bytes + 1);
                sources.1.send(beats.iter().map(|beat| beat[low..low + 8 * bytes].to_bitvec()));
                posted.push_back((packet, malformed));
                let packet = draw(&mut bench.rng, false);
                let mut entry = word(bench.rng.u64(..), 32);
                packet.header.iter().for_each(|part| entry.extend(word((*part).into(), 32)));
                sources.2.send([entry]);
                non_posted.push_back(packet);
            }
            let mut world = World {
                config,
                io: io.clone(),
                expected: Expected::default(),
                posted,
                non_posted,
                search: None,
                access: None,
                errors: vec![],
                seen: vec![],
                accept: false,
            };
            let mut idle = 0;
            while idle < 1000 {
                idle = if world.posted.is_empty() && world.non_posted.is_empty() { idle + 1 } else { 0 };
                bench.cycle(&mut [&mut sources.0, &mut sources.1, &mut sources.2, &mut sink, &mut world]);
            }
            assert_eq!(sources.1.queue.len(), 0);
            let completions = Packet::all(&sink.got, bytes);
            for (got, expected) in completions.iter().zip(&world.expected.completions) {
                assert_eq!(got, expected, "{got:08x?} {expected:08x?}");
            }
            assert_eq!(completions.len(), world.expected.completions.len());
            assert!(world.seen.iter().eq(&world.expected.accesses));
            let function_bits = crate::pcie::configuration::function_bits(config);
            let errors: Vec<_> = world
                .errors
                .iter()
                .map(|word| {
                    let at = 128 + function_bits + 1;
                    let function =
                        word[128 + function_bits].then(|| field(word, 128, function_bits) as usize);
                    (field(word, at, word.len() - at), function, header(word, 0))
                })
                .collect();
            let expected: Vec<_> = world
                .expected
                .errors
                .iter()
                .map(|(kind, function, header)| (*kind as u64, *function, *header))
                .collect();
            assert_eq!(errors.len(), expected.len());
            for (got, expected) in errors.iter().zip(&expected) {
                assert_eq!(got, expected);
            }
            let of_kind = |kind: ErrorKind| expected.iter().filter(|(it, ..)| *it == kind as u64).count();
            let kinds = [
                ErrorKind::Poisoned,
                ErrorKind::CompleterAbort,
                ErrorKind::Unsupported,
                ErrorKind::UnsupportedPosted,
            ];
            assert!(kinds.iter().all(|kind| of_kind(*kind) > 20));
            assert!(completions.iter().filter(|it| it.payload.len() > 8).count() > 20);
        }
    }
}
