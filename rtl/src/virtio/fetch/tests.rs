mod driver;
mod host;
mod world;

use super::*;
use crate::testing::Rng;
use driver::{Crime, Settings};
use world::{World, cause};

fn settings(rng: &mut Rng) -> Settings {
    let packed = rng.bool();
    let size = match packed {
        true => [1, 2, 3, 5, 7, 16, 61, 128, 1000, 1024][rng.usize(..10)],
        false => 1 << rng.usize(0..=10),
    };
    let [event_index, indirect, notification_data] = [(); 3].map(|()| rng.bool());
    Settings { packed, event_index, indirect, notification_data, size }
}

/// Opens some queues of all functions but the manager.
fn open_some(world: &mut World, queues: usize) {
    let slots = crate::virtio::queues::queues(&world.config);
    let functions: Vec<usize> = (0..world.config.functions()).filter(|it| *it != 1).collect();
    for _ in 0..queues {
        let rng = &mut world.bench.rng;
        let (function, slot) = (functions[rng.usize(..functions.len())], rng.usize(..slots));
        let settings = settings(rng);
        world.open(function, slot, settings);
    }
}

fn tiny() -> Config {
    Config { prefetch: 8, vfs: 0, pairs: 1, ..Config::small() }
}

#[test]
fn elaborates() {
    let small = Config::small();
    let most = Config { prefetch: 64, pairs: 4, vfs: 62, ..small.clone() };
    let wide = Config { prefetch: 8, bytes: 32, ..small };
    for config in Config::all().into_iter().chain([tiny(), most, wide]) {
        for threads in [2, 5, 8, 16] {
            elaborate(|| fetch(&config, threads)).unwrap_or_else(|errors| panic!("{errors}"));
        }
    }
}

/// All descriptors come once, in order, though drivers notify only if they must.
#[test]
fn every_buffer_comes_once() {
    let wide = Config { bytes: 32, prefetch: 8, ..Config::small() };
    let x3100 = Config { prefetch: 64, vfs: 3, ..Config::x3100() };
    for (seed, config, threads, latency) in [
        (1, Config::small(), 8, (20, 30)),
        (2, tiny(), 2, (2, 0)),
        (3, wide, 3, (5, 100)),
        (4, x3100, 16, (60, 60)),
    ] {
        for round in 0..4 {
            let mut world = World::new(&config, threads, latency, 10 * seed + round);
            open_some(&mut world, 12);
            world.load(12_000, 40);
            world.until(60_000, World::is_done);
            let got: usize = world.lanes.iter().map(|lane| lane.got).sum();
            assert!(got > 500, "{got} descriptors");
            world.cycles(500);
            (0..world.lanes.len()).for_each(|lane| assert!(!world.is_busy(lane)));
        }
    }
}
