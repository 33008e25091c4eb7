//! What the functional tests of this crate share: a design on the native simulator with undefined state filled at
//! random, and agents that drive and watch streams with random stalls.

use bitvec::prelude::*;
pub use fastrand::Rng;
use hdl::*;
use std::collections::VecDeque;

/// All bits of a payload, as [`Data::pack`] orders them.
pub type Word = BitVec<u64, Lsb0>;

/// A design under test.
pub struct Bench {
    pub sim: Native,
    pub rng: Rng,
}

impl Bench {
    /// Builds the design, fills what is undefined, and resets it.
    pub fn new<Io: Data>(generator: impl FnOnce() -> Io, seed: u64) -> (Bench, Io) {
        let Elaborated { design, io } = elaborate(generator).unwrap_or_else(|errors| panic!("{errors}"));
        let mut sim = Native::new(&design).unwrap_or_else(|error| panic!("{error}"));
        sim.poison(seed);
        sim.reset();
        (Bench { sim, rng: Rng::with_seed(seed) }, io)
    }

    /// One cycle of the default clock.
    pub fn cycle(&mut self, agents: &mut [&mut dyn Agent]) {
        self.edge(agents, &[0]);
    }

    /// One edge of the clocks of these domains; `agents` belong to them.
    pub fn edge(&mut self, agents: &mut [&mut dyn Agent], domains: &[usize]) {
        agents.iter_mut().for_each(|agent| agent.drive(self));
        agents.iter_mut().for_each(|agent| agent.sample(self));
        self.sim.step_domains(domains).unwrap_or_else(|violation| panic!("{violation}"));
    }

    /// Runs until `done`, and tells how many cycles it took. Panics after `limit` cycles.
    pub fn until<A: Agent, B: Agent>(
        &mut self,
        (a, b): (&mut A, &mut B),
        limit: usize,
        done: impl Fn(&A, &B) -> bool,
    ) -> usize {
        for cycle in 0..limit {
            if done(a, b) {
                return cycle;
            }
            self.cycle(&mut [a, b]);
        }
        panic!("not done after {limit} cycles");
    }

    /// `width` random bits.
    pub fn word(&mut self, width: usize) -> Word {
        random_word(&mut self.rng, width)
    }
}

/// Something that takes part in every cycle.
pub trait Agent {
    /// Sets inputs.
    fn drive(&mut self, bench: &mut Bench);
    /// Looks at what the cycle came to.
    fn sample(&mut self, bench: &mut Bench);
}

/// Sends words on a stream.
pub struct Source<T> {
    stream: Stream<T>,
    pub queue: VecDeque<Word>,
    /// How likely a new word is offered in a cycle.
    pub pace: f64,
    offering: bool,
    /// Words that moved.
    pub sent: usize,
}

impl<T: Data> Source<T> {
    pub fn new(stream: &Stream<T>, pace: f64) -> Source<T> {
        Source { stream: stream.clone(), queue: VecDeque::new(), pace, offering: false, sent: 0 }
    }

    pub fn send(&mut self, words: impl IntoIterator<Item = Word>) {
        self.queue.extend(words);
    }

    /// Forgets the word on offer and all that wait, as a reset of the sender does.
    pub fn reset(&mut self) {
        self.queue.clear();
        self.offering = false;
    }
}

impl<T: Data> Agent for Source<T> {
    fn drive(&mut self, bench: &mut Bench) {
        self.offering |= !self.queue.is_empty() && bench.rng.f64() < self.pace;
        let word = match self.offering {
            true => self.queue[0].clone(),
            false => bench.word(self.stream.payload.size()),
        };
        bench.sim.poke(self.stream.valid, self.offering);
        bench.sim.poke_wide(&self.stream.payload, &word);
    }

    fn sample(&mut self, bench: &mut Bench) {
        if self.offering && bench.sim.peek(self.stream.ready) {
            self.queue.pop_front();
            self.offering = false;
            self.sent += 1;
        }
    }
}

/// Takes words from a stream.
pub struct Sink<T> {
    stream: Stream<T>,
    /// How likely it is ready.
    pub pace: f64,
    ready: bool,
    pub got: Vec<Word>,
}

impl<T: Data> Sink<T> {
    pub fn new(stream: &Stream<T>, pace: f64) -> Sink<T> {
        Sink { stream: stream.clone(), pace, ready: false, got: vec![] }
    }
}

impl<T: Data> Agent for Sink<T> {
    fn drive(&mut self, bench: &mut Bench) {
        self.ready = bench.rng.f64() < self.pace;
        bench.sim.poke(self.stream.ready, self.ready);
    }

    fn sample(&mut self, bench: &mut Bench) {
        if self.ready && bench.sim.peek(self.stream.valid) {
            self.got.push(bench.sim.peek_wide(&self.stream.payload));
        }
    }
}

/// How likely source and sink are to move in a cycle: all mixes that matter.
pub const PACES: [(f64, f64); 5] = [(1.0, 1.0), (0.5, 0.5), (1.0, 0.2), (0.2, 1.0), (0.8, 0.7)];

/// What the elaboration of a design that must be refused reports.
pub fn refusal<Io: Data>(generator: impl FnOnce() -> Io) -> String {
    match elaborate(generator) {
        Ok(_) => panic!("the design is accepted"),
        Err(errors) => errors.to_string(),
    }
}

/// `count` random words.
pub fn random_words(rng: &mut Rng, width: usize, count: usize) -> Vec<Word> {
    (0..count).map(|_| random_word(rng, width)).collect()
}

fn random_word(rng: &mut Rng, width: usize) -> Word {
    let mut word = Word::from_vec((0..width.div_ceil(64)).map(|_| rng.u64(..)).collect());
    word.truncate(width);
    word
}

/// `value` in `width` bits.
pub fn word(value: u64, width: usize) -> Word {
    let mut word = Word::from_element(value);
    word.resize(width, false);
    word
}

/// The bits of `word` from `low` up.
pub fn field(word: &Word, low: usize, width: usize) -> u64 {
    let bits = &word[low..low + width];
    if bits.is_empty() { 0 } else { bits.load_le() }
}

/// A frame of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub data: Vec<u8>,
    pub error: bool,
}

impl Frame {
    /// A random frame of a length in `lengths`, one in eight with an error.
    pub fn random(rng: &mut Rng, lengths: std::ops::RangeInclusive<usize>) -> Frame {
        let length = rng.usize(lengths);
        Frame { data: (0..length).map(|_| rng.u8(..)).collect(), error: rng.u8(..8) == 0 }
    }

    /// Its beats of type `Beat::ty(bytes)`; bytes beyond the end are random, and so is `error` before the last beat.
    /// A frame without bytes becomes one beat with `count` 0.
    pub fn beats(&self, bytes: usize, rng: &mut Rng) -> Vec<Word> {
        let beats = self.data.len().div_ceil(bytes).max(1);
        (0..beats)
            .map(|i| {
                let chunk = &self.data[i * bytes..self.data.len().min((i + 1) * bytes)];
                let last = i == beats - 1;
                let mut beat = word(if last { self.error } else { rng.bool() }.into(), 1);
                beat.push(last);
                beat.extend_from_bitslice(&word(chunk.len() as u64, clog2(bytes + 1)));
                let rest = (chunk.len()..bytes).map(|_| rng.u8(..));
                let data: Vec<u8> = chunk.iter().copied().chain(rest).collect();
                data.chunks(8).for_each(|bytes| {
                    let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
                    beat.extend_from_bitslice(&word(value, 8 * bytes.len()));
                });
                beat
            })
            .collect()
    }
}

/// Puts frames together again. Panics where a beat breaks the rules of [`crate::frame::Beat`].
pub fn frames(words: &[Word], bytes: usize) -> Vec<Frame> {
    let count_width = clog2(bytes + 1);
    assert!(words.iter().all(|word| word.len() == 8 * bytes + count_width + 2));
    let mut frames = vec![];
    let mut data = vec![];
    for word in words {
        let (error, last) = (word[0], word[1]);
        let count = field(word, 2, count_width) as usize;
        assert!(if last { count <= bytes } else { count == bytes }, "a beat of {count} bytes, last: {last}");
        data.extend((0..count).map(|i| field(word, 2 + count_width + 8 * i, 8) as u8));
        if last {
            frames.push(Frame { data: std::mem::take(&mut data), error });
        }
    }
    assert!(data.is_empty(), "the last frame has an end");
    frames
}
