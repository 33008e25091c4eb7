//! A virtio-net device as the standard describes it, as far as its registers go. It knows nothing of the hardware: structures
//! are those of 4.1.4.3 and 5.1.4, numbers of features those of 5.1.3 and 6.

/// What a write makes the device do beside remembering it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A queue's buffers may be there: its slot, and the index that came with it.
    Ring(usize, Option<u16>),
    Reset,
    ResetQueue(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    pub size: u16,
    pub vector: u16,
    /// Descriptors, driver's area, device's area.
    pub areas: [u64; 3],
    pub enabled: bool,
    pub resetting: bool,
    pub broken: bool,
}

const FRESH: Ring =
    Ring { size: 256, vector: 0xFFFF, areas: [0; 3], enabled: false, resetting: false, broken: false };

pub const ACKNOWLEDGE: u8 = 1;
pub const DRIVER: u8 = 2;
pub const DRIVER_OK: u8 = 4;
pub const FEATURES_OK: u8 = 8;
pub const NEEDS_RESET: u8 = 64;
pub const FAILED: u8 = 128;

/// Everything but SR_IOV.
pub const FEATURES: [usize; 22] =
    [0, 1, 3, 5, 15, 16, 17, 18, 19, 21, 22, 23, 28, 29, 32, 33, 34, 35, 36, 38, 40, 63];
pub const SR_IOV: usize = 37;

#[derive(Clone, Debug)]
pub struct Function {
    pub pairs: usize,
    pub offered: u128,
    /// What selects features: offered ones, accepted ones.
    selects: [u32; 2],
    pub accepted: u128,
    pub config_vector: u16,
    pub status: u8,
    pub queue_select: u16,
    pub rings: Vec<Ring>,
    pub mac: [u8; 6],
    pub own_mac: Option<[u8; 6]>,
    pub link_up: bool,
    pub announce: bool,
    pub mtu: u16,
    pub speed: u32,
    pub duplex: u8,
    pub isr: u8,
    pub resetting: bool,
    /// The generation that was read last, whether a read of the device configuration made it change since, and whether it
    /// may have.
    pub generation: (u8, bool, bool),
    /// The device configuration when it was read last.
    seen: Vec<u8>,
    /// Something has been said of the device configuration since it was read.
    pub touched: bool,
}

impl Function {
    pub fn new(number: usize, pairs: usize, has_virtual: bool) -> Function {
        let sr_iov = if has_virtual { 1 << SR_IOV } else { 0 };
        let mut new = Function {
            pairs,
            offered: FEATURES.iter().fold(sr_iov, |all, bit| all | 1 << bit),
            selects: [0; 2],
            accepted: 0,
            config_vector: 0xFFFF,
            status: 0,
            queue_select: 0,
            rings: vec![FRESH; 2 * pairs + 1],
            mac: [2, 0, 0, 0, 0, number as u8],
            own_mac: None,
            link_up: true,
            announce: false,
            mtu: 1500,
            speed: 10_000,
            duplex: 1,
            isr: 0,
            resetting: false,
            generation: (0, false, false),
            seen: vec![],
            touched: false,
        };
        new.seen = new.device();
        new
    }

    pub fn has(&self, feature: usize) -> bool {
        self.status & FEATURES_OK != 0 && self.accepted >> feature & 1 == 1
    }

    /// The slot of the driver's queue of this number (5.1.2).
    pub fn slot(&self, number: usize) -> Option<usize> {
        let control = self.rings.len() - 1;
        match number {
            0 | 1 => Some(number),
            _ if self.has(22) && number < control => Some(number),
            _ if self.has(17) && number == if self.has(22) { control } else { 2 } => Some(control),
            _ => None,
        }
    }

    pub fn lives(&self, slot: usize) -> bool {
        let ring = &self.rings[slot];
        let is_ready = self.status & DRIVER_OK != 0 && !self.resetting;
        is_ready && ring.enabled && !ring.resetting && !ring.broken
    }

    fn word_of(features: u128, select: u32) -> u32 {
        if select < 4 { (features >> (32 * select)) as u32 } else { 0 }
    }

    /// `struct virtio_pci_common_cfg`, without what `generation` is.
    fn common(&self) -> Vec<u8> {
        let slot = self.slot(self.queue_select.into());
        let ring = slot.map_or(Ring { size: 0, ..FRESH }, |slot| self.rings[slot]);
        let status = if self.resetting { NEEDS_RESET } else { self.status };
        let mut out = vec![];
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        put(&self.selects[0].to_le_bytes());
        put(&Self::word_of(self.offered, self.selects[0]).to_le_bytes());
        put(&self.selects[1].to_le_bytes());
        put(&Self::word_of(self.accepted, self.selects[1]).to_le_bytes());
        put(&self.config_vector.to_le_bytes());
        put(&(self.rings.len() as u16).to_le_bytes());
        put(&[status, 0]);
        put(&self.queue_select.to_le_bytes());
        put(&ring.size.to_le_bytes());
        put(&ring.vector.to_le_bytes());
        put(&u16::from(ring.enabled).to_le_bytes());
        put(&slot.map_or(0, |_| self.queue_select).to_le_bytes());
        ring.areas.iter().for_each(|area| put(&area.to_le_bytes()));
        put(&[0, 0]);
        put(&u16::from(ring.resetting).to_le_bytes());
        put(&[0; 4]);
        out
    }

    /// `struct virtio_net_config`.
    fn device(&self) -> Vec<u8> {
        let mut out = self.own_mac.unwrap_or(self.mac).to_vec();
        out.extend((u16::from(self.link_up) | u16::from(self.announce) << 1).to_le_bytes());
        out.extend((self.pairs as u16).to_le_bytes());
        out.extend(self.mtu.to_le_bytes());
        out.extend(self.speed.to_le_bytes());
        out.push(self.duplex);
        out
    }

    /// Judges what was read of the bytes in `mask`, from the word at `offset`.
    pub fn read(&mut self, offset: usize, mask: u32, got: u32) {
        let image = match offset >> 12 {
            0 => self.common(),
            1 => vec![self.isr],
            2 => self.device(),
            _ => vec![],
        };
        let at = offset & 0xFFF;
        let is_generation = |byte: usize| offset == 0x14 && byte == 1;
        for byte in (0..4).filter(|byte| mask >> byte & 1 == 1) {
            let value = (got >> (8 * byte)) as u8;
            if is_generation(byte) {
                let (last, must, may) = self.generation;
                assert!(!must || value != last, "the generation {value} must change (4.1.4.3.1)");
                assert!(must || may || value == last, "the generation {value} changes from {last}");
                self.generation = (value, false, false);
                continue;
            }
            let expected = image.get(at + byte).copied().unwrap_or(0);
            assert_eq!(value, expected, "{offset:#x} + {byte}: {got:#x}, {self:?}");
        }
        match offset >> 12 {
            1 if at == 0 && mask & 1 == 1 => self.isr = 0,
            2 if mask != 0 => {
                let image = self.device();
                let (last, must, may) = self.generation;
                self.generation = (last, must | (image != self.seen), may | self.touched);
                self.touched = false;
                self.seen = image;
            }
            _ => {}
        }
    }

    /// The bytes in `mask` of the word at `offset` are written.
    pub fn write(&mut self, offset: usize, mask: u32, data: u32) -> Vec<Effect> {
        let mut effects = vec![];
        if self.resetting {
            return effects;
        }
        let field = |at: usize, bytes: usize| {
            let inside = (offset..offset + 4).contains(&at);
            let needed = if inside { ((1 << bytes) - 1) << (at - offset) } else { u32::MAX };
            let value = if inside { u64::from(data) >> (8 * (at - offset)) } else { 0 };
            (mask & needed == needed).then_some((value & ((1 << (8 * bytes)) - 1)) as u32)
        };
        let vector = |value: u32| if value < 16 { value as u16 } else { 0xFFFF };
        let slot = self.slot(self.queue_select.into());
        let is_packed = self.has(34);
        let has_reset = self.has(40);
        if let Some(ring) = slot.map(|slot| &mut self.rings[slot]) {
            let is_settled = !ring.enabled && !ring.resetting;
            let is_size = |size: u32| (1..=256).contains(&size) && (is_packed || size.is_power_of_two());
            match field(0x18, 2) {
                Some(size) if is_settled && is_size(size) => ring.size = size as u16,
                _ => {}
            }
            if let Some(value) = field(0x1A, 2) {
                ring.vector = vector(value);
            }
            for half in 0..6 {
                match field(0x20 + 4 * half, 4) {
                    Some(value) if is_settled => {
                        let shift = 32 * (half % 2);
                        let area = &mut ring.areas[half / 2];
                        *area = *area & !(0xFFFF_FFFF << shift) | u64::from(value) << shift;
                    }
                    _ => {}
                }
            }
            if field(0x1C, 2) == Some(1) && is_settled {
                ring.enabled = true;
                if self.status & DRIVER_OK != 0 {
                    effects.extend(slot.map(|slot| Effect::Ring(slot, None)));
                }
            }
            let ring = &mut self.rings[slot.unwrap_or(0)];
            if field(0x3A, 2) == Some(1) && has_reset && !ring.resetting {
                ring.resetting = true;
                effects.extend(slot.map(Effect::ResetQueue));
            }
        }
        if let Some(value) = field(0, 4) {
            self.selects[0] = value;
        }
        if let Some(value) = field(8, 4) {
            self.selects[1] = value;
        }
        match field(0xC, 4) {
            Some(value) if self.selects[1] < 4 && self.status & FEATURES_OK == 0 => {
                let shift = 32 * self.selects[1];
                self.accepted = self.accepted & !(0xFFFF_FFFF << shift) | u128::from(value) << shift;
            }
            _ => {}
        }
        if let Some(value) = field(0x10, 2) {
            self.config_vector = vector(value);
        }
        if let Some(value) = field(0x16, 2) {
            self.queue_select = value as u16;
        }
        if let Some(value) = field(0x14, 1) {
            effects.extend(self.set_status(value as u8));
        }
        if offset >= 0x3000
            && let Some(number) = field(offset, 2)
            && number as usize == (offset - 0x3000) / 4
            && let Some(slot) = self.slot(number as usize)
            && self.lives(slot)
        {
            let index = field(offset, 4).filter(|_| self.has(38)).map(|word| (word >> 16) as u16);
            effects.push(Effect::Ring(slot, index));
        }
        effects
    }

    fn set_status(&mut self, value: u8) -> Vec<Effect> {
        if value == 0 {
            self.resetting = true;
            return vec![Effect::Reset];
        }
        self.status |= value & (ACKNOWLEDGE | DRIVER | FAILED);
        if value & FEATURES_OK != 0 && self.is_acceptable() {
            self.status |= FEATURES_OK;
        }
        let begins = value & DRIVER_OK != 0 && self.status & (FEATURES_OK | DRIVER_OK) == FEATURES_OK;
        if !begins {
            return vec![];
        }
        self.status |= DRIVER_OK;
        let enabled = (0..self.rings.len()).filter(|slot| self.rings[*slot].enabled);
        enabled.map(|slot| Effect::Ring(slot, None)).collect()
    }

    /// 2.2.2, 5.1.3.1, 6.1.
    fn is_acceptable(&self) -> bool {
        let has = |bit: usize| self.accepted >> bit & 1 == 1;
        let is_offered = self.accepted & !self.offered == 0;
        is_offered && has(32) && (has(17) || ![18, 19, 21, 22, 23].into_iter().any(has))
    }

    /// A reset is done. What the manager says of the device stays.
    pub fn reset(&mut self) {
        let fresh = Function::new(0, self.pairs, false);
        *self = Function {
            offered: self.offered,
            mac: self.mac,
            link_up: self.link_up,
            mtu: self.mtu,
            speed: self.speed,
            duplex: self.duplex,
            generation: self.generation,
            seen: std::mem::take(&mut self.seen),
            touched: true,
            ..fresh
        };
    }

    pub fn reset_queue(&mut self, slot: usize) {
        self.rings[slot] = FRESH;
    }
}
