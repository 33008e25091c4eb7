//! From a decision to the egress queues.

use super::{
    references::Held,
    types::{Chain, Decision, Finished, QueueEntry, Reason},
};
use crate::{config::Config, prim};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct DispatchIo {
    #[input]
    #[ty(Stream::ty(Decision::ty(config)))]
    pub decision: Stream<Decision>,
    #[input]
    #[ty(bits(config.cell_count_bits()))]
    pub free_count: Bits,
    /// A port has read a frame of this many cells.
    #[input]
    #[ty(Valid::ty(Finished::ty(config)))]
    pub finished: Valid<Finished>,
    /// Into the queue of each port; always taken.
    #[output]
    #[ty(vec![Valid::ty(QueueEntry::ty(config)); config.ports()])]
    pub queues: Vec<Valid<QueueEntry>>,
    #[output]
    #[ty(Valid::ty(Held::ty(config)))]
    pub hold: Valid<Held>,
    /// Chains of frames that go nowhere.
    #[output]
    #[ty(Stream::ty(Chain::ty(config)))]
    pub release: Stream<Chain>,
    /// Frames dropped as a whole, by reason; a pulse each, in the order of [`Reason::COUNTED`].
    #[output]
    #[ty(bits(Reason::COUNTED.len()))]
    pub dropped: Bits,
    /// Copies dropped because a port's share of the packet buffer is used up; a pulse for each port.
    #[output]
    #[ty(bits(config.ports()))]
    pub queue_full: Bits,
}

/// Puts a frame into the queues of its destinations, all in one cycle, or gives its cells back.
///
/// ```text
///  decision ─► register ─┬─ and room ─► queues, hold
///                        ├─► release          │
///                        └─► dropped, queue_full
///  finished ─► cells owed to each port ─► room
/// ```
///
/// A port has room while the cells that it is owed are no more than those that are free: with one port stalled half of
/// the buffer stays free for the others, with `k` stalled a share of `1 / (k + 1)`. Takes a decision in each cycle
/// unless `release` stalls. All outputs come from one register through one step of logic, but `decision.ready`.
#[hdl]
pub fn dispatch(config: &Config) -> DispatchIo {
    let name = format!("veb_dispatch_{}x{}", config.ports(), config.cells);
    module(name, DispatchIo::ty(config), |io| {
        let count = bits(config.cell_count_bits());
        // Some cycles behind: a port may take a few frames more than its share.
        let room = reg(bits(config.ports()));
        /// Cells of the frames in each queue.
        let owed = reg(vec![count; config.ports()]);

        // A cycle later: it is the end of long logic.
        let finished_valid = delay(io.finished.valid);
        let finished = delay_without_reset(io.finished.payload);

        let occupied = reg(flag());
        let decision = reg_without_reset(Decision::ty(config));
        /// Destinations that had room when the decision came.
        let accepted = reg_without_reset(bits(config.ports()));
        let goes_nowhere = !accepted.any();
        io.release.valid.set(occupied & goes_nowhere);
        io.release.payload.set(decision.chain);
        let advance = !(occupied & goes_nowhere) | io.release.ready;
        io.decision.ready.set(advance);
        when(advance, || {
            occupied.set(io.decision.valid);
            decision.set(io.decision.payload);
            accepted.set(io.decision.payload.destinations & room);
        });

        let settled = occupied & advance;
        for (port, queue) in io.queues.iter().enumerate() {
            queue.valid.set(occupied & accepted.bit(port));
            queue.payload.set(QueueEntry { head: decision.chain.head, length: decision.length });
        }
        io.hold.valid.set(occupied & !goes_nowhere);
        io.hold.payload.set(Held { chain: decision.chain, copies: prim::popcount(accepted) });
        io.queue_full.set(settled.mux(decision.destinations & !accepted, room.zero()));
        let reasons = Reason::COUNTED.map(|(reason, _)| settled & decision.reason.is(reason));
        io.dropped.set(vector(reasons));

        for (port, &owed) in owed.iter().enumerate() {
            let more = (occupied & accepted.bit(port)).mux(decision.chain.cells, count.zero());
            let is_finished = finished_valid & finished.port.eq(port);
            let less = is_finished.mux(finished.cells, count.zero());
            owed.set(owed + more - less);
            room.bit(port).set(owed.le(io.free_count));
        }
        io.release.assert_stable();
    })
}
