//! The driver's side of a split virtqueue (virtio 2.7).
//!
//! ```text
//! descriptors  16 × size       { address 64, length 32, flags 16, next 16 }
//! driver area  6 + 2 × size    flags 16, index 16, heads[size] 16, used event 16
//! device area  6 + 8 × size    flags 16, index 16, { head 32, written 32 }[size], available event 16
//! ```

use super::{
    dma::{Dma, Place, Region},
    ring::{
        DESCRIPTOR, INDIRECT, Ledger, NEXT, Outstanding, Part, Raw, Ring, RingError, RingOptions, Used,
        WRITE, descriptor,
    },
};
use crate::{
    pcie::{Machine, Permission},
    random::Random,
};

/// Of the driver's and the device's area.
const FLAGS: usize = 0;
const INDEX: usize = 2;
const ENTRIES: usize = 4;

/// See the module.
#[derive(Debug)]
pub struct Split {
    size: u16,
    options: RingOptions,
    descriptors: Region,
    driver: Region,
    device: Region,
    /// Descriptors that nobody uses; with IN_ORDER they are in the order of the table.
    free: std::collections::VecDeque<u16>,
    ledger: Ledger,
    /// The available index with everything that was added, and as the device sees it.
    added: u16,
    published: u16,
    /// The next used index that is looked at.
    used: u16,
    random: Random,
}

impl Split {
    /// # Panics
    /// If `size` is not a power of two from 1 to 32768.
    pub fn new(machine: &mut Machine, dma: &mut Dma, size: u16, options: RingOptions) -> Split {
        assert!(size.is_power_of_two(), "a split ring of {size} entries");
        let entries = usize::from(size);
        let mut area = |bytes: usize, alignment, permission| {
            let region = dma.map(machine, bytes, Place::aligned(alignment), permission);
            region.write(machine, 0, &vec![0; bytes]);
            region
        };
        Split {
            descriptors: area(DESCRIPTOR * entries, 16, Permission::READ),
            driver: area(6 + 2 * entries, 2, Permission::READ),
            device: area(6 + 8 * entries, 4, Permission::WRITE),
            size,
            options,
            free: (0..size).collect(),
            ledger: Ledger::new(options.in_order),
            added: 0,
            published: 0,
            used: 0,
            random: Random::new(options.seed),
        }
    }

    fn used_event(&self) -> usize {
        ENTRIES + 2 * usize::from(self.size)
    }

    fn available_event(&self) -> usize {
        ENTRIES + 8 * usize::from(self.size)
    }

    fn index_in_memory(&self, machine: &Machine) -> u16 {
        self.device.read_half(machine, INDEX)
    }

    /// Takes descriptors from the free ones.
    fn take(&mut self, count: usize) -> Vec<u16> {
        let is_drawn = self.options.scattered && !self.options.in_order;
        let random = &mut self.random;
        let free = &mut self.free;
        let mut one = || {
            let place = if is_drawn { random.below(free.len()) } else { 0 };
            free.remove(place).expect("there is room")
        };
        (0..count).map(|_| one()).collect()
    }

    fn write_descriptor(
        &self,
        machine: &mut Machine,
        place: u16,
        (address, length): (u64, u32),
        halves: [u16; 2],
    ) {
        let offset = DESCRIPTOR * usize::from(place);
        self.descriptors.write(machine, offset, &descriptor(address, length, halves));
    }

    /// Puts the buffer into the driver's area.
    fn enter(&mut self, machine: &mut Machine, buffer: Outstanding) {
        let head = buffer.descriptors[0];
        let offset = ENTRIES + 2 * usize::from(self.added % self.size);
        self.driver.write_half(machine, offset, head);
        self.ledger.enter(head, buffer);
        self.added = self.added.wrapping_add(1);
    }
}

/// A table of descriptors, one behind the other (2.7.5.3).
fn table(parts: &[Part]) -> Vec<u8> {
    let last = parts.len() - 1;
    let entry = |(index, part): (usize, &Part)| {
        let next = if index < last { [NEXT, index as u16 + 1] } else { [0, 0] };
        let write = if part.writable { WRITE } else { 0 };
        descriptor(part.address, part.length, [next[0] | write, next[1]])
    };
    parts.iter().enumerate().flat_map(entry).collect()
}

impl Ring for Split {
    fn areas(&self) -> [u64; 3] {
        [self.descriptors.address, self.driver.address, self.device.address]
    }

    fn size(&self) -> u16 {
        self.size
    }

    fn room(&self) -> usize {
        self.free.len()
    }

    fn outstanding(&self) -> usize {
        self.ledger.len()
    }

    fn add(
        &mut self,
        machine: &mut Machine,
        dma: &mut Dma,
        parts: &[Part],
        from: Option<usize>,
        token: u64,
    ) -> bool {
        let direct = from.unwrap_or(parts.len());
        let count = direct + usize::from(from.is_some());
        if count > self.free.len() {
            return false;
        }
        let descriptors = self.take(count);
        let indirect = from.map(|from| dma.share(machine, &table(&parts[from..]), Place::aligned(16)));
        for (index, &place) in descriptors.iter().enumerate() {
            // Without a next one the field means nothing.
            let next = descriptors.get(index + 1);
            let flags = if next.is_some() { NEXT } else { 0 };
            let next = next.copied().unwrap_or(0);
            let (bytes, kind) = match (parts[..direct].get(index), &indirect) {
                (Some(part), _) => ((part.address, part.length), if part.writable { WRITE } else { 0 }),
                (None, Some(table)) => ((table.address, table.bytes as u32), INDIRECT),
                (None, None) => unreachable!("there are as many descriptors as parts"),
            };
            self.write_descriptor(machine, place, bytes, [flags | kind, next]);
        }
        let room = parts.iter().filter(|part| part.writable).map(|part| part.length).sum();
        self.enter(machine, Outstanding { token, descriptors, room, table: indirect });
        true
    }

    fn add_raw(&mut self, machine: &mut Machine, raw: &[Raw], token: u64) -> bool {
        if raw.len() > self.free.len() {
            return false;
        }
        let descriptors = self.take(raw.len());
        for (&place, raw) in descriptors.iter().zip(raw) {
            let next = descriptors.get(usize::from(raw.next)).copied().unwrap_or(raw.next);
            self.write_descriptor(machine, place, (raw.address, raw.length), [raw.flags, next]);
        }
        self.enter(machine, Outstanding { token, descriptors, room: u32::MAX, table: None });
        true
    }

    fn publish(&mut self, machine: &mut Machine) -> Option<u16> {
        let (old, new) = (self.published, self.added);
        if old == new {
            return None;
        }
        self.driver.write_half(machine, INDEX, new);
        self.published = new;
        let is_wanted = if self.options.event_index {
            // One of the indices from the old one on is the one that the device waits for (2.7.10).
            let event = self.device.read_half(machine, self.available_event());
            event.wrapping_sub(old) < new.wrapping_sub(old)
        } else {
            self.device.read_half(machine, FLAGS) & 1 == 0
        };
        is_wanted.then_some(new)
    }

    fn position(&self) -> u16 {
        self.published
    }

    fn collect(&mut self, machine: &mut Machine, dma: &mut Dma) -> Result<Option<Used>, RingError> {
        if self.ledger.is_waiting() {
            return Ok(self.ledger.collect());
        }
        let moved = self.index_in_memory(machine).wrapping_sub(self.used);
        let outstanding = self.published.wrapping_sub(self.used);
        if moved > outstanding {
            return Err(RingError::Index { moved, outstanding });
        }
        if moved == 0 {
            return Ok(None);
        }
        let mut entry = [0; 8];
        self.device.read(machine, ENTRIES + 8 * usize::from(self.used % self.size), &mut entry);
        let entry = u64::from_le_bytes(entry);
        let (id, written) = (entry as u32, (entry >> 32) as u32);
        let buffers = self.ledger.batch(id);
        if buffers > usize::from(moved) {
            return Err(RingError::Batch { id: id as u16, buffers, moved });
        }
        for descriptors in self.ledger.settle(machine, dma, id, written)? {
            self.free.extend(descriptors);
            self.used = self.used.wrapping_add(1);
        }
        Ok(self.ledger.collect())
    }

    fn arm(&mut self, machine: &mut Machine, after: u16) -> bool {
        match self.options.event_index {
            true => {
                self.driver.write_half(machine, self.used_event(), self.used.wrapping_add(after));
            }
            false => self.driver.write_half(machine, FLAGS, 0),
        }
        self.ledger.is_waiting() || self.index_in_memory(machine) != self.used
    }

    fn disarm(&mut self, machine: &mut Machine) {
        match self.options.event_index {
            // As far away as an index can be.
            true => self.driver.write_half(machine, self.used_event(), self.used.wrapping_sub(1)),
            false => self.driver.write_half(machine, FLAGS, 1),
        }
    }

    fn jump(&mut self, jump: u16) {
        self.added = self.added.wrapping_add(jump);
    }

    fn mislead(&mut self, machine: &mut Machine, head: u16) {
        let last = self.added.wrapping_sub(1) % self.size;
        self.driver.write_half(machine, ENTRIES + 2 * usize::from(last), head);
    }

    fn close(&mut self, machine: &mut Machine, dma: &mut Dma) -> Vec<u64> {
        for region in [&mut self.descriptors, &mut self.driver, &mut self.device] {
            dma.unmap(machine, std::mem::take(region));
        }
        self.ledger.close(machine, dma)
    }
}
