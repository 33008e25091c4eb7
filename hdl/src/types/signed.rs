//! Operations of [`Signed`].

use super::*;

impl Signed {
    /// Number of bits, the sign included.
    pub fn width(self) -> usize {
        self.0.width()
    }

    /// The same bits as a vector.
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

    /// Whether this is less.
    #[track_caller]
    pub fn lt(self, other: Signed) -> Bool {
        self.0.compare("lt", other.0, Compare::SignedLess)
    }

    /// Whether this is less or equal.
    #[track_caller]
    pub fn le(self, other: Signed) -> Bool {
        self.0.compare("le", other.0, Compare::SignedLessOrEqual)
    }

    /// Whether this is greater.
    #[track_caller]
    pub fn gt(self, other: Signed) -> Bool {
        Bool(self.0.binary("gt", other.0, 1, |a, b| Op::Compare(Compare::SignedLess, b, a)))
    }

    /// Whether this is greater or equal.
    #[track_caller]
    pub fn ge(self, other: Signed) -> Bool {
        Bool(self.0.binary("ge", other.0, 1, |a, b| Op::Compare(Compare::SignedLessOrEqual, b, a)))
    }

    /// Whether both are equal.
    #[track_caller]
    pub fn eq(self, other: Signed) -> Bool {
        self.0.eq(other.0)
    }

    /// Whether it is less than 0.
    #[track_caller]
    pub fn is_negative(self) -> Bool {
        self.0.bit(self.width() - 1)
    }

    /// Drives it; see [`Bits::set`].
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
