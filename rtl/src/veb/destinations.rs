//! Where a frame goes by the rules of forwarding.

use super::{policy::Destinations, types::Cast};
use crate::config::Config;
use hdl::*;

/// What the tables say about a frame; sets of ports have a bit for each.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Facts {
    /// Where it came in, one-hot.
    #[ty(bits(config.ports()))]
    pub source: Bits,
    pub from_wire: Bool,
    /// It came from a function in VEB mode.
    pub from_local: Bool,
    pub cast: Enum<Cast>,
    /// Of its source.
    #[ty(bits(config.ports()))]
    pub default_ports: Bits,
    /// Of its VLAN.
    #[ty(bits(config.ports()))]
    pub members: Bits,
    /// Ports that have an entry for its destination.
    #[ty(bits(config.ports()))]
    pub claims: Bits,
    /// Functions that want multicasts of its hash, as the manager says.
    #[ty(bits(config.ports()))]
    pub subscribers: Bits,
    /// Functions that say so themselves.
    #[ty(bits(config.ports()))]
    pub groups: Bits,
    /// Ports that get frames of its VLAN without a tag.
    #[ty(bits(config.ports()))]
    pub untagged: Bits,
    /// Functions that want them with one.
    #[ty(bits(config.ports()))]
    pub listed: Bits,
    /// Ports that have an entry for its source.
    #[ty(bits(config.ports()))]
    pub owners: Bits,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct DestinationsIo {
    #[input]
    #[ty(Facts::ty(config))]
    pub facts: Facts,
    #[input]
    #[ty(Destinations::ty(config))]
    pub policy: Destinations,
    /// Of the facts that stood here for three cycles.
    #[output]
    #[ty(bits(config.ports()))]
    pub ports: Bits,
}

/// The rules of forwarding, for facts that stand still for three cycles.
///
/// - From a function in VEB mode: to the functions in VEB mode that want the frame, to wires that have an entry for it,
///   and, for a group or if nobody claims it, to the function's default ports.
/// - From any other function: to its default ports only.
/// - From a wire: to the functions that want the frame or, if nobody claims it, to the wire's default ports; not back to
///   a function that sent it (`prune`), and nothing that a function sent to an isolated one. Never to a wire.
///
/// All within the members of its VLAN and the ports that may receive, never to its source, and with a tag only to functions
/// that do not filter its VLAN out. Such a function still claims its addresses: what it does not want is for nobody else.
///
/// ```text
///  facts ─► wanted, reachable, claimed ─► here, pruned, known ─► ports
/// ```
#[hdl]
pub fn destinations(config: &Config) -> DestinationsIo {
    module(format!("veb_destinations_{}", config.ports()), DestinationsIo::ty(config), |io| {
        let ports = config.ports();
        let set = bits(ports);
        let wires = lit((1 << config.wires) - 1, ports);
        let only_if = |condition: Bool, set: Bits| set & condition.bits().repeat(ports);
        let (facts, policy) = (io.facts, io.policy);
        let group = !facts.cast.is(Cast::Unicast);

        // Who could get it, who wants it, and whether anybody has it as its own.
        let allowed = policy.egress & (facts.members | policy.all_vlans);
        let reachable = reg_without_reset(set);
        reachable.set(allowed & !facts.source & (facts.untagged | facts.listed | !policy.filter));
        let wanted = reg_without_reset(set);
        facts.cast.cases(|cast| match cast {
            Cast::Unicast => wanted.set(facts.claims | policy.all_unicast),
            Cast::Multicast => {
                wanted.set(facts.claims | facts.subscribers | facts.groups | policy.all_multicast);
            }
            Cast::Broadcast => wanted.set(policy.broadcast),
        });
        let claimants = facts.from_wire.mux(!wires, policy.local | wires);
        let claimed = delay_without_reset(facts.claims & allowed & claimants);

        // Who gets it because they want it, and who must not.
        let from_function = only_if(facts.from_local, wanted & policy.local | facts.claims & wires);
        let here = delay_without_reset(facts.from_wire.mux(wanted & !wires, from_function));
        let reflected = delay_without_reset((facts.owners & !wires).any());
        let returned = policy.prune & facts.owners | only_if(reflected, policy.isolated);
        let pruned = delay_without_reset(only_if(facts.from_wire, returned));
        let known = delay_without_reset(claimed.any());

        let use_default = facts.from_wire.mux(!group & !known, !facts.from_local | group | !known);
        let default_ports = facts.default_ports & !only_if(facts.from_wire, wires);
        let chosen = here | only_if(use_default, default_ports);
        io.ports.set(delay_without_reset(chosen & reachable & !pruned));
    })
}
