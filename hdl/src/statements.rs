//! Statements: assignments and the conditions around them.

use crate::{
    context::with,
    data::{Data, zip},
    ir::*,
    types::*,
    value::Value,
};
use std::{collections::HashSet, panic::Location};

/// `target` takes `value` under the conditions around this call.
pub(crate) fn assign(target: Bits, value: Bits, loc: Loc) {
    with(|context| {
        let mut value = value;
        if !context.same_width("set", target, value, loc) {
            if !matches!(target.owner, Owner::Module(id) if id == context.frame().id) {
                return;
            }
            // The target counts as set, so that the fault is reported once.
            value = context.literal(Value::zero(target.width), loc);
        }
        let module = context.module();
        let signal_of = |id: ExprId| match &module.expr(id).op {
            Op::Signal(signal) => Some(*signal),
            _ => None,
        };
        let found = match &module.expr(target.expr_id()).op {
            Op::Signal(signal) => Some((*signal, Part::Whole)),
            Op::Slice(vector, low) => {
                signal_of(*vector).map(|signal| (signal, Part::Slice { low: *low, width: target.width }))
            }
            Op::Index(vector, index) => {
                // A vector that is no power of two wide is indexed with zeros above it.
                let vector = match &module.expr(*vector).op {
                    Op::Concat(parts) => *parts.last().expect("two parts at least"),
                    _ => *vector,
                };
                signal_of(vector).map(|signal| (signal, Part::Bit(*index)))
            }
            _ => None,
        };
        let settable = found.filter(|(signal, _)| {
            use SignalKind::*;
            matches!(module.signal(*signal).kind, Output | Wire | Register { .. } | InstanceInput { .. })
        });
        let Some((signal, part)) = settable else {
            let message = format!(
                "{} cannot be set: it is not a wire, a register, an output or an input of an instance",
                context.describe(target)
            );
            return context.report(loc, message);
        };
        let ghost = context.module().signal(signal).ghost;
        if ghost != context.frame().ghost {
            let message = match ghost {
                true => "is for verification and cannot be set outside of it",
                false => "is hardware and cannot be set inside verification()",
            };
            let message = format!("{} {message}", context.describe(target));
            return context.report(loc, message);
        }
        context.push(Stmt::Assign { target: signal, part, value: value.expr_id(), loc });
    });
}

/// `targets[index]` takes `value`, by a `case` over the index.
pub(crate) fn assign_at<T: Data>(targets: &[T], index: Bits, value: T, loc: Loc) {
    let arms = targets.iter().enumerate().map(|(i, target)| {
        let body = block(|| {
            zip("set_at", target, &value, loc, &mut |target, value| {
                assign(target, value, loc);
                target
            });
        });
        Arm { value: Value::new(index.width, i as u128), body }
    });
    let arms = arms.collect();
    let selector = index.expr_id();
    with(|context| context.push(Stmt::Case(Case { selector, enumeration: None, arms, default: None, loc })));
}

/// The statements that `body` makes.
pub(crate) fn block(body: impl FnOnce()) -> Vec<Stmt> {
    with(|context| context.frame().blocks.push(vec![]));
    body();
    with(|context| context.frame().blocks.pop().expect("the block that was opened above"))
}

fn check_condition(condition: Bool, loc: Loc) {
    with(|context| context.usable(condition.0, loc));
}

/// A `when` that `elsewhen` and `otherwise` can continue.
pub struct When {
    /// Position of the `If` in the block.
    at: usize,
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
    check_condition(condition, loc);
    let then = block(body);
    let condition = condition.0.expr_id();
    When { at: with(|context| context.push(Stmt::If { condition, then, otherwise: vec![], loc })) }
}

impl When {
    fn append(&self, new: Vec<Stmt>) {
        with(|context| {
            let mut stmt = context.stmt(self.at);
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
        check_condition(condition, loc);
        let then = block(body);
        let condition = condition.0.expr_id();
        self.append(vec![Stmt::If { condition, then, otherwise: vec![], loc }]);
        self
    }

    /// Where no condition so far is true.
    pub fn otherwise(self, body: impl FnOnce()) {
        let body = block(body);
        self.append(body);
    }
}

/// A `case` over a vector; see [`switch`].
pub struct Switch {
    at: usize,
    width: u32,
    seen: HashSet<Value>,
}

/// A `case` over the values of a vector. A value without an arm does what `default` says, or nothing.
#[track_caller]
pub fn switch(selector: impl Into<Bits>) -> Switch {
    let (loc, selector) = (Location::caller(), selector.into());
    let at = with(|context| {
        context.usable(selector, loc);
        let selector = selector.expr_id();
        context.push(Stmt::Case(Case { selector, enumeration: None, arms: vec![], default: None, loc }))
    });
    Switch { at, width: selector.width, seen: HashSet::new() }
}

impl Switch {
    fn case_stmt<R>(&self, f: impl FnOnce(&mut Case) -> R) -> R {
        with(|context| match context.stmt(self.at) {
            Stmt::Case(case) => f(case),
            _ => unreachable!("a Switch stands at its own Case"),
        })
    }

    /// What happens where the selector is `value`. An error if it does not fit or has an arm already.
    #[track_caller]
    pub fn case(mut self, value: u128, body: impl FnOnce()) -> Switch {
        let loc = Location::caller();
        let body = block(body);
        let fits = self.width >= 128 || value >> self.width == 0;
        let value = Value::new(self.width, value);
        if !fits || !self.seen.insert(value.clone()) {
            let width = self.width;
            let message = if fits {
                format!("the case {value:?} occurs twice")
            } else {
                format!("the case does not fit in the {width} bits of the selector")
            };
            with(|context| context.report(loc, message));
            return self;
        }
        self.case_stmt(|case| case.arms.push(Arm { value, body }));
        self
    }

    /// What happens where the selector has no arm.
    pub fn default(self, body: impl FnOnce()) {
        let body = block(body);
        self.case_stmt(|case| case.default = Some(body));
    }
}

/// What `body` declares and sets exists for checks only: it is emitted under `` `ifdef FORMAL `` together with them.
pub fn verification<R>(body: impl FnOnce() -> R) -> R {
    let outer = with(|context| std::mem::replace(&mut context.frame().ghost, true));
    let result = body();
    with(|context| context.frame().ghost = outer);
    result
}

/// `condition` holds on every clock edge outside of reset at which the conditions around this call are true.
#[track_caller]
pub fn assert(condition: Bool, message: &str) {
    check(CheckKind::Assert, condition, message, Location::caller());
}

/// The environment makes `condition` hold; see [`assert`]. Formal tools take it as given, simulators check it.
#[track_caller]
pub fn assume(condition: Bool, message: &str) {
    check(CheckKind::Assume, condition, message, Location::caller());
}

/// `condition` should be seen to hold at least once; see [`assert`].
#[track_caller]
pub fn cover(condition: Bool, message: &str) {
    check(CheckKind::Cover, condition, message, Location::caller());
}

fn check(kind: CheckKind, condition: Bool, message: &str, loc: Loc) {
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
