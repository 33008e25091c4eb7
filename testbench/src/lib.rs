//! What crosses crates: the fuzzer of the language, and integration tests of the whole.

pub mod formal;
pub mod fuzz;
mod guide;
pub mod shrink;
pub mod traffic;
