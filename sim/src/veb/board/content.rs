//! Copies that are due, by what they look like.

use std::collections::BTreeMap;

use crate::veb::{
    PortSet,
    bridge::{Copies, Decision},
    scoreboard::order::FrameId,
};

/// All copies of one content, from the first that is due to the last.
#[derive(Clone, Debug)]
pub struct Content {
    /// Copies due at each port.
    due: Vec<u64>,
    /// How many frames leave so: with all their copies, also those of other contents.
    kinds: BTreeMap<Vec<Copies>, u64>,
    /// The frames, with the ports at which a copy of this content is due. Which of several equal ones a copy was is a guess
    /// here.
    frames: BTreeMap<FrameId, Due>,
}

#[derive(Clone, Debug)]
struct Due {
    destinations: PortSet,
    due: PortSet,
    /// All its copies.
    copies: Vec<Copies>,
}

impl Content {
    pub fn new(port_count: usize) -> Self {
        Self { due: vec![0; port_count], kinds: BTreeMap::new(), frames: BTreeMap::new() }
    }

    /// Copies of a frame are due at `destinations`; `all` are those of its other contents too.
    pub fn expect(&mut self, id: FrameId, destinations: PortSet, all: &[Copies]) {
        *self.kinds.entry(all.to_vec()).or_default() += 1;
        self.frames.insert(id, Due { destinations, due: destinations, copies: all.to_vec() });
        destinations.iter().for_each(|port| self.due[port] += 1);
    }

    pub fn is_due(&self, port: usize) -> bool {
        self.due[port] > 0
    }

    /// Copies due at the port.
    pub fn due_at(&self, port: usize) -> u64 {
        self.due[port]
    }

    /// No copy is due any more.
    pub fn is_settled(&self) -> bool {
        self.due.iter().all(|&due| due == 0)
    }

    /// The ways in which frames of this content leave, and how many frames each.
    pub fn kinds(&self) -> impl Iterator<Item = (&[Copies], u64)> {
        self.kinds.iter().map(|(copies, &frames)| (copies.as_slice(), frames))
    }

    /// The frames and what is to become of them.
    pub fn decisions(&self) -> impl Iterator<Item = (FrameId, Decision)> + '_ {
        self.frames.iter().map(|(&id, frame)| (id, Decision::Forward(frame.copies.clone())))
    }

    /// The frames of which copies are due, with their ports.
    pub fn missing(&self) -> impl Iterator<Item = (FrameId, PortSet)> + '_ {
        self.frames.iter().map(|(&id, frame)| (id, frame.due))
    }

    /// The first frame of `source` for `port` from number `next` on.
    pub fn next_of(&self, port: usize, source: usize, next: u64) -> Option<u64> {
        let range = FrameId { source, number: next }..=FrameId { source, number: u64::MAX };
        let mut frames = self.frames.range(range);
        frames.find(|(_, frame)| frame.destinations.contains(port)).map(|(id, _)| id.number)
    }

    /// The first frame of which a copy is due at `port`.
    pub fn first_due(&self, port: usize) -> Option<FrameId> {
        self.frames.iter().find(|(_, frame)| frame.due.contains(port)).map(|(&id, _)| id)
    }

    /// Notes that one of the due copies has left `port`: that of the preferred frame, if it has one.
    pub fn settle_copy(&mut self, port: usize, preferred: Option<FrameId>) -> FrameId {
        let preferred =
            preferred.filter(|id| self.frames.get(id).is_some_and(|frame| frame.due.contains(port)));
        let id = preferred.or_else(|| self.first_due(port)).expect("a copy is due at the port");
        self.due[port] -= 1;
        if let Some(frame) = self.frames.get_mut(&id) {
            frame.due = frame.due - PortSet::single(port);
        }
        id
    }

    /// Forgets a frame if all its copies of this content have left, in any explanation.
    pub fn forget(&mut self, id: FrameId, has_passed: impl Fn(usize) -> bool) {
        if let Some(frame) = self.frames.get(&id)
            && frame.due.is_empty()
            && frame.destinations.iter().all(has_passed)
        {
            self.frames.remove(&id);
        }
    }
}
