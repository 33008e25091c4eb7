//! What tests of the blocks that serve queues share: a store of buffers, and what they give back.

use super::{
    queues::{Queue, queue_count, slot_bits},
    types::{Descriptor, Used},
};
use crate::{config::Config, pcie::configuration::function_bits, testing::*};
use hdl::*;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub struct Buffer {
    /// Addresses and lengths.
    pub parts: Vec<(u64, usize)>,
    pub id: u64,
    pub places: u64,
    /// Its last part says so.
    pub bad: bool,
}

impl Buffer {
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|(_, length)| length).sum()
    }
}

/// Answers pops of one client, two to eight cycles later.
pub struct Store {
    pop: Stream<Queue>,
    popped: Valid<Descriptor>,
    slot_bits: usize,
    /// By their numbers.
    pub queues: Vec<VecDeque<Buffer>>,
    /// Parts that have been popped of the first buffer of the queue that is being popped.
    pub taken: usize,
    /// The queue whose next part is wanted, and cycles until it comes.
    asked: Option<(usize, usize)>,
}

impl Store {
    pub fn new(pop: Stream<Queue>, popped: Valid<Descriptor>, config: &Config) -> Store {
        let queues = vec![VecDeque::new(); queue_count(config)];
        Store { pop, popped, slot_bits: slot_bits(config), queues, taken: 0, asked: None }
    }

    /// The number of the queue on these ports.
    pub fn number(&self, sim: &mut Native, queue: Queue) -> usize {
        (sim.peek(queue.function) << self.slot_bits | sim.peek(queue.slot)) as usize
    }
}

impl Agent for Store {
    fn drive(&mut self, bench: &mut Bench) {
        let ready = self.asked.is_none() && bench.rng.bool();
        let sim = &mut bench.sim;
        sim.poke(self.pop.ready, ready);
        let comes = matches!(self.asked, Some((_, 0)));
        sim.poke(self.popped.valid, comes);
        match self.asked {
            Some((queue, 0)) => {
                self.asked = None;
                let buffer = &self.queues[queue][0];
                let (address, length) = buffer.parts[self.taken];
                self.taken += 1;
                let last = self.taken == buffer.parts.len();
                let part = self.popped.payload.part;
                sim.poke(part.address, address.into());
                sim.poke(part.length, length as u128);
                sim.poke(part.last, last);
                sim.poke(part.bad, last && buffer.bad);
                sim.poke(part.id, buffer.id.into());
                sim.poke(part.places, buffer.places.into());
                if last {
                    self.queues[queue].pop_front();
                    self.taken = 0;
                }
            }
            Some((_, ref mut cycles)) => *cycles -= 1,
            None => {}
        }
    }

    fn sample(&mut self, bench: &mut Bench) {
        let sim = &mut bench.sim;
        if sim.peek(self.pop.valid) && sim.peek(self.pop.ready) {
            let queue = self.number(sim, self.pop.payload);
            assert!(!self.queues[queue].is_empty(), "a part of queue {queue} that is not there");
            self.asked = Some((queue, bench.rng.usize(2..8)));
        }
    }
}

/// A buffer that was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    pub queue: usize,
    pub id: u64,
    pub length: u64,
    pub places: u64,
    pub joined: bool,
}

impl Given {
    /// What this beat of [`Used`] says.
    pub fn of(word: &Word, config: &Config) -> Given {
        let ty = Used::ty(config);
        let mut low = 0;
        // The last field is the lowest.
        let mut next = |width: usize| {
            low += width;
            field(word, low - width, width)
        };
        let joined = next(1) == 1;
        let places = next(Bits::from(ty.places).width());
        let length = next(Bits::from(ty.length).width());
        let id = next(Bits::from(ty.id).width());
        let function = next(function_bits(config));
        let slot = next(slot_bits(config));
        Given { queue: (function << slot_bits(config) | slot) as usize, id, length, places, joined }
    }
}
