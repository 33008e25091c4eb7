//! What the tests of the endpoint's blocks share: packets as plain words.

use crate::testing::{Rng, Word, field, word};
use hdl::clog2;

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub header: [u32; 4],
    pub payload: Vec<u32>,
}

impl Packet {
    /// Its beats of type `TlpBeat::ty(bytes)`; what means nothing is random.
    pub fn beats(&self, bytes: usize, random: &mut Rng) -> Vec<Word> {
        let lanes = bytes / 4;
        let beats = self.payload.len().div_ceil(lanes).max(1);
        (0..beats)
            .map(|beat| {
                let chunk = &self.payload[beat * lanes..self.payload.len().min((beat + 1) * lanes)];
                let mut bits = word(u64::from(beat == beats - 1), 1);
                bits.push(beat == 0);
                bits.extend(word(4 * chunk.len() as u64, clog2(bytes + 1)));
                for lane in 0..lanes {
                    let data = chunk.get(lane).copied().unwrap_or_else(|| random.u32(..));
                    bits.extend(word(data.into(), 32));
                }
                for part in self.header {
                    let part = if beat == 0 { part } else { random.u32(..) };
                    bits.extend(word(part.into(), 32));
                }
                bits
            })
            .collect()
    }

    /// Puts one packet together again.
    ///
    /// # Panics
    /// Where a beat breaks the rules of [`crate::pcie::tlp::TlpBeat`].
    pub fn of(beats: &[Word], bytes: usize) -> Packet {
        let count_bits = clog2(bytes + 1);
        let mut payload = vec![];
        for (index, beat) in beats.iter().enumerate() {
            let count = field(beat, 2, count_bits) as usize;
            let (is_first, is_last) = (index == 0, index + 1 == beats.len());
            assert_eq!(
                (beat[1], beat[0]),
                (is_first, is_last),
                "first and last of beat {index} of {}",
                beats.len()
            );
            assert!(count.is_multiple_of(4) && (is_last || count == bytes), "a beat of {count} bytes");
            payload.extend(words(beat, 2 + count_bits, count / 4));
        }
        Packet { header: header(&beats[0], 2 + count_bits + 8 * bytes), payload }
    }

    /// Takes a stream of beats apart into packets; the last must be whole.
    pub fn all(beats: &[Word], bytes: usize) -> Vec<Packet> {
        let packets = beats.split_inclusive(|beat| beat[0]);
        packets.map(|beats| Packet::of(beats, bytes)).collect()
    }
}

/// The words of a header, from bit `low` on.
pub fn header(bits: &Word, low: usize) -> [u32; 4] {
    [0, 1, 2, 3].map(|part| field(bits, low + 32 * part, 32) as u32)
}

/// `count` words, from bit `low` on.
pub fn words(bits: &Word, low: usize, count: usize) -> Vec<u32> {
    (0..count).map(|lane| field(bits, low + 32 * lane, 32) as u32).collect()
}
