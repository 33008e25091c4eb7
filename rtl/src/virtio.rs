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
pub mod features;
pub mod moderation;
pub mod queues;
pub mod sum;
pub mod types;
pub mod used;

use crate::{catalogue::Block, config::Config};

/// Every block of the network functions for a configuration.
pub fn catalogue(config: &Config) -> Vec<Block> {
    let mut blocks = vec![];
    macro_rules! block {
        ($name:literal, $generator:path) => {
            let config = config.clone();
            blocks.push(Block::new(format!("virtio/{}/{}", $name, config.name), move || $generator(&config)));
        };
    }
    block!("checksum", checksum::checksum);
    block!("used", used::used);
    block!("moderation", moderation::moderation);
    blocks
}
