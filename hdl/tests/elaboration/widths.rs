//! Widths of operators, constants, slices and indices.

use crate::*;

/// What the message starts with, and the faulty body.
type Fault = (&'static str, fn(&Io));

/// Each of these faulty bodies gives one error, at its own line, that starts with its key.
#[track_caller]
fn each(faults: &[Fault], parts: &[&str]) {
    for (what, body) in faults {
        let message = error(&format!("({what:?}, "), body);
        assert!(message.starts_with(&format!("{what}: ")), "{message}");
        has(&message, parts);
    }
}

#[test]
fn operands_differ() {
    let faults: &[Fault] = &[
        ("add", |io| io.q.set(io.a + io.b)),
        ("sub", |io| io.q.set(io.a - io.b)),
        ("bitand", |io| io.q.set(io.a & io.b)),
        ("bitor", |io| io.q.set(io.a | io.b)),
        ("bitxor", |io| io.q.set(io.a ^ io.b)),
        ("wide_add", |io| io.q.set(io.a.wide_add(io.b).trunc(8))),
        ("eq", |io| io.q.set(io.a.eq(io.b).bits().zext(8))),
        ("ne", |io| io.q.set(io.a.ne(io.b).bits().zext(8))),
        ("lt", |io| io.q.set(io.a.lt(io.b).bits().zext(8))),
        ("le", |io| io.q.set(io.a.le(io.b).bits().zext(8))),
        ("gt", |io| io.q.set(io.a.gt(io.b).bits().zext(8))),
        ("ge", |io| io.q.set(io.a.ge(io.b).bits().zext(8))),
        ("mux", |io| io.q.set(io.c.mux(io.a, io.b))),
        ("select", |io| io.q.set(select(&[io.a, io.b], io.c))),
    ];
    each(faults, &["widths differ: `a` of 8 bits (made at ", "and `b` of 9 bits (made at ", "main.rs:"]);
}

#[test]
fn signed_operands_differ() {
    let faults: &[Fault] = &[
        ("add", |io| io.q.set((io.a.as_signed() + io.b.as_signed()).bits())),
        ("sub", |io| io.q.set((io.a.as_signed() - io.b.as_signed()).bits())),
        ("eq", |io| io.q.set(io.a.as_signed().eq(io.b.as_signed()).bits().zext(8))),
        ("lt", |io| io.q.set(io.a.as_signed().lt(io.b.as_signed()).bits().zext(8))),
        ("le", |io| io.q.set(io.a.as_signed().le(io.b.as_signed()).bits().zext(8))),
        ("gt", |io| io.q.set(io.a.as_signed().gt(io.b.as_signed()).bits().zext(8))),
        ("ge", |io| io.q.set(io.a.as_signed().ge(io.b.as_signed()).bits().zext(8))),
    ];
    each(faults, &["widths differ: `a` of 8 bits", "and `b` of 9 bits"]);
}

#[test]
fn assigned_widths_differ() {
    let faults: &[Fault] = &[
        ("set", |io| io.q.set(io.b)),
        ("connect", |io| io.q.connect(&io.b)),
        ("set_at", |io| discard((io.q.set(0), set_at(&[io.q], lit(0, 1), io.b)))),
        ("unpack", |io| io.q.set(bits(8).unpack(io.b))),
    ];
    each(faults, &["8 bits", "`b` of 9 bits"]);
    let message = error("io.q.slice(0, 4).set(io.a)", |io| {
        io.q.slice(4, 4).set(0);
        io.q.slice(0, 4).set(io.a);
    });
    has(&message, &["set: widths differ: an expression of 4 bits", "and `a` of 8 bits"]);
}

#[test]
fn shapes_differ() {
    let faults: &[Fault] = &[
        ("mux", |io| io.q.set(cat(io.c.mux(vec![io.a], vec![io.a, io.a])))),
        ("select", |io| io.q.set(cat(select(&[vec![io.a], vec![io.a, io.a]], io.c)))),
        ("select", |io| io.q.set(cat(select(&[vec![io.a, io.a], vec![io.a]], io.c)).trunc(8))),
        ("set", |io| vec![io.q].set(vec![io.a, io.a])),
        ("connect", |io| vec![io.q].connect(&vec![io.a, io.a])),
    ];
    for (what, body) in faults {
        let message = error(&format!("({what:?}, "), body);
        has(&message, &[what, " signals, "]);
    }
}

#[test]
fn literals() {
    assert_eq!(error("lit(256, 8)", |io| io.q.set(lit(256, 8))), "the literal 256 does not fit in 8 bits");
    assert_eq!(error("set(256)", |io| io.q.set(256)), "the literal 256 does not fit in 8 bits");
    assert_eq!(error("io.a + 300", |io| io.q.set(io.a + 300)), "the literal 300 does not fit in 8 bits");
    assert_eq!(error("set(-1)", |io| io.q.set(-1)), "a negative number does not fit in 8 bits");
    assert_eq!(error("lit(0, 0)", |_| discard(lit(0, 0))).split(':').next(), Some("a vector of 0 bits"));
    for (value, width) in [(128, 8), (-129, 8), (1, 1)] {
        let message = error("Signed::lit(value", |io| {
            io.q.set(Signed::lit(value, width).sext(8).bits());
        });
        assert_eq!(message, format!("the literal {value} does not fit in {width} signed bits"));
    }
    for (value, width) in [(127, 8), (-128, 8), (-1, 1), (i128::MIN, 128), (-1, 200)] {
        build(|io| io.q.set(Signed::lit(value, width).sext(256).bits().trunc(8))).unwrap();
    }
}

#[test]
fn slices() {
    let message = error("slice(6, 3)", |io| io.q.set(io.a.slice(6, 3).zext(8)));
    has(&message, &["a slice of 3 bits from bit 6 is outside of `a` of 8 bits"]);
    let message = error("slice(usize::MAX, 2)", |io| io.q.set(io.a.slice(usize::MAX, 2).zext(8)));
    has(&message, &["is outside of `a`"]);
    let message = error("slice(0, 0)", |io| io.q.set(io.a.slice(0, 0).zext(8)));
    has(&message, &["a slice of 0 bits"]);
    has(&error("trunc(9)", |io| io.q.set(io.a.trunc(9).trunc(8))), &["a slice of 9 bits from bit 0"]);
    has(&error("bit(8)", |io| io.q.set(io.a.bit(8).bits().zext(8))), &["a slice of 1 bits from bit 8"]);
    has(&error("zext(4)", |io| io.q.set(io.a.zext(4).zext(8))), &["zext to 4 bits is narrower than `a`"]);
    let message = error("sext(8)", |io| io.q.set(io.b.as_signed().sext(8).bits()));
    has(&message, &["sext to 8 bits is narrower than `b`"]);
    let message = error("chunks(3)", |io| io.q.set(io.a.chunks(3)[0].zext(8)));
    has(&message, &["`a` of 8 bits", "cannot be cut in pieces of 3 bits"]);
    has(&error("chunks(0)", |io| io.q.set(io.a.chunks(0)[0].zext(8))), &["pieces of 0 bits"]);
    let message = error("as_bool()", |io| io.q.set(io.a.as_bool().bits().zext(8)));
    has(&message, &["`a` of 8 bits", "is not one bit"]);
    let message = error("as_u::<9>()", |io| io.q.set(io.a.as_u::<9>().trunc(8)));
    has(&message, &["`a` of 8 bits", "is not 9 bits wide"]);
    assert_eq!(error("repeat(0)", |io| io.q.set(io.a.repeat(0))), "a concatenation of nothing");
}

#[test]
fn indices() {
    let message = error("io.a.at(io.b)", |io| io.q.set(io.a.at(io.b).bits().zext(8)));
    has(&message, &["the index of `a` of 8 bits", "must have 3 bits, not 9"]);
    let message = error("select(&[io.a; 3]", |io| io.q.set(select(&[io.a; 3], io.b)));
    has(&message, &["select among 3: the index must have width 2, not that of `b` of 9 bits"]);
    let message = error("set_at(&[io.q]", |io| set_at(&[io.q], io.b, io.a));
    has(&message, &["set_at among 1: the index must have width 1, not that of `b` of 9 bits"]);
    assert_eq!(error("select::<Bits>", |io| io.q.set(select::<Bits>(&[], io.c))), "select among nothing");
    assert_eq!(error("set_at(&[]", |io| set_at(&[], io.c, io.a)), "set_at among nothing");
    let wide = |io: &Io| io.q.set(io.a << io.b.zext(17));
    has(&error("io.b.zext(17)", wide), &["the distance of a shift has more than 16 bits: an expression"]);
}

#[test]
fn vectors_without_bits() {
    has(&error("bits(0)", |_| discard(wire(bits(0)))), &["a vector of 0 bits: a width is at least 1"]);
    has(&error("signed(1 << 20)", |_| discard(wire(signed(1 << 20)))), &["a vector of 1048576 bits"]);
}
