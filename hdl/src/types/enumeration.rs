//! Enumerations.

use super::*;
use crate::context::Context;

/// A Rust enumeration without fields that hardware can hold; derive it.
pub trait HwEnum: Copy + 'static {
    /// As in the source.
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
#[diagnostic::on_unimplemented(
    message = "a variant of `{T}` is needed, this is `{Self}`",
    label = "not of the enumeration `{T}`"
)]
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

    /// The encoding.
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

    /// Drives it; see [`Bits::set`].
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
