//! Packets of the transaction layer as the host sees them (PCI Express Base Specification, 2.2); written from the
//! standard and not from the hardware's description.

mod build;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

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

impl Packet {
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
