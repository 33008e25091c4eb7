//! What only the blocks together do.

use super::*;
use crate::{
    dma::LENGTH_BITS,
    pcie::{
        space::{self, Kind, space},
        testing::Packet,
    },
    testing::*,
};

/// Sends packets and collects those that come, as a host does.
struct Host {
    bench: Bench,
    io: EndpointIo,
    sink: Sink<TlpBeat>,
    bytes: usize,
    tag: u32,
    /// Accesses to registers are aborted.
    aborts: bool,
}

impl Host {
    fn new(config: &Config) -> Host {
        let (mut bench, io) = Bench::new(|| endpoint(config), 1);
        bench.sim.poke(io.legacy, false);
        bench.sim.poke(io.rx_tlp.valid, false);
        bench.sim.poke(io.answer.valid, false);
        bench.sim.poke(io.register.ready, false);
        bench.sim.poke(io.reset.ready, true);
        bench.sim.poke(io.acknowledge, 0);
        for credits in [&io.posted_credits, &io.completion_credits, &io.request_credits] {
            bench.sim.poke(credits.infinite_headers, true);
            bench.sim.poke(credits.infinite_data, true);
        }
        bench.sim.poke(io.tick, false);
        for valid in io.write.iter().chain(&io.read).map(|it| it.valid) {
            bench.sim.poke(valid, false);
        }
        io.write_data.iter().for_each(|data| bench.sim.poke(data.valid, false));
        io.read_data.iter().for_each(|data| bench.sim.poke(data.ready, true));
        bench.sim.poke(io.vector.valid, false);
        bench.sim.poke(io.clear.valid, false);
        while !bench.sim.peek(io.cleared) {
            bench.cycle(&mut []);
        }
        let sink = Sink::new(&io.tx_tlp, 1.0);
        Host { bench, io, sink, bytes: config.bytes, tag: 0, aborts: false }
    }

    fn wait(&mut self, cycles: usize) {
        (0..cycles).for_each(|_| self.bench.cycle(&mut [&mut self.sink]));
    }

    fn send(&mut self, packet: &Packet) {
        let mut source = Source::new(&self.io.rx_tlp, 1.0);
        source.send(packet.beats(self.bytes, &mut self.bench.rng));
        while !source.queue.is_empty() {
            self.bench.cycle(&mut [&mut source, &mut self.sink]);
        }
        self.bench.sim.poke(self.io.rx_tlp.valid, false);
    }

    /// A configuration request of type 0 to a function on bus 1.
    fn ask(&mut self, function: u32, path: &str, write: Option<u32>) {
        let (offset, _) = space::field(&space(&Config::small(), Kind::Physical), path).unwrap();
        let kind = if write.is_some() { 0x44 } else { 0x04 };
        self.tag += 1;
        let header = [kind << 24 | 1, self.tag << 8 | 15, 0x100 << 16 | function << 16 | offset as u32, 0];
        self.send(&Packet { header, payload: write.into_iter().collect() });
    }

    /// The next completion.
    fn completion(&mut self) -> Packet {
        for _ in 0..3000 {
            if self.sink.got.last().is_some_and(|beat| beat[0]) {
                return Packet::of(&std::mem::take(&mut self.sink.got), self.bytes);
            }
            self.wait(1);
        }
        panic!("no completion");
    }

    fn write(&mut self, function: u32, path: &str, data: u32) {
        self.ask(function, path, Some(data));
        assert_eq!(self.completion().header[0] >> 24, 0x0A);
    }

    fn read(&mut self, function: u32, path: &str) -> u32 {
        self.ask(function, path, None);
        self.completion().payload[0]
    }

    /// The next access to a register: offset, data if it is written, and enables; it is answered.
    fn access(&mut self, answer: u32) -> (u32, Option<u32>, u32) {
        while !self.bench.sim.peek(self.io.register.valid) {
            self.wait(1);
        }
        let (sim, access) = (&mut self.bench.sim, &self.io.register.payload);
        let [offset, data, enables] =
            [sim.peek(access.offset), sim.peek(access.data), sim.peek(access.enables)].map(|it| it as u32);
        let write = sim.peek(access.write).then_some(data);
        sim.poke(self.io.register.ready, true);
        self.wait(1);
        self.bench.sim.poke(self.io.register.ready, false);
        self.bench.sim.poke(self.io.answer.valid, true);
        self.bench.sim.poke(self.io.answer.payload.data, u128::from(answer));
        self.bench.sim.poke(self.io.answer.payload.aborted, self.aborts);
        self.wait(1);
        self.bench.sim.poke(self.io.answer.valid, false);
        (offset, write, enables)
    }
}

/// The completion of the request for a reset comes before the reset (6.6.2), however long it waits.
#[test]
fn a_reset_waits_for_its_completion() {
    let mut host = Host::new(&Config::small());
    host.write(0, "header.command_status.bus_master", 1 << 2);
    host.sink.pace = 0.0;
    host.ask(0, "express.device_control.function_reset", Some(1 << 15));
    host.wait(3000);
    assert_eq!(host.bench.sim.peek(host.io.settings.bus_master), 1);
    assert_eq!(host.bench.sim.peek(host.io.was_reset), 0);
    host.sink.pace = 1.0;
    host.wait(1000);
    assert_eq!(host.bench.sim.peek(host.io.settings.bus_master), 0);
    assert_eq!(host.bench.sim.peek(host.io.was_reset), 1);
    host.bench.sim.poke(host.io.acknowledge, 1);
    host.wait(1);
    assert_eq!(host.bench.sim.peek(host.io.was_reset), 0);
}

/// Virtual functions that vanish are reset, all that were there and no other.
#[test]
fn virtual_functions_vanish() {
    let mut host = Host::new(&Config::small());
    host.write(0, "virtualization.number.number", 2);
    host.write(0, "virtualization.control.enable", 1);
    host.write(2, "header.command_status.bus_master", 1 << 2);
    assert_eq!(host.bench.sim.peek(host.io.settings.bus_master), 0b00100);
    host.write(0, "virtualization.control.enable", 0);
    host.wait(2 * 1000);
    assert_eq!(host.bench.sim.peek(host.io.settings.bus_master), 0);
    assert_eq!(host.bench.sim.peek(host.io.was_reset), 0b01100);
}

/// A reset of the physical function ends its virtual ones (9.2.2.3): they are gone at once, and reset.
#[test]
fn a_reset_of_the_physical_function() {
    let mut host = Host::new(&Config::small());
    host.write(0, "virtualization.number.number", 3);
    host.write(0, "virtualization.control.enable", 1);
    host.write(3, "header.command_status.bus_master", 1 << 2);
    host.write(1, "header.command_status.bus_master", 1 << 2);
    host.write(0, "express.device_control.function_reset", 1 << 15);
    host.wait(100);
    assert_eq!(host.bench.sim.peek(host.io.stopped), 0b11101);
    host.wait(5000);
    assert_eq!(host.bench.sim.peek(host.io.was_reset), 0b11101);
    assert_eq!(host.bench.sim.peek(host.io.settings.bus_master), 0b00010);
    host.ask(3, "header.command_status.bus_master", None);
    assert_eq!(host.completion().header[1] >> 13 & 7, 1, "there is no such function");
    assert_eq!(host.read(0, "virtualization.number.number") & 0xFFFF, 0);
}

/// In D3hot a function sends nothing, nor do the virtual ones of the physical one; it answers configuration requests only.
#[test]
fn asleep() {
    let mut host = Host::new(&Config::small());
    host.write(0, "header.bar0.address", 0x4444_0000);
    host.write(0, "header.command_status.memory_space", 6);
    host.write(0, "power.control.power_state", 3);
    let read = Packet { header: [2, 5 << 16 | 7 << 8 | 0xFF, 0x4444_0010, 0], payload: vec![] };
    host.send(&read);
    assert_eq!(host.completion().header[1] >> 13 & 7, 1, "unsupported in D3hot");
    host.write(0, "virtualization.number.number", 1);
    host.write(0, "virtualization.control.enable", 1);
    host.write(2, "header.command_status.bus_master", 1 << 2);
    for function in [0, 2] {
        let (io, sim) = (&host.io, &mut host.bench.sim);
        let (command, data) = (&io.write[0], &io.write_data[0]);
        sim.poke(command.payload.function, function);
        sim.poke(command.payload.address, 0x1000);
        sim.poke(command.payload.length, 4);
        sim.poke(data.payload.count, 4);
        sim.poke(data.payload.last, true);
        sim.poke(data.payload.error, false);
        let mut offered = [true; 2];
        let mut ended = None;
        for _ in 0..50 {
            let (io, sim) = (&host.io, &mut host.bench.sim);
            sim.poke(io.write[0].valid, offered[0]);
            sim.poke(io.write_data[0].valid, offered[1]);
            let taken = [sim.peek(io.write[0].ready), sim.peek(io.write_data[0].ready)];
            (0..2).for_each(|stream| offered[stream] &= !taken[stream]);
            if sim.peek(io.written[0].valid) {
                ended = Some(sim.peek(io.written[0].payload.bits()));
            }
            host.wait(1);
        }
        assert_eq!(ended, Some(Outcome::Stopped as u128), "{function}");
    }
    assert!(host.sink.got.is_empty());
    assert_eq!(host.read(0, "power.control.power_state"), 0b1011);
    host.write(0, "power.control.power_state", 0);
    host.send(&read);
    host.access(1);
    host.access(2);
    assert_eq!(host.completion().payload, [1, 2]);
}

/// Every access that the virtio window allows (virtio 4.1.4.9), and some that it does not.
#[test]
fn the_virtio_window() {
    let mut host = Host::new(&Config::small());
    let data = "virtio_access.data.data";
    for (size, offsets) in [(1, vec![0, 1, 2, 3, 0x3FFF]), (2, vec![0, 2, 0x1006]), (4, vec![0, 0x3FFC])] {
        for offset in offsets {
            host.write(0, "virtio_access.place.bar", 0);
            host.write(0, "virtio_access.offset.offset", offset);
            host.write(0, "virtio_access.size.size", size);
            let low = 8 * (offset & 3);
            let lanes = ((1 << size) - 1) << (offset & 3);
            host.ask(0, data, Some(0x8765_4321));
            let (at, written, enables) = host.access(0);
            host.completion();
            assert_eq!((at, enables), (offset & !3, lanes), "{size} at {offset:#x}");
            assert_eq!(written, Some(0x8765_4321u32 << low));
            host.ask(0, data, None);
            assert_eq!(host.access(0xFEDC_BA98), (offset & !3, None, lanes));
            let mask = u32::MAX >> (32 - 8 * size);
            assert_eq!(host.completion().payload, [0xFEDC_BA98 >> low & mask]);
        }
    }
    for (size, offset) in [(2, 1), (4, 2), (3, 0), (0, 0), (8, 0), (4, 0x4000), (1, 1 << 31)] {
        host.write(0, "virtio_access.offset.offset", offset);
        host.write(0, "virtio_access.size.size", size);
        assert_eq!(host.read(0, data), 0, "{size} at {offset:#x}");
    }
    // The data of a message in the MSI-X table, and what is behind its base address.
    host.write(0, "virtio_access.place.bar", 2);
    host.write(0, "virtio_access.size.size", 2);
    for (offset, written) in [(0x28, 0x4321), (0x2A, 0x8765), (0x2028, 0xFFFF)] {
        host.write(0, "virtio_access.offset.offset", offset);
        host.ask(0, data, Some(written));
        host.completion();
        assert_eq!(host.read(0, data), if offset < 0x2000 { written } else { 0 }, "{offset:#x}");
    }
    host.write(0, "virtio_access.offset.offset", 0x28);
    host.write(0, "virtio_access.size.size", 4);
    assert_eq!(host.read(0, data), 0x8765_4321);
    host.write(0, "virtio_access.place.bar", 1);
    assert_eq!(host.read(0, data), 0);
    host.write(0, "virtio_access.place.bar", 0);
    host.write(0, "virtio_access.offset.offset", 0);
    // The manager has something else there.
    assert_eq!(host.read(1, data), 0);
    host.ask(0, data, None);
    host.access(7);
    assert_eq!(host.completion().payload, [7]);
}

/// A read with its function's own number, by the address that was written into its base address.
#[test]
fn memory_requests_reach_registers() {
    let mut host = Host::new(&Config::small());
    host.write(0, "header.bar0.address", 0x4444_0000);
    host.write(0, "header.bar1.address", 0x12);
    let read =
        Packet { header: [0x20 << 24 | 2, 5 << 16 | 7 << 8 | 0xFF, 0x12, 0x4444_0010], payload: vec![] };
    host.send(&read);
    assert_eq!(host.completion().header[1] >> 13 & 7, 1, "Memory Space is not enabled");
    host.write(0, "header.command_status.memory_space", 2);
    host.send(&read);
    assert_eq!(host.access(0x1111), (0x10, None, 15));
    assert_eq!(host.access(0x2222), (0x14, None, 15));
    let completion = host.completion();
    assert_eq!(completion.payload, [0x1111, 0x2222]);
    assert_eq!(completion.header, [0x4A << 24 | 2, 0x100 << 16 | 8, 5 << 16 | 7 << 8 | 0x10, 0]);
}

/// A reset waits for packets that find no credits, wherever they are: none of the function leaves after it.
#[test]
fn a_reset_waits_for_credits() {
    let mut host = Host::new(&Config::small());
    host.write(1, "header.command_status.bus_master", 1 << 2);
    let sim = &mut host.bench.sim;
    let credits = host.io.posted_credits;
    sim.poke(credits.infinite_headers, false);
    sim.poke(credits.headers, 0);
    let mut commands = Source::new(&host.io.write[0], 1.0);
    let mut data = Source::new(&host.io.write_data[0], 1.0);
    for _ in 0..40 {
        let mut command = word(0, 1);
        command.extend(word(4, LENGTH_BITS));
        command.extend(word(0x1000, 64));
        command.extend(word(1, function_bits(&Config::small())));
        commands.send([command]);
        let frame = Frame { data: vec![1; 4], error: false };
        data.send(frame.beats(host.bytes, &mut host.bench.rng));
    }
    let mut run = |host: &mut Host, cycles: usize| {
        (0..cycles).for_each(|_| host.bench.cycle(&mut [&mut commands, &mut data, &mut host.sink]));
        commands.queue.len()
    };
    let waiting = run(&mut host, 1000);
    assert!((1..30).contains(&waiting), "everything on the way is full, and {waiting} commands wait");
    host.ask(1, "express.device_control.function_reset", Some(1 << 15));
    run(&mut host, 5000);
    assert_eq!(host.bench.sim.peek(host.io.was_reset), 0);
    let writes = |host: &Host| {
        let packets = Packet::all(&host.sink.got, host.bytes);
        packets.iter().filter(|packet| packet.header[0] >> 24 == 0x40).count()
    };
    // One after the other gets credits.
    let mut credit = 0;
    while host.bench.sim.peek(host.io.was_reset) == 0 {
        credit += 1;
        assert!(credit < 60, "the reset ends");
        host.bench.sim.poke(host.io.posted_credits.headers, credit);
        run(&mut host, 2500);
    }
    let before = writes(&host);
    assert!(before > 10, "{before} packets were on the way");
    host.bench.sim.poke(host.io.posted_credits.headers, credit + 100);
    run(&mut host, 2000);
    assert_eq!(writes(&host), before, "nothing leaves after the reset");
}

/// Errors that are found in a function before its reset leave nothing behind it: no bit, and no message.
#[test]
fn errors_before_a_reset() {
    let mut host = Host::new(&Config::small());
    host.write(1, "express.device_control.report_nonfatal", 15);
    host.write(1, "header.bar0.address", 0x4444_0000);
    host.write(1, "header.command_status.memory_space", 2);
    let credits = host.io.posted_credits;
    host.bench.sim.poke(credits.infinite_headers, false);
    host.bench.sim.poke(credits.headers, 0);
    // More than have room on the way to the link.
    for _ in 0..30 {
        host.send(&Packet { header: [0x4000_4001, 0xF, 0x4444_0000, 0], payload: vec![1] });
        host.wait(200);
    }
    host.ask(1, "express.device_control.function_reset", Some(1 << 15));
    host.wait(3000);
    assert_eq!(host.bench.sim.peek(host.io.was_reset), 0, "messages wait");
    let mut credit = 0;
    while host.bench.sim.peek(host.io.was_reset) == 0 {
        credit += 1;
        assert!(credit < 60, "the reset ends");
        host.bench.sim.poke(credits.headers, credit);
        host.wait(2500);
    }
    let messages = |host: &Host| Packet::all(&host.sink.got, host.bytes).len();
    let before = messages(&host);
    assert!(before > 10, "{before} messages were on the way");
    host.bench.sim.poke(credits.headers, credit + 50);
    host.wait(3000);
    assert_eq!(messages(&host), before, "nothing leaves after the reset");
    host.sink.got.clear();
    assert_eq!(host.read(1, "express.device_control.nonfatal_detected") >> 16 & 0xF, 0);
    assert_eq!(host.read(1, "header.command_status.detected_parity") >> 24, 0);
    // What comes now is reported.
    host.write(1, "header.bar0.address", 0x4444_0000);
    host.write(1, "header.command_status.memory_space", 2);
    host.send(&Packet { header: [0x4000_4001, 0xF, 0x4444_0000, 0], payload: vec![1] });
    host.wait(200);
    assert_eq!(host.read(1, "express.device_control.nonfatal_detected") >> 16 & 0xF, 2);
}

/// Status shows that a function sent something poisoned, if it may show parity errors; and that it aborted a write.
#[test]
fn what_status_shows() {
    let mut host = Host::new(&Config::small());
    let status = |host: &mut Host| {
        let status = host.read(1, "header.command_status.detected_parity") >> 16 & 0xFF00;
        host.write(1, "header.command_status.detected_parity", 0xFF00 << 16 | 1 << 6 | 6);
        status
    };
    host.write(1, "header.bar0.address", 0x4444_0000);
    for parity in [0, 1] {
        host.write(1, "header.command_status.bus_master", parity << 6 | 6);
        let mut commands = Source::new(&host.io.write[0], 1.0);
        let mut data = Source::new(&host.io.write_data[0], 1.0);
        let mut command = word(0, 1);
        command.extend(word(4, LENGTH_BITS));
        command.extend(word(0x1000, 64));
        command.extend(word(1, function_bits(&Config::small())));
        commands.send([command]);
        data.send(Frame { data: vec![1; 4], error: true }.beats(host.bytes, &mut host.bench.rng));
        (0..300).for_each(|_| host.bench.cycle(&mut [&mut commands, &mut data, &mut host.sink]));
        host.bench.sim.poke(host.io.write[0].valid, false);
        host.bench.sim.poke(host.io.write_data[0].valid, false);
        let sent = Packet::of(&std::mem::take(&mut host.sink.got), host.bytes);
        assert_eq!(sent.header[0] >> 14 & 1, 1, "poisoned");
        assert_eq!(status(&mut host), parity << 8);
    }
    host.send(&Packet { header: [0x4000_0001, 0xF, 0x4444_0000, 0], payload: vec![1] });
    host.aborts = true;
    host.access(0);
    host.wait(300);
    assert_eq!(status(&mut host), 1 << 11, "Signaled Target Abort");
}

/// A virtual function that still answers when its physical one is reset answers from the place that it had.
#[test]
fn a_completion_keeps_its_completer() {
    let mut host = Host::new(&Config { vfs: 9, ..Config::small() });
    host.write(0, "virtualization.number.number", 9);
    host.write(0, "virtualization.bar0.address", 0x4444_0000);
    host.write(0, "virtualization.control.enable", 9);
    host.wait(100);
    // Completions pile up, that of the request for a reset among them; then comes a read from the fourth virtual function.
    host.sink.pace = 0.0;
    (0..20).for_each(|_| host.ask(0, "header.id.vendor", None));
    host.ask(0, "express.device_control.function_reset", Some(1 << 15));
    host.send(&Packet { header: [1, 5 << 16 | 7 << 8 | 15, 0x4444_C000, 0], payload: vec![] });
    let asked = (0..1000).find(|_| {
        host.wait(1);
        host.bench.sim.peek(host.io.register.valid)
    });
    assert!(asked.is_some(), "it is read");
    host.bench.sim.poke(host.io.register.ready, true);
    host.wait(1);
    host.bench.sim.poke(host.io.register.ready, false);
    assert_eq!(host.bench.sim.peek(host.io.stopped) & 1, 0);
    host.sink.pace = 1.0;
    host.wait(3000);
    assert_eq!(host.bench.sim.peek(host.io.was_reset) & 1, 1);
    host.sink.got.clear();
    host.bench.sim.poke(host.io.answer.valid, true);
    host.bench.sim.poke(host.io.answer.payload.data, 7);
    host.bench.sim.poke(host.io.answer.payload.aborted, false);
    host.wait(1);
    host.bench.sim.poke(host.io.answer.valid, false);
    let completion = host.completion();
    assert_eq!((completion.header[1] >> 16, completion.payload), (0x203, vec![7]));
}
