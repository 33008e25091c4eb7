//! The endpoint's hardware below a host.

mod throughput;

use hdl::elaborate;
use rtl::config::Config;
use sim::{
    pcie::host::Fault,
    verilator::{Source, Verilated, VerilatorOptions},
};
use testbench::endpoint::{Plan, Report, run};

/// With the design's assertions, and with random values in what reset does not set.
fn verilated(config: &Config) -> Verilated {
    let design = elaborate(|| rtl::pcie::endpoint::endpoint(config)).unwrap().design;
    let (verilog, interface) = (design.verilog().text(), design.interface());
    let source = Source { verilog: &verilog, interface: &interface };
    let options = VerilatorOptions { assertions: true, x_random: Some(1), ..Default::default() };
    Verilated::build(&source, &options).unwrap()
}

/// Everything at once, without faults of the host: every command of a function that is not reset ends well.
#[test]
fn all_kinds_of_traffic() {
    let config = Config::small();
    for seed in 0..4 {
        let plan = Plan { seed, packets: 8000, faults: vec![], resets: 0, nonsense: 20 };
        let report =
            run(verilated(&config), &config, &plan).unwrap_or_else(|error| panic!("{seed}: {error}"));
        println!("{seed}: {report:?}");
        assert_eq!(report.failures, 0);
        let Report { reads, writes, interrupts, accesses, nonsense, .. } = report;
        assert!(reads.min(writes) > 100 && interrupts.min(accesses).min(nonsense) > 10, "{report:?}");
    }
}

/// Resets of functions under load: nobody else loses anything. Virtual functions are on the next bus.
#[test]
fn a_storm_of_resets() {
    let config = Config { name: "nine", vfs: 9, ..Config::small() };
    for seed in 20..22 {
        let plan = Plan { seed, packets: 12_000, faults: vec![], resets: 60, nonsense: 0 };
        let report =
            run(verilated(&config), &config, &plan).unwrap_or_else(|error| panic!("{seed}: {error}"));
        println!("{seed}: {report:?}");
        // 100 microseconds at 156.25 MHz.
        assert!(report.resets > 40 && report.longest_reset < 15_625, "{report:?}");
    }
}

/// Resets of functions disturb nobody else; the host makes every fault.
#[test]
fn resets_and_faults() {
    let config = Config::small();
    for seed in 10..14 {
        let faults = Fault::ALL.map(|fault| (fault, 4)).to_vec();
        let plan = Plan { seed, packets: 8000, faults, resets: 6, nonsense: 10 };
        let report =
            run(verilated(&config), &config, &plan).unwrap_or_else(|error| panic!("{seed}: {error}"));
        println!("{seed}: {report:?}");
        assert!(report.resets > 2 && report.failures > 5, "{report:?}");
    }
}
