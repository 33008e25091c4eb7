//! What crosses crates: the fuzzer of the language, and integration tests of the whole.

pub mod checks;
pub mod endpoint;
pub mod formal;
pub mod fuzz;
pub mod guest;
mod guide;
pub mod models;
pub mod mutation;
pub mod nic;
pub mod shrink;
pub mod traffic;
