//! What was sent and has to arrive, and what did.

use sim::ethernet::MacAddress;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use thiserror::Error;

/// Who sent a frame: port of the bridge, pair of queues, and how many of these it had sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub port: usize,
    pub pair: usize,
    pub number: u32,
}

impl Name {
    /// A frame tells its name by its source address, so that the shortest one has it.
    pub fn address(self) -> MacAddress {
        let [_, high, middle, low] = self.number.to_be_bytes();
        MacAddress::new([2, self.port as u8, self.pair as u8, high, middle, low])
    }

    pub fn of_frame(frame: &[u8]) -> Option<Name> {
        let [2, port, pair, number @ ..] = frame.get(6..12)? else { return None };
        let number = number.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        Some(Name { port: (*port).into(), pair: (*pair).into(), number })
    }

    /// What a driver calls it.
    pub fn tag(self) -> u64 {
        self.address().to_u64()
    }
}

/// What has become of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Due,
    /// It may be missing.
    Excused,
    Arrived,
}

/// What arrives at a port.
#[derive(Clone, Debug)]
pub struct Copy {
    pub bytes: Arc<[u8]>,
    pub fate: Fate,
    /// Receive buffers that it takes at most.
    pub buffers: usize,
    /// Whether the device knows its checksum to be right; `None` where that is not for certain.
    pub valid: Option<bool>,
}

/// A frame that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub copies: BTreeMap<usize, Copy>,
    /// Cells of the packet buffer for each copy.
    pub cells: usize,
}

/// What must not be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Wrong {
    #[error("port {port}: nobody has sent this frame of {bytes} bytes: {start:02x?}")]
    Unknown { port: usize, bytes: usize, start: Vec<u8> },
    #[error("port {port}: {name:?} is not for it")]
    Misled { port: usize, name: Name },
    #[error("port {port}: {name:?} arrives twice")]
    Twice { port: usize, name: Name },
    #[error("port {port}, pair {pair}: {name:?} arrives behind number {last}")]
    Order { port: usize, pair: usize, name: Name, last: u32 },
    #[error("port {port}: {name:?} has {got} bytes instead of {expected}, and differs from byte {at} on")]
    Bytes { port: usize, name: Name, got: usize, expected: usize, at: usize },
}

/// See the module.
#[derive(Default)]
pub struct Ledger {
    sent: HashMap<Name, Sent>,
    /// The number that came last, by the sender's port and pair and the receiver's.
    last: HashMap<[usize; 4], u32>,
    /// Copies that are due, the cells that they take, and the buffers by their ports.
    pub due: usize,
    pub cells: usize,
    pub buffers: HashMap<usize, usize>,
    pub arrived: u64,
}

impl Ledger {
    pub fn give(&mut self, name: Name, sent: Sent) {
        for (port, copy) in &sent.copies {
            if copy.fate == Fate::Due {
                self.due += 1;
                self.cells += sent.cells;
                *self.buffers.entry(*port).or_default() += copy.buffers;
            }
        }
        let old = self.sent.insert(name, sent);
        assert!(old.is_none(), "numbers are given once");
    }

    /// Copies for which this holds may be missing from now on.
    pub fn excuse(&mut self, is_so: impl Fn(Name, usize) -> bool) {
        for (name, sent) in &mut self.sent {
            for (port, copy) in &mut sent.copies {
                if copy.fate == Fate::Due && is_so(*name, *port) {
                    copy.fate = Fate::Excused;
                    self.due -= 1;
                    self.cells -= sent.cells;
                    *self.buffers.get_mut(port).expect("it was counted") -= copy.buffers;
                }
            }
        }
    }

    /// The frame that a driver calls so may be missing.
    pub fn excuse_tag(&mut self, tag: u64) {
        self.excuse(|name, _| name.tag() == tag);
    }

    /// A frame arrives at a port, in a pair of queues; returns the copy that it is.
    ///
    /// # Errors
    /// It must not.
    pub fn arrives(&mut self, port: usize, pair: usize, frame: &[u8]) -> Result<&Copy, Wrong> {
        let unknown = || {
            let start = frame.iter().take(40).copied().collect();
            Wrong::Unknown { port, bytes: frame.len(), start }
        };
        let name = Name::of_frame(frame).ok_or_else(unknown)?;
        let sent = self.sent.get_mut(&name).ok_or_else(unknown)?;
        let copy = sent.copies.get_mut(&port).ok_or(Wrong::Misled { port, name })?;
        if copy.fate == Fate::Arrived {
            return Err(Wrong::Twice { port, name });
        }
        if *copy.bytes != *frame {
            let at = copy.bytes.iter().zip(frame).take_while(|(a, b)| a == b).count();
            return Err(Wrong::Bytes { port, name, got: frame.len(), expected: copy.bytes.len(), at });
        }
        let last = self.last.insert([name.port, name.pair, port, pair], name.number);
        if let Some(last) = last.filter(|last| *last >= name.number) {
            return Err(Wrong::Order { port, pair, name, last });
        }
        if copy.fate == Fate::Due {
            self.due -= 1;
            self.cells -= sent.cells;
            *self.buffers.get_mut(&port).expect("it was counted") -= copy.buffers;
        }
        copy.fate = Fate::Arrived;
        self.arrived += 1;
        Ok(copy)
    }

    /// Copies that did not arrive, by their fate.
    pub fn missing(&self, fate: Fate) -> Vec<(Name, usize)> {
        let of = |(name, sent): (&Name, &Sent)| {
            let name = *name;
            let missing = sent.copies.iter().filter(|(_, copy)| copy.fate == fate);
            missing.map(move |(port, _)| (name, *port)).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.sent.iter().flat_map(of).collect();
        all.sort_unstable();
        all
    }

    /// A line about a copy.
    ///
    /// # Panics
    /// If there is none.
    pub fn describe(&self, (name, port): (Name, usize)) -> String {
        let bytes = &self.sent[&name].copies[&port].bytes;
        let start: String = bytes.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
        format!("\n{name:?} to port {port}, {} bytes: {start}..", bytes.len())
    }

    /// Everything is settled: what did not arrive never will.
    pub fn clear(&mut self) {
        self.sent.clear();
        self.buffers.clear();
        (self.due, self.cells) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(port: usize) -> Sent {
        let copy = Copy { bytes: Arc::new([]), fate: Fate::Due, buffers: 1, valid: None };
        Sent { copies: [(port, copy)].into(), cells: 1 }
    }

    fn ledger(count: u32) -> (Ledger, Vec<Vec<u8>>) {
        let mut ledger = Ledger::default();
        let frames = (0..count).map(|number| {
            let name = Name { port: 3, pair: 1, number };
            let bytes = [&[9; 6], &name.address().bytes()[..], &[8, 8]].concat();
            assert_eq!(Name::of_frame(&bytes), Some(name));
            let mut sent = sent(5);
            sent.copies.get_mut(&5).unwrap().bytes = bytes.clone().into();
            ledger.give(name, sent);
            bytes
        });
        let frames = frames.collect();
        (ledger, frames)
    }

    #[test]
    fn everything_that_can_be_wrong_is_noticed() {
        let (mut ledger, frames) = ledger(4);
        assert!(ledger.arrives(5, 0, &frames[1]).is_ok());
        assert!(matches!(ledger.arrives(5, 0, &frames[1]), Err(Wrong::Twice { .. })));
        assert!(matches!(ledger.arrives(5, 0, &frames[0]), Err(Wrong::Order { last: 1, .. })));
        assert!(matches!(ledger.arrives(4, 0, &frames[2]), Err(Wrong::Misled { .. })));
        let longer = [&frames[2][..], &[0]].concat();
        assert!(matches!(ledger.arrives(5, 0, &longer), Err(Wrong::Bytes { at: 14, .. })));
        assert!(matches!(ledger.arrives(5, 0, &[2; 20]), Err(Wrong::Unknown { .. })));
        let lost = Name { port: 3, pair: 1, number: 3 };
        ledger.excuse_tag(lost.tag());
        assert_eq!(ledger.missing(Fate::Excused), [(lost, 5)]);
        assert_eq!(ledger.missing(Fate::Due).len(), ledger.due);
        // It may arrive all the same.
        assert!(ledger.arrives(5, 0, &frames[3]).is_ok());
        assert_eq!(ledger.missing(Fate::Excused), []);
    }

    #[test]
    fn what_is_under_way_is_counted() {
        let (mut ledger, frames) = ledger(3);
        assert_eq!((ledger.due, ledger.cells, ledger.buffers[&5]), (3, 3, 3));
        ledger.arrives(5, 0, &frames[0]).unwrap();
        ledger.excuse(|name, _| name.number == 1);
        assert_eq!((ledger.due, ledger.cells, ledger.buffers[&5]), (1, 1, 1));
        assert_eq!(ledger.arrived, 1);
    }
}
