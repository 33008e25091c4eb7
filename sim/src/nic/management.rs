//! The management bus of an adapter.

use super::Nic;
use crate::{
    pcie::{BusError, Platform},
    veb::Policy,
};
use hdl::Simulator;
use rtl::register_map;

impl<S: Simulator, P: Platform> Nic<S, P> {
    /// Gives the bridge a policy; before it was as after reset. Wishes are the functions' own and stay.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    ///
    /// # Panics
    /// If an access is refused, or a command never ends.
    pub fn set_policy(&mut self, policy: &Policy) -> Result<(), BusError> {
        let register = |name: &str| register_map::register(name).offset;
        for change in policy.setup() {
            let data = change
                .data
                .into_iter()
                .enumerate()
                .map(|(word, value)| (register("DATA0") + 4 * word, value));
            let place = [(register("TABLE"), change.table as u32), (register("INDEX"), change.index as u32)];
            let command = (register("COMMAND"), change.operation as u32);
            for (address, value) in place.into_iter().chain(data).chain([command]) {
                assert!(self.write_management(address, value)?, "the access to {address:#x} is refused");
            }
            let mut reads = 0;
            while self.read_management(register("STATUS"))? != Some(0) {
                reads += 1;
                assert!(reads < 1000, "{change:?} is done");
            }
        }
        Ok(())
    }

    /// Writes a register by the management bus; `false` if that is refused.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    pub fn write_management(&mut self, address: usize, data: u32) -> Result<bool, BusError> {
        self.management.start_write(&mut self.bus.sim, address, data);
        Ok(!self.finish_management()?.1)
    }

    /// Reads a register by the management bus; `None` if that is refused.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    pub fn read_management(&mut self, address: usize) -> Result<Option<u32>, BusError> {
        self.management.start_read(&mut self.bus.sim, address);
        let (data, refused) = self.finish_management()?;
        Ok((!refused).then_some(data))
    }

    fn finish_management(&mut self) -> Result<(u32, bool), BusError> {
        loop {
            let ended = self.management.advance(&mut self.bus.sim);
            self.bus.step()?;
            self.management.settle(&mut self.bus.sim);
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }
}
