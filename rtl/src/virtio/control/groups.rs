//! The groups of a command, until it is known to be good.

use crate::{
    config::Config,
    pcie::configuration::function_bits,
    veb::{
        classifier::MULTICAST_ROWS,
        filters::{FilterChange, FilterKind},
    },
};
use hdl::*;

/// The hashes of a command have come.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub(super) struct Settled {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// The function's filter becomes what they say; otherwise they are forgotten.
    pub is_good: Bool,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub(super) struct GroupsIo {
    /// Not while `settle` is valid.
    #[input]
    #[ty(Valid::ty(bits(clog2(MULTICAST_ROWS))))]
    pub hash: Valid<Bits>,
    /// Taken when it is done.
    #[input]
    #[ty(Stream::ty(Settled::ty(config)))]
    pub settle: Stream<Settled>,
    #[output]
    #[ty(Stream::ty(FilterChange::ty(config)))]
    pub change: Stream<FilterChange>,
    /// All is empty since reset; nothing may come before.
    #[output]
    pub clear: Bool,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// All is emptied.
    Clear,
    Idle,
    /// A hash is read,
    Read,
    /// and taken away.
    Take,
    /// The filter is told.
    Tell,
    Done,
}

/// A bit for each hash. A command that is good changes all bits of the function's filter.
///
/// # Timing
/// To settle takes four cycles and more for each of 512 hashes, half of that if they are forgotten.
#[hdl]
pub(super) fn groups(config: &Config) -> GroupsIo {
    module(format!("virtio_control_groups_{}", config.functions()), GroupsIo::ty(config), |io| {
        io.settle.assume_stable();
        io.change.assert_stable();
        let state = reg_enum(State::Clear);
        let wanted = mem(bits(1), MULTICAST_ROWS, Collision::Undefined);
        let index = reg(bits(clog2(MULTICAST_ROWS)));
        let is_wanted = reg_without_reset(flag());
        let read = wanted.read(index);
        let empties = state.is(State::Clear) | state.is(State::Take);
        when(empties | io.hash.valid, || {
            wanted.write(empties.mux(index, io.hash.payload), (!empties).bits());
        });
        io.clear.set(!state.is(State::Clear));
        let Settled { function, is_good } = io.settle.payload;
        io.settle.ready.set(state.is(State::Done));
        io.change.valid.set(state.is(State::Tell));
        io.change.payload.function.set(function);
        io.change.payload.kind.set(FilterKind::Group);
        io.change.payload.index.set(index.zext(12).as_u());
        io.change.payload.wanted.set(is_wanted);
        let goes_on = || {
            index.set(index + 1);
            state.set(index.all().mux(State::Done.to_enum(), State::Read.to_enum()));
        };
        state.cases(|at| match at {
            State::Clear => {
                index.set(index + 1);
                when(index.all(), || state.set(State::Idle));
            }
            State::Idle => {
                when(io.settle.valid, || state.set(State::Read));
            }
            State::Read => state.set(State::Take),
            State::Take => {
                is_wanted.set(read.any());
                when(is_good, || state.set(State::Tell)).otherwise(goes_on);
            }
            State::Tell => {
                when(io.change.ready, goes_on);
            }
            State::Done => state.set(State::Idle),
        });
    })
}
