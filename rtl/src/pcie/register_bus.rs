//! How requests to the base addresses reach registers.

use super::configuration::function_bits;
use crate::config::Config;
use hdl::*;

/// An access to one word of a function's registers. Goes with a [`Valid`] of [`RegisterAnswer`]: exactly one for each
/// access, of writes too, before the next access is offered.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct RegisterAccess {
    /// Whose: 0 the physical function, 1 the manager, then the virtual ones; in the legacy personality by their numbers.
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// Of the base address of the MSI-X table, else of that of the registers.
    pub msix: Bool,
    /// In bytes; a multiple of four, below the size of the base address.
    pub offset: U<16>,
    pub write: Bool,
    /// Bytes to be written, or that are wanted of a read: others are neither changed nor lose anything by being read.
    pub enables: U<4>,
    pub data: U<32>,
}

/// What came of it.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct RegisterAnswer {
    /// What was read; 0 after a write, and where nothing is.
    pub data: U<32>,
    /// The function cannot do this: a read is completed with Completer Abort.
    pub aborted: Bool,
}
