//! What a generated frame carries, so that whoever sees it leave knows which one it is and when it was sent.
//!
//! The stamp is the start of the frame's payload: directly behind the length or type, wherever the tags that a bridge puts
//! in or takes out have moved that to. All numbers are big-endian:
//!
//! | bytes of the payload | content |
//! |---|---|
//! | 0..8 | [`MAGIC`]: the text `HEMATITE` |
//! | 8..12 | number of the flow |
//! | 12..20 | sequence number in the flow, from 0 |
//! | 20..28 | cycle in which the frame was to be sent |
//!
//! With two tags a stamped frame has at least 50 bytes; every frame of 64 bytes (60 without FCS) has room for it.

use crate::ethernet::{HEADER_BYTES, TAG_BYTES};

/// The first bytes of a stamp.
pub const MAGIC: [u8; 8] = *b"HEMATITE";

/// Bytes of a stamp.
pub const STAMP_BYTES: usize = 28;

/// Tags that a stamp is looked for behind, at most: those of a stream, and some that a test adds.
const MOST_TAGS: usize = 4;

/// Which frame this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Number of the flow.
    pub flow: u32,
    /// Number of the frame in its flow, from 0.
    pub sequence: u64,
    /// Cycle in which it was to be sent.
    pub cycle: u64,
}

impl Stamp {
    /// The stamp as it stands in the payload.
    pub fn bytes(self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.flow.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[20..].copy_from_slice(&self.cycle.to_be_bytes());
        bytes
    }

    /// The stamp of a frame, behind any tags; `None` for a frame that carries none.
    pub fn of_frame(frame: &[u8]) -> Option<Stamp> {
        // By the magic alone: what a test sends as type may look like a tag.
        let places = (0..=MOST_TAGS).map(|tags| HEADER_BYTES + tags * TAG_BYTES);
        let stamps = places.filter_map(|place| frame.get(place..)?.first_chunk::<STAMP_BYTES>());
        let stamp = stamps.into_iter().find(|stamp| stamp.starts_with(&MAGIC))?;
        let number = |from: usize| {
            u64::from_be_bytes(*stamp[from..].first_chunk().expect("eight bytes from 8, 12 and 20 on"))
        };
        Some(Stamp { flow: (number(8) >> 32) as u32, sequence: number(12), cycle: number(20) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethernet::{FrameBuilder, MacAddress, Tag};

    const STAMP: Stamp = Stamp { flow: 0x0102_0304, sequence: 0x0506_0708_090A_0B0C, cycle: 0x0D0E_0F10 };

    fn frame(tags: &[Tag], ethertype: u16) -> Vec<u8> {
        let host = MacAddress::new([2, 0, 0, 0, 0, 1]);
        let frame = FrameBuilder::new(MacAddress::BROADCAST, host).tags(tags.iter().copied());
        frame.ethertype(ethertype).payload(STAMP.bytes()).build()
    }

    #[test]
    fn the_layout_by_hand() {
        let expected = b"HEMATITE\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\0\0\0\0\x0d\x0e\x0f\x10";
        assert_eq!(STAMP.bytes(), *expected);
    }

    #[test]
    fn a_stamp_is_found_behind_any_tags() {
        for tags in [&[][..], &[Tag::customer(5)], &[Tag::service(5), Tag::customer(6), Tag::customer(7)]] {
            for ethertype in [0x0800, 0x8100, 46] {
                assert_eq!(Stamp::of_frame(&frame(tags, ethertype)), Some(STAMP), "{tags:?} {ethertype:#x}");
            }
        }
    }

    #[test]
    fn frames_without_a_stamp() {
        let frame = frame(&[], 0x0800);
        assert_eq!(Stamp::of_frame(&frame[..frame.len() - 1]), None);
        let mut other = frame.clone();
        other[14] ^= 1;
        assert_eq!(Stamp::of_frame(&other), None);
        assert_eq!(Stamp::of_frame(&[]), None);
    }
}
