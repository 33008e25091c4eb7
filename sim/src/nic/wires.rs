//! The wires of an adapter: frames in both directions at the pace of a 10 Gb/s Ethernet.

use crate::{
    clock::Clock,
    pcie::Device,
    random::Random,
    traffic::{Sink, WIRE_OVERHEAD},
    veb::bench::Behaviour,
};
use hdl::{Interface, Simulator, interface::PortIndex};
use rtl::config::Config;
use std::collections::VecDeque;

/// A frame and the cycles in which its first and its last beat moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub began: u64,
    pub cycle: u64,
    pub data: Vec<u8>,
    /// It is marked so, or its beats were not as they must be.
    pub is_bad: bool,
}

impl Arrival {
    /// A good frame, whole in this cycle.
    pub fn good(data: Vec<u8>, cycle: u64) -> Arrival {
        Arrival { began: cycle, cycle, data, is_bad: false }
    }
}

/// The ports of one direction.
struct Ports {
    tvalid: PortIndex,
    tready: PortIndex,
    tdata: PortIndex,
    tkeep: PortIndex,
    tlast: PortIndex,
    tuser: PortIndex,
}

impl Ports {
    fn find(interface: &Interface, name: &str) -> Ports {
        let find = |port: &str| {
            let name = format!("{name}_{port}");
            interface.find(&name).unwrap_or_else(|| panic!("the adapter has no port `{name}`"))
        };
        Ports {
            tvalid: find("tvalid"),
            tready: find("tready"),
            tdata: find("tdata"),
            tkeep: find("tkeep"),
            tlast: find("tlast"),
            tuser: find("tuser"),
        }
    }
}

/// A wire. Times are cycles of the adapter's clock.
pub struct Wire {
    rx: Ports,
    tx: Ports,
    bytes: usize,
    /// Bits that pass in a thousand cycles; `None` for as fast as the adapter takes and gives them.
    pub bits_per_kilocycle: Option<u64>,
    /// How often beats wait.
    pub behaviour: Behaviour,
    /// What takes frames from the adapter, if it is slower than the wire.
    pub link: Option<Sink>,
    /// Nothing begins in either direction, and what the adapter sends has to wait.
    pub is_down: bool,
    /// Frames for the adapter, which wait for their turn, and whether they are bad.
    pub to_adapter: VecDeque<(Vec<u8>, bool)>,
    /// Bytes of the first that have gone, and the beat on offer.
    gone: usize,
    offered: bool,
    /// When, in thousandths of cycles, the next frame may begin, of each direction, and when the last one did.
    next: [u64; 2],
    began: [u64; 2],
    /// Frames that went into the adapter, and those that have begun to.
    pub sent: u64,
    pub begun: u64,
    /// Beats that have moved in either direction.
    pub beats: u64,
    /// Cycles for which the adapter let a beat wait.
    pub stalled: u64,
    /// Frames that came from the adapter.
    pub from_adapter: Vec<Arrival>,
    receiving: Vec<u8>,
    /// A beat of it was not as it must be.
    spoilt: bool,
    ready: bool,
    random: Random,
}

impl Wire {
    fn new(interface: &Interface, wire: usize, bytes: usize, bits_per_kilocycle: Option<u64>) -> Wire {
        Wire {
            rx: Ports::find(interface, &format!("wire_rx_{wire}")),
            tx: Ports::find(interface, &format!("wire_tx_{wire}")),
            bytes,
            bits_per_kilocycle,
            behaviour: Behaviour::default(),
            link: None,
            is_down: false,
            to_adapter: VecDeque::new(),
            gone: 0,
            offered: false,
            next: [0; 2],
            began: [0; 2],
            sent: 0,
            begun: 0,
            beats: 0,
            stalled: 0,
            from_adapter: vec![],
            receiving: vec![],
            spoilt: false,
            ready: false,
            random: Random::new(wire as u64 + 1),
        }
    }

    /// Queues a good frame for the adapter.
    pub fn send(&mut self, frame: Vec<u8>) {
        self.to_adapter.push_back((frame, false));
    }

    /// Thousandths of cycles that a frame takes on the wire, with what stands between frames.
    fn duration(&self, bytes: usize) -> u64 {
        let bits = 8 * (bytes as u64 + WIRE_OVERHEAD);
        self.bits_per_kilocycle.map_or(0, |rate| bits * 1_000_000 / rate)
    }

    /// When the frame behind one of so many bytes may begin. Beats begin with cycles: what a frame begins later than it
    /// might have is made up for.
    fn after(&self, direction: usize, bytes: usize) -> u64 {
        let began = self.began[direction].saturating_sub(1000).max(self.next[direction]);
        began + self.duration(bytes)
    }

    fn drive<S: Simulator>(&mut self, sim: &mut S) {
        let now = 1000 * sim.cycles();
        let Behaviour { pause, stall } = self.behaviour;
        let mut happens = |percent: usize| percent > 0 && self.random.chance(percent);
        let may_begin = !self.is_down && self.next[0] <= now;
        let may_offer = !self.offered && (self.gone > 0 || may_begin);
        let is_paused = may_offer && happens(pause);
        if let Some((frame, bad)) = self.to_adapter.front().filter(|_| may_offer && !is_paused) {
            let beat = &frame[self.gone..frame.len().min(self.gone + self.bytes)];
            let is_last = self.gone + beat.len() == frame.len();
            self.offered = true;
            let limbs: Vec<u64> = (0..self.bytes / 8)
                .map(|limb| {
                    let bytes = beat.iter().skip(8 * limb).take(8);
                    bytes.enumerate().fold(0, |word, (at, byte)| word | u64::from(*byte) << (8 * at))
                })
                .collect();
            sim.write(self.rx.tdata, &limbs);
            sim.write(self.rx.tkeep, &[u64::MAX >> (64 - beat.len())]);
            sim.write(self.rx.tlast, &[is_last.into()]);
            sim.write(self.rx.tuser, &[(is_last && *bad).into()]);
        }
        sim.write(self.rx.tvalid, &[self.offered.into()]);
        let is_free = self.link.as_ref().is_none_or(|link| link.is_free(sim.cycles()));
        self.ready = !self.receiving.is_empty() || self.next[1] <= now && is_free;
        self.ready &= !happens(stall);
        // A MAC that is not held to a rate has pauses of its own.
        self.ready &= self.bits_per_kilocycle.is_some() || self.random.chance(90);
        self.ready &= !self.is_down;
        sim.write(self.tx.tready, &[self.ready.into()]);
    }

    fn sample<S: Simulator>(&mut self, sim: &mut S) {
        let cycle = sim.cycles();
        let mut read = |port: PortIndex| {
            let mut limb = [0];
            sim.read(port, &mut limb);
            limb[0]
        };
        let moves_in = self.offered && read(self.rx.tready) == 1;
        let moves_out = self.ready && read(self.tx.tvalid) == 1;
        let (keep, last) = (read(self.tx.tkeep), read(self.tx.tlast) == 1);
        let is_marked = read(self.tx.tuser) == 1;
        self.beats += u64::from(moves_in) + u64::from(moves_out);
        if moves_in {
            self.offered = false;
            if self.gone == 0 {
                self.began[0] = 1000 * cycle;
                self.begun += 1;
            }
            self.gone += self.bytes;
            let length = self.to_adapter[0].0.len();
            if self.gone >= length {
                self.gone = 0;
                self.next[0] = self.after(0, length);
                self.to_adapter.pop_front();
                self.sent += 1;
            }
        } else if self.offered {
            self.stalled += 1;
        }
        if moves_out {
            // Bytes come without gaps, and only the last beat may have fewer than all.
            let count = keep.trailing_ones() as usize;
            self.spoilt |= count == 0 || keep.count_ones() as usize != count || !last && count != self.bytes;
            let mut limbs = vec![0; self.bytes / 8];
            sim.read(self.tx.tdata, &mut limbs);
            let bytes = limbs.iter().flat_map(|limb| limb.to_le_bytes()).take(count);
            if self.receiving.is_empty() {
                self.began[1] = 1000 * cycle;
            }
            self.receiving.extend(bytes);
            if last {
                let data = std::mem::take(&mut self.receiving);
                self.next[1] = self.after(1, data.len());
                let began = self.began[1] / 1000;
                if let Some(link) = &mut self.link {
                    link.took(data.len(), began);
                }
                let is_bad = std::mem::take(&mut self.spoilt) || is_marked;
                self.from_adapter.push(Arrival { began, cycle, data, is_bad });
            }
        }
    }
}

/// All wires.
pub struct Wires(pub Vec<Wire>);

impl Wires {
    /// Of 10 Gb/s each.
    ///
    /// # Panics
    /// If the design is not the adapter of this configuration.
    pub fn new(interface: &Interface, config: &Config) -> Wires {
        // Picoseconds of a thousand cycles, and 10 bits in a nanosecond.
        let bits = Clock::of(config).period() * 1000 / 100;
        Wires((0..config.wires).map(|wire| Wire::new(interface, wire, config.bytes, Some(bits))).collect())
    }
}

impl Device for Wires {
    fn drive<S: Simulator>(&mut self, sim: &mut S) {
        self.0.iter_mut().for_each(|wire| wire.drive(sim));
    }

    fn sample<S: Simulator>(&mut self, sim: &mut S) {
        self.0.iter_mut().for_each(|wire| wire.sample(sim));
    }
}
