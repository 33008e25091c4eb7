//! A driver of virtio network functions, for load and for corner cases; written from the standard (virtio 1.2).

pub mod device;
pub mod dma;
pub mod error;
pub mod features;
pub mod layout;
pub mod mischief;
pub mod net;
pub mod packed;
pub mod pci;
pub mod queue;
pub mod ring;
pub mod split;
