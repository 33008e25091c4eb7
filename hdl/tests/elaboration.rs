//! What elaboration builds and what it refuses, by example.

use hdl::*;

#[derive(Bundle, Clone, Copy)]
#[ty(width: usize)]
struct Io {
    #[input]
    #[ty(bits(width))]
    a: Bits,
    #[input]
    #[ty(bits(width + 1))]
    b: Bits,
    #[input]
    c: Bool,
    #[output]
    #[ty(bits(width))]
    q: Bits,
}

/// Elaborates a module with ports [`Io`] of 8 bits.
fn build(body: impl FnOnce(&Io)) -> Result<Design, Errors> {
    elaborate(|| module("dut", Io::ty(8), body)).map(|it| it.design)
}

/// The only error of a module, which must be at a line of this file that contains `at`.
fn error(at: &str, body: impl FnOnce(&Io)) -> String {
    let Err(Errors(errors)) = build(body) else { panic!("no error") };
    assert_eq!(errors.len(), 1, "{errors:?}");
    let error = &errors[0];
    assert!(error.loc.file().ends_with("hdl/tests/elaboration.rs"), "{error}");
    let line = include_str!("elaboration.rs").lines().nth(error.loc.line() as usize - 1).unwrap();
    assert!(line.contains(at), "{error}\nis at: {line}");
    assert!(error.notes[0].0.contains("in module `dut`"), "{error}");
    error.message.clone()
}

#[test]
fn a_good_module() {
    #[hdl]
    fn body(io: &Io) {
        let sum = reg(bits(8));
        when(io.c, || sum.set(io.a + io.b.trunc(8)));
        let doubled = cat([sum.trunc(7), lit(0, 1)]);
        io.q.set(doubled);
    }
    let design = build(body).unwrap();
    let module = design.top();
    assert!(module.domains[0].clocked && module.domains[0].reset);
    assert!(module.exprs.iter().any(|expr| expr.name == "doubled"));
}

#[test]
fn widths_differ() {
    let message = error("io.a + io.b", |io| io.q.set(io.a + io.b));
    assert!(
        message.contains("add: widths differ: `a` of 8 bits") && message.contains("`b` of 9 bits"),
        "{message}"
    );
}

#[test]
fn latch() {
    #[hdl]
    fn body(io: &Io) {
        let small_a = io.a.lt(10);
        when(io.c, || io.q.set(1)).elsewhen(small_a, || io.q.set(2));
    }
    let message = error("module(\"dut\"", body);
    assert_eq!(message, "output `q` has no value where `c` is false and `small_a` is false");
}

#[test]
fn set_twice() {
    let message = error("io.q.set(3)", |io| {
        io.q.set(1);
        io.q.set(3);
    });
    assert!(message.starts_with("`q` is set twice"), "{message}");
}

#[test]
fn parts_of_a_wire_become_wires() {
    #[hdl]
    fn body(io: &Io) {
        let x = wire(bits(8));
        x.set(0);
        x.slice(2, 4).set(io.a.trunc(4));
        when(io.c, || x.bit(7).set(true));
        io.q.set(x);
    }
    let design = build(body).unwrap();
    let names: Vec<&str> = design.top().signals.iter().map(|signal| signal.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "q", "x", "x_1_0", "x_5_2", "x_6", "x_7"]);
}
