//! The adapter's own registers: what it is, what has happened, and the frames of the manager.
//!
//! # Schematic
//! ```text
//!  driver_ok, was_reset, broke, link_up ─┐                  ┌─► reply
//!  received, sent, lost ─────────────────┴─► registers ─────┼─► acknowledge, start, forced, release
//!                                               └─► events ─┴─► vector
//! ```
//!
//! # Events
//! An event asks for the interrupt when its bit becomes 1 while it is enabled, when it is enabled while it is 1, and when it happens in the
//! very cycle in which it is acknowledged: then its bit stays 1. One that happens while its bit is 1 asks for nothing more, so that frames
//! that are lost by the thousand are one interrupt.
//!
//! # Timing
//! The reply comes two cycles after it was asked for.

use super::{
    FRAME, VECTOR,
    map::{EVENT_COUNT, REGISTERS, own},
    receiver::Received,
    types::{Reply, Request},
};
use crate::{
    config::Config,
    pcie::{configuration::function_bits, msix::Vector},
    prim,
    register_map::{
        Access, Field, MAX_PORTS, Register,
        stored::{Stored, word},
    },
    veb::types::Forced,
};
use hdl::*;

/// Bits of the length of a frame.
pub const LENGTH_BITS: usize = own("SEND").field("length").position.width;
const _: () = assert!(FRAME < 1 << LENGTH_BITS);

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct OwnIo {
    #[input]
    pub ask: Bool,
    #[input]
    pub request: Request,
    #[output]
    pub reply: Valid<Reply>,
    #[input]
    #[ty(bits(config.functions()))]
    pub was_reset: Bits,
    #[output]
    #[ty(bits(config.functions()))]
    pub acknowledge: Bits,
    #[input]
    #[ty(bits(config.functions()))]
    pub driver_ok: Bits,
    /// A queue of this function is broken.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub broke: Valid<Bits>,
    #[input]
    #[ty(bits(config.wires))]
    pub link_up: Bits,
    /// The frame in the send buffer is to be sent; it has this length.
    #[output]
    pub start: Valid<U<LENGTH_BITS>>,
    /// Where; stays until it is `sent`.
    #[output]
    #[ty(Forced::ty(config))]
    pub forced: Forced,
    /// It has left.
    #[input]
    pub sent: Bool,
    #[input]
    #[ty(Received::ty(config))]
    pub received: Received,
    #[output]
    pub releases: Bool,
    #[output]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub vector: Stream<Vector>,
}

/// Shows the registers, and acts on what is written to them.
#[hdl]
pub fn own_registers(config: &Config) -> OwnIo {
    let name = format!("manager_own_{}_{}_{}", config.functions(), config.wires, config.pairs);
    module(name, OwnIo::ty(config), |io| {
        let writable = REGISTERS.iter().filter(|register| register.access == Access::ReadWrite);
        let mut stored = vec![];
        stored.extend(writable.map(Stored::new));
        let field = |register: &str, field: &str| {
            let register = stored.iter().find(|stored| stored.register.name == register);
            let fields = &register.expect("a register that can be written").fields;
            fields.iter().find(|(known, _)| known.name == field).expect("a field of it").1
        };
        let enabled = field("EVENT_ENABLE", "events");
        /// Functions of which a queue broke.
        let broken = reg(bits(config.functions()));
        let events = reg(bits(EVENT_COUNT));
        let sending = reg(flag());
        let link = delay(io.link_up);
        let [low, high] = [0, 32];
        let half = |functions: Bits, first: usize| functions.zext(64).slice(first, 32);

        // What the registers read.
        let shown = |register: &str, field: &Field| {
            let value = match (register, field.name) {
                ("ID" | "VERSION", _) => lit(field.reset.unwrap_or(0), field.position.width),
                ("FUNCTIONS", "functions") => lit(config.functions(), field.position.width),
                ("FUNCTIONS", "pairs") => lit(config.pairs, field.position.width),
                ("FUNCTIONS", "wires") => lit(config.wires, field.position.width),
                ("DRIVER_OK0", _) => half(io.driver_ok, low),
                ("DRIVER_OK1", _) => half(io.driver_ok, high),
                ("WAS_RESET0", _) => half(io.was_reset, low),
                ("WAS_RESET1", _) => half(io.was_reset, high),
                ("BROKEN0", _) => half(broken, low),
                ("BROKEN1", _) => half(broken, high),
                ("EVENTS", name) => bit_of("EVENTS", name).of(events),
                ("LINK", _) => link,
                ("SEND_STATUS", _) => sending.bits(),
                ("RECEIVED", "length") => io.received.length.into(),
                ("RECEIVED", "source") => io.received.source,
                ("RECEIVED", "kept") => io.received.kept.bits(),
                ("LOST", _) => io.received.lost.into(),
                ("SEND", _) => lit(0, field.position.width),
                (register, field) => unreachable!("nothing gives {register}.{field}"),
            };
            (*field, value.zext(field.position.width))
        };
        let reads = |register: &Register| match stored.iter().find(|it| it.register.name == register.name) {
            Some(stored) => word(&stored.fields),
            None if register.fields.is_empty() => lit(0, 32),
            None => word(&register.fields.iter().map(|it| shown(register.name, it)).collect::<Vec<_>>()),
        };

        // The register is found; a cycle later it is known what it reads and whether it takes the write; then it is written.
        let offset = Bits::from(io.request.offset);
        let data = Bits::from(io.request.data);
        let chosen = delay_without_reset(vector(REGISTERS.iter().map(|register| offset.eq(register.offset))));
        let words: Vec<Bits> = REGISTERS.iter().map(reads).collect();
        let value = delay_without_reset(prim::onehot_select(&words, chosen));
        let length = data.trunc(LENGTH_BITS);
        let is_long = data.slice(LENGTH_BITS, 32 - LENGTH_BITS).any() | length.gt(FRAME);
        let fits = delay_without_reset(length.any() & !is_long);
        let takes = |register: &Register| match (register.name, register.access) {
            (_, Access::ReadOnly) => false.to_bool(),
            ("SEND", _) => !sending & fits,
            _ if register.locked => !sending,
            _ => true.to_bool(),
        };
        let takes_data = vector(REGISTERS.iter().map(takes));
        let write = io.request.write;
        let accepted = delay_without_reset(write.mux((chosen & takes_data).any(), chosen.any()));
        let performs = delay(delay(io.ask));
        io.reply.valid.set(performs);
        io.reply.payload.set(Reply { refused: !accepted, data: value.as_u() });
        let strobes = chosen & (performs & write & accepted).bits().repeat(REGISTERS.len());
        let writes = |name: &str| {
            let position = REGISTERS.iter().position(|register| register.name == name);
            strobes.bit(position.expect("a register of this name"))
        };
        for stored in &stored {
            when(writes(stored.register.name), || stored.set(data));
        }

        // Ones that are written to a pair of registers.
        let none = lit(0, 32);
        let ones = |low: &str, high: &str| {
            let [high, low] = [writes(high), writes(low)].map(|writes| writes.mux(data, none));
            cat([high, low]).trunc(config.functions())
        };
        io.acknowledge.set(delay(ones("WAS_RESET0", "WAS_RESET1")));
        let broke = io.broke.valid.mux(prim::decode(io.broke.payload, config.functions()), broken.zero());
        broken.set(broken & !ones("BROKEN0", "BROKEN1") | broke);

        // The frames.
        let start = writes("SEND");
        when(io.sent, || sending.set(false));
        when(start, || sending.set(true));
        io.start.valid.set(delay(start));
        io.start.payload.set(delay_without_reset(length).as_u());
        let ports = ["SEND_PORTS2", "SEND_PORTS1", "SEND_PORTS0"].map(|register| field(register, "ports"));
        io.forced.valid.set(field("SEND_PORTS2", "forced").as_bool());
        io.forced.ports.set(cat(ports).trunc(config.ports()));
        io.releases.set(delay(writes("RELEASE")));

        // The events.
        let before = delay(link);
        let happens = vector(own("EVENTS").fields.iter().map(|field| match field.name {
            "broke" => io.broke.valid,
            "link" => link.ne(before),
            "received" => io.received.comes,
            "sent" => io.sent,
            "lost" => io.received.loses,
            name => unreachable!("nothing makes {name} happen"),
        }));
        let happens = delay(happens);
        let kept = events & !writes("EVENTS").mux(data.trunc(EVENT_COUNT), events.zero());
        events.set(kept | happens);
        let were_enabled = delay(enabled);
        let news = delay((enabled & ((happens & !kept) | (events & !were_enabled))).any());
        let interrupts = reg(flag());
        when(io.vector.ready, || interrupts.set(false));
        when(news, || interrupts.set(true));
        io.vector.valid.set(interrupts);
        io.vector.payload.function.set(super::MANAGER);
        io.vector.payload.vector.set(VECTOR);
        io.vector.assert_stable();
    })
}

fn bit_of(register: &str, field: &str) -> crate::register_map::Position {
    own(register).field(field).position
}

const _: () = assert!(MAX_PORTS == 66, "SEND_PORTS0 to 2 hold all ports");
