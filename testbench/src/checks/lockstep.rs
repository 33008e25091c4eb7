//! Two simulators of one bridge, fed alike, whose outputs must be equal in every cycle.

use hdl::{Direction, Interface, Simulator, Violation, interface::PortIndex};
use rtl::config::Config;
use sim::equivalence::valid_of;
use std::path::Path;

/// Both at once.
pub struct Lockstep<A, B> {
    one: A,
    other: B,
    outputs: Vec<Output>,
    /// Outputs that were compared so far.
    pub compared: u64,
}

struct Output {
    port: PortIndex,
    limbs: usize,
    /// Of the stream or channel that it goes with; what goes with a `valid` that is 0 means nothing.
    valid: Option<PortIndex>,
}

impl<A: Simulator, B: Simulator> Lockstep<A, B> {
    /// Two bridges of one configuration. The interface is that of `one`; `other` has the same ports at the same places.
    pub fn new(config: &Config, one: A, other: B) -> Self {
        let ports = &one.interface().ports;
        let outputs = ports.iter().enumerate().filter(|(_, port)| port.direction == Direction::Output);
        let of_manager = format!("egress_{}_valid", config.manager());
        let valid = |port: PortIndex| match ports[port].name.as_str() {
            "manager_source" => ports.iter().position(|port| port.name == of_manager),
            _ => valid_of(one.interface(), port),
        };
        let outputs = outputs.map(|(port, declared)| {
            let limbs = declared.width.div_ceil(64) as usize;
            Output { port, limbs, valid: valid(port) }
        });
        Self { outputs: outputs.collect(), one, other, compared: 0 }
    }

    fn compare(&mut self) {
        for Output { port, limbs, valid } in &self.outputs {
            let (mut one, mut other, mut offered) = ([0; 4], [0; 4], [1]);
            self.one.read(*port, &mut one[..*limbs]);
            self.other.read(*port, &mut other[..*limbs]);
            if let Some(valid) = valid {
                self.one.read(*valid, &mut offered);
            }
            if one != other && offered != [0] {
                let (cycle, name) = (self.one.cycles(), &self.one.interface().ports[*port].name);
                panic!("cycle {cycle}, {name}: {one:x?} in one, {other:x?} in the other");
            }
            self.compared += 1;
        }
    }
}

impl<A: Simulator, B: Simulator> Simulator for Lockstep<A, B> {
    fn interface(&self) -> &Interface {
        self.one.interface()
    }

    fn write(&mut self, port: PortIndex, value: &[u64]) {
        self.one.write(port, value);
        self.other.write(port, value);
    }

    fn read(&mut self, port: PortIndex, value: &mut [u64]) {
        self.one.read(port, value);
    }

    fn write_reset(&mut self, domain: usize, asserted: bool) {
        self.one.write_reset(domain, asserted);
        self.other.write_reset(domain, asserted);
    }

    fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation> {
        // Before the first reset anything may stand at the outputs.
        if self.cycles() > 0 {
            self.compare();
        }
        self.one.step_domains(domains)?;
        self.other.step_domains(domains)
    }

    fn cycles(&self) -> u64 {
        self.one.cycles()
    }

    fn trace(&mut self, file: &Path) -> std::io::Result<()> {
        self.one.trace(file)
    }
}
