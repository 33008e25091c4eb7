//! The leaf types: [`Bits`], [`Bool`], [`U`], [`Signed`] and [`Enum`].
//!
//! A value and its type are one: `bits(8)` is the type "8 bits", and what `wire(bits(8))` returns is a `Bits` again,
//! bound to a signal of the module that is being described. All leaf types are `Copy` handles.

use crate::{
    context::{Context, with},
    ir::*,
    value::Value,
};
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
#[derive(Clone, Copy, Debug)]
pub struct Bits {
    pub(crate) owner: Owner,
    pub(crate) id: u32,
    pub(crate) width: u32,
}

/// One bit that is true or false: what conditions are made of.
#[derive(Clone, Copy, Debug)]
pub struct Bool(pub(crate) Bits);

/// A vector of `N` bits whose width rustc knows: fields of protocols use it, so that setting a VID from a MAC address
/// does not compile. It reads as [`Bits`].
#[derive(Clone, Copy, Debug)]
pub struct U<const N: usize>(pub(crate) Bits);

/// A two's complement number.
#[derive(Clone, Copy, Debug)]
pub struct Signed(pub(crate) Bits);

/// A signal that holds a variant of the enumeration `T`.
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
/// let errors = elaborate(|| divider(1)).unwrap_err();
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

    #[track_caller]
    pub fn eq(self, other: impl ToBits) -> Bool {
        self.compare("eq", other.to_bits(self.width), Compare::Equal)
    }

    #[track_caller]
    pub fn ne(self, other: impl ToBits) -> Bool {
        self.compare("ne", other.to_bits(self.width), Compare::NotEqual)
    }

    /// Unsigned, as all comparisons of `Bits`.
    #[track_caller]
    pub fn lt(self, other: impl ToBits) -> Bool {
        self.compare("lt", other.to_bits(self.width), Compare::Less)
    }

    #[track_caller]
    pub fn le(self, other: impl ToBits) -> Bool {
        self.compare("le", other.to_bits(self.width), Compare::LessOrEqual)
    }

    #[track_caller]
    pub fn gt(self, other: impl ToBits) -> Bool {
        let other = other.to_bits(self.width);
        Bool(self.binary("gt", other, 1, |a, b| Op::Compare(Compare::Less, b, a)))
    }

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
#[track_caller]
pub fn vector(bits: impl IntoIterator<Item = Bool>) -> Bits {
    let bits: Vec<Bool> = bits.into_iter().collect();
    cat(bits.into_iter().rev())
}

impl Bool {
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

    #[track_caller]
    pub fn eq(self, other: impl ToBool) -> Bool {
        self.0.eq(other.to_bool().0)
    }

    #[track_caller]
    pub fn ne(self, other: impl ToBool) -> Bool {
        self ^ other
    }

    #[track_caller]
    pub fn set(self, value: impl ToBool) {
        crate::statements::assign("set", self.0, value.to_bool().0, Location::caller());
    }
}

/// Whether any of them is true; false for none.
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

/// What stands on the right of an operator of [`Bits`]: a vector, or an integer that takes the other side's width.
pub trait ToBits {
    #[doc(hidden)]
    fn to_bits(self, width: u32) -> Bits;
}

/// What can be a condition: a [`Bool`] or a Rust `bool`.
pub trait ToBool {
    #[doc(hidden)]
    fn to_bool(self) -> Bool;
}

/// What can be a vector of `N` bits: a `U<N>` or an integer.
pub trait ToU<const N: usize> {
    #[doc(hidden)]
    fn to_u(self) -> U<N>;
}

impl<T: Into<Bits>> ToBits for T {
    fn to_bits(self, _: u32) -> Bits {
        self.into()
    }
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl ToBits for $integer {
            #[track_caller]
            fn to_bits(self, width: u32) -> Bits {
                lit(self, width as usize)
            }
        }
        impl<const N: usize> ToU<N> for $integer {
            #[track_caller]
            fn to_u(self) -> U<N> {
                U(lit(self, N))
            }
        }
    )* };
}
integers!(i32 u8 u16 u32 u64 usize u128);

impl ToBool for Bool {
    fn to_bool(self) -> Bool {
        self
    }
}

impl ToBool for bool {
    #[track_caller]
    fn to_bool(self) -> Bool {
        Bool(lit(self as u8, 1))
    }
}

impl<const N: usize> ToU<N> for U<N> {
    fn to_u(self) -> U<N> {
        self
    }
}

impl From<Bool> for Bits {
    fn from(value: Bool) -> Bits {
        value.0
    }
}

impl From<Signed> for Bits {
    fn from(value: Signed) -> Bits {
        value.0
    }
}

impl<const N: usize> From<U<N>> for Bits {
    fn from(value: U<N>) -> Bits {
        value.0
    }
}

impl<T> From<Enum<T>> for Bits {
    fn from(value: Enum<T>) -> Bits {
        value.0
    }
}

macro_rules! operators {
    ($($operator:ident $method:ident $op:ident)*) => { $(
        impl<R: ToBits> ops::$operator<R> for Bits {
            type Output = Bits;
            #[track_caller]
            fn $method(self, right: R) -> Bits {
                let right = right.to_bits(self.width);
                self.binary(stringify!($method), right, self.width, |a, b| Op::Binary(Binary::$op, a, b))
            }
        }
        impl<const N: usize, R: ToU<N>> ops::$operator<R> for U<N> {
            type Output = U<N>;
            #[track_caller]
            fn $method(self, right: R) -> U<N> {
                U(ops::$operator::$method(self.0, right.to_u().0))
            }
        }
    )* };
}
operators!(Add add Add Sub sub Subtract BitAnd bitand And BitOr bitor Or BitXor bitxor Xor);

macro_rules! conditions {
    ($($operator:ident $method:ident)*) => { $(
        impl<R: ToBool> ops::$operator<R> for Bool {
            type Output = Bool;
            #[track_caller]
            fn $method(self, right: R) -> Bool {
                Bool(ops::$operator::$method(self.0, right.to_bool().0))
            }
        }
    )* };
}
conditions!(BitAnd bitand BitOr bitor BitXor bitxor);

impl ops::Not for Bits {
    type Output = Bits;
    #[track_caller]
    fn not(self) -> Bits {
        self.unary(Op::Not, self.width)
    }
}

impl<const N: usize> ops::Not for U<N> {
    type Output = U<N>;
    #[track_caller]
    fn not(self) -> U<N> {
        U(!self.0)
    }
}

impl ops::Not for Bool {
    type Output = Bool;
    #[track_caller]
    fn not(self) -> Bool {
        Bool(!self.0)
    }
}

/// By a dynamic distance; zeros come in.
impl<R: Into<Bits>> ops::Shl<R> for Bits {
    type Output = Bits;
    #[track_caller]
    fn shl(self, distance: R) -> Bits {
        self.shift(Shift::Left, distance.into())
    }
}

/// By a dynamic distance; zeros come in.
impl<R: Into<Bits>> ops::Shr<R> for Bits {
    type Output = Bits;
    #[track_caller]
    fn shr(self, distance: R) -> Bits {
        self.shift(Shift::Right, distance.into())
    }
}

impl Signed {
    pub fn width(self) -> usize {
        self.0.width()
    }

    pub fn bits(self) -> Bits {
        self.0
    }

    /// The constant `value`; an error if it does not fit in `width` bits of two's complement.
    #[track_caller]
    pub fn lit(value: i128, width: usize) -> Signed {
        let loc = Location::caller();
        check_width(width);
        let fits = width >= 128 || (-(1i128 << (width - 1))..1i128 << (width - 1)).contains(&value);
        with(|context| {
            if !fits {
                context.report(loc, format!("the literal {value} does not fit in {width} signed bits"));
            }
            let sign = if value < 0 { u64::MAX } else { 0 };
            let mut limbs = vec![value as u64, (value >> 64) as u64];
            limbs.resize(limbs.len().max(width.div_ceil(64)), sign);
            Signed(context.literal(Value::from_limbs(width as u32, &limbs), loc))
        })
    }

    /// Copies of the sign above, up to `width` bits.
    #[track_caller]
    pub fn sext(self, width: usize) -> Signed {
        let loc = Location::caller();
        with(|context| {
            if width < self.width() {
                let message = format!("sext to {width} bits is narrower than {}", context.describe(self.0));
                context.report(loc, message);
                return Signed(Bits::poison(width as u32));
            }
            Signed(context.checked(Op::SignExtend(self.0.expr_id()), width as u32, &[self.0], loc))
        })
    }

    #[track_caller]
    pub fn lt(self, other: Signed) -> Bool {
        self.0.compare("lt", other.0, Compare::SignedLess)
    }

    #[track_caller]
    pub fn le(self, other: Signed) -> Bool {
        self.0.compare("le", other.0, Compare::SignedLessOrEqual)
    }

    #[track_caller]
    pub fn gt(self, other: Signed) -> Bool {
        Bool(self.0.binary("gt", other.0, 1, |a, b| Op::Compare(Compare::SignedLess, b, a)))
    }

    #[track_caller]
    pub fn ge(self, other: Signed) -> Bool {
        Bool(self.0.binary("ge", other.0, 1, |a, b| Op::Compare(Compare::SignedLessOrEqual, b, a)))
    }

    #[track_caller]
    pub fn eq(self, other: Signed) -> Bool {
        self.0.eq(other.0)
    }

    #[track_caller]
    pub fn is_negative(self) -> Bool {
        self.0.bit(self.width() - 1)
    }

    #[track_caller]
    pub fn set(self, value: Signed) {
        self.0.set(value.0);
    }
}

macro_rules! signed_operators {
    ($($operator:ident $method:ident)*) => { $(
        /// Wraps.
        impl ops::$operator for Signed {
            type Output = Signed;
            #[track_caller]
            fn $method(self, right: Signed) -> Signed {
                Signed(ops::$operator::$method(self.0, right.0))
            }
        }
    )* };
}
signed_operators!(Add add Sub sub);

/// Wraps.
impl ops::Neg for Signed {
    type Output = Signed;
    #[track_caller]
    fn neg(self) -> Signed {
        Signed(lit(0, self.width()) - self.0)
    }
}

/// By a dynamic distance; the sign comes in.
impl<R: Into<Bits>> ops::Shr<R> for Signed {
    type Output = Signed;
    #[track_caller]
    fn shr(self, distance: R) -> Signed {
        Signed(self.0.shift(Shift::ArithmeticRight, distance.into()))
    }
}

/// A Rust enumeration without fields that hardware can hold; derive it.
pub trait HwEnum: Copy + 'static {
    const NAME: &'static str;
    /// Name, variant, encoding and documentation, in order of declaration.
    const VARIANTS: &'static [(&'static str, Self, u128, &'static str)];
}

pub(crate) fn enum_type<T: HwEnum>() -> EnumType {
    let largest = T::VARIANTS.iter().map(|variant| variant.2).max().unwrap_or(0);
    let width = (128 - largest.leading_zeros()).max(1);
    let variants = T::VARIANTS.iter().map(|(name, _, value, doc)| Variant {
        name: name.to_string(),
        value: Value::new(width, *value),
        doc: doc.to_string(),
    });
    EnumType { name: T::NAME.into(), width, variants: variants.collect() }
}

fn position<T: HwEnum>(variant: T) -> usize {
    // Variants are told apart by their discriminants: HwEnum does not ask for PartialEq.
    let wanted = std::mem::discriminant(&variant);
    let found = T::VARIANTS.iter().position(|known| std::mem::discriminant(&known.1) == wanted);
    found.expect("VARIANTS lists every variant")
}

/// What an [`Enum`] can be set to: another one or a variant.
pub trait ToEnum<T> {
    #[doc(hidden)]
    fn to_enum(self) -> Enum<T>;
}

impl<T> ToEnum<T> for Enum<T> {
    fn to_enum(self) -> Enum<T> {
        self
    }
}

impl<T: HwEnum> ToEnum<T> for T {
    #[track_caller]
    fn to_enum(self) -> Enum<T> {
        let loc = Location::caller();
        let ty = enum_type::<T>();
        let width = ty.width;
        let variant = position(self);
        let literal = |context: &mut Context| {
            let id = context.enumeration(ty);
            context.expr(Op::Variant(id, variant), width, loc)
        };
        Enum(with(literal), PhantomData)
    }
}

impl<T: HwEnum> Enum<T> {
    /// The type "a variant of `T`".
    pub fn ty() -> Self {
        Enum(bits(enum_type::<T>().width as usize), PhantomData)
    }

    pub fn bits(self) -> Bits {
        self.0
    }

    pub(crate) fn from_bits(bits: Bits) -> Self {
        Enum(bits, PhantomData)
    }

    /// Whether it is `variant`.
    #[track_caller]
    pub fn is(self, variant: T) -> Bool {
        self.0.eq(variant.to_enum().0)
    }

    #[track_caller]
    pub fn set(self, value: impl ToEnum<T>) {
        crate::statements::assign("set", self.0, value.to_enum().0, Location::caller());
    }

    /// Elaborates `body` once for each variant, into the arms of a `case`: write a plain `match` in it, which rustc
    /// checks to be exhaustive. An encoding that no variant has counts as the last variant.
    ///
    /// Nothing can be declared in `body`: it would be made once for each variant.
    #[track_caller]
    pub fn cases(self, body: impl Fn(T)) {
        let loc = Location::caller();
        let width = self.0.width;
        let (selector, enumeration) = with(|context| {
            context.frame().in_cases += 1;
            (context.readable(self.0, loc), context.enumeration(enum_type::<T>()))
        });
        let arms = T::VARIANTS.iter().map(|&(_, variant, value, _)| {
            let body = crate::statements::block(|| body(variant));
            Arm { value: Value::new(width, value), body }
        });
        let arms = arms.collect();
        with(|context| {
            context.frame().in_cases -= 1;
            let enumeration = Some(enumeration);
            context.push(Stmt::Case(Case { selector, enumeration, arms, default: None, loc }));
        });
    }
}
