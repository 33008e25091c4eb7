//! A condition is a `Bool`, also where a vector has one bit.
use hdl::*;

fn conditions(vector: Bits, one: U<1>, ready: Bool) {
    when(vector, || ());
    when(ready, || ()).elsewhen(one, || ());
    ready.set(vector);
    let _ = ready & vector;
    let _ = vector.mux(one, one);
    assert(vector, "holds");
    if ready {}
}

fn main() {}
