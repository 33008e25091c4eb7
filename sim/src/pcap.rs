//! Captures in the classic pcap format: read for traffic, written for what leaves each port.
//!
//! The format itself (both byte orders, microseconds and nanoseconds) is the work of the crate `pcap-file` 2.0.0: it reads
//! and writes, its last stable release has been in wide use for years, and its line is alive (3.0 release candidates).
//! `pcap-parser` is as well kept, but cannot write; `pcap` binds libpcap, which nobody should have to install. Its errors
//! say neither file nor packet and its checks reject captures that Wireshark opens, so this module takes raw records and
//! checks them itself.

use std::fs::{self, File};
use std::io::{self, BufWriter, Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapReader, PcapWriter, RawPcapPacket};
use pcap_file::{DataLink, Endianness, PcapError as FormatError, TsResolution};
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::ethernet::{HEADER_BYTES, MAX_FRAME_BYTES};

/// What can be wrong with a capture. Packets are counted from 1, as Wireshark does; `offset` is the first byte of the
/// packet's record in the file.
#[derive(Debug, Error)]
pub enum PcapError {
    /// The file cannot be opened or read.
    #[error("{}: cannot read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file cannot be created, written or renamed.
    #[error("{}: cannot write: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// The file has no byte.
    #[error("{}: the file is empty", path.display())]
    Empty { path: PathBuf },
    /// The file is in the newer pcapng format.
    #[error("{}: this is a pcapng file; convert it: editcap -F pcap {} out.pcap", path.display(), path.display())]
    Pcapng { path: PathBuf },
    /// The file is no capture at all.
    #[error("{}: not a pcap file: it starts with {}", path.display(), hex(magic))]
    UnknownMagic { path: PathBuf, magic: Vec<u8> },
    /// The file ends before the 24 bytes of its header.
    #[error("{}: the file ends within the pcap header, which has 24 bytes", path.display())]
    TruncatedHeader { path: PathBuf },
    /// The capture is of something else than Ethernet.
    #[error("{}: link type {link_type}, only Ethernet (1) can be played", path.display())]
    LinkType { path: PathBuf, link_type: u32 },
    /// The file ends within a record, or the record's length field is damaged.
    #[error("{}: the file ends within packet {packet} (at byte {offset})", path.display())]
    TruncatedRecord { path: PathBuf, packet: u64, offset: u64 },
    /// The capture kept only the first bytes of a frame.
    #[error(
        "{}: packet {packet} (at byte {offset}) was cut short by the capture: {captured} of {length} bytes; \
         capture with a larger snap length (tcpdump -s 0)",
        path.display()
    )]
    CutShort { path: PathBuf, packet: u64, offset: u64, captured: u32, length: u32 },
    /// A frame without a complete Ethernet header.
    #[error(
        "{}: packet {packet} (at byte {offset}) has {length} bytes, an Ethernet frame has at least {HEADER_BYTES}",
        path.display()
    )]
    TooShort { path: PathBuf, packet: u64, offset: u64, length: u32 },
    /// A frame longer than the adapter carries.
    #[error(
        "{}: packet {packet} (at byte {offset}) has {length} bytes, the longest frame has {MAX_FRAME_BYTES}",
        path.display()
    )]
    TooLong { path: PathBuf, packet: u64, offset: u64, length: u32 },
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// A captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedFrame {
    /// Time since 1970-01-01.
    pub timestamp: Duration,
    /// The bytes from the destination address on, without frame check sequence: 14 to 9622.
    pub bytes: Vec<u8>,
}

/// Reads all frames of a capture.
///
/// # Errors
/// Anything a [`Reader`] reports.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<CapturedFrame>, PcapError> {
    Reader::open(path)?.collect()
}

/// Reads a capture frame by frame. It ends after the first error.
pub struct Reader {
    path: PathBuf,
    records: PcapReader<Box<dyn Read + Send>>,
    /// Frames read so far.
    packets: u64,
    /// Where the next record starts.
    offset: u64,
    failed: bool,
}

const HEADER_LENGTH: u64 = 24;
const RECORD_HEADER_LENGTH: u64 = 16;
const PCAPNG_SECTION_HEADER: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];
const MAGICS: [[u8; 4]; 4] =
    [[0xA1, 0xB2, 0xC3, 0xD4], [0xD4, 0xC3, 0xB2, 0xA1], [0xA1, 0xB2, 0x3C, 0x4D], [0x4D, 0x3C, 0xB2, 0xA1]];

impl Reader {
    /// Opens a capture and checks its header.
    ///
    /// # Errors
    /// A file that cannot be read, is empty, cut off, no pcap file, or no Ethernet capture.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PcapError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| PcapError::Read { path: path.to_owned(), source })?;
        Self::new(path, Box::new(file))
    }

    /// Reads from `source`; `path` is its name in messages.
    ///
    /// # Errors
    /// See [`Reader::open`].
    pub fn new(path: impl AsRef<Path>, mut source: Box<dyn Read + Send>) -> Result<Self, PcapError> {
        let path = path.as_ref().to_owned();
        let mut magic = Vec::new();
        if let Err(source) = source.by_ref().take(4).read_to_end(&mut magic) {
            return Err(PcapError::Read { path, source });
        }
        if magic.is_empty() {
            return Err(PcapError::Empty { path });
        }
        if magic == PCAPNG_SECTION_HEADER {
            return Err(PcapError::Pcapng { path });
        }
        if !MAGICS.iter().any(|known| known.starts_with(&magic)) {
            return Err(PcapError::UnknownMagic { path, magic });
        }
        let whole: Box<dyn Read + Send> = Box::new(Cursor::new(magic).chain(source));
        let records = match PcapReader::new(whole) {
            Ok(records) => records,
            Err(FormatError::IoError(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(PcapError::Read { path, source });
            }
            Err(_) => return Err(PcapError::TruncatedHeader { path }),
        };
        match records.header().datalink {
            DataLink::ETHERNET => {
                Ok(Self { path, records, packets: 0, offset: HEADER_LENGTH, failed: false })
            }
            other => Err(PcapError::LinkType { path, link_type: other.into() }),
        }
    }

    fn next_frame(&mut self) -> Option<Result<CapturedFrame, PcapError>> {
        let unit = match self.records.header().ts_resolution {
            TsResolution::MicroSecond => 1000,
            TsResolution::NanoSecond => 1,
        };
        let record = self.records.next_raw_packet()?;
        let (packet, offset) = (self.packets + 1, self.offset);
        let path = || self.path.clone();
        let record = match record {
            Ok(record) => record,
            Err(FormatError::IoError(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
                return Some(Err(PcapError::Read { path: path(), source }));
            }
            Err(_) => return Some(Err(PcapError::TruncatedRecord { path: path(), packet, offset })),
        };
        self.packets = packet;
        self.offset += RECORD_HEADER_LENGTH + u64::from(record.incl_len);
        let length = record.incl_len;
        Some(if length < record.orig_len {
            let (captured, length) = (length, record.orig_len);
            Err(PcapError::CutShort { path: path(), packet, offset, captured, length })
        } else if (length as usize) < HEADER_BYTES {
            Err(PcapError::TooShort { path: path(), packet, offset, length })
        } else if length as usize > MAX_FRAME_BYTES {
            Err(PcapError::TooLong { path: path(), packet, offset, length })
        } else {
            // A fraction of more than a second, as some tools write, carries over.
            let fraction = Duration::from_nanos(u64::from(record.ts_frac) * unit);
            let timestamp = Duration::from_secs(record.ts_sec.into()) + fraction;
            Ok(CapturedFrame { timestamp, bytes: record.data.into_owned() })
        })
    }
}

impl Iterator for Reader {
    type Item = Result<CapturedFrame, PcapError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let frame = self.next_frame();
        self.failed = matches!(frame, Some(Err(_)));
        frame
    }
}

/// Writes a capture: little-endian, with nanoseconds.
///
/// The file grows under a temporary name beside its own and gets its name in [`Writer::finish`]; a writer that is dropped
/// before leaves nothing behind, and a file of that name stays as it was.
pub struct Writer {
    path: PathBuf,
    records: PcapWriter<BufWriter<NamedTempFile>>,
}

impl Writer {
    /// Starts a capture that is to be called `path`.
    ///
    /// # Errors
    /// [`PcapError::Write`] if the folder does not exist or cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, PcapError> {
        let path = path.as_ref().to_owned();
        let header = PcapHeader {
            endianness: Endianness::Little,
            ts_resolution: TsResolution::NanoSecond,
            ..PcapHeader::default()
        };
        match temporary_file(&path)
            .map_err(FormatError::IoError)
            .and_then(|file| PcapWriter::with_header(BufWriter::new(file), header))
        {
            Ok(records) => Ok(Self { path, records }),
            Err(error) => Err(write_error(path, error)),
        }
    }

    /// Appends a frame. Seconds beyond 32 bits (the year 2106) wrap, as the format has no more.
    ///
    /// # Errors
    /// [`PcapError::Write`], for example when the disk is full.
    pub fn write(&mut self, timestamp: Duration, frame: &[u8]) -> Result<(), PcapError> {
        let length = u32::try_from(frame.len()).map_err(|_| {
            let source = io::Error::other("a frame of more than 4 GiB");
            PcapError::Write { path: self.path.clone(), source }
        })?;
        let record = RawPcapPacket {
            ts_sec: timestamp.as_secs() as u32,
            ts_frac: timestamp.subsec_nanos(),
            incl_len: length,
            orig_len: length,
            data: frame.into(),
        };
        match self.records.write_raw_packet(&record) {
            Ok(_) => Ok(()),
            Err(error) => Err(write_error(self.path.clone(), error)),
        }
    }

    /// Writes what is left and gives the file its name, in place of a file that has it.
    ///
    /// # Errors
    /// [`PcapError::Write`]; then there is no new file.
    pub fn finish(self) -> Result<(), PcapError> {
        let file = self.records.into_writer().into_inner().map_err(io::IntoInnerError::into_error);
        match file.and_then(|file| file.persist(&self.path).map_err(|error| error.error)) {
            Ok(_) => Ok(()),
            Err(source) => Err(PcapError::Write { path: self.path, source }),
        }
    }
}

/// A file beside `path` that is removed when it is dropped.
fn temporary_file(path: &Path) -> io::Result<NamedTempFile> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hematite-").suffix(".pcap");
    // A private file by default, but a capture is an ordinary result; the umask still applies.
    #[cfg(unix)]
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    builder.tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))
}

fn write_error(path: PathBuf, error: FormatError) -> PcapError {
    let source = match error {
        FormatError::IoError(source) => source,
        other => io::Error::other(other),
    };
    PcapError::Write { path, source }
}

#[cfg(test)]
mod tests;
