//! The whole bridge in both simulators at once, under traffic that keeps its contracts: every output equal in every
//! cycle. Random stimuli as in `tests/equivalence.rs` seldom get through the bridge's tables.

use super::*;
use testbench::checks::lockstep::Lockstep;
use testbench::traffic::{case, draw, play};

/// Nothing at random: what reset does not set begins alike.
fn pair(config: &Config) -> Lockstep<Native, Verilated> {
    let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
    let (verilog, interface) = (design.verilog().text(), design.interface());
    let source = Source { verilog: &verilog, interface: &interface };
    let options = VerilatorOptions { assertions: true, ..Default::default() };
    let verilated = Verilated::build(&source, &options).unwrap();
    Lockstep::new(config, Native::new(&design).unwrap(), verilated)
}

#[test]
fn both_simulators_agree_in_every_cycle() {
    let most = Config { name: "most", wires: 1, vfs: 63 - 1, ..Config::small() };
    for config in [Config::small(), Config { wires: 1, ..Config::x3100() }, most] {
        let after_reset = Policy::new(config.wires, config.functions());
        let mut bench = Bench::new(pair(&config), &config, &after_reset, Losses::Counted, 1).unwrap();
        let cases = if config.ports() > 32 { 1 } else { 3 };
        for seed in 0..cases {
            play(&mut bench, &draw(&case(&config, 300, 500), 300 + seed)).unwrap();
        }
        let (cycles, compared) = (bench.cycles(), bench.simulator().compared);
        println!("{}: {cycles} cycles, {compared} outputs compared", config.name);
        assert!(cycles > 20_000);
        assert_agrees(&bench.finish().unwrap());
    }
}
