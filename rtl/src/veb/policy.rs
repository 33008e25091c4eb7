//! What the manager allows each port.

use super::rows::Mode;
use crate::{config::Config, prim};
use hdl::*;

/// A port's row in the table PORT, under the names of its fields.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct PortPolicy {
    /// VLAN of frames that name none.
    pub pvid: U<12>,
    /// Of the tags that its untagged frames get.
    pub priority: U<3>,
    /// These tags have TPID 0x88A8.
    pub service_tag: Bool,
    /// Tags of TPID 0x8100 count.
    pub customer_tags: Bool,
    /// Tags of TPID 0x88A8 count.
    pub service_tags: Bool,
    pub admit_untagged: Bool,
    pub admit_tagged: Bool,
    pub admit_nested: Bool,
    pub ingress: Bool,
    pub egress: Bool,
    pub check_source: Bool,
    pub check_ethertype: Bool,
    pub mode: Enum<Mode>,
    /// Wants broadcasts.
    pub broadcast: Bool,
    pub may_unicast: Bool,
    pub may_multicast: Bool,
    pub may_vlan: Bool,
    /// Gets nothing that it sent itself and an external bridge sent back.
    pub prune: Bool,
    /// Where its frames go that nobody here claims.
    #[ty(bits(config.ports()))]
    pub default_ports: Bits,
}

impl PortPolicy {
    /// A function of this policy exchanges frames with others here; the encoding of no [`Mode`] counts as VEB.
    pub fn is_local(&self) -> Bool {
        !self.mode.is(Mode::Vepa) & !self.mode.is(Mode::Isolated)
    }
}

/// A row to write.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct PolicyWrite {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    #[ty(PortPolicy::ty(config))]
    pub policy: PortPolicy,
}

/// What a function would like to receive beside what is addressed to it.
#[derive(Bundle, Clone, Copy)]
pub struct Wishes {
    pub unicast: Bool,
    pub multicast: Bool,
    pub vlan: Bool,
    /// Frames with a tag only of the VLANs in its filter.
    pub filter: Bool,
}

/// What concerns ports as destinations, a bit for each port in each field.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Destinations {
    #[ty(bits(config.ports()))]
    pub egress: Bits,
    #[ty(bits(config.ports()))]
    pub broadcast: Bits,
    /// Receives all unicast frames, wished and allowed; the next two alike.
    #[ty(bits(config.ports()))]
    pub all_unicast: Bits,
    #[ty(bits(config.ports()))]
    pub all_multicast: Bits,
    #[ty(bits(config.ports()))]
    pub all_vlans: Bits,
    /// Functions that receive frames with a tag only of VLANs in their filters.
    #[ty(bits(config.ports()))]
    pub filter: Bits,
    #[ty(bits(config.ports()))]
    pub prune: Bits,
    /// Functions in VEB mode.
    #[ty(bits(config.ports()))]
    pub local: Bits,
    /// Functions in isolated mode.
    #[ty(bits(config.ports()))]
    pub isolated: Bits,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct PolicyIo {
    #[input]
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    /// The row of `port`. Combinational.
    #[output]
    #[ty(PortPolicy::ty(config))]
    pub policy: PortPolicy,
    #[input]
    #[ty(vec![Wishes::ty(); config.ports()])]
    pub wishes: Vec<Wishes>,
    /// Ports whose wish for all unicast frames counts.
    #[output]
    #[ty(bits(config.ports()))]
    pub may_unicast: Bits,
    /// Likewise of multicast frames.
    #[output]
    #[ty(bits(config.ports()))]
    pub may_multicast: Bits,
    /// Follows a write or a wish after two cycles.
    #[output]
    #[ty(Destinations::ty(config))]
    pub destinations: Destinations,
    /// Ignored until `clear`.
    #[input]
    #[ty(Valid::ty(PolicyWrite::ty(config)))]
    pub write: Valid<PolicyWrite>,
    /// All rows have been zero at some time since reset.
    #[output]
    pub clear: Bool,
}

/// The rows of all ports: what concerns a port as the source of a frame in distributed RAM, what concerns it as a
/// destination in registers, because a frame has many. After reset the rows are cleared, one in a cycle.
#[hdl]
pub fn policy(config: &Config) -> PolicyIo {
    module(format!("veb_policy_{}", config.ports()), PolicyIo::ty(config), |io| {
        let ports = config.ports();
        let rows = mem(PortPolicy::ty(config), ports.next_power_of_two(), Collision::Undefined);
        /// Counts the rows that are zero; the top bit says that all are.
        let zeroed = reg(bits(config.port_bits() + 1));
        let clear = zeroed.bit(config.port_bits());
        when(!clear, || zeroed.set(zeroed + 1));
        io.clear.set(clear);

        let write = io.write.payload;
        let index = clear.mux(write.port, zeroed.trunc(config.port_bits()));
        when(!clear | io.write.valid, || {
            rows.write(index, clear.mux(write.policy, write.policy.zero()));
        });
        io.policy.set(rows.peek(io.port));

        // The flags of destinations, gathered by kind.
        let may_unicast = reg(bits(ports));
        let may_multicast = reg(bits(ports));
        let may_vlan = reg(bits(ports));
        let egress = reg(bits(ports));
        let broadcast = reg(bits(ports));
        let prune = reg(bits(ports));
        let local = reg_init(lit((1u128 << ports) - (1 << config.wires), ports));
        let isolated = reg(bits(ports));
        let row = write.policy;
        let written = prim::decode(write.port, ports) & (clear & io.write.valid).bits().repeat(ports);
        for port in 0..ports {
            when(written.bit(port), || {
                egress.bit(port).set(row.egress);
                if port < config.wires {
                    return;
                }
                may_unicast.bit(port).set(row.may_unicast);
                may_multicast.bit(port).set(row.may_multicast);
                may_vlan.bit(port).set(row.may_vlan);
                broadcast.bit(port).set(row.broadcast);
                prune.bit(port).set(row.prune);
                local.bit(port).set(row.is_local());
                isolated.bit(port).set(row.mode.is(Mode::Isolated));
            });
        }
        let wished = |of: fn(&Wishes) -> Bool| vector(io.wishes.iter().map(of));
        io.may_unicast.set(may_unicast);
        io.may_multicast.set(may_multicast);
        let functions = lit((1u128 << ports) - (1 << config.wires), ports);
        io.destinations.set(Destinations {
            egress,
            broadcast,
            all_unicast: delay(may_unicast & wished(|wishes| wishes.unicast)),
            all_multicast: delay(may_multicast & wished(|wishes| wishes.multicast)),
            all_vlans: delay(may_vlan & wished(|wishes| wishes.vlan)),
            filter: delay(functions & wished(|wishes| wishes.filter)),
            prune,
            local,
            isolated,
        });
    })
}
