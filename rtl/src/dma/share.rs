//! Several clients behind one port of an engine.

use super::{Command, Outcome, ReadBeat};
use crate::{
    config::Config,
    frame::Beat,
    prim::{self, Policy},
};
use hdl::*;

/// Commands of which something is still to come.
const COMMANDS: usize = 32;

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize)]
pub struct ReadShareIo {
    #[input]
    #[ty(vec![Stream::ty(Command::ty(config)); clients])]
    pub commands: Vec<Stream<Command>>,
    /// What they read, in their order. A client that does not take its data holds up the others.
    #[output]
    #[ty(vec![Stream::ty(ReadBeat::ty(config.bytes)); clients])]
    pub data: Vec<Stream<ReadBeat>>,
    /// To the engine.
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub command: Stream<Command>,
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub beat: Stream<ReadBeat>,
}

/// Reads of 1 to 16 clients, which take turns.
///
/// ```text
///  commands[..] ─► arbiter ─┬─► command
///                           └─► owners ─┐
///  data[..] ◄───────────────────────────┴── beat
/// ```
///
/// # Timing
/// `data` is combinational in `beat`.
#[hdl]
pub fn read_share(config: &Config, clients: usize) -> ReadShareIo {
    require((1..=16).contains(&clients), || format!("{clients} clients are not 1 to 16"));
    let name = format!("dma_read_share_{clients}x{}_{}", config.bytes, config.functions());
    module(name, ReadShareIo::ty(config, clients), |io| {
        let arbiter = prim::stream_arbiter(Command::ty(config), clients, Policy::RoundRobin);
        let owners = prim::fifo(bits(clog2(clients)), COMMANDS);
        for (input, command) in arbiter.inputs.iter().zip(&io.commands) {
            input.connect(command);
        }
        let command = &arbiter.output;
        io.command.valid.set(command.valid & owners.enq.ready);
        io.command.payload.set(command.payload.beat);
        command.ready.set(io.command.ready & owners.enq.ready);
        owners.enq.valid.set(command.fire());
        owners.enq.payload.set(command.payload.port);

        io.beat.assume_stable();
        let owner = prim::decode(owners.deq.payload, clients);
        for (data, own) in io.data.iter().zip(owner.to_bools()) {
            data.valid.set(io.beat.valid & owners.deq.valid & own);
            data.payload.set(io.beat.payload);
        }
        let is_taken = (owner & vector(io.data.iter().map(|data| data.ready))).any();
        io.beat.ready.set(owners.deq.valid & is_taken);
        owners.deq.ready.set(io.beat.valid & is_taken & io.beat.payload.last);
    })
}

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize)]
pub struct WriteShareIo {
    #[input]
    #[ty(vec![Stream::ty(Command::ty(config)); clients])]
    pub commands: Vec<Stream<Command>>,
    /// A frame for each command, which comes without waiting for anything.
    #[input]
    #[ty(vec![Stream::ty(Beat::ty(config.bytes)); clients])]
    pub data: Vec<Stream<Beat>>,
    /// One for each command, in their order.
    #[output]
    #[ty(vec![Valid::ty(Enum::ty()); clients])]
    pub done: Vec<Valid<Enum<Outcome>>>,
    /// To the engine.
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub command: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub beat: Stream<Beat>,
    #[input]
    pub ended: Valid<Enum<Outcome>>,
}

/// Writes of 1 to 16 clients, which take turns. No command has a length of 0.
///
/// ```text
///  commands[..] ─► arbiter ─┬─► command
///                           ├─► owners ─┐
///  data[..] ────────────────┼───────────┴─► beat
///                           └─► owners ─┐
///  done[..] ◄───────────────────────────┴── ended
/// ```
///
/// # Timing
/// `beat` is combinational in `data`, `done` in `ended`.
#[hdl]
pub fn write_share(config: &Config, clients: usize) -> WriteShareIo {
    require((1..=16).contains(&clients), || format!("{clients} clients are not 1 to 16"));
    let name = format!("dma_write_share_{clients}x{}_{}", config.bytes, config.functions());
    module(name, WriteShareIo::ty(config, clients), |io| {
        let arbiter = prim::stream_arbiter(Command::ty(config), clients, Policy::RoundRobin);
        let owner = bits(clog2(clients));
        let (of_data, of_ends) = (prim::fifo(owner, COMMANDS), prim::fifo(owner, COMMANDS));
        for (input, command) in arbiter.inputs.iter().zip(&io.commands) {
            input.connect(command);
        }
        let command = &arbiter.output;
        let has_room = of_data.enq.ready & of_ends.enq.ready;
        io.command.valid.set(command.valid & has_room);
        io.command.payload.set(command.payload.beat);
        command.ready.set(io.command.ready & has_room);
        for owners in [&of_data, &of_ends] {
            owners.enq.valid.set(command.fire());
            owners.enq.payload.set(command.payload.port);
        }

        let owner = prim::decode(of_data.deq.payload, clients);
        let moves = owner & of_data.deq.valid.bits().repeat(clients);
        let beats: Vec<Beat> = io.data.iter().map(|data| data.payload).collect();
        io.beat.valid.set((moves & vector(io.data.iter().map(|data| data.valid))).any());
        io.beat.payload.set(prim::onehot_select(&beats, owner));
        io.beat.assert_stable();
        for (data, own) in io.data.iter().zip(moves.to_bools()) {
            data.ready.set(own & io.beat.ready);
        }
        of_data.deq.ready.set(io.beat.fire() & io.beat.payload.last);

        let ended = prim::decode(of_ends.deq.payload, clients);
        for (done, own) in io.done.iter().zip(ended.to_bools()) {
            done.valid.set(io.ended.valid & own);
            done.payload.set(io.ended.payload);
        }
        of_ends.deq.ready.set(io.ended.valid);
        assert(of_ends.deq.valid | !io.ended.valid, "what has ended was handed in");
    })
}
