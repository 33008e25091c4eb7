//! Transaction layer packets: their headers as the standard numbers their bits (2.2).
//!
//! A header is four words of 32 bits, the first in bits 31:0; each has its natural value, so that bit 31 of the first is
//! the highest bit of `Fmt`.

use hdl::*;

/// Format and type, bits 31:24 of the first word, of the packets that matter here (table 2-3). Bit 5 says that the header
/// has four words instead of three, bit 6 that there is a payload.
pub mod kind {
    pub const MEMORY_READ: usize = 0x00;
    pub const MEMORY_READ_64: usize = 0x20;
    pub const MEMORY_WRITE: usize = 0x40;
    pub const MEMORY_WRITE_64: usize = 0x60;
    /// Of a locked access.
    pub const LOCKED_READ: usize = 0x01;
    pub const COMPLETION: usize = 0x0A;
    pub const LOCKED_COMPLETION: usize = 0x0B;
    pub const COMPLETION_WITH_DATA: usize = 0x4A;
    /// A message without data to the root complex (2.2.8).
    pub const MESSAGE_TO_ROOT: usize = 0x30;
}

/// One beat of a packet, on a [`Stream`].
///
/// The payload begins in lane 0 of its first beat, whatever its address. Digests (ECRC) are not part of it.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct TlpBeat {
    /// The header; means something in the first beat only. The fourth word of a header that has three is 0.
    pub header: U<128>,
    /// Payload, the byte of the lowest address in bits 7:0.
    #[ty(bits(8 * bytes))]
    pub data: Bits,
    /// Bytes of `data` that count, a multiple of four: all in every beat but the last, none in a packet without payload.
    #[ty(bits(clog2(bytes + 1)))]
    pub count: Bits,
    /// The packet begins with this beat.
    pub first: Bool,
    /// The packet ends with this beat.
    pub last: Bool,
}

/// How a request ended (table 2-34).
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Successful = 0,
    UnsupportedRequest = 1,
    CompleterAbort = 4,
}

/// The first word of every header.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct First {
    /// See [`kind`].
    pub kind: U<8>,
    pub tag_9: Bool,
    pub traffic_class: U<3>,
    pub tag_8: Bool,
    pub attribute_2: Bool,
    pub lightweight: Bool,
    pub hints: Bool,
    /// An ECRC follows.
    pub digest: Bool,
    /// The data is known to be bad.
    pub poisoned: Bool,
    pub attributes: U<2>,
    pub address_type: U<2>,
    /// Of the data, in words; 0 is 1024.
    pub length: U<10>,
}

/// The header of a configuration request (2.2.7.1).
#[derive(Bundle, Clone, Copy, Debug)]
pub struct ConfigurationHeader {
    pub unused: U<32>,
    pub bus: U<8>,
    /// Device and function.
    pub number: U<8>,
    pub reserved_high: U<4>,
    /// Of the space, in words.
    pub register: U<10>,
    pub reserved_low: U<2>,
    pub requester: U<16>,
    pub tag: U<8>,
    pub last_enables: U<4>,
    pub enables: U<4>,
    pub first: First,
}

/// The header of a memory request (2.2.7.1).
#[derive(Bundle, Clone, Copy, Debug)]
pub struct MemoryHeader {
    /// Bits 31:2 of the address, or 0 if the header has three words.
    pub fourth: U<32>,
    /// Bits 63:32 of the address, or 31:2 if the header has three words. The lowest two are 0, or a hint.
    pub third: U<32>,
    pub requester: U<16>,
    pub tag: U<8>,
    /// Bytes of the last word that count; 0 if there is only one.
    pub last_enables: U<4>,
    /// Of the first word.
    pub enables: U<4>,
    pub first: First,
}

impl MemoryHeader {
    /// The address, in bytes; a multiple of four.
    pub fn address(&self) -> Bits {
        let [third, fourth] = [self.third, self.fourth].map(Bits::from);
        let is_long = Bits::from(self.first.kind).bit(5);
        let low = is_long.mux(fourth, third).slice(2, 30);
        cat([is_long.mux(third, third.zero()), low, lit(0, 2)])
    }

    /// The bytes that its completions are about, modulo 4096 (2.2.9): of a read those from the first that is enabled to the last, of
    /// an atomic operation its operand, else 4.
    pub fn byte_count(&self) -> Bits {
        let (kind, length) = (Bits::from(self.first.kind), Bits::from(self.first.length));
        let enables = Bits::from(self.enables);
        let above = trailing(length.eq(1).mux(enables, self.last_enables.into()));
        let of_read = cat([length, lit(0, 2)]) - leading(enables).zext(12) - above.zext(12);
        // Compare and swap has two operands.
        let is_atomic = kind.slice(2, 3).eq(3);
        let operand = kind.bit(1).mux(cat([length, lit(0, 1)]).zext(12), cat([length, lit(0, 2)]));
        self.is_read().mux(of_read, is_atomic.mux(operand, lit(4, 12)))
    }

    /// The lowest bits of the address of the first of those bytes; 0 of anything but a read (2.2.9).
    pub fn lower_address(&self) -> Bits {
        let address = cat([self.address().slice(2, 5), leading(self.enables.into())]);
        self.is_read().mux(address, lit(0, 7))
    }

    /// It is a read, maybe a locked one.
    fn is_read(&self) -> Bool {
        Bits::from(self.first.kind).slice(1, 4).eq(0)
    }
}

/// The lowest byte that is enabled; 0 if none is (table 2-41).
fn leading(enables: Bits) -> Bits {
    let [low, second, third] = [0, 1, 2].map(|byte| enables.bit(byte));
    let number = second.mux(lit(1, 2), third.mux(lit(2, 2), lit(3, 2)));
    (low | !enables.any()).mux(lit(0, 2), number)
}

/// Bytes above the highest that is enabled; 3 if none is (table 2-40).
fn trailing(enables: Bits) -> Bits {
    let [second, third, high] = [1, 2, 3].map(|byte| enables.bit(byte));
    high.mux(lit(0, 2), third.mux(lit(1, 2), second.mux(lit(2, 2), lit(3, 2))))
}

/// The header of a completion (2.2.9).
#[derive(Bundle, Clone, Copy, Debug)]
pub struct CompletionHeader {
    pub unused: U<32>,
    pub requester: U<16>,
    pub tag: U<8>,
    pub reserved: Bool,
    pub lower_address: U<7>,
    pub completer: U<16>,
    pub status: U<3>,
    /// Of PCI-X.
    pub modified: Bool,
    /// Bytes that are left, with those of this completion.
    pub byte_count: U<12>,
    pub first: First,
}

impl CompletionHeader {
    /// That of the completion of a request, without data unless `length` is given, in words. What the request says of traffic
    /// class, attributes and tag comes back (2.2.9).
    pub fn answering(
        request: MemoryHeader,
        completer: U<16>,
        status: Bits,
        length: Bits,
    ) -> CompletionHeader {
        let none = CompletionHeader::ty().zero();
        let kind = |kind: usize| lit(kind as u128, 8);
        CompletionHeader {
            requester: request.requester,
            tag: request.tag,
            completer,
            status: status.as_u(),
            // Of anything but a read of memory.
            byte_count: lit(4, 12).as_u(),
            first: First {
                kind: length.any().mux(kind(kind::COMPLETION_WITH_DATA), kind(kind::COMPLETION)).as_u(),
                tag_9: request.first.tag_9,
                traffic_class: request.first.traffic_class,
                tag_8: request.first.tag_8,
                attribute_2: request.first.attribute_2,
                attributes: request.first.attributes,
                length: length.as_u(),
                ..none.first
            },
            ..none
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positions of fields in figures 2-18 and 2-28, by hand.
    #[test]
    fn fields_are_where_the_figures_have_them() {
        let position = |leaves: Vec<(Place, Bits)>, path: &str| {
            let mut low = leaves.iter().map(|(_, bits)| bits.width()).sum::<usize>();
            assert_eq!(low, 128);
            for (place, bits) in leaves {
                low -= bits.width();
                if place.path == path {
                    return (low / 32, low % 32, bits.width());
                }
            }
            panic!("no field {path}");
        };
        let configuration = |path: &str| position(ConfigurationHeader::ty().leaves(), path);
        let memory = |path: &str| position(MemoryHeader::ty().leaves(), path);
        let completion = |path: &str| position(CompletionHeader::ty().leaves(), path);
        elaborate(|| {
            module("m", Vec::<Bits>::new(), |_| {
                for (path, place) in [
                    ("first_kind", (0, 24, 8)),
                    ("first_traffic_class", (0, 20, 3)),
                    ("first_poisoned", (0, 14, 1)),
                    ("first_attributes", (0, 12, 2)),
                    ("first_length", (0, 0, 10)),
                    ("requester", (1, 16, 16)),
                    ("tag", (1, 8, 8)),
                    ("enables", (1, 0, 4)),
                    ("bus", (2, 24, 8)),
                    ("number", (2, 16, 8)),
                    ("register", (2, 2, 10)),
                ] {
                    assert_eq!(configuration(path), place, "{path}");
                }
                for (path, place) in [
                    ("requester", (1, 16, 16)),
                    ("tag", (1, 8, 8)),
                    ("last_enables", (1, 4, 4)),
                    ("enables", (1, 0, 4)),
                    ("third", (2, 0, 32)),
                    ("fourth", (3, 0, 32)),
                ] {
                    assert_eq!(memory(path), place, "{path}");
                }
                for (path, place) in [
                    ("completer", (1, 16, 16)),
                    ("status", (1, 13, 3)),
                    ("byte_count", (1, 0, 12)),
                    ("requester", (2, 16, 16)),
                    ("tag", (2, 8, 8)),
                    ("lower_address", (2, 0, 7)),
                ] {
                    assert_eq!(completion(path), place, "{path}");
                }
            })
        })
        .unwrap();
    }
}
