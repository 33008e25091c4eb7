//! The adapter: an endpoint, its functions, the bridge, and the ports of the wires.

use crate::{
    axi_lite::AxiLite,
    catalogue::Block,
    config::Config,
    dma::share::{read_share, write_share},
    ethernet::axi_stream::{AxiStream, from_axi_stream, to_axi_stream},
    frame::Beat,
    manager::{MANAGEMENT_BITS, manager},
    pcie::{endpoint::endpoint, msix::Vector, tlp::TlpBeat, transmitter::Credits},
    prim::{self, Policy},
    veb::{filters::FilterChange, veb},
    virtio::{
        READERS,
        control::control,
        fetch,
        inspect::inspect,
        moderation::moderation,
        receive::{collector, receive},
        registers::registers,
        store::store,
        transmit::transmit,
        types::{Fault, Used},
        used::used,
    },
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct NicIo {
    /// The legacy personality; a strap.
    #[input]
    pub legacy: Bool,
    /// How many functions it has: 1, 2, 4 or 8, not more than there are; a strap.
    #[input]
    pub legacy_functions: U<4>,
    /// EUI-64 of the adapter.
    #[input]
    pub serial: U<64>,
    /// What comes from the host; see [`crate::pcie::endpoint::EndpointIo`] for these and the next five.
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
    #[input]
    pub request_credits: Credits,
    /// A pulse every 0.7 to 3 ms: reads without a completion are given up after 16 of them.
    #[input]
    pub tick: Bool,
    /// Frames from the wires.
    #[input]
    #[ty(vec![AxiStream::ty(config.bytes); config.wires])]
    pub wire_rx: Vec<AxiStream>,
    /// Frames to the wires.
    #[output]
    #[ty(vec![AxiStream::ty(config.bytes); config.wires])]
    pub wire_tx: Vec<AxiStream>,
    /// Wires whose link is up.
    #[input]
    #[ty(bits(config.wires))]
    pub link_up: Bits,
    /// The manager's registers; see [`crate::manager`].
    #[input]
    #[ty(AxiLite::ty(MANAGEMENT_BITS))]
    pub axi: AxiLite,
    /// The adapter answers: its memories are cleared after reset.
    #[output]
    pub cleared: Bool,
}

/// ```text
///            ┌─ registers ─► fetch ─► store ─┬─► transmit ─┐
///  tlp ◄─► endpoint ◄──────────── used ◄─────┼── receive ◄─┼─ inspect ◄─ collector ─┐
///            │    └─ manager ─┐     ▲        └─► control   ▼                        │
///            └────────────────┼─ moderation        └────► veb ◄─► wires ────────────┘
/// ```
///
/// A frame that a function sends: doorbell, `fetch`, `store`, `transmit`, the bridge. One that it receives: the bridge, `collector`,
/// `inspect`, `receive`, `used`, `moderation`, MSI-X.
#[hdl]
pub fn nic(config: &Config) -> NicIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    module(format!("nic_{}", config.name), NicIo::ty(config), |io| {
        let functions = config.functions();
        let endpoint = endpoint(config);
        let manager = manager(config);
        let veb = veb(config);
        let registers = registers(config, READERS);
        let fetch = fetch::named(config);
        let store = store(config);
        let transmit = transmit(config);
        let collector = collector(config);
        let inspect = inspect(config);
        let receive = receive(config);
        let control = control(config);
        let used = used(config);
        let moderation = moderation(config);

        // The host.
        endpoint.legacy.set(io.legacy);
        endpoint.legacy_functions.set(io.legacy_functions);
        endpoint.serial.set(io.serial);
        endpoint.rx_tlp.connect(&io.rx_tlp);
        io.tx_tlp.connect(&endpoint.tx_tlp);
        endpoint.posted_credits.set(io.posted_credits);
        endpoint.completion_credits.set(io.completion_credits);
        endpoint.request_credits.set(io.request_credits);
        endpoint.tick.set(io.tick);
        let cleared = delay(endpoint.cleared & registers.cleared);
        io.cleared.set(cleared);

        // Registers, and resets, of the manager and of network functions.
        let access = &endpoint.register;
        let is_of_manager = access.payload.function.eq(1);
        manager.access.valid.set(access.valid & is_of_manager);
        manager.access.payload.set(access.payload);
        registers.access.valid.set(access.valid & !is_of_manager);
        registers.access.payload.set(access.payload);
        access.ready.set(is_of_manager.mux(manager.access.ready, registers.access.ready));
        endpoint.answer.set(manager.answer.valid.mux(manager.answer, registers.answer));
        registers.legacy.set(io.legacy);
        let resets_manager = endpoint.reset.payload.eq(1);
        registers.reset.valid.set(endpoint.reset.valid & !resets_manager);
        registers.reset.payload.set(endpoint.reset.payload);
        endpoint.reset.ready.set(resets_manager | registers.reset.ready);

        // The manager.
        manager.axi.connect(&io.axi);
        veb.axi.connect(&manager.bridge);
        manager.cleared.set(cleared);
        manager.was_reset.set(endpoint.was_reset);
        endpoint.acknowledge.set(manager.acknowledge);
        manager.driver_ok.set(registers.driver_ok);
        manager.broke.set(registers.broke);
        manager.dropped.set(receive.dropped);
        manager.link_up.set(io.link_up);
        registers.device.set(manager.device);
        receive.device.set(manager.device);
        moderation.row.set(manager.moderation);

        // Descriptors.
        fetch.doorbell.connect(&registers.doorbell);
        let lookups = [fetch.lookup, receive.lookup, used.lookup, control.lookup];
        registers.lookup.iter().zip(lookups).for_each(|(port, lookup)| port.set(lookup));
        for (found, port) in
            [fetch.found, receive.found, used.found, control.found].iter().zip(&registers.found)
        {
            found.set(*port);
        }
        store.push.valid.set(fetch.descriptor.valid);
        store.push.payload.set(fetch.descriptor.payload);
        fetch.descriptor.ready.set(true);
        fetch.taken.set(store.taken);
        for (port, pop) in store.pop.iter().zip([&transmit.pop, &receive.pop, &control.pop]) {
            port.connect(pop);
        }
        for (popped, port) in
            [&transmit.popped, &receive.popped, &control.popped].into_iter().zip(&store.popped)
        {
            popped.set(*port);
        }
        transmit.chains.set(store.chains);
        control.chains.set(store.chains);
        store.measure.set(receive.measure);
        receive.measured.set(store.measured);
        receive.busy.set(fetch.busy);
        collector.busy.set(fetch.busy);
        collector.plenty.set(store.plenty);
        collector.pairs.set(control.pairs);
        receive.pairs.set(control.pairs);
        let used_buffers = prim::stream_arbiter(Used::ty(config), 3, Policy::RoundRobin);
        for (input, output) in used_buffers.inputs.iter().zip([&transmit.used, &receive.used, &control.used])
        {
            input.connect(output);
        }
        used.used.valid.set(used_buffers.output.valid);
        used.used.payload.set(used_buffers.output.payload.beat);
        used_buffers.output.ready.set(used.used.ready);
        moderation.notice.connect(&used.notice);
        registers.queue_interrupt.set(moderation.queue_interrupt);
        let faults = prim::stream_arbiter(Fault::ty(config), 4, Policy::RoundRobin);
        for (input, output) in
            faults.inputs.iter().zip([&fetch.fault, &transmit.fault, &used.fault, &control.fault])
        {
            input.connect(output);
        }
        registers.fault.valid.set(faults.output.valid);
        registers.fault.payload.set(faults.output.payload.beat);
        faults.output.ready.set(registers.fault.ready);

        // Drains: the block that serves the queue comes second.
        let [of_fetch, of_server, of_store, of_used, of_moderation] = &registers.drain[..] else {
            unreachable!()
        };
        fetch.drain.connect(of_fetch);
        let queue = of_server.payload;
        let servers = [
            (queue.is_control(), &control.drain),
            (!queue.is_control() & queue.is_transmit(), &transmit.drain),
            (queue.is_receive(), &receive.drain),
        ];
        let ready = servers.map(|(serves, drain)| {
            drain.valid.set(of_server.valid & serves);
            drain.payload.set(queue);
            serves & drain.ready
        });
        // It begins nothing until the store has forgotten the queue: what it saw there could be gone when it pops it.
        let (is_served, is_forgotten) = (reg(flag()), reg(flag()));
        let is_ready = any_of(ready);
        store.drain.valid.set(of_server.valid & is_served & !is_forgotten);
        store.drain.payload.set(queue);
        of_server.ready.set(is_ready & is_forgotten);
        when(of_server.valid & is_ready, || is_served.set(true));
        when(store.drain.fire(), || is_forgotten.set(true));
        when(of_server.fire(), || {
            is_served.set(false);
            is_forgotten.set(false);
        });
        of_store.ready.set(true);
        used.drain.connect(of_used);
        moderation.drain.connect(of_moderation);

        // Access to the host's memory.
        let writes = write_share(config, 3);
        for (port, command) in writes.commands.iter().zip([&used.write, &fetch.write, &control.write]) {
            port.connect(command);
        }
        for (port, data) in writes.data.iter().zip([&used.write_data, &fetch.write_data, &control.write_data])
        {
            port.connect(data);
        }
        for (written, port) in [used.written, fetch.written, control.written].iter().zip(&writes.done) {
            written.set(*port);
        }
        endpoint.write[0].connect(&receive.write);
        endpoint.write_data[0].connect(&receive.write_data);
        receive.written.set(endpoint.written[0]);
        endpoint.write[1].connect(&writes.command);
        endpoint.write_data[1].connect(&writes.beat);
        writes.ended.set(endpoint.written[1]);
        let reads = read_share(config, 2);
        for (port, command) in reads.commands.iter().zip([&used.read, &control.read]) {
            port.connect(command);
        }
        used.read_data.connect(&reads.data[0]);
        control.read_data.connect(&reads.data[1]);
        for (port, command) in endpoint.read.iter().zip([&fetch.read, &transmit.read, &reads.command]) {
            port.connect(command);
        }
        for (data, port) in
            [&fetch.read_data, &transmit.read_data, &reads.beat].into_iter().zip(&endpoint.read_data)
        {
            data.connect(port);
        }

        // Interrupts.
        let vectors = prim::stream_arbiter(Vector::ty(config), 3, Policy::RoundRobin);
        for (input, vector) in
            vectors.inputs.iter().zip([&moderation.vector, &registers.interrupt, &manager.vector])
        {
            input.connect(vector);
        }
        endpoint.vector.valid.set(vectors.output.valid);
        endpoint.vector.payload.set(vectors.output.payload.beat);
        vectors.output.ready.set(endpoint.vector.ready);
        endpoint.clear.valid.set(false);
        endpoint.clear.payload.set(endpoint.clear.payload.zero());

        // Frames between functions and the bridge.
        let port_of = |function: usize| config.wires + config.function_at(function);
        let by_port = |of_functions: Bits| {
            let bit = |port| {
                (0..functions).find(|it| port_of(*it) == port && *it != 1).map(|it| of_functions.bit(it))
            };
            vector((0..config.ports()).map(|port| bit(port).unwrap_or(any_of([]))))
        };
        let by_function =
            |of_ports: Bits| vector((0..functions).map(|function| of_ports.bit(port_of(function))));
        veb.waiting.set(by_port(transmit.pending));
        transmit.open.set(by_function(veb.open));
        veb.let_in.set(by_port(lit((1u128 << functions) - 1, functions)));
        control.driver_ok.set(registers.driver_ok);
        control.may_address.set(manager.may_address);
        control.may_unicast.set(by_function(veb.may_unicast));
        control.may_multicast.set(by_function(veb.may_multicast));
        registers.mac.set(control.mac);
        registers.announced.set(control.announced);
        veb.row.connect(&control.row);
        control.row_response.set(veb.row_response);
        // The bridge has functions in the order of their ports.
        let place = |function: Bits| {
            let first = function.eq(0) | function.eq(1);
            first.mux(function ^ lit(1, function.width()), function)
        };
        let change = control.filter.payload;
        veb.filter.valid.set(control.filter.valid);
        veb.filter.payload.set(FilterChange { function: place(change.function), ..change });
        control.filter.ready.set(veb.filter.ready);
        veb.forget.valid.set(control.forget.valid);
        veb.forget.payload.set(place(control.forget.payload));
        control.forget.ready.set(veb.forget.ready);
        for (port, wishes) in veb.wishes.iter().enumerate() {
            let function = (0..functions).find(|it| port_of(*it) == port && *it != 1);
            wishes.set(function.map_or(wishes.zero(), |function| control.wishes[function]));
        }
        let sent = prim::stream_demux(Beat::ty(config.bytes), functions);
        sent.input.connect(&transmit.frame);
        for function in 0..functions {
            let (ingress, egress) = (&veb.ingress[port_of(function)], &veb.egress[port_of(function)]);
            if function == 1 {
                ingress.connect(&manager.send);
                manager.receive.connect(egress);
                sent.outputs[function].ready.set(true);
                collector.frame[function].valid.set(false);
                collector.frame[function].payload.set(egress.payload);
            } else {
                ingress.connect(&sent.outputs[function]);
                collector.frame[function].connect(egress);
            }
        }
        veb.forced.set(manager.forced);
        manager.source.set(veb.manager_source);
        inspect.input.connect(&collector.output);
        receive.verdict.connect(&inspect.verdict);
        receive.frame.connect(&inspect.frame);

        // Wires.
        for wire in 0..config.wires {
            let (from, to) = (from_axi_stream(config.bytes), to_axi_stream(config.bytes));
            from.input.connect(&io.wire_rx[wire]);
            veb.ingress[wire].connect(&from.output);
            to.input.connect(&veb.egress[wire]);
            io.wire_tx[wire].connect(&to.output);
        }
    })
}

/// The adapter for a configuration.
pub fn catalogue(config: &Config) -> Vec<Block> {
    let whole = config.clone();
    vec![Block::new(format!("nic/{}", config.name), move || nic(&whole))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elaborates() {
        let small = Config::small();
        let least = Config { vfs: 0, pairs: 1, ..small.clone() };
        let most = Config { vfs: 62, pairs: 4, wires: 2, ..small };
        for config in Config::all().into_iter().chain([least, most]) {
            elaborate(|| nic(&config)).unwrap_or_else(|errors| panic!("{}: {errors}", config.name));
        }
    }
}
