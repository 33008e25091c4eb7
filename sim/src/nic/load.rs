//! An adapter under a steady load, and what it carries.

use super::{Scene, Trouble};
use crate::{
    ethernet::{ETHERTYPE_EXPERIMENTAL, FrameBuilder, MacAddress},
    pcie::Direction,
    veb::policy::Policy,
    virtio::{
        error::DriverError,
        net::{Event, NetOptions, Packet},
    },
};
use hdl::Simulator;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of the frame check sequence, which frames have on the wire only.
pub const CHECK_SEQUENCE: usize = 4;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Load {
    /// Bytes of a frame with its check sequence: 64 to 9618.
    pub bytes: usize,
    /// Functions that send to the first wire, in turn, as much as it takes.
    pub to_wire: Vec<usize>,
    /// Functions that get as many frames from it as it can bring.
    pub from_wire: Vec<usize>,
    /// Functions that send to the next of these, as much as they can.
    pub between: Vec<usize>,
    /// Cycles that are measured, after as many that are not.
    pub cycles: u64,
    /// Cycles between two looks of a driver at its rings.
    pub period: u64,
}

/// What came of it, in the cycles that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Carried {
    pub cycles: u64,
    /// Frames that the wire gave to functions, functions to the wire, and functions to each other.
    pub from_wire: u64,
    pub to_wire: u64,
    pub between: u64,
    /// Frames that never came, of the whole run; of those from the wire, and of the others.
    pub lost_from_wire: u64,
    pub lost: u64,
    /// Bytes on the link, towards the host and from it.
    pub up: u64,
    pub down: u64,
}

/// The station behind the wire.
const STATION: MacAddress = MacAddress::new([2, 0, 0, 0, 1, 0]);

fn address(function: usize) -> MacAddress {
    MacAddress::new([2, 0, 0, 0, 0, function as u8])
}

/// Everybody is in one VLAN; each function has its address.
fn policy<S: Simulator>(scene: &Scene<S>) -> Policy {
    let config = &scene.nic.config;
    let mut policy = Policy::open(config.wires, config.functions());
    for function in scene.functions() {
        policy.insert_entry(0, address(function), [scene.port(function)].into_iter().collect());
    }
    // Functions wait where they would fill the buffer.
    let hold = config.cells as u32 / 4;
    policy.limits.iter_mut().for_each(|limit| limit.hold_from = hold);
    policy
}

/// Frames of a flow: numbered, so that one that is missing is noticed.
#[derive(Clone, Debug)]
struct Flow {
    source: MacAddress,
    destination: MacAddress,
    sent: u64,
    arrived: u64,
    /// The number behind that of the last one that arrived.
    expected: u64,
}

impl Flow {
    fn new(source: MacAddress, destination: MacAddress) -> Flow {
        Flow { source, destination, sent: 0, arrived: 0, expected: 0 }
    }

    fn frame(&mut self, bytes: usize) -> Vec<u8> {
        let mut payload = vec![0; bytes - CHECK_SEQUENCE - 14];
        payload[..8].copy_from_slice(&self.sent.to_le_bytes());
        self.sent += 1;
        FrameBuilder::new(self.destination, self.source)
            .ethertype(ETHERTYPE_EXPERIMENTAL)
            .payload(payload)
            .build()
    }

    /// # Panics
    /// If the frame came twice, or before one that was sent earlier.
    fn arrives(&mut self, frame: &[u8]) {
        let number = u64::from_le_bytes(frame[14..22].try_into().expect("eight bytes"));
        assert!(
            (self.expected..self.sent).contains(&number),
            "frame {number}, but {} was next",
            self.expected
        );
        self.expected = number + 1;
        self.arrived += 1;
    }
}

/// A load on a scene.
struct Run<'a, S> {
    scene: &'a mut Scene<S>,
    load: &'a Load,
    /// By who sends and who receives; `None` is the wire.
    flows: BTreeMap<(Option<usize>, Option<usize>), Flow>,
    /// Frames that came, of each kind: from the wire, to it, between functions.
    came: [u64; 3],
    turn: usize,
    offers: bool,
}

impl<S: Simulator> Run<'_, S> {
    fn next(&mut self, from: Option<usize>, to: Option<usize>) -> Vec<u8> {
        let mac = |who: Option<usize>| who.map_or(STATION, address);
        let flow = self.flows.entry((from, to)).or_insert_with(|| Flow::new(mac(from), mac(to)));
        flow.frame(self.load.bytes)
    }

    fn arrived(&mut self, to: Option<usize>, frame: &[u8]) {
        let from = (frame[10] == 0).then_some(usize::from(frame[11]));
        self.flows.get_mut(&(from, to)).expect("somebody sent it").arrives(frame);
        let kind = match (from, to) {
            (None, _) => 0,
            (_, None) => 1,
            _ => 2,
        };
        self.came[kind] += 1;
    }

    fn pass(&mut self, cycles: u64) -> Result<(), Trouble> {
        let end = self.scene.nic.bus.now() + cycles;
        while self.scene.nic.bus.now() < end {
            self.cycle()?;
        }
        Ok(())
    }

    /// Frames that came, of each kind, and bytes on the link.
    fn counts(&self) -> [u64; 5] {
        let link = &self.scene.nic.bus.link;
        let [from_wire, to_wire, between] = self.came;
        [from_wire, to_wire, between, link.carried(Direction::Up), link.carried(Direction::Down)]
    }

    fn cycle(&mut self) -> Result<(), Trouble> {
        if self.offers {
            while !self.load.from_wire.is_empty() && self.scene.nic.bus.device.0[0].to_adapter.len() < 8 {
                let to = self.load.from_wire[self.turn % self.load.from_wire.len()];
                self.turn += 1;
                let frame = self.next(None, Some(to));
                self.scene.nic.bus.device.0[0].send(frame);
            }
            if self.scene.nic.bus.now().is_multiple_of(self.load.period) {
                self.send();
            }
        }
        for (function, event) in self.scene.step()? {
            if let Event::Received { frame, .. } = event {
                self.arrived(Some(function), &frame);
            }
        }
        let arrivals: Vec<_> = self.scene.nic.bus.device.0[0].from_adapter.drain(..).collect();
        for arrival in arrivals {
            self.arrived(None, &arrival.data);
        }
        Ok(())
    }

    /// Functions fill their rings.
    fn send(&mut self) {
        let between = &self.load.between;
        let pairs =
            between.iter().enumerate().map(|(at, from)| (*from, Some(between[(at + 1) % between.len()])));
        let all: Vec<_> = self.load.to_wire.iter().map(|from| (*from, None)).chain(pairs).collect();
        for (from, to) in all {
            loop {
                let frame = self.next(Some(from), to);
                let net = self.scene.drivers.get_mut(&from).expect("it has a driver");
                let packet = Packet { frame, ..Packet::default() };
                if !net.send(&mut self.scene.nic.bus.host.platform, 0, &packet) {
                    self.flows.get_mut(&(Some(from), to)).expect("it is there").sent -= 1;
                    break;
                }
            }
        }
    }
}

impl Load {
    /// Starts drivers with these options on the functions that take part, and plays the load.
    ///
    /// # Errors
    /// What the adapter does wrong.
    ///
    /// # Panics
    /// If a frame comes twice or out of order.
    pub fn play<S: Simulator>(
        &self,
        scene: &mut Scene<S>,
        options: impl Fn(usize) -> NetOptions,
    ) -> Result<Carried, Trouble> {
        let policy = policy(scene);
        scene.nic.set_policy(&policy).map_err(DriverError::Bus)?;
        scene.period = self.period;
        let functions = [&self.to_wire[..], &self.from_wire, &self.between].concat();
        for function in BTreeSet::from_iter(functions) {
            scene.start(function, options(function))?;
        }
        let mut run = Run { scene, load: self, flows: BTreeMap::new(), came: [0; 3], turn: 0, offers: false };
        // Drivers give buffers first.
        run.pass(QUIET)?;
        run.offers = true;
        run.pass(self.cycles)?;
        let before = run.counts();
        run.pass(self.cycles)?;
        let after = run.counts();
        run.offers = false;
        let mut last = run.came;
        run.pass(QUIET)?;
        while run.came != last {
            last = run.came;
            run.pass(QUIET)?;
        }
        let [from_wire, to_wire, between, up, down] = [0, 1, 2, 3, 4].map(|at| after[at] - before[at]);
        let lost = |from_wire: bool| -> u64 {
            let flows = run.flows.iter().filter(|((from, _), _)| from.is_none() == from_wire);
            flows.map(|(_, flow)| flow.sent - flow.arrived).sum()
        };
        let (lost_from_wire, lost) = (lost(true), lost(false));
        Ok(Carried { cycles: self.cycles, from_wire, to_wire, between, lost_from_wire, lost, up, down })
    }
}

/// Cycles in which something comes if anything is under way.
const QUIET: u64 = 20_000;
