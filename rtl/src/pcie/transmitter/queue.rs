//! Packets of one class that wait for credits.

use super::Credits;
use crate::{config::Config, pcie::tlp::TlpBeat, prim};
use hdl::*;

/// Packets that wait at most, but for one that comes in.
pub(super) const PACKETS: usize = 16;

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
    /// The header of the oldest packet: the credits suffice for it.
    #[output]
    #[ty(Stream::ty(U::ty()))]
    pub head: Stream<U<128>>,
    /// Its payload; all of it is there.
    #[output]
    #[ty(Stream::ty(Payload::ty(config.bytes)))]
    pub payload: Stream<Payload>,
}

/// Credits that have been consumed when a packet has left, modulo as the standard has it.
#[derive(Bundle, Clone, Copy)]
struct Totals {
    headers: U<8>,
    data: U<12>,
    has_payload: Bool,
}

/// Keeps up to 16 packets with `payload` bytes in all, or without any payload.
///
/// ```text
///  input ─► [beat] ─┬─► FIFO ─────────────────────────► payload
///                   ├─► FIFO ─────────────────────────► head
///                   └─► totals ─► FIFO ─► [next] ─► gate ─► [allowed]
///                                       credits ─┘
/// ```
///
/// A header waits until its packet is whole. What a packet needs is added up when it comes, so that the gate only compares
/// (2.6.1.2): packets of one class leave in their order. It counts the packets that may leave; `head` is valid four cycles
/// after the last beat came.
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
        let headers = prim::fifo(U::<128>::ty(), PACKETS);
        let totals = prim::fifo(Totals::ty(), PACKETS);
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
        headers.enq.payload.set(header.as_u());
        totals.enq.valid.set(is_whole);
        totals.enq.payload.set(Totals {
            headers: headers_then.as_u(),
            data: data_then.as_u(),
            has_payload: header.bit(30),
        });
        assert(totals.enq.ready | !is_whole, "what has left was allowed to");
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

        // How many may leave.
        let is_waiting = reg_flag(false);
        let next = reg_without_reset(Totals::ty());
        let fits =
            |limit: Bits, then: Bits, infinite: Bool| infinite | (limit - then).le(1 << (limit.width() - 1));
        let credits = &io.credits;
        let fits_header = fits(credits.headers.into(), next.headers.into(), credits.infinite_headers);
        let fits_data = fits(credits.data.into(), next.data.into(), credits.infinite_data);
        let passes = is_waiting & fits_header & (fits_data | !next.has_payload);
        let loads = !is_waiting | passes;
        totals.deq.ready.set(loads);
        when(loads, || {
            is_waiting.set(totals.deq.valid);
            next.set(totals.deq.payload);
        });
        let allowed = tally(2 * PACKETS, passes, io.head.fire());
        io.head.valid.set(allowed);
        io.head.payload.set(headers.deq.payload);
        headers.deq.ready.set(io.head.fire());
        assert(headers.deq.valid | !allowed, "only what is there is allowed to leave");
    })
}

/// Whether a counter below `most`, which goes up and down, is above 0.
#[hdl]
pub(super) fn tally(most: usize, up: Bool, down: Bool) -> Bool {
    let count = reg(bits(clog2(most)));
    let any = reg_flag(false);
    when(up ^ down, || {
        count.set(count + up.mux(lit(1, count.width()), !lit(0, count.width())));
        any.set(up | count.ne(1));
    });
    any
}
