//! A stream stage with all outputs registered.
//!
//! # Purpose
//! Cuts every combinational path of a stream, `ready` included, and still moves a beat every cycle.
//!
//! # Schematic
//! ```text
//!  input.payload --+------------->|0\
//!                  |   [ skid ]-->|1/--[ output register ]--> output
//!                  +-->|D    Q|      ^
//!  input.ready <--[D Q] = skid is empty
//! ```
//!
//! # Internals
//! When the output stalls, the beat that comes in the same cycle goes to the skid register, and `input.ready` falls one
//! cycle later. The skid register loads in every cycle with `ready`, so it needs no logic of its own.
//!
//! # Timing
//! A beat every cycle, 1 cycle of latency; holds 2 beats.
//! ```text
//!                 _   _   _   _   _   _
//!  clk          _/ \_/ \_/ \_/ \_/ \_/ \_
//!  input        /A  X B X C         X D
//!  input.ready  --------\_______/--------
//!  output       ____/A          X B X C
//!  output.ready ____\_______/------------
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::{frame::Beat, prim::skid_buffer};
//! assert!(elaborate(|| skid_buffer(Beat::ty(16))).is_ok());
//! ```

use super::PipeIo;
use hdl::*;

/// A skid buffer for any payload type.
#[hdl]
pub fn skid_buffer<T: Data>(payload: T) -> PipeIo<T> {
    module(format!("skid_buffer_{}", payload.size()), PipeIo::ty(payload.clone()), |io| {
        io.input.assume_stable();
        io.output.assert_stable();
        /// The skid register is empty.
        let ready = reg_flag(true);
        /// The beat that came while the output was stalled.
        let skid = reg_without_reset(payload.clone());
        /// The output register holds a beat.
        let holding = reg_flag(false);
        let held = reg_without_reset(payload.clone());

        let advance = !holding | io.output.ready;
        when(ready, || skid.set(io.input.payload.clone()));
        when(advance, || {
            holding.set(io.input.valid | !ready);
            held.set(ready.mux(io.input.payload.clone(), skid));
        });
        ready.set(advance | ready & !io.input.valid);
        io.input.ready.set(ready);
        io.output.valid.set(holding);
        io.output.payload.set(held);
        assert(holding | ready, "the skid register fills last");
    })
}
