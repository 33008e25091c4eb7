//! The ports of the block.

use super::{
    drains,
    state::{DeviceRow, OwnAddress},
};
use crate::{
    config::Config,
    pcie::{
        configuration::function_bits,
        msix::Vector,
        register_bus::{RegisterAccess, RegisterAnswer},
    },
    virtio::{
        queues::Queue,
        types::{Doorbell, Fault, Lookup},
    },
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config, readers: usize)]
pub struct RegistersIo {
    /// The legacy personality: no function has virtual ones, and SR_IOV is not offered.
    #[input]
    pub legacy: Bool,
    /// Accesses to the registers of network functions.
    #[input]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub access: Stream<RegisterAccess>,
    #[output]
    pub answer: Valid<RegisterAnswer>,
    #[output]
    #[ty(Stream::ty(Doorbell::ty(config)))]
    pub doorbell: Stream<Doorbell>,
    /// Asks for a word of a queue's settings, which `found` tells two cycles later. Those of a queue that does not live mean
    /// nothing.
    #[input]
    #[ty(vec![Valid::ty(Lookup::ty(config)); readers])]
    pub lookup: Vec<Valid<Lookup>>,
    #[output]
    #[ty(vec![U::ty(); readers])]
    pub found: Vec<U<32>>,
    /// To `fetch`, the block that serves the queue, `store` and `used`.
    #[output]
    #[ty(vec![Stream::ty(Queue::ty(config)); drains::STAGES])]
    pub drain: Vec<Stream<Queue>>,
    /// One for each queue counts until it is drained.
    #[input]
    #[ty(Stream::ty(Fault::ty(config)))]
    pub fault: Stream<Fault>,
    /// A fault that counts.
    #[output]
    #[ty(Valid::ty(Fault::ty(config)))]
    pub broke: Valid<Fault>,
    /// The device configuration of a function has changed, or it needs a reset.
    #[output]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub interrupt: Stream<Vector>,
    /// A function notifies its driver of used buffers.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub queue_interrupt: Valid<Bits>,
    /// Resets a function; taken when it is done.
    #[input]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub reset: Stream<Bits>,
    /// This one, and the next two, keep one at a time: one that comes within 256 cycles replaces the one before.
    #[input]
    #[ty(Valid::ty(DeviceRow::ty(config)))]
    pub device: Valid<DeviceRow>,
    /// The driver of this function has announced itself: clears ANNOUNCE.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub announced: Valid<Bits>,
    #[input]
    #[ty(Valid::ty(OwnAddress::ty(config)))]
    pub mac: Valid<OwnAddress>,
    /// Functions with DRIVER_OK.
    #[output]
    #[ty(bits(config.functions()))]
    pub driver_ok: Bits,
    /// All functions have been reset since the fundamental reset; what `device` says waits for it.
    #[output]
    pub cleared: Bool,
}
