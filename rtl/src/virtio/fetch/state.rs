//! The steps of a thread.

use hdl::*;

/// What the processor does.
#[derive(HwEnum, Clone, Copy)]
pub enum State {
    /// A thread is chosen.
    Idle,
    /// A thread that comes back is loaded,
    Thread,
    /// its queue's context is read,
    Context,
    /// and loaded.
    Restore,
    /// What it came back for, or what it is to begin with.
    Resume,
    /// How far buffers are available: the distance is known,
    Measure,
    /// and so is whether it may be.
    Believe,
    /// Between two buffers.
    Next,
    /// The entry of the available ring, or its index, is read from the window,
    Entry,
    /// and taken.
    Head,
    /// Whether the next descriptor is in a window.
    Locate,
    /// It is read,
    Wait,
    /// judged,
    Check,
    /// and becomes a part, or something else.
    Act,
    /// A read, or a write, is begun.
    Aim,
    Aiming,
    Issue,
    /// The thread waits for it.
    Suspend,
    /// No buffer is left.
    Rest,
    /// The queue is broken: a buffer that has begun gets its end,
    Abandon,
    /// and the fault is told.
    Tell,
    /// The thread ends.
    End,
}
