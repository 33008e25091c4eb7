//! Checks, and what exists for them only.

use crate::*;

#[test]
fn a_check_needs_a_reset() {
    let wanted = "a check needs a register with reset in its module and clock domain";
    let message = error("assert(io.c", |io| {
        io.q.set(io.a);
        assert(io.c, "c holds");
    });
    assert_eq!(message, wanted);
    let message = error("cover(io.c", |io| {
        io.q.set(delay_without_reset(io.a));
        cover(io.c, "c is seen");
    });
    assert_eq!(message, wanted);
    let message = error("delay(io.a)", |io| {
        io.q.set(io.a);
        verification(|| discard(delay(io.a)));
    });
    has(&message, &["`register_`, for verification only, needs a register with reset"]);
    build(|io| {
        io.q.set(delay(io.a));
        assume(io.c, "c holds");
    })
    .unwrap();
}

#[test]
fn hardware_reads_no_ghost() {
    #[hdl]
    fn read(io: &Io) {
        let real = delay(io.a);
        let ghost = verification(|| delay(io.a));
        io.q.set(real ^ ghost);
    }
    let message = error("io.q.set(real ^ ghost)", read);
    assert_eq!(message, "hardware reads `ghost`, which is for verification only");
    #[hdl]
    fn condition(io: &Io) {
        let real = delay(io.a);
        let ghost = verification(|| delay(io.c));
        io.q.set(real);
        when(ghost, || io.q.set(0));
    }
    let message = error("when(ghost, ", condition);
    assert_eq!(message, "hardware reads `ghost`, which is for verification only");
}

#[test]
fn ghosts_and_hardware_are_set_at_home() {
    let message = error("ghost.set(io.a)", |io| {
        io.q.set(delay(io.a));
        let ghost = verification(|| wire(bits(8)));
        verification(|| ghost.set(0));
        ghost.set(io.a);
    });
    has(&message, &["is for verification and cannot be set outside of verification()"]);
    let message = error("io.q.set(0)", |io| {
        io.q.set(delay(io.a));
        verification(|| {
            when(io.c, || io.q.set(0));
        });
    });
    has(&message, &["`q` of 8 bits", "is hardware and cannot be set inside verification()"]);
}

#[test]
fn no_memories_and_instances_for_checks() {
    let errors = errors(|| {
        dut(|io| {
            io.q.set(delay(io.a));
            verification(|| {
                let memory = mem(bits(8), 8, Collision::Undefined);
                memory.write(io.a.trunc(3), io.a);
                module("child", Empty {}, |_| ());
            });
        })
    });
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "a memory is made inside verification()",
            "a memory is written inside verification()",
            "an instance is made inside verification()",
        ]
    );
}

#[derive(Bundle, Clone)]
struct Empty {}

#[derive(Bundle, Clone)]
struct Sender {
    #[input]
    start: Bool,
    #[output]
    to: Stream<U<8>>,
}

/// Offers a beat, and takes it back if nobody takes it at once.
#[test]
fn streams_are_checked() {
    #[hdl]
    fn sender(io: &Sender) {
        let beats = reg(U::<8>::ty());
        when(io.to.fire(), || beats.set(beats + 1));
        io.to.valid.set(io.start);
        io.to.payload.set(beats);
        io.to.assert_stable();
    }
    let it = elaborate(|| module("sender", Sender::ty(), sender)).unwrap();
    let ghosts = it.design.top().signals.iter().filter(|signal| signal.ghost);
    let names: Vec<&str> = ghosts.map(|signal| signal.name.as_str()).collect();
    assert_eq!(names, ["stalled", "stalled_payload"]);
    let mut s = Native::new(&it.design).unwrap();
    s.reset();
    s.poke(it.io.start, true);
    s.poke(it.io.to.ready, true);
    s.step();
    s.poke(it.io.to.ready, false);
    s.step();
    s.step();
    s.poke(it.io.start, false);
    let violation = s.step_domains(&[0]).unwrap_err();
    has(&violation.to_string(), &["a beat stays until it moves"]);
}
