//! Frames that functions get.

mod collector;
mod placer;
mod writer;

#[cfg(test)]
mod tests;

use super::{
    LENGTH,
    drain::drain_in_order,
    inspect::Verdict,
    queues::{Queue, queue_count},
    registers::DeviceRow,
    types::{Descriptor, Lookup, Measured, Used},
};
use crate::{
    config::Config,
    dma::{Command, Outcome},
    frame::Beat,
    pcie::configuration::function_bits,
};
pub use collector::{CollectorIo, collector};
use hdl::*;
use placer::placer;
use writer::writer;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct ReceiveIo {
    /// One for each frame, before it.
    #[input]
    #[ty(Stream::ty(Verdict::ty(config)))]
    pub verdict: Stream<Verdict>,
    #[input]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub frame: Stream<Beat>,
    /// Pairs of each function that are in use, less one.
    #[input]
    #[ty(bits(2 * config.functions()))]
    pub pairs: Bits,
    /// What the manager says of functions: how long frames may be.
    #[input]
    #[ty(Valid::ty(DeviceRow::ty(config)))]
    pub device: Valid<DeviceRow>,
    /// Asks for the mode of a function.
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    pub lookup: Valid<Lookup>,
    /// Two cycles later.
    #[input]
    pub found: U<32>,
    #[output]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub measure: Valid<Queue>,
    /// Two cycles later.
    #[input]
    pub measured: Measured,
    /// Queues whose driver may have buffers that have not been fetched.
    #[input]
    #[ty(bits(queue_count(config)))]
    pub busy: Bits,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub pop: Stream<Queue>,
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    pub popped: Valid<Descriptor>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub write: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub write_data: Stream<Beat>,
    #[input]
    pub written: Valid<Enum<Outcome>>,
    #[output]
    #[ty(Stream::ty(Used::ty(config)))]
    pub used: Stream<Used>,
    /// A frame of this function found no buffer, or is too long.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub dropped: Valid<Bits>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
}

/// ```text
///  verdict ─► placer ─┬─► plan ──┐
///               ▲ pop └─► slots ─┴► writer ─► write, write_data
///               ▼                   ▲  │ written
///             store        frame ───┘  └─► used
/// ```
///
/// The placer chooses a queue of the function by the frame's hash and takes buffers for it; the writer puts the header and the frame
/// into them. Up to [`PATIENCE`] cycles it waits for buffers that may be on their way, and then does so no more for that function
/// until one of its queues is drained: a driver that keeps its ring empty and its doorbell busy costs the others that time once.
///
/// Of a queue whose store is full of one buffer that has still more parts nothing is taken: its frames are lost.
///
/// A driver that has accepted the MTU gets no frame with more bytes behind its Ethernet header (virtio 5.1.4.1).
///
/// A buffer of a driver without MRG_RXBUF that is too small is given back with a length of 0, and the frame is lost.
///
/// # Timing
/// A frame into one buffer of one part takes a cycle more than `pop` to `popped`, and four if it goes to the same queue as the
/// one before, while earlier ones are written.
#[hdl]
pub fn receive(config: &Config) -> ReceiveIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_receive_{}x{}_{}", config.functions(), config.pairs, config.bytes);
    module(name, ReceiveIo::ty(config), |io| {
        let placer = placer(config);
        let writer = writer(config);
        placer.verdict.connect(&io.verdict);
        placer.pairs.set(io.pairs);
        placer.device.set(io.device);
        io.lookup.set(placer.lookup);
        placer.found.set(io.found);
        io.measure.set(placer.measure);
        placer.measured.set(io.measured);
        placer.busy.set(io.busy);
        io.pop.connect(&placer.pop);
        placer.popped.set(io.popped);
        io.dropped.set(placer.dropped);
        writer.plan.connect(&placer.plan);
        writer.slot.connect(&placer.slot);
        writer.frame.connect(&io.frame);
        io.write.connect(&writer.write);
        io.write_data.connect(&writer.write_data);
        writer.written.set(io.written);
        io.used.connect(&writer.used);

        placer.held.set(Valid { valid: io.drain.valid, payload: io.drain.payload });
        drain_in_order(&io.drain, placer.begins, writer.ends, io.used.valid);
    })
}

/// Cycles that a frame waits for buffers at most.
pub const PATIENCE: usize = 1024;

/// How a frame is placed.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Into the slots that come with it.
    Placed,
    /// Nowhere, and the slots go back empty.
    Small,
    /// Nowhere, and the slots are forgotten.
    Bad,
    /// Nowhere; there are no slots.
    Lost,
}

/// What becomes of a frame.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
struct Plan {
    #[ty(Queue::ty(config))]
    queue: Queue,
    fate: Enum<Fate>,
    /// Buffers that it takes.
    buffers: U<16>,
    /// The driver is told that the checksum is right.
    valid: Bool,
}

/// A part of a buffer that a frame takes.
#[derive(Bundle, Clone, Copy, Debug)]
struct Slot {
    address: U<64>,
    /// Bytes that go there; may be 0.
    length: U<LENGTH>,
    /// The buffer ends with it.
    last: Bool,
    /// The frame does.
    ends: Bool,
    id: U<16>,
    places: U<16>,
}
