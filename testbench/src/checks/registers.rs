//! The manager's bus and what is behind it.

use super::*;
use rtl::{
    register_map::{Access, REGISTERS, Register, TABLES, register},
    veb::rows::{Operation, Outcome, Table},
};
use sim::random::Random;

const WORD_STROBE: u64 = 15;

/// The bits of a register that belong to fields.
fn mask(register: &Register) -> u32 {
    register
        .fields
        .iter()
        .map(|field| ((1u64 << field.position.width) - 1) << field.position.low)
        .sum::<u64>() as u32
}

/// Registers hold what is written to them, all of their bits and no others, and start again after reset. Every other
/// address is refused and reads 0, and so are writes of a part of a word.
pub fn every_address(sim: impl Simulator, config: &Config) {
    let mut bench = bench(sim, config, &Policy::new(config.wires, config.functions()), Losses::Forbidden);
    bench.reset().unwrap();
    let plain = |register: &&Register| {
        register.access == Access::ReadWrite && !["TABLE", "INDEX"].contains(&register.name)
    };
    for register in REGISTERS.iter().filter(plain) {
        let reset =
            register.fields.iter().map(|field| field.reset.unwrap_or(0) << field.position.low).sum::<u32>();
        assert_eq!(bench.read_register(register.offset).unwrap(), reset, "{} after reset", register.name);
    }
    let mut random = Random::new(1);
    for _ in 0..8 {
        let written: Vec<(&Register, u32)> =
            REGISTERS.iter().filter(plain).map(|register| (register, random.word() as u32)).collect();
        for (register, value) in &written {
            bench.write_register(register.offset, *value).unwrap();
        }
        for (register, value) in &written {
            let read = bench.read_register(register.offset).unwrap();
            assert_eq!(read, value & mask(register), "{} of {value:#x}", register.name);
        }
    }
    let fixed = [
        ("ID", 0x4845_4d31),
        ("VERSION", 1 << 16),
        ("PORTS", (config.wires << 8 | config.ports()) as u32),
        ("ENTRIES", config.entries as u32),
        ("CELLS", config.cells as u32),
        ("CELL_BYTES", config.cell_bytes() as u32),
        ("FREE_CELLS", config.cells as u32),
        ("COMMAND", 0),
        ("STATUS", 0),
    ];
    for (name, value) in fixed {
        assert_eq!(bench.read_register(register(name).offset).unwrap(), value, "{name}");
    }
    let strobe = bench.simulator().interface().find("axi_wstrb");
    let strobe = strobe.expect("the bus has strobes");
    let before = bench.read_register(register("DATA3").offset).unwrap();
    for lanes in 0..WORD_STROBE {
        bench.simulator().write(strobe, &[lanes]);
        assert!(bench.write_register(register("DATA3").offset, !before).is_err(), "strobe {lanes:#06b}");
    }
    bench.simulator().write(strobe, &[WORD_STROBE]);
    assert_eq!(bench.read_register(register("DATA3").offset).unwrap(), before);
    // An outcome that is not zero, and an entry that is not there.
    bench.command(Operation::Lookup, Table::Mac, 0, [0x5555_5555; 6]).unwrap();
    let data = bench.simulator().interface().find("axi_rdata");
    let data = data.expect("the bus has data");
    for address in (0..1 << 12).filter(|address| REGISTERS.iter().all(|register| register.offset != *address))
    {
        assert!(bench.read_register(address).is_err(), "read of {address:#x}");
        let mut read = [0];
        bench.simulator().read(data, &mut read);
        assert_eq!(read, [0], "what a refused read of {address:#x} gives");
        assert!(bench.write_register(address, 1).is_err(), "write of {address:#x}");
    }
    assert_agrees(&bench.finish().unwrap());
}

fn is_one(bench: &mut Bench<impl Simulator>, port: usize) -> bool {
    let mut word = [0];
    bench.simulator().read(port, &mut word);
    word == [1]
}

/// A response stays until it is taken.
pub fn responses_wait(sim: impl Simulator, config: &Config) {
    let mut bench = bench(sim, config, &open(config), Losses::Forbidden);
    let ports = bench.simulator().interface().ports.clone();
    let port =
        |name: &str| ports.iter().position(|port| port.name == format!("axi_{name}")).expect("of the bus");
    let address = register("DATA0").offset as u64;
    for (requests, valid, ready) in [(&["aw", "w"][..], "bvalid", "bready"), (&["ar"], "rvalid", "rready")] {
        let valid_at = port(valid);
        bench.simulator().write(port(ready), &[0]);
        for request in requests {
            let operand = if *request == "w" { "wdata".to_owned() } else { format!("{request}addr") };
            bench.simulator().write(port(&operand), &[address]);
            bench.simulator().write(port(&format!("{request}valid")), &[1]);
        }
        bench.cycle().unwrap();
        requests.iter().for_each(|request| bench.simulator().write(port(&format!("{request}valid")), &[0]));
        (0..10).for_each(|_| bench.cycle().unwrap());
        for _ in 0..20 {
            assert!(is_one(&mut bench, valid_at), "{valid} falls before {ready}");
            bench.cycle().unwrap();
        }
        bench.simulator().write(port(ready), &[1]);
        bench.cycle().unwrap();
        assert!(!is_one(&mut bench, valid_at), "{valid} stays");
    }
    assert_agrees(&bench.finish().unwrap());
}

/// A command is taken where it is defined for its table, with an index in range and a number without a bit too many;
/// others are refused.
pub fn every_command(sim: impl Simulator, config: &Config) {
    let mut bench = bench(sim, config, &Policy::new(config.wires, config.functions()), Losses::Forbidden);
    let [table_at, index_at, command_at] = ["TABLE", "INDEX", "COMMAND"].map(|name| register(name).offset);
    for table in 0..16 {
        bench.write_register(table_at, table).unwrap();
        let known = TABLES.get(table as usize);
        let rows = known.and_then(|known| known.rows).map(|rows| rows(config));
        let ends = [0, rows.unwrap_or(4096).min(4096) - 1, rows.unwrap_or(0).min(4095), 4095];
        for index in ends {
            bench.write_register(index_at, index as u32).unwrap();
            for command in (0..16u32).chain((4..32).map(|bit| 1 << bit | Operation::Read as u32)) {
                let defined = known.is_some_and(|known| {
                    let operation = |operation: &Operation| *operation as u32 == command;
                    known.operations.iter().any(operation) && rows.is_none_or(|rows| index < rows)
                });
                let taken = bench.write_register(command_at, command).is_ok();
                assert_eq!(taken, defined, "command {command:#x} of table {table}, row {index}");
                bench.await_tables().unwrap();
            }
        }
    }
    for bit in 4..32 {
        assert!(bench.write_register(table_at, 1 << bit).is_err(), "TABLE of {:#x}", 1 << bit);
    }
    for bit in 12..32 {
        assert!(bench.write_register(index_at, 1 << bit).is_err(), "INDEX of {:#x}", 1 << bit);
    }
    assert_agrees(&bench.finish().unwrap());
}

/// Rows hold what is written to them, far apart in their tables, until reset; then they are zero.
pub fn rows_hold_until_reset(sim: impl Simulator, config: &Config) {
    let mut bench = bench(sim, config, &Policy::new(config.wires, config.functions()), Losses::Forbidden);
    let (mut random, mut other) = (Random::new(2), Random::new(3));
    let mut row = |table: Table| {
        let ports = |value: u128| value & ((1 << config.ports()) - 1);
        let mut row = [0; 6];
        for field in TABLES[table as usize].fields {
            let value = u128::from(random.word()) & ((1 << field.position.width.min(64)) - 1);
            let cells = matches!(table, Table::Limit).then_some((2 * config.cells - 1) as u128);
            let value = cells.map_or(value, |most| value & most);
            let of_ports = field.position.width == rtl::register_map::MAX_PORTS;
            field.position.put(&mut row, if of_ports { ports(value) } else { value });
        }
        row
    };
    let mut written = vec![];
    for table in [
        Table::Port,
        Table::Vlan,
        Table::Multicast,
        Table::Mirror,
        Table::Ethertype,
        Table::Rate,
        Table::Limit,
    ] {
        let rows = TABLES[table as usize].rows.expect("a table with numbers")(config);
        let powers = (0..12).flat_map(|bit| [1 << bit, (1 << bit) - 1, !(1 << bit) & (rows - 1)]);
        let mut indices: Vec<usize> =
            powers.chain((0..rows).step_by(37)).filter(|index| *index < rows).collect();
        indices.sort_unstable();
        indices.dedup();
        for index in indices {
            let data = row(table);
            bench.command(Operation::Write, table, index, data).unwrap();
            written.push((table, index, data));
        }
    }
    // A read has nothing to do with what the data registers hold before.
    for (table, index, data) in &written {
        bench.command(Operation::Read, *table, *index, [0; 6].map(|_: u32| other.word() as u32)).unwrap();
        assert_eq!(bench.row().unwrap(), *data, "row {index} of {table:?}");
    }
    // All bits of the few rows that stand in registers, as zeros and as ones beside each other.
    for _ in 0..8 {
        for table in [Table::Mirror, Table::Ethertype] {
            let rows = TABLES[table as usize].rows.expect("a table with numbers")(config);
            let data: Vec<[u32; 6]> = (0..rows).map(|_| row(table)).collect();
            for (index, data) in data.iter().enumerate() {
                bench.command(Operation::Write, table, index, *data).unwrap();
            }
            for (index, data) in data.iter().enumerate() {
                bench
                    .command(Operation::Read, table, index, [0; 6].map(|_: u32| other.word() as u32))
                    .unwrap();
                assert_eq!(bench.row().unwrap(), *data, "row {index} of {table:?}");
            }
        }
    }
    // Entries of addresses in all buckets: as many as there are, so that most are in use.
    let entries: Vec<[u32; 6]> = (0..config.entries).map(|_| row(Table::Mac)).collect();
    let mut known = vec![];
    for entry in entries {
        if bench.command(Operation::Insert, Table::Mac, 0, entry).unwrap() == Outcome::Done {
            known.push(entry);
        }
    }
    assert!(known.len() > config.entries / 2, "{} entries", known.len());
    for entry in &known {
        let mut key = *entry;
        TABLES[Table::Mac as usize].fields[2].position.put(&mut key, 0);
        let outcome = bench.command(Operation::Lookup, Table::Mac, 0, key).unwrap();
        assert_eq!((outcome, bench.row().unwrap()), (Outcome::Done, *entry));
    }
    bench.reset().unwrap();
    for (table, index, _) in &written {
        bench.command(Operation::Read, *table, *index, [0; 6]).unwrap();
        assert_eq!(bench.row().unwrap(), [0; 6], "row {index} of {table:?} after reset");
    }
    for entry in &known {
        let outcome = bench.command(Operation::Lookup, Table::Mac, 0, *entry).unwrap();
        assert_eq!(outcome, Outcome::NotFound, "{entry:x?} after reset");
    }
    assert_agrees(&bench.finish().unwrap());
}
