//! What elaboration builds and what it refuses, by example: every message with its place.

mod assignments;
mod clocks;
mod memories;
mod modules;
mod reports;
mod types;
mod verification;
mod whole_designs;
mod widths;

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

#[derive(Clone, Copy, HwEnum)]
enum State {
    Idle,
    Run,
    Stop,
}

/// A module with ports [`Io`] of 8 bits.
fn dut(body: impl FnOnce(&Io)) -> Io {
    module("dut", Io::ty(8), body)
}

/// What the elaboration of a [`dut`] gives.
fn build(body: impl FnOnce(&Io)) -> Result<Design, Errors> {
    elaborate(|| dut(body)).map(|it| it.design)
}

/// The line of the test that `error` points at.
fn line_of(error: &Error) -> String {
    let file = format!("{}/../{}", env!("CARGO_MANIFEST_DIR"), error.loc.file());
    let source = std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{file}: {why}\n{error}"));
    source.lines().nth(error.loc.line() as usize - 1).expect("the line exists").to_string()
}

/// All errors of a design, each of which must be at a line of a test.
#[track_caller]
fn errors<T>(generator: impl FnOnce() -> T) -> Vec<Error> {
    let Err(Errors(errors)) = elaborate(generator) else { panic!("no error") };
    for error in &errors {
        assert!(error.loc.file().contains("hdl/tests/elaboration/"), "{error}");
    }
    errors
}

/// The message of the only error of a design, which must be at a line of a test that contains `at`.
#[track_caller]
fn error_of<T>(at: &str, generator: impl FnOnce() -> T) -> String {
    let errors = errors(generator);
    assert_eq!(errors.len(), 1, "{:?}", Errors(errors));
    let line = line_of(&errors[0]);
    assert!(line.contains(at), "{}\nis at: {line}", errors[0]);
    errors[0].message.clone()
}

/// As [`error_of`], of a [`dut`].
#[track_caller]
fn error(at: &str, body: impl FnOnce(&Io)) -> String {
    error_of(at, || dut(body))
}

/// Ends a closure that returns nothing.
fn discard<T>(_: T) {}

/// Asserts that `text` contains all of `parts`.
#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
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
