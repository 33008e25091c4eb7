//! The attributes of `Bundle` say what they expect.
use hdl::*;

#[derive(Clone, Bundle)]
#[ty(8)]
struct Parameters {
    data: Bool,
}

#[derive(Clone, Bundle)]
#[ty(width: usize)]
#[ty(none)]
struct Twice {
    data: Bool,
}

#[derive(Clone, Bundle)]
#[input]
struct Directed {
    data: Bool,
}

#[derive(Clone, Bundle)]
struct Empty {
    #[ty]
    data: Bits,
}

#[derive(Clone, Bundle)]
struct Repeated {
    #[ty(bits(1))]
    #[ty(bits(2))]
    data: Bits,
}

#[derive(Clone, Bundle)]
struct Opposed {
    #[input]
    #[output]
    data: Bool,
}

#[derive(Clone, Bundle)]
struct Argument {
    #[input(8)]
    data: Bool,
}

#[derive(Clone, Bundle)]
struct Unknown {
    #[inout]
    data: Bool,
}

fn main() {}
