//! A hardware description language in Rust.

extern crate self as hdl;

mod check;
mod components;
mod context;
mod crossing;
mod data;
mod drive;
pub mod error;
mod finish;
mod flat;
mod fold;
pub mod interface;
pub mod ir;
mod loops;
mod memory;
mod module;
mod names;
mod naming;
pub mod native;
pub mod reference;
mod signals;
pub mod simulator;
mod statements;
mod stream;
mod types;
pub mod value;
pub mod verilog;

pub use data::{Data, Leaf, Place, Typed, select, set_at};
pub use drive::{Drive, Port};
pub use error::{Error, Errors};
pub use hdl_macros::{Bundle, HwEnum, hdl};
pub use interface::{Direction, Interface};
pub use ir::{Design, Parameter, clog2};
pub use memory::{Collision, Mem, MemBuilder, mem, mem_with};
pub use module::{Clock, Elaborated, black_box, elaborate, module};
pub use naming::{DocGuard, NotData, Scope, Tag, module_doc, scope};
pub use native::{Native, NativeError};
pub use signals::{
    cross, delay, delay_without_reset, reg, reg_enum, reg_flag, reg_init, reg_without_reset, wire,
};
pub use simulator::{Simulator, Violation};
pub use statements::{Switch, When, assert, assume, cover, switch, verification, when};
pub use stream::{Stream, Valid};
pub use types::{
    Bits, Bool, Enum, HwEnum, Signed, ToBits, ToBool, ToEnum, ToU, U, all_of, any_of, bits, cat, constant,
    flag, lit, require, signed,
};
pub use value::Value;
