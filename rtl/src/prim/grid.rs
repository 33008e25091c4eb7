//! Every primitive at the points of its parameter grid.

use super::*;
use crate::{catalogue::Block, frame::Beat};

/// The primitives, each at several points of its parameter grid: smallest, largest that is quick to simulate, odd ones.
pub fn catalogue() -> Vec<Block> {
    let mut blocks = vec![];
    streams(&mut blocks);
    routing(&mut blocks);
    frames(&mut blocks);
    values(&mut blocks);
    blocks
}

/// Adds the block under the name of its parameters.
fn add<Io: Data>(blocks: &mut Vec<Block>, name: String, generator: impl Fn() -> Io + 'static) {
    blocks.push(Block::new(name, generator));
}

fn streams(blocks: &mut Vec<Block>) {
    for (width, depth) in [(1, 2), (70, 16), (8, 32), (70, 64), (36, 512)] {
        add(blocks, format!("fifo({width}, {depth})"), move || fifo(bits(width), depth));
    }
    add(blocks, "fifo(Beat 8, 512)".into(), || fifo(Beat::ty(8), 512));
    for (width, depth) in [(1, 4), (70, 16), (8, 32), (70, 64)] {
        let outside = Clock::external;
        let generator = move || async_fifo(bits(width), depth, outside(), outside());
        add(blocks, format!("async_fifo({width}, {depth})"), generator);
    }
    for width in [1, 70] {
        add(blocks, format!("skid_buffer({width})"), move || skid_buffer(bits(width)));
        add(blocks, format!("register_slice({width})"), move || register_slice(bits(width)));
    }
}

fn routing(blocks: &mut Vec<Block>) {
    for n in [1, 2, 3, 8, 20, 66] {
        add(blocks, format!("priority({n})"), move || priority(n));
        add(blocks, format!("round_robin({n})"), move || round_robin(n));
    }
    for policy in [Policy::RoundRobin, Policy::Priority] {
        for n in [1, 2, 3, 8, 20] {
            let generator = move || stream_arbiter(bits(16), n, policy);
            add(blocks, format!("stream_arbiter({n}, {policy:?})"), generator);
            let generator = move || frame_arbiter(Beat::ty(8), n, policy, |beat| beat.last);
            add(blocks, format!("frame_arbiter({n}, {policy:?})"), generator);
        }
    }
    for n in [1, 2, 3, 8, 20] {
        add(blocks, format!("stream_demux({n})"), move || stream_demux(Beat::ty(8), n));
    }
}

fn frames(blocks: &mut Vec<Block>) {
    for (from, to) in [(8, 8), (1, 2), (4, 8), (8, 32), (5, 15), (2, 1), (8, 4), (32, 8), (15, 5)] {
        add(blocks, format!("width_converter({from}, {to})"), move || width_converter(from, to));
    }
    for (bytes, header) in [(2, 1), (8, 12), (8, 16), (8, 3), (16, 16), (16, 12), (5, 23)] {
        add(blocks, format!("packetiser({bytes}, {header})"), move || packetiser(bytes, header));
        add(blocks, format!("depacketiser({bytes}, {header})"), move || depacketiser(bytes, header));
    }
    for bytes in [1, 4, 5, 8, 16] {
        add(blocks, format!("crc({}, {bytes})", ETHERNET.name), move || crc(ETHERNET, bytes));
    }
}

fn values(blocks: &mut Vec<Block>) {
    for width in [1, 2] {
        add(blocks, format!("synchronizer({width}, {})", width + 1), move || synchronizer(width, width + 1));
    }
    for hold in [1, 16] {
        add(blocks, format!("reset_synchronizer({hold})"), move || reset_synchronizer(hold));
    }
    for (width, entries) in [(12, 2), (60, 32), (9, 11)] {
        add(blocks, format!("cam({width}, {entries})"), move || cam(bits(width), entries));
    }
    for width in [1, 4, 32] {
        for overflow in [Overflow::Wrap, Overflow::Saturate] {
            add(blocks, format!("counter({width}, {overflow:?})"), move || counter(width, overflow));
        }
    }
    for (events, width) in [(2, 8), (20, 32), (33, 16)] {
        add(blocks, format!("event_counters({events}, {width})"), move || event_counters(events, width));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_block_elaborates() {
        let blocks = catalogue();
        let names: HashSet<&str> = blocks.iter().map(|block| block.name.as_str()).collect();
        assert_eq!(names.len(), blocks.len(), "names are unique");
        for block in &blocks {
            let result = (block.build)();
            assert!(result.is_ok(), "{}: {}", block.name, result.unwrap_err());
        }
    }
}
