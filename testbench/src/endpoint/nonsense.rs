//! Packets that make no sense under load: whatever comes of them, nothing else may.

use super::{disturbance::State, load::Run};
use hdl::Simulator;
use sim::pcie::{BusError, Packet, RoutingId, host::ROOT, packet::Status};

impl<S: Simulator> Run<S> {
    /// Sends one that no function is meant by, that is malformed, or that this function does not support.
    pub fn nonsense(&mut self, function: usize) -> Result<(), BusError> {
        self.report.nonsense += 1;
        if self.functions[function].state == State::Works && self.random.chance(50) {
            return self.unsupported(function);
        }
        let mut word = || self.random.word();
        let mut packet =
            Packet::memory_write(RoutingId(0x0008), 0, 0x7777_0000_0000 + (word() & 0xFFFF_FFFC), &[1; 8]);
        match word() % 5 {
            0 => {}
            // A type that is not defined, or something else that is sent to functions.
            1 => packet.header[0] = 0x9F << 24 | packet.header[0] & 0xFF_FFFF,
            2 => packet.header[0] |= 0x3F,
            3 => packet = packet.poisoned(),
            // A completion that nobody waits for.
            _ => {
                packet.header =
                    [0x4A << 24 | 2, word() as u32 & 0xFFFF_0000 | 8, word() as u32 & 0xFFFF_FF00, 0]
            }
        }
        self.scene.bus.host.send_raw(packet);
        Ok(())
    }

    /// One to a register of a function, that must not change.
    fn unsupported(&mut self, function: usize) -> Result<(), BusError> {
        let [base, table] = self.scene.places[function].bars;
        let address = *self.random.pick(&[base, base, table]) + 4 * self.random.below(200) as u64;
        let long = 68 + 4 * self.random.below(40);
        let bytes = self.random.below(64) + 1;
        let write = |bytes: usize| Packet::memory_write(ROOT, 0, address, &vec![0xA5; bytes]);
        match self.random.below(6) {
            0 => self.scene.bus.host.send_raw(write(bytes).poisoned()),
            1 => self.scene.bus.host.send_raw(write(long)),
            2 => self.scene.bus.host.send_raw(write(long).poisoned()),
            3 => {
                // Another length than its payload has.
                let mut packet = write(bytes);
                packet.header[0] ^= 0x20;
                self.scene.bus.host.send_raw(packet);
            }
            4 => {
                let answer = self.scene.request(Packet::memory_read(ROOT, 0, address, long))?;
                assert_eq!(answer.status, Status::Aborted, "{long} bytes at {address:#x}");
            }
            _ => {
                // Behind everything that is mapped.
                let answer = self.scene.request(Packet::memory_read(ROOT, 0, address | 1 << 45, bytes))?;
                assert_eq!(answer.status, Status::Unsupported, "{bytes} bytes at {address:#x}");
            }
        }
        Ok(())
    }
}
