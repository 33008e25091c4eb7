//! How buffers lie in memory: drawn, so that whatever a driver may do is done some time.

use super::dma::Place;
use crate::random::Random;
use std::{collections::BTreeSet, ops::RangeInclusive};

/// What may be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Parts of a buffer at most.
    pub parts: usize,
    /// Bytes of a receive buffer; one that is too small for the standard is as small as may be.
    pub bytes: RangeInclusive<usize>,
    /// A power of two: parts begin at multiples of it.
    pub alignment: u64,
    /// So many percent of the parts begin anywhere instead.
    pub crooked: usize,
    /// So many percent of the buffers have an indirect table, if that is negotiated.
    pub indirect: usize,
}

impl Layout {
    /// As the drivers of operating systems do it: a buffer is one part.
    pub fn plain() -> Layout {
        Layout { parts: 1, bytes: 2048..=2048, alignment: 64, crooked: 0, indirect: 0 }
    }

    /// Small and large parts, anywhere.
    pub fn wild() -> Layout {
        Layout { parts: 6, bytes: 64..=4096, alignment: 1, crooked: 50, indirect: 30 }
    }
}

/// What a ring has for the layout to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of the ring: no chain is longer (2.7.5.3.1, 2.8.7).
    pub size: u16,
    pub packed: bool,
    pub indirect: bool,
}

/// How one buffer lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of each part, and where it begins.
    pub parts: Vec<(usize, Place)>,
    /// As for [`super::ring::Ring::add`].
    pub table: Option<usize>,
}

impl Plan {
    /// Descriptors that it takes from the ring.
    pub fn descriptors(&self) -> usize {
        self.table.map_or(self.parts.len(), |direct| direct + 1)
    }
}

impl Layout {
    /// Draws a plan for so many bytes, at least one.
    pub fn plan(&self, random: &mut Random, bytes: usize, limits: Limits) -> Plan {
        let most = self.parts.min(bytes).min(limits.size.into());
        let cuts = random.below(most);
        let mut ends = BTreeSet::from([bytes]);
        for _ in 0..cuts {
            // Often in what is the header, or just behind it.
            let reach = if random.chance(40) { bytes.min(28) } else { bytes };
            ends.insert(random.below(reach) + 1);
        }
        let mut parts = vec![];
        let mut start = 0;
        for end in ends {
            parts.push((end - start, self.place(random)));
            start = end;
        }
        let is_indirect = limits.indirect && random.chance(self.indirect);
        // A table behind other parts: their descriptors and its own are no more than the ring (2.7.5.3.2).
        let table = is_indirect.then(|| if limits.packed { 0 } else { random.below(parts.len()) });
        Plan { parts, table }
    }

    /// The bytes of a receive buffer that holds at least `least`.
    pub fn size(&self, random: &mut Random, least: usize) -> usize {
        let (first, last) = (self.bytes.start(), self.bytes.end());
        (first + random.below(last - first + 1)).max(least)
    }

    /// Where one part begins.
    pub fn place(&self, random: &mut Random) -> Place {
        match random.chance(self.crooked) {
            true => Place { alignment: 4096, offset: random.below(4096) as u64 },
            false => Place::aligned(self.alignment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_hold_what_they_are_for() {
        let mut random = Random::new(3);
        let layout = Layout::wild();
        let mut seen = BTreeSet::new();
        for size in [1, 2, 8] {
            for packed in [false, true] {
                for bytes in 1..300 {
                    let limits = Limits { size, packed, indirect: true };
                    let plan = layout.plan(&mut random, bytes, limits);
                    let lengths = plan.parts.iter().map(|(length, _)| *length);
                    assert_eq!(lengths.clone().sum::<usize>(), bytes);
                    assert!(lengths.clone().all(|length| length > 0));
                    assert!(plan.parts.len() <= usize::from(size) && plan.descriptors() <= usize::from(size));
                    assert!(plan.table.is_none_or(|direct| direct < plan.parts.len()));
                    seen.insert((plan.parts.len(), plan.table));
                }
            }
        }
        assert!(seen.len() > 20);
    }
}
