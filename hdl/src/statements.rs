//! Statements: assignments and the conditions around them.

use crate::{
    context::with,
    data::{Data, pair},
    ir::*,
    types::*,
    value::Value,
};
use std::{collections::HashSet, panic::Location};

/// `target` takes `value` under the conditions around this call; messages call it `what`.
pub(crate) fn assign(what: &str, target: Bits, value: Bits, loc: Loc) {
    with(|context| {
        let mut value = value;
        if !context.same_width(what, target, value, loc) {
            if target.owner != Owner::Module(context.frame().home) {
                return;
            }
            // The target counts as set, so that the fault is reported once.
            value = context.literal(Value::zero(target.width), loc);
        }
        let (signal, part) = match destination(context.module(), target) {
            Ok(destination) => destination,
            Err(why) => {
                let message = format!("{} cannot be set: it is {why}", context.describe(target));
                return context.report(loc, message);
            }
        };
        let ghost = context.module().signal(signal).ghost;
        if ghost != context.frame().ghost {
            let message = match ghost {
                true => "is for verification and cannot be set outside of verification()",
                false => "is hardware and cannot be set inside verification()",
            };
            let message = format!("{} {message}", context.describe(target));
            return context.report(loc, message);
        }
        context.push(Stmt::Assign { target: signal, part, value: value.expr_id(), loc });
    });
}

/// The signal of `module` that an assignment to `target` sets, or what `target` is instead.
fn destination(module: &Module, target: Bits) -> Result<(SignalId, Part), &'static str> {
    let (signal, part) = match &module.expr(target.expr_id()).op {
        Op::Signal(signal) => (*signal, Part::Whole),
        Op::Slice(vector, low) => {
            let (mut vector, mut low) = (*vector, *low);
            while let Op::Slice(inner, below) = module.expr(vector).op {
                (vector, low) = (inner, low + below);
            }
            let Op::Signal(signal) = module.expr(vector).op else { return Err("a part of an expression") };
            (signal, Part::Slice { low, width: target.width })
        }
        Op::Index(vector, index) => {
            // A vector that is no power of two wide is indexed with zeros above it.
            let vector = match &module.expr(*vector).op {
                Op::Concat(parts) if matches!(module.expr(parts[0]).op, Op::Literal(_)) => parts[1],
                _ => *vector,
            };
            let Op::Signal(signal) = module.expr(vector).op else { return Err("a bit of an expression") };
            (signal, Part::Bit(*index))
        }
        Op::Literal(_) | Op::Variant(..) => return Err("a constant"),
        _ => return Err("an expression"),
    };
    match module.signal(signal).kind {
        SignalKind::Input => Err("an input of the module"),
        SignalKind::InstanceOutput { .. } => Err("an output of an instance"),
        SignalKind::MemoryRead { .. } => Err("what a memory read returns"),
        _ => Ok((signal, part)),
    }
}

/// Every leaf of `target` takes that of `value`.
pub(crate) fn assign_all<T: Data>(what: &str, target: &T, value: &T, loc: Loc) {
    pair(what, target, value, loc, &mut |target, value| {
        assign(what, target, value, loc);
        target
    });
}

/// `targets[index]` takes `value`, by a `case` over the index.
pub(crate) fn assign_at<T: Data>(targets: &[T], index: Bits, value: T, loc: Loc) {
    let arms = targets.iter().enumerate().map(|(i, target)| {
        let body = block(|| assign_all("set_at", target, &value, loc));
        Arm { value: Value::new(index.width, i as u128), body }
    });
    let arms = arms.collect();
    with(|context| {
        let selector = context.readable(index, loc);
        context.push(Stmt::Case(Case { selector, enumeration: None, arms, default: None, loc }))
    });
}

/// The statements that `body` makes.
pub(crate) fn block(body: impl FnOnce()) -> Vec<Stmt> {
    open_block();
    body();
    close_block()
}

/// The next statements go into a block of their own, until [`close_block`]: [`block`] for callers that
/// `#[track_caller]` must pass through.
#[track_caller]
pub(crate) fn open_block() {
    with(|context| context.frame().blocks.push(vec![]));
}

pub(crate) fn close_block() -> Vec<Stmt> {
    with(|context| context.frame().blocks.pop().expect("open_block() opened it"))
}

/// A `when` that `elsewhen` and `otherwise` can continue, directly behind it.
pub struct When {
    place: Place,
}

/// Where a statement stands that later calls add to.
#[derive(Clone, Copy)]
struct Place {
    home: Home,
    /// How many blocks are open around it.
    depth: usize,
    /// Position in the innermost block, the last when the statement was made.
    at: usize,
    loc: Loc,
}

impl Place {
    /// Appends `stmt` to the open block.
    fn of(stmt: Stmt, loc: Loc) -> Place {
        with(|context| {
            let at = context.push(stmt);
            let frame = context.frame();
            Place { home: frame.home, depth: frame.blocks.len(), at, loc }
        })
    }

    /// The statement, if it is still the last one; reports it otherwise.
    fn reach(self, what: &str, loc: Loc, then: impl FnOnce(&mut Stmt)) {
        with(|context| {
            let frame = context.frame();
            let same_block = frame.home == self.home && frame.blocks.len() == self.depth;
            let block = frame.blocks.last_mut().expect("the module's own block is always open");
            match block.get_mut(self.at..) {
                Some([stmt]) if same_block => then(stmt),
                _ => {
                    let message = format!("{what} must directly follow what it continues, at {}", self.loc);
                    context.report(loc, message);
                }
            }
        });
    }
}

/// What `body` describes happens where `condition` is true.
///
/// ```
/// # use hdl::*;
/// # #[derive(Bundle, Clone)]
/// # struct Io { #[input] up: Bool, #[input] down: Bool, #[output] #[ty(bits(8))] value: Bits }
/// # let counter = || module("counter", Io::ty(), |io| {
/// let count = reg(bits(8));
/// when(io.up, || count.set(count + 1)).elsewhen(io.down, || count.set(count - 1));
/// # io.value.set(count);
/// # });
/// # elaborate(counter).unwrap();
/// ```
#[track_caller]
pub fn when(condition: Bool, body: impl FnOnce()) -> When {
    let loc = Location::caller();
    let condition = with(|context| context.readable(condition.0, loc));
    let then = block(body);
    When { place: Place::of(Stmt::If { condition, then, otherwise: vec![], loc }, loc) }
}

impl When {
    fn append(&self, what: &str, new: Vec<Stmt>, loc: Loc) {
        self.place.reach(what, loc, |mut stmt| {
            while let Stmt::If { otherwise, .. } = stmt {
                if otherwise.is_empty() {
                    *otherwise = new;
                    return;
                }
                stmt = &mut otherwise[0];
            }
        });
    }

    /// Where no condition so far is true and `condition` is.
    #[track_caller]
    pub fn elsewhen(self, condition: Bool, body: impl FnOnce()) -> When {
        let loc = Location::caller();
        let condition = with(|context| context.readable(condition.0, loc));
        let then = block(body);
        self.append("elsewhen()", vec![Stmt::If { condition, then, otherwise: vec![], loc }], loc);
        self
    }

    /// Where no condition so far is true.
    #[track_caller]
    pub fn otherwise(self, body: impl FnOnce()) {
        let loc = Location::caller();
        let body = block(body);
        self.append("otherwise()", body, loc);
    }
}

/// A `case` over a vector; see [`switch`].
pub struct Switch {
    place: Place,
    width: u32,
    seen: HashSet<Value>,
}

/// A `case` over the values of a vector. A value without an arm does what `default` says, or nothing.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let (opcode, result) = (lit(1, 2), wire(bits(8)));
/// switch(opcode)
///     .case(0, || result.set(1))
///     .case(1, || result.set(2))
///     .default(|| result.set(0));
/// # })).unwrap();
/// ```
#[track_caller]
pub fn switch(selector: impl Into<Bits>) -> Switch {
    let (loc, selector) = (Location::caller(), selector.into());
    let width = selector.width;
    let selector = with(|context| context.readable(selector, loc));
    let case = Case { selector, enumeration: None, arms: vec![], default: None, loc };
    Switch { place: Place::of(Stmt::Case(case), loc), width, seen: HashSet::new() }
}

impl Switch {
    fn append(&self, what: &str, loc: Loc, add: impl FnOnce(&mut Case)) {
        self.place.reach(what, loc, |stmt| {
            if let Stmt::Case(case) = stmt {
                add(case);
            }
        });
    }

    /// What happens where the selector is `value`. An error if it does not fit or has an arm already.
    #[track_caller]
    pub fn case(mut self, value: u128, body: impl FnOnce()) -> Switch {
        let loc = Location::caller();
        let body = block(body);
        let width = self.width;
        if width < 128 && value >> width != 0 {
            let message = format!("the case {value} does not fit in the {width} bits of the selector");
            with(|context| context.report(loc, message));
            return self;
        }
        let value = Value::new(width, value);
        if !self.seen.insert(value.clone()) {
            with(|context| context.report(loc, format!("the case {value:?} occurs twice")));
            return self;
        }
        self.append("case()", loc, |case| case.arms.push(Arm { value, body }));
        self
    }

    /// What happens where the selector has no arm.
    #[track_caller]
    pub fn default(self, body: impl FnOnce()) {
        let loc = Location::caller();
        let body = block(body);
        self.append("default()", loc, |case| case.default = Some(body));
    }
}

/// What `body` declares and sets exists for checks only: it is emitted under `` `ifdef FORMAL `` together with them.
/// Hardware cannot read it.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let count = reg(bits(4));
/// when(count.lt(9), || count.set(count + 1)).otherwise(|| count.set(0));
/// let before = verification(|| delay(count));
/// assert(count.eq(before + 1) | count.eq(0), "it counts");
/// # })).unwrap();
/// ```
#[track_caller]
pub fn verification<R>(body: impl FnOnce() -> R) -> R {
    let outer = set_ghost(true);
    let result = body();
    set_ghost(outer);
    result
}

/// Whether what is made from here on exists for checks only. Returns what held before.
#[track_caller]
pub(crate) fn set_ghost(ghost: bool) -> bool {
    with(|context| std::mem::replace(&mut context.frame().ghost, ghost))
}

/// `condition` holds on every clock edge outside of reset at which the conditions around this call are true.
/// Simulators stop where it does not, formal tools prove it. Its module has a register with reset in the same domain.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let count = reg(bits(4));
/// when(count.lt(9), || count.set(count + 1)).otherwise(|| count.set(0));
/// assert(count.le(9), "a digit");
/// # })).unwrap();
/// ```
#[track_caller]
pub fn assert(condition: Bool, message: &str) {
    check(CheckKind::Assert, condition, message, Location::caller());
}

/// The environment makes `condition` hold; see [`assert()`]. Formal tools take it as given, simulators check it.
#[track_caller]
pub fn assume(condition: Bool, message: &str) {
    check(CheckKind::Assume, condition, message, Location::caller());
}

/// `condition` should be seen to hold at least once; see [`assert()`].
#[track_caller]
pub fn cover(condition: Bool, message: &str) {
    check(CheckKind::Cover, condition, message, Location::caller());
}

pub(crate) fn check(kind: CheckKind, condition: Bool, message: &str, loc: Loc) {
    with(|context| {
        if !context.usable(condition.0, loc) {
            return;
        }
        let mut words = vec![match kind {
            CheckKind::Assert => "assert",
            CheckKind::Assume => "assume",
            CheckKind::Cover => "cover",
        }];
        words.extend(
            message.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).take(5),
        );
        let name = words.join("_").to_lowercase();
        let name = crate::names::unique(&mut context.frame().taken, &name, "");
        let (domain, condition) = (context.frame().domain, condition.0.expr_id());
        context.push(Stmt::Check { kind, name, message: message.to_string(), condition, domain, loc });
    });
}
