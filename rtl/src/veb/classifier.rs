//! Where a frame goes.

use super::{
    mac_table::{Change, Key, Outcome, mac_table},
    types::{Chain, Decision, Frame, Reason},
    vlan_table::{Members, vlan_table},
};
use crate::{config::Config, prim};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ClassifierIo {
    #[input]
    #[ty(Stream::ty(Frame::ty(config)))]
    pub frame: Stream<Frame>,
    #[output]
    #[ty(Stream::ty(Decision::ty(config)))]
    pub decision: Stream<Decision>,
    /// The VID of untagged frames of each port.
    #[input]
    #[ty(vec![U::ty(); config.ports()])]
    pub pvids: Vec<U<12>>,
    /// Where unicast frames go whose address has no entry; a bit for each port.
    #[input]
    #[ty(bits(config.ports()))]
    pub default_ports: Bits,
    #[input]
    #[ty(Stream::ty(Change::ty(config)))]
    pub mac_change: Stream<Change>,
    #[output]
    pub mac_outcome: Valid<Enum<Outcome>>,
    #[input]
    #[ty(Stream::ty(Members::ty(config)))]
    pub vlan_change: Stream<Members>,
}

/// A frame on its way through the stages, with what is known about it.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Lookup {
    #[ty(bits(config.port_bits()))]
    port: Bits,
    reason: Enum<Reason>,
    length: U<14>,
    #[ty(Chain::ty(config))]
    chain: Chain,
    /// To a multicast or broadcast address.
    group: Bool,
}

/// Decides for each frame, by the rules of a static 802.1Q bridge, the ports that it goes to: the ports of its exact
/// match, all ports for a group address or the default ports, within the members of its VLAN and without its source.
///
/// ```text
///           ┌─► MAC table (4 stages) ──────────────────────┐
///  frame ─► VID ─► VLAN table ─► members ─► ... ─► members ─┴─► and ─► decision
/// ```
///
/// Takes a frame in each cycle, with a constant latency of 6 cycles while `decision.ready`; all stages stand while it is
/// not. For `4096` cycles after reset, and for about ten at each change of a table, no frame is taken.
/// `frame.ready` is combinational.
#[hdl]
pub fn classifier(config: &Config) -> ClassifierIo {
    let name = format!("veb_classifier_{}x{}", config.entries, config.ports());
    module(name, ClassifierIo::ty(config), |io| {
        let macs = mac_table(config);
        let vlans = vlan_table(config);
        macs.change.connect(&io.mac_change);
        io.mac_outcome.set(macs.outcome);
        vlans.change.connect(&io.vlan_change);

        let occupied = reg(vec![flag(); 6]);
        let stage = reg_without_reset(vec![Lookup::ty(config); 5]);
        let advance = !occupied[5] | io.decision.ready;
        let open = vlans.cleared & !macs.busy & !io.vlan_change.valid;
        io.frame.ready.set(advance & open);
        when(advance, || {
            occupied[0].set(io.frame.valid & open);
            for i in 1..6 {
                occupied[i].set(occupied[i - 1]);
            }
            for i in 1..5 {
                stage[i].set(stage[i - 1]);
            }
        });

        // Stage 0: the VLAN of the frame.
        let frame = io.frame.payload;
        let header = frame.header;
        let key = reg_without_reset(Key::ty());
        when(advance, || {
            let pvid = select(&io.pvids, frame.port);
            let vid = header.vid.any().mux(header.vid, pvid);
            key.set(Key { vid, mac: header.destination });
            stage[0].set(Lookup {
                port: frame.port,
                reason: frame.reason,
                length: frame.length,
                chain: frame.chain,
                group: header.destination.bit(40),
            });
        });

        // Stages 1 to 4: both tables.
        macs.advance.set(advance);
        macs.key.set(key);
        macs.quiet.set(!any_of(occupied[..5].to_vec()));
        vlans.advance.set(advance);
        vlans.vid.set(key.vid);
        vlans.quiet.set(!occupied[0]);
        /// The VID is 0xFFF.
        let reserved_vid = reg_without_reset(vec![flag(); 4]);
        let members = reg_without_reset(vec![bits(config.ports()); 3]);
        when(advance, || {
            members[0].set(vlans.members);
            members[1].set(members[0]);
            members[2].set(members[1]);
            reserved_vid[0].set(key.vid.all());
            for i in 1..4 {
                reserved_vid[i].set(reserved_vid[i - 1]);
            }
        });

        // Stage 5: the decision.
        let lookup = stage[4];
        let members = members[2];
        let missed =
            lookup.group.mux(members.zero(), io.default_ports) | lookup.group.bits().repeat(config.ports());
        let wanted = macs.hit.mux(macs.ports, missed);
        let source = prim::decode(lookup.port, config.ports());
        let allowed = wanted & members & !source;
        let is_member = (members & source).any();
        let reason = wire(Enum::ty());
        when(!lookup.reason.is(Reason::None), || reason.set(lookup.reason))
            .elsewhen(reserved_vid[3] | !is_member, || reason.set(Reason::Vlan))
            .elsewhen(!allowed.any(), || reason.set(Reason::Filtered))
            .otherwise(|| reason.set(Reason::None));
        let decision = reg_without_reset(Decision::ty(config));
        when(advance, || {
            let go = reason.is(Reason::None);
            let destinations = go.mux(allowed, allowed.zero());
            let Lookup { length, chain, .. } = lookup;
            decision.set(Decision { reason, destinations, length, chain });
        });
        io.decision.valid.set(occupied[5]);
        io.decision.payload.set(decision);
        io.decision.assert_stable();
    })
}
