//! Who reads the packet buffer next.

use super::{
    dispatch::LeavingWrite,
    reader::Turn,
    types::{Edit, Leaving, QueueEntry},
};
use crate::{
    config::{CELL_BEATS, Config},
    prim,
};
use hdl::*;

/// Beats that the output buffer of a port holds: two cells.
pub const OUTPUT_BEATS: usize = 2 * CELL_BEATS;

/// Turns that wait for the reader, at most.
pub const TURNS: usize = 8;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct SchedulerIo {
    /// The egress queue of each port.
    #[input]
    #[ty(vec![Stream::ty(QueueEntry::ty(config)); config.ports()])]
    pub queues: Vec<Stream<QueueEntry>>,
    /// What is kept of a frame, before it is taken from a queue.
    #[input]
    #[ty(Valid::ty(LeavingWrite::ty(config)))]
    pub leaving: Valid<LeavingWrite>,
    /// A beat leaves the output buffer of a port; a pulse for each port.
    #[input]
    #[ty(bits(config.ports()))]
    pub left: Bits,
    /// Asks for the successor of this cell, which comes in the next cycle.
    #[output]
    #[ty(bits(config.cell_bits()))]
    pub lookup: Bits,
    #[input]
    #[ty(bits(config.cell_bits()))]
    pub successor: Bits,
    /// What to read; at most [`TURNS`] are on their way.
    #[output]
    #[ty(Valid::ty(Turn::ty(config)))]
    pub turn: Valid<Turn>,
    /// The reader has finished a turn.
    #[input]
    pub turn_done: Bool,
}

/// Where a port stands within a frame of several cells.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Rest {
    #[ty(bits(config.cell_bits()))]
    head: Bits,
    /// The next cell to read, and the one before it.
    #[ty(bits(config.cell_bits()))]
    cell: Bits,
    #[ty(bits(config.cell_bits()))]
    previous: Bits,
    edit: Enum<Edit>,
    /// Bytes that are left.
    length: U<14>,
}

/// A turn that waits for the memories' answers.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Asked {
    #[ty(bits(config.port_bits()))]
    port: Bits,
    #[ty(Rest::ty(config))]
    now: Rest,
    #[ty(bits(clog2(CELL_BEATS + 1)))]
    beats: Bits,
    begins: Bool,
    ends: Bool,
    #[ty(bits(clog2(config.bytes)))]
    last_bytes: Bits,
}

/// Gives the ports turns to read one cell each, in round robin among those that have a cell to read and room for it.
/// A port whose output stalls gets no turn, and costs the others none.
///
/// ```text
///  queues ─► may read? ─► round robin ─► S1: cell, beats ─► S2: successor, tag ─► S3: turn, rest of the frame
///                ▲
///                └── room in the output buffers ◄── left
/// ```
///
/// One turn in each cycle; of one port, one in three cycles, or in five within a frame of several cells (a cell takes
/// eight to read). `queues.ready` and `turn` come from registers and memories
/// and one step of logic.
#[hdl]
pub fn scheduler(config: &Config) -> SchedulerIo {
    let name = format!("veb_scheduler_{}x{}_{}", config.ports(), 8 * config.bytes, config.cells);
    module(name, SchedulerIo::ty(config), |io| {
        let ports = config.ports();
        let beats_type = bits(clog2(CELL_BEATS + 1));
        /// A port is in the middle of a frame.
        let within = reg(vec![flag(); ports]);
        /// A port waits for the number of its next cell.
        let waiting = reg(vec![flag(); ports]);
        /// Beats that are in the output buffer of a port, or on their way there; a whole cell for a turn whose beats
        /// are not counted yet.
        let promised = reg(vec![bits(clog2(OUTPUT_BEATS + 1)); ports]);
        let rests = mem(Rest::ty(config), ports.next_power_of_two(), Collision::Undefined);

        // Choose.
        let chosen_valid = reg(flag());
        let chosen = reg_without_reset(bits(config.port_bits()));
        let chosen_now = reg(bits(ports));
        let outstanding = reg(bits(clog2(TURNS + 1)));
        let turns_left = outstanding.ne(TURNS);
        let may_read = |port: usize| {
            let has_cell = within[port] | io.queues[port].valid;
            // A beat that leaves now counts: two cells just cover the way from here to the port and back.
            let most = OUTPUT_BEATS - CELL_BEATS;
            let has_room = promised[port].le(most) | (promised[port].eq(most + 1) & io.left.bit(port));
            has_cell & has_room & !waiting[port] & !chosen_now.bit(port)
        };
        // A port that was chosen in the cycle before is not asked again: what was found of it is out of date.
        let able = reg(bits(ports));
        able.set(vector((0..ports).map(may_read)));
        let arbiter = prim::round_robin(ports);
        let requests = able & !chosen_now;
        arbiter.requests.set(requests);
        arbiter.accept.set(turns_left);
        let choose = arbiter.any & turns_left;
        let refused = verification(|| delay(requests & !choose.mux(arbiter.grant, arbiter.grant.zero())));
        assert(!(refused & !requests).any(), "a port that may read asks until it gets its turn");
        chosen_valid.set(choose);
        chosen.set(arbiter.index);
        chosen_now.set(choose.mux(arbiter.grant, arbiter.grant.zero()));
        let turn_done = delay(io.turn_done);
        when(choose & !turn_done, || outstanding.set(outstanding + 1))
            .elsewhen(turn_done & !choose, || outstanding.set(outstanding - 1));

        // S1: the chosen port's cell, from its queue or from the frame that it is in.
        let entries: Vec<QueueEntry> = io.queues.iter().map(|queue| queue.payload).collect();
        let entry = select(&entries, chosen);
        let goes_on = select(&within, chosen);
        let rest = rests.peek(chosen);
        let begun = Rest {
            head: entry.head,
            cell: entry.head,
            previous: entry.head,
            edit: entry.edit,
            length: entry.length,
        };
        let now = goes_on.mux(rest, begun);
        let more = now.length.gt(config.cell_bytes());
        let byte_bits = clog2(config.bytes);
        let full_beats = now.length.slice(byte_bits, clog2(CELL_BEATS) + 1);
        let last_bytes = now.length.trunc(byte_bits);
        let rounded = full_beats + last_bytes.any().bits().zext(full_beats.width());
        let beats = more.mux(lit(CELL_BEATS, beats_type.width()), rounded);
        for (port, queue) in io.queues.iter().enumerate() {
            queue.ready.set(chosen_now.bit(port) & !within[port]);
        }
        when(chosen_valid, || {
            set_at(&within, chosen, more);
            set_at(&waiting, chosen, more);
        });

        // S2: the questions for the next cell and what is kept of the frame.
        let turn_valid = delay(chosen_valid);
        let asked = reg_without_reset(Asked::ty(config));
        asked.set(Asked { port: chosen, now, beats, begins: !goes_on, ends: !more, last_bytes });
        let left_over = delay_without_reset(now.length - config.cell_bytes());
        let spared_beats = delay_without_reset(lit(CELL_BEATS, beats.width()) - beats);
        io.lookup.set(asked.now.cell);
        let kept = mem(Leaving::ty(config), config.cells, Collision::Undefined);
        when(io.leaving.valid, || kept.write(io.leaving.payload.head, io.leaving.payload.leaving));
        let leaving = kept.read(asked.now.head);

        // S3: the answers.
        let answered = delay(turn_valid);
        let turn = delay_without_reset(asked);
        let rest_length = delay_without_reset(left_over);
        io.turn.valid.set(answered);
        let Rest { head, cell, previous, edit, .. } = turn.now;
        io.turn.payload.set(Turn {
            port: turn.port,
            head,
            cell,
            previous,
            next: io.successor,
            edit,
            leaving,
            beats: turn.beats,
            begins: turn.begins,
            ends: turn.ends,
            last_bytes: turn.last_bytes,
        });
        let goes_further = answered & !turn.ends;
        when(goes_further, || {
            let rest = Rest { head, cell: io.successor, previous: cell, edit, length: rest_length };
            rests.write(turn.port, rest);
        });

        /// Beats of turns that a port has been given, without those that have left.
        let buffered = verification(|| reg(promised.clone()));
        for port in 0..ports {
            let count = |beats: Bits, here: Bool| {
                let beats = beats.resize(promised[port].width());
                here.mux(beats, beats.zero())
            };
            let chosen_here = chosen_now.bit(port);
            let turn_here = turn_valid & asked.port.eq(port);
            let added = count(lit(CELL_BEATS, beats.width()), chosen_here);
            let spared = count(spared_beats, turn_here);
            let removed = count(lit(1, 1), io.left.bit(port));
            promised[port].set(promised[port] + added - spared - removed);
            when(goes_further & turn.port.eq(port), || waiting[port].set(false));

            let turn_comes = answered & turn.port.eq(port);
            verification(|| buffered[port].set(buffered[port] + count(turn.beats, turn_comes) - removed));
            assume(!io.left.bit(port) | buffered[port].any(), "a beat leaves after its turn");
            assert(promised[port].ge(buffered[port]), "what is on its way to a port was promised");
            assert(promised[port].le(OUTPUT_BEATS), "no more is promised than there is room for");
        }
    })
}
