//! Functions under a driver that nobody here wrote: crate `virtio-drivers`, unmodified.

use rtl::{config::Config, pcie::space::Personality};
use sim::{
    ethernet::MacAddress,
    manager::{Device, Manager},
    nic::{Nic, Place, Setup, Wire, Wires},
    pcie::Bus,
    veb::{Policy, PortSet},
    verilator::Verilated,
};
use testbench::{
    guest::{Guest, Host, Net, Ram, RawNet, TRANSMIT},
    models,
};
use virtio_drivers::device::net::TxBuffer;

pub type Machine = Host<Bus<Verilated, Ram, Wires>>;

/// Cycles in which a frame gets anywhere.
const PATIENCE: usize = 100_000;

/// An adapter whose manager has set it up: functions know their addresses, and the bridge knows where they are.
pub fn machine(config: &Config, setup: &Setup) -> (Machine, Vec<Place>) {
    let sim = models::nic(config).unwrap();
    let Nic { mut bus, places, functions, .. } = Nic::new(sim, Ram::new(), config, setup).unwrap();
    let mut policy = Policy::open(config.wires, config.functions());
    let mut manager = Manager::new(&mut bus, places[1].bars[0]);
    for function in network_functions(functions.len()) {
        let mac = MacAddress::new(station(function));
        policy.insert_entry(1, mac, PortSet::from_iter([port(config, function)]));
        let device = Device { mac, mtu: 1500, speed: 10_000, duplex: 1, link_up: true, announce: false };
        manager.set_device(function, &device).unwrap();
    }
    manager.apply_policy(&policy).unwrap();
    (Host::new(bus, functions), places)
}

/// Ports of the bridge: wires, the manager, which is function 1, the physical function, the virtual ones.
fn port(config: &Config, function: usize) -> usize {
    config.wires + [1, 0].get(function).unwrap_or(&function)
}

/// All functions but the manager.
fn network_functions(functions: usize) -> Vec<usize> {
    (0..functions).filter(|function| *function != 1).collect()
}

pub fn station(number: usize) -> [u8; 6] {
    [2, 0, 0, 0, 1, number as u8]
}

/// A station on the wire.
const OUTSIDE: usize = 200;

pub fn frame(from: usize, to: usize, number: usize) -> Vec<u8> {
    let mut frame = [station(to), station(from)].concat();
    frame.extend([0x88, 0xB5]);
    let bytes = 60 + number * 97 % 1455;
    frame.extend((14..bytes).map(|place| (place * 3 + number * 7 + from + to) as u8));
    frame
}

pub fn send(guest: &mut Guest<Net<16>>, frame: &[u8]) {
    guest.wait_for(TRANSMIT, |net| net.send(TxBuffer::from(frame))).unwrap();
}

/// The next frame, and its buffer is offered again.
pub fn receive(machine: &Machine, guest: &mut Guest<Net<16>>) -> Vec<u8> {
    for _ in 0..PATIENCE / 20 {
        if guest.with(|net| net.can_recv()) {
            let buffer = guest.with(|net| net.receive()).unwrap();
            let packet = buffer.packet().to_vec();
            guest.with(|net| net.recycle_rx_buffer(buffer)).unwrap();
            return packet;
        }
        machine.wait(20);
    }
    panic!("no frame comes")
}

/// Lets the wire of the adapter send frames, or takes those that it received.
fn wire<R>(machine: &Machine, act: impl FnOnce(&mut Wire) -> R) -> R {
    act(&mut machine.adapter.borrow_mut().device.0[0])
}

fn outside(machine: &Machine) -> Vec<Vec<u8>> {
    wire(machine, |wire| std::mem::take(&mut wire.from_adapter)).into_iter().map(|it| it.data).collect()
}

/// The physical function and every virtual one are negotiated and configured, and each sends to each other, and to the wire and
/// from there. Nobody gets what is not for it.
fn everybody_reaches_everybody(setup: &Setup) {
    let config = Config::small();
    let (machine, _) = machine(&config, setup);
    let functions = network_functions(machine.functions().len());
    let mut guests: Vec<Guest<Net<16>>> = functions.iter().map(|function| machine.net(*function)).collect();
    let mut number = 0;
    for from in 0..guests.len() {
        assert_eq!(guests[from].with(|net| net.mac_address()), station(functions[from]));
        for to in (0..guests.len()).filter(|to| *to != from) {
            for _ in 0..6 {
                number += 1;
                let frame = frame(functions[from], functions[to], number);
                send(&mut guests[from], &frame);
                assert!(receive(&machine, &mut guests[to]) == frame, "frame {number}, {from} to {to}");
            }
        }
        let out = frame(functions[from], OUTSIDE, number);
        send(&mut guests[from], &out);
        let back = frame(OUTSIDE, functions[from], number);
        wire(&machine, |wire| wire.send(back.clone()));
        assert!(receive(&machine, &mut guests[from]) == back, "from the wire to {from}");
        assert!(outside(&machine) == [out], "from {from} to the wire");
    }
    machine.wait(5000);
    for guest in &mut guests {
        assert!(!guest.with(|net| net.can_recv()));
        // Buffers were used, and the driver has no MSI-X.
        assert_eq!(guest.with(|net| net.ack_interrupt().bits()) & 1, 1);
        assert_eq!(guest.with(|net| net.ack_interrupt().bits()) & 1, 0);
    }
    drop(guests);
    machine.wait(5000);
    assert_eq!(machine.take_intrusions(), []);
}

#[test]
fn everybody_reaches_everybody_with_ari() {
    everybody_reaches_everybody(&Setup::of(&Config::small()));
}

/// Ordinary functions, without any that is virtual.
#[test]
fn everybody_reaches_everybody_in_the_legacy_personality() {
    let config = Config::small();
    let personality = Personality::Multifunction(4);
    everybody_reaches_everybody(&Setup { personality, vfs: 0, ..Setup::of(&config) });
}

/// Three functions and the wire send at once, as much as their rings hold; all of it comes, in order. The rings of 32 wrap many
/// times.
#[test]
fn many_buffers_at_once() {
    const FRAMES: usize = 300;
    const OFFERED: usize = 32;
    let config = Config::small();
    let (machine, _) = machine(&config, &Setup::of(&config));
    // Each sends to the next.
    let ring = [0, 2, 3];
    let mut guests: Vec<Guest<RawNet<OFFERED>>> =
        ring.iter().map(|function| machine.raw_net(*function)).collect();
    for guest in &mut guests {
        (0..OFFERED).for_each(|_| guest.with(|raw| raw.offer(1600)).unwrap());
    }
    let mut sent = [0; 3];
    let mut got = [0; 3];
    let mut from_wire = 0;
    let mut waited = 0;
    for number in 0..FRAMES / 3 {
        wire(&machine, |wire| wire.send(frame(OUTSIDE, ring[0], number)));
    }
    while got.iter().any(|got| *got < FRAMES) || from_wire < FRAMES / 3 {
        for (index, guest) in guests.iter_mut().enumerate() {
            let next = ring[(index + 1) % 3];
            let before = ring[(index + 2) % 3];
            // Not more than there are buffers for: nothing is lost then.
            while sent[index] < FRAMES && sent[index] < got[(index + 1) % 3] + OFFERED / 3 {
                guest.with(|raw| raw.begin_send(&frame(ring[index], next, sent[index]))).unwrap();
                sent[index] += 1;
            }
            while guest.with(|raw| raw.end_send()).unwrap() {}
            while let Some(packet) = guest.with(|raw| raw.take()).unwrap() {
                let is_of_wire = index == 0 && packet[6..12] == station(OUTSIDE);
                let (count, from) = match is_of_wire {
                    true => (&mut from_wire, OUTSIDE),
                    false => (&mut got[index], before),
                };
                assert!(
                    packet == frame(from, ring[index], *count),
                    "{from} to {}: frame {count}",
                    ring[index]
                );
                *count += 1;
                guest.with(|raw| raw.offer(1600)).unwrap();
            }
        }
        machine.wait(50);
        waited += 1;
        assert!(waited < PATIENCE, "{sent:?} sent, {got:?} got, {from_wire} of the wire");
    }
    assert_eq!(outside(&machine), Vec::<Vec<u8>>::new());
    assert_eq!(machine.take_intrusions(), []);
}

/// Drivers come and go, in the middle of what others send; who stays loses nothing.
#[test]
fn drivers_come_and_go() {
    let config = Config::small();
    let (machine, _) = machine(&config, &Setup::of(&config));
    let mut stays = machine.net::<16>(0);
    let mut other = machine.net::<16>(4);
    for round in 0..8 {
        let mut goes = machine.net::<8>(2 + round % 2);
        let function = 2 + round % 2;
        for number in 0..6 {
            let there = frame(0, function, number);
            let back = frame(function, 0, number);
            send(&mut stays, &there);
            goes.wait_for(TRANSMIT, |net| net.send(TxBuffer::from(&back))).unwrap();
            assert!(receive(&machine, &mut stays) == back, "round {round}, frame {number}");
        }
        // Some of what is for it may still be on its way.
        drop(goes);
        for number in 0..10 {
            // For nobody, and for somebody.
            send(&mut stays, &frame(0, function, number));
            let data = frame(0, 4, number);
            send(&mut stays, &data);
            assert!(receive(&machine, &mut other) == data, "round {round}, frame {number}");
        }
    }
    assert_eq!(machine.take_intrusions(), []);
}
