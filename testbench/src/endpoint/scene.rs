//! A host with an endpoint whose functions it configures as an operating system does, and what it does to them later.

use hdl::Simulator;
use rtl::config::Config;
use rtl::pcie::space::{self, Kind, Personality, Structure};
use sim::pcie::{
    Behaviour, Bus, BusError, Clients, Configuration, Direction, Event, LinkSettings, Machine, Packet,
    RoutingId, Straps, attach,
    host::{Answer, ROOT},
    interface::Bridge,
    packet::{Class, Status},
};
use std::collections::VecDeque;

/// What the endpoint is strapped to be, and how its host uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub personality: Personality,
    /// Functions have numbers up to 255 (ARI).
    pub alternative_routing: bool,
}

impl Setting {
    /// Functions without the virtual ones.
    pub fn own_functions(&self) -> usize {
        match self.personality {
            Personality::SrIov => 2,
            Personality::Multifunction(functions) => functions,
        }
    }

    /// Virtual functions at most.
    pub fn virtual_functions(&self, config: &Config) -> usize {
        match self.personality {
            Personality::SrIov => config.vfs,
            Personality::Multifunction(_) => 0,
        }
    }
}

/// Where a function is on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub id: RoutingId,
    /// Its base addresses: of its registers, and of its MSI-X table.
    pub bars: [u64; 2],
}

/// Bytes that a function has at its base addresses.
pub const SIZES: [u64; 2] = [0x4000, 0x2000];

/// Where the messages of interrupts go.
pub const MESSAGES: u64 = 0xFEE0_0000;

/// Base addresses of virtual functions, one behind the other.
const VIRTUAL: [u64; 2] = [0x30_0000_0000, 0x30_1000_0000];

/// What is written to Device Control: errors are reported, relaxed ordering, payloads of 256 bytes, tags of 8 bits, reads of
/// 512 bytes.
const DEVICE_CONTROL: u32 = 0xF | 1 << 4 | 1 << 5 | 1 << 8 | 2 << 12;

/// See the module.
pub struct Scene<S> {
    pub bus: Bus<S, Machine, Clients>,
    pub config: Config,
    pub setting: Setting,
    /// By the numbers of the hardware; of virtual functions that are off, where they were last.
    pub places: Vec<Place>,
    /// What happened behind the endpoint, and when.
    pub events: VecDeque<(u64, Event)>,
    /// The longest time in cycles that a request took.
    pub longest_answer: u64,
    /// Classes whose credits stay away, until then.
    droughts: Vec<(Class, u64)>,
    /// The last cycle of a drought.
    pub dry: u64,
    space: Vec<Structure>,
}

impl<S: Simulator> Scene<S> {
    /// Attaches an endpoint and configures its own functions; no virtual one is there yet.
    ///
    /// # Errors
    /// What it does wrong.
    pub fn new(
        sim: S,
        config: &Config,
        setting: Setting,
        behaviour: Behaviour,
        link: LinkSettings,
    ) -> Result<Scene<S>, BusError> {
        let clients = Clients::new(sim.interface(), behaviour.seed);
        let straps = Straps { personality: setting.personality, serial: 1 };
        let mut bus = attach(sim, clients, Machine::new(), straps, behaviour, link)?;
        let alternative_routing = setting.alternative_routing;
        *bus.bridge() = Bridge { subordinate: 2, alternative_routing, ..Bridge::default() };
        let own = (0..setting.own_functions() as u8).map(|number| Place {
            id: RoutingId::new(1, number),
            bars: [0x20_0000_0000, 0x20_0010_0000].map(|base| base + 0x100_0000 * u64::from(number)),
        });
        let virtual_places = (0..setting.virtual_functions(config) as u64).map(|number| Place {
            // Nowhere yet.
            id: RoutingId(0xFFFF),
            bars: [0, 1].map(|bar| VIRTUAL[bar] + SIZES[bar] * number),
        });
        let places = own.chain(virtual_places).collect();
        let space = space::space(config, Kind::Physical);
        let mut scene = Scene {
            bus,
            config: config.clone(),
            setting,
            places,
            events: VecDeque::new(),
            longest_answer: 0,
            droughts: vec![],
            dry: 0,
            space,
        };
        for function in 0..setting.own_functions() {
            scene.see(function);
            scene.configure(function)?;
        }
        Ok(scene)
    }

    /// The checker and the IOMMU learn where a function is.
    fn see(&mut self, function: usize) {
        let Place { id, bars } = self.places[function];
        for (bar, size) in bars.into_iter().zip(SIZES) {
            self.bus.checker.set_window(bar..bar + size, id);
        }
        self.bus.host.platform.iommu.attach(id);
    }

    /// Offsets of registers, where the function has them.
    ///
    /// # Panics
    /// If the physical function has no such field.
    pub fn offset(&self, path: &str) -> u16 {
        space::field(&self.space, path).expect("a physical function has it").0 as u16
    }

    pub fn now(&self) -> u64 {
        self.bus.now()
    }

    /// Lets a cycle pass.
    ///
    /// # Errors
    /// What the endpoint does wrong in it.
    pub fn step(&mut self) -> Result<(), BusError> {
        self.bus.step()?;
        let now = self.bus.now();
        if self.is_dry() {
            self.dry = now;
        }
        for (class, _) in self.droughts.extract_if(.., |(_, end)| *end <= now) {
            self.bus.link.withhold(Direction::Up, class, false, now);
        }
        self.events.extend(self.bus.device.events.drain(..).map(|event| (now, event)));
        Ok(())
    }

    /// The host keeps credits of some class.
    pub fn is_dry(&self) -> bool {
        !self.droughts.is_empty()
    }

    /// Has the host keep the credits of a class for so many cycles; not if it does so already.
    pub fn withhold(&mut self, class: Class, cycles: u64) -> bool {
        let is_new = self.droughts.iter().all(|(of, _)| *of != class);
        if is_new {
            let now = self.now();
            self.bus.link.withhold(Direction::Up, class, true, now);
            self.droughts.push((class, now + cycles));
        }
        is_new
    }

    /// Sends a request of up to 64 bytes, and waits for its completion.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn request(&mut self, request: Packet) -> Result<Answer, BusError> {
        let asked = self.now();
        let tag = self.bus.host.ask(request, asked);
        loop {
            if let Some(answer) = self.bus.host.answer(tag) {
                self.longest_answer = self.longest_answer.max(self.now() - asked);
                return Ok(answer?);
            }
            self.step()?;
        }
    }

    /// Reads configuration space; `None` if nobody is there.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn read_configuration(&mut self, id: RoutingId, offset: u16) -> Result<Option<u32>, BusError> {
        let far = self.bus.bridge().route(id).expect("it is below the bridge");
        let answer = self.request(Packet::configuration_read(far, ROOT, 0, id, offset))?;
        let word = answer.data.first_chunk().map(|word| u32::from_le_bytes(*word));
        Ok(word.filter(|_| answer.status == Status::Successful))
    }

    /// Writes a word of configuration space, or some of its bytes.
    ///
    /// # Errors
    /// See [`Bus::request`].
    ///
    /// # Panics
    /// If it is refused.
    pub fn write_configuration(
        &mut self,
        function: usize,
        path: &str,
        enables: u8,
        data: u32,
    ) -> Result<(), BusError> {
        let id = self.places[function].id;
        let far = self.bus.bridge().route(id).expect("it is below the bridge");
        let packet = Packet::configuration_write(far, ROOT, 0, id, self.offset(path), data);
        let answer = self.request(packet.with_enables(enables, 0))?;
        assert_eq!(answer.status, Status::Successful, "{id} has no {path}");
        Ok(())
    }

    /// Reads up to 64 bytes behind a base address; says whether that is supported.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn read(&mut self, address: u64, data: &mut [u8]) -> Result<Status, BusError> {
        let answer = self.request(Packet::memory_read(ROOT, 0, address, data.len()))?;
        if answer.status == Status::Successful {
            data.copy_from_slice(&answer.data[address as usize % 4..][..data.len()]);
        }
        Ok(answer.status)
    }

    /// Writes up to 64 bytes behind a base address.
    ///
    /// # Errors
    /// What the endpoint does wrong in the next cycle.
    pub fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusError> {
        self.bus.host.send_raw(Packet::memory_write(ROOT, 0, address, data));
        self.step()
    }

    /// Sets what decides for the whole function, its base addresses, and those of its virtual functions.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn configure(&mut self, function: usize) -> Result<(), BusError> {
        self.write_configuration(function, "express.device_control.payload", 3, DEVICE_CONTROL)?;
        self.write_bars(function, "header", self.places[function].bars)?;
        if function == 0 && self.setting.virtual_functions(&self.config) > 0 {
            self.write_bars(0, "virtualization", VIRTUAL)?;
            self.write_virtualization(false)?;
        }
        Ok(())
    }

    fn write_bars(&mut self, function: usize, structure: &str, bars: [u64; 2]) -> Result<(), BusError> {
        for (bar, names) in bars.into_iter().zip([["bar0", "bar1"], ["bar2", "bar3"]]) {
            for (half, name) in names.into_iter().enumerate() {
                let path = format!("{structure}.{name}.address");
                self.write_configuration(function, &path, 15, (bar >> (32 * half)) as u32)?;
            }
        }
        Ok(())
    }

    fn write_virtualization(&mut self, enable: bool) -> Result<(), BusError> {
        let routing = u32::from(self.setting.alternative_routing) << 4;
        let control = routing | if enable { 1 | 1 << 3 } else { 0 };
        self.write_configuration(0, "virtualization.control.enable", 3, control)
    }

    /// Has a function send: it becomes a bus master, and its interrupts are messages with this data.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn open(&mut self, function: usize, message: u32) -> Result<(), BusError> {
        let Place { id, bars: [_, table] } = self.places[function];
        self.bus.checker.set_master(id, true);
        self.set_command(function, true)?;
        // Written word by word, as drivers do; the last opens the entry.
        for (at, word) in [MESSAGES as u32, 0, message, 0].into_iter().enumerate() {
            self.write(table + 4 * at as u64, &word.to_le_bytes())?;
        }
        self.write_configuration(function, "msix.head.enable", 15, 1 << 31)
    }

    /// Memory Space Enable, and Bus Master Enable as it is wanted.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn set_command(&mut self, function: usize, is_master: bool) -> Result<(), BusError> {
        let command = 1 << 1 | u32::from(is_master) << 2;
        self.write_configuration(function, "header.command_status.bus_master", 3, command)
    }

    /// D3hot, or D0.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn set_asleep(&mut self, function: usize, is_asleep: bool) -> Result<(), BusError> {
        self.write_configuration(function, "power.control.power_state", 1, if is_asleep { 3 } else { 0 })
    }

    /// Asks for a reset of a function.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn reset(&mut self, function: usize) -> Result<(), BusError> {
        let control = DEVICE_CONTROL | 1 << 15;
        self.write_configuration(function, "express.device_control.function_reset", 3, control)
    }

    /// Has this many virtual functions appear, where none is; returns the numbers of functions that are elsewhere than they
    /// were before.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn enable(&mut self, number: usize) -> Result<Vec<usize>, BusError> {
        let own = self.setting.own_functions();
        self.write_configuration(0, "virtualization.number.number", 3, number as u32)?;
        self.write_virtualization(true)?;
        // Without ARI they are on the next bus if not all of them have a place on this one.
        let first = if number <= 6 || self.setting.alternative_routing { 2 } else { 0x100 };
        let mut moved = vec![];
        for function in own..own + number {
            let id = RoutingId((0x100 + first + function - own) as u16);
            if self.places[function].id != id {
                self.bus.host.platform.iommu.detach(self.places[function].id);
                self.places[function].id = id;
                moved.push(function);
            }
        }
        moved.iter().for_each(|function| self.see(*function));
        Ok(moved)
    }

    /// Has all virtual functions vanish.
    ///
    /// # Errors
    /// See [`Bus::request`].
    pub fn disable(&mut self) -> Result<(), BusError> {
        self.write_virtualization(false)
    }
}
