//! The meaning of a description, spelled out: the plain evaluation that the simulators are compared with.

use super::{description::*, number::Number};
use hdl::Collision;
use std::collections::HashMap;

/// A module and its state. Registers start with their reset values, or 0, memories with their initial contents, or 0.
pub struct Interpreter<'a> {
    scopes: Vec<Scope<'a>>,
    inputs: Vec<Number>,
}

/// One instance of a module.
struct Scope<'a> {
    module: &'a Module,
    /// The scope around and the position of the instance there.
    parent: Option<(usize, usize)>,
    children: Vec<usize>,
    /// The top's domain for each of the module's.
    domains: Vec<usize>,
    registers: Vec<Number>,
    memories: Vec<Vec<Number>>,
    /// Data of synchronous reads.
    reads: HashMap<NodeId, Number>,
    /// What is worked out already of this instant.
    nodes: Vec<Option<Number>>,
    signals: HashMap<Target, Number>,
}

/// What an edge writes to a memory.
struct Write {
    memory: usize,
    address: usize,
    word: Number,
}

impl<'a> Interpreter<'a> {
    pub fn new(module: &'a Module) -> Interpreter<'a> {
        let inputs = module.inputs.iter().map(|input| Number::zero(input.width)).collect();
        let mut interpreter = Interpreter { scopes: vec![], inputs };
        interpreter.add(module, None, (0..module.domains).collect());
        interpreter
    }

    fn add(&mut self, module: &'a Module, parent: Option<(usize, usize)>, domains: Vec<usize>) -> usize {
        let index = self.scopes.len();
        let contents = |memory: &Memory| match &memory.initial {
            Some(words) => words.clone(),
            None => vec![Number::zero(memory.width); memory.depth],
        };
        let start = |register: &Register| register.reset.clone().unwrap_or(Number::zero(register.width));
        let reads = module.nodes.iter().enumerate().filter(|(_, node)| matches!(node.op, Op::Read { .. }));
        self.scopes.push(Scope {
            module,
            parent,
            children: vec![],
            domains,
            registers: module.registers.iter().map(start).collect(),
            memories: module.memories.iter().map(contents).collect(),
            reads: reads.map(|(id, node)| (id, Number::zero(node.width))).collect(),
            nodes: vec![None; module.nodes.len()],
            signals: HashMap::new(),
        });
        for (position, instance) in module.instances.iter().enumerate() {
            let domains = instance.domains.iter().map(|&domain| self.scopes[index].domains[domain]).collect();
            let child = self.add(&instance.module, Some((index, position)), domains);
            self.scopes[index].children.push(child);
        }
        index
    }

    fn forget(&mut self) {
        for scope in &mut self.scopes {
            scope.nodes.fill(None);
            scope.signals.clear();
        }
    }

    /// Sets an input of the top.
    pub fn write(&mut self, input: usize, value: Number) {
        self.inputs[input] = value;
        self.forget();
    }

    /// An output of the top.
    pub fn read(&mut self, output: usize) -> Number {
        self.signal(0, Target::Output(output))
    }

    /// A rising edge of each clock in `domains`, with these resets.
    pub fn step(&mut self, domains: &[usize], resets: &[bool]) {
        let mut registers = vec![];
        let mut reads = vec![];
        let mut writes = vec![];
        for scope in 0..self.scopes.len() {
            let module = self.scopes[scope].module;
            let edge = |this: &Self, domain: usize| {
                let domain = this.scopes[scope].domains[domain];
                domains.contains(&domain).then_some(resets[domain])
            };
            for (index, register) in module.registers.iter().enumerate() {
                let Some(reset) = edge(self, register.domain) else { continue };
                let next = match &register.reset {
                    Some(value) if reset => value.clone(),
                    _ => {
                        let held = self.scopes[scope].registers[index].clone();
                        self.run(scope, &module.body, Target::Register(index), held)
                    }
                };
                registers.push((scope, index, next));
            }
            let mut written = vec![];
            self.writes(scope, &module.body, &mut written);
            written.retain(|(domain, _)| edge(self, *domain).is_some());
            for (id, node) in module.nodes.iter().enumerate() {
                let Op::Read { memory, address, ref conditions, domain } = node.op else { continue };
                if edge(self, domain).is_none() || !conditions.iter().all(|&id| self.node(scope, id).bit(0)) {
                    continue;
                }
                let address = self.node(scope, address).to_index(usize::MAX);
                let mut word = self.scopes[scope].memories[memory][address].clone();
                if module.memories[memory].collision == Collision::ReadNew {
                    for (_, write) in
                        written.iter().filter(|(_, w)| (w.memory, w.address) == (memory, address))
                    {
                        word = write.word.clone();
                    }
                }
                reads.push((scope, id, word));
            }
            writes.extend(written.into_iter().map(|(_, write)| (scope, write)));
        }
        for (scope, index, next) in registers {
            self.scopes[scope].registers[index] = next;
        }
        for (scope, id, word) in reads {
            self.scopes[scope].reads.insert(id, word);
        }
        for (scope, write) in writes {
            self.scopes[scope].memories[write.memory][write.address] = write.word;
        }
        self.forget();
    }

    /// The writes that `body` gets to, in order, each with its domain. Lanes of one word add up.
    fn writes(&mut self, scope: usize, body: &'a [Statement], out: &mut Vec<(usize, Write)>) {
        for statement in body {
            if let Statement::Write { memory, address, data, lanes, domain } = statement {
                let address = self.node(scope, *address).to_index(usize::MAX);
                let data = self.node(scope, *data);
                let mut word = self.scopes[scope].memories[*memory][address].clone();
                for (_, write) in out.iter().filter(|(_, w)| (w.memory, w.address) == (*memory, address)) {
                    word = write.word.clone();
                }
                let lanes = lanes.map_or(Number::ones(1), |lanes| self.node(scope, lanes));
                let width = data.width() / lanes.width();
                for lane in (0..lanes.width()).filter(|&lane| lanes.bit(lane)) {
                    word = word.replace(lane * width, &data.slice(lane * width, width));
                }
                out.push((*domain, Write { memory: *memory, address, word }));
            } else if let Some(block) = self.taken(scope, statement) {
                self.writes(scope, block, out);
            }
        }
    }

    /// The block of a conditional statement that is executed.
    fn taken(&mut self, scope: usize, statement: &'a Statement) -> Option<&'a [Statement]> {
        match statement {
            Statement::When { arms, otherwise } => {
                let taken = arms.iter().find(|arm| self.node(scope, arm.0).bit(0));
                taken.map(|arm| &arm.1).or(otherwise.as_ref()).map(Vec::as_slice)
            }
            Statement::Switch { selector, arms, default } => {
                let selector = self.node(scope, *selector);
                let taken = arms.iter().find(|arm| arm.0 == selector);
                taken.map(|arm| &arm.1).or(default.as_ref()).map(Vec::as_slice)
            }
            Statement::Cases { enumeration, selector, arms } => {
                let selector = self.node(scope, *selector);
                let encodings = enumeration.encodings().iter();
                let mut known = encodings.map(|&value| Number::new(enumeration.width(), value));
                let taken = known.position(|value| value == selector).unwrap_or(arms.len() - 1);
                Some(&arms[taken])
            }
            _ => None,
        }
    }

    /// What `body` makes of `target`, which has this value before.
    fn run(&mut self, scope: usize, body: &'a [Statement], target: Target, mut value: Number) -> Number {
        for statement in body {
            value = match statement {
                Statement::Assign { target: set, part, value: assigned } if *set == target => {
                    let assigned = self.node(scope, *assigned);
                    match part {
                        Part::Whole => assigned,
                        Part::Slice { low, .. } => value.replace(*low, &assigned),
                        Part::Bit(index) => match self.node(scope, *index).to_index(usize::MAX) {
                            index if index < value.width() => value.replace(index, &assigned),
                            _ => value,
                        },
                    }
                }
                Statement::SetAt { targets, index, value: assigned } if targets.contains(&target) => {
                    let index = self.node(scope, *index).to_index(usize::MAX);
                    if targets.get(index) == Some(&target) { self.node(scope, *assigned) } else { value }
                }
                // What says nothing of this target must not be looked at: it may depend on it.
                statement if statement.assigns(target) => match self.taken(scope, statement) {
                    Some(block) => self.run(scope, block, target, value),
                    None => value,
                },
                _ => value,
            };
        }
        value
    }

    fn signal(&mut self, scope: usize, target: Target) -> Number {
        if let Some(known) = self.scopes[scope].signals.get(&target) {
            return known.clone();
        }
        let module = self.scopes[scope].module;
        let value = self.run(scope, &module.body, target, Number::zero(module.width_of(target)));
        self.scopes[scope].signals.insert(target, value.clone());
        value
    }

    fn node(&mut self, scope: usize, id: NodeId) -> Number {
        if let Some(known) = &self.scopes[scope].nodes[id] {
            return known.clone();
        }
        let value = self.evaluate(scope, id);
        self.scopes[scope].nodes[id] = Some(value.clone());
        value
    }

    fn evaluate(&mut self, scope: usize, id: NodeId) -> Number {
        let node = &self.scopes[scope].module.nodes[id];
        match &node.op {
            Op::Literal(value) => value.clone(),
            Op::Input(index) => match self.scopes[scope].parent {
                Some((parent, instance)) => self.signal(parent, Target::InstanceInput(instance, *index)),
                None => self.inputs[*index].clone(),
            },
            Op::Register(index) | Op::Cross(index) => self.scopes[scope].registers[*index].clone(),
            Op::Wire(index) => self.signal(scope, Target::Wire(*index)),
            Op::Output(index) => self.signal(scope, Target::Output(*index)),
            Op::InstanceOutput(instance, port) => {
                let child = self.scopes[scope].children[*instance];
                self.signal(child, Target::Output(*port))
            }
            Op::Read { .. } => self.scopes[scope].reads[&id].clone(),
            Op::Peek { memory, address } => {
                let address = self.node(scope, *address).to_index(usize::MAX);
                self.scopes[scope].memories[*memory][address].clone()
            }
            Op::Unary(op, a) => unary(*op, &self.node(scope, *a), node.width),
            Op::Binary(op, a, b) => binary(*op, &self.node(scope, *a), &self.node(scope, *b)),
            Op::Shift(op, a, distance) => {
                let (a, distance) = (self.node(scope, *a), self.node(scope, *distance).to_index(1 << 16));
                match op {
                    Shift::Left => a.shift_left(distance),
                    Shift::Right => a.shift_right(distance, false),
                    Shift::ArithmeticRight => a.shift_right(distance, a.sign()),
                }
            }
            Op::Mux(c, a, b) => {
                let chosen = if self.node(scope, *c).bit(0) { a } else { b };
                self.node(scope, *chosen)
            }
            Op::Select(index, options) => {
                let index = self.node(scope, *index).to_index(options.len() - 1);
                self.node(scope, options[index])
            }
            Op::At(vector, index) => {
                let (vector, index) =
                    (self.node(scope, *vector), self.node(scope, *index).to_index(usize::MAX));
                Number::flag(index < vector.width() && vector.bit(index))
            }
            Op::Slice(a, low) => self.node(scope, *a).slice(*low, node.width),
            Op::Concat(parts) => {
                let parts = parts.iter().rev().map(|part| self.node(scope, *part));
                parts.reduce(|low, high| low.below(&high)).unwrap_or(Number::zero(0))
            }
            Op::Repeat(a, count) => {
                let a = self.node(scope, *a);
                Number(a.0.repeat(*count))
            }
        }
    }
}

fn unary(op: Unary, a: &Number, width: usize) -> Number {
    let ones = a.0.iter().filter(|bit| **bit).count();
    match op {
        Unary::Not => a.not(),
        Unary::Any => Number::flag(ones > 0),
        Unary::All => Number::flag(ones == a.width()),
        Unary::Parity => Number::flag(ones % 2 == 1),
        Unary::Negate => Number::zero(a.width()).subtract(a),
        Unary::Reverse => a.reverse(),
        Unary::ZeroExtend => a.zero_extend(width),
        Unary::SignExtend => a.sign_extend(width),
    }
}

fn binary(op: Binary, a: &Number, b: &Number) -> Number {
    let wide = a.width() + 1;
    match op {
        Binary::And => a.zip(b, |a, b| a & b),
        Binary::Or => a.zip(b, |a, b| a | b),
        Binary::Xor => a.zip(b, |a, b| a ^ b),
        Binary::Add => a.add(b),
        Binary::Subtract => a.subtract(b),
        Binary::WideAdd => a.zero_extend(wide).add(&b.zero_extend(wide)),
        Binary::WideMultiply => a.multiply(b),
        Binary::Equal => Number::flag(a == b),
        Binary::NotEqual => Number::flag(a != b),
        Binary::Less => Number::flag(a.less(b)),
        Binary::LessOrEqual => Number::flag(!b.less(a)),
        Binary::Greater => Number::flag(b.less(a)),
        Binary::GreaterOrEqual => Number::flag(!a.less(b)),
        Binary::SignedLess => Number::flag(a.signed_less(b)),
        Binary::SignedLessOrEqual => Number::flag(!b.signed_less(a)),
        Binary::SignedGreater => Number::flag(b.signed_less(a)),
        Binary::SignedGreaterOrEqual => Number::flag(!a.signed_less(b)),
    }
}
