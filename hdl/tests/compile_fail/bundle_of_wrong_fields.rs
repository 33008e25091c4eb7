//! The fields of a bundle are signals, and each has a type.
use hdl::*;

#[derive(Clone, Bundle)]
#[ty(none)]
struct Number {
    width: usize,
}

#[derive(Clone, Bundle)]
struct Untyped {
    data: Bits,
}

#[derive(Bundle)]
struct NotClone {
    data: Bool,
}

#[derive(Clone, Bundle)]
struct Mistyped {
    #[ty(bits(8))]
    data: Bool,
}

#[derive(Clone, Bundle)]
#[ty(width: usize)]
struct Misspelt {
    #[ty(bits(widht))]
    data: Bits,
}

fn main() {
    Misspelt::ty();
}
