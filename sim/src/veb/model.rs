//! The reference model of the bridge: what becomes of a frame, from the rules alone.
//!
//! Clauses are those of IEEE 802.1Q-2018. The bridge is a customer VLAN component with static tables: it does not learn and
//! takes no part in spanning tree, and the reserved addresses (table 8-1) are group addresses like any other.

use super::{DropReason, PortSet, Tables};
use crate::ethernet::{FrameView, MAX_FRAME_BYTES, MacAddress};

/// What becomes of a frame while there is room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes no further.
    Drop(DropReason),
    /// It leaves each of these ports once; there is at least one.
    Forward(PortSet),
}

/// The bridge, up to [`PortSet::CAPACITY`] ports.
///
/// What depends on time is not in it: a full buffer and full queues may take frames that it forwards (and a full buffer
/// may take the frames that it drops for `vlan` or `filtered`); the [`Scoreboard`](super::Scoreboard) allows for that.
/// Nor are the limits of the hardware's address table: whoever loads an entry sees whether there was room.
#[derive(Clone, Debug)]
pub struct Model {
    tables: Tables,
}

impl Model {
    /// A bridge with these tables.
    pub fn new(tables: Tables) -> Self {
        Self { tables }
    }

    /// The tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The tables, to change; frames decided from then on see the change.
    pub fn tables_mut(&mut self) -> &mut Tables {
        &mut self.tables
    }

    /// What becomes of `frame` that came in at port `source`, with its `error` flag.
    ///
    /// # Panics
    /// If the bridge has no port `source`.
    pub fn decide(&self, source: usize, frame: &[u8], error: bool) -> Decision {
        assert!(source < self.tables.port_count(), "no port {source}");
        match self.destinations(source, frame, error) {
            Err(reason) => Decision::Drop(reason),
            Ok(ports) if ports.is_empty() => Decision::Drop(DropReason::Filtered),
            Ok(ports) => Decision::Forward(ports),
        }
    }

    /// The rules, in their order.
    fn destinations(&self, source: usize, frame: &[u8], error: bool) -> Result<PortSet, DropReason> {
        if error {
            return Err(DropReason::Error);
        }
        let view = FrameView(frame);
        // A frame is complete with its type: 14 bytes, or 18 with a customer tag.
        let (Some(destination), Some(_)) = (view.destination(), view.ethertype()) else {
            return Err(DropReason::Runt);
        };
        if frame.len() > MAX_FRAME_BYTES {
            return Err(DropReason::Oversize);
        }
        let vid = self.classify(source, view);
        // FFF is reserved: it is not to be used as a VID (table 9-2). Ingress filtering: 8.6.2.
        let members = self.tables.members(vid);
        if vid == 0xFFF || !members.contains(source) {
            return Err(DropReason::Vlan);
        }
        // Egress: members only (8.6.4), never back to the port it came from (8.6.1).
        Ok((self.lookup(vid, destination) & members) - PortSet::single(source))
    }

    /// The VLAN of a frame: that of its tag unless the tag carries only a priority, else the port's (6.9).
    fn classify(&self, source: usize, frame: FrameView<'_>) -> u16 {
        match frame.tag() {
            Some(tag) if tag.vid != 0 => tag.vid,
            _ => self.tables.pvid(source),
        }
    }

    /// The filtering database (8.8): a static entry, else all ports for a group and the default ports for a station.
    fn lookup(&self, vid: u16, destination: MacAddress) -> PortSet {
        if let Some(ports) = self.tables.entry(vid, destination) {
            ports
        } else if destination.is_group() {
            self.tables.all_ports()
        } else {
            self.tables.default_ports()
        }
    }
}

#[cfg(test)]
mod tests;
