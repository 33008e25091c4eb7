//! Frames that come (virtio 5.1.6.3, 5.1.6.4).

use super::{
    Event, NetOptions,
    header::{HEADER, Header},
};
use crate::{
    pcie::Machine,
    random::Random,
    virtio::{
        dma::Dma,
        error::Fault,
        features::Features,
        layout::{Layout, Plan},
        queue::Queue,
    },
};
use std::collections::VecDeque;

/// A receive queue.
pub struct Receive {
    pub queue: Queue,
    layout: Layout,
    /// MRG_RXBUF.
    merges: bool,
    /// The smallest buffer that may be.
    least: usize,
    /// Descriptors that are kept free.
    reserve: usize,
    /// What the next buffer will be.
    next: Option<Plan>,
}

impl Receive {
    pub fn new(queue: Queue, options: &NetOptions) -> Receive {
        let merges = options.features.has(Features::MRG_RXBUF);
        let least = if merges { HEADER } else { HEADER + options.longest };
        let (layout, reserve) = (options.receive.clone(), options.reserve);
        Receive { queue, layout, merges, least, reserve, next: None }
    }

    /// Gives the device as many buffers as there is room for.
    pub fn fill(&mut self, machine: &mut Machine, dma: &mut Dma, random: &mut Random) {
        loop {
            let plan = self.next.take().unwrap_or_else(|| {
                let bytes = self.layout.size(random, self.least);
                self.layout.plan(random, bytes, self.queue.limits())
            });
            let is_enough = self.queue.ring.room() < plan.descriptors() + self.reserve;
            if is_enough || self.queue.add(machine, dma, &[], &plan).is_none() {
                self.next = Some(plan);
                return;
            }
        }
    }

    /// Takes the frames that came. The buffers of one are used together.
    pub fn collect(
        &mut self,
        machine: &mut Machine,
        dma: &mut Dma,
        pair: usize,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Fault> {
        let queue = self.queue.index;
        while let Some(first) = self.queue.collect(machine, dma)? {
            let data = first.data;
            if data.is_empty() && !self.merges {
                events.push_back(Event::Nothing { pair });
                continue;
            }
            let Some(header) = data.first_chunk::<HEADER>().map(Header::of_bytes) else {
                return Err(Fault::Short { queue, bytes: data.len() });
            };
            self.check(&header)?;
            let mut frame = data[HEADER..].to_vec();
            for found in 1..header.buffers {
                let next = self.queue.collect(machine, dma)?;
                let next = next.ok_or(Fault::Torn { queue, buffers: header.buffers, found })?;
                frame.extend(next.data);
            }
            events.push_back(Event::Received { pair, header, frame });
        }
        Ok(())
    }

    /// What the device must put there without offloads of segments (5.1.6.4.1).
    fn check(&self, header: &Header) -> Result<(), Fault> {
        let what = match header {
            Header { gso_type: 1.., .. } => "a frame has segments that nobody agreed on",
            Header { buffers: 0, .. } => "a frame takes no buffers",
            Header { buffers: 2.., .. } if !self.merges => "a frame takes several buffers without MRG_RXBUF",
            _ => return Ok(()),
        };
        Err(Fault::Header { queue: self.queue.index, what })
    }
}
