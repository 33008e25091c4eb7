//! Random commands of all functions against the model.

mod draw;
mod world;

use super::{
    control,
    model::{End, Function, Told, hash},
};
use crate::{config::Config, testing::*};
use draw::{Draw, model};
use hdl::*;
use world::{Begun, World};

/// Rounds of commands: in some functions take each other's addresses, in others queues and functions are reset.
fn rounds(config: &Config, seed: u64, rounds: usize, commands: usize) -> [usize; 4] {
    let (mut bench, io) = Bench::new(|| control(config), seed);
    let model = model(&mut bench.rng, config);
    let functions = config.functions();
    let mut world = World::new(&mut bench, &io, config, model);
    let (mut next, mut id) = (0x1000, 0);
    bench.sim.poke(io.drain.valid, false);
    // All memories are cleared.
    (0..1200).for_each(|_| bench.cycle(&mut [&mut world]));
    world.driver_ok = vec![true; functions];
    for round in 0..rounds {
        let resets = round % 2 == 1;
        // Entries of a function whose driver is gone take room for a while.
        let room = if resets { usize::MAX } else { world.model.manager.len() + 2 * functions };
        world.model.room = room;
        for _ in 0..commands {
            let mut draw = Draw { rng: &mut bench.rng, wires: config.wires, next };
            let function = draw.rng.usize(..functions);
            let command = draw.command(function, !resets);
            let sent = draw.sent(&mut world.memory, command, id);
            next = draw.next + 1000;
            id += 1;
            world.send(function, sent);
        }
        for _ in 0..if resets { 3 } else { 0 } {
            (0..bench.rng.usize(..1500)).for_each(|_| bench.cycle(&mut [&mut world]));
            let function = bench.rng.usize(..functions);
            let whole = bench.rng.bool();
            let stops = whole && bench.rng.bool();
            if whole {
                world.driver_ok[function] = false;
            }
            if stops {
                world.stopped = Some(function);
                world.doubtful.insert(function);
                world.stopped_once.insert(function);
            }
            (0..bench.rng.usize(..20)).for_each(|_| bench.cycle(&mut [&mut world]));
            bench.sim.poke(io.drain.valid, true);
            bench.sim.poke(io.drain.payload.function, function as u128);
            bench.sim.poke(io.drain.payload.slot, 2 * config.pairs as u128);
            let mut cycles = 0;
            while !bench.sim.peek(io.drain.ready) {
                bench.cycle(&mut [&mut world]);
                cycles += 1;
                assert!(cycles < 100_000, "the drain ends");
            }
            bench.cycle(&mut [&mut world]);
            bench.sim.poke(io.drain.valid, false);
            // The store forgets a bit later; nothing begins.
            let waits = world.sent[function].len();
            (0..bench.rng.usize(..60)).for_each(|_| bench.cycle(&mut [&mut world]));
            assert_eq!(world.sent[function].len(), waits, "nothing begins behind a drain");
            world.sent[function].clear();
            let queue = world.queue(function);
            world.store.queues[queue].clear();
            if whole {
                world.model.functions[function] = Function::default();
                let mut draw = Draw { rng: &mut bench.rng, wires: config.wires, next };
                world.model.features[function] = draw.features();
                // The next driver may come before all of the last one is cleared.
                let until = if bench.rng.bool() { 20 } else { 3000 };
                (0..bench.rng.usize(1..until)).for_each(|_| bench.cycle(&mut [&mut world]));
                world.driver_ok[function] = true;
                (0..4).for_each(|_| bench.cycle(&mut [&mut world]));
                let wishes = &io.wishes[function];
                let wishes = [wishes.unicast, wishes.multicast, wishes.vlan];
                assert!(
                    !wishes.iter().any(|wish| bench.sim.peek(*wish)),
                    "the last driver's wishes are gone"
                );
                let mut draw = Draw { rng: &mut bench.rng, wires: config.wires, next };
                for _ in 0..4 {
                    let command = draw.command(function, false);
                    let sent = draw.sent(&mut world.memory, command, id);
                    id += 1;
                    world.send(function, sent);
                }
                next = draw.next + 1000;
            }
            world.stopped = None;
        }
        let mut idle = 0;
        while idle < 3000 {
            let is_silent =
                |begun: &Begun| begun.end == End::Silence || world.doubtful.contains(&begun.function);
            let waits = world.sent.iter().any(|sent| !sent.is_empty());
            idle = if waits || !world.begun.iter().all(is_silent) { 0 } else { idle + 1 };
            bench.cycle(&mut [&mut world]);
            assert!(world.cycle < 20_000_000, "stuck");
        }
        (0..functions).for_each(|function| world.compare(&mut bench.sim, function));
        assert_eq!(world.table, world.model.table(), "round {round}");
        let sure = |told: &&Told| {
            let (Told::Announced(function) | Told::Mac(function, _)) = told;
            !world.stopped_once.contains(function)
        };
        let [told, expected] = [&world.told, &world.model.told].map(|told| told.iter().filter(sure));
        assert!(told.eq(expected));
        world.ends[3] += world.begun.len();
        world.begun.clear();
        world.doubtful.clear();
    }
    world.ends
}

#[test]
fn commands_do_what_the_model_says() {
    for (seed, config) in Config::all().iter().enumerate() {
        let ends = rounds(config, seed as u64, 4, 40);
        assert!(ends[0] > 30 && ends[1] > 30 && ends[2] > 3 && ends[3] > 1, "{ends:?}");
    }
}

#[test]
fn as_many_functions_as_there_can_be() {
    let most = Config { vfs: 62, pairs: 1, ..Config::small() };
    rounds(&most, 7, 2, 40);
}

/// A hash of the model is that of the bridge.
#[test]
fn hashes_fold_all_bits() {
    assert_eq!(hash(0x3333_0000_0001), 0b101010011);
}
