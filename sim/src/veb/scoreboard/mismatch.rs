//! What can be wrong, in words.

use std::fmt;

use thiserror::Error;

use crate::veb::{
    bridge::Form,
    statistics::{Count, Kind},
};

/// A frame that entered: the `number`-th, from 1, at this port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameIn {
    /// The port's name.
    pub port: String,
    /// Its number among the frames into the port, as Wireshark shows it of the capture that is played.
    pub number: u64,
}

/// A frame that left: the `number`-th, from 1, at this port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameOut {
    /// The port's name.
    pub port: String,
    /// Its number among the frames out of the port, as Wireshark shows it of the capture that is written.
    pub number: u64,
}

impl fmt::Display for FrameIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {} into {}", self.number, self.port)
    }
}

impl fmt::Display for FrameOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {} out of {}", self.number, self.port)
    }
}

/// A difference between the hardware and the model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// A frame entered while the policy changed that may leave like another one, so that nobody can tell what became of it.
    #[error("{frame} is like another one, and a row changes: frames must differ then")]
    Alike { frame: FrameIn },
    /// A frame left with its error flag set.
    #[error("{out} has the error flag set")]
    Bad { out: FrameOut },
    /// A frame left a port once more than it should.
    #[error("{out} is {frame} once more")]
    Again { out: FrameOut, frame: FrameIn },
    /// A frame left a port that it is not for.
    #[error("{out} is {frame}, but {expected}")]
    WrongPort {
        out: FrameOut,
        frame: FrameIn,
        /// What should have become of the frame.
        expected: String,
    },
    /// A frame left in another form than it should.
    #[error("{out} is {frame}, but it is to leave {}", match .expected {
        Form::Raw => "as it came",
        Form::Tagged => "with a tag of its VLAN",
        Form::Untagged => "without a tag of its VLAN",
    })]
    WrongForm { out: FrameOut, frame: FrameIn, expected: Form },
    /// The copies of a frame that came in while the policy changed are neither those of the old policy nor of the new one.
    #[error("{frame} came in while the policy changed, and what left of it is of neither policy: {left}")]
    Torn {
        frame: FrameIn,
        /// The ports that it left by.
        left: String,
    },
    /// A frame left changed.
    #[error("{out} is like {frame}, but {difference}")]
    Damaged { out: FrameOut, frame: FrameIn, difference: Difference },
    /// A frame left that is like none that is due.
    #[error("{out} is like no frame that entered: {length} bytes, {start}")]
    Unknown {
        out: FrameOut,
        /// Bytes of the frame.
        length: usize,
        /// Its first bytes in hexadecimal.
        start: String,
    },
    /// A frame left after a later one of the same source.
    #[error("{out} is {frame}, which a later frame from {} has overtaken", frame.port)]
    Order { out: FrameOut, frame: FrameIn },
    /// A frame did not leave a port that it is for.
    #[error("{frame} did not leave {port}: {length} bytes, {start}")]
    Lost {
        frame: FrameIn,
        /// The port it is for.
        port: String,
        /// Bytes of the frame.
        length: usize,
        /// Its first bytes in hexadecimal.
        start: String,
    },
    /// More frames are missing at a port than the counters account for.
    #[error(
        "{missing} frames did not leave {port} (first: {first}), but only {counted} are counted as lost \
         there and at most {buffer_full} can have been dropped for buffer_full"
    )]
    Uncounted {
        port: String,
        missing: u64,
        /// The first frame that is missing.
        first: FrameIn,
        /// As `queue_full`, or behind the bridge.
        counted: u64,
        buffer_full: u64,
    },
    /// A port counts more losses than frames are missing: as `queue_full`, or behind the bridge.
    #[error("{port} counts {counted} frames as lost, but only {missing} did not leave it")]
    Overcounted { port: String, missing: u64, counted: u64 },
    /// A counter of a port differs from the rules.
    #[error(
        "{port} counts {} frames and {} bytes as {}, by the rules there were {} and {}",
        hardware.frames, hardware.bytes, kind.name(), model.frames, model.bytes
    )]
    Counter { port: String, kind: Kind, hardware: Count, model: Count },
    /// Something that is not about a frame.
    #[error("{what}")]
    Other { what: String },
    /// The frames counted as `buffer_full` are not the frames that are missing.
    #[error(
        "{counted} frames are counted as buffer_full, {instead} of them in place of another reason; \
         that does not fit the {copies} copies that are missing and not counted as queue_full"
    )]
    BufferFull { counted: u64, instead: u64, copies: u64 },
}

/// How a frame differs from the one it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Bytes that differ or that one of the frames lacks.
    pub distance: usize,
    /// The first byte that differs, counted from 0.
    pub first: usize,
    /// Lengths: expected and got.
    pub lengths: (usize, usize),
    /// Bytes around the first difference in hexadecimal: expected and got.
    pub excerpts: (String, String),
}

impl Difference {
    /// How `got` differs from `expected`, if it is like it: a quarter of the bytes differ at most, or one is the start of
    /// the other.
    pub(in crate::veb) fn of(expected: &[u8], got: &[u8]) -> Option<Self> {
        let pairs = || expected.iter().zip(got);
        let (shorter, longer) = (expected.len().min(got.len()), expected.len().max(got.len()));
        let changed = pairs().filter(|(a, b)| a != b).count();
        let distance = changed + longer - shorter;
        if shorter == 0 || changed > 0 && distance > longer / 4 {
            return None;
        }
        let first = pairs().position(|(a, b)| a != b).unwrap_or(shorter);
        let excerpts = (excerpt(expected, first), excerpt(got, first));
        Some(Self { distance, first, lengths: (expected.len(), got.len()), excerpts })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((expected, got), (expected_bytes, got_bytes)) = (self.lengths, &self.excerpts);
        if expected != got {
            write!(f, "has {got} bytes in place of {expected} and ")?;
        }
        write!(f, "differs from byte {} on: {got_bytes} in place of {expected_bytes}", self.first)
    }
}

/// The first bytes of a frame, in hexadecimal.
pub(in crate::veb) fn start_of(frame: &[u8]) -> String {
    hex(frame, 0, 18)
}

/// The bytes around `at`.
fn excerpt(frame: &[u8], at: usize) -> String {
    hex(frame, at.saturating_sub(4), at + 8)
}

fn hex(frame: &[u8], from: usize, to: usize) -> String {
    let to = to.min(frame.len());
    let bytes: Vec<String> =
        frame.get(from..to).unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
    let before = if from > 0 { ".. " } else { "" };
    let after = if to < frame.len() { " .." } else { "" };
    format!("[{before}{}{after}]", bytes.join(" "))
}
