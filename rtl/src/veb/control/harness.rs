//! What the tests share: a master on the bus, the tables' side, and a model of both in plain Rust.

use super::{super::rows::Table, *};
use crate::testing::{Agent, Bench, Word, field, word};
use std::collections::VecDeque;

/// Offers items on a channel, each after a random pause.
pub struct Sender<T> {
    pub queue: VecDeque<T>,
    pub offering: bool,
    pub sent: usize,
}

impl<T: Copy> Sender<T> {
    pub fn new() -> Sender<T> {
        Sender { queue: VecDeque::new(), offering: false, sent: 0 }
    }

    /// What stands on the channel in this cycle.
    pub fn offer(&mut self, bench: &mut Bench, pace: f64) -> Option<T> {
        self.offering |= !self.queue.is_empty() && bench.rng.f64() < pace;
        self.queue.front().copied().filter(|_| self.offering)
    }

    pub fn sample(&mut self, ready: bool) {
        if self.offering && ready {
            self.queue.pop_front();
            self.offering = false;
            self.sent += 1;
        }
    }
}

/// The manager's side of the bus. Channels move at their own pace, so that address and data of a write come in any order.
pub struct Master {
    pub io: ControlIo,
    /// How likely a channel moves in a cycle.
    pub pace: f64,
    pub aw: Sender<u16>,
    pub w: Sender<(u32, u8)>,
    pub ar: Sender<u16>,
    /// Whether each write was refused.
    pub written: Vec<bool>,
    /// What each read gave, and whether it was refused.
    pub read: Vec<(u32, bool)>,
    /// Responses that were there and not taken.
    pub stalled: (Option<Resp>, Option<(Resp, u128)>),
}

impl Master {
    pub fn new(io: &ControlIo, pace: f64) -> Master {
        let (aw, w, ar) = (Sender::new(), Sender::new(), Sender::new());
        Master { io: io.clone(), pace, aw, w, ar, written: vec![], read: vec![], stalled: (None, None) }
    }

    pub fn write(&mut self, address: u16, data: u32, strobe: u8) {
        self.aw.queue.push_back(address);
        self.w.queue.push_back((data, strobe));
    }
}

impl Agent for Master {
    fn drive(&mut self, bench: &mut Bench) {
        let axi = self.io.axi;
        let aw = self.aw.offer(bench, self.pace);
        bench.sim.poke(axi.awvalid, aw.is_some());
        bench.sim.poke(axi.awaddr, aw.unwrap_or(bench.rng.u16(..0x1000)).into());
        let w = self.w.offer(bench, self.pace);
        let (data, strobe) = w.unwrap_or((bench.rng.u32(..), bench.rng.u8(..16)));
        bench.sim.poke(axi.wvalid, w.is_some());
        bench.sim.poke(axi.wdata, data.into());
        bench.sim.poke(axi.wstrb, strobe.into());
        let ar = self.ar.offer(bench, self.pace);
        bench.sim.poke(axi.arvalid, ar.is_some());
        bench.sim.poke(axi.araddr, ar.unwrap_or(bench.rng.u16(..0x1000)).into());
        bench.sim.poke(axi.awprot, bench.rng.u128(..8));
        bench.sim.poke(axi.arprot, bench.rng.u128(..8));
        for ready in [axi.bready, axi.rready] {
            let taken = bench.rng.f64() < self.pace;
            bench.sim.poke(ready, taken);
        }
    }

    fn sample(&mut self, bench: &mut Bench) {
        let (axi, sim) = (self.io.axi, &mut bench.sim);
        let b = sim.peek(axi.bvalid).then(|| sim.peek(axi.bresp));
        let r = sim.peek(axi.rvalid).then(|| (sim.peek(axi.rresp), sim.peek(axi.rdata)));
        assert!(self.stalled.0.is_none_or(|old| b == Some(old)), "a response to a write stays");
        assert!(self.stalled.1.is_none_or(|old| r == Some(old)), "a response to a read stays");
        self.stalled = (b.filter(|_| !sim.peek(axi.bready)), r.filter(|_| !sim.peek(axi.rready)));
        if let Some(resp) = b.filter(|_| sim.peek(axi.bready)) {
            assert!(self.written.len() < self.aw.sent.min(self.w.sent), "a response follows its write");
            self.written.push(refusal(resp));
        }
        if let Some((resp, data)) = r.filter(|_| sim.peek(axi.rready)) {
            assert!(self.read.len() < self.ar.sent, "a response follows its read");
            self.read.push((data as u32, refusal(resp)));
        }
        let ready = [axi.awready, axi.wready, axi.arready].map(|ready| sim.peek(ready));
        self.aw.sample(ready[0]);
        self.w.sample(ready[1]);
        self.ar.sample(ready[2]);
    }
}

fn refusal(resp: Resp) -> bool {
    assert_ne!(resp, Resp::DecErr);
    resp == Resp::SlvErr
}

/// A request of the command engine: operation, table, index, data.
pub type Row = (Operation, Table, u128, Word);

/// The tables' side.
pub struct Tables {
    pub io: ControlIo,
    /// How likely a request is taken in a cycle.
    pub pace: f64,
    pub taken: Vec<Row>,
    /// What to answer in the next cycle.
    pub answer: Option<(Outcome, Word)>,
}

impl Agent for Tables {
    fn drive(&mut self, bench: &mut Bench) {
        let ready = bench.rng.f64() < self.pace;
        bench.sim.poke(self.io.row.ready, ready);
        let response = self.io.row_response;
        let (outcome, data) = self.answer.take().unzip();
        bench.sim.poke(response.valid, outcome.is_some());
        bench.sim.poke(response.payload.outcome, outcome.unwrap_or(Outcome::NoRoom));
        let data = data.unwrap_or_else(|| bench.word(192));
        bench.sim.poke_wide(&response.payload.data, &data);
    }

    fn sample(&mut self, bench: &mut Bench) {
        let row = &self.io.row;
        if bench.sim.peek(row.valid) && bench.sim.peek(row.ready) {
            let RowRequest { operation, table, index, data } = row.payload;
            let (operation, table) = (bench.sim.peek(operation), bench.sim.peek(table));
            self.taken.push((operation, table, bench.sim.peek(index), bench.sim.peek_wide(&data)));
        }
    }
}

/// What the registers hold, from the text of the issue and not from the register map.
#[derive(Clone)]
pub struct Model {
    pub ports: u32,
    pub free: u32,
    pub rate_overhead: u32,
    pub stall_cycles: u32,
    pub reserve: u32,
    pub table: u32,
    pub index: u32,
    pub data: [u32; 6],
    pub usable: bool,
    pub running: Option<Operation>,
    pub outcome: u32,
}

/// The addresses of all registers, in order.
pub const ADDRESSES: [u16; 20] = [
    0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x20, 0x24, 0x28, 0x40, 0x44, 0x48, 0x4c, 0x60, 0x64, 0x68,
    0x6c, 0x70, 0x74,
];

impl Model {
    pub fn new(config: &Config) -> Model {
        Model {
            ports: config.ports() as u32,
            free: 0,
            rate_overhead: 24,
            stall_cycles: 4096,
            reserve: 0,
            table: 0,
            index: 0,
            data: [0; 6],
            usable: false,
            running: None,
            outcome: 0,
        }
    }

    pub fn read(&self, config: &Config, address: u16) -> (u32, bool) {
        let value = match address {
            0x00 => u32::from_be_bytes(*b"HEM1"),
            0x04 => 0x0001_0000,
            0x08 => self.ports | (config.wires as u32) << 8,
            0x0c => config.entries as u32,
            0x10 => config.cells as u32,
            0x14 => 8 * config.bytes as u32,
            0x18 => self.free,
            0x20 => self.rate_overhead,
            0x24 => self.stall_cycles,
            0x28 => self.reserve,
            0x40 => self.table,
            0x44 => self.index,
            0x48 => 0,
            0x4c => u32::from(!self.usable || self.running.is_some()) | self.outcome << 1,
            0x60..=0x74 if address.is_multiple_of(4) => self.data[usize::from(address - 0x60) / 4],
            _ => return (0, true),
        };
        (value, false)
    }

    /// The operation that COMMAND starts with this number.
    pub fn command(&self, number: u32) -> Option<Operation> {
        let rows = match self.table {
            0 | 6 | 7 => self.ports,
            1 => 4096,
            2 => 512,
            3 => u32::MAX,
            4 => 2,
            5 => 8,
            8 => 32 * self.ports,
            _ => 0,
        };
        let operation = match (number, self.table) {
            (1, 0 | 1 | 2 | 4 | 5 | 6 | 7) => Operation::Write,
            (2, 0 | 1 | 2 | 4 | 5 | 6 | 7 | 8) => Operation::Read,
            (3, 3) => Operation::Insert,
            (4, 3) => Operation::Delete,
            (5, 3) => Operation::Lookup,
            _ => return None,
        };
        Some(operation).filter(|_| self.index < rows)
    }

    /// Whether the write is refused.
    pub fn write(&mut self, address: u16, data: u32, strobe: u8) -> bool {
        let free = self.running.is_none();
        match address {
            _ if strobe != 15 => return true,
            0x20 => self.rate_overhead = data & 31,
            0x24 => self.stall_cycles = data & 0xffff,
            0x28 => self.reserve = data & 0xffff,
            0x40 if free && data < 16 => self.table = data,
            0x44 if free && data < 4096 => self.index = data,
            0x48 if free && self.usable && self.command(data).is_some() => self.running = self.command(data),
            0x60..=0x74 if free && address.is_multiple_of(4) => {
                self.data[usize::from(address - 0x60) / 4] = data
            }
            _ => return true,
        }
        false
    }

    /// The row of all DATA registers.
    pub fn row(&self) -> Word {
        self.data.iter().flat_map(|data| word((*data).into(), 32)).collect()
    }

    pub fn finish(&mut self, outcome: Outcome, data: &Word) {
        self.outcome = outcome as u32;
        if matches!(self.running.take(), Some(Operation::Read | Operation::Lookup)) {
            self.data = std::array::from_fn(|i| field(data, 32 * i, 32) as u32);
        }
    }
}

/// The hardware beside the model.
pub struct Pair {
    pub bench: Bench,
    pub io: ControlIo,
    pub config: Config,
    pub master: Master,
    pub tables: Tables,
    pub model: Model,
    /// How many commands have started.
    pub started: usize,
}

impl Pair {
    pub fn new(config: &Config, seed: u64) -> Pair {
        let (mut bench, io) = Bench::new(|| control(config), seed);
        bench.sim.poke(io.tables_clear, false);
        bench.sim.poke(io.free_count, 0);
        let (master, model) = (Master::new(&io, 1.0), Model::new(config));
        let tables = Tables { io: io.clone(), pace: 1.0, taken: vec![], answer: None };
        Pair { bench, io, config: config.clone(), master, tables, model, started: 0 }
    }

    /// Ready for commands.
    pub fn usable(config: &Config, seed: u64) -> Pair {
        let mut pair = Pair::new(config, seed);
        pair.clear_tables();
        pair
    }

    pub fn cycles(&mut self, count: usize) {
        (0..count).for_each(|_| self.bench.cycle(&mut [&mut self.master, &mut self.tables]));
    }

    /// One cycle is enough.
    pub fn clear_tables(&mut self) {
        self.bench.sim.poke(self.io.tables_clear, true);
        self.cycles(1);
        self.bench.sim.poke(self.io.tables_clear, false);
        self.model.usable = true;
    }

    pub fn reset(&mut self) {
        self.bench.sim.reset();
        self.master = Master::new(&self.io, self.master.pace);
        self.tables.taken.clear();
        (self.model, self.started) = (Model::new(&self.config), 0);
        self.model.free = self.bench.sim.peek(self.io.free_count) as u32;
    }

    pub fn until(&mut self, done: impl Fn(&Pair) -> bool) {
        for _ in 0..1000 {
            if done(self) {
                return;
            }
            self.cycles(1);
        }
        panic!("not done after 1000 cycles");
    }

    /// A write to both; whether it was refused.
    pub fn write(&mut self, address: u16, data: u32, strobe: u8) -> bool {
        let was_running = self.model.running.is_some();
        let refused = self.model.write(address, data, strobe);
        self.started += usize::from(!was_running && self.model.running.is_some());
        let count = self.master.written.len();
        self.master.write(address, data, strobe);
        self.until(|pair| pair.master.written.len() > count);
        assert_eq!(self.master.written[count], refused, "write of {data:#x}/{strobe:x} to {address:#x}");
        self.check_outputs();
        refused
    }

    /// A read of both.
    pub fn read(&mut self, address: u16) -> u32 {
        let count = self.master.read.len();
        self.master.ar.queue.push_back(address);
        self.until(|pair| pair.master.read.len() > count);
        let expected = self.model.read(&self.config, address);
        assert_eq!(self.master.read[count], expected, "read of {address:#x}");
        expected.0
    }

    pub fn check_outputs(&mut self) {
        let outputs = [self.io.rate_overhead, self.io.stall_cycles, self.io.reserve];
        let outputs = outputs.map(|output| self.bench.sim.peek(output) as u32);
        assert_eq!(outputs, [self.model.rate_overhead, self.model.stall_cycles, self.model.reserve]);
    }

    /// Ends the command that runs, which must have asked for what the model says.
    pub fn finish(&mut self, outcome: Outcome) {
        self.until(|pair| pair.tables.taken.len() == pair.started);
        let operation = self.model.running.expect("a command runs");
        let (asked, table, index, data) = self.tables.taken.last().expect("it was taken");
        assert_eq!((*asked, *table as u32, *index), (operation, self.model.table, self.model.index.into()));
        assert_eq!(*data, self.model.row());
        let data = self.bench.word(192);
        self.model.finish(outcome, &data);
        self.tables.answer = Some((outcome, data));
        self.cycles(1);
    }

    /// Each register reads what the model holds.
    pub fn read_all(&mut self) {
        for address in ADDRESSES {
            self.read(address);
        }
    }
}
