//! What stands before each frame (virtio 5.1.6).

/// Bytes of the header.
pub const HEADER: usize = 12;

/// Flags: the checksum is to be completed; it is right.
pub const NEEDS_CSUM: u8 = 1;
pub const DATA_VALID: u8 = 2;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub flags: u8,
    pub gso_type: u8,
    pub header_length: u16,
    pub gso_size: u16,
    /// What is summed begins here, in bytes of the frame.
    pub checksum_start: u16,
    /// The sum's place behind that.
    pub checksum_offset: u16,
    /// Buffers of a received frame; 0 for one that is sent.
    pub buffers: u16,
}

impl Header {
    pub fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [self.flags, self.gso_type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let halves =
            [self.header_length, self.gso_size, self.checksum_start, self.checksum_offset, self.buffers];
        for (place, half) in bytes[2..].chunks_exact_mut(2).zip(halves) {
            place.copy_from_slice(&half.to_le_bytes());
        }
        bytes
    }

    pub fn of_bytes(bytes: &[u8; HEADER]) -> Header {
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Header {
            flags: bytes[0],
            gso_type: bytes[1],
            header_length: half(2),
            gso_size: half(4),
            checksum_start: half(6),
            checksum_offset: half(8),
            buffers: half(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_places() {
        let bytes = [1, 2, 3, 0, 4, 1, 34, 0, 16, 0, 7, 9];
        let header = Header {
            flags: 1,
            gso_type: 2,
            header_length: 3,
            gso_size: 0x104,
            checksum_start: 34,
            checksum_offset: 16,
            buffers: 0x907,
        };
        assert_eq!(Header::of_bytes(&bytes), header);
        assert_eq!(header.bytes(), bytes);
    }
}
