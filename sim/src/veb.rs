//! The Virtual Ethernet Bridge from the outside: its tables, its reference model, its scoreboard.
//!
//! Nothing here knows how the hardware is built. A test bench plays frames into the hardware's ports, asks [`Model`] what
//! should become of each, tells [`Scoreboard`] both, and gets a [`Report`]. [`Tables`] sets up model and hardware alike.

#[cfg(any(test, feature = "strategies"))]
pub mod arbitrary;
pub mod bench;
pub mod board;
pub mod bridge;
mod model;
pub mod policy;
mod port_set;
pub mod scoreboard;
pub mod statistics;
mod tables;

use std::fmt;

pub use model::{Decision, Model};
pub use port_set::PortSet;
pub use scoreboard::{Counters, Losses, Mismatch, PortReport, Report, Scoreboard};
pub use tables::{Setup, TableCommand, Tables, TooManyPorts};

/// Why a frame, or the copy of a frame for one port, went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// The sender marked the frame as bad.
    Error,
    /// Too short for its headers.
    Runt,
    /// Longer than 9622 bytes.
    Oversize,
    /// A reserved VLAN, or one that the source port is no member of.
    Vlan,
    /// No port is left to send it to.
    Filtered,
    /// No free cell in the packet buffer. Depends on time.
    BufferFull,
    /// No room in the queue of one egress port. Depends on time and concerns one copy of the frame.
    QueueFull,
}

impl DropReason {
    /// The reasons that concern a whole frame, in the order of the hardware's drop counters.
    pub const OF_FRAMES: [Self; 6] =
        [Self::Error, Self::Runt, Self::Oversize, Self::Vlan, Self::Filtered, Self::BufferFull];

    /// The reason's name in summaries and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Runt => "runt",
            Self::Oversize => "oversize",
            Self::Vlan => "vlan",
            Self::Filtered => "filtered",
            Self::BufferFull => "buffer_full",
            Self::QueueFull => "queue_full",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
