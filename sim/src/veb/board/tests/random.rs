//! Random runs: with the model for hardware, right and wrong.

use std::collections::VecDeque;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::veb::{
    arbitrary::{self, Arrival, Shape},
    policy::Policy,
};

const SHAPE: Shape = Shape { wires: 1, functions: 5 };

fn port_names() -> Vec<String> {
    (0..SHAPE.ports()).map(|port| format!("port{port}")).collect()
}

fn runs(losses: impl Strategy<Value = u8>) -> impl Strategy<Value = (Policy, Vec<(Arrival, u8)>)> {
    (arbitrary::policy(SHAPE), vec((arbitrary::arrival(SHAPE, 100), losses), 1..40))
}

/// Source, destination, and the frames between them.
type Queue = ((usize, usize), VecDeque<Vec<u8>>);

/// A bridge after the model: queues per source and destination, from which frames leave in any order.
struct Bridge {
    statistics: Statistics,
    queues: Vec<Queue>,
}

impl Bridge {
    fn new() -> Self {
        let pairs = (0..SHAPE.ports()).flat_map(|source| (0..SHAPE.ports()).map(move |port| (source, port)));
        let queues = pairs.map(|pair| (pair, VecDeque::new())).collect();
        Self { statistics: Statistics::new(SHAPE.ports()), queues }
    }

    /// Takes a frame in. `loss` 0 fills the buffer; others, as a port plus one, the queue of the port.
    fn enter(&mut self, arrival: &Arrival, decision: &Decision, loss: u8) {
        let is_frame = decision.reason().is_none_or(|reason| reason > Reason::BufferFull);
        if loss == 0 && is_frame {
            let lost = Decision::Drop(Reason::BufferFull);
            return self.statistics.entered(arrival.source, &arrival.bytes, &lost);
        }
        self.statistics.entered(arrival.source, &arrival.bytes, decision);
        for port in decision.ports().iter() {
            let Some(copies) = decision.at(port) else { continue };
            if usize::from(loss) == port + 1 {
                self.statistics.queue_full(port);
            } else {
                let queue = &mut self.queues[arrival.source * SHAPE.ports() + port].1;
                queue.push_back(copies.bytes.to_vec());
            }
        }
    }

    /// All that leaves, in an order that `order` chooses.
    fn leave(&mut self, order: &[Index]) -> Vec<(usize, Vec<u8>)> {
        let mut left = vec![];
        for index in order.iter().cycle() {
            let mut waiting: Vec<_> = self.queues.iter_mut().filter(|(_, queue)| !queue.is_empty()).collect();
            if waiting.is_empty() {
                break;
            }
            let chosen = index.index(waiting.len());
            let ((_, port), queue) = &mut waiting[chosen];
            if let Some(bytes) = queue.pop_front() {
                self.statistics.left(*port, &bytes);
                left.push((*port, bytes));
            }
        }
        left
    }
}

fn play(policy: &Policy, arrivals: &[(Arrival, u8)], losses: Losses) -> (Board, Bridge) {
    let (mut board, mut bridge) = (Board::new(&port_names(), losses), Bridge::new());
    for (arrival, loss) in arrivals {
        let decision = arrival.decide(policy);
        board.entered(arrival.source, &arrival.bytes, &decision);
        bridge.enter(arrival, &decision, *loss);
    }
    (board, bridge)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// A bridge that keeps the rules passes, also if queues and the buffer lose frames.
    #[test]
    fn a_correct_bridge_passes((policy, arrivals) in runs(0..12u8), order in vec(any::<Index>(), 50)) {
        let (mut board, mut bridge) = play(&policy, &arrivals, Losses::Counted);
        bridge.leave(&order).iter().for_each(|(port, bytes)| board.left(*port, bytes, false));
        let report = board.finish(&bridge.statistics);
        prop_assert_eq!(messages(&report), [""; 0]);
    }

    /// With nothing lost, any fault of what leaves is found, if it is one.
    #[test]
    fn any_fault_is_found(
        (policy, arrivals) in runs(Just(99)), order in vec(any::<Index>(), 50),
        fault in 0..6usize, place in any::<Index>(), byte in any::<Index>(), bit in 0..8u8,
    ) {
        let (mut board, mut bridge) = play(&policy, &arrivals, Losses::Forbidden);
        let mut left = bridge.leave(&order);
        prop_assume!(!left.is_empty());
        let at = place.index(left.len());
        let other = (left[at].0 + 1) % SHAPE.ports();
        match fault {
            0 => drop(left.remove(at)),
            1 => left.insert(at, left[at].clone()),
            2 => left[at].0 = other,
            3 => {
                let index = byte.index(left[at].1.len());
                left[at].1[index] ^= 1 << bit;
            }
            4 => {
                let length = byte.index(left[at].1.len());
                left[at].1.truncate(length);
            }
            _ => drop(left[at].1.splice(12..12, [0x81, 0, 0, 1])),
        }
        left.iter().for_each(|(port, bytes)| board.left(*port, bytes, false));
        prop_assert!(board.finish(&bridge.statistics).mismatch_count() > 0);
    }
}
