//! Commands of all functions and accesses of the host, and what they must come to.

use super::{
    Plan, Report,
    disturbance::State,
    scene::{MESSAGES, Scene},
};
use hdl::Simulator;
use rtl::config::Config;
use rtl::pcie::{PENDING_OFFSET, endpoint::READ_CLIENTS, endpoint::WRITE_CLIENTS};
use sim::{
    pcie::{
        Behaviour, BusError, Direction, Ended, Event, LinkSettings, Settings, credits::Room, host::Fault,
        iommu::Permission, packet::Status,
    },
    random::Random,
};
use std::collections::{HashMap, VecDeque};

/// A command whose end has not come.
struct Waiting {
    function: usize,
    address: u64,
    data: Vec<u8>,
    length: usize,
    /// What had happened to its function before it.
    age: u64,
    since: u64,
}

/// What is known of a function.
pub(super) struct Function {
    pub state: State,
    /// Counts how often it stopped working, and how often it works again.
    pub age: u64,
    /// When its last reset was asked for, and whether it was by vanishing.
    pub asked: u64,
    pub vanished: bool,
    /// Interrupts that were wanted since the last reset.
    pub wanted: u64,
}

/// Bytes of a function's memory: the upper half is read, the lower is written by each client in a part of its own.
const REGION: u64 = 0x2_0000;

/// Commands of a client that wait at most.
const WAITING: usize = 12;

/// Cycles that a command may take if nothing happens to its function, and a request of the host.
const PATIENCE: u64 = 100_000;

/// A run under way.
pub(super) struct Run<S> {
    pub scene: Scene<S>,
    pub functions: Vec<Function>,
    pub random: Random,
    writes: Vec<VecDeque<Waiting>>,
    reads: Vec<VecDeque<Waiting>>,
    /// What memory must hold in the end, where that is known.
    expected: HashMap<u64, Option<u8>>,
    /// What registers must hold, by function and offset.
    pub registers: HashMap<(usize, u64), u32>,
    /// How reads ended.
    read_ends: HashMap<Ended, usize>,
    /// Virtual functions vanished while a reset of one of them was under way, too.
    pub is_ambiguous: bool,
    pub report: Report,
}

/// Where a function's memory is in its own addresses: above 4 GiB for every other one.
fn region(function: usize) -> u64 {
    let high = if function.is_multiple_of(2) { 0 } else { 0x7_0000_0000 };
    high + 0x1000_0000 + 0x10_0000 * function as u64
}

/// What it is in the host's memory.
fn physical(function: usize) -> u64 {
    0x80_0000_0000 + REGION * function as u64
}

/// What a function reads in its upper half.
fn pattern(function: usize, at: u64) -> u8 {
    (Random::fork(function as u64, at / 8).word() >> (8 * (at % 8))) as u8
}

/// What a host has room for: little, much, or anything.
fn room(random: &mut Random, headers: u32, data: u32) -> Room {
    let mut draw = |least: u32, most: u32| *random.pick(&[Some(least), Some(most), None]);
    Room { headers: draw(headers, 64), data: draw(data, 1024) }
}

/// Runs a plan on an endpoint.
///
/// # Errors
/// What the endpoint does wrong.
///
/// # Panics
/// Where data, order or outcome of a command is wrong.
pub fn run<S: Simulator>(sim: S, config: &Config, plan: &Plan) -> Result<Report, BusError> {
    let mut random = Random::new(plan.seed);
    let behaviour = Behaviour {
        seed: plan.seed,
        latency: random.below(100) as u64,
        jitter: random.below(200) as u64,
        faults: plan.faults.clone(),
        lateness: 4000,
        patience: PATIENCE,
        ..Behaviour::default()
    };
    let mut link = LinkSettings { round_trip: random.below(300) as u64, ..LinkSettings::default() };
    if plan.droughts > 0 {
        link.up = [room(&mut random, 8, 32), room(&mut random, 4, 4), room(&mut random, 8, 32)];
    }
    let scene = Scene::new(sim, config, plan.setting, behaviour, link)?;
    let own = plan.setting.own_functions();
    let function = |number: usize| Function {
        state: if number < own { State::Works } else { State::Absent { cleared: Some(0) } },
        age: 0,
        asked: 0,
        vanished: false,
        wanted: 0,
    };
    let mut run = Run {
        functions: (0..scene.places.len()).map(function).collect(),
        scene,
        random,
        writes: (0..WRITE_CLIENTS).map(|_| VecDeque::new()).collect(),
        reads: (0..READ_CLIENTS).map(|_| VecDeque::new()).collect(),
        expected: HashMap::new(),
        registers: HashMap::new(),
        read_ends: HashMap::new(),
        is_ambiguous: false,
        report: Report::default(),
    };
    // A read must not be given up because it has no credits.
    let tick = if plan.droughts > 0 { 1500 } else { 500 };
    run.scene.bus.device.tick_cycles = tick;
    run.scene.bus.set(|settings: &mut Settings| settings.timeout = 15 * tick);
    for function in 0..run.functions.len() {
        let bytes: Vec<u8> = (REGION / 2..REGION).map(|at| pattern(function, at)).collect();
        run.scene.bus.host.platform.memory.write(physical(function) + REGION / 2, &bytes);
    }
    for function in 0..own {
        run.map(function);
        run.scene.open(function, message(function))?;
    }
    if plan.setting.virtual_functions(config) > 0 {
        run.enable(plan.setting.virtual_functions(config))?;
    }
    run.recover()?;
    while run.packets() < plan.packets {
        run.act(plan)?;
        for _ in 0..run.random.below(30) {
            run.step()?;
        }
    }
    run.finish()
}

/// What the message of a function's interrupt is.
pub(super) fn message(function: usize) -> u32 {
    0x100 + function as u32
}

impl<S: Simulator> Run<S> {
    fn packets(&self) -> u64 {
        let checker = &self.scene.bus.checker;
        checker.packets(Direction::Up) + checker.packets(Direction::Down)
    }

    /// Lets a function reach its memory.
    pub fn map(&mut self, function: usize) {
        let (id, base) = (self.scene.places[function].id, region(function));
        let half = base + REGION / 2;
        let iommu = &mut self.scene.bus.host.platform.iommu;
        iommu.map(id, base..half, physical(function), Permission::BOTH);
        iommu.map(id, half..base + REGION, physical(function) + REGION / 2, Permission::READ);
    }

    /// Lets a cycle pass, and looks at what ended.
    fn step(&mut self) -> Result<(), BusError> {
        self.scene.step()?;
        while let Some((time, event)) = self.scene.events.pop_front() {
            self.ended(time, event);
        }
        self.recover()
    }

    fn ended(&mut self, time: u64, event: Event) {
        match event {
            Event::Written { client, ended } => {
                let command = self.writes[client].pop_front().expect("a command for each end");
                self.judge(&command, ended, time);
                assert!(matches!(ended, Ended::Success | Ended::Stopped), "a write is {ended:?}");
                let base = command.address - region(command.function) + physical(command.function);
                for (at, byte) in (base..).zip(&command.data) {
                    self.expected.insert(at, (ended == Ended::Success).then_some(*byte));
                }
                self.report.writes += 1;
            }
            Event::Read { client, ended, data } => {
                let command = self.reads[client].pop_front().expect("a command for each end");
                self.judge(&command, ended, time);
                *self.read_ends.entry(ended).or_default() += 1;
                let Waiting { function, address, length, .. } = command;
                assert!(ended != Ended::Success || data.len() == length, "{} bytes of {length}", data.len());
                let at = address - region(function);
                let expected: Vec<u8> = (at..).map(|at| pattern(function, at)).take(data.len()).collect();
                let wrong = data.iter().zip(&expected).position(|(got, expected)| got != expected);
                assert_eq!(wrong, None, "{} bytes at {at:#x} of function {function}, {ended:?}", data.len());
                self.report.reads += 1;
            }
            Event::Reset { function } => self.cleared(function, time),
        }
    }

    fn judge(&mut self, command: &Waiting, ended: Ended, time: u64) {
        let function = &self.functions[command.function];
        let is_disturbed = function.state != State::Works || function.age > command.age;
        assert!(
            ended != Ended::Stopped || is_disturbed,
            "a command of function {} is stopped",
            command.function
        );
        self.report.failures += u64::from(ended != Ended::Success);
        if !is_disturbed {
            self.report.longest_command = self.report.longest_command.max(time - command.since);
        }
    }

    /// Does one thing, if there is room for it.
    fn act(&mut self, plan: &Plan) -> Result<(), BusError> {
        let function = self.random.below(self.functions.len());
        if self.disturb(plan, function)? {
            return Ok(());
        }
        match self.random.below(12) {
            0..4 => self.write_memory(function),
            4..8 => self.read_memory(function),
            8 => {
                // Each is awaited before the next, so that they can be counted.
                if self.functions[function].state == State::Works
                    && self.interrupts(function) == self.functions[function].wanted
                {
                    self.scene.bus.device.interrupt(function, 0);
                    self.functions[function].wanted += 1;
                }
            }
            9 => self.look(function)?,
            _ => self.register(function)?,
        }
        Ok(())
    }

    /// How long a command is.
    fn length(&mut self) -> u64 {
        let length = match self.random.below(8) {
            0 => self.random.below(5000),
            1..4 => self.random.below(300),
            _ => self.random.below(70),
        };
        length as u64
    }

    fn waiting(&self, function: usize, address: u64, data: Vec<u8>, length: u64) -> Waiting {
        let (age, since) = (self.functions[function].age, self.scene.now());
        Waiting { function, address, data, length: length as usize, age, since }
    }

    fn write_memory(&mut self, function: usize) {
        let (client, length) = (self.random.below(WRITE_CLIENTS), self.length());
        if self.writes[client].len() < WAITING {
            let part = REGION / 2 / WRITE_CLIENTS as u64;
            let within = self.random.below((part - length) as usize) as u64;
            let address = region(function) + part * client as u64 + within;
            let data: Vec<u8> = (0..length).map(|_| self.random.word() as u8).collect();
            self.scene.bus.device.write(client, function, address, data.clone());
            let command = self.waiting(function, address, data, length);
            self.writes[client].push_back(command);
        }
    }

    fn read_memory(&mut self, function: usize) {
        let (client, length) = (self.random.below(READ_CLIENTS), self.length());
        if self.reads[client].len() < WAITING {
            let within = self.random.below((REGION / 2 - length) as usize) as u64;
            let address = region(function) + REGION / 2 + within;
            self.scene.bus.device.read(client, function, address, length as usize);
            let command = self.waiting(function, address, vec![], length);
            self.reads[client].push_back(command);
        }
    }

    /// Reads what class of device a function is, if it is there.
    fn look(&mut self, function: usize) -> Result<(), BusError> {
        let id = self.scene.places[function].id;
        let is_absent = matches!(self.functions[function].state, State::Absent { .. });
        // While the physical function is being reset its virtual ones may answer until they vanish.
        let may_vanish = is_absent && matches!(self.functions[0].state, State::Resetting { .. });
        if id.bus() > 2 || may_vanish {
            return Ok(());
        }
        let word = self.scene.read_configuration(id, 0x08)?;
        let class = if function == 1 { 0x08_8000 } else { 0x02_0000 };
        assert_eq!(word, (!is_absent).then_some(class << 8 | 1), "{id}");
        match is_absent {
            true => self.report.refusals += 1,
            false => self.report.accesses += 1,
        }
        Ok(())
    }

    /// An access of the host to a register of a function, or to its MSI-X table.
    fn register(&mut self, function: usize) -> Result<(), BusError> {
        let [base, table] = self.scene.places[function].bars;
        match self.functions[function].state {
            State::Works | State::Silent { is_asleep: false, .. } => {}
            // Requests may meet any moment of it.
            State::Resetting { .. } => return Ok(()),
            State::Absent { .. } | State::Silent { is_asleep: true, .. } => {
                let address = *self.random.pick(&[base + 8, table + 16]);
                let status = self.scene.read(address, &mut [0; 4])?;
                assert_eq!(status, Status::Unsupported, "function {function} is not to answer");
                self.report.refusals += 1;
                return Ok(());
            }
        }
        self.report.accesses += 1;
        if self.random.chance(20) {
            let mut data = [0; 16];
            let status = self.scene.read(table, &mut data)?;
            assert_eq!(status, Status::Successful, "function {function} at {table:#x}");
            assert_eq!(data[..4], (MESSAGES as u32).to_le_bytes());
            let mut pending = [1; 4];
            self.scene.read(table + PENDING_OFFSET as u64 + 4, &mut pending)?;
            assert_eq!(pending, [0; 4], "there are no such vectors");
            return Ok(());
        }
        let (at, bytes) = (4 * self.random.below(200) as u64, self.random.below(64) + 1);
        if self.random.chance(50) {
            let data: Vec<u8> = (0..bytes).map(|_| self.random.word() as u8).collect();
            for (index, byte) in data.iter().enumerate() {
                let held = self.registers.entry((function, at + index as u64 / 4 * 4)).or_default();
                let low = 8 * (index % 4);
                *held = *held & !(0xFF << low) | u32::from(*byte) << low;
            }
            self.scene.write(base + at, &data)
        } else {
            let mut data = vec![0; bytes];
            let status = self.scene.read(base + at, &mut data)?;
            assert_eq!(status, Status::Successful, "function {function} at {at:#x}");
            let held = |index: u64| self.registers.get(&(function, at + index / 4 * 4)).copied().unwrap_or(0);
            let expected = (0..bytes as u64).map(|index| (held(index) >> (8 * (index % 4))) as u8);
            assert!(data.iter().copied().eq(expected), "{bytes} bytes of function {function} at {at:#x}");
            Ok(())
        }
    }

    /// Interrupts of a function that came since its last reset was over.
    fn interrupts(&self, function: usize) -> u64 {
        let all = self.scene.bus.host.platform.interrupts.iter();
        all.filter(|interrupt| interrupt.data == message(function)).count() as u64
    }

    /// Forgets what a function had to do before it worked again.
    pub fn renew(&mut self, function: usize) {
        // What was asked for until now may end either way, and its interrupts have come or never will.
        self.report.interrupts += self.interrupts(function);
        self.functions[function].age += 1;
        self.functions[function].wanted = 0;
        self.functions[function].state = State::Works;
        let interrupts = &mut self.scene.bus.host.platform.interrupts;
        interrupts.retain(|interrupt| interrupt.data != message(function));
    }

    /// Waits until everything has ended, and compares what is left.
    fn finish(mut self) -> Result<Report, BusError> {
        let mut cycles = 0;
        let waits = |run: &Run<S>| {
            let is_busy = |it: &Function| matches!(it.state, State::Resetting { .. } | State::Silent { .. });
            let waiting = run.writes.iter().chain(&run.reads).map(VecDeque::len).sum::<usize>();
            waiting > 0
                || run.scene.bus.device.queued() > 0
                || run.scene.is_dry()
                || run.functions.iter().any(is_busy)
        };
        while waits(&self) || cycles < 3000 {
            self.step()?;
            cycles += 1;
            assert!(cycles < 400_000, "something never ends");
        }
        let now = self.scene.now();
        let packets = self.packets();
        let host = &mut self.scene.bus.host;
        for (address, byte) in &self.expected {
            if let Some(byte) = byte {
                assert_eq!(host.platform.memory.bytes(*address, 1), [*byte], "{address:#x}");
            }
        }
        // A read fails only by a fault of the host, each by its own; several faults may meet one command.
        let injected = host.take_injected();
        self.report.messages = host.take_messages().len() as u64;
        for function in 0..self.functions.len() {
            let (came, wanted) = (self.interrupts(function), self.functions[function].wanted);
            if matches!(self.functions[function].state, State::Works) {
                // The manager's first vector also tells of resets.
                assert!(
                    if function == 1 { came >= wanted } else { came == wanted },
                    "{came} interrupts of {function}, not {wanted}"
                );
            }
            self.report.interrupts += came;
        }
        let made = |fault: Fault| injected.iter().filter(|injected| injected.fault == fault).count();
        for (ended, fault) in [
            (Ended::Unsupported, Fault::Unsupported),
            (Ended::Aborted, Fault::Aborted),
            (Ended::Poisoned, Fault::Poisoned),
            (Ended::TimedOut, Fault::Missing),
        ] {
            let ends = self.read_ends.get(&ended).copied().unwrap_or(0);
            let made = made(fault);
            assert!(ends <= made && (ends > 0 || made < 16), "{ends} reads are {ended:?}, by {made} faults");
        }
        let intrusions = self.scene.bus.host.platform.iommu.intrusions();
        assert!(intrusions.is_empty(), "{}", intrusions[0]);
        let breaches = self.scene.bus.checker.breaches().iter();
        let breaches: Vec<_> = breaches.filter(|breach| breach.direction == Direction::Up).collect();
        assert!(breaches.is_empty(), "{}", breaches[0]);
        let longest_answer = self.scene.longest_answer;
        assert!(self.report.longest_command < PATIENCE, "a command took {}", self.report.longest_command);
        Ok(Report { cycles: now, packets, longest_answer, ..self.report })
    }
}
