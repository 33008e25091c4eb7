//! A driver that nobody here wrote: crate `virtio-drivers`, unmodified, on functions of a simulated adapter.
//!
//! ```text
//!  VirtIONet, VirtIONetRaw ── Hal ───────────► Ram: rings and buffers, each mapped as the driver gives it away
//!        │                                      ▲ Platform
//!   PciTransport ── registers ──► Slot ──► Adapter (the simulated bus, or a model)
//!        └── configuration ───────┘
//! ```
//!
//! The crate's calls have no argument for a simulation, so [`Guest::with`] says for the time of a call which function it is
//! about. Time passes while registers are accessed, and between calls. Some calls wait by looking at memory again and again,
//! in which no time would pass: for these there is [`Guest::wait_for`].

mod hooks;
mod ram;
mod slot;

#[cfg(test)]
mod echo;
#[cfg(test)]
mod tests;

pub use hooks::{Access, Dma, RawNet};
pub use ram::Ram;

use hdl::Simulator;
use sim::pcie::{Adapter, Bus, Device, Function, Intrusion};
use slot::Slot;
use std::{cell::RefCell, rc::Rc};
use virtio_drivers::{
    Error,
    device::net::VirtIONet,
    transport::pci::{
        PciTransport, VirtioPciError,
        bus::{DeviceFunction, PciRoot},
    },
};

/// The crate's network driver with its own buffers.
pub type Net<const SIZE: usize> = VirtIONet<Dma, PciTransport, SIZE>;

/// An adapter that acts on such memory.
pub trait Lender: Adapter {
    fn ram(&mut self) -> &mut Ram;
}

impl<S: Simulator, D: Device> Lender for Bus<S, Ram, D> {
    fn ram(&mut self) -> &mut Ram {
        &mut self.host.platform
    }
}

/// An adapter with its functions.
pub struct Host<A> {
    /// Not borrowed while a driver is called.
    pub adapter: Rc<RefCell<A>>,
    functions: Vec<Function>,
}

impl<A: Lender + 'static> Host<A> {
    /// `functions` are as they were enumerated.
    pub fn new(adapter: A, functions: Vec<Function>) -> Host<A> {
        Host { adapter: Rc::new(RefCell::new(adapter)), functions }
    }

    /// What functions did to memory that they must not do, since the last call.
    pub fn take_intrusions(&self) -> Vec<Intrusion> {
        self.adapter.borrow_mut().ram().machine.iommu.take_intrusions()
    }

    /// As they were enumerated.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Has the crate find the virtio device of a function, and makes a driver of it.
    ///
    /// # Errors
    /// What the crate does not like about the function, or what `make` returns.
    ///
    /// # Panics
    /// If the adapter does something wrong meanwhile.
    pub fn attach<T, E: From<VirtioPciError>>(
        &self,
        index: usize,
        make: impl FnOnce(PciTransport) -> Result<T, E>,
    ) -> Result<Guest<T>, E> {
        let slot = Slot::new(self.adapter.clone(), &self.functions, index);
        let mut guest = Guest { slot: Rc::new(slot), driver: None };
        let id = self.functions[index].id;
        let place = DeviceFunction { bus: id.bus(), device: id.number() >> 3, function: id.number() & 7 };
        let _here = hooks::enter(&guest.slot);
        let mut root = PciRoot::new(Access(guest.slot.clone()));
        let transport = PciTransport::new::<Dma, _>(&mut root, place)?;
        guest.driver = Some(make(transport)?);
        Ok(guest)
    }

    /// A network driver with `SIZE` entries in each ring and as many receive buffers of 2048 bytes.
    ///
    /// # Panics
    /// If the crate finds anything wrong.
    pub fn net<const SIZE: usize>(&self, index: usize) -> Guest<Net<SIZE>> {
        self.attach(index, |transport| Net::new(transport, 2048).map_err(Complaint::from))
            .unwrap_or_else(|error| panic!("{}: {error}", self.functions[index].id))
    }

    /// The same without buffers.
    ///
    /// # Panics
    /// See [`Host::net`].
    pub fn raw_net<const SIZE: usize>(&self, index: usize) -> Guest<RawNet<SIZE>> {
        self.attach(index, |transport| RawNet::new(transport).map_err(Complaint::from))
            .unwrap_or_else(|error| panic!("{}: {error}", self.functions[index].id))
    }

    /// Lets cycles of the adapter's clock pass.
    ///
    /// # Panics
    /// If the adapter does something wrong meanwhile.
    pub fn wait(&self, cycles: u64) {
        self.adapter.borrow_mut().wait(cycles).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// What the crate does not like.
#[derive(Debug, thiserror::Error)]
pub enum Complaint {
    #[error(transparent)]
    Pci(#[from] VirtioPciError),
    #[error(transparent)]
    Driver(#[from] Error),
}

/// A driver of one function. When it is dropped the driver resets the device, and nothing of its memory stays mapped.
pub struct Guest<T> {
    slot: Rc<Slot>,
    driver: Option<T>,
}

impl<T> Guest<T> {
    /// Calls the driver.
    ///
    /// # Panics
    /// If the adapter does something wrong meanwhile.
    pub fn with<R>(&mut self, call: impl FnOnce(&mut T) -> R) -> R {
        let _here = hooks::enter(&self.slot);
        call(self.driver.as_mut().expect("a guest has a driver"))
    }

    /// Calls the driver, which rings for this queue and then looks into memory until the device has used the buffer: time
    /// passes until then.
    ///
    /// # Panics
    /// If the device does not use all buffers of the queue, or something goes wrong meanwhile.
    pub fn wait_for<R>(&mut self, queue: u16, call: impl FnOnce(&mut T) -> R) -> R {
        self.slot.awaited.set(Some(queue));
        let result = self.with(call);
        self.slot.awaited.set(None);
        result
    }
}

/// Queues of a network device with one pair (virtio 5.1.2).
pub const RECEIVE: u16 = 0;
/// See [`RECEIVE`].
pub const TRANSMIT: u16 = 1;

impl<T> Drop for Guest<T> {
    fn drop(&mut self) {
        let _here = hooks::enter(&self.slot);
        drop(self.driver.take());
        self.slot.leave();
    }
}
