//! What can be used as a value where.

use crate::*;

#[test]
fn a_type_is_no_value() {
    let faults: &[fn(&Io)] = &[
        |io| io.q.set(bits(8)),
        |io| io.q.set(io.a + bits(8)),
        |io| io.q.set(!bits(8)),
        |io| io.q.set(bits(8).slice(0, 8)),
        |io| io.q.set(bits(8).zext(8)),
        |io| io.q.set(bits(4).zext(8)),
        |io| io.q.set(bits(7).resize(8)),
        |io| io.q.set(flag().mux(io.a, io.a)),
        |io| io.q.set(select(&[io.a, io.a], bits(1))),
        |io| io.q.set(select(&[io.a, bits(8)], io.c)),
        |io| io.q.set(bits(8).reverse()),
        |io| io.q.set(cat(bits(8).to_bools())),
        |io| io.q.set(cat([bits(8)])),
        |io| io.q.set(bits(8).repeat(1)),
        |io| io.q.set(bits(9).any().mux(io.a, io.a)),
        |io| io.q.set(io.a << bits(3)),
        |io| io.q.set(bits(8).at(lit(0, 3)).mux(io.a, io.a)),
        |io| io.q.set(bits(4).wide_mul(lit(0, 4))),
        |io| io.q.set(bits(7).wide_add(1)),
        |io| io.q.set(signed(4).sext(8).bits()),
        |io| discard((io.q.set(0), reg_init(bits(8)).set(1))),
        |io| discard((io.q.set(0), cross(bits(8)))),
        |io| discard((io.q.set(0), when(flag(), || ()))),
        |io| discard((io.q.set(0), when(io.c, || ()).elsewhen(flag(), || ()))),
        |io| discard((io.q.set(0), switch(bits(3)))),
        |io| discard((io.q.set(0), Enum::<State>::ty().cases(|_| ()))),
        |io| discard((io.q.set(0), cover(flag(), "never"))),
    ];
    for (i, body) in faults.iter().enumerate() {
        let message = error("|io| ", |io| {
            reg_flag(false).set(io.c);
            body(io);
        });
        has(&message, &["is used as a value: bind it with wire(), reg() or a port"]);
        assert!(message.starts_with("a bare type of "), "{i}: {message}");
    }
    let message = error("bits(8).set(", |io| {
        io.q.set(0);
        bits(8).set(1);
    });
    has(&message, &["a bare type of 8 bits is used as a value"]);
}

#[test]
fn a_value_of_the_parent() {
    let message = error_of("inner.q.set(io.a)", || {
        dut(|io| {
            let inner = module("child", Io::ty(8), |inner| inner.q.set(io.a));
            inner.a.set(0);
            inner.b.set(0);
            inner.c.set(true);
            io.q.set(inner.q);
        })
    });
    has(&message, &["`a` of 8 bits", "belongs to module `dut`, not to `child`: pass it through a port"]);
}

#[test]
fn a_value_of_a_finished_child() {
    let message = error("io.q.set(secret", |io| {
        let mut secret = None;
        let inner = module("child", Io::ty(8), |inner| {
            secret = Some(inner.a);
            inner.q.set(0);
        });
        inner.a.set(0);
        inner.b.set(0);
        inner.c.set(true);
        io.q.set(secret.unwrap());
    });
    has(&message, &["`a` of 8 bits", "belongs to module `child`, not to `dut`"]);
}

#[test]
fn a_value_of_an_earlier_elaboration() {
    let old = elaborate(|| dut(|io| io.q.set(io.a))).unwrap().io;
    let message = error("io.q.set(old.a)", |io| io.q.set(old.a));
    assert_eq!(message, "a value of 8 bits from another elaboration is used in `dut`");
    let message = error("old.q.set(io.a)", |io| {
        io.q.set(0);
        old.q.set(io.a);
    });
    assert_eq!(message, "a value of 8 bits from another elaboration is used in `dut`");
}

#[test]
fn elaborations_nest() {
    let message = error("io.q.set(inner.a)", |io| {
        let inner = elaborate(|| dut(|io| io.q.set(1))).unwrap().io;
        io.q.set(inner.a);
    });
    assert_eq!(message, "a value of 8 bits from another elaboration is used in `dut`");
}

#[test]
fn a_register_starts_as_a_constant() {
    let message = error("reg_init(io.a)", |io| {
        let register = reg_init(io.a);
        register.set(io.a);
        io.q.set(register);
    });
    has(&message, &["reg_init: `a` of 8 bits", "is not a constant"]);
}

/// A value's type keeps the directions of its fields.
#[test]
fn a_value_serves_as_a_type() {
    #[derive(Bundle, Clone)]
    struct Pipe {
        #[input]
        from: Stream<U<4>>,
        #[output]
        to: Stream<U<4>>,
    }
    #[hdl]
    fn body(io: &Pipe) {
        let between = wire(io.from);
        between.connect(&io.from);
        let stage = module("stage", Pipe { from: between.input(), to: between.output() }, |io| {
            io.to.connect(&io.from);
        });
        stage.from.connect(&between);
        io.to.connect(&stage.to);
    }
    elaborate(|| module("pipe", Pipe::ty(), body)).unwrap();
}
