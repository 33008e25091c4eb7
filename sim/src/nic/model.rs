//! What a frame costs on the link: a model of what any device with these rings needs, to measure the adapter by.
//!
//! It knows packets of PCI Express and the rings of virtio (2.7 and 2.8), and nothing of the adapter: each buffer is one
//! part, the driver makes a batch of them available and rings once, and the device
//!
//! - reads what says how many there are (split ring), and the descriptors of a batch together,
//! - reads or writes the bytes of each buffer, with the header of 12 bytes (5.1.6),
//! - returns a batch together, and reads once whether the driver wants to know.

use crate::pcie::{FRAMING, LinkSettings};
use std::ops::{Add, Mul};

/// Bytes on the link with their framing, towards the host and from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    pub up: f64,
    pub down: f64,
}

impl Cost {
    /// How often a second a link carries this.
    pub fn rate(self, link: &LinkSettings) -> f64 {
        link.bytes_per_second() as f64 / self.up.max(self.down)
    }
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost { up: self.up + other.up, down: self.down + other.down }
    }
}

impl Mul<f64> for Cost {
    type Output = Cost;

    fn mul(self, factor: f64) -> Cost {
        Cost { up: self.up * factor, down: self.down * factor }
    }
}

/// How rings and packets are used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    pub packed: bool,
    /// IN_ORDER: a batch of a packed transmit queue comes back as one descriptor (2.8.8).
    pub in_order: bool,
    /// Buffers that become available, and come back, together.
    pub batch: usize,
    /// Batches for one interrupt; 0 for no interrupts.
    pub batches_per_interrupt: usize,
    /// Max_Payload_Size and Max_Read_Request_Size, in bytes.
    pub payload: usize,
    pub request: usize,
    /// Bytes of a completion.
    pub chunk: usize,
}

/// Bytes in front of the payload: a request with an address of 64 bits, a completion.
const REQUEST: usize = FRAMING + 16;
const COMPLETION: usize = FRAMING + 12;

/// Bytes of a descriptor, and of an element of the used ring.
const DESCRIPTOR: usize = 16;
const ELEMENT: usize = 8;

/// Bytes in front of a frame in its buffer (5.1.6).
const HEADER: usize = 12;

impl Model {
    /// Batches of 16 without interrupts, payloads of 256 bytes, requests of 512 and completions of 64.
    pub fn new(packed: bool, in_order: bool) -> Model {
        Model { packed, in_order, batch: 16, batches_per_interrupt: 0, payload: 256, request: 512, chunk: 64 }
    }

    /// A frame of so many bytes, without its check sequence, from memory.
    pub fn transmit(&self, bytes: usize) -> Cost {
        self.read(HEADER + bytes) + self.ring(self.packed && self.in_order)
    }

    /// One into memory.
    pub fn receive(&self, bytes: usize) -> Cost {
        self.write(HEADER + bytes) + self.ring(false)
    }

    /// What a buffer costs beside its bytes. `one` descriptor tells of all of a batch, or each has its own.
    fn ring(&self, one: bool) -> Cost {
        let batch = self.batch;
        let doorbell = Cost { up: 0.0, down: (REQUEST + 4) as f64 };
        let of_both = self.read(batch * DESCRIPTOR) + doorbell;
        let of_kind = if self.packed {
            let used = if one { DESCRIPTOR } else { batch * DESCRIPTOR };
            self.write(used) + self.read(4)
        } else {
            // The available index and ring, whole words; used elements, index, and the used event.
            self.read(4)
                + self.read((2 * batch).max(4))
                + self.write(batch * ELEMENT)
                + self.write(4)
                + self.read(4)
        };
        let interrupts = match self.batches_per_interrupt {
            0 => Cost::default(),
            batches => self.write(4) * (1.0 / batches as f64),
        };
        (of_both + of_kind + interrupts) * (1.0 / batch as f64)
    }

    fn read(&self, bytes: usize) -> Cost {
        let (requests, completions) = (bytes.div_ceil(self.request), bytes.div_ceil(self.chunk));
        Cost { up: (requests * REQUEST) as f64, down: (bytes + completions * COMPLETION) as f64 }
    }

    fn write(&self, bytes: usize) -> Cost {
        Cost { up: (bytes + bytes.div_ceil(self.payload) * REQUEST) as f64, down: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The project's table of bytes for each frame: up and down, transmitted and received, of 64 bytes with FCS.
    #[test]
    fn costs_are_those_of_the_table() {
        let rows = [
            (false, false, 1, [187, 248, 259, 136]),
            (false, false, 8, [51, 147, 123, 35]),
            (false, false, 32, [37, 138, 109, 26]),
            (true, false, 1, [119, 200, 191, 88]),
            (true, false, 8, [50, 140, 122, 28]),
            (true, false, 16, [45, 136, 117, 24]),
            (true, true, 16, [30, 136, 117, 24]),
        ];
        for (packed, in_order, batch, expected) in rows {
            let model = Model { batch, batches_per_interrupt: 4, ..Model::new(packed, in_order) };
            let (transmit, receive) = (model.transmit(60), model.receive(60));
            for (cost, expected) in
                [transmit.up, transmit.down, receive.up, receive.down].into_iter().zip(expected)
            {
                assert!((cost - f64::from(expected)).abs() <= 1.0, "{cost}, not {expected}: {model:?}");
            }
        }
    }

    /// Between functions at 1518 bytes: 42.7 Gb/s on eight lanes of generation 3; and 44.8 million frames of 64 bytes.
    #[test]
    fn limits_are_those_of_the_table() {
        let model = Model { batches_per_interrupt: 4, ..Model::new(true, false) };
        let link = LinkSettings::default();
        let rate = |bytes: usize| (model.transmit(bytes) + model.receive(bytes)).rate(&link);
        assert!((rate(1514) * 1514.0 * 8e-9 / 42.7 - 1.0).abs() < 0.005, "{}", rate(1514));
        assert!((rate(60) / 44.8e6 - 1.0).abs() < 0.005, "{}", rate(60));
    }
}
