//! Functions and wires of an adapter that go and come back.

use super::{DEVICE_CONTROL, Nic, device_control, virtualization};
use crate::pcie::{BusError, Configuration, Platform};
use hdl::Simulator;

impl<S: Simulator, P: Platform> Nic<S, P> {
    /// Asks for a reset of a function (PCI Express 6.6.2). That of the physical function takes the virtual ones away.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    pub fn reset_function(&mut self, function: usize) -> Result<(), BusError> {
        let offset = device_control(&self.functions[function].words);
        self.configure(function, offset, 3, DEVICE_CONTROL | 1 << 15)
    }

    /// Configures a function that was reset as it was before: base addresses, virtual functions, bus master.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    pub fn restore_function(&mut self, function: usize) -> Result<(), BusError> {
        let words = self.functions[function].words.clone();
        let word = |offset: usize| words[offset / 4];
        if !self.functions[function].is_virtual {
            for offset in (0x10..0x28).step_by(4) {
                self.configure(function, offset as u16, 15, word(offset))?;
            }
        }
        if let Some(at) = virtualization(&words).filter(|_| !self.functions[function].is_virtual) {
            // The page size and six base addresses, how they are routed and how many, and at last that they are there (9.3.3).
            for offset in (at + 0x20..at + 0x3C).step_by(4) {
                self.configure(function, offset as u16, 15, word(offset))?;
            }
            let control = word(at + 8) & 0xFFFF;
            let number = word(at + 0x10) & 0xFFFF;
            for (offset, value) in [(8, control & !1), (0x10, number), (8, control)] {
                self.configure(function, (at + offset) as u16, 3, value)?;
            }
        }
        self.configure(function, device_control(&words), 3, DEVICE_CONTROL)?;
        self.configure(function, 4, 3, 0b110)
    }

    /// Takes all virtual functions away, or has as many of them appear as there were; they are then to be restored.
    ///
    /// # Errors
    /// What the adapter does wrong meanwhile.
    ///
    /// # Panics
    /// If the adapter has none.
    pub fn enable_virtual(&mut self, enable: bool) -> Result<(), BusError> {
        let words = &self.functions[0].words;
        let at = virtualization(words).expect("there are virtual functions");
        let control = words[(at + 8) / 4] & 0xFFFF;
        // VF Enable (9.3.3.3.1).
        let control = if enable { control } else { control & !1 };
        self.configure(0, (at + 8) as u16, 3, control)
    }

    fn configure(&mut self, function: usize, offset: u16, enables: u8, data: u32) -> Result<(), BusError> {
        let id = self.places[function].id;
        let is_done = self.bus.write_configuration(id, offset, enables, data)?;
        assert!(is_done, "function {function} takes what is written at {offset:#x}");
        Ok(())
    }

    /// Cuts a wire, or mends it: frames that are on their way stop where they are.
    ///
    /// # Panics
    /// If there is no such wire.
    pub fn set_wire(&mut self, wire: usize, is_up: bool) {
        self.bus.device.0[wire].is_down = !is_up;
        let wires = self.bus.device.0.iter().enumerate();
        let up = wires.fold(0, |up, (wire, it)| up | u64::from(!it.is_down) << wire);
        let port = self.bus.sim.interface().find("link_up").expect("an adapter has wires");
        self.bus.sim.write(port, &[up]);
    }
}
