//! The bridge around the shaper in plain Rust, and what it should come to.

use super::*;
use std::collections::VecDeque;

/// What each frame takes on a wire beside its bytes.
pub const OVERHEAD: usize = 24;

/// What a function sends.
#[derive(Clone)]
pub struct Sender {
    pub port: usize,
    pub lengths: RangeInclusive<usize>,
    /// Where its frames go, in turn: a bit for each port.
    pub destinations: Vec<u128>,
    /// How likely it has its next beat at hand in a cycle.
    pub duty: f64,
    /// Stops for ever after so many beats.
    pub pauses_after: usize,
}

/// Sends frames of 64 to 512 bytes to wire 0, as fast as it may.
pub fn to_wire(port: usize) -> Sender {
    let destinations = vec![1];
    Sender { port, lengths: 64..=512, destinations, duty: 1.0, pauses_after: usize::MAX }
}

/// A frame on its way.
#[derive(Clone, Copy)]
pub struct Moving {
    pub port: usize,
    pub length: usize,
    pub goes_to: u128,
    pub started: usize,
    /// When the bridge knows of it.
    pub at: usize,
}

/// The queue of a port and what drains it.
#[derive(Clone)]
pub struct Sink {
    pub frames: VecDeque<Moving>,
    /// With overhead, of all frames in the queue.
    pub bytes: usize,
    pub most_bytes: usize,
    /// In bytes for each cycle.
    pub rate: f64,
    /// What the sink may take by now.
    pub credit: f64,
}

/// The bridge around the shaper, as far as the shaper sees it.
pub struct World {
    pub bench: Bench,
    pub io: ShaperIo,
    pub config: Config,
    pub cycle: usize,
    pub senders: Vec<Sender>,
    /// The frame of each sender, and the bytes of it that are still to come.
    pub sending: Vec<Option<(Moving, usize)>>,
    pub has_beat: Vec<bool>,
    pub beats: Vec<usize>,
    pub frames: Vec<usize>,
    pub allowed: Vec<bool>,
    pub turn: usize,
    pub decided: VecDeque<Moving>,
    pub sinks: Vec<Sink>,
    /// Bytes with overhead that have left for wire or function, by source and destination.
    pub delivered: Vec<Vec<usize>>,
    /// Frames that have started and ended, by source: cycle and bytes with overhead.
    pub log: Vec<Vec<(usize, usize)>>,
}

/// Bytes in a queue from which on its senders are held back.
pub const THRESHOLD: usize = 6000;

impl World {
    /// All ports drain at 10 Gb/s.
    pub fn new(config: Config, senders: &[Sender]) -> World {
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
    pub fn drain(&mut self, port: usize, gigabits: f64) {
        self.sinks[port].rate = gigabits * 1e6 / 8.0 / self.config.clock_khz as f64;
    }

    pub fn set(&mut self, port: usize, maximum: usize, class: usize, burst: usize, quantum: usize) {
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

    pub fn open(&mut self) -> u128 {
        self.bench.sim.peek(self.io.open)
    }

    pub fn run(&mut self, microseconds: usize) {
        for _ in 0..microseconds * self.config.clock_khz / 1000 {
            self.step();
        }
    }

    pub fn step(&mut self) {
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
    pub fn rates(&mut self, destination: usize, microseconds: usize) -> Vec<f64> {
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
pub fn water_filling(capacity: f64, demands: &[(f64, f64)]) -> Vec<f64> {
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
pub const FREE: f64 = f64::INFINITY;

pub fn assert_close(got: &[f64], expected: &[f64], tolerance: f64) {
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got / expected - 1.0).abs();
        assert!(error < tolerance, "{i}: {got:.4} Gb/s instead of {expected:.4}");
    }
}
