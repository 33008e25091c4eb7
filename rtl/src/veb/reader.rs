//! From the packet buffer to the output buffers.

use super::{
    frame_memory::{BeatRead, frame_memory},
    scheduler::TURNS,
    types::{Edit, FrameCopy, Leaving},
    writer::DataWrite,
};
use crate::{
    config::{CELL_BEATS, Config},
    frame::Beat,
    prim::{self, Routed},
};
use hdl::*;

/// Some beats of one cell, for one port.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Turn {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    /// The frame's first cell.
    #[ty(bits(config.cell_bits()))]
    pub head: Bits,
    #[ty(bits(config.cell_bits()))]
    pub cell: Bits,
    /// The cells of the frame before and behind it; without meaning at the frame's ends.
    #[ty(bits(config.cell_bits()))]
    pub previous: Bits,
    #[ty(bits(config.cell_bits()))]
    pub next: Bits,
    pub edit: Enum<Edit>,
    #[ty(Leaving::ty(config))]
    pub leaving: Leaving,
    /// How many beats leave, from the first on: 1 to [`CELL_BEATS`].
    #[ty(bits(clog2(CELL_BEATS + 1)))]
    pub beats: Bits,
    /// The frame begins in this cell.
    pub begins: Bool,
    /// The frame ends in this cell.
    pub ends: Bool,
    /// Bytes in the last beat of the frame; 0 for a full one.
    #[ty(bits(clog2(config.bytes)))]
    pub last_bytes: Bits,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ReaderIo {
    /// Data to store.
    #[input]
    #[ty(Valid::ty(DataWrite::ty(config)))]
    pub data: Valid<DataWrite>,
    /// What to read; at most [`TURNS`] before `turn_done`.
    #[input]
    #[ty(Valid::ty(Turn::ty(config)))]
    pub turn: Valid<Turn>,
    #[output]
    pub turn_done: Bool,
    /// Beats for the output buffers, which have room for them.
    #[output]
    #[ty(Valid::ty(Routed::ty(config.ports(), Beat::ty(config.bytes))))]
    pub beat: Valid<Routed<Beat>>,
    /// Where the frame of `beat` came in.
    #[output]
    #[ty(bits(config.port_bits()))]
    pub source: Bits,
    /// Copies of frames that are read to the end.
    #[output]
    #[ty(Stream::ty(FrameCopy::ty(config)))]
    pub done: Stream<FrameCopy>,
}

/// A beat on its way out of the memory.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Fetched {
    #[ty(bits(config.port_bits()))]
    port: Bits,
    #[ty(bits(config.port_bits()))]
    source: Bits,
    #[ty(bits(clog2(config.bytes + 1)))]
    count: Bits,
    last: Bool,
}

/// Reads the cells that the scheduler names, a beat in each cycle without gaps
/// between turns.
///
/// ```text
///  data ──────────► frame memory ─► beat
///  turn ─► FIFO ─► beat ▲
///                └─► done
/// ```
///
/// A beat comes out three cycles after it is asked for. The last beat of a frame waits until `done` is taken.
#[hdl]
pub fn reader(config: &Config) -> ReaderIo {
    let name = format!("veb_reader_{}x{}_{}", config.ports(), 8 * config.bytes, config.cells);
    module(name, ReaderIo::ty(config), |io| {
        let turns = prim::fifo(Turn::ty(config), TURNS);
        turns.enq.valid.set(io.turn.valid);
        turns.enq.payload.set(io.turn.payload);
        assume(turns.enq.ready | !io.turn.valid, "there is room for every turn");
        let turn = turns.deq.payload;

        let position = reg(bits(clog2(CELL_BEATS)));
        let is_last_beat = (position.zext(turn.beats.width()) + 1).eq(turn.beats);
        let ends_frame = is_last_beat & turn.ends;
        io.done.valid.set(turns.deq.valid & ends_frame);
        io.done.payload.set(FrameCopy { port: turn.port, head: turn.head, edit: turn.edit });
        let go = turns.deq.valid & (!ends_frame | io.done.ready);
        let turn_done = go & is_last_beat;
        turns.deq.ready.set(turn_done);
        io.turn_done.set(turn_done);
        when(go, || position.set(is_last_beat.mux(position.zero(), position + 1)));

        let memory = frame_memory(config);
        memory.write.set(io.data);
        memory.read.valid.set(go);
        let Turn { cell, previous, next, edit, begins, .. } = turn;
        let Leaving { tag, source } = turn.leaving;
        memory.read.payload.set(BeatRead { cell, previous, next, position, begins, edit, tag });

        let full = lit(config.bytes, clog2(config.bytes + 1));
        let partial = ends_frame & turn.last_bytes.any();
        let count = partial.mux(turn.last_bytes.zext(full.width()), full);
        let fetched = reg_without_reset(vec![Fetched::ty(config); 3]);
        let fetched_valid = reg(vec![flag(); 3]);
        fetched[0].set(Fetched { port: turn.port, source, count, last: ends_frame });
        fetched_valid[0].set(go);
        for stage in 1..3 {
            fetched[stage].set(fetched[stage - 1]);
            fetched_valid[stage].set(fetched_valid[stage - 1]);
        }
        let Fetched { port, source, count, last } = fetched[2];
        io.source.set(source);
        io.beat.valid.set(fetched_valid[2]);
        let beat = Beat { data: memory.data, count, last, error: false.to_bool() };
        io.beat.payload.set(Routed { port, beat });
        io.done.assert_stable();
    })
}
