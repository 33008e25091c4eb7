//! What `inspect` is to say, in plain Rust, and frames to ask it about.

use super::toeplitz::tests::reference as toeplitz;
use crate::{config::MAX_FRAME, testing::Rng};

/// What is to be said of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Bytes behind the Ethernet header.
    pub body: usize,
    pub valid: bool,
    pub hash: Option<u32>,
}

const TCP: u8 = 6;
const UDP: u8 = 17;

fn number(bytes: &[u8], at: usize) -> usize {
    usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1])
}

/// Whether bytes that hold their own checksum add up to a multiple of 65535, as they are to.
fn adds_up(parts: &[&[u8]]) -> bool {
    let bytes = parts.concat();
    let sum: u64 = bytes.iter().enumerate().map(|(at, byte)| u64::from(*byte) << (8 * (1 - at % 2))).sum();
    sum.is_multiple_of(65535)
}

/// Reads a frame as the standards have it.
pub fn expected(frame: &[u8]) -> Expected {
    let mut at = 12;
    for _ in 0..2 {
        at += if frame.len() >= at + 2 && [0x8100, 0x88a8].contains(&number(frame, at)) { 4 } else { 0 };
    }
    let (valid, hash) = read(frame, at).unwrap_or((false, None));
    Expected { body: frame.len().saturating_sub(at + 2), valid, hash }
}

/// Whether it is valid, and its hash; nothing for what is not IP. The EtherType stands at `at`.
fn read(frame: &[u8], at: usize) -> Option<(bool, Option<u32>)> {
    let kind = frame.get(at..at + 2)?;
    let packet = &frame[at + 2..];
    let (addresses, protocol, payload, whole, header_right) = match kind {
        [0x08, 0x00] => {
            let header = 4 * usize::from(packet.first()? & 15);
            let length = number(packet.get(..20)?, 2);
            if packet[0] >> 4 != 4 || header < 20 || length < header || length > packet.len() {
                return None;
            }
            let whole = packet[6] & 0x3F == 0 && packet[7] == 0;
            (&packet[12..20], packet[9], &packet[header..length], whole, adds_up(&[&packet[..header]]))
        }
        [0x86, 0xdd] => {
            let length = 40 + number(packet.get(..40)?, 4);
            if packet[0] >> 4 != 6 || length > packet.len() {
                return None;
            }
            (&packet[8..40], packet[6], &packet[40..length], true, true)
        }
        _ => return None,
    };
    let is_segment =
        whole && (protocol == TCP && payload.len() >= 20 || protocol == UDP && payload.len() >= 8);
    if !is_segment {
        return Some((false, Some(toeplitz(addresses))));
    }
    let about = [[0, protocol], (payload.len() as u16).to_be_bytes()].concat();
    let right = header_right && adds_up(&[addresses, &about, payload]);
    let udp_right = protocol == TCP || number(payload, 4) == payload.len() && payload[6..8] != [0, 0];
    let hash = toeplitz(&[addresses, &payload[..4]].concat());
    Some((right && udp_right, Some(hash)))
}

/// What a frame is made of.
pub struct Recipe {
    pub tags: usize,
    pub protocol: u8,
    pub addresses: Vec<u8>,
    /// Behind the ports, the rest of the header and the data.
    pub rest: usize,
    pub options: usize,
    pub fragment: u16,
    pub padding: usize,
}

impl Recipe {
    /// Mostly what is usual, and mostly short.
    pub fn random(rng: &mut Rng) -> Recipe {
        let is_ipv6 = rng.bool();
        let seldom = |rng: &mut Rng, value: usize| if rng.u8(..6) == 0 { value } else { 0 };
        let most = if rng.u8(..100) == 0 { MAX_FRAME - 110 } else { 120 };
        let (tags, options, padding) =
            (rng.usize(..=2), [0, rng.usize(..=10)][rng.usize(..2)], rng.usize(..20));
        Recipe {
            tags,
            protocol: [TCP, UDP, TCP, UDP, TCP, UDP, 1, 44][rng.usize(..8)],
            addresses: (0..if is_ipv6 { 32 } else { 8 }).map(|_| rng.u8(..)).collect(),
            rest: rng.usize(16..=most),
            options: 4 * options,
            fragment: [0, 0x4000, 0x2000, 1, 0x8000][seldom(rng, 4)] | seldom(rng, 0x1234) as u16,
            padding: seldom(rng, padding),
        }
    }

    /// The frame, with right checksums.
    pub fn frame(&self, rng: &mut Rng) -> Vec<u8> {
        let mut random = |count: usize| -> Vec<u8> { (0..count).map(|_| rng.u8(..)).collect() };
        let mut frame = random(12);
        for _ in 0..self.tags {
            frame.extend([[0x81, 0x00], [0x88, 0xa8]][usize::from(random(1)[0] % 2)]);
            frame.extend(random(2));
        }
        let mut payload = random(4 + self.rest);
        let length = (payload.len() as u16).to_be_bytes();
        let checksum = if self.protocol == UDP { 6 } else { 16 };
        if self.protocol == UDP {
            payload[4..6].copy_from_slice(&length);
        }
        payload[checksum..checksum + 2].fill(0);
        let sum = sum_of(&[&self.addresses, &[0, self.protocol], &length, &payload]);
        payload[checksum..checksum + 2]
            .copy_from_slice(&if sum == 0xFFFF { sum } else { !sum }.to_be_bytes());
        let mut header;
        if self.addresses.len() == 32 {
            frame.extend([0x86, 0xdd]);
            header = random(8);
            header[0] = 0x60 | header[0] & 15;
            header[4..6].copy_from_slice(&length);
            header[6] = self.protocol;
            header.extend(&self.addresses);
        } else {
            frame.extend([0x08, 0x00]);
            header = random(12);
            let bytes = 20 + self.options;
            header[0] = 0x40 | (bytes / 4) as u8;
            header[2..4].copy_from_slice(&((bytes + payload.len()) as u16).to_be_bytes());
            header[6..8].copy_from_slice(&self.fragment.to_be_bytes());
            header[9] = self.protocol;
            header[10..12].fill(0);
            header.extend(&self.addresses);
            header.extend(random(self.options));
            let sum = sum_of(&[&header]);
            header[10..12].copy_from_slice(&(!sum).to_be_bytes());
        }
        frame.extend(header);
        frame.extend(payload);
        frame.extend(random(self.padding));
        frame
    }
}

/// The ones' complement sum (RFC 1071).
fn sum_of(parts: &[&[u8]]) -> u16 {
    super::super::sum::tests::reference(&parts.concat())
}

/// A frame of a random recipe, one in two with something wrong.
pub fn random_frame(rng: &mut Rng) -> Vec<u8> {
    let recipe = Recipe::random(rng);
    let mut frame = recipe.frame(rng);
    let packet = 14 + 4 * recipe.tags;
    let (is_ipv6, headers) = (recipe.addresses.len() == 32, packet + 80.min(frame.len() - packet));
    match rng.u8(..16) {
        // A bit, in the headers or anywhere.
        0..3 => {
            let at = rng.usize(..headers);
            frame[at] ^= 1 << rng.u8(..8);
        }
        3 => {
            let at = rng.usize(..frame.len());
            frame[at] ^= 1 << rng.u8(..8);
        }
        // A byte that is 0 or all ones, which some checksums do not see.
        4 => {
            let at = rng.usize(packet..headers);
            frame[at] = [0, 0xFF][rng.usize(..2)];
        }
        // The end is missing.
        5 => frame.truncate(rng.usize(14..=headers)),
        // A length that lies a bit.
        6 => {
            let at = packet + if is_ipv6 { 4 } else { 2 };
            let length = (number(&frame, at) + rng.usize(..80)).saturating_sub(40) as u16;
            frame[at..at + 2].copy_from_slice(&length.to_be_bytes());
        }
        // A checksum of 0, or a UDP length that lies, with all else right.
        7 if recipe.protocol == UDP => {
            let segment = packet + if is_ipv6 { 40 } else { 20 + recipe.options };
            let (a, b) = (number(&frame, segment), number(&frame, segment + 6));
            let by = rng.usize(1..9);
            let length = number(&frame, segment + 4);
            if rng.bool() {
                // What the checksum was goes elsewhere, so that the sum stays.
                let sum = (a + b) % 65535;
                frame[segment..segment + 2].copy_from_slice(&(sum as u16).to_be_bytes());
                frame[segment + 6..segment + 8].fill(0);
            } else {
                let sum = (a + by) % 65535;
                frame[segment..segment + 2].copy_from_slice(&(sum as u16).to_be_bytes());
                frame[segment + 4..segment + 6].copy_from_slice(&((length - by) as u16).to_be_bytes());
            }
        }
        _ => {}
    }
    frame
}
