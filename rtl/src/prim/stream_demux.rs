//! One stream into many.
//!
//! # Purpose
//! Sends each beat to the output that its `port` names. For frames, the source names the same port in all beats.
//!
//! # Schematic
//! ```text
//!  input.payload ----[ payload register ]--+--> outputs[0].payload
//!                                          +--> outputs[n].payload     (one register for all)
//!  input.port --> decode --[ pending ]--------> outputs[i].valid
//! ```
//!
//! # Internals
//! All outputs share the payload register; one bit per output tells whom it is for. A beat for a port beyond the last
//! is dropped.
//!
//! # Timing
//! A beat every cycle, 1 cycle of latency. `input.ready` is combinational in the outputs' `ready`. An output that
//! stalls holds up those behind it in the stream.
//! ```text
//!               _   _   _   _
//!  clk        _/ \_/ \_/ \_/ \_
//!  input      /A>1X B>0\_______
//!  outputs[0] ________/B  \____
//!  outputs[1] ____/A  \________
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::{frame::Beat, prim::stream_demux};
//! assert!(elaborate(|| stream_demux(Beat::ty(8), 8)).is_ok());
//! ```

use super::{Routed, vectors::decode};
use hdl::*;

/// Ports of a [`stream_demux`].
#[derive(Bundle, Clone, Debug)]
#[ty(payload: T, ports: usize)]
pub struct DemuxIo<T> {
    /// Beats and where they go.
    #[input]
    #[ty(Stream::ty(Routed::ty(ports, payload.clone())))]
    pub input: Stream<Routed<T>>,
    #[output]
    #[ty(vec![Stream::ty(payload); ports])]
    pub outputs: Vec<Stream<T>>,
}

/// Distributes a stream to 1 to 66 outputs.
#[hdl]
pub fn stream_demux<T: Data>(payload: T, ports: usize) -> DemuxIo<T> {
    require((1..=66).contains(&ports), || format!("a demultiplexer has 1 to 66 outputs, not {ports}"));
    let name = format!("stream_demux_{ports}x{}", payload.size());
    module(name, DemuxIo::ty(payload.clone(), ports), |io| {
        io.input.assume_stable();
        io.outputs.iter().for_each(Stream::assert_stable);
        /// Which output the held beat waits for.
        let pending = reg(bits(ports));
        let held = reg_without_reset(payload.clone());
        let readies = vector(io.outputs.iter().map(|output| output.ready));
        let advance = !(pending & !readies).any();
        let Routed { port, beat } = io.input.payload.clone();
        when(advance, || {
            pending.set(io.input.valid.mux(decode(port, ports), lit(0, ports)));
            held.set(beat);
        });
        io.input.ready.set(advance);
        for (i, output) in io.outputs.iter().enumerate() {
            output.valid.set(pending.bit(i));
            output.payload.set(held.clone());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn cycle(bench: &mut Bench, source: &mut Source<Routed<Bits>>, sinks: &mut [Sink<Bits>]) {
        let mut agents: Vec<&mut dyn Agent> = sinks.iter_mut().map(|it| it as &mut dyn Agent).collect();
        agents.push(source);
        bench.cycle(&mut agents);
    }

    #[test]
    fn each_beat_goes_where_it_should() {
        for ports in [1, 2, 3, 8, 20] {
            for (up, down) in PACES {
                let (mut bench, io) = Bench::new(|| stream_demux(bits(9), ports), 1);
                let mut source = Source::new(&io.input, up);
                let mut sinks: Vec<_> = io.outputs.iter().map(|output| Sink::new(output, down)).collect();
                for _ in 0..2 {
                    let words = random_words(&mut bench.rng, 9 + clog2(ports), 300);
                    source.send(words.clone());
                    let mut cycles = 0;
                    while source.queue.len() + usize::from(bench.sim.peek(io.input.valid)) > 0 || cycles == 0
                    {
                        cycle(&mut bench, &mut source, &mut sinks);
                        cycles += 1;
                        assert!(cycles < 10_000);
                    }
                    (0..200).for_each(|_| cycle(&mut bench, &mut source, &mut sinks));
                    for (i, sink) in sinks.iter_mut().enumerate() {
                        let mine = words.iter().filter(|word| field(word, 9, clog2(ports)) == i as u64);
                        let mine: Vec<Word> = mine.map(|word| word[..9].to_bitvec()).collect();
                        assert_eq!(sink.got, mine);
                        sink.got.clear();
                    }
                    if (up, down) == (1.0, 1.0) {
                        assert!(cycles <= 301, "a beat every cycle, not {cycles}");
                    }

                    source.send(words[..3].to_vec());
                    cycle(&mut bench, &mut source, &mut sinks);
                    source.reset();
                    bench.sim.poke(io.input.valid, false);
                    bench.sim.reset();
                    assert!(
                        io.outputs.iter().all(|output| !bench.sim.peek(output.valid)),
                        "empty after reset"
                    );
                    sinks.iter_mut().for_each(|sink| sink.got.clear());
                }
            }
        }
    }

    /// A stalled output holds its beat and keeps the input waiting.
    #[test]
    fn a_stall_holds_up_the_input() {
        let (mut bench, io) = Bench::new(|| stream_demux(bits(9), 4), 2);
        let mut source = Source::new(&io.input, 1.0);
        source.send((0..4).map(|i| word(i << 9 | i, 11)));
        let mut sinks: Vec<_> = io.outputs.iter().map(|output| Sink::new(output, 1.0)).collect();
        sinks[1].pace = 0.0;
        (0..20).for_each(|_| cycle(&mut bench, &mut source, &mut sinks));
        assert_eq!((source.sent, sinks[0].got.len(), sinks[2].got.len()), (2, 1, 0));
        sinks[1].pace = 1.0;
        (0..20).for_each(|_| cycle(&mut bench, &mut source, &mut sinks));
        assert!(sinks.iter().all(|sink| sink.got.len() == 1));
    }
}
