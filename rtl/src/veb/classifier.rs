//! What becomes of a frame.

mod checks;
mod ports;

use super::{
    destinations::{Facts, destinations},
    ethertypes::{EthertypeRow, ethertypes},
    filters::filters,
    mac_table::{Key, MacRow, mac_table},
    mirror::{MirrorRule, mirror},
    policy::{PolicyWrite, PortPolicy, policy},
    row_memory::{VlanRow, row_memory},
    rows::{Operation, Outcome, RowRequest, RowResponse, Table},
    types::{Cast, Chain, Decision, Forced, Frame, Reason, Tag, TagKind},
};
use crate::{
    config::{Config, MAX_FRAME},
    prim, register_map as map,
};
use hdl::*;
pub use ports::ClassifierIo;

/// Hash values of multicast addresses.
pub const MULTICAST_ROWS: usize = 512;

/// Functions that want the groups of a hash value.
const GROUP_FUNCTIONS: map::Position = map::field(Table::Multicast, "functions");

/// 01-80-C2-00-00-0x without its last four bits: addresses that no bridge forwards (802.1Q 8.6.3).
const RESERVED: u64 = 0x0180_c200_0000 >> 4;

/// What every stage needs of a frame.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Meta {
    #[ty(bits(config.port_bits()))]
    port: Bits,
    length: U<14>,
    #[ty(Chain::ty(config))]
    chain: Chain,
    vid: U<12>,
    has_tag: Bool,
    tag: Tag,
    #[ty(Forced::ty(config))]
    forced: Forced,
}

/// Why a frame may have to be dropped, as far as it does not need the tables.
#[derive(Bundle, Clone, Copy)]
struct Verdict {
    /// Of the reasons before the first rule of policy.
    reason: Enum<Reason>,
    check_source: Bool,
    check_ethertype: Bool,
    /// Its port does not admit it.
    admission: Bool,
}

/// First slot: the frame with its port's policy.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Parsed {
    #[ty(Meta::ty(config))]
    meta: Meta,
    verdict: Verdict,
    destination: U<48>,
    source: U<48>,
    ethertype: U<16>,
    from_local: Bool,
    #[ty(bits(config.ports()))]
    default_ports: Bits,
}

/// Second slot: the tables are asked.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Asked {
    #[ty(Meta::ty(config))]
    meta: Meta,
    verdict: Verdict,
    cast: Enum<Cast>,
    /// Its destination is an address that no bridge forwards.
    reserved: Bool,
    source_is_group: Bool,
    from_local: Bool,
    #[ty(bits(config.ports()))]
    default_ports: Bits,
}

/// Third slot: the tables have answered.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Known {
    #[ty(Meta::ty(config))]
    meta: Meta,
    verdict: Verdict,
    reserved: Bool,
    source_is_group: Bool,
    #[ty(Facts::ty(config))]
    facts: Facts,
}

/// Fourth slot: the destinations are known.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Settled {
    #[ty(Meta::ty(config))]
    meta: Meta,
    reason: Enum<Reason>,
    cast: Enum<Cast>,
    raw: Bool,
    #[ty(bits(config.ports()))]
    source: Bits,
    #[ty(bits(config.ports()))]
    destinations: Bits,
    #[ty(bits(config.ports()))]
    untagged: Bits,
}

/// Where a command for a table is.
#[derive(HwEnum, Clone, Copy)]
enum Engine {
    /// The tables clear themselves.
    Clear,
    Idle,
    /// The frames on their way are finished, and no other is taken.
    Drain,
    /// The row is written, or its place is named.
    Point,
    /// It is read.
    Read,
    Respond,
    /// The table of MAC addresses is asked, and works.
    AskMac,
    AwaitMac,
}

/// Decides for each frame, by the rules of the bridge (docs/src/veb.md), what becomes of it.
///
/// ```text
///            0: policy     1: keys        2: answers              3: rules           4: mirrors
///  frame ─► received ───► parsed ──────► asked ────────────────► known ───────────► settled ──────► decision
///             │ ▲          │ MAC table ───┴─ 4 lookups ─► sets    │ destinations     │ mirror
///             policy       └────── VLAN, MULTICAST rows, filters ┘
/// ```
///
/// A frame stays four cycles in each slot, because it takes four lookups in the table of addresses: destination and
/// source, each in its VLAN and in any. So a frame is taken every four cycles. Its decision comes 18 cycles later, or up
/// to 3 more behind other frames, while `decision.ready`; all slots stand while it is not. All outputs are registers but
/// `forced.ready`.
///
/// A command for a table waits until no frame is under way, and none is taken until it is done, about twenty cycles: a
/// frame sees all of a row as it was before, or all of it as it is after. After reset no frame is taken until the tables
/// have cleared themselves, `4096` cycles.
#[hdl]
pub fn classifier(config: &Config) -> ClassifierIo {
    let name = format!("veb_classifier_{}x{}", config.entries, config.ports());
    module(name, ClassifierIo::ty(config), |io| {
        let ports = config.ports();
        let policy = policy(config);
        let macs = mac_table(config);
        let vlans = row_memory(4096, 2 * ports);
        let multicasts = row_memory(MULTICAST_ROWS, ports);
        let filters = filters(config);
        filters.change.connect(&io.filter);
        filters.forget.connect(&io.forget);
        let ethertypes = ethertypes();
        let destinations = destinations(config);
        let mirror = mirror(config);
        policy.wishes.iter().zip(&io.wishes).for_each(|(sink, wishes)| sink.set(*wishes));

        io.may_unicast.set(policy.may_unicast);
        io.may_multicast.set(policy.may_multicast);

        // Slots 1 to 5 move on together, in the last of four cycles. While all are empty that is now.
        let engine = reg_enum(Engine::Clear);
        let occupied = reg(vec![flag(); 6]);
        let phase = reg_init(lit(3, 2));
        let in_use = any_of(occupied[1..5].to_vec());
        let advance = !occupied[5] | io.decision.ready;
        let shift = advance & phase.all();
        let enters = occupied[0] & engine.is(Engine::Idle) & !io.row.valid;
        when(advance & (!phase.all() | in_use | enters), || phase.set(phase + 1));
        when(io.decision.ready, || occupied[5].set(false));
        when(shift, || {
            occupied[1].set(enters);
            for slot in 2..6 {
                occupied[slot].set(occupied[slot - 1]);
            }
        });

        // Slot 0: a frame waits for its turn; the policy of its port.
        let received = reg_without_reset(Frame::ty(config));
        let received_forced = reg_without_reset(Forced::ty(config));
        let from_manager = io.frame.payload.port.eq(config.manager());
        io.frame.ready.set(!occupied[0]);
        io.forced.ready.set(!occupied[0] & io.frame.valid & from_manager);
        when(!occupied[0], || {
            occupied[0].set(io.frame.valid);
            received.set(io.frame.payload);
            received_forced.valid.set(io.forced.payload.valid & from_manager);
            received_forced.ports.set(io.forced.payload.ports);
        })
        .elsewhen(shift & enters, || occupied[0].set(false));
        let policy_port = reg_without_reset(received.port);
        let names_row = reg(flag());
        policy.port.set(names_row.mux(policy_port, received.port));
        let header = received.header;
        let row = policy.policy;
        let customer = header.tag.is(TagKind::Customer);
        let service = header.tag.is(TagKind::Service);
        let has_tag = customer & row.customer_tags | service & row.service_tags;
        let tagged = has_tag & header.vid.any();
        let vid = tagged.mux(header.vid, row.pvid);
        let nested = has_tag.mux(header.second_tag, customer | service);
        let admitted = tagged.mux(row.admit_tagged, row.admit_untagged) & (row.admit_nested | !nested);
        let own_tag = Tag { service, pcp: header.pcp, dei: header.dei, vid };
        let port_tag = Tag { service: row.service_tag, pcp: row.priority, dei: false.to_bool(), vid };
        let first_reason = wire(Enum::ty());
        let untagged_runt = received.length.lt(14);
        let tagged_runt = (customer | service) & received.length.lt(18);
        let nested_runt = header.second_tag & received.length.lt(22);
        when(received.error, || first_reason.set(Reason::Error))
            .elsewhen(untagged_runt | tagged_runt | nested_runt, || first_reason.set(Reason::Runt))
            .elsewhen(received.length.gt(MAX_FRAME), || first_reason.set(Reason::Oversize))
            .elsewhen(received.broken, || first_reason.set(Reason::BufferFull))
            .elsewhen(!row.ingress, || first_reason.set(Reason::Disabled))
            .otherwise(|| first_reason.set(Reason::None));

        // Slot 1: four lookups, the next begins in each cycle.
        let parsed = reg_without_reset(Parsed::ty(config));
        let Frame { port, length, chain, .. } = received;
        let from_wire = port.lt(config.wires);
        when(shift, || {
            parsed.meta.set(Meta {
                port,
                length,
                chain,
                vid,
                has_tag,
                tag: has_tag.mux(own_tag, port_tag),
                forced: received_forced,
            });
            parsed.verdict.set(Verdict {
                reason: first_reason,
                check_source: row.check_source,
                check_ethertype: row.check_ethertype,
                admission: !admitted,
            });
            parsed.destination.set(header.destination);
            parsed.source.set(header.source);
            parsed.ethertype.set(header.ethertype);
            parsed.from_local.set(row.is_local() & !from_wire);
            parsed.default_ports.set(row.default_ports);
        });
        let looks_for_source = phase.bit(1);
        let any_vlan = phase.bit(0);
        let looked_up = looks_for_source.mux(parsed.source, parsed.destination);
        let lookup_vid = parsed.meta.vid.pack() & (!any_vlan).bits().repeat(12);
        macs.key.set(Key { vid: lookup_vid.as_u(), mac: looked_up });
        macs.advance.set(advance);
        ethertypes.ethertype.set(parsed.ethertype);
        let is_reserved = delay_without_reset(parsed.destination.slice(4, 44).eq(RESERVED));
        let is_broadcast = delay_without_reset(parsed.destination.all());

        // Slot 2: the answers come in the same order.
        let asked = reg_without_reset(Asked::ty(config));
        let multicast_index = reg_without_reset(bits(clog2(MULTICAST_ROWS)));
        when(shift, || {
            asked.meta.set(parsed.meta);
            let check_ethertype = parsed.verdict.check_ethertype & ethertypes.refused;
            asked.verdict.set(Verdict { check_ethertype, ..parsed.verdict });
            when(is_broadcast, || asked.cast.set(Cast::Broadcast))
                .elsewhen(parsed.destination.bit(40), || asked.cast.set(Cast::Multicast))
                .otherwise(|| asked.cast.set(Cast::Unicast));
            asked.reserved.set(is_reserved);
            asked.source_is_group.set(parsed.source.bit(40));
            asked.from_local.set(parsed.from_local);
            asked.default_ports.set(parsed.default_ports);
            multicast_index.set(prim::xor_fold(parsed.destination.pack(), clog2(MULTICAST_ROWS)));
        });
        vlans.index.set(asked.meta.vid);
        multicasts.index.set(multicast_index);
        filters.hash.set(multicast_index);
        filters.vid.set(asked.meta.vid);
        let vlan = VlanRow::ty(config).unpack(vlans.row);
        // Wires have no filters.
        let of_ports = |functions: Bits| cat([functions, lit(0, config.wires)]);
        let claims = reg_without_reset(bits(ports));
        let owners = reg_without_reset(bits(ports));
        when(advance, || {
            switch(phase)
                .case(0, || claims.set(macs.ports))
                .case(1, || claims.set(claims | macs.ports))
                .case(2, || owners.set(macs.ports))
                .default(|| owners.set(owners | macs.ports));
        });

        // Slot 3: the rules.
        let known = reg_without_reset(Known::ty(config));
        when(shift, || {
            known.meta.set(asked.meta);
            known.verdict.set(asked.verdict);
            known.reserved.set(asked.reserved);
            known.source_is_group.set(asked.source_is_group);
            known.facts.set(Facts {
                source: prim::decode(asked.meta.port, ports),
                from_wire: asked.meta.port.lt(config.wires),
                from_local: asked.from_local,
                cast: asked.cast,
                default_ports: asked.default_ports,
                members: vlan.members,
                claims,
                subscribers: multicasts.row,
                groups: of_ports(filters.group),
                untagged: vlan.untagged,
                listed: of_ports(filters.vlan),
                owners: owners | macs.ports,
            });
        });
        let facts = known.facts;
        destinations.facts.set(facts);
        destinations.policy.set(policy.destinations);
        let owns_source = delay_without_reset((facts.owners & facts.source).any());
        let is_member = delay_without_reset((facts.members & facts.source).any());
        let vid_exists = delay_without_reset(known.meta.vid.any() & !known.meta.vid.all());
        let receives = delay_without_reset(policy.destinations.egress & !facts.source);
        let verdict = known.verdict;
        let forced = known.meta.forced.valid;
        let reason = wire(Enum::ty());
        when(!verdict.reason.is(Reason::None), || reason.set(verdict.reason))
            .elsewhen(forced, || reason.set(Reason::None))
            .elsewhen(verdict.check_source & (known.source_is_group | !owns_source), || {
                reason.set(Reason::MacSpoof);
            })
            .elsewhen(verdict.check_ethertype, || reason.set(Reason::EthertypeSpoof))
            .elsewhen(known.reserved, || reason.set(Reason::None))
            .elsewhen(verdict.admission, || reason.set(Reason::Admission))
            .elsewhen(!vid_exists | !is_member, || reason.set(Reason::Vlan))
            .otherwise(|| reason.set(Reason::None));
        let manager = lit(1u128 << config.manager(), ports);
        let special = forced.mux(known.meta.forced.ports, manager) & receives;
        let raw = forced | known.reserved;

        // Slot 4: the mirrors.
        let settled = reg_without_reset(Settled::ty(config));
        when(shift, || {
            settled.meta.set(known.meta);
            settled.reason.set(reason);
            settled.cast.set(facts.cast);
            settled.raw.set(raw);
            settled.source.set(facts.source);
            settled.destinations.set(raw.mux(special, destinations.ports));
            settled.untagged.set(facts.untagged);
        });
        mirror.source.set(settled.source);
        mirror.vid.set(settled.meta.vid);
        mirror.destinations.set(settled.destinations);
        let mirrored = mirror.targets & policy.destinations.egress & !settled.source;
        let all = delay_without_reset(settled.destinations | mirrored);

        // The decision.
        let decision = reg_without_reset(Decision::ty(config));
        when(shift, || {
            let goes = settled.reason.is(Reason::None);
            when(goes & !all.any(), || decision.reason.set(Reason::Filtered))
                .otherwise(|| decision.reason.set(settled.reason));
            let Meta { port, length, chain, has_tag, tag, .. } = settled.meta;
            decision.port.set(port);
            decision.cast.set(settled.cast);
            decision.destinations.set(all & goes.bits().repeat(ports));
            decision.raw.set(settled.raw);
            decision.untagged.set(settled.untagged);
            decision.has_tag.set(has_tag);
            decision.tag.set(tag);
            decision.length.set(length);
            decision.chain.set(chain);
        });
        io.decision.valid.set(occupied[5]);
        io.decision.payload.set(decision);

        // Commands for the tables.
        let request = reg_without_reset(RowRequest::ty());
        let response = reg_without_reset(RowResponse::ty());
        let is_for = |table: Table| request.table.is(table);
        let data = request.data;
        let point = engine.is(Engine::Point);
        let writes = |table: Table| point & is_for(table) & request.operation.is(Operation::Write);
        let index = |width: usize| request.index.trunc(width);
        let row_of = map::table;
        io.row.ready.set(engine.is(Engine::Idle));

        policy.write.valid.set(writes(Table::Port));
        let port_policy = row_of(Table::Port).unpack(&PortPolicy::ty(config), data);
        policy.write.payload.set(PolicyWrite { port: index(config.port_bits()), policy: port_policy });
        vlans.write.valid.set(writes(Table::Vlan));
        vlans.write.payload.index.set(request.index);
        let vlan_row = row_of(Table::Vlan).unpack(&VlanRow::ty(config), data);
        vlans.write.payload.row.set(vlan_row.pack());
        multicasts.write.valid.set(writes(Table::Multicast));
        multicasts.write.payload.index.set(index(clog2(MULTICAST_ROWS)));
        multicasts.write.payload.row.set(GROUP_FUNCTIONS.low_of(data, ports));
        mirror.write.valid.set(writes(Table::Mirror));
        mirror.write.payload.index.set(index(1).as_u());
        mirror.write.payload.rule.set(row_of(Table::Mirror).unpack(&MirrorRule::ty(), data));
        ethertypes.write.valid.set(writes(Table::Ethertype));
        ethertypes.write.payload.index.set(index(3).as_u());
        ethertypes.write.payload.row.set(row_of(Table::Ethertype).unpack(&EthertypeRow::ty(), data));
        macs.command.valid.set(engine.is(Engine::AskMac));
        macs.command.payload.operation.set(request.operation);
        let mac_row = row_of(Table::Mac).unpack(&MacRow::ty(config), data);
        macs.command.payload.row.set(mac_row);

        // The slots are empty: their registers name the rows.
        when(point, || {
            policy_port.set(index(config.port_bits()));
            asked.meta.vid.set(request.index);
            multicast_index.set(index(clog2(MULTICAST_ROWS)));
        });
        let answer = wire(bits(192));
        request.table.cases(|table| match table {
            Table::Port => answer.set(row_of(table).pack(&policy.policy)),
            Table::Vlan => answer.set(row_of(table).pack(&vlan)),
            Table::Multicast => answer.set(map::row([(GROUP_FUNCTIONS, multicasts.row)])),
            Table::Mac => answer.set(row_of(table).pack(&MacRow { ports: macs.ports, ..mac_row })),
            Table::Mirror => answer.set(row_of(table).pack(&select(&mirror.rules, index(1)))),
            Table::Ethertype => answer.set(row_of(table).pack(&select(&ethertypes.rows, index(3)))),
            Table::Rate | Table::Limit | Table::Statistics => answer.set(0),
        });

        names_row.set(point | engine.is(Engine::Read));
        let clear =
            policy.clear & vlans.clear & filters.clear & multicasts.clear & macs.clear & io.others_clear;
        io.clear.set(!engine.is(Engine::Clear));
        engine.cases(|e| match e {
            Engine::Clear => {
                when(clear, || engine.set(Engine::Idle));
            }
            Engine::Idle => {
                request.set(io.row.payload);
                when(io.row.valid, || engine.set(Engine::Drain));
            }
            Engine::Drain => {
                when(!in_use, || engine.set(Engine::Point));
            }
            Engine::Point => {
                when(is_for(Table::Mac), || engine.set(Engine::AskMac))
                    .otherwise(|| engine.set(Engine::Read));
            }
            Engine::Read => engine.set(Engine::Respond),
            Engine::Respond => engine.set(Engine::Idle),
            Engine::AskMac => {
                when(macs.command.ready, || engine.set(Engine::AwaitMac));
            }
            Engine::AwaitMac => {
                when(macs.outcome.valid, || engine.set(Engine::Idle));
            }
        });
        let ends = engine.is(Engine::Respond) | (engine.is(Engine::AwaitMac) & macs.outcome.valid);
        response.data.set(answer.as_u());
        when(engine.is(Engine::AwaitMac), || response.outcome.set(macs.outcome.payload))
            .otherwise(|| response.outcome.set(Outcome::Done));
        io.row_response.valid.set(delay(ends));
        io.row_response.payload.set(response);
        io.decision.assert_stable();
        io.row.assert_stable();
        let entering =
            checks::Entering { frame: received, forced: received_forced, policy: row, vid: vid.pack() };
        let (policy, macs, vlans) = (&policy, &macs, &vlans);
        let tables = checks::Tables { policy, macs, vlans, ethertypes: &ethertypes, mirror: &mirror };
        checks::check(config, &entering, &tables, shift, advance, &io.decision);
        assume(
            !(io.frame.fire() & from_manager) | io.forced.valid,
            "what the manager forces comes before its frame",
        );
    })
}
