//! The endpoint.

use super::{
    base_addresses::base_addresses,
    completer::completer,
    config_requests::config_requests,
    configuration::{Settings, configuration, function_bits, places},
    errors::ErrorEvent,
    identity::Identity,
    msix::{Vector, msix},
    receiver::receiver,
    register_bus::{RegisterAccess, RegisterAnswer},
    reporter::reporter,
    resets::resets,
    routing::routing,
    tlp::TlpBeat,
    transmitter::{Credits, transmitter},
};
use crate::{
    config::Config,
    dma::{Command, Outcome, ReadBeat, read::read_engine, write::write_engine},
    frame::Beat,
    prim::{self, Policy},
};
use hdl::*;

/// Clients of the write engine; MSI-X is another one.
pub const WRITE_CLIENTS: usize = 2;

/// Clients of the read engine.
pub const READ_CLIENTS: usize = 3;

/// Read requests that may be under way.
pub const TAGS: usize = 64;

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
    /// What the host has room for.
    #[input]
    pub posted_credits: Credits,
    #[input]
    pub completion_credits: Credits,
    /// Of non-posted requests.
    #[input]
    pub request_credits: Credits,
    /// A sixteenth of the time has passed after which a read without a completion is given up: 10 to 50 ms in all (2.8).
    #[input]
    pub tick: Bool,
    /// To the write engine; see [`crate::dma::write::WriteEngineIo`].
    #[input]
    #[ty(vec![Stream::ty(Command::ty(config)); WRITE_CLIENTS])]
    pub write: Vec<Stream<Command>>,
    #[input]
    #[ty(vec![Stream::ty(Beat::ty(config.bytes)); WRITE_CLIENTS])]
    pub write_data: Vec<Stream<Beat>>,
    #[output]
    #[ty(vec![Valid::ty(Enum::ty()); WRITE_CLIENTS])]
    pub written: Vec<Valid<Enum<Outcome>>>,
    /// To the read engine; see [`crate::dma::read::ReadEngineIo`].
    #[input]
    #[ty(vec![Stream::ty(Command::ty(config)); READ_CLIENTS])]
    pub read: Vec<Stream<Command>>,
    #[output]
    #[ty(vec![Stream::ty(ReadBeat::ty(config.bytes)); READ_CLIENTS])]
    pub read_data: Vec<Stream<ReadBeat>>,
    /// Interrupts that are wanted, and those that no longer are; see [`super::msix::MsixIo`].
    #[input]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub vector: Stream<Vector>,
    #[input]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub clear: Stream<Vector>,
    /// Accesses to the registers of the functions; `msix` is always 0.
    #[output]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub register: Stream<RegisterAccess>,
    /// One for each access, before the next.
    #[input]
    pub answer: Valid<RegisterAnswer>,
    /// Functions that may not send: their commands end with [`Outcome::Stopped`].
    #[output]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
    /// This function's state is to be cleared; taken when it is done. It is among `stopped`.
    #[output]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub reset: Stream<Bits>,
    /// Functions whose reset is over since their bit was last acknowledged. The manager gets its first interrupt for each.
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
///  rx_tlp ─► receiver ─┬─► completer ─┬─► config_requests ─► configuration ─► settings
///                      │              ├─► base_addresses        ▲    ▲
///                      │              └─► register bus, msix    │    └─ resets ◄─ requests for them
///                      ├─► errors ───────────► reporter ────────┘
///                      │ completions              │ messages
///                      └─► read engine            ▼
///                             │ requests        posted ◄─ write engine ◄─ write, msix
///  tx_tlp ◄─ transmitter ◄────┴─ completions ─────┘
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
        let msix = msix(config);
        let reporter = reporter(config);
        let resets = resets(config);
        let writer = write_engine(config, WRITE_CLIENTS + 1);
        let reader = read_engine(config, READ_CLIENTS, TAGS);
        let transmitter = transmitter(config);
        let settings = &configuration.settings;
        let cleared = configuration.cleared & msix.cleared;
        io.settings.set(settings.clone());
        io.cleared.set(cleared);

        // Requests of the host, when there are functions to answer them.
        let rx = &receiver.rx_tlp;
        rx.valid.set(io.rx_tlp.valid & cleared);
        rx.payload.set(io.rx_tlp.payload);
        io.rx_tlp.ready.set(rx.ready & cleared);
        receiver.payload.set(settings.payload);
        completer.posted.connect(&receiver.posted);
        completer.posted_data.connect(&receiver.posted_data);
        completer.non_posted.connect(&receiver.non_posted);
        let (first_vf, _) = places(settings.vf_number.into(), settings.alternative_routing);
        let first_vf = io.legacy.mux(lit(2, 16), first_vf);
        let identity = Identity { bus: requests.bus, first_vf: delay_without_reset(first_vf).as_u() };
        completer.identity.set(identity);

        // Configuration requests.
        requests.request.connect(&completer.config_request);
        completer.config_completion.connect(&requests.completion);
        completer.config_owner.set(requests.owner);
        routing.target.set(requests.target);
        routing.is_type_1.set(requests.is_type_1);
        routing.bus.set(requests.bus);
        requests.found.set(routing.found);
        // The reporter reads registers between them; answers come in the order of accesses.
        let accesses = prim::stream_arbiter(requests.access.payload, 2, Policy::RoundRobin);
        accesses.inputs[0].connect(&requests.access);
        accesses.inputs[1].connect(&reporter.access);
        let access = &accesses.output;
        configuration.access.valid.set(access.valid);
        configuration.access.payload.set(access.payload.beat);
        access.ready.set(configuration.access.ready);
        let is_of_reporter = reg_without_reset(flag());
        when(access.fire(), || is_of_reporter.set(access.payload.port.as_bool()));
        let answer = configuration.answer;
        requests.answer.set(Valid { valid: answer.valid & !is_of_reporter, payload: answer.payload });
        reporter.answer.set(Valid { valid: answer.valid & is_of_reporter, payload: answer.payload });
        routing.legacy.set(io.legacy);
        routing.legacy_functions.set(io.legacy_functions);
        routing.vf_enable.set(settings.vf_enable);
        routing.vf_number.set(settings.vf_number);
        routing.alternative_routing.set(settings.alternative_routing);
        configuration.legacy.set(io.legacy);
        configuration.multifunction.set(!io.legacy | Bits::from(io.legacy_functions).gt(1));
        configuration.serial.set(io.serial);
        configuration.pending.set(reader.pending);
        configuration.mark.connect(&reporter.mark);

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
        let access = windowed.mux(requests.register.payload, completer.register.payload);
        let accesses = windowed | completer.register.valid;
        io.register.valid.set(accesses & !access.msix);
        io.register.payload.set(access);
        msix.access.valid.set(accesses & access.msix);
        msix.access.payload.set(access);
        let ready = access.msix.mux(msix.access.ready, io.register.ready);
        requests.register.ready.set(ready);
        completer.register.ready.set(ready);
        let answered = msix.answer.valid.mux(msix.answer.payload, io.answer.payload);
        let answer = Valid { valid: msix.answer.valid | io.answer.valid, payload: answered };
        requests.register_answer.set(answer);
        requests.stopped.set(resets.stopped);
        completer.answer.set(answer);
        io.register.assert_stable();

        // Who may send. A virtual function is in the power state of its physical one (9.6.1).
        let virtuals = match config.vfs {
            0 => lit(0, 2),
            vfs => cat([lit(u128::MAX >> (128 - vfs), vfs), lit(0, 2)]),
        };
        let sleep = (settings.asleep.bit(0) & !io.legacy).bits().repeat(functions) & virtuals;
        let bus_master = delay(settings.bus_master & !settings.asleep & !sleep);
        io.stopped.set(resets.stopped);

        // Writes of clients and interrupts.
        writer.identity.set(identity);
        writer.payload.set(settings.payload);
        writer.relaxed_ordering.set(settings.relaxed_ordering);
        writer.bus_master.set(bus_master);
        writer.stopped.set(resets.stopped);
        for client in 0..WRITE_CLIENTS {
            writer.command[client].connect(&io.write[client]);
            writer.data[client].connect(&io.write_data[client]);
            io.written[client].set(writer.done[client]);
        }
        writer.command[WRITE_CLIENTS].connect(&msix.command);
        writer.data[WRITE_CLIENTS].connect(&msix.data);
        msix.done.set(writer.done[WRITE_CLIENTS]);
        msix.msix_enable.set(settings.msix_enable);
        msix.msix_mask.set(settings.msix_mask);
        msix.bus_master.set(bus_master);
        msix.stopped.set(resets.stopped);
        msix.clear.connect(&io.clear);

        // Reads.
        for client in 0..READ_CLIENTS {
            reader.commands[client].connect(&io.read[client]);
            io.read_data[client].connect(&reader.data[client]);
        }
        reader.identity.set(identity);
        reader.read_request.set(settings.read_request);
        reader.extended_tags.set(settings.extended_tags);
        reader.relaxed_ordering.set(settings.relaxed_ordering);
        reader.timeout_disable.set(settings.timeout_disable);
        reader.tick.set(io.tick);
        reader.bus_master.set(bus_master);
        reader.stopped.set(resets.stopped);
        reader.completion.valid.set(receiver.completion.valid);
        reader.completion.payload.set(receiver.completion.payload);
        reader.malformed.set(receiver.malformed);

        // What is sent.
        transmitter.posted_credits.set(io.posted_credits);
        transmitter.completion_credits.set(io.completion_credits);
        transmitter.request_credits.set(io.request_credits);
        // A message goes between two packets. No register stands here: what the engine has handed over is in the transmitter.
        let (packet, message, posted) = (&writer.packet, &reporter.message, &transmitter.posted);
        let offers_packet = reg(flag());
        let offers_message = reg(flag());
        let is_message = offers_message | (!offers_packet & message.valid);
        posted.valid.set(is_message.mux(message.valid, packet.valid));
        posted.payload.set(is_message.mux(message.payload, packet.payload));
        packet.ready.set(posted.ready & !is_message);
        message.ready.set(posted.ready & is_message);
        when(posted.valid, || {
            let goes_on = !(posted.ready & posted.payload.last);
            offers_message.set(is_message & goes_on);
            offers_packet.set(!is_message & goes_on);
        });
        transmitter.completion.connect(&completer.completion);
        transmitter.request.connect(&reader.request);
        io.tx_tlp.connect(&transmitter.tx);

        // What went wrong. More errors at once than these hold are lost.
        const ERRORS: usize = 4;
        let errors = prim::stream_arbiter(ErrorEvent::ty(config), 3, Policy::RoundRobin);
        for (input, error) in errors.inputs.iter().zip([&receiver.error, &completer.error]) {
            let kept = prim::fifo(ErrorEvent::ty(config), ERRORS);
            kept.enq.valid.set(error.valid & kept.enq.ready);
            kept.enq.payload.set(error.payload);
            input.connect(&kept.deq);
        }
        errors.inputs[2].connect(&reader.error);
        reporter.legacy.set(io.legacy);
        reporter.legacy_functions.set(io.legacy_functions);
        reporter.identity.set(identity);
        reporter.error.valid.set(errors.output.valid);
        reporter.error.payload.set(errors.output.payload.beat);
        errors.output.ready.set(reporter.error.ready);

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
        resets.quiet.set(writer.quiet & reader.quiet & msix.quiet);
        transmitter.mark.set(resets.mark);
        resets.passed.set(transmitter.passed);
        msix.reset.connect(&resets.msix);
        configuration.reset.connect(&resets.configuration);
        io.reset.connect(&resets.device);
        let is_done = prim::decode(resets.done.payload, functions);
        let done = is_done & resets.done.valid.bits().repeat(functions);
        let was_reset = reg(bits(functions));
        was_reset.set((was_reset & !io.acknowledge) | done);
        io.was_reset.set(was_reset);
        let announces = reg(flag());
        let vectors = prim::stream_arbiter(Vector::ty(config), 2, Policy::RoundRobin);
        vectors.inputs[0].connect(&io.vector);
        vectors.inputs[1].valid.set(announces);
        let of_manager = Vector { function: lit(1, function_bits(config)), ..Vector::ty(config).zero() };
        vectors.inputs[1].payload.set(of_manager);
        // Nobody is told of the manager's own reset: its driver is gone.
        let is_news = resets.done.valid & resets.done.payload.ne(1);
        when(is_news, || announces.set(true)).elsewhen(vectors.inputs[1].ready, || announces.set(false));
        msix.vector.valid.set(vectors.output.valid);
        msix.vector.payload.set(vectors.output.payload.beat);
        vectors.output.ready.set(msix.vector.ready);
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
