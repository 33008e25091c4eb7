//! Rules that a packet keeps by itself, or not.

use super::{Direction, Settings};
use crate::pcie::packet::{Kind, Packet, Status, message};

/// Everything that is wrong with a packet on its own. The payload is known to have the length that the header says.
pub(super) fn check(packet: &Packet, direction: Direction, settings: &Settings) -> Vec<String> {
    let mut wrong = vec![];
    let mut rule = |holds: bool, text: &str| {
        if !holds {
            wrong.push(text.to_owned());
        }
    };
    let [first, second, third, _] = packet.header;
    rule(first >> 15 & 1 == 0, "has a digest, which only the port below knows (2.7.1)");
    rule(first >> 16 & 3 == 0, "reserved bits, or hints, in the first word (2.2.1)");
    rule(first >> 10 & 3 == 0, "an address type, though nothing is translated (2.2.4.1)");
    if settings.tag_bits < 10 {
        rule(first & 0x0088_0000 == 0, "a tag of ten bits (2.2.6.2)");
    }
    rule(!packet.is_poisoned() || packet.has_data(), "poisoned, without data (2.7.2)");
    match packet.kind() {
        Kind::MemoryRead | Kind::LockedRead | Kind::MemoryWrite | Kind::DeferrableWrite => {
            memory(packet, direction, settings, &mut rule);
        }
        Kind::FetchAdd | Kind::Swap | Kind::CompareSwap => {
            rule(direction == Direction::Down, "an endpoint that offers no atomic operations sends one");
        }
        Kind::IoRead | Kind::IoWrite => {
            rule(direction == Direction::Down, "an endpoint sends an I/O request");
            single(packet, &mut rule);
        }
        Kind::ConfigurationRead { .. } | Kind::ConfigurationWrite { .. } => {
            rule(direction == Direction::Down, "an endpoint sends a configuration request (7.3.1)");
            rule(third & 0xF003 == 0, "reserved bits in the register number (2.2.7.1)");
            single(packet, &mut rule);
        }
        Kind::Message { routing, has_data } => {
            rule(has_data || first & 0x3FF == 0, "a message without data has a length (2.2.8)");
            rule(packet.traffic_class() == 0, "a message of another traffic class than 0 (2.2.8)");
            if direction == Direction::Up {
                let errors = [message::CORRECTABLE_ERROR, message::NONFATAL_ERROR, message::FATAL_ERROR];
                // PME_TO_Ack is routed to gather (2.2.8.2).
                let is_error = errors.contains(&packet.message_code()) && routing == message::TO_ROOT;
                let is_answer = packet.message_code() == 0x1B && routing == 5;
                rule((is_error || is_answer) && !has_data, "no message of an endpoint (table 2-25)");
                rule(packet.attributes() == 0, "a message has attributes (2.2.8.3)");
                rule(packet.header[2..] == [0, 0], "reserved words of a message (2.2.8)");
            }
        }
        Kind::Completion { has_data, .. } => {
            let codes = [0, 1, 2, 4];
            rule(codes.contains(&(second >> 13 & 7)), "a completion status that is reserved (table 2-34)");
            rule(second >> 12 & 1 == 0, "BCM of a completion (2.2.9)");
            rule(third >> 7 & 1 == 0, "a reserved bit of a completion (2.2.9)");
            rule(has_data || first & 0x3FF == 0, "a completion without data has a length (2.2.9)");
            rule(packet.payload.len() <= settings.payload, "more data than Max_Payload_Size (2.2.2)");
            let is_good = packet.status() == Status::Successful;
            rule(is_good || !has_data, "a completion with data that is not successful (2.2.9)");
        }
        Kind::Prefix | Kind::Undefined => unreachable!("the caller knows"),
    }
    wrong
}

/// What configuration and I/O requests have in common (2.2.7.1).
fn single(packet: &Packet, rule: &mut impl FnMut(bool, &str)) {
    rule(packet.length() == 1, "more than a word (2.2.7.1)");
    rule(packet.last_enables() == 0, "byte enables of a last word, where there is one only (2.2.5)");
    rule(packet.traffic_class() == 0, "another traffic class than 0 (2.2.7.1)");
    rule(packet.attributes() == 0, "attributes (2.2.7.1)");
}

fn memory(packet: &Packet, direction: Direction, settings: &Settings, rule: &mut impl FnMut(bool, &str)) {
    let [words, address] = [packet.length() as u64, packet.address()];
    let low = packet.header[if packet.is_long() { 3 } else { 2 }] & 3;
    rule(low == 0, "the lowest two bits of an address (2.2.4.1)");
    rule(!packet.is_long() || address >> 32 != 0, "four words of header for an address of 32 bits (2.2.4.1)");
    rule(address % 4096 + 4 * words <= 4096, "crosses a boundary of 4 KiB (2.2.7)");
    enables(packet, rule);
    rule(packet.payload.len() <= settings.payload, "more data than Max_Payload_Size (2.2.2)");
    if direction == Direction::Up {
        let is_read = packet.kind() == Kind::MemoryRead;
        rule(is_read || packet.kind() == Kind::MemoryWrite, "an endpoint sends no such request");
        rule(
            !is_read || 4 * words as usize <= settings.request,
            "reads more than Max_Read_Request_Size (7.5.3.4)",
        );
        rule(
            packet.traffic_class() == 0,
            "another traffic class than 0, the only one that is mapped (7.9.1)",
        );
        rule(packet.attributes() & 1 == 0, "No Snoop, which the endpoint does not offer (7.5.3.4)");
        rule(packet.attributes() & 4 == 0, "ordering by ID, which is not enabled (7.5.3.16)");
        let relaxed = packet.attributes() & 2 != 0;
        rule(!relaxed || settings.relaxed_ordering, "Relaxed Ordering, which is not enabled (7.5.3.4)");
        let is_interrupt = !is_read && settings.interrupts.contains(&address);
        rule(!relaxed || !is_interrupt, "an interrupt that may overtake data (6.1.4)");
        rule(
            !is_interrupt || (words == 1 && packet.first_enables() == 15),
            "an interrupt is one word (6.1.4)",
        );
    }
}

/// 2.2.5.
fn enables(packet: &Packet, rule: &mut impl FnMut(bool, &str)) {
    let [first, last] = [packet.first_enables(), packet.last_enables()];
    let words = packet.length();
    if words == 1 {
        rule(last == 0, "byte enables of a last word, where there is one only (2.2.5)");
        return;
    }
    rule(first != 0, "no byte of the first of several words (2.2.5)");
    rule(last != 0, "no byte of the last of several words (2.2.5)");
    let has_gaps = ![15, 14, 12, 8].contains(&first) || ![15, 7, 3, 1].contains(&last);
    let may_have = words == 2 && packet.address().is_multiple_of(8);
    rule(may_have || !has_gaps, "bytes with gaps between them (2.2.5)");
}
