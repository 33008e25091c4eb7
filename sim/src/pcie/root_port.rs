//! A root port with the endpoint below it: configuration requests as packets, completions checked bit by bit.

use super::{
    interface::{Bridge, Configuration},
    packet::RoutingId,
};
use hdl::{Interface, Simulator, Violation, interface::PortIndex};
use rtl::pcie::space::Personality;
use thiserror::Error;

/// What is wired at the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Straps {
    pub personality: Personality,
    /// EUI-64.
    pub serial: u64,
}

/// What an endpoint must not do.
#[derive(Debug, Error)]
pub enum RootError {
    #[error(transparent)]
    Check(#[from] Violation),
    #[error("no completion of a request to {id}, register {offset:#05x}, within {cycles} cycles")]
    Timeout { id: RoutingId, offset: u16, cycles: u64 },
    #[error("the completion of a request to {id} has the header {got:#034x}, not {expected:#034x}")]
    Completion { id: RoutingId, got: u128, expected: u128 },
}

/// Fields of the first word: name, lowest bit, width (figure 2-5).
const FIRST: [(&str, usize, usize); 12] = [
    ("first_kind", 24, 8),
    ("first_tag_9", 23, 1),
    ("first_traffic_class", 20, 3),
    ("first_tag_8", 19, 1),
    ("first_attribute_2", 18, 1),
    ("first_lightweight", 17, 1),
    ("first_hints", 16, 1),
    ("first_digest", 15, 1),
    ("first_poisoned", 14, 1),
    ("first_attributes", 12, 2),
    ("first_address_type", 10, 2),
    ("first_length", 0, 10),
];

/// Of the header of a configuration request (figure 2-18).
const REQUEST: [(&str, usize, usize); 10] = [
    ("unused", 96, 32),
    ("bus", 88, 8),
    ("number", 80, 8),
    ("reserved_high", 76, 4),
    ("register", 66, 10),
    ("reserved_low", 64, 2),
    ("requester", 48, 16),
    ("tag", 40, 8),
    ("last_enables", 36, 4),
    ("enables", 32, 4),
];

/// Of the header of a completion (figure 2-28).
const COMPLETION: [(&str, usize, usize); 9] = [
    ("unused", 96, 32),
    ("requester", 80, 16),
    ("tag", 72, 8),
    ("reserved", 71, 1),
    ("lower_address", 64, 7),
    ("completer", 48, 16),
    ("status", 45, 3),
    ("modified", 44, 1),
    ("byte_count", 32, 12),
];

/// A port with its place in a header.
type HeaderPort = (PortIndex, usize, usize);

/// Cycles within which every request is completed: a reset of a function may come first.
const PATIENCE: u64 = 4000;

/// The routing ID of the root port itself.
const REQUESTER: u128 = 0x0008;

/// A root port, the bus below it, and the endpoint on that bus as device 0.
pub struct RootPort<S> {
    sim: S,
    bridge: Bridge,
    /// The bus that the endpoint takes for its own: 0 until a write of type 0 has succeeded (2.2.9).
    captured: u8,
    tag: u8,
    request: [PortIndex; 3],
    request_header: Vec<HeaderPort>,
    completion: [PortIndex; 3],
    completion_header: Vec<HeaderPort>,
}

fn find(interface: &Interface, name: &str) -> PortIndex {
    let position = interface.ports.iter().position(|port| port.name == name);
    position.unwrap_or_else(|| panic!("the endpoint has no port `{name}`"))
}

fn header_ports(interface: &Interface, stream: &str, fields: &[(&str, usize, usize)]) -> Vec<HeaderPort> {
    let port = |&(name, low, width): &(&str, usize, usize)| {
        (find(interface, &format!("{stream}_payload_header_{name}")), low, width)
    };
    fields.iter().chain(&FIRST).map(port).collect()
}

impl<S: Simulator> RootPort<S> {
    /// Resets the endpoint and waits until it answers.
    ///
    /// # Errors
    /// A check of the design that does not hold.
    pub fn new(sim: S, straps: Straps) -> Result<Self, RootError> {
        let interface = sim.interface().clone();
        let stream = |name: &str| {
            ["valid", "ready", "payload_data"].map(|field| find(&interface, &format!("{name}_{field}")))
        };
        let mut port = RootPort {
            bridge: Bridge::default(),
            captured: 0,
            tag: 0,
            request: stream("request"),
            request_header: header_ports(&interface, "request", &REQUEST),
            completion: stream("completion"),
            completion_header: header_ports(&interface, "completion", &COMPLETION),
            sim,
        };
        let functions = match straps.personality {
            Personality::SrIov => None,
            Personality::Multifunction(functions) => Some(functions as u64),
        };
        let mut set = |name: &str, value: u64| port.sim.write(find(&interface, name), &[value]);
        set("legacy", functions.is_some().into());
        set("legacy_functions", functions.unwrap_or(0));
        set("serial", straps.serial);
        set("request_valid", 0);
        set("completion_ready", 1);
        port.sim.write_reset(0, true);
        port.wait(2)?;
        port.sim.write_reset(0, false);
        let cleared = find(&interface, "cleared");
        while port.word(cleared) == 0 {
            port.wait(1)?;
        }
        Ok(port)
    }

    fn access(
        &mut self,
        id: RoutingId,
        offset: u16,
        write: Option<(u8, u32)>,
    ) -> Result<Option<u32>, RootError> {
        let Some(is_type_1) = self.bridge.route(id) else { return Ok(None) };
        self.tag = self.tag.wrapping_add(1);
        let tag = u128::from(self.tag);
        let kind = 0x04 | u128::from(write.is_some()) << 6 | u128::from(is_type_1);
        let (enables, data) = write.unwrap_or((15, 0));
        let header = u128::from(id.0) << 80
            | u128::from(offset & 0xFFC) << 64
            | REQUESTER << 48
            | tag << 40
            | u128::from(enables) << 32
            | kind << 24
            | 1;
        for index in 0..self.request_header.len() {
            let (port, low, width) = self.request_header[index];
            self.sim.write(port, &[(header >> low) as u64 & (u64::MAX >> (64 - width))]);
        }
        let [valid, ready, data_port] = self.request;
        self.sim.write(data_port, &[data.into()]);
        self.sim.write(valid, &[1]);
        let timeout = || RootError::Timeout { id, offset, cycles: PATIENCE };
        let deadline = self.sim.cycles() + PATIENCE;
        while self.word(ready) == 0 {
            self.wait(1)?;
            if self.sim.cycles() > deadline {
                return Err(timeout());
            }
        }
        self.wait(1)?;
        self.sim.write(valid, &[0]);
        while self.word(self.completion[0]) == 0 {
            self.wait(1)?;
            if self.sim.cycles() > deadline {
                return Err(timeout());
            }
        }
        let mut got = 0;
        for index in 0..self.completion_header.len() {
            let (port, low, _) = self.completion_header[index];
            got |= u128::from(self.word(port)) << low;
        }
        let data = self.word(self.completion[2]) as u32;
        self.wait(1)?;
        // Completion with data, completion, or unsupported request; byte count 4 and lower address 0 (2.2.9).
        let header = |completer: RoutingId, kind: u128, status: u128, length: u128| {
            let completer = u128::from(completer.0) << 48;
            REQUESTER << 80 | tag << 72 | completer | status << 45 | 4 << 32 | kind << 24 | length
        };
        let bus = match (is_type_1, write) {
            (true, _) | (false, Some(_)) => id.bus(),
            (false, None) => self.captured,
        };
        let completer = RoutingId::new(bus, id.number());
        let supported =
            if write.is_some() { header(completer, 0x0A, 0, 0) } else { header(completer, 0x4A, 0, 1) };
        if got == supported {
            if !is_type_1 {
                self.captured = bus;
            }
            return Ok(Some(data));
        }
        // Of a function that is not there, function 0 says so.
        match got == header(RoutingId::new(self.captured, 0), 0x0A, 1, 0) {
            true => Ok(None),
            false => Err(RootError::Completion { id, got, expected: supported }),
        }
    }

    fn word(&mut self, port: PortIndex) -> u64 {
        let mut limb = [0];
        self.sim.read(port, &mut limb);
        limb[0]
    }
}

impl<S: Simulator> Configuration for RootPort<S> {
    type Error = RootError;

    fn bridge(&mut self) -> &mut Bridge {
        &mut self.bridge
    }

    fn read_configuration(&mut self, id: RoutingId, offset: u16) -> Result<Option<u32>, RootError> {
        self.access(id, offset, None)
    }

    fn write_configuration(
        &mut self,
        id: RoutingId,
        offset: u16,
        enables: u8,
        data: u32,
    ) -> Result<bool, RootError> {
        Ok(self.access(id, offset, Some((enables, data)))?.is_some())
    }

    fn wait(&mut self, cycles: u64) -> Result<(), RootError> {
        (0..cycles).try_for_each(|_| Ok(self.sim.step_domains(&[0])?))
    }
}
