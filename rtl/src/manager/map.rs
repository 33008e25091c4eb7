//! The manager's own registers as data: its decoder, the header for drivers ([`c_header()`]) and the printed reference
//! ([`reference()`]) are made of them.

use super::{FRAME, MANAGEMENT_BITS};
use crate::{
    register_map::{Access, Access::*, Field, Header, Register, bits, flag, register_of, register_tables},
    virtio::types::Cause,
};

/// Where each part begins, in bytes.
pub mod base {
    /// The adapter's own registers.
    pub const OWN: usize = 0x1000;
    /// The registers of function 0.
    pub const FUNCTIONS: usize = 0x2000;
    /// From the registers of a function to those of the next.
    pub const FUNCTION_STRIDE: usize = 64;
    /// The frame that the manager sends.
    pub const SEND_BUFFER: usize = 0x3000;
    /// The frame that it received.
    pub const RECEIVE_BUFFER: usize = 0x3800;
}

/// Bytes of a buffer for a frame.
pub const BUFFER: usize = base::RECEIVE_BUFFER - base::SEND_BUFFER;
const _: () = assert!(FRAME <= BUFFER && base::RECEIVE_BUFFER + BUFFER == 1 << MANAGEMENT_BITS);

/// The adapter's own registers, in the order of their addresses.
pub const REGISTERS: &[Register] = &[
    Register {
        fields: &[bits(0, 31, 0, "id", "The letters HEMM.").reset(0x4845_4d4d)],
        ..register("ID", 0x1000, ReadOnly, "Tells what is there.")
    },
    Register {
        fields: &[
            bits(0, 15, 0, "minor", "Goes up where something is added.").reset(0),
            bits(0, 31, 16, "major", "Goes up where a driver has to change.").reset(1),
        ],
        ..register("VERSION", 0x1004, ReadOnly, "Version of the manager's registers.")
    },
    Register {
        fields: &[
            bits(0, 6, 0, "functions", "Functions: the physical one, the manager, and the virtual ones."),
            bits(0, 10, 8, "pairs", "Pairs of queues of each."),
            bits(0, 13, 12, "wires", "Wires."),
        ],
        ..register("FUNCTIONS", 0x1008, ReadOnly, "Size of the adapter.")
    },
    functions("DRIVER_OK0", 0x1010, ReadOnly, "Functions 0 to 31 with a driver."),
    functions("DRIVER_OK1", 0x1014, ReadOnly, "Functions 32 to 63 likewise."),
    functions(
        "WAS_RESET0",
        0x1018,
        Acknowledge,
        "Functions 0 to 31 that were reset since that was acknowledged.",
    ),
    functions("WAS_RESET1", 0x101c, Acknowledge, "Functions 32 to 63 likewise."),
    functions(
        "BROKEN0",
        0x1020,
        Acknowledge,
        "Functions 0 to 31 of which a queue broke since that was acknowledged.",
    ),
    functions("BROKEN1", 0x1024, Acknowledge, "Functions 32 to 63 likewise."),
    Register {
        fields: EVENTS,
        ..register("EVENTS", 0x1028, Acknowledge, "What has happened since it was acknowledged.")
    },
    Register {
        fields: &[bits(0, 4, 0, "events", "A bit for each bit of EVENTS.").reset(0)],
        ..register("EVENT_ENABLE", 0x102c, ReadWrite, "Events that ask for vector 1 of the manager.")
    },
    Register {
        fields: &[bits(0, 1, 0, "up", "Wires whose link is up, a bit each.")],
        ..register("LINK", 0x1030, ReadOnly, "State of the wires.")
    },
    Register {
        fields: &[bits(0, 10, 0, "length", "Bytes of the frame: 1 to 1536.")],
        ..locked("SEND", 0x1040, Command, "Sends the frame in the send buffer.")
    },
    Register {
        fields: &[flag(0, 0, "busy", "The frame has not left yet.")],
        ..register("SEND_STATUS", 0x1044, ReadOnly, "State of the frame that is sent.")
    },
    Register {
        fields: &[bits(0, 31, 0, "ports", "Ports 0 to 31, a bit each.").reset(0)],
        ..locked("SEND_PORTS0", 0x1048, ReadWrite, "Where a frame goes past all rules.")
    },
    Register {
        fields: &[bits(0, 31, 0, "ports", "Ports 32 to 63, a bit each.").reset(0)],
        ..locked("SEND_PORTS1", 0x104c, ReadWrite, "Where a frame goes past all rules.")
    },
    Register {
        fields: &[
            bits(0, 1, 0, "ports", "Ports 64 and 65, a bit each.").reset(0),
            flag(0, 31, "forced", "The ports count; else the frame is like any other.").reset(0),
        ],
        ..locked("SEND_PORTS2", 0x1050, ReadWrite, "Where a frame goes past all rules.")
    },
    Register {
        fields: &[
            bits(0, 10, 0, "length", "Bytes of the frame."),
            bits(0, 22, 16, "source", "The port that it came in at."),
            flag(0, 31, "kept", "There is a frame; else the other fields mean nothing."),
        ],
        ..register("RECEIVED", 0x1058, ReadOnly, "The frame in the receive buffer.")
    },
    Register {
        fields: &[],
        ..register("RELEASE", 0x105c, Command, "Writing anything makes room for the next frame.")
    },
    Register {
        fields: &[bits(0, 31, 0, "frames", "How many; wraps.")],
        ..register(
            "LOST",
            0x1060,
            ReadOnly,
            "Frames that came while one was kept, longer ones than 1536 bytes, and bad ones.",
        )
    },
];

const EVENTS: &[Field] = &[
    flag(0, 0, "broke", "A queue broke: BROKEN tells of which function."),
    flag(0, 1, "link", "A link changed. After reset, one that is up has."),
    flag(0, 2, "received", "A frame has come into the receive buffer."),
    flag(0, 3, "sent", "The frame in the send buffer has left."),
    flag(0, 4, "lost", "A frame was lost: LOST has gone up."),
];

/// How many events there are.
pub const EVENT_COUNT: usize = EVENTS.len();

/// The registers of each function; offsets count from its first.
pub const FUNCTION_REGISTERS: &[Register] = &[
    Register {
        fields: &[bits(0, 31, 0, "mac", "Its last four bytes; the last one in bits 7:0.").reset(0)],
        ..register("MAC_LOW", 0x00, ReadWrite, "The function's address, unless its driver sets one.")
    },
    Register {
        fields: &[bits(0, 15, 0, "mac", "Its first two bytes; the first one in bits 15:8.").reset(0)],
        ..register("MAC_HIGH", 0x04, ReadWrite, "The function's address, unless its driver sets one.")
    },
    Register {
        fields: &[bits(0, 15, 0, "mtu", "In bytes; below 68 counts as 68.").reset(0)],
        ..register("MTU", 0x08, ReadWrite, "The largest MTU. Not to be changed while there is a driver.")
    },
    Register {
        fields: &[bits(0, 31, 0, "speed", "In Mb/s; all ones for unknown.").reset(0)],
        ..register("SPEED", 0x0c, ReadWrite, "Speed of the link.")
    },
    Register {
        fields: &[
            flag(0, 0, "link_up", "The link is up.").reset(0),
            flag(0, 1, "announce", "The driver is asked once to announce itself, when the row is applied.")
                .reset(0),
            bits(0, 15, 8, "duplex", "1 full, 0 half, 255 unknown.").reset(0),
        ],
        ..register(
            "STATE",
            0x10,
            ReadWrite,
            "State of the link. Writing it applies the five words up to here, as one row.",
        )
    },
    Register {
        fields: &[flag(0, 0, "may_address", "It may have addresses beside its own.").reset(0)],
        ..register("RIGHTS", 0x14, ReadWrite, "What the function may do.")
    },
    moderation(
        "MODERATION_RECEIVE",
        0x18,
        "Interrupts of its receive queues; counts when MODERATION_TRANSMIT is written.",
    ),
    moderation("MODERATION_TRANSMIT", 0x1c, "Interrupts of its other queues. Writing it applies both."),
    Register {
        fields: &[bits(0, 31, 0, "frames", "How many; wraps.").reset(0)],
        ..register("DROPPED", 0x20, Clear, "Frames for the function that found no buffer.")
    },
    Register {
        fields: &[
            bits(0, 3, 0, "cause", "Why the last one broke.").reset(0).holds::<Cause>(),
            bits(
                0,
                7,
                4,
                "slot",
                "Which it was: receive and transmit queues in turn, the control queue last.",
            )
            .reset(0),
            bits(0, 31, 16, "count", "How many; wraps.").reset(0),
        ],
        ..register("FAULT", 0x24, ReadOnly, "Queues of the function that broke. 0 before the first.")
    },
];

const fn register(name: &'static str, offset: usize, access: Access, doc: &'static str) -> Register {
    Register { name, offset, access, locked: false, fields: &[], doc }
}

const fn locked(name: &'static str, offset: usize, access: Access, doc: &'static str) -> Register {
    Register { locked: true, ..register(name, offset, access, doc) }
}

/// A bit for each of 32 functions.
const fn functions(name: &'static str, offset: usize, access: Access, doc: &'static str) -> Register {
    const FIELDS: &[Field] = &[bits(0, 31, 0, "functions", "A bit each; 0 for those that do not exist.")];
    Register { fields: FIELDS, ..register(name, offset, access, doc) }
}

const fn moderation(name: &'static str, offset: usize, doc: &'static str) -> Register {
    const FIELDS: &[Field] = &[
        bits(0, 15, 0, "time", "Microseconds after which an interrupt is due at the latest.").reset(0),
        bits(0, 23, 16, "frames", "Buffers after which it is due; 0 for any number.").reset(0),
    ];
    Register { fields: FIELDS, ..register(name, offset, ReadWrite, doc) }
}

/// One of the adapter's own registers by its name.
///
/// # Panics
/// If there is none.
pub const fn own(name: &str) -> &'static Register {
    register_of(REGISTERS, name)
}

/// One of a function's registers by its name.
///
/// # Panics
/// If there is none.
pub const fn of_function(name: &str) -> &'static Register {
    register_of(FUNCTION_REGISTERS, name)
}

/// The bits of a register that belong to fields.
pub fn mask(register: &Register) -> u32 {
    let ones = |field: &Field| (((1u64 << field.position.width) - 1) << field.position.low) as u32;
    register.fields.iter().map(ones).sum()
}

/// A C99 header with offsets and fields, as that of the bridge ([`crate::register_map::c_header()`]).
pub fn c_header() -> String {
    let mut header = Header::new(
        "HEMATITE_MANAGER",
        "Registers of the Hematite manager; generated from rtl/src/manager/map.rs.\n \
         * The registers of the bridge come before them: see hematite_veb.h.",
    );
    header.registers(REGISTERS);
    header.section(
        "The registers of function n begin at FUNCTIONS_BASE + n * FUNCTION_STRIDE; offsets count from there",
    );
    header.define("FUNCTIONS_BASE", format!("0x{:04x}", base::FUNCTIONS));
    header.define("FUNCTION_STRIDE", base::FUNCTION_STRIDE.to_string());
    header.registers(FUNCTION_REGISTERS);
    header.section("Buffers");
    header.define("SEND_BUFFER", format!("0x{:04x}", base::SEND_BUFFER));
    header.define("RECEIVE_BUFFER", format!("0x{:04x}", base::RECEIVE_BUFFER));
    header.define("LONGEST_FRAME", FRAME.to_string());
    header.finish()
}

/// The registers as Markdown.
pub fn reference() -> String {
    format!(
        "### The adapter's own\n\n{}\n### Of each function\n\n{}",
        register_tables(REGISTERS),
        register_tables(FUNCTION_REGISTERS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register_map::tests::{check_fields, check_names};

    #[test]
    fn registers_are_consistent() {
        let function_end = base::FUNCTIONS + base::FUNCTION_STRIDE;
        let spaces = [
            (REGISTERS, base::OWN, base::FUNCTIONS),
            (FUNCTION_REGISTERS, 0, function_end - base::FUNCTIONS),
        ];
        for (registers, first, end) in spaces {
            check_names(registers.iter().map(|register| register.name), 'A'..='Z');
            let mut next = first;
            for register in registers {
                let Register { name, offset, access, fields, doc, .. } = register;
                assert!(*offset >= next && offset.is_multiple_of(4) && doc.ends_with('.'), "{name}");
                next = offset + 4;
                check_fields(name, fields, 1);
                assert!(fields.is_sorted_by_key(|field| field.position.low), "{name}");
                assert!(*access != ReadWrite || fields.iter().all(|field| field.reset.is_some()), "{name}");
            }
            assert!(next <= end);
        }
        assert_eq!(EVENT_COUNT, own("EVENT_ENABLE").field("events").position.width);
    }

    /// Written down from the rules of the page.
    #[test]
    fn positions_by_hand() {
        let offsets = ["ID", "FUNCTIONS", "EVENTS", "SEND", "RECEIVED", "LOST"].map(|name| own(name).offset);
        assert_eq!(offsets, [0x1000, 0x1008, 0x1028, 0x1040, 0x1058, 0x1060]);
        let offsets = ["MAC_LOW", "STATE", "RIGHTS", "MODERATION_TRANSMIT", "DROPPED", "FAULT"]
            .map(|name| of_function(name).offset);
        assert_eq!(offsets, [0, 0x10, 0x14, 0x1c, 0x20, 0x24]);
        assert_eq!(mask(of_function("STATE")), 0xff03);
        assert_eq!(mask(own("SEND_PORTS2")), 0x8000_0003);
    }

    #[test]
    fn macros_are_unique() {
        let header = c_header();
        let names = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split(' ').next());
        check_names(names, 'A'..='Z');
        assert!(header.contains("#define HEMATITE_MANAGER_STATE_DUPLEX_MASK 0x0000ff00u\n"));
        assert!(header.contains("#define HEMATITE_MANAGER_FAULT_CAUSE_LOOP 3\n"));
    }
}
