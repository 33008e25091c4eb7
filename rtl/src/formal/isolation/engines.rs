//! A function that may not send sends nothing.

use crate::{
    config::Config,
    dma::write::{WriteEngineIo, write_engine},
    formal::{Method::*, Proof, chosen_one, steady},
    pcie::{
        configuration::function_bits,
        identity::Identity,
        tlp::{MemoryHeader, TlpBeat},
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let config = || Config { vfs: 2, ..super::super::least() };
    let claim = "no packet of a stopped function begins, none is left when it is quiet";
    let size = "4 functions, 1 client";
    let writes = Proof::new("isolation/writes", claim, size, Bounded(15), move || writes(&config()));
    vec![writes.trusted(&["dma_aligner_*"]).long()]
}

/// The packets of `who`, which may send or not.
struct Watched {
    /// Its packet is on offer.
    offers: Bool,
    /// It was not in the cycle before.
    begins: Bool,
    /// It may send nothing, and could not in the three cycles before.
    is_blocked: Bool,
    /// It has been stopped for four cycles.
    is_settled: Bool,
}

#[hdl]
fn watch(
    config: &Config,
    identity: Identity,
    who: Bits,
    stopped: Bits,
    bus_master: Bits,
    packet: &Stream<TlpBeat>,
) -> Watched {
    chosen_one(who, config.functions());
    let first_vf = Bits::from(identity.first_vf);
    steady(cat([identity.bus.into(), first_vf]));
    assume(first_vf.eq(2) | first_vf.eq(256), "virtual functions are at one of their places");
    let header = MemoryHeader::ty().unpack(packet.payload.header);
    let is_own = Bits::from(header.requester).eq(identity.routing_id(config, who));
    let offers = packet.valid & packet.payload.first & is_own;
    let since = |event: Bool| {
        let age = reg(bits(3));
        when(!event, || age.set(0)).elsewhen(age.ne(4), || age.set(age + 1));
        age
    };
    let is_stopped = stopped.at(who);
    Watched {
        offers,
        begins: offers & !delay(packet.valid & !packet.ready),
        is_blocked: since(is_stopped | !bus_master.at(who)).ge(3),
        is_settled: is_stopped & since(is_stopped).eq(4),
    }
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct WritesIo {
    #[ty(WriteEngineIo::ty(config, 1))]
    engine: WriteEngineIo,
    /// Any function.
    #[input]
    #[ty(bits(function_bits(config)))]
    who: Bits,
}

/// Any function:
/// - when it may not send since three cycles, no packet of it begins;
/// - when it was quiet, none is on offer, even if it may send again, before the next command of it is taken.
#[hdl]
pub fn writes(config: &Config) -> WritesIo {
    module("writes", WritesIo::ty(config), |io| {
        let (block, outer) = (write_engine(config, 1), &io.engine);
        block.identity.set(outer.identity);
        block.payload.set(outer.payload);
        block.relaxed_ordering.set(outer.relaxed_ordering);
        block.bus_master.set(outer.bus_master);
        block.stopped.set(outer.stopped);
        outer.quiet.set(block.quiet);
        block.command[0].connect(&outer.command[0]);
        block.data[0].connect(&outer.data[0]);
        outer.done[0].set(block.done[0]);
        outer.poisoned.set(block.poisoned);
        outer.packet.connect(&block.packet);
        steady(outer.payload.into());
        assume(Bits::from(outer.payload).le(2), "the largest payload is one of three");
        let watched = watch(config, outer.identity, io.who, outer.stopped, outer.bus_master, &block.packet);
        assert(!(watched.begins & watched.is_blocked), "who may not send sends nothing");
        let is_quiet = reg(flag());
        let command = &outer.command[0];
        let taken = command.fire() & command.payload.function.eq(io.who);
        // `quiet` knows of it two cycles later.
        when(taken | delay(taken), || is_quiet.set(false))
            .elsewhen(block.quiet.at(io.who) & watched.is_settled, || is_quiet.set(true));
        assert(!(watched.offers & is_quiet), "what was quiet does not become a packet");
        cover(watched.begins, "a packet begins");
        let had_begun = reg(flag());
        when(watched.begins, || had_begun.set(true));
        cover(had_begun & is_quiet, "a function is quiet again");
        cover(watched.is_blocked & block.packet.valid & block.packet.payload.first, "another goes on");
    })
}
