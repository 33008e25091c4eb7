use super::*;
use crate::{
    pcie::{
        Options,
        credits::{Credits, Room},
        enumerate,
        iommu::Permission,
        machine::Machine,
        packet::Kind,
        port::Pace,
    },
    random::Random,
};
use hdl::interface::{ClockDomain, Direction as PortDirection, Interface, Port as InterfacePort};
use std::path::Path;

const BYTES: usize = 16;
const FIRST_LIMIT: usize = 14;

/// A function of an endpoint in plain Rust, with the ports that the hardware has.
struct Model {
    interface: Interface,
    values: Vec<Vec<u64>>,
    cycles: u64,
    bus: u8,
    words: Vec<u32>,
    registers: Vec<u8>,
    receiving: Option<Packet>,
    /// Packets that it sends as soon as it may, behind its completions.
    outgoing: VecDeque<Packet>,
    answers: VecDeque<Packet>,
    sending: Option<(Packet, usize)>,
    /// Completions of its own requests.
    completions: Vec<Packet>,
    sent: Credits,
    /// It sends without credits.
    is_greedy: bool,
    /// What it does to its completions.
    spoil: fn(&mut Packet),
}

impl Model {
    fn new() -> Model {
        let stream = |name: &str| {
            let fields = [
                ("valid", 1),
                ("ready", 1),
                ("payload_header", 128),
                ("payload_data", 8 * BYTES as u32),
                ("payload_count", 5),
                ("payload_first", 1),
                ("payload_last", 1),
            ];
            fields.map(|(field, width)| (format!("{name}_{field}"), width))
        };
        let limits = (0..12).map(|i| (format!("limit_{i}"), 12));
        let ports =
            stream("rx_tlp").into_iter().chain(stream("tx_tlp")).chain(limits).map(|(name, width)| {
                InterfacePort { name, width, direction: PortDirection::Input, doc: String::new() }
            });
        let domain = ClockDomain { clock: Some("clk".to_owned()), reset: Some("rst".to_owned()) };
        let interface = Interface { name: "model".to_owned(), ports: ports.collect(), domains: vec![domain] };
        let mut words = vec![0; 1024];
        (words[0], words[4]) = (0x1041_1AF4, 0b100);
        Model {
            values: interface.ports.iter().map(|port| vec![0; port.width.div_ceil(64) as usize]).collect(),
            interface,
            cycles: 0,
            bus: 0,
            words,
            registers: vec![0; 4096],
            receiving: None,
            outgoing: VecDeque::new(),
            answers: VecDeque::new(),
            sending: None,
            completions: vec![],
            sent: Credits::new([Room { headers: Some(0), data: Some(0) }; 3]),
            is_greedy: false,
            spoil: |_| {},
        }
    }

    /// Offers the next beat.
    fn offer(&mut self) {
        if self.sending.is_none() {
            let queue = if self.answers.is_empty() { &mut self.outgoing } else { &mut self.answers };
            let may_go = queue.front().is_some_and(|packet| {
                let class = packet.class() as usize;
                let limits = &self.values[FIRST_LIMIT + 4 * class..];
                let mut credits = self.sent.clone();
                let known = credits.limits(packet.class()).map(|limit| limit.value);
                let news = [
                    (limits[0][0] as u32).wrapping_sub(known[0]) % 256,
                    (limits[2][0] as u32).wrapping_sub(known[1]) % 4096,
                ];
                credits.give_back(packet.class(), news);
                self.is_greedy || limits[1][0] == 1 || credits.permits(packet)
            });
            if may_go {
                self.sending = queue.pop_front().map(|packet| (packet, 0));
            }
        }
        self.values[7][0] = self.sending.is_some().into();
        if let Some((packet, done)) = &self.sending {
            let [a, b, c, d] = packet.header.map(u64::from);
            self.values[9] = vec![b << 32 | a, d << 32 | c];
            let mut chunk = packet.payload[*done..].to_vec();
            let count = chunk.len().min(BYTES);
            self.values[13][0] = (chunk.len() <= BYTES).into();
            chunk.resize(BYTES, 0);
            self.values[10] =
                chunk.chunks(8).map(|limb| u64::from_le_bytes(limb.try_into().unwrap())).collect();
            self.values[11][0] = count as u64;
            self.values[12][0] = (*done == 0).into();
        }
    }

    fn receive(&mut self, packet: Packet) {
        let id = RoutingId::new(self.bus, 0);
        let place = packet.address() as usize % 4096;
        let mut answer = match packet.kind() {
            Kind::MemoryWrite => {
                let enabled = (0..packet.payload.len()).filter(|&i| packet.enables_byte(i));
                enabled.for_each(|i| self.registers[place + i] = packet.payload[i]);
                return;
            }
            Kind::MemoryRead => {
                let data = &self.registers[place..place + 4 * packet.length()];
                Packet::completion_with_data(&packet, id, 0, data)
            }
            Kind::ConfigurationRead { .. } if packet.target().number() == 0 => {
                let word = self.words[packet.register() as usize / 4];
                Packet::completion_with_data(&packet, id, 0, &word.to_le_bytes())
            }
            Kind::ConfigurationWrite { .. } if packet.target().number() == 0 => {
                self.bus = packet.target().bus();
                let word = u32::from_le_bytes(packet.payload[..].try_into().unwrap());
                match packet.register() {
                    0x04 => self.words[1] = word & 6,
                    0x10 => self.words[4] = word & 0xFFFF_F000 | 0b100,
                    0x14 => self.words[5] = word,
                    _ => {}
                }
                Packet::completion(&packet, RoutingId::new(self.bus, 0), Status::Successful)
            }
            Kind::Completion { .. } => return self.completions.push(packet),
            _ => Packet::completion(&packet, id, Status::Unsupported),
        };
        (self.spoil)(&mut answer);
        self.answers.push_back(answer);
    }
}

impl Simulator for Model {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn write(&mut self, port: PortIndex, value: &[u64]) {
        self.values[port].copy_from_slice(value);
    }

    fn read(&mut self, port: PortIndex, value: &mut [u64]) {
        if port == 7 {
            self.offer();
        }
        self.values[1][0] = 1;
        value.copy_from_slice(&self.values[port]);
    }

    fn write_reset(&mut self, _: usize, _: bool) {}

    fn step_domains(&mut self, _: &[usize]) -> Result<(), Violation> {
        self.cycles += 1;
        let rx = self.values.clone();
        if rx[0][0] == 1 {
            let header = [rx[2][0] as u32, (rx[2][0] >> 32) as u32, rx[2][1] as u32, (rx[2][1] >> 32) as u32];
            let mut packet = self.receiving.take().unwrap_or(Packet { header, payload: vec![] });
            let data: Vec<u8> = rx[3].iter().flat_map(|limb| limb.to_le_bytes()).collect();
            packet.payload.extend(&data[..rx[4][0] as usize]);
            if rx[6][0] == 1 { self.receive(packet) } else { self.receiving = Some(packet) }
        }
        if rx[7][0] & rx[8][0] == 1
            && let Some((packet, done)) = self.sending.take()
        {
            match done + BYTES < packet.payload.len() {
                true => self.sending = Some((packet, done + BYTES)),
                false => self.sent.consume(&packet),
            }
        }
        Ok(())
    }

    fn cycles(&self) -> u64 {
        self.cycles
    }

    fn trace(&mut self, _: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

fn bus(behaviour: Behaviour, link: LinkSettings) -> Bus<Model, Machine> {
    let mut bus = Bus::new(Model::new(), (), Machine::new(), Settings::default(), behaviour, link);
    bus.bind_credits([
        [["limit_0", "limit_1"], ["limit_2", "limit_3"]],
        [["limit_4", "limit_5"], ["limit_6", "limit_7"]],
        [["limit_8", "limit_9"], ["limit_10", "limit_11"]],
    ]);
    bus.reset(2).unwrap();
    bus
}

const FUNCTION: RoutingId = RoutingId(0x0100);
const MEMORY: u64 = 0x4_0000_0000;

fn started(behaviour: Behaviour, link: LinkSettings) -> Bus<Model, Machine> {
    let mut bus = bus(behaviour, link);
    assert!(bus.write_configuration(FUNCTION, 4, 3, 6).unwrap());
    bus.host.platform.iommu.map(FUNCTION, MEMORY..MEMORY + (1 << 20), 0, Permission::BOTH);
    bus
}

#[test]
fn enumerates_and_reaches_registers() {
    let mut bus = bus(Behaviour::default(), LinkSettings::default());
    bus.port.pace = Pace { rx: 60, tx: 60 };
    let options = Options { vfs: 0, alternative_routing: false, page: 4096, words: 1024 };
    let functions = enumerate(&mut bus, &options).unwrap();
    assert_eq!(functions.len(), 1);
    let [low, high] = [functions[0].words[4], functions[0].words[5]].map(u64::from);
    let base = high << 32 | low & !15;
    assert!(base >= 1 << 32);
    let mut random = Random::new(3);
    let mut expected = vec![0; 4096];
    for _ in 0..200 {
        let start = random.below(4032);
        let data: Vec<u8> = (0..random.below(64) + 1).map(|_| random.word() as u8).collect();
        bus.write(base + start as u64, &data).unwrap();
        expected[start..start + data.len()].copy_from_slice(&data);
        let start = random.below(4032);
        let mut got = vec![0; random.below(64) + 1];
        assert!(bus.read(base + start as u64, &mut got).unwrap());
        assert_eq!(got, expected[start..start + got.len()]);
    }
    assert_eq!(bus.read_configuration(RoutingId(0x101), 0).unwrap(), None);
    assert_eq!(bus.read_configuration(RoutingId(0x500), 0).unwrap(), None);
    assert_eq!(bus.checker.breaches(), []);
}

/// Writes, reads and interrupts of the endpoint with a host that has little room.
#[test]
fn carries_what_the_endpoint_sends() {
    let small = Room { headers: Some(3), data: Some(20) };
    let link = LinkSettings { up: [small, small, Room::INFINITE], ..LinkSettings::default() };
    let mut bus = started(Behaviour::default(), link);
    let mut random = Random::new(5);
    let mut expected = vec![0; 1 << 20];
    for tag in 0..250 {
        let start = random.below(4000) + 4096 * random.below(255);
        let data: Vec<u8> = (0..random.below(90) + 1).map(|_| random.word() as u8).collect();
        expected[start..start + data.len()].copy_from_slice(&data);
        bus.sim.outgoing.push_back(Packet::memory_write(FUNCTION, 0, MEMORY + start as u64, &data));
        bus.sim.outgoing.push_back(Packet::memory_read(FUNCTION, tag, MEMORY + start as u64, data.len()));
    }
    bus.sim.outgoing.push_back(Packet::memory_write(FUNCTION, 0, 0xFEE0_0000, &[1, 0, 0, 0]));
    bus.sim.outgoing.push_back(Packet::message(FUNCTION, 0, 0x30));
    for _ in 0..20_000 {
        bus.step().unwrap();
    }
    assert_eq!(bus.host.platform.memory.bytes(0, 1 << 20), expected);
    assert_eq!((bus.host.platform.interrupts.len(), bus.host.take_messages().len()), (1, 1));
    assert!(bus.checker.waiting(Direction::Up).is_empty() && bus.host.is_idle());
    assert!(bus.sim.completions.len() >= 250);
    assert!(bus.checker.breaches().is_empty() && bus.host.platform.iommu.intrusions().is_empty());
}

#[test]
fn finds_what_the_endpoint_does_wrong() {
    let run = |bus: &mut Bus<Model, Machine>| (0..2000).try_for_each(|_| bus.step()).unwrap_err().to_string();
    let small = Room { headers: Some(3), data: Some(20) };
    let link = LinkSettings { up: [small; 3], ..LinkSettings::default() };
    let mut greedy = started(Behaviour::default(), link);
    greedy.sim.is_greedy = true;
    greedy.sim.outgoing.extend((0..9).map(|_| Packet::memory_write(FUNCTION, 0, MEMORY, &[0; 64])));
    assert!(run(&mut greedy).contains("there are no credits for: MWr from 01:00.0"));

    let mut wild = started(Behaviour::default(), LinkSettings::default());
    wild.sim.outgoing.push_back(Packet::memory_write(RoutingId(0x101), 0, MEMORY, &[0; 64]));
    assert!(run(&mut wild).contains("01:00.1 is no bus master"));
    assert!(wild.write_configuration(FUNCTION, 4, 3, 0).unwrap());
    wild.sim.outgoing.push_back(Packet::memory_write(FUNCTION, 0, MEMORY, &[0; 64]));
    assert!(run(&mut wild).contains("01:00.0 is no bus master"));

    let mut lost = started(Behaviour { patience: 500, ..Behaviour::default() }, LinkSettings::default());
    lost.strict = false;
    lost.sim.spoil = |packet| *packet = packet.clone().with_tag(77);
    let error = lost.read_configuration(FUNCTION, 0).unwrap_err().to_string();
    assert!(error.contains("no completion within 500 cycles of: CfgRd0"), "{error}");
    assert_eq!((lost.host.take_unclaimed().len(), lost.checker.breaches().len()), (1, 1));

    let mut wrong = started(Behaviour::default(), LinkSettings::default());
    wrong.sim.spoil = |packet| packet.header[1] ^= 1;
    let error = wrong.read_configuration(FUNCTION, 0).unwrap_err().to_string();
    assert!(error.contains("byte count 0x5, not 0x4"), "{error}");
    wrong.strict = false;
    let error = wrong.read_configuration(FUNCTION, 0).unwrap_err();
    assert!(matches!(error, BusError::Request(RequestError::Wrong { .. })), "{error}");
}

/// Of requests that must not be completed, the credits come back; of others when they are.
#[test]
fn credits_of_requests() {
    let mut bus = started(Behaviour { patience: 300, ..Behaviour::default() }, LinkSettings::default());
    // The model drops a packet that is none, if told so.
    for _ in 0..20 {
        bus.host.send_raw(Packet { header: [0x0100_0001, 0x0008_000F, 1, 0], payload: vec![] });
        bus.sim.spoil = |packet| *packet = Packet::message(FUNCTION, 0, 0x30);
        bus.wait(100).unwrap();
    }
    bus.sim.spoil = |_| {};
    assert!(bus.read_configuration(FUNCTION, 0).unwrap().is_some());
    // Requests without answer: eight wait in the endpoint, the others before it.
    let read = Packet::memory_read(ROOT, 0, 0x1000, 4);
    bus.sim.spoil = |packet| *packet = Packet::message(FUNCTION, 0, 0x30);
    (0..9).for_each(|tag| bus.host.send_raw(read.clone().with_tag(100 + tag)));
    bus.wait(250).unwrap();
    assert_eq!(bus.host.take_messages().len(), 20 + 8);
    bus.wait(500).unwrap();
    assert_eq!(bus.host.take_messages().len(), 1);
}

/// A narrow link is full when the endpoint has always something to send.
#[test]
fn endpoint_meets_the_limit() {
    let link = LinkSettings { generation: 2, lanes: 2, ..LinkSettings::default() };
    for payload in [64, 256] {
        let limit = link.write_limit(payload, payload);
        let mut bus = started(Behaviour::default(), link.clone());
        let write = Packet::memory_write(FUNCTION, 0, MEMORY, &vec![1; payload]);
        let mut carried = 0;
        for _ in 0..20_000 {
            if bus.sim.outgoing.is_empty() {
                bus.sim.outgoing.push_back(write.clone());
                carried += payload;
            }
            bus.step().unwrap();
        }
        let rate = carried as f64 / (20_000.0 / 156.25e6);
        assert!((rate / limit - 1.0).abs() < 0.01, "{rate} of {limit}");
    }
}
