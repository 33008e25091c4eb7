//! Operators of the leaf types, and what can stand on their right.

use super::*;

/// What stands on the right of an operator of [`Bits`]: a vector, or an integer that takes the other side's width.
#[diagnostic::on_unimplemented(
    message = "a vector is needed, `{Self}` is none",
    label = "neither made of bits nor an integer without sign",
    note = "integers take the width of the other side; `pack()` makes a vector of a bundle"
)]
pub trait ToBits {
    #[doc(hidden)]
    fn to_bits(self, width: u32) -> Bits;
}

/// What can be a condition: a [`Bool`] or a Rust `bool`.
#[diagnostic::on_unimplemented(
    message = "a condition is needed, this is `{Self}`",
    label = "not a `Bool`",
    note = "take `.bit(i)`, `.any()` or `.as_bool()` of a vector, or compare it"
)]
pub trait ToBool {
    #[doc(hidden)]
    fn to_bool(self) -> Bool;
}

/// What can be a vector of `N` bits: a `U<N>` or an integer.
#[diagnostic::on_unimplemented(
    message = "a value of {N} bits is needed, this is `{Self}`",
    label = "not a `U<{N}>`",
    note = "slice, zext or trunc it first, and say what it is with `.as_u()`"
)]
pub trait ToU<const N: usize> {
    #[doc(hidden)]
    fn to_u(self) -> U<N>;
}

macro_rules! vectors {
    ($([$($generic:tt)*] $vector:ty)*) => { $(
        impl<$($generic)*> ToBits for $vector {
            fn to_bits(self, _: u32) -> Bits {
                self.into()
            }
        }
    )* };
}
vectors!([] Bits [] Bool [] Signed [const N: usize] U<N> [T] Enum<T>);

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
