//! The ports of the bench: frames that are sent beat by beat, and frames that are taken as they leave.

use super::{Bench, find};
use crate::{
    traffic::Sink,
    veb::{PortSet, bridge, policy::Policy},
};
use hdl::{Interface, Simulator, interface::PortIndex};
use std::collections::VecDeque;

/// How a port of the bridge is treated from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// In how many of a hundred cycles no new beat is offered.
    pub pause: usize,
    /// In how many of a hundred cycles egress is not ready; 100 stalls for ever.
    pub stall: usize,
}

/// A frame that left a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub port: usize,
    pub bytes: Vec<u8>,
    /// Cycle of its last beat.
    pub cycle: u64,
    /// At the manager: where the hardware says that it came in.
    pub source: Option<usize>,
}

/// A frame that began to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What it was sent with.
    pub mark: (usize, u64),
    /// Cycle of its first beat.
    pub cycle: u64,
}

/// The ports of one frame stream.
#[derive(Clone, Copy)]
struct BeatPorts {
    valid: PortIndex,
    ready: PortIndex,
    data: PortIndex,
    count: PortIndex,
    last: PortIndex,
    error: PortIndex,
}

impl BeatPorts {
    fn find(interface: &Interface, stream: &str) -> BeatPorts {
        let port = |field: &str| find(interface, &format!("{stream}_{field}"));
        BeatPorts {
            valid: port("valid"),
            ready: port("ready"),
            data: port("payload_data"),
            count: port("payload_count"),
            last: port("payload_last"),
            error: port("payload_error"),
        }
    }
}

/// A frame to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// At least one.
    pub bytes: Vec<u8>,
    /// Its last beat is marked as bad.
    pub error: bool,
    /// The ports that it goes to past all rules; of the manager only.
    pub forced: Option<PortSet>,
    /// [`Bench::take_begun`] tells by it when the frame has begun to come in.
    pub mark: Option<(usize, u64)>,
    /// Not offered before this cycle.
    pub not_before: u64,
}

pub(super) struct Ingress {
    ports: BeatPorts,
    waiting: VecDeque<Frame>,
    /// Bytes of the first waiting frame that have moved.
    moved: usize,
    /// A beat is offered and has not moved.
    offered: bool,
    /// What `valid` is set to.
    valid: bool,
}

pub(super) struct Egress {
    ports: BeatPorts,
    ready: bool,
    bytes: Vec<u8>,
    /// Cycle of the first beat of `bytes`.
    begun: u64,
    /// What takes the frames; at once without one.
    link: Option<Sink>,
}

impl Ingress {
    pub(super) fn find(interface: &Interface, port: usize) -> Ingress {
        Ingress {
            ports: BeatPorts::find(interface, &format!("ingress_{port}")),
            waiting: VecDeque::new(),
            moved: 0,
            offered: false,
            valid: false,
        }
    }
}

impl Egress {
    pub(super) fn find(interface: &Interface, port: usize) -> Egress {
        Egress {
            ports: BeatPorts::find(interface, &format!("egress_{port}")),
            ready: false,
            bytes: vec![],
            begun: 0,
            link: None,
        }
    }
}

impl<S: Simulator> Bench<S> {
    /// How a port is treated from now on.
    pub fn set_behaviour(&mut self, port: usize, behaviour: Behaviour) {
        self.behaviour[port] = behaviour;
        self.idle_cycles = 0;
    }

    /// Queues a frame at a port.
    ///
    /// # Panics
    /// If the frame is empty.
    pub fn send(&mut self, port: usize, bytes: Vec<u8>, error: bool) {
        self.send_frame(port, Frame { bytes, error, ..Frame::default() });
    }

    /// As [`Bench::send`], with all that a frame can have.
    ///
    /// # Panics
    /// If the frame is empty.
    pub fn send_frame(&mut self, port: usize, frame: Frame) {
        assert!(!frame.bytes.is_empty(), "a frame has at least one byte");
        self.ingress[port].waiting.push_back(frame);
        self.waiting += 1;
        self.idle_cycles = 0;
    }

    /// Nothing is on offer, waits or has come out in part.
    pub(super) fn clear_ports(&mut self) {
        for ingress in &mut self.ingress {
            self.sim.write(ingress.ports.valid, &[0]);
            (ingress.offered, ingress.valid, ingress.moved) = (false, false, 0);
            ingress.waiting.clear();
        }
        self.waiting = 0;
        self.egress.iter_mut().for_each(|egress| egress.bytes.clear());
    }

    /// No frame has come in in part.
    pub(super) fn is_between_frames(&self) -> bool {
        self.ingress.iter().all(|ingress| !ingress.offered && ingress.moved == 0)
    }

    /// The first cycle from which on a waiting frame may be offered.
    pub(super) fn next_due(&self) -> Option<u64> {
        let first = self.ingress.iter().filter_map(|ingress| ingress.waiting.front());
        first.map(|frame| frame.not_before).min()
    }

    /// Frames that are queued and not wholly in the bridge.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Frames of one port that are queued and not wholly in the bridge.
    pub fn waiting_at(&self, port: usize) -> usize {
        self.ingress[port].waiting.len()
    }

    /// Marked frames that have begun to come in since the last call.
    pub fn take_begun(&mut self) -> Vec<Begun> {
        std::mem::take(&mut self.begun)
    }

    /// Frames that left since the last call, if [`Bench::keep_left`] is set.
    pub fn take_left(&mut self) -> Vec<Left> {
        std::mem::take(&mut self.left)
    }

    /// From now on a port's frames leave over a link of its own rate.
    pub fn set_link(&mut self, port: usize, link: Option<Sink>) {
        self.egress[port].link = link;
    }

    /// Offers the next beat of a port, unless one is offered already.
    pub(super) fn offer(&mut self, port: usize) {
        let ingress = &mut self.ingress[port];
        if ingress.offered {
            return;
        }
        let now = self.sim.cycles();
        let frame = ingress.waiting.front().filter(|frame| frame.not_before <= now);
        let paused = self.behaviour[port].pause > 0 && self.random.chance(self.behaviour[port].pause);
        let ports = ingress.ports;
        // While no frame may begin, those that have begun come to their end.
        let held = self.held && ingress.moved == 0;
        let paused = paused && !(self.held && ingress.moved > 0);
        let Some(frame) = frame.filter(|_| !paused && !held) else {
            if std::mem::replace(&mut ingress.valid, false) {
                self.sim.write(ports.valid, &[0]);
            }
            return;
        };
        let end = (ingress.moved + self.beat_bytes).min(frame.bytes.len());
        // Bytes beyond the count may be anything, and so may the error before the last beat.
        let mut bytes = [0u8; 32];
        let junk = self.random.word().to_le_bytes();
        bytes.iter_mut().zip(junk.iter().cycle()).for_each(|(byte, junk)| *byte = *junk);
        bytes[..end - ingress.moved].copy_from_slice(&frame.bytes[ingress.moved..end]);
        let mut limbs = [0u64; 4];
        for (limb, bytes) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
        let last = end == frame.bytes.len();
        self.sim.write(ports.data, &limbs[..self.beat_bytes / 8]);
        self.sim.write(ports.count, &[(end - ingress.moved) as u64]);
        self.sim.write(ports.last, &[last as u64]);
        let error = if last { frame.error } else { junk[0] & 1 == 1 };
        self.sim.write(ports.error, &[error as u64]);
        if port == self.manager {
            let forced = if last { frame.forced } else { None };
            self.sim.write(self.forced[0], &[forced.is_some() as u64]);
            let set = forced.unwrap_or_default().bits();
            let limbs = [set as u64, (set >> 64) as u64];
            self.sim.write(self.forced[1], &limbs[..self.wishes.len().div_ceil(64)]);
        }
        if !std::mem::replace(&mut ingress.valid, true) {
            self.sim.write(ports.valid, &[1]);
        }
        ingress.offered = true;
    }

    pub(super) fn choose_ready(&mut self, port: usize) {
        let stall = self.behaviour[port].stall;
        let now = self.sim.cycles();
        let egress = &mut self.egress[port];
        let free = !egress.bytes.is_empty() || egress.link.as_ref().is_none_or(|link| link.is_free(now));
        let ready = free && (stall == 0 || (stall < 100 && !self.random.chance(stall)));
        if ready != egress.ready {
            egress.ready = ready;
            self.sim.write(egress.ports.ready, &[ready as u64]);
        }
    }

    /// Notes a beat that moves into the bridge in this cycle.
    pub(super) fn accept(&mut self, port: usize) -> bool {
        let ports = self.ingress[port].ports;
        if !self.ingress[port].offered || !self.bit(ports.ready) {
            return false;
        }
        let ingress = &mut self.ingress[port];
        let frame = ingress.waiting.front().expect("a beat is offered of the first waiting frame");
        if let Some(mark) = frame.mark.filter(|_| ingress.moved == 0) {
            self.begun.push(Begun { mark, cycle: self.sim.cycles() });
        }
        ingress.offered = false;
        ingress.moved += self.beat_bytes;
        if ingress.moved >= frame.bytes.len() {
            let frame = ingress.waiting.pop_front().expect("the frame that has just ended");
            self.waiting -= 1;
            ingress.moved = 0;
            let Frame { bytes, error, forced, .. } = &frame;
            let decide = |policy: &Policy| bridge::decide(policy, port, bytes, *error, *forced);
            let decision = decide(&self.policy);
            match &self.changing {
                None => self.scoreboard.entered(port, bytes, &decision),
                Some(changed) => {
                    self.scoreboard.entered_during_change(port, bytes, vec![decision, decide(changed)]);
                }
            }
        }
        true
    }

    /// Takes a beat that moves out of the bridge in this cycle.
    pub(super) fn collect(&mut self, port: usize) -> bool {
        let ports = self.egress[port].ports;
        if !self.egress[port].ready || !self.bit(ports.valid) {
            return false;
        }
        let count = self.word(ports.count) as usize;
        let mut limbs = [0u64; 4];
        self.sim.read(ports.data, &mut limbs[..self.beat_bytes / 8]);
        let (last, error) = (self.bit(ports.last), self.bit(ports.error));
        assert!(
            (1..=self.beat_bytes).contains(&count) && (last || count == self.beat_bytes),
            "egress {port}: a beat of {count} bytes, last: {last}"
        );
        let now = self.sim.cycles();
        let egress = &mut self.egress[port];
        if egress.bytes.is_empty() {
            egress.begun = now;
        }
        let bytes = &mut egress.bytes;
        bytes.extend(limbs.iter().flat_map(|limb| limb.to_le_bytes()).take(count));
        if last {
            let bytes = std::mem::take(bytes);
            let begun = egress.begun;
            if let Some(link) = &mut egress.link {
                link.took(bytes.len(), begun);
            }
            self.scoreboard.left(port, &bytes, error);
            if self.keep_left {
                let source = (port == self.manager).then(|| self.word(self.manager_source) as usize);
                self.left.push(Left { port, bytes, cycle: self.sim.cycles(), source });
            }
        }
        true
    }

    pub(super) fn bit(&mut self, port: PortIndex) -> bool {
        self.word(port) & 1 == 1
    }

    pub(super) fn word(&mut self, port: PortIndex) -> u64 {
        let mut limb = [0];
        self.sim.read(port, &mut limb);
        limb[0]
    }
}
