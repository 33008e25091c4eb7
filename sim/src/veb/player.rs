//! Plays flows, links and events on a [`Bench`], and gathers what becomes of the flows.

use super::{
    Losses, Policy, Report,
    bench::{Bench, BenchError, Frame, Left},
};
use crate::{
    pcap::CapturedFrame,
    report::{Collector, Results},
    scenario::{Action, Event, Scenario, ScenarioError},
    traffic::{Departure, Flow, Sink, SinkRate, Traffic},
};
use hdl::Simulator;
use rtl::config::Config;
use std::{collections::VecDeque, path::Path};

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    pub policy: Policy,
    pub flows: Vec<Flow>,
    pub traffic: Traffic,
    /// Of each port: its link's rate, or none for one that takes all at once. May be shorter than there are ports.
    pub sinks: Vec<Option<SinkRate>>,
    /// By rising cycles, from 0 when the traffic begins.
    pub events: Vec<Event>,
    /// No frame is sent from this cycle on.
    pub stop: Option<u64>,
}

impl Plan {
    /// What a scenario says; `read` reads its captures.
    ///
    /// # Errors
    /// What is wrong with the scenario, or what `read` says.
    pub fn of<E: From<ScenarioError>>(
        scenario: &Scenario,
        config: &Config,
        read: impl FnMut(&Path) -> Result<Vec<CapturedFrame>, E>,
    ) -> Result<Self, E> {
        let flows = scenario.flows(config)?;
        Ok(Self {
            policy: scenario.policy(config)?,
            traffic: Traffic::with_captures(&flows, config, read)?,
            flows,
            sinks: scenario.sinks(config)?,
            events: scenario.events(config)?,
            stop: scenario.stop(config),
        })
    }

    /// What may be missing in the end: nothing where rows change while frames are decided, as no model tells then what a
    /// frame that is missing was to be.
    pub fn losses(&self) -> Losses {
        let unheld = |event: &Event| matches!(event.action, Action::Change { held: false, .. });
        if self.events.iter().any(unheld) { Losses::Forbidden } else { Losses::Counted }
    }
}

/// Cycles that a change of one row takes at most, with the wait before it.
const CHANGE_CYCLES: u64 = 400;

/// A plan being played.
pub struct Player<S> {
    bench: Bench<S>,
    traffic: Traffic,
    events: VecDeque<Event>,
    stop: Option<u64>,
    collector: Collector,
    names: Vec<String>,
    /// The bench's cycle 0 of the plan.
    start: u64,
    /// Frames that were sent.
    sent: u64,
}

impl<S: Simulator> Player<S> {
    /// On a bench that is set up with the plan's policy.
    pub fn new(mut bench: Bench<S>, config: &Config, plan: &Plan) -> Self {
        bench.keep_left = true;
        for (port, rate) in plan.sinks.iter().enumerate() {
            bench.set_link(port, rate.map(|rate| Sink::new(rate, config)));
        }
        Self {
            start: bench.cycles(),
            traffic: plan.traffic.clone(),
            events: plan.events.clone().into(),
            stop: plan.stop,
            collector: Collector::new(&plan.flows, config),
            names: config.port_names(),
            sent: 0,
            bench,
        }
    }

    /// Cycles of the plan so far.
    pub fn now(&self) -> u64 {
        self.bench.cycles() - self.start
    }

    /// Frames that were sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Plays some cycles, or fewer if then all is played and nothing moves any more. Says whether that is so, and what has
    /// left.
    ///
    /// # Errors
    /// See [`Bench`].
    pub fn play(&mut self, cycles: u64) -> Result<(bool, Vec<Left>), BenchError> {
        let end = self.now() + cycles;
        let mut done = false;
        while !done && self.now() < end {
            self.happen()?;
            self.send(0);
            let all_sent =
                self.traffic.is_finished(self.now()) || self.stop.is_some_and(|stop| self.now() >= stop);
            if all_sent && self.events.is_empty() {
                done = self.bench.run_for(end - self.now())?;
            } else if self.events.is_empty() {
                self.bench.cycle_with_patience()?;
            } else {
                self.bench.cycle()?;
            }
        }
        for begun in self.bench.take_begun() {
            self.collector.entered(begun.mark.0, begun.mark.1, begun.cycle - self.start);
        }
        let mut left = self.bench.take_left();
        for frame in &mut left {
            frame.cycle -= self.start;
            self.collector.left(frame.port, &frame.bytes, frame.cycle);
        }
        Ok((done, left))
    }

    /// Ends the play.
    ///
    /// # Errors
    /// See [`Bench::finish`].
    pub fn finish(self) -> Result<(Report, Results), BenchError> {
        let cycles = self.now();
        Ok((self.bench.finish()?, self.collector.finish(&self.names, cycles)))
    }

    /// Whatever is due by now.
    fn happen(&mut self) -> Result<(), BenchError> {
        while self.events.front().is_some_and(|event| event.cycle <= self.now()) {
            let event = self.events.pop_front().expect("the one that is due");
            match event.action {
                Action::Behave { port, behaviour } => self.bench.set_behaviour(port, behaviour),
                Action::Change { policy, held: true, .. } => self.bench.set_policy_between_frames(&policy)?,
                Action::Change { rows, policy, held: false } => {
                    for row in &rows {
                        self.send(CHANGE_CYCLES);
                        self.bench.change_under_traffic(row)?;
                    }
                    // What is left are the wishes.
                    if *self.bench.policy() != *policy {
                        self.bench.set_policy_between_frames(&policy)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Frames whose time comes within so many cycles. One waits at a port while another moves in, so that there is no gap
    /// between them; more wait only where they are sent ahead.
    fn send(&mut self, ahead: u64) {
        let now = self.now();
        for port in 0..self.names.len() {
            while (ahead > 0 || self.bench.waiting_at(port) < 2)
                && let Some(due) = self.traffic.next_cycle(port).filter(|&cycle| cycle <= now + ahead)
                && self.stop.is_none_or(|stop| due.max(now) < stop)
                && let Some(frame) = self.traffic.send(port, due.max(now))
            {
                self.collector.offered(&frame);
                let mark = Some((frame.flow, frame.sequence));
                let Departure { bytes, error, forced, .. } = frame;
                let not_before = self.start + due;
                self.bench.send_frame(port, Frame { bytes, error, forced, mark, not_before });
                self.sent += 1;
            }
        }
    }
}
