//! How long a frame takes when there are few.

use super::{
    super::{Scene, Trouble},
    Load,
    run::Run,
};
use crate::random::Random;
use hdl::Simulator;

/// Cycles that frames took, from the shortest to the longest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// From the first beat on the wire to the used buffer that the driver sees.
    pub wire_to_memory: Vec<u64>,
    /// From the driver's doorbell to the first beat on the wire.
    pub memory_to_wire: Vec<u64>,
    /// From the doorbell of one driver to the used buffer that the other sees.
    pub between: Vec<u64>,
}

/// Cycles between two frames of a kind: 3, up to 9 times as many; much longer than a frame takes.
const PAUSE: u64 = 600;

/// Sends `frames` frames of so many bytes, with their check sequence, of each kind, now and then: the wire to the first of
/// these functions, the second to the wire, the third to the fourth. The scene is prepared for them.
///
/// # Errors
/// What the adapter does wrong.
///
/// # Panics
/// If a frame does not come, or not in order.
pub fn latencies<S: Simulator>(
    scene: &mut Scene<S>,
    functions: [usize; 4],
    bytes: usize,
    frames: usize,
) -> Result<Latencies, Trouble> {
    let load = Load {
        bytes,
        to_wire: vec![],
        from_wire: vec![],
        between: vec![],
        batch: None,
        cycles: 0,
        // Drivers look all the time.
        period: 1,
    };
    let mut run = Run::new(scene, &load);
    let mut random = Random::new(7);
    let [to, from, source, destination] = functions;
    let kinds = [(None, Some(to)), (Some(from), None), (Some(source), Some(destination))];
    for _ in 0..frames {
        for (from, to) in kinds {
            run.pass(PAUSE + random.below(2 * PAUSE as usize) as u64)?;
            match from {
                None => run.bring_one(to.expect("a function")),
                Some(from) => assert!(run.send_one(from, to), "the ring of a function is full"),
            }
            let now = run.now();
            run.flow(from, to).start(now);
        }
    }
    run.finish()?;
    let [wire_to_memory, memory_to_wire, between] = kinds.map(|(from, to)| {
        let mut took = std::mem::take(&mut run.flow(from, to).took);
        assert_eq!(took.len(), frames, "every frame comes");
        took.sort_unstable();
        took
    });
    Ok(Latencies { wire_to_memory, memory_to_wire, between })
}
