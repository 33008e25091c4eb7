use super::{harness::*, *};
use crate::testing::Bench;

const OUTCOMES: [Outcome; 3] = [Outcome::Done, Outcome::NoRoom, Outcome::NotFound];

/// A bridge of 66 ports, the most there are.
fn largest() -> Config {
    Config { wires: 2, vfs: 62, cells: 65536, entries: 4096, bytes: 32, ..Config::small() }
}

#[test]
fn every_register() {
    for config in [Config::small(), Config::x3100(), largest()] {
        let mut pair = Pair::new(&config, 1);
        pair.bench.sim.poke(pair.io.free_count, config.cells as u128);
        pair.model.free = config.cells as u32;
        pair.read_all();
        for value in [u32::MAX, 0, 0x5555_5555, 0xaaaa_aaaa, 3] {
            for address in ADDRESSES {
                pair.write(address, value, 15);
            }
            pair.read_all();
        }
    }
}

/// Every address of the space that is no register, read and written.
#[test]
fn addresses_without_a_register() {
    let mut pair = Pair::usable(&Config::small(), 2);
    let unmapped: Vec<u16> = (0..0x1000).filter(|address| !ADDRESSES.contains(address)).collect();
    for address in unmapped {
        assert!(pair.write(address, 1, 15));
        assert_eq!(pair.read(address), 0);
    }
    pair.read_all();
}

#[test]
fn strobes_with_holes() {
    let mut pair = Pair::usable(&Config::small(), 3);
    for address in ADDRESSES {
        (0..15).for_each(|strobe| assert!(pair.write(address, 0x55, strobe)));
    }
    pair.read_all();
}

/// All commands on all tables at the ends of their ranges: refused, or handed on as they are.
#[test]
fn commands_and_ranges() {
    for config in [Config::small(), Config::x3100(), largest()] {
        let mut pair = Pair::usable(&config, 4);
        let ports = config.ports() as u32;
        for table in 0..16 {
            assert!(!pair.write(0x40, table, 15));
            for index in [0, 1, 2, 7, 8, 9, 511, 512, ports - 1, ports, 32 * ports - 1, 32 * ports, 4095] {
                assert!(!pair.write(0x44, index, 15));
                for command in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16 + 2, 1 << 31 | 2] {
                    if !pair.write(0x48, command, 15) {
                        pair.finish(OUTCOMES[command as usize % 3]);
                    }
                }
            }
        }
        assert!(pair.started > 50);
        assert!(pair.write(0x40, 16, 15) && pair.write(0x40, 1 << 31, 15));
        assert!(pair.write(0x44, 4096, 15) && pair.write(0x44, 1 << 31, 15));
        pair.read_all();
    }
}

/// Nothing that the command works with can be changed, and nothing reaches the tables twice.
#[test]
fn writes_while_a_command_runs() {
    let mut pair = Pair::usable(&Config::small(), 5);
    for pace in [0.0, 1.0] {
        pair.tables.pace = pace;
        pair.write(0x40, 1, 15);
        pair.write(0x44, 77, 15);
        pair.write(0x60, 0x1234, 15);
        assert!(!pair.write(0x48, 2, 15));
        assert_eq!(pair.read(0x4c) & 1, 1);
        for address in ADDRESSES {
            let may = [0x20, 0x24, 0x28].contains(&address);
            assert_eq!(pair.write(address, 3, 15), !may, "{address:#x}");
        }
        pair.read_all();
        pair.tables.pace = 1.0;
        pair.finish(Outcome::Done);
        pair.read_all();
        assert_eq!(pair.tables.taken.len(), pair.started);
    }
}

#[test]
fn commands_before_the_tables_are_clear() {
    let mut pair = Pair::new(&Config::small(), 6);
    assert_eq!(pair.read(0x4c), 1);
    assert!(pair.write(0x48, 1, 15));
    assert!(!pair.write(0x44, 3, 15) && !pair.write(0x64, 9, 15));
    pair.cycles(20);
    assert!(pair.tables.taken.is_empty());
    pair.clear_tables();
    assert_eq!(pair.read(0x4c), 0);
    assert!(!pair.write(0x48, 1, 15));
    pair.finish(Outcome::Done);
    pair.read_all();
}

/// Random accesses at random paces, commands among them, and resets in the middle of anything.
#[test]
fn random_accesses() {
    for (seed, config) in [Config::small(), largest()].iter().enumerate() {
        let mut pair = Pair::new(config, seed as u64);
        let (mut refused, mut finished) = (0, 0);
        for round in 0..12_000 {
            if round % 100 == 0 {
                pair.master.pace = [1.0, 0.5, 0.1][pair.bench.rng.usize(..3)];
                pair.tables.pace = [1.0, 0.5, 0.05][pair.bench.rng.usize(..3)];
                let free = pair.bench.rng.u32(..=config.cells as u32);
                pair.bench.sim.poke(pair.io.free_count, free.into());
                pair.model.free = free;
            }
            let rng = &mut pair.bench.rng;
            let address = match rng.u8(..10) {
                0 => rng.u16(..0x1000),
                1..6 => [0x40, 0x44, 0x48][rng.usize(..3)],
                _ => ADDRESSES[rng.usize(..ADDRESSES.len())],
            };
            let data = match address {
                0x40 => rng.u32(..10),
                0x44 => rng.u32(..0x4000) >> rng.u32(..14),
                0x48 => rng.u32(..7),
                _ => rng.u32(..),
            };
            let strobe = if rng.u8(..8) == 0 { rng.u8(..16) } else { 15 };
            match rng.u8(..100) {
                0 if round % 4 == 0 => {
                    // Something is under way in every channel.
                    pair.master.write(address, data, strobe);
                    pair.master.ar.queue.push_back(address);
                    let cycles = pair.bench.rng.usize(..12);
                    pair.cycles(cycles);
                    pair.reset();
                    pair.read_all();
                }
                1..30 if !pair.model.usable => pair.clear_tables(),
                1..30 if pair.model.running.is_some() => {
                    let outcome = OUTCOMES[rng.usize(..3)];
                    pair.finish(outcome);
                    finished += 1;
                }
                _ if rng.u8(..4) > 0 => refused += usize::from(pair.write(address, data, strobe)),
                _ => {
                    pair.read(address);
                }
            }
            assert!(pair.tables.taken.len() <= pair.started);
        }
        pair.read_all();
        assert!(refused > 500 && finished > 100, "{refused} refused, {finished} commands");
    }
}

/// Responses in any cycle after the request; software polls STATUS as a driver does.
#[test]
fn round_trips_with_polling() {
    let mut pair = Pair::usable(&Config::small(), 7);
    pair.tables.pace = 0.3;
    for i in 0..200u32 {
        let read = i % 2 == 0;
        let (table, command) = if i % 3 == 0 { (3, 5) } else { (1, if read { 2 } else { 1 }) };
        let row: Vec<u32> = (0..6).map(|_| pair.bench.rng.u32(..)).collect();
        pair.write(0x40, table, 15);
        pair.write(0x44, i, 15);
        row.iter().zip(0..).for_each(|(word, at)| assert!(!pair.write(0x60 + 4 * at, *word, 15)));
        pair.write(0x48, command, 15);
        // The answer comes at once, in the very cycle after the request was taken, or later.
        pair.until(|pair| pair.tables.taken.len() == pair.started);
        let wait = pair.bench.rng.usize(..4);
        pair.cycles(wait);
        let polls = pair.bench.rng.usize(..2);
        (0..polls).for_each(|_| assert_eq!(pair.read(0x4c) & 1, 1));
        pair.finish(OUTCOMES[i as usize % 3]);
        assert_eq!(pair.read(0x4c), (i % 3) << 1);
        pair.read_all();
    }
}

/// A response that nobody waits for changes nothing.
#[test]
fn responses_without_a_request() {
    let mut pair = Pair::usable(&Config::small(), 8);
    pair.write(0x48, 2, 15);
    pair.finish(Outcome::Done);
    let data = pair.bench.word(192);
    pair.tables.answer = Some((Outcome::NotFound, data));
    pair.cycles(2);
    pair.read_all();
}

/// Reads and writes that both wait take turns: five cycles each, and one more where address and data are taken.
#[test]
fn reads_and_writes_take_turns() {
    let mut pair = Pair::usable(&Config::small(), 9);
    for i in 0..500 {
        pair.master.write(0x28, i, 15);
        pair.master.ar.queue.push_back(0x28);
    }
    let mut cycles = 0;
    while pair.master.written.len() + pair.master.read.len() < 1000 {
        pair.cycles(1);
        cycles += 1;
        assert!(pair.master.written.len().abs_diff(pair.master.read.len()) <= 1);
    }
    assert!(pair.master.written.iter().all(|refused| !refused));
    let ordered = pair.master.read.iter().map(|(value, _)| *value).is_sorted();
    assert!(ordered && pair.master.read.iter().all(|(_, refused)| !refused));
    assert!(cycles <= 1000 * 4 + 4, "{cycles} cycles");
}

/// No output of the bus follows an input within a cycle (A3.2.1 allows no combinational path).
#[test]
fn outputs_are_registers() {
    let mut pair = Pair::usable(&Config::small(), 10);
    pair.master.pace = 0.5;
    let axi = pair.io.axi;
    for i in 0..2000 {
        if i % 5 == 0 {
            pair.master.write(0x24, i, 15);
            pair.master.ar.queue.push_back(0x24);
        }
        pair.cycles(1);
        let outputs = |bench: &mut Bench| {
            let sim = &mut bench.sim;
            let flags =
                [axi.awready, axi.wready, axi.arready, axi.bvalid, axi.rvalid].map(|flag| sim.peek(flag));
            (flags, sim.peek(axi.bresp), sim.peek(axi.rresp), sim.peek(axi.rdata))
        };
        let before = outputs(&mut pair.bench);
        let inputs = [axi.awvalid, axi.wvalid, axi.arvalid, axi.bready, axi.rready];
        for input in inputs {
            let value = pair.bench.rng.bool();
            pair.bench.sim.poke(input, value);
        }
        let address = pair.bench.rng.u128(..0x1000);
        pair.bench.sim.poke(axi.awaddr, address);
        pair.bench.sim.poke(axi.araddr, address);
        assert_eq!(outputs(&mut pair.bench), before);
    }
}

#[test]
fn too_many_ports() {
    let errors = crate::testing::refusal(|| control(&Config { vfs: 63, ..largest() }));
    assert!(errors.contains("67 ports, the row of a table holds 66"), "{errors}");
}
