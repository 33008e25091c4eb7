//! From the tables of a file to an adapter in its host: links, functions that are there, their drivers.

use super::error::{Problem, ScenarioError};
use super::file::{self, LayoutName, PersonalityName, RingName};
use super::names::Names;
use super::values::Looks;
use crate::clock::Clock;
use crate::nic::Setup;
use crate::nic::bench::{AdapterPlan, Driver, features, functions};
use crate::veb::Policy;
use crate::virtio::features::Features;
use crate::virtio::layout::Layout;
use rtl::pcie::space::Personality;
use rtl::virtio::features::FEATURES;
use toml::Spanned;

/// Features that are accepted or not as a scenario likes; others follow from what a driver is to do.
const OPTIONAL: [&str; 10] = [
    "CSUM",
    "GUEST_CSUM",
    "MRG_RXBUF",
    "INDIRECT_DESC",
    "EVENT_IDX",
    "IN_ORDER",
    "ORDER_PLATFORM",
    "NOTIFICATION_DATA",
    "RING_RESET",
    "SPEED_DUPLEX",
];

/// Bytes of a header with two tags.
const HEADER: usize = 14 + 8;

/// How the adapter is strapped and connected. The link is that of the figures where nothing is said.
pub fn setup(names: &Names, clock: Clock, adapter: Option<&file::Adapter>) -> Result<Setup, ScenarioError> {
    let mut setup = Setup::of(names.config);
    let Some(adapter) = adapter else { return Ok(setup) };
    let source = names.source;
    if let Some(place) = &adapter.vfs {
        let (count, most) = (place.as_ref().get(), names.config.vfs);
        source.require(count <= most, place, || Problem::TooMany {
            what: "virtual functions",
            count,
            most,
        })?;
        setup.vfs = count as u16;
    }
    match (adapter.personality, &adapter.functions, &adapter.vfs) {
        (Some(PersonalityName::Legacy), functions, None) => {
            let most = names.config.functions();
            let count: usize = functions.as_ref().map_or(2, |functions| functions.as_ref().get());
            if let Some(place) = functions {
                let allowed = || Problem::FieldValue {
                    field: "functions",
                    allowed: format!("1, 2, 4 or 8, and not more than the {most} that there are"),
                };
                source.require(count.is_power_of_two() && count <= most, place, allowed)?;
            }
            (setup.personality, setup.vfs) = (Personality::Multifunction(count), 0);
        }
        (Some(PersonalityName::Legacy), _, Some(place)) => {
            let what = "the legacy personality: it has no virtual functions";
            return source.fail(place, Problem::Conflict { key: "vfs", what });
        }
        (_, Some(place), _) => {
            let what = "SR-IOV: it is for the legacy personality";
            return source.fail(place, Problem::Conflict { key: "functions", what });
        }
        _ => {}
    }
    setup.alternative_routing = adapter.ari.unwrap_or(setup.alternative_routing);
    setup.link.generation = adapter.generation.map_or(setup.link.generation, |generation| generation.get());
    if let Some(place) = &adapter.lanes {
        let lanes: u32 = place.as_ref().get();
        let allowed = || Problem::FieldValue { field: "lanes", allowed: "1, 2, 4, 8 or 16".into() };
        source.require(lanes.is_power_of_two(), place, allowed)?;
        setup.link.lanes = lanes;
    }
    if let Some(latency) = adapter.read_latency {
        // Nanoseconds of the link are part of it.
        let on_link = clock.cycle_at(setup.link.round_trip * 1000);
        setup.behaviour.latency = latency.cycle(clock).saturating_sub(on_link);
    }
    Ok(setup)
}

/// The drivers of all functions that are there. `policies` are those of the run: they say what drivers ask for.
pub fn plan(
    names: &Names,
    clock: Clock,
    seed: u64,
    setup: Setup,
    drivers: &[file::Driver],
    policies: &[&Policy],
) -> Result<AdapterPlan, ScenarioError> {
    let mut plan = AdapterPlan::ordinary(names.config, setup, seed);
    for of in drivers {
        for port in names.ports(&of.port)? {
            let driver = plan.drivers.iter_mut().find(|driver| port_of(names, driver.function) == port);
            let Some(driver) = driver else {
                let name = names.ports[port].clone();
                return names.source.fail(&of.port, Problem::NoDriver { name });
            };
            apply(names, clock, of, driver)?;
        }
    }
    for driver in &mut plan.drivers {
        let asked = features(policies.iter().copied(), port_of(names, driver.function));
        driver.options.features = driver.options.features | asked;
    }
    Ok(plan)
}

/// The port of a function.
fn port_of(names: &Names, function: usize) -> usize {
    names.config.wires + [1, 0].get(function).copied().unwrap_or(function)
}

fn apply(names: &Names, clock: Clock, of: &file::Driver, driver: &mut Driver) -> Result<(), ScenarioError> {
    let (source, options) = (names.source, &mut driver.options);
    if let Some(chosen) = &of.features {
        let optional = OPTIONAL.iter().map(|name| feature(name)).fold(Features::NONE, |all, it| all | it);
        options.features = options.features - optional;
        for name in chosen {
            if !OPTIONAL.contains(&name.as_ref().as_str()) {
                let (name_of, known) = (name.as_ref().clone(), OPTIONAL.join(", "));
                return source.fail(name, Problem::UnknownFeature { name: name_of, known });
            }
            options.features = options.features | feature(name.as_ref());
        }
    }
    match of.ring {
        Some(RingName::Split) => options.features = options.features - Features::RING_PACKED,
        Some(RingName::Packed) => options.features = options.features | Features::RING_PACKED,
        None => {}
    }
    if let Some(place) = &of.pairs {
        let (count, most) = (place.as_ref().get(), names.config.pairs);
        source.require(count <= most, place, || Problem::TooMany { what: "pairs of queues", count, most })?;
        options.pairs = count as u16;
        options.features = options.features - Features::MQ;
        if count > 1 {
            options.features = options.features | Features::MQ | Features::CTRL_VQ;
        }
    }
    if let Some(place) = &of.entries {
        let entries: u16 = place.as_ref().get();
        [options.sizes[0], options.sizes[1]] = [entries; 2];
    }
    let is_packed = options.features.has(Features::RING_PACKED);
    if !is_packed && !options.sizes[0].is_power_of_two() {
        let allowed = "a power of two where the ring is split".into();
        let place = of.entries.as_ref().map_or(of.port.span(), Spanned::span);
        return Err(source.error(place, Problem::FieldValue { field: "entries", allowed }));
    }
    match of.buffers {
        Some(LayoutName::Plain) => (options.receive, options.transmit) = (Layout::plain(), Layout::plain()),
        Some(LayoutName::Scattered) => {
            let receive = Layout { parts: 3, bytes: 600..=3000, ..Layout::wild() };
            (options.receive, options.transmit) = (receive, Layout::wild());
        }
        None => {}
    }
    match of.looks {
        Some(Looks::Interrupts) => options.interrupts = true,
        Some(Looks::Every(time)) => {
            options.interrupts = false;
            driver.period = time.cycle(clock).max(1);
        }
        None => {}
    }
    if let Some(mtu) = of.mtu {
        driver.mtu = mtu.get();
        options.features = options.features | Features::MTU;
        options.longest = options.longest.max(usize::from(driver.mtu) + HEADER);
    }
    Ok(())
}

/// The feature of a name that there is.
fn feature(name: &str) -> Features {
    let feature = FEATURES.iter().find(|feature| feature.name == name);
    Features(feature.map_or(0, |feature| 1 << feature.bit))
}

/// What can be played on the bridge alone, and what needs a function that is not there.
pub struct Limits<'a> {
    pub names: &'a Names<'a>,
    pub setup: &'a Setup,
}

impl Limits<'_> {
    /// A frame goes in at these ports.
    fn is_there(&self, ports: &file::Ports) -> Result<(), ScenarioError> {
        let Limits { names, setup } = self;
        let functions = functions(names.config, setup);
        let manager = names.config.manager();
        let has_driver = |port: usize| functions.iter().any(|function| port_of(names, *function) == port);
        let absent = names.ports(ports)?.into_iter().find(|&port| port > manager && !has_driver(port));
        match absent {
            Some(port) => names.source.fail(ports, Problem::Absent { name: names.ports[port].clone() }),
            None => Ok(()),
        }
    }

    pub fn traffic(&self, part: &file::Traffic) -> Result<(), ScenarioError> {
        self.is_there(&part.port)?;
        let (names, most) = (self.names, rtl::manager::FRAME);
        let is_managers = names.ports(&part.port)?.contains(&names.config.manager());
        let size = part.size.as_ref().filter(|_| is_managers);
        let longest = size.map_or(0, |size| size.as_ref().bounds().1);
        match size {
            Some(size) if longest > most => names.source.fail(size, Problem::Mailbox { most }),
            _ => Ok(()),
        }
    }

    pub fn frame(&self, frame: &file::Frame) -> Result<(), ScenarioError> {
        let name = super::values::PortList::One(frame.port.as_ref().clone());
        self.is_there(&Spanned::new(frame.port.span(), name))?;
        let port = self.names.port(&frame.port)?;
        let is_wires = port < self.names.config.wires;
        let (most, bytes) =
            (rtl::manager::FRAME, super::flows::bytes(frame.hex.as_ref()).map_or(0, |bytes| bytes.len()));
        let has_room = port != self.names.config.manager() || bytes <= most;
        self.names.source.require(has_room, &frame.hex, || Problem::Mailbox { most })?;
        let what = "a bad frame of a function";
        self.names.source.require(is_wires || !frame.error, &frame.hex, || Problem::BridgeOnly { what })
    }

    pub fn sink(&self, sink: &file::Sink) -> Result<(), ScenarioError> {
        let is_wires = self.names.ports(&sink.port)?.into_iter().all(|port| port < self.names.config.wires);
        let what = "a `[[sink]]` of a function";
        self.names.source.require(is_wires, &sink.port, || Problem::BridgeOnly { what })
    }

    pub fn change(&self, change: &file::Change) -> Result<(), ScenarioError> {
        match &change.held {
            Some(held) if !*held.as_ref() => {
                let what = "a change that is not `held`";
                self.names.source.fail(held, Problem::BridgeOnly { what })
            }
            _ => Ok(()),
        }
    }
}
