//! The whole adapter with drivers on its functions, frames on its wires, and a policy in its bridge.

use hdl::Simulator;
use rtl::{config::Config, register_map::register, veb::rows::Outcome};
use sim::{
    nic::{Nic, Place, Setup, SetupError},
    pcie::{BusError, Host, Machine},
    veb::policy::{Change, Policy},
    virtio::{
        error::{DriverError, Fault},
        net::{Event, Net, NetOptions},
        pci::Function,
    },
};
use std::collections::BTreeMap;

/// What goes wrong with a driver.
pub type Trouble = DriverError<BusError>;

/// Reads of a status that is waited for.
const PATIENCE: usize = 20_000;

/// See the module.
pub struct Scene<S> {
    pub nic: Nic<S>,
    /// By the numbers of the functions.
    pub drivers: BTreeMap<usize, Net>,
    /// Drivers look at their queues once in so many cycles.
    pub period: u64,
}

impl<S: Simulator> Scene<S> {
    /// An adapter without drivers, and a bridge that lets nothing pass.
    ///
    /// # Errors
    /// What the adapter does wrong.
    pub fn new(sim: S, config: &Config, setup: &Setup) -> Result<Scene<S>, SetupError> {
        let nic = Nic::new(sim, Machine::new(), config, setup)?;
        Ok(Scene { nic, drivers: BTreeMap::new(), period: 1 })
    }

    /// Numbers of the functions that have a network device.
    pub fn functions(&self) -> Vec<usize> {
        (0..self.nic.places.len()).filter(|function| *function != 1).collect()
    }

    /// The bridge's port of a function: the manager's is the first behind the wires.
    pub fn port(&self, function: usize) -> usize {
        self.nic.config.wires + [1, 0].get(function).copied().unwrap_or(function)
    }

    /// Makes every change that leads from the policy after reset to this one, by the management bus.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile, or a row without room.
    pub fn set_policy(&mut self, policy: &Policy) -> Result<(), Trouble> {
        let config = &self.nic.config;
        let first = Policy::new(config.wires, config.functions());
        policy.changes_from(&first).iter().try_for_each(|change| self.change(change))
    }

    fn change(&mut self, change: &Change) -> Result<(), Trouble> {
        self.write_register("TABLE", change.table as u32)?;
        self.write_register("INDEX", change.index as u32)?;
        for (name, word) in
            ["DATA0", "DATA1", "DATA2", "DATA3", "DATA4", "DATA5"].into_iter().zip(change.data)
        {
            self.write_register(name, word)?;
        }
        self.write_register("COMMAND", change.operation as u32)?;
        for _ in 0..PATIENCE {
            let status = self.nic.read_management(register("STATUS").offset).map_err(DriverError::Bus)?;
            let status = status.ok_or(Fault::Access(register("STATUS").offset as u64))?;
            if status & 1 == 0 {
                return match status >> 1 {
                    done if done == Outcome::Done as u32 => Ok(()),
                    value => Err(Fault::Wrong { what: "the outcome of a command", value: value.into() })?,
                };
            }
        }
        Err(Fault::Late("a command of the bridge"))?
    }

    fn write_register(&mut self, name: &str, value: u32) -> Result<(), Trouble> {
        let offset = register(name).offset;
        match self.nic.write_management(offset, value).map_err(DriverError::Bus)? {
            true => Ok(()),
            false => Err(Fault::Access(offset as u64))?,
        }
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

    /// Lets a cycle pass, or as many as notifications take; returns what happened to drivers.
    ///
    /// # Errors
    /// What the adapter does wrong.
    pub fn step(&mut self) -> Result<Vec<(usize, Event)>, Trouble> {
        let mut events = vec![];
        if self.nic.bus.now().is_multiple_of(self.period) {
            for (function, net) in &mut self.drivers {
                let found = net.poll(&mut self.nic.bus.host.platform)?;
                events.extend(found.into_iter().map(|event| (*function, event)));
                net.ring(&mut self.nic.bus).map_err(DriverError::Bus)?;
            }
        }
        self.nic.bus.step().map_err(DriverError::Bus)?;
        Ok(events)
    }
}
