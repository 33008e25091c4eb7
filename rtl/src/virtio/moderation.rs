//! Interrupts for used buffers, not too many.
//!
//! # Purpose
//! The manager sets for each function how many buffers may be used, and how much time may pass, before an interrupt tells of them.
//! What a driver does not want to know of has been left out before.
//!
//! # Schematic
//! ```text
//!  notice ─┐                 ┌─► waiting: a word for each queue
//!  scan  ──┼─► one at a time ┤                                  ─► vector
//!  drain ──┘                 └─► rows: a word for each function
//! ```
//!
//! # When
//! An interrupt is asked for when as many buffers were used since the last one as the row says, or when the row's time has
//! passed since the first of them. 0 buffers is no limit of their number; a time of 0 is over at once, whatever the number is, so
//! that no buffer waits for others that do not come. As a row is all 0 after reset, each notice is an interrupt then.
//!
//! # Timing
//! `vector` is offered in the fifth cycle after a notice that makes it due was taken. The scan looks at a queue in every five cycles
//! if no notice comes, in every ten at least: `10 * functions * queues` cycles later than the time says, an interrupt is on its way, and
//! up to a microsecond early or late.

use super::{
    queues::{Queue, queue_bits, queue_count, queues},
    used::Notice,
};
use crate::{
    config::Config,
    pcie::{VECTORS, configuration::function_bits, msix::Vector},
};
use hdl::*;

/// When a function's drivers are told.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct ModerationRow {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    pub limits: Limits,
}

#[derive(Bundle, Clone, Copy, Debug)]
pub struct Limits {
    /// Buffers of a receive queue, 0 for any number.
    pub receive_frames: U<8>,
    /// In microseconds.
    pub receive_time: U<16>,
    /// The same for queues that transmit, and for the control queue.
    pub transmit_frames: U<8>,
    pub transmit_time: U<16>,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct ModerationIo {
    #[input]
    #[ty(Stream::ty(Notice::ty(config)))]
    pub notice: Stream<Notice>,
    /// What the manager sets; all 0 after reset.
    #[input]
    #[ty(Valid::ty(ModerationRow::ty(config)))]
    pub row: Valid<ModerationRow>,
    #[output]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub vector: Stream<Vector>,
    /// A queue of this function without a vector has used buffers: a cause of interrupts (virtio 4.1.4.5).
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub queue_interrupt: Valid<Bits>,
    /// After the queue has been drained from [`used`](super::used::used()).
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
}

const VECTOR_BITS: usize = clog2(VECTORS);

/// Bits of the time: the longest that may pass, and as much again.
const TIME_BITS: usize = 17;

/// What is kept of a queue.
#[derive(Bundle, Clone, Copy)]
struct Waiting {
    /// Buffers that the driver is to be told of; 255 for more. 0 for none.
    buffers: U<8>,
    /// When the first of them was used.
    since: U<TIME_BITS>,
    #[ty(bits(VECTOR_BITS))]
    vector: Bits,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// Words are cleared, one by one.
    Clear,
    Idle,
    /// The words are read,
    Fetch,
    Latch,
    /// buffers and time are compared with the limits,
    Compare,
    /// and it is seen what follows.
    Act,
}

/// Waits until an interrupt is due.
#[hdl]
pub fn moderation(config: &Config) -> ModerationIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_moderation_{}_{}", queue_bits(config), config.clock_khz);
    module(name, ModerationIo::ty(config), |io| {
        io.notice.assume_stable();
        io.drain.assume_stable();
        let waiting = mem(Waiting::ty(), queue_count(config), Collision::Undefined);
        let rows = mem(Limits::ty(), 1 << function_bits(config), Collision::ReadNew);
        /// Functions whose row has been set.
        let is_set = reg(bits(config.functions()));
        when(io.row.valid, || {
            rows.write(io.row.payload.function, io.row.payload.limits);
            is_set.at(io.row.payload.function).set(true);
        });

        // Microseconds.
        /// Thousandths of cycles since the last one.
        let phase = reg(bits(clog2(config.clock_khz + 1000)));
        let is_over = phase.ge(config.clock_khz - 1000);
        let now = reg(bits(TIME_BITS));
        phase.set(is_over.mux(phase - (config.clock_khz - 1000), phase + 1000));
        when(is_over, || now.set(now + 1));

        // One at a time; a queue is scanned after each notice.
        let state = reg_enum(State::Clear);
        let is = |it| state.is(it);
        let cleared = reg(bits(queue_bits(config)));
        cleared.set(cleared + 1);
        /// The queue that is looked at next.
        let scanned = reg(Queue::ty(config));
        /// The last thing that was done was a notice.
        let was_notice = reg(flag());
        let target = reg_without_reset(Queue::ty(config));
        let notice = reg_without_reset(Notice::ty(config));
        let is_notice = reg_without_reset(flag());
        let is_drain = reg_without_reset(flag());
        let offers = reg(flag());
        let takes = is(State::Idle) & !offers & !io.drain.valid & io.notice.valid & !was_notice;
        io.notice.ready.set(takes);
        when(is(State::Idle), || {
            notice.set(io.notice.payload);
            is_notice.set(takes);
            is_drain.set(io.drain.valid);
            target.set(takes.mux(io.notice.payload.queue, scanned));
            when(io.drain.valid, || target.set(io.drain.payload));
        });
        when(is(State::Act), || {
            was_notice.set(is_notice);
            when(!is_notice & !is_drain, || scanned.set(after(config, scanned)));
        });

        // What waits.
        let word = waiting.read(target.number());
        let row = rows.read(target.function);
        let kept = reg_without_reset(Waiting::ty());
        let frames = reg_without_reset(bits(8));
        let time = reg_without_reset(bits(16));
        let has_row = reg_without_reset(flag());
        when(is(State::Latch), || {
            let receives = target.is_receive();
            kept.set(word);
            frames.set(receives.mux(row.receive_frames, row.transmit_frames));
            time.set(receives.mux(row.receive_time, row.transmit_time));
            has_row.set(is_set.at(target.function));
        });
        let none = lit(0, 8);
        let vector = Bits::from(notice.vector);
        let has_vector = vector.lt(VECTORS);
        let adds = is_notice & has_vector;
        let before = Bits::from(kept.buffers);
        let sum = before.wide_add(adds.mux(notice.buffers.into(), none));
        let sum = sum.bit(8).mux(!none, sum.trunc(8));
        let since = before.any().mux(Bits::from(kept.since), now);
        let age = now - since;
        let buffers = delay_without_reset(sum);
        let since = delay_without_reset(since);
        let is_many = delay_without_reset(frames.any() & sum.ge(frames));
        let is_old = delay_without_reset(age.ge(time.zext(TIME_BITS)));
        let is_due = buffers.any() & (is_many | is_old | !has_row) & !is_drain;
        let vector = adds.mux(vector.trunc(VECTOR_BITS), kept.vector);
        let clears = is(State::Clear);
        let forgets = is_due | is_drain;
        when(clears | is(State::Act), || {
            let left = Waiting { buffers: buffers.as_u(), since: since.as_u(), vector };
            waiting.write(clears.mux(cleared, target.number()), (clears | forgets).mux(left.zero(), left));
        });
        when(io.vector.ready, || offers.set(false));
        let interrupt = reg_without_reset(Vector::ty(config));
        when(is(State::Act) & is_due, || {
            offers.set(true);
            interrupt.set(Vector { function: target.function, vector });
        });
        io.vector.valid.set(offers);
        io.vector.payload.set(interrupt);
        io.queue_interrupt.valid.set(delay(is(State::Act) & is_notice & !has_vector));
        io.queue_interrupt.payload.set(delay_without_reset(target.function));
        io.drain.ready.set(is(State::Act) & is_drain);

        state.cases(|s| match s {
            State::Clear => {
                when(cleared.all(), || state.set(State::Idle));
            }
            State::Idle => {
                when(!offers, || state.set(State::Fetch));
            }
            State::Fetch => state.set(State::Latch),
            State::Latch => state.set(State::Compare),
            State::Compare => state.set(State::Act),
            State::Act => state.set(State::Idle),
        });
        verification(|| {
            assume(!io.notice.valid | Bits::from(io.notice.payload.buffers).any(), "a notice of something")
        });
        io.vector.assert_stable();
    })
}

/// The next queue that there is.
fn after(config: &Config, queue: Queue) -> Queue {
    let ends = queue.slot.eq(queues(config) - 1);
    let is_last = queue.function.eq(config.functions() - 1);
    let next = is_last.mux(queue.function.zero(), queue.function + 1);
    Queue { slot: ends.mux(queue.slot.zero(), queue.slot + 1), function: ends.mux(next, queue.function) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{testing::*, virtio::queues::slot_bits};
    use std::collections::{BTreeMap, VecDeque};

    /// What the model keeps of a queue.
    #[derive(Clone, Copy, Default)]
    struct Model {
        buffers: usize,
        /// The cycle in which the first of them came in, and that in which they were too many.
        since: usize,
        many: Option<usize>,
        vector: u64,
    }

    struct Rig {
        bench: Bench,
        io: ModerationIo,
        config: Config,
        notices: Source<Notice>,
        vectors: Sink<Vector>,
        /// In the order of `notices`.
        sent: VecDeque<((usize, usize), usize, u64)>,
        queues: BTreeMap<(usize, usize), Model>,
        /// Receive and transmit: buffers and time.
        rows: Vec<[(usize, usize); 2]>,
        cycle: usize,
        interrupts: usize,
        without_vector: usize,
    }

    impl Rig {
        fn new(config: &Config, seed: u64) -> Rig {
            let (bench, io) = Bench::new(|| moderation(config), seed);
            Rig {
                notices: Source::new(&io.notice, 1.0),
                vectors: Sink::new(&io.vector, 1.0),
                sent: VecDeque::new(),
                queues: BTreeMap::new(),
                rows: vec![[(0, 0); 2]; config.functions()],
                cycle: 0,
                interrupts: 0,
                without_vector: 0,
                bench,
                io,
                config: config.clone(),
            }
        }

        fn send(&mut self, queue: (usize, usize), buffers: usize, vector: u64) {
            let mut notice = word(buffers as u64, 8);
            notice.extend(word(vector, 16));
            notice.extend(word(queue.0 as u64, function_bits(&self.config)));
            notice.extend(word(queue.1 as u64, slot_bits(&self.config)));
            self.notices.send([notice]);
            self.sent.push_back((queue, buffers, vector));
        }

        /// While nothing waits.
        fn set_row(&mut self, function: usize, row: [(usize, usize); 2]) {
            let limits = self.io.row.payload.limits;
            self.bench.sim.poke(self.io.row.valid, true);
            self.bench.sim.poke(self.io.row.payload.function, function as u128);
            self.bench.sim.poke(limits.receive_frames, row[0].0 as u128);
            self.bench.sim.poke(limits.receive_time, row[0].1 as u128);
            self.bench.sim.poke(limits.transmit_frames, row[1].0 as u128);
            self.bench.sim.poke(limits.transmit_time, row[1].1 as u128);
            self.step();
            self.bench.sim.poke(self.io.row.valid, false);
            self.rows[function] = row;
        }

        fn limits(&self, (function, slot): (usize, usize)) -> (usize, usize) {
            let receives = slot < 2 * self.config.pairs && slot.is_multiple_of(2);
            self.rows[function][usize::from(!receives)]
        }

        /// Cycles in which a scan comes by.
        fn round(&self) -> usize {
            10 * self.config.functions() * queues(&self.config) + 40
        }

        fn step(&mut self) {
            self.cycle += 1;
            let (sent, got) = (self.notices.sent, self.vectors.got.len());
            self.notices.drive(&mut self.bench);
            self.vectors.drive(&mut self.bench);
            self.notices.sample(&mut self.bench);
            self.vectors.sample(&mut self.bench);
            if self.bench.sim.peek(self.io.queue_interrupt.valid) {
                self.without_vector += 1;
            }
            for number in got..self.vectors.got.len() {
                let interrupt = self.vectors.got[number].clone();
                self.interrupt(&interrupt);
            }
            if self.notices.sent > sent {
                let (queue, buffers, vector) = self.sent.pop_front().unwrap();
                if vector < VECTORS as u64 {
                    let model = self.queues.entry(queue).or_default();
                    if model.buffers == 0 {
                        model.since = self.cycle;
                    }
                    model.buffers = (model.buffers + buffers).min(255);
                    let receives = queue.1 < 2 * self.config.pairs && queue.1.is_multiple_of(2);
                    let (frames, _) = self.rows[queue.0][usize::from(!receives)];
                    if frames > 0 && model.buffers >= frames {
                        model.many.get_or_insert(self.cycle);
                    }
                    model.vector = vector;
                }
            }
            // Nothing waits for longer than it may.
            let micro = self.config.clock_khz as f64 / 1000.0;
            let round = self.round();
            for (queue, model) in &self.queues {
                let (_, time) = self.limits(*queue);
                let age = self.cycle - model.since;
                let late = (time as f64 + 1.0) * micro + round as f64;
                assert!(model.buffers == 0 || (age as f64) < late, "{queue:?} waits for {age} cycles");
                let told = model.many.is_none_or(|many| self.cycle < many + 60);
                assert!(told, "{queue:?} has {}", model.buffers);
            }
            self.bench.cycle(&mut []);
        }

        /// The one of a queue whose vector it is: tests give each queue its own.
        fn interrupt(&mut self, interrupt: &Word) {
            self.interrupts += 1;
            let vector = field(interrupt, 0, VECTOR_BITS);
            let function = field(interrupt, VECTOR_BITS, function_bits(&self.config)) as usize;
            let micro = self.config.clock_khz as f64 / 1000.0;
            let (queue, model) = self
                .queues
                .iter_mut()
                .find(|(queue, model)| queue.0 == function && model.vector == vector && model.buffers > 0)
                .expect("an interrupt for something");
            let receives = queue.1 < 2 * self.config.pairs && queue.1.is_multiple_of(2);
            let (_, time) = self.rows[function][usize::from(!receives)];
            let is_many = model.many.is_some();
            let earliest = (time as f64 - 1.0) * micro - 8.0;
            let is_old = (self.cycle - model.since) as f64 >= earliest;
            assert!(is_many || is_old, "{queue:?}: too early, with {} buffers", model.buffers);
            (model.buffers, model.many) = (0, None);
        }
    }

    fn configs() -> Vec<Config> {
        let small = Config::small();
        vec![Config { clock_khz: 1000, ..small.clone() }, small, Config::x3100()]
    }

    #[test]
    fn interrupts_are_few_and_in_time() {
        for (seed, config) in configs().into_iter().enumerate() {
            let mut rig = Rig::new(&config, seed as u64);
            (0..queue_count(&config) + 10).for_each(|_| rig.step());
            let queues = queues(&config);
            for _ in 0..30 {
                for function in 0..config.functions().min(4) {
                    let rng = &mut rig.bench.rng;
                    let limits = |rng: &mut Rng| match rng.u8(..4) {
                        0 => (rng.usize(..3), 0),
                        1 => (0, rng.usize(..30)),
                        _ => (rng.usize(..256), rng.usize(..30)),
                    };
                    let row = [limits(rng), limits(rng)];
                    rig.set_row(function, row);
                }
                rig.vectors.pace = [1.0, 0.3][rig.bench.rng.usize(..2)];
                for _ in 0..60 {
                    let rng = &mut rig.bench.rng;
                    let queue = (rng.usize(..config.functions().min(4)), rng.usize(..queues));
                    let vector =
                        if rng.u8(..10) == 0 { [0xFFFF, 0x8007, 16][rng.usize(..3)] } else { queue.1 as u64 };
                    let most = [16, 255][rng.usize(..8) / 7];
                    let buffers = rng.usize(1..=most);
                    rig.send(queue, buffers, vector);
                    let pause = rig.bench.rng.usize(..200);
                    (0..pause).for_each(|_| rig.step());
                }
                let late = 40 * config.clock_khz / 1000 + 2 * rig.round() + 2000;
                (0..late).for_each(|_| rig.step());
                assert!(
                    rig.sent.is_empty() && rig.queues.values().all(|model| model.buffers == 0),
                    "all told"
                );
            }
            assert!(rig.interrupts > 300 && rig.without_vector > 50);
        }
    }

    /// After reset each notice is an interrupt, a few cycles later.
    #[test]
    fn at_once_without_a_row() {
        let config = Config::x3100();
        let mut rig = Rig::new(&config, 1);
        (0..queue_count(&config) + 10).for_each(|_| rig.step());
        for number in 0..50 {
            rig.send((number % 18, number % 9), 1, number as u64 % 9);
            let before = rig.interrupts;
            let mut cycles = 0;
            while rig.interrupts == before {
                rig.step();
                cycles += 1;
            }
            assert!(cycles <= 16, "{cycles} cycles");
        }
    }

    /// What a drained queue waited for is forgotten.
    #[test]
    fn drained_queues_are_forgotten() {
        let config = Config { clock_khz: 1000, ..Config::small() };
        let mut rig = Rig::new(&config, 3);
        (0..queue_count(&config) + 10).for_each(|_| rig.step());
        rig.set_row(1, [(0, 2000), (0, 2000)]);
        rig.send((1, 0), 5, 0);
        rig.send((1, 1), 5, 1);
        (0..100).for_each(|_| rig.step());
        rig.bench.sim.poke(rig.io.drain.valid, true);
        rig.bench.sim.poke(rig.io.drain.payload.function, 1);
        rig.bench.sim.poke(rig.io.drain.payload.slot, 1);
        while !rig.bench.sim.peek(rig.io.drain.ready) {
            rig.step();
        }
        rig.step();
        rig.bench.sim.poke(rig.io.drain.valid, false);
        rig.queues.remove(&(1, 1));
        (0..3000).for_each(|_| rig.step());
        assert_eq!(rig.interrupts, 1);
    }

    #[test]
    fn elaborates() {
        for vfs in [0, 3, 16, 62] {
            for (pairs, clock_khz) in [(1, 1000), (2, 156_250), (4, 1_000_000)] {
                let config = Config { vfs, pairs, clock_khz, ..Config::small() };
                assert!(elaborate(|| moderation(&config)).is_ok());
            }
        }
    }
}
