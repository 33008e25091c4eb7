//! What stands between a host and an adapter, function by function, without packets.
//!
//! A host acts on an [`Adapter`], and an adapter on a [`Platform`]. The simulated ones are [`super::Bus`] and
//! [`super::Machine`]; another host, such as an operating system in a virtual machine, takes the place of the machine.

use super::packet::RoutingId;
use std::error::Error;

/// The bridge above an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// The bus of the adapter.
    pub secondary: u8,
    /// The last bus below the bridge.
    pub subordinate: u8,
    /// ARI forwarding: device numbers below are part of function numbers.
    pub alternative_routing: bool,
    /// All 32 devices of the adapter's bus are reached, not only device 0: a host that has a slot for each function.
    pub slots: bool,
}

impl Default for Bridge {
    fn default() -> Bridge {
        Bridge { secondary: 1, subordinate: 1, alternative_routing: false, slots: false }
    }
}

impl Bridge {
    /// Whether a configuration request for this function goes below the bridge, and then whether it is of type 1 there
    /// (7.3.3, 6.13).
    pub fn route(&self, id: RoutingId) -> Option<bool> {
        let is_below = (self.secondary..=self.subordinate).contains(&id.bus());
        let is_far = id.bus() != self.secondary;
        let is_reached = is_far || self.alternative_routing || self.slots || id.number() < 8;
        (is_below && is_reached).then_some(is_far)
    }
}

/// Configuration spaces below a bridge.
pub trait Configuration {
    /// What goes wrong beside requests that are refused.
    type Error: Error + 'static;

    fn bridge(&mut self) -> &mut Bridge;

    /// Reads the word at a byte offset of 0 to 4092; `None` if the request is not supported, or goes to no bus below the
    /// bridge.
    ///
    /// # Errors
    /// A completion that is wrong or missing.
    fn read_configuration(&mut self, id: RoutingId, offset: u16) -> Result<Option<u32>, Self::Error>;

    /// Writes those bytes of a word whose bit in `enables` is 1; `false` as `None` of a read.
    ///
    /// # Errors
    /// See [`Configuration::read_configuration`].
    fn write_configuration(
        &mut self,
        id: RoutingId,
        offset: u16,
        enables: u8,
        data: u32,
    ) -> Result<bool, Self::Error>;

    /// Lets cycles of the adapter's clock pass.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    fn wait(&mut self, cycles: u64) -> Result<(), Self::Error>;
}

/// An adapter as its host sees it.
pub trait Adapter: Configuration {
    /// Reads up to 64 bytes behind a base address; `false` if the request is refused.
    ///
    /// # Errors
    /// See [`Configuration::read_configuration`].
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<bool, Self::Error>;

    /// Writes up to 64 bytes behind a base address. Nobody says whether they arrive.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Self::Error>;
}

/// Who acts on a platform, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub requester: RoutingId,
    /// In cycles of the adapter's clock.
    pub time: u64,
}

/// The platform refuses an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// A host as its adapters see it.
pub trait Platform {
    /// Reads memory of the host.
    ///
    /// # Errors
    /// The function may not; `data` means nothing then.
    fn read(&mut self, origin: Origin, address: u64, data: &mut [u8]) -> Result<(), Refused>;

    /// Writes memory of the host, if the function may.
    fn write(&mut self, origin: Origin, address: u64, data: &[u8]);

    /// Takes the message of an interrupt.
    fn interrupt(&mut self, origin: Origin, address: u64, data: u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_below_or_nowhere() {
        let bridge = Bridge { secondary: 3, subordinate: 4, ..Bridge::default() };
        let route = |bridge: Bridge, id| bridge.route(RoutingId(id));
        assert_eq!(
            [0x200, 0x307, 0x308, 0x4FF, 0x500].map(|id| route(bridge, id)),
            [None, Some(false), None, Some(true), None]
        );
        assert_eq!(route(Bridge { alternative_routing: true, ..bridge }, 0x308), Some(false));
        assert_eq!(route(Bridge { slots: true, ..bridge }, 0x308), Some(false));
    }
}
