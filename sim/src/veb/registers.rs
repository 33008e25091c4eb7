//! Addresses on the VEB's register bus, in bytes; every register has 32 bits.

/// Identification, read only.
pub const ID: u16 = 0x0000;
/// What [`ID`] reads.
pub const ID_VALUE: u32 = 0x4845_4D31;
/// Number of ports, read only.
pub const PORTS: u16 = 0x0004;
/// Default ports 31:0, for unicast frames that no entry matches.
pub const DEFAULT_LO: u16 = 0x0008;
/// Default ports 63:32.
pub const DEFAULT_HI: u16 = 0x000C;
/// Command operand: MAC address bits 31:0; the first byte on the wire is bits 47:40.
pub const MAC_LO: u16 = 0x0010;
/// Command operand: MAC address bits 47:32 in 15:0, VID in 27:16.
pub const MAC_HI: u16 = 0x0014;
/// Command operand: ports 31:0.
pub const PORTS_LO: u16 = 0x0018;
/// Command operand: ports 63:32.
pub const PORTS_HI: u16 = 0x001C;
/// Write: a command. Read: bit 0 busy, bits 3:1 the result of the last command.
pub const COMMAND: u16 = 0x0020;
/// Numbers of the frames dropped for each reason, one word each, read only, in the order of
/// [`DropReason::OF_FRAMES`](super::DropReason::OF_FRAMES).
pub const DROPS: u16 = 0x0400;
/// Free cells of the packet buffer, read only.
pub const FREE_CELLS: u16 = 0x0480;
/// Cells of the packet buffer, read only.
pub const CELLS: u16 = 0x0484;

/// Ports that the bitmaps on the bus have room for.
pub const MAX_PORTS: usize = 64;

/// PVID of a port, 12 bits.
pub const fn pvid(port: usize) -> u16 {
    0x0100 + 4 * port as u16
}

/// Frames that a full queue of the port dropped, read only.
pub const fn queue_full(port: usize) -> u16 {
    0x0200 + 4 * port as u16
}
