//! Configuration requests: from the packet to its completion.

use super::{
    configuration::{Access, function_bits},
    tlp::{CompletionHeader, ConfigurationHeader, MemoryHeader, Status},
};
use crate::config::Config;
use hdl::*;

/// A configuration request.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct ConfigRequest {
    pub header: ConfigurationHeader,
    /// Of a write.
    pub data: U<32>,
}

/// A completion of at most one word.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct ShortCompletion {
    pub header: CompletionHeader,
    /// Means something if the header says that there is data.
    pub data: U<32>,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ConfigRequestsIo {
    /// Only configuration requests.
    #[input]
    pub request: Stream<ConfigRequest>,
    #[output]
    pub completion: Stream<ShortCompletion>,
    /// The function that completes it, if there is one.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub owner: Valid<Bits>,
    /// To [`super::routing::routing`].
    #[output]
    pub target: U<16>,
    #[output]
    pub is_type_1: Bool,
    /// The bus that this device is on.
    #[output]
    pub bus: U<8>,
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub found: Valid<Bits>,
    /// To [`super::configuration::configuration`].
    #[output]
    #[ty(Stream::ty(Access::ty(config)))]
    pub access: Stream<Access>,
    #[input]
    pub answer: Valid<U<32>>,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// Which function it is for is found out, in three cycles.
    Route,
    Routing,
    Routed,
    Decide,
    /// Its register is accessed.
    Ask,
    Await,
    Complete,
}

/// Answers configuration requests, one at a time.
///
/// - A request to a function that is not there, of more than one word, or with poisoned data is completed with Unsupported
///   Request and has no effect (2.3.1, 2.7.2.2).
/// - Any other is completed with success. The completer is the function, or function 0 if there is none (2.2.9).
/// - A write of type 0 that succeeds tells this device its bus (2.2.6.2); it is 0 until then.
///
/// ```text
///  request ─► routing ─► access ─► completion
///              └─► not there ─────────┘
/// ```
#[hdl]
pub fn config_requests(config: &Config) -> ConfigRequestsIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("pcie_config_requests_{}", function_bits(config));
    module(name, ConfigRequestsIo::ty(config), |io| {
        let state = reg_enum(State::Idle);
        let request = reg_without_reset(ConfigRequest::ty());
        let bus = reg(U::<8>::ty());
        let function = reg_without_reset(bits(function_bits(config)));
        let exists = reg_without_reset(flag());
        let succeeds = reg_without_reset(flag());
        let data = reg_without_reset(U::<32>::ty());
        let header = request.header;
        let kind_of = Bits::from(header.first.kind);
        let is_write = kind_of.bit(6);
        let is_type_1 = kind_of.bit(0);
        let is_one_word = header.first.length.eq(1);

        io.request.ready.set(state.is(State::Idle));
        io.bus.set(bus);
        io.target.set(cat([header.bus, header.number]).as_u());
        io.is_type_1.set(is_type_1);
        io.access.valid.set(state.is(State::Ask));
        io.access.payload.function.set(function);
        io.access.payload.register.set(header.register);
        io.access.payload.write.set(is_write);
        io.access.payload.enables.set(header.enables);
        io.access.payload.data.set(request.data);

        state.cases(|s| match s {
            State::Idle => {
                request.set(io.request.payload);
                when(io.request.valid, || state.set(State::Route));
            }
            State::Route => state.set(State::Routing),
            State::Routing => state.set(State::Routed),
            State::Routed => state.set(State::Decide),
            State::Decide => {
                function.set(io.found.payload);
                let is_supported = io.found.valid & is_one_word & !header.first.poisoned;
                exists.set(io.found.valid);
                succeeds.set(is_supported);
                when(is_supported & is_write & !is_type_1, || bus.set(header.bus));
                when(is_supported, || state.set(State::Ask)).otherwise(|| state.set(State::Complete));
            }
            State::Ask => {
                when(io.access.ready, || state.set(State::Await));
            }
            State::Await => {
                data.set(io.answer.payload);
                when(io.answer.valid, || state.set(State::Complete));
            }
            State::Complete => {
                when(io.completion.ready, || state.set(State::Idle));
            }
        });

        let has_data = succeeds & !is_write;
        let own_bus = Bits::from((is_type_1 & exists).mux(header.bus, bus));
        let completer = cat([own_bus, exists.mux(header.number.into(), lit(0, 8))]).as_u();
        let status = |status: Status| lit(status as u128, 3);
        let status = succeeds.mux(status(Status::Successful), status(Status::UnsupportedRequest));
        let request = MemoryHeader::ty().unpack(header.pack());
        let length = has_data.bits().zext(10);
        io.completion.payload.header.set(CompletionHeader::answering(request, completer, status, length));
        io.completion.payload.data.set(data);
        io.owner.valid.set(exists);
        io.owner.payload.set(function);
        io.completion.valid.set(state.is(State::Complete));
        io.completion.assert_stable();
        io.access.assert_stable();
    })
}
