//! The capabilities below 100.

use super::{Attribute, Field, Kind, Live, Register, Structure, bits, constant, flag, link, register};
use crate::pcie::{MSIX_BAR, PENDING_OFFSET, REGISTER_BAR, VECTORS, window};

/// In the order of their list.
pub fn capabilities(kind: Kind) -> Vec<Structure> {
    let is_virtual = kind == Kind::Virtual;
    let mut all = vec![(!is_virtual, power_management()), (true, express(is_virtual)), (true, msix())];
    all.extend(virtio().into_iter().map(|structure| (kind != Kind::Manager, structure)));
    let linked = link(FIRST, all);
    let end = linked.last().map_or(FIRST, |last| last.offset + last.size());
    assert!(end <= 0x100, "the capabilities end at {end:#x}");
    linked
}

/// Where capabilities begin.
const FIRST: usize = 0x40;

/// The first register of a capability; more fields follow its identity and its pointer.
fn head(id: usize, more: Vec<Field>) -> Register {
    let mut fields = vec![
        constant(7, 0, "id", id, "Which capability."),
        constant(15, 8, "next", 0, "The next capability; 0 for none."),
    ];
    fields.extend(more);
    register("head", 0x00, fields)
}

fn power_management() -> Structure {
    let version = constant(18, 16, "version", 3, "Of the PCI Power Management Interface Specification.");
    let control = vec![
        bits(
            1,
            0,
            "power_state",
            Attribute::RW,
            "0 is D0, 3 is D3hot; other values are not written. In D3hot the function sends nothing and answers configuration requests only.",
        ),
        constant(3, 3, "no_soft_reset", 1, "Coming back from D3hot resets nothing."),
    ];
    let registers = vec![head(0x01, vec![version]), register("control", 0x04, control)];
    Structure { name: "power", offset: 0, clause: "7.5.2", registers }
}

fn express(is_virtual: bool) -> Structure {
    let zero = Attribute::Constant(0);
    let of_physical = |attribute| if is_virtual { zero } else { attribute };
    let of_link =
        |high, low, name, value, doc| constant(high, low, name, if is_virtual { 0 } else { value }, doc);
    let identity = vec![
        constant(19, 16, "version", 2, "Of the structure."),
        constant(23, 20, "port", 0, "Endpoint."),
        constant(29, 25, "message", 0, "Vector of interrupts of this structure: it has none."),
    ];
    let capabilities = vec![
        constant(2, 0, "payload_supported", 2, "Up to 512 bytes of payload."),
        constant(5, 5, "extended_tags", 1, "Tags may have 8 bits."),
        constant(8, 6, "acceptable_l0s", 7, "Any latency of L0s is acceptable."),
        constant(11, 9, "acceptable_l1", 7, "Any latency of L1 is acceptable."),
        constant(15, 15, "role_based_errors", 1, "Errors are reported by role (6.2.3.2.4)."),
        constant(28, 28, "function_reset", 1, "The function can be reset on its own."),
    ];
    let control = vec![
        flag(
            0,
            "report_correctable",
            of_physical(Attribute::RW),
            "ERR_COR may be sent. Of the physical function, also for its virtual ones; so are the next five.",
        ),
        flag(1, "report_nonfatal", of_physical(Attribute::RW), "ERR_NONFATAL may be sent."),
        flag(2, "report_fatal", of_physical(Attribute::RW), "ERR_FATAL may be sent."),
        flag(3, "report_unsupported", of_physical(Attribute::RW), "Unsupported requests are reported."),
        flag(4, "relaxed_ordering", of_physical(Attribute::rw(1)), "Requests may carry the attribute."),
        bits(
            7,
            5,
            "payload",
            of_physical(Attribute::rws(0)),
            "Most bytes of payload: 128 shifted left by this; above 2 it counts as 2.",
        ),
        flag(
            8,
            "extended_tags_enable",
            of_physical(Attribute::RW),
            "Tags of requests may have 8 bits, else 5.",
        ),
        bits(
            14,
            12,
            "read_request",
            of_physical(Attribute::rw(2)),
            "Most bytes of a read request: 128 shifted left by this; above 1 it counts as 1.",
        ),
        flag(15, "function_reset", Attribute::Action, "Resets the function (6.6.2)."),
        flag(16, "correctable_detected", Attribute::RW1C, "A correctable error was detected."),
        flag(17, "nonfatal_detected", Attribute::RW1C, "A non-fatal error was detected."),
        flag(18, "fatal_detected", Attribute::RW1C, "A fatal error was detected."),
        flag(19, "unsupported_detected", Attribute::RW1C, "An unsupported request was received."),
        flag(
            21,
            "transactions_pending",
            Attribute::Live(Live::TransactionsPending),
            "The function has requests without a completion.",
        ),
    ];
    let link_capabilities = vec![
        constant(3, 0, "speed", 3, "8 GT/s."),
        constant(9, 4, "width", 8, "Eight lanes."),
        constant(22, 22, "aspm_compliance", 1, "Always 1."),
    ];
    let link_control = vec![
        bits(1, 0, "aspm", of_physical(Attribute::rws(0)), "Has no effect: no such state is supported."),
        flag(
            3,
            "completion_boundary",
            of_physical(Attribute::rws(0)),
            "Completions are cut at multiples of 128 bytes, else of 64. Either is taken.",
        ),
        flag(6, "common_clock", of_physical(Attribute::rws(0)), "For the link."),
        flag(7, "extended_synch", of_physical(Attribute::rws(0)), "For the link."),
        of_link(19, 16, "current_speed", 3, "8 GT/s."),
        of_link(25, 20, "current_width", 8, "Eight lanes."),
        of_link(28, 28, "slot_clock", 1, "The clock of the connector is used."),
    ];
    let capabilities_2 =
        vec![constant(4, 4, "timeout_disable_supported", 1, "Completion timeouts can be switched off.")];
    let control_2 = vec![flag(
        4,
        "timeout_disable",
        of_physical(Attribute::RW),
        "Requests wait for ever for their completion.",
    )];
    let link_capabilities_2 = vec![constant(7, 1, "speeds", 0b111, "2.5, 5 and 8 GT/s.")];
    let link_control_2 = vec![bits(3, 0, "target_speed", of_physical(Attribute::rws(3)), "For the link.")];
    let registers = vec![
        head(0x10, identity),
        register("device_capabilities", 0x04, capabilities),
        register("device_control", 0x08, control),
        register("link_capabilities", 0x0C, link_capabilities),
        register("link_control", 0x10, link_control),
        register("device_capabilities_2", 0x24, capabilities_2),
        register("device_control_2", 0x28, control_2),
        register("link_capabilities_2", 0x2C, link_capabilities_2),
        register("link_control_2", 0x30, link_control_2),
        register("slot_control_2", 0x38, vec![]),
    ];
    Structure { name: "express", offset: 0, clause: "7.5.3", registers }
}

fn msix() -> Structure {
    let control = vec![
        constant(26, 16, "vectors", VECTORS - 1, "Vectors of the function, less one."),
        flag(30, "function_mask", Attribute::RW, "All vectors are masked."),
        flag(31, "enable", Attribute::RW, "The function may send its interrupts."),
    ];
    let place = |name, offset, at: usize| {
        let doc = "Where it is in there, in units of 8 bytes.";
        let fields = vec![
            constant(2, 0, "bar", MSIX_BAR, "The base address register."),
            constant(31, 3, "offset", at / 8, doc),
        ];
        register(name, offset, fields)
    };
    let registers =
        vec![head(0x11, control), place("table", 0x04, 0), place("pending", 0x08, PENDING_OFFSET)];
    Structure { name: "msix", offset: 0, clause: "7.7.2", registers }
}

/// The capabilities of a virtio device (virtio 4.1.4).
fn virtio() -> Vec<Structure> {
    let simple = |name, kind: usize, window: window::Window| {
        let identity = vec![
            constant(23, 16, "length", 16, "Bytes of this structure."),
            constant(31, 24, "kind", kind, "What it is about."),
        ];
        let registers = vec![
            head(0x09, identity),
            register("place", 0x04, vec![constant(7, 0, "bar", REGISTER_BAR, "The base address register.")]),
            register("offset", 0x08, vec![constant(31, 0, "offset", window.offset, "Where it is in there.")]),
            register("size", 0x0C, vec![constant(31, 0, "size", window.bytes, "Bytes that it has there.")]),
        ];
        Structure { name, offset: 0, clause: "virtio 4.1.4", registers }
    };
    let mut notify = simple("virtio_notify", 2, window::NOTIFY);
    notify.registers[0].fields[2] = constant(23, 16, "length", 20, "Bytes of this structure.");
    let multiplier =
        constant(31, 0, "multiplier", window::NOTIFY_STRIDE, "Bytes between the addresses of two queues.");
    notify.registers.push(register("multiplier", 0x10, vec![multiplier]));
    vec![
        simple("virtio_common", 1, window::COMMON),
        notify,
        simple("virtio_interrupt", 3, window::INTERRUPT),
        simple("virtio_device", 4, window::DEVICE),
        virtio_access(),
    ]
}

/// Access to the base addresses by configuration requests (virtio 4.1.4.9).
fn virtio_access() -> Structure {
    let identity = vec![
        constant(23, 16, "length", 20, "Bytes of this structure."),
        constant(31, 24, "kind", 5, "What it is about."),
    ];
    let registers = vec![
        head(0x09, identity),
        register(
            "place",
            0x04,
            vec![bits(7, 0, "bar", Attribute::RW, "The base address register that is accessed.")],
        ),
        register("offset", 0x08, vec![bits(31, 0, "offset", Attribute::RW, "Where in there.")]),
        register("size", 0x0C, vec![bits(31, 0, "size", Attribute::RW, "Bytes of the access: 1, 2 or 4.")]),
        register(
            "data",
            0x10,
            vec![bits(
                31,
                0,
                "data",
                Attribute::Live(Live::WindowData),
                "A read of it reads there, a write writes there.",
            )],
        ),
    ];
    Structure { name: "virtio_access", offset: 0, clause: "virtio 4.1.4.9", registers }
}
