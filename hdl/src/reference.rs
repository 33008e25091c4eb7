//! The meaning of the intermediate representation, as plainly as it can be said: the oracle for everything that
//! compiles it. Slow, and independent of the simulators: values are lists of bits, statements are executed one after
//! the other as they stand, and wires settle by repetition.

use crate::{
    interface::{Direction, Interface, PortIndex},
    ir::*,
    simulator::{Simulator, Violation},
    value::Value,
};
use std::path::Path;

/// A value, its lowest bit first.
type Bits = Vec<bool>;

fn bits(value: &Value) -> Bits {
    (0..value.width()).map(|i| value.bit(i)).collect()
}

fn value(bits: &[bool]) -> Value {
    let mut limbs = vec![0; bits.len().div_ceil(64)];
    for (i, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
        limbs[i / 64] |= 1 << (i % 64);
    }
    Value::from_limbs(bits.len() as u32, &limbs)
}

/// The bits as a number; one that is too large counts as the largest.
fn number(bits: &[bool]) -> usize {
    if bits.iter().skip(63).any(|&bit| bit) {
        return usize::MAX;
    }
    bits.iter().take(63).rev().fold(0, |sum, &bit| 2 * sum + bit as usize)
}

/// The sum with a carry in, without the carry out.
fn add(a: &[bool], b: &[bool], mut carry: bool) -> Bits {
    let mut sum = vec![];
    for (&a, &b) in a.iter().zip(b) {
        sum.push(a ^ b ^ carry);
        carry = a & b | a & carry | b & carry;
    }
    sum
}

fn not(a: &[bool]) -> Bits {
    a.iter().map(|bit| !bit).collect()
}

/// Whether `a` is less than `b`: the highest bit that differs decides.
fn less(a: &[bool], b: &[bool]) -> bool {
    let differing = (0..a.len()).rev().find(|&i| a[i] != b[i]);
    differing.is_some_and(|i| b[i])
}

/// As [`less`], of two's complement numbers.
fn signed_less(a: &[bool], b: &[bool]) -> bool {
    match (a[a.len() - 1], b[b.len() - 1]) {
        (true, false) => true,
        (false, true) => false,
        _ => less(a, b),
    }
}

/// The result, `width` bits wide, of an operation on these operands (in the order of [`Op::operands`]).
///
/// # Panics
/// On an operation that needs more than its operands: a signal, an enumeration's variant, a memory.
pub fn evaluate(op: &Op, width: u32, operands: &[Value]) -> Value {
    let operands: Vec<Bits> = operands.iter().map(bits).collect();
    value(&operation(op, width as usize, &operands))
}

fn operation(op: &Op, width: usize, operands: &[Bits]) -> Bits {
    let a = operands.first();
    let a = || a.expect("an operand");
    match op {
        Op::Literal(literal) => bits(literal),
        Op::Not(_) => not(a()),
        Op::ReduceOr(_) => vec![a().contains(&true)],
        Op::ReduceAnd(_) => vec![!a().contains(&false)],
        Op::ReduceXor(_) => vec![a().iter().filter(|bit| **bit).count() % 2 == 1],
        Op::Binary(binary, ..) => {
            let b = &operands[1];
            let each = |f: fn(bool, bool) -> bool| a().iter().zip(b).map(|(&a, &b)| f(a, b)).collect();
            match binary {
                Binary::And => each(|a, b| a & b),
                Binary::Or => each(|a, b| a | b),
                Binary::Xor => each(|a, b| a ^ b),
                Binary::Add => add(a(), b, false),
                Binary::Subtract => add(a(), &not(b), true),
            }
        }
        Op::Multiply(..) => {
            let mut product = vec![false; width];
            for (i, _) in operands[1].iter().enumerate().filter(|(_, bit)| **bit) {
                let mut term = vec![false; i];
                term.extend(a());
                term.resize(width, false);
                product = add(&product, &term, false);
            }
            product
        }
        Op::Compare(compare, ..) => {
            let b = &operands[1];
            vec![match compare {
                Compare::Equal => a() == b,
                Compare::NotEqual => a() != b,
                Compare::Less => less(a(), b),
                Compare::LessOrEqual => !less(b, a()),
                Compare::SignedLess => signed_less(a(), b),
                Compare::SignedLessOrEqual => !signed_less(b, a()),
            }]
        }
        Op::Shift(shift, ..) => {
            let distance = number(&operands[1]).min(width);
            let fill = *shift == Shift::ArithmeticRight && a()[width - 1];
            let bit = |i: usize| match shift {
                Shift::Left => i >= distance && a()[i - distance],
                _ => a().get(i + distance).copied().unwrap_or(fill),
            };
            (0..width).map(bit).collect()
        }
        Op::Mux(..) => operands[if a()[0] { 1 } else { 2 }].clone(),
        Op::Slice(_, low) => a()[*low as usize..*low as usize + width].to_vec(),
        Op::Index(..) => vec![a()[number(&operands[1])]],
        Op::Concat(_) => operands.iter().rev().flatten().copied().collect(),
        Op::SignExtend(_) => {
            let mut extended = a().clone();
            extended.resize(width, a()[a().len() - 1]);
            extended
        }
        Op::Select(..) => operands[1 + number(a()).min(operands.len() - 2)].clone(),
        Op::Cross(_) => a().clone(),
        Op::Variant(..) | Op::Signal(_) | Op::MemoryPeek(..) => panic!("{op:?} is more than its operands"),
    }
}

/// One instance of a module with those below it.
#[derive(Clone, PartialEq)]
struct Node {
    module: ModuleId,
    /// Positions of its domains in the top.
    domains: Vec<usize>,
    signals: Vec<Bits>,
    memories: Vec<Vec<Bits>>,
    children: Vec<Node>,
}

/// What a clock edge sees of one module.
struct Edge<'a> {
    domains: &'a [usize],
    resets: &'a [bool],
}

/// The plain simulator of a design. It traces nothing.
pub struct Reference {
    design: Design,
    interface: Interface,
    top: Node,
    resets: Vec<bool>,
    cycles: u64,
}

impl Reference {
    /// Registers start with their reset values or 0, memories with their initial contents or 0.
    pub fn new(design: &Design) -> Reference {
        let interface = design.interface();
        let domains = interface.domains.len();
        let top = Node::new(design, ModuleId(0), (0..domains).collect());
        Reference { design: design.clone(), interface, top, resets: vec![false; domains], cycles: 0 }
    }

    /// The settled value of a signal of the top.
    pub fn peek_signal(&mut self, signal: SignalId) -> Value {
        self.settle();
        value(&self.top.signals[signal.index()])
    }

    /// Repeats until nothing changes.
    fn settle(&mut self) {
        loop {
            let before = self.top.clone();
            self.top.sweep(&self.design);
            if self.top == before {
                return;
            }
        }
    }
}

impl Node {
    fn new(design: &Design, id: ModuleId, domains: Vec<usize>) -> Node {
        let module = design.module(id);
        let start = |signal: &Signal| match &signal.kind {
            SignalKind::Register { reset: Some(value), .. } => bits(value),
            _ => vec![false; signal.width as usize],
        };
        let contents = |memory: &Memory| match &memory.initial {
            Some(words) => words.iter().map(bits).collect(),
            None => vec![vec![false; memory.width as usize]; memory.depth],
        };
        let child = |instance: &Instance| {
            let inner = instance.domains.iter().map(|domain| domains[domain.index()]).collect();
            Node::new(design, instance.module, inner)
        };
        Node {
            module: id,
            signals: module.signals.iter().map(start).collect(),
            memories: module.memories.iter().map(contents).collect(),
            children: module.instances.iter().map(child).collect(),
            domains,
        }
    }

    /// Executes all statements for the combinational signals and moves values through ports once.
    fn sweep(&mut self, design: &Design) {
        let module = design.module(self.module);
        let mut run = Run::new(module, self);
        run.block(&module.body);
        let next = run.next;
        for (signal, next) in next.into_iter().enumerate() {
            let state = matches!(
                module.signals[signal].kind,
                SignalKind::Register { .. } | SignalKind::MemoryRead { .. }
            );
            if !state {
                self.signals[signal] = next;
            }
        }
        for (instance, child) in module.instances.iter().zip(&mut self.children) {
            for (port, connection) in instance.connections.iter().enumerate() {
                if design.module(instance.module).signals[port].kind == SignalKind::Input {
                    child.signals[port] = self.signals[connection.index()].clone();
                }
            }
            child.sweep(design);
            for (port, connection) in instance.connections.iter().enumerate() {
                if design.module(instance.module).signals[port].kind == SignalKind::Output {
                    self.signals[connection.index()] = child.signals[port].clone();
                }
            }
        }
    }

    /// The state after an edge, and the first check that failed at it.
    fn after(&self, design: &Design, edge: &Edge) -> (Node, Option<String>) {
        let module = design.module(self.module);
        let mut run = Run::new(module, self);
        run.block(&module.body);
        let (next, writes, checks) = (run.next, run.writes, run.checks);
        let ticks = |domain: DomainId| edge.domains.contains(&self.domains[domain.index()]);
        let in_reset = |domain: DomainId| edge.resets[self.domains[domain.index()]];
        let failed = checks.into_iter().find(|(domain, _)| ticks(*domain) && !in_reset(*domain));
        let mut failed = failed.map(|(_, message)| message);
        let mut after = self.clone();
        for (signal, next) in next.into_iter().enumerate() {
            match &module.signals[signal].kind {
                SignalKind::Register { domain, reset } if ticks(*domain) => {
                    after.signals[signal] = match reset {
                        Some(value) if in_reset(*domain) => bits(value),
                        _ => next,
                    };
                }
                SignalKind::MemoryRead { domain, .. } if ticks(*domain) => after.signals[signal] = next,
                _ => {}
            }
        }
        for write in writes.into_iter().filter(|write| ticks(write.domain)) {
            let word = &mut after.memories[write.memory.index()][write.address];
            let lane = word.len() / write.lanes.len();
            for i in (0..word.len()).filter(|i| write.lanes[i / lane]) {
                word[i] = write.data[i];
            }
        }
        for child in &mut after.children {
            let (next, message) = child.after(design, edge);
            *child = next;
            failed = failed.or(message);
        }
        (after, failed)
    }
}

/// The execution of a module's statements at one instant.
struct Run<'a> {
    module: &'a Module,
    node: &'a Node,
    /// What the expressions evaluated so far are.
    known: Vec<Option<Bits>>,
    /// Each signal as assigned so far.
    next: Vec<Bits>,
    writes: Vec<Write>,
    /// Of assertions and assumptions that do not hold.
    checks: Vec<(DomainId, String)>,
}

struct Write {
    memory: MemoryId,
    domain: DomainId,
    address: usize,
    data: Bits,
    lanes: Bits,
}

impl<'a> Run<'a> {
    fn new(module: &'a Module, node: &'a Node) -> Run<'a> {
        let (known, next) = (vec![None; module.exprs.len()], node.signals.clone());
        Run { module, node, known, next, writes: vec![], checks: vec![] }
    }

    fn get(&mut self, id: ExprId) -> Bits {
        if let Some(known) = &self.known[id.index()] {
            return known.clone();
        }
        let expr = self.module.expr(id);
        let operands: Vec<Bits> = expr.op.operands().into_iter().map(|operand| self.get(operand)).collect();
        let result = match &expr.op {
            Op::Signal(signal) => self.node.signals[signal.index()].clone(),
            Op::Variant(enumeration, variant) => {
                bits(&self.module.enums[enumeration.index()].variants[*variant].value)
            }
            Op::MemoryPeek(memory, _) => self.node.memories[memory.index()][number(&operands[0])].clone(),
            op => operation(op, expr.width as usize, &operands),
        };
        self.known[id.index()] = Some(result.clone());
        result
    }

    fn block(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.statement(stmt);
        }
    }

    fn statement(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Assign { target, part, value, .. } => {
                let (value, target) = (self.get(*value), target.index());
                let low = match part {
                    Part::Whole => 0,
                    Part::Slice { low, .. } => *low as usize,
                    Part::Bit(index) => number(&self.get(*index)),
                };
                for (i, bit) in value.into_iter().enumerate() {
                    if let Some(place) = self.next[target].get_mut(low.saturating_add(i)) {
                        *place = bit;
                    }
                }
            }
            Stmt::If { condition, then, otherwise, .. } => {
                let taken = if self.get(*condition)[0] { then } else { otherwise };
                self.block(taken);
            }
            Stmt::Case(case) => {
                let selector = self.get(case.selector);
                let arm = case.arms.iter().find(|arm| bits(&arm.value) == selector);
                match (arm, &case.default) {
                    (Some(arm), _) => self.block(&arm.body),
                    (None, Some(default)) => self.block(default),
                    (None, None) if case.enumeration.is_some() => {
                        self.block(case.arms.last().map_or(&[], |arm| &arm.body));
                    }
                    (None, None) => {}
                }
            }
            Stmt::MemoryWrite { memory, domain, address, data, lanes, .. } => {
                let (address, data) = (number(&self.get(*address)), self.get(*data));
                let lanes = lanes.map_or(vec![true], |lanes| self.get(lanes));
                self.writes.push(Write { memory: *memory, domain: *domain, address, data, lanes });
            }
            Stmt::MemoryRead { memory, address, target, .. } => {
                let address = number(&self.get(*address));
                self.next[target.index()] = self.node.memories[memory.index()][address].clone();
            }
            Stmt::Check { kind, name, message, condition, domain, .. } => {
                if *kind != CheckKind::Cover && !self.get(*condition)[0] {
                    self.checks.push((*domain, format!("{name}: {message}")));
                }
            }
        }
    }
}

impl Simulator for Reference {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn write(&mut self, port: PortIndex, value: &[u64]) {
        let info = &self.interface.ports[port];
        assert!(info.direction == Direction::Input, "`{}` is an output", info.name);
        self.top.signals[port] = bits(&Value::from_limbs(info.width, value));
    }

    fn read(&mut self, port: PortIndex, limbs: &mut [u64]) {
        self.settle();
        limbs.copy_from_slice(value(&self.top.signals[port]).limbs());
    }

    fn write_reset(&mut self, domain: usize, asserted: bool) {
        self.resets[domain] = asserted;
    }

    fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation> {
        self.settle();
        let edge = Edge { domains, resets: &self.resets };
        let (after, failed) = self.top.after(&self.design, &edge);
        self.top = after;
        self.cycles += 1;
        match failed {
            None => Ok(()),
            Some(message) => Err(Violation { cycle: self.cycles - 1, message }),
        }
    }

    fn cycles(&self) -> u64 {
        self.cycles
    }

    fn trace(&mut self, _file: &Path) -> std::io::Result<()> {
        Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "the reference evaluation does not trace"))
    }
}
