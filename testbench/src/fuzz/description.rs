//! What the fuzzer generates: a module as its author would describe it, before the language has seen it.
//!
//! The plain evaluation works on this, so that all of the language stands between it and the simulators: folding,
//! the splitting of wires, `set_at`, the bypass of memories that read the new word.

use super::number::Number;
use std::collections::HashSet;

/// Position in [`Module::nodes`].
pub type NodeId = usize;

/// Domain 0 is `clk`; the others have these names.
pub const DOMAINS: [&str; 3] = ["", "fast", "slow"];

#[derive(Clone, Debug, Default)]
pub struct Module {
    pub name: String,
    /// How many of [`DOMAINS`] the module has.
    pub domains: usize,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Wire>,
    pub wires: Vec<Wire>,
    pub registers: Vec<Register>,
    pub memories: Vec<Memory>,
    pub instances: Vec<Instance>,
    /// Expressions, operands first.
    pub nodes: Vec<Node>,
    pub body: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub struct Input {
    pub width: usize,
    pub domain: usize,
    /// Chooses the stimuli; stays when other inputs are dropped.
    pub seed: u64,
}

/// An output or a wire.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Outputs are called by their number.
    pub name: String,
    pub width: usize,
    pub domain: usize,
}

#[derive(Clone, Debug)]
pub struct Register {
    pub name: String,
    pub width: usize,
    pub domain: usize,
    pub reset: Option<Number>,
}

#[derive(Clone, Debug)]
pub struct Memory {
    pub name: String,
    pub width: usize,
    pub depth: usize,
    /// Of its writes.
    pub domain: usize,
    pub collision: hdl::Collision,
    pub initial: Option<Vec<Number>>,
    /// Read in other domains too.
    pub crossing: bool,
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub name: String,
    pub module: Module,
    /// The domain of the parent for each of the module's.
    pub domains: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub op: Op,
    pub width: usize,
    /// Of the `let` that it is bound to; empty: of none.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Literal(Number),
    Input(usize),
    Register(usize),
    Wire(usize),
    Output(usize),
    InstanceOutput(usize, usize),
    /// A register of another domain.
    Cross(usize),
    /// The data of a synchronous read in a domain, under nested conditions.
    Read {
        memory: usize,
        address: NodeId,
        conditions: Vec<NodeId>,
        domain: usize,
    },
    Peek {
        memory: usize,
        address: NodeId,
    },
    Unary(Unary, NodeId),
    Binary(Binary, NodeId, NodeId),
    /// Any operand, any distance.
    Shift(Shift, NodeId, NodeId),
    Mux(NodeId, NodeId, NodeId),
    Select(NodeId, Vec<NodeId>),
    /// Vector, index.
    At(NodeId, NodeId),
    Slice(NodeId, usize),
    /// Most significant first.
    Concat(Vec<NodeId>),
    Repeat(NodeId, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Not,
    Any,
    All,
    Parity,
    Negate,
    Reverse,
    ZeroExtend,
    SignExtend,
}

/// The first five give the operands' width, `WideAdd` a bit more, `WideMultiply` the sum, the others one bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    And,
    Or,
    Xor,
    Add,
    Subtract,
    WideAdd,
    WideMultiply,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    SignedLess,
    SignedLessOrEqual,
    SignedGreater,
    SignedGreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    Left,
    Right,
    ArithmeticRight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Output(usize),
    Wire(usize),
    Register(usize),
    InstanceInput(usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    Whole,
    Slice { low: usize, width: usize },
    Bit(NodeId),
}

#[derive(Clone, Debug)]
pub enum Statement {
    Assign {
        target: Target,
        part: Part,
        value: NodeId,
    },
    /// `set_at`: targets of one width.
    SetAt {
        targets: Vec<Target>,
        index: NodeId,
        value: NodeId,
    },
    /// `when`, `elsewhen`.., `otherwise`.
    When {
        arms: Vec<(NodeId, Vec<Statement>)>,
        otherwise: Option<Vec<Statement>>,
    },
    Switch {
        selector: NodeId,
        arms: Vec<(Number, Vec<Statement>)>,
        default: Option<Vec<Statement>>,
    },
    /// `cases` over an enumeration; one body for each variant.
    Cases {
        enumeration: Enumeration,
        selector: NodeId,
        arms: Vec<Vec<Statement>>,
    },
    Write {
        memory: usize,
        address: NodeId,
        data: NodeId,
        lanes: Option<NodeId>,
        domain: usize,
    },
}

/// The enumerations that the generator uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enumeration {
    /// 0, 1, 2: one encoding of two bits is left over.
    Dense,
    /// 1, 4, 6 and 9.
    Sparse,
}

impl Enumeration {
    pub fn encodings(self) -> &'static [u128] {
        match self {
            Enumeration::Dense => &[0, 1, 2],
            Enumeration::Sparse => &[1, 4, 6, 9],
        }
    }

    pub fn width(self) -> usize {
        match self {
            Enumeration::Dense => 2,
            Enumeration::Sparse => 4,
        }
    }
}

impl Op {
    /// The expressions this one is made of.
    pub fn operands(&self) -> Vec<NodeId> {
        let mut ids = vec![];
        // One list of the fields that are nodes, for reading and for rewriting.
        self.clone().operands_mut(&mut |id| ids.push(*id));
        ids
    }

    pub fn operands_mut(&mut self, visit: &mut dyn FnMut(&mut NodeId)) {
        match self {
            Op::Literal(_) | Op::Input(_) | Op::Register(_) | Op::Wire(_) => {}
            Op::Output(_) | Op::InstanceOutput(..) | Op::Cross(_) => {}
            Op::Read { address, conditions, .. } => {
                visit(address);
                conditions.iter_mut().for_each(visit);
            }
            Op::Peek { address, .. } => visit(address),
            Op::Unary(_, a) | Op::Slice(a, _) | Op::Repeat(a, _) => visit(a),
            Op::Binary(_, a, b) | Op::Shift(_, a, b) | Op::At(a, b) => [a, b].into_iter().for_each(visit),
            Op::Mux(c, a, b) => [c, a, b].into_iter().for_each(visit),
            Op::Select(index, options) => {
                visit(index);
                options.iter_mut().for_each(visit);
            }
            Op::Concat(parts) => parts.iter_mut().for_each(visit),
        }
    }
}

impl Statement {
    /// The blocks of statements inside this one.
    pub fn blocks(&self) -> Vec<&[Statement]> {
        match self {
            Statement::When { arms, otherwise } => {
                arms.iter().map(|arm| arm.1.as_slice()).chain(otherwise.as_deref()).collect()
            }
            Statement::Switch { arms, default, .. } => {
                arms.iter().map(|arm| arm.1.as_slice()).chain(default.as_deref()).collect()
            }
            Statement::Cases { arms, .. } => arms.iter().map(Vec::as_slice).collect(),
            _ => vec![],
        }
    }

    /// Whether it, or one inside it, assigns `target`.
    pub fn assigns(&self, target: Target) -> bool {
        match self {
            Statement::Assign { target: set, .. } => *set == target,
            Statement::SetAt { targets, .. } => targets.contains(&target),
            _ => self.blocks().iter().any(|block| block.iter().any(|inner| inner.assigns(target))),
        }
    }

    pub fn blocks_mut(&mut self) -> Vec<&mut Vec<Statement>> {
        match self {
            Statement::When { arms, otherwise } => {
                arms.iter_mut().map(|arm| &mut arm.1).chain(otherwise).collect()
            }
            Statement::Switch { arms, default, .. } => {
                arms.iter_mut().map(|arm| &mut arm.1).chain(default).collect()
            }
            Statement::Cases { arms, .. } => arms.iter_mut().collect(),
            _ => vec![],
        }
    }

    /// The expressions this statement reads itself.
    pub fn operands_mut(&mut self, visit: &mut dyn FnMut(&mut NodeId)) {
        match self {
            Statement::Assign { part, value, .. } => {
                if let Part::Bit(index) = part {
                    visit(index);
                }
                visit(value);
            }
            Statement::SetAt { index, value, .. } => [index, value].into_iter().for_each(visit),
            Statement::When { arms, .. } => arms.iter_mut().for_each(|arm| visit(&mut arm.0)),
            Statement::Switch { selector, .. } | Statement::Cases { selector, .. } => visit(selector),
            Statement::Write { address, data, lanes, .. } => {
                [address, data].into_iter().chain(lanes).for_each(visit);
            }
        }
    }

    pub fn targets_mut(&mut self) -> Vec<&mut Target> {
        match self {
            Statement::Assign { target, .. } => vec![target],
            Statement::SetAt { targets, .. } => targets.iter_mut().collect(),
            _ => vec![],
        }
    }
}

/// Calls `visit` for every statement, inner ones too.
pub fn walk_mut(body: &mut [Statement], visit: &mut dyn FnMut(&mut Statement)) {
    for statement in body {
        visit(statement);
        for block in statement.blocks_mut() {
            walk_mut(block, visit);
        }
    }
}

impl Module {
    pub fn width_of(&self, target: Target) -> usize {
        match target {
            Target::Output(i) => self.outputs[i].width,
            Target::Wire(i) => self.wires[i].width,
            Target::Register(i) => self.registers[i].width,
            Target::InstanceInput(i, port) => self.instances[i].module.inputs[port].width,
        }
    }

    /// Whether an output depends on inputs in the same cycle.
    pub fn is_combinational(&self, output: usize) -> bool {
        let mut search = Search { module: self, seen: HashSet::new() };
        search.target(Target::Output(output))
    }

    /// How many operations and statements it has, with its instances.
    pub fn size(&self) -> usize {
        fn count(body: &[Statement]) -> usize {
            body.iter().map(|statement| 1 + statement.blocks().into_iter().map(count).sum::<usize>()).sum()
        }
        let children: usize = self.instances.iter().map(|instance| instance.module.size()).sum();
        self.nodes.len() + count(&self.body) + children
    }
}

/// A search for inputs that something depends on in the same cycle.
struct Search<'a> {
    module: &'a Module,
    seen: HashSet<Target>,
}

impl Search<'_> {
    fn target(&mut self, target: Target) -> bool {
        let module = self.module;
        self.seen.insert(target) && module.body.iter().any(|statement| self.statement(statement, target))
    }

    fn statement(&mut self, statement: &Statement, target: Target) -> bool {
        if !statement.assigns(target) {
            return false;
        }
        let mut read = vec![];
        statement.clone().operands_mut(&mut |id| read.push(*id));
        read.into_iter().any(|id| self.node(id))
            || statement.blocks().into_iter().flatten().any(|inner| self.statement(inner, target))
    }

    fn node(&mut self, id: NodeId) -> bool {
        let module = self.module;
        match &module.nodes[id].op {
            Op::Input(_) => true,
            Op::Wire(i) => self.target(Target::Wire(*i)),
            Op::Output(i) => self.target(Target::Output(*i)),
            Op::InstanceOutput(i, port) => {
                let child = &module.instances[*i].module;
                child.is_combinational(*port)
                    && (0..child.inputs.len()).any(|port| self.target(Target::InstanceInput(*i, port)))
            }
            Op::Read { .. } => false,
            op => op.operands().into_iter().any(|id| self.node(id)),
        }
    }
}
