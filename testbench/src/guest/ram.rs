//! Memory of the host: what a driver gives away is mapped for its function, just those bytes and just for that use.

use super::hooks::Pages;
use sim::pcie::{
    Machine, Permission, RoutingId,
    interface::{Origin, Platform, Refused},
    iommu,
};
use std::{
    borrow::{Borrow, BorrowMut},
    collections::BTreeMap,
    ptr::NonNull,
};

/// What functions are given lies here, the same addresses for all of them: who takes the ID of another finds other data.
const FIRST_ADDRESS: u64 = 0x7_0000_0000;

const PAGE: u64 = 4096;

/// What a buffer holds that the device is to write: what it leaves out is seen.
const UNWRITTEN: u8 = 0xA5;

/// The platform that an adapter acts on.
#[derive(Default)]
pub struct Ram {
    /// The IOMMU and the interrupts; its memory holds the buffers, but not the rings.
    pub machine: Machine,
    /// By where they are in memory.
    pages: BTreeMap<u64, Pages>,
    loans: BTreeMap<(RoutingId, u64), Loan>,
    /// Bytes of memory in use, and of the addresses of each function; nothing is used twice.
    used: u64,
    named: BTreeMap<RoutingId, u64>,
}

/// What a function was given.
struct Loan {
    memory: u64,
    bytes: usize,
}

impl Ram {
    pub fn new() -> Ram {
        Ram::default()
    }

    /// Maps memory that nobody had before. Pages without a mapping lie on both sides.
    fn begin(&mut self, id: RoutingId, bytes: usize, skew: u64, permission: Permission) -> (u64, u64) {
        let room = (skew + bytes as u64).next_multiple_of(PAGE) + PAGE;
        let named = self.named.entry(id).or_default();
        let (memory, address) = (PAGE + self.used, FIRST_ADDRESS + *named + skew);
        self.used += room;
        *named += room;
        self.machine.iommu.map(id, address..address + bytes as u64, memory, permission);
        self.loans.insert((id, address), Loan { memory, bytes });
        (address, memory)
    }

    fn end(&mut self, id: RoutingId, address: u64) -> Loan {
        let loan = self.loans.remove(&(id, address));
        self.machine.iommu.unmap(id, address..address + 1);
        loan.unwrap_or_else(|| panic!("{id} was not given {address:#x}"))
    }

    /// The pages that hold the bytes, and where in there.
    fn pages(&self, memory: u64, bytes: usize) -> Option<(&Pages, usize)> {
        let (start, pages) = self.pages.range(..=memory).next_back()?;
        let offset = (memory - start) as usize;
        (offset + bytes <= pages.bytes()).then_some((pages, offset))
    }

    pub(super) fn lend_pages(
        &mut self,
        id: RoutingId,
        count: usize,
        permission: Permission,
    ) -> (u64, NonNull<u8>) {
        let pages = Pages::new(count);
        let start = pages.start();
        let (address, memory) = self.begin(id, pages.bytes(), 0, permission);
        self.pages.insert(memory, pages);
        (address, start)
    }

    pub(super) fn take_pages(&mut self, id: RoutingId, address: u64) -> Pages {
        let Loan { memory, .. } = self.end(id, address);
        self.pages.remove(&memory).unwrap_or_else(|| panic!("{id} was given no pages at {address:#x}"))
    }

    /// Gives a buffer, at any alignment.
    pub(super) fn lend(&mut self, id: RoutingId, data: &[u8], permission: Permission) -> u64 {
        let skew = self.used / PAGE * 13 % PAGE;
        let (address, memory) = self.begin(id, data.len(), skew, permission);
        match permission.read {
            true => self.machine.memory.write(memory, data),
            false => self.machine.memory.write(memory, &vec![UNWRITTEN; data.len()]),
        }
        address
    }

    pub(super) fn take(&mut self, id: RoutingId, address: u64) -> Vec<u8> {
        let Loan { memory, bytes } = self.end(id, address);
        self.machine.memory.bytes(memory, bytes)
    }

    /// Takes everything from a function.
    pub(super) fn take_all(&mut self, id: RoutingId) {
        let addresses: Vec<u64> =
            self.loans.range((id, 0)..=(id, u64::MAX)).map(|((_, at), _)| *at).collect();
        for address in addresses {
            let Loan { memory, .. } = self.end(id, address);
            self.pages.remove(&memory);
        }
    }

    /// What the driver of this function sees in pages at an address of the function.
    pub(super) fn word(&self, id: RoutingId, address: u64) -> u16 {
        let mut word = [0; 2];
        let loan = self.loans.range(..=(id, address)).next_back().filter(|((owner, _), _)| *owner == id);
        let ((_, start), Loan { memory, .. }) =
            loan.unwrap_or_else(|| panic!("{id} has nothing at {address:#x}"));
        let place = self.pages(memory + (address - start), word.len());
        let (pages, offset) = place.unwrap_or_else(|| panic!("{id} has no pages at {address:#x}"));
        pages.read(offset, &mut word);
        u16::from_le_bytes(word)
    }
}

impl Platform for Ram {
    fn read(&mut self, origin: Origin, address: u64, data: &mut [u8]) -> Result<(), Refused> {
        let runs = self.machine.iommu.translate(origin, iommu::Access::Read, address, data.len());
        let mut rest = data;
        for (memory, length) in runs.ok_or(Refused)? {
            let (part, after) = rest.split_at_mut(length);
            match self.pages(memory, length) {
                Some((pages, offset)) => pages.read(offset, part),
                None => self.machine.memory.read(memory, part),
            }
            rest = after;
        }
        Ok(())
    }

    fn write(&mut self, origin: Origin, address: u64, data: &[u8]) {
        let runs = self.machine.iommu.translate(origin, iommu::Access::Write, address, data.len());
        let mut rest = data;
        for (memory, length) in runs.into_iter().flatten() {
            let (part, after) = rest.split_at(length);
            match self.pages(memory, length) {
                Some((pages, offset)) => pages.write(offset, part),
                None => self.machine.memory.write(memory, part),
            }
            rest = after;
        }
    }

    fn interrupt(&mut self, origin: Origin, address: u64, data: u32) {
        self.machine.interrupt(origin, address, data);
    }
}

impl Borrow<Machine> for Ram {
    fn borrow(&self) -> &Machine {
        &self.machine
    }
}

impl BorrowMut<Machine> for Ram {
    fn borrow_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
