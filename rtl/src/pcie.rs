//! The PCI Express endpoint: what the adapter is to its host.

pub mod base_addresses;
pub mod completer;
pub mod config_requests;
pub mod configuration;
pub mod endpoint;
pub mod errors;
pub mod functions;
pub mod identity;
pub mod msix;
pub mod receiver;
pub mod register_bus;
pub mod reporter;
pub mod resets;
pub mod routing;
pub mod space;
pub mod tlp;
pub mod transmitter;

#[cfg(test)]
pub(crate) mod testing;

use crate::{catalogue::Block, config::Config};
use space::Kind;

/// Vendor of the functions: that of virtio devices.
pub const VENDOR: usize = 0x1AF4;

/// Device of a network function: virtio-net (virtio 4.1.2).
pub const NETWORK_DEVICE: usize = 0x1041;

/// Device of the manager: of a range that is free for experiments.
pub const MANAGER_DEVICE: usize = 0x10F0;

/// Subsystem of all functions.
pub const NETWORK_SUBSYSTEM: usize = 0x0041;

/// The base address register, by its number in the header, of a function's registers.
pub const REGISTER_BAR: usize = 0;

/// MSI-X vectors of a function: up to 256.
pub const VECTORS: usize = 16;

/// That of its MSI-X table and pending bits.
pub const MSIX_BAR: usize = 2;

/// Where the pending bits are; the table is at 0.
pub const PENDING_OFFSET: usize = 0x1000;

/// A base address register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Bits of an address in it.
    pub address_bits: usize,
    pub doc: &'static str,
}

impl Bar {
    /// Those of a function: its registers, and its MSI-X table.
    pub fn of(kind: Kind) -> [Bar; 2] {
        let msix = Bar { address_bits: 13, doc: "Of the MSI-X table and its pending bits." };
        let registers = match kind {
            Kind::Manager => Bar { address_bits: 16, doc: "Of the bridge's registers." },
            Kind::Physical | Kind::Virtual => {
                Bar { address_bits: 14, doc: "Of the registers of the virtio device." }
            }
        };
        [registers, msix]
    }
}

/// What a virtio device has in its base address.
pub mod window {
    /// A part of it, in bytes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Window {
        pub offset: usize,
        pub bytes: usize,
    }

    /// Common configuration (virtio 4.1.4.3).
    pub const COMMON: Window = Window { offset: 0x0000, bytes: 0x1000 };
    /// Cause of interrupts (virtio 4.1.4.5).
    pub const INTERRUPT: Window = Window { offset: 0x1000, bytes: 0x1000 };
    /// Configuration of the network device (virtio 5.1.4).
    pub const DEVICE: Window = Window { offset: 0x2000, bytes: 0x1000 };
    /// Notifications of queues (virtio 4.1.4.4).
    pub const NOTIFY: Window = Window { offset: 0x3000, bytes: 0x1000 };
    /// Bytes between the addresses of two queues in [`NOTIFY`].
    pub const NOTIFY_STRIDE: usize = 4;
}

/// Every block of the endpoint for a configuration, with those of [`crate::dma`].
pub fn catalogue(config: &Config) -> Vec<Block> {
    let mut blocks = vec![];
    macro_rules! block {
        ($name:literal, $generator:path) => {
            let config = config.clone();
            blocks.push(Block::new(format!("pcie/{}/{}", $name, config.name), move || $generator(&config)));
        };
    }
    block!("receiver", receiver::receiver);
    block!("base_addresses", base_addresses::base_addresses);
    block!("completer", completer::completer);
    block!("resets", resets::resets);
    block!("routing", routing::routing);
    block!("config_requests", config_requests::config_requests);
    block!("configuration", configuration::configuration);
    block!("endpoint", endpoint::endpoint);
    block!("transmitter", transmitter::transmitter);
    block!("msix", msix::msix);
    block!("reporter", reporter::reporter);
    blocks.extend(crate::dma::catalogue(config));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VfPlaces;

    #[test]
    fn every_block_elaborates() {
        let small = Config::small();
        let least = Config { vfs: 0, ..small.clone() };
        let most = Config { vfs: 62, ..small.clone() };
        let slots = [0, 3, 62].map(|vfs| Config { vfs, vf_places: VfPlaces::Slots, ..small.clone() });
        for config in Config::all().into_iter().chain([least, most]).chain(slots) {
            for block in catalogue(&config) {
                (block.build)().unwrap_or_else(|errors| panic!("{}: {errors}", block.name));
            }
        }
    }
}
