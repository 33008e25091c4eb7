//! A driver of a network function (virtio 5.1).
//!
//! ```text
//!  send ─► transmit ─┐                                   ┌─► events: frames that came, that were sent, answers
//!  begin ─► control ─┼─► rings in memory ◄─► function     │
//!           receive ─┘         │                         │
//!                             poll ──────────────────────┴─► doorbells ─► ring
//! ```
//!
//! What has to do with registers waits for the function. The rest works on memory, between cycles: [`Net::poll`] looks at
//! rings, fills them, and leaves notifications to [`Net::ring`]. A driver with interrupts looks only at queues whose vector
//! came, so that one that does not come is missed.

mod command;
mod control;
mod header;
mod life;
mod receive;
mod transmit;

pub use command::Command;
pub use header::{DATA_VALID, HEADER, Header, NEEDS_CSUM};
pub use transmit::Packet;

use super::{
    device::{Device, NetConfiguration},
    dma::Dma,
    error::Fault,
    features::Features,
    layout::Layout,
    queue::{Doorbell, Queue},
};
use crate::{
    pcie::{Adapter, Machine},
    random::Random,
};
use control::Control;
use receive::Receive;
use std::collections::VecDeque;
use transmit::Transmit;

/// How a driver uses its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetOptions {
    pub features: Features,
    /// Pairs of queues; more than one with MQ.
    pub pairs: u16,
    /// Entries of receive, transmit and control queues; those of a split ring are powers of two, and a control queue has at
    /// least 2.
    pub sizes: [u16; 3],
    /// Waits for interrupts; otherwise looks whenever it is polled, and wants none.
    pub interrupts: bool,
    /// See [`super::ring::RingOptions::scattered`].
    pub scattered: bool,
    pub receive: Layout,
    pub transmit: Layout,
    /// The longest frame that a receive buffer must hold without MRG_RXBUF.
    pub longest: usize,
    /// Descriptors of receive queues that are kept free.
    pub reserve: usize,
    pub seed: u64,
}

impl NetOptions {
    /// What any network device offers that is worth its name, with plain buffers and interrupts.
    pub fn plain(packed: bool, seed: u64) -> NetOptions {
        let ring = if packed { Features::RING_PACKED } else { Features::NONE };
        NetOptions {
            features: Features::VERSION_1
                | Features::ACCESS_PLATFORM
                | Features::MAC
                | Features::STATUS
                | Features::CTRL_VQ
                | ring,
            pairs: 1,
            sizes: [64, 64, 16],
            interrupts: true,
            scattered: false,
            receive: Layout::plain(),
            transmit: Layout::plain(),
            longest: 1518,
            reserve: 0,
            seed,
        }
    }
}

/// One of a driver's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Of this pair.
    Receive(usize),
    Transmit(usize),
    Control,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Received {
        pair: usize,
        header: Header,
        frame: Vec<u8>,
    },
    /// A receive buffer came back with nothing in it: without MRG_RXBUF, a frame was too long.
    Nothing {
        pair: usize,
    },
    /// The device needs a packet no longer.
    Sent {
        pair: usize,
        tag: u64,
    },
    /// The command was carried out, or not.
    Answered {
        done: bool,
    },
    /// The device configuration or the status changed.
    Changed,
}

/// See the module.
pub struct Net {
    pub device: Device,
    pub dma: Dma,
    pub configuration: NetConfiguration,
    options: NetOptions,
    receive: Vec<Receive>,
    transmit: Vec<Transmit>,
    control: Option<Control>,
    random: Random,
    events: VecDeque<Event>,
    doorbells: VecDeque<Doorbell>,
    /// Interrupts that came.
    pub interrupts: u64,
    /// Receive queues are left alone: frames are not taken, and buffers not given.
    pub is_stalled: bool,
}

impl Net {
    pub fn options(&self) -> &NetOptions {
        &self.options
    }

    /// A queue of the driver.
    ///
    /// # Panics
    /// If it has no such queue.
    pub fn queue(&mut self, which: Which) -> &mut Queue {
        match which {
            Which::Receive(pair) => &mut self.receive[pair].queue,
            Which::Transmit(pair) => &mut self.transmit[pair].queue,
            Which::Control => &mut self.control.as_mut().expect("there is a control queue").queue,
        }
    }

    /// All queues of the driver.
    pub fn queues(&self) -> Vec<Which> {
        let pairs = 0..self.receive.len();
        let control = self.control.as_ref().map(|_| Which::Control);
        pairs.flat_map(|pair| [Which::Receive(pair), Which::Transmit(pair)]).chain(control).collect()
    }

    /// Its receive queues, by their pairs.
    pub fn receive_queues(&self) -> impl Iterator<Item = &Queue> {
        self.receive.iter().map(|receive| &receive.queue)
    }

    /// Puts a packet into a transmit queue; `false` if there is no room. It leaves with the next [`Net::poll`].
    pub fn send(&mut self, machine: &mut Machine, pair: usize, packet: &Packet) -> bool {
        self.transmit[pair].send(machine, &mut self.dma, &mut self.random, packet)
    }

    /// Packets that were sent, and of which the device has not said that it needs them no longer.
    pub fn unsent(&self) -> usize {
        self.transmit.iter().map(|transmit| transmit.queue.ring.outstanding()).sum()
    }

    /// Gives the device a command; `false` if it has one already. It leaves with the next [`Net::poll`].
    ///
    /// # Panics
    /// If there is no control queue.
    pub fn begin(&mut self, machine: &mut Machine, command: &Command) -> bool {
        let control = self.control.as_mut().expect("there is a control queue");
        control.begin(machine, &mut self.dma, &mut self.random, &self.options.transmit, command)
    }

    /// Collects what was used, gives the device new receive buffers, and makes everything available.
    ///
    /// # Errors
    /// The device does something that it must not do.
    pub fn poll(&mut self, machine: &mut Machine) -> Result<Vec<Event>, Fault> {
        self.listen(machine)?;
        let Net { dma, random, receive, transmit, control, events, options, is_stalled, .. } = self;
        let is_polled = !options.interrupts;
        for (pair, receive) in receive.iter_mut().enumerate().filter(|_| !*is_stalled) {
            while receive.queue.is_due || is_polled {
                receive.queue.begin(machine);
                receive.collect(machine, dma, pair, events)?;
                receive.fill(machine, dma, random);
                if !receive.queue.end(machine, false, random) {
                    break;
                }
            }
        }
        for (pair, transmit) in transmit.iter_mut().enumerate() {
            while transmit.queue.is_due || is_polled {
                transmit.queue.begin(machine);
                transmit.collect(machine, dma, pair, events)?;
                if !transmit.queue.end(machine, true, random) {
                    break;
                }
            }
        }
        while let Some(control) = control.as_mut().filter(|control| control.queue.is_due || is_polled) {
            control.queue.begin(machine);
            control.collect(machine, dma, events)?;
            if !control.queue.end(machine, false, random) {
                break;
            }
        }
        self.publish(machine);
        Ok(std::mem::take(&mut self.events).into())
    }

    fn publish(&mut self, machine: &mut Machine) {
        let Net { receive, transmit, control, doorbells, .. } = self;
        let queues = receive.iter_mut().map(|receive| &mut receive.queue);
        let queues = queues.chain(transmit.iter_mut().map(|transmit| &mut transmit.queue));
        let queues = queues.chain(control.iter_mut().map(|control| &mut control.queue));
        doorbells.extend(queues.filter_map(|queue| queue.publish(machine)));
    }

    /// Takes this function's interrupts from the machine: they say which queues to look at.
    fn listen(&mut self, machine: &mut Machine) -> Result<(), Fault> {
        let id = self.device.pci.function.id;
        let own = |interrupt: &mut crate::pcie::machine::Interrupt| interrupt.origin.requester == id;
        let came: Vec<_> = machine.interrupts.extract_if(.., own).collect();
        for interrupt in came {
            let Some(vector) = self.device.pci.vector(&interrupt)? else { continue };
            self.interrupts += 1;
            if vector == life::CONFIGURATION {
                self.events.push_back(Event::Changed);
            }
            for which in self.queues() {
                let queue = self.queue(which);
                queue.is_due |= queue.vector == vector;
            }
        }
        Ok(())
    }

    /// Writes the notifications that the device wants, and takes a cycle for each.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    pub fn ring<A: Adapter>(&mut self, adapter: &mut A) -> Result<(), A::Error> {
        while let Some(Doorbell { address, data, bytes }) = self.doorbells.pop_front() {
            adapter.write(address, &data.to_le_bytes()[..bytes])?;
        }
        Ok(())
    }

    /// The notifications that wait, for a caller that writes them itself.
    pub fn take_doorbells(&mut self) -> Vec<Doorbell> {
        std::mem::take(&mut self.doorbells).into()
    }

    /// Notifications of all queues so far.
    pub fn notifications(&self) -> u64 {
        let pairs = self.receive.iter().map(|receive| &receive.queue);
        let queues = pairs.chain(self.transmit.iter().map(|transmit| &transmit.queue));
        queues.chain(self.control.iter().map(|control| &control.queue)).map(|queue| queue.notifications).sum()
    }

    /// Has one more notification written.
    pub fn notify(&mut self, doorbell: Doorbell) {
        self.doorbells.push_back(doorbell);
    }

    /// Whether notifications wait for [`Net::ring`].
    pub fn has_doorbells(&self) -> bool {
        !self.doorbells.is_empty()
    }
}

#[cfg(test)]
mod tests;
