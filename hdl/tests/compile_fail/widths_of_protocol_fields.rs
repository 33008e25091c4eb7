//! A VID is not a MAC address.
use hdl::*;

fn widths(vid: U<12>, mac: U<48>, length: Bits) {
    vid.set(mac);
    vid.set(length);
    vid.set(true);
    let _ = vid + mac;
    let _ = vid ^ length;
    vid.set(!mac);
}

fn main() {}
