//! VLAN membership.

use crate::config::Config;
use hdl::*;

/// The new members of a VLAN.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Members {
    pub vid: U<12>,
    /// A bit for each port.
    #[ty(bits(config.ports()))]
    pub ports: Bits,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct VlanTableIo {
    #[input]
    pub advance: Bool,
    #[input]
    pub vid: U<12>,
    /// Members of the VLAN that `vid` named one advance ago.
    #[output]
    #[ty(bits(config.ports()))]
    pub members: Bits,
    /// No frame's VLAN is read in this cycle, if a change is there.
    #[input]
    pub quiet: Bool,
    /// Not ready while the table clears itself after reset, or is not quiet.
    #[input]
    #[ty(Stream::ty(Members::ty(config)))]
    pub change: Stream<Members>,
    /// The table is clear, or was changed since.
    #[output]
    pub cleared: Bool,
}

/// The ports that are members of each of the 4096 VLANs, in one memory. After reset it clears itself in 4096 cycles;
/// `members` mean nothing before `cleared`. A change is one write. `members` is the output of the memory.
#[hdl]
pub fn vlan_table(config: &Config) -> VlanTableIo {
    module(format!("veb_vlan_table_{}", config.ports()), VlanTableIo::ty(config), |io| {
        let members = mem(bits(config.ports()), 4096, Collision::Undefined);
        /// Counts the entries that are clear; the top bit says that all are.
        let clearing = reg(bits(13));
        let cleared = clearing.bit(12);
        when(!cleared, || clearing.set(clearing + 1));
        let address = cleared.mux(io.change.payload.vid.pack(), clearing.trunc(12));
        let ports = cleared.mux(io.change.payload.ports, io.members.zero());
        when(!cleared | (io.change.valid & io.quiet), || members.write(address, ports));
        io.change.ready.set(cleared & io.quiet);
        io.cleared.set(cleared);
        io.members.set(members.read_if(io.advance, io.vid));
    })
}
