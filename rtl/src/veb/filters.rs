//! What functions want to receive: groups, by a hash, and VLANs.

use crate::{config::Config, pcie::configuration::function_bits};
use hdl::*;

/// What a filter is about.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// Multicast frames of a hash, as in the table MULTICAST. What that table says of a function is wanted as well.
    Group,
    /// Frames of a VLAN that leave with a tag.
    Vlan,
}

/// A function begins to want something, or no longer does.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct FilterChange {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    pub kind: Enum<FilterKind>,
    /// The hash, or the VID.
    pub index: U<12>,
    pub wanted: Bool,
}
