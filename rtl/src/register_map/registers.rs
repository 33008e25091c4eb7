//! The registers of the bus.

use super::{Access, Access::*, Field, MAX_PORTS, Register, bits, flag};
use crate::veb::rows::{Operation, Outcome, Table};

/// Bits of an address.
pub const ADDRESS_BITS: usize = 12;

/// All registers, in the order of their addresses.
pub const REGISTERS: &[Register] = &[
    Register {
        fields: &[bits(0, 31, 0, "id", "The letters HEM1.").reset(0x4845_4d31)],
        ..register("ID", 0x000, ReadOnly, "Tells what is there.")
    },
    Register {
        fields: &[
            bits(0, 15, 0, "minor", "Goes up where something is added.").reset(0),
            bits(0, 31, 16, "major", "Goes up where a driver has to change.").reset(1),
        ],
        ..register("VERSION", 0x004, ReadOnly, "Version of this register map.")
    },
    Register {
        fields: &[
            bits(0, 6, 0, "ports", "Ports of the bridge: wires first, then the manager, the PF and the VFs."),
            bits(0, 9, 8, "wires", "How many of them are wires."),
        ],
        ..register("PORTS", 0x008, ReadOnly, "Size of the bridge.")
    },
    Register {
        fields: &[bits(0, 12, 0, "entries", "Entries of the table MAC, four for each hash value.")],
        ..register("ENTRIES", 0x00c, ReadOnly, "Size of the table of addresses.")
    },
    Register {
        fields: &[bits(0, 16, 0, "cells", "Cells of the packet buffer.")],
        ..register("CELLS", 0x010, ReadOnly, "Size of the packet buffer.")
    },
    Register {
        fields: &[bits(0, 8, 0, "bytes", "Bytes of a cell.")],
        ..register("CELL_BYTES", 0x014, ReadOnly, "Size of a cell; a frame takes whole cells.")
    },
    Register {
        fields: &[bits(0, 16, 0, "cells", "Cells that are free at this moment.")],
        ..register("FREE_CELLS", 0x018, ReadOnly, "Level of the packet buffer.")
    },
    Register {
        fields: &[bits(
            0,
            4,
            0,
            "bytes",
            "Bytes that rates count with each frame on top of its own; after reset FCS 4, preamble 8, gap 12.",
        )
        .reset(24)],
        ..register("RATE_OVERHEAD", 0x020, ReadWrite, "What a frame costs beside its bytes.")
    },
    Register {
        fields: &[bits(
            0,
            15,
            0,
            "cycles",
            "A port whose egress has a beat and takes none for one to two times so many cycles counts as dead; 0: never.",
        )
        .reset(4096)],
        ..register("STALL_CYCLES", 0x024, ReadWrite, "When a port counts as dead.")
    },
    Register {
        fields: &[bits(
            0,
            15,
            0,
            "cells",
            "Cells kept for frames from wires: frames of functions do not begin while fewer are free, and queues share what is beyond.",
        )
        .reset(0)],
        ..register("RESERVE", 0x028, ReadWrite, "Precedence of the wires in the packet buffer.")
    },
    Register {
        fields: &[bits(0, 3, 0, "table", "Number of a table.").reset(0).holds::<Table>()],
        ..locked("TABLE", 0x040, ReadWrite, "The table that the next command works on.")
    },
    Register {
        fields: &[bits(0, 11, 0, "index", "Number of a row.").reset(0)],
        ..locked("INDEX", 0x044, ReadWrite, "The row that the next command works on; unused where a key finds it.")
    },
    Register {
        fields: &[bits(0, 2, 0, "command", "What to do.").holds::<Operation>()],
        ..locked("COMMAND", 0x048, Command, "Writing starts a command on the row; STATUS tells when it is done.")
    },
    Register {
        fields: &[
            flag(0, 0, "busy", "A command runs, or the tables still clear themselves after reset."),
            bits(0, 2, 1, "outcome", "How the last command ended; done after reset.").holds::<Outcome>(),
        ],
        ..register("STATUS", 0x04c, ReadOnly, "State of the commands.")
    },
    data("DATA0", 0x060),
    data("DATA1", 0x064),
    data("DATA2", 0x068),
    data("DATA3", 0x06c),
    data("DATA4", 0x070),
    data("DATA5", 0x074),
];

const fn register(name: &'static str, offset: usize, access: Access, doc: &'static str) -> Register {
    Register { name, offset, access, locked: false, fields: &[], doc }
}

const fn locked(name: &'static str, offset: usize, access: Access, doc: &'static str) -> Register {
    Register { locked: true, ..register(name, offset, access, doc) }
}

/// A word of a row.
const fn data(name: &'static str, offset: usize) -> Register {
    const FIELDS: &[Field] = &[bits(0, 31, 0, "data", "A word of the row.").reset(0)];
    let doc = "What a command writes, or the key it looks for; the row that a read or lookup has brought.";
    Register { fields: FIELDS, ..locked(name, offset, ReadWrite, doc) }
}

const _: () = assert!(MAX_PORTS < 1 << 7, "the field `ports` holds the number of ports");
