use super::*;
use crate::{
    testing::*,
    veb::rows::{Operation, Table},
};
use std::collections::VecDeque;

/// Narrow words, so that carries and the end of the range come within a test.
const NARROW: Widths = Widths { total: 30, low: [14, 28] };

type Totals = [u64; 2];

/// Counters in plain Rust, which know what each of them was for some time.
struct Model {
    mask: u64,
    totals: Vec<Totals>,
    /// For each row, the cycle from whose end on it was something.
    history: Vec<VecDeque<(usize, Totals)>>,
}

impl Model {
    fn new(ports: usize, total: usize) -> Model {
        let rows = 32 * ports;
        let mask = u64::MAX >> (64 - total);
        Model { mask, totals: vec![[0; 2]; rows], history: vec![VecDeque::from([(0, [0; 2])]); rows] }
    }

    fn count(&mut self, cycle: usize, port: usize, kind: Kind, bytes: u64) {
        let row = 32 * port + kind as usize;
        let [frames, all_bytes] = &mut self.totals[row];
        *frames = (*frames + 1) & self.mask;
        *all_bytes = (*all_bytes + bytes) & self.mask;
        self.history[row].push_back((cycle, self.totals[row]));
    }

    /// Whether a row was `read` at some time since the end of a cycle.
    fn was(&mut self, row: usize, since: usize, read: Totals) -> bool {
        let history = &mut self.history[row];
        while history.len() > 1 && history[1].0 <= since {
            history.pop_front();
        }
        history.iter().any(|(_, totals)| *totals == read)
    }
}

/// What happens in a test, as shares of all cycles in which it could.
#[derive(Clone, Copy)]
struct Load {
    counted: f64,
    finished: f64,
    queue_full: f64,
    reads: f64,
    /// Share of the events of one port and kind.
    hot: f64,
    /// Share of the frames of the greatest length.
    long: f64,
}

const FULL: Load = Load { counted: 1.0, finished: 1.0, queue_full: 1.0, reads: 1.0, hot: 0.0, long: 0.0 };

struct Test {
    bench: Bench,
    io: StatisticsIo,
    ports: usize,
    round: usize,
    model: Model,
    cycle: usize,
    last: [usize; 3],
    /// The row that is being read, and since when.
    reading: Option<(usize, usize)>,
    accepted: bool,
    /// The longest time from a request to its answer.
    patience: usize,
}

impl Test {
    fn new(config: &Config, widths: Widths, seed: u64) -> Test {
        let (bench, io) = Bench::new(|| counters(config, widths), seed);
        let ports = config.ports();
        let model = Model::new(ports, widths.total);
        let round = round(config);
        let mut test = Test {
            bench,
            io,
            ports,
            round,
            model,
            cycle: 0,
            last: [0; 3],
            reading: None,
            accepted: false,
            patience: 0,
        };
        test.wait_until_clear();
        test
    }

    fn reset(&mut self) {
        self.bench.sim.reset();
        self.model = Model::new(self.ports, self.model.mask.count_ones() as usize);
        self.cycle = 0;
        self.last = [0; 3];
        self.reading = None;
        self.wait_until_clear();
    }

    fn wait_until_clear(&mut self) {
        let (sim, io) = (&mut self.bench.sim, &self.io);
        sim.poke(io.counted.valid, false);
        sim.poke(io.finished.valid, false);
        sim.poke(io.queue_full, 0);
        sim.poke(io.row.valid, false);
        sim.poke(io.row.payload.operation.bits(), Operation::Read as u128);
        sim.poke(io.row.payload.table.bits(), Table::Statistics as u128);
        sim.poke_wide(&io.row.payload.data, &word(0, 192));
        let limit = 7 * 32 * self.ports.next_power_of_two();
        let cycles = (0..limit)
            .take_while(|_| {
                !sim.peek(io.clear) && {
                    sim.step();
                    true
                }
            })
            .count();
        assert!(cycles < limit, "not clear after {limit} cycles");
        assert!(!sim.peek(io.row_response.valid));
    }

    /// Whether an event comes in this cycle that must keep a distance to the last of its kind.
    fn comes(&mut self, which: usize, spacing: usize, share: f64) -> bool {
        let comes = self.cycle >= self.last[which] + spacing && self.bench.rng.f64() < share;
        if comes {
            self.last[which] = self.cycle;
        }
        comes
    }

    /// One cycle.
    fn cycle(&mut self, load: Load) {
        self.cycle += 1;
        let cycle = self.cycle;
        let hot = self.bench.rng.f64() < load.hot;
        let port = if hot { self.ports - 1 } else { self.bench.rng.usize(..self.ports) };
        let cast = if hot { 0 } else { self.bench.rng.usize(..3) };
        let long = self.bench.rng.f64() < load.long;
        let length = if long { 16383 } else { self.bench.rng.u64(..16384) };
        let cast_of = [Cast::Unicast, Cast::Multicast, Cast::Broadcast];

        let comes = self.comes(0, 4, load.counted);
        let reason = if hot { 0 } else { self.bench.rng.usize(..Reason::VARIANTS.len()) };
        let (sim, io) = (&mut self.bench.sim, &self.io);
        sim.poke(io.counted.valid, comes);
        sim.poke(io.counted.payload.port, port as u128);
        sim.poke(io.counted.payload.reason.bits(), reason as u128);
        sim.poke(io.counted.payload.cast.bits(), cast as u128);
        sim.poke(io.counted.payload.length, length as u128);
        if comes {
            let names = ["Error", "Runt", "Oversize", "BufferFull", "Disabled", "MacSpoof"];
            let names = [&names[..], &["EthertypeSpoof", "Admission", "Vlan", "Filtered"]].concat();
            if !(1..=4).contains(&reason) {
                let kinds = [Kind::InUnicast, Kind::InMulticast, Kind::InBroadcast];
                self.model.count(cycle, port, kinds[cast], length);
            }
            if reason > 0 {
                let named = |kind: &Kind| format!("{kind:?}") == names[reason - 1];
                let kind = Kind::all().find(named).unwrap();
                assert_eq!(kind as usize, 7 + reason);
                self.model.count(cycle, port, kind, length);
            }
        }

        let comes = self.comes(1, 3, load.finished);
        let (sim, io) = (&mut self.bench.sim, &self.io);
        sim.poke(io.finished.valid, comes);
        sim.poke(io.finished.payload.port, port as u128);
        sim.poke(io.finished.payload.cast.bits(), cast as u128);
        sim.poke(io.finished.payload.length, length as u128);
        sim.poke(io.finished.payload.cells, 0);
        if comes {
            self.model.count(cycle, port, Kind::outgoing(cast_of[cast]), length);
        }

        let comes = self.comes(2, 4, load.queue_full);
        let full = load.queue_full == 1.0;
        let dropped = if full { u128::MAX } else { self.bench.rng.u128(..) };
        let dropped = if comes { dropped & ((1 << self.ports) - 1) } else { 0 };
        self.bench.sim.poke(self.io.queue_full, dropped);
        for port in (0..self.ports).filter(|port| dropped >> port & 1 == 1) {
            self.model.count(cycle, port, Kind::QueueFull, 0);
        }

        if self.reading.is_none() && self.bench.rng.f64() < load.reads {
            let kinds: Vec<Kind> = Kind::all().collect();
            let row = match self.bench.rng.bool() {
                true => 32 * (self.ports - 1) + self.bench.rng.usize(..4),
                false => 32 * self.bench.rng.usize(..self.ports) + kinds[self.bench.rng.usize(..17)] as usize,
            };
            self.reading = Some((row, cycle));
        }
        self.read_and_step();
    }

    /// The end of a cycle: the request that waits, and the answer.
    fn read_and_step(&mut self) -> Option<Totals> {
        let (sim, io) = (&mut self.bench.sim, &self.io);
        let offered = self.reading.is_some() && !self.accepted;
        sim.poke(io.row.valid, offered);
        sim.poke(io.row.payload.index, self.reading.map_or(0, |(row, _)| row as u128));
        self.accepted |= offered && sim.peek(io.row.ready);
        let mut answer = None;
        if sim.peek(io.row_response.valid) {
            let (row, since) = self.reading.take().expect("no answer without a request");
            assert!(std::mem::take(&mut self.accepted));
            let data = sim.peek_wide(&io.row_response.payload.data);
            let read = [field(&data, 0, 64), field(&data, 64, 64)];
            assert_eq!(field(&data, 128, 64), 0);
            // An event takes four cycles at most to its slot, a dropped copy a round.
            let behind = if row % 32 == Kind::QueueFull as usize { self.round + 4 } else { 4 };
            let known = self.model.was(row, since.saturating_sub(behind), read);
            assert!(known, "cycle {}: row {row} reads {read:?}: {:?}", self.cycle, self.model.history[row]);
            self.patience = self.patience.max(self.cycle - since);
            answer = Some(read);
        }
        sim.step_domains(&[0]).unwrap_or_else(|violation| panic!("cycle {}: {violation}", self.cycle));
        answer
    }

    /// Lets everything be counted, and compares all rows, those of no kind included.
    fn compare_all(&mut self) {
        self.compare(1);
    }

    /// The same for one row of so many.
    fn compare(&mut self, every: usize) {
        let idle = Load { counted: 0.0, finished: 0.0, queue_full: 0.0, reads: 0.0, ..FULL };
        while self.reading.is_some() {
            self.cycle(idle);
        }
        (0..self.round).for_each(|_| self.cycle(idle));
        for row in (0..32 * self.ports).step_by(every) {
            let asked = self.cycle;
            self.reading = Some((row, asked));
            let answer = loop {
                self.cycle += 1;
                match self.read_and_step() {
                    Some(answer) => break answer,
                    None => assert!(self.cycle < asked + 5 * self.round, "row {row} is not answered"),
                }
            };
            assert_eq!(answer, self.model.totals[row], "row {row}");
        }
    }
}

/// As many ports as there can be.
fn most() -> Config {
    Config { wires: 2, vfs: 62, ..Config::small() }
}

#[test]
fn counts_everything_at_full_rate() {
    for (seed, config) in
        [Config { vfs: 0, ..Config::small() }, Config::small(), Config::x3100()].iter().enumerate()
    {
        let mut test = Test::new(config, Widths::REAL, seed as u64);
        for share in [1.0, 0.7, 0.3] {
            let load = Load { counted: share, finished: share, queue_full: share, hot: 0.3, ..FULL };
            (0..6000).for_each(|_| test.cycle(load));
        }
        test.compare_all();
        assert!(test.patience <= 5 * test.round, "{} cycles", test.patience);
        test.reset();
        test.compare_all();
        (0..500).for_each(|_| test.cycle(FULL));
        test.compare_all();
    }
}

#[test]
fn loses_no_copy_of_a_storm_on_66_ports() {
    let mut test = Test::new(&most(), Widths::REAL, 7);
    (0..2000).for_each(|_| test.cycle(FULL));
    // The rows of the copies, and some more.
    test.compare(8);
    assert!(test.patience <= 5 * test.round, "{} cycles", test.patience);
}

#[test]
fn carries_and_wraps() {
    let mut test = Test::new(&Config::small(), NARROW, 11);
    // 16384 frames and 2^28 bytes make a carry, four times as many bytes the end of their counter.
    let load = Load { hot: 0.98, long: 0.95, ..FULL };
    for _ in 0..2 {
        (0..110_000).for_each(|_| test.cycle(load));
        test.compare_all();
    }
    let row = 32 * (test.ports - 1) + Kind::OutUnicast as usize;
    let frames = test.model.totals[row][0];
    assert!(frames > 4 << 14, "{frames} frames are too few");
}

#[test]
fn kinds_have_their_numbers() {
    let numbers: Vec<usize> = Kind::all().map(|kind| kind as usize).collect();
    let expected: Vec<usize> = (0..6).chain(8..18).chain([24]).collect();
    assert_eq!(numbers, expected);
    let reasons = Reason::VARIANTS.iter().filter_map(|variant| Kind::dropped(variant.1));
    assert_eq!(reasons.map(|kind| kind as usize).collect::<Vec<_>>(), (8..18).collect::<Vec<_>>());
}

#[test]
fn refuses_words_that_pass_on_unseen() {
    let errors = refusal(|| counters(&Config::x3100(), NARROW));
    assert!(errors.contains("is too late for low words of [14, 28] bits"), "{errors}");
}
