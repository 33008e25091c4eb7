//! The management bus of an adapter.

use super::Nic;
use crate::{
    pcie::{BusError, Platform},
    veb::{Policy, statistics::Kind},
};
use hdl::Simulator;
use rtl::{
    manager::map::{base, of_function},
    register_map::{self, WORDS},
    veb::rows::{Operation, Table},
};

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

    /// What a port of the bridge has counted, in frames.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    ///
    /// # Panics
    /// If an access is refused.
    pub fn count(&mut self, port: usize, kind: Kind) -> Result<u64, BusError> {
        let register = |name: &str| register_map::register(name).offset;
        let index = kind.index(port) as u32;
        for (name, value) in
            [("TABLE", Table::Statistics as u32), ("INDEX", index), ("COMMAND", Operation::Read as u32)]
        {
            assert!(self.write_management(register(name), value)?, "{name} is written");
        }
        while self.read_management(register("STATUS"))? != Some(0) {}
        let mut row = [0; WORDS];
        for (word, value) in row.iter_mut().enumerate() {
            let read = self.read_management(register("DATA0") + 4 * word)?;
            *value = read.expect("the row of a command can be read");
        }
        Ok(register_map::field(Table::Statistics, "frames").get(&row) as u64)
    }

    /// Frames for a function that found no buffer, modulo 2^32.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    ///
    /// # Panics
    /// If the function has no such count: it is the manager.
    pub fn dropped(&mut self, function: usize) -> Result<u32, BusError> {
        let offset = base::FUNCTIONS + base::FUNCTION_STRIDE * function + of_function("DROPPED").offset;
        Ok(self.read_management(offset)?.expect("a function with a network device counts them"))
    }

    /// Queues of a function that have broken, as far as they are counted.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    ///
    /// # Panics
    /// If the function has no such count: it is the manager.
    pub fn broken(&mut self, function: usize) -> Result<u32, BusError> {
        let fault = of_function("FAULT");
        let offset = base::FUNCTIONS + base::FUNCTION_STRIDE * function + fault.offset;
        let word = self.read_management(offset)?.expect("a function with a network device counts them");
        Ok(fault.field("count").position.get(&[word]) as u32)
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
