//! From the ports' frames to one stream of beats.

use super::{gate::gate, types::Forced};
use crate::{
    config::Config,
    frame::Beat,
    prim::{self, Policy, Routed},
};
use hdl::*;

/// Frames of the manager between its port and the classifier, at most.
const FORCED: usize = 8;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct IngressIo {
    #[input]
    #[ty(vec![Stream::ty(Beat::ty(config.bytes)); config.ports()])]
    pub ports: Vec<Stream<Beat>>,
    /// Where the manager's frame goes past all rules; counts with the last beat of each.
    #[input]
    #[ty(Forced::ty(config))]
    pub forced: Forced,
    /// Functions that may start a frame; a bit for each port.
    #[input]
    #[ty(bits(config.ports()))]
    pub open: Bits,
    /// Ports that have something to send.
    #[output]
    #[ty(bits(config.ports()))]
    pub pending: Bits,
    /// Beats with the ports that they came in at, in any mix.
    #[output]
    #[ty(Stream::ty(Routed::ty(config.ports(), Beat::ty(config.bytes))))]
    pub beats: Stream<Routed<Beat>>,
    /// For each frame of the manager, once its last beat has moved in.
    #[output]
    #[ty(Stream::ty(Forced::ty(config)))]
    pub manager_forced: Stream<Forced>,
}

/// Merges the ports' streams beat by beat: wires first, because what they bring cannot wait, then the functions in turn.
/// A function's frame starts only while its gate is open; what has started goes on.
///
/// ```text
///  function ─► gate ─┐
///  function ─► gate ─┼─► in turn ─┐
///  function ─► gate ─┘            ├─► lowest first ─► beats
///  wire ──────────────────────────┘
/// ```
///
/// A beat in each cycle from any mix of ports. The manager's last beat waits while eight of its frames are on their way
/// to the classifier. `beats` comes from registers; the ports' `ready` is combinational.
#[hdl]
pub fn ingress(config: &Config) -> IngressIo {
    let name = format!("veb_ingress_{}x{}", config.ports(), 8 * config.bytes);
    module(name, IngressIo::ty(config), |io| {
        let beat = Beat::ty(config.bytes);
        let (wires, functions) = io.ports.split_at(config.wires);
        let in_turn = prim::stream_arbiter(beat, config.functions(), Policy::RoundRobin);
        let routed = Routed::ty(config.ports(), beat);
        let lowest_first = prim::stream_arbiter(routed, config.wires + 1, Policy::Priority);
        let forced = prim::fifo(Forced::ty(config), FORCED);

        let port_bits = config.port_bits();
        for (wire, stream) in wires.iter().enumerate() {
            let input = &lowest_first.inputs[wire];
            input.valid.set(stream.valid);
            input.payload.set(Routed { port: lit(wire, port_bits), beat: stream.payload });
            stream.ready.set(input.ready);
        }
        let mut pending: Vec<Bool> = wires.iter().map(|wire| wire.valid).collect();
        for (function, stream) in functions.iter().enumerate() {
            let port = config.wires + function;
            let gate = gate(config);
            gate.open.set(io.open.bit(port));
            pending.push(gate.pending);
            in_turn.inputs[function].connect(&gate.output);
            if port != config.manager() {
                gate.input.connect(stream);
                continue;
            }
            let goes = !stream.payload.last | forced.enq.ready;
            gate.input.valid.set(stream.valid & goes);
            gate.input.payload.set(stream.payload);
            stream.ready.set(gate.input.ready & goes);
            // Both go in one step: the set is put down when the beat moves, and the beat moves when there is room for it.
            forced.enq.valid.set(stream.fire() & stream.payload.last);
            forced.enq.payload.set(io.forced);
        }
        io.pending.set(vector(pending));
        io.manager_forced.connect(&forced.deq);

        let last = &lowest_first.inputs[config.wires];
        let Routed { port, beat } = in_turn.output.payload;
        last.valid.set(in_turn.output.valid);
        last.payload.set(Routed { port: port.zext(port_bits) + config.wires, beat });
        in_turn.output.ready.set(last.ready);
        let output = &lowest_first.output;
        io.beats.valid.set(output.valid);
        io.beats.payload.set(output.payload.beat);
        output.ready.set(io.beats.ready);
    })
}
