//! The life of a device (virtio 3.1): reset, negotiation, queues.

use super::{
    error::{DriverError, Fault},
    features::Features,
    pci::{Function, Pci, Window},
};
use crate::pcie::{Adapter, Configuration};

/// Bits of the status (2.1).
pub const ACKNOWLEDGE: u8 = 1;
pub const DRIVER: u8 = 2;
pub const DRIVER_OK: u8 = 4;
pub const FEATURES_OK: u8 = 8;
pub const NEEDS_RESET: u8 = 64;
pub const FAILED: u8 = 128;

/// A queue or the configuration has no interrupts (4.1.5.1.2).
pub const NO_VECTOR: u16 = 0xFFFF;

/// A field of the common configuration (4.1.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub offset: u32,
    pub bytes: usize,
}

const fn field(offset: u32, bytes: usize) -> Field {
    Field { offset, bytes }
}

pub const DEVICE_FEATURE_SELECT: Field = field(0x00, 4);
pub const DEVICE_FEATURE: Field = field(0x04, 4);
pub const DRIVER_FEATURE_SELECT: Field = field(0x08, 4);
pub const DRIVER_FEATURE: Field = field(0x0C, 4);
pub const CONFIG_VECTOR: Field = field(0x10, 2);
pub const NUM_QUEUES: Field = field(0x12, 2);
pub const STATUS: Field = field(0x14, 1);
pub const GENERATION: Field = field(0x15, 1);
pub const QUEUE_SELECT: Field = field(0x16, 2);
pub const QUEUE_SIZE: Field = field(0x18, 2);
pub const QUEUE_VECTOR: Field = field(0x1A, 2);
pub const QUEUE_ENABLE: Field = field(0x1C, 2);
pub const QUEUE_NOTIFY_OFF: Field = field(0x1E, 2);
/// Descriptors, the driver's area, the device's area, each in two halves.
pub const QUEUE_AREAS: u32 = 0x20;
pub const QUEUE_RESET: Field = field(0x3A, 2);

/// Reads of a register that is waited for.
const PATIENCE: usize = 2000;

/// The device configuration (5.1.4), with what is negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetConfiguration {
    /// First byte on the wire first.
    pub mac: [u8; 6],
    /// Bit 0: the link is up. Bit 1: the driver should announce itself.
    pub status: u16,
    pub max_pairs: u16,
    pub mtu: u16,
    /// In Mb/s.
    pub speed: u32,
    pub duplex: u8,
}

/// What a queue is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSetup {
    pub index: u16,
    pub size: u16,
    /// [`NO_VECTOR`] for none.
    pub vector: u16,
    /// As [`super::ring::Ring::areas`].
    pub areas: [u64; 3],
}

type Result<T, A> = std::result::Result<T, DriverError<<A as Configuration>::Error>>;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    pub pci: Pci,
    /// What was agreed on.
    pub features: Features,
}

impl Device {
    /// # Errors
    /// See [`Pci::find`].
    pub fn find<A: Adapter>(adapter: &mut A, function: Function) -> Result<Device, A> {
        Ok(Device { pci: Pci::find(adapter, function)?, features: Features::NONE })
    }

    /// # Errors
    /// Nobody answers.
    pub fn get<A: Adapter>(&self, adapter: &mut A, Field { offset, bytes }: Field) -> Result<u32, A> {
        Pci::read(adapter, self.pci.common, offset, bytes)
    }

    /// # Errors
    /// What the adapter does wrong meanwhile.
    pub fn set<A: Adapter>(
        &self,
        adapter: &mut A,
        Field { offset, bytes }: Field,
        value: u32,
    ) -> Result<(), A> {
        Pci::write(adapter, self.pci.common, offset, bytes, value)
    }

    /// # Errors
    /// Nobody answers.
    pub fn status<A: Adapter>(&self, adapter: &mut A) -> Result<u8, A> {
        Ok(self.get(adapter, STATUS)? as u8)
    }

    /// Resets the device, and waits until it says that it has (2.4.2).
    ///
    /// # Errors
    /// It never says so.
    pub fn reset<A: Adapter>(&mut self, adapter: &mut A) -> Result<(), A> {
        self.features = Features::NONE;
        self.set(adapter, STATUS, 0)?;
        self.wait(adapter, STATUS, "a reset")
    }

    /// Until a field reads 0.
    fn wait<A: Adapter>(&self, adapter: &mut A, field: Field, what: &'static str) -> Result<(), A> {
        for _ in 0..PATIENCE {
            if self.get(adapter, field)? == 0 {
                return Ok(());
            }
            adapter.wait(16).map_err(DriverError::Bus)?;
        }
        Err(Fault::Late(what))?
    }

    /// # Errors
    /// Nobody answers.
    pub fn offered<A: Adapter>(&self, adapter: &mut A) -> Result<Features, A> {
        let mut offered = 0;
        for word in 0..4 {
            self.set(adapter, DEVICE_FEATURE_SELECT, word)?;
            offered |= u128::from(self.get(adapter, DEVICE_FEATURE)?) << (32 * word);
        }
        Ok(Features(offered))
    }

    /// Steps 1 to 6 of 3.1.1: the device is reset, and then has agreed on these features.
    ///
    /// # Errors
    /// It does not offer all of them, or does not agree.
    pub fn negotiate<A: Adapter>(&mut self, adapter: &mut A, features: Features) -> Result<(), A> {
        self.reset(adapter)?;
        self.set(adapter, STATUS, ACKNOWLEDGE.into())?;
        self.set(adapter, STATUS, (ACKNOWLEDGE | DRIVER).into())?;
        let offered = self.offered(adapter)?;
        if !offered.has(features) {
            return Err(Fault::NotOffered(features - offered))?;
        }
        for word in 0..4 {
            self.set(adapter, DRIVER_FEATURE_SELECT, word)?;
            self.set(adapter, DRIVER_FEATURE, features.word(word as usize))?;
        }
        let status = ACKNOWLEDGE | DRIVER | FEATURES_OK;
        self.set(adapter, STATUS, status.into())?;
        if self.status(adapter)? != status {
            return Err(Fault::Refused(features))?;
        }
        self.features = features;
        Ok(())
    }

    /// Step 8: the device is live.
    ///
    /// # Errors
    /// It says that it is not.
    pub fn go<A: Adapter>(&self, adapter: &mut A) -> Result<(), A> {
        let status = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
        self.set(adapter, STATUS, status.into())?;
        match self.status(adapter)? {
            read if read == status => Ok(()),
            read => Err(Fault::Wrong { what: "the status of a live device", value: read.into() })?,
        }
    }

    /// The vector for changes of the configuration.
    ///
    /// # Errors
    /// The device has no room for it.
    pub fn set_configuration_vector<A: Adapter>(&self, adapter: &mut A, vector: u16) -> Result<(), A> {
        self.set(adapter, CONFIG_VECTOR, vector.into())?;
        self.expect(adapter, CONFIG_VECTOR, "the vector of the configuration", vector)
    }

    fn expect<A: Adapter>(
        &self,
        adapter: &mut A,
        field: Field,
        what: &'static str,
        value: u16,
    ) -> Result<(), A> {
        match self.get(adapter, field)? {
            read if read == u32::from(value) => Ok(()),
            read => Err(Fault::Wrong { what, value: read.into() })?,
        }
    }

    /// The most entries that a queue can have; 0 if there is none of this number (4.1.5.1.3).
    ///
    /// # Errors
    /// Nobody answers.
    pub fn queue_size<A: Adapter>(&self, adapter: &mut A, index: u16) -> Result<u16, A> {
        self.set(adapter, QUEUE_SELECT, index.into())?;
        Ok(self.get(adapter, QUEUE_SIZE)? as u16)
    }

    /// Configures a queue and enables it; returns where notifications of it are written.
    ///
    /// # Errors
    /// The device does not take the size, the vector or an address.
    pub fn enable_queue<A: Adapter>(&self, adapter: &mut A, queue: QueueSetup) -> Result<u64, A> {
        let QueueSetup { index, size, vector, areas } = queue;
        self.set(adapter, QUEUE_SELECT, index.into())?;
        self.set(adapter, QUEUE_SIZE, size.into())?;
        self.expect(adapter, QUEUE_SIZE, "the size of a queue", size)?;
        self.set(adapter, QUEUE_VECTOR, vector.into())?;
        self.expect(adapter, QUEUE_VECTOR, "the vector of a queue", vector)?;
        let halves = areas.into_iter().flat_map(|area| [area as u32, (area >> 32) as u32]);
        for (index, half) in halves.enumerate() {
            self.set(adapter, field(QUEUE_AREAS + 4 * index as u32, 4), half)?;
        }
        let place = self.get(adapter, QUEUE_NOTIFY_OFF)?;
        self.set(adapter, QUEUE_ENABLE, 1)?;
        self.expect(adapter, QUEUE_ENABLE, "the enable of a queue", 1)?;
        let Window { address, bytes, .. } = self.pci.notify;
        let offset = u64::from(place) * u64::from(self.pci.multiplier);
        if offset + 2 > u64::from(bytes) {
            return Err(Fault::Wrong { what: "the place of notifications", value: offset })?;
        }
        Ok(address + offset)
    }

    /// Resets a queue, and waits until that is done (2.6.1).
    ///
    /// # Errors
    /// It never is.
    pub fn reset_queue<A: Adapter>(&self, adapter: &mut A, index: u16) -> Result<(), A> {
        self.set(adapter, QUEUE_SELECT, index.into())?;
        self.set(adapter, QUEUE_RESET, 1)?;
        self.wait(adapter, QUEUE_RESET, "the reset of a queue")?;
        self.expect(adapter, QUEUE_ENABLE, "the enable of a queue after its reset", 0)
    }

    /// Why there was an interrupt: bit 0 for a queue, bit 1 for the configuration. Reading it makes it 0.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn cause<A: Adapter>(&self, adapter: &mut A) -> Result<u8, A> {
        Ok(Pci::read(adapter, self.pci.isr, 0, 1)? as u8)
    }

    /// The device configuration, all of the same generation (4.1.4.3.1).
    ///
    /// # Errors
    /// It changes all the time.
    pub fn configuration<A: Adapter>(&self, adapter: &mut A) -> Result<NetConfiguration, A> {
        let mut generation = self.get(adapter, GENERATION)?;
        for _ in 0..PATIENCE {
            let mut read = |offset, bytes| Pci::read(adapter, self.pci.device, offset, bytes);
            let mut mac = [0; 6];
            for (offset, byte) in mac.iter_mut().enumerate() {
                *byte = read(offset as u32, 1)? as u8;
            }
            let found = NetConfiguration {
                mac,
                status: read(6, 2)? as u16,
                max_pairs: read(8, 2)? as u16,
                mtu: read(10, 2)? as u16,
                speed: read(12, 4)?,
                duplex: read(16, 1)? as u8,
            };
            let again = self.get(adapter, GENERATION)?;
            if generation == again {
                return Ok(found);
            }
            generation = again;
        }
        Err(Fault::Late("a device configuration that stays"))?
    }
}
