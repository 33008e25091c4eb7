//! When a queue is drained from a block through which buffers go in their order.

use super::queues::Queue;
use hdl::*;

/// Bits of a count of buffers: there are never half as many under way as it can tell apart.
const COUNT: usize = 8;

/// Takes `drain` when all buffers that were begun before it have ended, and none of what they led to is `left` at the ports. The
/// block begins no buffer of the queue on offer.
#[hdl]
pub fn drain_in_order(drain: &Stream<Queue>, begins: Bool, ends: Bool, left: Bool) {
    drain.assume_stable();
    let (begun, ended) = (reg(bits(COUNT)), reg(bits(COUNT)));
    let goal = reg_without_reset(bits(COUNT));
    let waits = reg(flag());
    when(begins, || begun.set(begun + 1));
    when(ends, || ended.set(ended + 1));
    when(drain.fire(), || waits.set(false)).elsewhen(drain.valid & !waits, || {
        waits.set(true);
        goal.set(begun);
    });
    let has_passed = !(ended - goal).bit(COUNT - 1);
    drain.ready.set(waits & has_passed & !left);
}
