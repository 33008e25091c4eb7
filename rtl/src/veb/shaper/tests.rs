//! The shaper between functions that always have something to send and ports that cannot take all of it.

mod world;

use super::*;
use crate::testing::*;
use std::ops::RangeInclusive;
use world::*;

#[test]
fn water_filling_by_hand() {
    assert_eq!(water_filling(10.0, &[(1.0, FREE), (3.0, FREE)]), [2.5, 7.5]);
    assert_eq!(water_filling(10.0, &[(1.0, 1.0), (1.0, FREE), (2.0, FREE)]), [1.0, 3.0, 6.0]);
    assert_eq!(water_filling(10.0, &[(1.0, 2.0), (1.0, 3.0), (8.0, 1.0)]), [2.0, 3.0, 1.0]);
}

/// The virtual functions of `x3100`.
const VFS: RangeInclusive<usize> = 4..=19;

fn sixteen() -> World {
    World::new(Config::x3100(), &VFS.map(to_wire).collect::<Vec<_>>())
}

#[test]
fn shares_follow_the_quanta() {
    for quantum in [|i: usize| 100 + 20 * i, |i: usize| 1 + i / 4, |_: usize| 0] {
        let mut world = sixteen();
        VFS.for_each(|port| world.set(port, 0, 0, 0, quantum(port - 4)));
        world.run(200);
        let rates = world.rates(0, 2000);
        let demands: Vec<_> = VFS.map(|port| (quantum(port - 4).max(1) as f64, FREE)).collect();
        assert_close(&rates[4..], &water_filling(10.0, &demands), 0.02);
    }
}

/// The fewest functions, and the most.
#[test]
fn shares_in_other_sizes() {
    let small = Config { vfs: 0, ..Config::small() };
    let large = Config { vfs: 60, ..Config::x3100() };
    for (config, tolerance) in [(small, 0.01), (large, 0.04)] {
        let functions = config.wires..config.ports();
        let mut world = World::new(config, &functions.clone().map(to_wire).collect::<Vec<_>>());
        let quantum = |port: usize| 2 + port % 3;
        functions.clone().for_each(|port| world.set(port, 0, 0, 0, quantum(port)));
        world.run(300);
        let rates = world.rates(0, 2000);
        let demands: Vec<_> = functions.clone().map(|port| (quantum(port) as f64, FREE)).collect();
        assert_close(&rates[functions], &water_filling(10.0, &demands), tolerance);
    }
}

/// A charge closes its port at once, and as many frames as may come at once are all charged.
#[test]
fn charges_wait() {
    let mut world = World::new(Config::x3100(), &[]);
    world.set(7, 1000, 0, 0, 0);
    let (io, sim) = (world.io, &mut world.bench.sim);
    sim.poke(io.pending, 1 << 7);
    while sim.peek(io.open) >> 7 & 1 == 0 {
        sim.step();
    }
    sim.poke(io.frame.valid, true);
    sim.poke(io.frame.payload.port, 7);
    sim.poke(io.frame.payload.length, 1000);
    sim.poke(io.frame.payload.destinations, 1);
    for cycle in 1..=CHARGES {
        sim.step();
        assert!(cycle < 7 || sim.peek(io.open) >> 7 & 1 == 0, "open {cycle} cycles after the frame");
    }
    sim.poke(io.frame.valid, false);
    (0..100).for_each(|_| sim.step());
    let closed = (0..200_000).take_while(|_| {
        sim.step();
        sim.peek(io.open) >> 7 & 1 == 0
    });
    // At 1 Gb/s and 250 MHz four bits are a cycle.
    let cycles = 100 + closed.count();
    let expected = CHARGES * (1000 + OVERHEAD) * 8 / 4;
    assert!(cycles.abs_diff(expected) < 300, "{cycles} instead of {expected}");
}

/// Unequal maxima, below and above what is left for each.
#[test]
fn shares_and_maxima() {
    for scale in [20, 80] {
        let mut world = sixteen();
        let (maximum, quantum) = (|port| scale * (port + 1), |port| 300 + port % 3 * 150);
        VFS.for_each(|port| world.set(port, maximum(port), 0, 8000, quantum(port)));
        world.run(200);
        let rates = world.rates(0, 2000);
        let demands: Vec<_> = VFS.map(|port| (quantum(port) as f64, maximum(port) as f64 / 1000.0)).collect();
        assert_close(&rates[4..], &water_filling(10.0, &demands), 0.02);
    }
}

/// What one function cannot use goes to the others by their quanta: whether its maximum is low, its source is slow, or it
/// has stopped within a frame.
#[test]
fn nothing_is_left_unused() {
    let quantum = |port: usize| 200 + port % 4 * 100;
    for case in ["maximum", "slow", "slower", "paused"] {
        let mut senders: Vec<_> = VFS.map(to_wire).collect();
        match case {
            "slow" => senders[0].duty = 0.015,
            "slower" => senders[0].duty = 0.005,
            "paused" => (senders[0].lengths, senders[0].pauses_after) = (1518..=1518, 95 * 3 + 40),
            _ => (),
        }
        let mut world = World::new(Config::x3100(), &senders);
        VFS.for_each(|port| {
            world.set(port, if port == 4 && case == "maximum" { 50 } else { 0 }, 0, 0, quantum(port))
        });
        world.run(300);
        let rates = world.rates(0, 2000);
        assert_eq!(case == "paused", rates[4] == 0.0);
        assert!(world.sending[0].is_some() || case != "paused", "within a frame");
        let others: Vec<_> = VFS.skip(1).map(|port| (quantum(port) as f64, FREE)).collect();
        let expected = water_filling(10.0 - rates[4], &others);
        let tolerance = if case == "paused" { 0.01 } else { 0.02 };
        assert_close(&rates[5..], &expected, tolerance);
    }
}

/// The cycles at which a function with this maximum starts its frames.
fn starts(
    config: Config,
    maximum: usize,
    burst: usize,
    length: usize,
    microseconds: usize,
) -> Vec<(usize, usize)> {
    let port = config.wires + 1;
    let sender = Sender { lengths: length..=length, ..to_wire(port) };
    let mut world = World::new(config, &[sender]);
    world.drain(0, 100.0);
    world.set(port, maximum, 0, burst, 0);
    world.run(microseconds);
    world.log[port].clone()
}

/// The longest and the shortest interval: 88 bytes at 1 Mb/s are 704 us, and at 40 Gb/s the rate of the data path is near.
#[test]
fn lowest_and_highest_rate() {
    let log = starts(Config::small(), 1, 0, 64, 10_000);
    let gaps = log.windows(2).enumerate().filter(|(_, pair)| pair[1].0 - pair[0].0 > 1000);
    let first_after: Vec<usize> = gaps.map(|(i, _)| i + 1).collect();
    assert!(log.len() >= 14 && first_after.len() >= 3);
    for i in &first_after {
        let cycles = log[*i].0 - log[first_after[0]].0;
        assert!(cycles.abs_diff(110_000 * (i - first_after[0])) <= 32, "{cycles} cycles: drift");
    }

    let log = starts(Config::wide(), 40_000, 8000, 1518, 1200);
    let settled = log.iter().position(|(cycle, _)| *cycle > 50_000).unwrap();
    let log = &log[settled..];
    let bytes: usize = log[..log.len() - 1].iter().map(|(_, bytes)| bytes).sum();
    let cycles = log[log.len() - 1].0 - log[0].0;
    let gigabits = bytes as f64 * 8.0 * 0.25 / cycles as f64;
    assert!((gigabits / 40.0 - 1.0).abs() < 0.002, "{gigabits} Gb/s");
}

/// Whatever a function does, it sends no more than its maximum and its burst, and two frames.
#[test]
fn bursts_are_bounded() {
    for (maximum, burst) in [(100, 0), (1000, 20_000), (3000, 100_000)] {
        let config = Config::small();
        let sender = Sender { lengths: 64..=1518, ..to_wire(3) };
        let mut world = World::new(config.clone(), &[sender]);
        world.drain(0, 100.0);
        world.set(3, maximum, 0, burst, 0);
        for pause in [0, 2000, 5, 300, 40, 900] {
            world.senders[0].pauses_after = world.beats[0];
            world.run(pause);
            world.senders[0].pauses_after = usize::MAX;
            world.run(300);
        }
        let per_cycle = maximum as f64 * 125.0 / config.clock_khz as f64;
        let (mut level, mut most, mut last) = (0.0f64, 0.0f64, 0);
        for (cycle, bytes) in &world.log[3] {
            level = (level - (cycle - last) as f64 * per_cycle).max(0.0) + *bytes as f64;
            (most, last) = (most.max(level), *cycle);
        }
        let two_frames = 2.0 * (1518 + OVERHEAD) as f64;
        assert!(most <= burst as f64 + two_frames, "{most} bytes at once");
        assert!(most >= burst as f64, "the burst is used: {most} bytes");
    }
}

#[test]
fn higher_classes_come_first() {
    let mut world = World::new(Config::x3100(), &[4, 5, 6, 7].map(to_wire));
    world.set(4, 4000, 3, 1000, 100);
    world.set(5, 0, 1, 0, 300);
    world.set(6, 0, 1, 0, 600);
    world.set(7, 0, 0, 0, 60_000);
    world.run(200);
    let rates = world.rates(0, 1000);
    assert_close(&rates[4..7], &[4.0, 2.0, 4.0], 0.02);
    assert!(rates[7] < 0.02, "{}", rates[7]);

    // What two limited classes leave goes to the third.
    world.set(5, 1000, 1, 1000, 300);
    world.set(6, 2000, 1, 1000, 600);
    world.run(200);
    let rates = world.rates(0, 1000);
    assert_close(&rates[4..8], &[4.0, 1.0, 2.0, 3.0], 0.02);

    // A class without a limit takes all, and gives it back when it has nothing more to send.
    world.set(4, 0, 3, 0, 0);
    world.run(200);
    let rates = world.rates(0, 500);
    assert!(rates[4] > 9.9, "{}", rates[4]);
    world.senders[0].pauses_after = 0;
    world.run(200);
    let rates = world.rates(0, 500);
    assert_close(&rates[5..8], &[1.0, 2.0, 7.0], 0.02);
}

/// Each bottleneck has shares of its own; a function that also sends elsewhere keeps its share of the wire.
#[test]
fn bottlenecks_are_apart() {
    let (wire0, wire1, manager, pf) = (1, 2, 1 << 2, 1 << 3);
    for mixed in [false, true] {
        let mut senders: Vec<_> = VFS.map(to_wire).collect();
        for sender in &mut senders {
            sender.destinations = match sender.port {
                4..8 => vec![wire0],
                8..12 if mixed => vec![wire0, manager],
                8..12 => vec![wire0],
                12..16 => vec![wire1],
                _ => vec![pf],
            };
        }
        let mut world = World::new(Config::x3100(), &senders);
        world.drain(3, 4.0);
        let quantum = |port: usize| 100 * (1 + port % 4);
        VFS.for_each(|port| world.set(port, 0, 0, 0, quantum(port)));
        world.run(300);
        let before: Vec<_> = world.delivered.clone();
        world.run(2000);
        let rates = |to: usize, from: std::ops::Range<usize>| -> Vec<f64> {
            from.map(|port| (world.delivered[port][to] - before[port][to]) as f64 * 8.0 / 2e6).collect()
        };
        assert_close(&rates(0, 4..12), &[0.5, 1.0, 1.5, 2.0, 0.5, 1.0, 1.5, 2.0], 0.02);
        assert_close(&rates(1, 12..16), &[1.0, 2.0, 3.0, 4.0], 0.02);
        // The inside of the bridge counts as one bottleneck: its shares hold, roughly, where one port holds up all of them.
        assert_close(&[rates(3, 16..20).iter().sum()], &[4.0], 0.01);
        if !mixed {
            assert_close(&rates(3, 16..20), &[0.4, 0.8, 1.2, 1.6], 0.06);
        }
    }
}

/// A slow port holds back those that send to it, and nobody else: its queue stays near the threshold.
#[test]
fn congestion_holds_back() {
    let mut senders: Vec<_> = VFS.map(to_wire).collect();
    senders[8..].iter_mut().for_each(|sender| sender.destinations = vec![1 << 3]);
    let mut world = World::new(Config::x3100(), &senders);
    world.drain(3, 1.0);
    world.run(300);
    let before: usize = world.delivered.iter().map(|to| to[3]).sum();
    let wire: f64 = world.rates(0, 1000).iter().sum();
    let slow = world.delivered.iter().map(|to| to[3]).sum::<usize>() - before;
    assert_close(&[wire, slow as f64 * 8.0 / 1e6], &[10.0, 1.0], 0.01);
    // What each of the eight had started, and what it started until it was seen.
    let most = world.sinks[3].most_bytes;
    assert!(most < THRESHOLD + 8 * 2 * (512 + OVERHEAD), "{most} bytes");
}

/// `hold_all` closes all functions in the next cycle and no wire; what it held goes on after it.
#[test]
fn everyone_is_held() {
    let mut world = World::new(Config::small(), &[2, 3].map(to_wire));
    world.run(50);
    world.bench.sim.poke(world.io.hold_all, true);
    world.bench.sim.step();
    for _ in 0..1000 {
        assert_eq!(world.open(), 1);
        world.step();
    }
    let frames: usize = world.frames.iter().sum();
    world.run(10);
    assert_eq!(world.frames.iter().sum::<usize>(), frames);
    world.bench.sim.poke(world.io.hold_all, false);
    let rates = world.rates(0, 200);
    assert!(rates.iter().sum::<f64>() > 9.5, "{rates:?}");
}

/// Reset brings back the state of the beginning, whatever was before.
#[test]
fn reset_forgets_everything() {
    let opens = |disturb: bool| -> Vec<u128> {
        let mut world = World::new(Config::small(), &[1, 2, 3].map(to_wire));
        if disturb {
            world.set(2, 7, 2, 900, 12);
            world.set(3, 0, 3, 0, 40_000);
            world.run(40);
        }
        let sim = &mut world.bench.sim;
        sim.poke(world.io.frame.valid, false);
        sim.poke(world.io.congested, 0);
        sim.poke(world.io.pending, 0b1110);
        sim.reset();
        // Frames without pause, from two ports to the wire and from one to another function.
        let frame = world.io.frame;
        let next = |cycle: u128| {
            sim.poke(frame.valid, cycle > 200 && cycle.is_multiple_of(40));
            sim.poke(frame.payload.port, 1 + cycle / 40 % 3);
            sim.poke(frame.payload.length, 300);
            sim.poke(frame.payload.destinations, if cycle / 40 % 3 == 1 { 0b100 } else { 1 });
            sim.step();
            sim.peek(world.io.open)
        };
        (0..4000).map(next).collect()
    };
    let fresh = opens(false);
    assert!(fresh.contains(&0b1111) || fresh.iter().any(|open| *open != fresh[3999]));
    assert_eq!(opens(true), fresh);
}
