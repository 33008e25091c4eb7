//! Many streams into one.
//!
//! # Purpose
//! Merges 1 to 66 streams. [`stream_arbiter`] chooses anew for every beat, [`frame_arbiter`] after the last beat of a
//! frame. Each beat comes out with the number of the port it came from.
//!
//! # Schematic
//! ```text
//!  inputs[0] --|\
//!  inputs[1] --| \
//!     ...      |  >--[ output register ]--> output { port, beat }
//!  inputs[n] --| /
//!              |/
//!               ^ owner [D Q] <-- arbiter <-- valids of the others
//! ```
//!
//! # Internals
//! [`Policy::RoundRobin`]: the owner of the output is a register. While it sends its last beat, the arbiter already
//! picks the next owner among the *other* requests; if there is none, the owner stays. So the arbiter does not stand in
//! front of the wide multiplexer, and there are no idle cycles between owners.
//!
//! [`Policy::Priority`]: the lowest request is chosen in the cycle in which its beat moves (of a frame: its first beat).
//! Under steady requests of lower ports the higher ones wait for ever.
//!
//! # Timing
//! A beat every cycle from any mix of inputs. Latency 1 cycle, or 2 when an idle output changes its owner (round robin).
//! `inputs[i].ready` is combinational in `output.ready`, and for priorities in the inputs' `valid`; put a
//! [`skid_buffer`](super::skid_buffer()) behind it where that is too slow.
//! ```text
//!               _   _   _   _   _
//!  clk        _/ \_/ \_/ \_/ \_/ \_
//!  inputs[0]  /A0 X A1*\____________    * last
//!  inputs[1]  /B0         X B1*\____
//!  output     ____/A0 X A1*X B0 X B1*
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::{frame::Beat, prim::{Policy, frame_arbiter}};
//! assert!(elaborate(|| frame_arbiter(Beat::ty(8), 6, Policy::RoundRobin, |beat| beat.last)).is_ok());
//! ```

use super::{
    Routed,
    arbiter::{next_turn, require_range},
    register_slice::output_register,
    vectors::{encode, first_one, is_onehot, onehot_select},
};
use hdl::*;

/// Who is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Each in turn.
    RoundRobin,
    /// The lowest number.
    Priority,
}

/// Ports of a [`stream_arbiter`] or [`frame_arbiter`].
#[derive(Bundle, Clone, Debug)]
#[ty(payload: T, ports: usize)]
pub struct ArbiterIo<T> {
    #[input]
    #[ty(vec![Stream::ty(payload.clone()); ports])]
    pub inputs: Vec<Stream<T>>,
    /// Beats and where they came from.
    #[output]
    #[ty(Stream::ty(Routed::ty(ports, payload)))]
    pub output: Stream<Routed<T>>,
}

/// Merges the beats of 1 to 66 streams.
#[hdl]
pub fn stream_arbiter<T: Data>(payload: T, ports: usize, policy: Policy) -> ArbiterIo<T> {
    require_range(ports);
    let name = name("stream_arbiter", &payload, ports, policy);
    module(name, ArbiterIo::ty(payload, ports), |io| merge(io, policy, None))
}

/// Merges the frames of 1 to 66 streams. `last` tells of a payload whether a frame ends with it.
#[hdl]
pub fn frame_arbiter<T: Data>(
    payload: T,
    ports: usize,
    policy: Policy,
    last: impl Fn(&T) -> Bool,
) -> ArbiterIo<T> {
    require_range(ports);
    let name = name("frame_arbiter", &payload, ports, policy);
    module(name, ArbiterIo::ty(payload, ports), |io| merge(io, policy, Some(&last)))
}

fn name<T: Data>(kind: &str, payload: &T, ports: usize, policy: Policy) -> String {
    let suffix = match policy {
        Policy::RoundRobin => "",
        Policy::Priority => "_priority",
    };
    format!("{kind}_{ports}x{}{suffix}", payload.size())
}

/// Tells whether a payload ends a frame.
type Last<'a, T> = &'a dyn Fn(&T) -> Bool;

#[hdl]
fn merge<T: Data>(io: &ArbiterIo<T>, policy: Policy, last: Option<Last<T>>) {
    io.inputs.iter().for_each(Stream::assume_stable);
    io.output.assert_stable();
    let ports = io.inputs.len();
    let valids = vector(io.inputs.iter().map(|input| input.valid));
    /// A beat moves into the output register.
    let moves = wire(flag());
    /// The owner's beat is the last of its frame.
    let ends = if last.is_some() { wire(flag()) } else { all_of([]) };
    /// A frame has begun and not ended.
    let within = if last.is_some() { reg_flag(false) } else { any_of([]) };
    let owner = match policy {
        _ if ports == 1 => lit(1, 1),
        Policy::RoundRobin => in_turn(valids, moves, ends, within),
        Policy::Priority => by_priority(valids, moves, last.is_some().then_some(within)),
    };
    let valid = (valids & owner).any();
    let payloads: Vec<T> = io.inputs.iter().map(|input| input.payload.clone()).collect();
    if let Some(last) = last {
        let lasts = vector(payloads.iter().map(last));
        ends.set((lasts & owner).any());
        when(moves, || within.set(!ends));
    }
    let port = encode(owner);
    let beat = onehot_select(&payloads, owner);
    let output = output_register(&io.output, valid, Routed { port, beat });
    moves.set(valid & output.advance);
    for (i, input) in io.inputs.iter().enumerate() {
        input.ready.set(owner.bit(i) & output.advance);
    }
    assert(!owner.any() | is_onehot(owner), "one owner at most");
    cover(valids.all(), "all inputs at once");
}

/// The owner moves on when its frame ends or while it is idle.
#[hdl]
fn in_turn(valids: Bits, moves: Bool, ends: Bool, within: Bool) -> Bits {
    let ports = valids.width();
    /// The owner of the output.
    let onehot = reg_init(lit(1, ports));
    /// The inputs above the owner: they come first.
    let above = reg_init(!lit(1, ports));
    let others = valids & !onehot;
    let next = next_turn(others, above);
    let idle = !(valids & onehot).any() & !within;
    let pass_on = (moves & ends | idle) & others.any();
    when(pass_on, || {
        onehot.set(next.grant);
        above.set(next.above);
    });
    onehot
}

/// The lowest request, or whose frame has begun: `within`, if there are frames.
#[hdl]
fn by_priority(valids: Bits, moves: Bool, within: Option<Bool>) -> Bits {
    let lowest = first_one(valids);
    let Some(within) = within else {
        return lowest;
    };
    /// Whose frame has begun.
    let locked = reg(bits(valids.width()));
    let onehot = within.mux(locked, lowest);
    when(moves, || locked.set(onehot));
    onehot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{frame::Beat, testing::*};

    const POLICIES: [Policy; 2] = [Policy::RoundRobin, Policy::Priority];

    fn sources<T: Data>(io: &ArbiterIo<T>, pace: f64) -> Vec<Source<T>> {
        io.inputs.iter().map(|input| Source::new(input, pace)).collect()
    }

    fn cycle<T: Data>(bench: &mut Bench, sources: &mut [Source<T>], sink: &mut Sink<Routed<T>>) {
        let mut agents: Vec<&mut dyn Agent> = sources.iter_mut().map(|it| it as &mut dyn Agent).collect();
        agents.push(sink);
        bench.cycle(&mut agents);
    }

    /// Runs until all that was queued has arrived.
    fn finish<T: Data>(bench: &mut Bench, sources: &mut [Source<T>], sink: &mut Sink<Routed<T>>) {
        let total: usize = sources.iter().map(|source| source.queue.len()).sum();
        for _ in 0..20_000 {
            if sink.got.len() == total {
                return;
            }
            cycle(bench, sources, sink);
        }
        panic!("{} of {total} beats arrived", sink.got.len());
    }

    /// The payloads that came from each port, in order.
    fn by_port(words: &[Word], ports: usize, width: usize) -> Vec<Vec<Word>> {
        let mut out = vec![vec![]; ports];
        for word in words {
            out[field(word, width, clog2(ports)) as usize].push(word[..width].to_bitvec());
        }
        out
    }

    #[test]
    fn beats_keep_their_order_per_input() {
        for ports in [1, 2, 3, 8] {
            for policy in POLICIES {
                for (up, down) in PACES {
                    let (mut bench, io) = Bench::new(|| stream_arbiter(bits(9), ports, policy), 1);
                    let (mut sources, mut sink) = (sources(&io, up), Sink::new(&io.output, down));
                    let words: Vec<_> = (0..ports).map(|_| random_words(&mut bench.rng, 9, 60)).collect();
                    sources.iter_mut().zip(&words).for_each(|(source, words)| source.send(words.clone()));
                    finish(&mut bench, &mut sources, &mut sink);
                    assert_eq!(by_port(&sink.got, ports, 9), words);

                    sources[0].send(random_words(&mut Rng::with_seed(1), 9, 5));
                    (0..3).for_each(|_| cycle(&mut bench, &mut sources, &mut sink));
                    sources[0].reset();
                    bench.sim.poke(io.inputs[0].valid, false);
                    bench.sim.reset();
                    assert!(!bench.sim.peek(io.output.valid), "empty after reset");
                }
            }
        }
    }

    #[test]
    fn frames_stay_in_one_piece() {
        for ports in [1, 2, 3, 8] {
            for policy in POLICIES {
                for (up, down) in PACES {
                    let generator = || frame_arbiter(Beat::ty(4), ports, policy, |beat| beat.last);
                    let (mut bench, io) = Bench::new(generator, 3);
                    let (mut sources, mut sink) = (sources(&io, up), Sink::new(&io.output, down));
                    let mut sent = vec![];
                    for source in &mut sources {
                        let frames: Vec<Frame> =
                            (0..15).map(|_| Frame::random(&mut bench.rng, 1..=20)).collect();
                        frames.iter().for_each(|frame| source.send(frame.beats(4, &mut bench.rng)));
                        sent.push(frames);
                    }
                    finish(&mut bench, &mut sources, &mut sink);
                    let width = io.inputs[0].payload.size();
                    let port = |word: &Word| field(word, width, clog2(ports));
                    for pair in sink.got.windows(2) {
                        assert!(pair[0][1] || port(&pair[0]) == port(&pair[1]), "a frame is interrupted");
                    }
                    let got: Vec<Vec<Frame>> =
                        by_port(&sink.got, ports, width).iter().map(|words| frames(words, 4)).collect();
                    assert_eq!(got, sent);
                }
            }
        }
    }

    /// All inputs busy, or one alone: a beat every cycle, fairly.
    #[test]
    fn moves_a_beat_every_cycle() {
        for ports in [2, 3, 8, 20] {
            for policy in POLICIES {
                for busy in [1, 2, ports] {
                    let (mut bench, io) = Bench::new(|| stream_arbiter(bits(6), ports, policy), 4);
                    let (mut sources, mut sink) = (sources(&io, 1.0), Sink::new(&io.output, 1.0));
                    let busy = ports - busy..ports;
                    sources[busy.clone()]
                        .iter_mut()
                        .for_each(|it| it.send((0..1200).map(|i| word(i % 64, 6))));
                    (0..1202).for_each(|_| cycle(&mut bench, &mut sources, &mut sink));
                    assert!(sink.got.len() >= 1200, "{ports} {policy:?} {busy:?}: {}", sink.got.len());
                    let counts: Vec<usize> =
                        by_port(&sink.got, ports, 6)[busy].iter().map(Vec::len).collect();
                    match policy {
                        Policy::RoundRobin => {
                            let (min, max) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                            assert!(max - min <= 1, "{counts:?}");
                        }
                        Policy::Priority => assert!(counts[0] >= 1200, "{counts:?}"),
                    }
                }
            }
        }
    }

    /// Frames of two beats from all inputs: no idle cycle between them.
    #[test]
    fn changes_owners_without_a_pause() {
        let generator = || frame_arbiter(Beat::ty(1), 6, Policy::RoundRobin, |beat| beat.last);
        let (mut bench, io) = Bench::new(generator, 5);
        let (mut sources, mut sink) = (sources(&io, 1.0), Sink::new(&io.output, 1.0));
        for source in &mut sources {
            for _ in 0..100 {
                let frame = Frame { data: vec![1, 2], error: false };
                source.send(frame.beats(1, &mut bench.rng));
            }
        }
        (0..1202).for_each(|_| cycle(&mut bench, &mut sources, &mut sink));
        assert_eq!(sink.got.len(), 1200);
    }
}
