//! Simulated time: cycles of an adapter's clock, and picoseconds.

use rtl::config::Config;

/// Picoseconds of a second.
pub const SECOND: u64 = 1_000_000_000_000;

/// The clock of a simulated adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    period: u64,
}

impl Clock {
    /// The clock of a configuration.
    pub fn of(config: &Config) -> Clock {
        Clock { period: SECOND / (1000 * config.clock_khz as u64) }
    }

    /// Picoseconds of a cycle.
    pub fn period(self) -> u64 {
        self.period
    }

    /// The first cycle that starts at or after this many picoseconds.
    pub fn cycle_at(self, picoseconds: u64) -> u64 {
        picoseconds.div_ceil(self.period)
    }

    /// Nanoseconds of some cycles.
    pub fn nanoseconds(self, cycles: u64) -> f64 {
        cycles as f64 * self.period as f64 / 1e3
    }

    /// Seconds of some cycles.
    pub fn seconds(self, cycles: u64) -> f64 {
        cycles as f64 * self.period as f64 / SECOND as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_and_time() {
        let [narrow, wide] = [Config::small(), Config::wide()].map(|config| Clock::of(&config));
        assert_eq!([0, 1, 6400, 6401].map(|time| narrow.cycle_at(time)), [0, 1, 1, 2]);
        assert_eq!((narrow.nanoseconds(5), wide.nanoseconds(5)), (32.0, 20.0));
        assert_eq!(narrow.seconds(156_250_000), 1.0);
    }
}
