//! A hardware description language in Rust.
pub mod interface;
pub mod simulator;
