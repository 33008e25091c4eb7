//! The whole adapter with drivers on its functions, frames on its wires, and a policy in its bridge.

use super::{Nic, Place, Setup, SetupError};
use crate::{
    pcie::{BusError, Host, Machine},
    virtio::{
        error::DriverError,
        net::{Event, Net, NetOptions},
        pci::Function,
    },
};
use hdl::Simulator;
use rtl::config::Config;
use std::collections::BTreeMap;

/// What goes wrong with a driver.
pub type Trouble = DriverError<BusError>;

/// See the module.
pub struct Scene<S> {
    pub nic: Nic<S>,
    /// By the numbers of the functions.
    pub drivers: BTreeMap<usize, Net>,
    /// Drivers look at their queues once in so many cycles, one after the other.
    pub period: u64,
    /// Functions whose drivers were started, in the order in which they look.
    turns: Vec<usize>,
}

impl<S: Simulator> Scene<S> {
    /// An adapter without drivers, and a bridge that lets nothing pass.
    ///
    /// # Errors
    /// What the adapter does wrong.
    pub fn new(sim: S, config: &Config, setup: &Setup) -> Result<Scene<S>, SetupError> {
        let nic = Nic::new(sim, Machine::new(), config, setup)?;
        Ok(Scene { nic, drivers: BTreeMap::new(), period: 1, turns: vec![] })
    }

    /// Numbers of the functions that have a network device.
    pub fn functions(&self) -> Vec<usize> {
        (0..self.nic.places.len()).filter(|function| *function != 1).collect()
    }

    /// The bridge's port of a function: the manager's is the first behind the wires.
    pub fn port(&self, function: usize) -> usize {
        self.nic.config.wires + [1, 0].get(function).copied().unwrap_or(function)
    }

    /// Starts a driver on a function.
    ///
    /// # Errors
    /// See [`Net::start`].
    pub fn start(&mut self, function: usize, options: NetOptions) -> Result<&mut Net, Trouble> {
        let Place { id, bars: [registers, table] } = self.nic.places[function];
        let place = Function { id, bars: [registers, 0, table, 0, 0, 0] };
        let net = Net::start(&mut self.nic.bus, place, options)?;
        self.drivers.insert(function, net);
        if !self.turns.contains(&function) {
            self.turns.push(function);
        }
        Ok(self.drivers.get_mut(&function).expect("it was put there"))
    }

    /// Stops the driver of a function.
    ///
    /// # Errors
    /// See [`Net::stop`].
    pub fn stop(&mut self, function: usize) -> Result<Vec<u64>, Trouble> {
        match self.drivers.remove(&function) {
            Some(net) => net.stop(&mut self.nic.bus),
            None => Ok(vec![]),
        }
    }

    /// The driver of a function, with the bus that it works on.
    ///
    /// # Panics
    /// If it has none.
    pub fn driver(&mut self, function: usize) -> (&mut Net, &mut impl Host<Error = BusError>) {
        (self.drivers.get_mut(&function).expect("it has a driver"), &mut self.nic.bus)
    }

    /// Functions whose drivers look at their queues in this cycle.
    pub fn due(&self) -> Vec<usize> {
        let now = self.nic.bus.now();
        let after = |turn: usize| self.period * turn as u64 / self.turns.len() as u64;
        let turns = self.turns.iter().enumerate();
        turns
            .filter(|(turn, _)| (now + after(*turn)).is_multiple_of(self.period))
            .map(|(_, function)| *function)
            .collect()
    }

    /// Lets a cycle pass, or as many as notifications take; returns what happened to drivers.
    ///
    /// # Errors
    /// What the adapter does wrong.
    pub fn step(&mut self) -> Result<Vec<(usize, Event)>, Trouble> {
        let mut events = vec![];
        for function in self.due() {
            let Some(net) = self.drivers.get_mut(&function) else { continue };
            let found = net.poll(&mut self.nic.bus.host.platform)?;
            events.extend(found.into_iter().map(|event| (function, event)));
            net.ring(&mut self.nic.bus).map_err(DriverError::Bus)?;
        }
        self.nic.bus.step().map_err(DriverError::Bus)?;
        Ok(events)
    }
}
