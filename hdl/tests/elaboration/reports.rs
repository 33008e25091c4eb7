//! The report as a whole.

use crate::*;

#[test]
fn parameters_out_of_range() {
    fn generator(by: usize) -> Io {
        require(by > 1, || format!("divider by {by}: at least 2"));
        panic!("not reached")
    }
    assert_eq!(error_of("require(by > 1", || generator(1)), "divider by 1: at least 2");
}

/// What was found before stays.
#[test]
fn require_ends_the_elaboration() {
    let errors = errors(|| {
        dut(|io| {
            io.q.set(io.b);
            require(false, || "stop".into());
        })
    });
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages.len(), 2);
    has(messages[0], &["set: widths differ"]);
    assert_eq!(messages[1], "stop");
}

#[test]
fn a_panic_of_the_generator_is_its_own() {
    let panic = std::panic::catch_unwind(|| build(|_| panic!("mine"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"mine"));
    build(|io| io.q.set(io.a)).unwrap();
}

#[test]
fn faults_of_a_loop_are_one() {
    let message = error("io.a + io.b", |io| {
        io.q.set(0);
        for _ in 0..100 {
            let _ = io.a + io.b;
        }
    });
    has(&message, &["add: widths differ"]);
}

/// A faulty value causes no further messages.
#[test]
fn faults_do_not_spread() {
    #[hdl]
    fn body(io: &Io) {
        let memory = mem(bits(8), 8, Collision::ReadNew);
        let bad = io.a + io.b;
        let held = delay(bad);
        let grown = (held + bad.reverse() - 1).wide_mul(bad).zext(20).any();
        memory.write(bad.trunc(3), bad);
        let lanes = mem(bits(8), 8, Collision::Undefined);
        lanes.write_lanes(held.trunc(3), bad, bad.trunc(2));
        when(grown, || io.q.set(bad)).otherwise(|| io.q.set(select(&[bad, held], bad.bit(0))));
        switch(bad).case(1, || ()).default(|| ());
        cover(bad.any() & io.c, "odd");
        let words = reg(vec![bits(8); 2]);
        set_at(&words, bad.bit(1), bad);
        bad.set(1);
        bad.at(bad.trunc(3)).set(true);
    }
    has(&error("let bad = io.a + io.b", body), &["add: widths differ"]);
}

#[test]
fn errors_of_several_modules_in_order() {
    fn leaf(width: usize) -> Io {
        module("leaf", Io::ty(width), |io| io.q.set(io.a + io.b))
    }
    fn middle() -> Io {
        module("middle", Io::ty(8), |io| {
            let inner = leaf(8);
            inner.a.set(io.b);
            inner.b.set(io.b);
            inner.c.set(io.c);
            io.q.set(inner.q);
        })
    }
    let errors = errors(|| {
        dut(|io| {
            let inner = middle();
            inner.a.set(io.a);
            inner.b.set(io.b);
            inner.c.set(io.c);
            io.q.set(inner.q.trunc(9));
        })
    });
    let lines: Vec<String> = errors.iter().map(line_of).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    has(&lines[0], &["io.q.set(io.a + io.b)"]);
    has(&lines[1], &["inner.a.set(io.b)"]);
    has(&lines[2], &["inner.q.trunc(9)"]);
    let chain = |error: &Error| error.notes.iter().map(|note| note.0.clone()).collect::<Vec<String>>();
    let step = |name: &str| format!("in module `{name}`, made at");
    assert_eq!(chain(&errors[0]), [step("leaf"), step("middle"), step("dut")]);
    assert_eq!(chain(&errors[1]), [step("middle"), step("dut")]);
    assert_eq!(chain(&errors[2]), [step("dut")]);

    let text = Errors(errors).to_string();
    let mut lines = text.lines();
    has(lines.next().unwrap(), &["error: add: widths differ: `a` of 8 bits (made at "]);
    has(lines.next().unwrap(), &["  --> hdl/tests/elaboration/reports.rs:"]);
    has(lines.next().unwrap(), &["  in module `leaf`, made at: hdl/tests/elaboration/reports.rs:"]);
    has(lines.next().unwrap(), &["  in module `middle`, made at: "]);
    has(lines.next().unwrap(), &["  in module `dut`, made at: hdl/tests/elaboration/main.rs:"]);
    assert_eq!(text.lines().last(), Some("3 errors"));
}
