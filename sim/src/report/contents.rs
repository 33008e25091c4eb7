//! Recognises frames without a stamp by their content.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ethernet::{FrameView, TAG_BYTES, TAG_OFFSET};

/// Number of a flow, and of a frame in it.
type Key = (usize, u64);

/// The contents of frames that were sent, tags left out.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    sent: HashMap<u64, Vec<Key>>,
    /// How many frames of a content have left by a port.
    left: HashMap<(u64, usize), usize>,
}

impl Contents {
    /// A frame is sent.
    pub fn sent(&mut self, frame: &[u8], key: Key) {
        self.sent.entry(digest(frame)).or_default().push(key);
    }

    /// The frame of this content that leaves by this port: the first that has not yet.
    pub fn left(&mut self, port: usize, frame: &[u8]) -> Option<Key> {
        let digest = digest(frame);
        let sent = self.sent.get(&digest)?;
        let count = self.left.entry((digest, port)).or_default();
        *count += 1;
        sent.get(*count - 1).copied()
    }
}

/// Of the addresses and what is behind all tags.
fn digest(frame: &[u8]) -> u64 {
    let behind = TAG_OFFSET + FrameView(frame).tags().count() * TAG_BYTES;
    let mut hasher = DefaultHasher::new();
    (&frame[..TAG_OFFSET.min(frame.len())], frame.get(behind..)).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethernet::{FrameBuilder, MacAddress, Tag};

    #[test]
    fn equal_frames_leave_in_their_order() {
        let frame = |last, tags: &[Tag]| {
            let source = MacAddress::new([2, 0, 0, 0, 0, last]);
            FrameBuilder::new(MacAddress::BROADCAST, source)
                .tags(tags.iter().copied())
                .payload([last; 40])
                .build()
        };
        let mut contents = Contents::default();
        contents.sent(&frame(1, &[]), (0, 0));
        contents.sent(&frame(2, &[]), (0, 1));
        contents.sent(&frame(1, &[Tag::customer(5)]), (3, 0));
        let tagged = frame(1, &[Tag::service(9), Tag::customer(5)]);
        assert_eq!(contents.left(4, &frame(1, &[])), Some((0, 0)));
        assert_eq!(contents.left(5, &tagged), Some((0, 0)));
        assert_eq!(contents.left(4, &tagged), Some((3, 0)));
        assert_eq!(contents.left(4, &frame(1, &[])), None);
        assert_eq!(contents.left(4, &frame(2, &[])), Some((0, 1)));
        assert_eq!(contents.left(4, &frame(3, &[])), None);
        assert_eq!(contents.left(4, &[1, 2, 3]), None);
    }
}
