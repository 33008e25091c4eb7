//! From commands to pieces.

use super::{
    super::{Command, LENGTH_BITS},
    types::{COUNT_BITS, Piece, SLOT, SLOT_BITS},
};
use crate::{
    config::Config,
    pcie::identity::Identity,
    prim::{self, decode, encode, onehot_select},
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize)]
pub struct SplitterIo {
    #[input]
    #[ty(vec![Stream::ty(Command::ty(config)); clients])]
    pub commands: Vec<Stream<Command>>,
    #[input]
    pub identity: Identity,
    /// Most bytes of a request: 128 shifted left by this.
    #[input]
    pub read_request: U<3>,
    #[input]
    pub relaxed_ordering: Bool,
    /// Functions that may send nothing.
    #[input]
    #[ty(bits(config.functions()))]
    pub blocked: Bits,
    /// Clients that may have another tag.
    #[input]
    #[ty(bits(clients))]
    pub allowed: Bits,
    /// A piece of this client will come, and need a tag.
    #[output]
    #[ty(Valid::ty(bits(clog2(clients))))]
    pub picked: Valid<Bits>,
    /// Stays until `taken`; only `stopped` may change meanwhile, from 0 to 1.
    #[output]
    #[ty(Valid::ty(Piece::ty(config, clients)))]
    pub piece: Valid<Piece>,
    /// The piece is taken.
    #[input]
    pub taken: Bool,
    /// Functions of which a command is under way that may still send something.
    #[output]
    #[ty(bits(config.functions()))]
    pub busy: Bits,
}

/// What is under way.
#[derive(HwEnum, Clone, Copy)]
enum State {
    /// A client is chosen.
    Pick,
    /// Its command is fetched.
    Load,
    /// Where the piece begins, and how much is left.
    Place,
    /// Where it ends.
    Cut,
    /// It is there.
    Offer,
}

/// Cuts commands into pieces that no request may exceed, round robin among clients, piece by piece.
///
/// ```text
///  commands ─► pick ─► load ─► place ─► cut ─► offer ─► piece
///                        ▲                       │
///                        └── bytes done so far ◄─┘
/// ```
///
/// A command stays on its stream until its last piece is taken; only the number of bytes done is kept. A piece in every
/// four cycles, or five if the client of the last one had no other and its command ended.
///
/// A command under way whose function is blocked gets one more piece, a stopped one, which ends it.
#[hdl]
pub fn splitter(config: &Config, clients: usize) -> SplitterIo {
    let name = format!("dma_read_splitter_{}_{clients}x{}", config.functions(), 8 * config.bytes);
    module(name, SplitterIo::ty(config, clients), |io| {
        let functions = config.functions();
        let beat_bits = clog2(config.bytes);
        let state = reg_enum(State::Pick);
        /// The client of the piece, one-hot.
        let chosen = reg(bits(clients));
        /// Bytes of each command that pieces have been made for.
        let progress = reg(vec![bits(LENGTH_BITS); clients]);
        /// Commands that have begun.
        let active = reg(bits(clients));
        /// Commands that have begun and whose function was blocked since.
        let halted = reg(bits(clients));

        let piece = reg_without_reset(Piece::ty(config, clients));
        let base = reg_without_reset(U::<64>::ty());
        let length = reg_without_reset(bits(LENGTH_BITS));
        let done = reg_without_reset(bits(LENGTH_BITS));
        /// Bytes that are left, less one.
        let left = reg_without_reset(bits(LENGTH_BITS));

        let offers = state.is(State::Offer);
        let taken = offers & io.taken;
        let ends = piece.last | piece.stopped;
        let leaving = (taken & ends).mux(chosen, chosen.zero());

        // The next client.
        let valids = vector(io.commands.iter().map(|command| command.valid));
        let picks = state.is(State::Pick) | taken;
        let turns = prim::round_robin(clients);
        turns.requests.set(valids & io.allowed & !leaving);
        turns.accept.set(picks);
        io.picked.valid.set(picks & turns.any);
        io.picked.payload.set(turns.index);
        when(picks, || {
            chosen.set(turns.grant);
            when(turns.any, || state.set(State::Load)).otherwise(|| state.set(State::Pick));
        });
        let begins = picks.mux(turns.grant, turns.grant.zero());
        active.set((active | begins) & !leaving);
        let mut busy = vec![];
        for (client, command) in io.commands.iter().enumerate() {
            command.ready.set(leaving.bit(client));
            let function = command.payload.function;
            let is_blocked = active.bit(client) & io.blocked.at(function);
            halted.bit(client).set((halted.bit(client) | is_blocked) & !leaving.bit(client));
            let may_send = active.bit(client) & !halted.bit(client) & !is_blocked;
            busy.push(may_send.mux(decode(function, functions), lit(0, functions)));
            when(leaving.bit(client), || progress[client].set(0))
                .elsewhen(taken & chosen.bit(client), || {
                    progress[client].set(done + Bits::from(piece.bytes).zext(LENGTH_BITS))
                });
        }

        when(state.is(State::Load), || {
            let payloads: Vec<Command> = io.commands.iter().map(|command| command.payload).collect();
            let command = onehot_select(&payloads, chosen);
            base.set(command.address);
            length.set(command.length);
            done.set(onehot_select(&progress, chosen));
            piece.client.set(encode(chosen));
            piece.function.set(command.function);
            piece.relaxed.set(command.relaxed & io.relaxed_ordering);
            piece.shift.set(Bits::from(command.address).trunc(beat_bits));
            piece.count.set(Bits::from(command.length).trunc(beat_bits));
            piece.stopped.set((halted & chosen).any());
            state.set(State::Place);
        });
        when(state.is(State::Place), || {
            piece.address.set(base + done.zext(64).as_u());
            left.set(length + !done);
            piece.opens.set(!done.any());
            piece.empty.set(!length.any());
            piece.requester.set(io.identity.routing_id(config, piece.function));
            let end = piece.shift.wide_add(piece.count - 1);
            piece.flush.set(piece.shift.any() & !end.bit(beat_bits));
            state.set(State::Cut);
        });
        when(state.is(State::Cut), || {
            // Pieces of 128 bytes or of 256, as far as they may be aligned.
            let whole = Bits::from(io.read_request).any();
            let address = Bits::from(piece.address);
            let half = lit(SLOT / 2, SLOT_BITS);
            let place = address.trunc(SLOT_BITS) & whole.mux(!half.zero(), !half);
            let sum = left.trunc(SLOT_BITS).wide_add(place);
            let beyond = left.slice(SLOT_BITS, LENGTH_BITS - SLOT_BITS).any()
                | sum.bit(SLOT_BITS)
                | (!whole & sum.bit(SLOT_BITS - 1));
            let end = beyond.mux(!half.zero(), sum.trunc(SLOT_BITS));
            let high = whole.mux(end.bit(SLOT_BITS - 1), address.bit(SLOT_BITS - 1));
            piece.last_byte.set(cat([high.bits(), end.trunc(SLOT_BITS - 1)]).as_u());
            piece.last.set(!beyond | piece.empty);
            piece.is_long.set(address.slice(32, 32).any());
            // To where no piece may go on, or all that is left.
            let limit = whole.mux(lit(SLOT, COUNT_BITS), lit(SLOT / 2, COUNT_BITS));
            let room = limit - place.zext(COUNT_BITS);
            piece.bytes.set(beyond.mux(room, left.trunc(COUNT_BITS) + 1).as_u());
            state.set(State::Offer);
        });

        // The function is known from `Place` on, and until then by its command.
        let is_placed = state.is(State::Place) | state.is(State::Cut) | offers;
        let is_blocked = io.blocked.at(piece.function);
        when(is_placed & is_blocked, || piece.stopped.set(true));
        let may_send = is_placed & !piece.stopped & !is_blocked;
        busy.push(may_send.mux(decode(piece.function, functions), lit(0, functions)));
        io.busy.set(busy.into_iter().reduce(|a, b| a | b).expect("one at least"));
        io.piece.valid.set(offers);
        io.piece.payload.set(piece);
        for command in &io.commands {
            command.assume_stable();
        }
    })
}
