//! A driver's queue in plain Rust: it makes buffers available, and notifies only if the rules tell it to.

use super::host::Memory;
use crate::{testing::Rng, virtio::types::Cause};
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub packed: bool,
    pub event_index: bool,
    pub indirect: bool,
    pub notification_data: bool,
    pub size: u16,
}

/// Which way a queue's buffers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Receive,
    Transmit,
    Control,
}

/// What the store is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub address: u64,
    pub length: u16,
    pub writable: bool,
    /// Of the last part: id and places.
    pub end: Option<(u16, u16)>,
}

/// What a driver does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crime {
    Index,
    Head,
    Next,
    Loop,
    Empty,
    Direction,
    NotNegotiated,
    Nested,
    Length,
    /// A chain of a packed ring whose second descriptor never becomes available.
    Torn,
}

impl Crime {
    /// The fault that it ends with.
    pub fn cause(self) -> Cause {
        match self {
            Crime::Index => Cause::Index,
            Crime::Head | Crime::Next | Crime::Torn => Cause::Descriptor,
            Crime::Loop => Cause::Loop,
            Crime::Empty => Cause::Empty,
            Crime::Direction => Cause::Direction,
            Crime::NotNegotiated | Crime::Nested | Crime::Length => Cause::Indirect,
        }
    }
}

/// What happens in memory, one thing after the other.
#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    /// What was made available since `old` may have to be notified.
    Notify {
        old: u16,
        new: u16,
        wrap: bool,
    },
}

#[derive(Clone, Copy)]
struct Element {
    address: u64,
    length: u32,
    writable: bool,
}

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

pub struct Ring {
    pub settings: Settings,
    pub direction: Direction,
    pub descriptors: u64,
    pub driver: u64,
    pub device: u64,
    tables: u64,
    next_table: u64,
    steps: VecDeque<Step>,
    /// Split: the available index. Packed: the place.
    next: u16,
    wrap: bool,
    /// Added since the last notification.
    added: u16,
    free: Vec<u16>,
    /// Free places of a packed ring.
    room: u16,
    /// Descriptors of each buffer by its id, and the place of the first one with its wrap counter.
    chains: Vec<(Vec<u16>, u16, bool)>,
    pub wanted: VecDeque<Wanted>,
    pub buffers: usize,
    pub criminal: Option<Crime>,
}

impl Ring {
    /// A queue in fresh memory at `base`.
    pub fn new(
        memory: &mut Memory,
        base: u64,
        settings: Settings,
        direction: Direction,
        rng: &mut Rng,
    ) -> Ring {
        let [descriptors, driver, device, tables] = [0, 0x8000, 0xC000, 0x1_0000].map(|offset| base + offset);
        (0..0x1_0000).step_by(0x1000).for_each(|page| memory.write(base + page, &[0; 0x1000]));
        let mut ring = Ring {
            settings,
            direction,
            // Of the least alignments.
            descriptors: descriptors + 16 * rng.u64(0..8),
            driver: driver + 4 * rng.u64(0..8),
            device: device + 4 * rng.u64(0..8),
            tables,
            next_table: 0,
            steps: VecDeque::new(),
            next: 0,
            wrap: true,
            added: 0,
            free: (0..settings.size).collect(),
            room: settings.size,
            chains: vec![(vec![], 0, false); settings.size.into()],
            wanted: VecDeque::new(),
            buffers: 0,
            criminal: None,
        };
        rng.shuffle(&mut ring.free);
        if rng.bool() {
            ring.free.sort_by_key(|it| std::cmp::Reverse(*it));
        }
        ring
    }

    fn descriptor(&mut self, address: u64, element: Element, flags: u16, other: u16) {
        let mut bytes = element.address.to_le_bytes().to_vec();
        bytes.extend(element.length.to_le_bytes());
        let [third, fourth] = if self.settings.packed { [other, flags] } else { [flags, other] };
        bytes.extend(third.to_le_bytes());
        bytes.extend(fourth.to_le_bytes());
        self.steps.push_back(Step::Write(address, bytes));
    }

    fn elements(&self, count: usize, rng: &mut Rng) -> Vec<Element> {
        let border = rng.usize(0..=count);
        let element = |i: usize, rng: &mut Rng| Element {
            address: rng.u64(..),
            length: match rng.u8(0..8) {
                0 => 1,
                1 => rng.u32(65534..65538),
                2 => rng.u32(1..),
                _ => rng.u32(1..2000),
            },
            writable: match self.direction {
                Direction::Receive => true,
                Direction::Transmit => false,
                Direction::Control => i >= border,
            },
        };
        (0..count).map(|i| element(i, rng)).collect()
    }

    fn want(&mut self, elements: &[Element], end: Option<(u16, u16)>) {
        for (i, element) in elements.iter().enumerate() {
            self.wanted.push_back(Wanted {
                address: element.address,
                length: element.length.min(65535) as u16,
                writable: element.writable,
                end: end.filter(|_| i + 1 == elements.len()),
            });
        }
    }

    fn write_flag(element: &Element) -> u16 {
        if element.writable { WRITE } else { 0 }
    }

    /// Writes an indirect table, for a crime with a last descriptor that is wrong.
    fn table(&mut self, elements: &[Element], crime: Option<Crime>, rng: &mut Rng) -> Element {
        let address = self.tables + 16 * self.next_table + rng.u64(0..16);
        self.next_table = (self.next_table + elements.len() as u64 + 1) % 0x8000;
        let last = elements.len() - 1;
        for (i, element) in elements.iter().enumerate() {
            let at = address + 16 * i as u64;
            let flags = Self::write_flag(element);
            if self.settings.packed {
                // Reserved bits may be anything.
                self.descriptor(at, *element, flags | rng.u16(..) & !WRITE, rng.u16(..));
            } else {
                let (more, next) = if i < last { (NEXT, i as u16 + 1) } else { (0, rng.u16(..)) };
                let (more, next) = match crime.filter(|_| i == last) {
                    Some(Crime::Loop) => (NEXT, rng.u16(0..=last as u16)),
                    Some(Crime::Next) => (NEXT, elements.len() as u16 + rng.u16(0..3)),
                    Some(Crime::Nested) => (INDIRECT, 0),
                    _ => (more, next),
                };
                self.descriptor(at, *element, flags | more, next);
            }
        }
        let odd = if crime == Some(Crime::Length) { rng.u32(1..16) } else { 0 };
        // The write flag is ignored (2.7.5.3.2).
        Element { address, length: 16 * elements.len() as u32 + odd, writable: rng.bool() }
    }

    /// Makes one buffer available, if there is room.
    pub fn add(&mut self, parts: usize, rng: &mut Rng) -> bool {
        self.add_with(parts, None, rng)
    }

    /// There is room for more than so many descriptors.
    pub fn is_emptier_than(&self, count: usize) -> bool {
        self.free.len() > count && (!self.settings.packed || usize::from(self.room) > count)
    }

    /// The free descriptors come in order.
    pub fn sort(&mut self) {
        self.free.sort_by_key(|it| std::cmp::Reverse(*it));
    }

    /// All writes to memory are done at once.
    pub fn hurry(&mut self, memory: &mut Memory) {
        while let Some(Step::Write(..)) = self.steps.front() {
            assert_eq!(self.step(memory), None);
        }
    }

    /// As [`Ring::add`]; the driver commits a crime with it, and what the store is to get of it is noted.
    pub fn add_with(&mut self, parts: usize, crime: Option<Crime>, rng: &mut Rng) -> bool {
        let in_table = self.settings.indirect && (rng.bool() || crime == Some(Crime::Length));
        let in_table = match crime {
            Some(Crime::Torn | Crime::Next | Crime::NotNegotiated) => false,
            Some(Crime::Nested) => !self.settings.packed,
            Some(Crime::Loop) => in_table && !self.settings.packed,
            _ => in_table,
        };
        // A split ring's chain may end with a table.
        let direct = match in_table {
            true if self.settings.packed => 0,
            true => {
                if rng.u8(0..4) == 0 {
                    rng.usize(0..parts)
                } else {
                    0
                }
            }
            false => parts,
        };
        let entries = direct + usize::from(in_table);
        if self.free.len() < entries || usize::from(self.room) < entries {
            return false;
        }
        let mut elements = self.elements(parts, rng);
        let end = elements.len() - 1;
        match crime {
            Some(Crime::Empty) => elements[end].length = 0,
            Some(Crime::Loop) if self.direction == Direction::Control => {
                elements.iter_mut().for_each(|element| element.writable = true);
            }
            Some(Crime::Direction) => {
                elements[end].writable = match self.direction {
                    Direction::Control => {
                        elements[end - 1].writable = true;
                        false
                    }
                    it => it == Direction::Transmit,
                }
            }
            _ => {}
        }
        let of_table = in_table.then(|| self.table(&elements[direct..], crime, rng));
        let mut listed: Vec<(Element, u16)> =
            elements[..direct].iter().map(|element| (*element, Self::write_flag(element))).collect();
        listed.extend(of_table.map(|table| (table, INDIRECT | Self::write_flag(&table))));
        if crime == Some(Crime::NotNegotiated) || crime == Some(Crime::Nested) && !in_table {
            listed.last_mut().unwrap().1 |= INDIRECT;
        }
        let (id, places) = if self.settings.packed {
            self.list(&listed, crime, rng)
        } else {
            (self.chain(&listed, crime, rng), 0)
        };
        self.buffers += 1;
        self.criminal = self.criminal.or(crime);
        match crime {
            None => self.want(&elements, Some((id, places))),
            // What comes before the bad descriptor.
            Some(Crime::Empty | Crime::Direction | Crime::NotNegotiated | Crime::Nested) => {
                self.want(&elements[..end], None);
            }
            Some(Crime::Length) => self.want(&elements[..direct], None),
            Some(Crime::Loop) if in_table || self.settings.packed => self.want(&elements[..end], None),
            // Round and round, as often as the ring has descriptors.
            Some(Crime::Loop) => (1..usize::from(self.settings.size)).for_each(|i| {
                let element = elements[(i - 1) % parts];
                self.want(&[element], None);
            }),
            Some(Crime::Next) => self.want(&elements, None),
            Some(Crime::Torn) => self.want(&elements[..1], None),
            Some(Crime::Index | Crime::Head) => {}
        }
        true
    }

    /// A chain of a split ring.
    fn chain(&mut self, listed: &[(Element, u16)], crime: Option<Crime>, rng: &mut Rng) -> u16 {
        let used = self.free.split_off(self.free.len() - listed.len());
        let in_table = listed.last().unwrap().1 & INDIRECT != 0;
        for (i, (element, flags)) in listed.iter().enumerate() {
            let is_last = i + 1 == listed.len();
            let next = used.get(i + 1).copied().unwrap_or_else(|| rng.u16(..));
            let (more, next) = match crime.filter(|_| is_last && !in_table) {
                Some(Crime::Loop) => (NEXT, used[0]),
                Some(Crime::Next) => (NEXT, self.settings.size + rng.u16(0..3)),
                _ => (if is_last { 0 } else { NEXT }, next),
            };
            self.descriptor(self.descriptors + 16 * u64::from(used[i]), *element, flags | more, next);
        }
        let head = if crime == Some(Crime::Head) { self.settings.size + rng.u16(0..100) } else { used[0] };
        self.chains[usize::from(used[0])].0 = used.clone();
        let entry = self.driver + 4 + 2 * u64::from(self.next % self.settings.size);
        self.steps.push_back(Step::Write(entry, head.to_le_bytes().to_vec()));
        self.next = self.next.wrapping_add(1);
        self.added += 1;
        let index = if crime == Some(Crime::Index) {
            self.next.wrapping_add(self.settings.size + 5)
        } else {
            self.next
        };
        self.steps.push_back(Step::Write(self.driver + 2, index.to_le_bytes().to_vec()));
        used[0]
    }

    /// A list of a packed ring, the first descriptor last.
    fn list(&mut self, listed: &[(Element, u16)], crime: Option<Crime>, rng: &mut Rng) -> (u16, u16) {
        let id = self.free.pop().unwrap();
        let (mut place, mut wrap) = (self.next, self.wrap);
        let first = (place, wrap);
        let mut at = vec![];
        for _ in listed {
            at.push((place, wrap));
            place += 1;
            if place == self.settings.size {
                (place, wrap) = (0, !wrap);
            }
        }
        for (i, (element, flags)) in listed.iter().enumerate().rev() {
            let is_last = i + 1 == listed.len();
            let (place, wrap) = at[i];
            let wrap = wrap ^ (crime == Some(Crime::Torn) && i == 1);
            let available = if wrap { 1 << 7 } else { 1 << 15 };
            let more = if is_last && crime != Some(Crime::Loop) { 0 } else { NEXT };
            let name = if is_last { id } else { rng.u16(..) };
            self.descriptor(
                self.descriptors + 16 * u64::from(place),
                *element,
                flags | more | available,
                name,
            );
        }
        (self.next, self.wrap) = (place, wrap);
        self.added += listed.len() as u16;
        self.room -= listed.len() as u16;
        self.chains[usize::from(id)] = (vec![id; listed.len()], first.0, first.1);
        (id, listed.len() as u16)
    }

    /// Notifies of what was added since the last time, if need be.
    pub fn notify(&mut self) {
        let old = self.next.wrapping_sub(self.added);
        self.steps.push_back(Step::Notify { old, new: self.next, wrap: self.wrap });
        self.added = 0;
    }

    /// The device is done with a buffer.
    pub fn used(&mut self, memory: &mut Memory, id: u16) {
        let (chain, place, wrap) = std::mem::take(&mut self.chains[usize::from(id)]);
        assert!(!chain.is_empty(), "{id} is a buffer");
        if self.settings.packed {
            self.room += chain.len() as u16;
            self.free.push(id);
            let flags: u16 = if wrap { 1 << 15 | 1 << 7 } else { 0 };
            memory.write(self.descriptors + 16 * u64::from(place) + 14, &flags.to_le_bytes());
        } else {
            self.free.extend(chain.into_iter().rev());
        }
    }

    pub fn is_quiet(&self) -> bool {
        self.steps.is_empty()
    }

    /// Does the next thing. A notification is for the device.
    pub fn step(&mut self, memory: &mut Memory) -> Option<Option<u16>> {
        match self.steps.pop_front()? {
            Step::Write(address, bytes) => {
                memory.write(address, &bytes);
                None
            }
            Step::Notify { old, new, wrap } => {
                let is_needed = self.is_needed(memory, old, new, wrap);
                let index = if self.settings.packed { new | u16::from(wrap) << 15 } else { new };
                is_needed.then_some(self.settings.notification_data.then_some(index))
            }
        }
    }

    /// 2.7.10 and 2.8.10, as Linux does it.
    fn is_needed(&self, memory: &Memory, old: u16, new: u16, wrap: bool) -> bool {
        let needs = |event: u16| new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old);
        if self.settings.packed {
            let (event, flags) = (memory.u16(self.device), memory.u16(self.device + 2) & 3);
            assert!(flags == 0 || flags == 2 && self.settings.event_index, "flags {flags}");
            let place = event & 0x7FFF;
            let place =
                if (event >> 15 == 1) == wrap { place } else { place.wrapping_sub(self.settings.size) };
            flags == 0 || needs(place)
        } else if self.settings.event_index {
            assert_eq!(memory.u16(self.device), 0, "flags");
            needs(memory.u16(self.device + 4 + 8 * u64::from(self.settings.size)))
        } else {
            memory.u16(self.device) == 0
        }
    }
}
