//! Who still holds a frame.

use super::types::{Cast, Chain, Edit, Finished, FrameCopy};
use crate::config::Config;
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ReferencesIo {
    /// A frame goes to as many ports as `copies` says, at least one.
    #[input]
    #[ty(Valid::ty(Held::ty(config)))]
    pub hold: Valid<Held>,
    /// A port has read its copy of a frame.
    #[input]
    #[ty(Stream::ty(FrameCopy::ty(config)))]
    pub done: Stream<FrameCopy>,
    /// The same event, with what is known of the frame.
    #[output]
    #[ty(Valid::ty(Finished::ty(config)))]
    pub finished: Valid<Finished>,
    /// Chains that nobody holds any more.
    #[output]
    #[ty(Stream::ty(Chain::ty(config)))]
    pub release: Stream<Chain>,
}

/// A frame and the number of its copies.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Held {
    #[ty(Chain::ty(config))]
    pub chain: Chain,
    /// Bytes that came in.
    pub length: U<14>,
    pub cast: Enum<Cast>,
    #[ty(bits(clog2(config.ports() + 1)))]
    pub copies: Bits,
}

/// What is kept of a frame at its head, beside the count.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Tail {
    #[ty(bits(config.cell_bits()))]
    tail: Bits,
    #[ty(bits(config.cell_count_bits()))]
    cells: Bits,
    length: U<14>,
    cast: Enum<Cast>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// Waits for a copy to be done, and reads its frame's count.
    Idle,
    /// The count is there.
    Read,
    /// Counts down, or gives the cells back.
    Settle,
}

/// Counts for each frame the ports that have not read it yet, and gives its cells back after the last.
///
/// ```text
///  hold ──► count, tail (RAM, a word for each first cell)
///  done ──► read ──► count - 1 ──┬─► RAM
///                                └─► release, after the last copy
/// ```
///
/// `hold` is always taken; it has the memory's write port to itself. A done copy takes three cycles, more while `hold`
/// is busy or `release` stalls.
#[hdl]
pub fn references(config: &Config) -> ReferencesIo {
    let name = format!("veb_references_{}x{}", config.ports(), config.cells);
    module(name, ReferencesIo::ty(config), |io| {
        let copies = bits(clog2(config.ports() + 1));
        let counts = mem(copies, config.cells, Collision::Undefined);
        let tails = mem(Tail::ty(config), config.cells, Collision::Undefined);
        let hold = io.hold.payload;
        when(io.hold.valid, || {
            let Held { chain, length, cast, .. } = hold;
            tails.write(chain.head, Tail { tail: chain.tail, cells: chain.cells, length, cast });
        });

        let state = reg_enum(State::Idle);
        let copy = reg_without_reset(io.done.payload);
        let count = reg_without_reset(copies);
        let frame = reg_without_reset(Tail::ty(config));
        let idle = state.is(State::Idle);
        let settle = state.is(State::Settle);
        let last = count.eq(1);

        io.done.ready.set(idle);
        let held_count = counts.read_if(io.done.fire(), io.done.payload.head);
        let held_tail = tails.read_if(io.done.fire(), io.done.payload.head);
        io.release.valid.set(settle & last);
        io.release.payload.set(Chain { head: copy.head, tail: frame.tail, cells: frame.cells });
        let counted = !last & !io.hold.valid;
        let settled = counted | (last & io.release.ready);
        io.finished.valid.set(settle & settled);
        let Tail { cells, length, cast, .. } = frame;
        let left = wire(U::ty());
        copy.edit.cases(|edit| match edit {
            Edit::Keep | Edit::Replace => left.set(length),
            Edit::Insert => left.set(length + 4),
            Edit::Remove => left.set(length - 4),
        });
        io.finished.payload.set(Finished { port: copy.port, cells, length: left, cast });

        when(io.hold.valid, || counts.write(hold.chain.head, hold.copies))
            .elsewhen(settle & !last, || counts.write(copy.head, count - 1));
        state.cases(|s| match s {
            State::Idle => {
                when(io.done.valid, || {
                    copy.set(io.done.payload);
                    state.set(State::Read);
                });
            }
            State::Read => {
                count.set(held_count);
                frame.set(held_tail);
                state.set(State::Settle);
            }
            State::Settle => {
                when(settled, || state.set(State::Idle));
            }
        });
        io.release.assert_stable();
    })
}
