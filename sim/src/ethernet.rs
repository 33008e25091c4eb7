//! Ethernet frames as bytes: addresses, 802.1Q tags, building and reading.
//!
//! Written from IEEE 802.3-2018 clause 3 (MAC frame) and IEEE 802.1Q-2018 clause 9 (tagged frames). A frame here starts
//! with the destination address and carries no preamble and no frame check sequence; it is unchecked until a reader asks
//! for a field, which may be missing.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

#[cfg(any(test, feature = "strategies"))]
pub mod strategies;
mod tags;

pub use tags::{TAG_OFFSET, Tag, TagKind};

/// Destination, source and type: the shortest frame that has a complete MAC header.
pub const HEADER_BYTES: usize = 14;
/// What one 802.1Q tag adds: TPID and TCI.
pub const TAG_BYTES: usize = 4;
/// The longest frame the adapter carries: 9600 bytes of payload, a header and two tags.
pub const MAX_FRAME_BYTES: usize = 9600 + HEADER_BYTES + 2 * TAG_BYTES;
/// Tag protocol identifier of a customer VLAN tag (802.1Q table 9-1).
pub const TPID_CUSTOMER: u16 = 0x8100;
/// Tag protocol identifier of a service VLAN tag (802.1Q table 9-1).
pub const TPID_SERVICE: u16 = 0x88A8;
/// EtherType kept for local experiments (IEEE 802, 9.2.4): what frames without a better one carry.
pub const ETHERTYPE_EXPERIMENTAL: u16 = 0x88B5;

/// A 48-bit MAC address, bytes in the order they have on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// The group address of all stations.
    pub const BROADCAST: Self = Self([0xFF; 6]);

    /// The address with these bytes, first on the wire first.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The bytes, first on the wire first.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// As a number: the first byte on the wire is bits 47:40.
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// From a number: bits 47:40 are the first byte on the wire, bits 63:48 are ignored.
    pub const fn from_u64(value: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
        Self([a, b, c, d, e, f])
    }

    /// Whether it is a group (multicast or broadcast) address: the I/G bit, bit 0 of the first byte (802.3, 3.2.3).
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is no MAC address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("bad MAC address `{text}`: {problem}")]
pub struct ParseMacError {
    text: String,
    problem: MacProblem,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum MacProblem {
    #[error("it has {0} parts where six are needed, as in 52:54:00:ab:00:01")]
    Parts(usize),
    #[error("`{0}` is not two hexadecimal digits")]
    Digits(String),
}

impl FromStr for MacAddress {
    type Err = ParseMacError;

    /// Six pairs of hexadecimal digits, separated by `:` or, as IEEE 802 prints them, by `-`.
    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let fail = |problem| ParseMacError { text: text.to_owned(), problem };
        let separator = if text.contains('-') { '-' } else { ':' };
        let parts: Vec<&str> = text.split(separator).collect();
        let mut bytes = [0; 6];
        if parts.len() != bytes.len() {
            return Err(fail(MacProblem::Parts(parts.len())));
        }
        for (byte, part) in bytes.iter_mut().zip(parts) {
            // `from_str_radix` alone would also take a sign.
            let is_pair = part.len() == 2 && part.chars().all(|digit| digit.is_ascii_hexdigit());
            *byte = is_pair
                .then(|| u8::from_str_radix(part, 16).ok())
                .flatten()
                .ok_or_else(|| fail(MacProblem::Digits(part.to_owned())))?;
        }
        Ok(Self(bytes))
    }
}

/// The tag control information of an 802.1Q tag (802.1Q, 9.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VlanTag {
    /// Priority code point, 0..=7.
    pub pcp: u8,
    /// Drop eligible indicator.
    pub dei: bool,
    /// VLAN identifier, 0..=4095; 0 marks a frame that carries a priority and no VLAN, 4095 is reserved.
    pub vid: u16,
}

impl VlanTag {
    /// A tag of this VLAN with priority 0.
    pub const fn new(vid: u16) -> Self {
        Self { pcp: 0, dei: false, vid }
    }

    /// From the two bytes that follow the TPID.
    pub const fn from_tci(tci: u16) -> Self {
        Self { pcp: (tci >> 13) as u8, dei: tci >> 12 & 1 == 1, vid: tci & 0xFFF }
    }

    /// The two bytes that follow the TPID. Bits of `pcp` and `vid` beyond their ranges are left out.
    pub const fn tci(self) -> u16 {
        (self.pcp as u16 & 7) << 13 | (self.dei as u16) << 12 | self.vid & 0xFFF
    }
}

/// Reads the fields of a frame. A field that the frame is too short for is `None`.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a>(pub &'a [u8]);

impl<'a> FrameView<'a> {
    /// Destination address, bytes 0..6.
    pub fn destination(self) -> Option<MacAddress> {
        self.0.first_chunk().copied().map(MacAddress)
    }

    /// Source address, bytes 6..12.
    pub fn source(self) -> Option<MacAddress> {
        self.0.get(6..)?.first_chunk().copied().map(MacAddress)
    }

    /// The customer VLAN tag at byte 12, if there is one.
    pub fn tag(self) -> Option<VlanTag> {
        (self.word(12)? == TPID_CUSTOMER).then(|| self.word(14)).flatten().map(VlanTag::from_tci)
    }

    /// Length or type of the payload: after the customer tag, if there is one.
    pub fn ethertype(self) -> Option<u16> {
        self.word(self.type_offset()?)
    }

    /// What follows the length or type.
    pub fn payload(self) -> Option<&'a [u8]> {
        self.0.get(self.type_offset()? + 2..)
    }

    fn type_offset(self) -> Option<usize> {
        Some(if self.word(12)? == TPID_CUSTOMER { 12 + TAG_BYTES } else { 12 })
    }

    fn word(self, offset: usize) -> Option<u16> {
        self.0.get(offset..)?.first_chunk().copied().map(u16::from_be_bytes)
    }
}

/// Builds a frame field by field.
///
/// ```
/// use sim::ethernet::{FrameBuilder, MacAddress, VlanTag};
/// let host = MacAddress::new([0x52, 0x54, 0, 0xAB, 0, 1]);
/// let frame = FrameBuilder::new(MacAddress::BROADCAST, host).tag(VlanTag::new(100)).payload(b"hello").build();
/// assert_eq!(frame.len(), 14 + 4 + 5);
/// ```
#[derive(Clone, Debug)]
pub struct FrameBuilder {
    destination: MacAddress,
    source: MacAddress,
    tags: Vec<(u16, VlanTag)>,
    ethertype: u16,
    payload: Vec<u8>,
}

impl FrameBuilder {
    /// An untagged frame with an experimental EtherType and no payload.
    pub fn new(destination: MacAddress, source: MacAddress) -> Self {
        Self { destination, source, tags: Vec::new(), ethertype: ETHERTYPE_EXPERIMENTAL, payload: Vec::new() }
    }

    /// Adds a customer tag behind the tags so far.
    pub fn tag(self, tag: VlanTag) -> Self {
        self.tag_with(TPID_CUSTOMER, tag)
    }

    /// Adds a tag with this tag protocol identifier behind the tags so far.
    pub fn tag_with(mut self, tpid: u16, tag: VlanTag) -> Self {
        self.tags.push((tpid, tag));
        self
    }

    /// Sets the length or type.
    pub fn ethertype(mut self, ethertype: u16) -> Self {
        self.ethertype = ethertype;
        self
    }

    /// Sets the payload.
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    /// The frame's bytes.
    pub fn build(self) -> Vec<u8> {
        let mut frame = [self.destination.0, self.source.0].concat();
        for (tpid, tag) in self.tags {
            frame.extend(tpid.to_be_bytes());
            frame.extend(tag.tci().to_be_bytes());
        }
        frame.extend(self.ethertype.to_be_bytes());
        frame.extend(self.payload);
        frame
    }

    /// The frame's bytes, cut or filled up with zeros to exactly `length` bytes.
    pub fn build_with_length(self, length: usize) -> Vec<u8> {
        let mut frame = self.build();
        frame.resize(length, 0);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOST: MacAddress = MacAddress::new([0x52, 0x54, 0x00, 0xAB, 0x00, 0x01]);

    #[test]
    fn mac_addresses_are_parsed_and_printed() {
        assert_eq!("52:54:00:ab:00:01".parse(), Ok(HOST));
        assert_eq!("52-54-00-AB-00-01".parse(), Ok(HOST));
        assert_eq!(HOST.to_string(), "52:54:00:ab:00:01");
        assert_eq!(HOST.to_u64(), 0x5254_00AB_0001);
        assert!(!HOST.is_group());
        assert!(MacAddress::BROADCAST.is_group());
        assert!(MacAddress::new([0x33, 0x33, 0, 0, 0, 1]).is_group());
    }

    #[test]
    fn bad_mac_addresses_say_what_is_wrong() {
        let message = |text: &str| text.parse::<MacAddress>().unwrap_err().to_string();
        assert_eq!(
            message("52:54:00:ab:00"),
            "bad MAC address `52:54:00:ab:00`: it has 5 parts where six are needed, as in 52:54:00:ab:00:01"
        );
        assert_eq!(
            message("52:54:00:ab:00:0g"),
            "bad MAC address `52:54:00:ab:00:0g`: `0g` is not two hexadecimal digits"
        );
        for text in [
            "",
            "52:54:00:ab:00:01:02",
            "52:54:00:ab:00:1",
            "52:54:00:ab:00:+1",
            "5254.00ab.0001",
            "é:é:é:é:é:é",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_untagged_frame_has_its_bytes_in_order() {
        let frame = FrameBuilder::new(MacAddress::BROADCAST, HOST).ethertype(0x0806).payload([1, 2]).build();
        assert_eq!(frame, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x52, 0x54, 0, 0xAB, 0, 1, 0x08, 0x06, 1, 2]);
        let view = FrameView(&frame);
        assert_eq!(view.destination(), Some(MacAddress::BROADCAST));
        assert_eq!(view.source(), Some(HOST));
        assert_eq!(view.tag(), None);
        assert_eq!(view.ethertype(), Some(0x0806));
        assert_eq!(view.payload(), Some(&[1, 2][..]));
    }

    #[test]
    fn a_tagged_frame_has_its_bytes_in_order() {
        let tag = VlanTag { pcp: 5, dei: true, vid: 0x123 };
        let frame = FrameBuilder::new(HOST, HOST).tag(tag).ethertype(0x0800).build();
        assert_eq!(frame[12..], [0x81, 0x00, 0xB1, 0x23, 0x08, 0x00]);
        assert_eq!(FrameView(&frame).tag(), Some(tag));
        assert_eq!(FrameView(&frame).ethertype(), Some(0x0800));
        assert_eq!(FrameView(&frame[..17]).ethertype(), None);
        assert_eq!(FrameView(&frame[..15]).tag(), None);
        assert_eq!(FrameView(&frame[..11]).source(), None);
        assert_eq!(FrameView(&frame[..5]).destination(), None);
    }

    #[test]
    fn a_service_tag_is_no_customer_tag() {
        let frame = FrameBuilder::new(HOST, HOST).tag_with(TPID_SERVICE, VlanTag::new(7)).build();
        assert_eq!(FrameView(&frame).tag(), None);
        assert_eq!(FrameView(&frame).ethertype(), Some(TPID_SERVICE));
    }

    proptest! {
        #[test]
        fn a_printed_address_parses_to_itself(address in strategies::mac_address()) {
            prop_assert_eq!(address.to_string().parse::<MacAddress>(), Ok(address));
            prop_assert_eq!(MacAddress::from_u64(address.to_u64()), address);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<MacAddress>();
        }

        #[test]
        fn a_tag_survives_its_two_bytes(tci: u16) {
            prop_assert_eq!(VlanTag::from_tci(tci).tci(), tci);
        }

        #[test]
        fn reading_any_bytes_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let view = FrameView(&bytes);
            prop_assert_eq!(view.destination().is_some(), bytes.len() >= 6);
            prop_assert_eq!(view.source().is_some(), bytes.len() >= 12);
            prop_assert_eq!(view.payload().is_some(), view.ethertype().is_some());
        }
    }
}
