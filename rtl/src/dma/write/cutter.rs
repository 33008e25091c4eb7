//! Commands cut into packets.

use super::aligner::Aligned;
use crate::{
    config::Config,
    dma::{Command, LENGTH_BITS},
    pcie::{configuration::function_bits, identity::Identity},
    prim::Routed,
};
use hdl::*;

/// Bits of the payload of a packet in words: up to 512 bytes.
pub(super) const SIZE_BITS: usize = 8;

/// What all packets of a command have in common.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, clients: usize)]
pub(super) struct Origin {
    #[ty(bits(clog2(clients)))]
    pub client: Bits,
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    pub requester: U<16>,
    pub relaxed: Bool,
    /// The command writes nothing: its packet must not leave.
    pub is_empty: Bool,
    /// The era in which it was accepted; see [`super::sender`].
    pub era: Bool,
}

/// What the header of a packet is made of.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, clients: usize)]
pub(super) struct Packet {
    #[ty(Origin::ty(config, clients))]
    pub origin: Origin,
    /// The command ends with it.
    pub ends: Bool,
    pub poisoned: Bool,
    /// In words.
    #[ty(bits(SIZE_BITS))]
    pub size: Bits,
    /// Of its first word, in words.
    pub address: U<62>,
    pub enables: U<4>,
    pub last_enables: U<4>,
}

/// A beat of payload. Every beat of a packet but the last is full.
#[derive(Bundle, Clone, Copy)]
#[ty(bytes: usize)]
pub(super) struct Payload {
    #[ty(bits(8 * bytes))]
    pub data: Bits,
    /// Words that count, less one.
    #[ty(bits(clog2(bytes / 4)))]
    pub surplus: Bits,
    pub last: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize)]
pub(super) struct CutterIo {
    #[input]
    pub identity: Identity,
    /// Most bytes of payload: 128 shifted left by this.
    #[input]
    pub largest: U<3>,
    #[input]
    pub relaxed_ordering: Bool,
    #[input]
    pub era: Bool,
    #[input]
    #[ty(Stream::ty(Routed::ty(clients, Command::ty(config))))]
    pub command: Stream<Routed<Command>>,
    /// One frame for each command.
    #[input]
    #[ty(Stream::ty(Aligned::ty(config.bytes)))]
    pub aligned: Stream<Aligned>,
    #[output]
    #[ty(Stream::ty(Payload::ty(config.bytes)))]
    pub payload: Stream<Payload>,
    /// With the last beat of its payload.
    #[output]
    #[ty(Stream::ty(Packet::ty(config, clients)))]
    pub packet: Stream<Packet>,
    /// There is no command inside.
    #[output]
    pub idle: Bool,
}

/// Cuts at multiples of the largest payload.
///
/// ```text
///  command ─► what is left ─► next packet ─► packet
///                                  ▼
///  aligned ─┬────────────────► by words ───► payload
///           └─► [previous] ──►
/// ```
///
/// The first packet of a command has its words where they come. All others begin at a multiple of the beat, and their words
/// move by the same number: what of their beats came a beat earlier waits in `previous`.
///
/// A beat in each cycle; a command takes two cycles at least. What its first packet is like is worked out while the last one of
/// the command before it moves. The streams are combinational in each other.
#[hdl]
pub(super) fn cutter(config: &Config, clients: usize) -> CutterIo {
    let bytes = config.bytes;
    let name = format!("dma_cutter_{clients}x{bytes}_{}", config.functions());
    module(name, CutterIo::ty(config, clients), |io| {
        let words = bytes / 4;
        let word_bits = clog2(words);
        let ones = !lit(0, 4);

        // The packet whose payload moves.
        let is_moving = reg_flag(false);
        let origin = reg_without_reset(Origin::ty(config, clients));
        /// In words.
        let address = reg_without_reset(bits(62));
        let size = reg_without_reset(bits(SIZE_BITS));
        let enables = reg_without_reset(bits(4));
        let last_enables = reg_without_reset(bits(4));
        /// The command ends with it.
        let ends = reg_without_reset(flag());
        /// Words that it moves up by.
        let distance = reg_without_reset(bits(word_bits));
        /// Words that have not moved.
        let inside = reg_without_reset(bits(SIZE_BITS));
        /// They fit into a beat.
        let fits = reg_without_reset(flag());
        /// They are all in `previous`, and nothing else is.
        let is_rest = reg_without_reset(flag());

        // A beat.
        let goes = is_moving & io.payload.ready & io.packet.ready;
        let has_source = is_rest | io.aligned.valid;
        io.aligned.ready.set(goes & !is_rest);
        let moves = goes & has_source;
        let previous = reg_without_reset(bits(8 * bytes));
        let bad = reg_without_reset(flag());
        when(io.aligned.fire(), || {
            previous.set(io.aligned.payload.data);
            bad.set(io.aligned.payload.bad);
        });
        // Nothing of the next frame goes into the beats of this one, and a beat that waits stays as it is.
        let current = is_rest.mux(previous.zero(), io.aligned.payload.data);
        let lanes: Vec<Bits> = [previous.chunks(32), current.chunks(32)].concat();
        let moved = (0..words).map(|lane| {
            let options: Vec<Bits> = (0..words).map(|distance| lanes[words + lane - distance]).collect();
            select(&options, distance)
        });
        let moved: Vec<Bits> = moved.collect();
        io.payload.valid.set(is_moving & has_source & io.packet.ready);
        io.payload.payload.data.set(cat(moved.into_iter().rev()));
        let surplus = fits.mux(inside.trunc(word_bits) - 1, !lit(0, word_bits));
        io.payload.payload.surplus.set(surplus);
        io.payload.payload.last.set(fits);
        when(moves, || {
            inside.set(inside - words);
            fits.set(inside.le(2 * words));
            is_rest.set(ends & inside.le(cat([lit(1, 1), distance]).zext(SIZE_BITS)));
        });

        // Its header.
        io.packet.valid.set(is_moving & has_source & io.payload.ready & fits);
        io.packet.payload.set(Packet {
            origin,
            ends,
            poisoned: ends & is_rest.mux(bad, io.aligned.payload.bad),
            size,
            address: address.as_u(),
            enables: enables.as_u(),
            last_enables: last_enables.as_u(),
        });

        // What is left of the command, and the next packet.
        let is_left = reg_flag(false);
        let is_first = reg_without_reset(flag());
        let next_origin = reg_without_reset(origin);
        let next_address = reg_without_reset(bits(62));
        /// Words.
        let left = reg_without_reset(bits(LENGTH_BITS - 1));
        /// Most words of the next packet.
        let most = reg_without_reset(bits(SIZE_BITS));
        /// Words that all packets but the first move up by.
        let later_distance = reg_without_reset(bits(word_bits));
        /// Of the first and of the last word of the command.
        let (of_first, of_last) = (reg_without_reset(bits(4)), reg_without_reset(bits(4)));
        let largest = Bits::from(io.largest);
        let mask = cat([largest.eq(2), largest.ge(1)]);
        let limit = cat([largest.eq(2), largest.eq(1), largest.eq(0)]);
        let limit = cat([limit, lit(0, 5)]);
        // What holds for a command holds to its end: where its packets end and begin must go together.
        let (held_mask, held_limit) = (reg_without_reset(mask), reg_without_reset(limit));
        let rest = left.zext(LENGTH_BITS) - most.zext(LENGTH_BITS);
        let is_short = rest.bit(LENGTH_BITS - 1) | !rest.any();
        let has_room = !is_moving | (moves & fits);
        when(has_room, || {
            is_moving.set(is_left);
            origin.set(next_origin);
            address.set(next_address);
            let words_left = is_short.mux(left.trunc(SIZE_BITS), most);
            size.set(words_left);
            inside.set(words_left);
            ends.set(is_short);
            // The smaller of both.
            fits.set(left.le(words) | most.le(words));
            is_rest.set(!is_first & is_short & left.le(later_distance.zext(left.width())));
            distance.set(is_first.mux(later_distance.zero(), later_distance));
            let (first, last) = (is_first.mux(of_first, ones), is_short.mux(of_last, ones));
            let is_single = left.eq(1) | most.eq(1);
            enables.set(first & is_single.mux(last, ones));
            last_enables.set(is_single.mux(last.zero(), last));
        });
        when(has_room & is_left, || {
            is_left.set(!is_short);
            is_first.set(false);
            left.set(rest.trunc(left.width()));
            most.set(held_limit);
            let blocks = next_address.slice(5, 57) | held_mask.zext(57);
            next_address.set(cat([blocks + 1, lit(0, 5)]));
        });

        // The next command.
        io.idle.set(!is_left & !is_moving);
        io.command.ready.set(!is_left);
        when(io.command.fire(), || {
            let Routed { port: client, beat: command } = io.command.payload;
            let (length, start) = (Bits::from(command.length), Bits::from(command.address));
            let (offset, word) = (start.trunc(2), start.slice(2, 62));
            let end = offset + length.trunc(2);
            let is_empty = !length.any();
            next_origin.set(Origin {
                client,
                function: command.function,
                requester: io.identity.routing_id(config, command.function),
                relaxed: command.relaxed & io.relaxed_ordering,
                is_empty,
                era: io.era,
            });
            is_left.set(true);
            is_first.set(true);
            held_mask.set(mask);
            held_limit.set(limit);
            next_address.set(word);
            let total = length.wide_add(offset.zext(LENGTH_BITS) + 3).slice(2, LENGTH_BITS - 1);
            left.set(is_empty.mux(lit(1, left.width()), total));
            most.set(limit - cat([word.slice(5, 2) & mask, word.trunc(5)]).zext(SIZE_BITS));
            later_distance.set(word.trunc(word_bits));
            of_first.set(ones << offset);
            of_last.set(select(&[0b1111, 0b0001, 0b0011, 0b0111].map(|enables| lit(enables, 4)), end));
        });
    })
}
