//! The Virtual Ethernet Bridge from the outside: what the manager sets, its reference model, its scoreboard.
//!
//! Nothing here but [`mod@bench`] knows how the hardware is built. A test bench plays frames into the hardware's ports, asks
//! [`bridge::decide`] what should become of each, tells [`Scoreboard`] both, and gets a [`Report`]. A [`Policy`] sets up
//! model and hardware alike.

#[cfg(any(test, feature = "strategies"))]
pub mod arbitrary;
pub mod bench;
pub mod bridge;
pub mod policy;
mod port_set;
pub mod scoreboard;
pub mod statistics;

pub use policy::Policy;
pub use port_set::PortSet;
pub use scoreboard::{Losses, Mismatch, PortReport, Report, Scoreboard};
