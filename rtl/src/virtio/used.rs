//! Gives used buffers back to the driver (virtio 2.7.8 and 2.8), and finds out whether it wants to know.
//!
//! # Purpose
//! Blocks that are done with buffers hand them in, one by one and for any queue. They become batches, batches become writes, and
//! after each batch the driver is asked for what it said about notifications.
//!
//! # Schematic
//! ```text
//!                          lookup, found   write, data     sent, written      read, answer
//!                                │              ▲                │                 │
//!  used ─► collect ─► fifo ─► rings ────────────┴───────────► events ───────────────┴──► notice ─► moderation
//!            ▲ │                └─ where the next buffer of     │
//!  drain ────┘ └► fault            each queue goes              │
//!            └◄───────────────────── failed, ended, forgotten ◄─┘
//! ```
//!
//! # Batches
//! A batch is half of [`Config::prefetch`](crate::config::Config::prefetch), or what a queue has when the oldest of it has waited for
//! 20 cycles times a full batch (1.3 microseconds at 250 MHz and batches of 16), at most that once more if a full batch left
//! meanwhile. Batches that are not full keep a distance of 8 cycles times a full one, so that many queues wait longer and more comes
//! together: a buffer waits for no longer than `2 * patience + n * (pause + batch)` cycles with n queues in use, if DMA goes on.
//!
//! # Joined buffers
//! Those of a frame become visible to the driver together, of however many batches they are. Split ring: elements may be written at
//! any time, the index tells of them when the frame is complete. Packed ring: a driver looks at one descriptor only (2.8.2), the one
//! behind the last that it saw used; so the first descriptor of a batch with joined buffers, or of the batches that a frame takes,
//! is written last (2.8.9). All blocks before must hand in a frame's buffers one after the other, and soon.
//!
//! # No notification is lost
//! The driver is asked after each batch, when its writes have been handed over: so the answer is younger than the batch
//! is visible. A driver that goes to sleep says so first and then looks whether there is something (2.7.7, 2.8.10); either it
//! finds the batch, or the batch finds what it said. With an event index, what was used from batch to batch is contiguous.
//!
//! # Failures
//! A read that fails is a [`Cause::Access`](super::types::Cause), said once until the queue is drained; buffers of a queue that is
//! broken are thrown away. DMA that ends with `Stopped` is the end of its batch, silently.
//!
//! # Drain
//! A queue's drain is taken when the last of its batches has ended and both contexts are as after reset. In the first 16 cycles or
//! buffers of the offer, buffers of the queue may still come; they are thrown away.
//!
//! # Timing
//! A buffer costs four cycles; batches are written while others are collected, in two cycles for each buffer and 14 more. With
//! batches of 16 that is 5.4 cycles for each buffer. For as many cycles after reset as there are numbers of queues nothing is taken.

pub(crate) mod collect;
mod events;
pub(crate) mod rings;
pub(crate) mod types;

#[cfg(test)]
mod tests;

use super::{
    queues::{Queue, queue_bits},
    types::{Fault, Lookup, Used},
};
use crate::{
    config::Config,
    dma::{Command, Outcome, ReadBeat},
    frame::Beat,
    prim,
};
use collect::{batch, collect};
use events::events;
use hdl::*;
use rings::rings;
use types::Item;

/// Batches that may be under way.
const IN_FLIGHT: usize = 16;

/// The driver wants to be told of used buffers.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Notice {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    /// The queue's vector, 0xFFFF for none.
    pub vector: U<16>,
    /// How many; 255 for more.
    pub buffers: U<8>,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct UsedIo {
    /// Buffers of a queue in the order in which the driver gets them.
    #[input]
    #[ty(Stream::ty(Used::ty(config)))]
    pub used: Stream<Used>,
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    pub lookup: Valid<Lookup>,
    /// Two cycles after `lookup`.
    #[input]
    pub found: U<32>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub write: Stream<Command>,
    /// A frame for each command.
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub write_data: Stream<Beat>,
    /// One for each command, in their order.
    #[input]
    pub written: Valid<Enum<Outcome>>,
    /// What drivers say of notifications: two bytes, or four.
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub read: Stream<Command>,
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub read_data: Stream<ReadBeat>,
    #[output]
    #[ty(Stream::ty(Notice::ty(config)))]
    pub notice: Stream<Notice>,
    #[output]
    #[ty(Stream::ty(Fault::ty(config)))]
    pub fault: Stream<Fault>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
}

/// Gives buffers back, of all queues.
#[hdl]
pub fn used(config: &Config) -> UsedIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_used_{}x{}_{}", queue_bits(config), config.bytes, batch(config));
    module(name, UsedIo::ty(config), |io| {
        let collect = collect(config);
        let rings = rings(config);
        let events = events(config);
        collect.used.connect(&io.used);
        collect.drain.connect(&io.drain);
        collect.failed.connect(&events.failed);
        collect.ended.set(events.ended);
        collect.forgotten.set(events.forgotten);
        io.fault.connect(&collect.fault);

        let items = prim::fifo(Item::ty(config), batch(config).min(prim::DISTRIBUTED));
        items.enq.connect(&collect.items);
        rings.items.connect(&items.deq);
        rings.found.set(io.found);
        io.lookup.set(rings.lookup);
        io.write.connect(&rings.write);
        io.write_data.connect(&rings.data);

        events.sent.connect(&rings.sent);
        events.written.set(io.written);
        events.batch.set(rings.batch);
        events.progress.set(rings.progress);
        events.read_data.connect(&io.read_data);
        io.read.connect(&events.read);
        io.notice.connect(&events.notice);
    })
}
