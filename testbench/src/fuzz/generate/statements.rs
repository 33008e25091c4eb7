//! Random statements: nested conditions, assignments in parts, writes to memories.

use super::*;
use hdl::{Collision, clog2};

/// What a block of statements may set.
#[derive(Clone)]
pub(super) enum Aim {
    Set(Goal),
    /// Writes this memory.
    Write(usize),
}

impl Aim {
    fn rank(&self) -> usize {
        match self {
            Aim::Set(goal) => goal.rank,
            Aim::Write(_) => ANY,
        }
    }
}

impl Generator<'_> {
    fn context(&self, domain: usize, aims: &[Aim]) -> Context {
        Context { domain, limit: aims.iter().map(Aim::rank).min().unwrap_or(ANY) }
    }

    fn value_for(&mut self, goal: Goal, width: usize) -> NodeId {
        let depth = self.random.below(3);
        self.expression(Context { domain: goal.domain, limit: goal.rank }, width, depth)
    }

    /// Sets all of `goals` on every path, at the end of `block`.
    pub fn complete(&mut self, block: &mut Vec<Statement>, goals: &[Goal], depth: usize) {
        let aims: Vec<Aim> = goals.iter().copied().map(Aim::Set).collect();
        if depth > 0 && self.random.chance(60) {
            let context = self.context(goals[0].domain, &aims);
            let statement = self.branch(context, true, &mut |this| {
                let mut inner = vec![];
                this.complete(&mut inner, goals, depth - 1);
                inner
            });
            return block.push(statement);
        }
        for &goal in goals {
            let target = goal.target;
            if goal.width > 1 && self.random.chance(20) {
                let cut = 1 + self.random.below(goal.width - 1);
                for (low, width) in [(0, cut), (cut, goal.width - cut)] {
                    let value = self.value_for(goal, width);
                    block.push(Statement::Assign { target, part: Part::Slice { low, width }, value });
                }
            } else {
                let value = self.value_for(goal, goal.width);
                block.push(Statement::Assign { target, part: Part::Whole, value });
            }
        }
    }

    /// Adds statements to `block` that set some of `aims`, all of one domain, on some paths.
    pub fn tree(&mut self, block: &mut Vec<Statement>, domain: usize, aims: &[Aim], depth: usize) {
        for _ in 0..1 + self.random.below(3) {
            if depth > 0 && self.random.chance(55) {
                let chosen = self.some(aims);
                let context = self.context(domain, &chosen);
                let exhaustive = self.random.chance(40);
                let statement = self.branch(context, exhaustive, &mut |this| {
                    let mut inner = vec![];
                    this.tree(&mut inner, domain, &chosen, depth - 1);
                    inner
                });
                block.push(statement);
                continue;
            }
            match self.random.pick(aims).clone() {
                Aim::Write(memory) => {
                    let write = self.write(memory);
                    block.push(write);
                }
                Aim::Set(goal) => self.assign(block, goal, aims),
            }
        }
    }

    /// A conditional statement with blocks that `inner` makes; if `exhaustive`, one of them is always taken.
    fn branch(
        &mut self,
        context: Context,
        exhaustive: bool,
        inner: &mut dyn FnMut(&mut Self) -> Vec<Statement>,
    ) -> Statement {
        match self.random.below(10) {
            0..6 => {
                let count = 1 + self.random.below(3);
                let arm = |this: &mut Self, inner: &mut dyn FnMut(&mut Self) -> Vec<Statement>| {
                    let depth = this.random.below(3);
                    (this.expression(context, 1, depth), inner(this))
                };
                let arms = (0..count).map(|_| arm(self, inner)).collect();
                let otherwise = exhaustive.then(|| inner(self));
                Statement::When { arms, otherwise }
            }
            6..8 => {
                let enumeration = *self.random.pick(&[Enumeration::Dense, Enumeration::Sparse]);
                let selector = self.expression(context, enumeration.width(), 1);
                let arms = enumeration.encodings().iter().map(|_| inner(self)).collect();
                Statement::Cases { enumeration, selector, arms }
            }
            _ => {
                let widest = if self.random.chance(80) { 3 } else { 70 };
                let width = 1 + self.random.below(widest);
                let selector = self.expression(context, width, 1);
                let mut values: Vec<Number> = if width <= 3 {
                    (0..1u128 << width).map(|value| Number::new(width, value)).collect()
                } else {
                    (0..3).map(|_| self.number(width)).collect()
                };
                shuffle(self.random, &mut values);
                let full = width <= 3 && self.random.chance(30);
                let none = exhaustive && self.random.chance(10);
                if !full {
                    values.truncate(if none { 0 } else { 1 + self.random.below(4) });
                }
                let mut seen = vec![];
                values.retain(|value| !seen.contains(value) && (seen.push(value.clone()), true).1);
                let full = width <= 3 && values.len() == 1 << width;
                let arms = values.into_iter().map(|value| (value, inner(self))).collect();
                // With all values listed the default is never taken.
                let default = (exhaustive && (!full || self.random.chance(30))).then(|| inner(self));
                Statement::Switch { selector, arms, default }
            }
        }
    }

    /// One assignment, unless it made an earlier one of the block pointless.
    fn assign(&mut self, block: &mut Vec<Statement>, goal: Goal, aims: &[Aim]) {
        let same = |aim: &Aim| match aim {
            Aim::Set(other) if other.width == goal.width => Some(*other),
            _ => None,
        };
        let mut peers: Vec<Goal> = aims.iter().filter_map(same).collect();
        if peers.len() > 1 && self.random.chance(40) {
            shuffle(self.random, &mut peers);
            let rank = peers.iter().map(|peer| peer.rank).min().unwrap_or(ANY);
            let context = Context { domain: goal.domain, limit: rank };
            let index = self.expression(context, clog2(peers.len()), 1);
            let value = self.expression(context, goal.width, 1);
            let targets = peers.iter().map(|peer| peer.target).collect();
            return block.push(Statement::SetAt { targets, index, value });
        }
        let target = goal.target;
        let (part, width) = match self.random.below(6) {
            0 | 1 => {
                let width = 1 + self.random.below(goal.width);
                let low = self.random.below(goal.width - width + 1);
                (if width == goal.width { Part::Whole } else { Part::Slice { low, width } }, width)
            }
            // Each bit of a wire that is set so becomes a wire of its own.
            2 if goal.rank == ANY || goal.width <= 12 => {
                let context = Context { domain: goal.domain, limit: goal.rank };
                let depth = self.random.below(2);
                (Part::Bit(self.expression(context, clog2(goal.width), depth)), 1)
            }
            _ => (Part::Whole, goal.width),
        };
        if !undoes(block, target, part) {
            let value = self.value_for(goal, width);
            block.push(Statement::Assign { target, part, value });
        }
    }

    fn write(&mut self, memory: usize) -> Statement {
        let Memory { width, depth, domain, .. } = self.module.memories[memory];
        let context = Context { domain, limit: ANY };
        let address = self.address(context, depth);
        let data = self.expression(context, width, 1);
        let whole = self.module.memories[memory].collision == Collision::ReadNew || self.random.chance(40);
        let lanes = (!whole).then(|| {
            let divides: Vec<usize> =
                (1..=width.min(16)).filter(|&count| width.is_multiple_of(count)).collect();
            let count = *self.random.pick(&divides);
            self.expression(context, count, 1)
        });
        Statement::Write { memory, address, data, lanes, domain }
    }

    /// A write under one condition.
    pub fn single_write(&mut self, memory: usize) -> Statement {
        let write = self.write(memory);
        let domain = self.module.memories[memory].domain;
        let enable = self.expression(Context { domain, limit: ANY }, 1, 1);
        Statement::When { arms: vec![(enable, vec![write])], otherwise: None }
    }
}

/// Whether setting `part` of `target` at the end of `block` leaves nothing of an earlier assignment.
fn undoes(block: &[Statement], target: Target, part: Part) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Assign { target: set, part: earlier, .. } => *set == target && covers(part, *earlier),
        Statement::SetAt { targets, .. } => targets.contains(&target) && part == Part::Whole,
        statement => statement.blocks().into_iter().any(|inner| undoes(inner, target, part)),
    })
}

fn covers(outer: Part, inner: Part) -> bool {
    match (outer, inner) {
        (Part::Whole, _) => true,
        (Part::Slice { low, width }, Part::Slice { low: inner, width: size }) => {
            low <= inner && inner + size <= low + width
        }
        // Two nodes can turn out to be one expression.
        (Part::Bit(_), Part::Bit(_)) => true,
        _ => false,
    }
}
