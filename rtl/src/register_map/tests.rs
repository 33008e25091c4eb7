//! The description is consistent, and is what issue 3's tables say.

use super::*;
use crate::veb::rows::{Operation, Outcome, Table as Id};
use std::collections::HashSet;

/// Words that are no identifiers in one of the two languages.
const KEYWORDS: &str = "abstract as async auto await become box break case char const continue crate default do double \
    dyn else enum extern false final float fn for goto if impl in inline int let long loop macro match mod move mut \
    override priv pub ref register restrict return self short signed sizeof static struct super switch trait true try \
    type typedef typeof union unsafe unsigned unsized use virtual void volatile where while yield";

/// Names are unique identifiers of one case.
pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>, letters: std::ops::RangeInclusive<char>) {
    let mut seen = HashSet::new();
    for name in names {
        assert!(seen.insert(name), "{name} occurs twice");
        assert!(name.starts_with(|c| letters.contains(&c)), "{name}");
        assert!(name.chars().all(|c| letters.contains(&c) || c.is_ascii_digit() || c == '_'), "{name}");
        assert!(!KEYWORDS.split_whitespace().any(|word| word == name), "{name} is a keyword");
    }
}

/// Fields keep within `words` and apart from each other; resets and values fit.
pub(crate) fn check_fields(owner: &str, fields: &[Field], words: usize) {
    check_names(fields.iter().map(|field| field.name), 'a'..='z');
    let mut used = vec![false; 32 * words];
    for Field { name, position, reset, values, doc } in fields {
        assert!(doc.ends_with('.') && position.low < 32 && position.width > 0, "{owner}.{name}");
        for bit in &mut used[position.bit()..position.bit() + position.width] {
            assert!(!*bit, "{owner}.{name} lies upon another field");
            *bit = true;
        }
        assert!(reset.is_none_or(|reset| u64::from(reset) >> position.width == 0), "{owner}.{name}");
        let values = values();
        assert!(values.iter().all(|value| value.number >> position.width == 0), "{owner}.{name}");
        // Behind the name of their field, where they are no keywords.
        let names: Vec<String> = values.iter().map(|value| value.name.to_uppercase()).collect();
        check_names(names.iter().map(String::as_str), 'A'..='Z');
    }
}

#[test]
fn registers_are_consistent() {
    check_names(REGISTERS.iter().map(|register| register.name), 'A'..='Z');
    let mut end = 0;
    for register in REGISTERS {
        assert!(register.offset >= end && register.offset.is_multiple_of(4), "{}", register.name);
        end = register.offset + 4;
        check_fields(register.name, register.fields, 1);
        assert!(register.fields.is_sorted_by_key(|field| field.position.low), "{}", register.name);
        if register.access == Access::ReadWrite {
            assert!(register.fields.iter().all(|field| field.reset.is_some()), "{}", register.name);
        }
    }
    assert!(end <= 1 << ADDRESS_BITS);
    // The decoder takes the number of the word from the address.
    let (row, _) = REGISTERS[REGISTERS.len() - WORDS..].as_chunks::<WORDS>();
    let names = ["DATA0", "DATA1", "DATA2", "DATA3", "DATA4", "DATA5"];
    assert_eq!(row[0].map(|register| register.name), names);
    assert_eq!(row[0].map(|register| register.offset % 32), [0, 4, 8, 12, 16, 20]);
}

#[test]
fn tables_are_consistent() {
    check_names(TABLES.iter().map(|table| table.name), 'A'..='Z');
    assert_eq!(TABLES.len(), Id::VARIANTS.len());
    let (mut least, mut most) = (Config::small(), Config { wires: 2, vfs: 62, ..Config::small() });
    (least.vfs, most.entries) = (0, 4096);
    assert_eq!(most.ports(), MAX_PORTS);
    for (position, (table, (name, id, ..))) in TABLES.iter().zip(Id::VARIANTS).enumerate() {
        assert_eq!((table.id, table.number()), (*id, position));
        assert_eq!(table.name, name.to_uppercase());
        check_fields(table.name, table.fields, WORDS);
        let by_key = [Operation::Insert, Operation::Delete, Operation::Lookup];
        assert!(table.operations.iter().all(|operation| by_key.contains(operation) == table.rows.is_none()));
        let index = register("INDEX").field("index").position;
        for config in [&least, &most] {
            let rows = table.rows.map_or(1, |rows| rows(config));
            assert!((1..=1 << index.width).contains(&rows), "{}: {rows} rows", table.name);
        }
    }
}

#[test]
fn kinds_are_consistent() {
    check_names(KINDS.iter().map(|kind| kind.name), 'a'..='z');
    assert!(KINDS.is_sorted_by(|a, b| a.number < b.number));
    assert!(KINDS.iter().all(|kind| kind.number < KINDS_PER_PORT));
}

/// Written down from the issue, not from the description.
#[test]
fn kinds_are_those_that_the_hardware_counts() {
    let listed = KINDS.iter().map(|kind| (kind.name.to_string(), kind.number as u128));
    let counted = variants::<crate::veb::statistics::Kind>().into_iter().map(|kind| (kind.name, kind.number));
    assert!(counted.eq(listed));
}

#[test]
fn positions_by_hand() {
    let offsets = ["TABLE", "INDEX", "COMMAND", "STATUS", "DATA0", "DATA5"].map(|name| register(name).offset);
    assert_eq!(offsets, [0x40, 0x44, 0x48, 0x4c, 0x60, 0x74]);
    let resets = [("RATE_OVERHEAD", "bytes"), ("STALL_CYCLES", "cycles"), ("RESERVE", "cells")]
        .map(|(name, field)| (register(name).field(field).position.width, register(name).field(field).reset));
    assert_eq!(resets, [(5, Some(24)), (16, Some(4096)), (16, Some(0))]);
    let at = |id, name| {
        let Position { word, low, width } = field(id, name);
        (word, low + width - 1, low)
    };
    let port: Vec<_> = [
        ("pvid", 11, 0),
        ("priority", 14, 12),
        ("service_tag", 15, 15),
        ("customer_tags", 16, 16),
        ("service_tags", 17, 17),
        ("admit_untagged", 18, 18),
        ("admit_tagged", 19, 19),
        ("admit_nested", 20, 20),
        ("ingress", 21, 21),
        ("egress", 22, 22),
        ("check_source", 23, 23),
        ("check_ethertype", 24, 24),
        ("mode", 26, 25),
        ("broadcast", 27, 27),
        ("may_unicast", 28, 28),
        ("may_multicast", 29, 29),
        ("may_vlan", 30, 30),
        ("prune", 31, 31),
    ]
    .into();
    assert_eq!(table(Id::Port).fields.len(), port.len() + 1);
    port.iter().for_each(|&(name, high, low)| assert_eq!(at(Id::Port, name), (0, high, low), "{name}"));
    assert_eq!(at(Id::Port, "default_ports"), (1, 65, 0));
    assert_eq!((at(Id::Vlan, "members"), at(Id::Vlan, "untagged")), ((0, 65, 0), (3, 65, 0)));
    assert_eq!(at(Id::Multicast, "functions"), (0, 65, 0));
    assert_eq!(at(Id::Mac, "mac"), (0, 47, 0));
    assert_eq!((at(Id::Mac, "vid"), at(Id::Mac, "ports")), ((1, 27, 16), (2, 65, 0)));
    assert_eq!((at(Id::Mirror, "enabled"), at(Id::Mirror, "egress")), ((0, 0, 0), (0, 1, 1)));
    assert_eq!(at(Id::Mirror, "by_vid"), (0, 2, 2));
    assert_eq!((at(Id::Mirror, "key"), at(Id::Mirror, "target")), ((0, 15, 4), (0, 22, 16)));
    assert_eq!((at(Id::Ethertype, "ethertype"), at(Id::Ethertype, "enabled")), ((0, 15, 0), (0, 16, 16)));
    assert_eq!((at(Id::Rate, "maximum"), at(Id::Rate, "class")), ((0, 15, 0), (0, 17, 16)));
    assert_eq!((at(Id::Rate, "burst"), at(Id::Rate, "quantum")), ((1, 16, 0), (2, 15, 0)));
    assert_eq!((field(Id::Limit, "cells").word, field(Id::Limit, "hold").word), (0, 1));
    assert_eq!((at(Id::Statistics, "frames"), at(Id::Statistics, "bytes")), ((0, 63, 0), (2, 63, 0)));
    let numbers = ["in_unicast", "out_broadcast", "error", "disabled", "filtered", "queue_full"]
        .map(|name| kind(name).number);
    assert_eq!(numbers, [0, 5, 8, 12, 17, 24]);
    let commands =
        [Operation::Write, Operation::Read, Operation::Insert, Operation::Delete, Operation::Lookup];
    assert_eq!(commands.map(|command| command as u8), [1, 2, 3, 4, 5]);
    assert_eq!([Outcome::Done, Outcome::NoRoom, Outcome::NotFound].map(|outcome| outcome as u8), [0, 1, 2]);
}

#[test]
fn values_go_in_and_out() {
    let mut row = [u32::MAX; WORDS];
    field(Id::Mac, "ports").put(&mut row, 0x3_0000_0000_8000_0001);
    assert_eq!(row, [u32::MAX, u32::MAX, 0x8000_0001, 0, u32::MAX, u32::MAX]);
    let mut row = [0; WORDS];
    field(Id::Mac, "mac").put(&mut row, 0x1122_3344_5566);
    field(Id::Mac, "vid").put(&mut row, 0xabc);
    assert_eq!(row[..2], [0x3344_5566, 0x0abc_1122]);
    assert_eq!((field(Id::Mac, "mac").get(&row), field(Id::Mac, "vid").get(&row)), (0x1122_3344_5566, 0xabc));
}

#[test]
#[should_panic(expected = "0x1000 does not fit in 12 bits")]
fn values_that_do_not_fit() {
    field(Id::Port, "pvid").put(&mut [0; WORDS], 0x1000);
}

#[test]
#[should_panic(expected = "there is no field of this name")]
fn fields_that_do_not_exist() {
    field(Id::Port, "pvids");
}

#[test]
fn macros_are_unique() {
    let header = c_header();
    let names = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split(' ').next());
    check_names(names, 'A'..='Z');
    assert!(header.contains("#define HEMATITE_VEB_ROW_PORT_MODE_MASK 0x06000000u\n"));
    assert!(header.contains("#define HEMATITE_VEB_STATUS_OUTCOME_NO_ROOM 1\n"));
}
