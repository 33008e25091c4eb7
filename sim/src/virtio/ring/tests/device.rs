//! The device's side of a virtqueue, as short as the standard allows. It counts in places that never wrap.

use super::super::{Part, RingOptions};
use crate::pcie::{Machine, Platform, RoutingId, interface::Origin};

/// A buffer that the device took.
#[derive(Clone, Debug)]
pub struct Chain {
    pub id: u16,
    pub parts: Vec<Part>,
    descriptors: u64,
}

impl Chain {
    pub fn writable(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.writable)
    }
}

pub struct DeviceSide {
    pub options: RingOptions,
    origin: Origin,
    size: u64,
    descriptors: u64,
    driver: u64,
    device: u64,
    /// Buffers (split) or descriptors (packed) that were taken and used since the beginning.
    taken: u64,
    used: u64,
}

impl DeviceSide {
    pub fn new(id: RoutingId, size: u16, options: RingOptions, areas: [u64; 3]) -> DeviceSide {
        let origin = Origin { requester: id, time: 0 };
        let [descriptors, driver, device] = areas;
        DeviceSide { options, origin, size: size.into(), descriptors, driver, device, taken: 0, used: 0 }
    }

    pub fn read(&self, machine: &mut Machine, address: u64, bytes: usize) -> Vec<u8> {
        let mut data = vec![0; bytes];
        let _ = Platform::read(machine, self.origin, address, &mut data);
        data
    }

    pub fn write(&self, machine: &mut Machine, address: u64, data: &[u8]) {
        if !data.is_empty() {
            Platform::write(machine, self.origin, address, data);
        }
    }

    fn half(&self, machine: &mut Machine, address: u64) -> u16 {
        u16::from_le_bytes(self.read(machine, address, 2).try_into().unwrap())
    }

    /// A descriptor: its address, length, and two halves.
    fn descriptor(&self, machine: &mut Machine, table: u64, index: u64) -> (u64, u32, u16, u16) {
        let bytes = self.read(machine, table + 16 * index, 16);
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let address = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        (address, u32::from_le_bytes(bytes[8..12].try_into().unwrap()), half(12), half(14))
    }

    fn wrap(&self, count: u64) -> bool {
        (count / self.size).is_multiple_of(2)
    }

    pub fn take(&mut self, machine: &mut Machine) -> Option<Chain> {
        if self.options.packed { self.take_packed(machine) } else { self.take_split(machine) }
    }

    fn is_available(&self, machine: &mut Machine) -> bool {
        match self.options.packed {
            true => {
                let flags = self.descriptor(machine, self.descriptors, self.taken % self.size).3;
                let wrap = self.wrap(self.taken);
                (flags >> 7 & 1 == 1) == wrap && (flags >> 15 == 1) != wrap
            }
            false => self.half(machine, self.driver + 2) != self.taken as u16,
        }
    }

    fn take_split(&mut self, machine: &mut Machine) -> Option<Chain> {
        if !self.is_available(machine) {
            return None;
        }
        let head = self.half(machine, self.driver + 4 + 2 * (self.taken % self.size));
        self.taken += 1;
        let mut parts = vec![];
        let (mut table, mut at) = (self.descriptors, u64::from(head));
        loop {
            let (address, length, flags, next) = self.descriptor(machine, table, at);
            if flags & 4 != 0 {
                assert!(table == self.descriptors && flags & 1 == 0 && length % 16 == 0);
                (table, at) = (address, 0);
                continue;
            }
            parts.push(Part { address, length, writable: flags & 2 != 0 });
            if flags & 1 == 0 {
                break;
            }
            let in_turn = if table == self.descriptors { (at + 1) % self.size } else { at + 1 };
            assert!(!self.options.in_order || u64::from(next) == in_turn, "2.7.5.1");
            at = next.into();
        }
        Some(Chain { id: head, parts, descriptors: 1 })
    }

    fn take_packed(&mut self, machine: &mut Machine) -> Option<Chain> {
        if !self.is_available(machine) {
            return None;
        }
        let mut parts = vec![];
        let first = self.taken;
        loop {
            assert!(self.is_available(machine), "the first descriptor is made available last (2.8.6)");
            let (address, length, id, flags) =
                self.descriptor(machine, self.descriptors, self.taken % self.size);
            self.taken += 1;
            if flags & 4 != 0 {
                for index in 0..u64::from(length) / 16 {
                    let (address, length, _, flags) = self.descriptor(machine, address, index);
                    parts.push(Part { address, length, writable: flags & 2 != 0 });
                }
            } else {
                parts.push(Part { address, length, writable: flags & 2 != 0 });
            }
            if flags & 1 == 0 {
                return Some(Chain { id, parts, descriptors: self.taken - first });
            }
        }
    }

    /// Says that buffers are used; with IN_ORDER by one entry. Returns whether the driver wants an interrupt.
    pub fn give_back(&mut self, machine: &mut Machine, chains: &[(Chain, u32)]) -> bool {
        let before = self.used;
        for (index, (chain, written)) in chains.iter().enumerate() {
            let is_last = index + 1 == chains.len();
            if self.options.in_order && !is_last {
                continue;
            }
            let counted = if self.options.in_order { &chains[..=index] } else { &chains[index..=index] };
            let descriptors: u64 = counted.iter().map(|(chain, _)| chain.descriptors).sum();
            let first = self.used % self.size;
            if self.options.packed {
                let marks = if self.wrap(self.used) { 1 << 15 | 1 << 7 } else { 0 };
                let flags: u16 = marks | if *written > 0 { 2 } else { 0 };
                let mut entry = written.to_le_bytes().to_vec();
                entry.extend(chain.id.to_le_bytes());
                entry.extend(flags.to_le_bytes());
                self.write(machine, self.descriptors + 16 * first + 8, &entry);
            } else {
                let mut entry = u32::from(chain.id).to_le_bytes().to_vec();
                entry.extend(written.to_le_bytes());
                let place = (self.used + counted.len() as u64 - descriptors) % self.size;
                self.write(machine, self.device + 4 + 8 * place, &entry);
            }
            self.used += descriptors;
        }
        if !self.options.packed {
            self.write(machine, self.device + 2, &(self.used as u16).to_le_bytes());
        }
        self.wants_interrupt(machine, before)
    }

    fn wants_interrupt(&self, machine: &mut Machine, before: u64) -> bool {
        let first = self.half(machine, self.driver);
        let mut moved = before..self.used;
        match (self.options.packed, self.options.event_index) {
            (false, false) => first & 1 == 0,
            (false, true) => {
                let event = self.half(machine, self.driver + 4 + 2 * self.size);
                moved.any(|index| index as u16 == event)
            }
            (true, _) => match self.half(machine, self.driver + 2) {
                0 => true,
                1 => false,
                2 if self.options.event_index => moved.any(|count| {
                    u64::from(first & 0x7FFF) == count % self.size && (first >> 15 == 1) == self.wrap(count)
                }),
                flags => panic!("event suppression {flags}"),
            },
        }
    }

    /// Asks for a notification of the next buffer; `false` if there is one already.
    pub fn arm(&mut self, machine: &mut Machine) -> bool {
        match (self.options.packed, self.options.event_index) {
            (false, false) => self.write(machine, self.device, &[0, 0]),
            (false, true) => {
                let event = self.device + 4 + 8 * self.size;
                self.write(machine, event, &(self.taken as u16).to_le_bytes());
            }
            (true, false) => self.write(machine, self.device, &[0, 0, 0, 0]),
            (true, true) => {
                let place = (self.taken % self.size) as u16 | u16::from(self.wrap(self.taken)) << 15;
                let [low, high] = place.to_le_bytes();
                self.write(machine, self.device, &[low, high, 2, 0]);
            }
        }
        !self.is_available(machine)
    }

    /// Asks for none.
    pub fn disarm(&mut self, machine: &mut Machine) {
        match (self.options.packed, self.options.event_index) {
            (false, false) => self.write(machine, self.device, &[1, 0]),
            // Stays where it was.
            (false, true) => {}
            (true, _) => self.write(machine, self.device, &[0, 0, 1, 0]),
        }
    }
}
