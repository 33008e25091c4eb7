//! A hardware description language in Rust.
pub mod interface;
pub mod ir;
pub mod simulator;
pub mod value;

pub use ir::clog2;
