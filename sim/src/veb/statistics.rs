//! The bridge's counters, and what they must be for what came in and what left.

use super::bridge::{Decision, Reason};
use crate::ethernet::{FrameView, MacAddress};
use rtl::register_map::{self, KINDS_PER_PORT};

/// What is counted at a port. The names are those of the STATISTICS table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Frames that came in to a station: all but those that are bad, runts, too long, or found no cell.
    InUnicast,
    /// The same to a group.
    InMulticast,
    /// The same to all stations.
    InBroadcast,
    /// Frames that left to a station.
    OutUnicast,
    /// The same to a group.
    OutMulticast,
    /// The same to all stations.
    OutBroadcast,
    /// Frames dropped, at the port that they came in at; of [`Reason::QueueFull`] copies, at the port that they were for.
    Dropped(Reason),
}

impl Kind {
    /// All kinds, by rising number.
    pub fn all() -> impl Iterator<Item = Self> {
        let traffic = [
            Self::InUnicast,
            Self::InMulticast,
            Self::InBroadcast,
            Self::OutUnicast,
            Self::OutMulticast,
            Self::OutBroadcast,
        ];
        traffic.into_iter().chain(Reason::ALL.map(Self::Dropped))
    }

    /// Number of the kind among those of a port.
    pub fn number(self) -> usize {
        register_map::kind(self.name()).number
    }

    /// Index of the row of this kind of a port in the STATISTICS table.
    pub fn index(self, port: usize) -> usize {
        port * KINDS_PER_PORT + self.number()
    }

    /// The kind's name in summaries, registers and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InUnicast => "in_unicast",
            Self::InMulticast => "in_multicast",
            Self::InBroadcast => "in_broadcast",
            Self::OutUnicast => "out_unicast",
            Self::OutMulticast => "out_multicast",
            Self::OutBroadcast => "out_broadcast",
            Self::Dropped(reason) => reason.name(),
        }
    }

    /// The kinds of frames that came in.
    pub const IN: [Self; 3] = [Self::InUnicast, Self::InMulticast, Self::InBroadcast];

    /// The kinds of frames that left.
    pub const OUT: [Self; 3] = [Self::OutUnicast, Self::OutMulticast, Self::OutBroadcast];

    /// Of a frame that came in to this address.
    pub fn incoming(destination: MacAddress) -> Self {
        Self::IN[cast(destination)]
    }

    /// Of a frame that leaves to this address.
    pub fn outgoing(destination: MacAddress) -> Self {
        Self::OUT[cast(destination)]
    }
}

/// To one, to a group, to all.
fn cast(destination: MacAddress) -> usize {
    match destination {
        MacAddress::BROADCAST => 2,
        address => usize::from(address.is_group()),
    }
}

/// What a frame counts at most: hardware has 14 bits for a length.
const MOST_BYTES: usize = (1 << 14) - 1;

/// A pair of counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Count {
    pub frames: u64,
    /// Of these frames without their FCS, as they came in or as they left; 0 for `queue_full`.
    pub bytes: u64,
}

impl Count {
    /// Both as sums.
    pub fn plus(self, other: Self) -> Self {
        Self { frames: self.frames + other.frames, bytes: self.bytes + other.bytes }
    }

    /// Both as differences; `None` if one would be negative.
    pub fn minus(self, other: Self) -> Option<Self> {
        let frames = self.frames.checked_sub(other.frames)?;
        Some(Self { frames, bytes: self.bytes.checked_sub(other.bytes)? })
    }
}

/// All counters of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    counts: Vec<[Count; KINDS_PER_PORT]>,
}

impl Statistics {
    /// All counters 0.
    pub fn new(port_count: usize) -> Self {
        Self { counts: vec![[Count::default(); KINDS_PER_PORT]; port_count] }
    }

    /// Number of ports.
    pub fn port_count(&self) -> usize {
        self.counts.len()
    }

    /// A pair of counters.
    ///
    /// # Panics
    /// If there is no port `port`.
    pub fn get(&self, port: usize, kind: Kind) -> Count {
        self.counts[port][kind.number()]
    }

    /// Sets a pair of counters, as read from hardware.
    ///
    /// # Panics
    /// If there is no port `port`.
    pub fn set(&mut self, port: usize, kind: Kind, count: Count) {
        self.counts[port][kind.number()] = count;
    }

    /// A kind's counters of all ports together.
    pub fn total(&self, kind: Kind) -> Count {
        self.counts.iter().fold(Count::default(), |sum, counts| sum.plus(counts[kind.number()]))
    }

    /// Counts a frame that came in at `source`, and its drop if it is dropped.
    ///
    /// # Panics
    /// If there is no port `source`.
    pub fn entered(&mut self, source: usize, bytes: &[u8], decision: &Decision) {
        let reason = decision.reason();
        // Of frames that are no frames nothing but that is counted.
        if reason.is_none_or(|reason| reason > Reason::BufferFull)
            && let Some(destination) = FrameView(bytes).destination()
        {
            self.add(source, Kind::incoming(destination), bytes.len());
        }
        if let Some(reason) = reason {
            self.add(source, Kind::Dropped(reason), bytes.len());
        }
    }

    /// Counts a copy that left by `port`, as it left.
    ///
    /// # Panics
    /// If there is no port `port`.
    pub fn left(&mut self, port: usize, bytes: &[u8]) {
        if let Some(destination) = FrameView(bytes).destination() {
            self.add(port, Kind::outgoing(destination), bytes.len());
        }
    }

    /// Counts a copy that was dropped at the queue of `port`.
    ///
    /// # Panics
    /// If there is no port `port`.
    pub fn queue_full(&mut self, port: usize) {
        self.add(port, Kind::Dropped(Reason::QueueFull), 0);
    }

    /// Counts a frame and all its copies as if nothing were lost.
    ///
    /// # Panics
    /// If there is no port `source`.
    pub fn passed(&mut self, source: usize, bytes: &[u8], decision: &Decision) {
        self.entered(source, bytes, decision);
        for copies in decision.copies() {
            copies.ports.iter().for_each(|port| self.left(port, &copies.bytes));
        }
    }

    /// Each counter of both, combined.
    pub(super) fn combined(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let mut all = self.clone();
        for (count, other) in all.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            count.frames = combine(count.frames, other.frames);
            count.bytes = combine(count.bytes, other.bytes);
        }
        all
    }

    fn add(&mut self, port: usize, kind: Kind, bytes: usize) {
        let count = &mut self.counts[port][kind.number()];
        *count = count.plus(Count { frames: 1, bytes: bytes.min(MOST_BYTES) as u64 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ethernet::{FrameBuilder, VlanTag},
        veb::{PortSet, bridge::decide, policy::Policy},
    };

    const HOST: MacAddress = MacAddress::new([0x52, 0x54, 0, 0xAB, 0, 1]);
    const GROUP: MacAddress = MacAddress::new([0x33, 0x33, 0, 0, 0, 1]);

    #[test]
    fn kinds_have_the_numbers_of_the_table() {
        let numbers: Vec<_> = Kind::all().map(Kind::number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 24]);
        let names: Vec<_> = Kind::all().skip(5).take(3).map(Kind::name).collect();
        assert_eq!(names, ["out_broadcast", "error", "runt"]);
        assert_eq!(Kind::Dropped(Reason::QueueFull).index(65), 65 * 32 + 24);
    }

    /// All counters that are not 0.
    fn counted(statistics: &Statistics) -> Vec<(usize, &'static str, u64, u64)> {
        let ports = 0..statistics.port_count();
        let all = ports.flat_map(|port| Kind::all().map(move |kind| (port, kind)));
        all.map(|(port, kind)| (port, kind.name(), statistics.get(port, kind)))
            .filter(|(.., count)| *count != Count::default())
            .map(|(port, name, count)| (port, name, count.frames, count.bytes))
            .collect()
    }

    fn after(policy: &Policy, frames: &[(usize, Vec<u8>, bool)]) -> Statistics {
        let mut statistics = Statistics::new(policy.port_count());
        for (source, bytes, error) in frames {
            statistics.passed(*source, bytes, &decide(policy, *source, bytes, *error, None));
        }
        statistics
    }

    #[test]
    fn copies_count_with_the_bytes_that_leave() {
        let mut policy = Policy::open(1, 3);
        policy.add_members(1, PortSet::single(2), PortSet::EMPTY);
        let frame = |to| FrameBuilder::new(to, HOST).payload([0; 46]).build();
        let statistics =
            after(&policy, &[(0, frame(MacAddress::BROADCAST), false), (3, frame(GROUP), false)]);
        assert_eq!(
            counted(&statistics),
            [
                (0, "in_broadcast", 1, 60),
                (0, "out_multicast", 1, 60),
                (1, "out_broadcast", 1, 60),
                (2, "out_broadcast", 1, 64),
                (3, "in_multicast", 1, 60),
                (3, "out_broadcast", 1, 60),
            ]
        );
        assert_eq!(statistics.total(Kind::OutBroadcast), Count { frames: 3, bytes: 184 });
    }

    #[test]
    fn a_dropped_frame_counts_twice_and_a_bad_one_once() {
        let policy = Policy::open(1, 2);
        let other_vlan = FrameBuilder::new(HOST, HOST).tag(VlanTag::new(9)).payload([0; 46]).build();
        let frames = [
            (0, other_vlan.clone(), false),
            (0, other_vlan.clone(), true),
            (1, other_vlan[..17].to_vec(), false),
            (2, vec![0; 9623], false),
            (1, vec![1, 2, 3], true),
        ];
        let mut statistics = after(&policy, &frames);
        statistics.queue_full(2);
        assert_eq!(
            counted(&statistics),
            [
                (0, "in_unicast", 1, 64),
                (0, "error", 1, 64),
                (0, "vlan", 1, 64),
                (1, "error", 1, 3),
                (1, "runt", 1, 17),
                (2, "oversize", 1, 9623),
                (2, "queue_full", 1, 0),
            ]
        );
    }
}
