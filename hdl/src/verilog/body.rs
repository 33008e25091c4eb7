//! What stands between the ports and `endmodule`: the order of things, and their declarations.

use super::{
    comment::{annotate, comment, short},
    expr::{Printer, assignment, is_braced},
    layout::{COLUMNS, Doc, nest, text},
    live::Need,
    memory,
    plan::{Kind, Process},
    stmt::{otherwise, statements},
};
use crate::ir::*;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Something that gives values to wires.
struct Item {
    /// Items are printed in this order, but those that others read before those.
    key: (u32, u8),
    is_instance: bool,
    declares: Vec<Declaration>,
    reads: Vec<String>,
    /// The value of the only wire that is declared here.
    value: Option<Doc>,
    lines: Vec<String>,
}

#[derive(Clone)]
struct Declaration {
    keyword: &'static str,
    width: u32,
    name: String,
    doc: String,
    /// `None` for what has no counterpart in the source.
    loc: Option<Loc>,
}

/// The lines of the body; `children` has the emitted name of each instance's module.
pub(super) fn body(printer: &Printer, design: &Design, children: &[String]) -> Vec<String> {
    let body = Body { printer, design, children };
    let hardware = body.section(Need::Hardware);
    let constants = printer.variants.borrow().clone();
    let unused = body.unused();
    let formal = body.section(Need::Formal);
    let formal_constants = &*printer.variants.borrow() - &constants;

    let mut blocks = vec![body.constants(&constants)];
    blocks.extend(hardware);
    blocks.push(unused);
    let formal: Vec<_> = [body.constants(&formal_constants)].into_iter().chain(formal).collect();
    let mut out = join(blocks);
    let formal = join(formal);
    if !formal.is_empty() {
        if !out.is_empty() {
            out.push(String::new());
        }
        out.push("`ifdef FORMAL".into());
        out.extend(formal);
        out.push("`endif".into());
    }
    out
}

/// Blocks with an empty line between them.
fn join(blocks: Vec<Vec<String>>) -> Vec<String> {
    let mut out: Vec<String> = vec![];
    for block in blocks.into_iter().filter(|block| !block.is_empty()) {
        if !out.is_empty() {
            out.push(String::new());
        }
        out.extend(block);
    }
    out
}

struct Body<'p, 'a> {
    printer: &'p Printer<'a>,
    design: &'p Design,
    children: &'p [String],
}

impl Body<'_, '_> {
    fn constants(&self, used: &BTreeSet<(EnumId, usize)>) -> Vec<String> {
        let mut lines = vec![];
        let mut last = None;
        for &(enumeration, position) in used {
            if last.is_some_and(|last| last != enumeration) {
                lines.push(String::new());
            }
            last = Some(enumeration);
            let variant = &self.printer.plan.module.enums[enumeration.index()].variants[position];
            let name = &self.printer.names.variants[&(enumeration, position)];
            let value = variant.value.to_u128().expect("constants with a name are small");
            lines.extend(comment(&variant.doc, 4));
            lines.push(format!("    localparam integer {name} = {value};"));
        }
        lines
    }

    /// Memories, registers, wires and processes that are needed for the same.
    fn section(&self, need: Need) -> Vec<Vec<String>> {
        let plan = self.printer.plan;
        let mut items = self.items(need);
        order(&mut items);
        let mut seen: HashSet<&str> = HashSet::new();
        let mut early: HashSet<String> = HashSet::new();
        for item in &items {
            seen.extend(item.reads.iter().map(String::as_str));
            let late = item.declares.iter().filter(|declaration| seen.contains(declaration.name.as_str()));
            early.extend(late.map(|declaration| declaration.name.clone()));
        }
        let ahead = items.iter().flat_map(|item| &item.declares);
        let ahead: Vec<Declaration> = ahead.filter(|it| early.contains(&it.name)).cloned().collect();
        let mut blocks = vec![memory::declarations(self.printer, need)];
        blocks.push(declarations(&self.registers(need)));
        blocks.push(declarations(&ahead));
        blocks.extend(wires(items, &early));
        for memory in (0..plan.module.memories.len()).map(|i| MemoryId(i as u32)) {
            if plan.live.memories[memory.index()] == need {
                blocks.push(memory::initial(self.printer, memory));
            }
        }
        for process in plan.processes.iter().filter(|process| process.need == need) {
            blocks.push(self.clocked(process));
        }
        blocks
    }

    fn registers(&self, need: Need) -> Vec<Declaration> {
        let plan = self.printer.plan;
        let all = plan.module.signals.iter().enumerate();
        let all = all.filter(|(i, signal)| {
            let clocked = matches!(signal.kind, SignalKind::Register { .. } | SignalKind::MemoryRead { .. });
            clocked && plan.live.signals[*i] == need && !plan.alias.contains_key(&SignalId(*i as u32))
        });
        all.map(|(i, _)| self.declare("reg ", SignalId(i as u32))).collect()
    }

    fn declare(&self, keyword: &'static str, id: SignalId) -> Declaration {
        let signal = self.printer.plan.signal(id);
        let name = self.printer.signal_name(id).to_string();
        Declaration { keyword, width: signal.width, name, doc: signal.doc.clone(), loc: Some(signal.loc) }
    }

    fn items(&self, need: Need) -> Vec<Item> {
        let printer = self.printer;
        let plan = printer.plan;
        let mut items = vec![];
        for (&id, (name, own)) in &printer.names.hoisted {
            if *own != need {
                continue;
            }
            if plan.direct.contains_key(&id) {
                let lines = assignment(&format!("assign {name}"), "=", printer.definition(id)).lines(4);
                items.push(self.item((id.0, 0), vec![], None, lines));
                continue;
            }
            let expr = plan.expr(id);
            let loc = (!expr.name.is_empty()).then_some(expr.loc);
            let declaration = Declaration {
                keyword: "wire",
                width: expr.width,
                name: name.clone(),
                doc: expr.doc.clone(),
                loc,
            };
            let value = Some(printer.definition(id));
            items.push(self.item((id.0, 0), vec![declaration], value, vec![]));
        }
        for process in plan.processes.iter().filter(|process| process.need == need) {
            items.extend(self.combinational(process));
        }
        if need == Need::Hardware {
            for instance in 0..plan.module.instances.len() {
                items.push(self.instance(instance));
            }
        }
        items
    }

    /// An item of what has just been printed.
    fn item(
        &self,
        key: (u32, u8),
        declares: Vec<Declaration>,
        value: Option<Doc>,
        lines: Vec<String>,
    ) -> Item {
        let reads = self.take_reads();
        Item { key, is_instance: false, declares, reads, value, lines }
    }

    /// The names read since this was last called, in the order of their first appearance.
    fn take_reads(&self) -> Vec<String> {
        let recent = std::mem::take(&mut *self.printer.recent.borrow_mut());
        let mut names: Vec<(usize, String)> = recent.into_iter().map(|(name, at)| (at, name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// Whether a combinational signal needs a declaration: ports and names of ports do not.
    fn is_internal(&self, id: SignalId) -> bool {
        self.printer.plan.signal(self.printer.plan.resolve(id)).kind != SignalKind::Output
    }

    fn combinational(&self, process: &Process) -> Option<Item> {
        let printer = self.printer;
        match &process.kind {
            Kind::Drive { target, value } => {
                let declares = self.is_internal(*target).then(|| self.declare("wire", *target));
                let doc = printer.value(*value);
                if declares.is_some() {
                    return Some(self.item((value.0, 1), declares.into_iter().collect(), Some(doc), vec![]));
                }
                let target = format!("assign {}", printer.signal_name(*target));
                let lines = assignment(&target, "=", doc).lines(4);
                Some(self.item((value.0, 1), vec![], None, lines))
            }
            Kind::Comb { targets } => {
                let mut last = 0;
                walk(&process.body, &mut |stmt| {
                    last = stmt.operands().iter().map(|id| id.0).chain([last]).max().unwrap_or(last);
                });
                let choice = targets.iter().filter_map(|target| self.printer.plan.choices.get(target)).min();
                let key = choice.map_or(last, |id| id.0);
                self.take_reads();
                let inner = statements(printer, &process.body, "=", 8);
                let reads = self.take_reads();
                // A process that waits for nothing is none: one that reads constants only waits for one.
                let constant = reads
                    .is_empty()
                    .then(|| printer.names.fresh(&format!("{}_constant", printer.signal_name(targets[0]))));
                let awaited: Vec<&String> = reads.iter().chain(&constant).collect();
                let count = awaited.len();
                let names = awaited.into_iter().enumerate();
                let names = names
                    .map(|(i, name)| text(format!("{name}{}", if i + 1 == count { "" } else { "," })))
                    .collect();
                let head = Doc::List(vec![
                    text("always @("),
                    nest(vec![nest(vec![Doc::Fill(names)])]),
                    text(") begin"),
                ]);
                let declaration = constant.iter().map(|name| format!("    wire {name} = 1'b0;"));
                let mut lines: Vec<String> = declaration.collect();
                lines.extend(head.lines(4));
                lines.extend(inner);
                lines.push("    end".into());
                let internal = targets.iter().filter(|target| self.is_internal(**target));
                let declares = internal.map(|target| self.declare("reg ", *target)).collect();
                Some(Item { key: (key, 1), is_instance: false, declares, reads, value: None, lines })
            }
            _ => None,
        }
    }

    fn clocked(&self, process: &Process) -> Vec<String> {
        let printer = self.printer;
        let module = &printer.plan.module;
        let domain = match process.kind {
            Kind::Clocked { domain, .. } | Kind::Memory { domain, .. } | Kind::Check { domain } => {
                &module.domains[domain.index()]
            }
            Kind::Drive { .. } | Kind::Comb { .. } => return vec![],
        };
        let edge = if domain.clocked || !matches!(process.kind, Kind::Check { .. }) {
            printer.reads(&domain.clock_port(), 0, 1);
            format!("posedge {}", domain.clock_port())
        } else {
            String::new()
        };
        let reset = domain.reset_port();
        let mut lines = vec![];
        self.take_reads();
        match &process.kind {
            Kind::Clocked { reset: true, targets, .. } => {
                printer.reads(&reset, 0, 1);
                lines.push(format!("        if ({reset}) begin"));
                for target in targets {
                    let signal = printer.plan.signal(*target);
                    let SignalKind::Register { reset: Some(value), .. } = &signal.kind else { continue };
                    let value = printer.constant(signal.enumeration, value);
                    lines.push(format!("            {} <= {value};", printer.signal_name(*target)));
                }
                lines.extend(otherwise(printer, &process.body, "<=", 8));
            }
            Kind::Check { .. } if domain.reset => {
                lines.push(format!("        if (!{reset}) begin"));
                lines.extend(statements(printer, &process.body, "<=", 12));
                lines.push("        end".into());
            }
            _ => lines = statements(printer, &process.body, "<=", 8),
        }
        let reads = self.take_reads();
        let edge = if edge.is_empty() { reads.join(", ") } else { edge };
        lines.insert(0, format!("    always @({edge}) begin"));
        lines.push("    end".into());
        lines
    }

    fn instance(&self, index: usize) -> Item {
        let printer = self.printer;
        let plan = printer.plan;
        let instance = &plan.module.instances[index];
        let child = self.design.module(instance.module);
        let mut pins: Vec<(String, Doc)> = vec![];
        for (domain, binding) in child.domains.iter().zip(&instance.domains) {
            let own = &plan.module.domains[binding.index()];
            let pairs = [
                (domain.clocked, domain.clock_port(), own.clock_port()),
                (domain.reset, domain.reset_port(), own.reset_port()),
            ];
            for (_, pin, port) in pairs.into_iter().filter(|(used, ..)| *used) {
                printer.reads(&port, 0, 1);
                pins.push((pin, text(port)));
            }
        }
        let mut declares = vec![];
        let mut key = (u32::MAX, 0);
        let mut last = 0;
        self.take_reads();
        for (port, &signal) in child.signals.iter().zip(&instance.connections) {
            let doc = match plan.connected.get(&signal) {
                Some(&value) => {
                    last = last.max(value.0);
                    printer.expr(value)
                }
                None => {
                    let name = printer.signal_name(signal);
                    if port.kind == SignalKind::Output {
                        if self.is_internal(signal) {
                            declares.push(self.declare("wire", plan.resolve(signal)));
                        }
                    } else {
                        printer.reads(name, 0, port.width);
                    }
                    text(name)
                }
            };
            pins.push((port.name.clone(), doc));
        }
        let outputs: HashSet<SignalId> = instance.connections.iter().copied().collect();
        for (id, expr) in plan.exprs.iter().enumerate() {
            if let Op::Signal(signal) = expr.op
                && outputs.contains(&signal)
                && matches!(plan.signal(signal).kind, SignalKind::InstanceOutput { .. })
            {
                key = key.min((id as u32, 0));
            }
        }
        let key = if key.0 == u32::MAX { (last, 2) } else { key };
        let name = &printer.names.instances[index];
        let mut lines = comment(&instance.doc, 4);
        let parameters = child.black_box.as_ref().map_or(&[][..], |primitive| &primitive.parameters);
        if parameters.is_empty() {
            lines.push(format!("    {} {name} (", self.children[index]));
        } else {
            lines.push(format!("    {} #(", self.children[index]));
            let values = parameters.iter().map(|(name, value)| (name.clone(), text(parameter(value))));
            lines.extend(connections(values.collect()));
            lines.push(format!("    ) {name} ("));
        }
        let mut head = lines.split_off(lines.len() - 1);
        annotate(&mut head, &short(instance.loc));
        lines.extend(head);
        lines.extend(connections(pins));
        lines.push("    );".into());
        Item { is_instance: true, ..self.item(key, declares, None, lines) }
    }

    /// Reads the bits that nothing else reads, so that no tool takes them for a mistake.
    fn unused(&self) -> Vec<String> {
        let printer = self.printer;
        let plan = printer.plan;
        let read = printer.read.borrow();
        let mut names: Vec<(&str, u32)> = vec![];
        let clocks: Vec<String> = plan
            .module
            .domains
            .iter()
            .flat_map(|domain| [(domain.clocked, domain.clock_port()), (domain.reset, domain.reset_port())])
            .filter(|(used, _)| *used)
            .map(|(_, name)| name)
            .collect();
        names.extend(clocks.iter().map(|name| (name.as_str(), 1)));
        for (i, signal) in plan.module.signals.iter().enumerate() {
            let id = SignalId(i as u32);
            let hardware = signal.kind == SignalKind::Input || plan.live.signals[i] == Need::Hardware;
            let formal = matches!(signal.kind, SignalKind::InstanceOutput { .. })
                && plan.live.signals[i] == Need::Formal;
            let internal = signal.kind != SignalKind::Output && !plan.alias.contains_key(&id);
            if (hardware || formal) && internal && !plan.connected.contains_key(&id) {
                names.push((&printer.names.signals[i], signal.width));
            }
        }
        for (id, (name, need)) in &printer.names.hoisted {
            if *need == Need::Hardware && !plan.direct.contains_key(id) {
                names.push((name, plan.expr(*id).width));
            }
        }
        let nothing = BTreeSet::new();
        let mut pieces = vec!["1'b0".to_string()];
        for (name, width) in names {
            let read = read.get(name).unwrap_or(&nothing);
            let free: Vec<u32> = (0..width).filter(|bit| !read.contains(bit)).collect();
            let runs: Vec<&[u32]> = free.chunk_by(|a, b| a + 1 == *b).collect();
            for run in runs.iter().rev() {
                let whole = run.len() as u32 == width;
                let part = if whole { String::new() } else { super::expr::range(run[0], run.len() as u32) };
                pieces.push(format!("{name}{part}"));
            }
        }
        // A model does the same whatever the parameters say.
        for (name, value) in plan.module.black_box.iter().flat_map(|primitive| &primitive.parameters) {
            pieces.push(format!("{name} == {}", parameter(value)));
        }
        if pieces.len() == 1 {
            return vec![];
        }
        let last = pieces.len() - 1;
        let pieces = pieces.into_iter().enumerate();
        let pieces =
            pieces.map(|(i, piece)| text(if i == last { piece } else { format!("{piece},") })).collect();
        let list = vec![text("wire unused = &{"), nest(vec![Doc::Soft, Doc::Fill(pieces)]), Doc::Soft];
        let doc = super::layout::group([list, vec![text("};")]].concat());
        let mut lines = comment("Nothing reads these.", 4);
        lines.extend(doc.lines(4));
        lines
    }
}

/// A value of a parameter of a primitive.
pub(super) fn parameter(value: &Parameter) -> String {
    match value {
        Parameter::Integer(value) => value.to_string(),
        Parameter::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// `.name (value),` in columns; without columns, or on two lines, where a name is too long for that.
fn connections(pins: Vec<(String, Doc)>) -> Vec<String> {
    let column = pins.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let count = pins.len();
    let mut lines = vec![];
    for (i, (name, value)) in pins.into_iter().enumerate() {
        let end = if i + 1 == count { ")" } else { ")," };
        let fits = |column: usize| 8 + 1 + column + 1 + value.width() + end.len() <= COLUMNS;
        let is_name = matches!(value, Doc::Text(_));
        let head = match is_name && !fits(column) {
            false => text(format!(".{name:column$}(")),
            true if fits(name.len()) => text(format!(".{name}(")),
            true => Doc::List(vec![text(format!(".{name}")), nest(vec![Doc::Hard, text("(")])]),
        };
        let value = if is_braced(&value) { value } else { nest(vec![value]) };
        lines.extend(Doc::List(vec![head, value, text(end)]).lines(8));
    }
    lines
}

/// Puts readers behind what they read, as far as that is possible.
fn order(items: &mut Vec<Item>) {
    let mut source: Vec<Option<Item>> = std::mem::take(items).into_iter().map(Some).collect();
    source.sort_by_key(|item| item.as_ref().map(|item| item.key));
    let mut producer: HashMap<String, usize> = HashMap::new();
    for (i, item) in source.iter().flatten().enumerate() {
        producer.extend(item.declares.iter().map(|declaration| (declaration.name.clone(), i)));
    }
    // Instances stay in the order of the source, whichever way data runs between them.
    let instances: Vec<bool> = source.iter().flatten().map(|item| item.is_instance).collect();
    let needs: Vec<Vec<usize>> = source
        .iter()
        .flatten()
        .map(|item| {
            let producers = item.reads.iter().filter_map(|name| producer.get(name).copied());
            producers.filter(|producer| !(item.is_instance && instances[*producer])).collect()
        })
        .collect();
    let mut entered = vec![false; source.len()];
    let mut stack: Vec<usize> = (0..source.len()).rev().collect();
    while let Some(&i) = stack.last() {
        if !std::mem::replace(&mut entered[i], true) {
            let mut before: Vec<usize> = needs[i].iter().copied().filter(|need| !entered[*need]).collect();
            before.sort_unstable_by(|a, b| b.cmp(a));
            stack.extend(before);
        } else {
            stack.pop();
            items.extend(source[i].take());
        }
    }
}

/// Declarations in columns, with their documentation, and where they come from if that changes.
fn declarations(all: &[Declaration]) -> Vec<String> {
    let column = all.iter().map(|it| range(it.width).len()).max().unwrap_or(0);
    let gap = if column == 0 { 0 } else { column + 1 };
    let mut lines = vec![];
    let mixed = all.iter().any(|it| it.keyword != all[0].keyword);
    let (mut last_doc, mut last_loc) = ("", None);
    for it in all {
        if it.doc != last_doc {
            lines.extend(comment(&it.doc, 4));
        }
        let keyword = if mixed { it.keyword } else { it.keyword.trim_end() };
        let mut line = vec![format!("    {keyword} {:gap$}{};", range(it.width), it.name)];
        note(&mut line, it.loc, &mut last_loc);
        lines.extend(line);
        last_doc = &it.doc;
    }
    lines
}

fn range(width: u32) -> String {
    if width == 1 { String::new() } else { format!("[{}:0]", width - 1) }
}

fn note(lines: &mut Vec<String>, loc: Option<Loc>, last: &mut Option<String>) {
    let place = loc.map(short);
    if let Some(place) = place.as_ref().filter(|place| last.as_ref() != Some(place)) {
        annotate(lines, place);
    }
    *last = place;
}

/// The blocks of wires, combinational processes and instances.
fn wires(items: Vec<Item>, early: &HashSet<String>) -> Vec<Vec<String>> {
    let mut blocks: Vec<Vec<String>> = vec![];
    let mut current: Vec<String> = vec![];
    let mut last_loc = None;
    for item in items {
        let here: Vec<Declaration> =
            item.declares.iter().filter(|it| !early.contains(&it.name)).cloned().collect();
        if let Some(value) = item.value {
            let it = &item.declares[0];
            let mut lines = vec![];
            if here.is_empty() {
                lines.extend(assignment(&format!("assign {}", it.name), "=", value).lines(4));
            } else {
                lines.extend(comment(&it.doc, 4));
                let range = range(it.width);
                let gap = if range.is_empty() { "" } else { " " };
                let target = format!("wire {range}{gap}{}", it.name);
                let mut wire = assignment(&target, "=", value).lines(4);
                note(&mut wire, it.loc, &mut last_loc);
                lines.extend(wire);
            }
            current.extend(lines);
            continue;
        }
        if item.lines.len() == 1 || item.lines.first().is_some_and(|line| line.starts_with("    assign")) {
            last_loc = None;
            current.extend(item.lines);
            continue;
        }
        blocks.push(std::mem::take(&mut current));
        last_loc = None;
        let mut lines = declarations(&here);
        lines.extend(item.lines);
        blocks.push(lines);
    }
    blocks.push(current);
    blocks
}
