//! What the registers hold, written from the rules of docs/src/manager.md and not from the register map.

use crate::{config::Config, virtio::types::Cause};
use std::collections::BTreeMap;

/// An access of a master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub offset: u16,
    /// What is to be written; `None` for a read.
    pub write: Option<u32>,
    pub enables: u8,
}

pub fn read(offset: u16) -> Access {
    Access { offset, write: None, enables: 15 }
}

pub fn write(offset: u16, data: u32) -> Access {
    Access { offset, write: Some(data), enables: 15 }
}

/// What the bridge refuses in these tests.
pub fn bridge_refuses(offset: u16) -> bool {
    offset & 0x40 != 0
}

pub fn causes() -> [Cause; 8] {
    use Cause::*;
    [Access, Index, Descriptor, Loop, Empty, Direction, Indirect, Header]
}

/// What the registers hold.
#[derive(Clone)]
pub struct Model {
    pub functions: usize,
    pub pairs: u32,
    pub wires: u32,
    pub bridge: Vec<u32>,
    pub driver_ok: u64,
    pub was_reset: u64,
    pub broken: u64,
    pub events: u32,
    pub enabled: u32,
    pub link: u32,
    pub sending: Option<Vec<u8>>,
    pub send_buffer: Vec<u8>,
    pub ports: [u32; 3],
    pub received: Option<(Vec<u8>, u32)>,
    pub lost: u32,
    /// MAC_LOW to MODERATION_TRANSMIT.
    pub rows: Vec<[u32; 8]>,
    pub dropped: Vec<u32>,
    pub faults: Vec<u32>,
    /// Interrupts that were asked for since this was cleared.
    pub interrupts: usize,
    /// What was acknowledged, and what was set for moderation: function, receive, transmit.
    pub acknowledged: Vec<u64>,
    pub moderated: Vec<(u32, u32, u32)>,
    /// Device rows that have not left.
    pub waiting: BTreeMap<u32, [u32; 5]>,
}

impl Model {
    pub fn new(config: &Config) -> Model {
        let functions = config.functions();
        Model {
            functions,
            pairs: config.pairs as u32,
            wires: config.wires as u32,
            bridge: vec![0; 0x400],
            driver_ok: 0,
            was_reset: 0,
            broken: 0,
            events: 0,
            enabled: 0,
            link: 0,
            sending: None,
            send_buffer: vec![0; 0x800],
            ports: [0; 3],
            received: None,
            lost: 0,
            rows: vec![[0; 8]; functions],
            dropped: vec![0; functions],
            faults: vec![0; functions],
            interrupts: 0,
            acknowledged: vec![],
            moderated: vec![],
            waiting: BTreeMap::new(),
        }
    }

    /// An event has happened.
    pub fn happens(&mut self, bit: usize) {
        if self.enabled & !self.events & 1 << bit != 0 {
            self.interrupts += 1;
        }
        self.events |= 1 << bit;
    }

    /// What an access comes to; `None` if it is refused.
    pub fn access(&mut self, access: Access) -> Option<u32> {
        let Access { offset, write, enables } = access;
        if !offset.is_multiple_of(4) || (write.is_some() && enables != 15) {
            return None;
        }
        match (offset, write) {
            (0..0x1000, _) if bridge_refuses(offset) => None,
            (0..0x1000, None) => Some(self.bridge[usize::from(offset) / 4]),
            (0..0x1000, Some(data)) => {
                self.bridge[usize::from(offset) / 4] = data;
                Some(0)
            }
            (0x1000..0x2000, None) => self.read_own(offset),
            (0x1000..0x2000, Some(data)) => self.write_own(offset, data).then_some(0),
            (0x2000..0x3000, _) => self.function(usize::from(offset - 0x2000), write),
            (0x3000..0x3800, Some(data)) if self.sending.is_none() => {
                let at = usize::from(offset - 0x3000);
                self.send_buffer[at..at + 4].copy_from_slice(&data.to_le_bytes());
                Some(0)
            }
            (0x3800.., None) => {
                let (frame, _) = self.received.as_ref()?;
                let byte = |i| frame.get(usize::from(offset - 0x3800) + i).copied().unwrap_or(0);
                Some(u32::from_le_bytes([0, 1, 2, 3].map(byte)))
            }
            _ => None,
        }
    }

    /// The bits of a read that mean something.
    pub fn meaning(&self, offset: u16) -> u32 {
        let length = self.received.as_ref().map_or(0, |(frame, _)| frame.len());
        match offset {
            0x1058 if self.received.is_none() => 1 << 31,
            0x3800.. => match length.saturating_sub(usize::from(offset - 0x3800)) {
                0 => 0,
                bytes @ 1..4 => (1 << (8 * bytes)) - 1,
                _ => u32::MAX,
            },
            _ => u32::MAX,
        }
    }

    fn read_own(&self, offset: u16) -> Option<u32> {
        Some(match offset {
            0x1000 => u32::from_be_bytes(*b"HEMM"),
            0x1004 => 0x0001_0000,
            0x1008 => self.functions as u32 | self.pairs << 8 | self.wires << 12,
            0x1010 => self.driver_ok as u32,
            0x1014 => (self.driver_ok >> 32) as u32,
            0x1018 => self.was_reset as u32,
            0x101c => (self.was_reset >> 32) as u32,
            0x1020 => self.broken as u32,
            0x1024 => (self.broken >> 32) as u32,
            0x1028 => self.events,
            0x102c => self.enabled,
            0x1030 => self.link,
            0x1040 | 0x105c => 0,
            0x1044 => self.sending.is_some().into(),
            0x1048 => self.ports[0],
            0x104c => self.ports[1],
            0x1050 => self.ports[2],
            0x1058 => match &self.received {
                Some((frame, port)) => frame.len() as u32 | port << 16 | 1 << 31,
                None => 0,
            },
            0x1060 => self.lost,
            _ => return None,
        })
    }

    /// Whether it is taken.
    fn write_own(&mut self, offset: u16, data: u32) -> bool {
        let low = u64::from(data);
        let all = u64::MAX >> (64 - self.functions);
        match offset {
            0x1018 | 0x101c => {
                let ones = if offset == 0x1018 { low } else { low << 32 } & all;
                if ones != 0 {
                    self.acknowledged.push(ones);
                }
            }
            0x1020 => self.broken &= !low,
            0x1024 => self.broken &= !(low << 32),
            0x1028 => self.events &= !data,
            0x102c => {
                if self.events & data & !self.enabled & 31 != 0 {
                    self.interrupts += 1;
                }
                self.enabled = data & 31;
            }
            0x1040 if self.sending.is_none() && (1..=1536).contains(&data) => {
                self.sending = Some(self.send_buffer[..data as usize].to_vec());
            }
            0x1048 if self.sending.is_none() => self.ports[0] = data,
            0x104c if self.sending.is_none() => self.ports[1] = data,
            0x1050 if self.sending.is_none() => self.ports[2] = data & 0x8000_0003,
            0x105c => self.received = None,
            _ => return false,
        }
        true
    }

    fn function(&mut self, offset: usize, write: Option<u32>) -> Option<u32> {
        let (function, word) = (offset / 64, offset % 64 / 4);
        if function == 1 || function >= self.functions {
            return None;
        }
        let Some(data) = write else {
            return match word {
                0..8 => Some(self.rows[function][word]),
                8 => Some(self.dropped[function]),
                9 => Some(self.faults[function]),
                _ => None,
            };
        };
        let masks = [u32::MAX, 0xffff, 0xffff, u32::MAX, 0xff03, 1, 0xff_ffff, 0xff_ffff];
        match word {
            0..8 => self.rows[function][word] = data & masks[word],
            8 => self.dropped[function] = 0,
            _ => return None,
        }
        let row = self.rows[function];
        match word {
            4 => {
                self.waiting.insert(function as u32, std::array::from_fn(|word| row[word]));
            }
            7 => self.moderated.push((function as u32, row[6], row[7])),
            _ => {}
        }
        Some(0)
    }

    /// Functions that may have addresses beside their own.
    pub fn may_address(&self) -> u128 {
        self.rows.iter().enumerate().map(|(function, row)| u128::from(row[5]) << function).sum()
    }
}
