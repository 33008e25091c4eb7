//! Which function's frame is taken out of the bridge next.

use super::super::queues::{queue_count, slot_bits};
use crate::{
    config::Config,
    frame::Beat,
    prim::{self, Routed},
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct CollectorIo {
    /// Frames for each function.
    #[input]
    #[ty(vec![Stream::ty(Beat::ty(config.bytes)); config.functions()])]
    pub frame: Vec<Stream<Beat>>,
    /// Pairs of each function that are in use, less one.
    #[input]
    #[ty(bits(2 * config.functions()))]
    pub pairs: Bits,
    /// Queues with several buffers in the store.
    #[input]
    #[ty(bits(queue_count(config)))]
    pub plenty: Bits,
    /// Queues whose driver may have buffers that have not been fetched.
    #[input]
    #[ty(bits(queue_count(config)))]
    pub busy: Bits,
    #[output]
    #[ty(Stream::ty(Routed::ty(config.functions(), Beat::ty(config.bytes))))]
    pub output: Stream<Routed<Beat>>,
}

/// Takes whole frames of functions in turn, of those only whose queues in use all have plenty of buffers, or get none that
/// would have to be waited for: such frames are placed at once or lost.
///
/// # Timing
/// A beat in each cycle, and two cycles between frames.
#[hdl]
pub fn collector(config: &Config) -> CollectorIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_receive_collector_{}x{}_{}", config.functions(), config.pairs, config.bytes);
    module(name, CollectorIo::ty(config), |io| {
        let slots = 1 << slot_bits(config);
        let may = delay(io.plenty | !io.busy);
        let is_eligible = (0..config.functions()).map(|function| {
            let in_use = io.pairs.slice(2 * function, 2);
            all_of((0..config.pairs).map(|pair| may.bit(function * slots + 2 * pair) | in_use.lt(pair)))
        });
        let is_eligible = delay(vector(is_eligible));
        let arbiter = prim::round_robin(config.functions());
        /// A frame of this function moves.
        let owner = reg(bits(config.functions()));
        let moves = owner.any();
        arbiter.requests.set(is_eligible & vector(io.frame.iter().map(|stream| stream.valid)));
        arbiter.accept.set(!moves);
        let slice = prim::register_slice(Routed::ty(config.functions(), Beat::ty(config.bytes)));
        io.output.connect(&slice.output);
        let beats: Vec<Beat> = io.frame.iter().map(|stream| stream.payload).collect();
        let beat = prim::onehot_select(&beats, owner);
        let offered = (vector(io.frame.iter().map(|stream| stream.valid)) & owner).any();
        slice.input.valid.set(offered);
        slice.input.payload.set(Routed { port: prim::encode(owner), beat });
        for (stream, own) in io.frame.iter().zip(owner.to_bools()) {
            stream.assume_stable();
            stream.ready.set(own & slice.input.ready);
        }
        let ends = slice.input.fire() & beat.last;
        when(!moves, || owner.set(arbiter.grant)).elsewhen(ends, || owner.set(owner.zero()));
    })
}
