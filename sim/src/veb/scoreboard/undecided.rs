//! Frames that came in while the policy changed: the old policy or the new one decides about each, but only one.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Decision, FrameId, FrameOut, Losses, Mismatch, Scoreboard, Taken};
use crate::veb::{PortSet, statistics::Statistics};

/// The frames that are not decided yet, and those that are, until the end.
#[derive(Clone, Debug, Default)]
pub struct Undecided {
    frames: Vec<Frame>,
    /// By what may leave of them. Copies of different frames are never equal.
    contents: HashMap<Arc<[u8]>, usize>,
}

#[derive(Clone, Debug)]
struct Frame {
    id: FrameId,
    bytes: Arc<[u8]>,
    /// What may become of it, as far as is known by what has left.
    alternatives: Vec<Decision>,
    left: PortSet,
}

impl Undecided {
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The fewest copies that are still to leave.
    pub fn due(&self) -> u64 {
        self.frames.iter().map(Frame::due).sum()
    }

    /// The frame that may leave `port` with these bytes, now narrowed to the decisions by which it does.
    pub fn take(&mut self, port: usize, bytes: &[u8]) -> Option<FrameId> {
        let frame = &mut self.frames[*self.contents.get(bytes)?];
        let leaves = |decision: &Decision| decision.at(port).is_some_and(|copies| *copies.bytes == *bytes);
        if frame.left.contains(port) || !frame.alternatives.iter().any(leaves) {
            return None;
        }
        frame.alternatives.retain(leaves);
        frame.left = frame.left | PortSet::single(port);
        Some(frame.id)
    }
}

impl Frame {
    fn due(&self) -> u64 {
        let due = self.alternatives.iter().map(|decision| (decision.ports() - self.left).len() as u64);
        due.min().unwrap_or(0)
    }
}

impl Scoreboard {
    /// A frame has entered at `source` while the policy changed: each of `alternatives` may be what becomes of it, and
    /// nothing else. As [`Scoreboard::entered`] otherwise.
    ///
    /// # Panics
    /// If there is no port `source`, no alternative, or losses are allowed.
    pub fn entered_during_change(&mut self, source: usize, bytes: &[u8], alternatives: Vec<Decision>) {
        let [first, others @ ..] = alternatives.as_slice() else { panic!("a frame without a decision") };
        if others.iter().all(|other| other == first) {
            return self.entered(source, bytes, first);
        }
        assert_eq!(self.losses, Losses::Forbidden, "a lost copy would not say which policy decided");
        let id = self.next_id(source);
        let index = self.undecided.frames.len();
        for copies in alternatives.iter().flat_map(Decision::copies) {
            let owner = *self.undecided.contents.entry(copies.bytes.clone()).or_insert(index);
            let is_unique = owner == index && !self.due.contains_key(&copies.bytes);
            if !is_unique {
                let frame = self.frame_in(id);
                return self.report(Mismatch::Alike { frame });
            }
        }
        self.undecided.frames.push(Frame { id, bytes: bytes.into(), alternatives, left: PortSet::EMPTY });
    }

    pub(super) fn deliver_undecided(&mut self, port: usize, id: FrameId, out: FrameOut) {
        let egress = &mut self.egress[port];
        let taken =
            egress.order.take(|source, next| (source == id.source && id.number >= next).then_some(id.number));
        match taken {
            Taken::Frame(_) => {}
            Taken::Unchecked => egress.report.order_unchecked += 1,
            Taken::OutOfOrder => {
                let frame = self.frame_in(id);
                self.report(Mismatch::Order { out, frame });
            }
        }
    }

    /// Decides about the frames by what has left, and returns what the counters may be: the least and the most.
    pub(super) fn decide_undecided(&mut self) -> (Statistics, Statistics) {
        let (mut least, mut most) = (self.expected.clone(), self.expected.clone());
        for frame in std::mem::take(&mut self.undecided).frames {
            let is_whole = |decision: &&Decision| decision.ports() == frame.left;
            let mut whole: Vec<_> = frame.alternatives.iter().filter(is_whole).collect();
            if whole.is_empty() {
                let left = self.names_of(frame.left.iter());
                let torn = self.frame_in(frame.id);
                self.report(Mismatch::Torn { frame: torn, left });
                // It was counted in any case.
                whole.extend(&frame.alternatives);
            }
            let none = Statistics::new(self.names.len());
            let possible = whole.into_iter().map(|decision| {
                let mut counts = none.clone();
                counts.entered(frame.id.source, &frame.bytes, decision);
                counts
            });
            let possible: Vec<_> = possible.collect();
            if let [first, others @ ..] = possible.as_slice() {
                let fold = |pick: fn(u64, u64) -> u64| {
                    others.iter().fold(first.clone(), |all, one| all.combined(one, pick))
                };
                least = least.combined(&fold(std::cmp::min), |a, b| a + b);
                most = most.combined(&fold(std::cmp::max), |a, b| a + b);
            }
        }
        (least, most)
    }
}
