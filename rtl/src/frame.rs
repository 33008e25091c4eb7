//! The frame stream: what every Ethernet and DMA data path of this repository carries.

use hdl::*;

/// One beat of a frame, on a [`Stream`].
///
/// Byte 0 of the frame is in bits 7:0 of the first beat. Every beat but the last is full. Bytes beyond `count` may be
/// anything.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct Beat {
    /// The bytes, the first in bits 7:0.
    #[ty(bits(8 * bytes))]
    pub data: Bits,
    /// Number of valid bytes, 1 to the number of bytes of `data`.
    #[ty(bits(clog2(bytes + 1)))]
    pub count: Bits,
    /// The frame ends with this beat.
    pub last: Bool,
    /// The frame is bad; counts in the last beat only.
    pub error: Bool,
}

impl Beat {
    /// Number of bytes that a beat of this type can hold.
    pub fn bytes(&self) -> usize {
        self.data.width() / 8
    }
}
