//! What the manager's blocks hand to each other.

use super::MANAGEMENT_BITS;
use hdl::*;

/// An access of one of the masters to a word. It stands still from before it is asked for until it has its reply.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Request {
    pub write: Bool,
    /// In bytes, a multiple of four.
    pub offset: U<MANAGEMENT_BITS>,
    pub data: U<32>,
}

/// What came of it.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Reply {
    /// It had no effect.
    pub refused: Bool,
    /// Counts for reads that are not refused.
    pub data: U<32>,
}

/// A part of the registers: each is asked for what concerns it, and replies once, in any later cycle.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Bridge,
    Own,
    Functions,
    Sender,
    Receiver,
}
