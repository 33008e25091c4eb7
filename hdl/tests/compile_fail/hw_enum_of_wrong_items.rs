//! `HwEnum` is for enums of bare variants with distinct encodings.
use hdl::*;

#[derive(Clone, Copy, HwEnum)]
struct Struct {
    data: Bool,
}

#[derive(Clone, Copy, HwEnum)]
enum Fields {
    Idle,
    Run(u8),
    Wait { cycles: u8 },
}

#[derive(Clone, Copy, HwEnum)]
enum Generic<const N: usize> {
    Idle,
}

#[derive(Clone, Copy, HwEnum)]
enum Empty {}

#[derive(Clone, Copy, HwEnum)]
enum Negative {
    Idle = -1,
}

const BELOW: isize = -5;

#[derive(Clone, Copy, HwEnum)]
enum Computed {
    Idle = BELOW,
}

#[derive(Clone, Copy, HwEnum)]
enum Equal {
    Idle = 1,
    Run = 1,
}

#[derive(HwEnum)]
enum NotCopy {
    Idle,
}

fn main() {}
