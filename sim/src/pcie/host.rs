//! The root complex: completes the requests of the adapter, and sends requests of its own.
//!
//! It works on packets; [`super::Bus`] carries them. Memory is read when a request arrives, behind every write before it.
//! Completions leave after a delay: those of a request in the order of addresses, those of different requests in any order.

use super::{
    checker::Settings,
    interface::{Origin, Platform},
    packet::{Kind, Packet, RoutingId, Status},
};
use crate::random::Random;
use std::collections::{BTreeMap, VecDeque};
use thiserror::Error;

/// The routing ID of the root complex.
pub const ROOT: RoutingId = RoutingId(0x0008);

/// Where the data of a read is cut into completions (2.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At every boundary.
    Boundary,
    /// As late as Max_Payload_Size allows.
    Payload,
    /// At boundaries that are drawn.
    Random,
}

/// What a host does to a read that would have succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Unsupported Request, maybe after some data.
    Unsupported,
    /// Completer Abort, maybe after some data.
    Aborted,
    /// A completion has data that is known to be bad.
    Poisoned,
    /// The last completion never comes, or none.
    Missing,
    /// Completions come after [`Behaviour::lateness`].
    Late,
    /// The last completion comes twice.
    Duplicate,
}

impl Fault {
    pub const ALL: [Fault; 6] =
        [Fault::Unsupported, Fault::Aborted, Fault::Poisoned, Fault::Missing, Fault::Late, Fault::Duplicate];
}

/// How the host behaves. Times are cycles of the adapter's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    pub seed: u64,
    /// From the arrival of a read to its first completion, at least.
    pub latency: u64,
    /// Up to so much more, drawn for each read.
    pub jitter: u64,
    pub cut: Cut,
    /// Completions of different requests mix; otherwise the request that is ready first is completed first.
    pub shuffled: bool,
    /// After so long a request of the host has failed.
    pub patience: u64,
    /// How many of a thousand reads have each fault.
    pub faults: Vec<(Fault, u32)>,
    /// Whose reads have them; `None` for everybody's.
    pub victim: Option<RoutingId>,
    /// How much later completions of [`Fault::Late`] are.
    pub lateness: u64,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            seed: 1,
            latency: 60,
            jitter: 40,
            cut: Cut::Random,
            shuffled: true,
            patience: 20_000,
            faults: vec![],
            victim: None,
            lateness: 0,
        }
    }
}

impl Behaviour {
    /// A host that answers reads at once.
    pub const AT_ONCE: Behaviour = Behaviour {
        seed: 1,
        latency: 0,
        jitter: 0,
        cut: Cut::Random,
        shuffled: true,
        patience: 20_000,
        faults: vec![],
        victim: None,
        lateness: 0,
    };
}

/// How a request of the host ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: Status,
    pub completer: RoutingId,
    /// Whole words.
    pub data: Vec<u8>,
    /// When the completion came.
    pub time: u64,
}

/// How it must not end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    #[error("no completion within {cycles} cycles of: {request}")]
    Missing { request: Packet, cycles: u64 },
    #[error("the request: {request}, was completed by: {completion}, header {:08x?}, not {expected:08x?}", completion.header)]
    Wrong { request: Packet, completion: Packet, expected: [u32; 4] },
    #[error("the completion of {request} is poisoned")]
    Poisoned { request: Packet },
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub origin: Origin,
    pub code: u8,
}

/// A fault that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injected {
    /// Of the read.
    pub origin: Origin,
    pub tag: u16,
    pub fault: Fault,
}

/// Completions of a read that are on their way.
#[derive(Clone, Debug)]
struct Read {
    ready: u64,
    parts: VecDeque<Packet>,
}

/// A request of the host that waits.
#[derive(Clone, Debug)]
struct Asked {
    request: Packet,
    deadline: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct RootComplex<P> {
    pub platform: P,
    pub behaviour: Behaviour,
    /// Maximum sizes, boundary and addresses of interrupts; the checker knows them as well.
    pub settings: Settings,
    random: Random,
    /// Requests with their place in the order of all.
    posted: VecDeque<(u64, Packet)>,
    non_posted: VecDeque<(u64, Packet)>,
    order: u64,
    reads: Vec<Read>,
    asked: BTreeMap<u16, Asked>,
    answers: BTreeMap<u16, Result<Answer, RequestError>>,
    next_tag: u16,
    /// The bus number that the endpoint has taken.
    captured: u8,
    messages: Vec<Message>,
    injected: Vec<Injected>,
    poisoned: Vec<Packet>,
    unclaimed: Vec<Packet>,
    /// Reads are not completed: who wants to do it has them of [`RootComplex::take_held`].
    pub holds_reads: bool,
    held: Vec<Packet>,
}

impl<P: Platform> RootComplex<P> {
    pub fn new(platform: P, settings: Settings, behaviour: Behaviour) -> RootComplex<P> {
        RootComplex {
            platform,
            settings,
            random: Random::new(behaviour.seed),
            behaviour,
            posted: VecDeque::new(),
            non_posted: VecDeque::new(),
            order: 0,
            reads: vec![],
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_tag: 0,
            captured: 0,
            messages: vec![],
            injected: vec![],
            poisoned: vec![],
            unclaimed: vec![],
            holds_reads: false,
            held: vec![],
        }
    }

    /// Sends a request of up to 64 bytes that is completed. Returns its tag, by which [`RootComplex::answer`] knows it.
    ///
    /// # Panics
    /// If 256 requests wait.
    pub fn ask(&mut self, request: Packet, now: u64) -> u16 {
        let is_free = |tag: &u16| !self.asked.contains_key(tag) && !self.answers.contains_key(tag);
        let tag = (0..256).map(|i| (self.next_tag + i) % 256).find(is_free).expect("one of 256 tags is free");
        self.next_tag = tag + 1;
        let request = request.with_tag(tag);
        self.send_raw(request.clone());
        self.asked.insert(tag, Asked { request, deadline: now + self.behaviour.patience });
        tag
    }

    /// How a request ended, once it has; its tag is free then.
    pub fn answer(&mut self, tag: u16) -> Option<Result<Answer, RequestError>> {
        self.answers.remove(&tag)
    }

    /// Sends any packet as it is. Completions of it are in [`RootComplex::take_unclaimed`].
    pub fn send_raw(&mut self, packet: Packet) {
        self.order += 1;
        let is_posted = packet.class() == super::packet::Class::Posted;
        let queue = if is_posted { &mut self.posted } else { &mut self.non_posted };
        queue.push_back((self.order, packet));
    }

    /// Messages since the last call.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// Faults since the last call.
    pub fn take_injected(&mut self) -> Vec<Injected> {
        std::mem::take(&mut self.injected)
    }

    /// Poisoned writes since the last call: they were not carried out.
    pub fn take_poisoned(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.poisoned)
    }

    /// Completions that nobody waits for, and packets that are none of the standard, since the last call.
    pub fn take_unclaimed(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.unclaimed)
    }

    /// Reads that are not completed here, since the last call.
    pub fn take_held(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.held)
    }

    /// Nothing waits to be sent or to be completed.
    pub fn is_idle(&self) -> bool {
        self.posted.is_empty() && self.non_posted.is_empty() && self.reads.is_empty() && self.asked.is_empty()
    }

    /// The next packet to be sent, if there is one for which the receiver has room. To be called in every cycle.
    pub fn send(&mut self, now: u64, mut permits: impl FnMut(&Packet) -> bool) -> Option<Packet> {
        self.expire(now);
        // Non-posted requests stay behind posted ones, posted ones pass non-posted ones (table 2-42).
        let first_posted = self.posted.front().map_or(u64::MAX, |(order, _)| *order);
        let may_ask =
            self.non_posted.front().is_some_and(|(order, packet)| *order < first_posted && permits(packet));
        let may_post = self.posted.front().is_some_and(|(_, packet)| permits(packet));
        let mut ready: Vec<usize> = (0..self.reads.len()).filter(|&i| self.reads[i].ready <= now).collect();
        ready.sort_by_key(|&i| self.reads[i].ready);
        ready.retain(|&i| permits(&self.reads[i].parts[0]));
        let sources = usize::from(may_ask) + usize::from(may_post) + usize::from(!ready.is_empty());
        if sources == 0 {
            return None;
        }
        let drawn = self.random.below(sources);
        if may_ask && drawn == 0 {
            return self.non_posted.pop_front().map(|(_, packet)| packet);
        }
        if may_post && drawn == usize::from(may_ask) {
            return self.posted.pop_front().map(|(_, packet)| packet);
        }
        let index = if self.behaviour.shuffled { *self.random.pick(&ready) } else { ready[0] };
        let part = self.reads[index].parts.pop_front();
        if self.reads[index].parts.is_empty() {
            self.reads.remove(index);
        }
        part
    }

    fn expire(&mut self, now: u64) {
        let patience = self.behaviour.patience;
        for (tag, Asked { request, .. }) in self.asked.extract_if(.., |_, asked| asked.deadline <= now) {
            self.answers.insert(tag, Err(RequestError::Missing { request, cycles: patience }));
        }
    }

    /// Takes a packet of the adapter.
    pub fn receive(&mut self, packet: Packet, now: u64) {
        let origin = Origin { requester: packet.requester(), time: now };
        match packet.kind() {
            Kind::MemoryWrite if packet.is_poisoned() => self.poisoned.push(packet),
            Kind::MemoryWrite => self.write(&packet, origin),
            Kind::MemoryRead if self.holds_reads => self.held.push(packet),
            Kind::MemoryRead => self.read(&packet, origin),
            Kind::Message { .. } => self.messages.push(Message { origin, code: packet.message_code() }),
            Kind::Completion { .. } => self.complete(packet, now),
            Kind::Prefix | Kind::Undefined => self.unclaimed.push(packet),
            _ => {
                let parts = [Packet::completion(&packet, ROOT, Status::Unsupported)].into();
                self.reads.push(Read { ready: now, parts });
            }
        }
    }

    fn write(&mut self, packet: &Packet, origin: Origin) {
        let address = packet.address();
        if self.settings.interrupts.contains(&address) && packet.length() == 1 {
            let word = packet.payload[..].try_into().expect("a word");
            return self.platform.interrupt(origin, address, u32::from_le_bytes(word));
        }
        let mut start = 0;
        while start < packet.payload.len() {
            let end = (start..packet.payload.len())
                .find(|&i| !packet.enables_byte(i))
                .unwrap_or(packet.payload.len());
            if start < end {
                self.platform.write(origin, address + start as u64, &packet.payload[start..end]);
            }
            start = end + 1;
        }
    }

    fn read(&mut self, packet: &Packet, origin: Origin) {
        // What is not asked for may be anything.
        let mut data: Vec<u8> = (0..4 * packet.length()).map(|_| self.random.word() as u8).collect();
        let first = (packet.first_lower_address() & 3) as usize;
        let is_empty = packet.length() == 1 && packet.first_enables() == 0;
        let bytes = if is_empty { 0 } else { packet.requested_bytes() };
        let asked = &mut data[first..first + bytes];
        let answer = self.platform.read(origin, packet.address() + first as u64, asked);
        let mut read = Read { ready: origin.time + self.behaviour.latency, parts: VecDeque::new() };
        read.ready += self.random.below(self.behaviour.jitter as usize + 1) as u64;
        if answer.is_err() {
            read.parts.push_back(Packet::completion(packet, ROOT, Status::Unsupported));
        } else {
            let mut start = 0;
            while start < data.len() {
                let end = self.cut(packet.address() as usize % 4096 + start, data.len() - start) + start;
                read.parts.push_back(Packet::completion_with_data(packet, ROOT, start, &data[start..end]));
                start = end;
            }
            self.spoil(&mut read, packet.tag(), origin);
        }
        if !read.parts.is_empty() {
            self.reads.push(read);
        }
    }

    /// Bytes of the next completion, of `left` from `address` on.
    fn cut(&mut self, address: usize, left: usize) -> usize {
        let Settings { boundary, payload, .. } = self.settings;
        let last = (address + payload) / boundary;
        let first = address / boundary + 1;
        let end = match self.behaviour.cut {
            Cut::Boundary => first,
            Cut::Payload => last,
            Cut::Random => first + self.random.below(last - first + 1),
        };
        left.min(if left <= payload && self.behaviour.cut == Cut::Payload {
            left
        } else {
            end * boundary - address
        })
    }

    /// Commits one of the faults, or none.
    fn spoil(&mut self, read: &mut Read, tag: u16, origin: Origin) {
        if self.behaviour.victim.is_some_and(|victim| victim != origin.requester) {
            return;
        }
        let mut drawn = self.random.below(1000) as u32;
        let mut faults = self.behaviour.faults.iter();
        let Some(&(fault, _)) = faults.find(|(_, share)| {
            let hit = drawn < *share;
            drawn = drawn.saturating_sub(*share);
            hit
        }) else {
            return;
        };
        let at = self.random.below(read.parts.len());
        let mut end_with = |status: Status| {
            read.parts.truncate(at + 1);
            let last = read.parts.pop_back().expect("there is a part");
            read.parts.push_back(last.refused(status));
        };
        match fault {
            Fault::Unsupported => end_with(Status::Unsupported),
            Fault::Aborted => end_with(Status::Aborted),
            Fault::Poisoned => read.parts[at] = read.parts[at].clone().poisoned(),
            Fault::Missing => read.parts.truncate(at),
            Fault::Late => read.ready += self.behaviour.lateness,
            Fault::Duplicate => {
                let last = read.parts.back().expect("there is a part").clone();
                read.parts.push_back(last);
            }
        }
        self.injected.push(Injected { origin, tag, fault });
    }

    fn complete(&mut self, packet: Packet, now: u64) {
        let tag = packet.tag();
        let is_ours = packet.requester() == ROOT;
        let Some(Asked { request, .. }) = self.asked.remove(&tag).filter(|_| is_ours) else {
            return self.unclaimed.push(packet);
        };
        let expected = self.expected(&request, &packet);
        let answer = if packet.header != expected.header || packet.payload.len() != expected.payload.len() {
            Err(RequestError::Wrong { request, completion: packet, expected: expected.header })
        } else if packet.is_poisoned() {
            Err(RequestError::Poisoned { request })
        } else {
            let (status, completer) = (packet.status(), packet.completer());
            if status == Status::Successful && request.kind() == (Kind::ConfigurationWrite { far: false }) {
                self.captured = completer.bus();
            }
            Ok(Answer { status, completer, data: packet.payload, time: now })
        };
        self.answers.insert(tag, answer);
    }

    /// What a completion of this status has to be. Only a configuration request says who completes it.
    fn expected(&self, request: &Packet, got: &Packet) -> Packet {
        let status = got.status();
        let (is_configuration, is_far) = match request.kind() {
            Kind::ConfigurationRead { far } | Kind::ConfigurationWrite { far } => (true, far),
            _ => (false, false),
        };
        let target = request.target();
        let is_good = status == Status::Successful;
        // The bus number is taken with the first write, which knows it already (2.2.9).
        let bus = if is_far || (request.has_data() && is_good) { target.bus() } else { self.captured };
        let completer = match is_configuration {
            false => got.completer(),
            true if is_good => RoutingId::new(bus, target.number()),
            // Of a function that is not there, function 0 says so.
            true if got.completer() == RoutingId::new(self.captured, 0) => got.completer(),
            true => RoutingId::new(bus, target.number()),
        };
        let has_data =
            matches!(request.kind(), Kind::MemoryRead | Kind::ConfigurationRead { .. } | Kind::IoRead);
        let mut expected = match is_good && has_data {
            true => Packet::completion_with_data(request, completer, 0, &vec![0; 4 * request.length()]),
            false => Packet::completion(request, completer, status),
        };
        if got.is_poisoned() && expected.has_data() {
            expected = expected.poisoned();
        }
        // Ordering by ID need not be copied (2.2.9.1).
        expected.header[0] &= got.header[0] | !(1 << 18);
        expected
    }
}

#[cfg(test)]
mod tests;
