//! Plans are played on the bench.

use super::{Begun, Behaviour, Bench, BenchError, Frame, Left};
use crate::{
    player::Stage,
    traffic::Sink,
    veb::{
        policy::{Change, Policy},
        scoreboard::Report,
    },
};
use hdl::Simulator;

impl<S: Simulator> Stage for Bench<S> {
    type Error = BenchError;
    type Outcome = Report;

    fn begin(&mut self) {
        self.keep_left = true;
    }

    fn cycles(&self) -> u64 {
        self.cycles()
    }

    /// One waits while another moves in.
    fn room(&self, port: usize) -> usize {
        2_usize.saturating_sub(self.waiting_at(port))
    }

    fn send_frame(&mut self, port: usize, frame: Frame) {
        self.send_frame(port, frame);
    }

    fn set_behaviour(&mut self, port: usize, behaviour: Behaviour) {
        self.set_behaviour(port, behaviour);
    }

    fn set_link(&mut self, port: usize, link: Option<Sink>) {
        self.set_link(port, link);
    }

    fn change_between_frames(&mut self, policy: &Policy) -> Result<(), BenchError> {
        self.set_policy_between_frames(policy)
    }

    fn change_under_traffic(&mut self, change: &Change) -> Result<(), BenchError> {
        self.change_under_traffic(change).map(drop)
    }

    fn policy(&self) -> &Policy {
        self.policy()
    }

    fn cycle(&mut self) -> Result<(), BenchError> {
        self.cycle()
    }

    fn cycle_with_patience(&mut self) -> Result<(), BenchError> {
        self.cycle_with_patience()
    }

    fn is_done(&self) -> bool {
        self.is_done()
    }

    fn take_begun(&mut self) -> Vec<Begun> {
        self.take_begun()
    }

    fn take_left(&mut self) -> Vec<Left> {
        self.take_left()
    }

    fn finish(self) -> Result<Report, BenchError> {
        self.finish()
    }
}
