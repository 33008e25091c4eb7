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

pub mod features;
pub mod queues;
pub mod registers;
pub mod types;

use crate::{catalogue::Block, config::Config};

/// Every block of the network functions for a configuration.
pub fn catalogue(_config: &Config) -> Vec<Block> {
    vec![]
}
