//! What the endpoint has to answer to any packet: a reference completer of the whole of it, in plain Rust.
//!
//! It is written from chapters 2, 7 and 9 of the PCI Express Base Specification and from what the documentation promises where
//! they leave a choice: reads of up to 64 bytes, and no optional check of what is malformed.

use sim::pcie::{
    Packet, RoutingId,
    packet::{Kind, Status},
};
use std::collections::HashMap;

/// What was wrong with a packet (6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    Malformed,
    Unsupported,
    Aborted,
    UnexpectedCompletion,
    Poisoned,
    /// A completion brought Completer Abort, or Unsupported Request.
    ReceivedAbort,
    ReceivedUnsupported,
}

/// An error: of a function, or of nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    pub wrong: Wrong,
    pub function: Option<usize>,
    pub header: [u32; 4],
}

/// What has to come of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub completion: Option<Packet>,
    /// Bits of the completion's data that are known.
    pub known: u32,
    /// Byte count and lower address of the completion may be anything: the byte enables are not what a request may have.
    pub is_uncounted: bool,
    pub fault: Option<Fault>,
}

/// The part of a function's configuration space that decides something, by offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets {
    pub power: u16,
    pub express: u16,
    pub msix: u16,
    /// The virtio configuration access capability.
    pub window: Option<u16>,
    pub errors: u16,
    pub virtualization: Option<u16>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Model {
    pub is_virtual: bool,
    pub is_manager: bool,
    pub words: Vec<u32>,
    pub offsets: Offsets,
    /// Words of its registers that are not 0.
    pub registers: HashMap<u64, u32>,
    pub vectors: Vec<u32>,
    /// The first vector waits to be sent.
    pub is_pending: bool,
}

/// The endpoint.
pub struct Endpoint {
    pub functions: Vec<Model>,
    /// How many of them are not virtual.
    pub own: usize,
    pub bus: u8,
    /// Who had which tag last.
    pub tags: HashMap<u16, (RoutingId, usize)>,
    /// Registers from here on abort every access.
    pub aborts_from: u64,
}

/// Bytes of the longest request that is carried out.
const LONGEST: usize = 64;

/// Where a memory request ends up.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub function: usize,
    pub is_table: bool,
    pub offset: u64,
    pub size: u64,
}

/// The bits of `data` in the bytes that are enabled, over those of `old`; only where `mask` is 1.
pub fn merged(old: u32, data: u32, enables: u8, mask: u32) -> u32 {
    let bytes =
        (0..4).filter(|byte| enables >> byte & 1 == 1).fold(0, |bits, byte| bits | 0xFF << (8 * byte));
    old & !(mask & bytes) | data & mask & bytes
}

impl Model {
    pub fn word(&self, offset: u16) -> u32 {
        self.words[usize::from(offset) / 4]
    }

    /// Bits that software writes.
    fn writable(&self, offset: u16) -> u32 {
        let Offsets { power, express, msix, window, errors, virtualization } = self.offsets;
        let bars = if self.is_manager { [!0xFFFF, !0, !0x1FFF, !0] } else { [!0x3FFF, !0, !0x1FFF, !0] };
        // Poisoned, timeout, abort, unexpected, malformed, unsupported.
        let uncorrectable = 0x0015_D000;
        let offset_from = |start: Option<u16>, by: u16| start.is_some_and(|start| offset == start + by);
        match offset {
            _ if offset == msix => 0xC000_0000,
            _ if offset_from(window, 4) => 0xFF,
            _ if offset_from(window, 8) || offset_from(window, 12) => !0,
            0x04 if self.is_virtual => 0x0004,
            _ if self.is_virtual => 0,
            0x04 => 0x0146,
            0x0C | 0x3C => 0xFF,
            0x10..=0x1C => bars[usize::from(offset - 0x10) / 4],
            _ if offset == power + 4 => 3,
            _ if offset == express + 0x08 => 0x71FF,
            _ if offset == express + 0x10 => 0xCB,
            _ if offset == express + 0x28 => 0x10,
            _ if offset == errors + 0x08 || offset == errors + 0x0C => uncorrectable,
            _ if offset == errors + 0x14 => 1 << 13,
            _ if offset_from(virtualization, 8) => 0x19,
            _ => 0,
        }
    }

    /// Software writes a word, as configuration space takes it.
    pub fn write(&mut self, offset: u16, enables: u8, data: u32) {
        let old = self.word(offset);
        let new = merged(old, data, enables, self.writable(offset));
        // There are no D1 and D2.
        let is_power = !self.is_virtual && offset == self.offsets.power + 4;
        if !is_power || [0, 3].contains(&(new & 3)) {
            self.words[usize::from(offset) / 4] = new;
        }
    }

    /// Bits of a word that errors change.
    pub fn volatile(&self, offset: u16) -> u32 {
        let Offsets { express, errors, .. } = self.offsets;
        match offset {
            0x04 => 0xFFFF_0000,
            _ if offset == express + 0x08 => 0xFFFF_0000,
            _ if offset == errors + 0x04 || offset == errors + 0x10 => !0,
            _ if (errors + 0x18..errors + 0x2C).contains(&offset) => !0,
            _ => 0,
        }
    }

    fn bar(&self, bar: u16) -> u64 {
        let at = 0x10 + 8 * bar;
        u64::from(self.word(at + 4)) << 32 | u64::from(self.word(at) & !0xF)
    }

    /// D3hot.
    fn is_asleep(&self) -> bool {
        !self.is_virtual && self.word(self.offsets.power + 4) & 3 == 3
    }

    /// What a word of a base address reads.
    fn read(&self, is_table: bool, at: u64) -> u32 {
        match is_table {
            true if at == rtl::pcie::PENDING_OFFSET as u64 => self.is_pending.into(),
            true => self.vectors.get(at as usize / 4).copied().unwrap_or(0),
            false => self.registers.get(&at).copied().unwrap_or(0),
        }
    }

    fn store(&mut self, is_table: bool, at: u64, data: u32, enables: u8) {
        if !is_table {
            let word = self.registers.entry(at).or_default();
            *word = merged(*word, data, enables, !0);
        } else if let Some(word) = self.vectors.get_mut(at as usize / 4) {
            // The lowest bits of a message's address are 0, and of vector control only the mask is there.
            let mask = [!3, !0, !0, 1][at as usize / 4 % 4];
            *word = merged(*word, data, enables, mask);
        }
    }
}

/// A table in which every vector is masked.
pub fn masked_vectors() -> Vec<u32> {
    (0..4 * rtl::pcie::VECTORS).map(|word| u32::from(word % 4 == 3)).collect()
}

impl Endpoint {
    fn control(&self) -> u32 {
        let of_first = &self.functions[0];
        of_first.offsets.virtualization.map_or(0, |at| of_first.word(at + 8))
    }

    pub fn has_virtual(&self) -> bool {
        self.control() & 1 == 1
    }

    pub fn number(&self) -> usize {
        let of_first = &self.functions[0];
        let number = of_first.offsets.virtualization.map_or(0, |at| of_first.word(at + 16) & 0xFFFF);
        if self.has_virtual() { number as usize } else { 0 }
    }

    /// The routing ID of a function (9.2.1.2).
    pub fn id(&self, function: usize) -> RoutingId {
        let own = u16::from(self.bus) << 8;
        if function < self.own {
            return RoutingId(own + function as u16);
        }
        let is_near = self.number() <= 6 || self.control() >> 4 & 1 == 1;
        let first = if is_near { 2 } else { 0x100 };
        RoutingId(own.wrapping_add(first + (function - self.own) as u16))
    }

    /// The function that is there, by its ID.
    pub fn at(&self, id: RoutingId) -> Option<usize> {
        (0..self.own + self.number()).find(|&function| self.id(function) == id)
    }

    /// Where a base address of a function is, whether it is there or not.
    pub fn place(&self, function: usize, bar: usize) -> u64 {
        if function < self.own {
            return self.functions[function].bar(bar as u16);
        }
        let (base, span) = self.virtual_place(bar).expect("a virtual function has a physical one");
        base + span * (function - self.own) as u64
    }

    /// Bytes of it.
    pub fn size(&self, function: usize, bar: usize) -> u64 {
        match (bar, self.functions[function].is_manager) {
            (0, true) => 0x1_0000,
            (0, false) => 0x4000,
            _ => 0x2000,
        }
    }

    /// Where virtual functions begin, and how far they are apart: in whole pages (9.3.3.14).
    fn virtual_place(&self, bar: usize) -> Option<(u64, u64)> {
        let first = &self.functions[0];
        let at = first.offsets.virtualization?;
        let page = u64::from(first.word(at + 0x20)) << 12;
        let low = first.word(at + 0x24 + 8 * bar as u16) & !0xF;
        let base = u64::from(first.word(at + 0x28 + 8 * bar as u16)) << 32 | u64::from(low);
        Some((base & !(page - 1), page.max([0x4000, 0x2000][bar])))
    }

    /// Most bytes of a payload: as function 0 of an ARI device says, else the largest that any function says (2.2.2).
    pub fn most(&self) -> usize {
        let of = |model: &Model| 128 << (model.word(model.offsets.express + 8) >> 5 & 7).min(2);
        match self.functions[0].offsets.virtualization {
            Some(_) => of(&self.functions[0]),
            None => self.functions[..self.own].iter().map(of).max().expect("there is a function"),
        }
    }

    /// The function that answers to an address.
    pub fn target(&self, address: u64) -> Option<Target> {
        for (function, model) in self.functions[..self.own].iter().enumerate() {
            for bar in 0..2 {
                let (offset, size) = (address.wrapping_sub(model.bar(bar as u16)), self.size(function, bar));
                if offset < size && model.word(4) >> 1 & 1 == 1 && !model.is_asleep() {
                    return Some(Target { function, is_table: bar == 1, offset, size });
                }
            }
        }
        // Virtual functions sleep with their physical one.
        if self.control() & 9 != 9 || self.functions[0].is_asleep() {
            return None;
        }
        for bar in 0..2 {
            let (base, span) = self.virtual_place(bar)?;
            let offset = address.wrapping_sub(base);
            if offset < span * self.number() as u64 {
                let function = self.own + (offset / span) as usize;
                let size = self.size(function, bar);
                return Some(Target { function, is_table: bar == 1, offset: offset % span, size });
            }
        }
        None
    }

    /// What the packet leads to; it has happened then.
    pub fn answer(&mut self, packet: &Packet) -> Answer {
        Answer { is_uncounted: has_odd_enables(packet), ..self.result(packet) }
    }

    fn result(&mut self, packet: &Packet) -> Answer {
        let fault =
            |wrong: Wrong, function: Option<usize>| Some(Fault { wrong, function, header: packet.header });
        let words = if packet.has_data() { packet.length() } else { 0 };
        let is_short = packet.payload.len() != 4 * words || packet.payload.len() > self.most();
        let no_answer = |fault| Answer { fault, ..Answer::default() };
        if matches!(packet.kind(), Kind::Undefined | Kind::Prefix) || is_short || is_misclassed(packet) {
            return no_answer(fault(Wrong::Malformed, None));
        }
        match packet.kind() {
            Kind::MemoryWrite => no_answer(self.write(packet)),
            Kind::Message { .. } if is_ignored(packet.message_code()) => Answer::default(),
            Kind::Message { .. } => no_answer(fault(Wrong::Unsupported, None)),
            Kind::Completion { locked: true, .. } => no_answer(fault(Wrong::UnexpectedCompletion, None)),
            Kind::Completion { .. } => {
                let known = self.tags.get(&packet.tag()).filter(|(id, _)| *id == packet.requester());
                // One for a function that is off is an error of nobody.
                let known = known.map(|(_, function)| *function);
                let known = known.filter(|function| *function < self.own + self.number());
                no_answer(fault(Wrong::UnexpectedCompletion, known))
            }
            Kind::MemoryRead => self.read(packet),
            Kind::ConfigurationRead { .. } | Kind::ConfigurationWrite { .. } => self.configure(packet),
            _ => {
                let completion = Packet::completion(packet, self.id(0), Status::Unsupported);
                Answer {
                    completion: Some(completion),
                    fault: fault(Wrong::Unsupported, None),
                    ..Answer::default()
                }
            }
        }
    }

    fn write(&mut self, packet: &Packet) -> Option<Fault> {
        let fault = |wrong, function| Some(Fault { wrong, function, header: packet.header });
        let Some(target) = self.target(packet.address()) else { return fault(Wrong::Unsupported, None) };
        let function = Some(target.function);
        // Of several errors the unsupported request comes before the poisoned one (6.2.3.2.3).
        if packet.payload.len() > LONGEST {
            return fault(Wrong::Unsupported, function);
        }
        if packet.is_poisoned() {
            return fault(Wrong::Poisoned, function);
        }
        let (words, _) = packet.payload.as_chunks();
        let last = words.len() - 1;
        let mut aborted = false;
        for (index, word) in words.iter().enumerate() {
            let at = target.offset + 4 * index as u64;
            let enables = match index {
                0 => packet.first_enables(),
                _ if index == last => packet.last_enables(),
                _ => 15,
            };
            let is_aborted = !target.is_table && at >= self.aborts_from;
            if at < target.size && !is_aborted {
                let data = u32::from_le_bytes(*word);
                self.functions[target.function].store(target.is_table, at, data, enables);
            }
            aborted |= at < target.size && is_aborted;
        }
        // The rest is done all the same (2.3.1).
        aborted.then_some(Fault { wrong: Wrong::Aborted, function, header: packet.header })
    }

    fn read(&self, packet: &Packet) -> Answer {
        let refused = |status: Status, wrong: Wrong, function: Option<usize>| {
            let completer = self.id(function.unwrap_or(0));
            let fault = Some(Fault { wrong, function, header: packet.header });
            Answer {
                completion: Some(Packet::completion(packet, completer, status)),
                fault,
                ..Answer::default()
            }
        };
        let Some(target) = self.target(packet.address()) else {
            return refused(Status::Unsupported, Wrong::Unsupported, None);
        };
        let function = target.function;
        let places = (0..packet.length()).map(|index| target.offset + 4 * index as u64);
        let aborts = |at: u64| !target.is_table && at < target.size && at >= self.aborts_from;
        if 4 * packet.length() > LONGEST || places.clone().any(aborts) {
            return refused(Status::Aborted, Wrong::Aborted, Some(function));
        }
        let model = &self.functions[function];
        let word = |at: u64| if at < target.size { model.read(target.is_table, at) } else { 0 };
        let data: Vec<u8> = places.flat_map(|at| word(at).to_le_bytes()).collect();
        let completion = Packet::completion_with_data(packet, self.id(function), 0, &data);
        Answer { completion: Some(completion), known: !0, ..Answer::default() }
    }

    fn configure(&mut self, packet: &Packet) -> Answer {
        let is_far = matches!(packet.kind(), Kind::ConfigurationRead { far } | Kind::ConfigurationWrite { far } if far);
        let target = packet.target();
        // One of type 0 is for this device whatever bus it names (7.3.1); one of type 1 is for another bus.
        let own = RoutingId::new(self.bus, target.number());
        let function = match is_far {
            true => self.at(target).filter(|_| target.bus() != self.bus),
            false => self.at(own),
        };
        let is_poisoned = packet.is_poisoned();
        let fault = |wrong| Some(Fault { wrong, function, header: packet.header });
        let Some(number) = function.filter(|_| packet.length() == 1 && !is_poisoned) else {
            // What is not there is completed by function 0.
            let completer = function.map_or(self.id(0), |_| if is_far { target } else { own });
            let completion = Packet::completion(packet, completer, Status::Unsupported);
            let is_bad = is_poisoned && packet.has_data() && function.is_some();
            let wrong = if is_bad { Wrong::Poisoned } else { Wrong::Unsupported };
            return Answer { completion: Some(completion), fault: fault(wrong), ..Answer::default() };
        };
        let (offset, enables) = (packet.register(), packet.first_enables());
        let is_window = self.functions[number].offsets.window.is_some_and(|at| offset == at + 16);
        let written = packet.payload.first_chunk().map(|word| u32::from_le_bytes(*word));
        if let (Some(_), false) = (written, is_far) {
            self.bus = target.bus();
        }
        let completer = if is_far { target } else { RoutingId::new(self.bus, target.number()) };
        let mut completion = Packet::completion(packet, completer, Status::Successful);
        if let Some(data) = written {
            match is_window {
                true => self.enter(number, enables, Some(data)),
                false => {
                    self.functions[number].write(offset, enables, data);
                    0
                }
            };
            return Answer { completion: Some(completion), ..Answer::default() };
        }
        let word =
            if is_window { self.enter(number, enables, None) } else { self.functions[number].word(offset) };
        completion = Packet::completion_with_data(packet, completer, 0, &word.to_le_bytes());
        let known = !self.functions[number].volatile(offset);
        Answer { completion: Some(completion), known, ..Answer::default() }
    }

    /// An access through the virtio window (virtio 4.1.4.9): of 1, 2 or 4 bytes, aligned, to the registers, or to
    /// MSI-X; else nothing.
    fn enter(&mut self, function: usize, enables: u8, data: Option<u32>) -> u32 {
        let aborts_from = self.aborts_from;
        let model = &mut self.functions[function];
        let at = model.offsets.window.expect("it has the window");
        let [bar, offset, size] = [4, 8, 12].map(|by| model.word(at + by));
        let is_msix = bar & 0xFF == 2;
        let end = if is_msix { 0x2000 } else { 0x4000 };
        let is_possible = matches!(bar & 0xFF, 0 | 2) && [1, 2, 4].contains(&size) && offset % size == 0;
        let place = u64::from(offset & !3);
        if enables == 0 || !is_possible || offset >= end || !is_msix && place >= aborts_from {
            return 0;
        }
        let low = 8 * (offset % 4);
        let mask = (1u64 << (8 * size)) - 1;
        if let Some(data) = data {
            let lanes = ((1u32 << size) - 1) << (offset % 4);
            model.store(is_msix, place, data << low, lanes as u8);
            return 0;
        }
        (u64::from(model.read(is_msix, place) >> low) & mask) as u32
    }
}

/// Messages of power management, errors, interrupts, Unlock and slot power have traffic class 0 (2.2.8).
fn is_misclassed(packet: &Packet) -> bool {
    let is_message = matches!(packet.kind(), Kind::Message { .. });
    let code = packet.message_code();
    is_message && packet.traffic_class() != 0 && (code < 0x40 || code == 0x50)
}

/// Unlock, PM_Active_State_Nak, PME_Turn_Off, Set_Slot_Power_Limit, those that were ignored from version 1.1 on, and type 1 of
/// vendors: no error of who does not know them (2.2.8).
fn is_ignored(code: u8) -> bool {
    matches!(code, 0x00 | 0x14 | 0x19 | 0x50 | 0x40 | 0x41 | 0x43 | 0x44 | 0x45 | 0x47 | 0x48 | 0x7F)
}

/// A memory read with byte enables that it must not have (2.2.5), but for gaps: nobody needs to find that out.
fn has_odd_enables(packet: &Packet) -> bool {
    let is_read = matches!(packet.kind(), Kind::MemoryRead | Kind::LockedRead);
    let [first, last] = [packet.first_enables(), packet.last_enables()];
    is_read && if packet.length() == 1 { last != 0 } else { first == 0 || last == 0 }
}
