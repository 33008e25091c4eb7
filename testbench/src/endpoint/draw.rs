//! Packets of every kind and with every fault, most of them aimed at something that is there.

use super::answers::{Endpoint, merged};
use sim::{
    pcie::{
        Packet, RoutingId,
        packet::{Kind, Status},
    },
    random::Random,
};

/// Who asks: none of them is the root complex or a function.
const REQUESTERS: [u16; 3] = [0x0010, 0x00A8, 0xFE07];

/// Draws packets.
pub struct Draw<'a> {
    pub endpoint: &'a Endpoint,
    pub random: &'a mut Random,
    /// No other request that waits has it.
    pub tag: u16,
    /// Requests may tell the device another bus.
    pub may_move: bool,
}

impl Draw<'_> {
    fn words(&mut self, count: usize) -> Vec<u8> {
        (0..4 * count).map(|_| self.random.word() as u8).collect()
    }

    fn requester(&mut self) -> RoutingId {
        RoutingId(*self.random.pick(&REQUESTERS))
    }

    /// In or near a base address, mostly.
    fn address(&mut self) -> u64 {
        if self.random.chance(8) {
            return self.random.word() & !3;
        }
        let function = self.random.below(self.endpoint.functions.len());
        let bar = self.random.below(2);
        let place = self.endpoint.place(function, bar);
        let size = self.endpoint.size(function, bar);
        let within = match self.random.below(8) {
            0 => size - 64 + self.random.below(128) as u64,
            1 => self.random.below(2 * size as usize) as u64,
            2 => 0x1000 + self.random.below(0x20) as u64,
            3 => self.endpoint.aborts_from - 32 + self.random.below(64) as u64,
            4 => (self.random.below(128) as u64).wrapping_neg(),
            _ => self.random.below(0x180) as u64,
        };
        place.wrapping_add(within) & !3
    }

    /// Words of a memory request.
    fn length(&mut self) -> usize {
        match self.random.below(16) {
            0 => self.random.below(1024) + 1,
            1 => self.random.below(64) + 1,
            2..5 => 1,
            _ => self.random.below(16) + 1,
        }
    }

    fn enables(&mut self, words: usize) -> (u8, u8) {
        if self.random.chance(10) {
            return (self.random.below(16) as u8, self.random.below(16) as u8);
        }
        if words == 1 {
            return (self.random.below(16) as u8, 0);
        }
        (*self.random.pick(&[15, 14, 12, 8]), *self.random.pick(&[15, 7, 3, 1]))
    }

    fn memory(&mut self, is_write: bool) -> Packet {
        let (address, mut words) = (self.address(), self.length());
        if is_write && !self.random.chance(10) {
            words = words.min(64);
        }
        // The constructors need requests that do not cross 4 KiB; here they may.
        let fit = words.min(((4096 - address % 4096) / 4) as usize);
        let requester = self.requester();
        let mut packet = match is_write {
            true => Packet::memory_write(requester, self.tag, address, &vec![0; 4 * fit]),
            false => Packet::memory_read(requester, self.tag, address, 4 * fit),
        };
        if self.random.chance(90) {
            words = fit;
        }
        packet.header[0] = packet.header[0] & !0x3FF | words as u32 & 0x3FF;
        if is_write {
            packet.payload = self.words(words);
        }
        let (first, last) = self.enables(words);
        packet.with_enables(first, last)
    }

    fn configuration(&mut self, is_write: bool) -> Packet {
        let endpoint = self.endpoint;
        let mut target = endpoint.id(self.random.below(endpoint.functions.len()));
        if self.random.chance(15) {
            target = RoutingId::new(
                target.bus().wrapping_add(self.random.below(3) as u8),
                self.random.word() as u8,
            );
        }
        let far = if self.random.chance(5) { self.random.chance(50) } else { target.bus() != endpoint.bus };
        let function = &endpoint.functions[self.random.below(endpoint.functions.len())];
        let window = function.offsets.window.unwrap_or(0x40);
        let offset = match self.random.below(6) {
            0 => 4 * self.random.below(16) as u16,
            1 => window + 4 * self.random.below(6) as u16,
            2 => window + 16,
            3 => *self.random.pick(&[0x04, function.offsets.power + 4, function.offsets.msix]),
            _ => 4 * self.random.below(1024) as u16,
        };
        let requester = self.requester();
        if !is_write {
            let packet = Packet::configuration_read(far, requester, self.tag, target, offset);
            return packet.with_enables(self.random.below(16) as u8, 0);
        }
        // In the window something sensible now and then.
        let by = offset.wrapping_sub(window);
        let data = match self.random.below(2) {
            0 if by == 4 => 2 * self.random.below(2) as u32,
            0 if by == 8 => self.random.below(0x4100) as u32,
            0 if by == 12 => 1 << self.random.below(3),
            0 => self.random.below(4) as u32,
            _ => self.random.word() as u32,
        };
        let packet = Packet::configuration_write(far, requester, self.tag, target, offset, data);
        let enables = if self.random.chance(50) { 15 } else { self.random.below(16) as u8 };
        packet.with_enables(enables, 0)
    }

    /// Requests that an endpoint like this one does not support, with the payload that they have.
    fn unsupported(&mut self) -> Packet {
        let mut packet = self.memory(false);
        let kind =
            *self.random.pick(&[0x01, 0x21, 0x02, 0x42, 0x4C, 0x6C, 0x4D, 0x6D, 0x4E, 0x6E, 0x5B, 0x7B]);
        let is_long = kind & 0x20 != 0;
        packet.header[0] = packet.header[0] & 0x00FF_FFFF | kind << 24;
        if kind & 0x40 != 0 {
            let words = if kind == 0x42 { 1 } else { *self.random.pick(&[1, 2, 4, 8]) };
            packet.header[0] = packet.header[0] & !0x3FF | words;
            packet.payload = self.words(words as usize);
        }
        if !is_long {
            packet.header[3] = 0;
        }
        packet
    }

    fn message(&mut self) -> Packet {
        const CODES: [u8; 24] = [
            0x00, 0x01, 0x10, 0x12, 0x14, 0x18, 0x19, 0x1B, 0x20, 0x24, 0x30, 0x31, 0x33, 0x40, 0x41, 0x43,
            0x44, 0x45, 0x47, 0x48, 0x50, 0x52, 0x7E, 0x7F,
        ];
        let code = if self.random.chance(20) { self.random.word() as u8 } else { *self.random.pick(&CODES) };
        let mut packet = Packet::message(self.requester(), self.random.below(8) as u8, code);
        if self.random.chance(30) {
            let words = self.random.below(16) + 1;
            packet.header[0] |= 1 << 30 | words as u32;
            packet.payload = self.words(words);
        }
        packet.header[2] = self.random.word() as u32;
        packet.header[3] = self.random.word() as u32;
        packet
    }

    /// A completion that nobody waits for.
    fn completion(&mut self) -> Packet {
        let function = self.random.below(self.endpoint.functions.len());
        let requester = if self.random.chance(70) { self.endpoint.id(function) } else { self.requester() };
        let request =
            Packet::memory_read(requester, self.random.below(1024) as u16, self.random.word() & 0xFFC0, 64);
        match self.random.below(4) {
            0 => Packet::completion(&request, RoutingId(0x0008), Status::Unsupported),
            1 => {
                let mut packet = Packet::completion(&request, RoutingId(0x0008), Status::Successful);
                packet.header[0] |= 1 << 24;
                packet
            }
            _ => Packet::completion_with_data(&request, RoutingId(0x0008), 0, &self.words(16)),
        }
    }

    fn anything(&mut self) -> Packet {
        let header = [(); 4].map(|()| self.random.word() as u32);
        let mut packet = Packet { header, payload: vec![] };
        packet.header[0] = packet.header[0] & !0x3FF | self.random.below(20) as u32;
        if packet.has_data() && packet.length() <= 64 {
            packet.payload = self.words(packet.length());
        }
        packet
    }

    /// A packet.
    pub fn packet(&mut self) -> Packet {
        let mut packet = match self.random.below(100) {
            0..26 => self.memory(false),
            26..52 => self.memory(true),
            52..64 => self.configuration(false),
            64..74 => self.configuration(true),
            74..82 => self.unsupported(),
            82..88 => self.message(),
            88..93 => self.completion(),
            _ => self.anything(),
        };
        if self.random.chance(25) {
            self.spoil(&mut packet);
        }
        self.tame(packet)
    }

    /// Makes something of it other than it should be.
    fn spoil(&mut self, packet: &mut Packet) {
        match self.random.below(8) {
            0 | 1 => packet.header[0] |= 1 << 14,
            2 => *packet = packet.clone().with_traffic_class(self.random.below(8) as u8),
            3 => *packet = packet.clone().with_attributes(self.random.below(8) as u8),
            4 => {
                let words =
                    if self.random.chance(20) { self.random.below(1030) } else { self.random.below(8) };
                packet.payload = self.words(words);
            }
            5 => packet.payload.truncate(packet.payload.len().saturating_sub(4)),
            6 => packet.header[0] ^= 1 << self.random.below(10),
            _ => packet.header[self.random.below(4)] ^= 1 << self.random.below(32),
        }
    }

    /// Keeps it from changing what the run relies on: requests that wait have tags of their own, and what decides for errors,
    /// resets and places changes at other times.
    fn tame(&mut self, mut packet: Packet) -> Packet {
        // A header of three words, and no digest: the port below takes it away.
        if !packet.is_long() {
            packet.header[3] = 0;
        }
        packet.header[0] &= !(1 << 15);
        match packet.kind() {
            Kind::Completion { .. } | Kind::Prefix | Kind::Undefined => return packet,
            Kind::ConfigurationWrite { far } => self.tame_configuration(&mut packet, far),
            _ => {}
        }
        let requester = REQUESTERS[usize::from(self.tag) % REQUESTERS.len()];
        packet.header[1] = packet.header[1] & 0xFFFF | u32::from(requester) << 16;
        packet.with_tag(self.tag)
    }

    fn tame_configuration(&mut self, packet: &mut Packet, far: bool) {
        let endpoint = self.endpoint;
        if !far && !self.may_move {
            packet.header[2] = packet.header[2] & 0xFF_FFFF | u32::from(endpoint.bus) << 24;
        }
        let [first, ..] = &endpoint.functions[..] else { unreachable!("there is a function 0") };
        let offset = packet.register();
        let at = &first.offsets;
        let is_decisive = matches!(offset, 0x10..=0x1C)
            || offset == at.express + 8
            || (at.errors..at.errors + 0x2C).contains(&offset)
            || at.virtualization.is_some_and(|start| (start..start + 0x40).contains(&offset));
        if is_decisive {
            packet.header[2] ^= 0x800;
        }
        if offset == at.msix
            && let Some(word) = packet.payload.first_chunk_mut::<4>()
        {
            // No interrupts.
            word[3] &= 0x7F;
        }
        if offset == 4
            && let Some(word) = packet.payload.first_chunk_mut()
        {
            // Of Command the base addresses and the bus master only; status bits are cleared by who looks at them.
            packet.header[1] &= !0xC;
            let id = RoutingId((packet.header[2] >> 16) as u16);
            let id = if far { id } else { RoutingId::new(endpoint.bus, id.number()) };
            let kept = endpoint.at(id).map_or(0, |function| endpoint.functions[function].word(4));
            *word = merged(kept, u32::from_le_bytes(*word), 15, 6).to_le_bytes();
        }
    }
}
