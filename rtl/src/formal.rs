//! What is proven of the hardware: designs at small sizes, whose assertions a model checker shows to hold.
//!
//! A proof is about a design: a block of the catalogue, or a harness around one that says more about it than the block can
//! say of itself. What the block or the harness *asserts* is proven, what it *assumes* is taken as given of its
//! surroundings; what modules inside it assume is proven too. Around all of it stands the contract of streams, which is
//! derived from the ports: assumed of the streams that come in, proven of those that go out.

mod arbiters;
mod buffer;
mod decisions;
mod outputs;

use crate::{catalogue::Block, config::Config};
use hdl::*;

/// How far a proof reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// For ever: property-directed reachability finds an invariant.
    Reachability,
    /// For ever: what held for so many cycles holds in the next.
    Induction(u32),
    /// For so many cycles after reset.
    Bounded(u32),
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
    /// Quick enough for `make test`.
    pub short: bool,
}

impl Proof {
    fn new<Io: Data>(
        name: &str,
        claim: &str,
        size: &str,
        method: Method,
        generator: impl Fn() -> Io + 'static,
    ) -> Proof {
        let block = Block::new(name, generator);
        let (name, claim, size) = (name.to_string(), claim.to_string(), size.to_string());
        Proof { name, claim, size, block, method, cover: 20, harness: true, free: vec![], short: true }
    }
}

/// The smallest bridge: one wire, the manager and the physical function.
fn least() -> Config {
    Config { name: "least", vfs: 0, entries: 16, cells: 16, ..Config::small() }
}

/// Every proof.
pub fn proofs() -> Vec<Proof> {
    use Method::*;
    let config = least();
    let four = Config { cells: 4, ..least() };
    let mut proofs = vec![
        Proof::new("arbiter/round_robin", "", "4 requesters", Reachability, || arbiters::round_robin(4)),
        Proof::new("arbiter/frames", "", "3 streams", Reachability, || arbiters::frame_arbiter(3)),
        Proof::new("arbiter/beats", "", "3 streams", Reachability, || arbiters::stream_arbiter(3)),
    ];
    let c = four.clone();
    proofs.push(Proof::new("buffer/cells", "", "4 cells", Reachability, move || buffer::free_list(&c)));
    let c = Config { cells: 2, ..least() };
    proofs.push(Proof::new("buffer/two_cells", "", "2 cells", Reachability, move || buffer::free_list(&c)));
    let c = four.clone();
    proofs.push(Proof::new("buffer/references", "", "4 cells", Reachability, move || buffer::holders(&c)));
    let c = four.clone();
    proofs.push(Proof::new("decision/forwarding", "", "", Induction(4), move || decisions::forwarding(&c)));
    let c = four.clone();
    proofs.push(Proof::new("decision/queues", "", "", Reachability, move || decisions::queues(&c)));
    let c = four.clone();
    proofs.push(Proof::new("decision/rights", "", "", Reachability, move || decisions::rights(&c)));
    let c = four.clone();
    proofs.push(Proof::new("decision/addresses", "", "", Bounded(30), move || decisions::addresses(&c)));
    let c = four.clone();
    proofs.push(Proof {
        cover: 26,
        free: vec!["veb_mac_table_*", "row_memory_*", "veb_policy_*"],
        ..Proof::new("decision/classifier", "", "", Bounded(26), move || {
            crate::veb::classifier::classifier(&c)
        })
    });
    let c = four.clone();
    proofs.push(Proof::new("output/turns", "", "", Reachability, move || outputs::turns(&c)));
    let c = four.clone();
    proofs.push(Proof {
        free: vec!["veb_frame_memory_*"],
        ..Proof::new("output/beats", "", "", Bounded(24), move || outputs::beats(&c))
    });
    for block in crate::veb::catalogue(&config) {
        proofs.push(Proof {
            name: block.name.clone(),
            claim: "streams".into(),
            size: "".into(),
            block,
            method: Method::Reachability,
            cover: 25,
            harness: false,
            free: vec![],
            short: true,
        });
    }
    proofs
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
