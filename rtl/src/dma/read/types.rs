//! What the parts of the read engine hand to each other.

use super::super::Outcome;
use crate::{config::Config, pcie::configuration::function_bits};
use hdl::*;

/// Bytes of the completion buffer that a tag has.
pub const SLOT: usize = 256;

/// Bits of a byte's place in a slot.
pub const SLOT_BITS: usize = clog2(SLOT);

/// Bits of a number of bytes of a piece.
pub const COUNT_BITS: usize = SLOT_BITS + 1;

/// Words of 32 bits in a beat.
pub fn lanes(config: &Config) -> usize {
    config.bytes / 4
}

/// Bits of a beat's place in a slot.
pub fn row_bits(config: &Config) -> usize {
    clog2(SLOT / config.bytes)
}

/// The part of a command that one request asks for, or what stands for it if there is no request. Its bytes have the
/// same place in a slot as in the 256 bytes of the host's memory that it lies in.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config, clients: usize)]
pub struct Piece {
    #[ty(bits(clog2(clients)))]
    pub client: Bits,
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    pub requester: U<16>,
    pub address: U<64>,
    /// The place of its last byte.
    pub last_byte: U<SLOT_BITS>,
    /// Its bytes, if it is not empty.
    pub bytes: U<COUNT_BITS>,
    /// The address does not fit in 32 bits.
    pub is_long: Bool,
    pub relaxed: Bool,
    /// The command begins with it.
    pub opens: Bool,
    /// The command ends with it.
    pub last: Bool,
    /// The command has no bytes: nothing is asked for.
    pub empty: Bool,
    /// The function may send nothing: nothing is asked for.
    pub stopped: Bool,
    /// The place of the command's first byte in a beat of the host's memory.
    #[ty(bits(clog2(config.bytes)))]
    pub shift: Bits,
    /// Bytes of the command's last beat; 0 for a full one.
    #[ty(bits(clog2(config.bytes)))]
    pub count: Bits,
    /// The command's bytes lie in as many beats of the host's memory as they are delivered in, and begin within one: what
    /// is left of the last one needs a beat of its own.
    pub flush: Bool,
}

impl Piece {
    /// A request is sent for it.
    pub fn is_sent(&self) -> Bool {
        !(self.empty | self.stopped)
    }

    /// How it ends as far as is known.
    pub fn outcome(&self) -> Enum<Outcome> {
        self.stopped.mux(Outcome::Stopped.to_enum(), Outcome::Success.to_enum())
    }

    /// The place of its first byte.
    pub fn first_byte(&self) -> Bits {
        Bits::from(self.address).trunc(SLOT_BITS)
    }
}

/// A piece that is given a tag. Its request leaves, if it has one.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config, clients: usize, tags: usize)]
pub struct Issue {
    #[ty(bits(clog2(tags)))]
    pub tag: Bits,
    #[ty(Piece::ty(config, clients))]
    pub piece: Piece,
}

/// How a piece has ended, or will end when all of it has come.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(tags: usize)]
pub struct Verdict {
    #[ty(bits(clog2(tags)))]
    pub tag: Bits,
    pub outcome: Enum<Outcome>,
}

/// A beat for the completion buffer.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config, tags: usize)]
pub struct SlotWrite {
    #[ty(bits(clog2(tags)))]
    pub tag: Bits,
    #[ty(bits(row_bits(config)))]
    pub row: Bits,
    /// Words that go into the next row.
    #[ty(bits(lanes(config)))]
    pub next: Bits,
    /// Words that are written.
    #[ty(bits(lanes(config)))]
    pub enables: Bits,
    #[ty(bits(8 * config.bytes))]
    pub data: Bits,
}

/// A piece that is to be delivered.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config, tags: usize)]
pub struct Turn {
    #[ty(bits(clog2(tags)))]
    pub tag: Bits,
    /// Its first row.
    #[ty(bits(row_bits(config)))]
    pub row: Bits,
    #[ty(bits(row_bits(config)))]
    pub last_row: Bits,
    /// Both are the same.
    pub is_single: Bool,
    #[ty(bits(clog2(config.bytes)))]
    pub shift: Bits,
    #[ty(bits(clog2(config.bytes)))]
    pub count: Bits,
    pub opens: Bool,
    pub last: Bool,
    pub flush: Bool,
    /// It has no data and ends the command.
    pub terminal: Bool,
    /// It is thrown away: its command has ended.
    pub discard: Bool,
    pub outcome: Enum<Outcome>,
}

/// A tag that a client gives back.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(clients: usize, tags: usize)]
pub struct Freed {
    #[ty(bits(clog2(clients)))]
    pub client: Bits,
    #[ty(bits(clog2(tags)))]
    pub tag: Bits,
}
