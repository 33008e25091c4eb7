//! Who sends next.

use super::super::queues::{Queue, queue_count, slot_bits};
use crate::{config::Config, prim};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub(super) struct ChooserIo {
    #[input]
    #[ty(bits(queue_count(config)))]
    pub chains: Bits,
    #[input]
    #[ty(bits(config.functions()))]
    pub open: Bits,
    #[output]
    #[ty(bits(config.functions()))]
    pub pending: Bits,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub choice: Stream<Queue>,
}

/// Functions in turn, and in each of them its transmitting queues in turn.
///
/// ```text
///  chains ─► of each function ─► [pending] ─► & open ─► round robin ─► [function] ─► its queues ─► [choice]
/// ```
///
/// # Timing
/// A choice in every third cycle. It may be out of date: made before `open` fell, or before the queue's last buffer was taken.
#[hdl]
pub(super) fn chooser(config: &Config) -> ChooserIo {
    let name = format!("virtio_transmit_chooser_{}x{}", config.functions(), config.pairs);
    module(name, ChooserIo::ty(config), |io| {
        let (functions, pairs) = (config.functions(), config.pairs);
        io.choice.assert_stable();
        let slots = 1 << slot_bits(config);
        // A bit for each pair of each function.
        let waiting: Vec<Bits> = (0..functions)
            .map(|function| vector((0..pairs).map(|pair| io.chains.bit(function * slots + 2 * pair + 1))))
            .collect();
        let waiting: Vec<Bits> = delay(waiting);
        let pending = delay(vector(waiting.iter().map(|queues| queues.any())));
        io.pending.set(pending);

        let functions_in_turn = prim::round_robin(functions);
        functions_in_turn.requests.set(pending & io.open);
        /// A function has been found.
        let found = reg(flag());
        let function = reg_without_reset(prim::encode(pending));
        /// A queue of it has been.
        let chosen = reg(flag());
        let choice = reg_without_reset(Queue::ty(config));
        let looks = !found & !chosen;
        functions_in_turn.accept.set(looks);
        when(looks, || {
            found.set(functions_in_turn.any);
            function.set(functions_in_turn.index);
        });

        // The pair of the function whose turn it is comes first, then those above it, then those below.
        let pair_bits = clog2(pairs).max(1);
        let turns = reg(vec![bits(pair_bits); functions]);
        let turn = select(&turns, function);
        let queues = select(&waiting, function);
        let from_turn = queues & vector((0..pairs).map(|pair| turn.le(pair)));
        let grant = prim::first_one(from_turn.any().mux(from_turn, queues));
        let pair = prim::encode(grant).resize(pair_bits);
        when(found, || {
            found.set(false);
            chosen.set(queues.any());
            let one = lit(1, 1);
            let slot = if pairs == 1 { one } else { cat([pair.trunc(clog2(pairs)), one]) };
            choice.set(Queue { slot: slot.resize(slot_bits(config)), function });
            set_at(&turns, function, pair + 1);
        });
        io.choice.valid.set(chosen);
        io.choice.payload.set(choice);
        when(io.choice.fire(), || chosen.set(false));
    })
}
