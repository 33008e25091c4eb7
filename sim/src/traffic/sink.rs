//! A receiver with a rate of its own.

use rtl::config::Config;

use crate::clock::{Clock, SECOND};

/// Takes frames as a link of some rate does: a frame beat by beat, and the next one not before the link has carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    clock: Clock,
    rate: SinkRate,
    /// When the link has carried what it took, in picoseconds.
    free: u64,
}

/// What a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkRate {
    /// In bit/s, not 0.
    pub per_second: u64,
    /// Bytes that each frame takes beside its own.
    pub overhead: u64,
}

impl Sink {
    /// A link that is free.
    pub fn new(rate: SinkRate, config: &Config) -> Self {
        Self { clock: Clock::of(config), rate, free: 0 }
    }

    /// Whether it takes the first beat of a frame in this cycle. Other beats it always takes.
    pub fn is_free(&self, cycle: u64) -> bool {
        cycle * self.clock.period() >= self.free
    }

    /// It has taken a frame of so many bytes, the first beat in this cycle.
    pub fn took(&mut self, bytes: usize, cycle: u64) {
        let bits = 8 * (bytes as u128 + u128::from(self.rate.overhead));
        let time = (bits * u128::from(SECOND) / u128::from(self.rate.per_second)) as u64;
        // A frame that begins within a cycle of the end of the one before follows it without a gap: links have clocks of
        // their own.
        let start = cycle * self.clock.period();
        let begin = if start.saturating_sub(self.free) < self.clock.period() { self.free } else { start };
        self.free = begin + time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::WIRE_OVERHEAD;

    #[test]
    fn a_full_link_carries_its_rate() {
        let rate = SinkRate { per_second: 10_000_000_000, overhead: WIRE_OVERHEAD };
        let mut sink = Sink::new(rate, &Config::x3100());
        let starts: Vec<u64> = (0..1_000_000)
            .filter(|&cycle| {
                let free = sink.is_free(cycle);
                if free {
                    sink.took(60, cycle);
                }
                free
            })
            .collect();
        // 4 ms of 14.88 million frames a second, 16.8 cycles each.
        assert_eq!(starts.len(), 59_524);
        assert_eq!(starts[..5], [0, 17, 34, 51, 68]);
    }

    #[test]
    fn a_pause_saves_nothing_up() {
        let mut sink = Sink::new(SinkRate { per_second: 1_000_000_000, overhead: 0 }, &Config::small());
        sink.took(800, 0);
        assert!(!sink.is_free(999) && sink.is_free(1000));
        sink.took(800, 5000);
        assert!(!sink.is_free(5999) && sink.is_free(6000));
    }
}
