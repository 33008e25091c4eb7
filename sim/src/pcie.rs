//! A host for the endpoint: its root port, and the enumeration that an operating system does.

mod dump;
mod enumeration;
mod root_port;

#[cfg(test)]
mod tests;

pub use dump::dump;
pub use enumeration::{EnumerationError, Function, Options, enumerate};
pub use root_port::{RootError, RootPort, RoutingId, Straps};
