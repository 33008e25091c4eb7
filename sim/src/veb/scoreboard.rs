//! The scoreboard of the complete bridge: compares what leaves with what the model says of what came in.
//!
//! It is told of every frame that enters, with the model's [`Decision`], and of every frame that leaves. It checks that a
//! frame leaves each port of its set exactly once, in the form and with the bytes that it should have there, and in order
//! per (source, destination) pair; and in the end that the hardware's statistics say what has happened.
//!
//! # Whose frame is it?
//!
//! A frame that leaves does not say where it came from, and different sources may send frames that leave alike. A run
//! passes if there is *some* explanation of it: a way to give each frame out of a port to one copy of a frame that
//! entered, equal byte for byte, so that those of one source are given out in rising order. Two facts make that cheap
//! to decide:
//! - *Exactly once* does not depend on the explanation: of equal copies, as many must leave as were expected. Copies
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
//! ports. Where something takes frames behind the bridge, what that counts as lost is missing as well
//! ([`Scoreboard::lost_behind`]).
//!
//! # Changes under traffic
//!
//! A frame that is on its way while the policy changes may be decided by the old policy or by the new one, but by one of
//! them as a whole: see [`Scoreboard::entered_during_change`].

mod content;
mod loss;
mod mismatch;
mod order;
mod undecided;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub use mismatch::{Difference, FrameIn, FrameOut, Mismatch};

use super::{
    bridge::{Decision, Reason},
    statistics::{Kind, Statistics},
};
use content::Content;
use mismatch::start_of;
use order::{FrameId, Order, Taken};
use undecided::Undecided;

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

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Frames that entered, at all ports.
    pub frames_in: u64,
    /// What left, port by port.
    pub ports: Vec<PortReport>,
    /// The hardware's counters.
    pub statistics: Statistics,
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

    /// Drops by reason, of all ports together, by the hardware's counters; all reasons in their order.
    pub fn drops(&self) -> Vec<(Reason, u64)> {
        Reason::ALL.map(|reason| (reason, self.statistics.total(Kind::Dropped(reason)).frames)).to_vec()
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
    undecided: Undecided,
    recent: VecDeque<Remembered>,
    /// By the model what came in, by what was seen what left.
    expected: Statistics,
    mismatches: Vec<Mismatch>,
    further_mismatches: u64,
}

#[derive(Clone, Debug)]
struct Egress {
    order: Order,
    report: PortReport,
    /// Copies that are to leave here and have not.
    due: u64,
    /// Frames that left the bridge here and were lost behind it.
    lost_behind: u64,
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
            lost_behind: 0,
        };
        Self {
            names: ports.to_vec(),
            losses,
            entered: vec![0; ports.len()],
            egress: ports.iter().map(egress).collect(),
            due: HashMap::new(),
            undecided: Undecided::default(),
            recent: VecDeque::new(),
            expected: Statistics::new(ports.len()),
            mismatches: Vec::new(),
            further_mismatches: 0,
        }
    }

    /// A frame has entered at `source`, and `decision` is what the model says of it. To be told before the frame can leave:
    /// at its last beat, or earlier; and in order of arrival per source.
    ///
    /// # Panics
    /// If there is no port `source`, or the model predicts a drop that depends on time.
    pub fn entered(&mut self, source: usize, bytes: &[u8], decision: &Decision) {
        let of_time = matches!(decision.reason(), Some(Reason::BufferFull | Reason::QueueFull));
        assert!(!of_time, "a model cannot know when the bridge is full");
        let id = self.next_id(source);
        self.expected.entered(source, bytes, decision);
        for copies in decision.copies() {
            let ports = self.names.len();
            let content = self.due.entry(copies.bytes.clone()).or_insert_with(|| Content::new(ports));
            content.expect(id, copies.ports, decision.copies());
            copies.ports.iter().for_each(|port| self.egress[port].due += 1);
        }
        if self.recent.len() == REMEMBERED_FRAMES {
            self.recent.pop_front();
        }
        self.recent.push_back(Remembered { bytes: bytes.into(), id, decision: decision.clone() });
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
        self.expected.left(port, bytes);
        if error {
            self.report(Mismatch::Bad { out: out.clone() });
        }
        match self.due.get_key_value(bytes) {
            Some((key, content)) if content.is_due(port) => {
                let key = key.clone();
                self.deliver(port, &key, out);
            }
            _ => match self.undecided.take(port, bytes) {
                Some(id) => self.deliver_undecided(port, id, out),
                None => self.explain(port, bytes, out),
            },
        }
    }

    /// Frames that enter or leave at a port may overtake each other from now on: it has several queues.
    pub fn ignore_order(&mut self, port: usize) {
        self.egress.iter_mut().for_each(|egress| egress.order.ignore(port));
        (0..self.names.len()).for_each(|source| self.egress[port].order.ignore(source));
    }

    /// So many frames left the bridge by a port and were lost before anybody could tell of them, by the counters of what
    /// takes them there. With [`Losses::Counted`] only.
    pub fn lost_behind(&mut self, port: usize, frames: u64) {
        self.egress[port].lost_behind += frames;
    }

    /// Something is wrong that is not about a frame.
    pub fn report_other(&mut self, what: String) {
        self.report(Mismatch::Other { what });
    }

    /// Copies that are still to leave, of all ports together, if nothing was lost; of frames that are undecided, as few as
    /// there may be.
    pub fn due(&self) -> u64 {
        self.egress.iter().map(|egress| egress.due).sum::<u64>() + self.undecided.due()
    }

    /// What was wrong so far, the first hundred.
    pub fn mismatches(&self) -> &[Mismatch] {
        &self.mismatches
    }

    /// The end of the run: nothing more will leave. `statistics` are the hardware's.
    ///
    /// # Panics
    /// If `statistics` are of a bridge with another number of ports.
    pub fn finish(mut self, statistics: &Statistics) -> Report {
        assert_eq!(statistics.port_count(), self.names.len(), "counters of another bridge");
        self.check_losses(statistics);
        Report {
            frames_in: self.entered.iter().sum(),
            ports: self.egress.into_iter().map(|egress| egress.report).collect(),
            statistics: statistics.clone(),
            mismatches: self.mismatches,
            further_mismatches: self.further_mismatches,
        }
    }

    fn next_id(&mut self, source: usize) -> FrameId {
        self.entered[source] += 1;
        FrameId { source, number: self.entered[source] }
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
        if egress.due == 0 && self.undecided.is_empty() {
            egress.order.settle(&self.entered);
        }
        let id = content.settle_copy(port, preferred);
        let egress = &self.egress;
        if content.is_settled() {
            self.due.remove(key);
        } else {
            content.forget(id, |port| egress[port].order.has_passed(id));
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
            if let Some(copies) = decision.at(port) {
                if *copies.bytes == *bytes {
                    return self.report(Mismatch::Again { out, frame });
                }
                self.report(Mismatch::WrongForm { out: out.clone(), frame, expected: copies.form });
                if self.due.get(&copies.bytes).is_some_and(|content| content.is_due(port)) {
                    self.deliver(port, &copies.bytes, out);
                }
                return;
            }
            let expected = match decision.reason() {
                Some(reason) => format!("it is to be dropped: {reason}"),
                None => format!("it is for {} only", self.names_of(decision.ports().iter())),
            };
            return self.report(Mismatch::WrongPort { out, frame, expected });
        }
        let closest = self
            .due
            .iter()
            .filter(|(_, content)| content.is_due(port))
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

    /// A frame that entered with this content or leaves with it somewhere, preferably one for `port`, and what the model
    /// says of it.
    fn known(&self, port: usize, bytes: &[u8]) -> Option<(FrameId, Decision)> {
        let due = self.due.get(bytes).into_iter().flat_map(Content::decisions);
        let has_content = |frame: &&Remembered| {
            *frame.bytes == *bytes || frame.decision.copies().iter().any(|copies| *copies.bytes == *bytes)
        };
        let recent = self.recent.iter().filter(has_content).map(|frame| (frame.id, frame.decision.clone()));
        due.chain(recent).max_by_key(|(_, decision)| {
            let here = decision.at(port);
            (here.is_some(), here.is_some_and(|copies| *copies.bytes == *bytes))
        })
    }

    fn frame_in(&self, id: FrameId) -> FrameIn {
        FrameIn { port: self.names[id.source].clone(), number: id.number }
    }

    fn names_of(&self, ports: impl Iterator<Item = usize>) -> String {
        ports.map(|port| self.names[port].as_str()).collect::<Vec<_>>().join(", ")
    }

    fn report(&mut self, mismatch: Mismatch) {
        if self.mismatches.len() < KEPT_MISMATCHES {
            self.mismatches.push(mismatch);
        } else {
            self.further_mismatches += 1;
        }
    }
}

#[cfg(test)]
mod tests;
