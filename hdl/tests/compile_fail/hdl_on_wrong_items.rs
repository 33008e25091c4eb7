//! `#[hdl]` goes on functions.
use hdl::*;

#[hdl]
struct Struct;

#[hdl(name)]
fn arguments() {}

#[hdl]
const fn constant() {}

trait Generator {
    #[hdl]
    fn without_body();
}

#[hdl]
mod inside {}

fn main() {}
