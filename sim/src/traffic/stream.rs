//! Generated frames.

use super::stamp::{STAMP_BYTES, Stamp};
use crate::ethernet::{FrameBuilder, HEADER_BYTES, MAX_FRAME_BYTES, MacAddress, TAG_BYTES, Tag};
use crate::random::Random;

/// Frames alike but for their sizes and what fills them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub destination: MacAddress,
    pub source: MacAddress,
    /// Outermost first.
    pub tags: Vec<Tag>,
    pub ethertype: u16,
    pub size: Size,
    /// Decides sizes and filling bytes.
    pub seed: u64,
}

/// Sizes of frames: bytes from the destination address on, tags included, FCS not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Fixed(usize),
    /// Each size from the first to the second is as likely as any other.
    Between(usize, usize),
    /// The "simple IMIX": of 12 frames 7 have 60 bytes, 4 have 590, 1 has 1514, in random order.
    Imix,
}

/// The sizes of [`Size::Imix`].
const IMIX: [usize; 12] = [60, 60, 60, 60, 60, 60, 60, 590, 590, 590, 590, 1514];

impl Size {
    /// The smallest and the largest size.
    pub fn bounds(self) -> (usize, usize) {
        match self {
            Size::Fixed(size) => (size, size),
            Size::Between(low, high) => (low, high),
            Size::Imix => (IMIX[0], IMIX[11]),
        }
    }

    fn pick(self, random: &mut Random) -> usize {
        match self {
            Size::Fixed(size) => size,
            Size::Between(low, high) => low + random.below(high - low + 1),
            Size::Imix => *random.pick(&IMIX),
        }
    }
}

impl Stream {
    /// The sizes that frames with this many tags can have: from where the stamp has room to the longest that the adapter
    /// carries.
    pub fn sizes(tags: usize) -> (usize, usize) {
        (HEADER_BYTES + tags * TAG_BYTES + STAMP_BYTES, MAX_FRAME_BYTES)
    }

    /// A frame of the stream: the same for the same stamp.
    ///
    /// # Panics
    /// If its size has no room for the stamp.
    pub fn frame(&self, stamp: Stamp) -> Vec<u8> {
        let mut random = Random::fork(self.seed, stamp.sequence);
        let size = self.size.pick(&mut random);
        assert!(size >= Self::sizes(self.tags.len()).0, "a frame of {size} bytes has no room for a stamp");
        let frame = FrameBuilder::new(self.destination, self.source).tags(self.tags.iter().copied());
        let mut frame = frame.ethertype(self.ethertype).payload(stamp.bytes()).build();
        while frame.len() < size {
            frame.extend(random.word().to_le_bytes());
        }
        frame.truncate(size);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(size: Size) -> Stream {
        let station = |last| MacAddress::new([2, 0, 0, 0, 0, last]);
        let (destination, source) = (station(1), station(2));
        Stream { destination, source, tags: vec![Tag::customer(7)], ethertype: 0x0800, size, seed: 3 }
    }

    fn sizes(size: Size) -> Vec<usize> {
        let stamp = |sequence| Stamp { flow: 0, sequence, cycle: 0 };
        (0..12_000).map(|sequence| stream(size).frame(stamp(sequence)).len()).collect()
    }

    #[test]
    fn a_frame_is_as_the_stream_says() {
        let stamp = Stamp { flow: 4, sequence: 9, cycle: 100 };
        let frame = stream(Size::Fixed(60)).frame(stamp);
        assert_eq!(frame.len(), 60);
        assert_eq!(frame[..18], [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 7, 8, 0]);
        assert_eq!(Stamp::of_frame(&frame), Some(stamp));
        assert_eq!(stream(Size::Fixed(60)).frame(stamp), frame);
        let next = stream(Size::Fixed(60)).frame(Stamp { sequence: 10, ..stamp });
        assert_ne!(frame[46..], next[46..], "frames are filled alike");
    }

    #[test]
    fn sizes_are_spread_as_said() {
        let between = sizes(Size::Between(60, 69));
        for size in 60..70 {
            let count = between.iter().filter(|&&other| other == size).count();
            assert!((1000..1400).contains(&count), "{count} of 12000 frames have {size} bytes");
        }
        let imix = sizes(Size::Imix);
        let count = |size: usize| imix.iter().filter(|&&other| other == size).count() as f64 / 1000.0;
        assert_eq!([60, 590, 1514].map(|size| count(size).round()), [7.0, 4.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "a frame of 45 bytes has no room for a stamp")]
    fn a_frame_too_short_for_its_stamp_is_refused() {
        stream(Size::Fixed(45)).frame(Stamp { flow: 0, sequence: 0, cycle: 0 });
    }
}
