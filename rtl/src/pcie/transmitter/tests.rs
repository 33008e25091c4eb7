//! Random packets of the three classes: what leaves, in which order, and with which credits.

use super::*;
use crate::testing::*;

const CLASSES: usize = 3;
const NAMES: [&str; CLASSES] = ["posted", "completion", "request"];

/// A packet, and when it came.
struct Sent {
    words: Vec<Word>,
    /// Units of 16 bytes.
    data: u64,
    /// The cycle in which its last beat came.
    last: Option<usize>,
}

struct Rig {
    bench: Bench,
    io: TransmitterIo,
    bytes: usize,
    sources: Vec<Source<TlpBeat>>,
    packets: Vec<Vec<Sent>>,
    /// Beats of each class that have come and whose packets are known.
    come: [usize; CLASSES],
    /// How many packets of each class have come and left.
    whole: [usize; CLASSES],
    gone: [usize; CLASSES],
    /// Headers and units of payload, all in all; `None` for infinite ones.
    limits: [(Option<u64>, Option<u64>); CLASSES],
    used: [(u64, u64); CLASSES],
    pace: f64,
    arriving: Vec<Word>,
    /// The classes of packets as they left.
    order: Vec<usize>,
    cycle: usize,
    beats: usize,
    /// How many of each class must have left before `passed` may come.
    marked: Option<[usize; CLASSES]>,
}

impl Rig {
    fn new(config: &Config, seed: u64) -> Rig {
        let (mut bench, io) = Bench::new(|| transmitter(config), seed);
        bench.sim.poke(io.mark, false);
        let sources = [&io.posted, &io.completion, &io.request].map(|input| Source::new(input, 1.0)).into();
        let packets = (0..CLASSES).map(|_| vec![]).collect();
        let mut rig = Rig {
            bench,
            io,
            bytes: config.bytes,
            sources,
            packets,
            come: [0; CLASSES],
            whole: [0; CLASSES],
            gone: [0; CLASSES],
            limits: [(None, None); CLASSES],
            used: [(0, 0); CLASSES],
            pace: 1.0,
            arriving: vec![],
            order: vec![],
            cycle: 0,
            beats: 0,
            marked: None,
        };
        rig.limit();
        rig
    }

    /// Tells the credits. Those that are infinite have any limit.
    fn limit(&mut self) {
        let inputs = [self.io.posted_credits, self.io.completion_credits, self.io.request_credits];
        for (input, (headers, data)) in inputs.into_iter().zip(self.limits) {
            self.bench.sim.poke(input.infinite_headers, headers.is_none());
            self.bench.sim.poke(input.infinite_data, data.is_none());
            let headers = headers.unwrap_or_else(|| self.bench.rng.u64(..));
            let data = data.unwrap_or_else(|| self.bench.rng.u64(..));
            self.bench.sim.poke(input.headers, (headers % 256).into());
            self.bench.sim.poke(input.data, (data % 4096).into());
        }
    }

    /// Queues a packet with a payload of so many words.
    fn send(&mut self, class: usize, words: usize) {
        let rng = &mut self.bench.rng;
        let mut header = [rng.u32(..), rng.u32(..), rng.u32(..), rng.u32(..)];
        let has_payload = words > 0;
        // A read request has a length, but no payload.
        let length = if has_payload { words as u32 % 1024 } else { rng.u32(..1024) };
        header[0] = header[0] & 0xBFFF_FC00 | u32::from(has_payload) << 30 | length;
        let beats = (4 * words).div_ceil(self.bytes).max(1);
        let packet: Vec<Word> = (0..beats)
            .map(|beat| {
                let count = (4 * words - beat * self.bytes).min(self.bytes);
                let mut bits = word((beat == beats - 1).into(), 1);
                bits.push(beat == 0);
                bits.extend(word(count as u64, clog2(self.bytes + 1)));
                (0..self.bytes).for_each(|_| bits.extend(word(rng.u8(..).into(), 8)));
                header.iter().for_each(|part| bits.extend(word((*part).into(), 32)));
                bits
            })
            .collect();
        self.sources[class].send(packet.clone());
        let data = words.div_ceil(4) as u64;
        self.packets[class].push(Sent { words: packet, data, last: None });
    }

    fn random(&mut self, class: usize) {
        let rng = &mut self.bench.rng;
        let words = match class {
            0 => [0, rng.usize(1..129), rng.usize(1..20), 128, 1][rng.usize(..5)],
            1 => [0, rng.usize(1..17), 1][rng.usize(..3)],
            _ => 0,
        };
        self.send(class, words);
    }

    fn step(&mut self) {
        self.cycle += 1;
        let ready = self.bench.rng.f64() < self.pace;
        self.bench.sim.poke(self.io.tx.ready, ready);
        let sent: Vec<usize> = self.sources.iter().map(|source| source.sent).collect();
        let mut eyes = Eyes { io: self.io.clone(), beat: None, passed: false };
        let mut agents: Vec<&mut dyn Agent> =
            self.sources.iter_mut().map(|source| source as &mut dyn Agent).collect();
        agents.push(&mut eyes);
        self.bench.cycle(&mut agents);
        self.bench.sim.poke(self.io.mark, false);
        if let Some(marked) = self.marked
            && eyes.passed
        {
            assert!(
                marked.iter().zip(self.gone).all(|(marked, gone)| gone >= *marked),
                "passed before all have left"
            );
            self.marked = None;
        }
        for (class, sent) in sent.into_iter().enumerate() {
            if self.sources[class].sent > sent {
                let packet = &mut self.packets[class][self.whole[class]];
                self.come[class] += 1;
                if self.come[class] == packet.words.len() {
                    packet.last = Some(self.cycle);
                    (self.come[class], self.whole[class]) = (0, self.whole[class] + 1);
                }
            }
        }
        if let Some(beat) = eyes.beat
            && ready
        {
            self.beats += 1;
            let last = beat[0];
            self.arriving.push(beat);
            if last {
                self.leave();
            }
        }
    }

    /// A step that asks for `passed`, which still speaks of the mark before.
    fn mark(&mut self) {
        let whole = self.whole;
        self.bench.sim.poke(self.io.mark, true);
        self.step();
        self.marked = Some(whole);
    }

    /// A packet has left: it is the next of its class, has credits, and passed nothing that it may not pass.
    fn leave(&mut self) {
        let words = std::mem::take(&mut self.arriving);
        let class = (0..CLASSES)
            .find(|class| {
                let packet = self.packets[*class].get(self.gone[*class]);
                packet.is_some_and(|packet| packet.last.is_some() && same(&packet.words, &words, self.bytes))
            })
            .expect("a packet leaves as it came, and none of its class before it");
        let index = self.gone[class];
        let (headers, data) = &mut self.used[class];
        *headers += 1;
        *data += self.packets[class][index].data;
        let (most_headers, most_data) = self.limits[class];
        assert!(most_headers.is_none_or(|most| *headers <= most), "header credits of {}", NAMES[class]);
        assert!(most_data.is_none_or(|most| *data <= most), "data credits of {}", NAMES[class]);
        if class != 0 {
            let came = self.packets[class][index].last;
            let passed = self.packets[0][self.gone[0]..].first();
            let passed = passed.is_some_and(|posted| posted.last.is_some() && posted.last <= came);
            assert!(!passed, "a {} passes a posted packet", NAMES[class]);
        }
        self.gone[class] += 1;
        self.order.push(class);
    }

    /// Gives random credits to these classes.
    fn give(&mut self, classes: &[usize]) {
        for &class in classes {
            let (headers, data) = self.limits[class];
            let (used_headers, used_data) = self.used[class];
            let rng = &mut self.bench.rng;
            let more = |limit: u64, used: u64, most: u64, step: u64, rng: &mut Rng| {
                limit + rng.u64(..=step).min(used + most - limit)
            };
            let headers = headers.map(|limit| more(limit, used_headers, 127, 3, rng));
            let data = data.map(|limit| more(limit, used_data, 2047, 40, rng));
            self.limits[class] = (headers, data);
        }
        self.limit();
    }

    fn finished(&self) -> bool {
        (0..CLASSES).all(|class| self.gone[class] == self.packets[class].len())
    }
}

/// Whether beats are the same where they count.
fn same(a: &[Word], b: &[Word], bytes: usize) -> bool {
    let data_at = 2 + clog2(bytes + 1);
    a.len() == b.len()
        && a.iter().zip(b).enumerate().all(|(index, (a, b))| {
            let count = field(a, 2, clog2(bytes + 1)) as usize;
            let header = data_at + 8 * bytes;
            a[..data_at + 8 * count] == b[..data_at + 8 * count] && (index > 0 || a[header..] == b[header..])
        })
}

struct Eyes {
    io: TransmitterIo,
    beat: Option<Word>,
    passed: bool,
}

impl Agent for Eyes {
    fn drive(&mut self, _: &mut Bench) {}

    fn sample(&mut self, bench: &mut Bench) {
        if bench.sim.peek(self.io.tx.valid) {
            self.beat = Some(bench.sim.peek_wide(&self.io.tx.payload));
        }
        self.passed = bench.sim.peek(self.io.passed);
    }
}

/// Random packets and credits, finite and infinite, with marks; header credits go around several times.
#[test]
fn order_and_credits() {
    for (seed, config) in Config::all().into_iter().enumerate() {
        for round in 0..4 {
            let mut rig = Rig::new(&config, (10 * seed + round) as u64);
            rig.pace = [1.0, 0.7, 0.4, 1.0][round];
            for class in 0..CLASSES {
                let rng = &mut rig.bench.rng;
                let limit = |rng: &mut Rng| if rng.u8(..3) == 0 { None } else { Some(0) };
                rig.limits[class] = (limit(rng), limit(rng));
                rig.sources[class].pace = [1.0, 0.5, 0.2][rig.bench.rng.usize(..3)];
                // One class with enough packets for its counters to go around.
                let count = if class == round { 300 } else { 30 };
                (0..count).for_each(|_| rig.random(class));
            }
            rig.limit();
            let mut marks = 0;
            while !rig.finished() {
                // Plenty at first, then so few that packets wait for them.
                if rig.bench.rng.usize(..[1, 8, 16, 24][round]) == 0 {
                    rig.give(&[0, 1, 2]);
                }
                match rig.marked.is_none() && rig.bench.rng.u8(..16) == 0 {
                    true => {
                        marks += 1;
                        rig.mark();
                    }
                    false => rig.step(),
                }
                assert!(rig.cycle < 100_000, "{:?} have left", rig.gone);
            }
            (0..8).for_each(|_| rig.step());
            assert!(rig.marked.is_none() && marks > 2, "{marks} marks have passed");
        }
    }
}

/// A class without credits holds up nothing that may pass it; when they come, it goes on.
#[test]
fn no_class_holds_up_what_may_pass() {
    for config in Config::all() {
        for (stalled, name) in NAMES.into_iter().enumerate() {
            for without in [(Some(0), None), (None, Some(0))] {
                let mut rig = Rig::new(&config, 7);
                if stalled == 2 && without.1.is_some() {
                    continue;
                }
                // What comes before the posted packets leaves in any case.
                for class in [1, 2] {
                    (0..3).for_each(|_| rig.send(class, [0, 1][2 - class]));
                }
                rig.limits[stalled] = without;
                rig.limit();
                (0..60).for_each(|_| rig.step());
                (0..100).for_each(|_| rig.send(0, 5));
                (0..10).for_each(|_| rig.step());
                for class in [1, 2] {
                    (0..100).for_each(|_| rig.send(class, [1, 0][class - 1]));
                }
                (0..1500).for_each(|_| rig.step());
                let expected = match stalled {
                    0 => [0, 3, 3],
                    1 => [100, 0, 103],
                    _ => [100, 103, 0],
                };
                assert_eq!(rig.gone, expected, "without credits for {name}");
                rig.limits[stalled] = (None, None);
                rig.limit();
                while !rig.finished() {
                    rig.step();
                    assert!(rig.cycle < 10_000, "{:?} have left", rig.gone);
                }
            }
        }
    }
}

/// Among those that may leave the output goes round.
#[test]
fn none_starves() {
    let mut rig = Rig::new(&Config::small(), 3);
    for class in 1..CLASSES {
        (0..100).for_each(|_| rig.send(class, 0));
    }
    while !rig.finished() {
        rig.step();
    }
    let longest = rig.order[..190].chunk_by(|a, b| a == b).map(<[usize]>::len).max();
    assert_eq!(longest, Some(1), "they alternate");
}

/// A beat in each cycle.
#[test]
fn rates() {
    for config in Config::all() {
        for (class, words, count) in
            [(0, 64, 20), (0, 16, 40), (0, 1, 100), (1, 1, 100), (1, 16, 40), (2, 0, 100)]
        {
            let mut rig = Rig::new(&config, 1);
            (0..count).for_each(|_| rig.send(class, words));
            while !rig.finished() {
                rig.step();
            }
            println!(
                "{}: {count} {} of {words} words: {} cycles, {} beats",
                config.name, NAMES[class], rig.cycle, rig.beats
            );
            let first = rig.packets[class][0].words.len();
            assert!(rig.cycle <= rig.beats + first + 6, "{} cycles for {} beats", rig.cycle, rig.beats);
        }
    }
}
