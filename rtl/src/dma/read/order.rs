//! The order of each client's pieces.

use super::{
    super::Outcome,
    types::{Issue, Piece, SLOT_BITS, Turn, Verdict, row_bits},
    watch::End,
};
use crate::{config::Config, prim};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize, tags: usize)]
pub struct OrderIo {
    #[input]
    #[ty(Valid::ty(Issue::ty(config, clients, tags)))]
    pub issue: Valid<Issue>,
    /// Not together with `issue`.
    #[input]
    #[ty(Valid::ty(Verdict::ty(tags)))]
    pub verdict: Valid<Verdict>,
    #[input]
    #[ty(bits(tags))]
    pub waiting: Bits,
    #[input]
    #[ty(bits(tags))]
    pub ended: Bits,
    /// A tag that has `ended` from the next cycle on.
    #[input]
    #[ty(Valid::ty(End::ty(config, tags)))]
    pub end: Valid<End>,
    /// Clients that have room for a turn; what was sent two cycles ago counts.
    #[input]
    #[ty(bits(clients))]
    pub room: Bits,
    /// What is to be delivered, and to whom.
    #[output]
    #[ty(Valid::ty(prim::Routed::ty(clients, Turn::ty(config, tags))))]
    pub turn: Valid<prim::Routed<Turn>>,
}

/// What is kept of a piece, less what may be different at its end.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Kept {
    #[ty(bits(row_bits(config)))]
    row: Bits,
    #[ty(bits(row_bits(config)))]
    last_row: Bits,
    #[ty(bits(clog2(config.bytes)))]
    shift: Bits,
    #[ty(bits(clog2(config.bytes)))]
    count: Bits,
    opens: Bool,
    last: Bool,
    flush: Bool,
    empty: Bool,
}

/// A list of tags for each client, through one RAM. A client's first piece goes to delivery when it has come whole, or has
/// ended otherwise; round robin among clients, one in each cycle, of one client one in three.
///
/// ```text
///  issue ─► lists: head, tail, next (RAM) ─► head is done ─► round robin ─► kept (RAM) ─► turn
///                                                ▲
///  waiting, ended ───────────────────────────────┘
/// ```
///
/// After a piece that failed the client's pieces are thrown away up to the last of the command.
#[hdl]
pub fn order(config: &Config, clients: usize, tags: usize) -> OrderIo {
    let name = format!("dma_read_order_{clients}_{tags}x{}", 8 * config.bytes);
    module(name, OrderIo::ty(config, clients, tags), |io| {
        let tag_bits = clog2(tags);
        let count_bits = clog2(tags + 1);
        let row_bits = row_bits(config);
        let links = mem(bits(tag_bits), tags, Collision::Undefined);
        let kept = mem(Kept::ty(config), tags, Collision::Undefined);
        let outcomes = mem(Enum::<Outcome>::ty(), tags, Collision::Undefined);
        /// Of tags that have ended: by a timeout.
        let timeouts = mem(flag(), tags, Collision::Undefined);
        let head = reg_without_reset(vec![bits(tag_bits); clients]);
        let tail = reg_without_reset(vec![bits(tag_bits); clients]);
        /// Pieces in the list.
        let count = reg(vec![bits(count_bits); clients]);
        /// The head is the first of them; it is not in the cycle after one was taken.
        let has_head = reg(vec![flag(); clients]);
        let is_done = reg(vec![flag(); clients]);

        // Heads that are done.
        let done = !io.waiting | io.ended;
        for client in 0..clients {
            is_done[client].set(has_head[client] & done.at(head[client]));
        }
        let requests = (0..clients).map(|client| is_done[client] & has_head[client] & io.room.bit(client));
        let turns = prim::round_robin(clients);
        turns.requests.set(vector(requests));
        turns.accept.set(true);
        let taken = turns.grant;
        let taken_valid = delay(turns.any);
        let taken_client = delay_without_reset(turns.index);
        let taken_tag = delay_without_reset(prim::onehot_select(&head, taken));

        // The lists.
        let Issue { tag, piece } = io.issue.payload;
        let link = links.peek(taken_tag);
        let last_tag = select(&tail, piece.client);
        // The last tag of an empty list may be in another one by now.
        let has_last = select(&count.iter().map(|count| count.any()).collect::<Vec<_>>(), piece.client);
        when(io.issue.valid & has_last, || links.write(last_tag, tag));
        for client in 0..clients {
            let appends = io.issue.valid & piece.client.eq(client);
            let removes = taken.bit(client);
            let refills = taken_valid & taken_client.eq(client) & count[client].any();
            let starts = appends & !count[client].any();
            when(appends & !removes, || count[client].set(count[client] + 1))
                .elsewhen(removes & !appends, || count[client].set(count[client] - 1));
            when(appends, || tail[client].set(tag));
            when(starts, || head[client].set(tag)).elsewhen(refills, || head[client].set(link));
            has_head[client].set((has_head[client] & !removes) | starts | refills);
        }

        // What is kept of each piece.
        when(io.issue.valid, || {
            let Piece { shift, count, opens, last, flush, empty, stopped, last_byte, .. } = piece;
            let row = piece.first_byte().slice(SLOT_BITS - row_bits, row_bits);
            let last_row = Bits::from(last_byte).slice(SLOT_BITS - row_bits, row_bits);
            let last = last | stopped;
            kept.write(tag, Kept { row, last_row, shift, count, opens, last, flush, empty });
        });
        when(io.verdict.valid, || outcomes.write(io.verdict.payload.tag, io.verdict.payload.outcome))
            .elsewhen(io.issue.valid, || outcomes.write(tag, piece.outcome()));

        let End { tag: end_tag, timed_out, .. } = io.end.payload;
        when(io.end.valid, || timeouts.write(end_tag, timed_out));

        // The turn.
        let valid = delay(taken_valid);
        let client = delay_without_reset(taken_client);
        let tag = delay_without_reset(taken_tag);
        let piece = delay_without_reset(kept.peek(taken_tag));
        let stored = delay_without_reset(outcomes.peek(taken_tag));
        let has_ended = delay_without_reset(io.ended.at(taken_tag));
        let has_timed_out = delay_without_reset(timeouts.peek(taken_tag));
        /// The rest of the command is thrown away.
        let discards = reg(vec![flag(); clients]);
        let discard = select(&discards, client);
        let outcome = wire(Enum::ty());
        when(has_ended & has_timed_out, || outcome.set(Outcome::TimedOut))
            .elsewhen(has_ended, || outcome.set(Outcome::Stopped))
            .otherwise(|| outcome.set(stored));
        let failed = !outcome.is(Outcome::Success);
        when(valid, || set_at(&discards, client, (discard | failed) & !piece.last));
        let Kept { row, last_row, shift, count, opens, last, flush, empty } = piece;
        let (terminal, is_single) = (failed | empty, row.eq(last_row));
        io.turn.valid.set(valid);
        let turn = Turn {
            tag,
            row,
            last_row,
            is_single,
            shift,
            count,
            opens,
            last,
            flush,
            terminal,
            discard,
            outcome,
        };
        io.turn.payload.set(prim::Routed { port: client, beat: turn });
    })
}
