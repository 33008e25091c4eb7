//! Packets that leave, or are thrown away.

use super::cutter::{Packet, Payload};
use crate::{
    config::Config,
    dma::Outcome,
    pcie::{
        configuration::function_bits,
        tlp::{First, MemoryHeader, TlpBeat, kind},
    },
    prim,
};
use hdl::*;

/// Packets that wait at most.
const PACKETS: usize = 16;

/// Bytes of payload that wait: two packets of the largest kind.
const WAITING: usize = 1024;

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize)]
pub(super) struct SenderIo {
    /// Functions that may send nothing.
    #[input]
    #[ty(bits(config.functions()))]
    pub blocked: Bits,
    #[input]
    #[ty(Stream::ty(Payload::ty(config.bytes)))]
    pub payload: Stream<Payload>,
    #[input]
    #[ty(Stream::ty(Packet::ty(config, clients)))]
    pub packet: Stream<Packet>,
    /// A command of this function is accepted in the era that `era` names.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub accepted: Valid<Bits>,
    /// No command is on its way here.
    #[input]
    pub idle: Bool,
    #[output]
    pub era: Bool,
    /// Functions of which commands may be inside.
    #[output]
    #[ty(bits(config.functions()))]
    pub busy: Bits,
    #[output]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub tlp: Stream<TlpBeat>,
    /// A poisoned packet of this function leaves.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub poisoned: Valid<Bits>,
    #[output]
    #[ty(vec![Valid::ty(Enum::ty()); clients])]
    pub done: Vec<Valid<Enum<Outcome>>>,
}

/// Sends packets that are whole; those of functions that may send nothing are thrown away, and so is the rest of the command.
///
/// ```text
///  packet ──► FIFO ─► [head] ──┐
///                      │ may it leave?
///  payload ─► FIFO ────┴────► [beat] ─► tlp
/// ```
///
/// Of which functions there is anything inside follows from two eras: commands are accepted in the recent one. When all that
/// were accepted in the one before have left, the recent era becomes the older, and a new one begins.
///
/// A beat in each cycle; a packet takes two cycles at least.
#[hdl]
pub(super) fn sender(config: &Config, clients: usize) -> SenderIo {
    let bytes = config.bytes;
    let name = format!("dma_sender_{clients}x{bytes}_{}", config.functions());
    module(name, SenderIo::ty(config, clients), |io| {
        let (functions, word_bits) = (config.functions(), clog2(bytes / 4));
        io.tlp.assert_stable();
        let packets = prim::fifo(Packet::ty(config, clients), PACKETS);
        packets.enq.connect(&io.packet);
        let payloads = prim::fifo(Payload::ty(bytes), (WAITING / bytes).max(2 * prim::DISTRIBUTED));
        payloads.enq.connect(&io.payload);
        let payload = payloads.deq.payload;

        // The packet that comes next. Whether it may leave is known one cycle after it came.
        let head = reg_without_reset(Packet::ty(config, clients));
        let (is_waiting, is_known) = (reg_flag(false), reg_flag(false));
        let is_blocked = reg_without_reset(flag());
        is_blocked.set(io.blocked.at(head.origin.function));
        let begins = wire(flag());
        let loads = !is_waiting | begins;
        packets.deq.ready.set(loads);
        is_known.set(is_waiting & !begins);
        when(loads, || {
            is_waiting.set(packets.deq.valid);
            head.set(packets.deq.payload);
        });

        // A beat. What is thrown away passes the output register, too, without being offered.
        let (holding, offers) = (reg_flag(false), reg_flag(false));
        let room = !holding | !offers | io.tlp.ready;
        let within = reg_flag(false);
        let moves = room & payloads.deq.valid & (within | is_known);
        payloads.deq.ready.set(room & (within | is_known));
        begins.set(moves & !within);
        /// The rest of the command is thrown away.
        let is_cut = reg_flag(false);
        let (drops_packet, ends, is_stopped) =
            (reg_without_reset(flag()), reg_without_reset(flag()), reg_without_reset(flag()));
        let client = reg_without_reset(head.origin.client);
        let stops = (is_blocked | is_cut) & !head.origin.is_empty;
        let drops = within.mux(drops_packet, stops | head.origin.is_empty);
        let beat = reg_without_reset(TlpBeat::ty(bytes));
        when(begins, || {
            drops_packet.set(drops);
            is_stopped.set(stops);
            ends.set(head.ends);
            client.set(head.origin.client);
            is_cut.set(stops & !head.ends);
            beat.header.set(header_of(&head).as_u());
        });
        when(moves, || within.set(!payload.last));
        when(room, || {
            holding.set(moves);
            offers.set(moves & !drops);
            beat.data.set(payload.data);
            beat.count.set(cat([payload.surplus.zext(word_bits + 1) + 1, lit(0, 2)]));
            beat.first.set(!within);
            beat.last.set(payload.last);
        });
        io.tlp.valid.set(offers);
        io.tlp.payload.set(beat);

        // The command is done once its last beat has left.
        let outcome = is_stopped.mux(Outcome::Stopped.to_enum(), Outcome::Success.to_enum());
        let is_done = delay(holding & beat.last & ends & room);
        let (client, outcome) = (delay_without_reset(client), delay_without_reset(outcome));
        for (done, own) in io.done.iter().zip(prim::decode(client, clients).to_bools()) {
            done.valid.set(is_done & own);
            done.payload.set(outcome);
        }

        io.poisoned.valid.set(delay(begins & head.poisoned & !drops));
        io.poisoned.payload.set(delay_without_reset(head.origin.function));

        // Eras.
        let era = reg_flag(false);
        let (recent, older) = (reg(bits(functions)), reg(bits(functions)));
        let accepts = io.accepted.valid.bits().repeat(functions);
        let accepted = recent | (prim::decode(io.accepted.payload, functions) & accepts);
        let is_idle = io.idle & !packets.deq.valid & !is_waiting & !within & !holding;
        let turns = is_idle | (begins & head.origin.era.eq(era));
        when(turns, || {
            era.set(!era);
            older.set(accepted);
            recent.set(recent.zero());
        })
        .otherwise(|| recent.set(accepted));
        io.era.set(era);
        io.busy.set(recent | older);
    })
}

/// The header of a memory write.
fn header_of(packet: &Packet) -> Bits {
    let address = Bits::from(packet.address);
    let is_long = address.slice(30, 32).any();
    let low = cat([address.trunc(30), lit(0, 2)]);
    let kind = is_long.mux(lit(kind::MEMORY_WRITE_64, 8), lit(kind::MEMORY_WRITE, 8));
    let zero = false.to_bool();
    let first = First {
        kind: kind.as_u(),
        tag_9: zero,
        traffic_class: lit(0, 3).as_u(),
        tag_8: zero,
        attribute_2: zero,
        lightweight: zero,
        hints: zero,
        digest: zero,
        poisoned: packet.poisoned,
        attributes: cat([packet.origin.relaxed, zero]).as_u(),
        address_type: lit(0, 2).as_u(),
        length: packet.size.zext(10).as_u(),
    };
    let header = MemoryHeader {
        fourth: is_long.mux(low, low.zero()).as_u(),
        third: is_long.mux(address.slice(30, 32), low).as_u(),
        requester: packet.origin.requester,
        tag: lit(0, 8).as_u(),
        last_enables: packet.last_enables,
        enables: packet.enables,
        first,
    };
    header.pack()
}
