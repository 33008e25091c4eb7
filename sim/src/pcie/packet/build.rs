//! Packets made of what they mean.

use super::{Kind, Packet, RoutingId, Status};
use std::ops::RangeInclusive;

/// Bits of a byte enable field of 4 that are 1 for these bytes of a word.
fn enables(bytes: RangeInclusive<usize>) -> u32 {
    bytes.fold(0, |mask, byte| mask | 1 << byte)
}

impl Packet {
    fn first_word(format_and_type: u32, words: usize) -> u32 {
        format_and_type << 24 | words as u32 & 0x3FF
    }

    /// A memory request for a run of bytes, with a header of 4 words exactly if the address needs them (2.2.4.1).
    fn memory(format_and_type: u32, requester: RoutingId, tag: u16, address: u64, bytes: usize) -> Packet {
        let start = address as usize % 4;
        let end = start + bytes.max(1);
        let words = end.div_ceil(4);
        assert!(words <= 1024, "{bytes} bytes at {address:#x} are too many for one request");
        let last_byte = (end - 1) % 4;
        let (first, last) = match (words, bytes) {
            (_, 0) => (0, 0),
            (1, _) => (enables(start..=last_byte), 0),
            _ => (enables(start..=3), enables(0..=last_byte)),
        };
        let second = u32::from(requester.0) << 16 | last << 4 | first;
        let low = address as u32 & !3;
        let is_long = address >> 32 != 0;
        let [third, fourth] = if is_long { [(address >> 32) as u32, low] } else { [low, 0] };
        let kind = format_and_type | u32::from(is_long) << 5;
        let header = [Self::first_word(kind, words), second, third, fourth];
        Packet { header, payload: vec![] }.with_tag(tag)
    }

    /// A read of any run of bytes up to 1024 words; of none for a read of length zero (2.2.5.1).
    ///
    /// # Panics
    /// If they are more.
    pub fn memory_read(requester: RoutingId, tag: u16, address: u64, bytes: usize) -> Packet {
        Self::memory(0x00, requester, tag, address, bytes)
    }

    /// A write of a run of bytes; those of the payload beside them are 0.
    ///
    /// # Panics
    /// If they are more than 1024 words.
    pub fn memory_write(requester: RoutingId, tag: u16, address: u64, data: &[u8]) -> Packet {
        let mut packet = Self::memory(0x40, requester, tag, address, data.len());
        packet.payload = vec![0; 4 * packet.length()];
        let start = (address % 4) as usize;
        packet.payload[start..start + data.len()].copy_from_slice(data);
        packet
    }

    fn configuration(kind: u32, requester: RoutingId, tag: u16, target: RoutingId, offset: u16) -> Packet {
        let third = u32::from(target.0) << 16 | u32::from(offset & 0xFFC);
        let second = u32::from(requester.0) << 16 | 0xF;
        Packet { header: [Self::first_word(kind, 1), second, third, 0], payload: vec![] }.with_tag(tag)
    }

    /// A read of the word at a byte offset of 0 to 4092; of type 1 if it is `far`.
    pub fn configuration_read(
        far: bool,
        requester: RoutingId,
        tag: u16,
        target: RoutingId,
        offset: u16,
    ) -> Packet {
        Self::configuration(0x04 | u32::from(far), requester, tag, target, offset)
    }

    /// See [`Packet::configuration_read`].
    pub fn configuration_write(
        far: bool,
        requester: RoutingId,
        tag: u16,
        target: RoutingId,
        offset: u16,
        data: u32,
    ) -> Packet {
        let packet = Self::configuration(0x44 | u32::from(far), requester, tag, target, offset);
        Packet { payload: data.to_le_bytes().to_vec(), ..packet }
    }

    /// A message without data.
    pub fn message(requester: RoutingId, routing: u8, code: u8) -> Packet {
        let kind = 0x30 | u32::from(routing & 7);
        Packet { header: [kind << 24, u32::from(requester.0) << 16 | u32::from(code), 0, 0], payload: vec![] }
    }

    /// A completion of `request` without data, the last one. Its byte count and lower address are those of a first
    /// completion.
    pub fn completion(request: &Packet, completer: RoutingId, status: Status) -> Packet {
        let locked = u32::from(request.kind() == Kind::LockedRead);
        let second =
            u32::from(completer.0) << 16 | status.code() << 13 | request.requested_bytes() as u32 & 0xFFF;
        let third = u32::from(request.requester().0) << 16 | request.first_lower_address();
        let header = [Self::first_word(0x0A | locked, 0), second, third, 0];
        // The class, the attributes and the tag are copied (2.2.9.1).
        Packet { header, payload: vec![] }.copying(request)
    }

    /// A completion with the bytes of whole words of `request` from byte `start` of them on; `start` is 0 in the first.
    pub fn completion_with_data(
        request: &Packet,
        completer: RoutingId,
        start: usize,
        words: &[u8],
    ) -> Packet {
        assert!(words.len().is_multiple_of(4), "whole words");
        let lower = request.first_lower_address();
        let (left, lower) = match start {
            0 => (request.requested_bytes(), lower),
            _ => {
                let skipped = (start as u32 - (lower & 3)) as usize;
                (request.requested_bytes() - skipped, (lower & 0x7C).wrapping_add(start as u32) & 0x7F)
            }
        };
        let locked = u32::from(request.kind() == Kind::LockedRead);
        let second = u32::from(completer.0) << 16 | left as u32 & 0xFFF;
        let third = u32::from(request.requester().0) << 16 | lower;
        let header = [Self::first_word(0x4A | locked, words.len() / 4), second, third, 0];
        Packet { header, payload: words.to_vec() }.copying(request)
    }

    /// This completion without its data and without success: what comes in its place where something fails.
    pub fn refused(mut self, status: Status) -> Packet {
        self.header[0] = self.header[0] & 0xBFFF_FC00 & !(1 << 14);
        self.header[1] = self.header[1] & !0xE000 | status.code() << 13;
        self.payload.clear();
        self
    }

    fn copying(mut self, request: &Packet) -> Packet {
        // Class, and the attributes of ordering, snooping and identity.
        self.header[0] |= request.header[0] & 0x0074_3000;
        self.with_tag(request.tag())
    }

    /// With another tag, of up to ten bits.
    pub fn with_tag(mut self, tag: u16) -> Packet {
        let tag = u32::from(tag);
        let word = if matches!(self.kind(), Kind::Completion { .. }) { 2 } else { 1 };
        self.header[word] = self.header[word] & !0xFF00 | (tag & 0xFF) << 8;
        self.header[0] = self.header[0] & !0x0088_0000 | (tag >> 9 & 1) << 23 | (tag >> 8 & 1) << 19;
        self
    }

    /// With other byte enables of the first and the last word.
    pub fn with_enables(mut self, first: u8, last: u8) -> Packet {
        self.header[1] = self.header[1] & !0xFF | u32::from(last & 15) << 4 | u32::from(first & 15);
        self
    }

    /// With attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ordering by ID.
    pub fn with_attributes(mut self, attributes: u8) -> Packet {
        let attributes = u32::from(attributes);
        self.header[0] = self.header[0] & !0x0004_3000 | (attributes >> 2 & 1) << 18 | (attributes & 3) << 12;
        self
    }

    /// With a traffic class of 0 to 7.
    pub fn with_traffic_class(mut self, class: u8) -> Packet {
        self.header[0] = self.header[0] & !0x0070_0000 | u32::from(class & 7) << 20;
        self
    }

    /// Marked as bad (2.7.2).
    pub fn poisoned(mut self) -> Packet {
        self.header[0] |= 1 << 14;
        self
    }
}
