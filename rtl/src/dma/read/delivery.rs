//! From the completion buffer to the clients.

use super::{
    super::{Outcome, ReadBeat},
    types::{Freed, SlotWrite, Turn, lanes, row_bits},
};
use crate::{
    config::Config,
    prim::{self, Routed, encode, onehot_select},
};
use hdl::*;

/// Beats for a client that may be on their way out of the buffer or wait to be taken.
const WAITING_BEATS: usize = 16;

/// Turns of a client that may wait: the one under way and the next.
const TURNS: usize = 2;

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize, tags: usize)]
pub struct DeliveryIo {
    #[input]
    #[ty(Valid::ty(SlotWrite::ty(config, tags)))]
    pub write: Valid<SlotWrite>,
    /// Only for a client with `room`.
    #[input]
    #[ty(Valid::ty(Routed::ty(clients, Turn::ty(config, tags))))]
    pub turn: Valid<Routed<Turn>>,
    #[output]
    #[ty(bits(clients))]
    pub room: Bits,
    /// The piece of this tag has been read.
    #[output]
    #[ty(Valid::ty(Freed::ty(clients, tags)))]
    pub freed: Valid<Freed>,
    #[output]
    #[ty(vec![Stream::ty(ReadBeat::ty(config.bytes)); clients])]
    pub data: Vec<Stream<ReadBeat>>,
}

/// A step of a turn: a row that is read, or a beat without one.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, tags: usize)]
struct Step {
    #[ty(bits(clog2(tags)))]
    tag: Bits,
    #[ty(bits(row_bits(config)))]
    row: Bits,
    /// What is not delivered with this row stays for the next beat.
    keeps: Bool,
    /// A beat is delivered.
    emits: Bool,
    /// Only what was left of the rows before is delivered.
    flush: Bool,
    #[ty(bits(clog2(config.bytes)))]
    shift: Bits,
    #[ty(bits(clog2(config.bytes + 1)))]
    count: Bits,
    last: Bool,
    outcome: Enum<Outcome>,
}

/// Reads a row in each cycle, round robin among the clients that have a turn and room for a beat, and moves its bytes to
/// where they belong.
///
/// ```text
///  turn ─► FIFO ─► steps ─┐
///  turn ─► FIFO ─► steps ─┴► round robin ─► RAM ─► words ─► bytes ─► merge ─► FIFO ─► data
///                                            ▲                       ▲ │  └─► FIFO ─► data
///  write ────────────────────────────────────┘           left over (RAM)
/// ```
///
/// A row holds the bytes of the host's memory as they lie there. They are rotated down by the place of the command's
/// first byte; the lower part then belongs to this beat, the upper part to the one before: it is kept for each client.
#[hdl]
pub fn delivery(config: &Config, clients: usize, tags: usize) -> DeliveryIo {
    let name = format!("dma_read_delivery_{clients}_{tags}x{}", 8 * config.bytes);
    module(name, DeliveryIo::ty(config, clients, tags), |io| {
        let (lanes, bytes) = (lanes(config), config.bytes);
        let beat_bits = clog2(bytes);
        let full = lit(bytes, clog2(bytes + 1));

        // The steps of each client's turn.
        let room = reg_init(lit(u32::MAX, 32).trunc(clients));
        let (mut steps, mut offers, mut ends) = (vec![], vec![], vec![]);
        let grant = wire(bits(clients));
        for (client, data) in io.data.iter().enumerate() {
            let turns = prim::fifo(Turn::ty(config, tags), TURNS);
            turns.enq.valid.set(io.turn.valid & io.turn.payload.port.eq(client));
            turns.enq.payload.set(io.turn.payload.beat);
            io.room.bit(client).set(turns.enq.ready);
            let turn = turns.deq.payload;
            let has_data = !turn.terminal & !turn.discard;
            /// The first row has been read.
            let begun = reg(flag());
            /// All rows have been read.
            let flushes = reg(flag());
            let next_row = reg_without_reset(turn.row);
            let next_is_last = reg_without_reset(flag());
            let row = begun.mux(next_row, turn.row);
            let is_last_row = begun.mux(next_is_last, turn.is_single);
            let is_end = !has_data | flushes | is_last_row & !(turn.last & turn.flush);
            let granted = grant.bit(client);
            when(granted, || {
                begun.set(!is_end);
                flushes.set(is_last_row & !is_end);
                next_row.set(row + 1);
                next_is_last.set((row + 1).eq(turn.last_row));
            });
            turns.deq.ready.set(granted & is_end);
            let stored_only = turn.opens & !begun & turn.shift.any();
            let emits = has_data.mux(!stored_only, !turn.discard);
            let last = is_end & (turn.last | turn.terminal);
            let count = turn.count.any().mux(turn.count.zext(full.width()), full);
            let count = turn.terminal.mux(full.zero(), last.mux(count, full));
            let Turn { tag, shift, outcome, .. } = turn;
            let keeps = has_data & !flushes;
            steps.push(Step { tag, row, keeps, emits, flush: flushes, shift, count, last, outcome });
            ends.push(is_end);

            // Beats that are not taken yet.
            let beats = reg(bits(clog2(WAITING_BEATS + 1)));
            let more = granted & emits;
            let less = data.fire();
            when(more & !less, || {
                beats.set(beats + 1);
                room.bit(client).set(beats.ne(WAITING_BEATS - 1));
            })
            .elsewhen(less & !more, || {
                beats.set(beats - 1);
                room.bit(client).set(true);
            });
            offers.push(turns.deq.valid & room.bit(client));
        }
        let arbiter = prim::round_robin(clients);
        arbiter.requests.set(vector(offers));
        arbiter.accept.set(true);
        grant.set(arbiter.grant);
        let step = delay_without_reset(onehot_select(&steps, grant));
        let valid = delay(arbiter.any);
        let client = delay_without_reset(encode(grant));
        let ends = delay((vector(ends) & grant).any());
        io.freed.valid.set(ends);
        io.freed.payload.set(Freed { client, tag: step.tag });

        // The buffer: a bank for each word of a row.
        let write_valid = delay(io.write.valid);
        let SlotWrite { tag, row, next, enables, data } = io.write.payload;
        let enables = delay_without_reset(enables);
        let words = delay_without_reset(data).chunks(32);
        let mut read = vec![];
        for (lane, &word) in words.iter().enumerate() {
            let bank = mem(bits(32), tags << row_bits(config), Collision::Undefined);
            let address = delay_without_reset(cat([tag, next.bit(lane).mux(row + 1, row)]));
            when(write_valid & enables.bit(lane), || bank.write(address, word));
            read.push(bank.read(cat([step.tag, step.row])));
        }

        // The steps follow the data through the registers behind the RAM and behind both rotations.
        let mut stages = vec![(valid, step, client)];
        for _ in 0..4 {
            let (valid, step, client) = stages[stages.len() - 1];
            stages.push((delay(valid), delay_without_reset(step), delay_without_reset(client)));
        }
        let row = delay_without_reset(cat(read.into_iter().rev()));
        let by_words = rotate_down(row, stages[2].1.shift.slice(2, beat_bits - 2), 32);
        let by_words = delay_without_reset(by_words);
        let rotated = delay_without_reset(rotate_down(by_words, stages[3].1.shift.trunc(2), 8));
        let shift = stages[3].1.shift;
        // Bytes that belong to the beat before: those that came from below the first one's place.
        let is_new = vector((0..bytes).map(|byte| match byte {
            0 => !shift.any(),
            _ => !shift.any() | shift.gt(bytes - 1 - byte),
        }));
        let is_new = delay_without_reset(is_new);
        let (valid, step, client) = stages[4];
        let left_over = mem(bits(8 * bytes), clients.next_power_of_two().max(2), Collision::Undefined);
        let slot = client.zext(clog2(left_over.depth()));
        let kept = left_over.peek(slot).chunks(8);
        when(valid & step.keeps, || left_over.write(slot, rotated));
        let merged = rotated.chunks(8).into_iter().enumerate().rev();
        let merged = merged.map(|(i, byte)| (is_new.bit(i) & !step.flush).mux(byte, kept[i]));
        let Step { count, last, outcome, .. } = step;
        let beat = delay_without_reset(ReadBeat { data: cat(merged), count, last, outcome });
        let valid = delay(valid & step.emits);
        let client = delay_without_reset(client);
        for (number, data) in io.data.iter().enumerate() {
            let results = prim::fifo(ReadBeat::ty(bytes), WAITING_BEATS);
            results.enq.valid.set(valid & client.eq(number));
            results.enq.payload.set(beat);
            data.connect(&results.deq);
            assert(results.enq.ready | !results.enq.valid, "there is room for every beat");
        }
    })
}

/// `x`, whose parts of `width` bits move down by `distance`, the first ones to the end.
fn rotate_down(x: Bits, distance: Bits, width: usize) -> Bits {
    let parts = x.chunks(width);
    let turns = 1 << distance.width();
    let turned: Vec<Bits> =
        (0..turns).map(|by| cat((0..parts.len()).rev().map(|to| parts[(to + by) % parts.len()]))).collect();
    select(&turned, distance)
}
