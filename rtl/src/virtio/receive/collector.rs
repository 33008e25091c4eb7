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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pcie::configuration::function_bits, testing::*};

    /// A frame begins only if each queue in use has plenty of buffers, or will get none; those that may begin do so in turn, and
    /// come whole, in the order of their functions.
    #[test]
    fn frames_that_nobody_waits_for() {
        for (seed, config) in Config::all().iter().enumerate() {
            let (mut bench, io) = Bench::new(|| collector(config), seed as u64);
            let (functions, slots) = (config.functions(), 1 << slot_bits(config));
            let beat_bits = Beat::ty(config.bytes).size();
            let mut sources: Vec<Source<Beat>> =
                io.frame.iter().map(|stream| Source::new(stream, 1.0)).collect();
            let mut sent = vec![vec![]; functions];
            for (source, sent) in sources.iter_mut().zip(&mut sent) {
                for _ in 0..60 {
                    let frame = Frame { error: false, ..Frame::random(&mut bench.rng, 14..=100) };
                    source.send(frame.beats(config.bytes, &mut bench.rng));
                    sent.push(frame);
                }
            }
            let mut sink = Sink::new(&io.output, 0.8);
            let mut owners = vec![];
            for _ in 0..40 {
                let bits =
                    |rng: &mut Rng, count: usize| (0..count).map(|_| rng.u8(..3) == 0).collect::<Word>();
                let (plenty, busy) =
                    (bits(&mut bench.rng, functions * slots), bits(&mut bench.rng, functions * slots));
                let pairs: Vec<usize> = (0..functions).map(|_| bench.rng.usize(..config.pairs)).collect();
                let may = |function: usize| {
                    let queues = (0..=pairs[function]).map(|pair| function * slots + 2 * pair);
                    queues.into_iter().all(|queue| plenty[queue] || !busy[queue])
                };
                let pad = |bits: &Word| {
                    let mut bits = bits.clone();
                    bits.resize(queue_count(config), false);
                    bits
                };
                bench.sim.poke_wide(&io.plenty, &pad(&plenty));
                bench.sim.poke_wide(&io.busy, &pad(&busy));
                bench.sim.poke_wide(
                    &io.pairs,
                    &pairs.iter().flat_map(|pairs| word(*pairs as u64, 2)).collect::<Word>(),
                );
                // What has begun ends.
                for cycle in 0..150 {
                    let got = sink.got.len();
                    let mut agents: Vec<&mut dyn Agent> =
                        sources.iter_mut().map(|source| source as &mut dyn Agent).collect();
                    agents.push(&mut sink);
                    bench.cycle(&mut agents);
                    if let [beat] = &sink.got[got..] {
                        let owner = field(beat, beat_bits, function_bits(config)) as usize;
                        assert!(cycle < 60 || may(owner), "function {owner} has to wait");
                        if beat[1] && cycle >= 60 {
                            owners.push(owner);
                        }
                    }
                }
                let waits = |function: &usize| may(*function) && !sources[*function].queue.is_empty();
                if (0..functions).filter(waits).count() > 1 {
                    assert!(owners.windows(2).all(|pair| pair[0] != pair[1]), "others wait: {owners:?}");
                }
                owners.clear();
            }
            bench.sim.poke_wide(&io.busy, &word(0, 64).repeat(8)[..queue_count(config)].to_bitvec());
            let mut rest = 20;
            while rest > 0 {
                rest -= usize::from(sources.iter().all(|source| source.queue.is_empty()));
                let mut agents: Vec<&mut dyn Agent> =
                    sources.iter_mut().map(|source| source as &mut dyn Agent).collect();
                agents.push(&mut sink);
                bench.cycle(&mut agents);
            }
            for (function, sent) in sent.iter().enumerate() {
                let own = sink
                    .got
                    .iter()
                    .filter(|beat| field(beat, beat_bits, function_bits(config)) as usize == function);
                let own: Vec<Word> = own.map(|beat| beat[..beat_bits].to_bitvec()).collect();
                assert_eq!(frames(&own, config.bytes), *sent, "function {function}");
            }
            let mut within = None;
            for beat in &sink.got {
                let owner = field(beat, beat_bits, function_bits(config));
                assert!(within.is_none_or(|within| within == owner), "frames do not mix");
                within = (!beat[1]).then_some(owner);
            }
        }
    }
}
