//! What a read of the word that is being written returns is said where the memory is made.
use hdl::*;

fn memories(vid: U<12>, mac: U<48>) {
    mem(vid, 16);
    let vids = mem(vid, 16, Collision::ReadOld);
    vids.write(vid, mac);
}

fn main() {}
