//! What a run on the adapter came to.

use super::{Bench, BenchError};
use crate::{
    pcie::{Checker, Direction},
    veb::Report,
    virtio::features::Features,
};
use hdl::Simulator;
use rtl::config::MAX_FRAME;
use serde::Serialize;

/// What a run on the adapter came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub report: Report,
    /// Of the functions with a driver.
    pub functions: Vec<FunctionFigures>,
    /// Frames for functions that found no buffer, also of those without a driver.
    pub no_buffer: u64,
    /// Frames that the manager's mailbox had no room for.
    pub manager_lost: u64,
}

/// What a function and its driver did while the plan was played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionFigures {
    /// The function's port.
    pub name: String,
    /// `split` or `packed`.
    pub ring: &'static str,
    /// Pairs of queues in use.
    pub pairs: usize,
    /// Frames that the driver gave, and that it got.
    pub frames_sent: u64,
    pub frames_received: u64,
    /// Frames that found no buffer, or none that was large enough.
    pub no_buffer: u64,
    pub interrupts: u64,
    /// Notifications that the driver wrote.
    pub doorbells: u64,
    /// Bytes on the PCI Express link with their framing: from the adapter to the host, and back.
    pub pcie_up: u64,
    pub pcie_down: u64,
}

/// What was counted before the plan began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    interrupts: u64,
    doorbells: u64,
    bytes: [u64; 2],
}

impl<S: Simulator> Bench<S> {
    fn count(&self, guest: usize) -> Before {
        let function = self.guests[guest].function;
        let (net, checker): (_, &Checker) = (&self.scene.drivers[&function], &self.scene.nic.bus.checker);
        let id = self.scene.nic.places[function].id;
        Before {
            interrupts: net.interrupts,
            doorbells: net.notifications(),
            bytes: [Direction::Up, Direction::Down].map(|direction| checker.bytes_of(id, direction)),
        }
    }

    /// What happens from now on counts.
    pub(super) fn begin_counting(&mut self) {
        for guest in 0..self.guests.len() {
            self.guests[guest].before = self.count(guest);
        }
    }

    /// Cycles in which something moves on the link or a wire if anything is inside: a frame of the longest size in two buffers, a
    /// read, a batch of used buffers, the look of a driver.
    pub(super) fn quiet(&self) -> u64 {
        let nic = &self.scene.nic;
        let read = nic.bus.host.behaviour.latency + nic.bus.host.behaviour.jitter;
        2 * MAX_FRAME as u64 / nic.config.bytes as u64 + 3000 + 2 * read + self.slowest()
    }

    /// Cycles between two looks of the driver that looks least often.
    pub(super) fn slowest(&self) -> u64 {
        self.guests.iter().map(|guest| guest.period).max().unwrap_or(0)
    }

    /// Ends the run: what was held back comes out, counters are read, and everything is compared.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile; [`BenchError::Leak`].
    pub fn finish(mut self) -> Result<Outcome, BenchError> {
        let mut functions = vec![];
        for (guest, of) in self.guests.iter().enumerate() {
            let (now, net) = (self.count(guest), &self.scene.drivers[&of.function]);
            functions.push(FunctionFigures {
                name: self.names[of.port].clone(),
                ring: if net.options().features.has(Features::RING_PACKED) { "packed" } else { "split" },
                pairs: of.pairs,
                frames_sent: of.sent,
                frames_received: of.received,
                no_buffer: 0,
                interrupts: now.interrupts - of.before.interrupts,
                doorbells: now.doorbells - of.before.doorbells,
                pcie_up: now.bytes[0] - of.before.bytes[0],
                pcie_down: now.bytes[1] - of.before.bytes[1],
            });
        }
        self.let_go();
        while self.idle_cycles < self.quiet() {
            self.cycle()?;
        }
        let lost = self.lost()?;
        for (function, frames) in lost.iter().enumerate() {
            self.scoreboard.lost_behind(self.scene.port(function), *frames);
        }
        for (guest, figures) in self.guests.iter().zip(&mut functions) {
            self.scoreboard.lost_behind(guest.port, guest.empty);
            figures.no_buffer = lost[guest.function] + guest.empty;
        }
        let empty: u64 = self.guests.iter().map(|guest| guest.empty).sum();
        let no_buffer = lost.iter().sum::<u64>() - lost[1] + empty;
        let broken = self.broken()?;
        self.check_cells()?;
        let statistics = self.statistics()?;
        let bus = &mut self.scene.nic.bus;
        let intrusions = bus.host.platform.iommu.take_intrusions();
        let intrusions = intrusions.iter().map(|it| format!("memory of others: {it}"));
        let breaches = bus.checker.take_breaches();
        let breaches = breaches.iter().map(|it| format!("PCI Express: {it}"));
        for what in broken.into_iter().chain(intrusions).chain(breaches) {
            self.scoreboard.report_other(what);
        }
        let report = self.scoreboard.finish(&statistics);
        Ok(Outcome { report, functions, no_buffer, manager_lost: lost[1] })
    }
}
