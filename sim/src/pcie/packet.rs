//! Packets of the transaction layer as the host sees them (PCI Express Base Specification, 2.2); written from the
//! standard and not from the hardware's description.

use std::{fmt, ops::RangeInclusive};

/// Bus, device and function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutingId(pub u16);

impl RoutingId {
    pub fn new(bus: u8, number: u8) -> RoutingId {
        RoutingId(u16::from(bus) << 8 | u16::from(number))
    }

    pub fn bus(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Device and function.
    pub fn number(self) -> u8 {
        self.0 as u8
    }
}

impl fmt::Display for RoutingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus(), self.number() >> 3, self.number() & 7)
    }
}

/// How a request ended (table 2-34); the codes that are reserved mean `Unsupported` (2.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    Successful,
    Unsupported,
    Retry,
    Aborted,
}

impl Status {
    fn of(code: u32) -> Status {
        match code {
            0 => Status::Successful,
            2 => Status::Retry,
            4 => Status::Aborted,
            _ => Status::Unsupported,
        }
    }

    fn code(self) -> u32 {
        match self {
            Status::Successful => 0,
            Status::Unsupported => 1,
            Status::Retry => 2,
            Status::Aborted => 4,
        }
    }
}

/// What `Fmt` and `Type` say (table 2-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    MemoryRead,
    /// MRdLk: for legacy endpoints only.
    LockedRead,
    MemoryWrite,
    /// DMWr.
    DeferrableWrite,
    IoRead,
    IoWrite,
    /// For the function on the bus at hand (`far` is false, type 0), or behind another bridge (type 1).
    ConfigurationRead {
        far: bool,
    },
    ConfigurationWrite {
        far: bool,
    },
    /// With its routing, 0 to 7 (table 2-20).
    Message {
        routing: u8,
        has_data: bool,
    },
    /// Of an ordinary request, or of a locked read.
    Completion {
        has_data: bool,
        locked: bool,
    },
    FetchAdd,
    Swap,
    CompareSwap,
    /// A prefix, which comes before a header.
    Prefix,
    Undefined,
}

/// The classes of flow control (2.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    Posted,
    NonPosted,
    Completion,
}

/// Codes of messages to the root complex (table 2-25).
pub mod message {
    pub const CORRECTABLE_ERROR: u8 = 0x30;
    pub const NONFATAL_ERROR: u8 = 0x31;
    pub const FATAL_ERROR: u8 = 0x33;
    /// The routing to the root complex (table 2-20).
    pub const TO_ROOT: u8 = 0;
}

/// A packet without prefixes and without digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// The words as the figures of the standard show them, byte 0 of the wire in bits 31:24; the fourth of a header that
    /// has three is 0.
    pub header: [u32; 4],
    /// Whole words, the byte of the lowest address first.
    pub payload: Vec<u8>,
}

/// Bits of a byte enable field of 4 that are 1 for these bytes of a word.
fn enables(bytes: RangeInclusive<u64>) -> u32 {
    bytes.fold(0, |mask, byte| mask | 1 << byte)
}

impl Packet {
    /// Bytes that a request may touch at most: 1024 words.
    pub const MAX_BYTES: usize = 4096;

    fn first_word(format_and_type: u32, words: usize) -> u32 {
        format_and_type << 24 | words as u32 & 0x3FF
    }

    /// Header of a memory request for a run of bytes; 4 words exactly if the address needs them (2.2.4.1).
    fn memory(format_and_type: u32, requester: RoutingId, tag: u16, address: u64, bytes: usize) -> [u32; 4] {
        let end = address + bytes.max(1) as u64;
        let words = end.div_ceil(4) - address / 4;
        assert!(words <= 1024, "{bytes} bytes at {address:#x} are too many for one request");
        let first_byte = address % 4;
        let last_byte = (end - 1) % 4;
        let (first, last) = match (words, bytes) {
            (_, 0) => (0, 0),
            (1, _) => (enables(first_byte..=last_byte), 0),
            _ => (enables(first_byte..=3), enables(0..=last_byte)),
        };
        let second = u32::from(requester.0) << 16 | last << 4 | first;
        let low = address as u32 & !3;
        let is_long = address >> 32 != 0;
        let [third, fourth] = if is_long { [(address >> 32) as u32, low] } else { [low, 0] };
        let kind = format_and_type | u32::from(is_long) << 5;
        Packet { header: [Self::first_word(kind, words as usize), second, third, fourth], payload: vec![] }
            .with_tag(tag)
            .header
    }

    /// A read of any run of bytes up to 1024 words; of none for a read of length zero (2.2.5.1).
    ///
    /// # Panics
    /// If they are more.
    pub fn memory_read(requester: RoutingId, tag: u16, address: u64, bytes: usize) -> Packet {
        Packet { header: Self::memory(0x00, requester, tag, address, bytes), payload: vec![] }
    }

    /// A write of a run of bytes; those of the payload beside them are 0.
    ///
    /// # Panics
    /// If they are more than 1024 words.
    pub fn memory_write(requester: RoutingId, tag: u16, address: u64, data: &[u8]) -> Packet {
        let header = Self::memory(0x40, requester, tag, address, data.len());
        let mut packet = Packet { header, payload: vec![] };
        packet.payload = vec![0; 4 * packet.length()];
        let start = (address % 4) as usize;
        packet.payload[start..start + data.len()].copy_from_slice(data);
        packet
    }

    fn configuration(kind: u32, requester: RoutingId, tag: u16, target: RoutingId, offset: u16) -> [u32; 4] {
        let third = u32::from(target.0) << 16 | u32::from(offset & 0xFFC);
        let second = u32::from(requester.0) << 16 | 0xF;
        let header = [Self::first_word(kind, 1), second, third, 0];
        Packet { header, payload: vec![] }.with_tag(tag).header
    }

    /// A read of the word at a byte offset of 0 to 4092; of type 1 if it is `far`.
    pub fn configuration_read(
        far: bool,
        requester: RoutingId,
        tag: u16,
        target: RoutingId,
        offset: u16,
    ) -> Packet {
        let header = Self::configuration(0x04 | u32::from(far), requester, tag, target, offset);
        Packet { header, payload: vec![] }
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
        let header = Self::configuration(0x44 | u32::from(far), requester, tag, target, offset);
        Packet { header, payload: data.to_le_bytes().to_vec() }
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

    /// What it is.
    pub fn kind(&self) -> Kind {
        let [format, what] = [self.header[0] >> 29, self.header[0] >> 24 & 31];
        let has_data = format & 2 != 0;
        match (format, what) {
            (4, _) => Kind::Prefix,
            (0 | 1, 0) => Kind::MemoryRead,
            (0 | 1, 1) => Kind::LockedRead,
            (2 | 3, 0) => Kind::MemoryWrite,
            (2 | 3, 0b11011) => Kind::DeferrableWrite,
            (0, 2) => Kind::IoRead,
            (2, 2) => Kind::IoWrite,
            (0, 4 | 5) => Kind::ConfigurationRead { far: what == 5 },
            (2, 4 | 5) => Kind::ConfigurationWrite { far: what == 5 },
            (0 | 2, 10 | 11) => Kind::Completion { has_data, locked: what == 11 },
            (1 | 3, 16..=23) => Kind::Message { routing: (what & 7) as u8, has_data },
            (2 | 3, 12) => Kind::FetchAdd,
            (2 | 3, 13) => Kind::Swap,
            (2 | 3, 14) => Kind::CompareSwap,
            _ => Kind::Undefined,
        }
    }

    /// The class of its credits; that of a packet that is none is taken from what its sender must have meant.
    pub fn class(&self) -> Class {
        match self.kind() {
            Kind::MemoryWrite | Kind::Message { .. } => Class::Posted,
            Kind::Completion { .. } => Class::Completion,
            Kind::Prefix | Kind::Undefined => Class::Posted,
            _ => Class::NonPosted,
        }
    }

    /// Bytes of the header: 12 or 16.
    pub fn header_bytes(&self) -> usize {
        12 + 4 * usize::from(self.is_long())
    }

    /// The header has four words.
    pub fn is_long(&self) -> bool {
        self.header[0] >> 29 & 1 == 1
    }

    /// `Fmt` says that there is a payload.
    pub fn has_data(&self) -> bool {
        self.header[0] >> 30 & 1 == 1
    }

    /// `Length`, in words: 1 to 1024. It counts the data that the packet has or, of a read, asks for.
    pub fn length(&self) -> usize {
        match self.header[0] & 0x3FF {
            0 => 1024,
            words => words as usize,
        }
    }

    pub fn traffic_class(&self) -> u8 {
        (self.header[0] >> 20 & 7) as u8
    }

    /// See [`Packet::with_attributes`].
    pub fn attributes(&self) -> u8 {
        ((self.header[0] >> 18 & 1) << 2 | self.header[0] >> 12 & 3) as u8
    }

    pub fn is_poisoned(&self) -> bool {
        self.header[0] >> 14 & 1 == 1
    }

    /// Who asked: of a request or a message its sender, of a completion its receiver.
    pub fn requester(&self) -> RoutingId {
        let word = if matches!(self.kind(), Kind::Completion { .. }) { 2 } else { 1 };
        RoutingId((self.header[word] >> 16) as u16)
    }

    /// Ten bits.
    pub fn tag(&self) -> u16 {
        let word = if matches!(self.kind(), Kind::Completion { .. }) { 2 } else { 1 };
        let high = (self.header[0] >> 23 & 1) << 9 | (self.header[0] >> 19 & 1) << 8;
        (high | self.header[word] >> 8 & 0xFF) as u16
    }

    /// Byte enables of the first word of a request.
    pub fn first_enables(&self) -> u8 {
        self.header[1] as u8 & 15
    }

    /// Byte enables of the last word of a request.
    pub fn last_enables(&self) -> u8 {
        self.header[1] as u8 >> 4
    }

    /// Of the first word of a memory or I/O request; a multiple of four.
    pub fn address(&self) -> u64 {
        let [.., third, fourth] = self.header.map(u64::from);
        if self.is_long() { third << 32 | fourth & !3 } else { third & !3 }
    }

    /// Whom a configuration request is for.
    pub fn target(&self) -> RoutingId {
        RoutingId((self.header[2] >> 16) as u16)
    }

    /// Byte offset of a configuration request.
    pub fn register(&self) -> u16 {
        self.header[2] as u16 & 0xFFC
    }

    /// The code of a message.
    pub fn message_code(&self) -> u8 {
        self.header[1] as u8
    }

    /// Who completed.
    pub fn completer(&self) -> RoutingId {
        RoutingId((self.header[1] >> 16) as u16)
    }

    /// Of a completion.
    pub fn status(&self) -> Status {
        Status::of(self.header[1] >> 13 & 7)
    }

    /// Of a completion: bytes that are left, its own among them, 1 to 4096.
    pub fn byte_count(&self) -> usize {
        match self.header[1] & 0xFFF {
            0 => 4096,
            bytes => bytes as usize,
        }
    }

    /// Of a completion: the lowest seven bits of the address of its first byte.
    pub fn lower_address(&self) -> u8 {
        self.header[2] as u8 & 0x7F
    }

    /// Whether a request enables this byte, counted from the beginning of its first word.
    pub fn enables_byte(&self, index: usize) -> bool {
        let words = self.length();
        match index / 4 {
            0 => self.first_enables() >> index & 1 == 1,
            word if word + 1 == words => self.last_enables() >> (index % 4) & 1 == 1,
            word => word < words,
        }
    }

    /// The byte count of the first completion of this request (tables 2-40 and 2-41): of a memory read what lies from the
    /// first enabled byte to the last, of an atomic operation its operand, of anything else 4.
    pub fn requested_bytes(&self) -> usize {
        match self.kind() {
            Kind::MemoryRead | Kind::LockedRead => {
                let mut enabled = (0..4 * self.length()).filter(|&index| self.enables_byte(index));
                match enabled.next() {
                    Some(first) => enabled.next_back().unwrap_or(first) - first + 1,
                    None => 1,
                }
            }
            Kind::FetchAdd | Kind::Swap => 4 * self.length(),
            Kind::CompareSwap => 2 * self.length(),
            _ => 4,
        }
    }

    /// The lower address of the first completion of this request: of a memory read that of its first enabled byte.
    pub fn first_lower_address(&self) -> u32 {
        match self.kind() {
            Kind::MemoryRead | Kind::LockedRead => {
                let first = self.first_enables();
                let byte = if first == 0 { 0 } else { first.trailing_zeros() };
                self.address() as u32 & 0x7C | byte
            }
            _ => 0,
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        let request = |f: &mut fmt::Formatter<'_>, name: &str| {
            write!(f, "{name} from {} tag {:#x}", self.requester(), self.tag())
        };
        let place = |f: &mut fmt::Formatter<'_>| {
            let [first, last] = [self.first_enables(), self.last_enables()];
            write!(f, " at {:#x}, {} words, enables {first:04b} {last:04b}", self.address(), self.length())
        };
        match kind {
            Kind::ConfigurationRead { far } | Kind::ConfigurationWrite { far } => {
                let name = if self.has_data() { "CfgWr" } else { "CfgRd" };
                request(f, &format!("{name}{}", u8::from(far)))?;
                write!(
                    f,
                    " to {} register {:#05x} enables {:04b}",
                    self.target(),
                    self.register(),
                    self.first_enables()
                )?;
            }
            Kind::Message { routing, .. } => {
                request(f, "Msg")?;
                write!(f, " code {:#04x} routing {routing}", self.message_code())?;
            }
            Kind::Completion { has_data, locked } => {
                let name = if has_data { "CplD" } else { "Cpl" };
                write!(f, "{name}{} from {} ", if locked { "Lk" } else { "" }, self.completer())?;
                write!(f, "to {} tag {:#x} {:?}", self.requester(), self.tag(), self.status())?;
                write!(f, ", {} bytes left, lower address {:#04x}", self.byte_count(), self.lower_address())?;
            }
            Kind::Prefix | Kind::Undefined => {
                let [a, b, c, d] = self.header;
                write!(f, "{kind:?} {a:08x} {b:08x} {c:08x} {d:08x}")?;
            }
            _ => {
                let name = match kind {
                    Kind::MemoryRead => "MRd",
                    Kind::LockedRead => "MRdLk",
                    Kind::MemoryWrite => "MWr",
                    Kind::DeferrableWrite => "DMWr",
                    Kind::IoRead => "IORd",
                    Kind::IoWrite => "IOWr",
                    Kind::FetchAdd => "FetchAdd",
                    Kind::Swap => "Swap",
                    _ => "CAS",
                };
                request(f, name)?;
                place(f)?;
            }
        }
        if self.is_poisoned() {
            write!(f, ", poisoned")?;
        }
        match self.payload.len() {
            0 => Ok(()),
            bytes => write!(f, ", {bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: RoutingId = RoutingId(0x0008);
    const FUNCTION: RoutingId = RoutingId(0x0102);

    /// Headers by hand, from figures 2-15 to 2-28.
    #[test]
    fn headers_are_those_of_the_figures() {
        let read = Packet::memory_read(FUNCTION, 0x12, 0x1000_0002, 7);
        assert_eq!(read.header, [0x0000_0003, 0x0102_121C, 0x1000_0000, 0]);
        let long = Packet::memory_read(FUNCTION, 0x312, 0x12_3456_7000, 4096);
        assert_eq!(long.header, [0x2088_0000, 0x0102_12FF, 0x12, 0x3456_7000]);
        let write = Packet::memory_write(HOST, 1, 0xFF_FFFF_FFF9, &[7, 8]);
        assert_eq!(write.header, [0x6000_0001, 0x0008_0106, 0xFF, 0xFFFF_FFF8]);
        assert_eq!(write.payload, [0, 7, 8, 0]);
        let read = Packet::configuration_read(true, HOST, 0xFF, RoutingId(0x0203), 0xABC);
        assert_eq!(read.header, [0x0500_0001, 0x0008_FF0F, 0x0203_0ABC, 0]);
        let write = Packet::configuration_write(false, HOST, 2, FUNCTION, 4, 0x0102_0304).with_enables(3, 0);
        assert_eq!(
            (write.header, &write.payload[..]),
            ([0x4400_0001, 0x0008_0203, 0x0102_0004, 0], &[4, 3, 2, 1][..])
        );
        let message = Packet::message(FUNCTION, message::TO_ROOT, message::FATAL_ERROR);
        assert_eq!(message.header, [0x3000_0000, 0x0102_0033, 0, 0]);
        let every =
            Packet::memory_read(FUNCTION, 0, 0, 0).with_attributes(7).with_traffic_class(5).poisoned();
        assert_eq!(every.header, [0x0054_7001, 0x0102_0000, 0, 0]);
    }

    /// 2.2.9.1: the second of three completions has what is left and where it begins.
    #[test]
    fn completions_count_down() {
        let request =
            Packet::memory_read(FUNCTION, 0x345, 0x1_0000_003D, 70).with_attributes(2).with_traffic_class(3);
        let first = Packet::completion_with_data(&request, HOST, 0, &[1; 4]);
        assert_eq!(first.header, [0x4AB8_2001, 0x0008_0046, 0x0102_453D, 0]);
        let second = Packet::completion_with_data(&request, HOST, 4, &[1; 64]);
        assert_eq!(second.header, [0x4AB8_2010, 0x0008_0043, 0x0102_4540, 0]);
        let third = Packet::completion_with_data(&request, HOST, 68, &[1; 4]);
        assert_eq!(third.header, [0x4AB8_2001, 0x0008_0003, 0x0102_4500, 0]);
        let failed = second.poisoned().refused(Status::Unsupported);
        assert_eq!((failed.header, failed.payload.len()), ([0x0AB8_2000, 0x0008_2043, 0x0102_4540, 0], 0));
        let refused = Packet::completion(&request, HOST, Status::Aborted);
        assert_eq!(refused.header, [0x0AB8_2000, 0x0008_8046, 0x0102_453D, 0]);
        let whole = Packet::memory_read(FUNCTION, 1, 0x1000, 4096);
        let first = Packet::completion_with_data(&whole, HOST, 0, &[0; 128]);
        assert_eq!((first.header[1], first.byte_count()), (0x0008_0000, 4096));
        let write = Packet::configuration_write(false, HOST, 9, FUNCTION, 4, 0);
        assert_eq!(
            Packet::completion(&write, FUNCTION, Status::Successful).header,
            [0x0A00_0000, 0x0102_0004, 0x0008_0900, 0]
        );
    }

    /// Table 2-40.
    #[test]
    fn byte_counts_follow_the_enables() {
        let cases = [
            (0b1001, 4, 0),
            (0b0101, 3, 0),
            (0b1010, 3, 1),
            (0b0011, 2, 0),
            (0b1100, 2, 2),
            (0b1000, 1, 3),
            (0, 1, 0),
        ];
        for (enables, bytes, lower) in cases {
            let read = Packet::memory_read(HOST, 0, 0x70, 4).with_enables(enables, 0);
            assert_eq!(
                (read.requested_bytes(), read.first_lower_address()),
                (bytes, 0x70 + lower),
                "{enables:04b}"
            );
        }
        let read = Packet::memory_read(HOST, 0, 0x71, 6);
        assert_eq!((read.length(), read.requested_bytes()), (2, 6));
        assert_eq!(
            (0..8).map(|i| u8::from(read.enables_byte(i))).collect::<Vec<_>>(),
            [0, 1, 1, 1, 1, 1, 1, 0]
        );
    }

    #[test]
    fn kinds_of_the_table() {
        let kind = |format_and_type: u32| {
            Packet { header: [format_and_type << 24, 0, 0, 0], payload: vec![] }.kind()
        };
        let cases = [
            (0x20, Kind::MemoryRead),
            (0x01, Kind::LockedRead),
            (0x60, Kind::MemoryWrite),
            (0x7B, Kind::DeferrableWrite),
            (0x02, Kind::IoRead),
            (0x42, Kind::IoWrite),
            (0x05, Kind::ConfigurationRead { far: true }),
            (0x44, Kind::ConfigurationWrite { far: false }),
            (0x74, Kind::Message { routing: 4, has_data: true }),
            (0x0A, Kind::Completion { has_data: false, locked: false }),
            (0x4B, Kind::Completion { has_data: true, locked: true }),
            (0x4C, Kind::FetchAdd),
            (0x6D, Kind::Swap),
            (0x4E, Kind::CompareSwap),
            (0x80, Kind::Prefix),
            (0x22, Kind::Undefined),
            (0x2A, Kind::Undefined),
            (0x1F, Kind::Undefined),
            (0xE0, Kind::Undefined),
        ];
        for (code, expected) in cases {
            assert_eq!(kind(code), expected, "{code:#x}");
        }
    }

    #[test]
    fn texts_for_people() {
        let write = Packet::memory_write(FUNCTION, 1, 0x1001, &[0; 6]);
        assert_eq!(
            write.to_string(),
            "MWr from 01:00.2 tag 0x1 at 0x1000, 2 words, enables 1110 0111, 8 bytes"
        );
        let read = Packet::configuration_read(false, HOST, 3, FUNCTION, 4);
        assert_eq!(read.to_string(), "CfgRd0 from 00:01.0 tag 0x3 to 01:00.2 register 0x004 enables 1111");
        let completion = Packet::completion(&read, FUNCTION, Status::Unsupported);
        assert_eq!(
            completion.to_string(),
            "Cpl from 01:00.2 to 00:01.0 tag 0x3 Unsupported, 4 bytes left, lower address 0x00"
        );
    }
}
