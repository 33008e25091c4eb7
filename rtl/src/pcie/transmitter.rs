//! The order in which packets are sent, and the credits that they take.

mod queue;

#[cfg(test)]
mod tests;

use super::tlp::TlpBeat;
use crate::{config::Config, prim};
use hdl::*;
use queue::{Head, PACKETS, Payload};

/// What the other side has room for, of one class of packets (2.6.1).
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Credits {
    /// Headers that it has made room for since the start, modulo 256 (CREDIT_LIMIT).
    pub headers: U<8>,
    /// Units of 16 bytes of payload, modulo 4096.
    pub data: U<12>,
    /// There is always room for headers.
    pub infinite_headers: Bool,
    /// There is always room for payload.
    pub infinite_data: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct TransmitterIo {
    #[input]
    pub posted_credits: Credits,
    #[input]
    pub completion_credits: Credits,
    /// Of non-posted requests.
    #[input]
    pub request_credits: Credits,
    /// Memory writes and messages.
    #[input]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub posted: Stream<TlpBeat>,
    #[input]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub completion: Stream<TlpBeat>,
    /// Non-posted requests without payload.
    #[input]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub request: Stream<TlpBeat>,
    #[output]
    #[ty(Stream::ty(TlpBeat::ty(config.bytes)))]
    pub tx: Stream<TlpBeat>,
    /// Asks for `passed`; not again before it has come.
    #[input]
    pub mark: Bool,
    /// All packets whose last beat had come at the last `mark` have left.
    #[output]
    pub passed: Bool,
}

/// Bits of counts of posted packets: what is inside, twice, is less than half of their range.
const COUNT_BITS: usize = 6;

/// Bytes of payload that wait: two posted packets of 512 bytes, eight completions of 64.
const POSTED: usize = 1024;
const COMPLETIONS: usize = 512;

/// Sends the packets of three classes in the order of table 2-42, as the credits allow.
///
/// ```text
///  posted ──────► queue ───────────────┐
///  completion ─┬► queue ──────────────┐├─► round robin ─► [beat] ─► tx
///              └► stamps ─► free ──┐  ││
///  request ────┬► queue ──────────┐│  ││
///              └► stamps ─► free ─┴┴──┴┘
/// ```
///
/// A packet is offered when it is whole inside (store and forward) and has credits. Each class keeps its order. A completion or
/// a request does not pass the posted packets whose last beat came no later than its own: it is stamped with the number of
/// posted packets that have come, and free when so many have left. Everything else may pass: among the classes whose oldest
/// packet has credits and is free the output goes round, packet by packet, so that none starves.
///
/// # Timing
/// A beat in each cycle, without gaps between packets. An empty transmitter sends the first beat five cycles after the last beat
/// of the packet came, four if there is no payload. `tx` comes from registers; `ready` of the inputs from registers but for the
/// FIFOs' own.
#[hdl]
pub fn transmitter(config: &Config) -> TransmitterIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    module(format!("pcie_transmitter_{}", config.bytes), TransmitterIo::ty(config), |io| {
        let bytes = config.bytes;
        let posted = queue::queue(config, Some(POSTED));
        let completion = queue::queue(config, Some(COMPLETIONS));
        let request = queue::queue(config, None);
        posted.credits.set(io.posted_credits);
        completion.credits.set(io.completion_credits);
        request.credits.set(io.request_credits);
        posted.input.connect(&io.posted);
        completion.input.connect(&io.completion);
        request.input.connect(&io.request);
        let queues = [&posted, &completion, &request];
        let enters = [&io.posted, &io.completion, &io.request].map(|input| input.fire() & input.payload.last);
        let leaves = wire(vec![flag(); 3]);

        // Who waits for posted packets.
        let (posted_in, posted_out) = (reg(bits(COUNT_BITS)), reg(bits(COUNT_BITS)));
        let posted_then = posted_in + enters[0].bits().zext(COUNT_BITS);
        posted_in.set(posted_then);
        posted_out.set(posted_out + leaves[0].bits().zext(COUNT_BITS));
        let order = |class: usize| {
            let stamps = prim::fifo(bits(COUNT_BITS), 2 * PACKETS);
            stamps.enq.valid.set(enters[class]);
            stamps.enq.payload.set(posted_then);
            assert(stamps.enq.ready | !enters[class], "there is room for every stamp");
            stamps.deq.ready.set(!(posted_out - stamps.deq.payload).bit(COUNT_BITS - 1));
            /// Packets that wait no more.
            let free = reg(bits(clog2(2 * PACKETS)));
            step(free, stamps.deq.fire(), leaves[class]);
            free.any()
        };
        let free = [true.to_bool(), order(1), order(2)];

        // Who is next.
        let arbiter = prim::round_robin(3);
        let may_begin = queues.iter().zip(free).map(|(queue, free)| {
            queue.head.valid & free & (!queue.head.payload.has_payload | queue.payload.valid)
        });
        arbiter.requests.set(vector(may_begin));
        let room = wire(flag());
        let within = reg_flag(false);
        let owner = reg_without_reset(bits(3));
        let turn = within.mux(owner, arbiter.grant);
        let begins = room & !within & arbiter.any;
        let moves = begins | (room & within);
        arbiter.accept.set(begins);
        let heads = queues.map(|queue| queue.head.payload);
        let payloads = queues.map(|queue| queue.payload.payload);
        let has_payload = (vector(heads.map(|head| head.has_payload)) & turn).any();
        let is_last = !has_payload | (vector(payloads.map(|payload| payload.last)) & turn).any();
        when(moves, || within.set(!is_last));
        when(begins, || owner.set(turn));
        for (class, queue) in queues.into_iter().enumerate() {
            let own = moves & turn.bit(class);
            leaves[class].set(own & is_last);
            queue.head.ready.set(own & is_last);
            queue.payload.ready.set(own & queue.head.payload.has_payload);
            assert(!own | !within | queue.payload.valid, "a packet that has begun is whole");
        }

        let offers = reg_flag(false);
        let beat = reg_without_reset(TlpBeat::ty(bytes));
        room.set(!offers | io.tx.ready);
        when(room, || {
            let Payload { data, count, .. } = prim::onehot_select(&payloads, turn);
            offers.set(moves);
            beat.data.set(data);
            beat.count.set(cat([count & has_payload.bits().repeat(count.width()), lit(0, 2)]));
            beat.first.set(!within);
            beat.last.set(is_last);
        });
        when(begins, || {
            let Head { header, .. } = prim::onehot_select(&heads, turn);
            beat.header.set(header);
        });
        io.tx.assert_stable();
        io.tx.valid.set(offers);
        io.tx.payload.set(beat);

        // What was inside at a mark.
        let mut remains = vec![];
        for class in 0..3 {
            let (inside, marked) = (reg(bits(COUNT_BITS)), reg(bits(COUNT_BITS)));
            let then = step(inside, enters[class], leaves[class]);
            when(io.mark, || marked.set(then))
                .elsewhen(leaves[class] & marked.any(), || marked.set(marked - 1));
            remains.push(marked.any());
        }
        let passed = reg_flag(true);
        when(io.mark, || passed.set(false)).elsewhen(!any_of(remains) & room, || passed.set(true));
        io.passed.set(passed);
    })
}

/// Counts up and down; returns what the counter becomes.
fn step(counter: Bits, up: Bool, down: Bool) -> Bits {
    let width = counter.width();
    let change = up.mux(lit(1, width), !lit(0, width));
    let then = (up ^ down).mux(counter + change, counter);
    counter.set(then);
    then
}
