//! The two handshakes that all of Hematite uses.

use crate::{
    Bool, Bundle, Data, Typed, delay,
    ir::CheckKind,
    scope,
    statements::{check, set_ghost},
    when,
};
use std::panic::Location;

/// A producer's valid/ready port. A beat moves on each clock edge at which both are 1. `valid` never waits for `ready`,
/// and once it is 1 it and the payload stay until the beat has moved.
///
/// ```
/// # use hdl::*;
/// #[derive(Bundle, Clone)]
/// struct Skid {
///     #[input]
///     from: Stream<U<8>>,
///     #[output]
///     to: Stream<U<8>>,
/// }
///
/// let wires = || {
///     module("wires", Skid::ty(), |io| {
///         io.to.connect(&io.from.map(|byte| (!*byte).as_u()));
///         when(io.to.fire(), || ());
///     })
/// };
/// elaborate(wires).unwrap();
/// ```
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(payload: T)]
pub struct Stream<T> {
    /// There is a beat.
    pub valid: Bool,
    /// The consumer takes the beat.
    #[flip]
    pub ready: Bool,
    #[ty(payload)]
    pub payload: T,
}

impl<T: Data> Stream<T> {
    /// A beat moves at the end of this cycle.
    #[track_caller]
    pub fn fire(&self) -> Bool {
        self.valid & self.ready
    }

    /// The same handshake with another payload.
    pub fn map<U: Data>(&self, f: impl FnOnce(&T) -> U) -> Stream<U> {
        Stream { valid: self.valid, ready: self.ready, payload: f(&self.payload) }
    }

    /// Asserts the contract of a stream that this module produces: once valid, a beat stays as it is until it moves.
    #[track_caller]
    pub fn assert_stable(&self) {
        self.stability(CheckKind::Assert);
    }

    /// As [`Stream::assert_stable`], of a stream that comes from outside.
    #[track_caller]
    pub fn assume_stable(&self) {
        self.stability(CheckKind::Assume);
    }

    #[track_caller]
    fn stability(&self, kind: CheckKind) {
        let loc = Location::caller();
        // No closure around the declarations: the location of the caller does not pass through it.
        let outer = set_ghost(true);
        let stalled = named("stalled", self.valid & !self.ready);
        let payload = self.payload.pack();
        let stays = self.valid & payload.eq(named("stalled_payload", payload));
        when(stalled, || check(kind, stays, "a beat stays until it moves", loc));
        set_ghost(outer);
    }
}

/// `value`, one cycle later, in a register called `name`.
#[track_caller]
fn named<T: Data>(name: &str, value: T) -> T {
    let _scope = scope(name, "");
    delay(value)
}

/// A value that is there in some cycles and cannot be held back.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(payload: T)]
pub struct Valid<T> {
    pub valid: Bool,
    #[ty(payload)]
    pub payload: T,
}

impl<T: Typed> Typed for Stream<T> {
    fn ty() -> Self {
        Stream::ty(T::ty())
    }
}

impl<T: Typed> Typed for Valid<T> {
    fn ty() -> Self {
        Valid::ty(T::ty())
    }
}
