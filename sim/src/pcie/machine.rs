//! The simulated platform: memory behind an IOMMU, and a receiver of interrupts.

use super::{
    interface::{Adapter, Origin, Platform, Refused},
    iommu::{Access, Iommu},
    memory::Memory,
};

/// The message of an interrupt that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    pub origin: Origin,
    pub address: u64,
    pub data: u32,
}

/// A host without software.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub memory: Memory,
    pub iommu: Iommu,
    /// In the order in which they came.
    pub interrupts: Vec<Interrupt>,
}

/// An adapter in such a host: what software has to do with.
pub trait Host: Adapter {
    fn machine(&mut self) -> &mut Machine;
}

impl Machine {
    pub fn new() -> Machine {
        Machine::default()
    }
}

impl Platform for Machine {
    fn read(&mut self, origin: Origin, address: u64, data: &mut [u8]) -> Result<(), Refused> {
        let runs = self.iommu.translate(origin, Access::Read, address, data.len()).ok_or(Refused)?;
        let mut rest = data;
        for (at, length) in runs {
            let (part, after) = rest.split_at_mut(length);
            self.memory.read(at, part);
            rest = after;
        }
        Ok(())
    }

    fn write(&mut self, origin: Origin, address: u64, data: &[u8]) {
        let mut rest = data;
        for (at, length) in
            self.iommu.translate(origin, Access::Write, address, data.len()).into_iter().flatten()
        {
            let (part, after) = rest.split_at(length);
            self.memory.write(at, part);
            rest = after;
        }
    }

    fn interrupt(&mut self, origin: Origin, address: u64, data: u32) {
        if self.iommu.admits_interrupt(origin, address) {
            self.interrupts.push(Interrupt { origin, address, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcie::{iommu::Permission, packet::RoutingId};

    #[test]
    fn accesses_go_through_the_iommu() {
        let mut machine = Machine::new();
        let origin = Origin { requester: RoutingId(0x100), time: 5 };
        machine.iommu.map(origin.requester, 0x1000..0x1010, 0x8000, Permission::BOTH);
        machine.iommu.map(origin.requester, 0x1010..0x1020, 0x4000, Permission::BOTH);
        machine.write(origin, 0x100E, &[1, 2, 3, 4]);
        assert_eq!(machine.memory.bytes(0x800E, 2), [1, 2]);
        assert_eq!(machine.memory.bytes(0x4000, 2), [3, 4]);
        let mut data = [0; 4];
        assert_eq!(machine.read(origin, 0x100E, &mut data), Ok(()));
        assert_eq!(data, [1, 2, 3, 4]);
        // Not even the part that is mapped is written.
        machine.write(origin, 0x101E, &[9; 4]);
        assert_eq!(machine.memory.bytes(0x400E, 2), [0, 0]);
        assert_eq!(machine.read(origin, 0x101E, &mut data), Err(Refused));
        machine.interrupt(origin, 0xFEE0_0000, 3);
        machine.interrupt(Origin { requester: RoutingId(0x200), time: 6 }, 0xFEE0_0000, 4);
        assert_eq!(machine.interrupts, [Interrupt { origin, address: 0xFEE0_0000, data: 3 }]);
        assert_eq!(machine.iommu.intrusions().len(), 3);
    }
}
