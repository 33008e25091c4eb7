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
    /// Its source port may not send.
    Disabled,
    /// Its source address is not one of its source port's.
    MacSpoof,
    /// Its source port may not send frames of this type.
    EthertypeSpoof,
    /// Its source port does not admit frames tagged as it is.
    Admission,
    /// Its source port is not a member of its VLAN, or its VID is reserved.
    Vlan,
    /// It has no destination but its source.
    Filtered,
}

/// What kind of address a frame goes to.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    Unicast,
    Multicast,
    Broadcast,
}

/// The kinds of tag.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    None,
    /// Customer VLAN tag: TPID 0x8100.
    Customer,
    /// Service VLAN tag: TPID 0x88A8.
    Service,
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
    /// What stands behind the addresses; the next three fields are its, and mean nothing without one.
    pub tag: Enum<TagKind>,
    /// Priority code point.
    pub pcp: U<3>,
    /// Drop eligible indicator.
    pub dei: Bool,
    pub vid: U<12>,
    /// There is another tag behind the first.
    pub second_tag: Bool,
    /// Behind up to two tags.
    pub ethertype: U<16>,
}

/// The tag that a frame gets where it leaves with one.
#[derive(Bundle, Clone, Copy)]
pub struct Tag {
    /// TPID 0x88A8; otherwise 0x8100.
    pub service: Bool,
    pub pcp: U<3>,
    pub dei: Bool,
    pub vid: U<12>,
}

impl Tag {
    /// Its four bytes, the first of the wire in bits 7:0.
    pub fn bytes(self) -> Bits {
        let tpid = self.service.mux(lit(0x88a8, 16), lit(0x8100, 16));
        let tci = cat([self.pcp.pack(), self.dei.bits(), self.vid.pack()]);
        cat([tci.trunc(8), tci.slice(8, 8), tpid.trunc(8), tpid.slice(8, 8)])
    }
}

/// What is kept of a frame for those who read it.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Leaving {
    pub tag: Tag,
    /// Where it came in.
    #[ty(bits(config.port_bits()))]
    pub source: Bits,
}

/// A frame that is complete in the packet buffer.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Frame {
    /// Where it came in.
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    /// The port marked it as bad.
    pub error: Bool,
    /// There was no cell for some part of it.
    pub broken: Bool,
    /// In bytes; all ones for more than it can say.
    pub length: U<14>,
    #[ty(Chain::ty(config))]
    pub chain: Chain,
    pub header: Header,
}

/// The ports to which the manager sends a frame past all rules.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Forced {
    /// There are such ports; otherwise the frame is like any other.
    pub valid: Bool,
    #[ty(bits(config.ports()))]
    pub ports: Bits,
}

/// What becomes of a frame.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Decision {
    /// Where it came in.
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    pub reason: Enum<Reason>,
    pub cast: Enum<Cast>,
    /// The ports that it goes to, a bit each; none if there is a reason against it.
    #[ty(bits(config.ports()))]
    pub destinations: Bits,
    /// It leaves as it came.
    pub raw: Bool,
    /// Otherwise: the ports that it leaves without a tag; the others give it `tag`.
    #[ty(bits(config.ports()))]
    pub untagged: Bits,
    /// It came with a tag that counts.
    pub has_tag: Bool,
    pub tag: Tag,
    pub length: U<14>,
    #[ty(Chain::ty(config))]
    pub chain: Chain,
}

/// What is done to the four bytes behind the addresses of a frame that leaves.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// They stay.
    Keep,
    /// They are the tag now.
    Replace,
    /// The tag comes before them.
    Insert,
    /// They are left out.
    Remove,
}

/// An entry of an egress queue.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct QueueEntry {
    /// The frame's first cell.
    #[ty(bits(config.cell_bits()))]
    pub head: Bits,
    pub edit: Enum<Edit>,
    /// Bytes that leave.
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
    pub edit: Enum<Edit>,
}

/// A copy that is no longer owed to a port.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Finished {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    #[ty(bits(config.cell_count_bits()))]
    pub cells: Bits,
    /// Bytes that left.
    pub length: U<14>,
    pub cast: Enum<Cast>,
}

/// A frame to be counted.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Counted {
    /// Where it came in.
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    pub reason: Enum<Reason>,
    pub cast: Enum<Cast>,
    pub length: U<14>,
}

/// What became of a frame.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Settled {
    /// Where it came in.
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    pub length: U<14>,
    /// A bit for each port it was to go to; dropped copies count. None if it was dropped as a whole.
    #[ty(bits(config.ports()))]
    pub destinations: Bits,
}
