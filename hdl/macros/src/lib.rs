//! The macros of the hardware description language: `#[derive(Bundle)]`, `#[derive(HwEnum)]` and `#[hdl]`.
//!
//! All of them only write what a person could write by hand: paths of the expansion start at `::hdl`, everything that
//! came from the source keeps its place there, and code in constant contexts is left alone.

mod bundle;
mod docs;
mod hw_enum;
mod naming;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct of signals a bundle: one value that ports, wires, registers and memories are made of, and its type.
///
/// Implements `Data` field by field; the `///` text of a field becomes the documentation of its signals. A type
/// parameter without a bound of its own gets the bound `Data`. The struct must be `Clone`.
///
/// It also writes `ty`, the function that makes the type:
///
/// | attribute | of | meaning |
/// |---|---|---|
/// | `#[ty(bytes: usize, ports: usize)]` | struct | parameters of `ty`; without it there are none and the struct is `Typed` |
/// | `#[ty(none)]` | struct | no `ty`: the struct has a constructor of its own |
/// | `#[ty(bits(8 * bytes))]` | field | the field's type, from the parameters and from earlier fields, by name; without it, `Typed::ty()` of the field's Rust type |
/// | `#[input]`, `#[output]`, `#[flip]` | field | gives the field a direction, or turns it around |
///
/// ```
/// use hdl::*;
///
/// /// One beat of a frame.
/// #[derive(Clone, Bundle)]
/// #[ty(bytes: usize)]
/// pub struct Beat {
///     /// The first byte on the wire in bits 7:0.
///     #[ty(bits(8 * bytes))]
///     pub data: Bits,
///     pub last: Bool,
/// }
///
/// let ty = Beat::ty(8);
/// assert_eq!(ty.size(), 65);
/// ```
#[proc_macro_derive(Bundle, attributes(ty, input, output, flip))]
pub fn derive_bundle(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    bundle::expand(&item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enum without fields the type of a signal.
///
/// The encoding is the discriminant (`= 3` is honoured; it must not be negative); the `///` text of a variant is
/// printed beside its constant. The enum must be `Copy`.
///
/// ```
/// use hdl::*;
///
/// #[derive(Clone, Copy, HwEnum)]
/// enum State {
///     /// Waits for a frame.
///     Idle,
///     Copy,
/// }
///
/// assert_eq!(Enum::<State>::ty().size(), 1);
/// ```
#[proc_macro_derive(HwEnum)]
pub fn derive_hw_enum(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    hw_enum::expand(&item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Names hardware after the `let`s that bind it, on a function or on all functions of an `impl` or `trait` block.
///
/// * What `let name = ..` binds is called `name`, and what its initialiser creates is called `name` or `name_..`;
///   underscores in front are dropped. The names that a pattern binds count as well: `let (sum, carry) = ..`.
/// * `///` on a `let` documents what it binds; `///` on the function documents the module that it makes.
/// * `mut` bindings name what their initialiser creates but not the value, which changes. Closures, literals, ranges
///   and references name nothing, nor do items inside the function, and arguments of macros are not looked into.
///
/// The type of a `let` must be known from the lines up to it: where a later line decides it, write it down.
///
/// ```
/// use hdl::*;
///
/// #[derive(Clone, Bundle)]
/// #[ty(width: usize)]
/// struct Counter {
///     #[output]
///     #[ty(bits(width))]
///     count: Bits,
/// }
///
/// /// Counts cycles, modulo 2^width.
/// #[hdl]
/// fn counter(width: usize) -> Counter {
///     module("counter", Counter::ty(width), |io| {
///         /// Cycles since reset.
///         let cycles = reg(bits(width));
///         cycles.set(cycles + 1);
///         io.count.set(cycles);
///     })
/// }
///
/// let design = elaborate(|| counter(8)).unwrap().design;
/// assert_eq!(design.top().doc, "Counts cycles, modulo 2^width.");
/// assert_eq!(design.top().signals[1].name, "cycles");
/// ```
#[proc_macro_attribute]
pub fn hdl(arguments: TokenStream, item: TokenStream) -> TokenStream {
    naming::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
