//! Plays flows, links and events on a [`Stage`], and gathers what becomes of the flows.

use crate::{
    pcap::CapturedFrame,
    report::{Collector, Results},
    scenario::{Action, Event, Scenario, ScenarioError},
    traffic::{Departure, Flow, Sink, SinkRate, Traffic},
    veb::{
        Losses, Policy,
        bench::{Begun, Behaviour, Frame, Left},
        policy::Change,
    },
};
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

/// What a plan is played on: a test bench around hardware with ports. It checks what leaves on its own.
pub trait Stage {
    /// What goes wrong beside the frames.
    type Error;
    /// What the checks came to.
    type Outcome;

    /// A plan begins; frames that leave are kept from now on.
    fn begin(&mut self);

    /// The simulated cycles so far.
    fn cycles(&self) -> u64;

    /// How many more frames a port may be given now, for it to have no gaps.
    fn room(&self, port: usize) -> usize;

    /// Queues a frame at a port.
    fn send_frame(&mut self, port: usize, frame: Frame);

    /// How a port is treated from now on.
    fn set_behaviour(&mut self, port: usize, behaviour: Behaviour);

    /// What leaves a port is taken by a link of its own rate.
    fn set_link(&mut self, port: usize, link: Option<Sink>);

    /// Makes every change that leads to `policy` while no frame is undecided.
    ///
    /// # Errors
    /// What goes wrong meanwhile.
    fn change_between_frames(&mut self, policy: &Policy) -> Result<(), Self::Error>;

    /// Makes a change while frames come in.
    ///
    /// # Errors
    /// What goes wrong meanwhile, or that this cannot be checked here.
    fn change_under_traffic(&mut self, change: &Change) -> Result<(), Self::Error>;

    /// What the hardware has been told.
    fn policy(&self) -> &Policy;

    /// One clock cycle.
    ///
    /// # Errors
    /// A check that does not hold.
    fn cycle(&mut self) -> Result<(), Self::Error>;

    /// One clock cycle, where nothing that is still to happen can set free what does not move.
    ///
    /// # Errors
    /// See [`Stage::cycle`], and a frame that has not moved for too long.
    fn cycle_with_patience(&mut self) -> Result<(), Self::Error>;

    /// All frames are in, and nothing has moved for so long that nothing will.
    fn is_done(&self) -> bool;

    /// The plan is at its end: what is held back may come out. Says whether anything was held back, so that more may come.
    fn end(&mut self) -> bool {
        false
    }

    /// Marked frames that have begun to come in since the last call.
    fn take_begun(&mut self) -> Vec<Begun>;

    /// Frames that left since the last call.
    fn take_left(&mut self) -> Vec<Left>;

    /// Ends the run.
    ///
    /// # Errors
    /// What goes wrong when counters are read.
    fn finish(self) -> Result<Self::Outcome, Self::Error>;
}

/// Cycles that a change of one row takes at most, with the wait before it.
const CHANGE_CYCLES: u64 = 400;

/// A plan being played.
pub struct Player<B> {
    bench: B,
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

impl<B: Stage> Player<B> {
    /// On a bench that is set up with the plan's policy.
    pub fn new(mut bench: B, config: &Config, plan: &Plan) -> Self {
        bench.begin();
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
    /// See [`Stage`].
    pub fn play(&mut self, cycles: u64) -> Result<(bool, Vec<Left>), B::Error> {
        let end = self.now() + cycles;
        let mut done = false;
        while !done && self.now() < end {
            self.happen()?;
            self.send(0);
            let all_sent =
                self.traffic.is_finished(self.now()) || self.stop.is_some_and(|stop| self.now() >= stop);
            if all_sent && self.events.is_empty() {
                done = self.bench.is_done() && !self.bench.end();
                if !done {
                    self.bench.cycle_with_patience()?;
                }
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
    /// See [`Stage::finish`].
    pub fn finish(self) -> Result<(B::Outcome, Results), B::Error> {
        let cycles = self.now();
        Ok((self.bench.finish()?, self.collector.finish(&self.names, cycles)))
    }

    /// Whatever is due by now.
    fn happen(&mut self) -> Result<(), B::Error> {
        while self.events.front().is_some_and(|event| event.cycle <= self.now()) {
            let event = self.events.pop_front().expect("the one that is due");
            match event.action {
                Action::Behave { port, behaviour } => self.bench.set_behaviour(port, behaviour),
                Action::Change { policy, held: true, .. } => self.bench.change_between_frames(&policy)?,
                Action::Change { rows, policy, held: false } => {
                    for row in &rows {
                        self.send(CHANGE_CYCLES);
                        self.bench.change_under_traffic(row)?;
                    }
                    // What is left are the wishes.
                    if *self.bench.policy() != *policy {
                        self.bench.change_between_frames(&policy)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Frames whose time comes within so many cycles, as far as ports have room; beyond that only where they are sent ahead.
    fn send(&mut self, ahead: u64) {
        let now = self.now();
        for port in 0..self.names.len() {
            while (ahead > 0 || self.bench.room(port) > 0)
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
