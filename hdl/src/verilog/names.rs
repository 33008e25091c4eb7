//! Which expressions get a wire of their own, and what everything is called.

use super::{
    live::Need,
    plan::{Kind, Plan, Process},
};
use crate::{ir::*, names::is_reserved};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Longest name that is made up.
const LONGEST: usize = 28;

pub(super) struct Names {
    pub signals: Vec<String>,
    pub memories: Vec<String>,
    pub instances: Vec<String>,
    /// Constants of enumerations: those that can be printed as `integer` parameters.
    pub variants: HashMap<(EnumId, usize), String>,
    /// Expressions with a wire of their own, and what that is needed for.
    pub hoisted: BTreeMap<ExprId, (String, Need)>,
    /// Label and loop variable of the block that sets a memory's initial contents.
    pub initial: HashMap<MemoryId, (String, String)>,
    /// Labels of checks in the order in which the processes have them.
    pub checks: Vec<String>,
    taken: HashSet<String>,
    /// Names of the source, all taken, that have not been given out yet.
    source: HashSet<String>,
}

impl Names {
    pub fn new(plan: &Plan, design: &Design) -> Names {
        let module = &plan.module;
        let mut names = Names {
            signals: vec![],
            memories: vec![],
            instances: vec![],
            variants: HashMap::new(),
            hoisted: BTreeMap::new(),
            initial: HashMap::new(),
            checks: vec![],
            taken: HashSet::new(),
            source: source_names(plan),
        };
        for domain in &module.domains {
            names.taken.extend([domain.clock_port(), domain.reset_port()]);
        }
        // A name inside that repeats the module's would hide it.
        names.source.remove(&module.name);
        names.taken.insert(module.name.clone());
        names.taken.extend(names.source.iter().cloned());
        for (i, signal) in module.signals.iter().enumerate() {
            // The names of ports are fixed; those that are aliases are never printed.
            let fixed = i < module.ports || plan.alias.contains_key(&SignalId(i as u32));
            let made = signal.name.is_empty();
            let name = match (fixed, made) {
                (true, _) => signal.name.clone(),
                (false, true) => String::new(),
                // Verilator takes the word for a statement of intent.
                (false, false) if plan.is_unconnected(SignalId(i as u32)) => {
                    names.unique(&format!("unused_{}", signal.name))
                }
                (false, false) => names.claim(&signal.name),
            };
            names.taken.insert(name.clone());
            names.signals.push(name);
        }
        names.memories = module.memories.iter().map(|memory| names.claim(&memory.name)).collect();
        for instance in &module.instances {
            // Verilator says of a name in the child that it hides the instance, which nothing there could mean.
            let hidden = names_within(design.module(instance.module)).any(|name| *name == instance.name);
            let name = match hidden {
                true => names.unique(&format!("{}_block", instance.name)),
                false => names.claim(&instance.name),
            };
            names.instances.push(name);
        }
        names.enumerations(module);
        names.hoist(plan);
        let index = names.unique("i");
        for (i, memory) in module.memories.iter().enumerate().filter(|(_, memory)| memory.initial.is_some()) {
            let label = names.unique(&format!("{}_contents", memory.name));
            names.initial.insert(MemoryId(i as u32), (label, index.clone()));
        }
        for process in &plan.processes {
            walk(&process.body, &mut |stmt| {
                if let Stmt::Check { name, .. } = stmt {
                    let label = names.unique(if name.is_empty() { "check" } else { name });
                    names.checks.push(label);
                }
            });
        }
        names
    }

    /// A name of the source, which nothing else has.
    fn claim(&mut self, name: &str) -> String {
        if self.source.remove(name) { name.to_string() } else { self.unique(name) }
    }

    /// `base`, or something like it if that is taken.
    fn unique(&mut self, base: &str) -> String {
        let name = self.fresh(base);
        self.taken.insert(name.clone());
        name
    }

    /// As [`Names::unique`], for a name that is used once all others are there.
    pub fn fresh(&self, base: &str) -> String {
        let mut name = base.to_string();
        let mut count = 0;
        while self.taken.contains(&name) || is_reserved(&name) {
            count += 1;
            name = format!("{base}_{count}");
        }
        name
    }

    fn enumerations(&mut self, module: &Module) {
        for (i, enumeration) in module.enums.iter().enumerate() {
            for (position, variant) in enumeration.variants.iter().enumerate() {
                if variant.value.to_u128().is_some_and(|value| value < 1 << 31) {
                    let name = camel(&format!("{}_{}", enumeration.name, variant.name));
                    let name = self.unique(&name);
                    self.variants.insert((EnumId(i as u32), position), name);
                }
            }
        }
    }

    fn hoist(&mut self, plan: &Plan) {
        let mut hoister = Hoister::new(plan);
        for process in &plan.processes {
            hoister.process(process);
        }
        let mut connected: Vec<_> = plan.connected.iter().collect();
        connected.sort_unstable_by_key(|(signal, _)| **signal);
        for (signal, value) in connected {
            // Yosys 0.23 fails on `.a($unsigned(..))`.
            if matches!(plan.expr(*value).op, Op::Shift(Shift::ArithmeticRight, ..)) {
                hoister.by_name.insert(*value);
            }
            hoister.root(*value, Need::Hardware, Some(*signal));
        }
        let mut direct: Vec<_> = plan.direct.iter().collect();
        direct.sort_unstable();
        for (value, output) in direct {
            hoister.root(*value, Need::Hardware, Some(*output));
        }
        hoister.choose();
        let Hoister { hoisted, need, reader, .. } = hoister;
        for &id in hoisted.iter().filter(|id| !plan.expr(**id).name.is_empty()) {
            let name = match plan.direct.get(&id) {
                Some(output) => plan.signal(*output).name.clone(),
                None => self.claim(&plan.expr(id).name),
            };
            self.hoisted.insert(id, (name, need[&id]));
        }
        let choices: Vec<usize> = (0..self.signals.len()).filter(|i| self.signals[*i].is_empty()).collect();
        for signal in choices {
            let base = self
                .describe_choice(plan, SignalId(signal as u32))
                .or_else(|| self.describe_reader(plan, plan.choices[&SignalId(signal as u32)], &reader))
                .unwrap_or("chosen".into());
            self.signals[signal] = self.unique(&base);
        }
        for &id in hoisted.iter().filter(|id| plan.expr(**id).name.is_empty()) {
            let described = self.describe(plan, id);
            let by_reader = || self.describe_reader(plan, id, &reader);
            let base = described.or_else(by_reader).unwrap_or("t".into());
            let name = self.unique(&base);
            self.hoisted.insert(id, (name, need[&id]));
        }
    }

    /// How a name or number reads inside a longer name.
    fn word(&self, plan: &Plan, id: ExprId) -> Option<String> {
        if let Some((name, _)) = self.hoisted.get(&id) {
            return Some(name.clone());
        }
        match &plan.expr(id).op {
            Op::Signal(signal) => Some(self.signals[plan.resolve(*signal).index()].clone()),
            Op::Literal(value) => {
                value.to_u128().filter(|value| *value < 10_000).map(|value| value.to_string())
            }
            Op::Variant(enumeration, variant) => {
                let name = &plan.module.enums[enumeration.index()].variants[*variant].name;
                Some(name.to_lowercase())
            }
            Op::Slice(base, low) => {
                let (base, width) = (self.word(plan, *base)?, plan.expr(id).width);
                Some(match width {
                    1 => format!("{base}_{low}"),
                    _ => format!("{base}_{}_{low}", low + width - 1),
                })
            }
            Op::Not(a) => Some(format!("not_{}", self.word(plan, *a)?)),
            Op::Cross(a) => self.word(plan, *a),
            Op::Concat(parts) => match parts[..] {
                [zeros, value] if matches!(&plan.expr(zeros).op, Op::Literal(it) if it.is_zero()) => {
                    self.word(plan, value)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A name from what an expression computes.
    fn describe(&self, plan: &Plan, id: ExprId) -> Option<String> {
        let word = |id: &ExprId| self.word(plan, *id);
        let name = match &plan.expr(id).op {
            Op::Binary(Binary::Add, a, b) => format!("{}_plus_{}", word(a)?, word(b)?),
            Op::Binary(Binary::Subtract, a, b) => format!("{}_minus_{}", word(a)?, word(b)?),
            Op::Binary(Binary::And, a, b) => {
                let (a, b) = (word(a)?, word(b)?);
                match (a.strip_suffix("_valid"), b.strip_suffix("_ready")) {
                    (Some(stream), Some(other)) if stream == other => format!("{stream}_fire"),
                    _ => format!("{a}_and_{b}"),
                }
            }
            Op::Binary(Binary::Or, a, b) => format!("{}_or_{}", word(a)?, word(b)?),
            Op::Binary(Binary::Xor, a, b) => format!("{}_xor_{}", word(a)?, word(b)?),
            Op::Compare(compare, a, b) => {
                let verb = match compare {
                    Compare::Equal => "is",
                    Compare::NotEqual => "is_not",
                    Compare::Less | Compare::SignedLess => "below",
                    Compare::LessOrEqual | Compare::SignedLessOrEqual => "up_to",
                };
                format!("{}_{verb}_{}", word(a)?, word(b)?)
            }
            Op::MemoryPeek(memory, address) => {
                let memory = &self.memories[memory.index()];
                match word(address) {
                    Some(address) => format!("{memory}_at_{address}"),
                    None => format!("{memory}_word"),
                }
            }
            Op::Shift(_, a, _) => format!("{}_shifted", word(a)?),
            Op::ReduceOr(a) => format!("any_{}", word(a)?),
            Op::ReduceAnd(a) => format!("all_{}", word(a)?),
            Op::ReduceXor(a) => format!("{}_parity", word(a)?),
            Op::Multiply(a, b) => format!("{}_times_{}", word(a)?, word(b)?),
            Op::SignExtend(a) => format!("{}_extended", word(a)?),
            Op::Not(a) => format!("not_{}", word(a)?),
            _ => return None,
        };
        let legal = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        (legal && name.len() <= LONGEST).then_some(name)
    }

    /// A name from what an expression is for.
    fn describe_reader(&self, plan: &Plan, id: ExprId, reader: &HashMap<ExprId, Reader>) -> Option<String> {
        let mut at = id;
        loop {
            match reader.get(&at)? {
                Reader::Expr(parent) => {
                    if let Some((name, _)) = self.hoisted.get(parent) {
                        return Some(format!("{name}_operand"));
                    }
                    at = *parent;
                }
                Reader::Condition => return Some("condition".into()),
                Reader::Memory(memory) => return Some(format!("{}_next", self.memories[memory.index()])),
                Reader::Signal(signal) => {
                    let name = &self.signals[plan.resolve(*signal).index()];
                    let register = matches!(
                        plan.signal(*signal).kind,
                        SignalKind::Register { .. } | SignalKind::MemoryRead { .. }
                    );
                    return Some(format!("{name}_{}", if register { "next" } else { "operand" }));
                }
            }
        }
    }

    /// `deficit_at_cur` for the choice among `deficit_0`, `deficit_1` .. by `cur`.
    fn describe_choice(&self, plan: &Plan, target: SignalId) -> Option<String> {
        let (mut index, mut options) = (None, vec![]);
        for stmt in &plan.module.body {
            let Stmt::Case(case) = stmt else { continue };
            walk(std::slice::from_ref(stmt), &mut |stmt| {
                if let Stmt::Assign { target: it, value, .. } = stmt
                    && *it == target
                {
                    index = Some(case.selector);
                    options.push(*value);
                }
            });
        }
        let words: Vec<String> =
            options.iter().take(2).map(|id| self.word(plan, *id)).collect::<Option<_>>()?;
        let [first, second] = words.as_slice() else { return None };
        let (head, tail) = first.split_once("_0")?;
        if *second != format!("{head}_1{tail}") {
            return None;
        }
        let stem = format!("{head}{tail}");
        let at = index.and_then(|index| self.word(plan, index)).map(|index| format!("{stem}_at_{index}"));
        Some(at.filter(|name| name.len() <= LONGEST).unwrap_or(format!("{stem}_chosen")))
    }
}

/// What the source calls signals, memories, instances and values: nothing that is made up may be called so.
fn source_names(plan: &Plan) -> HashSet<String> {
    let values = plan.exprs.iter().map(|expr| &expr.name).filter(|name| !name.is_empty());
    names_within(&plan.module).chain(values).cloned().collect()
}

/// What the source calls signals, memories, instances and, where the module still has its expressions, values.
fn names_within(module: &Module) -> impl Iterator<Item = &String> {
    let signals = module.signals.iter().map(|signal| &signal.name);
    let memories = module.memories.iter().map(|memory| &memory.name);
    let instances = module.instances.iter().map(|instance| &instance.name);
    let values = module.exprs.iter().map(|expr| &expr.name);
    signals.chain(memories).chain(instances).chain(values).filter(|name| !name.is_empty())
}

/// `StatePick` for `State_Pick`, `state_pick` or `STATE_PICK`.
fn camel(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    let camel: String = words
        .map(|word| {
            let shouts = word.len() > 1 && !word.chars().any(|c| c.is_ascii_lowercase());
            let (first, rest) = word.split_at(1);
            let rest = if shouts { rest.to_lowercase() } else { rest.to_string() };
            first.to_uppercase() + &rest
        })
        .collect();
    if camel.starts_with(|c: char| c.is_ascii_alphabetic()) { camel } else { format!("E{camel}") }
}

/// The first thing that uses an expression.
#[derive(Clone, Copy)]
enum Reader {
    Expr(ExprId),
    Signal(SignalId),
    Memory(MemoryId),
    Condition,
}

/// Decides what gets a wire.
struct Hoister<'a> {
    plan: &'a Plan,
    /// How often each live expression is used.
    uses: HashMap<ExprId, u32>,
    need: HashMap<ExprId, Need>,
    reader: HashMap<ExprId, Reader>,
    /// Expressions that Verilog wants by name, since it selects bits of them.
    by_name: HashSet<ExprId>,
    /// Live expressions, operands first.
    order: Vec<ExprId>,
    /// In the order of `order`.
    hoisted: Vec<ExprId>,
}

impl<'a> Hoister<'a> {
    fn new(plan: &'a Plan) -> Hoister<'a> {
        Hoister {
            plan,
            uses: HashMap::new(),
            need: HashMap::new(),
            reader: HashMap::new(),
            by_name: HashSet::new(),
            order: vec![],
            hoisted: vec![],
        }
    }

    fn process(&mut self, process: &Process) {
        if let Kind::Drive { target, value } = process.kind {
            self.root(value, process.need, Some(target));
        }
        let combinational = matches!(process.kind, Kind::Comb { .. });
        walk(&process.body, &mut |stmt| {
            if let Stmt::MemoryRead { address, .. } | Stmt::MemoryWrite { address, .. } = stmt {
                self.address(*address);
            }
            if let Stmt::MemoryWrite { memory, address, data, lanes: Some(lanes), .. } = stmt {
                let constant = |id: &ExprId| matches!(self.plan.expr(*id).op, Op::Literal(_));
                self.by_name.extend([*data, *lanes].into_iter().filter(|id| !constant(id)));
                // Printed once for each lane.
                self.add(*address, process.need, Reader::Memory(*memory), false);
            }
            if let Stmt::Assign { target, part: Part::Bit(index), .. } = stmt
                && self.plan.expr(*index).width > clog2(self.plan.signal(*target).width as usize) as u32
            {
                self.by_name.insert(*index);
            }
            let reader = match stmt {
                Stmt::Assign { target, .. } | Stmt::MemoryRead { target, .. } => Reader::Signal(*target),
                Stmt::MemoryWrite { memory, .. } => Reader::Memory(*memory),
                _ => Reader::Condition,
            };
            for operand in stmt.operands() {
                self.add(operand, process.need, reader, combinational);
            }
        });
    }

    /// The address of a memory keeps its width by a name: Icarus 11 gives a sum between the brackets one bit more.
    fn address(&mut self, id: ExprId) {
        let op = &self.plan.expr(id).op;
        if !matches!(op, Op::Signal(_) | Op::Slice(..) | Op::Concat(_) | Op::Literal(_) | Op::Variant(..)) {
            self.by_name.insert(id);
        }
    }

    fn root(&mut self, id: ExprId, need: Need, target: Option<SignalId>) {
        self.add(id, need, target.map_or(Reader::Condition, Reader::Signal), false);
    }

    fn add(&mut self, root: ExprId, need: Need, reader: Reader, in_process: bool) {
        *self.uses.entry(root).or_default() += 1;
        self.reader.entry(root).or_insert(reader);
        // Each expression once for each need; operands before users in `order`.
        let mut stack = vec![(root, false)];
        while let Some((id, done)) = stack.pop() {
            if done {
                self.order.push(id);
                continue;
            }
            let known = self.need.get(&id).copied();
            if known >= Some(need) {
                continue;
            }
            self.need.insert(id, need);
            let op = &self.plan.expr(id).op;
            if known.is_none() {
                stack.push((id, true));
                match op {
                    Op::Slice(a, _) | Op::Index(a, _) => {
                        self.by_name.insert(*a);
                    }
                    Op::SignExtend(a) if self.needs_name(*a) => {
                        self.by_name.insert(*a);
                    }
                    // Icarus 11 stumbles over the shift of a word at a constant address, and by one.
                    Op::Shift(_, a, b) => {
                        let words = [*a, *b].into_iter().filter(|id| is_constant_word(self.plan, *id));
                        self.by_name.extend(words);
                    }
                    Op::MemoryPeek(_, address) => {
                        self.address(*address);
                        // A process would have to be sensitive to all words.
                        if in_process {
                            self.by_name.insert(id);
                        }
                    }
                    _ => {}
                }
            }
            for operand in op.operands().into_iter().rev() {
                if known.is_none() {
                    *self.uses.entry(operand).or_default() += 1;
                    self.reader.entry(operand).or_insert(Reader::Expr(id));
                }
                stack.push((operand, false));
            }
        }
    }

    /// Whether this is a short element of an array (`hits_3`) that stands in one long row and nowhere else.
    fn is_element(&self, id: ExprId, inline: usize) -> bool {
        let expr = self.plan.expr(id);
        let numbered = expr.name.rsplit('_').next().is_some_and(|end| end.parse::<u32>().is_ok());
        let in_row = match self.reader.get(&id) {
            Some(Reader::Expr(row)) => {
                matches!(&self.plan.expr(*row).op, Op::Concat(parts) if parts.len() >= 8)
            }
            _ => false,
        };
        numbered && expr.doc.is_empty() && self.uses[&id] == 1 && in_row && inline <= 3
    }

    /// Whether the sign of `a` can only be picked from a name.
    fn needs_name(&self, a: ExprId) -> bool {
        let expr = self.plan.expr(a);
        expr.width > 1 && !matches!(expr.op, Op::Slice(..))
    }

    fn choose(&mut self) {
        // Names and numbers in the text of an expression.
        let mut size: HashMap<ExprId, usize> = HashMap::new();
        for &id in &self.order {
            let expr = self.plan.expr(id);
            let operands = expr.op.operands();
            let inline = operands.iter().map(|operand| size[operand]).sum::<usize>().max(1);
            // A word of a memory is worth a name where it is used twice.
            let inline = if matches!(expr.op, Op::MemoryPeek(..)) { inline.max(3) } else { inline };
            let leaf = matches!(expr.op, Op::Signal(_) | Op::Variant(..))
                || matches!(expr.op, Op::Literal(_)) && expr.name.is_empty();
            let by_name = self.by_name.contains(&id) && !matches!(expr.op, Op::Signal(_));
            // Elements of an array that are used in a row only need no names.
            let leaf = leaf || self.is_element(id, inline);
            let hoist =
                !leaf && !expr.name.is_empty() || by_name || !leaf && self.uses[&id] > 1 && inline > 2;
            if hoist {
                self.hoisted.push(id);
            }
            size.insert(id, if hoist { 1 } else { inline });
        }
    }
}

fn is_constant_word(plan: &Plan, id: ExprId) -> bool {
    let Op::MemoryPeek(_, address) = plan.expr(id).op else { return false };
    matches!(plan.expr(address).op, Op::Literal(_))
}

#[cfg(test)]
mod tests {
    use super::camel;

    #[test]
    fn constants_are_camel_case() {
        assert_eq!(camel("State_Pick"), "StatePick");
        assert_eq!(camel("state_RX_FIFO"), "StateRxFifo");
        assert_eq!(camel("TlpKind_Completion4"), "TlpKindCompletion4");
    }
}
