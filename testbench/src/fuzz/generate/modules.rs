//! Random modules: registers, memories and instances in several clock domains.
//!
//! The first inputs are the gates: one bit for each domain without which nothing is written to a memory. The run keeps
//! them at 0 until everything has been reset, and every instance is given those of its parent.

use super::{statements::Aim, *};
use hdl::Collision;

/// A module with instances nested up to `levels` deep.
pub fn module(random: &mut Random, name: &str, levels: usize) -> Module {
    let domains = *random.pick(&[1, 1, 1, 2, 2, 3]);
    part(random, name, levels, domains)
}

fn part(random: &mut Random, name: &str, levels: usize, domains: usize) -> Module {
    let widest = if random.chance(15) { 140 } else { 40 };
    let mut generator = Generator::new(random, name, domains, widest);
    generator.ports_and_state();
    if levels > 0 {
        generator.instances(levels - 1);
    }
    generator.rank();
    generator.body();
    generator.module
}

impl Generator<'_> {
    fn domain(&mut self) -> usize {
        self.random.below(self.module.domains)
    }

    fn wires(&mut self, letter: char, count: usize) -> Vec<Wire> {
        let wire = |i| Wire { name: format!("{letter}{i}"), width: self.width(), domain: self.domain() };
        (0..count).map(wire).collect()
    }

    fn ports_and_state(&mut self) {
        for domain in 0..self.module.domains {
            self.input(1, domain);
        }
        for _ in 0..1 + self.random.below(4) {
            let (width, domain) = (self.width(), self.domain());
            self.input(width, domain);
        }
        let (outputs, wires) = (1 + self.random.below(4), self.random.below(6));
        self.module.outputs = self.wires('o', outputs);
        self.module.wires = self.wires('w', wires);
        for index in 0..wires {
            self.module.wires[index].name = self.name(&format!("w{index}"));
        }
        for index in 0..1 + self.random.below(6) {
            let (width, domain) = (self.width(), self.domain());
            let reset = match self.random.below(3) {
                0 => None,
                1 => Some(Number::zero(width)),
                _ => Some(self.number(width)),
            };
            let name = self.name(&format!("r{index}"));
            self.module.registers.push(Register { name, width, domain, reset });
            let target = Target::Register(index);
            self.goals.push(Goal { target, width, rank: ANY, domain });
            for reader in 0..self.module.domains {
                let op = if reader == domain { Op::Register(index) } else { Op::Cross(index) };
                self.sources.push(Source { op, width, rank: 0, domain: reader });
            }
        }
        for index in 0..*self.random.pick(&[0, 0, 1, 1, 2]) {
            let (width, domain) = (self.width(), self.domain());
            let depth = *self.random.pick(&[2, 4, 4, 8, 16]);
            let collision =
                *self.random.pick(&[Collision::ReadOld, Collision::ReadNew, Collision::Undefined]);
            let initial = self.random.chance(40).then(|| (0..depth).map(|_| self.number(width)).collect());
            let crossing = collision != Collision::ReadNew && self.random.chance(30);
            let name = self.name(&format!("ram{index}"));
            self.module.memories.push(Memory { name, width, depth, domain, collision, initial, crossing });
        }
    }

    fn instances(&mut self, levels: usize) {
        for index in 0..*self.random.pick(&[0, 1, 1, 2, 3]) {
            // The same module again, now and then.
            let again = self.random.chance(30);
            let module = match self.module.instances.last() {
                Some(last) if again => last.module.clone(),
                _ => {
                    let domains = 1 + self.random.below(self.module.domains);
                    let name = format!("{}_{index}", self.module.name);
                    part(self.random, &name, levels, domains)
                }
            };
            let domains = (0..module.domains).map(|_| self.domain()).collect();
            let name = self.name(&format!("u{index}"));
            self.module.instances.push(Instance { name, module, domains });
        }
    }

    /// Puts everything combinational in an order: a signal is made of earlier ones only.
    fn rank(&mut self) {
        enum Item {
            Wire(usize),
            Output(usize),
            Instance(usize),
        }
        let mut items: Vec<Item> = (0..self.module.wires.len()).map(Item::Wire).collect();
        items.extend((0..self.module.outputs.len()).map(Item::Output));
        items.extend((0..self.module.instances.len()).map(Item::Instance));
        shuffle(self.random, &mut items);
        let mut rank = 0;
        for item in items {
            rank += 1;
            let (op, target, &Wire { width, domain, .. }) = match item {
                Item::Wire(i) => (Op::Wire(i), Target::Wire(i), &self.module.wires[i]),
                Item::Output(i) => (Op::Output(i), Target::Output(i), &self.module.outputs[i]),
                Item::Instance(i) => {
                    self.rank_instance(i, &mut rank);
                    continue;
                }
            };
            self.goals.push(Goal { target, width, rank, domain });
            self.sources.push(Source { op, width, rank, domain });
        }
    }

    fn rank_instance(&mut self, index: usize, rank: &mut usize) {
        let Instance { module, domains, .. } = &self.module.instances[index];
        for (port, input) in module.inputs.iter().enumerate().skip(module.domains) {
            let (target, domain) = (Target::InstanceInput(index, port), domains[input.domain]);
            self.goals.push(Goal { target, width: input.width, rank: *rank, domain });
            *rank += 1;
        }
        for (port, output) in module.outputs.iter().enumerate() {
            let op = Op::InstanceOutput(index, port);
            let domain = domains[output.domain];
            let rank = if module.is_combinational(port) { *rank } else { 0 };
            self.sources.push(Source { op, width: output.width, rank, domain });
        }
    }

    fn body(&mut self) {
        let mut body = vec![];
        for index in 0..self.module.instances.len() {
            let domains = self.module.instances[index].domains.clone();
            for (port, domain) in domains.into_iter().enumerate() {
                let value = self.read(domain);
                let target = Target::InstanceInput(index, port);
                body.push(Statement::Assign { target, part: Part::Whole, value });
            }
        }
        for domain in 0..self.module.domains {
            let mut goals: Vec<Goal> =
                self.goals.iter().filter(|goal| goal.domain == domain).copied().collect();
            let aims: Vec<Aim> = goals.iter().copied().map(Aim::Set).collect();
            shuffle(self.random, &mut goals);
            let mut combinational: Vec<Goal> =
                goals.iter().filter(|goal| goal.rank != ANY).copied().collect();
            while !combinational.is_empty() {
                let group = combinational
                    .split_off(combinational.len() - combinational.len().min(1 + self.random.below(3)));
                let depth = self.random.below(3);
                self.complete(&mut body, &group, depth);
            }
            if !aims.is_empty() {
                for _ in 0..self.random.below(3) {
                    let some = self.some(&aims);
                    self.tree(&mut body, domain, &some, 2);
                }
            }
            self.registers(&mut body, domain, &goals);
            self.memories(&mut body, domain);
        }
        self.module.body = body;
    }

    /// Sees to it that every register is set somewhere.
    fn registers(&mut self, body: &mut Vec<Statement>, domain: usize, goals: &[Goal]) {
        for &goal in goals.iter().filter(|goal| goal.rank == ANY) {
            let aims = [Aim::Set(goal)];
            let mut tries = 0;
            while !body.iter().any(|statement| statement.assigns(goal.target)) {
                tries += 1;
                let depth = if tries > 5 { 0 } else { 2 };
                self.tree(body, domain, &aims, depth);
            }
        }
    }

    fn memories(&mut self, body: &mut Vec<Statement>, domain: usize) {
        let own = |memory: &usize| self.module.memories[*memory].domain == domain;
        let memories: Vec<usize> = (0..self.module.memories.len()).filter(own).collect();
        for memory in memories {
            let inner = if self.module.memories[memory].collision == Collision::ReadNew {
                vec![self.single_write(memory)]
            } else {
                let mut inner = vec![];
                self.tree(&mut inner, domain, &[Aim::Write(memory)], 2);
                inner.push(self.single_write(memory));
                inner
            };
            let gate = self.read(domain);
            body.push(Statement::When { arms: vec![(gate, inner)], otherwise: None });
        }
    }
}
