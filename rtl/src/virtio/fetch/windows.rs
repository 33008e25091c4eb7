//! What threads have read.

use super::types::{Issue, Return, Slot, batch, thread_bits};
use crate::{config::Config, dma::ReadBeat, prim};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config, threads: usize)]
pub struct WindowsIo {
    /// A read of this thread was handed in; one at a time of each.
    #[input]
    #[ty(Valid::ty(Issue::ty(threads)))]
    pub issue: Valid<Issue>,
    /// Always taken.
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub data: Stream<ReadBeat>,
    /// All its data is there.
    #[output]
    #[ty(Stream::ty(Return::ty(threads)))]
    pub returned: Stream<Return>,
    #[input]
    #[ty(Slot::ty(config, threads))]
    pub slot: Slot,
    /// What is in the slot, one cycle later.
    #[output]
    #[ty(bits(128))]
    pub word: Bits,
}

/// Three regions of a batch of descriptors for each thread, in one RAM, which reads fill from their beginnings.
///
/// ```text
///  issue ─► order (FIFO) ─► thread, region ─┐
///  data ────────────────────────────────────┴► RAM ─► word
///            └─ last ─► FIFO ─► returned
/// ```
#[hdl]
pub fn windows(config: &Config, threads: usize) -> WindowsIo {
    let name = format!("virtio_fetch_windows_{threads}_{}x{}", batch(config), 8 * config.bytes);
    module(name, WindowsIo::ty(config, threads), |io| {
        let depth = threads.next_power_of_two().max(2);
        let row_bytes = config.bytes.max(16);
        // A region's rows, and the beats of a row.
        let row_bits = clog2(batch(config) * 16 / row_bytes);
        let lane_bits = (row_bytes / config.bytes).ilog2() as usize;
        let (region_bits, thread_bits) = (2, thread_bits(threads));
        let ram = mem(bits(8 * row_bytes), 1 << (thread_bits + region_bits + row_bits), Collision::Undefined);

        let order = prim::fifo(Issue::ty(threads), depth);
        order.enq.valid.set(io.issue.valid);
        order.enq.payload.set(io.issue.payload);
        assert(order.enq.ready | !io.issue.valid, "a thread waits for one read");
        let Issue { thread, region } = order.deq.payload;
        let beat = reg(bits(row_bits + lane_bits));
        let ReadBeat { data, count, last, outcome } = io.data.payload;
        io.data.ready.set(true);
        let ends = io.data.valid & last;
        order.deq.ready.set(ends);
        when(io.data.valid, || beat.set(last.mux(beat.zero(), beat + 1)));
        when(io.data.valid & count.any(), || {
            let row = cat([thread, region.bits(), beat.slice(lane_bits, row_bits)]);
            let lanes = match lane_bits {
                0 => lit(1, 1),
                _ => prim::decode(beat.trunc(lane_bits), 1 << lane_bits),
            };
            ram.write_lanes(row, data.repeat(1 << lane_bits), lanes);
        });

        let returns = prim::fifo(Return::ty(threads), depth);
        returns.enq.valid.set(ends);
        returns.enq.payload.set(Return { thread, outcome });
        assert(returns.enq.ready | !ends, "there is room for every thread");
        io.returned.connect(&returns.deq);

        let Slot { thread, region, index } = io.slot;
        let word_bits = (row_bytes / 16).ilog2() as usize;
        let row = ram.read(cat([thread, region.bits(), index.slice(word_bits, row_bits)]));
        io.word.set(match word_bits {
            0 => row,
            _ => select(&row.chunks(128), delay_without_reset(index.trunc(word_bits))),
        });
    })
}
