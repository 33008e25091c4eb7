//! Rule 11: what a copy looks like.

use super::{Copies, rules::Classified};
use crate::{
    ethernet::{TAG_BYTES, TAG_OFFSET, Tag, VlanTag},
    veb::{PortSet, policy::Policy},
};

/// How a copy leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// As it came.
    Raw,
    /// With a tag that names its VLAN.
    Tagged,
    /// Without a tag that counts.
    Untagged,
}

/// The copies for `ports`: as they came if `raw`; else with or without a tag as the VLAN's untagged set says (8.8.2).
pub fn copies(
    policy: &Policy,
    source: usize,
    frame: &[u8],
    vlan: &Classified,
    ports: PortSet,
    raw: bool,
) -> Vec<Copies> {
    let untagged = policy.vlan(vlan.vid).untagged;
    let parts = if raw {
        vec![(Form::Raw, ports)]
    } else {
        vec![(Form::Tagged, ports - untagged), (Form::Untagged, ports & untagged)]
    };
    let parts = parts.into_iter().filter(|(_, ports)| !ports.is_empty());
    let copies = parts.map(|(form, ports)| {
        let bytes = match form {
            Form::Raw => frame.to_vec(),
            Form::Tagged => tagged(policy, source, frame, vlan),
            Form::Untagged => untagged_bytes(frame, vlan),
        };
        Copies { form, bytes: bytes.into(), ports }
    });
    copies.collect()
}

/// The frame with a tag of its VLAN: its own, with the VID that a priority tag lacks (6.9), or a new one.
fn tagged(policy: &Policy, source: usize, frame: &[u8], vlan: &Classified) -> Vec<u8> {
    let port = &policy.ports[source];
    let new = VlanTag { pcp: port.priority, dei: false, vid: vlan.vid };
    let tag = vlan.tag.map_or(Tag { kind: port.inserted_tag, control: new }, |tag| Tag {
        control: VlanTag { vid: vlan.vid, ..tag.control },
        ..tag
    });
    let behind = if vlan.tag.is_some() { TAG_OFFSET + TAG_BYTES } else { TAG_OFFSET };
    [&frame[..TAG_OFFSET], &tag.bytes(), &frame[behind..]].concat()
}

/// The frame without the tag that counts, if it has one. Short frames are filled up by the MAC (802.3, 3.2.8).
fn untagged_bytes(frame: &[u8], vlan: &Classified) -> Vec<u8> {
    let behind = if vlan.tag.is_some() { TAG_OFFSET + TAG_BYTES } else { TAG_OFFSET };
    [&frame[..TAG_OFFSET], &frame[behind..]].concat()
}
