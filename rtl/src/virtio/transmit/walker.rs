//! The parts of a buffer, one after the other.

use super::super::{
    HEADER,
    queues::{Queue, queue_count},
    types::Descriptor,
};
use crate::{
    config::{Config, MAX_FRAME},
    dma::Command,
    prim,
};
use hdl::*;

/// What a read is for.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub(super) struct Walked {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    /// The buffer ends with it; what follows counts only then.
    pub ends: Bool,
    /// The buffer is bad, and that has been said.
    pub bad: Bool,
    /// It is shorter than a header.
    pub short: Bool,
    /// It is longer than any frame.
    pub long: Bool,
    pub id: U<16>,
    pub places: U<16>,
}

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(super) struct WalkerIo {
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub choice: Stream<Queue>,
    /// Queues with a buffer.
    #[input]
    #[ty(bits(queue_count(config)))]
    pub chains: Bits,
    /// Nothing of this queue is begun.
    #[input]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub held: Valid<Queue>,
    /// A buffer is begun.
    #[output]
    pub begins: Bool,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub pop: Stream<Queue>,
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    pub popped: Valid<Descriptor>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub read: Stream<Command>,
    /// One for each read, not after it.
    #[output]
    #[ty(Stream::ty(Walked::ty(config)))]
    pub walked: Stream<Walked>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// Is there a buffer in the queue?
    Check,
    /// A part is asked for.
    Pop,
    Wait,
    /// A read is handed over.
    Read,
}

/// Pops the parts of one buffer after the other and makes reads of them. Parts of what is bad or too long are read with a
/// length of 0.
#[hdl]
pub(super) fn walker(config: &Config) -> WalkerIo {
    let name = format!("virtio_transmit_walker_{}x{}", config.functions(), config.pairs);
    module(name, WalkerIo::ty(config), |io| {
        io.pop.assert_stable();
        io.read.assert_stable();
        io.walked.assert_stable();
        let state = reg_enum(State::Idle);
        let queue = reg_without_reset(Queue::ty(config));
        let part = reg_without_reset(io.popped.payload.part);
        /// Bytes of the buffer so far; stays above the longest frame.
        let total = reg_without_reset(bits(17));
        const LONGEST: usize = HEADER + MAX_FRAME;
        let is_long = total.gt(LONGEST);
        let is_held = io.held.valid & io.held.payload.number().eq(queue.number());
        let begins = io.chains.at(queue.number()) & !is_held & state.is(State::Check);
        io.begins.set(begins);
        io.choice.ready.set(state.is(State::Idle));
        io.pop.valid.set(state.is(State::Pop));
        io.pop.payload.set(queue);
        let walked = prim::register_slice(Walked::ty(config));
        io.walked.connect(&walked.output);
        let read = prim::register_slice(Command::ty(config));
        io.read.connect(&read.output);
        // Both at once, so that neither goes without the other.
        let moves = state.is(State::Read) & walked.input.ready & read.input.ready;
        read.input.valid.set(moves);
        walked.input.valid.set(moves);
        let is_spoilt = part.bad | is_long;
        read.input.payload.set(Command {
            function: queue.function,
            address: part.address,
            length: is_spoilt.mux(lit(0, 14), Bits::from(part.length).trunc(14)).as_u(),
            relaxed: false.to_bool(),
        });
        walked.input.payload.set(Walked {
            queue,
            ends: part.last,
            bad: part.bad,
            short: total.lt(HEADER),
            long: is_long,
            id: part.id,
            places: part.places,
        });
        state.cases(|at| match at {
            State::Idle => {
                queue.set(io.choice.payload);
                total.set(total.zero());
                when(io.choice.valid, || state.set(State::Check));
            }
            State::Check => state.set(begins.mux(State::Pop.to_enum(), State::Idle.to_enum())),
            State::Pop => {
                when(io.pop.ready, || state.set(State::Wait));
            }
            State::Wait => {
                part.set(io.popped.payload.part);
                let sum = total + Bits::from(io.popped.payload.part.length).zext(17);
                when(io.popped.valid, || {
                    total.set(is_long.mux(total, sum));
                    state.set(State::Read);
                });
            }
            State::Read => {
                when(moves, || state.set(part.last.mux(State::Idle.to_enum(), State::Pop.to_enum())));
            }
        });
    })
}
