//! A host under load: while it waits for an answer, the load goes on.

use super::{super::Trouble, run::Run};
use crate::{
    pcie::{
        Adapter, BusError, Configuration, Host, Machine, RoutingId,
        host::{Answer, ROOT},
        interface::Bridge,
        packet::{Packet, Status},
    },
    virtio::error::DriverError,
};
use hdl::Simulator;

impl<S: Simulator> Run<'_, S> {
    fn request(&mut self, request: Packet) -> Result<Answer, Trouble> {
        let now = self.now();
        let tag = self.scene.nic.bus.host.ask(request, now);
        loop {
            if let Some(answer) = self.scene.nic.bus.host.answer(tag) {
                return answer.map_err(|error| DriverError::Bus(BusError::Request(error)));
            }
            self.cycle()?;
        }
    }

    /// Whether there is anything at a routing ID, and on which side of the next bridge.
    fn route(&mut self, id: RoutingId) -> Option<bool> {
        self.scene.nic.bus.bridge().route(id)
    }
}

impl<S: Simulator> Configuration for Run<'_, S> {
    type Error = Trouble;

    fn bridge(&mut self) -> &mut Bridge {
        self.scene.nic.bus.bridge()
    }

    fn read_configuration(&mut self, id: RoutingId, offset: u16) -> Result<Option<u32>, Trouble> {
        let Some(far) = self.route(id) else { return Ok(None) };
        let answer = self.request(Packet::configuration_read(far, ROOT, 0, id, offset))?;
        let word = answer.data.first_chunk().map(|word| u32::from_le_bytes(*word));
        Ok(word.filter(|_| answer.status == Status::Successful))
    }

    fn write_configuration(
        &mut self,
        id: RoutingId,
        offset: u16,
        enables: u8,
        data: u32,
    ) -> Result<bool, Trouble> {
        let Some(far) = self.route(id) else { return Ok(false) };
        let request = Packet::configuration_write(far, ROOT, 0, id, offset, data).with_enables(enables, 0);
        Ok(self.request(request)?.status == Status::Successful)
    }

    fn wait(&mut self, cycles: u64) -> Result<(), Trouble> {
        self.pass(cycles)
    }
}

impl<S: Simulator> Adapter for Run<'_, S> {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<bool, Trouble> {
        let answer = self.request(Packet::memory_read(ROOT, 0, address, data.len()))?;
        let is_good = answer.status == Status::Successful;
        match is_good {
            true => data.copy_from_slice(&answer.data[address as usize % 4..][..data.len()]),
            false => data.fill(0xFF),
        }
        Ok(is_good)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Trouble> {
        self.scene.nic.bus.host.send_raw(Packet::memory_write(ROOT, 0, address, data));
        self.cycle()
    }
}

impl<S: Simulator> Host for Run<'_, S> {
    fn machine(&mut self) -> &mut Machine {
        &mut self.scene.nic.bus.host.platform
    }
}
