//! The scoreboard: compares what leaves the bridge with what the model says of what came in.
//!
//! It is told of every frame that enters, with the model's [`Decision`], and of every frame that leaves. It checks that a
//! frame leaves each port of its set exactly once, unchanged, and in order per (source, destination) pair.
//!
//! # Whose frame is it?
//!
//! A frame that leaves does not say where it came from, and different sources may send equal frames. A run passes if there
//! is *some* explanation of it: a way to give each frame out of a port to one frame that entered, equal byte for byte, so
//! that those of one source are given out in rising order. Two facts make that cheap to decide:
//! - *Exactly once* does not depend on the explanation: of equal frames, as many must leave as were expected. Copies
//!   that are due are counted per content and port.
//! - *Order* does. A port keeps all explanations that still hold, as vectors "next frame of each source".
//!   Where all sources send different frames there is one vector. An explanation that is nowhere further
//!   than another is as good for everything to come, so only such are kept.
//!
//! If equal frames of many sources leave more than 128 explanations, order is not checked at that port until
//! it has delivered all that it was due; the report counts those frames. Tests that stamp their frames never get there.
//!
//! # Losses
//!
//! A full queue or a full buffer may take frames at times that no model predicts. An explanation may therefore skip frames;
//! a skipped frame that comes later is out of order. How many copies are missing at a port in the end does not depend on
//! the explanation either. With [`Losses::Forbidden`] it must be none. With [`Losses::Counted`] it must be the port's
//! `queue_full` plus the frames that `buffer_full` took, and a frame that `buffer_full` took is missing at all its
//! ports.

mod loss;
pub(super) mod mismatch;
pub(super) mod order;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

pub use mismatch::{Difference, FrameIn, FrameOut, Mismatch};

use super::{Decision, DropReason, PortSet};
use mismatch::start_of;
use order::{FrameId, Order, Taken};

/// Mismatches that are kept and explained; more are only counted.
const KEPT_MISMATCHES: usize = 100;
/// Frames that are remembered after they left, to explain a frame that leaves once too often.
const REMEMBERED_FRAMES: usize = 256;

/// What may be missing in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Losses {
    /// Nothing, and `queue_full` and `buffer_full` must be 0: for runs in which every output is always ready.
    Forbidden,
    /// As much as the hardware's counters say.
    Counted,
}

/// The hardware's drop counters at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Dropped frames for each of [`DropReason::OF_FRAMES`].
    pub frames: [u64; 6],
    /// Dropped copies at each port's queue.
    pub queue_full: Vec<u64>,
}

impl Counters {
    /// All counters 0.
    pub fn new(port_count: usize) -> Self {
        Self { frames: [0; 6], queue_full: vec![0; port_count] }
    }

    /// The counter of a reason; of all ports together for `queue_full`.
    pub fn of(&self, reason: DropReason) -> u64 {
        match position(reason) {
            Some(position) => self.frames[position],
            None => self.queue_full.iter().sum(),
        }
    }
}

fn position(reason: DropReason) -> Option<usize> {
    DropReason::OF_FRAMES.iter().position(|&other| other == reason)
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Frames that entered, at all ports.
    pub frames_in: u64,
    /// What left, port by port.
    pub ports: Vec<PortReport>,
    /// Drops by reason, by the hardware's counters: all reasons in their order, `queue_full` last.
    pub drops: Vec<(DropReason, u64)>,
    /// What was wrong, the first hundred.
    pub mismatches: Vec<Mismatch>,
    /// How many more mismatches there were.
    pub further_mismatches: u64,
}

impl Report {
    /// How many mismatches there were. 0: the run passed.
    pub fn mismatch_count(&self) -> u64 {
        self.mismatches.len() as u64 + self.further_mismatches
    }
}

/// What left one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortReport {
    /// The port's name.
    pub name: String,
    /// Frames that left.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames whose order could not be checked, because too many sources sent equal ones.
    pub order_unchecked: u64,
}

/// Compares frames in with frames out; see the [module documentation](self).
#[derive(Clone, Debug)]
pub struct Scoreboard {
    names: Vec<String>,
    losses: Losses,
    /// Frames that entered at each port.
    entered: Vec<u64>,
    egress: Vec<Egress>,
    /// Contents of which copies are due.
    due: HashMap<Arc<[u8]>, Content>,
    recent: VecDeque<Remembered>,
    /// The model's drops.
    dropped: Counters,
    mismatches: Vec<Mismatch>,
    further_mismatches: u64,
}

#[derive(Clone, Debug)]
struct Egress {
    order: Order,
    report: PortReport,
    /// Copies that are to leave here and have not.
    due: u64,
}

/// All frames of one content, from the first of which a copy is due to the last copy.
#[derive(Clone, Debug)]
struct Content {
    /// Copies due at each port.
    due: Vec<u64>,
    /// How many frames have each set of destinations.
    sets: BTreeMap<PortSet, u64>,
    /// The frames, with the ports at which a copy is due. Which of several equal frames a copy was is a guess here.
    frames: BTreeMap<FrameId, Copies>,
}

#[derive(Clone, Copy, Debug)]
struct Copies {
    destinations: PortSet,
    due: PortSet,
}

#[derive(Clone, Debug)]
struct Remembered {
    bytes: Arc<[u8]>,
    id: FrameId,
    decision: Decision,
}

impl Scoreboard {
    /// A scoreboard for a bridge with these ports.
    pub fn new(ports: &[String], losses: Losses) -> Self {
        let egress = |name: &String| Egress {
            order: Order::new(ports.len()),
            report: PortReport { name: name.clone(), frames: 0, bytes: 0, order_unchecked: 0 },
            due: 0,
        };
        Self {
            names: ports.to_vec(),
            losses,
            entered: vec![0; ports.len()],
            egress: ports.iter().map(egress).collect(),
            due: HashMap::new(),
            recent: VecDeque::new(),
            dropped: Counters::new(ports.len()),
            mismatches: Vec::new(),
            further_mismatches: 0,
        }
    }

    /// A frame has entered at `source`, and `decision` is what the model says of it. To be told before the frame can leave:
    /// at its last beat, or earlier; and in order of arrival per source.
    ///
    /// # Panics
    /// If there is no port `source`, or the model predicts a drop that depends on time.
    pub fn entered(&mut self, source: usize, bytes: &[u8], decision: Decision) {
        self.entered[source] += 1;
        let id = FrameId { source, number: self.entered[source] };
        let bytes: Arc<[u8]> = bytes.into();
        match decision {
            Decision::Drop(reason) => {
                let counted = position(reason).filter(|_| reason != DropReason::BufferFull);
                self.dropped.frames[counted.expect("a model cannot know when the bridge is full")] += 1;
            }
            Decision::Forward(ports) => {
                let content = self.due.entry(bytes.clone()).or_insert_with(|| Content::new(self.names.len()));
                content.expect(id, ports);
                for port in ports.iter() {
                    self.egress[port].due += 1;
                }
            }
        }
        if self.recent.len() == REMEMBERED_FRAMES {
            self.recent.pop_front();
        }
        self.recent.push_back(Remembered { bytes, id, decision });
    }

    /// A frame has left `port`; `error` is the flag in its last beat.
    ///
    /// # Panics
    /// If there is no port `port`.
    pub fn left(&mut self, port: usize, bytes: &[u8], error: bool) {
        let report = &mut self.egress[port].report;
        report.frames += 1;
        report.bytes += bytes.len() as u64;
        let out = FrameOut { port: report.name.clone(), number: report.frames };
        if error {
            self.report(Mismatch::Bad { out: out.clone() });
        }
        match self.due.get_key_value(bytes) {
            Some((key, content)) if content.due[port] > 0 => {
                let key = key.clone();
                self.deliver(port, &key, out);
            }
            _ => self.explain(port, bytes, out),
        }
    }

    /// Copies that are still to leave, of all ports together, if nothing was lost.
    pub fn due(&self) -> u64 {
        self.egress.iter().map(|egress| egress.due).sum()
    }

    /// What was wrong so far, the first hundred.
    pub fn mismatches(&self) -> &[Mismatch] {
        &self.mismatches
    }

    /// The end of the run: nothing more will leave. `counters` are the hardware's.
    ///
    /// # Panics
    /// If `counters` are of a bridge with another number of ports.
    pub fn finish(mut self, counters: &Counters) -> Report {
        assert_eq!(counters.queue_full.len(), self.names.len(), "counters of another bridge");
        self.check_losses(counters);
        let reasons = DropReason::OF_FRAMES.into_iter().chain([DropReason::QueueFull]);
        Report {
            frames_in: self.entered.iter().sum(),
            ports: self.egress.into_iter().map(|egress| egress.report).collect(),
            drops: reasons.map(|reason| (reason, counters.of(reason))).collect(),
            mismatches: self.mismatches,
            further_mismatches: self.further_mismatches,
        }
    }

    /// Gives a copy of the content `key`, which is due at `port`, to one of its frames.
    fn deliver(&mut self, port: usize, key: &Arc<[u8]>, out: FrameOut) {
        let Some(content) = self.due.get_mut(key) else { return };
        let egress = &mut self.egress[port];
        let taken = egress.order.take(|source, next| content.next_of(port, source, next));
        let preferred = match taken {
            Taken::Frame(id) => Some(id),
            Taken::Unchecked => {
                egress.report.order_unchecked += 1;
                None
            }
            Taken::OutOfOrder => None,
        };
        egress.due -= 1;
        if egress.due == 0 {
            egress.order.settle(&self.entered);
        }
        let id = content.settle_copy(port, preferred);
        if content.due.iter().all(|&due| due == 0) {
            self.due.remove(key);
        } else if let Some(copies) = content.frames.get(&id)
            && copies.due.is_empty()
            && copies.destinations.iter().all(|port| self.egress[port].order.has_passed(id))
        {
            content.frames.remove(&id);
        }
        if taken == Taken::OutOfOrder {
            let frame = self.frame_in(id);
            self.report(Mismatch::Order { out, frame });
        }
    }

    /// Says what is wrong with a frame that is not due at `port`.
    fn explain(&mut self, port: usize, bytes: &[u8], out: FrameOut) {
        if self.mismatches.len() == KEPT_MISMATCHES {
            self.further_mismatches += 1;
            return;
        }
        if let Some((id, decision)) = self.known(port, bytes) {
            let frame = self.frame_in(id);
            let expected = match decision {
                Decision::Forward(ports) if ports.contains(port) => {
                    return self.report(Mismatch::Again { out, frame });
                }
                Decision::Forward(ports) => {
                    let names: Vec<&str> = ports.iter().map(|port| self.names[port].as_str()).collect();
                    format!("it is for {} only", names.join(", "))
                }
                Decision::Drop(reason) => format!("it is to be dropped: {reason}"),
            };
            return self.report(Mismatch::WrongPort { out, frame, expected });
        }
        let closest = self
            .due
            .iter()
            .filter(|(_, content)| content.due[port] > 0)
            .filter_map(|(key, content)| Some((Difference::of(key, bytes)?, content.first_due(port)?, key)))
            .min_by_key(|(difference, id, _)| (difference.distance, *id));
        let Some((difference, id, key)) = closest.map(|(difference, id, key)| (difference, id, key.clone()))
        else {
            let (length, start) = (bytes.len(), start_of(bytes));
            return self.report(Mismatch::Unknown { out, length, start });
        };
        let frame = self.frame_in(id);
        self.report(Mismatch::Damaged { out: out.clone(), frame, difference });
        self.deliver(port, &key, out);
    }

    /// A frame of this content that entered, preferably one for `port`, and what the model says of it.
    fn known(&self, port: usize, bytes: &[u8]) -> Option<(FrameId, Decision)> {
        let due = self.due.get(bytes).into_iter().flat_map(|content| &content.frames);
        let due = due.map(|(&id, copies)| (id, Decision::Forward(copies.destinations)));
        let recent = self.recent.iter().filter(|frame| *frame.bytes == *bytes);
        let recent = recent.map(|frame| (frame.id, frame.decision));
        let is_for_port = |decision| matches!(decision, Decision::Forward(ports) if ports.contains(port));
        due.chain(recent).max_by_key(|&(_, decision)| is_for_port(decision))
    }

    fn frame_in(&self, id: FrameId) -> FrameIn {
        FrameIn { port: self.names[id.source].clone(), number: id.number }
    }

    fn report(&mut self, mismatch: Mismatch) {
        if self.mismatches.len() < KEPT_MISMATCHES {
            self.mismatches.push(mismatch);
        } else {
            self.further_mismatches += 1;
        }
    }
}

impl Content {
    fn new(port_count: usize) -> Self {
        Self { due: vec![0; port_count], sets: BTreeMap::new(), frames: BTreeMap::new() }
    }

    fn expect(&mut self, id: FrameId, destinations: PortSet) {
        *self.sets.entry(destinations).or_default() += 1;
        self.frames.insert(id, Copies { destinations, due: destinations });
        for port in destinations.iter() {
            self.due[port] += 1;
        }
    }

    /// The first frame of `source` for `port` from number `next` on.
    fn next_of(&self, port: usize, source: usize, next: u64) -> Option<u64> {
        let range = FrameId { source, number: next }..=FrameId { source, number: u64::MAX };
        let mut frames = self.frames.range(range);
        frames.find(|(_, copies)| copies.destinations.contains(port)).map(|(id, _)| id.number)
    }

    fn first_due(&self, port: usize) -> Option<FrameId> {
        self.frames.iter().find(|(_, copies)| copies.due.contains(port)).map(|(&id, _)| id)
    }

    /// Notes that one of the due copies has left `port`: that of the preferred frame, if it has one.
    fn settle_copy(&mut self, port: usize, preferred: Option<FrameId>) -> FrameId {
        let preferred =
            preferred.filter(|id| self.frames.get(id).is_some_and(|copies| copies.due.contains(port)));
        let id = preferred.or_else(|| self.first_due(port)).expect("a copy is due at the port");
        self.due[port] -= 1;
        if let Some(copies) = self.frames.get_mut(&id) {
            copies.due = copies.due - PortSet::single(port);
        }
        id
    }
}

#[cfg(test)]
mod tests;
