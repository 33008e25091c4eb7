//! Wires and registers.

use crate::{context::with, data::Data, ir::*, names::join, types::*, value::Value};
use std::panic::Location;

/// Declares a signal for each leaf of `ty`; `kind` takes the leaf's position.
#[track_caller]
fn declare<T: Data>(ty: &T, fallback: &str, kind: impl Fn(usize) -> SignalKind) -> T {
    let loc = Location::caller();
    let (name, doc) = with(|context| {
        context.forbid_in_cases(&format!("a {fallback}"), loc);
        context.hint(fallback)
    });
    let mut index = 0;
    ty.map(&Default::default(), &mut |place, leaf| {
        index += 1;
        with(|context| {
            let flipped = context.orientation(leaf.bits).flipped;
            let enumeration = leaf.enumeration.map(|ty| context.enumeration(ty()));
            let ghost = context.frame().ghost;
            context.signal(Signal {
                name: join(&name, &place.path),
                doc: if doc.is_empty() { place.doc.clone() } else { doc.clone() },
                loc,
                width: leaf.bits.width,
                kind: kind(index - 1),
                flipped,
                enumeration,
                ghost,
            })
        })
    })
}

/// A combinational signal of this type. It must be set on every path.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let (a, larger) = (lit(3, 8), wire(bits(8)));
/// larger.set(a);
/// when(a.lt(5), || larger.set(5));
/// # })).unwrap();
/// ```
#[track_caller]
pub fn wire<T: Data>(ty: T) -> T {
    declare(&ty, "wire", |_| SignalKind::Wire)
}

fn domain() -> DomainId {
    with(|context| context.frame().domain)
}

/// A register of this type, in the current clock domain, that reset clears. It holds its value where it is not set.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let count = reg(bits(8));
/// when(count.lt(200), || count.set(count + 1));
/// # })).unwrap();
/// ```
#[track_caller]
pub fn reg<T: Data>(ty: T) -> T {
    let (domain, widths) = (domain(), widths(&ty));
    declare(&ty, "register", |i| SignalKind::Register { domain, reset: Some(Value::zero(widths[i])) })
}

/// A register that reset leaves alone: for data that a valid bit elsewhere guards.
#[track_caller]
pub fn reg_without_reset<T: Data>(ty: T) -> T {
    let domain = domain();
    declare(&ty, "register", |_| SignalKind::Register { domain, reset: None })
}

/// A register that reset sets to `value`, a constant.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let credits = reg_init(lit(16, 5));
/// when(credits.any(), || credits.set(credits - 1));
/// # })).unwrap();
/// ```
#[track_caller]
pub fn reg_init<T: Data>(value: T) -> T {
    let (loc, domain) = (Location::caller(), domain());
    let resets: Vec<Value> = value
        .leaves()
        .into_iter()
        .map(|(_, leaf)| {
            with(|context| {
                if !context.usable(leaf, loc) {
                    return Value::zero(leaf.width);
                }
                context.module().constant(leaf.expr_id()).cloned().unwrap_or_else(|| {
                    let message = format!("reg_init: {} is not a constant", context.describe(leaf));
                    context.report(loc, message);
                    Value::zero(leaf.width)
                })
            })
        })
        .collect();
    declare(&value, "register", |i| SignalKind::Register { domain, reset: Some(resets[i].clone()) })
}

/// A register for an enumeration that reset sets to `variant`.
#[track_caller]
pub fn reg_enum<T: HwEnum>(variant: T) -> Enum<T> {
    reg_init(variant.to_enum())
}

/// A register that reset sets to `value`.
#[track_caller]
pub fn reg_flag(value: bool) -> Bool {
    reg_init(value.to_bool())
}

/// `value`, one cycle later; 0 after reset.
#[track_caller]
pub fn delay<T: Data>(value: T) -> T {
    let register = reg(value.clone());
    register.set(value);
    register
}

/// `value`, one cycle later; not reset.
#[track_caller]
pub fn delay_without_reset<T: Data>(value: T) -> T {
    let register = reg_without_reset(value.clone());
    register.set(value);
    register
}

fn widths<T: Data>(ty: &T) -> Vec<u32> {
    ty.leaves().iter().map(|(_, leaf)| leaf.width).collect()
}

/// The value of a register of another clock domain, as this domain sees it without synchronization: possibly in the
/// middle of a change. Only synchronizers and asynchronous FIFOs may use it.
#[track_caller]
pub fn cross<T: Data>(value: T) -> T {
    let loc = Location::caller();
    value.map(&Default::default(), &mut |_, leaf| {
        with(|context| context.checked(Op::Cross(leaf.bits.expr_id()), leaf.bits.width, &[leaf.bits], loc))
    })
}
