//! Random frames, a third of which are not what they should be.

use proptest::prelude::*;
use proptest::{collection::vec, option};

use super::{
    Shape, any_vid, ethertype, few_ports, group, half_the_ports, reserved_address, station, stranger,
};
use crate::{
    ethernet::{
        FrameBuilder, FrameView, HEADER_BYTES, MAX_FRAME_BYTES, MacAddress, TAG_BYTES, Tag, TagKind, VlanTag,
    },
    veb::PortSet,
};

/// A frame that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Port that it comes in at.
    pub source: usize,
    /// At least one byte.
    pub bytes: Vec<u8>,
    /// The flag in its last beat.
    pub error: bool,
    /// The ports that the manager gave it; of frames of the manager only.
    pub forced: Option<PortSet>,
}

impl Arrival {
    /// Makes the frame differ from those with other numbers wherever it leaves: the last four bytes of its payload become
    /// the number, big-endian. Frames that end within their header stay as they are; they do not leave.
    pub fn stamp(&mut self, number: u32) {
        let view = FrameView(&self.bytes);
        if view.type_behind_tags(2).is_some() {
            let header = HEADER_BYTES + TAG_BYTES * view.tags().count().min(2);
            let length = self.bytes.len().max(header + 4);
            self.bytes.resize(length, 0);
            self.bytes[length - 4..].copy_from_slice(&number.to_be_bytes());
        }
    }
}

/// A frame into a bridge of this shape, of up to `longest` bytes; longer than any frame may be if `longest` allows it.
pub fn arrival(shape: Shape, longest: usize) -> impl Strategy<Value = Arrival> {
    let source = prop_oneof![3 => 0..shape.wires, 1 => Just(shape.wires), 5 => 0..shape.ports()];
    let forced = option::weighted(0.2, prop_oneof![4 => few_ports(shape), 1 => half_the_ports(shape)]);
    source
        .prop_flat_map(move |source| {
            (
                addresses(shape, source),
                tags(),
                ethertype(),
                length(longest),
                any::<u8>(),
                prop::bool::weighted(0.02),
            )
                .prop_flat_map(move |((destination, from), tags, ethertype, length, fill, error)| {
                    let frame = FrameBuilder::new(destination, from).tags(tags).ethertype(ethertype);
                    let header = frame.clone().build().len();
                    let length = length.unwrap_or_else(|| header + usize::from(fill % 64));
                    let bytes =
                        frame.payload(vec![fill; length.saturating_sub(header)]).build_with_length(length);
                    (Just(bytes), Just(error))
                })
                .prop_map(move |(bytes, error)| (source, bytes, error))
        })
        .prop_flat_map(move |arrival| (Just(arrival), forced.clone()))
        .prop_map(move |((source, bytes, error), forced)| {
            let forced = forced.filter(|_| source == shape.wires);
            Arrival { source, bytes, error, forced }
        })
}

/// Destination and source. From a wire, the source is often a function whose frame comes back.
fn addresses(shape: Shape, port: usize) -> impl Strategy<Value = (MacAddress, MacAddress)> {
    let known = || (0..shape.ports()).prop_map(station);
    let destination = prop_oneof![
        10 => known(),
        3 => stranger(),
        4 => group(),
        3 => Just(MacAddress::BROADCAST),
        1 => reserved_address(),
    ];
    let own = if port < shape.wires { stranger().boxed() } else { Just(station(port)).boxed() };
    let spoofed = prop_oneof![8 => known(), 1 => stranger(), 2 => group()];
    let source = if port < shape.wires {
        prop_oneof![1 => own, 1 => spoofed]
    } else {
        prop_oneof![6 => own, 1 => spoofed]
    };
    (destination, source)
}

/// Up to three tags.
fn tags() -> impl Strategy<Value = Vec<Tag>> {
    prop_oneof![12 => Just(vec![]), 12 => vec(tag(), 1), 4 => vec(tag(), 2), 1 => vec(tag(), 3)]
}

fn tag() -> impl Strategy<Value = Tag> {
    let kind = prop_oneof![5 => Just(TagKind::Customer), 2 => Just(TagKind::Service)];
    let vid = prop_oneof![4 => any_vid(), 1 => Just(0)];
    (kind, 0..8u8, any::<bool>(), vid)
        .prop_map(|(kind, pcp, dei, vid)| Tag { kind, control: VlanTag { pcp, dei, vid } })
}

/// The length of the frame; `None` for its header and a little.
fn length(longest: usize) -> impl Strategy<Value = Option<usize>> {
    let limit = MAX_FRAME_BYTES;
    let too_long = if longest > limit { 1 } else { 0 };
    prop_oneof![
        160 => Just(None),
        25 => (60..=longest.min(limit)).prop_map(Some),
        // Ends within the header, or just behind it.
        10 => (1..=23usize).prop_map(Some),
        too_long => (limit - 1..=longest.min(limit + 10)).prop_map(Some),
    ]
}
