//! Makes a module on which simulators disagree as small as it gets while they still do.

mod compact;

use super::{
    FuzzError,
    check::{Checker, Verdict},
    description::*,
    number::Number,
};
use compact::compact;
use std::time::{Duration, Instant};

/// How long a module is shrunk at most.
const LIMIT: Duration = Duration::from_secs(40);

/// How many candidates are built into one model.
const BATCH: usize = 24;

/// The smallest module found that makes the same simulator disagree, and what it shows.
///
/// # Errors
/// If a tool is missing.
pub fn shrink(checker: &Checker, module: Module, verdict: Verdict) -> Result<(Module, Verdict), FuzzError> {
    let mut checker = checker.clone();
    checker.engines.retain(|engine| verdict.engine().is_none_or(|guilty| guilty == *engine));
    let start = Instant::now();
    let (mut module, mut verdict) = (module, verdict);
    let mut from = 0;
    // Rounds go through the edits in a circle: what could be dropped is often followed by more of it.
    while start.elapsed() < LIMIT {
        let mut all = edits(&module);
        let middle = from % all.len().max(1);
        // The bold ones first, in every round.
        let bold =
            |edit: &Edit| !matches!(edit, Edit::Only(_) | Edit::RemoveRange(..) | Edit::ConstantRange(..));
        all.rotate_left(middle);
        all.sort_by_key(bold);
        let mut smaller = None;
        let mut at = 0;
        while at < all.len() && smaller.is_none() && start.elapsed() < LIMIT {
            let mut candidates = vec![];
            while at < all.len() && candidates.len() < BATCH {
                candidates
                    .extend(edited(&module, &all[at]).map(|candidate| renamed(&candidate, candidates.len())));
                at += 1;
            }
            let verdicts = checker.check(&candidates)?;
            let failing = verdicts.into_iter().zip(candidates).filter(|(found, _)| alike(found, &verdict));
            smaller = failing.min_by_key(|(_, candidate)| candidate.size());
        }
        let Some(next) = smaller else { break };
        (verdict, module) = next;
        from = middle + at;
    }
    Ok((module, verdict))
}

/// Whether two verdicts tell of one fault.
fn alike(a: &Verdict, b: &Verdict) -> bool {
    match (a, b) {
        (Verdict::Different(_), Verdict::Different(_)) => true,
        (Verdict::Failed { message: a, .. }, Verdict::Failed { message: b, .. }) => {
            let kind = |text: &str| text.chars().filter(|c| c.is_alphabetic()).take(24).collect::<String>();
            kind(a) == kind(b)
        }
        _ => false,
    }
}

/// A copy whose modules have names of their own.
fn renamed(module: &Module, index: usize) -> Module {
    fn rename(module: &mut Module, prefix: &str) {
        // Generated names begin with `e` or `m`; what stands before is of the last round.
        let base = &module.name[module.name.find(['e', 'm']).unwrap_or(0)..];
        module.name = format!("{prefix}_{base}");
        module.instances.iter_mut().for_each(|instance| rename(&mut instance.module, prefix));
    }
    let mut copy = module.clone();
    rename(&mut copy, &format!("c{index}"));
    copy
}

/// One way to make a module smaller.
#[derive(Clone, Debug)]
enum Edit {
    /// Drops all outputs but one.
    Only(usize),
    /// Drops an output.
    Output(usize),
    /// Drops a range of the statements of the module's own block.
    RemoveRange(usize, usize),
    /// Zeros in place of a range of nodes.
    ConstantRange(NodeId, NodeId),
    /// Drops the statement that is n-th in reading order.
    Remove(usize),
    /// Puts one of its blocks in place of a statement.
    Unwrap(usize, usize),
    /// Reads an operand of a node in place of it.
    Operand(NodeId, NodeId),
    /// Zeros or ones in place of a node.
    Constant(NodeId, bool),
    /// In the module of an instance.
    Inside(usize, Box<Edit>),
}

/// All edits, the boldest first.
fn edits(module: &Module) -> Vec<Edit> {
    let outputs = 0..module.outputs.len();
    let mut out: Vec<Edit> = vec![];
    if outputs.len() > 1 {
        out.extend(outputs.clone().map(Edit::Only));
        out.extend(outputs.map(Edit::Output));
    }
    for parts in [2, 4, 8, 16] {
        let cut = |length: usize| (0..parts).map(move |i| (i * length / parts, (i + 1) * length / parts));
        let long = |(from, to): &(usize, usize)| to - from > 1;
        out.extend(cut(module.body.len()).filter(long).map(|(from, to)| Edit::RemoveRange(from, to)));
        out.extend(cut(module.nodes.len()).filter(long).map(|(from, to)| Edit::ConstantRange(from, to)));
    }
    fn statements(body: &[Statement], index: &mut usize, out: &mut Vec<Edit>) {
        for statement in body {
            let (at, blocks) = (*index, statement.blocks());
            out.push(Edit::Remove(at));
            out.extend((0..blocks.len()).map(|block| Edit::Unwrap(at, block)));
            *index += 1;
            blocks.into_iter().for_each(|block| statements(block, index, out));
        }
    }
    statements(&module.body, &mut 0, &mut out);
    for (id, Node { op, width, .. }) in module.nodes.iter().enumerate().rev() {
        if matches!(op, Op::Literal(_)) {
            continue;
        }
        let operands = op.operands().into_iter().filter(|&operand| module.nodes[operand].width == *width);
        out.extend(operands.map(|operand| Edit::Operand(id, operand)));
        out.extend([false, true].map(|ones| Edit::Constant(id, ones)));
    }
    for (index, instance) in module.instances.iter().enumerate() {
        let inner = edits(&instance.module)
            .into_iter()
            .filter(|edit| !matches!(edit, Edit::Only(_) | Edit::Output(_)));
        out.extend(inner.map(|edit| Edit::Inside(index, Box::new(edit))));
    }
    out
}

/// The module after an edit and without what has become useless; `None` if that is not smaller.
fn edited(module: &Module, edit: &Edit) -> Option<Module> {
    let mut copy = module.clone();
    apply(&mut copy, edit);
    let copy = compact(copy);
    (copy.size() < module.size() && !copy.outputs.is_empty()).then_some(copy)
}

fn apply(module: &mut Module, edit: &Edit) {
    match edit {
        Edit::Only(output) => {
            for other in (0..module.outputs.len()).filter(|other| other != output) {
                remove_target(&mut module.body, Target::Output(other));
            }
        }
        Edit::RemoveRange(from, to) => drop(module.body.drain(*from..*to)),
        Edit::ConstantRange(from, to) => {
            for node in &mut module.nodes[*from..*to] {
                node.op = Op::Literal(Number::zero(node.width));
            }
        }
        Edit::Output(output) => remove_target(&mut module.body, Target::Output(*output)),
        Edit::Remove(at) => replace_statement(&mut module.body, &mut at.clone(), &|_| vec![]),
        Edit::Unwrap(at, block) => {
            replace_statement(&mut module.body, &mut at.clone(), &|statement| {
                statement.blocks()[*block].to_vec()
            });
        }
        Edit::Operand(id, operand) => replace_node(module, *id, *operand),
        Edit::Constant(id, ones) => {
            let Node { op, width, .. } = &mut module.nodes[*id];
            *op = Op::Literal(if *ones { Number::ones(*width) } else { Number::zero(*width) });
        }
        Edit::Inside(index, edit) => {
            let child = &mut module.instances[*index].module;
            apply(child, edit);
            // Another instance may be of the same module.
            child.name.push('x');
        }
    }
}

/// Replaces the statement that is `index`-th in reading order.
fn replace_statement(
    body: &mut Vec<Statement>,
    index: &mut usize,
    change: &dyn Fn(&Statement) -> Vec<Statement>,
) {
    let mut at = 0;
    while at < body.len() {
        if *index == 0 {
            let new = change(&body[at]);
            body.splice(at..=at, new);
            *index = usize::MAX;
            return;
        }
        *index -= 1;
        for block in body[at].blocks_mut() {
            replace_statement(block, index, change);
            if *index == usize::MAX {
                return;
            }
        }
        at += 1;
    }
}

/// Drops all assignments to `target`.
fn remove_target(body: &mut Vec<Statement>, target: Target) {
    body.retain_mut(|statement| {
        if let Statement::SetAt { targets, .. } = statement {
            return !targets.contains(&target);
        }
        !matches!(statement, Statement::Assign { target: set, .. } if *set == target)
    });
    for statement in body {
        statement.blocks_mut().into_iter().for_each(|block| remove_target(block, target));
    }
}

/// Lets everything read `by` in place of `id`.
fn replace_node(module: &mut Module, id: NodeId, by: NodeId) {
    let mut visit = |node: &mut NodeId| {
        if *node == id {
            *node = by;
        }
    };
    module.nodes.iter_mut().for_each(|node| node.op.operands_mut(&mut visit));
    walk_mut(&mut module.body, &mut |statement| statement.operands_mut(&mut visit));
}
