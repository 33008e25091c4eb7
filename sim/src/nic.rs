//! The whole adapter below a host and between its wires.
//!
//! ```text
//!   drivers, managers ─► Bus (host, link, TLP streams) ─► nic ◄─► Wires
//! ```

pub mod bench;
pub mod load;
mod management;
pub mod model;
mod resets;
mod scene;
mod wires;

pub use scene::{Scene, Trouble};
pub use wires::{Arrival, Wire, Wires};

use crate::axi_lite::AxiMaster;
use crate::pcie::{
    Behaviour, Bus, BusError, Configuration, EnumerationError, Function, Link, LinkSettings, Machine,
    Options, Platform, RoutingId, Straps, attach, enumerate,
};
use hdl::Simulator;
use rtl::{config::Config, pcie::space::Personality};
use thiserror::Error;

/// How the adapter is strapped, and how its host uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    pub personality: Personality,
    /// Virtual functions that are enabled.
    pub vfs: u16,
    /// The port above forwards ARI.
    pub alternative_routing: bool,
    pub behaviour: Behaviour,
    pub link: LinkSettings,
}

impl Setup {
    /// All virtual functions, below a port with ARI, on the link and with the host that figures are given for: reads take a
    /// microsecond from request to completion.
    pub fn of(config: &Config) -> Setup {
        let link = LinkSettings { clock_khz: config.clock_khz as u64, ..LinkSettings::default() };
        // Half of the microsecond is the link's.
        let latency = config.clock_khz as u64 / 2000;
        Setup {
            personality: Personality::SrIov,
            vfs: config.vfs as u16,
            alternative_routing: true,
            behaviour: Behaviour { latency, jitter: 0, ..Behaviour::default() },
            link,
        }
    }
}

/// Where a function is for software.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub id: RoutingId,
    /// Its registers, and its MSI-X table.
    pub bars: [u64; 2],
}

/// What goes wrong while an adapter is set up.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Enumeration(#[from] EnumerationError<BusError>),
}

/// See the module.
pub struct Nic<S, P = Machine> {
    pub bus: Bus<S, P, Wires>,
    pub config: Config,
    /// By the numbers of the hardware: the physical function, the manager, the virtual functions.
    pub places: Vec<Place>,
    management: AxiMaster,
    /// As they were enumerated; in the same order.
    pub functions: Vec<Function>,
}

/// What is written to Device Control: errors are reported, relaxed ordering, payloads of 256 bytes, tags of 8 bits, reads of
/// 512 bytes.
const DEVICE_CONTROL: u32 = 0xF | 1 << 4 | 1 << 5 | 1 << 8 | 2 << 12;

impl<S: Simulator, P: Platform> Nic<S, P> {
    /// Resets an adapter, enumerates it, and enables its functions as bus masters.
    ///
    /// # Errors
    /// What it does wrong.
    ///
    /// # Panics
    /// If the design is not the adapter of this configuration.
    pub fn new(sim: S, platform: P, config: &Config, setup: &Setup) -> Result<Nic<S, P>, SetupError> {
        let wires = Wires::new(sim.interface(), config);
        let straps = Straps { personality: setup.personality, serial: 0x0200_00FF_FE00_0001 };
        let link_up = sim.interface().find("link_up").expect("an adapter has wires");
        // Nothing takes time until the adapter is set up.
        let at_once = LinkSettings { clock_khz: config.clock_khz as u64, ..LinkSettings::at_once() };
        let mut bus = attach(sim, wires, platform, straps, Behaviour::AT_ONCE, at_once)?;
        bus.sim.write(link_up, &[u64::MAX >> (64 - config.wires)]);
        let options = Options {
            vfs: setup.vfs,
            alternative_routing: setup.alternative_routing,
            page: 4096,
            words: WORDS,
        };
        let functions = enumerate(&mut bus, &options)?;
        let vf_bars = functions.first().map(|it| virtual_bars(&it.words)).unwrap_or_default();
        let mut places = vec![];
        let mut virtual_number = 0;
        for Function { id, is_virtual, words } in &functions {
            let bars = if *is_virtual {
                virtual_number += 1;
                vf_bars.map(|(base, size)| base + size * (virtual_number - 1))
            } else {
                [4, 6].map(|at| u64::from(words[at + 1]) << 32 | u64::from(words[at] & !0xF))
            };
            for (bar, size) in bars.into_iter().zip(SIZES) {
                bus.checker.set_window(bar..bar + size, *id);
            }
            let control = device_control(words);
            bus.write_configuration(*id, control, 3, DEVICE_CONTROL)?;
            bus.write_configuration(*id, 4, 3, 0b110)?;
            places.push(Place { id: *id, bars });
        }
        bus.link = Link::new(setup.link.clone());
        bus.host.behaviour = setup.behaviour.clone();
        let mut management = AxiMaster::find(bus.sim.interface());
        management.idle(&mut bus.sim);
        Ok(Nic { bus, config: config.clone(), places, functions, management })
    }

    /// Where a function has Device Control.
    ///
    /// # Panics
    /// If there is no such function.
    pub fn device_control(&self, function: usize) -> u16 {
        device_control(&self.functions[function].words)
    }
}

/// Words of a configuration space, with the last capability of the physical function.
const WORDS: u16 = 192;

/// Bytes that a function has at its base addresses.
const SIZES: [u64; 2] = [0x4000, 0x2000];

/// Where the capability of PCI Express (7.5.3) has Device Control.
fn device_control(words: &[u32]) -> u16 {
    let mut offset = words[0x34 / 4] as u16 & 0xFC;
    while words[usize::from(offset) / 4] as u8 != 0x10 {
        offset = (words[usize::from(offset) / 4] >> 8) as u16 & 0xFC;
        assert_ne!(offset, 0, "every function has the capability");
    }
    offset + 8
}

/// Where the capability of virtual functions (9.3.3) is, if there is one.
fn virtualization(words: &[u32]) -> Option<usize> {
    let mut offset = 0x100;
    while words[offset / 4] & 0xFFFF != 0x0010 {
        offset = (words[offset / 4] >> 20) as usize;
        if offset == 0 {
            return None;
        }
    }
    Some(offset)
}

/// The base addresses of virtual functions (9.3.3.14), and how far apart those of two functions are; zeros without virtual
/// functions.
fn virtual_bars(words: &[u32]) -> [(u64, u64); 2] {
    let Some(offset) = virtualization(words) else { return [(0, 0); 2] };
    let bar = |at: usize| u64::from(words[at / 4 + 1]) << 32 | u64::from(words[at / 4] & !0xF);
    [(bar(offset + 0x24), SIZES[0]), (bar(offset + 0x2C), SIZES[1])]
}
