//! The control queue (virtio 5.1.6.5).

use super::{
    Event,
    command::{Command, OK},
};
use crate::{
    pcie::Machine,
    random::Random,
    virtio::{
        dma::Dma,
        error::Fault,
        layout::{Layout, Limits},
        queue::Queue,
    },
};
use std::collections::VecDeque;

/// A control queue, and whether it has a command.
pub struct Control {
    pub queue: Queue,
    is_asked: bool,
}

impl Control {
    pub fn new(queue: Queue) -> Control {
        Control { queue, is_asked: false }
    }

    /// Gives the device a command, laid out as told, and room for an answer behind it; `false` if it has one already.
    pub fn begin(
        &mut self,
        machine: &mut Machine,
        dma: &mut Dma,
        random: &mut Random,
        layout: &Layout,
        command: &Command,
    ) -> bool {
        if self.is_asked {
            return false;
        }
        let limits = self.queue.limits();
        let bytes = command.bytes();
        let mut plan = layout.plan(random, bytes.len(), Limits { size: limits.size - 1, ..limits });
        plan.parts.push((1, layout.place(random)));
        self.is_asked = self.queue.add(machine, dma, &bytes, &plan).is_some();
        self.is_asked
    }

    pub fn collect(
        &mut self,
        machine: &mut Machine,
        dma: &mut Dma,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Fault> {
        while let Some(returned) = self.queue.collect(machine, dma)? {
            let [answer] = returned.data[..] else {
                let what = "an answer is not one byte";
                return Err(Fault::Header { queue: self.queue.index, what });
            };
            self.is_asked = false;
            events.push_back(Event::Answered { done: answer == OK });
        }
        Ok(())
    }
}
