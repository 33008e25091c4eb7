//! Tags of both kinds, and frames with several of them (IEEE 802.1Q-2018 clause 9).
//!
//! A tag is four bytes behind the addresses or behind another tag: TPID and TCI. Whether it *counts* depends on who reads
//! it: a customer bridge sees an S-tag as payload, a provider bridge a C-tag. Readers here show what is there.

use super::{FrameBuilder, FrameView, TAG_BYTES, TPID_CUSTOMER, TPID_SERVICE, VlanTag};

/// Where the first tag, or the type of an untagged frame, begins.
pub const TAG_OFFSET: usize = 12;

/// The kind of a tag, by its TPID (802.1Q, table 9-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagKind {
    /// C-tag, TPID 0x8100.
    Customer,
    /// S-tag, TPID 0x88A8.
    Service,
}

impl TagKind {
    /// The kind that this TPID stands for, or `None` if it is no TPID but a length or type.
    pub const fn of_tpid(tpid: u16) -> Option<Self> {
        match tpid {
            TPID_CUSTOMER => Some(Self::Customer),
            TPID_SERVICE => Some(Self::Service),
            _ => None,
        }
    }

    /// The tag protocol identifier.
    pub const fn tpid(self) -> u16 {
        match self {
            Self::Customer => TPID_CUSTOMER,
            Self::Service => TPID_SERVICE,
        }
    }
}

/// A tag with its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    pub kind: TagKind,
    /// Priority and VLAN.
    pub control: VlanTag,
}

impl Tag {
    /// A C-tag of this VLAN with priority 0.
    pub const fn customer(vid: u16) -> Self {
        Self { kind: TagKind::Customer, control: VlanTag::new(vid) }
    }

    /// An S-tag of this VLAN with priority 0.
    pub const fn service(vid: u16) -> Self {
        Self { kind: TagKind::Service, control: VlanTag::new(vid) }
    }

    /// The tag as it is on the wire.
    pub fn bytes(self) -> [u8; TAG_BYTES] {
        let [a, b] = self.kind.tpid().to_be_bytes();
        let [c, d] = self.control.tci().to_be_bytes();
        [a, b, c, d]
    }
}

impl<'a> FrameView<'a> {
    /// The tags from byte 12 on, of either kind, outermost first; as many as are there with all four bytes.
    pub fn tags(self) -> impl Iterator<Item = Tag> + Clone + 'a {
        let tag_at = move |offset| {
            let kind = TagKind::of_tpid(self.word(offset)?)?;
            Some(Tag { kind, control: VlanTag::from_tci(self.word(offset + 2)?) })
        };
        (TAG_OFFSET..).step_by(TAG_BYTES).map_while(tag_at)
    }

    /// Length or type behind up to `most` tags of either kind. Behind `most` tags it may itself be a TPID.
    pub fn type_behind_tags(self, most: usize) -> Option<u16> {
        let mut offset = TAG_OFFSET;
        for _ in 0..most {
            if TagKind::of_tpid(self.word(offset)?).is_some() {
                offset += TAG_BYTES;
            }
        }
        self.word(offset)
    }
}

impl FrameBuilder {
    /// Adds a service tag behind the tags so far.
    pub fn service_tag(self, tag: VlanTag) -> Self {
        self.tag_with(TPID_SERVICE, tag)
    }

    /// Adds these tags behind the tags so far, outermost first.
    pub fn tags(self, tags: impl IntoIterator<Item = Tag>) -> Self {
        tags.into_iter().fold(self, |frame, tag| frame.tag_with(tag.kind.tpid(), tag.control))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethernet::MacAddress;
    use proptest::prelude::*;

    const HOST: MacAddress = MacAddress::new([0x52, 0x54, 0x00, 0xAB, 0x00, 0x01]);

    fn tagged(tags: &[Tag]) -> Vec<u8> {
        FrameBuilder::new(MacAddress::BROADCAST, HOST).tags(tags.iter().copied()).ethertype(0x0800).build()
    }

    #[test]
    fn nested_tags_have_their_bytes_in_order() {
        let inner = Tag { kind: TagKind::Customer, control: VlanTag { pcp: 5, dei: true, vid: 0x123 } };
        let frame = tagged(&[Tag::service(7), inner]);
        assert_eq!(frame[12..], [0x88, 0xA8, 0, 7, 0x81, 0x00, 0xB1, 0x23, 0x08, 0x00]);
        assert_eq!(FrameView(&frame).tags().collect::<Vec<_>>(), [Tag::service(7), inner]);
        assert_eq!(frame[12..16], Tag::service(7).bytes());
        let by_name = FrameBuilder::new(MacAddress::BROADCAST, HOST)
            .service_tag(VlanTag::new(7))
            .tag(inner.control)
            .ethertype(0x0800);
        assert_eq!(by_name.build(), frame);
    }

    #[test]
    fn the_type_is_behind_as_many_tags_as_are_looked_at() {
        let frame = tagged(&[Tag::customer(1), Tag::service(2), Tag::customer(3)]);
        let types: Vec<_> = (0..5).map(|most| FrameView(&frame).type_behind_tags(most)).collect();
        let [c, s] = [Some(TPID_CUSTOMER), Some(TPID_SERVICE)];
        assert_eq!(types, [c, s, c, Some(0x0800), Some(0x0800)]);
        assert_eq!(FrameView(&tagged(&[])).type_behind_tags(2), Some(0x0800));
    }

    #[test]
    fn a_type_that_is_cut_off_is_not_there() {
        for (tags, complete) in [(0, 14), (1, 18), (2, 22), (3, 22)] {
            let frame = tagged(&vec![Tag::service(1); tags]);
            for length in 0..=frame.len() {
                let view = FrameView(&frame[..length]);
                assert_eq!(
                    view.type_behind_tags(2).is_some(),
                    length >= complete,
                    "{tags} tags, {length} bytes"
                );
                assert_eq!(view.tags().count(), tags.min(length.saturating_sub(TAG_OFFSET) / TAG_BYTES));
            }
        }
    }

    proptest! {
        #[test]
        fn tags_survive_building_and_reading(tags in proptest::collection::vec((any::<bool>(), any::<u16>()), 0..4)) {
            let kind = |service| if service { TagKind::Service } else { TagKind::Customer };
            let tags: Vec<Tag> = tags
                .into_iter()
                .map(|(service, tci)| Tag { kind: kind(service), control: VlanTag::from_tci(tci) })
                .collect();
            let frame = tagged(&tags);
            prop_assert_eq!(frame.len(), 14 + TAG_BYTES * tags.len());
            prop_assert_eq!(FrameView(&frame).tags().collect::<Vec<_>>(), tags);
        }
    }
}
