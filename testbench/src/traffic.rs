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
    veb::{
        Policy,
        arbitrary::{self, Arrival, Shape},
        bench::{Behaviour, Bench, BenchError},
    },
};

/// What the manager sets, what comes in, and how the ports behave meanwhile.
#[derive(Clone, Debug)]
pub struct Case {
    pub policy: Policy,
    pub behaviour: Vec<Behaviour>,
    pub arrivals: Vec<Arrival>,
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
            Case { policy, behaviour, arrivals }
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
/// See [`Bench`].
///
/// # Panics
/// If a cell of the packet buffer is lost.
pub fn play<S: Simulator>(bench: &mut Bench<S>, case: &Case) -> Result<(), BenchError> {
    bench.set_policy_that_fits(&case.policy)?;
    for (port, behaviour) in case.behaviour.iter().enumerate() {
        bench.set_behaviour(port, *behaviour);
    }
    for Arrival { source, bytes, error, forced } in &case.arrivals {
        match forced {
            Some(ports) => bench.send_forced(bytes.clone(), *error, *ports),
            None => bench.send(*source, bytes.clone(), *error),
        }
    }
    bench.run()?;
    for (port, behaviour) in case.behaviour.iter().enumerate() {
        bench.set_behaviour(port, Behaviour { stall: 0, ..*behaviour });
    }
    bench.run()?;
    assert_eq!(bench.free_cells()?, bench.cells()?, "cells are lost");
    Ok(())
}
