//! Commands out of the driver's memory, byte by byte.

use crate::{
    config::Config,
    dma::{Command, Outcome, ReadBeat},
    pcie::configuration::function_bits,
    prim,
};
use hdl::*;

/// Bytes that are asked for at once.
const CHUNK: usize = 256;

/// Bits of a number of them.
const CHUNK_BITS: usize = clog2(CHUNK + 1);

/// A part of a command.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub(super) struct Piece {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    pub address: U<64>,
    /// In bytes, at least 1.
    pub length: U<16>,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub(super) struct ReaderIo {
    #[input]
    #[ty(Stream::ty(Piece::ty(config)))]
    pub piece: Stream<Piece>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub read: Stream<Command>,
    /// Always taken.
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub read_data: Stream<ReadBeat>,
    /// The bytes in their order. Behind a read that failed none follows.
    #[output]
    pub byte: Stream<U<8>>,
    /// All bytes of the piece have been taken, or a read has failed.
    #[output]
    pub done: Valid<Enum<Outcome>>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// A read is handed over.
    Ask,
    /// Its bytes come.
    Move,
    /// All of them have been taken.
    End,
}

/// Reads pieces in chunks of up to 256 bytes, one at a time, so that there is always room for what comes.
///
/// ```text
///  piece ─► chunk ─► read    read_data ─► FIFO ─► lanes, shifted down by a byte ─► byte
/// ```
///
/// # Timing
/// A byte in each cycle, and two more for each beat.
#[hdl]
pub(super) fn reader(config: &Config) -> ReaderIo {
    let name = format!("virtio_control_reader_{}x{}", config.functions(), config.bytes);
    module(name, ReaderIo::ty(config), |io| {
        io.read.assert_stable();
        io.byte.assert_stable();
        let state = reg_enum(State::Idle);
        let piece = reg_without_reset(Piece::ty(config));
        let left = Bits::from(piece.length);
        let is_long = left.gt(CHUNK);
        let chunk = is_long.mux(lit(CHUNK, CHUNK_BITS), left.trunc(CHUNK_BITS));
        let arrived = prim::fifo(ReadBeat::ty(config.bytes), CHUNK / config.bytes);
        arrived.enq.connect(&io.read_data);
        assert(io.read_data.ready | !io.read_data.valid, "there is room for a chunk");

        let lanes = reg_without_reset(bits(8 * config.bytes));
        let count = reg(bits(clog2(config.bytes + 1)));
        /// The chunk ends with what is in the lanes.
        let is_last = reg(flag());
        let outcome = reg_without_reset(Enum::<Outcome>::ty());
        let is_empty = !count.any();
        let loads = is_empty & !is_last;
        arrived.deq.ready.set(loads);
        let beat = arrived.deq.payload;
        when(arrived.deq.fire(), || {
            lanes.set(beat.data);
            count.set(beat.count);
            is_last.set(beat.last);
            outcome.set(beat.outcome);
        });
        io.byte.valid.set(!is_empty);
        io.byte.payload.set(lanes.trunc(8).as_u());
        when(io.byte.fire(), || {
            lanes.set(lanes >> lit(8, 4));
            count.set(count - 1);
        });

        io.piece.ready.set(state.is(State::Idle));
        io.read.valid.set(state.is(State::Ask));
        let Piece { function, address, .. } = piece;
        let length = chunk.zext(io.read.payload.length.pack().width()).as_u();
        io.read.payload.set(Command { function, address, length, relaxed: false.to_bool() });
        let failed = !outcome.is(Outcome::Success);
        let ends = state.is(State::End) & (failed | !left.any());
        io.done.valid.set(ends);
        io.done.payload.set(outcome);
        state.cases(|at| match at {
            State::Idle => {
                piece.set(io.piece.payload);
                when(io.piece.valid, || state.set(State::Ask));
            }
            State::Ask => {
                when(io.read.ready, || {
                    piece.address.set((Bits::from(address) + chunk.zext(64)).as_u());
                    piece.length.set((left - chunk.zext(16)).as_u());
                    state.set(State::Move);
                });
            }
            State::Move => {
                when(is_empty & is_last, || {
                    is_last.set(false);
                    state.set(State::End);
                });
            }
            State::End => state.set(ends.mux(State::Idle.to_enum(), State::Ask.to_enum())),
        });
    })
}
