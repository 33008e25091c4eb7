use super::check_crossings;
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

/// The crossings of a design, which elaboration may refuse or not.
fn crossings<Io>(generator: impl FnOnce() -> Io) -> Vec<Error> {
    match elaborate(generator) {
        Ok(elaborated) => check_crossings(&elaborated.design),
        Err(errors) => errors.0,
    }
}

fn named<T>(name: &str, make: impl FnOnce() -> T) -> T {
    let _scope = scope(name, "");
    make()
}

/// A top with a second clock, `other_clk`.
fn top(body: impl FnOnce(Bits, Bits, Clock)) -> Vec<Error> {
    crossings(|| module("top", Io::ty(4), |io| body(io.a, io.out, Clock::external().enter("other"))))
}

#[test]
fn one_domain_has_no_crossings() {
    let errors = top(|input, out, other| {
        other.scope(|| {
            let held = reg(bits(4));
            held.set(input);
            out.set(held);
        });
    });
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_register_of_another_domain_is_an_error() {
    let line = line!() + 2;
    let errors = top(|input, out, other| {
        let source = named("source", || reg(bits(4)));
        source.set(input);
        other.scope(|| {
            let sampler = named("sampler", || reg(bits(4)));
            sampler.set(!source);
            out.set(sampler);
        });
    });
    let [error] = &errors[..] else { panic!("{errors:?}") };
    let expected =
        "register `source` of clock domain `clk` is sampled by register `sampler` of domain `other_clk`";
    assert!(error.message.starts_with(expected), "{error}");
    assert_eq!(error.loc.line(), line + 3);
    assert_eq!(error.notes[0].1.line(), line);
    assert_eq!(error.notes[1].1.line(), line + 3);
}

#[test]
fn a_marked_crossing_is_none() {
    let errors = top(|input, out, other| {
        let source = reg(bits(4));
        source.set(input);
        other.scope(|| {
            let sampler = reg(bits(4));
            sampler.set(cross(source));
            out.set(sampler);
        });
    });
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn conditions_count() {
    let errors = top(|input, out, other| {
        let source = reg(bits(4));
        source.set(input);
        other.scope(|| {
            let sampler = reg(bits(4));
            when(source.any(), || sampler.set(sampler + 1));
            out.set(sampler);
        });
    });
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn instances_count() {
    let errors = top(|input, out, other| {
        let source = reg(bits(4));
        source.set(input);
        let inner = other.scope(|| {
            module("inner", Io::ty(4), |io| {
                let held = reg(bits(4));
                held.set(io.a ^ io.b);
                io.out.set(held);
            })
        });
        inner.a.set(source);
        inner.b.set(lit(1, 4));
        out.set(inner.out);
    });
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert!(error.message.contains("sampled by register `u_inner."), "{error}");
}

#[test]
fn an_input_belongs_to_one_domain() {
    let errors = top(|input, out, other| {
        let here = named("here", || reg(bits(4)));
        here.set(input);
        let there = other.scope(|| named("there", || reg(bits(4))));
        there.set(input);
        out.set(here);
    });
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert!(error.message.contains("is sampled in two clock domains, `clk` and `other_clk`"), "{error}");
    assert!(error.notes[0].0.contains("`here`") && error.notes[1].0.contains("`there`"), "{error}");
}

#[test]
fn an_output_belongs_to_one_domain() {
    let errors = crossings(|| {
        module("top", Io::ty(4), |io| {
            let other = Clock::external().enter("other");
            let here = reg(bits(4));
            here.set(io.a);
            let there = other.scope(|| reg(bits(4)));
            there.set(io.b);
            io.out.set(here ^ there);
        })
    });
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert!(error.message.contains("mixes two clock domains, `clk` and `other_clk`"), "{error}");
}

/// A memory written here and read there, synchronously or not.
fn memory(crossing: bool, synchronous: bool) -> Vec<Error> {
    top(|input, out, other| {
        let words = mem_with(bits(4), 4, Collision::Undefined);
        let words = named("words", || if crossing { words.crossing().build() } else { words.build() });
        words.write(lit(1, 2), input);
        other.scope(|| {
            let address = reg(bits(2));
            address.set(address + 1);
            let held = reg(bits(4));
            held.set(if synchronous { words.read(address) } else { words.peek(address) });
            out.set(held);
        });
    })
}

#[test]
fn memories_cross_only_if_made_for_it() {
    for synchronous in [false, true] {
        let errors = memory(false, synchronous);
        let [error] = &errors[..] else { panic!("{errors:?}") };
        assert!(error.message.starts_with("memory `words` of clock domain `clk` is sampled by"), "{error}");
        assert!(memory(true, synchronous).is_empty());
    }
}

#[test]
fn a_memory_has_one_domain_of_writes() {
    let errors = crossings(|| {
        module("top", Io::ty(4), |io| {
            let other = Clock::external().enter("other");
            let words = named("words", || mem(bits(4), 4, Collision::Undefined));
            words.write(lit(1, 2), io.a);
            other.scope(|| words.write(lit(2, 2), io.b));
            io.out.set(words.read(lit(1, 2)));
        })
    });
    let expected = "memory `words` is written in two clock domains, `clk` and `other_clk`";
    assert!(errors.iter().any(|error| error.message == expected), "{errors:?}");
}
