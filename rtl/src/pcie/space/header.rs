//! The header of type 0 (7.5.1).

use super::{Attribute, Field, Kind, Live, Register, Structure, bits, constant, flag, register};
use crate::pcie::{Bar, MANAGER_DEVICE, NETWORK_DEVICE, NETWORK_SUBSYSTEM, VENDOR};

pub fn header(kind: Kind, first_capability: usize) -> Structure {
    let is_virtual = kind == Kind::Virtual;
    let multifunction =
        if is_virtual { Attribute::Constant(0) } else { Attribute::Live(Live::Multifunction) };
    let (vendor, device) = match kind {
        Kind::Physical => (VENDOR, NETWORK_DEVICE),
        Kind::Manager => (VENDOR, MANAGER_DEVICE),
        Kind::Virtual => (0xFFFF, 0xFFFF),
    };
    let class = if kind == Kind::Manager { 0x08_8000 } else { 0x02_0000 };
    let mut registers = vec![
        register(
            "id",
            0x00,
            vec![
                constant(
                    15,
                    0,
                    "vendor",
                    vendor,
                    "Vendor. A virtual function shows FFFF: software takes that of its physical function.",
                ),
                constant(31, 16, "device", device, "Device; likewise."),
            ],
        ),
        register("command_status", 0x04, command_and_status(is_virtual)),
        register(
            "class",
            0x08,
            vec![
                constant(
                    7,
                    0,
                    "revision",
                    1,
                    "Revision; at least 1 for a virtio device that is no transitional one (virtio 4.1.2.1).",
                ),
                constant(
                    31,
                    8,
                    "class",
                    class,
                    "Class: Ethernet controller, or of the manager another system peripheral.",
                ),
            ],
        ),
        register(
            "header_type",
            0x0C,
            vec![
                bits(7, 0, "cache_line", software(is_virtual), "Has no effect (7.5.1.1.7)."),
                constant(22, 16, "layout", 0, "Type 0."),
                flag(23, "multifunction", multifunction, "There is a function 1."),
            ],
        ),
    ];
    registers.extend(base_addresses(is_virtual, 0x10, Bar::of(kind)));
    registers.extend([
        register(
            "subsystem",
            0x2C,
            vec![
                constant(15, 0, "subsystem_vendor", VENDOR, "Vendor of the adapter."),
                constant(
                    31,
                    16,
                    "subsystem",
                    NETWORK_SUBSYSTEM,
                    "At least 40 for a virtio device that is no transitional one.",
                ),
            ],
        ),
        register(
            "capabilities",
            0x34,
            vec![constant(7, 0, "pointer", first_capability, "The first capability.")],
        ),
        register(
            "interrupt",
            0x3C,
            vec![
                bits(7, 0, "line", software(is_virtual), "Has no effect: there are no legacy interrupts."),
                constant(15, 8, "pin", 0, "No legacy interrupt."),
            ],
        ),
    ]);
    Structure { name: "header", offset: 0, clause: "7.5.1", registers }
}

/// Bits that software may use, where the function has them.
fn software(is_virtual: bool) -> Attribute {
    if is_virtual { Attribute::Constant(0) } else { Attribute::RW }
}

fn command_and_status(is_virtual: bool) -> Vec<Field> {
    let physical_only = software(is_virtual);
    vec![
        flag(
            1,
            "memory_space",
            physical_only,
            "Requests to the base addresses are answered. Those of virtual functions have a bit of their own in the SR-IOV capability.",
        ),
        flag(2, "bus_master", Attribute::RW, "The function may send requests and messages of interrupts."),
        flag(6, "parity_response", physical_only, "Poisoned data sets `master_data_parity`."),
        flag(8, "system_error", physical_only, "Errors may be reported, beside the bits of Device Control."),
        constant(20, 20, "capabilities_list", 1, "There are capabilities."),
        flag(
            24,
            "master_data_parity",
            Attribute::RW1C,
            "The function received a poisoned completion or sent a poisoned request while `parity_response` was set.",
        ),
        flag(
            27,
            "signaled_target_abort",
            Attribute::RW1C,
            "The function completed a request with Completer Abort.",
        ),
        flag(
            28,
            "received_target_abort",
            Attribute::RW1C,
            "A request of the function was completed with Completer Abort.",
        ),
        flag(
            29,
            "received_master_abort",
            Attribute::RW1C,
            "A request of the function was completed with Unsupported Request.",
        ),
        flag(
            30,
            "signaled_system_error",
            Attribute::RW1C,
            "The function sent an error message while `system_error` was set.",
        ),
        flag(31, "detected_parity", Attribute::RW1C, "The function received something poisoned."),
    ]
}

/// Registers of base addresses, two for each: 64 bit, not prefetchable. Those of a virtual function read 0 (9.3.4.1.11).
pub fn base_addresses(is_zero: bool, offset: usize, bars: [Bar; 2]) -> Vec<Register> {
    const NAMES: [[&str; 2]; 2] = [["bar0", "bar1"], ["bar2", "bar3"]];
    let mut registers = vec![];
    for (index, (bar, names)) in bars.into_iter().zip(NAMES).enumerate() {
        if is_zero {
            continue;
        }
        let low = vec![
            constant(2, 0, "kind", 0b100, "Memory, of 64 bit."),
            constant(3, 3, "prefetchable", 0, "Reading may have effects."),
            bits(31, bar.address_bits, "address", Attribute::RW, bar.doc),
        ];
        registers.push(register(names[0], offset + 8 * index, low));
        let high = vec![bits(31, 0, "address", Attribute::RW, "The upper half of the address.")];
        registers.push(register(names[1], offset + 8 * index + 4, high));
    }
    registers
}
