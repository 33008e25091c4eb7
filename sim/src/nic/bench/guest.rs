//! A driver that carries the frames of its port.

use super::{Bench, BenchError, Driver, outcome::Before, trouble};
use crate::{
    nic::{Arrival, Scene},
    pcie::{Packet as TransactionPacket, host::ROOT},
    traffic::Stamp,
    veb::bench::Behaviour,
    virtio::{
        error::DriverError,
        net::{Event, Packet},
        queue::Doorbell,
    },
};
use hdl::Simulator;

/// A driver, and what the bench knows of it.
pub(super) struct Guest {
    pub function: usize,
    pub port: usize,
    pub period: u64,
    pub pairs: usize,
    /// It asked for all frames, or for all groups, and gets them.
    pub granted: [bool; 2],
    /// Frames that it gave, and that it got.
    pub sent: u64,
    pub received: u64,
    /// Buffers that came back empty: each stands for a frame that did not fit.
    pub empty: u64,
    pub before: Before,
}

impl Guest {
    pub fn new<S: Simulator>(scene: &Scene<S>, driver: &Driver) -> Guest {
        Guest {
            function: driver.function,
            port: scene.port(driver.function),
            period: driver.period,
            pairs: driver.options.pairs.into(),
            granted: [false; 2],
            sent: 0,
            received: 0,
            empty: 0,
            before: Before::default(),
        }
    }
}

impl<S: Simulator> Bench<S> {
    /// A driver looks: gives frames that are due, takes those that came, and rings. A flow keeps to one pair of queues.
    pub(super) fn look(&mut self, guest: usize, now: u64) -> Result<(), BenchError> {
        let Guest { function, port, pairs, .. } = self.guests[guest];
        let Behaviour { pause, stall } = self.gates[port].behaviour;
        let (is_paused, is_stalled) = (self.held || self.happens(pause), self.happens(stall));
        let net = self.scene.drivers.get_mut(&function).expect("a guest has a driver");
        let host = &mut self.scene.nic.bus.host;
        let waiting = &mut self.gates[port].waiting;
        let mut given = vec![];
        while let Some(frame) = waiting.front().filter(|frame| !is_paused && frame.not_before <= now) {
            let packet = Packet { frame: frame.bytes.clone(), ..Packet::default() };
            let pair = frame.mark.map_or(0, |(flow, _)| flow % pairs);
            if !net.send(&mut host.platform, pair, &packet) {
                break;
            }
            given.extend(waiting.pop_front());
        }
        net.is_stalled = is_stalled;
        let events = net.poll(&mut host.platform);
        // The link takes the notifications when it can, and the driver does not wait for that.
        for Doorbell { address, data, bytes } in net.take_doorbells() {
            let data = &data.to_le_bytes()[..bytes];
            host.send_raw(TransactionPacket::memory_write(ROOT, 0, address, data));
        }
        self.guests[guest].sent += given.len() as u64;
        for frame in given {
            self.enters(port, frame, now);
        }
        let events = events.map_err(|fault| trouble(&self.names[port], DriverError::Fault(fault)))?;
        for event in events {
            self.idle_cycles = 0;
            match event {
                Event::Received { pair, frame, .. } => {
                    self.guests[guest].received += 1;
                    self.leaves(port, pair, Arrival::good(frame, now), None);
                }
                Event::Nothing { .. } => self.guests[guest].empty += 1,
                Event::Sent { .. } | Event::Answered { .. } | Event::Changed => {}
            }
        }
        Ok(())
    }

    /// Where frames of a port may overtake each other, those of a flow still come in order by each queue, and on a wire.
    pub(super) fn check_order(&mut self, port: usize, pair: usize, frame: &[u8]) {
        let Some(stamp) = Stamp::of_frame(frame) else { return };
        let last = self.last_of_flows.insert((port, pair, stamp.flow), stamp.sequence);
        if last.is_some_and(|last| stamp.sequence < last) {
            let (name, Stamp { flow, sequence, .. }) = (&self.names[port], stamp);
            self.scoreboard
                .report_other(format!("frame {sequence} of flow {flow} came to {name} behind a later one"));
        }
    }
}
