//! What happens while the traffic runs.

use super::error::{Problem, ScenarioError};
use super::file::{self, Span};
use super::names::Names;
use super::tables::State;
use crate::clock::Clock;
use crate::veb::bench::Behaviour;
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
    /// From now on a port is treated so.
    Behave { port: usize, behaviour: Behaviour },
    /// The manager changes these rows, one after the other, and has then arrived at this policy. The functions' wishes
    /// are in the policy only: they are no rows.
    Change {
        rows: Vec<Change>,
        policy: Box<Policy>,
        /// No frame begins meanwhile, so that one policy holds for each.
        held: bool,
    },
}

/// All events in the order of time; changes before others of the same cycle. `spans` are pauses and stalls.
pub fn events(
    names: &Names,
    clock: Clock,
    mut state: State,
    changes: &[file::Change],
    spans: [&[Span]; 2],
) -> Result<Vec<Event>, ScenarioError> {
    let mut events = vec![];
    let mut changes: Vec<_> = changes.iter().map(|change| (change.at.cycle(clock), change)).collect();
    changes.sort_by_key(|(cycle, _)| *cycle);
    for (cycle, change) in changes {
        let before = state.policy.clone();
        state.apply(names, &change.tables())?;
        let rows = state.policy.changes_from(&before);
        let (policy, held) =
            (Box::new(state.policy.clone()), change.held.as_ref().is_none_or(|held| *held.as_ref()));
        events.push(Event { cycle, action: Action::Change { rows, policy, held } });
    }
    let [pauses, stalls] = spans;
    let (pauses, stalls) = (timed(names, clock, pauses)?, timed(names, clock, stalls)?);
    for port in 0..names.ports.len() {
        let mut edges: Vec<u64> = Vec::new();
        for span in pauses.iter().chain(&stalls).filter(|span| span.port == port) {
            edges.extend([Some(span.from), span.to].into_iter().flatten());
        }
        edges.sort_unstable();
        let mut last = Behaviour::default();
        for cycle in edges {
            let behaviour =
                Behaviour { pause: percent(&pauses, port, cycle), stall: percent(&stalls, port, cycle) };
            if behaviour != last {
                events.push(Event { cycle, action: Action::Behave { port, behaviour } });
                last = behaviour;
            }
        }
    }
    events.sort_by_key(|event| event.cycle);
    Ok(events)
}

/// A [`Span`] of one port, in cycles.
struct Timed {
    port: usize,
    from: u64,
    /// `None`: for ever.
    to: Option<u64>,
    percent: usize,
}

fn timed(names: &Names, clock: Clock, spans: &[Span]) -> Result<Vec<Timed>, ScenarioError> {
    let mut timed = vec![];
    for span in spans {
        let from = span.from.map_or(0, |time| time.cycle(clock));
        let to = span.to.as_ref().map(|time| time.as_ref().cycle(clock));
        if let Some(place) = &span.to {
            names.source.require(to > Some(from), place, || Problem::Order)?;
        }
        let percent = span.percent.map_or(100, |percent| percent.get());
        timed.extend(names.ports(&span.port)?.into_iter().map(|port| Timed { port, from, to, percent }));
    }
    Ok(timed)
}

/// What holds of these in a cycle: where they meet, the highest counts.
fn percent(spans: &[Timed], port: usize, cycle: u64) -> usize {
    let holds =
        |span: &&Timed| span.port == port && span.from <= cycle && span.to.is_none_or(|to| cycle < to);
    spans.iter().filter(holds).map(|span| span.percent).max().unwrap_or(0)
}
