//! Checks that look across modules: combinational loops and clock domain crossings.

use crate::*;

#[test]
fn loops() {
    #[hdl]
    fn body(io: &Io) {
        let ping = wire(bits(8));
        let pong = wire(bits(8));
        ping.set(pong + io.a);
        pong.set(ping ^ 1);
        io.q.set(pong);
    }
    let message = error_of(" = wire(bits(8));", || dut(body));
    has(&message, &["combinational loop: ", "`ping` <- `pong`"]);
}

#[test]
fn loops_across_modules() {
    #[hdl]
    fn body(io: &Io) {
        let child = module("child", Io::ty(8), |io| io.q.set(io.a + 1));
        child.a.set(child.q);
        child.b.set(io.b);
        child.c.set(io.c);
        io.q.set(child.q);
    }
    let errors = errors(|| dut(body));
    assert_eq!(errors.len(), 1, "{:?}", Errors(errors));
    has(&errors[0].message, &["combinational loop: ", "`child.q`"]);
}

/// Bits that follow each other are no loop, whatever the words look like.
#[test]
fn bits_of_a_word_may_follow_each_other() {
    #[hdl]
    fn carries(io: &Io) {
        let carry = wire(bits(9));
        carry.bit(0).set(io.c);
        for i in 0..8 {
            carry.bit(i + 1).set(carry.bit(i) & io.a.bit(i));
        }
        io.q.set(carry.slice(1, 8));
    }
    build(carries).unwrap();
    #[hdl]
    fn whole(io: &Io) {
        let shifted = wire(bits(8));
        shifted.set(cat([shifted.trunc(7), io.c.bits()]));
        io.q.set(shifted);
    }
    let message = error("let shifted = wire(", whole);
    has(&message, &["`shifted` depends on itself as a whole", "split it"]);
}

#[test]
fn crossings() {
    #[hdl]
    fn direct(io: &Io) {
        let eth = Clock::external().enter("eth");
        let fast = eth.scope(|| delay(lit(1, 8)));
        let slow = reg(bits(8));
        slow.set(fast);
        io.q.set(slow);
    }
    let message = error("let slow = reg(", direct);
    has(&message, &["`fast`", "`slow`", "`eth_clk`", "`clk`"]);
    #[hdl]
    fn marked(io: &Io) {
        let eth = Clock::external().enter("eth");
        let fast = eth.scope(|| delay(lit(1, 8)));
        let meta = delay(cross(fast));
        io.q.set(delay(meta));
    }
    build(marked).unwrap();
}
