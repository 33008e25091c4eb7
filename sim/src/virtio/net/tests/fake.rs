//! A device that sends every frame back to the pair that it came from; plain Rust, one function.

use super::super::{HEADER, Header};
use crate::{
    pcie::{Adapter, Bridge, Configuration, Host, Machine, Platform, RoutingId, interface::Origin},
    virtio::{
        features::Features,
        pci::Function,
        ring::{
            RingOptions,
            tests::device::{Chain, DeviceSide},
        },
    },
};
use std::convert::Infallible;

pub const FUNCTION: Function =
    Function { id: RoutingId(0x105), bars: [0x20_0000_0000, 0, 0x21_0000_0000, 0, 0, 0] };
pub const PAIRS: usize = 2;
const ORIGIN: Origin = Origin { requester: RoutingId(0x105), time: 0 };

#[derive(Default)]
struct Queue {
    size: u16,
    vector: u16,
    enabled: bool,
    areas: [u32; 6],
    side: Option<DeviceSide>,
    awake: bool,
}

pub struct Fake {
    pub machine: Machine,
    pub offered: Features,
    /// Refuses commands.
    pub refuses: bool,
    /// Interrupts are lost.
    pub mute: bool,
    pub commands: Vec<Vec<u8>>,
    bridge: Bridge,
    words: [u32; 64],
    table: [u32; 64],
    features: [u32; 4],
    selects: [u32; 2],
    status: u8,
    queue: u16,
    queues: Vec<Queue>,
    /// Frames that wait for receive buffers, of each pair.
    waiting: Vec<Vec<Vec<u8>>>,
}

impl Fake {
    pub fn new(offered: Features) -> Fake {
        let mut words = [0; 64];
        words[0x34 / 4] = 0x40;
        let windows = [(1, 0, 64), (2, 0x3000, 32), (3, 0x1000, 1), (4, 0x2000, 20), (5, 0, 0)];
        for (index, (kind, offset, bytes)) in windows.into_iter().enumerate() {
            let at = 0x40 + 0x14 * index;
            words[at / 4] = kind << 24 | 20 << 16 | (at as u32 + 0x14) << 8 | 0x09;
            words[at / 4 + 2] = offset;
            words[at / 4 + 3] = bytes;
            words[at / 4 + 4] = if kind == 2 { 4 } else { 0 };
        }
        let msix = 0x40 + 0x14 * windows.len();
        words[msix / 4] = 3 << 16 | 0x11;
        words[msix / 4 + 1] = 2;
        let mut fake = Fake {
            machine: Machine::new(),
            offered,
            refuses: false,
            mute: false,
            commands: vec![],
            bridge: Bridge::default(),
            words,
            table: [0; 64],
            features: [0; 4],
            selects: [0; 2],
            status: 0,
            queue: 0,
            queues: vec![],
            waiting: vec![],
        };
        fake.reset();
        fake
    }

    fn reset(&mut self) {
        self.status = 0;
        self.features = [0; 4];
        self.queues =
            (0..2 * PAIRS + 1).map(|_| Queue { size: 256, vector: 0xFFFF, ..Queue::default() }).collect();
        self.waiting = vec![vec![]; PAIRS];
    }

    fn has(&self, feature: Features) -> bool {
        let words = self.features.iter().rev();
        Features(words.fold(0, |all, word| all << 32 | u128::from(*word))).has(feature)
    }

    fn get(&self, offset: u64) -> u32 {
        let none = Queue { vector: 0xFFFF, ..Queue::default() };
        let queue = self.queues.get(usize::from(self.queue)).unwrap_or(&none);
        match offset {
            0x04 => self.offered.word(self.selects[0] as usize),
            0x10 => 0,
            0x12 => self.queues.len() as u32,
            0x14 => self.status.into(),
            0x18 => queue.size.into(),
            0x1A => queue.vector.into(),
            0x1C => queue.enabled.into(),
            0x1E => self.queue.into(),
            0x3A => 0,
            0x2000..0x2006 => 2 + offset as u32 - 0x2000,
            0x2006 => 1,
            0x2008 => PAIRS as u32,
            0x200A => 1500,
            0x200C => 10_000,
            0x2010 => 1,
            _ => 0,
        }
    }

    fn set(&mut self, offset: u64, value: u32) {
        let options = RingOptions {
            packed: self.has(Features::RING_PACKED),
            event_index: self.has(Features::EVENT_IDX),
            in_order: self.has(Features::IN_ORDER),
            ..RingOptions::default()
        };
        if let Some(index) = offset.checked_sub(0x3000) {
            assert!(self.status & 4 != 0, "a notification before DRIVER_OK");
            self.queues[index as usize / 4].awake |= u64::from(value & 0xFFFF) == index / 4;
            return;
        }
        let queue = self.queues.get_mut(usize::from(self.queue));
        match (offset, queue) {
            (0x00, _) => self.selects[0] = value,
            (0x08, _) => self.selects[1] = value,
            (0x0C, _) => self.features[self.selects[1] as usize] = value,
            (0x14, _) if value == 0 => self.reset(),
            (0x14, _) => {
                self.status |= value as u8;
                self.queues.iter_mut().for_each(|queue| queue.awake |= value & 4 != 0);
            }
            (0x16, _) => self.queue = value as u16,
            (0x18, Some(queue)) => queue.size = value as u16,
            (0x1A, Some(queue)) => queue.vector = value as u16,
            (0x1C, Some(queue)) => {
                queue.enabled = true;
                queue.awake = true;
                let area = |at: usize| u64::from(queue.areas[at]) | u64::from(queue.areas[at + 1]) << 32;
                let areas = [area(0), area(2), area(4)];
                queue.side = Some(DeviceSide::new(FUNCTION.id, queue.size, options, areas));
            }
            (0x20..0x38, Some(queue)) => queue.areas[(offset as usize - 0x20) / 4] = value,
            (0x3A, Some(queue)) => *queue = Queue { size: 256, vector: 0xFFFF, ..Queue::default() },
            _ => {}
        }
    }

    fn take(&mut self, index: usize) -> Option<Chain> {
        let queue = &mut self.queues[index];
        let side = queue.side.as_mut().filter(|_| self.status & 4 != 0 && queue.awake)?;
        let chain = side.take(&mut self.machine);
        if chain.is_none() {
            queue.awake = !side.arm(&mut self.machine);
        }
        chain
    }

    fn give_back(&mut self, index: usize, chains: &[(Chain, u32)]) {
        let queue = &mut self.queues[index];
        let is_wanted = queue.side.as_mut().expect("it is enabled").give_back(&mut self.machine, chains);
        if is_wanted && queue.vector != 0xFFFF && !self.mute {
            let entry = &self.table[4 * usize::from(queue.vector)..][..4];
            assert!(entry[3] & 1 == 0, "the vector is unmasked");
            let address = u64::from(entry[1]) << 32 | u64::from(entry[0]);
            self.machine.interrupt(ORIGIN, address, entry[2]);
        }
    }

    fn gather(&mut self, index: usize, chain: &Chain) -> Vec<u8> {
        let side = self.queues[index].side.as_ref().expect("it is enabled");
        let parts = chain.parts.iter().filter(|part| !part.writable);
        parts.flat_map(|part| side.read(&mut self.machine, part.address, part.length as usize)).collect()
    }

    /// Writes what fits; returns how much that is.
    fn scatter(&mut self, index: usize, chain: &Chain, data: &[u8]) -> usize {
        let side = self.queues[index].side.as_ref().expect("it is enabled");
        let mut done = 0;
        for part in chain.writable() {
            let here = &data[done..data.len().min(done + part.length as usize)];
            side.write(&mut self.machine, part.address, here);
            done += here.len();
        }
        done
    }

    /// Receive buffers for a frame that waits; `None` if there are not enough.
    fn deliver(&mut self, pair: usize, frame: &[u8]) {
        let mut chains: Vec<Chain> = vec![];
        let room = |chains: &[Chain]| -> usize {
            chains.iter().flat_map(Chain::writable).map(|part| part.length as usize).sum()
        };
        while room(&chains) < HEADER + frame.len() {
            match self.take(2 * pair) {
                Some(chain) => chains.push(chain),
                // The frame is lost, and the buffers with it: tests see to it that there are enough.
                None => return,
            }
        }
        let header = Header { buffers: chains.len() as u16, ..Header::default() };
        let data = [&header.bytes()[..], frame].concat();
        let mut rest = &data[..];
        let mut used = vec![];
        for chain in chains {
            let done = self.scatter(2 * pair, &chain, rest);
            rest = &rest[done..];
            used.push((chain, done as u32));
        }
        // In order, and with a length for each.
        if self.has(Features::IN_ORDER) {
            used.into_iter().for_each(|one| self.give_back(2 * pair, &[one]));
        } else {
            self.give_back(2 * pair, &used);
        }
    }

    fn step(&mut self) {
        for pair in 0..PAIRS {
            if let Some(chain) = self.take(2 * pair + 1) {
                let data = self.gather(2 * pair + 1, &chain);
                self.waiting[pair].push(data[HEADER..].to_vec());
                self.give_back(2 * pair + 1, &[(chain, 0)]);
            }
            for frame in std::mem::take(&mut self.waiting[pair]) {
                self.deliver(pair, &frame);
            }
        }
        let control = 2 * if self.has(Features::MQ) { PAIRS } else { 1 };
        if self.has(Features::CTRL_VQ)
            && let Some(chain) = self.take(control)
        {
            let command = self.gather(control, &chain);
            self.commands.push(command);
            self.scatter(control, &chain, &[u8::from(self.refuses)]);
            self.give_back(control, &[(chain, 1)]);
        }
    }
}

impl Configuration for Fake {
    type Error = Infallible;

    fn bridge(&mut self) -> &mut Bridge {
        &mut self.bridge
    }

    fn read_configuration(&mut self, id: RoutingId, offset: u16) -> Result<Option<u32>, Infallible> {
        Ok((id == FUNCTION.id).then(|| self.words[usize::from(offset) / 4]))
    }

    fn write_configuration(&mut self, _: RoutingId, _: u16, _: u8, _: u32) -> Result<bool, Infallible> {
        Ok(true)
    }

    fn wait(&mut self, cycles: u64) -> Result<(), Infallible> {
        (0..cycles).for_each(|_| self.step());
        Ok(())
    }
}

impl Adapter for Fake {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<bool, Infallible> {
        let value = self.get(address - FUNCTION.bars[0]).to_le_bytes();
        data.copy_from_slice(&value[..data.len()]);
        Ok(true)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Infallible> {
        match address.checked_sub(FUNCTION.bars[2]) {
            Some(offset) => {
                for (word, bytes) in self.table[offset as usize / 4..].iter_mut().zip(data.chunks_exact(4)) {
                    *word = u32::from_le_bytes(bytes.try_into().expect("a word"));
                }
            }
            None => {
                let value = data.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
                self.set(address - FUNCTION.bars[0], value);
            }
        }
        Ok(())
    }
}

impl Host for Fake {
    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
