//! What the manager's owner does: over the management bus of the board, while the host and the wires go on.

use super::{Bench, BenchError, Driver};
use crate::{
    ethernet::MacAddress,
    manager::{Device, Manager},
    pcie::{Adapter, Bridge, Configuration, RoutingId},
    veb::statistics::Kind,
    veb::{Policy, policy::Change, statistics::Statistics},
};
use hdl::Simulator;
use rtl::{register_map, veb::rows::Outcome};

/// The bench as the manager's driver sees it, at base address 0. The mailbox is at rest.
struct Board<'a, S>(&'a mut Bench<S>);

impl<S: Simulator> Board<'_, S> {
    /// Waits for the end of an access that was started; data, and whether it was refused.
    fn finish(&mut self) -> Result<(u32, bool), BenchError> {
        loop {
            let nic = &mut self.0.scene.nic;
            let ended = nic.management.advance(&mut nic.bus.sim);
            self.0.pass()?;
            let nic = &mut self.0.scene.nic;
            nic.management.settle(&mut nic.bus.sim);
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }
}

impl<S: Simulator> Configuration for Board<'_, S> {
    type Error = BenchError;

    fn bridge(&mut self) -> &mut Bridge {
        self.0.scene.nic.bus.bridge()
    }

    fn read_configuration(&mut self, id: RoutingId, offset: u16) -> Result<Option<u32>, BenchError> {
        Ok(self.0.scene.nic.bus.read_configuration(id, offset)?)
    }

    fn write_configuration(
        &mut self,
        id: RoutingId,
        offset: u16,
        enables: u8,
        data: u32,
    ) -> Result<bool, BenchError> {
        Ok(self.0.scene.nic.bus.write_configuration(id, offset, enables, data)?)
    }

    fn wait(&mut self, cycles: u64) -> Result<(), BenchError> {
        (0..cycles).try_for_each(|_| self.0.pass())
    }
}

impl<S: Simulator> Adapter for Board<'_, S> {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<bool, BenchError> {
        let nic = &mut self.0.scene.nic;
        nic.management.start_read(&mut nic.bus.sim, address as usize);
        let (word, refused) = self.finish()?;
        data.copy_from_slice(&word.to_le_bytes()[..data.len()]);
        Ok(!refused)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BenchError> {
        let word = data.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
        let nic = &mut self.0.scene.nic;
        nic.management.start_write(&mut nic.bus.sim, address as usize, word);
        match self.finish()? {
            (_, true) => Err(BenchError::Refused(address as usize)),
            _ => Ok(()),
        }
    }
}

impl<S: Simulator> Bench<S> {
    /// Brings the mailbox to rest, so that nobody else's cycles take the answer of its access away.
    pub(super) fn rest(&mut self) -> Result<(), BenchError> {
        while !self.mailbox.is_free() {
            self.advance_mailbox()?;
            self.check_patience()?;
        }
        Ok(())
    }

    /// Has the manager's driver do something; the mailbox comes to rest before.
    fn manage<T>(
        &mut self,
        act: impl FnOnce(&mut Manager<'_, Board<'_, S>>) -> Result<T, crate::manager::ManagerError<BenchError>>,
    ) -> Result<T, BenchError> {
        self.rest()?;
        Ok(act(&mut Manager::new(&mut Board(self), 0))?)
    }

    /// Says what a function is.
    pub(super) fn describe(&mut self, driver: &Driver, mac: MacAddress) -> Result<(), BenchError> {
        let mtu = driver.mtu;
        let device = Device { mac, mtu, speed: 10_000, duplex: 1, link_up: true, announce: false };
        self.manage(|manager| manager.set_device(driver.function, &device))
    }

    /// Makes every change that leads to `policy`, also of what drivers ask for. Frames that are on their way may see some of
    /// the old and some of the new: let none be there that would tell the difference.
    ///
    /// # Errors
    /// [`BenchError::NoRoom`] for an entry that finds no place, and what the adapter does wrong.
    pub fn set_policy(&mut self, policy: &Policy) -> Result<(), BenchError> {
        match self.set_policy_that_fits(policy)?.first() {
            Some(&(vid, address)) => Err(BenchError::NoRoom { vid, address }),
            None => Ok(()),
        }
    }

    /// As [`Bench::set_policy`], without the entries that find no room; they are returned.
    ///
    /// # Errors
    /// What the adapter does wrong.
    pub fn set_policy_that_fits(&mut self, policy: &Policy) -> Result<Vec<(u16, MacAddress)>, BenchError> {
        let mut left_out = vec![];
        for change in policy.changes_from(&self.policy) {
            match (self.change(&change)?, change.key()) {
                (Outcome::NoRoom, Some(key)) => left_out.push(key),
                _ => self.policy.apply(&change),
            }
        }
        self.ask(policy)?;
        Ok(left_out)
    }

    fn change(&mut self, change: &Change) -> Result<Outcome, BenchError> {
        self.manage(|manager| manager.change(change))
    }

    /// Makes a change that the model does not learn of.
    #[cfg(test)]
    pub(super) fn change_behind(&mut self, change: &Change) {
        assert_eq!(self.change(change).unwrap(), Outcome::Done);
    }

    /// All that the bridge has counted.
    pub(super) fn statistics(&mut self) -> Result<Statistics, BenchError> {
        let ports = self.names.len();
        self.manage(|manager| {
            let mut statistics = Statistics::new(ports);
            for port in 0..ports {
                for kind in Kind::all() {
                    statistics.set(port, kind, manager.count(port, kind)?);
                }
            }
            Ok(statistics)
        })
    }

    /// What was lost behind the bridge: for each function, by its number; of the manager, what its mailbox had no room for.
    pub(super) fn lost(&mut self) -> Result<Vec<u64>, BenchError> {
        let functions = self.scene.nic.config.functions();
        self.manage(|manager| {
            let lost = (0..functions).map(|function| match function {
                1 => manager.lost(),
                _ => manager.dropped(function),
            });
            lost.map(|frames| frames.map(u64::from)).collect()
        })
    }

    /// Queues that broke, with the cause of the last of each function, in words.
    pub(super) fn broken(&mut self) -> Result<Vec<String>, BenchError> {
        let drivers: Vec<(usize, String)> =
            self.guests.iter().map(|guest| (guest.function, self.names[guest.port].clone())).collect();
        self.manage(|manager| {
            let mut broken = vec![];
            for (function, name) in drivers {
                let faults = manager.faults(function)?;
                if faults.count > 0 {
                    let (count, cause) = (faults.count, faults.cause);
                    broken.push(format!("{count} queues of {name} broke, the last for {cause:?}"));
                }
            }
            Ok(broken)
        })
    }

    /// Checks that all cells of the packet buffer are free, as they are when no frame is inside.
    pub(super) fn check_cells(&mut self) -> Result<(), BenchError> {
        let offset = |name| register_map::register(name).offset;
        let (free, cells) =
            self.manage(|manager| Ok((manager.read(offset("FREE_CELLS"))?, manager.read(offset("CELLS"))?)))?;
        if free == cells { Ok(()) } else { Err(BenchError::Leak { free, cells }) }
    }
}
