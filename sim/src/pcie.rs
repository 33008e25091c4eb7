//! A host for the endpoint: packets, link, root complex, memory, and the enumeration that an operating system does.

pub mod bus;
pub mod checker;
pub mod clients;
pub mod credits;
mod dump;
mod endpoint;
mod enumeration;
pub mod host;
pub mod interface;
pub mod iommu;
pub mod link;
pub mod machine;
pub mod memory;
pub mod packet;
pub mod port;

#[cfg(test)]
mod tests;

pub use bus::{Bus, BusError, Device};
pub use checker::{Breach, Checker, Direction, Settings};
pub use clients::{Clients, Ended, Event};
pub use dump::dump;
pub use endpoint::{Straps, attach};
pub use enumeration::{EnumerationError, Function, Options, enumerate};
pub use host::{Behaviour, RootComplex};
pub use interface::{Adapter, Bridge, Configuration, Platform};
pub use iommu::{Intrusion, Iommu, Permission};
pub use link::{FRAMING, Link, LinkSettings};
pub use machine::{Host, Machine};
pub use memory::Memory;
pub use packet::{Packet, RoutingId};
pub use port::{Pace, Port};
