//! `Bundle` is for structs with named fields that own their signals.
use hdl::*;

#[derive(Clone, Bundle)]
struct Tuple(Bool, Bool);

#[derive(Clone, Bundle)]
struct Unit;

#[derive(Clone, Bundle)]
enum State {
    Idle,
}

#[derive(Clone, Copy, Bundle)]
union Either {
    a: Bool,
    b: Bool,
}

#[derive(Clone, Bundle)]
struct Borrowed<'a> {
    signal: &'a Bool,
}

fn main() {}
