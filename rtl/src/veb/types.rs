//! What the blocks of the bridge hand to each other.

use crate::config::Config;
use hdl::*;

/// Why a frame was dropped as a whole, in the order in which the rules are tried.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was not.
    None,
    /// The port that brought it marked it as bad.
    Error,
    /// Too short for its header.
    Runt,
    /// Longer than [`crate::config::MAX_FRAME`].
    Oversize,
    /// No cell of the packet buffer was free for some part of it.
    BufferFull,
    /// Its source port is not a member of its VLAN, or its VID is reserved.
    Vlan,
    /// It has no destination but its source.
    Filtered,
}

impl Reason {
    /// The reasons that are counted, with the names that reports give them, in the order of the counters.
    pub const COUNTED: [(Reason, &'static str); 6] = [
        (Reason::Error, "error"),
        (Reason::Runt, "runt"),
        (Reason::Oversize, "oversize"),
        (Reason::Vlan, "vlan"),
        (Reason::Filtered, "filtered"),
        (Reason::BufferFull, "buffer_full"),
    ];
}

/// The cells of a frame in the packet buffer, linked from the first to the last.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Chain {
    #[ty(bits(config.cell_bits()))]
    pub head: Bits,
    #[ty(bits(config.cell_bits()))]
    pub tail: Bits,
    /// How many; 0 for a frame that has none, whose head and tail mean nothing.
    #[ty(bits(config.cell_count_bits()))]
    pub cells: Bits,
}

/// The fields of an Ethernet header, numbers in the order of the wire: the first byte is the most significant.
#[derive(Bundle, Clone, Copy)]
pub struct Header {
    pub destination: U<48>,
    pub source: U<48>,
    /// There is an 802.1Q tag (TPID 0x8100); the next three fields are 0 without one.
    pub tagged: Bool,
    /// Priority code point.
    pub pcp: U<3>,
    /// Drop eligible indicator.
    pub dei: Bool,
    pub vid: U<12>,
    /// Behind the tag, if there is one.
    pub ethertype: U<16>,
}

/// A frame that is complete in the packet buffer.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Frame {
    /// Where it came in.
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    /// Why it cannot be forwarded, as far as that is known by now.
    pub reason: Enum<Reason>,
    /// In bytes; counts on up to two beats beyond the limit.
    pub length: U<14>,
    #[ty(Chain::ty(config))]
    pub chain: Chain,
    pub header: Header,
}

/// What becomes of a frame.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Decision {
    pub reason: Enum<Reason>,
    /// The ports that it goes to, a bit each; none if there is a reason against it.
    #[ty(bits(config.ports()))]
    pub destinations: Bits,
    pub length: U<14>,
    #[ty(Chain::ty(config))]
    pub chain: Chain,
}

/// An entry of an egress queue.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct QueueEntry {
    /// The frame's first cell.
    #[ty(bits(config.cell_bits()))]
    pub head: Bits,
    pub length: U<14>,
}

/// A copy of a frame that has been read for the last time by its port.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct FrameCopy {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    /// The frame's first cell.
    #[ty(bits(config.cell_bits()))]
    pub head: Bits,
}

/// Cells that are no longer owed to a port.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Finished {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    #[ty(bits(config.cell_count_bits()))]
    pub cells: Bits,
}
