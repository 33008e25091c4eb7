//! What the statistics count, and with it the reasons for which frames are dropped.

/// A kind of event that is counted at each port, in frames and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The row of a port's counter in the table STATISTICS is `32 * port + number`.
    pub number: usize,
    pub name: &'static str,
    pub counts: &'static str,
    /// What one might expect here and finds elsewhere.
    pub excludes: &'static str,
}

/// Rows that STATISTICS has for each port.
pub const KINDS_PER_PORT: usize = 32;

/// All kinds, in the order of their numbers. A frame that comes in counts at its source either in one of 8 to 11 alone,
/// or in one of 0 to 2 and, if it is dropped, in one of 12 to 17.
pub const KINDS: &[Kind] = &[
    kind_of(0, "in_unicast", "frames from the port to an individual address, forwarded or not", FAULTY),
    kind_of(
        1,
        "in_multicast",
        "frames from the port to a group address, forwarded or not",
        FAULTY_OR_BROADCAST,
    ),
    kind_of(2, "in_broadcast", "frames from the port to FF-FF-FF-FF-FF-FF, forwarded or not", FAULTY),
    kind_of(3, "out_unicast", "copies that left through the port, to an individual address", NOT_OUT),
    kind_of(
        4,
        "out_multicast",
        "copies that left through the port, to a group address",
        NOT_OUT_OR_BROADCAST,
    ),
    kind_of(5, "out_broadcast", "copies that left through the port, to FF-FF-FF-FF-FF-FF", NOT_OUT),
    kind_of(
        8,
        "error",
        "frames that the port marked as bad in their last beat",
        "bad frames in any other kind",
    ),
    kind_of(
        9,
        "runt",
        "frames that end before their type, behind up to two tags: before byte 14, 18 or 22",
        BAD,
    ),
    kind_of(10, "oversize", "frames longer than the bridge forwards: 9622 bytes", BAD),
    kind_of(11, "buffer_full", "frames for some part of which no cell was free", "frames of a reason above"),
    kind_of(12, "disabled", "frames from a port whose `ingress` is off", EARLIER),
    kind_of(
        13,
        "mac_spoof",
        "frames whose source address is a group address or no entry of the port",
        UNCHECKED,
    ),
    kind_of(14, "ethertype_spoof", "frames of a type in ETHERTYPE, or with a third tag", UNCHECKED),
    kind_of(
        15,
        "admission",
        "frames that `admit_untagged`, `admit_tagged` or `admit_nested` keep out",
        EARLIER,
    ),
    kind_of(16, "vlan", "frames of VID 0 or 0xFFF, or of a VLAN of which the port is no member", EARLIER),
    kind_of(17, "filtered", "frames for which no destination is left, mirrors counted as such", EARLIER),
    kind_of(
        24,
        "queue_full",
        "copies that were to leave through the port and found its limit or share of the buffer used up; the bytes stay 0",
        "frames dropped at their source",
    ),
];

const FAULTY: &str = "frames of kinds 8 to 11";
const FAULTY_OR_BROADCAST: &str = "broadcasts, and frames of kinds 8 to 11";
const NOT_OUT: &str = "copies of kind 24";
const NOT_OUT_OR_BROADCAST: &str = "broadcasts, and copies of kind 24";
const BAD: &str = "frames of a reason above";
const EARLIER: &str = "frames dropped for a reason above";
const UNCHECKED: &str =
    "frames dropped for a reason above, frames from ports without the check, forced frames";

const fn kind_of(number: usize, name: &'static str, counts: &'static str, excludes: &'static str) -> Kind {
    Kind { number, name, counts, excludes }
}

/// A kind by its name.
///
/// # Panics
/// If there is none.
pub const fn kind(name: &str) -> Kind {
    let mut i = 0;
    while i < KINDS.len() {
        if super::same(KINDS[i].name, name) {
            return KINDS[i];
        }
        i += 1;
    }
    panic!("there is no kind of this name")
}
