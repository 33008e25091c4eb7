//! Sets of ports.

use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};

/// A set of up to 128 ports, numbered from 0.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSet(u128);

impl PortSet {
    /// Number of the highest port that fits, plus one.
    pub const CAPACITY: usize = 128;
    /// The set without a port.
    pub const EMPTY: Self = Self(0);

    /// The ports `0..count`.
    ///
    /// # Panics
    /// If `count` is above [`Self::CAPACITY`].
    pub fn first(count: usize) -> Self {
        assert!(count <= Self::CAPACITY, "{count} ports do not fit a PortSet");
        Self(u128::MAX.checked_shr((Self::CAPACITY - count) as u32).unwrap_or(0))
    }

    /// The set of one port.
    ///
    /// # Panics
    /// If `port` is not below [`Self::CAPACITY`].
    pub fn single(port: usize) -> Self {
        assert!(port < Self::CAPACITY, "port {port} does not fit a PortSet");
        Self(1 << port)
    }

    /// From a bitmap: bit n is port n.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// As a bitmap: bit n is port n.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Whether the port is in the set.
    pub const fn contains(self, port: usize) -> bool {
        port < Self::CAPACITY && self.0 >> port & 1 == 1
    }

    /// Whether the set has no port.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of ports in the set.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The ports in rising order.
    pub fn iter(self) -> impl Iterator<Item = usize> + Clone {
        // Removes the lowest port as long as there is one.
        let sets = std::iter::successors(Some(self.0), |&bits| Some(bits & bits.wrapping_sub(1)));
        sets.take_while(|&bits| bits != 0).map(|bits| bits.trailing_zeros() as usize)
    }
}

impl FromIterator<usize> for PortSet {
    fn from_iter<I: IntoIterator<Item = usize>>(ports: I) -> Self {
        ports.into_iter().fold(Self::EMPTY, |set, port| set | Self::single(port))
    }
}

impl BitAnd for PortSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for PortSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The ports of the left set that are not in the right one.
impl Sub for PortSet {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_behave_as_sets() {
        let a = PortSet::from_iter([0, 3, 65]);
        let b = PortSet::from_iter([3, 127]);
        assert_eq!(a.iter().collect::<Vec<_>>(), [0, 3, 65]);
        assert_eq!(a & b, PortSet::single(3));
        assert_eq!((a | b).len(), 4);
        assert_eq!(a - b, PortSet::from_iter([0, 65]));
        assert!(a.contains(65) && !a.contains(64) && !a.contains(1000));
        assert_eq!(format!("{a:?}"), "{0, 3, 65}");
        assert_eq!(PortSet::from_bits(a.bits()), a);
    }

    #[test]
    fn the_first_ports_reach_from_none_to_all() {
        assert!(PortSet::first(0).is_empty());
        assert_eq!(PortSet::first(3), PortSet::from_iter([0, 1, 2]));
        assert_eq!(PortSet::first(66).len(), 66);
        assert_eq!(PortSet::first(128).bits(), u128::MAX);
    }

    #[test]
    #[should_panic(expected = "port 128 does not fit a PortSet")]
    fn a_port_beyond_the_capacity_is_refused() {
        PortSet::single(128);
    }
}
