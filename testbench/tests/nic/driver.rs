//! The driver of `sim::virtio` on every function: bring-up, and frames between functions and wires.

use rtl::config::Config;
use sim::{
    ethernet::{FrameBuilder, MacAddress},
    nic::{Scene, Setup},
    random::Random,
    veb::policy::Policy,
    verilator::Verilated,
    virtio::{
        device::DRIVER_OK,
        features::Features,
        layout::Layout,
        net::{Command, Event, NetOptions, Packet},
    },
};
use std::collections::{HashMap, VecDeque};
use testbench::models;

/// Cycles that a frame may take.
const PATIENCE: u64 = 30_000;

fn scene() -> Scene<Verilated> {
    let config = Config::small();
    let sim = models::nic(&config).unwrap();
    Scene::new(sim, &config, &Setup::of(&config)).unwrap()
}

pub fn address(function: usize) -> MacAddress {
    MacAddress::new([2, 0, 0, 0, 0, function as u8])
}

/// Whoever is out there.
pub const STATION: MacAddress = MacAddress::new([2, 0, 0, 0, 1, 0]);

/// Everybody reaches everybody: functions have their addresses, the station is behind the wire.
pub fn open(scene: &mut Scene<Verilated>) {
    let config = scene.nic.config.clone();
    let mut policy = Policy::open(config.wires, config.functions());
    for function in scene.functions() {
        policy.insert_entry(0, address(function), [scene.port(function)].into_iter().collect());
    }
    scene.nic.set_policy(&policy).unwrap();
}

/// All features of rings, and buffers that lie anywhere.
fn wild(packed: bool, seed: u64) -> NetOptions {
    let plain = NetOptions::plain(packed, seed);
    let features = plain.features
        | Features::MRG_RXBUF
        | Features::INDIRECT_DESC
        | Features::EVENT_IDX
        | Features::NOTIFICATION_DATA
        | Features::RING_RESET
        | Features::IN_ORDER
        | Features::ORDER_PLATFORM
        | Features::CSUM;
    let receive = Layout { parts: 3, bytes: 600..=3000, ..Layout::wild() };
    NetOptions { features, receive, transmit: Layout::wild(), ..plain }
}

pub fn packet(from: MacAddress, to: MacAddress, bytes: usize, tag: u64) -> Packet {
    let mut random = Random::fork(7, tag);
    let payload: Vec<u8> = (0..bytes - 14).map(|_| random.word() as u8).collect();
    Packet { frame: FrameBuilder::new(to, from).payload(payload).build(), checksum: None, tag }
}

/// Has the device complete a checksum somewhere in the packet; returns the frame that leaves then (5.1.6.2).
fn with_checksum(packet: &mut Packet, random: &mut Random) -> Vec<u8> {
    let length = packet.frame.len();
    let start = 14 + random.below(length - 20);
    let offset = 2 * random.below((length - start) / 2);
    packet.checksum = Some((start as u16, offset as u16));
    let words = packet.frame[start..]
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    let mut frame = packet.frame.clone();
    frame[start + offset..start + offset + 2].copy_from_slice(&(!sum as u16).to_be_bytes());
    frame
}

fn no_intrusions(scene: &Scene<Verilated>) {
    let intrusions = scene.nic.bus.host.platform.iommu.intrusions();
    assert!(intrusions.is_empty(), "{}", intrusions[0]);
}

#[test]
fn drivers_come_and_go_on_every_function() {
    let mut scene = scene();
    for function in scene.functions() {
        for (packed, options) in [false, true].map(|packed| (packed, wild(packed, function as u64))) {
            let pairs = scene.nic.config.pairs;
            let net = scene.start(function, options).unwrap();
            assert_eq!(usize::from(net.configuration.max_pairs), pairs, "function {function}");
            let (net, host) = scene.driver(function);
            assert!(net.device.status(host).unwrap() & DRIVER_OK != 0);
            let machine = &mut scene.nic.bus.host.platform;
            let net = scene.drivers.get_mut(&function).unwrap();
            // With an empty bridge a frame goes nowhere, but is done with.
            assert!(net.send(machine, 0, &packet(address(function), STATION, 60, 5)));
            let mut sent = false;
            for _ in 0..PATIENCE {
                sent |= scene.step().unwrap().contains(&(function, Event::Sent { pair: 0, tag: 5 }));
            }
            assert!(sent, "function {function}, packed {packed}");
            assert_eq!(scene.stop(function).unwrap(), Vec::<u64>::new());
        }
    }
    no_intrusions(&scene);
}

/// Sender and receiver; `None` is the wire.
type Way = (Option<usize>, Option<usize>);

/// Sends frames between all functions and the wire, and compares what arrives where.
fn ping(options: impl Fn(usize) -> NetOptions, frames: u64) {
    let mut scene = scene();
    open(&mut scene);
    let functions = scene.functions();
    for &function in &functions {
        scene.start(function, options(function)).unwrap();
    }
    let mut random = Random::new(9);
    // What is on its way.
    let mut expected: HashMap<Way, VecDeque<Vec<u8>>> = HashMap::new();
    let of_address = |bytes: &[u8]| functions.iter().copied().find(|it| address(*it).bytes() == bytes);
    let (mut given, mut sent, mut arrived, mut seen) = (0, 0, 0, 0);
    let mut last = scene.nic.bus.now();
    while sent + arrived < 2 * frames {
        let from = *random.pick(&[None, Some(0), Some(2), Some(3), Some(4)]);
        let to = *random.pick(&[None, Some(0), Some(2), Some(3), Some(4)]);
        let on_the_way = given - arrived;
        if from != to && given < frames && on_the_way < 8 && random.chance(20) {
            let bytes = 60 + random.below(1400);
            let mac = |of: Option<usize>| of.map_or(STATION, address);
            let mut packet = packet(mac(from), mac(to), bytes, given);
            let mut frame = packet.frame.clone();
            let is_given = match from {
                Some(function) => {
                    let net = scene.drivers.get_mut(&function).unwrap();
                    if net.options().features.has(Features::CSUM) && random.chance(40) {
                        frame = with_checksum(&mut packet, &mut random);
                    }
                    net.send(&mut scene.nic.bus.host.platform, 0, &packet)
                }
                None => {
                    scene.nic.bus.device.0[0].send(packet.frame.clone());
                    sent += 1;
                    true
                }
            };
            if is_given {
                given += 1;
                expected.entry((from, to)).or_default().push_back(frame);
            }
        }
        let mut arrivals = vec![];
        for (function, event) in scene.step().unwrap() {
            match event {
                Event::Received { pair: 0, frame, .. } => arrivals.push((Some(function), frame)),
                Event::Sent { .. } => sent += 1,
                other => panic!("function {function}: {other:?}"),
            }
        }
        let wire = &scene.nic.bus.device.0[0];
        arrivals.extend(wire.from_adapter[seen..].iter().map(|arrival| (None, arrival.data.clone())));
        seen = wire.from_adapter.len();
        for (to, frame) in arrivals {
            let from = of_address(&frame[6..12]);
            let first = expected.get_mut(&(from, to)).and_then(VecDeque::pop_front);
            assert_eq!(first.as_ref(), Some(&frame), "from {from:?} to {to:?}");
            arrived += 1;
            last = scene.nic.bus.now();
        }
        let waited = scene.nic.bus.now() - last;
        assert!(waited < PATIENCE, "{given} given, {sent} sent, {arrived} arrived");
    }
    for function in functions {
        assert_eq!(scene.stop(function).unwrap(), Vec::<u64>::new());
    }
    no_intrusions(&scene);
}

#[test]
fn frames_between_functions_and_the_wire_split() {
    ping(|function| NetOptions::plain(false, function as u64), 200);
}

#[test]
fn frames_between_functions_and_the_wire_packed() {
    ping(|function| NetOptions::plain(true, function as u64), 200);
}

#[test]
fn frames_with_every_feature_and_buffers_anywhere() {
    ping(|function| wild(function % 2 == 0, 10 + function as u64), 400);
}

/// Commands as docs/src/virtio.md has them, split anywhere; and the second pair.
#[test]
fn commands_are_carried_out_or_refused() {
    let mut scene = scene();
    open(&mut scene);
    for function in [0, 3] {
        for packed in [false, true] {
            let mut options = wild(packed, 3);
            let many = Features::CTRL_RX | Features::CTRL_VLAN | Features::CTRL_MAC_ADDR | Features::MQ;
            options.features = options.features | many;
            options.pairs = 2;
            let net =
                scene.start(function, options).unwrap_or_else(|error| panic!("function {function}: {error}"));
            assert_eq!(net.queues().len(), 5);
            let group = [0x01, 0, 0x5E, 0, 0, 1];
            for (command, is_done) in [
                (Command::Promiscuous(true), true),
                (Command::Promiscuous(false), true),
                (Command::AllMulticast(true), true),
                (Command::AddVlan(1), true),
                (Command::AddVlan(9), false),
                (Command::AddVlan(4095), false),
                (Command::RemoveVlan(1), true),
                (Command::Pairs(0), false),
                (Command::Pairs(3), false),
                (Command::Addresses(vec![], vec![group; 40]), true),
                (Command::SetAddress([2, 0, 0, 0, 0, 99]), false),
                // GUEST_ANNOUNCE is not agreed on, and nobody knows the last one.
                (Command::Announced, false),
                (Command::Raw(9, 9, vec![1, 2, 3]), false),
            ] {
                let (net, host) = scene.driver(function);
                let answer =
                    net.command(host, &command).unwrap_or_else(|error| panic!("{command:?}: {error}"));
                assert_eq!(answer, is_done, "function {function}, packed {packed}: {command:?}");
            }
            let packet = packet(address(function), STATION, 200, function as u64);
            let net = scene.drivers.get_mut(&function).unwrap();
            assert!(net.send(&mut scene.nic.bus.host.platform, 1, &packet));
            let (mut sent, start) = (false, scene.nic.bus.now());
            while !sent && scene.nic.bus.now() < start + PATIENCE {
                let tag = function as u64;
                sent = scene.step().unwrap().contains(&(function, Event::Sent { pair: 1, tag }));
            }
            assert!(sent, "function {function}, packed {packed}");
            scene.stop(function).unwrap();
        }
    }
    no_intrusions(&scene);
}
