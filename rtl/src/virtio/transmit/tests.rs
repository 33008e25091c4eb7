//! Frames of many queues against what memory holds.

use super::*;
use crate::{
    config::MAX_FRAME,
    testing::*,
    virtio::{
        checksum::tests::filled_in,
        queues::slot_bits,
        testing::{Buffer, Given, Store},
    },
};
use std::collections::{HashMap, VecDeque};

/// What is in memory.
fn byte(memory: &HashMap<u64, u8>, at: u64) -> u8 {
    memory.get(&at).copied().unwrap_or((at as u8).wrapping_mul(37))
}

/// A buffer, and what is to come of it.
#[derive(Clone, Debug)]
struct Sent {
    buffer: Buffer,
    /// What is to come out; otherwise an error, or nothing.
    frame: Option<Vec<u8>>,
    fault: Option<Cause>,
    used: bool,
}

/// The store, which also says where buffers are.
struct Queues {
    io: TransmitIo,
    store: Store,
}

impl Queues {
    fn new(io: TransmitIo, config: &Config) -> Queues {
        Queues { io, store: Store::new(io.pop, io.popped, config) }
    }
}

impl Agent for Queues {
    fn drive(&mut self, bench: &mut Bench) {
        self.store.drive(bench);
        let chains: Word = self.store.queues.iter().map(|queue| !queue.is_empty()).collect();
        bench.sim.poke_wide(&self.io.chains, &chains);
    }

    fn sample(&mut self, bench: &mut Bench) {
        self.store.sample(bench);
    }
}

/// The host's memory behind the read engine. Reads of addresses from [`HOLE`] on fail, those of stopped functions too.
struct Memory {
    io: TransmitIo,
    bytes: usize,
    memory: HashMap<u64, u8>,
    data: Source<ReadBeat>,
    stopped: Option<u64>,
    reads: usize,
}

const HOLE: u64 = 1 << 60;

impl Agent for Memory {
    fn drive(&mut self, bench: &mut Bench) {
        let ready = self.data.queue.len() < 400 && bench.rng.u8(..4) > 0;
        bench.sim.poke(self.io.read.ready, ready);
        self.data.drive(bench);
    }

    fn sample(&mut self, bench: &mut Bench) {
        self.data.sample(bench);
        let sim = &mut bench.sim;
        if sim.peek(self.io.read.valid) && sim.peek(self.io.read.ready) {
            let command = self.io.read.payload;
            let (address, length) = (sim.peek(command.address) as u64, sim.peek(command.length) as u64);
            let function = sim.peek(command.function) as u64;
            let outcome = match () {
                () if length == 0 => 0,
                () if self.stopped == Some(function) => 1,
                () if address >= HOLE => 2,
                () => 0,
            };
            let length = if outcome == 0 { length } else { bench.rng.u64(0..=length) };
            let data = (address..address + length).map(|at| byte(&self.memory, at)).collect();
            let beats = Frame { data, error: false }.beats(self.bytes, &mut bench.rng);
            self.data.send(beats.into_iter().map(|beat| {
                let mut word = word(outcome, 3);
                word.extend(beat[1..].iter().by_vals());
                word
            }));
            self.reads += 1;
        }
    }
}

/// Draws a buffer, and puts its bytes into memory.
fn draw(rng: &mut Rng, memory: &mut HashMap<u64, u8>, next: &mut u64, id: u64) -> Sent {
    let length = match rng.u8(..30) {
        0 => rng.usize(1..HEADER),
        1 => HEADER,
        2 => MAX_FRAME + HEADER + rng.usize(0..3),
        3 => rng.usize(MAX_FRAME + HEADER..40_000),
        _ => HEADER + rng.usize(1..300),
    };
    let mut data: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
    let body = length.saturating_sub(HEADER);
    let (insert, start) = (rng.bool(), rng.usize(..=body));
    let offset = rng.usize(..=body - start);
    let segmented = rng.u8(..10) == 0;
    let mut header = vec![u8::from(insert) | rng.u8(..) & 0xFE, u8::from(segmented)];
    // The length of the headers, and that of segments.
    header.extend(rng.u32(..).to_le_bytes());
    header.extend((start as u16).to_le_bytes());
    header.extend((offset as u16).to_le_bytes());
    header.extend(rng.u16(..).to_le_bytes());
    let kept = length.min(HEADER);
    data[..kept].copy_from_slice(&header[..kept]);
    let most = [1, 2, 4, 12][rng.usize(..4)].min(length);
    let mut cuts: Vec<usize> = (1..most).map(|_| rng.usize(1..length)).collect();
    cuts.extend([0, length]);
    cuts.sort();
    cuts.dedup();
    let mut parts: Vec<(u64, usize)> = cuts
        .windows(2)
        .map(|pair| {
            let at = *next + rng.u64(0..64);
            (pair[0]..pair[1]).zip(at..).for_each(|(from, to)| {
                memory.insert(to, data[from]);
            });
            *next = at + (pair[1] - pair[0]) as u64;
            (at, pair[1] - pair[0])
        })
        .collect();
    let fails = rng.u8(..20) == 0;
    let bad = rng.u8(..20) == 0;
    let is_long = length > MAX_FRAME + HEADER;
    if fails {
        // The first part is always read, unless it is too long for itself.
        parts[0].0 = HOLE;
    }
    let reads_first = parts[0].1 <= MAX_FRAME + HEADER && !(bad && parts.len() == 1);
    let fails = fails && reads_first;
    let frame = data.get(HEADER..).unwrap_or(&[]);
    let frame = if insert { filled_in(frame, start, offset) } else { frame.to_vec() };
    let is_short = length < HEADER;
    let is_good = !fails && !bad && !is_short && !is_long && !segmented;
    Sent {
        buffer: Buffer { parts, id, places: rng.u64(1..20), bad },
        frame: (is_good && !frame.is_empty()).then_some(frame),
        fault: match () {
            () if bad => None,
            () if fails => Some(Cause::Access),
            () if is_short => Some(Cause::Header),
            () => None,
        },
        used: !bad && !fails && !is_short,
    }
}

#[test]
fn frames_of_many_queues() {
    for (seed, config) in Config::all().iter().enumerate() {
        let (mut bench, io) = Bench::new(|| transmit(config), seed as u64);
        let slots = slot_bits(config);
        let beat_bits = Beat::ty(config.bytes).size();
        let mut memory = HashMap::new();
        let mut next = 0x1234_0000;
        let mut queues = Queues::new(io, config);
        let mut expected: Vec<Vec<Sent>> = vec![vec![]; queue_count(config)];
        for id in 0..400 {
            let function = bench.rng.usize(..config.functions());
            let queue = function << slots | (2 * bench.rng.usize(..config.pairs) + 1);
            let sent = draw(&mut bench.rng, &mut memory, &mut next, id);
            queues.store.queues[queue].push_back(sent.buffer.clone());
            expected[queue].push(sent);
        }
        let mut faults = [0; 8];
        let data = Source::new(&io.read_data, 0.9);
        let mut host = Memory { io, bytes: config.bytes, memory, data, stopped: None, reads: 0 };
        let (mut frames_out, mut used) = (Sink::new(&io.frame, 0.9), Sink::new(&io.used, 0.5));
        let mut broken = Sink::new(&io.fault, 0.5);
        bench.sim.poke(io.drain.valid, false);
        let everybody = vec![true; config.functions()].into_iter().collect();
        let mut idle = 0;
        while idle < 3000 {
            let waits = queues.store.queues.iter().any(|queue| !queue.is_empty());
            idle = if waits || !host.data.queue.is_empty() { 0 } else { idle + 1 };
            // Nobody may send at times.
            let open: Word = match bench.rng.u8(..4) {
                0 => word(0, config.functions()),
                _ => Clone::clone(&everybody),
            };
            bench.sim.poke_wide(&io.open, &open);
            bench.cycle(&mut [&mut queues, &mut host, &mut frames_out, &mut used, &mut broken]);
        }

        // A good frame that leaves a function is the next of one of its queues. Others leave with an error, or not at all.
        let beats: Vec<Word> = frames_out.got.iter().map(|word| word[..beat_bits].to_bitvec()).collect();
        let functions = frames_out.got.iter().filter(|word| word[1]);
        let functions = functions.map(|word| field(word, beat_bits, function_bits(config)) as usize);
        let good = |queue: &Vec<Sent>| queue.iter().filter_map(|sent| sent.frame.clone()).collect();
        let mut waiting: Vec<VecDeque<Vec<u8>>> = expected.iter().map(good).collect();
        let mut errors = 0;
        for (function, frame) in functions.zip(frames(&beats, config.bytes)) {
            if frame.error {
                errors += 1;
                continue;
            }
            let mut own = (0..1 << slots).map(|slot| function << slots | slot);
            let queue = own.find(|queue| waiting[*queue].front() == Some(&frame.data));
            let queue = queue.unwrap_or_else(|| panic!("function {function} does not send {frame:x?}"));
            waiting[queue].pop_front();
        }
        assert_eq!(waiting.iter().flatten().count(), 0);
        let most = expected.iter().flatten().filter(|sent| sent.frame.is_none()).count();
        assert!((20..=most).contains(&errors), "{errors} errors of {most}");

        for (queue, expected) in expected.iter().enumerate() {
            let given =
                used.got.iter().map(|word| Given::of(word, config)).filter(|given| given.queue == queue);
            let wanted = expected.iter().filter(|sent| sent.used).map(|sent| {
                let Buffer { id, places, .. } = sent.buffer;
                Given { queue, id, length: 0, places, joined: false }
            });
            assert!(given.eq(wanted), "queue {queue}");
        }
        for word in &broken.got {
            faults[field(word, 0, 3) as usize] += 1;
        }
        for (cause, count) in faults.iter().enumerate() {
            let is = |sent: &&Sent| sent.fault.is_some_and(|fault| fault as usize == cause);
            assert_eq!(expected.iter().flatten().filter(is).count(), *count, "cause {cause}");
        }
        assert!(host.reads > 500);
    }
}

fn plain(id: u64) -> Buffer {
    Buffer { parts: vec![(0x1000, HEADER + 60)], id, places: 1, bad: false }
}

/// 14.88 million frames a second at 250 MHz are one in 16.8 cycles.
#[test]
fn short_frames_at_line_rate() {
    let config = Config::x3100();
    let (mut bench, io) = Bench::new(|| transmit(&config), 1);
    let slots = slot_bits(&config);
    let mut queues = Queues::new(io, &config);
    for id in 0..320 {
        let queue = (2 + id as usize % config.vfs) << slots | 1;
        queues.store.queues[queue].push_back(plain(id));
    }
    let data = Source::new(&io.read_data, 1.0);
    let memory = (0x1000..0x1100).map(|at| (at, 0)).collect();
    let mut host = Memory { io, bytes: config.bytes, memory, data, stopped: None, reads: 0 };
    let (mut out, mut used) = (Sink::new(&io.frame, 1.0), Sink::new(&io.used, 1.0));
    bench.sim.poke(io.drain.valid, false);
    bench.sim.poke_wide(&io.open, &vec![true; config.functions()].into_iter().collect::<Word>());
    let mut cycles = 0;
    while out.got.iter().filter(|word| word[1]).count() < 320 {
        bench.cycle(&mut [&mut queues, &mut host, &mut out, &mut used]);
        cycles += 1;
        assert!(cycles < 320 * 16, "{} frames", used.got.len());
    }
}

/// A queue that is drained ends what it has begun, and begins nothing; others go on.
#[test]
fn drained_queues_begin_nothing() {
    let config = Config::small();
    let (mut bench, io) = Bench::new(|| transmit(&config), 2);
    let slots = slot_bits(&config);
    let mut queues = Queues::new(io, &config);
    for id in 0..2000 {
        let queue = (2 + id as usize % 2) << slots | 1;
        queues.store.queues[queue].push_back(plain(id));
    }
    let data = Source::new(&io.read_data, 0.3);
    let memory = (0x1000..0x1100).map(|at| (at, 0)).collect();
    let mut host = Memory { io, bytes: config.bytes, memory, data, stopped: None, reads: 0 };
    let (mut out, mut used) = (Sink::new(&io.frame, 1.0), Sink::new(&io.used, 0.5));
    let mut broken = Sink::new(&io.fault, 1.0);
    bench.sim.poke_wide(&io.open, &vec![true; config.functions()].into_iter().collect::<Word>());
    bench.sim.poke(io.drain.payload.function, 2);
    bench.sim.poke(io.drain.payload.slot, 1);
    for round in 0..10 {
        // In half of the rounds the function is stopped, too.
        host.stopped = (round % 2 == 1).then_some(2);
        let begun = |queues: &Queues| [2, 3].map(|function| queues.store.queues[function << slots | 1].len());
        bench.sim.poke(io.drain.valid, false);
        for _ in 0..300 {
            bench.cycle(&mut [&mut queues, &mut host, &mut out, &mut used, &mut broken]);
        }
        bench.sim.poke(io.drain.valid, true);
        let mut cycles = 0;
        while !bench.sim.peek(io.drain.ready) {
            bench.cycle(&mut [&mut queues, &mut host, &mut out, &mut used, &mut broken]);
            cycles += 1;
            assert!(cycles < 5000, "the queue is drained in the end");
        }
        let before = begun(&queues);
        let is_own = |word: &&Word| Given::of(word, &config).queue == 2 << slots | 1;
        let of_queue = |used: &Sink<Used>| used.got.iter().filter(is_own).count();
        let given = of_queue(&used);
        for _ in 0..300 {
            // It stays on offer here, so that what comes late is seen.
            bench.cycle(&mut [&mut queues, &mut host, &mut out, &mut used, &mut broken]);
        }
        let after = begun(&queues);
        assert_eq!((before[0], given), (after[0], of_queue(&used)), "nothing of the queue is left, or begun");
        assert!(after[1] < before[1], "the other one goes on");
        while !bench.sim.peek(io.drain.ready) {
            bench.cycle(&mut [&mut queues, &mut host, &mut out, &mut used, &mut broken]);
        }
        bench.cycle(&mut [&mut queues, &mut host, &mut out, &mut used, &mut broken]);
    }
    assert!(broken.got.is_empty(), "stopped functions break nothing");
}
