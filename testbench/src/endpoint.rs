//! Everything at once at the endpoint: reads, writes and interrupts of all functions, accesses of the host, resets of functions,
//! and packets that make no sense; against a scoreboard of memory, the checker of packets, and the IOMMU.

use hdl::Simulator;
use rtl::pcie::{endpoint::READ_CLIENTS, endpoint::WRITE_CLIENTS, space, space::Kind, space::Personality};
use rtl::{config::Config, pcie::PENDING_OFFSET};
use sim::{
    pcie::{
        Adapter, Behaviour, Bus, BusError, Clients, Configuration, Direction, Ended, Event, LinkSettings,
        Machine, Packet, RoutingId, Settings, Straps, attach, host::Fault, interface::Bridge,
        iommu::Permission,
    },
    random::Random,
};
use std::collections::{HashMap, VecDeque};

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// It ends when so many packets have gone by, in both directions together.
    pub packets: u64,
    /// How many of a thousand reads have each fault.
    pub faults: Vec<(Fault, u32)>,
    /// How many of a thousand steps reset a function.
    pub resets: usize,
    /// And how many send a packet that makes no sense.
    pub nonsense: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub cycles: u64,
    pub packets: u64,
    pub reads: u64,
    pub writes: u64,
    /// Commands that ended otherwise than well.
    pub failures: u64,
    pub interrupts: u64,
    pub resets: u64,
    /// Cycles from the request for a reset to the clearing of the function's own state, at most.
    pub longest_reset: u64,
    pub accesses: u64,
    pub nonsense: u64,
}

/// A command whose end has not come.
struct Waiting {
    function: usize,
    address: u64,
    data: Vec<u8>,
    length: usize,
    /// Resets of its function before it.
    age: u64,
}

/// Where a function is on the link, and what it may reach.
struct Function {
    id: RoutingId,
    /// Its base addresses.
    bars: [u64; 2],
    /// Resets that it has had.
    age: u64,
    /// A reset is under way; when its own state was cleared.
    resetting: Option<Option<u64>>,
    /// When it was asked for.
    asked: u64,
    /// Interrupts that were wanted since the last reset.
    wanted: u64,
}

/// Bytes of a function's memory: the upper half is read, the lower is written by each client in a part of its own.
const REGION: u64 = 0x2_0000;

/// Commands of a client that wait at most.
const WAITING: usize = 12;

/// Cycles from the clearing of a function's state to the end of its reset, at most.
const CLEARED: u64 = 40;

const MESSAGES: u64 = 0xFEE0_0000;

struct Run<S> {
    bus: Bus<S, Machine, Clients>,
    functions: Vec<Function>,
    random: Random,
    writes: Vec<VecDeque<Waiting>>,
    reads: Vec<VecDeque<Waiting>>,
    /// What memory must hold in the end, where that is known.
    expected: HashMap<u64, Option<u8>>,
    registers: HashMap<(usize, u64), u32>,
    /// How reads ended.
    read_ends: HashMap<Ended, usize>,
    report: Report,
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

/// Runs a plan on an endpoint.
///
/// # Errors
/// What the endpoint does wrong.
///
/// # Panics
/// Where data, order or outcome of a command is wrong.
pub fn run<S: Simulator>(sim: S, config: &Config, plan: &Plan) -> Result<Report, BusError> {
    let mut random = Random::new(plan.seed);
    let clients = Clients::new(sim.interface(), plan.seed);
    let straps = Straps { personality: Personality::SrIov, serial: 1 };
    let behaviour = Behaviour {
        seed: plan.seed,
        latency: random.below(100) as u64,
        jitter: random.below(200) as u64,
        faults: plan.faults.clone(),
        lateness: 4000,
        ..Behaviour::default()
    };
    let link = LinkSettings { round_trip: random.below(300) as u64, ..LinkSettings::default() };
    let mut bus = attach(sim, clients, Machine::new(), straps, behaviour, link)?;
    bus.device.tick_cycles = 500;
    *bus.bridge() = Bridge { subordinate: 2, ..Bridge::default() };
    bus.set(|settings: &mut Settings| settings.timeout = 15 * 500);
    let functions = configure(&mut bus, config)?;
    let mut run = Run {
        bus,
        functions,
        random,
        writes: (0..WRITE_CLIENTS).map(|_| VecDeque::new()).collect(),
        reads: (0..READ_CLIENTS).map(|_| VecDeque::new()).collect(),
        expected: HashMap::new(),
        registers: HashMap::new(),
        read_ends: HashMap::new(),
        report: Report::default(),
    };
    for function in 0..run.functions.len() {
        let bytes: Vec<u8> = (REGION / 2..REGION).map(|at| pattern(function, at)).collect();
        let platform = &mut run.bus.host.platform;
        platform.memory.write(physical(function) + REGION / 2, &bytes);
        let (id, base) = (run.functions[function].id, region(function));
        let half = base + REGION / 2;
        platform.iommu.map(id, base..half, physical(function), Permission::BOTH);
        platform.iommu.map(id, half..base + REGION, physical(function) + REGION / 2, Permission::READ);
        platform.iommu.attach(id);
        run.prepare(function)?;
    }
    while run.packets() < plan.packets {
        run.act(plan)?;
        for _ in 0..run.random.below(30) {
            run.step()?;
        }
    }
    run.finish()
}

/// Offsets of registers of the physical function.
fn offset(config: &Config, path: &str) -> u16 {
    space::field(&space::space(config, Kind::Physical), path).expect("a physical function has it").0 as u16
}

/// Base addresses, sizes and all virtual functions, as an operating system sets them.
fn configure<S: Simulator>(
    bus: &mut Bus<S, Machine, Clients>,
    config: &Config,
) -> Result<Vec<Function>, BusError> {
    let mut functions = vec![];
    let write = |bus: &mut Bus<S, Machine, Clients>, id: RoutingId, path: &str, data: u32| {
        let done = bus.write_configuration(id, offset(config, path), 15, data)?;
        assert!(done, "{id} has no {path}");
        Ok::<_, BusError>(())
    };
    let first = RoutingId::new(1, 0);
    for number in 0..2 {
        let id = RoutingId::new(1, number);
        let bars = [0x20_0000_0000, 0x20_0010_0000].map(|base| base + 0x100_0000 * u64::from(number));
        // Payloads of 256 bytes, reads of 512, tags of 8 bits.
        write(bus, id, "express.device_control.payload", 1 << 5 | 1 << 8 | 2 << 12 | 1 << 4)?;
        functions.push(Function { id, bars, age: 0, resetting: None, asked: 0, wanted: 0 });
    }
    let bars = [0x30_0000_0000u64, 0x30_1000_0000];
    for (bar, names) in bars.into_iter().zip([["bar0", "bar1"], ["bar2", "bar3"]]) {
        write(bus, first, &format!("virtualization.{}.address", names[0]), bar as u32)?;
        write(bus, first, &format!("virtualization.{}.address", names[1]), (bar >> 32) as u32)?;
    }
    write(bus, first, "virtualization.number.number", config.vfs as u32)?;
    write(bus, first, "virtualization.control.enable", 1 | 1 << 3)?;
    // Without ARI virtual functions are on the next bus if not all of them have a place on this one.
    let place = if config.vfs <= 6 { 0x102 } else { 0x200 };
    for vf in 0..config.vfs as u64 {
        let id = RoutingId(place + vf as u16);
        let bars = [bars[0] + 0x4000 * vf, bars[1] + 0x2000 * vf];
        functions.push(Function { id, bars, age: 0, resetting: None, asked: 0, wanted: 0 });
    }
    for function in &functions {
        let [registers, msix] = function.bars;
        bus.checker.set_window(registers..registers + 0x4000, function.id);
        bus.checker.set_window(msix..msix + 0x2000, function.id);
    }
    Ok(functions)
}

impl<S: Simulator> Run<S> {
    fn packets(&self) -> u64 {
        self.bus.checker.packets(Direction::Up) + self.bus.checker.packets(Direction::Down)
    }

    /// Has a function send: it becomes a bus master, and its interrupts are messages.
    fn prepare(&mut self, function: usize) -> Result<(), BusError> {
        let Function { id, bars, .. } = self.functions[function];
        let [_, table] = bars;
        let config = Config::small();
        if function < 2 {
            for (bar, names) in bars.into_iter().zip([["bar0", "bar1"], ["bar2", "bar3"]]) {
                for (half, name) in names.into_iter().enumerate() {
                    let place = offset(&config, &format!("header.{name}.address"));
                    self.bus.write_configuration(id, place, 15, (bar >> (32 * half)) as u32)?;
                }
            }
        }
        self.bus.write_configuration(
            id,
            offset(&config, "header.command_status.bus_master"),
            3,
            1 << 1 | 1 << 2,
        )?;
        // Written word by word, as drivers do; the last opens the entry.
        for (at, word) in [MESSAGES as u32, 0, 0x100 + function as u32, 0].into_iter().enumerate() {
            self.bus.write(table + 4 * at as u64, &word.to_le_bytes())?;
        }
        self.bus.write_configuration(id, offset(&config, "msix.head.enable"), 15, 1 << 31)?;
        Ok(())
    }

    /// Lets a cycle pass, and looks at what ended.
    fn step(&mut self) -> Result<(), BusError> {
        self.bus.step()?;
        while let Some(event) = self.bus.device.events.pop_front() {
            self.ended(event);
        }
        let now = self.bus.now();
        for function in 0..self.functions.len() {
            if let Some(Some(cleared)) = self.functions[function].resetting
                && now > cleared + CLEARED
            {
                self.functions[function].resetting = Some(None);
                self.prepare(function)?;
                // What was asked for until now may end either way, and its interrupts have come or never will.
                self.functions[function].age += 1;
                self.functions[function].wanted = 0;
                let data = 0x100 + function as u32;
                self.bus.host.platform.interrupts.retain(|interrupt| interrupt.data != data);
                self.functions[function].resetting = None;
            }
        }
        Ok(())
    }

    fn ended(&mut self, event: Event) {
        match event {
            Event::Written { client, ended } => {
                let command = self.writes[client].pop_front().expect("a command for each end");
                self.judge(&command, ended);
                assert!(matches!(ended, Ended::Success | Ended::Stopped), "a write is {ended:?}");
                let base = command.address - region(command.function) + physical(command.function);
                for (at, byte) in (base..).zip(&command.data) {
                    self.expected.insert(at, (ended == Ended::Success).then_some(*byte));
                }
                self.report.writes += 1;
            }
            Event::Read { client, ended, data } => {
                let command = self.reads[client].pop_front().expect("a command for each end");
                self.judge(&command, ended);
                *self.read_ends.entry(ended).or_default() += 1;
                assert!(
                    ended != Ended::Success || data.len() == command.length,
                    "{} bytes of {}",
                    data.len(),
                    command.length
                );
                let at = command.address - region(command.function);
                let expected = (at..).map(|at| pattern(command.function, at));
                let expected: Vec<u8> = expected.take(data.len()).collect();
                let wrong = data.iter().zip(&expected).position(|(got, expected)| got != expected);
                assert_eq!(
                    wrong,
                    None,
                    "{} bytes at {at:#x} of function {}, {ended:?}",
                    data.len(),
                    command.function
                );
                self.report.reads += 1;
            }
            Event::Reset { function } => {
                let now = self.bus.now();
                let of = &mut self.functions[function];
                assert_eq!(of.resetting, Some(None), "nobody has reset function {function}");
                of.resetting = Some(Some(now));
                self.report.longest_reset = self.report.longest_reset.max(now - of.asked);
                let id = of.id;
                // From here on it requests nothing; what left before is on its way still.
                self.bus.checker.set_master(id, false);
                self.registers.retain(|(owner, _), _| *owner != function);
                self.bus.device.registers.retain(|(owner, _), _| *owner != function);
                self.report.resets += 1;
            }
        }
    }

    fn judge(&mut self, command: &Waiting, ended: Ended) {
        let function = &self.functions[command.function];
        let is_disturbed = function.resetting.is_some() || function.age > command.age;
        assert!(
            ended != Ended::Stopped || is_disturbed,
            "a command of function {} is stopped",
            command.function
        );
        self.report.failures += u64::from(ended != Ended::Success);
    }

    /// Does one thing, if there is room for it.
    fn act(&mut self, plan: &Plan) -> Result<(), BusError> {
        let function = self.random.below(self.functions.len());
        let base = region(function);
        let length = match self.random.below(8) {
            0 => self.random.below(5000),
            1..4 => self.random.below(300),
            _ => self.random.below(70),
        } as u64;
        let age = self.functions[function].age;
        let choice = self.random.below(1000);
        if choice < plan.resets {
            return self.reset(function);
        }
        if choice < plan.resets + plan.nonsense {
            self.nonsense();
            return Ok(());
        }
        match self.random.below(12) {
            0..4 => {
                let client = self.random.below(WRITE_CLIENTS);
                if self.writes[client].len() < WAITING {
                    let part = REGION / 2 / WRITE_CLIENTS as u64;
                    let address =
                        base + part * client as u64 + self.random.below((part - length) as usize) as u64;
                    let data: Vec<u8> = (0..length).map(|_| self.random.word() as u8).collect();
                    self.bus.device.write(client, function, address, data.clone());
                    self.writes[client].push_back(Waiting {
                        function,
                        address,
                        data,
                        length: length as usize,
                        age,
                    });
                }
            }
            4..8 => {
                let client = self.random.below(READ_CLIENTS);
                if self.reads[client].len() < WAITING {
                    let address =
                        base + REGION / 2 + self.random.below((REGION / 2 - length) as usize) as u64;
                    let length = length as usize;
                    self.bus.device.read(client, function, address, length);
                    self.reads[client].push_back(Waiting { function, address, data: vec![], length, age });
                }
            }
            8 => {
                // Each is awaited before the next, so that they can be counted.
                if self.functions[function].resetting.is_none()
                    && self.interrupts(function) == self.functions[function].wanted
                {
                    self.bus.device.interrupt(function, 0);
                    self.functions[function].wanted += 1;
                }
            }
            9 => {
                let Function { id, .. } = self.functions[function];
                let word = self.bus.read_configuration(id, 0x08)?;
                let class = if function == 1 { 0x08_8000 } else { 0x02_0000 };
                assert_eq!(word, Some(class << 8 | 1), "{id}");
                self.report.accesses += 1;
            }
            _ => self.register(function)?,
        }
        Ok(())
    }

    /// An access of the host to a register of a function, or to its MSI-X table.
    fn register(&mut self, function: usize) -> Result<(), BusError> {
        if self.functions[function].resetting.is_some() {
            return Ok(());
        }
        self.report.accesses += 1;
        let [base, table] = self.functions[function].bars;
        if self.random.chance(20) {
            let mut data = [0; 16];
            assert!(
                self.bus.read(table, &mut data)?,
                "function {function} at {table:#x}, {:?}",
                self.functions[function].resetting
            );
            assert_eq!(data[..4], (MESSAGES as u32).to_le_bytes());
            let mut pending = [1; 4];
            assert!(self.bus.read(table + PENDING_OFFSET as u64 + 4, &mut pending)?);
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
            self.bus.write(base + at, &data)
        } else {
            let mut data = vec![0; bytes];
            assert!(self.bus.read(base + at, &mut data)?);
            let held = |index: u64| self.registers.get(&(function, at + index / 4 * 4)).copied().unwrap_or(0);
            let expected = (0..bytes as u64).map(|index| (held(index) >> (8 * (index % 4))) as u8);
            assert!(data.iter().copied().eq(expected), "{bytes} bytes of function {function} at {at:#x}");
            Ok(())
        }
    }

    /// Interrupts of a function that came since its last reset was asked for.
    fn interrupts(&self, function: usize) -> u64 {
        let data = 0x100 + function as u32;
        let all = self.bus.host.platform.interrupts.iter().filter(|interrupt| interrupt.data == data);
        all.count() as u64
    }

    fn reset(&mut self, function: usize) -> Result<(), BusError> {
        // That of the physical function would end the others.
        if function == 0 || self.functions[function].resetting.is_some() {
            return Ok(());
        }
        self.functions[function].resetting = Some(None);
        self.functions[function].age += 1;
        self.functions[function].asked = self.bus.now();
        let id = self.functions[function].id;
        let control = offset(&Config::small(), "express.device_control.function_reset");
        let kept = 1 << 5 | 1 << 8 | 2 << 12 | 1 << 4;
        assert!(self.bus.write_configuration(id, control, 3, 1 << 15 | kept)?);
        Ok(())
    }

    /// A packet that no function is meant by, or that is malformed.
    fn nonsense(&mut self) {
        let mut word = || self.random.word();
        let mut packet =
            Packet::memory_write(RoutingId(0x0008), 0, 0x7777_0000_0000 + (word() & 0xFFFF_FFFC), &[1; 8]);
        match word() % 5 {
            0 => {}
            // A type that is not defined, or something else that is sent to functions.
            1 => packet.header[0] = 0x9F << 24 | packet.header[0] & 0xFF_FFFF,
            2 => packet.header[0] |= 0x3F,
            3 => packet = packet.poisoned(),
            // A completion that nobody waits for.
            _ => {
                packet.header =
                    [0x4A << 24 | 2, word() as u32 & 0xFFFF_0000 | 8, word() as u32 & 0xFFFF_FF00, 0]
            }
        }
        self.bus.host.send_raw(packet);
        self.report.nonsense += 1;
    }

    /// Waits until everything has ended, and compares what is left.
    fn finish(mut self) -> Result<Report, BusError> {
        let mut cycles = 0;
        let waits = |run: &Run<S>| {
            let waiting = run.writes.iter().chain(&run.reads).map(VecDeque::len).sum::<usize>();
            waiting > 0
                || run.bus.device.queued() > 0
                || run.functions.iter().any(|it| it.resetting.is_some())
        };
        while waits(&self) || cycles < 3000 {
            self.step()?;
            cycles += 1;
            assert!(cycles < 400_000, "something never ends");
        }
        for (address, byte) in &self.expected {
            if let Some(byte) = byte {
                assert_eq!(self.bus.host.platform.memory.bytes(*address, 1), [*byte], "{address:#x}");
            }
        }
        for function in 0..self.functions.len() {
            // The manager's first vector also tells of resets.
            let (came, wanted) = (self.interrupts(function), self.functions[function].wanted);
            assert!(
                if function == 1 { came >= wanted } else { came == wanted },
                "{came} interrupts of {function}, not {wanted}"
            );
            self.report.interrupts += came;
        }
        // A read fails only by a fault of the host, each by its own; several faults may meet one command.
        let injected = self.bus.host.take_injected();
        let made = |fault: Fault| injected.iter().filter(|injected| injected.fault == fault).count();
        for (ended, fault) in [
            (Ended::Unsupported, Fault::Unsupported),
            (Ended::Aborted, Fault::Aborted),
            (Ended::Poisoned, Fault::Poisoned),
            (Ended::TimedOut, Fault::Missing),
        ] {
            let ends = self.read_ends.get(&ended).copied().unwrap_or(0);
            let made = made(fault);
            assert!(ends <= made && (ends > 0 || made < 8), "{ends} reads are {ended:?}, by {made} faults");
        }
        let intrusions = self.bus.host.platform.iommu.intrusions();
        assert!(intrusions.is_empty(), "{}", intrusions[0]);
        let breaches: Vec<_> =
            self.bus.checker.breaches().iter().filter(|breach| breach.direction == Direction::Up).collect();
        assert!(breaches.is_empty(), "{}", breaches[0]);
        Ok(Report { cycles: self.bus.now(), packets: self.packets(), ..self.report })
    }
}
