//! What the stages of [`used`](super::used()) hand to each other.

use crate::{
    config::Config,
    pcie::configuration::function_bits,
    virtio::{queues::Queue, types::Used},
};
use hdl::*;

/// A used buffer of a batch. The batches of a stream follow each other, each of one queue.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(crate) struct Item {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    /// Nothing was used: what is kept of the queue is to be forgotten.
    pub forget: Bool,
    #[ty(Buffer::ty())]
    pub buffer: Buffer,
    /// The batch ends with it.
    pub last: Bool,
    /// The batch has buffers that another one is joined to. The same in all of a batch, and so is the next one.
    pub joins: Bool,
    /// The batch ends with a whole frame.
    pub closes: Bool,
}

/// What the driver is to know of a buffer.
#[derive(Bundle, Clone, Copy)]
pub(crate) struct Buffer {
    pub id: U<16>,
    pub length: U<17>,
    pub places: U<16>,
}

impl Buffer {
    pub fn of(used: &Used) -> Buffer {
        Buffer { id: used.id, length: used.length, places: used.places }
    }
}

/// What follows a batch when it has been written.
#[derive(HwEnum, Clone, Copy)]
pub(crate) enum Then {
    /// Nothing: the frame goes on.
    Nothing,
    /// The driver is asked whether it wants to be told.
    Ask,
    /// There was no batch: the queue is forgotten.
    Forget,
}

/// A batch that is on its way to the driver, for the stage that waits for it.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(crate) struct Batch {
    pub then: Enum<Then>,
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// Where the driver says what it wants, and whether it says it in four bytes, or else in two.
    pub address: U<64>,
    pub long: Bool,
}

/// How far the driver can see now.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(crate) struct Progress {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    pub packed: Bool,
    pub event_index: Bool,
    /// The first that it did not see before, and the first that it does not see now: indices, or places of a packed ring with
    /// the lap in bit 15.
    pub from: U<16>,
    pub to: U<16>,
    pub size: U<16>,
    pub vector: U<16>,
    /// In buffers; 255 for more.
    pub count: U<8>,
}
