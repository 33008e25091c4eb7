//! Memories in the form that synthesis tools take for block or distributed RAM.

use super::{
    comment::{annotate, comment, short},
    expr::{Printer, literal},
    live::Need,
};
use crate::{ir::*, value::Value};
use std::collections::HashMap;

/// The declarations of the memories that are needed for this.
pub(super) fn declarations(printer: &Printer, need: Need) -> Vec<String> {
    let plan = printer.plan;
    let mut lines = vec![];
    for (i, memory) in plan.module.memories.iter().enumerate() {
        if plan.live.memories[i] != need {
            continue;
        }
        lines.extend(comment(&memory.doc, 4));
        // The design never looks at a word that is written at the same edge: no logic is to be spent on it.
        if memory.collision == Collision::Undefined && is_read(printer, MemoryId(i as u32)) {
            lines.push("    (* no_rw_check *)".into());
        }
        let range = if memory.width == 1 { String::new() } else { format!("[{}:0] ", memory.width - 1) };
        let address = clog2(memory.depth) as u32;
        let bound = |index: usize| format!("{address}'d{index}");
        let (first, last) = (bound(0), bound(memory.depth - 1));
        let name = &printer.names.memories[i];
        let mut line = vec![format!("    reg {range}{name} [{first}:{last}];")];
        annotate(&mut line, &short(memory.loc));
        lines.extend(line);
    }
    lines
}

/// Whether the memory is read synchronously.
fn is_read(printer: &Printer, id: MemoryId) -> bool {
    let reads =
        |signal: &Signal| matches!(signal.kind, SignalKind::MemoryRead { memory, .. } if memory == id);
    printer.plan.module.signals.iter().any(reads)
}

/// The initial contents: one value for all words in a loop, and those that differ.
pub(super) fn initial(printer: &Printer, id: MemoryId) -> Vec<String> {
    let memory = &printer.plan.module.memories[id.index()];
    let Some(words) = &memory.initial else { return vec![] };
    let name = &printer.names.memories[id.index()];
    let (label, index) = &printer.names.initial[&id];
    let address = clog2(memory.depth) as u32;
    let common = most_frequent(words);
    let others = words.iter().filter(|word| *word != common).count();
    let mut lines = vec![];
    if others * 2 < words.len() {
        lines.push(format!("    initial begin : {label}"));
        lines.push(format!("        integer {index};"));
        let depth = memory.depth;
        lines.push(format!("        for ({index} = 0; {index} < {depth}; {index} = {index} + 1) begin"));
        lines.push(format!("            {name}[{index}] = {};", literal(common)));
        lines.push("        end".into());
    } else {
        lines.push("    initial begin".into());
    }
    for (i, word) in words.iter().enumerate() {
        if others * 2 >= words.len() || word != common {
            lines.push(format!("        {name}[{address}'d{i}] = {};", literal(word)));
        }
    }
    lines.push("    end".into());
    lines
}

fn most_frequent(words: &[Value]) -> &Value {
    let mut counts: HashMap<&Value, usize> = HashMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    // Of several the smallest, so that the text does not depend on the order of a hash table.
    words.iter().max_by_key(|word| (counts[word], std::cmp::Reverse(*word))).expect("a memory has words")
}
