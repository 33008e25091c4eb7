//! Clients, functions and a host around the engine, and all that they expect of it.

mod host;

use super::super::*;
use crate::{dma::Outcome, testing::*};
use std::collections::VecDeque;

/// How a test runs.
#[derive(Clone, Debug)]
pub struct Plan {
    pub config: Config,
    pub clients: usize,
    pub tags: usize,
    pub read_request: u32,
    pub extended_tags: bool,
    /// How likely something moves in a cycle: data that is taken, requests, completions, commands.
    pub pace: f64,
    /// Requests are answered in order, at once, and whole.
    pub ideal: bool,
    /// One request in so many goes wrong; 0 for none.
    pub faults: u32,
    /// Functions are stopped, and lose their right to send, once in so many cycles; 0 for never.
    pub stops: u32,
}

/// Cycles between ticks.
pub const TICK: usize = 200;

/// What the byte at an address is.
pub fn byte_at(address: u64) -> u8 {
    (address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
}

#[derive(Clone, Debug)]
pub struct Order {
    pub function: usize,
    pub address: u64,
    pub length: usize,
    pub relaxed: bool,
    /// Bytes that requests were seen for, and how each of them ended; none while it waits.
    asked: usize,
    results: Vec<(u64, Option<Outcome>)>,
    /// Its function was blocked at some time.
    blocked: bool,
    taken: bool,
    /// It has failed before the last request for it was made.
    ended: bool,
}

impl Order {
    pub fn new(function: usize, address: u64, length: usize) -> Order {
        let (asked, results, relaxed, blocked) = (0, vec![], false, false);
        Order { function, address, length, relaxed, asked, results, blocked, taken: false, ended: false }
    }

    /// The next request for it, of at most `most` bytes: address and length.
    fn next(&self, most: u64) -> (u64, usize) {
        let address = self.address.wrapping_add(self.asked as u64);
        let room = most - address % most;
        (address, (self.length - self.asked).min(room as usize))
    }
}

/// One client: orders that are not answered yet.
#[derive(Default)]
pub struct Client {
    pub orders: VecDeque<Order>,
    /// Orders that were taken.
    taken: usize,
    /// The last ones that ended; requests for them may still leave.
    past: VecDeque<Order>,
    offering: bool,
    got: Vec<u8>,
    pub ended: usize,
    /// Cycles of the first beat and of the last.
    pub beats: Option<(usize, usize)>,
    pub deaf: bool,
}

impl Client {
    fn leave(&mut self, at: usize) {
        self.past.extend(self.orders.remove(at));
        if self.past.len() > 4 {
            self.past.pop_front();
        }
        self.taken -= 1;
    }
}

#[derive(Clone, Debug)]
struct Request {
    number: u64,
    function: usize,
    requester: u128,
    tag: u128,
    address: u64,
    length: usize,
    /// Bytes that are answered.
    done: usize,
    /// When its answer may begin; never if it has none.
    due: Option<usize>,
    ticks: usize,
    fault: Option<Fault>,
    /// Its function was blocked, or its time is over.
    dead: bool,
    /// Its function was stopped.
    gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Status(u128),
    Poison,
    Silence,
    Late,
}

/// A completion as it goes out.
struct Packet {
    header: u128,
    data: Vec<u8>,
    malformed: bool,
    sent: usize,
    /// The request's number, what it comes to, and whether it is the last for it.
    result: Option<(u64, Option<Outcome>, bool)>,
}

pub struct World {
    pub bench: Bench,
    io: ReadEngineIo,
    plan: Plan,
    pub clients: Vec<Client>,
    pub cycle: usize,
    ticks: usize,
    requests: Vec<Request>,
    packet: Option<Packet>,
    /// For each tag its last request's number, and the ticks when it was first seen.
    tags: Vec<Option<(u64, usize)>>,
    numbers: u64,
    pub stopped: Vec<Option<usize>>,
    pub master_off: Vec<bool>,
    /// The host answers nothing.
    pub silent: bool,
    timeout_disable: bool,
    /// A function that is stopped was quiet.
    was_quiet: Vec<bool>,
    /// When each function last had a request that waits.
    had_request: Vec<usize>,
    /// Errors to come: kind, header, function, and whether it must come.
    expected: Vec<(ErrorKind, u128, Option<usize>, bool)>,
    request_seen: Option<(u128, usize)>,
    pub request_count: usize,
    pub outcomes: [usize; 6],
    pub errors: usize,
    pub unexpected: usize,
}

const BUS: u128 = 0x5A;
const FIRST_VF: u128 = 0x108;

fn routing_id(function: usize) -> u128 {
    let distance = if function < 2 { function as u128 } else { FIRST_VF + function as u128 - 2 };
    ((BUS << 8) + distance) & 0xFFFF
}

impl World {
    pub fn new(plan: Plan, seed: u64) -> World {
        let (mut bench, io) = Bench::new(|| read_engine(&plan.config, plan.clients, plan.tags), seed);
        let functions = plan.config.functions();
        bench.sim.poke(io.identity.bus, BUS);
        bench.sim.poke(io.identity.first_vf, FIRST_VF);
        bench.sim.poke(io.read_request, plan.read_request.into());
        bench.sim.poke(io.extended_tags, plan.extended_tags);
        bench.sim.poke(io.relaxed_ordering, true);
        bench.sim.poke(io.timeout_disable, 0);
        World {
            clients: (0..plan.clients).map(|_| Client::default()).collect(),
            tags: vec![None; 256],
            stopped: vec![None; functions],
            master_off: vec![false; functions],
            silent: false,
            timeout_disable: false,
            was_quiet: vec![false; functions],
            had_request: vec![0; functions],
            bench,
            io,
            plan,
            cycle: 0,
            ticks: 0,
            requests: vec![],
            packet: None,
            numbers: 0,
            expected: vec![],
            request_seen: None,
            request_count: 0,
            outcomes: [0; 6],
            errors: 0,
            unexpected: 0,
        }
    }

    fn moves(&mut self) -> bool {
        self.bench.rng.f64() < self.plan.pace
    }

    /// Most bytes of a request.
    fn most(&self) -> usize {
        (128 << self.plan.read_request).min(256)
    }

    pub fn random_order(&mut self, client: usize) -> Order {
        let functions = self.plan.config.functions();
        let rng = &mut self.bench.rng;
        let length = match rng.u32(..100) {
            0..=2 => 0,
            3..=59 => rng.usize(1..80),
            60..=87 => rng.usize(1..700),
            88..=97 => rng.usize(1..4097),
            _ => rng.usize(1..16384),
        };
        let address = match rng.u32(..4) {
            0 => rng.u64(..1 << 31),
            // Across 4 GiB, or where orders are cut short another multiple of it: so no two of them ask for the same.
            1 if self.plan.stops == 0 => ((client as u64 + 1) << 32) - rng.u64(..600),
            1 => (rng.u64(1..1 << 28) << 32) - rng.u64(..600),
            2 => rng.u64(..1 << 60) & !0xFF,
            _ => rng.u64(..1 << 60),
        };
        let relaxed = rng.bool();
        Order { relaxed, ..Order::new(rng.usize(..functions), address, length) }
    }

    pub fn is_idle(&self) -> bool {
        self.clients.iter().all(|client| client.orders.is_empty())
    }

    fn blocked(&self, function: usize) -> bool {
        self.stopped[function].is_some() || self.master_off[function]
    }

    pub fn step(&mut self) {
        self.drive_functions();
        self.drive_commands();
        self.drive_completion();
        let takes: Vec<bool> =
            (0..self.clients.len()).map(|c| !self.clients[c].deaf && self.moves()).collect();
        for (client, takes) in takes.iter().enumerate() {
            self.bench.sim.poke(self.io.data[client].ready, *takes);
        }
        let takes_request = self.moves();
        self.bench.sim.poke(self.io.request.ready, takes_request);
        self.bench.sim.poke(self.io.error.ready, true);

        assert!(self.bench.sim.peek(self.io.completion.ready));
        self.sample_commands();
        self.sample_request(takes_request);
        self.sample_error();
        for (client, takes) in takes.into_iter().enumerate() {
            if takes && self.bench.sim.peek(self.io.data[client].valid) {
                self.sample_data(client);
            }
        }
        self.check_functions();
        self.bench.cycle(&mut []);
        self.cycle += 1;
    }

    fn drive_functions(&mut self) {
        let tick = self.cycle % TICK == TICK - 1;
        self.bench.sim.poke(self.io.tick, tick);
        self.ticks += usize::from(tick);
        let (mut stopped, mut masters) = (0u128, 0u128);
        for function in 0..self.stopped.len() {
            if self.plan.stops > 0 {
                let rng = &mut self.bench.rng;
                match self.stopped[function] {
                    None if rng.u32(..self.plan.stops) == 0 => self.stopped[function] = Some(self.cycle),
                    Some(_) if self.was_quiet[function] && rng.u32(..200) == 0 => {
                        self.stopped[function] = None;
                    }
                    _ => {}
                }
                match self.master_off[function] {
                    false => self.master_off[function] = rng.u32(..self.plan.stops) == 0,
                    true => self.master_off[function] = rng.u32(..300) != 0,
                }
            }
            self.was_quiet[function] &= self.stopped[function].is_some();
            stopped |= u128::from(self.stopped[function].is_some()) << function;
            masters |= u128::from(!self.master_off[function]) << function;
            if self.blocked(function) {
                let of = |order: &&mut Order| order.function == function;
                self.clients
                    .iter_mut()
                    .flat_map(|c| c.orders.iter_mut().chain(&mut c.past))
                    .filter(of)
                    .for_each(|o| o.blocked = true);
                self.requests.iter_mut().filter(|r| r.function == function).for_each(|r| r.dead = true);
            }
            if self.stopped[function].is_some() {
                let requests = self.requests.iter_mut();
                requests.filter(|r| r.function == function).for_each(|r| r.gone = true);
            }
        }
        self.bench.sim.poke(self.io.stopped, stopped);
        self.bench.sim.poke(self.io.bus_master, masters);
    }

    fn drive_commands(&mut self) {
        for client in 0..self.clients.len() {
            let starts = self.moves();
            let state = &mut self.clients[client];
            let waits = state.orders.len() > state.taken;
            state.offering |= waits && starts;
            let command = &self.io.commands[client];
            let sim = &mut self.bench.sim;
            sim.poke(command.valid, state.offering);
            if state.offering {
                let order = &state.orders[state.taken];
                sim.poke(command.payload.function, order.function as u128);
                sim.poke(command.payload.address, order.address.into());
                sim.poke(command.payload.length, order.length as u128);
                sim.poke(command.payload.relaxed, order.relaxed);
            }
        }
    }

    fn sample_commands(&mut self) {
        for client in 0..self.clients.len() {
            let state = &mut self.clients[client];
            if state.offering && self.bench.sim.peek(self.io.commands[client].ready) {
                state.orders[state.taken].taken = true;
                state.taken += 1;
                state.offering = false;
                if state.orders[0].ended {
                    state.leave(0);
                }
            }
        }
    }

    fn orders(&mut self) -> impl Iterator<Item = &mut Order> {
        self.clients.iter_mut().flat_map(|client| client.orders.iter_mut())
    }

    fn set_result(&mut self, number: u64, outcome: Outcome) {
        let results = self.orders().flat_map(|order| order.results.iter_mut());
        results.filter(|(n, _)| *n == number).for_each(|(_, result)| *result = Some(outcome));
    }

    fn result(&mut self, number: u64) -> Option<Outcome> {
        let results = self.orders().flat_map(|order| order.results.iter());
        results.filter(|(n, _)| *n == number).find_map(|(_, result)| *result)
    }

    fn sample_data(&mut self, client: usize) {
        let beat = &self.io.data[client].payload;
        let sim = &mut self.bench.sim;
        let bytes = self.plan.config.bytes;
        let (count, last) = (sim.peek(beat.count) as usize, sim.peek(beat.last));
        let outcome = sim.peek(beat.outcome);
        let data = sim.peek_wide(&beat.data);
        let state = &mut self.clients[client];
        let first = state.beats.map_or(self.cycle, |(first, _)| first);
        state.beats = Some((first, self.cycle));
        assert!(count <= bytes && (last || count == bytes), "{count} bytes, last: {last}");
        state.got.extend((0..count).map(|i| field(&data, 8 * i, 8) as u8));
        let order = state.orders.iter().find(|order| !order.ended).expect("data that nobody asked for");
        for (i, byte) in state.got.iter().enumerate() {
            let place = order.address.wrapping_add(i as u64);
            assert_eq!(
                *byte,
                byte_at(place),
                "byte {i} of {order:x?}, client {client}, cycle {}",
                self.cycle
            );
        }
        assert!(state.got.len() <= order.length);
        if !last {
            return;
        }
        let order = order.clone();
        let at = state.orders.iter().position(|order| !order.ended).unwrap();
        if order.taken {
            state.leave(at);
        } else {
            assert_ne!(outcome, Outcome::Success);
            state.orders[at].ended = true;
        }
        let length = std::mem::take(&mut state.got).len();
        state.ended += 1;
        self.outcomes[Outcome::VARIANTS.iter().position(|v| v.1 == outcome).unwrap()] += 1;
        let failed = order.results.iter().map(|(_, result)| *result).find(|r| *r != Some(Outcome::Success));
        match (failed, outcome) {
            (_, Outcome::Stopped) => assert!(order.blocked, "stopped: {order:?}"),
            (None, Outcome::Success) => {
                assert_eq!(length, order.length);
                assert_eq!(order.asked, order.length);
            }
            (Some(None), Outcome::TimedOut) => {
                let number = order.results.iter().find(|(_, r)| *r != Some(Outcome::Success)).unwrap().0;
                if let Some(request) = self.requests.iter().find(|request| request.number == number) {
                    assert!(self.ticks - request.ticks >= 15, "too early: {request:?}");
                }
            }
            (Some(Some(expected)), outcome) => assert_eq!(expected, outcome, "{order:?}"),
            other => panic!("{other:?}: {order:?}"),
        }
    }

    fn sample_error(&mut self) {
        let sim = &mut self.bench.sim;
        let error = &self.io.error;
        if !sim.peek(error.valid) {
            return;
        }
        let (kind, header) = (sim.peek(error.payload.kind), sim.peek(error.payload.header));
        let function = sim.peek(error.payload.function.payload) as usize;
        let has_function = sim.peek(error.payload.function.valid);
        self.errors += 1;
        if kind == ErrorKind::CompletionTimeout {
            assert!(has_function && header == 0);
            let old = |r: &&Request| r.function == function && self.ticks - r.ticks >= 15;
            assert!(self.requests.iter().any(|r| old(&r)), "nothing of function {function} is old enough");
            return;
        }
        let fits = |expected: &(ErrorKind, u128, Option<usize>, bool)| {
            (expected.0, expected.1) == (kind, header)
                && expected.2.is_none_or(|expected| has_function && expected == function)
        };
        // Headers come again: one that must be reported goes first.
        let must = self.expected.iter().position(|expected| fits(expected) && expected.3);
        let found = must.or_else(|| self.expected.iter().position(fits));
        let found =
            found.unwrap_or_else(|| panic!("no {kind:?} was expected: {header:#x}, {:?}", self.expected));
        self.expected.remove(found);
    }

    fn check_functions(&mut self) {
        let pending = self.bench.sim.peek(self.io.pending);
        let quiet = self.bench.sim.peek(self.io.quiet);
        let rounds = 2 * self.plan.tags + 20;
        for function in 0..self.stopped.len() {
            let of = |r: &&Request| r.function == function && !r.dead;
            let waits = self.requests.iter().filter(of).any(|r| self.ticks < r.ticks + 15);
            // A function that was no bus master for a moment only may go on waiting.
            let may_wait = self.requests.iter().any(|r| r.function == function && self.ticks <= r.ticks + 17);
            if may_wait || self.request_seen.is_some() {
                self.had_request[function] = self.cycle;
            }
            let bit = |x: u128| x >> function & 1 == 1;
            let owed = |r: &&Request| r.function == function && !r.gone && self.ticks < r.ticks + 15;
            assert!(bit(pending) || !self.requests.iter().any(|r| owed(&r)), "function {function} waits");
            assert!(!waits || !bit(quiet), "function {function} is not quiet");
            if bit(pending) && self.stopped[function].is_none() && !self.timeout_disable {
                let since = self.cycle - self.had_request[function];
                assert!(since <= rounds + TICK, "function {function} has nothing that waits");
            }
            if let Some(since) = self.stopped[function] {
                let patience = rounds + 100 + (200.0 / self.plan.pace) as usize;
                let is_late = self.cycle - since >= patience;
                assert!(bit(quiet) || !is_late, "function {function} is not quiet in time");
                assert!(!bit(pending) || !is_late, "function {function} has nothing any more");
                if bit(quiet) {
                    let leaves = self
                        .request_seen
                        .is_some_and(|(header, _)| header >> 48 & 0xFFFF == routing_id(function));
                    assert!(!leaves, "quiet, and a request of function {function} leaves");
                    self.was_quiet[function] = true;
                }
            }
        }
    }

    /// Nothing is under way, and nothing that must come is missing.
    pub fn check_end(&mut self) {
        let missing: Vec<_> = self.expected.iter().filter(|expected| expected.3).collect();
        assert!(missing.is_empty(), "errors that were not reported: {missing:x?}");
        let all = (1 << self.stopped.len()) - 1;
        assert_eq!(self.bench.sim.peek(self.io.pending), 0);
        assert_eq!(self.bench.sim.peek(self.io.quiet), all);
        assert!(!self.bench.sim.peek(self.io.request.valid));
    }

    /// No function is blocked from now on.
    pub fn let_go(&mut self) {
        self.plan.stops = 0;
        self.plan.faults = 0;
        self.stopped.iter_mut().for_each(|stopped| *stopped = None);
        self.master_off.iter_mut().for_each(|off| *off = false);
    }

    pub fn disable_timeouts(&mut self) {
        self.timeout_disable = true;
        self.bench.sim.poke(self.io.timeout_disable, (1 << self.stopped.len()) - 1);
    }

    pub fn pending(&mut self, function: usize) -> bool {
        self.bench.sim.peek(self.io.pending) >> function & 1 == 1
    }

    /// What has been asked for is answered from now on.
    pub fn answer_all(&mut self) {
        self.silent = false;
        self.requests.iter_mut().for_each(|request| request.due = Some(self.cycle));
    }

    /// What has been asked for is never answered.
    pub fn forget(&mut self) {
        self.requests.clear();
    }
}
