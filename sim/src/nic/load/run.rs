//! A load on a scene, cycle by cycle.

use super::{
    super::{Scene, Trouble},
    Load,
    flow::{Flow, Who, sender},
};
use crate::{
    pcie::Direction,
    virtio::net::{Event, Packet},
};
use hdl::Simulator;
use std::collections::BTreeMap;

/// Cycles in which something comes if anything is under way, and drivers look.
const QUIET: u64 = 5_000;

/// Frames that wait on the wire at most, if there is no batch.
const WAITING: usize = 8;

/// See the module.
pub struct Run<'a, S> {
    pub scene: &'a mut Scene<S>,
    pub load: &'a Load,
    /// By who sends and who receives.
    pub flows: BTreeMap<(Who, Who), Flow>,
    /// Frames that came, of each kind: from the wire, to it, between functions.
    came: [u64; 3],
    /// Whose turn it is to get a frame from the wire.
    turn: usize,
    /// Functions that send, and to whom.
    senders: Vec<(usize, Who)>,
    /// Frames are sent.
    pub offers: bool,
}

impl<'a, S: Simulator> Run<'a, S> {
    pub fn new(scene: &'a mut Scene<S>, load: &'a Load) -> Run<'a, S> {
        scene.period = load.period;
        let Load { to_wire, between, .. } = load;
        let next = between.iter().cycle().skip(1);
        let pairs = between.iter().zip(next).map(|(from, to)| (*from, Some(*to)));
        let senders = to_wire.iter().map(|from| (*from, None)).chain(pairs).collect();
        Run { scene, load, flows: BTreeMap::new(), came: [0; 3], turn: 0, senders, offers: false }
    }

    pub fn now(&self) -> u64 {
        self.scene.nic.bus.now()
    }

    pub fn flow(&mut self, from: Who, to: Who) -> &mut Flow {
        self.flows.entry((from, to)).or_insert_with(|| Flow::new(from, to))
    }

    /// # Errors
    /// What the adapter does wrong.
    pub fn pass(&mut self, cycles: u64) -> Result<(), Trouble> {
        let end = self.now() + cycles;
        while self.now() < end {
            self.cycle()?;
        }
        Ok(())
    }

    /// Sends nothing more, and waits for what is under way.
    ///
    /// # Errors
    /// What the adapter does wrong.
    pub fn finish(&mut self) -> Result<(), Trouble> {
        self.offers = false;
        loop {
            let before = self.came;
            self.pass(QUIET + self.load.period)?;
            if self.came == before {
                return Ok(());
            }
        }
    }

    /// Frames that came, of each kind, and bytes on the link.
    pub fn counts(&self) -> [u64; 5] {
        let link = &self.scene.nic.bus.link;
        let [from_wire, to_wire, between] = self.came;
        [from_wire, to_wire, between, link.carried(Direction::Up), link.carried(Direction::Down)]
    }

    /// # Errors
    /// What the adapter does wrong.
    pub fn cycle(&mut self) -> Result<(), Trouble> {
        if self.offers {
            let due = self.scene.due();
            self.bring(&due);
            self.send(&due);
        }
        let now = self.now();
        for (function, event) in self.scene.step()? {
            if let Event::Received { frame, .. } = event {
                self.arrived(Some(function), &frame, now);
            }
        }
        let arrivals: Vec<_> = self.scene.nic.bus.device.0[0].from_adapter.drain(..).collect();
        for arrival in arrivals {
            assert!(!arrival.is_bad, "the adapter sends a bad frame");
            self.arrived(None, &arrival.data, arrival.began);
        }
        Ok(())
    }

    fn arrived(&mut self, to: Who, frame: &[u8], now: u64) {
        let from = sender(frame);
        self.flows.get_mut(&(from, to)).expect("somebody sent it").arrives(frame, now);
        let kind = match (from, to) {
            (None, _) => 0,
            (_, None) => 1,
            _ => 2,
        };
        self.came[kind] += 1;
    }

    /// Frames on the wire: for each function in turn one, as many as it takes; or a batch whenever its driver looks.
    fn bring(&mut self, due: &[usize]) {
        let load = self.load;
        let Some(batch) = load.batch else {
            while !load.from_wire.is_empty() && self.scene.nic.bus.device.0[0].to_adapter.len() < WAITING {
                let to = load.from_wire[self.turn % load.from_wire.len()];
                self.turn += 1;
                self.bring_one(to);
            }
            return;
        };
        for function in &load.from_wire {
            if due.contains(function) {
                (0..batch).for_each(|_| self.bring_one(*function));
            }
        }
    }

    /// A frame on the wire, for a function.
    pub fn bring_one(&mut self, to: usize) {
        let bytes = self.load.bytes;
        let frame = self.flow(None, Some(to)).frame(bytes);
        self.scene.nic.bus.device.0[0].send(frame);
    }

    /// Functions whose drivers look fill their rings.
    fn send(&mut self, due: &[usize]) {
        let most = self.load.batch.unwrap_or(usize::MAX);
        for at in 0..self.senders.len() {
            let (from, to) = self.senders[at];
            if due.contains(&from) {
                (0..most).all(|_| self.send_one(from, to));
            }
        }
    }

    /// A frame of a function; `false` if there is no room.
    pub fn send_one(&mut self, from: usize, to: Who) -> bool {
        let bytes = self.load.bytes;
        let frame = self.flow(Some(from), to).frame(bytes);
        let net = self.scene.drivers.get_mut(&from).expect("it has a driver");
        let packet = Packet { frame, ..Packet::default() };
        let is_sent = net.send(&mut self.scene.nic.bus.host.platform, 0, &packet);
        if !is_sent {
            self.flow(Some(from), to).take_back();
        }
        is_sent
    }
}
