//! Traffic: flows of frames, captured or generated, each with its pace.
//!
//! A [`Flow`] says what is sent, where and when. [`Traffic`] plays several of them. A test bench asks it, port by port, for
//! the frame that is due ([`Traffic::send`]); whoever only wants the schedule takes it as an iterator, in the order of time.
//!
//! A bench that asks only when a port has nothing more to send keeps to the rule that [`Pace::Max`] sends a frame when the
//! one before has been taken, and queues nothing that a flow's stop should have kept back.
//!
//! Generated frames carry a [`Stamp`], so that latency and loss can be measured wherever a frame leaves. Times are cycles
//! of the adapter's clock.

mod sink;
mod stamp;
mod stream;

use std::path::{Path, PathBuf};

use rtl::config::Config;

use crate::clock::{Clock, SECOND};
use crate::pcap::{self, CapturedFrame, PcapError};
use crate::veb::PortSet;
pub use sink::{Sink, SinkRate};
pub use stamp::{MAGIC, STAMP_BYTES, Stamp};
pub use stream::{Size, Stream};

/// Bytes that a frame occupies on a wire beside its own: FCS 4, preamble and start 8, gap 12 (802.3, 4.2.3.2 and 4.4.2).
pub const WIRE_OVERHEAD: u64 = 24;

/// Frames that enter at one port at one pace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What results call it.
    pub name: String,
    /// Number of the port that its frames enter at.
    pub port: usize,
    pub content: Content,
    pub pace: Pace,
    /// The cycle of its first frame.
    pub start: u64,
    /// No frame is sent from this cycle on.
    pub stop: Option<u64>,
    /// Frames at most.
    pub frames: Option<u64>,
}

/// What a flow sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The frames of a capture, in its order.
    Capture(PathBuf),
    /// These frames, in this order.
    Listed(Vec<Listed>),
    Generated(Stream),
}

/// A frame that is given as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Not sent before.
    pub cycle: u64,
    /// At least one.
    pub bytes: Vec<u8>,
    /// Marked as bad.
    pub error: bool,
    /// Ports that the manager sends it to, past all rules.
    pub forced: Option<PortSet>,
}

/// When the frames of a flow are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Each as soon as the port has taken the one before.
    Max,
    /// At this rate, exactly on average: a frame is sent when those before it, with `overhead` bytes for each, have taken
    /// their time. In bit/s, not 0.
    Bits { per_second: u64, overhead: u64 },
    /// This many in a second, evenly; not 0.
    Frames { per_second: u64 },
    /// As far apart as they were captured. Of captures only.
    Recorded,
}

impl Pace {
    /// What 10 Gbit/s Ethernet carries.
    pub const WIRE: Pace = Pace::Bits { per_second: 10_000_000_000, overhead: WIRE_OVERHEAD };
}

/// A frame to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Not to be sent before; the cycle in the frame's stamp.
    pub cycle: u64,
    pub port: usize,
    /// Number of the flow.
    pub flow: usize,
    /// Number of the frame in its flow, from 0.
    pub sequence: u64,
    pub bytes: Vec<u8>,
    /// Marked as bad.
    pub error: bool,
    /// Ports that the manager sends it to, past all rules.
    pub forced: Option<PortSet>,
}

/// Flows being played. As an iterator: all frames in the order of their cycles, as if ports took them at once.
#[derive(Clone, Debug)]
pub struct Traffic {
    playing: Vec<Playing>,
}

/// A flow being played.
#[derive(Clone, Debug)]
struct Playing {
    number: usize,
    flow: Flow,
    clock: Clock,
    beat_bytes: u64,
    /// Of a capture.
    captured: Vec<CapturedFrame>,
    /// Frames sent so far.
    sequence: u64,
    /// Their bytes.
    bytes: u64,
    /// The next one is not sent before this cycle.
    earliest: u64,
}

impl Traffic {
    /// Starts flows, numbered from 0; captures are read.
    ///
    /// # Errors
    /// What is wrong with a capture.
    pub fn new(flows: &[Flow], config: &Config) -> Result<Self, PcapError> {
        Self::with_captures(flows, config, |path| pcap::read(path))
    }

    /// As [`Traffic::new`], with the captures from elsewhere.
    ///
    /// # Errors
    /// What `read` says.
    pub fn with_captures<E>(
        flows: &[Flow],
        config: &Config,
        mut read: impl FnMut(&Path) -> Result<Vec<CapturedFrame>, E>,
    ) -> Result<Self, E> {
        let play = |(number, flow): (usize, &Flow)| {
            let captured = match &flow.content {
                Content::Capture(path) => read(path)?,
                Content::Listed(_) | Content::Generated(_) => vec![],
            };
            Ok(Playing {
                number,
                flow: flow.clone(),
                clock: Clock::of(config),
                beat_bytes: config.bytes as u64,
                captured,
                sequence: 0,
                bytes: 0,
                earliest: flow.start,
            })
        };
        Ok(Self { playing: flows.iter().enumerate().map(play).collect::<Result<_, E>>()? })
    }

    /// The cycle from which on a port has a frame to send; `None` if all of them are sent.
    pub fn next_cycle(&self, port: usize) -> Option<u64> {
        let flows = self.playing.iter().filter(|playing| playing.flow.port == port);
        flows.filter_map(Playing::next_cycle).min()
    }

    /// The frame that a port is to send in cycle `now`, if one is due: the one that has waited longest.
    ///
    /// A flow with [`Pace::Max`] sends its frame `now`; others are behind their schedule where the port was busy, and their
    /// frames keep the cycle of the schedule.
    pub fn send(&mut self, port: usize, now: u64) -> Option<Departure> {
        let flows =
            self.playing.iter_mut().filter(|playing| playing.flow.port == port && !playing.stops_before(now));
        let due =
            flows.filter_map(|playing| Some((playing.next_cycle().filter(|&cycle| cycle <= now)?, playing)));
        due.min_by_key(|(cycle, _)| *cycle)?.1.send(now)
    }

    /// Whether no flow has a frame to send in cycle `now` or later.
    pub fn is_finished(&self, now: u64) -> bool {
        self.playing.iter().all(|playing| playing.stops_before(now) || playing.next_cycle().is_none())
    }
}

impl Iterator for Traffic {
    type Item = Departure;

    fn next(&mut self) -> Option<Departure> {
        let flows = self.playing.iter_mut();
        let next = flows.filter_map(|playing| Some((playing.next_cycle()?, playing)));
        next.min_by_key(|(cycle, _)| *cycle)?.1.send(0)
    }
}

impl Playing {
    /// The cycle of the next frame by the flow's pace.
    fn next_cycle(&self) -> Option<u64> {
        if self.flow.frames.is_some_and(|frames| self.sequence >= frames) {
            return None;
        }
        let (mut frame, mut earliest) = (None, self.earliest);
        match &self.flow.content {
            Content::Capture(_) => frame = Some(self.captured.get(self.sequence as usize)?),
            Content::Listed(frames) => earliest = earliest.max(frames.get(self.sequence as usize)?.cycle),
            Content::Generated(_) => {}
        }
        let after = match self.flow.pace {
            Pace::Max => 0,
            Pace::Bits { per_second, overhead } => {
                let bits = 8 * u128::from(self.bytes + self.sequence * overhead);
                (bits * u128::from(SECOND) / u128::from(per_second)) as u64
            }
            Pace::Frames { per_second } => {
                (u128::from(self.sequence) * u128::from(SECOND) / u128::from(per_second)) as u64
            }
            Pace::Recorded => {
                let since = frame.map(|frame| frame.timestamp.saturating_sub(self.captured[0].timestamp));
                since.map_or(0, |since| since.as_nanos() as u64 * 1000)
            }
        };
        Some(earliest.max(self.flow.start + self.clock.cycle_at(after)))
            .filter(|&cycle| !self.stops_before(cycle))
    }

    /// Whether a frame of this cycle is too late.
    fn stops_before(&self, cycle: u64) -> bool {
        self.flow.stop.is_some_and(|stop| cycle >= stop)
    }

    fn send(&mut self, now: u64) -> Option<Departure> {
        let scheduled = self.next_cycle()?;
        let cycle = if self.flow.pace == Pace::Max { scheduled.max(now) } else { scheduled };
        let sequence = self.sequence;
        let (mut error, mut forced) = (false, None);
        let bytes = match &self.flow.content {
            Content::Capture(_) => self.captured.get(sequence as usize)?.bytes.clone(),
            Content::Listed(frames) => {
                let frame = frames.get(sequence as usize)?;
                (error, forced) = (frame.error, frame.forced);
                frame.bytes.clone()
            }
            Content::Generated(stream) => stream.frame(Stamp { flow: self.number as u32, sequence, cycle }),
        };
        self.sequence += 1;
        self.bytes += bytes.len() as u64;
        let beats = (bytes.len() as u64).div_ceil(self.beat_bytes);
        self.earliest = if self.flow.pace == Pace::Max { cycle + beats } else { cycle };
        Some(Departure { cycle, port: self.flow.port, flow: self.number, sequence, bytes, error, forced })
    }
}

#[cfg(test)]
mod tests;
