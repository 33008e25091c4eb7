//! The registers against a model of the standard. Tests name the clauses of virtio 1.2 that they check.

mod driver;
mod model;
mod random;
mod world;

use super::map::{Access, FIELDS, find};
use super::*;
use crate::{
    pcie::{
        VECTORS,
        window::{COMMON, DEVICE},
    },
    testing::refusal,
    virtio::types::Cause,
};
use model::{DRIVER_OK, FEATURES, NEEDS_RESET};
use world::*;

/// All features but those of the physical function.
fn everything() -> u128 {
    FEATURES.iter().fold(0, |all, bit| all | 1 << bit)
}

const VERSION_1: u128 = 1 << 32;

fn nine() -> Config {
    Config { name: "nine", vfs: 7, pairs: 4, ..Config::small() }
}

/// What Linux does (drivers/virtio/virtio_pci_modern.c, virtio.c, drivers/net/virtio_net.c), 3.1.1: reset, acknowledge, features,
/// vectors, queues, DRIVER_OK.
#[test]
fn as_linux_does_it() {
    let config = nine();
    let mut world = World::new(&config, false, 1);
    for function in [0, 2, 8] {
        world.reset(function);
        world.put(function, 0x14, 1, 1);
        world.put(function, 0x14, 1, 3);
        let mut features = 0;
        for word in 0..2 {
            world.put(function, 0x00, 4, word);
            features |= u128::from(world.get(function, 0x04, 4)) << (32 * word);
        }
        let sr_iov = if function == 0 { 1 << model::SR_IOV } else { 0 };
        assert_eq!(features, everything() | sr_iov);
        for word in 0..2 {
            world.put(function, 0x08, 4, word);
            world.put(function, 0x0C, 4, (features >> (32 * word)) as u64 & 0xFFFF_FFFF);
        }
        world.put(function, 0x14, 1, 11);
        assert_eq!(world.get(function, 0x14, 1), 11, "FEATURES_OK");
        assert_eq!(world.get(function, 0x2008, 2), config.pairs as u64);
        let generation = world.get(function, 0x15, 1);
        let mac: Vec<u64> = (0..6).map(|byte| world.get(function, 0x2000 + byte, 1)).collect();
        assert_eq!(mac, [2, 0, 0, 0, 0, function as u64]);
        assert_eq!(world.get(function, 0x15, 1), generation);
        world.put(function, 0x10, 2, 0);
        assert_eq!(world.get(function, 0x10, 2), 0);
        assert_eq!(world.get(function, 0x12, 2), queues(&config) as u64);
        for number in 0..queues(&config) {
            world.put(function, 0x16, 2, number as u64);
            assert_eq!((world.get(function, 0x18, 2), world.get(function, 0x1C, 2)), (256, 0));
            assert_eq!(world.get(function, 0x1E, 2), number as u64);
            world.enable(function, number, 256, 1 + number as u64);
            assert_eq!(world.get(function, 0x1A, 2), 1 + number as u64);
        }
        world.put(function, 0x14, 1, 15);
        world.settle();
        let mut rang: Vec<usize> = world
            .doorbells
            .drain(..)
            .map(|(_, slot, said)| slot + 100 * usize::from(said.is_some()))
            .collect();
        rang.sort_unstable();
        assert_eq!(rang, (0..queues(&config)).collect::<Vec<_>>(), "every queue may have buffers already");
        world.put(function, 0x3000 + 4 * 3, 4, 3 | 0x8007 << 16);
        world.settle();
        assert_eq!(world.doorbells.pop(), Some((function, 3, Some(0x8007))));
        // The link goes.
        world.say(function, |it| it.link_up = false, false);
        world.settle();
        assert_eq!(world.interrupts.pop(), Some((function, 0)));
        assert_eq!(world.get(function, 0x2006, 2), 0);
        // A queue that is reset, and enabled with another size (virtio_net's XSK).
        world.put(function, 0x16, 2, 1);
        world.put(function, 0x3A, 2, 1);
        while world.get(function, 0x3A, 2) == 1 {
            world.steps(5);
        }
        assert_eq!(world.get(function, 0x1C, 2), 0);
        world.enable(function, 1, 100, 2);
        assert_eq!((world.get(function, 0x18, 2), world.get(function, 0x1C, 2)), (100, 1));
        assert_eq!(world.get(function, 0x3A, 2), 0);
        world.settle();
        assert_eq!(world.doorbells.pop(), Some((function, 1, None)));
    }
}

/// A world with a function that has all features, and its queues enabled.
fn alive(function: usize, features: u128) -> World {
    let mut world = World::new(&nine(), false, 7);
    world.negotiate(function, features);
    world.put(function, 0x10, 2, 5);
    for number in 0..9 {
        world.enable(function, number, 16, number as u64);
    }
    world.put(function, 0x14, 1, 15);
    world.settle();
    world.doorbells.clear();
    world
}

/// 4.1.4.3.1: features are presented from `device_feature_select * 32` on, 0 for other values; those of the driver likewise.
/// 2.2.2: FEATURES_OK is not set for what is not a valid subset. 6.1: SR_IOV is offered by what has it only.
#[test]
fn features_are_negotiated() {
    for (config, legacy) in
        [(Config::small(), false), (Config::small(), true), (Config { vfs: 0, ..nine() }, false)]
    {
        let mut world = World::new(&config, legacy, 2);
        for function in 0..config.functions() {
            for select in [0, 1, 2, 3, 4, 5, 0x8000_0000] {
                world.put(function, 0x00, 4, select);
                let shown = world.get(function, 0x04, 4);
                assert!(shown == 0 || select < 2);
                let has_sr_iov = select == 1 && shown >> (model::SR_IOV - 32) & 1 == 1;
                assert_eq!(has_sr_iov, select == 1 && function == 0 && !legacy && config.vfs > 0);
            }
        }
        let last = config.functions() - 1;
        let legal = |bits: &[usize]| bits.iter().fold(VERSION_1, |all, bit| all | 1 << bit);
        let illegal = [
            1 << 17,
            0,
            legal(&[18]),
            legal(&[22]),
            legal(&[23, 16]),
            legal(&[6]),
            legal(&[41]),
            legal(&[64]),
            legal(&[127]),
        ];
        for (features, is_legal) in
            illegal.map(|it| (it, false)).into_iter().chain([(legal(&[]), true), (everything(), true)])
        {
            world.reset(last);
            world.negotiate(last, features);
            assert_eq!(world.get(last, 0x14, 1), if is_legal { 11 } else { 3 }, "{features:x}");
            world.put(last, 0x14, 1, 15);
            assert_eq!(world.get(last, 0x14, 1), if is_legal { 15 } else { 3 }, "{features:x}");
            if !is_legal {
                // The driver may think again.
                world.negotiate(last, VERSION_1);
                assert_eq!(world.get(last, 0x14, 1), 11);
            }
        }
        // What was agreed on stays.
        world.put(last, 0x08, 4, 0);
        world.put(last, 0x0C, 4, 0);
        assert_eq!(world.get(last, 0x0C, 4), everything() as u64 & 0xFFFF_FFFF);
    }
}

/// 4.1.4.3.1: 0 in the status resets the device, and is read once that is done; `queue_enable` and `queue_reset` are 0
/// then. 4.1.5.1.2.1: all events are unmapped. 2.4: nothing of the time before is left. Nobody is told anything meanwhile.
#[test]
fn a_reset_reads_back_when_all_is_drained() {
    let mut world = alive(3, everything());
    world.pace = 0.0;
    world.put(3, 0x14, 1, 0);
    for _ in 0..50 {
        world.steps(100);
        assert_eq!(world.get(3, 0x14, 1), u64::from(NEEDS_RESET));
        world.put(3, 0x14, 1, 15);
        world.put(3, 0x3000, 2, 0);
    }
    // Other functions go on.
    world.negotiate(4, VERSION_1);
    assert_eq!(world.get(4, 0x14, 1), 11);
    world.pace = 0.01;
    world.await_reset(3);
    for offset in (0..0x40).step_by(4) {
        world.get(3, offset, 4);
    }
    for number in 0..9 {
        world.put(3, 0x16, 2, number);
        for offset in (0x18..0x3C).step_by(4) {
            world.get(3, offset, 4);
        }
    }
    assert_eq!(world.doorbells, []);
}

/// A function-level reset is taken when all queues are drained, and leaves the registers as after a reset.
#[test]
fn a_function_is_reset() {
    let mut world = alive(3, everything());
    world.set_mac(3, [1, 2, 3, 4, 5, 6]);
    assert_eq!(world.get(3, 0x2000, 4), 0x04030201);
    world.pace = 0.05;
    world.function_reset(3);
    assert_eq!((world.get(3, 0x14, 1), world.get(3, 0x10, 2)), (0, 0xFFFF));
    assert_eq!(world.get(3, 0x2000, 4), 2, "the manager's address");
    world.settle();
}

/// 4.1.4.3.1, 2.6.1: `queue_reset` reads 1 as long as the reset is under way, then it and `queue_enable` read 0; nothing is done
/// for the queue meanwhile. Without RING_RESET it does not exist.
#[test]
fn a_queue_is_reset() {
    let mut world = alive(2, everything());
    world.pace = 0.0;
    world.put(2, 0x16, 2, 4);
    world.put(2, 0x3A, 2, 1);
    for _ in 0..20 {
        world.steps(50);
        world.put(2, 0x3000 + 16, 2, 4);
        world.put(2, 0x1C, 2, 1);
        assert_eq!(world.get(2, 0x3A, 2), 1);
    }
    world.pace = 1.0;
    world.settle();
    assert_eq!(world.doorbells, []);
    assert_eq!((world.get(2, 0x3A, 2), world.get(2, 0x1C, 2), world.get(2, 0x18, 2)), (0, 0, 256));
    world.put(2, 0x3000 + 20, 2, 5);
    world.settle();
    assert_eq!(world.doorbells, [(2, 5, None)], "other queues live");

    let mut world = alive(2, everything() & !(1 << 40));
    world.put(2, 0x3A, 2, 1);
    assert_eq!((world.get(2, 0x3A, 2), world.get(2, 0x1C, 2)), (0, 1));
}

/// A queue is not drained while its doorbell is on offer; doorbells that wait behind that are forgotten with their queues, and
/// what they said is not said of the queue that is enabled after that.
#[test]
fn doorbells_of_queues_that_are_reset() {
    let mut world = alive(2, everything());
    world.is_deaf = true;
    for number in [0, 1, 2, 3] {
        world.put(2, 0x3000 + 4 * number, 4, number as u64 | 0x77 << 16);
    }
    for number in [1, 2, 0] {
        world.put(2, 0x16, 2, number);
        world.put(2, 0x3A, 2, 1);
        world.steps(1000);
        assert_eq!(world.get(2, 0x3A, 2), u64::from(number == 0), "{number}");
    }
    world.enable(2, 2, 16, 0);
    world.is_deaf = false;
    world.settle();
    assert_eq!(world.doorbells, [(2, 0, Some(0x77)), (2, 2, None), (2, 3, Some(0x77))]);
}

/// 4.1.4.3.1: `queue_size` is 0 of a queue that is not available. 5.1.2: which number the control queue has.
#[test]
fn queues_are_where_the_features_say() {
    let control = 1 << 17;
    for (features, numbers) in [
        (VERSION_1, vec![0, 1]),
        (VERSION_1 | control, vec![0, 1, 2]),
        (VERSION_1 | control | 1 << 22, (0..9).collect()),
    ] {
        let mut world = World::new(&nine(), false, 4);
        world.negotiate(2, features);
        for number in (0..20).chain([0x8000, 0xFFFF]) {
            world.put(2, 0x16, 2, number);
            world.put(2, 0x1A, 2, 3);
            let exists = numbers.contains(&number);
            let expected = if exists { (256, 3) } else { (0, 0xFFFF) };
            assert_eq!(
                (world.get(2, 0x18, 2), world.get(2, 0x1A, 2)),
                expected,
                "{number} with {features:x}"
            );
        }
        // Its doorbell has the slot behind all pairs.
        world.enable(2, 2, 16, 0xFFFF);
        world.put(2, 0x14, 1, 15);
        world.settle();
        let expected = [vec![], vec![(2, 8, None)], vec![(2, 2, None)]];
        assert_eq!(world.doorbells, expected[numbers.len().min(4) - 2], "{features:x}");
    }
}

/// 4.1.4.3.1: `queue_size` is a power of 2 without RING_PACKED, and never more than the largest.
#[test]
fn sizes_of_rings() {
    for is_packed in [false, true] {
        let mut world = World::new(&nine(), false, 5);
        world.negotiate(2, if is_packed { everything() } else { everything() & !(1 << 34) });
        let mut size = 256;
        for written in (0..300usize).chain([511, 512, 0x8000, 0xFFFF]) {
            let is_legal = (1..=256).contains(&written) && (is_packed || written.is_power_of_two());
            size = if is_legal { written as u64 } else { size };
            world.put(2, 0x18, 2, written as u64);
            assert_eq!(world.get(2, 0x18, 2), size, "{written}");
        }
    }
}

/// 4.1.5.1.2.1: every event can be mapped to every vector and unmapped; what cannot be mapped reads NO_VECTOR. 4.1.5.4.1: without
/// a vector there is no interrupt.
#[test]
fn vectors_are_mapped() {
    let mut world = alive(2, everything());
    for vector in (0..VECTORS as u64 + 8).chain([0x8003, 0xFFFF]) {
        let read = if vector < VECTORS as u64 { vector } else { 0xFFFF };
        world.put(2, 0x10, 2, vector);
        world.put(2, 0x1A, 2, vector);
        assert_eq!((world.get(2, 0x10, 2), world.get(2, 0x1A, 2)), (read, read));
        world.say(2, |it| it.link_up = !it.link_up, false);
        world.settle();
        let expected = (read != 0xFFFF).then_some((2, vector as usize));
        assert_eq!(world.interrupts.pop(), expected);
    }
}

/// 4.1.4.5.1: the bits are set before the driver is told, and are 0 once they are read, unless another byte is read.
#[test]
fn causes_of_interrupts() {
    let mut world = alive(2, everything());
    world.say(2, |it| it.link_up = false, false);
    world.queue_interrupt(2);
    assert_eq!(world.get(2, 0x1001, 1), 0);
    assert_eq!(world.get(2, 0x1000, 1), 3);
    assert_eq!(world.get(2, 0x1000, 1), 0);
    assert_eq!(world.get(3, 0x1000, 1), 0);
    world.queue_interrupt(2);
    assert_eq!(world.get(2, 0x1000, 4), 1);
    // The bit is there though the driver could not be told.
    world.settle();
    world.interrupts.clear();
    world.pace = 0.0;
    world.say(2, |it| it.link_up = true, false);
    assert_eq!((world.get(2, 0x1000, 1), world.interrupts.len()), (2, 0));
    world.settle();
    assert_eq!(world.interrupts, [(2, 5)]);
}

/// 4.1.4.3.1: the generation has changed after the driver has read something that changed since it was read before. 2.5.2: it
/// can be read before FEATURES_OK.
#[test]
fn generations() {
    let mut world = World::new(&nine(), false, 6);
    let read = |world: &mut World| (0..5).map(|word| world.get(2, 0x2000 + 4 * word, 4)).collect::<Vec<_>>();
    for round in 0..300u32 {
        let before = world.get(2, 0x15, 1);
        let first = read(&mut world);
        world.get(2, 0x15, 1);
        world.say(2, |it| it.speed = round, false);
        let second = read(&mut world);
        assert_eq!((first[..3] == second[..3], second[3]), (true, round.into()));
        assert_eq!(world.get(2, 0x15, 1), (before + 1) % 256, "{round}");
    }
}

/// 5.1.4.1: MTU, pairs. 5.1.6.5.4: ANNOUNCE is set for a driver that can, and cleared when it has done so.
#[test]
fn the_device_configuration() {
    let mut world = alive(2, everything());
    world.say(2, |it| it.mtu = 67, false);
    world.functions[2].mtu = 68;
    assert_eq!(world.get(2, 0x200A, 2), 68);
    world.say(2, |it| it.mtu = 9601, false);
    world.functions[2].mtu = 9600;
    assert_eq!(world.get(2, 0x200A, 2), 9600);
    world.say(2, |it| it.mtu = 9000, true);
    assert_eq!((world.get(2, 0x200A, 2), world.get(2, 0x2006, 2)), (9000, 3));
    world.say(2, |it| it.duplex = 255, false);
    assert_eq!(world.get(2, 0x2006, 2), 3, "until it is done");
    world.announced(2);
    assert_eq!((world.get(2, 0x2006, 2), world.get(2, 0x2010, 1)), (1, 255));
    world.say(3, |it| it.speed = u32::MAX, true);
    assert_eq!((world.get(3, 0x2006, 2), world.get(3, 0x200C, 4)), (1, 0xFFFF_FFFF));
    world.settle();
}

/// 2.1.2: a queue that breaks sets DEVICE_NEEDS_RESET, with a notification. It is drained and does nothing more; other queues go
/// on.
#[test]
fn a_broken_queue() {
    let mut world = alive(2, everything());
    world.break_queue(2, 4, Cause::Loop);
    world.break_queue(2, 4, Cause::Access);
    world.settle();
    assert_eq!(world.get(2, 0x14, 1), u64::from(15 | NEEDS_RESET));
    assert_eq!((&world.broke[..], world.interrupts.pop()), (&[(2, 4, Cause::Loop)][..], Some((2, 5))));
    world.put(2, 0x3000 + 16, 2, 4);
    world.put(2, 0x3000 + 12, 2, 3);
    world.settle();
    assert_eq!(world.doorbells, [(2, 3, None)]);
    // What is reset lives again.
    world.put(2, 0x16, 2, 4);
    world.put(2, 0x3A, 2, 1);
    world.settle();
    world.enable(2, 4, 16, 4);
    world.settle();
    assert_eq!(world.doorbells, [(2, 3, None), (2, 4, None)]);
    world.reset(2);
    assert_eq!(world.get(2, 0x14, 1), 0);
}

/// 4.1.4.4, 4.1.5.2: 16 bits with the number, or 32 with the index; only of queues that live, at the place of the number. 2.1.2:
/// nothing before DRIVER_OK.
#[test]
fn notifications() {
    let mut world = World::new(&nine(), false, 8);
    world.negotiate(2, everything());
    world.enable(2, 0, 16, 0);
    world.put(2, 0x3000, 4, 0);
    world.settle();
    assert_eq!(world.doorbells, []);
    world.put(2, 0x14, 1, 15);
    world.settle();
    assert_eq!(world.doorbells.pop(), Some((2, 0, None)));
    for (offset, bytes, value) in
        [(0x3004, 4, 1), (0x3000, 4, 1), (0x3004, 4, 0), (0x3000, 1, 0), (0x3080, 4, 32)]
    {
        world.put(2, offset, bytes, value);
    }
    world.settle();
    assert_eq!(world.doorbells, []);
    world.put(2, 0x3000, 2, 0);
    world.settle();
    world.put(2, 0x3000, 4, 0x1234 << 16);
    world.settle();
    assert_eq!(world.doorbells, [(2, 0, None), (2, 0, Some(0x1234))]);

    let mut world = alive(2, everything() & !(1 << 38));
    world.put(2, 0x3004, 4, 0x1234 << 16 | 1);
    world.settle();
    assert_eq!(world.doorbells, [(2, 1, None)], "no NOTIFICATION_DATA");
    // While nobody takes them, they are one.
    world.pace = 0.0;
    (0..50).for_each(|_| world.put(2, 0x3000 + 4, 2, 1));
    world.settle();
    assert!((1..=2).contains(&(world.doorbells.len() - 1)), "{:?}", world.doorbells);
}

/// 2.1.1: what the driver writes only sets bits; DEVICE_NEEDS_RESET and SUSPEND, which is not offered, are not the driver's.
#[test]
fn the_status() {
    let mut world = World::new(&nine(), false, 9);
    for (written, read) in [(0x50, 0), (1, 1), (2, 3), (4, 3), (0x10, 3), (0x80, 0x83), (1, 0x83)] {
        world.put(2, 0x14, 1, written);
        assert_eq!(world.get(2, 0x14, 1), read, "{written:x}");
    }
    world.reset(2);
    world.negotiate(2, VERSION_1);
    world.put(2, 0x14, 1, u64::from(DRIVER_OK));
    assert_eq!(world.get(2, 0x14, 1), 15);
}

/// The cycles that the module's page states.
#[test]
fn cycles_of_an_idle_block() {
    let mut world = World::new(&Config::small(), false, 10);
    world.get(2, 0x18, 2);
    assert_eq!(world.slowest, 9);
    world.steps(SETTLED);
    world.negotiate(2, VERSION_1);
    assert_eq!(world.slowest, 21);
}

/// Fields do not overlap, lie in their windows, and are as the structures of 4.1.4.3 and 5.1.4 have them.
#[test]
fn the_map_is_that_of_the_standard() {
    for window in [COMMON, DEVICE] {
        let fields: Vec<_> = FIELDS.iter().filter(|field| field.window == window).collect();
        assert!(fields.windows(2).all(|pair| pair[0].offset + pair[0].bytes == pair[1].offset), "no gaps");
        assert!(fields.iter().all(|field| field.bytes == 6 || field.offset % field.bytes.min(4) == 0));
    }
    for (name, offset) in [
        ("device_status", 0x14),
        ("queue_desc", 0x20),
        ("admin_queue_num", 0x3E),
        ("mtu", 10),
        ("duplex", 16),
    ] {
        assert_eq!(find(name).offset, offset);
    }
    assert!(FIELDS.iter().all(|field| field.window != DEVICE || field.access == Access::ReadOnly));
    let names: std::collections::HashSet<_> = FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names.len(), FIELDS.len());
}

#[test]
fn parameters_out_of_range() {
    assert!(refusal(|| registers(&Config { pairs: 3, ..Config::small() }, 2)).contains("pairs"));
    assert!(refusal(|| registers(&Config::small(), 0)).contains("readers"));
}
