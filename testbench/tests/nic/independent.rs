//! Functions under a driver that nobody here wrote: crate `virtio-drivers`, unmodified.

use rtl::config::Config;
use sim::{
    ethernet::MacAddress,
    nic::{Nic, Setup, Wires},
    pcie::Bus,
    veb::{Policy, PortSet},
    verilator::Verilated,
};
use testbench::{
    guest::{Guest, Host, Net, Ram, TRANSMIT},
    models,
};
use virtio_drivers::device::net::TxBuffer;

type Machine = Host<Bus<Verilated, Ram, Wires>>;

/// Cycles in which a frame gets anywhere.
const PATIENCE: usize = 100_000;

/// An adapter whose bridge knows where the functions are; they have no rules.
fn machine(config: &Config) -> Machine {
    let ram = Ram::new();
    let sim = models::nic(config).unwrap();
    let mut nic = Nic::new(sim, ram.clone(), config, &Setup::of(config)).unwrap();
    let mut policy = Policy::open(config.wires, config.functions());
    for function in network_functions(config) {
        let ports = PortSet::from_iter([port(config, function)]);
        policy.insert_entry(1, MacAddress::new(station(function)), ports);
    }
    nic.set_policy(&policy).unwrap();
    Host::new(nic.bus, ram, nic.functions)
}

/// Ports of the bridge: wires, the manager, which is function 1, the physical function, the virtual ones.
fn port(config: &Config, function: usize) -> usize {
    config.wires + [1, 0].get(function).unwrap_or(&function)
}

/// All functions but the manager.
fn network_functions(config: &Config) -> Vec<usize> {
    (0..config.functions()).filter(|function| *function != 1).collect()
}

fn station(number: usize) -> [u8; 6] {
    [2, 0, 0, 0, 1, number as u8]
}

/// A station on the wire.
const OUTSIDE: usize = 200;

fn frame(from: usize, to: usize, number: usize) -> Vec<u8> {
    let mut frame = [station(to), station(from)].concat();
    frame.extend([0x88, 0xB5]);
    let bytes = 60 + number * 97 % 1455;
    frame.extend((14..bytes).map(|place| (place * 3 + number * 7 + from + to) as u8));
    frame
}

fn send(guest: &mut Guest<Net<16>>, frame: &[u8]) {
    guest.wait_for(TRANSMIT, |net| net.send(TxBuffer::from(frame))).unwrap();
}

/// The next frame, and its buffer is offered again.
fn receive(machine: &Machine, guest: &mut Guest<Net<16>>) -> Vec<u8> {
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

/// The physical function and every virtual one are negotiated and configured, and each sends to each other, and to the wire and
/// from there. Nobody gets what is not for it.
#[test]
fn everybody_reaches_everybody() {
    let config = Config::small();
    let machine = machine(&config);
    let functions = network_functions(&config);
    let mut guests: Vec<Guest<Net<16>>> = functions.iter().map(|function| machine.net(*function)).collect();
    let mut number = 0;
    for from in 0..functions.len() {
        for to in 0..functions.len() {
            if from == to {
                continue;
            }
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
        machine.adapter.borrow_mut().device.0[0].send(back.clone());
        assert!(receive(&machine, &mut guests[from]) == back, "from the wire to {from}");
        let arrived = std::mem::take(&mut machine.adapter.borrow_mut().device.0[0].from_adapter);
        assert!(arrived.len() == 1 && arrived[0].data == out, "from {from} to the wire");
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
    assert_eq!(machine.ram.machine().iommu.intrusions(), []);
}
