//! The extended capabilities, from 100 on.

use super::{
    Attribute, Field, Kind, Live, Register, Sticky, Structure, bits, constant, flag, header::base_addresses,
    link, register,
};
use crate::{
    config::Config,
    pcie::{Bar, NETWORK_DEVICE},
};

/// In the order of their list.
pub fn capabilities(config: &Config, kind: Kind) -> Vec<Structure> {
    let is_virtual = kind == Kind::Virtual;
    let mut linked = link(
        0x100,
        vec![
            (true, error_reporting(kind)),
            (!is_virtual, serial_number()),
            (true, access_control()),
            (true, alternative_routing(kind)),
            (kind == Kind::Physical && config.vfs > 0, virtualization(config)),
        ],
    );
    // In the legacy personality the list ends here.
    let access = linked.iter_mut().find(|it| it.name == "access").expect("every function has it");
    if !is_virtual {
        *access.next_mut() = Attribute::Live(Live::SrIovList);
    }
    linked
}

fn head(id: usize, version: usize) -> Register {
    let fields = vec![
        constant(15, 0, "id", id, "Which capability."),
        constant(19, 16, "version", version, "Of the structure."),
        constant(31, 20, "next", 0, "The next extended capability; 0 for none."),
    ];
    register("head", 0x00, fields)
}

/// An error that the transaction layer can find: its bit, its name, and whether it is of one function, and fatal if
/// nobody says otherwise.
const UNCORRECTABLE: [(usize, &str, bool, bool, &str); 6] = [
    (12, "poisoned", true, false, "Poisoned data was received."),
    (14, "completion_timeout", true, false, "A request of the function got no completion."),
    (15, "completer_abort", true, false, "The function completed a request with Completer Abort."),
    (16, "unexpected_completion", true, false, "A completion came that nobody waits for."),
    (18, "malformed", false, true, "Something malformed was received."),
    (20, "unsupported_request", true, false, "The function does not support a request that it got."),
];

fn error_reporting(kind: Kind) -> Structure {
    let is_virtual = kind == Kind::Virtual;
    let each = |attribute: &dyn Fn(bool) -> Attribute| -> Vec<Field> {
        let known = UNCORRECTABLE.into_iter().filter(|(_, _, of_function, ..)| *of_function || !is_virtual);
        known.map(|(bit, name, _, fatal, doc)| flag(bit, name, attribute(fatal), doc)).collect()
    };
    let none = |fields: Vec<Field>| if is_virtual { vec![] } else { fields };
    let advisory = |attribute| {
        vec![flag(
            13,
            "advisory",
            attribute,
            "An uncorrectable error that is not this function's to report (6.2.3.2.4).",
        )]
    };
    let pointer =
        bits(4, 0, "first_error", Attribute::Logged(Sticky::Yes), "Bit of the error whose header is logged.");
    let mut registers = vec![
        head(0x0001, 2),
        register("uncorrectable_status", 0x04, each(&|_| Attribute::RW1CS)),
        register("uncorrectable_mask", 0x08, none(each(&|_| Attribute::rws(0)))),
        register("uncorrectable_severity", 0x0C, none(each(&|fatal| Attribute::rws(fatal.into())))),
        register("correctable_status", 0x10, advisory(Attribute::RW1CS)),
        register("correctable_mask", 0x14, none(advisory(Attribute::rws(1)))),
        register("control", 0x18, vec![pointer]),
    ];
    for (index, name) in ["log0", "log1", "log2", "log3"].into_iter().enumerate() {
        let header =
            bits(31, 0, "header", Attribute::Logged(Sticky::Yes), "A word of the header that was in error.");
        registers.push(register(name, 0x1C + 4 * index, vec![header]));
    }
    Structure { name: "errors", offset: 0, clause: "7.8.4", registers }
}

fn alternative_routing(kind: Kind) -> Structure {
    let next = if kind == Kind::Physical { 1 } else { 0 };
    let fields =
        vec![constant(15, 8, "next_function", next, "The next function that is not virtual; 0 for none.")];
    let registers = vec![head(0x000E, 1), register("capabilities", 0x04, fields)];
    Structure { name: "routing", offset: 0, clause: "7.8.7", registers }
}

/// No bit is implemented, which says that functions cannot reach each other inside (6.12.1.2).
fn access_control() -> Structure {
    let registers = vec![head(0x000D, 1), register("capabilities", 0x04, vec![])];
    Structure { name: "access", offset: 0, clause: "7.7.8", registers }
}

fn serial_number() -> Structure {
    let half = |which, doc| vec![bits(31, 0, "number", Attribute::Live(which), doc)];
    let registers = vec![
        head(0x0003, 1),
        register("low", 0x04, half(Live::SerialLow, "The lower half of the adapter's EUI-64.")),
        register("high", 0x08, half(Live::SerialHigh, "The upper half.")),
    ];
    Structure { name: "serial", offset: 0, clause: "7.9.3", registers }
}

fn virtualization(config: &Config) -> Structure {
    let capabilities = vec![
        constant(0, 0, "migration", 0, "Virtual functions do not migrate by this capability."),
        constant(
            1,
            1,
            "routing_preserved",
            1,
            "`alternative_routing` survives a reset of the function and D3hot.",
        ),
    ];
    let control = vec![
        flag(0, "enable", Attribute::RW, "The virtual functions are there."),
        flag(3, "memory_space", Attribute::RW, "Their base addresses are answered."),
        flag(
            4,
            "alternative_routing",
            Attribute::rws(0),
            "Functions of this device may have numbers up to 255 (6.13). Decides where virtual functions are.",
        ),
    ];
    let numbers = vec![
        constant(15, 0, "initial", config.vfs, "Virtual functions at first: all."),
        constant(31, 16, "total", config.vfs, "Virtual functions at most."),
    ];
    let chosen = vec![
        bits(
            15,
            0,
            "number",
            Attribute::RW,
            "Virtual functions; cannot be written while they are enabled, nor above `total`.",
        ),
        constant(23, 16, "dependency", 0, "The physical function depends on no other."),
    ];
    let places = vec![
        bits(
            15,
            0,
            "first",
            Attribute::Live(Live::FirstVfOffset),
            "Routing ID of the first virtual function, less that of the physical one.",
        ),
        bits(31, 16, "stride", Attribute::Live(Live::VfStride), "Routing IDs between two of them."),
    ];
    let device = vec![constant(31, 16, "device", NETWORK_DEVICE, "Device of the virtual functions.")];
    let supported = vec![constant(31, 0, "sizes", PAGE_SIZES, "A bit for each power of two from 4 KiB up.")];
    let size = vec![bits(
        31,
        0,
        "size",
        Attribute::rw(1),
        "The page size: one of those bits, which base addresses of virtual functions are aligned to. Anything else is not written, nor while they are enabled.",
    )];
    let mut registers = vec![
        head(0x0010, 1),
        register("capabilities", 0x04, capabilities),
        register("control", 0x08, control),
        register("initial_total", 0x0C, numbers),
        register("number", 0x10, chosen),
        register("places", 0x14, places),
        register("vf_device", 0x18, device),
        register("supported_pages", 0x1C, supported),
        register("system_page", 0x20, size),
    ];
    registers.extend(base_addresses(false, 0x24, Bar::of(Kind::Virtual)));
    registers.push(register("migration", 0x3C, vec![]));
    Structure { name: "virtualization", offset: 0, clause: "9.3.3", registers }
}

/// 4 KiB, 8 KiB, 64 KiB, 256 KiB, 1 MiB and 4 MiB: those that must be supported.
pub const PAGE_SIZES: usize = 0x553;
