//! Which function is what, by its number: 0 the physical one, 1 the manager, then the virtual ones. In the legacy personality none
//! is virtual.

use crate::config::Config;
use hdl::*;

/// Whether the function of this number is virtual.
pub fn is_virtual(config: &Config, function: Bits, legacy: Bool) -> Bool {
    match config.vfs {
        0 => false.to_bool(),
        _ => function.ge(2) & !legacy,
    }
}

/// A bit for each function: those that are virtual.
pub fn virtuals(config: &Config, legacy: Bool) -> Bits {
    match config.vfs {
        0 => lit(0, 2),
        vfs => cat([(!legacy).bits().repeat(vfs), lit(0, 2)]),
    }
}
