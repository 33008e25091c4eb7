//! A driver's ring, in memory, and a driver that sleeps when the standard lets it.

use crate::testing::Rng;
use std::collections::VecDeque;

/// A buffer that the driver made available.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    pub id: u16,
    pub length: u32,
    pub places: usize,
    pub joined: bool,
    /// Its first place, and the driver's wrap counter there.
    place: usize,
    wrap: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Driver {
    Awake,
    /// It has said what it wants, and is about to look once more whether more than so many buffers are there.
    Armed(usize),
    Asleep,
}

#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub packed: bool,
    pub event_index: bool,
    pub in_order: bool,
    pub transmit: bool,
    pub size: usize,
}

#[derive(Debug)]
pub struct Ring {
    pub kind: Kind,
    pub vector: u16,
    /// Addresses of the descriptors, the driver's area and the device's.
    pub areas: [u64; 3],
    memory: [Vec<u8>; 3],
    /// Buffers that have not been seen used.
    given: VecDeque<Given>,
    /// Seen, but not taken by the driver.
    seen: VecDeque<Given>,
    /// Elements or descriptors that have been written, and not seen.
    written: Vec<bool>,
    /// Where the driver puts the next buffer, and where it looks next.
    next: (usize, bool),
    look: (usize, bool),
    /// Places that are in use.
    used_places: usize,
    /// Buffers that were seen and taken, of all times.
    index: u16,
    taken: u16,
    pub driver: Driver,
    pub finished: usize,
    /// Indices that were written, for answers to come.
    indices: VecDeque<u16>,
    last_index: u16,
    /// Answers that ask for a notice, or may.
    pub wanted: usize,
    pub notices: usize,
    next_id: u16,
    /// One batch is under way at a time.
    pub exact: bool,
    /// Where the packed batch under way began.
    began: (usize, bool),
}

const AVAIL: u16 = 1 << 7;
const USED: u16 = 1 << 15;

impl Ring {
    pub fn new(kind: Kind, base: u64, rng: &mut Rng) -> Ring {
        let sizes = match kind.packed {
            true => [16 * kind.size, 4, 4],
            false => [16 * kind.size, 6 + 2 * kind.size, 6 + 8 * kind.size],
        };
        // Some areas lie across 4 GiB.
        let across = if rng.bool() { 0xFFFF_FF80 } else { 0 };
        let areas = [0, 1, 2].map(|area| base + (area << 36) + across + 16 * rng.u64(..16));
        let mut memory = sizes.map(|size| vec![0; size]);
        if kind.packed {
            memory[2].fill(0xEE);
        }
        Ring {
            vector: rng.u16(..),
            areas,
            memory,
            given: VecDeque::new(),
            seen: VecDeque::new(),
            written: vec![false; kind.size],
            next: (0, true),
            look: (0, true),
            used_places: 0,
            index: 0,
            taken: 0,
            driver: Driver::Awake,
            finished: 0,
            indices: VecDeque::new(),
            last_index: 0,
            wanted: 0,
            notices: 0,
            next_id: 0,
            exact: false,
            began: (0, true),
            kind,
        }
    }

    pub fn free(&self) -> usize {
        self.kind.size - self.used_places
    }

    pub fn outstanding(&self) -> usize {
        self.given.len() + self.seen.len()
    }

    fn advance(&self, (place, wrap): (usize, bool), by: usize) -> (usize, bool) {
        let sum = place + by;
        if sum >= self.kind.size { (sum - self.kind.size, !wrap) } else { (sum, wrap) }
    }

    /// Makes a buffer available.
    pub fn give(&mut self, length: u32, places: usize, joined: bool) -> Given {
        assert!(places <= self.free());
        let id = self.next_id;
        self.next_id = (self.next_id + 1) % self.kind.size as u16;
        let (place, wrap) = self.next;
        let given = Given { id, length, places, joined, place, wrap };
        if self.kind.packed {
            for _ in 0..places {
                let (place, wrap) = self.next;
                let flags = if wrap { AVAIL } else { USED };
                let descriptor = &mut self.memory[0][16 * place..][..16];
                descriptor[12..14].copy_from_slice(&id.to_le_bytes());
                descriptor[14..16].copy_from_slice(&flags.to_le_bytes());
                self.next = self.advance(self.next, 1);
            }
        }
        self.used_places += places;
        self.given.push_back(given);
        given
    }

    /// Bytes become visible.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        let area = if self.kind.packed { 0 } else { 2 };
        let offset = address.checked_sub(self.areas[area]).expect("a write into the ring") as usize;
        assert!(
            offset + bytes.len() <= self.memory[area].len(),
            "a write beyond the ring: {offset} {bytes:?}"
        );
        self.memory[area][offset..][..bytes.len()].copy_from_slice(bytes);
        if self.kind.packed {
            assert!(offset.is_multiple_of(16) && bytes.len() == 16, "a descriptor is written in one");
            let place = offset / 16;
            assert!(!std::mem::replace(&mut self.written[place], true), "place {place} is written twice");
            assert!(self.given.iter().any(|it| it.place == place), "place {place} is not a buffer's first");
        } else if offset == 2 {
            assert_eq!(bytes.len(), 2, "the index is written alone");
            self.indices.push_back(u16::from_le_bytes([bytes[0], bytes[1]]));
        } else {
            assert!(offset >= 4 && offset.is_multiple_of(4) && bytes.len().is_multiple_of(4));
            for word in (offset..offset + bytes.len()).step_by(4).filter(|word| word % 8 == 0) {
                let place = (word - 4) / 8;
                assert!(
                    !std::mem::replace(&mut self.written[place], true),
                    "element {place} is written twice"
                );
            }
        }
        self.see();
    }

    /// Looks as a driver does.
    fn see(&mut self) {
        let mut joined = false;
        if self.kind.packed {
            loop {
                let (place, wrap) = self.look;
                let descriptor: [u8; 16] = self.memory[0][16 * place..][..16].try_into().unwrap();
                let flags = u16::from_le_bytes([descriptor[14], descriptor[15]]);
                if (flags & AVAIL != 0, flags & USED != 0) != (wrap, wrap) || self.given.is_empty() {
                    break;
                }
                let id = u16::from_le_bytes([descriptor[12], descriptor[13]]);
                let length = u32::from_le_bytes(descriptor[8..12].try_into().unwrap());
                assert!(std::mem::take(&mut self.written[place]));
                assert_eq!(flags & !(AVAIL | USED), if length > 0 { 2 } else { 0 }, "flags");
                let batch = self.given.iter().position(|it| it.id == id).expect("an id that was given");
                assert!(batch == 0 || (self.kind.in_order && self.kind.transmit), "a batch without IN_ORDER");
                assert_eq!(length, self.given[batch].length);
                for _ in 0..=batch {
                    let given = self.given.pop_front().unwrap();
                    assert!(batch == 0 || (given.length == 0 && !given.joined), "not used completely");
                    joined = given.joined;
                    self.look = self.advance(self.look, given.places);
                    self.index = self.index.wrapping_add(1);
                    self.seen.push_back(given);
                }
            }
        } else {
            let index = u16::from_le_bytes([self.memory[2][2], self.memory[2][3]]);
            while self.index != index {
                let place = self.index as usize % self.kind.size;
                let element = &self.memory[2][4 + 8 * place..][..8];
                assert!(std::mem::take(&mut self.written[place]), "element {place} is not written");
                let given = self.given.pop_front().expect("a buffer that was given");
                assert_eq!(u32::from_le_bytes(element[..4].try_into().unwrap()), given.id.into());
                assert_eq!(u32::from_le_bytes(element[4..].try_into().unwrap()), given.length);
                joined = given.joined;
                self.index = self.index.wrapping_add(1);
                self.seen.push_back(given);
            }
        }
        assert!(!joined, "half of a frame is visible");
    }

    /// The device reads what the driver wants.
    pub fn read(&mut self, address: u64, length: usize) -> Vec<u8> {
        let offset = address.checked_sub(self.areas[1]).expect("a read of the driver's area") as usize;
        let data = self.memory[1][offset..][..length].to_vec();
        let value = u16::from_le_bytes([data[0], data[1]]);
        let wants = match (self.kind.packed, self.kind.event_index) {
            (true, _) => {
                assert_eq!((offset, length), (0, 4));
                let passed = self.has_passed(value);
                match data[2] & 3 {
                    2 if self.exact => passed,
                    flags => flags != 1,
                }
            }
            (false, false) => {
                assert_eq!((offset, length), (0, 2));
                value & 1 == 0
            }
            (false, true) => {
                assert_eq!((offset, length), (4 + 2 * self.kind.size, 2));
                let (old, new) = (self.last_index, self.indices[0]);
                new.wrapping_sub(value).wrapping_sub(1) < new.wrapping_sub(old)
            }
        };
        self.read_fails();
        self.wanted += usize::from(wants);
        data
    }

    /// Nobody knows what the driver wants of a batch.
    pub fn read_fails(&mut self) {
        if !self.kind.packed {
            self.last_index = self.indices.pop_front().expect("an index was written before");
        }
    }

    /// Whether a place, with the wrap counter in bit 15, was used since the last batch, one place after the other.
    fn has_passed(&mut self, event: u16) -> bool {
        let event = (event as usize & 0x7FFF, event >> 15 == 1);
        let mut passed = false;
        while self.began != self.look {
            passed |= self.began == event;
            self.began = self.advance(self.began, 1);
        }
        passed
    }

    /// Buffers that the driver cannot see used.
    pub fn outstanding_given(&self) -> usize {
        self.given.len()
    }

    pub fn notice(&mut self) {
        self.notices += 1;
        assert!(self.notices <= self.wanted, "a notice that nobody wants");
        self.driver = Driver::Awake;
    }

    /// The number of notices is known exactly.
    pub fn is_exact(&self) -> bool {
        self.exact || !(self.kind.packed && self.kind.event_index)
    }

    fn set_flags(&mut self, flags: u8) {
        let at = if self.kind.packed { 2 } else { 0 };
        self.memory[1][at] = flags;
    }

    /// The driver does something, or sleeps.
    pub fn step(&mut self, rng: &mut Rng) {
        match self.driver {
            Driver::Awake if !self.seen.is_empty() => {
                if (self.kind.packed || !self.kind.event_index) && rng.u8(..8) == 0 {
                    self.set_flags(1);
                }
                for _ in 0..rng.usize(1..=self.seen.len()) {
                    let given = self.seen.pop_front().unwrap();
                    self.used_places -= given.places;
                    self.taken = self.taken.wrapping_add(1);
                    self.finished += 1;
                }
            }
            Driver::Awake => {
                // With an event index it may wait for more than the next one, as far as it knows of one.
                let ahead = match self.outstanding() {
                    2.. if self.kind.event_index && rng.bool() => rng.usize(..self.outstanding()),
                    _ => 0,
                };
                let mut threshold = 0;
                if self.kind.packed && self.kind.event_index && rng.u8(..4) > 0 {
                    let all = self.seen.iter().chain(&self.given);
                    let (place, wrap) = all.map(|it| (it.place, it.wrap)).nth(ahead).unwrap_or(self.next);
                    let event = place as u16 | u16::from(wrap) << 15;
                    self.memory[1][..2].copy_from_slice(&event.to_le_bytes());
                    self.set_flags(2);
                    threshold = ahead;
                } else if self.kind.event_index && !self.kind.packed {
                    let at = 4 + 2 * self.kind.size;
                    let event = self.taken.wrapping_add(ahead as u16);
                    self.memory[1][at..][..2].copy_from_slice(&event.to_le_bytes());
                    self.set_flags(rng.u8(..2));
                    threshold = ahead;
                } else {
                    self.set_flags(0);
                }
                self.driver = Driver::Armed(threshold);
            }
            Driver::Armed(threshold) => {
                self.driver = if self.seen.len() > threshold { Driver::Awake } else { Driver::Asleep };
            }
            Driver::Asleep => {}
        }
    }
}
