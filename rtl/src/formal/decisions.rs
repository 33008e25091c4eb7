//! No frame goes where the rules do not let it.

use super::{Method::*, Proof, chosen_one, steady};
use crate::{
    config::Config,
    prim,
    veb::{
        classifier::classifier,
        destinations::{DestinationsIo, destinations},
        dispatch::{DispatchIo, dispatch},
        mac_table::{Command, Key, MacTableIo, mac_table},
        policy::{PolicyIo, policy},
        rows::{Mode, Operation, Outcome},
        types::Cast,
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let config = || Config { cells: 4, ..super::least() };
    let ports = "3 ports";
    let classifier = |name: &str, depth: u32| {
        let claim = "no frame leaves its VLAN, a spoofed one goes nowhere";
        let proof = Proof::new(name, claim, ports, Bounded(depth), move || classifier(&config()));
        let tables = ["veb_mac_table_*", "row_memory_*", "veb_filters_*", "veb_policy_*"];
        Proof { harness: false, cover: depth, ..proof.free(&tables) }
    };
    let claim = "the rules of forwarding, whatever the tables hold";
    let forwarding =
        Proof::new("decision/forwarding", claim, ports, Induction(4), move || forwarding(&config()));
    let claim = "rights come from the row of PORT and wishes alone";
    let rights = Proof::new("decision/rights", claim, ports, Reachability, move || rights(&config()));
    let claim = "a lookup finds what was inserted last";
    let addresses = |name: &str, depth: u32| {
        Proof::new(name, claim, "16 entries", Bounded(depth), move || addresses(&config()))
    };
    let claim = "a frame gets into queues of its destinations only, is held as often or released";
    let queues =
        Proof::new("decision/queues", claim, "3 ports, 4 cells", Reachability, move || queues(&config()));
    vec![
        forwarding,
        rights,
        queues,
        classifier("decision/classifier", 24),
        classifier("decision/classifier_long", 31).long(),
        addresses("decision/addresses", 18).long(),
    ]
}

/// Whatever the tables say of a frame that stands for three cycles:
/// - it goes to nobody but members of its VLAN and those who may see all VLANs, to nobody whose egress is off, and not back;
/// - a wire's frames go to no wire, and to no isolated function if a function sent them;
/// - frames of functions that are not in VEB mode go to their default ports only, others' to no function out of VEB mode
///   that is none of them.
#[hdl]
pub fn forwarding(config: &Config) -> DestinationsIo {
    module("forwarding", DestinationsIo::ty(config), |io| {
        let block = destinations(config);
        block.facts.set(io.facts);
        block.policy.set(io.policy);
        io.ports.set(block.ports);
        let ports = config.ports();
        let wires = lit((1 << config.wires) - 1, ports);
        let only_if = |condition: Bool, set: Bits| set & condition.bits().repeat(ports);

        let (facts, rules) = (io.facts, io.policy);
        assume(!facts.from_wire | !facts.from_local, "a wire is no function");
        let age = reg(bits(2));
        let same = facts.pack().eq(delay(facts.pack())) & rules.pack().eq(delay(rules.pack()));
        when(!same, || age.set(1)).elsewhen(age.ne(3), || age.set(age + 1));
        let stays = delay(same & age.ge(2));
        let past = delay(io.facts);
        let rules = delay(rules);
        let outside = |allowed: Bits| stays & (io.ports & !allowed).any();
        assert(!outside(past.members | rules.all_vlans), "frames stay within their VLAN");
        assert(!outside(rules.egress), "a port that is off gets nothing");
        assert(!outside(!past.source), "no frame goes back");
        let passes = past.untagged | past.listed | !rules.filter;
        assert(!outside(passes), "nobody gets a tag that it filters out");
        assert(!(past.from_wire & outside(!wires)), "no frame goes from wire to wire");
        let reflected = past.from_wire & (past.owners & !wires).any();
        assert(!(reflected & outside(!rules.isolated)), "isolated functions get nothing of other functions");
        let apart = !past.from_wire & !past.from_local;
        assert(
            !(apart & outside(past.default_ports)),
            "an external bridge decides for VEPA and isolated functions",
        );
        let local = past.default_ports | rules.local | wires;
        assert(!(past.from_local & outside(local)), "functions in VEB mode reach no other function");
        let unicast = past.cast.is(Cast::Unicast);
        let wanted = past.default_ports | past.claims | only_if(unicast, rules.all_unicast);
        assert(!(unicast & outside(wanted)), "nobody gets another's unicast frame unasked");
        cover(stays & io.ports.any(), "a frame goes somewhere");
    })
}

/// For each decision, once: the queues of some of its destinations and of no other port get the frame, and it is held for
/// as many copies; or its cells are given back.
#[hdl]
pub fn queues(config: &Config) -> DispatchIo {
    module("queues", DispatchIo::ty(config), |io| {
        let block = dispatch(config);
        block.decision.connect(&io.decision);
        block.free_count.set(io.free_count);
        block.finished.set(io.finished);
        block.dead.set(io.dead);
        block.limit.set(io.limit);
        io.queues.iter().zip(&block.queues).for_each(|(queue, source)| queue.set(*source));
        io.hold.set(block.hold);
        io.leaving.set(block.leaving);
        io.release.connect(&block.release);
        io.counted.set(block.counted);
        io.settled.set(block.settled);
        io.queue_full.set(block.queue_full);
        io.congested.set(block.congested);
        let decision = reg(io.decision.payload);
        /// The decision is still to be carried out.
        let open = reg(flag());
        let queued = vector(io.queues.iter().map(|queue| queue.valid));
        let released = io.release.fire();
        when(io.decision.fire(), || {
            decision.set(io.decision.payload);
            open.set(true);
        })
        .elsewhen(queued.any() | released, || open.set(false));
        assert(!(queued & !decision.destinations).any(), "only destinations get the frame");
        assert(!(queued.any() | io.release.valid) | open, "each decision is carried out once");
        assert(!(queued.any() & io.release.valid), "a frame that is queued is not released");
        assert(!io.decision.fire() | !open, "no decision is forgotten");
        for queue in &io.queues {
            assert(
                !queue.valid | queue.payload.head.eq(decision.chain.head),
                "it is the frame of the decision",
            );
        }
        let same = io.release.payload.pack().eq(decision.chain.pack());
        assert(!io.release.valid | same, "the cells of the frame are released");
        let held = io.hold.payload;
        let copies = delay(prim::popcount(queued));
        assert(io.hold.valid.eq(copies.any()), "a queued frame is held");
        let whole = held.chain.pack().eq(delay(decision.chain.pack()));
        assert(!io.hold.valid | (held.copies.eq(copies) & whole), "it is held for each copy");
        cover(io.hold.valid & held.copies.eq(2), "two copies");
    })
}

/// After any writes and wishes: a port has a right only if its row says so, and sees all frames of a kind only if it
/// wishes to as well.
#[hdl]
pub fn rights(config: &Config) -> RightsIo {
    module("rights", RightsIo::ty(config), |io| {
        let block = policy(config);
        block.port.set(io.policy.port);
        block.write.set(io.policy.write);
        block.wishes.iter().zip(&io.policy.wishes).for_each(|(sink, wishes)| sink.set(*wishes));
        io.policy.policy.set(block.policy);
        io.policy.destinations.set(block.destinations);
        io.policy.may_unicast.set(block.may_unicast);
        io.policy.may_multicast.set(block.may_multicast);
        io.policy.clear.set(block.clear);
        chosen_one(io.who, config.ports());

        let write = io.policy.write;
        let row = reg(write.payload.policy);
        let written = write.valid & block.clear & write.payload.port.eq(io.who);
        when(written, || row.set(write.payload.policy));
        let at = |set: Bits| set.at(io.who);
        let wishes = select(&io.policy.wishes, io.who);
        let before = |x: Bool| delay(x);
        let sets = block.destinations;
        assert(at(sets.egress).eq(row.egress), "a port gets frames if it may");
        let may = before(row.may_vlan & wishes.vlan);
        assert(!at(sets.all_vlans) | may, "it sees all VLANs if it may and wishes to");
        let may = before(row.may_unicast & wishes.unicast);
        assert(!at(sets.all_unicast) | may, "it sees all unicast frames if it may and wishes to");
        let may = before(row.may_multicast & wishes.multicast);
        assert(!at(sets.all_multicast) | may, "it sees all groups if it may and wishes to");
        let is_function = io.who.ge(config.wires);
        let isolated = at(sets.isolated).eq(row.mode.is(Mode::Isolated));
        assert(!is_function | isolated, "it is isolated if its row says so");
        assert(!is_function | at(sets.local).eq(row.is_local()), "it is in VEB mode if its row says so");
        let source = io.policy.port.eq(io.who) & block.clear;
        assert(!source | block.policy.pack().eq(row.pack()), "a source has the row that was written last");
        cover(at(sets.all_vlans) & at(sets.egress), "a port sees all VLANs");
    })
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct RightsIo {
    #[ty(PolicyIo::ty(config))]
    policy: PolicyIo,
    /// Any port.
    #[input]
    #[ty(bits(config.port_bits()))]
    who: Bits,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct AddressesIo {
    #[ty(MacTableIo::ty(config))]
    table: MacTableIo,
    /// Any key.
    #[input]
    watched: Key,
}

/// A lookup of any key finds the ports that were inserted with it last, and nothing after it was deleted; other keys and
/// the refusal of a fifth entry change nothing about it.
#[hdl]
pub fn addresses(config: &Config) -> AddressesIo {
    module("addresses", AddressesIo::ty(config), |io| {
        let table = mac_table(config);
        let outer = &io.table;
        table.advance.set(outer.advance);
        table.key.set(outer.key);
        table.command.connect(&outer.command);
        outer.ports.set(table.ports);
        outer.outcome.set(table.outcome);
        outer.clear.set(table.clear);
        steady(io.watched.pack());

        // The command under way, and what it makes of the entry.
        let command = reg(Command::ty(config));
        let busy = reg(flag());
        let present = reg(flag());
        let ports = reg(bits(config.ports()));
        let Command { operation, row } = command;
        let key = Key { vid: row.vid, mac: row.mac };
        let ours = busy & table.outcome.valid & key.pack().eq(io.watched.pack());
        let done = table.outcome.payload.is(Outcome::Done);
        when(outer.command.fire(), || {
            command.set(outer.command.payload);
            busy.set(true);
        })
        .elsewhen(table.outcome.valid, || busy.set(false));
        when(ours & done & operation.is(Operation::Insert), || {
            present.set(true);
            ports.set(row.ports);
        })
        .elsewhen(ours & done & operation.is(Operation::Delete), || present.set(false));
        let known = operation.is(Operation::Insert)
            | operation.is(Operation::Delete)
            | operation.is(Operation::Lookup);
        assume(!busy | known, "commands are those there are");

        // Lookups, four advances long, none beside a command.
        let asked = ghost_vec4();
        let looks = outer.key.pack().eq(io.watched.pack()) & table.clear;
        when(outer.advance, || {
            asked[0].set(looks & !busy & !outer.command.fire());
            (1..4).for_each(|stage| asked[stage].set(asked[stage - 1]));
        });
        when(busy | outer.command.fire(), || asked.iter().copied().for_each(|asked| asked.set(false)));
        let expected = present.mux(ports, lit(0, config.ports()));
        assert(!asked[3] | table.ports.eq(expected), "a lookup finds what was inserted");
        let found = ours & operation.is(Operation::Lookup);
        assert(!found | done.eq(present), "the manager is told whether there is an entry");
        assert(!(found & done) | table.ports.eq(ports), "the manager is told its ports");
        let gone = ours & operation.is(Operation::Delete);
        assert(!gone | done.eq(present), "an entry that is there can be deleted");
        assert(!(ours & operation.is(Operation::Insert) & present) | done, "an entry can be changed");
        cover(asked[3] & present, "an entry is found");
    })
}

/// Flags of a lookup's four stages.
fn ghost_vec4() -> Vec<Bool> {
    reg(vec![flag(); 4])
}
