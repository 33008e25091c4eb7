//! What an elaborated design shows to the outside: its ports and its clock domains.
//!
//! Both simulators, the exporter and the wrappers for other languages read this and nothing else of a design.

use crate::ir::Design;

/// Which way a port carries its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the module.
    Input,
    /// Out of the module.
    Output,
}

/// One port of a module. Clocks and resets are not ports; see [`ClockDomain`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// As in the emitted module.
    pub name: String,
    /// In bits, at least 1.
    pub width: u32,
    /// Which way it carries its value.
    pub direction: Direction,
    /// The documentation of the field or `let` that declared the port; may be empty.
    pub doc: String,
}

/// A clock and the synchronous reset that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockDomain {
    /// Name of the clock's port, `None` where nothing is clocked by it.
    pub clock: Option<String>,
    /// Name of the reset's port, `None` where nothing is reset in this domain.
    pub reset: Option<String>,
}

/// Ports and clock domains of a top module. The position of a port in `ports` is its [`PortIndex`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Name of the emitted module.
    pub name: String,
    pub ports: Vec<Port>,
    /// Domain 0 is the default one, with ports `clk` and `rst`.
    pub domains: Vec<ClockDomain>,
}

/// Position of a port in [`Interface::ports`].
pub type PortIndex = usize;

impl Interface {
    /// What `design` shows to the outside: [`Design::interface`].
    pub fn of(design: &Design) -> Interface {
        design.interface()
    }

    /// The port of this name.
    pub fn find(&self, name: &str) -> Option<PortIndex> {
        self.ports.iter().position(|port| port.name == name)
    }
}
