use super::{harness::*, *};
use crate::testing::{Frame, frames, refusal};

fn configs() -> Vec<Config> {
    let small = Config::small();
    let least = Config { vfs: 0, pairs: 1, bytes: 16, ..small.clone() };
    let most = Config { vfs: 62, pairs: 4, wires: 2, bytes: 32, ..small.clone() };
    vec![small, least, Config::x3100(), most]
}

#[test]
fn elaborates() {
    for vfs in [0, 3, 16, 29, 62] {
        for bytes in [8, 16, 32] {
            for (wires, pairs) in [(1, 1), (2, 4)] {
                let config = Config { vfs, bytes, wires, pairs, ..Config::small() };
                elaborate(|| manager(&config)).unwrap_or_else(|errors| panic!("{errors}"));
            }
        }
    }
    assert!(refusal(|| manager(&Config { vfs: 63, ..Config::small() })).contains("vfs"));
}

/// Any access; most concern something that is there.
fn random_access(rig: &mut Rig) -> Access {
    let functions = rig.config.functions();
    let rng = &mut rig.bench.rng;
    let offset = match rng.u8(..10) {
        0 => rng.u16(..0x4000),
        1 => rng.u16(..0x400) * 4,
        2..5 => 0x1000 + rng.u16(..0x1c) * 4,
        5..8 => 0x2000 + rng.usize(..functions + 1) as u16 * 64 + rng.u16(..11) * 4,
        8 => 0x3000 + rng.u16(..0x200) * 4,
        _ => 0x3800 + rng.u16(..0x20) * 4,
    };
    let enables = if rng.u8(..10) == 0 { rng.u8(..16) } else { 15 };
    let data = match rng.u8(..3) {
        0 => rng.u32(..),
        1 => 1 << rng.u8(..32),
        _ => rng.u32(..64),
    };
    // A frame is sent only where a test waits for it, and the host's addresses are multiples of four.
    let write = rng.bool().then_some(data).filter(|_| offset != 0x1040);
    Access { offset, write, enables }
}

/// What happens around the manager while no access is under way.
fn random_events(rig: &mut Rig) {
    for _ in 0..rig.bench.rng.usize(..20) {
        let function = rig.bench.rng.usize(..rig.config.functions());
        let slot = rig.bench.rng.usize(..2 * rig.config.pairs + 1);
        if rig.bench.rng.bool() {
            rig.drop_frame(function);
        }
        if rig.bench.rng.u8(..4) == 0 {
            let cause = causes()[rig.bench.rng.usize(..8)];
            rig.break_queue(function, slot, cause);
        }
        rig.step();
    }
    let all = u64::MAX >> (64 - rig.config.functions());
    (rig.model.driver_ok, rig.model.was_reset) = (rig.bench.rng.u64(..) & all, rig.bench.rng.u64(..) & all);
    rig.bench.sim.poke(rig.io.driver_ok, rig.model.driver_ok.into());
    rig.bench.sim.poke(rig.io.was_reset, rig.model.was_reset.into());
    if rig.bench.rng.u8(..4) == 0 {
        let up = rig.bench.rng.u32(..1 << rig.config.wires);
        set_links(rig, up);
    }
    if rig.bench.rng.bool() {
        let length = rig.bench.rng.usize(1..300);
        receive_frame(rig, length);
    }
    rig.steps(6);
}

fn set_links(rig: &mut Rig, up: u32) {
    if rig.model.link != up {
        rig.model.link = up;
        rig.model.happens(1);
    }
    rig.bench.sim.poke(rig.io.link_up, up.into());
}

/// The bridge sends a frame to the manager.
fn receive_frame(rig: &mut Rig, length: usize) {
    let error = rig.bench.rng.u8(..8) == 0;
    let data: Vec<u8> = (0..length).map(|_| rig.bench.rng.u8(..)).collect();
    let port = rig.bench.rng.usize(..rig.config.ports()) as u32;
    let frame = Frame { data: data.clone(), error };
    rig.bench.sim.poke(rig.io.source, port.into());
    let beats = frame.beats(rig.config.bytes, &mut rig.bench.rng);
    let wanted = rig.receive.sent + beats.len();
    rig.receive.send(beats);
    rig.receive.pace = [1.0, 0.5][rig.bench.rng.usize(..2)];
    while rig.receive.sent < wanted {
        rig.step();
    }
    if rig.model.received.is_some() || length > 1536 || error {
        rig.model.lost += 1;
        rig.model.happens(4);
    } else {
        rig.model.received = Some((data, port));
        rig.model.happens(2);
    }
    rig.steps(6);
}

fn start(rig: &mut Rig) {
    for input in [rig.io.driver_ok, rig.io.was_reset, rig.io.link_up, rig.io.source] {
        rig.bench.sim.poke(input, 0);
    }
    rig.bench.sim.poke(rig.io.cleared, true);
    rig.steps(2 * 8 * 64 + 20);
}

/// Both masters at once, in any order: each access comes to what the model says, in the order of the answers.
#[test]
fn random_accesses_of_both() {
    for (seed, config) in configs().into_iter().enumerate() {
        let mut rig = Rig::new(&config, seed as u64);
        start(&mut rig);
        for round in 0..150 {
            if round == 75 {
                rig.reset();
                start(&mut rig);
            }
            random_events(&mut rig);
            rig.pace = [1.0, 0.3][rig.bench.rng.usize(..2)];
            for _ in 0..rig.bench.rng.usize(1..60) {
                let access = random_access(&mut rig);
                if rig.bench.rng.bool() {
                    rig.bus(access);
                } else {
                    rig.host.queue.push_back(Access { offset: access.offset & !3, ..access });
                }
            }
            rig.finish();
            rig.check_outputs();
        }
        let deadline = 300 * rig.model.waiting.len() + 600;
        rig.steps(deadline);
        assert!(rig.model.waiting.is_empty() && rig.rows > 10, "{} rows", rig.rows);
        let refused = rig.bus_results.iter().filter(|result| result.2).count();
        assert!(refused > 100 && rig.bus_results.len() > 3 * refused / 2);
        assert!(rig.longest < 50, "the host waits for {} cycles", rig.longest);
    }
}

/// Every word of the space, read and written.
#[test]
fn every_address() {
    let mut rig = Rig::new(&Config::small(), 1);
    start(&mut rig);
    let offsets = (0..0x4000).step_by(4).filter(|offset| *offset != 0x1040);
    for offset in offsets {
        rig.bus(write(offset, 0x5a5a_5a5a ^ u32::from(offset) << 16));
        rig.bus(read(offset));
        if offset % 1024 == 0 {
            rig.finish();
        }
    }
    rig.finish();
    for offset in 0..0x4000 {
        rig.bus(read(offset));
    }
    rig.finish();
    rig.check_outputs();
}

/// Words that are written after STATE do not leave with it; a second STATE replaces the first.
#[test]
fn rows_leave_as_they_were() {
    let mut rig = Rig::new(&Config::x3100(), 2);
    start(&mut rig);
    for function in [0, 2, 5, 17] {
        let base = 0x2000 + 64 * function;
        for word in 0..4 {
            rig.write(base + 4 * word, 0x1111_1111 * u32::from(word + 1));
        }
        rig.write(base + 0x10, 0x0103);
    }
    assert!(rig.model.waiting.contains_key(&5) && rig.model.waiting.contains_key(&17));
    for word in 0..4 {
        rig.write(0x2000 + 64 * 17 + 4 * word, 0);
    }
    rig.write(0x2000 + 64 * 5 + 4, 0x4242);
    rig.write(0x2000 + 64 * 5 + 0x10, 0x0001);
    rig.steps(1200);
    assert_eq!((rig.rows, rig.model.waiting.len()), (4, 0));
}

/// One frame in every cycle or every few is dropped, and queues break, while both masters read: no event is lost.
#[test]
fn bursts_are_counted() {
    for (seed, config) in configs().into_iter().enumerate() {
        let mut rig = Rig::new(&config, seed as u64);
        start(&mut rig);
        rig.checks = false;
        let functions = config.functions();
        for distance in [1, 2, 3, 5] {
            for cycle in 0..2000 {
                let function = if rig.bench.rng.bool() { 0 } else { rig.bench.rng.usize(..functions) };
                // The masters wait for a cycle without an event.
                if cycle % distance == 0 && cycle % 16 > 0 {
                    rig.drop_frame(function);
                }
                if rig.bench.rng.u8(..6) == 0 {
                    let slot = rig.bench.rng.usize(..2 * config.pairs + 1);
                    rig.break_queue(function, slot, causes()[cycle % 8]);
                }
                if cycle % 40 == 0 {
                    rig.host.queue.push_back(read(0x2020));
                    rig.bus(read(0x2024));
                }
                rig.step();
            }
        }
        rig.finish();
        let read_counts: Vec<u32> = rig.host_results.iter().map(|result| result.1).collect();
        assert!(read_counts.is_sorted() && read_counts.len() == 200);
        rig.checks = true;
        for function in 0..functions as u16 {
            rig.bus(read(0x2020 + 64 * function));
            rig.bus(read(0x2024 + 64 * function));
        }
        rig.finish();
    }
}

/// An event in each of the cycles around its acknowledgement: it is seen, or asks for another interrupt.
#[test]
fn events_while_they_are_acknowledged() {
    let mut both = [0; 2];
    for after in 0..30 {
        let mut rig = Rig::new(&Config::small(), 1);
        start(&mut rig);
        rig.checks = false;
        rig.write(0x102c, 1);
        rig.break_queue(0, 0, causes()[0]);
        rig.steps(20);
        assert_eq!(rig.vectors, 1);
        rig.host.queue.push_back(write(0x1028, 1));
        rig.steps(after);
        rig.break_queue(2, 0, causes()[0]);
        rig.finish();
        rig.steps(20);
        let is_set = rig.read(0x1028) == Some(1);
        assert_eq!(rig.vectors, 1 + usize::from(is_set), "{after} cycles after");
        both[usize::from(is_set)] += 1;
        assert_eq!(rig.read(0x1020), Some(5));
    }
    assert!(both.iter().all(|count| *count > 3), "{both:?}");
}

/// Frames of all lengths, to ports that are forced or not.
#[test]
fn frames_are_sent() {
    for (seed, config) in configs().into_iter().enumerate() {
        let mut rig = Rig::new(&config, seed as u64);
        start(&mut rig);
        rig.write(0x102c, 1 << 3);
        for length in [1u32, 7, 8, 9, 31, 32, 33, 60, 64, 777, 1535, 1536] {
            for word in 0..length.div_ceil(4) {
                let data = rig.bench.rng.u32(..);
                rig.bus(write(0x3000 + 4 * word as u16, data));
            }
            rig.finish();
            let ports = [0x1048, 0x104c, 0x1050].map(|offset| (offset, rig.bench.rng.u32(..)));
            for (offset, data) in ports {
                assert!(rig.write(offset, data));
            }
            rig.send.pace = 0.0;
            assert!(rig.write(0x1040, length));
            // Nothing of the frame changes while it leaves.
            for (offset, data) in [(0x1040, 60), (0x1048, 0), (0x104c, 0), (0x1050, 0), (0x3000, 0)] {
                assert!(!rig.write(offset, data));
            }
            assert_eq!(rig.read(0x1044), Some(1));
            rig.send.pace = [1.0, 0.3][rig.bench.rng.usize(..2)];
            let deadline = rig.cycle + 5000;
            while !rig.send.got.last().is_some_and(|beat| beat[1]) {
                rig.step();
                assert!(rig.cycle < deadline, "the frame does not leave");
            }
            rig.steps(12);
            let data = rig.model.sending.take().expect("it was started");
            rig.model.happens(3);
            let got = frames(&std::mem::take(&mut rig.send.got), config.bytes);
            assert_eq!(got, [Frame { data, error: false }]);
            assert_eq!(rig.read(0x1044), Some(0));
            rig.write(0x1028, 31);
            rig.check_outputs();
        }
        for length in [0, 1537, 2048, 0x8000_0001] {
            assert!(!rig.write(0x1040, length), "{length} bytes");
        }
        for offset in (0x3000..0x3800).step_by(4) {
            assert_eq!(rig.read(offset), None);
        }
    }
}

/// One frame is kept until it is released; all others are taken and counted.
#[test]
fn frames_are_received() {
    for (seed, config) in configs().into_iter().enumerate() {
        let mut rig = Rig::new(&config, seed as u64);
        start(&mut rig);
        rig.write(0x102c, 1 << 2 | 1 << 4);
        let lengths = [1, 4, 8, 14, 60, 64, 65, 1535, 1536, 1537, 1540, 2047, 2048, 2049, 9622, 3];
        for length in lengths {
            for _ in 0..2 {
                receive_frame(&mut rig, length);
                for offset in (0x3800..0x3800 + length.min(2048) as u16).step_by(4) {
                    rig.bus(read(offset));
                }
                rig.bus(read(0x1058));
                rig.bus(read(0x1060));
                rig.finish();
            }
            receive_frame(&mut rig, 60);
            rig.write(0x105c, 0);
            rig.bus(read(0x3800));
            rig.bus(read(0x1058));
            rig.finish();
            rig.write(0x1028, 31);
            rig.check_outputs();
        }
        assert!(rig.model.lost > 20);
    }
}

/// A release while a frame that is lost comes in does not give room to the rest of it.
#[test]
fn releases_between_the_beats_of_a_frame() {
    for after in 0..60 {
        let mut rig = Rig::new(&Config::small(), after);
        start(&mut rig);
        rig.checks = false;
        let make = |length: usize| Frame { data: (0..length).map(|byte| byte as u8).collect(), error: false };
        rig.receive.send(make(16).beats(8, &mut rig.bench.rng));
        rig.steps(10);
        rig.host.queue.push_back(write(0x105c, 1));
        rig.steps(after as usize % 20);
        rig.receive.send(make(160).beats(8, &mut rig.bench.rng));
        rig.finish();
        rig.steps(40);
        let received = rig.read(0x1058).expect("a register");
        let kept = received >> 31 == 1;
        assert_eq!(rig.read(0x1060), Some(u32::from(!kept)));
        assert!(!kept || received & 0x7ff == 160);
        if kept {
            assert_eq!(rig.read(0x3800), Some(0x0302_0100));
            assert_eq!(rig.read(0x3800 + 156), Some(0x9f9e_9d9c));
        }
    }
}

/// Nothing begins before the adapter is ready, and a bus that does not take its responses holds up nobody.
#[test]
fn masters_wait_for_nobody_else() {
    let mut rig = Rig::new(&Config::small(), 1);
    start(&mut rig);
    rig.bench.sim.poke(rig.io.cleared, false);
    rig.steps(4);
    rig.host.queue.push_back(read(0x1000));
    rig.bus(read(0x1004));
    rig.steps(200);
    assert!(rig.host_results.is_empty() && rig.bus_results.is_empty());
    rig.bench.sim.poke(rig.io.cleared, true);
    rig.finish();
    rig.takes = false;
    rig.bus(read(0x1000));
    rig.bus(read(0x1004));
    rig.bus(write(0x2000, 1));
    rig.bus(write(0x2004, 1));
    for _ in 0..20 {
        rig.host.queue.push_back(read(0x1000));
    }
    rig.longest = 0;
    rig.steps(2000);
    assert_eq!((rig.host_results.len(), rig.bus_results.len()), (21, 3));
    assert!(rig.longest < 50);
    rig.takes = true;
    rig.finish();
    assert_eq!(rig.bus_results.len(), 5);
}
