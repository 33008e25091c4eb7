//! Frames that go (virtio 5.1.6.2).

use super::{
    Event,
    header::{Header, NEEDS_CSUM},
};
use crate::{
    pcie::Machine,
    random::Random,
    virtio::{
        dma::Dma,
        error::Fault,
        layout::{Layout, Plan},
        queue::Queue,
    },
};
use std::collections::{HashMap, VecDeque};

/// A frame that is to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    pub frame: Vec<u8>,
    /// With CSUM: where the checksum's bytes begin, and its own place behind that.
    pub checksum: Option<(u16, u16)>,
    /// What the sender calls it.
    pub tag: u64,
}

impl Packet {
    /// What the device reads.
    pub fn bytes(&self) -> Vec<u8> {
        let header = match self.checksum {
            Some((checksum_start, checksum_offset)) => {
                Header { flags: NEEDS_CSUM, checksum_start, checksum_offset, ..Header::default() }
            }
            None => Header::default(),
        };
        [&header.bytes()[..], &self.frame].concat()
    }
}

/// A transmit queue.
pub struct Transmit {
    pub queue: Queue,
    layout: Layout,
    /// What the packets are called.
    tags: HashMap<u64, u64>,
    /// How the packet lies that found no room, by its bytes: it is tried again.
    waiting: Option<(usize, Plan)>,
}

impl Transmit {
    pub fn new(queue: Queue, layout: Layout) -> Transmit {
        Transmit { queue, layout, tags: HashMap::new(), waiting: None }
    }

    pub fn send(
        &mut self,
        machine: &mut Machine,
        dma: &mut Dma,
        random: &mut Random,
        packet: &Packet,
    ) -> bool {
        let data = packet.bytes();
        let waiting = self.waiting.take().filter(|(bytes, _)| *bytes == data.len());
        let plan = match waiting {
            Some((_, plan)) => plan,
            None => self.layout.plan(random, data.len(), self.queue.limits()),
        };
        match self.queue.add(machine, dma, &data, &plan) {
            Some(token) => {
                self.tags.insert(token, packet.tag);
                true
            }
            None => {
                self.waiting = Some((data.len(), plan));
                false
            }
        }
    }

    pub fn collect(
        &mut self,
        machine: &mut Machine,
        dma: &mut Dma,
        pair: usize,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Fault> {
        while let Some(returned) = self.queue.collect(machine, dma)? {
            if let Some(tag) = self.tags.remove(&returned.token) {
                events.push_back(Event::Sent { pair, tag });
            }
        }
        Ok(())
    }

    /// Takes everything away from the device; returns what it had not said to be sent.
    pub fn close(&mut self, machine: &mut Machine, dma: &mut Dma) -> Vec<u64> {
        let tokens = self.queue.close(machine, dma);
        tokens.into_iter().filter_map(|token| self.tags.remove(&token)).collect()
    }
}
