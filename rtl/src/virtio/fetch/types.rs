//! What the parts of `fetch` hand to each other.

use super::super::queues::Queue;
use crate::{config::Config, dma::Outcome};
use hdl::*;

/// Descriptors that a thread fetches at most before others have their turn.
pub fn batch(config: &Config) -> usize {
    config.prefetch / 2
}

/// Bits of a number of descriptors up to a batch.
pub fn batch_bits(config: &Config) -> usize {
    clog2(batch(config) + 1)
}

/// Bits of the number of a thread.
pub fn thread_bits(threads: usize) -> usize {
    clog2(threads.next_power_of_two().max(2))
}

/// Bits of the size of a ring, which is 1024 at most.
pub const SIZE_BITS: usize = 11;

/// What a thread waits for.
#[derive(HwEnum, Clone, Copy)]
pub enum Kind {
    /// A split ring's available index.
    Index,
    /// Entries of its available ring.
    Entries,
    /// Descriptors of the ring, or of the table of a split one.
    Ring,
    /// Descriptors of an indirect table.
    Table,
    /// The write that says where a notification is wanted.
    Event,
    /// The queue's settings.
    Settings,
}

/// Where a thread keeps what it read.
#[derive(HwEnum, Clone, Copy)]
pub enum Region {
    /// Index and entries of the available ring.
    Available,
    Ring,
    Table,
}

/// Descriptors that a thread has in its region.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Window {
    /// The place of the first one in the ring or the table.
    #[ty(bits(16))]
    pub first: Bits,
    /// How many; none of them counts any more if it is 0.
    #[ty(bits(batch_bits(config)))]
    pub count: Bits,
}

/// A queue that is being served. It is forgotten when the batch ends.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Thread {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    #[ty(bits(SIZE_BITS))]
    pub size: Bits,
    pub packed: Bool,
    pub event_index: Bool,
    pub indirect: Bool,
    /// Descriptors that it may still hand over.
    #[ty(bits(batch_bits(config)))]
    pub budget: Bits,
    /// It is known how far buffers are available: up to `available`, in the form of [`Context::next`].
    pub known: Bool,
    #[ty(bits(16))]
    pub available: Bits,
    /// Entries of the available ring that it has, and those of them that are done.
    #[ty(bits(batch_bits(config)))]
    pub entries: Bits,
    #[ty(bits(batch_bits(config)))]
    pub done: Bits,
    #[ty(Window::ty(config))]
    pub ring: Window,
    #[ty(Window::ty(config))]
    pub table: Window,
    pub awaits: Enum<Kind>,
}

/// How far a queue is. It stays when the thread ends.
#[derive(Bundle, Clone, Copy)]
pub struct Context {
    /// Of a split ring the index of the next available buffer; of a packed one the place of the next descriptor, with the wrap
    /// counter in bit 15.
    #[ty(bits(16))]
    pub next: Bits,
    /// The place of the next descriptor: in the table, if there is one, else in the ring.
    #[ty(bits(16))]
    pub at: Bits,
    /// Descriptors that the ring or the table can still add to the chain.
    #[ty(bits(16))]
    pub left: Bits,
    /// Descriptors of the indirect table.
    #[ty(bits(16))]
    pub entries: Bits,
    #[ty(bits(16))]
    pub id: Bits,
    /// Places of the ring that the chain takes so far.
    #[ty(bits(SIZE_BITS))]
    pub places: Bits,
    /// Address of the indirect table.
    #[ty(bits(64))]
    pub table: Bits,
    /// A buffer has begun,
    pub chain: Bool,
    /// a part of it was handed over,
    pub parts: Bool,
    /// one that is to be written,
    pub writable: Bool,
    /// and it goes on in an indirect table.
    pub in_table: Bool,
    /// The driver was told to notify of the next buffer, and what was read since is newer.
    pub armed: Bool,
}

/// A thread begins.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, threads: usize)]
pub struct Start {
    #[ty(bits(thread_bits(threads)))]
    pub thread: Bits,
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    /// The queue has a [`Context`].
    pub begun: Bool,
    /// The queue is being drained: nothing is fetched, and a buffer that has begun gets a bad end.
    pub abandons: Bool,
    #[ty(bits(batch_bits(config)))]
    pub budget: Bits,
    pub known: Bool,
    #[ty(bits(16))]
    pub available: Bits,
}

/// It ends.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, threads: usize)]
pub struct End {
    #[ty(bits(thread_bits(threads)))]
    pub thread: Bits,
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    /// What is left of its budget.
    #[ty(bits(batch_bits(config)))]
    pub unused: Bits,
    /// There may be more buffers.
    pub more: Bool,
    pub broken: Bool,
    /// The store has the beginning of a buffer.
    pub open: Bool,
    pub known: Bool,
    #[ty(bits(16))]
    pub available: Bits,
}

/// What a thread waited for is done.
#[derive(Bundle, Clone, Copy)]
#[ty(threads: usize)]
pub struct Return {
    #[ty(bits(thread_bits(threads)))]
    pub thread: Bits,
    pub outcome: Enum<Outcome>,
}

/// A read is on its way.
#[derive(Bundle, Clone, Copy)]
#[ty(threads: usize)]
pub struct Issue {
    #[ty(bits(thread_bits(threads)))]
    pub thread: Bits,
    pub region: Enum<Region>,
}

/// A word of 16 bytes in the window memory.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, threads: usize)]
pub struct Slot {
    #[ty(bits(thread_bits(threads)))]
    pub thread: Bits,
    pub region: Enum<Region>,
    #[ty(bits(clog2(batch(config))))]
    pub index: Bits,
}
