//! What the whole adapter carries on its wire, between functions and over the link, beside what is possible.

mod isolation;
mod limits;
mod page;
mod plots;

use super::Part;
use crate::{error::Error, figures::Figures, progress, simulator};
use hdl::{Simulator, elaborate};
use limits::Limits;
pub use page::{SECTIONS, sections};
pub use plots::write as write_plots;
use rtl::config::Config;
use sim::{
    clock::Clock,
    nic::{
        Scene, Setup,
        load::{Carried, Latencies, Load, latencies, prepare},
    },
    pcie::host::Cut,
    virtio::{features::Features, layout::Layout, net::NetOptions},
};
use std::time::{Duration, Instant};

/// Bytes of frames that rates are measured for, with their check sequence.
const LENGTHS: [usize; 6] = [64, 128, 256, 512, 1024, 1518];
/// Those of the other measurements, and of quick ones.
const ENDS: [usize; 2] = [64, 1518];

/// Frames that drivers hand over together.
const BATCH: usize = 16;

/// Who sends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The wire to functions, functions to the wire, and both at once.
    Receive,
    Transmit,
    Both,
    /// Functions to each other.
    Bridge,
    /// One half of the functions to each other, the other half as in [`Way::Both`].
    Beside,
}

impl Way {
    /// Those that are measured.
    fn all(packed: bool, functions: usize) -> &'static [Way] {
        match packed && functions > 3 {
            true => &[Way::Receive, Way::Transmit, Way::Both, Way::Bridge, Way::Beside],
            false => &[Way::Receive, Way::Transmit, Way::Both, Way::Bridge],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Way::Receive => "wire to functions",
            Way::Transmit => "functions to wire",
            Way::Both => "both ways at once",
            Way::Bridge => "between functions",
            Way::Beside => "between functions, beside both ways",
        }
    }
}

/// What was carried.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub way: Way,
    /// Of a frame, with its check sequence.
    pub bytes: usize,
    pub functions: usize,
    pub packed: bool,
    /// Frames in a second: from the wire, to it, and between functions.
    pub rates: [f64; 3],
    /// What is possible of each.
    pub limits: [f64; 3],
    pub lost: u64,
}

/// Bytes on the link for a frame in each direction: towards the host and from it.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub bytes: usize,
    pub packed: bool,
    pub measured: [f64; 2],
    pub model: [f64; 2],
}

/// All that was measured.
pub struct Measured {
    pub config: Config,
    pub rates: Vec<Rate>,
    pub costs: Vec<Cost>,
    /// With the bytes of frames.
    pub latencies: Vec<(usize, Latencies)>,
    pub isolation: Vec<isolation::Outcome>,
}

/// A measurement under way.
struct Meter<'a> {
    config: &'a Config,
    limits: Limits,
    /// Virtual functions, as many as take part; the physical one if there is none.
    functions: Vec<usize>,
    quick: bool,
    build: &'a dyn Fn() -> Result<sim::verilator::Verilated, Error>,
}

/// Measures the parts that are asked for.
///
/// # Errors
/// A Verilator that cannot be used, and what the adapter does wrong.
pub fn measure(
    config: &Config,
    parts: &[Part],
    quick: bool,
    figures: &mut Figures,
) -> Result<Measured, Error> {
    let design = elaborate(|| rtl::nic::nic(config))?.design;
    let functions = (2..config.functions()).collect();
    let setup = setup(config);
    let meter = Meter {
        config,
        limits: Limits::new(config, &setup.link),
        functions,
        quick,
        build: &|| simulator::verilated(&design, false),
    };
    let mut measured = Measured {
        config: config.clone(),
        rates: vec![],
        costs: vec![],
        latencies: vec![],
        isolation: vec![],
    };
    for part in parts {
        match part {
            Part::Rates => measured.rates = meter.rates(figures)?,
            Part::Bytes => measured.costs = meter.costs(figures)?,
            Part::Latency => measured.latencies = meter.latencies(figures)?,
            Part::Isolation => measured.isolation = isolation::measure(&meter, figures)?,
            _ => {}
        }
    }
    Ok(measured)
}

/// The host of all measurements: completions of 64 bytes, in the order of requests, a microsecond after each.
fn setup(config: &Config) -> Setup {
    let mut setup = Setup::of(config);
    setup.behaviour.cut = Cut::Boundary;
    setup.behaviour.shuffled = false;
    setup
}

/// Drivers that look at their rings now and then, and want no interrupts.
fn options(packed: bool, function: usize) -> NetOptions {
    let plain = NetOptions::plain(packed, function as u64);
    let features = if packed { Features::IN_ORDER | Features::NOTIFICATION_DATA } else { Features::NONE };
    // As a driver does that knows the link: no packet of a short frame is cut.
    let aligned = Layout { alignment: 2048, ..Layout::plain() };
    NetOptions {
        features: plain.features | Features::MRG_RXBUF | features,
        sizes: [256, 256, 16],
        interrupts: false,
        receive: aligned.clone(),
        transmit: aligned,
        ..plain
    }
}

impl Meter<'_> {
    fn name(&self, what: &str) -> String {
        format!("nic/{}: {what}", self.config.name)
    }

    fn lengths(&self) -> &'static [usize] {
        if self.quick { &ENDS } else { &LENGTHS }
    }

    /// An adapter with drivers on these functions.
    fn scene(&self, functions: &[usize], packed: bool) -> Result<Scene<impl Simulator + use<>>, Error> {
        let mut scene = Scene::new((self.build)()?, self.config, &setup(self.config))?;
        prepare(&mut scene, functions, |function| options(packed, function))?;
        Ok(scene)
    }

    fn rates(&self, figures: &mut Figures) -> Result<Vec<Rate>, Error> {
        let mut rates = vec![];
        let (mut time, mut cycles, mut frames) = (Duration::ZERO, 0, 0);
        let mut counts = vec![1, self.functions.len()];
        counts.dedup();
        let sets =
            [true, false].into_iter().flat_map(|packed| counts.iter().map(move |count| (packed, *count)));
        let ways: usize = sets.clone().map(|(packed, count)| Way::all(packed, count).len()).sum();
        let bar = progress::bar(self.name("rates"), (ways * self.lengths().len()) as u64);
        for (packed, count) in sets {
            // One function has another one to talk to.
            let functions = &self.functions[..count.max(2).min(self.functions.len())];
            let mut scene = self.scene(functions, packed)?;
            for (way, bytes) in
                Way::all(packed, count).iter().flat_map(|way| self.lengths().iter().map(|it| (*way, *it)))
            {
                let load = self.load(way, bytes, &functions[..count], functions);
                let (start, first) = (Instant::now(), scene.nic.bus.now());
                let carried = load.play(&mut scene)?;
                time += start.elapsed();
                cycles += scene.nic.bus.now() - first;
                frames += 2 * (carried.from_wire + carried.to_wire + carried.between);
                rates.push(self.rate(way, bytes, count, packed, &carried));
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        rates.iter().for_each(|rate| self.print(rate, figures));
        let goal = (self.config.name == "small").then_some(GOAL);
        let second = |count: u64| count as f64 / time.as_secs_f64();
        figures.higher(self.name("simulated"), second(cycles), "cycles/s", goal);
        figures.higher(self.name("simulated"), second(frames), "frames/s", None);
        Ok(rates)
    }

    /// As much as goes, in batches of 16 where that is less than can be.
    fn load(&self, way: Way, bytes: usize, functions: &[usize], all: &[usize]) -> Load {
        let half = functions.len() / 2;
        let (wire, bridge) = match way {
            Way::Bridge => (&[][..], all),
            Way::Beside => functions.split_at(half),
            _ => (functions, &[][..]),
        };
        let clock = self.config.clock_khz;
        let fastest = self.limits.of(way, bytes, true).into_iter().fold(0.0, f64::max);
        let senders = if way == Way::Bridge { bridge.len() } else { wire.len() };
        let period = (BATCH * senders) as f64 / fastest * clock as f64 * 1e3;
        let period = (period as u64).clamp(64, LONGEST);
        // The ends of the time count for less.
        let least = match (self.quick, bridge.is_empty()) {
            (true, _) => 20_000,
            (false, true) => 50_000,
            (false, false) => 100_000,
        };
        let some = |takes: bool| if takes { wire.to_vec() } else { vec![] };
        Load {
            bytes,
            from_wire: some(way != Way::Transmit),
            to_wire: some(way != Way::Receive),
            between: bridge.to_vec(),
            batch: None,
            cycles: period * u64::div_ceil(least, period).max(2),
            period,
        }
    }

    fn rate(&self, way: Way, bytes: usize, functions: usize, packed: bool, carried: &Carried) -> Rate {
        let rate = |frames| carried.rate(frames, self.config.clock_khz);
        Rate {
            way,
            bytes,
            functions,
            packed,
            rates: [carried.from_wire, carried.to_wire, carried.between].map(rate),
            limits: self.limits.of(way, bytes, packed),
            lost: carried.lost_from_wire + carried.lost,
        }
    }

    fn print(&self, rate: &Rate, figures: &mut Figures) {
        let Rate { way, bytes, functions, packed, rates, limits, lost } = *rate;
        let ring = if packed { "packed" } else { "split" };
        let name = |what: &str| {
            self.name(&format!("{bytes} B, {}, {functions} functions, {ring}: {what}", way.name()))
        };
        for ((what, rate), limit) in ["received", "sent", "between"].into_iter().zip(rates).zip(limits) {
            if limit > 0.0 {
                figures.limited(name(what), rate / 1e6, "Mframes/s", limit / 1e6);
            }
        }
        figures.lower(name("lost"), lost as f64, "frames", None);
    }

    /// Batches of 16 at nine tenths of what the wire carries, in both directions.
    fn costs(&self, figures: &mut Figures) -> Result<Vec<Cost>, Error> {
        let mut costs = vec![];
        for packed in [true, false] {
            let functions = &self.functions[..];
            let mut scene = self.scene(functions, packed)?;
            for bytes in ENDS {
                let spinner = progress::spinner(self.name("bytes on the link"));
                let period = Load::period(bytes, BATCH, functions.len(), self.config.clock_khz) * 10 / 9;
                let mut measured = [0.0; 2];
                for (to_wire, from_wire) in [(functions, &[][..]), (&[], functions)] {
                    let load = Load {
                        bytes,
                        to_wire: to_wire.to_vec(),
                        from_wire: from_wire.to_vec(),
                        between: vec![],
                        batch: Some(BATCH),
                        cycles: period * (60_000 / period).max(2),
                        period,
                    };
                    let carried = load.play(&mut scene)?;
                    let frames = (carried.from_wire + carried.to_wire) as f64;
                    measured[0] += carried.up as f64 / frames;
                    measured[1] += carried.down as f64 / frames;
                }
                spinner.finish_and_clear();
                let model = self.limits.pair(bytes, packed);
                let model = [model.up, model.down];
                let ring = if packed { "packed" } else { "split" };
                let name = |what: &str| {
                    self.name(&format!("{bytes} B, a frame each way, batches of 16, {ring}: {what}"))
                };
                for (what, at) in [("to the host", 0), ("from the host", 1)] {
                    figures.lower(name(what), measured[at], "bytes", None);
                    figures.lower(name(&format!("{what}, by the model")), model[at], "bytes", None);
                }
                let [sum, expected] = [measured, model].map(|ways| ways[0] + ways[1]);
                let beyond = 100.0 * (sum / expected - 1.0);
                figures.lower(name("beyond the model"), beyond, "%", Some(3.0));
                costs.push(Cost { bytes, packed, measured, model });
            }
        }
        Ok(costs)
    }

    fn latencies(&self, figures: &mut Figures) -> Result<Vec<(usize, Latencies)>, Error> {
        let four: Vec<usize> = self.functions.iter().copied().cycle().take(4).collect();
        let four = [four[0], four[1], four[2], four[3]];
        let mut scene = self.scene(&self.functions[..self.functions.len().min(4)], true)?;
        let frames = if self.quick { 100 } else { 1000 };
        let clock = Clock::of(self.config);
        let mut all = vec![];
        for bytes in ENDS {
            let spinner = progress::spinner(self.name("latency"));
            let found = latencies(&mut scene, four, bytes, frames)?;
            spinner.finish_and_clear();
            for (what, took) in ways(&found) {
                for (share, cycles) in shares(took) {
                    let name = self.name(&format!("{bytes} B, {what}, {share}"));
                    figures.lower(name, clock.nanoseconds(cycles), "ns", None);
                }
            }
            all.push((bytes, found));
        }
        Ok(all)
    }
}

/// The latencies and their names.
fn ways(latencies: &Latencies) -> [(&'static str, &[u64]); 3] {
    let Latencies { wire_to_memory, memory_to_wire, between } = latencies;
    [
        ("first beat on the wire to used buffer", wire_to_memory),
        ("doorbell to first beat on the wire", memory_to_wire),
        ("doorbell to used buffer of another function", between),
    ]
}

/// Of sorted latencies: the median, and what 999 of 1000 do not exceed.
fn shares(sorted: &[u64]) -> [(&'static str, u64); 2] {
    let of = |per_mille: usize| sorted[(sorted.len() * per_mille).div_ceil(1000).max(1) - 1];
    [("median", of(500)), ("99.9 %", of(999))]
}

/// What the configuration `small` is to be simulated at, in cycles per second.
const GOAL: f64 = 200_000.0;

/// Cycles between two looks of a driver at most, for the sake of time.
const LONGEST: u64 = 20_480;
