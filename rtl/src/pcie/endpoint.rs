//! The endpoint.

#[cfg(test)]
mod tests;

use super::{
    base_addresses::base_addresses,
    completer::completer,
    config_requests::config_requests,
    configuration::{Settings, configuration, function_bits},
    errors::{ErrorEvent, ErrorKind},
    identity::{Identity, places},
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
        receiver.payload.set(settings.received_payload);
        completer.posted.connect(&receiver.posted);
        completer.posted_data.connect(&receiver.posted_data);
        completer.non_posted.connect(&receiver.non_posted);
        let (first_vf, _) = places(config, settings.vf_number.into(), settings.alternative_routing);
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

        // Who may send.
        let bus_master = delay(settings.bus_master & !settings.asleep);
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
        let errors = prim::stream_arbiter(ErrorEvent::ty(config), 4, Policy::RoundRobin);
        for (input, error) in errors.inputs.iter().zip([&receiver.error, &completer.error]) {
            let kept = prim::fifo(ErrorEvent::ty(config), ERRORS);
            kept.enq.valid.set(error.valid & kept.enq.ready);
            kept.enq.payload.set(error.payload);
            input.connect(&kept.deq);
        }
        errors.inputs[2].connect(&reader.error);
        let poisoned = prim::fifo(writer.poisoned.payload, ERRORS);
        poisoned.enq.valid.set(writer.poisoned.valid & poisoned.enq.ready);
        poisoned.enq.payload.set(writer.poisoned.payload);
        let function = Valid { valid: true.to_bool(), payload: poisoned.deq.payload };
        let kind = ErrorKind::SentPoisoned.to_enum();
        errors.inputs[3].valid.set(poisoned.deq.valid);
        errors.inputs[3].payload.set(ErrorEvent { kind, function, ..ErrorEvent::ty(config).zero() });
        poisoned.deq.ready.set(errors.inputs[3].ready);
        reporter.legacy.set(io.legacy);
        reporter.legacy_functions.set(io.legacy_functions);
        reporter.identity.set(identity);
        reporter.stopped.set(resets.stopped);
        reporter.flush.set(resets.flush);
        resets.flushed.set(reporter.flushed);
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
