//! The host as the core sees it: memory behind a link that keeps reads behind writes.

use super::*;
use crate::testing::Rng;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

/// Memory; what was never written is 0.
#[derive(Default)]
pub struct Memory(HashMap<u64, Vec<u8>>);

impl Memory {
    pub fn read(&self, address: u64, length: usize) -> Vec<u8> {
        let byte =
            |address: u64| self.0.get(&(address >> 12)).map_or(0, |page| page[address as usize & 0xFFF]);
        (0..length as u64).map(|i| byte(address + i)).collect()
    }

    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            let address = address + i as u64;
            self.0.entry(address >> 12).or_insert_with(|| vec![0; 4096])[address as usize & 0xFFF] = *byte;
        }
    }

    pub fn u16(&self, address: u64) -> u16 {
        u16::from_le_bytes(self.read(address, 2).try_into().unwrap())
    }
}

/// A command of the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub function: usize,
    pub address: u64,
    pub length: usize,
}

/// A read that has been handed in.
struct Read {
    access: Access,
    /// When each part of 64 bytes is read; none until it has crossed the link.
    parts: Vec<(usize, u64, usize)>,
    crossed: bool,
    data: Vec<u8>,
    outcome: Outcome,
}

enum Crossing {
    Read(usize),
    Write(u64, Vec<u8>),
}

/// The engines, the link and the memory.
pub struct Host {
    pub memory: Memory,
    /// Cycles that a read takes at least, and how many more at random.
    pub latency: (usize, usize),
    /// Reads that touch these addresses end so.
    pub bad: Vec<(Range<u64>, Outcome)>,
    /// Functions that are stopped.
    pub stopped: u64,
    pub reads: usize,
    pub read_bytes: usize,
    pub writes: usize,
    time: usize,
    link: VecDeque<(usize, Crossing)>,
    queue: VecDeque<Read>,
    first: usize,
    /// Bytes of the first read that were delivered.
    delivered: usize,
    written: VecDeque<(usize, Outcome)>,
}

/// A beat of read data.
pub struct Delivery {
    pub data: Vec<u8>,
    pub last: bool,
    pub outcome: Outcome,
}

impl Host {
    pub fn new(latency: (usize, usize)) -> Host {
        Host {
            memory: Memory::default(),
            latency,
            bad: vec![],
            stopped: 0,
            reads: 0,
            read_bytes: 0,
            writes: 0,
            time: 0,
            link: VecDeque::new(),
            queue: VecDeque::new(),
            first: 0,
            delivered: 0,
            written: VecDeque::new(),
        }
    }

    fn send(&mut self, rng: &mut Rng, crossing: Crossing) {
        let due = self.time + self.latency.0 / 2 + rng.usize(0..=self.latency.1);
        let due = self.link.back().map_or(due, |last| due.max(last.0));
        self.link.push_back((due, crossing));
    }

    pub fn read(&mut self, rng: &mut Rng, access: Access) {
        self.reads += 1;
        self.read_bytes += access.length;
        let number = self.first + self.queue.len();
        let stops = self.stopped >> access.function & 1 == 1;
        let outcome = if stops { Outcome::Stopped } else { Outcome::Success };
        let data = vec![0; access.length];
        self.queue.push_back(Read { access, parts: vec![], crossed: false, data, outcome });
        self.send(rng, Crossing::Read(number));
    }

    /// A write with its data; `written` comes when it has left.
    pub fn write(&mut self, rng: &mut Rng, access: Access, data: Vec<u8>) {
        assert_eq!(access.length, data.len());
        self.writes += 1;
        let stops = self.stopped >> access.function & 1 == 1;
        if !stops {
            self.send(rng, Crossing::Write(access.address, data));
        }
        let outcome = if stops { Outcome::Stopped } else { Outcome::Success };
        let due = self.written.back().map_or(0, |last| last.0 + 1).max(self.time + rng.usize(1..8));
        self.written.push_back((due, outcome));
    }

    pub fn written(&mut self) -> Option<Outcome> {
        let is_due = self.written.front().is_some_and(|written| written.0 <= self.time);
        if is_due { self.written.pop_front().map(|written| written.1) } else { None }
    }

    /// The next beat, if it has come.
    pub fn beat(&mut self, bytes: usize, rng: &mut Rng) -> Option<Delivery> {
        let read = self.queue.front()?;
        if !read.crossed || !read.parts.is_empty() || rng.u8(0..8) == 0 {
            return None;
        }
        let (outcome, length) = (read.outcome, read.data.len());
        let fails = outcome != Outcome::Success;
        // What fails may end anywhere.
        let end = (self.delivered + bytes).min(length);
        let ends_here = end == length || fails && rng.bool();
        let data = if fails && ends_here { vec![] } else { read.data[self.delivered..end].to_vec() };
        self.delivered = end;
        if ends_here {
            self.delivered = 0;
            self.first += 1;
            self.queue.pop_front();
        }
        Some(Delivery { data, last: ends_here, outcome })
    }

    /// One cycle.
    pub fn cycle(&mut self, rng: &mut Rng) {
        self.time += 1;
        while self.link.front().is_some_and(|crossing| crossing.0 <= self.time) {
            match self.link.pop_front().unwrap().1 {
                Crossing::Write(address, data) => self.memory.write(address, &data),
                Crossing::Read(number) => {
                    let read = &mut self.queue[number - self.first];
                    let (start, end) = (read.access.address, read.access.address + read.access.length as u64);
                    let mut at = start;
                    while at < end {
                        let next = (at / 64 * 64 + 64).min(end);
                        let due = self.time + self.latency.0.div_ceil(2) + rng.usize(0..=self.latency.1);
                        read.parts.push((due, at, (next - at) as usize));
                        at = next;
                    }
                    read.crossed = true;
                    let touches = |bad: &&(Range<u64>, Outcome)| bad.0.start < end && start < bad.0.end;
                    if let (Some(bad), Outcome::Success) = (self.bad.iter().find(touches), read.outcome) {
                        read.outcome = bad.1;
                    }
                }
            }
        }
        for read in &mut self.queue {
            let start = read.access.address;
            let (time, memory, data) = (self.time, &self.memory, &mut read.data);
            read.parts.retain(|&(due, at, length)| {
                if due <= time {
                    let offset = (at - start) as usize;
                    data[offset..offset + length].copy_from_slice(&memory.read(at, length));
                }
                due > time
            });
        }
    }
}
