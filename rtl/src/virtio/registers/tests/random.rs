//! Everything at random.

use super::{VERSION_1, everything, nine, world::*};
use crate::{
    config::Config,
    virtio::{queues::queues, types::Cause},
};
use hdl::HwEnum;

/// Features as a driver might choose them: mostly something that is legal.
fn random_features(rng: &mut fastrand::Rng) -> u128 {
    let some = everything() & (rng.u128(..) | rng.u128(..));
    match rng.u8(..8) {
        0 => rng.u128(..),
        1 => some,
        2 => some | 1 << rng.usize(..128),
        3 => VERSION_1 | some & !0xEC0000,
        _ => VERSION_1 | 1 << 17 | some,
    }
}

fn random_offset(rng: &mut fastrand::Rng, queues: usize) -> usize {
    match rng.u8(..16) {
        0 => 4 * rng.usize(..0x1000),
        1 => 0x1000,
        2..5 => 0x2000 + 4 * rng.usize(..6),
        5..8 => 0x3000 + 4 * rng.usize(..queues + 2),
        8 => 0x14,
        _ => 4 * rng.usize(..17),
    }
}

/// Byte enables of an access of 1, 2 or 4 bytes; seldom others, which the bus can do too.
fn random_mask(rng: &mut fastrand::Rng) -> u32 {
    [15, 15, 15, 3, 12, 3, 12, 1, 2, 4, 8, rng.u32(..16)][rng.usize(..12)]
}

fn random_data(rng: &mut fastrand::Rng, offset: usize, queues: usize) -> u32 {
    let queue = rng.u32(..queues as u32 + 1);
    match offset {
        0x3000.. if rng.u8(..8) > 0 => ((offset as u32 - 0x3000) / 4) | (rng.u32(..) << 16),
        0x00 | 0x08 => rng.u32(..6),
        0x10 => rng.u32(..20),
        // Seldom a reset.
        0x14 => [1, 3, 11, 15, 0x40, 0x80, 0x1F][rng.usize(..7)] | queue << 16,
        0x18 => [1, 2, 16, 128, 256, 512, 0, 100, 255, 3][rng.usize(..10)] | rng.u32(..20) << 16,
        0x1C => rng.u32(..2),
        0x38 => rng.u32(..2) << 16,
        _ => rng.u32(..),
    }
}

/// A driver begins anew, with what it might want.
fn bring_up(world: &mut World, function: usize, queues: usize) {
    world.reset(function);
    let features = random_features(&mut world.bench.rng);
    world.negotiate(function, features);
    let vector = world.bench.rng.u64(..18);
    world.put(function, 0x10, 2, vector);
    for number in 0..queues {
        let rng = &mut world.bench.rng;
        let (size, vector) = ([1, 64, 256, 100][rng.usize(..4)], rng.u64(..18));
        if rng.bool() {
            world.enable(function, number, size, vector);
        }
    }
    world.put(function, 0x14, 1, 15);
}

/// One thing that happens in the random test.
fn happens(world: &mut World, function: usize, queues: usize) {
    let rng = &mut world.bench.rng;
    let is_busy = world.cycle < world.busy[function];
    let [slot, value] = [rng.usize(..queues), rng.usize(..)];
    let cause = Cause::VARIANTS[value % 8].1;
    let what = rng.u8(..64);
    // A reset waits for the doorbells.
    world.is_deaf &= what > 2;
    match what {
        0 => bring_up(world, function, queues),
        1 if value % 4 == 0 => world.reset(function),
        2 if value % 16 == 0 => world.function_reset(function),
        3 => world.break_queue(function, slot, cause),
        5 if !is_busy => world.say(function, |it| it.link_up = value % 2 == 0, value % 8 == 1),
        6 if !is_busy => world.say(function, |it| it.speed = value as u32, false),
        7 if !is_busy => world.say(function, |it| it.mac[value % 6] = (value >> 8) as u8, false),
        8 if !is_busy => world.set_mac(function, std::array::from_fn(|byte| (value >> (8 * byte)) as u8)),
        9 if !is_busy => world.announced(function),
        10 | 11 if !is_busy => world.queue_interrupt(function),
        12..16 if !world.functions[function].resetting => {
            let size = [1, 64, 256, 100][value % 4];
            world.enable(function, slot, size, (value >> 8) as u64 % 18);
        }
        16 if !world.functions[function].resetting => world.put(function, 0x14, 1, 15),
        17 => world.steps(100),
        20..30 => {
            world.put(function, 0x3000 + 4 * slot, [2, 4][value % 2], (slot | (value & 0xFF_0000)) as u64)
        }
        18 if value % 16 == 0 => {
            // A reset that nobody waits for.
            world.put(function, 0x14, 1, 0);
        }
        19 => world.pace = [0.02, 0.1, 0.5, 1.0][value % 4],
        30 => world.is_deaf = value % 2 == 0,
        _ => {
            let offset = random_offset(&mut world.bench.rng, queues);
            let mask = random_mask(&mut world.bench.rng);
            let data = random_data(&mut world.bench.rng, offset, queues);
            let write = world.bench.rng.bool().then_some(data);
            // A function in a reset shows nothing for certain but its status and the device configuration.
            let shows = offset == 0x14 && mask & !1 == 0 || (0x2000..0x3000).contains(&offset);
            while world.cycle < world.busy[function] {
                world.step();
            }
            if write.is_some() || shows || !world.functions[function].resetting {
                world.access(function, offset, mask, write);
            }
        }
    }
}

/// Accesses of all functions, of all widths, while functions and queues are reset and break, the manager changes the device
/// configuration, and the stages take their time for drains.
#[test]
fn random_accesses_of_all_functions() {
    let least = Config { vfs: 0, pairs: 1, ..Config::small() };
    let cases =
        [(Config::small(), false, 10_000), (nine(), false, 6000), (least, false, 4000), (nine(), true, 4000)];
    for (seed, (config, legacy, count)) in cases.into_iter().enumerate() {
        let mut world = World::new(&config, legacy, seed as u64 + 1);
        let (functions, queues) = (config.functions(), queues(&config));
        for step in 0..count {
            let rng = &mut world.bench.rng;
            let function =
                if rng.u8(..4) > 0 { rng.usize(..2.min(functions)) } else { rng.usize(..functions) };
            happens(&mut world, function, queues);
            if step % 1000 == 999 {
                world.is_deaf = false;
                world.settle();
            }
        }
        world.is_deaf = false;
        world.settle();
        let World { doorbells, interrupts, broke, resets, slowest, .. } = &world;
        let counts = [doorbells.len(), interrupts.len(), broke.len(), resets.len()];
        let indexed = doorbells.iter().filter(|(.., said)| said.is_some()).count();
        println!(
            "{}: {counts:?} doorbells ({indexed} with index), interrupts, faults, resets; {slowest} cycles",
            config.vfs
        );
        assert!(counts[0] > 100 && indexed > 10, "{counts:?} {indexed}");
        assert!(counts[1..].iter().all(|count| *count > 1), "{counts:?}");
        assert!((10..=50).contains(slowest), "{slowest}");
    }
}
