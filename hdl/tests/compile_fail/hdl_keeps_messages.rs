//! Under `#[hdl]` a mistake is reported where it was made, and a `let` keeps the type it says.
use hdl::*;

#[hdl]
fn messages(vid: U<12>, mac: U<48>) -> Option<Bits> {
    let wrong: U<12> = mac;
    let (a, b) = (vid + mac, missing);
    let decided_below = Default::default();
    let bytes: usize = decided_below;
    let [one, two] = [vid, mac];
    /// A question for no one.
    let question = vid.width()?;
    None
}

fn main() {}
