//! From the flat design to words: what each signal's value is made of, what registers take, what memories and checks
//! look at.

use super::{
    NativeError,
    graph::{Graph, Node},
    words::{Words, word_count, word_width},
};
use crate::{
    components::components,
    flat::{Action, Drive, Flat, Guard},
    ir::*,
    value::Value,
};

/// The design in words.
#[derive(Default)]
pub(super) struct Netlist {
    pub graph: Graph,
    /// The words of each signal of the flat design.
    pub signals: Vec<Words>,
    /// Width of each word that holds an input or a register.
    pub states: Vec<u8>,
    pub registers: Vec<Register>,
    pub memories: Vec<MemoryLayout>,
    pub writes: Vec<Write>,
    /// Synchronous reads of memories with undefined collisions.
    pub fragile_reads: Vec<FragileRead>,
    pub checks: Vec<Check>,
}

pub(super) struct Register {
    /// In the flat design.
    pub signal: usize,
    pub domain: usize,
    /// Its first word in [`Netlist::states`].
    pub state: usize,
    pub width: u32,
    /// Word by word the value to take at the next edge.
    pub next: Words,
    pub reset: Option<Value>,
}

pub(super) struct MemoryLayout {
    /// Position of its first word in the array of all memories' words, and words for each element.
    pub base: usize,
    pub stride: usize,
    pub width: u32,
    pub depth: usize,
    pub initial: Option<Vec<Value>>,
}

pub(super) struct Write {
    pub memory: usize,
    pub domain: usize,
    pub enable: Node,
    pub address: Node,
    pub data: Words,
    /// Lane enables and their number.
    pub lanes: Option<(Words, u32)>,
}

pub(super) struct FragileRead {
    pub memory: usize,
    /// Position in [`Netlist::registers`].
    pub register: usize,
    pub enable: Node,
    pub address: Node,
}

pub(super) struct Check {
    pub kind: CheckKind,
    pub domain: usize,
    /// Violated, or for a cover: happened.
    pub event: Node,
    pub name: String,
    pub message: String,
    pub loc: Loc,
}

/// Lowers the whole design.
pub(super) fn lower(flat: &Flat) -> Result<Netlist, NativeError> {
    for (index, scope) in flat.scopes.iter().enumerate() {
        if let Some(black_box) = &scope.module.black_box
            && !black_box.modelled
        {
            return Err(NativeError::BlackBox {
                module: scope.module.name.clone(),
                path: if index == 0 { scope.module.name.clone() } else { scope.path.clone() },
                loc: scope.module.loc,
            });
        }
    }
    let mut lowering = Lowering { flat, net: Netlist::default(), values: vec![vec![]; flat.vertices()] };
    lowering.memories();
    lowering.states();
    lowering.values()?;
    lowering.registers();
    for scope in 0..flat.scopes.len() {
        for action in &flat.scopes[scope].actions {
            lowering.action(scope, action);
        }
    }
    let mut net = lowering.net;
    net.signals = lowering.values;
    net.signals.truncate(flat.signals.len());
    Ok(net)
}

struct Lowering<'f, 'a> {
    flat: &'f Flat<'a>,
    net: Netlist,
    /// The words of each vertex of the flat graph that is lowered already.
    values: Vec<Words>,
}

impl Lowering<'_, '_> {
    fn memories(&mut self) {
        let mut base = 0;
        for memory in &self.flat.memories {
            let memory = memory.memory;
            let stride = word_count(memory.width);
            let (width, depth, initial) = (memory.width, memory.depth, memory.initial.clone());
            self.net.memories.push(MemoryLayout { base, stride, width, depth, initial });
            base += stride * memory.depth;
        }
    }

    /// Makes the words of inputs and registers.
    fn states(&mut self) {
        for (index, flat) in self.flat.signals.iter().enumerate() {
            let signal = flat.signal;
            let reset = match &signal.kind {
                SignalKind::Input => None,
                SignalKind::Register { reset, .. } => reset.clone(),
                SignalKind::MemoryRead { .. } => None,
                _ => continue,
            };
            let state = self.net.states.len();
            for i in 0..word_count(signal.width) {
                let width = word_width(signal.width, i);
                let node = self.net.graph.state((state + i) as u32, width);
                self.net.states.push(width);
                self.values[index].push(node);
            }
            if let Some(domain) = self.flat.domain(index) {
                let (width, next) = (signal.width, vec![]);
                self.net.registers.push(Register { signal: index, domain, state, width, next, reset });
            }
        }
    }

    /// Lowers all signals and the expressions that statements read, operands first.
    fn values(&mut self) -> Result<(), NativeError> {
        let flat = self.flat;
        let mut roots: Vec<usize> = vec![];
        for signal in 0..flat.signals.len() {
            roots.push(signal);
            flat.sampled(signal, &mut roots);
        }
        for scope in &flat.scopes {
            for action in &scope.actions {
                let guards = action.guards.iter().map(Guard::operand);
                roots.extend(guards.chain(action.stmt.operands()).map(|id| scope.vertex(id)));
            }
        }
        for members in components(flat.vertices(), roots, |vertex, out| flat.dependencies(vertex, out)) {
            if let [_, _, ..] = members[..] {
                let signals = members.into_iter().filter(|&vertex| vertex < flat.signals.len());
                let signals = signals.map(|signal| flat.signal_name(signal)).collect();
                return Err(NativeError::Loop { signals });
            }
            let vertex = members[0];
            if vertex >= flat.signals.len() {
                self.values[vertex] = self.expression(vertex);
            } else if flat.is_combinational(vertex) {
                self.values[vertex] = self.driven(vertex, None);
            } else if self.values[vertex].is_empty() {
                self.values[vertex] = self.net.graph.zeros(flat.signals[vertex].signal.width);
            }
        }
        Ok(())
    }

    fn registers(&mut self) {
        for index in 0..self.net.registers.len() {
            let signal = self.net.registers[index].signal;
            let held = self.values[signal].clone();
            self.net.registers[index].next = self.driven(signal, Some(held));
        }
    }

    fn operand(&self, scope: usize, id: ExprId) -> Words {
        self.values[self.flat.scopes[scope].vertex(id)].clone()
    }

    /// An expression of one word.
    fn word(&self, scope: usize, id: ExprId) -> Node {
        self.values[self.flat.scopes[scope].vertex(id)][0]
    }

    fn expression(&mut self, vertex: usize) -> Words {
        let (scope_index, expr) = self.flat.expr_at(vertex);
        let scope = &self.flat.scopes[scope_index];
        let module = scope.module;
        let operand = |id: ExprId| &self.values[scope.vertex(id)][..];
        let width_of = |id: ExprId| module.expr(id).width;
        let graph = &mut self.net.graph;
        let width = expr.width;
        match &expr.op {
            Op::Literal(value) => graph.literal(value),
            Op::Variant(enumeration, variant) => {
                graph.literal(&module.enums[enumeration.index()].variants[*variant].value)
            }
            Op::Signal(id) => self.values[scope.signals[id.index()]].clone(),
            Op::Not(a) => graph.wide_not(operand(*a), width),
            Op::ReduceOr(a) => vec![graph.any(operand(*a))],
            Op::ReduceAnd(a) => {
                let inverted = graph.wide_not(operand(*a), width_of(*a));
                let any_zero = graph.any(&inverted);
                vec![graph.not(any_zero, 1)]
            }
            Op::ReduceXor(a) => vec![graph.wide_parity(operand(*a))],
            Op::Binary(binary, a, b) => {
                let (a, b) = (operand(*a), operand(*b));
                match binary {
                    Binary::And => graph.zip(a, b, Graph::and),
                    Binary::Or => graph.zip(a, b, Graph::or),
                    Binary::Xor => graph.zip(a, b, Graph::xor),
                    Binary::Add => graph.wide_add(a, b, width),
                    Binary::Subtract => graph.wide_subtract(a, b, width),
                }
            }
            Op::Multiply(a, b) => graph.wide_multiply(operand(*a), operand(*b), width),
            Op::Compare(compare, x, y) => {
                let (a, b, width) = (operand(*x), operand(*y), width_of(*x));
                let not = |graph: &mut Graph, node| graph.not(node, 1);
                vec![match compare {
                    Compare::Equal => graph.wide_equal(a, b),
                    Compare::NotEqual => {
                        let equal = graph.wide_equal(a, b);
                        not(graph, equal)
                    }
                    Compare::Less => graph.wide_less(a, b, width, false),
                    Compare::SignedLess => graph.wide_less(a, b, width, true),
                    Compare::LessOrEqual => {
                        let greater = graph.wide_less(b, a, width, false);
                        not(graph, greater)
                    }
                    Compare::SignedLessOrEqual => {
                        let greater = graph.wide_less(b, a, width, true);
                        not(graph, greater)
                    }
                }]
            }
            Op::Shift(shift, a, distance) => {
                let (a, distance) = (operand(*a), operand(*distance)[0]);
                match shift {
                    Shift::Left => graph.wide_shift_left(a, distance, width),
                    Shift::Right => graph.wide_shift_right(a, distance, width, false),
                    Shift::ArithmeticRight => graph.wide_shift_right(a, distance, width, true),
                }
            }
            Op::Mux(condition, a, b) => graph.wide_mux(operand(*condition)[0], operand(*a), operand(*b)),
            Op::Slice(a, low) => graph.wide_extract(operand(*a), *low, width),
            Op::Index(vector, index) => vec![graph.wide_bit(operand(*vector), operand(*index))],
            Op::Concat(parts) => {
                let parts = parts.iter().rev().map(|&part| (operand(part), width_of(part)));
                graph.wide_concat(parts)
            }
            Op::SignExtend(a) => graph.wide_sign_extend(operand(*a), width_of(*a), width),
            Op::Select(index, options) => {
                let options: Vec<&[Node]> = options.iter().map(|&option| operand(option)).collect();
                let index = graph.narrow(operand(*index));
                graph.wide_table(index, &options)
            }
            Op::MemoryPeek(memory, address) => {
                let (memory, address) = (self.flat.memory(scope_index, *memory), operand(*address)[0]);
                peek(graph, &self.net.memories[memory], memory, address)
            }
            Op::Cross(a) => operand(*a).to_vec(),
        }
    }

    /// What the statements that drive `signal` make of `value`; `None` where a value is not defined yet.
    fn driven(&mut self, signal: usize, value: Option<Words>) -> Words {
        let flat = self.flat;
        let driven = &flat.signals[signal];
        let width = driven.signal.width;
        let value = value.unwrap_or_else(|| self.net.graph.zeros(width));
        let drives = &flat.scopes[driven.scope].drives[driven.id.index()];
        self.apply(driven.scope, width, drives, value)
    }

    fn apply(&mut self, scope: usize, width: u32, drives: &[Drive], mut value: Words) -> Words {
        for drive in drives {
            value = match drive {
                Drive::Assign { part, value: assigned } => {
                    let assigned = self.operand(scope, *assigned);
                    match part {
                        Part::Whole => assigned,
                        Part::Slice { low, width: part } => {
                            self.net.graph.wide_replace(&value, width, &assigned, *low, *part)
                        }
                        Part::Bit(index) => {
                            let index = self.operand(scope, *index);
                            self.net.graph.wide_set_bit(&value, width, &index, assigned[0])
                        }
                    }
                }
                Drive::Read { memory, address } => {
                    let memory = self.flat.memory(scope, *memory);
                    let address = self.word(scope, *address);
                    peek(&mut self.net.graph, &self.net.memories[memory], memory, address)
                }
                Drive::If { condition, then, otherwise } => {
                    let condition = self.word(scope, *condition);
                    let then = self.apply(scope, width, then, value.clone());
                    let otherwise = self.apply(scope, width, otherwise, value);
                    self.net.graph.wide_mux(condition, &then, &otherwise)
                }
                Drive::Case { case, arms, default } => self.case(scope, width, case, arms, default, value),
            };
        }
        value
    }

    fn case(
        &mut self,
        scope: usize,
        width: u32,
        case: &Case,
        arms: &[Vec<Drive>],
        default: &Option<Vec<Drive>>,
        value: Words,
    ) -> Words {
        let selector = self.operand(scope, case.selector);
        let selector_width = self.flat.scopes[scope].module.expr(case.selector).width;
        let results: Vec<Words> =
            arms.iter().map(|arm| self.apply(scope, width, arm, value.clone())).collect();
        let other = match (default, case.enumeration) {
            (Some(default), _) => self.apply(scope, width, default, value),
            (None, Some(_)) => results.last().cloned().unwrap_or(value),
            (None, None) => value,
        };
        let graph = &mut self.net.graph;
        // A table where it is small beside the number of arms, comparisons otherwise.
        if selector_width <= 10 && 1usize << selector_width <= 8 * arms.len() {
            let mut options: Vec<&[Node]> = vec![&other; 1 << selector_width];
            for (arm, result) in case.arms.iter().zip(&results) {
                options[arm.value.limbs()[0] as usize] = result;
            }
            return graph.wide_table(selector[0], &options);
        }
        let mut out = other;
        for (arm, result) in case.arms.iter().zip(&results).rev() {
            let value = graph.literal(&arm.value);
            let here = graph.wide_equal(&selector, &value);
            out = graph.wide_mux(here, result, &out);
        }
        out
    }

    /// Whether execution gets to what stands under `guards`.
    fn reached(&mut self, scope: usize, guards: &[Guard]) -> Node {
        let mut all = self.net.graph.constant(1);
        for guard in guards {
            let holds = match guard {
                Guard::If(condition, wanted) => {
                    let condition = self.word(scope, *condition);
                    if *wanted { condition } else { self.net.graph.not(condition, 1) }
                }
                Guard::Arm(case, arm) => self.arm_taken(scope, case, *arm),
            };
            all = self.net.graph.and(all, holds);
        }
        all
    }

    fn arm_taken(&mut self, scope: usize, case: &Case, arm: Option<usize>) -> Node {
        let selector = self.operand(scope, case.selector);
        let graph = &mut self.net.graph;
        let mut equal = |arm: &Arm| {
            let value = graph.literal(&arm.value);
            graph.wide_equal(&selector, &value)
        };
        let count = case.arms.len();
        let others = match arm {
            Some(index) if index + 1 == count && case.enumeration.is_some() && case.default.is_none() => {
                index
            }
            Some(index) => return equal(&case.arms[index]),
            None => count,
        };
        let others: Vec<Node> = case.arms[..others].iter().map(&mut equal).collect();
        let none = graph.constant(0);
        let any = others.into_iter().fold(none, |any, other| graph.or(any, other));
        graph.not(any, 1)
    }

    fn action(&mut self, scope: usize, action: &Action) {
        let enable = self.reached(scope, &action.guards);
        let domain_of = |domain: DomainId| self.flat.scopes[scope].domains[domain.index()];
        match action.stmt {
            Stmt::MemoryWrite { memory, domain, address, data, lanes, .. } => {
                let module = self.flat.scopes[scope].module;
                let lanes = lanes.map(|lanes| (self.operand(scope, lanes), module.expr(lanes).width));
                self.net.writes.push(Write {
                    memory: self.flat.memory(scope, *memory),
                    domain: domain_of(*domain),
                    enable,
                    address: self.word(scope, *address),
                    data: self.operand(scope, *data),
                    lanes,
                });
            }
            Stmt::MemoryRead { memory, address, target, .. } => {
                let module = self.flat.scopes[scope].module;
                if module.memories[memory.index()].collision == Collision::Undefined {
                    let target = self.flat.scopes[scope].signals[target.index()];
                    let is_target = |register: &Register| register.signal == target;
                    if let Some(register) = self.net.registers.iter().position(is_target) {
                        let memory = self.flat.memory(scope, *memory);
                        let address = self.word(scope, *address);
                        self.net.fragile_reads.push(FragileRead { memory, register, enable, address });
                    }
                }
            }
            Stmt::Check { kind, name, message, condition, domain, loc } => {
                let condition = self.word(scope, *condition);
                let event = match kind {
                    CheckKind::Cover => condition,
                    CheckKind::Assert | CheckKind::Assume => self.net.graph.not(condition, 1),
                };
                let event = self.net.graph.and(enable, event);
                let name = self.flat.scopes[scope].name(name);
                let (kind, domain, message) = (*kind, domain_of(*domain), message.clone());
                self.net.checks.push(Check { kind, domain, event, name, message, loc });
            }
            Stmt::Assign { .. } | Stmt::If { .. } | Stmt::Case(_) => {}
        }
    }
}

/// The words of the element of a memory at `address`.
fn peek(graph: &mut Graph, layout: &MemoryLayout, memory: usize, address: Node) -> Words {
    (0..layout.stride)
        .map(|i| graph.peek(memory as u32, i as u32, address, word_width(layout.width, i)))
        .collect()
}
