//! Errors that the transaction layer finds (6.2).

use super::configuration::function_bits;
use crate::config::Config;
use hdl::*;

/// What was found.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A request with poisoned data was received and not carried out, or a poisoned completion.
    Poisoned,
    /// A request of the function got no completion in time.
    CompletionTimeout,
    /// The function completed a request with Completer Abort, or aborted a posted one.
    CompleterAbort,
    /// A completion came that nobody waits for.
    UnexpectedCompletion,
    /// Something malformed came.
    Malformed,
    /// A request that was completed with Unsupported Request.
    Unsupported,
    /// A posted request that is not supported.
    UnsupportedPosted,
    /// A request of the function was completed with Completer Abort: no error of this device, but shown in Status.
    ReceivedAbort,
    /// A request of the function was completed with Unsupported Request: likewise.
    ReceivedUnsupported,
    /// The function sent a poisoned request: no error of this device, but shown in Status.
    SentPoisoned,
}

/// One error.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct ErrorEvent {
    pub kind: Enum<ErrorKind>,
    /// The function that it concerns, if there is one.
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub function: Valid<Bits>,
    /// The header of the packet that was in error; 0 if there is none.
    pub header: U<128>,
}
