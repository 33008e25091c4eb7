//! Checks the packets of both directions against the rules of the transaction layer.

mod form;
#[cfg(test)]
mod tests;

use super::{
    link::FRAMING,
    packet::{Class, Kind, Packet, RoutingId, Status},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    ops::Range,
};

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the endpoint to the host.
    Up,
    Down,
}

/// What software has set, and how the host is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Max_Payload_Size in bytes.
    pub payload: usize,
    /// Max_Read_Request_Size in bytes.
    pub request: usize,
    /// Bits of tags of the endpoint: 5, 8 or 10.
    pub tag_bits: u32,
    /// Read completion boundary of the host in bytes: 64 or 128.
    pub boundary: usize,
    pub relaxed_ordering: bool,
    /// Addresses that writes are interrupts at.
    pub interrupts: Range<u64>,
    /// Cycles after which a requester may give a tag up.
    pub timeout: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            payload: 256,
            request: 512,
            tag_bits: 8,
            boundary: 64,
            relaxed_ordering: true,
            interrupts: 0xFEE0_0000..0xFEF0_0000,
            timeout: 7_812_500,
        }
    }
}

/// A rule that a packet breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// In cycles.
    pub time: u64,
    pub direction: Direction,
    pub packet: Packet,
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breach { time, direction, packet, what } = self;
        write!(f, "cycle {time}, {direction:?}: {packet}: {what}")
    }
}

/// A request that waits for completions.
#[derive(Clone, Debug)]
struct Outstanding {
    request: Packet,
    since: u64,
    /// Bytes from the beginning of its first word that completions have brought.
    done: usize,
    /// Who completed the first part.
    completer: Option<RoutingId>,
}

/// What has been seen on a link, and what was wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    pub settings: Settings,
    /// Functions that may send memory requests.
    masters: BTreeSet<RoutingId>,
    /// Functions that must not send anything.
    silent: BTreeSet<RoutingId>,
    /// Whose base addresses these are: from the key to the end.
    windows: BTreeMap<u64, (u64, RoutingId)>,
    /// The bus number that the endpoint has taken (2.2.9).
    captured: Option<u8>,
    /// By direction of the request.
    outstanding: [HashMap<(RoutingId, u16), Outstanding>; 2],
    breaches: Vec<Breach>,
    packets: [u64; 2],
    /// Bytes on the link in the name of each function, by direction.
    bytes: BTreeMap<RoutingId, [u64; 2]>,
}

impl Checker {
    pub fn new(settings: Settings) -> Checker {
        Checker { settings, ..Checker::default() }
    }

    /// Whether a function has Bus Master Enable.
    pub fn set_master(&mut self, id: RoutingId, is_master: bool) {
        match is_master {
            true => self.masters.insert(id),
            false => self.masters.remove(&id),
        };
    }

    /// Whether a function must not send anything: it is being reset, or not there.
    pub fn set_silent(&mut self, id: RoutingId, is_silent: bool) {
        match is_silent {
            true => self.silent.insert(id),
            false => self.silent.remove(&id),
        };
    }

    /// Who completes requests to these addresses.
    pub fn set_window(&mut self, addresses: Range<u64>, id: RoutingId) {
        self.windows.insert(addresses.start, (addresses.end, id));
    }

    /// What was wrong so far.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// What was wrong since the last call.
    pub fn take_breaches(&mut self) -> Vec<Breach> {
        std::mem::take(&mut self.breaches)
    }

    /// Packets that were checked.
    pub fn packets(&self, direction: Direction) -> u64 {
        self.packets[direction as usize]
    }

    /// Bytes on the link that a function is the reason of, with their framing: of its requests, of those to it, and of their
    /// completions.
    pub fn bytes_of(&self, id: RoutingId, direction: Direction) -> u64 {
        self.bytes.get(&id).map_or(0, |bytes| bytes[direction as usize])
    }

    /// The function that is the reason of a packet.
    fn function_of(&self, direction: Direction, packet: &Packet) -> Option<RoutingId> {
        match (direction, packet.kind()) {
            (Direction::Up, _) if packet.class() == Class::Completion => Some(packet.completer()),
            (Direction::Up, _) => Some(packet.requester()),
            (Direction::Down, _) if packet.class() == Class::Completion => Some(packet.requester()),
            (Direction::Down, Kind::MemoryRead | Kind::MemoryWrite) => {
                let (_, (end, id)) = self.windows.range(..=packet.address()).next_back()?;
                (packet.address() < *end).then_some(*id)
            }
            (Direction::Down, Kind::ConfigurationRead { .. } | Kind::ConfigurationWrite { .. }) => {
                Some(packet.target())
            }
            (Direction::Down, _) => None,
        }
    }

    /// Requests of this direction that wait for a completion, since when.
    pub fn waiting(&self, direction: Direction) -> Vec<(Packet, u64)> {
        let mut all: Vec<_> = self.outstanding[direction as usize]
            .values()
            .map(|outstanding| (outstanding.request.clone(), outstanding.since))
            .collect();
        all.sort_by_key(|(request, since)| (*since, request.requester(), request.tag()));
        all
    }

    /// Looks at a packet that passes at `time`.
    pub fn check(&mut self, direction: Direction, packet: &Packet, time: u64) {
        self.packets[direction as usize] += 1;
        if let Some(id) = self.function_of(direction, packet) {
            let bytes = FRAMING + packet.header_bytes() + packet.payload.len();
            self.bytes.entry(id).or_default()[direction as usize] += bytes as u64;
        }
        for what in self.rules(direction, packet, time) {
            self.breaches.push(Breach { time, direction, packet: packet.clone(), what });
        }
    }

    /// What is wrong with a packet on its own, whatever was before it.
    pub fn form(&self, direction: Direction, packet: &Packet) -> Vec<String> {
        if matches!(packet.kind(), Kind::Prefix | Kind::Undefined) {
            return vec!["no format and type of the standard (table 2-3)".to_owned()];
        }
        let words = if packet.has_data() { packet.length() } else { 0 };
        if packet.payload.len() != 4 * words {
            return vec![format!("{} bytes of payload; the header says {}", packet.payload.len(), 4 * words)];
        }
        let mut wrong = form::check(packet, direction, &self.settings);
        if !packet.is_long() && packet.header[3] != 0 {
            wrong.push("a fourth word of a header that has three".to_owned());
        }
        wrong
    }

    fn rules(&mut self, direction: Direction, packet: &Packet, time: u64) -> Vec<String> {
        let mut wrong = self.form(direction, packet);
        let is_packet = !matches!(packet.kind(), Kind::Prefix | Kind::Undefined);
        if !is_packet || packet.payload.len() != 4 * packet.length() * usize::from(packet.has_data()) {
            return wrong;
        }
        if direction == Direction::Up {
            wrong.extend(self.sender(packet));
        }
        match packet.class() {
            Class::Posted => {}
            Class::NonPosted => wrong.extend(self.request(direction, packet, time)),
            Class::Completion => wrong.extend(self.completion(direction, packet)),
        }
        wrong
    }

    /// The endpoint may send this in the name of that function.
    fn sender(&self, packet: &Packet) -> Option<String> {
        let is_completion = packet.class() == Class::Completion;
        let sender = if is_completion { packet.completer() } else { packet.requester() };
        if self.silent.contains(&sender) {
            return Some(format!("{sender} must not send anything (6.6.2)"));
        }
        let needs_master = matches!(packet.kind(), Kind::MemoryRead | Kind::MemoryWrite);
        let is_master = self.masters.contains(&sender);
        (needs_master && !is_master).then(|| format!("{sender} is no bus master (7.5.1.1.3)"))
    }

    fn request(&mut self, direction: Direction, packet: &Packet, time: u64) -> Vec<String> {
        let mut wrong = vec![];
        let tag = packet.tag();
        if direction == Direction::Up && u32::from(tag) >> self.settings.tag_bits != 0 {
            wrong.push(format!("a tag of more than {} bits (2.2.6.2)", self.settings.tag_bits));
        }
        let key = (packet.requester(), tag);
        let new = Outstanding { request: packet.clone(), since: time, done: 0, completer: None };
        if let Some(old) = self.outstanding[direction as usize].insert(key, new)
            && time - old.since < self.settings.timeout
        {
            wrong.push(format!("the tag is in use since cycle {} (2.2.6.2)", old.since));
        }
        wrong
    }

    fn completion(&mut self, direction: Direction, packet: &Packet) -> Vec<String> {
        let requests = match direction {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        let key = (packet.requester(), packet.tag());
        let Some(mut outstanding) = self.outstanding[requests as usize].remove(&key) else {
            return vec!["completes no request that waits (2.3.2)".to_owned()];
        };
        let (mut wrong, is_final) = self.matches(direction, packet, &outstanding);
        if direction == Direction::Up && packet.status() == Status::Successful {
            let request = &outstanding.request;
            if request.kind() == (Kind::ConfigurationWrite { far: false }) {
                self.captured = Some(request.target().bus());
            }
        }
        if !is_final {
            if outstanding.completer.is_some_and(|completer| completer != packet.completer()) {
                wrong.push("another completer than before".to_owned());
            }
            outstanding.completer = Some(packet.completer());
            outstanding.done += packet.payload.len();
            self.outstanding[requests as usize].insert(key, outstanding);
        }
        wrong
    }

    /// What a completion has to be, given its request; and whether it is the last one.
    fn matches(
        &self,
        direction: Direction,
        packet: &Packet,
        outstanding: &Outstanding,
    ) -> (Vec<String>, bool) {
        let mut wrong = vec![];
        let mut same = |name: &str, got: usize, expected: usize| {
            if got != expected {
                wrong.push(format!("{name} {got:#x}, not {expected:#x} (2.2.9)"));
            }
        };
        let request = &outstanding.request;
        let is_read = matches!(request.kind(), Kind::MemoryRead | Kind::LockedRead);
        let lower = request.first_lower_address() as usize;
        // Bytes that earlier completions have brought, of those that count.
        let brought = outstanding.done.saturating_sub(if is_read { lower & 3 } else { 0 });
        let left = request.requested_bytes() - brought;
        let lower = if outstanding.done == 0 { lower } else { ((lower & 0x7C) + outstanding.done) & 0x7F };
        same("traffic class", packet.traffic_class().into(), request.traffic_class().into());
        // Ordering by ID need not be copied.
        same("attributes", (packet.attributes() & 3).into(), (request.attributes() & 3).into());
        same("byte count", packet.byte_count(), left);
        same("lower address", packet.lower_address().into(), lower);
        if direction == Direction::Up
            && let Some(completer) = self.completer(request, packet.status())
        {
            same("completer", packet.completer().0.into(), completer.0.into());
        }
        let Kind::Completion { has_data, locked } = packet.kind() else { unreachable!("it is a completion") };
        let status = packet.status();
        if locked != (request.kind() == Kind::LockedRead) {
            wrong.push("a completion of a locked read, or none (2.2.9)".to_owned());
        }
        if status == Status::Retry
            && !matches!(request.kind(), Kind::ConfigurationRead { .. } | Kind::ConfigurationWrite { .. })
        {
            wrong.push("a retry of what is no configuration request (2.3.1)".to_owned());
        }
        if status != Status::Successful {
            return (wrong, true);
        }
        let wants_data = !matches!(
            request.kind(),
            Kind::ConfigurationWrite { .. } | Kind::IoWrite | Kind::DeferrableWrite
        );
        if has_data != wants_data {
            wrong.push(if wants_data { "no data" } else { "data of a write" }.to_owned() + " (2.2.9)");
            return (wrong, true);
        }
        if !has_data {
            return (wrong, true);
        }
        let needed = (left + (lower & 3)).div_ceil(4);
        let words = packet.length();
        if words > needed {
            wrong.push(format!("{words} words, where {needed} are left (2.3.1.1)"));
        }
        if words >= needed {
            return (wrong, true);
        }
        if !is_read {
            wrong.push("a part of what must not be split (2.3.1.1)".to_owned());
            return (wrong, true);
        }
        let boundary = if direction == Direction::Up { 128 } else { self.settings.boundary };
        let end = request.address() as usize % 4096 + outstanding.done + packet.payload.len();
        if !end.is_multiple_of(boundary) {
            wrong.push(format!("split at {end:#x}, where no boundary of {boundary} bytes is (2.3.1.1)"));
        }
        (wrong, false)
    }

    /// Who has to complete a request of the host, if that is known.
    fn completer(&self, request: &Packet, status: Status) -> Option<RoutingId> {
        let is_good = status == Status::Successful;
        match request.kind() {
            // Of a function that is not there, function 0 says so.
            Kind::ConfigurationRead { far } | Kind::ConfigurationWrite { far } => {
                let is_write = request.has_data();
                let target = request.target();
                let bus =
                    if far || (is_write && is_good) { target.bus() } else { self.captured.unwrap_or(0) };
                is_good.then(|| RoutingId::new(bus, target.number()))
            }
            Kind::MemoryRead if is_good => {
                let (_, &(end, id)) = self.windows.range(..=request.address()).next_back()?;
                (request.address() < end).then_some(id)
            }
            _ => None,
        }
    }
}
