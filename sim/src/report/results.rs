//! The figures of a run. As JSON they have the shape of these types; `format` rises when that changes.

use serde::Serialize;

use super::{Collector, Gathered, Passed};
use crate::clock::Clock;
use crate::traffic::{Content, WIRE_OVERHEAD};

/// The figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// Version of this shape: 1.
    pub format: u32,
    /// Length of the run.
    pub time: Tick,
    /// In their order.
    pub flows: Vec<FlowResults>,
    /// Length of the spans that `sent_mbps` and `received_mbps` of the ports count by; the last one may be shorter.
    pub bin: Tick,
    /// In their order.
    pub ports: Vec<PortResults>,
    /// Frames that left and are of no flow.
    pub unknown_frames: u64,
    #[serde(skip)]
    pub(super) clock: Clock,
}

/// A time or span in both units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tick {
    pub cycles: u64,
    pub nanoseconds: f64,
}

/// Some frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Quantity {
    pub frames: u64,
    /// Without FCS.
    pub bytes: u64,
}

/// What became of a flow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlowResults {
    pub name: String,
    /// Where it enters.
    pub port: String,
    pub offered: Quantity,
    pub entered: Quantity,
    /// Each frame once, with the bytes of the copy that left first.
    pub delivered: Quantity,
    /// Frames that entered and left nowhere.
    pub lost_frames: u64,
    /// Of what is delivered, by frame bytes.
    pub mbps: f64,
    /// The same with FCS, preamble and gap.
    pub line_mbps: f64,
    /// The ports that frames left by.
    pub deliveries: Vec<Delivery>,
    /// None if nothing was delivered.
    pub latency: Option<Latency>,
    /// Of all copies, sorted; for the plot.
    #[serde(skip)]
    pub latencies: Vec<u64>,
}

/// What left by one port.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    pub port: String,
    pub frames: u64,
    pub bytes: u64,
    /// By frame bytes.
    pub mbps: f64,
}

/// How long frames took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    pub minimum: Tick,
    pub median: Tick,
    pub percentile_99_9: Tick,
    pub maximum: Tick,
}

/// What passed a port over time, in Mb/s of frame bytes for each bin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PortResults {
    pub name: String,
    /// Into the bridge; a frame counts when its first beat enters.
    pub sent_mbps: Vec<f64>,
    /// Out of the bridge; a frame counts when its last beat leaves.
    pub received_mbps: Vec<f64>,
}

/// Bins of a plot: as many as this at most.
const MOST_BINS: u64 = 50;

impl Quantity {
    pub(super) fn add(&mut self, bytes: u32) {
        self.frames += 1;
        self.bytes += u64::from(bytes);
    }
}

impl Results {
    /// The clock of the run.
    pub fn clock(&self) -> Clock {
        self.clock
    }
}

pub fn results(collector: Collector, names: &[String], cycles: u64) -> Results {
    let Collector { clock, flows, ports, unknown, .. } = collector;
    let bin = bin(clock, cycles);
    let port = |(name, port): (&String, &Passed)| PortResults {
        name: name.clone(),
        sent_mbps: rates(clock, &port.sent, Spread::Onward, bin, cycles),
        received_mbps: rates(clock, &port.received, Spread::Back, bin, cycles),
    };
    assert!(names.len() >= ports.len(), "{} names for {} ports", names.len(), ports.len());
    Results {
        format: 1,
        time: tick(clock, cycles),
        flows: flows.into_iter().map(|flow| flow_results(clock, names, flow)).collect(),
        bin: tick(clock, bin),
        ports: names.iter().zip(&ports).map(port).collect(),
        unknown_frames: unknown,
        clock,
    }
}

fn tick(clock: Clock, cycles: u64) -> Tick {
    Tick { cycles, nanoseconds: clock.nanoseconds(cycles) }
}

fn flow_results(clock: Clock, names: &[String], mut flow: Gathered) -> FlowResults {
    flow.latencies.sort_unstable();
    let (from, to) = flow.span();
    let span = clock.seconds(to.saturating_sub(from));
    let mbps = |bytes: u64| if span > 0.0 { bytes as f64 * 8e-6 / span } else { 0.0 };
    let in_time = flow.in_time;
    // What comes late counts for no port's rate; it is the same small part of each.
    let timely = in_time.bytes as f64 / flow.delivered.bytes.max(1) as f64;
    let left = names.iter().zip(&flow.at_ports).filter(|(_, quantity)| quantity.frames > 0);
    let deliveries = left.map(|(name, &Quantity { frames, bytes })| Delivery {
        port: name.clone(),
        frames,
        bytes,
        mbps: mbps(bytes) * timely,
    });
    FlowResults {
        name: flow.flow.name,
        port: names[flow.flow.port].clone(),
        offered: Quantity { frames: flow.frames.len() as u64, bytes: flow.offered },
        entered: flow.entered,
        delivered: flow.delivered,
        lost_frames: flow.entered.frames - flow.delivered.frames,
        mbps: mbps(in_time.bytes),
        line_mbps: mbps(in_time.bytes + in_time.frames * WIRE_OVERHEAD),
        deliveries: deliveries.collect(),
        latency: latency(clock, &flow.latencies),
        latencies: flow.latencies,
    }
}

impl Gathered {
    /// The time that the flow's rate is counted over.
    fn span(&self) -> (u64, u64) {
        let from = self.first_in.unwrap_or(0);
        let ended = self.flow.frames == Some(self.frames.len() as u64);
        match (&self.flow.content, self.flow.stop) {
            // Always with a frame to send: from start to end, where a frame more or less at the edges counts least.
            (Content::Generated(_), Some(stop)) if !ended => (self.flow.start.min(from), stop),
            (_, stop) => (from, stop.unwrap_or(u64::MAX).min(self.last_out)),
        }
    }
}

/// The figures of sorted latencies.
fn latency(clock: Clock, sorted: &[u64]) -> Option<Latency> {
    // The nearest rank, counted from 1, in whole numbers.
    let rank = |permille: usize| tick(clock, sorted[(sorted.len() * permille).div_ceil(1000).max(1) - 1]);
    (!sorted.is_empty()).then(|| Latency {
        minimum: rank(0),
        median: rank(500),
        percentile_99_9: rank(999),
        maximum: rank(1000),
    })
}

/// The cycles of a bin: a round time (1, 2 or 5 times a power of ten) that makes [`MOST_BINS`] of the run at most.
fn bin(clock: Clock, cycles: u64) -> u64 {
    let least = (clock.nanoseconds(cycles) / MOST_BINS as f64).max(100.0);
    let round = (0..).map(|i: u32| [1, 2, 5][i as usize % 3] * 10_u64.pow(i / 3));
    let nanoseconds =
        round.into_iter().find(|&round| round as f64 >= least).expect("the powers of ten do not end");
    clock.cycle_at(nanoseconds * 1000)
}

/// Which way a frame's bytes are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// From its cycle to the next frame: it began then.
    Onward,
    /// From the frame before to its cycle: it ended then.
    Back,
}

/// The cycles that each frame counts for, evenly: those between frames, one bin at most. Otherwise, where bins have few
/// frames, one more or less would look like a change of the rate. The frame at the edge, which has no neighbour on that
/// side, is as far from it as from the other one.
fn spans(frames: &[(u64, u32)], bin: u64, spread: Spread) -> impl Iterator<Item = (u64, u64, u32)> {
    let distance = |index: Option<usize>| {
        let index = index.filter(|index| index + 1 < frames.len())?;
        Some(frames[index + 1].0 - frames[index].0)
    };
    frames.iter().enumerate().map(move |(index, &(cycle, bytes))| {
        let (before, after) = (distance(index.checked_sub(1)), distance(Some(index)));
        let near = match spread {
            Spread::Onward => after.or(before),
            Spread::Back => before.or(after),
        };
        let length = near.unwrap_or(bin).clamp(1, bin);
        match spread {
            Spread::Onward => (cycle, cycle + length, bytes),
            Spread::Back => ((cycle + 1).saturating_sub(length), cycle + 1, bytes),
        }
    })
}

/// The rate in each bin; what is beyond the end counts nowhere.
fn rates(clock: Clock, frames: &[(u64, u32)], spread: Spread, bin: u64, cycles: u64) -> Vec<f64> {
    let mut bytes = vec![0.0; cycles.div_ceil(bin) as usize];
    for (mut from, end, size) in spans(frames, bin, spread) {
        let share = f64::from(size) / (end - from) as f64;
        while from < end.min(cycles) {
            let to = end.min(cycles).min((from / bin + 1) * bin);
            bytes[(from / bin) as usize] += share * (to - from) as f64;
            from = to;
        }
    }
    let rate = |(index, bytes): (usize, &f64)| {
        let length = bin.min(cycles - index as u64 * bin);
        bytes * 8e-6 / clock.seconds(length)
    };
    bytes.iter().enumerate().map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtl::config::Config;

    fn clock() -> Clock {
        Clock::of(&Config::small())
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let cycles = |count: u64| {
            let latency = latency(clock(), &(1..=count).collect::<Vec<_>>()).unwrap();
            [latency.minimum, latency.median, latency.percentile_99_9, latency.maximum]
                .map(|tick| tick.cycles)
        };
        assert_eq!(cycles(1), [1, 1, 1, 1]);
        assert_eq!(cycles(2), [1, 1, 2, 2]);
        assert_eq!(cycles(1000), [1, 500, 999, 1000]);
        assert_eq!(cycles(1001), [1, 501, 1000, 1001]);
        assert_eq!(latency(clock(), &[]), None);
    }

    #[test]
    fn few_frames_make_an_even_rate() {
        // Every 7 cycles 100 bytes: 17.86 Gb/s, whatever the bins.
        let frames: Vec<_> = (0..100).map(|index| (7 * index, 100)).collect();
        for (bin, spread) in
            [(10, Spread::Onward), (70, Spread::Onward), (10, Spread::Back), (70, Spread::Back)]
        {
            let rates = rates(clock(), &frames, spread, bin, 700);
            let even = &rates[1..rates.len() - 1];
            assert!(even.iter().all(|rate| (rate - 17_857.0).abs() < 1.0), "{even:?}");
            let bits: f64 = rates.iter().map(|rate| rate * 1e6 * clock().seconds(bin)).sum();
            assert!((bits - 80_000.0).abs() < 1.0, "{bits}");
        }
    }

    #[test]
    fn a_frame_counts_between_its_neighbours() {
        let frames = [(3, 10), (5, 20), (40, 30), (40, 40)];
        let spans = |spread| spans(&frames, 10, spread).map(|(from, to, _)| (from, to)).collect::<Vec<_>>();
        assert_eq!(spans(Spread::Onward), [(3, 5), (5, 15), (40, 41), (40, 41)]);
        assert_eq!(spans(Spread::Back), [(2, 4), (4, 6), (31, 41), (40, 41)]);
    }

    #[test]
    fn bins_are_round() {
        // 2 ms make 50 bins of 40 us; the next round time is 50 us.
        assert_eq!(bin(clock(), 312_500), 7813);
        assert_eq!(bin(clock(), 1), 16);
    }

    #[test]
    fn the_last_bin_counts_by_its_length() {
        // 100 bytes in 10 cycles of 6.4 ns: 12.5 Gb/s; 180 in 5 cycles: 45 Gb/s. What leaves after the end is left out.
        let frames = [(0, 60), (9, 40), (10, 100), (29, 1), (30, 100), (35, 100)];
        let rates = rates(clock(), &frames, Spread::Back, 10, 35);
        assert_eq!(
            rates.iter().map(|rate| rate.round()).collect::<Vec<_>>(),
            [12_500.0, 12_500.0, 125.0, 45_000.0]
        );
    }
}
