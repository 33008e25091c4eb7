//! Which ports take nothing any more.

use crate::config::Config;
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct LivenessIo {
    /// A port has a beat to take; a bit for each.
    #[input]
    #[ty(bits(config.ports()))]
    pub offered: Bits,
    /// It takes one.
    #[input]
    #[ty(bits(config.ports()))]
    pub left: Bits,
    /// The patience, in cycles; 0: without end.
    #[input]
    pub stall_cycles: U<16>,
    #[output]
    #[ty(bits(config.ports()))]
    pub dead: Bits,
}

/// Calls a port dead that is offered a beat and takes none for between one and two times `stall_cycles`, until it takes
/// one. One counter serves all ports: when it ends, whoever has not moved since it began is dead.
#[hdl]
pub fn liveness(config: &Config) -> LivenessIo {
    module(format!("veb_liveness_{}", config.ports()), LivenessIo::ty(config), |io| {
        let ports = config.ports();
        let elapsed = reg(U::<16>::ty());
        let ends = elapsed.ge(io.stall_cycles);
        let tick = delay(ends & io.stall_cycles.any());
        elapsed.set(ends.mux(elapsed.zero(), elapsed + 1));
        let alive = delay(io.left | !io.offered);
        /// Whoever was alive since the last tick.
        let moved = reg(bits(ports));
        let dead = reg(bits(ports));
        when(tick, || {
            moved.set(alive);
            dead.set((dead | !moved) & !alive);
        })
        .otherwise(|| {
            moved.set(moved | alive);
            dead.set(dead & !alive);
        });
        io.dead.set(dead & io.stall_cycles.any().bits().repeat(ports));
    })
}
