//! Both sides of a choice have one type.
use hdl::*;

fn choices(choose: Bool, vid: U<12>, mac: U<48>, number: Signed, vector: Bits) {
    let _ = choose.mux(vid, mac);
    let _ = choose.mux(number, vector);
    let _ = number + vector;
    let _ = number.lt(vector);
}

fn main() {}
