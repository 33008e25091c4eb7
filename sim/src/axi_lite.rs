//! A master of the manager's AXI4-Lite bus, one access at a time.

use hdl::{Interface, Simulator, interface::PortIndex};

fn find(interface: &Interface, name: &str) -> PortIndex {
    interface.find(name).unwrap_or_else(|| panic!("the design has no port `{name}`"))
}

/// One channel towards the slave.
struct Channel {
    valid: PortIndex,
    ready: PortIndex,
    /// Something is on offer.
    offered: bool,
    /// It moves in this cycle.
    moves: bool,
}

impl Channel {
    fn find(interface: &Interface, name: &str) -> Channel {
        let port = |field: &str| find(interface, &format!("axi_{name}{field}"));
        Channel { valid: port("valid"), ready: port("ready"), offered: false, moves: false }
    }

    fn offer<S: Simulator>(&mut self, sim: &mut S, offered: bool) {
        self.offered = offered;
        self.moves = false;
        sim.write(self.valid, &[offered as u64]);
    }
}

/// The bus and what is under way on it.
pub struct AxiMaster {
    /// Write address, write data, read address.
    channels: [Channel; 3],
    awaddr: PortIndex,
    wdata: PortIndex,
    wstrb: PortIndex,
    araddr: PortIndex,
    bvalid: PortIndex,
    bresp: PortIndex,
    rvalid: PortIndex,
    rresp: PortIndex,
    rdata: PortIndex,
    readies: [PortIndex; 2],
}

impl AxiMaster {
    /// Binds the ports whose names begin with `axi_`.
    ///
    /// # Panics
    /// If the design has none of them.
    pub fn find(interface: &Interface) -> AxiMaster {
        let port = |name: &str| find(interface, &format!("axi_{name}"));
        AxiMaster {
            channels: ["aw", "w", "ar"].map(|name| Channel::find(interface, name)),
            awaddr: port("awaddr"),
            wdata: port("wdata"),
            wstrb: port("wstrb"),
            araddr: port("araddr"),
            bvalid: port("bvalid"),
            bresp: port("bresp"),
            rvalid: port("rvalid"),
            rresp: port("rresp"),
            rdata: port("rdata"),
            readies: [port("bready"), port("rready")],
        }
    }

    /// Nothing is on offer; every response would be taken.
    pub fn idle<S: Simulator>(&mut self, sim: &mut S) {
        self.channels.iter_mut().for_each(|channel| channel.offer(sim, false));
        self.readies.iter().for_each(|&ready| sim.write(ready, &[1]));
        sim.write(self.wstrb, &[15]);
    }

    /// Begins a write; until it has ended nothing else may begin.
    pub fn start_write<S: Simulator>(&mut self, sim: &mut S, address: usize, data: u32) {
        sim.write(self.awaddr, &[address as u64]);
        sim.write(self.wdata, &[data.into()]);
        self.channels[0].offer(sim, true);
        self.channels[1].offer(sim, true);
    }

    /// Begins a read.
    pub fn start_read<S: Simulator>(&mut self, sim: &mut S, address: usize) {
        sim.write(self.araddr, &[address as u64]);
        self.channels[2].offer(sim, true);
    }

    /// Looks, before a clock edge, at what moves with it: the data and whether the access was refused, at its end.
    pub fn advance<S: Simulator>(&mut self, sim: &mut S) -> Option<(u32, bool)> {
        let mut word = |port: PortIndex| {
            let mut limb = [0];
            sim.read(port, &mut limb);
            limb[0]
        };
        for channel in &mut self.channels {
            channel.moves = channel.offered && word(channel.ready) == 1;
        }
        if word(self.bvalid) == 1 {
            return Some((0, word(self.bresp) != 0));
        }
        (word(self.rvalid) == 1).then(|| (word(self.rdata) as u32, word(self.rresp) != 0))
    }

    /// Withdraws, after the clock edge, what has moved with it.
    pub fn settle<S: Simulator>(&mut self, sim: &mut S) {
        for channel in &mut self.channels {
            if channel.moves {
                channel.offer(sim, false);
            }
        }
    }
}
