//! Nobody starves: whoever asks is served before anyone else is served twice.

use super::{Method::*, Proof, chosen_one, waits_for};
use crate::{
    catalogue::Block,
    prim::{self, ArbiterIo, Policy, Routed},
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let of =
        |name: &str, claim: &str, block: Block| Proof::of(name, claim, "4 requesters", Reachability, block);
    vec![
        of(
            "arbiter/round_robin",
            "who asks is granted after one grant to each other at most",
            Block::new("round_robin", || round_robin(4)),
        ),
        of(
            "arbiter/frames",
            "a stream with a frame waits for one frame of each other at most",
            Block::new("frames", || frame_arbiter(4)),
        ),
        of(
            "arbiter/beats",
            "a stream with a beat waits for one beat of each other at most",
            Block::new("beats", || stream_arbiter(4)),
        ),
    ]
}

#[derive(Bundle, Clone)]
#[ty(requesters: usize)]
pub struct RequestsIo {
    #[input]
    #[ty(bits(requesters))]
    requests: Bits,
    #[input]
    accept: Bool,
    /// Any of the requesters.
    #[input]
    #[ty(bits(clog2(requesters)))]
    who: Bits,
}

/// A requester that goes on asking sees at most one grant of each other.
#[hdl]
pub fn round_robin(requesters: usize) -> RequestsIo {
    module("round_robin_waits", RequestsIo::ty(requesters), |io| {
        let arbiter = prim::round_robin(requesters);
        arbiter.requests.set(io.requests);
        arbiter.accept.set(io.accept);
        chosen_one(io.who, requesters);
        let (asks, granted) = (io.requests.at(io.who), arbiter.grant.at(io.who));
        waits_for(asks & !(granted & io.accept), io.accept & !granted, requesters - 1);
        cover(asks & granted & io.accept, "a grant");
    })
}

#[derive(Bundle, Clone)]
#[ty(ports: usize)]
pub struct FramesIo {
    /// The payload says that a frame ends.
    #[input]
    #[ty(vec![Stream::ty(flag()); ports])]
    inputs: Vec<Stream<Bool>>,
    #[output]
    #[ty(Stream::ty(Routed::ty(ports, flag())))]
    output: Stream<Routed<Bool>>,
    /// Any of the inputs.
    #[input]
    #[ty(bits(clog2(ports)))]
    who: Bits,
}

/// An input with a frame waits for the end of at most one frame of each other.
#[hdl]
pub fn frame_arbiter(ports: usize) -> FramesIo {
    module("frame_arbiter_waits", FramesIo::ty(ports), |io| {
        let arbiter = prim::frame_arbiter(flag(), ports, Policy::RoundRobin, |last| *last);
        merge(io, &arbiter, |last| last);
    })
}

/// An input with a beat waits for at most one beat of each other.
#[hdl]
pub fn stream_arbiter(ports: usize) -> FramesIo {
    module("stream_arbiter_waits", FramesIo::ty(ports), |io| {
        let arbiter = prim::stream_arbiter(flag(), ports, Policy::RoundRobin);
        merge(io, &arbiter, |last| last | !last);
    })
}

#[hdl]
fn merge(io: &FramesIo, arbiter: &ArbiterIo<Bool>, ends: impl Fn(Bool) -> Bool) {
    let ports = io.inputs.len();
    arbiter.inputs.iter().zip(&io.inputs).for_each(|(sink, input)| sink.connect(input));
    io.output.connect(&arbiter.output);
    chosen_one(io.who, ports);
    let valids = vector(io.inputs.iter().map(|input| input.valid));
    let moves = vector(io.inputs.iter().map(Stream::fire));
    let ended = vector(io.inputs.iter().map(|input| input.fire() & ends(input.payload)));
    let served = moves.at(io.who);
    waits_for(valids.at(io.who) & !served, ended.any() & !served, ports - 1);
}
