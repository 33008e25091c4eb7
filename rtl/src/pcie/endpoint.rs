//! The endpoint, as far as it goes: configuration requests of all functions.

use super::{
    config_requests::{ConfigRequest, ShortCompletion, config_requests},
    configuration::{FunctionReset, Settings, configuration, function_bits},
    routing::routing,
};
use crate::{config::Config, prim};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct EndpointIo {
    /// The legacy personality; a strap.
    #[input]
    pub legacy: Bool,
    /// How many functions it has: 1, 2, 4 or 8; a strap.
    #[input]
    pub legacy_functions: U<4>,
    /// EUI-64 of the adapter.
    #[input]
    pub serial: U<64>,
    /// Configuration requests.
    #[input]
    pub request: Stream<ConfigRequest>,
    #[output]
    pub completion: Stream<ShortCompletion>,
    #[output]
    #[ty(Settings::ty(config))]
    pub settings: Settings,
    /// The fundamental reset is over.
    #[output]
    pub cleared: Bool,
}

/// Resets of functions that may wait: one for each access, and an access waits for the reset before it.
const RESETS: usize = 2;

/// ```text
///  request ─► config_requests ─► configuration ─► settings
///                │   ▲               │   ▲
///                ▼   │               ▼   │ reset of a function
///               routing             fifo ┘
/// ```
#[hdl]
pub fn endpoint(config: &Config) -> EndpointIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    module(format!("pcie_endpoint_{}", config.functions()), EndpointIo::ty(config), |io| {
        let requests = config_requests(config);
        let routing = routing(config);
        let configuration = configuration(config);
        let resets = prim::fifo(bits(function_bits(config)), RESETS);

        requests.request.connect(&io.request);
        io.completion.connect(&requests.completion);
        routing.target.set(requests.target);
        routing.is_type_1.set(requests.is_type_1);
        routing.bus.set(requests.bus);
        requests.found.set(routing.found);
        configuration.access.connect(&requests.access);
        requests.answer.set(configuration.answer);

        let settings = &configuration.settings;
        routing.legacy.set(io.legacy);
        routing.legacy_functions.set(io.legacy_functions);
        routing.vf_enable.set(settings.vf_enable);
        routing.vf_number.set(settings.vf_number);
        routing.alternative_routing.set(settings.alternative_routing);
        io.settings.set(settings.clone());

        configuration.legacy.set(io.legacy);
        configuration.multifunction.set(!io.legacy | Bits::from(io.legacy_functions).gt(1));
        configuration.serial.set(io.serial);
        configuration.pending.set(0);
        configuration.mark.valid.set(false);
        configuration.mark.payload.set(configuration.mark.payload.zero());
        // A function is reset when the completion of the request for it has left (6.6.2).
        let is_asked = reg(flag());
        let asked = reg_without_reset(bits(function_bits(config)));
        let leaves = requests.completion.fire();
        when(configuration.reset_request.valid, || {
            is_asked.set(true);
            asked.set(configuration.reset_request.payload);
        })
        .elsewhen(leaves, || is_asked.set(false));
        resets.enq.valid.set(is_asked & leaves);
        resets.enq.payload.set(asked);
        configuration.reset.valid.set(resets.deq.valid);
        configuration
            .reset
            .payload
            .set(FunctionReset { function: resets.deq.payload, sticky: false.to_bool() });
        resets.deq.ready.set(configuration.reset.ready);
        io.cleared.set(configuration.cleared);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    /// A write to a register of function 0, whose completion waits; returns when it is offered.
    fn write(bench: &mut Bench, io: &EndpointIo, register: u128, data: u128) {
        let (request, sim) = (&io.request, &mut bench.sim);
        sim.poke(io.completion.ready, false);
        sim.poke(request.valid, true);
        sim.poke(request.payload.header.first.kind, 0x44);
        sim.poke(request.payload.header.first.length, 1);
        sim.poke(request.payload.header.first.poisoned, false);
        sim.poke(request.payload.header.bus, 1);
        sim.poke(request.payload.header.number, 0);
        sim.poke(request.payload.header.register, register);
        sim.poke(request.payload.header.enables, 15);
        sim.poke(request.payload.data, data);
        while !bench.sim.peek(io.request.ready) {
            bench.cycle(&mut []);
        }
        bench.cycle(&mut []);
        bench.sim.poke(io.request.valid, false);
        while !bench.sim.peek(io.completion.valid) {
            bench.cycle(&mut []);
        }
    }

    fn take(bench: &mut Bench, io: &EndpointIo) {
        bench.sim.poke(io.completion.ready, true);
        bench.cycle(&mut []);
        bench.sim.poke(io.completion.ready, false);
    }

    /// The completion of the request for a reset comes before the reset (6.6.2), however long it waits.
    #[test]
    fn a_reset_waits_for_its_completion() {
        let config = Config::small();
        let (mut bench, io) = Bench::new(|| endpoint(&config), 1);
        bench.sim.poke(io.legacy, false);
        bench.sim.poke(io.request.valid, false);
        while !bench.sim.peek(io.cleared) {
            bench.cycle(&mut []);
        }
        // Bus Master Enable, and then the reset in Device Control.
        write(&mut bench, &io, 0x04 / 4, 1 << 2);
        take(&mut bench, &io);
        write(&mut bench, &io, 0x50 / 4, 1 << 15);
        (0..3000).for_each(|_| bench.cycle(&mut []));
        assert_eq!(bench.sim.peek(io.settings.bus_master), 1);
        take(&mut bench, &io);
        (0..1000).for_each(|_| bench.cycle(&mut []));
        assert_eq!(bench.sim.peek(io.settings.bus_master), 0);
    }
}
