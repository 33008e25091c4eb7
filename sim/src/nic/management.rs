//! The management bus of an adapter: the policy of its bridge.

use super::Nic;
use crate::{
    pcie::{BusError, Platform},
    veb::{Policy, bench::Master},
};
use hdl::Simulator;
use rtl::register_map;

/// Cycles for an access, and for a command on a row.
const PATIENCE: usize = 10_000;

impl<S: Simulator, P: Platform> Nic<S, P> {
    /// Gives the bridge a policy; before it was as after reset. Wishes are the functions' own and stay.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    ///
    /// # Panics
    /// If an access is refused, or an entry finds no room.
    pub fn set_policy(&mut self, policy: &Policy) -> Result<(), BusError> {
        let mut master = Master::find(self.bus.sim.interface());
        master.idle(&mut self.bus.sim);
        let register = |name: &str| register_map::register(name).offset;
        for change in policy.setup() {
            self.write_register(&mut master, register("TABLE"), change.table as u32)?;
            self.write_register(&mut master, register("INDEX"), change.index as u32)?;
            for (word, value) in change.data.into_iter().enumerate() {
                self.write_register(&mut master, register("DATA0") + 4 * word, value)?;
            }
            self.write_register(&mut master, register("COMMAND"), change.operation as u32)?;
            let mut reads = 0;
            while self.read_register(&mut master, register("STATUS"))? != 0 {
                reads += 1;
                assert!(reads < PATIENCE, "{change:?} is done");
            }
        }
        Ok(())
    }

    fn write_register(&mut self, master: &mut Master, address: usize, data: u32) -> Result<(), BusError> {
        master.start_write(&mut self.bus.sim, address, data);
        self.finish_access(master, address).map(|_| ())
    }

    fn read_register(&mut self, master: &mut Master, address: usize) -> Result<u32, BusError> {
        master.start_read(&mut self.bus.sim, address);
        self.finish_access(master, address)
    }

    fn finish_access(&mut self, master: &mut Master, address: usize) -> Result<u32, BusError> {
        for _ in 0..PATIENCE {
            let answer = master.advance(&mut self.bus.sim);
            self.bus.step()?;
            master.settle(&mut self.bus.sim);
            if let Some((data, is_refused)) = answer {
                assert!(!is_refused, "the access to {address:#x} is refused");
                return Ok(data);
            }
        }
        panic!("the access to {address:#x} ends")
    }
}
