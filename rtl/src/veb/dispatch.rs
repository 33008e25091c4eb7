//! From a decision to the egress queues.

use super::{
    references::Held,
    types::{Chain, Counted, Decision, Edit, Finished, Leaving, QueueEntry, Settled},
};
use crate::{config::Config, prim};
use hdl::*;

/// How much of the packet buffer a port may hold, in cells: a row of the table LIMIT, under the names of its fields.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Limit {
    /// A port that holds so much gets no more; 0: only what all ports share is a limit.
    #[ty(bits(config.cell_count_bits()))]
    pub cells: Bits,
    /// A port that holds so much is congested; 0: never.
    #[ty(bits(config.cell_count_bits()))]
    pub hold: Bits,
}

/// A limit to set.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct LimitWrite {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    #[ty(Limit::ty(config))]
    pub limit: Limit,
}

/// What is kept of a frame at its first cell.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct LeavingWrite {
    #[ty(bits(config.cell_bits()))]
    pub head: Bits,
    #[ty(Leaving::ty(config))]
    pub leaving: Leaving,
}

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
    /// Ports that take nothing.
    #[input]
    #[ty(bits(config.ports()))]
    pub dead: Bits,
    #[input]
    #[ty(Valid::ty(LimitWrite::ty(config)))]
    pub limit: Valid<LimitWrite>,
    /// Into the queue of each port; always taken.
    #[output]
    #[ty(vec![Valid::ty(QueueEntry::ty(config)); config.ports()])]
    pub queues: Vec<Valid<QueueEntry>>,
    #[output]
    #[ty(Valid::ty(Held::ty(config)))]
    pub hold: Valid<Held>,
    #[output]
    #[ty(Valid::ty(LeavingWrite::ty(config)))]
    pub leaving: Valid<LeavingWrite>,
    /// Chains of frames that go nowhere.
    #[output]
    #[ty(Stream::ty(Chain::ty(config)))]
    pub release: Stream<Chain>,
    /// Each frame, once; four cycles apart or more.
    #[output]
    #[ty(Valid::ty(Counted::ty(config)))]
    pub counted: Valid<Counted>,
    /// The same.
    #[output]
    #[ty(Valid::ty(Settled::ty(config)))]
    pub settled: Valid<Settled>,
    /// Copies dropped because their port may hold no more of the packet buffer; a pulse for each port.
    #[output]
    #[ty(bits(config.ports()))]
    pub queue_full: Bits,
    /// Ports that hold so much that those who send to them had better wait. A dead port is not waited for.
    #[output]
    #[ty(bits(config.ports()))]
    pub congested: Bits,
}

/// Puts a frame into the queues of its destinations, all in one cycle, or gives its cells back.
///
/// ```text
///  decision ─► register ─┬─ and room ─► queues, hold, leaving
///                        ├─► release          │
///                        └─► counted, queue_full
///  finished ─► cells owed to each port ─► room, congested
/// ```
///
/// A port has room while the cells that it is owed are below its limit and no more than those that are free: with one
/// port stalled half of the buffer stays free for the others, with `k` stalled a share of `1 / (k + 1)`. The frame that
/// reaches a limit is the last one that a port gets. Takes a decision in four cycles unless `release` stalls. All
/// outputs come from registers, or from them through one step of logic.
#[hdl]
pub fn dispatch(config: &Config) -> DispatchIo {
    let name = format!("veb_dispatch_{}x{}", config.ports(), config.cells);
    module(name, DispatchIo::ty(config), |io| {
        let count = bits(config.cell_count_bits());
        let ports = config.ports();
        let room = reg(bits(ports));
        let below_limit = reg(bits(ports));
        let congested = reg(bits(ports));
        /// Cells of the frames in each queue.
        let owed = reg(vec![count; ports]);
        let limits = reg(vec![Limit::ty(config); ports]);

        // A cycle later: it is the end of long logic.
        let finished_valid = delay(io.finished.valid);
        let finished = delay_without_reset(io.finished.payload);

        let occupied = reg(flag());
        let decision = reg_without_reset(Decision::ty(config));
        /// Destinations that had room when the decision came.
        let accepted = reg_without_reset(bits(ports));
        /// The length with a tag more, or less if there is one.
        let edited_length = reg_without_reset(U::<14>::ty());
        let goes_nowhere = !accepted.any();
        io.release.valid.set(occupied & goes_nowhere);
        io.release.payload.set(decision.chain);
        // Those who count take a frame in four cycles, which is as fast as decisions come.
        let paused = reg(bits(2));
        let ready = !occupied & !paused.any();
        let taken = io.decision.valid & ready;
        io.decision.ready.set(ready);
        when(ready, || {
            let next = io.decision.payload;
            decision.set(next);
            accepted.set(next.destinations & room & below_limit);
            let change = next.has_tag.mux(lit((1 << 14) - 4, 14), lit(4, 14));
            edited_length.set(next.length + change.as_u());
        });
        let settled = occupied & (!goes_nowhere | io.release.ready);
        occupied.set((occupied & !settled) | taken);
        paused.set(cat([paused.slice(0, 1), settled.bits()]));

        let Decision { chain, length, .. } = decision;
        for (port, queue) in io.queues.iter().enumerate() {
            queue.valid.set(occupied & accepted.bit(port));
            let untagged = decision.untagged.bit(port);
            let edit = wire(Enum::ty());
            when(decision.raw | (untagged & !decision.has_tag), || edit.set(Edit::Keep))
                .elsewhen(untagged, || edit.set(Edit::Remove))
                .elsewhen(decision.has_tag, || edit.set(Edit::Replace))
                .otherwise(|| edit.set(Edit::Insert));
            let changes_length = !decision.raw & untagged.eq(decision.has_tag);
            let length = changes_length.mux(edited_length, length);
            queue.payload.set(QueueEntry { head: chain.head, edit, length });
        }
        let cast = decision.cast;
        // A cycle later: counting takes long, and no copy is read so soon.
        io.hold.valid.set(delay(occupied & !goes_nowhere));
        let copies = prim::popcount(accepted);
        io.hold.payload.set(delay_without_reset(Held { chain, length, cast, copies }));
        io.leaving.valid.set(occupied & !goes_nowhere);
        let leaving = Leaving { tag: decision.tag, source: decision.port };
        io.leaving.payload.set(LeavingWrite { head: chain.head, leaving });
        io.queue_full.set(settled.mux(decision.destinations & !accepted, room.zero()));
        let Decision { port, reason, .. } = decision;
        io.counted.valid.set(settled);
        io.counted.payload.set(Counted { port, reason, cast, length });
        io.settled.valid.set(settled);
        io.settled.payload.set(Settled { port, length, destinations: decision.destinations });

        for port in 0..ports {
            let owed = owed[port];
            let more = (occupied & accepted.bit(port)).mux(chain.cells, count.zero());
            let is_finished = finished_valid & finished.port.eq(port);
            let less = is_finished.mux(finished.cells, count.zero());
            owed.set(owed + more - less);
            room.bit(port).set(owed.le(io.free_count));
            let limit = limits[port];
            below_limit.bit(port).set(owed.lt(limit.cells) | !limit.cells.any());
            let holds_much = owed.ge(limit.hold) & limit.hold.any();
            congested.bit(port).set(holds_much & !io.dead.bit(port));
            when(io.limit.valid & io.limit.payload.port.eq(port), || limit.set(io.limit.payload.limit));
        }
        io.congested.set(congested);
        io.release.assert_stable();
    })
}
