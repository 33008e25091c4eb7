//! A hardware description language in Rust.
//!
//! Hardware is described by running Rust: parameters are ordinary values, generators are ordinary functions, loops and
//! closures. [`elaborate`] runs a generator and checks what it described; the [`Design`] that comes out is printed as
//! Verilog ([`Design::verilog`]) and simulated, here by [`Native`].
//!
//! ```
//! use hdl::*;
//!
//! #[derive(Bundle, Clone)]
//! #[ty(width: usize)]
//! struct Pulse {
//!     /// Cycles between two pulses, less one.
//!     #[input]
//!     #[ty(bits(width))]
//!     period: Bits,
//!     #[output]
//!     pulse: Bool,
//! }
//!
//! /// One pulse every `period + 1` cycles.
//! #[hdl]
//! fn pulse(width: usize) -> Pulse {
//!     require(width <= 32, || format!("a period of {width} bits: at most 32"));
//!     module("pulse", Pulse::ty(width), |io| {
//!         /// Cycles since the last pulse.
//!         let count = reg(bits(width));
//!         let done = count.eq(io.period);
//!         when(done, || count.set(0)).otherwise(|| count.set(count + 1));
//!         io.pulse.set(done);
//!     })
//! }
//!
//! let Elaborated { design, io } = elaborate(|| pulse(8))?;
//! assert!(design.verilog().text().contains("module pulse"));
//!
//! let mut simulator = Native::new(&design)?;
//! simulator.reset();
//! simulator.poke(io.period, 2);
//! let mut pulses = vec![];
//! for _ in 0..6 {
//!     pulses.push(simulator.peek(io.pulse));
//!     simulator.step();
//! }
//! assert_eq!(pulses, [false, false, true, false, false, true]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | see |
//! |---|---|
//! | compute | [`Bits`], [`Bool`], [`U`], [`Signed`], [`Enum`], [`lit`], [`cat`], [`select`] |
//! | build types | [`Bundle`](derive@Bundle), [`HwEnum`](derive@HwEnum), [`Data`], [`Stream`], [`Valid`] |
//! | declare | [`wire`], [`reg`], [`reg_init`], [`delay`], [`mem`], [`module`], [`black_box`] |
//! | state what happens when | [`when`], [`switch`], [`Enum::cases`], [`set_at`] |
//! | use several clocks | [`Clock`], [`cross`] |
//! | check | [`assert`](fn@assert), [`assume`], [`cover`], [`verification`], [`require`] |
//! | simulate | [`Drive`], [`Simulator`], [`Native`] |

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
#[cfg(feature = "rust-hdl")]
pub mod rust_hdl;
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
    flag, lit, require, signed, vector,
};
pub use value::Value;
