//! What each function may reach of the host's memory; everything else is recorded.

use super::{interface::Origin, packet::RoutingId};
use std::{collections::BTreeMap, fmt, ops::Range};

/// What a function does with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Interrupt,
}

/// What a function may do with memory that is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    pub read: bool,
    pub write: bool,
}

impl Permission {
    pub const READ: Permission = Permission { read: true, write: false };
    pub const WRITE: Permission = Permission { read: false, write: true };
    pub const BOTH: Permission = Permission { read: true, write: true };
}

/// Why an access is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No function has this routing ID.
    Unknown,
    /// The function should be silent.
    Silent,
    /// Some of the bytes are not mapped for the function.
    Unmapped,
    /// They are, but not for such an access.
    Forbidden,
}

/// An access that must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intrusion {
    pub origin: Origin,
    pub access: Access,
    pub address: u64,
    pub bytes: usize,
    pub reason: Reason,
}

impl fmt::Display for Intrusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Intrusion { origin: Origin { requester, time }, access, address, bytes, reason } = self;
        let reason = match reason {
            Reason::Unknown => "there is no such function",
            Reason::Silent => "the function should be silent",
            Reason::Unmapped => "not mapped for it",
            Reason::Forbidden => "not permitted there",
        };
        write!(f, "cycle {time}: {access:?} of {bytes} bytes at {address:#x} by {requester}: {reason}")
    }
}

/// Addresses that a function may use, and where in memory they are.
#[derive(Clone, Debug)]
struct Mapping {
    addresses: Range<u64>,
    memory: u64,
    permission: Permission,
}

#[derive(Clone, Debug, Default)]
struct Domain {
    silent: bool,
    /// By their first addresses.
    mappings: BTreeMap<u64, Mapping>,
}

impl Domain {
    /// The mapping that an address is in.
    fn find(&self, address: u64) -> Option<&Mapping> {
        let (_, mapping) = self.mappings.range(..=address).next_back()?;
        mapping.addresses.contains(&address).then_some(mapping)
    }
}

/// A table of mappings for each routing ID.
#[derive(Clone, Debug, Default)]
pub struct Iommu {
    domains: BTreeMap<RoutingId, Domain>,
    intrusions: Vec<Intrusion>,
}

impl Iommu {
    pub fn new() -> Iommu {
        Iommu::default()
    }

    /// Makes a function known; it may send interrupts, and reach no memory yet.
    pub fn attach(&mut self, id: RoutingId) {
        self.domains.entry(id).or_default();
    }

    /// Lets a function use addresses for memory that begins at `memory`.
    ///
    /// # Panics
    /// If some of them are mapped already.
    pub fn map(&mut self, id: RoutingId, addresses: Range<u64>, memory: u64, permission: Permission) {
        let mappings = &mut self.domains.entry(id).or_default().mappings;
        let before = mappings.range(..addresses.end).next_back();
        let is_free = before.is_none_or(|(_, old)| old.addresses.end <= addresses.start);
        assert!(is_free, "{id}: {addresses:#x?} is mapped already");
        mappings.insert(addresses.start, Mapping { addresses, memory, permission });
    }

    /// Takes mappings that begin in `addresses` away.
    pub fn unmap(&mut self, id: RoutingId, addresses: Range<u64>) {
        if let Some(domain) = self.domains.get_mut(&id) {
            domain.mappings.extract_if(addresses, |_, _| true).for_each(drop);
        }
    }

    /// From now on every access of this function is an intrusion, or no longer.
    pub fn set_silent(&mut self, id: RoutingId, silent: bool) {
        self.domains.entry(id).or_default().silent = silent;
    }

    /// Takes a function away with all its mappings.
    pub fn detach(&mut self, id: RoutingId) {
        self.domains.remove(&id);
    }

    /// The accesses that were refused.
    pub fn intrusions(&self) -> &[Intrusion] {
        &self.intrusions
    }

    /// Those since the last call.
    pub fn take_intrusions(&mut self) -> Vec<Intrusion> {
        std::mem::take(&mut self.intrusions)
    }

    /// Whether the function may send an interrupt.
    pub fn admits_interrupt(&mut self, origin: Origin, address: u64) -> bool {
        let reason = match self.domains.get(&origin.requester) {
            None => Reason::Unknown,
            Some(domain) if domain.silent => Reason::Silent,
            Some(_) => return true,
        };
        self.intrusions.push(Intrusion { origin, access: Access::Interrupt, address, bytes: 4, reason });
        false
    }

    /// Where in memory the bytes are, in runs that make up the access; `None` if the function may not reach all of them.
    pub fn translate(
        &mut self,
        origin: Origin,
        access: Access,
        address: u64,
        bytes: usize,
    ) -> Option<Vec<(u64, usize)>> {
        match self.runs(origin.requester, access, address, bytes) {
            Ok(runs) => Some(runs),
            Err(reason) => {
                self.intrusions.push(Intrusion { origin, access, address, bytes, reason });
                None
            }
        }
    }

    fn runs(
        &self,
        id: RoutingId,
        access: Access,
        mut address: u64,
        bytes: usize,
    ) -> Result<Vec<(u64, usize)>, Reason> {
        let domain = self.domains.get(&id).ok_or(Reason::Unknown)?;
        if domain.silent {
            return Err(Reason::Silent);
        }
        let mut runs = vec![];
        let mut left = bytes;
        while left > 0 {
            let mapping = domain.find(address).ok_or(Reason::Unmapped)?;
            let Permission { read, write } = mapping.permission;
            if !(if access == Access::Read { read } else { write }) {
                return Err(Reason::Forbidden);
            }
            let length = (mapping.addresses.end - address).min(left as u64);
            runs.push((mapping.memory + (address - mapping.addresses.start), length as usize));
            left -= length as usize;
            address = address.wrapping_add(length);
        }
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: RoutingId = RoutingId(0x100);
    const TWO: RoutingId = RoutingId(0x102);

    fn by(requester: RoutingId) -> Origin {
        Origin { requester, time: 7 }
    }

    #[test]
    fn functions_reach_what_is_theirs() {
        let mut iommu = Iommu::new();
        iommu.map(ONE, 0x1000..0x2000, 0x9000, Permission::BOTH);
        iommu.map(ONE, 0x2000..0x3000, 0x5000, Permission::READ);
        iommu.map(TWO, 0x1000..0x2000, 0xA000, Permission::WRITE);
        assert_eq!(
            iommu.translate(by(ONE), Access::Read, 0x1FF0, 0x20),
            Some(vec![(0x9FF0, 16), (0x5000, 16)])
        );
        assert_eq!(iommu.translate(by(TWO), Access::Write, 0x1000, 8), Some(vec![(0xA000, 8)]));
        assert!(iommu.intrusions().is_empty());
        let refused = [
            (ONE, Access::Write, 0x1FF0, 0x20, Reason::Forbidden),
            (ONE, Access::Read, 0x2FFF, 2, Reason::Unmapped),
            (TWO, Access::Read, 0x1000, 1, Reason::Forbidden),
            (RoutingId(0x101), Access::Read, 0x1000, 1, Reason::Unknown),
        ];
        for (id, access, address, bytes, reason) in refused {
            assert_eq!(iommu.translate(by(id), access, address, bytes), None);
            let expected = Intrusion { origin: by(id), access, address, bytes, reason };
            assert_eq!(iommu.take_intrusions(), [expected]);
        }
    }

    #[test]
    fn silence_and_absence() {
        let mut iommu = Iommu::new();
        iommu.map(ONE, 0..0x1000, 0, Permission::BOTH);
        assert!(iommu.admits_interrupt(by(ONE), 0xFEE0_0000));
        iommu.set_silent(ONE, true);
        assert!(!iommu.admits_interrupt(by(ONE), 0xFEE0_0000));
        assert_eq!(iommu.translate(by(ONE), Access::Write, 0, 4), None);
        iommu.set_silent(ONE, false);
        assert!(iommu.translate(by(ONE), Access::Write, 0, 4).is_some());
        iommu.unmap(ONE, 0..1);
        assert_eq!(iommu.translate(by(ONE), Access::Write, 0, 4), None);
        iommu.detach(ONE);
        assert!(!iommu.admits_interrupt(by(ONE), 0xFEE0_0000));
        let reasons: Vec<Reason> = iommu.intrusions().iter().map(|intrusion| intrusion.reason).collect();
        assert_eq!(reasons, [Reason::Silent, Reason::Silent, Reason::Unmapped, Reason::Unknown]);
        assert_eq!(
            iommu.intrusions()[2].to_string(),
            "cycle 7: Write of 4 bytes at 0x0 by 01:00.0: not mapped for it"
        );
    }
}
