use super::check_loops;
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

/// The loops of a design, which elaboration may refuse or not.
fn loops<Io>(generator: impl FnOnce() -> Io) -> Vec<Error> {
    match elaborate(generator) {
        Ok(elaborated) => check_loops(&elaborated.design),
        Err(errors) => errors.0,
    }
}

/// Two wires that follow each other, with something done to the first on the way.
fn follow(change: impl FnOnce(Bits, Bits) -> Bits) -> Vec<Error> {
    loops(|| {
        module("top", Io::ty(8), |io| {
            let first = wire(bits(8));
            let second = wire(bits(8));
            first.set(change(second, io.b));
            second.set(first ^ io.a);
            io.out.set(second);
        })
    })
}

#[test]
fn a_loop_is_told_with_its_signals_in_order() {
    let line = line!() + 4;
    let errors = loops(|| {
        module("top", Io::ty(1), |io| {
            let scope = crate::scope("first", "");
            let first = wire(bits(1));
            drop(scope);
            let scope = crate::scope("second", "");
            let second = wire(bits(1));
            drop(scope);
            first.set(second & io.a);
            second.set(!first);
            io.out.set(second);
        })
    });
    let [error] = &errors[..] else { panic!("{errors:?}") };
    let message = "combinational loop: `first` <- `second` <- `first`";
    let rotated = "combinational loop: `second` <- `first` <- `second`";
    assert!([message, rotated].contains(&error.message.as_str()), "{error}");
    let mut lines: Vec<u32> = error.notes.iter().take(2).map(|(_, loc)| loc.line()).collect();
    lines.sort();
    assert_eq!(lines, [line, line + 3]);
    assert!(error.notes.iter().all(|(_, loc)| loc.file().ends_with("loops/tests.rs")));
}

#[test]
fn a_chain_is_no_loop() {
    assert!(follow(|_, b| b).is_empty());
}

#[test]
fn arithmetic_makes_a_loop() {
    let errors = follow(|second, b| second + b);
    assert!(errors[0].message.starts_with("combinational loop: "), "{errors:?}");
}

#[test]
fn a_carry_makes_a_loop() {
    let errors = follow(|second, b| b + second.slice(7, 1).zext(8));
    assert!(errors[0].message.starts_with("combinational loop: "), "{errors:?}");
    let errors = follow(|second, b| b + cat([second.slice(0, 1), lit(0, 7)]));
    assert!(errors[0].message.contains("though no bit does"), "{errors:?}");
}

#[test]
fn a_dynamic_shift_makes_a_loop_and_a_constant_one_does_not() {
    let errors = follow(|second, b| second << b.trunc(3));
    assert!(errors[0].message.starts_with("combinational loop: "), "{errors:?}");
    let errors = follow(|second, _| second << lit(1, 3));
    assert!(errors[0].message.contains("though no bit does"), "{errors:?}");
}

#[test]
fn a_loop_of_whole_values_names_the_value_to_split() {
    let errors = loops(|| {
        module("top", Io::ty(4), |io| {
            let scope = crate::scope("ripple", "");
            let ripple = wire(bits(4));
            drop(scope);
            ripple.set(cat([ripple.slice(0, 3) & io.a.slice(1, 3), io.a.slice(0, 1)]));
            io.out.set(ripple);
        })
    });
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert!(error.message.starts_with("`ripple` depends on itself as a whole"), "{error}");
    assert!(error.message.contains("split it"), "{error}");
    assert!(error.loc.file().ends_with("loops/tests.rs"));
}

#[test]
fn a_loop_across_modules_is_found() {
    fn through() -> Io {
        module("through", Io::ty(2), |io| io.out.set(io.a ^ io.b))
    }
    let crossed = |swap: bool| {
        loops(|| {
            module("top", Io::ty(1), |io| {
                let inner = through();
                inner.b.set(lit(1, 2));
                // Swapped, bit 0 goes round to bit 1 and then out: no bit returns to itself.
                let parts = if swap { [inner.out.slice(0, 1), io.a] } else { [io.a, inner.out.slice(0, 1)] };
                inner.a.set(cat(parts));
                io.out.set(inner.out.slice(1, 1));
            })
        })
    };
    let [error] = &crossed(false)[..] else { panic!("a loop") };
    assert!(error.message.starts_with("combinational loop: "), "{error}");
    assert!(error.message.contains("u_through"), "{error}");
    let [error] = &crossed(true)[..] else { panic!("a loop of whole values") };
    assert!(error.message.contains("though no bit does"), "{error}");
}

#[test]
fn registers_end_a_loop() {
    let errors = loops(|| {
        module("top", Io::ty(4), |io| {
            let sum = reg(bits(4));
            sum.set(sum + io.a);
            io.out.set(sum);
        })
    });
    assert!(errors.is_empty(), "{errors:?}");
}
