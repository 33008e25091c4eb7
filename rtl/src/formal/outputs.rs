//! What leaves by a port is what its queue says.

use super::{Method::*, Proof, chosen_one};
use crate::{
    config::Config,
    veb::{
        reader::{ReaderIo, Turn, reader},
        scheduler::{SchedulerIo, TURNS, scheduler},
        types::QueueEntry,
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let config = || Config { cells: 4, ..super::least() };
    let (claim, size) = ("a port reads the frames of its queue, and has room for them", "3 ports, 4 cells");
    let turns = Proof::new("output/turns", claim, size, Reachability, move || turns(&config()));
    let claim = "the beats of a turn leave by its port";
    let beats = Proof::new("output/beats", claim, size, Bounded(12), move || beats(&config()));
    vec![turns.long(), beats.free(&["veb_frame_memory_*"]).long()]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct TurnsIo {
    #[ty(SchedulerIo::ty(config))]
    scheduler: SchedulerIo,
    /// Any port.
    #[input]
    #[ty(bits(config.port_bits()))]
    who: Bits,
}

/// Any port: its turns read the frames of its queue, one after another, each from its first cell along its links, with the
/// edit that the entry says; each entry is read once. At most [`TURNS`] turns are under way.
#[hdl]
pub fn turns(config: &Config) -> TurnsIo {
    module("turns", TurnsIo::ty(config), |io| {
        let block = scheduler(config);
        let outer = &io.scheduler;
        block.queues.iter().zip(&outer.queues).for_each(|(sink, queue)| sink.connect(queue));
        block.leaving.set(outer.leaving);
        block.left.set(outer.left);
        block.successor.set(outer.successor);
        block.turn_done.set(outer.turn_done);
        outer.lookup.set(block.lookup);
        outer.turn.set(block.turn);
        chosen_one(io.who, config.ports());

        let under_way = reg(bits(clog2(TURNS + 1)));
        let turn = block.turn.payload;
        assume(!outer.turn_done | under_way.any(), "a turn ends after it began");
        when(block.turn.valid & !outer.turn_done, || under_way.set(under_way + 1))
            .elsewhen(outer.turn_done & !block.turn.valid, || under_way.set(under_way - 1));
        assert(!block.turn.valid | outer.turn_done | under_way.lt(TURNS), "no more turns are under way");

        let ours = block.turn.valid & turn.port.eq(io.who);
        let taken = vector(outer.queues.iter().map(Stream::fire)).at(io.who);
        let entries: Vec<QueueEntry> = outer.queues.iter().map(|queue| queue.payload).collect();
        let entry = reg(entries[0]);
        /// An entry was taken, and no turn has begun it.
        let fresh = reg(flag());
        /// A turn has begun it, and none has ended it.
        let within = reg(flag());
        let next = reg(turn.cell);
        when(ours, || {
            fresh.set(false);
            within.set(!turn.ends);
            next.set(turn.next);
        });
        when(taken, || {
            entry.set(select(&entries, io.who));
            fresh.set(true);
        });
        assert(!taken | !(fresh | within), "an entry is taken when the one before has been read");
        assert(
            !ours | turn.begins.mux(fresh, within),
            "each entry is read once, from its beginning to its end",
        );
        let same = turn.head.eq(entry.head) & turn.edit.same(&entry.edit);
        assert(!ours | same, "it is the frame of the entry");
        assert(!ours | turn.cell.eq(turn.begins.mux(entry.head, next)), "it is read along its links");
        cover(ours & turn.begins & turn.ends, "a frame of one cell");
    })
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct BeatsIo {
    #[ty(ReaderIo::ty(config))]
    reader: ReaderIo,
    /// This turn is watched; the first one counts.
    #[input]
    watch: Bool,
}

/// Any turn: its beats leave by its port, as many as it says, with the source that was kept of its frame; a last beat, and
/// a copy that is done, come where it ends the frame.
#[hdl]
pub fn beats(config: &Config) -> BeatsIo {
    module("beats", BeatsIo::ty(config), |io| {
        let block = reader(config);
        let outer = &io.reader;
        block.data.set(outer.data);
        block.turn.set(outer.turn);
        outer.turn_done.set(block.turn_done);
        outer.beat.set(block.beat);
        outer.source.set(block.source);
        outer.done.connect(&block.done);

        // Turns are read in order: so many are still before the watched one.
        let waiting = reg(bits(clog2(TURNS + 1)));
        let came = outer.turn.valid;
        assume(!came | waiting.lt(TURNS), "no more turns are under way");
        let left = waiting - block.turn_done.bits().zext(waiting.width());
        waiting.set(left + came.bits().zext(waiting.width()));
        let turn = reg(Turn::ty(config));
        let before = reg(waiting);
        let watching = reg(flag());
        let watched = reg(flag());
        let payload = outer.turn.payload;
        assume(!came | (payload.beats.ge(1) & payload.beats.le(8)), "a turn has one to eight beats");
        let is_now = watching & !before.any();
        when(io.watch & came & !watched, || {
            watched.set(true);
            watching.set(true);
            turn.set(payload);
            before.set(left);
        })
        .elsewhen(block.turn_done & is_now, || watching.set(false))
        .elsewhen(block.turn_done, || before.set(before - 1));

        let copy = block.done.payload;
        let of_frame = copy.port.eq(turn.port) & copy.head.eq(turn.head) & copy.edit.same(&turn.edit);
        assert(!(is_now & block.done.valid) | (turn.ends & of_frame), "a copy is done where its frame ends");
        assert(!(is_now & turn.ends & block.turn_done) | block.done.fire(), "no copy is forgotten");

        // What is read comes out three cycles later.
        let was_now = delay(delay(delay(is_now)));
        let was_done = delay(delay(delay(block.turn_done)));
        let beat = block.beat.payload;
        let comes = was_now & block.beat.valid;
        assert(!comes | beat.port.eq(turn.port), "its beats leave by its port");
        assert(!comes | block.source.eq(turn.leaving.source), "with the source of its frame");
        assert(!comes | beat.beat.last.eq(was_done & turn.ends), "the last beat ends the frame");
        let beats = reg(turn.beats);
        when(comes, || beats.set(beats + 1));
        assert(!(comes & was_done) | (beats + 1).eq(turn.beats), "as many beats as the turn says");
        cover(comes & beat.beat.last, "a frame ends");
    })
}
