//! How the adapter is used: its host, and the drivers of its functions.

use crate::{
    nic::Setup,
    random::Random,
    virtio::{features::Features, layout::Layout, net::NetOptions},
};
use rtl::{config::Config, pcie::space::Personality};

/// A driver of a network function.
#[derive(Clone, Debug, PartialEq)]
pub struct Driver {
    /// Number of its function: 0 the physical one, virtual ones from 2 on.
    pub function: usize,
    pub options: NetOptions,
    /// It looks at its rings, or for interrupts, once in so many cycles.
    pub period: u64,
    /// The largest MTU that the manager allows the function, 68 to 9600.
    pub mtu: u16,
}

/// Cycles that a driver takes to notice an interrupt.
const REACTION: u64 = 16;

/// The longest frame of the bridge without its header.
const MTU: u16 = 9600;

impl Driver {
    /// As operating systems do it: packed rings of 256 entries, buffers that merge, interrupts, events suppressed by index.
    pub fn ordinary(function: usize, seed: u64) -> Driver {
        let plain = NetOptions::plain(true, Random::fork(seed, function as u64).word());
        let features = plain.features | Features::MRG_RXBUF | Features::EVENT_IDX | Features::CTRL_RX;
        let options = NetOptions { features, sizes: [256, 256, 16], receive: Layout::plain(), ..plain };
        Driver { function, options, period: REACTION, mtu: MTU }
    }
}

/// The adapter in its host.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterPlan {
    pub setup: Setup,
    /// One for each function that has a driver.
    pub drivers: Vec<Driver>,
}

impl AdapterPlan {
    /// An ordinary driver on each function that is there.
    pub fn ordinary(config: &Config, setup: Setup, seed: u64) -> AdapterPlan {
        let there = functions(config, &setup).into_iter();
        AdapterPlan { drivers: there.map(|function| Driver::ordinary(function, seed)).collect(), setup }
    }
}

/// Numbers of the network functions that are there: all but the manager.
pub fn functions(config: &Config, setup: &Setup) -> Vec<usize> {
    let count = match setup.personality {
        Personality::SrIov => 2 + usize::from(setup.vfs),
        Personality::Multifunction(functions) => functions,
    };
    (0..count.min(config.functions())).filter(|function| *function != 1).collect()
}
