//! What stands behind the endpoint in a test: registers, and clients of its engines.

use super::{bus::Device, endpoint::find};
use crate::random::Random;
use hdl::{Interface, Simulator, interface::PortIndex};
use rtl::pcie::endpoint::{READ_CLIENTS, WRITE_CLIENTS};
use std::collections::{HashMap, VecDeque};

/// How a command ended, by the numbers of `rtl::dma::Outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    Success,
    Stopped,
    Unsupported,
    Aborted,
    Poisoned,
    TimedOut,
}

impl Ended {
    fn of(number: u64) -> Ended {
        let all = [
            Ended::Success,
            Ended::Stopped,
            Ended::Unsupported,
            Ended::Aborted,
            Ended::Poisoned,
            Ended::TimedOut,
        ];
        all[number as usize]
    }
}

/// Something that happened at the endpoint's inner ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A write of this client ended.
    Written { client: usize, ended: Ended },
    /// A read did, and brought this.
    Read { client: usize, ended: Ended, data: Vec<u8> },
    /// A function's own state was to be cleared.
    Reset { function: usize },
}

/// A command that waits.
#[derive(Clone, Copy, Debug)]
struct Command {
    function: usize,
    address: u64,
    length: usize,
}

/// The ports of a stream of commands.
struct CommandPorts {
    valid: PortIndex,
    ready: PortIndex,
    function: PortIndex,
    address: PortIndex,
    length: PortIndex,
    relaxed: PortIndex,
}

/// Those of beats of data.
struct BeatPorts {
    valid: PortIndex,
    ready: PortIndex,
    data: PortIndex,
    count: PortIndex,
    last: PortIndex,
}

struct WriteClient {
    command: CommandPorts,
    data: BeatPorts,
    error: PortIndex,
    done: [PortIndex; 2],
    commands: VecDeque<Command>,
    /// Frames with what of them has gone.
    frames: VecDeque<(Vec<u8>, usize)>,
    offers: [bool; 2],
}

struct ReadClient {
    command: CommandPorts,
    data: BeatPorts,
    outcome: PortIndex,
    commands: VecDeque<Command>,
    offers: bool,
    takes: bool,
    got: Vec<u8>,
}

/// See the module. Streams move at random.
pub struct Clients {
    bytes: usize,
    random: Random,
    /// How likely a stream moves in a cycle, in per cent.
    pub pace: usize,
    writes: Vec<WriteClient>,
    reads: Vec<ReadClient>,
    vector: [PortIndex; 4],
    vectors: VecDeque<(usize, usize)>,
    offers_vector: bool,
    register: RegisterPorts,
    answer: [PortIndex; 3],
    /// What registers hold, by function and offset.
    pub registers: HashMap<(usize, u64), u32>,
    /// Registers from this offset on abort every access.
    pub aborts_from: u64,
    /// An access that is to be answered, after so many cycles.
    access: Option<(Access, usize)>,
    takes_access: bool,
    reset: [PortIndex; 3],
    takes_reset: bool,
    tick: PortIndex,
    /// Cycles between two ticks: a read is given up after 15 to 16 of them.
    pub tick_cycles: u64,
    /// In the order in which it happened.
    pub events: VecDeque<Event>,
}

/// What an access to a register comes to.
#[derive(Clone, Copy, Default)]
struct Access {
    data: u32,
    is_aborted: bool,
}

struct RegisterPorts {
    valid: PortIndex,
    ready: PortIndex,
    function: PortIndex,
    offset: PortIndex,
    write: PortIndex,
    enables: PortIndex,
    data: PortIndex,
}

impl CommandPorts {
    fn find(interface: &Interface, name: &str) -> CommandPorts {
        let port = |suffix: &str| find(interface, &format!("{name}_{suffix}"));
        CommandPorts {
            valid: port("valid"),
            ready: port("ready"),
            function: port("payload_function"),
            address: port("payload_address"),
            length: port("payload_length"),
            relaxed: port("payload_relaxed"),
        }
    }

    fn drive<S: Simulator>(&self, sim: &mut S, command: Option<&Command>) {
        sim.write(self.valid, &[command.is_some().into()]);
        let Some(Command { function, address, length }) = command else { return };
        sim.write(self.function, &[*function as u64]);
        sim.write(self.address, &[*address]);
        sim.write(self.length, &[*length as u64]);
        sim.write(self.relaxed, &[0]);
    }
}

impl BeatPorts {
    fn find(interface: &Interface, name: &str) -> BeatPorts {
        let port = |suffix: &str| find(interface, &format!("{name}_{suffix}"));
        BeatPorts {
            valid: port("valid"),
            ready: port("ready"),
            data: port("payload_data"),
            count: port("payload_count"),
            last: port("payload_last"),
        }
    }
}

fn word<S: Simulator>(sim: &mut S, port: PortIndex) -> u64 {
    let mut limb = [0];
    sim.read(port, &mut limb);
    limb[0]
}

impl Clients {
    /// Binds the inner ports of an endpoint.
    ///
    /// # Panics
    /// If it is none.
    pub fn new(interface: &Interface, seed: u64) -> Clients {
        let port = |name: &str| find(interface, name);
        let width = interface.ports[port("tx_tlp_payload_data")].width as usize;
        let write = |client: usize| WriteClient {
            command: CommandPorts::find(interface, &format!("write_{client}")),
            data: BeatPorts::find(interface, &format!("write_data_{client}")),
            error: port(&format!("write_data_{client}_payload_error")),
            done: ["valid", "payload"].map(|suffix| port(&format!("written_{client}_{suffix}"))),
            commands: VecDeque::new(),
            frames: VecDeque::new(),
            offers: [false; 2],
        };
        let read = |client: usize| ReadClient {
            command: CommandPorts::find(interface, &format!("read_{client}")),
            data: BeatPorts::find(interface, &format!("read_data_{client}")),
            outcome: port(&format!("read_data_{client}_payload_outcome")),
            commands: VecDeque::new(),
            offers: false,
            takes: false,
            got: vec![],
        };
        Clients {
            bytes: width / 8,
            random: Random::new(seed),
            pace: 80,
            writes: (0..WRITE_CLIENTS).map(write).collect(),
            reads: (0..READ_CLIENTS).map(read).collect(),
            vector: ["valid", "ready", "payload_function", "payload_vector"]
                .map(|suffix| port(&format!("vector_{suffix}"))),
            vectors: VecDeque::new(),
            offers_vector: false,
            register: RegisterPorts {
                valid: port("register_valid"),
                ready: port("register_ready"),
                function: port("register_payload_function"),
                offset: port("register_payload_offset"),
                write: port("register_payload_write"),
                enables: port("register_payload_enables"),
                data: port("register_payload_data"),
            },
            answer: ["valid", "payload_data", "payload_aborted"]
                .map(|suffix| port(&format!("answer_{suffix}"))),
            registers: HashMap::new(),
            aborts_from: u64::MAX,
            access: None,
            takes_access: false,
            reset: ["valid", "ready", "payload"].map(|suffix| port(&format!("reset_{suffix}"))),
            takes_reset: false,
            tick: port("tick"),
            tick_cycles: 100_000,
            events: VecDeque::new(),
        }
    }

    /// Has a client write.
    pub fn write(&mut self, client: usize, function: usize, address: u64, data: Vec<u8>) {
        let client = &mut self.writes[client];
        client.commands.push_back(Command { function, address, length: data.len() });
        if !data.is_empty() {
            client.frames.push_back((data, 0));
        }
    }

    /// Has a client read.
    pub fn read(&mut self, client: usize, function: usize, address: u64, length: usize) {
        self.reads[client].commands.push_back(Command { function, address, length });
    }

    /// Wants an interrupt.
    pub fn interrupt(&mut self, function: usize, vector: usize) {
        self.vectors.push_back((function, vector));
    }

    /// Commands that have not been taken yet, and interrupts.
    pub fn queued(&self) -> usize {
        let writes = self.writes.iter().map(|client| client.commands.len() + client.frames.len());
        writes.sum::<usize>()
            + self.reads.iter().map(|client| client.commands.len()).sum::<usize>()
            + self.vectors.len()
    }
}

impl Device for Clients {
    fn drive<S: Simulator>(&mut self, sim: &mut S) {
        let (pace, random, bytes) = (self.pace, &mut self.random, self.bytes);
        for client in &mut self.writes {
            client.offers[0] |= !client.commands.is_empty() && random.chance(pace);
            client.command.drive(sim, client.commands.front().filter(|_| client.offers[0]));
            client.offers[1] |= !client.frames.is_empty() && random.chance(pace);
            sim.write(client.data.valid, &[client.offers[1].into()]);
            let Some((frame, gone)) = client.frames.front().filter(|_| client.offers[1]) else { continue };
            let chunk = &frame[*gone..frame.len().min(gone + bytes)];
            let mut limbs = vec![0u64; bytes / 8];
            for (at, byte) in chunk.iter().enumerate() {
                limbs[at / 8] |= u64::from(*byte) << (8 * (at % 8));
            }
            sim.write(client.data.data, &limbs);
            sim.write(client.data.count, &[chunk.len() as u64]);
            sim.write(client.data.last, &[(gone + chunk.len() == frame.len()).into()]);
            sim.write(client.error, &[0]);
        }
        for client in &mut self.reads {
            client.offers |= !client.commands.is_empty() && random.chance(pace);
            client.command.drive(sim, client.commands.front().filter(|_| client.offers));
            client.takes = random.chance(pace);
            sim.write(client.data.ready, &[client.takes.into()]);
        }
        self.offers_vector |= !self.vectors.is_empty() && random.chance(pace);
        let [valid, _, function, vector] = self.vector;
        sim.write(valid, &[self.offers_vector.into()]);
        if let Some((of, number)) = self.vectors.front() {
            sim.write(function, &[*of as u64]);
            sim.write(vector, &[*number as u64]);
        }
        self.takes_access = self.access.is_none() && random.chance(pace);
        sim.write(self.register.ready, &[self.takes_access.into()]);
        let answer = self.access.filter(|(_, left)| *left == 0);
        let [valid, data, aborted] = self.answer;
        sim.write(valid, &[answer.is_some().into()]);
        let (access, _) = answer.unwrap_or_default();
        sim.write(data, &[access.data.into()]);
        sim.write(aborted, &[access.is_aborted.into()]);
        let ticks = sim.cycles().is_multiple_of(self.tick_cycles);
        sim.write(self.tick, &[ticks.into()]);
        self.takes_reset = random.chance(pace);
        sim.write(self.reset[1], &[self.takes_reset.into()]);
    }

    fn sample<S: Simulator>(&mut self, sim: &mut S) {
        for (number, client) in self.writes.iter_mut().enumerate() {
            if client.offers[0] && word(sim, client.command.ready) == 1 {
                client.commands.pop_front();
                client.offers[0] = false;
            }
            if client.offers[1] && word(sim, client.data.ready) == 1 {
                client.offers[1] = false;
                let (frame, gone) = client.frames.front_mut().expect("it is on offer");
                *gone += self.bytes;
                if *gone >= frame.len() {
                    client.frames.pop_front();
                }
            }
            if word(sim, client.done[0]) == 1 {
                let ended = Ended::of(word(sim, client.done[1]));
                self.events.push_back(Event::Written { client: number, ended });
            }
        }
        for (number, client) in self.reads.iter_mut().enumerate() {
            if client.offers && word(sim, client.command.ready) == 1 {
                client.commands.pop_front();
                client.offers = false;
            }
            if client.takes && word(sim, client.data.valid) == 1 {
                let count = word(sim, client.data.count) as usize;
                let mut limbs = vec![0; self.bytes / 8];
                sim.read(client.data.data, &mut limbs);
                client.got.extend((0..count).map(|at| (limbs[at / 8] >> (8 * (at % 8))) as u8));
                if word(sim, client.data.last) == 1 {
                    let ended = Ended::of(word(sim, client.outcome));
                    let data = std::mem::take(&mut client.got);
                    self.events.push_back(Event::Read { client: number, ended, data });
                }
            }
        }
        if self.offers_vector && word(sim, self.vector[1]) == 1 {
            self.vectors.pop_front();
            self.offers_vector = false;
        }
        self.access = self.access.and_then(|(access, left)| Some((access, left.checked_sub(1)?)));
        let register = &self.register;
        if self.takes_access && word(sim, register.valid) == 1 {
            let key = (word(sim, register.function) as usize, word(sim, register.offset));
            let (data, enables) = (word(sim, register.data) as u32, word(sim, register.enables));
            let is_write = word(sim, register.write) == 1;
            let is_aborted = key.1 >= self.aborts_from;
            let held = self.registers.entry(key).or_default();
            if is_write && !is_aborted {
                for byte in (0..4).filter(|byte| enables >> byte & 1 == 1) {
                    *held = *held & !(0xFF << (8 * byte)) | data & 0xFF << (8 * byte);
                }
            }
            let data = if is_write || is_aborted { 0 } else { *held };
            let answer = Access { data, is_aborted };
            self.access = Some((answer, self.random.below(4)));
        }
        if self.takes_reset && word(sim, self.reset[0]) == 1 {
            let function = word(sim, self.reset[2]) as usize;
            self.events.push_back(Event::Reset { function });
        }
    }
}
