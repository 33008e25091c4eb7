//! Reading the host's memory.
//!
//! # Purpose
//! Clients hand in commands of up to 16383 bytes at any address; the engine asks the host for them in requests that it may
//! send, puts the completions together, and hands each client its bytes, in the order of its commands, from lane 0 without
//! gaps.
//!
//! # Schematic
//! ```text
//!              ┌────────── shares ◄──────────────────────── freed ───────┐
//!              ▼ allowed                                                 │
//!  commands ─► splitter ─► piece ─┬─► issue ─► request                   │
//!               free_tags ─► tag ─┘     │                                │
//!                        ┌──────────────┼──────────────┐                 │
//!                        ▼              ▼              ▼                 │
//!  completion ─► completions          watch          order ─► turn ─► delivery ─► data
//!                 │   └─► verdict ─► waiting, ended ◄──┘                 ▲
//!                 └──── slots ──────────────────────────────────────────┘
//! ```
//!
//! # Pieces, tags and slots
//! A *piece* is what one request asks for: at most 256 bytes (128, if Max_Read_Request_Size says so), cut at multiples of
//! that. A tag has a slot of 256 bytes in the completion buffer, and a request is sent only with a tag: so a completion
//! always has room, and is always taken. A piece lies in its slot as in the host's memory; that it may begin at any byte
//! matters only where it is delivered.
//!
//! A client may hold [`shares::OWN`] tags in any case, and beyond that as many as leave the others theirs. So a client that
//! does not take its data keeps at most `tags - OWN * (clients - 1)` of them: the others go on with less, and never stop.
//! Tags in quarantine count for nobody.
//!
//! # What ends a piece
//! | | outcome | the tag |
//! |---|---|---|
//! | all bytes have come | `Success` | free when delivered |
//! | all bytes have come, some of them poisoned | `Poisoned` | the same |
//! | a completion without success | `Aborted` (Completer Abort), else `Unsupported` | the same |
//! | 15 to 16 ticks have passed | `TimedOut` | in quarantine |
//! | its function is blocked: stopped, or no bus master | `Stopped` | in quarantine |
//!
//! A tag in *quarantine* is not used until its completion has come whole, which is swallowed, or 32 ticks have passed since
//! it was issued and 16 since the piece ended. Without timeouts pieces wait for ever; a quarantine ends all the same, after 48
//! ticks at most.
//!
//! A piece that fails ends its command. The rest of it is thrown away as it comes; it is still asked for to its end, unless
//! the function is blocked.
//!
//! A completion is taken if its requester and tag are those of a request that waits, its byte count that of the bytes that
//! are missing, its lower address that of the next byte, and its length reaches to the end or to a multiple of 64 bytes.
//! One without success needs requester and tag only. Anything else is an unexpected completion, and changes nothing.
//!
//! # Timing
//! A piece in every four cycles; a client alone with commands of one piece each, five. A row of the buffer, which is a beat
//! of data, in every cycle. A command that does not begin at a multiple of a beat takes one cycle more at times.
//! The end of a command costs a cycle more, which shows only where pieces are as short as four beats.
//! Tags are looked at one in each cycle: a function that is blocked for less than `tags` cycles may keep requests that wait.
//! `request`, `data` and `error` come from registers or distributed RAM.
//!
//! `pending` and `quiet` follow within two rounds over all tags (`2 * tags` cycles) when something has ended, and at once
//! when something begins. `quiet` is held at 0 in the first cycles of `stopped`.

mod completions;
mod delivery;
mod free_tags;
mod order;
mod shares;
mod splitter;
mod types;
mod watch;

#[cfg(test)]
mod tests;

use super::{Command, ReadBeat};
use crate::{
    config::Config,
    pcie::{
        errors::{ErrorEvent, ErrorKind},
        identity::Identity,
        tlp::{First, MemoryHeader, TlpBeat, kind},
    },
    prim::{self, decode},
};
use completions::completions;
use delivery::delivery;
use free_tags::free_tags;
use hdl::*;
use order::order;
use shares::shares;
use splitter::splitter;
use types::{Issue, Piece};
use watch::{End, watch};

/// Errors that may wait to be taken; further ones are lost.
const ERRORS: usize = 4;

/// Cycles after which `quiet` knows of `stopped`.
const SETTLING: usize = 4;

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize)]
pub struct ReadEngineIo {
    /// Those of each client. A command is taken when its last request is made, so a client must take data meanwhile; one
    /// that fails may end before it is taken.
    #[input]
    #[ty(vec![Stream::ty(Command::ty(config)); clients])]
    pub commands: Vec<Stream<Command>>,
    /// What they read, in their order.
    #[output]
    #[ty(vec![Stream::ty(ReadBeat::ty(config.bytes)); clients])]
    pub data: Vec<Stream<ReadBeat>>,
    /// Memory reads, of one beat each.
    #[output]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub request: Stream<TlpBeat>,
    /// Always taken.
    #[input]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub completion: Stream<TlpBeat>,
    /// With the last beat of a completion: its payload is not what its header says, and it is to be ignored.
    #[input]
    pub malformed: Bool,
    #[input]
    pub identity: Identity,
    /// Most bytes of a request: 128 shifted left by this. Counts for requests from now on.
    #[input]
    pub read_request: U<3>,
    /// Tags above 31 may be used.
    #[input]
    pub extended_tags: Bool,
    /// Requests of commands that allow it may overtake others.
    #[input]
    pub relaxed_ordering: Bool,
    /// Functions that may send requests.
    #[input]
    #[ty(bits(config.functions()))]
    pub bus_master: Bits,
    /// Functions that are being reset: their commands end. Stays until `quiet` at least.
    #[input]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
    /// Functions whose requests wait for ever.
    #[input]
    #[ty(bits(config.functions()))]
    pub timeout_disable: Bits,
    /// A sixteenth of the time that a request may take has passed.
    #[input]
    pub tick: Bool,
    /// Functions with requests without a completion (Transactions Pending, 7.5.3.5): also those that ended because the function
    /// is no bus master, but not those that have timed out or are from before a reset.
    #[output]
    #[ty(bits(config.functions()))]
    pub pending: Bits,
    /// Functions of which nothing is here that could still become a packet: no request of theirs is about to leave or waits
    /// outside of quarantine, and no command has begun that may still send one. A command on offer has not begun.
    #[output]
    #[ty(bits(config.functions()))]
    pub quiet: Bits,
    /// What went wrong. An error that finds four others waiting is lost.
    #[output]
    #[ty(Stream::ty(ErrorEvent::ty(config)))]
    pub error: Stream<ErrorEvent>,
}

/// Reads for 1 to 6 clients with 32, 64, 128 or 256 tags.
#[hdl]
pub fn read_engine(config: &Config, clients: usize, tags: usize) -> ReadEngineIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    require((1..=6).contains(&clients), || format!("{clients} clients are not 1 to 6"));
    require([32, 64, 128, 256].contains(&tags), || format!("{tags} tags are not 32, 64, 128 or 256"));
    let name = format!("dma_read_{}_{clients}_{tags}x{}", config.functions(), 8 * config.bytes);
    module(name, ReadEngineIo::ty(config, clients), |io| {
        let functions = config.functions();
        let splitter = splitter(config, clients);
        let shares = shares(clients, tags);
        let free_tags = free_tags(clients, tags);
        let completions = completions(config, clients, tags);
        let watch = watch(config, clients, tags);
        let order = order(config, clients, tags);
        let delivery = delivery(config, clients, tags);
        let blocked = delay(io.stopped | !io.bus_master);
        /// Tags whose completion has not come whole.
        let waiting = reg(bits(tags));
        /// Those of them that nobody waits for any more; also those whose completion came at that moment.
        let ended = reg(bits(tags));

        // Commands become pieces.
        for (inner, outer) in splitter.commands.iter().zip(&io.commands) {
            inner.connect(outer);
        }
        splitter.identity.set(io.identity);
        splitter.read_request.set(io.read_request);
        splitter.relaxed_ordering.set(io.relaxed_ordering);
        splitter.blocked.set(blocked);
        splitter.allowed.set(shares.allowed);
        shares.picked.set(splitter.picked);
        shares.freed.valid.set(delivery.freed.valid);
        shares.freed.payload.set(delivery.freed.payload.client);
        shares.extended_tags.set(io.extended_tags);
        free_tags.waiting.set(waiting);
        free_tags.freed.set(delivery.freed);
        free_tags.extended_tags.set(io.extended_tags);

        // A piece and a tag become a request.
        let holding = reg(flag());
        let request = reg_without_reset(io.request.payload);
        let function = reg_without_reset(splitter.piece.payload.function);
        let request_tag = reg_without_reset(free_tags.tag.payload);
        let piece = splitter.piece.payload;
        let tag = free_tags.tag.payload;
        let advance = !holding | io.request.ready;
        let ready = advance & !completions.busy;
        let issues = splitter.piece.valid & free_tags.tag.valid & ready;
        splitter.taken.set(issues);
        free_tags.tag.ready.set(splitter.piece.valid & ready);
        let issue = Valid { valid: issues, payload: Issue { tag, piece } };
        when(advance, || {
            holding.set(issues & piece.is_sent());
            request.set(request_of(config, &piece, tag));
            function.set(piece.function);
            request_tag.set(tag);
        });
        io.request.valid.set(holding);
        io.request.payload.set(request);
        io.request.assert_stable();

        // Completions, and requests that get none.
        io.completion.ready.set(true);
        completions.beat.valid.set(io.completion.valid);
        completions.beat.payload.set(io.completion.payload);
        completions.malformed.set(io.malformed);
        completions.issue.set(issue);
        completions.waiting.set(waiting);
        completions.ended.set(ended);
        watch.issue.set(issue);
        watch.tick.set(io.tick);
        watch.timeout_disable.set(io.timeout_disable);
        watch.stopped.set(delay(io.stopped));
        watch.waiting.set(waiting);
        watch.whole.valid.set(completions.whole);
        watch.whole.payload.set(completions.verdict.payload.tag);
        watch.ended.set(ended);
        watch.blocked.set(blocked);
        for (inner, outer) in watch.in_use.iter().zip(&completions.in_use) {
            inner.set(*outer);
        }
        let last = &watch.in_use[watch.in_use.len() - 1];
        last.valid.set(holding);
        last.payload.set(request_tag);
        let of = |valid: Bool, tag: Bits| valid.bits().repeat(tags) & decode(tag, tags);
        let End { tag: end_tag, function: end_function, timed_out: is_timeout } = watch.end.payload;
        let begun = of(issues, tag);
        let sent = of(issues & piece.is_sent(), tag);
        let whole = of(completions.whole, completions.verdict.payload.tag);
        let released = of(watch.release.valid, watch.release.payload);
        let ends = of(watch.end.valid, end_tag);
        waiting.set((waiting & !whole & !released) | sent);
        ended.set((ended | ends) & !begun);

        // The order of delivery.
        order.issue.set(issue);
        order.verdict.set(completions.verdict);
        order.waiting.set(waiting);
        order.ended.set(ended);
        order.end.set(watch.end);
        order.room.set(delivery.room);
        delivery.write.set(completions.write);
        delivery.turn.set(order.turn);
        for (outer, inner) in io.data.iter().zip(&delivery.data) {
            outer.connect(inner);
        }

        // What the endpoint is told.
        let errors = prim::fifo(ErrorEvent::ty(config), ERRORS);
        let found = completions.error;
        // A timeout waits in a register: it is found late in a cycle, and completions come first.
        let timeout = reg(flag());
        let timeout_function = reg_without_reset(end_function);
        watch.may_report.set(!timeout);
        when(watch.end.valid & is_timeout, || {
            timeout.set(true);
            timeout_function.set(end_function);
        })
        .elsewhen(!found.valid, || timeout.set(false));
        errors.enq.valid.set((found.valid | timeout) & errors.enq.ready);
        errors.enq.payload.set(found.payload);
        when(!found.valid, || {
            errors.enq.payload.kind.set(ErrorKind::CompletionTimeout);
            errors.enq.payload.function.valid.set(true);
            errors.enq.payload.function.payload.set(timeout_function);
            errors.enq.payload.header.set(0);
        });
        io.error.connect(&errors.deq);
        io.pending.set(watch.pending);
        let leaving = holding.bits().repeat(functions) & decode(function, functions);
        let issued = (issues & piece.is_sent()).bits().repeat(functions) & decode(piece.function, functions);
        let quiet = delay(!(splitter.busy | leaving | watch.live | issued));
        let mut settled = io.stopped;
        for _ in 0..SETTLING {
            settled = delay(settled) & io.stopped;
        }
        io.quiet.set(quiet & (settled | !io.stopped));
    })
}

/// The request for a piece (2.2.7).
fn request_of(config: &Config, piece: &Piece, tag: Bits) -> TlpBeat {
    let address = Bits::from(piece.address);
    let (low, high) = (address.slice(0, 32), address.slice(32, 32));
    let aligned = cat([low.slice(2, 30), lit(0, 2)]);
    let (first_byte, last_byte) = (piece.first_byte(), Bits::from(piece.last_byte));
    let (first_word, last_word) = (first_byte.slice(2, 6), last_byte.slice(2, 6));
    let is_one_word = first_word.eq(last_word);
    let all = lit(15, 4);
    let from = all << first_byte.trunc(2);
    let to = all >> !last_byte.trunc(2);
    let kind = piece.is_long.mux(lit(kind::MEMORY_READ_64, 8), lit(kind::MEMORY_READ, 8));
    let zero: First = First::ty().zero();
    let first = First {
        kind: kind.as_u(),
        attributes: cat([piece.relaxed.bits(), lit(0, 1)]).as_u(),
        length: ((last_word - first_word).zext(10) + 1).as_u(),
        ..zero
    };
    let header = MemoryHeader {
        fourth: piece.is_long.mux(aligned, aligned.zero()).as_u(),
        third: piece.is_long.mux(high, aligned).as_u(),
        requester: piece.requester,
        tag: tag.zext(8).as_u(),
        last_enables: is_one_word.mux(lit(0, 4), to).as_u(),
        enables: is_one_word.mux(from & to, from).as_u(),
        first,
    };
    TlpBeat {
        header: header.pack().as_u(),
        data: lit(0, 8 * config.bytes),
        count: lit(0, clog2(config.bytes + 1)),
        first: true.to_bool(),
        last: true.to_bool(),
    }
}
