//! Frames from one to another, numbered.

use crate::ethernet::{ETHERTYPE_EXPERIMENTAL, FrameBuilder, MacAddress};
use std::collections::BTreeMap;

/// Bytes of the frame check sequence, which frames have on the wire only.
pub const CHECK_SEQUENCE: usize = 4;

/// The station behind the wire.
const STATION: MacAddress = MacAddress::new([2, 0, 0, 0, 1, 0]);

/// Who sends or receives: a function, or the wire.
pub type Who = Option<usize>;

/// The address of somebody.
pub fn address(who: Who) -> MacAddress {
    who.map_or(STATION, |function| MacAddress::new([2, 0, 0, 0, 0, function as u8]))
}

/// Who sent a frame.
pub fn sender(frame: &[u8]) -> Who {
    (frame[10] == 0).then_some(usize::from(frame[11]))
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Flow {
    source: MacAddress,
    destination: MacAddress,
    pub sent: u64,
    pub arrived: u64,
    /// The number behind that of the last one that arrived.
    expected: u64,
    /// When those that are timed were sent, by their numbers.
    started: BTreeMap<u64, u64>,
    /// Cycles that they took.
    pub took: Vec<u64>,
}

impl Flow {
    pub fn new(from: Who, to: Who) -> Flow {
        let (source, destination) = (address(from), address(to));
        Flow { source, destination, sent: 0, arrived: 0, expected: 0, started: BTreeMap::new(), took: vec![] }
    }

    /// The next frame; so many bytes with its check sequence, 64 at least.
    pub fn frame(&mut self, bytes: usize) -> Vec<u8> {
        let mut payload = vec![0; bytes - CHECK_SEQUENCE - 14];
        payload[..8].copy_from_slice(&self.sent.to_le_bytes());
        self.sent += 1;
        FrameBuilder::new(self.destination, self.source)
            .ethertype(ETHERTYPE_EXPERIMENTAL)
            .payload(payload)
            .build()
    }

    /// The last frame found no room.
    pub fn take_back(&mut self) {
        self.sent -= 1;
    }

    /// The last frame was sent now, and is timed.
    pub fn start(&mut self, now: u64) {
        self.started.insert(self.sent - 1, now);
    }

    /// # Panics
    /// If the frame came twice, or before one that was sent earlier.
    pub fn arrives(&mut self, frame: &[u8], now: u64) {
        let number = u64::from_le_bytes(frame[14..22].try_into().expect("eight bytes"));
        assert!(
            (self.expected..self.sent).contains(&number),
            "frame {number}, but {} was next",
            self.expected
        );
        self.expected = number + 1;
        self.arrived += 1;
        self.took.extend(self.started.remove(&number).map(|start| now - start));
    }
}
