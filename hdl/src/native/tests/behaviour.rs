//! What the simulator promises beyond the values that the reference has too.

use crate::*;

#[derive(Clone, Copy, Bundle)]
#[ty(width: usize)]
struct Io {
    #[ty(bits(width).input())]
    a: Bits,
    #[ty(bits(width).input())]
    b: Bits,
    #[ty(bits(width).output())]
    out: Bits,
}

fn named<T>(name: &str, make: impl FnOnce() -> T) -> T {
    let _scope = scope(name, "");
    make()
}

fn simulate(width: usize, body: impl FnOnce(&Io)) -> (Native, Io) {
    let Elaborated { design, io } = elaborate(|| module("top", Io::ty(width), body)).unwrap();
    (Native::new(&design).unwrap(), io)
}

#[test]
fn a_violation_tells_where_and_what() {
    let line = line!() + 4;
    let (mut sim, io) = simulate(4, |io| {
        let sum = reg(bits(4));
        sum.set(sum + io.a);
        named("small", || assert(sum.lt(lit(9, 4)), "the sum stays small"));
        cover(sum.eq(lit(5, 4)), "five");
        io.out.set(sum);
    });
    sim.poke(io.a, 5);
    sim.reset();
    assert_eq!(sim.step_domains(&[0]), Ok(()));
    assert_eq!(sim.step_domains(&[0]), Ok(()));
    let violation = sim.step_domains(&[0]).unwrap_err();
    assert_eq!(violation.cycle, 3);
    assert!(violation.message.starts_with("top."), "{violation}");
    assert!(violation.message.contains("assertion failed: the sum stays small"), "{violation}");
    assert!(violation.message.ends_with(&format!("native/tests/behaviour.rs:{line})")), "{violation}");
    // The edge took place, and checks do not count under reset.
    assert_eq!(sim.peek(io.out), 15);
    sim.reset();
    assert_eq!(sim.peek(io.out), 0);
    let covers = sim.covers();
    assert_eq!((covers.len(), covers[0].message.as_str(), covers[0].count), (1, "five", 1));
}

#[test]
fn a_switch_of_nothing_but_a_default_is_that() {
    let (mut sim, io) = simulate(2, |io| {
        let words = mem(bits(2), 4, Collision::ReadOld);
        switch(io.a).default(|| words.write(io.a, io.b));
        switch(io.b).default(|| io.out.set(words.peek(io.a)));
    });
    sim.poke(io.a, 2);
    sim.poke(io.b, 3);
    sim.step_domains(&[0]).unwrap();
    assert_eq!(sim.peek(io.out), 3);
}

#[test]
fn a_violation_under_reset_is_reported_after_it() {
    let (mut sim, io) = simulate(1, |io| {
        let seen = reg(bits(1));
        seen.set(io.b);
        assume(!io.a.any(), "a is low");
        io.out.set(seen);
    });
    sim.poke(io.a, 1);
    sim.reset();
    assert!(sim.step_domains(&[0]).unwrap_err().message.contains("assumption failed: a is low"));
}

#[test]
fn reads_and_writes_meet_as_the_memory_says() {
    for (collision, defined) in [(Collision::ReadOld, true), (Collision::Undefined, false)] {
        let (mut sim, io) = simulate(64, |io| {
            let words = mem_with(bits(64), 2, collision).initial([7, 8].map(|n| Value::new(64, n))).build();
            words.write(io.b.slice(0, 1), io.a);
            io.out.set(words.read(io.b.slice(1, 1)));
        });
        sim.poison(1);
        sim.poke(io.a, 100);
        sim.poke(io.b, 0b10);
        sim.step();
        assert_eq!(sim.peek(io.out), 8, "another word is as it was");
        sim.poke(io.b, 0b00);
        sim.poke(io.a, 101);
        sim.step();
        assert_eq!(sim.peek(io.out) == 100, defined, "{collision:?}");
        sim.poke(io.b, 0b01);
        sim.step();
        assert_eq!(sim.peek(io.out), 101, "a read without a write to the same word");
    }
}

#[test]
fn only_a_read_and_a_write_collide() {
    let (mut sim, io) = simulate(64, |io| {
        let words =
            mem_with(bits(64), 2, Collision::Undefined).initial([7, 8].map(|n| Value::new(64, n))).build();
        when(io.b.bit(0), || words.write(lit(0, 1), io.a));
        io.out.set(words.read_if(io.b.bit(1), lit(0, 1)));
    });
    sim.poison(1);
    sim.poke(io.a, 9);
    // Read, then write, then nothing, then read: never both.
    for (enables, expected) in [(0b10, 7), (0b01, 7), (0b00, 7), (0b10, 9)] {
        sim.poke(io.b, enables);
        sim.step();
        assert_eq!(sim.peek(io.out), expected, "{enables:b}");
    }
    sim.poke(io.b, 0b11);
    sim.step();
    assert_ne!(sim.peek(io.out), 9);
}

#[test]
fn collisions_leave_other_lanes_alone() {
    let (mut sim, io) = simulate(16, |io| {
        let words = named("words", || mem(bits(16), 2, Collision::Undefined));
        words.write_lanes(lit(1, 1), io.a, io.b.slice(0, 2));
        io.out.set(words.read(lit(1, 1)));
    });
    sim.poke(io.a, 0x1234);
    sim.poke(io.b, 0b11);
    sim.step();
    sim.poison(3);
    sim.poke(io.b, 0b11);
    sim.step();
    sim.poke(io.b, 0b01);
    sim.step();
    let value = sim.peek(io.out);
    assert_eq!(value >> 8, 0x12);
    assert_ne!(value & 0xff, 0x34);
}

#[test]
fn poison_fills_what_nothing_defines() {
    let build = |seed: Option<u64>| {
        let (mut sim, io) = simulate(64, |io| {
            let free = named("free", || reg_without_reset(bits(64)));
            let cleared = named("cleared", || reg(bits(64)));
            when(io.a.any(), || free.set(io.b));
            when(io.a.any(), || cleared.set(io.b));
            let words = named("words", || mem(bits(64), 2, Collision::ReadOld));
            when(io.a.any(), || words.write(lit(0, 1), io.b));
            io.out.set(free ^ cleared ^ words.peek(lit(1, 1)));
        });
        if let Some(seed) = seed {
            sim.poison(seed);
        }
        sim.reset();
        let internal = |sim: &mut Native, name: &str| sim.peek_internal(name).unwrap().to_u128().unwrap();
        (internal(&mut sim, "free"), internal(&mut sim, "cleared"), sim.peek(io.out))
    };
    assert_eq!(build(None), (0, 0, 0));
    let (free, cleared, out) = build(Some(1));
    assert!(free != 0 && out != free && cleared == 0);
    assert_ne!(build(Some(2)), (free, cleared, out));
}

#[test]
fn registers_of_two_domains_sample_before_any_changes() {
    let (mut sim, io) = simulate(8, |io| {
        let other = Clock::external().enter("other");
        let here = named("here", || reg_init(lit(1, 8)));
        let there = other.scope(|| named("there", || reg_init(lit(2, 8))));
        here.set(cross(there));
        there.set(cross(here));
        io.out.set(here);
    });
    let values =
        |sim: &mut Native| ["here", "there"].map(|name| sim.peek_internal(name).unwrap().to_u128().unwrap());
    sim.step_domains(&[0, 1]).unwrap();
    assert_eq!(values(&mut sim), [2, 1]);
    sim.step_domains(&[1]).unwrap();
    assert_eq!(values(&mut sim), [2, 2]);
    // Each domain has a reset of its own.
    sim.write_reset(1, true);
    sim.write_reset(0, true);
    sim.step_domains(&[0]).unwrap();
    assert_eq!(values(&mut sim), [1, 2]);
    sim.write_reset(0, false);
    sim.step_domains(&[0, 1]).unwrap();
    assert_eq!(values(&mut sim), [2, 2]);
    assert_eq!((sim.cycles(), sim.peek(io.out)), (4, 2));
}

#[test]
fn what_a_reset_hides_is_taken_afterwards() {
    let (mut sim, io) = simulate(8, |io| {
        let held = reg(bits(8));
        held.set(io.a);
        io.out.set(held);
    });
    sim.poke(io.a, 9);
    sim.step();
    assert_eq!(sim.peek(io.out), 9);
    sim.reset();
    assert_eq!(sim.peek(io.out), 0);
    sim.step();
    assert_eq!(sim.peek(io.out), 9);
}

#[test]
fn names_reach_into_instances_and_unused_values() {
    let (mut sim, io) = simulate(8, |io| {
        let inner = named("u_inner", || {
            module("inner", Io::ty(8), |io| {
                let unused = named("unused", || wire(bits(8)));
                unused.set(io.a + io.b);
                io.out.set(io.a);
            })
        });
        inner.a.set(io.a);
        inner.b.set(io.b);
        io.out.set(inner.out);
    });
    sim.poke(io.a, 3);
    sim.poke(io.b, 4);
    assert_eq!(sim.peek_internal("u_inner.unused"), Some(Value::new(8, 7)));
    assert_eq!(sim.peek_internal("u_inner.b"), Some(Value::new(8, 4)));
    assert_eq!(sim.peek_internal("unused"), None);
}

#[test]
fn a_primitive_needs_a_model() {
    let primitive = |modelled: bool| {
        elaborate(|| {
            module("top", Io::ty(1), |io| {
                let model = |io: &Io| io.out.set(io.a ^ io.b);
                let model: Option<&dyn Fn(&Io)> = if modelled { Some(&model) } else { None };
                let gate = black_box("XOR2", &[], Io::ty(1), model);
                gate.a.set(io.a);
                gate.b.set(io.b);
                io.out.set(gate.out);
            })
        })
        .unwrap()
    };
    let error = Native::new(&primitive(false).design).err().unwrap().to_string();
    assert!(error.contains("u_XOR2` is the primitive `XOR2`"), "{error}");
    assert!(error.contains("has no model"), "{error}");
    let Elaborated { design, io } = primitive(true);
    let mut sim = Native::new(&design).unwrap();
    sim.poke(io.a, 1);
    assert_eq!(sim.peek(io.out), 1);
}

#[test]
fn a_trace_has_the_hierarchy_and_every_change() {
    let (mut sim, io) = simulate(70, |io| {
        let inner = named("u_inner", || {
            module("inner", Io::ty(70), |io| {
                let held = named("held", || reg(bits(70)));
                held.set(io.a);
                io.out.set(held ^ io.b);
            })
        });
        inner.a.set(io.a);
        inner.b.set(io.b);
        io.out.set(inner.out);
    });
    let file = std::env::temp_dir().join(format!("hdl-trace-{}.vcd", std::process::id()));
    sim.trace(&file).unwrap();
    sim.poke(io.a, 1 << 69 | 5);
    sim.step();
    sim.step();
    drop(sim);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let scope = |name: &str| lines.iter().position(|line| *line == format!("$scope module {name} $end"));
    assert!(scope("top").unwrap() < scope("u_inner").unwrap());
    let declared = lines.iter().position(|line| line.contains(" held [69:0] $end")).unwrap();
    assert!(declared > scope("u_inner").unwrap());
    let id = lines[declared].split(' ').nth(3).unwrap();
    let changes: Vec<&&str> = lines.iter().filter(|line| line.ends_with(&format!(" {id}"))).collect();
    let value = format!("b1{}101 {id}", "0".repeat(66));
    assert_eq!(changes, [&format!("b{} {id}", "0".repeat(65)).as_str(), &value.as_str()]);
    // Low, edge, low, edge.
    let times: Vec<&&str> = lines.iter().filter(|line| line.starts_with('#')).collect();
    assert_eq!(times, [&"#0", &"#1", &"#2", &"#3"]);
    let edge = lines.iter().position(|line| *line == "#1").unwrap();
    assert!(lines[edge..].contains(&value.as_str()));
    assert!(sim_error(&file), "a directory that is not there");
}

fn sim_error(file: &std::path::Path) -> bool {
    let (mut sim, _) = simulate(1, |io| io.out.set(io.a ^ io.b));
    sim.trace(&file.join("missing/trace.vcd")).is_err()
}

#[test]
#[should_panic(expected = "`out` is an output")]
fn an_output_cannot_be_written() {
    let (mut sim, _) = simulate(1, |io| io.out.set(io.a ^ io.b));
    sim.write(2, &[0]);
}

#[test]
fn bits_above_the_width_are_ignored() {
    let (mut sim, io) = simulate(4, |io| io.out.set(io.a ^ io.b));
    sim.write(0, &[0xff]);
    assert_eq!(sim.peek(io.out), 0xf);
}
