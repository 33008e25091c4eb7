//! The end of a run: whether what is missing is what the hardware's counters say.

use super::mismatch::start_of;
use super::{Counters, FrameId, Losses, Mismatch, Scoreboard};
use crate::veb::{DropReason, PortSet};

impl Scoreboard {
    /// Compares counters and missing copies.
    pub(super) fn check_losses(&mut self, counters: &Counters) {
        let instead = self.check_frame_counters(counters);
        match self.losses {
            Losses::Forbidden => self.check_nothing_lost(counters),
            Losses::Counted => self.check_counted(counters, instead),
        }
    }

    /// Compares the counters of whole frames; returns how many frames `buffer_full` took before the rules for `vlan` and
    /// `filtered` could.
    fn check_frame_counters(&mut self, counters: &Counters) -> u64 {
        let mut instead = 0;
        for reason in DropReason::OF_FRAMES.into_iter().filter(|&reason| reason != DropReason::BufferFull) {
            let (hardware, model) = (counters.of(reason), self.dropped.of(reason));
            let can_be_less = self.losses == Losses::Counted
                && matches!(reason, DropReason::Vlan | DropReason::Filtered)
                && hardware < model;
            if can_be_less {
                instead += model - hardware;
            } else if hardware != model {
                self.report(Mismatch::Counter { reason, hardware, model });
            }
        }
        instead
    }

    fn check_nothing_lost(&mut self, counters: &Counters) {
        let hardware = counters.of(DropReason::BufferFull);
        if hardware > 0 {
            self.report(Mismatch::Counter { reason: DropReason::BufferFull, hardware, model: 0 });
        }
        let mut lost: Vec<_> = self
            .due
            .iter()
            .flat_map(|(bytes, content)| {
                content.frames.iter().map(move |(&id, copies)| (id, copies.due, bytes))
            })
            .flat_map(|(id, due, bytes)| due.iter().map(move |port| (id, port, bytes)))
            .map(|(id, port, bytes)| (port, id, bytes.len(), start_of(bytes)))
            .collect();
        lost.sort();
        for (port, id, length, start) in lost {
            let (frame, port) = (self.frame_in(id), self.names[port].clone());
            self.report(Mismatch::Lost { frame, port, length, start });
        }
        for (port, &queue_full) in counters.queue_full.iter().enumerate() {
            if queue_full > 0 {
                let (port, missing) = (self.names[port].clone(), self.egress[port].due);
                self.report(Mismatch::Overcounted { port, missing, queue_full });
            }
        }
    }

    fn check_counted(&mut self, counters: &Counters, instead: u64) {
        let candidates = self.buffer_full_candidates();
        let counted = counters.of(DropReason::BufferFull);
        let whole_frames = counted.checked_sub(instead);
        // Copies that are missing and that no queue counts.
        let mut copies = 0;
        for (port, &queue_full) in counters.queue_full.iter().enumerate() {
            let missing = self.egress[port].due;
            let buffer_full = candidates.at_port[port].min(whole_frames.unwrap_or(0));
            let name = self.names[port].clone();
            if queue_full > missing {
                self.report(Mismatch::Overcounted { port: name, missing, queue_full });
            } else if missing - queue_full > buffer_full
                && let Some(first) = self.first_missing(port)
            {
                let first = self.frame_in(first);
                self.report(Mismatch::Uncounted { port: name, missing, first, queue_full, buffer_full });
            }
            copies += missing.saturating_sub(queue_full);
        }
        let fits = whole_frames.is_some_and(|frames| {
            frames * candidates.smallest <= copies && copies <= frames * candidates.largest
        });
        if !fits {
            self.report(Mismatch::BufferFull { counted, instead, copies });
        }
    }

    /// The frames that `buffer_full` can have taken.
    ///
    /// Of equal frames nobody can say which ones are missing: a frame can be one of them if a copy of its content is
    /// missing at each of its ports.
    fn buffer_full_candidates(&self) -> Candidates {
        let mut candidates =
            Candidates { at_port: vec![0; self.names.len()], smallest: u64::MAX, largest: 0 };
        for content in self.due.values() {
            let missing = |ports: PortSet| ports.iter().all(|port| content.due[port] > 0);
            let mut at_port = vec![0; self.names.len()];
            for (&ports, &frames) in content.sets.iter().filter(|&(&ports, _)| missing(ports)) {
                candidates.smallest = candidates.smallest.min(ports.len() as u64);
                candidates.largest = candidates.largest.max(ports.len() as u64);
                ports.iter().for_each(|port| at_port[port] += frames);
            }
            for (port, frames) in at_port.into_iter().enumerate() {
                candidates.at_port[port] += frames.min(content.due[port]);
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
    /// The fewest and the most ports that one of them has.
    smallest: u64,
    largest: u64,
}
