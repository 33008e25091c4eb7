//! What drivers send.

use super::{
    super::{
        TOO_LONG,
        model::{Features, Function, Model, Rights, port},
    },
    world::{ANSWERS, HOLE, Sent},
    *,
};
use crate::virtio::testing::Buffer;
use std::collections::{BTreeMap, HashMap};

/// Draws what a driver might send.
pub(super) struct Draw<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) wires: usize,
    /// Where the next bytes lie.
    pub(super) next: u64,
}

impl Draw<'_> {
    /// An address: of a few that belong to the function or, if they may meet, to all.
    pub(super) fn address(&mut self, function: usize, meets: bool) -> u64 {
        let whose = if meets && self.rng.u8(..3) == 0 { 0xFF } else { function as u64 };
        0x0200_0000_0000 | whose << 8 | self.rng.u64(..6)
    }

    fn bytes_of(mac: u64) -> Vec<u8> {
        mac.to_be_bytes()[2..].to_vec()
    }

    fn list(&mut self, count: usize, mut one: impl FnMut(&mut Self) -> u64) -> Vec<u8> {
        let mut list = (count as u32).to_le_bytes().to_vec();
        (0..count).for_each(|_| list.extend(Self::bytes_of(one(self))));
        list
    }

    pub(super) fn command(&mut self, function: usize, meets: bool) -> Vec<u8> {
        let group = |draw: &mut Self| 0x0100_5e00_0000 | draw.rng.u64(..1 << 20);
        let mut command = match self.rng.u8(..16) {
            0..=1 => vec![0, self.rng.u8(..2), self.rng.u8(..3)],
            2..=5 => {
                let many = [0, 1, 2, 3, 4, 9][self.rng.usize(..6)];
                let unicast = self.list(many, |draw| match draw.rng.u8(..60) {
                    0 => group(draw),
                    _ => draw.address(function, meets),
                });
                let many = [0, 1, 7, 60][self.rng.usize(..4)];
                [vec![1, 0], unicast, self.list(many, group)].concat()
            }
            6..=8 => {
                let address = match self.rng.u8(..12) {
                    0 => group(self),
                    _ => self.address(function, meets),
                };
                [vec![1, 1], Self::bytes_of(address)].concat()
            }
            9..=11 => {
                let vid: u16 = match self.rng.u8(..10) {
                    0 => self.rng.u16(4094..=4096),
                    1 => self.rng.u16(..),
                    _ => self.rng.u16(..8),
                };
                [vec![2, self.rng.u8(..2)], vid.to_le_bytes().to_vec()].concat()
            }
            12 => vec![3, 0],
            13 => [vec![4, 0], self.rng.u16(..6).to_le_bytes().to_vec()].concat(),
            14 => vec![self.rng.u8(..6), self.rng.u8(..3), 0, 0],
            _ => (0..self.rng.usize(..12)).map(|_| self.rng.u8(..3)).collect(),
        };
        match self.rng.u8(..30) {
            0 => command.push(0),
            1 => command.truncate(command.len().saturating_sub(1)),
            2 if command.len() > 5 => command[5] = 1,
            _ => {}
        }
        command
    }

    pub(super) fn sent(&mut self, memory: &mut HashMap<u64, u8>, command: Vec<u8>, id: u64) -> Sent {
        let most = [1, 2, 4, 20][self.rng.usize(..4)].min(command.len());
        let mut cuts: Vec<usize> = (1..most).map(|_| self.rng.usize(1..command.len())).collect();
        cuts.extend([0, command.len()]);
        cuts.sort();
        cuts.dedup();
        let mut parts: Vec<(u64, usize)> = vec![];
        for cut in cuts.windows(2) {
            let at = self.next + self.rng.u64(..64);
            (at..).zip(&command[cut[0]..cut[1]]).for_each(|(at, byte)| {
                memory.insert(at, *byte);
            });
            self.next = at + (cut[1] - cut[0]) as u64;
            parts.push((at, cut[1] - cut[0]));
        }
        let mut bytes = command;
        let (mut fails, mut long) = (false, false);
        match self.rng.u8(..24) {
            0 if !parts.is_empty() => {
                let which = self.rng.usize(..parts.len());
                parts[which].0 = HOLE;
                bytes.truncate(parts[..which].iter().map(|part| part.1).sum());
                fails = true;
            }
            1 => {
                parts.push((HOLE, TOO_LONG - bytes.len()));
                long = true;
            }
            _ => {}
        }
        let mut answer = None;
        if parts.is_empty() || self.rng.u8(..20) > 0 {
            answer = Some(ANSWERS + self.next);
            self.next += 1;
            for more in 0..[1, 1, 1, 2][self.rng.usize(..4)] {
                parts.push((ANSWERS + self.next - 1 + more * 64, self.rng.usize(1..5)));
            }
        }
        let bad = self.rng.u8(..24) == 0;
        let buffer = Buffer { parts, id, places: self.rng.u64(1..5), bad };
        Sent { buffer, bytes, fails, long, answer }
    }

    pub(super) fn features(&mut self) -> Features {
        let mut accepts = || self.rng.u8(..5) > 0;
        Features {
            receive: accepts(),
            vlan: accepts(),
            address: accepts(),
            announce: accepts(),
            pairs: accepts(),
        }
    }
}

pub(super) fn model(rng: &mut Rng, config: &Config) -> Model {
    let mut draw = Draw { rng, wires: config.wires, next: 0 };
    let functions = config.functions();
    let features = (0..functions).map(|_| draw.features()).collect();
    let rights = (0..functions)
        .map(|_| {
            let mut may = |often: u8| draw.rng.u8(..often) > 0;
            Rights { address: may(5), unicast: may(3), multicast: may(3) }
        })
        .collect();
    // The manager has given some addresses to whom they belong to, and some to others.
    let mut manager = BTreeMap::new();
    for function in 0..functions {
        let port = port(draw.wires, function);
        manager.insert(draw.address(function, false), port);
        if draw.rng.u8(..4) == 0 {
            manager.insert(draw.address(function, false), port | 1);
        }
    }
    let ports = config.ports();
    let vlans = (0..8).map(|vid| (vid, draw.rng.u128(..) & draw.rng.u128(..) & ((1 << ports) - 1))).collect();
    Model {
        wires: config.wires,
        most_pairs: config.pairs as u16,
        functions: vec![Function::default(); functions],
        features,
        rights,
        room: manager.len() + 2 * functions,
        manager,
        vlans,
        told: vec![],
    }
}
