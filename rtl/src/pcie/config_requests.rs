//! Configuration requests: from the packet to its completion.

use super::{
    Bar, MSIX_BAR, REGISTER_BAR,
    configuration::{Access, function_bits},
    register_bus::{RegisterAccess, RegisterAnswer},
    space::{self, Kind, space},
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
    /// Accesses through the virtio window.
    #[output]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub register: Stream<RegisterAccess>,
    #[input]
    pub register_answer: Valid<RegisterAnswer>,
    /// Functions whose registers are not accessed.
    #[input]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
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
    /// The window's registers are read, one by one.
    AskWindow,
    AwaitWindow,
    Judge,
    /// What they point at is accessed.
    Enter,
    Entered,
    Complete,
}

/// The registers that say what the virtio window shows, in the order in which they are read.
const WINDOW: [&str; 3] =
    ["virtio_access.place.bar", "virtio_access.offset.offset", "virtio_access.size.size"];

/// Answers configuration requests, one at a time.
///
/// - A request to a function that is not there, of more than one word, or with poisoned data is completed with Unsupported
///   Request and has no effect (2.3.1, 2.7.2.2).
/// - Any other is completed with success. The completer is the function, or function 0 if there is none (2.2.9).
/// - A write of type 0 that succeeds tells this device its bus (2.2.6.2); it is 0 until then.
///
/// - An access to the data of the virtio window, with any of its bytes, is one to the base address, of the length and at the
///   offset that its other registers say (virtio 4.1.4.9). If that is no aligned access of 1, 2 or 4 bytes to the
///   registers of the device or to its MSI-X table and pending bits, or the function is stopped, nothing is accessed, and 0 is read.
///
/// ```text
///  request ─► routing ─► access ─┬───────────────────► completion
///              │                 └─► virtio window ─────┤
///              └─► not there ───────────────────────────┘
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
        let physical = space(config, Kind::Physical);
        let register_of = |path: &str| {
            let (offset, _) = space::field(&physical, path).expect("a network function has the window");
            lit(offset as u128 / 4, 10)
        };
        let is_window = Bits::from(header.register).eq(register_of("virtio_access.data.data"))
            & function.ne(1)
            & header.enables.any();
        /// Of the window's registers: those that have been read, the last first.
        let part = reg_without_reset(bits(2));
        let parts: Vec<Bits> = WINDOW.iter().map(|_| reg_without_reset(bits(32))).collect();
        let asks_window = state.is(State::AskWindow);
        let window_register = select(&WINDOW.map(register_of), part);
        io.access.valid.set(state.is(State::Ask) | asks_window);
        io.access.payload.function.set(function);
        io.access.payload.register.set(asks_window.mux(window_register, header.register.into()).as_u());
        io.access.payload.write.set(is_write & !asks_window);
        io.access.payload.enables.set(header.enables);
        io.access.payload.data.set(request.data);

        // The access through the window.
        let [bar, offset, size] = [parts[0].trunc(8), parts[1], parts[2]];
        let [is_1, is_2, is_4] = [1, 2, 4].map(|bytes| size.eq(bytes));
        let within = offset.slice(0, 2);
        let is_aligned = is_1 | (is_2 & !within.bit(0)) | (is_4 & !within.any());
        let is_msix = bar.eq(MSIX_BAR);
        let [in_registers, in_msix] = Bar::of(Kind::Virtual)
            .map(|Bar { address_bits, .. }| !offset.slice(address_bits, 32 - address_bits).any());
        let is_inside = (bar.eq(REGISTER_BAR) & in_registers) | (is_msix & in_msix);
        let may_enter = !io.stopped.at(function);
        /// It is made: what has been offered stays so.
        let is_possible = reg_without_reset(flag());
        when(state.is(State::Judge), || {
            is_possible.set(is_aligned & is_inside & may_enter);
        });
        let lanes = is_4.mux(lit(15, 4), is_2.mux(lit(3, 4), lit(1, 4)));
        let distance = cat([within, lit(0, 3)]);
        let mask = cat((0..4).rev().map(|byte| lanes.bit(byte).bits().repeat(8)));
        let shown = (Bits::from(io.register_answer.payload.data) >> distance) & mask;
        io.register.valid.set(state.is(State::Enter) & is_possible);
        io.register.payload.function.set(function);
        io.register.payload.msix.set(is_msix);
        io.register.payload.offset.set(cat([offset.slice(2, 14), lit(0, 2)]).as_u());
        io.register.payload.write.set(is_write);
        io.register.payload.enables.set((lanes << within).as_u());
        io.register.payload.data.set((Bits::from(request.data) << distance).as_u());
        io.register.assert_stable();

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
                part.set(0);
                when(io.answer.valid, || {
                    state.set(State::Complete);
                    when(is_window, || state.set(State::AskWindow));
                });
            }
            State::AskWindow => {
                when(io.access.ready, || state.set(State::AwaitWindow));
            }
            State::AwaitWindow => {
                when(io.answer.valid, || {
                    set_at(&parts, part, io.answer.payload.into());
                    part.set(part + 1);
                    state.set(State::AskWindow);
                    when(part.eq(WINDOW.len() - 1), || state.set(State::Judge));
                });
            }
            State::Judge => state.set(State::Enter),
            State::Enter => {
                data.set(0);
                when(!is_possible, || state.set(State::Complete))
                    .elsewhen(io.register.ready, || state.set(State::Entered));
            }
            State::Entered => {
                when(io.register_answer.valid, || {
                    data.set(shown.as_u());
                    state.set(State::Complete);
                });
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
