//! The leaf types: [`Bits`], [`Bool`], [`U`], [`Signed`] and [`Enum`].
//!
//! A value and its type are one: `bits(8)` is the type "8 bits", and what `wire(bits(8))` returns is a `Bits` again,
//! bound to a signal of the module that is being described. All leaf types are `Copy` handles.

mod enumeration;
mod operators;
mod signed;

pub(crate) use enumeration::enum_type;
pub use enumeration::{HwEnum, ToEnum};
pub use operators::{ToBits, ToBool, ToU};

use crate::{context::with, ir::*, value::Value};
use std::{marker::PhantomData, ops, panic::Location};

/// Where a handle comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// A type, not a value.
    Type(Orientation),
    /// An expression of this module.
    Module(Home),
    /// What a faulty call returned; the fault is recorded already.
    Poison,
}

/// A module of one elaboration: modules of several elaborations have the same numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    /// Number of the elaboration.
    pub run: u64,
    pub module: ModuleId,
}

/// How a leaf of a type runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Orientation {
    /// Against the bundle it belongs to.
    pub flipped: bool,
    pub direction: Option<crate::interface::Direction>,
}

/// A vector of bits; as a type, made by [`bits`], "this many bits".
///
/// Every operator has one width: operands agree, and sums and differences wrap. An integer takes the width of the other
/// operand, and must fit in it. [`Bits::wide_add`] and [`Bits::wide_mul`] keep all bits. Comparisons are unsigned.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let (a, b) = (lit(200, 8), lit(100, 8));
/// assert_eq!((a + b).width(), 8);
/// assert_eq!(a.wide_add(b).width(), 9);
/// assert_eq!(a.wide_mul(b).width(), 16);
/// assert_eq!((a << lit(3, 2)).width(), 8);
/// let small: Bool = (a ^ 0xff).lt(b & 15);
/// let high = a.slice(4, 4);
/// let word = cat([high, b.trunc(4), small.bits()]);
/// assert_eq!(word.width(), 9);
/// # })).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bits {
    pub(crate) owner: Owner,
    pub(crate) id: u32,
    pub(crate) width: u32,
}

/// One bit that is true or false: what conditions are made of.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let (a, b) = (lit(1, 8), lit(2, 8));
/// let less = a.lt(b) & !a.eq(7);
/// let smaller: Bits = less.mux(a, b);
/// when(less | false, || ());
/// # })).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bool(pub(crate) Bits);

/// A vector of `N` bits whose width rustc knows: fields of protocols use it, so that setting a VID from a MAC address
/// does not compile. It reads as [`Bits`].
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let vid = reg(U::<12>::ty());
/// vid.set(vid + 1);
/// let priority: U<3> = lit(0, 16).slice(13, 3).as_u();
/// assert_eq!(cat([*priority, *vid]).width(), 15);
/// # })).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct U<const N: usize>(pub(crate) Bits);

/// A two's complement number.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let level = reg(signed(8));
/// level.set(level - Signed::lit(-5, 8));
/// let wide = level.sext(16);
/// when(wide.is_negative() | wide.lt(Signed::lit(100, 16)), || ());
/// # })).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Signed(pub(crate) Bits);

/// A signal that holds a variant of the enumeration `T`.
///
/// ```
/// # use hdl::*;
/// #[derive(Clone, Copy, HwEnum)]
/// enum State {
///     Idle,
///     Busy,
/// }
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let state = reg_enum(State::Idle);
/// let work = wire(flag());
/// state.cases(|s| match s {
///     State::Idle => {
///         work.set(false);
///         state.set(State::Busy);
///     }
///     State::Busy => work.set(true),
/// });
/// when(state.is(State::Busy) & work, || ());
/// # })).unwrap();
/// ```
#[derive(Debug)]
pub struct Enum<T>(pub(crate) Bits, PhantomData<T>);

impl<T> Clone for Enum<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Enum<T> {}

/// The type "`width` bits".
///
/// ```
/// # use hdl::*;
/// let byte = bits(8);
/// assert_eq!(byte.width(), 8);
/// ```
#[track_caller]
pub fn bits(width: usize) -> Bits {
    check_width(width);
    Bits { owner: Owner::Type(Orientation::default()), id: 0, width: width as u32 }
}

#[track_caller]
fn check_width(width: usize) {
    require((1..1 << 20).contains(&width), || {
        format!("a vector of {width} bits: a width is at least 1 and less than 2^20")
    });
}

/// The type of one bit.
pub fn flag() -> Bool {
    Bool(bits(1))
}

/// The type "`width` bits in two's complement".
#[track_caller]
pub fn signed(width: usize) -> Signed {
    Signed(bits(width))
}

/// The constant `value` in `width` bits.
///
/// An error if it does not fit or is negative.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let ethertype = lit(0x8100, 16);
/// assert_eq!(ethertype.width(), 16);
/// # })).unwrap();
/// ```
#[track_caller]
pub fn lit(value: impl TryInto<u128>, width: usize) -> Bits {
    let loc = Location::caller();
    check_width(width);
    let value = value.try_into().ok();
    let fits = value.is_some_and(|value| width >= 128 || value >> width == 0);
    with(|context| {
        if !fits {
            let text = value.map_or("a negative number".into(), |value| format!("the literal {value}"));
            context.report(loc, format!("{text} does not fit in {width} bits"));
        }
        context.literal(Value::new(width as u32, value.unwrap_or(0)), loc)
    })
}

/// A constant of any width.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let ones = constant(Value::from_limbs(96, &[u64::MAX; 2]));
/// assert_eq!(ones.width(), 96);
/// # })).unwrap();
/// ```
#[track_caller]
pub fn constant(value: Value) -> Bits {
    let loc = Location::caller();
    with(|context| context.literal(value, loc))
}

/// Ends the elaboration with an error unless `condition` holds: for parameters out of their range.
///
/// ```
/// # use hdl::*;
/// # #[derive(Bundle, Clone)]
/// # struct Io { #[output] q: Bool }
/// fn divider(by: usize) -> Io {
///     require(by >= 2, || format!("divider by {by}: at least 2"));
///     module("divider", Io::ty(), |io| io.q.set(false))
/// }
/// let errors = elaborate(|| divider(1)).map(|_| ()).unwrap_err();
/// assert_eq!(errors.0[0].message, "divider by 1: at least 2");
/// ```
///
/// # Panics
/// With the message, outside of an elaboration.
#[track_caller]
pub fn require(condition: bool, message: impl FnOnce() -> String) {
    if !condition {
        let loc = Location::caller();
        crate::context::abort(message(), loc);
    }
}

impl Bits {
    pub(crate) fn poison(width: u32) -> Bits {
        Bits { owner: Owner::Poison, id: 0, width }
    }

    pub(crate) fn expr_id(self) -> ExprId {
        ExprId(self.id)
    }

    /// Number of bits.
    pub fn width(self) -> usize {
        self.width as usize
    }

    #[track_caller]
    fn unary(self, op: fn(ExprId) -> Op, width: u32) -> Bits {
        let loc = Location::caller();
        with(|context| context.checked(op(self.expr_id()), width, &[self], loc))
    }

    #[track_caller]
    fn binary(self, what: &str, other: Bits, width: u32, op: impl FnOnce(ExprId, ExprId) -> Op) -> Bits {
        let loc = Location::caller();
        with(|context| match context.same_width(what, self, other, loc) {
            true => context.expr(op(self.expr_id(), other.expr_id()), width, loc),
            false => Bits::poison(width),
        })
    }

    #[track_caller]
    fn compare(self, what: &str, other: Bits, compare: Compare) -> Bool {
        Bool(self.binary(what, other, 1, |a, b| Op::Compare(compare, a, b)))
    }

    /// Whether the values are equal.
    #[track_caller]
    pub fn eq(self, other: impl ToBits) -> Bool {
        self.compare("eq", other.to_bits(self.width), Compare::Equal)
    }

    /// Whether the values differ.
    #[track_caller]
    pub fn ne(self, other: impl ToBits) -> Bool {
        self.compare("ne", other.to_bits(self.width), Compare::NotEqual)
    }

    /// Whether this is less, as unsigned numbers.
    #[track_caller]
    pub fn lt(self, other: impl ToBits) -> Bool {
        self.compare("lt", other.to_bits(self.width), Compare::Less)
    }

    /// Whether this is less or equal, as unsigned numbers.
    #[track_caller]
    pub fn le(self, other: impl ToBits) -> Bool {
        self.compare("le", other.to_bits(self.width), Compare::LessOrEqual)
    }

    /// Whether this is greater, as unsigned numbers.
    #[track_caller]
    pub fn gt(self, other: impl ToBits) -> Bool {
        let other = other.to_bits(self.width);
        Bool(self.binary("gt", other, 1, |a, b| Op::Compare(Compare::Less, b, a)))
    }

    /// Whether this is greater or equal, as unsigned numbers.
    #[track_caller]
    pub fn ge(self, other: impl ToBits) -> Bool {
        let other = other.to_bits(self.width);
        Bool(self.binary("ge", other, 1, |a, b| Op::Compare(Compare::LessOrEqual, b, a)))
    }

    /// `width` bits from bit `low` up. Can be set if `self` can.
    #[track_caller]
    pub fn slice(self, low: usize, width: usize) -> Bits {
        let loc = Location::caller();
        if width == 0 || low.saturating_add(width) > self.width() {
            with(|context| {
                let message = format!(
                    "a slice of {width} bits from bit {low} is outside of {}",
                    context.describe(self)
                );
                context.report(loc, message);
            });
            return Bits::poison(width.max(1) as u32);
        }
        let op = Op::Slice(self.expr_id(), low as u32);
        with(|context| context.checked(op, width as u32, &[self], loc))
    }

    /// The low `width` bits.
    #[track_caller]
    pub fn trunc(self, width: usize) -> Bits {
        self.slice(0, width)
    }

    /// Bit `index`. Can be set if `self` can.
    #[track_caller]
    pub fn bit(self, index: usize) -> Bool {
        Bool(self.slice(index, 1))
    }

    /// All bits, the least significant first.
    #[track_caller]
    pub fn to_bools(self) -> Vec<Bool> {
        let loc = Location::caller();
        let bit = |i| with(|context| context.checked(Op::Slice(self.expr_id(), i), 1, &[self], loc));
        (0..self.width).map(|i| Bool(bit(i))).collect()
    }

    /// The pieces of `width` bits, the least significant first. An error if they do not come out even.
    #[track_caller]
    pub fn chunks(self, width: usize) -> Vec<Bits> {
        let loc = Location::caller();
        if width == 0 || !self.width().is_multiple_of(width) {
            with(|context| {
                let message = format!("{} cannot be cut in pieces of {width} bits", context.describe(self));
                context.report(loc, message);
            });
            return vec![Bits::poison(width as u32)];
        }
        (0..self.width() / width)
            .map(|i| {
                let op = Op::Slice(self.expr_id(), (i * width) as u32);
                with(|context| context.checked(op, width as u32, &[self], loc))
            })
            .collect()
    }

    /// The bit at a dynamic position; a position beyond the vector reads 0 and sets nothing. The index has
    /// `clog2(width)` bits. Can be set if `self` is a whole signal that can.
    #[track_caller]
    pub fn at(self, index: impl Into<Bits>) -> Bool {
        let (loc, index) = (Location::caller(), index.into());
        with(|context| {
            if !(context.usable(self, loc) & context.usable(index, loc)) {
                return Bool(Bits::poison(1));
            }
            if index.width() != clog2(self.width()) {
                let message = format!(
                    "the index of {} must have {} bits, not {}",
                    context.describe(self),
                    clog2(self.width()),
                    index.width
                );
                context.report(loc, message);
                return Bool(Bits::poison(1));
            }
            let full = 1u32 << index.width;
            let mut vector = self;
            if full > self.width {
                let zeros = context.literal(Value::zero(full - self.width), loc);
                vector = context.expr(Op::Concat(vec![zeros.expr_id(), self.expr_id()]), full, loc);
            }
            Bool(context.expr(Op::Index(vector.expr_id(), index.expr_id()), 1, loc))
        })
    }

    /// Zeros above, up to `width` bits.
    #[track_caller]
    pub fn zext(self, width: usize) -> Bits {
        let loc = Location::caller();
        with(|context| {
            if !context.usable(self, loc) {
                return Bits::poison(width as u32);
            }
            if width < self.width() {
                let message = format!("zext to {width} bits is narrower than {}", context.describe(self));
                context.report(loc, message);
                return Bits::poison(width as u32);
            }
            if width == self.width() {
                return self;
            }
            let zeros = context.literal(Value::zero(width as u32 - self.width), loc);
            context.expr(Op::Concat(vec![zeros.expr_id(), self.expr_id()]), width as u32, loc)
        })
    }

    /// Zeros above or bits cut off, whatever gives `width` bits.
    #[track_caller]
    pub fn resize(self, width: usize) -> Bits {
        if width < self.width() { self.trunc(width) } else { self.zext(width) }
    }

    /// Whether any bit is 1.
    #[track_caller]
    pub fn any(self) -> Bool {
        Bool(self.unary(Op::ReduceOr, 1))
    }

    /// Whether all bits are 1.
    #[track_caller]
    pub fn all(self) -> Bool {
        Bool(self.unary(Op::ReduceAnd, 1))
    }

    /// Whether the number of ones is odd.
    #[track_caller]
    pub fn parity(self) -> Bool {
        Bool(self.unary(Op::ReduceXor, 1))
    }

    /// The full product, as wide as both operands together.
    #[track_caller]
    pub fn wide_mul(self, other: impl Into<Bits>) -> Bits {
        let (loc, other) = (Location::caller(), other.into());
        let op = Op::Multiply(self.expr_id(), other.expr_id());
        with(|context| context.checked(op, self.width + other.width, &[self, other], loc))
    }

    /// The sum with its carry: one bit wider.
    #[track_caller]
    pub fn wide_add(self, other: impl ToBits) -> Bits {
        let (loc, other) = (Location::caller(), other.to_bits(self.width));
        if !with(|context| context.same_width("wide_add", self, other, loc)) {
            return Bits::poison(self.width + 1);
        }
        self.zext(self.width() + 1) + other.zext(self.width() + 1)
    }

    /// `count` copies side by side.
    #[track_caller]
    pub fn repeat(self, count: usize) -> Bits {
        cat(vec![self; count])
    }

    /// The bits in opposite order.
    #[track_caller]
    pub fn reverse(self) -> Bits {
        cat(self.to_bools())
    }

    #[track_caller]
    fn shift(self, shift: Shift, distance: Bits) -> Bits {
        let loc = Location::caller();
        with(|context| {
            if distance.width > 16 {
                let message =
                    format!("the distance of a shift has more than 16 bits: {}", context.describe(distance));
                context.report(loc, message);
                return Bits::poison(self.width);
            }
            let op = Op::Shift(shift, self.expr_id(), distance.expr_id());
            context.checked(op, self.width, &[self, distance], loc)
        })
    }

    /// This one-bit vector as a condition.
    #[track_caller]
    pub fn as_bool(self) -> Bool {
        let loc = Location::caller();
        if self.width != 1 {
            with(|context| {
                let message = format!("{} is not one bit", context.describe(self));
                context.report(loc, message);
            });
            return Bool(Bits::poison(1));
        }
        Bool(self)
    }

    /// The same bits as a two's complement number.
    pub fn as_signed(self) -> Signed {
        Signed(self)
    }

    /// This vector with its width known to rustc. An error if it has another.
    #[track_caller]
    pub fn as_u<const N: usize>(self) -> U<N> {
        let loc = Location::caller();
        if self.width() != N {
            with(|context| {
                let message = format!("{} is not {N} bits wide", context.describe(self));
                context.report(loc, message);
            });
            return U(Bits::poison(N as u32));
        }
        U(self)
    }

    /// Drives this wire, register, output or input of an instance, or the part of one that a slice names.
    #[track_caller]
    pub fn set(self, value: impl ToBits) {
        let value = value.to_bits(self.width);
        crate::statements::assign("set", self, value, Location::caller());
    }
}

/// The concatenation, most significant first.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let tag = cat([lit(0x8100, 16), lit(0, 4), lit(5, 12)]);
/// assert_eq!(tag.width(), 32);
/// # })).unwrap();
/// ```
#[track_caller]
pub fn cat<T: Into<Bits>>(parts: impl IntoIterator<Item = T>) -> Bits {
    let loc = Location::caller();
    let parts: Vec<Bits> = parts.into_iter().map(Into::into).collect();
    require(!parts.is_empty(), || "a concatenation of nothing".into());
    if let [part] = parts[..] {
        return part;
    }
    let width = parts.iter().map(|part| part.width).sum();
    let ids = parts.iter().map(|part| part.expr_id()).collect();
    with(|context| context.checked(Op::Concat(ids), width, &parts, loc))
}

/// The bits as a vector, the first in bit 0.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let requests = [lit(3, 8), lit(0, 8)].map(|queue| queue.any());
/// assert_eq!(vector(requests).width(), 2);
/// # })).unwrap();
/// ```
#[track_caller]
pub fn vector(bits: impl IntoIterator<Item = Bool>) -> Bits {
    let bits: Vec<Bool> = bits.into_iter().collect();
    cat(bits.into_iter().rev())
}

impl Bool {
    /// As a vector of one bit.
    pub fn bits(self) -> Bits {
        self.0
    }

    /// `yes` where this is true, `no` elsewhere; of one type.
    #[track_caller]
    pub fn mux<T: crate::Data>(self, yes: T, no: T) -> T {
        let loc = Location::caller();
        crate::data::zip("mux", &yes, &no, loc, &mut |a, b| {
            with(|context| match context.usable(self.0, loc) {
                true => context.expr(Op::Mux(self.0.expr_id(), a.expr_id(), b.expr_id()), a.width, loc),
                false => Bits::poison(a.width),
            })
        })
    }

    /// Whether both are true or both are false.
    #[track_caller]
    pub fn eq(self, other: impl ToBool) -> Bool {
        self.0.eq(other.to_bool().0)
    }

    /// Whether one is true and the other is false.
    #[track_caller]
    pub fn ne(self, other: impl ToBool) -> Bool {
        self ^ other
    }

    /// Drives it; see [`Bits::set`].
    #[track_caller]
    pub fn set(self, value: impl ToBool) {
        crate::statements::assign("set", self.0, value.to_bool().0, Location::caller());
    }
}

/// Whether any of them is true; false for none.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let hit = any_of([lit(3, 8), lit(5, 8)].map(|key| key.eq(5)));
/// when(hit, || ());
/// # })).unwrap();
/// ```
#[track_caller]
pub fn any_of(conditions: impl IntoIterator<Item = Bool>) -> Bool {
    let conditions: Vec<Bool> = conditions.into_iter().collect();
    if conditions.is_empty() { false.to_bool() } else { cat(conditions.into_iter().rev()).any() }
}

/// Whether all of them are true; true for none.
#[track_caller]
pub fn all_of(conditions: impl IntoIterator<Item = Bool>) -> Bool {
    let conditions: Vec<Bool> = conditions.into_iter().collect();
    if conditions.is_empty() { true.to_bool() } else { cat(conditions.into_iter().rev()).all() }
}

impl<const N: usize> U<N> {
    /// The type "`N` bits".
    #[track_caller]
    pub fn ty() -> Self {
        U(bits(N))
    }

    /// Drives it; see [`Bits::set`].
    #[track_caller]
    pub fn set(self, value: impl ToU<N>) {
        crate::statements::assign("set", self.0, value.to_u().0, Location::caller());
    }
}

impl<const N: usize> ops::Deref for U<N> {
    type Target = Bits;
    fn deref(&self) -> &Bits {
        &self.0
    }
}
