//! Plays flows, links and events on a [`Bench`], and gathers what becomes of the flows.

use super::{
    Policy, Report,
    bench::{Behaviour, Bench, BenchError, Left},
};
use crate::{
    report::{Collector, Results},
    scenario::{Action, Event},
    traffic::{Flow, Sink, SinkRate, Traffic},
};
use hdl::Simulator;
use rtl::config::Config;
use std::collections::VecDeque;

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
            self.send();
            let all_sent =
                self.traffic.is_finished(self.now()) || self.stop.is_some_and(|stop| self.now() >= stop);
            if all_sent && self.events.is_empty() {
                done = self.bench.run_for(end - self.now())?;
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
                Action::Stall { port } => self.bench.set_behaviour(port, Behaviour { pause: 0, stall: 100 }),
                Action::Resume { port } => self.bench.set_behaviour(port, Behaviour::default()),
                Action::Change { policy, .. } => self.bench.set_policy_between_frames(&policy)?,
            }
        }
        Ok(())
    }

    /// Frames whose time has come; one waits at a port while another moves in, so that there is no gap between them.
    fn send(&mut self) {
        let now = self.now();
        if self.stop.is_some_and(|stop| now >= stop) {
            return;
        }
        for port in 0..self.names.len() {
            if self.bench.waiting_at(port) < 2
                && self.traffic.next_cycle(port).is_some_and(|cycle| cycle <= now)
                && let Some(frame) = self.traffic.send(port, now)
            {
                self.collector.offered(&frame);
                self.bench.send_marked(port, frame.bytes, (frame.flow, frame.sequence));
                self.sent += 1;
            }
        }
    }
}
