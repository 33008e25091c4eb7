//! How a device is found and reached over PCI (virtio 4.1): its capabilities, its registers, its interrupts.

use super::error::{DriverError, Fault};
use crate::pcie::{Adapter, Configuration, RoutingId, interface::Origin, machine::Interrupt};

/// Where a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    pub id: RoutingId,
    /// By the numbers of base address registers; what the function does not have does not matter.
    pub bars: [u64; 6],
}

/// Registers behind a base address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub bar: u8,
    /// Where it is in there.
    pub offset: u32,
    pub bytes: u32,
    /// As the host reaches it.
    pub address: u64,
}

/// What a capability describes (4.1.4).
const COMMON: u8 = 1;
const NOTIFY: u8 = 2;
const ISR: u8 = 3;
const DEVICE: u8 = 4;
const ACCESS: u8 = 5;

/// Capabilities by their numbers.
const VENDOR: u8 = 0x09;
const MSIX: u8 = 0x11;

/// The message of vector 0; each vector has an address and data of its own.
const MESSAGE: (u64, u32) = (0xFEE0_1000, 0x4100);

type Result<T, A> = std::result::Result<T, DriverError<<A as Configuration>::Error>>;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pci {
    pub function: Function,
    pub common: Window,
    pub notify: Window,
    /// Bytes between the places of notifications (4.1.4.4).
    pub multiplier: u32,
    pub isr: Window,
    pub device: Window,
    /// Where in configuration space the access to base addresses is (4.1.4.9).
    access: u16,
    /// Where the capability for MSI-X is, and how many vectors there are.
    msix: u16,
    pub vectors: u16,
    table: u64,
}

impl Pci {
    /// Finds what a device must have; of several of a kind the first (4.1.4.1).
    ///
    /// # Errors
    /// It is not there.
    pub fn find<A: Adapter>(adapter: &mut A, function: Function) -> Result<Pci, A> {
        let id = function.id;
        let mut windows = [None; 6];
        let (mut multiplier, mut access, mut msix) = (0, None, None);
        let mut at = configuration(adapter, id, 0x34)? as u16 & 0xFC;
        for _ in 0..48 {
            if at == 0 {
                break;
            }
            let head = configuration(adapter, id, at)?;
            let kind = (head >> 24) as u8;
            match head as u8 {
                VENDOR if (COMMON..=ACCESS).contains(&kind) && windows[usize::from(kind)].is_none() => {
                    let bar = configuration(adapter, id, at + 4)? as u8;
                    let offset = configuration(adapter, id, at + 8)?;
                    let bytes = configuration(adapter, id, at + 12)?;
                    let base = function.bars.get(usize::from(bar));
                    if base.is_none() && kind != ACCESS {
                        return Err(Fault::Wrong {
                            what: "the register of a capability",
                            value: bar.into(),
                        })?;
                    }
                    let address = base.unwrap_or(&0) + u64::from(offset);
                    windows[usize::from(kind)] = Some(Window { bar, offset, bytes, address });
                    if kind == NOTIFY {
                        multiplier = configuration(adapter, id, at + 16)?;
                    } else if kind == ACCESS {
                        access = Some(at);
                    }
                }
                MSIX => msix = Some((at, (head >> 16 & 0x7FF) as u16 + 1)),
                _ => {}
            }
            at = (head >> 8) as u16 & 0xFC;
        }
        let window = |kind: u8, name| windows[usize::from(kind)].ok_or(Fault::Missing(name));
        let (msix, vectors) = msix.ok_or(Fault::Missing("MSI-X"))?;
        let table = configuration(adapter, id, msix + 4)?;
        Ok(Pci {
            function,
            common: window(COMMON, "the common configuration")?,
            notify: window(NOTIFY, "notifications")?,
            multiplier,
            isr: window(ISR, "the cause of interrupts")?,
            device: window(DEVICE, "the device configuration")?,
            access: access.ok_or(Fault::Missing("access through configuration space"))?,
            msix,
            vectors,
            table: function.bars[table as usize % 8 % 6] + u64::from(table & !7),
        })
    }

    /// Reads 1, 2 or 4 bytes of a window.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn read<A: Adapter>(adapter: &mut A, window: Window, offset: u32, bytes: usize) -> Result<u32, A> {
        let address = window.address + u64::from(offset);
        let mut data = [0; 4];
        match adapter.read(address, &mut data[..bytes]).map_err(DriverError::Bus)? {
            true => Ok(u32::from_le_bytes(data)),
            false => Err(Fault::Access(address))?,
        }
    }

    /// Writes 1, 2 or 4 bytes of a window.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    pub fn write<A: Adapter>(
        adapter: &mut A,
        window: Window,
        offset: u32,
        bytes: usize,
        value: u32,
    ) -> Result<(), A> {
        let address = window.address + u64::from(offset);
        adapter.write(address, &value.to_le_bytes()[..bytes]).map_err(DriverError::Bus)
    }

    /// As [`Pci::read`], through configuration space (4.1.4.9).
    ///
    /// # Errors
    /// Nobody answers.
    pub fn read_through<A: Adapter>(
        &self,
        adapter: &mut A,
        window: Window,
        offset: u32,
        bytes: u32,
    ) -> Result<u32, A> {
        self.aim(adapter, window, offset, bytes)?;
        configuration(adapter, self.function.id, self.access + 16)
    }

    /// As [`Pci::write`], through configuration space.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn write_through<A: Adapter>(
        &self,
        adapter: &mut A,
        window: Window,
        offset: u32,
        bytes: u32,
        value: u32,
    ) -> Result<(), A> {
        self.aim(adapter, window, offset, bytes)?;
        self.configure(adapter, self.access + 16, 15, value)
    }

    fn aim<A: Adapter>(&self, adapter: &mut A, window: Window, offset: u32, bytes: u32) -> Result<(), A> {
        self.configure(adapter, self.access + 4, 1, window.bar.into())?;
        self.configure(adapter, self.access + 8, 15, window.offset + offset)?;
        self.configure(adapter, self.access + 12, 15, bytes)
    }

    fn configure<A: Adapter>(&self, adapter: &mut A, offset: u16, enables: u8, data: u32) -> Result<(), A> {
        let id = self.function.id;
        match adapter.write_configuration(id, offset, enables, data).map_err(DriverError::Bus)? {
            true => Ok(()),
            false => Err(Fault::Access(offset.into()))?,
        }
    }

    /// Gives each vector a message, unmasks it, and enables MSI-X; the function becomes a bus master.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn enable_interrupts<A: Adapter>(&self, adapter: &mut A) -> Result<(), A> {
        let command = configuration(adapter, self.function.id, 4)?;
        self.configure(adapter, 4, 3, command & 0xFFFF | 4)?;
        for vector in 0..self.vectors {
            let (address, data) = message(vector);
            let entry = [address as u32, (address >> 32) as u32, data, 0];
            let bytes: Vec<u8> = entry.into_iter().flat_map(u32::to_le_bytes).collect();
            // The mask is a word of its own: it is written when the message stands.
            adapter.write(self.entry(vector), &bytes[..12]).map_err(DriverError::Bus)?;
            adapter.write(self.entry(vector) + 12, &bytes[12..]).map_err(DriverError::Bus)?;
        }
        self.configure(adapter, self.msix, 0b1100, 1 << 31)
    }

    /// Masks a vector, or no longer.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    pub fn mask<A: Adapter>(&self, adapter: &mut A, vector: u16, is_masked: bool) -> Result<(), A> {
        let mask = u32::from(is_masked).to_le_bytes();
        adapter.write(self.entry(vector) + 12, &mask).map_err(DriverError::Bus)
    }

    fn entry(&self, vector: u16) -> u64 {
        self.table + 16 * u64::from(vector)
    }

    /// The vector of an interrupt that came; `None` if it is not this function's.
    ///
    /// # Errors
    /// It is this function's, but no message that it was given.
    pub fn vector(&self, interrupt: &Interrupt) -> std::result::Result<Option<u16>, Fault> {
        let Interrupt { origin: Origin { requester, .. }, address, data } = *interrupt;
        if requester != self.function.id {
            return Ok(None);
        }
        let known = (0..self.vectors).find(|vector| message(*vector) == (address, data));
        known.map(Some).ok_or(Fault::Wrong { what: "the message of an interrupt", value: data.into() })
    }
}

fn message(vector: u16) -> (u64, u32) {
    (MESSAGE.0 + 4 * u64::from(vector), MESSAGE.1 + u32::from(vector))
}

fn configuration<A: Adapter>(adapter: &mut A, id: RoutingId, offset: u16) -> Result<u32, A> {
    let word = adapter.read_configuration(id, offset).map_err(DriverError::Bus)?;
    Ok(word.ok_or(Fault::Access(offset.into()))?)
}
