//! What the blocks of the network functions hand to each other.

use super::queues::Queue;
use crate::config::Config;
use hdl::*;

/// The driver made buffers available, or a queue has begun to live.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Doorbell {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    /// `index` says how far (VIRTIO_F_NOTIFICATION_DATA).
    pub has_index: Bool,
    /// The next index of a split ring; of a packed ring the place of the next descriptor, with the wrap counter in bit 15.
    pub index: U<16>,
}

/// Which word of a queue's settings.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Address of the descriptors, its lower half.
    Descriptors,
    DescriptorsHigh,
    /// Address of the driver's area: the available ring, or its event suppression.
    Driver,
    DriverHigh,
    /// Address of the device's area: the used ring, or its event suppression.
    Device,
    DeviceHigh,
    /// Entries of the ring in bits 15:0, the vector of its interrupts in bits 31:16.
    Size,
    /// [`Mode`] of its function.
    Mode,
}

/// Asks for a word of a queue's settings.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Lookup {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    pub word: Enum<Word>,
}

/// What the driver and the device have agreed on.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Mode {
    /// VIRTIO_NET_F_CTRL_RX, and so on: the commands that the driver may give.
    pub control_receive: Bool,
    pub control_vlan: Bool,
    pub control_address: Bool,
    pub announce: Bool,
    pub multiqueue: Bool,
    /// VIRTIO_NET_F_MTU.
    pub mtu: Bool,
    /// VIRTIO_F_RING_PACKED.
    pub packed: Bool,
    /// VIRTIO_F_EVENT_IDX.
    pub event_index: Bool,
    /// VIRTIO_F_INDIRECT_DESC.
    pub indirect: Bool,
    /// VIRTIO_F_IN_ORDER.
    pub in_order: Bool,
    /// VIRTIO_F_NOTIFICATION_DATA.
    pub notification_data: Bool,
    /// VIRTIO_NET_F_MRG_RXBUF.
    pub mergeable: Bool,
    /// VIRTIO_NET_F_CSUM.
    pub checksum: Bool,
    /// VIRTIO_NET_F_GUEST_CSUM.
    pub guest_checksum: Bool,
}

/// A part of a buffer, in the order of its buffer and of its ring.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Descriptor {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    pub part: Part,
}

#[derive(Bundle, Clone, Copy, Debug)]
pub struct Part {
    pub address: U<64>,
    /// In bytes, at least 1 unless `bad`; 65535 for more.
    pub length: U<16>,
    /// The device writes to it.
    pub writable: Bool,
    /// The buffer ends with it.
    pub last: Bool,
    /// The buffer cannot be used: what came of it before is to be forgotten, and it is not given back. Only with `last`; the
    /// queue is broken, and `fetch` has said so.
    pub bad: Bool,
    /// What the driver calls the buffer: the index of its first descriptor, or its Buffer ID. Counts with `last`.
    pub id: U<16>,
    /// Places that it takes in a packed ring. Counts with `last`.
    pub places: U<16>,
}

/// What waits in a queue.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Measured {
    /// Bytes of whole buffers; 131071 for more.
    pub bytes: U<17>,
    /// More comes only when some of it has been taken.
    pub full: Bool,
}

/// A buffer that the device is done with.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Used {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    pub id: U<16>,
    /// Bytes that were written to it.
    pub length: U<17>,
    /// Places that it takes in a packed ring.
    pub places: U<16>,
    /// The next one of this queue belongs to the same frame: the driver sees none of them or all.
    pub joined: Bool,
}

/// Why a queue is broken.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The driver's memory could not be read or written.
    Access,
    /// More buffers are available than the ring has.
    Index,
    /// A number of a descriptor is beyond the ring, or the table.
    Descriptor,
    /// A chain of descriptors is longer than the ring, or the table: it is a loop.
    Loop,
    /// A descriptor of no bytes.
    Empty,
    /// A descriptor is to be read that is to be written, or the other way round.
    Direction,
    /// An indirect table where none may be, or of a length that is no multiple of 16.
    Indirect,
    /// A frame is shorter than its header.
    Header,
}

/// A queue is broken: it does nothing more until it is reset.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Fault {
    #[ty(Queue::ty(config))]
    pub queue: Queue,
    pub cause: Enum<Cause>,
}
