//! The network functions: virtio-net devices, each with rings in its driver's memory.
//!
//! ```text
//!  registers ─► doorbell ─► fetch ─► store ─┬─► transmit ─► checksum ─► bridge
//!      │                                    ├─► receive ◄────────────── bridge
//!      └─ drain, one block after the other  └─► control
//!                                                  └──┬─► used ─► moderation ─► MSI-X
//! ```
//! A buffer is followed through the blocks in this order: the driver writes its descriptors into a ring and rings the doorbell;
//! `fetch` reads them, `store` keeps them until `transmit`, `receive` or `control` takes them, and `used` gives them back.
//! docs/src/virtio.md has the contracts of all blocks.

pub mod checksum;
pub mod control;
mod drain;
pub mod features;
pub mod fetch;
pub mod gather;
pub mod inspect;
mod lanes;
pub mod moderation;
pub mod queues;
pub mod receive;
pub mod registers;
pub mod spread;
pub mod store;
pub mod sum;
pub mod transmit;
pub mod types;
pub mod used;

use crate::{
    catalogue::Block,
    config::{Config, MAX_FRAME},
};

/// Bytes of the header that stands before a frame in its buffers (virtio 5.1.6).
pub const HEADER: usize = 12;

/// Bytes of frames that `checksum` and `inspect` keep until they are whole: the longest, and a beat.
pub const STORE: usize = 16384;
const _: () = assert!(MAX_FRAME + 64 < STORE);

/// Bits of a number of their bytes.
pub const LENGTH: usize = hdl::clog2(STORE);

/// Frames that wait there.
const FRAMES: usize = 32;

/// Blocks that look up settings of queues: `fetch`, `receive`, `used` and `control`.
pub const READERS: usize = 4;

/// Every block of the network functions for a configuration.
pub fn catalogue(config: &Config) -> Vec<Block> {
    let mut blocks = vec![];
    macro_rules! block {
        ($name:literal, $generator:expr) => {
            let config = config.clone();
            blocks.push(Block::new(format!("virtio/{}/{}", $name, config.name), move || $generator(&config)));
        };
    }
    block!("registers", |config| registers::registers(config, READERS));
    block!("fetch", fetch::named);
    block!("store", store::store);
    block!("gather", gather::gather);
    block!("checksum", checksum::checksum);
    block!("transmit", transmit::transmit);
    block!("receive/collector", receive::collector);
    block!("inspect", inspect::inspect);
    block!("spread", spread::spread);
    block!("receive", receive::receive);
    block!("used", used::used);
    block!("moderation", moderation::moderation);
    block!("control", control::control);
    blocks
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_elaborates() {
        let small = Config::small();
        let least = Config { vfs: 0, pairs: 1, ..small.clone() };
        let most = Config { vfs: 62, pairs: 4, ..small };
        for config in Config::all().into_iter().chain([least, most]) {
            for block in catalogue(&config) {
                (block.build)().unwrap_or_else(|errors| panic!("{}: {errors}", block.name));
            }
        }
    }
}
