//! Plots of results, as SVG.

mod chart;
mod sizes;

pub use sizes::by_size;

use super::{PortResults, Results};
use chart::{Axis, Chart, Line};

/// Points of a latency curve, at most.
const CURVE_POINTS: usize = 400;

impl Results {
    /// What each port sent into the bridge, over time. A wire "sends" what it brings.
    pub fn sent_svg(&self) -> String {
        self.throughput("Sent into the bridge, by port", |port| &port.sent_mbps)
    }

    /// What each port received from the bridge, over time.
    pub fn received_svg(&self) -> String {
        self.throughput("Received from the bridge, by port", |port| &port.received_mbps)
    }

    /// Steps, as a rate is that of a whole bin.
    fn throughput(&self, title: &str, rates: impl Fn(&PortResults) -> &[f64]) -> String {
        let (bin, end) = (self.bin.nanoseconds / 1e3, self.time.nanoseconds / 1e3);
        let active = self.ports.iter().filter(|port| rates(port).iter().any(|&rate| rate > 0.0));
        let lines = active.map(|port| {
            let steps = rates(port).iter().enumerate().flat_map(|(index, rate)| {
                let from = index as f64 * bin;
                [from, (from + bin).min(end)].map(|time| (time, rate / 1e3))
            });
            Line { name: port.name.clone(), points: steps.collect() }
        });
        let lines: Vec<Line> = lines.collect();
        let highest =
            lines.iter().flat_map(|line| &line.points).fold(0.0, |most: f64, point| most.max(point.1));
        Chart {
            title: title.to_owned(),
            subtitle: format!("frame bytes without FCS, mean over {}", time(self.bin.nanoseconds)),
            x: Axis::linear("time in µs", end, end),
            y: Axis::linear("throughput in Gb/s", highest, highest * 1.05),
            lines,
        }
        .svg()
    }

    /// The latency that a share of the frames of each flow does not exceed.
    pub fn latency_svg(&self) -> String {
        let period = self.clock().nanoseconds(1);
        let measured = self.flows.iter().filter(|flow| !flow.latencies.is_empty());
        let lines = measured.map(|flow| {
            let points = curve(&flow.latencies).map(|(rest, cycles)| (rest, cycles.max(1) as f64 * period));
            Line { name: flow.name.clone(), points: points.collect() }
        });
        let lines: Vec<Line> = lines.collect();
        let points = || lines.iter().flat_map(|line| line.points.iter());
        let most = points().fold(10.0, |most: f64, point| most.max(point.0));
        let lowest = points().fold(f64::INFINITY, |least, point| least.min(point.1));
        let highest = points().fold(0.0, |most: f64, point| most.max(point.1));
        Chart {
            title: "Latency, by flow".to_owned(),
            subtitle: "first beat in to last beat out".to_owned(),
            x: Axis::percentiles("share of frames that took no longer", most),
            y: Axis::logarithmic(
                "latency",
                if lowest.is_finite() { lowest } else { 1.0 },
                highest.max(2.0),
                time,
            ),
            lines: lines.into_iter().map(|line| line.map(f64::log10, f64::log10)).collect(),
        }
        .svg()
    }
}

/// Points of the distribution of sorted latencies: one of how many frames took longer than this, and the latency. They are
/// dense where the tail is.
fn curve(sorted: &[u64]) -> impl Iterator<Item = (f64, u64)> {
    let count = sorted.len();
    let mut ranks: Vec<usize> = (0..CURVE_POINTS)
        .map(|step| {
            count - (count as f64).powf(1.0 - step as f64 / (CURVE_POINTS - 1) as f64).round() as usize
        })
        .collect();
    ranks.dedup();
    ranks.into_iter().map(move |rank| (count as f64 / (count - rank) as f64, sorted[rank]))
}

/// A time for people.
fn time(nanoseconds: f64) -> String {
    // Three digits; `f64` leaves out those that say nothing.
    let (value, unit) = match nanoseconds {
        ..1e3 => (nanoseconds, "ns"),
        ..1e6 => (nanoseconds / 1e3, "µs"),
        _ => (nanoseconds / 1e6, "ms"),
    };
    let scale = 10_f64.powf(2.0 - value.max(1.0).log10().floor());
    format!("{} {unit}", (value * scale).round() / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_at_the_slowest_frame() {
        let sorted: Vec<u64> = (1..=100_000).collect();
        let points: Vec<_> = curve(&sorted).collect();
        assert!(points.len() <= CURVE_POINTS && points.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        assert_eq!((points[0], points[points.len() - 1]), ((1.0, 1), (100_000.0, 100_000)));
        assert_eq!(curve(&[7]).collect::<Vec<_>>(), [(1.0, 7)]);
        assert_eq!(curve(&[7, 8]).collect::<Vec<_>>(), [(1.0, 7), (2.0, 8)]);
    }

    #[test]
    fn times_for_people() {
        assert_eq!(
            [6.4, 500.0, 1500.0, 20_000.0, 123_456.0, 2e6].map(time),
            ["6.4 ns", "500 ns", "1.5 µs", "20 µs", "123 µs", "2 ms"]
        );
    }
}
