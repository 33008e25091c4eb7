//! The manager: what the registers of function 1 and of the management bus show.
//!
//! # Purpose
//! One address space for those who control the adapter, described in docs/src/manager.md: the registers of the bridge, those of the
//! adapter, of its functions, and two buffers for frames.
//!
//! # Schematic
//! ```text
//!  access ─┐            ┌─► bridge ──────────► registers of the bridge
//!          ├─► masters ─┼─► own ─────────────► acknowledge, vector
//!  axi ────┘            ├─► functions ───────► device, moderation, may_address
//!                       ├─► sender ──────────► send
//!                       └─► receiver ◄──────── receive
//! ```
//!
//! # Timing
//! An access of a master that finds the other one at rest is answered within 25 cycles, beside what the bridge takes; otherwise it waits for one
//! access of the other one at most. All outputs are registers.

#[cfg(test)]
mod harness;
pub mod map;
#[cfg(test)]
mod tests;

mod bridge;
mod functions;
mod masters;
mod own;
mod receiver;
mod sender;
mod tally;
mod types;

use crate::{
    axi_lite::AxiLite,
    catalogue::Block,
    config::Config,
    frame::Beat,
    pcie::{
        configuration::function_bits,
        msix::Vector,
        register_bus::{RegisterAccess, RegisterAnswer},
    },
    register_map::ADDRESS_BITS,
    veb::types::Forced,
    virtio::{moderation::ModerationRow, registers::DeviceRow, types::Fault},
};
use hdl::*;

/// The longest frame that the manager sends and receives, in bytes.
pub const FRAME: usize = 1536;

/// The manager's function.
const MANAGER: usize = 1;

/// The vector of the manager's interrupt for events; that for functions which were reset is 0.
pub const VECTOR: usize = 1;

/// Bits of an address of the manager's registers: those of the bridge come first.
pub const MANAGEMENT_BITS: usize = 14;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ManagerIo {
    /// Accesses to the registers of function 1.
    #[input]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub access: Stream<RegisterAccess>,
    #[output]
    pub answer: Valid<RegisterAnswer>,
    /// The management bus: the same registers.
    #[input]
    #[ty(AxiLite::ty(MANAGEMENT_BITS))]
    pub axi: AxiLite,
    /// To the registers of the bridge.
    #[output]
    #[ty(AxiLite::ty(ADDRESS_BITS))]
    pub bridge: AxiLite,
    /// The adapter is ready: no access is begun before.
    #[input]
    pub cleared: Bool,
    /// Functions that have been reset since they were last acknowledged.
    #[input]
    #[ty(bits(config.functions()))]
    pub was_reset: Bits,
    #[output]
    #[ty(bits(config.functions()))]
    pub acknowledge: Bits,
    /// Functions with a driver.
    #[input]
    #[ty(bits(config.functions()))]
    pub driver_ok: Bits,
    /// A queue is broken.
    #[input]
    #[ty(Valid::ty(Fault::ty(config)))]
    pub broke: Valid<Fault>,
    /// A frame of this function found no buffer.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub dropped: Valid<Bits>,
    /// Wires whose link is up.
    #[input]
    #[ty(bits(config.wires))]
    pub link_up: Bits,
    /// What functions say of themselves; none within 256 cycles of another one.
    #[output]
    #[ty(Valid::ty(DeviceRow::ty(config)))]
    pub device: Valid<DeviceRow>,
    #[output]
    #[ty(Valid::ty(ModerationRow::ty(config)))]
    pub moderation: Valid<ModerationRow>,
    /// Functions that may have addresses beside their own.
    #[output]
    #[ty(bits(config.functions()))]
    pub may_address: Bits,
    /// Interrupts of function 1.
    #[output]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub vector: Stream<Vector>,
    /// Frames that the manager sends into the bridge,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub send: Stream<Beat>,
    /// and where they go past all rules.
    #[output]
    #[ty(Forced::ty(config))]
    pub forced: Forced,
    /// Frames that the bridge sends to the manager,
    #[input]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub receive: Stream<Beat>,
    /// and where they came in.
    #[input]
    #[ty(bits(config.port_bits()))]
    pub source: Bits,
}

/// Joins the parts.
#[hdl]
pub fn manager(config: &Config) -> ManagerIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("manager_{}", config.name);
    module(name, ManagerIo::ty(config), |io| {
        let masters = masters::masters(config);
        let bridge = bridge::bridge();
        let own = own::own_registers(config);
        let functions = functions::functions(config);
        let sender = sender::sender(config);
        let receiver = receiver::receiver(config);

        masters.access.connect(&io.access);
        io.answer.set(masters.answer);
        masters.axi.connect(&io.axi);
        masters.open.set(delay(io.cleared & functions.clear));
        let parts = [
            (bridge.ask, bridge.request, bridge.reply),
            (own.ask, own.request, own.reply),
            (functions.ask, functions.request, functions.reply),
            (sender.ask, sender.request, sender.reply),
            (receiver.ask, receiver.request, receiver.reply),
        ];
        for (part, (ask, request, reply)) in parts.into_iter().enumerate() {
            ask.set(masters.asks.bit(part));
            request.set(masters.request);
            masters.replies[part].set(reply);
        }
        io.bridge.connect(&bridge.axi);

        own.was_reset.set(io.was_reset);
        own.driver_ok.set(io.driver_ok);
        own.broke.valid.set(io.broke.valid);
        own.broke.payload.set(io.broke.payload.queue.function);
        own.link_up.set(io.link_up);
        io.acknowledge.set(own.acknowledge);
        io.vector.connect(&own.vector);

        functions.dropped.set(io.dropped);
        functions.broke.set(io.broke);
        io.device.set(functions.device);
        io.moderation.set(functions.moderation);
        io.may_address.set(functions.may_address);

        sender.start.set(own.start);
        own.sent.set(sender.sent);
        io.send.connect(&sender.send);
        io.forced.set(own.forced);
        receiver.receive.connect(&io.receive);
        receiver.source.set(io.source);
        receiver.releases.set(own.releases);
        own.received.set(receiver.received);
    })
}

/// The manager of a configuration.
pub fn catalogue(config: &Config) -> Vec<Block> {
    let name = format!("manager/{}", config.name);
    let config = config.clone();
    vec![Block::new(name, move || manager(&config))]
}
