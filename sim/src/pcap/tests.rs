use std::process::Command;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::ethernet::strategies;

fn reader(bytes: &[u8]) -> Result<Reader, PcapError> {
    Reader::new(Path::new("x.pcap"), Box::new(Cursor::new(bytes.to_vec())))
}

fn frames(bytes: &[u8]) -> Result<Vec<CapturedFrame>, PcapError> {
    reader(bytes)?.collect()
}

fn message(bytes: &[u8]) -> String {
    frames(bytes).unwrap_err().to_string()
}

/// A header by hand, from the format's description: magic, version 2.4, two zero words, snap length, link type.
fn header(word: fn(u32) -> [u8; 4], half: fn(u16) -> [u8; 2], magic: u32, link_type: u32) -> Vec<u8> {
    let mut bytes = word(magic).to_vec();
    bytes.extend(half(2));
    bytes.extend(half(4));
    bytes.extend([0; 8]);
    bytes.extend(word(65535));
    bytes.extend(word(link_type));
    bytes
}

fn little_header() -> Vec<u8> {
    header(u32::to_le_bytes, u16::to_le_bytes, 0xA1B2_C3D4, 1)
}

fn record(word: fn(u32) -> [u8; 4], seconds: u32, fraction: u32, length: u32, data: &[u8]) -> Vec<u8> {
    let fields = [seconds, fraction, data.len() as u32, length].map(word).concat();
    [&fields, data].concat()
}

fn little_record(data: &[u8]) -> Vec<u8> {
    record(u32::to_le_bytes, 1, 2, data.len() as u32, data)
}

#[test]
fn both_byte_orders_and_both_resolutions_are_read() {
    let data: Vec<u8> = (0..60).collect();
    for (magic, nanoseconds) in [(0xA1B2_C3D4, 5000), (0xA1B2_3C4D, 5)] {
        let little =
            [header(u32::to_le_bytes, u16::to_le_bytes, magic, 1), record(u32::to_le_bytes, 7, 5, 60, &data)];
        let big =
            [header(u32::to_be_bytes, u16::to_be_bytes, magic, 1), record(u32::to_be_bytes, 7, 5, 60, &data)];
        let expected = CapturedFrame { timestamp: Duration::new(7, nanoseconds), bytes: data.clone() };
        assert_eq!(frames(&little.concat()).unwrap(), std::slice::from_ref(&expected));
        assert_eq!(frames(&big.concat()).unwrap(), [expected]);
    }
}

#[test]
fn a_capture_without_a_frame_is_fine() {
    assert_eq!(frames(&little_header()).unwrap(), []);
}

#[test]
fn a_fraction_beyond_a_second_carries_over() {
    let bytes = [little_header(), record(u32::to_le_bytes, 7, u32::MAX, 14, &[0; 14])].concat();
    assert_eq!(frames(&bytes).unwrap()[0].timestamp, Duration::new(7 + 4294, 967_295_000));
}

#[test]
fn what_is_no_ethernet_capture_is_named() {
    assert_eq!(message(b""), "x.pcap: the file is empty");
    assert_eq!(
        message(&PCAPNG_SECTION_HEADER),
        "x.pcap: this is a pcapng file; convert it: editcap -F pcap x.pcap out.pcap"
    );
    assert_eq!(message(b"\x1f\x8b\x08\x00rest"), "x.pcap: not a pcap file: it starts with 1f 8b 08 00");
    assert_eq!(message(b"#!"), "x.pcap: not a pcap file: it starts with 23 21");
    for length in [1, 3, 4, 23] {
        assert_eq!(
            message(&little_header()[..length]),
            "x.pcap: the file ends within the pcap header, which has 24 bytes"
        );
    }
    let linux_cooked = header(u32::to_le_bytes, u16::to_le_bytes, 0xA1B2_C3D4, 113);
    assert_eq!(message(&linux_cooked), "x.pcap: link type 113, only Ethernet (1) can be played");
}

#[test]
fn a_bad_record_is_named_with_its_number_and_place() {
    let good = [little_header(), little_record(&[0; 60])].concat();
    let second = |record: &[u8]| message(&[&good, record].concat());
    let ends = "x.pcap: the file ends within packet 2 (at byte 100)";
    for length in [1, 15, 16, 75] {
        assert_eq!(second(&little_record(&[0; 60])[..length]), ends);
    }
    let absurd = [0u32, 0, u32::MAX, u32::MAX].map(u32::to_le_bytes).concat();
    assert_eq!(second(&absurd), ends);
    assert_eq!(
        second(&record(u32::to_le_bytes, 0, 0, 1514, &[0; 96])),
        "x.pcap: packet 2 (at byte 100) was cut short by the capture: 96 of 1514 bytes; \
         capture with a larger snap length (tcpdump -s 0)"
    );
    assert!(
        second(&record(u32::to_le_bytes, 0, 0, 61, &[0; 60]))
            .contains("cut short by the capture: 60 of 61 bytes")
    );
    assert_eq!(
        second(&little_record(&[0; 13])),
        "x.pcap: packet 2 (at byte 100) has 13 bytes, an Ethernet frame has at least 14"
    );
    assert_eq!(
        second(&little_record(&[0; 60_000])),
        "x.pcap: packet 2 (at byte 100) has 60000 bytes, the longest frame has 9622"
    );
}

#[test]
fn frames_at_the_limits_are_read() {
    let bytes = [little_header(), little_record(&[0; 14]), little_record(&[0; 9622])].concat();
    assert_eq!(frames(&bytes).unwrap().iter().map(|frame| frame.bytes.len()).collect::<Vec<_>>(), [14, 9622]);
    assert!(frames(&[little_header(), little_record(&[0; 9623])].concat()).is_err());
}

#[test]
fn a_reader_ends_after_an_error() {
    let bytes = [little_header(), little_record(&[0; 13]), little_record(&[0; 14])].concat();
    let mut reader = reader(&bytes).unwrap();
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing.pcap");
    let error = read(&missing).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot read: No such file", missing.display())), "{error}");
    assert!(matches!(read(folder.path()), Err(PcapError::Read { .. })));
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn nothing_half_written_stays_behind() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.pcap");
    let mut writer = Writer::create(&path).unwrap();
    writer.write(Duration::ZERO, &[0; 60]).unwrap();
    assert!(!path.exists());
    drop(writer);
    assert_eq!(names(&folder), [""; 0]);

    fs::write(&path, "older").unwrap();
    drop(Writer::create(&path).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"older");
    Writer::create(&path).unwrap().finish().unwrap();
    assert_eq!(fs::read(&path).unwrap().len(), 24);
    assert_eq!(names(&folder), ["out.pcap"]);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("missing/out.pcap");
    let error = Writer::create(&path).err().unwrap().to_string();
    assert_eq!(error, format!("{}: cannot write: entity not found", path.display()));
    let error = Writer::create(folder.path()).err().unwrap().to_string();
    assert_eq!(error, format!("{}: cannot write: is a directory", folder.path().display()));
}

/// What tshark says of a file: one line `length seconds.nanoseconds bytes` a frame. `None` if it is not installed.
fn tshark(path: &Path) -> Option<Vec<String>> {
    let fields = ["-T", "fields", "-e", "frame.len", "-e", "frame.time_epoch", "-e", "eth.dst_resolved"];
    let output = Command::new("tshark").args(["-n", "-r"]).arg(path).args(fields).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[test]
fn tshark_reads_what_is_written() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.pcap");
    let mut writer = Writer::create(&path).unwrap();
    let mut frame = vec![0x52, 0x54, 0, 0xAB, 0, 2, 0x52, 0x54, 0, 0xAB, 0, 1, 0x88, 0xB5];
    frame.resize(9622, 0x5A);
    writer.write(Duration::new(5, 4), &frame[..60]).unwrap();
    writer.write(Duration::new(1_700_000_000, 999_999_999), &frame).unwrap();
    writer.finish().unwrap();
    let Some(lines) = tshark(&path) else {
        eprintln!("tshark is not installed: not judged");
        return;
    };
    assert_eq!(
        lines,
        ["60\t5.000000004\t52:54:00:ab:00:02", "9622\t1700000000.999999999\t52:54:00:ab:00:02"]
    );
}

#[test]
fn the_shipped_capture_is_read_and_written_again() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testbench/data/lan.pcap");
    let frames = read(&shipped).unwrap();
    assert_eq!(frames.len(), 1191);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("copy.pcap");
    let mut writer = Writer::create(&path).unwrap();
    for frame in &frames {
        writer.write(frame.timestamp, &frame.bytes).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(read(&path).unwrap(), frames);
    assert_eq!(tshark(&path), tshark(&shipped));
}

proptest! {
    #[test]
    fn written_frames_are_read_again(
        written in proptest::collection::vec((any::<u32>(), 0..1_000_000_000u32, strategies::frame(300)), 0..20)
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("frames.pcap");
        let mut writer = Writer::create(&path).unwrap();
        let mut expected = Vec::new();
        for (seconds, nanoseconds, bytes) in written {
            let timestamp = Duration::new(seconds.into(), nanoseconds);
            writer.write(timestamp, &bytes).unwrap();
            expected.push(CapturedFrame { timestamp, bytes });
        }
        writer.finish().unwrap();
        prop_assert_eq!(read(&path).unwrap(), expected);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        magic in proptest::sample::select(MAGICS.to_vec()),
        link_type in prop_oneof![Just(1u32), any::<u32>()],
        rest in proptest::collection::vec(any::<u8>(), 0..200),
        damage in proptest::collection::vec((0..200usize, any::<u8>()), 0..4),
    ) {
        let mut bytes = [little_header(), little_record(&[0; 60]), rest].concat();
        bytes[..4].copy_from_slice(&magic);
        bytes[20..24].copy_from_slice(&link_type.to_le_bytes());
        for (place, value) in damage {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        let _ = frames(&bytes);
    }
}
