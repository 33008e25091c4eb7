//! The shaper between functions that always have something to send and ports that cannot take all of it.

use super::*;
use crate::testing::*;
use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// What each frame takes on a wire beside its bytes.
const OVERHEAD: usize = 24;

/// What a function sends.
#[derive(Clone)]
struct Sender {
    port: usize,
    lengths: RangeInclusive<usize>,
    /// Where its frames go, in turn: a bit for each port.
    destinations: Vec<u128>,
    /// How likely it has its next beat at hand in a cycle.
    duty: f64,
    /// Stops for ever after so many beats.
    pauses_after: usize,
}

/// Sends frames of 64 to 512 bytes to wire 0, as fast as it may.
fn to_wire(port: usize) -> Sender {
    let destinations = vec![1];
    Sender { port, lengths: 64..=512, destinations, duty: 1.0, pauses_after: usize::MAX }
}

/// A frame on its way.
#[derive(Clone, Copy)]
struct Moving {
    port: usize,
    length: usize,
    goes_to: u128,
    started: usize,
    /// When the bridge knows of it.
    at: usize,
}

/// The queue of a port and what drains it.
#[derive(Clone)]
struct Sink {
    frames: VecDeque<Moving>,
    /// With overhead, of all frames in the queue.
    bytes: usize,
    most_bytes: usize,
    /// In bytes for each cycle.
    rate: f64,
    /// What the sink may take by now.
    credit: f64,
}

/// The bridge around the shaper, as far as the shaper sees it.
struct World {
    bench: Bench,
    io: ShaperIo,
    config: Config,
    cycle: usize,
    senders: Vec<Sender>,
    /// The frame of each sender, and the bytes of it that are still to come.
    sending: Vec<Option<(Moving, usize)>>,
    has_beat: Vec<bool>,
    beats: Vec<usize>,
    frames: Vec<usize>,
    allowed: Vec<bool>,
    turn: usize,
    decided: VecDeque<Moving>,
    sinks: Vec<Sink>,
    /// Bytes with overhead that have left for wire or function, by source and destination.
    delivered: Vec<Vec<usize>>,
    /// Frames that have started and ended, by source: cycle and bytes with overhead.
    log: Vec<Vec<(usize, usize)>>,
}

/// Bytes in a queue from which on its senders are held back.
const THRESHOLD: usize = 6000;

impl World {
    /// All ports drain at 10 Gb/s.
    fn new(config: Config, senders: &[Sender]) -> World {
        let (bench, io) = Bench::new(|| shaper(&config), 7);
        let (ports, n) = (config.ports(), senders.len());
        let sink = Sink { frames: VecDeque::new(), bytes: 0, most_bytes: 0, rate: 0.0, credit: 0.0 };
        let mut world = World {
            bench,
            io,
            cycle: 0,
            senders: senders.to_vec(),
            sending: vec![None; n],
            has_beat: vec![false; n],
            beats: vec![0; n],
            frames: vec![0; n],
            allowed: vec![false; n],
            turn: 0,
            decided: VecDeque::new(),
            sinks: vec![sink; ports],
            delivered: vec![vec![0; ports]; ports],
            log: vec![vec![]; ports],
            config,
        };
        (0..ports).for_each(|port| world.drain(port, 10.0));
        let io = world.io;
        world.bench.sim.poke(io.rate_overhead, OVERHEAD as u128);
        for port in [io.pending, io.congested] {
            world.bench.sim.poke(port, 0);
        }
        for flag in [io.hold_all, io.frame.valid, io.row.valid] {
            world.bench.sim.poke(flag, false);
        }
        while !world.bench.sim.peek(io.cleared) {
            assert_eq!(world.open(), (1 << world.config.wires) - 1);
            world.bench.sim.step();
        }
        world
    }

    /// Sets the rate at which a port drains, in Gb/s.
    fn drain(&mut self, port: usize, gigabits: f64) {
        self.sinks[port].rate = gigabits * 1e6 / 8.0 / self.config.clock_khz as f64;
    }

    fn set(&mut self, port: usize, maximum: usize, class: usize, burst: usize, quantum: usize) {
        let row = self.io.row;
        self.bench.sim.poke(row.valid, true);
        self.bench.sim.poke(row.payload.port, port as u128);
        self.bench.sim.poke(row.payload.rate.maximum, maximum as u128);
        self.bench.sim.poke(row.payload.rate.class, class as u128);
        self.bench.sim.poke(row.payload.rate.burst, burst as u128);
        self.bench.sim.poke(row.payload.rate.quantum, quantum as u128);
        self.bench.sim.step();
        self.bench.sim.poke(row.valid, false);
    }

    fn open(&mut self) -> u128 {
        self.bench.sim.peek(self.io.open)
    }

    fn run(&mut self, microseconds: usize) {
        for _ in 0..microseconds * self.config.clock_khz / 1000 {
            self.step();
        }
    }

    fn step(&mut self) {
        let n = self.senders.len();
        let mut pending = 0;
        for (i, sender) in self.senders.iter().enumerate() {
            let lives = self.beats[i] < sender.pauses_after;
            self.has_beat[i] |= lives && (sender.duty == 1.0 || self.bench.rng.f64() < sender.duty);
            pending |= u128::from(self.has_beat[i]) << sender.port;
        }
        let open = self.open();
        for (i, sender) in self.senders.iter().enumerate() {
            self.allowed[i] |= self.has_beat[i] && open >> sender.port & 1 == 1;
        }
        let shown = |i: &usize| self.has_beat[*i] && self.allowed[*i];
        if let Some(i) = (0..n).map(|i| (self.turn + i) % n).find(shown) {
            self.turn = i + 1;
            self.take_beat(i);
        }

        self.bench.sim.poke(self.io.pending, pending);
        let event = self.decided.front().copied().filter(|frame| frame.at <= self.cycle);
        self.bench.sim.poke(self.io.frame.valid, event.is_some());
        if let Some(frame) = event {
            self.decided.pop_front();
            let event = self.io.frame.payload;
            self.bench.sim.poke(event.port, frame.port as u128);
            self.bench.sim.poke(event.length, frame.length as u128);
            self.bench.sim.poke(event.destinations, frame.goes_to);
            for (port, sink) in self.sinks.iter_mut().enumerate() {
                if frame.goes_to >> port & 1 == 1 {
                    sink.frames.push_back(frame);
                    sink.bytes += frame.length + OVERHEAD;
                    sink.most_bytes = sink.most_bytes.max(sink.bytes);
                }
            }
        }
        let mut congested = 0;
        for (port, sink) in self.sinks.iter_mut().enumerate() {
            let Some(frame) = sink.frames.front().copied() else { continue };
            sink.credit += sink.rate;
            let bytes = frame.length + OVERHEAD;
            if sink.credit >= bytes as f64 {
                sink.credit -= bytes as f64;
                sink.bytes -= bytes;
                sink.frames.pop_front();
                self.delivered[frame.port][port] += bytes;
            }
            congested |= u128::from(sink.bytes >= THRESHOLD) << port;
        }
        self.bench.sim.poke(self.io.congested, congested);
        self.bench.sim.step();
        self.cycle += 1;
    }

    fn take_beat(&mut self, i: usize) {
        let sender = &self.senders[i];
        let (frame, rest) = self.sending[i].unwrap_or_else(|| {
            let length = self.bench.rng.usize(sender.lengths.clone());
            let goes_to = sender.destinations[self.frames[i] % sender.destinations.len()];
            (Moving { port: sender.port, length, goes_to, started: self.cycle, at: 0 }, length)
        });
        self.beats[i] += 1;
        self.has_beat[i] = false;
        if rest > self.config.bytes {
            self.sending[i] = Some((frame, rest - self.config.bytes));
            return;
        }
        self.sending[i] = None;
        self.allowed[i] = false;
        self.frames[i] += 1;
        self.log[frame.port].push((frame.started, frame.length + OVERHEAD));
        self.decided.push_back(Moving { at: self.cycle + 10, ..frame });
    }

    /// Gb/s from each port to `destination` while `microseconds` pass.
    fn rates(&mut self, destination: usize, microseconds: usize) -> Vec<f64> {
        let before: Vec<usize> = self.delivered.iter().map(|to| to[destination]).collect();
        self.run(microseconds);
        let gigabits = |(after, before): (&Vec<usize>, usize)| {
            (after[destination] - before) as f64 * 8.0 / 1e3 / microseconds as f64
        };
        self.delivered.iter().zip(before).map(gigabits).collect()
    }
}

/// Who gets what of `capacity`: shares by weight, none above its maximum, and what one leaves goes to the others by
/// their weights.
fn water_filling(capacity: f64, demands: &[(f64, f64)]) -> Vec<f64> {
    let mut rates: Vec<Option<f64>> = vec![None; demands.len()];
    loop {
        let left = capacity - rates.iter().flatten().sum::<f64>();
        let open = || (0..demands.len()).filter(|i| rates[*i].is_none());
        let weights: f64 = open().map(|i| demands[i].0).sum();
        let full: Vec<usize> = open().filter(|i| demands[*i].1 <= left * demands[*i].0 / weights).collect();
        if full.is_empty() {
            let rest = |i: usize| left * demands[i].0 / weights;
            return (0..demands.len()).map(|i| rates[i].unwrap_or_else(|| rest(i))).collect();
        }
        full.into_iter().for_each(|i| rates[i] = Some(demands[i].1));
    }
}

/// No limit, for [`water_filling`].
const FREE: f64 = f64::INFINITY;

fn assert_close(got: &[f64], expected: &[f64], tolerance: f64) {
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got / expected - 1.0).abs();
        assert!(error < tolerance, "{i}: {got:.4} Gb/s instead of {expected:.4}");
    }
}

#[test]
fn water_filling_by_hand() {
    assert_eq!(water_filling(10.0, &[(1.0, FREE), (3.0, FREE)]), [2.5, 7.5]);
    assert_eq!(water_filling(10.0, &[(1.0, 1.0), (1.0, FREE), (2.0, FREE)]), [1.0, 3.0, 6.0]);
    assert_eq!(water_filling(10.0, &[(1.0, 2.0), (1.0, 3.0), (8.0, 1.0)]), [2.0, 3.0, 1.0]);
}

/// The virtual functions of `x3100`.
const VFS: RangeInclusive<usize> = 4..=19;

fn sixteen() -> World {
    World::new(Config::x3100(), &VFS.map(to_wire).collect::<Vec<_>>())
}

#[test]
fn shares_follow_the_quanta() {
    for quantum in [|i: usize| 100 + 20 * i, |i: usize| 1 + i / 4, |_: usize| 0] {
        let mut world = sixteen();
        VFS.for_each(|port| world.set(port, 0, 0, 0, quantum(port - 4)));
        world.run(200);
        let rates = world.rates(0, 2000);
        let demands: Vec<_> = VFS.map(|port| (quantum(port - 4).max(1) as f64, FREE)).collect();
        assert_close(&rates[4..], &water_filling(10.0, &demands), 0.02);
    }
}

/// The fewest functions, and the most.
#[test]
fn shares_in_other_sizes() {
    let small = Config { vfs: 0, ..Config::small() };
    let large = Config { vfs: 60, ..Config::x3100() };
    for (config, tolerance) in [(small, 0.01), (large, 0.04)] {
        let functions = config.wires..config.ports();
        let mut world = World::new(config, &functions.clone().map(to_wire).collect::<Vec<_>>());
        let quantum = |port: usize| 2 + port % 3;
        functions.clone().for_each(|port| world.set(port, 0, 0, 0, quantum(port)));
        world.run(300);
        let rates = world.rates(0, 2000);
        let demands: Vec<_> = functions.clone().map(|port| (quantum(port) as f64, FREE)).collect();
        assert_close(&rates[functions], &water_filling(10.0, &demands), tolerance);
    }
}

/// A charge closes its port at once, and as many frames as may come at once are all charged.
#[test]
fn charges_wait() {
    let mut world = World::new(Config::x3100(), &[]);
    world.set(7, 1000, 0, 0, 0);
    let (io, sim) = (world.io, &mut world.bench.sim);
    sim.poke(io.pending, 1 << 7);
    while sim.peek(io.open) >> 7 & 1 == 0 {
        sim.step();
    }
    sim.poke(io.frame.valid, true);
    sim.poke(io.frame.payload.port, 7);
    sim.poke(io.frame.payload.length, 1000);
    sim.poke(io.frame.payload.destinations, 1);
    for cycle in 1..=CHARGES {
        sim.step();
        assert!(cycle < 7 || sim.peek(io.open) >> 7 & 1 == 0, "open {cycle} cycles after the frame");
    }
    sim.poke(io.frame.valid, false);
    (0..100).for_each(|_| sim.step());
    let closed = (0..200_000).take_while(|_| {
        sim.step();
        sim.peek(io.open) >> 7 & 1 == 0
    });
    // At 1 Gb/s and 250 MHz four bits are a cycle.
    let cycles = 100 + closed.count();
    let expected = CHARGES * (1000 + OVERHEAD) * 8 / 4;
    assert!(cycles.abs_diff(expected) < 300, "{cycles} instead of {expected}");
}

/// Unequal maxima, below and above what is left for each.
#[test]
fn shares_and_maxima() {
    for scale in [20, 80] {
        let mut world = sixteen();
        let (maximum, quantum) = (|port| scale * (port + 1), |port| 300 + port % 3 * 150);
        VFS.for_each(|port| world.set(port, maximum(port), 0, 8000, quantum(port)));
        world.run(200);
        let rates = world.rates(0, 2000);
        let demands: Vec<_> = VFS.map(|port| (quantum(port) as f64, maximum(port) as f64 / 1000.0)).collect();
        assert_close(&rates[4..], &water_filling(10.0, &demands), 0.02);
    }
}

/// What one function cannot use goes to the others by their quanta: whether its maximum is low, its source is slow, or it
/// has stopped within a frame.
#[test]
fn nothing_is_left_unused() {
    let quantum = |port: usize| 200 + port % 4 * 100;
    for case in ["maximum", "slow", "slower", "paused"] {
        let mut senders: Vec<_> = VFS.map(to_wire).collect();
        match case {
            "slow" => senders[0].duty = 0.015,
            "slower" => senders[0].duty = 0.005,
            "paused" => (senders[0].lengths, senders[0].pauses_after) = (1518..=1518, 95 * 3 + 40),
            _ => (),
        }
        let mut world = World::new(Config::x3100(), &senders);
        VFS.for_each(|port| {
            world.set(port, if port == 4 && case == "maximum" { 50 } else { 0 }, 0, 0, quantum(port))
        });
        world.run(300);
        let rates = world.rates(0, 2000);
        assert_eq!(case == "paused", rates[4] == 0.0);
        assert!(world.sending[0].is_some() || case != "paused", "within a frame");
        let others: Vec<_> = VFS.skip(1).map(|port| (quantum(port) as f64, FREE)).collect();
        let expected = water_filling(10.0 - rates[4], &others);
        let tolerance = if case == "paused" { 0.01 } else { 0.02 };
        assert_close(&rates[5..], &expected, tolerance);
    }
}

/// The cycles at which a function with this maximum starts its frames.
fn starts(
    config: Config,
    maximum: usize,
    burst: usize,
    length: usize,
    microseconds: usize,
) -> Vec<(usize, usize)> {
    let port = config.wires + 1;
    let sender = Sender { lengths: length..=length, ..to_wire(port) };
    let mut world = World::new(config, &[sender]);
    world.drain(0, 100.0);
    world.set(port, maximum, 0, burst, 0);
    world.run(microseconds);
    world.log[port].clone()
}

/// The longest and the shortest interval: 88 bytes at 1 Mb/s are 704 us, and at 40 Gb/s the rate of the data path is near.
#[test]
fn lowest_and_highest_rate() {
    let log = starts(Config::small(), 1, 0, 64, 10_000);
    let gaps = log.windows(2).enumerate().filter(|(_, pair)| pair[1].0 - pair[0].0 > 1000);
    let first_after: Vec<usize> = gaps.map(|(i, _)| i + 1).collect();
    assert!(log.len() >= 14 && first_after.len() >= 3);
    for i in &first_after {
        let cycles = log[*i].0 - log[first_after[0]].0;
        assert!(cycles.abs_diff(110_000 * (i - first_after[0])) <= 32, "{cycles} cycles: drift");
    }

    let log = starts(Config::wide(), 40_000, 8000, 1518, 1200);
    let settled = log.iter().position(|(cycle, _)| *cycle > 50_000).unwrap();
    let log = &log[settled..];
    let bytes: usize = log[..log.len() - 1].iter().map(|(_, bytes)| bytes).sum();
    let cycles = log[log.len() - 1].0 - log[0].0;
    let gigabits = bytes as f64 * 8.0 * 0.25 / cycles as f64;
    assert!((gigabits / 40.0 - 1.0).abs() < 0.002, "{gigabits} Gb/s");
}

/// Whatever a function does, it sends no more than its maximum and its burst, and two frames.
#[test]
fn bursts_are_bounded() {
    for (maximum, burst) in [(100, 0), (1000, 20_000), (3000, 100_000)] {
        let config = Config::small();
        let sender = Sender { lengths: 64..=1518, ..to_wire(3) };
        let mut world = World::new(config.clone(), &[sender]);
        world.drain(0, 100.0);
        world.set(3, maximum, 0, burst, 0);
        for pause in [0, 2000, 5, 300, 40, 900] {
            world.senders[0].pauses_after = world.beats[0];
            world.run(pause);
            world.senders[0].pauses_after = usize::MAX;
            world.run(300);
        }
        let per_cycle = maximum as f64 * 125.0 / config.clock_khz as f64;
        let (mut level, mut most, mut last) = (0.0f64, 0.0f64, 0);
        for (cycle, bytes) in &world.log[3] {
            level = (level - (cycle - last) as f64 * per_cycle).max(0.0) + *bytes as f64;
            (most, last) = (most.max(level), *cycle);
        }
        let two_frames = 2.0 * (1518 + OVERHEAD) as f64;
        assert!(most <= burst as f64 + two_frames, "{most} bytes at once");
        assert!(most >= burst as f64, "the burst is used: {most} bytes");
    }
}

#[test]
fn higher_classes_come_first() {
    let mut world = World::new(Config::x3100(), &[4, 5, 6, 7].map(to_wire));
    world.set(4, 4000, 3, 1000, 100);
    world.set(5, 0, 1, 0, 300);
    world.set(6, 0, 1, 0, 600);
    world.set(7, 0, 0, 0, 60_000);
    world.run(200);
    let rates = world.rates(0, 1000);
    assert_close(&rates[4..7], &[4.0, 2.0, 4.0], 0.02);
    assert!(rates[7] < 0.02, "{}", rates[7]);

    // What two limited classes leave goes to the third.
    world.set(5, 1000, 1, 1000, 300);
    world.set(6, 2000, 1, 1000, 600);
    world.run(200);
    let rates = world.rates(0, 1000);
    assert_close(&rates[4..8], &[4.0, 1.0, 2.0, 3.0], 0.02);

    // A class without a limit takes all, and gives it back when it has nothing more to send.
    world.set(4, 0, 3, 0, 0);
    world.run(200);
    let rates = world.rates(0, 500);
    assert!(rates[4] > 9.9, "{}", rates[4]);
    world.senders[0].pauses_after = 0;
    world.run(200);
    let rates = world.rates(0, 500);
    assert_close(&rates[5..8], &[1.0, 2.0, 7.0], 0.02);
}

/// Each bottleneck has shares of its own; a function that also sends elsewhere keeps its share of the wire.
#[test]
fn bottlenecks_are_apart() {
    let (wire0, wire1, manager, pf) = (1, 2, 1 << 2, 1 << 3);
    for mixed in [false, true] {
        let mut senders: Vec<_> = VFS.map(to_wire).collect();
        for sender in &mut senders {
            sender.destinations = match sender.port {
                4..8 => vec![wire0],
                8..12 if mixed => vec![wire0, manager],
                8..12 => vec![wire0],
                12..16 => vec![wire1],
                _ => vec![pf],
            };
        }
        let mut world = World::new(Config::x3100(), &senders);
        world.drain(3, 4.0);
        let quantum = |port: usize| 100 * (1 + port % 4);
        VFS.for_each(|port| world.set(port, 0, 0, 0, quantum(port)));
        world.run(300);
        let before: Vec<_> = world.delivered.clone();
        world.run(2000);
        let rates = |to: usize, from: std::ops::Range<usize>| -> Vec<f64> {
            from.map(|port| (world.delivered[port][to] - before[port][to]) as f64 * 8.0 / 2e6).collect()
        };
        assert_close(&rates(0, 4..12), &[0.5, 1.0, 1.5, 2.0, 0.5, 1.0, 1.5, 2.0], 0.02);
        assert_close(&rates(1, 12..16), &[1.0, 2.0, 3.0, 4.0], 0.02);
        // The inside of the bridge counts as one bottleneck: its shares hold, roughly, where one port holds up all of them.
        assert_close(&[rates(3, 16..20).iter().sum()], &[4.0], 0.01);
        if !mixed {
            assert_close(&rates(3, 16..20), &[0.4, 0.8, 1.2, 1.6], 0.06);
        }
    }
}

/// A slow port holds back those that send to it, and nobody else: its queue stays near the threshold.
#[test]
fn congestion_holds_back() {
    let mut senders: Vec<_> = VFS.map(to_wire).collect();
    senders[8..].iter_mut().for_each(|sender| sender.destinations = vec![1 << 3]);
    let mut world = World::new(Config::x3100(), &senders);
    world.drain(3, 1.0);
    world.run(300);
    let before: usize = world.delivered.iter().map(|to| to[3]).sum();
    let wire: f64 = world.rates(0, 1000).iter().sum();
    let slow = world.delivered.iter().map(|to| to[3]).sum::<usize>() - before;
    assert_close(&[wire, slow as f64 * 8.0 / 1e6], &[10.0, 1.0], 0.01);
    // What each of the eight had started, and what it started until it was seen.
    let most = world.sinks[3].most_bytes;
    assert!(most < THRESHOLD + 8 * 2 * (512 + OVERHEAD), "{most} bytes");
}

/// `hold_all` closes all functions in the next cycle and no wire; what it held goes on after it.
#[test]
fn everyone_is_held() {
    let mut world = World::new(Config::small(), &[2, 3].map(to_wire));
    world.run(50);
    world.bench.sim.poke(world.io.hold_all, true);
    world.bench.sim.step();
    for _ in 0..1000 {
        assert_eq!(world.open(), 1);
        world.step();
    }
    let frames: usize = world.frames.iter().sum();
    world.run(10);
    assert_eq!(world.frames.iter().sum::<usize>(), frames);
    world.bench.sim.poke(world.io.hold_all, false);
    let rates = world.rates(0, 200);
    assert!(rates.iter().sum::<f64>() > 9.5, "{rates:?}");
}

/// Reset brings back the state of the beginning, whatever was before.
#[test]
fn reset_forgets_everything() {
    let opens = |disturb: bool| -> Vec<u128> {
        let mut world = World::new(Config::small(), &[1, 2, 3].map(to_wire));
        if disturb {
            world.set(2, 7, 2, 900, 12);
            world.set(3, 0, 3, 0, 40_000);
            world.run(40);
        }
        let sim = &mut world.bench.sim;
        sim.poke(world.io.frame.valid, false);
        sim.poke(world.io.congested, 0);
        sim.poke(world.io.pending, 0b1110);
        sim.reset();
        // Frames without pause, from two ports to the wire and from one to another function.
        let frame = world.io.frame;
        let next = |cycle: u128| {
            sim.poke(frame.valid, cycle > 200 && cycle.is_multiple_of(40));
            sim.poke(frame.payload.port, 1 + cycle / 40 % 3);
            sim.poke(frame.payload.length, 300);
            sim.poke(frame.payload.destinations, if cycle / 40 % 3 == 1 { 0b100 } else { 1 });
            sim.step();
            sim.peek(world.io.open)
        };
        (0..4000).map(next).collect()
    };
    let fresh = opens(false);
    assert!(fresh.contains(&0b1111) || fresh.iter().any(|open| *open != fresh[3999]));
    assert_eq!(opens(true), fresh);
}
