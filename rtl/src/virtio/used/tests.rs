//! Drivers in plain Rust, with rings of their own, against what arrives in their memory.

mod ring;
mod world;

use super::*;
use crate::virtio::queues::queues;
use ring::Kind;
use world::{Paces, World};

const FAST: Paces = Paces { used: 1.0, taken: 1.0, travel: 50, answer: 250, done: 60, driver: 0.05 };

const SHORT: Paces = Paces { used: 1.0, taken: 1.0, travel: 5, answer: 20, done: 5, driver: 0.3 };

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
            let queues = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 2), (0, 1), (1, 1), (1, queues(&config) - 1)];
            queues.iter().for_each(|queue| world.open(*queue));
            // Room for the longest frame.
            for (queue, packed) in [((2, 0), false), ((3, 0), true)] {
                let event_index = number % 2 == 0;
                world.open_as(
                    queue,
                    Kind { packed, event_index, in_order: false, transmit: false, size: 128 },
                );
            }
            for _ in 0..12_000 {
                if world.used.queue.len() < 4 {
                    let queue = queues[world.bench.rng.usize(..queues.len())];
                    world.give_some(queue, MOST);
                }
                world.step();
            }
            world.finish(200_000);
            world.check_notices();
            let finished: usize = world.rings.values().map(|ring| ring.finished).sum();
            assert!(finished > 300, "{finished} buffers");
        }
    }
}

/// Queues, functions and the memory fail, are reset and drained, in the middle of traffic.
#[test]
fn resets_and_failures() {
    for (number, config) in Config::all().into_iter().enumerate() {
        let paces = all_paces()[number];
        let mut world = World::new(&config, paces, 7 + number as u64);
        let queues: Vec<_> = (0..8).map(|number| (number % 3, number / 3)).collect();
        for _ in 0..40_000 {
            let queue = queues[world.bench.rng.usize(..queues.len())];
            let is_closed = world.closed.contains(&queue);
            if !world.rings.contains_key(&queue) && !world.stopped[queue.0] {
                world.open(queue);
            } else if world.rings.contains_key(&queue) && !is_closed && world.used.queue.len() < 4 {
                world.give_some(queue, 20);
            }
            let rng = &mut world.bench.rng;
            match rng.u16(..4000) {
                0..8 if world.rings.contains_key(&queue) => world.close(queue),
                8 => world.stopped[queue.0] = true,
                9..12 => world.failing[queue.0] = true,
                12..16 => world.failing.fill(false),
                _ => {}
            }
            // A function that may not send is reset a while later.
            for function in 0..3 {
                if world.stopped[function] && world.bench.rng.u16(..500) == 0 {
                    let all: Vec<_> = world.rings.keys().copied().filter(|it| it.0 == function).collect();
                    match all.is_empty() {
                        true => world.stopped[function] = false,
                        false => all.into_iter().for_each(|it| world.close(it)),
                    }
                }
            }
            world.step();
        }
        assert!(world.drained > 25 && world.told > 2, "{} drained, {} faults", world.drained, world.told);
        // What may still fail goes, and the rest is served to its end.
        world.failing.fill(false);
        let all = world.rings.keys().copied().filter(|it| world.stopped[it.0]);
        all.collect::<Vec<_>>().into_iter().for_each(|it| world.close(it));
        world.finish(200_000);
    }
}

/// Batches of one queue at a time, each with the answer that decides it.
#[test]
fn notices_are_exact() {
    for (number, config) in Config::all().into_iter().enumerate() {
        let mut world = World::new(&config, SHORT, 20 + number as u64);
        for round in 0..60 {
            let queue = (round % 3, round / 3 % 2);
            let rng = &mut world.bench.rng;
            let packed = round % 2 == 0;
            let size = if packed { rng.usize(1..=40) } else { 1 << rng.usize(..6) };
            let kind =
                Kind { packed, event_index: rng.bool(), in_order: rng.bool(), transmit: queue.1 == 1, size };
            world.open_as(queue, kind);
            world.rings.get_mut(&queue).unwrap().exact = true;
            for _ in 0..8 {
                let (before, reads) = (world.notices.len(), world.reads);
                let some = world.bench.rng.usize(1..=2);
                (0..some).for_each(|_| world.give_some(queue, 3));
                let given = world.rings[&queue].outstanding_given();
                if given == 0 {
                    continue;
                }
                let start = world.cycle;
                while world.rings[&queue].outstanding_given() > 0 || world.reads == reads {
                    assert!(world.cycle < start + 2000, "{queue:?}: nothing comes");
                    world.step();
                }
                (0..80).for_each(|_| world.step());
                let ring = &world.rings[&queue];
                assert_eq!(world.reads, reads + 1, "asked once for each batch");
                assert_eq!(ring.notices, ring.wanted, "a notice if and only if it is wanted");
                if world.notices.len() > before {
                    assert_eq!(world.notices[before].2, given, "buffers");
                }
                world.finish(10_000);
            }
            world.close(queue);
            world.finish(10_000);
        }
        assert!(world.notices.len() > 100);
    }
}

/// 29.8 million buffers a second at 250 MHz, of one queue, and of as many as the wire's frames could be for.
#[test]
fn keeps_up_with_both_directions() {
    let config = Config::x3100();
    for packed in [false, true] {
        for count in [1, 2, 32] {
            let paces = Paces { driver: 0.5, ..FAST };
            let mut world = World::new(&config, paces, 5);
            let kind = Kind { packed, event_index: true, in_order: false, transmit: false, size: 256 };
            let queues: Vec<_> = (0..count).map(|number| (number / 2, number % 2)).collect();
            queues.iter().for_each(|queue| world.open_as(*queue, kind));
            // From 8.4 cycles each.
            let (cycles, mut given) = (12_000, 0);
            for cycle in 0..cycles {
                while given * 84 < cycle * 10 {
                    let queue = queues[given % count];
                    if world.rings[&queue].free() == 0 {
                        break;
                    }
                    world.give(queue, &[(60, 1)]);
                    given += 1;
                }
                world.step();
            }
            assert!(given * 84 + 84 > cycles * 10, "{given} of {count} queues, packed: {packed}");
            let per_batch = if packed { 1 } else { 2 };
            let batches = world.commands as f64 / per_batch as f64;
            let buffers = given as f64 / batches;
            assert!(buffers > 11.0, "{buffers:.1} buffers in a batch, {count} queues, packed: {packed}");
            println!("{count} queues, packed {packed}: {buffers:.1} buffers in a batch");
        }
    }
}

/// What it takes at most, with rings that are never full.
#[test]
fn cycles_for_a_buffer() {
    for (packed, count) in [(false, 1), (true, 1), (false, 8), (true, 8)] {
        let mut world = World::new(&Config::x3100(), Paces { answer: 250, driver: 0.0, ..SHORT }, 6);
        let kind = Kind { packed, event_index: true, in_order: false, transmit: false, size: 4096 };
        let queues: Vec<_> = (0..count).map(|number| (number / 2, number % 2)).collect();
        queues.iter().for_each(|queue| world.open_as(*queue, kind));
        (0..3000).for_each(|number| world.give(queues[number % count], &[(60, 1)]));
        let start = world.cycle;
        while !world.used.queue.is_empty() {
            world.step();
        }
        let each = (world.cycle - start) as f64 / 3000.0;
        println!("{count} queues, packed {packed}: {each:.2} cycles for each buffer");
        assert!(each < 7.0, "{each:.2} cycles for each buffer");
    }
}

#[test]
fn elaborates() {
    for (bytes, prefetch) in [(8, 8), (8, 64), (16, 16), (32, 32), (32, 64)] {
        for (vfs, pairs) in [(0, 1), (3, 2), (62, 4)] {
            let config = Config { bytes, prefetch, vfs, pairs, ..Config::small() };
            if let Err(errors) = elaborate(|| used(&config)) {
                panic!("{config:?}: {errors}");
            }
        }
    }
}
