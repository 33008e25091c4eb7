//! AXI4-Lite with 32 bits of data, as ARM IHI 0022 defines it.

use hdl::*;

/// A slave's ports, under their standard names: a field `axi` of this type becomes the ports `axi_awvalid` and so on.
/// Use it as `#[input]`: what the slave drives is flipped.
///
/// On each channel `valid` never waits for `ready`, and stays with what it goes with until both are 1 (A3.2.1).
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(address_bits: usize)]
pub struct AxiLite {
    /// There is an address of a write.
    pub awvalid: Bool,
    /// The slave takes it.
    #[flip]
    pub awready: Bool,
    /// Address of a write, in bytes.
    #[ty(bits(address_bits))]
    pub awaddr: Bits,
    /// Protection attributes of a write (A4.7).
    pub awprot: U<3>,
    /// There is data of a write.
    pub wvalid: Bool,
    /// The slave takes it.
    #[flip]
    pub wready: Bool,
    /// What to write.
    pub wdata: U<32>,
    /// Which bytes of `wdata` count, a bit each.
    pub wstrb: U<4>,
    /// There is the end of a write.
    #[flip]
    pub bvalid: Bool,
    /// The master takes it.
    pub bready: Bool,
    /// How the write ended: see [`Resp`].
    #[flip]
    pub bresp: Enum<Resp>,
    /// There is an address of a read.
    pub arvalid: Bool,
    /// The slave takes it.
    #[flip]
    pub arready: Bool,
    /// Address of a read, in bytes.
    #[ty(bits(address_bits))]
    pub araddr: Bits,
    /// Protection attributes of a read (A4.7).
    pub arprot: U<3>,
    /// There is what a read gave.
    #[flip]
    pub rvalid: Bool,
    /// The master takes it.
    pub rready: Bool,
    /// What was read.
    #[flip]
    pub rdata: U<32>,
    /// How the read ended: see [`Resp`].
    #[flip]
    pub rresp: Enum<Resp>,
}

/// How an access ended (A3.4.4). AXI4-Lite has no `EXOKAY`.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resp {
    Okay = 0,
    /// The slave refuses.
    SlvErr = 2,
    /// There is no slave at this address; for interconnects.
    DecErr = 3,
}
