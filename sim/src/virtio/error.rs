//! What a driver stumbles over.

use super::{features::Features, ring::RingError};
use std::error::Error as StdError;
use thiserror::Error;

/// What a device must not do, or does not do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    #[error("queue {queue}: {error}")]
    Ring { queue: u16, error: RingError },
    #[error("queue {queue}: a frame says that it takes {buffers} buffers, of which {found} are used")]
    Torn { queue: u16, buffers: u16, found: u16 },
    #[error("queue {queue}: the first buffer of a frame has only {bytes} bytes")]
    Short { queue: u16, bytes: usize },
    #[error("queue {queue}: {what}")]
    Header { queue: u16, what: &'static str },
    #[error("the function has no capability for {0}")]
    Missing(&'static str),
    #[error("features {0} are not offered")]
    NotOffered(Features),
    #[error("features {0} are refused")]
    Refused(Features),
    #[error("{what} is {value:#x}")]
    Wrong { what: &'static str, value: u64 },
    #[error("an access at {0:#x} is refused")]
    Access(u64),
    #[error("{0} takes too long")]
    Late(&'static str),
}

/// A fault, or what goes wrong on the way to the device.
#[derive(Debug, Error)]
pub enum DriverError<E: StdError + 'static> {
    #[error(transparent)]
    Bus(E),
    #[error(transparent)]
    Fault(#[from] Fault),
}
