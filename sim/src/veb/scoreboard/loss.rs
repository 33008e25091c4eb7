//! The end of a run: whether what is missing is what the hardware's counters say, and all counters are right.

use super::{FrameId, Losses, Mismatch, Reason, Scoreboard};
use crate::veb::{
    PortSet,
    bridge::Copies,
    scoreboard::mismatch::start_of,
    statistics::{Count, Kind, Statistics},
};

/// Reasons in whose place `buffer_full` can be.
const AFTER_BUFFER_FULL: [Reason; 6] = [
    Reason::Disabled,
    Reason::MacSpoof,
    Reason::EthertypeSpoof,
    Reason::Admission,
    Reason::Vlan,
    Reason::Filtered,
];

impl Scoreboard {
    /// Compares counters and missing copies.
    pub(super) fn check_losses(&mut self, hardware: &Statistics) {
        match self.losses {
            Losses::Forbidden => self.check_nothing_lost(hardware),
            Losses::Counted => self.check_counted(hardware),
        }
    }

    fn check_nothing_lost(&mut self, hardware: &Statistics) {
        let mut lost: Vec<_> = self
            .due
            .iter()
            .flat_map(|(bytes, content)| content.missing().map(move |(id, due)| (id, due, bytes)))
            .flat_map(|(id, due, bytes)| due.iter().map(move |port| (id, port, bytes)))
            .map(|(id, port, bytes)| (port, id, bytes.len(), start_of(bytes)))
            .collect();
        lost.sort();
        for (port, id, length, start) in lost {
            let (frame, port) = (self.frame_in(id), self.names[port].clone());
            self.report(Mismatch::Lost { frame, port, length, start });
        }
        let (least, most) = self.decide_undecided();
        for port in 0..self.names.len() {
            for kind in Kind::all() {
                let count = hardware.get(port, kind);
                let (least, most) = (least.get(port, kind), most.get(port, kind));
                if count.minus(least).is_none() || most.minus(count).is_none() {
                    self.report_counter(port, kind, count, least);
                }
            }
        }
    }

    fn check_counted(&mut self, hardware: &Statistics) {
        let source_counts: Vec<_> =
            (0..self.names.len()).map(|port| self.check_source(port, hardware)).collect();
        let counted: u64 = source_counts.iter().map(|(buffer_full, _)| buffer_full).sum();
        let instead: u64 = source_counts.iter().map(|(_, instead)| instead).sum();
        let whole_frames = source_counts
            .iter()
            .try_fold(0, |sum, (buffer_full, instead)| Some(sum + buffer_full.checked_sub(*instead)?));
        let candidates = self.buffer_full_candidates();
        // Copies that are missing and that no queue counts.
        let mut copies = 0;
        for port in 0..self.names.len() {
            let queue_full = hardware.get(port, Kind::Dropped(Reason::QueueFull)).frames;
            let counted = queue_full + self.egress[port].lost_behind;
            let missing = self.egress[port].due;
            let buffer_full = candidates.at_port[port].min(whole_frames.unwrap_or(0));
            let name = self.names[port].clone();
            if counted > missing {
                self.report(Mismatch::Overcounted { port: name, missing, counted });
            } else if missing - counted > buffer_full
                && let Some(first) = self.first_missing(port)
            {
                let first = self.frame_in(first);
                self.report(Mismatch::Uncounted { port: name, missing, first, counted, buffer_full });
            }
            copies += missing.saturating_sub(counted);
        }
        let fits = whole_frames.is_some_and(|frames| {
            frames * candidates.smallest <= copies && copies <= frames * candidates.largest
        });
        if !fits {
            self.report(Mismatch::BufferFull { counted, instead, copies });
        }
    }

    /// Compares the counters of a port but for its queue; returns how many of its frames `buffer_full` took, and how many
    /// of them in place of another reason.
    fn check_source(&mut self, port: usize, hardware: &Statistics) -> (u64, u64) {
        for kind in [Reason::Error, Reason::Runt, Reason::Oversize].map(Kind::Dropped) {
            let (count, model) = (hardware.get(port, kind), self.expected.get(port, kind));
            if count != model {
                self.report_counter(port, kind, count, model);
            }
        }
        self.check_out(port, hardware);
        // What came in and is counted nowhere else is what the buffer took.
        let lost = self.lost_of(port, Kind::IN, hardware);
        let buffer_full = hardware.get(port, Kind::Dropped(Reason::BufferFull));
        if buffer_full != lost {
            self.report_counter(port, Kind::Dropped(Reason::BufferFull), buffer_full, lost);
        }
        let queue_bytes = hardware.get(port, Kind::Dropped(Reason::QueueFull));
        if queue_bytes.bytes != 0 {
            let model = Count { bytes: 0, ..queue_bytes };
            self.report_counter(port, Kind::Dropped(Reason::QueueFull), queue_bytes, model);
        }
        let instead = self.lost_of(port, AFTER_BUFFER_FULL.map(Kind::Dropped), hardware);
        (buffer_full.frames, instead.frames)
    }

    /// Compares what left a port with its counters. They count what was lost behind it, too: nobody knows of what kind.
    fn check_out(&mut self, port: usize, hardware: &Statistics) {
        let mut unseen = self.egress[port].lost_behind;
        for kind in Kind::OUT {
            let (count, seen) = (hardware.get(port, kind), self.expected.get(port, kind));
            let more = count
                .minus(seen)
                .filter(|more| more.frames <= unseen && (more.frames > 0 || more.bytes == 0));
            match more {
                Some(more) => unseen -= more.frames,
                None => self.report_counter(port, kind, count, seen),
            }
        }
        if unseen > 0 {
            let what = format!("{} lost {unseen} frames that the bridge did not give it", self.names[port]);
            self.report(Mismatch::Other { what });
        }
    }

    /// How much less the hardware counts than the model, of these kinds together. None may be more.
    fn lost_of<const N: usize>(&mut self, port: usize, kinds: [Kind; N], hardware: &Statistics) -> Count {
        let mut lost = Count::default();
        for kind in kinds {
            let (count, model) = (hardware.get(port, kind), self.expected.get(port, kind));
            match model.minus(count).filter(|less| less.frames > 0 || less.bytes == 0) {
                Some(less) => lost = lost.plus(less),
                None => self.report_counter(port, kind, count, model),
            }
        }
        lost
    }

    fn report_counter(&mut self, port: usize, kind: Kind, hardware: Count, model: Count) {
        let port = self.names[port].clone();
        self.report(Mismatch::Counter { port, kind, hardware, model });
    }

    /// The frames that `buffer_full` can have taken.
    ///
    /// Of equal frames nobody can say which ones are missing: a frame can be one of them if a copy like each of its own is
    /// missing at each of its ports.
    fn buffer_full_candidates(&self) -> Candidates {
        let ports = self.names.len();
        let mut candidates = Candidates { at_port: vec![0; ports], smallest: u64::MAX, largest: 0 };
        let is_missing = |copies: &Copies| {
            let content = self.due.get(&copies.bytes);
            content.is_some_and(|content| copies.ports.iter().all(|port| content.is_due(port)))
        };
        for (bytes, content) in &self.due {
            let mut at_port = vec![0; ports];
            for (copies, frames) in content.kinds().filter(|(copies, _)| copies.iter().all(is_missing)) {
                let all = copies.iter().fold(PortSet::EMPTY, |all, copies| all | copies.ports);
                candidates.smallest = candidates.smallest.min(all.len() as u64);
                candidates.largest = candidates.largest.max(all.len() as u64);
                let here = copies.iter().filter(|copies| copies.bytes == *bytes);
                here.flat_map(|copies| copies.ports.iter()).for_each(|port| at_port[port] += frames);
            }
            for (port, frames) in at_port.into_iter().enumerate() {
                candidates.at_port[port] += frames.min(content.due_at(port));
            }
        }
        if candidates.largest == 0 {
            candidates.smallest = 1;
        }
        candidates
    }

    fn first_missing(&self, port: usize) -> Option<FrameId> {
        self.due.values().filter_map(|content| content.first_due(port)).min()
    }
}

struct Candidates {
    /// How many there can be at each port.
    at_port: Vec<u64>,
    /// The fewest and the most copies that one of them has.
    smallest: u64,
    largest: u64,
}
