//! Accesses to the registers of the bridge, on its AXI4-Lite.

use super::types::{Reply, Request};
use crate::{
    axi_lite::{AxiLite, Resp},
    register_map::ADDRESS_BITS,
};
use hdl::*;

#[derive(Bundle, Clone)]
pub struct BridgeIo {
    #[input]
    pub ask: Bool,
    #[input]
    pub request: Request,
    #[output]
    pub reply: Valid<Reply>,
    #[output]
    #[ty(AxiLite::ty(ADDRESS_BITS))]
    pub axi: AxiLite,
}

/// Hands on what it is asked for, and what comes back. A response is taken as soon as the access has been.
///
/// ```text
///  ask, request ─► aw, w, ar       b, r ─► reply
/// ```
///
/// A cycle on the way out and one on the way back.
#[hdl]
pub fn bridge() -> BridgeIo {
    module("manager_bridge", BridgeIo::ty(), |io| {
        let axi = io.axi;
        let awvalid = reg(flag());
        let wvalid = reg(flag());
        let arvalid = reg(flag());
        when(axi.awready, || awvalid.set(false));
        when(axi.wready, || wvalid.set(false));
        when(axi.arready, || arvalid.set(false));
        /// The response has not come.
        let awaits = reg(flag());
        let bready = awaits & io.request.write & !awvalid & !wvalid;
        let rready = awaits & !io.request.write & !arvalid;
        let responds = (axi.bvalid & bready) | (axi.rvalid & rready);
        when(responds, || awaits.set(false));
        when(io.ask, || {
            awaits.set(true);
            awvalid.set(io.request.write);
            wvalid.set(io.request.write);
            arvalid.set(!io.request.write);
        });
        let address = Bits::from(io.request.offset).trunc(ADDRESS_BITS);
        axi.awvalid.set(awvalid);
        axi.awaddr.set(address);
        axi.awprot.set(0);
        axi.wvalid.set(wvalid);
        axi.wdata.set(io.request.data);
        axi.wstrb.set(0xF);
        axi.bready.set(bready);
        axi.arvalid.set(arvalid);
        axi.araddr.set(address);
        axi.arprot.set(0);
        axi.rready.set(rready);
        let resp = io.request.write.mux(axi.bresp, axi.rresp);
        io.reply.valid.set(delay(responds));
        io.reply.payload.set(delay_without_reset(Reply { refused: !resp.is(Resp::Okay), data: axi.rdata }));
        Stream { valid: awvalid, ready: axi.awready, payload: address }.assert_stable();
        Stream { valid: wvalid, ready: axi.wready, payload: io.request.data }.assert_stable();
        Stream { valid: arvalid, ready: axi.arready, payload: address }.assert_stable();
    })
}
