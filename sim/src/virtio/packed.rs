//! The driver's side of a packed virtqueue (virtio 2.8).
//!
//! ```text
//! descriptors  16 × size   { address 64, length 32, identifier 16, flags 16 }
//! driver area  4           event suppression, of interrupts
//! device area  4           event suppression, of notifications: { place 15, wrap 1, what 2 }
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

/// Flags of descriptors.
const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;

/// What event suppression asks for (2.8.10).
const ENABLE: u16 = 0;
const DISABLE: u16 = 1;
const AT_PLACE: u16 = 2;

/// A place in the ring, and how often it was gone round: the wrap counter is 1 at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    place: u16,
    wrap: bool,
}

impl Position {
    const START: Position = Position { place: 0, wrap: true };

    fn advanced(self, count: usize, size: u16) -> Position {
        let place = usize::from(self.place) + count;
        let rounds = place / usize::from(size);
        Position { place: (place % usize::from(size)) as u16, wrap: self.wrap ^ (rounds % 2 == 1) }
    }

    /// As event suppression and notifications have it.
    fn bits(self) -> u16 {
        self.place | u16::from(self.wrap) << 15
    }

    fn of_bits(bits: u16) -> Position {
        Position { place: bits & 0x7FFF, wrap: bits >> 15 == 1 }
    }

    /// Descriptors from an earlier position to this one; both wraps look alike.
    fn since(self, earlier: Position, size: u16) -> usize {
        let count = |of: Position| {
            usize::from(of.place) + if of.wrap == earlier.wrap { 0 } else { usize::from(size) }
        };
        let cycle = 2 * usize::from(size);
        (count(self) + cycle - count(earlier)) % cycle
    }

    /// Flags of a descriptor that becomes available here.
    fn available(self) -> u16 {
        if self.wrap { AVAILABLE } else { USED }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Packed {
    size: u16,
    options: RingOptions,
    descriptors: Region,
    driver: Region,
    device: Region,
    free: usize,
    ledger: Ledger,
    /// Where the next descriptor goes.
    next: Position,
    /// Where the first that was added since the last notification begins, and the flags that make it available.
    unpublished: Option<(Position, u16)>,
    /// Where the next used descriptor will be.
    used: Position,
    next_id: u16,
    random: Random,
}

impl Packed {
    /// # Panics
    /// If `size` is not from 1 to 32768.
    pub fn new(machine: &mut Machine, dma: &mut Dma, size: u16, options: RingOptions) -> Packed {
        assert!((1..=1 << 15).contains(&size), "a packed ring of {size} entries");
        let mut area = |bytes: usize, alignment, permission| {
            let region = dma.map(machine, bytes, Place::aligned(alignment), permission);
            region.write(machine, 0, &vec![0; bytes]);
            region
        };
        Packed {
            descriptors: area(DESCRIPTOR * usize::from(size), 16, Permission::BOTH),
            driver: area(4, 4, Permission::READ),
            device: area(4, 4, Permission::WRITE),
            size,
            options,
            free: size.into(),
            ledger: Ledger::new(options.in_order),
            next: Position::START,
            unpublished: None,
            used: Position::START,
            next_id: 0,
            random: Random::new(options.seed),
        }
    }

    /// An identifier that no buffer has: any of 16 bits, or those of a device that has no more than its ring.
    fn identifier(&mut self) -> u16 {
        loop {
            let id = match self.options.scattered {
                true => self.random.word() as u16,
                false => self.next_id,
            };
            self.next_id = (self.next_id + 1) % self.size;
            if !self.ledger.has(id) {
                return id;
            }
        }
    }

    /// Writes descriptors; of the first one that the device does not know of, all but the flags.
    fn write(&mut self, machine: &mut Machine, descriptors: &[(u64, u32, u16)], id: u16) -> Vec<u16> {
        let mut places = vec![];
        for (index, (address, length, flags)) in descriptors.iter().enumerate() {
            let offset = DESCRIPTOR * usize::from(self.next.place);
            let flags = flags | self.next.available();
            // The last descriptor has the identifier; the others have whatever.
            let id = if index + 1 == descriptors.len() { id } else { self.random.word() as u16 };
            let bytes = descriptor(*address, *length, [id, flags]);
            let hidden = if self.unpublished.is_none() { 2 } else { 0 };
            self.descriptors.write(machine, offset, &bytes[..DESCRIPTOR - hidden]);
            self.unpublished.get_or_insert((self.next, flags));
            places.push(self.next.place);
            self.next = self.next.advanced(1, self.size);
        }
        self.free -= descriptors.len();
        places
    }

    /// Whether the next descriptor is used.
    fn is_used(&self, machine: &Machine) -> bool {
        let flags = self.descriptors.read_half(machine, DESCRIPTOR * usize::from(self.used.place) + 14);
        (flags & AVAILABLE != 0) == self.used.wrap && (flags & USED != 0) == self.used.wrap
    }

    fn suppress(&self, machine: &mut Machine, position: u16, what: u16) {
        self.driver.write_half(machine, 0, position);
        self.driver.write_half(machine, 2, what);
    }
}

/// A table of descriptors, of which only WRITE counts (2.8.7).
fn table(parts: &[Part]) -> Vec<u8> {
    let entry =
        |part: &Part| descriptor(part.address, part.length, [0, if part.writable { WRITE } else { 0 }]);
    parts.iter().flat_map(entry).collect()
}

impl Ring for Packed {
    fn areas(&self) -> [u64; 3] {
        [self.descriptors.address, self.driver.address, self.device.address]
    }

    fn size(&self) -> u16 {
        self.size
    }

    fn room(&self) -> usize {
        self.free
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
        let count = if from.is_some() { 1 } else { parts.len() };
        if count > self.free {
            return false;
        }
        let indirect = from.map(|_| dma.share(machine, &table(parts), Place::aligned(16)));
        let descriptors: Vec<(u64, u32, u16)> = match &indirect {
            Some(table) => vec![(table.address, table.bytes as u32, INDIRECT)],
            None => {
                let flags = |index: usize, part: &Part| {
                    (if index + 1 < count { NEXT } else { 0 }) | if part.writable { WRITE } else { 0 }
                };
                let one = |(index, part): (usize, &Part)| (part.address, part.length, flags(index, part));
                parts.iter().enumerate().map(one).collect()
            }
        };
        let id = self.identifier();
        let places = self.write(machine, &descriptors, id);
        let room = parts.iter().filter(|part| part.writable).map(|part| part.length).sum();
        self.ledger.enter(id, Outstanding { token, descriptors: places, room, table: indirect });
        true
    }

    fn add_raw(&mut self, machine: &mut Machine, raw: &[Raw], token: u64) -> bool {
        if raw.len() > self.free {
            return false;
        }
        let descriptors: Vec<_> = raw.iter().map(|raw| (raw.address, raw.length, raw.flags)).collect();
        let id = self.identifier();
        let places = self.write(machine, &descriptors, id);
        self.ledger.enter(id, Outstanding { token, descriptors: places, room: u32::MAX, table: None });
        true
    }

    fn publish(&mut self, machine: &mut Machine) -> Option<u16> {
        let (old, flags) = self.unpublished.take()?;
        self.descriptors.write_half(machine, DESCRIPTOR * usize::from(old.place) + 14, flags);
        let what = self.device.read_half(machine, 2) & 3;
        let is_wanted = match what {
            AT_PLACE if self.options.event_index => {
                let event = Position::of_bits(self.device.read_half(machine, 0));
                event.since(old, self.size) < self.next.since(old, self.size)
            }
            _ => what == ENABLE,
        };
        is_wanted.then(|| self.next.bits())
    }

    fn position(&self) -> u16 {
        self.next.bits()
    }

    fn collect(&mut self, machine: &mut Machine, dma: &mut Dma) -> Result<Option<Used>, RingError> {
        if !self.ledger.is_waiting() && self.is_used(machine) {
            let mut bytes = [0; 8];
            self.descriptors.read(machine, DESCRIPTOR * usize::from(self.used.place) + 8, &mut bytes);
            let word = u64::from_le_bytes(bytes);
            let (length, id, flags) = (word as u32, (word >> 32) as u16, (word >> 48) as u16);
            let written = if flags & WRITE != 0 { length } else { 0 };
            for descriptors in self.ledger.settle(machine, dma, id.into(), written)? {
                self.used = self.used.advanced(descriptors.len(), self.size);
                self.free += descriptors.len();
            }
        }
        Ok(self.ledger.collect())
    }

    fn arm(&mut self, machine: &mut Machine, after: u16) -> bool {
        match self.options.event_index {
            true => {
                let event = self.used.advanced(after.into(), self.size);
                self.suppress(machine, event.bits(), AT_PLACE);
            }
            false => self.suppress(machine, 0, ENABLE),
        }
        self.ledger.is_waiting() || self.is_used(machine)
    }

    fn disarm(&mut self, machine: &mut Machine) {
        self.suppress(machine, 0, DISABLE);
    }

    fn close(&mut self, machine: &mut Machine, dma: &mut Dma) -> Vec<u64> {
        for region in [&mut self.descriptors, &mut self.driver, &mut self.device] {
            dma.unmap(machine, std::mem::take(region));
        }
        self.ledger.close(machine, dma)
    }
}
