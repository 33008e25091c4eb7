//! The payload's type is part of the bundle's.
use hdl::*;

fn streams(vids: Stream<U<12>>, macs: Stream<U<48>>, lookup: Valid<U<12>>) {
    vids.connect(&macs);
    vids.set(lookup);
    select(&[vids, macs], lookup.payload);
    when(vids.valid, || set_at(&[vids], lookup.payload, macs));
}

fn main() {}
