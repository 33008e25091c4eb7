//! Pseudo-random values in place of what hardware leaves undefined.

use super::{
    code::Slot,
    lower::{self, Netlist},
    machine::{Lanes, Machine},
};

/// A pseudo-random sequence (SplitMix64).
pub(super) struct Poison(u64);

impl Poison {
    pub fn new(seed: u64) -> Poison {
        Poison(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// The reads and writes of memories with undefined collisions that can meet.
pub(super) struct Fragile {
    pairs: Vec<Pair>,
}

struct Pair {
    read_domain: usize,
    write_domain: usize,
    read: (Slot, Slot),
    write: (Slot, Slot),
    /// The word of the register that takes what is read; the others follow.
    state: usize,
    /// Which bits of its words can be written at all.
    whole: Vec<u64>,
    lanes: Option<Lanes>,
}

/// Bits of a register's word that come out as anything.
pub(super) struct Collision {
    pub slot: Slot,
    pub mask: u64,
    pub value: u64,
}

impl Fragile {
    pub fn new(net: &Netlist, machine: &Machine) -> Fragile {
        let mut pairs = vec![];
        for read in &net.fragile_reads {
            let register = &net.registers[read.register];
            for write in net.writes.iter().filter(|write| write.memory == read.memory) {
                pairs.push(Pair {
                    read_domain: register.domain,
                    write_domain: write.domain,
                    read: (machine.slot(read.enable), machine.slot(read.address)),
                    write: (machine.slot(write.enable), machine.slot(write.address)),
                    state: register.state,
                    whole: whole(&net.memories[read.memory]),
                    lanes: write.lanes.as_ref().map(|(enables, lanes)| {
                        let enables = enables.iter().map(|&node| machine.slot(node)).collect();
                        Lanes::new(enables, *lanes, register.width)
                    }),
                });
            }
        }
        Fragile { pairs }
    }

    /// What the coming edge of `domains` leaves undefined.
    pub fn collisions(&self, machine: &Machine, domains: &[usize], poison: &mut Poison) -> Vec<Collision> {
        let mut out = vec![];
        for pair in &self.pairs {
            let clocked = domains.contains(&pair.read_domain) && domains.contains(&pair.write_domain);
            let enabled = machine.get(pair.read.0) != 0 && machine.get(pair.write.0) != 0;
            if !clocked || !enabled || machine.get(pair.read.1) != machine.get(pair.write.1) {
                continue;
            }
            let masks = match &pair.lanes {
                Some(lanes) => lanes.masks(|slot| machine.get(slot), pair.whole.len()),
                None => pair.whole.clone(),
            };
            for (i, mask) in masks.into_iter().enumerate() {
                out.push(Collision { slot: (pair.state + i) as Slot, mask, value: poison.word() });
            }
        }
        out
    }
}

/// Ones in all bits of an element's words.
fn whole(layout: &lower::MemoryLayout) -> Vec<u64> {
    (0..layout.stride).map(|i| super::mask(super::words::word_width(layout.width, i))).collect()
}
