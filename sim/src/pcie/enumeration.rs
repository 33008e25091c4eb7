//! What an operating system does with a bus: finds functions, sizes and assigns base addresses, enables virtual
//! functions; in the order of Linux 6.12 (`drivers/pci/probe.c`, `iov.c`).

use super::{interface::Configuration, packet::RoutingId};
use std::error::Error as StdError;
use thiserror::Error;

/// What the user of the bus wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Virtual functions to be enabled.
    pub vfs: u16,
    /// The port forwards ARI.
    pub alternative_routing: bool,
    /// The page size in bytes: a power of two from 4096 up.
    pub page: u32,
    /// Words of each configuration space that are read in the end: 1024 for all, at least 16.
    pub words: u16,
}

/// A function as it is configured in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub id: RoutingId,
    pub is_virtual: bool,
    /// Its configuration space. A virtual function has the vendor and device that software derives for it (9.3.4.1.1).
    pub words: Vec<u32>,
}

/// What an operating system stumbles over.
#[derive(Debug, Error)]
pub enum EnumerationError<E: StdError + 'static> {
    #[error(transparent)]
    Access(#[from] E),
    #[error("there is no function at {0}")]
    Missing(RoutingId),
    #[error("{id}: {what}")]
    Wrong { id: RoutingId, what: String },
}

const COMMAND: u16 = 0x04;
const HEADER: u16 = 0x0C;
const FIRST_BAR: u16 = 0x10;
const CAPABILITIES: u16 = 0x34;
const EXTENDED: u16 = 0x100;

const ARI: u16 = 0x000E;
const SR_IOV: u16 = 0x0010;

/// Finds and configures every function below the bridge.
///
/// # Errors
/// A completion that is wrong, or something that Linux would refuse.
pub fn enumerate<C: Configuration>(
    port: &mut C,
    options: &Options,
) -> Result<Vec<Function>, EnumerationError<C::Error>> {
    let mut host = Host { port, next_address: 0x10_0000_0000 };
    let first = RoutingId::new(host.port.bridge().secondary, 0);
    if !host.exists(first)? {
        return Ok(vec![]);
    }
    // The bus number is captured with the first write.
    host.write(first, COMMAND, 3, 0)?;
    let alternative_routing = options.alternative_routing && host.extended(first, ARI)?.is_some();
    host.port.bridge().alternative_routing = alternative_routing;
    let mut ids = vec![first];
    if alternative_routing {
        while let Some(next) = host.next_function(*ids.last().expect("there is one"))? {
            ids.push(next);
        }
    } else if host.read(first, HEADER)? >> 23 & 1 == 1 {
        for number in 1..8 {
            let id = RoutingId::new(first.bus(), number);
            if host.exists(id)? {
                ids.push(id);
            }
        }
    }
    for &id in &ids {
        host.check_list(id)?;
        host.assign(id, FIRST_BAR, 1, 4096)?;
        host.write(id, COMMAND, 3, 0b110)?;
    }
    let mut virtual_ids = vec![];
    for &id in &ids {
        if let Some(capability) = host.extended(id, SR_IOV)? {
            virtual_ids.extend(host.virtualize(id, capability, options)?);
        }
    }
    let mut functions = vec![];
    for &id in &ids {
        functions.push(Function { id, is_virtual: false, words: host.words(id, options.words)? });
    }
    for (id, vendor_device) in virtual_ids {
        if host.read(id, 0)? != u32::MAX {
            return Err(host.wrong(id, "a virtual function has a vendor of its own"));
        }
        host.check_list(id)?;
        host.write(id, COMMAND, 3, 0b100)?;
        let mut words = host.words(id, options.words)?;
        words[0] = vendor_device;
        functions.push(Function { id, is_virtual: true, words });
    }
    Ok(functions)
}

struct Host<'a, C> {
    port: &'a mut C,
    /// Where the next base address may be.
    next_address: u64,
}

impl<C: Configuration> Host<'_, C> {
    fn wrong(&self, id: RoutingId, what: impl Into<String>) -> EnumerationError<C::Error> {
        EnumerationError::Wrong { id, what: what.into() }
    }

    fn exists(&mut self, id: RoutingId) -> Result<bool, EnumerationError<C::Error>> {
        Ok(self.port.read_configuration(id, 0)?.is_some_and(|word| word != u32::MAX))
    }

    fn read(&mut self, id: RoutingId, offset: u16) -> Result<u32, EnumerationError<C::Error>> {
        self.port.read_configuration(id, offset)?.ok_or(EnumerationError::Missing(id))
    }

    fn write(
        &mut self,
        id: RoutingId,
        offset: u16,
        enables: u8,
        data: u32,
    ) -> Result<(), EnumerationError<C::Error>> {
        match self.port.write_configuration(id, offset, enables, data)? {
            true => Ok(()),
            false => Err(EnumerationError::Missing(id)),
        }
    }

    fn words(&mut self, id: RoutingId, count: u16) -> Result<Vec<u32>, EnumerationError<C::Error>> {
        (0..count).map(|word| self.read(id, 4 * word)).collect()
    }

    /// The lists of capabilities end, and lead nowhere else.
    fn check_list(&mut self, id: RoutingId) -> Result<(), EnumerationError<C::Error>> {
        let mut offset = self.read(id, CAPABILITIES)? as u16 & 0xFF;
        for _ in 0..48 {
            if offset == 0 {
                return Ok(());
            }
            if offset < 0x40 || !offset.is_multiple_of(4) {
                return Err(self.wrong(id, format!("a capability at {offset:#x}")));
            }
            offset = self.read(id, offset)? as u16 >> 8;
        }
        Err(self.wrong(id, "the list of capabilities has no end"))
    }

    /// Where an extended capability is.
    fn extended(
        &mut self,
        id: RoutingId,
        capability: u16,
    ) -> Result<Option<u16>, EnumerationError<C::Error>> {
        let mut offset = EXTENDED;
        for _ in 0..(4096 - 256) / 8 {
            let head = self.read(id, offset)?;
            if head as u16 == capability {
                return Ok(Some(offset));
            }
            offset = (head >> 20) as u16;
            if offset < EXTENDED {
                return Ok(None);
            }
        }
        Err(self.wrong(id, "the list of extended capabilities has no end"))
    }

    fn next_function(&mut self, id: RoutingId) -> Result<Option<RoutingId>, EnumerationError<C::Error>> {
        let Some(capability) = self.extended(id, ARI)? else { return Ok(None) };
        let next = (self.read(id, capability + 4)? >> 8) as u8;
        Ok((next > id.number()).then(|| RoutingId::new(id.bus(), next)))
    }

    /// Sizes six base address registers and gives each room for `count` functions.
    fn assign(
        &mut self,
        id: RoutingId,
        first: u16,
        count: u64,
        page: u64,
    ) -> Result<(), EnumerationError<C::Error>> {
        let mut index = 0;
        while index < 6 {
            let offset = first + 4 * index;
            let mut sized = u64::from(self.sized(id, offset)?);
            let is_wide = sized & 0b111 == 0b100;
            if sized & 1 == 1 {
                return Err(self.wrong(id, "a base address for ports"));
            }
            if is_wide {
                sized |= u64::from(self.sized(id, offset + 4)?) << 32;
            } else if sized != 0 {
                sized |= 0xFFFF_FFFF_0000_0000;
            }
            if sized != 0 {
                let size = (!(sized & !0xF)).wrapping_add(1);
                if !size.is_power_of_two() || size % page != 0 {
                    return Err(self.wrong(id, format!("a base address of {size} bytes, pages of {page}")));
                }
                let address = self.next_address.next_multiple_of(size);
                self.next_address = address + size * count;
                self.write(id, offset, 15, address as u32)?;
                if is_wide {
                    self.write(id, offset + 4, 15, (address >> 32) as u32)?;
                }
            }
            index += if is_wide { 2 } else { 1 };
        }
        Ok(())
    }

    /// What a base address register reads after all ones; it is then as before.
    fn sized(&mut self, id: RoutingId, offset: u16) -> Result<u32, EnumerationError<C::Error>> {
        let before = self.read(id, offset)?;
        self.write(id, offset, 15, u32::MAX)?;
        let sized = self.read(id, offset)?;
        self.write(id, offset, 15, before)?;
        Ok(sized)
    }

    /// Probes the capability as `sriov_init` does, and enables virtual functions as `sriov_enable` does. Returns their IDs
    /// and what to take for their vendor and device.
    fn virtualize(
        &mut self,
        id: RoutingId,
        capability: u16,
        options: &Options,
    ) -> Result<Vec<(RoutingId, u32)>, EnumerationError<C::Error>> {
        let [control, totals, number, places, device, supported, page_size, bars] =
            [0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x20, 0x24].map(|offset| capability + offset);
        let routing = if self.port.bridge().alternative_routing { 1 << 4 } else { 0 };
        self.write(id, control, 3, routing)?;
        let totals = self.read(id, totals)?;
        let (initial, total) = (totals as u16, (totals >> 16) as u16);
        if initial != total {
            return Err(self.wrong(id, format!("InitialVFs {initial} and TotalVFs {total}")));
        }
        let pages = self.read(id, supported)? & !(options.page / 4096 - 1);
        if pages == 0 {
            return Err(self.wrong(id, format!("no pages of {} bytes", options.page)));
        }
        let page = 1 << pages.trailing_zeros();
        self.write(id, page_size, 15, page)?;
        if self.read(id, page_size)? != page {
            return Err(self.wrong(id, format!("the page size {page} is not taken")));
        }
        self.assign(id, bars, total.into(), u64::from(page) * 4096)?;
        let mut last_bus = id.bus();
        for count in (1..=total).rev() {
            self.write(id, number, 3, count.into())?;
            let (offset, stride) = self.places(id, places)?;
            if offset == 0 || (count > 1 && stride == 0) {
                return Err(self.wrong(id, format!("{count} virtual functions at {offset}, {stride} apart")));
            }
            last_bus = last_bus.max(virtual_id(id, offset, stride, count - 1).bus());
        }
        self.write(id, number, 3, 0)?;
        self.port.bridge().subordinate = last_bus;
        if options.vfs == 0 {
            return Ok(vec![]);
        }
        if options.vfs > total {
            return Err(self.wrong(id, format!("{} virtual functions; there are {total}", options.vfs)));
        }
        if self.read(id, number)? >> 16 & 0xFF != u32::from(id.number()) {
            return Err(self.wrong(id, "depends on another function"));
        }
        self.write(id, number, 3, options.vfs.into())?;
        let (offset, stride) = self.places(id, places)?;
        self.write(id, control, 3, routing | 0b1001)?;
        // Linux waits 100 ms. The endpoint needs no time: a tenth of a millisecond shows it as well.
        self.port.wait(15_625)?;
        let vendor = self.read(id, 0)? & 0xFFFF;
        let vendor_device = vendor | self.read(id, device)? & 0xFFFF_0000;
        let ids = (0..options.vfs).map(|index| (virtual_id(id, offset, stride, index), vendor_device));
        Ok(ids.collect())
    }

    fn places(&mut self, id: RoutingId, offset: u16) -> Result<(u16, u16), EnumerationError<C::Error>> {
        let word = self.read(id, offset)?;
        Ok((word as u16, (word >> 16) as u16))
    }
}

/// 9.2.1.2.
fn virtual_id(physical: RoutingId, offset: u16, stride: u16, index: u16) -> RoutingId {
    RoutingId(physical.0.wrapping_add(offset).wrapping_add(stride.wrapping_mul(index)))
}
