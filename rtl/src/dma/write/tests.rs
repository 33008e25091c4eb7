//! Random commands of several clients against what arrives in the host's memory.

use super::*;
use crate::{
    dma::LENGTH_BITS,
    pcie::{configuration::function_bits, testing::Packet},
    testing::*,
};
use std::collections::VecDeque;

/// A command as a test knows it.
#[derive(Clone)]
struct Task {
    function: usize,
    address: u64,
    data: Vec<u8>,
    relaxed: bool,
    error: bool,
    /// Bytes that have arrived.
    arrived: usize,
    /// Its last packet was poisoned.
    poisoned: bool,
    /// The cycle in which it was accepted.
    since: usize,
}

const FIRST_VF: usize = 0x105;
const BUS: usize = 0x31;

/// The routing ID of a function.
fn routing_id(function: usize) -> usize {
    (BUS << 8) + if function < 2 { function } else { FIRST_VF + function - 2 }
}

/// Where the addresses of a client are: they may reach into what is 16 MiB above.
fn base(client: usize) -> u64 {
    (15 - 2 * client as u64) << 24
}

/// A packet of the test, from its beats.
#[derive(Default)]
struct Arriving {
    header: [u32; 4],
    data: Vec<u8>,
    began: usize,
}

struct Rig {
    bench: Bench,
    io: WriteEngineIo,
    config: Config,
    commands: Vec<Source<Command>>,
    data: Vec<Source<Beat>>,
    /// Commands that have been accepted and are not done, and those before them that are not accepted.
    tasks: Vec<VecDeque<Task>>,
    accepted: Vec<usize>,
    /// How likely a packet's beat is taken.
    pace: f64,
    largest: usize,
    relaxed_ordering: bool,
    /// For each function, and how long it has been so.
    blocked: Vec<bool>,
    blocked_for: Vec<usize>,
    last_blocked: Vec<usize>,
    arriving: Option<Arriving>,
    /// Functions of poisoned packets that have begun to leave.
    told: VecDeque<usize>,
    cycle: usize,
    packets: usize,
    beats: usize,
    done: Vec<Vec<Outcome>>,
}

impl Rig {
    fn new(config: &Config, clients: usize, seed: u64) -> Rig {
        let (mut bench, io) = Bench::new(|| write_engine(config, clients), seed);
        bench.sim.poke(io.identity.bus, BUS as u128);
        bench.sim.poke(io.identity.first_vf, FIRST_VF as u128);
        let functions = config.functions();
        let mut rig = Rig {
            commands: io.command.iter().map(|stream| Source::new(stream, 1.0)).collect(),
            data: io.data.iter().map(|stream| Source::new(stream, 1.0)).collect(),
            bench,
            io,
            config: config.clone(),
            tasks: vec![VecDeque::new(); clients],
            accepted: vec![0; clients],
            pace: 1.0,
            largest: 0,
            relaxed_ordering: true,
            blocked: vec![false; functions],
            blocked_for: vec![0; functions],
            last_blocked: vec![0; functions],
            arriving: None,
            told: VecDeque::new(),
            cycle: 100,
            packets: 0,
            beats: 0,
            done: vec![vec![]; clients],
        };
        rig.configure(0, true);
        rig.block(all(config), 0);
        rig
    }

    /// While idle only.
    fn configure(&mut self, largest: usize, relaxed_ordering: bool) {
        (self.largest, self.relaxed_ordering) = (largest, relaxed_ordering);
        self.bench.sim.poke(self.io.payload, largest as u128);
        self.bench.sim.poke(self.io.relaxed_ordering, relaxed_ordering);
    }

    /// Blocks as bits, by taking the function's mastership, or by stopping it.
    fn block(&mut self, masters: u128, stopped: u128) {
        self.bench.sim.poke(self.io.bus_master, masters);
        self.bench.sim.poke(self.io.stopped, stopped);
        for function in 0..self.blocked.len() {
            self.blocked[function] = masters >> function & 1 == 0 || stopped >> function & 1 == 1;
        }
    }

    fn task(&mut self, client: usize, function: usize, address: u64, length: usize) {
        let (relaxed, error) = (self.bench.rng.bool(), self.bench.rng.u8(..8) == 0);
        let data: Vec<u8> = (0..length).map(|_| self.bench.rng.u8(..)).collect();
        let mut command = word(relaxed.into(), 1);
        command.extend(word(length as u64, super::super::LENGTH_BITS));
        command.extend(word(address, 64));
        command.extend(word(function as u64, clog2(self.config.functions())));
        self.commands[client].send([command]);
        if length > 0 {
            let frame = Frame { data: data.clone(), error };
            self.data[client].send(frame.beats(self.config.bytes, &mut self.bench.rng));
        }
        self.tasks[client].push_back(Task {
            function,
            address,
            data,
            relaxed,
            error,
            arrived: 0,
            poisoned: false,
            since: 0,
        });
    }

    /// A random command. It may cross 4 GiB.
    fn random_task(&mut self, client: usize) {
        let rng = &mut self.bench.rng;
        let high = [0, 0xF, 0x10, 0xFFF_FFFF_FFF0, rng.u64(..1 << 36)][rng.usize(..5)];
        let low = match rng.u8(..3) {
            0 => rng.u64(..0x8000),
            1 => 0x1000 * rng.u64(1..8) - rng.u64(..64),
            _ => 0xFF_F000 + rng.u64(..0x1000),
        };
        let length = match rng.u8(..10) {
            0 => [rng.usize(..4000), 16383][rng.usize(..8) / 7],
            1..4 => rng.usize(..9),
            4..7 => rng.usize(..200),
            _ => rng.usize(..1200),
        };
        let address = high << 28 | base(client) | low;
        let function = rng.usize(..self.config.functions());
        self.task(client, function, address, length);
    }

    fn step(&mut self) {
        self.cycle += 1;
        for function in 0..self.blocked.len() {
            let blocked = self.blocked[function];
            self.blocked_for[function] = if blocked { self.blocked_for[function] + 1 } else { 0 };
            if blocked {
                self.last_blocked[function] = self.cycle;
            }
        }
        let ready = self.bench.rng.f64() < self.pace;
        self.bench.sim.poke(self.io.packet.ready, ready);
        let sent: Vec<usize> = self.commands.iter().map(|source| source.sent).collect();
        let streams = self.commands.iter_mut().map(|source| source as &mut dyn Agent);
        let mut agents: Vec<&mut dyn Agent> =
            streams.chain(self.data.iter_mut().map(|source| source as &mut dyn Agent)).collect();
        let mut eyes = Eyes { io: self.io.clone(), beat: None, done: vec![], quiet: 0, poisoned: None };
        agents.push(&mut eyes);
        self.bench.cycle(&mut agents);
        for (client, sent) in sent.into_iter().enumerate() {
            if self.commands[client].sent > sent {
                self.tasks[client][self.accepted[client]].since = self.cycle;
                self.accepted[client] += 1;
            }
        }
        for (client, outcome) in eyes.done {
            self.finish(client, outcome);
        }
        self.told.extend(eyes.poisoned);
        if let Some(beat) = eyes.beat {
            self.take(&beat, ready);
        }
        for (client, tasks) in self.tasks.iter().enumerate() {
            for task in tasks.iter().take(self.accepted[client]) {
                let is_quiet = eyes.quiet >> task.function & 1 == 1;
                assert!(!is_quiet || task.since + 4 > self.cycle, "quiet with a command inside");
            }
        }
    }

    fn take(&mut self, beat: &Word, moves: bool) {
        let bytes = self.config.bytes;
        let (last, first) = (beat[0], beat[1]);
        let count_bits = clog2(bytes + 1);
        let count = field(beat, 2, count_bits) as usize;
        let data_at = 2 + count_bits;
        if first && self.arriving.is_none() {
            let header = [0, 1, 2, 3].map(|i| field(beat, data_at + 8 * bytes + 32 * i, 32) as u32);
            self.arriving = Some(Arriving { header, data: vec![], began: self.cycle });
        }
        if !moves {
            return;
        }
        self.beats += 1;
        let mut packet = self.arriving.take().expect("a packet begins with its first beat");
        assert_eq!(first, packet.data.is_empty(), "first");
        assert!(count > 0 && count.is_multiple_of(4) && (last || count == bytes), "{count} bytes in a beat");
        packet.data.extend((0..count).map(|i| field(beat, data_at + 8 * i, 8) as u8));
        match last {
            true => self.packet(packet),
            false => self.arriving = Some(packet),
        }
    }

    /// A packet has arrived: checks that it is legal, and that it carries on with its command.
    fn packet(&mut self, packet: Arriving) {
        self.packets += 1;
        let [first, second, third, fourth] = packet.header;
        let is_long = first >> 24 == 0x60;
        assert!(is_long || first >> 24 == 0x40, "a memory write");
        let address = if is_long { u64::from(third) << 32 | u64::from(fourth) } else { third.into() };
        assert_eq!(is_long, address >= 1 << 32, "four words from 4 GiB on");
        assert!(is_long || fourth == 0);
        assert!(address.is_multiple_of(4));
        let size = packet.data.len();
        assert_eq!(first as usize & 0x3FF, size / 4, "length");
        assert!(size <= 128 << self.largest, "at most the largest payload");
        assert!(address % 4096 + size as u64 <= 4096, "within 4 KiB");
        let (enables, last_enables) = (second & 15, second >> 4 & 15);
        assert_eq!(second >> 8 & 0xFF, 0, "tag");
        assert_eq!(last_enables == 0, size == 4, "enables of the last word");

        // The bytes that count.
        let mut counts = vec![true; size];
        (0..4).for_each(|i| counts[i] = enables >> i & 1 == 1);
        if size > 4 {
            (0..4).for_each(|i| counts[size - 4 + i] = last_enables >> i & 1 == 1);
        }
        let from = counts.iter().position(|counts| *counts).expect("a packet writes something");
        let to = counts.iter().rposition(|counts| *counts).unwrap() + 1;
        assert!(counts[from..to].iter().all(|counts| *counts), "without holes");
        assert!(from < 4 && to + 4 > size);
        assert!(packet.data[..from].iter().all(|byte| *byte == 0), "no data of others before the first byte");

        let client = match address >> 24 & 15 {
            0 => 0,
            place => (16 - place as usize) / 2,
        };
        let task = self.tasks[client].front_mut().expect("a command");
        assert!(self.accepted[client] > 0, "an accepted command");
        assert_eq!(second as usize >> 16, routing_id(task.function), "requester");
        assert_eq!(address + from as u64, task.address + task.arrived as u64, "the next byte");
        let rest = &task.data[task.arrived..];
        assert!(to - from <= rest.len() && packet.data[from..to] == rest[..to - from], "data");
        task.arrived += to - from;
        let ends = task.arrived == task.data.len();
        assert!(ends || (address + size as u64).is_multiple_of(128 << self.largest), "cut where it must be");
        task.poisoned = first >> 14 & 1 == 1;
        assert_eq!(task.poisoned, ends && task.error, "poisoned");
        if task.poisoned {
            assert_eq!(self.told.pop_front(), Some(task.function), "it is told");
        }
        let relaxed = u32::from(task.relaxed && self.relaxed_ordering) << 13;
        assert_eq!(first & 0x00FF_BC00, relaxed, "attributes");
        let blocked_for = self.blocked_for[task.function].saturating_sub(self.cycle - packet.began);
        assert!(blocked_for <= 4, "a packet begins {blocked_for} cycles after its function was stopped");
    }

    fn finish(&mut self, client: usize, outcome: Outcome) {
        assert!(self.accepted[client] > 0, "done without a command");
        self.accepted[client] -= 1;
        let task = self.tasks[client].pop_front().unwrap();
        match outcome {
            Outcome::Success => assert_eq!(task.arrived, task.data.len(), "all has arrived"),
            Outcome::Stopped => {
                assert!(self.last_blocked[task.function] + 4 >= task.since, "the function was stopped");
                assert!(task.arrived < task.data.len(), "something has not arrived");
            }
            other => panic!("{other:?}"),
        }
        self.done[client].push(outcome);
    }

    fn idle(&self) -> bool {
        self.tasks.iter().all(VecDeque::is_empty)
    }

    fn run(&mut self) -> usize {
        let start = self.cycle;
        while !self.idle() {
            self.step();
            assert!(self.cycle < start + 100_000, "not done");
        }
        assert!(self.told.is_empty(), "no other packet was poisoned");
        self.cycle - start
    }
}

/// What is seen in a cycle.
struct Eyes {
    io: WriteEngineIo,
    beat: Option<Word>,
    done: Vec<(usize, Outcome)>,
    quiet: u128,
    poisoned: Option<usize>,
}

impl Agent for Eyes {
    fn drive(&mut self, _: &mut Bench) {}

    fn sample(&mut self, bench: &mut Bench) {
        if bench.sim.peek(self.io.packet.valid) {
            self.beat = Some(bench.sim.peek_wide(&self.io.packet.payload));
        }
        self.quiet = bench.sim.peek(self.io.quiet);
        let poisoned = &self.io.poisoned;
        self.poisoned = bench.sim.peek(poisoned.valid).then(|| bench.sim.peek(poisoned.payload) as usize);
        for (client, done) in self.io.done.iter().enumerate() {
            if bench.sim.peek(done.valid) {
                self.done.push((client, bench.sim.peek(done.payload)));
            }
        }
    }
}

fn all(config: &Config) -> u128 {
    (1 << config.functions()) - 1
}

/// Random commands at any pace, for every largest payload.
#[test]
fn bytes_arrive() {
    let [small, x3100, wide] = Config::all();
    let grid = [(&small, 1), (&small, 3), (&small, 6), (&x3100, 3), (&wide, 1), (&wide, 3)];
    for (seed, (config, clients)) in grid.into_iter().enumerate() {
        let mut rig = Rig::new(config, clients, seed as u64);
        for round in 0..6 {
            rig.configure(round % 3, round % 2 == 0);
            rig.pace = [1.0, 0.6][round / 3];
            for client in 0..clients {
                let pace = [1.0, 0.7, 0.4][rig.bench.rng.usize(..3)];
                rig.data[client].pace = pace;
                rig.commands[client].pace = [1.0, 0.3][rig.bench.rng.usize(..2)];
                for _ in 0..9 / clients + 2 {
                    rig.random_task(client);
                }
            }
            rig.run();
        }
        (0..6).for_each(|_| rig.step());
        assert_eq!(rig.bench.sim.peek(rig.io.quiet), all(config), "quiet in the end");
        assert!(rig.done.iter().flatten().all(|outcome| *outcome == Outcome::Success));
    }
}

/// Functions are stopped and lose their mastership at random.
#[test]
fn stopped_functions_send_nothing() {
    let mut outcomes = [0, 0];
    for (seed, config) in Config::all().into_iter().enumerate() {
        let mut rig = Rig::new(&config, 3, 100 + seed as u64);
        rig.pace = 0.8;
        rig.configure(1, true);
        for _ in 0..12 {
            for client in 0..3 {
                (0..6).for_each(|_| rig.random_task(client));
            }
            while !rig.idle() {
                assert!(rig.cycle < 1_000_000, "not done");
                if rig.bench.rng.u8(..64) == 0 {
                    let some = |rng: &mut Rng| rng.u128(..) & rng.u128(..) & all(&config);
                    let (slaves, stopped) = (some(&mut rig.bench.rng), some(&mut rig.bench.rng));
                    rig.block(all(&config) & !slaves, stopped);
                }
                rig.step();
            }
        }
        for outcome in rig.done.iter().flatten() {
            outcomes[usize::from(*outcome == Outcome::Stopped)] += 1;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 50), "{outcomes:?}");
}

/// A function that is stopped becomes quiet while others go on.
#[test]
fn quiet_comes_soon() {
    for config in Config::all() {
        let mut rig = Rig::new(&config, 2, 5);
        rig.configure(2, true);
        let mut worst = 0;
        for round in 0..6 {
            for _ in 0..6 {
                rig.task(0, 0, base(0) + rig.cycle as u64, 300);
            }
            for _ in 0..12 {
                rig.task(1, 1, base(1) + rig.cycle as u64, 700);
            }
            (0..20 + 17 * round).for_each(|_| rig.step());
            rig.block(all(&config), 1);
            let start = rig.cycle;
            rig.commands[0].pace = 0.0;
            while rig.cycle < start + 4 || rig.bench.sim.peek(rig.io.quiet) & 1 == 0 {
                rig.step();
                assert!(rig.cycle < start + 1000, "not quiet");
            }
            worst = worst.max(rig.cycle - start);
            let inside = rig.accepted[0];
            assert_eq!(inside, 0, "all that was inside is done");
            rig.block(all(&config), 0);
            rig.commands[0].pace = 1.0;
            rig.run();
        }
        println!("{}: quiet after {worst} cycles at most", config.name);
    }
}

/// How many cycles writes take, and that bytes anywhere take no more.
#[test]
fn rates() {
    for config in Config::all() {
        // A packet of one beat takes two cycles.
        for (length, offset, bubbles) in [(4000, 0, 0), (4000, 5, 0), (64, 0, 0), (64, 3, 0), (4, 0, 1)] {
            let mut rig = Rig::new(&config, 3, 9);
            rig.configure(1, true);
            let count = if length > 1000 { 3 } else { 30 };
            for i in 0..count {
                let address = base(i % 3) + 0x8000 * (i as u64 / 3) + offset;
                rig.task(i % 3, 2, address, length);
            }
            let cycles = rig.run();
            let (beats, packets) = (rig.beats, rig.packets);
            println!(
                "{}: {count} of {length} + {offset}: {cycles} cycles, {beats} beats, {packets} packets",
                config.name
            );
            let beats = |bytes: usize| bytes.div_ceil(config.bytes);
            let least = count * beats(length + offset as usize);
            let latency = beats(length.min(256) + offset as usize) + 10;
            assert!(cycles <= least + bubbles * count + latency, "{cycles} cycles for {least} beats");
        }
    }
}

/// Frames that are too short or too long: the packets are whole, the last one is poisoned, and the next frame is not hurt.
#[test]
fn frames_of_another_length() {
    let config = Config::small();
    for (length, frame) in [(100, 60), (100, 97), (100, 103), (100, 300), (7, 1), (9, 8), (8, 9), (257, 10)] {
        let mut rig = Rig::new(&config, 1, 3);
        rig.task(0, 1, 0x0F00_0001, length);
        rig.data[0].queue.clear();
        let short = Frame { data: (0..frame).map(|i| i as u8).collect(), error: false };
        rig.data[0].send(short.beats(8, &mut rig.bench.rng));
        rig.task(0, 1, 0x0F00_2003, 50);
        rig.bench.sim.poke(rig.io.packet.ready, true);
        let (mut packets, mut done) = (vec![], 0);
        let mut data = vec![];
        for _ in 0..300 {
            rig.commands[0].drive(&mut rig.bench);
            rig.data[0].drive(&mut rig.bench);
            rig.commands[0].sample(&mut rig.bench);
            rig.data[0].sample(&mut rig.bench);
            let mut eyes = Eyes { io: rig.io.clone(), beat: None, done: vec![], quiet: 0, poisoned: None };
            eyes.sample(&mut rig.bench);
            done += eyes.done.len();
            if let Some(beat) = eyes.beat {
                data.extend((0..field(&beat, 2, 4) as usize).map(|i| field(&beat, 6 + 8 * i, 8) as u8));
                if beat[0] {
                    packets.push((field(&beat, 6 + 64, 32) >> 14 & 1 == 1, std::mem::take(&mut data)));
                }
            }
            // The contract is broken: what the check says does not count.
            let _ = rig.bench.sim.step_domains(&[0]);
        }
        assert_eq!(done, 2);
        let (good, first) = packets.split_last().unwrap();
        let task = rig.tasks[0].pop_back().unwrap();
        assert_eq!(good.1[3..53], task.data, "the next frame");
        assert_eq!(good.0, task.error);
        let bytes: Vec<u8> = first.iter().flat_map(|(_, data)| data.clone()).collect();
        assert_eq!(bytes.len(), (1 + length).next_multiple_of(4));
        let same = length.min(frame);
        assert_eq!(bytes[1..1 + same], short.data[..same]);
        let zeros = 1 + frame.next_multiple_of(8);
        assert!(bytes.iter().take(1 + length).skip(zeros).all(|byte| *byte == 0));
        let poisoned: Vec<bool> = first.iter().map(|(poisoned, _)| *poisoned).collect();
        assert_eq!(poisoned, (1..=first.len()).map(|i| i == first.len()).collect::<Vec<bool>>());
    }
}

#[test]
fn refuses_other_numbers_of_clients() {
    for clients in [0, 17] {
        let errors = refusal(|| write_engine(&Config::small(), clients));
        assert!(errors.contains("1 to 16 clients"), "{errors}");
    }
    for config in Config::all() {
        (1..=6).for_each(|clients| drop(elaborate(|| write_engine(&config, clients)).unwrap()));
    }
}

/// The largest payload changes while commands are under way, as another function's does: every word arrives where it belongs.
#[test]
fn payloads_change_under_way() {
    let config = Config::small();
    let (mut bench, io) = Bench::new(|| write_engine(&config, 1), 5);
    bench.sim.poke(io.identity.bus, BUS as u128);
    bench.sim.poke(io.identity.first_vf, FIRST_VF as u128);
    bench.sim.poke(io.bus_master, 0b11111);
    bench.sim.poke(io.stopped, 0);
    let mut commands = Source::new(&io.command[0], 1.0);
    let (mut data, mut sink) = (Source::new(&io.data[0], 0.8), Sink::new(&io.packet, 0.8));
    let mut expected = vec![];
    for number in 0..200 {
        let (start, words) = ((number << 12) | (4 * bench.rng.u64(..512)), bench.rng.usize(1..=500));
        let payload: Vec<u32> = (0..words).map(|_| bench.rng.u32(..)).collect();
        let mut command = word(0, 1);
        command.extend(word(4 * words as u64, LENGTH_BITS));
        command.extend(word(start, 64));
        command.extend(word(1, function_bits(&config)));
        commands.send([command]);
        let bytes = payload.iter().flat_map(|word| word.to_le_bytes()).collect();
        data.send(Frame { data: bytes, error: false }.beats(config.bytes, &mut bench.rng));
        expected.extend((start..).step_by(4).zip(payload));
    }
    let mut idle = 0;
    while idle < 300 {
        idle = if data.queue.is_empty() { idle + 1 } else { 0 };
        if bench.rng.u8(..16) == 0 {
            let payload = bench.rng.u8(..3);
            bench.sim.poke(io.payload, payload.into());
        }
        bench.cycle(&mut [&mut commands, &mut data, &mut sink]);
    }
    let packets = Packet::all(&sink.got, config.bytes);
    let words = packets
        .iter()
        .flat_map(|packet| (u64::from(packet.header[2])..).step_by(4).zip(packet.payload.clone()));
    assert!(words.eq(expected));
}
