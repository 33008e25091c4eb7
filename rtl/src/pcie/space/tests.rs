//! The data is consistent, and is what the standard's tables say, by hand.

use super::*;
use crate::pcie::Bar;

const KINDS: [Kind; 3] = [Kind::Physical, Kind::Manager, Kind::Virtual];

fn of(kind: Kind) -> Vec<Structure> {
    space(&Config::small(), kind)
}

/// The register at an offset as it reads after a fundamental reset, in the SR-IOV personality, with other live bits 0.
fn reads(kind: Kind, offset: usize) -> u32 {
    let space = of(kind);
    let register = space.iter().flat_map(|it| &it.registers).find(|it| it.offset == offset);
    let value = |field: &Field| match field.attribute {
        Attribute::Constant(value) | Attribute::ReadWrite { reset: value, .. } => value << field.low,
        Attribute::Live(Live::Multifunction) => 1 << field.low,
        Attribute::Live(Live::SrIovList) => 0x140 << field.low,
        Attribute::Live(_) | Attribute::ClearedByOne(_) | Attribute::Logged(_) | Attribute::Action => 0,
    };
    register.map_or(0, |register| register.fields.iter().map(value).fold(0, |all, one| all | one))
}

#[test]
fn registers_and_fields_do_not_overlap() {
    for kind in KINDS {
        let space = of(kind);
        let offsets: Vec<usize> = space.iter().flat_map(|it| &it.registers).map(|it| it.offset).collect();
        assert!(offsets.is_sorted_by(|a, b| a < b), "{kind:?}: {offsets:x?}");
        assert!(offsets.iter().all(|offset| offset % 4 == 0 && *offset < 0x1000));
        for register in space.iter().flat_map(|it| &it.registers) {
            let mut seen = 0u32;
            for field in &register.fields {
                assert!(field.low + field.width <= 32, "{}.{}", register.name, field.name);
                assert_eq!(seen & field.mask(), 0, "{}.{}", register.name, field.name);
                seen |= field.mask();
            }
        }
    }
}

#[test]
fn a_structure_has_the_same_place_in_every_function() {
    let of_physical = of(Kind::Physical);
    for structure in KINDS.into_iter().flat_map(of) {
        let there = of_physical.iter().find(|it| it.name == structure.name);
        assert_eq!(there.map(|it| it.offset), Some(structure.offset), "{}", structure.name);
    }
    let routing = of_physical.iter().find(|it| it.name == "routing").map(|it| it.offset as u32);
    assert_eq!(routing, Some(0x140));
}

/// Follows the lists as software does.
#[test]
fn the_lists_of_capabilities_end() {
    let expected: [(Kind, &[u32], &[u32]); 3] = [
        (Kind::Physical, &[1, 0x10, 0x11, 9, 9, 9, 9, 9], &[1, 3, 0xD, 0xE, 0x10]),
        (Kind::Manager, &[1, 0x10, 0x11], &[1, 3, 0xD, 0xE]),
        (Kind::Virtual, &[0x10, 0x11, 9, 9, 9, 9, 9], &[1, 0xD, 0xE]),
    ];
    for (kind, standard, extended) in expected {
        let (mut offset, mut found) = (reads(kind, 0x34) as usize, vec![]);
        while offset != 0 {
            found.push(reads(kind, offset) & 0xFF);
            offset = (reads(kind, offset) >> 8 & 0xFF) as usize;
        }
        assert_eq!(found, standard, "{kind:?}");
        let (mut offset, mut found) = (0x100, vec![]);
        while offset != 0 {
            found.push(reads(kind, offset) & 0xFFFF);
            offset = (reads(kind, offset) >> 20) as usize;
        }
        assert_eq!(found, extended, "{kind:?}");
    }
}

/// Words that a driver checks, written down from the standard's figures.
#[test]
fn words_by_hand() {
    use Kind::{Manager, Physical, Virtual};
    for (kind, offset, word) in [
        (Physical, 0x00, 0x1041_1AF4),
        (Manager, 0x00, 0x10F0_1AF4),
        (Virtual, 0x00, 0xFFFF_FFFF),
        (Physical, 0x04, 0x0010_0000),
        (Virtual, 0x04, 0x0010_0000),
        (Physical, 0x08, 0x0200_0001),
        (Virtual, 0x08, 0x0200_0001),
        (Manager, 0x08, 0x0880_0001),
        (Physical, 0x0C, 0x0080_0000),
        (Virtual, 0x0C, 0x0000_0000),
        (Physical, 0x10, 0x0000_0004),
        (Physical, 0x2C, 0x0041_1AF4),
        (Virtual, 0x2C, 0x0041_1AF4),
        (Virtual, 0x10, 0x0000_0000),
        // Power management: D0, no soft reset.
        (Physical, 0x44, 0x0000_0008),
        // PCI Express of the physical function at 48: endpoint, version 2, FLR, role-based, tags of 8 bits, 512 bytes.
        (Physical, 0x48, 0x0002_8410),
        (Physical, 0x4C, 0x1000_8FE2),
        (Physical, 0x50, 0x0000_2010),
        (Physical, 0x54, 0x0040_0083),
        (Physical, 0x58, 0x1083_0000),
        (Virtual, 0x34, 0x0000_0048),
        (Virtual, 0x48, 0x0002_8410),
        (Virtual, 0x4C, 0x1000_8FE2),
        (Virtual, 0x50, 0x0000_0000),
        (Virtual, 0x54, 0x0040_0083),
        (Virtual, 0x58, 0x0000_0000),
        // MSI-X: 16 vectors, table at 0 and bits at 1000 of BAR 2.
        (Physical, 0x84, 0x000F_9011),
        (Physical, 0x88, 0x0000_0002),
        (Physical, 0x8C, 0x0000_1002),
        // Errors: only what is malformed is fatal.
        (Physical, 0x10C, 0x0004_0000),
        (Physical, 0x114, 0x0000_2000),
        (Virtual, 0x114, 0x0000_0000),
        // ARI: the manager follows the physical function.
        (Physical, 0x144, 0x0000_0100),
        (Manager, 0x144, 0x0000_0000),
        // SR-IOV.
        (Physical, 0x148, 0x0001_0010),
        (Physical, 0x14C, 0x0000_0002),
        (Physical, 0x154, 0x0003_0003),
        (Physical, 0x160, 0x1041_0000),
        (Physical, 0x164, 0x0000_0553),
        (Physical, 0x168, 0x0000_0001),
        (Physical, 0x16C, 0x0000_0004),
    ] {
        assert_eq!(reads(kind, offset), word, "{kind:?} {offset:#x}: {:#010x}", reads(kind, offset));
    }
}

/// The structures that a virtio device has, and no shared memory or vendor's data (virtio 4.1.4.2 to 4.1.4.9): their lengths hold
/// what follows the shortest one, all of them lie within the base address, apart from each other and aligned, and every queue
/// has a place for notifications of 4 bytes.
#[test]
fn the_virtio_structures() {
    for kind in [Kind::Physical, Kind::Virtual] {
        let (mut at, mut kinds, mut places) = (reads(kind, 0x34) as usize, vec![], vec![]);
        while at != 0 {
            let head = reads(kind, at);
            if head & 0xFF == 9 {
                let [bar, offset, bytes, more] = [4, 8, 12, 16].map(|word| reads(kind, at + word) as usize);
                let is_long = matches!(head >> 24, 2 | 5);
                assert_eq!(head >> 16 & 0xFF, if is_long { 20 } else { 16 });
                if head >> 24 == 2 {
                    assert!(more.is_power_of_two() && more % 4 == 0, "notify_off_multiplier {more}");
                    // As many queues as there can be, with `queue_notify_off` from 0 on.
                    assert!(bytes >= 2 * 4 * more + 4);
                }
                if head >> 24 != 5 {
                    assert_eq!((bar, offset % 4), (0, 0));
                    places.push(offset..offset + bytes);
                }
                kinds.push(head >> 24);
            }
            at = (head >> 8 & 0xFF) as usize;
        }
        assert_eq!(kinds, [1, 2, 3, 4, 5], "{kind:?}");
        places.sort_by_key(|place| place.start);
        assert!(places.windows(2).all(|pair| pair[0].end <= pair[1].start), "{places:x?}");
        assert!(places[3].end <= 1 << Bar::of(kind)[0].address_bits);
    }
}

/// A virtual function shows what is its own, and has nothing that is its physical function's (9.3.4).
#[test]
fn what_a_virtual_function_has() {
    let space = of(Kind::Virtual);
    let (_, bus_master) = field(&space, "header.command_status.bus_master").unwrap();
    assert_eq!(bus_master.attribute, Attribute::RW);
    let written: Vec<String> = space
        .iter()
        .flat_map(|structure| structure.registers.iter().map(move |register| (structure, register)))
        .flat_map(|(structure, register)| {
            register.fields.iter().map(move |field| (structure, register, field))
        })
        .filter(|(.., field)| matches!(field.attribute, Attribute::ReadWrite { .. } | Attribute::Action))
        .map(|(structure, register, field)| format!("{}.{}.{}", structure.name, register.name, field.name))
        .collect();
    assert_eq!(
        written,
        [
            "header.command_status.bus_master",
            "express.device_control.function_reset",
            "msix.head.function_mask",
            "msix.head.enable",
            "virtio_access.place.bar",
            "virtio_access.offset.offset",
            "virtio_access.size.size",
        ]
    );
}

#[test]
#[should_panic(expected = "no field `header.command_status.parking`")]
fn a_field_that_does_not_exist() {
    assert!(field(&of(Kind::Manager), "virtualization.control.enable").is_none());
    field(&of(Kind::Manager), "header.command_status.parking");
}

#[test]
fn the_reference_has_every_field() {
    let page = reference(&Config::small());
    for kind in [Kind::Physical, Kind::Manager, Kind::Virtual] {
        for field in of(kind).iter().flat_map(|it| &it.registers).flat_map(|it| &it.fields) {
            assert!(page.contains(&format!("| `{}` |", field.name)), "{}", field.name);
        }
    }
}
