//! How long something took, each time that it happened.

use std::fmt;

/// Cycles of the default clock, 156.25 MHz, in a microsecond.
const MICROSECOND: f64 = 156.25;

/// In cycles, in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(Vec<u64>);

impl Times {
    pub fn push(&mut self, cycles: u64) {
        self.0.push(cycles);
    }

    pub fn extend(&mut self, others: Times) {
        self.0.extend(others.0);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The shortest time that this share of all, in per cent, does not exceed; 0 if there are none.
    pub fn percentile(&self, share: usize) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * share).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }

    pub fn longest(&self) -> u64 {
        self.percentile(100)
    }
}

/// Half, 90 and 99 in a hundred, and the longest: in cycles, and in microseconds at 156.25 MHz.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count())?;
        for (name, share) in [("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)] {
            let cycles = self.percentile(share);
            write!(f, ", {name} {cycles} cycles ({:.1} us)", cycles as f64 / MICROSECOND)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let times = Times((1..=200).rev().collect());
        assert_eq!([50, 90, 99, 100].map(|share| times.percentile(share)), [100, 180, 198, 200]);
        assert_eq!(Times(vec![7]).percentile(50), 7);
        assert_eq!(Times::default().longest(), 0);
        assert!(times.to_string().starts_with("200, p50 100 cycles (0.6 us), p90"));
    }
}
