//! The two masters of the registers, and whose turn it is.
//!
//! # Purpose
//! Accesses of the host and of the management bus are carried out one after the other. A master that does not take its answer
//! does not hold up the other one.
//!
//! # Schematic
//! ```text
//!  access ─► held ─┐                     ┌─► asks, one bit for each part
//!  aw, w ──► held ─┼─► in turn ─► request┤                                 ┌─► answer
//!  ar ─────► held ─┘                     └─► replies ─► reply ─────────────┼─► b
//!                                                                          └─► r
//! ```
//!
//! # Timing
//! From the last of what an access needs to `asks` it takes three cycles, from the reply to the answer two. All outputs are registers.

use super::{
    MANAGEMENT_BITS,
    map::base,
    types::{Part, Reply, Request},
};
use crate::{
    axi_lite::{AxiLite, Resp},
    config::Config,
    pcie::register_bus::{RegisterAccess, RegisterAnswer},
    prim,
};
use hdl::*;

/// How many parts there are.
pub const PARTS: usize = Part::VARIANTS.len();

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct MastersIo {
    #[input]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub access: Stream<RegisterAccess>,
    #[output]
    pub answer: Valid<RegisterAnswer>,
    #[input]
    #[ty(AxiLite::ty(MANAGEMENT_BITS))]
    pub axi: AxiLite,
    /// An access may begin.
    #[input]
    pub open: Bool,
    /// The part that `request` concerns, by its bit, for one cycle.
    #[output]
    #[ty(bits(PARTS))]
    pub asks: Bits,
    #[output]
    pub request: Request,
    /// Of each part.
    #[input]
    #[ty(vec![Valid::ty(Reply::ty()); PARTS])]
    pub replies: Vec<Valid<Reply>>,
}

/// Where an access is.
#[derive(HwEnum, Clone, Copy)]
enum State {
    /// None is under way.
    Idle,
    /// Its part is found, and what speaks against it.
    Decode,
    /// The part works on it.
    Await,
    /// Its master is told.
    Answer,
}

/// Refuses writes of a part of a word, and addresses that are no multiple of four; hands on everything else.
#[hdl]
pub fn masters(config: &Config) -> MastersIo {
    let name = format!("manager_masters_{}", config.functions());
    module(name, MastersIo::ty(config), |io| {
        io.access.assume_stable();
        let axi = io.axi;
        // Each channel has one place; it is free while its `ready` is 1.
        let host_ready = reg_flag(true);
        let host = reg_without_reset(RegisterAccess::ty(config));
        when(io.access.valid & host_ready, || {
            host_ready.set(false);
            host.set(io.access.payload);
        });
        let awready = reg_flag(true);
        let awaddr = reg_without_reset(axi.awaddr);
        when(axi.awvalid & awready, || {
            awready.set(false);
            awaddr.set(axi.awaddr);
        });
        let wready = reg_flag(true);
        let wdata = reg_without_reset(bits(32));
        /// All bytes of the word are to be written.
        let whole = reg_without_reset(flag());
        when(axi.wvalid & wready, || {
            wready.set(false);
            wdata.set(axi.wdata);
            whole.set(axi.wstrb.all());
        });
        let arready = reg_flag(true);
        let araddr = reg_without_reset(axi.araddr);
        when(axi.arvalid & arready, || {
            arready.set(false);
            araddr.set(axi.araddr);
        });
        let bvalid = reg(flag());
        let rvalid = reg(flag());

        // Whose turn it is: the host, a write of the bus, a read of the bus.
        let state = reg_enum(State::Idle);
        let turns = prim::round_robin(3);
        let starts = state.is(State::Idle) & io.open;
        turns.requests.set(vector([!host_ready, !awready & !wready & !bvalid, !arready & !rvalid]));
        turns.accept.set(starts);
        let master = reg_without_reset(bits(3));
        let request = reg_without_reset(Request::ty());
        let partial = reg_without_reset(flag());
        let host_request = Request {
            write: host.write,
            offset: Bits::from(host.offset).trunc(MANAGEMENT_BITS).as_u(),
            data: host.data,
        };
        let write = Request { write: true.to_bool(), offset: awaddr.as_u(), data: wdata.as_u() };
        let read = Request { write: false.to_bool(), offset: araddr.as_u(), data: wdata.as_u() };
        when(state.is(State::Idle), || {
            master.set(turns.grant);
            request.set(prim::onehot_select(&[host_request, write, read], turns.grant));
            let host_partial = host.write & !Bits::from(host.enables).all();
            partial.set(turns.grant.bit(0).mux(host_partial, turns.grant.bit(1) & !whole));
        });

        // Which part it concerns.
        let offset = Bits::from(request.offset);
        let from = |address: usize, end: usize| {
            let low = clog2(end - address);
            offset.slice(low, MANAGEMENT_BITS - low).eq(address >> low)
        };
        let chosen = vector([
            from(0, base::OWN),
            from(base::OWN, base::FUNCTIONS),
            from(base::FUNCTIONS, base::SEND_BUFFER),
            from(base::SEND_BUFFER, base::RECEIVE_BUFFER),
            from(base::RECEIVE_BUFFER, 1 << MANAGEMENT_BITS),
        ]);
        let bad = partial | offset.trunc(2).any();
        let asks = reg(bits(PARTS));
        let reply = reg_without_reset(Reply::ty());
        let replied = vector(io.replies.iter().map(|reply| reply.valid));
        let replies: Vec<Reply> = io.replies.iter().map(|reply| reply.payload).collect();
        let answer = reg(Valid::ty(RegisterAnswer::ty()));
        let [bad_write, bad_read] = [reg(flag()), reg(flag())];
        let rdata = reg_without_reset(bits(32));
        asks.set(0);
        answer.valid.set(false);
        state.cases(|s| match s {
            State::Idle => {
                when(turns.any & io.open, || state.set(State::Decode));
            }
            State::Decode => {
                asks.set(chosen & (!bad).bits().repeat(PARTS));
                reply.set(Reply { refused: true.to_bool(), data: lit(0, 32).as_u() });
                state.set(State::Await);
                when(bad, || state.set(State::Answer));
            }
            State::Await => {
                reply.set(prim::onehot_select(&replies, replied));
                when(replied.any(), || state.set(State::Answer));
            }
            State::Answer => {
                let shows = !reply.refused & !request.write;
                let data = Bits::from(reply.data) & shows.bits().repeat(32);
                when(master.bit(0), || {
                    host_ready.set(true);
                    answer.valid.set(true);
                    answer.payload.data.set(data.as_u());
                    answer.payload.aborted.set(reply.refused);
                });
                when(master.bit(1), || {
                    awready.set(true);
                    wready.set(true);
                    bvalid.set(true);
                    bad_write.set(reply.refused);
                });
                when(master.bit(2), || {
                    arready.set(true);
                    rvalid.set(true);
                    rdata.set(data);
                    bad_read.set(reply.refused);
                });
                state.set(State::Idle);
            }
        });
        when(bvalid & axi.bready, || bvalid.set(false));
        when(rvalid & axi.rready, || rvalid.set(false));

        io.access.ready.set(host_ready);
        io.answer.set(answer);
        io.asks.set(asks);
        io.request.set(request);
        axi.awready.set(awready);
        axi.wready.set(wready);
        axi.arready.set(arready);
        let response = |refused: Bool| refused.mux(Resp::SlvErr.to_enum(), Resp::Okay.to_enum());
        axi.bvalid.set(bvalid);
        axi.bresp.set(response(bad_write));
        axi.rvalid.set(rvalid);
        axi.rdata.set(rdata.as_u());
        axi.rresp.set(response(bad_read));
        Stream { valid: bvalid, ready: axi.bready, payload: bad_write }.assert_stable();
        Stream { valid: rvalid, ready: axi.rready, payload: [bad_read.bits(), rdata] }.assert_stable();
    })
}
