//! The tables behind the registers.

use super::{Field, KINDS_PER_PORT, MAX_PORTS, Table, bits, flag};
use crate::{
    config::Config,
    veb::rows::{self, Mode, Operation},
};

/// Words of a row: DATA0 to DATA5.
pub const WORDS: usize = 6;

const ROWS: &[Operation] = &[Operation::Write, Operation::Read];

/// All tables, in the order of their numbers.
pub const TABLES: &[Table] = &[
    Table {
        id: rows::Table::Port,
        name: "PORT",
        index: "port",
        rows: Some(Config::ports),
        operations: ROWS,
        fields: &[
            bits(0, 11, 0, "pvid", "VID of frames that bring none (802.1Q 6.9)."),
            bits(0, 14, 12, "priority", "PCP of the tags that are inserted into the port's frames."),
            flag(0, 15, "service_tag", "These tags have the TPID 0x88A8, else 0x8100."),
            flag(0, 16, "customer_tags", "A tag with TPID 0x8100 counts as a tag of this port."),
            flag(0, 17, "service_tags", "A tag with TPID 0x88A8 counts as a tag of this port."),
            flag(0, 18, "admit_untagged", "Frames without a VID, untagged or priority-tagged, may enter."),
            flag(0, 19, "admit_tagged", "Frames with a VID may enter."),
            flag(
                0,
                20,
                "admit_nested",
                "Frames with a tag behind the port's, or one that does not count, may enter.",
            ),
            flag(0, 21, "ingress", "The port may send into the bridge."),
            flag(0, 22, "egress", "The bridge may send to the port."),
            flag(
                0,
                23,
                "check_source",
                "Frames whose source address is not an entry of the port are dropped.",
            ),
            flag(0, 24, "check_ethertype", "Frames whose type is in ETHERTYPE, or a third tag, are dropped."),
            bits(0, 26, 25, "mode", "How a function's frames move; 3 counts as 0.").holds::<Mode>(),
            flag(0, 27, "broadcast", "The function wants broadcasts."),
            flag(0, 28, "may_unicast", "Its wish for all unicast frames counts."),
            flag(0, 29, "may_multicast", "Its wish for all multicast frames counts."),
            flag(0, 30, "may_vlan", "Its wish for the frames of all VLANs counts."),
            flag(0, 31, "prune", "Frames of its own that the external bridge reflects do not reach it."),
            ports(
                1,
                "default_ports",
                "Where the port's unicast frames go whose destination has no entry, where its group frames go beside the functions that want them, and where all its frames go in mode VEPA or isolated; a bit for each port.",
            ),
        ],
        doc: "What a port may send, receive and see.",
    },
    Table {
        id: rows::Table::Vlan,
        name: "VLAN",
        index: "VID",
        rows: Some(|_| 4096),
        operations: ROWS,
        fields: &[
            ports(0, "members", "Ports that are members, a bit each."),
            ports(
                3,
                "untagged",
                "Ports that get frames of this VLAN without a tag, a bit each (802.1Q 8.8.2).",
            ),
        ],
        doc: "Membership of a VLAN.",
    },
    Table {
        id: rows::Table::Multicast,
        name: "MULTICAST",
        index: "hash",
        rows: Some(|_| 512),
        operations: ROWS,
        fields: &[ports(0, "functions", "Functions that want groups of this hash, a bit each.")],
        doc: "Filter for group addresses. The hash is the XOR of the address's 9-bit pieces, the first from bit 0 up; \
            the last has three bits.",
    },
    Table {
        id: rows::Table::Mac,
        name: "MAC",
        index: "none: the key is `mac` and `vid`",
        rows: None,
        operations: &[Operation::Insert, Operation::Delete, Operation::Lookup],
        fields: &[
            bits(0, 47, 0, "mac", "Address; its first byte on the wire is bits 47:40."),
            bits(1, 27, 16, "vid", "VID, or 0 for any."),
            ports(2, "ports", "Ports that have this address, a bit each."),
        ],
        doc: "Exact matches of addresses.",
    },
    Table {
        id: rows::Table::Mirror,
        name: "MIRROR",
        index: "mirror",
        rows: Some(|_| 2),
        operations: ROWS,
        fields: &[
            flag(0, 0, "enabled", "The mirror works."),
            flag(0, 1, "egress", "It looks at frames that leave, else at frames that enter."),
            flag(0, 2, "by_vid", "It picks frames by VID, else by port."),
            bits(0, 15, 4, "key", "The VID or the port."),
            bits(0, 22, 16, "target", "The port that gets a copy."),
        ],
        doc: "Copies for a watching port.",
    },
    Table {
        id: rows::Table::Ethertype,
        name: "ETHERTYPE",
        index: "0 to 7",
        rows: Some(|_| 8),
        operations: ROWS,
        fields: &[
            bits(0, 15, 0, "ethertype", "Type of the frame, behind up to two tags."),
            flag(0, 16, "enabled", "The row counts."),
        ],
        doc: "Types that ports with `check_ethertype` may not send.",
    },
    Table {
        id: rows::Table::Rate,
        name: "RATE",
        index: "port",
        rows: Some(Config::ports),
        operations: ROWS,
        fields: &[
            bits(0, 15, 0, "maximum", "Most that it may send, in Mb/s: 1 to 40000; 0 for no limit."),
            bits(0, 17, 16, "class", "Frames of a higher class go first: 0 to 3."),
            bits(1, 16, 0, "burst", "Bytes that it may send at once after a pause."),
            bits(2, 15, 0, "quantum", "Bytes of its share in each round; 0 counts as 1."),
        ],
        doc: "Bandwidth of a function.",
    },
    Table {
        id: rows::Table::Limit,
        name: "LIMIT",
        index: "port",
        rows: Some(Config::ports),
        operations: ROWS,
        fields: &[
            bits(
                0,
                16,
                0,
                "cells",
                "Cells that its queue may hold; 0 for no limit but the shared one. More than there are count as all.",
            ),
            bits(
                1,
                16,
                0,
                "hold",
                "Cells from which on functions that send to it are held back; 0 for never.",
            ),
        ],
        doc: "Buffer space of a port's queue.",
    },
    Table {
        id: rows::Table::Statistics,
        name: "STATISTICS",
        index: "32 * port + kind",
        rows: Some(|config| KINDS_PER_PORT * config.ports()),
        operations: &[Operation::Read],
        fields: &[
            bits(0, 63, 0, "frames", "How many frames."),
            bits(
                2,
                63,
                0,
                "bytes",
                "How many bytes they had, without FCS, as they came in or as they leave; a frame counts 16383 at most.",
            ),
        ],
        doc: "Counters; frames and bytes of a row are of one moment. A kind that is not listed reads 0.",
    },
];

/// A bit for each port, from bit 0 of `word` up.
const fn ports(word: usize, name: &'static str, doc: &'static str) -> Field {
    bits(word, MAX_PORTS - 1, 0, name, doc)
}
