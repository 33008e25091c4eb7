//! The engine between clients and a host that are written in plain Rust.

mod world;

use super::*;
use crate::testing::refusal;
use world::{Order, Plan, TICK, World};

#[test]
fn every_parameter_elaborates() {
    for config in Config::all() {
        for clients in 1..=6 {
            for tags in [32, 64, 128, 256] {
                elaborate(|| read_engine(&config, clients, tags)).unwrap_or_else(|errors| panic!("{errors}"));
            }
        }
    }
}

#[test]
fn refuses_other_parameters() {
    let config = Config::small();
    assert!(refusal(|| read_engine(&config, 0, 64)).contains("0 clients are not 1 to 6"));
    assert!(refusal(|| read_engine(&config, 7, 64)).contains("7 clients are not 1 to 6"));
    assert!(refusal(|| read_engine(&config, 1, 16)).contains("16 tags are not"));
    assert!(refusal(|| read_engine(&config, 1, 96)).contains("96 tags are not"));
}

fn plan(config: Config, clients: usize, tags: usize) -> Plan {
    Plan {
        config,
        clients,
        tags,
        read_request: 2,
        extended_tags: true,
        pace: 0.8,
        ideal: false,
        faults: 0,
        stops: 0,
    }
}

/// Random orders of all clients for `cycles`, and then until all have ended and no tag is in quarantine.
fn run(plan: Plan, seed: u64, cycles: usize) -> World {
    let mut world = World::new(plan.clone(), seed);
    while world.cycle < cycles {
        for client in 0..plan.clients {
            while world.clients[client].orders.len() < 8 {
                let order = world.random_order(client);
                world.clients[client].orders.push_back(order);
            }
        }
        world.step();
    }
    world.let_go();
    finish(&mut world);
    world
}

fn finish(world: &mut World) {
    let start = world.cycle;
    while !world.is_idle() {
        world.step();
        assert!(world.cycle - start < 200_000, "some order does not end");
    }
    (0..34 * TICK).for_each(|_| world.step());
    world.check_end();
}

#[test]
fn every_byte_comes() {
    let small = Config::small;
    for (seed, (config, clients, tags, read_request, extended_tags)) in [
        (small(), 3, 64, 2, true),
        (small(), 1, 32, 0, true),
        (Config::x3100(), 3, 64, 5, false),
        (Config::wide(), 6, 128, 1, true),
        (Config::wide(), 2, 256, 0, true),
    ]
    .into_iter()
    .enumerate()
    {
        let plan = Plan { read_request, extended_tags, ..plan(config, clients, tags) };
        let world = run(plan, seed as u64, 10_000);
        assert_eq!(world.outcomes[1..], [0; 5]);
        assert!(world.outcomes[0] > 60 && world.errors == 0, "{:?}", world.outcomes);
    }
}

#[test]
fn faults_and_stops_disturb_nobody_else() {
    let (mut outcomes, mut unexpected) = ([0; 6], 0);
    for (seed, (config, clients, tags, pace)) in [
        (Config::small(), 3, 64, 0.9),
        (Config::small(), 4, 32, 1.0),
        (Config::x3100(), 3, 64, 0.7),
        (Config::wide(), 6, 128, 1.0),
    ]
    .into_iter()
    .enumerate()
    {
        let plan = Plan { pace, faults: 12, stops: 9000, ..plan(config, clients, tags) };
        let world = run(plan, 10 + seed as u64, 40_000);
        outcomes.iter_mut().zip(world.outcomes).for_each(|(sum, count)| *sum += count);
        unexpected += world.unexpected;
    }
    println!("{outcomes:?}, {unexpected} unexpected");
    assert!(outcomes.iter().all(|count| *count > 8), "{outcomes:?}");
    assert!(unexpected > 100);
}

/// Others go on while one client takes nothing, and while one waits for an answer that never comes.
#[test]
fn a_deaf_client_stops_nobody() {
    let plan = Plan { pace: 1.0, ..plan(Config::small(), 3, 32) };
    let mut world = World::new(plan, 5);
    world.clients[0].deaf = true;
    for client in 0..3 {
        for i in 0..100 {
            world.clients[client].orders.push_back(Order::new(
                client,
                ((client as u64) << 40) + 0x1000 * i + 13,
                700,
            ));
        }
    }
    while world.clients[1].ended < 100 || world.clients[2].ended < 100 {
        world.step();
        assert!(world.cycle < 200_000, "the others stand still");
    }
    assert_eq!(world.clients[0].ended, 0);
    world.clients[0].deaf = false;
    finish(&mut world);
}

/// A world in which function 3 has asked for something on `count` tags, and the host is silent.
fn asked(count: u64) -> World {
    let mut world = World::new(Plan { pace: 1.0, ..plan(Config::small(), 1, 32) }, 6);
    world.silent = true;
    (0..count).for_each(|i| world.clients[0].orders.push_back(Order::new(3, 0x1000 * i, 256)));
    while world.request_count < count as usize {
        world.step();
        assert!(world.cycle < 2000, "it asks for all");
    }
    (0..70).for_each(|_| world.step());
    world
}

fn steps(world: &mut World, count: usize) {
    (0..count).for_each(|_| world.step());
}

/// 7.5.3.5: what a function asked for is pending until its completion comes, also if it may send no more; a reset ends it, and
/// so does a timeout.
#[test]
fn requests_are_pending_until_they_end() {
    let ended = 200;
    let mut world = asked(3);
    assert!(world.pending(3));
    world.master_off[3] = true;
    steps(&mut world, ended);
    assert_eq!(world.clients[0].ended, 3);
    assert!(world.pending(3), "they are still under way");
    world.answer_all();
    steps(&mut world, ended + 400);
    assert!(!world.pending(3), "all completions have come");

    let mut world = asked(3);
    world.master_off[3] = true;
    steps(&mut world, ended);
    world.stopped[3] = Some(world.cycle);
    steps(&mut world, ended);
    assert!(!world.pending(3), "they are from before the reset");
    world.stopped[3] = None;
    world.master_off[3] = false;
    steps(&mut world, ended);
    assert!(!world.pending(3));

    let mut world = asked(3);
    world.master_off[3] = true;
    steps(&mut world, 14 * TICK);
    assert!(world.pending(3));
    steps(&mut world, 3 * TICK);
    assert!(!world.pending(3), "their time is over");
}

/// Without timeouts requests wait for ever, but their tags come back after a reset.
#[test]
fn tags_come_back_without_timeouts() {
    for patience in [0, 40, 55, 63, 130] {
        let mut world = asked(32);
        world.disable_timeouts();
        steps(&mut world, patience * TICK);
        assert_eq!((world.clients[0].ended, world.errors), (0, 0), "they wait");
        world.stopped[3] = Some(world.cycle);
        steps(&mut world, 300);
        assert_eq!(world.clients[0].ended, 32);
        world.stopped[3] = None;
        world.forget();
        world.silent = false;
        world.clients[0].orders.push_back(Order::new(2, 0x1234, 256));
        steps(&mut world, 14 * TICK);
        assert_eq!(world.clients[0].ended, 32, "all tags are in quarantine");
        steps(&mut world, 36 * TICK);
        assert_eq!(world.clients[0].ended, 33, "they are free again");
    }
}

/// Cycles from the first beat to the last, of `count` orders of one client.
fn cycles(config: Config, read_request: u32, count: u64, stride: u64, length: usize) -> usize {
    let plan = Plan { pace: 1.0, ideal: true, read_request, ..plan(config, 1, 64) };
    let mut world = World::new(plan, 1);
    for i in 0..count {
        world.clients[0].orders.push_back(Order::new(0, 0x10_0000 + stride * i, length));
    }
    while !world.is_idle() {
        world.step();
        assert!(world.cycle < 100_000);
    }
    let (first, last) = world.clients[0].beats.unwrap();
    last - first + 1
}

#[test]
fn a_beat_in_every_cycle() {
    for config in Config::all() {
        for read_request in [0, 1, 2] {
            let cycles = cycles(config.clone(), read_request, 16, 4096, 4096);
            let beats = 16 * 4096 / config.bytes;
            println!("{} bytes, {}: {cycles} cycles, {beats} beats", config.bytes, 128 << read_request);
            // Pieces of four beats come no faster than they are delivered: the end of a command costs a cycle.
            let ends = if config.bytes == 32 && read_request == 0 { 16 } else { 0 };
            assert!((beats..=beats + ends).contains(&cycles));
        }
        // Commands of 64 bytes, aligned and not.
        for (stride, what) in [(64, "aligned"), (4097, "unaligned")] {
            let cycles = cycles(config.clone(), 2, 200, stride, 64);
            println!("{} bytes, 64 {what}: {:.2} cycles each", config.bytes, cycles as f64 / 200.0);
            let beats = 64 / config.bytes + usize::from(what == "unaligned");
            assert!(cycles <= 200 * beats.max(6) + 10, "{cycles} cycles");
        }
    }
}
