//! Counters of dropped frames.

use super::types::Reason;
use crate::config::Config;
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct DropCountersIo {
    /// A frame was dropped as a whole; a pulse for each of [`Reason::COUNTED`].
    #[input]
    #[ty(bits(Reason::COUNTED.len()))]
    pub dropped: Bits,
    /// A copy was dropped at a port; a pulse for each port.
    #[input]
    #[ty(bits(config.ports()))]
    pub queue_full: Bits,
    /// Frames so far.
    #[output]
    #[ty(vec![bits(32); Reason::COUNTED.len()])]
    pub dropped_count: Vec<Bits>,
    /// Copies so far.
    #[output]
    #[ty(vec![bits(32); config.ports()])]
    pub queue_full_count: Vec<Bits>,
}

/// Counts the pulses of each input in 32 bits, from reset on; a counter that overflows starts at 0 again.
#[hdl]
pub fn drop_counters(config: &Config) -> DropCountersIo {
    module(format!("veb_drop_counters_{}", config.ports()), DropCountersIo::ty(config), |io| {
        let count = |pulses: Bits, outputs: &[Bits]| {
            // The pulses come out of deep logic: the adders see them a cycle later.
            let pulses = delay(pulses);
            let counts = reg(vec![bits(32); outputs.len()]);
            for (i, output) in outputs.iter().enumerate() {
                when(pulses.bit(i), || counts[i].set(counts[i] + 1));
                output.set(counts[i]);
            }
        };
        let _dropped = count(io.dropped, &io.dropped_count);
        let _queue_full = count(io.queue_full, &io.queue_full_count);
    })
}
