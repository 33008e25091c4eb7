//! Where frames of a port wait until they may start.

use crate::{config::Config, frame::Beat};
use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(bytes: usize)]
pub struct GateIo {
    #[input]
    #[ty(Stream::ty(Beat::ty(bytes)))]
    pub input: Stream<Beat>,
    /// A frame may start. Looked at only where one is about to; may change at any time.
    #[input]
    pub open: Bool,
    /// The port has something to send: a frame that waits to start, or that goes on.
    #[output]
    pub pending: Bool,
    #[output]
    #[ty(Stream::ty(Beat::ty(bytes)))]
    pub output: Stream<Beat>,
}

/// The gate in front of one port: a frame passes as a whole, if it was let in.
///
/// ```text
///  input ──┬───────────────[&]──► output
///          │                │
///          └─► pending   allowed or open
///                │              ▲
///                └──► shaper ───┘
/// ```
///
/// `allowed` says that the frame whose beat is next was shown to `output`. It makes the frame stay on offer when `open`
/// falls, and lets its rest pass. Combinational, without a bubble: while `open` is 1, the gate is not there.
#[hdl]
pub fn gate(config: &Config) -> GateIo {
    module(format!("veb_gate_{}", 8 * config.bytes), GateIo::ty(config.bytes), |io| {
        let (input, output) = (io.input, io.output);
        input.assume_stable();
        /// The next beat belongs to a frame that may pass.
        let allowed = reg(flag());
        let passes = allowed | io.open;
        when(output.fire(), || allowed.set(!input.payload.last))
            .elsewhen(input.valid & io.open, || allowed.set(true));
        output.valid.set(input.valid & passes);
        output.payload.set(input.payload);
        input.ready.set(output.ready & passes);
        io.pending.set(input.valid);
        output.assert_stable();
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Frames pass unharmed and in order while `open` changes at random; none starts while it is 0; `pending` is there
    /// with each beat.
    #[test]
    fn frames_pass_as_a_whole() {
        for (seed, (up, down)) in PACES.into_iter().enumerate() {
            for duty in [0.1, 0.5, 1.0] {
                let config = Config::small();
                let (mut bench, io) = Bench::new(|| gate(&config), seed as u64);
                let (mut source, mut sink) = (Source::new(&io.input, up), Sink::new(&io.output, down));
                let sent: Vec<Frame> = (0..60).map(|_| Frame::random(&mut bench.rng, 1..=40)).collect();
                for frame in &sent {
                    source.queue.extend(frame.beats(config.bytes, &mut bench.rng));
                }
                let beats = source.queue.len();
                let (mut within, mut shown, mut cycles) = (false, false, 0);
                while sink.got.len() < beats {
                    let open = bench.rng.f64() < duty;
                    bench.sim.poke(io.open, open);
                    let moved = sink.got.len();
                    let mut watch = Watch { io, open, within, shown };
                    bench.cycle(&mut [&mut source, &mut sink, &mut watch]);
                    shown = watch.shown;
                    if let [word] = &sink.got[moved..] {
                        within = !word[1];
                        shown = false;
                    }
                    cycles += 1;
                    assert!(cycles < 50_000, "stuck");
                }
                assert_eq!(frames(&sink.got, config.bytes), sent);
                if (up, down, duty) == (1.0, 1.0, 1.0) {
                    assert_eq!(cycles, beats, "no bubble");
                }
            }
        }
    }

    /// Compares what the gate shows with what it may show.
    struct Watch {
        io: GateIo,
        open: bool,
        within: bool,
        /// The beat was on offer in the cycle before.
        shown: bool,
    }

    impl Agent for Watch {
        fn drive(&mut self, _: &mut Bench) {}

        fn sample(&mut self, bench: &mut Bench) {
            let valid = bench.sim.peek(self.io.input.valid);
            assert_eq!(bench.sim.peek(self.io.pending), valid);
            let may = self.open || self.within || self.shown;
            assert_eq!(bench.sim.peek(self.io.output.valid), valid && may);
            self.shown = valid && may;
        }
    }
}
