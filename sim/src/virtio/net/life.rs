//! A driver's beginning and end, and what it asks of the registers.

use super::{Control, Event, Net, NetOptions, Receive, Transmit, Which};
use crate::{
    pcie::{Configuration, Host, Machine},
    random::Random,
    virtio::{
        device::{Device, NetConfiguration, QueueSetup},
        dma::Dma,
        error::{DriverError, Fault},
        features::Features,
        net::Command,
        pci::Function,
        queue::Queue,
        ring::{RingOptions, new_ring},
    },
};
use std::collections::VecDeque;

type Result<T, H> = std::result::Result<T, DriverError<<H as Configuration>::Error>>;

/// The vector for changes of the configuration; queues have those behind it, as far as there are any.
pub const CONFIGURATION: u16 = 0;

/// Cycles that a command may take.
const PATIENCE: usize = 200_000;

/// What queues are made with.
struct Maker<'a> {
    device: &'a Device,
    options: &'a NetOptions,
    /// The number of pairs that comes before the control queue.
    pairs: u16,
}

impl Maker<'_> {
    /// The number that the device has for a queue (5.1.2).
    fn index(&self, which: Which) -> u16 {
        match which {
            Which::Receive(pair) => 2 * pair as u16,
            Which::Transmit(pair) => 2 * pair as u16 + 1,
            Which::Control => 2 * self.pairs,
        }
    }

    fn make<H: Host>(&self, host: &mut H, dma: &mut Dma, which: Which, size: u16) -> Result<Queue, H> {
        let index = self.index(which);
        let most = self.device.queue_size(host, index)?;
        if size > most {
            return Err(Fault::Wrong { what: "the most entries of a queue", value: most.into() })?;
        }
        let features = self.options.features;
        let seed = Random::fork(self.options.seed, index.into()).word();
        let options = RingOptions {
            packed: features.has(Features::RING_PACKED),
            event_index: features.has(Features::EVENT_IDX),
            in_order: features.has(Features::IN_ORDER),
            scattered: self.options.scattered,
            seed,
        };
        let vector = match self.device.pci.vectors {
            1 => CONFIGURATION,
            vectors => 1 + index % (vectors - 1),
        };
        let interrupts = self.options.interrupts;
        let mut ring = new_ring(host.machine(), dma, size, options);
        if !interrupts {
            ring.disarm(host.machine());
        }
        let doorbell =
            self.device.enable_queue(host, QueueSetup { index, size, vector, areas: ring.areas() })?;
        Ok(Queue::new(index, vector, ring, doorbell, features, interrupts))
    }
}

/// Pairs of queues that come before the control queue (5.1.2).
fn pairs(options: &NetOptions, configuration: &NetConfiguration) -> u16 {
    if options.features.has(Features::MQ) { configuration.max_pairs } else { 1 }
}

impl Net {
    /// Finds the device, resets it, agrees with it, configures its queues, and makes it live (3.1.1, 5.1.5). Receive queues
    /// are full then. Whatever was mapped for the function is not any more.
    ///
    /// # Errors
    /// Something is not as it must be.
    pub fn start<H: Host>(host: &mut H, function: Function, options: NetOptions) -> Result<Net, H> {
        let mut device = Device::find(host, function)?;
        device.negotiate(host, options.features)?;
        // Nothing of what was may be reached any more.
        let mut dma = Dma::new(host.machine(), function.id, options.seed);
        let configuration = device.configuration(host)?;
        device.pci.enable_interrupts(host)?;
        device.set_configuration_vector(host, CONFIGURATION)?;
        let pairs = pairs(&options, &configuration);
        if !(1..=pairs).contains(&options.pairs) {
            return Err(Fault::Wrong { what: "the number of pairs", value: pairs.into() })?;
        }
        let maker = Maker { device: &device, options: &options, pairs };
        let mut random = Random::new(options.seed);
        let (mut receive, mut transmit, mut control) = (vec![], vec![], None);
        for pair in 0..usize::from(options.pairs) {
            let queue = maker.make(host, &mut dma, Which::Receive(pair), options.sizes[0])?;
            let mut queue = Receive::new(queue, &options);
            queue.fill(host.machine(), &mut dma, &mut random);
            receive.push(queue);
            let queue = maker.make(host, &mut dma, Which::Transmit(pair), options.sizes[1])?;
            transmit.push(Transmit::new(queue, options.transmit.clone()));
        }
        if options.features.has(Features::CTRL_VQ) {
            control = Some(Control::new(maker.make(host, &mut dma, Which::Control, options.sizes[2])?));
        }
        device.go(host)?;
        let (events, doorbells) = (VecDeque::new(), VecDeque::new());
        let mut net = Net {
            device,
            dma,
            configuration,
            options,
            receive,
            transmit,
            control,
            random,
            events,
            doorbells,
            interrupts: 0,
            is_stalled: false,
        };
        if net.options.pairs > 1 && !net.command(host, &Command::Pairs(net.options.pairs))? {
            return Err(Fault::Wrong { what: "the answer to the number of pairs", value: 1 })?;
        }
        Ok(net)
    }

    /// Gives the device a command and waits for the answer; other events are kept for the next [`Net::poll`].
    ///
    /// # Errors
    /// There is no answer, or something goes wrong meanwhile.
    pub fn command<H: Host>(&mut self, host: &mut H, command: &Command) -> Result<bool, H> {
        if !self.begin(host.machine(), command) {
            return Err(Fault::Late("the command before"))?;
        }
        for _ in 0..PATIENCE {
            let mut answer = None;
            let events = self.poll(host.machine())?;
            self.ring(host).map_err(DriverError::Bus)?;
            for event in events {
                match event {
                    Event::Answered { done } => answer = Some(done),
                    event => self.events.push_back(event),
                }
            }
            if let Some(done) = answer {
                return Ok(done);
            }
            host.wait(1).map_err(DriverError::Bus)?;
        }
        Err(Fault::Late("a command"))?
    }

    /// Reads the device configuration again.
    ///
    /// # Errors
    /// See [`Device::configuration`].
    pub fn read_configuration<H: Host>(&mut self, host: &mut H) -> Result<NetConfiguration, H> {
        self.configuration = self.device.configuration(host)?;
        Ok(self.configuration)
    }

    /// Resets a queue and begins with it anew, with so many entries (2.6.1). Returns the tags of packets of which nobody
    /// knows whether they were sent.
    ///
    /// # Errors
    /// RING_RESET was not agreed on, or see [`Device::reset_queue`].
    pub fn reset_queue<H: Host>(&mut self, host: &mut H, which: Which, size: u16) -> Result<Vec<u64>, H> {
        if !self.options.features.has(Features::RING_RESET) {
            return Err(Fault::NotOffered(Features::RING_RESET))?;
        }
        let index = self.queue(which).index;
        self.device.reset_queue(host, index)?;
        let (machine, dma) = (host.machine(), &mut self.dma);
        let lost = match (which, &mut self.control) {
            (Which::Transmit(pair), _) => self.transmit[pair].close(machine, dma),
            (Which::Receive(pair), _) => {
                self.receive[pair].queue.close(machine, dma);
                vec![]
            }
            (Which::Control, control) => {
                control.as_mut().map(|control| control.queue.close(machine, dma));
                vec![]
            }
        };
        let pairs = pairs(&self.options, &self.configuration);
        let maker = Maker { device: &self.device, options: &self.options, pairs };
        let queue = maker.make(host, &mut self.dma, which, size)?;
        match which {
            Which::Receive(pair) => {
                self.receive[pair] = Receive::new(queue, &self.options);
                self.receive[pair].fill(host.machine(), &mut self.dma, &mut self.random);
            }
            Which::Transmit(pair) => {
                self.transmit[pair] = Transmit::new(queue, self.options.transmit.clone());
            }
            Which::Control => self.control = Some(Control::new(queue)),
        }
        Ok(lost)
    }

    /// Resets the device and takes everything away from it; returns the tags as [`Net::reset_queue`].
    ///
    /// # Errors
    /// See [`Device::reset`].
    pub fn stop<H: Host>(mut self, host: &mut H) -> Result<Vec<u64>, H> {
        self.device.reset(host)?;
        Ok(self.abandon(host.machine()))
    }

    /// Takes everything away from a device that was reset by somebody else.
    pub fn abandon(mut self, machine: &mut Machine) -> Vec<u64> {
        let Net { dma, receive, transmit, control, .. } = &mut self;
        receive.iter_mut().for_each(|receive| drop(receive.queue.close(machine, dma)));
        control.iter_mut().for_each(|control| drop(control.queue.close(machine, dma)));
        transmit.iter_mut().flat_map(|transmit| transmit.close(machine, dma)).collect()
    }
}
