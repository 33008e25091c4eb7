//! What the two forms of a virtqueue have in common for their driver (virtio 2.6).

use super::{
    dma::{Dma, Region},
    packed::Packed,
    split::Split,
};
use crate::pcie::Machine;
use std::collections::{HashMap, VecDeque};
use thiserror::Error;

/// Flags of descriptors (2.7.5, 2.8).
pub(super) const NEXT: u16 = 1;
pub(super) const WRITE: u16 = 2;
pub(super) const INDIRECT: u16 = 4;

/// Bytes of a descriptor.
pub(super) const DESCRIPTOR: usize = 16;

/// What the driver and the device have agreed on for their rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingOptions {
    pub packed: bool,
    /// EVENT_IDX.
    pub event_index: bool,
    /// IN_ORDER.
    pub in_order: bool,
    /// Descriptors and identifiers are drawn instead of being used in turn; without IN_ORDER.
    pub scattered: bool,
    pub seed: u64,
}

/// A part of a buffer: what lies together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub address: u64,
    /// In bytes.
    pub length: u32,
    /// The device writes it; otherwise it reads it.
    pub writable: bool,
}

/// A buffer that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// What its owner calls it.
    pub token: u64,
    /// Bytes that the device says it has written.
    pub written: u32,
}

/// A descriptor that is written as it is, whatever it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw {
    pub address: u64,
    pub length: u32,
    pub flags: u16,
    /// Of a split ring, if `flags` has a next one: which descriptor of the same list, or as it is if there are not so many.
    pub next: u16,
}

/// What a device must not do with a ring.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RingError {
    #[error("the used index moved by {moved}, but {outstanding} buffers are outstanding")]
    Index { moved: u16, outstanding: u16 },
    #[error("used buffer {id} is not outstanding")]
    Unknown { id: u32 },
    #[error("{written} bytes are said to be written to buffer {id}, which has room for {room}")]
    Length { id: u16, written: u32, room: u32 },
    #[error("{buffers} buffers up to buffer {id} would be used, but the used index moved by {moved}")]
    Batch { id: u16, buffers: usize, moved: u16 },
}

/// The driver's side of a virtqueue.
pub trait Ring {
    /// Addresses of descriptors, the driver's area and the device's area (4.1.4.3).
    fn areas(&self) -> [u64; 3];

    /// Entries of the ring.
    fn size(&self) -> u16;

    /// Descriptors that are free.
    fn room(&self) -> usize;

    /// Buffers that have not come back.
    fn outstanding(&self) -> usize;

    /// Adds a buffer, of parts that are read before parts that are written; those from number `table` on are described by an
    /// indirect table, which a packed ring has for all parts or none. `false` if there is no room. The device does not see
    /// it before [`Ring::publish`].
    fn add(
        &mut self,
        machine: &mut Machine,
        dma: &mut Dma,
        parts: &[Part],
        table: Option<usize>,
        token: u64,
    ) -> bool;

    /// Adds a buffer that is whatever these descriptors are; `false` if there is no room. If it comes back it is
    /// with room for any length.
    fn add_raw(&mut self, machine: &mut Machine, descriptors: &[Raw], token: u64) -> bool;

    /// Makes available what was added. Returns what a notification says beside the queue with NOTIFICATION_DATA (2.9), if
    /// the device wants one.
    fn publish(&mut self, machine: &mut Machine) -> Option<u16>;

    /// What a notification says now.
    fn position(&self) -> u16;

    /// Takes the next used buffer.
    ///
    /// # Errors
    /// The device breaks a rule.
    fn collect(&mut self, machine: &mut Machine, dma: &mut Dma) -> Result<Option<Used>, RingError>;

    /// Asks for an interrupt; with EVENT_IDX when so many entries, of a packed ring descriptors, have been used before. Returns
    /// whether something is used already, for which no interrupt comes.
    fn arm(&mut self, machine: &mut Machine, after: u16) -> bool;

    /// Asks for no interrupts.
    fn disarm(&mut self, machine: &mut Machine);

    /// Counts so many buffers that are not there; a packed ring does not count any.
    fn jump(&mut self, _jump: u16) {}

    /// The buffer that was added last begins at a descriptor of this number, whether there is one or not; a packed ring does
    /// not say where a buffer begins.
    fn mislead(&mut self, _machine: &mut Machine, _head: u16) {}

    /// Takes the ring away from the device, which must have forgotten it; returns what was outstanding.
    fn close(&mut self, machine: &mut Machine, dma: &mut Dma) -> Vec<u64>;
}

/// A ring with nothing in it.
///
/// # Panics
/// If `size` is none that such a ring can have: 1 to 32768, of a split ring a power of two.
pub fn new_ring(machine: &mut Machine, dma: &mut Dma, size: u16, options: RingOptions) -> Box<dyn Ring> {
    match options.packed {
        true => Box::new(Packed::new(machine, dma, size, options)),
        false => Box::new(Split::new(machine, dma, size, options)),
    }
}

/// The bytes of a descriptor: address, length, and two halves.
pub(super) fn descriptor(address: u64, length: u32, halves: [u16; 2]) -> [u8; DESCRIPTOR] {
    let mut bytes = [0; DESCRIPTOR];
    bytes[..8].copy_from_slice(&address.to_le_bytes());
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    bytes[12..14].copy_from_slice(&halves[0].to_le_bytes());
    bytes[14..].copy_from_slice(&halves[1].to_le_bytes());
    bytes
}

/// A buffer that the device has.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub token: u64,
    /// Where its descriptors are.
    pub descriptors: Vec<u16>,
    /// Bytes that the device may write.
    pub room: u32,
    pub table: Option<Region>,
}

/// What the device has, by identifiers.
#[derive(Debug)]
pub(super) struct Ledger {
    in_order: bool,
    buffers: HashMap<u16, Outstanding>,
    /// Identifiers, the oldest first; with IN_ORDER.
    order: VecDeque<u16>,
    /// Used buffers that were not collected.
    waiting: VecDeque<Used>,
}

impl Ledger {
    pub fn new(in_order: bool) -> Ledger {
        Ledger { in_order, buffers: HashMap::new(), order: VecDeque::new(), waiting: VecDeque::new() }
    }

    pub fn len(&self) -> usize {
        self.buffers.len()
    }

    pub fn has(&self, id: u16) -> bool {
        self.buffers.contains_key(&id)
    }

    pub fn enter(&mut self, id: u16, buffer: Outstanding) {
        let old = self.buffers.insert(id, buffer);
        assert!(old.is_none(), "identifier {id} is given twice");
        if self.in_order {
            self.order.push_back(id);
        }
    }

    /// A buffer is used, and with IN_ORDER all before it, which are full then (2.7.9, 2.8.8). Returns the descriptors of each.
    pub fn settle(
        &mut self,
        machine: &mut Machine,
        dma: &mut Dma,
        id: u32,
        written: u32,
    ) -> Result<Vec<Vec<u16>>, RingError> {
        let known = u16::try_from(id).ok().filter(|id| self.has(*id));
        let last = known.ok_or(RingError::Unknown { id })?;
        let room = self.buffers[&last].room;
        if written > room {
            return Err(RingError::Length { id: last, written, room });
        }
        let mut freed = vec![];
        loop {
            let id = if self.in_order { self.order.pop_front().expect("it is among them") } else { last };
            let buffer = self.buffers.remove(&id).expect("it is outstanding");
            if let Some(table) = buffer.table {
                dma.unmap(machine, table);
            }
            let written = if id == last { written } else { buffer.room };
            self.waiting.push_back(Used { token: buffer.token, written });
            freed.push(buffer.descriptors);
            if id == last {
                return Ok(freed);
            }
        }
    }

    /// How many would be used with this one.
    pub fn batch(&self, id: u32) -> usize {
        let place = self.order.iter().position(|of| u32::from(*of) == id);
        place.map_or(1, |place| place + 1)
    }

    pub fn collect(&mut self) -> Option<Used> {
        self.waiting.pop_front()
    }

    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Forgets everything; returns the tokens, in the order of identifiers.
    pub fn close(&mut self, machine: &mut Machine, dma: &mut Dma) -> Vec<u64> {
        let mut buffers: Vec<(u16, Outstanding)> = self.buffers.drain().collect();
        buffers.sort_by_key(|(id, _)| *id);
        self.order.clear();
        let waiting = self.waiting.drain(..).map(|used| used.token).collect::<Vec<u64>>();
        let mut forget = |buffer: Outstanding| {
            if let Some(table) = buffer.table {
                dma.unmap(machine, table);
            }
            buffer.token
        };
        waiting.into_iter().chain(buffers.into_iter().map(|(_, buffer)| forget(buffer))).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
