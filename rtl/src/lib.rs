//! The hardware of Hematite, as generators: one file for each module, folders that follow the data path.
//!
//! Start at [`veb`]; what it is made of is in [`prim`].

pub mod axi_lite;
pub mod catalogue;
pub mod config;
pub mod dma;
pub mod ethernet;
pub mod formal;
pub mod frame;
pub mod manager;
pub mod nic;
pub mod pcie;
pub mod prim;
pub mod register_map;
pub mod veb;
pub mod virtio;

#[cfg(test)]
mod testing;
