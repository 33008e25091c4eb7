//! Access to the host's memory.
//!
//! A client hands in *commands*: write these bytes there, read those. The engines cut them into packets as the host allows,
//! in the name of the function that the command belongs to.

pub mod read;
pub mod share;
pub mod write;

use crate::{catalogue::Block, config::Config, pcie::configuration::function_bits};
use hdl::*;

/// Bits of the length of a command: up to 16383 bytes.
pub const LENGTH_BITS: usize = 14;

/// Bytes to be written, or to be read.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Command {
    /// Whose command it is.
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// Of the first byte; any alignment.
    pub address: U<64>,
    /// In bytes. With 0 nothing is done, successfully; a write then has no data.
    pub length: U<LENGTH_BITS>,
    /// The packets may overtake others (Relaxed Ordering), if software allows it.
    pub relaxed: Bool,
}

/// How a command ended.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// The function may send nothing: it is no bus master, or it is being reset. Of a write nothing more was sent.
    Stopped,
    /// The host does not support the request.
    Unsupported,
    /// The host aborted it.
    Aborted,
    /// The data is known to be bad.
    Poisoned,
    /// No completion came in time.
    TimedOut,
}

/// Data that was read, on a [`Stream`]: for each command one or more beats.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct ReadBeat {
    /// The bytes, the first of the command in bits 7:0 of its first beat.
    #[ty(bits(8 * bytes))]
    pub data: Bits,
    /// Bytes of `data` that count: all in every beat but the last; may be 0 in the last.
    #[ty(bits(clog2(bytes + 1)))]
    pub count: Bits,
    /// The command ends with this beat.
    pub last: Bool,
    /// How it ended; means something in the last beat. After a failure the data before it may be there, or not.
    pub outcome: Enum<Outcome>,
}

/// Every block of the engines for a configuration.
pub fn catalogue(config: &Config) -> Vec<Block> {
    let (reads, writes) = (config.clone(), config.clone());
    vec![
        Block::new(format!("dma/read/{}", config.name), move || read::read_engine(&reads, 3, 64)),
        Block::new(format!("dma/write/{}", config.name), move || write::write_engine(&writes, 3)),
    ]
}
