//! The ports of wires.

pub mod axi_stream;

use crate::{catalogue::Block, config::Config};

/// Every block of the wires for a configuration.
pub fn catalogue(config: &Config) -> Vec<Block> {
    let bytes = config.bytes;
    vec![
        Block::new(format!("ethernet/from_axi_stream/{}", config.name), move || {
            axi_stream::from_axi_stream(bytes)
        }),
        Block::new(format!("ethernet/to_axi_stream/{}", config.name), move || {
            axi_stream::to_axi_stream(bytes)
        }),
    ]
}
