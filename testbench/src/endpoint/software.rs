//! What software changes between packets, at the endpoint and in its model.

use super::{
    answers::{Model, Offsets, masked_vectors},
    fuzz::{Difference, Fuzz},
    marks::Marks,
    scene::SIZES,
};
use hdl::Simulator;
use sim::pcie::{Event, Packet, RoutingId, host::ROOT};
use std::collections::HashMap;

/// Capabilities by their numbers (the PCI Code and ID Assignment Specification).
const POWER: u32 = 0x01;
const VENDOR: u32 = 0x09;
const EXPRESS: u32 = 0x10;
const MSIX: u32 = 0x11;
const ERRORS: u32 = 0x0001;
const VIRTUALIZATION: u32 = 0x0010;

/// What a virtio capability is about: access to registers through configuration space (virtio 4.1.4).
const WINDOW: u32 = 5;

/// Finds the capabilities of a function as software does.
fn offsets(words: &[u32]) -> Offsets {
    let word = |offset: u16| words[usize::from(offset) / 4];
    let mut found =
        Offsets { power: 0xFF0, express: 0, msix: 0, window: None, errors: 0, virtualization: None };
    let mut at = word(0x34) as u16 & 0xFC;
    while at != 0 {
        match word(at) & 0xFF {
            POWER => found.power = at,
            EXPRESS => found.express = at,
            MSIX => found.msix = at,
            VENDOR if word(at) >> 24 == WINDOW => found.window = Some(at),
            _ => {}
        }
        at = (word(at) >> 8) as u16 & 0xFC;
    }
    at = 0x100;
    while at != 0 {
        match word(at) & 0xFFFF {
            ERRORS => found.errors = at,
            VIRTUALIZATION => found.virtualization = Some(at),
            _ => {}
        }
        at = (word(at) >> 20) as u16;
    }
    found
}

impl Model {
    /// As it is after a reset of the function, by words that it has read at some time.
    fn new(words: Vec<u32>, is_virtual: bool) -> Model {
        let is_manager = words[0] >> 16 == 0x10F0;
        let offsets = offsets(&words);
        let (registers, vectors) = (HashMap::new(), masked_vectors());
        Model { is_virtual, is_manager, words, offsets, registers, vectors, is_pending: false }
    }

    /// What a reset of the function leaves (6.6.2): what is sticky, Max_Payload_Size, Link Control, and where virtual functions are.
    fn reset(&mut self) {
        let Offsets { power, express, msix, window, virtualization, .. } = self.offsets.clone();
        let mut set = |offset: u16, mask: u32, data: u32| {
            let word = &mut self.words[usize::from(offset) / 4];
            *word = *word & !mask | data;
        };
        set(0x04, 0xFFFF, 0);
        set(msix, 0xC000_0000, 0);
        if let Some(at) = window {
            set(at + 4, 0xFF, 0);
            set(at + 8, !0, 0);
            set(at + 12, !0, 0);
        }
        if !self.is_virtual {
            set(0x0C, 0xFF, 0);
            set(0x3C, 0xFF, 0);
            (0..4).for_each(|bar| set(0x10 + 4 * bar, if bar % 2 == 0 { !0xF } else { !0 }, 0));
            set(power + 4, 3, 0);
            set(express + 8, 0xFF1F, 0x2010);
            set(express + 0x28, 0xFFFF, 0);
        }
        if let Some(at) = virtualization {
            set(at + 8, 9, 0);
            set(at + 16, 0xFFFF, 0);
            set(at + 0x20, !0, 1);
            (0..4).for_each(|bar| set(at + 0x24 + 4 * bar, if bar % 2 == 0 { !0xF } else { !0 }, 0));
        }
        self.registers.clear();
        self.vectors = masked_vectors();
        self.is_pending = false;
    }
}

impl<S: Simulator> Fuzz<S> {
    /// Reads what is there.
    pub fn meet(&mut self) -> Result<(), Difference> {
        for function in 0..self.scene.places.len() {
            let is_virtual = function >= self.endpoint.own;
            if is_virtual && function == self.endpoint.own {
                self.appear(self.scene.places.len() - self.endpoint.own)?;
            }
            let words = match &self.fresh {
                Some(words) if is_virtual => words.clone(),
                _ => self.read_space(function)?,
            };
            if is_virtual {
                self.fresh = Some(words.clone());
            }
            match self.endpoint.functions.get_mut(function) {
                Some(model) => *model = Model::new(words, is_virtual),
                None => self.endpoint.functions.push(Model::new(words, is_virtual)),
            }
        }
        for function in 0..self.endpoint.own {
            self.software(function, 4, 3, 6)?;
        }
        Ok(())
    }

    fn read_space(&mut self, function: usize) -> Result<Vec<u32>, Difference> {
        let mut words = vec![];
        for part in 0..32 {
            let offsets: Vec<u16> = (0..32).map(|word| 128 * part + 4 * word).collect();
            words.extend(self.read_words(function, &offsets)?);
        }
        Ok(words)
    }

    /// Has so many virtual functions appear.
    fn appear(&mut self, number: usize) -> Result<(), Difference> {
        let at = self.endpoint.functions[0].offsets.virtualization.expect("it has virtual functions");
        let routing = if self.random.chance(50) { 1 << 4 } else { 0 };
        let page = 1 << *self.random.pick(&[0, 0, 1, 4, 6]);
        self.write_own(at + 0x20, page);
        self.software(0, at + 0x20, 15, page)?;
        for (bar, size) in SIZES.into_iter().enumerate() {
            let step = size.max(u64::from(page) << 12);
            let base = (0x40 + bar as u64 * 0x10 + self.random.below(8) as u64) << 32;
            let base = base + step * self.random.below(64) as u64;
            self.write_base(0, at + 0x24 + 8 * bar as u16, base)?;
        }
        self.software(0, at + 8, 3, routing)?;
        self.write_own(at + 0x10, number as u32);
        self.software(0, at + 0x10, 3, number as u32)?;
        self.software(0, at + 8, 3, routing | 9)?;
        let own = self.endpoint.own;
        for function in own..own + number {
            if let (Some(fresh), Some(model)) = (&self.fresh, self.endpoint.functions.get_mut(function)) {
                *model = Model::new(fresh.clone(), true);
            }
            self.marks[function] = Marks::default();
        }
        Ok(())
    }

    /// What can be written only while virtual functions are off.
    fn write_own(&mut self, offset: u16, data: u32) {
        self.endpoint.functions[0].words[usize::from(offset) / 4] = data;
    }

    /// A base address; of virtual functions the low bits stay in the model as they are written.
    fn write_base(&mut self, function: usize, offset: u16, base: u64) -> Result<(), Difference> {
        for (half, data) in [base as u32, (base >> 32) as u32].into_iter().enumerate() {
            let offset = offset + 4 * half as u16;
            if offset >= 0x100 {
                let old = self.endpoint.functions[function].word(offset);
                self.write_own(offset, if half == 0 { old & 0xF | data } else { data });
            }
            self.software(function, offset, 15, data)?;
        }
        Ok(())
    }

    /// Waits for resets, which take the registers of their functions with them.
    fn wait_for_resets(&mut self, count: usize) -> Result<(), Difference> {
        let start = self.scene.now();
        let mut left = count;
        while left > 0 {
            self.scene.step()?;
            while let Some((_, event)) = self.scene.events.pop_front() {
                let Event::Reset { function } = event else {
                    return Err(self.wrong(format!("{event:?}")));
                };
                self.scene.bus.device.registers.retain(|(owner, _), _| *owner != function);
                left -= 1;
                // The manager is told of resets, but for its own.
                if self.endpoint.own > 1 && function != 1 {
                    self.endpoint.functions[1].is_pending = true;
                }
            }
            if self.scene.now() > start + 100_000 {
                return Err(self.wrong(format!("{left} resets do not come")));
            }
        }
        for _ in 0..400 {
            self.scene.step()?;
        }
        Ok(())
    }

    /// A reset of a function, and of what it ends.
    fn reset(&mut self, function: usize) -> Result<(), Difference> {
        let offset = self.endpoint.functions[function].offsets.express + 8;
        let control = self.endpoint.functions[function].word(offset) & 0xFFFF;
        let vanished = if function == 0 { self.endpoint.number() } else { 0 };
        self.software(function, offset, 3, control | 1 << 15)?;
        let own = self.endpoint.own;
        for function in std::iter::once(function).chain(own..own + vanished) {
            self.endpoint.functions[function].reset();
            let Marks { uncorrectable, correctable, first_error, log, .. } = self.marks[function];
            self.marks[function] = Marks { uncorrectable, correctable, first_error, log, ..Marks::default() };
        }
        self.wait_for_resets(1 + vanished)?;
        self.restore(function)
    }

    /// Base addresses and enables, so that something is there to be hit.
    fn restore(&mut self, function: usize) -> Result<(), Difference> {
        if function < self.endpoint.own {
            for bar in 0..2 {
                self.move_bar(function, bar)?;
            }
        }
        self.software(function, 4, 3, 6)
    }

    /// Another base address: sometimes below 4 GiB. No other one is near.
    fn move_bar(&mut self, function: usize, bar: usize) -> Result<(), Difference> {
        let size = self.endpoint.size(function, bar);
        let slot = (2 * function + bar) as u64;
        let region = if self.random.chance(40) { 0x8000_0000 } else { 0x20_0000_0000 };
        let base = region + (slot << 20) + size * self.random.below(8) as u64;
        self.write_base(function, 0x10 + 8 * bar as u16, base)
    }

    /// Changes something.
    pub fn change(&mut self) -> Result<(), Difference> {
        self.tally.changes += 1;
        let own = self.random.below(self.endpoint.own);
        let present = self.present();
        let any = self.random.below(present.len());
        let at = self.endpoint.functions[own].offsets.clone();
        let word = self.random.word() as u32;
        match self.random.below(40) {
            0..6 => {
                let offset = at.errors + *self.random.pick(&[0x08, 0x0C, 0x0C, 0x14]);
                // Mostly few bits.
                let data = if self.random.chance(50) { word & self.random.word() as u32 } else { word };
                self.software(own, offset, 15, data)
            }
            6..10 => {
                let control = self.endpoint.functions[own].word(at.express + 8) & 0xFFFF;
                let payload = if self.random.chance(20) { word >> 8 & 7 } else { 1 };
                let data = control & 0xFF10 | word & 15 | payload << 5;
                self.software(own, at.express + 8, 3, data)?;
                let most = self.endpoint.most();
                self.scene.bus.set(|settings| settings.payload = most);
                Ok(())
            }
            10..16 => {
                let memory_space = if self.random.chance(85) { 2 } else { 0 };
                self.software(any, 4, 3, word & 0x144 | memory_space)
            }
            16..20 => {
                let bar = self.random.below(2);
                self.move_bar(own, bar)
            }
            20..24 => {
                let state = if self.random.chance(8) { 3 } else { 0 };
                self.software(own, at.power + 4, 1, state)
            }
            24 => self.reset(any),
            25 => self.tell_bus(),
            26..28 => self.virtualize(),
            // Everything is as it was before, and is answered.
            28..36 => {
                for function in 0..self.endpoint.own {
                    let power = self.endpoint.functions[function].offsets.power;
                    self.software(function, power + 4, 1, 0)?;
                    self.software(function, 4, 3, 6)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The device is told another bus (2.2.9).
    fn tell_bus(&mut self) -> Result<(), Difference> {
        let bus = self.random.below(250) as u8 + 2;
        let number = self.endpoint.id(0).number();
        self.software_sends(Packet::configuration_write(false, ROOT, 0, RoutingId::new(bus, number), 0x3C, 0))
    }

    /// Virtual functions go, come, or are no longer answered.
    fn virtualize(&mut self) -> Result<(), Difference> {
        let Some(at) = self.endpoint.functions[0].offsets.virtualization else { return Ok(()) };
        if !self.endpoint.has_virtual() {
            let number = self.random.below(self.scene.places.len() - self.endpoint.own) + 1;
            return self.appear(number);
        }
        let control = self.endpoint.functions[0].word(at + 8) & 0x10;
        if self.random.chance(50) {
            let memory_space = if self.random.chance(70) { 8 } else { 0 };
            return self.software(0, at + 8, 3, control | 1 | memory_space);
        }
        let number = self.endpoint.number();
        self.software(0, at + 8, 3, control)?;
        self.wait_for_resets(number)?;
        for function in self.endpoint.own..self.endpoint.own + number {
            self.endpoint.functions[function].reset();
        }
        Ok(())
    }
}
