//! Plans are played on the bench.

use super::{Bench, BenchError, Gate, Outcome, PATIENCE};
use crate::{
    player::Stage,
    traffic::Sink,
    veb::{
        Policy,
        bench::{Begun, Behaviour, Frame, Left},
        policy::Change,
    },
};
use hdl::Simulator;

/// Frames that may wait for a driver, which looks only now and then.
const IN_FRONT: usize = 64;

/// Cycles after which a frame is decided that a driver is rid of, beside those that a full buffer of frames takes.
const DECIDED: u64 = 600;
/// Bytes of frames that wait between a transmit queue and the bridge.
const KEPT: u64 = 16384;

impl<S: Simulator> Bench<S> {
    /// How a port is treated from now on.
    pub(super) fn treat(&mut self, port: usize, behaviour: Behaviour) {
        self.gates[port].behaviour = behaviour;
        if let Some(wire) = self.scene.nic.bus.device.0.get_mut(port) {
            wire.behaviour = behaviour;
        }
        self.idle_cycles = 0;
    }

    fn is_waiting(&self) -> bool {
        self.gates.iter().any(|gate| !gate.waiting.is_empty())
    }

    /// Cycles without a move after which frames that are still inside count as stuck.
    fn patience(&self) -> u64 {
        PATIENCE + 2 * self.slowest()
    }

    pub(super) fn check_patience(&self) -> Result<(), BenchError> {
        let patience = self.patience();
        if self.idle_cycles > patience { Err(BenchError::Stuck(patience)) } else { Ok(()) }
    }

    /// Sources begin no frame; those that a wire has come to their end, whether it pauses or not.
    fn hold(&mut self, held: bool) {
        self.held = held;
        for (wire, gate) in self.scene.nic.bus.device.0.iter_mut().zip(&self.gates) {
            wire.behaviour.pause = if held { 0 } else { gate.behaviour.pause };
        }
    }
}

impl<S: Simulator> Bench<S> {
    /// Nothing is held back any more; says whether anything was.
    pub(super) fn let_go(&mut self) -> bool {
        let held: Vec<usize> = (0..self.gates.len())
            .filter(|port| self.gates[*port].behaviour != Behaviour::default())
            .collect();
        held.iter().for_each(|port| self.treat(*port, Behaviour::default()));
        !held.is_empty()
    }
}

impl<S: Simulator> Stage for Bench<S> {
    type Error = BenchError;
    type Outcome = Outcome;

    fn begin(&mut self) {
        self.begin_counting();
        self.left.clear();
        self.idle_cycles = 0;
    }

    fn cycles(&self) -> u64 {
        self.cycles()
    }

    fn room(&self, port: usize) -> usize {
        let most = if self.policy.is_wire(port) { 2 } else { IN_FRONT };
        most.saturating_sub(self.gates[port].waiting.len())
    }

    fn send_frame(&mut self, port: usize, frame: Frame) {
        self.gates[port].waiting.push_back(frame);
        self.idle_cycles = 0;
    }

    fn set_behaviour(&mut self, port: usize, behaviour: Behaviour) {
        self.treat(port, behaviour);
    }

    /// Of a wire; it carries 10 Gb/s at most.
    fn set_link(&mut self, port: usize, link: Option<Sink>) {
        if let Some(wire) = self.scene.nic.bus.device.0.get_mut(port) {
            wire.link = link;
        }
    }

    fn change_between_frames(&mut self, policy: &Policy) -> Result<(), BenchError> {
        self.hold(true);
        while !self.is_between_frames() {
            self.cycle()?;
            self.check_patience()?;
        }
        self.wait(KEPT / self.scene.nic.config.bytes as u64 + DECIDED)?;
        let result = self.set_policy(policy);
        self.hold(false);
        self.idle_cycles = 0;
        result
    }

    fn change_under_traffic(&mut self, _: &Change) -> Result<(), BenchError> {
        Err(BenchError::Unheld)
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn cycle(&mut self) -> Result<(), BenchError> {
        self.cycle()
    }

    fn cycle_with_patience(&mut self) -> Result<(), BenchError> {
        self.cycle()?;
        let since = self.cycles().saturating_sub(self.patience());
        let is_late = |gate: &Gate| gate.waiting.front().is_some_and(|frame| frame.not_before < since);
        let is_inside = !self.is_between_frames();
        if is_inside || self.gates.iter().any(is_late) { self.check_patience() } else { Ok(()) }
    }

    fn is_done(&self) -> bool {
        self.idle_cycles >= self.quiet() && !self.is_waiting() && self.is_between_frames()
    }

    fn end(&mut self) -> bool {
        self.let_go()
    }

    fn take_begun(&mut self) -> Vec<Begun> {
        std::mem::take(&mut self.begun)
    }

    fn take_left(&mut self) -> Vec<Left> {
        std::mem::take(&mut self.left)
    }

    fn finish(self) -> Result<Outcome, BenchError> {
        self.finish()
    }
}
