//! Combinational loops.
