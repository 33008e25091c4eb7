//! The descriptor core: finds the buffers that drivers made available, for all queues.
//!
//! # Purpose
//! A doorbell says that a queue may have buffers. Its ring, split (virtio 2.7) or packed (2.8), is read from the driver's memory
//! until a batch of descriptors has come or none is left, and each descriptor is checked and handed to the store.
//!
//! # Schematic
//! ```text
//!                         ┌──────────────── ended ◄───────────────┐
//!  doorbell, taken ─► scheduler ─► start ─► processor ─┬─► descriptor, fault
//!  drain ──────────────┘                    ▲   │      ├─► lookup, read ─► issue ─┐
//!                                           │   │      └─► write ─► FIFO ─┐       │
//!                                    word   │   └─ slot ─┐    written ────┴─► results
//!                                           │            ▼                        ▼
//!                                           └───────── windows ◄── read_data ── order
//! ```
//! Queues that are served have a *thread* each, which reads and waits; the processor runs the one whose data came, until it
//! reads again. A thread fetches no more than a batch, half of the queue's places in the store; then others have their turn.
//!
//! # What is kept of a queue
//! The scheduler has its state: idle, queued for a thread, waiting for room in the store, running. The processor has its
//! context: how far it is in the ring, and in a chain of descriptors that the store had no room for. Both are words of
//! memories.
//!
//! # No buffer is lost
//! Without EVENT_IDX every buffer rings: a doorbell that comes while the queue runs makes it run again. With EVENT_IDX a thread
//! that finds nothing more writes which buffer is to ring, waits until that is on its way, and reads once more: reads do not
//! pass writes on their way to the host (2.7.10, 2.8.10). A doorbell that says how far buffers are available is believed if that
//! is ahead and within the ring; otherwise memory tells.
//!
//! # Timing
//! Registers at all outputs but `doorbell.ready`. After reset it takes no doorbells for twice as many cycles as there are
//! numbers of queues.

pub(crate) mod aim;
mod judge;
mod processor;
mod scheduler;
mod state;
pub(crate) mod types;
mod windows;

#[cfg(test)]
mod tests;

use super::{
    queues::{Queue, queue_count},
    types::{Descriptor, Doorbell, Fault, Lookup},
};
use crate::{
    config::Config,
    dma::{Command, Outcome, ReadBeat},
    frame::Beat,
    prim,
};
use hdl::*;
use types::Return;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct FetchIo {
    #[input]
    #[ty(Stream::ty(Doorbell::ty(config)))]
    pub doorbell: Stream<Doorbell>,
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    pub lookup: Valid<Lookup>,
    /// The word that was asked for, two cycles later.
    #[input]
    pub found: U<32>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub read: Stream<Command>,
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub read_data: Stream<ReadBeat>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub write: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub write_data: Stream<Beat>,
    /// One for each command of `write`, in their order.
    #[input]
    #[ty(Valid::ty(Enum::ty()))]
    pub written: Valid<Enum<Outcome>>,
    /// To the store, which has a place for it: none in two cycles one after the other.
    #[output]
    #[ty(Stream::ty(Descriptor::ty(config)))]
    pub descriptor: Stream<Descriptor>,
    /// A descriptor of this queue has left the store; those count that a drain forgets. None in two cycles one after the other.
    #[input]
    #[ty(Valid::ty(Queue::ty(config)))]
    pub taken: Valid<Queue>,
    #[output]
    #[ty(Stream::ty(Fault::ty(config)))]
    pub fault: Stream<Fault>,
    /// Forgets what it knows of this queue; taken when that is done. No doorbell of it may come until it lives again.
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
    /// Queues that may have buffers which are not in the store yet.
    #[output]
    #[ty(bits(queue_count(config)))]
    pub busy: Bits,
}

/// Threads of the named configurations.
pub const THREADS: usize = 8;

/// As the named configurations have it.
pub fn named(config: &Config) -> FetchIo {
    fetch(config, THREADS)
}

/// Fetches for all queues, for 2 to 16 of them at once.
#[hdl]
pub fn fetch(config: &Config, threads: usize) -> FetchIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    require((2..=16).contains(&threads), || format!("{threads} threads are not 2 to 16"));
    let name = format!("virtio_fetch_{threads}_{}_{}x{}", queue_count(config), config.prefetch, config.bytes);
    module(name, FetchIo::ty(config), |io| {
        let scheduler = scheduler::scheduler(config, threads);
        let processor = processor::processor(config, threads);
        let windows = windows::windows(config, threads);
        scheduler.doorbell.connect(&io.doorbell);
        scheduler.taken.set(io.taken);
        scheduler.drain.connect(&io.drain);
        scheduler.ended.connect(&processor.ended);
        processor.start.connect(&scheduler.start);
        io.busy.set(scheduler.busy);

        windows.issue.set(processor.issue);
        windows.data.connect(&io.read_data);
        windows.slot.set(processor.slot);
        processor.word.set(windows.word);
        processor.returned.connect(&windows.returned);

        io.lookup.set(processor.lookup);
        processor.found.set(io.found);
        io.read.connect(&processor.read);
        io.descriptor.connect(&processor.descriptor);
        io.fault.connect(&processor.fault);

        // Events are written in order.
        io.write.connect(&processor.write);
        io.write_data.connect(&processor.write_data);
        let depth = threads.next_power_of_two();
        let writers = prim::fifo(processor.arms.payload, depth);
        let results = prim::fifo(Return::ty(threads), depth);
        writers.enq.valid.set(processor.arms.valid);
        writers.enq.payload.set(processor.arms.payload);
        writers.deq.ready.set(io.written.valid);
        results.enq.valid.set(io.written.valid);
        results.enq.payload.set(Return { thread: writers.deq.payload, outcome: io.written.payload });
        processor.written.connect(&results.deq);
        assert(writers.enq.ready | !processor.arms.valid, "a thread waits for one write");
        assert((writers.deq.valid & results.enq.ready) | !io.written.valid, "what is written was handed in");
    })
}
