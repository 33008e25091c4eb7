//! What is proven of the hardware: designs at small sizes, whose assertions a model checker shows to hold.
//!
//! A proof is about a design: a block of the catalogue, or a harness around one that says more about it than the block can
//! say of itself. What the block or the harness *asserts* is proven, what it *assumes* is taken as given of its
//! surroundings; what modules inside it assume is proven too. Around all of it stands the contract of streams, which is
//! derived from the ports: assumed of the streams that come in, proven of those that go out.

mod arbiters;
mod buffer;
mod contracts;
mod decisions;
mod isolation;
mod outputs;
mod queues;

use crate::{catalogue::Block, config::Config};
use hdl::*;
use std::fmt;

/// How far a proof reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// For ever: property-directed reachability finds an invariant.
    Reachability,
    /// For ever: what held for so many cycles holds in the next.
    Induction(u32),
    /// For so many cycles after reset.
    Bounded(u32),
    /// The same, bit by bit (ABC): much faster where memories are followed.
    Unrolled(u32),
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::Reachability | Method::Induction(_) => f.write_str("for ever"),
            Method::Bounded(depth) | Method::Unrolled(depth) => write!(f, "for {depth} cycles"),
        }
    }
}

/// A design with claims about it.
#[derive(Debug)]
pub struct Proof {
    pub name: String,
    /// What is shown, in one line.
    pub claim: String,
    /// The parameters.
    pub size: String,
    pub block: Block,
    pub method: Method,
    /// All `cover` statements are reached within so many cycles after reset: the assumptions leave something to prove.
    pub cover: u32,
    /// The design is a harness: what the blocks right inside it assume is taken as given too.
    pub harness: bool,
    /// Modules whose outputs may be anything at any time; the proof then holds whatever they do.
    pub free: Vec<&'static str>,
    /// Modules deeper inside that assume something of the inputs of the design: this is taken as given, too.
    pub trusted: Vec<&'static str>,
    /// Quick enough for `make test`.
    pub short: bool,
}

impl Proof {
    /// Of a harness.
    fn new<Io: Data>(
        name: &str,
        claim: &str,
        size: &str,
        method: Method,
        generator: impl Fn() -> Io + 'static,
    ) -> Proof {
        Proof::of(name, claim, size, method, Block::new(name, generator))
    }

    fn of(name: &str, claim: &str, size: &str, method: Method, block: Block) -> Proof {
        let (name, claim, size) = (name.to_owned(), claim.to_owned(), size.to_owned());
        Proof {
            name,
            claim,
            size,
            block,
            method,
            cover: 20,
            harness: true,
            free: vec![],
            trusted: vec![],
            short: true,
        }
    }

    /// Too slow for `make test`.
    fn long(self) -> Proof {
        Proof { short: false, ..self }
    }

    fn trusted(self, modules: &[&'static str]) -> Proof {
        Proof { trusted: modules.to_vec(), ..self }
    }

    fn free(self, modules: &[&'static str]) -> Proof {
        Proof { free: modules.to_vec(), ..self }
    }
}

/// The smallest bridge: one wire, the manager and the physical function.
fn least() -> Config {
    Config { name: "least", vfs: 0, entries: 16, cells: 16, ..Config::small() }
}

/// Every proof, the quick ones of a kind first.
pub fn proofs() -> Vec<Proof> {
    let groups = [
        contracts::proofs(),
        arbiters::proofs(),
        buffer::proofs(),
        decisions::proofs(),
        outputs::proofs(),
        isolation::proofs(),
        queues::proofs(),
    ];
    groups.into_iter().flatten().collect()
}

/// `input` is anything, but always the same: what is shown for it is shown for each of its values.
fn steady(input: Bits) {
    let before = delay_without_reset(input);
    assume(input.eq(before), "it stays");
}

/// `input` is any number below `count`, always the same.
fn chosen_one(input: Bits, count: usize) {
    steady(input);
    assume(input.zext(input.width() + 1).lt(count), "it is there");
}

/// Whoever `waits` sees at most `most` times that others go first.
#[hdl]
fn waits_for(waits: Bool, others: Bool, most: usize) {
    let passed = reg(bits(clog2(most + 2)));
    when(!waits, || passed.set(0)).elsewhen(others, || passed.set(passed + 1));
    assert(passed.le(most), "nobody waits longer than that");
}
