//! The elaborated hardware: what the front end builds, and what the emitter and the simulators read.
//!
//! A [`Design`] is a tree of module instances. Every [`Module`] has arenas of its own: expressions refer to
//! expressions of the same module and modules meet only at ports, which are signals on both sides
//! ([`SignalKind::Input`]/[`SignalKind::Output`] in the child, [`SignalKind::InstanceInput`]/
//! [`SignalKind::InstanceOutput`] in the parent). No module is shared between instances: the emitter prints modules
//! of equal content once.
//!
//! # What holds of a finished module
//! The front end guarantees to its readers (`finish.rs` and `check.rs` see to it):
//! * Every expression is in range and has operands of the widths its operator asks for.
//! * A wire, output or instance input is assigned as a whole ([`Part::Whole`]) and on every path; only registers are
//!   assigned in parts. A wire that the source assigns in parts has become one wire for each part.
//! * There is no combinational loop among signals, and no crossing of clock domains but through [`Op::Cross`] and
//!   memories marked so.
//! * Names of signals, memories and instances are unique in a module, legal and not reserved. Names of expressions are
//!   unique among them as well.

use crate::value::Value;
use std::panic::Location;

/// A place in the Rust source.
pub type Loc = &'static Location<'static>;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);
        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )* };
}

ids! {
    /// Position in [`Design::modules`].
    ModuleId
    /// Position in [`Module::signals`].
    SignalId
    /// Position in [`Module::exprs`].
    ExprId
    /// Position in [`Module::memories`].
    MemoryId
    /// Position in [`Module::instances`].
    InstanceId
    /// Position in [`Module::domains`].
    DomainId
    /// Position in [`Module::enums`].
    EnumId
}

/// An elaborated hierarchy.
#[derive(Clone, Debug)]
pub struct Design {
    /// Parents before children; the top is the first.
    pub modules: Vec<Module>,
}

#[derive(Clone, Debug)]
pub struct Module {
    /// As the generator gave it. Different modules can have the same name; the emitter makes them differ.
    pub name: String,
    pub doc: String,
    pub loc: Loc,
    /// The ports come first, in the order of declaration, then the others in the order of creation.
    pub signals: Vec<Signal>,
    /// How many of `signals` are ports.
    pub ports: usize,
    pub exprs: Vec<Expr>,
    pub body: Vec<Stmt>,
    pub memories: Vec<Memory>,
    pub instances: Vec<Instance>,
    /// Domain 0 is the default one (`clk`, `rst`); others have a name.
    pub domains: Vec<Domain>,
    pub enums: Vec<EnumType>,
    /// Set on a device primitive: its body, if any, is a model for simulation and never synthesised.
    pub black_box: Option<BlackBox>,
}

#[derive(Clone, Debug)]
pub struct Signal {
    pub name: String,
    pub doc: String,
    pub loc: Loc,
    /// In bits, at least 1.
    pub width: u32,
    pub kind: SignalKind,
    /// Part of a bundle's field that runs against the bundle's direction (as `ready` of a stream).
    pub flipped: bool,
    /// For a signal of an enumerated type.
    pub enumeration: Option<EnumId>,
    /// Exists for checks only: the emitter prints it, and all assignments to it, under `` `ifdef FORMAL `` together
    /// with the checks. Nothing but checks and other ghosts reads it.
    pub ghost: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SignalKind {
    Input,
    Output,
    /// Combinational.
    Wire,
    /// Holds when no assignment is reached.
    Register {
        domain: DomainId,
        /** What the synchronous reset sets; `None`: the reset leaves it alone. */
        reset: Option<Value>,
    },
    /// Output register of a synchronous memory read, written by [`Stmt::MemoryRead`] only; holds when that is not reached.
    MemoryRead {
        memory: MemoryId,
        domain: DomainId,
    },
    /// An input of an instance, driven by this module.
    InstanceInput {
        instance: InstanceId,
        /** In the instance's module. */
        port: SignalId,
    },
    /// An output of an instance.
    InstanceOutput {
        instance: InstanceId,
        port: SignalId,
    },
}

/// A value. Expressions are shared: several may refer to one.
#[derive(Clone, Debug)]
pub struct Expr {
    pub op: Op,
    /// In bits, at least 1.
    pub width: u32,
    pub loc: Loc,
    /// Empty unless the source bound the expression to a name.
    pub name: String,
    pub doc: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Literal(Value),
    /// A variant of an enumeration: the variant's position in [`EnumType::variants`].
    Variant(EnumId, usize),
    Signal(SignalId),
    Not(ExprId),
    /// Of all bits: or, and, exclusive or. One bit wide.
    ReduceOr(ExprId),
    ReduceAnd(ExprId),
    ReduceXor(ExprId),
    /// Operands and result have one width. Sums and differences wrap.
    Binary(Binary, ExprId, ExprId),
    /// The full product: width is the sum of the operands' widths.
    Multiply(ExprId, ExprId),
    /// Operands have one width, the result has one bit.
    Compare(Compare, ExprId, ExprId),
    /// Zeros come in, or the sign for [`Shift::ArithmeticRight`]. A distance of the width or more shifts all out.
    /// The distance has a width of its own, at most 16 bits.
    Shift(Shift, ExprId, ExprId),
    /// Condition (1 bit), value if 1, value if 0.
    Mux(ExprId, ExprId, ExprId),
    /// From this bit up, as many as the expression is wide.
    Slice(ExprId, u32),
    /// One bit at a dynamic position: the vector has exactly 2^width(index) bits.
    Index(ExprId, ExprId),
    /// Most significant first; at least two.
    Concat(Vec<ExprId>),
    /// The operand, extended by copies of its most significant bit.
    SignExtend(ExprId),
    /// `options[index]`; an index beyond the last chooses the last. At least two options and at most 2^width(index).
    Select(ExprId, Vec<ExprId>),
    /// A word of a memory at this address, combinationally.
    MemoryPeek(MemoryId, ExprId),
    /// The operand, taken into another clock domain: a marker that only synchronizers may set.
    Cross(ExprId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    And,
    Or,
    Xor,
    Add,
    Subtract,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    SignedLess,
    SignedLessOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shift {
    Left,
    Right,
    ArithmeticRight,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    /// The last assignment that is reached counts. `part` is [`Part::Whole`] unless the target is a register.
    Assign { target: SignalId, part: Part, value: ExprId, loc: Loc },
    /// `condition` has one bit.
    If { condition: ExprId, then: Vec<Stmt>, otherwise: Vec<Stmt>, loc: Loc },
    /// Arms have distinct values. Without `default`, a value that no arm has does nothing, except that a `Case` over an
    /// enumeration ([`Case::enumeration`]) takes its last arm then.
    Case(Case),
    /// Under the conditions around it, at the clock edge.
    MemoryWrite {
        memory: MemoryId,
        domain: DomainId,
        address: ExprId,
        data: ExprId,
        /** One bit a lane of equal width, bit 0 for the lowest; `None`: the whole word. */
        lanes: Option<ExprId>,
        loc: Loc,
    },
    /// Under the conditions around it, at the clock edge: `target` takes the word as it was before the edge.
    MemoryRead { memory: MemoryId, address: ExprId, target: SignalId, loc: Loc },
    /// Looked at on each clock edge of `domain` outside of reset, under the conditions around it.
    Check { kind: CheckKind, name: String, message: String, condition: ExprId, domain: DomainId, loc: Loc },
}

#[derive(Clone, Debug)]
pub struct Case {
    pub selector: ExprId,
    /// Over all variants of this enumeration, in their order.
    pub enumeration: Option<EnumId>,
    pub arms: Vec<Arm>,
    pub default: Option<Vec<Stmt>>,
    pub loc: Loc,
}

#[derive(Clone, Debug)]
pub struct Arm {
    /// Width of the selector.
    pub value: Value,
    pub body: Vec<Stmt>,
}

/// What an assignment sets of its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    Whole,
    /// This many bits (the width of the value) from this bit up.
    Slice {
        low: u32,
        width: u32,
    },
    /// The bit at a dynamic position; a position beyond the target sets nothing.
    Bit(ExprId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// Must hold.
    Assert,
    /// The environment makes it hold: formal tools take it as given, simulators check it.
    Assume,
    /// Should happen at least once.
    Cover,
}

#[derive(Clone, Debug)]
pub struct Memory {
    pub name: String,
    pub doc: String,
    pub loc: Loc,
    /// Width of a word in bits.
    pub width: u32,
    /// Number of words, a power of two of at least 2. Addresses have `clog2(depth)` bits.
    pub depth: usize,
    /// Contents from power-up on, one value a word; not restored by reset. `None`: anything (simulators start with 0).
    pub initial: Option<Vec<Value>>,
    /// A synchronous read of the word that the same edge writes: the old word if `ReadOld`, anything if `Undefined`.
    pub collision: Collision,
    /// Read in another domain than written; only for the inside of an asynchronous FIFO.
    pub crossing: bool,
}

/// What a synchronous read returns of a word that is written at the same edge. (A memory that is to return the new word
/// is built by the front end from an `Undefined` one and a bypass.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collision {
    ReadOld,
    /// The design never looks at it: costs nothing in block RAM. Simulators return the old word.
    Undefined,
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub name: String,
    pub doc: String,
    pub loc: Loc,
    pub module: ModuleId,
    /// The signal of this module at each port of the instance's module, in their order.
    pub connections: Vec<SignalId>,
    /// For each domain of the instance's module the one of this module that drives it.
    pub domains: Vec<DomainId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Empty for the default domain.
    pub name: String,
    /// Some register, memory or check of this module, or below it, is clocked by it.
    pub clocked: bool,
    /// Some register or check of this module, or below it, looks at its reset.
    pub reset: bool,
}

impl Domain {
    pub fn clock_port(&self) -> String {
        if self.name.is_empty() { "clk".into() } else { format!("{}_clk", self.name) }
    }

    pub fn reset_port(&self) -> String {
        if self.name.is_empty() { "rst".into() } else { format!("{}_rst", self.name) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnumType {
    pub name: String,
    pub width: u32,
    /// Name, encoding and documentation of each variant.
    pub variants: Vec<Variant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    pub name: String,
    pub value: Value,
    pub doc: String,
}

/// A primitive of a device or vendor library.
#[derive(Clone, Debug, PartialEq)]
pub struct BlackBox {
    /// Verilog parameters in order.
    pub parameters: Vec<(String, Parameter)>,
    /// Whether [`Module::body`] models the primitive for simulation.
    pub modelled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    Integer(i64),
    Text(String),
}

impl Op {
    /// The expressions this one is made of.
    pub fn operands(&self) -> Vec<ExprId> {
        match self {
            Op::Literal(_) | Op::Variant(..) | Op::Signal(_) => vec![],
            Op::Not(a) | Op::ReduceOr(a) | Op::ReduceAnd(a) | Op::ReduceXor(a) => vec![*a],
            Op::Slice(a, _) | Op::SignExtend(a) | Op::MemoryPeek(_, a) | Op::Cross(a) => vec![*a],
            Op::Binary(_, a, b) | Op::Multiply(a, b) | Op::Compare(_, a, b) => vec![*a, *b],
            Op::Shift(_, a, b) | Op::Index(a, b) => vec![*a, *b],
            Op::Mux(c, a, b) => vec![*c, *a, *b],
            Op::Concat(parts) => parts.clone(),
            Op::Select(index, options) => [*index].iter().chain(options).copied().collect(),
        }
    }
}

impl Stmt {
    /// The expressions this statement reads itself, without those of the statements inside it.
    pub fn operands(&self) -> Vec<ExprId> {
        match self {
            Stmt::Assign { part: Part::Bit(index), value, .. } => vec![*index, *value],
            Stmt::Assign { value, .. } => vec![*value],
            Stmt::If { condition, .. } | Stmt::Check { condition, .. } => vec![*condition],
            Stmt::Case(case) => vec![case.selector],
            Stmt::MemoryWrite { address, data, lanes, .. } => {
                [*address, *data].into_iter().chain(*lanes).collect()
            }
            Stmt::MemoryRead { address, .. } => vec![*address],
        }
    }

    /// The blocks of statements inside this one.
    pub fn blocks(&self) -> Vec<&[Stmt]> {
        match self {
            Stmt::If { then, otherwise, .. } => vec![then, otherwise],
            Stmt::Case(case) => {
                let arms = case.arms.iter().map(|arm| arm.body.as_slice());
                arms.chain(case.default.as_deref()).collect()
            }
            _ => vec![],
        }
    }
}

/// Calls `visit` for every statement of `body`, outer ones first.
pub fn walk<'a>(body: &'a [Stmt], visit: &mut dyn FnMut(&'a Stmt)) {
    for stmt in body {
        visit(stmt);
        for block in stmt.blocks() {
            walk(block, visit);
        }
    }
}

/// What of `body` is needed for the simple statements (all but `If` and `Case`) that `keep` picks: those, and the
/// conditions around them.
pub fn project(body: &[Stmt], keep: &dyn Fn(&Stmt) -> bool) -> Vec<Stmt> {
    let mut out = vec![];
    for stmt in body {
        match stmt {
            Stmt::If { condition, then, otherwise, loc } => {
                let (then, otherwise) = (project(then, keep), project(otherwise, keep));
                if !then.is_empty() || !otherwise.is_empty() {
                    out.push(Stmt::If { condition: *condition, then, otherwise, loc });
                }
            }
            Stmt::Case(case) => {
                let arms: Vec<Arm> = case
                    .arms
                    .iter()
                    .map(|arm| Arm { value: arm.value.clone(), body: project(&arm.body, keep) })
                    .collect();
                let default = case.default.as_ref().map(|body| project(body, keep));
                if arms.iter().any(|arm| !arm.body.is_empty())
                    || default.as_ref().is_some_and(|body| !body.is_empty())
                {
                    out.push(Stmt::Case(Case { arms, default, ..*case }));
                }
            }
            stmt if keep(stmt) => out.push(stmt.clone()),
            _ => {}
        }
    }
    out
}

/// Bits needed to count `0..n`: the width of an index into `n` things, at least 1.
pub const fn clog2(n: usize) -> usize {
    if n <= 2 { 1 } else { (usize::BITS - (n - 1).leading_zeros()) as usize }
}

impl Design {
    pub fn top(&self) -> &Module {
        &self.modules[0]
    }

    pub fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.index()]
    }
}

impl Module {
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    pub fn signal(&self, id: SignalId) -> &Signal {
        &self.signals[id.index()]
    }

    /// The constant an expression is, if it is written as one.
    pub fn constant(&self, id: ExprId) -> Option<&Value> {
        match &self.expr(id).op {
            Op::Literal(value) => Some(value),
            Op::Variant(enumeration, variant) => {
                Some(&self.enums[enumeration.index()].variants[*variant].value)
            }
            _ => None,
        }
    }
}
