//! Random cases for the bridge, and runs of them against the reference model.

use hdl::Simulator;
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config as RunnerConfig, RngAlgorithm, TestRng, TestRunner},
};
use rtl::config::Config;
use sim::{
    random::Random,
    scenario::{Recipe, write},
    traffic::Listed,
    veb::{
        Policy,
        arbitrary::{self, Arrival, Shape},
        bench::{Behaviour, Bench, BenchError, Frame},
        policy::Change,
    },
};

/// What the manager sets, what comes in, and how the ports behave meanwhile.
#[derive(Clone, Debug)]
pub struct Case {
    pub policy: Policy,
    pub behaviour: Vec<Behaviour>,
    pub arrivals: Vec<Arrival>,
    /// Rows that change while frames come in, with the cycles.
    pub changes: Vec<(u64, Change)>,
}

impl Case {
    /// The text of a scenario that plays it.
    pub fn scenario(&self, config: &Config, comment: &str) -> String {
        let listed = |arrival: &Arrival| {
            let Arrival { source, bytes, error, forced } = arrival.clone();
            (source, Listed { cycle: 0, bytes, error, forced })
        };
        write(&Recipe {
            comment,
            config,
            policy: &self.policy,
            behaviour: &self.behaviour,
            settled: self.longest_input(config),
            changes: &self.changes,
            frames: &self.arrivals.iter().map(listed).collect::<Vec<_>>(),
        })
    }

    /// Cycles in which all frames are likely to be in: as if ports took turns, with their pauses.
    fn longest_input(&self, config: &Config) -> u64 {
        let cycles = |arrival: &Arrival| {
            let pause = self.behaviour[arrival.source].pause;
            100 * arrival.bytes.len().div_ceil(config.bytes) / (100 - pause)
        };
        1000 + self.arrivals.iter().map(cycles).sum::<usize>() as u64
    }
}

/// The ports of a configuration.
pub fn shape(config: &Config) -> Shape {
    Shape { wires: config.wires, functions: config.functions() }
}

/// A case of up to `frames` frames, of up to `longest` bytes each.
pub fn case(config: &Config, frames: usize, longest: usize) -> impl Strategy<Value = Case> + use<> {
    let shape = shape(config);
    let behaviour = (select(vec![0, 0, 20, 90]), select(vec![0, 0, 0, 30, 95, 100]))
        .prop_map(|(pause, stall)| Behaviour { pause, stall });
    (
        arbitrary::policy(shape),
        proptest::collection::vec(behaviour, shape.ports()),
        proptest::collection::vec(arbitrary::arrival(shape, longest), 1..=frames),
        any::<u64>(),
    )
        .prop_map(|(policy, behaviour, mut arrivals, seed)| {
            stamp(&mut arrivals, seed);
            Case { policy, behaviour, arrivals, changes: vec![] }
        })
}

/// A case whose rows change under traffic: no frame is lost for want of room, and all differ.
pub fn changing_case(config: &Config, frames: usize, longest: usize) -> impl Strategy<Value = Case> + use<> {
    let shape = shape(config);
    let changes = proptest::collection::vec((1..1000u64, arbitrary::change(shape)), 1..=frames / 10);
    (case(config, frames, longest), changes).prop_map(|(mut case, changes)| {
        // Slow enough where all want a copy of everything.
        case.behaviour.fill(Behaviour { pause: 98, stall: 0 });
        // Shorter ones may be equal.
        case.arrivals.retain(|arrival| arrival.bytes.len() >= 40);
        let mut cycle = 0;
        for (after, change) in changes {
            cycle += after;
            case.changes.push((cycle, change));
        }
        case
    })
}

/// Bytes that no rule looks at begin here: behind two tags and the type.
const PAYLOAD: usize = 22;

/// Makes all payloads random, so that frames differ and a byte in the wrong place shows.
fn stamp(arrivals: &mut [Arrival], seed: u64) {
    let mut random = Random::new(seed);
    for arrival in arrivals {
        arrival.bytes.iter_mut().skip(PAYLOAD).for_each(|byte| *byte = random.word() as u8);
    }
}

/// Values of a strategy; the same seed gives the same.
pub fn draw<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, seed: u64) -> T {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(RunnerConfig::default(), rng);
    strategy.new_tree(&mut runner).expect("the strategies reject nothing").current()
}

/// Plays a case; at its end all ports take what waits for them, and the bridge is empty again.
///
/// # Errors
/// See [`Bench`]; a cell of the packet buffer that is lost.
///
/// # Panics
/// If the case has changes.
pub fn play<S: Simulator>(bench: &mut Bench<S>, case: &Case) -> Result<(), BenchError> {
    assert!(case.changes.is_empty(), "a case with changes is played as a scenario");
    bench.set_policy_that_fits(&case.policy)?;
    for (port, behaviour) in case.behaviour.iter().enumerate() {
        bench.set_behaviour(port, *behaviour);
    }
    for Arrival { source, bytes, error, forced } in &case.arrivals {
        let frame = Frame { bytes: bytes.clone(), error: *error, forced: *forced, ..Frame::default() };
        bench.send_frame(*source, frame);
    }
    bench.run()?;
    for (port, behaviour) in case.behaviour.iter().enumerate() {
        bench.set_behaviour(port, Behaviour { stall: 0, ..*behaviour });
    }
    bench.run()?;
    bench.check_cells()
}
