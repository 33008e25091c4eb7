//! Statements as text.

use super::{
    comment::comment,
    expr::{Printer, assignment, labels, literal, range},
    layout::{COLUMNS, Doc, group, nest, text},
};
use crate::{ir::*, value::Value};
use std::cmp::Ordering;

const STEP: usize = 4;

/// The lines of `body` in a process, indented by `indent`; `arrow` assigns.
pub(super) fn statements(
    printer: &Printer,
    body: &[Stmt],
    arrow: &'static str,
    indent: usize,
) -> Vec<String> {
    let mut block = Block { printer, arrow, indent, lines: vec![] };
    block.body(body);
    block.lines
}

/// The lines of an `else` with this body and of the `end` behind it.
pub(super) fn otherwise(printer: &Printer, body: &[Stmt], arrow: &'static str, indent: usize) -> Vec<String> {
    let mut block = Block { printer, arrow, indent, lines: vec![] };
    block.otherwise(body);
    block.lines
}

struct Block<'p, 'a> {
    printer: &'p Printer<'a>,
    arrow: &'static str,
    indent: usize,
    lines: Vec<String>,
}

impl Block<'_, '_> {
    fn line(&mut self, line: &str) {
        self.lines.push(format!("{}{line}", " ".repeat(self.indent)));
    }

    fn doc(&mut self, doc: Doc) {
        self.lines.extend(doc.lines(self.indent));
    }

    fn nested(&mut self, body: &[Stmt]) {
        self.indent += STEP;
        self.body(body);
        self.indent -= STEP;
    }

    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::If { condition, then, otherwise, .. } => {
                    self.conditional(*condition, then, otherwise, "");
                }
                Stmt::Case(case) => self.case(case),
                Stmt::Assign { target, part, value, .. } => self.assign(*target, *part, *value),
                Stmt::MemoryRead { memory, address, target, .. } => {
                    let name = &self.printer.names.memories[memory.index()];
                    let address = self.printer.expr(*address);
                    let word = Doc::List(vec![text(format!("{name}[")), address, text("]")]);
                    self.doc(assignment(self.printer.signal_name(*target), self.arrow, word));
                }
                Stmt::MemoryWrite { memory, address, data, lanes, .. } => {
                    self.write(*memory, *address, *data, *lanes);
                }
                Stmt::Check { kind, message, condition, .. } => self.check(*kind, message, *condition),
            }
        }
    }

    /// `before` closes the `if` that this one is an alternative of.
    fn conditional(&mut self, condition: ExprId, then: &[Stmt], otherwise: &[Stmt], before: &str) {
        let (condition, then, otherwise) = match then {
            [] => (self.printer.negated(condition), otherwise, &[][..]),
            _ => (self.printer.expr(condition), then, otherwise),
        };
        let start = text(format!("{before}if ("));
        self.doc(group(vec![start, nest(vec![Doc::Soft, condition]), Doc::Soft, text(") begin")]));
        self.nested(then);
        self.otherwise(otherwise);
    }

    fn otherwise(&mut self, body: &[Stmt]) {
        match body {
            [] => self.line("end"),
            [Stmt::If { condition, then, otherwise, .. }] => {
                self.conditional(*condition, then, otherwise, "end else ");
            }
            _ => {
                self.line("end else begin");
                self.nested(body);
                self.line("end");
            }
        }
    }

    fn case(&mut self, case: &Case) {
        let selector = nest(vec![Doc::Soft, self.printer.expr(case.selector)]);
        self.doc(group(vec![text("case ("), selector, Doc::Soft, text(")")]));
        // With all values listed, or all variants of an enumeration, the last one is the default as well.
        let width = self.printer.plan.expr(case.selector).width;
        let complete = width < 32 && case.arms.len() as u64 == 1 << width;
        let (arms, last, note) = match (&case.default, case.arms.split_last()) {
            (None, Some((last, arms))) if complete || case.enumeration.is_some() => {
                let note = (!last.body.is_empty()).then_some(&last.value);
                (arms, last.body.as_slice(), note)
            }
            (default, _) => (case.arms.as_slice(), default.as_deref().unwrap_or(&[]), None),
        };
        let values: Vec<&Value> = arms.iter().map(|arm| &arm.value).collect();
        let numbers = labels(&values);
        let label = |i: usize| match case.enumeration {
            Some(_) => self.printer.constant(case.enumeration, values[i]),
            None => numbers[i].clone(),
        };
        let bodies: Vec<_> = arms.iter().map(|arm| self.arm_body(&arm.body)).collect();
        let default = self.arm_body(last);
        // Arms of equal text share a label.
        let mut printed: Vec<(Vec<String>, Vec<String>)> = vec![];
        for (i, lines) in bodies.into_iter().enumerate() {
            // Arms that do the same as the default are not needed; but a list of states is better complete.
            if lines == default && (lines.is_empty() || case.enumeration.is_none() && note.is_none()) {
                continue;
            }

            match printed.last_mut() {
                Some((labels, body)) if *body == lines => labels.push(label(i)),
                _ => printed.push((vec![label(i)], lines)),
            }
        }
        let note = note.map(|value| self.printer.label(case.enumeration, value));
        self.indent += STEP;
        for (labels, body) in printed {
            self.arm(&labels, None, body);
        }
        self.arm(&["default".to_string()], note, default);
        self.indent -= STEP;
        self.line("endcase");
    }

    fn arm_body(&self, body: &[Stmt]) -> Vec<String> {
        statements(self.printer, body, self.arrow, self.indent + 2 * STEP)
    }

    fn arm(&mut self, labels: &[String], note: Option<String>, body: Vec<String>) {
        let last = labels.len() - 1;
        let pieces = labels.iter().enumerate();
        let pieces = pieces.map(|(i, label)| text(format!("{label}{}", if i == last { ":" } else { "," })));
        self.doc(Doc::Fill(pieces.collect()));
        let note = note.map(|note| format!("  // {note}")).unwrap_or_default();
        let head = self.lines.last_mut().expect("the labels");
        match body.as_slice() {
            [] => head.push_str(" ;"),
            [only] if is_simple(only) && head.len() + only.trim_start().len() + note.len() < COLUMNS => {
                head.push_str(&format!(" {}{note}", only.trim_start()));
            }
            _ => {
                head.push_str(&format!(" begin{note}"));
                self.lines.extend(body);
                self.line("end");
            }
        }
    }

    fn assign(&mut self, target: SignalId, part: Part, value: ExprId) {
        let name = self.printer.signal_name(target);
        let size = self.printer.plan.signal(target).width;
        let value = self.printer.value(value);
        let (condition, place) = match part {
            Part::Whole => (None, name.to_string()),
            Part::Slice { low, width } if width < size => (None, format!("{name}{}", range(low, width))),
            Part::Slice { .. } => (None, name.to_string()),
            Part::Bit(index) => self.bit(name, size, index),
        };
        let assignment = assignment(&place, self.arrow, value);
        match condition {
            None => self.doc(assignment),
            Some(condition) => {
                self.line(&format!("if ({condition}) begin"));
                self.lines.extend(assignment.lines(self.indent + STEP));
                self.line("end");
            }
        }
    }

    /// The bit of `name` that `index` picks, and the condition that there is one.
    fn bit(&self, name: &str, size: u32, index: ExprId) -> (Option<String>, String) {
        let width = self.printer.plan.expr(index).width;
        let needed = clog2(size as usize) as u32;
        let flat = |doc: Doc| doc.lines(0).iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        if size == 1 {
            let zero = match width {
                1 => flat(self.printer.negated(index)),
                _ => format!("{} == {width}'d0", flat(self.printer.operand(index))),
            };
            return (Some(zero), name.to_string());
        }
        let index = flat(self.printer.expr(index));
        match width.cmp(&needed) {
            Ordering::Greater => {
                let place = format!("{name}[{index}{}]", range(0, needed));
                (Some(format!("{index} < {width}'d{size}")), place)
            }
            Ordering::Less => {
                let zeros = literal(&Value::zero(needed - width));
                (None, format!("{name}[{{{zeros}, {index}}}]"))
            }
            Ordering::Equal => (None, format!("{name}[{index}]")),
        }
    }

    fn write(&mut self, memory: MemoryId, address: ExprId, data: ExprId, lanes: Option<ExprId>) {
        let printer = self.printer;
        let name = &printer.names.memories[memory.index()];
        let place = |part: &str| {
            let address = printer.expr(address).lines(0);
            let address = address.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
            format!("{name}[{address}]{part}")
        };
        let Some(lanes) = lanes else {
            return self.doc(assignment(&place(""), self.arrow, printer.value(data)));
        };
        let count = printer.plan.expr(lanes).width;
        let width = printer.plan.module.memories[memory.index()].width / count;
        for lane in 0..count {
            let part = range(lane * width, width);
            let enable = if count == 1 { String::new() } else { format!("[{lane}]") };
            let enable = printer.selected(lanes, &enable, lane, 1);
            let value = printer.selected(data, &part, lane * width, width);
            self.line(&format!("if ({enable}) begin"));
            let part = if count == 1 { "" } else { &part };
            let assignment = assignment(&place(part), self.arrow, text(value));
            self.lines.extend(assignment.lines(self.indent + STEP));
            self.line("end");
        }
    }

    fn check(&mut self, kind: CheckKind, message: &str, condition: ExprId) {
        self.lines.extend(comment(message, self.indent));
        let number = self.printer.next_check.get();
        self.printer.next_check.set(number + 1);
        let label = &self.printer.names.checks[number];
        let kind = match kind {
            CheckKind::Assert => "assert",
            CheckKind::Assume => "assume",
            CheckKind::Cover => "cover",
        };
        let condition = nest(vec![Doc::Soft, self.printer.expr(condition)]);
        self.doc(group(vec![text(format!("{label}: {kind} (")), condition, Doc::Soft, text(");")]));
    }
}

impl Printer<'_> {
    /// Bits of an expression that has a name: `part` is how to pick them, empty for all.
    fn selected(&self, id: ExprId, part: &str, low: u32, width: u32) -> String {
        match self.identifier(id) {
            Some(name) => {
                self.reads(name, low, width);
                let whole = self.plan.expr(id).width == width;
                format!("{name}{}", if whole { "" } else { part })
            }
            None => {
                let Op::Literal(value) = &self.plan.expr(id).op else {
                    unreachable!("data and lanes have a name")
                };
                literal(&value.slice(low, width))
            }
        }
    }
}

/// Whether a line is an assignment.
fn is_simple(line: &str) -> bool {
    line.ends_with(';') && !line.trim_start().starts_with("//")
}
