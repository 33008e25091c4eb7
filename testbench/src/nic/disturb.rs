//! What happens to functions and links in the middle of traffic, and how it ends.

use super::{
    campaign::{Campaign, Failure, on_bus},
    round::queue_and_size,
};
use hdl::Simulator;
use sim::{
    pcie::{Direction, host::Fault, packet::Class},
    virtio::{
        device::NEEDS_RESET,
        features::Features,
        net::{Net, Which},
    },
};

/// Functions that are being reset, or are not there.
pub struct Down {
    functions: Vec<usize>,
    /// Their drivers, which know nothing of it.
    nets: Vec<Net>,
    cause: Cause,
    /// When it must be over, and until when the functions then have to be silent.
    deadline: u64,
    end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// A reset of this function.
    Reset(usize),
    /// Virtual functions were taken away.
    Disabled,
}

/// Something that ends at a time.
pub enum Upset {
    /// Reads of a function fail.
    Faults {
        function: usize,
        until: u64,
    },
    /// They did: is the function broken?
    Doubt {
        function: usize,
        until: u64,
    },
    /// A function has no driver.
    Resting {
        function: usize,
        until: u64,
    },
    /// A driver does not look at its rings.
    Asleep {
        function: usize,
        net: Box<Net>,
        until: u64,
    },
    Wire {
        wire: usize,
        until: u64,
    },
    /// Credits are kept back.
    Drought {
        class: Class,
        until: u64,
    },
}

impl Upset {
    pub fn until(&self) -> u64 {
        match self {
            Upset::Faults { until, .. } | Upset::Doubt { until, .. } => *until,
            Upset::Resting { until, .. } | Upset::Asleep { until, .. } => *until,
            Upset::Wire { until, .. } | Upset::Drought { until, .. } => *until,
        }
    }

    fn function(&self) -> Option<usize> {
        match self {
            Upset::Faults { function, .. } | Upset::Doubt { function, .. } => Some(*function),
            Upset::Resting { function, .. } | Upset::Asleep { function, .. } => Some(*function),
            Upset::Wire { .. } | Upset::Drought { .. } => None,
        }
    }
}

/// Cycles after which a reset of a function must have ended: 100 microseconds at 160 MHz, a thousandth of what it may take.
const RESET: u64 = 16_000;

/// Cycles for which a function that was reset has to be silent.
const SILENCE: u64 = 2_000;

/// Cycles in which a read that fails has failed.
const FAILED: u64 = 3_000;

/// Faults of the host that end a read. One that never ends holds up all functions until it is given up.
const FAULTS: [Fault; 5] =
    [Fault::Unsupported, Fault::Aborted, Fault::Poisoned, Fault::Late, Fault::Duplicate];

const CLASSES: [Class; 3] = [Class::Posted, Class::NonPosted, Class::Completion];

impl<S: Simulator> Campaign<S> {
    /// Does something to a function that works, or to a link.
    pub fn disturb(&mut self) -> Result<(), Failure> {
        let is_busy = |function: &usize| self.upsets.iter().any(|upset| upset.function() == Some(*function));
        let working: Vec<usize> =
            self.scene.drivers.keys().copied().filter(|function| !is_busy(function)).collect();
        if working.is_empty() {
            return Ok(());
        }
        let all_work = working.len() == self.guests.len();
        let function = *self.random.pick(&working);
        let has_virtual = self.scene.nic.functions.iter().any(|function| function.is_virtual);
        match self.random.below(12) {
            0..4 if self.guests[&function].has(Features::RING_RESET) => self.reset_queue(function),
            4 => {
                self.happened_to("drivers that stop and begin again", &function);
                self.restart(function)
            }
            5 => self.rest(function),
            6 | 7 if function != 0 || !has_virtual => self.reset(vec![function], Cause::Reset(function)),
            6 | 7 if all_work => {
                let all = self.guests.keys().copied().collect();
                self.reset(all, Cause::Reset(0))
            }
            8 if all_work && has_virtual => {
                let all = self.guests.keys().copied().filter(|function| *function != 0).collect();
                self.reset(all, Cause::Disabled)
            }
            9 => {
                self.cut_wire(4000);
                Ok(())
            }
            10 => {
                self.withhold(600);
                Ok(())
            }
            _ => {
                self.spoil(function);
                Ok(())
            }
        }
    }

    /// Makes it hard for frames to find room.
    pub fn storm(&mut self) {
        let until = self.now() + 2000 + self.random.below(10_000) as u64;
        let awake: Vec<usize> = self.scene.drivers.keys().copied().collect();
        match self.random.below(4) {
            0 => self.cut_wire(20_000),
            1 => self.withhold(4000),
            _ if awake.is_empty() => {}
            _ => {
                let function = *self.random.pick(&awake);
                let net = self.scene.drivers.remove(&function).expect("it is awake");
                self.happened_to("drivers that look away", &function);
                self.upsets.push(Upset::Asleep { function, net: Box::new(net), until });
            }
        }
    }

    /// What is on its way to a function may be missing.
    fn excuse(&mut self, function: usize) {
        let port = self.scene.port(function);
        self.excused.insert(port);
        self.ledger.excuse(|_, to| to == port);
    }

    fn reset_queue(&mut self, function: usize) -> Result<(), Failure> {
        let (net, _) = self.scene.driver(function);
        let queues = net.queues();
        let which = *self.random.pick(&queues);
        let most = queue_and_size(&self.guests[&function], which);
        let packed = self.guests[&function].has(Features::RING_PACKED);
        // A receive queue of the same size still has room for the longest frame.
        let size = match which {
            Which::Receive(_) => most,
            _ if packed => most.div_ceil(2) + self.random.below(8) as u16,
            _ => most.max(8) >> self.random.below(2),
        };
        self.happened_to("resets of queues", &(function, which, size));
        if let Which::Receive(_) = which {
            self.excuse(function);
        }
        let (net, host) = self.scene.driver(function);
        let lost = net.reset_queue(host, which, size)?;
        lost.into_iter().for_each(|tag| self.ledger.excuse_tag(tag));
        Ok(())
    }

    pub fn restart(&mut self, function: usize) -> Result<(), Failure> {
        self.excuse(function);
        let lost = self.scene.stop(function)?;
        lost.into_iter().for_each(|tag| self.ledger.excuse_tag(tag));
        self.start(function, self.guests[&function].mtu)
    }

    fn rest(&mut self, function: usize) -> Result<(), Failure> {
        self.happened_to("functions that are without a driver for a while", &function);
        self.excuse(function);
        let lost = self.scene.stop(function)?;
        lost.into_iter().for_each(|tag| self.ledger.excuse_tag(tag));
        let until = self.now() + 2000 + self.random.below(8000) as u64;
        self.upsets.push(Upset::Resting { function, until });
        Ok(())
    }

    fn reset(&mut self, functions: Vec<usize>, cause: Cause) -> Result<(), Failure> {
        for function in &functions {
            self.excuse(*function);
        }
        match cause {
            Cause::Reset(function) => {
                let is_all = functions.len() > 1;
                let what = if is_all { "resets of the physical function" } else { "resets of functions" };
                self.happened_to(what, &function);
                on_bus(self.scene.nic.reset_function(function))?;
            }
            Cause::Disabled => {
                self.happened("virtual functions that go and come back");
                on_bus(self.scene.nic.enable_virtual(false))?;
            }
        }
        let nets = functions.iter().filter_map(|function| self.scene.drivers.remove(function)).collect();
        let deadline = self.now() + RESET;
        self.down.push(Down { functions, nets, cause, deadline, end: deadline + SILENCE });
        Ok(())
    }

    fn spoil(&mut self, function: usize) {
        let fault = *self.random.pick(&FAULTS);
        let is_taken = self.upsets.iter().any(|upset| matches!(upset, Upset::Faults { .. }));
        if is_taken {
            return;
        }
        let what = match fault {
            Fault::Unsupported => "reads of a function that are unsupported",
            Fault::Aborted => "reads of a function that are aborted",
            Fault::Poisoned => "reads of a function that are poisoned",
            Fault::Late => "reads of a function that are late",
            _ => "reads of a function that are completed twice",
        };
        self.happened_to(what, &function);
        self.excuse(function);
        let share = 5 + self.random.below(60) as u32;
        let behaviour = &mut self.scene.nic.bus.host.behaviour;
        (behaviour.faults, behaviour.lateness) = (vec![(fault, share)], 400);
        behaviour.victim = Some(self.scene.nic.places[function].id);
        let until = self.now() + 2000 + self.random.below(8000) as u64;
        self.upsets.push(Upset::Faults { function, until });
    }

    fn cut_wire(&mut self, longest: usize) {
        let wire = self.random.below(self.config.wires);
        if self.upsets.iter().any(|upset| matches!(upset, Upset::Wire { wire: other, .. } if *other == wire))
        {
            return;
        }
        self.happened_to("wires that are cut", &wire);
        self.scene.nic.set_wire(wire, false);
        let until = self.now() + 500 + self.random.below(longest) as u64;
        self.upsets.push(Upset::Wire { wire, until });
    }

    fn withhold(&mut self, longest: usize) {
        let class = *self.random.pick(&CLASSES);
        if self
            .upsets
            .iter()
            .any(|upset| matches!(upset, Upset::Drought { class: other, .. } if *other == class))
        {
            return;
        }
        self.happened_to("credits that are kept back", &class);
        let now = self.now();
        self.scene.nic.bus.link.withhold(Direction::Up, class, true, now);
        let until = now + 100 + self.random.below(longest) as u64;
        self.upsets.push(Upset::Drought { class, until });
    }

    /// Ends what has lasted long enough.
    pub fn recover(&mut self) -> Result<(), Failure> {
        let now = self.now();
        while let Some(index) = self.upsets.iter().position(|upset| upset.until() <= now) {
            match self.upsets.swap_remove(index) {
                Upset::Faults { function, until } => {
                    self.scene.nic.bus.host.behaviour.faults.clear();
                    self.upsets.push(Upset::Doubt { function, until: until.max(now) + FAILED });
                }
                Upset::Doubt { function, .. } => {
                    let (net, host) = self.scene.driver(function);
                    if net.device.status(host)? & NEEDS_RESET != 0 {
                        self.happened_to("functions that need a reset", &function);
                        // What could not be read leaves as a bad frame, which the bridge drops.
                        let port = self.scene.port(function);
                        self.ledger.excuse(|name, _| name.port == port);
                        self.restart(function)?;
                    }
                }
                Upset::Resting { function, .. } => self.start(function, self.guests[&function].mtu)?,
                Upset::Asleep { function, net, .. } => {
                    self.scene.drivers.insert(function, *net);
                }
                Upset::Wire { wire, .. } => self.scene.nic.set_wire(wire, true),
                Upset::Drought { class, .. } => {
                    self.scene.nic.bus.link.withhold(Direction::Up, class, false, now);
                }
            }
        }
        for index in 0..self.down.len() {
            if now >= self.down[index].deadline {
                for net in std::mem::take(&mut self.down[index].nets) {
                    let lost = net.abandon(&mut self.scene.nic.bus.host.platform);
                    lost.into_iter().for_each(|tag| self.ledger.excuse_tag(tag));
                }
                let functions = self.down[index].functions.clone();
                self.silence(&functions, true);
            }
        }
        while let Some(index) = self.down.iter().position(|down| down.end <= now) {
            let down = self.down.swap_remove(index);
            self.revive(down)?;
        }
        Ok(())
    }

    /// From now on every packet of these functions is wrong, or no longer.
    fn silence(&mut self, functions: &[usize], is_silent: bool) {
        for function in functions {
            let id = self.scene.nic.places[*function].id;
            self.scene.nic.bus.host.platform.iommu.set_silent(id, is_silent);
            self.scene.nic.bus.checker.set_silent(id, is_silent);
        }
    }

    fn revive(&mut self, down: Down) -> Result<(), Failure> {
        let Down { functions, cause, .. } = down;
        self.silence(&functions, false);
        match cause {
            Cause::Reset(function) => on_bus(self.scene.nic.restore_function(function))?,
            Cause::Disabled => on_bus(self.scene.nic.enable_virtual(true))?,
        }
        let others: Vec<usize> =
            functions.into_iter().filter(|function| cause != Cause::Reset(*function)).collect();
        if !others.is_empty() {
            self.pass(SILENCE)?;
        }
        for function in &others {
            on_bus(self.scene.nic.restore_function(*function))?;
        }
        let first = if let Cause::Reset(function) = cause { Some(function) } else { None };
        for function in first.into_iter().chain(others) {
            self.start(function, self.guests[&function].mtu)?;
        }
        Ok(())
    }
}
