//! Rounds: frames are sent until there were enough, then everything has to arrive.

use super::{
    campaign::{Campaign, Failure, on_bus},
    disturb::Upset,
    draw::Guest,
    frames::{Draft, GROUPS, Range, VLANS, group, remote, station},
    ledger::{Copy, Fate, Name, Sent},
};
use hdl::Simulator;
use sim::{
    ethernet::{FrameView, MacAddress},
    veb::{
        bridge::{Reason, decide},
        statistics::Kind,
    },
    virtio::{
        features::Features,
        net::{Command, Packet, Which},
    },
};
use std::collections::BTreeMap;

/// What a round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Nothing is missing.
    Quiet,
    /// Functions are reset, stopped, broken.
    Disturbed,
    /// Nobody waits for room.
    Storm,
}

/// Cycles in which something happens if anything is going on.
const PATIENCE: u64 = 60_000;

/// Cycles in which a frame that is lost in a storm would have arrived.
const QUIET: u64 = 8_000;

/// Cycles after which nothing is left inside.
const SETTLED: u64 = 2_500;

/// Cycles between two frames that their receivers do not get: as many as the longest takes.
const REFUSAL: u64 = 1_500;

/// Reasons of the bridge for losing what should have passed.
const LOSSES: [Reason; 2] = [Reason::BufferFull, Reason::QueueFull];

/// What the adapter has counted.
#[derive(Clone, Debug, Default)]
struct Counts {
    bridge: u64,
    /// By functions.
    dropped: BTreeMap<usize, u64>,
}

impl<S: Simulator> Campaign<S> {
    /// Plays a round of so many frames.
    pub fn round(&mut self, frames: u64) -> Result<(), Failure> {
        let mood = match self.random.below(10) {
            0..3 => Mood::Quiet,
            3..8 => Mood::Disturbed,
            _ => Mood::Storm,
        };
        self.play(frames, mood)
    }

    pub fn play(&mut self, frames: u64, mood: Mood) -> Result<(), Failure> {
        self.happened(match mood {
            Mood::Quiet => "quiet rounds",
            Mood::Disturbed => "rounds with disturbances",
            Mood::Storm => "storms",
        });
        self.ask()?;
        let before = self.counts()?;
        let times = match mood {
            Mood::Quiet => 0,
            Mood::Disturbed => 1 + self.random.below(frames as usize / 200),
            Mood::Storm => 3 + self.random.below(frames as usize / 100),
        };
        let first = self.report.frames;
        let mut upsets: Vec<u64> =
            (0..times).map(|_| first + self.random.below(frames as usize) as u64).collect();
        self.last = self.now();
        while self.report.frames < first + frames {
            if self.now().is_multiple_of(16) {
                self.offer(mood);
            }
            for _ in upsets.extract_if(.., |at| *at <= self.report.frames).collect::<Vec<_>>() {
                match mood {
                    Mood::Storm => self.storm(),
                    _ => self.disturb()?,
                }
            }
            self.recover()?;
            self.cycle()?;
            self.watch()?;
        }
        self.settle(mood)?;
        self.account(mood, &before)?;
        self.report.excused += self.ledger.missing(Fate::Excused).len() as u64;
        self.ledger.clear();
        self.excused.clear();
        self.refused.clear();
        self.report.rounds += 1;
        Ok(())
    }

    /// Drivers ask for what they want to receive.
    fn ask(&mut self) -> Result<(), Failure> {
        let functions: Vec<usize> = self.guests.keys().copied().collect();
        for function in functions {
            if !self.random.chance(30) {
                continue;
            }
            let port = self.scene.port(function);
            let mut guest = self.guests[&function].clone();
            let on = self.random.chance(50);
            let vid = *self.random.pick(&VLANS);
            let may = &self.policy.ports[port];
            let (command, is_done) = match self.random.below(4) {
                0 if guest.has(Features::CTRL_RX) => {
                    let is_done = !on || may.may_unicast;
                    guest.promiscuous = if is_done { on } else { guest.promiscuous };
                    (Command::Promiscuous(on), is_done)
                }
                1 if guest.has(Features::CTRL_RX) => {
                    let is_done = !on || may.may_multicast;
                    guest.all_multicast = if is_done { on } else { guest.all_multicast };
                    (Command::AllMulticast(on), is_done)
                }
                2 if guest.has(Features::CTRL_RX) => {
                    guest.groups = (0..GROUPS).filter(|_| self.random.chance(40)).collect();
                    let groups = guest.groups.iter().map(|number| group(*number).bytes()).collect();
                    (Command::Addresses(vec![], groups), true)
                }
                3 if guest.has(Features::CTRL_VLAN) && on => {
                    let is_done = self.policy.vlan(vid).members.contains(port);
                    if is_done {
                        guest.vlans.insert(vid);
                    }
                    (Command::AddVlan(vid), is_done)
                }
                3 if guest.has(Features::CTRL_VLAN) => {
                    guest.vlans.remove(&vid);
                    (Command::RemoveVlan(vid), true)
                }
                _ => continue,
            };
            let (net, host) = self.scene.driver(function);
            if net.command(host, &command)? != is_done {
                return Err(Failure::Command(format!("function {function}: {command:?}, not {is_done}")));
            }
            self.happened_to("commands", &(function, command));
            guest.apply(&mut self.policy, port);
            self.guests.insert(function, guest);
        }
        // Lists of groups take effect one group after the other.
        self.pass(2500)
    }

    /// Whoever may sends a frame.
    fn offer(&mut self, mood: Mood) {
        for _ in 0..4 {
            let sources = self.config.wires + self.guests.len();
            let index = self.random.below(sources);
            match index.checked_sub(self.config.wires) {
                None => self.offer_at_wire(index, mood),
                Some(index) => {
                    let function = *self.guests.keys().nth(index).expect("there are so many");
                    self.offer_at_function(function, mood);
                }
            }
        }
    }

    fn offer_at_wire(&mut self, wire: usize, mood: Mood) {
        let waiting = self.scene.nic.bus.device.0[wire].to_adapter.len();
        if waiting >= 6 {
            return;
        }
        let (name, draft) = self.draft(wire, 0, false);
        let is_bad = mood != Mood::Storm && self.random.chance(2);
        if let Some(sent) = self.sent(name, &draft, is_bad, mood) {
            self.scene.nic.bus.device.0[wire].to_adapter.push_back((draft.frame, is_bad));
            self.gave(name, sent);
        }
    }

    fn offer_at_function(&mut self, function: usize, mood: Mood) {
        let pairs = self.guests[&function].options.pairs;
        let pair = self.random.below(pairs.into());
        let offload = self.guests[&function].has(Features::CSUM);
        if !self.scene.drivers.contains_key(&function) {
            return;
        }
        let (name, draft) = self.draft(self.scene.port(function), pair, offload);
        let Some(sent) = self.sent(name, &draft, false, mood) else { return };
        let net = self.scene.drivers.get_mut(&function).expect("it has a driver");
        let packet = Packet { frame: draft.frame, checksum: draft.checksum, tag: name.tag() };
        if net.send(&mut self.scene.nic.bus.host.platform, pair, &packet) {
            self.gave(name, sent);
        }
    }

    fn draft(&mut self, port: usize, pair: usize, offload: bool) -> (Name, Draft) {
        let number = self.numbers.get(&(port, pair)).copied().unwrap_or(0);
        let name = Name { port, pair, number };
        let destination = match self.random.below(20) {
            0 => MacAddress::BROADCAST,
            1 | 2 => group(self.random.below(GROUPS)),
            3 => MacAddress::new([6, 9, 9, 9, 9, 9]),
            4..8 => remote(self.random.below(self.config.wires)),
            _ => {
                let index = self.random.below(self.guests.len());
                station(*self.guests.keys().nth(index).expect("there are so many"))
            }
        };
        let range = Range { longest: self.longest, offload, tags: true };
        (name, Draft::draw(&mut self.random, name, destination, range))
    }

    fn gave(&mut self, name: Name, (sent, refused): (Sent, Vec<usize>)) {
        *self.numbers.entry((name.port, name.pair)).or_default() += 1;
        self.report.frames += 1;
        if !refused.is_empty() {
            self.last_refused = self.now();
        }
        for function in refused {
            *self.refused.entry(function).or_default() += 1;
        }
        self.ledger.give(name, sent);
    }

    /// Where a frame has to arrive, and functions that must not get it as it exceeds their MTU; `None` if there may be no room
    /// for it now.
    fn sent(&self, name: Name, draft: &Draft, is_bad: bool, mood: Mood) -> Option<(Sent, Vec<usize>)> {
        let decision = decide(&self.policy, name.port, &draft.leaves, is_bad, None);
        let ports: Vec<usize> = decision.ports().iter().collect();
        let functions: BTreeMap<usize, usize> =
            self.guests.keys().map(|function| (self.scene.port(*function), *function)).collect();
        let cells = draft.leaves.len().div_ceil(self.config.cell_bytes());
        let mut sent = Sent { copies: BTreeMap::new(), cells };
        let mut refused = vec![];
        for port in &ports {
            let guest = functions.get(port).map(|function| (*function, &self.guests[function]));
            if guest.is_none() && *port >= self.config.wires {
                continue;
            }
            let bytes = decision.at(*port).expect("it leaves there").bytes.clone();
            if let Some((function, guest)) = guest
                && !guest.admits(&bytes)
            {
                refused.push(function);
                continue;
            }
            let is_tagged = FrameView(&bytes).tags().next().is_some();
            let copy = Copy {
                buffers: guest.map_or(0, |(_, guest)| guest.buffers(bytes.len())),
                fate: if self.excused.contains(port) { Fate::Excused } else { Fate::Due },
                valid: draft.valid.filter(|_| !is_tagged),
                bytes,
            };
            sent.copies.insert(*port, copy);
        }
        if mood == Mood::Storm {
            // A frame that is lost is lost once.
            return (sent.copies.len() == 1 && ports.len() == 1).then_some((sent, refused));
        }
        // Nobody tells when one is gone that its receiver does not get.
        if !refused.is_empty() && self.now() < self.last_refused + REFUSAL {
            return None;
        }
        let room = self.config.cells * 3 / 8;
        let has_room = self.ledger.cells + cells * sent.copies.len() <= room;
        let has_buffers = sent.copies.iter().all(|(port, copy)| {
            let is_free = copy.fate == Fate::Excused || *port < self.config.wires;
            is_free || self.has_buffers(functions[port], *port, copy.buffers)
        });
        (has_room && has_buffers).then_some((sent, refused))
    }

    /// The driver's rings have room for all that is on its way, whichever it takes.
    fn has_buffers(&self, function: usize, port: usize, buffers: usize) -> bool {
        let Some(net) = self.scene.drivers.get(&function) else { return false };
        let due = self.ledger.buffers.get(&port).copied().unwrap_or(0);
        net.receive_queues().all(|queue| 2 * (due + buffers) <= queue.ring.outstanding())
    }

    /// Something has to happen.
    fn watch(&mut self) -> Result<(), Failure> {
        if self.now().saturating_sub(self.last.max(self.busy_until())) < PATIENCE {
            return Ok(());
        }
        let counts = self.counts()?;
        let unsent: Vec<_> =
            self.scene.drivers.iter().map(|(function, net)| (*function, net.unsent())).collect();
        let missing = self.ledger.missing(Fate::Due);
        let some: String = missing.iter().take(8).map(|it| self.ledger.describe(*it)).collect();
        // Drivers look without being told to: were they not told?
        for net in self.scene.drivers.values_mut() {
            net.queues().into_iter().for_each(|which| net.queue(which).is_due = true);
        }
        self.pass(2 * self.scene.period)?;
        let (count, found) = (missing.len(), missing.len() - self.ledger.due);
        Err(Failure::Missing(format!(
            "{count} copies are missing, {found} of them wait for an interrupt; {counts:?}; not sent: {unsent:?}{some}"
        )))
    }

    /// Waits until everything has arrived that must, and nothing else is on its way.
    fn settle(&mut self, mood: Mood) -> Result<(), Failure> {
        self.last = self.now();
        loop {
            self.recover()?;
            self.cycle()?;
            let is_over = self.down.is_empty() && self.upsets.is_empty();
            let is_sent = self.scene.drivers.values().all(|net| net.unsent() == 0)
                && self.scene.nic.bus.device.0.iter().all(|wire| wire.to_adapter.is_empty());
            let is_lost = mood == Mood::Storm && self.now() > self.last.max(self.busy_until()) + QUIET;
            if is_over && is_sent && (self.ledger.due == 0 || is_lost) {
                break;
            }
            self.watch()?;
        }
        while self.now() < self.last + SETTLED {
            self.cycle()?;
        }
        self.scene.nic.bus.host.take_messages();
        self.check_intrusions()
    }

    fn counts(&mut self) -> Result<Counts, Failure> {
        let mut counts = Counts::default();
        for port in 0..self.config.ports() {
            for reason in LOSSES {
                counts.bridge += on_bus(self.scene.nic.count(port, Kind::Dropped(reason)))?;
            }
        }
        for function in self.scene.functions() {
            counts.dropped.insert(function, on_bus(self.scene.nic.dropped(function))?.into());
        }
        Ok(counts)
    }

    /// The adapter has counted exactly what is missing. Functions that lost a frame are begun anew: frames of those that have let
    /// one wait in vain do not wait any more (docs/src/virtio.md, receive).
    fn account(&mut self, mood: Mood, before: &Counts) -> Result<(), Failure> {
        let after = self.counts()?;
        let missing = self.ledger.missing(Fate::Due).len() as u64;
        let mut counted = after.bridge - before.bridge;
        let mut weary = vec![];
        for (function, dropped) in &after.dropped {
            let dropped = dropped - before.dropped[function];
            let refused = self.refused.get(function).copied().unwrap_or(0);
            let is_excused = mood == Mood::Storm || self.excused.contains(&self.scene.port(*function));
            let is_exact = if mood == Mood::Quiet { dropped == refused } else { dropped <= refused };
            if !is_exact && !is_excused {
                let what = format!("function {function}, frames without a buffer");
                return Err(Failure::Count { what, counted: dropped, expected: refused });
            }
            if mood == Mood::Storm {
                counted += dropped;
            }
            if dropped > 0 && is_excused {
                weary.push(*function);
            }
        }
        if mood != Mood::Disturbed && counted != missing {
            return Err(Failure::Count { what: format!("{mood:?}"), counted, expected: missing });
        }
        if mood == Mood::Storm {
            self.report.counted += missing;
        }
        weary.into_iter().try_for_each(|function| self.restart(function))
    }

    /// Something is held up until then.
    fn busy_until(&self) -> u64 {
        self.upsets.iter().map(Upset::until).max().unwrap_or(0)
    }
}

/// A queue to be reset, and the size that it gets.
pub fn queue_and_size(guest: &Guest, which: Which) -> u16 {
    match which {
        Which::Receive(_) => guest.options.sizes[0],
        Which::Transmit(_) => guest.options.sizes[1],
        Which::Control => guest.options.sizes[2],
    }
}
