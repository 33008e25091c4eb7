//! The whole bridge in both simulators at once, under traffic that keeps its contracts: every output equal in every
//! cycle. Random stimuli as in `tests/equivalence.rs` seldom get through the bridge's tables.

use super::*;
use hdl::{Direction, Interface, Simulator, Violation, interface::PortIndex};
use sim::equivalence::valid_of;
use std::path::Path;
use testbench::traffic::{case, draw, play};

/// Two simulators of one design, fed alike.
struct Pair {
    native: Native,
    verilated: Verilated,
    outputs: Vec<(PortIndex, usize)>,
    compared: u64,
}

impl Pair {
    fn new(config: &Config) -> Pair {
        // Nothing at random: what reset does not set begins alike.
        let design = elaborate(|| rtl::veb::veb(config)).unwrap().design;
        let (verilog, interface) = (design.verilog().text(), design.interface());
        let source = Source { verilog: &verilog, interface: &interface };
        let options = VerilatorOptions { assertions: true, ..Default::default() };
        let ports = interface.ports.iter().enumerate();
        let outputs = ports.filter(|(_, port)| port.direction == Direction::Output);
        Pair {
            native: Native::new(&design).unwrap(),
            verilated: Verilated::build(&source, &options).unwrap(),
            outputs: outputs.map(|(index, port)| (index, port.width.div_ceil(64) as usize)).collect(),
            compared: 0,
        }
    }
}

impl Simulator for Pair {
    fn interface(&self) -> &Interface {
        self.native.interface()
    }

    fn write(&mut self, port: PortIndex, value: &[u64]) {
        self.native.write(port, value);
        self.verilated.write(port, value);
    }

    fn read(&mut self, port: PortIndex, value: &mut [u64]) {
        self.native.read(port, value);
    }

    fn write_reset(&mut self, domain: usize, asserted: bool) {
        self.native.write_reset(domain, asserted);
        self.verilated.write_reset(domain, asserted);
    }

    fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation> {
        // Before the first reset anything may stand at the outputs.
        if self.cycles() > 0 {
            for index in 0..self.outputs.len() {
                let (port, limbs) = self.outputs[index];
                let (mut one, mut other) = ([0; 4], [0; 4]);
                self.native.read(port, &mut one[..limbs]);
                self.verilated.read(port, &mut other[..limbs]);
                // What goes with a `valid` that is 0 means nothing.
                if one != other && !self.is_idle(port) {
                    let (cycle, name) = (self.cycles(), &self.native.interface().ports[port].name);
                    panic!("cycle {cycle}, {name}: {one:x?} in native, {other:x?} in Verilator");
                }
                self.compared += 1;
            }
        }
        self.native.step_domains(domains)?;
        self.verilated.step_domains(domains)
    }

    fn cycles(&self) -> u64 {
        self.native.cycles()
    }

    fn trace(&mut self, file: &Path) -> std::io::Result<()> {
        self.native.trace(file)
    }
}

impl Pair {
    /// Whether the port belongs to a stream or channel that offers nothing.
    fn is_idle(&mut self, port: PortIndex) -> bool {
        let interface = self.native.interface();
        let valid = match interface.ports[port].name.as_str() {
            "manager_source" => interface.ports.iter().position(|port| port.name == "egress_1_valid"),
            _ => valid_of(interface, port),
        };
        let Some(valid) = valid else { return false };
        let mut limb = [0];
        self.native.read(valid, &mut limb);
        limb[0] == 0
    }
}

#[test]
fn both_simulators_agree_in_every_cycle() {
    let most = Config { name: "most", wires: 1, vfs: 63 - 1, ..Config::small() };
    for config in [Config::small(), Config { wires: 1, ..Config::x3100() }, most] {
        let after_reset = Policy::new(config.wires, config.functions());
        let mut bench = Bench::new(Pair::new(&config), &config, &after_reset, Losses::Counted, 1).unwrap();
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
