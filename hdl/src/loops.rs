//! Combinational loops across modules.
//!
//! A loop among whole values is looked for first. Only where there is one are its values taken apart: if no bit
//! depends on itself there is no loop in hardware, but tools that evaluate whole values would see one, so that is a
//! fault as well, with the value to split named.

use crate::{
    components::components,
    error::Error,
    flat::{Drive, Flat, Scope, drive_operands},
    ir::*,
};
use std::collections::{HashMap, HashSet, VecDeque};

/// All combinational loops of a design whose modules are complete, one error each.
pub(crate) fn check_loops(design: &Design) -> Vec<Error> {
    let flat = Flat::new(design);
    let roots = 0..flat.signals.len();
    let found = components(flat.vertices(), roots, |vertex, out| flat.dependencies(vertex, out));
    found.into_iter().filter(|members| members.len() > 1).map(|members| report(&flat, members)).collect()
}

/// The error for a loop among these vertices.
fn report(flat: &Flat, members: Vec<usize>) -> Error {
    let words = Words { flat, members: members.iter().copied().collect() };
    let bits = Bits::new(&words, &members, &|_| true);
    if let Some(cycle) = bits.cycle() {
        return real_loop(&words, cycle);
    }
    // The value to split is one that, taken apart together with the unnamed expressions around it, ends the loop.
    let wide = |vertex: &usize| words.width(*vertex) > 1 && words.is_named(*vertex);
    let mut candidates: Vec<usize> = members.iter().copied().filter(wide).collect();
    // A signal is easier to split than an expression, and comes first.
    candidates.sort();
    let enough = |vertex: &usize| {
        let split = |other| other == *vertex || !words.is_named(other);
        Bits::new(&words, &members, &split).cycle().is_none()
    };
    let split: Vec<usize> = match candidates.iter().copied().find(enough) {
        Some(vertex) => vec![vertex],
        None => candidates,
    };
    let names: Vec<String> = split.iter().map(|&vertex| words.place(vertex).0).collect();
    let (itself, it) = match names.len() {
        1 => ("depends on itself", "it"),
        _ => ("depend on themselves", "them"),
    };
    let message = format!(
        "{} {itself} as a whole, though no bit does: tools that evaluate whole values see a combinational loop; \
         split {it} into values for the parts",
        names.join(", ")
    );
    let around = words.cycle(split.first().copied().unwrap_or(members[0]));
    let loc = words.place(split.first().copied().unwrap_or(members[0])).1;
    Error { message, loc, notes: words.notes(&around) }
}

fn real_loop(words: &Words, cycle: Vec<usize>) -> Error {
    let notes = words.notes(&cycle);
    let mut names: Vec<&str> = notes.iter().map(|(note, _)| note.as_str()).collect();
    let first = names.first().copied().unwrap_or("an unnamed value");
    names.push(first);
    let loc = notes.first().map_or(words.flat.scopes[0].module.loc, |(_, loc)| *loc);
    let message = format!("combinational loop: {}", names.join(" <- "));
    let notes = notes.into_iter().map(|(name, loc)| (format!("{name} is on the loop"), loc)).collect();
    Error { message, loc, notes }
}

/// A word-level loop.
struct Words<'f, 'a> {
    flat: &'f Flat<'a>,
    members: HashSet<usize>,
}

impl Words<'_, '_> {
    fn width(&self, vertex: usize) -> u32 {
        match self.flat.signals.get(vertex) {
            Some(signal) => signal.signal.width,
            None => self.flat.expr_at(vertex).1.width,
        }
    }

    fn is_named(&self, vertex: usize) -> bool {
        vertex < self.flat.signals.len() || !self.flat.expr_at(vertex).1.name.is_empty()
    }

    /// What an author calls the value, and where it was made.
    fn place(&self, vertex: usize) -> (String, Loc) {
        if let Some(signal) = self.flat.signals.get(vertex) {
            return (format!("`{}`", self.flat.signal_name(vertex)), signal.signal.loc);
        }
        let (scope, expr) = self.flat.expr_at(vertex);
        (format!("`{}`", self.flat.scopes[scope].name(&expr.name)), expr.loc)
    }

    /// Signals and named expressions among `vertices`, in order.
    fn notes(&self, vertices: &[usize]) -> Vec<(String, Loc)> {
        let named = vertices.iter().filter(|vertex| self.is_named(**vertex));
        let mut notes: Vec<(String, Loc)> = named.map(|&vertex| self.place(vertex)).collect();
        notes.dedup();
        notes
    }

    /// A shortest way from `start` back to it, among whole values.
    fn cycle(&self, start: usize) -> Vec<usize> {
        let mut dependencies = vec![];
        shortest_cycle(start, |vertex, out| {
            dependencies.clear();
            self.flat.dependencies(vertex, &mut dependencies);
            out.extend(dependencies.iter().filter(|other| self.members.contains(other)));
        })
    }
}

/// A shortest cycle through `start`, which is on one, without its repetition at the end.
fn shortest_cycle(start: usize, mut dependencies: impl FnMut(usize, &mut Vec<usize>)) -> Vec<usize> {
    let mut came_from = HashMap::new();
    let mut queue = VecDeque::from([start]);
    let mut next = vec![];
    while let Some(vertex) = queue.pop_front() {
        next.clear();
        dependencies(vertex, &mut next);
        for &other in &next {
            if other == start {
                let mut path = vec![vertex];
                while let Some(&before) = path.last().and_then(|last| came_from.get(last)) {
                    path.push(before);
                }
                path.reverse();
                return path;
            }
            if let std::collections::hash_map::Entry::Vacant(entry) = came_from.entry(other) {
                entry.insert(vertex);
                queue.push_back(other);
            }
        }
    }
    vec![start]
}

/// The graph of single bits of a loop. A vertex that is not taken apart counts as one bit.
struct Bits<'w, 'f, 'a> {
    words: &'w Words<'f, 'a>,
    /// The first bit of each member.
    first: HashMap<usize, usize>,
    /// The member of each bit.
    member: Vec<usize>,
    /// Whether bits of a member are told apart.
    split: &'w dyn Fn(usize) -> bool,
}

impl<'w, 'f, 'a> Bits<'w, 'f, 'a> {
    fn new(words: &'w Words<'f, 'a>, members: &[usize], split: &'w dyn Fn(usize) -> bool) -> Self {
        let mut bits = Bits { words, first: HashMap::new(), member: vec![], split };
        for &vertex in members {
            bits.first.insert(vertex, bits.member.len());
            let count = if split(vertex) { words.width(vertex) } else { 1 };
            bits.member.extend((0..count).map(|_| vertex));
        }
        bits
    }

    /// The vertices of a shortest loop of one of the bits, if there is one.
    fn cycle(&self) -> Option<Vec<usize>> {
        let mut direct = vec![];
        let count = self.member.len();
        let found = components(count, 0..count, |bit, out| self.dependencies(bit, out))
            .into_iter()
            .find_map(|members| {
                let bit = members[0];
                direct.clear();
                self.dependencies(bit, &mut direct);
                (members.len() > 1 || direct.contains(&bit)).then_some(bit)
            })?;
        let mut path: Vec<usize> = shortest_cycle(found, |bit, out| self.dependencies(bit, out))
            .into_iter()
            .map(|bit| self.member[bit])
            .collect();
        path.dedup();
        Some(path)
    }

    /// Appends the bits of the loop that decide `bit`.
    fn dependencies(&self, bit: usize, out: &mut Vec<usize>) {
        let vertex = self.member[bit];
        if (self.split)(vertex) {
            self.bit_dependencies(vertex, (bit - self.first[&vertex]) as u32, out);
        } else {
            for index in 0..self.words.width(vertex) {
                self.bit_dependencies(vertex, index, out);
            }
            // Carries within the one bit that stands for all are no loop.
            out.retain(|&other| other != bit);
        }
    }

    fn bit_dependencies(&self, vertex: usize, index: u32, out: &mut Vec<usize>) {
        let flat = self.words.flat;
        match flat.signals.get(vertex) {
            Some(signal) => {
                let scope = &flat.scopes[signal.scope];
                self.driven(&scope.drives[signal.id.index()], scope, index, out);
            }
            None => self.expression(vertex, index, out),
        }
    }

    /// Bit `index` of a vertex, if that is on the loop.
    fn one(&self, vertex: usize, index: u32, out: &mut Vec<usize>) {
        if let Some(first) = self.first.get(&vertex) {
            out.push(first + if (self.split)(vertex) { index as usize } else { 0 });
        }
    }

    fn all(&self, vertex: usize, out: &mut Vec<usize>) {
        if self.first.contains_key(&vertex) {
            for index in 0..self.words.width(vertex) {
                self.one(vertex, index, out);
            }
        }
    }

    /// Bit `index` of a signal with these drives.
    fn driven(&self, drives: &[Drive], scope: &Scope, index: u32, out: &mut Vec<usize>) {
        for drive in drives {
            match drive {
                Drive::Assign { part: Part::Whole, value } => self.one(scope.vertex(*value), index, out),
                Drive::If { condition, then, otherwise } => {
                    self.all(scope.vertex(*condition), out);
                    self.driven(then, scope, index, out);
                    self.driven(otherwise, scope, index, out);
                }
                Drive::Case { case, arms, default } => {
                    self.all(scope.vertex(case.selector), out);
                    for arm in arms.iter().chain(default) {
                        self.driven(arm, scope, index, out);
                    }
                }
                // Of registers only, which are on no combinational loop.
                other => {
                    drive_operands(std::slice::from_ref(other), &mut |id| self.all(scope.vertex(id), out))
                }
            }
        }
    }

    /// Bit `index` of an expression.
    fn expression(&self, vertex: usize, index: u32, out: &mut Vec<usize>) {
        let (scope, expr) = self.words.flat.expr_at(vertex);
        let scope = &self.words.flat.scopes[scope];
        let at = |id: ExprId| scope.vertex(id);
        let width = |id: ExprId| scope.module.expr(id).width;
        match &expr.op {
            Op::Literal(_) | Op::Variant(..) => {}
            Op::Signal(signal) => self.one(scope.signals[signal.index()], index, out),
            Op::Not(a) | Op::Cross(a) => self.one(at(*a), index, out),
            Op::Binary(Binary::And | Binary::Or | Binary::Xor, a, b) => {
                self.one(at(*a), index, out);
                self.one(at(*b), index, out);
            }
            Op::Binary(Binary::Add | Binary::Subtract, a, b) | Op::Multiply(a, b) => {
                for operand in [*a, *b] {
                    self.one(at(operand), index.min(width(operand) - 1), out);
                }
                // The carry comes through the bit below.
                if index > 0 {
                    self.one(vertex, index - 1, out);
                }
            }
            Op::Shift(shift, a, distance) => match scope.module.constant(*distance) {
                Some(distance) => {
                    let last = expr.width - 1;
                    let distance =
                        distance.to_u128().map_or(expr.width, |n| n.min(expr.width as u128) as u32);
                    match shift {
                        Shift::Left if index < distance => {}
                        Shift::Left => self.one(at(*a), index - distance, out),
                        Shift::Right if index + distance > last => {}
                        _ => self.one(at(*a), (index + distance).min(last), out),
                    }
                }
                None => {
                    self.all(at(*distance), out);
                    self.one(at(*a), index, out);
                    // What comes from further away comes through the neighbour.
                    match shift {
                        Shift::Left if index > 0 => self.one(vertex, index - 1, out),
                        Shift::Right | Shift::ArithmeticRight if index + 1 < expr.width => {
                            self.one(vertex, index + 1, out);
                        }
                        _ => {}
                    }
                }
            },
            Op::Mux(condition, a, b) => {
                self.all(at(*condition), out);
                self.one(at(*a), index, out);
                self.one(at(*b), index, out);
            }
            Op::Slice(a, low) => self.one(at(*a), low + index, out),
            Op::Concat(parts) => {
                let mut index = index;
                for part in parts.iter().rev() {
                    if index < width(*part) {
                        return self.one(at(*part), index, out);
                    }
                    index -= width(*part);
                }
            }
            Op::SignExtend(a) => self.one(at(*a), index.min(width(*a) - 1), out),
            Op::Select(selector, options) => {
                self.all(at(*selector), out);
                for option in options {
                    self.one(at(*option), index, out);
                }
            }
            Op::ReduceOr(_)
            | Op::ReduceAnd(_)
            | Op::ReduceXor(_)
            | Op::Compare(..)
            | Op::Index(..)
            | Op::MemoryPeek(..) => {
                for operand in expr.op.operands() {
                    self.all(at(operand), out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
