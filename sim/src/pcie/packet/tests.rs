use super::*;

const HOST: RoutingId = RoutingId(0x0008);
const FUNCTION: RoutingId = RoutingId(0x0102);

/// Headers by hand, from figures 2-15 to 2-28.
#[test]
fn headers_are_those_of_the_figures() {
    let read = Packet::memory_read(FUNCTION, 0x12, 0x1000_0002, 7);
    assert_eq!(read.header, [0x0000_0003, 0x0102_121C, 0x1000_0000, 0]);
    let long = Packet::memory_read(FUNCTION, 0x312, 0x12_3456_7000, 4096);
    assert_eq!(long.header, [0x2088_0000, 0x0102_12FF, 0x12, 0x3456_7000]);
    let write = Packet::memory_write(HOST, 1, 0xFF_FFFF_FFF9, &[7, 8]);
    assert_eq!(write.header, [0x6000_0001, 0x0008_0106, 0xFF, 0xFFFF_FFF8]);
    assert_eq!(write.payload, [0, 7, 8, 0]);
    let read = Packet::configuration_read(true, HOST, 0xFF, RoutingId(0x0203), 0xABC);
    assert_eq!(read.header, [0x0500_0001, 0x0008_FF0F, 0x0203_0ABC, 0]);
    let write = Packet::configuration_write(false, HOST, 2, FUNCTION, 4, 0x0102_0304).with_enables(3, 0);
    assert_eq!(
        (write.header, &write.payload[..]),
        ([0x4400_0001, 0x0008_0203, 0x0102_0004, 0], &[4, 3, 2, 1][..])
    );
    let message = Packet::message(FUNCTION, message::TO_ROOT, message::FATAL_ERROR);
    assert_eq!(message.header, [0x3000_0000, 0x0102_0033, 0, 0]);
    let every = Packet::memory_read(FUNCTION, 0, 0, 0).with_attributes(7).with_traffic_class(5).poisoned();
    assert_eq!(every.header, [0x0054_7001, 0x0102_0000, 0, 0]);
}

/// 2.2.9.1: the second of three completions has what is left and where it begins.
#[test]
fn completions_count_down() {
    let request =
        Packet::memory_read(FUNCTION, 0x345, 0x1_0000_003D, 70).with_attributes(2).with_traffic_class(3);
    let first = Packet::completion_with_data(&request, HOST, 0, &[1; 4]);
    assert_eq!(first.header, [0x4AB8_2001, 0x0008_0046, 0x0102_453D, 0]);
    let second = Packet::completion_with_data(&request, HOST, 4, &[1; 64]);
    assert_eq!(second.header, [0x4AB8_2010, 0x0008_0043, 0x0102_4540, 0]);
    let third = Packet::completion_with_data(&request, HOST, 68, &[1; 4]);
    assert_eq!(third.header, [0x4AB8_2001, 0x0008_0003, 0x0102_4500, 0]);
    let failed = second.poisoned().refused(Status::Unsupported);
    assert_eq!((failed.header, failed.payload.len()), ([0x0AB8_2000, 0x0008_2043, 0x0102_4540, 0], 0));
    let refused = Packet::completion(&request, HOST, Status::Aborted);
    assert_eq!(refused.header, [0x0AB8_2000, 0x0008_8046, 0x0102_453D, 0]);
    let whole = Packet::memory_read(FUNCTION, 1, 0x1000, 4096);
    let first = Packet::completion_with_data(&whole, HOST, 0, &[0; 128]);
    assert_eq!((first.header[1], first.byte_count()), (0x0008_0000, 4096));
    let write = Packet::configuration_write(false, HOST, 9, FUNCTION, 4, 0);
    assert_eq!(
        Packet::completion(&write, FUNCTION, Status::Successful).header,
        [0x0A00_0000, 0x0102_0004, 0x0008_0900, 0]
    );
}

/// Table 2-40.
#[test]
fn byte_counts_follow_the_enables() {
    let cases = [
        (0b1001, 4, 0),
        (0b0101, 3, 0),
        (0b1010, 3, 1),
        (0b0011, 2, 0),
        (0b1100, 2, 2),
        (0b1000, 1, 3),
        (0, 1, 0),
    ];
    for (enables, bytes, lower) in cases {
        let read = Packet::memory_read(HOST, 0, 0x70, 4).with_enables(enables, 0);
        assert_eq!(
            (read.requested_bytes(), read.first_lower_address()),
            (bytes, 0x70 + lower),
            "{enables:04b}"
        );
    }
    let read = Packet::memory_read(HOST, 0, 0x71, 6);
    assert_eq!((read.length(), read.requested_bytes()), (2, 6));
    assert_eq!((0..8).map(|i| u8::from(read.enables_byte(i))).collect::<Vec<_>>(), [0, 1, 1, 1, 1, 1, 1, 0]);
}

#[test]
fn kinds_of_the_table() {
    let kind =
        |format_and_type: u32| Packet { header: [format_and_type << 24, 0, 0, 0], payload: vec![] }.kind();
    let cases = [
        (0x20, Kind::MemoryRead),
        (0x01, Kind::LockedRead),
        (0x60, Kind::MemoryWrite),
        (0x7B, Kind::DeferrableWrite),
        (0x02, Kind::IoRead),
        (0x42, Kind::IoWrite),
        (0x05, Kind::ConfigurationRead { far: true }),
        (0x44, Kind::ConfigurationWrite { far: false }),
        (0x74, Kind::Message { routing: 4, has_data: true }),
        (0x0A, Kind::Completion { has_data: false, locked: false }),
        (0x4B, Kind::Completion { has_data: true, locked: true }),
        (0x4C, Kind::FetchAdd),
        (0x6D, Kind::Swap),
        (0x4E, Kind::CompareSwap),
        (0x80, Kind::Prefix),
        (0x22, Kind::Undefined),
        (0x2A, Kind::Undefined),
        (0x1F, Kind::Undefined),
        (0xE0, Kind::Undefined),
    ];
    for (code, expected) in cases {
        assert_eq!(kind(code), expected, "{code:#x}");
    }
}

#[test]
fn texts_for_people() {
    let write = Packet::memory_write(FUNCTION, 1, 0x1001, &[0; 6]);
    assert_eq!(write.to_string(), "MWr from 01:00.2 tag 0x1 at 0x1000, 2 words, enables 1110 0111, 8 bytes");
    let read = Packet::configuration_read(false, HOST, 3, FUNCTION, 4);
    assert_eq!(read.to_string(), "CfgRd0 from 00:01.0 tag 0x3 to 01:00.2 register 0x004 enables 1111");
    let completion = Packet::completion(&read, FUNCTION, Status::Unsupported);
    assert_eq!(
        completion.to_string(),
        "Cpl from 01:00.2 to 00:01.0 tag 0x3 Unsupported, 4 bytes left, lower address 0x00"
    );
}
