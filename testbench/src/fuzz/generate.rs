//! Random descriptions: combinational modules full of expressions, and modules with everything.
//!
//! What comes out is legal hardware by construction. There is no combinational loop, because each wire has a rank and
//! is made only of what has a lower one; registers, inputs and what a memory read returned have rank 0. Each signal
//! belongs to a clock domain, and only registers cross.

mod expressions;
mod modules;
mod names;
mod statements;

use super::{description::*, number::Number};
use sim::random::Random;

/// The rank of targets that may be made of anything.
const ANY: usize = usize::MAX;

/// Where an expression is to be used.
#[derive(Clone, Copy)]
struct Context {
    domain: usize,
    /// Only what has a lower rank may be used.
    limit: usize,
}

/// A signal that expressions can read.
struct Source {
    op: Op,
    width: usize,
    rank: usize,
    domain: usize,
}

/// A target of assignments.
#[derive(Clone, Copy)]
struct Goal {
    target: Target,
    width: usize,
    rank: usize,
    domain: usize,
}

struct Generator<'a> {
    random: &'a mut Random,
    module: Module,
    sources: Vec<Source>,
    goals: Vec<Goal>,
    /// Rank and domain of each node; literals belong to all domains.
    facts: Vec<(usize, Option<usize>)>,
    widest: usize,
    /// How many synchronous reads may still be made.
    reads: usize,
    /// What there is already.
    names: Vec<String>,
}

/// A module of `outputs` expressions that share operands.
pub fn expressions(random: &mut Random, name: &str, outputs: usize) -> Module {
    let mut generator = Generator::new(random, name, 1, 200);
    for _ in 0..generator.random.below(4) + 2 {
        let width = generator.width();
        generator.input(width, 0);
    }
    for index in 0..outputs {
        let width = generator.width();
        let depth = 1 + generator.random.below(7);
        let value = generator.expression(Context { domain: 0, limit: ANY }, width, depth);
        generator.module.outputs.push(Wire { name: format!("o_{index}"), width, domain: 0 });
        let target = Target::Output(index);
        generator.module.body.push(Statement::Assign { target, part: Part::Whole, value });
    }
    generator.module
}

pub use modules::module;

impl<'a> Generator<'a> {
    fn new(random: &'a mut Random, name: &str, domains: usize, widest: usize) -> Generator<'a> {
        let module = Module { name: name.to_string(), domains, ..Module::default() };
        let names = vec![name.to_string(), "i_0".into(), "o_0".into()];
        Generator { random, module, sources: vec![], goals: vec![], facts: vec![], widest, reads: 4, names }
    }

    /// A width that is worth trying: mostly narrow, often around the limits of machine words.
    fn width(&mut self) -> usize {
        let width = match self.random.below(20) {
            0..8 => 1 + self.random.below(8),
            8..13 => 1 + self.random.below(34),
            13..16 => *self.random.pick(&[1, 31, 32, 33, 63, 64, 65, 127, 128, 129]),
            _ => 1 + self.random.below(200),
        };
        if width <= self.widest { width } else { 1 + self.random.below(self.widest) }
    }

    fn number(&mut self, width: usize) -> Number {
        Number::from_limbs(width, &self.random.value(width))
    }

    fn input(&mut self, width: usize, domain: usize) {
        let op = Op::Input(self.module.inputs.len());
        let seed = self.random.word();
        self.module.inputs.push(Input { width, domain, seed });
        self.sources.push(Source { op, width, rank: 0, domain });
    }

    fn push(&mut self, op: Op, width: usize, rank: usize, domain: Option<usize>) -> NodeId {
        let named = !matches!(op, Op::Literal(_)) && self.random.chance(15);
        let name = if named { self.name(&format!("n{}", self.module.nodes.len())) } else { String::new() };
        self.module.nodes.push(Node { op, width, name });
        self.facts.push((rank, domain));
        self.module.nodes.len() - 1
    }

    /// A node of others: it has their highest rank.
    fn combine(&mut self, op: Op, width: usize) -> NodeId {
        let operands = op.operands();
        let rank = operands.iter().map(|&id| self.facts[id].0).max().unwrap_or(0);
        let domain = operands.iter().find_map(|&id| self.facts[id].1);
        self.push(op, width, rank, domain)
    }

    /// The node that reads `sources[index]`.
    fn read(&mut self, index: usize) -> NodeId {
        let Source { ref op, width, rank, domain } = self.sources[index];
        let op = op.clone();
        match self.module.nodes.iter().position(|node| node.op == op) {
            Some(known) => known,
            None => self.push(op, width, rank, Some(domain)),
        }
    }

    fn literal(&mut self, number: Number) -> NodeId {
        let width = number.width();
        self.push(Op::Literal(number), width, 0, None)
    }

    /// A part of a list in random order: at least one of it.
    fn some<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        let mut chosen: Vec<T> = all.iter().filter(|_| self.random.chance(50)).cloned().collect();
        if chosen.is_empty() {
            chosen.push(self.random.pick(all).clone());
        }
        chosen
    }
}

fn shuffle<T>(random: &mut Random, list: &mut [T]) {
    for i in (1..list.len()).rev() {
        list.swap(i, random.below(i + 1));
    }
}
