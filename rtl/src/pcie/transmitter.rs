//! The order in which packets are sent, and the credits that they take.

mod queue;

#[cfg(test)]
mod tests;

use super::tlp::TlpBeat;
use crate::{config::Config, prim};
use hdl::*;
use queue::{PACKETS, Payload, tally};

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
///  posted ──────► queue ─────────────┬─► round robin ─► [header] ─► [beat] ─► tx
///  completion ─┬► queue ─────────────┤
///              └► stamps ─► [free] ──┤
///  request ────┬► queue ─────────────┤
///              └► stamps ─► [free] ──┘
/// ```
///
/// A packet leaves when it is whole inside (store and forward) and has credits. Each class keeps its order. A completion or
/// a request does not pass the posted packets whose last beat came no later than its own: it is stamped with the number of
/// posted packets that have come, and free when so many have left. Everything else may pass: among the classes whose oldest
/// packet has credits and is free the output goes round, packet by packet, so that none starves.
///
/// # Timing
/// A beat in each cycle, without gaps between packets. The first beat of a packet leaves an empty transmitter six cycles after
/// its last beat came. `tx` comes from registers.
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
            tally(2 * PACKETS, stamps.deq.fire(), leaves[class])
        };
        let free = [true.to_bool(), order(1), order(2)];

        // The packet that leaves next.
        let arbiter = prim::round_robin(3);
        let may_leave = queues.iter().zip(free).map(|(queue, free)| queue.head.valid & free);
        arbiter.requests.set(vector(may_leave));
        let is_busy = reg_flag(false);
        let owner = reg_without_reset(bits(3));
        let header = reg_without_reset(bits(128));
        let finishes = wire(flag());
        let chooses = !is_busy | finishes;
        arbiter.accept.set(chooses);
        when(chooses, || {
            is_busy.set(arbiter.any);
            owner.set(arbiter.grant);
            let headers = queues.map(|queue| Bits::from(queue.head.payload));
            header.set(prim::onehot_select(&headers, arbiter.grant));
        });
        for (class, queue) in queues.into_iter().enumerate() {
            let own = chooses & arbiter.grant.bit(class);
            leaves[class].set(own);
            queue.head.ready.set(own);
        }

        // Its beats.
        let room = wire(flag());
        let is_first = reg_flag(true);
        let has_payload = header.bit(30);
        let payloads = queues.map(|queue| queue.payload.payload);
        let Payload { data, count, last } = prim::onehot_select(&payloads, owner);
        let is_there = (vector(queues.map(|queue| queue.payload.valid)) & owner).any();
        let is_last = !has_payload | last;
        let moves = is_busy & room & (!has_payload | is_there);
        finishes.set(moves & is_last);
        for (class, queue) in queues.into_iter().enumerate() {
            queue.payload.ready.set(is_busy & room & has_payload & owner.bit(class));
        }
        when(moves, || is_first.set(is_last));
        assert(!is_busy | is_first | is_there, "a packet that has begun is whole");

        let offers = reg_flag(false);
        let beat = reg_without_reset(TlpBeat::ty(bytes));
        room.set(!offers | io.tx.ready);
        when(room, || {
            offers.set(moves);
            beat.header.set(header.as_u());
            beat.data.set(data);
            beat.count.set(cat([count & has_payload.bits().repeat(count.width()), lit(0, 2)]));
            beat.first.set(is_first);
            beat.last.set(is_last);
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
        // They were chosen; then they are in the output register; then they have left.
        let are_out = reg_flag(true);
        let passed = reg_flag(true);
        when(io.mark, || are_out.set(false)).elsewhen(!any_of(remains) & chooses, || are_out.set(true));
        when(io.mark, || passed.set(false)).elsewhen(are_out & room, || passed.set(true));
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
