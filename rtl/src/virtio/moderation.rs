//! Interrupts for used buffers, not too many.
//!
//! # Purpose
//! The manager sets for each function how many buffers may be used, and how much time may pass, before an interrupt tells of them.
//! What a driver does not want to know of has been left out before.
//!
//! # Schematic
//! ```text
//!  notice ─┐                 ┌─► waiting: a word for each queue
//!  scan  ──┼─► one at a time ┤                                  ─► vector
//!  drain ──┘                 └─► rows: a word for each function
//! ```
//!
//! # When
//! An interrupt is asked for when as many buffers were used since the last one as the row says, or when the row's time has
//! passed since the first of them. 0 buffers is no limit of their number; a time of 0 is over at once, whatever the number is, so
//! that no buffer waits for others that do not come. As a row is all 0 after reset, each notice is an interrupt then.
//!
//! # Timing
//! `vector` is offered in the fifth cycle after a notice that makes it due. The scan looks at a queue in every four cycles if no
//! notice comes, in every eight at least: `8 * functions * queues` cycles later than the time says, an interrupt is on its way, and
//! up to a microsecond early or late.

use super::{
    queues::{Queue, queue_bits, queue_count, queues},
    used::Notice,
};
use crate::{
    config::Config,
    pcie::{VECTORS, configuration::function_bits, msix::Vector},
    prim::{self, onehot_select},
};
use hdl::*;

/// When a function's drivers are told.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct ModerationRow {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    pub limits: Limits,
}

#[derive(Bundle, Clone, Copy, Debug)]
pub struct Limits {
    /// Buffers of a receive queue, 0 for any number.
    pub receive_frames: U<8>,
    /// In microseconds.
    pub receive_time: U<16>,
    /// The same for queues that transmit, and for the control queue.
    pub transmit_frames: U<8>,
    pub transmit_time: U<16>,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct ModerationIo {
    #[input]
    #[ty(Stream::ty(Notice::ty(config)))]
    pub notice: Stream<Notice>,
    /// What the manager sets; all 0 after reset.
    #[input]
    #[ty(Valid::ty(ModerationRow::ty(config)))]
    pub row: Valid<ModerationRow>,
    #[output]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub vector: Stream<Vector>,
    /// A queue of this function without a vector has used buffers: a cause of interrupts (virtio 4.1.4.5).
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub queue_interrupt: Valid<Bits>,
    /// After the queue has been drained from [`used`](super::used::used()).
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
}

const VECTOR_BITS: usize = clog2(VECTORS);

/// Bits of the time: the longest that may pass, and as much again.
const TIME_BITS: usize = 17;

/// What is kept of a queue.
#[derive(Bundle, Clone, Copy)]
struct Waiting {
    /// Buffers that the driver is to be told of; 255 for more. 0 for none.
    buffers: U<8>,
    /// When the first of them was used.
    since: U<TIME_BITS>,
    #[ty(bits(VECTOR_BITS))]
    vector: Bits,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// Words are cleared, one by one.
    Clear,
    Idle,
    /// The words are read,
    Fetch,
    /// buffers and time are compared with the limits,
    Compare,
    /// and it is seen what follows.
    Act,
}

/// Waits until an interrupt is due.
#[hdl]
pub fn moderation(config: &Config) -> ModerationIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_moderation_{}_{}", queue_bits(config), config.clock_khz);
    module(name, ModerationIo::ty(config), |io| {
        io.notice.assume_stable();
        io.drain.assume_stable();
        let waiting = mem(Waiting::ty(), queue_count(config), Collision::Undefined);
        let rows = mem(Limits::ty(), 1 << function_bits(config), Collision::Undefined);
        /// Functions whose row has been set.
        let is_set = reg(bits(config.functions()));
        when(io.row.valid, || {
            rows.write(io.row.payload.function, io.row.payload.limits);
            is_set.at(io.row.payload.function).set(true);
        });

        // Microseconds.
        /// Thousandths of cycles since the last one.
        let phase = reg(bits(clog2(config.clock_khz + 1000)));
        let is_over = phase.ge(config.clock_khz - 1000);
        let now = reg(bits(TIME_BITS));
        phase.set(is_over.mux(phase - (config.clock_khz - 1000), phase + 1000));
        when(is_over, || now.set(now + 1));

        // One at a time.
        let state = reg_enum(State::Clear);
        let clears = state.is(State::Clear);
        let idle = state.is(State::Idle);
        let cleared = reg(bits(queue_bits(config)));
        cleared.set(cleared + 1);
        /// The queue that is looked at next.
        let scanned = reg(Queue::ty(config));
        /// A notice is not the last thing that was done.
        let scans = reg(flag());
        let target = reg_without_reset(Queue::ty(config));
        let notice = reg_without_reset(Notice::ty(config));
        let is_notice = reg_without_reset(flag());
        let is_drain = reg_without_reset(flag());
    })
}
