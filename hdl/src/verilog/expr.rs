//! Expressions as text.
//!
//! Verilog lets the context decide width and sign of an operation. Here all operands already have the width of their
//! operator's result, everything is unsigned, and what is signed stands inside `$signed` and `$unsigned`, whose
//! arguments no context reaches; so the text means what [`crate::ir`] says.

use super::{
    layout::{Doc, append, group, nest, text},
    names::Names,
    plan::Plan,
};
use crate::{ir::*, value::Value};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap},
};

/// How tightly the outermost operator of a text binds; in rising order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Choice,
    Operator,
    Product,
    Reduction,
    Unary,
    Primary,
}

pub(super) struct Printer<'a> {
    pub plan: &'a Plan,
    pub names: &'a Names,
    /// Bits that have been read of each name.
    pub read: RefCell<HashMap<String, BTreeSet<u32>>>,
    /// What has been read since this was last emptied.
    pub recent: RefCell<BTreeMap<String, usize>>,
    pub variants: RefCell<BTreeSet<(EnumId, usize)>>,
    pub next_check: Cell<usize>,
}

impl<'a> Printer<'a> {
    pub fn new(plan: &'a Plan, names: &'a Names) -> Printer<'a> {
        Printer {
            plan,
            names,
            read: Default::default(),
            recent: Default::default(),
            variants: Default::default(),
            next_check: Cell::new(0),
        }
    }

    pub fn signal_name(&self, id: SignalId) -> &'a str {
        &self.names.signals[self.plan.resolve(id).index()]
    }

    /// Notes that bits of a name are read.
    pub fn reads(&self, name: &str, low: u32, width: u32) {
        self.read.borrow_mut().entry(name.into()).or_default().extend(low..low + width);
        let mut recent = self.recent.borrow_mut();
        let next = recent.len();
        recent.entry(name.into()).or_insert(next);
    }

    /// The name of an expression that is one.
    pub fn identifier(&self, id: ExprId) -> Option<&'a str> {
        if let Some((name, _)) = self.names.hoisted.get(&id) {
            return Some(name);
        }
        match self.plan.expr(id).op {
            Op::Signal(signal) => Some(self.signal_name(signal)),
            _ => None,
        }
    }

    pub fn expr(&self, id: ExprId) -> Doc {
        self.leveled(id).0
    }

    /// What is assigned: comparisons stand in parentheses, lest `x <= a <= b` be read.
    pub fn value(&self, id: ExprId) -> Doc {
        let doc = self.expr(id);
        if self.names.hoisted.contains_key(&id) { doc } else { self.in_parentheses(id, doc) }
    }

    fn in_parentheses(&self, id: ExprId, doc: Doc) -> Doc {
        match self.plan.expr(id).op {
            Op::Compare(..) => Doc::List(vec![text("("), nest(vec![doc]), text(")")]),
            _ => doc,
        }
    }

    fn leveled(&self, id: ExprId) -> (Doc, Level) {
        match self.identifier(id) {
            Some(name) => {
                self.reads(name, 0, self.plan.expr(id).width);
                (text(name), Level::Primary)
            }
            None => self.operation(id),
        }
    }

    /// What is assigned to the wire of a hoisted expression.
    pub fn definition(&self, id: ExprId) -> Doc {
        self.in_parentheses(id, self.operation(id).0)
    }

    /// As an operand of a comparison.
    pub fn operand(&self, id: ExprId) -> Doc {
        self.at_least(id, Level::Unary)
    }

    /// The opposite of a condition.
    pub fn negated(&self, id: ExprId) -> Doc {
        match self.plan.expr(id).op {
            Op::Not(inner) if !self.names.hoisted.contains_key(&id) => self.expr(inner),
            _ => Doc::List(vec![text("!"), self.at_least(id, Level::Primary)]),
        }
    }

    /// In parentheses, unless it binds at least this tightly.
    fn at_least(&self, id: ExprId, level: Level) -> Doc {
        let (doc, own) = self.leveled(id);
        if own >= level { doc } else { Doc::List(vec![text("("), nest(vec![doc]), text(")")]) }
    }

    fn operation(&self, id: ExprId) -> (Doc, Level) {
        let expr = self.plan.expr(id);
        let unary = |operator: &str, a: ExprId, level: Level| {
            (Doc::List(vec![text(operator), self.at_least(a, Level::Primary)]), level)
        };
        match &expr.op {
            Op::Literal(value) => (text(literal(value)), Level::Primary),
            Op::Variant(enumeration, variant) => (text(self.variant(*enumeration, *variant)), Level::Primary),
            Op::Signal(signal) => {
                let name = self.signal_name(*signal);
                self.reads(name, 0, expr.width);
                (text(name), Level::Primary)
            }
            Op::Not(a) => {
                let inner = (!self.names.hoisted.contains_key(a)).then(|| &self.plan.expr(*a).op);
                match inner {
                    Some(Op::ReduceOr(a)) => unary("~|", *a, Level::Reduction),
                    Some(Op::ReduceAnd(a)) => unary("~&", *a, Level::Reduction),
                    _ => unary(if expr.width == 1 { "!" } else { "~" }, *a, Level::Unary),
                }
            }
            Op::ReduceOr(a) => unary("|", *a, Level::Reduction),
            Op::ReduceAnd(a) => unary("&", *a, Level::Reduction),
            Op::ReduceXor(a) => unary("^", *a, Level::Reduction),
            Op::Binary(..) => (self.chain(id), Level::Operator),
            Op::Multiply(a, b) => {
                let pieces = vec![append(self.extended(*a, expr.width), " *"), self.extended(*b, expr.width)];
                (Doc::Fill(pieces), Level::Product)
            }
            Op::Compare(compare, a, b) => (self.compare(*compare, *a, *b), Level::Operator),
            Op::Shift(Shift::ArithmeticRight, a, b) => {
                let pieces = vec![self.signed(*a), text(" >>> "), self.at_least(*b, Level::Unary)];
                (Doc::List([vec![text("$unsigned(")], pieces, vec![text(")")]].concat()), Level::Primary)
            }
            Op::Shift(shift, a, b) => {
                let operator = if *shift == Shift::Left { " <<" } else { " >>" };
                let left = append(self.at_least(*a, Level::Unary), operator);
                (Doc::Fill(vec![left, self.at_least(*b, Level::Unary)]), Level::Operator)
            }
            Op::Mux(..) => (self.choice(id), Level::Choice),
            Op::Slice(a, low) => {
                let name = self.identifier(*a).expect("what is sliced has a name");
                self.reads(name, *low, expr.width);
                (text(format!("{name}{}", range(*low, expr.width))), Level::Primary)
            }
            Op::Index(a, index) => {
                let name = self.identifier(*a).expect("what is indexed has a name");
                self.reads(name, 0, self.plan.expr(*a).width);
                (Doc::List(vec![text(format!("{name}[")), self.expr(*index), text("]")]), Level::Primary)
            }
            Op::Concat(parts) => (self.concat(parts), Level::Primary),
            Op::SignExtend(a) => (self.sign_extended(*a, expr.width), Level::Primary),
            Op::MemoryPeek(memory, address) => {
                let name = &self.names.memories[memory.index()];
                let doc = Doc::List(vec![text(format!("{name}[")), self.expr(*address), text("]")]);
                (doc, Level::Primary)
            }
            Op::Cross(a) => self.leveled(*a),
            Op::Select(..) => unreachable!("choices by an index have become case statements"),
        }
    }

    pub fn variant(&self, enumeration: EnumId, variant: usize) -> String {
        let ty = &self.plan.module.enums[enumeration.index()];
        match self.names.variants.get(&(enumeration, variant)) {
            Some(name) => {
                self.variants.borrow_mut().insert((enumeration, variant));
                format!("{name}{}", range(0, ty.width))
            }
            None => literal(&ty.variants[variant].value),
        }
    }

    /// How a comment calls `value`.
    pub fn label(&self, enumeration: Option<EnumId>, value: &Value) -> String {
        let variant = enumeration.and_then(|enumeration| {
            let variants = &self.plan.module.enums[enumeration.index()].variants;
            let position = variants.iter().position(|variant| variant.value == *value)?;
            self.names.variants.get(&(enumeration, position)).cloned()
        });
        variant.unwrap_or_else(|| literal(value))
    }

    /// A constant of an enumeration by name, if `value` is one.
    pub fn constant(&self, enumeration: Option<EnumId>, value: &Value) -> String {
        let named = enumeration.and_then(|enumeration| {
            let variants = &self.plan.module.enums[enumeration.index()].variants;
            let position = variants.iter().position(|variant| variant.value == *value)?;
            Some(self.variant(enumeration, position))
        });
        named.unwrap_or_else(|| literal(value))
    }

    /// Operators of one kind in a row need no parentheses: `a && b && c`, `a + b - c`.
    fn chain(&self, id: ExprId) -> Doc {
        let mut terms = vec![];
        self.terms(id, &mut terms);
        let last = terms.len() - 1;
        let pieces = terms.iter().enumerate().map(|(i, (_, operand))| {
            let (doc, level) = self.leveled(*operand);
            let loose = level < Level::Product || level == Level::Reduction;
            let doc = if loose { Doc::List(vec![text("("), nest(vec![doc]), text(")")]) } else { doc };
            if i == last { doc } else { append(doc, &format!(" {}", terms[i + 1].0)) }
        });
        Doc::Fill(pieces.collect())
    }

    /// The operands of a row of operators, with the operator before each.
    fn terms(&self, id: ExprId, out: &mut Vec<(&'static str, ExprId)>) {
        let expr = self.plan.expr(id);
        let Op::Binary(binary, a, b) = expr.op else { unreachable!("rows are made of binary operators") };
        let operator = operator(binary, expr.width);
        let kin = |id: ExprId| match self.plan.expr(id).op {
            _ if self.names.hoisted.contains_key(&id) => false,
            Op::Binary(Binary::Add | Binary::Subtract, ..) => {
                matches!(binary, Binary::Add | Binary::Subtract)
            }
            Op::Binary(inner, ..) => inner == binary,
            _ => false,
        };
        if kin(a) {
            self.terms(a, out);
        } else {
            out.push(("", a));
        }
        let at = out.len();
        if kin(b) && binary != Binary::Subtract {
            self.terms(b, out);
            out[at].0 = operator;
        } else {
            out.push((operator, b));
        }
    }

    fn compare(&self, compare: Compare, a: ExprId, b: ExprId) -> Doc {
        let constant = |id: ExprId| matches!(self.plan.expr(id).op, Op::Literal(_));
        let swap = constant(a) && !constant(b);
        let (left, right) = if swap { (b, a) } else { (a, b) };
        let operator = match (compare, swap) {
            (Compare::Equal, _) => "==",
            (Compare::NotEqual, _) => "!=",
            (Compare::Less | Compare::SignedLess, false) => "<",
            (Compare::Less | Compare::SignedLess, true) => ">",
            (Compare::LessOrEqual | Compare::SignedLessOrEqual, false) => "<=",
            (Compare::LessOrEqual | Compare::SignedLessOrEqual, true) => ">=",
        };
        let signed = matches!(compare, Compare::SignedLess | Compare::SignedLessOrEqual);
        let side = |id| if signed { self.signed(id) } else { self.at_least(id, Level::Unary) };
        Doc::Fill(vec![append(side(left), &format!(" {operator}")), side(right)])
    }

    fn signed(&self, id: ExprId) -> Doc {
        match &self.plan.expr(id).op {
            Op::Literal(value) if !self.names.hoisted.contains_key(&id) => text(signed_literal(value)),
            _ => Doc::List(vec![text("$signed("), self.expr(id), text(")")]),
        }
    }

    /// Extended by zeros to this width.
    fn extended(&self, id: ExprId, width: u32) -> Doc {
        let zeros = width - self.plan.expr(id).width;
        Doc::List(vec![text(format!("{{{}, ", literal(&Value::zero(zeros)))), self.expr(id), text("}")])
    }

    fn sign_extended(&self, a: ExprId, to: u32) -> Doc {
        let width = self.plan.expr(a).width;
        if width == 1 {
            return Doc::List(vec![text(format!("{{{to}{{")), self.expr(a), text("}}")]);
        }
        let (base, low) = match self.plan.expr(a).op {
            Op::Slice(base, low) if self.identifier(a).is_none() => (base, low),
            _ => (a, 0),
        };
        let name = self.identifier(base).expect("what is extended has a name");
        self.reads(name, low, width);
        let all = if base == a { String::new() } else { range(low, width) };
        text(format!("{{{{{}{{{name}[{}]}}}}, {name}{all}}}", to - width, low + width - 1))
    }

    /// One alternative a line if they do not fit on one.
    fn choice(&self, id: ExprId) -> Doc {
        let (mut arms, mut at) = (vec![], id);
        while let Op::Mux(condition, value, other) = self.plan.expr(at).op {
            if at != id && self.names.hoisted.contains_key(&at) {
                break;
            }
            let condition = append(self.at_least(condition, Level::Unary), " ?");
            let value = append(self.at_least(value, Level::Operator), " :");
            arms.push(group(vec![condition, nest(vec![Doc::Line, value])]));
            at = other;
        }
        // From three conditions on, one a line reads better even where all would fit on one.
        let end = if arms.len() > 2 { Doc::Hard } else { Doc::Line };
        let mut docs: Vec<Doc> = arms.into_iter().flat_map(|arm| [arm, end.clone()]).collect();
        docs.push(self.expr(at));
        group(docs)
    }

    fn concat(&self, parts: &[ExprId]) -> Doc {
        let runs: Vec<&[ExprId]> = parts.chunk_by(|a, b| a == b).collect();
        let mut docs: Vec<Doc> = runs
            .iter()
            .map(|run| match run.len() {
                1 => self.expr(run[0]),
                n => Doc::List(vec![text(format!("{{{n}{{")), self.expr(run[0]), text("}}")]),
            })
            .collect();
        if docs.len() == 1 {
            return docs.remove(0);
        }
        let last = docs.len() - 1;
        for doc in &mut docs[..last] {
            *doc = append(std::mem::replace(doc, Doc::Soft), ",");
        }
        group(vec![text("{"), nest(vec![Doc::Soft, Doc::Fill(docs)]), Doc::Soft, text("}")])
    }
}

/// Whether this is a list in braces, which breaks lines inside of them.
pub(super) fn is_braced(doc: &Doc) -> bool {
    let Doc::Group(inner) = doc else { return false };
    matches!(&**inner, Doc::List(docs) if matches!(&docs[0], Doc::Text(brace) if brace == "{"))
}

/// `target = value;` on one line, or the value indented below.
pub(super) fn assignment(target: &str, operator: &str, value: Doc) -> Doc {
    let start = text(format!("{target} {operator}"));
    if is_braced(&value) {
        return Doc::List(vec![start, text(" "), value, text(";")]);
    }
    group(vec![start, nest(vec![Doc::Line, Doc::Group(Box::new(value))]), text(";")])
}

fn operator(binary: Binary, width: u32) -> &'static str {
    match binary {
        Binary::And if width == 1 => "&&",
        Binary::And => "&",
        Binary::Or if width == 1 => "||",
        Binary::Or => "|",
        Binary::Xor => "^",
        Binary::Add => "+",
        Binary::Subtract => "-",
    }
}

/// `[7:4]`, `[3]`.
pub(super) fn range(low: u32, width: u32) -> String {
    if width == 1 { format!("[{low}]") } else { format!("[{}:{low}]", low + width - 1) }
}

/// Decimal if small, else hexadecimal in groups of four digits.
pub(super) fn literal(value: &Value) -> String {
    let width = value.width();
    if width == 1 {
        return format!("1'b{}", value.bit(0) as u8);
    }
    let small = value.to_u128().filter(|value| *value < 256);
    match small {
        Some(small) if width < 8 || !value.is_ones() => format!("{width}'d{small}"),
        _ if value.is_ones() && width > 32 => format!("{{{width}{{1'b1}}}}"),
        _ => format!("{width}'h{}", grouped(&value.to_string())),
    }
}

/// The labels of a `case`: hexadecimal with equally many digits if any of them would be.
pub(super) fn labels(values: &[&Value]) -> Vec<String> {
    let plain: Vec<String> = values.iter().map(|value| literal(value)).collect();
    if !plain.iter().any(|label| label.contains("'h")) {
        return plain;
    }
    let digits = values.iter().map(|value| value.to_string().len()).max().unwrap_or(1);
    let hexadecimal = |value: &&Value| {
        format!("{}'h{}", value.width(), grouped(&format!("{:0>digits$}", value.to_string())))
    };
    values.iter().map(hexadecimal).collect()
}

fn grouped(digits: &str) -> String {
    if digits.len() <= 8 {
        return digits.to_string();
    }
    let first = digits.len() % 4;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (!head.is_empty()).then(|| head.to_string());
    head.into_iter().chain(groups).collect::<Vec<_>>().join("_")
}

fn signed_literal(value: &Value) -> String {
    let width = value.width();
    let negative = value.bit(width - 1);
    match value.to_u128() {
        Some(value) if !negative && value < 256 => format!("{width}'sd{value}"),
        Some(value)
            if negative
                && width < 128
                && (1 << width) - value < 256
                && (1 << width) - value < 1 << (width - 1) =>
        {
            format!("-{width}'sd{}", (1u128 << width) - value)
        }
        _ => format!("{width}'sh{value}"),
    }
}
