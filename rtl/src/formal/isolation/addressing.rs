//! Which function an access is for, and by which name a function accesses the host.

use crate::{
    config::Config,
    dma::{
        Command,
        read::read_engine,
        write::{WriteEngineIo, write_engine},
    },
    formal::{Method::*, Proof, chosen_one, least, steady},
    pcie::{
        Bar,
        base_addresses::{BaseAddressesIo, Hit, base_addresses},
        completer::{CompleterIo, completer},
        configuration::function_bits,
        identity::Identity,
        space::{self, Field, Kind, PAGE_SIZES, space},
        tlp::{CompletionHeader, MemoryHeader, TlpBeat},
    },
    prim,
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let config = || Config { vfs: 2, ..least() };
    let claim = "who answers to an address has it, and may answer, at its distance from the base";
    let method = Bounded(DECODE);
    let decode =
        Proof::new("isolation/base_addresses", claim, "4 functions", method, move || decode(&config()));
    let claim = "what is accessed is what the address found, and what is read is in its name";
    let accesses =
        Proof::new("isolation/accesses", claim, "4 functions", Bounded(11), move || accesses(&config()));
    let claim = "a packet is in the name of the function whose command has its address";
    let (name, size) = ("isolation/names_of_writes", "4 functions, 1 client");
    let writes = Proof::new(name, claim, size, Bounded(14), move || names_of_writes(&config()));
    let (name, method) = ("isolation/names_of_reads", Reachability);
    let reads = Proof::new(name, claim, size, method, move || names_of_reads(&config()));
    let parts = [
        "dma_read_shares_*",
        "dma_read_free_tags_*",
        "dma_read_completions_*",
        "dma_read_watch_*",
        "dma_read_order_*",
        "dma_read_delivery_*",
    ];
    let decode = Proof { cover: DECODE, ..decode };
    vec![decode, accesses.long(), writes.free(&["dma_aligner_*"]), reads.free(&parts)]
}

/// Reset, two writes of a base address, and a search of the longest kind.
const DECODE: u32 = 19;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct DecodeIo {
    #[ty(BaseAddressesIo::ty(config))]
    search: BaseAddressesIo,
    /// Any function.
    #[input]
    #[ty(bits(function_bits(config)))]
    who: Bits,
    /// Any of its two base addresses.
    #[input]
    msix: Bool,
}

/// Any base address of any function, as it was written, whatever the others hold: if a search answers with it,
/// - the function is there, its memory space is enabled, and it is neither asleep nor stopped;
/// - the address is not below the base, nor beyond the function's part of what lies behind it, and the offset is how far it
///   is above the beginning of that part.
///
/// Registers and settings stay as they are during a search. Addresses are numbers modulo 2^64.
#[hdl]
pub fn decode(config: &Config) -> DecodeIo {
    module("decode", DecodeIo::ty(config), |io| {
        let (block, outer) = (base_addresses(config), &io.search);
        block.legacy.set(outer.legacy);
        block.legacy_functions.set(outer.legacy_functions);
        block.settings.set(outer.settings.clone());
        block.stopped.set(outer.stopped);
        block.changed.set(outer.changed);
        block.start.set(outer.start);
        block.address.set(outer.address);
        outer.hit.set(block.hit);
        chosen_one(io.who, config.functions());
        steady(io.msix.bits());
        steady(cat([outer.legacy.bits(), outer.legacy_functions.into()]));
        let hit = block.hit.payload;

        // What software has made of it.
        let settings = &outer.settings;
        let (page, number) = (Bits::from(settings.page), Bits::from(settings.vf_number));
        let count = Bits::from(outer.legacy_functions);
        assume(
            prim::is_onehot(page) & !(page & !lit(PAGE_SIZES as u128, 32)).any(),
            "a page is of some size",
        );
        assume(number.le(config.vfs), "there are no more virtual functions");
        assume(!(outer.legacy & settings.vf_enable), "the legacy personality has none");
        assume(count.eq(1) | count.eq(2) | count.eq(4), "it has 1, 2 or 4 functions");
        let is_virtual = io.who.ge(2) & !outer.legacy;
        let (low, high) = (reg(bits(32)), reg(bits(32)));
        let (has_low, has_high) = (reg(flag()), reg(flag()));
        let change = outer.changed.payload;
        let physical = space(config, Kind::Physical);
        let register = |half: usize, of: &dyn Fn(usize, Field) -> Bits| {
            let value = |structure: &str, bar: usize| {
                let field = space::field(&physical, &format!("{structure}.bar{}.address", bar + half));
                let (offset, field) = field.expect("there are virtual functions");
                of(offset, field)
            };
            let choice = |structure: &str| io.msix.mux(value(structure, 2), value(structure, 0));
            is_virtual.mux(choice("virtualization"), choice("header"))
        };
        let owner = is_virtual.mux(io.who.zero(), io.who);
        for (half, (word, has)) in [(low, has_low), (high, has_high)].into_iter().enumerate() {
            let place = register(half, &|offset, _| lit(offset as u128 / 4, 10));
            let mask = register(half, &|_, field| lit(field.mask(), 32));
            let is_own = change.function.eq(owner) & Bits::from(change.register).eq(place);
            let comes = outer.changed.valid & is_own;
            assume(!comes | !(Bits::from(change.data) & !mask).any(), "only what is stored is told");
            when(comes, || {
                word.set(Bits::from(change.data));
                has.set(true);
            });
        }
        let age = reg(bits(2));
        when(age.ne(3), || age.set(age + 1));
        let had_time = age.eq(3);
        let starts = had_time & !delay(had_time);
        assume(outer.start.eq(starts), "a search begins as soon as the base address is written");
        assume(!outer.start | (has_low & has_high), "software has written the base address");

        // Nothing changes during the search.
        let busy = reg(flag());
        when(outer.start, || busy.set(true)).elsewhen(block.hit.valid, || busy.set(false));
        let stays = |now: Bits| now.eq(delay_without_reset(now));
        let same = stays(outer.settings.pack()) & stays(outer.stopped) & stays(outer.address.into());
        assume(!busy | outer.start | same, "settings and the address stay");
        assume(!busy | !outer.changed.valid, "no register changes");

        // What the rules say, of the cycle before: this one is not a part of the search any more.
        let sizes = |kind: Kind| {
            let [registers, msix] = Bar::of(kind).map(|bar| lit(1 << bar.address_bits, 64));
            io.msix.mux(msix, registers)
        };
        let is_manager = io.who.eq(1);
        let size = is_manager.mux(sizes(Kind::Manager), sizes(Kind::Physical));
        let page = cat([page, lit(0, 12)]).zext(64);
        let part = is_virtual.mux(page.gt(size).mux(page, size), size);
        let hidden = is_virtual.mux(page - 1, lit(0, 64));
        let base = cat([high, low]) & !hidden;
        let distance = Bits::from(outer.address) - base;
        // The second virtual function's part begins where that of the first ends.
        let begin = (is_virtual & io.who.eq(3)).mux(part, part.zero());
        let has_it = delay_without_reset(distance.ge(begin) & distance.lt(begin + part));
        let distance = distance.trunc(32) - begin.trunc(32);
        let is_virtual_there = settings.vf_enable & number.gt(io.who.zext(16) - 2);
        let exists = outer.legacy.mux(io.who.zext(4).lt(count), io.who.lt(2) | is_virtual_there);
        let enabled = is_virtual.mux(settings.vf_memory_space, settings.memory_space.at(io.who));
        let may_answer = exists & enabled & !(settings.asleep | outer.stopped).at(io.who);

        let found = block.hit.valid & hit.found;
        let ours = found & hit.function.eq(io.who) & hit.msix.eq(io.msix);
        assert(!found | hit.function.zext(8).lt(config.functions()), "it is one of the functions");
        assert(!ours | has_it, "the address is the function's own");
        assert(!ours | delay_without_reset(may_answer), "the function may answer");
        let offset = Bits::from(hit.offset).eq(delay_without_reset(distance.trunc(16)));
        assert(!ours | offset, "the offset is counted from its base");
        assert(!ours | Bits::from(hit.size).eq(size.trunc(17)), "the size is that of the base address");
        assert(
            !ours | hit.beyond.eq(delay_without_reset(distance.ge(size.trunc(32)))),
            "what is beyond it is known",
        );
        cover(ours & is_virtual & io.who.eq(3) & io.msix, "the last virtual function answers");
        cover(ours & is_manager, "the manager answers");
        cover(ours & outer.legacy, "a function of the legacy personality answers");
    })
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct AccessesIo {
    #[ty(CompleterIo::ty(config))]
    completer: CompleterIo,
    /// Any function.
    #[input]
    #[ty(bits(function_bits(config)))]
    who: Bits,
}

/// Any function:
/// - an access to a register is one of the function, base address and offset that the request's address has found;
/// - the completion of a memory request that found the function is in its name, and no other one is. The requests are told
///   apart by a bit of their tags.
#[hdl]
pub fn accesses(config: &Config) -> AccessesIo {
    module("accesses", AccessesIo::ty(config), |io| {
        let (block, outer) = (completer(config), &io.completer);
        block.posted.connect(&outer.posted);
        block.posted_data.connect(&outer.posted_data);
        block.non_posted.connect(&outer.non_posted);
        block.identity.set(outer.identity);
        outer.search.set(block.search);
        outer.address.set(block.address);
        block.hit.set(outer.hit);
        outer.config_request.connect(&block.config_request);
        block.config_completion.connect(&outer.config_completion);
        block.config_owner.set(outer.config_owner);
        block.asked.set(outer.asked);
        outer.reset.set(block.reset);
        outer.register.connect(&block.register);
        block.answer.set(outer.answer);
        outer.completion.connect(&block.completion);
        outer.error.set(block.error);
        let who_id = identity(config, outer.identity, io.who);

        // A search has one answer.
        let searching = reg(flag());
        let answers = outer.hit.valid;
        when(block.search, || searching.set(true)).elsewhen(answers, || searching.set(false));
        assume(!answers | searching, "an answer is to a search");
        let hit = reg(Hit::ty(config));
        when(answers, || hit.set(outer.hit.payload));
        assume(!answers | Bits::from(outer.hit.payload.size).le(1 << 16), "no base address has more");
        let access = block.register.payload;
        let same = access.function.eq(hit.function) & access.msix.eq(hit.msix);
        assert(!block.register.valid | (hit.found & same), "the access is to what was found");
        let (offset, start) = (Bits::from(access.offset), Bits::from(hit.offset));
        let is_near = (offset.zext(17) - start.zext(17)).lt(64);
        let is_within = offset.zext(17).lt(Bits::from(hit.size)) & !hit.beyond;
        assert(!block.register.valid | (is_near & is_within), "it is at its place, and within its size");

        // The requests that find `who` have a tag with bit 0.
        let marked = reg(flag());
        let tag_bit = |header: U<128>| Bits::from(MemoryHeader::ty().unpack(header).tag).bit(0);
        when(block.posted.fire(), || marked.set(tag_bit(outer.posted.payload.header)))
            .elsewhen(block.non_posted.fire(), || marked.set(tag_bit(outer.non_posted.payload.header)));
        let finds = outer.hit.payload.found & outer.hit.payload.function.eq(io.who);
        assume(!answers | finds.eq(marked), "the tag tells whether a request finds the function");
        assume(!outer.config_completion.valid, "configuration requests are routed by their own");
        let beat = block.completion.payload;
        let header = CompletionHeader::ty().unpack(beat.header);
        let offers = block.completion.valid & beat.first;
        let is_own = Bits::from(header.completer).eq(who_id);
        let has_data = Bits::from(header.first.length).any();
        let is_marked = Bits::from(header.tag).bit(0);
        assert(!(offers & has_data & is_marked) | is_own, "what is read of a function is in its name");
        assert(!(offers & has_data & !is_marked) | !is_own, "nothing of another is");
        cover(offers & has_data & is_marked, "a register was read");
        cover(delay(offers) & has_data & !is_marked & offers, "one of another function was read");
        cover(block.register.fire() & access.write & offset.ne(start), "the second word is written");
    })
}

/// The routing ID of a function; all stay as they are.
fn identity(config: &Config, identity: Identity, who: Bits) -> Bits {
    chosen_one(who, config.functions());
    let first_vf = Bits::from(identity.first_vf);
    steady(cat([identity.bus.into(), first_vf]));
    assume(first_vf.eq(2) | first_vf.eq(256), "virtual functions are at one of their places");
    identity.routing_id(config, who).into()
}

/// Commands of `who`, and no others, are about the upper half of all addresses. So are the packets in its name. What is
/// done to `command` is assumed, what is done to `packet` shown.
#[hdl]
fn halves(config: &Config, who: Bits, id: Bits, command: &Stream<Command>, packet: &Stream<TlpBeat>) {
    let (function, address) = (command.payload.function, Bits::from(command.payload.address));
    assume(!command.valid | function.zext(8).lt(config.functions()), "it is one of the functions");
    assume(!command.valid | address.bit(63).eq(function.eq(who)), "it has a half of its own");
    assume(!command.valid | !address.bit(62), "no command reaches into the other half");
    let header = MemoryHeader::ty().unpack(packet.payload.header);
    let offers = packet.valid & packet.payload.first;
    let is_own = Bits::from(header.requester).eq(id);
    assert(!offers | is_own.eq(header.address().bit(63)), "the name of a packet is that of its address");
    let begins = packet.fire() & packet.payload.first;
    let (own, other) = (reg(flag()), reg(flag()));
    when(begins, || {
        own.set(own | is_own);
        other.set(other | !is_own);
    });
    cover(own & other, "packets of two functions");
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct NamesOfWritesIo {
    #[ty(WriteEngineIo::ty(config, 1))]
    engine: WriteEngineIo,
    /// Any function.
    #[input]
    #[ty(bits(function_bits(config)))]
    who: Bits,
}

/// A memory write has the routing ID of the function whose command has its address, whatever the data is.
#[hdl]
pub fn names_of_writes(config: &Config) -> NamesOfWritesIo {
    module("names_of_writes", NamesOfWritesIo::ty(config), |io| {
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
        assume(Bits::from(outer.payload).le(2), "the largest payload is one of three");
        let id = identity(config, outer.identity, io.who);
        halves(config, io.who, id, &outer.command[0], &block.packet);
    })
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct NamesOfReadsIo {
    #[input]
    #[ty(Stream::ty(Command::ty(config)))]
    command: Stream<Command>,
    #[output]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    request: Stream<TlpBeat>,
    #[input]
    identity: Identity,
    #[input]
    read_request: U<3>,
    #[input]
    #[ty(bits(config.functions()))]
    bus_master: Bits,
    #[input]
    #[ty(bits(config.functions()))]
    stopped: Bits,
    /// Any function.
    #[input]
    #[ty(bits(function_bits(config)))]
    who: Bits,
}

/// A memory read has the routing ID of the function whose command has its address, whatever tags there are, and whatever
/// comes back.
#[hdl]
pub fn names_of_reads(config: &Config) -> NamesOfReadsIo {
    module("names_of_reads", NamesOfReadsIo::ty(config), |io| {
        let block = read_engine(config, 1, 32);
        block.commands[0].connect(&io.command);
        io.request.connect(&block.request);
        block.identity.set(io.identity);
        block.read_request.set(io.read_request);
        block.bus_master.set(io.bus_master);
        block.stopped.set(io.stopped);
        // What has these inputs does anything in this proof.
        let completion = &block.completion;
        completion.valid.set(false);
        completion.payload.set(TlpBeat::ty(config.bytes).zero());
        block.malformed.set(false);
        block.extended_tags.set(true);
        block.relaxed_ordering.set(true);
        block.timeout_disable.set(lit(0, config.functions()));
        block.tick.set(false);
        block.data[0].ready.set(true);
        block.error.ready.set(true);
        let id = identity(config, io.identity, io.who);
        halves(config, io.who, id, &io.command, &block.request);
    })
}
