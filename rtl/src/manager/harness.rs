//! What the tests share: both masters, what is around the manager, and a model in plain Rust.

mod model;

pub use model::{Access, Model, bridge_refuses, causes, read, write};

use super::*;
use crate::{
    axi_lite::Resp,
    testing::{Agent, Bench, Rng, Sink, Source},
    virtio::types::Cause,
};
use std::collections::{BTreeMap, VecDeque};

/// A channel of the bus towards the manager, or the host's.
#[derive(Default)]
pub struct Sender<T> {
    pub queue: VecDeque<T>,
    offering: bool,
}

impl<T: Copy> Sender<T> {
    fn offer(&mut self, rng: &mut Rng, pace: f64) -> Option<T> {
        self.offering |= !self.queue.is_empty() && rng.f64() < pace;
        self.queue.front().copied().filter(|_| self.offering)
    }

    fn sample(&mut self, ready: bool) -> Option<T> {
        let moves = self.offering && ready;
        self.offering &= !moves;
        if moves { self.queue.pop_front() } else { None }
    }
}

/// The bridge's side of its registers.
#[derive(Default)]
struct Slave {
    words: BTreeMap<u16, u32>,
    address: Option<u16>,
    data: Option<u32>,
    read: Option<u16>,
    response: Option<(bool, u32, bool)>,
}

/// The manager beside the model.
pub struct Rig {
    pub bench: Bench,
    pub io: ManagerIo,
    pub config: Config,
    pub model: Model,
    /// How likely a channel of a master moves in a cycle, and whether the bus takes responses.
    pub pace: f64,
    pub takes: bool,
    pub host: Sender<Access>,
    /// What the host waits for, and since when.
    waits: Option<(Access, usize)>,
    addresses: Sender<u16>,
    data: Sender<(u32, u8)>,
    reads: Sender<u16>,
    /// Writes and reads of the bus that have no response.
    writing: VecDeque<Access>,
    reading: VecDeque<Access>,
    shown: [bool; 2],
    slave: Slave,
    pub receive: Source<Beat>,
    pub send: Sink<Beat>,
    pub vectors: usize,
    acknowledged: Vec<u64>,
    moderated: Vec<(u32, u32, u32)>,
    pub cycle: usize,
    last_row: Option<usize>,
    pub rows: usize,
    /// The longest that the host has waited for an answer, in cycles.
    pub longest: usize,
    /// What accesses came to, by the host and by the bus.
    pub host_results: Vec<(Access, u32, bool)>,
    pub bus_results: Vec<(Access, u32, bool)>,
    /// The model knows what each access comes to.
    pub checks: bool,
}

impl Rig {
    pub fn new(config: &Config, seed: u64) -> Rig {
        let (bench, io) = Bench::new(|| manager(config), seed);
        let mut rig = Rig {
            receive: Source::new(&io.receive, 1.0),
            send: Sink::new(&io.send, 1.0),
            bench,
            io,
            config: config.clone(),
            model: Model::new(config),
            pace: 1.0,
            takes: true,
            host: Sender::default(),
            waits: None,
            addresses: Sender::default(),
            data: Sender::default(),
            reads: Sender::default(),
            writing: VecDeque::new(),
            reading: VecDeque::new(),
            shown: [false; 2],
            slave: Slave::default(),
            vectors: 0,
            acknowledged: vec![],
            moderated: vec![],
            cycle: 0,
            last_row: None,
            rows: 0,
            longest: 0,
            host_results: vec![],
            bus_results: vec![],
            checks: true,
        };
        rig.bench.sim.poke(rig.io.cleared, true);
        rig
    }

    /// The same hardware, after a reset of it and of all around it but the bridge.
    pub fn reset(&mut self) {
        assert!(self.is_quiet());
        self.bench.sim.reset();
        self.model = Model { bridge: self.model.bridge.clone(), ..Model::new(&self.config) };
        (self.acknowledged, self.moderated, self.vectors, self.last_row) = (vec![], vec![], 0, None);
    }

    /// An access of the bus.
    pub fn bus(&mut self, access: Access) {
        match access.write {
            Some(data) => {
                self.addresses.queue.push_back(access.offset);
                self.data.queue.push_back((data, access.enables));
                self.writing.push_back(access);
            }
            None => {
                self.reads.queue.push_back(access.offset);
                self.reading.push_back(access);
            }
        }
    }

    pub fn is_quiet(&self) -> bool {
        let host = self.host.queue.is_empty() && self.waits.is_none();
        host && self.writing.is_empty() && self.reading.is_empty() && self.shown == [false; 2]
    }

    /// Runs until all accesses have their answers, and a little longer.
    pub fn finish(&mut self) {
        let deadline = self.cycle + 100_000;
        while !self.is_quiet() {
            self.step();
            assert!(self.cycle < deadline, "accesses have no answer");
        }
        self.steps(12);
    }

    /// What a read of the host gives, or `None`.
    pub fn read(&mut self, offset: u16) -> Option<u32> {
        self.host.queue.push_back(read(offset));
        self.finish();
        let (_, data, refused) = *self.host_results.last().expect("an answer");
        (!refused).then_some(data)
    }

    /// Whether a write of the host is taken.
    pub fn write(&mut self, offset: u16, data: u32) -> bool {
        self.host.queue.push_back(write(offset, data));
        self.finish();
        let (_, _, refused) = *self.host_results.last().expect("an answer");
        !refused
    }

    pub fn steps(&mut self, count: usize) {
        (0..count).for_each(|_| self.step());
    }

    pub fn step(&mut self) {
        self.drive();
        self.slave();
        self.receive.drive(&mut self.bench);
        self.send.drive(&mut self.bench);
        self.receive.sample(&mut self.bench);
        self.send.sample(&mut self.bench);
        self.sample();
        self.outputs();
        self.bench.cycle(&mut []);
        for input in [self.io.dropped.valid, self.io.broke.valid] {
            self.bench.sim.poke(input, false);
        }
        self.cycle += 1;
    }

    fn drive(&mut self) {
        let (sim, rng, axi) = (&mut self.bench.sim, &mut self.bench.rng, self.io.axi);
        let waits = self.waits.is_some();
        let access = self.host.offer(rng, if waits { 0.0 } else { self.pace });
        let junk = Access { offset: rng.u16(..0x1000) * 4, write: Some(rng.u32(..)), enables: rng.u8(..16) };
        let shown = access.unwrap_or(junk);
        let port = self.io.access.payload;
        sim.poke(self.io.access.valid, access.is_some());
        sim.poke(port.function, 1);
        sim.poke(port.msix, false);
        sim.poke(port.offset, shown.offset.into());
        sim.poke(port.write, shown.write.is_some());
        sim.poke(port.enables, shown.enables.into());
        sim.poke(port.data, shown.write.unwrap_or(rng.u32(..)).into());
        let address = self.addresses.offer(rng, self.pace);
        sim.poke(axi.awvalid, address.is_some());
        sim.poke(axi.awaddr, address.unwrap_or(rng.u16(..0x4000)).into());
        let data = self.data.offer(rng, self.pace);
        let (word, enables) = data.unwrap_or((rng.u32(..), rng.u8(..16)));
        sim.poke(axi.wvalid, data.is_some());
        sim.poke(axi.wdata, word.into());
        sim.poke(axi.wstrb, enables.into());
        let address = self.reads.offer(rng, self.pace);
        sim.poke(axi.arvalid, address.is_some());
        sim.poke(axi.araddr, address.unwrap_or(rng.u16(..0x4000)).into());
        sim.poke(axi.awprot, rng.u128(..8));
        sim.poke(axi.arprot, rng.u128(..8));
        for ready in [axi.bready, axi.rready] {
            sim.poke(ready, self.takes && rng.f64() < self.pace);
        }
        sim.poke(self.io.vector.ready, rng.bool());
    }

    fn sample(&mut self) {
        let axi = self.io.axi;
        let sim = &mut self.bench.sim;
        let ready = [self.io.access.ready, axi.awready, axi.wready, axi.arready].map(|ready| sim.peek(ready));
        let answer = self.io.answer.payload;
        let answered =
            sim.peek(self.io.answer.valid).then(|| (sim.peek(answer.data) as u32, sim.peek(answer.aborted)));
        let responses = [
            (sim.peek(axi.bvalid), sim.peek(axi.bready), sim.peek(axi.bresp), 0),
            (sim.peek(axi.rvalid), sim.peek(axi.rready), sim.peek(axi.rresp), sim.peek(axi.rdata) as u32),
        ];
        if let Some((data, aborted)) = answered {
            let (access, since) = self.waits.take().expect("an answer follows its access");
            self.longest = self.longest.max(self.cycle - since);
            self.complete(access, data, aborted);
            self.host_results.push((access, data, aborted));
        }
        for (kind, (valid, taken, resp, data)) in responses.into_iter().enumerate() {
            if valid && !self.shown[kind] {
                let queue = if kind == 0 { &mut self.writing } else { &mut self.reading };
                let access = queue.pop_front().expect("a response follows its access");
                self.complete(access, data, resp == Resp::SlvErr);
                self.bus_results.push((access, data, resp == Resp::SlvErr));
            }
            self.shown[kind] = valid && !taken;
        }
        if let Some(access) = self.host.sample(ready[0]) {
            self.waits = Some((access, self.cycle));
        }
        self.addresses.sample(ready[1]);
        self.data.sample(ready[2]);
        self.reads.sample(ready[3]);
    }

    /// The model carries the access out now, as the manager has.
    fn complete(&mut self, access: Access, data: u32, refused: bool) {
        if !self.checks {
            return;
        }
        let meaning = self.model.meaning(access.offset);
        let expected = self.model.access(access);
        let got = (!refused).then_some(data);
        assert_eq!(got.map(|it| it & meaning), expected.map(|it| it & meaning), "{access:x?}");
        assert!(!refused || data == 0, "what is refused reads 0");
    }

    /// The bridge takes accesses and answers them.
    fn slave(&mut self) {
        let (sim, rng, axi) = (&mut self.bench.sim, &mut self.bench.rng, self.io.bridge);
        let slave = &mut self.slave;
        for ready in [axi.awready, axi.wready, axi.arready] {
            sim.poke(ready, rng.bool());
        }
        let shows = slave.response.filter(|_| rng.bool());
        let (refused, data, is_read) = shows.unwrap_or_default();
        let resp = if refused { Resp::SlvErr } else { Resp::Okay };
        sim.poke(axi.bvalid, shows.is_some() && !is_read);
        sim.poke(axi.bresp, resp);
        sim.poke(axi.rvalid, shows.is_some() && is_read);
        sim.poke(axi.rresp, resp);
        sim.poke(axi.rdata, data.into());
        if shows.is_some() {
            assert!(sim.peek(if is_read { axi.rready } else { axi.bready }));
            slave.response = None;
        }
        let under_way = slave.address.is_some() || slave.data.is_some() || slave.read.is_some();
        if let (Some(address), Some(data)) = (slave.address, slave.data) {
            if !bridge_refuses(address) {
                slave.words.insert(address, data);
            }
            slave.response = Some((bridge_refuses(address), 0, false));
            (slave.address, slave.data) = (None, None);
        }
        if let Some(address) = slave.read.take() {
            let data = slave.words.get(&address).copied().unwrap_or(0);
            slave.response = Some((bridge_refuses(address), data, true));
        }
        if sim.peek(axi.awvalid) && sim.peek(axi.awready) {
            assert!(slave.address.replace(sim.peek(axi.awaddr) as u16).is_none());
        }
        if sim.peek(axi.wvalid) && sim.peek(axi.wready) {
            assert_eq!(sim.peek(axi.wstrb), 15);
            assert!(slave.data.replace(sim.peek(axi.wdata) as u32).is_none());
        }
        if sim.peek(axi.arvalid) && sim.peek(axi.arready) {
            assert!(!under_way && slave.read.replace(sim.peek(axi.araddr) as u16).is_none());
        }
    }

    fn outputs(&mut self) {
        let (sim, io) = (&mut self.bench.sim, &self.io);
        let ones = sim.peek(io.acknowledge) as u64;
        if ones != 0 {
            self.acknowledged.push(ones);
        }
        if sim.peek(io.moderation.valid) {
            let row = io.moderation.payload;
            let word = |frames, time| (frames << 16 | time) as u32;
            let receive = word(sim.peek(row.limits.receive_frames), sim.peek(row.limits.receive_time));
            let transmit = word(sim.peek(row.limits.transmit_frames), sim.peek(row.limits.transmit_time));
            self.moderated.push((sim.peek(row.function) as u32, receive, transmit));
        }
        if sim.peek(io.device.valid) {
            assert!(self.last_row.is_none_or(|last| self.cycle - last >= 256), "rows keep their distance");
            self.last_row = Some(self.cycle);
            self.rows += 1;
            let row = io.device.payload;
            let mac = sim.peek(row.mac);
            let state = sim.peek(row.duplex) << 8 | u128::from(sim.peek(row.announce)) << 1;
            let state = state | u128::from(sim.peek(row.link_up));
            let got = [mac & 0xffff_ffff, mac >> 32, sim.peek(row.mtu), sim.peek(row.speed), state];
            let expected = self.model.waiting.remove(&(sim.peek(row.function) as u32));
            assert_eq!(Some(got.map(|word| word as u32)), expected, "a row that waits");
        }
        if sim.peek(io.vector.valid) && sim.peek(io.vector.ready) {
            let vector = io.vector.payload;
            assert_eq!((sim.peek(vector.function), sim.peek(vector.vector)), (1, 1));
            self.vectors += 1;
        }
        assert!(sim.peek(io.receive.ready), "the bridge never waits");
    }

    /// At a moment at which nothing is under way.
    pub fn check_outputs(&mut self) {
        let forced = self.io.forced;
        let sim = &mut self.bench.sim;
        assert_eq!(sim.peek(self.io.may_address), self.model.may_address());
        let [low, middle, high] = self.model.ports.map(u128::from);
        let ports = (low | middle << 32 | high << 64) & ((1 << self.config.ports()) - 1);
        assert_eq!((sim.peek(forced.valid), sim.peek(forced.ports)), (high >> 31 == 1, ports));
        assert_eq!(std::mem::take(&mut self.acknowledged), std::mem::take(&mut self.model.acknowledged));
        assert_eq!(std::mem::take(&mut self.moderated), std::mem::take(&mut self.model.moderated));
        // Interrupts that are asked for at about the same time are one.
        let (vectors, interrupts) =
            (std::mem::take(&mut self.vectors), std::mem::take(&mut self.model.interrupts));
        assert!(vectors <= interrupts && (vectors > 0) == (interrupts > 0), "{vectors} of {interrupts}");
    }

    /// A queue breaks, in the next cycle.
    pub fn break_queue(&mut self, function: usize, slot: usize, cause: Cause) {
        let fault = self.io.broke.payload;
        let sim = &mut self.bench.sim;
        sim.poke(self.io.broke.valid, true);
        sim.poke(fault.queue.function, function as u128);
        sim.poke(fault.queue.slot, slot as u128);
        sim.poke(fault.cause, cause);
        let count = ((self.model.faults[function] >> 16) + 1) & 0xffff;
        self.model.faults[function] = count << 16 | (slot as u32) << 4 | cause as u32;
        self.model.broken |= 1 << function;
        self.model.happens(0);
    }

    /// A frame is dropped, in the next cycle.
    pub fn drop_frame(&mut self, function: usize) {
        self.bench.sim.poke(self.io.dropped.valid, true);
        self.bench.sim.poke(self.io.dropped.payload, function as u128);
        self.model.dropped[function] = self.model.dropped[function].wrapping_add(1);
    }
}
