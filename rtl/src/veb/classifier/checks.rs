//! What must hold of every decision, said a second time: in simulation for each frame, and proven by `make formal`.

use super::{RESERVED, VlanRow};
use crate::{
    config::Config,
    prim,
    veb::{
        ethertypes::{EthertypeRow, EthertypesIo},
        mac_table::{Key, MacTableIo},
        mirror::MirrorIo,
        policy::{PolicyIo, PortPolicy},
        row_memory::RowMemoryIo,
        types::{Decision, Forced, Frame},
    },
};
use hdl::*;

/// What the tables are asked and answer.
pub struct Tables<'a> {
    pub policy: &'a PolicyIo,
    pub macs: &'a MacTableIo,
    pub vlans: &'a RowMemoryIo,
    pub ethertypes: &'a EthertypesIo,
    pub mirror: &'a MirrorIo,
}

/// A frame that enters the pipeline.
pub struct Entering {
    pub frame: Frame,
    pub forced: Forced,
    /// Of its port.
    pub policy: PortPolicy,
    pub vid: Bits,
}

/// What is known of a frame that is under way. It is gathered from what the tables answer whenever they answer, so that
/// it does not depend on how the pipeline keeps count of that.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Watched {
    /// Where it came in, one-hot.
    #[ty(bits(config.ports()))]
    port: Bits,
    #[ty(Forced::ty(config))]
    forced: Forced,
    reserved: Bool,
    source: U<48>,
    vid: U<12>,
    /// Its port may not send at all, or the frame is bad.
    refused: Bool,
    /// Its type or its source address are not its port's to send, whatever the table of addresses says.
    forbidden: Bool,
    check_source: Bool,
    /// Its port has an entry for its source.
    owned: Bool,
    /// Of its VLAN.
    #[ty(bits(config.ports()))]
    members: Bits,
    /// Ports that may receive from other VLANs, and for any reason.
    #[ty(bits(config.ports()))]
    all_vlans: Bits,
    #[ty(bits(config.ports()))]
    egress: Bits,
    #[ty(bits(config.ports()))]
    mirrors: Bits,
}

/// Follows the frames through the slots, which move on with `shift`, and asserts of each `decision` that a spoofed frame
/// goes nowhere and no frame leaves its VLAN. `advance` moves the lookups of addresses.
#[hdl]
pub fn check(
    config: &Config,
    entering: &Entering,
    tables: &Tables,
    shift: Bool,
    advance: Bool,
    decision: &Stream<Decision>,
) {
    let ports = config.ports();
    let all = |condition: Bool| condition.bits().repeat(ports);
    let frame = verification(|| {
        let keys = reg_without_reset(vec![Key::ty(); 4]);
        when(advance, || {
            keys[0].set(tables.macs.key);
            (1..4).for_each(|age| keys[age].set(keys[age - 1]));
        });
        let key = keys[3];
        let index = delay_without_reset(tables.vlans.index);
        let row = VlanRow::ty(config).unpack(tables.vlans.row);
        let rights = tables.policy.destinations;
        let mirrors = tables.mirror.rules.iter().map(|rule| {
            let target = prim::decode(rule.target.pack(), ports);
            target & all(rule.enabled)
        });
        let mirrors = mirrors.fold(lit(0, ports), |all, targets| all | targets);

        let slots = reg(vec![Watched::ty(config); 5]);
        let mut next = enter(config, entering, tables);
        for slot in slots.iter().take(4) {
            let asked = key.mac.eq(slot.source) & (key.vid.eq(slot.vid) | key.vid.eq(0));
            let found = (tables.macs.ports & slot.port).any();
            let seen = Watched {
                owned: slot.owned | (asked & found),
                members: slot.members | (row.members & all(index.eq(slot.vid.pack()))),
                all_vlans: slot.all_vlans | rights.all_vlans,
                egress: slot.egress | rights.egress,
                mirrors: slot.mirrors | mirrors,
                ..*slot
            };
            slot.set(shift.mux(next, seen));
            next = seen;
        }
        when(shift, || slots[4].set(next));
        slots[4]
    });

    let goes_to = decision.payload.destinations;
    let goes = decision.valid & goes_to.any();
    let beyond = |allowed: Bits| decision.valid & (goes_to & !(allowed | frame.mirrors)).any();
    let Watched { port, forced, reserved, members, .. } = frame;
    assert(!(goes & frame.refused), "a bad frame goes nowhere");
    let spoofed = frame.forbidden | (frame.check_source & !frame.owned);
    assert(!(goes & spoofed & !forced.valid), "a spoofed frame goes nowhere");
    let ordinary = !forced.valid & !reserved;
    let foreign = !(members & port).any() | !frame.vid.any() | frame.vid.all();
    assert(!(goes & ordinary & foreign), "a frame of a VLAN that its port is no member of goes nowhere");
    let within = members | frame.all_vlans;
    assert(!(ordinary & beyond(within)), "no frame leaves its VLAN");
    let manager = lit(1u128 << config.manager(), ports);
    assert(!(reserved & !forced.valid & beyond(manager)), "reserved addresses go to the manager only");
    assert(!(forced.valid & beyond(forced.ports)), "a forced frame goes where it is forced");
    assert(
        !(decision.valid & (goes_to & (port | !frame.egress)).any()),
        "frames leave by ports that are on, and not back",
    );
    cover(goes & ordinary & frame.check_source, "an ordinary frame goes somewhere");
}

#[hdl]
fn enter(config: &Config, entering: &Entering, tables: &Tables) -> Watched {
    let Entering { frame, forced, policy, vid } = entering;
    let header = frame.header;
    let listed = |row: &EthertypeRow| row.enabled & row.ethertype.eq(header.ethertype);
    let is_tag = header.ethertype.eq(0x8100) | header.ethertype.eq(0x88a8);
    let listed = any_of(tables.ethertypes.rows.iter().map(listed)) | is_tag;
    let none = lit(0, config.ports());
    let sends_group = policy.check_source & header.source.bit(40);
    Watched {
        port: prim::decode(frame.port, config.ports()),
        forced: *forced,
        reserved: header.destination.slice(4, 44).eq(RESERVED),
        source: header.source,
        vid: vid.as_u(),
        refused: frame.error | frame.broken | !policy.ingress,
        forbidden: (policy.check_ethertype & listed) | sends_group,
        check_source: policy.check_source,
        owned: false.to_bool(),
        members: none,
        all_vlans: none,
        egress: none,
        mirrors: none,
    }
}
