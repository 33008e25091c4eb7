//! The elaboration in progress: a thread-local stack of the modules that are being described.
//!
//! Everything a generator calls ends here. A fault is recorded with its place, and the call returns a value that
//! later calls accept silently ("poison"), so that one run reports all faults of a design.

use crate::{
    error::Error,
    fold,
    ir::*,
    names,
    types::{Bits, Home, Orientation, Owner},
    value::Value,
};
use std::{
    cell::RefCell,
    collections::HashMap,
    panic::{Location, resume_unwind},
};

/// A module whose generator has not returned yet.
pub(crate) struct Frame {
    pub home: Home,
    pub module: Module,
    /// Open blocks of statements, the module's own first.
    pub blocks: Vec<Vec<Stmt>>,
    /// Assignments outside of all conditions, ahead of the module's own block: what a `ReadNew` memory writes when it
    /// writes nothing.
    pub defaults: Vec<Stmt>,
    /// Assignments outside of all conditions that were made inside of some.
    pub unconditional: Vec<Stmt>,
    /// Names of the `let`s around the current call, outermost first, with their documentation.
    pub scopes: Vec<(String, String)>,
    /// How often each name was asked for.
    pub taken: HashMap<String, usize>,
    /// Expressions by content, so that equal ones are one.
    pub known: HashMap<(Op, u32), ExprId>,
    /// For each wire that is a part of a signal: the signal and the lowest bit.
    pub parts: HashMap<SignalId, (SignalId, u32)>,
    /// The expression of each signal.
    pub signal_exprs: Vec<ExprId>,
    /// What registers, memories and instances are clocked by at present.
    pub domain: DomainId,
    /// The domain of the parent that drives each of this module's.
    pub bindings: Vec<DomainId>,
    /// Depth of `cases` closures, which run once for each variant.
    pub in_cases: usize,
    /// Inside `verification`.
    pub ghost: bool,
}

#[derive(Default)]
pub(crate) struct Context {
    /// Number of this elaboration, from 1; 0 outside of one.
    pub run: u64,
    /// The call of the language that is being served.
    pub loc: Option<Loc>,
    /// Finished modules; those still in progress are `None`.
    pub modules: Vec<Option<Module>>,
    pub stack: Vec<Frame>,
    pub errors: Vec<Error>,
    /// Documentation that `#[hdl]` functions hold ready for the module they make.
    pub pending_docs: Vec<Option<String>>,
}

thread_local!(static CONTEXT: RefCell<Context> = RefCell::default());

/// Runs `f` on this thread's context. `f` must not call back into user code.
#[track_caller]
pub(crate) fn with<R>(f: impl FnOnce(&mut Context) -> R) -> R {
    let loc = Location::caller();
    CONTEXT.with(|context| {
        let context = &mut context.borrow_mut();
        context.loc = Some(loc);
        f(context)
    })
}

/// As [`with`], for destructors: does nothing when the context is in use or the thread ends.
pub(crate) fn try_with(f: impl FnOnce(&mut Context)) {
    let _ = CONTEXT.try_with(|context| {
        if let Ok(mut context) = context.try_borrow_mut() {
            f(&mut context);
        }
    });
}

/// Unwinds out of an elaboration whose error is already recorded.
pub(crate) struct Abort;

/// Ends the elaboration with an error.
///
/// # Panics
/// Outside of an elaboration, where nobody collects errors.
pub(crate) fn abort(message: String, loc: Loc) -> ! {
    with(|context| context.abort(message, loc))
}

impl Context {
    fn abort(&mut self, message: String, loc: Loc) -> ! {
        if self.run == 0 {
            panic!("{message}\n  --> {loc}");
        }
        self.report(loc, message);
        resume_unwind(Box::new(Abort))
    }

    /// The module that is being described.
    pub fn frame(&mut self) -> &mut Frame {
        if self.stack.is_empty() {
            let loc = self.loc.expect("the context is reached through with()");
            self.abort("hardware can be described only inside of module()".into(), loc);
        }
        self.stack.last_mut().expect("looked at above")
    }

    pub fn module(&mut self) -> &mut Module {
        &mut self.frame().module
    }

    /// Records a fault of the current module.
    pub fn report(&mut self, loc: Loc, message: impl Into<String>) {
        let mut notes = vec![];
        for frame in self.stack.iter().rev() {
            notes.push((format!("in module `{}`, made at", frame.module.name), frame.module.loc));
        }
        self.errors.push(Error { message: message.into(), loc, notes });
    }

    /// Appends a statement to the innermost open block and tells its position there.
    pub fn push(&mut self, stmt: Stmt) -> usize {
        let block = self.frame().blocks.last_mut().expect("the module's own block is always open");
        block.push(stmt);
        block.len() - 1
    }

    /// How messages call a value.
    pub fn describe(&self, bits: Bits) -> String {
        let plural = if bits.width == 1 { "" } else { "s" };
        let Owner::Module(home) = bits.owner else {
            return format!("a bare type of {} bit{plural}", bits.width);
        };
        let Some(module) = self.module_at(home) else {
            return format!("a value of {} bit{plural} from another elaboration", bits.width);
        };
        let expr = &module.exprs[bits.id as usize];
        let name = match &expr.op {
            Op::Signal(signal) => &module.signal(*signal).name,
            Op::Literal(value) => return format!("the constant {value:?}"),
            _ => &expr.name,
        };
        match name.is_empty() {
            true => format!("an expression of {} bit{plural} (made at {})", bits.width, expr.loc),
            false => format!("`{name}` of {} bit{plural} (made at {})", bits.width, expr.loc),
        }
    }

    /// Whether `bits` is a value that the current module can read; reports it otherwise, but for poison.
    pub fn usable(&mut self, bits: Bits, loc: Loc) -> bool {
        let here = self.frame().home;
        match bits.owner {
            Owner::Poison => return false,
            Owner::Type(_) => {
                let message = format!(
                    "{} is used as a value: bind it with wire(), reg() or a port",
                    self.describe(bits)
                );
                self.report(loc, message);
                return false;
            }
            Owner::Module(home) if home == here => return true,
            Owner::Module(home) => {
                let here = self.module().name.clone();
                let value = self.describe(bits);
                let message = match self.module_at(home) {
                    Some(Module { name, .. }) => {
                        format!("{value} belongs to module `{name}`, not to `{here}`: pass it through a port")
                    }
                    None => format!("{value} is used in `{here}`"),
                };
                self.report(loc, message);
            }
        }
        false
    }

    /// The expression of a value that a statement reads; one that cannot be read is reported and becomes 0, so that
    /// what looks at the module finds it well-formed.
    pub fn readable(&mut self, bits: Bits, loc: Loc) -> ExprId {
        match self.usable(bits, loc) {
            true => bits.expr_id(),
            false => self.literal(Value::zero(bits.width.max(1)), loc).expr_id(),
        }
    }

    /// How a leaf of a type, or a signal, runs. No direction goes with a signal: it is that of a port of its module.
    pub fn orientation(&self, bits: Bits) -> Orientation {
        let flipped = |home| {
            let module = self.module_at(home)?;
            match module.exprs[bits.id as usize].op {
                Op::Signal(signal) => Some(module.signal(signal).flipped),
                _ => None,
            }
        };
        match bits.owner {
            Owner::Type(orientation) => orientation,
            Owner::Module(home) => Orientation { flipped: flipped(home).unwrap_or(false), direction: None },
            Owner::Poison => Orientation::default(),
        }
    }

    /// A module of this elaboration, finished or not.
    fn module_at(&self, home: Home) -> Option<&Module> {
        if home.run != self.run {
            return None;
        }
        let open = self.stack.iter().find(|frame| frame.home == home).map(|frame| &frame.module);
        open.or_else(|| self.modules.get(home.module.index())?.as_ref())
    }

    /// Whether both are readable and of one width; reports it otherwise.
    pub fn same_width(&mut self, what: &str, a: Bits, b: Bits, loc: Loc) -> bool {
        let readable = self.usable(a, loc) & self.usable(b, loc);
        if readable && a.width != b.width {
            let message = format!("{what}: widths differ: {} and {}", self.describe(a), self.describe(b));
            self.report(loc, message);
            return false;
        }
        readable
    }

    /// A new expression, or an older equal one.
    pub fn expr(&mut self, op: Op, width: u32, loc: Loc) -> Bits {
        let frame = self.frame();
        let owner = Owner::Module(frame.home);
        let op = match fold::fold(&frame.module, op, width) {
            fold::Folded::Same(id) => return Bits { owner, id: id.0, width },
            fold::Folded::Op(op) => op,
        };
        let next = ExprId(frame.module.exprs.len() as u32);
        let id = *frame.known.entry((op.clone(), width)).or_insert(next);
        if id == next {
            let (name, doc) = (String::new(), String::new());
            frame.module.exprs.push(Expr { op, width, loc, name, doc });
        }
        Bits { owner, id: id.0, width }
    }

    pub fn literal(&mut self, value: Value, loc: Loc) -> Bits {
        let width = value.width();
        self.expr(Op::Literal(value), width, loc)
    }

    /// The operation, if all operands are readable.
    pub fn checked(&mut self, op: Op, width: u32, operands: &[Bits], loc: Loc) -> Bits {
        let mut readable = true;
        for &operand in operands {
            readable &= self.usable(operand, loc);
        }
        if readable { self.expr(op, width, loc) } else { Bits::poison(width) }
    }

    /// Declares a signal of the current module. `name` is made unique, and different from reserved words.
    pub fn signal(&mut self, signal: Signal) -> Bits {
        let frame = self.frame();
        let is_register = matches!(signal.kind, SignalKind::Register { .. });
        let name = names::unique(&mut frame.taken, &signal.name, if is_register { "_q" } else { "" });
        let (width, loc) = (signal.width, signal.loc);
        let id = SignalId(frame.module.signals.len() as u32);
        frame.module.signals.push(Signal { name, ..signal });
        let bits = self.expr(Op::Signal(id), width, loc);
        self.frame().signal_exprs.push(ExprId(bits.id));
        bits
    }

    /// Position of an enumeration in the current module.
    pub fn enumeration(&mut self, ty: EnumType) -> EnumId {
        let enums = &mut self.module().enums;
        let at = enums.iter().position(|known| *known == ty).unwrap_or_else(|| {
            enums.push(ty);
            enums.len() - 1
        });
        EnumId(at as u32)
    }

    /// The name and documentation that the `let`s around the current call give to what it makes.
    pub fn hint(&mut self, fallback: &str) -> (String, String) {
        let scopes = &self.frame().scopes;
        match scopes.last() {
            None => (fallback.to_string(), String::new()),
            Some((_, doc)) => {
                let parts: Vec<&str> = scopes.iter().map(|scope| scope.0.as_str()).collect();
                (parts.join("_"), doc.clone())
            }
        }
    }

    /// Reports a declaration inside a closure that runs once for each variant of an enumeration.
    pub fn forbid_in_cases(&mut self, what: &str, loc: Loc) {
        if self.frame().in_cases > 0 {
            self.report(
                loc,
                format!(
                    "{what} is made inside cases(): it would be made once for each variant; make it before"
                ),
            );
        }
    }
}
