//! A state register takes the variants of its own enum and nothing else.
use hdl::*;

#[derive(Clone, Copy, HwEnum)]
enum State {
    Idle,
    Run,
}

#[derive(Clone, Copy, HwEnum)]
enum Other {
    Idle,
}

fn states(state: Enum<State>, other: Enum<Other>, vector: Bits) {
    state.set(Other::Idle);
    state.set(other);
    state.set(1);
    state.set(vector);
    let _ = state.is(Other::Idle);
    state.cases(|state| match state {
        State::Idle => (),
        Other::Idle => (),
    });
}

fn main() {}
