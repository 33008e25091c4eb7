//! A queue of a device: its ring, and what lies between the ring and the device.

use super::{
    dma::{Dma, Region},
    error::Fault,
    features::Features,
    layout::{Limits, Plan},
    ring::{Part, Raw, Ring, Used},
};
use crate::{
    pcie::{Machine, Permission},
    random::Random,
};
use std::collections::HashMap;

/// A notification that is to be written (4.1.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doorbell {
    pub address: u64,
    pub data: u32,
    /// 2, or 4 with NOTIFICATION_DATA.
    pub bytes: usize,
}

/// What the device has.
#[derive(Default)]
struct Buffer {
    /// What it consists of, and what of that is written.
    parts: Vec<(Region, bool)>,
    /// It is no buffer: nobody asks for what is in it.
    is_raw: bool,
}

/// See the module.
pub struct Queue {
    pub index: u16,
    pub vector: u16,
    pub ring: Box<dyn Ring>,
    /// Where notifications go.
    doorbell: u64,
    features: Features,
    buffers: HashMap<u64, Buffer>,
    next_token: u64,
    /// The driver waits for interrupts.
    has_interrupts: bool,
    /// It looks at the ring at the next opportunity.
    pub is_due: bool,
    pub notifications: u64,
}

/// What comes back, with the bytes that were written.
pub struct Returned {
    pub token: u64,
    pub data: Vec<u8>,
}

impl Queue {
    pub fn new(
        index: u16,
        vector: u16,
        ring: Box<dyn Ring>,
        doorbell: u64,
        features: Features,
        has_interrupts: bool,
    ) -> Queue {
        Queue {
            index,
            vector,
            ring,
            doorbell,
            features,
            buffers: HashMap::new(),
            next_token: 0,
            has_interrupts,
            is_due: true,
            notifications: 0,
        }
    }

    pub fn limits(&self) -> Limits {
        Limits {
            size: self.ring.size(),
            packed: self.features.has(Features::RING_PACKED),
            indirect: self.features.has(Features::INDIRECT_DESC),
        }
    }

    /// Adds a buffer that lies as planned: the device reads `data` in the first parts, and writes the others. Returns its
    /// token, or `None` if there is no room.
    ///
    /// # Panics
    /// If no part ends with the data.
    pub fn add(&mut self, machine: &mut Machine, dma: &mut Dma, data: &[u8], plan: &Plan) -> Option<u64> {
        if plan.descriptors() > self.ring.room() {
            return None;
        }
        let mut rest = data;
        let mut regions = vec![];
        let mut parts = vec![];
        for (bytes, place) in &plan.parts {
            let writable = rest.is_empty();
            let region = match writable {
                true => dma.map(machine, *bytes, *place, Permission::WRITE),
                false => {
                    let (here, later) = rest.split_at(*bytes);
                    rest = later;
                    dma.share(machine, here, *place)
                }
            };
            parts.push(Part { address: region.address, length: *bytes as u32, writable });
            regions.push((region, writable));
        }
        let token = self.next_token;
        self.next_token += 1;
        let is_added = self.ring.add(machine, dma, &parts, plan.table, token);
        assert!(is_added, "there is room for it");
        self.buffers.insert(token, Buffer { parts: regions, is_raw: false });
        Some(token)
    }

    /// Adds descriptors as they are, if there are any, which lead to these regions; `false` if there is no room. The regions
    /// stay mapped until it comes back, or the queue is closed.
    pub fn add_raw(&mut self, machine: &mut Machine, list: &[Raw], regions: Vec<Region>) -> bool {
        let token = self.next_token;
        self.next_token += 1;
        let parts = regions.into_iter().map(|region| (region, false)).collect();
        self.buffers.insert(token, Buffer { parts, is_raw: true });
        list.is_empty() || self.ring.add_raw(machine, list, token)
    }

    /// Takes the next used buffer.
    ///
    /// # Errors
    /// The device breaks a rule of rings.
    pub fn collect(&mut self, machine: &mut Machine, dma: &mut Dma) -> Result<Option<Returned>, Fault> {
        loop {
            let used = self.ring.collect(machine, dma);
            let used = used.map_err(|error| Fault::Ring { queue: self.index, error })?;
            let Some(Used { token, written }) = used else { return Ok(None) };
            let buffer = self.buffers.remove(&token).unwrap_or_default();
            let mut left = written as usize;
            let mut data = vec![];
            for (region, writable) in buffer.parts {
                let here = if writable { left.min(region.bytes) } else { 0 };
                let start = data.len();
                data.resize(start + here, 0);
                region.read(machine, 0, &mut data[start..]);
                left -= here;
                dma.unmap(machine, region);
            }
            if !buffer.is_raw {
                return Ok(Some(Returned { token, data }));
            }
        }
    }

    /// The driver looks at the ring now.
    pub fn begin(&mut self, machine: &mut Machine) {
        if self.has_interrupts {
            self.ring.disarm(machine);
        }
    }

    /// The driver has seen all; returns whether it has to look again. An interrupt comes for the next used buffer, or, if
    /// that is good enough, after some of those that are outstanding.
    pub fn end(&mut self, machine: &mut Machine, patient: bool, random: &mut Random) -> bool {
        if !self.has_interrupts {
            return false;
        }
        let outstanding = self.ring.outstanding();
        let after = if patient && outstanding > 1 { random.below(outstanding) } else { 0 };
        self.is_due = self.ring.arm(machine, after as u16);
        self.is_due
    }

    /// Makes buffers available; returns a notification if the device wants one.
    pub fn publish(&mut self, machine: &mut Machine) -> Option<Doorbell> {
        let position = self.ring.publish(machine)?;
        self.notifications += 1;
        Some(self.doorbell_at(position))
    }

    /// A notification that says this, whether the device asks for it or not; [`Ring::position`] is the truth.
    pub fn doorbell_at(&self, position: u16) -> Doorbell {
        let index = u32::from(self.index);
        let (data, bytes) = match self.features.has(Features::NOTIFICATION_DATA) {
            true => (index | u32::from(position) << 16, 4),
            false => (index, 2),
        };
        Doorbell { address: self.doorbell, data, bytes }
    }

    /// Takes everything away from the device, which must have forgotten it; returns the tokens of what was outstanding.
    pub fn close(&mut self, machine: &mut Machine, dma: &mut Dma) -> Vec<u64> {
        let tokens = self.ring.close(machine, dma);
        for (region, _) in self.buffers.drain().flat_map(|(_, buffer)| buffer.parts) {
            dma.unmap(machine, region);
        }
        tokens
    }
}
