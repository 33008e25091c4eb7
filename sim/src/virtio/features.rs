//! Features that a device offers and a driver accepts (virtio 2.2), by their bits.

use std::{
    fmt,
    ops::{BitAnd, BitOr, Sub},
};

/// A set of features: bit `n` is feature `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(pub u128);

impl Features {
    pub const NONE: Features = Features(0);

    /// The device completes checksums (5.1.3).
    pub const CSUM: Features = Features(1);
    /// The driver takes what the device says of checksums.
    pub const GUEST_CSUM: Features = Features(1 << 1);
    pub const MTU: Features = Features(1 << 3);
    pub const MAC: Features = Features(1 << 5);
    /// A frame may be spread over several receive buffers.
    pub const MRG_RXBUF: Features = Features(1 << 15);
    pub const STATUS: Features = Features(1 << 16);
    pub const CTRL_VQ: Features = Features(1 << 17);
    pub const CTRL_RX: Features = Features(1 << 18);
    pub const CTRL_VLAN: Features = Features(1 << 19);
    pub const GUEST_ANNOUNCE: Features = Features(1 << 21);
    pub const MQ: Features = Features(1 << 22);
    pub const CTRL_MAC_ADDR: Features = Features(1 << 23);
    /// Tables of descriptors (6).
    pub const INDIRECT_DESC: Features = Features(1 << 28);
    pub const EVENT_IDX: Features = Features(1 << 29);
    pub const VERSION_1: Features = Features(1 << 32);
    pub const ACCESS_PLATFORM: Features = Features(1 << 33);
    pub const RING_PACKED: Features = Features(1 << 34);
    pub const IN_ORDER: Features = Features(1 << 35);
    pub const ORDER_PLATFORM: Features = Features(1 << 36);
    pub const SR_IOV: Features = Features(1 << 37);
    pub const NOTIFICATION_DATA: Features = Features(1 << 38);
    pub const RING_RESET: Features = Features(1 << 40);
    pub const SPEED_DUPLEX: Features = Features(1 << 63);

    /// All of these features are in the set.
    pub const fn has(self, features: Features) -> bool {
        self.0 & features.0 == features.0
    }

    /// The 32 features that are seen with this number selected (4.1.4.3).
    pub const fn word(self, select: usize) -> u32 {
        (self.0 >> (32 * select)) as u32
    }
}

impl BitOr for Features {
    type Output = Features;

    fn bitor(self, other: Features) -> Features {
        Features(self.0 | other.0)
    }
}

impl BitAnd for Features {
    type Output = Features;

    fn bitand(self, other: Features) -> Features {
        Features(self.0 & other.0)
    }
}

impl Sub for Features {
    type Output = Features;

    fn sub(self, other: Features) -> Features {
        Features(self.0 & !other.0)
    }
}

/// The numbers of the features.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..128).filter(|bit| self.0 >> bit & 1 == 1)).finish()
    }
}
