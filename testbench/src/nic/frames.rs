//! Frames as they are drawn: of any length and to anybody, with tags, with checksums that are right, wrong, or the device's to fill in.

use super::ledger::Name;
use sim::{
    ethernet::{ETHERTYPE_EXPERIMENTAL, HEADER_BYTES, MacAddress, TPID_CUSTOMER, TPID_SERVICE, VlanTag},
    random::Random,
    veb::policy::MAX_VID,
};

/// The address of a function.
pub fn station(function: usize) -> MacAddress {
    MacAddress::new([6, 0, 0, 0, 0, function as u8])
}

/// Who is behind a wire.
pub fn remote(wire: usize) -> MacAddress {
    MacAddress::new([6, 0, 0, 0, 1, wire as u8])
}

/// Groups that functions listen to.
pub fn group(number: usize) -> MacAddress {
    MacAddress::new([0x33, 0x33, 0, 0, 0, number as u8])
}

/// How many of them.
pub const GROUPS: usize = 4;

/// VLANs that ports are in, beside VLAN 1.
pub const VLANS: [u16; 2] = [2, 3];

/// A frame before it is sent.
#[derive(Clone, Debug)]
pub struct Draft {
    pub frame: Vec<u8>,
    /// As of [`sim::virtio::net::Packet`].
    pub checksum: Option<(u16, u16)>,
    /// What leaves the sender.
    pub leaves: Vec<u8>,
    /// Its TCP or UDP checksum is right, if it has one; `None` where a device may see it otherwise.
    pub valid: Option<bool>,
}

/// What frames may be.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub longest: usize,
    /// The sender's device fills in checksums.
    pub offload: bool,
    pub tags: bool,
}

impl Draft {
    pub fn draw(random: &mut Random, name: Name, destination: MacAddress, range: Range) -> Draft {
        let bytes = length(random, range.longest);
        let mut head = [destination.bytes(), name.address().bytes()].concat();
        if range.tags && random.chance(25) {
            let vid = match random.below(8) {
                0 => 0,
                1 => 1,
                2 => random.below(usize::from(MAX_VID) + 1) as u16,
                _ => *random.pick(&VLANS),
            };
            let tag = VlanTag { pcp: random.below(8) as u8, dei: false, vid };
            let kind = if random.chance(10) { TPID_SERVICE } else { TPID_CUSTOMER };
            head.extend(kind.to_be_bytes());
            head.extend(tag.tci().to_be_bytes());
        }
        match random.below(10) {
            0..3 if bytes >= head.len() + SMALLEST_PACKET => packet(random, head, bytes, range.offload),
            _ => plain(random, head, bytes, range.offload),
        }
    }
}

/// Mostly short ones: they are many in little time.
fn length(random: &mut Random, longest: usize) -> usize {
    let most = match random.below(100) {
        0..10 => 64,
        10..70 => 160,
        70..95 => longest.min(1518),
        _ => longest,
    };
    HEADER_BYTES + random.below(most - HEADER_BYTES + 1)
}

fn plain(random: &mut Random, mut frame: Vec<u8>, bytes: usize, offload: bool) -> Draft {
    frame.extend(ETHERTYPE_EXPERIMENTAL.to_be_bytes());
    let start = frame.len();
    frame.extend((start..bytes).map(|_| random.word() as u8));
    let mut draft = Draft { leaves: frame.clone(), frame, checksum: None, valid: Some(false) };
    if offload && bytes >= start + 8 && random.chance(40) {
        let from = start + random.below(bytes - start - 2);
        let offset = 2 * random.below((bytes - from) / 2);
        draft.complete(from, offset);
    }
    draft
}

/// TCP behind IPv6 without payload.
const SMALLEST_PACKET: usize = 2 + 40 + 20;

/// TCP or UDP, behind IPv4 or IPv6.
fn packet(random: &mut Random, mut frame: Vec<u8>, bytes: usize, offload: bool) -> Draft {
    let (is_new, is_tcp) = (random.chance(50), random.chance(50));
    let protocol = if is_tcp { 6 } else { 17 };
    let start = frame.len() + 2;
    let transport = start + if is_new { 40 } else { 20 };
    let length = bytes - transport;
    let addresses: Vec<u8> = (0..if is_new { 32 } else { 8 }).map(|_| random.below(3) as u8).collect();
    if is_new {
        frame.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
        frame.extend((length as u16).to_be_bytes());
        frame.extend([protocol, 64]);
    } else {
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend(((20 + length) as u16).to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    }
    frame.extend(&addresses);
    if !is_new {
        let checksum = !sum(&frame[start..]);
        frame[start + 10..start + 12].copy_from_slice(&checksum.to_be_bytes());
    }
    frame.extend((transport..bytes).map(|_| random.word() as u8));
    let offset = if is_tcp { 16 } else { 6 };
    if is_tcp {
        frame[transport + 12] = 5 << 4;
    } else {
        frame[transport + 4..transport + 6].copy_from_slice(&(length as u16).to_be_bytes());
    }
    // The pseudo header's sum stands there: what a driver leaves to its device.
    let pseudo = [&addresses[..], &[0, protocol], &(length as u16).to_be_bytes()].concat();
    let at = transport + offset;
    frame[at..at + 2].copy_from_slice(&sum(&pseudo).to_be_bytes());
    let mut draft = Draft { leaves: frame.clone(), frame, checksum: None, valid: None };
    draft.complete(transport, offset);
    // No checksum at all, for UDP.
    let is_odd = draft.leaves[at..at + 2] == [0; 2];
    draft.valid = (!is_odd).then_some(true);
    if !offload || random.chance(50) {
        (draft.frame, draft.checksum) = (draft.leaves.clone(), None);
        if random.chance(20) && !is_odd {
            let bit = 1 << random.below(8);
            draft.frame[bytes - 1] ^= bit;
            draft.leaves[bytes - 1] ^= bit;
            draft.valid = Some(false);
        }
    }
    draft
}

impl Draft {
    /// The device completes the checksum over all from `start` on (5.1.6.2.1).
    fn complete(&mut self, start: usize, offset: usize) {
        self.checksum = Some((start as u16, offset as u16));
        let sum = !sum(&self.frame[start..]);
        self.leaves[start + offset..start + offset + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The ones' complement sum of words of 16 bits (RFC 1071).
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_right_where_they_are_said_to_be() {
        let mut random = Random::new(1);
        let (mut right, mut completed) = (0, 0);
        for number in 0..2000 {
            let name = Name { port: 1, pair: 0, number };
            let range = Range { longest: 1514, offload: true, tags: number % 2 == 0 };
            let draft = Draft::draw(&mut random, name, group(1), range);
            assert!((14..=1514).contains(&draft.frame.len()));
            assert_eq!(draft.frame.len(), draft.leaves.len());
            assert_eq!(Name::of_frame(&draft.leaves), Some(name));
            if let Some((start, _)) = draft.checksum {
                completed += 1;
                let places = draft.frame.iter().zip(&draft.leaves).filter(|(a, b)| a != b);
                assert!(places.count() <= 2 && start >= 14);
            } else {
                assert_eq!(draft.frame, draft.leaves);
            }
            let Some(start) = draft.leaves.windows(2).position(|two| two == [0x08, 0x00]) else { continue };
            if draft.valid == Some(true) && start < 20 {
                let ip = &draft.leaves[start + 2..];
                let length = (ip.len() - 20) as u16;
                let pseudo = [&ip[12..20], &[0, ip[9]], &length.to_be_bytes()].concat();
                assert_eq!(sum(&ip[..20]), 0xFFFF);
                assert_eq!(sum(&[&pseudo[..], &ip[20..]].concat()), 0xFFFF);
                right += 1;
            }
        }
        assert!(right > 50 && completed > 200, "{right}, {completed}");
    }
}
