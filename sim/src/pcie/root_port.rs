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
    rx: StreamPorts,
    tx: StreamPorts,
}

/// The ports of a stream of packets.
#[derive(Clone, Copy)]
struct StreamPorts {
    valid: PortIndex,
    ready: PortIndex,
    header: PortIndex,
    data: PortIndex,
    count: PortIndex,
    first: PortIndex,
    last: PortIndex,
}

impl StreamPorts {
    fn of(interface: &Interface, name: &str) -> StreamPorts {
        let find = |field: &str| find(interface, &format!("{name}_{field}"));
        StreamPorts {
            valid: find("valid"),
            ready: find("ready"),
            header: find("payload_header"),
            data: find("payload_data"),
            count: find("payload_count"),
            first: find("payload_first"),
            last: find("payload_last"),
        }
    }
}

fn find(interface: &Interface, name: &str) -> PortIndex {
    let position = interface.ports.iter().position(|port| port.name == name);
    position.unwrap_or_else(|| panic!("the endpoint has no port `{name}`"))
}

impl<S: Simulator> RootPort<S> {
    /// Resets the endpoint and waits until it answers.
    ///
    /// # Errors
    /// A check of the design that does not hold.
    pub fn new(sim: S, straps: Straps) -> Result<Self, RootError> {
        let interface = sim.interface().clone();
        let mut port = RootPort {
            bridge: Bridge::default(),
            captured: 0,
            tag: 0,
            rx: StreamPorts::of(&interface, "rx_tlp"),
            tx: StreamPorts::of(&interface, "tx_tlp"),
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
        set("rx_tlp_valid", 0);
        set("tx_tlp_ready", 1);
        // No request is made that reaches a register, and resets end at once.
        set("register_ready", 0);
        set("answer_valid", 0);
        set("reset_ready", 1);
        set("acknowledge", 0);
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
        let (rx, tx) = (self.rx, self.tx);
        self.sim.write(rx.header, &[header as u64, (header >> 64) as u64]);
        let lanes = self.sim.interface().ports[rx.data].width.div_ceil(64) as usize;
        let mut payload = vec![0; lanes];
        payload[0] = data.into();
        self.sim.write(rx.data, &payload);
        self.sim.write(rx.count, &[if write.is_some() { 4 } else { 0 }]);
        self.sim.write(rx.first, &[1]);
        self.sim.write(rx.last, &[1]);
        self.sim.write(rx.valid, &[1]);
        let timeout = || RootError::Timeout { id, offset, cycles: PATIENCE };
        let deadline = self.sim.cycles() + PATIENCE;
        while self.word(rx.ready) == 0 {
            self.wait(1)?;
            if self.sim.cycles() > deadline {
                return Err(timeout());
            }
        }
        self.wait(1)?;
        self.sim.write(rx.valid, &[0]);
        while self.word(tx.valid) == 0 {
            self.wait(1)?;
            if self.sim.cycles() > deadline {
                return Err(timeout());
            }
        }
        let mut limbs = [0; 2];
        self.sim.read(tx.header, &mut limbs);
        let got = u128::from(limbs[1]) << 64 | u128::from(limbs[0]);
        let shape = [tx.first, tx.last, tx.count].map(|port| self.word(port));
        let data = self.data(tx.data);
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
        let length = if write.is_some() { 0 } else { 4 };
        if got == supported && shape == [1, 1, length] {
            if !is_type_1 {
                self.captured = bus;
            }
            return Ok(Some(data));
        }
        // Of a function that is not there, function 0 says so.
        match got == header(RoutingId::new(self.captured, 0), 0x0A, 1, 0) && shape == [1, 1, 0] {
            true => Ok(None),
            false => Err(RootError::Completion { id, got, expected: supported }),
        }
    }

    /// The first word of a payload.
    fn data(&mut self, port: PortIndex) -> u32 {
        let width = self.sim.interface().ports[port].width as usize;
        let mut limbs = vec![0; width.div_ceil(64)];
        self.sim.read(port, &mut limbs);
        limbs[0] as u32
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
