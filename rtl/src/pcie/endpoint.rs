//! The endpoint.

use super::{
    base_addresses::base_addresses,
    completer::completer,
    config_requests::config_requests,
    configuration::{Settings, configuration, function_bits, places},
    identity::Identity,
    receiver::receiver,
    register_bus::{RegisterAccess, RegisterAnswer},
    resets::resets,
    routing::routing,
    tlp::TlpBeat,
};
use crate::config::Config;
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct EndpointIo {
    /// The legacy personality; a strap.
    #[input]
    pub legacy: Bool,
    /// How many functions it has: 1, 2, 4 or 8, not more than there are; a strap.
    #[input]
    pub legacy_functions: U<4>,
    /// EUI-64 of the adapter.
    #[input]
    pub serial: U<64>,
    /// What comes from the host. Waits only behind eight requests that are not posted.
    #[input]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub rx_tlp: Stream<TlpBeat>,
    /// What goes to the host.
    #[output]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub tx_tlp: Stream<TlpBeat>,
    /// Accesses to the registers of the functions; `msix` is always 0.
    #[output]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub register: Stream<RegisterAccess>,
    /// One for each access, before the next.
    #[input]
    pub answer: Valid<RegisterAnswer>,
    /// This function's state is to be cleared; taken when it is done.
    #[output]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub reset: Stream<Bits>,
    /// Functions whose reset is over since their bit was last acknowledged.
    #[output]
    #[ty(bits(config.functions()))]
    pub was_reset: Bits,
    /// Clears those bits of `was_reset`.
    #[input]
    #[ty(bits(config.functions()))]
    pub acknowledge: Bits,
    #[output]
    #[ty(Settings::ty(config))]
    pub settings: Settings,
    /// The fundamental reset is over.
    #[output]
    pub cleared: Bool,
}

/// ```text
///  rx_tlp ─► receiver ─► completer ─┬─► config_requests ─► configuration ─► settings
///                            ▲  │   │      └─► routing        ▲      └─► base addresses
///  tx_tlp ◄──────────────────┼──┘   └─► base_addresses        │ reset
///                            │                             resets ◄─ reset requests
///                       register bus
/// ```
#[hdl]
pub fn endpoint(config: &Config) -> EndpointIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("pcie_endpoint_{}x{}", config.functions(), 8 * config.bytes);
    module(name, EndpointIo::ty(config), |io| {
        let functions = config.functions();
        let receiver = receiver(config);
        let completer = completer(config);
        let requests = config_requests(config);
        let routing = routing(config);
        let configuration = configuration(config);
        let base_addresses = base_addresses(config);
        let resets = resets(config);
        let settings = &configuration.settings;
        io.settings.set(settings.clone());
        io.cleared.set(configuration.cleared);

        // Requests of the host, when there are functions to answer them.
        let rx = &receiver.rx_tlp;
        rx.valid.set(io.rx_tlp.valid & configuration.cleared);
        rx.payload.set(io.rx_tlp.payload);
        io.rx_tlp.ready.set(rx.ready & configuration.cleared);
        receiver.payload.set(settings.payload);
        completer.posted.connect(&receiver.posted);
        completer.posted_data.connect(&receiver.posted_data);
        completer.non_posted.connect(&receiver.non_posted);
        let (first_vf, _) = places(settings.vf_number.into(), settings.alternative_routing);
        let first_vf = io.legacy.mux(lit(2, 16), first_vf);
        let identity = Identity { bus: requests.bus, first_vf: delay_without_reset(first_vf).as_u() };
        completer.identity.set(identity);
        io.tx_tlp.connect(&completer.completion);

        // Configuration requests.
        requests.request.connect(&completer.config_request);
        completer.config_completion.connect(&requests.completion);
        completer.config_owner.set(requests.owner);
        routing.target.set(requests.target);
        routing.is_type_1.set(requests.is_type_1);
        routing.bus.set(requests.bus);
        requests.found.set(routing.found);
        configuration.access.connect(&requests.access);
        requests.answer.set(configuration.answer);
        routing.legacy.set(io.legacy);
        routing.legacy_functions.set(io.legacy_functions);
        routing.vf_enable.set(settings.vf_enable);
        routing.vf_number.set(settings.vf_number);
        routing.alternative_routing.set(settings.alternative_routing);
        configuration.legacy.set(io.legacy);
        configuration.multifunction.set(!io.legacy | Bits::from(io.legacy_functions).gt(1));
        configuration.serial.set(io.serial);
        configuration.pending.set(0);
        configuration.mark.valid.set(false);
        configuration.mark.payload.set(configuration.mark.payload.zero());

        // Memory requests.
        base_addresses.legacy.set(io.legacy);
        base_addresses.legacy_functions.set(io.legacy_functions);
        base_addresses.settings.set(settings.clone());
        base_addresses.stopped.set(resets.stopped);
        base_addresses.changed.set(configuration.changed);
        base_addresses.start.set(completer.search);
        base_addresses.address.set(completer.address);
        completer.hit.set(base_addresses.hit);

        // Registers, of one request at a time: through the window, or by address.
        let windowed = requests.register.valid;
        io.register.valid.set(windowed | completer.register.valid);
        io.register.payload.set(windowed.mux(requests.register.payload, completer.register.payload));
        requests.register.ready.set(io.register.ready);
        completer.register.ready.set(io.register.ready);
        requests.register_answer.set(io.answer);
        completer.answer.set(io.answer);
        io.register.assert_stable();

        // A function is reset when the completion of the request for it has left (6.6.2).
        let asks = configuration.reset_request;
        let is_asked = reg(flag());
        let asked = reg_without_reset(bits(function_bits(config)));
        let completes = requests.completion.fire();
        when(asks.valid, || {
            is_asked.set(true);
            asked.set(asks.payload);
        })
        .elsewhen(completes, || is_asked.set(false));
        completer.asked.valid.set(is_asked);
        completer.asked.payload.set(asked);
        resets.request.set(completer.reset);
        resets.legacy.set(io.legacy);
        resets.vf_enable.set(settings.vf_enable);
        resets.vf_number.set(settings.vf_number);
        resets.quiet.set(lit(u128::MAX >> (128 - functions), functions));
        resets.passed.set(true);
        resets.msix.ready.set(true);
        configuration.reset.connect(&resets.configuration);
        io.reset.connect(&resets.device);
        let is_done = crate::prim::decode(resets.done.payload, functions);
        let done = is_done & resets.done.valid.bits().repeat(functions);
        let was_reset = reg(bits(functions));
        was_reset.set((was_reset & !io.acknowledge) | done);
        io.was_reset.set(was_reset);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
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
            while !bench.sim.peek(io.cleared) {
                bench.cycle(&mut []);
            }
            let sink = Sink::new(&io.tx_tlp, 1.0);
            Host { bench, io, sink, bytes: config.bytes, tag: 0 }
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
            let header =
                [kind << 24 | 1, self.tag << 8 | 15, 0x100 << 16 | function << 16 | offset as u32, 0];
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
                [sim.peek(access.offset), sim.peek(access.data), sim.peek(access.enables)]
                    .map(|it| it as u32);
            let write = sim.peek(access.write).then_some(data);
            sim.poke(self.io.register.ready, true);
            self.wait(1);
            self.bench.sim.poke(self.io.register.ready, false);
            self.bench.sim.poke(self.io.answer.valid, true);
            self.bench.sim.poke(self.io.answer.payload.data, u128::from(answer));
            self.bench.sim.poke(self.io.answer.payload.aborted, false);
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

    /// Every access that the virtio window allows (virtio 4.1.4.9), and some that it does not.
    #[test]
    fn the_virtio_window() {
        let mut host = Host::new(&Config::small());
        let data = "virtio_access.data.data";
        for (size, offsets) in [(1, vec![0, 1, 2, 3, 0x3FFF]), (2, vec![0, 2, 0x1006]), (4, vec![0, 0x3FFC])]
        {
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
        host.write(0, "virtio_access.offset.offset", 0);
        host.write(0, "virtio_access.size.size", 4);
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
}
