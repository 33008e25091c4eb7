//! Clock domains.

use crate::*;

#[test]
fn a_clock_of_another_module() {
    let message = error("clock.scope(", |io| {
        let clock = Clock::current();
        let child = module("child", Io::ty(8), |io| {
            clock.scope(|| io.q.set(delay(io.a)));
        });
        child.a.set(io.a);
        child.b.set(io.b);
        child.c.set(io.c);
        io.q.set(child.q);
    });
    assert_eq!(message, "the clock belongs to another module: enter() it here");
}

#[test]
fn a_clock_of_another_elaboration() {
    let mut clock = None;
    elaborate(|| {
        dut(|io| {
            clock = Some(Clock::current());
            io.q.set(io.a);
        })
    })
    .unwrap();
    let message = error("clock.unwrap().scope(", |io| {
        clock.unwrap().scope(|| io.q.set(io.a));
    });
    assert_eq!(message, "the clock belongs to another module: enter() it here");
}

#[test]
fn a_clock_is_entered_step_by_step() {
    let message = error("clock.enter(\"fast\")", |io| {
        let clock = Clock::current();
        let child = module("child", Io::ty(8), |io| {
            let grandchild = module("grandchild", Io::ty(8), |io| {
                clock.enter("fast").scope(|| io.q.set(delay(io.a)));
            });
            grandchild.connect_inputs(io);
        });
        child.connect_inputs(io);
    });
    assert_eq!(message, "the clock `fast` does not belong to the module around: enter it step by step");
    let message = error("Clock::external().enter(\"far\")", |io| {
        let child = module("child", Io::ty(8), |io| {
            Clock::external().enter("far").scope(|| io.q.set(delay(io.a)));
        });
        child.connect_inputs(io);
    });
    assert_eq!(message, "the clock `far` does not belong to the module around: enter it step by step");
}

impl Io {
    /// Drives an instance from the module around.
    fn connect_inputs(&self, io: &Io) {
        self.a.set(io.a);
        self.b.set(io.b);
        self.c.set(io.c);
        io.q.set(self.q);
    }
}

#[test]
fn names_of_clocks() {
    #[derive(Bundle, Clone)]
    struct Taken {
        #[input]
        fast_clk: Bool,
    }
    let message = error_of("Clock::external().enter(\"fast\")", || {
        module("dut", Taken::ty(), |_| {
            Clock::external().enter("fast");
        })
    });
    assert_eq!(message, "the name `fast_clk` of a clock or reset is illegal or taken");
    let errors = errors(|| {
        dut(|io| {
            io.q.set(0);
            Clock::external().enter("two words");
        })
    });
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0].message, "the name `two words_clk` of a clock or reset is illegal or taken");
    let errors = self::errors(|| {
        dut(|io| {
            io.q.set(0);
            Clock::external().enter("eth");
            Clock::external().enter("eth");
        })
    });
    assert_eq!(errors.len(), 2);
}

#[test]
fn domains_are_marked_where_they_are_used() {
    let design = build(|io| {
        let eth = Clock::external().enter("eth");
        Clock::external().enter("idle");
        let child = eth.scope(|| module("child", Io::ty(8), |io| io.q.set(delay(io.a))));
        child.a.set(eth.scope(|| delay_without_reset(lit(3, 8))));
        child.b.set(0);
        child.c.set(false);
        io.q.set(io.a);
    })
    .unwrap();
    let domains: Vec<_> = design.top().domains.iter().map(|d| (d.clock_port(), d.clocked, d.reset)).collect();
    let expected = [("clk", false, false), ("eth_clk", true, true), ("idle_clk", false, false)];
    assert_eq!(domains, expected.map(|(name, clocked, reset)| (name.to_string(), clocked, reset)));
}
