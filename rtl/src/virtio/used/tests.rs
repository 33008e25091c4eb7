//! Drivers in plain Rust, with rings of their own, against what arrives in their memory.

mod ring;
mod world;

use super::*;
use ring::Kind;
use world::{Paces, World};

const FAST: Paces = Paces { used: 1.0, taken: 1.0, travel: 50, answer: 250, done: 60, driver: 0.05 };

/// The longest frame, in buffers of 128 bytes.
const MOST: usize = 76;

fn all_paces() -> [Paces; 3] {
    [
        FAST,
        Paces { used: 0.3, taken: 0.3, travel: 300, answer: 600, done: 300, driver: 0.01 },
        Paces { used: 0.8, taken: 0.7, travel: 3, answer: 10, done: 0, driver: 0.3 },
    ]
}

/// Rings of all kinds and sizes, frames in one buffer and in many: each buffer comes back once, in order, and no driver
/// sleeps for ever.
#[test]
fn every_buffer_comes_back() {
    for config in Config::all() {
        for (number, paces) in all_paces().into_iter().enumerate() {
            let mut world = World::new(&config, paces, number as u64);
            let queues: Vec<_> = (0..6).map(|number| (number % config.functions(), number % 5)).collect();
            queues.iter().for_each(|queue| world.open(*queue));
            for _ in 0..30_000 {
                if world.used.queue.len() < 4 {
                    let queue = queues[world.bench.rng.usize(..queues.len())];
                    world.give_some(queue, MOST);
                }
                world.step();
            }
            world.finish(200_000);
            world.check_notices();
            let finished: usize = world.rings.values().map(|ring| ring.finished).sum();
            assert!(finished > 1000, "{finished} buffers");
        }
    }
}
