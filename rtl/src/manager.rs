//! The manager: what the registers of function 1 and of the management bus show.

use crate::{
    axi_lite::AxiLite,
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

#[hdl]
pub fn manager(config: &Config) -> ManagerIo {
    let name = format!("manager_{}", config.name);
    module(name, ManagerIo::ty(config), |io| {
        io.access.ready.set(true);
        io.answer.set(Valid { valid: delay(io.access.valid), payload: io.answer.payload.zero() });
        io.bridge.awvalid.set(io.axi.awvalid);
        io.bridge.awaddr.set(io.axi.awaddr.trunc(ADDRESS_BITS));
        io.bridge.awprot.set(io.axi.awprot);
        io.axi.awready.set(io.bridge.awready);
        io.bridge.wvalid.set(io.axi.wvalid);
        io.bridge.wdata.set(io.axi.wdata);
        io.bridge.wstrb.set(io.axi.wstrb);
        io.axi.wready.set(io.bridge.wready);
        io.axi.bvalid.set(io.bridge.bvalid);
        io.axi.bresp.set(io.bridge.bresp);
        io.bridge.bready.set(io.axi.bready);
        io.bridge.arvalid.set(io.axi.arvalid);
        io.bridge.araddr.set(io.axi.araddr.trunc(ADDRESS_BITS));
        io.bridge.arprot.set(io.axi.arprot);
        io.axi.arready.set(io.bridge.arready);
        io.axi.rvalid.set(io.bridge.rvalid);
        io.axi.rdata.set(io.bridge.rdata);
        io.axi.rresp.set(io.bridge.rresp);
        io.bridge.rready.set(io.axi.rready);
        io.acknowledge.set(0);
        io.device.set(io.device.zero());
        io.moderation.set(io.moderation.zero());
        io.may_address.set(0);
        io.vector.valid.set(false);
        io.vector.payload.set(io.vector.payload.zero());
        io.send.valid.set(false);
        io.send.payload.set(io.send.payload.zero());
        io.forced.set(io.forced.zero());
        io.receive.ready.set(true);
    })
}
