//! The endpoint of this repository below a root port.

use super::{
    bus::{Bus, BusError, Device},
    checker::Settings,
    host::Behaviour,
    interface::Platform,
    link::LinkSettings,
};
use hdl::{Interface, Simulator, interface::Direction};
use rtl::pcie::space::Personality;

/// What is wired at the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Straps {
    pub personality: Personality,
    /// EUI-64.
    pub serial: u64,
}

/// The endpoint's names for what it may send: posted, non-posted, completions.
const CREDITS: [[[&str; 2]; 2]; 3] = [
    [
        ["posted_credits_headers", "posted_credits_infinite_headers"],
        ["posted_credits_data", "posted_credits_infinite_data"],
    ],
    [
        ["request_credits_headers", "request_credits_infinite_headers"],
        ["request_credits_data", "request_credits_infinite_data"],
    ],
    [
        ["completion_credits_headers", "completion_credits_infinite_headers"],
        ["completion_credits_data", "completion_credits_infinite_data"],
    ],
];

/// Puts an endpoint with what is behind it below a root port, resets it, and waits until it answers. Inputs that the device
/// does not drive are 0, but for the resets of functions, which take no time. An adapter is an endpoint, too.
///
/// # Errors
/// What the endpoint does wrong meanwhile.
///
/// # Panics
/// If it is no endpoint.
pub fn attach<S: Simulator, P: Platform, D: Device>(
    mut sim: S,
    device: D,
    platform: P,
    straps: Straps,
    behaviour: Behaviour,
    link: LinkSettings,
) -> Result<Bus<S, P, D>, BusError> {
    let interface = sim.interface().clone();
    let inputs = interface.ports.iter().enumerate().filter(|(_, port)| port.direction == Direction::Input);
    for (index, port) in inputs {
        sim.write(index, &vec![0; port.width.div_ceil(64) as usize]);
    }
    let functions = match straps.personality {
        Personality::SrIov => None,
        Personality::Multifunction(functions) => Some(functions as u64),
    };
    let mut set = |name: &str, value: u64| sim.write(find(&interface, name), &[value]);
    set("legacy", functions.is_some().into());
    set("legacy_functions", functions.unwrap_or(0));
    set("serial", straps.serial);
    // An endpoint alone: nobody has anything to clear.
    if let Some(ready) = interface.find("reset_ready") {
        sim.write(ready, &[1]);
    }
    let cleared = find(&interface, "cleared");
    let mut bus = Bus::new(sim, device, platform, Settings::default(), behaviour, link);
    bus.bind_credits(CREDITS);
    bus.reset(2)?;
    let mut limb = [0];
    while limb == [0] {
        bus.step()?;
        bus.sim.read(cleared, &mut limb);
    }
    Ok(bus)
}

pub(super) fn find(interface: &Interface, name: &str) -> usize {
    interface.find(name).unwrap_or_else(|| panic!("the endpoint has no port `{name}`"))
}
