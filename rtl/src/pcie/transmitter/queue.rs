//! Packets of one class that wait for credits.

use super::Credits;
use crate::{config::Config, pcie::tlp::TlpBeat, prim};
use hdl::*;

/// Packets that wait at most, but for one in the output register and one that comes in.
pub(super) const PACKETS: usize = 16;

/// A packet that may leave.
#[derive(Bundle, Clone, Copy)]
pub(super) struct Head {
    pub header: U<128>,
    pub has_payload: Bool,
}

/// A beat of payload.
#[derive(Bundle, Clone, Copy)]
#[ty(bytes: usize)]
pub(super) struct Payload {
    #[ty(bits(8 * bytes))]
    pub data: Bits,
    /// Words that count.
    #[ty(bits(clog2(bytes / 4 + 1)))]
    pub count: Bits,
    pub last: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub(super) struct QueueIo {
    #[input]
    pub credits: Credits,
    #[input]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub input: Stream<TlpBeat>,
    /// The oldest packet: the credits suffice for it.
    #[output]
    #[ty(Stream::ty(Head::ty()))]
    pub head: Stream<Head>,
    /// Its payload; all of it is there.
    #[output]
    #[ty(Stream::ty(Payload::ty(config.bytes)))]
    pub payload: Stream<Payload>,
}

/// A packet that waits.
#[derive(Bundle, Clone, Copy)]
struct Waiting {
    header: U<128>,
    /// Credits that have been consumed when it has left, modulo as the standard has it.
    headers: U<8>,
    data: U<12>,
}

/// Keeps up to 16 packets with `payload` bytes in all, or without any payload.
///
/// ```text
///  input ─► [beat] ─┬─► FIFO ───────────────────► payload
///                   └─► totals ─► FIFO ─► gate ─► [head]
///                             credits ─────┘
/// ```
///
/// A header waits until its packet is whole. What a packet needs is added up when it comes, so that what is left at the gate is a
/// comparison (2.6.1.2): packets of one class leave in their order.
#[hdl]
pub(super) fn queue(config: &Config, payload: Option<usize>) -> QueueIo {
    let bytes = config.bytes;
    let name = format!("pcie_transmit_queue_{}x{bytes}", payload.unwrap_or(0));
    module(name, QueueIo::ty(config), |io| {
        io.input.assume_stable();
        io.head.assert_stable();

        // A packet comes in.
        let holding = reg_flag(false);
        let beat = reg_without_reset(Payload::ty(bytes));
        let header = reg_without_reset(bits(128));
        let needs = reg_without_reset(bits(9));
        let headers = prim::fifo(Waiting::ty(), PACKETS);
        let room = wire(flag());
        let goes = holding & headers.enq.ready & room;
        io.input.ready.set(!holding | goes);
        when(io.input.ready, || {
            let TlpBeat { data, count, last, .. } = io.input.payload;
            holding.set(io.input.valid);
            beat.set(Payload { data, count: count.slice(2, count.width() - 2), last });
        });
        when(io.input.fire() & io.input.payload.first, || {
            let coming = Bits::from(io.input.payload.header);
            let (length, has_payload) = (coming.trunc(10), coming.bit(30));
            let rounded = length.wide_add(lit(3, 10)).slice(2, 9);
            let credits = length.any().mux(rounded, lit(256, 9));
            header.set(coming);
            needs.set(has_payload.mux(credits, credits.zero()));
        });

        let (sent_headers, sent_data) = (reg(bits(8)), reg(bits(12)));
        let (headers_then, data_then) = (sent_headers + 1, sent_data + needs.zext(12));
        let is_whole = goes & beat.last;
        headers.enq.valid.set(holding & beat.last & room);
        headers.enq.payload.set(Waiting {
            header: header.as_u(),
            headers: headers_then.as_u(),
            data: data_then.as_u(),
        });
        when(is_whole, || {
            sent_headers.set(headers_then);
            sent_data.set(data_then);
        });
        match payload {
            Some(payload) => {
                let payloads = prim::fifo(Payload::ty(bytes), (payload / bytes).max(2 * prim::DISTRIBUTED));
                payloads.enq.valid.set(holding & beat.count.any() & headers.enq.ready);
                payloads.enq.payload.set(beat);
                room.set(payloads.enq.ready);
                io.payload.connect(&payloads.deq);
            }
            None => {
                assume(!holding | !beat.count.any(), "a packet of this class has no payload");
                room.set(true);
                io.payload.valid.set(false);
                io.payload.payload.set(beat.zero());
            }
        }

        // The oldest one may leave.
        let next = headers.deq.payload;
        let has_payload = Bits::from(next.header).bit(30);
        let fits =
            |limit: Bits, then: Bits, infinite: Bool| infinite | (limit - then).le(1 << (limit.width() - 1));
        let credits = &io.credits;
        let may_leave = fits(credits.headers.into(), next.headers.into(), credits.infinite_headers)
            & (!has_payload | fits(credits.data.into(), next.data.into(), credits.infinite_data));
        let is_ready = reg_flag(false);
        let head = reg_without_reset(Head::ty());
        let loads = (!is_ready | io.head.ready) & may_leave;
        headers.deq.ready.set(loads);
        when(!is_ready | io.head.ready, || {
            is_ready.set(headers.deq.valid & may_leave);
            head.set(Head { header: next.header, has_payload });
        });
        io.head.valid.set(is_ready);
        io.head.payload.set(head);
    })
}
