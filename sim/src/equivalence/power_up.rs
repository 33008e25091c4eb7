//! Values at power-up for the emitted Verilog, which leaves them open: those that the native simulator starts with.

use hdl::{Design, ir::*};
use std::collections::{HashMap, HashSet};

/// Inserts an `initial` block in each module of `verilog`, the text of `design`, that sets its registers to their
/// reset values, or 0, and its memories without initial contents to 0; it begins with `delay`.
pub fn power_up(verilog: &str, design: &Design, delay: &str) -> String {
    let modules: HashMap<&str, &Module> =
        design.modules.iter().map(|module| (module.name.as_str(), module)).collect();
    let (mut module, mut declared) = (None, vec![]);
    // What only assertions read is declared for them only.
    let mut for_assertions = false;
    let mut out = String::new();
    for line in verilog.lines() {
        if let Some(rest) = line.strip_prefix("module ") {
            module = modules.get(original(&modules, word(rest)));
            declared.clear();
        }
        for_assertions = line == "`ifdef FORMAL" || (for_assertions && line != "`endif");
        declared.extend(declaration(line).filter(|_| !for_assertions));
        if line == "endmodule"
            && let Some(module) = module
        {
            out += &initial(module, &declared, delay);
        }
        out += line;
        out.push('\n');
    }
    out
}

/// The identifier at the start of `text`.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The name of the module that is emitted as `name`: modules of equal name and different text are numbered.
fn original<'a>(modules: &HashMap<&str, &Module>, name: &'a str) -> &'a str {
    if modules.contains_key(name) {
        return name;
    }
    name.rsplit_once('_').map_or(name, |(base, _)| base)
}

/// The variable that a line declares.
fn declaration(line: &str) -> Option<String> {
    let line = line.trim_start();
    let line = line.strip_prefix("output ").unwrap_or(line).strip_prefix("reg ")?.trim_start();
    let name = match line.strip_prefix('[') {
        Some(range) => range.split_once(']')?.1.trim_start(),
        None => line,
    };
    Some(word(name).to_string())
}

fn initial(module: &Module, declared: &[String], delay: &str) -> String {
    let known = |name: &str| declared.iter().any(|declared| declared == name);
    let mut lines = vec![];
    for (index, signal) in module.signals.iter().enumerate().filter(|(_, signal)| !signal.ghost) {
        let name = match known(&signal.name) {
            true => &signal.name,
            false => match output_of(module, SignalId(index as u32), known) {
                Some(output) => output,
                None => continue,
            },
        };
        let value = match &signal.kind {
            SignalKind::Register { reset: Some(value), .. } => format!("{}'h{value}", value.width()),
            SignalKind::Register { .. } | SignalKind::MemoryRead { .. } => format!("{}'h0", signal.width),
            _ => continue,
        };
        lines.push(format!("{name} = {value};"));
    }
    for Memory { name, depth, width, .. } in module.memories.iter().filter(|memory| memory.initial.is_none())
    {
        if !known(name) {
            continue;
        }
        lines
            .push(format!("for (power = 0; power < {depth}; power = power + 1) {name}[power] = {width}'h0;"));
    }
    if lines.is_empty() {
        return String::new();
    }
    format!("integer power;\ninitial begin\n{delay}\n{}\nend\n", lines.join("\n"))
}

/// The output that is nothing but this register: the emitter prints one variable for both, and finds out through
/// expressions that change nothing. An output that is a variable has one register behind it that is none.
fn output_of(module: &Module, register: SignalId, known: impl Fn(&str) -> bool) -> Option<&str> {
    module.body.iter().find_map(|stmt| {
        let Stmt::Assign { target, part: Part::Whole, value, .. } = stmt else { return None };
        let output = module.signal(*target);
        if output.kind != SignalKind::Output || !known(&output.name) {
            return None;
        }
        let (mut behind, mut seen) = (vec![], HashSet::new());
        registers_behind(module, *value, &mut seen, &mut behind);
        behind.retain(|id| module.signal(*id).width == output.width && !known(&module.signal(*id).name));
        (behind == [register]).then_some(output.name.as_str())
    })
}

/// The registers that an expression reads, each once.
fn registers_behind(module: &Module, expr: ExprId, seen: &mut HashSet<ExprId>, found: &mut Vec<SignalId>) {
    if !seen.insert(expr) {
        return;
    }
    let op = &module.expr(expr).op;
    op.operands().into_iter().for_each(|operand| registers_behind(module, operand, seen, found));
    let Op::Signal(id) = *op else { return };
    match module.signal(id).kind {
        SignalKind::Register { .. } | SignalKind::MemoryRead { .. } => {
            if !found.contains(&id) {
                found.push(id);
            }
        }
        _ => {
            for stmt in &module.body {
                if let Stmt::Assign { target, part: Part::Whole, value, .. } = stmt
                    && *target == id
                {
                    registers_behind(module, *value, seen, found);
                }
            }
        }
    }
}
