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
        let readies = cat(io.outputs.iter().rev().map(|output| output.ready));
        let advance = !(pending & !readies).any();
        let Routed { port, payload } = io.input.payload.clone();
        when(advance, || {
            pending.set(io.input.valid.mux(decode(port, ports), lit(0, ports)));
            held.set(payload);
        });
        io.input.ready.set(advance);
        for (i, output) in io.outputs.iter().enumerate() {
            output.valid.set(pending.bit(i));
            output.payload.set(held.clone());
        }
    })
}
