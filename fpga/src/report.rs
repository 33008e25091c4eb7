//! The figures of a build, read from what nextpnr reports.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Versions;

/// What a module costs and how fast it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct SynthReport {
    /// The module.
    pub top: String,
    /// What it occupies.
    pub area: Area,
    /// One result for each seed, in the order of the job.
    pub seeds: Vec<SeedResult>,
    /// Median over the seeds, in MHz: the lower of the middle two when their number is even. None for a module
    /// without a path from register to register.
    pub fmax_median: Option<f64>,
    /// The slowest path of the seed that gave the median.
    pub critical_path: Option<CriticalPath>,
    /// What made the report.
    pub versions: Versions,
}

/// Occupied resources, as nextpnr counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// `TRELLIS_COMB`: lookup tables of four inputs, those of carry chains and of LUT-RAM included.
    pub lut: u64,
    /// `TRELLIS_FF`: flip-flops.
    pub ff: u64,
    /// `TRELLIS_RAMW`: LUT-RAM blocks of 16 words of 4 bits.
    pub lutram: u64,
    /// `DP16KD`: block RAMs of 18 kbit.
    pub bram: u64,
    /// `MULT18X18D`: multipliers.
    pub mul: u64,
}

/// What one seed gave.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedResult {
    /// The seed.
    pub seed: u32,
    /// Highest clock rate in MHz, that of the slowest clock when there are several. None without a path from register
    /// to register.
    pub fmax: Option<f64>,
}

/// The slowest path from register to register.
#[derive(Clone, Debug, PartialEq)]
pub struct CriticalPath {
    /// Cell where it starts.
    pub from: String,
    /// Cell where it ends.
    pub to: String,
    /// Delay through cells, with clock-to-output and set-up time, in ns.
    pub logic: f64,
    /// Delay through wires, in ns.
    pub routing: f64,
    /// Cells between the two registers.
    pub levels: usize,
}

/// One run of nextpnr.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) area: Area,
    pub(crate) fmax: Option<f64>,
    pub(crate) critical_path: Option<CriticalPath>,
}

#[derive(Deserialize)]
struct Raw {
    utilization: BTreeMap<String, Utilization>,
    fmax: BTreeMap<String, Frequency>,
    critical_paths: Vec<RawPath>,
}

#[derive(Deserialize)]
struct Utilization {
    used: u64,
}

#[derive(Deserialize)]
struct Frequency {
    achieved: f64,
}

#[derive(Deserialize)]
struct RawPath {
    from: String,
    to: String,
    path: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    delay: f64,
    from: Pin,
    to: Pin,
    r#type: String,
}

#[derive(Deserialize)]
struct Pin {
    cell: String,
}

impl Placed {
    /// Reads the file that `nextpnr --report` writes.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: Raw = serde_json::from_str(text)?;
        let used = |name: &str| raw.utilization.get(name).map_or(0, |each| each.used);
        let area = Area {
            lut: used("TRELLIS_COMB"),
            ff: used("TRELLIS_FF"),
            lutram: used("TRELLIS_RAMW"),
            bram: used("DP16KD"),
            mul: used("MULT18X18D"),
        };
        let slowest = raw.fmax.iter().min_by(|a, b| a.1.achieved.total_cmp(&b.1.achieved));
        let critical_path = slowest.and_then(|(clock, _)| {
            let ends_at =
                |end: &str| end.strip_prefix("posedge ").or(end.strip_prefix("negedge ")) == Some(clock);
            let path = raw.critical_paths.iter().find(|path| ends_at(&path.from) && ends_at(&path.to))?;
            CriticalPath::of(&path.path)
        });
        Ok(Self { area, fmax: slowest.map(|(_, frequency)| frequency.achieved), critical_path })
    }
}

impl CriticalPath {
    fn of(segments: &[Segment]) -> Option<Self> {
        let sum = |wanted: bool| {
            segments.iter().filter(|s| (s.r#type == "routing") == wanted).map(|s| s.delay).sum()
        };
        Some(Self {
            from: segments.first()?.from.cell.clone(),
            to: segments.last()?.to.cell.clone(),
            logic: sum(false),
            routing: sum(true),
            levels: segments.iter().filter(|segment| segment.r#type == "logic").count(),
        })
    }
}

/// Position of the median, the lower of the middle two when there is an even number. None when a value is missing.
pub(crate) fn median(values: &[Option<f64>]) -> Option<usize> {
    let known: Vec<f64> = values.iter().copied().collect::<Option<_>>()?;
    let mut order: Vec<usize> = (0..known.len()).collect();
    order.sort_by(|&a, &b| known[a].total_cmp(&known[b]));
    order.get(known.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "utilization": {"TRELLIS_COMB": {"available": 83640, "used": 140}, "TRELLIS_FF": {"available": 1, "used": 85},
            "TRELLIS_RAMW": {"available": 1, "used": 18}, "DP16KD": {"available": 208, "used": 2}},
        "fmax": {"fast": {"achieved": 400.5, "constraint": 156.25}, "slow": {"achieved": 200.0, "constraint": 156.25}},
        "critical_paths": [
            {"from": "posedge fast", "to": "posedge fast", "path": []},
            {"from": "posedge slow", "to": "<async>", "path": []},
            {"from": "posedge slow", "to": "posedge slow", "path": [
                {"type": "clk-to-q", "delay": 0.5, "from": {"cell": "a", "port": "Q"}, "to": {"cell": "a", "port": "Q"}},
                {"type": "routing", "delay": 1.25, "from": {"cell": "a", "port": "Q"}, "to": {"cell": "l", "port": "A"}},
                {"type": "logic", "delay": 0.25, "from": {"cell": "l", "port": "A"}, "to": {"cell": "l", "port": "F"}},
                {"type": "routing", "delay": 1.5, "from": {"cell": "l", "port": "F"}, "to": {"cell": "b", "port": "DI"}},
                {"type": "setup", "delay": 0.0, "from": {"cell": "b", "port": "DI"}, "to": {"cell": "b", "port": "DI"}}]}]
    }"#;

    #[test]
    fn the_slowest_clock_and_its_path_count() {
        let placed = Placed::parse(TEXT).unwrap();
        assert_eq!(placed.area, Area { lut: 140, ff: 85, lutram: 18, bram: 2, mul: 0 });
        assert_eq!(placed.fmax, Some(200.0));
        let path = placed.critical_path.unwrap();
        assert_eq!((path.from.as_str(), path.to.as_str(), path.levels), ("a", "b", 1));
        assert_eq!((path.logic, path.routing), (0.75, 2.75));
    }

    #[test]
    fn a_module_without_registers_has_no_rate() {
        let placed = Placed::parse(r#"{"utilization": {}, "fmax": {}, "critical_paths": []}"#).unwrap();
        assert_eq!((placed.fmax, placed.critical_path), (None, None));
        assert!(Placed::parse("{}").is_err());
    }

    #[test]
    fn the_median_of_an_even_number_is_the_lower_one() {
        let at = |values: &[f64]| median(&values.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(at(&[260.1, 250.2, 240.3, 248.8, 249.0]), Some(4));
        assert_eq!(at(&[3.0, 1.0, 2.0, 4.0]), Some(2));
        assert_eq!(at(&[7.0]), Some(0));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[Some(1.0), None]), None);
    }
}
