//! By what numbers functions are known on the link.

use super::functions::is_virtual;
use crate::config::Config;
use hdl::*;

/// What the routing IDs of all functions follow from. The place of virtual functions changes only while there are none, or
/// when a reset of the physical function ends them.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Identity {
    /// The bus of this device.
    pub bus: U<8>,
    /// The routing ID of the first virtual function, less that of function 0; 2 in the legacy personality.
    pub first_vf: U<16>,
}

impl Identity {
    /// The routing ID of a function: 0 the physical function, 1 the manager, then the virtual ones, one apart (9.2.1.2).
    pub fn routing_id(&self, config: &Config, function: Bits) -> U<16> {
        let number = function.zext(16);
        let own = cat([Bits::from(self.bus), lit(0, 8)]);
        // In the legacy personality the formula of virtual functions gives the same.
        let is_virtual = is_virtual(config, function, false.to_bool());
        (own + number + is_virtual.mux(Bits::from(self.first_vf) - 2, lit(0, 16))).as_u()
    }
}
