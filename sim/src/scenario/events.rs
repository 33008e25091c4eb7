//! What happens while the traffic runs.

use std::collections::BTreeMap;

use super::error::{Problem, ScenarioError};
use super::file::{Stall, Tables};
use super::names::Names;
use super::tables::State;
use super::values::Time;
use crate::clock::Clock;
use crate::veb::policy::{Change, Policy};

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Cycle in which it happens, or as soon as may be after what happened before.
    pub cycle: u64,
    pub action: Action,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A port begins to take nothing that leaves the bridge there.
    Stall { port: usize },
    /// It takes frames again.
    Resume { port: usize },
    /// The manager changes these rows, one after the other, and has then arrived at this policy. The functions' wishes
    /// are in the policy only: they are no rows.
    Change { rows: Vec<Change>, policy: Box<Policy> },
}

/// All events in the order of time; changes before stalls of the same cycle.
pub fn events(
    names: &Names,
    clock: Clock,
    mut state: State,
    changes: &[(Time, Tables)],
    stalls: &[Stall],
) -> Result<Vec<Event>, ScenarioError> {
    let mut events = vec![];
    let mut changes: Vec<_> = changes.iter().map(|(time, tables)| (time.cycle(clock), tables)).collect();
    changes.sort_by_key(|(cycle, _)| *cycle);
    for (cycle, tables) in changes {
        let before = state.policy.clone();
        state.apply(names, tables)?;
        let rows = state.policy.changes_from(&before);
        let policy = Box::new(state.policy.clone());
        events.push(Event { cycle, action: Action::Change { rows, policy } });
    }
    // For each port how many stalls begin less how many end in a cycle; they may overlap.
    let mut edges: BTreeMap<(usize, u64), i32> = BTreeMap::new();
    for stall in stalls {
        let from = stall.from.cycle(clock);
        let to = stall.to.as_ref().map(|time| time.as_ref().cycle(clock));
        if let Some(place) = &stall.to {
            names.source.require(to > Some(from), place, || Problem::Order)?;
        }
        for port in names.ports(&stall.port)? {
            *edges.entry((port, from)).or_default() += 1;
            if let Some(to) = to {
                *edges.entry((port, to)).or_default() -= 1;
            }
        }
    }
    let mut depth: BTreeMap<usize, i32> = BTreeMap::new();
    for ((port, cycle), edge) in edges {
        let depth = depth.entry(port).or_default();
        let (before, after) = (*depth > 0, *depth + edge > 0);
        *depth += edge;
        if before != after {
            let action = if after { Action::Stall { port } } else { Action::Resume { port } };
            events.push(Event { cycle, action });
        }
    }
    events.sort_by_key(|event| event.cycle);
    Ok(events)
}
