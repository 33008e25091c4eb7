//! Bad packets by the million, between good ones, against [`super::answers`] and [`super::marks`].
//!
//! Packets go in batches. Of each every completion is compared, bit by bit; then what each function shows of errors, and the
//! messages. A batch of few packets must show exactly that; after a flood some errors may be lost, and nothing may be shown
//! that did not happen. Between batches software changes what answers: base addresses, enables, power states, virtual functions, the
//! bus, what is reported and how.

use super::{
    answers::{Answer, Endpoint},
    draw::Draw,
    marks::{Effect, Marks, Said, effects},
    scene::{Scene, Setting},
};
use hdl::Simulator;
use rtl::config::Config;
use sim::{
    pcie::{Behaviour, BusError, LinkSettings, Packet, RoutingId, host::ROOT, packet::Status},
    random::Random,
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};
use thiserror::Error;

/// How the endpoint differs from its model.
#[derive(Debug, Error)]
pub enum Difference {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("{0}")]
    Answer(String),
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub cycles: u64,
    pub packets: u64,
    pub batches: u64,
    /// Completions by their status.
    pub completions: BTreeMap<String, u64>,
    /// Errors by their kinds.
    pub faults: BTreeMap<String, u64>,
    pub messages: u64,
    /// Things that software changed.
    pub changes: u64,
    /// Functions whose registers were compared, and logs that were written.
    pub looks: u64,
    pub logs: u64,
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, other: Tally) {
        self.cycles += other.cycles;
        self.packets += other.packets;
        self.batches += other.batches;
        other
            .completions
            .into_iter()
            .for_each(|(key, count)| *self.completions.entry(key).or_default() += count);
        other.faults.into_iter().for_each(|(key, count)| *self.faults.entry(key).or_default() += count);
        self.messages += other.messages;
        self.changes += other.changes;
        self.looks += other.looks;
        self.logs += other.logs;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { cycles, packets, batches, completions, faults, messages, changes, looks, logs } = self;
        writeln!(f, "{packets} packets in {batches} batches and {cycles} cycles, 0 differences")?;
        writeln!(f, "completions: {completions:?}; errors: {faults:?}")?;
        write!(
            f,
            "{messages} messages, {looks} looks at functions, {logs} logs, {changes} changes by software"
        )
    }
}

/// Registers from here on abort every access.
const ABORTS_FROM: u64 = 0x3F00;

/// Packets of a batch that must be told exactly, and of a flood.
const FEW: usize = 7;
const MANY: usize = 400;

/// Cycles in which an error is reported in one function, at most; and the errors that can wait.
const REPORT: u64 = 170;
const WAITING: u64 = 20;

/// Cycles after which the endpoint has stopped.
const PATIENCE: u64 = 60_000;

/// A run under way.
pub(super) struct Fuzz<S> {
    pub scene: Scene<S>,
    pub endpoint: Endpoint,
    pub random: Random,
    pub tally: Tally,
    /// What each function shows of errors.
    pub marks: Vec<Marks>,
    /// What a virtual function shows when it appears.
    pub fresh: Option<Vec<u32>>,
    next_tag: u16,
}

/// What a batch leads to.
#[derive(Default)]
pub(super) struct Expected {
    completions: HashMap<(RoutingId, u16), Answer>,
    /// In their order: of each error what it comes to in which functions.
    effects: Vec<Vec<(usize, Effect)>>,
    said: Vec<Said>,
}

/// Sends so many packets.
///
/// # Errors
/// How the endpoint differs from its model, or breaks a rule.
pub fn fuzz<S: Simulator>(
    sim: S,
    config: &Config,
    setting: Setting,
    seed: u64,
    packets: u64,
) -> Result<Tally, Difference> {
    let behaviour = Behaviour { seed, patience: PATIENCE, ..Behaviour::AT_ONCE };
    let mut link = LinkSettings::at_once();
    // Packets may be longer than any of which the endpoint says that it has room.
    link.down.iter_mut().for_each(|room| room.data = None);
    let mut scene = Scene::new(sim, config, setting, behaviour, link)?;
    scene.bus.strict = false;
    scene.bus.host.holds_reads = true;
    scene.bus.device.aborts_from = ABORTS_FROM;
    let mut fuzz = Fuzz::new(scene, seed)?;
    while fuzz.tally.packets < packets {
        for _ in 0..fuzz.random.below(3) {
            fuzz.change()?;
        }
        match fuzz.random.below(16) {
            0 => fuzz.flood()?,
            1..4 => fuzz.complete()?,
            _ => fuzz.few()?,
        }
    }
    fuzz.finish()
}

impl<S: Simulator> Fuzz<S> {
    fn new(scene: Scene<S>, seed: u64) -> Result<Fuzz<S>, Difference> {
        let functions = scene.places.len();
        let endpoint = Endpoint {
            functions: vec![],
            own: scene.setting.own_functions(),
            bus: 1,
            tags: HashMap::new(),
            aborts_from: ABORTS_FROM,
        };
        let mut fuzz = Fuzz {
            scene,
            endpoint,
            random: Random::new(seed),
            tally: Tally::default(),
            marks: vec![Marks::default(); functions],
            fresh: None,
            next_tag: 0,
        };
        fuzz.meet()?;
        Ok(fuzz)
    }

    /// Functions that are there.
    pub fn present(&self) -> std::ops::Range<usize> {
        0..self.endpoint.own + self.endpoint.number()
    }

    /// Sends what is drawn, and says what has to come of it.
    fn send(&mut self, packet: Packet, expected: &mut Expected) {
        let answer = self.endpoint.answer(&packet);
        self.expect(answer, expected);
        self.scene.bus.host.send_raw(packet);
        self.tally.packets += 1;
    }

    pub fn expect(&mut self, answer: Answer, expected: &mut Expected) {
        if let Some(fault) = answer.fault {
            *self.tally.faults.entry(format!("{:?}", fault.wrong)).or_default() += 1;
            let (effects, said) = effects(&self.endpoint, &fault);
            expected.effects.push(effects);
            expected.said.extend(said);
        }
        if let Some(completion) = &answer.completion {
            *self.tally.completions.entry(format!("{:?}", completion.status())).or_default() += 1;
            expected.completions.insert((completion.requester(), completion.tag()), answer);
        }
    }

    /// Draws packets whose order cannot matter: posted ones may overtake others.
    fn draw(&mut self, count: usize) -> Vec<Packet> {
        let may_move = count == 1 && self.random.chance(10);
        let mut packets = vec![];
        for _ in 0..count {
            self.next_tag = (self.next_tag + 1) % 1024;
            let tag = self.next_tag;
            let mut draw = Draw { endpoint: &self.endpoint, random: &mut self.random, tag, may_move };
            packets.push(draw.packet());
        }
        let is_posted = |packet: &Packet| packet.class() == sim::pcie::packet::Class::Posted;
        packets.sort_by_key(|packet| !is_posted(packet));
        packets
    }

    fn few(&mut self) -> Result<(), Difference> {
        let count = if self.random.chance(40) { 1 } else { self.random.below(FEW) + 1 };
        let mut expected = Expected::default();
        for packet in self.draw(count) {
            self.send(packet, &mut expected);
        }
        self.settle(&expected)?;
        self.compare(&expected)
    }

    fn flood(&mut self) -> Result<(), Difference> {
        let mut expected = Expected::default();
        for packet in self.draw(MANY) {
            self.send(packet, &mut expected);
        }
        self.settle(&expected)?;
        let mut at_most = self.marks.clone();
        for (function, effect) in expected.effects.iter().flatten() {
            at_most[*function].set(effect);
        }
        for said in self.scene.bus.host.take_messages() {
            self.tally.messages += 1;
            if !expected.said.contains(&(said.origin.requester, said.code)) {
                return Err(
                    self.wrong(format!("the message {said:x?} tells of nothing, but {:x?}", expected.said))
                );
            }
        }
        for function in self.present() {
            let seen = self.look(function)?;
            if !seen.is_within(&at_most[function]) {
                return Err(self.wrong(format!("{function} shows {seen:x?}, of {:x?}", at_most[function])));
            }
            self.marks[function] = seen;
            self.clear(function)?;
        }
        self.tally.batches += 1;
        Ok(())
    }

    /// Waits until all completions have come, every packet is done with, and every error is reported.
    pub fn settle(&mut self, expected: &Expected) -> Result<(), Difference> {
        let start = self.scene.now();
        let mut left: HashMap<_, _> = expected.completions.iter().collect();
        while !left.is_empty() || !self.scene.bus.host.is_idle() {
            self.scene.step()?;
            for got in self.scene.bus.host.take_unclaimed() {
                let Some(wanted) = left.remove(&(got.requester(), got.tag())) else {
                    return Err(self.wrong(format!("nobody waits for {got}, {:08x?}", got.header)));
                };
                if !is_same(&got, wanted) {
                    return Err(self.wrong(format!("{got} {:08x?},\nnot {wanted:08x?}", got)));
                }
            }
            if self.scene.now() > start + PATIENCE {
                let first = left.values().min_by_key(|answer| answer.completion.as_ref().map(Packet::tag));
                return Err(self.wrong(format!("{} answers are missing, first {first:08x?}", left.len())));
            }
        }
        // What was posted is done with before this is answered.
        let id = self.endpoint.id(0);
        let answer = self.scene.request(Packet::configuration_read(false, ROOT, 0, id, 0))?;
        if answer.status != Status::Successful {
            return Err(self.wrong("function 0 is gone".to_owned()));
        }
        let reports = expected.effects.iter().map(Vec::len).sum::<usize>() as u64;
        let most = WAITING * self.endpoint.own as u64;
        for _ in 0..50 + REPORT * reports.min(most) {
            self.scene.step()?;
        }
        match self.scene.bus.host.take_unclaimed().first() {
            Some(packet) => Err(self.wrong(format!("nobody waits for {packet}"))),
            None => Ok(()),
        }
    }

    /// What few packets have led to is exactly what is seen.
    pub fn compare(&mut self, expected: &Expected) -> Result<(), Difference> {
        let mut said: Vec<Said> =
            self.scene.bus.host.take_messages().iter().map(|it| (it.origin.requester, it.code)).collect();
        let mut wanted = expected.said.clone();
        said.sort_unstable();
        wanted.sort_unstable();
        if said != wanted {
            return Err(self.wrong(format!("messages {said:x?}, not {wanted:x?}")));
        }
        self.tally.messages += said.len() as u64;
        let mut changed: Vec<usize> =
            expected.effects.iter().flatten().map(|(function, _)| *function).collect();
        // And one that nothing should have happened to.
        changed.push(self.random.below(self.present().len()));
        changed.sort_unstable();
        changed.dedup();
        for function in changed {
            let effects: Vec<Effect> = expected
                .effects
                .iter()
                .flatten()
                .filter(|(of, _)| *of == function)
                .map(|(_, it)| *it)
                .collect();
            let seen = self.look(function)?;
            let mut wanted = self.marks[function];
            effects.iter().for_each(|effect| wanted.take(effect));
            // Which of several errors comes first is not told by the order of their packets.
            let logged = effects.iter().filter(|effect| effect.logs);
            let is_logged =
                logged.clone().any(|it| (it.marks.first_error, it.marks.log) == (seen.first_error, seen.log));
            let was = (self.marks[function].first_error, self.marks[function].log);
            let stays = effects.len() > 1
                && was == (seen.first_error, seen.log)
                && seen.uncorrectable >> was.0 & 1 == 1;
            if effects.len() > 1 && (is_logged || stays) {
                (wanted.first_error, wanted.log) = (seen.first_error, seen.log);
            }
            if seen != wanted {
                return Err(self.wrong(format!(
                    "function {function} shows {seen:x?},\nnot {wanted:x?}, of {effects:x?}"
                )));
            }
            self.tally.logs += u64::from(is_logged);
            self.marks[function] = seen;
            if self.random.chance(70) {
                self.clear(function)?;
            }
        }
        self.tally.batches += 1;
        Ok(())
    }

    /// What a function shows of errors.
    pub fn look(&mut self, function: usize) -> Result<Marks, Difference> {
        let at = self.endpoint.functions[function].offsets.clone();
        let express = at.express + 8;
        let errors = at.errors;
        let offsets = [0x04, express, errors + 4, errors + 0x10, errors + 0x18];
        let logs = [0x1C, 0x20, 0x24, 0x28].map(|by| errors + by);
        let words = self.read_words(function, &[&offsets[..], &logs[..]].concat())?;
        let [status, device_status, uncorrectable, correctable, first_error, ref log @ ..] = words[..] else {
            unreachable!("nine words were asked for")
        };
        self.tally.looks += 1;
        Ok(Marks {
            status: status & 0xF900_0000,
            // Transactions Pending is another matter.
            device_status: device_status & 0x000F_0000,
            uncorrectable,
            correctable,
            first_error: first_error & 31,
            log: log.try_into().expect("four words are left"),
        })
    }

    /// Reads words of configuration space, all at once.
    pub fn read_words(&mut self, function: usize, offsets: &[u16]) -> Result<Vec<u32>, Difference> {
        let id = self.endpoint.id(function);
        let far = id.bus() != self.endpoint.bus;
        let now = self.scene.now();
        let host = &mut self.scene.bus.host;
        let tags: Vec<u16> = offsets
            .iter()
            .map(|offset| host.ask(Packet::configuration_read(far, ROOT, 0, id, *offset), now))
            .collect();
        let mut words = vec![];
        for tag in tags {
            let answer = loop {
                if let Some(answer) = self.scene.bus.host.answer(tag) {
                    break answer.map_err(BusError::from)?;
                }
                self.scene.step()?;
            };
            let Some(word) = answer.data.first_chunk() else {
                return Err(self.wrong(format!("{id} is gone")));
            };
            words.push(u32::from_le_bytes(*word));
        }
        Ok(words)
    }

    /// Software is done with the errors of a function.
    pub fn clear(&mut self, function: usize) -> Result<(), Difference> {
        if !self.marks[function].has_bits() {
            return Ok(());
        }
        let at = self.endpoint.functions[function].offsets.clone();
        for (offset, enables) in
            [(0x04, 12), (at.express + 8, 12), (at.errors + 4, 15), (at.errors + 0x10, 15)]
        {
            self.software(function, offset, enables, u32::MAX)?;
        }
        let Marks { first_error, log, .. } = self.marks[function];
        self.marks[function] = Marks { first_error, log, ..Marks::default() };
        Ok(())
    }

    /// Software writes configuration space, of the model as well.
    pub fn software(
        &mut self,
        function: usize,
        offset: u16,
        enables: u8,
        data: u32,
    ) -> Result<(), Difference> {
        let id = self.endpoint.id(function);
        let far = id.bus() != self.endpoint.bus;
        let packet = Packet::configuration_write(far, ROOT, 0, id, offset, data).with_enables(enables, 0);
        self.software_sends(packet)
    }

    /// Software sends a configuration request that must succeed.
    pub fn software_sends(&mut self, packet: Packet) -> Result<(), Difference> {
        let answer = self.endpoint.answer(&packet);
        let got = self.scene.request(packet.clone())?;
        match answer.fault.is_none() && got.status == Status::Successful {
            true => Ok(()),
            false => Err(self.wrong(format!("{packet} is completed with {:?}", got.status))),
        }
    }

    pub fn wrong(&self, what: String) -> Difference {
        Difference::Answer(format!("cycle {}, packet {}: {what}", self.scene.now(), self.tally.packets))
    }

    /// What is left is what packets have written.
    fn finish(mut self) -> Result<Tally, Difference> {
        for (&(function, at), &word) in &self.scene.bus.device.registers {
            let held = self.endpoint.functions[function].registers.get(&at).copied().unwrap_or(0);
            if held != word {
                return Err(self.wrong(format!("register {at:#x} of {function} is {word:#x}, not {held:#x}")));
            }
        }
        for (function, model) in self.endpoint.functions.iter().enumerate() {
            for (&at, &held) in &model.registers {
                let word = self.scene.bus.device.registers.get(&(function, at)).copied().unwrap_or(0);
                if held != word {
                    return Err(
                        self.wrong(format!("register {at:#x} of {function} is {word:#x}, not {held:#x}"))
                    );
                }
            }
        }
        // Of what it sends only completions may be odd: they answer odd requests.
        let breach = self.scene.bus.checker.breaches().iter().find(|breach| {
            breach.direction == sim::pcie::Direction::Up
                && breach.packet.class() != sim::pcie::packet::Class::Completion
        });
        if let Some(breach) = breach {
            return Err(self.wrong(breach.to_string()));
        }
        if let Some(intrusion) = self.scene.bus.host.platform.iommu.intrusions().first() {
            return Err(self.wrong(intrusion.to_string()));
        }
        self.tally.cycles = self.scene.now();
        Ok(self.tally)
    }
}

/// The same completion, as far as it is known. Ordering by ID need not be copied (2.2.9.1).
fn is_same(got: &Packet, wanted: &Answer) -> bool {
    let Answer { completion: Some(completion), known, is_uncounted, .. } = wanted else { return false };
    let counts = if *is_uncounted { [0xFFF, 0x7F] } else { [0; 2] };
    let ordering = (completion.header[0] & !got.header[0]) & 1 << 18;
    let free = [ordering, counts[0], counts[1], 0];
    let is_header = (0..4).all(|word| (got.header[word] ^ completion.header[word]) & !free[word] == 0);
    let mask = known.to_le_bytes();
    let bytes = |packet: &Packet| -> Vec<u8> {
        packet.payload.iter().enumerate().map(|(at, byte)| byte & mask[at % 4]).collect()
    };
    is_header && bytes(got) == bytes(completion)
}
