//! Memory that a driver shares with its function, mapped with exactly the permission and for exactly as long as needed.

use crate::{
    pcie::{Machine, Permission, RoutingId},
    random::Random,
};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

/// Bytes that are mapped for a function.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// What the function is told.
    pub address: u64,
    pub bytes: usize,
    /// Where it is in the host's memory.
    memory: u64,
}

impl Region {
    pub fn read(&self, machine: &Machine, offset: usize, data: &mut [u8]) {
        machine.memory.read(self.memory + offset as u64, data);
    }

    pub fn write(&self, machine: &mut Machine, offset: usize, data: &[u8]) {
        debug_assert!(offset + data.len() <= self.bytes, "a driver writes what it has not mapped");
        machine.memory.write(self.memory + offset as u64, data);
    }

    pub fn read_half(&self, machine: &Machine, offset: usize) -> u16 {
        let mut data = [0; 2];
        self.read(machine, offset, &mut data);
        u16::from_le_bytes(data)
    }

    pub fn write_half(&self, machine: &mut Machine, offset: usize, value: u16) {
        self.write(machine, offset, &value.to_le_bytes());
    }
}

/// Where addresses of a region begin: at `offset` modulo `alignment`, which is a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub alignment: u64,
    pub offset: u64,
}

impl Place {
    pub const fn aligned(alignment: u64) -> Place {
        Place { alignment, offset: 0 }
    }
}

/// Writes there are interrupts.
const MESSAGES: Range<u64> = 0xFEE0_0000..0xFEF0_0000;

/// Where addresses of a function may begin: below 4 GiB, just there, and above.
const STARTS: [u64; 3] = [0x1000_0000, 0xFFFF_F000, 0x7F12_3456_7000];

/// The smallest piece of the host's memory that is given out.
const SMALLEST: usize = 64;

/// Gives out memory for one function.
///
/// Memory is used again; an address of the function never is, so that whatever the function does with a buffer that it has
/// returned is refused by the IOMMU. Regions do not touch each other, for the same reason.
#[derive(Debug)]
pub struct Dma {
    id: RoutingId,
    address: u64,
    memory: u64,
    /// Pieces by their size.
    free: BTreeMap<usize, VecDeque<u64>>,
    random: Random,
}

impl Dma {
    /// Takes away whatever is mapped for the function.
    pub fn new(machine: &mut Machine, id: RoutingId, seed: u64) -> Dma {
        machine.iommu.attach(id);
        machine.iommu.unmap(id, 0..u64::MAX);
        let mut random = Random::fork(seed, id.0.into());
        let address = *random.pick(&STARTS);
        Dma { id, address, memory: u64::from(id.0) << 44, free: BTreeMap::new(), random }
    }

    pub fn id(&self) -> RoutingId {
        self.id
    }

    /// Maps so many bytes, at least one.
    pub fn map(
        &mut self,
        machine: &mut Machine,
        bytes: usize,
        place: Place,
        permission: Permission,
    ) -> Region {
        let piece = piece(bytes);
        let memory = self.free.get_mut(&piece).and_then(VecDeque::pop_front).unwrap_or_else(|| {
            self.memory += piece as u64;
            self.memory - piece as u64
        });
        let mut address = self.aligned(place);
        if address < MESSAGES.end && address + bytes as u64 > MESSAGES.start {
            self.address = MESSAGES.end;
            address = self.aligned(place);
        }
        self.address = address + bytes as u64 + 1 + self.random.below(64) as u64;
        machine.iommu.map(self.id, address..address + bytes as u64, memory, permission);
        Region { address, bytes, memory }
    }

    /// Maps bytes with these contents, which the function may read.
    pub fn share(&mut self, machine: &mut Machine, data: &[u8], place: Place) -> Region {
        let region = self.map(machine, data.len(), place, Permission::READ);
        region.write(machine, 0, data);
        region
    }

    fn aligned(&self, Place { alignment, offset }: Place) -> u64 {
        let offset = offset % alignment;
        (self.address.max(offset) - offset).next_multiple_of(alignment) + offset
    }

    /// Takes a region away from the function.
    pub fn unmap(&mut self, machine: &mut Machine, region: Region) {
        machine.iommu.unmap(self.id, region.address..region.address + 1);
        self.free.entry(piece(region.bytes)).or_default().push_back(region.memory);
    }

    /// An address where nothing is mapped, nor will be.
    pub fn nowhere(&mut self) -> u64 {
        self.address = self.address.max(MESSAGES.end) + 0x1_0000;
        self.address - 0x8000
    }
}

fn piece(bytes: usize) -> usize {
    bytes.max(SMALLEST).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcie::{Platform, interface::Origin};

    #[test]
    fn regions_are_reached_while_they_are_mapped_and_addresses_do_not_return() {
        let mut machine = Machine::new();
        let id = RoutingId(0x102);
        let origin = Origin { requester: id, time: 0 };
        let mut dma = Dma::new(&mut machine, id, 1);
        let mut seen = vec![];
        for round in 0..200 {
            let place = Place { alignment: 1 << (round % 13), offset: round };
            let region = dma.map(&mut machine, 100, place, Permission::WRITE);
            assert_eq!(region.address % place.alignment, place.offset % place.alignment);
            assert!(!seen.contains(&region.address));
            seen.push(region.address);
            machine.write(origin, region.address, &[round as u8; 100]);
            let mut data = [0; 100];
            region.read(&machine, 0, &mut data);
            assert_eq!(data, [round as u8; 100]);
            assert!(machine.iommu.take_intrusions().is_empty());
            for outside in [region.address - 1, region.address + 100] {
                machine.write(origin, outside, &[0xEE]);
                assert_eq!(machine.iommu.take_intrusions().len(), 1);
            }
            let address = region.address;
            dma.unmap(&mut machine, region);
            machine.write(origin, address, &[1]);
            assert_eq!(machine.iommu.take_intrusions().len(), 1);
        }
        assert!(dma.free.values().map(VecDeque::len).sum::<usize>() == 1, "memory is used again");
    }
}
