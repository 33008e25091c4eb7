//! Modules, their names and their ports.

use crate::*;

#[derive(Bundle, Clone)]
#[ty(none)]
struct Two {
    first: Bits,
    second: Vec<Bits>,
}

#[test]
fn ports_have_directions() {
    let ty = || Two { first: bits(4), second: vec![bits(4).input()] };
    let message = error_of("module(\"two\"", || module("two", ty(), |_| ()));
    assert_eq!(message, "port `first` has no direction: use .input() or .output()");
    assert_eq!(
        error_of("module(\"lone\"", || module("lone", bits(8).input(), |_| ())),
        "port `` is not a legal name"
    );
}

#[test]
fn names_of_ports() {
    macro_rules! port {
        ($($name:ident)*) => { [$({
            #[derive(Bundle, Clone)]
            struct Io { #[input] $name: Bool }
            (stringify!($name), error_of("port!(", || module("io", Io::ty(), |_| ())))
        }),*] };
    }
    // Of Verilog, of SystemVerilog, of C++.
    for (name, message) in port!(output wire initial logic priority checker delete namespace template int) {
        assert_eq!(message, format!("port `{name}` is a reserved word of Verilog, SystemVerilog or C++"));
    }
    for (name, message) in port!(clk rst) {
        assert_eq!(message, format!("port `{name}` occurs twice or is the name of a clock or reset"));
    }
    #[derive(Bundle, Clone)]
    struct Twice {
        #[input]
        a_0: Bool,
        #[input]
        a: [Bool; 1],
    }
    let message = error_of("module(\"io\"", || module("io", Twice::ty(), |_| ()));
    assert_eq!(message, "port `a_0` occurs twice or is the name of a clock or reset");
}

#[test]
fn names_of_modules() {
    for name in ["", "1st", "a-b", "größe", "module", "endmodule", "class"] {
        let message = error_of("module(name", || module(name, Io::ty(8), |io| io.q.set(io.a)));
        assert_eq!(message, format!("`{name}` is not a legal name of a module"));
    }
}

/// A wire may be called what it likes: its name is changed.
#[test]
fn reserved_words_inside() {
    #[hdl]
    fn body(io: &Io) {
        let reg = wire(bits(8));
        reg.set(io.a);
        let q = delay(reg);
        io.q.set(q);
    }
    let design = build(body).unwrap();
    let names: Vec<&str> = design.top().signals[4..].iter().map(|signal| signal.name.as_str()).collect();
    assert_eq!(names, ["reg_", "q_q"]);
}

#[test]
fn one_top() {
    let message = error_of("module(\"second\"", || {
        dut(|io| io.q.set(io.a));
        module("second", Io::ty(8), |io| io.q.set(io.a))
    });
    assert_eq!(message, "`second` is a second top module beside `dut`: a design has one");
    assert_eq!(error_of("elaborate(generator)", || ()), "the generator makes no module");
}

#[test]
fn hardware_is_described_in_modules() {
    let faults: &[fn()] = &[
        || discard(lit(1, 8)),
        || discard(wire(bits(8))),
        || discard(switch(bits(1))),
        || discard(mem(bits(8), 8, Collision::Undefined)),
        || discard(Clock::current()),
        || verification(|| ()),
    ];
    for body in faults {
        let message = error_of("        || ", body);
        assert_eq!(message, "hardware can be described only inside of module()");
    }
}

/// Outside of an elaboration, where nobody collects errors, a panic says the same.
#[test]
fn nothing_is_described_outside_of_elaborations() {
    let panic = std::panic::catch_unwind(|| bits(0)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    has(message, &["a vector of 0 bits", "modules.rs:"]);
    let panic = std::panic::catch_unwind(|| lit(1, 1)).unwrap_err();
    has(panic.downcast_ref::<String>().unwrap(), &["only inside of module()", "modules.rs:"]);
    // And the next elaboration is none the worse for it.
    build(|io| io.q.set(io.a)).unwrap();
}

#[test]
fn black_boxes() {
    let without_model = |io: &Io| {
        let cell = black_box("CELL", &[("MODE", Parameter::Text("FAST".into()))], Io::ty(8), None);
        cell.a.set(io.a);
        cell.b.set(io.b);
        cell.c.set(io.c);
        io.q.set(cell.q);
    };
    build(without_model).unwrap();
    let message = error("black_box(\"CELL\"", |io| {
        let cell = black_box("CELL", &[], Io::ty(8), Some(&|_| ()));
        cell.a.set(io.a);
        cell.b.set(io.b);
        cell.c.set(io.c);
        io.q.set(cell.q);
    });
    assert_eq!(message, "output `q` is never set");
}
