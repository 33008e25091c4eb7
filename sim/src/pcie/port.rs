//! Packets on the two streams of beats at the endpoint's port.

use super::packet::Packet;
use crate::random::Random;
use hdl::{Interface, Simulator, interface::PortIndex};
use std::collections::VecDeque;
use thiserror::Error;

/// How likely a stream moves in a cycle, in per cent: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// A beat into the endpoint is offered.
    pub rx: usize,
    /// A beat of the endpoint is taken.
    pub tx: usize,
}

impl Pace {
    pub const FULL: Pace = Pace { rx: 100, tx: 100 };
}

/// A rule of the streams that the endpoint breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cycle {cycle}: {what}")]
pub struct StreamError {
    pub cycle: u64,
    pub what: String,
}

/// The ports of a stream.
#[derive(Clone, Copy, Debug)]
struct Stream {
    valid: PortIndex,
    ready: PortIndex,
    header: PortIndex,
    data: PortIndex,
    count: PortIndex,
    first: PortIndex,
    last: PortIndex,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Beat {
    header: [u32; 4],
    data: Vec<u8>,
    count: usize,
    first: bool,
    last: bool,
}

impl Stream {
    fn find(interface: &Interface, name: &str) -> Stream {
        let find = |suffix: &str| {
            let name = format!("{name}_{suffix}");
            interface.find(&name).unwrap_or_else(|| panic!("the design has no port `{name}`"))
        };
        Stream {
            valid: find("valid"),
            ready: find("ready"),
            header: find("payload_header"),
            data: find("payload_data"),
            count: find("payload_count"),
            first: find("payload_first"),
            last: find("payload_last"),
        }
    }

    fn write<S: Simulator>(&self, sim: &mut S, beat: &Beat) {
        let [a, b, c, d] = beat.header.map(u64::from);
        sim.write(self.header, &[b << 32 | a, d << 32 | c]);
        let limb = |bytes: &[u8]| bytes.iter().rev().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
        let limbs: Vec<u64> = beat.data.chunks(8).map(limb).collect();
        sim.write(self.data, &limbs);
        sim.write(self.count, &[beat.count as u64]);
        sim.write(self.first, &[beat.first.into()]);
        sim.write(self.last, &[beat.last.into()]);
    }

    fn read<S: Simulator>(&self, sim: &mut S, bytes: usize) -> Beat {
        let mut header = [0; 2];
        sim.read(self.header, &mut header);
        let mut limbs = vec![0; bytes / 8];
        sim.read(self.data, &mut limbs);
        let [low, high] = header;
        Beat {
            header: [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32],
            data: limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect(),
            count: word(sim, self.count) as usize,
            first: word(sim, self.first) == 1,
            last: word(sim, self.last) == 1,
        }
    }
}

fn word<S: Simulator>(sim: &mut S, port: PortIndex) -> u64 {
    let mut limb = [0];
    sim.read(port, &mut limb);
    limb[0]
}

/// What went through in a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// A packet that the endpoint has taken with this cycle.
    pub taken: Option<Packet>,
    /// A packet that it has finished with this cycle.
    pub sent: Option<Packet>,
}

/// Both streams. A cycle is [`Port::drive`], [`Port::sample`], and a step of the simulator.
#[derive(Clone, Debug)]
pub struct Port {
    rx: Stream,
    tx: Stream,
    bytes: usize,
    pub pace: Pace,
    random: Random,
    /// Packets for the endpoint; of the first `done` bytes have been taken.
    queue: VecDeque<Packet>,
    done: usize,
    /// The beat on offer, and whether the inputs show it, or that there is none.
    offer: Option<Beat>,
    shown: bool,
    ready: bool,
    /// The beat that the endpoint offered in the cycle before, and that was not taken.
    stalled: Option<Beat>,
    receiving: Option<Packet>,
    /// Cycles for which the beat on offer has waited.
    waited: u64,
    longest_wait: u64,
}

impl Port {
    /// Binds streams of `TlpBeat`s by their names, into the design and out of it.
    ///
    /// # Panics
    /// If the design has none of these names.
    pub fn new(interface: &Interface, rx: &str, tx: &str, seed: u64) -> Port {
        let [rx, tx] = [rx, tx].map(|name| Stream::find(interface, name));
        Port {
            rx,
            tx,
            bytes: interface.ports[rx.data].width as usize / 8,
            pace: Pace::FULL,
            random: Random::new(seed),
            queue: VecDeque::new(),
            done: 0,
            offer: None,
            shown: false,
            ready: false,
            stalled: None,
            receiving: None,
            waited: 0,
            longest_wait: 0,
        }
    }

    /// Queues a packet for the endpoint.
    pub fn send(&mut self, packet: Packet) {
        self.queue.push_back(packet);
    }

    /// Packets that the endpoint has not wholly taken.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Cycles for which the endpoint let a beat wait at most.
    pub fn longest_wait(&self) -> u64 {
        self.longest_wait
    }

    /// Forgets everything, as a reset of the endpoint does.
    pub fn clear(&mut self) {
        self.queue.clear();
        (self.done, self.offer, self.stalled, self.receiving) = (0, None, None, None);
        self.shown = false;
    }

    /// Sets the inputs of a cycle. Beats of the endpoint are taken only if `may_take`.
    pub fn drive<S: Simulator>(&mut self, sim: &mut S, may_take: bool) {
        if self.offer.is_none() && self.random.chance(self.pace.rx) {
            self.offer = self.next_beat();
            self.shown &= self.offer.is_none();
        }
        if !self.shown {
            sim.write(self.rx.valid, &[self.offer.is_some().into()]);
            // What is not valid may be anything.
            let beat = self.offer.clone().unwrap_or_else(|| Beat {
                header: [(); 4].map(|_| self.random.word() as u32),
                data: (0..self.bytes).map(|_| self.random.word() as u8).collect(),
                count: self.random.below(self.bytes + 1),
                first: self.random.chance(50),
                last: self.random.chance(50),
            });
            self.rx.write(sim, &beat);
            self.shown = true;
        }
        self.ready = may_take && self.random.chance(self.pace.tx);
        sim.write(self.tx.ready, &[self.ready.into()]);
    }

    fn next_beat(&mut self) -> Option<Beat> {
        let packet = self.queue.front()?;
        let rest = &packet.payload[self.done..];
        let count = rest.len().min(self.bytes);
        let first = self.done == 0;
        let mut data = rest[..count].to_vec();
        data.resize_with(self.bytes, || self.random.word() as u8);
        let header = if first { packet.header } else { [(); 4].map(|_| self.random.word() as u32) };
        Some(Beat { header, data, count, first, last: count == rest.len() })
    }

    /// Looks at what the cycle came to.
    ///
    /// # Errors
    /// The endpoint breaks a rule of the stream.
    pub fn sample<S: Simulator>(&mut self, sim: &mut S) -> Result<Moved, StreamError> {
        let taken = self.sample_rx(sim);
        let cycle = sim.cycles();
        let sent = self.sample_tx(sim).map_err(|what| StreamError { cycle, what })?;
        Ok(Moved { taken, sent })
    }

    fn sample_rx<S: Simulator>(&mut self, sim: &mut S) -> Option<Packet> {
        self.offer.as_ref()?;
        if word(sim, self.rx.ready) == 0 {
            self.waited += 1;
            self.longest_wait = self.longest_wait.max(self.waited);
            return None;
        }
        self.waited = 0;
        let beat = self.offer.take()?;
        self.shown = false;
        self.done += beat.count;
        if !beat.last {
            return None;
        }
        self.done = 0;
        self.queue.pop_front()
    }

    fn sample_tx<S: Simulator>(&mut self, sim: &mut S) -> Result<Option<Packet>, String> {
        let is_valid = word(sim, self.tx.valid) == 1;
        let beat = is_valid.then(|| self.tx.read(sim, self.bytes));
        if let Some(stalled) = self.stalled.take()
            && beat.as_ref() != Some(&stalled)
        {
            return Err(format!("a beat changed while it had to wait: from {stalled:x?} to {beat:x?}"));
        }
        let Some(beat) = beat else { return Ok(None) };
        if !self.ready {
            self.stalled = Some(beat);
            return Ok(None);
        }
        let Beat { header, data, count, first, last } = beat;
        let mut packet = match (first, self.receiving.take()) {
            (true, None) => Packet { header, payload: vec![] },
            (false, Some(packet)) => packet,
            (true, Some(packet)) => return Err(format!("a packet begins before the end of: {packet}")),
            (false, None) => return Err("a beat outside of any packet".to_owned()),
        };
        let is_legal = count.is_multiple_of(4) && count <= self.bytes && (last || count == self.bytes);
        if !is_legal || (!first && count == 0) {
            return Err(format!("a beat of {count} bytes, first {first}, last {last}"));
        }
        packet.payload.extend(&data[..count]);
        if last {
            return Ok(Some(packet));
        }
        self.receiving = Some(packet);
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
