//! A network device in plain Rust, from virtio 1.2: a function that sends every frame back to where it came from. One buffer
//! moves each time that it is waited for.

use super::{Lender, Ram};
use sim::pcie::{
    Adapter, Bridge, Configuration, RoutingId,
    interface::{Origin, Platform},
};
use std::convert::Infallible;

pub const ID: RoutingId = RoutingId(0x100);
pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// MAC, STATUS, INDIRECT_DESC, EVENT_IDX, VERSION_1.
const FEATURES: u64 = 1 << 5 | 1 << 16 | 1 << 28 | 1 << 29 | 1 << 32;
const EVENT_IDX: u64 = 1 << 29;

/// A base address of so many bytes.
const BAR_BYTES: u32 = 0x4000;
const DEVICE: u64 = 0x2000;
const NOTIFY: u64 = 0x3000;
const INTERRUPT: u64 = 0x1000;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// Address, length, and whether the device writes it.
type Part = (u64, u32, bool);

#[derive(Clone, Copy, Default)]
struct Queue {
    size: u16,
    enabled: u16,
    /// Of the descriptors, the driver's and the device's area.
    areas: [u64; 3],
    /// Buffers that were taken, and used.
    taken: u16,
    used: u16,
}

/// See the module.
pub struct Echo {
    pub ram: Ram,
    bridge: Bridge,
    words: Vec<u32>,
    selects: [u32; 2],
    accepted: u64,
    pub status: u8,
    queue: u16,
    queues: [Queue; 2],
    isr: u8,
    time: u64,
    /// It writes one byte more than a buffer has.
    pub overruns: bool,
    /// It uses no buffers.
    pub sleeps: bool,
}

impl Echo {
    pub fn new() -> Echo {
        let mut words = vec![0; 1024];
        words[0] = 0x1041_1AF4;
        words[1] = 1 << 20;
        words[2] = 0x0200_0001;
        words[4] = 4;
        words[0x34 / 4] = 0x40;
        let places = [(1, 0, 56), (2, NOTIFY, 8), (3, INTERRUPT, 1), (4, DEVICE, 8)];
        for (index, (kind, offset, length)) in places.into_iter().enumerate() {
            let at = 0x40 / 4 + 5 * index;
            let next = if index == 3 { 0 } else { (at + 5) * 4 };
            words[at] = kind << 24 | 20 << 16 | (next as u32) << 8 | 9;
            words[at + 2] = offset as u32;
            words[at + 3] = length;
            words[at + 4] = if kind == 2 { 4 } else { 0 };
        }
        Echo {
            ram: Ram::new(),
            bridge: Bridge::default(),
            words,
            selects: [0; 2],
            accepted: 0,
            status: 0,
            queue: 0,
            queues: [Queue { size: 256, ..Queue::default() }; 2],
            isr: 0,
            time: 0,
            overruns: false,
            sleeps: false,
        }
    }

    /// Where the queue that is selected has its descriptors.
    pub fn area(&self) -> u64 {
        self.queues[usize::from(self.queue)].areas[0]
    }

    fn origin(&self) -> Origin {
        Origin { requester: ID, time: self.time }
    }

    fn fetch<const BYTES: usize>(&mut self, address: u64) -> [u8; BYTES] {
        let mut data = [0; BYTES];
        let origin = self.origin();
        let _ = self.ram.read(origin, address, &mut data);
        data
    }

    fn word(&mut self, address: u64) -> u16 {
        u16::from_le_bytes(self.fetch(address))
    }

    /// The next buffer of a queue: its name, and its parts.
    fn take(&mut self, index: usize) -> Option<(u16, Vec<Part>)> {
        let Queue { size, enabled, areas: [table, driver, device], taken, .. } = self.queues[index];
        if enabled == 0 || self.status & 4 == 0 || self.word(driver + 2) == taken {
            return None;
        }
        let head = self.word(driver + 4 + 2 * u64::from(taken % size));
        let mut parts = vec![];
        let (mut table, mut place) = (table, head);
        loop {
            let descriptor: [u8; 16] = self.fetch(table + 16 * u64::from(place));
            let address = u64::from_le_bytes(descriptor[..8].try_into().unwrap());
            let length = u32::from_le_bytes(descriptor[8..12].try_into().unwrap());
            let flags = u16::from_le_bytes(descriptor[12..14].try_into().unwrap());
            place = u16::from_le_bytes(descriptor[14..].try_into().unwrap());
            match flags & INDIRECT {
                0 => parts.push((address, length, flags & WRITE != 0)),
                _ => (table, place) = (address, 0),
            }
            if flags & (NEXT | INDIRECT) == 0 {
                break;
            }
        }
        self.queues[index].taken = taken.wrapping_add(1);
        if self.accepted & EVENT_IDX != 0 {
            let event = self.queues[index].taken.to_le_bytes();
            let origin = self.origin();
            self.ram.write(origin, device + 4 + 8 * u64::from(size), &event);
        }
        Some((head, parts))
    }

    fn give(&mut self, index: usize, head: u16, bytes: u32) {
        let Queue { size, areas: [_, _, device], used, .. } = self.queues[index];
        let mut element = u32::from(head).to_le_bytes().to_vec();
        element.extend(bytes.to_le_bytes());
        let next = used.wrapping_add(1);
        self.queues[index].used = next;
        let origin = self.origin();
        self.ram.write(origin, device + 4 + 8 * u64::from(used % size), &element);
        self.ram.write(origin, device + 2, &next.to_le_bytes());
        self.isr |= 1;
    }

    /// Sends a frame back. Without a buffer for it it is lost.
    fn echo(&mut self) {
        let Some((head, parts)) = self.take(1) else { return };
        let mut data = vec![];
        for (address, length, is_written) in parts {
            assert!(!is_written, "what is sent is read");
            let mut part = vec![0; length as usize];
            let origin = self.origin();
            self.ram.read(origin, address, &mut part).expect("it is mapped");
            data.extend(part);
        }
        self.give(1, head, 0);
        let Some((head, parts)) = self.take(0) else { return };
        let (address, length, is_written) = parts[0];
        assert!(is_written && length as usize >= data.len(), "there is room for the frame");
        data[10..12].copy_from_slice(&1u16.to_le_bytes());
        let written = data.len() as u32;
        data.resize(if self.overruns { length as usize + 1 } else { data.len() }, 0);
        let origin = self.origin();
        self.ram.write(origin, address, &data);
        self.give(0, head, written);
    }

    fn register(&self, offset: u64) -> u64 {
        let queue = self.queues[usize::from(self.queue)];
        let device = [&MAC[..], &[1, 0]].concat();
        match offset {
            0x04 if self.selects[0] < 2 => FEATURES >> (32 * self.selects[0]) & 0xFFFF_FFFF,
            0x12 => 2,
            0x14 => self.status.into(),
            0x18 => queue.size.into(),
            0x1C => queue.enabled.into(),
            0x1E => self.queue.into(),
            INTERRUPT => self.isr.into(),
            _ if offset >= DEVICE => {
                let rest = &device[(offset - DEVICE) as usize..];
                rest.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
            }
            _ => 0,
        }
    }
}

impl Configuration for Echo {
    type Error = Infallible;

    fn bridge(&mut self) -> &mut Bridge {
        &mut self.bridge
    }

    fn read_configuration(&mut self, id: RoutingId, offset: u16) -> Result<Option<u32>, Infallible> {
        Ok((id == ID).then(|| self.words[usize::from(offset) / 4]))
    }

    fn write_configuration(&mut self, id: RoutingId, at: u16, _: u8, data: u32) -> Result<bool, Infallible> {
        match at {
            0x04 => self.words[1] = 1 << 20 | data & 6,
            0x10 => self.words[4] = data & !(BAR_BYTES - 1) | 4,
            0x14 => self.words[5] = data,
            _ => {}
        }
        Ok(id == ID)
    }

    fn wait(&mut self, cycles: u64) -> Result<(), Infallible> {
        self.time += cycles;
        if !self.sleeps {
            self.echo();
        }
        Ok(())
    }
}

impl Lender for Echo {
    fn ram(&mut self) -> &mut Ram {
        &mut self.ram
    }
}

impl Adapter for Echo {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<bool, Infallible> {
        let offset = address % u64::from(BAR_BYTES);
        data.copy_from_slice(&self.register(offset).to_le_bytes()[..data.len()]);
        if offset == INTERRUPT {
            self.isr = 0;
        }
        Ok(self.words[1] & 2 != 0)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Infallible> {
        let mut wide = [0; 8];
        wide[..data.len()].copy_from_slice(data);
        let value = u64::from_le_bytes(wide);
        let queue = &mut self.queues[usize::from(self.queue)];
        match address % u64::from(BAR_BYTES) {
            0x00 => self.selects[0] = value as u32,
            0x08 => self.selects[1] = value as u32,
            0x0C => {
                let shift = 32 * self.selects[1];
                self.accepted = self.accepted & !(0xFFFF_FFFF << shift) | value << shift;
            }
            0x14 if value == 0 => {
                self.queues = [Queue { size: 256, ..Queue::default() }; 2];
                (self.status, self.accepted) = (0, 0);
            }
            0x14 => self.status |= value as u8,
            0x16 => self.queue = value as u16,
            0x18 => queue.size = value as u16,
            0x1C => queue.enabled = value as u16,
            0x20 => queue.areas[0] = value,
            0x28 => queue.areas[1] = value,
            0x30 => queue.areas[2] = value,
            _ => {}
        }
        Ok(())
    }
}
