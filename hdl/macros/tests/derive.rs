//! The derived bundles and enums, in the language itself.
#![deny(warnings, clippy::all)]

use hdl::*;

/// Path, documentation and width of each leaf, one a line.
fn leaves(ty: &impl Data) -> Vec<String> {
    let leaf = |(place, bits): (Place, Bits)| format!("{} {} {}", place.path, bits.width(), place.doc);
    ty.leaves().into_iter().map(|found| leaf(found).trim_end().to_string()).collect()
}

/// A key of the address table.
#[derive(Clone, Copy, Debug, Bundle)]
struct Key {
    /// The VLAN,
    /// as looked up.
    vid: U<12>,
    mac: U<48>,
}

#[derive(Clone, Bundle)]
#[ty(ports: usize, payload: T)]
struct Entry<T> {
    key: Key,
    /// One bit a port.
    #[ty(bits(ports))]
    members: Bits,
    #[ty(vec![payload.clone(); ports])]
    each: Vec<T>,
    #[ty([payload.clone(), payload])]
    both: [T; 2],
    kind: Enum<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, HwEnum)]
enum Kind {
    /// Nobody
    /// wrote it.
    Empty,
    Learnt = 5,
    Static,
    Reserved = 1 << 3,
}

#[test]
fn fields_are_visited_in_order_with_their_documentation() {
    let ty = Entry::ty(3, bits(4));
    let expected = [
        "key_vid 12 The VLAN, as looked up.",
        "key_mac 48",
        "members 3 One bit a port.",
        "each_0 4",
        "each_1 4",
        "each_2 4",
        "both_0 4",
        "both_1 4",
        "kind 4",
    ];
    assert_eq!(leaves(&ty), expected);
    assert_eq!(ty.size(), 12 + 48 + 3 + 5 * 4 + 4);
}

#[test]
fn a_mapped_bundle_has_the_new_leaves() {
    let ty = Key::ty();
    let mut widths = vec![];
    let same = ty.map(&Place::default(), &mut |_, leaf| {
        widths.push(leaf.bits.width());
        bits(widths.len())
    });
    assert_eq!(widths, [12, 48]);
    assert_eq!((same.vid.width(), same.mac.width()), (1, 2));
}

#[test]
fn enums_keep_order_encodings_and_documentation() {
    assert_eq!(Kind::NAME, "Kind");
    let expected = [
        ("Empty", Kind::Empty, 0, "Nobody wrote it."),
        ("Learnt", Kind::Learnt, 5, ""),
        ("Static", Kind::Static, 6, ""),
        ("Reserved", Kind::Reserved, 8, ""),
    ];
    assert_eq!(Kind::VARIANTS, expected);
}

#[test]
fn large_encodings_and_raw_names_are_kept() {
    #[derive(Clone, Copy, Debug, PartialEq, HwEnum)]
    #[repr(u64)]
    enum Wide {
        r#Type = u64::MAX,
    }
    assert_eq!(Wide::VARIANTS, [("Type", Wide::r#Type, u128::from(u64::MAX), "")]);

    #[derive(Clone, Bundle)]
    struct Raw {
        r#type: Bool,
    }
    assert_eq!(leaves(&Raw::ty()), ["type 1"]);
}

/// A request and its answer.
#[derive(Clone, Bundle)]
struct Port<T = Bits> {
    #[input]
    request: Handshake<T>,
    #[output]
    answer: Bool,
    #[flip]
    #[ty(Handshake::<Bool>::ty().output())]
    events: Handshake<Bool>,
}

#[derive(Clone, Bundle)]
struct Handshake<T> {
    valid: Bool,
    #[flip]
    ready: Bool,
    payload: T,
}

#[test]
fn directions_of_fields_apply_to_all_their_leaves() {
    let generator = || {
        module("ports", Port::<Bool>::ty(), |io| {
            io.request.ready.set(io.events.valid);
            io.events.ready.set(io.request.valid);
            io.answer.set(io.request.payload ^ io.events.payload);
        })
    };
    let design = elaborate(generator).expect("a sound design").design;
    let ports: Vec<String> =
        design.top().signals.iter().map(|port| format!("{} {:?}", port.name, port.kind)).collect();
    let expected = [
        "request_valid Input",
        "request_ready Output",
        "request_payload Input",
        "answer Output",
        "events_valid Input",
        "events_ready Output",
        "events_payload Input",
    ];
    assert_eq!(ports, expected);
}

/// Parameters of a type parameter's own bound are left as they are.
#[derive(Clone, Bundle)]
struct Tagged<T: HwEnum, const N: usize, D>
where
    D: Typed,
{
    kind: Enum<T>,
    number: U<N>,
    data: [D; 2],
}

#[test]
fn generic_bundles_without_parameters_are_typed() {
    fn size<T: Typed>() -> usize {
        T::ty().size()
    }
    assert_eq!(size::<Tagged<Kind, 7, Key>>(), 4 + 7 + 120);
    assert_eq!(size::<[Handshake<Key>; 2]>(), 124);
    assert_eq!(Tagged::<Kind, 1, Bool>::ty().size(), 7);
}

/// A field does not hide a function that has its name, and expressions may use the fields before them.
#[derive(Clone, Bundle)]
#[ty(width: usize)]
struct Scoped {
    #[ty(hdl::bits(width))]
    bits: Bits,
    #[ty(bits(2))]
    flag: Bits,
    #[ty(bits(flag.width() + 5))]
    #[input]
    width: Bits,
    #[ty(vec![bits; 3])]
    copies: Vec<Bits>,
    #[ty(bits(width))]
    parameter: Bits,
    vid: Bool,
    #[ty(Key { vid: U::ty(), mac: U::ty() })]
    other: Key,
    nested: Nested,
    #[ty(bits(nested.bits.width() + 1))]
    wider: Bits,
}

#[derive(Clone, Bundle)]
struct Nested {
    bits: U<3>,
}

/// A constructor written by hand takes the place of the derived one.
#[derive(Clone, Bundle)]
#[ty(none)]
struct Own {
    data: Bits,
}

impl Own {
    fn ty(width: usize) -> Own {
        Own { data: bits(width) }
    }
}

#[test]
fn constructors_take_their_parameters() {
    assert_eq!(
        leaves(&Scoped::ty(5)),
        [
            "bits 5",
            "flag 2",
            "width 7",
            "copies_0 5",
            "copies_1 5",
            "copies_2 5",
            "parameter 5",
            "vid 1",
            "other_vid 12 The VLAN, as looked up.",
            "other_mac 48",
            "nested_bits 3",
            "wider 4"
        ]
    );
    assert_eq!(leaves(&Own::ty(9)), ["data 9"]);
}

#[test]
fn a_bundle_without_fields_is_allowed() {
    #[derive(Clone, Bundle)]
    struct Nothing {}
    assert_eq!(Nothing::ty().size(), 0);
}

/// Adds up.
///
/// All of it.
#[hdl]
fn adder(width: usize) -> Sum {
    module(format!("adder_{width}"), Sum::ty(width), |io| {
        /// One bit wider.
        let wide = io.a.zext(width + 1) + io.b.zext(width + 1);
        let (_carry, low) = (wide.bit(width), wide.trunc(width));
        /// The last sum.
        let last = reg(bits(width));
        last.set(low);
        io.sum.set(last);
    })
}

#[derive(Clone, Bundle)]
#[ty(width: usize)]
struct Sum {
    #[input]
    #[ty(bits(width))]
    a: Bits,
    #[input]
    #[ty(bits(width))]
    b: Bits,
    /// Modulo 2^width.
    #[output]
    #[ty(bits(width))]
    sum: Bits,
}

#[test]
fn names_and_documentation_reach_the_design() {
    let design = elaborate(|| adder(8)).expect("a sound design").design;
    let top = design.top();
    assert_eq!(top.doc, "Adds up.\n\nAll of it.");
    let signals: Vec<String> =
        top.signals.iter().map(|signal| format!("{}: {}", signal.name, signal.doc)).collect();
    assert_eq!(signals, ["a: ", "b: ", "sum: Modulo 2^width.", "last: The last sum."]);
    let named: Vec<String> = top
        .exprs
        .iter()
        .filter(|expr| !expr.name.is_empty())
        .map(|expr| format!("{}: {}", expr.name, expr.doc))
        .collect();
    assert_eq!(named, ["wide: One bit wider.", "carry: ", "low: "]);
}

#[test]
fn plain_numbers_and_open_types_go_unnamed() {
    #[hdl]
    fn numbers(width: usize) -> usize {
        let bytes = if width > 8 { 2 } else { 1 };
        let table = [1 << 3, bytes * 2];
        let list: Vec<_> = table.iter().map(|n| n + 1).collect();
        let ratio = 1.0 / 2.0;
        let half = (ratio * 8.0) as usize;
        let nothing = None::<Bits>;
        let parsed = "3".parse().unwrap_or(0);
        let total = list.iter().sum::<usize>() + half + nothing.map_or(parsed, Bits::width);
        total
    }
    assert_eq!(numbers(9), 9 + 5 + 4 + 3);
}
