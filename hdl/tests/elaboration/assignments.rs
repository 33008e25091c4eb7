//! What is set: where, how often, on which paths.

use crate::*;

/// A faulty body and what is said of it.
type Fault = (fn(&Io), &'static str);

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
fn latch_behind_nested_conditions() {
    #[hdl]
    fn body(io: &Io) {
        let w = wire(bits(8));
        let low = io.a.trunc(2);
        when(io.c, || {
            switch(low)
                .case(0, || w.set(1))
                .case(3, || {
                    when(io.a.eq(7), || w.set(3));
                })
                .default(|| w.set(2));
        })
        .otherwise(|| w.set(0));
        io.q.set(w);
    }
    let message = error("let w = wire(bits(8));", body);
    has(&message, &["wire `w` has no value where `c` is true and `low` is 2'h3 and the condition at "]);
    has(&message, &["assignments.rs:", " is false"]);
}

#[test]
fn latch_in_a_switch() {
    #[hdl]
    fn body(io: &Io) {
        switch(io.a.trunc(2)).case(0, || io.q.set(1)).case(1, || io.q.set(2)).case(2, || io.q.set(3));
    }
    has(
        &error("module(\"dut\"", body),
        &["output `q` has no value where the condition at ", "is anything else"],
    );
    let exhaustive = |io: &Io| {
        switch(io.c).case(0, || io.q.set(1)).case(1, || io.q.set(2));
    };
    build(exhaustive).unwrap();
}

#[test]
fn latch_in_cases() {
    #[hdl]
    fn body(io: &Io) {
        let state = reg_enum(State::Idle);
        state.cases(|s| match s {
            State::Idle => {
                io.q.set(0);
                state.set(State::Run);
            }
            State::Run => {
                when(io.c, || io.q.set(1));
                state.set(State::Stop);
            }
            State::Stop => io.q.set(2),
        });
    }
    assert_eq!(
        error("module(\"dut\"", body),
        "output `q` has no value where `state` is Run and `c` is false"
    );
}

#[test]
fn latch_of_a_part() {
    let message = error("module(\"dut\"", |io| {
        io.q.slice(0, 6).set(io.a.trunc(6));
        when(io.c, || io.q.slice(6, 2).set(0));
    });
    assert_eq!(message, "part 7:6 of output `q` has no value where `c` is false");
    let message = error("module(\"dut\"", |io| io.q.slice(0, 7).set(io.a.trunc(7)));
    assert_eq!(message, "bit 7 of output `q` is never set");
}

#[test]
fn set_twice() {
    let message = error("io.q.set(3)", |io| {
        io.q.set(1);
        io.q.set(3);
    });
    has(&message, &["`q` is set twice: this assignment undoes the one at ", "assignments.rs:"]);
    let message = error("io.q.set(4)", |io| {
        io.q.set(1);
        when(io.c, || io.q.set(2));
        io.q.set(4);
    });
    has(&message, &["`q` is set twice"]);
    let message = error("r.slice(2, 4).set(5)", |io| {
        let r = reg(bits(8));
        r.slice(3, 2).set(0);
        r.slice(2, 4).set(5);
        io.q.set(r);
    });
    has(&message, &["is set twice"]);
    build(|io| {
        io.q.set(1);
        when(io.c, || io.q.set(2));
    })
    .unwrap();
}

#[test]
fn never_set() {
    assert_eq!(error("module(\"dut\"", |_| ()), "output `q` is never set");
    #[hdl]
    fn unset_wire(io: &Io) {
        let w = wire(bits(8));
        io.q.set(w);
    }
    assert_eq!(error("let w = wire", unset_wire), "wire `w` is never set");
    #[hdl]
    fn unset_register(io: &Io) {
        let r = reg(bits(8));
        io.q.set(r);
    }
    assert_eq!(error("let r = reg", unset_register), "register `r` is never set");
    #[hdl]
    fn unset_input(io: &Io) {
        let child = module("child", Io::ty(8), |io| io.q.set(io.a));
        child.a.set(io.a);
        child.b.set(io.b);
        io.q.set(child.q);
    }
    assert_eq!(error("module(\"child\"", unset_input), "instance input `child_c` is never set");
}

#[test]
fn cannot_be_set() {
    let faults: &[Fault] = &[
        (|io| io.a.set(1), "`a` of 8 bits"),
        (|io| io.a.set(1), "cannot be set: it is an input of the module"),
        (|io| io.a.slice(0, 2).set(1), "it is an input of the module"),
        (|io| io.a.at(io.a.trunc(3)).set(true), "it is an input of the module"),
        (|io| (io.a + 1).set(1), "it is an expression"),
        (|io| (io.a + 1).slice(0, 2).set(1), "it is a part of an expression"),
        (|io| (io.a + 1).at(io.a.trunc(3)).set(true), "it is a bit of an expression"),
        (|_| lit(1, 8).set(1), "it is a constant"),
        (|io| io.c.mux(io.q, io.q).slice(0, 2).at(lit(0, 1)).set(true), "it is a bit of an expression"),
        (|io| cat([io.a, io.q]).at(io.a.trunc(4)).set(true), "it is a bit of an expression"),
        (|io| mem_of_8(io).read(io.a.trunc(3)).set(1), "it is what a memory read returns"),
        (|io| mem_of_8(io).peek(io.a.trunc(3)).set(1), "it is an expression"),
        (|io| child(io).q.set(1), "it is an output of an instance"),
    ];
    for (body, why) in faults {
        let message = error("(|", |io| {
            io.q.set(0);
            body(io);
        });
        has(&message, &[why, "cannot be set: it is "]);
    }
}

fn mem_of_8(io: &Io) -> Mem<Bits> {
    let memory = mem(bits(8), 8, Collision::Undefined);
    memory.write(io.a.trunc(3), io.a);
    memory
}

fn child(io: &Io) -> Io {
    let child = module("child", Io::ty(8), |io| io.q.set(io.a));
    child.a.set(io.a);
    child.b.set(io.b);
    child.c.set(io.c);
    child
}

#[test]
fn parts_of_parts_can_be_set() {
    #[hdl]
    fn body(io: &Io) {
        let high = io.q.slice(4, 4);
        let top = high.slice(2, 2);
        top.set(3);
        high.trunc(2).set(io.a.trunc(2));
        io.q.trunc(4).set(0);
    }
    build(body).unwrap();
}

#[test]
fn continuations_follow_directly() {
    let message = error(".otherwise(", |io| {
        io.q.set(0);
        let first = when(io.c, || io.q.set(1));
        when(io.c, || io.q.set(2));
        first.otherwise(|| ());
    });
    has(&message, &["otherwise() must directly follow what it continues, at ", "assignments.rs:"]);
    let message = error(".elsewhen(", |io| {
        io.q.set(0);
        let first = when(io.c, || ());
        when(io.c, || {
            first.elsewhen(io.c, || io.q.set(1));
        });
    });
    has(&message, &["elsewhen() must directly follow"]);
    let message = error(".case(1, ", |io| {
        let first = switch(io.a);
        io.q.set(2);
        first.case(1, || ());
    });
    has(&message, &["case() must directly follow"]);
}

#[test]
fn switches() {
    let message = error(".case(3, || io.q.set(2))", |io| {
        switch(io.a).case(3, || io.q.set(1)).case(3, || io.q.set(2)).default(|| io.q.set(0));
    });
    assert_eq!(message, "the case 8'h3 occurs twice");
    let message = error(".case(256, ", |io| {
        switch(io.a).case(256, || io.q.set(1)).default(|| io.q.set(0));
    });
    assert_eq!(message, "the case 256 does not fit in the 8 bits of the selector");
}

#[test]
fn nothing_is_declared_in_cases() {
    let faults: &[Fault] = &[
        (|io| wire(bits(8)).set(io.a), "a wire is made inside cases()"),
        (|io| reg(bits(8)).set(io.a), "a register is made inside cases()"),
        (|io| discard(delay(io.a)), "a register is made inside cases()"),
        (|io| discard(mem_of_8_in_a_line(io)), "a memory is made inside cases()"),
        (|io| child_in_a_line(io), "an instance is made inside cases()"),
    ];
    for (body, what) in faults {
        let errors = errors(|| {
            dut(|io| {
                let state = reg_enum(State::Idle);
                state.set(State::Run);
                state.cases(|s| match s {
                    State::Idle => io.q.set(0),
                    State::Run => {
                        io.q.set(1);
                        body(io);
                    }
                    State::Stop => io.q.set(2),
                });
            })
        });
        has(&errors[0].message, &[what, "it would be made once for each variant; make it before"]);
        has(&line_of(&errors[0]), &["|io| "]);
    }
    let message = error("memory.read(io.a", |io| {
        let memory = mem_of_8(io);
        let state = reg_enum(State::Idle);
        state.set(State::Run);
        state.cases(|_| discard(memory.read(io.a.trunc(3))));
        io.q.set(0);
    });
    has(&message, &["a read port is made inside cases()"]);
}

#[track_caller]
fn mem_of_8_in_a_line(io: &Io) -> Mem<Bits> {
    let memory = mem(bits(8), 8, Collision::Undefined);
    memory.write(io.a.trunc(3), io.a);
    memory
}

#[track_caller]
fn child_in_a_line(io: &Io) {
    let child = module("child", Io::ty(8), |io| io.q.set(io.a));
    child.a.set(io.a);
    child.b.set(io.b);
    child.c.set(io.c);
}

/// An index chosen by hardware that reaches beyond the targets.
#[test]
fn set_at_leaves_the_rest() {
    #[hdl]
    fn body(io: &Io) {
        let words = wire(vec![bits(8); 3]);
        set_at(&words, io.a.trunc(2), io.a);
        io.q.set(words[0]);
    }
    let errors = errors(|| dut(body));
    assert_eq!(errors.len(), 3);
    has(&errors[0].message, &["wire `words_0` has no value where the condition at ", "is 2'h1"]);
    has(&line_of(&errors[0]), &["let words = wire("]);
}
