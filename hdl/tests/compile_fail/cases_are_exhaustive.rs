//! The `match` of `cases` leaves no state out.
use hdl::*;

#[derive(Clone, Copy, HwEnum)]
enum State {
    Idle,
    Run,
    Wait,
}

fn cases(state: Enum<State>) {
    state.cases(|state| match state {
        State::Idle => (),
        State::Run => (),
    });
}

fn main() {}
