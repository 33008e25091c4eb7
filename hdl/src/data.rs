//! [`Data`]: everything that is made of signals, from one bit to a bundle of arrays of bundles.

use crate::{
    context::with,
    interface::Direction,
    ir::*,
    names::join,
    statements::{assign, assign_all, assign_at},
    types::*,
    value::Value,
};
use std::panic::Location;

/// Where a leaf stands in a bundle: its path, as fields joined by `_`, and the documentation of the innermost field
/// that has one.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Empty for a leaf that is no part of a bundle.
    pub path: String,
    /// May be empty.
    pub doc: String,
}

impl Place {
    /// A field below this place.
    pub fn field(&self, name: &str, doc: &str) -> Place {
        let doc = if doc.is_empty() { &self.doc } else { doc };
        Place { path: join(&self.path, name), doc: doc.to_string() }
    }
}

/// One signal's worth of a bundle.
#[derive(Clone, Copy)]
pub struct Leaf {
    /// Its bits, whatever its type.
    pub bits: Bits,
    /// For a leaf of an enumerated type.
    pub enumeration: Option<fn() -> EnumType>,
}

/// Anything made of signals, such as `Bits`, arrays and bundles. `#[derive(Bundle)]` implements it for structs; like a leaf, a bundle is both a type and a
/// value of that type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not made of signals",
    label = "not a type of hardware",
    note = "a struct of signals derives `Bundle`; an enum derives `HwEnum` and is used as `Enum<..>`"
)]
pub trait Data: Clone + 'static {
    /// Visits the leaves in order of declaration, and makes a value of the same shape from what `visit` returns.
    fn map(&self, at: &Place, visit: &mut dyn FnMut(&Place, Leaf) -> Bits) -> Self;

    /// The leaves in order of declaration.
    fn leaves(&self) -> Vec<(Place, Bits)> {
        let mut leaves = vec![];
        self.map(&Place::default(), &mut |place, leaf| {
            leaves.push((place.clone(), leaf.bits));
            leaf.bits
        });
        leaves
    }

    /// All bits of it.
    fn size(&self) -> usize {
        self.leaves().iter().map(|(_, bits)| bits.width()).sum()
    }

    /// All leaves in one vector, the first most significant.
    ///
    /// ```
    /// # use hdl::*;
    /// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
    /// let pair = reg([bits(4), bits(8)]);
    /// let [high, low] = pair;
    /// pair.set([low.trunc(4), cat([high, high])]);
    /// assert_eq!(pair.pack().width(), 12);
    /// let copy = pair.unpack(pair.pack());
    /// assert_eq!(copy[1].width(), 8);
    /// # })).unwrap();
    /// ```
    #[track_caller]
    fn pack(&self) -> Bits {
        cat(self.leaves().into_iter().map(|(_, bits)| bits))
    }

    /// The value of this type that [`Data::pack`] made a vector of. An error if the widths differ.
    #[track_caller]
    fn unpack(&self, vector: impl Into<Bits>) -> Self
    where
        Self: Sized,
    {
        unpack_at(self, vector.into(), Location::caller())
    }

    /// Drives every leaf from the leaf of `value` at its place, whatever their directions.
    #[track_caller]
    fn set(&self, value: Self)
    where
        Self: Sized,
    {
        let loc = Location::caller();
        assign_all("set", self, &value, loc);
    }

    /// Drives the leaves that run with the bundle from `source`, and those of `source` that run against it (as `ready`
    /// of a stream) from this one.
    #[track_caller]
    fn connect(&self, source: &Self)
    where
        Self: Sized,
    {
        let loc = Location::caller();
        pair("connect", self, source, loc, &mut |sink, source| {
            match with(|context| context.orientation(sink).flipped) {
                true => assign("connect", source, sink, loc),
                false => assign("connect", sink, source, loc),
            }
            sink
        });
    }

    /// Whether all leaves are equal.
    #[track_caller]
    fn same(&self, other: &Self) -> Bool
    where
        Self: Sized,
    {
        self.pack().eq(other.pack())
    }

    /// This type, or this value's type, with all bits 0 as a value.
    #[track_caller]
    fn zero(&self) -> Self
    where
        Self: Sized,
    {
        let loc = Location::caller();
        self.map(&Place::default(), &mut |_, leaf| {
            with(|context| context.literal(Value::zero(leaf.bits.width), loc))
        })
    }

    /// This type as an input: leaves that are flipped become outputs.
    fn input(&self) -> Self
    where
        Self: Sized,
    {
        directed(self, Direction::Input)
    }

    /// This type as an output: leaves that are flipped become inputs.
    fn output(&self) -> Self
    where
        Self: Sized,
    {
        directed(self, Direction::Output)
    }

    /// This type with all directions turned round.
    fn flip(&self) -> Self
    where
        Self: Sized,
    {
        turn(self, |old| Orientation { flipped: !old.flipped, direction: old.direction.map(opposite) })
    }

    /// Names the leaves of a value that have no name yet, under `name`.
    fn name(&self, name: &str)
    where
        Self: Sized,
    {
        crate::naming::name_value(self, name, "");
    }
}

/// A type that takes no parameter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` needs parameters to be a type",
    label = "its width is not known",
    note = "write `#[ty(..)]` on the field"
)]
pub trait Typed: Data {
    /// The type.
    fn ty() -> Self;
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Input => Direction::Output,
        Direction::Output => Direction::Input,
    }
}

fn directed<T: Data>(ty: &T, direction: Direction) -> T {
    turn(ty, |old| {
        let direction = if old.flipped { opposite(direction) } else { direction };
        Orientation { direction: Some(direction), ..old }
    })
}

/// The type `ty`, or that of the value `ty`, with its leaves turned.
fn turn<T: Data>(ty: &T, turned: impl Fn(Orientation) -> Orientation) -> T {
    ty.map(&Place::default(), &mut |_, leaf| {
        let orientation = with(|context| context.orientation(leaf.bits));
        Bits { owner: Owner::Type(turned(orientation)), id: 0, width: leaf.bits.width }
    })
}

pub(crate) fn unpack_at<T: Data>(ty: &T, vector: Bits, loc: Loc) -> T {
    let size = ty.size();
    if size != vector.width() {
        with(|context| {
            let message =
                format!("unpack: the type has {size} bits, but it is given {}", context.describe(vector));
            context.report(loc, message);
        });
        return ty.map(&Place::default(), &mut |_, leaf| Bits::poison(leaf.bits.width));
    }
    let mut low = vector.width;
    ty.map(&Place::default(), &mut |_, leaf| {
        low -= leaf.bits.width;
        let op = Op::Slice(vector.expr_id(), low);
        with(|context| context.checked(op, leaf.bits.width, &[vector], loc))
    })
}

/// Combines the leaves of `a` and `b` pairwise. Reports different shapes and widths.
pub(crate) fn zip<T: Data>(
    what: &str,
    a: &T,
    b: &T,
    loc: Loc,
    combine: &mut dyn FnMut(Bits, Bits) -> Bits,
) -> T {
    pair(what, a, b, loc, &mut |a, b| match with(|context| context.same_width(what, a, b, loc)) {
        true => combine(a, b),
        false => Bits::poison(a.width),
    })
}

/// Combines the leaves of `a` and `b` pairwise. Reports different shapes.
pub(crate) fn pair<T: Data>(
    what: &str,
    a: &T,
    b: &T,
    loc: Loc,
    combine: &mut dyn FnMut(Bits, Bits) -> Bits,
) -> T {
    let others = b.leaves();
    let mut next = others.iter();
    let mut count = 0;
    let result = a.map(&Place::default(), &mut |_, leaf| {
        count += 1;
        match next.next() {
            Some((_, other)) => combine(leaf.bits, *other),
            None => Bits::poison(leaf.bits.width),
        }
    });
    if count != others.len() {
        let message = format!("{what}: one side has {count} signals, the other {}", others.len());
        with(|context| context.report(loc, message));
    }
    result
}

/// `options[index]`, chosen by the hardware. The index has `clog2(options.len())` bits; one beyond the last chooses
/// the last.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let table = [10, 20, 30].map(|price| lit(price, 8));
/// let price = select(&table, lit(2, 2));
/// assert_eq!(price.width(), 8);
/// # })).unwrap();
/// ```
#[track_caller]
pub fn select<T: Data>(options: &[T], index: impl Into<Bits>) -> T {
    let (loc, index) = (Location::caller(), index.into());
    require(!options.is_empty(), || "select among nothing".into());
    if !check_index("select", options.len(), index, loc) || options.len() == 1 {
        return options[0].clone();
    }
    let columns: Vec<Vec<(Place, Bits)>> = options.iter().map(Data::leaves).collect();
    if let Some(other) = columns.iter().find(|leaves| leaves.len() != columns[0].len()) {
        let message = format!("select: one option has {} signals, another {}", columns[0].len(), other.len());
        with(|context| context.report(loc, message));
        return options[0].map(&Place::default(), &mut |_, leaf| Bits::poison(leaf.bits.width));
    }
    let mut row = 0;
    options[0].map(&Place::default(), &mut |_, leaf| {
        let choices: Vec<Bits> = columns.iter().map(|leaves| leaves[row].1).collect();
        row += 1;
        with(|context| {
            let mut fine = context.usable(index, loc);
            for &choice in &choices {
                fine &= context.same_width("select", leaf.bits, choice, loc);
            }
            if !fine {
                return Bits::poison(leaf.bits.width);
            }
            let ids = choices.iter().map(|choice| choice.expr_id()).collect();
            context.expr(Op::Select(index.expr_id(), ids), leaf.bits.width, loc)
        })
    })
}

/// Sets `targets[index]`, chosen by the hardware; the others keep what they have, as they all do when the index is
/// beyond the last. The index has `clog2(targets.len())` bits.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let counts = reg(vec![bits(8); 4]);
/// let port = lit(3, 2);
/// set_at(&counts, port, select(&counts, port) + 1);
/// # })).unwrap();
/// ```
#[track_caller]
pub fn set_at<T: Data>(targets: &[T], index: impl Into<Bits>, value: T) {
    let (loc, index) = (Location::caller(), index.into());
    require(!targets.is_empty(), || "set_at among nothing".into());
    match check_index("set_at", targets.len(), index, loc) {
        true => assign_at(targets, index, value, loc),
        // They count as set, so that the fault is reported once.
        false => targets.iter().for_each(|target| assign_all("set_at", target, &value, loc)),
    }
}

/// Whether `index` can index `count` things; reports it otherwise.
fn check_index(what: &str, count: usize, index: Bits, loc: Loc) -> bool {
    let wanted = clog2(count);
    with(|context| {
        if !context.usable(index, loc) {
            return false;
        }
        if index.width() != wanted {
            let index = context.describe(index);
            let message =
                format!("{what} among {count}: the index must have width {wanted}, not that of {index}");
            context.report(loc, message);
            return false;
        }
        true
    })
}

impl Data for Bits {
    fn map(&self, at: &Place, visit: &mut dyn FnMut(&Place, Leaf) -> Bits) -> Self {
        visit(at, Leaf { bits: *self, enumeration: None })
    }
}

impl Data for Bool {
    fn map(&self, at: &Place, visit: &mut dyn FnMut(&Place, Leaf) -> Bits) -> Self {
        Bool(self.0.map(at, visit))
    }
}

impl Typed for Bool {
    fn ty() -> Self {
        flag()
    }
}

impl Data for Signed {
    fn map(&self, at: &Place, visit: &mut dyn FnMut(&Place, Leaf) -> Bits) -> Self {
        Signed(self.0.map(at, visit))
    }
}

impl<const N: usize> Data for U<N> {
    fn map(&self, at: &Place, visit: &mut dyn FnMut(&Place, Leaf) -> Bits) -> Self {
        U(self.0.map(at, visit))
    }
}

impl<const N: usize> Typed for U<N> {
    fn ty() -> Self {
        U::ty()
    }
}

impl<T: HwEnum> Data for Enum<T> {
    fn map(&self, at: &Place, visit: &mut dyn FnMut(&Place, Leaf) -> Bits) -> Self {
        Enum::from_bits(visit(at, Leaf { bits: self.bits(), enumeration: Some(enum_type::<T>) }))
    }
}

impl<T: HwEnum> Typed for Enum<T> {
    fn ty() -> Self {
        Enum::ty()
    }
}

impl<T: Data, const N: usize> Data for [T; N] {
    fn map(&self, at: &Place, visit: &mut dyn FnMut(&Place, Leaf) -> Bits) -> Self {
        std::array::from_fn(|i| self[i].map(&at.field(&i.to_string(), ""), visit))
    }
}

impl<T: Typed, const N: usize> Typed for [T; N] {
    fn ty() -> Self {
        std::array::from_fn(|_| T::ty())
    }
}

impl<T: Data> Data for Vec<T> {
    fn map(&self, at: &Place, visit: &mut dyn FnMut(&Place, Leaf) -> Bits) -> Self {
        self.iter().enumerate().map(|(i, item)| item.map(&at.field(&i.to_string(), ""), visit)).collect()
    }
}
