//! Writes to the host's memory.

mod aligner;
mod cutter;
mod sender;

#[cfg(test)]
mod tests;

use super::{Command, Outcome};
use crate::{
    config::Config,
    frame::Beat,
    pcie::{configuration::function_bits, identity::Identity, tlp::TlpBeat},
    prim::{self, Policy},
};
use hdl::*;

/// Ports of a [`write_engine`].
#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize)]
pub struct WriteEngineIo {
    /// Counts for commands that are taken from now on; so do the next two.
    #[input]
    pub identity: Identity,
    /// Most bytes of payload (Max_Payload_Size): 128 shifted left by this, 0 to 2.
    #[input]
    pub payload: U<3>,
    #[input]
    pub relaxed_ordering: Bool,
    /// Functions that may send requests.
    #[input]
    #[ty(bits(config.functions()))]
    pub bus_master: Bits,
    /// Functions that may not, because they are being reset.
    #[input]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
    /// Nothing of these functions is inside that could still become a packet. Counts from the fourth cycle of `stopped` on.
    #[output]
    #[ty(bits(config.functions()))]
    pub quiet: Bits,
    #[input]
    #[ty(vec![Stream::ty(Command::ty(config)); clients])]
    pub command: Vec<Stream<Command>>,
    /// For each command with a length other than 0 a frame of exactly so many bytes. It must come without waiting for
    /// anything but `ready`: the others wait for it.
    #[input]
    #[ty(vec![Stream::ty(Beat::ty(config.bytes)); clients])]
    pub data: Vec<Stream<Beat>>,
    /// One for each command, in their order, after its last packet was taken from `packet`: [`Outcome::Success`] or
    /// [`Outcome::Stopped`].
    #[output]
    #[ty(vec![Valid::ty(Enum::ty()); clients])]
    pub done: Vec<Valid<Enum<Outcome>>>,
    /// A poisoned packet of this function leaves.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub poisoned: Valid<Bits>,
    /// Memory writes.
    #[output]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub packet: Stream<TlpBeat>,
}

/// Writes for 1 to 16 clients.
///
/// ```text
///  command[..] ─► arbiter ─┬─► cutter ──────┬─► sender ─► packet
///  data[..] ──► aligner ◄──┘     ▲ words    │     ├─► done[..]
///                  └─────────────┘          └─────┴─► quiet
/// ```
///
/// The clients take turns by whole commands. The aligner moves a frame's bytes up to where they lie within a word, the cutter
/// moves its words to lane 0 of each packet and makes packets that end at multiples of the largest payload, so that none
/// crosses 4 KiB; the sender keeps a packet until it is whole, because its header tells whether its data is bad.
///
/// A frame with `error` in its last beat, or with another length than its command has, makes the last packet poisoned. Of one
/// that is too long the rest is thrown away, one that is too short is filled up.
///
/// If a function may not send, its packets are thrown away at the output, but for one that has begun to leave; what a command
/// has left then is thrown away, too, even if the function may send again. A packet may still begin in the three cycles after
/// a setting has changed.
///
/// # Timing
/// A beat of payload in each cycle, however it is aligned; a packet takes two cycles at least. The first beat of a packet leaves
/// about seven cycles after the last one came.
#[hdl]
pub fn write_engine(config: &Config, clients: usize) -> WriteEngineIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    require((1..=16).contains(&clients), || format!("a write engine has 1 to 16 clients, not {clients}"));
    let name = format!("dma_write_{clients}x{}_{}", config.bytes, config.functions());
    module(name, WriteEngineIo::ty(config, clients), |io| {
        let arbiter = prim::stream_arbiter(Command::ty(config), clients, Policy::RoundRobin);
        for (input, command) in arbiter.inputs.iter().zip(&io.command) {
            input.connect(command);
        }
        let command = arbiter.output;
        let aligner = aligner::aligner(config.bytes, clients);
        let cutter = cutter::cutter(config, clients);
        let sender = sender::sender(config, clients);

        // Both take the command, each in its time.
        let (is_aligned, is_cut) = (reg_flag(false), reg_flag(false));
        let aligns = is_aligned | aligner.job.ready;
        let cuts = is_cut | cutter.command.ready;
        command.ready.set(aligns & cuts);
        when(command.valid, || {
            is_aligned.set(aligns & !cuts);
            is_cut.set(cuts & !aligns);
        });
        let Command { function, address, length, .. } = command.payload.beat;
        aligner.job.valid.set(command.valid & !is_aligned);
        aligner.job.payload.client.set(command.payload.port);
        aligner.job.payload.offset.set(Bits::from(address).trunc(2).as_u());
        aligner.job.payload.length.set(length);
        for (input, data) in aligner.data.iter().zip(&io.data) {
            input.connect(data);
        }

        cutter.identity.set(io.identity);
        cutter.largest.set(io.payload);
        cutter.relaxed_ordering.set(io.relaxed_ordering);
        cutter.era.set(sender.era);
        cutter.command.valid.set(command.valid & !is_cut);
        cutter.command.payload.set(command.payload);
        cutter.aligned.connect(&aligner.aligned);

        sender.blocked.set(delay(io.stopped | !io.bus_master));
        sender.payload.connect(&cutter.payload);
        sender.packet.connect(&cutter.packet);
        sender.accepted.valid.set(cutter.command.fire());
        sender.accepted.payload.set(function);
        sender.idle.set(cutter.idle);
        for (output, done) in io.done.iter().zip(&sender.done) {
            output.set(*done);
        }
        io.packet.connect(&sender.tlp);
        io.poisoned.set(sender.poisoned);

        let comes = command.valid.bits().repeat(config.functions());
        let coming = prim::decode(function, config.functions()) & comes;
        io.quiet.set(delay(!(sender.busy | coming)));
    })
}
